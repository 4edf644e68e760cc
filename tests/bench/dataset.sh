#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Builds WORKDIR/tree, a tree like that of large Windows programs, from Debian 12 packages:
#
#   bash dataset.sh WORKDIR
#
# 17,800 files and 983 MB: thousands of small data files, a thousand DLLs, one program of 357 MB.
# PE files lose their DWARF sections, which programs for Windows ship without. Links are left out,
# so that every format stores the same files. Some names differ only in case.
set -euo pipefail
export LC_ALL=C.UTF-8
work=$(realpath -m "${1:?usage: dataset.sh WORKDIR}")
tree=$work/tree
[ ! -e "$work/tree.done" ] || exit 0

# PACKAGE, what of it, and where that goes; the contents of a directory join what is there.
parts='
libwine                  usr/lib/x86_64-linux-gnu/wine/x86_64-windows  app/system32
libwine                  usr/share/wine                                app/share/wine
mame                     usr/games/mame                                app/bin/mame.exe
mame-data                usr/share/games                               app/mame
supertux-data            usr/share/games                               app/game
mingw-w64-common         usr/share/mingw-w64                           app/sdk
libpython3.11-minimal    usr/lib/python3.11                            app/python
libpython3.11-stdlib     usr/lib/python3.11                            app/python
libpython3.11-testsuite  usr/lib/python3.11                            app/python
adwaita-icon-theme       usr/share/icons                               app/icons
ncurses-term             usr/share/terminfo                            app/terminfo
'

rm -rf "$tree" "$work/extract"
mkdir -p "$work/debs" "$work/extract" "$tree"
while read -r package from to; do
    [ -n "$package" ] || continue
    if ! compgen -G "$work/debs/${package}_*.deb" >/dev/null; then
        (cd "$work/debs" && apt-get -q download "$package")
    fi
    [ -d "$work/extract/$package" ] ||
        dpkg-deb -x "$work/debs/${package}"_*.deb "$work/extract/$package"
    if [ -d "$work/extract/$package/$from" ]; then
        mkdir -p "$tree/$to"
        cp -a "$work/extract/$package/$from/." "$tree/$to/"
    else
        mkdir -p "$tree/$(dirname "$to")"
        cp -a "$work/extract/$package/$from" "$tree/$to"
    fi
done <<<"$parts"
rm -rf "$work/extract"

find "$tree" ! -type f ! -type d -delete
find "$tree" -type d -empty -delete
# Not every file there is one that strip knows.
x86_64-w64-mingw32-strip "$tree"/app/system32/* 2>/dev/null || :
find "$tree" -type d -exec chmod 755 {} +
find "$tree" -type f -exec chmod 644 {} +
touch "$work/tree.done"
