#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Do the tests find what they are there for?  Plants each bug of tests/planted/*.patch into a copy of the
# sources, builds the tests that the patch names, and requires that every one of them goes red:
#
#     What is taken out, in a sentence.
#     Red: tests/unit/core/test_writer a_name_of_a_test
#
# planted.sh BUILD MODE CC, called by `make planted` when BUILD (build/MODE-CC) is up to date.  Speaks TAP.
set -u
cd "$(dirname "$0")/.." || exit 1
build=$1 mode=$2 cc=$3
tree=build/planted
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES CI # a make of its own; a planted bug may earn a warning
ran=0
failed=0

say() { # STATUS TEXT
    ran=$((ran + 1))
    [ "$1" = ok ] || failed=$((failed + 1))
    echo "$1 $ran - $2"
}

# Objects come along with the times of their sources, so that only what a patch touches is compiled.
copy_sources() {
    rm -rf "$tree"
    mkdir -p "$tree/$build/tests/unit"
    cp -a Makefile base localmap stream replicator admin-api tests tools "$tree/" &&
        cp -a build/llhttp "$tree/build/" &&
        for folder in lib base localmap stream replicator tests/lib tests/sim tests/unit/core; do
            cp -a "$build/$folder" "$tree/$build/$folder" || return 1
        done
}

# The lines "PROGRAM TEST" of a patch.
named() { sed -n '/^--- /q; s/^Red: //p' "$1"; }

build_named() {
    # shellcheck disable=SC2046 # a list of words
    make -C "$tree" -s MODE="$mode" CC="$cc" $(named "$1" | sed "s|^\([^ ]*\) .*|$build/\1|" | sort -u) \
        >"$tree/log" 2>&1
}

# verdict PROGRAM TEST: green, red, or none (there is no such test).
verdict() {
    CK_RUN_CASE=$2 "$tree/$build/$1" >"$tree/log" 2>&1
    if grep -q "^not ok .*:$2:" "$tree/log"; then
        echo red
    elif grep -q "^ok .*:$2:" "$tree/log"; then
        echo green
    else
        echo none
    fi
}

require() { # COLOUR PATCH
    while read -r program test; do
        seen=$(verdict "$program" "$test")
        if [ "$seen" != "$1" ]; then
            echo "# $program $test: $seen"
            return 1
        fi
    done <<EOF
$(named "$2")
EOF
}

judge() { # PATCH: prints why it is not as it should be
    [ -n "$(named "$1")" ] || { echo "# names no test"; return 1; }
    build_named "$1" || { echo "# does not build without the bug"; return 1; }
    require green "$1" || return 1
    patch -d "$tree" -p1 -s --dry-run <"$1" >"$tree/log" 2>&1 || { echo "# does not apply"; return 1; }
    patch -d "$tree" -p1 -s --no-backup-if-mismatch <"$1"
    built=0
    build_named "$1" || built=1
    if [ $built -eq 0 ]; then
        require red "$1" || built=2
    else
        echo "# does not build"
    fi
    patch -d "$tree" -p1 -s -R <"$1"
    return $built
}

copy_sources || { echo "Bail out! the sources cannot be copied"; exit 1; }
for patch in tests/planted/*.patch; do
    name=$(basename "$patch" .patch)
    if judge "$patch"; then
        say ok "$name: $(head -n 1 "$patch")"
    else
        say "not ok" "$name: $(head -n 1 "$patch")"
    fi
done
echo "1..$ran"
[ $failed -eq 0 ]
