#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# A large real tree: the PE files of Debian's Wine packages, packed, mounted, verified and compared.
# SFTFS_CACHE names a directory where the downloaded package is kept between runs.
. "$(dirname "$0")/lib.sh"
need_fuse
requires apt-get dpkg-deb sha256sum

step "get the files"
cache=${SFTFS_CACHE:-$T/cache}
mkdir -p "$cache" "$T/deb"
if ! ls "$cache"/libwine_*.deb >/dev/null 2>&1; then
    (cd "$cache" && apt-get -q download libwine) >"$T/apt" 2>&1 || {
        cat "$T/apt"
        skip "Debian's libwine cannot be downloaded"
    }
fi
dpkg-deb -x "$(ls "$cache"/libwine_*.deb | head -n 1)" "$T/deb" || die "dpkg-deb"
mkdir "$T/src"
mv "$T"/deb/usr/lib/*/wine/x86_64-windows "$T/src/system32"
mv "$T"/deb/usr/share/wine "$T/src/share"
find "$T/src" ! -type f ! -type d -delete
files=$(find "$T/src" -type f | wc -l)
bytes=$(find "$T/src" -type f -printf '%s\n' | awk '{ n += $1 } END { printf "%d", n }')
[ "$files" -ge 700 ] || die "only $files files"
(cd "$T/src" && find . -type f -print0 | sort -z | xargs -0 sha256sum) >"$T/sums"

step "pack $files files, $bytes bytes"
pack "$T/src" "$T/p.sft" --level 3
size=$(stat -c %s "$T/p.sft")
echo "   $size bytes"
[ "$size" -lt "$bytes" ] || die "no smaller than the files"
step "verify"
expect_status 0 sft verify "$T/p.sft"

step "mount and compare all: one reader, then four"
m=$T/mnt
mount_package "$T/p.sft" "$m"
(cd "$m" && sha256sum --quiet -c "$T/sums") >"$T/bad" || {
    tail -n 20 "$T/bad"
    die "checksums differ"
}
unmount "$m"
mount_package "$T/p.sft" "$m"
(cd "$m" && find . -type f -print0 | xargs -0 -P4 -n16 sha256sum | sort -k2) >"$T/sums4"
sort -k2 "$T/sums" | cmp - "$T/sums4" || die "checksums differ with four readers"
unmount "$m"

step "extract and compare"
expect_status 0 sft extract "$T/p.sft" -C "$T/out-tree"
diff -r "$T/src" "$T/out-tree" || die "extracted tree differs"

step "one changed byte is found by verify, and names the file's block"
cp "$T/p.sft" "$T/bad.sft"
printf '\377\000\377' | dd of="$T/bad.sft" bs=1 seek=$((size / 2)) conv=notrunc 2>/dev/null
cmp -s "$T/p.sft" "$T/bad.sft" && die "nothing was changed"
expect_status 5 sft verify "$T/bad.sft"
expect_text "$T/out" '^block [0-9]+ '
exit 0
