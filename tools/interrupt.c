/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Interruption of long-running commands. See interrupt.h. */
#include "config.h"

#include "tools/interrupt.h"

#include "tools/exitcode.h"

static void wanted_signals(sigset_t *set)
{
    (void)sigemptyset(set);
    (void)sigaddset(set, SIGINT);
    (void)sigaddset(set, SIGTERM);
    (void)sigaddset(set, SIGHUP);
    (void)sigaddset(set, SIGUSR1); /* interrupt_end()'s, to this thread alone */
}

static void *wait_for_signals(void *arg)
{
    struct interrupt *in = arg;
    sigset_t set;
    int sig;

    wanted_signals(&set);
    while (!sigwait(&set, &sig) && sig != SIGUSR1)
        if (atomic_exchange(&in->raised, true))
            _exit(EXITCODE_INTERRUPTED);
    return NULL;
}

void interrupt_begin(struct interrupt *in)
{
    sigset_t set;

    *in = (struct interrupt){ 0 };
    wanted_signals(&set);
    if (pthread_sigmask(SIG_BLOCK, &set, &in->before))
        return;
    in->running = !pthread_create(&in->waiter, NULL, wait_for_signals, in);
    if (!in->running)
        (void)pthread_sigmask(SIG_SETMASK, &in->before, NULL);
}

void interrupt_end(struct interrupt *in)
{
    if (!in->running)
        return;
    (void)pthread_kill(in->waiter, SIGUSR1);
    (void)pthread_join(in->waiter, NULL);
    (void)pthread_sigmask(SIG_SETMASK, &in->before, NULL);
    in->running = false;
}

int interrupt_check(struct interrupt *in, struct err *e)
{
    return atomic_load(&in->raised) ? err_set(e, ERR_CANCELLED, "interrupted") : 0;
}
