#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# A mounted package is the packed directory: content, attributes, identities, names by any spelling.
# formats: sft appv
. "$(dirname "$0")/lib.sh"
need_fuse
requires python3

src=$T/src
mkdir -p "$src/Program Files/App" "$src/Übung" "$src/empty dir"
printf 'one\n' >"$src/Program Files/App/Main.EXE"
printf 'two\n' >"$src/Program Files/App/Long Library Name.dll"
printf 'three\n' >"$src/Übung/Ärger Straße.txt"
: >"$src/empty"
head -c 200000 /dev/urandom >"$src/random.bin"
cp "$src/random.bin" "$src/same.bin"
for n in 1 4095 4096 4097 65535 65536 65537; do
    yes "line of $n" | head -c "$n" >"$src/size-$n"
done
i=0
while [ $i -lt 600 ]; do
    echo $i >"$src/Übung/Entry $i"
    i=$((i + 1))
done
find "$src" -exec touch -d '2011-12-13 14:15:16.1234567 UTC' {} +
pack "$src" "$T/p.sft" --guid 12345678-1234-1234-1234-123456789abc
m=$T/mnt
mount_package "$T/p.sft" "$m" -o umask=022

step "the tree is the same"
diff -r "$src" "$m" || die "trees differ"
python3 "$SFTFS_SRC/tests/tree.py" compare "$src" "$m" 022 || die "attributes differ"

step "inode numbers: unique, readdir's are stat's, the same for a second mount"
python3 "$SFTFS_SRC/tests/tree.py" identities "$m" >"$T/ino1" || die "identities"
mount_package "$T/p.sft" "$T/mnt2"
python3 "$SFTFS_SRC/tests/tree.py" identities "$T/mnt2" >"$T/ino2" || die "identities"
cmp "$T/ino1" "$T/ino2" || die "inode numbers differ between mounts"
unmount "$T/mnt2"

step "statfs"
expect_equal "$(stat -f -c '%s %S %l' "$m")" "4096 4096 255" "block size, fragment size, name length"
[ "$(stat -f -c %b "$m")" -gt 0 ] || die "statfs reports no blocks"

step "lookups by another spelling find the same node"
same() {
    [ "$(stat -c %i "$m/$1")" = "$(stat -c %i "$m/$2")" ] || die "$2 is not $1"
}
same "Program Files/App/Main.EXE" "PROGRAM FILES/app/main.exe"
same "Übung/Ärger Straße.txt" "übung/ÄRGER STRAßE.TXT"
python3 "$SFTFS_SRC/tests/tree.py" variants "$m" 7 || die "spellings"

step "8.3 names are found, and not listed"
same "Program Files" "PROGRA~1"
same "Program Files/App/Long Library Name.dll" "progra~1/APP/longli~1.DLL"
ls "$m" | grep -q '~' && die "an 8.3 name is listed"

step "what is not there is not there, again and again"
for name in "nothing" "Program Files/App/Main.EX" "PROGRA~2" "Übung/Ärger Strasse.txt" "empty/x"; do
    for again in 1 2; do
        stat "$m/$name" >/dev/null 2>&1 && die "found: $name"
    done
done

step "the listing has the package's spelling, after lookups by another one"
stat "$m/RANDOM.BIN" >/dev/null
ls "$m" | grep -qx random.bin || die "random.bin is not listed so"
find "$m" -mindepth 1 -printf '%P\n' | sort >"$T/listed"
find "$src" -mindepth 1 -printf '%P\n' | sort | diff - "$T/listed" || die "spellings differ"

step "writing is refused with EROFS, and the modes keep their w"
expect_equal "$(stat -c %a "$m/random.bin")" 644 "mode"
python3 - "$m" <<'PY' || die "errno"
import errno, os, sys
top = sys.argv[1]
f = os.path.join(top, 'random.bin')
attempts = {
    'create': lambda: os.open(os.path.join(top, 'new'), os.O_CREAT | os.O_WRONLY),
    'open for writing': lambda: os.open(f, os.O_WRONLY),
    'truncate': lambda: os.truncate(f, 0),
    'unlink': lambda: os.unlink(f),
    'mkdir': lambda: os.mkdir(os.path.join(top, 'newdir')),
    'rmdir': lambda: os.rmdir(os.path.join(top, 'empty dir')),
    'rename': lambda: os.rename(f, os.path.join(top, 'other')),
    'chmod': lambda: os.chmod(f, 0o600),
    'utime': lambda: os.utime(f),
    'symlink': lambda: os.symlink('x', os.path.join(top, 'link')),
    'link': lambda: os.link(f, os.path.join(top, 'hard')),
}
bad = 0
for what, attempt in attempts.items():
    try:
        attempt()
        got = 'success'
    except OSError as e:
        got = errno.errorcode[e.errno]
    if got != 'EROFS':
        print(what, 'gives', got)
        bad = 1
sys.exit(bad)
PY

step "memory mapping and reads at odd places"
python3 - "$src/random.bin" "$m/random.bin" <<'PY' || die "reads differ"
import mmap, random, sys
a, b = open(sys.argv[1], 'rb'), open(sys.argv[2], 'rb')
data = a.read()
m = mmap.mmap(b.fileno(), 0, access=mmap.ACCESS_READ)
rng = random.Random(5)
for _ in range(300):
    at = rng.randrange(len(data) + 10)
    n = rng.randrange(1, 70000)
    b.seek(at)
    if b.read(n) != data[at:at + n] or m[at:at + n] != data[at:at + n]:
        sys.exit('differs at %d, %d bytes' % (at, n))
PY
unmount "$m"

step "file system name and type, as mount(8) and df(1) show them"
mount_package "$T/p.sft" "$m" -o uid=1234,gid=2345,umask=027
line=$(awk -v m="$m" '$2 == m' /proc/mounts)
case $line in
*" fuse.sftfs ro,"*) ;;
*) die "/proc/mounts says: $line" ;;
esac
case $line in
*p.sft*) ;;
*) die "fsname does not name the package: $line" ;;
esac
step "uid=, gid= and umask="
expect_equal "$(stat -c '%u %g %a' "$m/random.bin")" "1234 2345 640" "file"
expect_equal "$(stat -c '%u %g %a' "$m/Program Files")" "1234 2345 750" "directory"
expect_equal "$(stat -c %a "$m/Program Files/App/Main.EXE")" 750 "program"
unmount "$m"

step "case_sensitive"
mount_package "$T/p.sft" "$m" -o case_sensitive
stat "$m/random.bin" >/dev/null || die "the exact name is not found"
stat "$m/Random.bin" >/dev/null 2>&1 && die "found by another case"
unmount "$m"

if [ "$(id -u)" -eq 0 ]; then
    step "file handles, as an NFS server uses them, outlive the kernel's caches"
    mount_package "$T/p.sft" "$m"
    python3 - "$m" size-4097 "Program Files/App/Main.EXE" "Program Files" <<'PY' || die "handles"
import ctypes, os, sys
class Handle(ctypes.Structure):
    _fields_ = [('size', ctypes.c_uint), ('type', ctypes.c_int), ('data', ctypes.c_ubyte * 128)]
libc = ctypes.CDLL(None, use_errno=True)
top = os.open(sys.argv[1], os.O_RDONLY)
for name in sys.argv[2:]:
    handle, mount = Handle(size=128), ctypes.c_int()
    want = os.stat(name, dir_fd=top).st_ino
    if libc.name_to_handle_at(top, name.encode(), ctypes.byref(handle), ctypes.byref(mount), 0):
        sys.exit('%s: no handle: %s' % (name, os.strerror(ctypes.get_errno())))
    with open('/proc/sys/vm/drop_caches', 'w') as f:
        f.write('2')
    fd = libc.open_by_handle_at(top, ctypes.byref(handle), os.O_RDONLY)
    if fd < 0:
        sys.exit('%s: handle refused: %s' % (name, os.strerror(ctypes.get_errno())))
    if os.fstat(fd).st_ino != want:
        sys.exit('%s: another node' % name)
    os.close(fd)
PY
    unmount "$m"

    step "other users are kept out without allow_other, and let in with it"
    requires setpriv
    chmod 755 "$T"
    mount_package "$T/p.sft" "$m"
    as_user ls "$m" >/dev/null 2>&1 && die "another user got in"
    unmount "$m"
    mount_package "$T/p.sft" "$m" -o allow_other,umask=022
    as_user cat "$m/size-4097" | cmp - "$src/size-4097" || die "another user cannot read"
    unmount "$m"
fi
