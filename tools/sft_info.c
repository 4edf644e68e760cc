/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `sft info`: what a package says of itself. With --sections it describes any file, also one that
 * is refused, so that its owner can tell the project what it holds.
 */
#include "config.h"

#include <ctype.h>
#include <inttypes.h>

#include "src/codec.h"
#include "src/container.h"
#include "tools/json.h"
#include "tools/sft.h"
#include "tools/sft_common.h"
#include "tools/signature_text.h"
#include "tools/text.h"
#include "tools/zip_sections.h"

enum { OPT_SECTIONS = CLI_ID_OWN };

static const struct cli_option options[] = {
    { "sections", 0, NULL,
      "Show what the file holds section by section, whether it can be read or not. For a file that "
      "is refused, this is the text to send in.",
      OPT_SECTIONS },
    SFT_JSON_OPTION,
    { NULL, 0, NULL, NULL, 0 },
};
static const struct cli_group groups[] = {
    { NULL, CLI_STYLE_LONG, options },
    CONNECTION_GROUP,
    { NULL, CLI_STYLE_LONG, NULL },
};
static const char *const synopsis[] = { "[OPTION]... SOURCE", NULL };
static const struct cli_command command = {
    .name = "sft info",
    .synopsis = synopsis,
    .summary = "Shows identity, sizes and history of a package.",
    .groups = groups,
};

/* How many blocks the launch set has, and their stored bytes. */
static uint64_t launch_blocks(const struct package *p, uint64_t *bytes)
{
    const struct package_info *info = package_info(p);
    uint64_t n = 0;

    *bytes = 0;
    for (uint32_t i = 0; i < info->launch_run_count; i++) {
        const struct block_run *run = &info->launch_runs[i];
        n += run->count;
        for (uint32_t b = run->first; b < run->first + run->count; b++)
            *bytes += package_block(p, b)->stored_len;
    }
    return n;
}

/* What the package's own documents say: members of DETAILS, and in it a list for each list of things. */
static void print_details_json(struct json *j, const struct package *p)
{
    size_t count;
    const struct package_detail *d = package_details(p, &count);
    const char *list = "";

    json_object(j, "details");
    for (size_t i = 0; i < count; i++) {
        bool is_new = i == 0 || strcmp(d[i].list, list);
        if (is_new && list[0]) {
            json_close_object(j);
            json_close_array(j);
        } else if (!is_new && list[0] && d[i].item != d[i - 1].item) {
            json_close_object(j);
            json_object(j, NULL);
        }
        if (is_new && d[i].list[0]) {
            json_array(j, d[i].list);
            json_object(j, NULL);
        }
        list = d[i].list;
        json_string(j, d[i].key, d[i].value);
    }
    if (list[0]) {
        json_close_object(j);
        json_close_array(j);
    }
    json_close_object(j);
}

static void print_json(const struct sft_input *in, const struct archive_report *signature)
{
    const struct package_info *info = package_info(in->package);
    struct json j = json_begin(stdout);
    uint64_t launch_bytes;

    json_object(&j, NULL);
    json_string(&j, "source", source_name(in->source));
    json_string(&j, "format", info->format);
    json_string(&j, "name", info->name);
    json_string(&j, "asset_directory", info->root_name);
    json_guid(&j, "package_guid", &info->package_guid);
    json_guid(&j, "version_guid", &info->version_guid);
    json_uint(&j, "version", info->version_number);
    json_filetime(&j, "created", info->created);
    json_uint(&j, "block_size", info->block_size);
    json_string(&j, "codec", codec_name(info->codec));
    json_bool(&j, "case_sensitive", info->case_sensitive);
    json_uint(&j, "files", info->file_count);
    json_uint(&j, "directories", info->dir_count);
    json_uint(&j, "nodes", info->node_count);
    json_uint(&j, "memory_bytes", package_memory(in->package));
    json_uint(&j, "file_bytes", info->file_bytes);
    json_uint(&j, "blocks", info->block_count);
    json_uint(&j, "stored_bytes", info->stored_bytes);
    json_uint(&j, "metadata_bytes", info->metadata_bytes);
    json_uint(&j, "container_bytes", info->container_bytes);
    json_uint(&j, "source_bytes", source_size(in->source));
    json_uint(&j, "security_descriptors", info->sd_count);
    json_uint(&j, "launch_blocks", launch_blocks(in->package, &launch_bytes));
    json_uint(&j, "launch_bytes", launch_bytes);
    json_array(&j, "launch_runs");
    for (uint32_t i = 0; i < info->launch_run_count; i++) {
        json_object(&j, NULL);
        json_uint(&j, "first", info->launch_runs[i].first);
        json_uint(&j, "count", info->launch_runs[i].count);
        json_close_object(&j);
    }
    json_close_array(&j);
    json_array(&j, "versions");
    for (uint32_t i = 0; i < info->version_count; i++) {
        json_object(&j, NULL);
        json_uint(&j, "number", info->versions[i].number);
        json_guid(&j, "guid", &info->versions[i].guid);
        json_uint(&j, "first_new_block", info->versions[i].first_new_block);
        json_filetime(&j, "created", info->versions[i].created);
        json_close_object(&j);
    }
    json_close_array(&j);
    json_hex(&j, "root_hash", info->root_hash, sizeof info->root_hash);
    print_details_json(&j, in->package);
    if (signature->verdict != SIGNATURE_NONE)
        signature_json(&j, signature);
    json_close_object(&j);
    json_end(&j); /* report_finish() looks */
}

static void line_bytes(const char *label, uint64_t bytes)
{
    char text[TEXT_SIZE_SIZE];

    text_size(bytes, text);
    if (bytes < 1000)
        (void)printf("%-18s%" PRIu64 " bytes\n", label, bytes);
    else
        (void)printf("%-18s%" PRIu64 " bytes (%s)\n", label, bytes, text);
}

static void line_text(const char *label, const char *text)
{
    (void)printf("%-18s", label);
    text_put(stdout, text[0] ? text : "-");
    (void)putchar('\n');
}

static void line_time(const char *label, int64_t ticks)
{
    char text[TEXT_TIME_SIZE];

    line_text(label, ticks && text_time(ticks, text) ? text : "");
}

static void print_versions(const struct package_info *info)
{
    for (uint32_t i = 0; i < info->version_count; i++) {
        const struct package_version *v = &info->versions[i];
        char guid[GUID_TEXT_SIZE], created[TEXT_TIME_SIZE];

        guid_format(&v->guid, guid);
        if (!v->created || !text_time(v->created, created))
            created[0] = '\0';
        (void)printf("%-18s%" PRIu32 "  %s  blocks from %" PRIu32 "  %s\n",
                     i ? "" : "History:", v->number, guid, v->first_new_block, created);
    }
}

/* "display_name" -> "Display name" */
static void put_words(char *out, size_t size, const char *word)
{
    (void)snprintf(out, size, "%s", word);
    for (char *p = out; *p; p++)
        if (*p == '_')
            *p = ' ';
    *out = (char)toupper((unsigned char)*out);
}

static void line_detail(const char *indent, const struct package_detail *d)
{
    char words[64], label[80];

    put_words(words, sizeof words, d->key);
    (void)snprintf(label, sizeof label, "%s%s:", indent, words);
    if (strlen(label) >= 18)
        (void)printf("%s ", label);
    else
        (void)printf("%-18s", label);
    text_put(stdout, d->value);
    (void)putchar('\n');
}

static void print_details(const struct package *p)
{
    size_t count;
    const struct package_detail *d = package_details(p, &count);

    for (size_t i = 0; i < count; i++) {
        if (d[i].list[0] && (!i || strcmp(d[i].list, d[i - 1].list) || d[i].item != d[i - 1].item)) {
            char list[64];
            put_words(list, sizeof list, d[i].list);
            (void)printf("%s %" PRIu32 ":\n", list, d[i].item + 1);
        }
        line_detail(d[i].list[0] ? "  " : "", &d[i]);
    }
}

static void print_text(const struct sft_input *in, const struct archive_report *signature)
{
    const struct package_info *info = package_info(in->package);
    bool is_sft = !strcmp(info->format, "sft");
    char guid[GUID_TEXT_SIZE], launch_size[TEXT_SIZE_SIZE];
    uint64_t launch_bytes;

    line_text("Source:", source_name(in->source));
    line_text("Name:", info->name);
    line_text("Format:", info->format);
    guid_format(&info->package_guid, guid);
    line_text("Package GUID:", guid);
    guid_format(&info->version_guid, guid);
    line_text("Version GUID:", guid);
    if (is_sft) { /* the others have a version of four numbers, which is among the details */
        (void)printf("%-18s%" PRIu32 "\n", "Version:", info->version_number);
        line_time("Created:", info->created);
        line_text("Asset directory:", info->root_name);
    }
    (void)printf("%-18s%" PRIu32 "\n", "Files:", info->file_count);
    (void)printf("%-18s%" PRIu32 "\n", "Directories:", info->dir_count);
    line_bytes("File contents:", info->file_bytes);
    (void)printf("%-18s%" PRIu32 " of %" PRIu32 " bytes, %s\n", "Blocks:", info->block_count,
                 info->block_size, codec_name(info->codec) ? codec_name(info->codec) : "?");
    uint64_t launch = launch_blocks(in->package, &launch_bytes);
    text_size(launch_bytes, launch_size);
    (void)printf("%-18s%" PRIu64 " blocks, %s stored\n", "Launch set:", launch, launch_size);
    line_bytes("Stored:", info->stored_bytes);
    if (info->file_bytes)
        (void)printf("%-18s%.1f %% of the file contents\n", "",
                     100.0 * (double)info->stored_bytes / (double)info->file_bytes);
    if (is_sft)
        line_bytes("Metadata:", info->metadata_bytes);
    line_bytes("Package length:", info->container_bytes);
    if (info->case_sensitive)
        line_text("Names:", "case-sensitive");
    (void)printf("%-18s", "Root hash:");
    for (size_t i = 0; i < sizeof info->root_hash; i++)
        (void)printf("%02x", info->root_hash[i]);
    (void)putchar('\n');
    print_versions(info);
    print_details(in->package);
    signature_print(signature);
}

/* A differential SFT: which version it takes to which, and how much of it there is. */
static void print_differential_json(const struct sft_input *in)
{
    const struct package_info *info = package_info(in->package);
    const struct sft_dsft *h = &in->dsft;
    struct json j = json_begin(stdout);

    json_object(&j, NULL);
    json_string(&j, "source", source_name(in->source));
    json_string(&j, "format", "dsft");
    json_string(&j, "name", info->name);
    json_guid(&j, "package_guid", &h->package_guid);
    json_object(&j, "base");
    json_uint(&j, "number", h->base_number);
    json_guid(&j, "guid", &h->base_guid);
    json_close_object(&j);
    json_object(&j, "target");
    json_uint(&j, "number", h->target_number);
    json_guid(&j, "guid", &h->target_guid);
    json_filetime(&j, "created", info->created);
    json_uint(&j, "blocks", info->block_count);
    json_uint(&j, "container_bytes", h->target_bytes);
    json_hex(&j, "root_hash", h->root_hash, sizeof h->root_hash);
    json_close_object(&j);
    json_uint(&j, "first_block", h->first_block);
    json_uint(&j, "blocks", h->block_count);
    json_uint(&j, "metadata_bytes", h->metadata_bytes);
    json_uint(&j, "bytes", h->file_bytes);
    json_close_object(&j);
    json_end(&j); /* report_finish() looks */
}

static void line_version(const char *label, uint32_t number, const struct guid *guid)
{
    char text[GUID_TEXT_SIZE];

    guid_format(guid, text);
    (void)printf("%-18s%" PRIu32 "  %s\n", label, number, text);
}

static void print_differential_text(const struct sft_input *in)
{
    const struct package_info *info = package_info(in->package);
    const struct sft_dsft *h = &in->dsft;
    char guid[GUID_TEXT_SIZE];

    line_text("Source:", source_name(in->source));
    line_text("Name:", info->name);
    line_text("Format:", "dsft (differential SFT)");
    guid_format(&h->package_guid, guid);
    line_text("Package GUID:", guid);
    line_version("Old version:", h->base_number, &h->base_guid);
    line_version("New version:", h->target_number, &h->target_guid);
    line_time("Created:", info->created);
    (void)printf("%-18s%" PRIu32 " of %" PRIu32 ", from number %" PRIu32 " on\n", "Blocks:",
                 h->block_count, info->block_count, h->first_block);
    line_bytes("Metadata:", h->metadata_bytes);
    line_bytes("Length:", h->file_bytes);
    line_bytes("Whole package:", h->target_bytes);
}

/* Who signed a package that has a signature: a few documents more are read for it. */
static enum exitcode read_signature(const struct sft_input *in, struct archive_report *out)
{
    const struct archive_check_options o = { .documents_only = true };
    const char *has = package_find_detail(in->package, "has_signature");
    struct err e = { 0 };

    *out = (struct archive_report){ .verdict = SIGNATURE_NONE };
    if (!has || strcmp(has, "yes") || !archive_check(in->source, &o, out, &e))
        return EXITCODE_OK;
    enum exitcode status = exitcode_of(e.kind);
    if (status != EXITCODE_DAMAGED && status != EXITCODE_NOT_A_PACKAGE)
        return report_error(&in->report, in->location, &e);
    out->verdict = SIGNATURE_TAMPERED; /* and the rest can be shown all the same */
    (void)snprintf(out->why, sizeof out->why, "%.380s", e.text);
    return EXITCODE_OK;
}

static enum exitcode print(const struct sft_input *in)
{
    struct archive_report signature;

    if (in->differential) {
        (in->report.json ? print_differential_json : print_differential_text)(in);
        return EXITCODE_OK;
    }
    enum exitcode status = read_signature(in, &signature);
    if (status == EXITCODE_OK)
        (in->report.json ? print_json : print_text)(in, &signature);
    archive_report_clear(&signature);
    return status;
}

static void describe_line(void *arg, const char *text)
{
    struct json *j = arg;

    if (j) {
        json_string(j, NULL, text);
        return;
    }
    text_put(stdout, text);
    (void)putchar('\n');
}

static enum exitcode sections(struct sft_input *in, const char *location)
{
    auto_free void *head = NULL;
    struct err e = { 0 };
    size_t len;

    in->location = location;
    if (source_open(location, &in->connection, CONTAINER_HEAD_BYTES, &in->source, &e))
        return report_error(&in->report, location, &e);
    len = (size_t)min_u64(source_size(in->source), CONTAINER_HEAD_BYTES);
    head = malloc(len ? len : 1);
    if (!head) {
        (void)err_nomem(&e);
        return report_error(&in->report, location, &e);
    }
    if (len && source_read_sync(in->source, 0, head, len, &e))
        return report_error(&in->report, location, &e);
    if (in->report.json) {
        struct json j = json_begin(stdout);

        json_object(&j, NULL);
        json_string(&j, "source", source_name(in->source));
        json_uint(&j, "source_bytes", source_size(in->source));
        json_array(&j, "sections");
        container_describe(head, len, source_size(in->source), describe_line, &j);
        zip_sections(in->source, describe_line, &j);
        json_close_array(&j);
        json_close_object(&j);
        json_end(&j); /* report_finish() looks */
    } else {
        container_describe(head, len, source_size(in->source), describe_line, NULL);
        zip_sections(in->source, describe_line, NULL);
    }
    return EXITCODE_OK;
}

static int run(int argc, char **argv)
{
    struct sft_input in = SFT_INPUT_INIT;
    bool want_sections = false;
    enum exitcode status;
    struct cli cli;
    int id, rc;

    cli_begin(&cli, &command, argc, argv);
    while ((id = cli_next(&cli)) > 0) {
        if (id == OPT_SECTIONS)
            want_sections = true;
        else if ((rc = sft_common_option(&in, &cli, id)))
            return rc;
    }
    if (id < 0)
        return (int)cli.status;
    if (cli.operand_count != 1)
        return cli_usage_error(&cli, "info needs one SOURCE");

    if (want_sections) {
        status = sections(&in, cli.operands[0]);
    } else {
        status = sft_open_either(&in, cli.operands[0]);
        if (status == EXITCODE_OK)
            status = print(&in);
    }
    sft_close(&in);
    return (int)report_finish(&in.report, status);
}

const struct sft_subcommand sft_info = { &command, run };
