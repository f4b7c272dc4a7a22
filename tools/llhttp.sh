#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Provides llhttp in DIR: llhttp.h and llhttp.a.  From libllhttp-dev where pkg-config knows it, else the
# three C files out of Debian's node-llhttp, fetched and unpacked without installing (no root).
set -eu
dir=$1
mkdir -p "$dir"
if pkg-config --exists libllhttp 2>/dev/null; then
    inc=$(pkg-config --variable=includedir libllhttp)
    printf '#include "%s/llhttp.h"\n' "$inc" >"$dir/llhttp.h"
    lib=$(pkg-config --variable=libdir libllhttp)
    printf 'INPUT(%s)\n' "$(ls "$lib"/libllhttp.so "$lib"/libllhttp.a 2>/dev/null | head -n 1)" >"$dir/llhttp.a"
    exit 0
fi
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
(cd "$tmp" && apt-get -o APT::Sandbox::User=root download -qq node-llhttp >/dev/null) || {
    echo "llhttp: cannot download Debian's node-llhttp; run 'apt-get update', or install libllhttp-dev" >&2
    exit 1
}
dpkg-deb -x "$tmp"/node-llhttp_*.deb "$tmp/x"
find "$tmp/x" -name '*.[ch]' -exec cp {} "$tmp" \;
for f in llhttp api http; do
    [ -f "$tmp/$f.c" ] || { echo "llhttp: $f.c is not in the package" >&2; exit 1; }
    # From inside the folder: its random name must not stand in the debugging information.
    (cd "$tmp" && "${CC:-cc}" -O2 -g -fPIE -fstack-protector-strong "-ffile-prefix-map=$tmp=llhttp" -I. -c "$f.c" -o "$f.o")
done
rm -f "$dir/llhttp.a"
ar rcs "$dir/llhttp.a" "$tmp/llhttp.o" "$tmp/api.o" "$tmp/http.o"
cp "$tmp/llhttp.h" "$dir/llhttp.h"
