#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Mounts and sft cache on the same disk cache: what a mount fetched is listed, checked and not taken
# from under it; what was loaded or imported is read without a server; an upgrade takes over what is
# the same; a daemon that is killed leaves nothing wrong.
# formats: sft appv
. "$(dirname "$0")/lib.sh"
need_fuse
requires python3 nginx cmp

src=$T/src
mkdir -p "$src/sub" "$T/www"
head -c 6000000 /dev/urandom >"$src/large.bin"
head -c 3000000 /dev/urandom >"$src/other.bin"
seq 5000 >"$src/sub/seq.txt"
pack "$src" "$T/www/one.sft" --name Mounted
echo more >"$src/sub/more.txt"
pack "$src" "$T/www/two.sft" --upgrade "$T/www/one.sft"
cp "$T/www/one.sft" "$T/www/p.sft"
start_nginx "$T/www"
m=$T/mnt
cache=$T/cache
quiet=autoload=never,fetch_ahead=0,cache_dir=$cache,io_timeout=5

same() {
    cmp "$src/large.bin" "$m/large.bin" && cmp "$src/other.bin" "$m/other.bin" &&
        cmp "$src/sub/seq.txt" "$m/sub/seq.txt" || die "the mount shows something else"
}

step "what a mount has fetched is in the cache, and stays while it is mounted"
mount_package "$URL/p.sft" "$m" -o "$quiet"
cmp "$src/other.bin" "$m/other.bin" || die "other.bin differs"
expect_status 0 sft cache ls --cache-dir="$cache"
expect_text "$T/out" ' -U .* Mounted'
expect_status 8 sft cache evict --all --cache-dir="$cache"
expect_text "$T/err" 'Mounted, version 1 .*is in use'
expect_status 0 sft cache verify --cache-dir="$cache"
unmount "$m"

step "after a load, no server is needed"
expect_status 0 sft cache load "$URL/p.sft" --cache-dir="$cache"
expect_status 0 sft cache ls --cache-dir="$cache"
expect_text "$T/out" '100% +100% -- '
stop_nginx
mount_package "$URL/p.sft" "$m" -o "offline,$quiet"
same
unmount "$m"

step "a damaged block is fetched again"
resume_nginx
for container in "$cache"/*/container.sft; do
    printf damaged | dd of="$container" bs=1 seek=1000000 conv=notrunc status=none
done
expect_status 5 sft cache verify --cache-dir="$cache"
mount_package "$URL/p.sft" "$m" -o "$quiet"
same
unmount "$m"
expect_status 0 sft cache verify --cache-dir="$cache"

step "an upgrade asks the server for what is new only"
cp "$T/www/two.sft" "$T/www/p.sft"
http_log_mark
mount_package "$URL/p.sft" "$m" -o "$quiet"
same
expect_equal "$(cat "$m/sub/more.txt")" more
[ "$(http_bytes)" -lt 700000 ] || die "the server sent $(http_bytes) bytes"
unmount "$m"

step "a daemon that is killed leaves only what is right"
sft cache evict --all --cache-dir="$cache" >/dev/null || die "not evicted"
mount_package "$URL/p.sft" "$m" -o "$quiet"
cat "$m/large.bin" >"$T/copy" 2>/dev/null &
reader=$!
for pid in $(daemons); do
    kill -KILL "$pid"
done
wait $reader 2>/dev/null
detach "$m" 2>/dev/null
wait_for 20 not_mounted "$m" || die "still mounted"
expect_status 0 sft cache verify --cache-dir="$cache"
mount_package "$URL/p.sft" "$m" -o "$quiet"
same
unmount "$m"

step "carried to a machine without network"
sft cache load --whole "$URL/p.sft" --cache-dir="$cache" >/dev/null || die "not loaded"
expect_status 0 sft cache export Mounted -o "$T/out.sft" --cache-dir="$cache"
cmp "$T/out.sft" "$T/www/two.sft" || die "another package came out"
stop_nginx
rm -rf "$cache"
expect_status 0 sft cache import "$T/out.sft" --location "$URL/p.sft" --cache-dir="$cache"
mount_package "$URL/p.sft" "$m" -o "offline,$quiet"
same
unmount "$m"
