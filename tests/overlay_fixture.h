/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An overlay over a small package, whose upper directory a test fills by hand:
 *
 *     struct fixture f;
 *     if (!fixture_begin(&f, entries, ARRAY_LEN(entries), false))
 *         return;                                  // no user extended attributes here
 *     up_file(&f, "Dir/new.txt", "text");
 *     fixture_open(&f, false);
 *     CU_ASSERT(id_at(&f, "dir/NEW.txt") > OVERLAY_UPPER_ID);
 *     fixture_end(&f);
 */
#ifndef TESTS_OVERLAY_FIXTURE_H
#define TESTS_OVERLAY_FIXTURE_H

#include <sys/stat.h>

#include "fs/overlay/marker.h"
#include "fs/overlay/node.h"
#include "fs/overlay/overlay.h"
#include "fs/overlay/store.h"
#include "fs/overlay/tree.h"
#include "src/container.h"
#include "tests/make-sft.h"
#include "tests/overlay_dir.h"
#include "tests/unit.h"

struct fixture {
    struct overlay_dir tmp;
    char path[300]; /* of the overlay */
    struct package *package;
    struct attr_rules rules;
    struct overlay_store *store;
    struct overlay *o;
};

static void fixture_open_store(struct fixture *f)
{
    struct err e = { 0 };
    int rc = overlay_store_open(f->path, OVERLAY_WRITE, &package_info(f->package)->package_guid,
                                NULL, &f->store, &e);
    if (rc)
        printf("%s ", e.text);
    CU_ASSERT_EQUAL_FATAL(rc, 0);
}

static bool fixture_begin(struct fixture *f, const struct make_entry *entries, size_t count,
                          bool case_sensitive)
{
    struct make_options o = { .case_sensitive = case_sensitive };
    struct made_sft made;
    struct err e = { 0 };

    *f = (struct fixture){ 0 };
    if (!overlay_dir_make(&f->tmp))
        return false;
    (void)snprintf(f->path, sizeof f->path, "%s/overlay", f->tmp.path);
    CU_ASSERT_EQUAL_FATAL(make_sft(entries, count, &o, &made, &e), 0);
    CU_ASSERT_EQUAL_FATAL(container_read_memory(made.data, made.len, &f->package, &e), 0);
    free(made.data);
    attr_rules_init(&f->rules, f->package, 1234, 2345, 022);
    fixture_open_store(f);
    return true;
}

static void fixture_open(struct fixture *f, bool case_sensitive)
{
    struct err e = { 0 };
    int rc = overlay_open(f->store, f->package, &f->rules, case_sensitive, &f->o, &e);

    if (rc)
        printf("%s ", e.text);
    CU_ASSERT_EQUAL_FATAL(rc, 0);
}

static void fixture_close(struct fixture *f)
{
    overlay_close(f->o);
    overlay_store_close(f->store);
    f->o = NULL;
    f->store = NULL;
}

static __attribute__((unused)) void fixture_reopen(struct fixture *f)
{
    bool case_sensitive = f->o->case_sensitive;

    fixture_close(f);
    fixture_open_store(f);
    fixture_open(f, case_sensitive);
}

static void fixture_end(struct fixture *f)
{
    fixture_close(f);
    package_free(f->package);
    overlay_dir_remove(&f->tmp);
}

/* ---- filling the upper directory ---- */

static void up_dir(struct fixture *f, const char *path)
{
    CU_ASSERT_EQUAL_FATAL(mkdirat(f->store->files_fd, path, 0755), 0);
}

static void up_file(struct fixture *f, const char *path, const char *text)
{
    int fd = openat(f->store->files_fd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    (void)close(fd);
}

static void up_mark(struct fixture *f, const char *path, const char *marker, const char *value)
{
    CU_ASSERT_EQUAL_FATAL(marker_set_at(f->store->files_fd, path, marker, value), 0);
}

static __attribute__((unused)) void up_whiteout(struct fixture *f, const char *path)
{
    up_file(f, path, "");
    up_mark(f, path, MARKER_WHITEOUT, "y");
}

static __attribute__((unused)) void up_dir_marked(struct fixture *f, const char *path,
                                                  const char *marker, const char *value)
{
    up_dir(f, path);
    up_mark(f, path, marker, value);
}

static __attribute__((unused)) void up_file_from(struct fixture *f, const char *path,
                                                 const char *origin)
{
    up_file(f, path, "copied up");
    up_mark(f, path, MARKER_ORIGIN, origin);
}

/* ---- looking ---- */

/* What PATH is in the mount; id 0 when there is nothing. */
static struct overlay_ref ref_at(struct fixture *f, const char *path)
{
    struct overlay_ref ref = { .id = OVERLAY_ROOT_ID };
    char name[300];

    while (*path && ref.id) {
        size_t len = strcspn(path, "/");
        uint64_t parent = ref.id;
        (void)snprintf(name, sizeof name, "%.*s", (int)len, path);
        if (overlay_lookup(f->o, parent, name, &ref, NULL))
            ref.id = 0;
        path += len + (path[len] == '/');
    }
    return ref;
}

static uint64_t id_at(struct fixture *f, const char *path)
{
    return ref_at(f, path).id;
}

/* Id of the package node PATH, shown or not. */
static __attribute__((unused)) uint64_t package_id(struct fixture *f, const char *path)
{
    uint32_t index = package_resolve(f->package, path, true);

    CU_ASSERT_NOT_EQUAL_FATAL(index, NODE_NONE);
    return (uint64_t)index + 1;
}

/* A listing as "name name ..."; without "." and "..". */
struct names {
    char text[4096];
    unsigned limit; /* stop after so many; 0: all */
    unsigned count;
    uint64_t next;
};

static bool names_add(void *arg, const char *name, const struct overlay_ref *ref,
                      const struct stat *st, uint64_t next)
{
    struct names *n = arg;
    size_t used = strlen(n->text);

    CU_ASSERT_EQUAL(st->st_ino, ref->lower == NODE_NONE ? ref->node->ino : ref->id);
    n->next = next;
    if (!strcmp(name, ".") || !strcmp(name, ".."))
        return true;
    (void)snprintf(n->text + used, sizeof n->text - used, "%s%s", used ? " " : "", name);
    return ++n->count != n->limit;
}

static __attribute__((unused)) const char *names_in(struct fixture *f, const char *path,
                                                    struct names *n)
{
    *n = (struct names){ .next = 0 };
    CU_ASSERT_EQUAL(overlay_list(f->o, id_at(f, path), 0, false, names_add, n), 0);
    return n->text;
}

#endif
