/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The block map reader. What counts is what lies in the root's name space at its place: BlockMap,
 * File in it, Block in that; everything else is a later version's and passed over. See
 * appx_blockmap.h.
 */
#include "config.h"

#include "src/appx_blockmap.h"

#include <string.h>

#include "src/list.h"
#include "src/name_index.h"
#include "src/opc_name.h"
#include "src/pool.h"
#include "src/xml_stream.h"

static const char *const digest_uris[DIGEST_COUNT] = {
    [DIGEST_SHA256] = "http://www.w3.org/2001/04/xmlenc#sha256",
    [DIGEST_SHA384] = "http://www.w3.org/2001/04/xmldsig-more#sha384",
    [DIGEST_SHA512] = "http://www.w3.org/2001/04/xmlenc#sha512",
};

/* The length of the document limits the lists of blocks, which take more bytes of it than of
 * memory; files have a limit of their own. */
struct building {
    struct blockmap *map;
    struct list files, hashes, sizes; /* what the map will get; it has the counts already */
    char space[64];                   /* the root's name space */
    bool in_file;                     /* the last file is open */
};

/* "http://schemas.microsoft.com/appx/2010/blockmap" and what other years may bring. */
static bool is_blockmap_space(const char *uri)
{
    static const char head[] = "http://schemas.microsoft.com/appx/";
    size_t n = sizeof head - 1;

    return !strncmp(uri, head, n) && strspn(uri + n, "0123456789") == 4 &&
           !strcmp(uri + n + 4, "/blockmap");
}

static bool attr_is(const char *value, size_t len, const char *text)
{
    return len == strlen(text) && !memcmp(value, text, len);
}

static int start_map(struct building *b, const struct xml_tag *tag, struct err *e)
{
    size_t len;

    if (!xml_tag_is(tag, "BlockMap") || !is_blockmap_space(tag->uri) ||
        strlen(tag->uri) >= sizeof b->space)
        return err_set(e, ERR_XML, "not a block map: the root element is %.60s in \"%.80s\"",
                       tag->name, tag->uri);
    strcpy(b->space, tag->uri);
    const char *method = xml_tag_attr(tag, "HashMethod", &len);
    if (!method)
        return err_set(e, ERR_CORRUPT, "BlockMap has no HashMethod");
    for (size_t i = 0; i < ARRAY_LEN(digest_uris); i++)
        if (attr_is(method, len, digest_uris[i])) {
            b->map->digest = (enum digest)i;
            b->map->hash_len = digest_len((enum digest)i);
            return 0;
        }
    return err_set(e, ERR_UNSUPPORTED, "hash method %.*s is not supported",
                   (int)(len < 80 ? len : 80), method);
}

static int start_file(struct building *b, const struct xml_tag *tag, struct err *e)
{
    struct blockmap *map = b->map;
    struct blockmap_file f = { .first_block = map->block_count };
    uint64_t local_size;
    uint32_t found;
    size_t len;

    if (map->file_count >= BLOCKMAP_FILES_MAX)
        return err_set(e, ERR_LIMIT, "more than %u files", BLOCKMAP_FILES_MAX);
    const char *value = xml_tag_attr(tag, "Name", &len);
    if (!value)
        return err_set(e, ERR_CORRUPT, "File has no Name");
    char *name = pool_strndup(map->pool, value, len);
    if (!name)
        return err_nomem(e);
    int rc = opc_name_from_windows(name, len, e);
    if (!rc)
        rc = xml_tag_number(tag, "Size", INT64_MAX, &f.size, e);
    if (!rc)
        return err_set(e, ERR_CORRUPT, "File has no Size");
    if (rc > 0)
        rc = xml_tag_number(tag, "LfhSize", UINT32_MAX, &local_size, e);
    if (rc >= 0)
        rc = name_index_add(map->names, 0, name, len, map->file_count, &found, e);
    if (!rc && found != map->file_count)
        rc = err_set(e, ERR_DUPLICATE_NAME, "\"%.200s\" is listed twice", name);
    if (!rc)
        rc = list_make_room(&b->files, map->file_count, sizeof f, e);
    if (rc)
        return rc;
    f.name = name;
    f.local_size = (uint32_t)local_size;
    struct blockmap_file *files = b->files.items;
    files[map->file_count++] = f;
    b->in_file = true;
    return 0;
}

/* Values of the digits of base64, and one more, so that 0 is none. */
static const uint8_t base64_digit[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,
    ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,
    ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
    ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
    ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
    ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
    ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
    ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63, ['/'] = 64,
};

/* Whether TEXT is base64 of exactly WANT bytes, padded and with unused bits zero. */
static bool decode_base64(const char *text, size_t len, uint8_t *out, unsigned want)
{
    unsigned pad = (3 - want % 3) % 3, bits = 0;
    uint32_t held = 0;
    size_t n = 0;

    if (len != (size_t)(want + 2) / 3 * 4)
        return false;
    for (size_t i = 0; i < len - pad; i++) {
        unsigned digit = base64_digit[(uint8_t)text[i]];
        if (!digit)
            return false;
        held = held << 6 | (digit - 1);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out[n++] = (uint8_t)(held >> bits);
            held &= (1u << bits) - 1;
        }
    }
    return !held && !memcmp(text + len - pad, "==", pad);
}

static struct blockmap_file *last_file(struct building *b)
{
    struct blockmap_file *files = b->files.items;
    return &files[b->map->file_count - 1];
}

static uint64_t blocks_of(uint64_t size)
{
    return size / BLOCKMAP_BLOCK_SIZE + (size % BLOCKMAP_BLOCK_SIZE != 0);
}

static int add_block(struct building *b, const struct xml_tag *tag, struct err *e)
{
    struct blockmap *map = b->map;
    struct blockmap_file *f = last_file(b);
    size_t len;
    uint64_t size;

    if (f->block_count >= blocks_of(f->size))
        return err_set(e, ERR_CORRUPT, "\"%.200s\" has more blocks than its %llu bytes make",
                       f->name, (unsigned long long)f->size);
    int rc = xml_tag_number(tag, "Size", UINT32_MAX, &size, e);
    if (rc < 0)
        return rc;
    if (size > BLOCKMAP_STORED_MAX)
        return err_set(e, ERR_LIMIT, "a block of \"%.200s\" takes %llu bytes; %u are the limit",
                       f->name, (unsigned long long)size, BLOCKMAP_STORED_MAX);
    rc = list_make_room(&b->hashes, map->block_count, map->hash_len, e);
    if (!rc)
        rc = list_make_room(&b->sizes, map->block_count, sizeof(uint32_t), e);
    if (rc)
        return rc;
    uint8_t *hashes = b->hashes.items;
    uint32_t *sizes = b->sizes.items;
    const char *hash = xml_tag_attr(tag, "Hash", &len);
    if (!hash ||
        !decode_base64(hash, len, hashes + (size_t)map->block_count * map->hash_len, map->hash_len))
        return err_set(e, ERR_CORRUPT, "a block of \"%.200s\" has no hash that is one of %s",
                       f->name, digest_name(map->digest));
    sizes[map->block_count++] = (uint32_t)size;
    f->block_count++;
    return 0;
}

static int on_start(void *arg, const struct xml_tag *tag, struct err *e)
{
    struct building *b = arg;

    if (tag->depth == 0)
        return start_map(b, tag, e);
    if (tag->depth == 1 && xml_tag_is(tag, "EncryptedFile") && is_blockmap_space(tag->uri))
        return err_set(e, ERR_UNSUPPORTED, "the package is encrypted");
    if (strcmp(tag->uri, b->space) != 0)
        return 0;
    if (tag->depth == 1 && xml_tag_is(tag, "File"))
        return start_file(b, tag, e);
    if (tag->depth == 2 && b->in_file && xml_tag_is(tag, "Block"))
        return add_block(b, tag, e);
    return 0;
}

static int on_end(void *arg, unsigned depth, struct err *e)
{
    struct building *b = arg;

    if (depth != 1 || !b->in_file)
        return 0;
    const struct blockmap_file *f = last_file(b);
    b->in_file = false;
    if (f->block_count != blocks_of(f->size))
        return err_set(e, ERR_CORRUPT, "\"%.200s\" has %u blocks; its %llu bytes make %llu",
                       f->name, f->block_count, (unsigned long long)f->size,
                       (unsigned long long)blocks_of(f->size));
    return 0;
}

int blockmap_read(const void *data, size_t len, struct blockmap **out, struct err *e)
{
    static const struct xml_stream_reader reader = { .start = on_start, .end = on_end };
    struct blockmap *map = calloc(1, sizeof *map);
    struct building b = { .map = map };

    if (!map)
        return err_nomem(e);
    map->pool = pool_new();
    int rc = map->pool ? name_index_new(&map->names, e) : err_nomem(e);
    if (!rc)
        rc = xml_stream(data, len, BLOCKMAP_BYTES_MAX, &reader, &b, e);
    map->files = list_finish(&b.files, map->file_count, sizeof *map->files);
    map->hashes = list_finish(&b.hashes, map->block_count, map->hash_len);
    map->sizes = list_finish(&b.sizes, map->block_count, sizeof *map->sizes);
    if (rc) {
        err_wrap(e, "block map");
        blockmap_free(map);
        return rc;
    }
    *out = map;
    return 0;
}

void blockmap_free(struct blockmap *map)
{
    if (!map)
        return;
    free((void *)(uintptr_t)map->files);
    free((void *)(uintptr_t)map->hashes);
    free((void *)(uintptr_t)map->sizes);
    name_index_free(map->names);
    pool_free(map->pool);
    free(map);
}

const struct blockmap_file *blockmap_find(const struct blockmap *map, const char *name, size_t len)
{
    uint32_t i = name_index_find(map->names, 0, name, len);
    return i == NAME_INDEX_NONE ? NULL : &map->files[i];
}

const uint8_t *blockmap_hash(const struct blockmap *map, const struct blockmap_file *f, uint32_t i)
{
    return map->hashes + ((size_t)f->first_block + i) * map->hash_len;
}

uint32_t blockmap_stored_size(const struct blockmap *map, const struct blockmap_file *f, uint32_t i)
{
    return map->sizes[f->first_block + i];
}
