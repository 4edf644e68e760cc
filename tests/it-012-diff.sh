#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# sft diff and sft patch: what is cut from a new version makes the whole of it again, bit for bit,
# from the old one; what it holds is checked; what does not fit is refused.
. "$(dirname "$0")/lib.sh"
requires python3

# field FILE NAME...: a value of a JSON object, names from the outside in
field() {
    python3 -c 'import json, sys
v = json.load(open(sys.argv[1]))
for name in sys.argv[2:]: v = v[int(name) if isinstance(v, list) else name]
print(v)' "$@"
}

mkdir -p "$T/1/Data"
head -c 2000000 /dev/urandom >"$T/1/big.bin"
seq 1 60000 >"$T/1/numbers.txt"
for i in 1 2 3 4 5 6 7 8 9; do
    echo "small file $i" >"$T/1/Data/small $i"
done
cp -a "$T/1" "$T/2"
rm "$T/2/Data/small 3"
head -c 150000 /dev/urandom >"$T/2/new.bin"
echo changed >"$T/2/Data/small 4"
cp -a "$T/2" "$T/3"
rm "$T/3/numbers.txt"
head -c 70000 /dev/urandom >"$T/3/newer.bin"
cp -a "$T/3" "$T/4"
rm "$T/4/newer.bin"
pack "$T/1" "$T/1.sft" --block-size 16 --name Sample
for i in 2 3 4; do
    pack "$T/$i" "$T/$i.sft" --upgrade "$T/$((i - 1)).sft"
done

step "the version before, by default: the new blocks alone, and the whole again of both"
expect_status 0 sft diff "$T/2.sft" -o "$T/2.dsft" --json
cp "$T/out" "$T/diff.json"
sft info --json "$T/2.sft" >"$T/2.json" || die "sft info"
expect_equal "$(field "$T/diff.json" base number)" 1 "base"
expect_equal "$(field "$T/diff.json" target guid)" "$(field "$T/2.json" version_guid)" "target"
expect_equal "$(field "$T/diff.json" first_block)" "$(field "$T/2.json" versions 1 first_new_block)" \
    "first block"
expect_equal "$(field "$T/diff.json" bytes)" "$(stat -c %s "$T/2.dsft")" "length"
[ "$(stat -c %s "$T/2.dsft")" -lt 200000 ] || die "more than what is new"
expect_status 0 sft patch "$T/1.sft" "$T/2.dsft" -o "$T/2.again"
expect_text "$T/out" 'blocks of the old version and [1-9]'
cmp "$T/2.sft" "$T/2.again" || die "the versions differ"

step "an older version, by number and by GUID; blocks have other numbers there"
guid=$(field "$T/2.json" versions 0 guid)
for base in 1 "$guid" "{$guid}"; do
    expect_status 0 sft diff "$T/3.sft" -o "$T/31.dsft" --force --base "$base"
    expect_text "$T/out" 'version 3 against version 1$'
    expect_status 0 sft patch "$T/1.sft" "$T/31.dsft" -o "$T/3.again" --force
    cmp "$T/3.sft" "$T/3.again" || die "the versions differ (base $base)"
done
expect_status 0 sft patch "$T/2.sft" "$T/31.dsft" -o "$T/3.again" --force # has more than is needed
cmp "$T/3.sft" "$T/3.again" || die "the versions differ"

step "a version without new blocks"
expect_status 0 sft diff "$T/4.sft" -o "$T/4.dsft"
expect_text "$T/out" '^0 of '
expect_status 0 sft verify "$T/4.dsft"
expect_status 0 sft patch "$T/3.sft" "$T/4.dsft" -o "$T/4.again"
cmp "$T/4.sft" "$T/4.again" || die "the versions differ"

step "info and verify say what it is"
expect_status 0 sft info "$T/31.dsft"
expect_text "$T/out" '^Format: +dsft'
expect_text "$T/out" "^Old version: +1  $guid"
expect_status 0 sft info --json "$T/31.dsft"
expect_equal "$(field "$T/out" base guid)" "$guid" "base"
expect_equal "$(field "$T/out" target container_bytes)" "$(stat -c %s "$T/3.sft")" "whole"
expect_status 0 sft info --sections "$T/31.dsft"
expect_text "$T/out" '^made against version: 1,'
expect_text "$T/out" '^section INDX: '
expect_status 0 sft verify --json "$T/31.dsft"
expect_equal "$(field "$T/out" ok)" True "verify"
expect_equal "$(field "$T/out" differential)" True "verify"

step "damage is found, and nothing is made of it"
cp "$T/2.dsft" "$T/bad.dsft"
printf 'x' | dd of="$T/bad.dsft" bs=1 seek=$(($(stat -c %s "$T/bad.dsft") - 100)) conv=notrunc 2>/dev/null
expect_status 5 sft verify "$T/bad.dsft"
expect_text "$T/out" '1 bad blocks'
expect_status 5 sft patch "$T/1.sft" "$T/bad.dsft" -o "$T/none"
[ ! -e "$T/none" ] || die "an output of bad blocks"
head -c 1000 "$T/2.dsft" >"$T/short.dsft"
expect_status 5 sft info "$T/short.dsft"
cp "$T/1.sft" "$T/bad.sft"
printf 'x' | dd of="$T/bad.sft" bs=1 seek=1000000 conv=notrunc 2>/dev/null
expect_status 5 sft patch "$T/bad.sft" "$T/2.dsft" -o "$T/none"
expect_text "$T/err" 'bad\.sft'
cp "$T/2.sft" "$T/bad.sft"
printf 'x' | dd of="$T/bad.sft" bs=1 seek=$(($(stat -c %s "$T/bad.sft") - 100)) conv=notrunc 2>/dev/null
expect_status 5 sft diff "$T/bad.sft" -o "$T/none"
[ ! -e "$T/none" ] || die "an output of bad blocks"

step "what does not fit is refused"
expect_status 3 sft diff "$T/1.sft" -o "$T/none"
expect_text "$T/err" 'no older version'
pack "$T/1" "$T/p.appv"
expect_status 4 sft diff "$T/p.appv" -o "$T/no.dsft"
expect_text "$T/err" 'only SFT files'
expect_status 3 sft diff "$T/3.sft" -o "$T/none" --base 7
expect_text "$T/err" 'no version 7'
expect_status 2 sft diff "$T/3.sft" -o "$T/none" --base 3
expect_text "$T/err" 'this very version'
expect_status 2 sft diff "$T/3.sft" -o "$T/2.dsft"
expect_text "$T/err" 'exists already'
expect_status 2 sft diff "$T/3.sft"
expect_status 4 sft diff "$T/2.dsft" -o "$T/none"
expect_status 0 sft diff "$T/3.sft" -o "$T/32.dsft"
expect_status 11 sft patch "$T/1.sft" "$T/32.dsft" -o "$T/none"
expect_text "$T/err" 'needed is version 2'
pack "$T/1" "$T/other.sft"
expect_status 9 sft patch "$T/other.sft" "$T/2.dsft" -o "$T/none"
expect_status 4 sft patch "$T/1.sft" "$T/2.sft" -o "$T/none"
expect_text "$T/err" 'not a differential SFT'
[ ! -e "$T/none" ] || die "an output after an error"

step "it is no package to list or to mount, and the message says what to do"
expect_status 4 sft ls "$T/2.dsft"
expect_text "$T/err" 'sft patch OLD\.sft'
if [ -c /dev/fuse ] && command -v sftfs >/dev/null; then
    mkdir "$T/mnt"
    expect_status 4 sftfs "$T/2.dsft" "$T/mnt"
    expect_text "$T/err" 'sft patch OLD\.sft'
fi

step "with the old version in the disk cache, the new one is there whole"
expect_status 0 sft cache load "$T/2.sft" --cache-dir="$T/cache"
expect_status 0 sft cache import "$T/32.dsft" --cache-dir="$T/cache"
expect_text "$T/out" 'version 3'
sft info --json "$T/3.sft" >"$T/3.json" || die "sft info"
expect_status 0 sft cache export "$(field "$T/3.json" version_guid)" --cache-dir="$T/cache" \
    -o "$T/exported.sft"
cmp "$T/3.sft" "$T/exported.sft" || die "the versions differ"

step "from a web server"
if command -v nginx >/dev/null; then
    mkdir "$T/www"
    cp "$T/2.sft" "$T/2.dsft" "$T/www"
    start_nginx "$T/www"
    expect_status 0 sft diff "$URL/2.sft" -o "$T/http.dsft"
    cmp "$T/2.dsft" "$T/http.dsft" || die "the differential packages differ"
    http_log_mark
    expect_status 0 sft patch "$T/1.sft" "$URL/2.dsft" -o "$T/http.sft"
    cmp "$T/2.sft" "$T/http.sft" || die "the versions differ"
    [ "$(http_bytes)" -le $(($(stat -c %s "$T/2.dsft") * 2)) ] || die "more than twice fetched"
else
    echo "   (not tried: no nginx)"
fi
