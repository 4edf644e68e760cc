# SPDX-License-Identifier: LGPL-2.1-or-later
"""Clients of a control socket that do not behave:

    control-clients.py ask SOCKET REQUEST
        prints the reply to one request, as it comes
    control-clients.py odd SOCKET
        requests of the worst kind; each must get an error or an end, and the next well-behaved
        client its answer
    control-clients.py hold SOCKET READY
        many that are silent, slow or follow without reading, until the mount ends; creates the file
        READY when all are there
"""
import socket
import sys


def connect(path):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.connect(path)
    s.settimeout(60)
    return s


def read_all(s):
    data = b''
    while True:
        try:
            more = s.recv(65536)
        except ConnectionResetError:
            return data
        if not more:
            return data
        data += more


def ask(path, request):
    s = connect(path)
    s.sendall(request)
    return read_all(s)


def odd(path):
    for request in (b'\n', b' \n', b'nonsense\n', b'status\0\n', b'status\r\n', b'\xff\xfe\n',
                    b'x' * 255 + b'\n', b'x' * 256, b'x' * 100000, b'stats\n' * 1000,
                    b'log lines=-1\n', b'log lines=99999999999999999999\n', b'loglevel \n',
                    b'loglevel x\n', b'%n%s%n\n'):
        try:
            reply = ask(path, request)
        except (BrokenPipeError, ConnectionResetError):
            reply = b''
        first = reply.split(b'\n')[0]
        if reply and first != b'ok' and not first.startswith(b'error invalid '):
            sys.exit('%r got %r' % (request[:40], first))
        if reply and (b'x' * 45 in reply or b'\0' in reply):
            sys.exit('%r is sent back' % request[:40])
    connect(path).close()
    half = connect(path)
    half.sendall(b'stat')
    half.shutdown(socket.SHUT_WR)
    if read_all(half) != b'':
        sys.exit('half a request got a reply')
    # The end of what a client says is not the end of what it wants to hear.
    s = connect(path)
    s.sendall(b'ping\n')
    s.shutdown(socket.SHUT_WR)
    if read_all(s) != b'ok\nend\n':
        sys.exit('no answer to a client that had closed its side')
    # In pieces.
    s = connect(path)
    for c in b'ping\n':
        s.sendall(bytes([c]))
    if read_all(s) != b'ok\nend\n':
        sys.exit('no answer to a request in pieces')


def hold(path, ready):
    held = []
    for i in range(40):
        held.append(connect(path))
    for i in range(60):
        s = connect(path)
        s.sendall(b'log follow\n' if i % 2 else b'log\n')
        held.append(s)
    open(ready, 'w').close()
    for s in held:
        s.settimeout(600)
        read_all(s)


if sys.argv[1] == 'ask':
    sys.stdout.buffer.write(ask(sys.argv[2], sys.argv[3].encode() + b'\n'))
elif sys.argv[1] == 'odd':
    odd(sys.argv[2])
else:
    hold(sys.argv[2], sys.argv[3])
