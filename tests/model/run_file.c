/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Operations on the contents of files.
 */
#include "config.h"

#include "tests/model/model.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

static void set(struct result *r, long ret)
{
    r->err = ret < 0 ? errno : 0;
    r->ret = ret;
}

/* A FIFO would behave like a FIFO. */
static int open_file(const struct side *s, const struct op *op, int flags)
{
    int fd = open_on(s, op->p1, flags | O_NONBLOCK, op->mode & 07777);
    struct stat st;

    if (fd < 0)
        return -1;
    int err = fstat(fd, &st) ? errno : S_ISFIFO(st.st_mode) ? ENXIO : 0;
    if (!err)
        return fd;
    close(fd);
    errno = err;
    return -1;
}

static void do_open(const struct side *s, int *fds, const struct op *op, struct result *r)
{
    int fd = open_file(s, op, op->flags);

    set(r, fd);
    if (fd < 0)
        return;
    r->ret = 0;
    if (fds[op->slot] >= 0)
        close(fds[op->slot]);
    fds[op->slot] = fd;
}

/* Until all is written: what is left may fail for a reason. */
static long write_all(int fd, const char *data, size_t len, off_t off, bool at)
{
    size_t done = 0;
    ssize_t n;

    do {
        n = at ? pwrite(fd, data + done, len - done, off + (off_t)done)
               : write(fd, data + done, len - done);
        if (n < 0)
            return -1;
        done += (size_t)n;
    } while (n && done < len);
    return (long)done;
}

static void write_to(int fd, const struct op *op, bool at, struct result *r)
{
    void *data = NULL;

    if (posix_memalign(&data, 4096, op->len + 1)) {
        errno = ENOMEM;
        set(r, -1);
        return;
    }
    fill(op->data, data, op->len);
    set(r, write_all(fd, data, op->len, op->off, at));
    free(data);
}

static void read_from(int fd, const struct op *op, bool at, struct result *r)
{
    void *data = NULL;
    size_t done = 0;
    ssize_t n;

    if (posix_memalign(&data, 4096, op->len + 1)) {
        errno = ENOMEM;
        set(r, -1);
        return;
    }
    do {
        n = at ? pread(fd, (char *)data + done, op->len - done, op->off + (off_t)done)
               : read(fd, (char *)data + done, op->len - done);
        if (n > 0)
            done += (size_t)n;
    } while (n > 0 && done < op->len);
    set(r, n < 0 ? -1 : (long)done);
    r->digest = digest(0, data, done);
    free(data);
}

static void with_path(const struct side *s, const struct op *op, int flags, bool writing,
                      struct result *r)
{
    int fd = open_file(s, op, flags | O_NOFOLLOW);

    if (fd < 0) {
        set(r, -1);
        return;
    }
    if (writing)
        write_to(fd, op, !(flags & O_APPEND), r);
    else
        read_from(fd, op, true, r);
    close(fd);
}

static _Thread_local sigjmp_buf *bus_return;

static void on_bus(int sig)
{
    if (bus_return)
        siglongjmp(*bus_return, 1);
    signal(sig, SIG_DFL);
    raise(sig);
}

/* A page that cannot be had: its daemon is gone. */
static bool touch(char *map, size_t len, const struct op *op, bool writing, struct result *r)
{
    sigjmp_buf here;

    if (sigsetjmp(here, 1))
        return false;
    bus_return = &here;
    r->digest = digest(r->digest, map, len);
    if (writing || op->kind == OP_MMAP_PRIVATE)
        fill(op->data, map + len / 3, len - len / 3);
    r->digest = digest(r->digest, map, len);
    return true;
}

static void do_mmap(int fd, const struct op *op, bool shared, struct result *r)
{
    struct sigaction act = { .sa_handler = on_bus };
    struct stat st;
    size_t len;
    char *map;
    bool fine;

    sigaction(SIGBUS, &act, NULL);
    if (fstat(fd, &st)) {
        set(r, -1);
        return;
    }
    if (!S_ISREG(st.st_mode) || st.st_size <= op->off)
        return;
    len = min_u64(op->len, (uint64_t)(st.st_size - op->off));
    if (!len)
        return;
    map = mmap(NULL, len, PROT_READ | PROT_WRITE, shared ? MAP_SHARED : MAP_PRIVATE, fd, op->off);
    if (map == MAP_FAILED) {
        set(r, -1);
        return;
    }
    fine = touch(map, len, op, shared, r);
    bus_return = NULL;
    if (fine && shared && op->flags)
        set(r, msync(map, len, MS_SYNC));
    munmap(map, len);
    if (!fine) {
        errno = EIO;
        set(r, -1);
    }
}

/* Position of the first byte from OFF on that is not zero; the end of the file if there is none. */
static off_t first_byte(int fd, off_t off, off_t size)
{
    char buf[65536];
    ssize_t n;

    while (off < size && (n = pread(fd, buf, sizeof buf, off)) > 0) {
        for (ssize_t i = 0; i < n; i++)
            if (buf[i])
                return off + i;
        off += n;
    }
    return size;
}

/* Holes may be reported or not, but data may not be missed. Digest 1: wrong. */
static void do_seek(int fd, const struct op *op, struct result *r)
{
    struct stat st;
    off_t at, data;

    if (fstat(fd, &st)) {
        set(r, -1);
        return;
    }
    if (!S_ISREG(st.st_mode))
        return;
    at = lseek(fd, op->off, op->flags);
    if (op->off >= st.st_size) {
        set(r, at);
        return;
    }
    if (at < 0 && errno != ENXIO) {
        set(r, -1);
        return;
    }
    data = first_byte(fd, op->off, st.st_size);
    if (op->flags == SEEK_DATA && at < 0)
        r->digest = data < st.st_size;
    else if (op->flags == SEEK_DATA)
        r->digest = at < op->off || at > data || at >= st.st_size;
    else
        r->digest = at < op->off || at > st.st_size ||
                    (at < st.st_size && first_byte(fd, at, at + 1) == at);
    snprintf(r->note, sizeof r->note, "found %lld, first byte at %lld, size %lld", (long long)at,
             (long long)data, (long long)st.st_size);
    lseek(fd, op->off, SEEK_SET);
}

/* Cannot be read back through a descriptor for writing: nothing to check then. */
static bool readable(int fd)
{
    return (fcntl(fd, F_GETFL) & O_ACCMODE) != O_WRONLY;
}

static void do_copy_range(const int *fds, const struct op *op, struct result *r)
{
    int64_t in = op->off, out = op->off2;
    size_t done = 0;
    ssize_t n = 0;

    if (fds[op->slot2] < 0)
        return;
    do {
        n = copy_file_range(fds[op->slot], &in, fds[op->slot2], &out, op->len - done, 0);
        if (n > 0)
            done += (size_t)n;
    } while (n > 0 && done < op->len);
    set(r, n < 0 ? -1 : (long)done);
}

static void do_lock(const struct side *s, const struct op *op, struct result *r)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 100 };
    int one = open_file(s, op, O_RDWR | O_NOFOLLOW), two = open_file(s, op, O_RDWR | O_NOFOLLOW);
    uint64_t sum[5];

    if (one < 0 || two < 0) {
        set(r, -1);
    } else {
        sum[0] = (uint64_t)flock(one, LOCK_EX | LOCK_NB);
        sum[1] = (uint64_t)flock(two, LOCK_SH | LOCK_NB);
        sum[2] = (uint64_t)fcntl(one, F_OFD_SETLK, &lock);
        lock.l_start = 50;
        sum[3] = (uint64_t)fcntl(two, F_OFD_SETLK, &lock);
        lock.l_start = 100;
        sum[4] = (uint64_t)fcntl(two, F_OFD_SETLK, &lock);
        r->digest = digest(0, sum, sizeof sum);
        snprintf(r->note, sizeof r->note, "flock %d, %d; fcntl %d, %d, %d", (int)sum[0],
                 (int)sum[1], (int)sum[2], (int)sum[3], (int)sum[4]);
    }
    if (one >= 0)
        close(one);
    if (two >= 0)
        close(two);
}

static void do_truncate(const struct side *s, const struct op *op, struct result *r)
{
    char real[PATH_SIZE], full[2 * PATH_SIZE];

    side_path(s, op->p1, real);
    snprintf(full, sizeof full, "%s/%s", s->path, real);
    set(r, truncate(full, op->off));
}

static void do_fsync_dir(const struct side *s, const struct op *op, struct result *r)
{
    int fd = open_on(s, op->p1, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);

    set(r, fd < 0 ? -1 : fsync(fd));
    if (fd >= 0)
        close(fd);
}

static void run_slot(int *fds, const struct op *op, struct result *r)
{
    int fd = fds[op->slot];

    switch (op->kind) {
    case OP_CLOSE:
        set(r, close(fd));
        fds[op->slot] = -1;
        break;
    case OP_PWRITE:
    case OP_WRITE:
        write_to(fd, op, op->kind == OP_PWRITE, r);
        break;
    case OP_PREAD:
    case OP_READ:
        read_from(fd, op, op->kind == OP_PREAD, r);
        break;
    case OP_FTRUNCATE:
        set(r, ftruncate(fd, op->off));
        break;
    case OP_MMAP_WRITE:
    case OP_MMAP_PRIVATE:
        do_mmap(fd, op, op->kind == OP_MMAP_WRITE, r);
        break;
    case OP_FALLOCATE:
        set(r, fallocate(fd, op->flags, op->off, (off_t)op->len));
        break;
    case OP_SEEK:
        if (readable(fd))
            do_seek(fd, op, r);
        break;
    case OP_FSYNC:
        set(r, op->flags ? fdatasync(fd) : fsync(fd));
        break;
    default:
        do_copy_range(fds, op, r);
        break;
    }
}

void run_file(const struct side *s, int *fds, const struct op *op, struct result *r)
{
    switch (op->kind) {
    case OP_OPEN:
        do_open(s, fds, op, r);
        break;
    case OP_TRUNCATE:
        do_truncate(s, op, r);
        break;
    case OP_PATH_WRITE:
        with_path(s, op, O_WRONLY, true, r);
        break;
    case OP_PATH_APPEND:
        with_path(s, op, O_WRONLY | O_APPEND, true, r);
        break;
    case OP_PATH_READ:
        with_path(s, op, O_RDONLY, false, r);
        break;
    case OP_DIRECT_WRITE:
        with_path(s, op, O_WRONLY | O_DIRECT, true, r);
        break;
    case OP_DIRECT_READ:
        with_path(s, op, O_RDONLY | O_DIRECT, false, r);
        break;
    case OP_LOCK:
        do_lock(s, op, r);
        break;
    case OP_FSYNC_DIR:
        do_fsync_dir(s, op, r);
        break;
    default:
        run_slot(fds, op, r);
        break;
    }
}
