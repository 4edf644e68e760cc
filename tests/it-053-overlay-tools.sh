#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# sft overlay status, ls, diff, export, import, apply and reset: on overlays from archives made by
# hand, hostile ones among them, and on what programs did on a mount. As root also once more as an
# ordinary user.
. "$(dirname "$0")/lib.sh"
requires sft python3 tar

probe=$T/probe
: >"$probe"
python3 -c 'import os,sys; os.setxattr(sys.argv[1], "user.t", b"1")' "$probe" 2>/dev/null ||
    skip "no extended attributes in $T"
if ! sft overlay import "$T/none" 2>&1 | grep -q 'No such file'; then
    skip "built without libarchive"
fi
XDG_DATA_HOME=$T/data
export XDG_DATA_HOME

src=$T/src
mkdir -p "$src/Data/Sub" "$src/Program" "$src/Empty"
echo hello >"$src/ReadMe.txt"
seq 60000 >"$src/Data/seq.txt"
echo deep >"$src/Data/Sub/deep.txt"
echo other >"$src/Data/other.txt"
: >"$src/Program/nothing"
echo MZ >"$src/Program/app.exe"
python3 -c 'import random,sys
random.seed(7); sys.stdout.buffer.write(random.randbytes(300000))' >"$src/Data/big.bin"
find "$src" -exec touch -d '2012-03-04 05:06:07 UTC' {} +
guid=11111111-2222-3333-4444-555555555555
GUID=$guid
P=$T/p.sft
pack "$src" "$P" --guid "$guid" --name Example
default=$T/data/sftfs/overlays/$GUID

# json EXPRESSION: of d, the JSON document in $T/out
json() {
    python3 -m json.tool "$T/out" >/dev/null || die "no valid JSON"
    python3 -c 'import json,sys
d = json.load(open(sys.argv[1], encoding="utf-8"))
print(eval(sys.argv[2]))' "$T/out" "$1" || die "not what was expected: $1"
}

# Changes of the last --json as "A a; R b>c", whichever command it was.
changes() {
    json '"; ".join(("M" if c["change"] == "changed" else "T" if c["change"] == "attributes" else
        c["change"][0].upper()) + " " + (c["from"] + ">" if "from" in c else "") + c["path"]
        for c in d.get("changes", d.get("entries", d.get("reset"))))'
}

# archive FILE PYTHON: a tar archive; PYTHON calls file(), folder(), link(), hard(), node(), info()
archive() {
    python3 - "$1" "$guid" "$2" <<'PY' || die "cannot make $1"
import io, sys, tarfile
t = tarfile.open(sys.argv[1], "w", format=tarfile.PAX_FORMAT)
def add(name, kind, data=b"", mode=0o644, x={}, target="", **more):
    i = tarfile.TarInfo(name)
    i.type, i.mode, i.mtime, i.linkname, i.size = kind, mode, 1330000000, target, len(data)
    i.pax_headers = {"SCHILY.xattr." + k: v for k, v in x.items()}
    for k, v in more.items():
        setattr(i, k, v)
    t.addfile(i, io.BytesIO(data))
def file(name, data=b"", **k): add(name, tarfile.REGTYPE, data, **k)
def folder(name, **k): add(name, tarfile.DIRTYPE, mode=k.pop("mode", 0o755), **k)
def link(name, target, **k): add(name, tarfile.SYMTYPE, target=target, **k)
def hard(name, target, **k): add(name, tarfile.LNKTYPE, target=target, **k)
def info(guid=sys.argv[2], extra=""):
    file("overlay", ("format: 1\npackage: %s\npackage-name: Example\nsource: \n%s" %
                     (guid.upper(), extra)).encode())
def begin():
    info(); folder("files"); folder("maps")
W = {"user.overlay.whiteout": "y"}
exec(sys.argv[3])
t.close()
PY
}

step "import: a new overlay at the default place"
archive "$T/good.tar" '
begin()
file("files/new.txt", b"new\n", x={"user.sftfs.test": "reserved", "user.mine": "v"})
folder("files/Data", x={"user.overlay.opaque": "x"})
file("files/Data/OTHER.TXT", x=W)
hard("files/Program", "files/Data/OTHER.TXT")
file("files/Hello.txt", b"hello\n", x={"user.sftfs.origin": "/ReadMe.txt"})
file("files/ReadMe.txt", x=W)
folder("files/Links")
link("files/Links/up", "../new.txt")
'
expect_status 0 sft overlay import --json "$T/good.tar"
expect_equal "$(json 'd["overlay"], d["entries"], d["bytes"]')" "('$default', 11, 10)"
[ -d "$default/files/Links" ] || die "the overlay is not at its default place"
expect_equal "$(ls "$T/data/sftfs/overlays")" "$GUID" "leftovers"

step "ls, status"
expect_status 0 sft overlay ls "$P"
cat >"$T/want" <<'LIST'
D Data/OTHER.TXT
R ReadMe.txt -> Hello.txt
A Links/
A Links/up
A new.txt
D Program/
LIST
diff "$T/want" "$T/out" || die "ls"
expect_status 0 sft overlay ls -l "$P"
expect_text "$T/out" '^A +4  new\.txt$'
expect_text "$T/out" '^D +6  Data/OTHER\.TXT$'
expect_status 0 sft overlay ls --json "$P"
expect_equal "$(changes)" \
    "D Data/OTHER.TXT; R ReadMe.txt>Hello.txt; A Links; A Links/up; A new.txt; D Program"
expect_equal "$(json '[e["type"] for e in d["entries"]], d["package_guid"]')" \
    "(['file', 'file', 'directory', 'symlink', 'file', 'directory'], '$GUID')"
expect_status 0 sft overlay status --json "$P"
expect_equal "$(json '[d[k] for k in ("added", "changed", "deleted", "renamed", "attributes", "bytes")]')" \
    "[3, 0, 2, 1, 0, 10]"
expect_equal "$(json 'd["overlay"], d["in_use"], d["unclean"], d["package_known"], d["package"]["name"], d["package"]["guid"]')" \
    "('$default', False, False, True, 'Example', '$GUID')"
expect_status 0 sft overlay status --overlay "$default"
expect_text "$T/out" '^Deleted: +2$'
expect_text "$T/out" '^In use: +no$'
expect_text "$T/out" '^Last used with: +unknown$'

step "what is needed and missing"
expect_status 3 sft overlay status --overlay "$T/nowhere"
expect_text "$T/err" 'there is no overlay here'
expect_status 3 sft overlay ls --json --overlay "$T/nowhere"
expect_equal "$(json 'd["error"]["kind"]')" not-found
expect_status 2 sft overlay diff --overlay "$default"
expect_text "$T/err" 'does not say where its package is'
expect_status 2 sft overlay
expect_status 2 sft overlay frobnicate
expect_text "$T/err" "unknown command 'frobnicate'"
expect_status 2 sft overlay status
expect_text "$T/err" 'needs a SOURCE or --overlay'
expect_status 2 sft overlay status --all "$P"
expect_text "$T/err" "all has no effect on 'sft overlay status'"
expect_status 2 sft overlay export "$P" "$P" "$P"
expect_status 2 sft overlay export
expect_status 2 sft overlay reset "$P"
expect_status 2 sft overlay reset "$P" --all ReadMe.txt
pack "$src" "$T/foreign.sft" --guid 99999999-2222-3333-4444-555555555555
expect_status 9 sft overlay ls --overlay "$default" "$T/foreign.sft"
expect_status 3 sft overlay ls "$T/foreign.sft"

step "export, import, the same again"
expect_status 0 sft overlay diff --json "$P"
expect_equal "$(json '[c.get("bytes_in_overlay") for c in d["changes"]]')" \
    "[0, 6, None, None, 4, None]"
cp "$T/out" "$T/before.json"
expect_status 0 sft overlay export --json "$P" "$T/e.tar"
expect_equal "$(json 'd["overlay"], d["archive"], d["package_guid"], d["entries"] > 8, d["bytes"] > 10')" \
    "('$default', '$T/e.tar', '$GUID', True, True)"
tar --xattrs --xattrs-include='user.*' -tvvf "$T/e.tar" >"$T/list" 2>"$T/err" || die "GNU tar cannot read it"
expect_text "$T/list" 'x: +6 user\.mine|x: +1 user\.mine'
expect_status 2 sft overlay export "$P" "$T/e.tar"
expect_text "$T/err" 'exists; --force'
expect_status 0 sft overlay export -f "$P" "$T/e.tar"
sft overlay export "$P" - >"$T/e2.tar" || die "export to standard output"
cmp "$T/e.tar" "$T/e2.tar" || die "to a file and to standard output differ"
expect_status 2 sft overlay export --json "$P" -
sft overlay import --overlay "$T/copy" - <"$T/e2.tar" >/dev/null || die "import from standard input"
expect_status 0 sft overlay diff --json --overlay "$T/copy" "$P"
sed "s,$T/copy,$default," "$T/out" | cmp - "$T/before.json" || die "the copy has other changes"
(cd "$default/files" && find . -printf '%P %y %s %l %m %T@\n' | sort) >"$T/a"
(cd "$T/copy/files" && find . -printf '%P %y %s %l %m %T@\n' | sort) >"$T/b"
diff "$T/a" "$T/b" || die "the copy differs"
expect_equal "$(ls "$T" | grep -c sft-)" 0 "temporary files"
if [ -c /dev/full ]; then
    sft overlay export "$P" - >/dev/full 2>"$T/err" && die "writing to /dev/full succeeds"
fi
expect_status 3 sft overlay export "$P" "$T/no/such/e.tar"

step "import over what is there"
expect_status 2 sft overlay import "$T/good.tar"
expect_text "$T/err" '--replace'
archive "$T/other.tar" 'begin(); file("files/only", b"1")'
expect_status 0 sft overlay import --replace "$P" "$T/other.tar"
expect_status 0 sft overlay ls "$P"
expect_equal "$(cat "$T/out")" "A only"
expect_equal "$(ls -A "$T/data/sftfs/overlays")" "$GUID" "leftovers"
expect_status 9 sft overlay import --replace "$T/foreign.sft" "$T/good.tar"
archive "$T/wrong.tar" 'info("99999999-2222-3333-4444-555555555555"); folder("files")'
expect_status 9 sft overlay import --replace --overlay "$default" "$T/wrong.tar"
mkdir "$T/hollow" "$T/full"
: >"$T/full/file"
expect_status 0 sft overlay import --overlay "$T/hollow" "$T/other.tar"
[ -f "$T/hollow/files/only" ] || die "an empty directory is not taken"
expect_status 2 sft overlay import --overlay "$T/full" "$T/other.tar"
expect_equal "$(ls -A "$T/full")" file

step "hostile archives"
# refused STATUS REGEX PYTHON
refused() {
    archive "$T/bad.tar" "$3"
    expect_status "$1" sft overlay import --overlay "$T/bad/o" "$T/bad.tar"
    expect_text "$T/err" "$2"
    expect_equal "$(ls -A "$T/bad")" "" "left behind after: $3"
    # What is there stays.
    expect_status "$1" sft overlay import --replace "$P" "$T/bad.tar"
    expect_equal "$(cat "$default/files/only")" 1
    expect_equal "$(ls -A "$T/data/sftfs/overlays")" "$GUID" "leftovers"
}
mkdir "$T/bad"
echo mine >"$T/outside"
refused 1 'absolute' "begin(); file('$T/evil', b'x')"
refused 1 'out of the overlay' 'begin(); file("../evil", b"x")'
refused 1 'out of the overlay' 'begin(); file("files/../../evil", b"x")'
refused 1 'out of the overlay' 'begin(); folder("files/.."); file("files/../evil")'
refused 1 'outside; --unsafe-links' "begin(); link('files/l', '/etc')"
refused 1 'outside; --unsafe-links' 'begin(); link("files/l", "..")'
refused 1 'outside; --unsafe-links' 'begin(); folder("files/d"); link("files/d/l", "x/../../..")'
refused 1 'outside; --unsafe-links' 'begin(); folder("files/d"); link("files/d/l", "x/../y")'
refused 1 'not a directory but a link' \
    'begin(); folder("files/d"); link("files/l", "d"); file("files/l/x", b"x")'
refused 1 'device' 'begin(); add("files/sda", tarfile.BLKTYPE, devmajor=8, devminor=0)'
refused 1 'device' 'begin(); add("files/null", tarfile.CHRTYPE, devmajor=1, devminor=3)'
refused 5 'no part of an overlay' 'begin(); file("lock", b"x")'
refused 5 'no part of an overlay' 'begin(); file("maps/../x" if 0 else "maps/x", b"x")'
refused 5 'no part of an overlay' 'begin(); file("work/x", b"x")'
refused 5 'no part of an overlay' 'begin(); file("overlay", b"x")'
refused 5 'is no directory' 'info(); link("files", "/etc")'
refused 5 'is no directory' 'info(); file("maps", b"x")'
refused 5 'is no file' 'begin(); link("maps/0000000000000001", "/etc/passwd")'
refused 1 'absolute' "begin(); hard('files/h', '$T/outside')"
refused 1 'out of the overlay' 'begin(); hard("files/h", "files/../../../outside")'
refused 5 'no part of an overlay|not possible' 'begin(); hard("files/h", "overlay")'
refused 5 'not possible' 'begin(); file("maps/0000000000000001", b"x"); hard("files/h", "maps/0000000000000001")'
refused 5 'no file before it' 'begin(); hard("files/h", "files/later"); file("files/later")'
refused 5 'twice' 'begin(); file("files/a", b"1"); file("files/a", b"2")'
refused 5 'twice' 'begin(); file("files/a"); folder("files/a")'
refused 5 "the file 'overlay'|overlay" 'file("overlay", b"nonsense"); folder("files")'
refused 4 'does not come first' 'folder("files"); info()'
refused 5 'not of its form' \
    'begin(); file("files/f", b"x", x={"user.sftfs.partial": "1 size=5 content=zz map=none path=/a"})'
refused 5 '.' 'begin(); file("files/f", b"x" * 300000, x={"user.sftfs.partial":
    "1 size=300000 content=00112233445566778899aabbccddeeff map=0000000000000009 path=/Data/big.bin"})'
[ ! -e "$T/evil" ] || die "a file outside was made"
expect_equal "$(cat "$T/outside")" mine

archive "$T/cut.tar" 'begin(); file("files/f", b"x" * 100000)'
head -c 60000 "$T/cut.tar" >"$T/bad.tar"
expect_status 5 sft overlay import --overlay "$T/bad/o" "$T/bad.tar"
expect_equal "$(ls -A "$T/bad")" "" "left behind"
echo text >"$T/bad.tar"
expect_status 4 sft overlay import --json --overlay "$T/bad/o" "$T/bad.tar"
expect_equal "$(json 'd["error"]["kind"]')" unsupported
gzip -c "$T/good.tar" >"$T/bad.tar.gz"
expect_status 4 sft overlay import --overlay "$T/bad/o" "$T/bad.tar.gz"
expect_text "$T/err" 'decompress'
: >"$T/bad.tar"
expect_status 4 sft overlay import --overlay "$T/bad/o" "$T/bad.tar"
expect_equal "$(ls -A "$T/bad")" "" "left behind"

archive "$T/links.tar" "begin(); link('files/l', '/etc'); file('files/suid', b'x', mode=0o6755)"
expect_status 0 sft overlay import --unsafe-links --overlay "$T/bad/o" "$T/links.tar"
expect_equal "$(readlink "$T/bad/o/files/l")" /etc
expect_equal "$(stat -c %a "$T/bad/o/files/suid")" 755

step "reset by hand"
expect_status 0 sft overlay import --replace "$P" "$T/good.tar"
expect_status 3 sft overlay reset "$P" Data/seq.txt
expect_text "$T/err" 'nothing is changed there'
expect_status 0 sft overlay reset --dry-run --json "$P" hello.TXT
expect_equal "$(changes)" "R ReadMe.txt>Hello.txt"
expect_equal "$(json 'd["dry_run"]')" True
expect_status 2 sft overlay reset "$P" readme.txt
expect_text "$T/err" 'is Hello.txt now'
expect_status 0 sft overlay reset --overlay "$default" hello.TXT 'data\other.txt'
expect_status 0 sft overlay ls --json "$P"
expect_equal "$(changes)" "A Links; A Links/up; A new.txt; D Program"
expect_status 0 sft overlay reset --all --json "$P"
expect_equal "$(changes)" "A Links; A Links/up; A new.txt; D Program"
expect_status 0 sft overlay ls "$P"
expect_equal "$(cat "$T/out")" ""
expect_equal "$(find "$default/files" "$default/maps" -mindepth 1)" ""
