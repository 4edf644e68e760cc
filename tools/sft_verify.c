/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `sft verify`: checks a whole package and names everything that is wrong with it: each bad block,
 * and the files that have bytes in it.
 */
#include "config.h"

#include <inttypes.h>

#include "fetch/archive_check.h"
#include "tools/interrupt.h"
#include "tools/json.h"
#include "tools/progress.h"
#include "tools/sft.h"
#include "tools/sft_common.h"
#include "tools/signature_text.h"
#include "tools/text.h"
#include "tools/verify.h"
#include "tools/verify_report.h"

enum { OPT_THREADS = CLI_ID_OWN, OPT_CA, OPT_NO_SIGNATURE };

static const struct cli_option options[] = {
    { "threads", 'j', "N", "Decode on N threads. Default: one a processor, at most 8.",
      OPT_THREADS },
    { "ca", 0, "FILE",
      "Certificates (PEM) that signers of packages may be trusted by; a package that has no signature "
      "is refused then, whatever its kind. Without it only whether a signature is intact is looked "
      "at, not whose it is: exit status 0 says nothing of who made the package.",
      OPT_CA },
    { "no-signature", 0, NULL, "Do not look at the signature.", OPT_NO_SIGNATURE },
    SFT_QUIET_OPTION,
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
    .name = "sft verify",
    .synopsis = synopsis,
    .summary = "Checks every structure and every block of a package.",
    .description = "Prints each block that is bad with the files that have bytes in it, and exits "
                   "with 5 if anything is wrong. Of AppX, MSIX, App-V 5 and bundles the archive is "
                   "checked, too (exit status 15 if it breaks rules of the format), and the signature: 12 "
                   "if the package is not what was signed, 13 if the signer is not to be trusted, 14 if "
                   "there is none. Of several of these the exit status is the first in the order 5, 12, "
                   "15, 13, 14.",
    .groups = groups,
};

struct verify_run {
    struct sft_input *in;
    struct interrupt interrupt;
    struct progress progress;
    struct verify_result result;
    bool duplicate_id;
    uint32_t id_nodes[2];
    const char *ca_file;
    bool no_signature;
    struct archive_report archive;
};

static int step(void *arg, uint64_t stored_bytes, struct err *e)
{
    struct verify_run *v = arg;

    progress_update(&v->progress, stored_bytes);
    return interrupt_check(&v->interrupt, e);
}

/* How many blocks SOURCE has, and their stored bytes. */
static uint32_t block_count(const struct sft_input *in, uint64_t *bytes)
{
    const struct package_info *info = package_info(in->package);

    *bytes = in->differential ? in->dsft.file_bytes - DSFT_HEAD_BYTES - in->dsft.metadata_bytes
                              : info->stored_bytes;
    return in->differential ? in->dsft.block_count : info->block_count;
}

static int archive_step(void *arg, uint64_t bytes, struct err *e)
{
    struct verify_run *v = arg;

    progress_update(&v->progress, bytes);
    return interrupt_check(&v->interrupt, e);
}

static enum exitcode signature_status(const struct verify_run *v)
{
    switch (v->archive.verdict) {
    case SIGNATURE_TAMPERED:
        return EXITCODE_TAMPERED;
    case SIGNATURE_UNTRUSTED:
        return EXITCODE_UNTRUSTED;
    case SIGNATURE_UNSIGNED:
        return EXITCODE_UNSIGNED;
    case SIGNATURE_NONE:
        return v->ca_file ? EXITCODE_UNSIGNED : EXITCODE_OK;
    default:
        return EXITCODE_OK;
    }
}

/* Who names trusted signers wants one: a package of a kind without signatures, put in the place of a signed
 * one, must not pass. */
static void check_wanted(struct verify_run *v)
{
    if (v->ca_file && v->archive.verdict == SIGNATURE_NONE)
        (void)snprintf(v->archive.why, sizeof v->archive.why,
                       "an SFT cannot be signed, and --ca asks for a signature");
}

static void print_rules(const struct appx_findings *f)
{
    for (uint64_t i = 0; i < f->count && i < APPX_FINDINGS_MAX; i++) {
        (void)fputs("rule broken: ", stdout);
        text_put(stdout, f->text[i]);
        (void)putchar('\n');
    }
    if (f->count > APPX_FINDINGS_MAX)
        (void)printf("rules broken: %" PRIu64 " more\n", f->count - APPX_FINDINGS_MAX);
}

static void print_rules_json(struct json *j, const struct archive_report *r)
{
    json_object(j, "rules");
    json_bool(j, "checked", r->is_archive);
    json_uint(j, "broken", r->rules.count);
    json_array(j, "findings");
    for (uint64_t i = 0; i < r->rules.count && i < APPX_FINDINGS_MAX; i++)
        json_string(j, NULL, r->rules.text[i]);
    json_close_array(j);
    json_close_object(j);
}

/* The worst of what was found. */
static enum exitcode verdict(const struct verify_run *v)
{
    enum exitcode signature = signature_status(v);

    if (v->result.bad_count || v->duplicate_id)
        return EXITCODE_DAMAGED;
    if (signature == EXITCODE_TAMPERED || !v->archive.rules.count)
        return signature;
    return EXITCODE_RULES;
}

static void print_text(const struct verify_run *v)
{
    const struct package *p = v->in->package;
    const struct package_info *info = package_info(p);
    char size[TEXT_SIZE_SIZE];
    uint64_t bytes;
    uint32_t blocks = block_count(v->in, &bytes);

    for (size_t i = 0; i < v->result.bad_count; i++)
        verify_print_bad(p, &v->result.bad[i]);
    if (v->duplicate_id) {
        (void)fputs("file id used twice: ", stdout);
        verify_print_path(p, v->id_nodes[0]);
        (void)fputs(" and ", stdout);
        verify_print_path(p, v->id_nodes[1]);
        (void)putchar('\n');
    }
    text_size(bytes, size);
    const char *inner = package_find_detail(p, "bundle_package");
    (void)printf("%s: ", source_name(v->in->source));
    if (inner) { /* the others of the bundle were not looked at, but for the signature */
        text_put(stdout, inner);
        (void)fputs(": ", stdout);
    }
    (void)printf("%" PRIu32 " blocks (%s), %" PRIu32 " files", blocks, size, info->file_count);
    if (v->result.bad_count)
        (void)printf(": %zu bad blocks, %" PRIu64 " files affected\n", v->result.bad_count,
                     v->result.files_affected);
    else
        (void)puts(v->duplicate_id ? ": damaged" : ": all good");
    print_rules(&v->archive.rules);
    signature_print(&v->archive);
}

static void print_json(const struct verify_run *v)
{
    const struct package *p = v->in->package;
    const struct package_info *info = package_info(p);
    struct json j = json_begin(stdout);
    uint64_t bytes;
    uint32_t blocks = block_count(v->in, &bytes);

    json_object(&j, NULL);
    json_string(&j, "source", source_name(v->in->source));
    json_string(&j, "bundle_package", package_find_detail(p, "bundle_package"));
    json_bool(&j, "differential", v->in->differential);
    json_bool(&j, "ok", verdict(v) == EXITCODE_OK);
    json_uint(&j, "blocks", blocks);
    json_uint(&j, "stored_bytes", bytes);
    json_uint(&j, "files", info->file_count);
    json_uint(&j, "files_affected", v->result.files_affected);
    json_array(&j, "bad_blocks");
    for (size_t i = 0; i < v->result.bad_count; i++)
        verify_json_bad(&j, p, &v->result.bad[i]);
    json_close_array(&j);
    json_array(&j, "duplicate_file_ids");
    for (size_t i = 0; v->duplicate_id && i < 2; i++)
        verify_json_path(&j, p, v->id_nodes[i]);
    json_close_array(&j);
    print_rules_json(&j, &v->archive);
    signature_json(&j, &v->archive);
    json_close_object(&j);
    json_end(&j); /* report_finish() looks */
}

/* The blocks that a differential SFT has, and where. */
static struct verify_part part_of(const struct sft_input *in)
{
    uint32_t first = in->dsft.first_block;

    if (!in->differential)
        return (struct verify_part){ .first = 0 };
    if (!in->dsft.block_count)
        return (struct verify_part){ .first = first };
    return (struct verify_part){ first, dsft_block_offset(&in->dsft, in->package, first) -
                                            package_block(in->package, first)->offset };
}

static enum exitcode verify(struct verify_run *v, unsigned threads)
{
    const struct verify_part part = part_of(v->in);
    const struct archive_check_options check = { .ca_file = v->ca_file, .no_signature = v->no_signature,
                                                   .step = archive_step, .arg = v };
    struct err e = { 0 };
    uint64_t bytes;
    int rc;

    (void)block_count(v->in, &bytes);
    v->progress = progress_begin("checked", bytes, sft_progress(v->in));
    rc = verify_part(v->in->package, v->in->source, &part, threads, step, v, &v->result, &e);
    progress_clear(&v->progress);
    if (!rc)
        rc = verify_file_ids(v->in->package, &v->duplicate_id, v->id_nodes, &e);
    v->progress = progress_begin("of the archive checked", source_size(v->in->source),
                                 sft_progress(v->in));
    if (!rc)
        rc = archive_check(v->in->source, &check, &v->archive, &e);
    progress_clear(&v->progress);
    if (rc)
        return report_error(&v->in->report, v->in->location, &e);
    check_wanted(v);
    if (v->in->report.json)
        print_json(v);
    else
        print_text(v);
    return verdict(v);
}

static int run(int argc, char **argv)
{
    struct sft_input in = SFT_INPUT_INIT;
    struct verify_run v = { .in = &in };
    uint64_t threads = 0;
    enum exitcode status;
    struct err e;
    struct cli cli;
    int id, rc;

    cli_begin(&cli, &command, argc, argv);
    while ((id = cli_next(&cli)) > 0) {
        if (id == OPT_THREADS && cli_parse_number("threads", cli.arg, 1, 8, &threads, &e))
            return cli_usage_error(&cli, "%s", e.text);
        if (id == OPT_CA)
            v.ca_file = cli.arg;
        else if (id == OPT_NO_SIGNATURE)
            v.no_signature = true;
        else if (id != OPT_THREADS && (rc = sft_common_option(&in, &cli, id)))
            return rc;
    }
    if (id < 0)
        return (int)cli.status;
    if (cli.operand_count != 1)
        return cli_usage_error(&cli, "verify needs one SOURCE");
    if (v.ca_file && v.no_signature)
        return cli_usage_error(&cli, "--ca has no effect with --no-signature");
    if (v.ca_file && v.no_signature)
        return cli_usage_error(&cli, "--ca asks for a signature, and --no-signature not to look at it");
    if (in.connection.container.unverified)
        return cli_usage_error(&cli, "--verify=off leaves nothing to verify");

    interrupt_begin(&v.interrupt);
    status = sft_open_either(&in, cli.operands[0]);
    if (status == EXITCODE_OK)
        status = verify(&v, (unsigned)threads);
    archive_report_clear(&v.archive);
    verify_result_free(&v.result);
    sft_close(&in);
    interrupt_end(&v.interrupt);
    return (int)report_finish(&in.report, status);
}

const struct sft_subcommand sft_verify = { &command, run };
