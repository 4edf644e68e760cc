/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a container format implements: one struct container_format, and one row for it in the table
 * in container.c. A format asks for ranges anywhere in the object (an SFT keeps its metadata at the
 * head, a ZIP its directory at the end) and sees everything that was fed so far.
 *
 * All functions are pure and keep no state between calls: need() is asked again after each range.
 */
#ifndef SRC_CONTAINER_FORMAT_H
#define SRC_CONTAINER_FORMAT_H

#include <stdint.h>

#include "src/compiler.h"
#include "src/container.h"
#include "src/err.h"
#include "src/package.h"

#define CONTAINER_PIECES_MAX 8u

/* A run of the object's bytes. */
struct container_piece {
    uint64_t offset;
    uint8_t *data;
    size_t len, cap;
};

/* What is known of an object: its size, and some runs of its bytes, the head always first. */
struct container_input {
    uint64_t size;
    struct container_piece pieces[CONTAINER_PIECES_MAX];
    unsigned count;
    struct container_options options;
};

/* Bytes [offset, offset + len) in a row, or NULL when one piece does not hold them all. */
const uint8_t *container_input_at(const struct container_input *in, uint64_t offset, uint64_t len);

/* How many bytes are at hand in a row from OFFSET. */
uint64_t container_input_run(const struct container_input *in, uint64_t offset);

/* Takes in bytes that are known (copied): behind a piece that ends at OFFSET they become part of it. Memory
 * grows with what is added, not beyond EXPECTED bytes (at least LEN) ahead. ERR_LIMIT when there are too
 * many pieces, ERR_NO_MEMORY. */
int container_input_add(struct container_input *in, uint64_t offset, const void *data, size_t len,
                        uint64_t expected, struct err *e) must_check;

/* Frees the pieces of an input that was filled so. */
void container_input_clear(struct container_input *in);

#define CONTAINER_ELSEWHERE 2

struct container_format {
    const char *name;
    /* Whether the head is this format's. Must not claim what it cannot at least explain. */
    bool (*probe)(const struct container_input *in);
    /*
     * 1: *want is needed next, inside the object and not at hand yet. Adjacent to a piece at hand
     * it becomes part of it. 0: parse() can run. Negative: the object is refused.
     */
    int (*need)(const struct container_input *in, struct byte_range *want, struct err *e);
    /* need() returned CONTAINER_ELSEWHERE: *name (owned by the caller) is that of the object beside this one
     * that is meant. NULL where need() never does. */
    int (*elsewhere)(const struct container_input *in, char **name, struct err *e);
    int (*parse)(const struct container_input *in, struct package **out, struct err *e);
    /* Lines for `sft info --sections`; HEAD is a prefix of the object. */
    void (*describe)(const uint8_t *head, size_t len, uint64_t size,
                     void (*line)(void *arg, const char *text), void *arg);
};

/* A name for what HEAD begins like ("a ZIP archive"), or NULL. */
const char *container_identify(const uint8_t *head, size_t len);

/* Prints into one LINE. */
void container_line(void (*line)(void *arg, const char *text), void *arg, const char *fmt, ...)
    printf_like(3, 4);

/* Lines for a file of unknown layout: first bytes, known section tags, strings that identify it. */
void container_describe_bytes(const uint8_t *head, size_t len,
                              void (*line)(void *arg, const char *text), void *arg);

#endif
