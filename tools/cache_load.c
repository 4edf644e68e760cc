/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `sft cache load` and `sft cache import`: packages into the disk cache, whole or in part. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "fetch/cache_dsft.h"
#include "fetch/metadata.h"
#include "fetch/open.h"
#include "tools/cache_common.h"
#include "tools/target.h"
#include "tools/text.h"

enum { HEAD_BYTES = 512, TAR_MAGIC_AT = 257 };

/* --- results ---------------------------------------------------------------------------------- */

static void print_loaded(const struct cache_run *r, const char *from, const struct cache *c,
                         const struct cache_filled *filled)
{
    const struct package_info *info = package_info(r->in.package);
    char bytes[TEXT_SIZE_SIZE];

    if (r->in.report.json) {
        struct json j = json_begin(stdout);

        json_object(&j, NULL);
        json_string(&j, "source", from);
        json_string(&j, "container", cache_container_path(c));
        json_string(&j, "name", info->name);
        json_guid(&j, "package_guid", &info->package_guid);
        json_guid(&j, "version_guid", &info->version_guid);
        json_uint(&j, "version_number", info->version_number);
        json_uint(&j, "blocks", info->block_count);
        json_uint(&j, "taken_blocks", filled->taken_blocks);
        json_uint(&j, "fetched_bytes", filled->fetched_bytes);
        json_bool(&j, "complete", filled->complete);
        json_close_object(&j);
        json_end(&j); /* report_finish() looks */
        return;
    }
    if (r->in.quiet)
        return;
    text_size(filled->fetched_bytes, bytes);
    text_put(stdout, *info->name ? info->name : from);
    (void)printf(", version %" PRIu32 ": in the cache; %s fetched", info->version_number, bytes);
    if (filled->taken_blocks)
        (void)printf(", %" PRIu64 " blocks taken from other versions", filled->taken_blocks);
    (void)putchar('\n');
}

static void print_dsft(const struct cache_run *r, const char *from,
                       const struct cache_dsft_result *x)
{
    const struct sft_dsft *h = &x->header;

    if (r->in.report.json) {
        struct json j = json_begin(stdout);

        json_object(&j, NULL);
        json_string(&j, "source", from);
        json_guid(&j, "package_guid", &h->package_guid);
        json_guid(&j, "version_guid", &h->target_guid);
        json_uint(&j, "version_number", h->target_number);
        json_uint(&j, "new_blocks", x->new_blocks);
        json_uint(&j, "kept_blocks", x->kept_blocks);
        json_uint(&j, "missing_blocks", x->missing_blocks);
        json_bool(&j, "complete", !x->missing_blocks);
        json_close_object(&j);
        json_end(&j); /* report_finish() looks */
    } else if (!r->in.quiet) {
        (void)printf("version %" PRIu32 ": %" PRIu32 " new blocks, %" PRIu32
                     " of the old version",
                     h->target_number, x->new_blocks, x->kept_blocks);
        if (x->missing_blocks)
            (void)printf("; %" PRIu32 " are missing and are fetched when they are needed",
                         x->missing_blocks);
        (void)putchar('\n');
    }
}

/* --- an SFT ----------------------------------------------------------------------------------- */

static int load_package(struct cache_run *r, const char *location, const char *remember,
                        struct err *e)
{
    struct container_input m = { .count = 0 };
    struct cache_filled filled = { .complete = false };
    struct cache *c = NULL;
    int rc = package_open_kept(location, &r->in.connection, &m, &r->in.source, &r->in.package, e);

    if (!rc)
        rc = cache_open(r->dir, r->in.package, &c, e);
    if (!rc)
        rc = metadata_store(&m, r->in.package, c, e);
    container_input_clear(&m);
    /* Even if the rest does not come, this is where it is from. */
    if (!rc && remember)
        rc = cache_remember(c, remember, e);
    uint64_t whole = 0;
    if (!rc && r->whole)
        rc = cache_load_whole(r, c, &whole, e);
    if (!rc)
        rc = cache_fill(r, c, &filled, e);
    filled.fetched_bytes += whole;
    if (!rc)
        print_loaded(r, source_name(r->in.source), c, &filled);
    cache_close(c);
    return rc;
}

/* --- a differential SFT ----------------------------------------------------------------------- */

struct dsft_step {
    struct cache_run *run;
    struct progress progress;
};

static int dsft_step(void *arg, uint32_t done, uint32_t total, struct err *e)
{
    struct dsft_step *s = arg;

    s->progress.total = total;
    progress_update(&s->progress, done);
    return interrupt_check(&s->run->interrupt, e);
}

static int load_dsft(struct cache_run *r, const char *location, struct err *e)
{
    struct dsft_step s = { r, progress_begin("blocks", 0, sft_progress(&r->in)) };
    struct cache_dsft_result x;
    int rc = cache_dsft_import(r->dir, location, &r->in.connection, dsft_step, &s, &x, e);

    progress_clear(&s.progress);
    if (!rc)
        print_dsft(r, location, &x);
    return rc;
}

/* --- load ------------------------------------------------------------------------------------- */

static int load(struct cache_run *r, const char *location, const char *remember, struct err *e)
{
    struct err why = { 0 };
    int rc = load_package(r, location, remember, &why);

    if (rc && !r->in.package && !strcmp(why.section, "DSFT")) {
        why = (struct err){ 0 };
        rc = load_dsft(r, location, &why);
    }
    *e = why;
    return rc;
}

/* From the first of its places that has it; that place leads to it from now on. */
static int load_target(struct cache_run *r, const struct target *t, struct err *e)
{
    int rc = -ENOENT;

    for (size_t i = 0; i < t->location_count && rc; i++) {
        const char *location = t->locations[i];

        sft_close(&r->in);
        rc = load(r, location, r->location ? r->location : location, e);
        if (rc == -EINTR)
            break;
    }
    return rc;
}

static int check_guid(const struct cache_run *r, const struct target *t, struct err *e)
{
    return t->has_guid && r->in.package &&
                   !guid_equal(&t->guid, &package_info(r->in.package)->package_guid)
               ? err_set(e, ERR_GUID_MISMATCH, "the package has another GUID than %s asks for",
                         t->document)
               : 0;
}

enum exitcode cache_load(struct cache_run *r)
{
    const struct target_options none = { .source = NULL };
    const char *named = r->operands[0];
    struct target t = { 0 };
    struct err e = { 0 };
    enum exitcode status = EXITCODE_OK;

    if (target_find(named, &r->in.connection, &none, &t, &e) || load_target(r, &t, &e) ||
        check_guid(r, &t, &e))
        status = report_error(&r->in.report, named, &e);
    target_free(&t);
    return status;
}

/* --- import ----------------------------------------------------------------------------------- */

static bool is_archive(const char *path)
{
    uint8_t head[HEAD_BYTES];
    FILE *f = fopen(path, "rb");
    size_t n = f ? fread(head, 1, sizeof head, f) : 0;

    if (f)
        (void)fclose(f); /* only read */
    return n == sizeof head && !memcmp(head + TAR_MAGIC_AT, "ustar", 5);
}

static int import_archive(struct cache_run *r, const char *path, enum exitcode *status,
                          struct err *e)
{
    struct cache_filled filled = { .complete = false };
    uint64_t bad = 0;
    int rc = cache_archive_read(r, path, &filled, &bad, e);

    if (rc)
        return rc;
    if (bad) {
        report_note(&r->in.report, "%s: %" PRIu64 " blocks in it are damaged and were left out",
                    path, bad);
        *status = EXITCODE_DAMAGED;
    }
    if (r->in.report.json) {
        struct json j = json_begin(stdout);

        json_object(&j, NULL);
        json_string(&j, "source", path);
        json_guid(&j, "version_guid", &package_info(r->in.package)->version_guid);
        json_uint(&j, "taken_blocks", filled.taken_blocks);
        json_uint(&j, "bad_blocks", bad);
        json_bool(&j, "complete", filled.complete);
        json_close_object(&j);
        json_end(&j); /* report_finish() looks */
    } else if (!r->in.quiet) {
        (void)printf("%s: %" PRIu64 " blocks are in the cache now\n", path, filled.taken_blocks);
    }
    return 0;
}

enum exitcode cache_import(struct cache_run *r)
{
    const char *path = r->operands[0];
    enum exitcode status = EXITCODE_OK;
    struct err e = { 0 };

    if (is_archive(path) ? import_archive(r, path, &status, &e)
                         : load(r, path, r->location, &e))
        return report_error(&r->in.report, path, &e);
    return status;
}
