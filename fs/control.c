/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The server of a control socket. See control.h.
 *
 * One thread, one poll(2) over all clients, every descriptor non-blocking. What is sent to a client
 * is made when there is room for it: a reply is at most a table of rows, and a log goes out piece
 * by piece from the ring, so that a slow client costs its buffer and nothing else. One that does
 * not get on within CLIENT_TIMEOUT_MS is let go.
 */
#include "config.h"

#include "fs/control.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "fetch/thread.h"
#include "fs/control_commands.h"
#include "fs/control_state.h"
#include "fs/runtime_base.h"
#include "src/clock.h"

enum {
    CLIENTS = 64,
    FOLLOWERS = 48, /* of these, so that there is always room for a question */
    CLIENT_TIMEOUT_MS = 10000,
    BACKLOG = 128,
};

struct client {
    int fd; /* -1: free */
    char in[CONTROL_REQUEST_MAX];
    size_t in_len;
    struct control_reply reply;
    size_t sent;      /* of reply.text */
    bool asked;       /* the request is complete */
    bool denied;      /* and will be refused, whatever it is */
    int64_t patience_ms; /* when it is let go, unless it gets on */
};

struct control {
    struct control_parts parts;
    int dir_fd, listen_fd, wake_fd;
    char socket_name[CONTROL_NAME_SIZE], state_name[CONTROL_NAME_SIZE];
    ino_t socket_inode; /* another mount may get the number, and the names, when this one is gone */
    pthread_t thread;
    _Atomic bool stopping;
    struct client clients[CLIENTS]; /* the thread's */
};

/* Signed, as INT64_MAX stands for never. */
static int64_t now_ms(void)
{
    return (int64_t)monotonic_ms();
}

/* ---- clients ---- */

static void let_go(struct client *c)
{
    (void)close(c->fd);
    c->fd = -1;
    control_reply_free(&c->reply);
}

/* Sends what there is and makes more as long as that is taken. */
static void pump(struct control *ctl, struct client *c)
{
    while (c->fd >= 0) {
        if (c->sent == c->reply.len) {
            c->sent = 0;
            control_reply_more(&ctl->parts, &c->reply, now_ms());
            if (!c->reply.len && c->reply.ended)
                let_go(c);
            if (c->fd < 0 || !c->reply.len)
                return;
        }
        ssize_t n = send(c->fd, c->reply.text + c->sent, c->reply.len - c->sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            if (errno != EAGAIN && errno != EWOULDBLOCK)
                let_go(c);
            return;
        }
        c->sent += (size_t)n;
        c->patience_ms = now_ms() + CLIENT_TIMEOUT_MS;
    }
}

static unsigned count_followers(const struct control *ctl)
{
    unsigned n = 0;

    for (size_t i = 0; i < CLIENTS; i++)
        n += ctl->clients[i].fd >= 0 && ctl->clients[i].reply.follow;
    return n;
}

static void answer(struct control *ctl, struct client *c, size_t len)
{
    struct control_request request;
    struct err e = { 0 };

    c->asked = true;
    if (c->denied) {
        (void)err_set(&e, ERR_DENIED, "only root and the user who mounted may ask");
        control_reply_error(&c->reply, &e);
    } else if (control_parse_request(c->in, len, &request, &e)) {
        control_reply_error(&c->reply, &e);
    } else if (request.follow && count_followers(ctl) >= FOLLOWERS) {
        (void)err_set(&e, ERR_BUSY, "too many programs are following already");
        control_reply_error(&c->reply, &e);
    } else {
        control_reply_begin(&ctl->parts, &request, &c->reply, now_ms());
    }
    pump(ctl, c);
}

/* Reads the request. After it, nothing is listened to. */
static void hear(struct control *ctl, struct client *c)
{
    ssize_t n = recv(c->fd, c->in + c->in_len, sizeof c->in - c->in_len, 0);

    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    if (n <= 0) {
        let_go(c);
        return;
    }
    c->in_len += (size_t)n;
    const char *end = memchr(c->in, '\n', c->in_len);
    if (end)
        answer(ctl, c, (size_t)(end - c->in));
    else if (c->in_len == sizeof c->in)
        answer(ctl, c, c->in_len);
}

static bool is_allowed(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof peer;

    return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) &&
           (peer.uid == geteuid() || peer.uid == 0);
}

/* Where one more client can be: a free place, or that of the one that has said nothing for longest.
 * NULL: everybody is being answered. */
static struct client *find_room(struct control *ctl)
{
    struct client *silent = NULL;

    for (size_t i = 0; i < CLIENTS; i++) {
        struct client *c = &ctl->clients[i];
        if (c->fd < 0)
            return c;
        if (!c->asked && (!silent || c->patience_ms < silent->patience_ms))
            silent = c;
    }
    return silent;
}

/* Lets in who waits, a few at a time: those who are in are not to wait either. */
static void welcome(struct control *ctl)
{
    for (int i = 0; i < CLIENTS / 2; i++) {
        struct client *c = find_room(ctl);
        int fd = c ? accept4(ctl->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC) : -1;

        if (fd < 0)
            return;
        if (c->fd >= 0)
            let_go(c);
        *c = (struct client){ .fd = fd,
                              .denied = !is_allowed(fd),
                              .patience_ms = now_ms() + CLIENT_TIMEOUT_MS };
    }
}

/* ---- the thread ---- */

/* What C is waited for, and until when; -1: no end. */
static short events_of(const struct client *c, int64_t *until)
{
    bool sending = c->sent < c->reply.len;

    *until = c->asked && !sending ? c->reply.wake_ms : c->patience_ms;
    /* After the request nothing is read: the end of the other side shows as POLLHUP. */
    return (short)((c->asked ? 0 : POLLIN) | (sending ? POLLOUT : 0));
}

/* Time is over for C: the next piece of what it follows is due, or it has been too slow. */
static void on_time(struct control *ctl, struct client *c)
{
    if (c->asked && c->sent == c->reply.len)
        pump(ctl, c);
    else
        let_go(c);
}

/* Fills FDS; WHO[i] is the client of FDS[i]. Returns how many there are; *timeout for poll(2). */
static size_t prepare(struct control *ctl, struct pollfd *fds, struct client **who, int *timeout)
{
    int64_t earliest = INT64_MAX, until;
    size_t n = 2;

    fds[0] = (struct pollfd){ .fd = ctl->wake_fd, .events = POLLIN };
    fds[1] = (struct pollfd){ .fd = find_room(ctl) ? ctl->listen_fd : -1, .events = POLLIN };
    for (size_t i = 0; i < CLIENTS; i++) {
        struct client *c = &ctl->clients[i];
        if (c->fd < 0)
            continue;
        fds[n] = (struct pollfd){ .fd = c->fd, .events = events_of(c, &until) };
        who[n++] = c;
        earliest = until < earliest ? until : earliest;
    }
    int64_t wait = earliest == INT64_MAX ? -1 : earliest - now_ms();
    *timeout = wait < -1 ? 0 : wait > CLIENT_TIMEOUT_MS ? CLIENT_TIMEOUT_MS : (int)wait;
    if (earliest != INT64_MAX && wait < 0)
        *timeout = 0;
    return n;
}

static void serve_client(struct control *ctl, struct client *c, short happened)
{
    int64_t until;

    if (happened & POLLIN)
        hear(ctl, c);
    else if (happened & (POLLHUP | POLLERR | POLLNVAL))
        let_go(c);
    else if (happened & POLLOUT)
        pump(ctl, c);
    if (c->fd < 0)
        return;
    (void)events_of(c, &until);
    if (until <= now_ms())
        on_time(ctl, c);
}

static void *run(void *arg)
{
    struct control *ctl = arg;
    struct pollfd fds[CLIENTS + 2];
    struct client *who[CLIENTS + 2];
    int timeout;

    while (!atomic_load(&ctl->stopping)) {
        size_t n = prepare(ctl, fds, who, &timeout);
        if (poll(fds, n, timeout) < 0)
            continue; /* EINTR; memory for it comes back */
        for (size_t i = 2; i < n; i++)
            serve_client(ctl, who[i], fds[i].revents);
        if (fds[1].revents)
            welcome(ctl);
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        struct client *c = &ctl->clients[i];
        if (c->fd < 0)
            continue;
        c->reply.finish = true; /* the last lines, if they are taken at once */
        pump(ctl, c);
        if (c->fd >= 0)
            let_go(c);
    }
    return NULL;
}

/* ---- start and end ---- */

/* The socket at NAME in the directory. Through the descriptor: the path may be longer than an
 * address has room for. */
static int bind_socket(struct control *ctl, const char *base, struct err *e)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct stat st;
    int n = snprintf(address.sun_path, sizeof address.sun_path, "%s/%s", base, ctl->socket_name);

    if (n >= (int)sizeof address.sun_path)
        (void)snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s",
                       ctl->dir_fd, ctl->socket_name);
    ctl->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (ctl->listen_fd < 0)
        return err_sys(e, "control socket");
    (void)unlinkat(ctl->dir_fd, ctl->socket_name, 0); /* of a daemon that was killed */
    if (bind(ctl->listen_fd, (const struct sockaddr *)&address, sizeof address) ||
        fstatat(ctl->dir_fd, ctl->socket_name, &st, AT_SYMLINK_NOFOLLOW) ||
        listen(ctl->listen_fd, BACKLOG))
        return err_sys(e, "control socket %s/%s", base, ctl->socket_name);
    ctl->socket_inode = st.st_ino;
    return 0;
}

static int write_state(const struct control *ctl, struct err *e)
{
    union {
        const char *in;
        char *out;
    } mountpoint = { ctl->parts.mountpoint }, source = { ctl->parts.source_name };
    struct control_state state = { .connection = ctl->parts.connection,
                                   .mountpoint = mountpoint.out,
                                   .source = source.out };

    (void)control_process_of(getpid(), &state.process); /* without /proc, nobody can look there */
    return control_state_write(ctl->dir_fd, ctl->parts.device, &state, e);
}

static int make_files(struct control *ctl, struct err *e)
{
    auto_free char *base = NULL;
    int rc = runtime_base_make(&base, e);

    if (rc)
        return rc;
    control_socket_name(ctl->parts.device, ctl->socket_name);
    control_state_name(ctl->parts.device, ctl->state_name);
    ctl->dir_fd = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (ctl->dir_fd < 0)
        return err_sys(e, "%s", base);
    control_dir_lock(ctl->dir_fd);
    rc = bind_socket(ctl, base, e);
    if (!rc)
        rc = write_state(ctl, e);
    control_dir_unlock(ctl->dir_fd);
    return rc;
}

/* Unless another mount has taken the names over. */
static void remove_files(struct control *ctl)
{
    struct stat st;

    if (ctl->dir_fd < 0 || !ctl->socket_inode)
        return;
    control_dir_lock(ctl->dir_fd);
    if (!fstatat(ctl->dir_fd, ctl->socket_name, &st, AT_SYMLINK_NOFOLLOW) &&
        st.st_ino == ctl->socket_inode) {
        (void)unlinkat(ctl->dir_fd, ctl->state_name, 0);
        (void)unlinkat(ctl->dir_fd, ctl->socket_name, 0);
    }
    control_dir_unlock(ctl->dir_fd);
}

static void release(struct control *ctl)
{
    remove_files(ctl);
    if (ctl->listen_fd >= 0)
        (void)close(ctl->listen_fd);
    if (ctl->wake_fd >= 0)
        (void)close(ctl->wake_fd);
    if (ctl->dir_fd >= 0)
        (void)close(ctl->dir_fd);
    free(ctl);
}

int control_start(const struct control_parts *parts, struct control **out, struct err *e)
{
    struct control *ctl = calloc(1, sizeof *ctl);
    int rc;

    *out = NULL;
    if (!ctl)
        return err_nomem(e);
    ctl->parts = *parts;
    ctl->dir_fd = ctl->listen_fd = -1;
    for (size_t i = 0; i < CLIENTS; i++)
        ctl->clients[i].fd = -1;
    ctl->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    rc = ctl->wake_fd < 0 ? err_sys(e, "control socket") : make_files(ctl, e);
    if (!rc && (rc = thread_start(&ctl->thread, NULL, run, ctl)))
        rc = err_set(e, ERR_NO_MEMORY, "no thread for the control socket: %s", strerror(rc));
    if (rc) {
        release(ctl);
        return rc;
    }
    *out = ctl;
    return 0;
}

void control_stop(struct control *ctl)
{
    if (!ctl)
        return;
    atomic_store(&ctl->stopping, true);
    uint64_t one = 1;
    (void)!write(ctl->wake_fd, &one, sizeof one); /* can fail only when it is readable already */
    pthread_join(ctl->thread, NULL);
    release(ctl);
}
