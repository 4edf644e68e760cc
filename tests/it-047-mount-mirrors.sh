#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Mounts of a package that is in several places, which come and go; and mounts without any.
# formats: sft appv
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/two-servers.sh"
need_fuse
requires python3 nginx timeout

src=$T/src
mkdir -p "$src/dir" "$T/root-a" "$T/root-b" "$T/root-b/copy"
for name in one two three four five six; do
    head -c 3000000 /dev/urandom >"$src/$name.bin"
done
i=0
while [ $i -lt 100 ]; do
    echo "file $i" >"$src/dir/file $i.txt"
    i=$((i + 1))
done
guid=A1111111-2222-3333-4444-555555555555
pack "$src" "$T/root-a/p.sft" --guid "{$guid}"
cp -p "$T/root-a/p.sft" "$T/root-b/copy/p.sft"
NGINX_EXTRA='location /slow/ { rewrite ^/slow(/.*)$ $1 break; limit_rate 1m; }'
up a
up b
a=http://127.0.0.1:$port_a/p.sft
b=http://127.0.0.1:$port_b/copy/p.sft
m=$T/mnt
# Nothing is fetched ahead or kept: what is read has to come from a server.
plain=cache_dir=none,autoload=never,fetch_ahead=0,io_timeout=20

# mount_it OPTIONS SOURCE: in the foreground, its log is in $T/log
mount_it() {
    mkdir -p "$m"
    sftfs -f -o "$1" "$2" "$m" >"$T/log" 2>&1 8>&- 9<&- &
    daemon=$!
    wait_for 30 is_up || { cat "$T/log"; die "sftfs -o $1 $2 does not mount"; }
}

is_up() {
    is_mounted "$m" || ! kill -0 "$daemon" 2>/dev/null
}

umount_it() {
    umount "$m" || die "cannot unmount"
    wait "$daemon" || { cat "$T/log"; die "the daemon's exit status is $?"; }
}

same() {
    cmp "$src/$1" "$m/$1" || { cat "$T/log"; die "$1 cannot be read"; }
}

in_log() {
    wait_for 20 grep -q "$1" "$T/log" || { cat "$T/log"; die "not in the log: $1"; }
}

step "the mirror serves while the first place is away, and not before or after"
mark b
mount_it "$plain,mirror=$b" "$a"
same one.bin
expect_equal "$(requests b)" 0 "requests at the mirror"
down a
same two.bin
in_log "place fails, others are asked place=http://127.0.0.1:$port_a"
up a
in_log "place is back place=http://127.0.0.1:$port_a"
mark b
same three.bin
expect_equal "$(requests b)" 0 "requests at the mirror"
umount_it

step "a file that is being read does not notice"
mount_it "$plain,mirror=$b" "http://127.0.0.1:$port_a/slow/p.sft"
(for name in one two three four five six; do cmp "$src/$name.bin" "$m/$name.bin" || exit 1; done) &
reader=$!
for round in 1 2 3; do
    down a
    up a
    kill -0 "$reader" 2>/dev/null && cut=$((${cut:-0} + 1))
done
wait "$reader" || { cat "$T/log"; die "reading failed"; }
[ "${cut:-0}" -gt 0 ] || die "all was read before the server stopped"
diff -r "$src" "$m" || die "trees differ"
umount_it

step "the first place is away when it is mounted"
down a
mount_it "$plain,mirror=$b" "$a"
same one.bin
up a
in_log "place is back"
mark b
same two.bin
expect_equal "$(requests b)" 0 "requests at the mirror"
umount_it

step "all are gone: errors within the deadline, and it connects by itself"
mount_it "cache_dir=none,autoload=never,fetch_ahead=0,io_timeout=2,mirror=$b" "$a"
same "dir/file 7.txt"
down a
down b
cat "$m/one.bin" >/dev/null 2>&1 && die "read from nowhere"
in_log "disconnected, going on with what is cached"
ls -R "$m" >/dev/null || die "cannot be listed"
up b
in_log "connected again"
same one.bin
umount_it
up a

step "a mirror with another package is not used, and is not mixed in"
pack "$src/dir" "$T/root-b/wrong.sft"
wrong=http://127.0.0.1:$port_b/wrong.sft
mount_it "cache_dir=none,autoload=never,fetch_ahead=0,io_timeout=3,mirror=$wrong" "$a"
same one.bin
down a
cat "$m/two.bin" >"$T/got" 2>/dev/null && die "read from another package"
[ ! -s "$T/got" ] || cmp -n "$(stat -c %s "$T/got")" "$T/got" "$src/two.bin" || die "wrong bytes"
in_log "place has another object and is not used"
up a
same two.bin
in_log "place is back\|connected again"
umount_it

step "a path as the mirror of a server, and the other way round"
mount_it "$plain,mirror=$T/root-b/copy/p.sft" "$a"
same one.bin
down a
same two.bin
up a
umount_it
mount_it "$plain,mirror=$a" "$T/root-b/copy/p.sft"
same one.bin
umount_it

step "servers that are silent do not hold up unmounting"
mount_it "cache_dir=none,autoload=never,fetch_ahead=0,io_timeout=600,mirror=$b" "$a"
same "dir/file 7.txt"
# shellcheck disable=SC2046
kill -STOP $(workers a) $(workers b)
cat "$m/three.bin" >"$T/got" 2>/dev/null &
reader=$!
wait_for 20 grep -q three "/proc/$reader/cmdline" || true
kill "$reader"
wait "$reader" 2>/dev/null
umount "$m" || die "cannot unmount"
daemon_is_gone() {
    ! kill -0 "$daemon" 2>/dev/null
}
wait_for 30 daemon_is_gone || die "the daemon waits for silent servers"
# shellcheck disable=SC2046
kill -CONT $(workers a) $(workers b)

step "what is cached can be mounted without any server"
mount_it "cache_dir=$T/cache,autoload=never,fetch_ahead=0,mirror=$b" "$a"
same one.bin
same "dir/file 7.txt"
umount_it
mark a
mark b
mount_it "cache_dir=$T/cache,offline" "$a"
same one.bin
cat "$m/two.bin" >/dev/null 2>&1 && die "read what is not cached while offline"
umount_it
mount_it "cache_dir=$T/cache,offline" "$b" # known by every place it is in
same one.bin
expect_equal "$(requests a)$(requests b)" 00 "requests while offline"
expect_equal "$(sftfs ctl "$m" status | grep -c -i offline)" 1 "offline in the status"
sftfs ctl "$m" online || die "cannot go online"
same two.bin
sftfs ctl "$m" offline || die "cannot go offline"
same two.bin
cat "$m/three.bin" >/dev/null 2>&1 && die "read what is not cached while offline"
umount_it
down a
down b
mount_it "cache_dir=$T/cache,io_timeout=10,autoload=never,fetch_ahead=0,mirror=$b" "$a"
same one.bin
same two.bin
up b
same four.bin
umount_it
up a
expect_status 6 sftfs -o "cache_dir=$T/empty,offline" "$a" "$m"
expect_text "$T/err" 'offline, and the package is not in the disk cache'

step "sftmount: OverrideURL, then HREF, then mirrors"
osd() { # osd FILE HREF
    cat >"$1" <<XML
<SOFTPKG GUID="{$guid}" NAME="App" VERSION="1"><IMPLEMENTATION>
<CODEBASE HREF="$2" GUID="{$guid}" FILENAME="dir\\a.exe"/>
</IMPLEMENTATION></SOFTPKG>
XML
}
dead=http://127.0.0.1:1/p.sft
by_sftmount() {
    mkdir -p "$m"
    expect_status 0 sftmount "$@" "$m"
    same one.bin
    unmount "$m"
}
osd "$T/Href.osd" "$a"
osd "$T/Dead.osd" "$dead"
osd "$T/Stream.osd" "rtsp://server:554/p.sft"
mark b
by_sftmount -o "$plain" --override-url "$dead" "$T/Href.osd"
by_sftmount -o "$plain,mirror=$b" "$T/Href.osd"
expect_equal "$(requests b)" 0 "requests at the mirror"
by_sftmount -o "$plain,mirror=$b" "$T/Dead.osd"
by_sftmount -o "$plain,mirror=$b" "$T/Stream.osd"
by_sftmount -o "$plain,mirror=$b" --source "$dead" "$T/Href.osd"
by_sftmount -o "$plain,mirror=$b" "$dead"
expect_status 6 sftmount -o "$plain,io_timeout=2" --source "$dead" "$T/Href.osd" "$m"
expect_status 4 sftmount -o "$plain" "$T/Stream.osd" "$m"
by_sftmount -o "cache_dir=$T/cache" "$T/Href.osd"
down a
down b
by_sftmount -o "cache_dir=$T/cache,offline" "$T/Href.osd"
by_sftmount -o "cache_dir=$T/cache,offline" "$a"
