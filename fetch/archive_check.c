/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether a package is as it should be, and what was signed. See archive_check.h. */
#include "config.h"

#include "fetch/archive_check.h"

#include <stdio.h>
#include <string.h>

#include "src/appx_bundle.h"
#include "src/appx_digester.h"
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

/* What a signature is over beside the archive itself. */
enum { BLOCK_MAP, CONTENT_TYPES, CODE_INTEGRITY, DOCUMENTS };

static const struct {
    enum appx_part part;
    enum appx_signed_part signed_part;
} documents[DOCUMENTS] = {
    [BLOCK_MAP] = { APPX_BLOCK_MAP, APPX_AXBM },
    [CONTENT_TYPES] = { APPX_CONTENT_TYPES, APPX_AXCT },
    [CODE_INTEGRITY] = { APPX_CODE_INTEGRITY, APPX_AXCI },
};

struct checking {
    struct source *source;
    struct container_input in;
    struct zip_directory directory;
    struct appx_parts parts;
    struct {
        uint8_t *bytes; /* owned; NULL: there is none */
        size_t len;
    } decoded[DOCUMENTS];
    struct blockmap *map; /* NULL if there is none that can be read */
    struct appx_rules *rules;
    struct appx_layout layout;
    struct appx_digester *digester; /* NULL when there is nothing to compare digests with */
    const struct archive_check_options *options;
    uint64_t done;
    struct archive_report *report;
};

static void checking_clear(struct checking *c)
{
    appx_digester_free(c->digester);
    appx_layout_clear(&c->layout);
    appx_rules_free(c->rules);
    blockmap_free(c->map);
    for (size_t i = 0; i < DOCUMENTS; i++)
        free(c->decoded[i].bytes);
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

/* Fills in c->decoded[I], once. */
static int decode(struct checking *c, size_t i, struct err *e)
{
    return c->decoded[i].bytes ? 0
                               : appx_part_read(&c->in, &c->parts, documents[i].part, &c->decoded[i].bytes,
                                                &c->decoded[i].len, e);
}

/* --- comparing -------------------------------------------------------------------------------- */

static void blame(struct archive_report *r, enum signature_verdict verdict, const char *why)
{
    r->verdict = verdict;
    (void)snprintf(r->why, sizeof r->why, "%s", why);
}

/* Why a signed part is not what it should be. */
static void blame_part(struct checking *c, enum appx_signed_part part, const struct appx_digests *have)
{
    const char *what = part == APPX_AXPC   ? "a file of the package"
                       : part == APPX_AXCD ? "the archive's directory"
                                           : "";
    const char *how = "is not what was signed";
    char why[200];

    for (size_t i = 0; i < ARRAY_LEN(documents); i++)
        if (documents[i].signed_part == part)
            what = appx_part_name(documents[i].part);
    if (!have->has[part])
        how = "was taken out after signing";
    else if (!c->report->signature->signed_parts.has[part])
        how = "was added after signing";
    (void)snprintf(why, sizeof why, "%s %s (%s)", what, how, appx_signed_part_name(part));
    blame(c->report, SIGNATURE_TAMPERED, why);
}

/* The documents tell more than the bytes that they are in: those are named first. */
static void compare(struct checking *c, const struct appx_digests *have)
{
    static const enum appx_signed_part order[] = { APPX_AXBM, APPX_AXCT, APPX_AXCI, APPX_AXCD,
                                                   APPX_AXPC };
    unsigned differ = appx_digests_differ(&c->report->signature->signed_parts, have);

    if (c->options->documents_only)
        differ &= ~(1u << APPX_AXPC);

    for (size_t i = 0; i < ARRAY_LEN(order); i++)
        if (differ >> order[i] & 1) {
            blame_part(c, order[i], have);
            return;
        }
}

static int digest_documents(struct checking *c, struct err *e)
{
    int rc = 0;

    for (size_t i = 0; i < DOCUMENTS && !rc; i++) {
        rc = decode(c, i, e);
        if (!rc && c->decoded[i].bytes)
            rc = appx_digester_document(c->digester, documents[i].signed_part, c->decoded[i].bytes,
                                        c->decoded[i].len, e);
    }
    return rc;
}

/* Everything before the directory, which is known already. */
static int read_bytes(struct checking *c, struct err *e)
{
    auto_free uint8_t *buf = malloc(STEP_BYTES);

    if (!buf)
        return err_nomem(e);
    while (c->done < c->directory.offset) {
        size_t n = (size_t)min_u64(c->directory.offset - c->done, STEP_BYTES);
        int rc = source_read_sync(c->source, c->done, buf, n, e);
        if (!rc && c->digester)
            rc = appx_digester_feed(c->digester, buf, n, e);
        c->done += n;
        if (!rc && c->options->step)
            rc = c->options->step(c->options->arg, c->done, e);
        if (rc)
            return rc;
        appx_rules_feed(c->rules, buf, n);
    }
    return 0;
}

static int begin_digests(struct checking *c, struct err *e)
{
    int rc = appx_layout_find(&c->in, &c->directory, c->parts.entries[APPX_SIGNATURE_FILE], &c->layout, e);

    if (!rc)
        rc = appx_digester_new(&c->layout, c->report->signature->signed_parts.digest, &c->digester, e);
    return rc ? rc : digest_documents(c, e);
}

static int compare_parts(struct checking *c, struct err *e)
{
    struct appx_digests have = appx_digester_documents(c->digester);
    int rc = c->options->documents_only ? 0 : appx_digester_finish(c->digester, &have, e);

    if (!rc)
        compare(c, &have);
    return rc;
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
        if (!appx_signature_subject_matches(c->report->signature, publisher)) {
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

/* Who signed, and what; that the package is that comes later. */
static int check_signature(struct checking *c, struct err *e)
{
    static const enum signature_verdict verdicts[] = {
        [APPX_VERDICT_BAD] = SIGNATURE_TAMPERED,
        [APPX_VERDICT_UNTRUSTED] = SIGNATURE_UNTRUSTED,
        [APPX_VERDICT_UNCHECKED] = SIGNATURE_UNCHECKED,
        [APPX_VERDICT_GOOD] = SIGNATURE_GOOD,
    };
    const struct appx_trust trust = { .ca_file = c->options->ca_file };
    struct archive_report *r = c->report;
    auto_free uint8_t *bytes = NULL;
    struct appx_verification v;
    size_t len;
    int rc = appx_part_read(&c->in, &c->parts, APPX_SIGNATURE_FILE, &bytes, &len, e);

    if (!rc)
        rc = appx_signature_read(bytes, len, &r->signature, e);
    if (!rc)
        rc = appx_signature_verify(r->signature, &trust, &v, e);
    if (rc)
        return rc;
    blame(r, verdicts[v.verdict], v.why);
    if (v.verdict == APPX_VERDICT_GOOD || v.verdict == APPX_VERDICT_UNCHECKED)
        rc = check_publisher(c, e);
    return rc || v.verdict == APPX_VERDICT_BAD ? rc : begin_digests(c, e);
}

static int begin_rules(struct checking *c, struct err *e)
{
    int rc = decode(c, BLOCK_MAP, e);

    if (!rc && c->decoded[BLOCK_MAP].bytes &&
        blockmap_read(c->decoded[BLOCK_MAP].bytes, c->decoded[BLOCK_MAP].len, &c->map, NULL))
        c->map = NULL; /* who opened the package has said it */
    if (!rc)
        rc = decode(c, CONTENT_TYPES, e);
    if (!rc)
        rc = appx_rules_new(&c->directory, c->map, &c->report->rules, &c->rules, e);
    return rc ? rc : appx_rules_types(c->rules, c->decoded[CONTENT_TYPES].bytes,
                                      c->decoded[CONTENT_TYPES].len, e);
}

static int check(struct checking *c, struct err *e)
{
    bool has_signature = c->parts.entries[APPX_SIGNATURE_FILE];
    int rc = c->options->documents_only ? 0 : begin_rules(c, e);

    c->report->verdict = has_signature || c->options->no_signature ? SIGNATURE_NONE : SIGNATURE_UNSIGNED;
    if (!rc && has_signature && !c->options->no_signature)
        rc = check_signature(c, e);
    if (!rc && !c->options->documents_only)
        rc = read_bytes(c, e);
    return rc || !c->digester ? rc : compare_parts(c, e);
}

int archive_check(struct source *s, const struct archive_check_options *o, struct archive_report *out,
                  struct err *e)
{
    struct checking c = { .source = s, .in.size = source_size(s), .options = o, .report = out };
    struct err own;

    *out = (struct archive_report){ .verdict = SIGNATURE_NONE, .documents_only = o->documents_only };
    int rc = read_documents(&c, &own);
    out->is_archive = !rc;
    if (rc && own.kind == ERR_NOT_A_PACKAGE) /* no archive: an SFT, say */
        rc = 0;
    else if (!rc)
        rc = check(&c, &own);
    checking_clear(&c);
    if (rc && e)
        *e = own;
    return rc;
}

void archive_report_clear(struct archive_report *r)
{
    appx_signature_free(r->signature);
    r->signature = NULL;
}
