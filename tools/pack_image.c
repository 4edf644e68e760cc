/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Entries of the walk become nodes one to one: both are breadth-first with siblings in the order of
 * fold_compare(). */
#include "config.h"

#include "tools/pack_image.h"

#include <string.h>
#include <strings.h>
#include <time.h>

#include "src/package_builder.h"
#include "tools/pack_job.h"
#include "tools/pack_old.h"

struct maker {
    const struct pack_image_input *in;
    struct pack_image *out;
};

static int64_t file_time(const struct pack_options *o, struct timespec t)
{
    return filetime_from_timespec(pack_job_time(o, t));
}

static int add_extents(struct maker *m, const struct extent *x, uint32_t count, struct err *e)
{
    struct pack_image *out = m->out;
    if (count > UINT32_MAX - out->image.extent_count)
        return err_set(e, ERR_LIMIT, "too many extents");
    uint32_t need = out->image.extent_count + count;
    if (need > out->extent_capacity) {
        size_t bigger = (size_t)need + need / 2 + 64;
        struct extent *p = realloc(out->extents, bigger * sizeof *p);
        if (!p)
            return err_nomem(e);
        out->extents = p;
        out->extent_capacity = bigger > UINT32_MAX ? UINT32_MAX : (uint32_t)bigger;
    }
    for (uint32_t i = 0; i < count; i++)
        out->extents[out->image.extent_count++] = x[i];
    return 0;
}

static int add_old_extents(struct maker *m, uint32_t node, struct err *e)
{
    uint32_t count = pack_old_extents(m->in->old, node, NULL, 0);
    auto_free struct extent *x = calloc(count + (size_t)1, sizeof *x);
    if (!x)
        return err_nomem(e);
    (void)pack_old_extents(m->in->old, node, x, count);
    return add_extents(m, x, count, e);
}

/* The extents of one file, with block numbers of the whole package. */
static int place_file(struct maker *m, uint32_t file, struct node *node, struct err *e)
{
    const struct pack_image_input *in = m->in;
    node->first_extent = m->out->image.extent_count;
    int rc = 0;
    if (in->old_file && in->old_file[file] != NODE_NONE) {
        rc = add_old_extents(m, in->old_file[file], e);
    } else {
        struct pack_extents x = in->plan->files[file];
        for (uint32_t i = 0; !rc && i < x.count; i++) {
            struct extent one = in->plan->extents[x.first + i];
            one.block += in->kept_blocks;
            rc = add_extents(m, &one, 1, e);
        }
    }
    node->extent_count = m->out->image.extent_count - node->first_extent;
    return rc;
}

/* What the walk cannot know and the old version does: App-V flags, file ids. */
static int inherit(struct maker *m, uint32_t entry, struct sft_image_node *to, struct err *e)
{
    const uint16_t inherited = NODE_USER_DATA | NODE_APPLICATION_DATA | NODE_OVERRIDE |
                               NODE_HIDDEN | NODE_SYSTEM | NODE_FILE_ID;
    auto_free char *path = pack_tree_package_path(m->in->tree, entry);
    if (!path)
        return err_nomem(e);
    const struct package *p = m->in->old->package;
    uint32_t index = package_resolve(p, path, true);
    if (index == NODE_NONE)
        index = package_resolve(p, path, false);
    if (index == NODE_NONE)
        return 0;
    const struct node *old = package_node(p, index);
    if ((old->flags ^ to->node.flags) & NODE_DIR)
        return 0;
    to->node.flags |= old->flags & inherited;
    to->node.sd = old->sd;
    return old->flags & NODE_FILE_ID ? package_file_id(p, index, &to->file_id) : 0;
}

static int make_nodes(struct maker *m, struct err *e)
{
    const struct pack_tree *tree = m->in->tree;
    struct sft_image_node *nodes = calloc(tree->count, sizeof *nodes);
    m->out->nodes = nodes;
    if (!nodes)
        return err_nomem(e);
    int rc = 0;
    for (uint32_t i = 0; !rc && i < tree->count; i++) {
        const struct pack_entry *x = &tree->entries[i];
        struct sft_image_node *n = &nodes[i];
        n->name = x->name;
        n->short_name = x->short_name;
        n->node.size = x->size;
        n->node.flags = x->flags;
        n->node.modified = n->node.created = file_time(m->in->options, x->mtime);
        if (x->flags & NODE_DIR)
            n->node.child_count = x->child_count;
        else
            rc = place_file(m, x->file, &n->node, e);
        if (!rc && m->in->old)
            rc = inherit(m, i, n, e);
    }
    m->out->image.nodes = nodes;
    m->out->image.node_count = tree->count;
    m->out->image.extents = m->out->extents;
    return rc;
}

/* Marks the blocks of extent X that hold bytes [begin, end) of it. */
static void want_blocks(const struct maker *m, const struct extent *x, uint64_t begin, uint64_t end,
                        bool *wanted)
{
    uint32_t size = m->out->image.block_size;
    for (uint64_t b = (x->from + begin) / size; begin < end && b <= (x->from + end - 1) / size; b++)
        if (x->block + b < m->in->block_count)
            wanted[x->block + b] = true;
}

/* The blocks that the launch set wants of a file. Ranges and extents are both in the order of the
 * file's bytes. */
static void want_file(const struct maker *m, const struct node *n,
                      const struct pack_launch_file *launch, bool *wanted)
{
    uint64_t at = 0;
    uint32_t first = 0; /* range that may reach into the extent */
    for (uint32_t j = 0; j < n->extent_count; j++) {
        const struct extent *x = &m->out->extents[n->first_extent + j];
        if (!launch->range_count)
            want_blocks(m, x, 0, x->length, wanted);
        for (uint32_t i = first; i < launch->range_count; i++) {
            const struct pack_range *r = &launch->ranges[i];
            uint64_t end = r->offset + r->len;
            if (r->offset >= at + x->length)
                break;
            want_blocks(m, x, max_u64(r->offset, at) - at,
                        end <= at ? 0 : min_u64(end - at, x->length), wanted);
            if (end <= at + x->length)
                first = i + 1;
        }
        at += x->length;
    }
}

/* The blocks that the launch set wants as runs of consecutive ones. */
static int make_launch_runs(struct maker *m, struct err *e)
{
    const struct pack_image_input *in = m->in;
    auto_free bool *wanted = calloc(in->block_count + (size_t)1, sizeof *wanted);
    if (!wanted)
        return err_nomem(e);
    for (uint32_t i = 0; i < in->tree->file_count; i++)
        if (in->launch[i].rank != PACK_NO_RANK)
            want_file(m, &m->out->nodes[in->tree->files[i]].node, &in->launch[i], wanted);
    uint32_t runs = 0;
    for (uint32_t i = 0; i < in->block_count; i++)
        runs += wanted[i] && (i == 0 || !wanted[i - 1]);
    struct block_run *out = calloc(runs + (size_t)1, sizeof *out);
    if (!out)
        return err_nomem(e);
    uint32_t at = 0;
    for (uint32_t i = 0; i < in->block_count; i++)
        if (wanted[i] && (i == 0 || !wanted[i - 1]))
            out[at++] = (struct block_run){ .first = i, .count = 1 };
        else if (wanted[i])
            out[at - 1].count++;
    m->out->launch_runs = out;
    m->out->image.launch_runs = out;
    m->out->image.launch_run_count = runs;
    return 0;
}

/* History: the old version's with the numbers its blocks have now, and this version. */
static int make_versions(struct maker *m, struct err *e)
{
    const struct pack_old *old = m->in->old;
    const struct package_info *info = old ? package_info(old->package) : NULL;
    uint32_t before = info ? info->version_count : 0;
    struct package_version *v = calloc(before + (size_t)1, sizeof *v);
    if (!v)
        return err_nomem(e);
    for (uint32_t i = 0; i < before; i++) {
        v[i] = info->versions[i];
        uint32_t first = 0;
        for (uint32_t b = 0; b < v[i].first_new_block && b < info->block_count; b++)
            first += old->new_index[b] != NODE_NONE;
        v[i].first_new_block = first;
    }
    v[before] = (struct package_version){
        .guid = m->out->image.version_guid,
        .number = m->out->image.version_number,
        .first_new_block = m->in->kept_blocks,
        .created = m->out->image.created,
    };
    m->out->versions = v;
    m->out->image.versions = v;
    m->out->image.version_count = before + 1;
    return 0;
}

/* The output's name without directory and ".sft". */
static char *name_of_output(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    size_t len = strlen(name);
    if (len > 4 && strcasecmp(name + len - 4, ".sft") == 0)
        len -= 4;
    return strndup(name, len);
}

/* The one top directory, if the tree has nothing else at the top. */
static const char *single_root(const struct pack_tree *tree)
{
    const struct pack_entry *root = &tree->entries[0];
    if (root->child_count != 1 || !(tree->entries[root->first_child].flags & NODE_DIR))
        return "";
    return tree->entries[root->first_child].name;
}

static int set_identity(struct maker *m, struct err *e)
{
    const struct pack_options *o = m->in->options;
    const struct package_info *info = m->in->old ? package_info(m->in->old->package) : NULL;
    struct pack_image *out = m->out;
    struct sft_image *im = &out->image;
    out->name = o->name ? strdup(o->name)
                : info && *info->name ? strdup(info->name)
                                      : name_of_output(o->output);
    out->root_name = strdup(single_root(m->in->tree));
    if (!out->name || !out->root_name)
        return err_nomem(e);
    struct err why = { 0 };
    if (package_text_check(out->name, "the package's name", &why))
        return err_set(e, ERR_INVALID, "%s; give another with --name", why.text);
    im->name = out->name;
    im->root_name = out->root_name;
    im->package_guid = info ? info->package_guid : o->guid;
    im->version_guid = o->has_version_guid ? o->version_guid : im->package_guid;
    im->version_number = o->version_number ? o->version_number
                         : info            ? info->version_number + 1
                                           : 1;
    if (info && im->version_number <= info->version_number)
        return err_set(e, ERR_INVALID, "the version number must be above %u, the old one",
                       info->version_number);
    im->block_size = o->block_size;
    im->codec = (uint8_t)o->codec;
    im->case_sensitive = o->case_sensitive;
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    im->created = file_time(o, now);
    im->blocks = m->in->blocks;
    im->block_count = m->in->block_count;
    im->dictionary = m->in->dictionary;
    im->dictionary_len = m->in->dictionary_len;
    return 0;
}

static int write_metadata(struct pack_image *out, struct err *e)
{
    free(out->metadata);
    out->metadata = NULL;
    return sft_write_metadata(&out->image, &out->metadata, &out->metadata_len, e);
}

/* Written once with the package GUID in place of the version's, to have something to derive it
 * from that covers everything else. */
static int derive_version_guid(struct pack_image *out, struct err *e)
{
    struct codec_context *ctx = NULL;
    uint8_t sha[32];
    int rc = write_metadata(out, e);
    if (rc)
        return rc;
    rc = codec_context_new(&ctx);
    if (!rc)
        rc = codec_sha256(ctx, out->metadata, out->metadata_len, sha);
    codec_context_free(ctx);
    if (rc)
        return err_nomem(e);
    guid_from_digest(sha, &out->image.version_guid);
    out->versions[out->image.version_count - 1].guid = out->image.version_guid;
    return 0;
}

static int take_sds(struct maker *m, struct err *e)
{
    const struct pack_old *old = m->in->old;
    uint32_t count = old ? package_info(old->package)->sd_count : 0;
    if (!count)
        return 0;
    m->out->sds = calloc(count, sizeof *m->out->sds);
    m->out->sd_lens = calloc(count, sizeof *m->out->sd_lens);
    if (!m->out->sds || !m->out->sd_lens)
        return err_nomem(e);
    for (uint32_t i = 0; i < count; i++)
        m->out->sds[i] = package_security_descriptor(old->package, i + 1, &m->out->sd_lens[i]);
    m->out->image.sds = m->out->sds;
    m->out->image.sd_lens = m->out->sd_lens;
    m->out->image.sd_count = count;
    return 0;
}

int pack_image_make(const struct pack_image_input *input, struct pack_image *out, struct err *e)
{
    *out = (struct pack_image){ 0 };
    struct maker m = { .in = input, .out = out };
    int rc = set_identity(&m, e);
    if (!rc)
        rc = take_sds(&m, e);
    if (!rc)
        rc = make_nodes(&m, e);
    if (!rc)
        rc = make_launch_runs(&m, e);
    if (!rc)
        rc = make_versions(&m, e);
    if (!rc && !input->options->has_version_guid)
        rc = derive_version_guid(out, e);
    if (!rc)
        rc = write_metadata(out, e);
    if (rc)
        pack_image_clear(out);
    return rc;
}

void pack_image_clear(struct pack_image *image)
{
    free(image->name);
    free(image->root_name);
    free(image->nodes);
    free(image->extents);
    free(image->launch_runs);
    free(image->versions);
    free(image->sds);
    free(image->sd_lens);
    free(image->metadata);
    *image = (struct pack_image){ 0 };
}
