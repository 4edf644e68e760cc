#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The model test on two plain directories: it agrees with itself, after pretended crashes too, and
# does see what differs.
set -u
model=tests/model/model
dir=$(mktemp -d "${TMPDIR:-/tmp}/sftfs-model.XXXXXX") || exit 99
trap 'chmod -R u+rwx "$dir"; rm -rf "$dir"' EXIT
[ "$(id -u)" -eq 0 ] && user= || user=--user

die() {
    cat "$dir/out"
    echo "FAIL: $*"
    exit 1
}

copy() {
    rm -rf "$dir/a" "$dir/b"
    cp -a "$dir/src" "$dir/a" && cp -a "$dir/src" "$dir/b" || exit 99
}

# expect STATUS ARGUMENTS...
expect() {
    want=$1
    shift
    got=0
    # shellcheck disable=SC2086
    timeout 60 "./$model" $user "$@" "$dir/a" "$dir/b" >"$dir/out" 2>&1 || got=$?
    [ "$got" -eq "$want" ] || die "exit status $got instead of $want: $*"
}

"./$model" --make --seed 3 --threads 2 "$dir/src" || exit 99
find "$dir/src" -type f -size +32k -exec rm {} +
copy
expect 0 --seed 1 --threads 2 --batches 2 --ops 300
copy
expect 0 --seed 2 --threads 2 --batches 10 --ops 100 --crash --pretend --remount true
copy
expect 0 --seed 3 --threads 2 --race --batches 1 --ops 200 --remount true

# One change at a time, each of which it must see.
victim=$(cd "$dir/src" && find t1 -type f -size +1k | sort | head -n 1)
for change in 'printf x | dd of="$f" bs=1 seek=77 conv=notrunc status=none; touch -d @500000000 "$f" "$g"' \
    'touch "$f"' 'touch -d @500000000 "$f"; touch -d @500000001 "$g"' 'chmod 600 "$f"' 'rm "$f"' \
    'mv "$f" "$f.x"' 'ln "$f" "$dir/other"' 'truncate -s 1 "$f"' '>"$(dirname "$f")/more"' \
    'rm "$f"; mkdir "$f"' 'rm "$f"; ln -s x "$f"'; do
    copy
    rm -f "$dir/other"
    f=$dir/a/$victim
    g=$dir/b/$victim
    eval "$change"
    expect 1 --threads 2 --seed 1 --batches 0
done
