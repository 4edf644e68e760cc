#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Fills a man page with what the program says of itself, so that it cannot differ from --help:
#
#     sh man-fill.sh PAGE.in PROGRAM VERSION >PAGE
#
# Lines of PAGE.in that are replaced: "@OPTIONS@", "@OPTIONS SUBCOMMAND@", "@SYNOPSIS@",
# "@COMMON_OPTIONS SUBCOMMAND@", "@SYNOPSIS SUBCOMMAND@", "@EXIT_STATUS@"; and @VERSION@ anywhere. With a
# subcommand the options are its own, without those that many have, which @COMMON_OPTIONS@ stands for.
set -eu
page=$1
program=$2
version=$3

ask() { # ask FORM [SUBCOMMAND]
    form=$1
    shift
    "$program" "$@" "--help=$form" || { echo "$program $* --help=$form failed" >&2; exit 1; }
}

while IFS= read -r line; do
    case $line in
    @OPTIONS@) ask man ;;
    '@OPTIONS '*@) sub=${line#@OPTIONS } && ask man-own "${sub%@}" ;;
    '@COMMON_OPTIONS '*@) sub=${line#@COMMON_OPTIONS } && ask man-common "${sub%@}" ;;
    @SYNOPSIS@) ask synopsis ;;
    '@SYNOPSIS '*@) sub=${line#@SYNOPSIS } && ask synopsis "${sub%@}" ;;
    @EXIT_STATUS@) ask exit-status ;;
    *@VERSION@*) printf '%s\n' "${line%%@VERSION@*}$version${line#*@VERSION@}" ;;
    *) printf '%s\n' "$line" ;;
    esac
done <"$page"
