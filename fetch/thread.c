/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Starting threads. See thread.h. */
#include "config.h"

#include "fetch/thread.h"

#include <signal.h>

int thread_start(pthread_t *thread, const char *name, void *(*run)(void *), void *arg)
{
    static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
    sigset_t all, old;

    (void)sigfillset(&all);
    for (size_t i = 0; i < ARRAY_LEN(faults); i++)
        (void)sigdelset(&all, faults[i]);
    int r = pthread_sigmask(SIG_SETMASK, &all, &old);
    if (r)
        return r;
    r = pthread_create(thread, NULL, run, arg);
#ifdef __linux__
    if (!r && name)
        (void)pthread_setname_np(*thread, name);
#else
    (void)name;
#endif
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    return r;
}
