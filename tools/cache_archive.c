/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A version in the disk cache that is not complete, as a tar archive (libarchive): a text file
 * `sftfs-cache`, the metadata in one file or several, and one file for each run of blocks, named by the first
 * of them. An
 * archive may be from anybody: nothing in it is believed before its hash is right, and no name in
 * it becomes a name on the disk.
 */
#include "config.h"

#include "tools/cache_common.h"

#ifdef HAVE_LIBARCHIVE

#include <archive.h>
#include <archive_entry.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "fetch/metadata.h"
#include "fetch/open.h"
#include "src/codec.h"
#include "src/container.h"

#define INFO_NAME     "sftfs-cache"
#define METADATA_NAME "metadata"
#define PIECE_PREFIX  "metadata-at/" /* where the metadata is not in front: an offset behind it */
#define PART_LINE     "\npart: "
#define BLOCKS_PREFIX "blocks/"
#define FIRST_LINE    "sftfs cache export 1\n"

enum { RUN_BYTES = 4 << 20, INFO_MAX = 1 << 20, METADATA_MAX = 1 << 30 };

static int archive_failed(struct archive *a, enum err_kind kind, struct err *e)
{
    const char *text = archive_error_string(a);

    return err_set(e, kind, "%s", text ? text : "the archive cannot be read or written");
}

/* --- writing ---------------------------------------------------------------------------------- */

struct writer {
    struct cache_run *run;
    const struct cache_item *item;
    struct cache *cache;
    struct archive *archive;
    struct progress progress;
    struct codec_context *ctx;
    uint8_t *buf; /* RUN_BYTES, and behind that one decoded block */
    char *info;
    size_t info_len;
    uint64_t blocks, bytes;
};

static int write_file(struct writer *w, const char *name, const void *data, size_t len,
                      struct err *e)
{
    struct archive_entry *entry = archive_entry_new();
    int rc = 0;

    if (!entry)
        return err_nomem(e);
    archive_entry_set_pathname(entry, name);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_size(entry, (la_int64_t)len);
    if (archive_write_header(w->archive, entry) < ARCHIVE_WARN ||
        archive_write_data(w->archive, data, len) != (la_ssize_t)len)
        rc = archive_failed(w->archive, ERR_SYSTEM, e);
    archive_entry_free(entry);
    w->bytes += len;
    progress_update(&w->progress, w->bytes);
    return rc ? rc : interrupt_check(&w->run->interrupt, e);
}

static int add_place(void *arg, const char *place)
{
    struct writer *w = arg;
    size_t len = w->info_len + CACHE_PLACE_SIZE + 16;
    char *grown = realloc(w->info, len);

    if (!grown)
        return -ENOMEM;
    w->info = grown;
    w->info_len += (size_t)snprintf(grown + w->info_len, len - w->info_len, "place: %s\n", place);
    return 0;
}

/* What leads to the version goes along as hashes, so that no secret of a URL does. */
static int write_info(struct writer *w, struct err *e)
{
    const struct package_info *info = package_info(w->item->package);
    int n = asprintf(&w->info, FIRST_LINE "version: %s\nbytes: %" PRIu64 "%s%s\n", w->item->entry.name,
                     info->container_bytes, *info->part ? PART_LINE : "", info->part);

    if (n < 0) {
        w->info = NULL;
        return err_nomem(e);
    }
    w->info_len = (size_t)n;
    if (cache_dir_places(w->run->dir, w->item->entry.name, add_place, w))
        return err_nomem(e);
    return write_file(w, INFO_NAME, w->info, w->info_len, e);
}

/* The pieces of the container that the package is read from. */
static int write_pieces(struct writer *w, struct err *e)
{
    struct container_options options = { .part = package_info(w->item->package)->part };
    struct container_input pieces = { .count = 0 };
    struct source *source = NULL;
    struct package *p = NULL;
    int rc = source_open(cache_container_path(w->cache), NULL, 0, &source, e);

    if (rc)
        return rc;
    if (!*options.part)
        options.part = NULL;
    rc = package_read(source, &options, metadata_keep, &pieces, &p, NULL, e);
    for (unsigned i = 0; i < pieces.count && !rc; i++) {
        char name[40];
        (void)snprintf(name, sizeof name, PIECE_PREFIX "%" PRIu64, pieces.pieces[i].offset);
        rc = write_file(w, name, pieces.pieces[i].data, pieces.pieces[i].len, e);
    }
    package_free(p);
    container_input_clear(&pieces);
    source_close(source);
    return rc;
}

static int write_metadata(struct writer *w, struct err *e)
{
    if (!package_info(w->item->package)->metadata_bytes)
        return write_pieces(w, e);
    size_t len = (size_t)package_info(w->item->package)->metadata_bytes;
    auto_free uint8_t *bytes = malloc(len);
    FILE *f = fopen(cache_container_path(w->cache), "rb");
    int rc = bytes ? 0 : err_nomem(e);

    if (!f)
        return err_sys(e, "%s", cache_container_path(w->cache));
    if (!rc && fread(bytes, 1, len, f) != len)
        rc = err_set(e, ERR_TRUNCATED, "%s was cut short", cache_container_path(w->cache));
    (void)fclose(f); /* only read */
    return rc ? rc : write_file(w, METADATA_NAME, bytes, len, e);
}

/* Reads blocks from FIRST on that are there and right; what is wrong is left out, as if missing. */
static uint32_t read_run(struct writer *w, uint32_t first, size_t *len)
{
    const struct package *p = w->item->package;
    uint32_t count = package_info(p)->block_count, n = 0;

    for (*len = 0; first + n < count; n++) {
        uint32_t stored = package_block(p, first + n)->stored_len;

        if (*len + stored > RUN_BYTES || !cache_holds(w->cache, first + n) ||
            cache_read(w->cache, first + n, 1, w->buf + *len, NULL))
            break;
        if (package_decode_block(p, first + n, w->buf + *len, w->ctx, w->buf + RUN_BYTES, NULL)) {
            cache_drop(w->cache, first + n);
            break;
        }
        *len += stored;
    }
    return n;
}

static int write_blocks(struct writer *w, struct err *e)
{
    uint32_t count = package_info(w->item->package)->block_count;
    size_t len;
    int rc = 0;

    for (uint32_t i = 0, n; !rc && i < count; i += n ? n : 1) {
        char name[32];

        n = read_run(w, i, &len);
        if (!n)
            continue;
        (void)snprintf(name, sizeof name, BLOCKS_PREFIX "%010" PRIu32, i); /* always fits */
        rc = write_file(w, name, w->buf, len, e);
        w->blocks += n;
    }
    return rc;
}

static int write_all(struct writer *w, struct err *e)
{
    w->archive = archive_write_new();
    w->buf = malloc(RUN_BYTES + BLOCK_SIZE_MAX);
    if (!w->archive || !w->buf || codec_context_new(&w->ctx))
        return err_nomem(e);
    if (archive_write_set_format_pax_restricted(w->archive) != ARCHIVE_OK ||
        archive_write_open_filename(w->archive, w->run->output) != ARCHIVE_OK)
        return archive_failed(w->archive, ERR_SYSTEM, e);
    int rc = write_info(w, e);
    if (!rc)
        rc = write_metadata(w, e);
    if (!rc)
        rc = write_blocks(w, e);
    if (!rc && archive_write_close(w->archive) != ARCHIVE_OK)
        rc = archive_failed(w->archive, ERR_SYSTEM, e);
    return rc;
}

int cache_archive_write(struct cache_run *r, const struct cache_item *item, struct cache *c,
                        uint64_t *blocks, struct err *e)
{
    struct writer w = { .run = r, .item = item, .cache = c };
    struct cache_stats s;

    cache_get_stats(c, &s);
    w.progress = progress_begin("exported", s.present_bytes, sft_progress(&r->in));
    int rc = write_all(&w, e);
    progress_clear(&w.progress);
    if (w.archive)
        (void)archive_write_free(w.archive); /* closed before, or failed */
    codec_context_free(w.ctx);
    free(w.buf);
    free(w.info);
    *blocks = w.blocks;
    return rc;
}

/* --- reading ---------------------------------------------------------------------------------- */

struct reader {
    struct cache_run *run;
    struct archive *archive;
    struct progress progress;
    struct codec_context *ctx;
    struct cache *cache;
    char *info; /* text of INFO_NAME */
    struct container_input pieces; /* where the metadata comes in several */
    uint64_t piece_bytes;
    uint8_t *buf;
    uint64_t container_bytes, bytes;
    struct cache_filled *out;
    uint64_t bad;
};

static int read_fully(struct reader *x, void *buf, size_t len, struct err *e)
{
    for (size_t done = 0; done < len;) {
        la_ssize_t n = archive_read_data(x->archive, (char *)buf + done, len - done);

        if (n < 0)
            return archive_failed(x->archive, ERR_CORRUPT, e);
        if (!n)
            return err_set(e, ERR_TRUNCATED, "the archive is shorter than it says");
        done += (size_t)n;
    }
    x->bytes += len;
    progress_update(&x->progress, x->bytes);
    return interrupt_check(&x->run->interrupt, e);
}

static int read_info(struct reader *x, uint64_t size, struct err *e)
{
    const char *bytes;

    if (size > INFO_MAX || x->info)
        return err_set(e, ERR_CORRUPT, "the archive's description is no such thing");
    x->info = calloc(1, (size_t)size + 1);
    if (!x->info)
        return err_nomem(e);
    int rc = read_fully(x, x->info, (size_t)size, e);
    if (rc)
        return rc;
    bytes = strstr(x->info, "\nbytes: ");
    if (strncmp(x->info, FIRST_LINE, strlen(FIRST_LINE)) || !bytes)
        return err_set(e, ERR_NOT_A_PACKAGE, "not an export of the cache that this version knows");
    x->container_bytes = strtoull(bytes + strlen("\nbytes: "), NULL, 10);
    return 0;
}

/* BYTES are ROOM long: a reader of containers wants a head of a certain length, and of blocks in it
 * nothing. */
static int parse_metadata(struct reader *x, const uint8_t *bytes, uint64_t room, uint64_t len,
                          struct err *e)
{
    struct container_reader *r;
    struct byte_range want;
    int rc = container_reader_new(x->container_bytes, &r, e);

    if (rc)
        return rc;
    while ((rc = container_reader_next(r, &want, e)) > 0) {
        if (want.offset > room || want.length > room - want.offset) {
            rc = err_set(e, ERR_TRUNCATED, "the metadata is not complete");
            break;
        }
        rc = container_reader_feed(r, want.offset, bytes + want.offset, (size_t)want.length, e);
        if (rc)
            break;
    }
    if (!rc)
        x->run->in.package = container_reader_take(r);
    container_reader_free(r);
    if (!rc && package_info(x->run->in.package)->metadata_bytes != len)
        rc = err_set(e, ERR_CORRUPT, "the metadata has another length than it says");
    return rc;
}

static int read_metadata(struct reader *x, uint64_t size, struct err *e)
{
    if (!x->info || x->cache || !size || size > METADATA_MAX || size > x->container_bytes)
        return err_set(e, ERR_CORRUPT, "the metadata is not where or what it should be");
    uint64_t room = max_u64(size, min_u64(x->container_bytes, CONTAINER_HEAD_BYTES));
    auto_free uint8_t *bytes = calloc(1, (size_t)room);
    int rc = bytes ? read_fully(x, bytes, (size_t)size, e) : err_nomem(e);
    if (!rc)
        rc = parse_metadata(x, bytes, room, size, e);
    if (!rc)
        rc = cache_open(x->run->dir, x->run->in.package, &x->cache, e);
    return rc ? rc : cache_put_metadata(x->cache, 0, bytes, (size_t)size, e);
}

static int read_piece(struct reader *x, const char *offset_text, uint64_t size, struct err *e)
{
    uint64_t offset;

    if (!x->info || x->cache || !size || size > METADATA_MAX - x->piece_bytes ||
        cli_parse_number("offset", offset_text, 0, INT64_MAX, &offset, NULL) ||
        offset > x->container_bytes || size > x->container_bytes - offset)
        return err_set(e, ERR_CORRUPT, "the metadata is not where or what it should be");
    auto_free uint8_t *bytes = malloc((size_t)size);
    int rc = bytes ? read_fully(x, bytes, (size_t)size, e) : err_nomem(e);
    x->piece_bytes += size;
    return rc ? rc : container_input_add(&x->pieces, offset, bytes, (size_t)size, size, e);
}

/* "part: NAME" of the description, or NULL. Caller frees. */
static char *part_of(const char *info)
{
    const char *at = strstr(info, PART_LINE);

    return at ? strndup(at + strlen(PART_LINE), strcspn(at + strlen(PART_LINE), "\n")) : NULL;
}

static int feed_pieces(struct reader *x, struct container_reader *r, struct err *e)
{
    struct byte_range want;
    int rc;

    while ((rc = container_reader_next(r, &want, e)) == 1) {
        const uint8_t *bytes = container_input_at(&x->pieces, want.offset, want.length);
        rc = bytes ? container_reader_feed(r, want.offset, bytes, (size_t)want.length, e)
                   : err_set(e, ERR_TRUNCATED, "the metadata is not complete");
        if (rc)
            return rc;
    }
    return rc > 0 ? err_set(e, ERR_CORRUPT, "the metadata is of a package that is elsewhere") : rc;
}

/* When the first thing comes that is no piece: they are all there then. */
static int end_pieces(struct reader *x, struct err *e)
{
    struct container_reader *r;

    if (x->cache || !x->pieces.count)
        return 0;
    int rc = container_reader_new(x->container_bytes, &r, e);
    if (rc)
        return rc;
    auto_free char *part = part_of(x->info);
    container_reader_set_options(r, &(struct container_options){ .part = part });
    rc = feed_pieces(x, r, e);
    if (!rc)
        x->run->in.package = container_reader_take(r);
    container_reader_free(r);
    if (!rc)
        rc = cache_open(x->run->dir, x->run->in.package, &x->cache, e);
    return rc ? rc : metadata_store(&x->pieces, x->run->in.package, x->cache, e);
}

static int take_block(struct reader *x, uint32_t block, struct err *e)
{
    const struct package *p = x->run->in.package;
    int rc = read_fully(x, x->buf, package_block(p, block)->stored_len, e);

    if (rc)
        return rc;
    rc = package_decode_block(p, block, x->buf, x->ctx, x->buf + STORED_LEN_MAX, e);
    if (rc == -ENOMEM)
        return rc;
    if (rc) {
        x->bad++;
        return 0;
    }
    x->out->taken_blocks += !cache_holds(x->cache, block);
    cache_store(x->cache, block, x->buf);
    if (cache_holds(x->cache, block))
        return 0;
    struct cache_stats s;
    cache_get_stats(x->cache, &s);
    return err_set(e, ERR_SYSTEM, "the cache %s takes no more: %s", cache_dir_path(x->run->dir),
                   *s.why_not ? s.why_not : "a block could not be written");
}

static int read_blocks(struct reader *x, const char *number, uint64_t size, struct err *e)
{
    uint64_t first = 0;

    if (!x->cache)
        return err_set(e, ERR_CORRUPT, "there are blocks before the metadata");
    uint32_t count = package_info(x->run->in.package)->block_count;
    if (cli_parse_number("block", number, 0, UINT32_MAX, &first, NULL) || first >= count)
        return err_set(e, ERR_CORRUPT, "there are blocks that the package does not have");
    for (uint32_t i = (uint32_t)first; size; i++) {
        uint32_t len = i < count ? package_block(x->run->in.package, i)->stored_len : 0;

        if (!len || len > size)
            return err_set(e, ERR_CORRUPT, "a run of blocks does not end with a block");
        int rc = take_block(x, i, e);
        if (rc)
            return rc;
        size -= len;
    }
    return 0;
}

static int read_entry(struct reader *x, struct archive_entry *entry, struct err *e)
{
    const char *name = archive_entry_pathname(entry);
    la_int64_t size = archive_entry_size(entry);

    if (!name || size < 0 || archive_entry_filetype(entry) != AE_IFREG)
        return 0; /* nothing that an export has; it does no harm */
    if (!strcmp(name, INFO_NAME))
        return read_info(x, (uint64_t)size, e);
    if (!strcmp(name, METADATA_NAME))
        return read_metadata(x, (uint64_t)size, e);
    if (!strncmp(name, PIECE_PREFIX, strlen(PIECE_PREFIX)))
        return read_piece(x, name + strlen(PIECE_PREFIX), (uint64_t)size, e);
    int rc = end_pieces(x, e);
    if (rc)
        return rc;
    if (!strncmp(name, BLOCKS_PREFIX, strlen(BLOCKS_PREFIX)))
        return read_blocks(x, name + strlen(BLOCKS_PREFIX), (uint64_t)size, e);
    return 0;
}

/* What led to the version where it was exported leads to it here, too. */
static int remember_places(struct reader *x, struct err *e)
{
    struct cache_index_header h = cache_index_header_of(x->run->in.package);
    char name[CACHE_NAME_SIZE], place[CACHE_PLACE_SIZE];
    int rc = 0;

    cache_name_of(&h, name);
    for (const char *at = x->info; !rc && (at = strstr(at, "\nplace: "));) {
        at += strlen("\nplace: ");
        if (strcspn(at, "\n") != CACHE_PLACE_SIZE - 1)
            return err_set(e, ERR_CORRUPT, "the archive's description is damaged");
        (void)snprintf(place, sizeof place, "%s", at); /* cut: the line ends there */
        rc = cache_dir_remember_place(x->run->dir, place, name, e);
        at--;
    }
    if (!rc && x->run->location)
        rc = cache_remember(x->cache, x->run->location, e);
    return rc;
}

static int read_all(struct reader *x, const char *path, struct err *e)
{
    struct archive_entry *entry;
    int rc = 0, got = ARCHIVE_OK;

    x->archive = archive_read_new();
    x->buf = malloc(STORED_LEN_MAX + BLOCK_SIZE_MAX);
    if (!x->archive || !x->buf || codec_context_new(&x->ctx))
        return err_nomem(e);
    if (archive_read_support_format_tar(x->archive) != ARCHIVE_OK ||
        archive_read_open_filename(x->archive, path, 65536) != ARCHIVE_OK)
        return archive_failed(x->archive, ERR_CORRUPT, e);
    while (!rc && (got = archive_read_next_header(x->archive, &entry)) == ARCHIVE_OK)
        rc = read_entry(x, entry, e);
    if (!rc && got != ARCHIVE_EOF)
        rc = archive_failed(x->archive, ERR_CORRUPT, e);
    if (!rc)
        rc = end_pieces(x, e); /* an export without blocks */
    if (!rc && !x->cache)
        rc = err_set(e, ERR_NOT_A_PACKAGE, "not an export of the cache");
    return rc ? rc : remember_places(x, e);
}

int cache_archive_read(struct cache_run *r, const char *path, struct cache_filled *out,
                       uint64_t *bad, struct err *e)
{
    struct reader x = { .run = r, .out = out };
    FILE *f = fopen(path, "rb");
    long size = f && !fseek(f, 0, SEEK_END) ? ftell(f) : 0;

    if (f)
        (void)fclose(f); /* only asked for its length, for the display */
    x.progress = progress_begin("imported", size > 0 ? (uint64_t)size : 0, sft_progress(&r->in));
    int rc = read_all(&x, path, e);
    progress_clear(&x.progress);
    out->complete = !rc && cache_is_complete(x.cache);
    *bad = x.bad;
    cache_close(x.cache);
    if (x.archive)
        (void)archive_read_free(x.archive); /* was only read */
    codec_context_free(x.ctx);
    free(x.buf);
    free(x.info);
    container_input_clear(&x.pieces);
    return rc;
}

#else

static int not_built(struct err *e)
{
    return err_set(e, ERR_UNSUPPORTED, "this program was built without libarchive, which archives "
                                       "of packages that are not complete need");
}

int cache_archive_write(struct cache_run *r, const struct cache_item *item, struct cache *c,
                        uint64_t *blocks, struct err *e)
{
    (void)r, (void)item, (void)c, (void)blocks;
    return not_built(e);
}

int cache_archive_read(struct cache_run *r, const char *path, struct cache_filled *out,
                       uint64_t *bad, struct err *e)
{
    (void)r, (void)path, (void)out, (void)bad;
    return not_built(e);
}

#endif
