#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Provides build/valkey-server: the Valkey of Debian 13 beside whatever system this is.  Nothing is installed:
# an apt with a state of its own asks the machine's mirror for trixie, the packages are unpacked into a cache
# folder, and a wrapper runs the program by the dynamic loader that it came with.  Valkey's program, too,
# looks at its name; valkey-tools holds it, without a service (tools/deps.sh).
set -eu
cd "$(dirname "$0")/.."
suite=trixie
cache=${XDG_CACHE_HOME:-$HOME/.cache}/meshpulse-tests/valkey-$suite
keys=/usr/share/keyrings/debian-archive-keyring.gpg

say() { echo "valkey: $*"; }
die() { echo "valkey: $*" >&2; exit 1; }

# A wrapper whose program was removed, or is no Valkey of ours, is made anew.
is_there() {
    [ -x build/valkey-server ] && build/valkey-server --version 2>/dev/null | grep -q 'v=[89]\.'
}

# The first of the machine's own sources that is a whole Debian; known before any `apt-get update`.
mirror() {
    # shellcheck disable=SC2016  # apt's own variables
    apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
        awk '$1 ~ /^(bookworm|trixie|forky|sid|oldstable|stable|testing|unstable)$/ && $2 == "main" { print $3; exit }'
}

# apt with lists, cache and list of installed packages (none) below "$work".
own_apt() {
    apt-get -qq -o Dir::State="$work/state" -o Dir::State::status="$work/status" -o Dir::Cache="$work/cache" \
        -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null \
        -o APT::Sandbox::User= -o APT::Architectures="$(dpkg --print-architecture)" -o Acquire::Languages=none "$@"
}

# Everything goes into "$work" first, so that a cache folder is whole or not there.
fetch() {
    uri=$(mirror)
    [ -n "$uri" ] || die "apt knows no Debian mirror in its sources"
    say "fetching valkey-tools of Debian $suite"
    mkdir -p "$work/state/lists/partial" "$work/cache/archives/partial" "$work/root"
    : >"$work/status"
    echo "deb [signed-by=$keys] $uri $suite main" >"$work/sources.list"
    if ! own_apt update || ! own_apt -y --no-install-recommends --download-only install valkey-tools; then
        die "no valkey-tools of Debian $suite in reach"
    fi
    for package in "$work"/cache/archives/*.deb; do
        dpkg-deb -x "$package" "$work/root"
    done
    rm -rf "$cache"
    mv -T "$work/root" "$cache"
}

# The loader and its libraries are trixie's: those of this system may be older than what the program needs.
wrap() {
    loader=$(find "$cache/usr/lib" "$cache/usr/lib64" -name 'ld-linux*.so.*' 2>/dev/null | head -n 1)
    libraries=$(dirname "$(find "$cache/usr/lib" -name libc.so.6 | head -n 1)")
    [ -n "$loader" ] || die "no dynamic loader in $cache"
    cat >build/valkey-server <<WRAPPER
#!/bin/sh
exec '$loader' --argv0 valkey-server --library-path '$libraries' '$cache/usr/bin/valkey-check-rdb' "\$@"
WRAPPER
    chmod +x build/valkey-server
}

mkdir -p build
is_there && exit 0
if [ ! -x "$cache/usr/bin/valkey-check-rdb" ]; then
    mkdir -p "$(dirname "$cache")"
    work=$(mktemp -d "$cache.XXXXXX") # beside it, so that it gets there by one rename
    trap 'rm -rf "$work"' EXIT
    fetch
fi
wrap
is_there || die "build/valkey-server does not run: $(build/valkey-server --version 2>&1)"
