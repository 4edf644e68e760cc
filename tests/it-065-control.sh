#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later The control socket of a mount, and sftfs ctl: what it
# tells, the log, who may ask, clients that do not behave, and a mount that is stuck, stopped or
# dead.
# formats: sft appv
. "$(dirname "$0")/lib.sh"
private_mounts "$0" "$@"
need_fuse
requires python3 nginx setpriv fusermount3

# Where no init system has mounted it.
mountpoint -q /sys/fs/fuse/connections || mount -t fusectl none /sys/fs/fuse/connections ||
    skip "no /sys/fs/fuse/connections"

clients=$SFTFS_SRC/tests/control-clients.py
XDG_RUNTIME_DIR=$T/run
mkdir -m 700 "$XDG_RUNTIME_DIR"
export XDG_RUNTIME_DIR
sockets=$XDG_RUNTIME_DIR/sftfs

src=$T/src
mkdir -p "$src/dir" "$T/www"
echo hello >"$src/Hello.txt"
head -c 3000000 /dev/urandom >"$src/large.bin"
head -c 3000000 /dev/urandom >"$src/other.bin"
head -c 3000000 /dev/urandom >"$src/third.bin"
guid=0A1B2C3D-1111-2222-3333-444455556666
name="Some program"
is_appv && name=Some-program # what identities are made of
pack "$src" "$T/www/p.sft" --guid "$guid" --name "$name"
m=$T/mnt
mkdir "$m"

# The value of NAME in what ctl status or stats --json printed to $T/json: value NAME
value() {
    python3 -c 'import json, sys
v = json.load(open(sys.argv[1]))
for name in sys.argv[2].split("."):
    v = v[name]
print(v)' "$T/json" "$1"
}

status() {
    sftfs ctl "$m" status --json >"$T/json" || die "ctl status: $(cat "$T/json")"
}

stats() {
    sftfs ctl "$m" stats --json >"$T/json" || die "ctl stats: $(cat "$T/json")"
}

no_files_left() {
    [ -z "$(ls -A "$sockets")" ]
}

socket_of() { # socket_of MOUNTPOINT
    echo "$sockets/$(awk -v m="$1" '$5 == m { print $3 }' /proc/self/mountinfo | tr : -).sock"
}

# Whether process $1 is gone; it may still wait for its parent to take note.
has_ended() {
    ! grep -q '^State:[[:space:]]*[^ZX[:space:]]' "/proc/$1/status" 2>/dev/null
}

step "what is mounted"
mount_package "$T/www/p.sft" "$m"
status
expect_equal "$(value mountpoint)" "$m"
expect_equal "$(value source)" "$T/www/p.sft"
expect_equal "$(value package)" "$name"
expect_equal "$(value package_guid)" "$guid"
expect_equal "$(value version_guid)" "$(sft info --json "$T/www/p.sft" |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["version_guid"])')"
expect_equal "$(value state)" local
expect_equal "$(value cached_percent)" 100
expect_equal "$(value pid)" "$(daemons)"
connection=$(value fuse_connection)
[ -e "/sys/fs/fuse/connections/$connection/abort" ] || die "no connection $connection"
sftfs ctl "$m" status >"$T/out" || die "ctl status"
expect_text "$T/out" '^Package GUID: +'$guid'$'
ln -s mnt "$T/link"
sftfs ctl "$T/link/" status >/dev/null || die "by a link"
(cd "$T" && sftfs ctl mnt status >/dev/null) || die "by a relative path"

step "what it counts"
cat "$m/large.bin" >/dev/null
cat "$m/large.bin" >/dev/null
stats
expect_equal "$(value read_bytes)" 3000000 "bytes read (the second time from the kernel)"
[ "$(value decoded_blocks)" -ge 40 ] || die "$(value decoded_blocks) blocks decoded"
[ "$(value memory_bytes.blocks)" -ge 3000000 ] || die "$(value memory_bytes.blocks) bytes kept"
expect_equal "$(value ioerr)" 0
expect_equal "$(value waiting_requests)" 0

step "for Prometheus"
sftfs ctl "$m" stats --format=prometheus >"$T/metrics" || die "stats --format=prometheus"
python3 "$SFTFS_SRC/tests/prometheus-check.py" <"$T/metrics" >"$T/samples" || die "not valid"
expect_text "$T/samples" "^sftfs_read_bytes_total\{mount=\"$m\"\} 3000000\$"
expect_text "$T/samples" "^sftfs_hits_total\{mount=\"$m\",tier=\"memory\"\} "
expect_text "$T/samples" "^sftfs_info\{.*package_guid=\"$guid\".*\} 1\$"
if command -v promtool >/dev/null 2>&1; then
    promtool check metrics <"$T/metrics" >"$T/out" 2>&1 || die "promtool: $(cat "$T/out")"
fi

step "log and log level"
sftfs ctl "$m" log >"$T/out" || die "ctl log"
expect_text "$T/out" "^20[0-9-]+T[0-9:.]+Z info    mount: $m: mounted source="
expect_equal "$(sftfs ctl "$m" loglevel)" info
expect_equal "$(sftfs ctl "$m" loglevel debug)" debug
expect_equal "$(sftfs ctl "$m" loglevel)" debug
expect_equal "$(sftfs ctl "$m" log --lines=1 | wc -l)" 1
sftfs ctl "$m" log --json -n 1 | python3 -c 'import json, sys
line = json.loads(sys.stdin.readline())
assert line["level"] == "info" and "level=debug" in line["text"], line' || die "log --json"
sftfs ctl "$m" log --follow >"$T/follow" &
follower=$!
wait_for 20 test -s "$T/follow" || die "log --follow says nothing"
sftfs ctl "$m" loglevel error >/dev/null
expect_equal "$(sftfs ctl "$m" loglevel warning)" warning
wait_for 20 grep -q 'mounted source' "$T/follow" || die "log --follow lacks old lines"

step "wrong usage"
for args in "" "$m" "$m nonsense" "$m status --follow" "$m stats --format=xml" "$m loglevel loud" \
    "$m log --lines=x" "$m status extra" "$m unmount --lazy --force" "$m prefetch much" \
    "$m status --timeout=0"; do
    # shellcheck disable=SC2086
    expect_status 2 sftfs ctl $args
done
expect_status 3 sftfs ctl "$T" status
expect_status 3 sftfs ctl "$T/nothing" status
expect_status 3 sftfs ctl "$T/nothing/below" status
expect_status 3 sftfs ctl "$T/nothing" status --json
python3 -c 'import json, sys
assert json.load(open(sys.argv[1]))["error"]["kind"] == "not-found"' "$T/out" || die "error as JSON"

step "clients that do not behave"
python3 "$clients" odd "$(socket_of "$m")" || die "odd requests"
python3 "$clients" hold "$(socket_of "$m")" "$T/held" &
holder=$!
wait_for 60 test -e "$T/held" || die "not all clients were let in"
for i in 1 2 3 4 5 6 7 8 9 10; do
    status
done

step "unmounting ends followers and does not wait for silent clients"
daemon=$(value pid)
expect_status 0 sftfs ctl "$m" unmount
is_mounted "$m" && die "still mounted"
# Or it is said that the daemon takes longer than this waits for.
has_ended "$daemon" || expect_text "$T/err" "process $daemon, is still ending"
wait_for 60 has_ended "$daemon" || die "the daemon has not ended: $(cat "/proc/$daemon/status")"
wait $follower || die "log --follow: exit status $?"
wait $holder || die "held clients: exit status $?"
no_files_left || die "left behind: $(ls "$sockets")"

step "one mount after the other, with the same device number: none takes the next one's socket away"
n=0
while [ $n -lt 60 ]; do
    mount_package "$T/www/p.sft" "$m"
    expect_equal "$(sftfs ctl "$m" loglevel)" info
    umount "$m" || die "umount in round $n"
    n=$((n + 1))
done
no_daemon() {
    [ -z "$(daemons)" ]
}
wait_for 20 no_daemon || die "daemons are left: $(daemons)"
no_files_left || die "left behind: $(ls "$sockets")"

step "a package called ctl"
cp "$T/www/p.sft" "$T/ctl"
(cd "$T" && sftfs ./ctl mnt) || die "mounting ./ctl"
expect_equal "$(cat "$m/hello.txt")" hello

step "a mount in use is not unmounted without being asked to"
exec 8<"$m/large.bin"
expect_status 8 sftfs ctl "$m" unmount
is_mounted "$m" || die "unmounted all the same"
expect_status 0 sftfs ctl "$m" unmount --lazy
is_mounted "$m" && die "still mounted"
exec 8<&-
wait_for 20 no_daemon_for mnt || die "the daemon has not ended"
wait_for 20 no_files_left || die "left behind: $(ls "$sockets")"

step "the log in the foreground has time and level, and as much as was asked for"
sftfs -f "$T/www/p.sft" "$m" -o loglevel=warning >"$T/fg.out" 2>&1 &
pid=$!
answers() {
    sftfs ctl "$m" status >/dev/null 2>&1
}
wait_for 20 answers || die "foreground mount: $(cat "$T/fg.out")"
expect_equal "$(sftfs ctl "$m" loglevel)" warning
sftfs ctl "$m" loglevel info >/dev/null
sftfs ctl "$m" unmount || die "unmount"
wait $pid || die "exit status $?"
expect_text "$T/fg.out" '^20[0-9-]+T[0-9:.]+Z info control: '
grep -q 'mounted source' "$T/fg.out" && die "a line of a lower level"
expect_status 2 sftfs "$T/www/p.sft" "$m" -o loglevel=loud

step "from a web server: requests, bytes, and no secrets"
start_nginx "$T/www"
mount_package "$URL/p.sft?sig=SECRET" "$m" -o io_timeout=600,cache_dir=none,fetch_ahead=0
cat "$m/large.bin" >/dev/null
status
expect_equal "$(value state)" online
[ "$(value requests)" -ge 2 ] || die "$(value requests) requests"
[ "$(value received_bytes)" -ge 3000000 ] || die "$(value received_bytes) bytes"
for command in status stats log "stats --format=prometheus"; do
    # shellcheck disable=SC2086
    sftfs ctl "$m" $command >>"$T/all" || die "ctl $command"
done
cat "$sockets"/*.state >>"$T/all"
grep -q SECRET "$T/all" && die "the secret of the URL is shown: $(grep SECRET "$T/all")"
expect_text "$T/all" 'p\.sft\?sig='

expect_status 4 sftfs ctl "$m" prefetch all
expect_text "$T/err" 'disk cache'

step "the server is silent and readers hang: ctl answers"
signal_nginx() {
    for worker in $(pgrep -P "$NGINX_PID") "$NGINX_PID"; do
        kill -s "$1" "$worker" 2>/dev/null
    done
}
at_exit 'signal_nginx CONT'
signal_nginx STOP
cat "$m/other.bin" >/dev/null 2>"$T/reader" &
reader=$!
reads_wait() {
    status
    [ "$(value waiting_requests)" -ge 1 ]
}
wait_for 20 reads_wait || die "no read waits: $(cat "$T/json")"
stats
expect_equal "$(value ioerr)" 0
[ "$(value reads_in_flight)" -ge 1 ] || die "no read is under way"
[ "$(value oldest_read_ms)" -ge 1 ] || die "the oldest read is $(value oldest_read_ms) ms old"
sftfs ctl "$m" log >/dev/null || die "ctl log"
sftfs ctl "$m" loglevel debug >/dev/null || die "ctl loglevel"

step "abort ends it"
expect_status 0 sftfs ctl "$m" abort
wait $reader && die "the reader got bytes from nowhere"
wait_for 20 not_mounted "$m" || die "still mounted"
wait_for 20 no_daemon_for "$m" || die "the daemon is still there"
no_files_left || die "left behind: $(ls "$sockets")"
signal_nginx CONT

# The signal takes a moment to reach every thread.
is_stopped() {
    grep -q '^State:[[:space:]]*T' /proc/"$1"/task/*/status &&
        ! grep '^State:' /proc/"$1"/task/*/status | grep -qv '[[:space:]]T '
}
stop_daemon() {
    stopped=$(daemons)
    # Unmounting at the end would wait for it.
    at_exit "kill -CONT $stopped 2>/dev/null"
    kill -STOP "$stopped"
    wait_for 20 is_stopped "$stopped" || die "the daemon does not stop"
}

step "fetching ahead: on demand, with progress, and then without a server"
mount_package "$URL/p.sft" "$m" -o cache_dir="$T/cache",autoload=never,fetch_ahead=0,io_timeout=600
expect_status 0 sftfs ctl "$m" progress
expect_text "$T/out" 'idle$'
expect_equal "$(wc -l <"$T/out")" 1 "lines when nothing is fetched ahead"
cat "$m/Hello.txt" >/dev/null
status
[ "$(value cached_percent)" -lt 50 ] || die "$(value cached_percent) % cached before"
expect_status 0 sftfs ctl "$m" offline
expect_equal "$(sftfs ctl "$m" status --json >"$T/json" && value state)" offline
cat "$m/large.bin" >/dev/null 2>&1 && die "read what is not cached while offline"
stats
[ "$(value ioerr)" -ge 1 ] || die "no error is counted"
expect_equal "$(value errors.offline)" "$(value ioerr)" "errors by kind"
expect_status 0 sftfs ctl "$m" online
status
expect_equal "$(value state)" online
expect_status 0 sftfs ctl "$m" prefetch all
sftfs ctl "$m" progress --json >"$T/progress" || die "ctl progress"
python3 - "$T/progress" <<'PY' || die "progress: $(cat "$T/progress")"
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
last = lines[-1]
assert (last['load_state'], last['load_goal'], last['load_percent']) == ('done', 'all', 100), last
assert last['load_done_blocks'] == last['load_blocks'] > 100, last
done = [line['load_done_bytes'] for line in lines]
assert done == sorted(done), done
PY
status
expect_equal "$(value cached_percent)" 100
expect_status 0 sftfs ctl "$m" prefetch stop
expect_status 0 sftfs ctl "$m" offline
diff -r "$src" "$m" || die "not everything can be read offline"
stats
[ "$(value hits.disk)" -ge 1 ] || die "nothing came from the disk"
[ "$(value cache_blocks)" -ge 100 ] || die "$(value cache_blocks) blocks cached"
sftfs ctl "$m" stats --format=prometheus >"$T/metrics" || die "stats --format=prometheus"
python3 "$SFTFS_SRC/tests/prometheus-check.py" <"$T/metrics" >"$T/samples" || die "not valid"
expect_text "$T/samples" "^sftfs_cached_ratio\{mount=\"$m\"\} 1\.00\$"
expect_text "$T/samples" "^sftfs_errors_total\{kind=\"offline\",mount=\"$m\"\} [1-9]"
expect_text "$T/samples" "^sftfs_fuse_requests_total\{kind=\"read\",mount=\"$m\"\} [1-9]"
expect_text "$T/samples" "^sftfs_place_in_use\{mount=\"$m\",place=\"1: $URL/p\.sft\"\} [01]\$"
if command -v promtool >/dev/null 2>&1; then
    promtool check metrics <"$T/metrics" >"$T/out" 2>&1 || die "promtool: $(cat "$T/out")"
fi
expect_status 0 sftfs ctl "$m" unmount

step "what a mount has not, it says so"
mount_package "$T/www/p.sft" "$m"
expect_status 4 sftfs ctl "$m" offline
expect_status 4 sftfs ctl "$m" online --json
expect_status 4 sftfs ctl "$m" prefetch
expect_status 4 sftfs ctl "$m" progress
expect_status 0 sftfs ctl "$m" unmount

step "the daemon is stopped: nothing hangs, and it can be got rid of"
mount_package "$URL/p.sft" "$m"
daemon=$(daemons)
stop_daemon
cat "$m/other.bin" >/dev/null 2>&1 &
reader=$!
expect_status 6 timeout 60 sftfs ctl "$m" status --timeout=1
expect_text "$T/err" "process $daemon, is stopped"
expect_status 8 timeout 60 sftfs "$URL/p.sft" "$m"
expect_text "$T/err" 'already'
expect_status 0 timeout 60 sftmount --list
expect_text "$T/out" "^$m "
expect_status 0 timeout 60 sftfs ctl "$m" abort
wait $reader && die "the reader got bytes from nowhere"
kill -0 "$daemon" || die "abort has ended the stopped daemon"
expect_status 0 timeout 60 sftfs ctl "$m" unmount --force
is_mounted "$m" && die "still mounted"
wait_for 20 no_daemon_for "$m" || die "the daemon is still there"
no_files_left || die "left behind: $(ls "$sockets")"

step "the same without aborting first, and with a reader"
mount_package "$URL/p.sft" "$m"
stop_daemon
cat "$m/other.bin" >/dev/null 2>&1 &
reader=$!
expect_status 0 timeout 60 sftfs ctl "$m" unmount --force
wait $reader && die "the reader got bytes from nowhere"
is_mounted "$m" && die "still mounted"
no_files_left || die "left behind: $(ls "$sockets")"

step "abort where /sys/fs/fuse/connections is not mounted"
umount /sys/fs/fuse/connections || die "cannot unmount fusectl"
mount_package "$URL/p.sft" "$m"
stop_daemon
cat "$m/other.bin" >/dev/null 2>&1 &
reader=$!
expect_status 0 timeout 60 sftfs ctl "$m" abort
expect_text "$T/err" 'detached'
wait $reader && die "the reader got bytes from nowhere"
is_mounted "$m" && die "still mounted"
[ -z "$(daemons)" ] || die "the daemon is still there"
no_files_left || die "left behind: $(ls "$sockets")"
mount -t fusectl none /sys/fs/fuse/connections || die "cannot mount fusectl"

step "the daemon was killed: it is said so, and the next start clears all away"
mount_package "$URL/p.sft" "$m"
kill -KILL "$(daemons)"
stale() {
    ! stat "$m/Hello.txt" >/dev/null 2>&1
}
wait_for 20 stale || die "files are still there"
expect_status 3 sftfs ctl "$m" status
expect_text "$T/err" 'daemon is gone'
expect_equal "$(ls "$sockets" | wc -l)" 2 "files of the killed daemon"
mount_package "$URL/p.sft" "$m"
expect_equal "$(mounts_here | grep -c mnt)" 1 "number of mounts"
expect_equal "$(ls "$sockets" | wc -l)" 2 "files of the new daemon"
status
expect_equal "$(value pid)" "$(daemons)"

step "the same while it was stopped"
stop_daemon
kill -KILL "$(daemons)"
wait_for 20 stale || die "the mount is not seen to be stale"
mount_package "$URL/p.sft" "$m"
expect_equal "$(ls "$sockets" | wc -l)" 2 "files of the new daemon"
kill -KILL "$(daemons)"
wait_for 20 stale || die "the mount is not seen to be stale"
expect_status 0 sftmount -u "$m"
is_mounted "$m" && die "still mounted"
no_files_left || die "sftmount -u left behind: $(ls "$sockets")"

step "a killed daemon's mount is removed by ctl, too"
mount_package "$URL/p.sft" "$m"
kill -KILL "$(daemons)"
wait_for 20 stale || die "the mount is not seen to be stale"
expect_status 0 sftfs ctl "$m" unmount
is_mounted "$m" && die "still mounted"
no_files_left || die "left behind: $(ls "$sockets")"

step "a state file that names another process harms nobody"
mount_package "$URL/p.sft" "$m"
kill -KILL "$(daemons)"
wait_for 20 stale || die "the mount is not seen to be stale"
sleep 600 &
innocent=$!
state=$(ls "$sockets"/*.state)
sed -i "s/^pid=.*/pid=$innocent/" "$state"
expect_status 0 sftfs ctl "$m" unmount --force
kill -0 $innocent || die "another process was ended"
kill $innocent
is_mounted "$m" && die "still mounted"

step "another user is refused"
mount_package "$T/www/p.sft" "$m" -o allow_other
sock=$(socket_of "$m")
other() {
    as_user_suid env -u XDG_RUNTIME_DIR HOME=/ PATH="$T/bin:$PATH" "$@"
}
mkdir "$T/bin"
cp "$(command -v sftfs)" "$(command -v sftmount)" "$T/bin/"
expect_equal "$(other cat "$m/hello.txt")" hello
for command in status abort unmount "unmount --force" "loglevel debug"; do
    # shellcheck disable=SC2086
    as_user_suid env -u XDG_RUNTIME_DIR PATH="$T/bin:$PATH" sftfs ctl "$m" $command \
        >"$T/out" 2>"$T/err" && die "another user: $command"
done
is_mounted "$m" || die "another user has unmounted it"
expect_equal "$(sftfs ctl "$m" loglevel)" info
# Nor does it help to reach the socket.
chmod 711 "$XDG_RUNTIME_DIR" "$sockets"
chmod 777 "$sock"
cp "$clients" "$T/clients.py"
other python3 "$T/clients.py" ask "$sock" status >"$T/out" || die "asking as another user"
expect_text "$T/out" '^error denied '
expect_equal "$(wc -l <"$T/out")" 1 "lines of the reply"
expect_equal "$(python3 "$clients" ask "$sock" ping)" "$(printf 'ok\nend')"
sftfs ctl "$m" unmount || die "unmount"
chmod 700 "$XDG_RUNTIME_DIR" "$sockets"

step "a user's own mount, which root may ask, too"
open_dev_fuse
mkdir "$T/userrun"
chown 65534:65534 "$T/userrun" "$m"
chmod 700 "$T/userrun"
user() {
    as_user_suid env HOME=/ XDG_RUNTIME_DIR="$T/userrun" PATH="$T/bin:$PATH" "$@"
}
user sftfs "$T/www/p.sft" "$m" >"$T/out" 2>&1 </dev/null || die "as a user: $(cat "$T/out")"
expect_equal "$(user sftfs ctl "$m" loglevel debug)" debug
status
expect_equal "$(value package_guid)" "$guid" "asked by root"
expect_equal "$(sftfs ctl "$m" loglevel)" debug "asked by root"
# What a user puts in the socket's place is not spoken to by root.
fake=$(ls "$T/userrun/sftfs/"*.sock)
mv "$fake" "$fake.moved"
python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
s.bind(sys.argv[1])
s.listen(1)
s.settimeout(600)
c, _ = s.accept()
c.settimeout(60)
sys.exit(bool(c.recv(100)))' "$fake" &
liar=$!
wait_for 20 test -S "$fake" || die "no socket"
expect_status 7 sftfs ctl "$m" status
wait $liar || die "root has spoken to a socket that is not the daemon's"
mv "$fake.moved" "$fake"
status
expect_status 0 user sftfs ctl "$m" abort
wait_for 20 not_mounted "$m" || die "still mounted after the user's abort"
user sftfs "$T/www/p.sft" "$m" >"$T/out" 2>&1 </dev/null || die "as a user: $(cat "$T/out")"
expect_status 0 user sftfs ctl "$m" unmount
is_mounted "$m" && die "still mounted"
expect_equal "$(ls -A "$T/userrun/sftfs")" "" "left behind"

step "root removes a user's stopped mount"
user sftfs "$T/www/p.sft" "$m" >"$T/out" 2>&1 </dev/null || die "as a user: $(cat "$T/out")"
stop_daemon
expect_status 0 timeout 60 sftfs ctl "$m" unmount --force
is_mounted "$m" && die "still mounted"
[ -z "$(daemons)" ] || die "the daemon is still there"
expect_equal "$(ls -A "$T/userrun/sftfs")" "" "left behind"
exit 0
