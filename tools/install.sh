#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs, or removes again, what packaging/files.txt lists: install.sh install|uninstall|list.
# Reads DESTDIR (put before every path), PREFIX (/usr/local), SYSCONFDIR (/etc), UNITDIR (PREFIX/lib/systemd/system).
set -eu
cd "$(dirname "$0")/.."
destdir=${DESTDIR:-}
prefix=${PREFIX:-/usr/local}
bindir=$prefix/bin
docdir=$prefix/share/doc/meshpulse
unitdir=${UNITDIR:-$prefix/lib/systemd/system}
sysconfdir=${SYSCONFDIR:-/etc}

command=${1:-}

say() { echo "$*"; }

fill() {
    sed -e "s|@bindir@|$bindir|g" -e "s|@unitdir@|$unitdir|g" -e "s|@docdir@|$docdir|g" \
        -e "s|@sharedir@|$prefix/share|g" \
        -e "s|@sysconfdir@|$sysconfdir|g"
}

# Every row as "MODE SOURCE DESTINATION", without a star.
rows() {
    grep -v '^#' packaging/files.txt | fill | while read -r mode source destination; do
        if [ "$source" = - ]; then
            echo "$mode $source $destination"
            continue
        fi
        for file in $source; do
            [ -f "$file" ] || [ "$command" = uninstall ] || { echo "install: $file is not there" >&2; exit 1; }
            case $destination in
            */) echo "$mode $file $destination${file##*/}" ;;
            *) echo "$mode $file $destination" ;;
            esac
        done
    done
}

put() {
    mode=$1
    source=$2
    target=$3
    [ -d "$(dirname "$target")" ] || install -d "$(dirname "$target")"
    case $mode:$source in
    dir:*) [ -d "$target" ] || install -d -m 700 "$target" ;;
    conf:*) if [ -e "$target" ]; then say "kept: $target"; else install -m 644 "$source" "$target"; fi ;;
    *.in)
        fill <"$source" >"$target.new"
        chmod "$mode" "$target.new"
        mv -f "$target.new" "$target"
        ;;
    *) install -m "$mode" "$source" "$target" ;;
    esac
}

# Folders of ours go when nothing is left in them.
remove_folders() {
    folder=$1
    while :; do
        case $folder in
        "$destdir"*/meshpulse | "$destdir"*/meshpulse/*) rmdir "$folder" 2>/dev/null || return 0 ;;
        *) return 0 ;;
        esac
        folder=$(dirname "$folder")
    done
}

take() {
    mode=$1
    source=$2
    target=$3
    if [ "$mode" = dir ]; then
        remove_folders "$target"
        [ ! -d "$target" ] || say "kept: $target, which is not empty"
        return 0
    fi
    if [ "$mode" = conf ] && [ -e "$target" ] && ! cmp -s "$source" "$target"; then
        say "kept: $target, which was changed"
        return 0
    fi
    rm -f "$target"
    remove_folders "$(dirname "$target")"
}

case $command in
list) rows | while read -r mode source target; do echo "$destdir$target"; done ;;
install | uninstall)
    all=$(rows) # before anything is touched: a row that is wrong must leave nothing half done
    [ "$1" = install ] && act=put || act=take
    echo "$all" | while read -r mode source target; do
        $act "$mode" "$source" "$destdir$target"
    done
    ;;
*)
    sed -n '3,4s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
