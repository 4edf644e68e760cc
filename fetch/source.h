/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A source returns byte ranges of one container object: a local file, an HTTP URL, later others.
 * A new kind is one file pair with a struct source_ops and one row in the table in source.c.
 *
 * Reads are asynchronous: the caller owns the struct source_read and its buffer until DONE is
 * called, exactly once, from any thread (for an immediate source: from within source_start()
 * itself). DONE must not block, and may free the request. A read is all or nothing: status 0 means
 * that LEN bytes of the very object that was opened are in BUF.
 */
#ifndef FETCH_SOURCE_H
#define FETCH_SOURCE_H

#include <pthread.h>
#include <stdint.h>

#include "src/compiler.h"
#include "src/container.h"
#include "src/err.h"

struct source;
struct source_read;

typedef void (*source_done_fn)(struct source_read *read, int status, const struct err *e);

/*
 * The first GOT bytes of the read are in BUF, and stay as they are whatever becomes of the rest. Only
 * a hint to begin with them early: a source need not call it, and DONE may still bring an error. GOT
 * grows from call to call. From any thread, never two at a time, never after DONE; must not block.
 */
typedef void (*source_progress_fn)(struct source_read *read, size_t got);

enum source_read_flag {
    SOURCE_READ_LOW = 1u << 0,       /* nobody waits: stands back behind reads without this flag */
    SOURCE_READ_FRESH = 1u << 1,     /* caches on the way are asked not to answer from what they have */
    SOURCE_READ_ELSEWHERE = 1u << 2, /* not from place PLACE, where there are several */
    SOURCE_READ_ONCE = 1u << 3,      /* there is another place: fail at once rather than try again */
    SOURCE_READ_AHEAD = 1u << 4,     /* with LOW: somebody soon will wait. Other LOW reads stand back for
                                      * it; it does not, but leaves to others what they need to begin */
};

struct source_read {
    uint64_t offset;
    size_t len;                  /* at least 1 */
    uint8_t *buf;                /* LEN bytes */
    unsigned flags;              /* of enum source_read_flag */
    unsigned place;              /* which of several places answers (0 where there is one); set before
                                  * PROGRESS and DONE; read at the start with SOURCE_READ_ELSEWHERE */
    uint32_t timeout_ms;         /* deadline of this read, all attempts included; 0 = the source's
                                  * io_timeout_ms. While a LOW read stands back its time is not
                                  * counted. */
    source_done_fn done;         /* E is valid during the call only */
    source_progress_fn progress; /* may be NULL */
    void *arg;                   /* caller's */
    void *impl;                  /* the source's, between start and done */
};

/*
 * Lets another thread end a source_open() that is under way: it then soon fails with ERR_CANCELLED.
 * That of a file cannot be ended: the kernel decides how long a path takes. For one opening; must
 * live until source_open() has returned.
 */
struct source_opening {
    pthread_mutex_t lock;
    bool cancelled;         /* lock */
    void (*end)(void *arg); /* lock; the implementation's, NULL while there is nothing to end */
    void *arg;              /* lock */
};

#define SOURCE_OPENING_INIT { .lock = PTHREAD_MUTEX_INITIALIZER }

/* Any thread, before, during or after the opening. Never blocks. */
void source_opening_cancel(struct source_opening *o);

/*
 * How to reach things; strings are borrowed during source_open() and copied. No credential is ever
 * taken from argv or from a URL: they are SFTFS_HTTP_USER and SFTFS_HTTP_PASSWORD in the environment
 * (for the host of the URL only), or else the netrc file's entry for the host that asks; with
 * aws_sigv4, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN in the environment.
 */
struct source_options {
    unsigned io_timeout_ms;      /* total deadline of one read, queueing included; 0 = 60,000 */
    unsigned connect_timeout_ms; /* 0 = 10,000 */
    unsigned low_speed_bytes;    /* slower than this many bytes a second … 0 = 1,024 */
    unsigned low_speed_seconds;  /* … for this long fails the attempt; 0 = 15 */
    unsigned max_connections;    /* to one host; 0 = 6 */
    const char *user_agent;      /* NULL = sftfs/VERSION */
    const char *ca_file;         /* PEM bundle instead of the system's */
    const char *client_cert;     /* PEM */
    const char *client_key;      /* PEM */
    const char *netrc_file;      /* NULL = ~/.netrc when it exists */
    const char *proxy;           /* NULL = environment (http_proxy, …); "" = none */
    const char *auth;            /* "basic", "digest", "ntlm", or "any" of these; "negotiate", with
                                    * a Kerberos ticket; NULL: any, but over http not "basic",
                                    * which sends the password in clear text */
    const char *unc_map;         /* "\\server\share=/dir" pairs separated by ';', for UNC paths */
    const char *aws_sigv4;       /* "REGION" or "REGION/SERVICE": sign requests (the service is s3
                                    * unless given); NULL = do not */
    bool insecure;               /* do not verify TLS certificates */
    bool once;                   /* while opening: as SOURCE_READ_ONCE */
    struct container_options container; /* for package_open(): what to make of the object */
    struct source_opening *opening; /* used by source_open() only; NULL: nobody ends it */
};

#define SOURCE_LATENCY_BUCKETS 18u

struct source_stats {
    uint64_t requests;  /* sent to the server, or reads of the local file */
    uint64_t bytes;     /* payload received */
    uint64_t errors;    /* reads that failed */
    uint64_t connections;
    uint64_t retries;   /* requests sent again for the same read */
    uint64_t failovers; /* reads that another place was asked for */
    uint64_t in_flight; /* reads begun and not done; returns to 0 */
    uint64_t oldest_ms; /* how long the oldest of these has taken so far */
    /* Reads that were done within less than 2^i ms (and not less than 2^(i-1)); the last bucket has
     * all that took longer. */
    uint64_t latency[SOURCE_LATENCY_BUCKETS];
};

/*
 * Opens LOCATION: a path, any spelling of a file: URL, a UNC path, http: or https:. May block up to
 * the deadline; learns size and identity of the object. For a remote object the first bytes
 * (HEAD_BYTES of them, 0 for none wanted) come with the same request and later reads inside them
 * are answered from memory until source_drop_head().
 */
int source_open(const char *location, const struct source_options *o, size_t head_bytes,
                struct source **out, struct err *e) must_check;

/* Whether LOCATION is of a kind that source_open() knows. No I/O. */
bool source_is_supported(const char *location);

/* Finishes every read (the outstanding ones with ERR_CANCELLED), then releases. NULL is fine. */
void source_close(struct source *s);

uint64_t source_size(const struct source *s);

/* How many places there are that the object can be read from; see SOURCE_READ_ELSEWHERE. */
unsigned source_places(const struct source *s);

/* For messages: the location with user, password and query secrets removed. */
const char *source_name(const struct source *s);

/* True when a read costs no waiting worth leaving the thread for (local file): source_start() then
 * completes before it returns. */
bool source_is_immediate(const struct source *s);

void source_start(struct source *s, struct source_read *read);

/* Asks for an early end; DONE is still called (ERR_CANCELLED, or the result if it won). Never
 * blocks. The caller must know that DONE has not been called yet. */
void source_cancel(struct source *s, struct source_read *read);

/* Somebody waits for READ now: ends LOW and AHEAD. Same rule as for source_cancel(); never blocks. */
void source_promote(struct source *s, struct source_read *read);

/* Blocking convenience for opening and for tools. */
int source_read_sync(struct source *s, uint64_t offset, void *buf, size_t len, struct err *e)
    must_check;

void source_drop_head(struct source *s);

void source_get_stats(struct source *s, struct source_stats *out);

/* --- for implementations ------------------------------------------------------------------- */

/* The member of source_stats.latency that counts a read of MS milliseconds. */
static inline unsigned source_latency_bucket(uint64_t ms)
{
    unsigned i = 0;

    for (; ms && i < SOURCE_LATENCY_BUCKETS - 1; i++)
        ms /= 2;
    return i;
}

struct source_ops {
    const char *name;
    /* Whether LOCATION is of this kind. */
    bool (*matches)(const char *location);
    int (*open)(const char *location, const struct source_options *o, size_t head_bytes,
                struct source **out, struct err *e);
    void (*start)(struct source *s, struct source_read *read);
    void (*cancel)(struct source *s, struct source_read *read); /* NULL: reads cannot wait */
    void (*promote)(struct source *s, struct source_read *read); /* NULL: no read stands back */
    void (*drop_head)(struct source *s);                        /* NULL: has none */
    void (*get_stats)(struct source *s, struct source_stats *out);
    void (*close)(struct source *s);
    bool immediate;
};

/* While it waits in open(), an implementation lets END(ARG) be called, from any thread and once at
 * the most; at once, if the opening has been ended already. END must not block. O may be NULL. */
void source_opening_enter(struct source_opening *o, void (*end)(void *arg), void *arg);
void source_opening_leave(struct source_opening *o);

/* The first member of every implementation's own struct. */
struct source {
    const struct source_ops *ops;
    uint64_t size;
    char *name; /* owned; freed by source_close() */
    unsigned places; /* 0 = one */
};

extern const struct source_ops source_file_ops;
extern const struct source_ops source_http_ops;

#endif
