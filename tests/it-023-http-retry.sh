#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Reads that fail for a reason that may pass are tried again within their deadline and bring each
# byte once; others fail at once. Against tests/odd-http-server.py, and a real nginx that is killed
# and comes back.
. "$(dirname "$0")/lib.sh"
requires python3 openssl timeout nginx

check=$SFTFS_BUILD/tests/http-check
[ -x "$check" ] || die "no $check; build it with: make check TESTS="
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY no_proxy NO_PROXY
unset SFTFS_HTTP_USER SFTFS_HTTP_PASSWORD
HOME=$T # no netrc file
export HOME

openssl req -x509 -newkey rsa:2048 -nodes -keyout "$T/key.pem" -out "$T/cert.pem" -days 2 \
    -subj "/CN=test" -addext subjectAltName=DNS:elsewhere.invalid >"$T/openssl" 2>&1 ||
    { cat "$T/openssl"; die "cannot make a certificate"; }
mkfifo "$T/life"
python3 "$SFTFS_SRC/tests/odd-http-server.py" "$T/ready" "$T/log" "$T/cert.pem" "$T/key.pem" \
    "$T/cert.pem" "$T/cert.pem" "$T/key.pem" <"$T/life" >"$T/server.out" 2>&1 &
server=$!
exec 9>"$T/life"
server_is_ready() {
    [ -e "$T/ready" ] || ! kill -0 "$server" 2>/dev/null
}
wait_for 30 server_is_ready && [ -e "$T/ready" ] || { cat "$T/server.out"; die "no server"; }
. "$T/ready"
plain=http://127.0.0.1:$PLAIN
rows=0

# run ARGUMENTS...: http-check, output in $T/out
run() {
    rows=$((rows + 1))
    timeout -k 5 100 "$check" "$@" >"$T/out" 2>&1 9>&-
    run_status=$?
    [ "$run_status" -eq 0 ] && return
    sed 's/^/    /' "$T/out" | tail -n 20
    die "http-check $*: exit status $run_status"
}

results() {
    awk '$1 == "open" { printf "%s", $2 } $1 == "read" { printf " %s", $3 } END { print "" }' \
        "$T/out"
}

# read_at WHEN/CASE RESULTS RETRIES [OPTION...]: bytes 1000 to 60999 are read, then 100 more
read_at() {
    ra_case=$1
    ra_want=$2
    ra_retries=$3
    shift 3
    ra_path=/$ra_case/$rows
    run "$@" "$plain$ra_path" 1000:60000 2000:100
    [ "$(results)" = "$ra_want" ] || {
        sed 's/^/    /' "$T/out"
        die "$ra_case $*: $(results) instead of $ra_want"
    }
    expect_text "$T/out" "^stats .* retries=$ra_retries "
}

asked() {
    grep -cF " $ra_path " "$T/log"
}

step "the fault passes: the reader gets the bytes, each of them once"
for case in reset hangs-up reset-at-once third short-body short-body-unannounced status/408 \
    status/425 status/429 status/500 status/502 status/503 status/504 busy-garbage busy-date; do
    read_at "2-4/$case" "ok ok ok" "[23]" # a kept connection is replaced by curl without a word
    expect_text "$T/out" '^stats requests=[0-9]* bytes=60101 '
done

step "what has come is not asked for again"
read_at 2-4/third "ok ok ok" 3
expect_equal "$(awk -v p="$ra_path" '$3 == p { print $4 }' "$T/log" | tr '\n' ' ')" \
    "bytes=0-0 bytes=1000-60999 bytes=21000-60999 bytes=34333-60999 bytes=43222-60999 \
bytes=2000-2099 "

step "the rest is of another object: refused"
read_at 2-3/short-then-changed "ok object-changed ok" 1

step "the server is silent, or all but: the attempt ends, the next one brings the bytes"
for case in stall-before-header stall-in-header stall-after-header stall-in-body dribble \
    dribble-header; do
    read_at "2-3/$case" "ok ok ok" 2 -o low_speed_seconds=1
    expect_text "$T/out" '^stats requests=[0-9]* bytes=60101 '
done

step "it stays silent: an error at the deadline, and the next read tries again"
for case in stall-before-header stall-in-body dribble dribble-header; do
    read_at "2-4/$case" "ok timeout ok" "[0-9]*" -o low_speed_seconds=1 \
        -o low_speed_bytes=100000 -t 3000
    expect_text "$T/out" '^read .* timeout \(http.*, [23] attempts in [0-9.]+ s\)$'
done

step "opening is tried again, too, and one head is made of several pieces"
for case in 1-3/status/503 1-3/reset 1-3/third 1-3/hangs-up; do
    read_at "$case" "ok ok ok" 3 -o head=50000
    expect_text "$T/out" "^open ok size=300000 "
done
read_at 1-1/stall-in-body "ok ok ok" 1 -o head=50000 -o low_speed_seconds=1
run -o head=50000 "$plain/always/small-file/again" 0:10
expect_equal "$(results)" "ok ok" "an object shorter than the head"

step "what will not pass is asked for once"
for case in status/401 status/403 status/404 status/410 status/501 wrong-start gzip changed-etag \
    ignores-range no-http; do
    run "$plain/2-2/$case/$rows" 1000:60000
    expect_text "$T/out" '^read .* [a-z-]+ \(http'
    expect_text "$T/out" '^stats .* retries=0 errors=1 '
done
run "https://127.0.0.1:$TLS_WRONG/always/exact/x"
expect_equal "$(results)" tls
expect_equal "$(grep -c '^TLS_WRONG' "$T/log")" 1 "handshakes, certificate not trusted"

step "with another place at hand, nothing is tried again but a kept connection that was gone"
for case in reset status/503 short-body; do
    kind=network
    [ "$case" != status/503 ] || kind=http-status
    read_at "2-2/$case" "ok $kind ok" 0 -1
done
read_at always/dead-keep-alive "ok ok ok" 0 -1
read_at always/reset-if-kept "ok ok ok" "[0-2]" -1
run -1 "$plain/always/status/503/$rows"
expect_equal "$(results)" http-status
expect_equal "$(grep -cF "/always/status/503/$((rows - 1)) " "$T/log")" 1 "requests while opening"

step "Retry-After: waited for, or said to be too long at once"
read_at 2-3/busy-a-second "ok ok ok" 2
read_at 2-2/busy-seconds "ok http-status ok" 0 -t 3000
expect_text "$T/out" 'after 7 s\), later than the deadline of 3 s\)$'
expect_equal "$(asked)" 3 requests

step "each read has its own deadline"
run -j -t 1500 -o max_connections=1 "$plain/later/stall-in-body/$rows" 0:900 5:50 9:9
expect_equal "$(results)" "ok timeout timeout timeout"

step "a server that is not there: the error says how often and how long it was tried"
run "http://127.0.0.1:1/x"
expect_equal "$(results)" network
expect_text "$T/out" ', 3 attempts in [0-9.]+ s\)$'
run -1 "http://127.0.0.1:1/x"
expect_text "$T/out" '^open network \(http://127.0.0.1:1/x: [^,]*\)$'

# --- nginx ----------------------------------------------------------------------------------------

mkdir "$T/root"
python3 - "$T/root/object" <<'PYTHON' || die "cannot write the object"
import sys
with open(sys.argv[1], 'wb') as f:
    f.write(bytes((i * 7 + (i >> 8) * 13 + (i >> 16)) & 255 for i in range(3000000)))
PYTHON
tls_port=$(free_port)
NGINX_EXTRA="location /slow { alias $T/root/object; limit_rate 1m; }
    listen 127.0.0.1:$tls_port ssl http2;
    ssl_certificate $T/cert.pem;
    ssl_certificate_key $T/key.pem;"
start_nginx "$T/root"

kill_nginx() {
    # The master first: it would put another worker in the place of one that ends.
    for kn_pid in $NGINX_PID $(pgrep -P "$NGINX_PID"); do
        kill -KILL "$kn_pid" 2>/dev/null
    done
    wait "$NGINX_PID" 2>/dev/null
}

step "nginx is killed again and again in the middle, and comes back"
ranges=
i=0
while [ "$i" -lt 8 ]; do
    ranges="$ranges $((i * 200000)):1500000"
    i=$((i + 1))
done
for flags in "-j $URL" "-j -l $URL" "-j https://127.0.0.1:$tls_port" \
    "-j -l https://127.0.0.1:$tls_port"; do
    # shellcheck disable=SC2086
    timeout -k 5 100 "$check" -o insecure=1 -o io_timeout_ms=60000 -r 2 $flags/slow $ranges \
        >"$T/out" 2>&1 9>&- &
    reader=$!
    wait_for 20 grep -q '^open ok' "$T/out" || die "not opened"
    for round in 1 2 3; do
        sleep 0.4
        kill_nginx
        sleep "0.$((round * 3))"
        resume_nginx || die "nginx does not come back"
    done
    wait "$reader" || { cat "$T/out"; die "a read failed, or brought wrong bytes"; }
    expect_equal "$(grep -c '^read .* ok$' "$T/out")" 16 "good reads"
    expect_text "$T/out" '^stats .* bytes=24000001 retries=[1-9][0-9]* errors=0 '
done
exit 0
