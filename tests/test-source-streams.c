/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Unit tests of fetch/source_streams.c over a source of the test's own, whose reads wait in memory until the
 * test answers them, as those of a server do.
 */
#include "config.h"

#include "fetch/source_streams.h"

#include <pthread.h>
#include <time.h>

#include "src/package_builder.h"
#include "tests/stream_fixture.h"

enum { BLOCK = 65536, HEAD = 1000, READS = 64 };

/* --- the source below ---------------------------------------------------------------------------- */

static struct below {
    struct source source;
    uint8_t *bytes;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct source_read *waiting[READS]; /* lock */
    unsigned count;                     /* lock */
    unsigned started, promoted;         /* lock */
    unsigned places_asked;              /* lock; bits of those that answered */
    uint64_t wrong_at;                  /* of the container; 0 = nowhere. Wrong at place 0 … */
    unsigned wrong_flags;               /* … until a read has one of these flags */
    bool gone;                          /* the second place is */
    bool hold;                          /* lock; reads wait to be answered or cancelled */
    bool closed;
} below = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

/* There are two places. */
static void answer(struct source_read *read, enum err_kind kind)
{
    struct err e;

    if (below.gone && read->flags & SOURCE_READ_ELSEWHERE)
        kind = ERR_NETWORK;
    if (kind == ERR_NONE) {
        read->place = read->flags & SOURCE_READ_ELSEWHERE ? !read->place : 0;
        memcpy(read->buf, below.bytes + read->offset, read->len);
        pthread_mutex_lock(&below.lock);
        below.places_asked |= 1u << read->place;
        if (below.wrong_at && below.wrong_at - read->offset < read->len && !read->place &&
            !(read->flags & below.wrong_flags))
            read->buf[below.wrong_at - read->offset] ^= 0xff;
        pthread_mutex_unlock(&below.lock);
        read->done(read, 0, NULL);
    } else {
        int rc = err_set(&e, kind, "as the test wants it");
        read->done(read, rc, &e);
    }
}

static void below_start(struct source *s, struct source_read *read)
{
    (void)s;
    pthread_mutex_lock(&below.lock);
    bool hold = below.hold;
    below.started++;
    if (hold)
        below.waiting[below.count++] = read;
    pthread_cond_broadcast(&below.changed);
    pthread_mutex_unlock(&below.lock);
    if (!hold)
        answer(read, ERR_NONE);
}

static bool take_waiting(const struct source_read *read)
{
    pthread_mutex_lock(&below.lock);
    bool found = false;
    for (unsigned i = 0; i < below.count && !found; i++)
        if (below.waiting[i] == read) {
            found = true;
            below.waiting[i] = below.waiting[--below.count];
        }
    pthread_mutex_unlock(&below.lock);
    return found;
}

static void below_cancel(struct source *s, struct source_read *read)
{
    (void)s;
    if (take_waiting(read))
        answer(read, ERR_CANCELLED);
}

static void below_promote(struct source *s, struct source_read *read)
{
    (void)s;
    (void)read;
    pthread_mutex_lock(&below.lock);
    below.promoted++;
    pthread_mutex_unlock(&below.lock);
}

static void below_close(struct source *s)
{
    (void)s;
    CU_ASSERT_EQUAL(below.count, 0);
    below.closed = true;
}

static const struct source_ops below_ops = { .name = "test", .start = below_start, .cancel = below_cancel,
                                             .promote = below_promote, .close = below_close };

/* --- the package --------------------------------------------------------------------------------- */

static uint8_t *plain;
static struct package *package;
static struct source *source;
static uint64_t begin;

static void add_blocks(struct package_builder *b, uint32_t blocks)
{
    struct err e;

    for (uint32_t i = 0; i < blocks; i++) {
        uint32_t len = i + 1 < blocks ? BLOCK : STREAM_LEN - i * BLOCK;
        struct block block = { .offset = begin + (uint64_t)i * BLOCK, .stored_len = len, .len = len };
        CU_ASSERT_EQUAL_FATAL(package_builder_add_block(b, &block, &e), 0);
    }
    CU_ASSERT_EQUAL_FATAL(package_builder_add_extent(b, &(struct extent){ .length = STREAM_LEN }, &e), 0);
}

static void make_package(uint64_t container, uint64_t stored_len)
{
    struct package_info info = { .format = "test", .block_size = BLOCK, .container_bytes = container,
                                 .block_hash = BLOCK_HASH_DECODED };
    struct package_counts counts = { .nodes = 2, .extents = 1, .blocks = STREAM_LEN / BLOCK + 1,
                                     .name_bytes = 1 };
    struct node root = { .flags = NODE_DIR, .child_count = 1 };
    struct node file = { .size = STREAM_LEN, .extent_count = 1 };
    struct package_builder *b;
    struct err e = { .kind = ERR_NONE };

    CU_ASSERT_EQUAL_FATAL(package_builder_new(&counts, &b, &e), 0);
    CU_ASSERT_EQUAL_FATAL(package_builder_set_info(b, &info, &e), 0);
    CU_ASSERT(package_builder_add_stream(b, HEAD, container, STREAM_LEN, &begin, &e) < 0);
    CU_ASSERT(package_builder_add_stream(b, HEAD, 1, STREAM_LEN, &begin, &e) < 0);
    CU_ASSERT_EQUAL_FATAL(package_builder_add_stream(b, HEAD, stored_len, STREAM_LEN, &begin, &e), 0);
    add_blocks(b, counts.blocks);
    CU_ASSERT_EQUAL_FATAL(package_builder_add_node(b, &root, "", 0, "", 0, NULL, &e), 0);
    CU_ASSERT_EQUAL_FATAL(package_builder_add_node(b, &file, "f", 1, "", 0, NULL, &e), 0);
    CU_ASSERT_EQUAL_FATAL(package_builder_finish(b, &package, &e), 0);
    package_builder_free(b);
}

static void set_up(bool hold)
{
    struct err e;
    size_t len;

    plain = stream_plain(3);
    uint8_t *stored = stream_deflate(plain, &len);
    below.bytes = calloc(1, HEAD + len);
    CU_ASSERT_PTR_NOT_NULL_FATAL(below.bytes);
    memset(below.bytes, 'h', HEAD);
    memcpy(below.bytes + HEAD, stored, len);
    free(stored);
    below.source = (struct source){ .ops = &below_ops, .size = HEAD + len, .name = strdup("test"),
                                    .places = 2 };
    below.count = below.started = below.promoted = below.places_asked = below.wrong_flags = 0;
    below.wrong_at = 0;
    below.hold = hold;
    below.closed = below.gone = false;
    make_package(HEAD + len, len);
    source = &below.source;
    CU_ASSERT_EQUAL_FATAL(source_streams_add(package, &source, &e), 0);
    CU_ASSERT_PTR_NOT_EQUAL(source, &below.source);
    CU_ASSERT_PTR_EQUAL(source_streams_below(source), &below.source);
    CU_ASSERT_PTR_EQUAL(source_streams_below(&below.source), &below.source);
}

static void tear_down(void)
{
    source_close(source);
    CU_ASSERT_TRUE(below.closed);
    package_free(package);
    free(below.bytes);
    free(plain);
}

/* Waits until N reads have come below; false after ten seconds. */
static bool wait_below(unsigned n)
{
    struct timespec until;
    int rc = 0;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 10;
    pthread_mutex_lock(&below.lock);
    while (below.count < n && !rc)
        rc = pthread_cond_timedwait(&below.changed, &below.lock, &until);
    bool there = below.count >= n;
    pthread_mutex_unlock(&below.lock);
    return there;
}

static struct source_read *first_waiting(void)
{
    pthread_mutex_lock(&below.lock);
    struct source_read *read = below.count ? below.waiting[0] : NULL;
    pthread_mutex_unlock(&below.lock);
    return read && take_waiting(read) ? read : NULL;
}

/* --- reads of the test --------------------------------------------------------------------------- */

struct my_read {
    struct source_read io;
    uint8_t bytes[1000];
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done;
    enum err_kind kind;
};

static unsigned finished; /* order of completion, under the lock of below */
static const struct my_read *order[READS];

static void my_done(struct source_read *io, int status, const struct err *e)
{
    struct my_read *r = io->arg;

    pthread_mutex_lock(&below.lock);
    order[finished++] = r;
    pthread_mutex_unlock(&below.lock);
    pthread_mutex_lock(&r->lock);
    r->done = true;
    r->kind = status ? e->kind : ERR_NONE;
    pthread_cond_signal(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

static void start(struct my_read *r, uint64_t offset, unsigned flags)
{
    *r = (struct my_read){ .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };
    r->io = (struct source_read){ .offset = offset, .len = sizeof r->bytes, .buf = r->bytes, .flags = flags,
                                  .done = my_done, .arg = r };
    source_start(source, &r->io);
}

static enum err_kind wait_for(struct my_read *r)
{
    pthread_mutex_lock(&r->lock);
    while (!r->done)
        pthread_cond_wait(&r->changed, &r->lock);
    pthread_mutex_unlock(&r->lock);
    return r->kind;
}

/* --- tests --------------------------------------------------------------------------------------- */

static void nothing_is_added_without_streams(void)
{
    struct source *s = &below.source;
    struct package_counts counts = { .nodes = 1 };
    struct package_info info = { .format = "test", .block_size = BLOCK };
    struct package_builder *b;
    struct package *p;
    struct err e;

    CU_ASSERT_EQUAL_FATAL(package_builder_new(&counts, &b, &e), 0);
    CU_ASSERT_EQUAL_FATAL(package_builder_set_info(b, &info, &e), 0);
    CU_ASSERT_EQUAL_FATAL(package_builder_add_node(b, &(struct node){ .flags = NODE_DIR }, "", 0, "", 0, NULL,
                                                   &e), 0);
    CU_ASSERT_EQUAL_FATAL(package_builder_finish(b, &p, &e), 0);
    package_builder_free(b);
    CU_ASSERT_EQUAL(source_streams_add(p, &s, &e), 0);
    CU_ASSERT_PTR_EQUAL(s, &below.source);
    package_free(p);
}

static void container_and_streams_are_read(void)
{
    uint8_t got[5000];
    struct err e;

    set_up(false);
    CU_ASSERT_EQUAL(source_size(source), below.source.size);
    CU_ASSERT_EQUAL(source_read_sync(source, 0, got, 1000, &e), 0);
    CU_ASSERT(!memcmp(got, below.bytes, 1000));
    CU_ASSERT_EQUAL(source_read_sync(source, begin + 3000000, got, 5000, &e), 0);
    CU_ASSERT(!memcmp(got, plain + 3000000, 5000));
    CU_ASSERT(source_read_sync(source, begin + STREAM_LEN, got, 1, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_INVALID);
    tear_down();
}

static void who_waits_goes_first(void)
{
    static struct my_read a, b, c;

    set_up(true);
    finished = 0;
    start(&a, begin, SOURCE_READ_LOW);
    CU_ASSERT_TRUE_FATAL(wait_below(1)); /* the thread is at work on it */
    start(&b, begin + 100, SOURCE_READ_LOW);
    start(&c, begin + 200, 0);
    source_promote(source, &a.io);
    CU_ASSERT_EQUAL(below.promoted, 1);
    pthread_mutex_lock(&below.lock);
    below.hold = false;
    pthread_mutex_unlock(&below.lock);
    answer(first_waiting(), ERR_NONE);
    CU_ASSERT_EQUAL(wait_for(&a), ERR_NONE);
    CU_ASSERT_EQUAL(wait_for(&b), ERR_NONE);
    CU_ASSERT_EQUAL(wait_for(&c), ERR_NONE);
    CU_ASSERT_PTR_EQUAL(order[1], &c);
    CU_ASSERT_PTR_EQUAL(order[2], &b);
    CU_ASSERT(!memcmp(b.bytes, plain + 100, sizeof b.bytes));
    tear_down();
}

static void reads_are_cancelled_wherever_they_are(void)
{
    static struct my_read a, b, c;

    set_up(true);
    finished = 0;
    start(&a, begin, 0);
    CU_ASSERT_TRUE_FATAL(wait_below(1));
    start(&b, begin + 100, 0);
    start(&c, 10, 0); /* of the container itself */
    source_cancel(source, &b.io);
    CU_ASSERT_EQUAL(wait_for(&b), ERR_CANCELLED);
    source_cancel(source, &a.io);
    CU_ASSERT_EQUAL(wait_for(&a), ERR_CANCELLED);
    source_cancel(source, &c.io);
    CU_ASSERT_EQUAL(wait_for(&c), ERR_CANCELLED);
    tear_down();
}

static void errors_come_through_and_do_not_stay(void)
{
    static struct my_read a;

    set_up(true);
    finished = 0;
    start(&a, begin, 0);
    CU_ASSERT_TRUE_FATAL(wait_below(1));
    answer(first_waiting(), ERR_NETWORK);
    CU_ASSERT_EQUAL(wait_for(&a), ERR_NETWORK);
    pthread_mutex_lock(&below.lock);
    below.hold = false;
    pthread_mutex_unlock(&below.lock);
    start(&a, begin, 0);
    CU_ASSERT_EQUAL(wait_for(&a), ERR_NONE);
    CU_ASSERT(!memcmp(a.bytes, plain, sizeof a.bytes));
    tear_down();
}

/* A place had wrong bytes: what was decoded of it is not used again. */
static void another_place_is_read_from_the_beginning(void)
{
    static struct my_read a;

    set_up(false);
    finished = 0;
    below.bytes[HEAD + 1000] ^= 0xff;
    start(&a, begin, 0);
    (void)wait_for(&a);
    below.bytes[HEAD + 1000] ^= 0xff;
    start(&a, begin + 60000, SOURCE_READ_ELSEWHERE);
    CU_ASSERT_EQUAL(wait_for(&a), ERR_NONE);
    CU_ASSERT(!memcmp(a.bytes, plain + 60000, sizeof a.bytes));
    tear_down();
}

/* Not the second one of several pieces from where the first must not come from. */
static void all_pieces_are_read_elsewhere(void)
{
    static struct my_read a;

    set_up(false);
    finished = 0;
    start(&a, begin + STREAM_LEN - 2000, SOURCE_READ_ELSEWHERE);
    CU_ASSERT_EQUAL(wait_for(&a), ERR_NONE);
    CU_ASSERT_EQUAL(below.places_asked, 1u << 1);
    CU_ASSERT_EQUAL(a.io.place, 1);
    CU_ASSERT(!memcmp(a.bytes, plain + STREAM_LEN - 2000, sizeof a.bytes));
    start(&a, begin + STREAM_LEN - 1000, 0); /* needs nothing more from below */
    CU_ASSERT_EQUAL(wait_for(&a), ERR_NONE);
    CU_ASSERT_EQUAL(a.io.place, 1);
    tear_down();
}

/* Bytes at which decoding ends, which are not told from wrong ones that it goes over. FLAGS: what makes
 * them right. */
static void wrong_once(unsigned flags, uint64_t at)
{
    static struct my_read a;

    set_up(false);
    finished = 0;
    below.wrong_at = HEAD + at;
    below.wrong_flags = flags;
    start(&a, begin + STREAM_LEN - 2000, 0);
    CU_ASSERT_EQUAL(wait_for(&a), ERR_NONE);
    CU_ASSERT(!memcmp(a.bytes, plain + STREAM_LEN - 2000, sizeof a.bytes));
    tear_down();
}

static void what_does_not_decode_is_asked_for_again(void)
{
    wrong_once(SOURCE_READ_FRESH, 0);  /* the kind of the first block */
    wrong_once(0, 0);                  /* right at the other place */
}

/* Without any of the blocks behind them having to find that out. */
static void what_was_wrong_stays_elsewhere(void)
{
    static struct my_read a;

    set_up(false);
    finished = 0;
    below.wrong_at = HEAD + 1000; /* and what refers to it */
    start(&a, begin, SOURCE_READ_ELSEWHERE);
    CU_ASSERT_EQUAL(wait_for(&a), ERR_NONE);
    below.places_asked = 0;
    for (unsigned i = 0; i < 20; i++) {
        start(&a, begin + (uint64_t)i * 250000, i % 2 ? SOURCE_READ_FRESH : 0);
        CU_ASSERT_EQUAL(wait_for(&a), ERR_NONE);
        CU_ASSERT(!memcmp(a.bytes, plain + (uint64_t)i * 250000, sizeof a.bytes));
    }
    CU_ASSERT_EQUAL(below.places_asked, 1u << 1);
    below.gone = true; /* the rest is right at the first */
    start(&a, begin + STREAM_LEN - 1000, SOURCE_READ_ELSEWHERE);
    CU_ASSERT_EQUAL(wait_for(&a), ERR_NETWORK);
    start(&a, begin + STREAM_LEN - 1000, 0);
    CU_ASSERT_EQUAL(wait_for(&a), ERR_NONE);
    CU_ASSERT(!memcmp(a.bytes, plain + STREAM_LEN - 1000, sizeof a.bytes));
    tear_down();
}

/* Each of its blocks would cost all that is before it. */
static void what_stays_wrong_is_not_asked_for_without_end(void)
{
    static struct my_read a;

    set_up(false);
    finished = 0;
    below.wrong_at = HEAD + (below.source.size - HEAD) / 2;
    for (unsigned i = 0; i < 50; i++) {
        finished = 0;
        start(&a, begin + STREAM_LEN - 60000 + i * 1000, SOURCE_READ_FRESH);
        (void)wait_for(&a);
    }
    CU_ASSERT(below.started < 250);
    tear_down();
}

static void closing_ends_what_waits(void)
{
    static struct my_read a, b;

    set_up(true);
    finished = 0;
    start(&a, begin, 0);
    CU_ASSERT_TRUE_FATAL(wait_below(1));
    start(&b, begin + 100, 0);
    tear_down();
    CU_ASSERT_EQUAL(wait_for(&a), ERR_CANCELLED);
    CU_ASSERT_EQUAL(wait_for(&b), ERR_CANCELLED);
}

UNIT_MAIN("source-streams", TEST(nothing_is_added_without_streams), TEST(container_and_streams_are_read),
          TEST(who_waits_goes_first), TEST(reads_are_cancelled_wherever_they_are),
          TEST(errors_come_through_and_do_not_stay), TEST(another_place_is_read_from_the_beginning),
          TEST(all_pieces_are_read_elsewhere), TEST(what_does_not_decode_is_asked_for_again),
          TEST(what_was_wrong_stays_elsewhere), TEST(what_stays_wrong_is_not_asked_for_without_end),
          TEST(closing_ends_what_waits))
