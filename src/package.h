/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A package as everything above src/ sees it: a tree of nodes, a table of blocks, and what is known
 * about both. Which container format it came from does not show (src/container.h reads them).
 *
 * A struct package is immutable once built: every function here may be called from any thread
 * without a lock, and none of them does I/O. All memory is owned by the package; pointers that are
 * returned are borrowed until package_free().
 */
#ifndef SRC_PACKAGE_H
#define SRC_PACKAGE_H

#include <stdint.h>
#include <time.h>

#include "src/compiler.h"
#include "src/err.h"
#include "src/guid.h"

struct codec_context; /* src/codec.h */

#define NODE_ROOT     0u
#define NODE_NONE     UINT32_MAX
#define NAME_MAX_BYTES 255u
#define BLOCK_SIZE_MAX 65536u
#define BLOCK_HASH_SIZE 16u

enum node_flag {
    NODE_DIR = 1u << 0,
    NODE_USER_DATA = 1u << 1,        /* App-V file flags; reference: "Files" tab of the sequencer */
    NODE_APPLICATION_DATA = 1u << 2,
    NODE_OVERRIDE = 1u << 3,
    NODE_HIDDEN = 1u << 4,           /* DOS attributes */
    NODE_SYSTEM = 1u << 5,
    NODE_READONLY = 1u << 6,
    NODE_FILE_ID = 1u << 7,          /* has a file id of its own; otherwise it is derived */
};

/*
 * A file or directory; its index in the node array is its identity. The array is in breadth-first
 * order: a parent precedes its children, and the children of one directory are contiguous.
 * 48 bytes, so that a million nodes with names stay under 120 bytes each.
 */
struct node {
    uint64_t size;      /* bytes; 0 for directories */
    int64_t modified;   /* times in FILETIME ticks: 100 ns since 1601-01-01 UTC */
    int64_t created;
    uint32_t parent;    /* of the root: NODE_ROOT */
    uint32_t name;      /* offset into the name pool; use package_name() */
    union {
        uint32_t first_child;  /* directory: index of the first child */
        uint32_t first_extent; /* file: index of an extent; readers use package_map() */
    };
    union {
        uint32_t child_count;
        uint32_t extent_count; /* 0 exactly for empty files */
    };
    uint32_t sd;        /* security descriptor id; 0 = none */
    uint16_t flags;     /* enum node_flag */
    uint8_t name_len;   /* bytes, 0 only for the root */
    uint8_t short_len;  /* bytes of the 8.3 name that differs from the name, 0 = none */
};

/* Bytes [from, from + length) of the decoded bytes of consecutive blocks beginning at BLOCK. */
struct extent {
    uint64_t length;
    uint32_t block;
    uint32_t from;      /* below the block size */
};

struct block {
    uint64_t offset;     /* of the stored form in the container object */
    uint32_t stored_len; /* may exceed LEN in foreign containers; at most STORED_LEN_MAX */
    uint32_t len;        /* decoded bytes, 1 .. block size */
    uint8_t codec;       /* enum codec */
    uint8_t hash[BLOCK_HASH_SIZE]; /* its first bytes; see info.block_hash */
};

#define STORED_LEN_MAX (2 * BLOCK_SIZE_MAX)

/*
 * A stretch of the container that has to be decoded from its beginning, because nobody knows where in it
 * blocks begin. What it decodes to is addressed as if it lay in the container, from BEGIN on, far behind
 * its real end; blocks there are stored as they are (CODEC_NONE). No read can span two streams.
 */
struct package_stream {
    uint64_t begin;  /* PACKAGE_STREAM_BASE or more */
    uint64_t len;    /* decoded bytes, at least 1 */
    uint64_t offset; /* of the stored bytes, raw deflate, in the container */
    uint64_t stored_len;
};

#define PACKAGE_STREAM_BASE (UINT64_C(1) << 62)
#define PACKAGE_STREAM_GAP  (UINT64_C(1) << 24) /* at least so far apart */

/* What the hash of a block covers. */
enum block_hash {
    BLOCK_HASH_STORED,  /* SHA-256 of the stored form */
    BLOCK_HASH_DECODED, /* of the decoded bytes: info.digest */
};

/* A piece of a file inside one block. */
struct piece {
    uint32_t block;
    uint32_t from;
    uint32_t len;
};

struct block_run {
    uint32_t first, count;
};

/* One package version, oldest first; the last one is this package. */
struct package_version {
    struct guid guid;
    uint32_t number;
    uint32_t first_new_block; /* blocks from here on were new in this version */
    int64_t created;          /* FILETIME ticks */
};

struct package_info {
    const char *format;       /* short name of the container format: "sft" */
    const char *name;         /* package name, "" if none; UTF-8, no control characters */
    const char *root_name;    /* asset directory, "" if the tree has no single one */
    const char *part;         /* which part of the container it is, by name, where a container can hold
                               * several packages; else "" */
    struct guid package_guid;
    struct guid version_guid;
    uint32_t version_number;
    uint32_t block_size;      /* bytes: 4096, 16384, 32768 or 65536 */
    uint8_t codec;            /* default codec, enum codec */
    uint8_t block_hash;       /* enum block_hash */
    uint8_t digest;           /* enum digest (src/codec.h), of BLOCK_HASH_DECODED */
    bool unverified;          /* blocks are not compared with their hashes */
    bool case_sensitive;      /* names that differ only in case may stand side by side */
    bool has_dos_attributes;  /* some node is NODE_HIDDEN or NODE_SYSTEM */
    uint32_t node_count;      /* at least 1, the root */
    uint32_t file_count;
    uint32_t dir_count;
    uint32_t block_count;
    uint64_t file_bytes;      /* sum of file sizes */
    uint64_t stored_bytes;    /* sum of stored block lengths */
    uint64_t metadata_bytes;  /* from the start of the container to the first block; 0 where they lie
                               * between other things */
    uint64_t container_bytes; /* length the container must have */
    int64_t created;          /* FILETIME ticks */
    uint32_t launch_run_count;
    const struct block_run *launch_runs; /* blocks of feature block 1, in order of need */
    uint32_t version_count;
    const struct package_version *versions;
    uint32_t sd_count;
    uint8_t root_hash[32];    /* SHA-256 that covers all metadata and, through it, every block */
};

struct package;

void package_free(struct package *p); /* NULL is fine */

const struct package_info *package_info(const struct package *p);

/* Blocks are not compared with their hashes from now on. Before any other thread has P. */
void package_set_unverified(struct package *p);

/* INDEX below info->node_count. */
const struct node *package_node(const struct package *p, uint32_t index);

/* NUL-terminated UTF-8 name of a node, in the package's own spelling; "" for the root. */
const char *package_name(const struct package *p, uint32_t index);

/* 8.3 name of a node when it has one besides its name, else "". */
const char *package_short_name(const struct package *p, uint32_t index);

/*
 * The child of DIR called NAME (LEN bytes, need not be NUL-terminated or valid UTF-8), or
 * NODE_NONE. An exact match wins; then a match under folding (src/fold.h), the first in node order if the
 * package is case_sensitive and has several; then an 8.3 name. With EXACT only the first of these.
 * Constant expected time, whatever the size of the directory; no allocation.
 */
uint32_t package_lookup(const struct package *p, uint32_t dir, const char *name, size_t len,
                        bool exact);

/* Follows PATH from the root; separators '/' and '\', empty and "." components skipped, ".."
 * refused. NODE_NONE if any part is missing or something below a file is asked for. */
uint32_t package_resolve(const struct package *p, const char *path, bool exact);

/* Path of a node from the root with '/' and no leading one ("" for the root). Caller frees. */
char *package_path(const struct package *p, uint32_t index);

/*
 * Where bytes [off, off + len) of a file lie. Writes at most MAX pieces in file order and returns
 * how many; what lies beyond the end of the file is left out. Pieces never have length 0.
 * Constant time for a file of one extent, a binary search otherwise.
 */
size_t package_map(const struct package *p, uint32_t file, uint64_t off, uint64_t len,
                   struct piece *out, size_t max);

/* The bytes [*start, *start + *len) of a file that lie in a row in one block with byte OFF of it,
 * which must be below its size. */
void package_block_part(const struct package *p, uint32_t file, uint64_t off, uint64_t *start,
                        uint64_t *len);

const struct block *package_block(const struct package *p, uint32_t index);

/* In the order of BEGIN; *COUNT may be 0. */
const struct package_stream *package_streams(const struct package *p, size_t *count);

/* Dictionary of the package's zstd blocks as stored, or NULL. A newer version keeps it, as it keeps
 * blocks. */
const uint8_t *package_dictionary(const struct package *p, size_t *len);

/* Checks the stored form of a block against its hash and decodes it into OUT (block.len bytes).
 * CTX belongs to the calling thread. 0, or ERR_BLOCK_HASH / ERR_BLOCK_DECODE with the number. */
int package_decode_block(const struct package *p, uint32_t index, const uint8_t *stored,
                         struct codec_context *ctx, uint8_t *out, struct err *e) must_check;

/* Whether the stored form is the right one, without giving the bytes: faster where the hash covers the
 * stored form, else no faster. 0, ERR_BLOCK_HASH or ERR_BLOCK_DECODE. */
int package_check_block(const struct package *p, uint32_t index, const uint8_t *stored,
                        struct codec_context *ctx, struct err *e) must_check;

/*
 * The files of one extent whose bytes lie wholly inside block INDEX (small files that share it),
 * in the order of their bytes; files with the same bytes are next to each other, in node order.
 * Returns their number; *files is borrowed. Constant time.
 */
size_t package_block_files(const struct package *p, uint32_t index, const uint32_t **files);

/* One thing that a package's own documents say of it. */
struct package_detail {
    const char *list;  /* "applications": of an item of that list; "": of the package itself */
    uint32_t item;     /* which one, from 0 on */
    const char *key;   /* "executable"; lower case, '_' between words; unique in its item */
    const char *value; /* UTF-8, as found, not empty */
};

/* All of them, those of one item in a row and the items of one list, too. *COUNT may be 0. */
const struct package_detail *package_details(const struct package *p, size_t *count);

/* The value of KEY among those of the package itself, or NULL. */
const char *package_find_detail(const struct package *p, const char *key);

/* Self-relative security descriptor ID (1 .. info->sd_count), as stored. NULL if out of range. */
const uint8_t *package_security_descriptor(const struct package *p, uint32_t id, size_t *len);

/* File id of a node: the stored one, or one derived from package GUID and path. */
int package_file_id(const struct package *p, uint32_t index, struct guid *out) must_check;

/* Bytes of memory the package occupies (node table, names, indexes, blocks). */
size_t package_memory(const struct package *p);

/* FILETIME ticks from and to POSIX time; what does not fit is clamped. */
struct timespec filetime_to_timespec(int64_t ticks);
int64_t filetime_from_timespec(struct timespec t);

#endif
