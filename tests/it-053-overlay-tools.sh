#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# sft overlay status, ls, diff, export, import, apply and reset: on overlays from archives made by
# hand, hostile ones among them, and on what programs did on a mount. As root also once more as an
# ordinary user.
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" -ne 0 ] || private_mounts "$0" "$@"
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
echo secret >"$src/hidden.ini"
python3 -c 'import os,sys; os.setxattr(sys.argv[1], "user.DOSATTRIB", b"0x2")' "$src/hidden.ini"
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
expect_status 2 sft overlay export "$P"
expect_text "$T/err" 'needs a SOURCE or --overlay=DIR besides TAR'
expect_status 2 sft overlay status --overlay= "$P"
expect_text "$T/err" 'overlay needs a directory'
expect_status 2 sft overlay status "$default"
expect_text "$T/err" "an overlay is named with --overlay=$default"
expect_status 2 sft overlay status "--overlay=$src"
expect_text "$T/err" 'is no overlay$'
expect_status 3 sft overlay apply "$P" "$T/no/where"
expect_text "$T/err" "$T/no/where: No such"
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
if [ "$(id -u)" -ne 0 ]; then
    chmod a-w "$T/copy"/* "$T/copy"
    expect_status 0 sft overlay export --overlay "$T/copy" "$T/read-only.tar"
    expect_status 7 sft overlay reset --overlay "$T/copy" new.txt
    chmod u+w "$T/copy"/* "$T/copy"
fi

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

step "an import that is interrupted leaves what was there"
archive "$T/big.tar" 'begin(); [file("files/f%d" % i, b"x" * 100000) for i in range(30)]'
mkfifo "$T/pipe"
sft overlay import --replace "$P" - <"$T/pipe" >"$T/out" 2>"$T/err" &
import=$!
{
    head -c 1000000 "$T/big.tar"
    kill -TERM $import
    sleep 0.3
    tail -c +1000001 "$T/big.tar"
} >"$T/pipe"
wait $import
expect_equal $? 130 "exit status of an interrupted import"
expect_equal "$(ls -A "$T/data/sftfs/overlays")" "$GUID" "leftovers"
expect_equal "$(ls -A "$default/files")" ""

# ---- what programs do on a mount ----

if [ ! -r /dev/fuse ] || [ ! -w /dev/fuse ] || ! command -v sftfs >/dev/null; then
    echo "no /dev/fuse: the part with mounts is left out"
    exit 0
fi
requires fusermount3
m=$T/m

# listing DIR: everything but what a file system decides, and times of directories
listing() {
    (cd "$1" && find . -type d -printf 'd %m %P\n' -o -printf '%y %m %s %T@ %P %l\n' | sort -k 2 &&
        find . -type f -print0 | sort -z | xargs -0 sha256sum)
}

step "changes on a mount"
mount_package "$P" "$m" -o overlay
echo new >"$m/new.txt"
mkdir "$m/Things"
echo 1 >"$m/Things/one"
printf X | dd of="$m/data/BIG.bin" bs=1 seek=10000 conv=notrunc 2>/dev/null
rm "$m/data/OTHER.txt"
mv "$m/ReadMe.txt" "$m/Hello.txt"
mv "$m/Data/Sub" "$m/Moved"
echo more >"$m/Moved/more.txt"
rm -r "$m/Program"
touch -d '2013-01-01 UTC' "$m/Data/seq.txt"
chmod 640 "$m/hidden.ini"
truncate -s 5000000 "$m/hole"
ln "$m/new.txt" "$m/Things/linked"
ln -s new.txt "$m/symlink"
expect_status 0 sft overlay diff --bytes --json "$P"
expect_equal "$(changes)" "M Data/big.bin; D Data/other.txt; T Data/seq.txt; R ReadMe.txt>Hello.txt; \
T hidden.ini; A hole; R Data/Sub>Moved; A Moved/more.txt; A new.txt; D Program; A symlink; A Things; \
A Things/linked; A Things/one"
expect_equal "$(json '[(c["bytes_in_overlay"], c["bytes_differing"], c["old_size"]) for c in d["changes"] if c["change"] == "changed"]')" \
    "[(4096, 1, 300000)]"
expect_equal "$(json '[c.get("link_of") for c in d["changes"] if c["path"] == "Things/linked"]')" "['new.txt']"
cp "$T/out" "$T/before.json"
expect_status 0 sft overlay diff "$P"
expect_text "$T/out" '^changed    Data/big\.bin \(4096 of 300000 bytes in the overlay\)$'
expect_text "$T/out" '^renamed    Data/Sub -> Moved/$'
expect_text "$T/out" '^added      new\.txt \(4 bytes\)$'
expect_text "$T/out" '^added      Things/linked \(the same file as new\.txt\)$'
expect_status 0 sft overlay diff --bytes "$P"
expect_text "$T/out" '^changed    Data/big\.bin \(1 byte differs\)$'

step "while it is mounted"
expect_status 0 sft overlay status --json "$P"
expect_equal "$(json 'd["in_use"], d["holder"]["mountpoint"], d["renamed"], d["partial_files"] > 2')" \
    "(True, '$m', 2, True)"
expect_status 0 sft overlay status --overlay "$default"
expect_text "$T/out" "^In use: .* mounted on $m since"
expect_status 8 sft overlay export "$P" "$T/m.tar"
expect_text "$T/err" "in use by process [0-9]+ .*$m"
expect_status 8 sft overlay apply "$P" "$T/tree"
expect_status 8 sft overlay reset "$P" --all
expect_status 8 sft overlay reset --json "$P" new.txt
expect_equal "$(json 'd["error"]["kind"]')" busy
expect_status 8 sft overlay import --replace "$P" "$T/good.tar"
expect_equal "$(ls "$T" | grep -c 'm.tar\|^tree')" 0 "something was made"
listing "$m" >"$T/shown"
unmount "$m"

step "the package is where the overlay was last used with"
expect_status 0 sft overlay diff --bytes --json --overlay "$default"
cmp "$T/out" "$T/before.json" || die "other changes after unmounting"
mv "$P" "$T/away.sft"
expect_status 3 sft overlay diff --overlay "$default"
expect_text "$T/err" 'name the package as SOURCE'
expect_status 0 sft overlay status --json --overlay "$default"
expect_equal "$(json 'd["package_known"], d["renamed"], d["package"]["source"]')" "(False, 2, '$P')"
expect_status 0 sft overlay export --overlay "$default" "$T/m.tar"
expect_status 0 sft overlay reset -n --overlay "$default" new.txt
mv "$T/away.sft" "$P"

step "exported and imported elsewhere, it shows the same"
expect_status 0 sft overlay import --overlay "$T/copy2" "$T/m.tar"
expect_status 0 sft overlay diff --bytes --json --overlay "$T/copy2" "$P"
sed "s,$T/copy2,$default," "$T/out" | cmp - "$T/before.json" || die "the copy has other changes"
expect_equal "$(stat -c '%b' "$T/copy2/files/hole")" 0 "blocks of a hole"
[ "$(stat -c '%b' "$T/copy2/files/Data/big.bin")" -le 16 ] || die "a partial file lost its holes"
mount_package "$P" "$m" -o "overlay=$T/copy2"
listing "$m" >"$T/shown2"
unmount "$m"
diff "$T/shown" "$T/shown2" || die "the copy shows something else"
mkdir "$T/by-tar"
tar --xattrs --xattrs-include='user.*' -C "$T/by-tar" -xf "$T/m.tar" || die "GNU tar"
expect_status 0 sft overlay diff --bytes --json --overlay "$T/by-tar" "$P"
sed "s,$T/by-tar,$default," "$T/out" | cmp - "$T/before.json" || die "what GNU tar unpacked differs"

step "apply"
expect_status 0 sft overlay apply --json "$P" "$T/tree"
expect_equal "$(json 'd["files"], d["directories"], d["others"]')" "(9, 4, 1)"
listing "$T/tree" >"$T/applied"
diff "$T/shown" "$T/applied" || die "the tree differs from the mount"
expect_equal "$(python3 -c 'import os,sys; print(os.getxattr(sys.argv[1], "user.DOSATTRIB"))' \
    "$T/tree/hidden.ini")" "b'0x2'"
expect_equal "$(stat -c '%b' "$T/tree/hole")" 0 "blocks of a hole"
expect_equal "$(stat -c '%h' "$T/tree/new.txt")" 2 "links"
expect_status 2 sft overlay apply "$P" "$T/tree"
expect_text "$T/err" 'is not empty'
expect_status 2 sft overlay apply "$P" "$P"
mkdir "$T/empty"
expect_status 0 sft overlay apply --overlay "$default" "$T/empty/"
diff -r --no-dereference "$T/tree" "$T/empty" || die "the trees differ"
expect_equal "$(ls -d "$T"/*.sft-apply* 2>/dev/null)" "" "leftovers"

step "apply, pack --upgrade, extract and mount"
rm "$T/tree/symlink"
pack "$T/tree" "$T/p2.sft" --upgrade "$P"
expect_status 0 sft extract "$T/p2.sft" -C "$T/tree2"
diff -r "$T/tree" "$T/tree2" || die "the new version holds something else"
expect_status 2 sft overlay apply "$T/p2.sft" "$T/tree3"
expect_text "$T/err" 'last used with version 1'
mount_package "$T/p2.sft" "$m"
diff -r "$T/tree" "$m" || die "the new version shows something else"
unmount "$m"

step "reset of each kind"
cp -a "$default" "$T/spare"
# reset_one PATH LEFT: LEFT does not show any more
reset_one() {
    expect_status 0 sft overlay reset "$P" "$1"
    expect_status 0 sft overlay ls "$P"
    grep -q "$2" "$T/out" && die "still there after reset of $1: $2"
    return 0
}
reset_one DATA/big.BIN Data/big.bin
reset_one 'data\other.txt' Data/other.txt
reset_one Data/seq.txt Data/seq.txt
reset_one program Program
reset_one new.txt ' new.txt'
expect_status 0 sft overlay reset --json "$P" moved Things /hello.txt hidden.ini symlink hole
expect_equal "$(changes)" "R ReadMe.txt>Hello.txt; T hidden.ini; A hole; R Data/Sub>Moved; \
A Moved/more.txt; A symlink; A Things; A Things/linked; A Things/one"
expect_status 0 sft overlay ls "$P"
expect_equal "$(cat "$T/out")" "" "changes after everything was reset"
expect_equal "$(find "$default/maps" "$default/work" -mindepth 1 ! -name whiteout)" "" "leftovers"
mount_package "$P" "$m" -o overlay
diff -r "$src" "$m" || die "not as in the package after reset"
unmount "$m"
rm -r "$default"
mv "$T/spare" "$default"
expect_status 0 sft overlay reset "$P" --all
mount_package "$P" "$m" -o overlay
diff -r "$src" "$m" || die "not as in the package after reset --all"
unmount "$m"
expect_status 0 sft overlay status --json "$P"
expect_equal "$(json 'd["unclean"], d["bytes"], d["leftovers"]')" "(False, 0, 0)"

[ "$(id -u)" -eq 0 ] || exit 0
command -v setpriv >/dev/null || exit 0
step "all of it as an ordinary user"
open_dev_fuse
mkdir "$T/user"
chown 65534:65534 "$T/user"
as_user_suid env -u SFTFS_PRIVATE_MOUNTS TMPDIR="$T/user" HOME="$T/user" sh "$0" >"$T/user.out" 2>&1 || {
    tail -n 30 "$T/user.out"
    die "it fails for an ordinary user"
}
grep -q 'reset of each kind' "$T/user.out" || die "an ordinary user's part was left out"
exit 0
