/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Places that do what a test says, for origins: named a, b, c and d, each a source with a thread of
 * its own, like a web server's, or an immediate one that blocks, like a share's. And the reads of a
 * test. Byte i of the object is fake_byte(i, 0); another object has another number.
 *
 * Whatever waits here waits without end: the alarm in fake_reset() ends a test that hangs.
 */
#ifndef TESTS_FAKE_PLACE_H
#define TESTS_FAKE_PLACE_H

#include <pthread.h>

#include "fetch/origin.h"

enum { FAKE_SIZE = 100000, FAKE_MAX = 4 };

enum fake_mode {
    FAKE_WORKS,
    FAKE_FAILS,  /* with KIND, having brought PARTIAL bytes */
    FAKE_HANGS,  /* until it is cancelled or the mode changes; an opening too */
    FAKE_STUCK,  /* the same, but deaf to cancelling; not for reads, unless immediate */
};

/* All of it under fake_lock. */
struct fake {
    enum fake_mode opening, reading;
    enum err_kind kind;
    size_t partial;        /* brought before failing or hanging */
    bool immediate;
    unsigned object;       /* which one is there now; sources that are open keep theirs */
    uint64_t size;
    unsigned fail_next;    /* so many of the next reads fail, whatever the mode */
    unsigned random;       /* of 100 reads so many fail, in any way; 0 = none */
    /* What was seen. */
    unsigned opens, closes, reads, probes, cancels, promotes, head_drops, waiting;
    bool once;             /* of the last opening */
    unsigned open_timeout_ms;
    struct source_read last; /* but probes */
    pthread_t thread;      /* of the last one */
};

extern pthread_mutex_t fake_lock;
extern pthread_cond_t fake_changed;
extern struct fake fakes[FAKE_MAX];

uint8_t fake_byte(uint64_t i, unsigned object);

/* All places as new: working, with the same object. */
void fake_reset(void);

/* The source_open() of places. */
int fake_open(const char *location, const struct source_options *o, size_t head_bytes,
              struct source **out, struct err *e);

/* Changes one field of place F with the lock held, and wakes who waits. */
#define FAKE_SET(f, field, value)                                                                  \
    do {                                                                                           \
        pthread_mutex_lock(&fake_lock);                                                            \
        fakes[f].field = (value);                                                                  \
        pthread_cond_broadcast(&fake_changed);                                                     \
        pthread_mutex_unlock(&fake_lock);                                                          \
    } while (0)

#define FAKE_GET(f, field)                                                                         \
    __extension__({                                                                                \
        pthread_mutex_lock(&fake_lock);                                                            \
        __typeof__(fakes[f].field) value_ = fakes[f].field;                                        \
        pthread_mutex_unlock(&fake_lock);                                                          \
        value_;                                                                                    \
    })

/* Waits until CONDITION, which may look at fakes, holds. */
#define FAKE_WAIT(condition)                                                                       \
    do {                                                                                           \
        pthread_mutex_lock(&fake_lock);                                                            \
        while (!(condition))                                                                       \
            pthread_cond_wait(&fake_changed, &fake_lock);                                          \
        pthread_mutex_unlock(&fake_lock);                                                          \
    } while (0)

/* Waits until CONDITION holds, which nobody announces. */
#define FAKE_POLL(condition)                                                                       \
    do {                                                                                           \
        while (!(condition))                                                                       \
            (void)usleep(2000);                                                                    \
    } while (0)

/* --- reads ---------------------------------------------------------------------------------- */

struct fake_read {
    struct source_read read;
    bool done;
    int calls, status;
    struct err err;
    size_t told;       /* the highest */
    unsigned tellings;
    bool fell;         /* progress did not grow, or came after done() */
    uint8_t bytes[FAKE_SIZE];
};

/* Starts a read of LEN bytes at OFFSET; the rest of READ may be set before. */
void fake_start(struct source *s, struct fake_read *r, uint64_t offset, size_t len);
void fake_wait(struct fake_read *r);
void fake_wait_told(struct fake_read *r, size_t told);
bool fake_is_done(struct fake_read *r);
void fake_cancel(struct source *s, struct fake_read *r); /* if it is not done */
void fake_promote(struct source *s, struct fake_read *r);

/* Whether it succeeded with the right bytes; says why not. */
bool fake_good(const struct fake_read *r);

/* A whole read with these flags: true if good. */
bool fake_reads(struct source *s, uint64_t offset, size_t len, unsigned flags);

/* A whole read, which must fail like this. */
void fake_read_fails(struct source *s, enum err_kind kind);

/* --- origins -------------------------------------------------------------------------------- */

/* Of the first COUNT places. Hold-offs are HOLDOFF_MS, if not 0; 60 s for reads. */
struct source *fake_origin(size_t count, uint32_t holdoff_ms);

/* The options behind it, for more. */
void fake_options(struct origin_options *o, size_t count, uint32_t holdoff_ms);

struct origin_place fake_shown(struct source *s, size_t place);

/* Lines that were logged since fake_reset() and hold TEXT. */
unsigned fake_logged(const char *text);

#endif
