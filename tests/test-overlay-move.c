/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Unit tests of what is done in the directory of an overlay (fs/overlay/whiteout.c, move.c,
 * intent.c, remove_tree.c), also with the process killed between any two steps.
 */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "fs/overlay/intent.h"
#include "fs/overlay/marker.h"
#include "fs/overlay/store.h"
#include "tests/overlay_dir.h"
#include "tests/unit.h"

static const struct guid package = { .b = { 1 } };

struct fixture {
    struct overlay_dir d;
    struct overlay_store *s;
};

static void open_store(struct fixture *f)
{
    struct err e = { .kind = ERR_NONE };
    int rc = overlay_store_open(f->d.path, OVERLAY_WRITE, &package, NULL, &f->s, &e);

    if (rc)
        printf("(%s) ", e.text);
    CU_ASSERT_FATAL(rc == 0);
}

static bool set_up(struct fixture *f)
{
    if (!overlay_dir_make(&f->d))
        return false;
    open_store(f);
    return true;
}

static void tear_down(struct fixture *f)
{
    overlay_store_close(f->s);
    overlay_dir_remove(&f->d);
}

static void make_file(struct fixture *f, const char *name, const char *text)
{
    int fd = openat(f->s->files_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    CU_ASSERT_FATAL(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    CU_ASSERT_FATAL(!close(fd));
}

static void make_dir(struct fixture *f, const char *name)
{
    CU_ASSERT_FATAL(!mkdirat(f->s->files_fd, name, 0700));
}

/* "-" nothing, "w" a whiteout, "d" a directory, else the content of a file. */
static const char *what_is(struct fixture *f, const char *name, char text[64])
{
    struct stat st;
    struct markers m;

    (void)snprintf(text, 64, "-");
    if (fstatat(f->s->files_fd, name, &st, AT_SYMLINK_NOFOLLOW))
        return text;
    CU_ASSERT(markers_read(f->s->files_fd, name, &st, &m) == 0);
    (void)snprintf(text, 64, "%s", m.whiteout ? "w" : S_ISDIR(st.st_mode) ? "d" : "");
    markers_clear(&m);
    if (*text)
        return text;
    int fd = openat(f->s->files_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    ssize_t n = read(fd, text, 63);
    CU_ASSERT_FATAL(fd >= 0 && n >= 0);
    text[n] = '\0';
    (void)close(fd);
    return text;
}

static void expect(struct fixture *f, const char *name, const char *wanted)
{
    char text[64];

    CU_ASSERT_STRING_EQUAL(what_is(f, name, text), wanted);
}

static bool work_is_clear(struct fixture *f)
{
    bool clear;

    (void)unlinkat(f->s->work_fd, "whiteout", 0); /* stays for the next one */
    clear = !unlinkat(f->s->dir_fd, "work", AT_REMOVEDIR);
    return clear;
}

/* ---- whiteouts ---- */

static void whiteouts_are_links_of_one_file(void)
{
    struct fixture f;
    struct stat a, b;
    char mark[2];

    if (!set_up(&f))
        return;
    CU_ASSERT(overlay_whiteout_create(f.s, f.s->files_fd, "a") == 0);
    CU_ASSERT(overlay_whiteout_create(f.s, f.s->files_fd, "b") == 0);
    CU_ASSERT(!fstatat(f.s->files_fd, "a", &a, 0) && !fstatat(f.s->files_fd, "b", &b, 0));
    CU_ASSERT(a.st_ino == b.st_ino);
    expect(&f, "a", "w");
    CU_ASSERT(xattr_get_at(f.s->files_fd, "", MARKER_OPAQUE, mark, 2) == 1 && *mark == 'x');
    tear_down(&f);
}

static void whiteout_is_refused_where_something_is(void)
{
    struct fixture f;

    if (!set_up(&f))
        return;
    make_file(&f, "a", "text");
    CU_ASSERT(overlay_whiteout_create(f.s, f.s->files_fd, "a") == -EEXIST);
    expect(&f, "a", "text");
    CU_ASSERT(overlay_whiteout_create(f.s, f.s->files_fd, "b") == 0);
    CU_ASSERT(overlay_whiteout_create(f.s, f.s->files_fd, "b") == -EEXIST);
    tear_down(&f);
}

static void opaque_directory_stays_so_with_a_whiteout(void)
{
    struct fixture f;
    char mark[2];

    if (!set_up(&f))
        return;
    make_dir(&f, "d");
    CU_ASSERT(marker_set_at(f.s->files_fd, "d", MARKER_OPAQUE, "y") == 0);
    int fd = openat(f.s->files_fd, "d", O_PATH | O_CLOEXEC);
    CU_ASSERT(overlay_whiteout_create(f.s, fd, "a") == 0);
    CU_ASSERT(xattr_get_at(fd, "", MARKER_OPAQUE, mark, 2) == 1 && *mark == 'y');
    (void)close(fd);
    tear_down(&f);
}

static void prepared_whiteout_can_be_renamed_over_a_file(void)
{
    struct fixture f;
    char name[WORK_NAME_MAX];

    if (!set_up(&f))
        return;
    make_file(&f, "a", "text");
    CU_ASSERT(overlay_whiteout_create(f.s, f.s->files_fd, "b") == 0);
    CU_ASSERT(overlay_whiteout_prepare(f.s, name) == 0);
    CU_ASSERT(!renameat(f.s->work_fd, name, f.s->files_fd, "a"));
    expect(&f, "a", "w");
    CU_ASSERT(work_is_clear(&f));
    tear_down(&f);
}

static void whiteouts_may_be_more_than_a_file_may_have_links(void)
{
    struct fixture f;
    char name[16];
    int rc = 0;

    if (!set_up(&f))
        return;
    for (unsigned i = 0; i < 65100 && !rc; i++) { /* ext4: 65000 */
        (void)snprintf(name, sizeof name, "%u", i);
        rc = overlay_whiteout_create(f.s, f.s->files_fd, name);
    }
    CU_ASSERT(rc == 0);
    expect(&f, "65099", "w");
    tear_down(&f);
}

/* ---- removing ---- */

static void tree_is_removed_however_deep(void)
{
    enum { DEPTH = 3000 };
    struct fixture f;

    if (!set_up(&f))
        return;
    make_dir(&f, "t");
    int fd = openat(f.s->files_fd, "t", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; i < DEPTH; i++) {
        CU_ASSERT_FATAL(fd >= 0 && !mkdirat(fd, "sub", 0700) && !mkdirat(fd, "empty", 0));
        int next = openat(fd, "sub", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        CU_ASSERT_FATAL(!symlinkat("/", fd, "link"));
        (void)close(fd);
        fd = next;
    }
    (void)close(fd);
    CU_ASSERT(overlay_remove_tree(f.s->files_fd, "t") == 0);
    expect(&f, "t", "-");
    CU_ASSERT(overlay_remove_tree(f.s->files_fd, "t") == 0);
    tear_down(&f);
}

static void tree_is_removed_with_directories_nobody_may_enter(void)
{
    struct fixture f;

    if (!set_up(&f))
        return;
    make_dir(&f, "t");
    make_dir(&f, "t/a");
    make_dir(&f, "t/a/b");
    make_dir(&f, "t/a/b/c");
    make_file(&f, "t/a/b/c/file", "x");
    make_dir(&f, "t/.up-0");
    make_file(&f, "t/.up-0/file", "x");
    make_file(&f, "t/.up-1", "x");
    CU_ASSERT(!fchmodat(f.s->files_fd, "t/a/b/c", 0, 0) && !fchmodat(f.s->files_fd, "t/a/b", 0, 0));
    CU_ASSERT(!fchmodat(f.s->files_fd, "t/a", 0500, 0) && !fchmodat(f.s->files_fd, "t", 0, 0));
    CU_ASSERT(overlay_remove_tree(f.s->files_fd, "t") == 0);
    expect(&f, "t", "-");
    tear_down(&f);
}

static void removing_a_tree_follows_no_link(void)
{
    struct fixture f;

    if (!set_up(&f))
        return;
    make_dir(&f, "t");
    make_dir(&f, "kept");
    make_file(&f, "kept/file", "x");
    CU_ASSERT(!symlinkat("../kept", f.s->files_fd, "t/link"));
    CU_ASSERT(!symlinkat("kept", f.s->files_fd, "link"));
    CU_ASSERT(overlay_remove_tree(f.s->files_fd, "t") == 0);
    CU_ASSERT(overlay_remove_tree(f.s->files_fd, "link") == 0);
    expect(&f, "kept/file", "x");
    tear_down(&f);
}

/* ---- intents ---- */

static void intent_is_read_as_it_was_written(void)
{
    char from[] = "a b/\xc3\xa4%\n", to[] = "=";
    struct intent i = { .from = from, .to = to, .source = UINT64_MAX, .target = 5 }, again;
    char *text = intent_format(&i);

    CU_ASSERT_FATAL(text != NULL);
    CU_ASSERT_FATAL(intent_parse(text, strlen(text), &again) == 0);
    CU_ASSERT_STRING_EQUAL(again.from, from);
    CU_ASSERT_STRING_EQUAL(again.to, to);
    CU_ASSERT(again.source == UINT64_MAX && again.target == 5);
    for (size_t n = 0; n < strlen(text); n++) {
        struct intent cut;
        CU_ASSERT(intent_parse(text, n, &cut) == -EINVAL && !cut.from && !cut.to);
    }
    intent_clear(&again);
    free(text);
}

static void intent_that_leads_out_is_refused(void)
{
    static const char *const paths[] = { "", "/a", "a/", "a//b", ".", "..", "a/..", "%2e%2e/a",
                                         "a%00b", "%", "%4", "%zz", "a b" };
    char text[256];
    struct intent i;

    for (size_t n = 0; n < ARRAY_LEN(paths); n++) {
        (void)snprintf(text, sizeof text, "sftfs-intent 1 move-with-whiteout\nsource=1\ntarget=0\n"
                       "from=a\nto=%s\nend\n", paths[n]);
        CU_ASSERT(intent_parse(text, strlen(text), &i) == -EINVAL);
    }
}

/* ---- moving ---- */

enum target { ONTO_FILE, ONTO_DIR, ONTO_WHITEOUT, ONTO_NOTHING, ONTO_LINK };

/* p/from is "new" or a directory with that in it; q/to is what T says. */
static void make_ends(struct fixture *f, enum target t)
{
    int fd;

    make_dir(f, "p");
    make_dir(f, "q");
    if (t == ONTO_DIR) {
        make_dir(f, "p/from");
        make_file(f, "p/from/in", "new");
        make_dir(f, "q/to");
        fd = openat(f->s->files_fd, "q/to", O_PATH | O_CLOEXEC);
        CU_ASSERT_FATAL(overlay_whiteout_create(f->s, fd, "old") == 0);
    } else {
        make_file(f, "p/from", "new");
        fd = openat(f->s->files_fd, "q", O_PATH | O_CLOEXEC);
        if (t == ONTO_FILE)
            make_file(f, "q/to", "old");
        if (t == ONTO_WHITEOUT)
            CU_ASSERT_FATAL(overlay_whiteout_create(f->s, fd, "to") == 0);
        if (t == ONTO_LINK)
            CU_ASSERT_FATAL(!linkat(f->s->files_fd, "p/from", fd, "to", 0));
    }
    (void)close(fd);
}

static void expect_new(struct fixture *f, enum target t)
{
    char mark[2];

    expect(f, "p/from", "w");
    expect(f, "q/to", t == ONTO_DIR ? "d" : "new");
    if (t == ONTO_DIR)
        expect(f, "q/to/in", "new");
    expect(f, "q/to/old", "-");
    CU_ASSERT(xattr_get_at(f->s->files_fd, "p", MARKER_OPAQUE, mark, 2) == 1 && *mark == 'x');
}

static void expect_old(struct fixture *f, enum target t)
{
    static const char *const to[] = { "old", "d", "w", "-", "new" };

    expect(f, "p/from", t == ONTO_DIR ? "d" : "new");
    expect(f, "q/to", to[t]);
    if (t == ONTO_DIR) {
        expect(f, "p/from/in", "new");
        expect(f, "q/to/old", "w");
    }
}

static void move_leaves_a_whiteout_whatever_the_target(void)
{
    for (int exchange = 0; exchange < 2; exchange++)
        for (enum target t = ONTO_FILE; t <= ONTO_LINK; t++) {
            struct fixture f;
            if (!set_up(&f))
                return;
            if (exchange && !f.s->has_exchange)
                printf("no RENAME_EXCHANGE here: not tested ");
            f.s->has_exchange = f.s->has_exchange && exchange;
            make_ends(&f, t);
            CU_ASSERT(overlay_move_with_whiteout(f.s, "p/from", "q/to") == 0);
            expect_new(&f, t);
            CU_ASSERT(work_is_clear(&f));
            tear_down(&f);
        }
}

static void move_that_cannot_be_done_changes_nothing(void)
{
    struct fixture f;

    if (!set_up(&f))
        return;
    make_ends(&f, ONTO_FILE);
    CU_ASSERT(overlay_move_with_whiteout(f.s, "p/missing", "q/to") == -ENOENT);
    CU_ASSERT(overlay_move_with_whiteout(f.s, "p/from", "missing/to") == -ENOENT);
    CU_ASSERT(overlay_move_with_whiteout(f.s, "p/from", "q/to/x") == -ENOTDIR);
    CU_ASSERT(!symlinkat("q", f.s->files_fd, "link"));
    CU_ASSERT(overlay_move_with_whiteout(f.s, "p/from", "link/to") == -ENOTDIR);
    make_dir(&f, "p/dir");
    CU_ASSERT(overlay_move_with_whiteout(f.s, "p/dir", "p/dir/below") == -EINVAL);
    expect(&f, "p/dir", "d");
    expect_old(&f, ONTO_FILE);
    CU_ASSERT(work_is_clear(&f));
    tear_down(&f);
}

/* ---- crashes ---- */

#ifdef ENABLE_CRASH_POINTS
/* Moves with the process killed at POINT. False when it is not passed. */
static bool crash(struct fixture *f, const char *point, bool exchange)
{
    int status = -1;

    overlay_store_close(f->s);
    (void)fflush(stdout);
    pid_t pid = fork();
    CU_ASSERT_FATAL(pid >= 0);
    if (!pid) {
        open_store(f);
        f->s->has_exchange = f->s->has_exchange && exchange;
        (void)setenv("SFTFS_CRASH_POINT", point, 1);
        _exit(overlay_move_with_whiteout(f->s, "p/from", "q/to") ? 1 : 0);
    }
    CU_ASSERT_FATAL(waitpid(pid, &status, 0) == pid);
    open_store(f);
    CU_ASSERT(f->s->unclean);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        return true;
    CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return false;
}

static void move_is_done_or_not_done_after_a_crash(void)
{
    static const struct {
        const char *point;
        bool done;
    } points[] = {
        { "whiteout-made", false },      { "move-intent-written", true },
        { "move-target-aside", true },   { "move-swapped", true },
        { "move-whiteout-placed", true }, { "move-done", true },
    };
    unsigned crashes[ARRAY_LEN(points)] = { 0 };

    for (size_t p = 0; p < ARRAY_LEN(points); p++)
        for (int exchange = 0; exchange < 2; exchange++)
            for (enum target t = ONTO_FILE; t <= ONTO_LINK; t++) {
                struct fixture f;
                if (!set_up(&f))
                    return;
                make_ends(&f, t);
                bool crashed = crash(&f, points[p].point, exchange);
                crashes[p] += crashed;
                if (crashed && !points[p].done)
                    expect_old(&f, t);
                else
                    expect_new(&f, t);
                CU_ASSERT(work_is_clear(&f));
                tear_down(&f);
            }
    for (size_t p = 0; p < ARRAY_LEN(points); p++)
        CU_ASSERT(crashes[p] > 0);
}
#else
static void move_is_done_or_not_done_after_a_crash(void)
{
    printf("no --enable-crash-points: not tested ");
}
#endif

static void begun_move_is_left_alone_when_it_fits_no_more(void)
{
    struct fixture f;
    char from[] = "p/from", to[] = "q/to", name[WORK_NAME_MAX], gone[] = "gone/x";

    if (!set_up(&f))
        return;
    make_ends(&f, ONTO_FILE);
    struct intent i = { .from = from, .to = to, .source = 1, .target = 2 };
    CU_ASSERT(intent_write(f.s, &i, name) == 0);
    i.to = gone;
    CU_ASSERT(intent_write(f.s, &i, name) == 0);
    overlay_store_close(f.s);
    open_store(&f);
    expect_old(&f, ONTO_FILE);
    CU_ASSERT(work_is_clear(&f));
    tear_down(&f);
}

UNIT_MAIN("overlay move",
          TEST(whiteouts_are_links_of_one_file),
          TEST(whiteout_is_refused_where_something_is),
          TEST(opaque_directory_stays_so_with_a_whiteout),
          TEST(prepared_whiteout_can_be_renamed_over_a_file),
          TEST(whiteouts_may_be_more_than_a_file_may_have_links),
          TEST(tree_is_removed_however_deep),
          TEST(tree_is_removed_with_directories_nobody_may_enter),
          TEST(removing_a_tree_follows_no_link),
          TEST(intent_is_read_as_it_was_written),
          TEST(intent_that_leads_out_is_refused),
          TEST(move_leaves_a_whiteout_whatever_the_target),
          TEST(move_that_cannot_be_done_changes_nothing),
          TEST(move_is_done_or_not_done_after_a_crash),
          TEST(begun_move_is_left_alone_when_it_fits_no_more))
