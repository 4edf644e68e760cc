#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Random operations on a mount with an overlay and on a plain directory: the same answers, and the
# same tree afterwards, also after remounts; with exact and with case-insensitive names, from a file
# and from a web server, as root and as an ordinary user. SEED=N repeats one, LENGTH=N makes it
# N times as long; SFTFS_VALGRIND=yes runs the daemon under valgrind, for a short time.
# formats: sft appv
. "$(dirname "$0")/lib.sh"
private_mounts "$0" "$@"
need_fuse
requires setpriv timeout

seed=${SEED:-$(date +%s%N | tail -c 10 | sed 's/^0*//')}
length=${LENGTH:-1}
model=$SFTFS_BUILD/tests/model/model
[ -x "$model" ] || skip "no $model"
echo "SEED=$seed"
open_dev_fuse
mkdir "$T/www" "$T/bin"
m=$T/mnt
limit=$((length * 100 + 100))
threads=3
ops=400

if [ -n "${SFTFS_VALGRIND:-}" ]; then
    requires valgrind
    real=$(command -v sftfs)
    cat >"$T/bin/sftfs" <<WRAPPER
#!/bin/sh
exec valgrind -q --trace-children=no --leak-check=full --errors-for-leak-kinds=definite \\
    --log-file=$T/valgrind.%p "$real" "\$@"
WRAPPER
    chmod 755 "$T/bin/sftfs"
    PATH=$T/bin:$PATH
    ops=60
fi

# make_sides SEED OWNER: the package, and B as the mount shows the package
make_sides() {
    rm -rf "$T/src" "$T/b" "$T/overlay"
    "$model" --make --seed "$1" --threads "$threads" "$T/src" || die "no tree"
    chmod -R a+rX "$T/src"
    rm -f "$T/www/p.sft"
    pack "$T/src" "$T/www/p.sft" --block-size 16 --level 1
    chmod 644 "$T/www/p.sft"
    cp -a "$T/src" "$T/b"
    find "$T/b" -name '*.dll' -type f -exec chmod 755 {} +
    chown -R "$2" "$T/b"
    chmod 755 "$T/b"
    mkdir "$T/overlay"
    chown "$2" "$T/overlay"
}

# run_model NAME RUNNER SOURCE MOUNT-OPTIONS MODEL-OPTIONS...
run_model() {
    rm_name=$1
    rm_runner=$2
    rm_source=$3
    rm_options=overlay=$T/overlay,umask=022,$4
    shift 4
    step "$rm_name: SEED=$seed"
    mkdir -p "$m"
    $mount_as sftfs "$rm_source" "$m" -o "$rm_options" >"$T/mount.out" 2>&1 </dev/null || {
        cat "$T/mount.out"
        die "cannot mount"
    }
    rm_status=0
    # shellcheck disable=SC2086
    $rm_runner timeout "$limit" "$model" --seed "$seed" --threads "$threads" --ops "$ops" \
        --remount "sh $SFTFS_SRC/tests/remount.sh again $m sftfs $rm_source $m -o $rm_options" \
        "$@" "$m" "$T/b" >"$T/model.out" 2>&1 </dev/null || rm_status=$?
    [ "$rm_status" -eq 0 ] || {
        tail -n 260 "$T/model.out"
        echo "all but the operations:"
        grep -avE '^ +[0-9]+ |^      [AB]: ' "$T/model.out" | head -n 60
        die "$rm_name: SEED=$seed: exit status $rm_status"
    }
    tail -n 1 "$T/model.out"
    sh "$SFTFS_SRC/tests/remount.sh" again "$m"
    ls -A "$T/overlay/work" | grep -vx whiteout && die "left in work/"
    seed=$((seed + 1))
}

root= # the model as root
mount_as=

if [ -n "${SFTFS_VALGRIND:-}" ]; then
    make_sides "$seed" root
    run_model "valgrind" "$root" "$T/www/p.sft" case_sensitive --batches $((2 * length))
    make_sides "$seed" root
    run_model "valgrind, case-insensitive" "$root" "$T/www/p.sft" umask=022 --fold \
        --batches $((2 * length))
    for log in "$T"/valgrind.*; do
        [ -s "$log" ] || continue
        cat "$log"
        bad=yes
    done
    [ -z "${bad:-}" ] || die "valgrind has something to say"
    exit 0
fi

make_sides "$seed" root
run_model "exact names" "$root" "$T/www/p.sft" case_sensitive --batches $((6 * length))
make_sides "$seed" root
run_model "case-insensitive" "$root" "$T/www/p.sft" umask=022 --fold --batches $((6 * length))
make_sides "$seed" root
run_model "all on the same names" "$root" "$T/www/p.sft" case_sensitive --race \
    --batches $((3 * length))
make_sides "$seed" root
run_model "all on the same names, case-insensitive" "$root" "$T/www/p.sft" umask=022 --race \
    --batches $((3 * length))

if command -v nginx >/dev/null; then
    start_nginx "$T/www"
    make_sides "$seed" root
    run_model "from a web server" "$root" "$URL/p.sft" case_sensitive,memory=8M \
        --batches $((3 * length))
    make_sides "$seed" root
    run_model "from a web server, case-insensitive" "$root" "$URL/p.sft" memory=8M --fold \
        --batches $((3 * length))
fi

# Root's daemon with another user before it.
make_sides "$seed" 65534:65534
run_model "root's mount, used by somebody else" as_user "$T/www/p.sft" \
    case_sensitive,allow_other,uid=65534,gid=65534 --user --batches $((3 * length)) \
    --remount "true"

# A daemon without any privilege.
make_sides "$seed" 65534:65534
chown 65534:65534 "$m"
mount_as=as_user_suid
run_model "an ordinary user's" as_user_suid "$T/www/p.sft" case_sensitive --user \
    --batches $((3 * length))
make_sides "$seed" 65534:65534
run_model "an ordinary user's, case-insensitive" as_user_suid "$T/www/p.sft" umask=022 --user \
    --fold --batches $((3 * length))
exit 0
