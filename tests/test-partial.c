/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of fs/overlay/partial.c: files that are in part still the package's. */
#include "config.h"

#include "fs/overlay/partial.h"

#include <linux/falloc.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "tests/partial_file.h"

enum { UNIT = PARTIAL_UNIT };

static struct partial_file f;

static void appending_needs_neither_the_package_nor_a_map(void)
{
    struct span64 need[2];

    if (!partial_file_make(&f, 2 * UNIT + 100))
        return;
    CU_ASSERT_EQUAL(partial_write_needs(f.p, 2 * UNIT + 100, 1, need), 0);
    CU_ASSERT_TRUE(partial_is_untouched(f.p));
    CU_ASSERT_EQUAL(partial_file_write(&f, 2 * UNIT + 100, 1, 'x'), 1);
    CU_ASSERT_EQUAL(partial_file_map(&f), 0);
    CU_ASSERT_FALSE(partial_is_untouched(f.p));
    ASSERT_RIGHT(&f);
    CU_ASSERT_FALSE(partial_is_untouched(f.p));
    CU_ASSERT_TRUE(partial_needs_lower(f.p));
    CU_ASSERT_EQUAL(partial_upper_bytes(f.p, f.size), 1);
    partial_file_remove(&f);
}

static void whole_units_are_overwritten_without_the_package(void)
{
    struct span64 need[2];

    if (!partial_file_make(&f, 4 * UNIT + 10))
        return;
    CU_ASSERT_EQUAL(partial_write_needs(f.p, UNIT, 2 * UNIT, need), 0);
    CU_ASSERT_EQUAL(partial_write_needs(f.p, 4 * UNIT, 10, need), 0);
    CU_ASSERT_EQUAL(partial_file_write(&f, UNIT, 2 * UNIT, 'x'), 2 * UNIT);
    CU_ASSERT_EQUAL(partial_file_write(&f, 4 * UNIT, 10, 'y'), 10);
    CU_ASSERT_EQUAL(partial_upper_bytes(f.p, f.size), 2 * UNIT + 10);
    ASSERT_RIGHT(&f);
    partial_file_remove(&f);
}

static void write_into_a_unit_needs_it_first(void)
{
    struct span64 need[2];

    if (!partial_file_make(&f, 3 * UNIT + 10))
        return;
    CU_ASSERT_EQUAL_FATAL(partial_write_needs(f.p, 10, 3 * UNIT - 5, need), 2);
    CU_ASSERT(need[0].off == 0 && need[0].len == UNIT);
    CU_ASSERT(need[1].off == 3 * UNIT && need[1].len == 10);
    CU_ASSERT_EQUAL(partial_write(f.p, f.fd, "x", 1, 10), -EAGAIN);
    CU_ASSERT_EQUAL(partial_file_map(&f), 0);
    CU_ASSERT_EQUAL(partial_file_write(&f, 10, 3 * UNIT - 5, 'x'), 3 * UNIT - 5);
    CU_ASSERT_EQUAL(partial_write_needs(f.p, 20, 1, need), 0);
    ASSERT_RIGHT(&f);
    CU_ASSERT_FALSE(partial_needs_lower(f.p));
    partial_file_remove(&f);
}

/* What a unit got meanwhile is not overwritten by bytes that were fetched before. */
static void fill_leaves_what_is_there(void)
{
    if (!partial_file_make(&f, 3 * UNIT))
        return;
    CU_ASSERT_EQUAL(partial_file_write(&f, UNIT, UNIT, 'x'), UNIT);
    CU_ASSERT_EQUAL(partial_fill(f.p, f.fd, 0, f.lower, 3 * UNIT), 0);
    ASSERT_RIGHT(&f);
    CU_ASSERT_EQUAL(partial_fill(f.p, f.fd, 1, f.lower, UNIT), -EINVAL);
    partial_file_remove(&f);
}

static void fill_stops_at_a_limit_that_fell_meanwhile(void)
{
    if (!partial_file_make(&f, 3 * UNIT))
        return;
    partial_file_truncate(&f, UNIT + 50);
    partial_file_truncate(&f, 3 * UNIT);
    CU_ASSERT_EQUAL(partial_fill(f.p, f.fd, 0, f.lower, 3 * UNIT), 0);
    ASSERT_RIGHT(&f);
    partial_file_remove(&f);
}

/* The rest of a unit that was not written entirely is in the package: it does not count. */
static void short_write_counts_whole_units(void)
{
    struct rlimit old, tight;

    if (!partial_file_make(&f, 4 * UNIT))
        return;
    CU_ASSERT_EQUAL(partial_file_write(&f, 3 * UNIT, UNIT, 'm'), UNIT); /* there is a map */
    CU_ASSERT_EQUAL(getrlimit(RLIMIT_FSIZE, &old), 0);
    (void)signal(SIGXFSZ, SIG_IGN);
    tight = (struct rlimit){ UNIT + 500, old.rlim_max };
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_FSIZE, &tight), 0);
    ssize_t n = partial_file_write(&f, 0, 2 * UNIT, 'x');
    ssize_t none = partial_file_write(&f, UNIT, UNIT, 'y');
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_FSIZE, &old), 0);
    (void)signal(SIGXFSZ, SIG_DFL);
    CU_ASSERT_EQUAL(n, UNIT);
    CU_ASSERT_EQUAL(none, -EFBIG);
    ASSERT_RIGHT(&f);
    partial_file_remove(&f);
}

static void what_was_cut_off_does_not_come_back(void)
{
    if (!partial_file_make(&f, 4 * UNIT))
        return;
    partial_file_truncate(&f, UNIT + 7);
    CU_ASSERT_EQUAL(partial_file_map(&f), 0);
    ASSERT_RIGHT(&f);
    partial_file_truncate(&f, 4 * UNIT);
    CU_ASSERT(partial_file_map(&f) > 0);
    ASSERT_RIGHT(&f);
    partial_file_truncate(&f, 100);
    CU_ASSERT_EQUAL(partial_file_reopen(&f), 0);
    CU_ASSERT_EQUAL(partial_file_write(&f, 2 * UNIT, 5, 'x'), 5);
    ASSERT_RIGHT(&f);
    partial_file_remove(&f);
}

static void cut_off_to_nothing_is_plain_at_once(void)
{
    if (!partial_file_make(&f, 4 * UNIT))
        return;
    CU_ASSERT_EQUAL(partial_file_write(&f, 0, UNIT, 'x'), UNIT);
    int map = partial_file_open_map(&f);
    partial_file_truncate(&f, 0);
    CU_ASSERT_EQUAL(partial_file_map(&f), -1);
    struct stat st;
    CU_ASSERT(!fstat(map, &st) && st.st_nlink == 0);
    (void)close(map);
    CU_ASSERT_EQUAL(partial_file_write(&f, 5000, 100, 'y'), 100);
    ASSERT_RIGHT(&f);
    partial_file_remove(&f);
}

static void lose_unit(uint64_t unit)
{
    CU_ASSERT_EQUAL(
        fallocate(f.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)(unit * UNIT), UNIT), 0);
}

static void written_units_count_after_a_reboot_if_they_are_data(void)
{
    if (!partial_file_make(&f, 6 * UNIT))
        return;
    for (unsigned unit = 1; unit < 5; unit++)
        CU_ASSERT_EQUAL(partial_file_write(&f, unit * UNIT, UNIT, 'x'), UNIT);
    lose_unit(1);
    lose_unit(3);
    memcpy(f.shown + UNIT, f.lower + UNIT, UNIT);
    memcpy(f.shown + 3 * UNIT, f.lower + 3 * UNIT, UNIT);
    f.boot[0]++;
    CU_ASSERT_EQUAL(partial_file_reopen(&f), 0);
    ASSERT_RIGHT(&f);
    /* Also when that is written down and the map is of this boot again. */
    CU_ASSERT_EQUAL(partial_file_reopen(&f), 0);
    CU_ASSERT_EQUAL(partial_file_write(&f, 0, UNIT, 'y'), UNIT);
    ASSERT_RIGHT(&f);
    partial_file_remove(&f);
}

static void synced_units_count_whatever_they_are(void)
{
    if (!partial_file_make(&f, 6 * UNIT))
        return;
    CU_ASSERT_EQUAL(partial_file_write(&f, UNIT, 2 * UNIT, 'x'), 2 * UNIT);
    CU_ASSERT_TRUE(partial_is_dirty(f.p));
    CU_ASSERT_EQUAL(partial_sync(f.p, f.fd), 0);
    CU_ASSERT_FALSE(partial_is_dirty(f.p));
    lose_unit(2);
    memset(f.shown + 2 * UNIT, 0, UNIT);
    f.boot[0]++;
    ASSERT_RIGHT(&f);
    partial_file_remove(&f);
}

static void holes_stay_after_a_reboot(void)
{
    if (!partial_file_make(&f, 6 * UNIT))
        return;
    CU_ASSERT_EQUAL(partial_file_fill(&f, UNIT, 3 * UNIT), 0);
    CU_ASSERT_EQUAL(
        partial_fallocate(f.p, f.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, UNIT, 3 * UNIT),
        0);
    memset(f.shown + UNIT, 0, 3 * UNIT);
    f.boot[0]++;
    ASSERT_RIGHT(&f);
    CU_ASSERT_EQUAL(partial_seek(f.p, f.fd, 0, SEEK_HOLE), UNIT);
    CU_ASSERT_EQUAL(partial_seek(f.p, f.fd, UNIT, SEEK_DATA), 4 * UNIT);
    CU_ASSERT_EQUAL(partial_seek(f.p, f.fd, 4 * UNIT, SEEK_HOLE), 6 * UNIT);
    CU_ASSERT_EQUAL(partial_seek(f.p, f.fd, 6 * UNIT, SEEK_DATA), -ENXIO);
    CU_ASSERT_EQUAL(partial_fallocate(f.p, f.fd, FALLOC_FL_COLLAPSE_RANGE, 0, UNIT), -EOPNOTSUPP);
    partial_file_remove(&f);
}

/* The power went before the first page of the map was on the disk, but not before a later one. */
static void blank_map_is_one_that_was_never_synced(void)
{
    static const uint8_t zeros[BLOCK_MAP_HEADER];

    if (!partial_file_make(&f, 6 * UNIT))
        return;
    CU_ASSERT_EQUAL(partial_file_write(&f, UNIT, 2 * UNIT, 'x'), 2 * UNIT);
    lose_unit(1);
    memcpy(f.shown + UNIT, f.lower + UNIT, UNIT);
    int map = partial_file_open_map(&f);
    CU_ASSERT_EQUAL(pwrite(map, zeros, sizeof zeros, 0), sizeof zeros);
    (void)close(map);
    CU_ASSERT_EQUAL(partial_file_reopen(&f), 0);
    ASSERT_RIGHT(&f);
    CU_ASSERT_EQUAL(partial_file_write(&f, 4 * UNIT, UNIT, 'x'), UNIT);
    ASSERT_RIGHT(&f);
    partial_file_remove(&f);
}

static void damaged_or_missing_map_is_refused(void)
{
    static const struct {
        off_t at;
        uint8_t byte;
    } damage[] = {
        { 0, 'X' },
        { 8, 2 },
        { 16, 1 },
        { 24, 0xff },
        { 40, 9 },
        { 100, 1 },
        { BLOCK_MAP_HEADER + 2, 3 },
        { BLOCK_MAP_HEADER + 5, 0xff },
    };
    char name[32];

    if (!partial_file_make(&f, 6 * UNIT))
        return;
    CU_ASSERT_EQUAL(partial_file_write(&f, UNIT, UNIT, 'x'), UNIT);
    int map = partial_file_open_map(&f);
    for (size_t i = 0; i < sizeof damage / sizeof *damage; i++) {
        uint8_t was;
        CU_ASSERT_EQUAL(pread(map, &was, 1, damage[i].at), 1);
        CU_ASSERT_EQUAL(pwrite(map, &damage[i].byte, 1, damage[i].at), 1);
        CU_ASSERT(partial_file_reopen(&f) < 0);
        CU_ASSERT_EQUAL(pwrite(map, &was, 1, damage[i].at), 1);
    }
    CU_ASSERT_EQUAL(ftruncate(map, BLOCK_MAP_HEADER + 7), 0);
    CU_ASSERT(partial_file_reopen(&f) < 0);
    CU_ASSERT_EQUAL(ftruncate(map, BLOCK_MAP_HEADER + 5), 0);
    CU_ASSERT(partial_file_reopen(&f) < 0);
    CU_ASSERT_EQUAL(ftruncate(map, BLOCK_MAP_HEADER + 6), 0);
    CU_ASSERT_EQUAL(partial_file_reopen(&f), 0);
    ASSERT_RIGHT(&f);
    (void)close(map);
    (void)snprintf(name, sizeof name, "%016llx", (unsigned long long)partial_file_map(&f));
    CU_ASSERT_EQUAL(unlinkat(f.store.maps_fd, name, 0), 0);
    CU_ASSERT(partial_file_reopen(&f) < 0);
    CU_ASSERT_EQUAL(symlinkat("/dev/zero", f.store.maps_fd, name), 0);
    CU_ASSERT(partial_file_reopen(&f) < 0);
    partial_file_remove(&f);
}

static void map_of_other_contents_is_refused(void)
{
    struct partial_mark mark = { .size = 6 * UNIT, .content = "other contents" };
    char path[] = "/a/b";
    struct err e = { 0 };
    struct partial *p;

    if (!partial_file_make(&f, 6 * UNIT))
        return;
    CU_ASSERT_EQUAL(partial_file_write(&f, UNIT, UNIT, 'x'), UNIT);
    mark.map = (uint64_t)partial_file_map(&f);
    mark.path = path;
    CU_ASSERT(partial_open(&f.store, f.fd, f.size, &mark, &p, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_CORRUPT);
    mark.size = UINT64_MAX;
    CU_ASSERT(partial_open(&f.store, f.fd, f.size, &mark, &p, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_LIMIT);
    partial_file_remove(&f);
}

static void complete_file_becomes_plain_and_goes_on(void)
{
    if (!partial_file_make(&f, 2 * UNIT + 5))
        return;
    CU_ASSERT_EQUAL(partial_finish(f.p, f.fd), -EINVAL);
    CU_ASSERT_EQUAL(partial_file_write(&f, 0, UNIT, 'x'), UNIT);
    int map = partial_file_open_map(&f);
    CU_ASSERT_EQUAL(partial_file_write(&f, UNIT, 2 * UNIT, 'y'), 2 * UNIT);
    CU_ASSERT_FALSE(partial_is_plain(f.p));
    CU_ASSERT_EQUAL(partial_finish(f.p, f.fd), 0);
    CU_ASSERT_EQUAL(partial_finish(f.p, f.fd), 0);
    CU_ASSERT_TRUE(partial_is_plain(f.p));
    CU_ASSERT_EQUAL(partial_file_map(&f), -1);
    struct stat st;
    CU_ASSERT(!fstat(map, &st) && st.st_nlink == 0);
    (void)close(map);
    CU_ASSERT_EQUAL(partial_file_write(&f, 5, 10, 'z'), 10);
    partial_file_truncate(&f, UNIT);
    partial_file_truncate(&f, 2 * UNIT);
    CU_ASSERT_EQUAL(partial_sync(f.p, f.fd), 0);
    ASSERT_RIGHT(&f);
    partial_file_remove(&f);
}

static void file_without_a_name_keeps_its_state_in_memory(void)
{
    if (!partial_file_make(&f, 4 * UNIT))
        return;
    CU_ASSERT_EQUAL(partial_file_write(&f, 0, UNIT, 'x'), UNIT);
    int map = partial_file_open_map(&f);
    partial_discard(f.p);
    struct stat st;
    CU_ASSERT(!fstat(map, &st) && st.st_nlink == 0);
    (void)close(map);
    CU_ASSERT_EQUAL(partial_file_write(&f, UNIT + 5, UNIT, 'y'), UNIT);
    partial_file_truncate(&f, 3 * UNIT + 1);
    partial_file_truncate(&f, 5 * UNIT);
    CU_ASSERT_EQUAL(partial_sync(f.p, f.fd), 0);
    CU_ASSERT(partial_file_is_right(&f));
    partial_file_remove(&f);
}

static void large_file_costs_what_is_written(void)
{
    struct partial_mark mark = { .size = UINT64_C(1) << 40, .content = "large" };
    struct partial_run runs[3];
    char path[] = "/l";
    struct stat st;

    if (!partial_file_make(&f, UNIT))
        return;
    mark.path = path;
    partial_free(f.p);
    f.p = NULL;
    if (ftruncate(f.fd, (off_t)mark.size)) {
        partial_file_remove(&f);
        return;
    }
    CU_ASSERT_EQUAL_FATAL(partial_new(&f.store, &mark, &f.p), 0);
    CU_ASSERT_EQUAL(partial_runs(f.p, 0, mark.size, runs, 3), 1);
    CU_ASSERT_EQUAL(partial_write(f.p, f.fd, f.lower, UNIT, mark.size / 2), UNIT);
    int map = partial_file_open_map(&f);
    CU_ASSERT(!fstat(map, &st) && (uint64_t)st.st_size == block_map_length(mark.size));
    CU_ASSERT(st.st_blocks * 512 < 1 << 20);
    (void)close(map);
    CU_ASSERT_EQUAL_FATAL(partial_file_reopen(&f), 0);
    CU_ASSERT_EQUAL_FATAL(partial_runs(f.p, 0, mark.size, runs, 3), 3);
    CU_ASSERT(runs[0].lower && !runs[1].lower && runs[2].lower);
    CU_ASSERT(runs[1].off == mark.size / 2 && runs[1].len == UNIT);
    partial_file_remove(&f);
}

/* ---- a full disk, in a mount namespace of a process of its own ---- */

enum { ROOM = 512 * 1024, SKIP = 77 };

static void fill_disk(int dir)
{
    static const char junk[4096];
    int fd = openat(dir, "junk", O_WRONLY | O_CREAT | O_APPEND, 0600);

    while (fd >= 0 && write(fd, junk, sizeof junk) > 0)
        continue;
    (void)close(fd);
}

static bool write_fails_on(int dir, uint64_t off, size_t len)
{
    fill_disk(dir);
    if (partial_file_write(&f, off, len, 'x') != -ENOSPC || !partial_file_is_right(&f))
        return false;
    return !partial_file_reopen(&f) && partial_file_is_right(&f);
}

static int on_full_disk(void)
{
    if (unshare(CLONE_NEWNS) && unshare(CLONE_NEWUSER | CLONE_NEWNS))
        return SKIP;
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("tmpfs", "/tmp", "tmpfs", 0, "size=512k") || setenv("TMPDIR", "/tmp", 1))
        return SKIP;
    if (!partial_file_make(&f, 32 * UNIT) || strncmp(f.dir.path, "/tmp/", 5))
        return SKIP;
    /* Neither map nor data find room; then the map does and the data does not. */
    if (!write_fails_on(f.dir.fd, 4 * UNIT, 2 * UNIT))
        return 1;
    if (unlinkat(f.dir.fd, "junk", 0) || partial_file_write(&f, 0, UNIT, 'y') != UNIT)
        return 2;
    if (!write_fails_on(f.dir.fd, 4 * UNIT, 2 * UNIT))
        return 3;
    if (!write_fails_on(f.dir.fd, 40 * UNIT, 1))
        return 4;
    /* What has its place is written even now. */
    if (partial_file_write(&f, 10, 100, 'z') != 100 || !partial_file_is_right(&f))
        return 5;
    if (unlinkat(f.dir.fd, "junk", 0) ||
        partial_file_write(&f, 4 * UNIT, 2 * UNIT, 'x') != 2 * UNIT)
        return 6;
    return partial_file_is_right(&f) && !partial_file_reopen(&f) && partial_file_is_right(&f) ? 0
                                                                                              : 7;
}

static void full_disk_fails_the_write_and_nothing_else(void)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0)
        _exit(on_full_disk());
    CU_ASSERT_EQUAL_FATAL(waitpid(pid, &status, 0), pid);
    CU_ASSERT_FATAL(WIFEXITED(status));
    if (WEXITSTATUS(status) == SKIP)
        printf("no mount namespaces: not tested ");
    else
        CU_ASSERT_EQUAL(WEXITSTATUS(status), 0);
}

/* ---- threads ---- */

enum { WRITERS = 3, ROUNDS = 300 };

struct writer {
    pthread_t thread;
    unsigned number;
    bool right;
};

/* Each writes units of its own, byte by byte and whole, and sees them as it left them. */
static void *write_units(void *arg)
{
    struct writer *w = arg;
    uint8_t back[UNIT], data[UNIT];
    struct partial_run run;

    w->right = true;
    for (unsigned i = 0; i < ROUNDS && w->right; i++) {
        uint64_t unit = w->number + WRITERS * (i % 20), off = unit * UNIT;
        memset(data, (int)(w->number + i), sizeof data);
        size_t from = i % 3 ? i : 0, len = UNIT - from;
        w->right = !partial_file_fill(&f, off + from, len) &&
                   partial_write(f.p, f.fd, data, len, off + from) == (ssize_t)len &&
                   partial_runs(f.p, off, UNIT, &run, 1) == 1 && !run.lower &&
                   pread(f.fd, back, UNIT, (off_t)off) == UNIT && !memcmp(back + from, data, len) &&
                   (i >= 20 || !from || !memcmp(back, f.lower + off, from));
        if (i % 50 == 0)
            w->right = w->right && !partial_sync(f.p, f.fd);
    }
    return NULL;
}

static void threads_write_side_by_side(void)
{
    struct writer w[WRITERS];

    if (!partial_file_make(&f, 64 * UNIT))
        return;
    for (unsigned i = 0; i < WRITERS; i++) {
        w[i].number = i;
        CU_ASSERT_EQUAL_FATAL(pthread_create(&w[i].thread, NULL, write_units, &w[i]), 0);
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        CU_ASSERT_EQUAL(pthread_join(w[i].thread, NULL), 0);
        CU_ASSERT_TRUE(w[i].right);
    }
    CU_ASSERT_EQUAL(partial_upper_bytes(f.p, f.size), 60 * UNIT);
    CU_ASSERT_EQUAL(partial_sync(f.p, f.fd), 0);
    f.boot[0]++;
    CU_ASSERT_EQUAL(partial_file_reopen(&f), 0);
    CU_ASSERT_EQUAL(partial_upper_bytes(f.p, f.size), 60 * UNIT);
    partial_file_remove(&f);
}

UNIT_MAIN("partial", TEST(appending_needs_neither_the_package_nor_a_map),
          TEST(whole_units_are_overwritten_without_the_package),
          TEST(write_into_a_unit_needs_it_first), TEST(fill_leaves_what_is_there),
          TEST(fill_stops_at_a_limit_that_fell_meanwhile), TEST(short_write_counts_whole_units),
          TEST(what_was_cut_off_does_not_come_back), TEST(cut_off_to_nothing_is_plain_at_once),
          TEST(written_units_count_after_a_reboot_if_they_are_data),
          TEST(synced_units_count_whatever_they_are), TEST(holes_stay_after_a_reboot),
          TEST(blank_map_is_one_that_was_never_synced), TEST(damaged_or_missing_map_is_refused),
          TEST(map_of_other_contents_is_refused), TEST(complete_file_becomes_plain_and_goes_on),
          TEST(file_without_a_name_keeps_its_state_in_memory),
          TEST(large_file_costs_what_is_written), TEST(full_disk_fails_the_write_and_nothing_else),
          TEST(threads_write_side_by_side))
