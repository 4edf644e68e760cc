#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Where changes go: -o overlay in all its forms, sftmount --overlay, ro and rw; what is refused and
# what is said then. As root and as an ordinary user.
. "$(dirname "$0")/lib.sh"
private_mounts "$0" "$@"
need_fuse
requires sftmount python3 setpriv timeout

python3 -c 'import os, sys; os.setxattr(sys.argv[1], "user.sftfs-test", b"1")' "$T" 2>/dev/null ||
    skip "no extended attributes in $T"

guid=A5151515-2222-3333-4444-555555555555
other=B5151515-2222-3333-4444-555555555555
mkdir -p "$T/src/Sub" "$T/m" "$T/m2" "$T/tmp" "$T/run"
chmod 700 "$T/run"
echo hello >"$T/src/Sub/Hello.txt"
echo MZ >"$T/src/App.exe"
pack "$T/src" "$T/p.sft" --guid $guid --name Options
pack "$T/src" "$T/other.sft" --guid $other
XDG_RUNTIME_DIR=$T/run
XDG_DATA_HOME=$T/data
TMPDIR=$T/tmp
HOME=$T/home
export XDG_RUNTIME_DIR XDG_DATA_HOME TMPDIR HOME
mkdir "$HOME"

refused() { # refused STATUS REGEX COMMAND...
    rf_status=$1
    rf_text=$2
    shift 2
    expect_status "$rf_status" timeout -k 5 60 "$@"
    expect_text "$T/err" "$rf_text"
    not_mounted "$T/m2" || die "mounted all the same: $*"
}
mounted() { # mounted COMMAND...: at $T/m
    expect_status 0 timeout -k 5 60 "$@"
    is_mounted "$T/m" || die "not mounted: $*"
}
change() {
    echo "$1" >"$T/m/note" || die "cannot write a new file"
    echo "$1" >>"$T/m/sub/HELLO.txt" || die "cannot write a file of the package"
}
changed() {
    expect_equal "$(cat "$T/m/note")" "$1" "the new file"
    expect_equal "$(tr '\n' ' ' <"$T/m/Sub/Hello.txt")" "hello $1 " "the changed file"
}
gone() {
    [ -z "$(daemons)" ]
}
nothing_temporary() {
    [ -z "$(ls -A "$T/tmp")" ]
}
unchanged() {
    [ ! -e "$T/m/note" ] || die "changes are left"
    expect_equal "$(cat "$T/m/Sub/Hello.txt")" hello
}

step "no overlay: read-only"
for o in ro overlay=none "overlay=$T/ov,overlay=none" "overlay,overlay=none"; do
    mounted sftfs "$T/p.sft" "$T/m" -o "$o"
    (echo x >"$T/m/note") 2>/dev/null && die "$o: not read-only"
    unchanged
    unmount "$T/m"
done
[ ! -e "$T/ov" ] && [ ! -e "$T/data" ] || die "an overlay was made"
mounted sftfs "$T/p.sft" "$T/m" -o rw
expect_text "$T/err" 'read-only in spite of rw.*-o overlay'
unmount "$T/m"

step "overlay=DIR"
mounted sftfs "$T/p.sft" "$T/m" -o "overlay=$T/ov"
[ ! -s "$T/err" ] || die "messages: $(cat "$T/err")"
change one
changed one
grep " $T/m " /proc/self/mounts | grep -q '[ ,]rw,' || die "the mount is not rw"
unmount "$T/m"
expect_equal "$(cat "$T/ov/files/note")" one "the file in the overlay"
mounted sftfs "$T/p.sft" "$T/m" -o "overlay=$T/ov"
changed one
unmount "$T/m"
# A relative one is meant from where the command is given; a comma needs its backslash.
(cd "$T/home" && exec timeout 60 sftfs ../p.sft ../m -o 'overlay=here\,there') || die "relative"
change two
unmount "$T/m"
expect_equal "$(cat "$T/home/here,there/files/note")" two "the file in a relative overlay"
# Names that mean something need a slash.
(cd "$T/home" && exec timeout 60 sftfs ../p.sft ../m -o overlay=./none) || die "./none"
unmount "$T/m"
[ -d "$T/home/none/files" ] || die "overlay=./none is no directory"

step "the default place"
mounted sftfs "$T/p.sft" "$T/m" -o overlay
change three
unmount "$T/m"
expect_equal "$(ls "$T/data/sftfs/overlays" | tr a-f A-F)" "$guid"
mounted sftfs "$T/p.sft" "$T/m" -o overlay
changed three
unmount "$T/m"
unset XDG_DATA_HOME
mounted sftfs "$T/p.sft" "$T/m" -o overlay
unchanged
unmount "$T/m"
[ -d "$HOME/.local/share/sftfs/overlays" ] || die "no overlay in the home directory"
XDG_DATA_HOME=$T/data
export XDG_DATA_HOME

step "sftmount"
mounted sftmount --overlay "$T/p.sft" "$T/m"
changed three
unmount "$T/m"
mounted sftmount "--overlay=$T/ov" "$T/p.sft" "$T/m"
changed one
unmount "$T/m"
mounted sftmount --overlay=none -o rw "$T/p.sft" "$T/m"
unchanged
unmount "$T/m"
mounted sftmount -o "overlay=$T/ov" "$T/p.sft" "$T/m"
changed one
unmount "$T/m"
where=$(timeout 60 sftmount --overlay "$T/p.sft") || die "sftmount of its own mount point"
expect_equal "$(cat "$where/note")" three
expect_status 0 sftmount -u "$where"

step "temporary"
mounted sftfs "$T/p.sft" "$T/m" -o overlay=temporary
change four
changed four
[ -n "$(ls -A "$T/tmp")" ] || die "nothing in TMPDIR"
unmount "$T/m"
wait_for 20 nothing_temporary || die "left after unmounting: $(ls -A "$T/tmp")"
mounted sftmount --overlay=temporary "$T/p.sft" "$T/m"
unchanged
change five
# shellcheck disable=SC2046
kill -KILL $(daemons)
wait_for 20 gone || die "not killed"
[ -n "$(ls -A "$T/tmp")" ] || die "nothing is left of a killed daemon?"
mounted sftfs "$T/p.sft" "$T/m" -o overlay=temporary
unchanged
expect_equal "$(ls -A "$T/tmp" | wc -l)" 1 "temporary overlays"
unmount "$T/m"
wait_for 20 nothing_temporary || die "left after unmounting: $(ls -A "$T/tmp")"

step "ro shows changes and takes none"
mounted sftfs "$T/p.sft" "$T/m" -o "ro,overlay=$T/ov"
changed one
(echo x >"$T/m/note") 2>/dev/null && die "ro with an overlay: not read-only"
rm -f "$T/m/note" 2>/dev/null
changed one
grep " $T/m " /proc/self/mounts | grep -q '[ ,]ro,' || die "the mount is not ro"
unmount "$T/m"

step "one at a time"
mounted sftfs "$T/p.sft" "$T/m" -o "overlay=$T/ov"
daemon=$(daemons)
refused 8 "in use by process $daemon .*$T/m" sftfs "$T/p.sft" "$T/m2" -o "overlay=$T/ov"
refused 8 "in use by process $daemon .*$T/m" sftmount "--overlay=$T/ov" "$T/p.sft" "$T/m2"
ln -s ov "$T/link"
refused 8 "in use by process $daemon" sftfs "$T/p.sft" "$T/m2" -o "overlay=$T/link"
changed one
kill -KILL "$daemon"
wait_for 20 gone || die "not killed"
mounted sftfs "$T/p.sft" "$T/m" -o "overlay=$T/ov"
changed one
unmount "$T/m"

step "mounted again at once"
for n in 1 2 3 4 5 6 7 8 9 10; do
    mounted sftfs "$T/p.sft" "$T/m" -o "overlay=$T/again"
    echo "$n" >>"$T/m/Sub/Hello.txt"
    umount "$T/m" || die umount
done
expect_status 0 sft overlay reset --all "--overlay=$T/again"
mounted sftfs "$T/p.sft" "$T/m" -o "overlay=$T/again"
exec 7>"$T/m/open"
umount -l "$T/m" || die "umount -l"
refused 8 "which had it mounted on $T/m and waits for programs" \
    sftfs "$T/p.sft" "$T/m2" -o "overlay=$T/again"
exec 7>&-
wait_for 20 gone || die "the daemon does not end when the last file is closed"

step "an overlay that does not fit"
refused 9 "$guid.*$other|$other.*$guid" sftfs "$T/other.sft" "$T/m2" -o "overlay=$T/ov"
mkdir "$T/dir"
echo mine >"$T/dir/file"
refused 2 "$T/dir" sftfs "$T/p.sft" "$T/m2" -o "overlay=$T/dir"
expect_equal "$(ls -A "$T/dir")" file "a directory that is no overlay"
refused 2 "$T/dir/file" sftfs "$T/p.sft" "$T/m2" -o "overlay=$T/dir/file"
refused 2 overlay sftfs "$T/p.sft" "$T/m2" -o overlay=
refused 2 overlay sftmount --overlay= "$T/p.sft" "$T/m2"
refused 2 old_version sftfs "$T/p.sft" "$T/m2" -o old_version
refused 2 '[-]-overlay=DIR' sftmount --overlay "$T/dir" "$T/p.sft"
refused 2 '[-]-overlay=DIR' sftmount --overlay "$T/dir" "$T/p.sft" "$T/m2"
refused 2 '[-]-overlay=DIR' sftmount "$T/p.sft" "$T/m2" --overlay "$T/dir"
refused 3 "$T/no/where: the directory it is to be made in" sftfs "$T/p.sft" "$T/m2" \
    -o "overlay=$T/no/where"
cp -a "$T/ov" "$T/newer"
sed -i 's/^format: .*/format: 999/' "$T/newer/overlay"
refused 4 "$T/newer" sftfs "$T/p.sft" "$T/m2" -o "overlay=$T/newer"
printf '\377\000' >"$T/newer/overlay"
expect_status 5 timeout 60 sftfs "$T/p.sft" "$T/m2" -o "overlay=$T/newer"

step "overlay and mount point in each other"
mkdir -p "$T/ov/files/inner" "$T/ov/new"
refused 2 "$T/ov" sftfs "$T/p.sft" "$T/ov/files/inner" -o "overlay=$T/ov"
refused 2 "$T/m2" sftfs "$T/p.sft" "$T/m2" -o "overlay=$T/m2"
refused 2 "$T/m2" sftfs "$T/p.sft" "$T/m2" -o "overlay=$T/m2/a/b"
ln -s m2 "$T/sly"
refused 2 "$T/m2" sftfs "$T/p.sft" "$T/m2" -o "overlay=$T/sly/deep"
expect_equal "$(ls -A "$T/m2")" "" "the mount point"
rmdir "$T/ov/files/inner" "$T/ov/new"
mounted sftfs "$T/p.sft" "$T/m" -o "overlay=$T/ov"
refused 2 "package mounted at $T/m" sftfs "$T/p.sft" "$T/m2" -o "overlay=$T/m/in"
refused 2 "package mounted at $T/m" sftfs "$T/p.sft" "$T/m2" -o "overlay=$T/m/Sub"
[ ! -e "$T/m/in" ] || die "an overlay was begun in a mount"
unmount "$T/m"

step "an overlay that cannot be written"
mkdir "$T/frozen"
mount --bind "$T/ov" "$T/frozen" && mount -o remount,bind,ro "$T/frozen" || die "mount --bind"
mounted sftfs "$T/p.sft" "$T/m" -o "overlay=$T/frozen"
expect_text "$T/err" "read-only.*$T/frozen: .*[Rr]ead-only"
changed one
(echo x >"$T/m/new") 2>/dev/null && die "written into a frozen overlay"
unmount "$T/m"
expect_status 1 timeout 60 sftfs "$T/p.sft" "$T/m2" -o "overlay=$T/frozen/files/new"
expect_text "$T/err" "$T/frozen/files/new: .*[Rr]ead-only"
umount "$T/frozen"

step "a file system without extended attributes"
mkdir "$T/small"
if mount -t ramfs none "$T/small" 2>/dev/null; then
    refused 2 "$T/small/ov: its file system \(ramfs\) has no extended attributes" \
        sftfs "$T/p.sft" "$T/m2" -o "overlay=$T/small/ov"
    expect_equal "$(ls -A "$T/small")" "" "what is left of an overlay that cannot be"
    umount "$T/small"
fi

step "a disk on which nothing can be made"
if mount -t tmpfs -o nr_inodes=20 none "$T/small" 2>/dev/null &&
    setfattr -n user.test -v 1 "$T/small" 2>/dev/null; then
    mounted sftfs "$T/p.sft" "$T/m" -o "overlay=$T/small/ov"
    change full
    while mkdir "$T/m/new$((n = ${n:-0} + 1))" 2>/dev/null; do :; done
    mkdir "$T/m/one more" 2>"$T/err" && die "made on a full disk"
    expect_text "$T/err" 'No space left'
    changed full
    unmount "$T/m"
    mounted sftfs "$T/p.sft" "$T/m" -o "overlay=$T/small/ov"
    changed full
    unmount "$T/m"
    expect_status 0 sft overlay reset --all "--overlay=$T/small/ov"
    mounted sftfs "$T/p.sft" "$T/m" -o "overlay=$T/small/ov"
    unchanged
    expect_equal "$(ls -A "$T/small/ov/files")" "" "after reset --all"
    unmount "$T/m"
fi
umount "$T/small" 2>/dev/null || true

step "as an ordinary user"
open_dev_fuse
mkdir "$T/user" "$T/user/m"
chown -R 65534:65534 "$T/user"
chmod 644 "$T/p.sft"
chmod 700 "$T/ov"
user_mount() {
    as_user_suid env TMPDIR="$T/user" XDG_DATA_HOME="$T/user/data" timeout 60 sftfs "$T/p.sft" \
        "$T/user/m" -o "$1" >"$T/out" 2>"$T/err" </dev/null
}
if command -v fusermount3 >/dev/null && user_mount overlay=temporary; then
    as_user sh -c "echo mine >$T/user/m/note && cat $T/user/m/note" >"$T/out" || die "cannot write"
    as_user_suid fusermount3 -u "$T/user/m" || die "fusermount3 -u"
    wait_for 20 gone || die "the daemon did not end"
    user_mount overlay || die "the default place: $(cat "$T/err")"
    as_user sh -c "echo mine >$T/user/m/note" || die "cannot write"
    as_user_suid fusermount3 -u "$T/user/m" || die "fusermount3 -u"
    wait_for 20 gone || die "the daemon did not end"
    find "$T/user/data" -name note | grep -q files/note || die "not in the default place"
    user_mount "overlay=$T/ov" && die "an overlay that may not be looked into"
    expect_text "$T/err" "$T/ov: .*[Dd]enied"
    chmod -R go+rX "$T/ov"
    user_mount "overlay=$T/ov" || die "an overlay that may only be read: $(cat "$T/err")"
    expect_text "$T/err" "read-only.*$T/ov: .*[Dd]enied"
    expect_equal "$(as_user cat "$T/user/m/note")" one
    as_user sh -c "echo x 2>/dev/null >$T/user/m/note" 2>/dev/null && die "written"
    as_user_suid fusermount3 -u "$T/user/m" || die "fusermount3 -u"
    mkdir "$T/closed"
    chmod 755 "$T/closed"
    user_mount "overlay=$T/closed/new" && die "made in a directory of root's"
    expect_text "$T/err" "$T/closed.*[Dd]enied"
else
    echo "no mounts for ordinary users here: $(cat "$T/err")"
fi
exit 0
