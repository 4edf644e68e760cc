#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# What `make install` installs is complete, and `make uninstall` removes it again:
#   sh installed.sh BUILD_DIR SCRATCH_DIR
set -eu
build=$1
dest=$2
make -C "$build" install DESTDIR="$dest"
bad=0
for program in sftfs sftmount sft; do
    [ -x "$dest/usr/local/bin/$program" ] || { echo "no $program"; bad=1; }
    # groff/troff is not asked: a page that is there and has a NAME section.
    page=$dest/usr/local/share/man/man1/$program.1
    grep -q '^\.SH "*NAME' "$page" || { echo "no man page of $program"; bad=1; }
done
"$dest/usr/local/bin/sft" --version | grep -q '^sft'
[ -e "$dest/usr/local/sbin/mount.fuse.sftfs" ] || [ -L "$dest/usr/local/sbin/mount.fuse.sftfs" ] ||
    { echo "no mount.fuse.sftfs"; bad=1; }
make -C "$build" uninstall DESTDIR="$dest"
left=$(find "$dest" ! -type d)
[ -z "$left" ] || { echo "left behind: $left"; bad=1; }
exit "$bad"
