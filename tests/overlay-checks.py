# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a program may do on a mount with an overlay.

overlay-checks.py MOUNT SOURCE OVERLAY CHECK...

MOUNT shows the package made from SOURCE (see it-050-overlay-mount.sh), OVERLAY is the directory
with the changes. Each check leaves things behind under names of its own only, except those that
say what they change.
"""
import ctypes, errno, fcntl, mmap, os, stat, subprocess, sys, threading, time

MNT, SRC, OVL = sys.argv[1:4]
BLOCK = 65536
libc = ctypes.CDLL(None, use_errno=True)


def p(name):
    return os.path.join(MNT, name)


def settle():
    """Old kernels are told of other spellings after the change has been answered."""
    if 'OVERLAY_CHECKS_WAIT' in os.environ:
        time.sleep(0.005)


def content(name):
    settle()
    with open(p(name), 'rb') as f:
        return f.read()


def put(name, data, mode='wb'):
    with open(p(name), mode) as f:
        f.write(data)


def source(name):
    with open(os.path.join(SRC, name), 'rb') as f:
        return f.read()


def same(a, b, what=''):
    if a != b:
        raise AssertionError('%s: %r instead of %r' % (what, a if len(repr(a)) < 200 else '...',
                                                      b if len(repr(b)) < 200 else '...'))


def fails(number, call, *args, **kw):
    settle()
    try:
        call(*args, **kw)
    except OSError as e:
        same(errno.errorcode[e.errno], errno.errorcode[number], str(call))
        return
    raise AssertionError('%s%r did not fail' % (call, args))


def listed(name=''):
    settle()
    return sorted(os.listdir(p(name)))


def renameat2(a, b, flags):
    if libc.syscall(316 if os.uname().machine == 'x86_64' else 276, -100, p(a).encode(), -100,
                    p(b).encode(), flags):
        raise OSError(ctypes.get_errno(), 'renameat2')


def upper_bytes(name):
    return os.stat(os.path.join(OVL, 'files', name)).st_blocks * 512


# ---- plain use ---------------------------------------------------------------------------------

def check_basic():
    put('b-new', b'one')
    same(content('b-new'), b'one')
    put('b-new', b'two', 'ab')
    same(content('b-new'), b'onetwo')
    put('b-new', b'x')
    same(content('b-new'), b'x')
    os.truncate(p('b-new'), 10000)
    same(content('b-new'), b'x' + bytes(9999))
    os.mkdir(p('b-dir'))
    fails(errno.EEXIST, os.mkdir, p('b-dir'))
    put('b-dir/f', b'1')
    fails(errno.ENOTEMPTY, os.rmdir, p('b-dir'))
    os.symlink('f', p('b-dir/l'))
    same(os.readlink(p('b-dir/l')), 'f')
    same(content('b-dir/l'), b'1')
    os.mkfifo(p('b-dir/fifo'))
    same(stat.S_ISFIFO(os.lstat(p('b-dir/fifo')).st_mode), True)
    same(sorted(os.listdir(p('b-dir'))), ['f', 'fifo', 'l'])
    for n in ('f', 'fifo', 'l'):
        os.unlink(p('b-dir/' + n))
    os.rmdir(p('b-dir'))
    fails(errno.ENOENT, os.stat, p('b-dir'))
    os.unlink(p('b-new'))
    fails(errno.ENOENT, os.stat, p('b-new'))
    # A file of the package.
    inode = os.stat(p('basic/file')).st_ino
    put('basic/file', b'more', 'ab')
    same(content('basic/file'), source('basic/file') + b'more')
    same(os.stat(p('basic/file')).st_ino, inode, 'inode after copy-up')
    os.chmod(p('basic/file'), 0o600)
    same(os.stat(p('basic/file')).st_mode & 0o7777, 0o600)
    os.utime(p('basic/other'), ns=(123456789, 987654321))
    same(os.stat(p('basic/other')).st_mtime_ns, 987654321)
    same(content('basic/other'), source('basic/other'))
    os.unlink(p('basic/gone'))
    fails(errno.ENOENT, os.stat, p('basic/gone'))
    same('gone' in listed('basic'), False)
    put('basic/gone', b'again')
    same(content('basic/gone'), b'again')
    same(os.stat(MNT).st_nlink, 1)
    os.statvfs(MNT)


def check_modes():
    put('m-file', b'')
    same(os.stat(p('m-file')).st_mode & 0o7777, 0o666 & ~UMASK)
    os.chmod(p('m-file'), 0o444)
    if os.getuid():
        fails(errno.EACCES, open, p('m-file'), 'wb')
    os.chmod(p('m-file'), 0o4755)
    put('m-file', b'x')
    same(os.stat(p('m-file')).st_mode & 0o7777, 0o755 if os.getuid() else 0o4755)
    fails(errno.EPERM, os.mknod, p('m-dev'), 0o600 | stat.S_IFCHR, os.makedev(1, 3))
    if os.getuid():
        fails(errno.EPERM, os.chown, p('m-file'), 12345, 12345)
    else:
        os.chmod(p('m-file'), 0o6755)
        os.chown(p('m-file'), 12345, 12346)
        st = os.stat(p('m-file'))
        same((st.st_uid, st.st_gid, st.st_mode & 0o7777), (12345, 12346, 0o755))
    os.unlink(p('m-file'))


def check_renames():
    inode = os.stat(p('ren/a')).st_ino
    os.rename(p('ren/a'), p('ren/a2'))
    same(content('ren/a2'), source('ren/a'))
    same(os.stat(p('ren/a2')).st_ino, inode, 'inode after rename')
    fails(errno.ENOENT, os.stat, p('ren/a'))
    os.rename(p('ren/a2'), p('ren/b'))         # over a file of the package
    same(content('ren/b'), source('ren/a'))
    put('r-new', b'n')
    os.rename(p('r-new'), p('ren/b'))
    same(content('ren/b'), b'n')
    inode = os.stat(p('ren/dir/deep')).st_ino
    os.rename(p('ren/dir'), p('r-dir'))        # a directory of the package
    same(content('r-dir/deep/file'), source('ren/dir/deep/file'))
    same(os.stat(p('r-dir/deep')).st_ino, inode)
    fails(errno.ENOENT, os.listdir, p('ren/dir'))
    os.mkdir(p('ren/dir'))                     # nothing of the old one shows through
    same(listed('ren/dir'), [])
    fails(errno.ENOTEMPTY, os.rename, p('ren/dir'), p('r-dir'))
    fails(errno.EINVAL, os.rename, p('r-dir'), p('r-dir/deep/x'))
    os.rename(p('r-dir'), p('ren/dir'))        # onto an empty one
    same(content('ren/dir/deep/file'), source('ren/dir/deep/file'))
    fails(errno.EEXIST, renameat2, 'ren/b', 'ren/c', 1)
    renameat2('ren/b', 'ren/c', 2)
    same((content('ren/b'), content('ren/c')), (source('ren/c'), b'n'))
    renameat2('ren/dir', 'ren/c', 2)
    same((listed('ren/c'), content('ren/dir')), (['deep'], b'n'))
    fails(errno.EINVAL, renameat2, 'ren/b', 'ren/d', 4)
    renameat2('ren/b', 'ren/d', 1)
    same(content('ren/d'), source('ren/c'))


def check_links():
    inode = os.stat(p('links/one')).st_ino
    os.link(p('links/one'), p('links/two'))
    a, b = os.stat(p('links/one')), os.stat(p('links/two'))
    same((a.st_ino, b.st_ino, a.st_nlink, b.st_nlink), (inode, inode, 2, 2))
    put('links/two', b'tail', 'ab')
    same(content('links/one'), source('links/one') + b'tail')
    os.unlink(p('links/one'))
    same((os.stat(p('links/two')).st_nlink, os.stat(p('links/two')).st_ino), (1, inode))
    fails(errno.EPERM, os.link, p('links'), p('links-2'))


def check_unlinked():
    for name in ('unl/package', 'unl/new'):
        if name.endswith('new'):
            put(name, b'n' * 5000)
        want = content(name)
        fd = os.open(p(name), os.O_RDWR)
        os.unlink(p(name))
        fails(errno.ENOENT, os.stat, p(name))
        same(os.fstat(fd).st_nlink, 0)
        same(os.pread(fd, 100000, 0), want, name)
        os.pwrite(fd, b'WRITTEN', 10)
        same(os.pread(fd, 7, 10), b'WRITTEN')
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        same(os.pread(fd, 100000, 0), want[:10] + b'WRITTEN' + want[17:], name)
        os.ftruncate(fd, 20000)
        same(os.fstat(fd).st_size, 20000)
        put(name, b'next')
        same(content(name), b'next')
        same(os.fstat(fd).st_size, 20000)
        os.close(fd)
        os.unlink(p(name))


# ---- other spellings -----------------------------------------------------------------------------

def check_spellings():
    inode = os.stat(p('case/readme.txt')).st_ino
    for other in ('README.TXT', 'Readme.txt', 'readme.TXT'):
        same(os.stat(p('case/' + other)).st_ino, inode)
    same(content('CASE/README.txt'), source('case/readme.txt'))
    fails(errno.EEXIST, os.open, p('case/ReadMe.txt'), os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    put('case/ReadMe.TXT', b'+', 'ab')
    same(content('case/readme.txt'), source('case/readme.txt') + b'+')
    os.unlink(p('case/README.TXT'))
    for name in ('readme.txt', 'README.TXT', 'Readme.txt', 'ReadMe.txt'):
        fails(errno.ENOENT, os.stat, p('case/' + name))
    # Nothing there, by two spellings, then one of them made: both find it.
    for name in ('fOO', 'Foo', 'FOO'):
        fails(errno.ENOENT, os.stat, p('case/' + name))
    put('case/foo', b'foo')
    for name in ('fOO', 'Foo', 'FOO', 'foo'):
        same(content('case/' + name), b'foo', name)
    os.unlink(p('case/FOO'))
    for name in ('fOO', 'Foo', 'FOO', 'foo'):
        fails(errno.ENOENT, os.stat, p('case/' + name))
    for n, make in enumerate((os.mkdir, os.mkfifo, lambda q: os.symlink('x', q),
                              lambda q: os.link(p('case/b'), q))):
        fails(errno.ENOENT, os.lstat, p('case/MADE%d' % n))
        make(p('case/made%d' % n))
        os.lstat(p('case/MADE%d' % n))
        fails(errno.EEXIST, os.mkdir, p('case/MaDe%d' % n))
    os.rmdir(p('case/MADE0'))
    fails(errno.ENOENT, os.stat, p('case/made0'))
    os.mkdir(p('case/maDE0'))
    same('maDE0' in listed('case'), True)
    # Not of ASCII.
    fails(errno.ENOENT, os.stat, p('case/\xc4rger'))
    put('case/\xe4rger', b'1')
    same(content('case/\xc4RGER'), b'1')
    # The names of a directory that is renamed.
    os.stat(p('case/sub/File'))
    os.stat(p('case/SUB/FILE'))
    os.rename(p('case/sub'), p('case/sub2'))
    for name in ('sub', 'SUB', 'Sub/file'):
        fails(errno.ENOENT, os.stat, p('case/' + name))
    os.stat(p('case/SUB2/FILE'))


def check_spelling_renames():
    inode = os.stat(p('case2/name.txt')).st_ino
    for name in ('NAME.TXT', 'Name.txt', 'name.TXT'):
        os.rename(p('case2/' + [n for n in listed('case2') if n.lower() == 'name.txt'][0]),
                  p('case2/' + name))
        same([n for n in listed('case2') if n.lower() == 'name.txt'], [name])
        same(os.stat(p('case2/Name.TXT')).st_ino, inode)
        same(content('case2/nAME.TXT'), source('case2/name.txt'))
    for command in (['mv', '-T'], ['mv'], ['mv', '-n', '-T']):
        old = [n for n in listed('case2') if n.lower() == 'name.txt'][0]
        subprocess.check_call(command + [p('case2/' + old), p('case2/' + old.swapcase())])
        same([n for n in listed('case2') if n.lower() == 'name.txt'], [old.swapcase()], command)
    inode = os.stat(p('case2/Dir')).st_ino
    os.rename(p('case2/Dir'), p('case2/DIR'))
    same('DIR' in listed('case2') and 'Dir' not in listed('case2'), True)
    same(os.stat(p('case2/dir')).st_ino, inode)
    same(content('case2/dir/inside'), source('case2/Dir/inside'))
    subprocess.check_call(['mv', '-T', p('case2/DIR'), p('case2/dir')])
    same('dir' in listed('case2'), True)
    # Onto another file that is spelled otherwise.
    held = os.open(p('case2/b'), os.O_RDONLY)
    os.rename(p('case2/a'), p('case2/B'))
    same(content('case2/b'), source('case2/a'))
    same([n for n in listed('case2') if n.lower() in 'ab'], ['b'])  # as on ext4 with casefold
    same(os.fstat(held).st_nlink, 0)
    same(os.pread(held, 1000, 0), source('case2/b'))
    os.close(held)
    fails(errno.EEXIST, renameat2, 'case2/B', 'case2/C', 1)
    renameat2('case2/B', 'case2/C', 2)
    same((content('case2/b'), content('case2/c')), (source('case2/c'), source('case2/a')))
    os.rename(p('CASE2/C'), p('Case2/d'))
    same(content('case2/D'), source('case2/a'))
    fails(errno.ENOENT, os.stat, p('case2/c'))
    fails(errno.ENOTDIR, os.rename, p('case2/dir'), p('case2/D'))
    fails(errno.EISDIR, os.rename, p('case2/D'), p('case2/DIR'))


def check_spelling_race():
    """Other spellings are asked for all the time while a name comes and goes."""
    end = time.monotonic() + 2
    stop = threading.Event()

    def look():
        while not stop.is_set():
            for name in ('Coming', 'COMING', 'coMing'):
                try:
                    os.stat(p('case3/' + name))
                except FileNotFoundError:
                    pass
    threads = [threading.Thread(target=look) for _ in range(3)]
    os.mkdir(p('case3'))
    for t in threads:
        t.start()
    try:
        while time.monotonic() < end:
            put('case3/coming', b'1')
            same(content('case3/COMING'), b'1')
            os.unlink(p('case3/Coming'))
            fails(errno.ENOENT, os.stat, p('case3/coming'))
            fails(errno.ENOENT, os.stat, p('case3/COMING'))
    finally:
        stop.set()
        for t in threads:
            t.join()


# ---- data -----------------------------------------------------------------------------------------

def check_blocks():
    """What changes of a big file cost in the upper layer."""
    want = bytearray(source('big/append'))
    put('big/append', b'!', 'ab')
    want += b'!'
    same(upper_bytes('big/append') <= BLOCK, True, 'append')
    same(content('big/append'), bytes(want))
    want = bytearray(source('big/middle'))
    fd = os.open(p('big/middle'), os.O_RDWR)
    same(upper_bytes('big/append') <= BLOCK, True, 'open')
    for off in (5, 4095, 8192, 100001, 1000000, len(want) - 3):
        os.pwrite(fd, b'12345678', off)
        want[off:off + 8] = b'12345678'
    same(upper_bytes('big/middle') <= 2 * BLOCK, True, 'writes')
    same(os.pread(fd, len(want) + 10, 0), bytes(want))
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    same(os.pread(fd, len(want) + 10, 0), bytes(want))
    os.fsync(fd)
    os.ftruncate(fd, 70000)
    os.ftruncate(fd, 90000)
    want[70000:] = bytes(20000)
    same(content('big/middle'), bytes(want))
    os.close(fd)
    whole = os.urandom(len(source('big/whole')))
    fd = os.open(p('big/whole'), os.O_WRONLY)
    os.pwrite(fd, whole, 0)
    os.fsync(fd)
    os.close(fd)
    same(content('big/whole'), whole)


def check_mmap():
    want = bytearray(source('map/file'))
    with open(p('map/file'), 'r+b') as f:
        private = mmap.mmap(f.fileno(), 0, mmap.MAP_PRIVATE)
        private[0:4] = b'PRIV'
        same(content('map/file'), bytes(want))
        shared = mmap.mmap(f.fileno(), 0, mmap.MAP_SHARED)
        same(shared[:], bytes(want))
        for off in (10, 50000, len(want) - 4):
            shared[off:off + 4] = b'SHAR'
            want[off:off + 4] = b'SHAR'
        shared.flush()
        same(content('map/file'), bytes(want))
        os.pwrite(f.fileno(), b'WRITE', 100)
        want[100:105] = b'WRITE'
        same(shared[:], bytes(want))
        shared.close()
        private.close()
    with open(p('map/new'), 'w+b') as f:
        f.truncate(10000)
        m = mmap.mmap(f.fileno(), 0)
        m[9000:9003] = b'end'
        m.close()
    same(content('map/new'), bytes(9000) + b'end' + bytes(997))


def check_direct():
    want = bytearray(source('direct/file'))
    fd = os.open(p('direct/file'), os.O_RDWR | os.O_DIRECT)
    buf = mmap.mmap(-1, 8192)
    buf[:] = b'D' * 8192
    same(os.pwritev(fd, [buf], 4096), 8192)
    want[4096:4096 + 8192] = b'D' * 8192
    same(content('direct/file'), bytes(want))
    same(os.preadv(fd, [buf], 0), 8192)
    same(buf[:], bytes(want[:8192]))
    os.close(fd)


def check_locks():
    put('lock', b'x' * 100)
    a, b = open(p('lock'), 'r+b'), open(p('LOCK'), 'r+b')
    fcntl.flock(a, fcntl.LOCK_EX)
    fails(errno.EAGAIN, fcntl.flock, b, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.flock(a, fcntl.LOCK_UN)
    fcntl.lockf(a, fcntl.LOCK_EX, 10, 0)
    code = 'import fcntl,sys; f=open(sys.argv[1],"r+b"); fcntl.lockf(f,fcntl.LOCK_EX|fcntl.LOCK_NB,%s)'
    quiet = dict(stderr=subprocess.DEVNULL)
    same(subprocess.call([sys.executable, '-c', code % '10,5', p('lock')], **quiet), 1)
    same(subprocess.call([sys.executable, '-c', code % '10,10', p('lock')], **quiet), 0)
    a.close()
    b.close()


def check_holes():
    put('holes', b'a' * 4096)
    os.truncate(p('holes'), 1 << 20)
    fd = os.open(p('holes'), os.O_RDWR)
    same(os.lseek(fd, 0, os.SEEK_HOLE), 4096)
    fails(errno.ENXIO, os.lseek, fd, 4096, os.SEEK_DATA)
    os.pwrite(fd, b'b', 65536)
    same(os.lseek(fd, 4096, os.SEEK_DATA), 65536)
    os.posix_fallocate(fd, 0, 2 << 20)
    same(os.fstat(fd).st_size, 2 << 20)
    os.close(fd)
    want = bytearray(source('holes-package'))
    fd = os.open(p('holes-package'), os.O_RDWR)
    same(os.lseek(fd, 0, os.SEEK_HOLE), len(want))
    same(os.lseek(fd, 1000, os.SEEK_DATA), 1000)
    fallocate(fd, 3, 5000, 20000)              # punch
    want[5000:25000] = bytes(20000)
    same(content('holes-package'), bytes(want))
    fallocate(fd, 16, 40001, 10)               # zero
    want[40001:40011] = bytes(10)
    same(os.pread(fd, len(want), 0), bytes(want))
    same(os.lseek(fd, 0, os.SEEK_DATA), 0)
    fails(errno.EOPNOTSUPP, fallocate, fd, 8, 4096, 4096)
    os.close(fd)


def fallocate(fd, mode, off, length):
    if libc.fallocate(fd, mode, ctypes.c_long(off), ctypes.c_long(length)):
        raise OSError(ctypes.get_errno(), 'fallocate')


def check_copy_range():
    put('cr-a', os.urandom(300000))
    for name, to in (('cr-a', 'cr-b'), ('holes-package', 'cr-c'), ('cr-a', 'copy/file')):
        a = os.open(p(name), os.O_RDONLY)
        b = os.open(p(to), os.O_RDWR | os.O_CREAT, 0o644)
        done = 0
        while True:
            n = os.copy_file_range(a, b, 100000, done, done)
            if not n:
                break
            done += n
        os.ftruncate(b, done)
        same(content(to), content(name), to)
        os.close(a)
        os.close(b)


def check_xattrs():
    for name in ('xat/file', 'x-new', 'xat'):
        if name == 'x-new':
            put(name, b'')
        os.setxattr(p(name), 'user.one', b'1')
        same(os.getxattr(p(name), 'user.one'), b'1')
        fails(errno.EEXIST, os.setxattr, p(name), 'user.one', b'2', os.XATTR_CREATE)
        fails(errno.ENODATA, os.setxattr, p(name), 'user.two', b'2', os.XATTR_REPLACE)
        os.setxattr(p(name), 'user.two', b'')
        same(sorted(os.listxattr(p(name))), ['user.one', 'user.two'])
        os.removexattr(p(name), 'user.one')
        fails(errno.ENODATA, os.getxattr, p(name), 'user.one')
        fails(errno.ENODATA, os.removexattr, p(name), 'user.one')
        fails(errno.ENODATA, os.getxattr, p(name), 'user.overlay.opaque')
        fails(errno.EPERM, os.setxattr, p(name), 'user.overlay.whiteout', b'y')
    same(content('xat/file'), source('xat/file'))


def check_fsync():
    fd = os.open(p('sync-file'), os.O_RDWR | os.O_CREAT, 0o644)
    os.write(fd, b'x' * 10000)
    os.fsync(fd)
    os.fdatasync(fd)
    os.close(fd)
    for name in ('.', 'sync', 'sync/untouched'):
        fd = os.open(p(name), os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)


def check_many():
    os.mkdir(p('many'))
    names = ['Some File %04d' % n for n in range(3000)]
    for n in names:
        put('many/' + n, n.encode())
    same(listed('many'), names)
    for i, n in enumerate(names):
        if i % 3:
            os.unlink(p('many/' + n))
    same(listed('many'), names[::3])
    # Removing while listing, as rm -r does.
    with os.scandir(p('many')) as entries:
        for e in entries:
            os.unlink(e.path)
    os.rmdir(p('many'))
    subprocess.check_call(['rm', '-r', p('tree')])
    fails(errno.ENOENT, os.stat, p('tree'))


def check_threads():
    errors = []

    def work(n):
        try:
            for i in range(60):
                name = 'thr/%d-%d' % (n, i % 7)
                put(name, b'%d' % i * 1000)
                same(content(name), b'%d' % i * 1000)
                os.rename(p(name), p(name + 'x'))
                os.unlink(p(name + 'x'))
                with open(p('thr/shared'), 'r+b') as f:
                    f.seek(n * 5000 + i * 70)
                    f.write(b'%c' % (65 + n) * 70)
        except Exception as e:
            errors.append(e)
    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if errors:
        raise errors[0]
    want = bytearray(source('thr/shared'))
    for n in range(6):
        want[n * 5000:n * 5000 + 4200] = b'%c' % (65 + n) * 4200
    same(content('thr/shared'), bytes(want))


UMASK = os.umask(0o022)
os.umask(UMASK)
for check in sys.argv[4:]:
    print('   ', check, flush=True)
    globals()['check_' + check]()
