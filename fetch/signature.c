/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether a package is what was signed. See signature.h. */
#include "config.h"

#include "fetch/signature.h"

#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

#include "src/appx_bundle.h"
#include "src/appx_manifest.h"
#include "src/appx_parts.h"
#include "src/zip.h"

#define STEP_BYTES (1024u * 1024u)

const char *signature_verdict_name(enum signature_verdict v)
{
    static const char *const names[] = {
        [SIGNATURE_NONE] = "none",           [SIGNATURE_UNSIGNED] = "unsigned",
        [SIGNATURE_TAMPERED] = "tampered",   [SIGNATURE_UNTRUSTED] = "untrusted",
        [SIGNATURE_UNCHECKED] = "unchecked", [SIGNATURE_GOOD] = "good",
    };
    return names[v];
}

struct checking {
    struct source *source;
    struct container_input in;
    struct zip_directory directory;
    struct appx_parts parts;
    signature_step_fn step;
    void *arg;
    uint64_t done;
    struct signature_report *report;
};

static void checking_clear(struct checking *c)
{
    container_input_clear(&c->in);
    zip_directory_free(&c->directory);
}

/* --- the documents ---------------------------------------------------------------------------- */

static int fetch(struct checking *c, struct byte_range want, struct err *e)
{
    auto_free uint8_t *bytes = malloc((size_t)want.length);

    if (!bytes)
        return err_nomem(e);
    int rc = source_read_sync(c->source, want.offset, bytes, (size_t)want.length, e);
    return rc ? rc : container_input_add(&c->in, want.offset, bytes, (size_t)want.length,
                                         want.length, e);
}

static int read_documents(struct checking *c, struct err *e)
{
    struct byte_range want;
    int rc;

    while ((rc = zip_need(&c->in, &want, e)) > 0)
        if ((rc = fetch(c, want, e)))
            return rc;
    if (!rc)
        rc = zip_read(&c->in, &c->directory, e);
    if (rc)
        return rc;
    appx_parts_find(&c->directory, APPX_PARTS_ALL, &c->parts);
    while ((rc = appx_parts_need(&c->in, &c->parts, &want, e)) > 0)
        if ((rc = fetch(c, want, e)))
            return rc;
    return rc;
}

/* --- comparing -------------------------------------------------------------------------------- */

static void blame(struct signature_report *r, enum signature_verdict verdict, const char *why)
{
    r->verdict = verdict;
    (void)snprintf(r->why, sizeof r->why, "%s", why);
}

static void compare(struct checking *c, enum appx_signed_part part, const uint8_t *digest,
                    const char *what)
{
    const struct appx_signature *s = &c->report->signature;
    char why[200];

    if (c->report->verdict == SIGNATURE_TAMPERED ||
        !memcmp(digest, s->digests[part], digest_len(s->digest)))
        return;
    (void)snprintf(why, sizeof why, "%s is not what was signed (%s)", what,
                   appx_signed_part_name(part));
    blame(c->report, SIGNATURE_TAMPERED, why);
}

static int compare_bytes(struct checking *c, enum appx_signed_part part, const void *bytes,
                         size_t len, const char *what, struct err *e)
{
    uint8_t digest[DIGEST_MAX];

    if (codec_digest(NULL, c->report->signature.digest, bytes, len, digest))
        return err_nomem(e);
    compare(c, part, digest, what);
    return 0;
}

static int compare_document(struct checking *c, enum appx_signed_part signed_part,
                            enum appx_part part, struct err *e)
{
    const char *name = appx_part_name(part);
    auto_free uint8_t *bytes = NULL;
    char why[200];
    size_t len;

    if (!c->report->signature.has[signed_part] && !c->parts.entries[part])
        return 0;
    if (!c->report->signature.has[signed_part] || !c->parts.entries[part]) {
        (void)snprintf(why, sizeof why, "%s was %s", name,
                       c->parts.entries[part] ? "added after signing" : "taken out after signing");
        blame(c->report, SIGNATURE_TAMPERED, why);
        return 0;
    }
    int rc = appx_part_read(&c->in, &c->parts, part, &bytes, &len, e);
    return rc ? rc : compare_bytes(c, signed_part, bytes, len, name, e);
}

/* All bytes in [from, to) of the object. */
static int hash_range(struct checking *c, EVP_MD_CTX *ctx, uint8_t *buf, uint64_t from, uint64_t to,
                      struct err *e)
{
    while (from < to) {
        size_t n = (size_t)min_u64(to - from, STEP_BYTES);
        int rc = source_read_sync(c->source, from, buf, n, e);
        if (!rc && !EVP_DigestUpdate(ctx, buf, n))
            rc = err_nomem(e);
        c->done += n;
        if (!rc && c->step)
            rc = c->step(c->arg, c->done, e);
        if (rc)
            return rc;
        from += n;
    }
    return 0;
}

static int compare_entries(struct checking *c, struct err *e)
{
    const struct zip_entry *own = c->parts.entries[APPX_SIGNATURE_FILE];
    auto_free uint8_t *buf = malloc(STEP_BYTES);
    EVP_MD *md = EVP_MD_fetch(NULL, digest_name(c->report->signature.digest), NULL);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    uint8_t digest[EVP_MAX_MD_SIZE];
    int rc = buf && md && ctx && EVP_DigestInit_ex(ctx, md, NULL) ? 0 : err_nomem(e);

    if (!rc)
        rc = hash_range(c, ctx, buf, 0, own->local, e);
    if (!rc)
        rc = hash_range(c, ctx, buf, own->local + own->room, c->directory.offset, e);
    if (!rc && !EVP_DigestFinal_ex(ctx, digest, NULL))
        rc = err_nomem(e);
    EVP_MD_CTX_free(ctx);
    EVP_MD_free(md);
    if (!rc)
        compare(c, APPX_AXPC, digest, "a file of the package");
    return rc;
}

static int compare_directory(struct checking *c, struct err *e)
{
    auto_free uint8_t *bytes = NULL;
    size_t len;
    int rc = zip_directory_without(&c->in, &c->directory, c->parts.entries[APPX_SIGNATURE_FILE],
                                   &bytes, &len, e);

    return rc ? rc : compare_bytes(c, APPX_AXCD, bytes, len, "the archive's directory", e);
}

/* What the manifest, of a package or a bundle, calls the publisher. */
static int check_publisher(struct checking *c, struct err *e)
{
    enum appx_part part = c->parts.entries[APPX_MANIFEST] ? APPX_MANIFEST : APPX_BUNDLE_MANIFEST;
    auto_free uint8_t *bytes = NULL;
    struct appx_manifest *m = NULL;
    struct appx_bundle *b = NULL;
    size_t len;
    int rc = appx_part_read(&c->in, &c->parts, part, &bytes, &len, e);

    if (!rc && !bytes)
        return 0;
    if (!rc)
        rc = part == APPX_MANIFEST ? appx_manifest_read(bytes, len, &m, e)
                                   : appx_bundle_read(bytes, len, &b, e);
    if (!rc) {
        const char *publisher = m ? m->identity.publisher : b->identity.publisher;
        if (!appx_signature_is_by(&c->report->signature, publisher)) {
            (void)snprintf(c->report->why, sizeof c->report->why,
                           "the signer is not the publisher that the manifest names (%.200s)",
                           publisher);
            c->report->verdict = SIGNATURE_UNTRUSTED;
        }
    }
    appx_manifest_free(m);
    appx_bundle_free(b);
    return rc;
}

/* No digest is over the signature's own entry: nothing else may be in its place. */
static int check_place(struct checking *c, struct err *e)
{
    const struct zip_entry *own = c->parts.entries[APPX_SIGNATURE_FILE];
    const uint8_t *bytes = container_input_at(&c->in, own->local, own->room);
    uint32_t data_at;
    int rc = bytes ? zip_local_header(own, bytes, (size_t)own->room, &data_at, e)
                   : err_set(e, ERR_INVALID, "the signature was not read");

    if (rc)
        return rc;
    uint64_t rest = own->room - data_at - own->csize; /* zip_local_header() has seen that it fits */
    bool is_descriptor = (own->flags & ZIP_FLAG_DESCRIPTOR) &&
                         (rest == 12 || rest == 16 || rest == 20 || rest == 24);
    if (rest && !is_descriptor)
        blame(c->report, SIGNATURE_TAMPERED, "there are bytes behind the signature that nobody signed");
    return 0;
}

static int check(struct checking *c, const char *ca_file, struct err *e)
{
    struct signature_report *r = c->report;
    auto_free uint8_t *bytes = NULL;
    size_t len;
    int rc = appx_part_read(&c->in, &c->parts, APPX_SIGNATURE_FILE, &bytes, &len, e);

    if (rc)
        return rc;
    rc = appx_signature_check(bytes, len, ca_file, &r->signature, e);
    if (rc)
        return rc;
    r->verdict = r->signature.trust == APPX_TRUST_GOOD ? SIGNATURE_GOOD : SIGNATURE_UNCHECKED;
    if (!r->signature.intact)
        blame(r, SIGNATURE_TAMPERED, r->signature.why);
    else if (r->signature.trust == APPX_TRUST_BAD)
        blame(r, SIGNATURE_UNTRUSTED, r->signature.why);
    else
        rc = check_publisher(c, e);
    if (!rc)
        rc = check_place(c, e);
    if (!rc)
        rc = compare_document(c, APPX_AXBM, APPX_BLOCK_MAP, e);
    if (!rc)
        rc = compare_document(c, APPX_AXCT, APPX_CONTENT_TYPES, e);
    if (!rc)
        rc = compare_document(c, APPX_AXCI, APPX_CODE_INTEGRITY, e);
    if (!rc)
        rc = compare_directory(c, e);
    return rc ? rc : compare_entries(c, e);
}

int signature_check(struct source *s, const char *ca_file, signature_step_fn step, void *arg,
                    struct signature_report *out, struct err *e)
{
    struct checking c = { .source = s, .in.size = source_size(s), .step = step, .arg = arg,
                          .report = out };
    struct err own;

    *out = (struct signature_report){ .verdict = SIGNATURE_NONE };
    int rc = read_documents(&c, &own);
    if (rc && own.kind == ERR_NOT_A_PACKAGE) /* no archive: an SFT, say */
        rc = 0;
    else if (!rc && !c.parts.entries[APPX_SIGNATURE_FILE])
        out->verdict = SIGNATURE_UNSIGNED;
    else if (!rc)
        rc = check(&c, ca_file, &own);
    checking_clear(&c);
    if (rc && e)
        *e = own;
    return rc;
}

void signature_clear(struct signature_report *r)
{
    appx_signature_clear(&r->signature);
}
