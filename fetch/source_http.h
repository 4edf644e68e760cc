/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The HTTP source from the inside; used by fetch/source_http*.c only.
 *
 * Each source has one I/O thread, started when it is opened, which alone touches its curl handles.
 * Readers put requests into a queue, holding its lock for a few instructions, and wake the thread.
 * The thread answers reads of the head from memory, hands the others to curl, enforces deadlines
 * and calls done(). No lock is held over curl or done(); done() may start and cancel reads.
 *
 *   source_http.c           options, opening, the source's operations
 *   source_http_loop.c      the I/O thread: queue, deadlines, cancelling
 *   source_http_transfer.c  one request: curl handle, checking the reply, its outcome
 */
#ifndef FETCH_SOURCE_HTTP_H
#define FETCH_SOURCE_HTTP_H

#include <pthread.h>
#include <stdatomic.h>

#include "fetch/curl_library.h"
#include "fetch/http_reply.h"
#include "fetch/source.h"

/* One read on its way. Made by the reader's thread, then the I/O thread's, but for the flag. It
 * outlives done(), so that a reader may cancel while done() waits for that reader's lock. */
struct http_request {
    struct http_request *next, *prev; /* queue (source's lock), then active list (I/O thread) */
    struct source_read *read;         /* not to be touched once done() has begun */
    struct http_source *source;
    uint64_t deadline_ms;             /* monotonic clock */
    atomic_bool cancelled;
    bool opening;                     /* the first one, which learns what the object is */

    CURL *easy;                       /* NULL when not at curl's */
    struct http_reply reply;
    bool accepted;                    /* the header is right: the body goes to the buffer */
    bool moved_for_good;              /* redirects so far were permanent ones */
    bool redirected;
    uint64_t body_len;                /* what is to come, when accepted; at most read->len */
    size_t got;
    size_t discarded;                 /* bytes of an error page */
    int status;                       /* a fault found by a callback; err says which */
    struct err err;
    char range[48];
    char curl_text[CURL_ERROR_SIZE];
};

/* Copies of the options, fixed once the source is open. Strings are owned, NULL = not set. */
struct http_settings {
    char *url;             /* asked for in each request */
    char *user_agent, *ca_file, *client_cert, *client_key, *netrc_file, *proxy;
    char *user, *password; /* from the environment; for the host of the URL only */
    bool insecure;
    unsigned long auth;    /* CURLAUTH_…: what may be used; once open: what the server takes */
    unsigned long proxy_auth; /* CURLAUTH_… for a proxy */
    unsigned io_timeout_ms, connect_timeout_ms, low_speed_bytes, low_speed_seconds;
    unsigned max_connections;
};

struct http_source {
    struct source base;
    struct http_settings settings;
    struct http_identity identity; /* written by the opening request */
    struct curl_slist *headers;    /* sent with each request */

    pthread_t thread;
    CURLM *multi;                  /* I/O thread; others may call curl_multi_wakeup() only */
    CURL **idle;                   /* I/O thread: configured handles for the next requests */
    size_t idle_count;
    struct http_request *active, *active_tail; /* I/O thread; in order of their deadlines */
    struct http_request *waiting;  /* I/O thread: first active one that is not at curl's yet */
    unsigned in_flight;            /* I/O thread: requests at curl's */
    bool multiplexed;              /* I/O thread: HTTP/2 replies have come since curl was idle */
    uint8_t *head;                 /* I/O thread, once open */
    size_t head_len;

    pthread_mutex_t lock;          /* guards the next three; held for a few instructions */
    struct http_request *queue, *queue_tail;
    bool stop;

    atomic_bool cancel_wanted;     /* some active request has its flag set */
    atomic_bool drop_head;
    _Atomic uint64_t requests, bytes, errors, connections;
};

enum {
    HTTP_IDLE_MAX = 16,
    HTTP_STREAMS_MAX = 32, /* requests at once when one connection carries many */
};

/* --- source_http_loop.c -------------------------------------------------------------------- */

/* Starts the I/O thread; 0 or -errno. */
int http_loop_start(struct http_source *s, struct err *e) must_check;

/* Finishes all requests (ERR_CANCELLED), ends the thread and joins it. Not from that thread. */
void http_loop_stop(struct http_source *s);

/* Queues READ. Any thread. done() comes from the I/O thread; without memory, from this call. */
void http_loop_submit(struct http_source *s, struct source_read *read, bool opening);

void http_loop_wake(struct http_source *s);

/* --- source_http_transfer.c; I/O thread ----------------------------------------------------- */

/* Hands Q to curl. On failure curl has not taken it. */
int http_transfer_start(struct http_request *q, struct err *e) must_check;

/* Takes Q back from curl, finished or not; the connection is closed when it was not. */
void http_transfer_end(struct http_request *q);

/* The outcome of a transfer that curl has ended with CODE, before http_transfer_end(). */
int http_transfer_result(struct http_request *q, CURLcode code, struct err *e) must_check;

#endif
