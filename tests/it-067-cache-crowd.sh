#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Many readers of what is in the disk cache, with little memory and one decoder: they wait for each
# other's buffers, and all of them get their bytes, with the server gone.
# formats: sft appv
. "$(dirname "$0")/lib.sh"
need_root
need_fuse
requires nginx python3
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY no_proxy NO_PROXY

mkdir -p "$T/src" "$T/www" "$T/cache"
python3 - "$T/src" <<'PY'
import sys
for i in range(40):
    with open('%s/f%02d' % (sys.argv[1], i), 'wb') as f:
        f.write(b''.join(b'%d in %d\n' % (n * 7919 % 10007, i) for n in range(100000)))
PY
pack "$T/src" "$T/www/p.sft"
start_nginx "$T/www"
m=$T/mnt
mount_package "$URL/p.sft" "$m" -o "cache_dir=$T/cache,fetch_ahead=0"
for f in "$T"/src/f[123]?; do
    cmp "$f" "$m/${f##*/}" || die "wrong bytes"
done
unmount "$m"

# What comes from the server first makes the decoder take up its work, and keep what it works with.
mount_package "$URL/p.sft" "$m" -o "cache_dir=$T/cache,memory=8M,decoders=1,io_timeout=5"
cmp "$T/src/f00" "$m/f00" || die "wrong bytes"
stop_nginx
cat >"$T/crowd.py" <<'PY'
import mmap, os, random, sys
m, src, seed = sys.argv[1:4]
rng = random.Random(seed)
buf = mmap.mmap(-1, 1 << 19)
for _ in range(150):
    name = 'f%02d' % rng.randrange(10, 40)
    offset = rng.randrange(200) * 4096
    with open(os.path.join(src, name), 'rb') as f:
        f.seek(offset)
        want = f.read(len(buf))
    fd = os.open(os.path.join(m, name), os.O_RDONLY | os.O_DIRECT)
    got = os.preadv(fd, [buf], offset)
    os.close(fd)
    if buf[:got] != want:
        sys.exit('wrong bytes in %s at %d' % (name, offset))
PY
pids=
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
    timeout -s KILL 120 python3 "$T/crowd.py" "$m" "$T/src" "$i" &
    pids="$pids $!"
done
for pid in $pids; do
    wait "$pid" || die "a reader failed, or was never answered"
done
unmount "$m"
exit 0
