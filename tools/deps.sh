#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs what building and testing needs (tools/packages.txt) on Debian 12 or newer, and says what it
# does; quiet when everything is there.  Starts and enables no service.  Leaves build/deps.ok behind.
set -eu
cd "$(dirname "$0")/.."
mkdir -p build

die() { echo "deps: $*" >&2; exit 1; }

# Older libraries lack calls that we use: better said here than by the compiler.
check_version() {
    pkg-config --exists "$1 >= $2" ||
        die "$1 $2 or newer is needed, found: $(pkg-config --modversion "$1" 2>/dev/null || echo none)"
}

check_versions() {
    command -v pkg-config >/dev/null || die "pkg-config is needed"
    while read -r module version; do
        check_version "$module" "$version"
    done <<LIST
hiredis 0.14.1
libcurl 7.88.0
libcjson 1.7.15
openssl 3.0.0
libevent_core 2.1.12
libevent_openssl 2.1.12
libevent_pthreads 2.1.12
yaml-0.1 0.2.5
check 0.15.2
LIST
    major=$("${CC:-cc}" -dumpversion | cut -d. -f1)
    case $("${CC:-cc}" --version | head -n 1) in
    *clang*) [ "$major" -ge 14 ] || die "clang 14 or newer is needed, found $major" ;;
    *) [ "$major" -ge 12 ] || die "gcc 12 or newer is needed, found $major" ;;
    esac
    command -v prove >/dev/null || die "prove is needed (Debian: perl)"
}

# Debian's Redis is one program that looks at its name: redis-tools holds it as redis-check-rdb, and
# called redis-server it is the server.  So a private server needs no package that installs a service.
link_redis() {
    redis=$(command -v redis-check-rdb || command -v redis-server) ||
        die "neither redis-check-rdb nor redis-server is installed (Debian: redis-tools)"
    ln -sfn "$(readlink -f "$redis")" build/redis-server
    version=$(build/redis-server --version | sed -n 's/.* v=\([0-9]*\)\..*/\1/p')
    [ "${version:-0}" -ge 7 ] || die "Redis 7.0 or newer is needed, found: $(build/redis-server --version)"
}

# llhttp has a package of its own from Debian 13 on; before, tools/llhttp.sh takes it out of node-llhttp,
# which apt must know of.
provide_llhttp() {
    if [ -e build/llhttp/llhttp.a ] || pkg-config --exists libllhttp; then
        return 0
    fi
    apt-cache show node-llhttp >/dev/null 2>&1 || tools/apt.sh --update
    if apt-cache show libllhttp-dev >/dev/null 2>&1; then
        tools/apt.sh libllhttp-dev
    fi
}

if command -v apt-get >/dev/null; then
    # shellcheck disable=SC2046  # a list of words
    tools/apt.sh $(grep -v '^#' tools/packages.txt)
    check_versions
    provide_llhttp
else
    check_versions
fi
link_redis
touch build/deps.ok
