#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# A directory with a 32-bit Debian that has Wine, for tests/it-072-appx-wine.sh on machines where
# wine32:i386 cannot be installed beside the 64-bit system (needs root, debootstrap and 1.3 GB):
#
#     sh tests/wine32-root.sh DIR && SFTFS_WINE32_ROOT=DIR sh tests/run.sh 072
set -eu
[ $# -eq 1 ] || {
    echo "usage: $0 DIR" >&2
    exit 2
}
exec debootstrap --arch=i386 --variant=minbase --include=wine32,wine bookworm "$1" \
    "${DEBIAN_MIRROR:-http://deb.debian.org/debian}"
