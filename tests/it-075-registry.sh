#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# sft registry: the registry of packages, loaded by Wine's regedit and asked for again. Hives are made by
# tests/make-hive, one with libhivex' own writer (hivexsh); a real one is in NotepadPlusPlus.appx
# (SFTFS_SAMPLES or ../shared/samples).
. "$(dirname "$0")/lib.sh"
requires sft python3
make_hive=$SFTFS_BUILD/tests/make-hive
[ -x "$make_hive" ] || die "no make-hive in $SFTFS_BUILD/tests; build it with make check_PROGRAMS"

src=$T/src
mkdir -p "$src/VFS/ProgramFilesX86/Try It/data"
echo program >"$src/try.exe"
echo data >"$src/VFS/ProgramFilesX86/Try It/data/a.txt"

# hive KIND OUT
hive() {
    "$make_hive" "$1" "$2" || die "make-hive $1"
}

# appx OUT [OPTION]...
appx() {
    out=$1
    shift
    python3 "$SFTFS_SRC/tests/make-appx.py" "$src" "$out" "$@" || die "make-appx $*"
}

hive appv "$T/appv.dat"
appx "$T/p.appv" --appv --registry "$T/appv.dat"
! sft registry "$T/p.appv" 2>&1 >/dev/null | grep -q libhivex || skip "built without libhivex"

step "keys and values"
expect_status 0 sft registry --root /mnt/try/ --user alice --token 'AppData=D:\Roaming' --utf8 "$T/p.appv"
expect_text "$T/err" 'Nowhere'
expect_text "$T/err" '^sft: keys and values left out.*: 1$'
tr -d '\r' <"$T/out" >"$T/text"
while IFS= read -r line; do
    grep -qxF -- "$line" "$T/text" || {
        cat "$T/text"
        die "no line $line"
    }
done <<'END'
Windows Registry Editor Version 5.00
[HKEY_LOCAL_MACHINE\SOFTWARE\Try It\Тест [key]]
@="\"Z:\\mnt\\try\\try.exe\" \"%1\""
"Größe 文書"="Straße \"日本\" \\"
"Folder"="Z:\\mnt\\try\\VFS\\ProgramFilesX86\\Try It\\data"
"Other folder"="C:\\Program Files (x86)\\Other"
"Roaming"=hex(2):44,00,3a,00,5c,00,52,00,6f,00,61,00,6d,00,69,00,6e,00,67,00,\
"Unknown"="[{Nowhere}]\\x"
"C:\\windows\\system32\\try.dll"=""
"Number"=dword:12345678
"Big endian"=hex(5):12,34,56,78
"Long"=hex(b):01,02,03,04,05,06,07,08
"Nothing"=hex(0):
"Half a pair"=hex(1):3d,d8,00,00
[HKEY_LOCAL_MACHINE\SOFTWARE\Try It\Тест [key]\S-1-5-21-0-0-0-1000]
[HKEY_CURRENT_USER\Software\Try It\a]
[HKEY_CURRENT_USER\Software\Classes\.tryit\b]
@="TryIt.File"
END
expect_status 0 sft registry --utf8 "$T/p.appv"
expect_text "$T/out" 'AppVPackageRoot'
expect_text "$T/err" 'stay as they are: 2 \(AppVPackageRoot, Nowhere\)'

step "UTF-16, to a file that is not overwritten"
expect_status 0 sft registry --root /mnt/try --user alice --token 'AppData=D:\Roaming' \
    -o "$T/p.reg" "$T/p.appv"
iconv -f UTF-16 -t UTF-8 "$T/p.reg" >"$T/again" || die "no UTF-16"
tr -d '\r' <"$T/again" | cmp - "$T/text" || die "UTF-16 and UTF-8 differ"
expect_equal "$(head -c 2 "$T/p.reg" | od -An -tx1)" " ff fe"
expect_status 2 sft registry -o "$T/p.reg" "$T/p.appv"
expect_status 0 sft registry -f -o "$T/p.reg" --root /mnt/try "$T/p.appv"

step "JSON"
expect_status 0 sft registry --json --root 'Q:\' "$T/p.appv"
python3 - "$T/out" <<'PY' || die "sft registry --json"
import json, sys
d = json.load(open(sys.argv[1], encoding='utf-8'))
keys = {k['path']: {v['name']: v for v in k['values']} for k in d['keys']}
v = keys['HKEY_LOCAL_MACHINE\\SOFTWARE\\Try It\\Тест [key]']
assert v['']['text'] == '"Q:\\try.exe" "%1"', v['']
assert v['List']['strings'] == ['one', 'C:\\windows\\two'], v['List']
assert v['Number'] == {'name': 'Number', 'type': 'REG_DWORD', 'number': 0x12345678}, v['Number']
assert v['Long']['number'] == 0x0807060504030201
big = bytes((i * 7 + i // 256) % 256 for i in range(40000))
assert v['Binary'] == {'name': 'Binary', 'type': 'REG_BINARY', 'hex': big.hex()}
assert v['Half a pair']['hex'] == '3dd80000'
assert d['complete'] is True and d['left_out'] == 1
assert d['tokens_unknown'] == 1 and d['unknown_tokens'] == ['Nowhere']
PY

step "the three hives of MSIX, one of them written by libhivex"
hive user "$src/User.dat"
hive classes "$src/UserClasses.dat"
hive empty "$src/Registry.dat"
if command -v hivexsh >/dev/null 2>&1; then
    hivexsh -w "$src/Registry.dat" <<'END' || die "hivexsh"
add REGISTRY
cd REGISTRY
add MACHINE
cd MACHINE
add Software
cd Software
add Try MSIX
cd Try MSIX
setval 3
@
string:by libhivex
Expand
expandstring:%PATH%
Number
dword:00000007
commit
END
else
    echo "not tested: a hive that libhivex wrote, no hivexsh"
fi
appx "$T/p.msix"
mkdir "$T/www"
cp "$T/p.msix" "$T/www/"
start_nginx "$T/www"
expect_status 0 sft registry --utf8 "$URL/p.msix"
tr -d '\r' <"$T/out" >"$T/text"
expect_equal "$(grep -c '^Windows Registry' "$T/text")" 1
expect_text "$T/text" '^\[HKEY_CURRENT_USER\\Software\\Try MSIX\\c\]$'
expect_text "$T/text" '^\[HKEY_CURRENT_USER\\Software\\Classes\\.trymsix\\c\]$'
! command -v hivexsh >/dev/null 2>&1 || expect_text "$T/text" '^@="by libhivex"$'
# As the files of an SFT, too.
pack "$src" "$T/p.sft"
expect_status 0 sft registry --utf8 "$T/p.sft"
tr -d '\r' <"$T/out" | cmp - "$T/text" || die "the same hives in an SFT"
rm "$src"/*.dat

step "no registry, damaged and hostile ones"
appx "$T/none.msix"
expect_status 3 sft registry "$T/none.msix"
expect_text "$T/err" 'none.msix: the package has no registry'
expect_status 3 sft registry --json "$T/none.msix"
python3 -c 'import json,sys
assert json.load(open(sys.argv[1]))["error"]["kind"] == "not-found"' "$T/out" || die "JSON of an error"
limit="ulimit -v 400000"
(ulimit -v 400000; sft --version >"$T/out" 2>&1) || limit=: # AddressSanitizer maps terabytes
for kind in circle parts deep wide; do
    hive $kind "$src/User.dat"
    appx "$T/$kind.msix"
    ($limit; timeout 20 sft registry -o "$T/$kind.reg" "$T/$kind.msix" >"$T/out" 2>"$T/err")
    expect_equal "$kind: $?" "$kind: 5"
    expect_text "$T/err" 'User.dat: registry hive: '
    [ ! -e "$T/$kind.reg" ] || die "$kind: a file was written"
done
head -c 5000 "$T/appv.dat" >"$src/User.dat"
appx "$T/cut.msix"
expect_status 5 sft registry "$T/cut.msix"
echo "no hive at all" >"$src/User.dat"
appx "$T/text.msix"
expect_status 4 sft registry "$T/text.msix"
rm "$src/User.dat"

step "a wrong option"
for root in mnt ./mnt C:dir '\one' ""; do
    expect_status 2 sft registry --root "$root" "$T/p.appv"
    expect_text "$T/err" '--root is where the program sees'
done
expect_status 2 sft registry --token Folder "$T/p.appv"
expect_status 2 sft registry --user 'a\b' "$T/p.appv"
expect_status 2 sft registry --json -o "$T/x" "$T/p.appv"
expect_status 2 sft registry

samples=${SFTFS_SAMPLES:-$SFTFS_SRC/../shared/samples}/msix
sample=$samples/NotepadPlusPlus.appx
if [ -f "$sample" ]; then
    step "a registry that App-V wrote"
    expect_status 0 sft registry --utf8 --root /mnt/npp "$sample"
    [ ! -s "$T/err" ] || die "$(cat "$T/err")"
    expect_text "$T/out" '^"Path"="Z:\\\\mnt\\\\npp\\\\VFS\\\\ProgramFilesX86\\\\Notepad\+\+\\\\notepad\+\+.exe"'
    expect_text "$T/out" '^\[HKEY_CURRENT_USER\\Software\\Classes\\Local Settings\]'
else
    echo "not tested: a registry that App-V wrote, no NotepadPlusPlus.appx in $samples"
fi

for program in wine wineserver; do
    command -v $program >/dev/null 2>&1 || {
        echo "not tested: regedit, no $program"
        exit 0
    }
done
step "Wine's regedit loads it, and has what was there"
new_wine_prefix

# in_wine COMMAND...: output in $T/out
in_wine() {
    timeout -k 5 100 wine "$@" >"$T/out" 2>"$T/err" </dev/null || {
        status=$?
        cat "$T/out" "$T/err"
        die "wine $*: exit status $status"
    }
}

(cd "$T" && in_wine regedit /S p.reg) || exit 1
for key in 'HKLM\Software\Try It' 'HKCU\Software\Try It' 'HKCU\Software\Classes\.tryit'; do
    (cd "$T" && in_wine reg export "$key" out.reg /y) || exit 1
    cat "$T/out.reg" >>"$T/exported.reg"
done
# What Wine says it has is what the package has: both files, key by key.
python3 - "$T/p.reg" "$T/exported.reg" <<'PY' || die "the registry in Wine is another"
import sys
def load(path):
    text = open(path, 'rb').read().decode('utf-16-le', 'surrogatepass').replace('\ufeff', '')
    keys, values = {}, None
    for line in text.replace('\\\r\n  ', '').split('\r\n'):
        if line.startswith('['):
            values = keys.setdefault(line.lower(), {})
        elif line and not line.startswith('Windows Registry'):
            # The end of the name is the first quote that has no backslash in front.
            at = 1
            if line[0] == '"':
                while line[at] != '"':
                    at += 2 if line[at] == '\\' else 1
                at += 1
            values[line[:at]] = line[at + 1:]
    return keys
want, have = load(sys.argv[1]), load(sys.argv[2])
want = {k: v for k, v in want.items() if k in have or v}
found = 0
for key, values in want.items():
    for name, value in values.items():
        got = have[key][name]
        # regedit writes half a surrogate pair in quotes, we as bytes.
        if got != value and name != '"Half a pair"':
            sys.exit('%s %s: %s, not %s' % (key, name, got[:80], value[:80]))
        found += 1
    assert set(values) == set(have[key]), (set(values) ^ set(have[key]))
assert found >= 17, found
PY
in_wine reg query 'HKLM\Software\Try It' /s
for line in 'Number +REG_DWORD +0x12345678' 'List +REG_MULTI_SZ +one\\0C:\\windows\\two' \
    'Folder +REG_SZ +Z:\\mnt\\try\\VFS\\ProgramFilesX86\\Try It\\data'; do
    expect_text "$T/out" "$line"
done
wineserver -k -w
exit 0
