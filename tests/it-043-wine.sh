#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Wine runs a program from the mount: the example program checks names by other spellings, DLLs and
# data files itself; here also drive letters, short names and what Wine sees of the file system.
. "$(dirname "$0")/lib.sh"
need_fuse
requires wine wineserver x86_64-w64-mingw32-gcc

step "build and pack the example program"
sh "$SFTFS_SRC/examples/program/build.sh" "$T/program" || die "the example program does not build"
pack "$T/program" "$T/p.sft"
m=$T/mnt
mount_package "$T/p.sft" "$m"

step "a new Wine prefix"
new_wine_prefix

# run_program PATH: its output is in $T/out
run_program() {
    timeout -k 5 100 wine "$@" >"$T/out" 2>"$T/err" </dev/null || {
        status=$?
        cat "$T/out" "$T/err"
        die "wine $1: exit status $status"
    }
}

step "by its path, and by another spelling of it"
run_program "$m/Phrasebook.exe"
expect_text "$T/out" '^all files found'
run_program "$m/PHRASEBOOK.EXE"
expect_text "$T/out" '^all files found'

step "by its short name, from a drive letter"
ln -s "$m" "$WINEPREFIX/dosdevices/q:"
run_program 'q:\phrase~1.exe'
expect_text "$T/out" '^all files found'
expect_text "$T/out" '^started from [qQ]:'

step "from a mount without the case folding flag"
wineserver -k -w
umount_and_mount() {
    unmount "$m"
    mount_package "$T/p.sft" "$m" -o "$1"
}
umount_and_mount no_casefold_flag
run_program "$m/phrasebook.exe"
expect_text "$T/out" '^all files found'
wineserver -k -w

step "cmd lists the directory with the stored spelling"
umount_and_mount umask=022
run_program cmd /u /c dir /b 'q:\data'
iconv -f UTF-16LE -t UTF-8 "$T/out" | tr -d '\r' >"$T/dir"
for name in 'Big Dictionary.bin' 'Русский.txt' 'Ελληνικά.txt' '日本語.txt' Länder; do
    grep -qxF "$name" "$T/dir" || {
        cat "$T/dir"
        die "not listed: $name"
    }
done
wineserver -k -w
unmount "$m"
