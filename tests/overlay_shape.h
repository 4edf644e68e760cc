/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bytes of files in an overlay over a package whose files hold make_sft_fill() bytes, and the whole
 * tree as text, one line for each name, so that two states can be compared:
 *
 *     char *before = shape(&f, "");
 *     fixture_reopen(&f);
 *     char *after = shape(&f, "");   // equal
 */
#ifndef TESTS_OVERLAY_SHAPE_H
#define TESTS_OVERLAY_SHAPE_H

#include <inttypes.h>

#include "fs/overlay/data.h"
#include "tests/overlay_fixture.h"

static long lower_bytes(void *arg, uint32_t file, uint64_t off, void *buf, size_t len,
                        struct err *e)
{
    const struct fixture *f = arg;
    auto_free char *path = package_path(f->package, file);

    (void)e;
    make_sft_fill(path, off, buf, len);
    return (long)len;
}

/* Bytes of node ID from OFF on: a count or a negative errno. */
static long read_node(struct fixture *f, uint64_t id, uint64_t off, void *buf, size_t len)
{
    struct overlay_data d;
    struct stat st;
    int rc = overlay_data_pin(f->o, id, false, &d);

    if (rc)
        return rc;
    if (d.node) {
        long n = overlay_data_read(f->o, &d, off, buf, len, lower_bytes, f, NULL);
        overlay_data_unpin(f->o, &d);
        return n;
    }
    rc = overlay_getattr(f->o, id, &st);
    if (rc || off >= (uint64_t)st.st_size)
        return rc;
    if (len > (uint64_t)st.st_size - off)
        len = (size_t)((uint64_t)st.st_size - off);
    return lower_bytes(f, (uint32_t)(id - 1), off, buf, len, NULL);
}

static int fill_needs(struct fixture *f, const struct overlay_data *d, uint64_t off, uint64_t len)
{
    uint8_t unit[PARTIAL_UNIT];
    struct span64 need[2];
    unsigned n = partial_write_needs(d->partial, off, len, need);

    for (unsigned i = 0; i < n; i++) {
        (void)lower_bytes(f, d->lower, need[i].off, unit, (size_t)need[i].len, NULL);
        int rc = partial_fill(d->partial, d->fd, need[i].off, unit, (size_t)need[i].len);
        if (rc)
            return rc;
    }
    return 0;
}

static long write_node(struct fixture *f, uint64_t id, uint64_t off, const void *buf, size_t len)
{
    struct overlay_data d;
    long n = overlay_data_pin(f->o, id, true, &d);

    if (n)
        return n;
    if (!d.partial) {
        n = pwrite(d.fd, buf, len, (off_t)off);
        n = n < 0 ? -errno : n;
    } else {
        n = fill_needs(f, &d, off, len);
        if (!n)
            n = partial_write(d.partial, d.fd, buf, len, off);
    }
    overlay_data_unpin(f->o, &d);
    return n;
}

static __attribute__((unused)) int truncate_node(struct fixture *f, uint64_t id, uint64_t size)
{
    struct overlay_data d;
    int rc = overlay_data_pin(f->o, id, true, &d);

    if (rc)
        return rc;
    rc = overlay_data_truncate(f->o, &d, size);
    overlay_data_unpin(f->o, &d);
    return rc;
}

/* ---- the tree as text ---- */

struct shape_names {
    char (*names)[256];
    struct overlay_ref *refs;
    struct stat *stats;
    size_t count, room;
};

static bool shape_add(void *arg, const char *name, const struct overlay_ref *ref,
                      const struct stat *st, uint64_t next)
{
    struct shape_names *n = arg;

    (void)next;
    if (!strcmp(name, ".") || !strcmp(name, ".."))
        return true;
    if (n->count == n->room) {
        n->room = n->room ? 2 * n->room : 16;
        n->names = realloc(n->names, n->room * sizeof *n->names);
        n->refs = realloc(n->refs, n->room * sizeof *n->refs);
        n->stats = realloc(n->stats, n->room * sizeof *n->stats);
        CU_ASSERT_FATAL(n->names && n->refs && n->stats);
    }
    (void)snprintf(n->names[n->count], sizeof *n->names, "%s", name);
    n->refs[n->count] = *ref;
    n->stats[n->count++] = *st;
    return true;
}

static uint64_t hash_bytes(uint64_t h, const void *data, size_t len)
{
    const uint8_t *p = data;

    while (len--)
        h = (h ^ *p++) * UINT64_C(0x100000001b3);
    return h;
}

static uint64_t shape_content(struct fixture *f, uint64_t id, mode_t mode)
{
    static uint8_t buf[65536];
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    long n = 0;

    if (S_ISREG(mode))
        for (uint64_t off = 0; (n = read_node(f, id, off, buf, sizeof buf)) > 0; off += (uint64_t)n)
            h = hash_bytes(h, buf, (size_t)n);
    else if (S_ISLNK(mode) && (n = overlay_readlink(f->o, id, (char *)buf, sizeof buf)) > 0)
        h = hash_bytes(h, buf, (size_t)n);
    return n < 0 ? (uint64_t)n : h;
}

static int shape_order(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static uint64_t shape_dir(struct fixture *f, uint64_t id, const char *path, FILE *out);

static char *shape_line(struct fixture *f, const struct shape_names *n, size_t i, const char *path)
{
    const struct stat *st = &n->stats[i];
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    char sub[4400];

    (void)snprintf(sub, sizeof sub, "%s/%s", path, n->names[i]);
    fprintf(out, "%s %o %u:%u n%u i%" PRIx64 " m%lld.%09ld s%lld %016" PRIx64 "\n", sub,
            (unsigned)st->st_mode, (unsigned)st->st_uid, (unsigned)st->st_gid,
            (unsigned)st->st_nlink, (uint64_t)st->st_ino, (long long)st->st_mtim.tv_sec,
            st->st_mtim.tv_nsec, (long long)st->st_size,
            shape_content(f, n->refs[i].id, st->st_mode));
    if (S_ISDIR(st->st_mode))
        (void)shape_dir(f, n->refs[i].id, sub, out);
    (void)fclose(out);
    return text;
}

static uint64_t shape_dir(struct fixture *f, uint64_t id, const char *path, FILE *out)
{
    struct shape_names n = { .count = 0 };

    CU_ASSERT_EQUAL(overlay_list(f->o, id, 0, true, shape_add, &n), 0);
    char **lines = calloc(n.count + 1, sizeof *lines);
    for (size_t i = 0; i < n.count; i++)
        lines[i] = shape_line(f, &n, i, path);
    qsort(lines, n.count, sizeof *lines, shape_order);
    for (size_t i = 0; i < n.count; i++) {
        fputs(lines[i], out);
        free(lines[i]);
    }
    free(lines);
    free(n.names);
    free(n.refs);
    free(n.stats);
    return n.count;
}

/* Everything below PATH; free() it. Names in it begin with '/', from PATH on. */
static __attribute__((unused)) char *shape(struct fixture *f, const char *path)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    (void)shape_dir(f, id_at(f, path), "", out);
    (void)fclose(out);
    return text;
}

/* Says where two shapes part. */
static bool shape_same(const char *a, const char *b)
{
    const char *x = a, *y = b;

    if (!strcmp(a, b))
        return true;
    for (const char *p = a, *q = b; *p && *p == *q; p++, q++)
        if (*p == '\n')
            x = p + 1, y = q + 1;
    printf("\n  was: %.*s\n  is:  %.*s\n", (int)strcspn(x, "\n"), x, (int)strcspn(y, "\n"), y);
    return false;
}

/* Whether opening it again shows the same. */
static __attribute__((unused)) bool shape_lasts(struct fixture *f)
{
    auto_free char *before = shape(f, "");

    fixture_reopen(f);
    auto_free char *after = shape(f, "");
    return shape_same(before, after);
}

#endif
