/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where the server speaks HTTP/2, LOW reads travel in a lane of their own: HTTP/1.1 connections
 * that belong to a second curl multi handle. Two reasons. A paused stream of HTTP/2 goes on filling
 * the connection, and curl's memory, so ordinary reads would share the line with it after all; and
 * a reply in HTTP/1.1 makes curl forget that the other connection to the host can carry many
 * requests, as long as one multi handle has both.
 *
 * The lane has no wait of its own: the thread waits in the first handle's curl_multi_poll(), which
 * is given the lane's sockets and looks at its timer. I/O thread only.
 */
#include "config.h"

#include "fetch/source_http.h"

static struct curl_waitfd *find(struct http_lane *l, curl_socket_t fd)
{
    for (size_t i = 0; i < l->count; i++)
        if (l->fds[i].fd == fd)
            return &l->fds[i];
    return NULL;
}

static struct curl_waitfd *add(struct http_lane *l, curl_socket_t fd)
{
    if (l->count == l->room) {
        size_t room = l->room ? 2 * l->room : 8;
        struct curl_waitfd *more = realloc(l->fds, room * sizeof *more);
        if (!more)
            return NULL;
        l->fds = more;
        l->room = room;
    }
    l->fds[l->count] = (struct curl_waitfd){ .fd = fd };
    return &l->fds[l->count++];
}

/* curl says what it wants to know of a socket. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *unused)
{
    struct http_lane *l = arg;
    struct curl_waitfd *w = find(l, fd);

    (void)easy;
    (void)unused;
    if (what == CURL_POLL_REMOVE) {
        if (w)
            *w = l->fds[--l->count];
        return 0;
    }
    if (!w && !(w = add(l, fd)))
        return -1;
    w->events = (short)((what & CURL_POLL_IN ? CURL_WAIT_POLLIN : 0) |
                        (what & CURL_POLL_OUT ? CURL_WAIT_POLLOUT : 0));
    return 0;
}

CURLM *http_lane_open(struct http_source *s)
{
    struct http_lane *l = &s->lane;
    long most = (long)max_u64(s->settings.max_connections / 2, 1);

    if (l->multi)
        return l->multi;
    l->multi = libcurl.multi_init();
    if (!l->multi)
        return NULL;
    (void)libcurl.multi_setopt(l->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    (void)libcurl.multi_setopt(l->multi, CURLMOPT_SOCKETDATA, l);
    (void)libcurl.multi_setopt(l->multi, CURLMOPT_MAXCONNECTS, most);
    return l->multi;
}

void http_lane_close(struct http_source *s)
{
    if (s->lane.multi)
        (void)libcurl.multi_cleanup(s->lane.multi);
    free(s->lane.fds);
    s->lane = (struct http_lane){ .multi = NULL };
}

CURLMcode http_lane_perform(struct http_source *s)
{
    struct http_lane *l = &s->lane;
    CURLMcode code = CURLM_OK;
    int running;

    if (!l->multi)
        return CURLM_OK;
    for (size_t i = 0; i < l->count && code == CURLM_OK;) {
        struct curl_waitfd w = l->fds[i];
        if (!w.revents) {
            i++;
            continue;
        }
        l->fds[i].revents = 0;
        int ready = (w.revents & CURL_WAIT_POLLIN ? CURL_CSELECT_IN : 0) |
                    (w.revents & CURL_WAIT_POLLOUT ? CURL_CSELECT_OUT : 0);
        code = libcurl.multi_socket_action(l->multi, w.fd, ready, &running);
        i = 0; /* the list may be another one now */
    }
    if (code == CURLM_OK)
        code = libcurl.multi_socket_action(l->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    return code;
}

int http_lane_wait_ms(const struct http_source *s, int most)
{
    long ms = -1;

    if (!s->lane.multi || libcurl.multi_timeout(s->lane.multi, &ms) != CURLM_OK || ms < 0)
        return most;
    return ms < most ? (int)ms : most;
}
