#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# AppX, MSIX and App-V 5 packages in real mounts: every form that writers give them, from a file and from a
# web server, from the disk cache with no server, with an overlay; what is wrong is refused or an I/O
# error. tests/make-appx.py writes them. Where real packages are at hand (SFTFS_SAMPLES or
# ../shared/samples), each file of theirs is compared with what unzip gives.
. "$(dirname "$0")/lib.sh"
need_fuse
requires sft python3 unzip

src=$T/src
mkdir -p "$src/VFS/ProgramFilesX64/Try It" "$src/empty/deep" "$src/Данные"
echo hello >"$src/VFS/ProgramFilesX64/Try It/Read Me [1] 100%.txt"
: >"$src/VFS/nothing.txt"
seq 200000 >"$src/VFS/ProgramFilesX64/Try It/numbers.txt"
python3 -c 'import random,sys
random.seed(7); sys.stdout.buffer.write(random.randbytes(200000))' >"$src/VFS/noise.bin"
head -c 65536 /dev/zero >"$src/VFS/block.bin"
printf 'caf\303\251' >"$src/Данные/文書.txt"
# The longest name, of three bytes each.
python3 -c 'import sys; open(sys.argv[1] + "/" + "\u6587" * 85, "w").write("long")' "$src/VFS"
m=$T/mnt

# appx OUT [OPTION]...
appx() {
    out=$1
    shift
    python3 "$SFTFS_SRC/tests/make-appx.py" "$src" "$out" "$@" || die "make-appx $*"
}

# same: the mount has the files of $src, and no others
same() {
    (cd "$src" && find . -type f | sort | while read -r f; do sha256sum "$f"; done) >"$T/want"
    (cd "$m" && find . -type f | sort | while read -r f; do sha256sum "$f"; done) >"$T/have"
    cmp -s "$T/want" "$T/have" || {
        diff "$T/want" "$T/have" | head -5
        die "$1: the files differ"
    }
}

step "packages of every form"
n=0
while read -r options; do
    n=$((n + 1))
    # shellcheck disable=SC2086
    appx "$T/$n.msix" $options
    mount_package "$T/$n.msix" "$m" -o case_sensitive
    same "make-appx $options"
    unmount "$m"
    # What readers of archives do not mind, but Windows does.
    case $options in
    *prefix* | *sizes* | --continuous) expect_status 15 sft verify --no-signature "$T/$n.msix" ;;
    *) expect_status 0 sft verify --no-signature "$T/$n.msix" ;;
    esac
done <<END
--version 1.0.0.0
--zip32
--short-descriptors
--hash sha384
--hash sha512
--utf16
--utf16-bom
--store
--extra 17
--prefix 5000
--comment 65535
--zip32 --comment 40000 --prefix 70000 --store
--no-sizes
--wrong-sizes
--continuous
END

step "App-V: what is below Root, short names, empty directories, launch set"
appx "$T/p.appv" --appv --short 'Try It=TRYIT~1,numbers.txt=NUM~1.TXT' \
    --stream-map 'VFS/block.bin,VFS/ProgramFilesX64/Try It/numbers.txt:1:3'
mount_package "$T/p.appv" "$m"
same "App-V"
[ -d "$m/empty/deep" ] || die "a directory without files is missing"
for dir in . VFS empty/deep; do # of which the archive has no times
    expect_equal "$(stat -c %Y "$m/$dir")" 1735732800 "time of $dir"
done
cmp "$m/VFS/ProgramFilesX64/TRYIT~1/num~1.txt" \
    "$src/VFS/ProgramFilesX64/Try It/numbers.txt" || die "short names"
unmount "$m"
expect_status 0 sft info --json "$T/p.appv"
python3 - "$T/out" <<'PY' || die "sft info --json"
import json, sys
d = json.load(open(sys.argv[1]))
assert d['format'] == 'appv', d['format']
assert d['package_guid'] == '11111111-2222-3333-4444-555555555555', d
assert d['version_guid'] == '66666666-7777-8888-9999-AAAAAAAAAAAA', d
assert d['launch_blocks'] == 4, d['launch_blocks']
PY

step "over HTTP: few requests, then from the disk cache without a server"
mkdir "$T/www" "$T/cache"
appx "$T/continuous.msix" --continuous
expect_status 0 sft ls "$T/continuous.msix"
expect_equal "$(grep -c 'block map' "$T/err")" 1 # not a line for each of its files
cp "$T/p.appv" "$T/1.msix" "$T/continuous.msix" "$T/www/"
start_nginx "$T/www"
for name in p.appv 1.msix continuous.msix; do
    http_log_mark
    mount_package "$URL/$name" "$m" -o "cache_dir=$T/cache,autoload=never"
    [ "$(http_requests)" -le 3 ] || die "$(http_requests) requests to mount $name"
    expect_status 0 sft cache ls --cache-dir="$T/cache" --json
    python3 -c 'import json, sys
assert min(v["cached_blocks"] for v in json.load(open(sys.argv[1]))["versions"]) > 0' "$T/out" ||
        die "the blocks that came with the metadata were not kept"
    same "$name over HTTP"
    unmount "$m"
    stop_nginx
    mount_package "$URL/$name" "$m" -o "cache_dir=$T/cache,offline"
    same "$name from the cache"
    unmount "$m"
    resume_nginx
    expect_status 0 sft cache load --cache-dir "$T/cache" "$URL/$name"
    expect_status 0 sft cache verify --cache-dir "$T/cache"
done

step "out of the disk cache: as it was, or in part, and in again where there is no server"
sft cache export --help | grep -q partial || die "help"
for name in p.appv 1.msix continuous.msix; do
    expect_status 6 sft cache export --cache-dir "$T/cache" "$URL/$name" -o "$T/out.$name"
    expect_text "$T/err" 'load --whole'
    [ ! -e "$T/out.$name" ] || die "a package that is not whole came out"
    http_log_mark
    expect_status 0 sft cache load --whole --cache-dir "$T/cache" "$URL/$name"
    expect_status 0 sft cache load --whole --cache-dir "$T/cache" "$URL/$name" # once is enough
    # All of it, and what opening it twice takes.
    [ "$(http_bytes)" -lt $(($(stat -c %s "$T/www/$name") + 2 * 660000)) ] || die "$(http_bytes) bytes"
    expect_status 0 sft cache export --cache-dir "$T/cache" "$URL/$name" -o "$T/out.$name"
    cmp "$T/out.$name" "$T/www/$name" || die "another package came out"
    if sft cache export --partial --cache-dir "$T/cache" "$URL/$name" -o "$T/part.tar" --force 2>&1 |
        grep -q libarchive; then
        echo "not tested: archives, built without libarchive"
        continue
    fi
    expect_status 0 sft cache import --cache-dir "$T/cache2" "$T/part.tar"
    stop_nginx
    mount_package "$URL/$name" "$m" -o "cache_dir=$T/cache2,offline"
    same "$name, carried to another machine"
    unmount "$m"
    resume_nginx
done
expect_status 0 sft cache load --whole --cache-dir "$T/cache3" "$T/www/p.appv"
expect_status 0 sft cache export --cache-dir "$T/cache3" "$T/www/p.appv" -o "$T/out.file"
cmp "$T/out.file" "$T/www/p.appv" || die "another package came out of a file"

step "the launch set is fetched by itself"
mount_package "$URL/p.appv" "$m" -o "cache_dir=$T/cache-launch,autoload=launch"
launch_is_there() {
    sft cache ls --json --cache-dir="$T/cache-launch" >"$T/out" 2>"$T/err" && python3 -c 'import json, sys
v = json.load(open(sys.argv[1]))["versions"][0]
sys.exit(not v["launch_cached_blocks"] == v["launch_blocks"] == 4)' "$T/out" 2>"$T/err"
}
wait_for 30 launch_is_there || die "the launch set does not come: $(cat "$T/out")"
unmount "$m"

step "with an overlay"
mount_package "$T/p.appv" "$m" -o "overlay=$T/overlay"
echo more >>"$m/VFS/ProgramFilesX64/Try It/numbers.txt" || die "cannot append"
rm "$m/VFS/noise.bin" || die "cannot remove"
mv "$m/VFS/block.bin" "$m/empty/deep/moved.bin" || die "cannot move"
unmount "$m"
mount_package "$T/p.appv" "$m" -o "overlay=$T/overlay"
expect_equal "$(tail -n 1 "$m/VFS/ProgramFilesX64/Try It/numbers.txt")" more
expect_equal "$(head -n 200000 "$m/VFS/ProgramFilesX64/Try It/numbers.txt" | sha256sum)" \
    "$(sha256sum <"$src/VFS/ProgramFilesX64/Try It/numbers.txt")"
cmp "$m/empty/deep/moved.bin" "$src/VFS/block.bin" || die "the moved file"
[ ! -e "$m/VFS/noise.bin" ] || die "the removed file is back"
unmount "$m"

step "a block that is not what the map says"
appx "$T/wrong.msix" --wrong VFS/noise.bin
mount_package "$T/wrong.msix" "$m"
cat "$m/VFS/noise.bin" >"$T/got" 2>/dev/null && die "a wrong block was read"
cmp "$m/VFS/block.bin" "$src/VFS/block.bin" || die "the other files"
unmount "$m"
mount_package "$T/wrong.msix" "$m" -o verify=off
cmp "$m/VFS/noise.bin" "$src/VFS/noise.bin" || die "verify=off"
unmount "$m"
timeout 20 sftfs "$T/wrong.msix" "$m" -o verify=maybe 2>"$T/err" && die "verify=maybe"
expect_status 5 sft verify "$T/wrong.msix"
expect_text "$T/out" 'noise.bin|block'

step "a file that is compressed as a whole, and damaged in its middle"
python3 - "$T/continuous.msix" "$T/damaged.msix" <<'PY' || die "cannot damage it"
import sys, zipfile
data = bytearray(open(sys.argv[1], 'rb').read())
i = next(i for i in zipfile.ZipFile(sys.argv[1]).infolist() if i.filename.endswith('numbers.txt'))
at = i.header_offset + i.compress_size // 2
data[at:at + 8] = b'\xff' * 8
open(sys.argv[2], 'wb').write(data)
PY
mount_package "$T/damaged.msix" "$m"
cat "$m/VFS/ProgramFilesX64/Try It/numbers.txt" >"$T/got" 2>/dev/null && die "damaged data was read"
cmp -n 65536 "$m/VFS/ProgramFilesX64/Try It/numbers.txt" \
    "$src/VFS/ProgramFilesX64/Try It/numbers.txt" || die "what is before the damage"
cmp "$m/VFS/noise.bin" "$src/VFS/noise.bin" || die "the other files"
unmount "$m"
expect_status 5 sft verify --no-signature "$T/damaged.msix"
expect_text "$T/out" 'numbers.txt'

step "what cannot be mounted"
head -c 100000 "$T/1.msix" >"$T/cut.msix"
for command in "sft verify $T/cut.msix" "sftfs $T/cut.msix $m"; do
    # shellcheck disable=SC2086
    expect_status 5 $command
    expect_text "$T/err" "cut.msix: .* is the file whole"
done

head -c 5000 /dev/urandom >"$T/www/secret.eMSIX"
expect_status 4 sft info "$T/www/secret.eMSIX"
expect_text "$T/err" 'secret.eMSIX: an encrypted package'
# shellcheck disable=SC2086
timeout 20 sftfs "$URL/secret.eMSIX?x=1" "$m" $UNCACHED 2>"$T/err" && die "an encrypted package was mounted"
expect_text "$T/err" 'an encrypted package'

step "hostile archives: claims that take no memory and no time"
python3 - "$T" <<'PY' || die "cannot write them"
import struct, sys, zlib
top = sys.argv[1]
def archive(name, entries, count=None):
    body, central = b'', b''
    for path, method, data, size in entries:
        at = len(body)
        path = path.encode()
        crc = zlib.crc32(data)
        head = struct.pack('<HHHIIIIHH', 45, 0, method, 0, crc, len(data), size & 0xffffffff, len(path), 0)
        body += b'PK\3\4' + head + path + data
        big = struct.pack('<HHQ', 1, 8, size) if size >= 0xffffffff else b''
        central += (b'PK\1\2' + struct.pack('<HHHHIIIIHHHHHII', 45, 45, 0, method, 0, crc, len(data),
                    min(size, 0xffffffff), len(path), len(big), 0, 0, 0, 0, at) + path + big)
    n = len(entries) if count is None else count
    end = b'PK\5\6' + struct.pack('<HHHHIIH', 0, 0, n, n, len(central), len(body), 0)
    open(top + '/' + name, 'wb').write(body + central + end)
bomb = zlib.compress(bytes(10 << 20), 9)[2:-4]
archive('claim.msix', [('AppxManifest.xml', 8, bomb, 10 << 30), ('AppxBlockMap.xml', 8, bomb, 10 << 30)])
archive('bomb.msix', [('AppxManifest.xml', 8, b'\3\0', 0), ('AppxBlockMap.xml', 8, bomb, 10 << 20)])
archive('twice.msix', [('AppxManifest.xml', 0, b'x', 1), ('AppxManifest.xml', 0, b'x', 1)])
archive('empty.msix', [])
PY
limit="ulimit -v 400000"
(ulimit -v 400000; sft --version >"$T/out" 2>&1) || limit=: # AddressSanitizer maps terabytes
for bad in claim bomb twice empty; do
    ($limit; timeout 20 sft info "$T/$bad.msix" >"$T/out" 2>&1)
    status=$?
    [ $status -gt 0 ] && [ $status -lt 100 ] || {
        cat "$T/out"
        die "$bad.msix: exit status $status"
    }
done

step "the container's own files, when asked for"
mount_package "$T/p.appv" "$m" -o metadata
expect_equal "$(cd "$m" && echo *)" "AppxManifest.xml FilesystemMetadata.xml Root StreamMap.xml"
cmp "$m/Root/VFS/block.bin" "$src/VFS/block.bin" || die "Root/VFS/block.bin"
expect_text "$m/AppxManifest.xml" PackageId
unmount "$m"
expect_status 3 sft cat "$T/p.appv" appxmanifest.xml
expect_text "$T/err" 'package; --metadata shows'
expect_status 0 sft cat --metadata "$T/p.appv" appxmanifest.xml
expect_status 3 sft cat "$T/p.appv" other.xml
grep -q metadata "$T/err" && die "a hint that leads nowhere"
expect_status 0 sft ls -l --metadata "$T/p.appv" # a ZIP archive says no times of directories
expect_text "$T/out" '^d------ +0  2025-01-01T12:00:00Z  Root/$'

step "sections: what the archive is, and nothing of what is packed"
echo "a secret of the packaged program" >"$src/secret.txt"
appx "$T/secret.appv" --appv --store
rm "$src/secret.txt"
expect_status 0 sft info --sections "$T/secret.appv"
expect_text "$T/out" '^format: appx$'
expect_text "$T/out" '^its directory: [0-9]+ entries, '
expect_text "$T/out" '^AppxManifest.xml: at [0-9]+, method [08], '
expect_text "$T/out" '^AppxSignature.p7x: none$'
expect_text "$T/out" '^other entries: [1-9][0-9]* stored, 0 deflated, '
grep -q secret "$T/out" && die "what is packed is shown"
expect_status 0 sft info --sections --json "$T/secret.appv"
python3 -c 'import json, sys
assert any("other entries" in l for l in json.load(open(sys.argv[1]))["sections"])' "$T/out" || die "JSON"
expect_status 0 sft info --sections "$T/cut.msix"
expect_text "$T/out" '^its directory cannot be read: .* is the file whole'
printf '' >"$T/nothing"
expect_status 0 sft info --sections "$T/nothing"

step "what the manifest says"
appx "$T/app.msix" --executable 'VFS/ProgramFilesX64/Try It/numbers.txt' --publisher 'CN="A, B"'
expect_status 0 sft info --json "$T/app.msix"
python3 - "$T/out" <<'PY' || die "details"
import json, sys
d = json.load(open(sys.argv[1]))['details']
assert d['publisher'] == 'CN="A, B"', d
assert d['applications'][0]['executable'] == 'VFS/ProgramFilesX64/Try It/numbers.txt', d
PY
expect_status 0 sft info "$T/app.msix"
expect_text "$T/out" '^Package version: +1\.2\.3\.4$'
expect_text "$T/out" '^Has signature: +no$'
grep -q '^Version:' "$T/out" && die "a version number, which only SFT files have"

step "bundles: the package that fits, or that was asked for, as a range of the bundle"
src_before=$src
for arch in x64 x86 arm64; do
    src=$T/inner.$arch
    mkdir "$src"
    echo "for $arch" >"$src/which.txt"
    seq 30000 >"$src/numbers.txt"
    appx "$T/$arch.msix" --name "Try.$arch"
done
src=$T/inner.de
mkdir "$src"
echo Hallo >"$src/resources.txt"
appx "$T/language de.msix" --name Try --resource-id split.language-de
python3 "$SFTFS_SRC/tests/make-appx.py" --bundle "$T/www/all.msixbundle" \
    x64="$T/x64.msix" x86="$T/x86.msix" arm64="$T/arm64.msix" resource:split.language-de="$T/language de.msix" ||
    die "make-appx --bundle"
http_log_mark
# shellcheck disable=SC2086
mount_package "$URL/all.msixbundle" "$m" $UNCACHED
case $(uname -m) in x86_64) expect_equal "$(cat "$m/which.txt")" "for x64" ;; esac
unmount "$m"
for arch in x86 arm64; do
    # shellcheck disable=SC2086
    mount_package "$URL/all.msixbundle" "$m" $UNCACHED -o "arch=$arch"
    expect_equal "$(cat "$m/which.txt")" "for $arch"
    src=$T/inner.$arch
    same "the $arch package of a bundle"
    unmount "$m"
done
src=$src_before
expect_status 14 sft verify "$T/www/all.msixbundle"
expect_status 14 sft verify --arch=x86 "$T/www/all.msixbundle"
expect_text "$T/out" 'all.msixbundle: x86.msix: [0-9]+ blocks .* all good'
expect_status 14 sft verify --json --arch=x86 "$T/www/all.msixbundle"
python3 -c 'import json, sys
assert json.load(open(sys.argv[1]))["bundle_package"] == "x86.msix"' "$T/out" || die "bundle_package"
expect_status 3 sftfs "$T/www/all.msixbundle" "$m" -o arch=arm
expect_text "$T/err" 'no application for arm; it has: x64, x86, arm64'
expect_status 2 sftfs "$T/www/all.msixbundle" "$m" -o arch=mips
expect_status 2 sft ls --arch=mips "$T/www/all.msixbundle"
expect_text "$T/err" "not 'mips'"
for arch in x64 x86; do # each a version of its own in the disk cache, which knows which is which
    expect_status 0 sft cache load --cache-dir "$T/cache4" --arch=$arch "$URL/all.msixbundle"
done
expect_status 0 sft cache verify --cache-dir "$T/cache4"
expect_text "$T/out" '^Try.x86, version 1.* blocks checked$'
expect_text "$T/out" '^Try.x64, version 1.* blocks checked$'
if sft cache export --partial --cache-dir "$T/cache4" Try.x86 -o "$T/x86.tar" 2>"$T/err"; then
    expect_status 0 sft cache import --cache-dir "$T/cache5" "$T/x86.tar"
    expect_status 0 sft cache verify --cache-dir "$T/cache5"
    expect_text "$T/out" '^Try.x86, version 1.* blocks checked$'
fi
# Nor does asking for one of them make the other one unreadable there.
for arch in x86 x64 x86; do
    mount_package "$URL/all.msixbundle" "$m" -o "arch=$arch,cache_dir=$T/cache4"
    expect_equal "$(cat "$m/which.txt")" "for $arch"
    [ ! -s "$T/mount.out" ] || die "arch=$arch: $(cat "$T/mount.out")"
    unmount "$m"
done
expect_status 0 sft cache verify --cache-dir "$T/cache4"
expect_text "$T/out" '^Try.x86, version 1.* blocks checked$'
expect_text "$T/out" '^Try.x64, version 1.* blocks checked$'
mount_package "$T/www/all.msixbundle" "$m" -o resource=split.language-de
expect_equal "$(cat "$m/resources.txt")" Hallo
unmount "$m"
expect_status 3 sft info --resource=split.language-fr "$T/www/all.msixbundle"
expect_text "$T/err" 'split.language-de'
set --
for i in $(seq 30); do
    cp "$T/language de.msix" "$T/part $i.msix"
    set -- "$@" "resource:split.language-$i=$T/part $i.msix"
done
python3 "$SFTFS_SRC/tests/make-appx.py" --bundle "$T/many.msixbundle" x64="$T/x64.msix" "$@" || die "make-appx"
expect_status 3 sft info --resource=de "$T/many.msixbundle"
expect_text "$T/err" 'split.language-1, .*split.language-[0-9]+ and 19 more$'
expect_status 0 sft info --json --arch=x86 "$T/www/all.msixbundle"
python3 -c 'import json, sys
d = json.load(open(sys.argv[1]))["details"]
b = d["bundle_packages"]
assert d["bundle_package"] == b[1]["file"] and d["has_signature"] == "no", d
assert [p["architecture"] for p in b[:3]] == ["x64", "x86", "arm64"], b
assert b[3]["resource_id"] == "split.language-de" and b[3]["type"] == "resource", b' "$T/out" ||
    die "what the bundle has"

step "flat bundles: the package lies beside, on the disk or on the server, and is found offline"
mkdir "$T/www/flat"
cp "$T/x64.msix" "$T/x86.msix" "$T/language de.msix" "$T/www/flat/"
python3 "$SFTFS_SRC/tests/make-appx.py" --flat-bundle "$T/www/flat/all.msixbundle" \
    x64="$T/x64.msix" x86="$T/x86.msix" arm64="$T/arm64.msix" resource:split.language-de="$T/language de.msix" ||
    die "make-appx --flat-bundle"
(cd "$T/www/flat" && expect_status 0 sft cat --arch=x86 all.msixbundle which.txt) || die "sft cat beside"
expect_equal "$(cat "$T/out")" "for x86"
for place in "$T/www/flat" "$URL/flat" "file://$T/www/flat"; do
    # shellcheck disable=SC2086
    mount_package "$place/all.msixbundle" "$m" $UNCACHED -o arch=x86
    expect_equal "$(cat "$m/which.txt")" "for x86"
    unmount "$m"
    expect_status 0 sft cat --resource=split.language-de "$place/all.msixbundle" resources.txt
    expect_equal "$(cat "$T/out")" Hallo
done
mount_package "$URL/flat/all.msixbundle" "$m" -o "arch=x86,cache_dir=$T/cache,autoload=all"
src=$T/inner.x86
same "a flat bundle over HTTP"
unmount "$m"
stop_nginx
mount_package "$URL/flat/all.msixbundle" "$m" -o "arch=x86,cache_dir=$T/cache,offline"
same "a flat bundle offline"
unmount "$m"
resume_nginx
# A part is cached, and the server away when it is mounted again: what comes back is the package, not the bundle.
head -c 3000000 /dev/urandom >"$T/inner.x86/large.bin"
appx "$T/www/flat/x86.msix" --name Try.x86 --store
mount_package "$URL/flat/all.msixbundle" "$m" -o "arch=x86,cache_dir=$T/cache6,autoload=never,io_timeout=5"
cmp "$m/which.txt" "$src/which.txt" || die "which.txt"
unmount "$m"
stop_nginx
mount_package "$URL/flat/all.msixbundle" "$m" -o "arch=x86,cache_dir=$T/cache6,autoload=never,io_timeout=5"
resume_nginx
wait_for 60 cmp -s "$m/large.bin" "$src/large.bin" || die "what was not cached does not come back"
unmount "$m"
src=$src_before
expect_status 14 sft verify --arch=x86 "$T/www/flat/all.msixbundle"
expect_status 3 sft info --resource=split.language-fr "$T/x64.msix"
expect_text "$T/err" "no bundle, and not a resource package, so there is no resource package 'split.language-fr'"
expect_status 0 sft info --resource=SPLIT.language-de "$T/language de.msix"
expect_status 3 sft info --arch=arm64 "$T/www/flat/all.msixbundle"
expect_text "$T/err" 'arm64.msix'

samples=${SFTFS_SAMPLES:-$SFTFS_SRC/../shared/samples}/msix
if [ ! -d "$samples" ]; then
    echo "not tested: real packages, none in $samples"
    exit 0
fi
step "real packages, against unzip"
expect_status 14 sft verify "$samples/bundles/ContainsNeutralAndX86AppPackages.appxbundle"
for p in "$samples"/*.appx "$samples"/flat/*.appx; do
    case $p in *OPC_E_ZIP*) continue ;; esac
    mount_package "$p" "$m"
    python3 - "$p" "$m" <<'PY' || die "$p"
import os, sys, urllib.parse, zipfile
package, mount = sys.argv[1:]
own = ('AppxManifest.xml', 'AppxBlockMap.xml', 'AppxSignature.p7x', '[Content_Types].xml')
z, seen = zipfile.ZipFile(package), 0
for i in z.infolist():
    name = urllib.parse.unquote(i.filename)
    if name in own or name.startswith('AppxMetadata/'):
        continue
    with open(os.path.join(mount, name), 'rb') as f:
        assert f.read() == z.read(i), name
    seen += 1
assert seen == sum(len(f) for _, _, f in os.walk(mount)), 'other files'
PY
    unmount "$m"
done
for p in "$samples"/OPC_E_ZIP*.appx "$samples"/BlockMap/* "$samples"/bundles/[MP]* \
    "$samples"/flat/*bundle; do
    timeout 20 sftfs "$p" "$m" 2>"$T/err" && die "$p was mounted"
    [ -s "$T/err" ] || die "$p: no message"
done
exit 0
