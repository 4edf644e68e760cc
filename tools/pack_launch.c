/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Launch lists of a package that is being made. See pack_launch.h. */
#include "config.h"

#include "tools/pack_launch.h"

#include <stdio.h>
#include <string.h>

#include "src/launch_list.h"
#include "tools/read_file.h"

int pack_launch_init(struct pack_launch *l, uint32_t file_count, struct err *e)
{
    *l = (struct pack_launch){ .file_count = file_count };
    l->files = calloc(file_count + (size_t)1, sizeof *l->files);
    if (!l->files)
        return err_nomem(e);
    for (uint32_t i = 0; i < file_count; i++)
        l->files[i].rank = PACK_NO_RANK;
    return 0;
}

void pack_launch_clear(struct pack_launch *l)
{
    for (uint32_t i = 0; l->files && i < l->file_count; i++)
        free(l->files[i].ranges);
    free(l->files);
    *l = (struct pack_launch){ 0 };
}

void pack_launch_add_file(struct pack_launch *l, uint32_t file)
{
    struct pack_launch_file *f = &l->files[file];

    if (f->rank == PACK_NO_RANK)
        f->rank = l->ranked++;
    f->range_count = 0;
    free(f->ranges);
    f->ranges = NULL;
}

int pack_launch_add_range(struct pack_launch *l, uint32_t file, uint64_t offset, uint64_t len,
                          struct err *e)
{
    struct pack_launch_file *f = &l->files[file];
    uint32_t n = f->range_count;

    if (f->rank != PACK_NO_RANK && !n)
        return 0; /* all of it is wanted already */
    if (!(n & (n - 1))) { /* room for powers of two */
        struct pack_range *grown = realloc(f->ranges, (n ? 2 * (size_t)n : 1) * sizeof *grown);
        if (!grown)
            return err_nomem(e);
        f->ranges = grown;
    }
    if (f->rank == PACK_NO_RANK)
        f->rank = l->ranked++;
    f->ranges[f->range_count++] = (struct pack_range){ offset, len };
    return 0;
}

static int by_offset(const void *a, const void *b)
{
    const struct pack_range *x = a, *y = b;

    return (x->offset > y->offset) - (x->offset < y->offset);
}

static void merge(struct pack_launch_file *f)
{
    uint32_t kept = 0;

    qsort(f->ranges, f->range_count, sizeof *f->ranges, by_offset);
    for (uint32_t i = 0; i < f->range_count; i++) {
        struct pack_range r = f->ranges[i], *last = kept ? &f->ranges[kept - 1] : NULL;
        if (last && r.offset <= last->offset + last->len)
            last->len = max_u64(last->len, r.offset + r.len - last->offset);
        else
            f->ranges[kept++] = r;
    }
    f->range_count = kept;
}

void pack_launch_finish(struct pack_launch *l)
{
    for (uint32_t i = 0; i < l->file_count; i++)
        if (l->files[i].range_count)
            merge(&l->files[i]);
}

/* An entry with everything below it; entries come after their parents, which bounds the search. */
static int add_below(const struct pack_tree *t, uint32_t top, struct pack_launch *l, struct err *e)
{
    if (!(t->entries[top].flags & NODE_DIR)) {
        pack_launch_add_file(l, t->entries[top].file);
        return 0;
    }
    auto_free bool *below = calloc(t->count, sizeof *below);
    if (!below)
        return err_nomem(e);
    below[top] = true;
    for (uint32_t i = top + 1; i < t->count; i++)
        if (below[t->entries[i].parent]) {
            below[i] = true;
            if (!(t->entries[i].flags & NODE_DIR))
                pack_launch_add_file(l, t->entries[i].file);
        }
    return 0;
}

static int add_item(const struct pack_tree *tree, const struct launch_list *list,
                    const struct launch_item *item, struct pack_launch *l, size_t *unknown,
                    struct err *e)
{
    uint32_t entry = pack_tree_find(tree, item->path);
    bool is_file = entry != PACK_NO_RANK && !(tree->entries[entry].flags & NODE_DIR);

    if (list->recorded && is_file && item->offset < tree->entries[entry].size)
        return pack_launch_add_range(l, tree->entries[entry].file, item->offset, item->len, e);
    if (list->recorded) {
        ++*unknown;
        return 0;
    }
    if (entry == PACK_NO_RANK)
        return err_set(e, ERR_NOT_FOUND, "line %u: '%s' is not in the package", item->line,
                       item->path);
    return add_below(tree, entry, l, e);
}

int pack_launch_read(const char *path, const struct pack_tree *tree, struct pack_launch *l,
                     size_t *unknown, struct err *e)
{
    auto_free char *text = NULL;
    struct launch_list list = { .count = 0 };
    size_t len;
    int rc = read_whole_file(path, LAUNCH_LIST_MAX, &text, &len, e);

    *unknown = 0;
    if (rc)
        return rc;
    rc = launch_list_parse(text, len, &list, e);
    for (size_t i = 0; !rc && i < list.count; i++)
        rc = add_item(tree, &list, &list.items[i], l, unknown, e);
    launch_list_clear(&list);
    if (rc)
        err_wrap(e, "%s", path);
    else
        pack_launch_finish(l);
    return rc;
}
