/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Unit tests of fs/overlay/rename.c: every kind of thing renamed to every kind of target, with every
 * flag, within a directory and to others; each result is what a plain directory would show, also
 * after the overlay was opened again.
 */
#include "config.h"

#include "fs/overlay/overlay.h"

#include <stdio.h>

#include "tests/overlay_shape.h"

static const struct overlay_caller me = { 0, 0 };

enum source {
    PACKAGE_FILE, TOUCHED_FILE, WRITTEN_FILE, NEW_FILE, NEW_FILE_OVER_PACKAGE, MOVED_FILE,
    PACKAGE_DIR, MERGED_DIR, NEW_DIR, NEW_DIR_OVER_PACKAGE, MOVED_DIR, SOURCES
};
enum target {
    NOTHING, DELETED_FILE, DELETED_DIR, ON_PACKAGE_FILE, ON_TOUCHED_FILE, ON_NEW_FILE,
    ON_NEW_FILE_OVER_PACKAGE, ON_EMPTY_PACKAGE_DIR, ON_EMPTIED_DIR, ON_NEW_DIR,
    ON_NEW_DIR_OVER_PACKAGE, ON_FULL_PACKAGE_DIR, ON_FULL_NEW_DIR, TARGETS
};
enum where { SAME_DIR, PACKAGE_PARENT, NEW_PARENT, WHERES };
static const unsigned all_flags[] = { 0, RENAME_NOREPLACE, RENAME_EXCHANGE };

/* What each case has of the package, in "cNNN" and "dNNN". */
static const struct make_entry of_each[] = {
    { .path = "file", .len = 9000 },          { .path = "gone.txt", .len = 20 },
    { .path = "mine.txt", .len = 10 },        { .path = "dir/x", .len = 30 },
    { .path = "dir/sub/y", .len = 40 },       { .path = "target.txt", .len = 50 },
    { .path = "empty", .flags = NODE_DIR },   { .path = "full/z", .len = 60 },
};

static bool is_new_target(enum target t)
{
    return t == NOTHING || t == ON_NEW_FILE || t == ON_NEW_DIR || t == ON_FULL_NEW_DIR;
}

static bool source_is_dir(enum source s)
{
    return s >= PACKAGE_DIR;
}

static bool target_is_dir(enum target t)
{
    return t >= ON_EMPTY_PACKAGE_DIR;
}

static bool target_shows(enum target t)
{
    return t >= ON_PACKAGE_FILE;
}

/* ---- making what is renamed ---- */

static uint64_t child(struct fixture *f, uint64_t parent, const char *name)
{
    struct overlay_ref ref;

    return overlay_lookup(f->o, parent, name, &ref, NULL) ? 0 : ref.id;
}

static void new_file(struct fixture *f, uint64_t parent, const char *name, const char *text)
{
    struct overlay_ref ref;

    CU_ASSERT_EQUAL(overlay_create(f->o, parent, name, 0640, &me, &ref, NULL), 0);
    CU_ASSERT_EQUAL(write_node(f, ref.id, 0, text, strlen(text)), (long)strlen(text));
}

static uint64_t new_dir(struct fixture *f, uint64_t parent, const char *name)
{
    struct overlay_ref ref = { .id = 0 };

    CU_ASSERT_EQUAL(overlay_mkdir(f->o, parent, name, 0750, &me, &ref, NULL), 0);
    return ref.id;
}

static void touch(struct fixture *f, uint64_t id)
{
    struct stat st = { .st_mtim.tv_sec = 77, .st_atim.tv_sec = 66 };

    CU_ASSERT_EQUAL(overlay_setattr(f->o, id, OVERLAY_SET_MTIME | OVERLAY_SET_ATIME, &st), 0);
}

static void remove_all(struct fixture *f, uint64_t parent, const char *name)
{
    struct shape_names n = { .count = 0 };
    uint64_t id = child(f, parent, name);

    if (overlay_list(f->o, id, 0, true, shape_add, &n)) {
        CU_ASSERT_EQUAL(overlay_unlink(f->o, parent, name), 0);
        return;
    }
    for (size_t i = 0; i < n.count; i++)
        remove_all(f, id, n.names[i]);
    free(n.names);
    free(n.refs);
    free(n.stats);
    CU_ASSERT_EQUAL(overlay_rmdir(f->o, parent, name), 0);
}

/* Its name in directory C. */
static const char *make_source(struct fixture *f, enum source s, uint64_t c)
{
    switch (s) {
    case PACKAGE_FILE:
        return "file";
    case TOUCHED_FILE:
        touch(f, child(f, c, "file"));
        return "file";
    case WRITTEN_FILE:
        CU_ASSERT_EQUAL(write_node(f, child(f, c, "file"), 5000, "new", 3), 3);
        return "file";
    case NEW_FILE:
        new_file(f, c, "new.txt", "something");
        return "new.txt";
    case NEW_FILE_OVER_PACKAGE:
        CU_ASSERT_EQUAL(overlay_unlink(f->o, c, "gone.txt"), 0);
        new_file(f, c, "gone.txt", "other thing");
        return "gone.txt";
    case MOVED_FILE:
        CU_ASSERT_EQUAL(overlay_rename(f->o, c, "mine.txt", c, "moved.txt", 0), 0);
        return "moved.txt";
    case PACKAGE_DIR:
        return "dir";
    case MERGED_DIR:
        new_file(f, child(f, c, "dir"), "added", "in package directory");
        CU_ASSERT_EQUAL(overlay_unlink(f->o, child(f, c, "dir"), "x"), 0);
        return "dir";
    case NEW_DIR:
        new_file(f, new_dir(f, c, "newdir"), "child", "in new directory");
        return "newdir";
    case NEW_DIR_OVER_PACKAGE:
        remove_all(f, c, "dir");
        new_file(f, new_dir(f, c, "dir"), "child", "in new directory");
        return "dir";
    default:
        CU_ASSERT_EQUAL(overlay_rename(f->o, c, "dir", c, "moved", 0), 0);
        return "moved";
    }
}

static const char *make_target(struct fixture *f, enum target t, uint64_t d)
{
    switch (t) {
    case NOTHING:
        return "nothing";
    case DELETED_FILE:
        CU_ASSERT_EQUAL(overlay_unlink(f->o, d, "target.txt"), 0);
        return "target.txt";
    case DELETED_DIR:
        CU_ASSERT_EQUAL(overlay_rmdir(f->o, d, "empty"), 0);
        return "empty";
    case ON_TOUCHED_FILE:
        touch(f, child(f, d, "target.txt"));
        return "target.txt";
    case ON_PACKAGE_FILE:
        return "target.txt";
    case ON_NEW_FILE:
        new_file(f, d, "there.txt", "was there");
        return "there.txt";
    case ON_NEW_FILE_OVER_PACKAGE:
        CU_ASSERT_EQUAL(overlay_unlink(f->o, d, "target.txt"), 0);
        new_file(f, d, "target.txt", "anew");
        return "target.txt";
    case ON_EMPTY_PACKAGE_DIR:
        return "empty";
    case ON_EMPTIED_DIR:
        CU_ASSERT_EQUAL(overlay_unlink(f->o, child(f, d, "full"), "z"), 0);
        return "full";
    case ON_NEW_DIR:
        (void)new_dir(f, d, "there");
        return "there";
    case ON_NEW_DIR_OVER_PACKAGE:
        CU_ASSERT_EQUAL(overlay_rmdir(f->o, d, "empty"), 0);
        (void)new_dir(f, d, "empty");
        return "empty";
    case ON_FULL_PACKAGE_DIR:
        return "full";
    default:
        new_file(f, new_dir(f, d, "there"), "child", "in the way");
        return "there";
    }
}

/* ---- what must come out ---- */

static int expected(enum source s, enum target t, unsigned flags)
{
    if (flags & RENAME_NOREPLACE && target_shows(t))
        return -EEXIST;
    if (flags & RENAME_EXCHANGE)
        return target_shows(t) ? 0 : -ENOENT;
    if (!target_shows(t))
        return 0;
    if (source_is_dir(s) != target_is_dir(t))
        return target_is_dir(t) ? -EISDIR : -ENOTDIR;
    return t == ON_FULL_PACKAGE_DIR || t == ON_FULL_NEW_DIR ? -ENOTEMPTY : 0;
}

/* One name and all below it, without the name. */
static char *shape_of(struct fixture *f, uint64_t parent, const char *name)
{
    struct overlay_ref ref;
    struct stat st;
    char *text = NULL;
    size_t len;

    if (overlay_lookup(f->o, parent, name, &ref, &st) || !ref.id)
        return strdup("nothing");
    FILE *out = open_memstream(&text, &len);
    fprintf(out, "%o n%u i%llx s%lld m%lld %llx\n", (unsigned)st.st_mode, (unsigned)st.st_nlink,
            (unsigned long long)st.st_ino, (long long)st.st_size, (long long)st.st_mtim.tv_sec,
            (unsigned long long)shape_content(f, ref.id, st.st_mode));
    if (S_ISDIR(st.st_mode))
        (void)shape_dir(f, ref.id, "", out);
    (void)fclose(out);
    return text;
}

struct kase {
    enum source s;
    enum target t;
    enum where w;
    unsigned flags;
};

static void run(struct fixture *f, const struct kase *k, unsigned number)
{
    char c_name[16], d_name[16];

    (void)snprintf(c_name, sizeof c_name, "c%u", number);
    (void)snprintf(d_name, sizeof d_name, "d%u", number);
    uint64_t c = id_at(f, c_name), d = c;
    if (k->w == PACKAGE_PARENT)
        d = id_at(f, d_name);
    else if (k->w == NEW_PARENT)
        d = new_dir(f, OVERLAY_ROOT_ID, "a new one");
    const char *from = make_source(f, k->s, c), *to = make_target(f, k->t, d);
    auto_free char *was_from = shape_of(f, c, from), *was_to = shape_of(f, d, to);
    int want = expected(k->s, k->t, k->flags);
    int got = overlay_rename(f->o, c, from, d, to, k->flags);
    auto_free char *is_from = shape_of(f, c, from), *is_to = shape_of(f, d, to);
    bool good = got == want;
    if (want)
        good = good && shape_same(was_from, is_from) && shape_same(was_to, is_to);
    else if (k->flags & RENAME_EXCHANGE)
        good = good && shape_same(was_from, is_to) && shape_same(was_to, is_from);
    else
        good = good && shape_same(was_from, is_to) && shape_same("nothing", is_from);
    if (!good)
        printf("\n  source %d target %d where %d flags %u: %d, not %d\n", k->s, k->t, k->w,
               k->flags, got, want);
    CU_ASSERT_TRUE(good);
    if (k->w == NEW_PARENT)
        CU_ASSERT_EQUAL(overlay_rename(f->o, OVERLAY_ROOT_ID, "a new one", OVERLAY_ROOT_ID,
                                       strcat(d_name, "new"), 0), 0);
}

static void make_package(struct make_entry *entries, char (*paths)[32], size_t cases)
{
    for (size_t i = 0; i < 2 * cases; i++)
        for (size_t j = 0; j < ARRAY_LEN(of_each); j++) {
            size_t n = i * ARRAY_LEN(of_each) + j;
            entries[n] = of_each[j];
            (void)snprintf(paths[n], sizeof *paths, "%c%zu/%s", i & 1 ? 'd' : 'c', i / 2,
                           of_each[j].path);
            entries[n].path = paths[n];
        }
}

static void all_to_all(enum where w)
{
    enum { CASES = SOURCES * TARGETS * 3 };
    size_t count = 2 * CASES * ARRAY_LEN(of_each);
    auto_free struct make_entry *entries = calloc(count, sizeof *entries);
    auto_free char(*paths)[32] = calloc(count, sizeof *paths);
    struct fixture f;
    unsigned number = 0;

    CU_ASSERT_FATAL(entries && paths);
    make_package(entries, paths, CASES);
    if (!fixture_begin(&f, entries, count, false))
        return;
    fixture_open(&f, false);
    for (unsigned i = 0; i < CASES; i++, number++) {
        struct kase k = { i / 3 % SOURCES, i / 3 / SOURCES, w, all_flags[i % 3] };
        if (w != NEW_PARENT || is_new_target(k.t))
            run(&f, &k, number);
    }
    CU_ASSERT_TRUE(shape_lasts(&f));
    fixture_end(&f);
}

static void everything_is_renamed_within_its_directory(void)
{
    all_to_all(SAME_DIR);
}

static void everything_is_renamed_to_a_package_directory(void)
{
    all_to_all(PACKAGE_PARENT);
}

static void everything_is_renamed_to_a_new_directory(void)
{
    all_to_all(NEW_PARENT);
}

UNIT_MAIN("overlay rename",
          TEST(everything_is_renamed_within_its_directory),
          TEST(everything_is_renamed_to_a_package_directory),
          TEST(everything_is_renamed_to_a_new_directory))
