#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs COMMAND in the Debian tree TREE, in the folder /work, which is FOLDER of this machine.  What it changes
# elsewhere is gone afterwards, and so is every process that it left.  Needs root.
#
#   in_tree.sh TREE FOLDER COMMAND...
set -eu
[ $# -ge 3 ] || { sed -n '3,6s/^# \{0,1\}//p' "$0" >&2; exit 2; }
[ "$(id -u)" -eq 0 ] || { echo "in_tree: this needs root" >&2; exit 1; }
tree=$1
folder=$2
shift 2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/upper" "$scratch/work" "$scratch/root"
# shellcheck disable=SC2016  # the inner shell expands
unshare --mount --fork --pid --kill-child sh -euc '
    tree=$1 folder=$2 scratch=$3
    shift 3
    root=$scratch/root
    mount -t overlay overlay -o "lowerdir=$tree,upperdir=$scratch/upper,workdir=$scratch/work" "$root"
    mkdir -p "$root/work"
    mount --bind "$folder" "$root/work"
    mount --rbind /dev "$root/dev"
    mount --rbind /sys "$root/sys"
    mount -t proc proc "$root/proc"
    cp /etc/resolv.conf "$root/etc/resolv.conf"
    exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C HOME=/root DEBIAN_FRONTEND=noninteractive \
        sh -c "cd /work && exec \"\$@\"" sh "$@"
' sh "$tree" "$folder" "$scratch" "$@"
