#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# A start is recorded on a mount; a package that is made with the recording has exactly the blocks
# that were used as its launch set, at its front; so has the next version without a list.
. "$(dirname "$0")/lib.sh"
need_fuse
requires python3

src=$T/src
mkdir -p "$src/Data" "$src/Other"
head -c 1000000 /dev/urandom >"$src/big.bin"
head -c 200000 /dev/urandom >"$src/library.dll"
head -c 300000 /dev/urandom >"$src/Other/unused.bin"
seq 1 30000 >"$src/Data/numbers.txt"
i=0
while [ $i -lt 60 ]; do
    seq $i $((i + 300)) >"$src/Data/small $i"
    i=$((i + 1))
done
printf 'odd\n' >"$src/Data/ 100% odd "
: >"$src/Data/empty"

# The start: parts of a large file, out of order; whole files, small ones that share blocks.
start_program() {
    dd if="$1/big.bin" of=/dev/null bs=10000 skip=50 count=2 2>/dev/null
    cat "$1/Data/small 7" "$1/library.dll" "$1/Data/small 40" "$1/Data/ 100% odd " \
        "$1/Data/empty" >/dev/null
    dd if="$1/big.bin" of=/dev/null bs=1 count=1 2>/dev/null
    cat "$1/Data/small 7" >/dev/null
}

# record_start PACKAGE FILE [OPTION]
record_start() {
    mount_package "$1" "$T/mnt" -o "record=$2${3:+,$3}"
    start_program "$T/mnt"
    unmount "$T/mnt"
}

cat >"$T/check.py" <<'PY'
"""check.py RECORDING INFO.json: the launch set is what the recording has; prints its blocks."""
import json, sys
lines = open(sys.argv[1], encoding="utf-8").read().split("\n")
assert lines[0].startswith("sftfs-record 1 ") and lines[-1] == "", lines
used = [int(line.split(" ")[0]) for line in lines[1:-1]]
info = json.load(open(sys.argv[2]))
assert info["version_guid"] in lines[0]
launch = [b for run in info["launch_runs"] for b in range(run["first"], run["first"] + run["count"])]
assert sorted(set(used)) == sorted(launch), (sorted(set(used)), launch)
assert len(launch) == len(set(launch)) == info["launch_blocks"]
print(len(launch))
PY

pack "$src" "$T/1.sft" --block-size 4

step "a recording has the first use of each block and file, in order"
record_start "$T/1.sft" "$T/rec"
cut -d ' ' -f 4- "$T/rec" | sed 1d | uniq >"$T/order"
cat >"$T/expected" <<'LIST'
big.bin
Data/small 7
library.dll
Data/small 40
Data/ 100%25 odd%20
big.bin
LIST
diff "$T/expected" "$T/order" || die "not what was read, or not in that order"
# 20,000 bytes from 500,000 on are in five blocks of 4 KiB, and the first byte in another one.
expect_equal "$(grep -c ' big.bin$' "$T/rec")" 6 "blocks of the large file"
expect_text "$T/rec" '^[0-9]+ 499712 4096 big.bin$'
# Another recording replaces it; something else is not touched.
record_start "$T/1.sft" "$T/rec"
mkdir "$T/other"
echo mine >"$T/precious"
expect_status 2 sftfs "$T/1.sft" "$T/other" -o "record=$T/precious"
expect_text "$T/err" 'is not a recording'
expect_equal "$(cat "$T/precious")" mine "what is no recording"
expect_status 3 sftfs "$T/1.sft" "$T/other" -o "record=$T/no/such/dir"
not_mounted "$T/other" || die "mounted in spite of it"

step "packed with it: the launch set is that, first and together"
for size in 4 16 64; do
    pack "$src" "$T/2.sft" --block-size $size --launch-list "$T/rec" --force --name "In $size"
    sft info --json "$T/2.sft" >"$T/2.json" || die "sft info"
    record_start "$T/2.sft" "$T/rec2"
    blocks=$(python3 "$T/check.py" "$T/rec2" "$T/2.json") || die "blocks of $size KiB"
    python3 -c 'import json, sys
runs = json.load(open(sys.argv[1]))["launch_runs"]
assert len(runs) == 1 and runs[0]["first"] == 0, runs' "$T/2.json" || die "not one run at the front"
    expect_status 0 sft verify "$T/2.sft"
    expect_status 0 sft extract "$T/2.sft" -C "$T/out.$size"
    diff -r "$src" "$T/out.$size" || die "the trees differ"
done
[ "$blocks" -lt 10 ] || die "far too many blocks for what was used: $blocks"

step "the next version keeps the launch set without a list"
cp -a "$src" "$T/src3"
seq 1 100 >"$T/src3/added.txt"
seq 3 200 >"$T/src3/Data/small 40"
pack "$T/src3" "$T/3.sft" --upgrade "$T/2.sft"
sft info --json "$T/3.sft" >"$T/3.json" || die "sft info"
record_start "$T/3.sft" "$T/rec3"
python3 "$T/check.py" "$T/rec3" "$T/3.json" >/dev/null || die "launch set of the next version"

step "files that are gone are counted, and bad lists are refused by line"
rm "$T/src3/library.dll"
pack "$T/src3" "$T/4.sft" --launch-list "$T/rec"
expect_text "$T/pack.out" "^sft: .*rec: [0-9]+ uses are of files that are not packed"
printf 'sftfs-record 9 x\n' >"$T/later"
expect_status 4 sft pack "$src" -o "$T/none" --launch-list "$T/later"
expect_text "$T/err" 'later: a recording of form 9'
{ cat "$T/rec"; echo "1 2 three big.bin"; } >"$T/wrong"
expect_status 2 sft pack "$src" -o "$T/none" --launch-list "$T/wrong"
expect_text "$T/err" "wrong: line $(wc -l <"$T/wrong"): "
[ ! -e "$T/none" ] || die "an output after an error"

step "a recording that was cut off is good up to there"
head -c $(($(wc -c <"$T/rec") - 5)) "$T/rec" >"$T/cut"
pack "$src" "$T/5.sft" --launch-list "$T/cut"

step "a daemon that is killed leaves what was used before the last second"
mount_package "$T/1.sft" "$T/mnt" -o "record=$T/killed"
start_program "$T/mnt"
wait_for 20 grep -q ' 0 4096 big.bin$' "$T/killed" || die "not written while mounted"
kill -KILL $(daemons)
wait_for 20 no_daemon_for "$T/mnt" || die "still there"
umount -l "$T/mnt" 2>/dev/null || fusermount3 -u -z "$T/mnt"
diff "$T/rec" "$T/killed" || die "the recordings differ"

step "with an overlay, what is read of the package is recorded, and what is written is not"
mkdir "$T/ovl"
mount_package "$T/1.sft" "$T/mnt" -o "record=$T/rec4,overlay=$T/ovl"
echo new >"$T/mnt/Data/new"
printf 'x' | dd of="$T/mnt/big.bin" bs=1 seek=8192 conv=notrunc 2>/dev/null
cat "$T/mnt/Data/new" "$T/mnt/Data/small 7" >/dev/null
dd if="$T/mnt/big.bin" of=/dev/null bs=4096 skip=1 count=3 2>/dev/null
unmount "$T/mnt"
grep -q 'Data/new' "$T/rec4" && die "a file of the overlay is recorded"
printf '%s\n' '4096 4096 big.bin' '8192 4096 big.bin' '12288 4096 big.bin' \
    "$(grep -o '0 [0-9]* Data/small 7' "$T/rec")" | sort >"$T/expected"
sed 1d "$T/rec4" | cut -d ' ' -f 2- | sort | diff "$T/expected" - || die "uses differ"

step "a mount takes a list in place of the package's launch set"
command -v nginx >/dev/null || skip "the last step, a mount with launch_list: no nginx"
mkdir "$T/www"
cp "$T/1.sft" "$T/www/p.sft"
start_nginx "$T/www"
cd "$T" || die "cd"
exactly=cache_dir=none,fetch_ahead=0,readahead=1,no_push # what is read, and no guesses
mount_package "$URL/p.sft" "$T/mnt" -o "$exactly,launch_list=rec"
expect_status 0 sftfs ctl "$T/mnt" progress
[ "$(http_bytes)" -lt 900000 ] || die "more was fetched than what a start needs: $(http_bytes)"
http_log_mark
start_program "$T/mnt"
expect_equal "$(http_requests)" 0 "requests of a start after the launch set has come"
cat "$T/mnt/Other/unused.bin" >/dev/null
[ "$(http_requests)" -gt 0 ] || die "everything was there, so nothing was shown"
unmount "$T/mnt"

step "a list of paths, of which some are not there; and lists that are no good"
printf 'LIBRARY.dll\nno such file\nData/Small 7\n' >"$T/list"
mount_package "$URL/p.sft" "$T/mnt" -o "$exactly,launch_list=$T/list"
expect_text "$T/mount.out" '1 of 3 lines name nothing in this package: no such file'
expect_status 0 sftfs ctl "$T/mnt" progress
http_log_mark
cat "$T/mnt/library.dll" "$T/mnt/Data/small 7" >/dev/null
expect_equal "$(http_requests)" 0 "requests for what the list names"
unmount "$T/mnt"
expect_status 3 sftfs "$URL/p.sft" "$T/mnt" -o "launch_list=$T/missing,cache_dir=none"
expect_text "$T/err" 'launch_list: .*missing: No such file'
expect_status 2 sftfs "$URL/p.sft" "$T/mnt" -o "launch_list=$T/wrong,cache_dir=none"
expect_text "$T/err" 'launch_list .*wrong: line'
not_mounted "$T/mnt" || die "mounted in spite of it"
printf '# nothing\n' >"$T/list"
mount_package "$URL/p.sft" "$T/mnt" -o "cache_dir=none,launch_list=$T/list"
cat "$T/mnt/Data/small 7" >/dev/null || die "a mount with an empty list"
unmount "$T/mnt"
