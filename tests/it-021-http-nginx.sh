#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Range reads from a real nginx: connections are kept and shared, HTTP/2 carries everything on one
# connection, log-in costs one extra request, reads can be many at once and cancelled.
. "$(dirname "$0")/lib.sh"
requires nginx python3 openssl timeout

check=$SFTFS_BUILD/tests/http-check
[ -x "$check" ] || die "no $check; build it with: make check TESTS="
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY no_proxy NO_PROXY
unset SFTFS_HTTP_USER SFTFS_HTTP_PASSWORD
HOME=$T # no netrc file but ours
export HOME

mkdir "$T/root" "$T/root/private"
python3 - "$T/root/object" <<'PYTHON' || die "cannot write the object"
import sys
with open(sys.argv[1], 'wb') as f:
    f.write(bytes((i * 7 + (i >> 8) * 13 + (i >> 16)) & 255 for i in range(3000000)))
PYTHON
ln "$T/root/object" "$T/root/private/object"
: >"$T/root/empty"
head -c 1 "$T/root/object" >"$T/root/one"
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$T/key.pem" -out "$T/cert.pem" -days 2 \
    -subj "/CN=test" -addext subjectAltName=IP:127.0.0.1 >"$T/openssl" 2>&1 ||
    { cat "$T/openssl"; die "cannot make a certificate"; }
printf 'me:%s\n' "$(openssl passwd -apr1 secret)" >"$T/passwords"
printf 'machine 127.0.0.1 login me password secret\n' >"$T/netrc"

# In place of lib.sh's: the log names protocol and connection, and there is a TLS port.
nginx_config() {
    TLS_PORT=$((NGINX_PORT + 1))
    until port_is_free "$TLS_PORT"; do
        TLS_PORT=$((TLS_PORT + 1))
    done
    [ "$(id -u)" -ne 0 ] || echo "user root;"
    cat <<CONF
worker_processes 2;
daemon off;
pid $NGINX_DIR/pid;
error_log $NGINX_DIR/error.log;
events { worker_connections 512; }
http {
    log_format one '\$server_protocol \$connection \$status \$uri "\$http_range"';
    access_log $NGINX_LOG one;
    keepalive_requests 100000;
    keepalive_timeout 300;
    gzip on;
    gzip_types *;
    gzip_min_length 1;
    client_body_temp_path $NGINX_DIR/t1;
    proxy_temp_path $NGINX_DIR/t2;
    fastcgi_temp_path $NGINX_DIR/t3;
    uwsgi_temp_path $NGINX_DIR/t4;
    scgi_temp_path $NGINX_DIR/t5;
    server {
        listen 127.0.0.1:$NGINX_PORT;
        listen 127.0.0.1:$TLS_PORT ssl http2;
        ssl_certificate $T/cert.pem;
        ssl_certificate_key $T/key.pem;
        root $NGINX_ROOT;
        location /private/ {
            auth_basic "private";
            auth_basic_user_file $T/passwords;
        }
        location /whole { alias $NGINX_ROOT/object; max_ranges 0; }
        location /moved { return 302 https://127.0.0.1:$TLS_PORT/object; }
        location /few { alias $NGINX_ROOT/object; keepalive_requests 10; }
        location /slow { alias $NGINX_ROOT/object; limit_rate 20k; }
    }
}
CONF
}

start_nginx "$T/root"
tls=https://127.0.0.1:$TLS_PORT

# run ARGUMENTS...: http-check, output in $T/out
run() {
    timeout -k 5 100 "$check" -o ca_file="$T/cert.pem" "$@" >"$T/out" 2>&1
    run_status=$?
    [ "$run_status" -eq 0 ] && return
    sed 's/^/    /' "$T/out" | tail -n 20
    die "http-check $*: exit status $run_status"
}

# expect_ok N: opened, and N reads succeeded and none failed
expect_ok() {
    expect_text "$T/out" '^open ok size=3000000 '
    if [ "$(grep -c '^read .* ok$' "$T/out")" -ne "$1" ] ||
        [ "$(grep -c '^read' "$T/out")" -ne "$1" ]; then
        sed 's/^/    /' "$T/out" | tail -n 20
        die "not $1 good reads"
    fi
}

# Distinct connections, and distinct protocols, since the mark.
connections() {
    http_settle
    awk -v skip="$http_mark" 'NR > skip { print $2 }' "$NGINX_LOG" | sort -u | wc -l
}

protocols() {
    http_settle
    awk -v skip="$http_mark" 'NR > skip { print $1 }' "$NGINX_LOG" | sort -u | tr '\n' ' '
}

ranges= # 64 of them, of many lengths, some overlapping
i=0
while [ "$i" -lt 64 ]; do
    ranges="$ranges $((i * 45000)):$((1 + i * i * 37))"
    i=$((i + 1))
done

step "keep-alive: one connection for reads one after the other"
http_log_mark
# shellcheck disable=SC2086
run "$URL/object" $ranges
expect_ok 64
expect_text "$T/out" '^stats requests=65 .* errors=0 connections=1$'
expect_equal "$(connections)" 1 connections
expect_equal "$(http_requests)" 65 requests
expect_equal "$(protocols)" "HTTP/1.1 "

step "64 reads at once share the connections allowed"
for most in 1 4; do
    http_log_mark
    # shellcheck disable=SC2086
    run -j -r 3 -o max_connections=$most "$URL/object" $ranges
    expect_ok 192
    [ "$(connections)" -le "$most" ] || die "$(connections) connections, $most were allowed"
    expect_equal "$(http_requests)" 193 requests
done

step "HTTP/2 over TLS: 64 reads at once on one connection"
http_log_mark
# shellcheck disable=SC2086
run -j -r 3 "$tls/object" $ranges
expect_ok 192
expect_equal "$(connections)" 1 connections
expect_equal "$(protocols)" "HTTP/2.0 "
expect_text "$T/out" '^stats requests=193 .* errors=0 connections=1$'

step "a server that ends each connection after a few requests"
for place in "$URL" "$tls"; do
    # shellcheck disable=SC2086
    run -j -r 3 "$place/few" $ranges
    expect_ok 192
    expect_text "$T/out" '^stats requests=193 .* errors=0 '
done

step "the head: reads inside it make no requests, until it is dropped"
http_log_mark
run -o head=100000 "$URL/object" 0:1 0:100000 99999:1 5000:5000
expect_ok 4
expect_equal "$(http_requests)" 1 requests
http_log_mark
run -d -o head=100000 "$URL/object" 0:1 5000:5000
expect_ok 2
expect_equal "$(http_requests)" 3 requests
http_log_mark
run -o head=100000 "$URL/object" 99999:2
expect_ok 1
expect_equal "$(http_requests)" 2 requests

step "log-in by netrc: the password is asked for once"
for place in "$URL" "$tls"; do
    http_log_mark
    # shellcheck disable=SC2086
    run -o netrc_file="$T/netrc" -o auth=any "$place/private/object" $ranges
    expect_ok 64
    expect_equal "$(http_requests)" 66 requests
    http_settle
    expect_equal "$(awk -v s="$http_mark" 'NR > s && $3 == 401' "$NGINX_LOG" | wc -l)" 1 refusals
done
run "$tls/private/object"
expect_text "$T/out" '^open auth '

step "cancelling 64 reads at once, again and again"
for place in "$URL/object" "$URL/slow" "$tls/object" "$tls/slow"; do
    # shellcheck disable=SC2086
    run -j -c -r 5 "$place" $ranges
    expect_equal "$(grep -c '^read' "$T/out")" 320 "reads answered"
    grep '^read' "$T/out" | grep -vE '^read [0-9:]+ (ok$|cancelled )' &&
        die "a read ended otherwise"
done

step "other answers of a real server"
run "$URL/nothing"
expect_text "$T/out" '^open not-found '
run "$URL/empty"
expect_text "$T/out" '^open truncated '
run "$URL/one" 0:1 1:1
expect_text "$T/out" '^open ok size=1 '
expect_text "$T/out" '^read 1:1 truncated '
run "$URL/whole"
expect_text "$T/out" '^open http-no-range '
run "$URL/moved" 5:500 2999999:1
expect_ok 2
run "https://127.0.0.1:$NGINX_PORT/object"
expect_text "$T/out" '^open tls '
stop_nginx
run -1 "$URL/object"
expect_text "$T/out" '^open network '
