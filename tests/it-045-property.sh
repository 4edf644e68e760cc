#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Random trees: what is mounted is what was packed, for every codec and block size. The seed is
# printed; SEED=N repeats one, ROUNDS=N makes more of them.
# formats: sft appv
. "$(dirname "$0")/lib.sh"
need_fuse
requires python3

seed=${SEED:-$(date +%s%N | tail -c 10 | sed 's/^0*//')}
rounds=8
is_appv && rounds=2 # codecs and block sizes are all the same
rounds=${ROUNDS:-$rounds}
echo "SEED=$seed"
sizes="4 16 32 64"
codecs="none zlib bzip2 zstd"

# pick WORD-LIST NUMBER
pick() {
    # shellcheck disable=SC2086
    set -- $(($2 % 4 + 1)) $1
    eval "echo \${$(($1 + 1))}"
}

round=0
while [ "$round" -lt "$rounds" ]; do
    n=$((seed + round))
    codec=$(pick "$codecs" $n)
    size=$(pick "$sizes" $((n / 4 + round)))
    step "round $round: SEED=$n, $codec, blocks of $size KiB"
    mkdir "$T/src"
    python3 "$SFTFS_SRC/tests/tree.py" make "$T/src" "$n" || die "no tree"
    pack "$T/src" "$T/p.sft" --codec "$codec" --block-size "$size"
    # shellcheck disable=SC2046
    expect_status 0 sft verify $(is_appv && echo --no-signature) "$T/p.sft"
    mount_package "$T/p.sft" "$T/mnt" -o umask=022
    python3 "$SFTFS_SRC/tests/tree.py" compare "$T/src" "$T/mnt" 022 || die "SEED=$n: differs"
    python3 "$SFTFS_SRC/tests/tree.py" identities "$T/mnt" >/dev/null || die "SEED=$n: identities"
    python3 "$SFTFS_SRC/tests/tree.py" variants "$T/mnt" "$n" || die "SEED=$n: spellings"
    # Again, now from the kernel's caches.
    diff -r "$T/src" "$T/mnt" || die "SEED=$n: differs when cached"
    unmount "$T/mnt"
    rm -rf "$T/src" "$T/p.sft"
    round=$((round + 1))
done
