/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A piece of work is a block of a file. Whether a file is deflated must be known when its first block
 * is written, long before its last one is read: for a file of several blocks two of them are tried.
 * Every thread comes to the same result, so each that needs it before it is known finds it out.
 */
#include "config.h"

#include "tools/pack_parts.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

#include "src/appx_blockmap.h"
#include "src/appx_blockmap_write.h"
#include "src/appx_parts.h"
#include "src/appx_types_write.h"
#include "src/codec.h"
#include "src/deflate_block.h"
#include "src/opc_name.h"
#include "src/zip_write.h"
#include "tools/ordered.h"
#include "tools/pack_reader.h"

#define BLOCK       BLOCKMAP_BLOCK_SIZE
#define PATH_BYTES  4095u /* of a path in a package: src/package_builder.h */
#define PAYS(n, of) ((n) < (of) - (of) / 32) /* less is not worth decoding */

enum choice { UNKNOWN, STORE, DEFLATE };

struct file {
    uint32_t entry, first_block, block_count;
    atomic_uchar choice; /* enum choice; of files of several blocks */
};

struct pack_parts {
    struct pack_job *job;
    struct zip_writer *zip;
    struct blockmap_writer *map;
    struct types_writer *types;
    uint64_t done; /* bytes of files */
    /* Of the files that are being added. */
    const char *prefix;
    struct file *files;
    uint32_t count, at; /* at: the file that is written now or next */
    uint32_t crc;       /* of its blocks so far */
};

/* What becomes of one block. */
struct slot {
    uint32_t len, packed_len; /* packed_len 0: not deflated */
    uint32_t crc;
    uint8_t sha256[32];
    uint8_t bytes[]; /* as they are, then deflated */
};

struct worker {
    struct pack_reader reader;
    struct deflater *deflater;
    struct codec_context *ctx;
    uint8_t *spare; /* a block and its deflated form */
};

/* --- the archive ------------------------------------------------------------------------------ */

static int append(void *arg, const void *data, size_t len, struct err *e)
{
    return pack_output_append(arg, data, len, e);
}

static int overwrite(void *arg, uint64_t off, const void *data, size_t len, struct err *e)
{
    return pack_output_overwrite(arg, off, data, len, e);
}

int pack_parts_new(struct pack_job *job, struct pack_parts **out, struct err *e)
{
    const struct zip_sink sink = { append, overwrite, job->output };
    struct pack_parts *p = calloc(1, sizeof *p);
    if (!p)
        return err_nomem(e);
    p->job = job;
    int rc = zip_writer_new(&sink, &p->zip, e);
    if (!rc)
        rc = blockmap_writer_new(&p->map, e);
    if (!rc)
        rc = types_writer_new(&p->types, e);
    if (rc) {
        pack_parts_free(p);
        return rc;
    }
    *out = p;
    return 0;
}

void pack_parts_free(struct pack_parts *p)
{
    if (!p)
        return;
    zip_writer_free(p->zip);
    blockmap_writer_free(p->map);
    types_writer_free(p->types);
    free(p->files);
    free(p);
}

int pack_parts_digest(const struct pack_parts *p, uint8_t out[32])
{
    return blockmap_writer_digest(p->map, out);
}

/* Begins the entry of PATH in archive and block map. MAPPED: the block map has it. */
static int begin_part(struct pack_parts *p, const char *path, bool deflated, uint32_t time,
                      uint64_t size, bool mapped, struct err *e)
{
    size_t len = strlen(path);
    auto_free char *name = malloc(3 * len + 1);
    uint32_t header;
    if (!name)
        return err_nomem(e);
    if (!strcmp(path, appx_part_name(APPX_CONTENT_TYPES)))
        memcpy(name, path, len + 1); /* the only name that is not encoded */
    else
        (void)opc_name_encode(path, len, name);
    int rc = zip_write_begin(p->zip, name, deflated ? ZIP_DEFLATED : ZIP_STORED, time, size,
                             &header, e);
    if (!rc && mapped)
        rc = blockmap_write_file(p->map, path, size, header, e);
    return !rc && mapped ? types_add_part(p->types, name, e) : rc;
}

static int end_part(struct pack_parts *p, bool deflated, uint32_t crc, struct err *e)
{
    int rc = deflated ? zip_write_data(p->zip, deflate_end_mark, sizeof deflate_end_mark, e) : 0;
    return rc ? rc : zip_write_end(p->zip, crc, e);
}

/* --- files ------------------------------------------------------------------------------------ */

static int begin_thread(void *arg, void **thread, struct err *e)
{
    const struct pack_parts *p = arg;
    struct worker *w = calloc(1, sizeof *w);
    int rc = w ? 0 : err_nomem(e);
    if (!rc) {
        w->reader = pack_reader_of(&p->job->tree);
        w->spare = malloc(BLOCK + deflate_block_max(BLOCK));
        rc = w->spare && codec_context_new(&w->ctx) == 0
                 ? deflater_new(p->job->o.level, &w->deflater, e) : err_nomem(e);
    }
    if (rc && w) {
        codec_context_free(w->ctx);
        free(w->spare);
        free(w);
    }
    *thread = w;
    return rc;
}

static void end_thread(void *arg, void *thread)
{
    struct worker *w = thread;
    (void)arg;
    pack_reader_close(&w->reader);
    deflater_free(w->deflater);
    codec_context_free(w->ctx);
    free(w->spare);
    free(w);
}

static const struct file *file_of_block(const struct pack_parts *p, uint32_t block)
{
    uint32_t low = 0, high = p->count; /* the last file that does not begin behind BLOCK */
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (p->files[middle].first_block <= block)
            low = middle;
        else
            high = middle;
    }
    return &p->files[low];
}

static uint32_t block_len(const struct pack_parts *p, const struct file *f, uint32_t k)
{
    uint64_t size = p->job->tree.entries[f->entry].size;
    return (uint32_t)min_u64(BLOCK, size - (uint64_t)k * BLOCK);
}

/* Tries the first block and the middle one. */
static int choose(const struct pack_parts *p, struct worker *w, const struct file *f,
                  enum choice *out, struct err *e)
{
    const uint32_t tried[] = { 0, f->block_count / 2 };
    size_t raw = 0, packed = 0;
    for (size_t i = 0; i < ARRAY_LEN(tried); i++) {
        uint32_t len = block_len(p, f, tried[i]);
        int rc = pack_reader_bytes(&w->reader, f->entry, (uint64_t)tried[i] * BLOCK, w->spare, len,
                                   e);
        if (rc)
            return rc;
        raw += len;
        packed += deflate_block(w->deflater, w->spare, len, w->spare + BLOCK);
    }
    *out = PAYS(packed, raw) ? DEFLATE : STORE;
    return 0;
}

static int do_block(void *arg, void *thread, uint32_t index, void *slot, struct err *e)
{
    struct pack_parts *p = arg;
    struct worker *w = thread;
    struct slot *s = slot;
    struct file *f = &p->files[file_of_block(p, index) - p->files];
    uint32_t k = index - f->first_block;
    enum choice choice = p->job->o.codec == CODEC_NONE ? STORE : (enum choice)atomic_load(&f->choice);
    int rc = 0;
    if (choice == UNKNOWN && f->block_count == 1)
        choice = DEFLATE; /* to be seen at once whether that pays */
    else if (choice == UNKNOWN)
        rc = choose(p, w, f, &choice, e);
    s->len = block_len(p, f, k);
    if (!rc)
        rc = pack_reader_bytes(&w->reader, f->entry, (uint64_t)k * BLOCK, s->bytes, s->len, e);
    if (rc)
        return rc;
    s->crc = codec_crc32(s->bytes, s->len);
    if (codec_sha256(w->ctx, s->bytes, s->len, s->sha256))
        return err_nomem(e);
    s->packed_len = choice == DEFLATE
                        ? (uint32_t)deflate_block(w->deflater, s->bytes, s->len, s->bytes + BLOCK)
                        : 0;
    if (f->block_count == 1 && s->packed_len + sizeof deflate_end_mark >= s->len)
        s->packed_len = 0;
    if (f->block_count > 1)
        atomic_store(&f->choice, (unsigned char)choice);
    return 0;
}

static int begin_file(struct pack_parts *p, const struct file *f, bool deflated, struct err *e)
{
    const struct pack_tree *t = &p->job->tree;
    const struct pack_entry *x = &t->entries[f->entry];
    auto_free char *path = pack_tree_path(t, f->entry);
    size_t prefix = strlen(p->prefix), len = path ? strlen(path) : 0;
    auto_free char *full = path ? malloc(prefix + len + 1) : NULL;
    if (!full)
        return err_nomem(e);
    memcpy(full, p->prefix, prefix);
    memcpy(full + prefix, path, len + 1);
    struct err why = { 0 };
    if (opc_name_check(full, prefix + len, &why))
        return err_set(e, ERR_INVALID, "%s: %s", path, why.text);
    if (len > PATH_BYTES)
        return err_set(e, ERR_LIMIT, "%.60s...: a path of %zu bytes, of at most %u", path, len,
                       PATH_BYTES);
    p->crc = 0; /* of nothing */
    return begin_part(p, full, deflated, zip_time_of(pack_job_time(&p->job->o, x->mtime).tv_sec),
                      x->size, true, e);
}

/* Files without blocks, up to the next one that has some. */
static int add_empty_files(struct pack_parts *p, struct err *e)
{
    int rc = 0;
    for (; !rc && p->at < p->count && !p->files[p->at].block_count; p->at += !rc) {
        rc = begin_file(p, &p->files[p->at], false, e);
        if (!rc)
            rc = end_part(p, false, p->crc, e);
    }
    return rc;
}

static int take_block(void *arg, uint32_t index, void *slot, struct err *e)
{
    struct pack_parts *p = arg;
    const struct slot *s = slot;
    bool deflated = s->packed_len > 0;
    int rc = add_empty_files(p, e);
    const struct file *f = &p->files[p->at];
    if (!rc && index == f->first_block)
        rc = begin_file(p, f, deflated, e);
    if (rc)
        return rc;
    blockmap_write_block(p->map, s->sha256, s->packed_len);
    rc = zip_write_data(p->zip, deflated ? s->bytes + BLOCK : s->bytes,
                        deflated ? s->packed_len : s->len, e);
    p->crc = deflate_crc32_join(p->crc, s->crc, s->len);
    if (!rc && index - f->first_block + 1 == f->block_count) {
        rc = end_part(p, deflated, p->crc, e);
        p->at++;
    }
    p->done += s->len;
    return rc ? rc : pack_job_tick(p->job, p->done, e);
}

/* Fills in p->files; returns how many blocks they have in *blocks. */
static int list_files(struct pack_parts *p, const uint32_t *entries, uint32_t count,
                      uint32_t *blocks, struct err *e)
{
    uint64_t total = 0;
    free(p->files);
    p->count = p->at = 0;
    p->files = calloc(count + (size_t)1, sizeof *p->files);
    if (!p->files)
        return err_nomem(e);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t size = p->job->tree.entries[entries[i]].size;
        uint64_t n = size / BLOCK + (size % BLOCK != 0);
        if (n >= UINT32_MAX - total)
            return err_set(e, ERR_LIMIT, "too many blocks");
        p->files[i].entry = entries[i];
        p->files[i].first_block = (uint32_t)total;
        p->files[i].block_count = (uint32_t)n;
        total += n;
    }
    p->count = count;
    *blocks = (uint32_t)total;
    return 0;
}

int pack_parts_add_files(struct pack_parts *p, const uint32_t *entries, uint32_t count,
                         const char *prefix, struct err *e)
{
    uint32_t blocks = 0;
    int rc = list_files(p, entries, count, &blocks, e);
    if (rc)
        return rc;
    p->prefix = prefix;
    const struct ordered o = {
        .count = blocks,
        .jobs = p->job->o.jobs,
        .slot_bytes = sizeof(struct slot) + BLOCK + deflate_block_max(BLOCK),
        .begin = begin_thread,
        .end = end_thread,
        .work = do_block,
        .take = take_block,
        .arg = p,
    };
    rc = ordered_run(&o, e);
    return rc ? rc : add_empty_files(p, e);
}

/* --- documents -------------------------------------------------------------------------------- */

static uint32_t document_time(const struct pack_options *o)
{
    return o->has_epoch ? zip_time_of((time_t)o->epoch) : ZIP_TIME_MIN;
}

static int add_document(struct pack_parts *p, const char *name, const uint8_t *data, size_t len,
                        bool mapped, struct err *e)
{
    struct deflater *deflater = NULL;
    auto_free uint8_t *packed = malloc(deflate_block_max(BLOCK));
    int rc = packed ? deflater_new(p->job->o.codec == CODEC_NONE ? DEFLATE_LEVEL_NORMAL
                                                                 : p->job->o.level,
                                   &deflater, e)
                    : err_nomem(e);
    if (!rc)
        rc = begin_part(p, name, len > 0, document_time(&p->job->o), len, mapped, e);
    for (size_t at = 0; !rc && at < len; at += BLOCK) {
        size_t n = (size_t)min_u64(BLOCK, len - at);
        size_t stored = deflate_block(deflater, data + at, n, packed);
        uint8_t sha256[32];
        if (codec_sha256(NULL, data + at, n, sha256))
            rc = err_nomem(e);
        else
            rc = zip_write_data(p->zip, packed, stored, e);
        if (!rc && mapped)
            blockmap_write_block(p->map, sha256, (uint32_t)stored);
    }
    deflater_free(deflater);
    return rc ? rc : end_part(p, len > 0, codec_crc32(data, len), e);
}

int pack_parts_add_document(struct pack_parts *p, const char *name, const void *data, size_t len,
                            struct err *e)
{
    return add_document(p, name, data, len, true, e);
}

int pack_parts_finish(struct pack_parts *p, struct err *e)
{
    char *text = NULL;
    size_t len = 0;
    int rc = blockmap_write_finish(p->map, &text, &len, e);
    if (!rc)
        rc = add_document(p, appx_part_name(APPX_BLOCK_MAP), (const uint8_t *)text, len, false, e);
    free(text);
    text = NULL;
    if (!rc)
        rc = types_write_finish(p->types, &text, &len, e);
    if (!rc)
        rc = add_document(p, appx_part_name(APPX_CONTENT_TYPES), (const uint8_t *)text, len, false,
                          e);
    free(text);
    return rc ? rc : zip_write_finish(p->zip, e);
}
