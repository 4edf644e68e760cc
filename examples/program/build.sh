#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Builds the example program and its data files:  sh build.sh DIRECTORY
#
# DIRECTORY (made if missing) gets Phrasebook.exe, two DLLs and their data. The result is the same,
# byte for byte and time stamps included, each time it is built with the same compiler. Needs
# x86_64-w64-mingw32-gcc (Debian: gcc-mingw-w64-x86-64) and cc.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=${1:?usage: build.sh DIRECTORY}
wincc=${WINCC:-x86_64-w64-mingw32-gcc}
hostcc=${CC:-cc}
epoch=${SOURCE_DATE_EPOCH:-1262304000}
LC_ALL=C.UTF-8
export LC_ALL

mkdir -p "$out/Plugins" "$out/Data/Länder"
out=$(cd "$out" && pwd)
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT

# No time stamp in the PE header, no path of this machine, no symbols.
flags="-std=gnu17 -O2 -Wall -Wextra -ffile-prefix-map=$here=. -s -Wl,--no-insert-timestamp,--disable-auto-image-base"
cd "$here"
# shellcheck disable=SC2086
{
    $wincc $flags -DBUILDING_GREETING -shared -o "$out/Greeting.dll" greeting.c \
        -Wl,--out-implib,"$temp/libgreeting.a"
    $wincc $flags -shared -o "$out/Plugins/Counter.dll" counter.c
    $wincc $flags -municode -o "$out/Phrasebook.exe" phrasebook.c "$temp/libgreeting.a"
}
$hostcc -O2 -o "$temp/noise" noise.c
"$temp/noise" 20 >"$out/Data/Big Dictionary.bin"

printf 'Good morning\n' >"$out/Data/English.txt"
printf 'Доброе утро\n' >"$out/Data/Русский.txt"
printf 'Καλημέρα\n' >"$out/Data/Ελληνικά.txt"
printf 'おはよう\n' >"$out/Data/日本語.txt"
printf 'Grüß Gott\n' >"$out/Data/Länder/Österreich.txt"
printf 'The phrase book is an example. Run Phrasebook.exe.\n' >"$out/ReadMe.txt"

find "$out" -exec touch -h -d "@$epoch" {} +
