/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Makes small SFT packages in memory, for the tests of everything that needs one:
 *
 *     static const struct make_entry entries[] = {
 *         { .path = "app.exe", .data = "MZ...", .len = 5, .launch = true },
 *         { .path = "data/Big.bin", .len = 200000 },       // no data: make_sft_fill() bytes
 *         { .path = "empty dir", .flags = NODE_DIR },
 *     };
 *     struct made_sft made;
 *     if (make_sft(entries, 3, NULL, &made, &e) == 0) { ...; free(made.data); }
 *
 * Directories on the way to a path are made. Blocks: files of the launch set first, then the others
 * in breadth-first order; a file of at least a block begins a block of its own, smaller ones share.
 */
#ifndef TESTS_MAKE_SFT_H
#define TESTS_MAKE_SFT_H

#include <stdint.h>

#include "src/codec.h"
#include "src/compiler.h"
#include "src/err.h"
#include "src/package.h"

struct make_entry {
    const char *path;       /* '/' between names, none at the front */
    const char *short_name; /* of the last name, or NULL */
    const void *data;       /* NULL: LEN bytes of make_sft_fill(path) */
    size_t len;
    uint16_t flags; /* enum node_flag; NODE_DIR for a directory */
    uint32_t sd;
    bool launch;
    struct guid file_id; /* with NODE_FILE_ID */
};

struct make_options {
    uint32_t block_size; /* 0 = 4096 */
    enum codec codec;
    int level; /* 0 = the codec's normal one */
    bool case_sensitive;
    const void *dictionary; /* of the zstd blocks; NULL for none */
    size_t dictionary_len;
    const char *name;        /* NULL = "Example" */
    uint32_t version_number; /* 0 = 1; a history of so many versions is written */
    uint32_t kept_blocks;    /* blocks that were there before the last of them */
    unsigned sd_count;       /* so many security descriptors, of 20 + i bytes */
};

struct made_sft {
    uint8_t *data; /* the whole container; free() it */
    size_t len;
    size_t metadata_len;
};

/* NULL options are all zero. 0, or a negative errno from sft_write_metadata(). */
int make_sft(const struct make_entry *entries, size_t count, const struct make_options *o,
             struct made_sft *out, struct err *e) must_check;

/* The content of a file without data: depends on path and offset, compresses by about half. */
void make_sft_fill(const char *path, uint64_t offset, uint8_t *out, size_t len);

/* A tree with everything in it: nested directories, empty, small, large and launch files, 8.3
 * names, file ids, attributes, non-Latin names. */
extern const struct make_entry make_sft_tree[];
extern const size_t make_sft_tree_count;

#endif
