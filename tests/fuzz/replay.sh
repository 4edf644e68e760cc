#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Runs every fuzz target once over its seeds: those in tests/corpus/NAME and those that make-seeds
# makes. Run by `make check` in the top build directory.
set -eu

srcdir=${srcdir:-.}
seeds=$(mktemp -d "${TMPDIR:-/tmp}/sftfs-seeds.XXXXXX")
trap 'rm -rf "$seeds"' EXIT
trap 'exit 1' HUP INT TERM

tests/fuzz/make-seeds "$seeds"
failed=0
ran=0
for target in tests/fuzz/fuzz-*; do
    case $target in *.[co]|*.log|*.trs) continue ;; esac
    [ -f "$target" ] && [ -x "$target" ] || continue
    name=${target##*/fuzz-}
    set --
    for dir in "$srcdir/tests/corpus/$name" "$seeds/$name"; do
        [ ! -d "$dir" ] || set -- "$@" "$dir"
    done
    echo "== $name: $*"
    [ $# -gt 0 ] || { echo "no seeds for $name" >&2; failed=1; continue; }
    # -runs=0: a real libFuzzer program only replays; the stand-in ignores it.
    "$target" -runs=0 "$@" || { echo "FAILED: $name" >&2; failed=1; }
    ran=$((ran + 1))
done
[ "$ran" -gt 0 ] || { echo "no fuzz target found" >&2; failed=1; }
exit $failed
