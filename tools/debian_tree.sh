#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Provides a tree of a Debian suite (bookworm, trixie) in the cache folder and prints its path; whoever wants
# to change something in it lays an overlay upon it.  Needs root.
#
#   debian_tree.sh SUITE base     debootstrap's smallest, with its security updates
#   debian_tree.sh SUITE build    and what building the package needs
#   debian_tree.sh SUITE boot     and a systemd that boots
set -eu
cd "$(dirname "$0")/.."
[ $# -eq 2 ] || { sed -n '3,8s/^# \{0,1\}//p' "$0" >&2; exit 2; }
suite=$1
kind=$2
cache=${XDG_CACHE_HOME:-$HOME/.cache}/meshpulse-tests

say() { echo "debian_tree: $*" >&2; }
die() { say "$*"; exit 1; }

# What the package's source says; debhelper-compat is a name that debhelper provides.
build_depends() {
    sed -n '/^Build-Depends:/,/^$/s/^ \([a-z0-9-]*\).*/\1/p' packaging/debian/control | sed 's/-compat$//' | tr '\n' ' '
}

case $kind in
base) packages= ;;
build) packages="build-essential fakeroot $(build_depends)" ;;
boot) packages="systemd systemd-sysv dbus" ;;
*) die "no such kind: $kind" ;;
esac
# Another list of packages is another tree.
tree=$cache/debian-$suite-$kind-$(echo "$packages" | cksum | cut -d' ' -f1)

# The mounts end with the command.
in_tree() {
    root=$1
    shift
    unshare --mount --fork --pid --kill-child --mount-proc="$root/proc" \
        chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C DEBIAN_FRONTEND=noninteractive "$@"
}

make_base() {
    debootstrap --variant=minbase "$suite" "$1"
    mirror=$(sed -n 's/^deb \([^ ]*\) .*/\1/p' "$1/etc/apt/sources.list" | head -n 1)
    cat >"$1/etc/apt/sources.list" <<LIST
deb $mirror $suite main
deb $mirror $suite-updates main
deb $mirror-security $suite-security main
LIST
    # No service is started, and packages stay small: what a container's Debian does as well.
    printf '#!/bin/sh\nexit 101\n' >"$1/usr/sbin/policy-rc.d"
    chmod 755 "$1/usr/sbin/policy-rc.d"
    cp /etc/resolv.conf "$1/etc/resolv.conf"
    in_tree "$1" apt-get -q update
    in_tree "$1" apt-get -qy --no-install-recommends upgrade
    in_tree "$1" apt-get -q clean
}

make_upon() {
    cp -a "$1" "$2"
    in_tree "$2" apt-get -q update
    # shellcheck disable=SC2086  # a list of words
    in_tree "$2" apt-get -qy --no-install-recommends install $packages
    # tools/llhttp.sh takes it where there is one; Debian 12 has none.
    if [ "$kind" = build ] && in_tree "$2" apt-cache show libllhttp-dev; then
        in_tree "$2" apt-get -qy --no-install-recommends install libllhttp-dev
    fi
    in_tree "$2" apt-get -q clean
}

provide() {
    [ ! -e "$tree" ] || return 0
    [ "$(id -u)" -eq 0 ] || die "this needs root"
    command -v debootstrap >/dev/null || die "debootstrap is not installed"
    say "making $tree"
    base=
    [ "$kind" = base ] || base=$("$0" "$suite" base)
    rm -rf "$tree.new"
    if [ "$kind" = base ]; then
        make_base "$tree.new"
    else
        make_upon "$base" "$tree.new"
    fi >"$tree.log" 2>&1 || { tail -n 20 "$tree.log" >&2; die "failed; the whole log: $tree.log"; }
    mv "$tree.new" "$tree"
}

mkdir -p "$cache"
# Two who want the same tree must not make it twice.
(flock 9 && provide) 9>"$tree.lock"
echo "$tree"
