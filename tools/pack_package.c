/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From nodes to entries, breadth-first, each directory in the order that a tree has. See
 * pack_package.h. */
#include "config.h"

#include "tools/pack_package.h"

#include <string.h>

#include "src/fold.h"
#include "src/pack_plan.h"

#define AHEAD_BLOCKS 64u

struct builder {
    const struct package *package;
    const struct pack_package_options *o;
    struct pack_package *p;
    struct pack_tree *tree;
};

struct child {
    const char *name;
    uint32_t node;
};

/* The blocks that follow are mostly those that are read next, also where files are small. */
static void ask_ahead(const struct pack_package *p, uint32_t node, uint64_t off, size_t len)
{
    uint32_t count = package_info(p->in->package)->block_count;
    struct piece piece;
    if (source_is_immediate(p->in->source) ||
        package_map(p->in->package, node, off, len, &piece, 1) == 0)
        return;
    uint32_t next = piece.block + 1;
    if (next < count)
        (void)engine_prefetch(p->in->engine, next, (uint32_t)min_u64(AHEAD_BLOCKS, count - next),
                              ENGINE_READAHEAD);
}

/* Called from any thread. */
static int read_bytes(void *arg, uint32_t entry, void *to, size_t len, uint64_t off, struct err *e)
{
    const struct pack_package *p = arg;
    uint32_t node = p->nodes[entry];
    ask_ahead(p, node, off, len);
    long got = len ? engine_read_file(p->in->engine, node, off, to, len, e) : 0;
    if (got < 0)
        return (int)got;
    return (size_t)got == len ? 0 : err_set(e, ERR_TRUNCATED, "the file ends early");
}

static int add_entry(struct builder *b, uint32_t node, uint32_t parent, const char *name,
                     struct err *e)
{
    struct pack_tree *t = b->tree;
    const struct node *n = package_node(b->package, node);
    struct pack_entry *x = &t->entries[t->count];
    *x = (struct pack_entry){
        .name = strdup(name),
        .size = n->size,
        .mtime = filetime_to_timespec(n->modified),
        .parent = parent,
        .file = PACK_NO_RANK,
        .flags = n->flags & (uint16_t)~NODE_FILE_ID,
    };
    if (!x->name)
        return err_nomem(e);
    if (!b->o->make_short_names)
        memcpy(x->short_name, package_short_name(b->package, node), n->short_len + (size_t)1);
    b->p->nodes[t->count] = node;
    b->p->entries[node] = t->count++;
    return 0;
}

static int compare_children(const void *a, const void *b)
{
    const struct child *x = a, *y = b;
    return fold_compare(x->name, strlen(x->name), y->name, strlen(y->name));
}

static int check_case(const struct builder *b, const struct child *c, uint32_t count, struct err *e)
{
    for (uint32_t i = 1; !b->o->case_sensitive && i < count; i++)
        if (fold_equal(c[i - 1].name, strlen(c[i - 1].name), c[i].name, strlen(c[i].name)))
            return err_set(e, ERR_INVALID,
                           "'%s' and '%s' differ only in case: the new format cannot have both",
                           c[i - 1].name, c[i].name);
    return 0;
}

static int add_children(struct builder *b, uint32_t entry, struct err *e)
{
    struct pack_tree *t = b->tree;
    const struct node *dir = package_node(b->package, b->p->nodes[entry]);
    uint32_t count = dir->child_count, first = t->count;
    auto_free struct child *children = calloc(count + (size_t)1, sizeof *children);
    if (!children)
        return err_nomem(e);
    for (uint32_t i = 0; i < count; i++)
        children[i] = (struct child){ package_name(b->package, dir->first_child + i),
                                      dir->first_child + i };
    qsort(children, count, sizeof *children, compare_children);
    int rc = check_case(b, children, count, e);
    for (uint32_t i = 0; !rc && i < count; i++)
        rc = add_entry(b, children[i].node, entry, children[i].name, e);
    t->entries[entry].first_child = count ? first : 0;
    t->entries[entry].child_count = count;
    return rc || !b->o->make_short_names ? rc : pack_tree_short_names(b->tree->entries + first, count, e);
}

static int build(struct builder *b, struct err *e)
{
    struct pack_tree *t = b->tree;
    int rc = add_entry(b, b->o->top, 0, "", e);
    if (!rc && b->o->root_name) {
        rc = add_entry(b, b->o->top, 0, b->o->root_name, e);
        t->entries[0].first_child = t->entries[0].child_count = 1;
        t->base = 1;
        if (!rc)
            rc = pack_tree_short_names(b->tree->entries + 1, 1, e);
    }
    t->entries[0].short_name[0] = '\0';
    for (uint32_t i = t->base; !rc && i < t->count; i++)
        if (t->entries[i].flags & NODE_DIR)
            rc = add_children(b, i, e);
    return rc ? rc : pack_tree_number(t, e);
}

int pack_package_tree(const struct sft_input *in, const struct pack_package_options *o,
                      struct pack_package *p, struct pack_tree *out, struct err *e)
{
    uint32_t count = package_info(in->package)->node_count;
    struct builder b = { .package = in->package, .o = o, .p = p, .tree = out };
    *p = (struct pack_package){ .in = in };
    *out = (struct pack_tree){ .fd = -1, .origin = { read_bytes, p } };
    p->nodes = malloc((count + (size_t)1) * sizeof *p->nodes);
    p->entries = malloc(count * sizeof *p->entries);
    out->entries = calloc(count + (size_t)1, sizeof *out->entries);
    int rc = p->nodes && p->entries && out->entries ? 0 : err_nomem(e);
    for (uint32_t i = 0; !rc && i < count; i++)
        p->entries[i] = PACK_NO_RANK;
    if (!rc)
        rc = build(&b, e);
    if (rc) {
        pack_tree_clear(out);
        pack_package_clear(p);
    }
    return rc;
}

void pack_package_clear(struct pack_package *p)
{
    free(p->nodes);
    free(p->entries);
    *p = (struct pack_package){ .nodes = NULL };
}
