# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the benchmarks share: fresh mounts of contenders, measuring, the table of results.

How: every cold figure is from a fresh mount after dropping the kernel's caches, image included.
Contenders take turns within each run, in another order each time, so that what changes on the
machine meanwhile meets all of them. The processes of a contender are found by a tag in their
environment; their processor time and peak memory are added up. A measurement during which
something else used more than a quarter of a processor has the note "busy".
"""
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
    """A fresh mount of a contender; ready when its root can be listed. COMMAND is a list of
    arguments in which {img}, {mnt} and {dir} (a directory of this mount's own) are filled in. PREPARE
    is called just before it, with cold caches."""

    def __init__(self, work, name, source, command, prepare=None):
        self.dir = os.path.join(work, 'run', '%s-%s' % (name, uuid.uuid4().hex[:8]))
        self.mnt, self.value = self.dir + '/mnt', uuid.uuid4().hex
        os.makedirs(self.mnt)
        drop_caches()
        if prepare:
            prepare()
        wait_until_quiet()
        log = open(self.dir + '/log', 'wb')
        start = time.perf_counter()
        self.process = subprocess.Popen([a.format(img=source, mnt=self.mnt, dir=self.dir) for a in command],
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
        if is_mounted(self.dir + '/l'):
            subprocess.run(['umount', self.dir + '/l'])
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
        if not is_mounted(self.mnt) and not is_mounted(self.dir + '/l'):
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


def measure(mount, results, name, run, metric, unit, command, kernel=False):
    """Runs COMMAND in MOUNT. UNIT: 's' its time, '/s' what fio says. KERNEL: the contender has no
    daemon of its own."""
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
    note = 'busy' if other > 0.25 * value + 0.05 and not kernel else ''
    if done.returncode:
        raise RuntimeError('%s, %s: %s' % (name, metric, done.stderr.decode(errors='replace')[-300:]))
    if metric is None:
        return
    if unit == '/s':
        value = json.loads(done.stdout[done.stdout.index(b'{'):])['jobs'][0]['read']['iops']
    elif done.stdout:
        value = float(done.stdout.split()[-1])  # the command has timed itself
    results.add(metric, name, run, value, unit, '%.3f' % client, '%.3f' % max(0, daemon), note)


def table(results, names, base_name):
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
            if name == base_name:
                base[metric] = median
            text = '%.4g' % median
            if len(values) > 1:
                text += ' (%.4g-%.4g)' % (min(values), max(values))
            if base.get(metric) and name != base_name:
                text += ' x%.2f' % (median / base[metric])
            row.append(text + (' !' if busy else ''))
        lines.append(row)
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    for line in lines:
        print('  '.join(cell.ljust(w) for cell, w in zip(line, widths)).rstrip())
    print('\nmedian (smallest-largest); xN: N times the figure of %s in the same run;' % base_name)
    print('!: something else used the processor during one of these. /s: more is better.')


def in_turns(run, names):
    """NAMES, beginning with another one in each run."""
    turn = run % len(names) if names else 0
    return names[turn:] + names[:turn]


def largest_file(tree):
    return max((os.path.getsize(os.path.join(d, f)), os.path.relpath(os.path.join(d, f), tree))
               for d, _, files in os.walk(tree) for f in files)[1]
