/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a mount point to its daemon. See control_client.h. */
#include "config.h"

#include "fs/control_client.h"

#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#include "fs/runtime_base.h"

enum { CONNECT_TRIES = 50, CONNECT_STEP_MS = 20 };

/* ---- finding the socket ---- */

/* The other side must be the user whom the mount table names; a socket can be put anywhere. */
static bool is_daemon_of(int fd, uid_t uid, pid_t *pid)
{
    struct ucred peer;
    socklen_t size = sizeof peer;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) || peer.uid != uid)
        return false;
    *pid = peer.pid;
    return true;
}

/* The queue of a daemon that is busy is full for a moment, that of one that is stopped for ever. */
static int connect_patiently(int fd, const struct sockaddr_un *address)
{
    int rc;

    for (int i = 0; i < CONNECT_TRIES; i++) {
        rc = connect(fd, (const struct sockaddr *)address, sizeof *address);
        if (!rc || errno != EAGAIN)
            return rc;
        (void)poll(NULL, 0, CONNECT_STEP_MS);
    }
    errno = EAGAIN;
    return -1;
}

static enum control_link_state try_socket(int dir_fd, const char *name, uid_t uid,
                                          struct control_link *out)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    pid_t pid;

    (void)snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", dir_fd, name);
    auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return CONTROL_LINK_DENIED;
    if (connect_patiently(fd, &address)) {
        return errno == EAGAIN         ? CONTROL_LINK_OPEN
               : errno == ECONNREFUSED ? CONTROL_LINK_DEAD
               : errno == ENOENT       ? CONTROL_LINK_ABSENT
                                       : CONTROL_LINK_DENIED;
    }
    if (!is_daemon_of(fd, uid, &pid))
        return CONTROL_LINK_DENIED;
    (void)control_process_of(pid, &out->process);
    out->fd = fd;
    fd = -1;
    return CONTROL_LINK_OPEN;
}

/* Whether socket or state file of the mount are in directory PATH. */
static bool try_place(const struct mount_identity *id, const char *path, struct control_link *out)
{
    char name[CONTROL_NAME_SIZE];
    struct control_state state;
    struct stat st;
    bool has_state = false;

    auto_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st)) {
        if (errno == EACCES)
            out->state = CONTROL_LINK_DENIED;
        return false;
    }
    if (st.st_uid != id->uid)
        return false;
    if (!control_state_read(fd, id->device, id->uid, &state, NULL)) {
        /* Device numbers are used again: what tells of another mount is no news of this one. */
        has_state = state.connection == id->connection;
        out->process = state.process;
        control_state_free(&state);
    }
    control_socket_name(id->device, name);
    enum control_link_state found = try_socket(fd, name, id->uid, out);
    if (found == CONTROL_LINK_ABSENT && !has_state)
        return false;
    out->state = found;
    out->dir_fd = fd;
    fd = -1;
    return true;
}

/* A daemon may have been started with another XDG_RUNTIME_DIR than this process can know of: the
 * kernel lists the sockets that somebody listens at. */
static bool try_listening(const struct mount_identity *id, struct control_link *out)
{
    char name[CONTROL_NAME_SIZE], *line = NULL;
    FILE *table = fopen("/proc/net/unix", "re");
    size_t size = 0;
    bool found = false;

    control_socket_name(id->device, name);
    while (table && !found && getline(&line, &size, table) > 0) {
        char *path = strchr(line, '/');
        char *slash = path ? strrchr(path, '/') : NULL;
        if (!slash || slash == path)
            continue;
        slash[1 + strcspn(slash + 1, "\n")] = '\0';
        if (strcmp(slash + 1, name) != 0)
            continue;
        *slash = '\0';
        found = try_place(id, path, out);
    }
    free(line);
    if (table)
        (void)fclose(table); /* only read from */
    return found;
}

void control_link_open(const struct mount_identity *id, struct control_link *out)
{
    char *places[RUNTIME_BASES_MAX];
    size_t count = runtime_base_places(id->uid, places);
    bool found = false;

    *out = (struct control_link){ .state = CONTROL_LINK_ABSENT, .fd = -1, .dir_fd = -1 };
    for (size_t i = 0; i < count; i++) {
        found = found || try_place(id, places[i], out);
        free(places[i]);
    }
    if (!found)
        (void)try_listening(id, out);
}

void control_link_close(struct control_link *link)
{
    if (link->fd >= 0)
        (void)close(link->fd);
    if (link->dir_fd >= 0)
        (void)close(link->dir_fd);
    link->fd = link->dir_fd = -1;
}

void control_link_clean(const struct mount_identity *id, const struct control_link *link)
{
    struct control_link now = { .fd = -1, .dir_fd = -1 };
    char name[CONTROL_NAME_SIZE];

    if (link->dir_fd < 0)
        return;
    control_dir_lock(link->dir_fd);
    control_socket_name(id->device, name);
    enum control_link_state state = try_socket(link->dir_fd, name, id->uid, &now);
    control_link_close(&now);
    if (state == CONTROL_LINK_DEAD || state == CONTROL_LINK_ABSENT) {
        (void)unlinkat(link->dir_fd, name, 0);
        control_state_name(id->device, name);
        (void)unlinkat(link->dir_fd, name, 0);
    }
    control_dir_unlock(link->dir_fd);
}

/* ---- asking ---- */

struct conversation {
    int fd;
    int timeout_ms;
    char *buf; /* CONTROL_LINE_MAX */
    size_t begin, end;
};

static int no_answer(struct err *e)
{
    return err_set(e, ERR_TIMEOUT, "the daemon of this mount does not answer");
}

/* 1 when there is something, 0 at the end of the time. */
static int wait_for(int fd, short events, int timeout_ms)
{
    struct pollfd p = { .fd = fd, .events = events };
    int n;

    do
        n = poll(&p, 1, timeout_ms);
    while (n < 0 && errno == EINTR);
    return n > 0;
}

static int send_request(const struct control_link *link, const struct control_request *request,
                        int timeout_ms, struct err *e)
{
    char line[CONTROL_REQUEST_MAX];
    size_t len = control_format_request(request, line), sent = 0;

    while (sent < len) {
        ssize_t n = send(link->fd, line + sent, len - sent, MSG_NOSIGNAL);
        if (n >= 0)
            sent += (size_t)n;
        else if (errno != EAGAIN && errno != EINTR)
            return err_set(e, ERR_NETWORK, "the daemon of this mount went away");
        else if (!wait_for(link->fd, POLLOUT, timeout_ms))
            return no_answer(e);
    }
    return 0;
}

/* The next line, NUL-terminated, in *LINE; NULL at the end of the connection. */
static int next_line(struct conversation *c, char **line, struct err *e)
{
    for (;;) {
        char *end = memchr(c->buf + c->begin, '\n', c->end - c->begin);
        if (end) {
            *end = '\0';
            *line = c->buf + c->begin;
            c->begin = (size_t)(end - c->buf) + 1;
            return 0;
        }
        memmove(c->buf, c->buf + c->begin, c->end - c->begin);
        c->end -= c->begin;
        c->begin = 0;
        if (c->end == CONTROL_LINE_MAX)
            return err_set(e, ERR_LIMIT, "the reply is not understood");
        if (!wait_for(c->fd, POLLIN, c->timeout_ms))
            return no_answer(e);
        ssize_t n = recv(c->fd, c->buf + c->end, CONTROL_LINE_MAX - c->end, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        *line = NULL;
        if (n <= 0)
            return 0;
        c->end += (size_t)n;
    }
}

/* "error KIND TEXT" from the daemon as an error of ours. */
static int take_error(char *line, struct err *e)
{
    char *kind = line, *text = strchr(line, ' ');

    if (text)
        *text++ = '\0';
    for (unsigned i = ERR_NONE + 1; i < ERR_KIND_COUNT; i++)
        if (!strcmp(kind, err_kind_name((enum err_kind)i)) && i != ERR_SYSTEM)
            return err_set(e, (enum err_kind)i, "%s", text ? text : kind);
    return err_set(e, ERR_UNSUPPORTED, "%s", text ? text : kind);
}

static int read_reply(struct conversation *c, bool follow, control_line_fn each, void *arg,
                      struct err *e)
{
    char *line;
    int rc = next_line(c, &line, e);

    if (!rc && line && !strncmp(line, "error ", 6))
        return take_error(line + 6, e);
    if (!rc && line && strcmp(line, "ok") != 0)
        return err_set(e, ERR_INVALID, "the reply is not understood");
    if (follow)
        c->timeout_ms = -1;
    while (!rc && line) {
        rc = next_line(c, &line, e);
        if (!rc && line && !strcmp(line, "end"))
            return 0;
        if (!rc && line)
            rc = each(line, arg);
    }
    if (!rc && !follow)
        rc = err_set(e, ERR_NETWORK, "the daemon of this mount went away");
    return rc;
}

int control_ask(const struct control_link *link, const struct control_request *request,
                int timeout_ms, control_line_fn each, void *arg, struct err *e)
{
    if (link->fd < 0)
        return no_answer(e);
    struct conversation c = { .fd = link->fd, .timeout_ms = timeout_ms,
                              .buf = malloc(CONTROL_LINE_MAX) };
    int rc = c.buf ? send_request(link, request, timeout_ms, e) : err_nomem(e);

    if (!rc)
        rc = read_reply(&c, request->follow, each, arg, e);
    free(c.buf);
    return rc;
}
