#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Changing files of a package that lies on a web server: what is fetched for it, and what becomes of
# a write that waits for a server that does not answer.
# formats: sft appv
. "$(dirname "$0")/lib.sh"
need_fuse
requires python3 nginx

python3 -c 'import os, sys; os.setxattr(sys.argv[1], "user.sftfs-test", b"1")' "$T" 2>/dev/null ||
    skip "no extended attributes in $T"
block=65536
src=$T/src
mkdir -p "$src" "$T/www"
python3 - "$src" <<'PY' || die "no tree"
import os, random, sys
rng = random.Random(51)
for name, size in (('append', 5000001), ('byte', 3000000), ('whole', 1000000), ('cut', 2000000),
                   ('mixed', 1000000), ('other', 300000), ('waits', 500000), ('untouched', 300000)):
    with open(os.path.join(sys.argv[1], name), 'wb') as f:
        f.write(rng.randbytes(size))
PY
pack "$src" "$T/www/p.sft" --block-size 64 --level 1
start_nginx "$T/www"
m=$T/mnt
mount_package "$URL/p.sft" "$m" -o "overlay=$T/ov,autoload=never,fetch_ahead=0"

# at_most N BYTES TEXT: since the mark
at_most() {
    am_bytes=$(http_bytes)
    [ "$am_bytes" -le "$1" ] || die "$2: $am_bytes bytes were fetched"
}

step "what is fetched for a change"
http_log_mark
python3 - "$m" <<'PY' || die "cannot open for writing"
import os, sys
for name in os.listdir(sys.argv[1]):
    os.close(os.open(sys.argv[1] + '/' + name, os.O_RDWR))
PY
mv "$m/untouched" "$m/renamed"
chmod 600 "$m/byte"
touch "$m/whole"
at_most 0 "opening, renaming and touching"
printf x >>"$m/append"
at_most $((block + 1000)) "appending a byte"
http_log_mark
printf x | dd of="$m/byte" bs=1 seek=1000001 conv=notrunc 2>"$T/dd" || die "cannot write"
at_most $((block + 1000)) "changing a byte"
http_log_mark
dd if=/dev/zero of="$m/whole" bs=4096 seek=10 count=20 conv=notrunc 2>"$T/dd" || die "cannot write"
: >"$m/cut"
echo new >"$m/cut"
truncate -s 5000 "$m/other"
truncate -s 9000 "$m/other"
at_most 0 "writing whole units, and cutting off"

step "and the bytes are right"
python3 - "$m" "$src" <<'PY' || die "wrong bytes"
import sys
m, src = sys.argv[1:]
def read(path):
    with open(path, 'rb') as f:
        return f.read()
def want(name, change):
    data = bytearray(read(src + '/' + name))
    assert read(m + '/' + name) == change(data), name
def put(data, off, new):
    data[off:off + len(new)] = new
    return data
want('append', lambda d: d + b'x')
want('byte', lambda d: put(d, 1000001, b'x'))
want('whole', lambda d: put(d, 40960, bytes(81920)))
want('cut', lambda d: b'new\n')
want('other', lambda d: d[:5000] + bytes(4000))
assert read(m + '/renamed') == read(src + '/untouched')
PY
unmount "$m"

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

# Does what ARGS say to a file: write or read, offset, length.
cat >"$T/do.py" <<'PY'
import os, sys
what, name, off, size = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
fd = os.open(name, os.O_RDWR)
print('begun', flush=True)
if what == 'write':
    os.pwrite(fd, b'W' * size, off)
else:
    os.pread(fd, size, off)
print('done', flush=True)
PY

begin() {
    python3 "$T/do.py" "$@" >"$T/do.out" 2>&1 &
    doer=$!
    wait_for 10 grep -q begun "$T/do.out" || die "it does not begin"
    sleep 0.3
    grep -q done "$T/do.out" && die "it did not wait"
}

ended() {
    ! kill -0 "$doer" 2>/dev/null || grep -q '^State:[[:space:]]*Z' "/proc/$doer/status" 2>/dev/null
}

step "killing a writer that waits for the rest of a unit: it ends at once and has written nothing"
mount_package "http://127.0.0.1:$(cat "$T/port")/p.sft" "$m" -o "io_timeout=120,overlay=$T/ov2,autoload=never,fetch_ahead=0,cache_dir=none"
touch "$T/www/stall"
begin write "$m/waits" 100 10
kill -KILL "$doer"
wait_for 5 ended || die "the writer is still there after SIGKILL"
wait "$doer" 2>/dev/null
begin write "$m/waits" 4000 200000

step "the mount goes on meanwhile, and the write is done when the answer comes"
echo meanwhile >"$m/new"
expect_equal "$(cat "$m/new")" meanwhile
dd if=/dev/zero of="$m/other" bs=4096 count=3 conv=notrunc 2>"$T/dd" || die "cannot write"
rm "$T/www/stall"
wait "$doer" || die "the write failed: $(cat "$T/do.out")"
python3 - "$m/waits" "$src/waits" <<'PY' || die "wrong bytes"
import sys
got, want = (bytearray(open(p, 'rb').read()) for p in sys.argv[1:])
want[4000:204000] = b'W' * 200000
assert got == want
PY

step "a reader of changed and unchanged bytes, killed"
unmount "$m"
mount_package "http://127.0.0.1:$(cat "$T/port")/p.sft" "$m" -o "io_timeout=120,overlay=$T/ov2,autoload=never,fetch_ahead=0,cache_dir=none"
dd if=/dev/zero of="$m/mixed" bs=4096 seek=3 count=3 conv=notrunc 2>"$T/dd" || die "cannot write"
touch "$T/www/stall"
begin read "$m/mixed" 0 100000
kill -KILL "$doer"
wait_for 5 ended || die "the reader is still there after SIGKILL"
wait "$doer" 2>/dev/null

step "unmounting while a write waits ends it, and nothing of it was written"
begin write "$m/append" 100 10
kill -TERM $(daemons)
wait_for 20 ended || die "the writer still waits after SIGTERM of the daemon"
wait "$doer" 2>/dev/null
wait_for 20 not_mounted "$m" || die "still mounted after SIGTERM"
wait_for 20 no_daemon_for "$m" || die "the daemon is still there after SIGTERM"
rm -f "$T/www/stall"
mount_package "http://127.0.0.1:$(cat "$T/port")/p.sft" "$m" -o "overlay=$T/ov2"
cmp "$m/append" "$src/append" || die "half a write"
unmount "$m"
exit 0
