/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Parts of the protocol that libfuse does not know. See session_io.h.
 *
 * libfuse reads requests and writes replies through the functions here, which pass them on. The
 * only message that is changed is the answer to INIT; the kernel sends nothing else before it has
 * that.
 */
#include "config.h"

#include "fs/session_io.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>

#ifndef FUSE_HANDLE_KILLPRIV_V2
#define FUSE_HANDLE_KILLPRIV_V2 (1 << 28) /* linux/fuse.h before 5.11 */
#endif

enum {
    NOTIFY_INC_EPOCH = 8, /* since protocol 7.44, Linux 6.16 */
};

static void note_init(struct session_io *io, const void *buf, size_t len)
{
    struct fuse_in_header head;
    struct fuse_init_in init = { 0 };

    if (len < sizeof head)
        return;
    memcpy(&head, buf, sizeof head);
    if (head.opcode != FUSE_INIT)
        return;
    len -= sizeof head;
    memcpy(&init, (const char *)buf + sizeof head, len < sizeof init ? len : sizeof init);
    io->init_unique = head.unique;
    io->offered = init.flags;
    atomic_store(&io->state, SESSION_IO_INIT_SEEN);
}

static ssize_t io_read(int fd, void *buf, size_t len, void *userdata)
{
    struct vfs *v = userdata;
    ssize_t n = read(fd, buf, len);
    struct fuse_in_header head;

    if (n < (ssize_t)sizeof head)
        return n;
    memcpy(&head, buf, sizeof head);
    if (head.opcode < COUNTERS_OPCODES)
        counter_add(&v->counters.requests[head.opcode], 1);
    if (v->overlay && atomic_load(&v->io.state) == SESSION_IO_START)
        note_init(&v->io, buf, (size_t)n);
    return n;
}

/* Sends the answer to INIT with what is to be added. */
static ssize_t send_init(const struct session_io *io, int fd, const struct iovec *iov, int count)
{
    struct fuse_out_header head;
    struct fuse_init_out init;

    memcpy(&head, iov[0].iov_base, sizeof head);
    if (head.unique != io->init_unique || count != 2 || head.error ||
        iov[1].iov_len != sizeof init || !(io->offered & FUSE_HANDLE_KILLPRIV_V2))
        return writev(fd, iov, count);
    memcpy(&init, iov[1].iov_base, sizeof init);
    init.flags |= FUSE_HANDLE_KILLPRIV_V2;
    const struct iovec changed[2] = { iov[0], { .iov_base = &init, .iov_len = sizeof init } };
    return writev(fd, changed, 2);
}

static ssize_t io_writev(int fd, struct iovec *iov, int count, void *userdata)
{
    struct vfs *v = userdata;
    struct session_io *io = &v->io;

    if (atomic_load(&io->state) != SESSION_IO_INIT_SEEN || count < 2 ||
        iov[0].iov_len != sizeof(struct fuse_out_header))
        return writev(fd, iov, count);
    ssize_t n = send_init(io, fd, iov, count);
    atomic_store(&io->state, SESSION_IO_RUNNING);
    return n;
}

static ssize_t io_splice(int in, off_t *off_in, int out, off_t *off_out, size_t len, unsigned flags,
                         void *userdata)
{
    (void)userdata;
    return splice(in, off_in, out, off_out, len, flags);
}

/* Of the protocol as it is now; what comes later is shown by its number. */
static const char *const opcode_names[COUNTERS_OPCODES] = {
    [FUSE_LOOKUP] = "lookup",           [FUSE_FORGET] = "forget",
    [FUSE_GETATTR] = "getattr",         [FUSE_SETATTR] = "setattr",
    [FUSE_READLINK] = "readlink",       [FUSE_SYMLINK] = "symlink",
    [FUSE_MKNOD] = "mknod",             [FUSE_MKDIR] = "mkdir",
    [FUSE_UNLINK] = "unlink",           [FUSE_RMDIR] = "rmdir",
    [FUSE_RENAME] = "rename",           [FUSE_LINK] = "link",
    [FUSE_OPEN] = "open",               [FUSE_READ] = "read",
    [FUSE_WRITE] = "write",             [FUSE_STATFS] = "statfs",
    [FUSE_RELEASE] = "release",         [FUSE_FSYNC] = "fsync",
    [FUSE_SETXATTR] = "setxattr",       [FUSE_GETXATTR] = "getxattr",
    [FUSE_LISTXATTR] = "listxattr",     [FUSE_REMOVEXATTR] = "removexattr",
    [FUSE_FLUSH] = "flush",             [FUSE_INIT] = "init",
    [FUSE_OPENDIR] = "opendir",         [FUSE_READDIR] = "readdir",
    [FUSE_RELEASEDIR] = "releasedir",   [FUSE_FSYNCDIR] = "fsyncdir",
    [FUSE_ACCESS] = "access",           [FUSE_CREATE] = "create",
    [FUSE_INTERRUPT] = "interrupt",     [FUSE_DESTROY] = "destroy",
    [FUSE_IOCTL] = "ioctl",             [FUSE_NOTIFY_REPLY] = "notify_reply",
    [FUSE_BATCH_FORGET] = "batch_forget", [FUSE_FALLOCATE] = "fallocate",
    [FUSE_READDIRPLUS] = "readdirplus", [FUSE_RENAME2] = "rename2",
    [FUSE_LSEEK] = "lseek",             [FUSE_COPY_FILE_RANGE] = "copy_file_range",
};

const char *session_io_opcode_name(unsigned opcode, char number[16])
{
    if (opcode < COUNTERS_OPCODES && opcode_names[opcode])
        return opcode_names[opcode];
    (void)snprintf(number, 16, "%u", opcode);
    return number;
}

int session_io_install(struct vfs *v)
{
    static const struct fuse_custom_io io = {
        .read = io_read,
        .writev = io_writev,
        .splice_receive = io_splice,
        .splice_send = io_splice,
    };

    return fuse_session_custom_io(v->session, &io, fuse_session_fd(v->session));
}

bool session_io_forget_names(struct vfs *v)
{
    struct fuse_out_header head = { .len = sizeof head, .error = NOTIFY_INC_EPOCH };

    return write(fuse_session_fd(v->session), &head, sizeof head) == (ssize_t)sizeof head;
}
