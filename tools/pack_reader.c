/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads the decoded bytes of planned blocks. See pack_reader.h. */
#include "config.h"

#include "tools/pack_reader.h"

#include <unistd.h>

#include "fetch/file_io.h"

/* Large files are read block by block: the descriptor of the last one stays open. */
static int open_for(struct pack_reader *r, uint32_t entry, struct err *e)
{
    if (r->fd >= 0 && r->open_entry == entry)
        return 0;
    if (r->fd >= 0)
        (void)close(r->fd);
    r->fd = pack_tree_open(r->tree, entry, e);
    r->open_entry = entry;
    return r->fd < 0 ? r->fd : 0;
}

static int read_part(struct pack_reader *r, const struct pack_part *part, uint8_t *to,
                     struct err *e)
{
    const struct pack_tree *tree = r->tree;
    uint32_t entry = tree->files[part->file];
    int rc = open_for(r, entry, e);
    if (rc)
        return rc;
    if (file_read(r->fd, to, part->len, part->offset) < 0) {
        rc = err_sys(e, "cannot read");
        auto_free char *path = pack_tree_path(tree, entry);
        err_wrap(e, "%s", path ? path : "a file");
        return rc;
    }
    return pack_tree_unchanged(tree, entry, r->fd, e); /* says if it is shorter than it was */
}

int pack_reader_block(struct pack_reader *r, uint32_t index, uint8_t *out, struct err *e)
{
    const struct pack_block *b = &r->plan->blocks[index];

    for (uint32_t i = 0; i < b->part_count; i++) {
        const struct pack_part *part = &r->plan->parts[b->first_part + i];
        int rc = read_part(r, part, out + part->from, e);
        if (rc)
            return rc;
    }
    return 0;
}

void pack_reader_close(struct pack_reader *r)
{
    if (r->fd >= 0)
        (void)close(r->fd);
    r->fd = -1;
}
