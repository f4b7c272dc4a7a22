#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the image by buildah and prints the path of a file for `docker load`, `podman load` and `skopeo`; beside
# it lies the same as an OCI layout, oci:build/image/oci:VERSION.  Says how large it is.  Needs root.
#
#   image.sh              upon a Debian made by debootstrap, so that no registry is needed
#   image.sh --pull       upon debian:12-slim out of the registry
#   image.sh --again      although nothing has changed, into build/image/again, to compare
set -eu
cd "$(dirname "$0")/.."

say() { echo "image: $*" >&2; }
die() { say "$*"; exit 1; }

pull=no
again=no
for option in "$@"; do
    case $option in
    --pull) pull=yes ;;
    --again) again=yes ;;
    *) sed -n '3,9s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
    esac
done
[ "$(id -u)" -eq 0 ] || die "this needs root"

bar=45 # MB, compressed
out=build/image
[ $again = no ] || out=build/image/again
version=$(sed -n 's/^VERSION := //p' Makefile)
archive=$out/meshpulse-$version.tar
log=$out/log
# The long form of "meshpulse", which Docker shows as that; any other would be a second name in the archive.
name=docker.io/library/meshpulse:$version

# The words of .dockerignore that begin with "!" are what the image is built from.
sources() {
    sed -n 's/^!//p' .dockerignore
    echo Dockerfile
    echo tools/image.sh
}
source_sum() {
    sources | while read -r path; do find "$path" -type f; done | LC_ALL=C sort | tr '\n' '\0' | xargs -0 sha256sum |
        sha256sum | cut -d' ' -f1
}

# The last commit that changed it, so that the same source makes the same image.
last_commit() {
    # shellcheck disable=SC2046  # no path of ours holds a space
    git log -1 --format="$1" -- $(sources) 2>/dev/null
}
epoch() {
    last_commit %ct || stat -c %Y CHANGELOG.md
}

in_store() {
    command=$1
    shift
    STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot buildah --root "$store/root" --runroot "$store/run" "$command" "$@"
}

# What debian:12-slim is to us: the smallest Debian 12, under the name that the Dockerfile asks for.
make_base() {
    tree=$(tools/debian_tree.sh bookworm base)
    tar -c --sort=name --numeric-owner --exclude=./dev --exclude=./proc --exclude=./sys --exclude=./var/cache/apt \
        -f "$store/base.tar" -C "$tree" .
    container=$(in_store from scratch)
    in_store add "$container" "$store/base.tar" /
    in_store commit "$container" debian:12-slim
    rm "$store/base.tar"
}

build() {
    policy=--pull
    if [ $pull = no ]; then
        make_base
        policy=--pull-never
    fi
    in_store bud $policy --format docker --timestamp "$(epoch)" \
        --label "org.opencontainers.image.version=$version" \
        --label "org.opencontainers.image.revision=$(last_commit %H || echo unknown)" \
        -t "$name" -f Dockerfile .
    rm -rf "$out/oci" "$archive"
    in_store push --format docker "$name" "docker-archive:$archive:$name"
    in_store push "$name" "oci:$out/oci:$version"
}

provide() {
    sum=$(source_sum)-$pull
    [ $again = yes ] || [ ! -f "$archive" ] || [ "$(cat "$out/source" 2>/dev/null)" != "$sum" ] || return 0
    tools/apt.sh buildah ca-certificates >&2
    say "building $archive"
    # The store's files are of many users and may be read-only: it ends with the script.
    store=$(mktemp -d "$PWD/$out/store.XXXXXX")
    trap 'rm -rf "$store"' EXIT
    build >"$log" 2>&1 || { tail -n 30 "$log" >&2; die "failed; the whole log: $log"; }
    echo "$sum" >"$out/source"
}

mkdir -p "$out"
# Two who want the same image must not make it twice.
(flock 9 && provide) 9>"$out/lock"
size=$(find "$out/oci/blobs" -type f -printf '%s\n' | awk '{ sum += $1 } END { printf "%.1f", sum / 1e6 }')
say "bar image-mb-compressed $size <= $bar $(awk -v size="$size" -v bar=$bar 'BEGIN { print size <= bar ? "ok" : "SHORT" }')"
echo "$archive"
