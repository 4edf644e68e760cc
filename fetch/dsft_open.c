/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Opening a differential SFT. See dsft_open.h. */
#include "config.h"

#include "fetch/dsft_open.h"

#include "src/container.h"

/* The metadata: what came with the head is not asked for again. */
static int read_metadata(struct source *s, uint8_t *to, size_t len, struct err *e)
{
    size_t first = (size_t)min_u64(len, CONTAINER_HEAD_BYTES - DSFT_HEAD_BYTES);
    int rc = source_read_sync(s, DSFT_HEAD_BYTES, to, first, e);

    if (rc || first == len)
        return rc;
    return source_read_sync(s, CONTAINER_HEAD_BYTES, to + first, len - first, e);
}

static int read_all(struct source *s, struct sft_dsft *h, struct package **out, struct err *e)
{
    uint8_t head[DSFT_HEAD_BYTES];
    size_t len = (size_t)min_u64(source_size(s), sizeof head);
    int rc = len ? source_read_sync(s, 0, head, len, e) : 0;

    if (!rc)
        rc = dsft_read_header(head, len, source_size(s), h, e);
    if (rc)
        return rc;
    /* The file is as long as the header says, so memory is taken for bytes that are there. */
    auto_free uint8_t *metadata = malloc((size_t)h->metadata_bytes);
    if (!metadata)
        return err_nomem(e);
    rc = read_metadata(s, metadata, (size_t)h->metadata_bytes, e);
    return rc ? rc : dsft_read_package(h, metadata, (size_t)h->metadata_bytes, out, e);
}

int dsft_open(const char *location, const struct source_options *o, struct source **source,
              struct sft_dsft *h, struct package **package, struct err *e)
{
    struct source *s;
    int rc = source_open(location, o, CONTAINER_HEAD_BYTES, &s, e);

    if (rc)
        return rc;
    rc = read_all(s, h, package, e);
    source_drop_head(s);
    if (rc) {
        err_wrap(e, "%s", source_name(s));
        source_close(s);
        return rc;
    }
    *source = s;
    return 0;
}
