/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is inside a struct package and a struct package_builder. For package.c (which reads), for
 * package_builder.c (which takes a container's findings in) and package_finish.c (which checks and
 * indexes them) only. A package is never changed after package_builder_finish().
 */
#ifndef SRC_PACKAGE_PRIVATE_H
#define SRC_PACKAGE_PRIVATE_H

#include <stdint.h>

#include "src/compiler.h"
#include "src/err.h"
#include "src/guid.h"
#include "src/package.h"
#include "src/package_builder.h"
#include "src/pool.h"

/*
 * Where an extent begins. The extents of files with more than one stand first, and only those have
 * a position in their file (struct package, POSITIONS): most files have one extent, at 0. Where an
 * extent ends follows from the next one's position or the size of the file.
 */
struct placed_extent {
    uint32_t block;
    uint32_t from;
};

/*
 * The lookup table: open addressing with linear probing over NAME_SLOTS slots. TAGS[i] is 0 for an
 * empty slot, else eight bits of the hash, so that a probe that does not match stays within one
 * cache line and touches neither node nor name. A node stands in it once for its name and, if it
 * has an 8.3 name that does not fold to the same, once for that.
 */
struct name_table {
    uint8_t *tags;
    uint32_t *nodes;
    uint32_t slots;
    uint64_t key[2];
};

struct package {
    struct package_info info;
    char *format, *name, *root_name, *part; /* what info points to */
    struct package_version *versions;
    struct block_run *launch_runs;

    struct node *nodes;
    char *names; /* NUL-terminated name of each node, followed by its 8.3 name if it has one */
    size_t name_bytes;
    struct name_table table;

    struct placed_extent *extents;
    uint32_t extent_count;
    uint64_t *positions; /* of the first POSITION_COUNT extents */
    uint32_t position_count;
    struct block *blocks;
    struct package_stream *streams; /* room grows at powers of two */
    size_t stream_count;
    uint32_t *block_files;  /* nodes by block and position in it */
    uint32_t *block_start;  /* where a block's files begin in it; block_count + 1 entries */

    struct guid *file_ids;  /* of the nodes with NODE_FILE_ID, in node order */
    uint32_t file_id_count;
    uint32_t *file_id_rank; /* how many ids nodes below 64 * i have; NULL without ids */

    uint8_t *dictionary_bytes; /* NULL without a dictionary */
    size_t dictionary_len;
    struct codec_dictionary *dictionary;

    uint8_t *sds;           /* security descriptors back to back */
    size_t *sd_end;         /* sd_count + 1 entries, the first is 0 */

    struct package_detail *details; /* values are of the pool */
    size_t detail_count;
    struct pool *texts; /* NULL without details */
};

struct package_builder {
    struct package *p;      /* under construction; its info counts what was added */
    struct package_counts counts;
    size_t name_room;       /* bytes allocated for p->names */
    size_t name_used;       /* of counts.name_bytes */
    size_t sd_room;         /* bytes allocated for p->sds */
    uint64_t *lengths;      /* of the extents, which are still in the order of their files */
    uint16_t *path_len;     /* of each node */
    uint64_t children;      /* sum of the child counts so far */
    uint64_t extents;       /* sum of the extent counts so far */
    uint32_t open_dir;      /* directory whose children are being added */
    uint32_t open_left;     /* how many of them are still to come */
    uint32_t short_count;   /* nodes with an 8.3 name */
    bool has_info;
};

#define PATH_TEXT_SIZE 256

/* Path of a node for an error text: shortened at the front if need be, "/" for the root. */
const char *package_path_text(const struct package *p, uint32_t index, char out[PATH_TEXT_SIZE]);

/* Tag and first slot for the hash of a name; the next slot is next_slot(). */
static inline uint8_t table_tag(uint64_t hash)
{
    uint8_t tag = (uint8_t)hash;
    return tag ? tag : 1;
}

static inline uint32_t table_slot(const struct name_table *t, uint64_t hash)
{
    return (uint32_t)((hash >> 32) * t->slots >> 32);
}

static inline uint32_t table_next(const struct name_table *t, uint32_t slot)
{
    return slot + 1 < t->slots ? slot + 1 : 0;
}

#endif
