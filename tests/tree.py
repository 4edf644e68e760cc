# SPDX-License-Identifier: LGPL-2.1-or-later
"""Trees for the mount tests: makes random ones and compares a mount with its source.

    tree.py make DIR SEED [NODES]         a random tree; the same for the same seed
    tree.py compare SOURCE MOUNT [UMASK]  content and attributes, without regard to order
    tree.py identities MOUNT              "inode path" of everything, after checking that inode
                                          numbers are unique and those of readdir are those of stat
    tree.py variants MOUNT SEED           looks everything up by other spellings
    tree.py settle DIR                    gives everything times that a ZIP archive can hold: even
                                          seconds since 1980; directories those of the newest in them

Exit status 1 and one line for each difference if something is wrong.
"""
import os
import random
import stat
import sys

PROGRAMS = ('.exe', '.dll', '.com', '.bat', '.cmd')
BLOCKS = (4096, 16384, 32768, 65536)
WORDS = ('data', 'Setup', 'README', 'lib', 'Übung', 'Straße', 'Русский', 'ΕΛΛΗΝΙΚΑ', '日本語', 'ñandú',
         'Program Files', 'x', 'a.b.c', 'İstanbul', 'ǅ', '𐐀𐐨', '😀', "it's", '#%&+,;=@[]{}', '~tilde~1',
         'e\u0301', '-dash', '.hidden', 'trailing dot..', 'ſ', 'K\u212a', 'µ')
SUFFIXES = ('', '.txt', '.DLL', '.exe', '.Ini', '.cmd', '.日本')


def fold(c):
    """A character as the package compares it (see src/fold.h)."""
    upper = c.upper()
    if ord(c) > 0xffff or c == 'ß' or len(upper) != 1 or (ord(c) > 127 > ord(upper)):
        return c
    return upper


def fold_key(name):
    """Coarser than any one-to-one folding, so that what differs here differs everywhere."""
    return name.upper().casefold().upper()


def random_name(rng, taken):
    while True:
        kind = rng.random()
        if kind < 0.6:
            name = ''.join(rng.choice(WORDS) for _ in range(rng.randint(1, 2)))
            name += str(rng.randint(0, 99)) * rng.randint(0, 1) + rng.choice(SUFFIXES)
        elif kind < 0.9:
            name = ''.join(rng.choice('abcXYZ0123_-äЖ ') for _ in range(rng.randint(1, 12)))
            name = name.strip() or 'blank'
        else:
            limit = rng.choice((200, 254, 255))
            name = (rng.choice(('long', 'Lång', '長')) * 90).encode()[:limit].decode(errors='ignore')
            name = name[:-8] + '%08d' % rng.randint(0, 10**8 - 1)
        key = fold_key(name)
        if name not in ('.', '..') and len(name.encode()) <= 255 and key not in taken:
            taken.add(key)
            return name


def random_size(rng):
    kind = rng.random()
    if kind < 0.12:
        return 0
    if kind < 0.5:
        return rng.randint(1, 3000)
    if kind < 0.85:
        return max(0, rng.choice(BLOCKS) * rng.choice((1, 1, 2, 3, 5)) + rng.choice((-1, 0, 1, -17)))
    return rng.randint(1, 700000)


def random_content(rng, size, earlier):
    kind = rng.random()
    if kind < 0.15 and earlier:
        return rng.choice(earlier)           # an identical file
    if kind < 0.4:
        return rng.randbytes(size)           # does not compress
    if kind < 0.5:
        return bytes(size)
    if kind < 0.6 and earlier:               # shares blocks with another
        base = rng.choice(earlier)
        return (base + rng.randbytes(size))[:max(size, len(base) // 2)]
    line = rng.randbytes(rng.randint(3, 200)).hex().encode()
    return (line * (size // len(line) + 1))[:size]


def make(top, seed, nodes):
    rng = random.Random(seed)
    dirs, taken, earlier, made = [''], {'': set()}, [], []
    depth = {'': 0}
    for _ in range(nodes):
        parent = rng.choice(dirs[-6:] if rng.random() < 0.4 else dirs)
        name = random_name(rng, taken[parent])
        path = os.path.join(parent, name)
        if rng.random() < 0.22 and depth[parent] < 24 and len(path.encode()) < 2500:
            os.mkdir(os.path.join(top, path))
            dirs.append(path)
            taken[path] = set()
            depth[path] = depth[parent] + 1
        else:
            content = random_content(rng, random_size(rng), earlier)
            with open(os.path.join(top, path), 'wb') as f:
                f.write(content)
            earlier.append(content)
        made.append(path)
    # One directory with many entries, so that listing it takes several requests.
    many = os.path.join(top, 'many')
    if not os.path.exists(many) and 'MANY' not in taken['']:
        os.mkdir(many)
        for i in range(rng.choice((0, 1, 1500))):
            with open(os.path.join(many, 'Entry number %04d.dat' % i), 'wb') as f:
                f.write(b'%d\n' % i)
        made.append('many')
    for path in reversed(made):              # children first; a directory's own time last
        ns = rng.choice((rng.randint(0, 2**31 - 1) * 10**9, rng.randint(0, 4 * 10**18) // 100 * 100,
                         -rng.randint(1, 10**9) * 10**9))
        os.utime(os.path.join(top, path), ns=(ns, ns))
    print('%d directories, %d files, %d bytes' %
          (len(dirs), len(earlier), sum(len(c) for c in earlier)))


def settle(top):
    def visit(path):
        """The time that PATH gets; None for a directory without files."""
        if os.path.isdir(path) and not os.path.islink(path):
            times = [visit(path + b'/' + name) for name in os.listdir(path)]
            dirs.append((path, max((t for t in times if t is not None), default=None)))
            return dirs[-1][1]
        seconds = min(max(os.lstat(path).st_mtime_ns // 10**9, 315532800), 4354819198) // 2 * 2
        os.utime(path, ns=(seconds * 10**9,) * 2, follow_symlinks=False)
        return seconds
    dirs = []
    newest = visit(top)
    for path, seconds in dirs:
        seconds = newest if seconds is None else seconds
        if seconds is not None:
            os.utime(path, ns=(seconds * 10**9,) * 2)


def walk(top):
    """Yields relative paths of everything below TOP, and '' for itself."""
    todo = ['']
    while todo:
        rel = todo.pop()
        yield rel
        with os.scandir(os.path.join(top, rel)) as entries:
            for entry in entries:
                path = os.path.join(rel, entry.name)
                if entry.is_dir(follow_symlinks=False):
                    todo.append(path)
                else:
                    yield path


def expected_mode(path, st, mask):
    if stat.S_ISDIR(st.st_mode):
        return stat.S_IFDIR | (0o777 & ~mask)
    wanted = 0o777 if path.lower().endswith(PROGRAMS) and len(os.path.basename(path)) > 4 else 0o666
    return stat.S_IFREG | (wanted & ~mask)


def same_content(a, b):
    with open(a, 'rb') as x, open(b, 'rb') as y:
        while True:
            p, q = x.read(1 << 20), y.read(1 << 20)
            if p != q:
                return False
            if not p:
                return True


def compare(source, mount, mask):
    bad = []
    left, right = sorted(walk(source)), sorted(walk(mount))
    if left != right:
        bad += ['only in the source: ' + ascii(p) for p in sorted(set(left) - set(right))]
        bad += ['only in the mount: ' + ascii(p) for p in sorted(set(right) - set(left))]
        if len(right) != len(set(right)):
            bad.append('names listed twice')
    for path in sorted(set(left) & set(right)):
        s, m = os.lstat(os.path.join(source, path)), os.lstat(os.path.join(mount, path))
        def differ(what, want, got):
            if want != got:
                bad.append('%s of %s: %s instead of %s' % (what, ascii(path), got, want))
        differ('mode', oct(expected_mode(path, s, mask)), oct(m.st_mode))
        if path:
            differ('mtime', s.st_mtime_ns // 100, m.st_mtime_ns // 100)
        differ('link count', 1, m.st_nlink)
        if stat.S_ISREG(s.st_mode):
            differ('size', s.st_size, m.st_size)
            if not same_content(os.path.join(source, path), os.path.join(mount, path)):
                bad.append('content of %s differs' % ascii(path))
    return bad


def identities(mount):
    bad, seen = [], {}
    for path in walk(mount):
        st = os.lstat(os.path.join(mount, path))
        if st.st_ino in seen:
            bad.append('inode %d is %s and %s' % (st.st_ino, ascii(path), ascii(seen[st.st_ino])))
        seen[st.st_ino] = path
        if stat.S_ISDIR(st.st_mode):
            with os.scandir(os.path.join(mount, path)) as entries:
                for entry in entries:
                    ino = os.lstat(entry.path).st_ino
                    if entry.inode() != ino:
                        bad.append('readdir says inode %d, stat %d: %s' %
                                   (entry.inode(), ino, ascii(entry.path)))
    for ino in sorted(seen):
        print(ino, ascii(seen[ino]))
    return bad


def random_case(rng, name):
    out = []
    for c in name:
        other = rng.choice((c.upper(), c.lower(), c))
        out.append(other if len(other) == 1 and fold(other) == fold(c) else c)
    return ''.join(out)


def variants(mount, seed):
    rng, bad = random.Random(seed), []
    for path in walk(mount):
        want = os.lstat(os.path.join(mount, path)).st_ino
        other = os.path.join(mount, *[random_case(rng, part) for part in path.split('/')])
        try:
            got = os.lstat(other).st_ino
        except OSError as e:
            bad.append('%s is not found as %s: %s' % (ascii(path), ascii(other), e.strerror))
            continue
        if got != want:
            bad.append('%s as %s has another inode' % (ascii(path), ascii(other)))
    for path in [p for p in walk(mount)][:200]:
        missing = os.path.join(mount, path + '-no such name')
        if len(os.path.basename(missing).encode()) <= 255 and os.path.exists(missing):
            bad.append('exists: ' + ascii(missing))
    return bad


def main(argv):
    command, args = argv[1], argv[2:]
    if command == 'make':
        make(args[0], int(args[1]), int(args[2]) if len(args) > 2 else 300)
        return 0
    if command == 'settle':
        settle(os.path.abspath(args[0]).encode())
        return 0
    if command == 'compare':
        bad = compare(args[0], args[1], int(args[2], 8) if len(args) > 2 else 0o022)
    elif command == 'identities':
        bad = identities(args[0])
    elif command == 'variants':
        bad = variants(args[0], int(args[1]))
    else:
        raise SystemExit(__doc__)
    for line in bad[:20]:
        print(line if len(line) < 300 else line[:150] + '...' + line[-150:], file=sys.stderr)
    if len(bad) > 20:
        print('and %d more' % (len(bad) - 20), file=sys.stderr)
    return 1 if bad else 0


if __name__ == '__main__':
    # Names are compared as bytes would be, whatever the locale.
    sys.exit(main(sys.argv))
