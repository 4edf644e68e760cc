/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SIGINT, SIGTERM and SIGHUP for commands that have something to clean up: the first one sets a
 * flag that the work looks at between steps, a second one ends the process at once. No signal
 * handler runs: a thread waits for the signals.
 */
#ifndef TOOLS_INTERRUPT_H
#define TOOLS_INTERRUPT_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "src/compiler.h"
#include "src/err.h"

struct interrupt {
    atomic_bool raised;
    sigset_t before;
    pthread_t waiter;
    bool running;
};

/* Call before other threads start, so that they inherit the blocked signals. Without the thread
 * (no resources) the signals keep their default effect. */
void interrupt_begin(struct interrupt *in);
void interrupt_end(struct interrupt *in);

/* 0, or -EINTR with ERR_CANCELLED once a signal has come. */
int interrupt_check(struct interrupt *in, struct err *e) must_check;

#endif
