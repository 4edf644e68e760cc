#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Every wrong answer a web server can give has its error name, and a right one in an unusual form is
# taken. Each row goes against tests/odd-http-server.py; after a wrong answer to a read, the next
# read of the same source has to succeed. What is tried again: tests/it-023-http-retry.sh.
. "$(dirname "$0")/lib.sh"
requires python3 openssl timeout

check=$SFTFS_BUILD/tests/http-check
[ -x "$check" ] || die "no $check; build it with: make check TESTS="
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY no_proxy NO_PROXY
unset SFTFS_HTTP_USER SFTFS_HTTP_PASSWORD
HOME=$T # no netrc file but ours
export HOME

# --- certificates: a CA, a server's, a client's, and a server's for another host ----------------

make_cert() { # NAME SUBJECT-ALT-NAME
    openssl req -newkey rsa:2048 -nodes -keyout "$T/$1.key" -out "$T/$1.csr" -subj "/CN=$1" \
        >>"$T/openssl" 2>&1 &&
        printf 'subjectAltName=%s\n' "$2" >"$T/$1.ext" &&
        openssl x509 -req -in "$T/$1.csr" -CA "$T/ca.pem" -CAkey "$T/ca.key" -days 2 \
            -set_serial "$3" -extfile "$T/$1.ext" -out "$T/$1.pem" >>"$T/openssl" 2>&1 ||
        { cat "$T/openssl"; die "cannot make a certificate"; }
}

openssl req -x509 -newkey rsa:2048 -nodes -keyout "$T/ca.key" -out "$T/ca.pem" -days 2 \
    -subj "/CN=test CA" -addext basicConstraints=critical,CA:TRUE >"$T/openssl" 2>&1 ||
    { cat "$T/openssl"; die "cannot make a CA"; }
make_cert server IP:127.0.0.1,DNS:localhost 1
make_cert client DNS:client 2
make_cert wrong DNS:elsewhere.invalid 3

# --- the server; it ends when the pipe that is its input closes ----------------------------------

mkfifo "$T/life"
python3 "$SFTFS_SRC/tests/odd-http-server.py" "$T/ready" "$T/log" "$T/server.pem" \
    "$T/server.key" "$T/ca.pem" "$T/wrong.pem" "$T/wrong.key" <"$T/life" >"$T/server.out" 2>&1 &
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
    timeout -k 5 60 "$check" "$@" >"$T/out" 2>&1 9>&-
    run_status=$?
    [ "$run_status" -eq 0 ] && return
    sed 's/^/    /' "$T/out" | tail -n 20
    die "http-check $*: exit status $run_status"
}

# results: the first words of all results, "open" one first
results() {
    awk '$1 == "open" { printf "%s", $2 } $1 == "read" { printf " %s", $3 } END { print "" }' \
        "$T/out"
}

# row CASE RESULT [OPTION...]: the read gets the odd answer, the one after it a right one
row() {
    row_case=$1
    row_want=$2
    shift 2
    run "$@" "$plain/second/$row_case/$rows" 1000:5000 2000:100
    [ "$(results)" = "ok $row_want ok" ] || {
        sed 's/^/    /' "$T/out"
        die "$row_case: $(results) instead of ok $row_want ok"
    }
}

# at_open CASE RESULT [OPTION...]: all answers are odd, the first one comes when opening
at_open() {
    ao_case=$1
    ao_want=$2
    shift 2
    run "$@" "$plain/always/$ao_case/$rows" 2>&1
    [ "$(results)" = "$ao_want" ] || {
        sed 's/^/    /' "$T/out"
        die "opening $ao_case: $(results) instead of $ao_want"
    }
}

step "right answers in unusual forms"
for form in exact interim chunked close-delimited slow-pieces weak-etag dead-keep-alive; do
    row "$form" ok
done
for form in exact interim chunked close-delimited dead-keep-alive; do
    run -o head=70000 "$plain/always/$form/x" 0:70000 69000:2000 200000:5000
    expect_equal "$(results)" "ok ok ok ok" "$form"
done
run "$plain/always/exact/whole" 0:300000 299999:1 299999:2 300000:1 400000:1
expect_equal "$(results)" "ok ok ok truncated truncated truncated" "the end of the file"

step "a lost connection is replaced without the reader noticing"
run "$plain/always/dead-keep-alive/again" 0:10 20:10 40:10
expect_equal "$(results)" "ok ok ok ok"
expect_text "$T/out" '^stats .* errors=0 '

step "ranges and lengths"
row wrong-start http-bad-reply
row less http-bad-reply
row wrong-total object-changed
row impossible-total http-bad-reply
row no-total http-bad-reply
row no-content-range http-bad-reply
row bad-content-range http-bad-reply
row two-content-ranges http-bad-reply
row short-body ok # the rest is asked for
row short-body network -1
row short-body-unannounced ok
row short-body-unannounced http-bad-reply -1
row short-length http-bad-reply
row long-length http-bad-reply
row long-body http-bad-reply
row long-chunked http-bad-reply
row gzip http-bad-reply
row multipart http-bad-reply
row endless-header http-bad-reply
row no-http http-bad-reply
for case in wrong-start no-total no-content-range bad-content-range gzip multipart no-http \
    impossible-total long-body; do
    at_open "$case" http-bad-reply
done

step "Range ignored: refused, and the body not downloaded"
row ignores-range http-no-range
run "$plain/second/ignores-range/start" 0:5000 5000:5
expect_equal "$(results)" "ok http-no-range ok"
at_open ignores-range http-no-range
expect_text "$T/out" 'ignores Range requests'
at_open whole-small-file http-no-range -o head=1000
all_ended() {
    [ "$(grep -c 'ignores-range' "$T/log")" -gt 0 ] &&
        awk '/^end/ { ended[$2] = 1 } $3 ~ /ignores-range/ { seen[$2] = 1 }
            END { for (c in seen) if (!(c in ended)) exit 1 }' "$T/log"
}
wait_for 30 all_ended || die "a connection with an unwanted body stays open"
most=$(awk '/^end/ && $4 > n { n = $4 } END { print n }' "$T/log")
[ "$most" -lt 100000000 ] || die "$most bytes of an unwanted body were sent"

step "an object shorter than the head, and an empty one"
run -o head=1000 "$plain/always/small-file/x" 0:10 3:4 9:1 9:2
expect_equal "$(results)" "ok ok ok ok truncated"
expect_text "$T/out" '^open ok size=10 '
expect_text "$T/out" '^stats requests=1 '
at_open empty truncated
at_open empty-416 truncated

step "another object"
for case in changed-etag changed-date changed-size lost-validators unsatisfiable \
    unsatisfiable-bare precondition; do
    row "$case" object-changed
    expect_text "$T/out" 'mount again'
done

step "statuses"
row status/401 auth
row status/403 auth
row status/407 auth
row status/404 not-found
row status/410 not-found
row big-error-page not-found
for code in 204 300 304 400 418 501 599; do
    row "status/$code" http-status
    expect_text "$T/out" "status $code"
done
for code in 408 425 429 500 502 503 504; do
    row "status/$code" ok
    expect_text "$T/out" '^stats .* retries=1 '
    row "status/$code" http-status -1
    expect_text "$T/out" "status $code\\)*$"
done
row busy-seconds http-status -t 3000
expect_text "$T/out" 'status 429 .*after 7 s\), later than the deadline of 3 s'
row busy-date ok
row busy-date http-status -1
expect_text "$T/out" 'status 503 .*after 0 s'
row busy-garbage ok
at_open status/403 auth
at_open status/404 not-found
at_open status/503 http-status -o io_timeout_ms=1000
expect_text "$T/out" 'status 503, [0-9]+ attempts in [0-9.]+ s'
at_open status/503 http-status -1
expect_text "$T/out" 'status 503\)*$'

step "connections that break or stall"
row reset ok
row reset network -1
row hangs-up ok # a kept connection that ends so is taken for an old one, and replaced
run -o io_timeout_ms=1000 "$plain/later/hangs-up/always" 1000:5
expect_equal "$(results)" "ok network" "the new connection ends, too"
at_open hangs-up network -1
for case in stall-before-header stall-in-header stall-after-header stall-in-body dribble; do
    row "$case" ok -o low_speed_seconds=1
    row "$case" timeout -o low_speed_seconds=1 -1
    row "$case" timeout -o io_timeout_ms=700
done
at_open stall-before-header timeout -o io_timeout_ms=700
at_open dribble ok -o io_timeout_ms=5000
run -o io_timeout_ms=1000 -o max_connections=1 -j "$plain/later/stall-in-body/queue" 0:900 5:50 9:9
expect_equal "$(results)" "ok timeout timeout timeout" "reads that wait in the queue"
run -c -j "$plain/later/stall-in-body/cancel" 0:900 5:50 9:9
expect_equal "$(results)" "ok cancelled cancelled cancelled" "cancelled reads"
run -o io_timeout_ms=1000 "http://127.0.0.1:1/x"
expect_equal "$(results)" network "nobody listens"
run -o io_timeout_ms=1000 "http://no-such-host.invalid/x"
expect_equal "$(results)" network "no such host"

step "redirects"
for status in 301 302 303 307 308; do
    run "$plain/always/redirect/$status/PLAIN/same$status" 5:5 1000:5000
    expect_equal "$(results)" "ok ok ok" "redirect $status"
    run "$plain/always/redirect/$status/OTHER/other$status" 5:5 1000:5000
    expect_equal "$(results)" "ok ok ok" "redirect $status to another host"
done
for status in 302 303 307; do
    expect_equal "$(grep -c "/redirect/$status/OTHER/" "$T/log")" 3 "asking again after $status"
done
for status in 301 308; do
    expect_equal "$(grep -c "/redirect/$status/OTHER/" "$T/log")" 1 "asking again after $status"
    expect_equal "$(grep -c "/always/exact/other$status" "$T/log")" 3
done
run -o ca_file="$T/ca.pem" "$plain/always/redirect/302/TLS/up" 5:5
expect_equal "$(results)" "ok ok" "http to https"
run -o ca_file="$T/ca.pem" "https://127.0.0.1:$TLS/always/redirect/302/PLAIN/down" 5:5
expect_equal "$(results)" tls "https to http"
expect_equal "$(grep -c /always/exact/down "$T/log")" 0 "requests after a downgrade"
at_open redirect-loop http-bad-reply
[ "$(grep -c "/redirect-loop/" "$T/log")" -le 6 ] || die "too many redirects followed"
at_open redirect-file http-bad-reply
at_open redirect-user auth
expect_equal "$(grep -c '^OTHER .*/always/exact/x ' "$T/log")" 0 "user name in a redirect"

step "log-in: netrc file, environment"
printf 'machine 127.0.0.1 login me password secret\n' >"$T/netrc"
at_open basic auth
at_open basic auth -o netrc_file="$T/netrc"
expect_text "$T/out" 'clear text'
at_open basic ok -o netrc_file="$T/netrc" -o auth=basic
at_open basic ok -o netrc_file="$T/netrc" -o auth=any
at_open digest ok -o netrc_file="$T/netrc"
at_open digest ok -o netrc_file="$T/netrc" -o auth=digest
at_open digest auth
run -o netrc_file="$T/netrc" -o ca_file="$T/ca.pem" \
    "https://127.0.0.1:$TLS/always/basic/tls" 7:7 9:9
expect_equal "$(results)" "ok ok ok" "Basic over TLS"
expect_text "$T/out" '^stats requests=4 ' # asked for the password once
run -o netrc_file="$T/netrc" -j "$plain/always/digest/many" 7:7 9:9 30:1000
expect_equal "$(results)" "ok ok ok ok" "Digest"
cp "$T/netrc" "$T/.netrc"
at_open digest ok
rm "$T/.netrc"
printf 'machine 127.0.0.1 login me password other\n' >"$T/netrc.wrong"
at_open digest auth -o netrc_file="$T/netrc.wrong"
at_open digest not-found -o netrc_file="$T/no-such-file"
at_open basic invalid -o auth=magic
SFTFS_HTTP_USER=me SFTFS_HTTP_PASSWORD=secret
export SFTFS_HTTP_USER SFTFS_HTTP_PASSWORD
at_open basic ok -o auth=basic
at_open digest ok
unset SFTFS_HTTP_USER SFTFS_HTTP_PASSWORD

step "credentials stay with their host"
follow() { # TOKEN LISTENER: logs in, is redirected; prints what the next server was told
    run -o auth=basic "$plain/always/redirect-after-login/$2/$1" 5:5
    expect_equal "$(results)" "ok ok"
    awk -v p="/always/exact/$1" -v l="$2" '$1 == l && $3 == p { print $5 }' "$T/log" | sort -u
}
cp "$T/netrc" "$T/.netrc"
expect_equal "$(follow netrc-host OTHER)" "-" "netrc, other host"
expect_equal "$(follow netrc-same PLAIN)" "Basic" "netrc, same host and port"
# An entry without a password for the other host must not borrow the first one's.
printf 'machine 127.0.0.2\nmachine 127.0.0.1 login me password secret\n' >"$T/.netrc"
told=$(follow netrc-bare OTHER)
[ "$told" = "-" ] || die "netrc, an entry without a password: '$told' was sent"
printf 'machine 127.0.0.1 login me password secret\nmachine 127.0.0.2 login me password secret\n' \
    >"$T/.netrc"
run -o auth=basic "$plain/always/redirect-to-login/own"
expect_equal "$(results)" ok "netrc, the other host's own entry"
rm "$T/.netrc"
SFTFS_HTTP_USER=me SFTFS_HTTP_PASSWORD=secret
export SFTFS_HTTP_USER SFTFS_HTTP_PASSWORD
expect_equal "$(follow env-host OTHER)" "-" "environment, other host"
expect_equal "$(follow env-port SECOND)" "-" "environment, other port"
run -o auth=basic "$plain/always/redirect/301/OTHER/env-moved" 5:5 6:6
expect_equal "$(results)" "ok ok ok"
expect_equal "$(awk '$3 == "/always/exact/env-moved" { print $5 }' "$T/log" | sort -u)" "-" \
    "environment, moved for good"
run -o auth=basic "$plain/always/redirect-to-login/env"
expect_equal "$(results)" auth "environment, the other host asks"
unset SFTFS_HTTP_USER SFTFS_HTTP_PASSWORD

step "nothing secret in messages"
run "http://me:secret@127.0.0.1:$PLAIN/always/exact/x"
expect_equal "$(results)" invalid
expect_text "$T/out" netrc
run -o proxy=http://me:secret@127.0.0.1:1/ "$plain/always/exact/x"
expect_equal "$(results)" invalid
run "$plain/always/status/404/x?sig=secret&secret"
expect_equal "$(results)" not-found
run "$plain/always/exact/x?sig=secret" 5:5
expect_equal "$(results)" "ok ok"
grep -q secret "$T/out" && die "a secret is shown"
run "$plain/always/redirect-user/x?sig=secret"
grep -q secret "$T/out" && die "a secret is shown"

step "proxies"
run -1 -o "proxy=http://127.0.0.1:1" "$plain/always/exact/x"
expect_equal "$(results)" network "a proxy that is not there"
http_proxy=http://127.0.0.1:1
export http_proxy
at_open exact network -1
at_open exact ok -o proxy=
unset http_proxy

step "TLS"
tls=https://127.0.0.1:$TLS/always/exact/x
run "$tls"
expect_equal "$(results)" tls "unknown CA"
expect_text "$T/out" 'certificate'
run -o ca_file="$T/ca.pem" "$tls" 5:5 1000:60000
expect_equal "$(results)" "ok ok ok" "our CA"
run -o insecure=1 "$tls" 5:5
expect_equal "$(results)" "ok ok" "not verified"
run -o ca_file="$T/ca.pem" "https://127.0.0.1:$TLS_WRONG/always/exact/x"
expect_equal "$(results)" tls "certificate of another host"
run -o ca_file="$T/no-such-file" "$tls"
expect_equal "$(results)" not-found "no CA file"
run -o ca_file="$T/server.key" "$tls"
expect_equal "$(results)" tls "CA file without a certificate"
run "https://127.0.0.1:$PLAIN/always/exact/x"
expect_equal "$(results)" tls "no TLS at all"
mine=https://127.0.0.1:$TLS_CLIENT/always/exact/x
run -o ca_file="$T/ca.pem" "$mine"
expect_equal "$(results)" tls "client certificate missing"
run -o ca_file="$T/ca.pem" -o client_cert="$T/client.pem" -o client_key="$T/client.key" "$mine" 5:5
expect_equal "$(results)" "ok ok" "client certificate"
openssl rsa -aes128 -passout pass:x -in "$T/client.key" -out "$T/locked.key" >"$T/openssl" 2>&1
run -o ca_file="$T/ca.pem" -o client_cert="$T/client.pem" -o client_key="$T/locked.key" "$mine"
expect_equal "$(results)" tls "client key with a passphrase"

echo "$rows rows"
