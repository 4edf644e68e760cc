/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Makes kernels before 6.16 forget a name that was changed by another spelling: a thread of its own
 * tells the kernel to drop the entry, because that waits for the directory's lock, which is held
 * while the change is being answered. So the old spelling may be seen for a moment after the
 * change.
 *
 * Any thread may add; all functions accept NULL.
 */
#ifndef FS_FORGETTER_H
#define FS_FORGETTER_H

#include "fs/vfs.h"

struct forgetter;

/* 0 or a negative errno. Starts the thread. V->session must be there before a name is added. */
int forgetter_new(struct vfs *v, struct forgetter **out) must_check;

/* Has the kernel forget NAME in directory DIR. Without memory it is left as it is, with a warning.
 */
void forgetter_add(struct forgetter *f, uint64_t dir, const char *name);

/* Ending: see push.h. What is queued is dropped. */
void forgetter_stop(struct forgetter *f);
bool forgetter_has_stopped(const struct forgetter *f);
void forgetter_free(struct forgetter *f);

#endif
