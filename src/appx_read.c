/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads what makes a package of a ZIP archive: AppX, MSIX, App-V 5. Order: the archive's directory, the
 * block map, which every file must agree with, then the tree. Nothing here is signed or verified but
 * through the block map, whose own digest only the signature has (`sft verify`).
 */
#include "config.h"

#include "src/appx_read.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "src/appv_files.h"
#include "src/appv_tree.h"
#include "src/appx_build.h"
#include "src/appx_files.h"
#include "src/appx_inner.h"
#include "src/appx_launch.h"
#include "src/appx_manifest.h"
#include "src/appx_parts.h"
#include "src/codec.h"
#include "src/log.h"
#include "src/path_tree.h"
#include "src/zip.h"

/* What parse() works with. */
struct reading {
    const struct container_input *in;
    uint64_t base; /* of IN in the object */
    struct container_input view; /* what IN is when it is a part of the object */
    struct zip_directory directory;
    struct appx_parts parts;
    struct blockmap *map;
    struct appx_bundle *bundle; /* that the package is in, or NULL */
    bool bundle_signed;
    char *elsewhere;            /* the name of what is meant instead, or NULL */
    struct appx_manifest *manifest;
    struct appx_files files;
    struct appv_metadata *names; /* of App-V packages, if they have it */
    struct path_tree *tree;
    struct launch_runs launch;
    struct package_info info;
    bool is_appv;
};

static void reading_clear(struct reading *r)
{
    free(r->launch.runs);
    path_tree_free(r->tree);
    appv_metadata_free(r->names);
    appx_manifest_free(r->manifest);
    appx_bundle_free(r->bundle);
    free(r->elsewhere);
    appx_files_free(&r->files);
    blockmap_free(r->map);
    zip_directory_free(&r->directory);
}

/* --- what is needed --------------------------------------------------------------------------- */

static bool appx_probe(const struct container_input *in)
{
    return zip_begins(in);
}

static bool is_bundle(const struct appx_parts *parts)
{
    return !parts->entries[APPX_MANIFEST] && parts->entries[APPX_BUNDLE_MANIFEST];
}

static int check_kind(const struct appx_parts *parts, struct err *e)
{
    if (is_bundle(parts))
        return err_set(e, ERR_UNSUPPORTED, "a bundle inside a bundle");
    if (!parts->entries[APPX_MANIFEST])
        return err_set(e, ERR_NOT_A_PACKAGE, "not a package: a ZIP archive without %s",
                       appx_part_name(APPX_MANIFEST));
    if (!parts->entries[APPX_BLOCK_MAP])
        return err_set(e, ERR_CORRUPT, "%s is missing: nothing in this package can be verified",
                       appx_part_name(APPX_BLOCK_MAP));
    return 0;
}

/* Reads the directory of the archive that R->in is. 1: *want is needed first. */
static int open_archive(struct reading *r, struct byte_range *want, struct err *e)
{
    int rc = zip_need(r->in, want, e);

    if (!rc)
        rc = zip_read(r->in, &r->directory, e);
    if (rc)
        return rc;
    appx_parts_find(&r->directory, APPX_PARTS_TO_MOUNT, &r->parts);
    return appx_parts_need(r->in, &r->parts, want, e);
}

static int wrapped(int rc, enum appx_part part, struct err *e)
{
    if (rc)
        err_wrap(e, "%s", appx_part_name(part));
    return rc;
}

static bool has_signature(const struct zip_directory *d)
{
    struct appx_parts parts;

    appx_parts_find(d, 1u << APPX_SIGNATURE_FILE, &parts);
    return parts.entries[APPX_SIGNATURE_FILE] != NULL;
}

static int read_bundle(struct reading *r, struct err *e)
{
    auto_free uint8_t *bytes = NULL;
    size_t len;
    int rc = appx_part_read(r->in, &r->parts, APPX_BUNDLE_MANIFEST, &bytes, &len, e);

    return rc ? rc : wrapped(appx_bundle_read(bytes, len, &r->bundle, e), APPX_BUNDLE_MANIFEST, e);
}

/* Goes from a bundle to the package in it that is meant, or finds out that it is not in it. */
static int open_inner(struct reading *r, struct byte_range *want, struct err *e)
{
    const struct appx_bundle_package *p;
    int rc = read_bundle(r, e);

    if (!rc)
        rc = appx_inner_find(r->in, &r->directory, r->bundle, &p, e);
    if (rc == CONTAINER_ELSEWHERE && !(r->elsewhere = strdup(p->file_name)))
        rc = err_nomem(e);
    if (rc)
        return rc;
    r->bundle_signed = has_signature(&r->directory);
    r->view = appx_inner_view(r->in, (struct byte_range){ p->offset, p->size });
    r->in = &r->view;
    r->base = p->offset;
    r->info.part = p->file_name;
    zip_directory_free(&r->directory);
    rc = open_archive(r, want, e);
    if (rc > 0)
        want->offset += r->base;
    return rc;
}

/* Finds the package in the object that R->in is, and all that has to be read of it. 1: *want is needed
 * first. CONTAINER_ELSEWHERE: it is R->elsewhere. R is to be cleared in any case. */
static int open_package(struct reading *r, struct byte_range *want, struct err *e)
{
    int rc = open_archive(r, want, e);

    if (!rc && is_bundle(&r->parts))
        rc = open_inner(r, want, e);
    return rc ? rc : check_kind(&r->parts, e);
}

static int appx_need(const struct container_input *in, struct byte_range *want, struct err *e)
{
    struct reading r = { .in = in };
    int rc = open_package(&r, want, e);

    reading_clear(&r);
    return rc;
}

static int appx_elsewhere(const struct container_input *in, char **name, struct err *e)
{
    struct reading r = { .in = in };
    struct byte_range want;
    int rc = open_package(&r, &want, e);

    *name = steal_ptr(&r.elsewhere);
    reading_clear(&r);
    if (rc < 0)
        return rc;
    return *name ? 0 : err_set(e, ERR_INVALID, "the package is here");
}

/* --- documents -------------------------------------------------------------------------------- */

/* Whether the bytes of a document have the digests that the block map says. */
static int check_part(const struct reading *r, enum appx_part part, const uint8_t *bytes, size_t len,
                      struct err *e)
{
    const char *name = appx_part_name(part);
    const struct blockmap_file *f = blockmap_find(r->map, name, strlen(name));
    uint8_t hash[DIGEST_MAX];
    struct codec_context *ctx;

    if (!f || f->size != len)
        return err_set(e, ERR_CORRUPT, "%s is not in the block map, or with another size", name);
    if (codec_context_new(&ctx))
        return err_nomem(e);
    int rc = 0;
    for (uint32_t i = 0; i < f->block_count && !rc; i++) {
        size_t at = (size_t)i * BLOCKMAP_BLOCK_SIZE;
        size_t n = (size_t)min_u64(len - at, BLOCKMAP_BLOCK_SIZE);
        if (codec_digest(ctx, r->map->digest, bytes + at, n, hash))
            rc = err_nomem(e);
        else if (memcmp(hash, blockmap_hash(r->map, f, i), r->map->hash_len))
            rc = err_set(e, ERR_BLOCK_HASH, "%s: block %" PRIu32 " has not the digest of the block map",
                         name, i);
    }
    codec_context_free(ctx);
    return rc;
}

/* The checked bytes of a document, or NULL when there is none. */
static int read_part(const struct reading *r, enum appx_part part, uint8_t **out, size_t *len,
                     struct err *e)
{
    int rc = appx_part_read(r->in, &r->parts, part, out, len, e);

    if (!rc && *out)
        rc = check_part(r, part, *out, *len, e);
    return rc;
}

/* Who asks for a resource package must not get something else because this is no bundle. */
static int check_resource(const struct reading *r, struct err *e)
{
    const char *wanted = r->in->options.resource, *is = r->manifest->identity.resource_id;

    if (!wanted || r->bundle || !strcasecmp(wanted, is))
        return 0;
    return err_set(e, ERR_NOT_FOUND, "this is no bundle, and %s%s%s, so there is no resource package '%s' in it",
                   *is ? "a resource package '" : "not a resource package", is, *is ? "'" : "", wanted);
}

static int read_manifest(struct reading *r, struct err *e)
{
    auto_free uint8_t *bytes = NULL;
    size_t len;
    int rc = read_part(r, APPX_MANIFEST, &bytes, &len, e);

    if (rc)
        return rc;
    rc = wrapped(appx_manifest_read(bytes, len, &r->manifest, e), APPX_MANIFEST, e);
    if (!rc)
        r->is_appv = r->manifest->schema == APPX_SCHEMA_APPV;
    return rc ? rc : check_resource(r, e);
}

static int read_names(struct reading *r, struct err *e)
{
    auto_free uint8_t *bytes = NULL;
    size_t len;
    int rc = read_part(r, APPX_FILESYSTEM_METADATA, &bytes, &len, e);

    if (rc || !bytes)
        return rc;
    return wrapped(appv_metadata_read(bytes, len, &r->names, e), APPX_FILESYSTEM_METADATA, e);
}

static int read_launch(struct reading *r, struct err *e)
{
    auto_free uint8_t *bytes = NULL;
    struct appv_stream_map *map;
    size_t len;
    int rc = read_part(r, APPX_STREAM_MAP, &bytes, &len, e);

    if (rc || !bytes)
        return rc;
    rc = wrapped(appv_stream_map_read(bytes, len, &map, e), APPX_STREAM_MAP, e);
    if (rc)
        return rc;
    rc = appx_launch_runs(map, &r->files, r->tree, &r->launch, e);
    appv_stream_map_free(map);
    return rc;
}

static int read_map(struct reading *r, uint8_t digest[32], struct err *e)
{
    auto_free uint8_t *bytes = NULL;
    size_t len;
    int rc = appx_part_read(r->in, &r->parts, APPX_BLOCK_MAP, &bytes, &len, e);

    if (rc)
        return rc;
    if (codec_sha256(NULL, bytes, len, digest))
        return err_nomem(e);
    return wrapped(blockmap_read(bytes, len, &r->map, e), APPX_BLOCK_MAP, e);
}

/* --- identity --------------------------------------------------------------------------------- */

/* The same for all versions of a package: from App-V's own GUID, or else from name and publisher. */
static int find_package_guid(struct reading *r, struct err *e)
{
    const struct appx_manifest *m = r->manifest;
    size_t name_len = strlen(m->identity.name) + 1, publisher_len = strlen(m->identity.publisher);
    auto_free char *text = malloc(name_len + publisher_len + 1);
    uint8_t digest[32];

    if (r->is_appv && !guid_parse(m->package_guid, &r->info.package_guid))
        return 0;
    if (!text)
        return err_nomem(e);
    memcpy(text, m->identity.name, name_len);
    memcpy(text + name_len, m->identity.publisher, publisher_len);
    if (codec_sha256(NULL, text, name_len + publisher_len, digest))
        return err_nomem(e);
    guid_from_digest(digest, &r->info.package_guid);
    return 0;
}

/* The root hash covers the block map and so every file, and the directory, which says where they are. */
static int make_identity(struct reading *r, const uint8_t map_digest[32], struct err *e)
{
    const struct zip_directory *d = &r->directory;
    const uint8_t *directory = container_input_at(r->in, d->offset, d->length);
    uint8_t digests[64];

    memcpy(digests, map_digest, 32);
    if (codec_sha256(NULL, directory, (size_t)d->length, digests + 32) ||
        codec_sha256(NULL, digests, sizeof digests, r->info.root_hash))
        return err_nomem(e);
    r->info.format = r->is_appv ? "appv" : "appx";
    r->info.name = r->manifest->identity.name;
    r->info.version_number = 1;
    r->info.block_size = BLOCKMAP_BLOCK_SIZE;
    r->info.codec = CODEC_DEFLATE;
    r->info.block_hash = BLOCK_HASH_DECODED;
    r->info.digest = (uint8_t)r->map->digest;
    if (!r->is_appv || guid_parse(r->manifest->version_guid, &r->info.version_guid))
        guid_from_digest(r->info.root_hash, &r->info.version_guid);
    return find_package_guid(r, e);
}

/* --- tree ------------------------------------------------------------------------------------- */

static int add_file(struct reading *r, uint32_t index, struct err *e)
{
    const struct appx_file *f = &r->files.files[index];
    const char *path = f->path;
    bool all = r->in->options.metadata;
    size_t len = f->path_len, skip = r->is_appv && !all ? strlen("Root/") : 0;
    struct path_node *node;

    if (!all && appx_is_footprint(path, len, r->is_appv))
        return 0;
    int rc = path_tree_add(r->tree, path + skip, len - skip, false, index, &node, e);
    if (!rc && node->item != index)
        rc = err_set(e, ERR_DUPLICATE_NAME, "'%s' is there twice", path);
    return rc;
}

/* Directories without files, which the archive as it lies there has not, and 8.3 names. */
static int use_names(struct reading *r, struct err *e)
{
    bool all = r->in->options.metadata;
    int rc = all ? 0 : appv_tree_add_directories(r->tree, r->names, e);

    return rc ? rc : appv_tree_set_short_names(r->tree, r->names, r->is_appv && all ? "Root" : "", e);
}

/* The documents of App-V may be in packages that were converted, as files like any other; there what
 * they say helps, and what is wrong with them does not matter. RC: of reading one. */
static int may_lack(const struct reading *r, int rc, enum appx_part part, const struct err *why,
                    struct err *e)
{
    if (!rc)
        return 0;
    if (r->is_appv || why->kind == ERR_NO_MEMORY) {
        if (e)
            *e = *why;
        return rc;
    }
    log_info("appx", "%s is not used: %s", appx_part_name(part), why->text);
    return 0;
}

static int make_tree(struct reading *r, struct err *e)
{
    struct err own = { .kind = ERR_NONE };
    int rc = path_tree_new(&r->tree, e);

    for (uint32_t i = 0; !rc && i < r->files.count; i++)
        rc = add_file(r, i, e);
    if (!rc)
        rc = may_lack(r, read_names(r, &own), APPX_FILESYSTEM_METADATA, &own, e);
    if (!rc && r->names)
        rc = use_names(r, e);
    if (!rc)
        rc = may_lack(r, read_launch(r, &own), APPX_STREAM_MAP, &own, e);
    return rc ? rc : path_tree_order(r->tree, e);
}

static int parse_package(struct reading *r, struct package **out, struct err *e)
{
    struct appx_contents contents = { .info = &r->info, .base = r->base, .files = &r->files,
                                      .launch = &r->launch };
    uint8_t map_digest[32];
    int rc = read_map(r, map_digest, e);

    if (!rc)
        rc = read_manifest(r, e);
    if (!rc)
        rc = make_identity(r, map_digest, e);
    if (!rc)
        rc = appx_files_join(r->in, &r->directory, r->map, &r->files, e);
    if (!rc)
        rc = make_tree(r, e);
    contents.map = r->map;
    contents.tree = r->tree;
    contents.manifest = r->manifest;
    contents.bundle = r->bundle;
    contents.names = r->is_appv ? r->names : NULL;
    contents.has_signature = r->bundle ? r->bundle_signed : has_signature(&r->directory);
    return rc ? rc : appx_build(&contents, out, e);
}

static int appx_parse(const struct container_input *in, struct package **out, struct err *e)
{
    struct reading r = { .in = in, .info.container_bytes = in->size };
    struct byte_range want;
    int rc = open_package(&r, &want, e);

    if (rc > 0)
        rc = err_set(e, ERR_INVALID, "the package was not read");
    if (!rc)
        rc = parse_package(&r, out, e);
    reading_clear(&r);
    return rc;
}

static void appx_describe(const uint8_t *head, size_t len, uint64_t size,
                          void (*line)(void *arg, const char *text), void *arg)
{
    (void)head; /* which has packaged files, and these are nobody else's business */
    (void)len;
    (void)size;
    container_line(line, arg, "a ZIP archive; its directory is at its end");
}

const struct container_format container_appx = {
    .name = "appx",
    .probe = appx_probe,
    .need = appx_need,
    .elsewhere = appx_elsewhere,
    .parse = appx_parse,
    .describe = appx_describe,
};
