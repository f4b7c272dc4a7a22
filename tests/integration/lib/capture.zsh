# SPDX-License-Identifier: Apache-2.0
# usage: zsh -f cap.zsh FOLDER LINE: what is offered at the end of the line, one a line
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z "PROMPT='' PS2=''; fpath=($1 \$fpath); autoload -Uz compinit; compinit -u -D"
zpty -w z 'compadd() {
    if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then builtin compadd "$@"; return; fi
    local -a hits; builtin compadd -O hits "$@"; (( $#hits )) && print -rl -- "{"${^hits}"}"; builtin compadd "$@"
}; finish() { print "{en""d}"; exit }; zle -N finish; bindkey "^X" finish; bindkey "^I" complete-word; print "rea""dy"'
local line
while zpty -r z line; do [[ $line == *ready* ]] && break; done
zpty -n -w z "$2"$'\t\x18'
while zpty -r z line; do
    [[ $line == *'{end}'* ]] && break
    print -r -- "$line"
done
zpty -d z
