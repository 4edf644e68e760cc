#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The list in fs/overlay/crash_point.c has every CRASH_POINT of the sources and no other, sorted.
set -eu
LC_ALL=C
export LC_ALL

srcdir=${srcdir:-.}
list=$srcdir/fs/overlay/crash_point.c
T=$(mktemp -d "${TMPDIR:-/tmp}/sftfs-crash-points.XXXXXX")
trap 'rm -rf "$T"' EXIT

sed -n 's/^    "\(.*\)",$/\1/p' "$list" > "$T/listed"
sort -uc "$T/listed" || { echo "FAIL: $list is not sorted"; exit 1; }
find "$srcdir/fs" "$srcdir/tools" -name '*.c' -exec sed -n \
    's/.*CRASH_POINT("\([^"]*\)").*/\1/p' {} + | sort -u > "$T/used"
[ -s "$T/used" ] || { echo "FAIL: no CRASH_POINT found in $srcdir"; exit 1; }
diff "$T/used" "$T/listed" > "$T/diff" || {
    echo "FAIL: < used but not listed, > listed but not used"
    cat "$T/diff"
    exit 1
}
