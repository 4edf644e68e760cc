/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fuzz target: ZIP directories, fed as a reader feeds them. What is accepted lies inside and apart. */
#include "config.h"

#include <string.h>

#include "src/appx_rules.h"
#include "src/zip.h"
#include "tests/fuzz/fuzz.h"

enum { HEAD = 200 }; /* little, so that small inputs need more than one range */

static int compare_places(const void *a, const void *b)
{
    const struct zip_entry *x = a, *y = b;
    return (x->local > y->local) - (x->local < y->local);
}

/* Sorts the entries, which nobody uses afterwards. */
static void check_apart(struct zip_directory *d)
{
    qsort(d->entries, d->count, sizeof *d->entries, compare_places);
    for (uint32_t i = 0; i < d->count; i++) {
        uint64_t next = i + 1 < d->count ? d->entries[i + 1].local : d->offset;
        FUZZ_CHECK(d->entries[i].local >= d->prefix && d->entries[i].local < next);
        FUZZ_CHECK(d->entries[i].room == next - d->entries[i].local);
    }
}

static void walk(const struct container_input *in, const struct zip_directory *d, const uint8_t *data)
{
    FUZZ_CHECK(d->offset <= in->size && d->length <= in->size - d->offset);
    for (uint32_t i = 0; i < d->count; i++) {
        const struct zip_entry *z = &d->entries[i];
        uint32_t at;
        FUZZ_CHECK(z->local <= d->offset && z->room <= d->offset - z->local);
        FUZZ_CHECK(z->room >= ZIP_LOCAL_MIN + (uint64_t)z->name_len + z->csize);
        FUZZ_CHECK(!z->name_len || z->name[z->name_len - 1] != 1 || z->name[0] != 2); /* can be read */
        if (!zip_local_header(z, data + z->local, (size_t)z->room, &at, NULL))
            FUZZ_CHECK(at <= z->room && z->csize <= z->room - at);
        FUZZ_CHECK(z->method != ZIP_STORED || z->csize == z->size);
        (void)zip_time(z->dos_time);
    }
    for (uint32_t i = 0; i < d->count && i < 4; i++) {
        uint8_t *without;
        size_t len;
        if (!zip_directory_without(in, d, &d->entries[i], d->entries[i].room, &without, &len, NULL)) {
            FUZZ_CHECK(len <= in->size);
            free(without);
        }
    }
}

/* The same findings, however the bytes come. */
static void check_rules(const struct zip_directory *d, const uint8_t *data)
{
    static struct appx_findings found[2];
    const uint64_t steps[] = { d->offset / 3 + 1, d->offset + 1 };
    struct appx_rules *r;

    for (size_t i = 0; i < 2; i++) {
        FUZZ_CHECK(!appx_rules_new(d, NULL, &found[i], &r, NULL));
        for (uint64_t at = 0; at < d->offset; at += steps[i])
            appx_rules_feed(r, data + at, (size_t)min_u64(steps[i], d->offset - at));
        FUZZ_CHECK(!appx_rules_types(r, data, (size_t)d->offset, NULL));
        appx_rules_free(r);
    }
    FUZZ_CHECK(found[0].count == found[1].count);
    for (size_t i = 0; i < found[0].count && i < APPX_FINDINGS_MAX; i++)
        FUZZ_CHECK(!strcmp(found[0].text[i], found[1].text[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    union {
        const uint8_t *in;
        uint8_t *piece; /* only looked at */
    } bytes = { data };
    struct container_input in = { .size = size, .count = 1 };
    struct zip_directory d = { .entries = NULL };
    struct err e = { .kind = ERR_NONE };
    struct byte_range want;
    int rc;

    in.pieces[0] = (struct container_piece){ .data = bytes.piece, .len = size < HEAD ? size : HEAD };
    while ((rc = zip_need(&in, &want, &e)) > 0) {
        FUZZ_CHECK(want.length && want.offset <= size && want.length <= size - want.offset);
        FUZZ_CHECK(!container_input_at(&in, want.offset, want.length));
        FUZZ_CHECK(in.count < CONTAINER_PIECES_MAX);
        struct container_piece *last = &in.pieces[in.count - 1];
        if (last->offset + last->len == want.offset)
            last->len += (size_t)want.length;
        else
            in.pieces[in.count++] = (struct container_piece){
                .offset = want.offset, .data = bytes.piece + want.offset, .len = (size_t)want.length };
    }
    if (!rc)
        rc = zip_read(&in, &d, &e);
    FUZZ_CHECK((rc == 0) == (e.kind == ERR_NONE));
    if (!rc) {
        walk(&in, &d, data);
        check_apart(&d);
        check_rules(&d, data);
    }
    zip_directory_free(&d);
    return 0;
}
