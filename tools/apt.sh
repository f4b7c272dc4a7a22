#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs those of the Debian packages that are missing, and says so; quiet when there is nothing to do.
#
#   apt.sh PACKAGE...
#   apt.sh --update       reads the lists of packages again
set -eu
cd "$(dirname "$0")/.."
mkdir -p build

say() { echo "apt: $*"; }
die() { echo "apt: $*" >&2; exit 1; }

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        env DEBIAN_FRONTEND=noninteractive "$@"
    elif command -v sudo >/dev/null; then
        sudo env DEBIAN_FRONTEND=noninteractive "$@"
    else
        die "this needs root: $* (run it as root, or install sudo)"
    fi
}

update() {
    say "apt-get update"
    as_root apt-get -qq update || die "apt-get update failed: is a Debian mirror in reach?"
}

missing() {
    for package in "$@"; do
        state=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) || state=none
        [ "$state" = installed ] || echo "$package"
    done
}

if [ "${1:-}" = --update ]; then
    update
    exit 0
fi
packages=$(missing "$@" | tr '\n' ' ')
[ -n "$packages" ] || exit 0
command -v apt-get >/dev/null || die "these are needed: $packages"
# apt waits for nobody: who comes second sees what the first has left to do.
exec 9>build/apt.lock
flock 9
packages=$(missing "$@" | tr '\n' ' ')
[ -n "$packages" ] || exit 0
update
say "apt-get install $packages"
# shellcheck disable=SC2086  # a list of words
as_root apt-get -qq -y --no-install-recommends install $packages >build/apt.log 2>&1 9>&- ||
    { tail -n 20 build/apt.log >&2; die "apt-get install failed; the whole log: build/apt.log"; }
