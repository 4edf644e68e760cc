/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Threads of a library inside somebody's program: signals are for the program's own threads.
 * SIGPIPE above all, since OpenSSL writes to sockets without MSG_NOSIGNAL.
 */
#ifndef FETCH_THREAD_H
#define FETCH_THREAD_H

#include <pthread.h>

#include "src/compiler.h"

/* Starts RUN(ARG) in a thread with all signals blocked but those that tell of faults of our own.
 * NAME, at most 15 characters, is for people who look; NULL: that of the program. 0 or a positive
 * errno, as pthread_create(). */
int thread_start(pthread_t *thread, const char *name, void *(*run)(void *), void *arg) must_check;

#endif
