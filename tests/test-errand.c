/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of fetch/errand.c. */
#include "config.h"

#include "fetch/errand.h"

#include <pthread.h>
#include <signal.h>

#include "tests/unit.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

struct work {
    bool held;                                /* lock: run() waits */
    bool runs, has_run, finished, discarded;  /* lock */
    bool takes_signals;                       /* lock */
};

static void set(bool *flag, bool to)
{
    pthread_mutex_lock(&lock);
    *flag = to;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void wait_for(const bool *flag)
{
    pthread_mutex_lock(&lock);
    while (!*flag)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

static void run(void *arg)
{
    struct work *w = arg;
    sigset_t blocked;

    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    pthread_mutex_lock(&lock);
    w->takes_signals = !sigismember(&blocked, SIGTERM) || !sigismember(&blocked, SIGPIPE) ||
                       sigismember(&blocked, SIGSEGV);
    w->runs = true;
    pthread_cond_broadcast(&changed);
    while (w->held)
        pthread_cond_wait(&changed, &lock);
    w->has_run = true;
    pthread_mutex_unlock(&lock);
}

static void finished(void *arg)
{
    struct work *w = arg;

    set(&w->finished, true);
}

static void discard(void *arg)
{
    struct work *w = arg;

    set(&w->discarded, true);
}

static const struct errand_kind kind = { "test", run, finished, discard };

static void errand_finishes_after_its_run(void)
{
    struct work w = { .held = false };
    struct errand *e = NULL;

    CU_ASSERT_EQUAL_FATAL(errand_start(&kind, &w, &e, NULL), 0);
    wait_for(&w.finished);
    CU_ASSERT(!errand_abandon(e));
    errand_join(e);
    CU_ASSERT(w.has_run && !w.discarded && !w.takes_signals);
}

static void errand_that_is_given_up_discards_its_work_and_never_finishes(void)
{
    struct work w = { .held = true };
    struct errand *e = NULL;

    CU_ASSERT_EQUAL_FATAL(errand_start(&kind, &w, &e, NULL), 0);
    wait_for(&w.runs);
    CU_ASSERT(errand_abandon(e));
    CU_ASSERT(!w.discarded);
    set(&w.held, false);
    wait_for(&w.discarded);
    CU_ASSERT(w.has_run && !w.finished);
}

static void errand_is_either_finished_or_given_up_when_both_happen_at_once(void)
{
    enum { ROUNDS = 500 };
    static struct work works[ROUNDS];
    unsigned given_up = 0;

    for (int i = 0; i < ROUNDS; i++) {
        struct errand *e = NULL;
        CU_ASSERT_EQUAL_FATAL(errand_start(&kind, &works[i], &e, NULL), 0);
        if (i % 2)
            wait_for(&works[i].runs);
        if (errand_abandon(e)) {
            given_up++;
            wait_for(&works[i].discarded);
        } else {
            errand_join(e);
            CU_ASSERT(works[i].finished);
        }
    }
    for (int i = 0; i < ROUNDS; i++)
        CU_ASSERT(works[i].has_run && works[i].finished != works[i].discarded);
    CU_ASSERT(given_up > 0);
}

UNIT_MAIN("errand", TEST(errand_finishes_after_its_run),
          TEST(errand_that_is_given_up_discards_its_work_and_never_finishes),
          TEST(errand_is_either_finished_or_given_up_when_both_happen_at_once))
