/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Work that may block for as long as it likes - opening a place, reading a file on a share whose
 * server is gone - done in a thread of its own, which can be given up. Who gives an errand up is
 * rid of it at once; what the work then still brings is thrown away in that thread.
 *
 * One thread an errand, made for it: a few tens of microseconds, little beside the work.
 */
#ifndef FETCH_ERRAND_H
#define FETCH_ERRAND_H

#include "src/compiler.h"
#include "src/err.h"

struct errand;

struct errand_kind {
    const char *thread_name;        /* at most 15 characters; for people who look */
    void (*run)(void *work);        /* in the errand's thread; may block */
    void (*finished)(void *work);   /* then, unless it was given up; must not block, nor take a lock
                                     * that the owner holds while he gives it up */
    void (*discard)(void *work);    /* in place of finished(): frees WORK, its results too */
};

/* Starts KIND->run(WORK). On success *out must be ended by one of the two calls below. */
int errand_start(const struct errand_kind *kind, void *work, struct errand **out, struct err *e)
    must_check;

/* After finished(): waits for the thread's last steps and frees the errand, not WORK. */
void errand_join(struct errand *e);

/* True: given up; neither the errand nor WORK belong to the caller any more, and finished() has not
 * been and will not be called. False: too late, it has been called, and errand_join() is due. */
bool errand_abandon(struct errand *e) must_check;

#endif
