#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Do the tests find what they are there for?  Plants each bug of tests/planted/*.patch into a copy of the
# sources, builds the tests that the patch names, and requires that every one of them goes red:
#
#     What is taken out, in a sentence.
#     Mode: tsan                                    where a sanitizer has to find it; else as `make` builds
#     Red: tests/unit/core/test_writer a_name_of_a_test
#     Green: tests/unit/core/test_writer another    that must stay green, for it does not need what is taken out
#
# What a thread sanitizer reports must name both accesses and where both threads were made.
# planted.sh MODE CC [PATCH...], called by `make planted`.  Speaks TAP.
set -u
cd "$(dirname "$0")/.." || exit 1
own_mode=$1 cc=$2
shift 2
tree=build/planted
[ $# -gt 0 ] || set -- tests/planted/*.patch
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES CI # a make of its own; a planted bug may earn a warning
ran=0
failed=0

say() { # STATUS TEXT
    ran=$((ran + 1))
    [ "$1" = ok ] || failed=$((failed + 1))
    echo "$1 $ran - $2"
}

# The lines "PROGRAM TEST" of a patch after a word, and its mode.
named() { sed -n "/^--- /q; s/^$2: //p" "$1"; }
mode_of() { named "$1" Mode | grep . || echo "$own_mode"; }

# make_programs FOLDER PATCH: what the patch names, in the tree of FOLDER.
make_programs() {
    mode=$(mode_of "$2")
    # shellcheck disable=SC2046 # a list of words
    make -C "$1" -s MODE="$mode" CC="$cc" $({ named "$2" Red; named "$2" Green; } |
        sed "s|^\([^ ]*\) .*|build/$mode-$(basename "$cc")/\1|" | sort -u)
}

# Objects come along with the times of their sources, so that only what a patch touches is compiled.
copy_sources() {
    rm -rf "$tree"
    mkdir -p "$tree/build"
    cp -a Makefile base localmap stream replicator admin-api tests tools "$tree/" &&
        cp -a build/llhttp "$tree/build/" || return 1
    for patch in "$@"; do
        build=build/$(mode_of "$patch")-$(basename "$cc")
        make_programs . "$patch" >"$tree/log" 2>&1 || return 1
        mkdir -p "$tree/$build/tests"
        for folder in lib base localmap stream replicator tests/lib tests/sim tests/contract tests/unit; do
            [ ! -e "$build/$folder" ] || cp -au "$build/$folder" "$tree/$build/$(dirname "$folder")/" || return 1
        done
    done
}

# verdict MODE PROGRAM TEST: green, red, or none (there is no such test).
verdict() {
    fork=yes
    case $1 in asan | tsan) fork=no ;; esac # what a sanitizer finds ends the process
    CK_FORK=$fork CK_RUN_CASE=$3 "$tree/build/$1-$(basename "$cc")/$2" >"$tree/log" 2>&1
    if grep -q "^not ok .*:$3:\|ERROR: AddressSanitizer" "$tree/log"; then
        echo red
    elif grep -q "WARNING: ThreadSanitizer" "$tree/log"; then
        tells_all && echo red || echo "red, but the report does not say who and where"
    elif grep -q "^ok .*:$3:" "$tree/log"; then
        echo green
    else
        echo none
    fi
}

# Both accesses, and where each of the two threads was made.
tells_all() {
    grep -qE '^  (Atomic )?(Write|write|Read|read) of size' "$tree/log" &&
        grep -qE '^  Previous (atomic )?(write|read) of size' "$tree/log" &&
        [ "$(grep -cE '^  Thread T[0-9]+ .*created by' "$tree/log")" -ge 2 ]
}

require() { # COLOUR PATCH WORD
    named "$2" "$3" >"$tree/named"
    while read -r program test; do
        seen=$(verdict "$(mode_of "$2")" "$program" "$test")
        if [ "$seen" != "$1" ]; then
            echo "# $program $test: $seen, not $1"
            return 1
        fi
    done <"$tree/named"
}

judge() { # PATCH: prints why it is not as it should be
    [ -n "$(named "$1" Red)" ] || { echo "# names no test"; return 1; }
    make_programs "$tree" "$1" >"$tree/log" 2>&1 || { echo "# does not build without the bug"; return 1; }
    require green "$1" Red || return 1
    patch -d "$tree" -p1 -s --dry-run <"$1" >"$tree/log" 2>&1 || { echo "# does not apply"; return 1; }
    patch -d "$tree" -p1 -s --no-backup-if-mismatch <"$1"
    bad=0
    if make_programs "$tree" "$1" >"$tree/log" 2>&1; then
        require red "$1" Red && require green "$1" Green || bad=1
    else
        echo "# does not build"
        bad=1
    fi
    patch -d "$tree" -p1 -s -R <"$1"
    return $bad
}

copy_sources "$@" || { echo "Bail out! the sources cannot be copied"; exit 1; }
for patch in "$@"; do
    name=$(basename "$patch" .patch)
    if judge "$patch"; then
        say ok "$name: $(head -n 1 "$patch")"
    else
        say "not ok" "$name: $(head -n 1 "$patch")"
    fi
done
echo "1..$ran"
[ $failed -eq 0 ]
