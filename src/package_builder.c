/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Takes in what a container found, one item at a time, and checks what can be checked of an item
 * alone or against those before it. See package_builder.h; package_finish.c does the rest.
 *
 * Breadth-first order is what makes the tree safe: the children of the directories come in the
 * order of the directories, so a counter tells where each child belongs, and a loop, a second
 * parent or an unreachable node cannot be written down.
 */
#include "config.h"

#include "src/package_builder.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <utf8proc.h>

#include "src/fold.h"
#include "src/package_private.h"

#define NODES_MAX      (UINT32_C(1) << 31)
#define SD_BYTES_MAX   (UINT32_C(1) << 20)
#define PATH_BYTES_MAX 4095u /* PATH_MAX without its NUL */

#define KNOWN_FLAGS                                                                                \
    (NODE_DIR | NODE_USER_DATA | NODE_APPLICATION_DATA | NODE_OVERRIDE | NODE_HIDDEN |             \
     NODE_SYSTEM | NODE_READONLY | NODE_FILE_ID)

static int check_counts(const struct package_counts *c, size_t *name_room, struct err *e)
{
    uint64_t room;

    if (!c->nodes)
        return err_set(e, ERR_BAD_TREE, "no root directory");
    if (c->nodes > NODES_MAX)
        return err_set(e, ERR_LIMIT, "%u nodes; %u are the limit", c->nodes, NODES_MAX);
    if (c->blocks == UINT32_MAX || c->extents == UINT32_MAX)
        return err_set(e, ERR_LIMIT, "too many blocks or extents");
    if (c->file_ids > c->nodes)
        return err_set(e, ERR_CORRUPT, "%u file ids for %u nodes", c->file_ids, c->nodes);
    if (c->launch_runs > c->blocks)
        return err_set(e, ERR_CORRUPT, "%u launch runs for %u blocks", c->launch_runs, c->blocks);
    /* A name and an 8.3 name a node, each with a terminator; struct node has 32 bits for where. */
    if (add_overflows((uint64_t)c->name_bytes, 2 * (uint64_t)c->nodes, &room) || room > UINT32_MAX)
        return err_set(e, ERR_LIMIT, "%zu bytes of names are too many", c->name_bytes);
    *name_room = (size_t)room;
    return 0;
}

static bool allocate(struct package_builder *b)
{
    const struct package_counts *c = &b->counts;
    struct package *p = calloc(1, sizeof *p);

    if (!p)
        return false;
    b->p = p;
    /* One more than needed where there may be none: calloc(0) could be NULL. */
    p->nodes = calloc(c->nodes, sizeof *p->nodes);
    p->names = calloc(b->name_room, 1);
    p->extents = calloc((size_t)c->extents + 1, sizeof *p->extents);
    p->blocks = calloc((size_t)c->blocks + 1, sizeof *p->blocks);
    p->versions = calloc((size_t)c->versions + 1, sizeof *p->versions);
    p->launch_runs = calloc((size_t)c->launch_runs + 1, sizeof *p->launch_runs);
    p->sd_end = calloc((size_t)c->sds + 1, sizeof *p->sd_end);
    b->lengths = calloc((size_t)c->extents + 1, sizeof *b->lengths);
    b->path_len = calloc(c->nodes, sizeof *b->path_len);
    if (c->file_ids) {
        p->file_ids = calloc(c->file_ids, sizeof *p->file_ids);
        p->file_id_rank = calloc((size_t)c->nodes / 64 + 1, sizeof *p->file_id_rank);
        if (!p->file_ids || !p->file_id_rank)
            return false;
    }
    return p->nodes && p->names && p->extents && p->blocks && p->versions && p->launch_runs &&
           p->sd_end && b->lengths && b->path_len;
}

int package_builder_new(const struct package_counts *counts, struct package_builder **out,
                        struct err *e)
{
    size_t name_room = 0;
    int rc = check_counts(counts, &name_room, e);

    if (rc)
        return rc;
    struct package_builder *b = calloc(1, sizeof *b);
    if (!b)
        return err_nomem(e);
    b->counts = *counts;
    b->name_room = name_room;
    if (!allocate(b))
        rc = err_nomem(e);
    else if (getentropy(b->p->table.key, sizeof b->p->table.key))
        rc = err_sys(e, "no random numbers");
    if (rc) {
        package_builder_free(b);
        return rc;
    }
    *out = b;
    return 0;
}

void package_builder_free(struct package_builder *b)
{
    if (!b)
        return;
    package_free(b->p);
    free(b->lengths);
    free(b->path_len);
    free(b);
}

int package_text_check(const char *text, const char *what, struct err *e)
{
    size_t len = text ? strlen(text) : 0;

    if (len > NAME_MAX_BYTES)
        return err_set(e, ERR_BAD_NAME, "%s of %zu bytes; %u are the limit", what, len,
                       NAME_MAX_BYTES);
    for (size_t i = 0; i < len;) {
        utf8proc_int32_t c;
        utf8proc_ssize_t n =
            utf8proc_iterate((const utf8proc_uint8_t *)text + i, (utf8proc_ssize_t)(len - i), &c);
        if (n <= 0)
            return err_set(e, ERR_BAD_NAME, "%s is not valid UTF-8 at byte %zu", what, i);
        if (c < 0x20 || (c >= 0x7f && c < 0xa0))
            return err_set(e, ERR_BAD_NAME, "%s holds control character U+%04X", what, (unsigned)c);
        i += (size_t)n;
    }
    return 0;
}

static int copy_text(const char *text, const char *what, char **out, struct err *e)
{
    int rc = package_text_check(text, what, e);
    if (rc)
        return rc;
    char *copy = strdup(text ? text : "");
    if (!copy)
        return err_nomem(e);
    free(*out);
    *out = copy;
    return 0;
}

static int copy_texts(struct package *p, const struct package_info *info, struct err *e)
{
    int rc = copy_text(info->format, "format name", &p->format, e);

    if (!rc)
        rc = copy_text(info->name, "package name", &p->name, e);
    if (!rc && info->root_name && info->root_name[0]) { /* it may become a directory's name */
        rc = name_check(info->root_name, strlen(info->root_name), e);
        if (rc)
            err_wrap(e, "root directory");
    }
    if (!rc)
        rc = copy_text(info->root_name, "root directory", &p->root_name, e);
    if (!rc && !(p->part = strdup(info->part ? info->part : "")))
        rc = err_nomem(e);
    return rc;
}

int package_builder_set_info(struct package_builder *b, const struct package_info *info,
                             struct err *e)
{
    uint32_t size = info->block_size;

    if (b->has_info)
        return err_set(e, ERR_INVALID, "package information given twice");
    if (size != 4096 && size != 16384 && size != 32768 && size != 65536)
        return err_set(e, ERR_CORRUPT, "block size is %u", size);
    if (info->codec >= CODEC_COUNT)
        return err_set(e, ERR_UNSUPPORTED, "unknown codec %u", info->codec);
    if (info->block_hash > BLOCK_HASH_DECODED || info->digest >= DIGEST_COUNT)
        return err_set(e, ERR_UNSUPPORTED, "unknown hash");
    if (info->container_bytes > INT64_MAX)
        return err_set(e, ERR_LIMIT, "package of more than 2^63 bytes");
    if (info->metadata_bytes > info->container_bytes)
        return err_set(e, ERR_CORRUPT, "metadata ends after the package does");
    int rc = copy_texts(b->p, info, e);
    if (rc)
        return rc;

    struct package_info *to = &b->p->info;
    *to = (struct package_info){
        .format = b->p->format,
        .name = b->p->name,
        .root_name = b->p->root_name,
        .part = b->p->part,
        .package_guid = info->package_guid,
        .version_guid = info->version_guid,
        .version_number = info->version_number,
        .block_size = info->block_size,
        .codec = info->codec,
        .block_hash = info->block_hash,
        .digest = info->digest,
        .case_sensitive = info->case_sensitive,
        .metadata_bytes = info->metadata_bytes,
        .container_bytes = info->container_bytes,
        .created = info->created,
        .launch_runs = b->p->launch_runs,
        .versions = b->p->versions,
    };
    memcpy(to->root_hash, info->root_hash, sizeof to->root_hash);
    b->has_info = true;
    return 0;
}

/* What all add functions ask first: information set, and fewer than ANNOUNCED there yet. */
static int check_room(const struct package_builder *b, uint32_t have, uint32_t announced,
                      const char *what, struct err *e)
{
    if (!b->has_info)
        return err_set(e, ERR_INVALID, "%s before the package information", what);
    if (have >= announced)
        return err_set(e, ERR_CORRUPT, "more than the announced %u %s", announced, what);
    return 0;
}

/* Makes room for one more. */
static int grow_streams(struct package *p, struct err *e)
{
    size_t n = p->stream_count;

    if (n & (n - 1))
        return 0;
    struct package_stream *grown = realloc(p->streams, (n ? 2 * n : 1) * sizeof *grown);
    if (!grown)
        return err_nomem(e);
    p->streams = grown;
    return 0;
}

int package_builder_add_stream(struct package_builder *b, uint64_t offset, uint64_t len, uint64_t decoded,
                               uint64_t *begin, struct err *e)
{
    struct package *p = b->p;
    const struct package_stream *last = p->stream_count ? &p->streams[p->stream_count - 1] : NULL;
    uint64_t end, next = PACKAGE_STREAM_BASE;

    if (add_overflows(offset, len, &end) || end > p->info.container_bytes || !decoded ||
        decoded > codec_inflate_max(len))
        return err_set(e, ERR_CORRUPT, "%" PRIu64 " bytes at %" PRIu64 " cannot decode to %" PRIu64, len,
                       offset, decoded);
    if (last)
        next = (last->begin + last->len + 2 * PACKAGE_STREAM_GAP) & ~(PACKAGE_STREAM_GAP - 1);
    if (next > INT64_MAX || decoded > INT64_MAX - next)
        return err_set(e, ERR_LIMIT, "the package is too large");
    int rc = grow_streams(p, e);
    if (rc)
        return rc;
    p->streams[p->stream_count++] =
        (struct package_stream){ .begin = next, .len = decoded, .offset = offset, .stored_len = len };
    *begin = next;
    return 0;
}

/* Blocks of a stream are added right behind it. */
static bool is_in_stream(const struct package *p, const struct block *block)
{
    const struct package_stream *last = p->stream_count ? &p->streams[p->stream_count - 1] : NULL;

    return last && block->codec == CODEC_NONE && block->offset >= last->begin &&
           block->stored_len <= last->len && block->offset - last->begin <= last->len - block->stored_len;
}

int package_builder_add_block(struct package_builder *b, const struct block *block, struct err *e)
{
    struct package_info *info = &b->p->info;
    uint32_t n = info->block_count;
    uint64_t end;
    int rc = check_room(b, n, b->counts.blocks, "blocks", e);

    if (rc)
        return rc;
    if (!block->len || block->len > info->block_size)
        return err_set(e, ERR_CORRUPT, "block %u: length %u with block size %u", n, block->len,
                       info->block_size);
    if (block->codec >= CODEC_COUNT)
        return err_set(e, ERR_UNSUPPORTED, "block %u: unknown codec %u", n, block->codec);
    if (!block->stored_len || (block->codec == CODEC_NONE && block->stored_len != block->len))
        return err_set(e, ERR_CORRUPT, "block %u: stored length %u", n, block->stored_len);
    if (block->stored_len > STORED_LEN_MAX)
        return err_set(e, ERR_LIMIT, "block %u: stored length %u; %u is the limit", n,
                       block->stored_len, STORED_LEN_MAX);
    if (block->offset < info->metadata_bytes ||
        add_overflows(block->offset, block->stored_len, &end) ||
        (end > info->container_bytes && !is_in_stream(b->p, block)))
        return err_set(e, ERR_CORRUPT,
                       "block %u: %u bytes at offset %llu are outside the package's data", n,
                       block->stored_len, (unsigned long long)block->offset);
    b->p->blocks[n] = *block;
    info->block_count++;
    return 0;
}

int package_builder_set_dictionary(struct package_builder *b, const uint8_t *data, size_t len,
                                   struct err *e)
{
    struct package *p = b->p;

    if (p->dictionary)
        return err_set(e, ERR_INVALID, "dictionary given twice");
    int rc = codec_dictionary_new(data, len, 0, &p->dictionary, e);
    if (rc)
        return rc;
    p->dictionary_bytes = malloc(len);
    if (!p->dictionary_bytes)
        return err_nomem(e);
    memcpy(p->dictionary_bytes, data, len);
    p->dictionary_len = len;
    return 0;
}

int package_builder_add_extent(struct package_builder *b, const struct extent *x, struct err *e)
{
    uint32_t n = b->p->extent_count;
    uint64_t end;
    int rc = check_room(b, n, b->counts.extents, "extents", e);

    if (rc)
        return rc;
    if (!x->length)
        return err_set(e, ERR_BAD_EXTENT, "extent %u is empty", n);
    if (x->from >= b->p->info.block_size)
        return err_set(e, ERR_BAD_EXTENT, "extent %u begins at byte %u of a block", n, x->from);
    if (x->block >= b->counts.blocks || add_overflows(x->length, (uint64_t)x->from, &end) ||
        (end - 1) / b->p->info.block_size >= b->counts.blocks - x->block)
        return err_set(e, ERR_BAD_EXTENT, "extent %u: %llu bytes from block %u on; there are %u", n,
                       (unsigned long long)x->length, x->block, b->counts.blocks);
    b->p->extents[n] = (struct placed_extent){ .block = x->block, .from = x->from };
    b->lengths[n] = x->length;
    b->p->extent_count++;
    return 0;
}

const char *package_path_text(const struct package *p, uint32_t index, char out[PATH_TEXT_SIZE])
{
    auto_free char *path = package_path(p, index);
    size_t len = path ? strlen(path) : 0;

    if (!len)
        (void)snprintf(out, PATH_TEXT_SIZE, "/");
    else if (len < PATH_TEXT_SIZE)
        memcpy(out, path, len + 1);
    else {
        const char *tail = path + len - (PATH_TEXT_SIZE - 4);
        while (((unsigned char)*tail & 0xc0) == 0x80) /* not into the middle of a character */
            tail++;
        (void)snprintf(out, PATH_TEXT_SIZE, "...%s", tail);
    }
    return out;
}

/* Places node N under the next directory that still wants children. */
static int place(struct package_builder *b, uint32_t n, struct node *node, struct err *e)
{
    if (n == 0) {
        node->parent = NODE_ROOT;
        return 0;
    }
    if (n > b->children)
        return err_set(e, ERR_BAD_TREE, "node %u is in no directory", n);
    while (!b->open_left) { /* ends before N: the directories so far want N children or more */
        const struct node *next = &b->p->nodes[b->open_dir];
        b->open_left = next->flags & NODE_DIR ? next->child_count : 0;
        if (!b->open_left)
            b->open_dir++;
    }
    node->parent = b->open_dir;
    if (!--b->open_left)
        b->open_dir++;
    return 0;
}

static int check_node(const struct package_builder *b, uint32_t n, const struct node *node,
                      size_t name_len, size_t short_len, bool has_id, struct err *e)
{
    bool dir = node->flags & NODE_DIR;

    if (!n && (!dir || name_len || short_len))
        return err_set(e, ERR_BAD_TREE, "node 0 is not a root directory");
    if (node->flags & ~KNOWN_FLAGS)
        return err_set(e, ERR_CORRUPT, "node %u has unknown flags 0x%x", n, node->flags);
    if (dir && node->size)
        return err_set(e, ERR_CORRUPT, "node %u is a directory with a size", n);
    if (node->size > INT64_MAX)
        return err_set(e, ERR_LIMIT, "node %u is larger than 2^63 bytes", n);
    if (node->sd > b->counts.sds)
        return err_set(e, ERR_CORRUPT, "node %u has security descriptor %u of %u", n, node->sd,
                       b->counts.sds);
    if (has_id != !!(node->flags & NODE_FILE_ID))
        return err_set(e, ERR_INVALID, "node %u: file id and flag do not agree", n);
    if (has_id && b->p->file_id_count >= b->counts.file_ids)
        return err_set(e, ERR_CORRUPT, "more than the announced %u file ids", b->counts.file_ids);
    if (dir && b->children + node->child_count > b->counts.nodes - 1)
        return err_set(e, ERR_BAD_TREE, "directory %u: %u children are more than there are nodes",
                       n, node->child_count);
    if (!dir && !node->extent_count != !node->size)
        return err_set(e, ERR_BAD_EXTENT, "file %u of %llu bytes has %u extents", n,
                       (unsigned long long)node->size, node->extent_count);
    if (!dir && b->extents + node->extent_count > b->counts.extents)
        return err_set(e, ERR_BAD_EXTENT, "file %u: %u extents are more than there are", n,
                       node->extent_count);
    return 0;
}

static int check_names(struct package_builder *b, const struct node *node, const char *name,
                       size_t name_len, const char *short_name, size_t short_len, struct err *e)
{
    char dir[PATH_TEXT_SIZE];
    int rc = name_check(name, name_len, e);

    if (!rc && short_len && !name_is_8_3(short_name, short_len))
        rc = err_set(e, ERR_BAD_NAME, "\"%.*s\" has an invalid 8.3 name", (int)name_len, name);
    if (!rc && name_len + short_len > b->counts.name_bytes - b->name_used)
        rc = err_set(e, ERR_CORRUPT, "names are longer than the announced %zu bytes",
                     b->counts.name_bytes);
    if (!rc && b->path_len[node->parent] + 1 + name_len > PATH_BYTES_MAX)
        rc = err_set(e, ERR_LIMIT, "path longer than %u bytes", PATH_BYTES_MAX);
    if (rc)
        err_wrap(e, "in directory %s", package_path_text(b->p, node->parent, dir));
    return rc;
}

/* Appends a name and its terminator to the pool, where check_counts() has left room for both. */
static void put_name(struct package_builder *b, const char *name, size_t len)
{
    if (len)
        memcpy(b->p->names + b->p->name_bytes, name, len);
    b->p->name_bytes += len + 1;
    b->name_used += len;
}

static void put_node(struct package_builder *b, uint32_t n, const struct node *node)
{
    struct package_info *info = &b->p->info;
    struct node *to = &b->p->nodes[n];

    *to = *node;
    if (node->flags & NODE_DIR) {
        to->first_child = (uint32_t)(1 + b->children);
        b->children += node->child_count;
        info->dir_count++;
    } else {
        to->first_extent = (uint32_t)b->extents;
        b->extents += node->extent_count;
        info->file_count++;
    }
    if (node->flags & (NODE_HIDDEN | NODE_SYSTEM))
        info->has_dos_attributes = true;
    b->path_len[n] =
        n ? (uint16_t)(b->path_len[node->parent] + (node->parent != NODE_ROOT) + node->name_len)
          : 0;
    info->node_count++;
}

int package_builder_add_node(struct package_builder *b, const struct node *node, const char *name,
                             size_t name_len, const char *short_name, size_t short_len,
                             const struct guid *file_id, struct err *e)
{
    struct package *p = b->p;
    uint32_t n = p->info.node_count;
    struct node copy = *node;
    int rc = check_room(b, n, b->counts.nodes, "nodes", e);

    if (!rc)
        rc = check_node(b, n, node, name_len, short_len, file_id, e);
    if (!rc)
        rc = place(b, n, &copy, e);
    if (!rc && n)
        rc = check_names(b, &copy, name, name_len, short_name, short_len, e);
    if (rc)
        return rc;

    copy.name = (uint32_t)p->name_bytes;
    copy.name_len = (uint8_t)name_len;
    copy.short_len = 0;
    put_name(b, name, name_len);
    if (short_len && !(short_len == name_len && !memcmp(name, short_name, name_len))) {
        copy.short_len = (uint8_t)short_len;
        put_name(b, short_name, short_len);
        b->short_count++;
    }
    if (p->file_id_rank && n % 64 == 0)
        p->file_id_rank[n / 64] = p->file_id_count;
    if (file_id)
        p->file_ids[p->file_id_count++] = *file_id;
    put_node(b, n, &copy);
    return 0;
}

int package_builder_add_launch_run(struct package_builder *b, struct block_run run, struct err *e)
{
    uint32_t n = b->p->info.launch_run_count;
    int rc = check_room(b, n, b->counts.launch_runs, "launch runs", e);

    if (rc)
        return rc;
    if (!run.count || run.first >= b->counts.blocks || run.count > b->counts.blocks - run.first)
        return err_set(e, ERR_CORRUPT, "launch run %u: %u blocks from %u on; there are %u", n,
                       run.count, run.first, b->counts.blocks);
    b->p->launch_runs[n] = run;
    b->p->info.launch_run_count++;
    return 0;
}

int package_builder_add_version(struct package_builder *b, const struct package_version *v,
                                struct err *e)
{
    uint32_t n = b->p->info.version_count;
    int rc = check_room(b, n, b->counts.versions, "versions", e);

    if (rc)
        return rc;
    const struct package_version *before = n ? &b->p->versions[n - 1] : NULL;
    if (before && v->number <= before->number)
        return err_set(e, ERR_CORRUPT, "version %u follows version %u", v->number, before->number);
    if (v->first_new_block > b->counts.blocks ||
        (before && v->first_new_block < before->first_new_block))
        return err_set(e, ERR_CORRUPT, "version %u cannot begin at block %u", v->number,
                       v->first_new_block);
    b->p->versions[n] = *v;
    b->p->info.version_count++;
    return 0;
}

int package_builder_add_sd(struct package_builder *b, const uint8_t *sd, size_t len, struct err *e)
{
    struct package *p = b->p;
    uint32_t n = p->info.sd_count;
    int rc = check_room(b, n, b->counts.sds, "security descriptors", e);

    if (rc)
        return rc;
    if (!len)
        return err_set(e, ERR_CORRUPT, "security descriptor %u is empty", n + 1);
    if (len > SD_BYTES_MAX)
        return err_set(e, ERR_LIMIT, "security descriptor %u of %zu bytes; %u are the limit", n + 1,
                       len, SD_BYTES_MAX);
    size_t used = p->sd_end[n], need;
    if (add_overflows(used, len, &need))
        return err_nomem(e);
    if (need > b->sd_room) {
        size_t room = need > SIZE_MAX / 2 ? need : 2 * need;
        uint8_t *grown = realloc(p->sds, room);
        if (!grown)
            return err_nomem(e);
        p->sds = grown;
        b->sd_room = room;
    }
    memcpy(p->sds + used, sd, len);
    p->sd_end[n + 1] = need;
    p->info.sd_count++;
    return 0;
}

int package_builder_add_detail(struct package_builder *b, const char *list, uint32_t item,
                               const char *key, const char *value, struct err *e)
{
    struct package *p = b->p;

    if (!value[0])
        return 0;
    if (!p->texts && !(p->texts = pool_new()))
        return err_nomem(e);
    if (!(p->detail_count & (p->detail_count - 1))) { /* a power of two, or none: full */
        size_t room = p->detail_count ? 2 * p->detail_count : 1;
        struct package_detail *more = realloc(p->details, room * sizeof *more);
        if (!more)
            return err_nomem(e);
        p->details = more;
    }
    char *copy = pool_strndup(p->texts, value, strlen(value));
    if (!copy)
        return err_nomem(e);
    p->details[p->detail_count++] =
        (struct package_detail){ .list = list, .item = item, .key = key, .value = copy };
    return 0;
}
