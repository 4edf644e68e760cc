#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# sftmount --print-applications: a script starts what is printed, whatever the kind of package.
. "$(dirname "$0")/lib.sh"
need_fuse
requires sftmount python3

XDG_RUNTIME_DIR=$T/run
export XDG_RUNTIME_DIR
mkdir -m 700 "$T/run"
src=$T/src
mkdir -p "$src/VFS/ProgramFilesX86/Try It" "$src/bin"
# Programs of this system, so that they can be started without Wine.
printf '#!/bin/sh\necho "first $PWD $*"\n' >"$src/VFS/ProgramFilesX86/Try It/Run.exe"
printf '#!/bin/sh\necho "second $PWD $*"\n' >"$src/bin/other.exe"
m=$T/mnt
mkdir "$m"

# field N: of the first line
field() {
    awk -F '\t' -v n="$1" 'NR == 1 { print $n }' "$T/out"
}

step "App-V: tokens, other spellings, a program of the system"
python3 "$SFTFS_SRC/tests/make-appx.py" "$src" "$T/p.appv" --appv --executable \
    '[{ProgramFilesX86}]\TRY IT\run.EXE,[{AppVPackageRoot}]\bin\other.exe,[{System}]\cmd.exe' ||
    die "make-appx"
for options in ro metadata; do
    case $options in metadata) top=$m/Root ;; *) top=$m ;; esac
    expect_status 0 sftmount --print-applications "$T/p.appv" "$m" -o "umask=022,$options"
    {
        printf 'P\t%s\t-\t-\trun.EXE\n' "$top/VFS/ProgramFilesX86/Try It/Run.exe"
        printf 'P\t%s\t-\t-\tother.exe\n' "$top/bin/other.exe"
        printf 'S\t[{System}]\\\\cmd.exe\t-\t-\tcmd.exe\n'
    } >"$T/want"
    cmp "$T/want" "$T/out" || {
        cat "$T/out"
        die "-o $options: other lines"
    }
    # As the man page's example does.
    while IFS='	' read -r kind program dir arguments name; do
        [ "$kind" = P ] || continue
        sh "$(printf '%b' "$program")" "$name" </dev/null || die "cannot run $program"
    done <"$T/out" >"$T/ran"
    expect_equal "$(cut -d ' ' -f 1 "$T/ran" | tr '\n' ' ')" "first second "
    expect_status 0 sftmount -u "$m"
done

step "MSIX, with a mount point of its own making; JSON"
python3 "$SFTFS_SRC/tests/make-appx.py" "$src" "$T/p.msix" --executable 'BIN/Other.exe' || die "make-appx"
expect_status 0 sftmount -p "$T/p.msix"
where=$(head -n 1 "$T/out")
expect_equal "$(sed -n 2p "$T/out")" "P	$where/bin/other.exe	-	-	App"
[ -f "$where/bin/other.exe" ] || die "not mounted at $where"
expect_status 0 sftmount -u "$where"
expect_status 0 sftmount -p --json "$T/p.msix" "$m"
python3 - "$T/out" "$m" <<'PY' || die "JSON"
import json, sys
d = json.load(open(sys.argv[1]))
m = sys.argv[2]
assert d == {"mountpoint": m, "applications": [{
    "name": "App", "executable": m + "/bin/other.exe", "in_package": True,
    "working_directory": None, "arguments": None}]}, d
PY
expect_status 0 sftmount -u "$m"

step "SFT: what the OSD says"
pack "$src" "$T/p.sft" --guid A1111111-2222-3333-4444-555555555555
# osd FILE NAME FILENAME PARAMETERS DIR
osd() {
    cat >"$1" <<END
<?xml version="1.0" standalone="no"?>
<SOFTPKG NAME="$2" VERSION="1.0"><IMPLEMENTATION>
<CODEBASE HREF="p.sft" GUID="{A1111111-2222-3333-4444-555555555555}" PARAMETERS="$4" FILENAME="$3"
 SYSGUARDFILE="osguard.cp" SIZE="0"/><WORKINGDIR>$5</WORKINGDIR></IMPLEMENTATION></SOFTPKG>
END
}
osd "$T/one.osd" "One" 'bin\OTHER.exe' '/f C:\temp' 'vfs'
osd "$T/two.osd" "Two" '%CSIDL_SYSTEM%\cmd.exe' '' ''
expect_status 0 sftmount -p "$T/one.osd" "$m"
expect_equal "$(field 1) $(field 2)" "P $m/bin/other.exe"
expect_equal "$(field 3)" "$m/VFS"
expect_equal "$(printf '%b' "$(field 4)")" '/f C:\temp'
expect_equal "$(field 5)" One
expect_status 0 sftmount -u "$m"
cat >"$T/all.xml" <<'END'
<?xml version="1.0"?>
<DESKTOPCONFIG><APPLIST>
<APP NAME="One" OSD="one.osd"/><APP NAME="Two" OSD="two.osd"/>
</APPLIST></DESKTOPCONFIG>
END
expect_status 0 sftmount -p "$T/all.xml" "$m"
expect_equal "$(cut -f 5 "$T/out" | tr '\n' ' ')" "One Two "
expect_equal "$(cut -f 1 "$T/out" | tr '\n' ' ')" "P S "
expect_status 0 sftmount -u "$m"
# The package alone does not say.
expect_status 0 sftmount -p "$T/p.sft" "$m"
[ ! -s "$T/out" ] || die "programs of an SFT without OSD: $(cat "$T/out")"
expect_status 0 sftmount -u "$m"

step "more programs than a pipe holds"
programs=$(python3 -c 'print(",".join("[{System}]\\%05d%s.exe" % (i, "x" * 100) for i in range(700)))')
python3 "$SFTFS_SRC/tests/make-appx.py" "$src" "$T/many.appv" --appv --executable "$programs" ||
    die "make-appx"
expect_status 0 sftmount -p "$T/many.appv" "$m"
expect_equal "$(wc -l <"$T/out")" 700
expect_status 0 sftmount -u "$m"

step "wrong usage"
expect_status 2 sftmount -p --list
expect_status 2 sftmount -p -u "$m"
expect_status 2 sftmount --json "$T/p.sft" "$m"
exit 0
