/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The MSIX and App-V 5 writer of `sft pack` and `sft convert`. Files of the launch set come first, in
 * its order; then directory by directory. See pack_appx.h.
 */
#include "config.h"

#include "tools/pack_appx.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "src/appx_parts.h"
#include "src/codec.h"
#include "src/pack_plan.h"
#include "src/xml.h"
#include "tools/pack_appv.h"
#include "tools/pack_manifest.h"
#include "tools/pack_parts.h"
#include "tools/pack_reader.h"

#define REGISTRY "Registry.dat"

struct pack_appx {
    struct pack_job *job;
    struct pack_tree *tree;
    struct pack_parts *parts;
    struct pack_manifest *manifest; /* NULL when the tree has one */
    char *own_manifest;             /* the tree's */
    size_t own_manifest_len;
    struct appx_manifest *own;      /* and what it says */
    uint32_t *order;                /* entries of payload */
    uint32_t count;
    uint32_t registry;              /* App-V: entry of Registry.dat, or PACK_NO_RANK */
    uint32_t empty_directories;
};

static bool is_appv(const struct pack_appx *p)
{
    return p->job->o.format == PACK_APPV;
}

/* --- payload ---------------------------------------------------------------------------------- */

struct place {
    uint32_t rank, dir, entry;
};

static int compare_places(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    if (x->dir != y->dir)
        return x->dir < y->dir ? -1 : 1;
    return (x->entry > y->entry) - (x->entry < y->entry);
}

/* Whether the file at PATH of an MSIX is made anew, and is no payload. */
static bool is_made_anew(const char *path)
{
    static const enum appx_part parts[] = { APPX_BLOCK_MAP, APPX_SIGNATURE_FILE, APPX_CONTENT_TYPES,
                                            APPX_CODE_INTEGRITY };
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (!strcasecmp(path, appx_part_name(parts[i])))
            return true;
    return false;
}

/* Takes the tree's own manifest of an MSIX. */
static int take_manifest(struct pack_appx *p, uint32_t entry, struct err *e)
{
    const struct pack_options *o = &p->job->o;
    const char *name = appx_part_name(APPX_MANIFEST);
    uint64_t size = p->tree->entries[entry].size;
    if (o->name || o->osd_count || o->app.publisher || o->app.version || o->app.arch || o->app.logo)
        return err_set(e, ERR_INVALID,
                       "%s has %s: --name, --publisher, --app-version, --arch, --logo and --osd have "
                       "no effect", o->dir, name);
    if (size > XML_BYTES_MAX)
        return err_set(e, ERR_LIMIT, "%s: more than %u bytes", name, XML_BYTES_MAX);
    p->own_manifest_len = (size_t)size;
    p->own_manifest = malloc((size_t)size + 1);
    if (!p->own_manifest)
        return err_nomem(e);
    struct pack_reader reader = pack_reader_of(p->tree);
    int rc = pack_reader_bytes(&reader, entry, 0, p->own_manifest, (size_t)size, e);
    pack_reader_close(&reader);
    if (rc)
        return rc;
    rc = pack_manifest_read(p->own_manifest, p->own_manifest_len, &p->own, e);
    if (rc)
        err_wrap(e, "%s/%s", o->dir, name);
    return rc;
}

/* A manifest in the tree of an App-V package: with Root beside it the tree is one of those that sft extract
 * --metadata writes, of which only what is below Root can be meant. */
static int doubt_manifest(const struct pack_appx *p, struct err *e)
{
    const char *dir = p->job->o.dir, *name = appx_part_name(APPX_MANIFEST);
    if (pack_tree_find(p->tree, "Root") != PACK_NO_RANK)
        return err_set(e, ERR_INVALID,
                       "%s has Root beside %s, as an App-V package has: give %s/Root, with Registry.dat "
                       "moved into it; the manifest is made from the options", dir, name, dir);
    pack_job_note(p->job, "%s is packed like any file: the manifest of an App-V package is made from the "
                          "options", name);
    return 0;
}

/* Whether ENTRY is payload; what is not is dealt with. */
static int sort_out(struct pack_appx *p, uint32_t entry, bool *payload, struct err *e)
{
    auto_free char *path = pack_tree_path(p->tree, entry);
    if (!path)
        return err_nomem(e);
    *payload = true;
    if (is_appv(p)) {
        if (!p->job->known && !strcasecmp(path, REGISTRY)) {
            p->registry = entry;
            *payload = false;
        }
        bool odd = !p->job->known && !strcasecmp(path, appx_part_name(APPX_MANIFEST));
        return odd ? doubt_manifest(p, e) : 0;
    }
    if (is_made_anew(path)) {
        pack_job_note(p->job, "%s is left out: it belongs to another package", path);
        *payload = false;
    } else if (!strcasecmp(path, appx_part_name(APPX_MANIFEST)) && !p->job->known) {
        *payload = false;
        return take_manifest(p, entry, e);
    } else if (!strcasecmp(path, appx_part_name(APPX_MANIFEST))) {
        pack_job_note(p->job, "%s is left out: another one is made", path);
        *payload = false;
    }
    return 0;
}

static int order_payload(struct pack_appx *p, struct err *e)
{
    struct pack_tree *t = p->tree;
    auto_free struct place *places = calloc(t->file_count + (size_t)1, sizeof *places);
    p->order = calloc(t->file_count + (size_t)1, sizeof *p->order);
    if (!places || !p->order)
        return err_nomem(e);
    for (uint32_t i = 0; i < t->file_count; i++) {
        bool payload = true;
        uint32_t entry = t->files[i];
        int rc = sort_out(p, entry, &payload, e);
        if (rc)
            return rc;
        if (payload)
            places[p->count++] = (struct place){ p->job->launch.files[i].rank,
                                                 t->entries[t->entries[entry].parent].dir_rank,
                                                 entry };
    }
    qsort(places, p->count, sizeof *places, compare_places);
    for (uint32_t i = 0; i < p->count; i++)
        p->order[i] = places[i].entry;
    for (uint32_t i = 1; i < t->count; i++)
        p->empty_directories += t->entries[i].flags & NODE_DIR && !t->entries[i].child_count;
    return 0;
}

/* --- documents -------------------------------------------------------------------------------- */

static int add_metadata(struct pack_appx *p, struct err *e)
{
    const char *name = pack_manifest_says(p->manifest)->identity.name;
    const char *given = p->job->install_root;
    size_t size = (given ? strlen(given) : strlen(name)) + sizeof "C:\\", len = 0;
    auto_free char *root = malloc(size);
    char *text = NULL;
    uint32_t too_deep;
    if (!root)
        return err_nomem(e);
    (void)snprintf(root, size, "%s%s", given ? "" : "C:\\", given ? given : name);
    int rc = pack_appv_metadata(p->tree, p->registry, root, &too_deep, &text, &len, e);
    if (!rc)
        rc = pack_parts_add_document(p->parts, appx_part_name(APPX_FILESYSTEM_METADATA), text, len,
                                     e);
    free(text);
    if (!rc && too_deep)
        pack_job_note(p->job, "%u files lie too deep for FilesystemMetadata.xml; they have no 8.3 names",
                      too_deep);
    return rc;
}

static int add_stream_map(struct pack_appx *p, struct err *e)
{
    char *text = NULL;
    size_t len = 0;
    int rc = pack_appv_stream_map(p->tree, &p->job->launch, &text, &len, e);
    if (!rc)
        rc = pack_parts_add_document(p->parts, appx_part_name(APPX_STREAM_MAP), text, len, e);
    free(text);
    return rc;
}

/* From all files and from what the manifest says but for this. */
static int derive_version(struct pack_appx *p, struct guid *out, struct err *e)
{
    uint8_t digests[64], sha[32];
    char *text = NULL;
    size_t len = 0;
    int rc = pack_manifest_write(p->manifest, &p->job->o.guid, &text, &len, e);
    if (rc)
        return rc;
    if (codec_sha256(NULL, text, len, digests) || pack_parts_digest(p->parts, digests + 32) ||
        codec_sha256(NULL, digests, sizeof digests, sha))
        rc = err_nomem(e);
    else
        guid_from_digest(sha, out);
    free(text);
    return rc;
}

static int add_manifest(struct pack_appx *p, struct err *e)
{
    struct pack_options *o = &p->job->o;
    char *text = NULL;
    size_t len = 0;
    int rc = 0;
    if (p->own_manifest)
        return pack_parts_add_document(p->parts, appx_part_name(APPX_MANIFEST), p->own_manifest,
                                       p->own_manifest_len, e);
    if (is_appv(p) && !o->has_version_guid)
        rc = derive_version(p, &o->version_guid, e);
    if (!rc)
        rc = pack_manifest_write(p->manifest, is_appv(p) ? &o->version_guid : NULL, &text, &len, e);
    if (!rc)
        rc = pack_parts_add_document(p->parts, appx_part_name(APPX_MANIFEST), text, len, e);
    free(text);
    return rc;
}

static int add_logo(struct pack_appx *p, struct err *e)
{
    if (!p->manifest || !pack_manifest_needs_logo(p->manifest))
        return 0;
    pack_job_note(p->job, "%s is added, because an MSIX needs an image; --logo names another",
                  PACK_LOGO);
    return pack_parts_add_document(p->parts, PACK_LOGO, pack_logo_png, pack_logo_png_len, e);
}

/* --- summary ---------------------------------------------------------------------------------- */

static const struct appx_manifest *says(const struct pack_appx *p)
{
    return p->manifest ? pack_manifest_says(p->manifest) : p->own;
}

static void print_json(const struct pack_appx *p, uint64_t bytes)
{
    const struct pack_tree *t = p->tree;
    const struct appx_manifest *m = says(p);
    struct json j = json_begin(stdout);
    json_object(&j, NULL);
    json_string(&j, "output", p->job->o.output);
    json_string(&j, "format", pack_format_name(p->job->o.format));
    json_string(&j, "name", m->identity.name);
    json_string(&j, "publisher", m->identity.publisher);
    json_string(&j, "package_version", m->identity.version);
    if (is_appv(p)) {
        json_guid(&j, "package_guid", &p->job->o.guid);
        json_guid(&j, "version_guid", &p->job->o.version_guid);
    }
    json_uint(&j, "files", t->file_count);
    json_uint(&j, "directories", t->dir_count);
    json_uint(&j, "skipped", t->skipped);
    json_uint(&j, "file_bytes", t->file_bytes);
    json_uint(&j, "bytes", bytes);
    pack_job_print_rest(p->job, &j);
    json_close_object(&j);
    json_end(&j); /* report_finish() looks at the stream */
}

static void print_summary(const struct pack_appx *p, uint64_t bytes)
{
    const struct appx_manifest *m = says(p);
    char guid[GUID_TEXT_SIZE];
    pack_job_print_sizes(p->job, bytes);
    (void)printf("%s %s of %s\n", m->identity.name, m->identity.version, m->identity.publisher);
    if (is_appv(p)) {
        guid_format(&p->job->o.guid, guid);
        (void)printf("package %s\n", guid);
    }
    pack_job_print_rest(p->job, NULL);
}

/* --- all of it -------------------------------------------------------------------------------- */

static int prepare(struct pack_appx *p, struct err *e)
{
    struct pack_options *o = &p->job->o;
    int rc = 0;
    if (is_appv(p) && !o->has_guid)
        rc = pack_job_random_guid(&o->guid, e);
    if (!rc)
        rc = order_payload(p, e);
    if (!rc && !p->own_manifest)
        rc = pack_manifest_new(p->job, &p->manifest, e);
    if (!rc && !is_appv(p) && p->empty_directories && !p->job->known)
        pack_job_note(p->job, "%u directories without files are left out: an MSIX cannot hold them",
                      p->empty_directories);
    return rc ? rc : pack_parts_new(p->job, &p->parts, e);
}

static int write_parts(struct pack_appx *p, struct err *e)
{
    int rc = pack_parts_add_files(p->parts, p->order, p->count, is_appv(p) ? "Root/" : "", e);
    if (!rc && p->registry != PACK_NO_RANK)
        rc = pack_parts_add_files(p->parts, &p->registry, 1, "", e);
    if (!rc)
        rc = add_logo(p, e);
    if (!rc && is_appv(p))
        rc = add_metadata(p, e);
    if (!rc && is_appv(p))
        rc = add_stream_map(p, e);
    if (!rc)
        rc = add_manifest(p, e);
    return rc ? rc : pack_parts_finish(p->parts, e);
}

static void clear(struct pack_appx *p)
{
    pack_parts_free(p->parts);
    pack_manifest_free(p->manifest);
    appx_manifest_free(p->own);
    free(p->own_manifest);
    free(p->order);
}

int pack_appx_write(struct pack_job *job, struct err *e)
{
    struct pack_appx p = { .job = job, .tree = &job->tree, .registry = PACK_NO_RANK };
    int rc = prepare(&p, e);
    if (!rc) {
        pack_job_begin_progress(job, job->tree.file_bytes);
        rc = write_parts(&p, e);
    }
    uint64_t bytes = pack_output_length(job->output);
    if (!rc)
        rc = pack_output_finish(job->output, NULL, 0, pack_job_tick_copy, job, e);
    progress_clear(&job->progress);
    if (!rc && job->o.json)
        print_json(&p, bytes);
    else if (!rc && !job->o.quiet)
        print_summary(&p, bytes);
    clear(&p);
    return rc;
}
