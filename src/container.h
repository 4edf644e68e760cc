/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Container formats: how a package's nodes and blocks are found in a file. The functions here are
 * pure; they never read by themselves but say which bytes they need next, so that the same code
 * serves a local file, a web server and a fuzzer:
 *
 *     struct container_reader *r;
 *     container_reader_new(size, &r, e);
 *     while ((rc = container_reader_next(r, &want, e)) > 0)
 *         container_reader_feed(r, want.offset, bytes, len, e);
 *     if (!rc) package = container_reader_take(r);
 *
 * A new format is one file pair and one row in the table in container.c.
 */
#ifndef SRC_CONTAINER_H
#define SRC_CONTAINER_H

#include <stdint.h>

#include "src/compiler.h"
#include "src/err.h"
#include "src/package.h"

/* What to read first from an unknown object: enough for most packages' whole metadata, since a second
 * request takes as long over most networks as the second half of this one. */
#define CONTAINER_HEAD_BYTES (512u * 1024u)

struct byte_range {
    uint64_t offset;
    uint64_t length;
};

/* What to make of an object that can be seen in several ways. Zero is the usual way. */
struct container_options {
    const char *arch; /* which package of a bundle: "x64", "x86", "arm64", …; NULL = what fits */
    const char *resource; /* which resource package of a bundle, by its id; NULL = the application */
    const char *part; /* this package of a bundle, by info.part, whatever the two above say */
    bool metadata;    /* the container's own documents are files in the tree, too */
    bool unverified;  /* take blocks as they come: nothing is compared with their hashes */
};

struct container_reader;

/* SIZE is the length of the whole container object. */
int container_reader_new(uint64_t size, struct container_reader **out, struct err *e) must_check;
void container_reader_free(struct container_reader *r); /* NULL is fine */

/* Before the first container_reader_next(). Strings are borrowed. */
void container_reader_set_options(struct container_reader *r, const struct container_options *o);

/*
 * 1: *want must be fed next (the first one is always the head: offset 0, length
 * min(size, CONTAINER_HEAD_BYTES)). 0: the package is ready. 2: it is another object, container_reader_elsewhere().
 * Negative: error; the object is unusable. The sum of what is asked for is bounded by the format's metadata, never by a claim
 * that the object's size does not justify.
 */
int container_reader_next(struct container_reader *r, struct byte_range *want, struct err *e)
    must_check;

/*
 * Hands over bytes [offset, offset + len); what was asked for is copied. They must hold the first
 * byte asked for; when they are fewer than wanted, the rest is asked for next. ERR_INVALID otherwise.
 */
int container_reader_feed(struct container_reader *r, uint64_t offset, const void *data, size_t len,
                          struct err *e) must_check;

/* The name of the object beside this one that holds the package (relative, '/' between components, no
 * "..", UTF-8); the reader's. NULL unless container_reader_next() returned 2. */
const char *container_reader_elsewhere(const struct container_reader *r);

/* The finished package, owned by the caller; NULL before container_reader_next() returned 0. */
struct package *container_reader_take(struct container_reader *r);

/* Convenience over memory holding a whole container (tests, fuzzers). */
int container_read_memory(const void *data, size_t len, struct package **out, struct err *e)
    must_check;

/*
 * Describes any file by what its first bytes show (for `sft info --sections` and for refusals):
 * calls LINE once for each line of text. HEAD may be a prefix of the object.
 */
void container_describe(const void *head, size_t len, uint64_t size,
                        void (*line)(void *arg, const char *text), void *arg);

#endif
