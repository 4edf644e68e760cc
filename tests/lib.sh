# SPDX-License-Identifier: LGPL-2.1-or-later
# Sourced by the integration scripts tests/it-*.sh (POSIX sh). A script begins with
#
#     . "$(dirname "$0")/lib.sh"
#     requires python3                 # exit 77 (skip) with a reason when it is missing
#
# and ends with exit status 0. It has:
#
#   T                   an empty directory of its own, removed at the end
#   SFTFS_SRC           the source tree
#   SFTFS_BUILD         the build directory; its programs are in PATH. Default: the current
#                       directory if it is one, else the source tree
#   die TEXT            fails the script
#   skip TEXT           ends it as skipped
#   step TEXT           says what is being looked at (shown when the script fails)
#   at_exit COMMAND     to be run at the end, last one first, however the script ends
#   wait_for SECONDS COMMAND...  polls until COMMAND succeeds; fails at the end of the time
#   expect_status N COMMAND...   dies unless COMMAND exits with N; output in $T/out and $T/err
#   expect_text FILE REGEX       dies unless a line of FILE matches (grep -E)
#   start_nginx DIR     serves DIR on a free loopback port; sets URL (no slash at the end), NGINX_LOG
#   stop_nginx, resume_nginx     takes the same server away, and back at the same port
#   http_log_mark       from here on the two below count
#   http_requests, http_bytes    requests answered, and body bytes sent, as nginx logged them
#   start_fault_proxy   puts tests/fault-proxy.py before nginx; sets FAULT_URL, FAULT_LOG
#   fault COMMAND...    tells it what to do wrong from now on: fault set corrupt p=0.1; fault clear
#   fault_count KEY     how often: requests, bodies, bytes, or the name of a fault
#   pack DIR OUT.sft [OPTIONS...]  sft pack; dies on failure. With SFTFS_TEST_FORMAT=appv the package is
#                       an App-V 5 one, whatever its name says; run.sh runs scripts that have a line
#                       "# formats: sft appv" both ways
#   is_appv             whether it does
#   mount_package SOURCE DIR [OPTIONS...]  runs sftfs in the background; DIR is made; dies on failure
#   unmount DIR         and waits until its daemon is gone
#   UNCACHED            the mount options with which a mount finds nothing in the disk cache, and
#                       leaves nothing there
#   new_wine_prefix     see below, as the next
#   need_root, need_fuse, private_mounts   see below
#
# Everything a script starts carries SFTFS_TEST_TAG in its environment, so that at the end nothing
# stays behind, and nothing else is touched. What is mounted under $T is unmounted.

set -u
LC_ALL=C.UTF-8
TZ=UTC
export LC_ALL TZ
umask 022

: "${SFTFS_SRC:=$(cd "$(dirname "$0")/.." && pwd)}"
if [ -z "${SFTFS_BUILD:-}" ]; then
    if [ -x ./sft ] || [ -x ./tools/sft ]; then
        SFTFS_BUILD=$PWD
    else
        SFTFS_BUILD=$SFTFS_SRC
    fi
fi
export SFTFS_SRC SFTFS_BUILD
PATH=$SFTFS_BUILD:$SFTFS_BUILD/tools:$PATH:/usr/local/sbin:/usr/sbin:/sbin
export PATH

skip() {
    echo "SKIP: $*"
    exit 77
}

die() {
    echo "FAIL: $*" >&2
    exit 1
}

step() {
    echo "-- $*"
}

# --- ending -----------------------------------------------------------------------------------

at_exit_list=

at_exit() {
    at_exit_list="$1
$at_exit_list"
}

# Mount points under $T, innermost first, spaces decoded.
mounts_here() {
    awk -v top="$T/" '{ m = $5; gsub(/\\040/, " ", m); if (index(m, top) == 1) print m }' \
        /proc/self/mountinfo | sort -r
}

tagged_processes() {
    grep -lzxF "SFTFS_TEST_TAG=$test_tag" /proc/[0-9]*/environ 2>/dev/null |
        sed 's,/proc/,,; s,/environ,,' | grep -vx "$$"
}

detach() {
    if [ "$(id -u)" -eq 0 ]; then
        umount "$1" 2>/dev/null || umount -l "$1"
    else
        fusermount3 -u "$1" 2>/dev/null || fusermount3 -u -z "$1"
    fi
}

finish() {
    status=$?
    trap '' EXIT HUP INT TERM
    set +e
    unset SFTFS_TEST_TAG
    cd /
    eval "$at_exit_list"
    mounts_here | while IFS= read -r m; do
        detach "$m"
    done
    # Daemons end by themselves once unmounted; then the rest, politely, then not.
    for signal in 0 0 0 0 TERM 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 KILL 0 0; do
        left=$(tagged_processes)
        [ -n "$left" ] || break
        # shellcheck disable=SC2086
        kill -s "$signal" $left 2>/dev/null
        sleep 0.1
    done
    if [ -z "$(mounts_here)" ]; then
        chmod -R u+rwX "$T" 2>/dev/null
        rm -rf "$T"
    else
        echo "left mounted: $(mounts_here)" >&2
        [ "$status" -ne 0 ] || status=1
    fi
    exit "$status"
}

T=$(mktemp -d "${TMPDIR:-/tmp}/sftfs-test.XXXXXX") || exit 99
T=$(cd "$T" && pwd -P)
chmod 755 "$T"
test_tag=${T##*.}.$$
SFTFS_TEST_TAG=$test_tag
export SFTFS_TEST_TAG
XDG_CACHE_HOME=$T/cache-home # made by whoever needs it
export XDG_CACHE_HOME
trap finish EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# --- conditions -------------------------------------------------------------------------------

# requires PROGRAM...
requires() {
    for r_name; do
        command -v "$r_name" >/dev/null 2>&1 || skip "no $r_name"
    done
}

need_root() {
    [ "$(id -u)" -eq 0 ] || skip "must be run as root"
}

need_fuse() {
    [ -c /dev/fuse ] || skip "no /dev/fuse"
    [ -r /dev/fuse ] && [ -w /dev/fuse ] || skip "/dev/fuse is not accessible"
    command -v sftfs >/dev/null 2>&1 || die "no sftfs in $SFTFS_BUILD"
}

# Runs the script again in a mount namespace of its own, where mounting over system paths disturbs
# nobody. Call it first, right after sourcing this file: private_mounts "$0" "$@"
private_mounts() {
    need_root
    [ -z "${SFTFS_PRIVATE_MOUNTS:-}" ] || return 0
    requires unshare
    unshare -m true 2>/dev/null || skip "mount namespaces are not available"
    # The directory of this instance is not wanted; its own trap is replaced by exec.
    rmdir "$T"
    SFTFS_PRIVATE_MOUNTS=yes
    export SFTFS_PRIVATE_MOUNTS
    exec unshare -m --propagation private sh "$@"
}

# Makes /dev/fuse usable by everybody, in this mount namespace only.
open_dev_fuse() {
    [ -n "${SFTFS_PRIVATE_MOUNTS:-}" ] || die "open_dev_fuse outside a private mount namespace"
    mkdir "$T/dev"
    mount -t tmpfs -o mode=755 none "$T/dev" || die "cannot mount a tmpfs"
    mknod -m 666 "$T/dev/fuse" c 10 229 || skip "no device nodes can be made here"
    chmod 666 "$T/dev/fuse"
    mount --bind "$T/dev/fuse" /dev/fuse || die "cannot bind over /dev/fuse"
    at_exit 'umount /dev/fuse'
}

# as_user COMMAND...: as nobody, without any privilege
as_user() {
    setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all --no-new-privs "$@"
}

# The same, but set-user-id programs (fusermount3) keep working.
as_user_suid() {
    setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all "$@"
}

# --- expectations -----------------------------------------------------------------------------

wait_for() {
    wf_end=$(($(date +%s) + $1))
    shift
    until "$@"; do
        [ "$(date +%s)" -lt "$wf_end" ] || return 1
        sleep 0.02
    done
}

expect_status() {
    es_want=$1
    shift
    es_got=0
    "$@" >"$T/out" 2>"$T/err" </dev/null || es_got=$?
    [ "$es_got" -eq "$es_want" ] && return
    sed 's/^/    stdout: /' "$T/out" | tail -n 20
    sed 's/^/    stderr: /' "$T/err" | tail -n 20
    die "exit status $es_got instead of $es_want: $*"
}

expect_text() {
    grep -Eq -- "$2" "$1" && return
    sed 's/^/    /' "$1" | tail -n 20
    die "no line matches: $2"
}

expect_equal() {
    [ "$1" = "$2" ] || die "${3:-values differ}: '$1' instead of '$2'"
}

# --- a web server -----------------------------------------------------------------------------

port_is_free() {
    fp_hex=$(printf ':%04X' "$1")
    ! awk -v p="$fp_hex" '$2 ~ p "$" { found = 1 } END { exit !found }' \
        /proc/net/tcp /proc/net/tcp6 2>/dev/null
}

# Below the range from which the kernel takes ports of outgoing connections.
free_port() {
    fp_port=$((10000 + ($(date +%N | sed 's/^0*//') / 100 + $$ * 7) % 20000))
    until port_is_free "$fp_port"; do
        fp_port=$((fp_port + 1))
    done
    echo "$fp_port"
}

nginx_config() {
    [ "$(id -u)" -ne 0 ] || echo "user root;"
    cat <<CONF
worker_processes 1;
daemon off;
pid $NGINX_DIR/pid;
error_log $NGINX_DIR/error.log;
events { worker_connections 512; }
http {
    log_format one '\$request_method \$status \$body_bytes_sent "\$http_range" \$uri';
    access_log $NGINX_LOG one;
    sendfile on;
    tcp_nodelay on;
    keepalive_timeout 300;
    types { }
    default_type application/octet-stream;
    client_body_temp_path $NGINX_DIR/t1;
    proxy_temp_path $NGINX_DIR/t2;
    fastcgi_temp_path $NGINX_DIR/t3;
    uwsgi_temp_path $NGINX_DIR/t4;
    scgi_temp_path $NGINX_DIR/t5;
    server {
        listen 127.0.0.1:$NGINX_PORT;
        root "$NGINX_ROOT";
        ${NGINX_EXTRA:-}
    }
}
CONF
}

nginx_answers() {
    # The pid file appears after the sockets are bound.
    [ -s "$NGINX_DIR/pid" ] || ! kill -0 "$NGINX_PID" 2>/dev/null
}

resume_nginx() {
    rm -f "$NGINX_DIR/pid"
    nginx -p "$NGINX_DIR" -e "$NGINX_DIR/error.log" -c "$NGINX_DIR/conf" \
        >>"$NGINX_DIR/out" 2>&1 </dev/null &
    NGINX_PID=$!
    # Its title overwrites its environment, so the tag does not find it.
    at_exit "end_nginx $NGINX_PID"
    wait_for 20 nginx_answers && kill -0 "$NGINX_PID" 2>/dev/null
}

# NGINX_EXTRA may hold further lines of the server block.
start_nginx() {
    requires nginx
    NGINX_ROOT=$(cd "$1" && pwd -P)
    NGINX_DIR=$T/nginx
    NGINX_LOG=$NGINX_DIR/access.log
    mkdir -p "$NGINX_DIR"
    : >"$NGINX_LOG"
    http_mark=0
    for sn_try in 1 2 3 4 5; do
        NGINX_PORT=$(free_port)
        nginx_config >"$NGINX_DIR/conf"
        if resume_nginx; then
            URL=http://127.0.0.1:$NGINX_PORT
            # nginx writes its title over its environment, so finish() cannot know it by its tag.
            at_exit stop_nginx
            return
        fi
    done
    cat "$NGINX_DIR/out" "$NGINX_DIR/error.log" >&2
    die "nginx does not start"
}

# Only if it is still ours: the number may have been given to another process.
end_nginx() {
    case $(tr '\0' ' ' <"/proc/$1/cmdline") in
    *nginx*"$T/"*) kill "$1" ;;
    esac 2>/dev/null
}

stop_nginx() {
    kill "$NGINX_PID" 2>/dev/null
    wait "$NGINX_PID" 2>/dev/null
    return 0
}

http_log_mark() {
    http_settle
    http_mark=$(wc -l <"$NGINX_LOG")
}

# A line is written after the client has its answer: wait until no more come.
http_settle() {
    hs_last=-1
    hs_now=$(wc -l <"$NGINX_LOG")
    while [ "$hs_now" -ne "$hs_last" ]; do
        hs_last=$hs_now
        sleep 0.1
        hs_now=$(wc -l <"$NGINX_LOG")
    done
}

http_requests() {
    http_settle
    echo $(($(wc -l <"$NGINX_LOG") - http_mark))
}

http_bytes() {
    http_settle
    awk -v skip="$http_mark" 'NR > skip { n += $3 } END { printf "%d\n", n }' "$NGINX_LOG"
}

# --- a bad server -----------------------------------------------------------------------------

# start_fault_proxy [NAME] [HOST:PORT]: between us and nginx, or what is given. For more than one,
# each with a NAME of its own; use_fault_proxy says which one is meant from then on.
start_fault_proxy() {
    requires python3
    fp_dir=$T/${1:-fault}
    mkdir "$fp_dir"
    python3 "$SFTFS_SRC/tests/fault-proxy.py" serve "${2:-127.0.0.1:$NGINX_PORT}" "$fp_dir/control" \
        "$fp_dir/port" --seed "${SEED:-1}" --log "$fp_dir/log" >"$fp_dir/out" 2>&1 </dev/null &
    wait_for 20 test -s "$fp_dir/port" || die "the fault proxy does not start: $(cat "$fp_dir/out")"
    use_fault_proxy "${1:-fault}"
}

# use_fault_proxy NAME: sets FAULT_URL and FAULT_LOG; fault commands go there
use_fault_proxy() {
    FAULT_DIR=$T/$1
    FAULT_URL=http://127.0.0.1:$(cat "$FAULT_DIR/port")
    FAULT_LOG=$FAULT_DIR/log
}

# fault COMMAND...: as tests/fault-proxy.py says
fault() {
    python3 "$SFTFS_SRC/tests/fault-proxy.py" ctl "$FAULT_DIR/control" "$@" || die "fault $*"
}

# fault_count KEY: of what "fault stats" says, with faults by their names; 0 if there is none
fault_count() {
    fault stats | python3 -c 'import json, sys
s = json.load(sys.stdin)
print({**s["faults"], **s}.get(sys.argv[1], 0))' "$1"
}

# --- mounts -----------------------------------------------------------------------------------

is_mounted() {
    awk -v want="$1" '{ m = $5; gsub(/\\040/, " ", m); if (m == want) found = 1 }
        END { exit !found }' /proc/self/mountinfo
}

not_mounted() {
    ! is_mounted "$1"
}

# Process ids of our sftfs daemons, by what the kernel calls them.
daemons() {
    for d_pid in $(tagged_processes); do
        case $(cat "/proc/$d_pid/comm" 2>/dev/null) in
        sftfs | lt-sftfs | sftmount) echo "$d_pid" ;;
        esac
    done
}

no_daemon_for() {
    for nd_pid in $(daemons); do
        tr '\0' '\n' 2>/dev/null <"/proc/$nd_pid/cmdline" | grep -qxF -- "$1" && return 1
    done
    return 0
}

# Whether the script runs with App-V 5 packages (SFTFS_TEST_FORMAT=appv).
is_appv() {
    [ "${SFTFS_TEST_FORMAT:-sft}" = appv ]
}

# pack_appv DIR OUT [OPTIONS...]: what sft pack has for SFT alone is left out of the options, and the next
# version of a package is one with the same GUID. DIR's times become such as an archive can hold.
pack_appv() {
    python3 "$SFTFS_SRC/tests/tree.py" settle "$1" || return
    pa_count=$#
    set -- "$@" --format=appv --level=1
    while [ "$pa_count" -gt 0 ]; do
        pa_count=$((pa_count - 1))
        case $1 in
        --block-size | --codec | --level | --override)
            shift 2
            pa_count=$((pa_count - 1))
            continue
            ;;
        --upgrade)
            pa_old=$(sft info --json "$2" | python3 -c 'import json, sys
d = json.load(sys.stdin)
print("--guid=%s --name=%s" % (d["package_guid"], d["name"]))') || return
            pa_number=$((${pa_number:-0} + 1))
            shift 2
            pa_count=$((pa_count - 1))
            # shellcheck disable=SC2086
            set -- "$@" $pa_old "--app-version=1.0.0.$pa_number"
            continue
            ;;
        esac
        set -- "$@" "$1"
        shift
    done
    sft pack "$@"
}

# pack DIR OUT.sft [OPTIONS...]
pack() {
    pk_dir=$1
    pk_out=$2
    shift 2
    if is_appv; then
        pack_appv "$pk_dir" -o "$pk_out" "$@" >"$T/pack.out" 2>&1 </dev/null || {
            pk_status=$?
            sed 's/^/    /' "$T/pack.out" | tail -n 20
            die "sft pack --format=appv $pk_dir $*: exit status $pk_status"
        }
        return
    fi
    sft pack "$pk_dir" -o "$pk_out" "$@" >"$T/pack.out" 2>&1 </dev/null || {
        pk_status=$?
        sed 's/^/    /' "$T/pack.out" | tail -n 20
        die "sft pack $pk_dir $*: exit status $pk_status"
    }
}

# new_wine_prefix: Wine with a home and a prefix of its own below $T, without a display; ended at the end.
new_wine_prefix() {
    HOME=$T/home
    WINEPREFIX=$T/wine
    TMPDIR=$T # Wine leaves files in it
    WINEDEBUG=-all
    WINEDLLOVERRIDES='mscoree,mshtml='
    export HOME TMPDIR WINEPREFIX WINEDEBUG WINEDLLOVERRIDES
    unset DISPLAY WAYLAND_DISPLAY
    mkdir -p "$HOME"
    at_exit 'wineserver -k -w 2>/dev/null'
    timeout -k 5 200 wine wineboot --init >"$T/wineboot.log" 2>&1 </dev/null || {
        cat "$T/wineboot.log"
        die "wineboot"
    }
}

UNCACHED="-o cache_dir=none"

# mount_package SOURCE DIR [OPTIONS...]: relative names are fine
mount_package() {
    mp_source=$1
    mp_dir=$2
    shift 2
    mkdir -p "$mp_dir"
    sftfs "$mp_source" "$mp_dir" "$@" >"$T/mount.out" 2>&1 </dev/null || {
        mp_status=$?
        sed 's/^/    /' "$T/mount.out"
        die "sftfs $mp_source $mp_dir $*: exit status $mp_status"
    }
    is_mounted "$(cd "$mp_dir" && pwd -P)" || die "sftfs returned 0, but $mp_dir is not mounted"
}

unmount() {
    um_dir=$(cd "$1" && pwd -P) || die "cannot enter $1"
    if [ "$(id -u)" -eq 0 ]; then
        umount "$um_dir" || die "cannot unmount $1"
    else
        fusermount3 -u "$um_dir" || die "cannot unmount $1"
    fi
    wait_for 20 not_mounted "$um_dir" || die "$1 is still mounted"
    wait_for 20 no_daemon_for "$1" || die "the daemon of $1 did not end"
}
