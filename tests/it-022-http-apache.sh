#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# A real Apache httpd: log-in (Basic, Digest, Negotiate with a KDC of our own), client certificates,
# forward proxies, redirects to another host; and that passwords are seen by nobody.
. "$(dirname "$0")/lib.sh"
need_fuse
requires apache2 openssl timeout md5sum krb5kdc kdb5_util kadmin.local kinit

check=$SFTFS_BUILD/tests/http-check
[ -x "$check" ] || die "no $check; build it with: make check TESTS="
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY no_proxy NO_PROXY
unset SFTFS_HTTP_USER SFTFS_HTTP_PASSWORD
HOME=$T # no netrc file but ours
export HOME

# --- the server's files -------------------------------------------------------------------------

password=s3cr3t-Pa55w0rd
A=$T/apache
modules=/usr/lib/apache2/modules
[ -e "$modules/mod_auth_gssapi.so" ] || skip "no mod_auth_gssapi for Apache"

mkdir "$A" "$T/src" "$T/root"
echo "hello from the package" >"$T/src/hello.txt"
head -c 2000000 /dev/urandom >"$T/src/large.bin"
pack "$T/src" "$T/root/p.sft"
for name in open basic digest ticket both; do
    mkdir "$T/root/$name"
    ln "$T/root/p.sft" "$T/root/$name/p.sft"
done

printf 'me:%s\n' "$(openssl passwd -apr1 "$password")" >"$A/basic"
printf 'me:here:%s\n' "$(printf 'me:here:%s' "$password" | md5sum | cut -d ' ' -f 1)" >"$A/digest"
printf 'machine 127.0.0.1 login me password %s\n' "$password" >"$T/netrc"
printf 'machine 127.0.0.1 login me password wrong-%s\n' "$password" >"$T/netrc-wrong"

# certificate NAME CA ARGUMENTS...: NAME.pem, NAME.key, signed by CA
certificate() {
    c_name=$1
    c_ca=$2
    shift 2
    openssl req -newkey rsa:2048 -nodes -keyout "$T/$c_name.key" -out "$T/$c_name.csr" \
        -subj "/CN=$c_name" "$@" >"$T/openssl" 2>&1 &&
        openssl x509 -req -in "$T/$c_name.csr" -CA "$T/$c_ca.pem" -CAkey "$T/$c_ca.key" \
            -CAcreateserial -copy_extensions copy -days 2 -out "$T/$c_name.pem" \
            >>"$T/openssl" 2>&1 || { cat "$T/openssl"; die "cannot make a certificate"; }
}

for ca in ca other-ca; do
    openssl req -x509 -newkey rsa:2048 -nodes -keyout "$T/$ca.key" -out "$T/$ca.pem" -days 2 \
        -subj "/CN=$ca" >"$T/openssl" 2>&1 || { cat "$T/openssl"; die "cannot make a CA"; }
done
certificate server ca -addext subjectAltName=IP:127.0.0.1,DNS:localhost
certificate client ca
certificate stranger other-ca

# --- the server ---------------------------------------------------------------------------------

load() {
    for l_name; do
        echo "LoadModule ${l_name}_module $modules/mod_$l_name.so"
    done
}

next_port() {
    np_port=$((np_port + 1))
    until port_is_free "$np_port"; do
        np_port=$((np_port + 1))
    done
}

# One server, many ports: PORT and SECOND (another address) are plain, TLS and MUTUAL (12 and 13:
# with that version of TLS only) encrypted, PROXY, LOCKED, CLOSED and TICKET are forward proxies.
apache_config() {
    np_port=$(free_port)
    PORT=$np_port
    for ac_name in SECOND TLS MUTUAL12 MUTUAL13 PROXY LOCKED CLOSED TICKET; do
        next_port
        eval "$ac_name=$np_port"
    done
    load mpm_event authn_core authn_file authz_core authz_user auth_basic auth_digest alias \
        headers ssl proxy proxy_http proxy_connect auth_gssapi
    [ "$(id -u)" -ne 0 ] || printf 'User www-data\nGroup www-data\n'
    cat <<CONF
ServerRoot $A
ServerName 127.0.0.1
PidFile $A/pid
DefaultRuntimeDir $A
Mutex file:$A default
ErrorLog $A/error.log
LogFormat "%u %>s \"%r\" authorization=%{Authorization}i" one
StartServers 1
ServerLimit 1
ThreadsPerChild 64
MaxRequestWorkers 64
Listen 127.0.0.1:$PORT
Listen 127.0.0.2:$SECOND
Listen 127.0.0.1:$TLS
Listen 127.0.0.1:$MUTUAL12
Listen 127.0.0.1:$MUTUAL13
Listen 127.0.0.1:$PROXY
Listen 127.0.0.1:$LOCKED
Listen 127.0.0.1:$CLOSED
Listen 127.0.0.1:$TICKET
DocumentRoot $T/root
<Directory $T/root>
    Require all granted
</Directory>
<Location /basic/>
    AuthType Basic
    AuthName here
    AuthUserFile $A/basic
    Require valid-user
</Location>
<Location /digest/>
    AuthType Digest
    AuthName here
    AuthUserFile $A/digest
    Require valid-user
</Location>
<LocationMatch ^/(ticket|both)/>
    AuthType GSSAPI
    AuthName here
    GssapiCredStore keytab:$T/krb/keytab
    Require valid-user
</LocationMatch>
<Location /both/>
    AuthType Digest
    AuthUserFile $A/digest
    Header always merge WWW-Authenticate Negotiate "expr=%{REQUEST_STATUS} == 401"
</Location>
<VirtualHost 127.0.0.1:$PORT>
    CustomLog $A/first.log one
    Redirect 302 /moved http://127.0.0.2:$SECOND/open/p.sft
    Redirect 301 /gone http://127.0.0.2:$SECOND/open/p.sft
    Redirect 302 /to-locked http://127.0.0.2:$SECOND/basic/p.sft
</VirtualHost>
<VirtualHost 127.0.0.2:$SECOND>
    ServerName 127.0.0.2
    CustomLog $A/second.log one
</VirtualHost>
<VirtualHost 127.0.0.1:$TLS>
    CustomLog $A/tls.log one
    SSLEngine on
    SSLCertificateFile $T/server.pem
    SSLCertificateKeyFile $T/server.key
</VirtualHost>
CONF
    for ac_version in 2 3; do
        ac_port=
        eval "ac_port=\$MUTUAL1$ac_version"
        cat <<CONF
<VirtualHost 127.0.0.1:$ac_port>
    CustomLog $A/mutual.log "%{SSL_PROTOCOL}x %{SSL_CLIENT_S_DN_CN}x %>s"
    SSLEngine on
    SSLProtocol TLSv1.$ac_version
    SSLCertificateFile $T/server.pem
    SSLCertificateKeyFile $T/server.key
    SSLCACertificateFile $T/ca.pem
    SSLVerifyClient require
</VirtualHost>
CONF
    done
    cat <<CONF
<VirtualHost 127.0.0.1:$PROXY>
    CustomLog $A/proxy.log one
    ProxyRequests On
    AllowCONNECT $TLS $MUTUAL13
    <Proxy *>
        Require all granted
    </Proxy>
</VirtualHost>
<VirtualHost 127.0.0.1:$LOCKED>
    CustomLog $A/locked.log one
    ProxyRequests On
    AllowCONNECT $TLS
    <Proxy *>
        AuthType Basic
        AuthName proxy
        AuthUserFile $A/basic
        Require valid-user
    </Proxy>
</VirtualHost>
<VirtualHost 127.0.0.1:$CLOSED>
    CustomLog $A/closed.log one
    ProxyRequests On
    AllowCONNECT $TLS
    <Proxy *>
        Require all denied
    </Proxy>
</VirtualHost>
<VirtualHost 127.0.0.1:$TICKET>
    CustomLog $A/ticket.log one
    ProxyRequests On
    AllowCONNECT $TLS
    <Proxy *>
        AuthType GSSAPI
        AuthName proxy
        GssapiCredStore keytab:$T/krb/keytab
        GssapiBasicAuth On
        Require valid-user
    </Proxy>
</VirtualHost>
CONF
}

apache_answers() {
    # The pid file appears after the sockets are bound.
    [ -s "$A/pid" ] || ! kill -0 "$apache_pid" 2>/dev/null
}

stop_apache() {
    kill "$apache_pid" 2>/dev/null
    wait "$apache_pid" 2>/dev/null
    return 0
}

start_apache() {
    for sa_try in 1 2 3 4 5; do
        apache_config >"$A/conf"
        rm -f "$A/pid"
        KRB5RCACHENAME=none: apache2 -D FOREGROUND -f "$A/conf" >>"$A/out" 2>&1 </dev/null &
        apache_pid=$!
        at_exit stop_apache
        if wait_for 20 apache_answers && kill -0 "$apache_pid" 2>/dev/null; then
            return
        fi
    done
    cat "$A/out" "$A/error.log" >&2
    die "Apache does not start"
}

# --- a realm of our own -------------------------------------------------------------------------

start_kdc() {
    mkdir "$T/krb"
    KDC=$(free_port)
    cat >"$T/krb/conf" <<CONF
[libdefaults]
    default_realm = SFTFS.TEST
    dns_lookup_kdc = false
    dns_lookup_realm = false
    dns_canonicalize_hostname = false
    rdns = false
    udp_preference_limit = 1
    default_ccache_name = FILE:$T/krb/none
[realms]
    SFTFS.TEST = {
        kdc = 127.0.0.1:$KDC
    }
[domain_realm]
    localhost = SFTFS.TEST
CONF
    cat >"$T/krb/kdc.conf" <<CONF
[kdcdefaults]
    kdc_listen = 127.0.0.1:$KDC
    kdc_tcp_listen = 127.0.0.1:$KDC
[realms]
    SFTFS.TEST = {
        database_name = $T/krb/principal
        key_stash_file = $T/krb/stash
        acl_file = $T/krb/acl
    }
[logging]
    kdc = FILE:$T/krb/kdc.log
CONF
    KRB5_CONFIG=$T/krb/conf
    KRB5_KDC_PROFILE=$T/krb/kdc.conf
    export KRB5_CONFIG KRB5_KDC_PROFILE
    {
        kdb5_util create -s -r SFTFS.TEST -P "$password" &&
            kadmin.local -q "addprinc -pw $password me" &&
            kadmin.local -q "addprinc -randkey HTTP/localhost" &&
            kadmin.local -q "ktadd -k $T/krb/keytab HTTP/localhost"
    } >"$T/krb/out" 2>&1 || { cat "$T/krb/out"; die "cannot make a Kerberos realm"; }
    chmod 644 "$T/krb/keytab" # for Apache's user
    krb5kdc -n >>"$T/krb/out" 2>&1 </dev/null &
    kdc_pid=$!
    at_exit 'kill "$kdc_pid" 2>/dev/null'
    wait_for 20 get_ticket || { cat "$T/krb/out" "$T/krb/ticket"; die "the KDC does not answer"; }
}

get_ticket() {
    echo "$password" | timeout 10 kinit -c "FILE:$T/krb/cache" me >"$T/krb/ticket" 2>&1
}

# --- looking ------------------------------------------------------------------------------------

: >"$T/said" # everything our programs print; no password may be in it

# attempt STATUS COMMAND...
attempt() {
    at_want=$1
    shift
    expect_status "$at_want" timeout -k 5 60 "$@"
    cat "$T/out" "$T/err" >>"$T/said"
}

# works URL [OPTIONS...]: a file of the package is read
works() {
    w_url=$1
    shift
    attempt 0 sft cat "$@" "$w_url" hello.txt
    expect_equal "$(cat "$T/out")" "hello from the package"
}

# refused STATUS KIND URL [OPTIONS...]: by sft with STATUS, and http-check names the kind
refused() {
    r_status=$1
    r_kind=$2
    r_url=$3
    shift 3
    attempt "$r_status" sft info "$@" "$r_url"
    cp "$T/err" "$T/refusal"
    for r_option; do
        # --ca-file=X becomes -o ca_file=X
        r_option=${r_option#--}
        r_name=$(echo "${r_option%%=*}" | tr - _)
        case $r_name in
        cert | key) r_name=client_$r_name ;;
        esac
        shift
        set -- "$@" -o "$r_name=${r_option#*=}"
    done
    attempt 0 "$check" "$@" "$r_url"
    expect_text "$T/out" "^open $r_kind "
}

# logged LOG REGEX: lines are written after the client has its answer
logged() {
    wait_for 10 grep -Eq -- "$2" "$1" && return
    sed 's/^/    /' "$1" | tail -n 20
    die "not in $1: $2"
}

forget_logs() {
    for fl_log in first second tls mutual proxy locked closed ticket; do
        : >"$A/$fl_log.log"
    done
}

# --- the tests ----------------------------------------------------------------------------------

start_kdc
start_apache
first=http://127.0.0.1:$PORT
second=http://127.0.0.2:$SECOND
tls=https://127.0.0.1:$TLS

step "without log-in"
works "$first/open/p.sft"
refused 7 auth "$first/basic/p.sft"
refused 7 auth "$first/digest/p.sft"

step "Basic over http: only when asked for"
refused 7 auth "$first/basic/p.sft" --netrc-file="$T/netrc"
expect_text "$T/refusal" 'clear text.*auth=basic'
logged "$A/first.log" '"GET /basic/p.sft HTTP/1.1" authorization=-$'
grep -q 'authorization=Basic' "$A/first.log" && die "the password was sent in clear text"
for method in basic any; do
    works "$first/basic/p.sft" --netrc-file="$T/netrc" --auth=$method
done
logged "$A/first.log" '^me 206 "GET /basic/p.sft'
refused 7 auth "$first/basic/p.sft" --netrc-file="$T/netrc" --auth=digest

step "Basic over https: by default"
works "$tls/basic/p.sft" --netrc-file="$T/netrc" --ca-file="$T/ca.pem"
refused 6 tls "$tls/basic/p.sft" --netrc-file="$T/netrc"

step "Digest: by default"
works "$first/digest/p.sft" --netrc-file="$T/netrc"
works "$first/digest/p.sft" --netrc-file="$T/netrc" --auth=digest
refused 7 auth "$first/digest/p.sft" --netrc-file="$T/netrc" --auth=basic
logged "$A/first.log" '^me 206 "GET /digest/p.sft'

step "a wrong password"
refused 7 auth "$first/basic/p.sft" --netrc-file="$T/netrc-wrong" --auth=basic
refused 7 auth "$first/digest/p.sft" --netrc-file="$T/netrc-wrong"
expect_text "$T/refusal" 'name and password'
refused 7 auth "$tls/basic/p.sft" --netrc-file="$T/netrc-wrong" --ca-file="$T/ca.pem"

step "name and password from ~/.netrc"
cp "$T/netrc" "$T/.netrc"
works "$first/digest/p.sft"
rm "$T/.netrc"

step "name and password from the environment, which go before a netrc file"
SFTFS_HTTP_USER=me SFTFS_HTTP_PASSWORD=$password
export SFTFS_HTTP_USER SFTFS_HTTP_PASSWORD
works "$first/basic/p.sft" --auth=basic
works "$first/digest/p.sft"
works "$first/digest/p.sft" --netrc-file="$T/netrc-wrong"
SFTFS_HTTP_PASSWORD=wrong-$password
refused 7 auth "$first/basic/p.sft" --auth=basic
refused 7 auth "$first/digest/p.sft" --netrc-file="$T/netrc"
SFTFS_HTTP_PASSWORD=$password

step "a mount with a password: neither its command line nor the mount table nor its log has it"
look_at_daemon() {
    [ -n "$(daemons)" ] || die "no daemon"
    for pid in $(daemons); do
        tr '\0' ' ' <"/proc/$pid/cmdline" >>"$T/said"
    done
    cat /proc/self/mountinfo "$T/mount.out" >>"$T/said"
}
mount_package "$first/digest/p.sft" "$T/mnt"
cmp "$T/src/large.bin" "$T/mnt/large.bin" || die "wrong bytes"
look_at_daemon
unmount "$T/mnt"
unset SFTFS_HTTP_USER SFTFS_HTTP_PASSWORD
mount_package "$first/basic/p.sft" "$T/mnt" -o netrc_file="$T/netrc",auth=basic
cmp "$T/src/large.bin" "$T/mnt/large.bin" || die "wrong bytes"
look_at_daemon
unmount "$T/mnt"
timeout -k 5 60 sftfs -d "$first/digest/p.sft" "$T/mnt" -o netrc_file="$T/netrc" \
    >"$T/debug" 2>&1 </dev/null &
wait_for 20 is_mounted "$T/mnt" || { cat "$T/debug"; die "sftfs -d does not mount"; }
cmp "$T/src/hello.txt" "$T/mnt/hello.txt" || die "wrong bytes"
look_at_daemon
unmount "$T/mnt"
cat "$T/debug" >>"$T/said"

step "credentials do not follow a redirect to another host"
for place in moved gone; do
    forget_logs
    works "$first/$place" --netrc-file="$T/netrc" --auth=basic
    logged "$A/first.log" " 30[12] \"GET /$place HTTP/1.1\" authorization=Basic "
    logged "$A/second.log" '^- 206 "GET /open/p.sft HTTP/1.1" authorization=-$'
    (
        SFTFS_HTTP_USER=me SFTFS_HTTP_PASSWORD=$password
        export SFTFS_HTTP_USER SFTFS_HTTP_PASSWORD
        works "$first/$place?environment" --auth=basic
    ) || exit
    logged "$A/first.log" "\"GET /$place\?environment HTTP/1.1\" authorization=Basic "
    logged "$A/second.log" '"GET /open/p.sft\?environment HTTP'
    grep -v 'authorization=-$' "$A/second.log" && die "the other host was sent credentials"
done
forget_logs
refused 7 auth "$first/to-locked" --netrc-file="$T/netrc" --auth=basic
(
    SFTFS_HTTP_USER=me SFTFS_HTTP_PASSWORD=$password
    export SFTFS_HTTP_USER SFTFS_HTTP_PASSWORD
    refused 7 auth "$first/to-locked" --auth=basic
) || exit
logged "$A/second.log" '^- 401 "GET /basic/p.sft'
grep -v 'authorization=-$' "$A/second.log" && die "the other host was sent credentials"
{
    cat "$T/netrc"
    printf 'machine 127.0.0.2 login me password %s\n' "$password"
} >"$T/netrc-both"
works "$first/to-locked" --netrc-file="$T/netrc-both" --auth=basic

step "a client certificate"
for port in "$MUTUAL12" "$MUTUAL13"; do
    mutual=https://127.0.0.1:$port/open/p.sft
    works "$mutual" --ca-file="$T/ca.pem" --cert="$T/client.pem" --key="$T/client.key"
    refused 6 tls "$mutual" --ca-file="$T/ca.pem"
    refused 6 tls "$mutual" --ca-file="$T/ca.pem" --cert="$T/stranger.pem" --key="$T/stranger.key"
    refused 6 tls "$mutual" --ca-file="$T/ca.pem" --cert="$T/client.pem" --key="$T/stranger.key"
    refused 6 tls "$mutual" --ca-file="$T/other-ca.pem" --cert="$T/client.pem" \
        --key="$T/client.key"
done
logged "$A/mutual.log" '^TLSv1\.2 client 206$'
logged "$A/mutual.log" '^TLSv1\.3 client 206$'
cat "$T/client.pem" "$T/client.key" >"$T/together.pem"
works "$mutual" --ca-file="$T/ca.pem" --cert="$T/together.pem"
openssl rsa -aes128 -passout pass:x -in "$T/client.key" -out "$T/locked.key" 2>"$T/openssl" ||
    die "cannot encrypt a key"
refused 6 tls "$mutual" --ca-file="$T/ca.pem" --cert="$T/client.pem" --key="$T/locked.key"
mount_package "$mutual" "$T/mnt" \
    -o ca_file="$T/ca.pem",cert="$T/client.pem",key="$T/client.key"
cmp "$T/src/large.bin" "$T/mnt/large.bin" || die "wrong bytes"
unmount "$T/mnt"

step "a proxy: http is asked for there, https goes through CONNECT"
proxy=http://127.0.0.1:$PROXY
forget_logs
works "$first/open/p.sft" --proxy="$proxy"
logged "$A/proxy.log" "^- 206 \"GET $first/open/p.sft HTTP/1.1\""
works "$tls/open/p.sft" --proxy="$proxy" --ca-file="$T/ca.pem"
logged "$A/proxy.log" "^- 200 \"CONNECT 127.0.0.1:$TLS HTTP/1.1\""
works "https://127.0.0.1:$MUTUAL13/open/p.sft" --proxy="$proxy" --ca-file="$T/ca.pem" \
    --cert="$T/client.pem" --key="$T/client.key"
works "$first/digest/p.sft" --proxy="$proxy" --netrc-file="$T/netrc"
works "$tls/basic/p.sft" --proxy="$proxy" --ca-file="$T/ca.pem" --netrc-file="$T/netrc"
grep -q 'CONNECT.*authorization=Basic' "$A/proxy.log" && die "the proxy saw the password"

step "a proxy from the environment, and none"
http_proxy=$proxy https_proxy=$proxy
export http_proxy https_proxy
forget_logs
works "$first/open/p.sft"
works "$tls/open/p.sft" --ca-file="$T/ca.pem"
logged "$A/proxy.log" "\"GET $first/open/p.sft HTTP/1.1\""
logged "$A/proxy.log" "\"CONNECT 127.0.0.1:$TLS HTTP/1.1\""
mount_package "$first/open/p.sft" "$T/mnt"
cmp "$T/src/large.bin" "$T/mnt/large.bin" || die "wrong bytes"
unmount "$T/mnt"
# A request that does not come cannot be waited for: the next one that does is seen behind it.
forget_logs
works "$first/open/p.sft" --proxy=
(
    no_proxy=127.0.0.1
    export no_proxy
    works "$first/open/p.sft"
    works "$tls/open/p.sft" --ca-file="$T/ca.pem"
) || exit
mount_package "$first/open/p.sft" "$T/mnt" -o proxy=
cmp "$T/src/hello.txt" "$T/mnt/hello.txt" || die "wrong bytes"
unmount "$T/mnt"
works "$first/open/p.sft?last"
logged "$A/proxy.log" '\?last HTTP'
expect_equal "$(grep -vc '?last' "$A/proxy.log")" 0 "requests to a proxy that was not to be used"
unset http_proxy https_proxy

step "a proxy that refuses, or wants a log-in, or is not there"
closed=http://127.0.0.1:$CLOSED
locked=http://127.0.0.1:$LOCKED
refused 7 auth "$first/open/p.sft" --proxy="$closed"
refused 7 auth "$tls/open/p.sft" --proxy="$closed" --ca-file="$T/ca.pem"
refused 7 auth "https://127.0.0.1:$MUTUAL12/" --proxy="$proxy" --ca-file="$T/ca.pem"
refused 7 auth "$first/open/p.sft" --proxy="$locked"
expect_text "$T/refusal" 'proxy wants a log-in'
refused 7 auth "$tls/open/p.sft" --proxy="$locked" --ca-file="$T/ca.pem"
expect_text "$T/refusal" 'proxy wants a log-in'
http_proxy=http://me:$password@127.0.0.1:$LOCKED https_proxy=http://me:$password@127.0.0.1:$LOCKED
export http_proxy https_proxy
works "$first/open/p.sft"
works "$tls/open/p.sft" --ca-file="$T/ca.pem"
logged "$A/locked.log" '^me 206 "GET '
logged "$A/locked.log" '^me 200 "CONNECT '
http_proxy=http://me:wrong-$password@127.0.0.1:$LOCKED https_proxy=$http_proxy
refused 7 auth "$first/open/p.sft"
refused 7 auth "$tls/open/p.sft" --ca-file="$T/ca.pem"
next_port
http_proxy=http://me:$password@127.0.0.1:$np_port https_proxy=$http_proxy
refused 6 network "$first/open/p.sft"
refused 6 network "$tls/open/p.sft" --ca-file="$T/ca.pem"
unset http_proxy https_proxy
attempt 2 sft info --proxy="http://me:x@127.0.0.1:$LOCKED" "$first/open/p.sft"

step "Negotiate with a Kerberos ticket"
ticket=http://localhost:$PORT/ticket/p.sft
forget_logs
export KRB5CCNAME
KRB5CCNAME=FILE:$T/krb/none
refused 7 auth "$ticket" --auth=negotiate
expect_text "$T/refusal" 'Kerberos ticket'
KRB5CCNAME=FILE:$T/krb/cache
works "$ticket" --auth=negotiate
logged "$A/first.log" '^me@SFTFS\.TEST 206 "GET /ticket/p.sft HTTP/1.1" authorization=Negotiate '
refused 7 auth "$ticket"
expect_text "$T/refusal" 'auth=negotiate'
mount_package "$ticket" "$T/mnt" -o auth=negotiate
cmp "$T/src/large.bin" "$T/mnt/large.bin" || die "wrong bytes"
unmount "$T/mnt"

step "Negotiate and Digest offered: without a ticket, name and password are used"
KRB5CCNAME=FILE:$T/krb/none
printf 'machine localhost login me password %s\n' "$password" >"$T/netrc-localhost"
works "http://localhost:$PORT/both/p.sft" --netrc-file="$T/netrc-localhost"
works "http://localhost:$PORT/both/p.sft" --netrc-file="$T/netrc-localhost" --auth=any

step "a proxy that offers Negotiate and Basic: a ticket, or name and password"
(
    http_proxy=http://me:$password@localhost:$TICKET https_proxy=$http_proxy
    export http_proxy https_proxy
    works "$first/open/p.sft"
    works "$tls/open/p.sft" --ca-file="$T/ca.pem"
    KRB5CCNAME=FILE:$T/krb/cache
    http_proxy=http://:@localhost:$TICKET https_proxy=$http_proxy
    works "$first/open/p.sft"
    works "$tls/open/p.sft" --ca-file="$T/ca.pem"
) || exit
logged "$A/ticket.log" '^me@SFTFS\.TEST 206 "GET '
logged "$A/ticket.log" '^me@SFTFS\.TEST 200 "CONNECT '

step "no password in anything that was printed"
[ -s "$T/said" ] || die "nothing was printed at all"
encoded=$(printf 'me:%s' "$password" | openssl base64 | tr -d '=')
grep -F -e "$password" -e "$encoded" "$T/said" && die "a password was printed"
exit 0
