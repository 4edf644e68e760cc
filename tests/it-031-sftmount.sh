#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# sftmount: from an OSD, a manifest and a package, on a disk and on a web server; how the package is
# found, the GUID check, mount points of its own making, --list, -u.
. "$(dirname "$0")/lib.sh"
private_mounts "$0" "$@"
need_fuse
requires sftmount python3

XDG_RUNTIME_DIR=$T/run
export XDG_RUNTIME_DIR
unset SFTFS_APPLICATION_SOURCE_ROOT
mkdir -m 700 "$T/run"
mkdir -p "$T/src/Sub" "$T/src2" "$T/web/apps" "$T/m"
echo hello >"$T/src/Sub/Hello.txt"
echo MZ >"$T/src/App.exe"
echo other >"$T/src2/Other.txt"
guid=A1111111-2222-3333-4444-555555555555
pack "$T/src" "$T/web/apps/App.sft" --guid "$guid"
pack "$T/src2" "$T/web/apps/Other.sft" --guid B1111111-2222-3333-4444-555555555555

# osd FILE NAME HREF GUID
osd() {
    cat >"$1" <<OSD
<?xml version="1.0" standalone="no"?>
<SOFTPKG NAME="$2" VERSION="1.0" GUID="{0C0FFEE0-0000-4000-8000-000000000001}">
  <IMPLEMENTATION>
    <CODEBASE HREF="$3" GUID="$4" PARAMETERS="" FILENAME="App.exe" SYSGUARDFILE="osguard.cp" SIZE="0"/>
    <OS VALUE="Win7"/>
  </IMPLEMENTATION>
  <DEPENDENCY><SCRIPT EVENT="LAUNCH" TIMING="PRE"><HREF>touch $T/executed</HREF></SCRIPT></DEPENDENCY>
</SOFTPKG>
OSD
}

gone() {
    [ -z "$(daemons)" ]
}

# mount_here ARGS...: mounts at $T/m, looks at it, unmounts
mount_here() {
    expect_status 0 sftmount "$@"
    expect_equal "$(cat "$T/m/sub/HELLO.TXT")" hello "contents"
    expect_status 0 sftmount -u "$T/m"
    is_mounted "$T/m" && die "still mounted after -u"
    wait_for 20 gone || die "daemons are left: $(daemons)"
}

step "an OSD beside its package"
osd "$T/web/apps/App.osd" "My App" App.sft "{$guid}"
mount_here "$T/web/apps/App.osd" "$T/m"
[ ! -s "$T/out" ] || die "something is printed although a mount point was named"
(cd "$T/web/apps" && exec sftmount App.osd "$T/m") || die "a relative name does not work"
sftmount -u "$T/m" || die "sftmount -u"

step "a mount point of its own making"
where=$(sftmount "$T/web/apps/App.osd") || die "sftmount without a mount point"
expect_equal "$where" "$T/run/sftfs/My_App-A1111111" "the path printed"
expect_equal "$(cat "$where/App.exe")" MZ
expect_status 8 sftmount "$T/web/apps/App.osd"
expect_text "$T/err" 'mounted here already'
expect_status 0 sftmount --list
expect_text "$T/out" "^$where  $T/web/apps/App.sft\$"
expect_status 0 sftmount --list --json
python3 - "$T/out" "$where" <<'PY' || die "sftmount --list --json"
import json, sys
mounts = json.load(open(sys.argv[1]))["mounts"]
assert [m["alive"] for m in mounts if m["mountpoint"] == sys.argv[2]] == [True], mounts
PY
expect_status 0 sftmount -u "$where"
[ ! -e "$where" ] || die "the directory was not removed"
expect_status 3 sftmount -u "$where"
expect_status 3 sftmount -u "$T/m"
where=$(sftmount "$T/web/apps/App.osd") || die "mounting a second time"
umount "$where" || die "umount $where"
wait_for 20 gone || die "daemons are left: $(daemons)"
[ ! -e "$where" ] || die "the directory is left after umount"

step "a place that others can write to is refused"
chmod 755 "$T/run/sftfs"
expect_status 7 sftmount "$T/web/apps/App.osd"
expect_text "$T/err" 0700
chmod 700 "$T/run/sftfs"
rmdir "$T/run/sftfs"
ln -s "$T/m" "$T/run/sftfs"
expect_status 7 sftmount "$T/web/apps/App.osd"
rm "$T/run/sftfs"

step "busy, and lazy"
where=$(sftmount "$T/web/apps/App.sft") || die "a package by itself"
sleep 60 <"$where/App.exe" &
holder=$!
at_exit 'kill $holder 2>/dev/null'
expect_status 8 sftmount -u "$where"
expect_status 0 sftmount -u --lazy "$where"
is_mounted "$where" && die "--lazy does not detach"
kill "$holder"
wait "$holder" 2>/dev/null
wait_for 20 gone || die "daemons are left: $(daemons)"

step "the GUID must be that of the CODEBASE"
osd "$T/web/apps/Wrong.osd" Wrong App.sft "{C1111111-2222-3333-4444-555555555555}"
expect_status 9 sftmount "$T/web/apps/Wrong.osd" "$T/m"
expect_text "$T/err" "$guid.*C1111111-2222-3333-4444-555555555555"
expect_status 9 sftmount --source "$T/web/apps/Other.sft" "$T/web/apps/App.osd" "$T/m"
osd "$T/web/apps/NoGuid.osd" NoGuid App.sft ""
mount_here "$T/web/apps/NoGuid.osd" "$T/m"

step "other ways to say where the package is"
osd "$T/Far.osd" Far "rtsp://nowhere.invalid:554/apps/App.sft" "$guid"
expect_status 4 sftmount "$T/Far.osd" "$T/m"
expect_text "$T/err" 'source-root'
mount_here --source "$T/web/apps/App.sft" "$T/Far.osd" "$T/m"
mount_here --override-url "file://$T/web/apps/App.sft" "$T/Far.osd" "$T/m"
mount_here --application-source-root "file://$T/web" "$T/Far.osd" "$T/m"
export SFTFS_APPLICATION_SOURCE_ROOT="file://$T/web"
mount_here "$T/Far.osd" "$T/m"
unset SFTFS_APPLICATION_SOURCE_ROOT
osd "$T/Unc.osd" Unc '\\server\share\App.sft' "$guid"
mount_here --unc-map "\\\\server\\share=$T/web/apps" "$T/Unc.osd" "$T/m"
mount_here -o "unc_map=\\\\server\\share=$T/web/apps" "$T/Unc.osd" "$T/m"

step "a manifest"
cat >"$T/web/apps/App_manifest.xml" <<'XML'
<?xml version="1.0"?>
<PACKAGE NAME="Suite" GUID="A1111111-2222-3333-4444-555555555555">
  <APPLIST>
    <APP NAME="My App" VERSION="1.0" OSD="%SFT_MIME_SOURCE%/App.osd" ICON="%SFT_MIME_SOURCE%/App.ico"/>
    <APP NAME="Second" VERSION="1.0" OSD="http://127.0.0.1:1/elsewhere/NoGuid.osd"/>
  </APPLIST>
</PACKAGE>
XML
mount_here "$T/web/apps/App_manifest.xml" "$T/m"
mount_here --app 'my app' "$T/web/apps/App_manifest.xml" "$T/m"
mount_here --app NoGuid.osd "$T/web/apps/App_manifest.xml" "$T/m"
expect_status 3 sftmount --app Third "$T/web/apps/App_manifest.xml" "$T/m"
expect_text "$T/err" 'My App, Second'
osd "$T/web/apps/Other.osd" Other Other.sft "B1111111-2222-3333-4444-555555555555"
sed 's/Second/Other/; s/NoGuid/Other/' "$T/web/apps/App_manifest.xml" >"$T/web/apps/Two_manifest.xml"
expect_status 2 sftmount "$T/web/apps/Two_manifest.xml" "$T/m"
expect_text "$T/err" '--app: My App, Other'
mount_here --app 'My App' "$T/web/apps/Two_manifest.xml" "$T/m"

step "documents that are not usable"
printf '<html><body/></html>\n' >"$T/page.html"
expect_status 10 sftmount "$T/page.html" "$T/m"
printf '<SOFTPKG NAME="x"><IMPLEMENTATION/></SOFTPKG>\n' >"$T/none.osd"
expect_status 10 sftmount "$T/none.osd" "$T/m"
expect_text "$T/err" "$T/none.osd"
expect_status 3 sftmount "$T/missing.osd" "$T/m"
echo text >"$T/text"
expect_status 4 sftmount "$T/text" "$T/m"
expect_status 2 sftmount
expect_status 2 sftmount --list "$T/m"
expect_status 2 sftmount -u
expect_status 2 sftmount --lazy "$T/m"
expect_text "$T/err" '--lazy goes with --unmount'
expect_status 2 sftmount --json "$T/web/apps/App.sft" "$T/m"
expect_text "$T/err" '--json goes with --list'
expect_status 3 sftmount -u "$T/missing"
expect_text "$T/err" "^sftmount: mount point $T/missing: No such file"
expect_status 4 sftfs "$T/web/apps/App.osd" "$T/m"
expect_text "$T/err" 'sftmount mounts what an OSD'

step "an OSD in UTF-16"
iconv -f UTF-8 -t UTF-16 "$T/web/apps/App.osd" | sed '' >"$T/web/apps/Wide.osd" || die iconv
mount_here "$T/web/apps/Wide.osd" "$T/m"

step "advice on the locale"
LC_ALL=C expect_status 0 sftmount "$T/web/apps/App.osd" "$T/m"
expect_text "$T/err" UTF-8
expect_status 0 sftmount -u "$T/m"

step "from a web server"
if command -v nginx >/dev/null; then
    start_nginx "$T/web"
    mount_here "$URL/apps/App.osd" "$T/m"
    mount_here "$URL/apps/App_manifest.xml" "$T/m"
    mount_here "$URL/apps/App.sft" "$T/m"
    mount_here --application-source-root "$URL" "$T/Far.osd" "$T/m"
    where=$(sftmount "$URL/apps/App.osd") || die "from a URL, without a mount point"
    expect_equal "$where" "$T/run/sftfs/My_App-A1111111"
    expect_status 0 sftmount --list
    expect_text "$T/out" "^$where  $URL/apps/App.sft\$"
    expect_status 0 sftmount -u "$where"
    expect_status 3 sftmount "$URL/apps/None.osd" "$T/m"
    # No TLS is spoken at this port; the advice names the option as the command spells it.
    expect_status 6 sftfs "https${URL#http}/apps/App.sft" "$T/m"
    expect_text "$T/err" '-o ca_file='
    expect_status 6 sftmount "https${URL#http}/apps/App.sft" "$T/m"
    expect_text "$T/err" '--ca-file'
fi

[ ! -e "$T/executed" ] || die "a script in an OSD was executed"
expect_equal "$(ls -A "$T/run/sftfs")" "" "directories left"
exit 0
