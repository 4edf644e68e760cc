#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The daemon of an overlay dies under random operations: at any moment (SIGKILL), and at every named
# crash point of the code. After the next mount each operation that was under way is done or not
# done, all that was done before is there, and work/ is empty. SEED=N repeats one, LENGTH=N makes it
# N times as long. The points need a build configured with --enable-crash-points: SFTFS_BUILD, or
# SFTFS_CRASH_BUILD; without one they are left out.
. "$(dirname "$0")/lib.sh"
private_mounts "$0" "$@"
need_fuse
requires timeout python3 fallocate

seed=${SEED:-$(date +%s%N | tail -c 10 | sed 's/^0*//')}
length=${LENGTH:-1}
model=$SFTFS_BUILD/tests/model/model
[ -x "$model" ] || skip "no $model"
echo "SEED=$seed"
m=$T/mnt
threads=3
mkdir "$m"

# Small, because it is read after each crash.
make_package() {
    "$model" --make --seed "$1" --threads "$threads" "$T/src" || die "no tree"
    find "$T/src" -type f -size +80k -exec rm {} +
    find "$T/src" -type d -exec touch -d @500000000 {} +
    pack "$T/src" "$T/p.sft" --block-size 4 --level 1
}

make_sides() {
    rm -rf "$T/b" "$T/overlay"
    cp -a "$T/src" "$T/b"
    find "$T/b" -name '*.dll' -type f -exec chmod 755 {} +
}

# Brings the mount back, with what $T/next says as its crash point.
cat >"$T/recover.sh" <<'RECOVER'
#!/bin/sh
top=$1 src=$2 options=$3
SFTFS_CRASH_LOG=$top/reached
export SFTFS_CRASH_LOG
unset SFTFS_CRASH_POINT
sh "$src/tests/remount.sh" recover "$top/mnt" || exit 1
next=$(sed -n 1p "$top/plan" 2>/dev/null)
if [ -n "$next" ]; then
    sed -i 1d "$top/plan"
    SFTFS_CRASH_POINT=$next
    export SFTFS_CRASH_POINT
fi
sftfs "$top/p.sft" "$top/mnt" -o "$options" >"$top/mount.out" 2>&1 || {
    # It may have died on the way.
    unset SFTFS_CRASH_POINT
    umount -l "$top/mnt" 2>/dev/null
    sftfs "$top/p.sft" "$top/mnt" -o "$options" || {
        cat "$top/mount.out"
        exit 1
    }
}
left=$(ls -A "$top/overlay/work" | grep -vx whiteout) # of which others are made links
[ -z "$left" ] || {
    echo "left in work/: $left"
    exit 1
}
RECOVER

# run_model NAME OPTIONS MODEL-OPTIONS...
run_model() {
    rm_name=$1
    rm_options=overlay=$T/overlay,umask=022,$2
    shift 2
    step "$rm_name: SEED=$seed"
    mount_package "$T/p.sft" "$m" -o "$rm_options"
    rm_status=0
    timeout $((length * 250 + 50)) "$model" --seed "$seed" --threads "$threads" --crash \
        --remount "sh '$T/recover.sh' '$T' '$SFTFS_SRC' '$rm_options'" \
        "$@" "$m" "$T/b" >"$T/model.out" 2>&1 </dev/null || rm_status=$?
    [ "$rm_status" -eq 0 ] || {
        echo "crash points until then: $(tail -n 3 "$T/reached" 2>/dev/null | tr '\n' ' ')"
        tail -n 200 "$T/model.out"
        echo "all but the operations:"
        grep -avE '^ +[0-9]+ |^      [AB]: ' "$T/model.out" | head -n 60
        die "$rm_name: SEED=$seed: exit status $rm_status"
    }
    tail -n 1 "$T/model.out"
    sh "$SFTFS_SRC/tests/remount.sh" recover "$m"
    seed=$((seed + 1))
}

make_package "$seed"
kill_command="sh '$SFTFS_SRC/tests/remount.sh' kill '$m'"
make_sides
run_model "killed at random" case_sensitive --kill "$kill_command" --kill-ms 300 --ops 100000 \
    --batches $((12 * length))
make_sides
run_model "killed at random, case-insensitive" umask=022 --fold --kill "$kill_command" \
    --kill-ms 300 --ops 100000 --batches $((8 * length))

# --- named points -----------------------------------------------------------------------------

for build in "$SFTFS_BUILD" "${SFTFS_CRASH_BUILD:-}"; do
    if [ -n "$build" ] && "$build/sftfs" --crash-points >"$T/points" 2>/dev/null; then
        PATH=$build:$build/tools:$PATH
        found=yes
    fi
done
[ -n "${found:-}" ] || {
    echo "the crash points are left out: no build with --enable-crash-points"
    exit 0
}
[ "$(wc -l <"$T/points")" -ge 10 ] || die "too few crash points: $(cat "$T/points")"
: >"$T/reached"

not_reached() {
    sort -u "$T/reached" | comm -13 - "$T/points"
}

# A mount that must come about in the end.
mount_somehow() {
    sftfs "$@" >"$T/mount.out" 2>&1 </dev/null && return
    umount -l "$m" 2>/dev/null
    (
        unset SFTFS_CRASH_POINT
        expect_status 0 sftfs "$@"
    ) || exit 1
}

# at_points OPTIONS OPS [MODEL-OPTIONS...]: random operations up to each point of $T/plan
at_points() {
    ap_options=$1
    ap_ops=$2
    shift 2
    make_sides
    run_model "at $(wc -l <"$T/plan") named points" "$ap_options" --ops "$ap_ops" \
        --batches "$(($(wc -l <"$T/plan") + 1))" "$@"
}

step "points that random operations pass"
for n in 1 9; do
    sed '/^upgrade-/d; /^reset-/d; /^store-/d; /^lock-/d; s/$/:'$n'/' "$T/points"
done >"$T/plan"
at_points case_sensitive $((length * 400))
# What is only passed while there is much of the package left, or with other spellings.
for mode in case_sensitive umask=022; do
    for point in $(not_reached | grep -vE '^(upgrade|reset|store|lock)-'); do
        echo "$point" >"$T/plan"
        if [ "$mode" = case_sensitive ]; then
            at_points "$mode" $((length * 1500))
        else
            at_points "$mode" $((length * 1500)) --fold
        fi
    done
done

step "points of a new overlay"
SFTFS_CRASH_LOG=$T/reached
export SFTFS_CRASH_LOG
for point in $(not_reached | grep -Ev '^(upgrade|reset)-'); do
    rm -rf "$T/overlay"
    SFTFS_CRASH_POINT=$point
    export SFTFS_CRASH_POINT
    mount_somehow "$T/p.sft" "$m" -o "overlay=$T/overlay,umask=022"
    unset SFTFS_CRASH_POINT
    diff -r "$T/src" "$m" || die "$point: the package does not show"
    echo new >"$m/new"
    unmount "$m"
    mount_package "$T/p.sft" "$m" -o "overlay=$T/overlay,umask=022"
    expect_equal "$(cat "$m/new")" new "$point"
    unmount "$m"
done

step "points of another version of the package"
mkdir "$T/one" "$T/one/dir"
for name in written touched kept gone moved plain override; do
    head -c 50000 /dev/urandom >"$T/one/$name"
done
head -c 50000 /dev/urandom >"$T/one/dir/file"
guid=0A1B2C3D-1111-2222-3333-444455556677
cp -a "$T/one" "$T/two"
for name in written touched override; do
    head -c 60000 /dev/urandom >"$T/two/$name"
done
rm "$T/two/gone"
pack "$T/one" "$T/one.sft" --guid "$guid"
pack "$T/two" "$T/two.sft" --guid "$guid" --override '/override'
cp "$T/one" "$T/expected" -a

# What the user did to version one, and how version two looks with it.
change_one() {
    rm -rf "$T/overlay" "$T/expected"
    mount_package "$T/one.sft" "$m" -o "overlay=$T/overlay,umask=022"
    cp -a "$T/two" "$T/expected"
    for name in written kept gone override; do
        printf 'changed' | dd of="$m/$name" bs=1 seek=20000 conv=notrunc status=none ||
            die "cannot write"
    done
    chmod 600 "$m/touched"
    mv "$m/moved" "$m/elsewhere"
    mv "$m/dir" "$m/directory"
    rm "$m/plain"
    echo new >"$m/new"
    cp -a "$m/written" "$m/gone" "$m/kept" "$m/new" "$T/expected"
    mv "$T/expected/moved" "$T/expected/elsewhere"
    mv "$T/expected/dir" "$T/expected/directory"
    rm "$T/expected/plain"
    unmount "$m"
}

for n in 1 2; do
    for point in $(grep '^upgrade-' "$T/points"); do
        change_one
        SFTFS_CRASH_POINT=$point:$n
        export SFTFS_CRASH_POINT
        mount_somehow "$T/two.sft" "$m" -o "overlay=$T/overlay,umask=022"
        unset SFTFS_CRASH_POINT
        diff -r "$T/expected" "$m" || die "$point: what the user did is not there"
        expect_equal "$(stat -c %a "$m/touched")" 600 "mode after $point"
        unmount "$m"
        left=$(ls -A "$T/overlay/work" | grep -vx whiteout)
        expect_equal "$left" "" "left in work/ after $point"
    done
done

step "points of sft overlay reset"
# either PATH OTHER: what was renamed shows at one of the two at least
either() {
    cmp -s "$m/$1" "$T/one/$1" || cmp -s "$m/$2" "$T/one/$1" || die "$point: neither $1 nor $2 is there"
}
for n in 1 2 3 4; do
    for point in $(grep '^reset-' "$T/points"); do
        change_one
        what="elsewhere directory gone plain"
        [ "$point" != reset-exchanged ] || what=--all
        # shellcheck disable=SC2086
        SFTFS_CRASH_POINT=$point:$n sft overlay reset --overlay "$T/overlay" $what >"$T/out" 2>&1
        mount_package "$T/one.sft" "$m" -o "overlay=$T/overlay,umask=022"
        either moved elsewhere
        either dir/file directory/file
        unmount "$m"
        expect_status 0 sft overlay reset --overlay "$T/overlay" --all
        mount_package "$T/one.sft" "$m" -o "overlay=$T/overlay,umask=022"
        diff -r "$T/one" "$m" || die "$point: not as in the package after reset --all"
        unmount "$m"
        expect_equal "$(ls -A "$T/overlay/work" | grep -vx whiteout)" "" "left in work/ after $point"
    done
done

step "changes of a package file that random operations seldom come to"
cp "$T/one/written" "$T/new"
fallocate -p -o 6000 -l 30000 "$T/new" || die "cannot punch a hole"
for point in $(not_reached | grep -E '^(range|unit|map|limit|file)-'); do
    rm -rf "$T/overlay"
    SFTFS_CRASH_POINT=$point
    export SFTFS_CRASH_POINT
    mount_package "$T/one.sft" "$m" -o "overlay=$T/overlay,umask=022"
    unset SFTFS_CRASH_POINT
    fallocate -p -o 6000 -l 30000 "$m/written" 2>/dev/null
    sh "$SFTFS_SRC/tests/remount.sh" recover "$m"
    mount_package "$T/one.sft" "$m" -o "overlay=$T/overlay,umask=022"
    cmp -s "$T/one/written" "$m/written" || cmp -s "$T/new" "$m/written" ||
        python3 - "$T/one/written" "$T/new" "$m/written" <<'PY' || die "$point: neither old nor new"
import sys
old, new, now = (open(name, 'rb').read() for name in sys.argv[1:])
sys.exit(len(now) != len(old) or any(c not in (a, b) for a, b, c in zip(old, new, now)))
PY
    unmount "$m"
done

# Cut, and then made longer than it was cut to: what was cut off must not come back from the package.
for point in $(not_reached | grep '^limit-'); do
    rm -rf "$T/overlay"
    SFTFS_CRASH_POINT=$point
    export SFTFS_CRASH_POINT
    mount_package "$T/one.sft" "$m" -o "overlay=$T/overlay,umask=022"
    unset SFTFS_CRASH_POINT
    truncate -s 9000 "$m/written" && truncate -s 30000 "$m/written" 2>/dev/null
    sh "$SFTFS_SRC/tests/remount.sh" recover "$m"
    mount_package "$T/one.sft" "$m" -o "overlay=$T/overlay,umask=022"
    python3 - "$T/one/written" "$m/written" <<'PY' || die "$point: neither cut nor longer"
import sys
old, now = (open(name, 'rb').read() for name in sys.argv[1:])
sys.exit(now not in (old[:9000], old[:9000] + bytes(21000)))
PY
    unmount "$m"
done

step "what was written before a restart of the system"
if not_reached | grep -qx map-states-judged; then
    rm -rf "$T/overlay"
    cat /proc/sys/kernel/random/uuid >"$T/boot_id"
    mount --bind "$T/boot_id" /proc/sys/kernel/random/boot_id || die "cannot bind"
    mount_package "$T/one.sft" "$m" -o "overlay=$T/overlay,umask=022"
    cp "$T/one/written" "$T/expected-file"
    for place in 100 20000; do
        printf changed | dd of="$m/written" bs=1 seek=$place conv=notrunc,fsync status=none
        printf changed | dd of="$T/expected-file" bs=1 seek=$place conv=notrunc status=none
        unmount "$m"
        cat /proc/sys/kernel/random/uuid >"$T/boot_id"
        if [ "$place" -eq 100 ]; then
            SFTFS_CRASH_POINT=map-states-judged
            export SFTFS_CRASH_POINT
        fi
        mount_somehow "$T/one.sft" "$m" -o "overlay=$T/overlay,umask=022"
        unset SFTFS_CRASH_POINT
        if [ "$place" -eq 100 ]; then
            printf changed | dd of="$m/written" bs=1 seek=9000 conv=notrunc status=none 2>/dev/null
            sh "$SFTFS_SRC/tests/remount.sh" recover "$m"
            mount_package "$T/one.sft" "$m" -o "overlay=$T/overlay,umask=022"
            printf changed | dd of="$m/written" bs=1 seek=9000 conv=notrunc status=none
            printf changed | dd of="$T/expected-file" bs=1 seek=9000 conv=notrunc status=none
        fi
        cmp "$T/expected-file" "$m/written" || die "what was synced is not there after a restart"
    done
    unmount "$m"
    umount /proc/sys/kernel/random/boot_id
fi

# Needs a file system without RENAME_EXCHANGE; tests/test-overlay-move.c does without it.
missing=$(not_reached | grep -vx move-target-aside)
[ -z "$missing" ] || die "points that were never reached: $(echo "$missing" | tr '\n' ' ')"
echo "$(sort -u "$T/reached" | wc -l) points, $(wc -l <"$T/reached") crashes"
exit 0
