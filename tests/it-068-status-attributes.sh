#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later Extended attributes of the mount point that tell how
# the mount is: who sees them, with and without an overlay, and that nothing carries them elsewhere.
# formats: sft appv
. "$(dirname "$0")/lib.sh"
private_mounts "$0" "$@"
need_fuse
requires python3 getfattr setfattr setpriv rsync nginx

src=$T/src
mkdir -p "$src/dir" "$T/www"
echo hello >"$src/Hello.txt"
head -c 1000000 /dev/urandom >"$src/large.bin"
guid=0A1B2C3D-1111-2222-3333-444455556666
name="Some program"
is_appv && name=Some-program # what identities are made of
pack "$src" "$T/www/p.sft" --guid "$guid" --name "$name"
m=$T/mnt
mkdir "$m"

attribute() { # attribute NAME
    getfattr --only-values -n "user.sftfs.$1" "$m" 2>"$T/err"
}

no_attribute() { # no_attribute COMMAND...
    "$@" >"$T/out" 2>"$T/err" && die "there is an attribute: $*: $(cat "$T/out")"
    expect_text "$T/err" 'No such attribute|Operation not supported'
}

check() { # of the mount on $m
    expect_equal "$(attribute package_guid)" "$guid" package_guid
    expect_equal "$(attribute version_guid)" "$(sftfs ctl "$m" status --json |
        python3 -c 'import json, sys; print(json.load(sys.stdin)["version_guid"])')" version_guid
    expect_equal "$(attribute package)" "$name" package
    expect_equal "$(attribute version)" 1 version
    expect_equal "$(attribute mountpoint)" "$m" mountpoint
    expect_equal "$(attribute pid)" "$(daemons)" pid
    [ -n "$(attribute source)" ] || die "no source"
    attribute fuse_connection | grep -qx '[0-9]*' || die "no fuse_connection"
    no_attribute getfattr -n user.sftfs.nothing "$m"
    no_attribute getfattr -n user.sftfs. "$m"
    no_attribute getfattr -n user.sftfs.pid "$m/dir"
    no_attribute getfattr -n user.sftfs.pid "$m/Hello.txt"
    python3 - "$m" <<'PY' || die "sizes"
import errno, os, sys
value = os.getxattr(sys.argv[1], 'user.sftfs.package_guid')
assert len(value) == 36, value
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
path, name = sys.argv[1].encode(), b'user.sftfs.package_guid'
assert libc.getxattr(path, name, None, 0) == 36
buf = ctypes.create_string_buffer(35)
assert libc.getxattr(path, name, buf, 35) == -1 and ctypes.get_errno() == errno.ERANGE
PY
}

step "a package alone"
mount_package "$T/www/p.sft" "$m"
check
expect_equal "$(attribute cached_percent)" 100
expect_equal "$(attribute state)" local
expect_equal "$(attribute ioerr)" 0

step "they are not listed, so nothing carries them elsewhere"
expect_equal "$(getfattr -d -m - "$m" 2>/dev/null)" ""
cp -a "$m" "$T/copy" || die "cp -a"
expect_equal "$(getfattr -d -m 'user' "$T/copy" 2>&1)" "" "attributes of the copy"
rsync -aX "$m/" "$T/copy2/" || die "rsync -aX"
expect_equal "$(getfattr -d -m 'user' "$T/copy2" 2>&1)" "" "attributes of the copy"
diff -r "$src" "$T/copy2" || die "the copy differs"
setfattr -n user.sftfs.pid -v 1 "$m" 2>/dev/null && die "an attribute was set"
setfattr -x user.sftfs.pid "$m" 2>/dev/null && die "an attribute was removed"
unmount "$m"

step "what is counted"
start_nginx "$T/www"
mount_package "$URL/p.sft?sig=SECRET" "$m" -o io_timeout=3
check
attribute source | grep -q SECRET && die "the secret of the URL is shown"
before=$(attribute requests)
cat "$m/large.bin" >/dev/null
[ "$(attribute requests)" -gt "$before" ] || die "requests: $before, then $(attribute requests)"
unmount "$m"

step "listed on demand, or not there at all"
mount_package "$T/www/p.sft" "$m" -o status_attributes=list
check
getfattr -d -m - "$m" >"$T/out" 2>"$T/err" || die "getfattr -d"
expect_text "$T/out" "^user\.sftfs\.package_guid=\"$guid\"\$"
expect_equal "$(getfattr -d -m - "$m/dir" "$m/Hello.txt" 2>/dev/null)" ""
unmount "$m"
mount_package "$T/www/p.sft" "$m" -o status_attributes=none
no_attribute getfattr -n user.sftfs.pid "$m"
expect_equal "$(getfattr -d -m - "$m" 2>/dev/null)" ""
unmount "$m"
expect_status 2 sftfs "$T/www/p.sft" "$m" -o status_attributes=some

step "with an overlay"
mount_package "$T/www/p.sft" "$m" -o overlay="$T/overlay"
check
for n in user.sftfs.pid user.sftfs.other; do
    python3 - "$m" "$n" <<'PY' || die "setting or removing $n"
import errno, os, sys
for path in (sys.argv[1], sys.argv[1] + '/Hello.txt'):
    for what in (lambda: os.setxattr(path, sys.argv[2], b'1'),
                 lambda: os.removexattr(path, sys.argv[2])):
        try:
            what()
            sys.exit('not refused')
        except OSError as e:
            assert e.errno == errno.EPERM, e
PY
done
setfattr -n user.mine -v 1 "$m" || die "an attribute of the user's own"
expect_equal "$(getfattr -d -m - --only-values "$m" 2>/dev/null)" 1
check
getfattr -d -m user.sftfs "$T/overlay/files" >"$T/out" 2>/dev/null
grep -q 'package_guid=\|\.pid=' "$T/out" && die "stored in the overlay: $(cat "$T/out")"
unmount "$m"
mount_package "$T/www/p.sft" "$m" -o "overlay=$T/overlay,status_attributes=list"
getfattr -d -m - "$m" >"$T/out" 2>"$T/err" || die "getfattr -d"
expect_text "$T/out" '^user\.mine="1"$'
expect_text "$T/out" '^user\.sftfs\.overlay="yes"$'
unmount "$m"

step "for its owner and root only"
mount_package "$T/www/p.sft" "$m" -o allow_other
other() {
    setpriv --reuid="$1" --regid=65534 --clear-groups getfattr --only-values -n user.sftfs.pid "$m"
}
no_attribute other 65534
unmount "$m"
mount_package "$T/www/p.sft" "$m" -o allow_other,uid=65534
expect_equal "$(other 65534)" "$(daemons)" "for the owner of all files"
no_attribute other 65533
check
unmount "$m"
exit 0
