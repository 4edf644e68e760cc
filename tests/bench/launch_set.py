# SPDX-License-Identifier: LGPL-2.1-or-later
"""Chooses the files that the benchmark over HTTP reads:  launch_set.py WORKDIR

Writes WORKDIR/launch.txt, the 20 files and about 30 MB that stand for the start of a program, and
WORKDIR/one_mb.txt, one file of about 1 MB that is not among them. The same tree gives the same
choice.
"""
import os
import sys

FILES, BYTES = 20, 30_000_000
LIBRARIES = ('ntdll', 'kernel32', 'kernelbase', 'ucrtbase', 'msvcrt', 'user32', 'gdi32', 'advapi32',
             'ole32', 'oleaut32', 'shell32', 'comctl32', 'wined3d', 'rpcrt4')


def sizes(tree):
    return {os.path.relpath(os.path.join(d, f), tree): os.path.getsize(os.path.join(d, f))
            for d, _, files in os.walk(tree) for f in files}


def nearest(size, names, want):
    return min(names, key=lambda p: (abs(size[p] - want), p))


def choose(size):
    """What nearly every Windows program loads, and files of its own to make up the rest."""
    launch = [p for p in ('app/system32/%s.dll' % n for n in LIBRARIES) if p in size]
    each = (BYTES - sum(size[p] for p in launch)) / (FILES - len(launch))
    while len(launch) < FILES:
        launch.append(nearest(size, [p for p in size if p not in launch], each))
    others = [p for p in size if p.startswith('app/system32/') and p not in launch]
    return launch, nearest(size, others, 1 << 20)


def main():
    work = sys.argv[1]
    launch, one = choose(sizes(work + '/tree'))
    for name, lines in (('launch.txt', launch), ('one_mb.txt', [one])):
        with open(os.path.join(work, name), 'w') as f:
            f.write(''.join(p + '\n' for p in lines))


if __name__ == '__main__':
    main()
