/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading a package: lookup, paths, the way from file bytes to blocks. See package.h.
 *
 * Everything here only reads a struct package, so any number of threads may do it at once. What a
 * package must hold was checked when it was built (package_finish.c) and is relied upon here.
 */
#include "config.h"

#include "src/package.h"

#include <string.h>

#include "src/codec.h"
#include "src/fold.h"
#include "src/package_private.h"

void package_free(struct package *p)
{
    if (!p)
        return;
    free(p->format);
    free(p->name);
    free(p->root_name);
    free(p->part);
    free(p->versions);
    free(p->launch_runs);
    free(p->nodes);
    free(p->names);
    free(p->table.tags);
    free(p->table.nodes);
    free(p->extents);
    free(p->positions);
    free(p->blocks);
    free(p->streams);
    free(p->block_files);
    free(p->block_start);
    free(p->file_ids);
    free(p->file_id_rank);
    free(p->sds);
    free(p->sd_end);
    free(p->details);
    pool_free(p->texts);
    free(p->dictionary_bytes);
    codec_dictionary_free(p->dictionary);
    free(p);
}

void package_set_unverified(struct package *p)
{
    p->info.unverified = true;
}

const struct package_info *package_info(const struct package *p)
{
    return &p->info;
}

const struct node *package_node(const struct package *p, uint32_t index)
{
    return &p->nodes[index];
}

const char *package_name(const struct package *p, uint32_t index)
{
    return p->names + p->nodes[index].name;
}

static const char *short_name(const struct package *p, const struct node *n)
{
    return n->short_len ? p->names + n->name + n->name_len + 1 : "";
}

const char *package_short_name(const struct package *p, uint32_t index)
{
    return short_name(p, &p->nodes[index]);
}

const struct block *package_block(const struct package *p, uint32_t index)
{
    return &p->blocks[index];
}

uint32_t package_lookup(const struct package *p, uint32_t dir, const char *name, size_t len,
                        bool exact)
{
    const struct name_table *t = &p->table;

    if (!t->slots || !len || len > NAME_MAX_BYTES)
        return NODE_NONE;
    uint64_t hash = fold_hash(t->key, dir, name, len);
    uint8_t tag = table_tag(hash);
    uint32_t folded = NODE_NONE, by_short = NODE_NONE;

    /* Names that fold alike were put in in node order, so the first one met is the first one. */
    for (uint32_t slot = table_slot(t, hash); t->tags[slot]; slot = table_next(t, slot)) {
        if (t->tags[slot] != tag)
            continue;
        uint32_t index = t->nodes[slot];
        const struct node *n = &p->nodes[index];
        if (n->parent != dir)
            continue;
        const char *own = p->names + n->name;
        if (n->name_len == len && !memcmp(own, name, len))
            return index;
        if (exact)
            continue;
        if (fold_equal(own, n->name_len, name, len)) {
            if (!p->info.case_sensitive)
                return index; /* no other name of this directory folds to it */
            if (folded == NODE_NONE)
                folded = index;
        } else if (by_short == NODE_NONE && n->short_len &&
                   fold_equal(short_name(p, n), n->short_len, name, len)) {
            by_short = index;
        }
    }
    return folded != NODE_NONE ? folded : by_short;
}

uint32_t package_resolve(const struct package *p, const char *path, bool exact)
{
    uint32_t at = NODE_ROOT;

    for (;;) {
        path += strspn(path, "/\\");
        size_t len = strcspn(path, "/\\");
        if (!len)
            return at;
        if (!(p->nodes[at].flags & NODE_DIR))
            return NODE_NONE;
        if (!(len == 1 && path[0] == '.')) /* no node is called "..", so that is not found */
            at = package_lookup(p, at, path, len, exact);
        if (at == NODE_NONE)
            return NODE_NONE;
        path += len;
    }
}

static size_t path_length(const struct package *p, uint32_t index)
{
    size_t len = 0;

    for (uint32_t i = index; i != NODE_ROOT; i = p->nodes[i].parent)
        len += p->nodes[i].name_len + (p->nodes[i].parent != NODE_ROOT);
    return len;
}

/* Writes the LEN bytes of the path of INDEX, from the last component to the first. */
static void write_path(const struct package *p, uint32_t index, char *out, size_t len)
{
    char *at = out + len;

    for (uint32_t i = index; i != NODE_ROOT; i = p->nodes[i].parent) {
        at -= p->nodes[i].name_len;
        memcpy(at, package_name(p, i), p->nodes[i].name_len);
        if (at > out)
            *--at = '/';
    }
}

char *package_path(const struct package *p, uint32_t index)
{
    size_t len = path_length(p, index);
    char *path = malloc(len + 1);

    if (!path)
        return NULL;
    write_path(p, index, path, len);
    path[len] = '\0';
    return path;
}

/* Index of the extent of file N that holds its byte OFF, which lies below its size. */
static uint32_t find_extent(const struct package *p, const struct node *n, uint64_t off)
{
    uint32_t low = n->first_extent, high = n->first_extent + n->extent_count;

    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (p->positions[middle] <= off)
            low = middle;
        else
            high = middle;
    }
    return low;
}

size_t package_map(const struct package *p, uint32_t file, uint64_t off, uint64_t len,
                   struct piece *out, size_t max)
{
    const struct node *n = &p->nodes[file];
    uint32_t block_size = p->info.block_size;
    size_t count = 0;

    if (n->flags & NODE_DIR || off >= n->size)
        return 0;
    uint64_t end = off + min_u64(len, n->size - off);
    uint32_t last = n->first_extent + n->extent_count - 1;

    for (uint32_t i = find_extent(p, n, off); off < end && count < max; i++) {
        const struct placed_extent *x = &p->extents[i];
        uint64_t start = n->extent_count > 1 ? p->positions[i] : 0;
        uint64_t stop = min_u64(end, i < last ? p->positions[i + 1] : n->size);

        for (; off < stop && count < max; count++) {
            uint64_t at = x->from + (off - start); /* from the start of x->block */
            struct piece *piece = &out[count];
            piece->block = x->block + (uint32_t)(at / block_size);
            piece->from = (uint32_t)(at % block_size);
            piece->len = (uint32_t)min_u64(stop - off, block_size - piece->from);
            off += piece->len;
        }
    }
    return count;
}

void package_block_part(const struct package *p, uint32_t file, uint64_t off, uint64_t *start,
                        uint64_t *len)
{
    const struct node *n = &p->nodes[file];
    uint32_t i = find_extent(p, n, off), last = n->first_extent + n->extent_count - 1;
    uint64_t first = n->extent_count > 1 ? p->positions[i] : 0;
    uint64_t stop = i < last ? p->positions[i + 1] : n->size;
    uint64_t at = p->extents[i].from + (off - first); /* from the start of the extent's block */
    uint64_t block = at - at % p->info.block_size;

    *start = block > p->extents[i].from ? first + (block - p->extents[i].from) : first;
    *len = min_u64(stop, first + (block + p->info.block_size - p->extents[i].from)) - *start;
}

static int compare_hash(const struct block *b, uint32_t index, const uint8_t *hash, struct err *e)
{
    char want[2 * BLOCK_HASH_SIZE + 1], have[2 * BLOCK_HASH_SIZE + 1];

    if (!memcmp(hash, b->hash, BLOCK_HASH_SIZE))
        return 0;
    for (size_t i = 0; i < BLOCK_HASH_SIZE; i++) {
        static const char hex[] = "0123456789abcdef";
        want[2 * i] = hex[b->hash[i] >> 4];
        want[2 * i + 1] = hex[b->hash[i] & 15];
        have[2 * i] = hex[hash[i] >> 4];
        have[2 * i + 1] = hex[hash[i] & 15];
    }
    want[2 * BLOCK_HASH_SIZE] = have[2 * BLOCK_HASH_SIZE] = '\0';
    return err_at(e, ERR_BLOCK_HASH, NULL, b->offset, "block %u: hash is %s instead of %s", index,
                  have, want);
}

static int check_stored(const struct package *p, uint32_t index, const uint8_t *stored,
                        struct codec_context *ctx, struct err *e)
{
    const struct block *b = &p->blocks[index];
    uint8_t hash[32];

    if (p->info.unverified)
        return 0;
    if (codec_sha256(ctx, stored, b->stored_len, hash))
        return err_nomem(e);
    return compare_hash(b, index, hash, e);
}

static int decode(const struct package *p, uint32_t index, const uint8_t *stored,
                  struct codec_context *ctx, uint8_t *out, struct err *e)
{
    const struct block *b = &p->blocks[index];
    int rc = p->dictionary && b->codec == CODEC_ZSTD
                 ? codec_decode_with(ctx, p->dictionary, stored, b->stored_len, out, b->len, e)
                 : codec_decode(ctx, b->codec, stored, b->stored_len, out, b->len, e);

    if (rc) {
        err_wrap(e, "block %u", index);
        if (e)
            e->offset = b->offset;
    }
    return rc;
}

/* Bytes that do not even decode are as wrong as those with another hash, and may be right elsewhere. */
static int decode_and_check(const struct package *p, uint32_t index, const uint8_t *stored,
                            struct codec_context *ctx, uint8_t *out, struct err *e)
{
    const struct block *b = &p->blocks[index];
    uint8_t hash[DIGEST_MAX];
    int rc = decode(p, index, stored, ctx, out, e);

    if (rc && e && e->kind == ERR_BLOCK_DECODE)
        e->kind = ERR_BLOCK_HASH;
    if (rc || p->info.unverified)
        return rc;
    if (codec_digest(ctx, p->info.digest, out, b->len, hash))
        return err_nomem(e);
    return compare_hash(b, index, hash, e);
}

int package_check_block(const struct package *p, uint32_t index, const uint8_t *stored,
                        struct codec_context *ctx, struct err *e)
{
    if (p->info.block_hash == BLOCK_HASH_STORED)
        return check_stored(p, index, stored, ctx, e);
    uint8_t *spare = codec_spare(ctx);
    return spare ? decode_and_check(p, index, stored, ctx, spare, e) : err_nomem(e);
}

int package_decode_block(const struct package *p, uint32_t index, const uint8_t *stored,
                         struct codec_context *ctx, uint8_t *out, struct err *e)
{
    if (p->info.block_hash == BLOCK_HASH_DECODED)
        return decode_and_check(p, index, stored, ctx, out, e);
    int rc = check_stored(p, index, stored, ctx, e);
    return rc ? rc : decode(p, index, stored, ctx, out, e);
}

const struct package_stream *package_streams(const struct package *p, size_t *count)
{
    *count = p->stream_count;
    return p->streams;
}

const uint8_t *package_dictionary(const struct package *p, size_t *len)
{
    *len = p->dictionary_len;
    return p->dictionary_bytes;
}

size_t package_block_files(const struct package *p, uint32_t index, const uint32_t **files)
{
    *files = p->block_files + p->block_start[index];
    return p->block_start[index + 1] - p->block_start[index];
}

const struct package_detail *package_details(const struct package *p, size_t *count)
{
    *count = p->detail_count;
    return p->details;
}

const char *package_find_detail(const struct package *p, const char *key)
{
    for (size_t i = 0; i < p->detail_count; i++)
        if (!*p->details[i].list && !strcmp(p->details[i].key, key))
            return p->details[i].value;
    return NULL;
}

const uint8_t *package_security_descriptor(const struct package *p, uint32_t id, size_t *len)
{
    if (!id || id > p->info.sd_count)
        return NULL;
    *len = p->sd_end[id] - p->sd_end[id - 1];
    return p->sds + p->sd_end[id - 1];
}

static const struct guid *stored_file_id(const struct package *p, uint32_t index)
{
    uint32_t rank = p->file_id_rank[index / 64];

    for (uint32_t i = index & ~63u; i < index; i++)
        rank += !!(p->nodes[i].flags & NODE_FILE_ID);
    return &p->file_ids[rank];
}

int package_file_id(const struct package *p, uint32_t index, struct guid *out)
{
    if (p->nodes[index].flags & NODE_FILE_ID) {
        *out = *stored_file_id(p, index);
        return 0;
    }
    const struct guid *own = &p->info.package_guid;
    size_t path_len = path_length(p, index);
    auto_free char *text = malloc(sizeof own->b + path_len);
    uint8_t digest[32];

    if (!text)
        return -ENOMEM;
    memcpy(text, own->b, sizeof own->b);
    write_path(p, index, text + sizeof own->b, path_len);
    int rc = codec_sha256(NULL, text, sizeof own->b + path_len, digest);
    if (!rc)
        guid_from_digest(digest, out);
    return rc;
}

size_t package_memory(const struct package *p)
{
    const struct package_info *i = &p->info;
    size_t ids = p->file_ids ? (size_t)i->node_count / 64 + 1 : 0;

    return sizeof *p + strlen(p->format) + strlen(p->name) + strlen(p->root_name) + strlen(p->part) + 4 +
           i->version_count * sizeof *p->versions + i->launch_run_count * sizeof *p->launch_runs +
           i->node_count * sizeof *p->nodes + p->name_bytes +
           p->table.slots * (sizeof *p->table.tags + sizeof *p->table.nodes) +
           p->extent_count * sizeof *p->extents + p->position_count * sizeof *p->positions +
           i->block_count * sizeof *p->blocks +
           p->block_start[i->block_count] * sizeof *p->block_files +
           ((size_t)i->block_count + 1) * sizeof *p->block_start +
           p->file_id_count * sizeof *p->file_ids + ids * sizeof *p->file_id_rank +
           p->sd_end[i->sd_count] + ((size_t)i->sd_count + 1) * sizeof *p->sd_end;
}

#define TICKS_PER_SECOND  INT64_C(10000000)
#define SECONDS_1601_1970 INT64_C(11644473600)
#define TIME_T_MAX        ((time_t)(sizeof(time_t) == 8 ? INT64_MAX : INT32_MAX))
#define TIME_T_MIN        (-TIME_T_MAX - 1)

struct timespec filetime_to_timespec(int64_t ticks)
{
    int64_t seconds = ticks / TICKS_PER_SECOND, rest = ticks % TICKS_PER_SECOND;

    if (rest < 0) {
        seconds--;
        rest += TICKS_PER_SECOND;
    }
    seconds -= SECONDS_1601_1970;
    if (seconds > TIME_T_MAX)
        return (struct timespec){ .tv_sec = TIME_T_MAX };
    if (seconds < TIME_T_MIN)
        return (struct timespec){ .tv_sec = TIME_T_MIN };
    return (struct timespec){ .tv_sec = (time_t)seconds, .tv_nsec = (long)rest * 100 };
}

int64_t filetime_from_timespec(struct timespec t)
{
    int64_t ticks, rest = t.tv_nsec / 100;
    bool failed = add_overflows((int64_t)t.tv_sec, SECONDS_1601_1970, &ticks);

    if (!failed && ticks < 0 && rest > 0) { /* so that the first second that fits is not lost */
        ticks++;
        rest -= TICKS_PER_SECOND;
    }
    if (failed || mul_overflows(ticks, TICKS_PER_SECOND, &ticks) ||
        add_overflows(ticks, rest, &ticks))
        return t.tv_sec < 0 ? INT64_MIN : INT64_MAX;
    return ticks;
}
