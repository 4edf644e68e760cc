#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A web server that is wrong on purpose, for tests/it-020-http-odd.sh.

    odd-http-server.py READY LOG [CERT KEY CA WRONG_CERT WRONG_KEY]

Listens on loopback ports the kernel gives and writes their numbers to READY as shell assignments:
PLAIN and SECOND (127.0.0.1), OTHER (127.0.0.2); with certificates TLS, TLS_CLIENT (wants one of the
client's, signed by CA) and TLS_WRONG (has the other certificate). It ends when its input does.

The path is /WHEN/CASE/TOKEN. CASE names a method of class Odd; WHEN says which of the requests for
the path get it: "always", "later" (from the second one on), "second" (that one only) or A-B (from
number A to number B); the others are answered properly. Byte i of the object is pattern(i). LOG has a line for each request:
LISTENER CONNECTION PATH RANGE AUTHORIZATION, and one when a connection ends, with bytes sent.
"""
import hashlib
import os
import re
import socket
import ssl
import struct
import sys
import threading
import time

SIZE = 300000
DATE = 'Sun, 06 Nov 1994 08:49:37 GMT'
PATIENCE = 60  # seconds that a stalled connection is kept


def pattern(first, count):
    return bytes((i * 7 + (i >> 8) * 13 + (i >> 16)) & 255 for i in range(first, first + count))


class Connection:
    def __init__(self, server, listener, number, sock):
        self.server, self.listener, self.number, self.sock = server, listener, number, sock
        self.buffer = b''
        self.sent = 0
        self.requests = 0

    def request(self):
        while b'\r\n\r\n' not in self.buffer:
            piece = self.sock.recv(65536)
            if not piece:
                return None
            self.buffer += piece
            if self.buffer[0] == 0x16:  # TLS, where none is spoken
                self.send('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n')
                return None
        head, self.buffer = self.buffer.split(b'\r\n\r\n', 1)
        lines = head.decode('latin-1').split('\r\n')
        fields = {}
        for line in lines[1:]:
            name, value = line.split(':', 1)
            fields[name.strip().lower()] = value.strip()
        return lines[0].split(' ')[1], fields

    def send(self, data):
        if isinstance(data, str):
            data = data.encode('latin-1')
        self.sock.sendall(data)
        self.sent += len(data)

    def run(self):
        try:
            self.sock.settimeout(PATIENCE)
            while True:
                r = self.request()
                if not r:
                    break
                self.requests += 1
                if not self.answer(*r):
                    break
        except (OSError, ValueError):
            pass
        self.server.log('end %d sent %d' % (self.number, self.sent))
        try:
            self.sock.close()
        except OSError:
            pass

    def answer(self, path, fields):
        parts = path.split('?')[0].split('/')
        n = self.server.count(path)
        self.server.log('%s %d %s %s %s' % (self.listener, self.number, path,
                                            fields.get('range', '-'),
                                            fields.get('authorization', '-')))
        when, case = parts[1], parts[2]
        first, _, last = {'always': '1-', 'later': '2-', 'second': '2-2'}.get(when, when).partition('-')
        odd = int(first) <= n and (not last or n <= int(last))
        reply = Odd(self, path, fields, n)
        method = getattr(reply, case.replace('-', '_') if odd else 'exact')
        return method() is not False  # False: the connection ends


class Odd:
    """One method for each way to answer. self.a to self.b is what was asked for."""

    def __init__(self, connection, path, fields, n):
        self.c, self.path, self.fields, self.n = connection, path, fields, n
        m = re.fullmatch(r'bytes=(\d+)-(\d+)', fields.get('range', ''))
        self.a, self.b = (int(m[1]), int(m[2])) if m else (0, SIZE - 1)
        self.b = min(self.b, SIZE - 1)

    def header(self, status='206 Partial Content', length='', content_range='', etag='"v1"',
               date=DATE, more=''):
        """'' = the right value, None = left out"""
        if length == '':
            length = self.b - self.a + 1
        if content_range == '':
            content_range = 'bytes %d-%d/%d' % (self.a, self.b, SIZE)
        h = 'HTTP/1.1 %s\r\n' % status
        for name, value in (('Content-Length', length), ('Content-Range', content_range),
                            ('ETag', etag), ('Last-Modified', date)):
            if value is not None:
                h += '%s: %s\r\n' % (name, value)
        self.c.send(h + more + '\r\n')

    def body(self, count=None):
        self.c.send(pattern(self.a, self.b - self.a + 1 if count is None else count))

    def wait(self):
        """Says no more, until the other side has had enough."""
        try:
            while self.c.sock.recv(65536):
                pass
        except OSError:
            pass
        return False

    def page(self, status, more='', size=20):
        self.c.send('HTTP/1.1 %s\r\nContent-Length: %d\r\n%s\r\n' % (status, size, more))
        self.c.send(b'x' * size)

    # --- right, in unusual ways
    def exact(self):
        self.header()
        self.body()

    def interim(self):
        self.c.send('HTTP/1.1 103 Early Hints\r\nContent-Range: bytes 7-8/9\r\n\r\n')
        self.exact()

    def chunked(self):
        self.header(length=None, more='Transfer-Encoding: chunked\r\n')
        data = pattern(self.a, self.b - self.a + 1)
        for i in range(0, len(data), 7000):
            piece = data[i:i + 7000]
            self.c.send(b'%x\r\n%s\r\n' % (len(piece), piece))
        self.c.send('0\r\nETag: "trailer"\r\n\r\n')

    def close_delimited(self):
        self.header(length=None, more='Connection: close\r\n')
        self.body()
        return False

    def slow_pieces(self):
        self.header()
        data = pattern(self.a, self.b - self.a + 1)
        for i in range(0, len(data), max(1, len(data) // 5)):
            self.c.send(data[i:i + max(1, len(data) // 5)])
            time.sleep(0.05)

    def weak_etag(self):
        self.header(etag='W/"v1"')
        self.body()

    def dead_keep_alive(self):
        if self.c.requests > 1:
            return False  # as a server does that dropped the connection just before
        self.exact()

    # --- range, length, form
    def wrong_start(self):
        self.header(content_range='bytes %d-%d/%d' % (self.a + 1, self.b + 1, SIZE))
        self.body()

    def less(self):
        self.header(content_range='bytes %d-%d/%d' % (self.a, self.b - 1, SIZE),
                    length=self.b - self.a)
        self.body(self.b - self.a)

    def wrong_total(self):
        self.header(content_range='bytes %d-%d/%d' % (self.a, self.b, SIZE + 5))
        self.body()

    def impossible_total(self):
        self.header(content_range='bytes %d-%d/%d' % (self.a, self.b, self.b))
        self.body()

    def no_total(self):
        self.header(content_range='bytes %d-%d/*' % (self.a, self.b))
        self.body()

    def no_content_range(self):
        self.header(content_range=None)
        self.body()

    def bad_content_range(self):
        self.header(content_range='bytes: all of them')
        self.body()

    def two_content_ranges(self):
        self.header(more='Content-Range: bytes 0-1/2\r\n')
        self.body()

    def ignores_range(self):
        """The whole file, a gigabyte: the log tells how much of it went out."""
        self.header(status='200 OK', length=1 << 30, content_range=None)
        for _ in range(1 << 14):
            self.c.send(b'x' * 65536)

    def whole_small_file(self):
        self.c.send('HTTP/1.1 200 OK\r\nContent-Length: 10\r\nETag: "s"\r\n\r\n')
        self.c.send(pattern(0, 10))

    def small_file(self):
        self.header(content_range='bytes 0-%d/10' % min(self.b, 9), length=min(self.b, 9) + 1)
        self.body(min(self.b, 9) + 1)

    def short_body(self):
        self.header()
        self.body((self.b - self.a) // 2)
        return False

    def short_body_unannounced(self):
        self.header(length=None, more='Connection: close\r\n')
        self.body((self.b - self.a) // 2)
        return False

    def third(self):
        """A third of what is asked for, a kilobyte at least, then a reset."""
        self.header()
        self.body(min(self.b - self.a + 1, max(1000, (self.b - self.a + 1) // 3)))
        time.sleep(0.05)
        self.c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        return False

    def short_then_changed(self):
        """What follows the first half is of another object."""
        return self.short_body() if self.n == 2 else self.changed_etag()

    def short_length(self):
        self.header(length=(self.b - self.a) // 2)
        self.body((self.b - self.a) // 2)

    def long_length(self):
        self.header(length=self.b - self.a + 1001)
        self.body(self.b - self.a + 1001)

    def long_body(self):
        self.header(length=None, more='Connection: close\r\n')
        self.body(self.b - self.a + 100001)
        return False

    def long_chunked(self):
        self.header(length=None, more='Transfer-Encoding: chunked\r\n')
        n = self.b - self.a + 1001
        self.c.send(b'%x\r\n%s\r\n0\r\n\r\n' % (n, pattern(self.a, n)))

    def gzip(self):
        self.header(more='Content-Encoding: gzip\r\n')
        self.body()

    def multipart(self):
        part = b'--x\r\nContent-Range: bytes 0-0/9\r\n\r\nx\r\n--x--\r\n'
        self.c.send('HTTP/1.1 206 x\r\nContent-Type: multipart/byteranges; boundary=x\r\n'
                    'Content-Length: %d\r\n\r\n' % len(part))
        self.c.send(part)

    def endless_header(self):
        self.c.send('HTTP/1.1 206 x\r\n')
        for _ in range(1 << 14):
            self.c.send('X-Filler: ' + 'x' * 1000 + '\r\n')

    def no_http(self):
        self.c.send('SSH-2.0-OpenSSH_9.2\r\n')
        return False

    # --- another object
    def changed_etag(self):
        self.header(etag='"v2"')
        self.body()

    def changed_date(self):
        self.header(date='Mon, 07 Nov 1994 08:49:37 GMT')
        self.body()

    def changed_size(self):
        self.header(content_range='bytes %d-%d/%d' % (self.a, self.b, SIZE * 2), etag='"v2"')
        self.body()

    def lost_validators(self):
        self.header(etag=None, date=None)
        self.body()

    def unsatisfiable(self):
        self.page('416 Range Not Satisfiable', 'Content-Range: bytes */5\r\n')

    def unsatisfiable_bare(self):
        self.page('416 Range Not Satisfiable')

    def precondition(self):
        self.page('412 Precondition Failed')

    def empty(self):
        self.page('200 OK', size=0)

    def empty_416(self):
        self.page('416 Range Not Satisfiable', 'Content-Range: bytes */0\r\n')

    # --- statuses
    def status(self):
        code = self.path.split('?')[0].split('/')[3]
        self.page(code + ' Status', size=0 if code in ('204', '304') else 20)

    def big_error_page(self):
        self.page('404 Not Found', size=1 << 26)

    def busy_seconds(self):
        self.page('429 Too Many Requests', 'Retry-After: 7\r\n')

    def busy_a_second(self):
        self.page('503 Service Unavailable', 'Retry-After: 1\r\n')

    def busy_date(self):
        self.page('503 Service Unavailable', 'Retry-After: %s\r\n' % DATE)

    def busy_garbage(self):
        self.page('503 Service Unavailable', 'Retry-After: when it suits you\r\n')

    # --- the connection
    def reset(self):
        self.header()
        self.body((self.b - self.a) // 2)
        time.sleep(0.1)
        self.c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        return False

    def hangs_up(self):
        return False

    def stall_before_header(self):
        return self.wait()

    def stall_in_header(self):
        self.c.send('HTTP/1.1 206 Partial Content\r\nContent-')
        return self.wait()

    def stall_after_header(self):
        self.header()
        return self.wait()

    def stall_in_body(self):
        self.header()
        self.body((self.b - self.a) // 2)
        return self.wait()

    def dribble(self):
        self.header()
        data = pattern(self.a, self.b - self.a + 1)
        for i in range(min(len(data), PATIENCE * 5)):
            self.c.send(data[i:i + 1])
            time.sleep(0.2)
        return False

    def dribble_header(self):
        """Never an end of it, but always something."""
        self.c.send('HTTP/1.1 206 Partial Content\r\n')
        for _ in range(PATIENCE * 5):
            self.c.send('X: y\r\n')
            time.sleep(0.2)
        return False

    def reset_at_once(self):
        self.c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        return False

    def reset_if_kept(self):
        return self.reset_at_once() if self.c.requests > 1 else self.exact()

    # --- redirects; /WHEN/redirect-…/STATUS/LISTENER/TOKEN
    def redirect(self):
        _, _, _, status, listener, token = self.path.split('/')
        host, port = self.c.server.places[listener]
        scheme = 'https' if listener.startswith('TLS') else 'http'
        self.page(status + ' Moved', 'Location: %s://%s:%d/always/exact/%s\r\n'
                  % (scheme, host, port, token))

    def redirect_to_login(self):
        host, port = self.c.server.places['OTHER']
        self.page('302 Found', 'Location: http://%s:%d/always/basic/%s\r\n'
                  % (host, port, self.path.split('/')[3]))

    def redirect_after_login(self):
        if self.fields.get('authorization', '').startswith('Basic '):
            _, _, _, listener, token = self.path.split('/')
            host, port = self.c.server.places[listener]
            return self.page('302 Found', 'Location: http://%s:%d/always/exact/%s\r\n'
                             % (host, port, token))
        return self.page('401 Unauthorized', 'WWW-Authenticate: Basic realm="x"\r\n')

    def redirect_loop(self):
        self.page('302 Found', 'Location: %s\r\n' % self.path)

    def redirect_file(self):
        self.page('302 Found', 'Location: file:///etc/passwd\r\n')

    def redirect_user(self):
        host, port = self.c.server.places['OTHER']
        self.page('302 Found', 'Location: http://user:secret@%s:%d/always/exact/x\r\n'
                  % (host, port))

    # --- log-in: user "me", password "secret"
    def basic(self):
        if self.fields.get('authorization') == 'Basic bWU6c2VjcmV0':
            return self.exact()
        return self.page('401 Unauthorized', 'WWW-Authenticate: Basic realm="x"\r\n')

    def digest(self):
        def md5(text):
            return hashlib.md5(text.encode()).hexdigest()
        given = dict(re.findall(r'(\w+)="?([^",]*)"?', self.fields.get('authorization', '')))
        if given.get('nonce') == 'once':
            want = md5(':'.join((md5('me:x:secret'), 'once', given.get('nc', ''),
                                 given.get('cnonce', ''), 'auth',
                                 md5('GET:' + given.get('uri', '')))))
            if want == given.get('response'):
                return self.exact()
        return self.page('401 Unauthorized', 'WWW-Authenticate: Basic realm="x"\r\n'
                         'WWW-Authenticate: Digest realm="x", nonce="once", qop="auth"\r\n')


class Server:
    def __init__(self, log):
        self.lock = threading.Lock()
        self.log_file = open(log, 'w', encoding='latin-1')
        self.counts = {}
        self.connections = 0
        self.places = {}

    def log(self, line):
        with self.lock:
            self.log_file.write(line + '\n')
            self.log_file.flush()

    def count(self, path):
        with self.lock:
            self.counts[path] = self.counts.get(path, 0) + 1
            return self.counts[path]

    def listen(self, name, host, context=None):
        listener = socket.create_server((host, 0), backlog=128)
        self.places[name] = (host, listener.getsockname()[1])
        threading.Thread(target=self.accept, args=(name, listener, context), daemon=True).start()

    def accept(self, name, listener, context):
        while True:
            sock, _ = listener.accept()
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.connections += 1
                number = self.connections
            threading.Thread(target=self.serve, args=(name, number, sock, context),
                             daemon=True).start()

    def serve(self, name, number, sock, context):
        if context:
            try:
                sock.settimeout(PATIENCE)
                sock = context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
                sock.do_handshake()
            except (OSError, ssl.SSLError):
                self.log('%s %d refused' % (name, number))
                try:  # let the alert arrive: closing with unread input would send a reset
                    sock.shutdown(socket.SHUT_WR)
                    while sock.recv(65536):
                        pass
                except OSError:
                    pass
                sock.close()
                return
        Connection(self, name, number, sock).run()


def tls(cert, key, client_ca=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    if client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_ca)
    return context


def main():
    ready, log = sys.argv[1:3]
    server = Server(log)
    server.listen('PLAIN', '127.0.0.1')
    server.listen('SECOND', '127.0.0.1')
    server.listen('OTHER', '127.0.0.2')
    if len(sys.argv) > 3:
        cert, key, ca, wrong_cert, wrong_key = sys.argv[3:8]
        server.listen('TLS', '127.0.0.1', tls(cert, key))
        server.listen('TLS_CLIENT', '127.0.0.1', tls(cert, key, ca))
        server.listen('TLS_WRONG', '127.0.0.1', tls(wrong_cert, wrong_key))
    with open(ready + '.new', 'w', encoding='ascii') as f:
        for name, (_, port) in server.places.items():
            f.write('%s=%d\n' % (name, port))
    os.rename(ready + '.new', ready)
    sys.stdin.read()


main()
