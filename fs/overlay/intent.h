/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is written down before a change that takes several steps, so that the next one to open the
 * overlay can complete it: small text files work/intent-N. A file under such a name is complete and
 * on the disk. Its content may come from anybody: paths are checked, numbers too. Only for
 * fs/overlay/.
 */
#ifndef FS_OVERLAY_INTENT_H
#define FS_OVERLAY_INTENT_H

#include "fs/overlay/store.h"

#define INTENT_PREFIX "intent-"
#define INTENT_MAX    (256u << 10) /* bytes of a file */

/* FROM goes to TO and leaves a whiteout behind. */
struct intent {
    char *from, *to;   /* owned; below files/, "a/b" */
    uint64_t source;   /* inode number of what FROM was */
    uint64_t target;   /* of what TO was in files/; 0: nothing */
};

void intent_clear(struct intent *i);

/* Text of I, percent-encoded where need be; caller frees. NULL without memory. */
char *intent_format(const struct intent *i);

/* -EINVAL, -ENOMEM. *out is zeroed then. */
int intent_parse(const char *text, size_t len, struct intent *out) must_check;

/* Writes I under a new name, which is put into NAME. It is on the disk afterwards. */
int intent_write(struct overlay_store *s, const struct intent *i,
                 char name[WORK_NAME_MAX]) must_check;

int intent_read(struct overlay_store *s, const char *name, struct intent *out) must_check;

#endif
