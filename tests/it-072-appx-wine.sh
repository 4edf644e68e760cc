#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Programs out of AppX packages under Wine: the example program, packed as MSIX and mounted over HTTP,
# checks its files itself. Then a real one: Notepad++ from NotepadPlusPlus.appx under Xvfb, whose window
# must appear; that needs the package (SFTFS_SAMPLES or ../shared/samples) and a Wine that runs 32-bit
# programs: Debian's wine32:i386, or a directory SFTFS_WINE32_ROOT with a 32-bit Debian that has it
# (tests/wine32-root.sh makes one).
. "$(dirname "$0")/lib.sh"
private_mounts "$0" "$@"
need_fuse
requires wine wineserver python3 x86_64-w64-mingw32-gcc

sh "$SFTFS_SRC/examples/program/build.sh" "$T/program" || die "the example program does not build"
mkdir "$T/www"
python3 "$SFTFS_SRC/tests/make-appx.py" "$T/program" "$T/www/try.msix" --executable Phrasebook.exe ||
    die "make-appx"
start_nginx "$T/www"
m=$T/mnt

step "a new Wine prefix"
new_wine_prefix

# program: what the package says is its first application
program() {
    expect_status 0 sft info --json "$1"
    python3 -c 'import json,sys
print(json.load(open(sys.argv[1]))["details"]["applications"][0]["executable"].replace("\\", "/"))' \
        "$T/out" || die "no application in $1"
}

step "the example program"
mount_package "$URL/try.msix" "$m" -o "cache_dir=$T/cache"
timeout -k 5 100 wine "$m/$(program "$URL/try.msix")" >"$T/run" 2>&1 </dev/null || {
    cat "$T/run"
    die "wine: exit status $?"
}
expect_text "$T/run" '^all files found'
wineserver -k -w
unmount "$m"

samples=${SFTFS_SAMPLES:-$SFTFS_SRC/../shared/samples}/msix
[ -f "$samples/NotepadPlusPlus.appx" ] || {
    echo "not tested: Notepad++, no NotepadPlusPlus.appx in $samples"
    exit 0
}
root=${SFTFS_WINE32_ROOT:-}
if [ -z "$root" ]; then
    dpkg-query -W -f='${db:Status-Status}' wine32:i386 2>/dev/null | grep -q '^installed' || {
        echo "not tested: Notepad++, no Wine for 32-bit programs (wine32:i386, or SFTFS_WINE32_ROOT)"
        exit 0
    }
fi
requires Xvfb xwininfo
step "Notepad++: a display"
Xvfb -displayfd 3 -screen 0 1024x768x24 -nolisten tcp 3>"$T/display" >"$T/xvfb.log" 2>&1 &
wait_for 20 test -s "$T/display" || die "Xvfb does not start"
DISPLAY=:$(cat "$T/display")
export DISPLAY
cp "$samples/NotepadPlusPlus.appx" "$T/www/"
mount_package "$URL/NotepadPlusPlus.appx" "$m" -o "cache_dir=$T/cache,overlay=temporary"
executable=$(program "$URL/NotepadPlusPlus.appx")

# in_wine PROGRAM...: with a Wine for 32-bit programs; $T is what $top says there
if [ -n "$root" ]; then
    need_root
    top=/mnt
    at_exit 'umount -R -l "$root/mnt" "$root/proc" "$root/dev" 2>/dev/null'
    mount --rbind "$T" "$root/mnt" && mount -t proc proc "$root/proc" && mount --bind /dev "$root/dev" ||
        die "cannot mount in $root"
    in_wine() {
        chroot "$root" env HOME=/mnt/home WINEPREFIX=/mnt/wine32 WINEARCH=win32 TMPDIR=/tmp "$@"
    }
else
    top=$T
    in_wine() {
        env WINEPREFIX="$T/wine32" WINEARCH=win32 "$@"
    }
fi
at_exit 'in_wine wineserver -k -w 2>/dev/null'
step "Notepad++: a prefix for 32-bit programs"
in_wine timeout -k 5 200 wine wineboot --init >"$T/wineboot.log" 2>&1 </dev/null || {
    cat "$T/wineboot.log"
    die "wineboot"
}

step "$executable is started, and its window seen"
in_wine wine "$top/mnt/$executable" -multiInst -nosession >"$T/run" 2>&1 </dev/null &
window_is_there() {
    xwininfo -root -tree 2>/dev/null | grep -Eq ' - Notepad\+\+[^"]*": \("notepad\+\+\.exe".* [0-9]{3}x[0-9]{3}\+'
}
wait_for 120 window_is_there || die "no window: $(cat "$T/run")"
[ -z "${SFTFS_SCREENSHOT:-}" ] || import -window root "$SFTFS_SCREENSHOT"
in_wine wineserver -k -w
exit 0
