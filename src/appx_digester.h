/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The digests of a package that a signature is over (appx_signature.h), computed while the package's bytes
 * go by. In order, in pieces of any size; nothing is kept of them. Pure; single-threaded.
 *
 *     appx_layout_find(&in, &directory, entry, &layout, e);
 *     appx_digester_new(&layout, DIGEST_SHA256, &d, e);
 *     while (…) appx_digester_feed(d, bytes, len, e);
 *     appx_digester_document(d, APPX_AXBM, block_map, block_map_len, e); and the others
 *     appx_digester_finish(d, &digests, e);
 *
 * AXPC is of all bytes from the first up to the directory, without those of the signature's entry: local
 * header, data, and a data descriptor if it says that it has one. AXCD is of the directory without the
 * signature's entry and of all bytes behind the directory (ZIP64 end record, its locator, end record,
 * comment); counts, length and offset of the directory, and the ZIP64 record's offset, are what they would
 * be without it; in the end record not where it refers to the ZIP64 record (all ones).
 */
#ifndef SRC_APPX_DIGESTER_H
#define SRC_APPX_DIGESTER_H

#include <stdint.h>

#include "src/appx_signature.h"
#include "src/compiler.h"
#include "src/container_format.h"
#include "src/err.h"
#include "src/zip.h"

struct appx_layout {
    uint64_t size;             /* of the package */
    uint64_t signature_offset; /* of its local header */
    uint64_t signature_length; /* up to what follows its entry */
    uint64_t directory_offset;
    uint8_t *directory;          /* all bytes from there to the end; owned */
    uint8_t *directory_unsigned; /* the same without the signature's entry; owned */
    size_t unsigned_length;
};

/*
 * OWN: the entry of AppxSignature.p7x in D. IN must have directory, end records and OWN's local header at
 * hand. ERR_INVALID when it has not, ERR_CORRUPT, ERR_UNSUPPORTED (bytes before the archive). Free with
 * appx_layout_clear(), which is fine for one that is all zero.
 */
int appx_layout_find(const struct container_input *in, const struct zip_directory *d,
                     const struct zip_entry *own, struct appx_layout *out, struct err *e) must_check;
void appx_layout_clear(struct appx_layout *l);

struct appx_digester;

/* LAYOUT is borrowed until appx_digester_free(). */
int appx_digester_new(const struct appx_layout *layout, enum digest digest,
                      struct appx_digester **out, struct err *e) must_check;
void appx_digester_free(struct appx_digester *d); /* NULL is fine */

/* The next bytes of the package. ERR_LIMIT: more than it has. ERR_OBJECT_CHANGED: its directory is not the
 * one of the layout. */
int appx_digester_feed(struct appx_digester *d, const void *data, size_t len, struct err *e)
    must_check;

/* A document, whole and decoded: AXCT, AXBM or AXCI. */
int appx_digester_document(struct appx_digester *d, enum appx_signed_part part, const void *data,
                           size_t len, struct err *e) must_check;

/* What is known without any of the package's bytes: AXCD and the documents. */
struct appx_digests appx_digester_documents(const struct appx_digester *d);

/* ERR_TRUNCATED when what lies before the directory was not all fed; the directory need not be. */
int appx_digester_finish(struct appx_digester *d, struct appx_digests *out, struct err *e)
    must_check;

#endif
