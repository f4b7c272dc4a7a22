#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the package for a Debian suite and prints its path: deb.sh [--again] [SUITE]
#
# SUITE is this machine's own unless it is named; for another one the package is built in a tree of that suite
# (tools/debian_tree.sh, needs root), so that it depends on the libraries that stand there.
# What was built from the same source is not built again, but with --again: into build/deb/again, to compare.
set -eu
cd "$(dirname "$0")/.."

say() { echo "deb: $*" >&2; }
die() { say "$*"; exit 1; }

out=build/deb
if [ "${1:-}" = --again ]; then
    out=build/deb/again
    shift
fi
own=$(. /etc/os-release && echo "${VERSION_CODENAME:-unknown}")
suite=${1:-$own}
case $suite in
bookworm) release=deb12 ;;
trixie) release=deb13 ;;
*) release=$suite ;;
esac
version=$(sed -n 's/^VERSION := //p' Makefile)+$release
name=meshpulse_${version}_$(dpkg --print-architecture).deb

# The source: what git knows of, or would; or all that is not built.  Without what no package holds or is built
# by: a change there makes no other package.
list_source() {
    if git rev-parse --git-dir >/dev/null 2>&1; then
        git ls-files --cached --others --exclude-standard
        return
    fi
    find . -type f ! -path './build/*' ! -path ./meshpulse ! -path ./compile_commands.json | sed 's|^\./||'
}
source_files() {
    {
        list_source | grep -v -E '^(\.|tests/|charts/|examples/|tools/|Dockerfile$|(ARCHITECTURE|CONTRIBUTING|SECURITY)\.md$)'
        printf '%s\n' tools/install.sh tools/llhttp.sh
    } | LC_ALL=C sort | while read -r file; do
        [ ! -f "$file" ] || echo "$file"
    done
}

# The day of the last commit that changed it, so that the same source makes the same package.
epoch() {
    # shellcheck disable=SC2046  # no path of ours holds a space
    git log -1 --format=%ct -- $(source_files) 2>/dev/null || stat -c %Y CHANGELOG.md
}

lay_out() {
    rm -rf "$1"
    mkdir -p "$1"
    source_files | tar -c -T - | tar -x -C "$1"
    cp -r packaging/debian "$1/debian"
    cat >"$1/debian/changelog" <<LOG
meshpulse ($version) $suite; urgency=medium

  * See CHANGELOG.md.

 -- $(sed -n 's/^Maintainer: //p' packaging/debian/control)  $(LC_ALL=C date -u -R -d "@$(epoch)")
LOG
}

build() {
    if [ "$suite" = "$own" ]; then
        (cd "$1/source" && dpkg-buildpackage -b -us -uc -rfakeroot)
    else
        tree=$(tools/debian_tree.sh "$suite" build)
        tools/in_tree.sh "$tree" "$1" sh -c 'cd source && dpkg-buildpackage -b -us -uc'
    fi
}

command -v dpkg-deb >/dev/null || die "this is no Debian"
[ "$suite" != "$own" ] ||
    tools/apt.sh build-essential fakeroot $(sed -n '/^Build-Depends:/,/^$/s/^ \([a-z0-9-]*\).*/\1/p' packaging/debian/control | sed 's/-compat$//') >&2
sum=$(source_files | tr '\n' '\0' | xargs -0 sha256sum | cat - tools/deb.sh | sha256sum | cut -d' ' -f1)-$(epoch)

provide() {
    if [ "$out" = build/deb ] && [ "$(cat "$out/$name.source" 2>/dev/null)" = "$sum" ] && [ -f "$out/$name" ]; then
        return
    fi
    work=$out/work-$suite
    lay_out "$work/source"
    say "building $name"
    DEB_BUILD_OPTIONS="parallel=$(nproc) noautodbgsym" build "$PWD/$work" >"$out/$suite.log" 2>&1 ||
        { tail -n 30 "$out/$suite.log" >&2; die "failed; the whole log: $out/$suite.log"; }
    mv "$work/$name" "$out/$name"
    rm -rf "$work"
    echo "$sum" >"$out/$name.source"
}

mkdir -p "$out"
# Two who want the same package must not make it twice.
(flock 9 && provide) 9>"$out/$suite.lock"
echo "$out/$name"
