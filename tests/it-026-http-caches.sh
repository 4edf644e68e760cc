#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# HTTP caches between a package and its readers: nginx with slices, Varnish, and Squid as a proxy. A
# second client, cold, reads everything without a single request at the origin; and so does a third
# when the origin is gone.
. "$(dirname "$0")/lib.sh"
need_root
need_fuse
requires nginx python3 varnishd squid
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY no_proxy NO_PROXY

src=$T/src
mkdir -p "$src/sub/deep" "$T/www"
head -c 6000000 /dev/urandom >"$src/large.bin"
head -c 3000000 /dev/urandom >"$src/sub/other.bin"
head -c 70000 /dev/urandom >"$src/sub/deep/small.bin"
i=0
while [ $i -lt 300 ]; do
    echo "file $i: $(head -c 300 /dev/urandom | od -An -tx1 | tr -d ' \n')" >"$src/sub/file $i.txt"
    i=$((i + 1))
done
pack "$src" "$T/www/p.sft"
size=$(stat -c %s "$T/www/p.sft")
start_nginx "$T/www"
m=$T/mnt

# read_as_new_client NAME URL [OPTIONS...]: mounts, compares every byte with the original, unmounts
read_as_new_client() {
    nc_name=$1
    nc_url=$2
    shift 2
    # shellcheck disable=SC2086
    mount_package "$nc_url" "$m" -o io_timeout=20 $UNCACHED "$@"
    diff -r "$src" "$m" || die "$nc_name: trees differ"
    unmount "$m"
}

# through NAME URL [OPTIONS...]: three clients one after the other
through() {
    th_name=$1
    step "$th_name: the first client brings the object into the cache"
    http_log_mark
    read_as_new_client "$@"
    th_requests=$(http_requests)
    th_bytes=$(http_bytes)
    [ "$th_requests" -ge 1 ] || die "$th_name: nothing reached the origin: $(cat "$NGINX_LOG")"
    # Caches fetch whole slices; what two of our requests touch must not come twice.
    [ "$th_bytes" -le $((size + size / 10)) ] ||
        { cat "$NGINX_LOG"; die "$th_name: the origin sent $th_bytes bytes of an object of $size"; }

    step "$th_name: a second client, cold, causes no request at the origin"
    http_log_mark
    read_as_new_client "$@"
    expect_equal "$(http_requests)" 0 "$th_name: requests at the origin"

    step "$th_name: and does not notice that the origin is gone"
    stop_nginx
    read_as_new_client "$@"
    resume_nginx || die "nginx does not come back"
    echo "$th_name: $th_requests requests, $th_bytes bytes of $size at the origin"
}

# --- nginx --------------------------------------------------------------------------------------

mkdir -p "$T/edge/cache"
edge_port=$(free_port)
cat >"$T/edge/conf" <<CONF
worker_processes 1;
daemon off;
user root;
pid $T/edge/pid;
error_log $T/edge/error.log;
events { worker_connections 512; }
http {
    log_format one '\$request_method \$status \$body_bytes_sent "\$http_range"';
    access_log $T/edge/access.log one;
    client_body_temp_path $T/edge/t1;
    proxy_temp_path $T/edge/t2;
    fastcgi_temp_path $T/edge/t3;
    uwsgi_temp_path $T/edge/t4;
    scgi_temp_path $T/edge/t5;
    proxy_cache_path $T/edge/cache keys_zone=packages:1m max_size=1g use_temp_path=off;
    server {
        listen 127.0.0.1:$edge_port;
        location / {
            slice 1m;
            proxy_cache packages;
            proxy_cache_key \$uri\$slice_range;
            proxy_set_header Range \$slice_range;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_cache_lock on;
            proxy_cache_bypass \$http_pragma;
            proxy_cache_valid 200 206 1h;
            proxy_pass http://127.0.0.1:$NGINX_PORT;
        }
    }
}
CONF
nginx -p "$T/edge" -e "$T/edge/error.log" -c "$T/edge/conf" >"$T/edge/out" 2>&1 </dev/null &
edge=$!
at_exit "end_nginx $edge"
edge_answers() {
    [ -s "$T/edge/pid" ] || ! kill -0 "$edge" 2>/dev/null
}
wait_for 20 edge_answers && kill -0 "$edge" 2>/dev/null ||
    { cat "$T/edge/out" "$T/edge/error.log"; die "the caching nginx does not start"; }

through "nginx with slices" "http://127.0.0.1:$edge_port/p.sft"

step "nginx with slices: whole slices are asked for, each once"
awk '{ print $4 }' "$NGINX_LOG" | tr -d '"' | sort >"$T/slices"
grep -vE '^bytes=[0-9]+-[0-9]+$' "$T/slices" && die "a request without a range"
sed 's/bytes=//; s/-/ /' "$T/slices" | awk '$1 % 1048576 || $2 + 1 - $1 != 1048576 { exit 1 }' ||
    die "a request that is no slice: $(cat "$T/slices")"
expect_equal "$(uniq -d "$T/slices")" "" "slices fetched twice"

# Blocks that begin in different pieces of 2 MiB are never asked for in one request, so what a
# request touches is one piece, and the end of its last block.
step "requests keep to pieces of 2 MiB of the object"
awk '{ print $4 }' "$T/edge/access.log" | tr -d '"' | sed 's/bytes=//; s/-/ /' >"$T/asked"
[ "$(wc -l <"$T/asked")" -ge 8 ] || die "too few requests to tell: $(cat "$T/asked")"
awk '{ if (int($2 / 2097152) - int($1 / 2097152) > 1) { print; bad = 1 } } END { exit bad }' \
    "$T/asked" || die "a request that spans more than that"

step "nginx with slices: a copy that went bad is fetched past the cache, and replaced there"
bad=$(grep -lF 'bytes=2097152-3145727' -r "$T/edge/cache" | head -n 1)
[ -n "$bad" ] || die "no slice of that range in the cache"
python3 - "$bad" <<'PY'
import sys
with open(sys.argv[1], 'r+b') as f:
    f.seek(500000)
    bytes_there = f.read(1)
    f.seek(500000)
    f.write(bytes([bytes_there[0] ^ 0x10]))
PY
http_log_mark
read_as_new_client "nginx with a bad slice" "http://127.0.0.1:$edge_port/p.sft"
[ "$(http_requests)" -ge 1 ] || die "the bad slice was not noticed"
[ "$(http_bytes)" -le 3145728 ] || die "$(http_bytes) bytes fetched to replace one block"
http_log_mark
read_as_new_client "nginx with a replaced slice" "http://127.0.0.1:$edge_port/p.sft"
expect_equal "$(http_requests)" 0 "requests after the slice was replaced"

# --- Varnish ------------------------------------------------------------------------------------

mkdir "$T/varnish"
varnish_port=$(free_port)
cat >"$T/varnish.vcl" <<VCL
vcl 4.1;
backend origin {
    .host = "127.0.0.1";
    .port = "$NGINX_PORT";
}
sub vcl_backend_response {
    set beresp.ttl = 1h;
}
VCL
varnishd -F -n "$T/varnish" -a "127.0.0.1:$varnish_port" -f "$T/varnish.vcl" -T none -j none \
    -s malloc,64m >"$T/varnish.out" 2>&1 </dev/null &
varnish=$!
varnish_answers() {
    ! port_is_free "$varnish_port" || ! kill -0 "$varnish" 2>/dev/null
}
wait_for 60 varnish_answers && kill -0 "$varnish" 2>/dev/null ||
    { cat "$T/varnish.out"; die "Varnish does not start"; }

through Varnish "http://127.0.0.1:$varnish_port/p.sft"
kill "$varnish"

# --- Squid --------------------------------------------------------------------------------------

# A forward proxy, as an organisation has it. It keeps whole objects, once it may fetch more than a
# client asks for.
mkdir "$T/squid"
chown proxy "$T/squid" 2>/dev/null || skip "Squid has no user of its own"
squid_port=$(free_port)
cat >"$T/squid/conf" <<CONF
http_port 127.0.0.1:$squid_port
acl here src 127.0.0.1
http_access allow here
http_access deny all
cache_mem 64 MB
maximum_object_size 64 MB
maximum_object_size_in_memory 64 MB
range_offset_limit none
quick_abort_min -1 KB
refresh_pattern . 60 100% 1440 override-expire
pid_filename $T/squid/pid
access_log stdio:$T/squid/access.log
cache_log $T/squid/cache.log
cache_store_log none
netdb_filename none
pinger_enable off
coredump_dir $T/squid
visible_hostname localhost
shutdown_lifetime 1 seconds
CONF
squid -N -n "sftfs$$" -f "$T/squid/conf" >"$T/squid/out" 2>&1 </dev/null &
squid=$!
squid_answers() {
    ! port_is_free "$squid_port" || ! kill -0 "$squid" 2>/dev/null
}
wait_for 60 squid_answers && kill -0 "$squid" 2>/dev/null ||
    { cat "$T/squid/out" "$T/squid/cache.log"; die "Squid does not start"; }

through Squid "$URL/p.sft" -o "proxy=http://127.0.0.1:$squid_port"
kill "$squid"
exit 0
