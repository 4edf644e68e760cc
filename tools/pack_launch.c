/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tools/pack_launch.h"

#include <stdio.h>
#include <string.h>

#include "src/pack_plan.h"

static void rank_file(const struct pack_tree *t, uint32_t entry, uint32_t *ranks, uint32_t *next)
{
    uint32_t file = t->entries[entry].file;
    if (file != PACK_NO_RANK && ranks[file] == PACK_NO_RANK)
        ranks[file] = (*next)++;
}

/* An entry with everything below it; entries come after their parents, which bounds the search. */
static int rank_below(const struct pack_tree *t, uint32_t top, uint32_t *ranks, uint32_t *next,
                      struct err *e)
{
    if (!(t->entries[top].flags & NODE_DIR)) {
        rank_file(t, top, ranks, next);
        return 0;
    }
    auto_free bool *below = calloc(t->count, sizeof *below);
    if (!below)
        return err_nomem(e);
    below[top] = true;
    for (uint32_t i = top + 1; i < t->count; i++)
        if (below[t->entries[i].parent]) {
            below[i] = true;
            rank_file(t, i, ranks, next);
        }
    return 0;
}

static char *trim(char *line)
{
    line += strspn(line, " \t\r\n");
    size_t len = strlen(line);
    while (len > 0 && strchr(" \t\r\n", line[len - 1]))
        line[--len] = 0;
    return line;
}

int pack_launch_read(const char *path, const struct pack_tree *tree, uint32_t *ranks,
                     struct err *e)
{
    static const char byte_order_mark[] = "\xEF\xBB\xBF"; /* editors of Windows write it */
    FILE *f = fopen(path, "re");
    if (!f)
        return err_sys(e, "%s", path);
    char *line = NULL;
    size_t size = 0;
    uint32_t next = 0;
    unsigned long number = 0;
    int rc = 0;
    while (!rc && getline(&line, &size, f) >= 0) {
        bool marked = number++ == 0 && strncmp(line, byte_order_mark, 3) == 0;
        const char *name = trim(line + (marked ? 3 : 0));
        if (*name == 0 || *name == '#')
            continue;
        uint32_t entry = pack_tree_find(tree, name);
        if (entry == PACK_NO_RANK)
            rc = err_set(e, ERR_NOT_FOUND, "%s:%lu: '%s' is not in the package", path, number,
                         name);
        else
            rc = rank_below(tree, entry, ranks, &next, e);
    }
    if (!rc && ferror(f))
        rc = err_sys(e, "%s: cannot read", path);
    free(line);
    (void)fclose(f);
    return rc;
}
