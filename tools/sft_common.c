/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the reading subcommands share. See sft_common.h. */
#include "config.h"

#include "tools/sft_common.h"

#include <string.h>
#include <strings.h>

#include "fetch/dsft_open.h"
#include "fetch/open.h"
#include "src/appx_parts.h"

int sft_common_option(struct sft_input *in, struct cli *cli, int id)
{
    struct err e;

    if (id == SFT_OPT_JSON) {
        in->report.json = true;
        return 0;
    }
    if (id == SFT_OPT_QUIET) {
        in->quiet = true;
        return 0;
    }
    if (connection_set(&in->connection, id, cli->arg, &e))
        return cli_usage_error(cli, "%s", e.text);
    return 0;
}

enum exitcode sft_open(struct sft_input *in, const char *location)
{
    struct err e = { 0 };

    in->location = location;
    if (package_open(location, &in->connection, &in->source, &in->package, &e))
        return report_error(&in->report, location, &e);
    return EXITCODE_OK;
}

enum exitcode sft_open_either(struct sft_input *in, const char *location)
{
    struct err e = { 0 };
    int rc;

    in->location = location;
    rc = package_open(location, &in->connection, &in->source, &in->package, &e);
    /* What begins like a differential SFT is opened again as one, which says more if it is damaged. */
    if (rc && !strcmp(e.section, SFT_TAG_DSFT)) {
        struct err why = { 0 };
        rc = dsft_open(location, &in->connection, &in->source, &in->dsft, &in->package, &why);
        in->differential = !rc;
        if (rc && why.kind != ERR_NOT_A_PACKAGE)
            e = why;
    }
    return rc ? report_error(&in->report, location, &e) : EXITCODE_OK;
}

enum progress_mode sft_progress(const struct sft_input *in)
{
    return in->quiet ? PROGRESS_NEVER : PROGRESS_AUTO;
}

enum exitcode sft_start_engine(struct sft_input *in)
{
    const struct engine_options o = { 0 };
    struct err e = { 0 };

    if (engine_new(in->package, in->source, &o, &in->engine, &e))
        return report_error(&in->report, in->location, &e);
    return EXITCODE_OK;
}

void sft_close(struct sft_input *in)
{
    engine_free(in->engine);
    in->engine = NULL;
    package_free(in->package);
    in->package = NULL;
    source_close(in->source);
    in->source = NULL;
}

/* Whether PATH is what an archive may call a file of its own, which only --metadata shows. */
static bool is_hidden_document(const struct sft_input *in, const char *path)
{
    static const enum appx_part own[] = { APPX_MANIFEST, APPX_FILESYSTEM_METADATA, APPX_STREAM_MAP };
    const char *format = package_info(in->package)->format;

    if (in->connection.container.metadata || (strcmp(format, "appx") && strcmp(format, "appv")))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        if (!strcasecmp(path, appx_part_name(own[i])))
            return true;
    return false;
}

enum exitcode sft_find(const struct sft_input *in, const char *path, uint32_t *node)
{
    struct err e = { 0 };

    *node =
        package_resolve(in->package, path ? path : "", package_info(in->package)->case_sensitive);
    if (*node != NODE_NONE)
        return EXITCODE_OK;
    (void)err_set(&e, ERR_NOT_FOUND, "%s: no such file or directory in the package%s", path,
                  is_hidden_document(in, path)
                      ? "; --metadata shows the container's own files"
                      : "");
    return report_error(&in->report, in->location, &e);
}

void sft_prefetch(const struct sft_input *in, uint32_t file, uint64_t off, uint64_t len)
{
    struct piece pieces[32];
    size_t n = package_map(in->package, file, off, len, pieces, ARRAY_LEN(pieces));

    for (size_t i = 0, run; i < n; i += run) {
        for (run = 1; i + run < n && pieces[i + run].block == pieces[i].block + run;)
            run++;
        (void)engine_prefetch(in->engine, pieces[i].block, (uint32_t)run, ENGINE_READAHEAD);
    }
}

int sft_stream(const struct sft_input *in, uint32_t file, void *buf, sft_sink_fn sink, void *arg,
               struct err *e)
{
    uint64_t size = package_node(in->package, file)->size;

    for (uint64_t off = 0; off < size;) {
        long got;
        int rc;

        if (size - off > SFT_STREAM_BYTES)
            sft_prefetch(in, file, off + SFT_STREAM_BYTES, SFT_STREAM_BYTES);
        got = engine_read_file(in->engine, file, off, buf,
                               (size_t)min_u64(size - off, SFT_STREAM_BYTES), e);
        if (got < 0)
            return (int)got;
        if (!got)
            return err_set(e, ERR_TRUNCATED, "the file ends early");
        rc = sink(arg, buf, (size_t)got, e);
        if (rc)
            return rc;
        off += (uint64_t)got;
    }
    return 0;
}

uint32_t sft_next_node(const struct package *p, uint32_t top, uint32_t node, bool into,
                       unsigned *depth)
{
    const struct node *n = package_node(p, node);

    if (into && sft_is_dir(n) && n->child_count) {
        ++*depth;
        return n->first_child;
    }
    while (node != top) {
        const struct node *parent = package_node(p, package_node(p, node)->parent);

        if (node + 1 < parent->first_child + parent->child_count)
            return node + 1;
        node = package_node(p, node)->parent;
        --*depth;
    }
    return NODE_NONE;
}
