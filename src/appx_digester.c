/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a package's signature should be over. See appx_digester.h. */
#include "config.h"

#include "src/appx_digester.h"

#include <string.h>

#include <openssl/evp.h>

struct appx_digester {
    const struct appx_layout *layout;
    EVP_MD_CTX *ctx; /* of AXPC */
    uint64_t at;     /* bytes fed */
    struct appx_digests digests;
};

/* --- the layout ------------------------------------------------------------------------------- */

static bool is_descriptor(uint64_t len)
{
    return len == 12 || len == 16 || len == 20 || len == 24; /* without and with mark, 32 and 64 bits */
}

/* The bytes of an entry and nothing of what may lie unnoticed behind it: that is not what the signer
 * left out. */
static int measure_entry(const struct container_input *in, const struct zip_entry *own, uint64_t *len,
                         struct err *e)
{
    uint64_t head = min_u64(container_input_run(in, own->local), own->room);
    const uint8_t *bytes = container_input_at(in, own->local, head);
    uint32_t data_at;

    if (!bytes)
        return err_set(e, ERR_INVALID, "the signature's header was not read");
    int rc = zip_local_header(own, bytes, (size_t)head, &data_at, e);
    if (rc)
        return rc;
    if (add_overflows(own->csize, data_at, len) || *len > own->room)
        return err_at(e, ERR_CORRUPT, NULL, own->local,
                      "the signature reaches into what follows it in the archive");
    uint64_t behind = own->room - *len;
    if (own->flags & ZIP_FLAG_DESCRIPTOR && is_descriptor(behind))
        *len = own->room;
    return 0;
}

/* Directory and what is behind it may be at hand in two pieces. */
static int copy_directory(const struct container_input *in, const struct zip_directory *d,
                          struct appx_layout *out, struct err *e)
{
    uint64_t behind = in->size - d->offset - d->length;
    const uint8_t *bytes = container_input_at(in, d->offset, d->length);
    const uint8_t *tail = container_input_at(in, d->offset + d->length, behind);

    if (!bytes || !tail)
        return err_set(e, ERR_INVALID, "the end of the archive was not read");
    out->directory = malloc((size_t)(d->length + behind) + 1);
    if (!out->directory)
        return err_nomem(e);
    memcpy(out->directory, bytes, (size_t)d->length);
    memcpy(out->directory + d->length, tail, (size_t)behind);
    return 0;
}

int appx_layout_find(const struct container_input *in, const struct zip_directory *d,
                     const struct zip_entry *own, struct appx_layout *out, struct err *e)
{
    *out = (struct appx_layout){ .size = in->size, .directory_offset = d->offset,
                                 .signature_offset = own->local };
    int rc = measure_entry(in, own, &out->signature_length, e);
    if (!rc)
        rc = zip_directory_without(in, d, own, out->signature_length, &out->directory_unsigned,
                                   &out->unsigned_length, e);
    if (rc)
        return rc;
    return copy_directory(in, d, out, e);
}

void appx_layout_clear(struct appx_layout *l)
{
    free(l->directory);
    free(l->directory_unsigned);
    *l = (struct appx_layout){ .size = 0 };
}

/* --- digests ---------------------------------------------------------------------------------- */

static int digest_part(struct appx_digester *d, enum appx_signed_part part, const void *data, size_t len,
                       struct err *e)
{
    if (codec_digest(NULL, d->digests.digest, data, len, d->digests.of[part]))
        return err_nomem(e);
    d->digests.has[part] = true;
    return 0;
}

int appx_digester_new(const struct appx_layout *layout, enum digest digest,
                      struct appx_digester **out, struct err *e)
{
    struct appx_digester *d = calloc(1, sizeof *d);
    int rc = 0;

    if (!d)
        return err_nomem(e);
    d->layout = layout;
    d->digests.digest = digest;
    EVP_MD *md = EVP_MD_fetch(NULL, digest_name(digest), NULL);
    d->ctx = EVP_MD_CTX_new();
    if (!md || !d->ctx || !EVP_DigestInit_ex(d->ctx, md, NULL))
        rc = err_nomem(e);
    EVP_MD_free(md);
    if (!rc)
        rc = digest_part(d, APPX_AXCD, layout->directory_unsigned, layout->unsigned_length, e);
    if (rc)
        appx_digester_free(d);
    else
        *out = d;
    return rc;
}

void appx_digester_free(struct appx_digester *d)
{
    if (d)
        EVP_MD_CTX_free(d->ctx);
    free(d);
}

/* How many of LEN bytes at d->at are treated alike; *hashed says how. */
static size_t next_run(const struct appx_digester *d, size_t len, bool *hashed)
{
    const struct appx_layout *l = d->layout;
    uint64_t signature_end = l->signature_offset + l->signature_length, end;

    *hashed = true;
    if (d->at < l->signature_offset) {
        end = l->signature_offset;
    } else if (d->at < signature_end) {
        end = signature_end;
        *hashed = false;
    } else {
        end = l->directory_offset;
    }
    return (size_t)min_u64(len, end - d->at);
}

int appx_digester_feed(struct appx_digester *d, const void *data, size_t len, struct err *e)
{
    const struct appx_layout *l = d->layout;
    const uint8_t *p = data;

    if (len > l->size - d->at)
        return err_at(e, ERR_LIMIT, NULL, d->at, "more bytes than the package has");
    while (len && d->at < l->directory_offset) {
        bool hashed;
        size_t n = next_run(d, len, &hashed);
        if (hashed && !EVP_DigestUpdate(d->ctx, p, n))
            return err_nomem(e);
        p += n;
        len -= n;
        d->at += n;
    }
    if (len && memcmp(p, l->directory + (d->at - l->directory_offset), len))
        return err_at(e, ERR_OBJECT_CHANGED, NULL, d->at,
                      "the archive's directory is not the one that was read before");
    d->at += len;
    return 0;
}

int appx_digester_document(struct appx_digester *d, enum appx_signed_part part, const void *data,
                           size_t len, struct err *e)
{
    if (part != APPX_AXCT && part != APPX_AXBM && part != APPX_AXCI)
        return err_set(e, ERR_INVALID, "%s is not a document", appx_signed_part_name(part));
    return digest_part(d, part, data, len, e);
}

struct appx_digests appx_digester_documents(const struct appx_digester *d)
{
    return d->digests;
}

int appx_digester_finish(struct appx_digester *d, struct appx_digests *out, struct err *e)
{
    uint8_t bytes[EVP_MAX_MD_SIZE];

    if (d->at < d->layout->directory_offset)
        return err_at(e, ERR_TRUNCATED, NULL, d->at, "the package ends before its directory");
    if (!d->digests.has[APPX_AXPC]) {
        if (!EVP_DigestFinal_ex(d->ctx, bytes, NULL))
            return err_nomem(e);
        memcpy(d->digests.of[APPX_AXPC], bytes, digest_len(d->digests.digest));
        d->digests.has[APPX_AXPC] = true;
    }
    *out = d->digests;
    return 0;
}
