#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# A package on a web server: only what is read crosses the network; what happens when it goes away.
# formats: sft appv
. "$(dirname "$0")/lib.sh"
need_fuse
requires python3 nginx

src=$T/src
mkdir -p "$src/sub" "$src/row" "$T/www"
head -c 20000 /dev/urandom >"$src/row/a"
head -c 20000 /dev/urandom >"$src/row/b"
head -c 600000 /dev/urandom >"$src/row/c"
head -c 6000000 /dev/urandom >"$src/large.bin"
head -c 3000000 /dev/urandom >"$src/other.bin"
head -c 3000000 /dev/urandom >"$src/third.bin"
i=0
while [ $i -lt 300 ]; do
    echo "file $i" >"$src/sub/file $i.txt"
    i=$((i + 1))
done
pack "$src" "$T/www/p.sft"
size=$(stat -c %s "$T/www/p.sft")
start_nginx "$T/www"
m=$T/mnt

step "mount and ls cost at most two range requests and little of the package"
http_log_mark
mount_package "$URL/p.sft" "$m" -o io_timeout=5
ls -lR "$m" >/dev/null
requests=$(http_requests)
[ "$requests" -ge 1 ] && [ "$requests" -le 2 ] || die "$requests requests: $(cat "$NGINX_LOG")"
[ "$(http_bytes)" -lt $((size / 10)) ] || die "$(http_bytes) of $size bytes for a listing"
grep -v ' 206 ' "$NGINX_LOG" && die "a request that was not for a range"

step "reading a small file fetches little"
expect_equal "$(cat "$m/SUB/FILE 7.TXT")" "file 7"
[ "$(http_bytes)" -lt $((size / 4)) ] || die "$(http_bytes) of $size bytes for a small file"

step "reading all brings the right bytes, each once"
diff -r "$src" "$m" || die "trees differ"
[ "$(http_bytes)" -lt $((size + size / 10)) ] || die "$(http_bytes) bytes fetched of $size"
unmount "$m"

step "several readers at once"
# Nothing ahead of need: what was not read must not be there.
mount_package "$URL/p.sft" "$m" -o io_timeout=5,autoload=never,fetch_ahead=0,cache_dir=none
http_log_mark
readers=
for n in 1 2 3 4 5 6; do
    (cat "$m/large.bin" | cmp - "$src/large.bin") &
    readers="$readers $!"
done
for pid in $readers; do
    wait "$pid" || die "a reader failed"
done
[ "$(http_bytes)" -lt 7000000 ] || die "$(http_bytes) bytes fetched for one file of 6000000"

step "server gone: EIO within the deadline; listing and what was read still work"
stop_nginx
before=$(date +%s)
python3 - "$m/other.bin" <<'PY' || die "reading without a server"
import errno, sys
try:
    with open(sys.argv[1], 'rb') as f:
        f.seek(2000000)
        f.read(100)
    sys.exit('read something')
except OSError as e:
    sys.exit(0 if e.errno == errno.EIO else 'errno %d' % e.errno)
PY
[ $(($(date +%s) - before)) -le 30 ] || die "the deadline of 5 s took $(($(date +%s) - before)) s"
expect_equal "$(find "$m" | wc -l)" 309 "entries without a server"
cmp "$m/large.bin" "$src/large.bin" || die "cached reads fail"

step "server back: reads work again"
resume_nginx || die "nginx does not come back"
cmp "$m/other.bin" "$src/other.bin" || die "reads fail after the server came back"
unmount "$m"

step "killing a reader that waits for a stalled server ends it at once"
# Serves ranges like any server until the file DIR/stall exists, then accepts and never answers.
cat >"$T/stall.py" <<'PY'
import http.server, os, re, sys, time
top, port_file = sys.argv[1], sys.argv[2]
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def log_message(self, *args):
        pass
    def do_HEAD(self):
        self.do_GET()
    def do_GET(self):
        while os.path.exists(top + '/stall'):
            time.sleep(0.05)
        data = open(top + '/p.sft', 'rb').read()
        m = re.match(r'bytes=(\d+)-(\d*)', self.headers.get('Range', ''))
        first = int(m.group(1)) if m else 0
        last = min(int(m.group(2)) if m and m.group(2) else len(data) - 1, len(data) - 1)
        self.send_response(206 if m else 200)
        if m:
            self.send_header('Content-Range', 'bytes %d-%d/%d' % (first, last, len(data)))
        self.send_header('Content-Length', str(last + 1 - first))
        self.send_header('ETag', '"one"')
        self.end_headers()
        if self.command == 'GET':
            self.wfile.write(data[first:last + 1])
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
server.daemon_threads = True
server.handle_error = lambda *args: None   # the client has gone, as it may
open(port_file + '.new', 'w').write(str(server.server_address[1]))
os.rename(port_file + '.new', port_file)
server.serve_forever()
PY
python3 "$T/stall.py" "$T/www" "$T/port" &
wait_for 20 test -s "$T/port" || die "the stalling server does not start"
mount_package "http://127.0.0.1:$(cat "$T/port")/p.sft" "$m" -o io_timeout=120,autoload=never,fetch_ahead=0,cache_dir=none
expect_equal "$(cat "$m/sub/file 7.txt")" "file 7"
touch "$T/www/stall"
cat "$m/third.bin" >/dev/null 2>&1 &
reader=$!
# It waits for the server once it sleeps in the kernel's FUSE code (wchan may be hidden).
waits() {
    grep -q '^State:[[:space:]]*[SD]' "/proc/$reader/status" &&
        case $(tr '\0' ' ' <"/proc/$reader/cmdline") in "cat "*) ;; *) false ;; esac
}
wait_for 10 waits || die "the reader does not wait"
sleep 0.3
kill -KILL "$reader"
ended() {
    ! kill -0 "$reader" 2>/dev/null || grep -q '^State:[[:space:]]*Z' "/proc/$reader/status" 2>/dev/null
}
wait_for 5 ended || die "the reader is still there after SIGKILL"
wait "$reader" 2>/dev/null

step "the same for readers past the page cache"
python3 - "$m/third.bin" <<'PY' || die "a reader with O_DIRECT does not end"
import subprocess, sys, time
code = """
import mmap, os, sys
fd = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECT)
print('reading', flush=True)
os.preadv(fd, [mmap.mmap(-1, 65536)], int(sys.argv[2]))
"""
readers = [subprocess.Popen([sys.executable, '-c', code, sys.argv[1], str((n + 16) * 65536)],
                            stdout=subprocess.PIPE) for n in range(8)]
for r in readers:
    r.stdout.readline()
time.sleep(0.5)
if any(r.poll() is not None for r in readers):
    sys.exit('a reader did not wait')
for r in readers:
    r.kill()
for r in readers:
    r.wait(5)
PY

step "the mount goes on meanwhile, and the server's answer is used when it comes"
expect_equal "$(find "$m" | wc -l)" 309 "entries while a read waits"
expect_equal "$(cat "$m/sub/file 7.txt")" "file 7"
rm "$T/www/stall"
cmp "$m/third.bin" "$src/third.bin" || die "reads fail after the stall"

step "unmounting while a read waits ends it"
unmount "$m"
mount_package "http://127.0.0.1:$(cat "$T/port")/p.sft" "$m" -o io_timeout=120,autoload=never,fetch_ahead=0,cache_dir=none
touch "$T/www/stall"
cat "$m/third.bin" >/dev/null 2>&1 &
reader=$!
wait_for 10 waits || die "the reader does not wait"
for pid in $(daemons); do
    kill -TERM "$pid"
done
wait_for 20 ended || die "the reader still waits after SIGTERM of the daemon"
wait "$reader" 2>/dev/null
wait_for 20 not_mounted "$m" || die "still mounted after SIGTERM"
rm -f "$T/www/stall"

step "the same while the next file of a row, which waits too, is being handed to the kernel"
mount_package "http://127.0.0.1:$(cat "$T/port")/p.sft" "$m" -o io_timeout=120,autoload=never,fetch_ahead=0,cache_dir=none
ls -lR "$m" >/dev/null
# Brings the first two files and the beginning of the third into the daemon's memory and takes them
# out of the kernel's; then the third is asked for as a whole while the first two are read in order.
cat >"$T/row.py" <<'PY'
import os, sys, threading, time
m, stall = sys.argv[1], sys.argv[2]
def begin(name):
    return os.open(m + '/row/' + name, os.O_RDONLY)
for name in 'abc':
    fd = begin(name)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)
    os.pread(fd, 100, 0)
    time.sleep(0.2)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
open(stall, 'w').close()
waiting = begin('c')
threading.Thread(target=lambda: os.pread(waiting, 300000, 0), daemon=True).start()
time.sleep(0.5)
for name in 'ab':
    os.pread(begin(name), 20000, 0)
    time.sleep(0.2)
print('reading', flush=True)
time.sleep(60)
PY
python3 "$T/row.py" "$m" "$T/www/stall" >"$T/row.out" 2>&1 &
reader=$!
wait_for 20 grep -qs reading "$T/row.out" || die "the row is not read: $(cat "$T/row.out")"
for pid in $(daemons); do
    kill -TERM "$pid"
done
wait_for 10 not_mounted "$m" || die "still mounted after SIGTERM"
wait_for 10 no_daemon_for "$m" || die "the daemon is still there after SIGTERM"
kill -KILL "$reader"
wait "$reader" 2>/dev/null
rm -f "$T/www/stall"

step "what a server refuses is said at once, not after the deadline"
expect_status 3 sftfs "$URL/no-such.sft" "$m" -o io_timeout=60
expect_text "$T/err" 'no-such\.sft'
is_mounted "$m" && die "mounted nothing"
exit 0
