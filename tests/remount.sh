#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# For the model test of the overlay, which runs it between and under its operations:
#
#   remount.sh again MOUNTPOINT COMMAND...   unmounts, waits for the daemon's end, runs COMMAND
#   remount.sh recover MOUNTPOINT COMMAND... the same whatever is left of the mount; says on fd 3, if
#                                            open, "crashed" or "alive"
#   remount.sh kill MOUNTPOINT               SIGKILL for the daemon
set -u
action=$1
dir=$2
shift 2

# The daemon, by the mount point among its arguments; under valgrind it has another name.
pids() {
    for p in /proc/[0-9]*; do
        case $(cat "$p/comm" 2>/dev/null) in
        sftfs | lt-sftfs | memcheck*)
            tr '\0' '\n' 2>/dev/null <"$p/cmdline" | grep -qxF -- "$dir" && echo "${p#/proc/}"
            ;;
        esac
    done
}

mounted() {
    awk -v want="$dir" '$5 == want { found = 1 } END { exit !found }' /proc/self/mountinfo
}

unmount() {
    if [ "$(id -u)" -eq 0 ]; then
        umount "$@" "$dir"
    elif [ $# -gt 0 ]; then
        fusermount3 -u -z "$dir"
    else
        fusermount3 -u "$dir"
    fi
}

wait_for_end() {
    tries=1500
    while [ -n "$(pids)" ]; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || {
            echo "the daemon of $dir does not end" >&2
            exit 1
        }
        sleep 0.02
    done
}

case $action in
kill)
    for pid in $(pids); do
        kill -KILL "$pid"
    done
    exit 0
    ;;
recover)
    if [ -n "$(pids)" ]; then
        state=alive
    else
        state=crashed
    fi
    [ -z "${REMOUNT_STATE:-}" ] || echo "$state" >"$REMOUNT_STATE"
    if mounted; then
        unmount 2>/dev/null || unmount -l || exit 1
    fi
    ;;
again)
    unmount || exit 1
    ;;
esac
wait_for_end
[ $# -eq 0 ] || exec "$@"
