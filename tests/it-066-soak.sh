#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Three daemons, two of which share a disk cache, sixteen readers that compare every byte, and a
# network that fails at random, while daemons and readers are killed: tests/soak/soak.py, which says
# what a failure is.
#
#   SFTFS_SOAK_SECONDS=N  how long (40; rounds once begun are finished, so it is about 70). Deadline
#                         and faults are ten times shorter than with the usual options, so 360 stand
#                         for an hour. The waits between attempts (250 ms to 8 s) are not
#                         shortened, so that fewer of them fit into a deadline than usual.
#   SEED=N                other faults; printed when it fails
. "$(dirname "$0")/lib.sh"
need_root
need_fuse
requires nginx python3
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY no_proxy NO_PROXY

seconds=${SFTFS_SOAK_SECONDS:-40}
SEED=${SEED:-$(date +%s)}
export SEED
# AddressSanitizer keeps what was freed for a while, which is no growth of ours.
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}quarantine_size_mb=1
export ASAN_OPTIONS
echo "SEED=$SEED SFTFS_SOAK_SECONDS=$seconds"

mkdir "$T/www" "$T/soak"
# Some 50 MB in files of all sizes, much more than a daemon keeps in memory; half of the files get
# smaller by packing.
python3 - "$T/src" "$SEED" <<'PY' || die "cannot make the tree"
import os, random, sys
top, rng = sys.argv[1], random.Random(sys.argv[2])
for i in range(150):
    d = '%s/d%d' % (top, i % 7)
    os.makedirs(d, exist_ok=True)
    size = int(2 ** rng.uniform(0, 22))
    if i % 2:
        data = rng.randbytes(size)
    else:
        data = b''.join(b'%d of %d\n' % (rng.randrange(1000), k) for k in range(size // 9 + 1))
    with open('%s/f%d' % (d, i), 'wb') as f:
        f.write(data)
PY
pack "$T/src" "$T/www/p.sft"
start_nginx "$T/www"
start_fault_proxy
python3 "$SFTFS_SRC/tests/soak/soak.py" "$T/soak" "$T/src" "$FAULT_URL/p.sft" "$FAULT_DIR/control" \
    "$seconds" "$SEED" || die "with SEED=$SEED SFTFS_SOAK_SECONDS=$seconds"
exit 0
