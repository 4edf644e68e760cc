#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# AppX packages that are larger than ZIP once was: a file of 5 GB, 70,000 files. What memory it takes to
# mount and to read them is bounded.
. "$(dirname "$0")/lib.sh"
need_fuse
requires sft python3

mkdir "$T/src"
m=$T/mnt

# The most memory that the daemon had, KiB.
peak() {
    sed -n 's/^VmHWM:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$(daemons)/status"
}

step "a file of 5 GB, which is a hole on the disk"
echo small >"$T/src/small.txt"
python3 "$SFTFS_SRC/tests/make-appx.py" "$T/src" "$T/hole.msix" --hole 5000000001 || die "make-appx --hole"
mount_package "$T/hole.msix" "$m"
expect_equal "$(stat -c %s "$m/hole.bin")" 5000000001
expect_equal "$(tail -c +4999999990 "$m/hole.bin" | od -An -tx1 -v | tr -d ' \n')" 000000000000000000000000
dd if="$m/hole.bin" bs=1M skip=4200 count=64 2>"$T/err" | cmp -n 67108864 - /dev/zero || die "in the middle"
expect_equal "$(cat "$m/small.txt")" small
unmount "$m"
expect_status 0 sft info --json "$T/hole.msix"
python3 -c 'import json, sys
d = json.load(open(sys.argv[1]))
assert d["blocks"] > 76293 and d["file_bytes"] > 5000000000, d' "$T/out" || die "sft info"

step "70,000 files"
python3 "$SFTFS_SRC/tests/make-appx.py" "$T/src" "$T/many.appv" --appv --many 70000 || die "make-appx --many"
mount_package "$T/many.appv" "$m"
after_mount=$(peak)
expect_equal "$(find "$m" -type f | wc -l)" 70001
expect_equal "$(cat "$m/many/69/69999")" "file 69999"
expect_equal "$(cat "$m/many/31/"* | sort | sha256sum)" "$(seq -f 'file %.0f' 31000 31999 | sort | sha256sum)"
echo "memory: $after_mount KiB after mounting, $(peak) KiB in the end, $(stat -c %s "$T/many.appv") bytes of package"
# AddressSanitizer has uses of its own for memory.
if ! nm "$(command -v sftfs)" 2>/dev/null | grep -q __asan_init; then
    [ "$(peak)" -lt 131072 ] || die "$(peak) KiB of memory for 70,000 files"
fi
unmount "$m"
