#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# sft pack: the same input gives the same bytes, what is packed comes out again, upgrades keep
# blocks, and what cannot be packed is refused with a reason and without an output.
. "$(dirname "$0")/lib.sh"
requires python3

guid=12345678-1234-1234-1234-123456789ABC
SOURCE_DATE_EPOCH=1600000000
export SOURCE_DATE_EPOCH

src=$T/src
mkdir -p "$src/Program Files/App/data" "$src/Übung" "$src/empty dir"
printf 'one\n' >"$src/Program Files/App/Main.EXE"
seq 1 60000 >"$src/Program Files/App/data/numbers.txt"
cp "$src/Program Files/App/data/numbers.txt" "$src/copy.txt"
printf 'three\n' >"$src/Übung/Ärger Straße.txt"
: >"$src/empty"
head -c 300000 /dev/urandom >"$src/random.bin"
for n in 1 4095 4096 4097 16384 32767 32769 65535 65536 65537 131072; do
    yes "line of $n" | head -c "$n" >"$src/size-$n"
done
i=0
while [ $i -lt 300 ]; do
    echo "entry $i of many" >"$src/Übung/Entry $i"
    i=$((i + 1))
done

# field FILE NAME: a number or string of a JSON object
field() {
    python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$1" "$2"
}

# refused STATUS REGEX ARGUMENTS...: sft pack fails so, says so, and leaves nothing behind
refused() {
    rf_status=$1
    rf_text=$2
    shift 2
    mkdir "$T/refused"
    expect_status "$rf_status" sft pack "$@" -o "$T/refused/x.sft"
    expect_text "$T/err" "$rf_text"
    expect_equal "$(ls -A "$T/refused")" "" "left behind"
    rmdir "$T/refused"
}

step "same input, GUID and SOURCE_DATE_EPOCH: same bytes, whatever the number of threads"
mkdir "$T/a" "$T/b"
pack "$src" "$T/a/p.sft" --guid $guid -j 1
cp -a "$src" "$T/again"
pack "$T/again" "$T/b/p.sft" --guid "{$guid}" -j 7
cmp "$T/a/p.sft" "$T/b/p.sft" || die "the packages differ"
touch "$T/again/empty"
pack "$T/again" "$T/b/p.sft" --guid $guid --force
cmp "$T/a/p.sft" "$T/b/p.sft" || die "times are not limited by SOURCE_DATE_EPOCH"
echo changed >"$T/again/Program Files/App/Main.EXE"
pack "$T/again" "$T/b/changed.sft" --guid $guid --json
cmp -s "$T/a/p.sft" "$T/b/changed.sft" && die "a change does not show"

step "random package GUID unless one is given"
pack "$src" "$T/b/r1.sft" --json
cp "$T/pack.out" "$T/r1.json"
expect_equal "$(field "$T/r1.json" format)" sft
pack "$src" "$T/b/r2.sft" --json
[ "$(field "$T/r1.json" package_guid)" != "$(field "$T/pack.out" package_guid)" ] ||
    die "the same GUID twice"
[ "$(field "$T/r1.json" version_guid)" != "$(field "$T/pack.out" version_guid)" ] ||
    die "the same version GUID for two packages"

step "every codec and block size comes out as it went in"
for codec in none zlib bzip2 zstd; do
    for size in 4 16 32 64; do
        p=$T/rt.sft
        pack "$src" "$p" --guid $guid --codec $codec --block-size $size --force
        expect_status 0 sft verify "$p"
        expect_status 0 sft extract "$p" -C "$T/out.$codec.$size"
        diff -r "$src" "$T/out.$codec.$size" || die "$codec, $size KiB: trees differ"
        rm -rf "$T/out.$codec.$size"
    done
done

step "an empty directory is a package"
mkdir "$T/nothing"
pack "$T/nothing" "$T/nothing.sft"
expect_status 0 sft verify "$T/nothing.sft"

step "identical files are stored once"
pack "$src" "$T/dup.sft" --json
expect_equal "$(field "$T/pack.out" duplicate_files)" 1 "duplicate files"

step "content below a root directory"
pack "$src" "$T/root.sft" --root-name SAMPLE.V1
expect_status 0 sft ls "$T/root.sft"
expect_text "$T/out" 'SAMPLE\.V1'
expect_status 0 sft cat "$T/root.sft" 'sample.v1\program files\app\main.exe'
expect_equal "$(cat "$T/out")" one "content below the root"

step "excluded files are left out"
pack "$src" "$T/some.sft" --exclude 'size-*' --exclude 'PROGRAM FILES\app\data'
expect_status 0 sft extract "$T/some.sft" -C "$T/some"
[ -e "$T/some/random.bin" ] || die "too much is left out"
[ ! -e "$T/some/size-1" ] || die "a pattern without slash does not match"
[ ! -e "$T/some/Program Files/App/data" ] || die "a directory is not left out"

step "the output inside the packed directory is not packed"
cp -a "$src" "$T/self"
pack "$T/self" "$T/self/out.sft" --guid $guid
pack "$T/self" "$T/self/out.sft" --guid $guid --force --json
expect_equal "$(field "$T/pack.out" file_bytes)" "$(find "$src" -type f -printf '%s\n' |
    awk '{ n += $1 } END { print n }')" "bytes packed"

step "launch set: first, contiguous, in any spelling"
cat >"$T/launch" <<'LIST'
# what a start needs
\Program Files\App\MAIN.EXE

random.bin
/Übung/entry 7
LIST
pack "$src" "$T/launch.sft" --launch-list "$T/launch"
expect_status 0 sft info --json "$T/launch.sft"
python3 - "$T/out" <<'PY' || die "launch set is not the first run of blocks"
import json, sys
runs = json.load(open(sys.argv[1]))["launch_runs"]
assert len(runs) == 1 and runs[0]["first"] == 0, runs
assert runs[0]["count"] == 6, runs       # 300000 bytes are 5 blocks; one more for the small ones
PY
printf 'random.bin\nno such file\n' >"$T/launch"
refused 3 'launch: line 2: .no such file. is not in the package' "$src" --launch-list "$T/launch"

step "upgrade: GUID, block size and history are kept, unchanged files keep their blocks"
cp -a "$src" "$T/v2"
rm "$T/v2/size-65537"
seq 5 5 90000 >"$T/v2/new.txt"
mv "$T/v2/random.bin" "$T/v2/moved.bin"
pack "$src" "$T/v1.sft" --guid $guid --block-size 32 --codec zlib --name Sample
pack "$T/v2" "$T/v2.sft" --upgrade "$T/v1.sft" --json
cp "$T/pack.out" "$T/v2.json"
expect_equal "$(field "$T/v2.json" package_guid)" $guid "package GUID"
expect_equal "$(field "$T/v2.json" version_number)" 2 "version number"
expect_equal "$(field "$T/v2.json" block_size)" 32768 "block size"
expect_equal "$(field "$T/v2.json" name)" Sample "name"
new=$(($(field "$T/v2.json" blocks) - $(field "$T/v2.json" kept_blocks)))
bytes=$(stat -c %s "$T/v2/new.txt")
expect_equal $new $(((bytes + 32767) / 32768)) "new blocks"
expect_status 0 sft verify "$T/v2.sft"
expect_status 0 sft extract "$T/v2.sft" -C "$T/v2.out"
diff -r "$T/v2" "$T/v2.out" || die "trees differ"
# Stored bytes of the old blocks are in the new file, in one piece: all but the last kept one.
python3 - "$T/v1.sft" "$T/v2.sft" <<'PY' || die "old blocks are not there in their stored form"
import sys
old, new = (open(f, "rb").read() for f in sys.argv[1:])
half = len(old) // 2                     # in the middle of the random bytes and what lies around
assert old[half:half + 20000] in new
PY
pack "$T/v2" "$T/v3.sft" --upgrade "$T/v2.sft" --json
expect_equal "$(field "$T/pack.out" version_number)" 3 "version number"
expect_equal "$(field "$T/pack.out" blocks)" "$(field "$T/pack.out" kept_blocks)" "kept blocks"
refused 2 'keeps the block size, which is 32 KiB' "$T/v2" --upgrade "$T/v1.sft" --block-size 64
refused 2 'must be above 2' "$T/v2" --upgrade "$T/v2.sft" --version-number 2
refused 2 'guid' "$T/v2" --upgrade "$T/v2.sft" --guid $guid
refused 4 '' "$T/v2" --upgrade "$src/random.bin"
refused 3 '' "$T/v2" --upgrade "$T/missing.sft"

step "OSD, icon and manifest"
mkdir "$T/docs"
pack "$src" "$T/docs/Sample.sft" --guid $guid --osd 'program files/app/main.exe=My Program' \
    --href http://server/Sample.sft --manifest
expect_text "$T/docs/My Program.osd" 'HREF="http://server/Sample.sft"'
expect_text "$T/docs/My Program.osd" "GUID=\"$guid\""
expect_text "$T/docs/My Program.osd" 'FILENAME="Program Files\\App\\Main.EXE"'
expect_text "$T/docs/My Program.osd" "SIZE=\"$(stat -c %s "$T/docs/Sample.sft")\""
expect_text "$T/docs/Sample_manifest.xml" 'My Program\.osd'
[ -s "$T/docs/Sample Icons/My Program.ico" ] || die "no icon"
refused 3 'not a file of the package' "$src" --osd nothing.exe
refused 2 'no effect without --osd' "$src" --href http://server/

step "an existing output is kept unless --force is given"
echo precious >"$T/have.sft"
expect_status 2 sft pack "$src" -o "$T/have.sft"
expect_text "$T/err" 'exists already; --force replaces it'
expect_equal "$(cat "$T/have.sft")" precious "existing output"
pack "$src" "$T/have.sft" --force
expect_status 0 sft verify "$T/have.sft"
ls -A "$T" | grep -q '^\.have' && die "a temporary file is left"

step "names that differ only in case"
mkdir "$T/case"
echo a >"$T/case/File.txt"
echo b >"$T/case/file.TXT"
refused 2 'File\.txt and file\.TXT differ only in case; --case-sensitive|file\.TXT and File' \
    "$T/case"
pack "$T/case" "$T/case.sft" --case-sensitive
expect_status 0 sft extract "$T/case.sft" -C "$T/case.out"
diff -r "$T/case" "$T/case.out" || die "trees differ"

step "links and special files are skipped and counted, or refused"
mkdir "$T/special"
echo a >"$T/special/file"
ln -s file "$T/special/link"
ln -s / "$T/special/dirlink"
mkfifo "$T/special/fifo"
pack "$T/special" "$T/special.sft"
expect_text "$T/pack.out" '^sft: link: skipped'
expect_text "$T/pack.out" '^3 links and special files skipped'
expect_status 0 sft ls "$T/special.sft"
grep -q link "$T/out" && die "a link is in the package"
refused 2 'not a file or directory' "$T/special" --strict

step "flags: given by pattern, and the DOS attributes that Wine keeps"
mkdir -p "$T/flags/hidden dir"
for name in settings.ini shared.dat plain.txt readonly.txt "hidden dir/x"; do
    echo "$name" >"$T/flags/$name"
done
chmod a-w "$T/flags/readonly.txt"
xattr=yes
python3 -c 'import os, sys; os.setxattr(sys.argv[1], "user.DOSATTRIB", b"0x12")' \
    "$T/flags/hidden dir" 2>/dev/null || xattr=no
pack "$T/flags" "$T/flags.sft" --user-data '*.INI' --override 'settings.*' --app-data shared.dat
expect_status 0 sft ls -l "$T/flags.sft"
expect_text "$T/out" '^-u-o--- .* settings\.ini$'
expect_text "$T/out" '^--a---- .* shared\.dat$'
expect_text "$T/out" '^------- .* plain\.txt$'
expect_text "$T/out" '^----r-- .* readonly\.txt$'
if [ $xattr = yes ]; then
    expect_text "$T/out" '^d----h- .* hidden dir'
else
    echo "   (DOS attributes not tried: no extended attributes here)"
fi
# An upgrade keeps what was set for the files that are there again.
pack "$T/flags" "$T/flags2.sft" --upgrade "$T/flags.sft"
expect_status 0 sft ls -l "$T/flags2.sft"
expect_text "$T/out" '^-u-o--- .* settings\.ini$'

step "names that a package cannot hold"
mkdir "$T/names"
: >"$T/names/back\\slash"
refused 2 'back.slash' "$T/names"
rm "$T/names/back\\slash"
: >"$T/names/$(printf 'bad\377utf')"
refused 2 'bad' "$T/names"

step "bad option values"
refused 2 "control character U\\+000A; give another with --name" "$src" --name "two
lines"
expect_status 2 sft pack "$src" -o "$T/two
lines.sft"
expect_text "$T/err" 'give another with --name'
expect_status 2 sft pack "$src" -o -
expect_text "$T/err" 'standard output'
refused 2 'block-size' "$src" --block-size 8
refused 2 'block-size' "$src" --block-size 64K
refused 2 'codec' "$src" --codec lzma
refused 2 'level' "$src" --codec zlib --level 100
refused 2 'level' "$src" --codec none --level 1
refused 2 'GUID' "$src" --guid 1234
refused 2 'GUID' "$src" --guid 00000000-0000-0000-0000-000000000000
refused 2 'progress' "$src" --progress sometimes
refused 2 'one directory' "$src" "$src"
refused 3 'No such file' "$T/missing"
refused 1 'Not a directory' "$src/empty"
expect_status 2 sft pack "$src"
expect_text "$T/err" 'no output'
expect_status 3 sft pack "$src" -o "$T/no/such/dir/x.sft"

step "progress only where it is wanted"
sft pack "$src" -o "$T/pr.sft" --progress=always 2>"$T/err" >/dev/null || die "sft pack"
expect_text "$T/err" '[0-9]+%  .* of .*  packed'
sft pack "$src" -o "$T/pr.sft" --force 2>"$T/err" >/dev/null || die "sft pack"
[ ! -s "$T/err" ] || die "progress without a terminal"

step "a full disk is an error that says so, and leaves nothing"
if [ "$(id -u)" -eq 0 ] && unshare -m true 2>/dev/null; then
    mkdir "$T/full"
    # shellcheck disable=SC2016
    unshare -m --propagation private sh -c '
        mount -t tmpfs -o size=128k none "$2" || exit 99
        sft pack "$1" -o "$2/x.sft" 2>&1
        echo "status $?"
        ls -A "$2" | sed "s/^/left: /"' sh "$src" "$T/full" >"$T/out"
    expect_text "$T/out" 'x\.sft: the disk is full'
    expect_text "$T/out" '^status 1$'
    grep '^left' "$T/out" && die "something is left"
else
    echo "   (not tried: needs a mount namespace)"
fi

step "a file that changes meanwhile is an error"
# A fifo opened for the launch list holds the packer between its walk and its reading.
cp -a "$src" "$T/moving"
mkfifo "$T/hold"
sft pack "$T/moving" -o "$T/moving.sft" --launch-list "$T/hold" 2>"$T/err" >/dev/null &
packer=$!
exec 9>"$T/hold"
echo longer >>"$T/moving/random.bin"
exec 9>&-
wait $packer && die "a changed file was packed"
expect_text "$T/err" 'random\.bin: changed while it was being packed'
[ ! -e "$T/moving.sft" ] || die "there is an output"

step "an interrupted run leaves nothing"
mkdir "$T/int"
rm "$T/hold"
mkfifo "$T/hold"
sft pack "$src" -o "$T/int/x.sft" --launch-list "$T/hold" >"$T/out" 2>&1 &
packer=$!
exec 9>"$T/hold"
kill -TERM $packer
exec 9>&-
wait $packer && die "it went on"
expect_equal "$(ls -A "$T/int")" "" "left behind"
