#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# A new version of the package under an overlay: what was changed stays, what was not is new; with
# the old version on a web server, named, gone, and replaced by the new one.
. "$(dirname "$0")/lib.sh"
private_mounts "$0" "$@"
need_fuse
requires python3 timeout getfattr

python3 -c 'import os, sys; os.setxattr(sys.argv[1], "user.sftfs-test", b"1")' "$T" 2>/dev/null ||
    skip "no extended attributes in $T"

m=$T/m
ov=$T/ov
mkdir -p "$T/v1" "$m" "$T/web"
random() { # random FILE BYTES
    mkdir -p "$(dirname "$1")"
    head -c "$2" /dev/urandom >"$1"
}
for name in big same touched gone untouched-gone settings.ini plain dir/a dir/sub/b olddir/x; do
    random "$T/v1/$name" 300000
done
random "$T/v1/big" 3000000
random "$T/v1/same" 3000000
cp -a "$T/v1" "$T/v2"
for name in big touched settings.ini plain dir/a; do
    random "$T/v2/$name" 400000
done
random "$T/v2/big" 3500000
random "$T/v2/new file" 5000
random "$T/v2/mine" 5000
rm -r "$T/v2/gone" "$T/v2/untouched-gone" "$T/v2/olddir"
pack "$T/v1" "$T/web/v1.sft" --block-size 16 --name Upgrade
pack "$T/v2" "$T/web/v2.sft" --upgrade "$T/web/v1.sft" --override /settings.ini
cp -a "$T/v2" "$T/v3"
random "$T/v3/same" 100
pack "$T/v3" "$T/web/v3.sft" --upgrade "$T/web/v2.sft"

# mount_version SOURCE [OPTIONS]
mount_version() {
    expect_status 0 timeout -k 5 120 sftfs "$1" "$m" -o "overlay=$ov${2:+,$2}"
    is_mounted "$m" || die "not mounted: $1"
}
refused() { # refused STATUS SOURCE [OPTIONS]
    expect_status "$1" timeout -k 5 120 sftfs "$2" "$m" -o "overlay=$ov${3:+,$3}"
    not_mounted "$m" || die "mounted all the same: $2"
}
overwrite() { # overwrite FILE OFFSET: five bytes
    printf 'USER!' | dd of="$1" bs=1 seek="$2" conv=notrunc status=none || die "cannot write $1"
}
# Everything about an overlay but who used it last and when.
picture() {
    (cd "$1" && find files maps -printf '%y %m %s %T@ %P\n' | sort -k 5 &&
        find files maps -type f -print0 | sort -z | xargs -0 sha256sum &&
        find files -print0 | sort -z | xargs -0 getfattr -h -d -m - 2>/dev/null &&
        cat overlay)
}

# What the user does to version 1, and in $T/expected how version 2 looks with that.
change() {
    rm -rf "$ov" "$T/expected"
    mount_version "$1"
    cp -a "$T/v2" "$T/expected"
    for name in big same gone settings.ini; do
        overwrite "$m/$name" 100000
    done
    chmod 600 "$m/touched"
    touch -d @1000000000 "$m/untouched-gone"
    mv "$m/dir" "$m/folder"
    mv "$m/olddir" "$m/kept dir"
    echo more >"$m/kept dir/note"
    echo mine >"$m/mine"
    echo added >"$m/folder/added"
    rm "$m/plain"
    cp -a "$m/big" "$m/same" "$m/gone" "$m/untouched-gone" "$m/mine" "$T/expected"
    mv "$T/expected/dir" "$T/expected/folder"
    mkdir "$T/expected/kept dir"
    cp -a "$m/kept dir/note" "$T/expected/kept dir"
    cp -a "$m/folder/added" "$T/expected/folder"
    rm "$T/expected/plain"
    cp "$m/settings.ini" "$T/users-settings"
    unmount "$m"
}
check() {
    diff -r "$T/expected" "$m" || die "the tree is not what it should be"
    expect_equal "$(stat -c %a "$m/touched")" 600 "mode of a file that follows"
    expect_equal "$(stat -c %Y "$m/untouched-gone")" 1000000000 "time of a completed file"
    aside=$(find "$ov/aside" -name settings.ini)
    cmp "$aside" "$T/users-settings" || die "what was put aside is not the user's"
}

step "the old version is on the web server"
if command -v nginx >/dev/null; then
    start_nginx "$T/web"
    change "$URL/v1.sft"
    cp -a "$ov" "$T/saved"
    http_log_mark
    mount_version "$URL/v2.sft"
    expect_text "$T/err" 'made with version 1 .* now with version 2: 1 .*1 follow.*3 completed, 1 put'
    expect_text "$T/err" 'yours was put aside: settings.ini'
    expect_text "$T/err" "what was put aside is in $ov/aside/2-"
    [ "$(tail -n "+$((http_mark + 1))" "$NGINX_LOG" | grep -c v1.sft)" -gt 0 ] ||
        die "the old version was not asked"
    check
    unmount "$m"
    mount_version "$URL/v2.sft"
    [ ! -s "$T/err" ] || die "the second mount has something to say: $(cat "$T/err")"
    check
    # What follows the package is still read from there, and can be changed.
    overwrite "$m/touched" 5000
    overwrite "$T/expected/touched" 5000
    check
    cp "$T/v2/touched" "$T/expected/touched"
    unmount "$m"
    # The only blocks of "same" that are here are those that were written.
    [ "$(du -k "$ov/files/same" | cut -f 1)" -le 32 ] || die "a file was completed for nothing"

    step "the old version is gone from the web server"
    rm -rf "$ov"
    cp -a "$T/saved" "$ov"
    mv "$T/web/v1.sft" "$T/v1.sft"
    picture "$ov" >"$T/before"
    refused 11 "$URL/v2.sft"
    expect_text "$T/err" 'version 1 of the package: .*v1.sft'
    for name in big gone untouched-gone; do
        expect_text "$T/err" "cannot be carried over: $name\$"
    done
    grep 'carried over: ' "$T/err" | grep -Eq 'same|touched$|settings' && die "too much is refused"
    expect_text "$T/err" 'old_version='
    picture "$ov" | diff "$T/before" - || die "refusing has changed something"
    mount_version "$T/v1.sft"
    unmount "$m"

    step "it is somewhere else"
    rm -rf "$ov"
    cp -a "$T/saved" "$ov"
    refused 11 "$URL/v2.sft" "old_version=$T/web/v2.sft"
    expect_text "$T/err" 'is version 2'
    mount_version "$URL/v2.sft" "old_version=$T/v1.sft"
    check
    unmount "$m"
    mv "$T/v1.sft" "$T/web/v1.sft"

    step "another server is not asked without being named"
    rm -rf "$ov"
    cp -a "$T/saved" "$ov"
    http_log_mark
    refused 11 "$T/web/v2.sft"
    expect_text "$T/err" "$URL/v1.sft"
    expect_equal "$(http_requests)" 0 "requests"
    mount_version "$T/web/v2.sft" "old_version=$URL/v1.sft"
    check
    unmount "$m"
    stop_nginx
fi

step "files, and more than one version on"
change "$T/web/v1.sft"
rm -rf "$T/saved"
cp -a "$ov" "$T/saved"
mount_version "$T/web/v2.sft" ro
check
unmount "$m"
picture "$ov" >"$T/before"
mount_version "$T/web/v3.sft"
cmp "$m/same" "$T/expected/same" || die "a changed file is not what it was in version 2"
unmount "$m"
mount_version "$T/web/v2.sft"
check
unmount "$m"

step "back to an older version"
mount_version "$T/web/v1.sft"
cmp "$m/big" "$T/expected/big" || die "a changed file is lost"
cmp "$m/touched" "$T/v1/touched" || die "an untouched file does not follow the older version"
expect_equal "$(stat -c %a "$m/touched")" 600
[ -e "$m/olddir" ] && die "the renamed directory is back"
cmp "$m/kept dir/x" "$T/v1/olddir/x" || die "what is in the renamed directory is not back"
unmount "$m"

step "the new version lies where the old one was"
rm -rf "$ov"
cp -a "$T/saved" "$ov"
mkdir "$T/keep"
mv "$T/web/v1.sft" "$T/keep"
cp "$T/web/v2.sft" "$T/web/v1.sft"
refused 11 "$T/web/v1.sft"
expect_text "$T/err" 'is version 2'

step "giving the files up"
if sft overlay --help >"$T/help" 2>&1; then
    for name in big gone untouched-gone; do
        sft overlay reset --overlay="$ov" "$name" >"$T/out" 2>&1 ||
            die "sft overlay reset $name: $(cat "$T/out")"
    done
    mount_version "$T/web/v2.sft"
    cmp "$m/big" "$T/v2/big" || die "not the package's"
    [ ! -e "$m/gone" ] || die "what was given up is there"
    expect_equal "$(cat "$m/mine")" mine
    unmount "$m"
fi

step "an overlay that cannot be written"
rm -rf "$ov"
cp -a "$T/saved" "$ov"
mount --bind "$ov" "$ov" && mount -o remount,bind,ro "$ov" || die "mount --bind"
refused 7 "$T/web/v2.sft"
expect_text "$T/err" 'cannot be written.*from version 1 .*to 2'
mount_version "$T/keep/v1.sft"
unmount "$m"
umount "$ov"
exit 0
