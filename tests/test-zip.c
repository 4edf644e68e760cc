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

    zip_raw(&z, "PK\003\004 and then nothing of the kind", 33);
    is_refused(&z, ERR_NOT_A_PACKAGE);
}

static void bytes_behind_the_end_are_refused(void)
{
    struct zip_image z = { 0 };
    size_t data;

    put_two(&z, &data);
    zip_end(&z, NULL, 0);
    zip_raw(&z, "x", 1);
    is_refused(&z, ERR_NOT_A_PACKAGE);
}

static void encrypted_and_split_archives_are_refused(void)
{
    static const uint16_t flags[] = { 1u << 0, 1u << 6, 1u << 13, 1u << 5 };
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
    zip_put_central(&z, "b", ZIP_STORED, 3, 3, 0, 0); /* the same place */
    zip_end(&z, NULL, 0);
    is_refused(&z, ERR_CORRUPT);

    (void)zip_put_stored(&z, "a", "abc", 3);
    zip_put_central(&z, "b", ZIP_STORED, 3, 3, 0, 10); /* inside it */
    zip_end(&z, NULL, 0);
    is_refused(&z, ERR_CORRUPT);

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
    CU_ASSERT_EQUAL(zip_time(0), 0); /* no month */
    CU_ASSERT_EQUAL(zip_time(UINT32_MAX), 0);
}

UNIT_MAIN("zip", TEST(archives_of_every_form_are_read),
          TEST(an_end_record_inside_a_comment_is_not_taken),
          TEST(an_archive_with_offsets_from_the_objects_start_is_read),
          TEST(nothing_is_no_archive), TEST(bytes_behind_the_end_are_refused),
          TEST(encrypted_and_split_archives_are_refused),
          TEST(entries_that_reach_into_each_other_are_refused),
          TEST(a_directory_that_is_not_there_is_refused), TEST(damage_anywhere_does_no_harm),
          TEST(many_entries_and_a_far_directory_are_asked_for_piece_by_piece),
          TEST(local_headers_must_be_the_right_ones),
          TEST(a_local_header_longer_than_its_place_is_refused), TEST(times_are_those_of_the_calendar))
