#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# One object on two real web servers, which are stopped, started, silenced and changed under reads:
# no read fails that one of them could have answered, and none gets wrong bytes.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/two-servers.sh"
requires nginx python3 timeout

check=$SFTFS_BUILD/tests/origin-check
[ -x "$check" ] || die "no $check; build it with: make check TESTS="
unset SFTFS_HTTP_USER SFTFS_HTTP_PASSWORD
HOME=$T # no netrc file but ours
export HOME

mkdir "$T/root-a" "$T/root-b"
python3 - "$T/object" <<'PYTHON' || die "cannot write the object"
import sys
with open(sys.argv[1], 'wb') as f:
    f.write(bytes((i * 7 + (i >> 8) * 13 + (i >> 16)) & 255 for i in range(3000000)))
PYTHON
# Not one file: each server has its own, with an ETag of its own.
cp "$T/object" "$T/root-a/object"
cp "$T/object" "$T/root-b/object"
touch -d '2020-01-02 03:04:05' "$T/root-b/object"

NGINX_EXTRA='location /slow/ { rewrite ^/slow(/.*)$ $1 break; limit_rate 200k; }'
up a
up b
a=http://127.0.0.1:$port_a/object
b=http://127.0.0.1:$port_b/object

# --- the reader ---------------------------------------------------------------------------------

mkfifo "$T/orders" "$T/answers"

# open_origin ARGUMENTS...: its first line is in $answer
open_origin() {
    timeout -k 5 200 "$check" "$@" <"$T/orders" >"$T/answers" 2>"$T/log" &
    reader=$!
    exec 8>"$T/orders" 9<"$T/answers"
    hear
}

hear() {
    read -r answer <&9 || { cat "$T/log"; die "the reader has ended"; }
}

# tell ORDER...: the last line of what it says to that is in $answer, all in $T/said
tell() {
    echo "$*" >&8
    : >"$T/said"
    while hear; do
        echo "$answer" >>"$T/said"
        case $answer in
        "${1} "*) return ;;
        esac
    done
}

expect() {
    case $answer in
    $1) return ;;
    esac
    sed 's/^/    /' "$T/log"
    die "answer '$answer' instead of '$1'"
}

close_origin() {
    exec 8>&-
    hear
    expect closed
    exec 9<&-
    wait "$reader" || die "the reader's exit status is $?: wrong bytes"
}

expect_log() {
    wait_for 20 grep -q "$1" "$T/log" || { cat "$T/log"; die "not in the log: $1"; }
}

fast='-o first_ms=100 -o most_ms=200 -o refused_ms=200'

# --- tests --------------------------------------------------------------------------------------

step "the first server is used, and the second one left in peace"
mark b
# shellcheck disable=SC2086
open_origin $fast "$a" "$b"
expect "open ok size=3000000"
tell read 5 1000000
expect "read ok place=0 *"
expect_equal "$(requests b)" 0 "requests at the second server"

step "the first one stops and starts under reads: none fails, and all come back to it"
tell begin 8
down a
tell await 0 held-off
up a
tell await 0 ready
tell end
expect "end good=* failed=0"
expect_log 'place fails, others are asked place=http://127.0.0.1:.* kind=network'
expect_log 'place is back place=http://127.0.0.1'
mark b
tell read 70 100000
expect "read ok place=0 *"
tell begin 4
tell end
expect "end good=* failed=0"
expect_equal "$(requests b)" 0 "requests at the second server"

step "both in turn, several times"
tell begin 8
for round in 1 2 3; do
    down a
    tell await 0 held-off
    up a
    tell await 0 ready
    down b
    up b
done
tell end
expect "end good=* failed=0"
tell stats
expect "stats * errors=0 in_flight=0 connected=1"
close_origin

step "a read that breaks off goes on elsewhere where it was"
# shellcheck disable=SC2086
open_origin $fast "http://127.0.0.1:$port_a/slow/object" "$b"
mark b
tell long 0 2000000
expect "long got"
down a
tell result
expect "result ok place=1 told=*"
use b
http_settle
grep -q '"bytes=[1-9][0-9]*-1999999"' "$NGINX_LOG" ||
    { cat "$NGINX_LOG"; die "the second server was asked for all of it"; }
close_origin
up a

step "bytes from elsewhere and afresh come from one place"
# shellcheck disable=SC2086
open_origin $fast "$a" "$b"
tell read 5 1000 not 0
expect "read ok place=1 *"
tell read 5 1000 not 1
expect "read ok place=0 *"
tell read 5 1000 fresh not 0
expect "read ok place=1 told=0"
close_origin

step "one that is silent is given up for the other"
# shellcheck disable=SC2086
open_origin $fast -o io_timeout_ms=4000 "$a" "$b"
tell read 5 1000
# shellcheck disable=SC2046
kill -STOP $(workers a)
tell read 5000 1000
expect "read ok place=1 *"
tell read 5000 1000
expect "read ok place=1 *"
# shellcheck disable=SC2046
kill -CONT $(workers a)
tell await 0 ready
tell read 5000 1000
expect "read ok place=0 *"
close_origin

step "an object that changes at one place is never mixed in, and is used when it is the same again"
# shellcheck disable=SC2086
open_origin $fast "$a" "$b"
tell begin 8
tr '\0-\377' '\1-\377\0' <"$T/object" >"$T/other" # each byte another one
mv "$T/other" "$T/root-a/object"
tell await 0 refused
cp "$T/object" "$T/root-a/new"
mv "$T/root-a/new" "$T/root-a/object"
tell await 0 ready
tell end
expect "end good=* failed=0"
expect_log 'place has another object and is not used'
printf 'longer' >>"$T/root-a/object"
tell read 5 1000
expect "read ok place=1 *"
tell await 0 refused
cp "$T/root-a/object" "$T/root-b/object"
tell read 9000 1000
expect "read object-changed * mount again *"
close_origin
cp "$T/object" "$T/root-a/object"
cp "$T/object" "$T/root-b/object"

step "both gone: reads fail, and work again when one is back"
# shellcheck disable=SC2086
open_origin $fast -o io_timeout_ms=2000 "$a" "$b"
down a
down b
tell read 5 1000
expect "read network *"
tell read 5 1000
expect "read network *"
expect_log 'disconnected, going on with what is cached'
expect_equal "$(grep -c 'disconnected' "$T/log")" 1 "lines about being disconnected"
tell stats
expect "stats * connected=0"
up b
tell await 1 ready # by itself
expect_log 'connected again place='
tell read 5 1000
expect "read ok place=1 *"
close_origin
up a

step "offline: nobody is asked"
# shellcheck disable=SC2086
open_origin $fast "$a" "$b"
tell begin 8
tell offline
mark a
mark b
tell read 5 1000
expect "read offline *not cached, and the mount is offline*"
tell end
expect_equal "$(requests a)$(requests b)" 00 "requests while offline"
tell online
tell read 5 1000
expect "read ok place=0 *"
close_origin

step "opened without any server, for an object known from before"
head -c 4096 "$T/object" >"$T/head"
down a
down b
# shellcheck disable=SC2086
open_origin $fast -o io_timeout_ms=1500 -o size=3000000 -o head="$T/head" "$a" "$b"
expect "open ok size=3000000"
tell read 5 1000
expect "read network *"
up a
tell await 0 ready
tell read 5 1000
expect "read ok place=0 *"
close_origin
# shellcheck disable=SC2086
open_origin $fast -o size=2999999 -o head="$T/head" "$a"
tell read 5 1000
expect "read object-changed *it has 3000000 bytes, not 2999999*"
close_origin
mark a
# shellcheck disable=SC2086
open_origin $fast -o offline=1 -o size=3000000 -o head="$T/head" "$a"
tell read 5 1000
expect "read offline *"
expect_equal "$(requests a)" 0 "requests while offline"
close_origin

step "the first server is away from the start"
down a
up b
# shellcheck disable=SC2086
open_origin $fast -o io_timeout_ms=20000 "$a" "$b"
expect "open ok size=3000000"
tell read 5 1000
expect "read ok place=1 *"
up a
tell await 0 ready
tell read 5 1000
expect "read ok place=0 *"
close_origin
down a
down b
# shellcheck disable=SC2086
timeout -k 5 60 "$check" -o io_timeout_ms=1500 "$a" "$b" </dev/null >"$T/out" 2>&1
expect_text "$T/out" "^open network http://127.0.0.1:$port_a/object"

step "a file beside a server"
up a
# shellcheck disable=SC2086
open_origin $fast "$T/object" "$a"
expect "open ok size=3000000"
tell begin 4
tell end
expect "end good=* failed=0"
tell read 5 100000 not 0
expect "read ok place=1 *"
close_origin
