#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# sft info, ls, tree, cat, extract and verify on packages that sft pack made: what they print, as
# text and as JSON, what they say of damaged and foreign files, and that extract stays in its target.
. "$(dirname "$0")/lib.sh"
requires sft python3

src=$T/src
mkdir -p "$src/VFS/Sub dir" "$src/Empty" "$src/Данные"
echo hello >"$src/VFS/Hello.txt"
seq 60000 >"$src/VFS/Sub dir/seq.txt"
: >"$src/VFS/nothing"
printf 'caf\303\251' >"$src/Данные/文書.txt"
python3 -c 'import random,sys
random.seed(7); sys.stdout.buffer.write(random.randbytes(200000))' >"$src/VFS/big.bin"
touch -d '2011-02-03 04:05:06.5 UTC' "$src/VFS/Hello.txt"
touch -d '2012-03-04 05:06:07 UTC' "$src/VFS"
guid=11111111-2222-3333-4444-555555555555
pack "$src" "$T/p.sft" --guid "$guid" --name 'Try "it"'

# json EXPRESSION: of d, the JSON document in $T/out
json() {
    python3 -c 'import json,sys
d = json.load(open(sys.argv[1], encoding="utf-8"))
print(eval(sys.argv[2]))' "$T/out" "$1" || die "no valid JSON, or not what was expected: $1"
}

step "info"
expect_status 0 sft info "$T/p.sft"
expect_text "$T/out" "^Package GUID: +$guid\$"
expect_text "$T/out" '^Files: +5$'
expect_status 0 sft info --json "$T/p.sft"
expect_equal "$(json 'd["name"], d["package_guid"], d["files"], d["directories"]')" \
    "('Try \"it\"', '$guid', 5, 5)" "info --json"
expect_status 0 sft info --sections "$T/p.sft"
expect_text "$T/out" SMFF
expect_status 0 sft info --sections --json "$T/p.sft"
expect_equal "$(json 'len(d["sections"]) > 5')" True

step "ls and tree"
expect_status 0 sft ls "$T/p.sft"
expect_equal "$(sort "$T/out" | tr '\n' ' ')" "Empty/ VFS/ Данные/ "
expect_status 0 sft ls -l "$T/p.sft" 'vfs\HELLO.TXT'
expect_text "$T/out" ' 6  2011-02-03T04:05:06Z  Hello\.txt$'
expect_status 0 sft ls -R --json "$T/p.sft"
expect_equal "$(json 'sorted((e["path"], e.get("size")) for e in d["entries"] if e["type"] == "file")')" \
    "[('VFS/Hello.txt', 6), ('VFS/Sub dir/seq.txt', 348894), ('VFS/big.bin', 200000), ('VFS/nothing', 0), ('Данные/文書.txt', 5)]"
expect_equal "$(json 'len({e["file_id"] for e in d["entries"]}) == len(d["entries"])')" True "file ids"
expect_status 0 sft tree "$T/p.sft" vfs
expect_text "$T/out" '└── seq\.txt'
expect_text "$T/out" '^1 directories, 4 files$'
expect_status 0 sft tree -L 1 -d "$T/p.sft"
grep -q Hello "$T/out" && die "tree -d shows a file"
expect_status 0 sft tree --json "$T/p.sft"
expect_equal "$(json 'sorted(c["name"] for c in d["children"])')" "['Empty', 'VFS', 'Данные']"
LC_ALL=C expect_status 0 sft tree "$T/p.sft" VFS
expect_text "$T/out" '`-- seq\.txt'
expect_status 3 sft ls "$T/p.sft" no/such
expect_text "$T/err" 'no/such'

step "cat"
expect_status 0 sft cat "$T/p.sft" VFS/hello.txt VFS/nothing 'VFS/Sub dir/seq.txt'
cat "$src/VFS/Hello.txt" "$src/VFS/Sub dir/seq.txt" | cmp - "$T/out" || die "contents differ"
expect_status 3 sft cat "$T/p.sft" gone VFS/hello.txt
expect_equal "$(cat "$T/out")" hello "cat goes on after a missing file"
expect_status 2 sft cat "$T/p.sft" VFS
expect_status 2 sft cat "$T/p.sft"

step "a full output device is an error"
if [ -c /dev/full ]; then
    sft cat "$T/p.sft" VFS/big.bin >/dev/full 2>"$T/err" && die "writing to /dev/full succeeds"
    expect_text "$T/err" 'standard output: No space'
fi

step "extract"
expect_status 0 sft extract "$T/p.sft" -C "$T/x"
diff -r "$src" "$T/x" || die "the trees differ"
expect_equal "$(cd "$T/x" && find . -printf '%P %T@\n' | sed 1d | sort)" \
    "$(cd "$src" && find . -printf '%P %T@\n' | sed 1d | sed 's/\([0-9]\{7\}\)[0-9]*$/\1000/' | sort)" \
    "times (to 100 ns)"
expect_status 2 sft extract "$T/p.sft" -C "$T/x"
expect_text "$T/err" 'exists; --force overwrites'
echo changed >"$T/x/VFS/Hello.txt"
expect_status 0 sft extract --json "$T/p.sft" -C "$T/x" --force
expect_equal "$(json 'd["files"], d["bytes"]')" "(5, $((6 + 348894 + 200000 + 5)))"
diff -r "$src" "$T/x" || die "--force does not overwrite"
expect_status 0 sft extract "$T/p.sft" -C "$T/part" 'vfs/sub DIR' Empty
expect_equal "$(cd "$T/part" && find . -type f)" "./VFS/Sub dir/seq.txt"
[ -d "$T/part/Empty" ] || die "an empty directory was not made"
expect_status 2 sft extract "$T/p.sft"
expect_status 3 sft extract "$T/p.sft" -C "$T/nowhere/below"

step "extract does not leave its target"
mkdir "$T/outside" "$T/trap" "$T/trap2"
ln -s "$T/outside" "$T/trap/VFS"
expect_status 1 sft extract "$T/p.sft" -C "$T/trap" --force
expect_text "$T/err" 'VFS: not a directory but a link'
expect_equal "$(ls -A "$T/outside")" "" "files outside"
mkdir "$T/trap2/VFS"
echo mine >"$T/outside/file"
ln -s "$T/outside/file" "$T/trap2/VFS/Hello.txt"
expect_status 2 sft extract "$T/p.sft" -C "$T/trap2"
expect_status 0 sft extract "$T/p.sft" -C "$T/trap2" --force
expect_equal "$(cat "$T/outside/file")" mine "the file behind a link"
[ ! -L "$T/trap2/VFS/Hello.txt" ] || die "the link is still there"
expect_equal "$(find "$T/trap" "$T/trap2" "$T/x" -name '.sft-extract*')" "" "temporary files"

step "verify: all good"
expect_status 0 sft verify "$T/p.sft"
expect_text "$T/out" 'all good$'
expect_status 0 sft verify --json -j 2 "$T/p.sft"
expect_equal "$(json 'd["ok"], d["bad_blocks"]')" "(True, [])"

# spoil FILE OFFSET: one byte becomes another one
spoil() {
    python3 -c 'import sys
f = open(sys.argv[1], "r+b"); f.seek(int(sys.argv[2])); c = f.read(1)[0]
f.seek(int(sys.argv[2])); f.write(bytes([c ^ 0x55]))' "$1" "$2"
}

step "verify names a bad block and the files in it"
cp "$T/p.sft" "$T/bad.sft"
size=$(stat -c %s "$T/bad.sft")
expect_status 0 sft info --json "$T/p.sft"
first=$(json 'd["metadata_bytes"]')
# In the middle of the incompressible file, wherever its blocks are.
at=$(python3 -c 'import sys
d = open(sys.argv[1], "rb").read(); b = open(sys.argv[2], "rb").read()
print(d.index(b[100000:100064]))' "$T/p.sft" "$src/VFS/big.bin")
spoil "$T/bad.sft" "$at"
expect_status 5 sft verify "$T/bad.sft"
expect_text "$T/out" '^block [0-9]+ .*block-hash'
expect_text "$T/out" '^  file VFS/big\.bin$'
expect_text "$T/out" ': 1 bad blocks, 1 files affected$'
expect_status 5 sft verify --json "$T/bad.sft"
expect_equal "$(json 'd["ok"], [(b["kind"], b["files"]) for b in d["bad_blocks"]]')" \
    "(False, [('block-hash', ['VFS/big.bin'])])"
expect_status 5 sft cat "$T/bad.sft" VFS/big.bin
expect_status 0 sft cat "$T/bad.sft" VFS/Hello.txt
expect_status 5 sft extract "$T/bad.sft" -C "$T/y"
[ ! -e "$T/y/VFS/big.bin" ] || die "a damaged file was extracted"
cp "$T/p.sft" "$T/all-bad.sft"
python3 -c 'import sys
f = open(sys.argv[1], "r+b"); f.seek(int(sys.argv[2])); n = int(sys.argv[3]) - int(sys.argv[2])
f.write(bytes(n))' "$T/all-bad.sft" "$first" "$size"
expect_status 5 sft verify --json "$T/all-bad.sft"
expect_equal "$(json 'len(d["bad_blocks"]) == d["blocks"], d["files_affected"]')" "(True, 4)"

step "verify: metadata, length"
cp "$T/p.sft" "$T/meta.sft"
spoil "$T/meta.sft" $((first / 2))
expect_status 5 sft verify --json "$T/meta.sft"
expect_equal "$(json 'd["error"]["exit_code"]')" 5
for n in 0 1 100 $((first - 1)) $((first + 10)) $((size - 1)); do
    head -c "$n" "$T/p.sft" >"$T/short.sft"
    case $n in
    1) want=4 ;; # could be the beginning of anything
    *) want=5 ;;
    esac
    expect_status "$want" sft verify "$T/short.sft"
done
{ cat "$T/p.sft"; echo more; } >"$T/long.sft"
expect_status 5 sft verify --json "$T/long.sft"
expect_equal "$(json 'd["error"]["kind"], d["error"]["section"]')" "('corrupt', 'SMFF')"

step "files that are no packages, or of another layout"
echo 'just text' >"$T/text"
expect_status 4 sft info "$T/text"
expect_status 4 sft info --json "$T/text"
expect_equal "$(json 'd["error"]["kind"]')" not-a-package
python3 -c 'import struct,sys
sys.stdout.buffer.write(b"SMFF" + struct.pack("<II", 4, 4096) + bytes(5000))' >"$T/foreign.sft"
expect_status 4 sft info --json "$T/foreign.sft"
expect_equal "$(json 'd["error"]["kind"]')" foreign-layout
expect_text "$T/err" 'info --sections'
expect_status 0 sft info --sections "$T/foreign.sft"
expect_text "$T/out" SMFF
expect_status 3 sft info "$T/no-such.sft"
expect_text "$T/err" "^sft: $T/no-such\.sft: .*No such file"
expect_status 4 sft info "gopher://127.0.0.1/x"

step "messages show no secrets"
expect_status 2 sft info --json "http://me:secret@127.0.0.1:1/p.sft?token=secret"
grep -q secret "$T/out" "$T/err" && die "a password is shown"

step "an empty package"
mkdir "$T/none" "$T/hollow"
: >"$T/hollow/file"
for d in none hollow; do
    pack "$T/$d" "$T/$d.sft"
    expect_status 0 sft verify "$T/$d.sft"
    expect_status 0 sft info "$T/$d.sft"
    expect_text "$T/out" '^Stored: +0 bytes'
    grep -q '%' "$T/out" && die "a share of nothing is shown"
done

step "places that cannot be"
expect_status 2 sft info http://127.0.0.1:65536/p.sft
expect_text "$T/err" 'port'
expect_status 3 sft info '\\server\share\p.sft'
expect_text "$T/err" 'unc_map'

step "usage"
if [ -c /dev/full ]; then
    sft --version >/dev/full 2>"$T/err" && die "writing to /dev/full succeeds"
    expect_text "$T/err" 'version: No space'
fi
expect_status 2 sft
expect_status 2 sft nonsense
expect_text "$T/err" nonsense
expect_status 2 sft ls --bogus "$T/p.sft"
expect_text "$T/err" "unknown option '--bogus'"
expect_status 2 sft ls "$T/p.sft" --io-timeout=never
expect_status 2 sft ls "$T/p.sft" --proxy=http://u:p@127.0.0.1:1
expect_text "$T/err" 'does not belong on a command line'
expect_status 0 sft --help
expect_text "$T/out" '^  verify '
exit 0
