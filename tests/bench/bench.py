#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Measures sftfs beside kernel squashfs, squashfuse and squashfuse_ll on the same tree.

    bench.py WORKDIR [--runs N] [--only REGEX] [--metrics NAME,NAME]

WORKDIR holds tree/ and the images in img/ (run.sh makes them). Must be root. Prints a table and
writes WORKDIR/results.tsv, one line for each single measurement. It judges nothing.

How: every cold figure is from a fresh mount after dropping the kernel's caches, image included.
Contenders take turns within each run, in another order each time, so that what changes on the
machine meanwhile meets all of them. The processes of a contender are found by a tag in their
environment; their processor time and peak memory are added up. A measurement during which
something else used more than a quarter of a processor has the note "busy".
"""
import argparse
import json
import os
import re
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import time
import uuid

TICK = os.sysconf('SC_CLK_TCK')
TAG = 'SFTFS_BENCH_TAG'
IMAGES = {'sqfs': 'zstd64.sqfs', 'sft': 'tree.sft'}

# name: image, command
CONTENDERS = {
    'ksquashfs': ('sqfs', ['mount', '-t', 'squashfs', '-o', 'ro,loop', '{img}', '{mnt}']),
    'squashfuse': ('sqfs', ['squashfuse', '{img}', '{mnt}']),
    'squashfuse_ll': ('sqfs', ['squashfuse_ll', '{img}', '{mnt}']),
    'sftfs': ('sft', ['sftfs', '{img}', '{mnt}', '-o', 'case_sensitive']),
}
BASE = 'ksquashfs'

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


def drop_caches():
    os.sync()
    with open('/proc/sys/vm/drop_caches', 'w') as f:
        f.write('3')


def machine_busy():
    """Processor seconds the whole machine has used (without idle, I/O wait and stolen time)."""
    with open('/proc/stat') as f:
        n = [int(x) for x in f.readline().split()[1:]]
    return (n[0] + n[1] + n[2] + n[5] + n[6]) / TICK


def wait_until_quiet(limit=10.0):
    end = time.monotonic() + limit
    while time.monotonic() < end:
        busy, t = machine_busy(), time.monotonic()
        time.sleep(0.15)
        if (machine_busy() - busy) / (time.monotonic() - t) < 0.2:
            return


def tagged(value):
    want, out = ('%s=%s' % (TAG, value)).encode(), []
    for d in os.listdir('/proc'):
        if d.isdigit():
            try:
                with open('/proc/%s/environ' % d, 'rb') as f:
                    if want in f.read().split(b'\0'):
                        out.append(int(d))
            except OSError:
                pass
    return out


def is_mounted(path):
    with open('/proc/self/mountinfo') as f:
        return any(line.split()[4] == path for line in f)


class Mount:
    """A fresh mount of a contender; ready when its root can be listed."""

    def __init__(self, work, name, source=None):
        image, command = CONTENDERS[name]
        self.dir = os.path.join(work, 'run', '%s-%s' % (name, uuid.uuid4().hex[:8]))
        self.mnt, self.value = self.dir + '/mnt', uuid.uuid4().hex
        os.makedirs(self.mnt)
        source = source or os.path.join(work, 'img', IMAGES[image])
        drop_caches()
        wait_until_quiet()
        log = open(self.dir + '/log', 'wb')
        start = time.perf_counter()
        self.process = subprocess.Popen([a.format(img=source, mnt=self.mnt) for a in command],
                                        env={**os.environ, TAG: self.value}, stdout=log, stderr=log,
                                        stdin=subprocess.DEVNULL, start_new_session=True)
        while not (is_mounted(self.mnt) and self.lists()):
            if self.process.poll() not in (None, 0) or time.perf_counter() - start > 60:
                with open(self.dir + '/log', errors='replace') as f:
                    text = f.read().strip()
                self.end()
                raise RuntimeError('%s: cannot be mounted: %s' % (name, text[-200:]))
            time.sleep(0.0005)
        self.seconds = time.perf_counter() - start

    def lists(self):
        try:
            return bool(os.listdir(self.mnt))
        except OSError:
            return False

    def usage(self):
        """Processor seconds and peak memory (MB) of its processes."""
        seconds = peak = 0
        for pid in tagged(self.value):
            try:
                with open('/proc/%d/stat' % pid) as f:
                    seconds += sum(int(x) for x in f.read().rsplit(')', 1)[1].split()[11:15])
                with open('/proc/%d/status' % pid) as f:
                    m = re.search(r'VmHWM:\s+(\d+)', f.read())
                    peak += int(m.group(1)) if m else 0
            except OSError:
                pass
        return seconds / TICK, peak * 1024 / 1e6

    def end(self):
        for attempt in range(50):
            if not is_mounted(self.mnt):
                break
            if subprocess.run(['umount', self.mnt], stderr=subprocess.DEVNULL).returncode:
                time.sleep(0.1)
        else:
            subprocess.run(['umount', '-l', self.mnt])
        for sig in (0,) * 60 + (signal.SIGTERM,) + (0,) * 40 + (signal.SIGKILL, 0, 0):
            left = tagged(self.value)
            if not left:
                break
            for pid in left:
                try:
                    os.kill(pid, sig)
                except OSError:
                    pass
            time.sleep(0.05)
        self.process.wait()
        if not is_mounted(self.mnt):
            shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.end()


class Results:
    def __init__(self, path):
        self.rows, self.file = [], open(path, 'w')
        self.file.write('metric\tcontender\trun\tvalue\tunit\tclient_cpu_s\tdaemon_cpu_s\tnote\n')

    def add(self, metric, name, run, value, unit, client='', daemon='', note=''):
        self.rows.append((metric, name, value, unit, note))
        self.file.write('\t'.join(str(x) for x in (metric, name, run, '%.6g' % value, unit, client,
                                                   daemon, note)) + '\n')
        self.file.flush()
        print('  run %d  %-14s %-18s %10.4g %s %s' % (run, name, metric, value, unit, note),
              file=sys.stderr, flush=True)


def measure(mount, results, name, run, metric, unit, command):
    daemon0, busy0 = mount.usage()[0], machine_busy()
    usage0 = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    done = subprocess.run(['bash', '-c', 'set -o pipefail; ' + command], cwd=mount.mnt,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=600, check=False)
    value = time.perf_counter() - start
    usage1 = resource.getrusage(resource.RUSAGE_CHILDREN)
    client = (usage1.ru_utime + usage1.ru_stime) - (usage0.ru_utime + usage0.ru_stime)
    daemon = mount.usage()[0] - daemon0
    other = machine_busy() - busy0 - client - daemon
    # The kernel's own threads work for a kernel file system; they cannot be told from others.
    note = 'busy' if other > 0.25 * value + 0.05 and name != BASE else ''
    if done.returncode:
        raise RuntimeError('%s, %s: %s' % (name, metric, done.stderr.decode(errors='replace')[-300:]))
    if unit == '/s':
        value = json.loads(done.stdout[done.stdout.index(b'{'):])['jobs'][0]['read']['iops']
    results.add(metric, name, run, value, unit, '%.3f' % client, '%.3f' % max(0, daemon), note)


def visit(work, results, name, run, group, big):
    with Mount(work, name) as m:
        if group == 'mount':
            results.add('start to ls', name, run, m.seconds * 1000, 'ms')
        for metric, unit, command in VISITS[group]:
            measure(m, results, name, run, metric, unit, command.replace('{file}', big))
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
        with Mount(work, 'sftfs', nginx.url + IMAGES['sft']) as m:
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


def table(results, names):
    metrics = list(dict.fromkeys(r[0] for r in results.rows))
    base = {}
    lines = [['', 'unit'] + names]
    for metric in metrics:
        row = [metric, next(r[3] for r in results.rows if r[0] == metric)]
        for name in names:
            values = [r[2] for r in results.rows if r[:2] == (metric, name)]
            busy = any(r[4] for r in results.rows if r[:2] == (metric, name))
            if not values:
                row.append('-')
                continue
            median = statistics.median(values)
            if name == BASE:
                base[metric] = median
            text = '%.4g' % median
            if len(values) > 1:
                text += ' (%.4g-%.4g)' % (min(values), max(values))
            if base.get(metric) and name != BASE:
                text += ' x%.2f' % (median / base[metric])
            row.append(text + (' !' if busy else ''))
        lines.append(row)
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    for line in lines:
        print('  '.join(cell.ljust(w) for cell, w in zip(line, widths)).rstrip())
    print('\nmedian (smallest-largest); xN: N times the figure of %s in the same run;' % BASE)
    print('!: something else used the processor during one of these. /s: more is better.')


def main():
    parser = argparse.ArgumentParser(description='Measure sftfs beside squashfs.')
    parser.add_argument('work')
    parser.add_argument('--runs', type=int, default=5)
    parser.add_argument('--only', default='', help='contenders whose name matches')
    parser.add_argument('--metrics', type=lambda s: s.split(','), default=list(OTHER) + list(VISITS),
                        help='of %s (default: all)' % ','.join(OTHER + tuple(VISITS)))
    a = parser.parse_args()
    unknown = set(a.metrics) - set(OTHER) - set(VISITS)
    if unknown:
        parser.error('unknown metric: ' + ', '.join(sorted(unknown)))
    work = os.path.realpath(a.work)
    names = [n for n in CONTENDERS if re.search(a.only, n)]
    big = max((os.path.getsize(os.path.join(d, f)), os.path.relpath(os.path.join(d, f), work + '/tree'))
              for d, _, files in os.walk(work + '/tree') for f in files)[1]
    results = Results(os.path.join(work, 'results.tsv'))
    if 'size' in a.metrics:
        for name in names:
            path = os.path.join(work, 'img', IMAGES[CONTENDERS[name][0]])
            results.add('image size', name, 1, os.path.getsize(path) / 1e6, 'MB')
    peak = {}
    for run in range(1, a.runs + 1):
        for group in [g for g in VISITS if g in a.metrics]:
            turn = run % len(names) if names else 0
            for name in names[turn:] + names[:turn]:
                if peak.get(name) is False:
                    continue
                try:
                    memory = visit(work, results, name, run, group, big)
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
    table(results, names)
    print('\nsingle measurements: ' + results.file.name)


if __name__ == '__main__':
    main()
