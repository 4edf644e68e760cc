#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Measures changing files: sftfs with an overlay beside the kernel's overlayfs over squashfs,
fuse-overlayfs over squashfuse_ll, and libfuse's own passthrough example on the same disk.

    overlay.py WORKDIR [--runs N] [--only REGEX] [--metrics NAME,NAME]

WORKDIR holds tree/, app.tar, passthrough_ll and the images in img/ (run.sh makes them). Must be
root. Prints a table and writes WORKDIR/overlay.tsv; judges nothing. harness.py says how it is
measured. Every group of metrics has a fresh mount and an empty upper layer.
"""
import argparse
import os
import re
import sys

from harness import Mount, Results, drop_caches, in_turns, largest_file, measure, table

IMAGES = {'sqfs': 'zstd64.sqfs', 'sft': 'tree.sft', None: ''}
LAYERS = 'cd {dir} && mkdir l u w && '
LOWER = 'lowerdir=l,upperdir=u,workdir=w'


def shell(text):
    return ['bash', '-c', text]


# name: image, command
CONTENDERS = {
    'overlayfs': ('sqfs', shell(LAYERS + 'mount -t squashfs -o ro,loop {img} l && '
                                'mount -t overlay -o ' + LOWER + ' none {mnt}')),
    'fuse-overlayfs': ('sqfs', shell(LAYERS + 'squashfuse_ll {img} l && '
                                     'fuse-overlayfs -o ' + LOWER + ' {mnt}')),
    'sftfs': ('sft', shell('sftfs {img} {mnt} -o case_sensitive,overlay={dir}/overlay')),
    'sftfs, no case': ('sft', shell('sftfs {img} {mnt} -o overlay={dir}/overlay')),
    'sftfs read-only': ('sft', shell('sftfs {img} {mnt} -o case_sensitive')),
    'passthrough_ll': (None, shell('mkdir {dir}/d && echo 1 >{dir}/d/x && '
                                   '{img}../passthrough_ll -o source={dir}/d,cache=always {mnt}')),
}
BASE = 'fuse-overlayfs'
KERNEL = 'overlayfs'

CREATE = '''mkdir new && cd new && python3 -c '
import os
for i in range(10000):
    if i % 1000 == 0:
        os.mkdir("d%d" % (i // 1000))
    with open("d%d/f%05d" % (i // 1000, i), "wb") as f:
        f.write(b"x" * 100)
' '''
# Times itself, so that starting an interpreter is no part of it; ends with fsync.
RANDOM = '''python3 -c '
import os, random, sys, time
fd = os.open(sys.argv[1], os.O_RDWR)
blocks = os.fstat(fd).st_size // 4096
r = random.Random(1)
places = [r.randrange(blocks) * 4096 for _ in range(8000)]
data = bytes(range(256)) * 16
t = time.perf_counter()
for p in places:
    os.pwrite(fd, data, p)
written = time.perf_counter() - t
os.fsync(fd)
print(written, time.perf_counter() - t)
' {file}'''
WRITE = 'dd if=/dev/zero of=large bs=1M count=1024 conv=fsync status=none'
READ = 'cat large >/dev/null'
TAR = 'tar cf - . | cat >/dev/null'
WRITERS = ('overlayfs', 'fuse-overlayfs', 'sftfs', 'sftfs, no case')
EVERYBODY = WRITERS + ('passthrough_ll',)

# What is done with one fresh mount: contenders, then (metric, command). "-" drops the caches,
# a metric None is done and not measured.
VISITS = {
    'append': (WRITERS, [('append 1 byte to 357 MB', 'printf x >> {file}'),
                         ('again', 'printf x >> {file}')]),
    'create': (EVERYBODY, [('create 10,000 files', CREATE), ('remove them', 'rm -rf new')]),
    'untar': (EVERYBODY, [('untar 2,000 files', 'mkdir u && tar -C u -xf {work}/app.tar'),
                          ('rm -rf them', 'rm -rf u')]),
    'remove': (WRITERS, [('remove 2,000 of the package', 'rm -rf app/python')]),
    'rename': (WRITERS, [('rename a directory', 'mv app/python app/python2')]),
    'touch': (WRITERS, [('touch 2,000', 'find app/python -type f -exec touch {} +')]),
    'sequential': (EVERYBODY, [('write 1 GiB', WRITE), ('-', ''), ('read it back', READ)]),
    'random': (WRITERS, [(None, '[ {name} = sftfs ] || printf x >> {file}; sync'),
                         ('8,000 random 4 KiB writes', RANDOM)]),
    'read': (('overlayfs', 'fuse-overlayfs', 'sftfs', 'sftfs read-only'),
             [('tar cold', TAR), ('tar warm', TAR)]),
}


def visit(work, results, name, run, group, big):
    image, command = CONTENDERS[name]
    source = os.path.join(work, 'img', IMAGES[image])
    with Mount(work, name.replace(', ', '-').replace(' ', '-'), source, command) as m:
        for metric, text in VISITS[group][1]:
            if metric == '-':
                drop_caches()
                continue
            text = text.replace('{file}', "'%s'" % big).replace('{work}', work)
            text = text.replace('{name}', name.split(',')[0].split(' ')[0])
            measure(m, results, name, run, metric, 's', text, name == KERNEL)


def main():
    parser = argparse.ArgumentParser(description='Measure changing files.')
    parser.add_argument('work')
    parser.add_argument('--runs', type=int, default=3)
    parser.add_argument('--only', default='', help='contenders whose name matches')
    parser.add_argument('--metrics', type=lambda s: s.split(','), default=list(VISITS),
                        help='of %s (default: all)' % ','.join(VISITS))
    a = parser.parse_args()
    unknown = set(a.metrics) - set(VISITS)
    if unknown:
        parser.error('unknown metric: ' + ', '.join(sorted(unknown)))
    work = os.path.realpath(a.work)
    names = [n for n in CONTENDERS if re.search(a.only, n)]
    big = largest_file(work + '/tree')
    results = Results(os.path.join(work, 'overlay.tsv'))
    failed = set()
    for run in range(1, a.runs + 1):
        for group in [g for g in VISITS if g in a.metrics]:
            for name in in_turns(run, [n for n in names if n in VISITS[group][0]]):
                if (name, group) in failed:
                    continue
                try:
                    visit(work, results, name, run, group, big)
                except RuntimeError as e:
                    print(e, file=sys.stderr)
                    failed.add((name, group))      # leave it out from here on
    print()
    table(results, names, BASE)
    print('\nsingle measurements: ' + results.file.name)


if __name__ == '__main__':
    main()
