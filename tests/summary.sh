#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Compares the feature summary of a default configure with the expected one:  sh summary.sh LOG
# A library that configure no longer finds, or an option that changes its default, shows here.
set -eu
expected=$(dirname "$0")/data/configure-summary
sed -n '/^sftfs [0-9]/,/^  mount helper in:/p' "$1" | sed '1s/ [0-9].*/ VERSION/' |
    diff -u "$expected" -
