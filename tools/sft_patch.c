/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `sft patch`: the whole SFT of a new version, bit for bit, from that of an older one and a
 * differential SFT. Kept blocks are found by their hashes, since an upgrade numbers them anew.
 */
#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "fetch/dsft_open.h"
#include "fetch/open.h"
#include "src/block_match.h"
#include "tools/block_copy.h"
#include "tools/block_file.h"
#include "tools/interrupt.h"
#include "tools/json.h"
#include "tools/sft.h"
#include "tools/sft_common.h"
#include "tools/text.h"

enum { OPT_OUTPUT = CLI_ID_OWN, OPT_FORCE };

static const struct cli_option options[] = {
    { "output", 'o', "NEW.sft",
      "Write the new version to this file (required). It appears complete or not at all.",
      OPT_OUTPUT },
    { "force", 'f', NULL, "Replace a file that exists already.", OPT_FORCE },
    SFT_QUIET_OPTION,
    SFT_JSON_OPTION,
    { NULL, 0, NULL, NULL, 0 },
};
static const struct cli_group groups[] = {
    { NULL, CLI_STYLE_LONG, options },
    CONNECTION_GROUP,
    { NULL, CLI_STYLE_LONG, NULL },
};
static const char *const synopsis[] = { "[OPTION]... OLD.sft FILE.dsft -o NEW.sft", NULL };
static const struct cli_command command = {
    .name = "sft patch",
    .synopsis = synopsis,
    .summary = "Makes the new version of a package from the old one and a differential SFT.",
    .description = "The result is the same, bit for bit, as the package that 'sft diff' was given.",
    .groups = groups,
};

struct patch {
    struct sft_input *in; /* the differential SFT */
    const char *path, *old_location;
    bool force;
    struct source *old_source;
    struct package *old;
    struct interrupt interrupt;
    struct block_file file;
};

static int open_old(struct patch *p, struct err *e)
{
    const struct sft_dsft *h = &p->in->dsft;
    int rc =
        package_open(p->old_location, &p->in->connection, &p->old_source, &p->old, e);

    if (rc)
        return rc;
    if (!guid_equal(&package_info(p->old)->package_guid, &h->package_guid))
        return err_set(e, ERR_GUID_MISMATCH, "%s is another package", p->old_location);
    return 0;
}

/* What block I of the new version needs is not in the old one. */
static int missing(const struct patch *p, uint32_t i, struct err *e)
{
    const struct sft_dsft *h = &p->in->dsft;
    char guid[GUID_TEXT_SIZE];

    guid_format(&h->base_guid, guid);
    return err_set(e, ERR_OLD_VERSION,
                   "%s is version %" PRIu32 " and lacks block %" PRIu32
                   " of the new version; needed is version %" PRIu32 " (%s)",
                   p->old_location, package_info(p->old)->version_number, i, h->base_number, guid);
}

/* The old version's number of each block below first_block. Caller frees. */
static int match(const struct patch *p, uint32_t **out, struct err *e)
{
    uint32_t count = p->in->dsft.first_block;
    auto_free uint32_t *from = malloc((count + (size_t)1) * sizeof *from);
    struct block_match *m = NULL;
    int rc = from && !block_match_new(p->old, &m) ? 0 : err_nomem(e);

    for (uint32_t i = 0; !rc && i < count; i++) {
        from[i] = block_match_find(m, package_block(p->in->package, i));
        if (from[i] == BLOCK_MATCH_NONE)
            rc = missing(p, i, e);
    }
    block_match_free(m);
    if (!rc)
        *out = steal_ptr(&from);
    return rc;
}

/* Kept blocks: runs that are neighbours in the old version too are copied together. */
static int copy_old(struct patch *p, const uint32_t *from, struct err *e)
{
    const struct block_copy copy = {
        .package = p->old, .source = p->old_source, .write = block_file_write, .arg = &p->file
    };
    uint32_t count = p->in->dsft.first_block, run;
    int rc = 0;

    for (uint32_t i = 0; !rc && i < count; i += run) {
        for (run = 1; i + run < count && from[i + run] == from[i] + run;)
            run++;
        rc = block_copy(&copy, from[i], run, e);
        if (rc)
            err_wrap(e, "%s", p->old_location);
    }
    return rc;
}

static int copy_new(struct patch *p, struct err *e)
{
    const struct sft_dsft *h = &p->in->dsft;
    const struct package *target = p->in->package;
    struct block_copy copy = {
        .package = target, .source = p->in->source, .write = block_file_write, .arg = &p->file
    };

    if (!h->block_count)
        return 0;
    copy.moved = dsft_block_offset(h, target, h->first_block) -
                 package_block(target, h->first_block)->offset;
    return block_copy(&copy, h->first_block, h->block_count, e);
}

/* Read a second time: it must be what was checked the first time. */
static int read_metadata(struct patch *p, struct err *e)
{
    size_t len = (size_t)p->in->dsft.metadata_bytes;
    struct package *again = NULL;
    int rc;

    p->file.metadata = malloc(len);
    if (!p->file.metadata)
        return err_nomem(e);
    rc = source_read_sync(p->in->source, DSFT_HEAD_BYTES, p->file.metadata, len, e);
    if (!rc)
        rc = dsft_read_package(&p->in->dsft, p->file.metadata, len, &again, e);
    package_free(again);
    return rc;
}

static int join(struct patch *p, struct err *e)
{
    const struct sft_dsft *h = &p->in->dsft;
    auto_free uint32_t *from = NULL;
    int rc = open_old(p, e);

    if (!rc)
        rc = match(p, &from, e);
    if (!rc)
        rc = block_file_open(&p->file, p->path, p->force, e);
    if (!rc)
        rc = read_metadata(p, e);
    if (rc)
        return rc;
    block_file_begin(&p->file, "copied", h->target_bytes - h->metadata_bytes, sft_progress(p->in));
    rc = copy_old(p, from, e);
    if (!rc)
        rc = copy_new(p, e);
    return block_file_finish(&p->file, rc, (size_t)h->metadata_bytes, e);
}

static void print_result(const struct patch *p)
{
    const struct sft_dsft *h = &p->in->dsft;
    char bytes[TEXT_SIZE_SIZE];

    if (p->in->report.json) {
        struct json j = json_begin(stdout);

        json_object(&j, NULL);
        json_string(&j, "output", p->path);
        json_guid(&j, "package_guid", &h->package_guid);
        json_guid(&j, "version_guid", &h->target_guid);
        json_uint(&j, "version_number", h->target_number);
        json_uint(&j, "bytes", h->target_bytes);
        json_uint(&j, "kept_blocks", h->first_block);
        json_uint(&j, "new_blocks", h->block_count);
        json_close_object(&j);
        json_end(&j); /* report_finish() looks */
    } else if (!p->in->quiet) {
        text_size(h->target_bytes, bytes);
        (void)printf("%s: version %" PRIu32 ", %s; %" PRIu32
                     " blocks of the old version and %" PRIu32 " new ones\n",
                     p->path, h->target_number, bytes, h->first_block, h->block_count);
    }
}

static enum exitcode patch(struct patch *p, const char *location)
{
    struct err e = { 0 };

    p->in->location = location;
    if (dsft_open(location, &p->in->connection, &p->in->source, &p->in->dsft, &p->in->package,
                  &e) ||
        join(p, &e))
        return report_error(&p->in->report, location, &e);
    print_result(p);
    return EXITCODE_OK;
}

static int run(int argc, char **argv)
{
    struct sft_input in = SFT_INPUT_INIT;
    struct patch p = { .in = &in };
    enum exitcode status;
    struct cli cli;
    int id, rc;

    cli_begin(&cli, &command, argc, argv);
    while ((id = cli_next(&cli)) > 0) {
        if (id == OPT_OUTPUT)
            p.path = cli.arg;
        else if (id == OPT_FORCE)
            p.force = true;
        else if ((rc = sft_common_option(&in, &cli, id)))
            return rc;
    }
    if (id < 0)
        return (int)cli.status;
    if (cli.operand_count != 2)
        return cli_usage_error(&cli, "patch needs OLD.sft and FILE.dsft");
    if (!p.path || !*p.path)
        return cli_usage_error(&cli, "no output: give -o NEW.sft");

    p.old_location = cli.operands[0];
    interrupt_begin(&p.interrupt);
    p.file.interrupt = &p.interrupt;
    status = patch(&p, cli.operands[1]);
    block_file_close(&p.file);
    package_free(p.old);
    source_close(p.old_source);
    sft_close(&in);
    interrupt_end(&p.interrupt);
    return (int)report_finish(&in.report, status);
}

const struct sft_subcommand sft_patch = { &command, run };
