/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A description of a package that tests change and then build: a small sound one to start from, or
 * an empty one. Names in comments are those of the sound one.
 */
#ifndef TESTS_PACKAGE_SPEC_H
#define TESTS_PACKAGE_SPEC_H

#include <stdio.h>

#include "src/package.h"
#include "src/package_builder.h"
#include "tests/unit.h"

#define BLOCK      4096u
#define DATA_START 1000u

struct item {
    struct node node;
    const char *name;
    size_t name_len; /* 0: strlen */
    const char *short_name;
    const struct guid *id;
};

/* Everything that goes into a builder; the counts are taken from what is there. */
struct spec {
    struct package_info info;
    struct item items[80];
    struct extent extents[16];
    struct block blocks[16];
    struct block_run runs[4];
    struct package_version versions[4];
    const char *sds[4];
    struct package_counts counts;
};

static const struct guid some_id = { { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 } };
static const struct guid version_id = { { 9 } };

static inline struct item dir(const char *name, uint32_t children)
{
    return (struct item){ .node = { .flags = NODE_DIR, .child_count = children }, .name = name };
}

static inline struct item file(const char *name, uint64_t size, uint32_t extents)
{
    return (struct item){ .node = { .size = size, .extent_count = extents }, .name = name };
}

static inline size_t names_of(const struct item *i)
{
    return (i->name_len ? i->name_len : strlen(i->name)) +
           (i->short_name ? strlen(i->short_name) : 0);
}

static inline void add_block(struct spec *s, uint32_t len)
{
    uint32_t n = s->counts.blocks++;
    uint64_t at = n ? s->blocks[n - 1].offset + s->blocks[n - 1].stored_len : DATA_START;

    s->blocks[n] = (struct block){ .offset = at, .stored_len = len, .len = len };
    s->info.container_bytes = at + len;
}

static inline void add_extent(struct spec *s, uint32_t block, uint32_t from, uint64_t length)
{
    s->extents[s->counts.extents++] =
        (struct extent){ .block = block, .from = from, .length = length };
}

static inline void add_item(struct spec *s, struct item i)
{
    s->counts.name_bytes += names_of(&i);
    s->counts.file_ids += !!i.id;
    s->items[s->counts.nodes++] = i;
}

static inline struct spec empty_spec(void)
{
    return (struct spec){
        .info = { .format = "test",
                  .name = "Name",
                  .root_name = "ROOT.V1",
                  .version_guid = version_id,
                  .version_number = 3,
                  .block_size = BLOCK,
                  .metadata_bytes = DATA_START,
                  .container_bytes = DATA_START },
    };
}

enum { ROOT, BIN, EMPTY_DIR, README, EMPTY_FILE, APP, LIB, LONG, SUB, DEEP };

/*
 * /            Bin/ Empty/ Readme.txt empty.dat
 * /Bin         App.exe (blocks 0 to 2, the last short), "Lib Größe.dll" (in block 3),
 *              Long Name.data (blocks 4, 0, and a piece of 3), Sub/
 * /Bin/Sub     deep
 */
static inline struct spec sound_spec(void)
{
    struct spec s = empty_spec();

    add_block(&s, BLOCK);
    add_block(&s, BLOCK);
    add_block(&s, 100);
    add_block(&s, 1000);
    add_block(&s, BLOCK);

    add_item(&s, dir("", 4));
    add_item(&s, dir("Bin", 4));
    add_item(&s, dir("Empty", 0));
    add_item(&s, file("Readme.txt", 200, 1));
    add_item(&s, file("empty.dat", 0, 0));
    add_item(&s, file("App.exe", 2 * BLOCK + 100, 1));
    add_item(&s, file("Lib Gr\xc3\xb6\xc3\x9f"
                      "e.dll",
                      300, 1));
    struct item longname = file("Long Name.data", 2 * BLOCK + 50, 3);
    longname.short_name = "LONGNA~1.DAT";
    longname.id = &some_id;
    longname.node.flags = NODE_FILE_ID | NODE_HIDDEN;
    longname.node.sd = 1;
    add_item(&s, longname);
    add_item(&s, dir("Sub", 1));
    add_item(&s, file("deep", 200, 1));

    add_extent(&s, 3, 100, 200);           /* Readme.txt */
    add_extent(&s, 0, 0, 2 * BLOCK + 100); /* App.exe */
    add_extent(&s, 3, 300, 300);           /* Lib */
    add_extent(&s, 4, 0, BLOCK);           /* Long Name */
    add_extent(&s, 0, 0, BLOCK);
    add_extent(&s, 3, 0, 50);
    add_extent(&s, 3, 100, 200); /* deep: same content as Readme.txt */

    s.runs[0] = (struct block_run){ 3, 1 };
    s.runs[1] = (struct block_run){ 0, 3 };
    s.counts.launch_runs = 2;
    s.versions[0] = (struct package_version){ .number = 1 };
    s.versions[1] =
        (struct package_version){ .guid = version_id, .number = 3, .first_new_block = 2 };
    s.counts.versions = 2;
    s.sds[0] = "first";
    s.sds[1] = "second one";
    s.counts.sds = 2;
    return s;
}

/* How many of each are really added; a test lowers the announced count or this. */
static inline int add_all(struct package_builder *b, const struct spec *s,
                          const struct package_counts *n, struct err *e)
{
    int rc = package_builder_set_info(b, &s->info, e);

    for (uint32_t i = 0; !rc && i < n->blocks; i++)
        rc = package_builder_add_block(b, &s->blocks[i], e);
    for (uint32_t i = 0; !rc && i < n->extents; i++)
        rc = package_builder_add_extent(b, &s->extents[i], e);
    for (uint32_t i = 0; !rc && i < n->nodes; i++) {
        const struct item *it = &s->items[i];
        rc = package_builder_add_node(
            b, &it->node, it->name, it->name_len ? it->name_len : strlen(it->name), it->short_name,
            it->short_name ? strlen(it->short_name) : 0, it->id, e);
    }
    for (uint32_t i = 0; !rc && i < n->launch_runs; i++)
        rc = package_builder_add_launch_run(b, s->runs[i], e);
    for (uint32_t i = 0; !rc && i < n->versions; i++)
        rc = package_builder_add_version(b, &s->versions[i], e);
    for (uint32_t i = 0; !rc && i < n->sds; i++)
        rc = package_builder_add_sd(b, (const uint8_t *)s->sds[i], strlen(s->sds[i]), e);
    return rc;
}

static inline int build_announcing(const struct spec *s, const struct package_counts *announced,
                                   struct package **out, struct err *e)
{
    struct package_builder *b = NULL;

    *out = NULL;
    *e = (struct err){ 0 };
    int rc = package_builder_new(announced, &b, e);
    if (!rc)
        rc = add_all(b, s, &s->counts, e);
    if (!rc)
        rc = package_builder_finish(b, out, e);
    package_builder_free(b);
    return rc;
}

static inline struct package *build(const struct spec *s)
{
    struct package *p;
    struct err e;

    if (build_announcing(s, &s->counts, &p, &e))
        fprintf(stderr, "not built: %s\n", e.text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(p);
    return p;
}

#endif
