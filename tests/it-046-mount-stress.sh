#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Many readers at once, readers killed, the daemon terminated under load: nothing hangs, who
# survives gets the right bytes, and the mount point can be used again. ROUNDS=N makes more of it.
# formats: sft appv
. "$(dirname "$0")/lib.sh"
need_fuse
requires python3 nginx tar timeout

rounds=3
is_appv && rounds=1
rounds=${ROUNDS:-$rounds}
limit=60 # seconds after which something is taken to hang

src=$T/src
mkdir -p "$src/small" "$src/deep/er" "$T/www"
python3 - "$src" <<'PY' || die "no tree"
import os, random, sys
top = sys.argv[1]
rng = random.Random(46)
for n in range(1500):
    with open(os.path.join(top, 'small', 'File %04d.dll' % n), 'wb') as f:
        f.write(rng.randbytes(rng.randrange(0, 12000)) * rng.randrange(1, 3))
for n in range(300):
    with open(os.path.join(top, 'deep', 'er', 'x%03d' % n), 'wb') as f:
        f.write(b'line %d\n' % n * rng.randrange(0, 3000))
for n in range(3):
    with open(os.path.join(top, 'large %d.bin' % n), 'wb') as f:
        f.write(rng.randbytes(6000000))
PY
pack "$src" "$T/www/p.sft" --block-size 16 --level 1
(cd "$src" && find . -type f -print0 | sort -z | xargs -0 sha256sum) >"$T/sums"
(cd "$src" && find . -printf '%y %s %P\n' | sed 's/^d [0-9]*/d/' | sort) >"$T/names"
start_nginx "$T/www"
m=$T/mnt

# Reads at random places and compares with the original, until it is killed or the time is over.
cat >"$T/random-reader.py" <<'PY'
import os, random, sys, time
mounted, plain, seconds, seed = sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
rng = random.Random(seed)
names = ['large %d.bin' % n for n in range(3)] + ['small/File %04d.dll' % n for n in range(1500)]
end = time.monotonic() + seconds
while time.monotonic() < end:
    name = rng.choice(names[:3] if rng.random() < 0.7 else names)
    with open(mounted + '/' + name, 'rb', 0) as a, open(plain + '/' + name, 'rb') as b:
        at, n = rng.randrange(os.fstat(a.fileno()).st_size + 1), rng.randrange(1, 200000)
        if rng.random() < 0.3:
            os.posix_fadvise(a.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        if os.pread(a.fileno(), n, at) != os.pread(b.fileno(), n, at):
            sys.exit('%s differs at %d, %d bytes' % (name, at, n))
PY

# Starts readers of every kind, and again what has ended; at SIGTERM kills them all. Exit status 1
# when one of them does not end.
cat >"$T/noise.py" <<'PY'
import signal, subprocess, sys, threading
mounted, plain, random_reader, seed, limit, ready = sys.argv[1:]
told = threading.Event()
signal.signal(signal.SIGTERM, lambda *args: told.set())
commands = [
    ['tar', 'cf', '-', '-C', mounted, '.'],
    ['find', mounted, '-printf', '%s %p %T@\n'],
    [sys.executable, random_reader, mounted, plain, '60', seed],
    ['cat', mounted + '/large 0.bin', mounted + '/large 1.bin'],
]
def start(command):
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)
readers = [start(c) for c in commands]
open(ready, 'w').close()
while not told.wait(0.1):
    readers = [start(c) if r.poll() is not None else r for r, c in zip(readers, commands)]
for r in readers:
    r.kill()
try:
    for r in readers:
        r.wait(float(limit))
except subprocess.TimeoutExpired as e:
    sys.exit('still there after SIGKILL: %s' % e.cmd)
PY

noise() {
    rm -f "$T/ready"
    python3 "$T/noise.py" "$m" "$src" "$T/random-reader.py" "$1" $limit "$T/ready" &
    noise=$!
    wait_for $limit test -e "$T/ready" || die "the readers do not start"
}

end_noise() {
    kill -TERM "$noise"
    wait "$noise" || die "a killed reader did not end"
}

# Runs COMMAND; dies when it has to be ended by timeout(1).
bounded() {
    b_status=0
    timeout -s KILL $limit "$@" || b_status=$?
    [ "$b_status" -ne 137 ] || die "hangs: $*"
    return "$b_status"
}

n=0
while [ $n -lt "$rounds" ]; do
    for source in "$T/www/p.sft" "$URL/p.sft"; do
        step "round $n, $source: readers killed while others go on"
        mount_package "$source" "$m" -o memory=8M,io_timeout=30
        noise $n
        bounded python3 "$T/random-reader.py" "$m" "$src" 1 $((n + 1000)) || die "a reader saw wrong bytes"
        end_noise
        (cd "$m" && bounded sha256sum --quiet -c "$T/sums") >"$T/bad" 2>&1 || {
            tail -n 20 "$T/bad"
            die "checksums differ"
        }
        (cd "$m" && bounded find . -printf '%y %s %P\n') | sed 's/^d [0-9]*/d/' | sort |
            cmp - "$T/names" || die "names or sizes differ"
        unmount "$m"

        step "round $n, $source: the daemon terminated under load"
        mount_package "$source" "$m" -o memory=8M,io_timeout=30
        noise $n
        bounded tar cf - -C "$m" . 2>/dev/null | head -c $((400000 + n * 3000000)) >/dev/null
        kill -TERM $(daemons)
        wait_for $limit not_mounted "$m" || die "still mounted after SIGTERM under load"
        wait_for $limit no_daemon_for "$m" || die "the daemon did not end after SIGTERM under load"
        end_noise
    done
    n=$((n + 1))
done

step "the mount point is as good as new"
mount_package "$T/www/p.sft" "$m"
(cd "$m" && bounded sha256sum --quiet -c "$T/sums") || die "checksums differ"
unmount "$m"
exit 0
