#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# sft cache: packages into the disk cache, from files and from a web server, whole and in part; what
# it lists, checks, repairs, locks and evicts; and out again.
. "$(dirname "$0")/lib.sh"
requires sft python3 nginx tar curl

src=$T/src
mkdir -p "$src/Data"
seq 200000 >"$src/Data/seq.txt"
echo hello >"$src/ReadMe.txt"
python3 -c 'import random,sys
random.seed(3); sys.stdout.buffer.write(random.randbytes(3000000))' >"$src/Data/big.bin"
mkdir "$T/www"
one=$T/www/one.sft
two=$T/www/two.sft
pack "$src" "$one" --name "Cached Thing"
echo new >"$src/Data/new.txt"
pack "$src" "$two" --upgrade "$one"
mkdir "$T/other"
seq 1000 >"$T/other/file"
pack "$T/other" "$T/www/other.sft" --name Other
cache=$T/cache

sc() {
    sc_command=$1
    shift
    sft cache "$sc_command" --cache-dir="$cache" "$@"
}
# expect N COMMAND...: sft cache with this exit status
expect() {
    ex_want=$1
    ex_command=$2
    shift 2
    expect_status "$ex_want" sft cache "$ex_command" --cache-dir="$cache" "$@"
}
# json EXPRESSION: of d, the JSON document in $T/out
json() {
    python3 -c 'import json,sys
d = json.load(open(sys.argv[1], encoding="utf-8"))
print(eval("(" + sys.argv[2] + ")"))' "$T/out" "$1" || die "not what was expected: $1"
}
guid_of() {
    sft info --json "$1" | python3 -c 'import json,sys; print(json.load(sys.stdin)["version_guid"])'
}
container() {
    echo "$cache/$(guid_of "$1")"-*/container.sft
}

step "an empty cache"
expect 0 ls
[ ! -s "$T/out" ] || die "something is listed"
expect 0 ls --json
expect_equal "$(json 'd["versions"]')" "[]"
expect 0 du
expect_text "$T/out" '0 versions, of a quota of 4.0G'
expect 0 verify
expect 3 lock something
expect_text "$T/err" 'something: not in the cache'
expect 3 export something -o "$T/x"

step "usage"
expect 2 lock
expect 2 evict
expect 2 evict --all --to=1M
expect 2 export x
expect 2 du x
expect 2 load a b
expect 2 ls --repair
expect 2 nonsense
expect 2 evict --older-than=soon
expect_status 2 sft cache
expect 3 load "$T/www/missing.sft"
expect 4 import "$T/src/ReadMe.txt"

step "load from a file: the cache holds the package, bit for bit"
expect 0 load "$one"
expect_text "$T/out" 'Cached Thing, version 1: in the cache'
# shellcheck disable=SC2046 # a pattern
set -- $(container "$one")
cmp "$1" "$one" || die "container.sft is another one"
expect_status 0 sft verify "$1"
expect 0 load "$one" --json
expect_equal "$(json 'd["fetched_bytes"], d["complete"]')" "(0, True)" "nothing is fetched twice"
expect 0 ls --json
expect_equal "$(json 'len(d["versions"]), d["versions"][0]["complete"], d["versions"][0]["name"]')" \
    "(1, True, 'Cached Thing')"
expect 0 ls
expect_text "$T/out" '100% +100% -- .* Cached Thing'

step "a newer version takes what it can from there, and asks the server for the rest"
start_nginx "$T/www"
http_log_mark
expect 0 load "$URL/two.sft" --json
[ "$(json 'd["taken_blocks"]')" -gt 10 ] || die "nothing was taken"
[ "$(json 'd["fetched_bytes"]')" -lt 100000 ] || die "much was fetched: $(json 'd["fetched_bytes"]')"
# The head, which is 512 KiB, and little more.
[ "$(http_bytes)" -lt 600000 ] || die "the server sent $(http_bytes) bytes"
# shellcheck disable=SC2046
set -- $(container "$two")
cmp "$1" "$two" || die "container.sft is another one"

step "a whole package from the server, and all that was cached taken for it"
expect 0 load "$URL/other.sft"
# shellcheck disable=SC2046
set -- $(container "$T/www/other.sft")
cmp "$1" "$T/www/other.sft" || die "container.sft is another one"
http_log_mark
expect 0 load "$URL/other.sft" --json
expect_equal "$(json 'd["fetched_bytes"]')" 0

step "a load that was killed goes on"
rm -rf "$cache"
for delay in 0.02 0.05 0.1; do
    sft cache load "$URL/two.sft" --cache-dir="$cache" >/dev/null 2>&1 &
    pid=$!
    sleep $delay
    kill -KILL $pid 2>/dev/null
    wait $pid 2>/dev/null
    [ ! -d "$cache" ] || expect 0 verify
done
expect 0 load "$URL/two.sft"
# shellcheck disable=SC2046
set -- $(container "$two")
cmp "$1" "$two" || die "container.sft is another one"
no_gone=$(find "$cache" -name '.gone-*' | wc -l)
expect_equal "$no_gone" 0

step "versions by GUID, prefix, name and place"
expect 0 load "$one" --location "$URL/one.sft"
expect 0 load "$URL/other.sft"
guid=$(guid_of "$two")
for what in "$guid" "$(echo "$guid" | cut -c 1-9 | tr A-F a-f)" "{$guid}" "$URL/two.sft"; do
    expect 0 ls --json "$what"
    expect_equal "$(json '[v["version_number"] for v in d["versions"]]')" "[2]" "$what"
done
expect 0 ls --json "cached thing"
expect_equal "$(json '[v["version_number"] for v in d["versions"]]')" "[1, 2]"
expect 0 ls --json "$URL/one.sft" other
expect_equal "$(json '[v["name"] for v in d["versions"]]')" "['Cached Thing', 'Other']"
expect 3 ls 12
expect 3 ls "$URL/elsewhere.sft"

step "damage is found, named and dropped"
# shellcheck disable=SC2046
set -- $(container "$two")
python3 - "$1" <<'PY'
import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(-1000000, 2)
    f.write(b"damage")
PY
expect 5 verify
expect_text "$T/out" 'block-hash'
expect_text "$T/out" 'file Data/(big.bin|seq.txt)'
expect_text "$T/out" ', 1 bad, '
expect 5 verify --json --repair "$guid"
expect_equal "$(json 'd["versions"][0]["ok"], d["versions"][0]["repaired"],
    len(d["versions"][0]["bad_blocks"])')" "(False, True, 1)"
expect 0 verify
expect 0 ls --json "$guid"
expect_equal "$(json 'd["versions"][0]["complete"]')" False
expect 0 load "$URL/two.sft" --json
[ "$(json 'd["fetched_bytes"] + d["taken_blocks"]')" -gt 0 ] || die "nothing was brought"
cmp "$1" "$two" || die "container.sft is another one"
printf XXXX | dd of="$1" bs=1 seek=300 conv=notrunc status=none
expect 5 verify "$guid"
expect_text "$T/out" 'container\.sft: '
expect 5 verify --repair "$guid"
expect 0 load "$URL/two.sft"
cmp "$1" "$two" || die "container.sft is another one"

step "locked versions and ones in use stay"
expect 0 lock "$guid"
expect 8 evict "$guid"
expect_text "$T/err" 'version 2 .*is locked'
expect 8 evict --all
expect 0 ls --json
expect_equal "$(json '[(v["version_number"], v["locked"]) for v in d["versions"]]')" "[(2, True)]"
expect 0 unlock "$guid"
# shellcheck disable=SC2046
set -- $(container "$two")
python3 - "${1%container.sft}lock" "$T/held" <<'PY' &
import fcntl, struct, sys, time
f = open(sys.argv[1], "r+b")
F_OFD_SETLK = 37
fcntl.fcntl(f, F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_RDLCK, 0, 0, 0, 0))
open(sys.argv[2], "w").close()
time.sleep(600)
PY
holder=$!
wait_for 20 test -e "$T/held" || die "the lock is not held"
expect 0 ls
expect_text "$T/out" '100% -U '
expect 8 evict "$guid"
expect_text "$T/err" 'is in use'
expect 0 verify
kill $holder
wait $holder 2>/dev/null
expect 0 evict "$guid" --json
expect_equal "$(json 'd["versions"], d["refused"]')" "(1, 0)"

step "evicting by age and size"
expect 0 load "$one"
expect 0 load "$URL/other.sft"
expect 0 evict --older-than=1
expect 0 ls --json
expect_equal "$(json 'len(d["versions"])')" 2
# shellcheck disable=SC2046
set -- $(container "$one")
touch -d '3 days ago' "${1%container.sft}lock" "${1%container.sft}index"
expect 0 evict --to=1G
[ ! -s "$T/out" ] || die "something was evicted"
expect 0 evict --to=1M
expect_text "$T/out" 'Cached Thing, version 1 .*: evicted'
expect 0 evict --older-than=0
expect 0 evict --to=0

step "a quota"
expect 1 load "$one" --cache-size=1M
expect_text "$T/err" 'larger than the quota'
expect 0 du --json --cache-size=1M
[ "$(json 'd["used_bytes"]')" -le 1048576 ] || die "more than the quota"
expect 0 load "$one"

step "export of all of it"
expect 0 export "cached thing" -o "$T/out.sft"
cmp "$T/out.sft" "$one" || die "another package came out"
expect 2 export "cached thing" -o "$T/out.sft"
expect 0 export "cached thing" -o "$T/out.sft" --force

step "differential packages"
sft diff "$two" -o "$T/two.dsft" >/dev/null || die "no differential package"
expect 0 import "$T/two.dsft" --json
expect_equal "$(json 'd["missing_blocks"], d["complete"]')" "(0, True)"
expect 0 export "$guid" -o "$T/out2.sft"
cmp "$T/out2.sft" "$two" || die "another package came out"
expect 0 evict --all

step "export and import of a part"
if expect 0 import "$T/two.dsft" && sft cache export "$guid" --cache-dir="$cache" -o "$T/part.tar" \
    --partial 2>&1 | grep -q libarchive; then
    echo "not tested: archives, built without libarchive"
    exit 0
fi
expect 6 export "$guid" -o "$T/part.sft"
expect_text "$T/err" 'not all of it is in the cache'
[ ! -e "$T/part.sft" ] || die "a package that is not whole came out"
sft cache load "$URL/two.sft" --cache-dir="$cache" >/dev/null || die "load"
python3 - "$cache/$guid"-*/index <<'PY'
import sys
with open(sys.argv[1], "r+b") as f: # the last ten blocks are not there
    f.seek(-10, 2)
    f.write(bytes(10))
PY
expect 0 export "$guid" -o "$T/part.tar" --partial --force
expect_text "$T/out" '[0-9]+ of [0-9]+ blocks'
tar tf "$T/part.tar" | grep -qx sftfs-cache || die "not described"
grep -qa "$NGINX_PORT" "$T/part.tar" && die "the URL is in the archive"
rm -rf "$cache"
expect 0 import "$T/part.tar" --json
blocks=$(json 'd["taken_blocks"]')
[ "$blocks" -gt 10 ] || die "only $blocks blocks"
expect 0 ls --json "$URL/two.sft"
expect_equal "$(json 'd["versions"][0]["cached_blocks"]')" "$blocks" "led there by its URL"
expect 0 verify
stop_nginx
expect 6 load "$URL/two.sft" --io-timeout=2
resume_nginx
expect 0 load "$URL/two.sft"
expect 0 export "$guid" -o "$T/out3.sft"
cmp "$T/out3.sft" "$two" || die "another package came out"

step "archives that are damaged or made by somebody"
python3 - "$T/part.tar" "$T" <<'PY'
import io, sys, tarfile
t = tarfile.open(sys.argv[1])
files = [(m.name, t.extractfile(m).read()) for m in t]
def write(name, files):
    with tarfile.open(f"{sys.argv[2]}/{name}.tar", "w") as o:
        for n, d in files:
            i = tarfile.TarInfo(n)
            i.size = len(d)
            o.addfile(i, io.BytesIO(d))
blocks = next(i for i, f in enumerate(files) if f[0].startswith("blocks/"))
bad = list(files)
bad[blocks] = (files[blocks][0], files[blocks][1][:2000] + b"?" + files[blocks][1][2001:])
write("bad-block", bad)
bad[blocks] = (files[blocks][0], files[blocks][1] + b"?")
write("bad-length", bad)
bad[blocks] = ("blocks/4294967295", files[blocks][1])
write("bad-number", bad)
bad[blocks] = ("blocks/../../../../etc/x", files[blocks][1])
write("bad-name", bad)
write("bad-order", [files[blocks]] + files[:blocks])
meta = list(files)
meta[1] = (files[1][0], files[1][1][:-1] + b"?")
write("bad-metadata", meta)
meta[1] = (files[1][0], files[1][1] + b"?")
write("long-metadata", meta)
info = list(files)
info[0] = (files[0][0], files[0][1].replace(b"place: ", b"place: ../../"))
write("bad-place", info)
info[0] = (files[0][0], b"something else\n")
write("bad-info", info)
write("empty", [("nothing", b"")])
with open(sys.argv[1], "rb") as f, open(f"{sys.argv[2]}/cut.tar", "wb") as o:
    o.write(f.read()[:-200000])
PY
for bad in bad-block:5 bad-length:5 bad-number:5 bad-name:5 bad-order:5 bad-metadata:5 \
    long-metadata:5 bad-place:5 bad-info:4 empty:4 cut:5; do
    rm -rf "$cache"
    expect "${bad#*:}" import "$T/${bad%:*}.tar"
    expect 0 verify # whatever came in is good
done
exit 0
