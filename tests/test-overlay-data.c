/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of fs/overlay/data.c: bytes of files in the upper layer. */
#include "config.h"

#include "fs/overlay/data.h"

#include <pthread.h>
#include <sys/stat.h>

#include "tests/overlay_shape.h"

enum { UNIT = PARTIAL_UNIT, LARGE = 20 * PARTIAL_UNIT + 77 };

static const struct make_entry entries[] = {
    { .path = "dir/large", .len = LARGE }, /* of several blocks */
    { .path = "dir/same", .len = LARGE },
    { .path = "empty", .len = 0 },
    { .path = "large", .len = LARGE },
    { .path = "small", .len = 100 },
    { .path = "twin", .data = "the same bytes", .len = 14 },
};

static struct fixture f;

static bool begin(void)
{
    if (!fixture_begin(&f, entries, ARRAY_LEN(entries), false))
        return false;
    fixture_open(&f, false);
    return true;
}

/* What dir/large must show: the package's bytes but for what a test put there. */
static uint8_t expected[4 * LARGE];
static uint64_t expected_size;

static void expect_package(void)
{
    memset(expected, 0, sizeof expected);
    make_sft_fill("dir/large", 0, expected, LARGE);
    expected_size = LARGE;
}

static void put(uint64_t off, const char *text)
{
    size_t len = strlen(text);

    CU_ASSERT_EQUAL(write_node(&f, id_at(&f, "dir/large"), off, text, len), (long)len);
    memcpy(expected + off, text, len);
    if (off + len > expected_size)
        expected_size = off + len;
}

static bool is_as_expected(void)
{
    static uint8_t got[sizeof expected];
    struct stat st;
    uint64_t id = id_at(&f, "dir/large");

    return read_node(&f, id, 0, got, sizeof got) == (long)expected_size &&
           !memcmp(got, expected, (size_t)expected_size) && !overlay_getattr(f.o, id, &st) &&
           (uint64_t)st.st_size == expected_size;
}

static bool upper_has(const char *path, const char *marker)
{
    char value[4096];

    return xattr_get_at(f.store->files_fd, path, marker, value, sizeof value) >= 0;
}

static unsigned count_maps(void)
{
    unsigned count = 0;
    char path[400];

    (void)snprintf(path, sizeof path, "ls '%s/maps' | wc -l", f.path);
    FILE *p = popen(path, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(p);
    CU_ASSERT_EQUAL(fscanf(p, "%u", &count), 1);
    (void)pclose(p);
    return count;
}

static void unchanged_file_is_read_from_the_package(void)
{
    struct overlay_data d;

    if (!begin())
        return;
    CU_ASSERT_EQUAL(overlay_data_pin(f.o, id_at(&f, "dir/large"), false, &d), 0);
    CU_ASSERT_PTR_NULL(d.node);
    overlay_data_unpin(f.o, &d);
    CU_ASSERT_EQUAL(overlay_data_pin(f.o, id_at(&f, "dir"), false, &d), -EISDIR);
    CU_ASSERT_EQUAL(overlay_data_pin(f.o, OVERLAY_ROOT_ID, true, &d), -EISDIR);
    CU_ASSERT_EQUAL(overlay_data_pin(f.o, 4711, true, &d), -ESTALE);
    CU_ASSERT_EQUAL(overlay_data_pin(f.o, OVERLAY_UPPER_ID + 4711, true, &d), -ESTALE);
    expect_package();
    CU_ASSERT(is_as_expected());
    fixture_end(&f);
}

static void opening_for_writing_brings_nothing(void)
{
    struct overlay_data d;
    struct stat st;

    if (!begin())
        return;
    expect_package();
    CU_ASSERT_EQUAL_FATAL(overlay_data_pin(f.o, id_at(&f, "dir/large"), true, &d), 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(d.partial);
    CU_ASSERT_EQUAL((uint64_t)d.lower + 1, id_at(&f, "dir/large"));
    CU_ASSERT_TRUE(partial_is_untouched(d.partial));
    CU_ASSERT(!fstat(d.fd, &st) && st.st_blocks * 512 < UNIT + 1);
    overlay_data_unpin(f.o, &d);
    CU_ASSERT_EQUAL(count_maps(), 0);
    CU_ASSERT(is_as_expected());
    fixture_reopen(&f);
    CU_ASSERT(is_as_expected());
    fixture_end(&f);
}

static void changed_bytes_and_the_rest_are_there_after_a_remount(void)
{
    if (!begin())
        return;
    expect_package();
    put(5000, "within a unit");
    put(3 * UNIT - 4, "over the end of one");
    put(LARGE, "appended");
    put(LARGE + 3 * UNIT, "after a hole");
    CU_ASSERT(is_as_expected());
    CU_ASSERT_EQUAL(count_maps(), 1);
    for (int i = 0; i < 2; i++) {
        fixture_reopen(&f);
        CU_ASSERT(is_as_expected());
    }
    CU_ASSERT_EQUAL(truncate_node(&f, id_at(&f, "dir/large"), 3 * UNIT + 1), 0);
    CU_ASSERT_EQUAL(truncate_node(&f, id_at(&f, "dir/large"), 6 * UNIT), 0);
    memset(expected + 3 * UNIT + 1, 0, LARGE);
    expected_size = 6 * UNIT;
    CU_ASSERT(is_as_expected());
    fixture_reopen(&f);
    CU_ASSERT(is_as_expected());
    CU_ASSERT_EQUAL(truncate_node(&f, id_at(&f, "dir/large"), UINT64_MAX), -EFBIG);
    fixture_end(&f);
}

static void overwritten_file_is_plain_once_synced(void)
{
    static char all[LARGE + 1];
    struct overlay_data d;
    struct stat st;

    if (!begin())
        return;
    expect_package();
    memset(all, 'x', LARGE);
    put(0, all);
    CU_ASSERT_TRUE(upper_has("dir/large", MARKER_PARTIAL));
    CU_ASSERT_EQUAL_FATAL(overlay_data_pin(f.o, id_at(&f, "dir/large"), false, &d), 0);
    CU_ASSERT_EQUAL(overlay_data_sync(f.o, &d, true), 0);
    CU_ASSERT_FALSE(upper_has("dir/large", MARKER_PARTIAL));
    CU_ASSERT_TRUE(upper_has("dir/large", MARKER_ORIGIN));
    CU_ASSERT_EQUAL(count_maps(), 0);
    CU_ASSERT_EQUAL(overlay_data_sync(f.o, &d, false), 0);
    overlay_data_unpin(f.o, &d);
    CU_ASSERT(!overlay_getattr(f.o, id_at(&f, "dir/large"), &st));
    uint64_t ino = st.st_ino;
    fixture_reopen(&f);
    CU_ASSERT(is_as_expected());
    CU_ASSERT(!overlay_getattr(f.o, id_at(&f, "dir/large"), &st) && st.st_ino == ino);
    fixture_end(&f);
}

static void complete_file_is_plain_after_unmounting(void)
{
    static char all[LARGE + 1];

    if (!begin())
        return;
    expect_package();
    memset(all, 'y', LARGE);
    put(0, all);
    fixture_reopen(&f);
    CU_ASSERT_FALSE(upper_has("dir/large", MARKER_PARTIAL));
    CU_ASSERT_EQUAL(count_maps(), 0);
    CU_ASSERT(is_as_expected());
    fixture_end(&f);
}

static void completing_brings_all_the_rest(void)
{
    struct overlay_data d;

    if (!begin())
        return;
    expect_package();
    put(5000, "mine");
    CU_ASSERT_EQUAL_FATAL(overlay_data_pin(f.o, id_at(&f, "dir/large"), true, &d), 0);
    CU_ASSERT_EQUAL(overlay_data_complete(f.o, &d, lower_bytes, &f, NULL), 0);
    CU_ASSERT_EQUAL(overlay_data_complete(f.o, &d, lower_bytes, &f, NULL), 0);
    overlay_data_unpin(f.o, &d);
    CU_ASSERT_FALSE(upper_has("dir/large", MARKER_PARTIAL));
    CU_ASSERT(is_as_expected());
    fixture_reopen(&f);
    CU_ASSERT(is_as_expected());
    fixture_end(&f);
}

static long no_lower(void *arg, uint32_t file, uint64_t off, void *buf, size_t len, struct err *e)
{
    (void)arg, (void)file, (void)off, (void)buf, (void)len;
    return err_set(e, ERR_NETWORK, "away");
}

static void missing_bytes_that_cannot_be_had_are_an_error(void)
{
    struct overlay_data d;
    uint8_t buf[10];
    struct err e = { 0 };

    if (!begin())
        return;
    expect_package();
    put(2 * UNIT, "mine");
    CU_ASSERT_EQUAL_FATAL(overlay_data_pin(f.o, id_at(&f, "dir/large"), true, &d), 0);
    CU_ASSERT(overlay_data_read(f.o, &d, 0, buf, 10, no_lower, NULL, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_NETWORK);
    CU_ASSERT_EQUAL(overlay_data_read(f.o, &d, 2 * UNIT, buf, 4, no_lower, NULL, &e), 4);
    CU_ASSERT(overlay_data_complete(f.o, &d, no_lower, NULL, &e) < 0);
    overlay_data_unpin(f.o, &d);
    CU_ASSERT_TRUE(upper_has("dir/large", MARKER_PARTIAL));
    CU_ASSERT(is_as_expected());
    fixture_end(&f);
}

static void deleted_file_goes_on_for_those_who_have_it(void)
{
    struct names n;

    if (!begin())
        return;
    uint64_t small = id_at(&f, "small"), large = id_at(&f, "dir/large");
    uint8_t got[100], original[100];

    make_sft_fill("small", 0, original, 100);
    overlay_remember(f.o, small, 1);
    overlay_remember(f.o, large, 1);
    CU_ASSERT_EQUAL(write_node(&f, large, 10, "mine", 4), 4);
    CU_ASSERT_EQUAL(count_maps(), 1);
    CU_ASSERT_EQUAL(overlay_unlink(f.o, OVERLAY_ROOT_ID, "small"), 0);
    CU_ASSERT_EQUAL(overlay_unlink(f.o, id_at(&f, "dir"), "large"), 0);
    CU_ASSERT_EQUAL(read_node(&f, small, 0, got, 100), 100);
    CU_ASSERT(!memcmp(got, original, 100));
    CU_ASSERT_EQUAL(write_node(&f, small, 50, "new", 3), 3);
    memcpy(original + 50, "new", 3);
    CU_ASSERT_EQUAL(read_node(&f, small, 0, got, 100), 100);
    CU_ASSERT(!memcmp(got, original, 100));
    CU_ASSERT_EQUAL(write_node(&f, large, 5 * UNIT + 1, "more", 4), 4);
    CU_ASSERT_EQUAL(read_node(&f, large, 10, got, 4), 4);
    CU_ASSERT(!memcmp(got, "mine", 4));
    CU_ASSERT_EQUAL(read_node(&f, large, 5 * UNIT + 1, got, 4), 4);
    CU_ASSERT(!memcmp(got, "more", 4));
    overlay_forget(f.o, small, 1);
    overlay_forget(f.o, large, 1);
    CU_ASSERT_EQUAL(count_maps(), 0);
    CU_ASSERT_STRING_EQUAL(names_in(&f, "dir", &n), "same");
    fixture_end(&f);
}

static void file_made_from_other_contents_is_refused(void)
{
    struct overlay_data d;
    struct partial_mark mark = { .size = LARGE };
    char path[] = "/large";

    if (!begin())
        return;
    mark.path = path;
    uint32_t large = package_resolve(f.package, "dir/large", true);
    CU_ASSERT_EQUAL(partial_fingerprint(f.package, large, mark.content), 0);
    up_file(&f, "large", "");
    int fd = openat(f.store->files_fd, "large", O_RDWR);
    CU_ASSERT(!ftruncate(fd, LARGE) && !marker_set_partial(fd, &mark));
    (void)close(fd);
    fixture_reopen(&f);
    CU_ASSERT_EQUAL(overlay_data_pin(f.o, id_at(&f, "large"), false, &d), -EIO);
    CU_ASSERT_EQUAL(overlay_data_pin(f.o, id_at(&f, "large"), true, &d), -EIO);
    fixture_end(&f);
}

static void fingerprints_tell_contents_apart(void)
{
    struct make_options another = { .version_number = 7 };
    uint8_t print[ARRAY_LEN(entries)][16], again[16];
    struct package *package = NULL;
    struct made_sft made;

    if (!begin())
        return;
    CU_ASSERT_EQUAL_FATAL(make_sft(entries, ARRAY_LEN(entries), &another, &made, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(container_read_memory(made.data, made.len, &package, NULL), 0);
    for (size_t i = 0; i < ARRAY_LEN(entries); i++) {
        uint32_t ours = package_resolve(f.package, entries[i].path, true);
        CU_ASSERT_EQUAL(partial_fingerprint(f.package, ours, print[i]), 0);
        for (size_t k = 0; k < i; k++)
            CU_ASSERT(memcmp(print[i], print[k], 16) != 0);
        ours = package_resolve(package, entries[i].path, true);
        CU_ASSERT_EQUAL(partial_fingerprint(package, ours, again), 0);
        CU_ASSERT_EQUAL(memcmp(print[i], again, 16), 0);
    }
    package_free(package);
    free(made.data);
    fixture_end(&f);
}

static mode_t mode_of(uint64_t id)
{
    struct stat st;

    CU_ASSERT_EQUAL(overlay_getattr(f.o, id, &st), 0);
    return st.st_mode & 07777;
}

static void writing_takes_set_id_bits_away(void)
{
    static const struct {
        mode_t before, after;
    } cases[] = {
        { 06755, 0755 }, { 04644, 0644 }, { 02745, 02745 }, { 02711, 0711 }, { 0644, 0644 },
    };
    struct overlay_data d;

    if (!begin())
        return;
    uint64_t id = id_at(&f, "small");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct stat st = { .st_mode = cases[i].before };
        CU_ASSERT_EQUAL(overlay_setattr(f.o, id, OVERLAY_SET_MODE, &st), 0);
        CU_ASSERT_EQUAL(mode_of(id), cases[i].before);
        CU_ASSERT_EQUAL_FATAL(overlay_data_pin(f.o, id, true, &d), 0);
        CU_ASSERT_EQUAL(overlay_data_drop_privileges(f.o, &d), cases[i].before != cases[i].after);
        CU_ASSERT_EQUAL(overlay_data_drop_privileges(f.o, &d), 0);
        overlay_data_unpin(f.o, &d);
        CU_ASSERT_EQUAL(mode_of(id), cases[i].after);
    }
    fixture_end(&f);
}

/* All come for the same file when it is not yet known to be partial. */
enum { READERS = 4 };

static void *read_large(void *arg)
{
    static const char wanted[] = "mine";
    uint8_t got[4];
    bool *right = arg;

    *right =
        read_node(&f, package_id(&f, "dir/large"), 5000, got, 4) == 4 && !memcmp(got, wanted, 4);
    return NULL;
}

static void first_readers_may_come_together(void)
{
    pthread_t threads[READERS];
    bool right[READERS];

    if (!begin())
        return;
    expect_package();
    put(5000, "mine");
    for (int round = 0; round < 20; round++) {
        fixture_reopen(&f);
        (void)id_at(&f, "dir/large");
        for (unsigned i = 0; i < READERS; i++)
            CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, read_large, &right[i]), 0);
        for (unsigned i = 0; i < READERS; i++) {
            CU_ASSERT_EQUAL(pthread_join(threads[i], NULL), 0);
            CU_ASSERT_TRUE(right[i]);
        }
    }
    fixture_end(&f);
}

UNIT_MAIN("overlay-data", TEST(unchanged_file_is_read_from_the_package),
          TEST(opening_for_writing_brings_nothing),
          TEST(changed_bytes_and_the_rest_are_there_after_a_remount),
          TEST(overwritten_file_is_plain_once_synced),
          TEST(complete_file_is_plain_after_unmounting), TEST(completing_brings_all_the_rest),
          TEST(missing_bytes_that_cannot_be_had_are_an_error),
          TEST(deleted_file_goes_on_for_those_who_have_it),
          TEST(file_made_from_other_contents_is_refused), TEST(fingerprints_tell_contents_apart),
          TEST(writing_takes_set_id_bits_away), TEST(first_readers_may_come_together))
