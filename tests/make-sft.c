/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Small SFT packages for tests. See make-sft.h. */
#include "config.h"

#include "tests/make-sft.h"

#include <string.h>

#include "src/fold.h"
#include "src/guid.h"
#include "src/sft_write.h"

#define TIME_BASE INT64_C(127751904000000000) /* 2005-11-01, in FILETIME ticks */

static const uint8_t short_text[] = "the quick brown fox jumps over the lazy dog\n";

const struct make_entry make_sft_tree[] = {
    { .path = "App.exe", .len = 10000, .launch = true },
    { .path = "Long name of a library.dll",
      .short_name = "LONGNA~1.DLL",
      .len = 5000,
      .launch = true,
      .flags = NODE_APPLICATION_DATA },
    { .path = "readme.txt", .data = short_text, .len = sizeof short_text - 1 },
    { .path = "empty.dat" },
    { .path = "Data", .flags = NODE_DIR | NODE_USER_DATA },
    { .path = "Data/settings.ini",
      .data = "[a]\nb=c\n",
      .len = 8,
      .flags = NODE_USER_DATA | NODE_FILE_ID,
      .file_id = { "0123456789abcde" } },
    { .path = "Data/hidden.sys", .len = 77, .flags = NODE_HIDDEN | NODE_SYSTEM | NODE_READONLY },
    { .path = "Data/Deep/er/still/bottom.bin", .len = 4096 },
    { .path = "Data/Nothing here", .flags = NODE_DIR },
    { .path = "\xd0\x94\xd0\xb0\xd0\xbd\xd0\xbd\xd1\x8b\xd0\xb5/\xe6\x96\x87\xe6\x9b\xb8.txt",
      .len = 300,
      .flags = NODE_OVERRIDE },
    { .path = "big.cab", .len = 150001 },
    { .path = "exact.bin", .len = 65536 },
};
const size_t make_sft_tree_count = ARRAY_LEN(make_sft_tree);

/* --- a tree from paths ------------------------------------------------------------------------ */

struct item {
    char *name;
    const struct make_entry *entry; /* NULL: a directory that only is on the way */
    size_t parent;
    size_t bfs; /* index of the node */
    struct extent extent;
};

struct maker {
    const struct make_options *o;
    uint32_t block_size;
    struct item *items; /* 0 is the root */
    size_t item_count;
    size_t *order; /* items in breadth-first order */
    struct extent *extents;
    uint32_t extent_count;
    struct block *blocks;
    uint32_t block_count;
    uint32_t launch_blocks;
    uint8_t *stored;
    uint64_t stored_len;
    uint8_t pending[BLOCK_SIZE_MAX]; /* the block being filled */
    uint32_t pending_len;
    struct codec_context *ctx;
    struct codec_dictionary *dictionary;
};

static size_t find_child(const struct maker *m, size_t parent, const char *name, size_t len)
{
    for (size_t i = 1; i < m->item_count; i++)
        if (m->items[i].parent == parent && strlen(m->items[i].name) == len &&
            !memcmp(m->items[i].name, name, len))
            return i;
    return 0;
}

static int add_path(struct maker *m, const struct make_entry *entry)
{
    size_t at = 0;
    for (const char *p = entry->path;;) {
        size_t len = strcspn(p, "/");
        size_t child = find_child(m, at, p, len);
        if (!child) {
            struct item *grown = realloc(m->items, (m->item_count + 1) * sizeof *grown);
            if (!grown)
                return -ENOMEM;
            m->items = grown;
            child = m->item_count++;
            m->items[child] = (struct item){ .name = strndup(p, len), .parent = at };
            if (!m->items[child].name)
                return -ENOMEM;
        }
        at = child;
        if (!p[len])
            break;
        p += len + 1;
    }
    m->items[at].entry = entry;
    return 0;
}

static bool is_dir(const struct item *i)
{
    return !i->entry || (i->entry->flags & NODE_DIR);
}

/* Children of ITEM, in the order of their folded names, appended to the order. */
static size_t append_children(struct maker *m, size_t parent, size_t count)
{
    size_t first = count;
    for (size_t i = 1; i < m->item_count; i++) {
        if (m->items[i].parent != parent)
            continue;
        size_t at = count++;
        while (at > first && fold_compare(m->items[m->order[at - 1]].name,
                                          strlen(m->items[m->order[at - 1]].name), m->items[i].name,
                                          strlen(m->items[i].name)) > 0) {
            m->order[at] = m->order[at - 1];
            at--;
        }
        m->order[at] = i;
    }
    return count;
}

static int sort_tree(struct maker *m)
{
    size_t count = 1;
    m->order = calloc(m->item_count, sizeof *m->order);
    if (!m->order)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        m->items[m->order[i]].bfs = i;
        if (is_dir(&m->items[m->order[i]]))
            count = append_children(m, m->order[i], count);
    }
    return count == m->item_count ? 0 : -EINVAL; /* something below a file */
}

/* --- blocks ----------------------------------------------------------------------------------- */

static int end_block(struct maker *m, struct err *e)
{
    uint8_t sha[32];
    int min, max, level;
    if (!m->pending_len)
        return 0;
    struct block *grown = realloc(m->blocks, (m->block_count + 1) * sizeof *grown);
    if (grown)
        m->blocks = grown;
    uint8_t *stored = realloc(m->stored, m->stored_len + m->pending_len);
    if (stored)
        m->stored = stored;
    if (!grown || !stored)
        return -ENOMEM;

    uint8_t *to = m->stored + m->stored_len;
    struct block *b = &m->blocks[m->block_count];
    *b = (struct block){ .offset = m->stored_len,
                         .len = m->pending_len,
                         .codec = (uint8_t)m->o->codec };
    codec_levels(m->o->codec, &min, &max, &level);
    long n = m->o->codec == CODEC_NONE
                 ? 0
             : m->dictionary
                 ? codec_encode_with(m->ctx, m->dictionary, m->pending, m->pending_len, to, e)
                 : codec_encode(m->ctx, m->o->codec, m->o->level ? m->o->level : level, m->pending,
                                m->pending_len, to, e);
    if (n < 0)
        return (int)n;
    if (!n) {
        memcpy(to, m->pending, m->pending_len);
        b->codec = CODEC_NONE;
        n = (long)m->pending_len;
    }
    b->stored_len = (uint32_t)n;
    int rc = codec_sha256(m->ctx, to, b->stored_len, sha);
    memcpy(b->hash, sha, sizeof b->hash);
    m->stored_len += b->stored_len;
    m->block_count++;
    m->pending_len = 0;
    return rc;
}

static int add_file(struct maker *m, struct item *item, struct err *e)
{
    const struct make_entry *en = item->entry;
    int rc;
    if ((en->len >= m->block_size || en->len > m->block_size - m->pending_len) &&
        (rc = end_block(m, e)))
        return rc;
    item->extent = (struct extent){ en->len, m->block_count, m->pending_len };
    for (size_t off = 0; off < en->len;) {
        size_t n = (size_t)min_u64(en->len - off, m->block_size - m->pending_len);
        if (en->data)
            memcpy(m->pending + m->pending_len, (const uint8_t *)en->data + off, n);
        else
            make_sft_fill(en->path, off, m->pending + m->pending_len, n);
        m->pending_len += (uint32_t)n;
        off += n;
        if (m->pending_len == m->block_size && (rc = end_block(m, e)))
            return rc;
    }
    return en->len >= m->block_size ? end_block(m, e) : 0;
}

static int add_blocks(struct maker *m, struct err *e)
{
    for (int launch = 1; launch >= 0; launch--) {
        for (size_t i = 0; i < m->item_count; i++) {
            struct item *item = &m->items[m->order[i]];
            if (is_dir(item) || item->entry->launch != !!launch || !item->entry->len)
                continue;
            int rc = add_file(m, item, e);
            if (rc)
                return rc;
        }
        int rc = end_block(m, e);
        if (rc)
            return rc;
        if (launch)
            m->launch_blocks = m->block_count;
    }
    return 0;
}

void make_sft_fill(const char *path, uint64_t offset, uint8_t *out, size_t len)
{
    uint64_t seed = 0xcbf29ce484222325;
    for (; *path; path++)
        seed = (seed ^ (uint8_t)*path) * 0x100000001b3;
    for (size_t i = 0; i < len; i++) {
        uint64_t x = (seed ^ (offset + i)) * 0x9e3779b97f4a7c15;
        out[i] =
            (offset + i) / 32 % 2 ? (uint8_t)(x >> 56) : (uint8_t) "sftfs test "[(offset + i) % 11];
    }
}

/* --- the image -------------------------------------------------------------------------------- */

static void make_guid(const char *text, uint32_t number, struct guid *out)
{
    uint8_t digest[16] = { (uint8_t)number, (uint8_t)(number >> 8) };
    for (size_t i = 4; i < sizeof digest && *text; i++)
        digest[i] = (uint8_t)*text++;
    guid_from_digest(digest, out);
}

static void make_nodes(struct maker *m, struct sft_image_node *nodes)
{
    for (size_t i = 0; i < m->item_count; i++) {
        const struct item *item = &m->items[m->order[i]];
        const struct make_entry *en = item->entry;
        struct sft_image_node *n = &nodes[i];
        n->name = item->name;
        n->short_name = en ? en->short_name : NULL;
        n->node = (struct node){
            .flags = en ? en->flags : NODE_DIR,
            .sd = en ? en->sd : 0,
            .modified = TIME_BASE + (int64_t)i * 600000000,
            .created = TIME_BASE,
        };
        if (i)
            nodes[m->items[item->parent].bfs].node.child_count++;
        if (en && !is_dir(item)) {
            n->node.size = en->len;
            n->node.first_extent = m->extent_count;
            n->node.extent_count = en->len ? 1 : 0;
            if (en->len)
                m->extents[m->extent_count++] = item->extent;
        }
        if (en && (en->flags & NODE_FILE_ID))
            n->file_id = en->file_id;
    }
}

static int write_image(struct maker *m, struct made_sft *out, struct err *e)
{
    static const uint8_t sd_bytes[256] = { 1, 0, 4, 0x80 };
    const uint8_t *sds[200];
    size_t sd_lens[200];
    uint32_t number = m->o->version_number ? m->o->version_number : 1;
    struct block_run run = { 0, m->launch_blocks };
    uint8_t *metadata = NULL;
    int rc = -ENOMEM;
    struct sft_image_node *nodes = calloc(m->item_count, sizeof *nodes);
    struct package_version *versions = calloc(number, sizeof *versions);
    m->extents = calloc(m->item_count, sizeof *m->extents);
    if (!nodes || !versions || !m->extents)
        goto out;
    make_nodes(m, nodes);
    for (uint32_t i = 0; i < number; i++) {
        versions[i] = (struct package_version){ .number = i + 1, .created = TIME_BASE };
        make_guid("version", i + 1, &versions[i].guid);
    }
    versions[number - 1].first_new_block = m->o->kept_blocks;
    for (unsigned i = 0; i < ARRAY_LEN(sds); i++) {
        sds[i] = sd_bytes;
        sd_lens[i] = 20 + i;
    }
    struct sft_image image = {
        .name = m->o->name ? m->o->name : "Example",
        .root_name = "example.001",
        .version_guid = versions[number - 1].guid,
        .version_number = number,
        .block_size = m->block_size,
        .codec = (uint8_t)m->o->codec,
        .case_sensitive = m->o->case_sensitive,
        .dictionary = m->o->dictionary,
        .dictionary_len = m->o->dictionary_len,
        .created = TIME_BASE,
        .nodes = nodes,
        .node_count = (uint32_t)m->item_count,
        .extents = m->extents,
        .extent_count = m->extent_count,
        .blocks = m->blocks,
        .block_count = m->block_count,
        .launch_runs = &run,
        .launch_run_count = run.count ? 1 : 0,
        .versions = versions,
        .version_count = number,
        .sds = sds,
        .sd_lens = sd_lens,
        .sd_count = m->o->sd_count,
    };
    make_guid("package", 1, &image.package_guid);
    rc = sft_write_metadata(&image, &metadata, &out->metadata_len, e);
    if (!rc) {
        out->len = out->metadata_len + m->stored_len;
        uint8_t *whole = realloc(metadata, out->len);
        if (!whole) {
            rc = -ENOMEM;
            goto out;
        }
        metadata = NULL;
        if (m->stored_len)
            memcpy(whole + out->metadata_len, m->stored, m->stored_len);
        out->data = whole;
    }
out:
    free(metadata);
    free(nodes);
    free(versions);
    return rc;
}

int make_sft(const struct make_entry *entries, size_t count, const struct make_options *o,
             struct made_sft *out, struct err *e)
{
    static const struct make_options defaults;
    struct maker *m = calloc(1, sizeof *m);
    int rc = m && (m->items = calloc(1, sizeof *m->items)) ? 0 : -ENOMEM;

    *out = (struct made_sft){ .data = NULL };
    if (!rc) {
        m->o = o ? o : &defaults;
        m->block_size = m->o->block_size ? m->o->block_size : 4096;
        m->item_count = 1;
        m->items[0].name = strdup("");
        rc = m->items[0].name ? codec_context_new(&m->ctx) : -ENOMEM;
        if (!rc && m->o->dictionary && m->o->codec == CODEC_ZSTD)
            rc = codec_dictionary_new(m->o->dictionary, m->o->dictionary_len,
                                      m->o->level ? m->o->level : 3, &m->dictionary, e);
    }
    for (size_t i = 0; !rc && i < count; i++)
        rc = add_path(m, &entries[i]);
    if (!rc && !(rc = sort_tree(m)) && !(rc = add_blocks(m, e)))
        rc = write_image(m, out, e);
    if (m) {
        for (size_t i = 0; i < m->item_count; i++)
            free(m->items[i].name);
        codec_context_free(m->ctx);
        codec_dictionary_free(m->dictionary);
        free(m->items);
        free(m->order);
        free(m->extents);
        free(m->blocks);
        free(m->stored);
    }
    free(m);
    return rc;
}
