/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ZIP directories: end records of every form, entries that can be and that cannot. */
#include "config.h"

#include <stdio.h>

#include "tests/unit.h"
#include "tests/zip_fixture.h"

static enum err_kind read_kind(const struct zip_image *z, struct zip_directory *d)
{
    struct container_input in = zip_input(z);
    struct byte_range want;
    struct err e = { .kind = ERR_NONE };

    *d = (struct zip_directory){ .entries = NULL };
    int rc = zip_need(&in, &want, &e);
    CU_ASSERT(rc <= 0); /* all of it is at hand */
    if (!rc)
        rc = zip_read(&in, d, &e);
    CU_ASSERT_EQUAL(!rc, e.kind == ERR_NONE);
    return e.kind;
}

static void is_refused(struct zip_image *z, enum err_kind kind)
{
    struct zip_directory d;
    enum err_kind is = read_kind(z, &d);

    if (is != kind)
        printf("\n    %s, not %s\n", err_kind_name(is), err_kind_name(kind));
    CU_ASSERT_EQUAL(is, kind);
    zip_directory_free(&d);
    zip_image_free(z);
}

/* The same, and with TEXT in what is said of it. */
static void is_refused_saying(struct zip_image *z, enum err_kind kind, const char *text)
{
    struct container_input in = zip_input(z);
    struct zip_directory d = { .entries = NULL };
    struct byte_range want;
    struct err e = { .kind = ERR_NONE };
    int rc = zip_need(&in, &want, &e);

    if (!rc)
        rc = zip_read(&in, &d, &e);
    CU_ASSERT(rc < 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, text));
    if (!strstr(e.text, text))
        printf("\n    '%s' not in '%s'\n", text, e.text);
    zip_directory_free(&d);
    is_refused(z, kind);
}

/* Puts VALUE there, BACK bytes before the end. */
static void change(struct zip_image *z, size_t back, uint64_t value, unsigned width)
{
    for (unsigned i = 0; i < width; i++)
        z->data[z->len - back + i] = (uint8_t)(value >> 8 * i);
}

static bool name_is(const struct zip_entry *entry, const char *name)
{
    return entry->name_len == strlen(name) && !memcmp(entry->name, name, entry->name_len);
}

/* Two files; the data of the second one at *data. */
static void put_two(struct zip_image *z, size_t *data)
{
    (void)zip_put_stored(z, "a.txt", "abc", 3);
    *data = zip_put_stored(z, "dir/b%20c.txt", "defgh", 5);
}

static void two_are_found(const struct zip_image *z, size_t data)
{
    struct zip_directory d;
    uint32_t data_at = 0;

    CU_ASSERT_EQUAL_FATAL(read_kind(z, &d), ERR_NONE);
    CU_ASSERT_EQUAL_FATAL(d.count, 2);
    CU_ASSERT(name_is(&d.entries[0], "a.txt"));
    CU_ASSERT(name_is(&d.entries[1], "dir/b%20c.txt"));
    CU_ASSERT_EQUAL(d.entries[1].size, 5);
    CU_ASSERT_EQUAL(d.entries[1].csize, 5);
    CU_ASSERT_EQUAL(d.entries[1].crc, codec_crc32("defgh", 5));
    const struct zip_entry *entry = &d.entries[1];
    CU_ASSERT_EQUAL(zip_local_header(entry, z->data + entry->local, (size_t)entry->room, &data_at,
                                     NULL), 0);
    CU_ASSERT_EQUAL(entry->local + data_at, data);
    CU_ASSERT_EQUAL(d.entries[0].local + d.entries[0].room, entry->local);
    CU_ASSERT_EQUAL(entry->local + entry->room, d.offset);
    zip_directory_free(&d);
}

static void archives_of_every_form_are_read(void)
{
    static char comment[65535];

    for (unsigned form = 0; form < 64; form++) {
        struct zip_image z = { .zip64 = form & 1, .descriptors = form & 2, .extra = form & 4 ? 9 : 0,
                               .prefix = form & 8 ? 1000 : 0 };
        size_t data;
        memset(comment, 'c', sizeof comment);
        for (size_t i = 0; i < z.prefix; i++)
            zip_raw(&z, "P", 1);
        put_two(&z, &data);
        zip_end(&z, comment, form >> 4 == 0 ? 0 : form >> 4 == 3 ? sizeof comment : form);
        two_are_found(&z, data);
        zip_image_free(&z);
    }
}

static void an_end_record_inside_a_comment_is_not_taken(void)
{
    static const char fake[40] = "PK\005\006\0\0\0\0\1\0\1\0\377\377\0\0\0\0\0\0\0\0 and more";
    struct zip_image z = { 0 };
    size_t data;

    put_two(&z, &data);
    zip_end(&z, fake, sizeof fake);
    two_are_found(&z, data);
    zip_image_free(&z);
}

static void is_read(struct zip_image *z)
{
    struct zip_directory d;

    CU_ASSERT_EQUAL(read_kind(z, &d), ERR_NONE);
    zip_directory_free(&d);
    zip_image_free(z);
}

/* What stands in the comment reaches to the end as well, but leads nowhere. */
static void an_end_record_that_leads_nowhere_is_not_taken(void)
{
    static const uint8_t records[][22] = {
        "PK\005\006", /* no files: a correct end record by itself */
        "PK\005\006\0\0\0\0\1\0\1\0\56\0\0\0\4\0\0\0",
        "PK\005\006\0\0\0\0\1\0\1\0\377\377\377\377\377\377\377\377",
        "PK\005\006\7\0\0\0\1\0\1\0\56\0\0\0\0\0\0\0",
    };
    for (size_t i = 0; i < ARRAY_LEN(records); i++)
        for (unsigned form = 0; form < 4; form++) {
            struct zip_image z = { .zip64 = form & 1, .prefix = form & 2 ? 50 : 0 };
            uint8_t comment[10 * sizeof records[0]];
            size_t data;
            for (size_t k = 0; k < 10; k++) { /* each reaches over those behind it */
                memcpy(comment + 22 * k, records[i], 22);
                comment[22 * k + 20] = (uint8_t)(22 * (9 - k));
            }
            for (size_t k = 0; k < z.prefix; k++)
                zip_raw(&z, "P", 1);
            put_two(&z, &data);
            zip_end(&z, (const char *)comment, sizeof comment);
            two_are_found(&z, data);
            zip_image_free(&z);
        }
}

/* Reads Z as from a server, of which HEAD bytes and what is asked for are at hand; returns how many
 * ranges that were. */
static unsigned read_in_pieces(const struct zip_image *z, size_t head, struct zip_directory *d,
                               struct err *e)
{
    struct container_input in = { .size = z->len, .pieces = { { .data = z->data, .len = head } },
                                  .count = 1 };
    struct byte_range want;
    unsigned rounds = 0;
    int rc;

    *d = (struct zip_directory){ .entries = NULL };
    while ((rc = zip_need(&in, &want, e)) > 0) {
        struct container_piece *p = in.pieces;
        CU_ASSERT_FATAL(++rounds < 9 && want.length && want.offset + want.length <= z->len &&
                        !container_input_at(&in, want.offset, want.length));
        while (p < in.pieces + in.count && p->offset + p->len != want.offset)
            p++;
        CU_ASSERT_FATAL(p < in.pieces + CONTAINER_PIECES_MAX);
        if (p == in.pieces + in.count)
            in.pieces[in.count++] =
                (struct container_piece){ .offset = want.offset, .data = z->data + want.offset };
        p->len += (size_t)want.length;
    }
    if (!rc)
        rc = zip_read(&in, d, e);
    return rounds;
}

/* A file that is large enough for the directory not to come with the head or the tail. */
static void put_large(struct zip_image *z, size_t len)
{
    uint8_t *bytes = calloc(1, len);

    CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
    (void)zip_put_stored(z, "large", bytes, len);
    free(bytes);
}

static void a_directory_that_is_far_away_is_looked_at_before_it_is_believed(void)
{
    for (unsigned form = 0; form < 8; form++) {
        struct zip_image z = { .prefix = form & 1 ? 70 : 0 };
        struct zip_directory d;
        struct err e = { .kind = ERR_NONE };
        char name[32];
        for (size_t i = 0; i < z.prefix; i++)
            zip_raw(&z, "P", 1);
        put_large(&z, 300000);
        for (unsigned i = 0; i < 3000; i++) {
            (void)snprintf(name, sizeof name, "d/%u", i);
            (void)zip_put_stored(&z, name, name, strlen(name));
        }
        uint64_t offset = z.len;
        if (form & 2) { /* behind the directory, which stays where it is named */
            image_put(&z.central, &z.central_len, "PK\005\005", 4);
            zip_end(&z, NULL, 0);
            change(&z, 10, z.central_len - 4, 4);
        } else {
            zip_end(&z, form & 4 ? "PK\005\006\0\0\0\0\1\0\1\0\56\0\0\0\1\0\0\0\0" : NULL,
                    form & 4 ? 22 : 0);
        }
        unsigned rounds = read_in_pieces(&z, 100, &d, &e);
        if ((form & 3) == 3) { /* both: nothing tells where it begins */
            CU_ASSERT_EQUAL(e.kind, ERR_CORRUPT);
        } else {
            CU_ASSERT_EQUAL_FATAL(e.kind, ERR_NONE);
            CU_ASSERT(rounds <= (form ? 5 : 2));
            CU_ASSERT_EQUAL(d.offset, offset);
            CU_ASSERT_EQUAL(d.prefix, z.prefix);
            CU_ASSERT_EQUAL(d.count, 3001);
        }
        zip_directory_free(&d);
        zip_image_free(&z);
    }
}

static void the_head_is_not_asked_for_again(void)
{
    struct zip_image z = { 0 };
    struct zip_directory d;
    struct err e = { .kind = ERR_NONE };

    put_large(&z, 300000);
    zip_end(&z, NULL, 0);
    CU_ASSERT_EQUAL(read_in_pieces(&z, 250000, &d, &e), 1); /* becomes one piece */
    CU_ASSERT_EQUAL(d.count, 1);
    zip_directory_free(&d);
    zip_image_free(&z);
}

static void zip64_records_may_repeat_the_end_record_but_not_contradict_it(void)
{
    struct zip_image z = { .zip64 = true };
    size_t data;

    put_two(&z, &data);
    zip_end(&z, NULL, 0);
    change(&z, 14, 2, 2);
    change(&z, 12, 2, 2);
    change(&z, 10, z.central_len, 4);
    two_are_found(&z, data);
    change(&z, 14, 1, 2);
    change(&z, 12, 1, 2);
    is_refused_saying(&z, ERR_CORRUPT, "contradict");
}

static void zip64_records_may_be_longer(void)
{
    for (unsigned encrypted = 0; encrypted < 2; encrypted++) {
        struct zip_image z = { .zip64 = true, .prefix = 70 };
        uint8_t rest[42], more[28] = { 0 };
        size_t data;
        for (size_t i = 0; i < z.prefix; i++)
            zip_raw(&z, "P", 1);
        put_two(&z, &data);
        zip_end(&z, NULL, 0);
        change(&z, 98 - 4, 44 + sizeof more, 8);
        change(&z, 98 - 14, 62, 2); /* version needed */
        memcpy(rest, z.data + z.len - sizeof rest, sizeof rest);
        z.len -= sizeof rest;
        more[18] = (uint8_t)encrypted; /* algorithm */
        zip_raw(&z, more, sizeof more);
        zip_raw(&z, rest, sizeof rest);
        if (encrypted) {
            is_refused_saying(&z, ERR_UNSUPPORTED, "encrypted");
        } else {
            two_are_found(&z, data);
            zip_image_free(&z);
        }
    }
}

static void parts_of_zip64_archives_are_refused(void)
{
    /* Before the end: disk, first disk, files on it; in the locator: disk, number of disks. */
    static const size_t places[] = { 98 - 16, 98 - 20, 98 - 24, 42 - 4, 42 - 16 };

    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        struct zip_image z = { .zip64 = true };
        size_t data;
        put_two(&z, &data);
        zip_end(&z, NULL, 0);
        change(&z, places[i], 7, 4);
        is_refused_saying(&z, ERR_UNSUPPORTED, "split");
    }
}

static void an_encrypted_directory_is_refused(void)
{
    struct zip_image z = { 0 };
    size_t data;

    put_two(&z, &data);
    memcpy(z.central, "PK\006\010", 4);
    zip_end(&z, NULL, 0);
    is_refused_saying(&z, ERR_UNSUPPORTED, "encrypted");
}

/* Which 32-bit fields refer to the extra field; whether that has the others, too. */
static void wide_fields_are_read_with_and_without_the_others(void)
{
    for (unsigned form = 0; form < 16; form++) {
        struct zip_image z = { .zip64 = true };
        size_t data, values = 0;
        put_two(&z, &data);
        uint8_t *entry = z.central + 46 + 5 + 28, *extra = entry + 46 + 13;
        const uint64_t fields[] = { 5, 5, 30 + 5 + 3 };
        static const unsigned at[] = { 24, 20, 42 };
        for (unsigned i = 0; i < 3; i++) {
            if (!(form & 1u << i))
                memcpy(entry + at[i], (uint8_t[4]){ (uint8_t)fields[i] }, 4);
            if (form & 1u << i || form & 8)
                memcpy(extra + 4 + 8 * values++, (uint8_t[8]){ (uint8_t)fields[i] }, 8);
        }
        extra[2] = (uint8_t)(8 * values);
        if (values < 3) /* what is left is another field */
            memcpy(extra + 4 + 8 * values, (uint8_t[4]){ 9, 9, (uint8_t)(20 - 8 * values) }, 4);
        zip_end(&z, NULL, 0);
        two_are_found(&z, data);
        zip_image_free(&z);
    }
    struct zip_image z = { .zip64 = true };
    size_t data;
    put_two(&z, &data);
    z.central[46 + 5] = 9; /* not the field's number */
    zip_end(&z, NULL, 0);
    is_refused_saying(&z, ERR_CORRUPT, "'a.txt' has no ZIP64 field");
    put_two(&z, &data);
    z.central[46 + 5 + 2] = 16; /* one value is missing */
    zip_end(&z, NULL, 0);
    is_refused(&z, ERR_CORRUPT);
}

static void stored_files_have_one_size(void)
{
    struct zip_image z = { 0 };

    (void)zip_put(&z, "a", ZIP_STORED, "abc", 3, 4, 0);
    zip_end(&z, NULL, 0);
    is_refused_saying(&z, ERR_CORRUPT, "'a' is not compressed");
    (void)zip_put(&z, "a/", 99, "abc", 3, 4, 0); /* any other method is the caller's */
    zip_end(&z, NULL, 0);
    is_read(&z);
}

static void an_archive_with_offsets_from_the_objects_start_is_read(void)
{
    struct zip_image z = { .zip64 = true };
    size_t data;

    zip_raw(&z, "MZ in front", 11); /* and prefix 0: the offsets count it */
    put_two(&z, &data);
    zip_end(&z, NULL, 0);
    two_are_found(&z, data);
    zip_image_free(&z);
}

static void nothing_is_no_archive(void)
{
    struct zip_image z = { 0 };

    zip_raw(&z, "PQ\003\004 and then nothing of the kind", 33);
    is_refused(&z, ERR_NOT_A_PACKAGE);
}

static void an_archive_without_its_end_is_cut_off(void)
{
    struct zip_image z = { 0 };

    zip_raw(&z, "PK\003\004 and then nothing of the kind", 33);
    is_refused(&z, ERR_TRUNCATED);
}

static void bytes_behind_the_end_are_refused(void)
{
    struct zip_image z = { 0 };
    size_t data;

    put_two(&z, &data);
    zip_end(&z, NULL, 0);
    zip_raw(&z, "x", 1);
    is_refused_saying(&z, ERR_CORRUPT, "1 bytes follow the end of the archive");
}

static void a_comment_that_is_cut_off_is_refused(void)
{
    struct zip_image z = { .zip64 = true };
    size_t data;

    put_two(&z, &data);
    zip_end(&z, "a comment", 9);
    z.len--;
    is_refused_saying(&z, ERR_TRUNCATED, "comment of 9 bytes ends after 8");
}

static void encrypted_and_split_archives_are_refused(void)
{
    static const uint16_t flags[] = { 1u << 0,  1u << 6,  1u << 13, 1u << 5,
                                      1u << 12, 1u << 14, 1u << 15 };
    size_t data;

    for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
        struct zip_image z = { .flags = flags[i] };
        put_two(&z, &data);
        zip_end(&z, NULL, 0);
        is_refused(&z, ERR_UNSUPPORTED);
    }
    struct zip_image z = { 0 };
    put_two(&z, &data);
    zip_end(&z, NULL, 0);
    z.data[z.len - 18] = 1; /* number of this disk */
    is_refused(&z, ERR_UNSUPPORTED);
}

static void entries_that_reach_into_each_other_are_refused(void)
{
    struct zip_image z = { 0 };

    (void)zip_put_stored(&z, "a", "abc", 3);
    zip_put_central(&z, "b\n", ZIP_STORED, 3, 3, 0, 0); /* the same place */
    zip_end(&z, NULL, 0);
    is_refused_saying(&z, ERR_CORRUPT, "b?' ");

    (void)zip_put_stored(&z, "a", "abc", 3);
    zip_put_central(&z, "b", ZIP_STORED, 3, 3, 0, 10); /* inside it */
    zip_end(&z, NULL, 0);
    is_refused_saying(&z, ERR_CORRUPT, "'a' (3 bytes) reaches into 'b' at 10");

    (void)zip_put_stored(&z, "a", "abc", 3);
    zip_put_central(&z, "b", ZIP_STORED, 1u << 30, 1u << 30, 0, z.len); /* beyond the end */
    zip_end(&z, NULL, 0);
    is_refused(&z, ERR_CORRUPT);

    (void)zip_put_stored(&z, "a", "abc", 3);
    zip_put_central(&z, "b", ZIP_STORED, UINT64_MAX - 10, 1, 0, UINT64_MAX - 5);
    zip_end(&z, NULL, 0);
    is_refused(&z, ERR_CORRUPT);
}

static void a_directory_that_is_not_there_is_refused(void)
{
    struct zip_image z = { 0 };
    size_t data;

    put_two(&z, &data);
    z.count = 3; /* one more than there are */
    zip_end(&z, NULL, 0);
    is_refused(&z, ERR_CORRUPT);

    put_two(&z, &data);
    z.count = 1;
    zip_end(&z, NULL, 0);
    is_refused(&z, ERR_CORRUPT);

    put_two(&z, &data);
    z.count = 0;
    zip_end(&z, NULL, 0);
    is_refused(&z, ERR_CORRUPT);

    put_two(&z, &data);
    memset(z.central, 'x', 4);
    zip_end(&z, NULL, 0);
    is_refused_saying(&z, ERR_CORRUPT, "not where its end record says");

    z.zip64 = true;
    put_two(&z, &data);
    z.count = ZIP_ENTRIES_MAX + 1;
    zip_end(&z, NULL, 0);
    is_refused(&z, ERR_LIMIT);

    z.zip64 = true;
    put_two(&z, &data);
    zip_end(&z, NULL, 0);
    memset(z.data + z.len - 22 - 20, 'x', 4); /* no locator */
    is_refused(&z, ERR_CORRUPT);
}

/* Cut or changed anywhere, it is read or refused, and what is read lies inside. */
static void damage_anywhere_does_no_harm(void)
{
    for (unsigned form = 0; form < 4; form++) {
        struct zip_image z = { .zip64 = form & 1, .descriptors = form & 2 };
        size_t data;
        put_two(&z, &data);
        zip_end(&z, NULL, 0);
        for (size_t i = 0; i < z.len; i++)
            for (unsigned value = 0; value < 256; value += 51) {
                struct zip_directory d;
                uint8_t was = z.data[i];
                z.data[i] = (uint8_t)value;
                if (read_kind(&z, &d) == ERR_NONE)
                    for (uint32_t k = 0; k < d.count; k++)
                        CU_ASSERT(d.entries[k].local + d.entries[k].room <= d.offset &&
                                  d.offset + d.length <= z.len);
                zip_directory_free(&d);
                z.data[i] = was;
            }
        for (size_t whole = z.len; z.len > 0; z.len--) {
            struct zip_directory d;
            CU_ASSERT(read_kind(&z, &d) != ERR_NONE || z.len == whole);
            zip_directory_free(&d);
        }
        zip_image_free(&z);
    }
}

static void many_entries_and_a_far_directory_are_asked_for_piece_by_piece(void)
{
    enum { COUNT = 70000, HEAD = 512 * 1024 };
    struct zip_image z = { 0 };
    struct zip_directory d;
    struct byte_range want;
    char name[32];
    unsigned rounds = 0;

    for (unsigned i = 0; i < COUNT; i++) {
        (void)snprintf(name, sizeof name, "d/%u", i);
        (void)zip_put_stored(&z, name, name, strlen(name));
    }
    zip_end(&z, NULL, 0);
    struct container_input in = { .size = z.len, .pieces = { { .data = z.data, .len = HEAD } },
                                  .count = 1 };
    while (zip_need(&in, &want, NULL) > 0) {
        CU_ASSERT_FATAL(++rounds < 4 && want.length && want.offset + want.length <= z.len);
        in.pieces[in.count++] = (struct container_piece){
            .offset = want.offset, .data = z.data + want.offset, .len = (size_t)want.length };
    }
    CU_ASSERT_EQUAL(rounds, 2);
    CU_ASSERT_EQUAL_FATAL(zip_read(&in, &d, NULL), 0);
    CU_ASSERT_EQUAL(d.count, COUNT);
    CU_ASSERT(d.zip64);
    CU_ASSERT(name_is(&d.entries[COUNT - 1], "d/69999"));
    zip_directory_free(&d);
    zip_image_free(&z);
}

static void as_many_entries_as_need_no_zip64_are_read_without_it(void)
{
    struct zip_image z = { 0 };

    for (unsigned i = 0; i < UINT16_MAX; i++)
        (void)zip_put_stored(&z, "x", "", 0);
    z.count = 1; /* so that the end record is a short one */
    zip_end(&z, NULL, 0);
    change(&z, 14, UINT16_MAX, 2);
    change(&z, 12, UINT16_MAX, 2);
    is_read(&z);
}

static void local_headers_must_be_the_right_ones(void)
{
    struct zip_image z = { 0 };
    struct zip_directory d;
    uint32_t data_at;
    size_t data;

    put_two(&z, &data);
    zip_end(&z, NULL, 0);
    CU_ASSERT_EQUAL_FATAL(read_kind(&z, &d), ERR_NONE);
    const struct zip_entry *entry = &d.entries[0];
    CU_ASSERT_EQUAL(zip_local_header(entry, z.data, 35, &data_at, NULL), 0);
    CU_ASSERT_EQUAL(data_at, 35);
    CU_ASSERT(zip_local_header(entry, z.data, 34, &data_at, NULL) < 0);
    CU_ASSERT(zip_local_header(&d.entries[1], z.data, 200, &data_at, NULL) < 0);
    z.data[0] = 'X';
    CU_ASSERT(zip_local_header(entry, z.data, 35, &data_at, NULL) < 0);
    zip_directory_free(&d);
    zip_image_free(&z);
}

/* Extra fields that only the local header has: the directory cannot have told of them. */
static void a_local_header_longer_than_its_place_is_refused(void)
{
    static const uint16_t lengths[] = { 0, 9, 10, 12, 13, UINT16_MAX };
    struct zip_image z = { .extra = 9 };
    struct zip_directory d;
    uint32_t data_at;
    size_t data;

    put_two(&z, &data);
    zip_end(&z, NULL, 0);
    CU_ASSERT_EQUAL_FATAL(read_kind(&z, &d), ERR_NONE);
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        struct err e = { .kind = ERR_NONE };
        z.data[28] = (uint8_t)lengths[i];
        z.data[29] = (uint8_t)(lengths[i] >> 8);
        int rc = zip_local_header(&d.entries[0], z.data, (size_t)d.entries[0].room, &data_at, &e);
        CU_ASSERT_EQUAL(e.kind, lengths[i] <= 9 ? ERR_NONE : ERR_CORRUPT);
        CU_ASSERT(rc || data_at + d.entries[0].csize <= d.entries[0].room);
    }
    zip_directory_free(&d);
    zip_image_free(&z);
}

static void times_are_those_of_the_calendar(void)
{
    CU_ASSERT_EQUAL(filetime_to_timespec(zip_time(0x5a21u << 16 | 0x6000)).tv_sec, 1735732800);
    CU_ASSERT_EQUAL(filetime_to_timespec(zip_time((44u << 9 | 2 << 5 | 29) << 16)).tv_sec, 1709164800);
    CU_ASSERT_EQUAL(zip_time((45u << 9 | 2 << 5 | 29) << 16), 0); /* not in 2025 */
    CU_ASSERT_EQUAL(zip_time(0), 0); /* no month */
    CU_ASSERT_EQUAL(zip_time(UINT32_MAX), 0);
}

UNIT_MAIN("zip", TEST(archives_of_every_form_are_read),
          TEST(an_end_record_inside_a_comment_is_not_taken),
          TEST(an_end_record_that_leads_nowhere_is_not_taken),
          TEST(a_directory_that_is_far_away_is_looked_at_before_it_is_believed),
          TEST(the_head_is_not_asked_for_again),
          TEST(zip64_records_may_repeat_the_end_record_but_not_contradict_it),
          TEST(zip64_records_may_be_longer), TEST(parts_of_zip64_archives_are_refused),
          TEST(an_encrypted_directory_is_refused),
          TEST(wide_fields_are_read_with_and_without_the_others), TEST(stored_files_have_one_size),
          TEST(an_archive_with_offsets_from_the_objects_start_is_read),
          TEST(nothing_is_no_archive),
          TEST(an_archive_without_its_end_is_cut_off), TEST(bytes_behind_the_end_are_refused),
          TEST(a_comment_that_is_cut_off_is_refused),
          TEST(as_many_entries_as_need_no_zip64_are_read_without_it),
          TEST(encrypted_and_split_archives_are_refused),
          TEST(entries_that_reach_into_each_other_are_refused),
          TEST(a_directory_that_is_not_there_is_refused), TEST(damage_anywhere_does_no_harm),
          TEST(many_entries_and_a_far_directory_are_asked_for_piece_by_piece),
          TEST(local_headers_must_be_the_right_ones),
          TEST(a_local_header_longer_than_its_place_is_refused), TEST(times_are_those_of_the_calendar))
