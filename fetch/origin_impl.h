/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The origin from the inside; used by fetch/origin*.c only.
 *
 * One thread (origin_loop.c) owns the sites and the reads and alone changes them. What others have
 * to tell it - new reads, attempts and openings that have ended, wishes - they put into the inbox,
 * holding the lock for a few instructions. The lock is never held over I/O, a callback or done(),
 * with one exception: a source is told to cancel or promote with it held, since only so it is known
 * that it has not called done() yet, and these never block nor call back.
 *
 *   origin.c           options, opening and closing, the source's operations
 *   origin_settings.c  copies of the options, shared with threads that were given up
 *   origin_loop.c      the thread: inbox, timers
 *   origin_read.c      one read on its way through the sites
 *   origin_site.c      one place: opening, comparing, health
 *   origin_connect.c   the threads that open, and read from files
 */
#ifndef FETCH_ORIGIN_IMPL_H
#define FETCH_ORIGIN_IMPL_H

#include <pthread.h>
#include <stdatomic.h>

#include "fetch/errand.h"
#include "fetch/origin.h"
#include "src/log.h"

enum {
    ORIGIN_HEAD_BYTES = 4096, /* compared between places */
    ORIGIN_BLOCKING_MAX = 8,  /* threads that read from a file at a time */
    ORIGIN_SLACK_MS = 250,    /* a source's own word on its deadline says more */
    ORIGIN_GRACE_MS = 2000,   /* closing waits so long for openings that it has ended */
    ORIGIN_PROBE_MS = 15000,  /* deadline of a probe, if that of reads is not shorter */
};

/* --- origin_settings.c ----------------------------------------------------------------------- */

/* Fixed once made, but for the atomic ones. Strings are owned and absolute where they are paths. */
struct origin_settings {
    atomic_uint users;
    struct {
        atomic_uint reading;          /* threads that read from this file */
        atomic_uint stuck;            /* threads that read or open, and were given up */
    } busy[ORIGIN_PLACES_MAX];
    struct source_options connection; /* without opening and once */
    char *texts[9];                   /* those of connection */
    bool impatient;
    size_t count;
    char *locations[ORIGIN_PLACES_MAX];
    char *names[ORIGIN_PLACES_MAX];   /* for people: without secrets */
    uint32_t holdoff_first_ms, holdoff_most_ms, holdoff_refused_ms;
    int (*open)(const char *location, const struct source_options *o, size_t head_bytes,
                struct source **out, struct err *e);
};

int origin_settings_new(const struct origin_options *o, struct origin_settings **out,
                        struct err *e) must_check;
struct origin_settings *origin_settings_get(struct origin_settings *s);
void origin_settings_put(struct origin_settings *s); /* NULL is fine */

/* --- origin_connect.c ------------------------------------------------------------------------ */

/* An opened place. Has a reference for each read under way and one for the site; the last one
 * closes it. */
struct channel {
    atomic_uint users;
    struct source *source;
};

struct channel *channel_get(struct channel *c);
void channel_put(struct channel *c); /* NULL is fine */

/* A place being opened. Made and freed by the origin's thread, or left behind with the errand. */
struct opening {
    struct opening *next;     /* inbox */
    struct origin *origin;
    struct origin_settings *settings;
    unsigned site;
    struct errand *errand;
    struct source_opening gate;
    struct source_options options;
    size_t head_bytes;
    uint64_t begun_ms, limit_ms;
    bool ended;               /* the origin's thread has ended it */
    /* What comes of it: */
    int status;
    struct err err;
    struct channel *channel;
    uint64_t size;
    size_t head_len;
    uint8_t head[ORIGIN_HEAD_BYTES];
};

struct origin;
struct origin_read;

int opening_start(struct origin *o, unsigned site, const struct source_options *options,
                  size_t head_bytes, struct opening **out, struct err *e) must_check;
void opening_free(struct opening *op); /* after its errand has been joined */
bool opening_abandon(struct opening *op) must_check; /* as errand_abandon() */

/* A read from a source that blocks, into a buffer of its own: the reader's may be gone before. */
struct blocking {
    struct origin_settings *settings;
    unsigned site;
    struct origin_read *read;
    struct channel *channel;
    struct errand *errand;
    struct source_read io;
    int status;
    struct err err;
    uint8_t bytes[];
};

int blocking_start(struct origin_read *r, struct channel *c, struct blocking **out,
                   struct err *e) must_check;
void blocking_free(struct blocking *b); /* after its errand has been joined */
bool blocking_abandon(struct blocking *b) must_check; /* as errand_abandon() */

/* --- reads ----------------------------------------------------------------------------------- */

enum read_state {
    READ_NEW,
    READ_WAITING, /* for its site to be opened, or (the site is open) for a thread */
    READ_ASKED,   /* its site has been asked for it */
};

/* Why an attempt was ended before it was done. */
enum read_end {
    READ_GOES_ON,
    READ_CANCELLED, /* by the caller, or the origin closes */
    READ_OFFLINE,
    READ_TOO_LATE,  /* its deadline is over */
    READ_TOO_SLOW,  /* the time for this attempt is over */
    READ_MOVED,     /* another place is better now */
};

struct origin_read {
    struct origin_read *next, *prev; /* inbox (lock), then the list of all reads */
    struct origin_read *ended_next;  /* inbox (lock): attempts that are done */
    struct origin *origin;
    struct source_read *read;        /* the caller's, not to be touched once done() has begun; NULL
                                      * for a probe */
    atomic_bool cancelled, promoted;
    unsigned flags;                  /* of enum source_read_flag, but for ELSEWHERE */
    unsigned not_from;               /* bit mask of sites: SOURCE_READ_ELSEWHERE */
    bool whole;                      /* all bytes from one place, and no word before the end */
    uint64_t begun_ms, deadline_ms;

    enum read_state state;
    unsigned site;
    unsigned tried;                  /* bit mask of sites */
    size_t have;                     /* bytes at the front that need not be asked for again */
    struct err failure;              /* the one to be told of; ERR_NONE: none so far */
    unsigned failures;

    /* The attempt under way. */
    struct channel *channel;
    struct source_read io;
    struct blocking *blocking;       /* instead of IO's own way */
    uint64_t asked_ms, limit_ms;
    bool fair;                       /* it has time enough to be held against the place */
    enum read_end end;
    _Atomic size_t got;              /* of its bytes */
    size_t told;                     /* to the caller, of the whole read; by who calls progress */
    bool over;                       /* lock: io's done() has been called */
    int status;
    struct err err;
    uint8_t probe_byte;
};

/* Takes R on: from here on it is in the list of reads. */
void read_begin(struct origin *o, struct origin_read *r);

/* Chooses a site and asks it, or waits for it; or ends the read. */
void read_go(struct origin *o, struct origin_read *r);

/* Ends R, whatever it is doing. */
void read_stop(struct origin *o, struct origin_read *r, enum read_end why);

void read_promote(struct origin *o, struct origin_read *r);

/* The attempt is done; its outcome is in R. */
void read_attempt_over(struct origin *o, struct origin_read *r);

/* Opening SITE has failed: reads that waited for it do so no longer. */
void read_site_failed(struct origin *o, unsigned site, const struct err *e);

/* Takes reads that got nothing so far away from places that are held off, to healthy ones. */
void read_rebalance(struct origin *o);

void read_probe(struct origin *o, unsigned site);

/* When R has to be looked at without anything happening. */
uint64_t read_next_ms(const struct origin_read *r);
void read_timer(struct origin *o, struct origin_read *r, uint64_t now);

/* --- sites ----------------------------------------------------------------------------------- */

/* One place. */
struct site {
    struct channel *channel;   /* NULL: not open; lock to change it */
    struct opening *opening;   /* NULL: not being opened */
    bool probing;
    bool refused;              /* has another object; until until_ms */
    unsigned failed;           /* failures in a row; 0: in good health */
    uint64_t failed_ms;        /* the last one */
    uint64_t until_ms;         /* held off, if failed */
    uint64_t answered_ms;      /* when something last came of it */
    struct err error;          /* the last failure */
    uint64_t reads, failures;
    bool said_failed;          /* in the log */
    struct source_stats past;  /* of channels that were left; lock */
};

static inline bool site_is_good(const struct site *t)
{
    return !t->failed;
}

/* The site for a read that is not to go to those in the mask WITHOUT; NULL: none is left. */
struct site *site_choose(struct origin *o, unsigned without);

/* Whether there is a site in good health but for those in the mask WITHOUT. */
bool site_any_good(const struct origin *o, unsigned without);

/* Whether threads that were given up are still at work there. If so, that is noted as a failure. */
bool site_is_stuck(struct origin *o, struct site *t);

/* Starts to open it, unless that is under way already. False: it failed, and that is noted. */
bool site_open(struct origin *o, struct site *t);
void site_opened(struct origin *o, struct opening *op);

/* An attempt that began at BEGUN_MS has succeeded, or failed. FAIR: see struct origin_read. */
void site_worked(struct origin *o, struct site *t, uint64_t begun_ms);
void site_failed(struct origin *o, struct site *t, uint64_t begun_ms, bool fair,
                 const struct err *e);

void site_leave_channel(struct origin *o, struct site *t);
void site_retry_now(struct origin *o); /* all that are held off, not the refused ones */
uint64_t site_next_ms(const struct origin *o, const struct site *t);
void site_timer(struct origin *o, struct site *t, uint64_t now);

/* --- the origin ------------------------------------------------------------------------------ */

struct inbox {
    struct origin_read *started, *started_tail;
    struct origin_read *ended;
    struct opening *opened;
    bool cancel, promote; /* some read has its flag set */
    bool drop_head;
    bool offline_changed;
    bool stop;
    bool any;
};

struct origin {
    struct source base;
    struct origin_settings *settings;
    size_t head_bytes;
    pthread_t thread;

    pthread_mutex_t lock;
    pthread_cond_t changed;     /* inbox; START */
    struct inbox inbox;         /* lock */
    struct origin_place shown[ORIGIN_PLACES_MAX]; /* lock; wait_ms is a point in time */
    atomic_bool offline;
    atomic_bool connected;
    _Atomic uint64_t failovers, errors, in_flight, oldest_ms; /* oldest_ms: when begun, 0: none */
    _Atomic uint64_t latency[SOURCE_LATENCY_BUCKETS];

    /* The origin's thread only. */
    struct site sites[ORIGIN_PLACES_MAX];
    struct origin_read *reads, *reads_tail; /* as they began; probes among them */
    unsigned openings;
    bool known;                 /* which object it is: base.size and the next two */
    uint8_t head[ORIGIN_HEAD_BYTES];
    size_t head_len;
    bool head_dropped;
    bool stopping;
    bool look_again;            /* waiting reads may have somewhere to go */
    bool rebalance;
    bool is_offline;            /* as the thread knows it */
    uint64_t lost_ms;           /* when it became disconnected */
    bool said_lost;             /* in the log */
    struct log_limit lines;
    uint32_t chance;            /* state of the random numbers */

    struct {                    /* origin_open() waits for it */
        bool wanted;            /* the thread's */
        unsigned tried;
        uint64_t deadline_ms;
        int first_status;       /* the preferred place's */
        struct err first;
        bool done;              /* lock */
        int status;
        struct err err;
    } start;
};

static inline unsigned site_index(const struct origin *o, const struct site *t)
{
    return (unsigned)(t - o->sites);
}

static inline const char *site_name(const struct origin *o, const struct site *t)
{
    return o->settings->names[t - o->sites];
}

extern const struct source_ops source_origin_ops;

/* What is a sum over places. */
void origin_add_stats(struct source_stats *to, const struct source_stats *s);

uint32_t origin_chance(struct origin *o);

/* origin_loop.c */
void *origin_loop(void *origin);
void origin_show(struct origin *o); /* brings what others may see up to date */

/* While origin_open() waits: an opening has ended with STATUS, or (0 and NULL) none has begun. */
void origin_start_next(struct origin *o, int status, const struct err *e);

#endif
