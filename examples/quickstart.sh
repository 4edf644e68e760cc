#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The whole way once:  sh examples/quickstart.sh
#
# Builds sftfs, packs a small Windows program, puts the package on a web server of its own, mounts
# it from there, reads it, runs the program from the mount with Wine if Wine can be installed, says
# how little of the package had to be fetched for that, and changes files with an overlay.
#
# Made for Debian 12. Missing Debian packages are installed (with sudo if you are not root) and
# stay; everything else lies in one temporary directory and is gone at the end. It can be run again.
#
# QUICKSTART_WINE=no leaves Wine out.
set -eu
LC_ALL=C.UTF-8
export LC_ALL
umask 022
source_dir=$(cd "$(dirname "$0")/.." && pwd -P)
. "$source_dir/tests/install.sh"

temp=$(mktemp -d "${TMPDIR:-/tmp}/sftfs-quickstart.XXXXXX")
temp=$(cd "$temp" && pwd -P)
chmod 755 "$temp"
# Wine and others leave temporary files behind; let it be there.
TMPDIR=$temp
export TMPDIR
mountpoint=$temp/mnt
nginx_pid=
uses_wine=

mounted() {
    grep -qF " $mountpoint " /proc/self/mountinfo
}

finish() {
    status=$?
    trap '' EXIT HUP INT TERM
    set +e
    cd /
    release_services
    [ -z "$uses_wine" ] || WINEPREFIX=$temp/wine wineserver -k -w >/dev/null 2>&1
    if mounted; then
        "$temp/build/sftmount" -u "$mountpoint" >/dev/null 2>&1 ||
            fusermount3 -u -z "$mountpoint" 2>/dev/null || as_root umount -l "$mountpoint"
    fi
    [ -z "$nginx_pid" ] || kill "$nginx_pid" 2>/dev/null && wait "$nginx_pid" 2>/dev/null
    if mounted; then
        echo "$mountpoint is still mounted; please unmount it and remove $temp" >&2
    else
        chmod -R u+rwX "$temp"
        rm -rf "$temp"
    fi
    [ "$status" -eq 0 ] || echo "quickstart: failed (exit status $status)" >&2
    exit "$status"
}
policy_ours=
# The disk cache, too, goes with everything else at the end.
XDG_CACHE_HOME=$temp/cache
export XDG_CACHE_HOME
trap finish EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

step_number=0
heading() {
    step_number=$((step_number + 1))
    printf '\n%s. %s\n' "$step_number" "$*"
}

# Shows a command and runs it.
run() {
    printf '   $ %s\n' "$*"
    "$@"
}

# The same, showing its output only if it fails.
run_quietly() {
    printf '   $ %s\n' "$*"
    "$@" >"$temp/log" 2>&1 </dev/null || {
        quiet_status=$?
        tail -n 40 "$temp/log" >&2
        return "$quiet_status"
    }
}

echo "sftfs, the whole way once. Working directory: $temp"

heading "Install what is missing"
# shellcheck disable=SC2086
install_missing $BUILD_PACKAGES nginx gcc-mingw-w64-x86-64
if [ "${QUICKSTART_WINE:-yes}" != no ]; then
    if install_missing wine wine64; then
        uses_wine=yes
    else
        echo "Wine could not be installed; the program will be packed and read, but not run."
    fi
fi
PATH=$PATH:/usr/sbin:/sbin

heading "Build sftfs (in a copy; your checkout stays as it is)"
mkdir "$temp/source" "$temp/build"
sh "$source_dir/tests/copy-source.sh" "$source_dir" "$temp/source"
cd "$temp/build"
run_quietly sh "$temp/source/autogen.sh"
run_quietly "$temp/source/configure" --quiet
run_quietly make -j"$(getconf _NPROCESSORS_ONLN)"
PATH=$temp/build:$PATH

heading "Build a small Windows program: an EXE, two DLLs, data files in several scripts"
run_quietly sh "$temp/source/examples/program/build.sh" "$temp/program"
cd "$temp"
run find program -type f -printf '%10s  %p\n'

heading "Pack it: one SFT, and an OSD file that says where it is and what to start"
mkdir "$temp/www"
# A port below the range that outgoing connections use.
port=$((10000 + $$ % 20000))
while grep -qi ":$(printf %04X "$port") " /proc/net/tcp /proc/net/tcp6 2>/dev/null; do
    port=$((port + 1))
done
url=http://127.0.0.1:$port
run sft pack program -o www/phrasebook.sft --name Phrasebook --osd Phrasebook.exe \
    --href "$url/phrasebook.sft"
run ls -l www
osd=$(find "$temp/www" -name '*.osd')
[ -f "$osd" ]
grep -i '<CODEBASE' "$osd"

heading "Serve it with nginx at $url"
mkdir "$temp/nginx"
{
    [ "$(id -u)" -ne 0 ] || echo "user root;"
    cat <<CONF
worker_processes 1;
daemon off;
pid $temp/nginx/pid;
error_log $temp/nginx/error.log;
events { worker_connections 64; }
http {
    log_format one '\$status \$body_bytes_sent "\$http_range"';
    access_log $temp/nginx/access.log one;
    types { }
    default_type application/octet-stream;
    client_body_temp_path $temp/nginx/t1;
    proxy_temp_path $temp/nginx/t2;
    fastcgi_temp_path $temp/nginx/t3;
    uwsgi_temp_path $temp/nginx/t4;
    scgi_temp_path $temp/nginx/t5;
    server { listen 127.0.0.1:$port; root $temp/www; }
}
CONF
} >"$temp/nginx/nginx.conf"
echo "   \$ nginx -p $temp/nginx -c $temp/nginx/nginx.conf &"
nginx -p "$temp/nginx" -e "$temp/nginx/error.log" -c "$temp/nginx/nginx.conf" \
    >"$temp/nginx/out" 2>&1 </dev/null &
nginx_pid=$!
until [ -s "$temp/nginx/pid" ]; do
    kill -0 "$nginx_pid" 2>/dev/null || {
        cat "$temp/nginx/out" "$temp/nginx/error.log" >&2
        exit 1
    }
    sleep 0.05
done

heading "Mount it from its OSD file; only the directory crosses the network now"
mkdir "$mountpoint"
run sftmount "$osd" "$mountpoint"
run ls -l "$mountpoint" "$mountpoint/Data"
run df -h "$mountpoint"

heading "Read it: by any spelling, and the same bytes as the originals"
run cat "$mountpoint/README.TXT" "$mountpoint/data/русский.txt"
(cd program && find . -type f ! -name 'Big*' -print) | while IFS= read -r name; do
    cmp "program/$name" "$mountpoint/$name"
done
echo "   the same as the originals: all files but the large one, which nobody has read"

heading "Run the program from the mount"
if [ -n "$uses_wine" ]; then
    WINEPREFIX=$temp/wine
    WINEDEBUG=-all
    WINEDLLOVERRIDES='mscoree,mshtml='
    export WINEPREFIX WINEDEBUG WINEDLLOVERRIDES
    unset DISPLAY WAYLAND_DISPLAY
    echo "   (a new Wine prefix takes about ten seconds)"
    run_quietly wine wineboot --init
    run wine "$mountpoint/phrasebook.EXE" 2>/dev/null
    WINEPREFIX=$temp/wine wineserver -k -w >/dev/null 2>&1 || :
    uses_wine=
else
    echo "   not run: there is no Wine here"
fi

heading "What crossed the network"
size=$(stat -c %s www/phrasebook.sft)
sleep 0.2 # nginx writes its log a moment after the client has the answer
awk -v size="$size" '{ n += $2 }
    END { printf "   %d requests fetched %d bytes of a package of %d bytes: %.1f %%\n", NR, n, size,
                 100 * n / size }' "$temp/nginx/access.log"

heading "Mount it offline: what was read is in the disk cache, and no server is asked"
run sftmount -u "$mountpoint"
! mounted
before=$(wc -l <"$temp/nginx/access.log")
run sftmount -o offline "$osd" "$mountpoint"
(cd program && find . -type f ! -name 'Big*' -print) | while IFS= read -r name; do
    cmp "program/$name" "$mountpoint/$name"
done
run sftfs ctl "$mountpoint" status
sleep 0.2
[ "$(wc -l <"$temp/nginx/access.log")" -eq "$before" ]

heading "Mount it again with an overlay, and change files"
run sftmount -u "$mountpoint"
! mounted
run sftmount --overlay="$temp/changes" "$osd" "$mountpoint"
echo "   \$ echo 'one line more' >>$mountpoint/README.TXT"
echo 'one line more' >>"$mountpoint/README.TXT"
echo "   \$ printf x >>$mountpoint/Data/Big Dictionary.bin"
printf x >>"$mountpoint/Data/Big Dictionary.bin"
run mv "$mountpoint/Data" "$mountpoint/Data of mine"
run rm "$mountpoint/data OF mine/русский.txt"
run sftmount -u "$mountpoint"
! mounted

heading "The changes are in a directory; the package is what it was"
run sft overlay diff --overlay="$temp/changes"
sft overlay diff --overlay="$temp/changes" |
    grep -qxF 'changed    Data of mine/Big Dictionary.bin (1 of 20971521 bytes in the overlay)'
run du -sh "$temp/changes"
run sftmount --overlay="$temp/changes" "$osd" "$mountpoint"
run tail -n 1 "$mountpoint/readme.txt"
[ "$(tail -n 1 "$mountpoint/readme.txt")" = 'one line more' ]
[ ! -e "$mountpoint/Data of mine/русский.txt" ]

heading "Unmount"
run sftmount -u "$mountpoint"
! mounted
printf '\nDone. Everything but the installed Debian packages has been removed.\n'
