/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `sft diff`: cuts a differential SFT from the SFT of a new version. The old version is not needed:
 * the history in the new one says which blocks came with which version. Every block is checked on
 * the way.
 */
#include "config.h"

#include <inttypes.h>

#include "src/dsft.h"
#include "tools/block_copy.h"
#include "tools/block_file.h"
#include "tools/interrupt.h"
#include "tools/json.h"
#include "tools/sft.h"
#include "tools/sft_common.h"
#include "tools/text.h"

enum { OPT_OUTPUT = CLI_ID_OWN, OPT_FORCE, OPT_BASE };

static const struct cli_option options[] = {
    { "output", 'o', "FILE.dsft",
      "Write the differential SFT to this file (required). It appears complete or not at all.",
      OPT_OUTPUT },
    { "force", 'f', NULL, "Replace a file that exists already.", OPT_FORCE },
    { "base", 0, "VERSION",
      "The version that is there already: its number or GUID, as 'sft info' shows them. The "
      "default is the version before the new one.",
      OPT_BASE },
    SFT_QUIET_OPTION,
    SFT_JSON_OPTION,
    { NULL, 0, NULL, NULL, 0 },
};
static const struct cli_group groups[] = {
    { NULL, CLI_STYLE_LONG, options },
    CONNECTION_GROUP,
    { NULL, CLI_STYLE_LONG, NULL },
};
static const char *const synopsis[] = { "[OPTION]... NEW.sft -o FILE.dsft", NULL };
static const struct cli_command command = {
    .name = "sft diff",
    .synopsis = synopsis,
    .summary = "Writes what a new version of a package has and an older one has not.",
    .description = "NEW.sft must have been made with 'sft pack --upgrade'. Whoever has the older "
                   "version makes NEW.sft of it and FILE.dsft with 'sft patch'.",
    .groups = groups,
};

struct diff {
    struct sft_input *in;
    const char *path, *base_text;
    bool force;
    struct interrupt interrupt;
    struct block_file file; /* metadata: DSFT_HEAD_BYTES, then those of the package */
    uint32_t base; /* index in the history */
    struct sft_dsft header;
};

static bool is_base(const struct package_version *v, const char *text)
{
    struct guid guid;
    uint64_t number;

    if (!cli_parse_number("", text, 0, UINT32_MAX, &number, NULL))
        return v->number == number;
    return !guid_parse(text, &guid) && guid_equal(&v->guid, &guid);
}

static int find_base(struct diff *d, struct err *e)
{
    const struct package_info *info = package_info(d->in->package);
    const char *text = d->base_text;

    if (strcmp(info->format, "sft") != 0)
        return err_set(e, ERR_UNSUPPORTED, "only SFT files have a history to cut from, this is %s",
                       info->format);
    if (info->version_count < 2)
        return err_set(e, ERR_NOT_FOUND,
                       "its history has no older version; 'sft pack --upgrade' makes packages that "
                       "have one");
    d->base = info->version_count - 2;
    if (!text)
        return 0;
    for (uint32_t i = 0; i < info->version_count; i++) {
        if (!is_base(&info->versions[i], text))
            continue;
        if (i == info->version_count - 1)
            return err_set(e, ERR_INVALID, "--base: %s is this very version", text);
        d->base = i;
        return 0;
    }
    return err_set(e, ERR_NOT_FOUND, "--base: no version %s in its history; 'sft info' shows those "
                                     "that are",
                   text);
}

static int read_metadata(struct diff *d, struct err *e)
{
    size_t len = (size_t)package_info(d->in->package)->metadata_bytes;
    int rc;

    d->file.metadata = malloc(DSFT_HEAD_BYTES + len);
    if (!d->file.metadata)
        return err_nomem(e);
    rc = dsft_make_header(d->in->package, d->base, &d->header, d->file.metadata, e);
    return rc ? rc : source_read_sync(d->in->source, 0, d->file.metadata + DSFT_HEAD_BYTES, len, e);
}

/* The metadata was read a second time: it must be what was checked the first time. */
static int check_metadata(const struct diff *d, struct err *e)
{
    struct package *again = NULL;
    int rc = dsft_read_package(&d->header, d->file.metadata + DSFT_HEAD_BYTES,
                               (size_t)d->header.metadata_bytes, &again, e);

    package_free(again);
    return rc;
}

static int cut(struct diff *d, struct err *e)
{
    const struct block_copy copy = {
        .package = d->in->package,
        .source = d->in->source,
        .write = block_file_write,
        .arg = &d->file,
    };
    int rc = find_base(d, e);

    if (!rc)
        rc = block_file_open(&d->file, d->path, d->force, e);
    if (!rc)
        rc = read_metadata(d, e);
    if (!rc)
        rc = check_metadata(d, e);
    if (rc)
        return rc;
    size_t head = DSFT_HEAD_BYTES + (size_t)d->header.metadata_bytes;
    block_file_begin(&d->file, "copied", d->header.file_bytes - head, sft_progress(d->in));
    rc = block_copy(&copy, d->header.first_block, d->header.block_count, e);
    return block_file_finish(&d->file, rc, head, e);
}

static void print_json(const struct diff *d)
{
    const struct sft_dsft *h = &d->header;
    struct json j = json_begin(stdout);

    json_object(&j, NULL);
    json_string(&j, "output", d->path);
    json_guid(&j, "package_guid", &h->package_guid);
    json_object(&j, "base");
    json_uint(&j, "number", h->base_number);
    json_guid(&j, "guid", &h->base_guid);
    json_close_object(&j);
    json_object(&j, "target");
    json_uint(&j, "number", h->target_number);
    json_guid(&j, "guid", &h->target_guid);
    json_close_object(&j);
    json_uint(&j, "blocks", h->block_count);
    json_uint(&j, "first_block", h->first_block);
    json_uint(&j, "metadata_bytes", h->metadata_bytes);
    json_uint(&j, "bytes", h->file_bytes);
    json_uint(&j, "target_bytes", h->target_bytes);
    json_close_object(&j);
    json_end(&j); /* report_finish() looks */
}

static void print_text(const struct diff *d)
{
    const struct sft_dsft *h = &d->header;
    char bytes[TEXT_SIZE_SIZE], whole[TEXT_SIZE_SIZE];

    text_size(h->file_bytes, bytes);
    text_size(h->target_bytes, whole);
    (void)printf("%s: version %" PRIu32 " against version %" PRIu32 "\n", d->path,
                 h->target_number, h->base_number);
    (void)printf("%" PRIu32 " of %" PRIu32 " blocks, %s instead of %s (%.1f %%)\n", h->block_count,
                 h->first_block + h->block_count, bytes, whole,
                 100.0 * (double)h->file_bytes / (double)h->target_bytes);
}

static enum exitcode diff(struct diff *d, const char *location)
{
    enum exitcode status = sft_open(d->in, location);
    struct err e = { 0 };

    if (status != EXITCODE_OK)
        return status;
    if (cut(d, &e))
        return report_error(&d->in->report, location, &e);
    if (d->in->report.json)
        print_json(d);
    else if (!d->in->quiet)
        print_text(d);
    return EXITCODE_OK;
}

static int run(int argc, char **argv)
{
    struct sft_input in = SFT_INPUT_INIT;
    struct diff d = { .in = &in };
    enum exitcode status;
    struct cli cli;
    int id, rc;

    cli_begin(&cli, &command, argc, argv);
    while ((id = cli_next(&cli)) > 0) {
        if (id == OPT_OUTPUT)
            d.path = cli.arg;
        else if (id == OPT_FORCE)
            d.force = true;
        else if (id == OPT_BASE)
            d.base_text = cli.arg;
        else if ((rc = sft_common_option(&in, &cli, id)))
            return rc;
    }
    if (id < 0)
        return (int)cli.status;
    if (cli.operand_count != 1)
        return cli_usage_error(&cli, "diff needs one NEW.sft");
    if (!d.path || !*d.path)
        return cli_usage_error(&cli, "no output: give -o FILE.dsft");

    interrupt_begin(&d.interrupt);
    d.file.interrupt = &d.interrupt;
    status = diff(&d, cli.operands[0]);
    block_file_close(&d.file);
    sft_close(&in);
    interrupt_end(&d.interrupt);
    return (int)report_finish(&in.report, status);
}

const struct sft_subcommand sft_diff = { &command, run };
