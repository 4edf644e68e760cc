#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Readers of mounts over a network that fails at random, for tests/it-066-soak.sh.

    soak.py DIR SOURCE URL CONTROL SECONDS SEED [OPTION=VALUE]...

DIR is a directory for everything that is made here; SOURCE the tree that was packed; URL the package
behind the fault proxy with the control socket CONTROL; OPTIONs go to sftfs. Three daemons: two share a
disk cache (if this sftfs has one), the third has none. Sixteen readers, each a process, read ranges
of random files by random ways and compare every byte with SOURCE.

Meanwhile faults come and go at the proxy, daemons and readers are killed and started again, and what
the disk cache has is damaged or removed. (The directory of the mounts must not be in another mount
namespace that begins meanwhile: a mount lives as long as the last copy of it.) In the last third no daemon is killed, and its descriptors
and memory are looked at from round to round.

What is a failure:

* a wrong byte, ever;
* an error to a reader while its daemon was alive and no fault was on. A fault is "on" from its
  beginning to one deadline after its end (a read that began before the end has so long), except the
  brief ones, which pass well within the deadline and must not be noticed;
* a read that takes longer than four deadlines and twenty seconds;
* a reader that does not end when it is killed, a daemon that ends by itself or does not end with its
  mount, a daemon that cannot be started again;
* in the end: any byte of the mounts wrong or not readable, reads still in flight according to the
  daemon, more descriptors or more memory than after the first rounds (allowance below).
"""
import collections
import errno
import hashlib
import json
import mmap
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time

READERS = 16
DEADLINE = 6                    # seconds; 60 by default, so ten times faster than usual
OPTIONS = ['io_timeout=%d' % DEADLINE, 'connect_timeout=1', 'memory=8M']
HUNG = 4 * DEADLINE + 20
MOST_READ = 300000
RSS_ALLOWANCE = 8 << 20         # allocators keep what they once had; a leak grows with the rounds
FD_ALLOWANCE = 4                # a connection more or less

# For readers no more than a little waiting each: nothing of this may be noticed.
BRIEF = (['reset', 'n=1'], ['short', 'n=1'], ['status', 'code=503', 'n=1'], ['corrupt', 'n=1'],
         ['wrong-body', 'n=1'], ['refuse', 'seconds=0.6'], ['stall', 'at=head', 'seconds=0.6'],
         ['stall', 'seconds=0.6'], ['delay', 'ms=300', 'seconds=1'], ['corrupt', 'fresh=no', 'seconds=1'],
         ['status', 'code=503', 'after=1', 'n=1'], ['dribble', 'rate=20', 'seconds=0.6'])
# Errors to readers are allowed here.
BAD = (['refuse'], ['stall', 'at=head'], ['stall'], ['dribble'], ['reset'], ['short'],
       ['status', 'code=503'], ['status', 'code=404'], ['status', 'code=503', 'after=2'], ['corrupt'],
       ['wrong-body'], ['wrong-range'], ['corrupt', 'bits=1000'])
# These are believed: what to do is to mount again.
CHANGES = (['change'], ['change', 'what=length'], ['change', 'what=all'])

# One entry for each reader, shared by all processes.
STATE = struct.Struct('=dQQQ')  # when the present read began (0: none), reads, bytes, errors


class Failure(Exception):
    pass


def say(text):
    print('%7.1f %s' % (time.monotonic() - say.start, text), flush=True)


say.start = time.monotonic()


# --- a reader ---------------------------------------------------------------------------------

class Reader:
    """In a process of its own. Tells of errors and wrong bytes by lines through a pipe."""

    def __init__(self, number, rng, mounts, source, names, shared, pipe):
        self.number, self.rng, self.mounts, self.shared, self.pipe = number, rng, mounts, shared, pipe
        self.want = {}
        for name in names:
            with open(os.path.join(source, name), 'rb') as f:
                size = os.fstat(f.fileno()).st_size
                self.want[name] = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ) if size else b''
        self.names = names
        self.reads = self.bytes = self.errors = 0
        self.buffer = mmap.mmap(-1, 1 << 20)

    def note(self, began):
        STATE.pack_into(self.shared, self.number * STATE.size, began, self.reads, self.bytes,
                        self.errors)

    def tell(self, *what):
        os.write(self.pipe, (' '.join(str(x) for x in (self.number,) + what) + '\n').encode())

    def run(self):
        while True:
            which = self.rng.randrange(len(self.mounts))
            name = self.rng.choice(self.names)
            began = time.monotonic()
            self.note(began)
            try:
                self.read_one(os.path.join(self.mounts[which], name), self.want[name], which, name)
            except OSError as e:
                self.errors += 1
                self.tell('error', which, began, time.monotonic(), errno.errorcode[e.errno], name)
            self.note(0.0)
            time.sleep(self.rng.random() * 0.03)

    def read_one(self, path, want, which, name):
        way = self.rng.choice(('direct', 'direct', 'pages', 'order'))
        fd = os.open(path, os.O_RDONLY | (os.O_DIRECT if way == 'direct' else 0))
        try:
            offset, length = 0, len(want)
            if way != 'order':
                offset = self.rng.randrange(len(want) + 1)
                length = self.rng.randrange(1, MOST_READ)
            else:
                length = min(length, 1 << 20)
            if way == 'direct':
                offset -= offset % 4096
                length += -length % 4096
            else:       # what the kernel has is no test of ours
                os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            step = 65536 if way == 'order' else length
            end = min(offset + length, len(want))
            while offset < end:
                # Shorter than asked for when the rest cannot be read; then the next one says so.
                with memoryview(self.buffer)[:step] as part:
                    got = os.preadv(fd, [part], offset)
                    right = part[:got] == want[offset:offset + got]
                if not right or not got:
                    self.tell('wrong', which, offset, got, way, name)
                self.reads += 1
                self.bytes += got
                offset += got
                if way == 'direct' and offset % 4096:
                    break
        finally:
            os.close(fd)


# --- a daemon ---------------------------------------------------------------------------------

def is_mounted(path):
    with open('/proc/self/mountinfo') as f:
        return any(line.split()[4] == path for line in f)


class Daemon:
    def __init__(self, directory, number, url, options):
        self.mnt, self.log = '%s/m%d' % (directory, number), '%s/log%d' % (directory, number)
        self.url, self.options, self.process = url, options, None
        self.down = []          # [from, to] when it was not there; to: None now
        os.makedirs(self.mnt, exist_ok=True)

    def start(self, patience=30.0):
        """Tries again as long as PATIENCE lasts: the network may be in the way."""
        end = time.monotonic() + patience
        while True:
            log = open(self.log, 'ab')
            self.process = subprocess.Popen(['sftfs', '-f', self.url, self.mnt, '-o',
                                             ','.join(self.options)], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)
            log.close()
            while self.process.poll() is None and not self.answers():
                time.sleep(0.02)
            if self.process.poll() is None:
                break
            if time.monotonic() > end:
                raise Failure('%s cannot be mounted: exit status %d' % (
                    self.mnt, self.process.returncode))
            time.sleep(0.2)
        if self.down:
            self.down[-1][1] = time.monotonic()

    def answers(self):
        """Also when the mount of a killed daemon still is in the way."""
        try:
            return is_mounted(self.mnt) and bool(os.listdir(self.mnt))
        except OSError:
            return False

    def kill(self):
        self.down.append([time.monotonic(), None])
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.down.append([time.monotonic(), None])
        subprocess.run(['umount', self.mnt], check=True)
        try:
            status = self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.show_stacks()
            raise Failure('the daemon of %s does not end with its mount' % self.mnt) from None
        if status:
            raise Failure('the daemon of %s ended with status %d' % (self.mnt, status))

    def show_stacks(self):
        if shutil.which('gdb'):
            subprocess.run(['gdb', '-nx', '-batch', '-p', str(self.process.pid), '-ex',
                            'thread apply all bt 25'], stdin=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, timeout=60, check=False)

    def was_down(self, began, ended):
        return any(a <= ended and (b is None or began <= b + 1) for a, b in self.down)

    def check(self):
        if self.process.poll() is not None:
            raise Failure('the daemon of %s has ended by itself, status %s' % (
                self.mnt, self.process.returncode))

    def descriptors(self):
        return len(os.listdir('/proc/%d/fd' % self.process.pid))

    def memory(self):
        with open('/proc/%d/statm' % self.process.pid) as f:
            return int(f.read().split()[1]) * mmap.PAGESIZE


# --- the whole --------------------------------------------------------------------------------

class Soak:
    def __init__(self, directory, source, url, control, seconds, seed, options):
        self.dir, self.source, self.control = directory, source, control
        self.seconds, self.seed, self.rng = seconds, seed, random.Random(seed)
        self.names = sorted(os.path.relpath(os.path.join(d, f), source)
                            for d, _, files in os.walk(source) for f in files)
        self.cache = None
        cached, uncached = [], []
        known = subprocess.run(['sftfs', '--help'], stdout=subprocess.PIPE, text=True).stdout
        if 'cache_dir=' in known:
            self.cache = directory + '/cache'
            os.mkdir(self.cache)
            cached, uncached = ['cache_dir=' + self.cache], ['cache_dir=none']
        else:
            print('no disk cache in this sftfs: three daemons without one')
        self.daemons = [Daemon(directory, n, url, OPTIONS + extra + options)
                        for n, extra in enumerate((cached, cached, uncached))]
        self.shared = mmap.mmap(-1, READERS * STATE.size)
        self.pids = [0] * READERS
        self.generation = 0
        self.pipe = os.pipe()
        os.set_blocking(self.pipe[0], False)
        self.text = b''
        self.faults = []        # [from, to] of those that excuse errors
        self.excused = self.did = 0
        self.events = collections.Counter()

    # --- readers

    def start_reader(self, number):
        self.generation += 1
        rng = random.Random('%s/%d/%d' % (self.seed, number, self.generation))
        pid = os.fork()
        if pid:
            self.pids[number] = pid
            return
        status = 1
        try:
            os.close(self.pipe[0])
            Reader(number, rng, [d.mnt for d in self.daemons], self.source, self.names, self.shared,
                   self.pipe[1]).run()
        except BaseException as e:      # whatever it is, the test has to know
            os.write(self.pipe[1], ('%d broken %r\n' % (number, e)).encode())
        finally:
            os._exit(status)

    def kill_reader(self, number):
        os.kill(self.pids[number], signal.SIGKILL)
        end = time.monotonic() + DEADLINE / 2
        while not os.waitpid(self.pids[number], os.WNOHANG)[0]:
            if time.monotonic() > end:
                raise Failure('reader %d does not end when it is killed' % number)
            time.sleep(0.01)
        STATE.pack_into(self.shared, number * STATE.size, 0.0, 0, 0, 0)
        self.pids[number] = 0

    def excuses(self, began, ended):
        return any(a <= ended and (b is None or began <= b + DEADLINE + 1) for a, b in self.faults)

    def listen(self):
        """Takes what readers tell, and looks whether all of them go on."""
        try:
            while True:
                piece = os.read(self.pipe[0], 65536)
                if not piece:
                    break
                self.text += piece
        except BlockingIOError:
            pass
        *lines, self.text = self.text.split(b'\n')
        for line in lines:
            self.heard(line.decode().split(' '))
        now = time.monotonic()
        for number in range(READERS):
            began = STATE.unpack_from(self.shared, number * STATE.size)[0]
            if self.pids[number] and began and now - began > HUNG:
                for daemon in self.daemons:
                    daemon.show_stacks()
                raise Failure('reader %d has been waiting for %.0f s' % (number, now - began))
        for daemon in self.daemons:
            daemon.check()

    def heard(self, words):
        if words[1] != 'error':
            raise Failure('reader ' + ' '.join(words))
        which, began, ended = int(words[2]), float(words[3]), float(words[4])
        daemon = self.daemons[which]
        if daemon.was_down(began, ended):
            return
        if words[5] == 'EIO' and self.excuses(began, ended):
            self.excused += 1
            return
        raise Failure('%s to a reader of %s from %.1f to %.1f, and nothing was wrong' % (
            ' '.join(words[5:]), daemon.mnt, began - say.start, ended - say.start))

    def live(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.listen()
            time.sleep(min(0.05, max(0.0, end - time.monotonic())))

    # --- events

    def fault(self, *words):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(self.control)
            s.sendall((' '.join(words) + '\n').encode())
            answer = s.makefile().read()
        if not answer.startswith('ok'):
            raise Failure('the proxy says: ' + answer)
        return answer[3:].strip()

    def brief(self):
        words = self.rng.choice(BRIEF)
        say('brief: ' + ' '.join(words))
        self.fault('set', *words)
        self.live(2.0)
        self.fault('clear')

    def bad(self):
        """One or two faults, of all requests or of some, shorter or longer than the deadline."""
        span = [time.monotonic(), None]
        self.faults.append(span)
        self.set_faults(self.rng.sample(BAD, self.rng.choice((1, 1, 2))))
        span[1] = time.monotonic()

    def set_faults(self, chosen):
        for words in chosen:
            words = words + ['p=%.2f' % self.rng.choice((1, 1, 0.5, 0.2, 0.05))]
            if words[0] == 'refuse':
                words = words[:1]
            say('bad: ' + ' '.join(words))
            self.fault('set', *words)
        self.live(self.rng.choice((0.5, 1, 2, 4, DEADLINE + 2)))
        self.fault('clear')

    def change(self):
        """Afterwards the object is what it was, but who has seen another one may go on refusing it
        until it is mounted again."""
        span = [time.monotonic(), None]
        self.faults.append(span)
        self.set_faults([self.rng.choice(CHANGES)])
        for daemon in self.daemons:
            self.remount(daemon)
        span[1] = time.monotonic()

    def quiet(self):
        """Longer than what a fault excuses."""
        self.live(DEADLINE + 2)

    def kill_daemon(self):
        daemon = self.rng.choice(self.daemons)
        say('kill ' + daemon.mnt)
        daemon.kill()
        time.sleep(self.rng.random())
        daemon.start()

    def kill_readers(self):
        for number in self.rng.sample(range(READERS), 4):
            self.kill_reader(number)
            self.start_reader(number)

    def remount_one(self):
        self.remount(self.rng.choice(self.daemons))

    @staticmethod
    def remount(daemon):
        """In the middle of reading, so that something is in the way at first."""
        say('unmount ' + daemon.mnt)
        daemon.down.append([time.monotonic(), None])
        subprocess.run(['umount', '-l', daemon.mnt], check=True)
        daemon.process.send_signal(signal.SIGTERM)
        try:
            daemon.process.wait(20)
        except subprocess.TimeoutExpired:
            daemon.show_stacks()
            raise Failure('the daemon of %s does not end after SIGTERM' % daemon.mnt) from None
        daemon.start()

    def cached_files(self):
        return [os.path.join(d, f) for d, _, files in os.walk(self.cache) for f in files
                if f.endswith('.sft')]

    def damage_cache(self):
        files = self.cached_files() if self.cache else []
        if not files:
            return
        path = self.rng.choice(files)
        say('damage ' + path)
        with open(path, 'r+b') as f:
            size = os.fstat(f.fileno()).st_size
            for _ in range(200):
                where = self.rng.randrange(size)
                f.seek(where)
                f.write(bytes([self.rng.randrange(256)]))

    def remove_cache(self):
        """As a person does who wants the space, while daemons use it."""
        if not self.cache:
            return
        say('remove what is in the cache')
        for name in os.listdir(self.cache):
            path = os.path.join(self.cache, name)
            if os.path.isdir(path):
                shutil.rmtree(path, ignore_errors=True)
            else:
                os.unlink(path)

    # --- the course

    def violent(self, seconds):
        end = time.monotonic() + seconds
        choice = (self.brief, self.brief, self.bad, self.bad, self.change, self.quiet,
                  self.kill_daemon, self.kill_daemon, self.kill_readers, self.kill_readers,
                  self.remount_one, self.damage_cache, self.damage_cache, self.remove_cache)
        order = []
        while time.monotonic() < end:
            if not order:       # everything before anything again
                order = self.rng.sample(choice, len(choice))
            event = order.pop()
            # What is brief must not be noticed, so nothing else may be to blame.
            if event == self.brief:
                self.live(max(0.0, DEADLINE + 1.5 - self.since_fault()))
            self.events[event.__name__] += 1
            event()
            self.live(self.rng.random() * 0.5)

    def since_fault(self):
        return min((time.monotonic() - b for _, b in self.faults), default=1e9)

    def steady(self, seconds):
        """Rounds of faults without killing; afterwards nothing may have grown."""
        looks, end = [], time.monotonic() + seconds
        while len(looks) < 3 or time.monotonic() < end:
            for number in range(READERS):
                if not self.pids[number]:
                    self.start_reader(number)
            self.bad()
            self.brief_after_bad()
            for number in range(READERS):
                self.kill_reader(number)
            self.live(1)
            looks.append([(d.descriptors(), d.memory()) for d in self.daemons])
            say('descriptors and MB: ' + ', '.join('%d %.1f' % (n, m / 1e6) for n, m in looks[-1]))
        for which, daemon in enumerate(self.daemons):
            column = [look[which] for look in looks]
            early = column[:max(1, len(column) // 2)]
            if column[-1][0] > max(n for n, _ in early) + FD_ALLOWANCE:
                raise Failure('%s: descriptors grow: %s' % (daemon.mnt, [n for n, _ in column]))
            if column[-1][1] > max(m for _, m in early) + RSS_ALLOWANCE:
                raise Failure('%s: memory grows: %s' % (daemon.mnt, [m for _, m in column]))

    def brief_after_bad(self):
        self.live(DEADLINE + 1.5)
        self.brief()

    def counters(self):
        """What each daemon says of itself once nobody reads."""
        if subprocess.run(['sftfs', 'ctl', '--help'], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL).returncode:
            print('no control socket in this sftfs: its counters are not looked at')
            return
        for daemon in self.daemons:
            said = subprocess.run(['sftfs', 'ctl', daemon.mnt, 'stats', '--json'], check=True,
                                  stdout=subprocess.PIPE).stdout
            flat = dict(flatten('', json.loads(said)))
            busy = {k: v for k, v in flat.items()
                    if ('in_flight' in k or 'waiting' in k or 'inflight' in k) and v}
            if not any('in_flight' in k or 'inflight' in k for k in flat):
                raise Failure('no counter of what is in flight: %s' % sorted(flat))
            if busy:
                raise Failure('%s: not at zero with nobody reading: %s' % (daemon.mnt, busy))

    def compare_all(self):
        for daemon in self.daemons:
            for name in self.names:
                with open(os.path.join(self.source, name), 'rb') as a, \
                        open(os.path.join(daemon.mnt, name), 'rb') as b:
                    os.posix_fadvise(b.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
                    if hashlib.sha256(a.read()).digest() != hashlib.sha256(b.read()).digest():
                        raise Failure('%s/%s is wrong in the end' % (daemon.mnt, name))

    def run(self):
        for daemon in self.daemons:
            daemon.start()
        for number in range(READERS):
            self.start_reader(number)
        self.violent(self.seconds * 2 / 3)
        say('no more killing')
        reads = [STATE.unpack_from(self.shared, n * STATE.size) for n in range(READERS)]
        self.steady(self.seconds / 3)
        self.fault('clear')
        self.live(1)
        applied = sum(json.loads(self.fault('stats'))['faults'].values())
        if not sum(r[1] for r in reads) or applied < self.seconds / 2:
            raise Failure('too little has happened: %d faults, %s' % (applied, reads))
        self.compare_all()
        self.live(1)
        self.counters()
        for daemon in self.daemons:
            daemon.stop()
        print('%s; readers that lived: %d reads, %.0f MB; %d errors that faults excuse' % (
            ', '.join('%d %s' % (n, name) for name, n in sorted(self.events.items())),
            sum(r[1] for r in reads), sum(r[2] for r in reads) / 1e6, self.excused))
        print('the proxy: ' + self.fault('stats'))

    def end(self):
        for number, pid in enumerate(self.pids):
            if pid:
                os.kill(pid, signal.SIGKILL)

    def evidence(self):
        for daemon in self.daemons:
            print('--- the end of the log of ' + daemon.mnt)
            with open(daemon.log, errors='replace') as f:
                print(''.join(f.readlines()[-15:]), end='')
        print('--- rules of the proxy\n' + self.fault('rules'))


def flatten(prefix, value):
    if isinstance(value, dict):
        for k, v in value.items():
            yield from flatten('%s.%s' % (prefix, k) if prefix else k, v)
    elif isinstance(value, list):
        for i, v in enumerate(value):
            yield from flatten('%s.%d' % (prefix, i), v)
    else:
        yield prefix, value


def main():
    directory, source, url, control, seconds, seed = sys.argv[1:7]
    soak = Soak(directory, source, url, control, float(seconds), seed, sys.argv[7:])
    try:
        soak.run()
    except Failure as e:
        say('FAILURE: %s' % e)
        soak.evidence()
        return 1
    finally:
        soak.end()
    return 0


if __name__ == '__main__':
    sys.exit(main())
