/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The state file of a mount, and the process it names. See control_state.h. */
#include "config.h"

#include "fs/control_state.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum { STATE_MAX = 64 * 1024 };

static void name_of(const char *device, const char *suffix, char out[CONTROL_NAME_SIZE])
{
    (void)snprintf(out, CONTROL_NAME_SIZE, "%.32s%s", device, suffix);
    for (char *p = out; *p; p++)
        if (*p == ':' || *p == '/')
            *p = '-';
}

void control_socket_name(const char *device, char out[CONTROL_NAME_SIZE])
{
    name_of(device, ".sock", out);
}

void control_state_name(const char *device, char out[CONTROL_NAME_SIZE])
{
    name_of(device, ".state", out);
}

void control_dir_lock(int dir_fd)
{
    enum { TRIES = 200, STEP_MS = 5 };

    for (int i = 0; i < TRIES && flock(dir_fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK; i++)
        (void)poll(NULL, 0, STEP_MS);
}

void control_dir_unlock(int dir_fd)
{
    (void)flock(dir_fd, LOCK_UN);
}

/* ---- processes ---- */

/* The first bytes of a small file; false if it cannot be read. */
static bool read_text(const char *path, char *out, size_t size)
{
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, out, size - 1);

    if (n <= 0)
        return false;
    out[n] = '\0';
    return true;
}

/* State letter and start of a process. The command in between may hold anything, ')' included. */
static bool read_stat(pid_t pid, char *state, uint64_t *started)
{
    enum { AFTER_STATE = 18 }; /* fields between the state and the start */
    char path[48], text[1024], *p;

    (void)snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    if (!read_text(path, text, sizeof text) || !(p = strrchr(text, ')')) || p[1] != ' ')
        return false;
    *state = p[2];
    p += 3;
    for (int i = 0; i < AFTER_STATE; i++)
        if (!*p || !(p = strchr(p + 1, ' ')))
            return false;
    return sscanf(p, "%" SCNu64, started) == 1;
}

/* Also of one that has ended, as long as its parent has not taken note. */
static bool identify(pid_t pid, struct control_process *out, char *state)
{
    *out = (struct control_process){ .pid = pid };
    if (pid <= 0 || !read_stat(pid, state, &out->started) ||
        !read_text("/proc/sys/kernel/random/boot_id", out->boot, sizeof out->boot))
        return false;
    out->boot[strcspn(out->boot, "\n")] = '\0';
    return true;
}

bool control_process_of(pid_t pid, struct control_process *out)
{
    char state;

    return identify(pid, out, &state) && state != 'Z' && state != 'X';
}

/* Whether the process that has the number of P is P; *state is then how its first thread is. */
static bool is_same(const struct control_process *p, char *state)
{
    struct control_process now;

    return identify(p->pid, &now, state) && now.started == p->started && !strcmp(now.boot, p->boot);
}

static bool runs_as(pid_t pid, uid_t uid)
{
    struct stat st;
    char path[48];

    (void)snprintf(path, sizeof path, "/proc/%ld", (long)pid);
    return !stat(path, &st) && st.st_uid == uid;
}

bool control_process_lives(const struct control_process *p, uid_t uid, bool *stopped)
{
    char state;

    if (!is_same(p, &state) || state == 'Z' || state == 'X' || !runs_as(p->pid, uid))
        return false;
    if (stopped)
        *stopped = state == 'T' || state == 't';
    return true;
}

/* A descriptor that stays with the process whatever becomes of its number; -1 without. */
static int open_process(pid_t pid)
{
#ifdef SYS_pidfd_open
    return (int)syscall(SYS_pidfd_open, pid, 0);
#else
    (void)pid;
    return -1;
#endif
}

static int send_kill(int fd, pid_t pid)
{
#ifdef SYS_pidfd_send_signal
    if (fd >= 0)
        return (int)syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
#else
    (void)fd;
#endif
    return kill(pid, SIGKILL);
}

int control_process_kill(const struct control_process *p, uid_t uid, struct err *e)
{
    /* Opened before it is looked at: what is looked at is what the signal goes to. */
    auto_close int fd = open_process(p->pid);

    if (!control_process_lives(p, uid, NULL))
        return err_set(e, ERR_NOT_FOUND, "process %ld is not the one that served the mount",
                       (long)p->pid);
    return send_kill(fd, p->pid) ? err_sys(e, "ending process %ld", (long)p->pid) : 0;
}

bool control_process_wait(const struct control_process *p, int timeout_ms)
{
    enum { STEP_MS = 20 };
    auto_close int fd = open_process(p->pid);
    struct pollfd ended = { .fd = fd, .events = POLLIN };
    char state;

    if (!is_same(p, &state))
        return true;
    /* Ready when the last thread is gone. The first one may have ended, and look like all of it,
     * while others still hold the socket. */
    if (fd >= 0)
        return poll(&ended, 1, timeout_ms) > 0;
    for (; is_same(p, &state) && state != 'Z' && state != 'X'; timeout_ms -= STEP_MS) {
        if (timeout_ms <= 0)
            return false;
        (void)poll(NULL, 0, STEP_MS);
    }
    return true;
}

/* ---- the file: NAME=VALUE lines ---- */

/* Newlines in a path would begin another line. */
static void write_value(FILE *out, const char *name, const char *value)
{
    (void)fprintf(out, "%s=", name);
    for (; *value; value++)
        (void)fputc((unsigned char)*value < 0x20 ? '?' : *value, out);
    (void)fputc('\n', out);
}

static int write_file(FILE *out, const struct control_state *s)
{
    (void)fprintf(out, "pid=%ld\nstarted=%" PRIu64 "\n", (long)s->process.pid, s->process.started);
    write_value(out, "boot", s->process.boot);
    (void)fprintf(out, "connection=%lu\n", s->connection);
    write_value(out, "mountpoint", s->mountpoint ? s->mountpoint : "");
    write_value(out, "source", s->source ? s->source : "");
    int failed = ferror(out);
    return fclose(out) || failed ? -EIO : 0;
}

int control_state_write(int dir_fd, const char *device, const struct control_state *state,
                        struct err *e)
{
    char name[CONTROL_NAME_SIZE], temporary[CONTROL_NAME_SIZE + 8];

    control_state_name(device, name);
    (void)snprintf(temporary, sizeof temporary, "%s.new", name);
    (void)unlinkat(dir_fd, temporary, 0); /* of a daemon that was killed just here */
    int fd = openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    FILE *out = fd < 0 ? NULL : fdopen(fd, "w");
    if (!out) {
        int rc = err_sys(e, "%s", temporary);
        if (fd >= 0)
            (void)close(fd);
        return rc;
    }
    if (write_file(out, state) || renameat(dir_fd, temporary, dir_fd, name)) {
        int rc = err_sys(e, "%s", name);
        (void)unlinkat(dir_fd, temporary, 0);
        return rc;
    }
    return 0;
}

static int keep_text(char **out, const char *value)
{
    free(*out);
    *out = strdup(value);
    return *out ? 0 : -ENOMEM;
}

static int take_line(struct control_state *s, char *line)
{
    char *value = strchr(line, '=');

    if (!value)
        return 0;
    *value++ = '\0';
    if (!strcmp(line, "pid"))
        s->process.pid = (pid_t)strtol(value, NULL, 10);
    else if (!strcmp(line, "started"))
        s->process.started = strtoull(value, NULL, 10);
    else if (!strcmp(line, "boot"))
        (void)snprintf(s->process.boot, sizeof s->process.boot, "%s", value);
    else if (!strcmp(line, "connection"))
        s->connection = strtoul(value, NULL, 10);
    else if (!strcmp(line, "mountpoint"))
        return keep_text(&s->mountpoint, value);
    else if (!strcmp(line, "source"))
        return keep_text(&s->source, value);
    return 0;
}

int control_state_read(int dir_fd, const char *device, uid_t uid, struct control_state *out,
                       struct err *e)
{
    char name[CONTROL_NAME_SIZE], *save = NULL;
    struct stat st;
    int rc = 0;

    *out = (struct control_state){ .connection = 0 };
    control_state_name(device, name);
    auto_close int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st))
        return err_sys(e, "%s", name);
    if (!S_ISREG(st.st_mode) || st.st_uid != uid)
        return err_set(e, ERR_DENIED, "%s is not the file of user %lu", name, (unsigned long)uid);
    auto_free char *text = malloc(STATE_MAX);
    if (!text)
        return err_nomem(e);
    ssize_t n = read(fd, text, STATE_MAX - 1);
    if (n < 0)
        return err_sys(e, "%s", name);
    text[n] = '\0';
    for (char *line = strtok_r(text, "\n", &save); line && !rc; line = strtok_r(NULL, "\n", &save))
        rc = take_line(out, line);
    if (!rc && out->process.pid > 0)
        return 0;
    control_state_free(out);
    return rc ? err_nomem(e) : err_set(e, ERR_INVALID, "%s names no process", name);
}

void control_state_free(struct control_state *state)
{
    free(state->mountpoint);
    free(state->source);
    *state = (struct control_state){ .connection = 0 };
}
