#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Programs out of AppX packages under Wine: the example program, packed as MSIX and mounted over HTTP,
# checks its files itself. Then a real one: Notepad++ from NotepadPlusPlus.appx under Xvfb, whose window
# must appear; that needs the package (SFTFS_SAMPLES or ../shared/samples) and a Wine that runs 32-bit
# programs (Debian: wine32:i386).
. "$(dirname "$0")/lib.sh"
need_fuse
requires wine wineserver python3 x86_64-w64-mingw32-gcc

sh "$SFTFS_SRC/examples/program/build.sh" "$T/program" || die "the example program does not build"
mkdir "$T/www"
python3 "$SFTFS_SRC/tests/make-appx.py" "$T/program" "$T/www/try.msix" --executable Phrasebook.exe ||
    die "make-appx"
start_nginx "$T/www"
m=$T/mnt

HOME=$T/home
WINEPREFIX=$T/wine
TMPDIR=$T
WINEDEBUG=-all
WINEDLLOVERRIDES='mscoree,mshtml='
export HOME TMPDIR WINEPREFIX WINEDEBUG WINEDLLOVERRIDES
unset DISPLAY WAYLAND_DISPLAY
mkdir "$HOME"
at_exit 'wineserver -k -w 2>/dev/null'
step "a new Wine prefix"
timeout -k 5 200 wine wineboot --init >"$T/wineboot.log" 2>&1 </dev/null || {
    cat "$T/wineboot.log"
    die "wineboot"
}

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
dpkg-query -W -f='${db:Status-Status}' wine32:i386 2>/dev/null | grep -q '^installed' || {
    echo "not tested: Notepad++, no Wine for 32-bit programs (wine32:i386)"
    exit 0
}
requires Xvfb xwininfo
step "Notepad++: a display"
Xvfb -displayfd 3 -screen 0 1024x768x24 -nolisten tcp 3>"$T/display" >"$T/xvfb.log" 2>&1 &
wait_for 20 test -s "$T/display"
DISPLAY=:$(cat "$T/display")
export DISPLAY
cp "$samples/NotepadPlusPlus.appx" "$T/www/"
mount_package "$URL/NotepadPlusPlus.appx" "$m" -o "cache_dir=$T/cache,overlay=temporary"
executable=$(program "$URL/NotepadPlusPlus.appx")

step "$executable is started, and its window seen"
wine "$m/$executable" -multiInst -nosession >"$T/run" 2>&1 </dev/null &
window_is_there() {
    xwininfo -root -tree 2>/dev/null | grep -q 'Notepad++"'
}
wait_for 120 window_is_there
wineserver -k -w
exit 0
