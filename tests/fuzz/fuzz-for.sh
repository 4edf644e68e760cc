#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Fuzzes with one target for a while, beginning from its seeds:
#   sh fuzz-for.sh BUILD_DIR NAME SECONDS
# BUILD_DIR is one that was configured with CC=clang --enable-fuzzing. What is found new is thrown
# away; an input that makes the target crash is printed in base64.
set -eu
build=$1
name=$2
seconds=$3
corpus=$(cd "$(dirname "$0")/../corpus" && pwd)
temp=$(mktemp -d "${TMPDIR:-/tmp}/sftfs-fuzz.XXXXXX")
trap 'rm -rf "$temp"' EXIT
trap 'exit 1' HUP INT TERM
mkdir "$temp/new"
"$build/tests/fuzz/make-seeds" "$temp/seeds"
set -- "$temp/new"
for dir in "$corpus/$name" "$temp/seeds/$name"; do
    [ ! -d "$dir" ] || set -- "$@" "$dir"
done
cd "$temp"
# libFuzzer's own exit status for a finding is 77, by which tests say that they were skipped.
"$build/tests/fuzz/fuzz-$name" -max_total_time="$seconds" -timeout=10 -max_len=1048576 \
    -error_exitcode=1 -timeout_exitcode=1 -exact_artifact_path="$temp/found" \
    -print_final_stats=1 "$@" || {
    [ ! -s "$temp/found" ] || base64 "$temp/found"
    exit 1
}
