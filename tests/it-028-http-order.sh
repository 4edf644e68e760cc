#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# LOW reads stand back behind others, go on afterwards, can be promoted and cancelled; over HTTP/1.1
# and HTTP/2, with one, two and several connections. SEED=N tries other random steps.
. "$(dirname "$0")/lib.sh"
requires nginx python3 openssl timeout

order=$SFTFS_BUILD/tests/http-order
[ -x "$order" ] || die "no $order; build it with: make check TESTS="
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY no_proxy NO_PROXY
unset SFTFS_HTTP_USER SFTFS_HTTP_PASSWORD
HOME=$T # no netrc file
export HOME

mkdir "$T/root"
python3 - "$T/root/object" <<'PYTHON' || die "cannot write the object"
import sys
with open(sys.argv[1], 'wb') as f:
    f.write(bytes((i * 7 + (i >> 8) * 13 + (i >> 16)) & 255 for i in range(3000000)))
PYTHON
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$T/key.pem" -out "$T/cert.pem" -days 2 \
    -subj "/CN=test" -addext subjectAltName=IP:127.0.0.1 >"$T/openssl" 2>&1 ||
    { cat "$T/openssl"; die "cannot make a certificate"; }
NGINX_EXTRA="location /slow { alias $T/root/object; limit_rate 1m; }"
tls_port=$(free_port)
NGINX_EXTRA="$NGINX_EXTRA
    listen 127.0.0.1:$tls_port ssl http2;
    ssl_certificate $T/cert.pem;
    ssl_certificate_key $T/key.pem;"
start_nginx "$T/root"

for most in 1 2 4; do
    for place in "$URL" "https://127.0.0.1:$tls_port"; do
        step "$place, $most connections"
        # All at once: they mostly wait for the server.
        timeout -k 5 120 "$order" "$place/slow" "$T/cert.pem" "$most" "${SEED:-1}" \
            >"$T/out.$most.${place%%:*}" 2>&1 &
        eval "pid_${most}_${place%%:*}=$!"
    done
done
for most in 1 2 4; do
    for scheme in http https; do
        eval "wait \"\$pid_${most}_$scheme\"" || {
            sed 's/^/    /' "$T/out.$most.$scheme"
            die "$scheme, $most connections"
        }
    done
done
