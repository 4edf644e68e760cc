/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* READ of the immutable layer. See read.h. */
#include "config.h"

#include "fs/read.h"

#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "fs/parked.h"
#include "fs/push.h"
#include "fs/record.h"
#include "src/log.h"

/* A read that waits. */
struct waiting {
    uint32_t index;
    struct read_span span;
    bool one_block; /* lies in one block, which was not in memory */
};

void read_log_failure(const struct vfs *v, uint32_t index, const char *what, const struct err *e)
{
    static struct log_limit limit;
    unsigned suppressed;

    if (!log_limit_allows(&limit, &suppressed))
        return;
    char *path = package_path(v->package, index);
    log_error(FS_LOG, "%s of \"%s\" failed: %s; error=%s suppressed=%u", what, path ? path : "?",
              e ? e->text : "unknown", e ? err_kind_name(e->kind) : "unknown", suppressed);
    free(path);
}

void read_reply_failure(struct vfs *v, fuse_req_t req, uint32_t index, const char *what,
                        const struct err *e)
{
    enum err_kind kind = e ? e->kind : ERR_NONE;

    if (kind == ERR_CANCELLED || kind == ERR_NO_MEMORY) {
        fuse_reply_err(req, kind == ERR_CANCELLED ? EINTR : ENOMEM);
        return;
    }
    /* Wine knows EIO as "device not ready" and takes anything unusual for a bug in itself. */
    counters_io_error(&v->counters, kind);
    read_log_failure(v, index, what, e);
    fuse_reply_err(req, EIO);
}

/* Reading to the end of a file is what the pusher wants to know of. */
static void note_read(struct vfs *v, uint32_t index, const struct read_span *span)
{
    if (span->off + span->len == package_node(v->package, index)->size)
        push_after_read(v->pusher, index);
}

static void on_done(struct vfs *v, fuse_req_t req, void *arg, int status, const uint8_t *buf,
                    size_t len, const struct err *e)
{
    struct waiting *w = arg;

    if (status < 0) {
        read_reply_failure(v, req, w->index, "read", e);
    } else {
        counter_add(&v->counters.read_bytes, len); /* first: who has the bytes may look */
        fuse_reply_buf(req, (const char *)buf, len);
        if (w->one_block)
            push_after_miss(v->pusher, w->index, w->span.off, w->span.len);
        note_read(v, w->index, &w->span);
    }
    free(w);
}

static void wait_for_blocks(struct vfs *v, fuse_req_t req, uint32_t index,
                            const struct read_span *span, const struct piece *pieces, size_t count)
{
    struct waiting *w = malloc(sizeof *w);

    if (!w) {
        fuse_reply_err(req, ENOMEM);
        return;
    }
    *w = (struct waiting){ .index = index, .span = *span, .one_block = count == 1 };
    park(v, req, pieces, count, on_done, w);
}

/* True when every block was in memory and the reply is out. */
static bool reply_from_memory(struct vfs *v, fuse_req_t req, const struct piece *pieces,
                              size_t count)
{
    struct engine_pin pins[READ_PIECES_USUAL];
    struct iovec iov[READ_PIECES_USUAL];
    size_t n = 0, len = 0;

    if (count > READ_PIECES_USUAL)
        return false;
    for (; n < count; n++) {
        if (!engine_pin(v->engine, pieces[n].block, &pins[n]))
            break;
        union {
            const uint8_t *in;
            void *out;
        } data = { .in = pins[n].data + pieces[n].from };
        iov[n] = (struct iovec){ .iov_base = data.out, .iov_len = pieces[n].len };
        len += pieces[n].len;
    }
    if (n == count) {
        counter_add(&v->counters.read_bytes, len);
        fuse_reply_iov(req, iov, (int)count);
    }
    for (size_t i = 0; i < n; i++)
        engine_unpin(v->engine, &pins[i]);
    return n == count;
}

/* As many pieces as fit; *len is what they hold. */
static size_t map_spans(const struct package *package, uint32_t index,
                        const struct read_span *spans, size_t count, struct piece *pieces,
                        size_t max, uint64_t *len)
{
    size_t n = 0;

    *len = 0;
    for (size_t i = 0; i < count && n < max; i++) {
        size_t more = package_map(package, index, spans[i].off, spans[i].len, pieces + n, max - n);
        for (size_t k = 0; k < more; k++)
            *len += pieces[n + k].len;
        n += more;
    }
    return n;
}

int read_map(const struct package *package, uint32_t index, const struct read_span *spans,
             size_t count, struct piece usual[READ_PIECES_USUAL], struct piece **pieces,
             size_t *piece_count, struct err *e)
{
    uint64_t len, wanted = 0;

    for (size_t i = 0; i < count; i++)
        wanted += spans[i].len;
    *pieces = usual;
    *piece_count = map_spans(package, index, spans, count, usual, READ_PIECES_USUAL, &len);
    if (len == wanted)
        return 0;
    /* Cut into more pieces than in any ordinary package. A short reply would be read as the end of
     * the file. */
    struct piece *all = calloc(ENGINE_PIECES_MAX, sizeof *all);
    if (!all)
        return err_nomem(e);
    *pieces = all;
    *piece_count = map_spans(package, index, spans, count, all, ENGINE_PIECES_MAX, &len);
    if (len == wanted)
        return 0;
    free(all);
    return err_set(e, ERR_LIMIT, "%llu bytes at %llu are in more than %u pieces",
                   (unsigned long long)wanted, (unsigned long long)spans[0].off, ENGINE_PIECES_MAX);
}

void read_span(struct vfs *v, fuse_req_t req, uint32_t index, const struct read_span *span)
{
    struct piece usual[READ_PIECES_USUAL], *pieces;
    struct err e = { 0 };
    size_t count;

    if (read_map(v->package, index, span, 1, usual, &pieces, &count, &e)) {
        read_reply_failure(v, req, index, "read", &e);
        return;
    }
    record_use(v->recorder, index, span, 1, pieces, count);
    if (reply_from_memory(v, req, pieces, count))
        note_read(v, index, span);
    else
        wait_for_blocks(v, req, index, span, pieces, count);
    if (pieces != usual)
        free(pieces);
}

void read_file(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
    struct vfs *v = vfs_of(req);

    (void)fi;
    if (!vfs_has(v, ino)) {
        fuse_reply_err(req, ESTALE);
        return;
    }
    uint32_t index = vfs_index(ino);
    const struct node *n = package_node(v->package, index);
    if (n->flags & NODE_DIR) {
        fuse_reply_err(req, EISDIR);
        return;
    }
    if (off < 0 || (uint64_t)off >= n->size || !size) {
        fuse_reply_buf(req, NULL, 0);
        return;
    }
    const struct read_span span = { (uint64_t)off, min_u64(size, n->size - (uint64_t)off) };
    read_span(v, req, index, &span);
}
