/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Launch lists: what a start of a program needs, in order. A plain list of paths, or a recording of
 * the blocks that a start has used; both are text, described in src/launch-list.md. Pure: memory
 * in, memory out. The text is foreign: every number and path is checked against the package.
 */
#ifndef SRC_LAUNCH_LIST_H
#define SRC_LAUNCH_LIST_H

#include <stdint.h>

#include "src/compiler.h"
#include "src/err.h"
#include "src/package.h"

#define LAUNCH_LIST_MAX  (64u << 20) /* bytes of text */
#define LAUNCH_PATH_MAX  4095u       /* bytes of a path, as in a package */
/* A line of a recording: three numbers, and the path with every byte escaped. */
#define LAUNCH_LINE_MAX (3 * (20 + 1) + 3 * LAUNCH_PATH_MAX + 2)

/* --- reading ---------------------------------------------------------------------------------- */

/* One line. */
struct launch_item {
    const char *path;     /* in the package, as it stands there */
    uint64_t offset, len; /* bytes of the file; a plain list: 0 and UINT64_MAX, the whole file */
    uint32_t block;       /* of the version that was recorded; a plain list: UINT32_MAX */
    unsigned line;        /* number, from 1 on, for messages */
};

struct launch_list {
    bool recorded;
    bool cut;                 /* the last line has no end and was left out (recordings only) */
    struct guid package_guid; /* these three of a recording */
    struct guid version_guid;
    uint32_t block_size;
    struct launch_item *items;
    size_t count;
    char *text; /* owned; paths point into it */
};

/*
 * Reads LEN bytes of text. ERR_INVALID with the number of the line that is not as it should be;
 * ERR_UNSUPPORTED for a recording of a later form, ERR_LIMIT for more than LAUNCH_LIST_MAX bytes.
 * Release with launch_list_clear(), also after an error.
 */
int launch_list_parse(const char *text, size_t len, struct launch_list *out, struct err *e)
    must_check;
void launch_list_clear(struct launch_list *l);

/* What is worth telling a user about a list that was read for a package. */
struct launch_list_notes {
    size_t items;            /* lines that name something */
    size_t unknown;          /* of these, lines whose file or block the package does not have */
    char first_unknown[128]; /* what the first of these names, cut if long */
    bool other_version;      /* recorded with another version: found by path */
    bool other_package;      /* and even with another package */
    bool cut;                /* as in struct launch_list */
};

/*
 * Reads a list and finds the blocks of P that it means: *runs (for free(); NULL when there are
 * none) are *count runs of neighbouring blocks, in the order of the list, each block in one of them
 * only. Errors as of launch_list_parse(); what P does not have is no error but noted. NOTES is
 * filled in.
 */
int launch_list_read(const char *text, size_t len, const struct package *p,
                     struct block_run **runs, size_t *count, struct launch_list_notes *notes,
                     struct err *e) must_check;

/* The same for a list that was parsed. */
int launch_list_resolve(const struct launch_list *l, const struct package *p,
                        struct block_run **runs, size_t *count, struct launch_list_notes *notes,
                        struct err *e) must_check;

/* --- writing a recording ---------------------------------------------------------------------- */

#define LAUNCH_HEAD_MAX 160u

/* The first line for P, with its end; returns its length. */
size_t launch_list_put_head(const struct package *p, char out[LAUNCH_HEAD_MAX]);

/* The line for one use, with its end; returns its length. ITEM->path is at most LAUNCH_PATH_MAX
 * bytes, ITEM->line is not looked at. */
size_t launch_list_put_item(const struct launch_item *item, char out[LAUNCH_LINE_MAX]);

/* Whether a file that begins with these bytes is a recording, of whatever form. */
bool launch_list_is_recording(const char *text, size_t len);

#endif
