/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is let through to libhivex and what is not. */
#include "config.h"

#include "src/hive_check.h"
#include "tests/hive_fixture.h"
#include "tests/unit.h"

static struct err e;

/* The kind of error for H, which is freed. */
static enum err_kind check(struct hive_image *h)
{
    e = (struct err){ 0 };
    int rc = hive_check(h->data, h->len, &e);
    CU_ASSERT_EQUAL(rc == 0, e.kind == ERR_NONE);
    hive_image_free(h);
    return e.kind;
}

/* root with the value "v" (of LEN bytes) and the key "below"; *value is the value's cell. */
static uint32_t small(struct hive_image *h, size_t len, uint32_t *value)
{
    auto_free uint8_t *data = calloc(1, len);

    hive_begin(h);
    *value = hive_value(h, "v", 3, data, len);
    uint32_t below = hive_key(h, "below", NULL, 0, NULL, 0);
    return hive_key(h, "root", &below, 1, value, 1);
}

static void hive_check_takes_lists_and_data_of_all_forms(void)
{
    static const char *const kinds[] = { "lf", "lh", "li" };

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        for (unsigned nested = 0; nested < 2; nested++) {
            struct hive_image h;
            uint32_t keys[2], values[3];
            hive_begin(&h);
            auto_free uint8_t *big = calloc(1, 50000);
            values[0] = hive_value(&h, "", 1, "", 0);
            values[1] = hive_value(&h, "four", 4, "1234", 4);
            values[2] = hive_value(&h, "big", 3, big, 50000);
            keys[0] = hive_key(&h, "a", NULL, 0, values, 3);
            keys[1] = hive_key(&h, "b", NULL, 0, NULL, 0);
            uint32_t list = hive_list(&h, kinds[i], keys, 2);
            if (nested)
                list = hive_list(&h, "ri", &list, 1);
            hive_end(&h, hive_key_over(&h, "root", list, 2, NULL, 0));
            CU_ASSERT_EQUAL(check(&h), ERR_NONE);
        }
}

static void hive_check_refuses_what_is_no_hive(void)
{
    CU_ASSERT_EQUAL(hive_check("", 0, &e), -EOPNOTSUPP);
    struct hive_image h;
    uint32_t v;
    hive_end(&h, small(&h, 4, &v));
    h.data[0x14] = 2;
    hive_sum(&h);
    CU_ASSERT_EQUAL(check(&h), ERR_UNSUPPORTED);
    hive_end(&h, small(&h, 4, &v));
    h.data[0x40] ^= 1;
    CU_ASSERT_EQUAL(check(&h), ERR_CHECKSUM);
    hive_end(&h, small(&h, 4, &v));
    h.len -= 1;
    CU_ASSERT_EQUAL(check(&h), ERR_TRUNCATED);
}

/* A hive with the BYTES at offset AT of the value's cell (WHICH 0) or the root key's (1) changed.
 */
static enum err_kind changed(unsigned which, size_t at, uint64_t v, unsigned bytes)
{
    struct hive_image h;
    uint32_t cells[2];

    cells[1] = small(&h, 101, &cells[0]); /* in a cell for 108 */
    hive_end(&h, cells[1]);
    hive_put(&h, hive_at(cells[which]) + at, v, bytes);
    return check(&h);
}

static void hive_check_refuses_lengths_that_do_not_fit(void)
{
    CU_ASSERT_EQUAL(changed(0, 6, 1, 2), ERR_NONE);
    CU_ASSERT_EQUAL(changed(0, 6, 9, 2), ERR_CORRUPT); /* name */
    CU_ASSERT_EQUAL(changed(0, 8, 108, 4), ERR_NONE);  /* data */
    CU_ASSERT_EQUAL(changed(0, 8, 109, 4), ERR_CORRUPT);
    CU_ASSERT_EQUAL(changed(0, 8, 0x80000005, 4), ERR_CORRUPT); /* data in the cell itself */
    CU_ASSERT_EQUAL(changed(0, 12, 0x7ffffff8, 4), ERR_CORRUPT);
    CU_ASSERT_EQUAL(changed(0, 12, 2, 4), ERR_CORRUPT);
    CU_ASSERT_EQUAL(changed(0, 0, 0x80000000, 4), ERR_CORRUPT); /* the cell */
    CU_ASSERT_EQUAL(changed(0, 0, 0, 4), ERR_CORRUPT);
    CU_ASSERT_EQUAL(changed(1, 0x4c, 100, 2), ERR_CORRUPT); /* the key's name */
    CU_ASSERT_EQUAL(changed(1, 0x28, 3, 4), ERR_CORRUPT);   /* values */
    CU_ASSERT_EQUAL(changed(1, 0x28, UINT32_MAX, 4), ERR_CORRUPT);
    CU_ASSERT_EQUAL(changed(1, 0x20, 0, 4), ERR_CORRUPT); /* keys */
    CU_ASSERT_EQUAL(changed(1, 0x2c, 0xfffffff8, 4), ERR_CORRUPT);
    CU_ASSERT_EQUAL(changed(1, 4, 0, 2), ERR_CORRUPT);
}

static void hive_check_refuses_lists_that_are_not_as_long_as_they_say(void)
{
    for (unsigned count = 0; count < 3; count++) {
        struct hive_image h;
        hive_begin(&h);
        uint32_t key = hive_key(&h, "a", NULL, 0, NULL, 0);
        uint32_t list = hive_list(&h, "lf", &key, 1);
        hive_end(&h, hive_key_over(&h, "root", list, 1, NULL, 0));
        hive_put(&h, hive_at(list) + 6, count, 2);
        CU_ASSERT_EQUAL(check(&h), count == 1 ? ERR_NONE : ERR_CORRUPT);
    }
}

static void hive_check_refuses_lists_of_lists_of_lists(void)
{
    struct hive_image h;

    hive_begin(&h);
    uint32_t key = hive_key(&h, "a", NULL, 0, NULL, 0);
    uint32_t list = hive_list(&h, "li", &key, 1);
    list = hive_list(&h, "ri", &list, 1);
    list = hive_list(&h, "ri", &list, 1);
    hive_end(&h, hive_key_over(&h, "root", list, 1, NULL, 0));
    CU_ASSERT_EQUAL(check(&h), ERR_CORRUPT);
}

static void hive_check_refuses_parts_outside_of_the_list(void)
{
    struct hive_image h;
    uint32_t v, root = small(&h, 40000, &v), db, list;

    hive_end(&h, root);
    memcpy(&db, h.data + hive_at(v) + 12, 4);
    memcpy(&list, h.data + hive_at(db) + 8, 4);
    hive_put(&h, hive_at(db) + 6, 5, 2); /* its list has room for three, and padding */
    CU_ASSERT_EQUAL(check(&h), ERR_CORRUPT);
    hive_end(&h, small(&h, 40000, &v));
    hive_put(&h, hive_at(db) + 6, 65535, 2);
    CU_ASSERT_EQUAL(check(&h), ERR_CORRUPT);
    hive_end(&h, small(&h, 40000, &v));
    hive_put(&h, hive_at(list) + 4, 3, 4);
    CU_ASSERT_EQUAL(check(&h), ERR_CORRUPT);
}

static void hive_check_ends_where_keys_go_in_a_circle(void)
{
    struct hive_image h;

    hive_begin(&h);
    uint32_t key = hive_key(&h, "a", NULL, 0, NULL, 0);
    uint32_t root = hive_key(&h, "root", &key, 1, NULL, 0);
    hive_end(&h, root);
    memcpy(h.data + hive_at(key) + 0x18, h.data + hive_at(root) + 0x18, 12);
    CU_ASSERT_EQUAL(check(&h), ERR_CORRUPT); /* more keys than this small file has room for */
}

/* A chain of DEPTH keys below the root. */
static enum err_kind chain(unsigned depth)
{
    struct hive_image h;

    hive_begin(&h);
    uint32_t key = hive_key(&h, "a", NULL, 0, NULL, 0);
    while (--depth)
        key = hive_key(&h, "a", &key, 1, NULL, 0);
    hive_end(&h, hive_key(&h, "root", &key, 1, NULL, 0));
    return check(&h);
}

static void hive_check_goes_as_deep_as_windows_does(void)
{
    CU_ASSERT_EQUAL(chain(HIVE_DEPTH_MAX), ERR_NONE);
    CU_ASSERT_EQUAL(chain(HIVE_DEPTH_MAX + 1), ERR_LIMIT);
}

/* Each of 30 levels names the next twice: 2^30 keys in a few kilobytes. */
static void hive_check_does_not_count_shared_keys_without_end(void)
{
    struct hive_image h;

    hive_begin(&h);
    uint32_t key = hive_key(&h, "a", NULL, 0, NULL, 0);
    for (unsigned i = 0; i < 30; i++) {
        const uint32_t twice[] = { key, key };
        key = hive_key(&h, "a", twice, 2, NULL, 0);
    }
    hive_end(&h, key);
    CU_ASSERT_EQUAL(check(&h), ERR_CORRUPT);
}

static void hive_check_does_not_count_shared_data_without_end(void)
{
    struct hive_image h;
    uint32_t values[64];
    uint8_t data[8000] = { 0 };

    hive_begin(&h);
    values[0] = hive_value(&h, "a", 3, data, sizeof data);
    for (unsigned i = 1; i < 64; i++)
        values[i] = values[0];
    hive_end(&h, hive_key(&h, "root", NULL, 0, values, 64));
    CU_ASSERT_EQUAL(check(&h), ERR_CORRUPT);
}

UNIT_MAIN("hive-check", TEST(hive_check_takes_lists_and_data_of_all_forms),
          TEST(hive_check_refuses_what_is_no_hive),
          TEST(hive_check_refuses_lengths_that_do_not_fit),
          TEST(hive_check_refuses_lists_that_are_not_as_long_as_they_say),
          TEST(hive_check_refuses_lists_of_lists_of_lists),
          TEST(hive_check_refuses_parts_outside_of_the_list),
          TEST(hive_check_ends_where_keys_go_in_a_circle),
          TEST(hive_check_goes_as_deep_as_windows_does),
          TEST(hive_check_does_not_count_shared_keys_without_end),
          TEST(hive_check_does_not_count_shared_data_without_end))
