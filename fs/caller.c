/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether the thread that asks for a name is about to rename to it. See caller.h. */
#include "config.h"

#include "fs/caller.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

#include "src/fold.h"

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#endif

enum {
    ARGUMENTS = 6,
    TRIES = 20,
    PAUSE_NS = 20000,
    PAGE = 4096, /* a border that no unmapped memory begins between */
};

/* A system call that renames: which arguments are the source's and the target's path, and which the
 * flags (or -1). */
struct call {
    long number;
    int from, to, flags;
};

static const struct call calls[] = {
#ifdef SYS_rename
    { SYS_rename, 0, 1, -1 },
#endif
#ifdef SYS_renameat
    { SYS_renameat, 1, 3, -1 },
#endif
    { SYS_renameat2, 1, 3, 4 },
#ifdef __x86_64__
    /* Of 32-bit programs; what has these numbers in 64-bit ones looks no names up. */
    { 38, 0, 1, -1 },
    { 302, 1, 3, -1 },
    { 353, 1, 3, 4 },
#endif
};

bool caller_parse(const char *text, struct caller_call *out)
{
    long number;
    unsigned long a[ARGUMENTS];

    if (sscanf(text, "%ld %lx %lx %lx %lx %lx %lx", &number, &a[0], &a[1], &a[2], &a[3], &a[4],
               &a[5]) != 1 + ARGUMENTS)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(calls); i++)
        if (calls[i].number == number) {
            out->from = a[calls[i].from];
            out->to = a[calls[i].to];
            out->flags = calls[i].flags < 0 ? 0 : a[calls[i].flags] & 0xffffffff;
            return true;
        }
    return false;
}

/* What thread TID is in. It says "running" until the asking thread has gone to sleep. */
static bool current_call(pid_t tid, struct caller_call *out)
{
    char path[sizeof "/proc//syscall" + 3 * sizeof tid], text[256];

    (void)snprintf(path, sizeof path, "/proc/%ld/syscall", (long)tid);
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    for (int i = 0; i < TRIES; i++) {
        ssize_t n = pread(fd, text, sizeof text - 1, 0);
        if (n <= 0)
            return false;
        text[n] = 0;
        if (strncmp(text, "running", 7) != 0)
            return caller_parse(text, out);
        (void)nanosleep(&(struct timespec){ .tv_nsec = PAUSE_NS }, NULL);
    }
    return false;
}

/* Reads the path at ADDRESS in process TID, without slashes at its end. */
static bool read_path(pid_t tid, unsigned long address, char path[PATH_MAX + 1])
{
    unsigned long first = PAGE - address % PAGE;
    union {
        unsigned long number;
        void *pointer;
    } from = { .number = address }, rest = { .number = address + first };
    struct iovec here = { .iov_base = path, .iov_len = PATH_MAX };
    struct iovec there[2] = { { from.pointer, first }, { rest.pointer, PATH_MAX - first } };

    ssize_t n = process_vm_readv(tid, &here, 1, there, first < PATH_MAX ? 2 : 1, 0);
    if (n <= 0)
        return false;
    path[n] = 0;
    size_t len = strlen(path);
    while (len && path[len - 1] == '/')
        path[--len] = 0;
    return true;
}

static const char *last_component(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* Whether NAME is a component of PATH before its last. */
static bool is_on_the_way(const char *path, const char *name)
{
    size_t len = strlen(name);

    for (const char *p = path; (p = strstr(p, name)); p++)
        if ((p == path || p[-1] == '/') && p[len] == '/')
            return true;
    return false;
}

/*
 * Whether the target of CALL may be its source by the other spelling NAME; so too when the paths
 * cannot be read. If the last components are the same, or other names altogether, they are two
 * files, and the kernel does right by itself. A directory on the way that has the target's name
 * cannot be told from it: such a name is not taken for the target.
 */
static bool respells(pid_t tid, const struct caller_call *call, const char *name, bool is_dir)
{
    char from[PATH_MAX + 1], to[PATH_MAX + 1];

    if (!read_path(tid, call->to, to) || !read_path(tid, call->from, from))
        return true;
    const char *old = last_component(from);
    return !strcmp(last_component(to), name) && strcmp(old, name) != 0 &&
           (strchr(name, '~') || strchr(old, '~') || /* 8.3 names */
            fold_equal(old, strlen(old), name, strlen(name))) &&
           !(is_dir && (is_on_the_way(from, name) || is_on_the_way(to, name)));
}

enum caller_rename caller_renames_to(pid_t tid, const char *name, bool is_dir)
{
    struct caller_call call;

    if (tid <= 0 || !current_call(tid, &call) || !respells(tid, &call, name, is_dir))
        return CALLER_NO_RENAME;
    return call.flags & RENAME_NOREPLACE ? CALLER_RENAME_NOREPLACE : CALLER_RENAME;
}
