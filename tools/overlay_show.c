/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `sft overlay ls` and `sft overlay diff`. diff says of a changed file how many bytes are in the
 * overlay: whole units of it that were written to. With --bytes it reads both contents and counts
 * the bytes that differ.
 */
#include "config.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "fetch/file_io.h"
#include "fs/overlay/partial.h"
#include "tools/overlay_common.h"
#include "tools/text.h"

struct show {
    struct overlay_run *run;
    struct json *json;      /* NULL: text */
    uint8_t *mine, *theirs; /* SFT_STREAM_BYTES each, for --bytes */
};

/* ---- ls ---- */

static int ls_change(void *arg, const struct diff_change *c, struct err *e)
{
    struct show *s = arg;

    if (!s->json) {
        overlay_print_line(c, s->run->long_form);
    } else {
        json_object(s->json, NULL);
        overlay_json_change(s->json, c);
        json_close_object(s->json);
    }
    return interrupt_check(&s->run->interrupt, e);
}

/* ---- the bytes that differ ---- */

static uint64_t differing(const uint8_t *a, const uint8_t *b, size_t len)
{
    uint64_t n = 0;

    for (size_t i = 0; i < len; i++)
        n += a[i] != b[i];
    return n;
}

/* Bytes [off, off + len) of the upper file, which lie in one run. Those that are the package file's
 * own do not differ. */
static int compare_run(struct show *s, int fd, uint32_t from, uint32_t node, uint64_t off,
                       size_t len, bool lower, uint64_t *count, struct err *e)
{
    struct engine *engine = s->run->in.engine;
    long got;

    if (lower && from == node)
        return 0;
    got = engine_read_file(engine, node, off, s->theirs, len, e);
    if (got < 0)
        return (int)got;
    memset(s->theirs + got, 0, len - (size_t)got);
    got = lower ? engine_read_file(engine, from, off, s->mine, len, e)
                : file_read(fd, s->mine, len, off);
    if (got < 0)
        return lower ? (int)got : err_sys(e, "reading");
    memset(s->mine + got, 0, len - (size_t)got); /* it may have been cut off meanwhile */
    *count += differing(s->mine, s->theirs, len);
    return 0;
}

static int compare_file(struct show *s, const struct diff_change *c, struct partial *p, int fd,
                        uint64_t *count, struct err *e)
{
    const struct package *package = s->run->in.package;
    const struct markers *m = &s->run->upper->entries[c->entry].markers;
    uint64_t old = package_node(package, c->node)->size, common = min_u64(c->size, old);
    uint32_t from = NODE_NONE;
    int rc = 0;

    if (p) {
        from = package_resolve(package, m->partial.path, true);
        if (from == NODE_NONE)
            return err_set(e, ERR_NOT_FOUND, "%s, which has its other bytes, is not in the package",
                           m->partial.path);
    }
    *count = max_u64(c->size, old) - common;
    for (uint64_t off = 0, len; !rc && off < common; off += len) {
        struct partial_run run = { .off = off, .len = common - off };

        if (p && !partial_runs(p, off, common - off, &run, 1))
            return err_set(e, ERR_CORRUPT, "no bytes at offset %" PRIu64, off);
        len = min_u64(run.len, SFT_STREAM_BYTES);
        rc = compare_run(s, fd, from, c->node, off, (size_t)len, run.lower, count, e);
        if (!rc)
            rc = interrupt_check(&s->run->interrupt, e);
    }
    return rc;
}

static int count_differing(struct show *s, const struct diff_change *c, uint64_t *count,
                           struct err *e)
{
    const struct upper_entry *n = &s->run->upper->entries[c->entry];
    struct partial *p = NULL;
    int rc = 0;

    auto_close int fd = upper_open(s->run->store, s->run->upper, c->entry, O_RDONLY, e);
    if (fd < 0)
        return fd;
    if (n->markers.has_partial)
        rc = partial_open(s->run->store, fd, c->size, &n->markers.partial, &p, e);
    if (!rc)
        rc = compare_file(s, c, p, fd, count, e);
    partial_free(p);
    return rc;
}

/* ---- diff ---- */

static void diff_text(const struct diff_change *c, uint64_t bytes, bool differ)
{
    static const char *const names[DIFF_KIND_COUNT] = {
        [DIFF_ADDED] = "added",     [DIFF_CHANGED] = "changed",       [DIFF_DELETED] = "deleted",
        [DIFF_RENAMED] = "renamed", [DIFF_ATTRIBUTES] = "attributes",
    };

    (void)printf("%-10s ", names[c->kind]);
    if (c->from) {
        text_put(stdout, c->from);
        (void)fputs(" -> ", stdout);
    }
    text_put(stdout, c->path);
    if (c->type == S_IFDIR)
        (void)putchar('/');
    if (c->link_of) {
        (void)fputs(" (the same file as ", stdout);
        text_put(stdout, c->link_of);
        (void)putchar(')');
    } else if (c->type == S_IFREG && c->content && differ) {
        (void)printf(" (%" PRIu64 "%s)", bytes, bytes == 1 ? " byte differs" : " bytes differ");
    } else if (c->type == S_IFREG && c->kind == DIFF_ADDED && bytes == c->size) {
        (void)printf(" (%" PRIu64 " bytes)", bytes);
    } else if (c->type == S_IFREG && c->content) {
        (void)printf(" (%" PRIu64 " of %" PRIu64 " bytes in the overlay)", bytes, c->size);
    } else if (c->type && c->type != S_IFREG && c->type != S_IFDIR) {
        (void)printf(" (%s)", overlay_type_name(c->type));
    }
    if (c->was && c->was != c->type)
        (void)printf(", was a %s", overlay_type_name(c->was));
    else if (c->was)
        (void)printf(", another %s in its place", overlay_type_name(c->was));
    (void)putchar('\n');
}

static int diff_change(void *arg, const struct diff_change *c, struct err *e)
{
    struct show *s = arg;
    const struct package *p = s->run->in.package;
    bool file = c->type == S_IFREG && c->content && !c->link_of;
    bool has_old = c->node != NODE_NONE && !(package_node(p, c->node)->flags & NODE_DIR);
    bool compare = s->run->bytes && file && has_old;
    uint64_t written = 0, differ = 0;
    int rc = 0;

    if (file)
        rc = diff_written(s->run->store, s->run->upper, c->entry, &written, e);
    if (!rc && compare)
        rc = count_differing(s, c, &differ, e);
    if (rc == -ENOENT && !s->run->store->read_only && s->run->store->lock_fd < 0)
        return 0; /* mounted, and gone since the directory was read */
    if (rc) {
        err_wrap(e, "%s", c->path);
        return rc;
    }
    if (!s->json) {
        diff_text(c, compare ? differ : written, compare);
        return interrupt_check(&s->run->interrupt, e);
    }
    json_object(s->json, NULL);
    overlay_json_change(s->json, c);
    if (has_old)
        json_uint(s->json, "old_size", package_node(p, c->node)->size);
    if (c->type == S_IFREG) {
        json_bool(s->json, "content", c->content && c->kind != DIFF_DELETED);
        json_uint(s->json, "bytes_in_overlay", written);
    }
    if (compare)
        json_uint(s->json, "bytes_differing", differ);
    json_close_object(s->json);
    return interrupt_check(&s->run->interrupt, e);
}

static void begin_json(struct show *s, const char *array)
{
    const struct overlay_store *store = s->run->store;

    json_object(s->json, NULL);
    json_string(s->json, "overlay", store->path);
    json_guid(s->json, "package_guid", &store->package_guid);
    json_array(s->json, array);
}

static enum exitcode show(struct overlay_run *r, const char *array, diff_fn fn)
{
    struct json j = json_begin(stdout);
    struct show s = { .run = r, .json = r->in.report.json ? &j : NULL };
    auto_free uint8_t *buf = NULL;
    struct err e = { 0 };
    int rc;

    if (r->bytes) {
        buf = malloc(2 * SFT_STREAM_BYTES);
        if (!buf) {
            (void)err_nomem(&e);
            return report_error(&r->in.report, NULL, &e);
        }
        s.mine = buf;
        s.theirs = buf + SFT_STREAM_BYTES;
    }
    if (s.json)
        begin_json(&s, array);
    rc = diff_each(r->diff, fn, &s, &e);
    if (s.json) {
        json_close_array(&j);
        json_close_object(&j);
        json_end(&j); /* report_finish() looks */
    }
    if (!rc)
        return EXITCODE_OK;
    if (!s.json)
        return report_error(&r->in.report, r->dir, &e);
    /* One document was begun; the error goes to standard error alone. */
    r->in.report.json = false;
    return report_error(&r->in.report, r->dir, &e);
}

static enum exitcode prepare(struct overlay_run *r)
{
    enum exitcode status = overlay_open_store(r, OVERLAY_READ);

    if (status == EXITCODE_OK)
        status = overlay_need_package(r);
    if (status == EXITCODE_OK) {
        (void)overlay_same_version(r); /* the changes are the same; what they are against differs */
        status = overlay_compare(r);
    }
    return status;
}

enum exitcode overlay_ls(struct overlay_run *r)
{
    enum exitcode status = prepare(r);

    return status == EXITCODE_OK ? show(r, "entries", ls_change) : status;
}

enum exitcode overlay_diff(struct overlay_run *r)
{
    enum exitcode status = prepare(r);

    if (status == EXITCODE_OK && r->bytes)
        status = sft_start_engine(&r->in);
    return status == EXITCODE_OK ? show(r, "changes", diff_change) : status;
}
