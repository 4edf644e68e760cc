/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Checks every block of a package against its hash and decodes it, on several threads, and finds
 * out which files a bad block belongs to. What opening a package checks (structure, names, extents,
 * checksums of the metadata) is not repeated here.
 */
#ifndef TOOLS_VERIFY_H
#define TOOLS_VERIFY_H

#include <stdint.h>

#include "fetch/source.h"
#include "src/compiler.h"
#include "src/err.h"
#include "src/package.h"

struct verify_block {
    uint32_t block;
    enum err_kind kind;
    char *text;      /* what is wrong */
    uint32_t *files; /* nodes with bytes in this block, ascending */
    size_t file_count;
};

struct verify_result {
    struct verify_block *bad; /* ascending */
    size_t bad_count;
    uint64_t files_affected;
    uint64_t stored_bytes; /* read and checked */
};

/* Called from the calling thread now and then with the stored bytes checked so far; a value other
 * than 0 (negative errno, E filled) ends the check. */
typedef int (*verify_step_fn)(void *arg, uint64_t stored_bytes, struct err *e);

/* Blocks of a package that a source has: those from FIRST on, MOVED bytes (modulo 2^64) behind where
 * they are in the package. */
struct verify_part {
    uint32_t first;
    uint64_t moved;
};

/*
 * Checks all blocks with THREADS threads (0: number of processors, at most 8). 0 with *out, also
 * when blocks are bad; a negative errno when the check could not be carried out (network, memory,
 * interrupted). The caller releases *out in either case. Blocks.
 */
int verify_blocks(const struct package *p, struct source *source, unsigned threads,
                  verify_step_fn step, void *arg, struct verify_result *out,
                  struct err *e) must_check;

/* The same for the blocks that SOURCE has. */
int verify_part(const struct package *p, struct source *source, const struct verify_part *part,
                unsigned threads, verify_step_fn step, void *arg, struct verify_result *out,
                struct err *e) must_check;

/* For other ways of checking: adds a bad block to a result that began as all zero, and, when all
 * are there, puts them in order and finds their files. ERR_NO_MEMORY. */
int verify_add_bad(struct verify_result *r, uint32_t block, const struct err *fault, struct err *e)
    must_check;
int verify_blame(const struct package *p, struct verify_result *r, struct err *e) must_check;

void verify_result_free(struct verify_result *r);

/* Two nodes of P that have the same file id: true and both, else false. ERR_NO_MEMORY in E. */
int verify_file_ids(const struct package *p, bool *duplicate, uint32_t nodes[2],
                    struct err *e) must_check;

#endif
