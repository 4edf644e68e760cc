#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Measures a package mounted over HTTP, beside the least that any program could need.

    http.py WORKDIR [--runs N] [--links lan,rtt20,rtt20-100M] [--metrics NAME,NAME]

WORKDIR holds img/launch.sft, launch.txt, one_mb.txt and the program delayline (run.sh makes them).
Must be root: nginx and the client have a network namespace each, joined by a pair of virtual devices
(lan) or by delayline. The column "plain" is measured in the same run: curl fetching the same stored
bytes in one request, or the same done with the same package on the local disk. Prints a table for
each link and writes WORKDIR/results-http-LINK.tsv. It judges nothing.

The server has the package in its page cache; the client begins with nothing, and without a disk
cache but where it is named. A request counts once nginx has logged it.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import time

from harness import TICK, Mount, Results, measure, table

# round trip in ms, Mbit/s (0: not limited)
LINKS = {'lan': None, 'rtt20': (20, 0), 'rtt20-100M': (20, 100)}
QUEUE_BYTES = 524288
SERVER, CLIENT = '10.98.0.1', '10.98.0.2'
STAT = r'find . -printf "%s\n" >/dev/null'
TAR = 'tar cf - . | cat >/dev/null'
LAUNCH = r"xargs -d '\n' cat <%s/launch.txt >/dev/null"
CROWD = '''
find . -type f | head -n 10000 >{dir}/open
python3 - {dir}/open <<'PY' &
import resource, sys, time
resource.setrlimit(resource.RLIMIT_NOFILE, (20000, 20000))
files = [open(name.rstrip("\\n"), "rb") for name in open(sys.argv[1])]
for f in files:
    f.read(1)
open(sys.argv[1] + ".done", "w").close()
time.sleep(3600)
PY
holder=$!
find . -type f -print0 | xargs -0 -P64 -n16 cat >/dev/null
while [ ! -e {dir}/open.done ]; do kill -0 $holder; sleep 0.1; done
kill $holder
'''


def run(*command):
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


class Link:
    """Two network namespaces and what joins them, and nginx in the first one."""

    CONF = '''worker_processes 1; daemon off; user root; pid %(d)s/pid; error_log %(d)s/error.log;
events { worker_connections 1024; }
http { log_format one '$status $body_bytes_sent "$http_range" $uri';
 access_log %(d)s/access.log one; types { } default_type application/octet-stream; sendfile on;
 tcp_nodelay on; keepalive_timeout 300; keepalive_requests 1000000;
 client_body_temp_path %(d)s/t1; proxy_temp_path %(d)s/t2; fastcgi_temp_path %(d)s/t3;
 uwsgi_temp_path %(d)s/t4; scgi_temp_path %(d)s/t5;
 server { listen %(address)s:8080; root %(root)s; } }
'''

    def __init__(self, work, name):
        self.work, self.dir = work, os.path.join(work, 'run', 'http')
        self.spaces = ['sftfs-bench-%d-%s' % (os.getpid(), side) for side in ('srv', 'cli')]
        self.url, self.line, self.nginx = 'http://%s:8080/' % SERVER, None, None
        shutil.rmtree(self.dir, ignore_errors=True)
        os.makedirs(self.dir)
        try:
            self.join(LINKS[name])
            self.start()
        except BaseException:
            self.end()
            raise

    def join(self, limits):
        for space in self.spaces:
            run('ip', 'netns', 'add', space)
        if limits:
            self.line = subprocess.Popen(
                [self.work + '/delayline', *self.spaces, str(limits[0] * 500),
                 str(limits[1] * 1000000), str(QUEUE_BYTES)], stdout=subprocess.PIPE)
            if self.line.stdout.readline() != b'ready\n':
                raise RuntimeError('delayline does not start')
        else:
            run('ip', 'link', 'add', 'link0', 'netns', self.spaces[0], 'type', 'veth',
                'peer', 'name', 'link0', 'netns', self.spaces[1])
        for space, address in zip(self.spaces, (SERVER, CLIENT)):
            run('ip', '-n', space, 'link', 'set', 'lo', 'up')
            run('ip', '-n', space, 'link', 'set', 'link0', 'txqueuelen', '2000', 'up')
            run('ip', '-n', space, 'addr', 'add', address + '/24', 'dev', 'link0')

    def start(self):
        with open(self.dir + '/conf', 'w') as f:
            f.write(self.CONF % dict(d=self.dir, root=self.work + '/img', address=SERVER))
        self.nginx = subprocess.Popen(
            ['nsenter', '--net=/run/netns/' + self.spaces[0], 'nginx', '-p', self.dir,
             '-e', self.dir + '/error.log', '-c', self.dir + '/conf'], stdin=subprocess.DEVNULL)
        while not os.path.exists(self.dir + '/pid'):
            if self.nginx.poll() is not None:
                raise RuntimeError('nginx does not start')
            time.sleep(0.02)
        self.mark()

    def stop(self):
        self.nginx.terminate()
        self.nginx.wait()

    def end(self):
        for process in (self.nginx, self.line):
            if process and process.poll() is None:
                process.terminate()
                process.wait()
        for space in self.spaces:
            subprocess.run(['ip', 'netns', 'del', space], stderr=subprocess.DEVNULL)

    def seconds(self):
        """Processor time of the server and the link."""
        ours = [p.pid for p in (self.nginx, self.line) if p and p.poll() is None]
        if self.nginx.pid in ours:
            with open('/proc/%d/task/%d/children' % (self.nginx.pid, self.nginx.pid)) as f:
                ours += [int(x) for x in f.read().split()]
        total = 0
        for pid in ours:
            try:
                with open('/proc/%d/stat' % pid) as f:
                    total += sum(int(x) for x in f.read().rsplit(')', 1)[1].split()[11:13])
            except OSError:
                pass
        return total / TICK

    def inside(self, *command):
        return ['nsenter', '--net=/run/netns/' + self.spaces[1], *command]

    def wire(self):
        """Bytes that have reached the client, headers included."""
        text = subprocess.run(self.inside('cat', '/proc/net/dev'), check=True,
                              stdout=subprocess.PIPE, text=True).stdout
        return next(int(line.split(':')[1].split()[0]) for line in text.splitlines()
                    if line.strip().startswith('link0:'))

    def mark(self):
        self.position = os.path.getsize(self.dir + '/access.log')
        self.wire_before = self.wire()

    def counts(self):
        """Since the mark: requests, body bytes, how many of these came again, bytes on the wire."""
        size = -1
        while size != os.path.getsize(self.dir + '/access.log'):
            size = os.path.getsize(self.dir + '/access.log')
            time.sleep(0.1)
        with open(self.dir + '/access.log') as f:
            f.seek(self.position)
            lines = [line.split() for line in f]
        total = again = reached = 0
        bodies = sorted((int(r.strip('"').split('=')[1].split('-')[0]), int(sent))
                        for status, sent, r, _ in lines if status == '206')
        for first, sent in bodies:
            total += sent
            again += max(0, min(first + sent, reached) - first)
            reached = max(reached, first + sent)
        return len(lines), total, again, self.wire() - self.wire_before

    def curl(self, first=None, end=None):
        """Seconds that one request takes, connecting included."""
        part = [] if first is None else ['-r', '%d-%d' % (first, end - 1)]
        return float(subprocess.run(
            self.inside('curl', '-sf', '-o', '/dev/null', '-w', '%{time_total}', *part,
                        self.url + 'launch.sft'), check=True, stdout=subprocess.PIPE).stdout)


class RemoteMount(Mount):
    def __init__(self, bench, options):
        self.link = bench.link
        command = ['sftfs', '{img}', '{mnt}', '-o', ','.join(['case_sensitive'] + options)]
        super().__init__(bench.work, 'http', self.link.url + 'launch.sft',
                         self.link.inside(*command), bench.warm_server)

    def usage(self):
        seconds, peak = super().usage()
        return seconds + self.link.seconds(), peak


class Bench:
    def __init__(self, work, link_name):
        self.work, self.link_name = work, link_name
        self.image = work + '/img/launch.sft'
        self.info = json.loads(subprocess.run(['sft', 'info', '--json', self.image], check=True,
                                              stdout=subprocess.PIPE).stdout)
        with open(work + '/one_mb.txt') as f:
            self.one = f.read().strip()
        self.uncached = ['cache_dir=none']
        self.results = Results(os.path.join(work, 'results-http-%s.tsv' % link_name))
        self.link = Link(work, link_name)

    def warm_server(self):
        with open(self.image, 'rb') as f:
            while f.read(1 << 20):
                pass
        self.link.mark()

    def plain(self, metric, number, value, unit):
        self.results.add(metric, 'plain', number, value, unit)

    def add(self, metric, number, value, unit=''):
        self.results.add(metric, 'sftfs', number, value, unit)

    def traffic(self, what, number):
        requests, total, again, wire = self.link.counts()
        self.add(what + ': requests', number, requests)
        self.add(what + ': body bytes', number, total / 1e6, 'MB')
        self.add(what + ': of these again', number, again / 1e6, 'MB')
        self.add(what + ': on the wire', number, wire / 1e6, 'MB')

    def do(self, mount, metric, number, command, name='sftfs'):
        measure(mount, self.results, name, number, metric, 's', command)

    def local(self, metric, number, command):
        with Mount(self.work, 'local', self.image,
                   ['sftfs', '{img}', '{mnt}', '-o', 'case_sensitive']) as m:
            self.do(m, metric, number, command, 'plain')

    # --- what is measured; each takes the number of the run

    def start(self, number):
        """plain: curl fetching the metadata; curl fetching one block's worth"""
        self.warm_server()
        self.plain('mount and first ls', number,
                   self.link.curl(0, self.info['metadata_bytes']) * 1000, 'ms')
        self.plain('first byte of 1 MB', number, self.link.curl(0, 65536) * 1000, 'ms')
        with RemoteMount(self, self.uncached) as m:
            self.add('mount and first ls', number, m.seconds * 1000, 'ms')
            began = time.perf_counter()
            with open(os.path.join(m.mnt, self.one), 'rb', buffering=0) as f:
                f.read(1)
            self.add('first byte of 1 MB', number, (time.perf_counter() - began) * 1000, 'ms')

    def stat(self, number):
        """plain: local package"""
        self.local('stat of all', number, STAT)
        with RemoteMount(self, self.uncached) as m:
            self.do(m, 'stat of all', number, STAT)
            self.traffic('mount and stat', number)

    def launch(self, number):
        """plain: curl fetching the launch set's blocks in one request"""
        first = self.info['metadata_bytes']
        self.warm_server()
        self.plain('launch set', number,
                   self.link.curl(first, first + self.info['launch_bytes']), 's')
        with RemoteMount(self, self.uncached) as m:
            self.do(m, 'launch set', number, LAUNCH % self.work)
            self.traffic('mount and launch', number)

    def tree(self, number):
        """plain: curl fetching the package"""
        self.warm_server()
        self.plain('whole tree', number, self.link.curl(), 's')
        cache = self.empty_cache()
        try:
            with RemoteMount(self, ['cache_dir=' + cache]) as m:
                self.do(m, 'whole tree', number, TAR)
                self.traffic('whole tree', number)
        finally:
            shutil.rmtree(cache, ignore_errors=True)
        with RemoteMount(self, self.uncached) as m:
            self.do(m, 'whole tree, no disk cache', number, TAR)
            self.traffic('whole tree, no disk cache', number)

    def empty_cache(self):
        cache = os.path.join(self.work, 'run', 'cache')
        shutil.rmtree(cache, ignore_errors=True)
        os.makedirs(cache)
        return cache

    def cache(self, number):
        """plain: local package"""
        cache = self.empty_cache()
        options = ['cache_dir=' + cache]
        try:
            with RemoteMount(self, options) as m:
                self.do(m, 'whole tree into the cache', number, TAR)
                self.traffic('whole tree into the cache', number)
            self.link.stop()
            for metric, command in (('cached: launch set', LAUNCH % self.work),
                                    ('cached: stat of all', STAT), ('cached: whole tree', TAR)):
                self.local(metric, number, command)
                with RemoteMount(self, options + ['offline']) as m:
                    if metric.endswith('tree'):
                        self.add('cached: mount and first ls', number, m.seconds * 1000, 'ms')
                    self.do(m, metric, number, command)
            self.link.start()
        finally:
            shutil.rmtree(cache, ignore_errors=True)

    def crowd(self, number):
        """plain: what the programs may use for data by default (-o memory)"""
        self.plain('peak memory, crowd', number, 48 * 1024 * 1024 / 1e6, 'MB')
        with RemoteMount(self, self.uncached) as m:
            self.do(m, 'crowd: 64 readers', number, CROWD.replace('{dir}', m.dir))
            self.add('peak memory, crowd', number, m.usage()[1], 'MB')


METRICS = {'start': Bench.start, 'stat': Bench.stat, 'launch': Bench.launch, 'tree': Bench.tree,
           'cache': Bench.cache, 'crowd': Bench.crowd}
ONCE = ('crowd',)
LAN_ONLY = ('cache', 'crowd')


def congestion():
    with open('/proc/sys/net/ipv4/tcp_congestion_control') as f:
        return f.read().strip()


def main():
    def names(text):
        return text.split(',')
    parser = argparse.ArgumentParser(description='Measure a package mounted over HTTP.')
    parser.add_argument('work')
    parser.add_argument('--runs', type=int, default=3)
    parser.add_argument('--links', type=names, default=list(LINKS), help='of ' + ','.join(LINKS))
    parser.add_argument('--metrics', type=names, default=list(METRICS),
                        help='of ' + ','.join(METRICS))
    a = parser.parse_args()
    unknown = (set(a.metrics) - set(METRICS)) | (set(a.links) - set(LINKS))
    if unknown:
        parser.error('unknown: ' + ', '.join(sorted(unknown)))
    work = os.path.realpath(a.work)
    os.makedirs(work + '/run', exist_ok=True)
    tables = []
    for link_name in a.links:
        bench = Bench(work, link_name)
        try:
            for number in range(1, a.runs + 1):
                for metric in a.metrics:
                    if (metric in ONCE and number > 1) or (
                            metric in LAN_ONLY and link_name != 'lan'):
                        continue
                    print('%s: %s' % (link_name, metric), file=sys.stderr)
                    METRICS[metric](bench, number)
        finally:
            bench.link.end()
        tables.append((link_name, bench.results))
    for link_name, results in tables:
        limits = LINKS[link_name] or (0, 0)
        print('\n%s: round trip %d ms, %s, TCP congestion control %s' % (
            link_name, limits[0], '%d Mbit/s' % limits[1] if limits[1] else 'rate not limited',
            congestion()))
        table(results, ['plain', 'sftfs'], 'plain')
    print('\nplain: ' + '; '.join('%s: %s' % (n, METRICS[n].__doc__.replace('plain: ', ''))
                                  for n in a.metrics))


if __name__ == '__main__':
    main()
