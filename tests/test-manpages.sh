#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Each command's --help and its man page, as a reader sees it, have the same options, synopsis and
# exit codes; the pages have all their sections and no roff warnings.
set -u
LC_ALL=C.UTF-8
export LC_ALL

[ -f tools/sft.1 ] || { echo "SKIP: no man pages in this build"; exit 77; }
command -v man >/dev/null && command -v groff >/dev/null ||
    { echo "SKIP: no man or groff to format the pages with"; exit 77; }

T=$(mktemp -d "${TMPDIR:-/tmp}/sftfs-man.XXXXXX") || exit 99
trap 'rm -rf "$T"' EXIT
failed=0
fail() {
    echo "FAIL: $*"
    failed=1
}

# Text without formatting or line breaks: words separated by single spaces.
flat() {
    tr -s ' \n' ' '
}

render() { # render PAGE: as the reader sees it, lines unbroken, in $T/text
    MANWIDTH=3000 MAN_KEEP_FORMATTING='' man --no-hyphenation --no-justification -E UTF-8 -l "$1" \
        2>"$T/warnings" | sed 's/\x1b\[[0-9;]*m//g; s/.\x08//g' >"$T/text"
    groff -man -ww -z -Tutf8 "$1" >>"$T/warnings" 2>&1
    [ ! -s "$T/warnings" ] || { fail "$1: roff warnings"; cat "$T/warnings"; }
    for section in NAME SYNOPSIS DESCRIPTION OPTIONS 'EXIT STATUS' EXAMPLES NOTES 'SEE ALSO'; do
        grep -qx "$section" "$T/text" || fail "$1: no section $section"
    done
    grep -q '@[A-Z_ ]*@' "$1" && fail "$1: a placeholder is left"
    flat <"$T/text" >"$T/flat"
}

# Option names in the left column of --help or of the page's OPTIONS section, one a line.
names() {
    grep -Eo '^ +(-[A-Za-z0-9], )?--[a-z0-9-]+|^ +[a-z_]+(=|\[=)[A-Z]+' |
        grep -Eo -- '--[a-z0-9-]+|[a-z_]+(=|\[=)'
}

section() { # section PAGE-TEXT HEADING [SUBHEADING]
    awk -v h="$2" -v s="${3:-}" '
        /^[A-Z]/ { in_h = $0 == h; in_s = s == "" }
        /^   [A-Za-z]/ && s != "" { sub(/^ +/, ""); in_s = $0 == s }
        in_h && in_s' "$1"
}

check() { # check PAGE PROGRAM [SUBCOMMAND]: after render PAGE
    page=$1
    shift
    "$@" --help >"$T/help" 2>"$T/err" || fail "$* --help: exit status $?"
    [ ! -s "$T/err" ] || fail "$* --help writes to stderr"
    sed '/^Exit codes:/,$d' "$T/help" | names | sort -u >"$T/in-help"
    section "$T/text" OPTIONS "${2:+${1#./} $2}" >"$T/own"
    common=$(sed -n 's/^ *See also \(.*\) below\.$/\1/p' "$T/own")
    [ -z "$common" ] || section "$T/text" OPTIONS "$common" >>"$T/own"
    names <"$T/own" | sort -u >"$T/in-man"
    [ -s "$T/in-help" ] || fail "$* --help names no options"
    diff "$T/in-help" "$T/in-man" >"$T/diff" || { fail "$*: --help (<) and $page (>) differ"; cat "$T/diff"; }
    section "$T/text" SYNOPSIS | flat >"$T/synopsis"
    sed -n 's/^Usage: //p; s/^ *or: //p' "$T/help" | while IFS= read -r line; do
        grep -qF -- "$line" "$T/synopsis" || echo "$line"
    done >"$T/missing"
    [ ! -s "$T/missing" ] || { fail "$*: not in the synopsis of $page"; cat "$T/missing"; }
    sed -n '/^Exit codes:/,$p' "$T/help" | tail -n +2 | flat >"$T/help-codes"
    section "$T/text" 'EXIT STATUS' | flat >"$T/man-codes"
    for code in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 130; do
        text=$(sed -n '/^Exit codes:/,$p' "$T/help" | grep -E "^ +$code  " | sed 's/^ *//' | flat)
        [ -n "$text" ] || fail "$* --help: no exit code $code"
        grep -qF -- "${text% }" "$T/man-codes" || fail "$page: exit code $code differs: $text"
    done
    "$@" --no-such-option >"$T/out" 2>"$T/err"
    [ $? -eq 2 ] || fail "$*: unknown option does not give exit status 2"
    grep -q -- --no-such-option "$T/err" && grep -q -- --help "$T/err" ||
        fail "$*: the message does not name the unknown option and --help"
}

version() {
    "$@" --version >"$T/out" 2>&1 || fail "$* --version: exit status $?"
    grep -q '(sftfs) [0-9]' "$T/out" || fail "$* --version prints $(cat "$T/out")"
}

render tools/sft.1
for sub in $(./sft --help | sed -n '/^Subcommands/,$s/^  \([a-z]*\) .*/\1/p'); do
    check tools/sft.1 ./sft "$sub"
done
version ./sft
if [ -f tools/sftfs.1 ]; then
    for program in sftfs sftmount; do
        render tools/$program.1
        check tools/$program.1 ./$program
        version ./$program
    done
    render tools/sftfs-ctl.1
    check tools/sftfs-ctl.1 ./sftfs ctl
    render tools/mount.fuse.sftfs.8
    check tools/mount.fuse.sftfs.8 ./mount.fuse.sftfs
fi
exit $failed
