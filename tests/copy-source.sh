#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Copies a source tree without what was built in it:  sh tests/copy-source.sh FROM TO
# TO exists and is empty. Used where a checkout must stay as it is.
set -eu
cd "$1"
if [ -e .git ] && git -c safe.directory='*' rev-parse >/dev/null 2>&1; then
    # What git knows, and new files that it does not ignore; deleted ones are left out.
    git -c safe.directory='*' ls-files -z -c -o --exclude-standard |
        tar --null --verbatim-files-from -T - --ignore-failed-read --warning=no-failed-read -cf - |
        tar -C "$2" -xf -
else
    tar --exclude=.git --exclude='./build*' --exclude='*.o' --exclude='*.a' --exclude=.deps \
        --exclude=config.status --exclude=config.h --exclude=./Makefile -cf - . | tar -C "$2" -xf -
fi
