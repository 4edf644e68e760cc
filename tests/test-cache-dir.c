/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of fetch/cache_dir.c, cache_location.c and cache_file.c: what lies in the cache, what
 * leads there, who may remove it, and what other users may have put in its place. */
#include "config.h"

#include "fetch/cache_dir.h"

#include <grp.h>

#include "fetch/cache_file.h"
#include "fetch/cache_package.h"
#include "tests/cache_fixture.h"

enum { FILES = 6, BYTES = 5000 };

static const uid_t nobody = 65534;

/* --- finding ---------------------------------------------------------------------------------- */

static enum err_kind lookup(struct cache_dir *d, const char *location, const struct guid *guid,
                            const struct version *want)
{
    struct err e = { .kind = ERR_NONE };
    char *path = NULL;
    int rc = cache_lookup(d, location, guid, &path, &e);

    CU_ASSERT_EQUAL(rc < 0, e.kind != ERR_NONE);
    if (!rc)
        CU_ASSERT_TRUE(want && cache_is_version(path, want->package));
    free(path);
    return e.kind;
}

static void cache_finds_the_newest_version_of_a_package(void)
{
    make_dir();
    struct version one = make_version(1, FILES, BYTES), two = make_version(2, FILES, BYTES),
                   ten = make_version(10, FILES, BYTES);
    const struct guid *guid = &package_info(one.package)->package_guid;
    struct cache_dir *d = open_dir();

    CU_ASSERT_EQUAL(lookup(d, NULL, guid, NULL), ERR_NOT_FOUND);
    put_version(d, &two);
    put_version(d, &one);
    cache_close(open_cache(d, &ten)); /* without metadata it cannot be mounted */
    CU_ASSERT_EQUAL(lookup(d, NULL, guid, &two), ERR_NONE);
    put_version(d, &ten);
    CU_ASSERT_EQUAL(lookup(d, NULL, guid, &ten), ERR_NONE);
    CU_ASSERT_EQUAL(lookup(d, NULL, &(struct guid){ { 1 } }, NULL), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(lookup(d, NULL, NULL, NULL), ERR_NOT_FOUND);
    CU_ASSERT_FALSE(cache_is_version(path_in(&ten, CACHE_CONTAINER_NAME), one.package));
    CU_ASSERT_FALSE(cache_is_version("/" CACHE_CONTAINER_NAME, one.package));
    CU_ASSERT_FALSE(cache_is_version("", one.package));

    char path[256];
    (void)snprintf(path, sizeof path, "%s", path_in(&ten, CACHE_CONTAINER_NAME));
    cache_lookup_failed(d, path);
    CU_ASSERT_EQUAL(lookup(d, NULL, guid, &two), ERR_NONE);
    struct cache *c = open_cache(d, &ten);
    CU_ASSERT_FALSE(cache_has_metadata(c));
    put_metadata(c, &ten);
    cache_close(c);
    CU_ASSERT_EQUAL(lookup(d, NULL, guid, &ten), ERR_NONE);
    cache_dir_close(d);
    free_version(&one);
    free_version(&two);
    free_version(&ten);
    remove_dir();
}

/* Whether TEXT occurs in a file or a name below the cache. */
static bool occurs(const char *text)
{
    char command[256];

    (void)snprintf(command, sizeof command, "grep -rqaF '%s' %s || find %s | grep -qF '%s'", text,
                   cache_path, cache_path, text);
    return system(command) == 0;
}

static void cache_remembers_locations_without_telling_them(void)
{
    static const char first[] = "https://user:geheim@example.org/a.sft?sig=verborgen";
    static const char second[] = "/srv/packages/other.sft";
    make_dir();
    struct version one = make_version(1, FILES, BYTES), two = make_version(2, FILES, BYTES);
    const struct guid *guid = &package_info(one.package)->package_guid;
    struct cache_dir *d = open_dir();
    char name[CACHE_NAME_SIZE];

    put_version(d, &one);
    put_version(d, &two);
    struct cache *c = open_cache(d, &one);
    CU_ASSERT_EQUAL(cache_remember(c, first, NULL), 0);
    CU_ASSERT_EQUAL(cache_remember(c, first, NULL), 0);
    CU_ASSERT_EQUAL(cache_remember(c, second, NULL), 0);
    cache_close(c);
    CU_ASSERT_EQUAL(lookup(d, first, guid, &one), ERR_NONE);
    CU_ASSERT_EQUAL(lookup(d, first, NULL, &one), ERR_NONE);
    CU_ASSERT_EQUAL(lookup(d, second, NULL, &one), ERR_NONE);
    CU_ASSERT_EQUAL(lookup(d, "elsewhere", NULL, NULL), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(lookup(d, "elsewhere", guid, &two), ERR_NONE);
    /* Another package than the document asks for is not what it means. */
    CU_ASSERT_EQUAL(lookup(d, first, &(struct guid){ { 9 } }, NULL), ERR_NOT_FOUND);
    CU_ASSERT_FALSE(occurs("geheim"));
    CU_ASSERT_FALSE(occurs("verborgen"));
    CU_ASSERT_FALSE(occurs("example.org"));

    c = open_cache(d, &two);
    CU_ASSERT_EQUAL(cache_remember(c, first, NULL), 0);
    cache_close(c);
    CU_ASSERT_EQUAL(lookup(d, first, NULL, &two), ERR_NONE);
    CU_ASSERT_EQUAL(cache_dir_remove(d, one.name, NULL), 0);
    CU_ASSERT_EQUAL(cache_dir_follow(d, second, name, NULL) < 0, true);
    CU_ASSERT_EQUAL(cache_dir_follow(d, first, name, NULL), 0);
    CU_ASSERT_STRING_EQUAL(name, two.name);
    CU_ASSERT_EQUAL(lookup(d, second, guid, &two), ERR_NONE);
    cache_dir_close(d);
    free_version(&one);
    free_version(&two);
    remove_dir();
}

/* Files of the right name with something else in them, or for something else. */
static void cache_believes_no_damaged_locations(void)
{
    static const char location[] = "http://example.org/x.sft";
    make_dir();
    struct version v = make_version(1, FILES, BYTES);
    struct cache_dir *d = open_dir();
    char place[CACHE_PLACE_SIZE], other[CACHE_PLACE_SIZE], path[256], aside[256], text[512];

    put_version(d, &v);
    CU_ASSERT_EQUAL(cache_place_of(location, place, NULL), 0);
    CU_ASSERT_EQUAL(cache_place_of("http://example.org/y.sft", other, NULL), 0);
    CU_ASSERT_EQUAL(cache_dir_remember(d, location, v.name, NULL), 0);
    CU_ASSERT_EQUAL(lookup(d, location, NULL, &v), ERR_NONE);
    (void)snprintf(path, sizeof path, "%s/locations/%s", cache_path, place);
    (void)snprintf(aside, sizeof aside, "%s/locations/%s", cache_path, other);
    CU_ASSERT_EQUAL(rename(path, aside), 0);
    CU_ASSERT_EQUAL(lookup(d, "http://example.org/y.sft", NULL, NULL), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(rename(aside, path), 0);
    FILE *f = fopen(path, "rb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    size_t len = fread(text, 1, sizeof text, f);
    (void)fclose(f);
    for (size_t i = 0; i < len; i++) {
        text[i] ^= 0x20;
        f = fopen(path, "wb");
        CU_ASSERT_FATAL(f && fwrite(text, 1, len, f) == len && !fclose(f));
        CU_ASSERT_EQUAL(lookup(d, location, NULL, NULL), ERR_NOT_FOUND);
        text[i] ^= 0x20;
    }
    CU_ASSERT_EQUAL(truncate(path, (off_t)len - 1), 0);
    CU_ASSERT_EQUAL(lookup(d, location, NULL, NULL), ERR_NOT_FOUND);
    cache_dir_close(d);
    free_version(&v);
    remove_dir();
}

static int count_place(void *arg, const char *place)
{
    CU_ASSERT_EQUAL(strlen(place), CACHE_PLACE_SIZE - 1);
    ++*(int *)arg;
    return 0;
}

static void cache_lists_the_places_that_lead_to_a_version(void)
{
    make_dir();
    struct version v = make_version(1, FILES, BYTES);
    struct cache_dir *d = open_dir();
    struct err e = { .kind = ERR_NONE };
    char place[CACHE_PLACE_SIZE], name[CACHE_NAME_SIZE];
    int n = 0;

    CU_ASSERT_EQUAL(cache_dir_places(d, v.name, count_place, &n), 0);
    put_version(d, &v);
    CU_ASSERT_EQUAL(cache_dir_remember(d, "a", v.name, NULL), 0);
    CU_ASSERT_EQUAL(cache_place_of("b", place, NULL), 0);
    CU_ASSERT_EQUAL(cache_dir_remember_place(d, place, v.name, NULL), 0);
    CU_ASSERT_EQUAL(cache_dir_places(d, v.name, count_place, &n), 0);
    CU_ASSERT_EQUAL(n, 2);
    CU_ASSERT_EQUAL(cache_dir_follow(d, "b", name, NULL), 0);
    CU_ASSERT_TRUE(cache_dir_remember_place(d, "../../etc", v.name, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_INVALID);
    CU_ASSERT_TRUE(cache_dir_remember_place(d, place, "../x", &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_INVALID);
    cache_dir_close(d);
    free_version(&v);
    remove_dir();
}

static void cache_tells_what_lies_in_it(void)
{
    make_dir();
    struct version v = make_version(3, FILES, BYTES);
    struct cache_dir *d = open_dir();
    struct cache_entry entry;

    CU_ASSERT_TRUE(cache_dir_find(d, v.name, 0, &entry, NULL) < 0);
    struct cache *c = open_cache(d, &v);
    store_range(c, &v, 0, 2);
    CU_ASSERT_EQUAL(cache_dir_find(d, v.name, CACHE_COUNT_BLOCKS, &entry, NULL), 0);
    CU_ASSERT_TRUE(entry.valid && entry.in_use && entry.trusted && !entry.locked);
    CU_ASSERT_FALSE(entry.metadata);
    CU_ASSERT_EQUAL(entry.present, 2);
    CU_ASSERT_EQUAL(entry.header.block_count, v.blocks);
    CU_ASSERT_EQUAL(entry.header.version_number, 3);
    put_metadata(c, &v);
    cache_close(c);
    CU_ASSERT_EQUAL(cache_dir_find(d, v.name, 0, &entry, NULL), 0);
    CU_ASSERT_TRUE(entry.metadata && !entry.in_use);
    CU_ASSERT_TRUE(entry.last_use.tv_sec > time(NULL) - 1000);
    damage(&v, CACHE_INDEX_NAME, 20, 1);
    CU_ASSERT_EQUAL(cache_dir_find(d, v.name, 0, &entry, NULL), 0);
    CU_ASSERT_FALSE(entry.valid || entry.begun);
    /* As who was killed while making it leaves it: that is no damage. */
    CU_ASSERT_EQUAL(truncate(path_in(&v, CACHE_INDEX_NAME), 0), 0);
    CU_ASSERT_EQUAL(cache_dir_find(d, v.name, 0, &entry, NULL), 0);
    CU_ASSERT_TRUE(!entry.valid && entry.begun);
    CU_ASSERT_EQUAL(unlink(path_in(&v, CACHE_INDEX_NAME)), 0);
    CU_ASSERT_EQUAL(cache_dir_find(d, v.name, 0, &entry, NULL), 0);
    CU_ASSERT_TRUE(!entry.valid && entry.begun);
    CU_ASSERT_TRUE(cache_dir_find(d, "..", 0, &entry, NULL) < 0);
    cache_dir_close(d);
    free_version(&v);
    remove_dir();
}

static void cache_gives_the_package_back(void)
{
    make_dir();
    struct version v = make_version(1, FILES, BYTES), other = make_version(2, FILES, BYTES);
    struct cache_dir *d = open_dir();
    struct package *p = NULL;
    struct err e = { .kind = ERR_NONE };

    put_version(d, &v);
    CU_ASSERT_EQUAL_FATAL(cache_package_open(d, v.name, &p, NULL), 0);
    CU_ASSERT_EQUAL(package_info(p)->block_count, v.blocks);
    package_free(p);
    CU_ASSERT_TRUE(cache_package_open(d, other.name, &p, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_NOT_FOUND);
    /* Whole and consistent, but in the place of another version. */
    put_version(d, &other);
    FILE *f = fopen(path_in(&other, CACHE_CONTAINER_NAME), "wb");
    CU_ASSERT_FATAL(f && fwrite(v.made.data, 1, v.made.len, f) == v.made.len && !fclose(f));
    CU_ASSERT_TRUE(cache_package_open(d, other.name, &p, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_CORRUPT);
    cache_dir_close(d);
    free_version(&v);
    free_version(&other);
    remove_dir();
}

/* --- removing --------------------------------------------------------------------------------- */

static void cache_version_in_use_is_not_removed(void)
{
    make_dir();
    struct version v = make_version(1, FILES, BYTES);
    struct cache_dir *d = open_dir(), *other = open_dir();
    struct err e = { .kind = ERR_NONE };

    put_version(d, &v);
    struct cache *a = open_cache(d, &v), *b = open_cache(other, &v);
    CU_ASSERT_TRUE(cache_dir_remove(d, v.name, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_BUSY);
    cache_close(a);
    CU_ASSERT_TRUE(cache_dir_remove(d, v.name, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_BUSY);
    CU_ASSERT_EQUAL(read_one(b, &v, 0), 1);
    cache_close(b);
    CU_ASSERT_EQUAL(cache_dir_remove(d, v.name, NULL), 0);
    CU_ASSERT_FALSE(exists(&v));
    CU_ASSERT_TRUE(cache_dir_remove(d, v.name, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_NOT_FOUND);
    CU_ASSERT_TRUE(cache_dir_remove(d, "..", &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_NOT_FOUND);
    cache_dir_close(d);
    cache_dir_close(other);
    free_version(&v);
    remove_dir();
}

static void cache_version_of_a_killed_process_is_removed(void)
{
    make_dir();
    struct version v = make_version(1, FILES, BYTES);
    struct cache_dir *d = open_dir();
    int ready[2];
    char byte;

    put_version(d, &v);
    CU_ASSERT_EQUAL_FATAL(pipe(ready), 0);
    pid_t pid = fork();
    CU_ASSERT_FATAL(pid >= 0);
    if (!pid) {
        struct cache_dir *own = NULL;
        struct cache *c = NULL;
        const struct cache_options o = { .dir = cache_path };
        bool fine = !cache_dir_open(&o, &own, NULL) && !cache_open(own, v.package, &c, NULL);
        if (write(ready[1], fine ? "y" : "n", 1) == 1)
            (void)pause();
        _exit(1);
    }
    CU_ASSERT_EQUAL(read(ready[0], &byte, 1), 1);
    CU_ASSERT_EQUAL(byte, 'y');
    CU_ASSERT_TRUE(cache_dir_remove(d, v.name, NULL) < 0);
    CU_ASSERT_EQUAL(kill(pid, SIGKILL), 0);
    CU_ASSERT_EQUAL(waitpid(pid, NULL, 0), pid);
    CU_ASSERT_EQUAL(cache_dir_remove(d, v.name, NULL), 0);
    (void)close(ready[0]);
    (void)close(ready[1]);
    cache_dir_close(d);
    free_version(&v);
    remove_dir();
}

static void cache_version_locked_by_the_user_stays(void)
{
    make_dir();
    struct version v = make_version(1, FILES, BYTES);
    struct cache_dir *d = open_dir();
    struct err e = { .kind = ERR_NONE };
    struct cache_entry entry;

    CU_ASSERT_TRUE(cache_dir_set_locked(d, v.name, true, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_NOT_FOUND);
    CU_ASSERT_FALSE(exists(&v));
    put_version(d, &v);
    CU_ASSERT_EQUAL(cache_dir_set_locked(d, v.name, true, NULL), 0);
    CU_ASSERT_EQUAL(cache_dir_set_locked(d, v.name, true, NULL), 0);
    CU_ASSERT_EQUAL(cache_dir_find(d, v.name, 0, &entry, NULL), 0);
    CU_ASSERT_TRUE(entry.locked);
    CU_ASSERT_TRUE(cache_dir_remove(d, v.name, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_BUSY);
    CU_ASSERT_EQUAL(cache_dir_set_locked(d, v.name, false, NULL), 0);
    CU_ASSERT_EQUAL(cache_dir_set_locked(d, v.name, false, NULL), 0);
    CU_ASSERT_EQUAL(cache_dir_remove(d, v.name, NULL), 0);
    cache_dir_close(d);
    free_version(&v);
    remove_dir();
}

static void cache_cleans_up_after_a_removal_that_was_killed(void)
{
    make_dir();
    struct version v = make_version(1, FILES, BYTES);
    struct cache_dir *d = open_dir();
    char gone[256], other[256];

    put_version(d, &v);
    (void)snprintf(gone, sizeof gone, "%s/.gone-%s-1-2.3", cache_path, v.name);
    (void)snprintf(other, sizeof other, "%s/.gone-shopping", cache_path);
    CU_ASSERT_EQUAL(rename(path_in(&v, ""), gone), 0);
    CU_ASSERT_EQUAL(mkdir(other, 0700), 0);
    cache_dir_close(open_dir());
    CU_ASSERT_TRUE(access(gone, F_OK) != 0);
    CU_ASSERT_TRUE(access(other, F_OK) == 0); /* not ours */
    cache_dir_close(d);
    free_version(&v);
    remove_dir();
}

/* Openings and removals that run into each other: each ends, and what was opened works. */
static void cache_is_opened_while_it_is_removed(void)
{
    make_dir();
    struct version v = make_version(1, FILES, BYTES);
    pid_t pid = fork();

    CU_ASSERT_FATAL(pid >= 0);
    if (!pid) {
        struct cache_dir *d = NULL;
        const struct cache_options o = { .dir = cache_path };
        if (cache_dir_open(&o, &d, NULL))
            _exit(1);
        (void)alarm(120); /* were nobody to make what is to be removed */
        for (unsigned removed = 0; removed < 50; (void)usleep(200))
            removed += !cache_dir_remove(d, v.name, NULL);
        _exit(0);
    }
    struct cache_dir *d = open_dir();
    int status = 0;
    while (!waitpid(pid, &status, WNOHANG)) {
        struct cache *c = open_cache(d, &v);
        store_range(c, &v, 0, 2);
        CU_ASSERT_EQUAL(read_one(c, &v, 1), 1);
        CU_ASSERT_TRUE(exists(&v)); /* nobody takes it away while it is held */
        cache_close(c);
    }
    CU_ASSERT_TRUE(WIFEXITED(status) && !WEXITSTATUS(status));
    cache_dir_close(d);
    free_version(&v);
    remove_dir();
}

/* --- what others put there -------------------------------------------------------------------- */

static enum err_kind open_kind(struct cache_dir *d, const struct version *v)
{
    struct err e = { .kind = ERR_NONE };
    struct cache *c = NULL;
    int rc = cache_open(d, v->package, &c, &e);

    CU_ASSERT_EQUAL(rc < 0, e.kind != ERR_NONE);
    cache_close(c);
    return e.kind;
}

static void cache_follows_no_links(void)
{
    static const char *const files[] = { CACHE_CONTAINER_NAME, CACHE_INDEX_NAME, CACHE_LOCK_NAME };
    make_dir();
    struct version v = make_version(1, FILES, BYTES);
    struct cache_dir *d = open_dir();
    char victim[128];
    struct stat st;

    (void)snprintf(victim, sizeof victim, "%s/victim", cache_path);
    int fd = open(victim, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    CU_ASSERT_EQUAL(write(fd, "precious", 8), 8);
    (void)close(fd);
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        cache_close(open_cache(d, &v));
        CU_ASSERT_EQUAL(unlink(path_in(&v, files[i])), 0);
        CU_ASSERT_EQUAL(symlink("../victim", path_in(&v, files[i])), 0);
        CU_ASSERT_EQUAL(open_kind(d, &v), ERR_CORRUPT);
        CU_ASSERT_EQUAL(unlink(path_in(&v, files[i])), 0);
        CU_ASSERT_EQUAL(link(victim, path_in(&v, files[i])), 0);
        CU_ASSERT_EQUAL(open_kind(d, &v), ERR_CORRUPT);
        CU_ASSERT_EQUAL(unlink(path_in(&v, files[i])), 0);
        CU_ASSERT_EQUAL(mkfifo(path_in(&v, files[i]), 0600), 0);
        CU_ASSERT_EQUAL(open_kind(d, &v), ERR_CORRUPT);
        CU_ASSERT_EQUAL(remove_below(AT_FDCWD, path_in(&v, "")), 0);
        CU_ASSERT_EQUAL(stat(victim, &st), 0);
        CU_ASSERT_EQUAL(st.st_size, 8);
    }
    CU_ASSERT_EQUAL(symlink("..", path_in(&v, "")), 0);
    CU_ASSERT_EQUAL(open_kind(d, &v), ERR_CORRUPT);
    CU_ASSERT_TRUE(cache_dir_remove(d, v.name, NULL) < 0);
    CU_ASSERT_EQUAL(access(cache_path, F_OK), 0);
    cache_dir_close(d);
    free_version(&v);
    remove_dir();
}

/* In a directory where everybody may write, what leads where is believed of few. */
static void cache_believes_no_strangers(void)
{
    if (geteuid()) {
        printf("not root: not tested ");
        return;
    }
    make_dir();
    struct version v = make_version(1, FILES, BYTES), evil = make_version(9, FILES, BYTES);
    const struct guid *guid = &package_info(v.package)->package_guid;

    CU_ASSERT_EQUAL(chmod(cache_path, 01777), 0);
    struct cache_dir *d = open_dir();
    put_version(d, &v);
    CU_ASSERT_EQUAL(cache_dir_remember(d, "http://example.org/own", v.name, NULL), 0);
    pid_t pid = fork();
    CU_ASSERT_FATAL(pid >= 0);
    if (!pid) {
        struct cache_dir *own = NULL;
        struct cache *c = NULL;
        const struct cache_options o = { .dir = cache_path };
        if (setgroups(0, NULL) || setgid(nobody) || setuid(nobody) ||
            cache_dir_open(&o, &own, NULL) || cache_open(own, evil.package, &c, NULL) ||
            cache_put_metadata(c, 0, evil.made.data, evil.made.metadata_len, NULL) ||
            cache_remember(c, "http://example.org/own", NULL) ||
            cache_remember(c, "http://example.org/new", NULL))
            _exit(1);
        cache_close(c);
        /* The other way round it is fine: root is believed, and its blocks are used. */
        if (cache_open(own, v.package, &c, NULL) || read_one(c, &v, 0) != 1)
            _exit(2);
        cache_store(c, 1, stored(&v, 1));
        cache_close(c);
        /* What is root's stays. */
        if (!cache_dir_remove(own, v.name, NULL))
            _exit(3);
        _exit(0);
    }
    CU_ASSERT_TRUE(child_is_fine(pid));
    CU_ASSERT_EQUAL(lookup(d, NULL, guid, &v), ERR_NONE);
    CU_ASSERT_EQUAL(lookup(d, "http://example.org/own", NULL, &v), ERR_NONE);
    CU_ASSERT_EQUAL(lookup(d, "http://example.org/new", NULL, NULL), ERR_NOT_FOUND);
    cache_dir_close(d);
    free_version(&v);
    free_version(&evil);
    remove_dir();
}

static bool modes_are(const struct version *v, mode_t dir, mode_t file)
{
    static const char *const files[] = { CACHE_CONTAINER_NAME, CACHE_INDEX_NAME, CACHE_LOCK_NAME };
    struct stat st;
    bool right = !stat(path_in(v, ""), &st) && (st.st_mode & 07777) == dir;

    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        right = right && !stat(path_in(v, files[i]), &st) && (st.st_mode & 07777) == file;
    return right;
}

static void cache_modes_are_those_of_the_directory(void)
{
    static const struct {
        mode_t top, dir, file;
    } rows[] = {
        { 0700, 0700, 0600 }, { 0755, 0755, 0644 }, { 0750, 0750, 0640 },
        { 02770, 02770, 0660 }, { 01777, 01777, 0666 },
    };
    struct version v = make_version(1, FILES, BYTES);
    mode_t before = umask(077);

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        make_dir();
        CU_ASSERT_EQUAL(chmod(cache_path, rows[i].top), 0);
        struct cache_dir *d = open_dir();
        put_version(d, &v);
        CU_ASSERT_TRUE(modes_are(&v, rows[i].dir, rows[i].file));
        cache_dir_close(d);
        remove_dir();
    }
    (void)umask(before);
    free_version(&v);
}

/* What one may only read is used, and nothing is stored. */
static void cache_of_others_is_read(void)
{
    if (geteuid()) {
        printf("not root: not tested ");
        return;
    }
    make_dir();
    struct version v = make_version(1, FILES, BYTES), new = make_version(2, FILES, BYTES);

    CU_ASSERT_EQUAL(chmod(cache_path, 0755), 0);
    struct cache_dir *d = open_dir();
    struct cache *c = open_cache(d, &v);
    put_metadata(c, &v);
    store_range(c, &v, 0, 3);
    cache_close(c);
    pid_t pid = fork();
    CU_ASSERT_FATAL(pid >= 0);
    if (!pid) {
        struct cache_dir *own = NULL;
        const struct cache_options o = { .dir = cache_path };
        struct cache_stats s;
        struct err e = { .kind = ERR_NONE };
        if (setgroups(0, NULL) || setgid(nobody) || setuid(nobody) ||
            cache_dir_open(&o, &own, NULL) || cache_open(own, v.package, &c, NULL))
            _exit(1);
        if (read_one(c, &v, 2) != 1)
            _exit(2);
        cache_store(c, 3, stored(&v, 3));
        cache_drop(c, 1);
        cache_get_stats(c, &s);
        if (cache_has(c, 3) || cache_has(c, 1) || s.writing || !*s.why_not || s.present_blocks != 2)
            _exit(3);
        /* While it is used, its owner does not remove it. */
        if (cache_open(own, new.package, &c, &e) >= 0 || e.kind != ERR_DENIED)
            _exit(4);
        _exit(0);
    }
    CU_ASSERT_TRUE(child_is_fine(pid));
    cache_dir_close(d);
    free_version(&v);
    free_version(&new);
    remove_dir();
}

/* --- the default place ------------------------------------------------------------------------ */

static void cache_default_place_follows_the_environment(void)
{
    auto_free char *xdg = getenv("XDG_CACHE_HOME") ? strdup(getenv("XDG_CACHE_HOME")) : NULL;
    auto_free char *home = getenv("HOME") ? strdup(getenv("HOME")) : NULL;
    struct cache_dir *d = NULL;
    struct err e = { .kind = ERR_NONE };
    char *path;

    make_dir();
    char below[128], want[160];
    (void)snprintf(below, sizeof below, "%s/a/b", cache_path);
    (void)snprintf(want, sizeof want, "%s/sftfs", below);
    CU_ASSERT_EQUAL(setenv("XDG_CACHE_HOME", below, 1), 0);
    CU_ASSERT_EQUAL(cache_dir_open(NULL, &d, NULL), 0);
    CU_ASSERT_STRING_EQUAL(cache_dir_path(d), want);
    cache_dir_close(d);
    CU_ASSERT_EQUAL(setenv("XDG_CACHE_HOME", "relative", 1), 0);
    CU_ASSERT_EQUAL(setenv("HOME", "/home/somebody", 1), 0);
    path = cache_default_path();
    CU_ASSERT_STRING_EQUAL(path, "/home/somebody/.cache/sftfs");
    free(path);
    CU_ASSERT_EQUAL(unsetenv("HOME"), 0);
    path = cache_default_path();
    CU_ASSERT_STRING_EQUAL(path, "/var/cache/sftfs");
    free(path);
    CU_ASSERT_EQUAL(xdg ? setenv("XDG_CACHE_HOME", xdg, 1) : unsetenv("XDG_CACHE_HOME"), 0);
    CU_ASSERT_EQUAL(home ? setenv("HOME", home, 1) : unsetenv("HOME"), 0);

    /* A place that was named is made, but not the way there: that is a mistyped name. */
    (void)snprintf(below, sizeof below, "%s/x", cache_path);
    CU_ASSERT_EQUAL(cache_dir_open(&(struct cache_options){ .dir = below }, &d, NULL), 0);
    cache_dir_close(d);
    (void)snprintf(below, sizeof below, "%s/y/z", cache_path);
    CU_ASSERT_TRUE(cache_dir_open(&(struct cache_options){ .dir = below }, &d, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_NOT_FOUND);
    CU_ASSERT_TRUE(cache_dir_open(&(struct cache_options){ .dir = "/dev/null" }, &d, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_INVALID);
    remove_dir();
}

UNIT_MAIN("cache-dir",
          TEST(cache_finds_the_newest_version_of_a_package),
          TEST(cache_remembers_locations_without_telling_them),
          TEST(cache_believes_no_damaged_locations),
          TEST(cache_lists_the_places_that_lead_to_a_version),
          TEST(cache_tells_what_lies_in_it),
          TEST(cache_gives_the_package_back),
          TEST(cache_version_in_use_is_not_removed),
          TEST(cache_version_of_a_killed_process_is_removed),
          TEST(cache_version_locked_by_the_user_stays),
          TEST(cache_cleans_up_after_a_removal_that_was_killed),
          TEST(cache_is_opened_while_it_is_removed),
          TEST(cache_follows_no_links),
          TEST(cache_believes_no_strangers),
          TEST(cache_modes_are_those_of_the_directory),
          TEST(cache_of_others_is_read),
          TEST(cache_default_place_follows_the_environment))
