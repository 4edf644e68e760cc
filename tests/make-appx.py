#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes packages as makeappx and the App-V sequencer do, and such as they should not, for tests.

    make-appx.py DIR OUT [--appv] [--hash sha256|sha384|sha512] [--utf16 | --utf16-bom] [--store]
                 [--zip32] [--no-sizes | --wrong-sizes] [--continuous] [--short-descriptors] [--extra N]
                 [--prefix N] [--comment N]
                 [--wrong PATH] [--stream-map PATH[:FIRST:COUNT],...] [--short NAME=SHORT,...]
                 [--name NAME] [--publisher DN] [--version V] [--executable PATH] [--registry FILE]
                 [--many N] [--hole BYTES] [--resource-id ID]

    make-appx.py --bundle|--flat-bundle OUT ARCH=PACKAGE|resource:ID=PACKAGE...

DIR is the payload (for --appv what is below Root/). --wrong: the block map has another hash for this
file's first block. --no-sizes: the block map does not say how long compressed blocks are; --wrong-sizes:
it says so, but of other blocks. --continuous: files are compressed as a whole, as ordinary ZIP programs do,
and the map has no sizes. --many: N small files more, many/0/0 and so on, 1000 in a directory. --hole: one more,
hole.bin, of so many zeros, stored, which take no room on the disk. --executable: for --appv several, with
commas. --registry: FILE is App-V's Registry.dat, beside Root.
"""
import argparse
import base64
import hashlib
import os
import struct
import sys
import zlib
from xml.sax.saxutils import quoteattr

BLOCK = 65536
URIS = {'sha256': 'http://www.w3.org/2001/04/xmlenc#sha256',
        'sha384': 'http://www.w3.org/2001/04/xmldsig-more#sha384',
        'sha512': 'http://www.w3.org/2001/04/xmlenc#sha512'}
PLAIN = b'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/'
TIME = 0x6000 | 0x5a21 << 16  # 2025-01-01 12:00


def encode(path):
    if path == '[Content_Types].xml':  # never encoded
        return path.encode()
    return b''.join(bytes([c]) if c in PLAIN else b'%%%02X' % c for c in path.encode())


def deflate(data, continuous):
    """The blocks of DATA, each flushed, and the end mark."""
    if continuous:
        c = zlib.compressobj(6, zlib.DEFLATED, -15)
        return [c.compress(data) + c.flush(zlib.Z_FINISH)] * -(-len(data) // BLOCK), None
    c = zlib.compressobj(6, zlib.DEFLATED, -15)
    blocks = [c.compress(data[i:i + BLOCK]) + c.flush(zlib.Z_FULL_FLUSH)
              for i in range(0, len(data), BLOCK)]
    return blocks, c.flush(zlib.Z_FINISH)


class Zeros:
    """So many of them, of which only the digests of blocks are wanted."""
    def __init__(self, size):
        self.size, self.known = size, {}

    def __len__(self):
        return self.size

    def digest(self, name, at):
        n = min(BLOCK, self.size - at)
        if n not in self.known:
            self.known[n] = hashlib.new(name, bytes(n)).digest()
        return self.known[n]


class Writer:
    def __init__(self, out, o):
        self.out, self.o, self.central, self.count = out, o, [], 0
        out.write(b'M' * o.prefix)
        self.files = []  # of the block map
        self.names = []  # as they are in the archive

    def tell(self):
        return self.out.tell() - self.o.prefix

    def add(self, path, data, store=False, mapped=True):
        o, local, name = self.o, self.tell(), encode(path)
        self.names.append(name)
        if store:
            blocks, end = [data[i:i + BLOCK] for i in range(0, len(data), BLOCK)], b''
        else:
            blocks, end = deflate(data, o.continuous)
        stored = b''.join(blocks) + end if end is not None else b''.join(blocks[:1]) or b'\3\0'
        wide = not o.zip32
        crc = zlib.crc32(data)
        extra = b'\xfe\xca' + struct.pack('<H', o.extra - 4) + bytes(o.extra - 4) if o.extra else b''
        self.out.write(struct.pack('<IHHHIIIIHH', 0x04034b50, 45, 8, 0 if store else 8, TIME,
                                   0, 0, 0, len(name), len(extra)) + name + extra + stored)
        narrow = o.zip32 or o.short_descriptors
        self.out.write(struct.pack('<IIII' if narrow else '<IIQQ', 0x08074b50, crc, len(stored),
                                   len(data)))
        entry_extra = struct.pack('<HHQQQ', 1, 24, len(data), len(stored), local) if wide else b''
        some = 0xffffffff
        self.central.append(struct.pack(
            '<IHHHHIIIIHHHHHII', 0x02014b50, 45, 45, 8, 0 if store else 8, TIME, crc,
            some if wide else len(stored), some if wide else len(data), len(name),
            len(entry_extra), 0, 0, 0, 0, some if wide else local) + name + entry_extra)
        if mapped:
            self.files.append((path, data, 30 + len(name) + len(extra),
                               [] if store or o.continuous else [len(b) for b in blocks]))

    def add_hole(self, path, size):
        """A stored file of zeros; its descriptor and its entry have 64-bit numbers."""
        local, name = self.tell(), encode(path)
        self.names.append(name)
        self.out.write(struct.pack('<IHHHIIIIHH', 0x04034b50, 45, 8, 0, TIME, 0, 0, 0, len(name), 0) + name)
        self.out.seek(size, os.SEEK_CUR)
        crc = 0  # nobody checks it: blocks have hashes
        self.out.write(struct.pack('<IIQQ', 0x08074b50, crc, size, size))
        some = 0xffffffff
        extra = struct.pack('<HHQQQ', 1, 24, size, size, local)
        self.central.append(struct.pack('<IHHHHIIIIHHHHHII', 0x02014b50, 45, 45, 8, 0, TIME, crc, some, some,
                                        len(name), len(extra), 0, 0, 0, 0, some) + name + extra)
        self.files.append((path, Zeros(size), 30 + len(name), []))

    def block_map(self):
        o = self.o
        text = ('<?xml version="1.0" encoding="%s" standalone="no"?>\r\n<BlockMap xmlns='
                '"http://schemas.microsoft.com/appx/2010/blockmap" HashMethod="%s">' %
                ('UTF-16' if o.utf16 or o.utf16_bom else 'UTF-8', URIS[o.hash]))
        for path, data, header, sizes in self.files:
            text += '<File Name=%s Size="%d" LfhSize="%d">' % (
                quoteattr(path.replace('/', '\\')), len(data), header)
            for k in range(0, len(data), BLOCK):
                digest = data.digest(o.hash, k) if isinstance(data, Zeros) else \
                    hashlib.new(o.hash, data[k:k + BLOCK]).digest()
                if k == 0 and path == o.wrong:
                    digest = digest[1:] + digest[:1]
                size = sizes[k // BLOCK] + o.wrong_sizes if sizes and not o.no_sizes else None
                size = ' Size="%d"' % size if size is not None else ''
                text += '<Block Hash="%s"%s/>' % (base64.b64encode(digest).decode(), size)
            text += '</File>'
        text += '</BlockMap>'
        if o.utf16_bom:
            return b'\xff\xfe' + text.encode('utf-16-le')
        return text.encode('utf-16-le' if o.utf16 else 'utf-8')

    def end(self):
        o, at, central = self.o, self.tell(), b''.join(self.central)
        count = len(self.central)
        self.out.write(central)
        end64 = self.tell()
        if not o.zip32:
            self.out.write(struct.pack('<IQHHIIQQQQ', 0x06064b50, 44, 45, 45, 0, 0, count, count,
                                       len(central), at))
            self.out.write(struct.pack('<IIQI', 0x07064b50, 0, end64, 1))
            count, size, at = 0xffff, 0xffffffff, 0xffffffff
        else:
            size = len(central)
        self.out.write(struct.pack('<IHHHHIIH', 0x06054b50, 0, 0, count, count, size, at,
                                   o.comment) + b'c' * o.comment)


def appv_applications(o):
    text = ''
    for target in o.executable.split(',') if o.executable else ():
        text += ('<appv:Application Id=%s Origin="Application"><appv:Target>%s</appv:Target>'
                 '<appv:VisualElements><appv:Name>%s</appv:Name></appv:VisualElements>'
                 '</appv:Application>' % (quoteattr(target), target, target.split('\\')[-1]))
    return '<appv:Applications>%s</appv:Applications>' % text if text else ''


def manifest(o):
    if o.appv:
        return ('<?xml version="1.0" encoding="utf-8"?><Package IgnorableNamespaces="appv" '
                'xmlns="http://schemas.microsoft.com/appx/2010/manifest" xmlns:appv='
                '"http://schemas.microsoft.com/appv/2010/manifest"><Identity Name=%s Publisher=%s '
                'Version=%s appv:PackageId="11111111-2222-3333-4444-555555555555" '
                'appv:VersionId="66666666-7777-8888-9999-aaaaaaaaaaaa"/>'
                '<Properties><DisplayName>%s</DisplayName></Properties>%s</Package>' % (
                    quoteattr(o.name), quoteattr(o.publisher), quoteattr(o.version), o.name,
                    appv_applications(o))).encode()
    application = ('<Applications><Application Id="App" Executable=%s EntryPoint='
                   '"Windows.FullTrustApplication"/></Applications>' % quoteattr(o.executable)
                   if o.executable else '')
    return ('<?xml version="1.0" encoding="utf-8"?><Package xmlns='
            '"http://schemas.microsoft.com/appx/manifest/foundation/windows10">'
            '<Identity Name=%s Publisher=%s Version=%s ProcessorArchitecture="x64"%s/>'
            '<Properties><DisplayName>%s</DisplayName></Properties>%s</Package>' % (
                quoteattr(o.name), quoteattr(o.publisher), quoteattr(o.version),
                ' ResourceId=%s' % quoteattr(o.resource_id) if o.resource_id else '', o.name,
                application)).encode()


def metadata(o, top):
    short = dict(x.split('=', 1) for x in o.short.split(',')) if o.short else {}
    empty = []

    def entries(path, relative):
        text = ''
        names = sorted(os.listdir(path))
        if not names and relative:
            empty.append(relative)
        for name in names:
            inside = entries(os.path.join(path, name), relative + '\\' + name if relative else name) \
                if os.path.isdir(os.path.join(path, name)) else ''
            attributes = ' Long=%s' % quoteattr(name)
            if name in short:
                attributes += ' Short=%s' % quoteattr(short[name])
            if inside or not os.path.isdir(os.path.join(path, name)):
                text += '<Entry%s>%s</Entry>' % (attributes, inside)
        return text
    text = entries(top, '')
    text = ('<?xml version="1.0" encoding="utf-8"?><Metadata xmlns='
            '"http://schemas.microsoft.com/appv/2010/FilesystemMetadata"><Filesystem Root="C:\\try" '
            'Short="C:\\try">%s</Filesystem><EmptyDirectories>' % text)
    for path in empty:
        text += '<Entry Long=%s/>' % quoteattr(path)
    return (text + '</EmptyDirectories></Metadata>').encode()


def stream_map(o):
    text = ('<?xml version="1.0" encoding="utf-8"?><StreamMap xmlns='
            '"http://schemas.microsoft.com/appv/2010/streammap"><FeatureBlock Id='
            '"PrimaryFeatureBlock">')
    for item in o.stream_map.split(','):
        path, *blocks = item.split(':')
        inside = '<Blocks Index="%s" Count="%s"/>' % tuple(blocks) if blocks else ''
        text += '<File Name=%s>%s</File>' % (quoteattr('Root\\' + path.replace('/', '\\')), inside)
    return (text + '</FeatureBlock></StreamMap>').encode()


def content_types(w):
    text = ('<?xml version="1.0" encoding="UTF-8"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/'
            'content-types">')
    for name in w.names:
        text += '<Override PartName="/%s" ContentType="application/octet-stream"/>' % name.decode()
    return (text + '</Types>').encode()


def bundle(out, packages, flat):
    o = argparse.Namespace(zip32=True, extra=0, prefix=0, comment=0, short_descriptors=False,
                           hash='sha256', utf16=False, utf16_bom=False, wrong=None, no_sizes=False,
                           wrong_sizes=False, continuous=False)
    text = ('<?xml version="1.0" encoding="UTF-8"?><Bundle xmlns="http://schemas.microsoft.com/appx/'
            '2013/bundle" SchemaVersion="1.0"><Identity Name="Try" Publisher="CN=Sample" '
            'Version="1.0.0.0"/><Packages>')
    with open(out, 'wb') as f:
        w = Writer(f, o)
        for item in packages:
            kind, path = item.split('=', 1)
            name = os.path.basename(path)
            with open(path, 'rb') as inner:
                data = inner.read()
            what = ('Type="resource" ResourceId=%s' % quoteattr(kind[len('resource:'):])
                    if kind.startswith('resource:') else 'Type="application" Architecture=%s' % quoteattr(kind))
            place = '' if flat else ' Offset="%d"' % (w.tell() + 30 + len(encode(name)))
            text += '<Package %s Version="1.0.0.0" FileName=%s%s Size="%d"/>' % (
                what, quoteattr(name), place, len(data))
            if not flat:
                w.add(name, data, store=True, mapped=False)
        w.add('AppxMetadata/AppxBundleManifest.xml', (text + '</Packages></Bundle>').encode())
        w.add('AppxBlockMap.xml', w.block_map(), mapped=False)
        w.add('[Content_Types].xml', content_types(w), mapped=False)
        w.end()


def main():
    if sys.argv[1:2] in (['--bundle'], ['--flat-bundle']):
        bundle(sys.argv[2], sys.argv[3:], sys.argv[1] == '--flat-bundle')
        return
    p = argparse.ArgumentParser()
    p.add_argument('dir')
    p.add_argument('out')
    for flag in ('appv', 'utf16', 'utf16-bom', 'store', 'zip32', 'no-sizes', 'wrong-sizes', 'continuous',
                 'short-descriptors'):
        p.add_argument('--' + flag, action='store_true')
    for number in ('extra', 'prefix', 'comment', 'many', 'hole'):
        p.add_argument('--' + number, type=int, default=0)
    p.add_argument('--hash', default='sha256', choices=URIS)
    p.add_argument('--wrong')
    p.add_argument('--stream-map')
    p.add_argument('--short')
    p.add_argument('--name', default='Try.It')
    p.add_argument('--resource-id')
    p.add_argument('--publisher', default='CN=Sample')
    p.add_argument('--version', default='1.2.3.4')
    p.add_argument('--executable')
    p.add_argument('--registry')
    o = p.parse_args()
    paths = sorted(os.path.relpath(os.path.join(d, f), o.dir)
                   for d, _, files in os.walk(o.dir) for f in files)
    with open(o.out, 'wb') as out:
        w = Writer(out, o)
        if o.appv:
            w.add('FilesystemMetadata.xml', metadata(o, o.dir))
        if o.registry:
            with open(o.registry, 'rb') as f:
                w.add('Registry.dat', f.read())
        for path in paths:
            with open(os.path.join(o.dir, path), 'rb') as f:
                w.add(('Root/' if o.appv else '') + path, f.read(), store=o.store)
        for n in range(o.many):
            w.add('%smany/%d/%d' % ('Root/' if o.appv else '', n // 1000, n), b'file %d\n' % n)
        if o.hole:
            w.add_hole(('Root/' if o.appv else '') + 'hole.bin', o.hole)
        if o.stream_map:
            w.add('StreamMap.xml', stream_map(o))
        w.add('AppxManifest.xml', manifest(o))
        w.add('AppxBlockMap.xml', w.block_map(), mapped=False)
        w.add('[Content_Types].xml', content_types(w), mapped=False)
        w.end()


main()
