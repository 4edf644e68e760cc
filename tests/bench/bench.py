#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Measures sftfs beside kernel squashfs, squashfuse and squashfuse_ll on the same tree; or, with --zip, an
MSIX package in it beside fuse-zip and archivemount with a ZIP of the same tree.

    bench.py WORKDIR [--zip] [--runs N] [--only REGEX] [--metrics NAME,NAME]

WORKDIR holds tree/ and the images in img/ (run.sh makes them). Must be root. Prints a table and
writes WORKDIR/results.tsv, one line for each single measurement. It judges nothing.

harness.py says how it is measured.
"""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time

from harness import Mount, Results, in_turns, largest_file, measure, table

IMAGES = {'sqfs': 'zstd64.sqfs', 'sft': 'tree.sft', 'sft-zlib': 'tree-zlib.sft', 'msix': 'tree.msix',
          'zip': 'tree.zip'}

# name: image, command
CONTENDERS = {
    'ksquashfs': ('sqfs', ['mount', '-t', 'squashfs', '-o', 'ro,loop', '{img}', '{mnt}']),
    'squashfuse': ('sqfs', ['squashfuse', '{img}', '{mnt}']),
    'squashfuse_ll': ('sqfs', ['squashfuse_ll', '{img}', '{mnt}']),
    'sftfs': ('sft', ['sftfs', '{img}', '{mnt}', '-o', 'case_sensitive']),
}
ZIP_CONTENDERS = {
    'sftfs-sft-zlib': ('sft-zlib', ['sftfs', '{img}', '{mnt}', '-o', 'case_sensitive']),
    'sftfs-msix': ('msix', ['sftfs', '{img}', '{mnt}', '-o', 'case_sensitive']),
    'fuse-zip': ('zip', ['fuse-zip', '-r', '{img}', '{mnt}']),
    'archivemount': ('zip', ['archivemount', '-o', 'readonly', '{img}', '{mnt}']),
}

STAT = r'find . -printf "%s\n" >/dev/null'
TAR = 'tar cf - . | cat >/dev/null'
FOUR = 'find . -type f -print0 | xargs -0 -P4 -n64 cat >/dev/null'
FIO = ('fio --name=r --filename={file} --readonly --rw=randread --bs={bs} --ioengine=psync '
       '--direct=0 --invalidate=0 --number_ios={ios} --randrepeat=1 --randseed=20260101 '
       '--output-format=json')

# What is done with one fresh mount: (metric, unit, command)
VISITS = {
    'mount': [],
    'stat': [('stat cold', 's', STAT), ('stat warm', 's', STAT)],
    'tar': [('tar cold', 's', TAR), ('tar warm', 's', TAR)],
    'four': [('four readers cold', 's', FOUR)],
    'rand4k': [('random 4 KiB', '/s', FIO.replace('{bs}', '4k').replace('{ios}', '8000'))],
    'rand64k': [('random 64 KiB', '/s', FIO.replace('{bs}', '64k').replace('{ios}', '2000'))],
}
OTHER = ('size', 'http', 'nodes')


def fresh(work, name, source=None):
    image, command = {**CONTENDERS, **ZIP_CONTENDERS}[name]
    return Mount(work, name, source or os.path.join(work, 'img', IMAGES[image]), command)


def visit(work, results, name, run, group, big, base):
    with fresh(work, name) as m:
        if group == 'mount':
            results.add('start to ls', name, run, m.seconds * 1000, 'ms')
        for metric, unit, command in VISITS[group]:
            measure(m, results, name, run, metric, unit, command.replace('{file}', big),
                    name == base == 'ksquashfs')
        return m.usage()[1]


class Nginx:
    CONF = '''worker_processes 1; daemon off; user root; pid %(d)s/pid; error_log %(d)s/error.log;
events { worker_connections 512; }
http { log_format one '$request_method $status $body_bytes_sent "$http_range"';
 access_log %(d)s/access.log one; types { } default_type application/octet-stream; sendfile on;
 client_body_temp_path %(d)s/t1; proxy_temp_path %(d)s/t2; fastcgi_temp_path %(d)s/t3;
 uwsgi_temp_path %(d)s/t4; scgi_temp_path %(d)s/t5;
 server { listen 127.0.0.1:%(port)d; root %(root)s; } }
'''

    def __init__(self, work, port):
        self.dir = os.path.join(work, 'run', 'nginx')
        shutil.rmtree(self.dir, ignore_errors=True)
        os.makedirs(self.dir)
        with open(self.dir + '/conf', 'w') as f:
            f.write(self.CONF % dict(d=self.dir, root=os.path.join(work, 'img'), port=port))
        self.url = 'http://127.0.0.1:%d/' % port
        self.process = subprocess.Popen(['nginx', '-p', self.dir, '-e', self.dir + '/error.log',
                                         '-c', self.dir + '/conf'], stdin=subprocess.DEVNULL)
        while not os.path.exists(self.dir + '/pid'):
            if self.process.poll() is not None:
                raise RuntimeError('nginx does not start')
            time.sleep(0.02)

    def log(self):
        time.sleep(0.2)
        with open(self.dir + '/access.log') as f:
            return [line.split(' ', 3) for line in f]

    def end(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


def over_http(work, results, run):
    nginx = Nginx(work, 18000 + os.getpid() % 2000)
    try:
        with fresh(work, 'sftfs', nginx.url + IMAGES['sft']) as m:
            seconds, log = m.seconds, nginx.log()
            results.add('HTTP start to ls', 'sftfs', run, seconds * 1000, 'ms')
            results.add('HTTP requests', 'sftfs', run, len(log), '')
            results.add('HTTP bytes', 'sftfs', run, sum(int(x[2]) for x in log), 'B')
            subprocess.run(['bash', '-c', STAT], cwd=m.mnt, check=True)
            results.add('HTTP req. stat all', 'sftfs', run, len(nginx.log()), '')
    finally:
        nginx.end()


def node_table(work, results):
    """Bytes of memory a node takes, by a package of a million (almost empty) files."""
    image, tree = os.path.join(work, 'img', 'million.sft'), os.path.join(work, 'million')
    if not os.path.exists(image):
        shutil.rmtree(tree, ignore_errors=True)
        print('  making a million files', file=sys.stderr)
        for d in range(1000):
            os.makedirs('%s/Directory %03d' % (tree, d))
            for f in range(999):
                # Names of usual length.
                os.close(os.open('%s/Directory %03d/Component-%06d.dll' % (tree, d, d * 1000 + f),
                                 os.O_CREAT | os.O_WRONLY, 0o644))
        subprocess.run(['sft', 'pack', '-f', '-q', tree, '-o', image], check=True, stdout=subprocess.DEVNULL)
        shutil.rmtree(tree)
    info = json.loads(subprocess.run(['sft', 'info', '--json', image], check=True,
                                     stdout=subprocess.PIPE).stdout)
    results.add('bytes per node', 'sftfs', 1, info['memory_bytes'] / info['nodes'], 'B')


def main():
    parser = argparse.ArgumentParser(description='Measure sftfs beside squashfs.')
    parser.add_argument('work')
    parser.add_argument('--runs', type=int, default=5)
    parser.add_argument('--zip', action='store_true', help='beside fuse-zip and archivemount')
    parser.add_argument('--only', default='', help='contenders whose name matches')
    parser.add_argument('--metrics', type=lambda s: s.split(','), default=list(OTHER) + list(VISITS),
                        help='of %s (default: all)' % ','.join(OTHER + tuple(VISITS)))
    a = parser.parse_args()
    unknown = set(a.metrics) - set(OTHER) - set(VISITS)
    if unknown:
        parser.error('unknown metric: ' + ', '.join(sorted(unknown)))
    work = os.path.realpath(a.work)
    contenders = ZIP_CONTENDERS if a.zip else CONTENDERS
    base = next(iter(contenders))
    names = [n for n in contenders if re.search(a.only, n)]
    big = largest_file(work + '/tree')
    results = Results(os.path.join(work, 'results-zip.tsv' if a.zip else 'results.tsv'))
    if 'size' in a.metrics:
        for name in names:
            path = os.path.join(work, 'img', IMAGES[contenders[name][0]])
            results.add('image size', name, 1, os.path.getsize(path) / 1e6, 'MB')
    peak = {}
    for run in range(1, a.runs + 1):
        for group in [g for g in VISITS if g in a.metrics]:
            for name in in_turns(run, names):
                if peak.get(name) is False:
                    continue
                try:
                    memory = visit(work, results, name, run, group, big, base)
                    peak[name] = max(peak.get(name) or 0, memory)
                except RuntimeError as e:
                    print(e, file=sys.stderr)
                    peak[name] = False      # leave it out from here on
        if 'http' in a.metrics and 'sftfs' in names:
            over_http(work, results, run)
    for name in names:
        if peak.get(name):
            results.add('daemon peak memory', name, 1, peak[name], 'MB')
    if 'nodes' in a.metrics and 'sftfs' in names:
        node_table(work, results)
    print()
    table(results, names, base)
    print('\nsingle measurements: ' + results.file.name)


if __name__ == '__main__':
    main()
