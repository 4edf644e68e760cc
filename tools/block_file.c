/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files put together of stored blocks. See block_file.h. */
#include "config.h"

#include "tools/block_file.h"

int block_file_open(struct block_file *f, const char *path, bool replace, struct err *e)
{
    return pack_output_new(path, replace, &f->output, e);
}

void block_file_begin(struct block_file *f, const char *verb, uint64_t bytes,
                      enum progress_mode mode)
{
    f->progress = progress_begin(verb, bytes, mode);
}

int block_file_write(void *arg, const uint8_t *stored, size_t len, struct err *e)
{
    struct block_file *f = arg;
    int rc = pack_output_append(f->output, stored, len, e);

    progress_update(&f->progress, pack_output_length(f->output));
    return rc ? rc : interrupt_check(f->interrupt, e);
}

static int tick(void *arg, struct err *e)
{
    struct block_file *f = arg;

    return interrupt_check(f->interrupt, e);
}

int block_file_finish(struct block_file *f, int rc, size_t metadata_len, struct err *e)
{
    if (!rc)
        rc = pack_output_finish(f->output, f->metadata, metadata_len, tick, f, e);
    progress_clear(&f->progress);
    return rc;
}

void block_file_close(struct block_file *f)
{
    pack_output_free(f->output);
    free(f->metadata);
}
