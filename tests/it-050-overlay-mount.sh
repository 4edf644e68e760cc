#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Changing files on a mount with an overlay, as root and as an ordinary user: what programs do, other
# spellings of names, what it costs, what stays after unmounting, what happens when the disk is full.
# formats: sft appv
. "$(dirname "$0")/lib.sh"
private_mounts "$0" "$@"
need_fuse
requires python3 setpriv fusermount3 timeout

limit=120 # seconds after which something is taken to hang
checks="basic modes renames links unlinked spellings spelling_renames spelling_race blocks mmap direct
    locks holes copy_range xattrs fsync many threads"

src=$T/src
python3 - "$src" <<'PY' || die "no tree"
import os, random, sys
rng = random.Random(50)
files = {
    'basic/file': 5000, 'basic/other': 100, 'basic/gone': 10,
    'ren/a': 3000, 'ren/b': 10, 'ren/c': 20000, 'ren/dir/deep/file': 1000, 'links/one': 70000,
    'unl/package': 100000, 'case/readme.txt': 50, 'case/b': 10, 'case/sub/file': 10,
    'case2/name.txt': 5000, 'case2/Dir/inside': 10, 'case2/a': 10, 'case2/b': 20, 'case2/c': 30,
    'big/append': 5000001, 'big/middle': 3000000, 'big/whole': 300000, 'map/file': 200000,
    'direct/file': 100000, 'holes-package': 100000, 'copy/file': 300000, 'xat/file': 5000,
    'sync/untouched': 100, 'thr/shared': 100000, 'full/file': 3000000, 'spare': 10,
}
for n in range(30):
    files['tree/d%d/e/f%d' % (n % 5, n)] = n * 100
for name, size in files.items():
    path = os.path.join(sys.argv[1], name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'wb') as f:
        f.write(rng.randbytes(size))
PY
pack "$src" "$T/p.sft" --block-size 64 --level 1
m=$T/mnt

overlay_place=$T
can_have_attributes() {
    python3 -c 'import os, sys; os.setxattr(sys.argv[1], "user.sftfs-test", b"1")' "$1" 2>/dev/null
}
can_have_attributes "$overlay_place" || skip "no extended attributes in $T"

# Names, inode numbers, types, modes, sizes and sums of everything.
picture() {
    (cd "$1" && find . -printf '%y %m %i %n %P %l\n' | sort -k 5 &&
        find . -type f -print0 | sort -z | xargs -0 sha256sum)
}

# run_checks [COMMAND...]: through COMMAND
run_checks() {
    # shellcheck disable=SC2086
    "$@" timeout $limit python3 "$SFTFS_SRC/tests/overlay-checks.py" "$m" "$src" "$ov" $checks \
        >"$T/checks" 2>&1 || {
        tail -n 30 "$T/checks"
        die "a check failed"
    }
}

step "everything, as root"
ov=$T/ov-root
mount_package "$T/p.sft" "$m" -o "overlay=$ov"
run_checks
picture "$m" >"$T/before"

step "after mounting again all is as it was, inode numbers too"
unmount "$m"
mount_package "$T/p.sft" "$m" -o "overlay=$ov"
picture "$m" >"$T/after"
cmp "$T/before" "$T/after" || { diff "$T/before" "$T/after" | head; die "changed by mounting again"; }

step "a daemon that was killed loses nothing"
echo acknowledged >"$m/killed"
printf 'XYZ' | dd of="$m/spare" bs=1 seek=4 conv=notrunc 2>"$T/dd" || die "cannot write"
picture "$m" >"$T/before"
kill -KILL $(daemons)
umount "$m" || die "cannot unmount after the daemon was killed"
mount_package "$T/p.sft" "$m" -o "overlay=$ov"
picture "$m" >"$T/after"
cmp "$T/before" "$T/after" || { diff "$T/before" "$T/after" | head; die "changed by being killed"; }
unmount "$m"

step "read-only: the changes show, nothing can be changed"
mount_package "$T/p.sft" "$m" -o "ro,overlay=$ov"
expect_equal "$(cat "$m/killed")" acknowledged
expect_status 1 touch "$m/new"
expect_text "$T/err" 'Read-only'
expect_status 1 rm "$m/spare"
unmount "$m"

step "an upper layer that cannot be written"
mkdir "$T/locked"
mount --bind "$ov" "$T/locked" && mount -o remount,bind,ro "$T/locked" || die "cannot bind"
mount_package "$T/p.sft" "$m" -o "overlay=$T/locked"
expect_equal "$(cat "$m/killed")" acknowledged
expect_status 1 touch "$m/new"
expect_text "$T/err" 'Read-only'
unmount "$m"
umount "$T/locked"

step "a full disk: the error is told, what is there stays"
mkdir "$T/small"
mount -t tmpfs -o size=3m none "$T/small" || die "cannot mount a tmpfs"
if can_have_attributes "$T/small"; then
    ov=$T/small/ov
    mount_package "$T/p.sft" "$m" -o "overlay=$ov"
    echo kept >"$m/kept"
    python3 - "$m" "$src" <<'PY' || die "on a full disk"
import errno, os, sys
m, src = sys.argv[1:]
with open(src + '/full/file', 'rb') as f:
    want = bytearray(f.read())
fd, done, full = os.open(m + '/filler', os.O_WRONLY | os.O_CREAT, 0o644), 0, False
try:
    while done < 10 << 20:
        done += os.write(fd, b'f' * 100000)
except OSError as e:
    full = e.errno == errno.ENOSPC
assert full, 'no ENOSPC'
assert os.fstat(fd).st_size == done, (os.fstat(fd).st_size, done)
fd2 = os.open(m + '/full/file', os.O_RDWR)
try:
    for off in range(100, 2000000, 50000):
        n = os.pwrite(fd2, b'n' * 5000, off)
        want[off:off + n] = b'n' * n
    sys.exit('no ENOSPC')
except OSError as e:
    assert e.errno == errno.ENOSPC, e
os.posix_fadvise(fd2, 0, 0, os.POSIX_FADV_DONTNEED)
assert os.pread(fd2, len(want), 0) == want, 'bytes lost'
os.ftruncate(fd, 0)
os.pwrite(fd2, b'again', 2500000)
want[2500000:2500005] = b'again'
assert os.pread(fd2, len(want), 0) == want, 'bytes lost'
with open(m + '/kept') as f:
    assert f.read() == 'kept\n'
PY
    unmount "$m"
else
    echo "   left out: no extended attributes on tmpfs"
fi
umount "$T/small"

step "names are exact: other spellings are other files"
ov=$T/ov-exact
mount_package "$T/p.sft" "$m" -o "case_sensitive,overlay=$ov"
echo 1 >"$m/name"
[ ! -e "$m/NAME" ] || die "found by another spelling"
echo 2 >"$m/NAME"
expect_equal "$(cat "$m/name" "$m/NAME" | tr -d '\n')" 12
mv "$m/NAME" "$m/Name"
expect_equal "$(cat "$m/name" "$m/Name" | tr -d '\n')" 12
unmount "$m"

step "other users, where they are let in"
ov=$T/ov-other
mount_package "$T/p.sft" "$m" -o "allow_other,overlay=$ov"
chmod 1777 "$m"
as_user sh -c "echo theirs >'$m/theirs' && chmod 4755 '$m/theirs'" || die "another user cannot write"
expect_equal "$(stat -c '%u %a' "$m/theirs")" "65534 4755"
as_user sh -c "echo more >>'$m/theirs'" || die "another user cannot append"
expect_equal "$(stat -c '%u %a' "$m/theirs")" "65534 755" "after a write"
echo ours >"$m/ours"
as_user rm -f "$m/ours" 2>/dev/null && die "another user removed a file in a sticky directory"
as_user sh -c "echo >>'$m/ours'" 2>/dev/null && die "another user wrote to a file"
as_user mv "$m/theirs" "$m/OURS" 2>/dev/null && die "another user replaced a file by another spelling"
expect_equal "$(cat "$m/ours")" ours
unmount "$m"

step "everything, as an ordinary user"
open_dev_fuse
ov=$T/ov-user
mkdir "$T/um" "$ov"
chown 65534:65534 "$T/um" "$ov"
m=$T/um
as_user_suid env PATH="$PATH" sftfs "$T/p.sft" "$m" -o "overlay=$ov" >"$T/out" 2>&1 || {
    cat "$T/out"
    die "an ordinary user cannot mount"
}
run_checks as_user_suid
as_user_suid fusermount3 -u "$m" || die "an ordinary user cannot unmount"
wait_for 20 no_daemon_for "$m" || die "the daemon did not end"

# Only programs built for the crash tests can be told to.
if sftfs --crash-points >"$T/points" 2>/dev/null; then
    step "as on kernels that cannot forget all names at once"
    m=$T/mnt
    ov=$T/ov-old
    checks=$(echo "$checks" | sed 's/spelling_race//')
    SFTFS_NO_EPOCH=1
    export SFTFS_NO_EPOCH
    mount_package "$T/p.sft" "$m" -o "overlay=$ov"
    run_checks env OVERLAY_CHECKS_WAIT=1
    unmount "$m"
fi
exit 0
