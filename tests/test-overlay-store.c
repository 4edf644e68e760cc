/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of fs/overlay/store.c: opening, locking and refusing the directory of an overlay. */
#include "config.h"

#include "fs/overlay/store.h"

#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "fs/overlay/crash_point.h"
#include "fs/overlay/store_info.h"
#include "fs/overlay/store_lock.h"
#include "tests/overlay_dir.h"
#include "tests/unit.h"

static const struct guid ours = { .b = { 1, 2, 3 } }, other = { .b = { 9 } };

struct fixture {
    struct overlay_dir d;
    char path[300]; /* of the overlay, below d */
    struct err e;
};

static bool set_up(struct fixture *f)
{
    if (!overlay_dir_make(&f->d))
        return false;
    (void)snprintf(f->path, sizeof f->path, "%s/o", f->d.path);
    return true;
}

static struct overlay_store *open_it(struct fixture *f, enum overlay_access access)
{
    struct overlay_store *s = NULL;
    int rc = overlay_store_open(f->path, access, &ours, "/mnt/x", &s, &f->e);

    CU_ASSERT((rc == 0) == (s != NULL));
    if (rc)
        printf("(%s) ", f->e.text);
    CU_ASSERT_FATAL(rc == 0);
    return s;
}

/* The kind of error with which opening fails. */
static enum err_kind refusal(struct fixture *f, enum overlay_access access,
                             const struct guid *package)
{
    struct overlay_store *s = NULL;
    int rc = overlay_store_open(f->path, access, package, "/mnt/y", &s, &f->e);

    CU_ASSERT(rc < 0 && !s);
    overlay_store_close(s);
    return rc < 0 ? f->e.kind : ERR_NONE;
}

static void put(struct fixture *f, const char *name, const char *text)
{
    char path[400];

    (void)snprintf(path, sizeof path, "%s/%s", f->path, name);
    FILE *out = fopen(path, "we");
    CU_ASSERT_FATAL(out && fputs(text, out) >= 0 && !fclose(out));
}

static const char *get(struct fixture *f, const char *name, char text[2000])
{
    char path[400];

    (void)snprintf(path, sizeof path, "%s/%s", f->path, name);
    FILE *in = fopen(path, "re");
    CU_ASSERT_FATAL(in != NULL);
    text[fread(text, 1, 1999, in)] = '\0';
    (void)fclose(in);
    return text;
}

static bool exists(struct fixture *f, const char *name)
{
    char path[400];
    struct stat st;

    (void)snprintf(path, sizeof path, "%s/%s", f->path, name);
    return !lstat(path, &st);
}

/* ---- making and opening ---- */

static void overlay_is_made_when_there_is_nothing(void)
{
    struct fixture f;
    struct stat st;
    char text[2000];

    if (!set_up(&f))
        return;
    struct overlay_store *s = open_it(&f, OVERLAY_WRITE);
    CU_ASSERT(!stat(f.path, &st) && (st.st_mode & 07777) == 0700);
    CU_ASSERT(exists(&f, "files") && exists(&f, "work") && exists(&f, "maps"));
    CU_ASSERT(!strncmp(get(&f, "overlay", text), "format: 1\npackage: 01020300-", 27));
    CU_ASSERT(!s->unclean && !s->read_only && guid_equal(&s->package_guid, &ours));
    CU_ASSERT(guid_is_zero(&s->version_guid) && !*s->source);
    overlay_store_close(s);
    CU_ASSERT_STRING_EQUAL(get(&f, "lock", text), "");
    overlay_dir_remove(&f.d);
}

static void version_is_found_again(void)
{
    struct fixture f;
    char text[2000];

    if (!set_up(&f))
        return;
    struct overlay_store *s = open_it(&f, OVERLAY_WRITE);
    CU_ASSERT(overlay_store_set_version(s, &other, 7, "A\nB", "http://h/p.sft", &f.e) == 0);
    overlay_store_close(s);
    (void)get(&f, "overlay", text);
    put(&f, "overlay", strcat(text, "colour: blue\n"));
    s = open_it(&f, OVERLAY_WRITE);
    CU_ASSERT(guid_equal(&s->version_guid, &other) && s->version_number == 7);
    CU_ASSERT_STRING_EQUAL(s->package_name, "A?B");
    CU_ASSERT_STRING_EQUAL(s->source, "http://h/p.sft");
    CU_ASSERT(overlay_store_set_version(s, &other, 8, "A", NULL, &f.e) == 0);
    CU_ASSERT(s->version_number == 8);
    overlay_store_close(s);
    CU_ASSERT(strstr(get(&f, "overlay", text), "version-number: 8\n") != NULL);
    CU_ASSERT(strstr(text, "colour: blue\n") != NULL);
    overlay_dir_remove(&f.d);
}

static void default_place_is_made_with_what_is_above(void)
{
    struct fixture f;
    struct overlay_store *s;
    struct stat st;
    char *path = NULL;

    if (!set_up(&f))
        return;
    CU_ASSERT_FATAL(!setenv("XDG_DATA_HOME", f.path, 1));
    CU_ASSERT_FATAL(overlay_default_path(&ours, &path, &f.e) == 0);
    CU_ASSERT(strstr(path, "/o/sftfs/overlays/01020300-0000-0000-0000-000000000000") != NULL);
    CU_ASSERT_FATAL(overlay_store_open(path, OVERLAY_WRITE, &ours, NULL, &s, &f.e) == 0);
    CU_ASSERT(!stat(f.path, &st) && (st.st_mode & 07777) == 0700);
    overlay_store_close(s);
    free(path);
    CU_ASSERT_FATAL(!setenv("XDG_DATA_HOME", "relative", 1) && !setenv("HOME", "/home/x", 1));
    CU_ASSERT_FATAL(overlay_default_path(&ours, &path, &f.e) == 0);
    CU_ASSERT(!strncmp(path, "/home/x/.local/share/sftfs/overlays/", 36));
    free(path);
    (void)unsetenv("XDG_DATA_HOME");
    overlay_dir_remove(&f.d);
}

static void parents_are_not_made_elsewhere(void)
{
    struct fixture f;

    if (!set_up(&f))
        return;
    strcat(f.path, "/deeper");
    CU_ASSERT(refusal(&f, OVERLAY_WRITE, &ours) == ERR_NOT_FOUND);
    overlay_dir_remove(&f.d);
}

static void leftovers_in_work_are_removed(void)
{
    struct fixture f;

    if (!set_up(&f))
        return;
    struct overlay_store *s = open_it(&f, OVERLAY_WRITE);
    CU_ASSERT(!mkdirat(s->work_fd, "tree", 0) && !mkdirat(s->work_fd, "tree2", 0700));
    overlay_store_close(s);
    put(&f, "work/tree2/file", "x");
    put(&f, "work/whiteout", "not one");
    put(&f, "work/intent-0", "nonsense");
    CU_ASSERT(!symlinkat("/nowhere", f.d.fd, "o/work/intent-1"));
    overlay_store_close(open_it(&f, OVERLAY_WRITE));
    CU_ASSERT(!exists(&f, "work/tree") && !exists(&f, "work/tree2"));
    CU_ASSERT(!exists(&f, "work/whiteout"));
    CU_ASSERT(!exists(&f, "work/intent-0") && !exists(&f, "work/intent-1"));
    overlay_dir_remove(&f.d);
}

/* ---- refusals ---- */

static void overlay_of_another_package_is_refused(void)
{
    struct fixture f;

    if (!set_up(&f))
        return;
    overlay_store_close(open_it(&f, OVERLAY_WRITE));
    CU_ASSERT(refusal(&f, OVERLAY_WRITE, &other) == ERR_GUID_MISMATCH);
    CU_ASSERT(strstr(f.e.text, "01020300-") && strstr(f.e.text, "overlay=DIR"));
    CU_ASSERT(refusal(&f, OVERLAY_READ, &other) == ERR_GUID_MISMATCH);
    overlay_dir_remove(&f.d);
}

static void directory_of_something_else_is_refused_and_left_alone(void)
{
    struct fixture f;

    if (!set_up(&f))
        return;
    CU_ASSERT_FATAL(!mkdir(f.path, 0700));
    put(&f, "letter", "dear");
    CU_ASSERT(refusal(&f, OVERLAY_WRITE, &ours) == ERR_INVALID);
    CU_ASSERT(!exists(&f, "lock") && !exists(&f, "files"));
    CU_ASSERT(refusal(&f, OVERLAY_READ, NULL) == ERR_INVALID);
    overlay_dir_remove(&f.d);
    if (!set_up(&f))
        return;
    CU_ASSERT(refusal(&f, OVERLAY_READ, NULL) == ERR_NOT_FOUND && !exists(&f, ""));
    CU_ASSERT_FATAL(!mkdir(f.path, 0700));
    CU_ASSERT(refusal(&f, OVERLAY_READ, NULL) == ERR_INVALID);
    CU_ASSERT(refusal(&f, OVERLAY_WRITE, NULL) == ERR_INVALID);
    CU_ASSERT(!rmdir(f.path));
    CU_ASSERT_FATAL(!mknodat(f.d.fd, "o", S_IFREG | 0600, 0)); /* a file of that name */
    CU_ASSERT(refusal(&f, OVERLAY_WRITE, &ours) == ERR_INVALID);
    overlay_dir_remove(&f.d);
}

static void directory_with_lost_and_found_alone_is_taken(void)
{
    struct fixture f;

    if (!set_up(&f))
        return;
    CU_ASSERT_FATAL(!mkdir(f.path, 0700) && !mkdirat(f.d.fd, "o/lost+found", 0700));
    overlay_store_close(open_it(&f, OVERLAY_WRITE));
    overlay_dir_remove(&f.d);
}

static void overlay_file_is_refused_when_newer_or_damaged(void)
{
    static const struct {
        const char *text;
        enum err_kind kind;
    } cases[] = {
        { "format: 2\nanything\n", ERR_UNSUPPORTED },
        { "", ERR_CORRUPT },
        { "format: 0\n", ERR_CORRUPT },
        { "format: 1\n", ERR_CORRUPT },
        { "format: 99999999999\n", ERR_CORRUPT },
        { "format: 1\npackage: 1234\n", ERR_CORRUPT },
        { "package: 01020300-0000-0000-0000-000000000000\nformat: 1\n", ERR_CORRUPT },
        { "format: 1\npackage: 01020300-0000-0000-0000-000000000000\nversion-number: -1\n",
          ERR_CORRUPT },
    };
    struct fixture f;

    if (!set_up(&f))
        return;
    overlay_store_close(open_it(&f, OVERLAY_WRITE));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        put(&f, "overlay", cases[i].text);
        CU_ASSERT(refusal(&f, OVERLAY_WRITE, &ours) == cases[i].kind);
    }
    overlay_dir_remove(&f.d);
}

static void link_in_place_of_a_directory_is_refused(void)
{
    static const char *const names[] = { "o/files", "o/work", "o/maps" };
    struct fixture f;

    if (!set_up(&f))
        return;
    overlay_store_close(open_it(&f, OVERLAY_WRITE));
    CU_ASSERT_FATAL(!mkdirat(f.d.fd, "elsewhere", 0700));
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        CU_ASSERT_FATAL(!unlinkat(f.d.fd, names[i], AT_REMOVEDIR));
        CU_ASSERT_FATAL(!symlinkat("../elsewhere", f.d.fd, names[i]));
        CU_ASSERT(refusal(&f, OVERLAY_WRITE, &ours) == ERR_INVALID);
        CU_ASSERT_FATAL(!unlinkat(f.d.fd, names[i], 0) && !mkdirat(f.d.fd, names[i], 0700));
    }
    overlay_dir_remove(&f.d);
}

static void mount_point_above_or_below_is_refused(void)
{
    struct fixture f;
    struct overlay_store *s = NULL;
    char inside[400];

    if (!set_up(&f))
        return;
    overlay_store_close(open_it(&f, OVERLAY_WRITE));
    (void)snprintf(inside, sizeof inside, "%s/files", f.path);
    const char *const bad[] = { f.d.path, f.path, inside };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CU_ASSERT(overlay_store_open(f.path, OVERLAY_WRITE, &ours, bad[i], &s, &f.e) < 0);
        CU_ASSERT(f.e.kind == ERR_INVALID);
    }
    overlay_dir_remove(&f.d);
}

/* ---- the lock ---- */

static void second_writer_is_told_who_was_first(void)
{
    struct fixture f;
    char pid[32];

    if (!set_up(&f))
        return;
    struct overlay_store *s = open_it(&f, OVERLAY_WRITE);
    CU_ASSERT(refusal(&f, OVERLAY_WRITE, &ours) == ERR_BUSY);
    (void)snprintf(pid, sizeof pid, "process %ld on ", (long)getpid());
    CU_ASSERT(strstr(f.e.text, pid) && strstr(f.e.text, "/mnt/x") && strstr(f.e.text, f.path));
    CU_ASSERT(strstr(f.e.text, "overlay=DIR") != NULL);
    CU_ASSERT(refusal(&f, OVERLAY_WRITE, &ours) == ERR_BUSY); /* closing the file lost no lock */
    overlay_store_close(s);
    overlay_store_close(open_it(&f, OVERLAY_WRITE));
    overlay_dir_remove(&f.d);
}

static void reader_needs_no_lock_and_changes_nothing(void)
{
    struct fixture f;
    struct overlay_store *w, *r = NULL;

    if (!set_up(&f))
        return;
    w = open_it(&f, OVERLAY_WRITE);
    CU_ASSERT(!unlinkat(f.d.fd, "o/maps", AT_REMOVEDIR));
    CU_ASSERT_FATAL(overlay_store_open(f.path, OVERLAY_READ, NULL, NULL, &r, &f.e) == 0);
    CU_ASSERT(guid_equal(&r->package_guid, &ours) && r->work_fd == -1 && r->maps_fd == -1);
    CU_ASSERT(overlay_store_set_version(r, &other, 1, "", "", &f.e) == -EROFS);
    CU_ASSERT(overlay_whiteout_create(r, r->files_fd, "x") == -EROFS);
    CU_ASSERT(overlay_move_with_whiteout(r, "a", "b") == -EROFS);
    CU_ASSERT(!exists(&f, "maps"));
    overlay_store_close(r);
    CU_ASSERT(refusal(&f, OVERLAY_WRITE, &ours) == ERR_BUSY);
    overlay_store_close(w);
    overlay_dir_remove(&f.d);
}

/* Runs BODY in a child that then dies without closing anything; its wait status. */
static int in_child(void (*body)(struct fixture *f), struct fixture *f)
{
    unsigned failures = CU_get_number_of_failures();
    int status = -1;

    (void)fflush(stdout);
    pid_t pid = fork();
    CU_ASSERT_FATAL(pid >= 0);
    if (!pid) {
        body(f);
        _exit(CU_get_number_of_failures() > failures ? 1 : 0);
    }
    CU_ASSERT_FATAL(waitpid(pid, &status, 0) == pid);
    return status;
}

static void child_opens_and_dies(struct fixture *f)
{
    (void)open_it(f, OVERLAY_WRITE);
    (void)kill(getpid(), SIGKILL);
}

static void death_of_the_holder_is_noticed_until_it_was_looked_after(void)
{
    struct fixture f;

    if (!set_up(&f))
        return;
    CU_ASSERT(WIFSIGNALED(in_child(child_opens_and_dies, &f)));
    struct overlay_store *s = open_it(&f, OVERLAY_WRITE);
    CU_ASSERT(s->unclean);
    overlay_store_close(s);
    s = open_it(&f, OVERLAY_WRITE);
    CU_ASSERT(s->unclean);
    s->unclean = false;
    overlay_store_close(s);
    s = open_it(&f, OVERLAY_WRITE);
    CU_ASSERT(!s->unclean);
    overlay_store_close(s);
    overlay_dir_remove(&f.d);
}

/* As a daemon that has been unmounted: nothing is mounted on /mnt/x. */
static void unmounted_holder_is_waited_for(void)
{
    int ready[2], status = -1;
    struct fixture f;
    char byte = 0;

    if (!set_up(&f))
        return;
    CU_ASSERT_FATAL(!pipe(ready));
    (void)fflush(stdout);
    pid_t pid = fork();
    CU_ASSERT_FATAL(pid >= 0);
    if (!pid) {
        struct overlay_store *s = open_it(&f, OVERLAY_WRITE);
        bool told = write(ready[1], "x", 1) == 1;

        (void)usleep(200 * 1000);
        overlay_store_close(s);
        _exit(told ? 0 : 1);
    }
    CU_ASSERT_FATAL(read(ready[0], &byte, 1) == 1);
    struct overlay_store *s = open_it(&f, OVERLAY_WRITE);
    CU_ASSERT(!s->unclean);
    overlay_store_close(s);
    CU_ASSERT(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && !WEXITSTATUS(status));
    (void)close(ready[0]);
    (void)close(ready[1]);
    overlay_dir_remove(&f.d);
}

static void child_opens_as_nobody(struct fixture *f)
{
    struct overlay_store *s = NULL;

    CU_ASSERT_FATAL(!setegid(65534) && !seteuid(65534));
    CU_ASSERT(overlay_store_open(f->path, OVERLAY_WRITE, &ours, NULL, &s, &f->e) == 0);
    CU_ASSERT(s && s->read_only && s->access == OVERLAY_READ && s->lock_fd == -1);
    overlay_store_close(s);
}

static void overlay_is_read_only_when_it_may_not_be_written(void)
{
    struct fixture f;

    if (geteuid()) {
        printf("not root, cannot be another user: not tested ");
        return;
    }
    if (!set_up(&f))
        return;
    overlay_store_close(open_it(&f, OVERLAY_WRITE));
    CU_ASSERT(!chmod(f.path, 0755) && !chmod(f.d.path, 0755));
    CU_ASSERT(!fchmodat(f.d.fd, "o/overlay", 0644, 0) && !fchmodat(f.d.fd, "o/maps", 0755, 0));
    CU_ASSERT(in_child(child_opens_as_nobody, &f) == 0);
    overlay_dir_remove(&f.d);
}

/* ---- temporary ones ---- */

static char temporary_path[400];

static void temporary_overlay_goes_with_its_closing(void)
{
    struct fixture f;
    struct overlay_store *s = NULL;
    struct stat st;

    if (!set_up(&f))
        return;
    CU_ASSERT_FATAL(!setenv("TMPDIR", f.d.path, 1));
    CU_ASSERT_FATAL(overlay_store_temporary(&ours, "/mnt", &s, &f.e) == 0);
    (void)snprintf(temporary_path, sizeof temporary_path, "%s", s->path);
    CU_ASSERT(s->temporary && !strncmp(s->path, f.d.path, strlen(f.d.path)));
    CU_ASSERT(!mkdirat(s->files_fd, "a", 0) && !mkdirat(s->files_fd, "b", 0700));
    overlay_store_close(s);
    CU_ASSERT(stat(temporary_path, &st) && errno == ENOENT);
    (void)unsetenv("TMPDIR");
    overlay_dir_remove(&f.d);
}

static void child_makes_temporary_and_dies(struct fixture *f)
{
    struct overlay_store *s = NULL;

    CU_ASSERT_FATAL(overlay_store_temporary(&ours, NULL, &s, &f->e) == 0);
    CU_ASSERT_FATAL(!renameat(AT_FDCWD, s->path, f->d.fd, "sftfs-overlay-abcdef"));
    (void)kill(getpid(), SIGKILL);
}

static void temporary_overlay_of_the_dead_is_removed_by_the_next(void)
{
    struct fixture f;
    struct overlay_store *s = NULL, *second = NULL;

    if (!set_up(&f))
        return;
    CU_ASSERT_FATAL(!setenv("TMPDIR", f.d.path, 1));
    CU_ASSERT(!mkdirat(f.d.fd, "sftfs-overlay-others", 0700));
    CU_ASSERT(!mkdirat(f.d.fd, "sftfs-overlay-normal", 0700));
    CU_ASSERT(WIFSIGNALED(in_child(child_makes_temporary_and_dies, &f)));
    CU_ASSERT(!faccessat(f.d.fd, "sftfs-overlay-abcdef", F_OK, 0));
    CU_ASSERT_FATAL(overlay_store_temporary(&ours, NULL, &s, &f.e) == 0);
    CU_ASSERT(faccessat(f.d.fd, "sftfs-overlay-abcdef", F_OK, 0));
    CU_ASSERT(!faccessat(f.d.fd, "sftfs-overlay-others", F_OK, 0));
    CU_ASSERT(!faccessat(f.d.fd, "sftfs-overlay-normal", F_OK, 0));
    CU_ASSERT_FATAL(overlay_store_temporary(&ours, NULL, &second, &f.e) == 0);
    CU_ASSERT(!access(s->path, F_OK)); /* its holder is alive */
    overlay_store_close(second);
    overlay_store_close(s);
    (void)unsetenv("TMPDIR");
    overlay_dir_remove(&f.d);
}

/* ---- crashes ---- */

#ifdef ENABLE_CRASH_POINTS
static void child_opens(struct fixture *f)
{
    (void)open_it(f, OVERLAY_WRITE);
}

static void overlay_can_be_opened_after_a_crash_while_it_was_made(void)
{
    static const char *const points[] = { "lock-taken", "lock-written", "store-info-written",
                                          "store-made" };

    for (size_t i = 0; i < ARRAY_LEN(points); i++) {
        struct fixture f;
        if (!set_up(&f))
            return;
        CU_ASSERT_FATAL(!setenv("SFTFS_CRASH_POINT", points[i], 1));
        int status = in_child(child_opens, &f);
        (void)unsetenv("SFTFS_CRASH_POINT");
        CU_ASSERT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        struct overlay_store *s = open_it(&f, OVERLAY_WRITE);
        CU_ASSERT(s->files_fd >= 0 && guid_equal(&s->package_guid, &ours));
        overlay_store_close(s);
        overlay_dir_remove(&f.d);
    }
}

static void crash_points_are_sorted(void)
{
    for (const char *const *p = crash_point_names; p[0] && p[1]; p++)
        CU_ASSERT(strcmp(p[0], p[1]) < 0);
}
#else
static void overlay_can_be_opened_after_a_crash_while_it_was_made(void)
{
    printf("no --enable-crash-points: not tested ");
}

static void crash_points_are_sorted(void)
{
    printf("no --enable-crash-points: not tested ");
}
#endif

UNIT_MAIN("overlay store",
          TEST(overlay_is_made_when_there_is_nothing),
          TEST(version_is_found_again),
          TEST(default_place_is_made_with_what_is_above),
          TEST(parents_are_not_made_elsewhere),
          TEST(leftovers_in_work_are_removed),
          TEST(overlay_of_another_package_is_refused),
          TEST(directory_of_something_else_is_refused_and_left_alone),
          TEST(directory_with_lost_and_found_alone_is_taken),
          TEST(overlay_file_is_refused_when_newer_or_damaged),
          TEST(link_in_place_of_a_directory_is_refused),
          TEST(mount_point_above_or_below_is_refused),
          TEST(second_writer_is_told_who_was_first),
          TEST(unmounted_holder_is_waited_for),
          TEST(reader_needs_no_lock_and_changes_nothing),
          TEST(death_of_the_holder_is_noticed_until_it_was_looked_after),
          TEST(overlay_is_read_only_when_it_may_not_be_written),
          TEST(temporary_overlay_goes_with_its_closing),
          TEST(temporary_overlay_of_the_dead_is_removed_by_the_next),
          TEST(overlay_can_be_opened_after_a_crash_while_it_was_made),
          TEST(crash_points_are_sorted))
