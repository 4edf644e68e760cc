#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A proxy that makes a good web server a bad one, for tests of what happens then.

    fault-proxy.py serve ORIGIN CONTROL READY [--seed N] [--log FILE]
    fault-proxy.py ctl CONTROL WORD...

"serve" listens on a free port of 127.0.0.1, writes its number to READY and passes every request on
to ORIGIN (HOST:PORT, plain HTTP/1.1). CONTROL is a Unix socket; "ctl" sends one command there,
prints the answer, and ends with status 1 if it was refused. Commands:

    set FAULT [KEY=VALUE]...   a rule from now on; the answer is its number
    clear [FAULT|NUMBER]...    these rules no longer, or none at all; what stalls goes on
    rules                      those in force, with how often each was applied
    mark                       counters begin at zero
    stats                      one line of JSON: requests, bodies, bytes, faults applied, open
                               connections
    ranges [PATH]              FIRST-END of each body sent since the mark, in order
    twice [PATH]               bytes sent, and how many of these had been sent before

Faults, with the keys that only they have:

    delay ms=500               the answer begins later
    short at=N                 the connection ends in the middle of the body
    reset at=N                 it is reset there (RST)
    stall at=N                 nothing more comes from there on; at=head: not even an answer
    dribble at=N rate=1        from there on, RATE bytes a second
    corrupt bits=1 place=N     bits of the body are wrong, at random or at offset N of the object
    wrong-range by=65536       answers with a range that begins BY bytes earlier (near the
                               beginning: later), and says so
    wrong-body by=65536        the same, and says it were the right one
    change what=etag           ETag is another one; what=date: Last-Modified is, what=length: the
                               object is longer, what=all
    status code=503 after=2    this status instead, with Retry-After if AFTER is given
    refuse                     nobody listens any more, open connections are reset

AT counts bytes of the body; without it a random place is taken. Keys of all of them:

    p=0.1          probability (1), decided anew for each request
    n=3            at most so often
    seconds=2.5    ends by itself
    path=TEXT      only where the path contains TEXT
    from=A to=B    only requests for a range that overlaps [A, B)
    fresh=no       only requests that would take an answer from a cache; fresh=yes: only others

Every request gets all delays and changes that apply, and the first of the other rules that does.
What request number K meets depends on the seed, K and the rules only. The log has a line for each
request: NUMBER PATH RANGE STATUS BODY-BYTES-SENT FAULTS.
"""
import json
import os
import random
import re
import select
import signal
import socket
import struct
import sys
import threading
import time

PIECE = 256 * 1024
PATIENCE = 300          # seconds after which a connection without any traffic is given up
COMMON = {'p': float, 'n': int, 'seconds': float, 'path': str, 'from': int, 'to': int, 'fresh': str}


def place(text):
    return text if text == 'head' else int(text)


FAULTS = {
    'delay': {'ms': float},
    'short': {'at': place},
    'reset': {'at': place},
    'stall': {'at': place},
    'dribble': {'at': place, 'rate': float},
    'corrupt': {'bits': int, 'place': int},
    'wrong-range': {'by': int},
    'wrong-body': {'by': int},
    'change': {'what': str},
    'status': {'code': int, 'after': int},
    'refuse': {},
}
TOGETHER = ('delay', 'change')
REASONS = {403: 'Forbidden', 404: 'Not Found', 410: 'Gone', 429: 'Too Many Requests',
           500: 'Internal Server Error', 502: 'Bad Gateway', 503: 'Service Unavailable',
           504: 'Gateway Timeout'}


class Gone(Exception):
    """This connection is over."""


class Refused(Exception):
    """A command that means nothing."""


class Rule:
    def __init__(self, number, words):
        if not words or words[0] not in FAULTS:
            raise Refused('no such fault: %s' % ' '.join(words))
        self.number, self.fault, self.applied = number, words[0], 0
        self.text = ' '.join(words)
        kinds, self.keys = {**COMMON, **FAULTS[self.fault]}, {}
        for word in words[1:]:
            key, equals, value = word.partition('=')
            if not equals or key not in kinds:
                raise Refused('%s does not take %s' % (self.fault, word))
            try:
                self.keys[key] = kinds[key](value)
            except ValueError:
                raise Refused('not a value: %s' % word) from None
        seconds = self.keys.get('seconds')
        self.end = None if seconds is None else time.monotonic() + seconds
        self.cleared = threading.Event()

    def get(self, key, default=None):
        return self.keys.get(key, default)

    def over(self):
        if self.end is not None and time.monotonic() >= self.end:
            self.cleared.set()
        return self.cleared.is_set()

    def meets(self, request, rng):
        """The number is drawn whether it is needed or not: other rules do not change later draws."""
        if rng.random() >= self.get('p', 1.0) or self.over() or self.fault == 'refuse':
            return False
        if self.applied >= self.get('n', sys.maxsize):
            return False
        if self.get('path', '') not in request.path:
            return False
        if 'fresh' in self.keys and (self.keys['fresh'] == 'yes') != request.fresh:
            return False
        first, end = request.range or (0, sys.maxsize)
        return first < self.get('to', sys.maxsize) and end > self.get('from', 0)


class Request:
    def __init__(self, head):
        lines = head.decode('latin-1').split('\r\n')
        self.method, self.path, self.version = lines[0].split(' ', 2)
        self.fields = [line.split(':', 1) for line in lines[1:]]
        self.fresh = 'no-cache' in self.field('cache-control')
        m = re.fullmatch(r'bytes=(\d+)-(\d*)', self.field('range'))
        self.range = (int(m[1]), int(m[2]) + 1 if m[2] else sys.maxsize) if m else None

    def field(self, name):
        return next((v.strip() for k, v in self.fields if k.strip().lower() == name), '')

    def head(self, shift=0):
        fields = self.fields
        if shift and self.range:
            end = '' if self.range[1] == sys.maxsize else self.range[1] - 1 + shift
            other = 'bytes=%d-%s' % (self.range[0] + shift, end)
            fields = [[k, other if k.lower() == 'range' else v] for k, v in fields]
        return ('%s %s %s\r\n' % (self.method, self.path, self.version) +
                ''.join('%s: %s\r\n' % (k, v.strip()) for k, v in fields) + '\r\n').encode('latin-1')


class Stream:
    """A socket with what has been read from it beyond a head."""

    def __init__(self, sock):
        self.sock, self.ahead = sock, b''
        sock.settimeout(PATIENCE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def head(self):
        while b'\r\n\r\n' not in self.ahead:
            piece = self.sock.recv(65536)
            if not piece or len(self.ahead) > 1 << 20:
                raise Gone
            self.ahead += piece
        head, self.ahead = self.ahead.split(b'\r\n\r\n', 1)
        return head

    def pieces(self, length):
        """Yields LENGTH bytes in pieces, which are valid until the next one."""
        buffer = bytearray(PIECE)
        while length:
            if self.ahead:
                piece, self.ahead = self.ahead[:length], self.ahead[length:]
                piece = bytearray(piece)
            else:
                got = self.sock.recv_into(buffer, min(length, PIECE))
                if not got:
                    raise Gone
                piece = memoryview(buffer)[:got]
            length -= len(piece)
            yield piece


class Connection:
    def __init__(self, proxy, sock):
        self.proxy, self.client, self.origin = proxy, Stream(sock), None
        self.sent = 0       # body bytes of the present answer

    def run(self):
        try:
            while self.answer(Request(self.client.head())):
                pass
        except (OSError, ValueError, Gone):
            pass
        finally:
            self.proxy.forget(self)
            for stream in (self.client, self.origin):
                if stream:
                    stream.sock.close()

    def reset(self):
        """From another thread too: whoever reads or writes here gets an error."""
        try:
            self.client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                        struct.pack('ii', 1, 0))
            self.client.sock.shutdown(socket.SHUT_RD)
        except OSError:
            pass

    def ask_origin(self, head):
        """Sends HEAD, and once more if the origin has closed a connection that was idle."""
        for fresh in (False, True):
            if fresh or not self.origin:
                if self.origin:
                    self.origin.sock.close()
                self.origin = Stream(socket.create_connection(self.proxy.origin, PATIENCE))
                fresh = True
            try:
                self.origin.sock.sendall(head)
                return self.origin.head().decode('latin-1').split('\r\n')
            except (OSError, Gone):
                if fresh:
                    raise
        raise Gone

    def wait(self, rule, seconds=None):
        """Until RULE ends, or for SECONDS; Gone when the client goes first."""
        end = None if seconds is None else time.monotonic() + seconds
        while not rule.over() and (end is None or time.monotonic() < end):
            pause = 0.05 if end is None else max(0.0, min(0.05, end - time.monotonic()))
            if select.select([self.client.sock], [], [], pause)[0] and \
                    not self.client.sock.recv(1, socket.MSG_PEEK):
                raise Gone

    def answer(self, request):
        number, rules, rng = self.proxy.meet(request)
        self.sent, status, range_sent = 0, 0, None
        main = next((r for r in rules if r.fault not in TOGETHER), None)
        try:
            for rule in rules:
                if rule.fault == 'delay':
                    self.wait(rule, rule.get('ms', 500.0) / 1000)
            if main and main.fault == 'stall' and main.get('at') == 'head':
                self.wait(main)
                main = None
            if main and main.fault == 'status':
                status = main.get('code', 503)
                return self.refuse(request, status, main.get('after'))
            shift = main.get('by', 65536) if main and main.fault.startswith('wrong') else 0
            if shift and request.range and request.range[0] >= shift:
                shift = -shift
            lines = self.ask_origin(request.head(shift))
            status = int(lines[0].split(' ')[1])
            fields = [line.split(':', 1) for line in lines[1:]]
            body = self.body_length(request, status, fields)
            range_sent = self.range_of(fields, body)
            for rule in rules:
                if rule.fault == 'change':
                    change(rule, fields)
            if main and main.fault == 'wrong-body' and range_sent:
                pretend(fields, range_sent, -shift)
            self.client.sock.sendall((lines[0] + '\r\n' + ''.join(
                '%s:%s\r\n' % (k, v) for k, v in fields) + '\r\n').encode('latin-1'))
            self.body(main, rng, body, range_sent[0] if range_sent else 0)
            return True
        finally:
            self.proxy.done(number, request, status, self.sent, range_sent, rules)

    def refuse(self, request, status, after):
        text = b'' if request.method == 'HEAD' else b'not now\n'
        self.client.sock.sendall(
            ('HTTP/1.1 %d %s\r\nContent-Type: text/plain\r\nContent-Length: 8\r\n%s\r\n' % (
                status, REASONS.get(status, 'Odd'),
                '' if after is None else 'Retry-After: %d\r\n' % after)).encode() + text)
        return True

    @staticmethod
    def body_length(request, status, fields):
        if request.method == 'HEAD' or status in (204, 304):
            return 0
        length = [int(v) for k, v in fields if k.lower() == 'content-length']
        if len(length) != 1:
            raise Gone      # an answer of a form that no file has
        return length[0]

    @staticmethod
    def range_of(fields, body):
        """[first, end) of the object that the answer brings."""
        for k, v in fields:
            m = re.fullmatch(r'bytes (\d+)-(\d+)/\d+', v.strip())
            if k.lower() == 'content-range' and m:
                return int(m[1]), int(m[2]) + 1
        return (0, body) if body else None

    def body(self, rule, rng, length, first):
        fault = rule.fault if rule else ''
        at = length
        if fault in ('short', 'reset', 'stall', 'dribble'):
            at = rule.get('at')
            at = rng.randrange(length) if at is None and length else min(at or 0, length)
        flips = []
        if fault == 'corrupt' and length:
            where = rule.get('place')
            if where is None:
                flips = [rng.randrange(length) for _ in range(rule.get('bits', 1))]
            elif first <= where < first + length:
                flips = [where - first]
        for piece in self.origin.pieces(length):
            here = self.sent
            for flip in flips:
                if here <= flip < here + len(piece):
                    piece[flip - here] ^= 1 << rng.randrange(8)
            if at < here + len(piece):
                cut = max(0, at - here)
                self.send(piece[:cut])
                self.end_or_slow(rule, piece[cut:])
            else:
                self.send(piece)

    def send(self, piece):
        self.client.sock.sendall(piece)
        self.sent += len(piece)

    def end_or_slow(self, rule, rest):
        """The body has come to the place where the fault begins. Returns with REST sent."""
        if rule.fault == 'reset':
            self.reset()
            raise Gone
        if rule.fault == 'short':
            raise Gone
        if rule.fault == 'stall':
            self.wait(rule)
        rate = rule.get('rate', 1.0)
        while rest and rule.fault == 'dribble' and not rule.over():
            count = max(1, int(rate / 20))
            self.send(rest[:count])
            rest = rest[count:]
            self.wait(rule, count / rate)
        self.send(rest)


def change(rule, fields):
    what = rule.get('what', 'etag')
    for field in fields:
        name = field[0].lower()
        if name == 'etag' and what in ('etag', 'all'):
            field[1] = ' "changed-%d"' % rule.number
        if name == 'last-modified' and what in ('date', 'all'):
            field[1] = ' Sat, 01 Jan 2022 00:00:%02d GMT' % (rule.number % 60)
        if name == 'content-range' and what in ('length', 'all'):
            start, total = field[1].rsplit('/', 1)
            field[1] = '%s/%d' % (start, int(total) + 1)


def pretend(fields, sent, by):
    for field in fields:
        if field[0].lower() == 'content-range':
            total = field[1].rsplit('/', 1)[1]
            field[1] = ' bytes %d-%d/%s' % (sent[0] + by, sent[1] - 1 + by, total)


class Proxy:
    def __init__(self, origin, seed, log):
        self.origin, self.seed, self.log = origin, seed, log
        self.lock = threading.Lock()    # all below
        self.rules, self.last_rule, self.requests = [], 0, 0
        self.connections = set()
        self.listener, self.port = None, 0
        self.mark()

    def mark(self):
        self.counts = {'requests': 0, 'bodies': 0, 'bytes': 0}
        self.faults, self.sent = {}, []

    # --- connections

    def listen(self):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(('127.0.0.1', self.port))
        s.listen(128)
        self.port = s.getsockname()[1]
        return s

    def run(self):
        """Listens, except while a rule refuses."""
        while True:
            with self.lock:
                self.rules = [r for r in self.rules if not r.over()]
                refusing = any(r.fault == 'refuse' for r in self.rules)
                if refusing and self.listener:
                    self.listener.close()
                    self.listener = None
                    for c in self.connections:
                        c.reset()
                if not refusing and not self.listener:
                    self.listener = self.listen()
                listener = self.listener
            if not listener or not select.select([listener], [], [], 0.02)[0]:
                time.sleep(0 if listener else 0.02)
                continue
            try:
                sock = listener.accept()[0]
            except OSError:
                continue
            connection = Connection(self, sock)
            with self.lock:
                self.connections.add(connection)
            threading.Thread(target=connection.run, daemon=True).start()

    def forget(self, connection):
        with self.lock:
            self.connections.discard(connection)

    # --- requests

    def meet(self, request):
        """The request's number, the rules it meets, and its own random numbers."""
        with self.lock:
            self.requests += 1
            self.counts['requests'] += 1
            rng = random.Random('%s/%d' % (self.seed, self.requests))
            met, main = [], False
            for rule in self.rules:
                if rule.meets(request, rng) and not (main and rule.fault not in TOGETHER):
                    rule.applied += 1
                    met.append(rule)
                    main = main or rule.fault not in TOGETHER
                    self.faults[rule.fault] = self.faults.get(rule.fault, 0) + 1
            return self.requests, met, rng

    def done(self, number, request, status, sent, range_sent, rules):
        with self.lock:
            self.counts['bytes'] += sent
            if range_sent and sent:
                self.counts['bodies'] += 1
                self.sent.append((request.path, range_sent[0], range_sent[0] + sent))
            if self.log:
                self.log.write('%d %s %s %d %d %s\n' % (
                    number, request.path, request.field('range') or '-', status, sent,
                    ','.join(r.fault for r in rules) or '-'))
                self.log.flush()

    # --- control

    def command(self, words):
        name, rest = words[0], words[1:]
        method = getattr(self, 'do_' + name, None)
        if not method:
            raise Refused('no such command: ' + name)
        with self.lock:
            answer = method(rest)
        # What is said to be refused is so by the time of the answer.
        while any(r.fault == 'refuse' for r in self.rules) == bool(self.listener):
            time.sleep(0.005)
        return answer

    def do_set(self, words):
        self.last_rule += 1
        self.rules.append(Rule(self.last_rule, words))
        return str(self.last_rule)

    def do_clear(self, words):
        for rule in self.rules:
            if not words or rule.fault in words or str(rule.number) in words:
                rule.cleared.set()
        self.rules = [r for r in self.rules if not r.over()]
        return ''

    def do_rules(self, _):
        return '\n'.join('%d %s applied %d' % (r.number, r.text, r.applied)
                         for r in self.rules if not r.over())

    def do_mark(self, _):
        self.mark()
        return ''

    def do_stats(self, _):
        return json.dumps({**self.counts, 'faults': self.faults, 'open': len(self.connections)})

    def do_ranges(self, words):
        return '\n'.join('%d-%d' % (a, b) for p, a, b in self.sent if not words or p == words[0])

    def do_twice(self, words):
        total = twice = 0
        reached = {}
        for path, a, b in sorted(x for x in self.sent if not words or x[0] == words[0]):
            end = max(reached.get(path, 0), a)
            total += b - a
            twice += max(0, min(b, end) - a)
            reached[path] = max(end, b)
        return '%d %d' % (total, twice)


def control(proxy, listener):
    while True:
        sock = listener.accept()[0]
        with sock, sock.makefile('rw', encoding='utf-8') as f:
            try:
                words = f.readline().split()
                answer = 'ok ' + proxy.command(words) if words else 'error nothing said'
            except Refused as e:
                answer = 'error %s' % e
            try:
                f.write(answer + '\n')
                f.flush()
            except OSError:
                pass


def serve(words):
    options = {'--seed': '1', '--log': None}
    origin, path, ready = words[:3]
    words = words[3:]
    for name, value in zip(words[::2], words[1::2]):
        if name not in options:
            sys.exit('no such option: ' + name)
        options[name] = value
    host, port = origin.rsplit(':', 1)
    log = open(options['--log'], 'a', encoding='latin-1') if options['--log'] else None
    proxy = Proxy((host, int(port)), options['--seed'], log)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(16)
    proxy.listener = proxy.listen()
    threading.Thread(target=control, args=(proxy, listener), daemon=True).start()
    with open(ready + '.new', 'w') as f:
        f.write('%d\n' % proxy.port)
    os.rename(ready + '.new', ready)
    proxy.run()


def ctl(words):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(words[0])
        with s.makefile('rw', encoding='utf-8') as f:
            f.write(' '.join(words[1:]) + '\n')
            f.flush()
            verdict, _, rest = f.read().partition(' ')
    if rest.strip():
        print(rest.strip(), file=sys.stdout if verdict == 'ok' else sys.stderr)
    return 0 if verdict == 'ok' else 1


if __name__ == '__main__':
    if len(sys.argv) < 4 or sys.argv[1] not in ('serve', 'ctl'):
        sys.exit(__doc__)
    sys.exit((serve if sys.argv[1] == 'serve' else ctl)(sys.argv[2:]))
