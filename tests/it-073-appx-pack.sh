#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# sft pack writes MSIX and App-V 5 packages: unzip, sft and osslsigncode take them, everything that was packed
# comes back, the same input gives the same bytes, and what cannot be is said.
. "$(dirname "$0")/lib.sh"
requires sft python3 unzip cmp

src=$T/src
mkdir -p "$src/VFS/ProgramFilesX64/Try It" "$src/void/deep dir/inner" "$src/empty" "$src/Документы"
python3 - "$src" <<'PY' || die "cannot make the tree"
import os, random, sys
top = sys.argv[1] + '/'
random.seed(3)
def put(path, data):
    os.makedirs(os.path.dirname(top + path) or '.', exist_ok=True)
    with open(top + path, 'wb') as f:
        f.write(data)
put('empty.txt', b'')
put('a/b/c/also empty', b'')
put('Документы/文書 [1] 100%.txt', 'привет'.encode())
put('VFS/ProgramFilesX64/Try It/Program.exe', b'MZ' + bytes(5000))
put("x#y&z=;,@!$'()+^`{}~.dat", b'hello' * 1000)
put('100%41.txt', b'a percent sign and what looks like an escape')
put('numbers.txt', b''.join(b'%d\n' % i for i in range(300000)))
put('noise.bin', random.randbytes(1000000))
put('half.bin', random.randbytes(200000) + bytes(300000))
put('block.bin', bytes(65536))
put('more.bin', bytes(65537))
put('small.bin', random.randbytes(100))
put('文' * 85, b'the longest name')
put('deep/' * 70 + 'file.txt', b'deep')
for i in range(600):
    put('many/%d/file %d.txt' % (i % 7, i), b'%d\n' % i * (i % 50))
PY
find "$src" -exec touch -d '2024-05-01 12:34:56 UTC' {} +
msix=--publisher=CN=Sample

# same ARCHIVE PREFIX: unzip has the files of $src below PREFIX, and nothing else but documents
same() {
    unzip -tqq "$1" >"$T/unzip" 2>&1 || {
        cat "$T/unzip"
        die "unzip -t $1"
    }
    python3 - "$1" "$2" "$src" <<'PY' || die "$1 differs"
import os, sys, time, urllib.parse, zipfile
archive, prefix, top = sys.argv[1:]
own = ('AppxManifest.xml', 'AppxBlockMap.xml', '[Content_Types].xml', 'FilesystemMetadata.xml',
       'StreamMap.xml', 'Assets/Logo.png', 'Registry.dat')
seen = set()
z = zipfile.ZipFile(archive)
for i in z.infolist():
    assert all(33 <= c < 127 for c in i.orig_filename.encode()), i
    name = urllib.parse.unquote(i.filename)
    if name in own:
        continue
    assert name.startswith(prefix), name
    with open(os.path.join(top, name[len(prefix):]), 'rb') as f:
        assert f.read() == z.read(i), name
    assert i.date_time == (2024, 5, 1, 12, 34, 56), (name, i.date_time)
    seen.add(name[len(prefix):])
have = {os.path.relpath(os.path.join(d, f), top) for d, _, fs in os.walk(top) for f in fs}
assert seen == have, (seen ^ have)
assert [i.filename for i in z.infolist()[-3:]] == [
    'AppxManifest.xml', 'AppxBlockMap.xml', '[Content_Types].xml']
methods = {urllib.parse.unquote(i.filename)[len(prefix):]: i.compress_type for i in z.infolist()}
assert methods['noise.bin'] == methods['small.bin'] == methods['empty.txt'] == 0, methods
assert methods['numbers.txt'] == methods['block.bin'] == 8, methods
PY
}

step "msix: unzip, verify, extract"
pack "$src" "$T/x.msix" "$msix" --osd 'VFS/ProgramFilesX64/Try It/Program.exe=Try & see'
expect_text "$T/pack.out" 'directories without files are left out'
expect_text "$T/pack.out" 'Assets/Logo.png is added'
same "$T/x.msix" ''
expect_status 0 sft verify --no-signature "$T/x.msix"
expect_status 14 sft verify "$T/x.msix"
expect_status 0 sft extract "$T/x.msix" -C "$T/out.msix"
rm -r "$T/out.msix/Assets"
mkdir -p "$T/out.msix/void/deep dir/inner" "$T/out.msix/empty"
diff -r "$src" "$T/out.msix" || die "what was extracted differs"
expect_status 0 sft info --json "$T/x.msix"
python3 - "$T/out" <<'PY' || die "sft info"
import json, sys
d = json.load(open(sys.argv[1]))
assert d['format'] == 'appx' and d['details']['publisher'] == 'CN=Sample', d
assert d['details']['applications'][0]['display_name'] == 'Try & see', d
PY

step "appv: unzip, verify, extract, short names, launch set"
printf '%s\n' half.bin 'VFS/ProgramFilesX64' >"$T/list"
printf 'hive' >"$src/Registry.dat"
touch -d '2024-05-01 12:34:56 UTC' "$src/Registry.dat" "$src"
sft pack "$src" -o "$T/x.appv" --guid 01234567-89ab-cdef-0123-456789abcdef --launch-list "$T/list" \
    "$msix" --app-version 1.2.3.4 --json >"$T/out" 2>"$T/err" || die "sft pack: $(cat "$T/err")"
python3 - "$T/out" <<'PY' || die "--json"
import json, sys
d = json.load(open(sys.argv[1]))
assert d['format'] == 'appv' and d['package_version'] == '1.2.3.4', d
assert d['package_guid'] == '01234567-89AB-CDEF-0123-456789ABCDEF', d
PY
expect_text "$T/err" 'too deep'
rm "$src/Registry.dat"
touch -d '2024-05-01 12:34:56 UTC' "$src"
same "$T/x.appv" Root/
expect_equal "$(unzip -p "$T/x.appv" Registry.dat)" hive
expect_status 0 sft verify --no-signature "$T/x.appv"
expect_status 0 sft extract "$T/x.appv" -C "$T/out.appv"
diff -r "$src" "$T/out.appv" || die "what was extracted differs"
expect_status 0 sft cat "$T/x.appv" 'VFS/PROGRA~1/TRYIT~1/program.exe'
cmp "$T/out" "$src/VFS/ProgramFilesX64/Try It/Program.exe" || die "8.3 names"
expect_status 0 sft info --json "$T/x.appv"
python3 - "$T/out" <<'PY' || die "sft info"
import json, sys
d = json.load(open(sys.argv[1]))
assert d['launch_blocks'] == 8 + 1, d['launch_blocks']
assert d['package_guid'] == '01234567-89AB-CDEF-0123-456789ABCDEF', d
PY

step "of a recording only the blocks that were used are in the launch set"
sft pack "$src" -o "$T/r.sft" >/dev/null || die "sft pack"
if [ -c /dev/fuse ] && command -v sftfs >/dev/null; then
    mount_package "$T/r.sft" "$T/m" -o "record=$T/recording,autoload=never,fetch_ahead=0" \
        -o cache_dir=none
    dd if="$T/m/numbers.txt" bs=65536 skip=3 count=1 of=/dev/null 2>/dev/null
    unmount "$T/m"
    pack "$src" "$T/r.appv" --launch-list "$T/recording"
    unzip -p "$T/r.appv" StreamMap.xml >"$T/map"
    expect_text "$T/map" 'Name="Root\\numbers.txt"><Blocks Index="[0-9]*" Count="[0-9]*"/></File>'
    expect_status 0 sft verify --no-signature "$T/r.appv"
fi

step "mounts have the tree"
if [ -c /dev/fuse ] && command -v sftfs >/dev/null; then
    mount_package "$T/x.appv" "$T/m" -o case_sensitive
    diff -r "$src" "$T/m" || die "the mount of x.appv differs"
    unmount "$T/m"
    mount_package "$T/x.msix" "$T/m" -o case_sensitive
    cmp "$T/m/noise.bin" "$src/noise.bin" && cmp "$T/m/numbers.txt" "$src/numbers.txt" &&
        cmp "$T/m/Документы/文書 [1] 100%.txt" "$src/Документы/文書 [1] 100%.txt" ||
        die "the mount of x.msix differs"
    unmount "$T/m"
fi

step "the same input gives the same bytes, whatever the threads"
for jobs in 1 2 7; do
    sft pack "$src" -o "$T/$jobs.msix" "$msix" -j $jobs -q --name Same || die "sft pack -j $jobs"
    sft pack "$src" -o "$T/$jobs.appv" -j $jobs -q --name Same --launch-list "$T/list" \
        --guid 01234567-89ab-cdef-0123-456789abcdef || die "sft pack -j $jobs"
done
for other in 2 7; do
    cmp "$T/1.msix" "$T/$other.msix" || die "-j 1 and -j $other: other bytes"
    cmp "$T/1.appv" "$T/$other.appv" || die "-j 1 and -j $other: other bytes"
done
sleep 1.1 # the clock must not be in it
sft pack "$src" -o "$T/again.msix" "$msix" -q --name Same
cmp "$T/1.msix" "$T/again.msix" || die "a second later: other bytes"
sft pack "$src" -o "$T/other.appv" -q --name Same --guid 01234567-89ab-cdef-0123-456789abcdef
guid() {
    sft info --json "$1" | python3 -c 'import json, sys; print(json.load(sys.stdin)["version_guid"])'
}
[ "$(guid "$T/1.appv")" != "$(guid "$T/other.appv")" ] || die "other content, the same version"
SOURCE_DATE_EPOCH=1600000000 sft pack "$src" -o "$T/epoch.msix" "$msix" -q
expect_equal "$(python3 -c 'import sys, zipfile
print({i.date_time for i in zipfile.ZipFile(sys.argv[1]).infolist()})' "$T/epoch.msix")" \
    "{(2020, 9, 13, 12, 26, 40)}"

step "levels, and no compression"
sft pack "$src" -o "$T/l1.msix" "$msix" -q -l 1 && sft pack "$src" -o "$T/l9.msix" "$msix" -q -l 9 &&
    sft pack "$src" -o "$T/none.msix" "$msix" -q -c none || die "sft pack"
expect_equal "$(python3 -c 'import os, sys
a, b, c = (os.path.getsize(p) for p in sys.argv[1:])
print(a < b < c)' "$T/l9.msix" "$T/l1.msix" "$T/none.msix")" True
expect_status 0 sft verify --no-signature "$T/none.msix"
unzip -tqq "$T/none.msix" || die "unzip -t none.msix"

step "a manifest in the tree is used, files of another package are left out"
cp -r "$src" "$T/own"
unzip -p "$T/x.msix" AppxManifest.xml | sed 's/Version="1.0.0.0"/Version="7.7.7.7"/' >"$T/own/AppxManifest.xml"
mkdir "$T/own/AppxMetadata"
touch "$T/own/AppxBlockMap.xml" "$T/own/AppxSignature.p7x" "$T/own/[Content_Types].xml" \
    "$T/own/AppxMetadata/CodeIntegrity.cat"
pack "$T/own" "$T/own.appx"
for name in AppxBlockMap.xml AppxSignature.p7x '\[Content_Types\].xml' AppxMetadata/CodeIntegrity.cat; do
    expect_text "$T/pack.out" "$name is left out"
done
unzip -p "$T/own.appx" AppxManifest.xml | cmp - "$T/own/AppxManifest.xml" || die "another manifest"
expect_status 0 sft verify --no-signature "$T/own.appx"
expect_status 2 sft pack "$T/own" -o "$T/y.msix" "$msix"
expect_text "$T/err" 'have no effect'
echo '<Package/>' >"$T/own/AppxManifest.xml"
expect_status 10 sft pack "$T/own" -o "$T/y.msix"
expect_text "$T/err" 'AppxManifest.xml: .*Identity'
unzip -p "$T/x.appv" AppxManifest.xml >"$T/own/AppxManifest.xml"
expect_status 10 sft pack "$T/own" -o "$T/y.msix"
expect_text "$T/err" 'App-V'
[ ! -e "$T/y.msix" ] || die "a package was left"

step "what sft extract --metadata has written"
expect_status 0 sft extract --metadata "$T/x.msix" -C "$T/repack"
pack "$T/repack" "$T/repacked.msix"
expect_equal "$(unzip -p "$T/repacked.msix" AppxManifest.xml | sha256sum)" \
    "$(unzip -p "$T/x.msix" AppxManifest.xml | sha256sum)"
expect_status 0 sft extract --metadata "$T/x.appv" -C "$T/again.appv.d"
expect_status 2 sft pack "$T/again.appv.d" -o "$T/y.appv"
expect_text "$T/err" 'give .*/again.appv.d/Root, with Registry.dat'
mv "$T/again.appv.d/Registry.dat" "$T/again.appv.d/Root"
pack "$T/again.appv.d/Root" "$T/again.appv"
expect_equal "$(unzip -p "$T/again.appv" Registry.dat)" hive
cp "$T/repack/AppxManifest.xml" "$T/again.appv.d/Root"
pack "$T/again.appv.d/Root" "$T/again.appv" --force
expect_text "$T/pack.out" 'AppxManifest.xml is packed like any file'
expect_equal "$(sft cat "$T/again.appv" AppxManifest.xml | sha256sum)" \
    "$(sha256sum <"$T/repack/AppxManifest.xml")"

step "options that mean nothing to a format"
for options in "-b 16" "--guid 01234567-89ab-cdef-0123-456789abcdef" "--launch-list $T/list" "--manifest" \
    "--case-sensitive" "--no-short-names" "--root-name x" "--upgrade $T/r.sft" "-c zstd" "-l 10"; do
    # shellcheck disable=SC2086
    expect_status 2 sft pack "$src" -o "$T/y.msix" $msix $options
    expect_text "$T/err" 'msix|--level of'
done
for options in "--version-number 2" "--user-data x" "--logo x" "--href x" "--no-dictionary"; do
    # shellcheck disable=SC2086
    expect_status 2 sft pack "$src" -o "$T/y.appv" $options
    expect_text "$T/err" 'format appv'
done
for options in "--publisher CN=x" "--app-version 1.2.3.4" "--arch x86" "-c deflate"; do
    # shellcheck disable=SC2086
    expect_status 2 sft pack "$src" -o "$T/y.sft" $options
done
for options in "--app-version 1.2.3" "--app-version 1.2.3.70000" "--arch mips" "--format zip"; do
    # shellcheck disable=SC2086
    expect_status 2 sft pack "$src" -o "$T/y.msix" $msix $options
done
for name in y.msixbundle y.appxbundle; do
    expect_status 2 sft pack "$src" -o "$T/$name"
    expect_text "$T/err" 'bundles cannot be written'
done
expect_status 2 sft pack "$src" -o "$T/y.msix"
expect_text "$T/err" '--publisher'
for publisher in Sample CN= "CN=Sample, Ltd"; do
    expect_status 2 sft pack "$src" -o "$T/y.msix" --publisher "$publisher"
    expect_text "$T/err" 'not the subject of a certificate'
done
expect_status 3 sft pack "$src" -o "$T/y.msix" "$msix" --osd none.exe
expect_status 3 sft pack "$src" -o "$T/y.msix" "$msix" --logo none.png
expect_status 0 sft pack --format=appv "$src" -o "$T/format.bin"
expect_equal "$(sft info --json "$T/format.bin" | python3 -c 'import json, sys
print(json.load(sys.stdin)["format"])')" appv

step "links and names"
cp -r "$src" "$T/odd"
ln -s empty.txt "$T/odd/link"
pack "$T/odd" "$T/odd.msix" "$msix"
expect_text "$T/pack.out" 'link'
expect_status 2 sft pack "$T/odd" -o "$T/y.msix" "$msix" --strict
rm "$T/odd/link"
touch "$T/odd/C:" && expect_status 2 sft pack "$T/odd" -o "$T/y.msix" "$msix"
expect_text "$T/err" 'C:'
rm "$T/odd/C:"
touch "$T/odd/EMPTY.TXT" && expect_status 2 sft pack "$T/odd" -o "$T/y.msix" "$msix"
expect_text "$T/err" 'differ only in case'
pack "$T/odd" "$T/excluded.msix" "$msix" --exclude EMPTY.TXT --exclude 'many'
unzip -l "$T/excluded.msix" | grep -q many/ && die "--exclude"

step "an output that exists, a directory that cannot be written, a full disk"
cp "$T/x.msix" "$T/before"
expect_status 2 sft pack "$src" -o "$T/x.msix" "$msix"
cmp "$T/x.msix" "$T/before" || die "it was changed"
expect_status 0 sft pack "$src" -o "$T/x.msix" "$msix" --force
[ -f "$T/x.msix" ] || die "--force"
expect_equal "$(stat -c %a "$T/x.msix")" "$(touch "$T/plain" && stat -c %a "$T/plain")" "mode"
expect_status 3 sft pack "$src" -o "$T/none/y.msix" "$msix"
mkdir "$T/limited"
(
    ulimit -f 512 # blocks of 512 bytes or of a KiB
    trap '' XFSZ
    sft pack "$src" -o "$T/limited/y.msix" "$msix" >"$T/out" 2>"$T/err" </dev/null
) && die "a file larger than the limit"
[ -s "$T/err" ] || die "no message"
[ -z "$(ls -A "$T/limited")" ] || die "left behind: $(ls -A "$T/limited")"

step "more than 65535 files"
mkdir "$T/crowd"
python3 - "$T/crowd" <<'PY' || die "cannot make them"
import os, sys
for d in range(70):
    os.mkdir('%s/%d' % (sys.argv[1], d))
    for i in range(1000):
        with open('%s/%d/%d' % (sys.argv[1], d, i), 'w') as f:
            f.write('%d' % i)
PY
pack "$T/crowd" "$T/crowd.appv" "$msix"
unzip -tqq "$T/crowd.appv" || die "unzip -t"
expect_status 0 sft verify --no-signature "$T/crowd.appv"
expect_status 0 sft info --json "$T/crowd.appv"
expect_equal "$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["files"])' "$T/out")" 70000
rm -r "$T/crowd"

step "a file of more than 4 GiB"
mkdir "$T/huge"
truncate -s 4300000000 "$T/huge/zeros.bin"
printf end >"$T/huge/zzz.txt"
pack "$T/huge" "$T/huge.msix" "$msix" -l 1
expect_status 0 sft verify --no-signature "$T/huge.msix"
unzip -l "$T/huge.msix" >"$T/out" || die "unzip -l"
expect_text "$T/out" '4300000000 .*zeros.bin'
expect_equal "$(unzip -p "$T/huge.msix" zzz.txt)" end
rm -r "$T/huge"

if ! command -v osslsigncode >/dev/null || ! command -v openssl >/dev/null; then
    echo "not tested: signing, no osslsigncode"
    exit 0
fi
step "osslsigncode signs it, and sft verify believes that"
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$T/key" -out "$T/cert" -subj /CN=Sample -days 30 \
    -addext extendedKeyUsage=codeSigning >"$T/out" 2>&1 || die "openssl: $(cat "$T/out")"
for name in x.msix x.appv none.msix; do # not crowd.appv: osslsigncode 2.9 counts in 16 bits
    rm -f "$T/signed"
    case $name in
    *.msix) as=$T/signed.msix ;;
    *) as=$T/signed.appv ;;
    esac
    rm -f "$as"
    osslsigncode sign -h sha256 -certs "$T/cert" -key "$T/key" -in "$T/$name" -out "$as" >"$T/out" 2>&1 ||
        die "osslsigncode $name: $(cat "$T/out")"
    expect_status 0 sft verify --ca "$T/cert" "$as"
    unzip -tqq "$as" || die "unzip -t, signed"
done
exit 0
