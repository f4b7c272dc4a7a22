#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Lays out in ROOT all that the image holds, out of the Debian that the program was built on: image_root.sh ROOT
# The Dockerfile runs it.
set -eu
cd "$(dirname "$0")/.."
[ $# -eq 1 ] || { sed -n '3,4s/^# //p' "$0" >&2; exit 2; }
root=$1
user=65532
# chown is for the chart's init container, which hands the host's /run/meshpulse to this user.
programs="meshpulse /usr/bin/chown"

# As Debian has them since 12, so that a path means the same in both places.
mkdir -p "$root/usr/bin" "$root/usr/lib" "$root/usr/lib64" "$root/etc/ssl/certs" "$root/usr/lib/ssl" \
    "$root/var/lib/dpkg/status.d" "$root/usr/share/doc"
for name in bin lib lib64; do
    ln -s "usr/$name" "$root/$name"
done

for program in $programs; do
    install -m 755 -s "$program" "$root/usr/bin/"
done

# Every library, and the one that loads them; "=>" stands before the path, but for the loader.
# shellcheck disable=SC2086  # a list of words
libraries=$(ldd $programs | sed -n 's|^[^/]*\(/[^ :]*\) (.*|\1|p' | sort -u)
for library in $libraries; do
    install -D -m 755 "$library" "$root$(realpath "$(dirname "$library")")/$(basename "$library")"
done

# What the packages are that these came from: their licences, and for whoever scans the image for old versions.
# dpkg knows a library by the path without the link /lib, or with it.
for file in $libraries /usr/sbin/update-ca-certificates; do
    dpkg -S "$file" 2>/dev/null || dpkg -S "/usr$file" 2>/dev/null || dpkg -S "$(realpath "$file")" 2>/dev/null ||
        dpkg -S "$(realpath "$file" | sed 's|^/usr||')"
done | sed 's/: .*//' | sort -u >"$root/packages"
echo coreutils >>"$root/packages"
while read -r package; do
    name=${package%%:*}
    dpkg-query -s "$package" >"$root/var/lib/dpkg/status.d/$name"
    install -D -m 644 "/usr/share/doc/$name/copyright" "$root/usr/share/doc/$name/copyright"
done <"$root/packages"
rm "$root/packages"
install -D -m 644 LICENSE "$root/usr/share/doc/meshpulse/copyright"

# libcurl looks for the one, OpenSSL for the other.
install -m 644 /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
ln -s /etc/ssl/certs/ca-certificates.crt "$root/usr/lib/ssl/cert.pem"

printf 'root:x:0:0:root:/:/sbin/nologin\nmeshpulse:x:%s:%s:meshpulse:/:/sbin/nologin\n' $user $user >"$root/etc/passwd"
printf 'root:x:0:\nmeshpulse:x:%s:\n' $user >"$root/etc/group"
printf 'passwd: files\ngroup: files\nhosts: files dns\n' >"$root/etc/nsswitch.conf"
install -D -m 644 /etc/os-release "$root/etc/os-release"
# Where the configuration is mounted; where the socket and Envoy's files are made; and where mounts go.
mkdir -p "$root/etc/meshpulse" "$root/proc" "$root/sys" "$root/dev"
install -d -m 1777 "$root/tmp"
install -d -m 755 "$root/run"
install -d -m 755 -o $user -g $user "$root/run/meshpulse"
