/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Recording of a start: first uses in order, once each, in a file that is always whole lines. */
#include "config.h"

#include "fs/record.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>

#include "src/container.h"
#include "src/launch_list.h"
#include "tests/make-sft.h"
#include "tests/unit.h"

static const struct make_entry tree[] = {
    { .path = "App.exe", .len = 40000 },
    { .path = "a.txt", .len = 100 },
    { .path = "b.txt", .len = 200 },
    { .path = "big.bin", .len = 4000000 },
};

static struct package *package;
static char dir[] = "/tmp/sftfs-record.XXXXXX", path[64];

static void begin(void)
{
    struct made_sft made;

    CU_ASSERT_EQUAL_FATAL(make_sft(tree, ARRAY_LEN(tree), NULL, &made, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(container_read_memory(made.data, made.len, &package, NULL), 0);
    free(made.data);
    strcpy(dir, "/tmp/sftfs-record.XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/record", dir);
}

static void end(void)
{
    package_free(package);
    (void)unlink(path);
    CU_ASSERT_EQUAL(rmdir(dir), 0);
}

static void use(struct recorder *r, const char *name, uint64_t off, uint64_t len)
{
    struct piece usual[READ_PIECES_USUAL], *pieces;
    uint32_t file = package_resolve(package, name, true);
    const struct read_span span = { off, len };
    size_t count = package_map(package, file, off, len, usual, READ_PIECES_USUAL);

    pieces = usual;
    record_use(r, file, &span, 1, pieces, count);
}

static struct launch_list recorded(void)
{
    struct launch_list l = { .count = 0 };
    FILE *f = fopen(path, "rb");
    static char text[1 << 20];

    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    size_t n = fread(text, 1, sizeof text, f);
    (void)fclose(f);
    CU_ASSERT_EQUAL_FATAL(launch_list_parse(text, n, &l, NULL), 0);
    CU_ASSERT(l.recorded && !l.cut);
    return l;
}

static void expect_use(const struct launch_list *l, size_t i, const char *name, uint64_t off,
                       uint64_t len)
{
    struct piece piece;

    CU_ASSERT_FATAL(i < l->count);
    CU_ASSERT_STRING_EQUAL(l->items[i].path, name);
    CU_ASSERT_EQUAL(l->items[i].offset, off);
    CU_ASSERT_EQUAL(l->items[i].len, len);
    CU_ASSERT_EQUAL_FATAL(
        package_map(package, package_resolve(package, name, true), off, 1, &piece, 1), 1);
    CU_ASSERT_EQUAL(l->items[i].block, piece.block);
}

static void record_holds_first_uses_in_order(void)
{
    struct recorder *r;

    begin();
    CU_ASSERT_EQUAL_FATAL(record_start(package, path, &r, NULL), 0);
    use(r, "App.exe", 5000, 10);
    use(r, "App.exe", 4096, 4096);
    use(r, "b.txt", 10, 20);
    use(r, "App.exe", 0, 12288);
    use(r, "a.txt", 0, 100); /* in the block of b.txt */
    use(r, "a.txt", 0, 100);
    use(r, "App.exe", 39999, 1);
    record_stop(r);
    struct launch_list l = recorded();
    expect_use(&l, 0, "App.exe", 4096, 4096);
    expect_use(&l, 1, "b.txt", 0, 200);
    expect_use(&l, 2, "App.exe", 0, 4096);
    expect_use(&l, 3, "App.exe", 8192, 4096);
    expect_use(&l, 4, "a.txt", 0, 100);
    expect_use(&l, 5, "App.exe", 36864, 40000 - 36864);
    CU_ASSERT_EQUAL(l.count, 6);
    launch_list_clear(&l);
    end();
}

static void record_of_spans_has_the_bytes_of_each(void)
{
    struct recorder *r;
    struct piece pieces[8];
    const struct read_span spans[] = { { 4000, 200 }, { 20000, 100 } };
    size_t count;

    begin();
    uint32_t file = package_resolve(package, "App.exe", true);
    count = package_map(package, file, spans[0].off, spans[0].len, pieces, 8);
    count += package_map(package, file, spans[1].off, spans[1].len, pieces + count, 8 - count);
    CU_ASSERT_EQUAL(count, 3);
    CU_ASSERT_EQUAL_FATAL(record_start(package, path, &r, NULL), 0);
    record_use(r, file, spans, 2, pieces, count);
    record_stop(r);
    struct launch_list l = recorded();
    expect_use(&l, 0, "App.exe", 0, 4096);
    expect_use(&l, 1, "App.exe", 4096, 4096);
    expect_use(&l, 2, "App.exe", 16384, 4096);
    CU_ASSERT_EQUAL(l.count, 3);
    launch_list_clear(&l);
    end();
}

static void record_without_a_recorder_is_nothing(void)
{
    begin();
    use(NULL, "App.exe", 0, 1);
    record_stop(NULL);
    end();
}

static void record_replaces_a_recording_and_nothing_else(void)
{
    struct recorder *r;
    struct err e = { .text = "" };
    struct stat st;

    begin();
    CU_ASSERT_EQUAL_FATAL(record_start(package, path, &r, NULL), 0);
    use(r, "big.bin", 0, 1000000);
    record_stop(r);
    CU_ASSERT_EQUAL_FATAL(record_start(package, path, &r, NULL), 0);
    record_stop(r);
    struct launch_list l = recorded();
    CU_ASSERT_EQUAL(l.count, 0);
    launch_list_clear(&l);

    FILE *f = fopen(path, "w");
    CU_ASSERT_FATAL(f && fputs("my diary\n", f) >= 0 && !fclose(f));
    CU_ASSERT(record_start(package, path, &r, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_INVALID);
    CU_ASSERT(!stat(path, &st) && st.st_size == 9);
    CU_ASSERT(record_start(package, dir, &r, &e) < 0);
    CU_ASSERT(record_start(package, "/nowhere/at/all", &r, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_NOT_FOUND);
    CU_ASSERT(!mkfifo(strcat(path, ".fifo"), 0600));
    CU_ASSERT(record_start(package, path, &r, &e) < 0);
    CU_ASSERT(!unlink(path));
    path[strlen(path) - 5] = '\0';
    end();
}

/* Readers, each of which wants all of it, from another place on. */
static void *reader(void *arg)
{
    static _Atomic unsigned number;
    struct recorder *r = arg;
    unsigned n = atomic_fetch_add(&number, 1);

    for (uint64_t i = 0; i < 1000; i++)
        use(r, "big.bin", (i + n * 100) % 970 * 4096 + 7, 5000);
    return NULL;
}

static void record_of_many_readers_has_each_block_once(void)
{
    enum { READERS = 8 };
    pthread_t threads[READERS];
    static uint8_t seen[2000];
    struct recorder *r;

    begin();
    CU_ASSERT_EQUAL_FATAL(record_start(package, path, &r, NULL), 0);
    for (unsigned i = 0; i < READERS; i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, reader, r), 0);
    for (unsigned i = 0; i < READERS; i++)
        CU_ASSERT_EQUAL(pthread_join(threads[i], NULL), 0);
    record_stop(r);
    struct launch_list l = recorded();
    /* Only the very first use of a file may come with a block that another reader just recorded. */
    CU_ASSERT(l.count == 972 || l.count == 971);
    unsigned twice = 0;
    for (size_t i = 0; i < l.count; i++) {
        CU_ASSERT_FATAL(l.items[i].block < sizeof seen);
        twice += seen[l.items[i].block]++ != 0;
    }
    CU_ASSERT(twice <= 1);
    launch_list_clear(&l);
    end();
}

static bool has_lines(unsigned wanted)
{
    struct launch_list l = recorded();
    bool yes = l.count >= wanted;

    launch_list_clear(&l);
    return yes;
}

static void record_is_in_the_file_before_the_end(void)
{
    struct recorder *r;

    begin();
    CU_ASSERT_EQUAL_FATAL(record_start(package, path, &r, NULL), 0);
    use(r, "App.exe", 0, 1);
    for (unsigned i = 0; i < 6000 && !has_lines(1); i++)
        (void)usleep(10000);
    CU_ASSERT(has_lines(1));
    use(r, "a.txt", 0, 1);
    for (unsigned i = 0; i < 6000 && !has_lines(2); i++)
        (void)usleep(10000);
    CU_ASSERT(has_lines(2));
    record_stop(r);
    end();
}

UNIT_MAIN("record", TEST(record_holds_first_uses_in_order),
          TEST(record_of_spans_has_the_bytes_of_each), TEST(record_without_a_recorder_is_nothing),
          TEST(record_replaces_a_recording_and_nothing_else),
          TEST(record_of_many_readers_has_each_block_once),
          TEST(record_is_in_the_file_before_the_end))
