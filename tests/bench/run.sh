#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The benchmarks:  sh tests/bench/run.sh [--overlay | --zip] [WORKDIR] [--runs N] [--only REGEX]
#                                        [--metrics NAME,NAME]
#                  sh tests/bench/run.sh --http [WORKDIR] [--runs N] [--links NAME,NAME]
#                                        [--metrics NAME,NAME]
#
# Installs what it needs (Debian packages), builds sftfs, builds a tree of 983 MB from Debian
# packages, packs it for all contenders with the same block size and codec level, and measures
# sftfs, kernel squashfs, squashfuse and squashfuse_ll in turns: bench.py. With --overlay, changing
# files: beside the kernel's overlayfs, fuse-overlayfs and libfuse's passthrough example: overlay.py.
# With --zip, an MSIX package of the tree, and an SFT with zlib, beside fuse-zip and archivemount.
# With --http, a package on a web server, over links with delay and a limited rate, beside curl
# fetching the same bytes: http.py.
# WORKDIR (default: sftfs-bench in the temporary directory) is kept, so that a second call begins
# with measuring; it needs 5 GB. Nothing else should run on the machine meanwhile.
#
# SFTFS_BUILD=DIR measures the programs of that build directory instead of building.
set -eu
LC_ALL=C.UTF-8
export LC_ALL
src=$(cd "$(dirname "$0")/../.." && pwd -P)
. "$src/tests/install.sh"
policy_ours=
work=${TMPDIR:-/tmp}/sftfs-bench
bench=bench.py
zip=
case ${1:-} in
--overlay | --http)
    bench=${1#--}.py
    shift
    ;;
--zip)
    zip=yes
    shift
    ;;
esac
case ${1:-} in
'' | -*) ;;
*)
    work=$1
    shift
    ;;
esac
mkdir -p "$work/img" "$work/run"
work=$(cd "$work" && pwd -P)
trap release_services EXIT

# shellcheck disable=SC2086
install_missing $BUILD_PACKAGES python3 nginx fio squashfs-tools squashfuse fuse-overlayfs \
    binutils-mingw-w64-x86-64 curl iproute2 ${zip:+fuse-zip archivemount zip}
PATH=$PATH:/usr/sbin:/sbin

if [ -z "${SFTFS_BUILD:-}" ]; then
    echo "building sftfs"
    rm -rf "$work/source" "$work/build"
    mkdir "$work/source" "$work/build"
    sh "$src/tests/copy-source.sh" "$src" "$work/source"
    (
        sh "$work/source/autogen.sh" && cd "$work/build" && "$work/source/configure" &&
            make -j"$(getconf _NPROCESSORS_ONLN)"
    ) >"$work/build.log" 2>&1 || {
        tail -n 30 "$work/build.log"
        exit 1
    }
    SFTFS_BUILD=$work/build
fi
PATH=$SFTFS_BUILD:$PATH
export PATH

[ -e "$work/tree.done" ] || echo "building the tree"
bash "$src/tests/bench/dataset.sh" "$work"

# pack_tree IMAGE [OPTIONS...]: unless it is there already, packed by the present version of sftfs;
# a package of another one would not be what is measured.
pack_tree() {
    pt_image=$work/img/$1.sft
    shift
    if [ -e "$pt_image" ] && [ ! "$SFTFS_BUILD/sft" -nt "$pt_image" ]; then
        return
    fi
    echo "packing: sftfs"
    sft pack "$work/tree" -o "$work/img/new.sft" -f --case-sensitive --codec zstd --level 15 \
        --block-size 64 --name tree "$@"
    mv "$work/img/new.sft" "$pt_image"
}

if [ $bench = http.py ]; then
    cc -O2 -Wall -D_GNU_SOURCE -o "$work/delayline" "$src/tests/bench/delayline.c"
    python3 "$src/tests/bench/launch_set.py" "$work"
    pack_tree launch --launch-list "$work/launch.txt"
    as_root env PATH="$PATH" LC_ALL="$LC_ALL" PYTHONDONTWRITEBYTECODE=1 \
        python3 "$src/tests/bench/http.py" "$work" "$@"
    exit
fi

if [ -n "$zip" ]; then
    pack_tree tree-zlib --codec zlib --level 6
    [ -e "$work/img/tree.msix" ] || {
        echo "packing: MSIX"
        python3 "$src/tests/make-appx.py" "$work/tree" "$work/img/new.msix"
        mv "$work/img/new.msix" "$work/img/tree.msix"
    }
    [ -e "$work/img/tree.zip" ] || {
        echo "packing: ZIP"
        (cd "$work/tree" && zip -qr6 "$work/img/new.zip" .)
        mv "$work/img/new.zip" "$work/img/tree.zip"
    }
    as_root env PATH="$PATH" LC_ALL="$LC_ALL" PYTHONDONTWRITEBYTECODE=1 \
        python3 "$src/tests/bench/bench.py" "$work" --zip "$@"
    exit
fi

# The same level for both: 15 is what mksquashfs takes for zstd when nothing is said.
if [ ! -e "$work/img/zstd64.sqfs" ]; then
    echo "packing: squashfs"
    mksquashfs "$work/tree" "$work/img/new.sqfs" -comp zstd -Xcompression-level 15 -b 64K \
        -noappend -no-progress -all-root >"$work/mksquashfs.log"
    mv "$work/img/new.sqfs" "$work/img/zstd64.sqfs"
fi
[ "$SFTFS_BUILD/sft" -nt "$work/img/tree.sft" ] && rm -f "$work/img/million.sft"
pack_tree tree
if [ $bench = overlay.py ] && [ ! -x "$work/passthrough_ll" ]; then
    # shellcheck disable=SC2046
    cc -O2 -w -o "$work/passthrough_ll" \
        /usr/share/doc/libfuse3-dev/examples/passthrough_ll.c $(pkg-config --cflags --libs fuse3)
fi
[ -e "$work/app.tar" ] || tar -C "$work/tree/app" -cf "$work/app.tar" python
as_root env PATH="$PATH" LC_ALL="$LC_ALL" PYTHONDONTWRITEBYTECODE=1 \
    python3 "$src/tests/bench/$bench" "$work" "$@"
