#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Every way in which a network or a server can fail, under a real mount: what passes by heals unseen,
# what stays is EIO at the deadline and one line in the log, the next read tries again, and no reader
# ever gets a wrong byte or cannot be killed.
. "$(dirname "$0")/lib.sh"
need_root
need_fuse
requires nginx python3
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY no_proxy NO_PROXY

DEADLINE=3
src=$T/src
mkdir -p "$src" "$T/www" "$T/other"
# One file for each thing that is tried, so that no cache has its blocks; each is some blocks long.
python3 - "$src" <<'PY'
import os, sys
for i in range(60):
    with open('%s/f%02d' % (sys.argv[1], i), 'wb') as f:
        f.write(os.urandom(300000))
PY
pack "$src" "$T/www/p.sft" --guid 7b2f4a10-5d0e-4a6e-9d55-0a2b6c1f9e01
start_nginx "$T/www"
start_fault_proxy
m=$T/mnt

# mount_in_sight [OPTIONS...]: in the foreground, its log in $T/log; nothing is fetched that nobody has
# asked for, so that a fault meets the read it is meant for
mount_in_sight() {
    mkdir -p "$m"
    : >"$T/log"
    # shellcheck disable=SC2086
    sftfs -f "$FAULT_URL/p.sft" "$m" -o io_timeout=$DEADLINE,fetch_ahead=0,autoload=never $UNCACHED \
        "$@" 2>"$T/log" </dev/null &
    wait_for 30 is_mounted "$m" || { cat "$T/log"; die "not mounted"; }
}

# A new daemon: one says only so much in a minute of the same thing.
start_afresh() {
    fault clear
    unmount "$m"
    mount_in_sight
}

# The next file that nobody has read.
next_file() {
    file=f$(printf %02d "$files")
    files=$((files + 1))
    [ "$files" -le 60 ] || die "too few files"
}
files=0

# One read of 4096 bytes past the page cache: good, wrong, the name of an error; and milliseconds.
# So that one read of ours is one of the daemon's, the kernel must not read ahead.
cat >"$T/read.py" <<'PY'
import errno, mmap, os, sys, time
m, src, name, offset = sys.argv[1:5]
with open(src + '/' + name, 'rb') as f:
    f.seek(int(offset))
    want = f.read(4096)
start = time.monotonic()
buf = mmap.mmap(-1, 4096)
try:
    fd = os.open(m + '/' + name, os.O_RDONLY | os.O_DIRECT)
    got = os.preadv(fd, [buf], int(offset))
    result = 'good' if buf[:got] == want else 'WRONG'
except OSError as e:
    result = errno.errorcode[e.errno]
print(result, int((time.monotonic() - start) * 1000))
PY

# look [FILE [OFFSET]]: reads the next file, or FILE; sets result and took (ms). A read that is not
# answered at all fails the script.
look() {
    if [ $# -eq 0 ]; then
        next_file
    else
        file=$1
    fi
    lines_before=$(wc -l <"$T/log")
    timeout -k 1 60 python3 "$T/read.py" "$m" "$src" "$file" "${2:-131072}" >"$T/read" ||
        { cat "$T/log"; die "the read was not answered"; }
    read -r result took <"$T/read"
    [ "$result" != WRONG ] || { fault rules; die "wrong bytes"; }
}

# Lines that the last read, and nothing else, has written to the log. That the server is out of reach,
# or back, is said for itself, once each.
said() {
    tail -n +$((lines_before + 1)) "$T/log" | grep -v ' origin: '
}

# bad WHAT: the last read must have been EIO, with one line that names the file
bad() {
    expect_equal "$result" EIO "$1"
    expect_equal "$(said | grep -c .)" 1 "$1: lines in the log: $(said)"
    said | grep -q "\"/*$file\"" || die "$1: the log does not name the file: $(said)"
}

good() {
    expect_equal "$result" good "$1"
    expect_equal "$(said)" "" "$1: log"
}

# applied FAULT: the last rules did something
applied() {
    [ "$(fault_count "$1")" -ge "${2:-1}" ] || die "the fault $1 did not come about"
}

# now FAULT...: this and nothing else is wrong from here on
now() {
    fault clear
    fault mark
    [ $# -eq 0 ] || fault set "$@" >/dev/null
}

mount_in_sight
now
look
good "nothing is wrong"

step "what passes by is not seen by the reader"
for f in "reset n=1" "short n=1" "reset n=2 at=10" "status code=503 n=1" "status code=500 n=1" \
    "status code=429 n=1 after=0" "wrong-body n=1" "corrupt n=1 bits=3" \
    "refuse seconds=0.7" "delay ms=700" "stall at=head seconds=0.7" "stall seconds=0.7"; do
    # shellcheck disable=SC2086
    now $f
    look
    good "$f"
    case $f in
    refuse*) ;;
    *) applied "${f%% *}" ;;
    esac
done

step "Retry-After is waited for"
now status code=503 n=1 after=1
look
good "503 with Retry-After"
[ "$took" -ge 1000 ] || die "asked again after $took ms"

step "what stays is EIO not before the deadline, one line, and the next read tries again"
for f in "stall at=head" "stall at=0" "dribble rate=1" "short at=7" "reset at=7" "status code=503" \
    "refuse"; do
    # shellcheck disable=SC2086
    now $f
    look
    bad "$f"
    [ "${f%% *}" = refuse ] || applied "${f%% *}"
    now
    look "$file"
    good "after $f"
done
now stall at=head
look
bad "a silent server"
[ "$took" -ge $((DEADLINE * 1000 - 100)) ] || die "given up after $took ms"
now

start_afresh
step "what asking again does not change is EIO at once"
for code in 404 403 410; do
    now status code=$code
    look
    bad "status $code"
    said | grep -q "$code" || die "the log does not say why: $(said)"
    expect_equal "$(fault_count status)" 1 "requests answered with $code"
    now
    look "$file"
    good "after $code"
done

step "wrong bytes from a cache: asked for once more past it"
now corrupt fresh=no bits=1
look
good "a cache that has it wrong"
applied corrupt
now

step "wrong bytes from everywhere: EIO, with the block and both hashes in the log"
for f in corrupt wrong-body; do
    now $f
    look
    bad "$f"
    applied $f 2
    said | grep -Eq 'block [0-9]+' || die "no block number: $(said)"
    [ "$(said | grep -Eo '[0-9a-f]{32,64}' | sort -u | wc -l)" -ge 2 ] || die "no hashes: $(said)"
    now
    look "$file"
    good "after $f"
done
now wrong-range
look
bad "another range than asked for"
now
look "$file"
good "after another range"

step "a reader that is killed while the server is silent ends at once, and nobody speaks of it"
now stall at=head
next_file
lines_before=$(wc -l <"$T/log")
python3 "$T/read.py" "$m" "$src" "$file" 131072 >"$T/read" 2>&1 &
reader=$!
wait_for 10 sh -c "python3 '$SFTFS_SRC/tests/fault-proxy.py' ctl '$FAULT_DIR/control' stats |
    grep -q '\"stall\"'" || die "the reader asks for nothing"
kill -KILL "$reader"
ended() {
    ! kill -0 "$reader" 2>/dev/null ||
        grep -q '^State:[[:space:]]*Z' "/proc/$reader/status" 2>/dev/null
}
# Long before the deadline, or this could not fail.
wait_for 2 ended || die "the reader is still there after SIGKILL"
wait "$reader" 2>/dev/null
now
look "$file"
good "after the reader was killed"
expect_equal "$(said)" "" "log"

start_afresh
step "a server that stops while many read: all are answered, and read again afterwards"
now stall
pids=
for i in 1 2 3 4 5 6 7 8; do
    next_file
    timeout -k 1 60 python3 "$T/read.py" "$m" "$src" "$file" 0 >"$T/many.$i" 2>&1 &
    pids="$pids $!"
done
for pid in $pids; do
    wait "$pid" || die "a reader was not answered"
done
cat "$T"/many.? | grep -v '^EIO' && die "an answer without a server"
now
files=$((files - 8))
for i in 1 2 3 4 5 6 7 8; do
    look
    expect_equal "$result" good "after a silent server"
done

step "the object changes under the mount: what was read stays good, the rest fails clearly"
look
old=$file
good "before the change"
cp -a "$src" "$T/other/src"
python3 - "$T/other/src" <<'PY'
import os, sys
for name in os.listdir(sys.argv[1]):
    with open(os.path.join(sys.argv[1], name), 'wb') as f:
        f.write(os.urandom(300000))
PY
pack "$T/other/src" "$T/other/p.sft" --guid 7b2f4a10-5d0e-4a6e-9d55-0a2b6c1f9e01
mv "$T/www/p.sft" "$T/www/first.sft"
cp "$T/other/p.sft" "$T/www/p.sft"
look
bad "the object is another one"
said | grep -q 'error=object-changed' || die "the log does not say so: $(said)"
look "$old"
good "what was read before the change"
unmount "$m"

step "it changes and nobody says so: hashes tell"
mv "$T/www/first.sft" "$T/www/p.sft"
mount_in_sight
look
old=$file
good "before the change"
python3 - "$T/www/p.sft" "$T/other/p.sft" <<'PY'
import os, sys
size, times = os.path.getsize(sys.argv[1]), os.stat(sys.argv[1])
with open(sys.argv[2], 'rb') as f:
    data = f.read(size).ljust(size, b'\0')
os.unlink(sys.argv[1])          # nginx may have the old one open
with open(sys.argv[1], 'wb') as f:
    f.write(data)
os.utime(sys.argv[1], ns=(times.st_atime_ns, times.st_mtime_ns))
PY
look
bad "other bytes in the same place"
look "$old"
good "what was read before"
unmount "$m"
cp "$T/other/p.sft" "$T/www/p.sft"

step "mounting from a bad server: a message and an exit status within the deadline"
for f in "stall at=head" "stall at=100" "dribble" "refuse" "reset at=50" "status code=503"; do
    # shellcheck disable=SC2086
    now $f
    # shellcheck disable=SC2086
    expect_status 6 timeout -k 1 60 sftfs "$FAULT_URL/p.sft" "$m" -o io_timeout=2 $UNCACHED
    expect_text "$T/err" 'p\.sft'
    is_mounted "$m" && die "mounted nothing"
done
now corrupt place=600 # in the metadata
# shellcheck disable=SC2086
expect_status 5 timeout -k 1 60 sftfs "$FAULT_URL/p.sft" "$m" -o io_timeout=2 $UNCACHED
applied corrupt
for f in "reset n=1" "short n=1" "status code=503 n=1" "refuse seconds=0.5"; do
    # shellcheck disable=SC2086
    now $f
    # shellcheck disable=SC2086
    mount_package "$FAULT_URL/p.sft" "$m" -o io_timeout=10 $UNCACHED
    cmp "$m/f00" "$T/other/src/f00" || die "wrong bytes after $f"
    unmount "$m"
done
exit 0
