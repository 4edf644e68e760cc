#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# sft convert: from SFT to App-V and back the tree, 8.3 names and the launch set are the same; programs go
# from OSD files to a manifest and back; from a web server; and what is lost is said, no more and no less.
. "$(dirname "$0")/lib.sh"
requires sft python3 unzip cmp

src=$T/src
mkdir -p "$src/VFS/CSIDL_PROGRAM_FILES/Try It" "$src/void/deep directory" "$src/Документы"
python3 - "$src" <<'PY' || die "cannot make the tree"
import os, random, sys
top = sys.argv[1] + '/'
random.seed(5)
def put(path, data):
    with open(top + path, 'wb') as f:
        f.write(data)
put('empty.txt', b'')
put('Документы/文書 [1] 100%.txt', 'привет'.encode())
put('VFS/CSIDL_PROGRAM_FILES/Try It/Program with a long name.exe', b'MZ' + bytes(5000))
put('VFS/CSIDL_PROGRAM_FILES/Try It/settings.ini', b'[a]\n')
put('numbers.txt', b''.join(b'%d\n' % i for i in range(200000)))
put('noise.bin', random.randbytes(400000))
put('same.bin', random.randbytes(1000))
put('again.bin', open(top + 'same.bin', 'rb').read())
os.mkdir(top + 'many')
for i in range(200):
    put('many/file number %d.txt' % i, b'%d\n' % i * i)
PY
# Times that a ZIP archive holds, but for one; and a file that cannot be written.
find "$src" -exec touch -d '2024-05-01 12:34:56 UTC' {} +
touch -d '2024-05-01 12:34:57.5 UTC' "$src/many/file number 7.txt"
find "$src" -type d -exec touch -d '2024-05-02 12:34:56 UTC' {} + # not what an archive makes of them
chmod a-w "$src/VFS/CSIDL_PROGRAM_FILES/Try It/settings.ini"
guid=01234567-89AB-CDEF-0123-456789ABCDEF
program='VFS/CSIDL_PROGRAM_FILES/Try It/Program with a long name.exe'
printf '%s\n' numbers.txt "$program" Документы >"$T/list"
mkdir "$T/old"
pack "$src" "$T/old/a.sft" --root-name 'Try It.v1' --guid $guid --name 'Try it' --launch-list "$T/list" \
    --version-number 7 --user-data '*.ini' --osd "$program=Try it now" -b 16

# lost WHAT=COUNT...: what --json says in $T/out that was lost, all of it
lost() {
    python3 - "$T/out" "$@" <<'PY' || die "lost: $*"
import json, sys
have = {x['what']: x['count'] for x in json.load(open(sys.argv[1]))['lost']}
want = {k: int(v) for k, v in (x.split('=') for x in sys.argv[2:])}
if have != want:
    print('have', have, 'want', want)
    sys.exit(1)
PY
}
# info FILE EXPRESSION: of the JSON that sft info prints, as d
info() {
    sft info --json "$1" >"$T/info" || die "sft info $1"
    python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$T/info" "$2"
}

step "SFT to App-V"
expect_status 0 sft convert --json "$T/old/a.sft" -o "$T/b.appv"
directories=$(find "$src" -type d | wc -l) # with the asset directory
lost times_rounded=1 directory_times="$directories" attributes=1 data_kinds=1 vfs_names=1 icons=1
expect_status 0 sft verify --no-signature "$T/b.appv"
unzip -tqq "$T/b.appv" || die "unzip -t"
expect_status 0 sft extract "$T/b.appv" -C "$T/out.b"
diff -r "$src" "$T/out.b" || die "what is in Root differs from what is below the asset directory"
expect_equal "$(info "$T/b.appv" 'd["package_guid"]')" $guid
expect_equal "$(info "$T/b.appv" 'd["details"]["display_name"]')" 'Try it'
expect_equal "$(info "$T/b.appv" 'd["details"]["package_version"]')" 0.0.0.7
expect_equal "$(info "$T/b.appv" 'd["details"]["install_root"]')" 'Q:\Try It.v1'
expect_equal "$(info "$T/b.appv" 'd["details"]["applications"][0]["display_name"]')" 'Try it now'
expect_equal "$(info "$T/b.appv" 'd["details"]["applications"][0]["executable"]')" \
    '[{CSIDL_PROGRAM_FILES}]\Try It\Program with a long name.exe'
[ "$(info "$T/b.appv" 'd["version_guid"]')" != "$(info "$T/old/a.sft" 'd["version_guid"]')" ] ||
    die "two packages with one version GUID"
[ "$(info "$T/b.appv" 'd["launch_blocks"]')" -gt 0 ] || die "no launch set"

step "and back"
mkdir "$T/new"
expect_status 0 sft convert --json "$T/b.appv" -o "$T/new/c.sft" --jobs 1
lost version=1
expect_status 0 sft verify "$T/new/c.sft"
expect_status 0 sft extract "$T/old/a.sft" -C "$T/out.a"
expect_status 0 sft extract "$T/new/c.sft" -C "$T/out.c"
diff -r "$T/out.a" "$T/out.c" || die "the tree is another one"
expect_equal "$(info "$T/new/c.sft" 'd["package_guid"]')" $guid
expect_equal "$(info "$T/new/c.sft" 'd["name"]')" 'Try it'
expect_equal "$(info "$T/new/c.sft" 'd["asset_directory"]')" 'Try It.v1'
expect_text "$T/new/Try it now.osd" "GUID=\"$guid\""
expect_text "$T/new/Try it now.osd" 'FILENAME="Try It.v1\\VFS\\CSIDL_PROGRAM_FILES\\Try It\\Program with'
[ -f "$T/new/c_manifest.xml" ] && [ -f "$T/new/c Icons/Try it now.ico" ] || die "no documents"

step "the same again: 8.3 names and launch set are those of the first"
expect_status 0 sft convert --json "$T/new/c.sft" -o "$T/d.appv"
for document in FilesystemMetadata.xml StreamMap.xml; do
    unzip -p "$T/b.appv" $document >"$T/1"
    unzip -p "$T/d.appv" $document >"$T/2"
    [ -s "$T/1" ] || die "no $document"
    cmp "$T/1" "$T/2" || die "$document differs"
done
expect_text "$T/1" 'Root\\numbers.txt'
unzip -p "$T/b.appv" FilesystemMetadata.xml >"$T/1"
expect_text "$T/1" 'Short="void/DEEPDI~1|Short="void\\DEEPDI~1'
expect_status 0 sft cat "$T/new/c.sft" 'TRYIT~1.V1/VFS/CSIDL_~1/TRYIT~1/PROGRA~1.EXE'
cmp "$T/out" "$src/$program" || die "8.3 names"

step "the same input gives the same bytes"
for jobs in 1 3; do
    mkdir "$T/jobs$jobs" # in which the documents go
    SOURCE_DATE_EPOCH=1700000000 sft convert -q "$T/old/a.sft" -o "$T/$jobs.appv" -j $jobs >/dev/null &&
        SOURCE_DATE_EPOCH=1700000000 sft convert -q "$T/b.appv" -o "$T/jobs$jobs/x.sft" -j $jobs >/dev/null ||
        die "sft convert -j $jobs"
done
cmp "$T/1.appv" "$T/3.appv" || die "App-V: other bytes"
cmp "$T/jobs1/x.sft" "$T/jobs3/x.sft" || die "SFT: other bytes"

step "to MSIX, which holds less, and from there"
expect_status 2 sft convert "$T/old/a.sft" -o "$T/m.msix"
expect_text "$T/err" 'publisher'
expect_status 0 sft convert --json "$T/old/a.sft" -o "$T/m.msix" --publisher CN=Sample
short_names=$(unzip -p "$T/b.appv" FilesystemMetadata.xml | python3 -c 'import re, sys
text = sys.stdin.read().split("<EmptyDirectories>")[0]
print(len(re.findall("<Entry [^>]*Short=", text)) + 2)') # and the empty directory, the asset directory
launch=$(info "$T/old/a.sft" 'd["launch_blocks"]')
lost times_rounded=1 directory_times="$directories" attributes=1 data_kinds=1 vfs_names=1 icons=1 \
    package_guid=1 "short_names=$short_names" empty_directories=1 "launch_set=$launch"
expect_status 0 sft verify --no-signature "$T/m.msix"
expect_equal "$(info "$T/m.msix" 'd["details"]["applications"][0]["executable"]')" \
    'VFS\CSIDL_PROGRAM_FILES\Try It\Program with a long name.exe'
mkdir "$T/m"
expect_status 0 sft convert --json "$T/m.msix" -o "$T/m/m.sft"
lost version=1 capabilities=1 dependencies=1
expect_status 0 sft extract "$T/m/m.sft" -C "$T/out.m"
rm -r "$T/out.m/Assets"
mkdir -p "$T/out.m/void/deep directory"
diff -r "$src" "$T/out.m" || die "through MSIX: the tree is another one"
expect_status 0 sft cat "$T/m/m.sft" 'VFS/CSIDL_~1/TRYIT~1/PROGRA~1.EXE'
expect_status 0 sft convert --json "$T/b.appv" -o "$T/b.msix"
expect_equal "$(info "$T/b.msix" 'd["details"]["publisher"]')" CN=Reserved

step "what OSD files say and a manifest does not"
cat >"$T/odd.osd" <<OSD
<SOFTPKG NAME="Odd / name" VERSION="1.0"><IMPLEMENTATION>
<CODEBASE HREF="FILE://a.sft" GUID="$guid" PARAMETERS="/x" FILENAME="Try It.v1\\numbers.txt"/>
<WORKINGDIR>Q:\\x</WORKINGDIR><OS VALUE="Win7"/><VIRTUALENV><POLICIES><LOCAL_INTERACTION_ALLOWED>TRUE</LOCAL_INTERACTION_ALLOWED></POLICIES>
<ENVLIST><ENVIRONMENT VARIABLE="A">b</ENVIRONMENT><ENVIRONMENT VARIABLE="C">d</ENVIRONMENT></ENVLIST>
</VIRTUALENV></IMPLEMENTATION><DEPENDENCY><SCRIPT EVENT="LAUNCH" TIMING="PRE" PROTECT="TRUE" WAIT="TRUE"><SCRIPTBODY>x</SCRIPTBODY></SCRIPT></DEPENDENCY>
<MGMT_SHORTCUTLIST><SHORTCUT LOCATION="%CSIDL_DESKTOPDIRECTORY%" DISPLAY="Odd" ICON=""/></MGMT_SHORTCUTLIST>
<MGMT_FILEASSOCIATIONS><FILEEXTENSIONLIST><FILEEXTENSION EXT="odd"/></FILEEXTENSIONLIST></MGMT_FILEASSOCIATIONS></SOFTPKG>
OSD
sed 's/Try It.v1\\numbers.txt/%CSIDL_SYSTEM%\\cmd.exe/; s/Odd/Out/' "$T/odd.osd" >"$T/outside.osd"
expect_status 0 sft convert --json "$T/old/a.sft" -o "$T/odd.appv" --from-osd "$T/odd.osd" \
    --from-osd "$T/outside.osd"
lost times_rounded=1 directory_times="$directories" attributes=1 data_kinds=1 vfs_names=1 arguments=1 \
    working_directories=2 systems=2 policies=2 environment=4 scripts=2 shortcuts=2 file_types=2 \
    programs_outside=1
expect_equal "$(info "$T/odd.appv" '[a["display_name"] for a in d["details"]["applications"]]')" "['Odd _ name']"
expect_equal "$(info "$T/odd.appv" 'd["details"]["shortcuts"][0]["arguments"]')" /x
mkdir "$T/odd"
expect_status 0 sft convert --json "$T/odd.appv" -o "$T/odd/odd.sft"
lost version=1
expect_text "$T/odd/Odd _ name.osd" 'PARAMETERS="/x"'
expect_status 0 sft convert --json "$T/odd.appv" -o "$T/odd/odd.msix"
python3 -c 'import json, sys
assert {"what": "arguments", "count": 1}.items() <= [x for x in json.load(open(sys.argv[1]))["lost"]
                                                     if x["what"] == "arguments"][0].items()' "$T/out" ||
    die "arguments: $(cat "$T/out")"
sed "s/$guid/11111111-2222-3333-4444-555555555555/" "$T/odd.osd" >"$T/other.osd"
expect_status 9 sft convert "$T/old/a.sft" -o "$T/y.appv" --from-osd "$T/other.osd"
echo '<x' >"$T/bad.osd"
expect_status 10 sft convert "$T/old/a.sft" -o "$T/y.appv" --from-osd "$T/bad.osd"
expect_status 2 sft convert "$T/b.appv" -o "$T/y.sft" --from-osd "$T/odd.osd"

step "what only looks like an OSD file beside an SFT is not waited for"
mkdir "$T/pipes"
cp "$T/old/a.sft" "$T/pipes/"
mkfifo "$T/pipes/pipe.osd"
expect_status 0 timeout -s KILL 60 sft convert "$T/pipes/a.sft" -o "$T/pipes.appv"

step "SFT files that name an asset directory and have none, or more beside it"
mkdir "$T/roots"
base64 -d <<'END' | gunzip >"$T/roots/none.sft" || die "cannot write it"
H4sIAAAAAAACAwv2dXNjZGBgaGCAABgNA/I5p92+HJGOZ0jkuFh3uuN84r+Mt8Fme7Xyg+/21yfsfFacVpJWrJCTWJlfWqJgyMul
xgTRB6MZ0cxjQuOD5FkZcIPb0k/O1hUbB0xfPYvr8JuqJ2+UpY9djtr/Z+HqbVHTBMMsAoL8A0BmyEHVy6HpP3iZYVf/hfW896qb
uBqzd3TxV3MtN98iarbpgub7vuQVcQwC6O6p4GRILC5OLdEzMDD08AwOAYnKQmU1oDQzlM7ez60aqiWg8pf3zOP7l2Ovrq79wdfo
fV06UJPn2IoJC29obNX/q6CxlIEhgRHuf0Ygdjhm5MDk7OkSARJWhkr5oBkeJ96ju5ZNb83udRnrDqrnmPW3Pl0etHXDnzesyuxz
8soEwYb7XGVgSGJk4XiQeyHfRuS25uPj/+fLi4ozMdhLL2Dz9fSDWMEBNZIDLXTWhxZ8XdjIXfW9Z733ca40ft6vck67fsr6Pt1k
1Pvghe0fWMQAAB6JOkgmAgAA
END
base64 -d <<'END' | gunzip >"$T/roots/two.sft" || die "cannot write it"
H4sIAAAAAAACAwv2dXNjZGBgaGCAABgNAype2/6vfVfgdMyvx8nEuj7nP8+JREPhwhjzyEs79vl+zihOK0krVshJrMwvLVEw5OUy
YoLog9GMaOYxofFB8qwMuAF/3d1+qZ5v62wPJPzbv1h3r/MKC14XMc4LlkqTLwgzvA4ICPIPAJkhB1Uvh6b/4GWGXf0X1vPeq27i
asze0cVfzbXcfIuo2aYLmu/7klfEMQigu6eCkyGxuDi1RM/AwNDDMzgEJCoLldWA0sxQOns/t2qoloDKX94zj+9fjr26uvYHX6P3
delATZ5jKyYsvKGxVf+vgsZSBoYERrj/GYHY4ZiRA5Ozp0sESFgfKjUNzfCtXqUHDgUuX6jMKGHle8XnzNRlN9u3dRzQ27yrkt1W
1yEZbPg0U0aGJCc23gvixxzebs3mZTCNPiWyLObl9asH/8eo8AiyCDCYzWtRYTNn9PSDWMcBNZ4DLaTWhxZ8XdjIXfW9Z733ca40
ft6vck67fsr6Pt1k1Pvghe0fWCQBANGNG4MyAgAA
END
for name in none two; do
    expect_status 0 sft convert "$T/roots/$name.sft" -o "$T/roots/$name.appv" --publisher CN=Q
done
expect_status 0 sft ls "$T/roots/two.appv"
expect_equal "$(tr '\n' ' ' <"$T/out")" "a b "
[ ! -e "$T/y.appv" ] || die "a package was left"

step "in words"
expect_status 0 sft convert "$T/old/a.sft" -o "$T/words.appv"
expect_text "$T/out" '^lost: attributes .*\(1\)$'
expect_text "$T/out" '^lost: times of files.*\(1\)$'
mkdir "$T/plain"
echo plain >"$T/plain/plain.txt"
touch -d '2024-05-01 12:34:56 UTC' "$T/plain/plain.txt" "$T/plain"
pack "$T/plain" "$T/plain.sft"
expect_status 0 sft convert "$T/plain.sft" -o "$T/plain.appv"
expect_text "$T/out" '^nothing is lost$'

step "files that are called like the container's own"
mkdir -p "$T/own/AppxMetadata"
for name in appxmanifest.xml AppxBlockMap.xml AppxMetadata/CodeIntegrity.cat Registry.dat; do
    echo $name >"$T/own/$name"
done
find "$T/own" -exec touch -d '2024-05-01 12:34:56 UTC' {} +
pack "$T/own" "$T/own.sft"
expect_status 0 sft convert --json "$T/own.sft" -o "$T/own.msix" --publisher CN=Sample
lost own_names=3 short_names=4 package_guid=1
expect_status 0 sft verify --no-signature "$T/own.msix"
expect_status 0 sft convert --json "$T/own.sft" -o "$T/own.appv"
lost
expect_status 0 sft extract "$T/own.appv" -C "$T/out.own"
diff -r "$T/own" "$T/out.own" || die "files with the container's names"

step "the container's own files, a signature"
cp -r "$src" "$T/hive"
chmod -R u+w "$T/hive"
echo hive >"$T/hive/Registry.dat"
pack "$T/hive" "$T/hive.appv" --publisher CN=Sample
expect_status 0 sft convert --json "$T/hive.appv" -o "$T/hive.sft"
lost version=1 container_files=1
expect_text "$T/out" '"detail": "Registry.dat"'
expect_status 0 sft convert "$T/hive.appv" -o "$T/hive.sft" --force
expect_text "$T/out" '^lost: files of the container .*\(1: Registry.dat\)$'
if command -v osslsigncode >/dev/null && command -v openssl >/dev/null; then
    openssl req -x509 -newkey rsa:2048 -nodes -keyout "$T/key" -out "$T/cert" -subj /CN=Sample -days 30 \
        -addext extendedKeyUsage=codeSigning >"$T/out" 2>&1 || die "openssl: $(cat "$T/out")"
    osslsigncode sign -h sha256 -certs "$T/cert" -key "$T/key" -in "$T/m.msix" -out "$T/signed.msix" \
        >"$T/out" 2>&1 || die "osslsigncode: $(cat "$T/out")"
    expect_status 0 sft convert --json "$T/signed.msix" -o "$T/signed.sft" -f
    lost version=1 capabilities=1 dependencies=1 signature=1
fi

step "from a bundle"
python3 "$SFTFS_SRC/tests/make-appx.py" --bundle "$T/all.msixbundle" x86="$T/b.msix" arm64="$T/m.msix" ||
    die "make-appx --bundle"
expect_status 0 sft convert --json --arch x86 "$T/all.msixbundle" -o "$T/bundle.appv"
lost bundle=1 capabilities=1 dependencies=1
expect_status 0 sft convert --json "$T/b.msix" -o "$T/single.appv"
lost capabilities=1 dependencies=1
cmp "$T/bundle.appv" "$T/single.appv" || die "from a bundle: other bytes"

step "from a web server"
mkdir "$T/www"
cp "$T/old/a.sft" "$T/b.appv" "$T/www/"
start_nginx "$T/www"
expect_status 0 sft convert -q "$URL/b.appv" -o "$T/http.sft" -f
expect_status 0 sft extract "$T/http.sft" -C "$T/out.http"
diff -r "$T/out.a" "$T/out.http" || die "over HTTP: the tree is another one"
expect_status 0 sft convert --json "$URL/a.sft" -o "$T/http.appv" --from-osd "$T/old/Try it now.osd"
expect_status 0 sft verify --no-signature "$T/http.appv"
cmp "$T/http.appv" "$T/b.appv" || die "from the server: other bytes"
expect_status 3 sft convert "$URL/none.sft" -o "$T/y.appv"

step "what cannot be"
expect_status 2 sft convert "$T/old/a.sft" -o "$T/y.sft"
expect_text "$T/err" 'is of the format sft already'
expect_status 2 sft convert "$T/b.appv" -o "$T/y.appv"
expect_status 2 sft convert "$T/m.msix" -o "$T/y.appx"
expect_status 2 sft convert "$T/old/a.sft"
expect_status 2 sft convert "$T/old/a.sft" -o "$T/b.appv"
expect_text "$T/err" 'exists already'
expect_status 2 sft convert "$T/old/a.sft" -o "$T/y.appv" --metadata
expect_status 2 sft convert "$T/b.appv" -o "$T/y.sft" --publisher CN=x
expect_status 4 sft convert "$T/list" -o "$T/y.appv"
cp -r "$src" "$T/case"
echo other >"$T/case/EMPTY.txt"
pack "$T/case" "$T/case.sft" --case-sensitive
expect_status 2 sft convert "$T/case.sft" -o "$T/y.appv"
expect_text "$T/err" 'differ only in case'
python3 - "$T/old/a.sft" "$T/bad.sft" <<'PY' || die "cannot damage it"
import sys
data = bytearray(open(sys.argv[1], 'rb').read())
data[-1000] ^= 1
open(sys.argv[2], 'wb').write(data)
PY
expect_status 5 sft convert "$T/bad.sft" -o "$T/y.appv"
mkdir "$T/limited"
(
    ulimit -f 64
    trap '' XFSZ
    sft convert "$T/old/a.sft" -o "$T/limited/y.appv" >"$T/out" 2>"$T/err" </dev/null
) && die "a file larger than the limit"
[ -z "$(ls -A "$T/limited")" ] || die "left behind: $(ls -A "$T/limited")"
expect_status 2 sft convert "$T/bad.sft" -o "$T/y.AppxBundle"
expect_text "$T/err" 'bundles cannot be written'
for left in "$T"/y.* "$T"/.y.*; do
    [ ! -e "$left" ] || die "left behind: $left"
done
exit 0
