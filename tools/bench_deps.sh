#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fetches the packages of tools/packages-bench.txt and unpacks them into DIR: nothing is installed, no service
# is started, whoever only builds and tests never needs them.  Quiet when all is there.
set -eu
dir=$1
list=$(cd "$(dirname "$0")" && pwd)/packages-bench.txt
mkdir -p "$dir"
cd "$dir"
for package in $(grep -v '^#' "$list"); do
    [ ! -e "$package.ok" ] || continue
    echo "bench: apt-get download $package"
    apt-get -o APT::Sandbox::User=root download -qq "$package" >/dev/null || {
        echo "bench: cannot download Debian's $package; run 'apt-get update'" >&2
        exit 1
    }
    dpkg-deb -x "$package"_*.deb .
    rm -f "$package"_*.deb
    touch "$package.ok"
done
