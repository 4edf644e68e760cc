/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of src/appx_digester.c: the digests of a signed archive are those of the same one unsigned. */
#include "config.h"

#include "src/appx_digester.h"
#include "tests/unit.h"
#include "tests/zip_fixture.h"

#include <openssl/evp.h>

static const char text[] = "some text, longer than the signature";

struct form {
    bool zip64, descriptors;
    uint16_t extra;
    size_t comment, gap; /* bytes */
    bool in_the_middle;  /* the signature, and not the last entry */
};

static struct zip_image make(const struct form *f, bool is_signed)
{
    struct zip_image z = { .zip64 = f->zip64, .descriptors = f->descriptors, .extra = f->extra };

    (void)zip_put_stored(&z, "a", text, sizeof text);
    if (is_signed && f->in_the_middle)
        (void)zip_put_stored(&z, "AppxSignature.p7x", text, 9);
    (void)zip_put_stored(&z, "dir/b%20c", text, 7);
    if (is_signed && !f->in_the_middle)
        (void)zip_put_stored(&z, "AppxSignature.p7x", text, 9);
    if (is_signed)
        zip_raw(&z, text, f->gap);
    zip_end(&z, text, f->comment);
    return z;
}

struct opened {
    struct zip_image z;
    struct container_input in;
    struct zip_directory d;
    struct appx_layout layout;
};

static void open_image(struct opened *o, const struct form *f)
{
    *o = (struct opened){ .z = make(f, true) };
    o->in = zip_input(&o->z);
    CU_ASSERT_EQUAL_FATAL(zip_read(&o->in, &o->d, NULL), 0);
    uint32_t own = 0;
    while (o->d.entries[own].name[0] != 'A')
        own++;
    CU_ASSERT_EQUAL_FATAL(
        appx_layout_find(&o->in, &o->d, &o->d.entries[own], &o->layout, NULL), 0);
}

static void close_image(struct opened *o)
{
    appx_layout_clear(&o->layout);
    zip_directory_free(&o->d);
    zip_image_free(&o->z);
}

static void digest(enum digest which, const void *data, size_t len, uint8_t *out)
{
    CU_ASSERT_FATAL(EVP_Q_digest(NULL, digest_name(which), NULL, data, len, out, NULL));
}

/* As they should be: of the archive that was never signed. */
static struct appx_digests expected(const struct form *f, enum digest which)
{
    struct appx_digests e = { .digest = which, .has = { [APPX_AXPC] = true, [APPX_AXCD] = true } };
    struct zip_image z = make(f, false);
    struct container_input in = zip_input(&z);
    struct zip_directory d;

    CU_ASSERT_EQUAL_FATAL(zip_read(&in, &d, NULL), 0);
    digest(which, z.data, (size_t)d.offset, e.of[APPX_AXPC]);
    digest(which, z.data + d.offset, z.len - (size_t)d.offset, e.of[APPX_AXCD]);
    zip_directory_free(&d);
    zip_image_free(&z);
    return e;
}

static struct appx_digests computed(const struct opened *o, enum digest which, size_t piece)
{
    struct appx_digests have;
    struct appx_digester *d = NULL;

    CU_ASSERT_EQUAL_FATAL(appx_digester_new(&o->layout, which, &d, NULL), 0);
    for (size_t at = 0; at < o->z.len; at += piece) {
        size_t n = o->z.len - at < piece ? o->z.len - at : piece;
        CU_ASSERT_EQUAL_FATAL(appx_digester_feed(d, o->z.data + at, n, NULL), 0);
    }
    CU_ASSERT_EQUAL_FATAL(appx_digester_finish(d, &have, NULL), 0);
    appx_digester_free(d);
    return have;
}

static void archives_of_every_form_are_digested_as_if_unsigned(void)
{
    static const size_t pieces[] = { 1, 7, 50, 65536 };

    for (unsigned i = 0; i < 32; i++) {
        const struct form f = { .zip64 = i & 1, .descriptors = i & 2, .extra = i & 4 ? 5 : 0,
                                .comment = i & 8 ? 20 : 0 };
        enum digest which = (enum digest)(i % DIGEST_COUNT);
        struct appx_digests want = expected(&f, which);
        struct opened o;
        open_image(&o, &f);
        for (size_t k = 0; k < ARRAY_LEN(pieces); k++) {
            struct appx_digests have = computed(&o, which, pieces[k]);
            CU_ASSERT_EQUAL(appx_digests_differ(&want, &have), 0);
        }
        close_image(&o);
    }
}

static void every_byte_but_the_signatures_counts(void)
{
    const struct form f = { .zip64 = true };
    struct opened o;
    open_image(&o, &f);
    struct appx_digests good = computed(&o, DIGEST_SHA256, 65536);

    for (uint64_t i = 0; i < o.layout.directory_offset; i++) {
        bool own = i >= o.layout.signature_offset;
        o.z.data[i] ^= 1;
        struct appx_digests have = computed(&o, DIGEST_SHA256, 65536);
        CU_ASSERT_EQUAL(appx_digests_differ(&good, &have), own ? 0u : 1u << APPX_AXPC);
        o.z.data[i] ^= 1;
    }
    close_image(&o);
}

static void what_is_hidden_behind_the_signature_counts(void)
{
    static const size_t gaps[] = { 1, 12, 16, 24, 30 };

    for (size_t i = 0; i < ARRAY_LEN(gaps); i++) {
        const struct form f = { .gap = gaps[i] };
        struct appx_digests want = expected(&f, DIGEST_SHA256);
        struct opened o;
        open_image(&o, &f);
        struct appx_digests have = computed(&o, DIGEST_SHA256, 100);
        CU_ASSERT(appx_digests_differ(&want, &have) & 1u << APPX_AXPC);
        close_image(&o);
    }
}

static void a_signature_in_the_middle_is_left_out_there(void)
{
    const struct form f = { .in_the_middle = true };
    struct appx_digests want = expected(&f, DIGEST_SHA256);
    struct opened o;
    open_image(&o, &f);
    struct appx_digests have = computed(&o, DIGEST_SHA256, 100);
    /* The entry behind it has another offset than before, so this is no way to sign. */
    CU_ASSERT_EQUAL(appx_digests_differ(&want, &have), 1u << APPX_AXCD);
    close_image(&o);
}

static void documents_are_digested_as_they_are(void)
{
    const struct form f = { .zip64 = false };
    struct appx_digests have;
    struct appx_digester *d = NULL;
    uint8_t want[32];
    struct opened o;
    struct err e = { .kind = ERR_NONE };
    open_image(&o, &f);

    CU_ASSERT_EQUAL_FATAL(appx_digester_new(&o.layout, DIGEST_SHA256, &d, NULL), 0);
    CU_ASSERT_EQUAL(appx_digester_document(d, APPX_AXBM, text, 4, &e), 0);
    CU_ASSERT(appx_digester_document(d, APPX_AXPC, text, 4, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_INVALID);
    CU_ASSERT_EQUAL(appx_digester_feed(d, o.z.data, (size_t)o.layout.directory_offset, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(appx_digester_finish(d, &have, NULL), 0);
    digest(DIGEST_SHA256, text, 4, want);
    CU_ASSERT(have.has[APPX_AXBM] && !have.has[APPX_AXCI]);
    CU_ASSERT_EQUAL(memcmp(have.of[APPX_AXBM], want, 32), 0);
    appx_digester_free(d);
    close_image(&o);
}

static void a_package_that_is_not_the_one_is_refused(void)
{
    const struct form f = { .zip64 = true };
    struct appx_digests have;
    struct appx_digester *d = NULL;
    struct opened o;
    struct err e = { .kind = ERR_NONE };
    open_image(&o, &f);
    size_t at = (size_t)o.layout.directory_offset;

    CU_ASSERT_EQUAL_FATAL(appx_digester_new(&o.layout, DIGEST_SHA256, &d, NULL), 0);
    CU_ASSERT_EQUAL(appx_digester_feed(d, o.z.data, at - 1, NULL), 0);
    CU_ASSERT(appx_digester_finish(d, &have, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_TRUNCATED);
    CU_ASSERT_EQUAL(appx_digester_feed(d, o.z.data + at - 1, 3, NULL), 0);
    CU_ASSERT(appx_digester_feed(d, o.z.data + at + 3, 3, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_OBJECT_CHANGED);
    CU_ASSERT(appx_digester_feed(d, o.z.data, o.z.len - at, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_LIMIT);
    CU_ASSERT_EQUAL(appx_digester_feed(d, o.z.data + at + 2, o.z.len - at - 2, NULL), 0);
    CU_ASSERT_EQUAL(appx_digester_finish(d, &have, &e), 0);
    appx_digester_free(d);
    close_image(&o);
}

static void a_layout_needs_what_it_is_found_from(void)
{
    const struct form f = { .zip64 = true };
    struct zip_image z = make(&f, true);
    struct container_input in = zip_input(&z);
    struct appx_layout layout;
    struct zip_directory d;
    struct err e = { .kind = ERR_NONE };

    CU_ASSERT_EQUAL_FATAL(zip_read(&in, &d, NULL), 0);
    const struct zip_entry *own = &d.entries[d.count - 1];
    in.pieces[0].len = (size_t)own->local; /* all but the signature and what follows */
    CU_ASSERT(appx_layout_find(&in, &d, own, &layout, &e) < 0);
    appx_layout_clear(&layout);
    in.pieces[0].len = (size_t)d.offset;
    CU_ASSERT(appx_layout_find(&in, &d, own, &layout, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_INVALID);
    appx_layout_clear(&layout);
    in.pieces[0].len = z.len;
    z.data[own->local + 28] = 200; /* extra field */
    CU_ASSERT(appx_layout_find(&in, &d, own, &layout, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_CORRUPT);
    appx_layout_clear(&layout);
    zip_directory_free(&d);
    zip_image_free(&z);
}

UNIT_MAIN("appx-digester", TEST(archives_of_every_form_are_digested_as_if_unsigned),
          TEST(every_byte_but_the_signatures_counts),
          TEST(what_is_hidden_behind_the_signature_counts),
          TEST(a_signature_in_the_middle_is_left_out_there),
          TEST(documents_are_digested_as_they_are), TEST(a_package_that_is_not_the_one_is_refused),
          TEST(a_layout_needs_what_it_is_found_from))
