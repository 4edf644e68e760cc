#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Requests signed with AWS Signature V4, verified by an independent implementation (botocore): what
# is signed right is served, all else refused; the keys are seen by nobody and leave for no other
# host.
. "$(dirname "$0")/lib.sh"
requires timeout

check=$SFTFS_BUILD/tests/http-check
[ -x "$check" ] || die "no $check; build it with: make check TESTS="
for python in python3 /usr/bin/python3 none; do
    "$python" -c 'import botocore.auth' 2>/dev/null && break
done
[ "$python" != none ] || skip "no botocore for python3"
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY no_proxy NO_PROXY
unset SFTFS_HTTP_USER SFTFS_HTTP_PASSWORD AWS_SESSION_TOKEN AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
HOME=$T # no netrc file
export HOME

"$python" - "$T/object" <<'PYTHON' || die "cannot write the object"
import sys
with open(sys.argv[1], 'wb') as f:
    f.write(bytes((i * 7 + (i >> 8) * 13 + (i >> 16)) & 255 for i in range(300000)))
PYTHON
: >"$T/said" # everything our programs print

start_bucket() { # NAME OBJECT; sets PLAIN and OTHER
    mkfifo "$T/life.$1"
    "$python" "$SFTFS_SRC/tests/sigv4-server.py" "$T/ready.$1" "$T/log" "$2" <"$T/life.$1" \
        >"$T/server.out" 2>&1 &
    sb_pid=$!
    eval "exec $3>\"\$T/life.$1\""
    wait_for 30 bucket_is_ready "$1" && [ -e "$T/ready.$1" ] ||
        { cat "$T/server.out"; die "no server"; }
    . "$T/ready.$1"
}

bucket_is_ready() {
    [ -e "$T/ready.$1" ] || ! kill -0 "$sb_pid" 2>/dev/null
}

run() {
    timeout -k 5 60 "$check" -o aws_sigv4=eu-test-1 "$@" >"$T/out" 2>&1 8>&- 9>&-
    run_status=$?
    cat "$T/out" >>"$T/said"
    [ "$run_status" -eq 0 ] && return
    sed 's/^/    /' "$T/out" | tail -n 20
    die "http-check $*: exit status $run_status"
}

results() {
    awk '$1 == "open" { printf "%s", $2 } $1 == "read" { printf " %s", $3 } END { print "" }' \
        "$T/out"
}

# refused REASON URL [OPTION...]
refused() {
    r_reason=$1
    r_url=$2
    shift 2
    : >"$T/log"
    run "$@" "$r_url"
    expect_equal "$(results)" auth "$r_url $*"
    expect_equal "$(awk '{ print $3 }' "$T/log" | sort -u)" "$r_reason" "$r_url $*"
    expect_equal "$(wc -l <"$T/log")" 1 "requests after a refusal"
}

start_bucket one "$T/object" 9
bucket=http://127.0.0.1:$PLAIN
secret='the/secret+of the test'
token='token/of+the=test'

step "without keys: said at once"
run "$bucket/object"
expect_equal "$(results)" auth
expect_text "$T/out" 'AWS_ACCESS_KEY_ID is not set'
AWS_ACCESS_KEY_ID=AKTEST
export AWS_ACCESS_KEY_ID
run "$bucket/object"
expect_text "$T/out" 'AWS_SECRET_ACCESS_KEY is not set'
[ ! -s "$T/log" ] || die "a request without keys"
AWS_SECRET_ACCESS_KEY=$secret
export AWS_SECRET_ACCESS_KEY

step "ranges of objects with every kind of name and query"
for object in object 'a%20b/(1)+~!.sft' 'a b/[x],@:=&$;.sft' '%41%2f%c3%a4' "it's*.sft" \
    'x?versionId=abc' 'x?b=2&a=1&c' 'x?a=1&a-b=2&a=0' 'x?p=/q+r%20s' '?list'; do
    run -j -r 2 "$bucket/$object" 0:1 5:500 299999:1 1000:60000
    expect_equal "$(results)" "ok ok ok ok ok ok ok ok ok" "$object"
    expect_text "$T/out" '^stats requests=9 .* retries=0 errors=0 '
done
expect_equal "$(awk '{ print $3 }' "$T/log" | sort -u)" ok
run -f "$bucket/object" 5:5
expect_equal "$(results)" "ok ok" "with a word to caches"
run -l "$bucket/object" 5:5
expect_equal "$(results)" "ok ok"

step "another service"
: >"$T/log"
run -o aws_sigv4=eu-test-1/execute-api "$bucket/api/object" 5:5
expect_equal "$(results)" "ok ok"
refused wrong-scope "$bucket/api/object"

step "what is not right is refused, and not tried again"
refused wrong-scope "$bucket/object" -o aws_sigv4=eu-test-2
refused expired "$bucket/late/object"
expect_text "$T/out" 'clock of this machine'
AWS_SECRET_ACCESS_KEY="$secret."
refused wrong-signature "$bucket/object"
AWS_SECRET_ACCESS_KEY=$secret
AWS_ACCESS_KEY_ID=AKOTHER
refused unknown-key "$bucket/object"
AWS_ACCESS_KEY_ID=AKTEST
refused no-token "$bucket/token/object"
for text in '' eu/ a/b/c 'a b'; do
    run -o "aws_sigv4=$text" "$bucket/object"
    expect_equal "$(results)" invalid "aws-sigv4=$text"
done
run -o auth=basic "$bucket/object"
expect_equal "$(results)" invalid

step "a session token"
AWS_SESSION_TOKEN=$token
export AWS_SESSION_TOKEN
run "$bucket/token/object" 5:5 100:1000
expect_equal "$(results)" "ok ok ok"
AWS_SESSION_TOKEN=another
refused no-token "$bucket/token/object"
AWS_SESSION_TOKEN=$(printf 'a\nX-More: b')
run "$bucket/token/object"
expect_equal "$(results)" invalid
AWS_SESSION_TOKEN=$token

step "nothing goes to another host"
: >"$T/log"
run "$bucket/moved"
expect_equal "$(results)" http-status
expect_text "$T/out" 'status 307.*one host only'
expect_equal "$(grep -c '^OTHER' "$T/log")" 0 "requests to the other host"

step "a package is mounted from a bucket"
mkdir "$T/src"
head -c 2000000 /dev/urandom >"$T/src/large.bin"
pack "$T/src" "$T/p.sft"
start_bucket two "$T/p.sft" 8
[ ! -e /dev/fuse ] || {
    mount_package "http://127.0.0.1:$PLAIN/p.sft" "$T/mnt" -o aws_sigv4=eu-test-1
    cmp "$T/src/large.bin" "$T/mnt/large.bin" || die "wrong bytes"
    for pid in $(daemons); do
        tr '\0' ' ' <"/proc/$pid/cmdline" >>"$T/said"
    done
    cat /proc/self/mountinfo "$T/mount.out" >>"$T/said"
    unmount "$T/mnt"
}
expect_status 0 sft cat --aws-sigv4=eu-test-1 "http://127.0.0.1:$PLAIN/p.sft" large.bin
cmp "$T/src/large.bin" "$T/out" || die "wrong bytes"

step "no key in anything that was printed"
[ -s "$T/said" ] || die "nothing was printed at all"
grep -F -e "$secret" -e "$token" "$T/said" && die "a secret was printed"
exit 0
