#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Starting and ending a mount: exit codes and messages, signals, a daemon that died, ordinary users,
# mount(8) and fstab. Runs in a mount namespace of its own, so that nothing outside sees any of it.
. "$(dirname "$0")/lib.sh"
private_mounts "$0" "$@"
need_fuse
requires python3 setpriv fusermount3

src=$T/src
mkdir -p "$src/dir"
echo hello >"$src/Hello.txt"
head -c 100000 /dev/urandom >"$src/dir/data.bin"
guid=0A1B2C3D-1111-2222-3333-444455556666
pack "$src" "$T/p.sft" --guid "$guid"
m=$T/mnt
mkdir "$m"

step "what cannot be mounted, and what is said about it"
expect_status 3 sftfs "$T/nothing.sft" "$m"
expect_text "$T/err" 'nothing\.sft'
head -c 5000 /dev/urandom >"$T/noise"
expect_status 4 sftfs "$T/noise" "$m"
expect_text "$T/err" 'noise'
head -c 300 "$T/p.sft" >"$T/short.sft"
expect_status 5 sftfs "$T/short.sft" "$m"
expect_text "$T/err" 'short\.sft'
: >"$T/empty.sft"
expect_status 5 sftfs "$T/empty.sft" "$m"
expect_status 3 sftfs "$T/p.sft" "$T/no-such-directory"
expect_text "$T/err" 'no-such-directory'
expect_status 8 sftfs "$T/p.sft" "$T/noise"
expect_text "$T/err" 'not a directory'
expect_status 2 sftfs "$T/p.sft"
expect_status 2 sftfs
expect_status 2 sftfs "$T/p.sft" "$m" -o no_such_option
expect_text "$T/err" 'no_such_option'
expect_status 2 sftfs "$T/p.sft" "$m" --no-such-option
is_mounted "$m" && die "one of these left a mount behind"
[ -z "$(daemons)" ] || die "one of these left a daemon behind"

step "background: usable as soon as the command returns; a second one is refused"
mount_package "$T/p.sft" "$m"
expect_equal "$(cat "$m/hello.TXT")" hello
expect_status 8 sftfs "$T/p.sft" "$m"
expect_text "$T/err" 'already'
expect_equal "$(cat "$m/Hello.txt")" hello "after the refused one"

step "umount ends the daemon"
unmount "$m"
[ -z "$(daemons)" ] || die "a daemon is left"

step "sftmount -u follows a link, and leaves alone what was mounted on top of the package"
mount_package "$T/p.sft" "$m"
ln -s mnt "$T/link"
mount -t tmpfs none "$m" || die "cannot mount a tmpfs"
expect_status 3 sftmount -u "$T/link"
expect_status 3 sftmount -u "$m"
umount "$m" || die "the tmpfs is gone"
expect_equal "$(cat "$m/Hello.txt")" hello
expect_status 0 sftmount -u "$T/link"
is_mounted "$m" && die "still mounted"
rm "$T/link"

step "foreground: each of three signals unmounts, with exit status 0"
for signal in TERM INT HUP; do
    # A background command of sh ignores SIGINT, and that would be inherited.
    python3 -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execvp(sys.argv[1], sys.argv[1:])' sftfs -f "$T/p.sft" "$m" >"$T/fg.out" 2>&1 </dev/null &
    pid=$!
    wait_for 20 is_mounted "$m" || die "foreground mount: $(cat "$T/fg.out")"
    wait_for 20 test -e "$m/Hello.txt" || die "not usable"
    kill -s $signal $pid
    status=0
    wait $pid || status=$?
    expect_equal $status 0 "exit status after SIG$signal"
    is_mounted "$m" && die "still mounted after SIG$signal"
done

step "foreground: umount ends it with exit status 0"
sftfs -f "$T/p.sft" "$m" >"$T/fg.out" 2>&1 </dev/null &
pid=$!
wait_for 20 is_mounted "$m" || die "foreground mount: $(cat "$T/fg.out")"
umount "$m" || die "umount"
status=0
wait $pid || status=$?
expect_equal $status 0 "exit status after umount"

step "background: SIGTERM unmounts"
mount_package "$T/p.sft" "$m"
kill -TERM $(daemons)
wait_for 20 not_mounted "$m" || die "still mounted after SIGTERM"

step "SIGTERM while the mount is busy: it is detached, and the daemon ends"
mount_package "$T/p.sft" "$m"
exec 8<"$m/dir/data.bin"
kill -TERM $(daemons)
wait_for 20 not_mounted "$m" || die "still mounted after SIGTERM while busy"
exec 8<&-
wait_for 20 no_daemon_for "$m" || die "the daemon is still there"

step "a daemon that was killed leaves a stale mount; the next start clears it away"
mount_package "$T/p.sft" "$m"
kill -KILL $(daemons)
stale() {
    ! stat "$m/Hello.txt" >/dev/null 2>&1
}
wait_for 20 stale || die "files are still there after SIGKILL"
mount_package "$T/p.sft" "$m"
expect_equal "$(cat "$m/Hello.txt")" hello "after recovery"
expect_equal "$(mounts_here | grep -c mnt)" 1 "number of mounts"
kill -KILL $(daemons)
wait_for 20 stale || die "the mount is not seen to be stale"
expect_status 0 sftmount -u "$m"
is_mounted "$m" && die "sftmount -u did not remove a stale mount"

step "many starts and ends leave nothing behind"
n=0
while [ $n -lt 20 ]; do
    mount_package "$T/p.sft" "$m"
    expect_equal "$(cat "$m/Hello.txt")" hello
    umount "$m" || die "umount in round $n"
    n=$((n + 1))
done
gone() {
    [ -z "$(daemons)" ]
}
wait_for 20 gone || die "daemons are left: $(daemons)"

step "mount(8) and fstab"
# The helper is looked for in /sbin only: a copy of that directory, in this namespace.
sbin=$(readlink -f /sbin)
helper=$(find "$SFTFS_BUILD" "$SFTFS_SRC/tools" -name mount.fuse.sftfs 2>/dev/null | head -n 1)
mkdir "$T/sbin"
cp -a "$sbin/." "$T/sbin/"
if [ -n "$helper" ]; then
    cp "$helper" "$T/sbin/mount.fuse.sftfs"
else
    ln -s "$(command -v sftfs)" "$T/sbin/mount.fuse.sftfs"
fi
mount --bind "$T/sbin" "$sbin"
at_exit 'umount -l "$sbin"'
mount -t fuse.sftfs "$T/p.sft" "$m" -o ro,noatime,umask=077,_netdev || die "mount -t fuse.sftfs"
expect_equal "$(stat -c %a "$m/Hello.txt")" 600 "mode with umask=077"
expect_equal "$(findmnt -n -o FSTYPE "$m")" fuse.sftfs "type"
umount "$m"
printf '%s %s fuse.sftfs noauto,ro,nofail,umask=022,x-systemd.automount 0 0\n' "$T/p.sft" "$m" >"$T/fstab"
mount -T "$T/fstab" "$m" || die "mount from fstab"
expect_equal "$(cat "$m/hello.txt")" hello
umount "$m"
mount -t fuse.sftfs "$T/nothing.sft" "$m" 2>"$T/err" && die "mount(8) of nothing succeeds"
expect_text "$T/err" 'nothing\.sft'
wait_for 20 gone || die "daemons are left: $(daemons)"

step "an ordinary user"
open_dev_fuse
mkdir "$T/bin" "$T/run" "$T/home"
cp "$(command -v sftfs)" "$(command -v sftmount)" "$(command -v sft)" "$T/bin/"
chown 65534:65534 "$T/run" "$T/home" "$m"
chmod 700 "$T/run"
user() {
    as_user_suid env HOME="$T/home" XDG_RUNTIME_DIR="$T/run" PATH="$T/bin:$PATH" "$@"
}
user sftfs "$T/p.sft" "$m" >"$T/out" 2>&1 </dev/null || {
    cat "$T/out"
    die "sftfs as an ordinary user"
}
expect_equal "$(user cat "$m/HELLO.txt")" hello
expect_equal "$(user stat -c '%u %g' "$m/Hello.txt")" "65534 65534" "owner"
user fusermount3 -u "$m" || die "fusermount3 -u"
wait_for 20 gone || die "daemons are left: $(daemons)"

step "an ordinary user, from an OSD, without naming a directory"
pack "$src" "$T/q.sft" --guid "$guid" --osd Hello.txt --name Hello
osd=$(find "$T" -maxdepth 1 -name '*.osd' | head -n 1)
[ -n "$osd" ] || die "no OSD written"
where=$(user sftmount "$osd" --source "$T/q.sft" 2>"$T/err" </dev/null) || {
    cat "$T/err"
    die "sftmount as an ordinary user"
}
case $where in
"$T/run/"*) ;;
*) die "the directory printed is not in the runtime directory: $where" ;;
esac
expect_equal "$(user cat "$where/hello.txt")" hello
user sftmount --list >"$T/out" || die "sftmount --list"
expect_text "$T/out" "$where"
user sftmount -u "$where" || die "sftmount -u"
is_mounted "$where" && die "still mounted"
wait_for 20 gone || die "daemons are left: $(daemons)"
exit 0
