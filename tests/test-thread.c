/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of fetch/thread.c. */
#include "config.h"

#include "fetch/thread.h"

#include <signal.h>

#include "tests/unit.h"

static void *get_blocked(void *arg)
{
    (void)pthread_sigmask(SIG_SETMASK, NULL, arg);
    return NULL;
}

static void thread_takes_no_signals_but_those_of_faults(void)
{
    sigset_t blocked;
    pthread_t thread;

    CU_ASSERT_EQUAL_FATAL(thread_start(&thread, NULL, get_blocked, &blocked), 0);
    CU_ASSERT_EQUAL(pthread_join(thread, NULL), 0);
    CU_ASSERT(sigismember(&blocked, SIGTERM) && sigismember(&blocked, SIGPIPE));
    CU_ASSERT(!sigismember(&blocked, SIGSEGV) && !sigismember(&blocked, SIGABRT));
}

static void thread_leaves_the_signals_of_its_maker_alone(void)
{
    sigset_t blocked, after;
    pthread_t thread;

    CU_ASSERT_EQUAL(sigemptyset(&after) || sigaddset(&after, SIGUSR1), 0);
    CU_ASSERT_EQUAL(pthread_sigmask(SIG_SETMASK, &after, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(thread_start(&thread, "test", get_blocked, &blocked), 0);
    CU_ASSERT_EQUAL(pthread_join(thread, NULL), 0);
    CU_ASSERT_EQUAL(pthread_sigmask(SIG_SETMASK, NULL, &after), 0);
    CU_ASSERT(sigismember(&after, SIGUSR1) && !sigismember(&after, SIGTERM));
}

UNIT_MAIN("thread", TEST(thread_takes_no_signals_but_those_of_faults),
          TEST(thread_leaves_the_signals_of_its_maker_alone))
