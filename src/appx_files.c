/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Directory of the archive and block map, file by file. See appx_files.h. */
#include "config.h"

#include "src/appx_files.h"

#include <inttypes.h>
#include <string.h>

#include "src/appx_parts.h"
#include "src/log.h"
#include "src/opc_name.h"
#include "src/package.h"

#define LOG "appx"
#define END_MARK 2u /* bytes of a deflate stream behind its last block, which the map does not count */

/* --- what belongs to the container ------------------------------------------------------------ */

static bool is_part(const char *path, size_t len, enum appx_part part)
{
    const char *name = appx_part_name(part);
    return len == strlen(name) && !memcmp(path, name, len);
}

/* What no block map has: the map itself, and what is made from it or after it. */
static bool is_unmapped(const char *path, size_t len)
{
    static const enum appx_part parts[] = { APPX_BLOCK_MAP, APPX_CONTENT_TYPES,
                                            APPX_SIGNATURE_FILE, APPX_CODE_INTEGRITY };

    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (is_part(path, len, parts[i]))
            return true;
    return false;
}

static bool begins(const char *path, size_t len, const char *with)
{
    size_t n = strlen(with);
    return len >= n && !memcmp(path, with, n);
}

bool appx_is_footprint(const char *path, size_t len, bool is_appv)
{
    if (is_appv)
        return !begins(path, len, "Root/");
    return is_unmapped(path, len) || begins(path, len, "AppxMetadata/") ||
           is_part(path, len, APPX_MANIFEST);
}

/* --- where the data begins -------------------------------------------------------------------- */

static bool is_possible(const struct zip_entry *entry, uint64_t header)
{
    return header >= ZIP_LOCAL_MIN + entry->name_len && header <= entry->room &&
           entry->csize <= entry->room - header;
}

/* Without the map's word: what fits exactly between two entries, or a header without extra fields. */
static uint32_t guess_header(const struct zip_entry *entry)
{
    uint32_t least = ZIP_LOCAL_MIN + entry->name_len;
    uint64_t room = entry->room - entry->csize; /* zip_read() has seen that it fits */

    bool exact = !(entry->flags & ZIP_FLAG_DESCRIPTOR) && room <= UINT32_MAX;
    return exact && is_possible(entry, room) ? (uint32_t)room : least;
}

static int find_data(const struct container_input *in, struct appx_file *f, struct err *e)
{
    const struct zip_entry *entry = f->entry;
    uint64_t known = min_u64(container_input_run(in, entry->local), entry->room);
    const uint8_t *bytes = container_input_at(in, entry->local, known);

    if (known >= ZIP_LOCAL_MIN + entry->name_len) {
        int rc = zip_local_header(entry, bytes, (size_t)known, &f->data_at, e);
        if (rc)
            return rc;
    } else if (is_possible(entry, f->map->local_size)) {
        f->data_at = f->map->local_size;
    } else {
        f->data_at = guess_header(entry);
        f->guessed = true;
    }
    if (!is_possible(entry, f->data_at))
        return err_at(e, ERR_CORRUPT, NULL, entry->local, "'%s' is longer than its place", f->path);
    return 0;
}

/* --- blocks ----------------------------------------------------------------------------------- */

uint32_t appx_stored_len(const struct blockmap *map, const struct appx_file *f, uint32_t i)
{
    uint64_t from = (uint64_t)i * BLOCKMAP_BLOCK_SIZE;

    if (f->entry->method == ZIP_STORED || f->sequential)
        return (uint32_t)min_u64(BLOCKMAP_BLOCK_SIZE, f->entry->size - from);
    return f->whole ? (uint32_t)f->entry->csize : blockmap_stored_size(map, f->map, i);
}

/* Whether the stored sizes of the blocks add up to the entry's. */
static bool sizes_fit(const struct blockmap *map, const struct appx_file *f)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < f->map->block_count; i++) {
        uint32_t size = blockmap_stored_size(map, f->map, i);
        if (!size)
            return false;
        sum += size;
    }
    return sum == f->entry->csize || sum + END_MARK == f->entry->csize;
}

static void find_blocks(const struct blockmap *map, struct appx_file *f)
{
    const struct zip_entry *entry = f->entry;

    f->block_count = f->map->block_count;
    if (entry->method != ZIP_DEFLATED || sizes_fit(map, f))
        return;
    f->whole = f->block_count == 1 && entry->csize <= STORED_LEN_MAX;
    f->sequential = f->block_count && !f->whole;
}

/* --- one by one ------------------------------------------------------------------------------- */

static int check_entry(const struct zip_entry *entry, const char *path, struct err *e)
{
    if (entry->method != ZIP_STORED && entry->method != ZIP_DEFLATED)
        return err_at(e, ERR_UNSUPPORTED, NULL, entry->local, "'%s': compression method %u", path,
                      entry->method);
    if (entry->method == ZIP_STORED && entry->csize != entry->size)
        return err_at(e, ERR_CORRUPT, NULL, entry->local,
                      "'%s': stored, and yet of another size (%" PRIu64 ") than %" PRIu64, path,
                      entry->csize, entry->size);
    return 0;
}

static int join_one(const struct container_input *in, const struct blockmap *map,
                    struct appx_file *f, struct err *e)
{
    f->map = blockmap_find(map, f->path, f->path_len);
    if (!f->map)
        return err_at(e, ERR_CORRUPT, NULL, f->entry->local, "'%s' is not in the block map", f->path);
    if (f->map->size != f->entry->size)
        return err_at(e, ERR_CORRUPT, NULL, f->entry->local,
                      "'%s' has %" PRIu64 " bytes in the archive, %" PRIu64 " in the block map",
                      f->path, f->entry->size, f->map->size);
    int rc = check_entry(f->entry, f->path, e);
    if (!rc && f->map->block_count)
        rc = find_data(in, f, e);
    if (!rc)
        find_blocks(map, f);
    return rc;
}

static int compare_places(const void *a, const void *b)
{
    const struct appx_file *x = a, *y = b;
    return (x->entry->local > y->entry->local) - (x->entry->local < y->entry->local);
}

/* Directories have an entry of their own here and there, and say nothing. */
static bool is_directory(const struct zip_entry *entry)
{
    return entry->name_len && entry->name[entry->name_len - 1] == '/';
}

/* Fills F with the files that the map must have. */
static int decode_names(const struct zip_directory *d, struct appx_files *f, struct err *e)
{
    char *at = f->paths;

    for (uint32_t i = 0; i < d->count; i++) {
        const struct zip_entry *entry = &d->entries[i];
        if (is_directory(entry))
            continue;
        long len = opc_name_decode(entry->name, entry->name_len, at, e);
        if (len < 0)
            return (int)len;
        if (is_unmapped(at, (size_t)len))
            continue;
        f->files[f->count++] =
            (struct appx_file){ .entry = entry, .path = at, .path_len = (uint32_t)len };
        at += len + 1;
    }
    return 0;
}

static int add_up(struct appx_files *f, struct err *e)
{
    uint64_t blocks = 0;

    qsort(f->files, f->count, sizeof *f->files, compare_places);
    for (uint32_t i = 0; i < f->count; i++) {
        f->files[i].first_block = (uint32_t)blocks;
        blocks += f->files[i].block_count;
        if (blocks > UINT32_MAX - 1)
            return err_set(e, ERR_LIMIT, "more than 2^32 blocks");
    }
    f->block_count = (uint32_t)blocks;
    return 0;
}

/* One line each, however many files there are. */
static void tell(const struct appx_files *f)
{
    const struct appx_file *guessed = NULL, *sequential = NULL;
    uint32_t guesses = 0, sequentials = 0;

    for (uint32_t i = f->count; i-- > 0;) {
        if (f->files[i].guessed) {
            guessed = &f->files[i];
            guesses++;
        }
        if (f->files[i].sequential) {
            sequential = &f->files[i];
            sequentials++;
        }
    }
    if (guessed)
        log_warning(LOG, "the block map is wrong about where files begin; file=\"%s\" header=%" PRIu32
                    " assumed=%" PRIu32 " files=%" PRIu32, guessed->path, guessed->map->local_size,
                    guessed->data_at, guesses);
    if (sequential)
        log_info(LOG, "the block map does not say where the blocks of files begin; they are decoded from "
                 "their beginning; file=\"%s\" files=%" PRIu32, sequential->path, sequentials);
}

int appx_files_join(const struct container_input *in, const struct zip_directory *d,
                    const struct blockmap *map, struct appx_files *out, struct err *e)
{
    size_t bytes = 1;

    for (uint32_t i = 0; i < d->count; i++)
        bytes += d->entries[i].name_len + (size_t)1;
    *out = (struct appx_files){ .files = calloc((size_t)d->count + 1, sizeof *out->files),
                                .paths = malloc(bytes) };
    int rc = out->files && out->paths ? decode_names(d, out, e) : err_nomem(e);
    for (uint32_t i = 0; !rc && i < out->count; i++)
        rc = join_one(in, map, &out->files[i], e);
    if (!rc && out->count != map->file_count)
        rc = err_set(e, ERR_CORRUPT, "%" PRIu32 " files are in the block map, %" PRIu32
                     " in the archive", map->file_count, out->count);
    if (!rc)
        rc = add_up(out, e);
    if (rc)
        appx_files_free(out);
    else
        tell(out);
    return rc;
}

void appx_files_free(struct appx_files *f)
{
    free(f->files);
    free(f->paths);
    *f = (struct appx_files){ .files = NULL };
}
