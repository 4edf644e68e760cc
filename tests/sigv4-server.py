#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A bucket that takes only requests with a right AWS Signature V4, for tests/it-024-http-sigv4.sh.

    sigv4-server.py READY LOG OBJECT

Recomputes each signature with botocore, from what it understood of the request as S3 does: the path
and the parameters are decoded and encoded again. The key is AKTEST with the secret below; the region
eu-test-1; the service is s3, and execute-api under /api/. Under /token/ the session token has to be
signed, too. Under /late/ the clock is an hour ahead, so that every request has expired. /moved
redirects to OTHER. Everything else is the file OBJECT. Writes PLAIN and OTHER (ports on 127.0.0.1
and 127.0.0.2) to READY; LOG has a line for each request: LISTENER STATUS REASON PATH RANGE, and the
names of the headers that nobody but the first host may see. Ends when its input does.
"""
import datetime
import hmac
import http.server
import os
import re
import sys
import threading
import urllib.parse

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

KEY, SECRET, TOKEN, REGION = 'AKTEST', 'the/secret+of the test', 'token/of+the=test', 'eu-test-1'
FORM = re.compile(r'AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, *'
                  r'SignedHeaders=([a-z0-9;-]+), *Signature=([0-9a-f]{64})')
CONTENT = b''


def refusal(method, path, headers):
    """Why the request is not to be answered; None if it is."""
    m = FORM.fullmatch(headers.get('Authorization', ''))
    if not m:
        return 'no-signature'
    key, day, region, service, signed, signature = m.groups()
    parts = urllib.parse.urlsplit(path)
    if key != KEY:
        return 'unknown-key'
    if (region, service) != (REGION, 'execute-api' if parts.path.startswith('/api/') else 's3'):
        return 'wrong-scope'
    signed = signed.split(';')
    needed = ['host', 'x-amz-date'] + ['x-amz-content-sha256'] * (service == 's3')
    if parts.path.startswith('/token/'):
        needed.append('x-amz-security-token')
        if headers.get('x-amz-security-token') != TOKEN:
            return 'no-token'
    if any(name not in signed or name not in headers for name in needed):
        return 'unsigned-header'
    stamp = headers['x-amz-date']
    then = datetime.datetime.strptime(stamp, '%Y%m%dT%H%M%SZ')
    now = datetime.datetime.utcnow() + datetime.timedelta(hours=parts.path.startswith('/late/'))
    if stamp[:8] != day or abs(now - then) > datetime.timedelta(minutes=15):
        return 'expired'
    plain = urllib.parse.quote(urllib.parse.unquote_to_bytes(parts.path), safe='/~')
    params = [tuple(map(urllib.parse.unquote, (p + '=').split('=')[:2]))
              for p in parts.query.split('&') if p]
    request = AWSRequest(method, 'http://ignored' + plain, params=params,
                         headers={name: headers[name] for name in signed})
    request.context['timestamp'] = stamp
    auth = (S3SigV4Auth if service == 's3' else SigV4Auth)(Credentials(KEY, SECRET), service, REGION)
    want = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    return None if hmac.compare_digest(want, signature) else 'wrong-signature'


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def log_message(self, *args):
        pass

    def note(self, status, reason):
        secret = [n for n in ('authorization', 'x-amz-security-token') if n in self.headers]
        with self.server.lock, open(self.server.log, 'a', encoding='utf-8') as f:
            f.write('%s %d %s %s %s %s\n' % (self.server.name, status, reason, self.path,
                                             self.headers.get('Range', '-'), ','.join(secret)))

    def answer(self, status, reason, headers, body=b''):
        self.note(status, reason)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        reason = refusal('GET', self.path, self.headers)
        if reason and self.server.name == 'PLAIN':
            return self.answer(403, reason, {})
        if self.path == '/moved':
            return self.answer(307, 'moved', {'Location': self.server.other + '/object'})
        m = re.fullmatch(r'bytes=(\d+)-(\d+)', self.headers.get('Range', ''))
        if not m:
            return self.answer(200, 'whole', {}, CONTENT)
        first, last = int(m[1]), min(int(m[2]), len(CONTENT) - 1)
        return self.answer(206, 'ok', {'Content-Range': 'bytes %d-%d/%d'
                                       % (first, last, len(CONTENT)), 'ETag': '"one"'},
                           CONTENT[first:last + 1])


def main():
    global CONTENT
    ready, log, content = sys.argv[1:4]
    with open(content, 'rb') as f:
        CONTENT = f.read()
    lock = threading.Lock()
    servers = {}
    for name, host in (('OTHER', '127.0.0.2'), ('PLAIN', '127.0.0.1')):
        s = http.server.ThreadingHTTPServer((host, 0), Handler)
        s.daemon_threads = True
        s.name, s.log, s.lock = name, log, lock
        s.other = 'http://127.0.0.2:%d' % (servers['OTHER'] if servers else s.server_address[1])
        servers[name] = s.server_address[1]
        threading.Thread(target=s.serve_forever, daemon=True).start()
    with open(ready + '.new', 'w', encoding='ascii') as f:
        for name, port in servers.items():
            f.write('%s=%d\n' % (name, port))
    os.rename(ready + '.new', ready)
    sys.stdin.read()


main()
