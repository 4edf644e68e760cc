/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of fs/overlay/fd_cache.c: what stays open, what is closed, nothing mixed up. */
#include "config.h"

#include "fs/overlay/fd_cache.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "tests/unit.h"

/* A file without a name for each slot, recognised by its size. */
struct thing {
    struct fd_slot slot;
    int original;
    _Atomic unsigned opened;
    int fails; /* errno for the next open, once */
};

static int reopen(void *arg)
{
    struct thing *t = arg;

    if (t->fails) {
        int rc = -t->fails;
        t->fails = 0;
        return rc;
    }
    t->opened++;
    int fd = fcntl(t->original, F_DUPFD_CLOEXEC, 0);
    return fd < 0 ? -errno : fd;
}

static void thing_init(struct thing *t, unsigned number)
{
    FILE *f = tmpfile();

    *t = (struct thing){ .slot = FD_SLOT_INIT };
    CU_ASSERT_FATAL(f != NULL);
    t->original = fcntl(fileno(f), F_DUPFD_CLOEXEC, 0);
    (void)fclose(f);
    CU_ASSERT_FATAL(t->original >= 0 && !ftruncate(t->original, number));
}

static bool is_thing(int fd, unsigned number)
{
    struct stat st;

    return !fstat(fd, &st) && st.st_size == (off_t)number;
}

static bool is_closed(int fd)
{
    return fcntl(fd, F_GETFD) < 0;
}

enum { COUNT = 4 };

struct fixture {
    struct fd_cache *c;
    struct thing t[COUNT];
};

static void set_up(struct fixture *f, unsigned max)
{
    CU_ASSERT_FATAL(fd_cache_new(max, &f->c) == 0);
    for (unsigned i = 0; i < COUNT; i++)
        thing_init(&f->t[i], i);
}

static void tear_down(struct fixture *f)
{
    fd_cache_free(f->c);
    for (unsigned i = 0; i < COUNT; i++) {
        CU_ASSERT(f->t[i].slot.fd == -1);
        (void)close(f->t[i].original);
    }
}

static void use(struct fixture *f, unsigned i)
{
    CU_ASSERT(is_thing(fd_pin(f->c, &f->t[i].slot, reopen, &f->t[i]), i));
    fd_unpin(f->c, &f->t[i].slot);
}

static void descriptor_stays_open_while_it_fits(void)
{
    struct fixture f;

    set_up(&f, COUNT);
    for (unsigned i = 0; i < 2 * COUNT; i++)
        use(&f, i % COUNT);
    for (unsigned i = 0; i < COUNT; i++)
        CU_ASSERT(f.t[i].opened == 1);
    tear_down(&f);
}

static void descriptor_used_longest_ago_is_closed_first(void)
{
    struct fixture f;

    set_up(&f, 2);
    use(&f, 0);
    use(&f, 1);
    use(&f, 0);
    use(&f, 2); /* 1 goes */
    CU_ASSERT(f.t[0].slot.fd >= 0 && f.t[1].slot.fd == -1 && f.t[2].slot.fd >= 0);
    use(&f, 1); /* 0 goes */
    CU_ASSERT(f.t[1].opened == 2 && f.t[0].slot.fd == -1);
    tear_down(&f);
}

static void pinned_descriptor_is_not_closed(void)
{
    struct fixture f;

    set_up(&f, 1);
    int fd = fd_pin(f.c, &f.t[0].slot, reopen, &f.t[0]);
    use(&f, 1);
    use(&f, 2);
    CU_ASSERT(is_thing(fd, 0));
    fd_unpin(f.c, &f.t[0].slot);
    CU_ASSERT(f.t[0].slot.fd == fd && f.t[2].slot.fd == -1);
    tear_down(&f);
}

static void kept_descriptor_is_not_closed_until_dropped(void)
{
    struct fixture f;

    set_up(&f, 1);
    use(&f, 0);
    fd_keep(f.c, &f.t[0].slot, true);
    use(&f, 1);
    use(&f, 2);
    CU_ASSERT(f.t[0].slot.fd >= 0);
    use(&f, 0);
    CU_ASSERT(f.t[0].opened == 1);
    fd_drop(f.c, &f.t[0].slot);
    CU_ASSERT(f.t[0].slot.fd == -1);
    use(&f, 3);
    fd_keep(f.c, &f.t[3].slot, true);
    use(&f, 1);
    fd_keep(f.c, &f.t[3].slot, false); /* one too many again */
    CU_ASSERT((f.t[1].slot.fd == -1) != (f.t[3].slot.fd == -1));
    tear_down(&f);
}

static void dropped_descriptor_is_closed_with_the_last_unpin(void)
{
    struct fixture f;

    set_up(&f, COUNT);
    int fd = fd_pin(f.c, &f.t[0].slot, reopen, &f.t[0]);
    CU_ASSERT(fd_pin(f.c, &f.t[0].slot, reopen, &f.t[0]) == fd);
    fd_drop(f.c, &f.t[0].slot);
    fd_unpin(f.c, &f.t[0].slot);
    CU_ASSERT(is_thing(fd, 0));
    fd_unpin(f.c, &f.t[0].slot);
    CU_ASSERT(is_closed(fd) && f.t[0].slot.fd == -1);
    use(&f, 0);
    CU_ASSERT(f.t[0].opened == 2 && f.t[0].slot.fd >= 0);
    tear_down(&f);
}

static void given_descriptor_is_taken_over(void)
{
    struct fixture f;

    set_up(&f, COUNT);
    int fd = fcntl(f.t[0].original, F_DUPFD_CLOEXEC, 0);
    fd_give(f.c, &f.t[0].slot, fd);
    use(&f, 0);
    CU_ASSERT(f.t[0].opened == 0 && f.t[0].slot.fd == fd);
    int second = fcntl(f.t[0].original, F_DUPFD_CLOEXEC, 0);
    fd_give(f.c, &f.t[0].slot, second);
    CU_ASSERT(is_closed(second) && f.t[0].slot.fd == fd);
    tear_down(&f);
}

static void open_is_tried_again_after_others_were_closed(void)
{
    struct fixture f;

    set_up(&f, COUNT);
    use(&f, 0);
    f.t[1].fails = EMFILE;
    use(&f, 1);
    CU_ASSERT(f.t[0].slot.fd == -1 && f.t[1].slot.fd >= 0);
    f.t[2].fails = EACCES;
    CU_ASSERT(fd_pin(f.c, &f.t[2].slot, reopen, &f.t[2]) == -EACCES);
    CU_ASSERT(f.t[2].slot.fd == -1 && !f.t[2].slot.pins);
    tear_down(&f);
}

static void limit_of_the_process_is_raised_when_none_is_given(void)
{
    struct rlimit r;
    struct fd_cache *c;

    CU_ASSERT_FATAL(fd_cache_new(0, &c) == 0);
    CU_ASSERT(!getrlimit(RLIMIT_NOFILE, &r) && r.rlim_cur == r.rlim_max);
    fd_cache_free(c);
}

/* ---- threads ---- */

enum { THREADS = 4, THINGS = 12, ROUNDS = 20000 };

struct crowd {
    struct fd_cache *c;
    struct thing t[THINGS];
    _Atomic unsigned wrong;
};

struct member {
    struct crowd *crowd;
    uint32_t seed;
};

static void *member_run(void *arg)
{
    struct member *m = arg;
    struct crowd *w = m->crowd;

    for (unsigned i = 0; i < ROUNDS; i++) {
        m->seed = m->seed * 1664525u + 1013904223u;
        unsigned n = (m->seed >> 16) % THINGS;
        int fd = fd_pin(w->c, &w->t[n].slot, reopen, &w->t[n]);
        w->wrong += !is_thing(fd, n);
        if (m->seed >> 28 == 0)
            fd_drop(w->c, &w->t[n].slot);
        else if (m->seed >> 28 == 1)
            fd_keep(w->c, &w->t[n].slot, m->seed & 1);
        w->wrong += !is_thing(fd, n);
        fd_unpin(w->c, &w->t[n].slot);
    }
    return NULL;
}

static void threads_never_see_the_descriptor_of_another_slot(void)
{
    struct crowd w = { .wrong = 0 };
    struct member m[THREADS];
    pthread_t thread[THREADS];

    CU_ASSERT_FATAL(fd_cache_new(3, &w.c) == 0);
    for (unsigned i = 0; i < THINGS; i++)
        thing_init(&w.t[i], i);
    for (unsigned i = 0; i < THREADS; i++) {
        m[i] = (struct member){ .crowd = &w, .seed = i + 1 };
        CU_ASSERT_FATAL(!pthread_create(&thread[i], NULL, member_run, &m[i]));
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    CU_ASSERT(w.wrong == 0);
    fd_cache_free(w.c);
    for (unsigned i = 0; i < THINGS; i++) {
        CU_ASSERT(w.t[i].slot.fd == -1 && !w.t[i].slot.pins);
        (void)close(w.t[i].original);
    }
}

UNIT_MAIN("fd_cache",
          TEST(descriptor_stays_open_while_it_fits),
          TEST(descriptor_used_longest_ago_is_closed_first),
          TEST(pinned_descriptor_is_not_closed),
          TEST(kept_descriptor_is_not_closed_until_dropped),
          TEST(dropped_descriptor_is_closed_with_the_last_unpin),
          TEST(given_descriptor_is_taken_over),
          TEST(open_is_tried_again_after_others_were_closed),
          TEST(limit_of_the_process_is_raised_when_none_is_given),
          TEST(threads_never_see_the_descriptor_of_another_slot))
