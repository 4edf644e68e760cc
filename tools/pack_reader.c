/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads the bytes of the files of a tree. See pack_reader.h. */
#include "config.h"

#include "tools/pack_reader.h"

#include <unistd.h>

#include "fetch/file_io.h"

/* Large files are read block by block: the descriptor of the last one stays open. */
static int open_for(struct pack_reader *r, uint32_t entry, struct err *e)
{
    if (r->fd >= 0 && r->open_entry == entry)
        return 0;
    pack_reader_close(r);
    r->fd = pack_tree_open(r->tree, entry, e);
    r->open_entry = entry;
    return r->fd < 0 ? r->fd : 0;
}

static int named(const struct pack_reader *r, uint32_t entry, int rc, struct err *e)
{
    auto_free char *path = rc ? pack_tree_path(r->tree, entry) : NULL;
    if (rc)
        err_wrap(e, "%s", path ? path : "a file");
    return rc;
}

int pack_reader_bytes(struct pack_reader *r, uint32_t entry, uint64_t off, void *to, size_t len,
                      struct err *e)
{
    const struct pack_origin *from = &r->tree->origin;
    if (from->read)
        return named(r, entry, from->read(from->arg, entry, to, len, off, e), e);
    int rc = open_for(r, entry, e);
    if (rc)
        return rc;
    if (file_read(r->fd, to, len, off) < 0)
        return named(r, entry, err_sys(e, "cannot read"), e);
    return pack_tree_unchanged(r->tree, entry, r->fd, e); /* says if it is shorter than it was */
}

int pack_reader_block(struct pack_reader *r, const struct pack_plan *plan, uint32_t index,
                      uint8_t *out, struct err *e)
{
    const struct pack_block *b = &plan->blocks[index];

    for (uint32_t i = 0; i < b->part_count; i++) {
        const struct pack_part *part = &plan->parts[b->first_part + i];
        int rc = pack_reader_bytes(r, r->tree->files[part->file], part->offset, out + part->from,
                                   part->len, e);
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
