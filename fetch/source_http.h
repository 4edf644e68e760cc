/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The HTTP source from the inside; used by fetch/source_http*.c only.
 *
 * Each source has one I/O thread, started when it is opened, which alone touches its curl handles.
 * Readers put requests into a queue, holding its lock for a few instructions, and wake the thread.
 * The thread answers reads of the head from memory, hands the others to curl, enforces deadlines
 * and calls done(). No lock is held over curl, progress() or done(); these may start, cancel and
 * promote reads.
 *
 *   source_http.c           options, opening, the source's operations
 *   source_http_loop.c      the I/O thread: queue, deadlines, cancelling, trying again
 *   source_http_order.c     whose turn it is: demand first, LOW reads stand back
 *   source_http_lane.c      connections of their own for LOW reads beside HTTP/2
 *   source_http_transfer.c  one attempt: curl handle, checking the reply, its outcome
 */
#ifndef FETCH_SOURCE_HTTP_H
#define FETCH_SOURCE_HTTP_H

#include <pthread.h>
#include <stdatomic.h>

#include "fetch/curl_library.h"
#include "fetch/http_reply.h"
#include "fetch/retry.h"
#include "fetch/source.h"
#include "fetch/timers.h"

/* How urgent a read is; promotion makes it the first. */
enum http_rank { HTTP_DEMAND, HTTP_AHEAD, HTTP_LOW, HTTP_RANKS };

/* Where a request is; all but the last have a list for each rank. */
enum http_state {
    HTTP_WAITING, /* for its turn */
    HTTP_RUNNING, /* at curl's, perhaps paused */
    HTTP_RESTING, /* between two attempts */
};

struct http_list {
    struct http_request *first, *last;
    unsigned count;
};

/* One read on its way. Made by the reader's thread, then the I/O thread's, but for the flags. It
 * outlives done(), so that a reader may cancel while done() waits for that reader's lock. */
struct http_request {
    struct http_request *next, *prev;     /* queue (source's lock), then the list of its state */
    struct http_request *older, *younger; /* all of the I/O thread's, in the order they came */
    struct source_read *read;             /* not to be touched once done() has begun */
    struct http_source *source;
    atomic_bool cancelled, promoted;
    bool opening;                         /* the first one, which learns what the object is */
    bool once;                            /* SOURCE_READ_ONCE */
    bool fresh;                           /* SOURCE_READ_FRESH */
    enum http_rank rank;
    bool foreseen;                        /* has been HTTP_LOW */

    enum http_state state;
    struct http_list *list;               /* NULL while resting */
    bool paused;                          /* curl is to bring no more for now */

    /* Time, in ms of the monotonic clock. The span of a LOW read does not run while it stands back:
     * LEFT_MS is what remains of it then. The timer is set to the next thing that is due. */
    struct timer timer;
    uint64_t started_ms, deadline_ms, rest_until_ms;
    uint32_t span_ms, left_ms;
    bool ticking;

    /* All attempts. */
    size_t len;                           /* of the read; less where an object being opened ends */
    size_t got;                           /* bytes in the buffer */
    size_t told;                          /* of these, what progress() has been told of */
    unsigned attempts;                    /* begun, without those that were taken back */
    unsigned failed;                      /* the last so many brought nothing */
    bool identified;                      /* source->identity holds, although it is being opened */
    bool renewed;                         /* has been sent again for a connection that was gone */
    struct err last;                      /* why the last one failed; kind ERR_NONE before */

    /* This attempt. */
    CURL *easy;                           /* NULL when not at curl's */
    CURLM *multi;                         /* whose EASY is */
    struct http_reply reply;
    bool accepted;                        /* the header is right: the body goes to the buffer */
    bool moved_for_good;                  /* redirects so far were permanent ones */
    bool redirected;
    size_t begun_at;                      /* GOT when it began */
    size_t end;                           /* what GOT will be, when accepted; at most LEN */
    size_t discarded;                     /* bytes of an error page */
    int status;                           /* a fault found by a callback; err says which */
    struct err err;
    char range[48];
    char curl_text[CURL_ERROR_SIZE];
};

/* What became of an attempt. */
struct http_outcome {
    int status;
    struct err err;
    enum retry_verdict verdict; /* when it failed */
    bool stale;                 /* it failed because a kept connection was gone: nobody saw it */
    bool unreached;             /* it failed before there was a server to speak to */
    long after_s;               /* Retry-After; negative: none */
};

/* Copies of the options, fixed once the source is open. Strings are owned, NULL = not set. */
struct http_settings {
    char *url;             /* asked for in each request */
    char *user_agent, *ca_file, *client_cert, *client_key, *netrc_file, *proxy;
    char *user, *password; /* from the environment; for the host of the URL only */
    char *sigv4;           /* CURLOPT_AWS_SIGV4; USER and PASSWORD are the keys then */
    char *token_header;    /* that goes with them */
    bool insecure;
    unsigned long auth;    /* CURLAUTH_…: what may be used; once open: what the server takes */
    unsigned long proxy_auth; /* CURLAUTH_… for a proxy */
    unsigned io_timeout_ms, connect_timeout_ms, low_speed_bytes, low_speed_seconds;
    unsigned max_connections;
};

/* See source_http_lane.c. */
struct http_lane {
    CURLM *multi; /* NULL as long as no LOW read needed it */
    struct curl_waitfd *fds;
    size_t count, room;
};

struct http_source {
    struct source base;
    struct http_settings settings;
    struct http_identity identity; /* written by the opening request */
    struct curl_slist *headers;    /* sent with each request */
    struct curl_slist *fresh_headers; /* the same, with a word to caches */

    pthread_t thread;
    CURLM *multi;                  /* I/O thread; others may call curl_multi_wakeup() only */
    CURL **idle;                   /* I/O thread: configured handles for the next requests */
    size_t idle_count;
    struct http_request *oldest, *youngest; /* I/O thread: all that are not done */
    struct http_list waiting[HTTP_RANKS], running[HTTP_RANKS]; /* I/O thread */
    struct timers timers;          /* I/O thread */
    struct http_lane lane;         /* I/O thread */
    bool low_stands_back;          /* I/O thread: body bytes of LOW reads are not taken now */
    bool speaks_http2;             /* I/O thread: some reply was HTTP/2 */
    bool multiplexed;              /* I/O thread: HTTP/2 replies have come since curl was idle */
    uint32_t chance;               /* I/O thread: state of the generator */
    uint8_t *head;                 /* I/O thread, once open */
    size_t head_len;

    pthread_mutex_t lock;          /* guards the next three; held for a few instructions */
    struct http_request *queue, *queue_tail;
    bool stop;

    atomic_bool flags_set;         /* some request has one of its flags set */
    atomic_bool drop_head;
    _Atomic uint64_t requests, bytes, errors, connections, retries, in_flight;
    _Atomic uint64_t oldest_ms;    /* started_ms of the oldest one; 0 = none */
    _Atomic uint64_t latency[SOURCE_LATENCY_BUCKETS];
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

/* An attempt has ended: answers the reader, or lets the request rest and try again. I/O thread. */
void http_loop_attempt_ended(struct http_request *q, const struct http_outcome *o);

/* --- source_http_order.c; I/O thread -------------------------------------------------------- */

/* Q waits for its turn, behind those that wait already, or before them. It may be in any state. */
void http_order_wait(struct http_request *q, bool in_front);

/* Q rests until AT_MS; it is not at curl's. */
void http_order_rest(struct http_request *q, uint64_t at_ms);

/* Q, taken back from curl, is nowhere any more and has no timer. */
void http_order_remove(struct http_request *q);

/* Somebody waits for Q now. */
void http_order_promote(struct http_request *q);

/* Q's body bytes have come and it is to stand back. Called by the transfer. */
void http_order_paused(struct http_request *q);

/* Starts, pauses and resumes what is to be started, paused and resumed now. */
void http_order_run(struct http_source *s);

/* --- source_http_lane.c; I/O thread ---------------------------------------------------------- */

/* The lane's handle, made at the first call; NULL without memory. */
CURLM *http_lane_open(struct http_source *s);

/* When no transfer is in it any more. */
void http_lane_close(struct http_source *s);

/* What curl_multi_perform() is for the other handle. */
CURLMcode http_lane_perform(struct http_source *s);

/* MOST, or less when the lane has something to do sooner. */
int http_lane_wait_ms(const struct http_source *s, int most);

/* --- source_http_transfer.c; I/O thread ----------------------------------------------------- */

/* Begins an attempt. On failure curl has not taken it, and O says why. */
int http_transfer_start(struct http_request *q, struct http_outcome *o) must_check;

/* Takes Q back from curl, finished or not; the connection is closed when it was not. */
void http_transfer_end(struct http_request *q);

/* The outcome of an attempt that curl has ended with CODE, before http_transfer_end(). */
void http_transfer_result(struct http_request *q, CURLcode code, struct http_outcome *o);

#endif
