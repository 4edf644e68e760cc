/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Random steps in an overlay and in a plain directory beside it: each gives the same result or the
 * same errno, and every so often, also after opening the overlay again, both show the same. Once as
 * on a mount with case, once without; and, in a build with crash points, with the process killed at
 * each of them, after which the overlay shows the state before the step or that after it.
 *
 *     tests/test-overlay-model [STEPS [SEED]]        or SFTFS_SEED=SEED
 */
#include "config.h"

#include "fs/overlay/overlay.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/wait.h>

#include "fs/overlay/crash_point.h"
#include "tests/overlay_compare.h"

enum { HANDLES = 4, BATCH = 40, REOPEN_EVERY = 5 };

static struct {
    unsigned steps;
    uint64_t seed;
} asked = { .steps = 1500 };

static const struct make_entry with_case[] = {
    { .path = "Docs/a.txt", .len = 10 },
    { .path = "Docs/A.txt", .len = 11 },
    { .path = "Docs/Sub/deep", .len = 9000 },
    { .path = "Docs/Sub/other", .len = 1 },
    { .path = "docs/b", .len = 4096 },
    { .path = "Bin/tool.exe", .len = 70000 },
    { .path = "Bin/lib.dll", .len = 20000, .flags = NODE_READONLY },
    { .path = "Bin/hid", .len = 300, .flags = NODE_HIDDEN },
    { .path = "Empty", .flags = NODE_DIR },
    { .path = "zero", .len = 0 },
    { .path = "x/y/z/end", .len = 100000 },
    { .path = "x/y/e", .flags = NODE_DIR | NODE_HIDDEN },
    { .path = "Readme", .len = 5000 },
};
static const struct make_entry without_case[] = {
    { .path = "Docs/a.txt", .len = 10 },
    { .path = "Docs/B.txt", .len = 11 },
    { .path = "Docs/Sub/deep", .len = 9000 },
    { .path = "Docs/Sub/other", .len = 1 },
    { .path = "Bin/tool.exe", .len = 70000 },
    { .path = "Empty", .flags = NODE_DIR },
    { .path = "Bin/lib.dll", .len = 20000, .flags = NODE_READONLY },
    { .path = "Bin/hid", .len = 300, .flags = NODE_HIDDEN },
    { .path = "zero", .len = 0 },
    { .path = "X/y/Z/End", .len = 100000 },
    { .path = "X/y/e", .flags = NODE_DIR | NODE_SYSTEM },
    { .path = "ReadMe", .len = 5000 },
};

struct handle {
    uint64_t id; /* 0: free */
    int fd;
};

struct model {
    struct fixture f;
    struct reference r;
    struct comparison c;
    struct handle handles[HANDLES];
    uint64_t random;
    bool fold;
    bool no_exchange;         /* as on a file system without RENAME_EXCHANGE */
    enum step_kind favourite; /* every other step, unless STEP_KINDS */
};

/* ---- chance ---- */

static uint32_t dice(struct model *m, uint32_t sides)
{
    m->random = m->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(m->random >> 33) % sides;
}

static void change_case(struct model *m, char *path)
{
    for (; *path; path++)
        if (((*path | 32) >= 'a' && (*path | 32) <= 'z') && !dice(m, 3))
            *path ^= 32;
}

/* A name that may be there, was there, or is new. */
static void pick_path(struct model *m, const struct reference_paths *all, char out[400])
{
    static const char *const fresh[] = { "n1", "n2", "n3", "N1", "Name", "a.txt", "Sub", "y" };
    uint32_t index = dice(m, m->f.package ? package_info(m->f.package)->node_count : 1);
    auto_free char *old = package_path(m->f.package, index);

    const char *there = all->count ? all->paths[dice(m, (uint32_t)all->count)] : "Readme";
    uint32_t way = dice(m, 10);
    if (way < 6 || (way == 9 && !*old))
        (void)snprintf(out, 400, "%.380s", there);
    else if (way < 9)
        (void)snprintf(out, 400, "%.*s/%s", (int)(dice(m, 4) ? strlen(there) % 300 : 0), there,
                       fresh[dice(m, ARRAY_LEN(fresh))]);
    else
        (void)snprintf(out, 400, "%.380s", old);
    if (*out == '/')
        memmove(out, out + 1, strlen(out));
    if (!dice(m, m->fold ? 3 : 25))
        change_case(m, out);
}

static mode_t pick_mode(struct model *m)
{
    static const mode_t modes[] = {
        0644, 0600, 0755, 0444, 0000, 04755, 02755, 01777, 02644, 0555
    };
    mode_t mode = modes[dice(m, ARRAY_LEN(modes))];

    return geteuid() == 0 ? mode : mode | 0700;
}

static void pick_range(struct model *m, struct step *s)
{
    static const int modes[] = {
        0,
        FALLOC_FL_KEEP_SIZE,
        FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
        FALLOC_FL_ZERO_RANGE,
        FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
    };

    s->off = dice(m, 2) ? dice(m, 30000) : 4096 * dice(m, 8);
    s->len = 1 + (dice(m, 2) ? dice(m, 12000) : dice(m, 20));
    if (!dice(m, 3))
        s->len = 4096 * (1 + dice(m, 4));
    s->fill = dice(m, 200);
    if (s->kind == STEP_FALLOCATE)
        s->flags = (unsigned)modes[dice(m, ARRAY_LEN(modes))];
    if (s->kind == STEP_SYNC)
        s->flags = dice(m, 2);
}

static enum step_kind pick_kind(struct model *m)
{
    static const uint8_t weights[STEP_KINDS] = {
        [STEP_CREATE] = 8,      [STEP_MKDIR] = 7,    [STEP_MKNOD] = 2,    [STEP_SYMLINK] = 2,
        [STEP_LINK] = 5,        [STEP_UNLINK] = 8,   [STEP_RMDIR] = 7,    [STEP_RENAME] = 25,
        [STEP_CHMOD] = 3,       [STEP_CHOWN] = 2,    [STEP_TIMES] = 4,    [STEP_SETXATTR] = 3,
        [STEP_REMOVEXATTR] = 2, [STEP_WRITE] = 12,   [STEP_TRUNCATE] = 4, [STEP_FALLOCATE] = 4,
        [STEP_SYNC] = 1,        [STEP_COMPLETE] = 1,
    };
    uint32_t sum = 0;

    for (unsigned i = 0; i < STEP_KINDS; i++)
        sum += weights[i];
    uint32_t n = dice(m, sum);
    enum step_kind kind = 0;
    while (n >= weights[kind])
        n -= weights[kind++];
    return kind == STEP_CHOWN && geteuid() != 0 ? STEP_CHMOD : kind;
}

static struct step pick_step(struct model *m, const struct reference_paths *all)
{
    static const char *const attributes[] = { "user.one", "user.two", "user.DOSATTRIB" };
    static const mode_t types[] = { S_IFIFO, S_IFSOCK, S_IFREG, 0 };
    struct step s = { .kind = pick_kind(m), .mode = pick_mode(m) };

    if (m->favourite != STEP_KINDS && dice(m, 2))
        s.kind = m->favourite;

    pick_path(m, all, s.path);
    s.time = 1000000 + dice(m, 500000000);
    if (geteuid() == 0 && dice(m, 2)) {
        s.uid = 1000 + dice(m, 3);
        s.gid = 1000 + dice(m, 3);
    }
    if (s.kind == STEP_LINK || s.kind == STEP_RENAME)
        pick_path(m, all, s.other);
    else if (s.kind == STEP_SYMLINK)
        (void)snprintf(s.other, sizeof s.other, "target%u", dice(m, 10));
    else if (s.kind == STEP_SETXATTR || s.kind == STEP_REMOVEXATTR)
        (void)snprintf(s.other, sizeof s.other, "%s", attributes[dice(m, ARRAY_LEN(attributes))]);
    if (s.kind == STEP_RENAME && !dice(m, 3))
        s.flags = dice(m, 2) && !m->no_exchange ? RENAME_EXCHANGE : RENAME_NOREPLACE;
    if (s.kind == STEP_RENAME && !dice(m, 8)) {
        (void)snprintf(s.other, sizeof s.other, "%s", s.path);
        change_case(m, s.other);
    }
    if (s.kind == STEP_MKNOD)
        s.mode = (s.mode & 0777) | types[dice(m, ARRAY_LEN(types))];
    if (s.kind >= STEP_WRITE)
        pick_range(m, &s);
    if (s.kind == STEP_SETXATTR) {
        s.len = dice(m, 6);
        s.flags = dice(m, 4) ? 0 : dice(m, 2) ? XATTR_CREATE : XATTR_REPLACE;
    }
    return s;
}

/* ---- files that stay open ---- */

static void close_handle(struct model *m, struct handle *h)
{
    if (!h->id)
        return;
    overlay_forget(m->f.o, h->id, 1);
    (void)close(h->fd);
    h->id = 0;
}

static void open_handle(struct model *m, struct handle *h, const char *path)
{
    char asked_name[256], name[256];
    struct overlay_ref ref;
    struct stat st;
    int fd = reference_parent(&m->r, path, asked_name, name);

    if (fd < 0)
        return;
    if (!fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) && S_ISREG(st.st_mode) &&
        !overlay_path(&m->f, path, &ref, NULL)) {
        h->fd = openat(fd, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
        h->id = h->fd >= 0 ? ref.id : 0;
        if (h->id)
            overlay_remember(m->f.o, h->id, 1);
    }
    (void)close(fd);
}

static bool use_handle(struct model *m, struct handle *h)
{
    struct step s = { .kind = dice(m, 2) ? STEP_WRITE : STEP_TRUNCATE };
    struct stat plain, shown;
    int want, got;

    if (dice(m, 2)) {
        pick_range(m, &s);
        auto_free uint8_t *data = malloc(s.len);
        step_bytes(&s, data);
        if (s.kind == STEP_WRITE) {
            want = (int)pwrite(h->fd, data, (size_t)s.len, (off_t)s.off);
            got = (int)write_node(&m->f, h->id, s.off, data, (size_t)s.len);
        } else {
            want = ftruncate(h->fd, (off_t)s.off);
            got = truncate_node(&m->f, h->id, s.off);
        }
        if (want != got) {
            printf("\n  open file: %d, not %d\n", got, want);
            step_print(&s);
            return false;
        }
    }
    m->c.differences = 0;
    int rc = overlay_getattr(m->f.o, h->id, &shown);
    compare_number(&m->c, "(open)", "attributes", 0, rc);
    if (!rc && !fstat(h->fd, &plain)) {
        compare_stat(&m->c, "(open)", &plain, &shown);
        compare_bytes(&m->c, h->fd, "(open)", h->id, (uint64_t)plain.st_size);
    }
    return !m->c.differences;
}

static bool touch_handles(struct model *m, const struct reference_paths *all)
{
    struct handle *h = &m->handles[dice(m, HANDLES)];
    char path[400];

    if (!h->id) {
        pick_path(m, all, path);
        open_handle(m, h, path);
    }
    if (!h->id)
        return true;
    if (!use_handle(m, h))
        return false;
    if (!dice(m, 8))
        close_handle(m, h);
    return true;
}

/* ---- the frame ---- */

static void model_open(struct model *m)
{
    if (!m->f.store)
        fixture_open_store(&m->f);
    if (m->no_exchange)
        m->f.store->has_exchange = false;
    fixture_open(&m->f, !m->fold);
}

static bool model_begin(struct model *m, bool fold, bool no_exchange, uint64_t seed)
{
    struct make_entry entries[ARRAY_LEN(with_case) + ARRAY_LEN(without_case)];
    size_t count = fold ? ARRAY_LEN(without_case) : ARRAY_LEN(with_case);

    memcpy(entries, fold ? without_case : with_case, count * sizeof *entries);
    /* The plain directory lets others than root not write to these. */
    for (size_t i = 0; geteuid() != 0 && i < count; i++)
        entries[i].flags &= (uint16_t)~NODE_READONLY;
    *m = (struct model){
        .random = seed,
        .fold = fold,
        .no_exchange = no_exchange,
        .r.fold = fold,
        .favourite = STEP_KINDS,
    };
    if (!fixture_begin(&m->f, entries, count, !fold))
        return false;
    if (geteuid() != 0)
        attr_rules_init(&m->f.rules, m->f.package, geteuid(), getegid(), 022);
    CU_ASSERT_EQUAL_FATAL(mkdirat(m->f.tmp.fd, "plain", 0755), 0);
    m->r.root = openat(m->f.tmp.fd, "plain", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CU_ASSERT_EQUAL_FATAL(reference_extract(&m->f.rules, NODE_ROOT, m->r.root), 0);
    model_open(m);
    m->c = (struct comparison){ .f = &m->f, .r = &m->r };
    return true;
}

static void model_end(struct model *m)
{
    for (unsigned i = 0; i < HANDLES; i++)
        close_handle(m, &m->handles[i]);
    (void)close(m->r.root);
    compare_end(&m->c);
    fixture_end(&m->f);
}

static bool same_step(struct model *m, const struct step *s)
{
    int want = plain_step(&m->r, s), got = overlay_step(&m->f, s);

    if (want == got)
        return true;
    printf("\n  the plain directory says %d (%s), the overlay %d (%s):\n", want,
           want < 0 ? strerror(-want) : "done", got, got < 0 ? strerror(-got) : "done");
    step_print(s);
    return false;
}

static bool batch(struct model *m, struct step done[BATCH])
{
    bool good = true;

    for (unsigned i = 0; i < BATCH && good; i++) {
        struct reference_paths all;
        reference_walk(&m->r, &all);
        done[i] = pick_step(m, &all);
        good = same_step(m, &done[i]);
        if (good && !dice(m, 3))
            good = touch_handles(m, &all);
        reference_paths_free(&all);
        if (good && getenv("SFTFS_COMPARE_EACH") && compare_all(&m->c)) {
            good = false;
            step_print(&done[i]);
        }
    }
    return good;
}

static bool reopen(struct model *m)
{
    for (unsigned i = 0; i < HANDLES; i++)
        close_handle(m, &m->handles[i]);
    fixture_close(&m->f);
    model_open(m);
    return !compare_all(&m->c);
}

static void random_steps(bool fold, bool no_exchange)
{
    struct step done[BATCH];
    struct model m;
    bool good = true;

    if (!model_begin(&m, fold, no_exchange, asked.seed))
        return;
    good = !compare_all(&m.c);
    for (unsigned n = 0; good && n < asked.steps / BATCH; n++) {
        good = batch(&m, done);
        if (good && compare_all(&m.c)) {
            good = false;
            printf("  after step %u\n", (n + 1) * BATCH);
        }
        if (good && n % REOPEN_EVERY == REOPEN_EVERY - 1 && !reopen(&m)) {
            good = false;
            printf("  after opening again at step %u\n", (n + 1) * BATCH);
        }
    }
    if (!good)
        printf("  seed %llu\n", (unsigned long long)asked.seed);
    CU_ASSERT_TRUE(good);
    model_end(&m);
}

static void overlay_is_a_plain_directory_with_case(void)
{
    random_steps(false, false);
}

static void overlay_is_a_plain_directory_without_case(void)
{
    random_steps(true, false);
}

static void overlay_is_a_plain_directory_without_exchange(void)
{
    random_steps(true, true);
}

/* ---- killed ---- */

#ifdef ENABLE_CRASH_POINTS

/* Takes the steps until it is killed. *taken: steps that are over. */
static void child(struct model *m, const struct step *steps, const char *point,
                  volatile unsigned *taken)
{
    (void)setenv("SFTFS_CRASH_POINT", point, 1);
    model_open(m);
    for (unsigned i = 0; i < BATCH; i++) {
        (void)overlay_step(&m->f, &steps[i]);
        *taken = i + 1;
    }
    fixture_close(&m->f);
    _exit(0);
}

/* The file STEP was writing to when it was killed may show that. */
static void copy_time(struct model *m, const struct step *step)
{
    char as_asked[256], name[256];
    struct overlay_ref ref;
    struct stat st;
    auto_close int fd = reference_parent(&m->r, step->path, as_asked, name);

    if (fd < 0 || overlay_path(&m->f, step->path, &ref, &st))
        return;
    const struct timespec times[2] = { st.st_atim, st.st_mtim };
    (void)utimensat(fd, name, times, AT_SYMLINK_NOFOLLOW);
}

/*
 * Whether STEP, a write that was killed, left a part of itself: outside its range the file is as it
 * is beside, and inside any bytes. The plain file gets what was left.
 */
static bool took_part(struct model *m, const struct step *step)
{
    enum { MOST = 1 << 20 };
    char as_asked[256], name[256];
    struct overlay_ref ref;
    struct stat st;
    auto_close int dir = reference_parent(&m->r, step->path, as_asked, name);

    if (dir < 0 || overlay_path(&m->f, step->path, &ref, &st))
        return false;
    auto_close int fd = openat(dir, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    auto_free uint8_t *shown = malloc(MOST), *plain = malloc(MOST);
    long n = read_node(&m->f, ref.id, 0, shown, MOST), k = pread(fd, plain, MOST, 0);
    if (n > k)
        return false;
    for (long i = 0; i < n; i++)
        if (((uint64_t)i < step->off || (uint64_t)i >= step->off + step->len) &&
            shown[i] != plain[i])
            return false;
    if (pwrite(fd, shown, (size_t)n, 0) != n || ftruncate(fd, n))
        return false;
    copy_time(m, step);
    return true;
}

/* Whether what is there now is what STEP may have left: all of it or nothing. */
static bool before_or_after(struct model *m, const struct step *step)
{
    bool data = step && step->kind >= STEP_WRITE && step->kind <= STEP_FALLOCATE;

    m->c.half_written = data;
    m->c.quiet = step != NULL;
    bool same = !compare_all(&m->c);
    m->c.quiet = false;
    if (!same && step) {
        char first[sizeof m->c.first];
        memcpy(first, m->c.first, sizeof first);
        compare_again(&m->c);
        (void)plain_step(&m->r, step);
        m->c.quiet = data;
        same = !compare_all(&m->c);
        m->c.quiet = false;
        if (!same && data && took_part(m, step)) {
            compare_again(&m->c);
            same = !compare_all(&m->c);
        }
        if (!same)
            printf("  without the step: %s\n", first);
    } else if (data) {
        copy_time(m, step);
    }
    m->c.half_written = false;
    return same;
}

/* True with *killed false: the point was not passed. */
static bool killed_at(struct model *m, const char *point, bool *killed)
{
    struct step steps[BATCH];
    struct reference_paths all;
    int status = 0;
    unsigned *taken = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    CU_ASSERT_PTR_NOT_EQUAL_FATAL(taken, MAP_FAILED);
    reference_walk(&m->r, &all);
    for (unsigned i = 0; i < BATCH; i++) {
        steps[i] = pick_step(m, &all);
        /* These are not done in one piece. */
        if (steps[i].kind >= STEP_WRITE && steps[i].kind <= STEP_FALLOCATE)
            steps[i].len = min_u64(steps[i].len, 4096 - steps[i].off % 4096);
    }
    reference_paths_free(&all);
    fixture_close(&m->f);
    pid_t pid = fork();
    if (!pid) {
        child(m, steps, point, taken);
    }
    (void)waitpid(pid, &status, 0);
    *killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    model_open(m);
    for (unsigned i = 0; i < *taken; i++)
        (void)plain_step(&m->r, &steps[i]);
    bool good = before_or_after(m, *killed && *taken < BATCH ? &steps[*taken] : NULL);
    if (!good) {
        printf("  killed at %s, seed %llu, in or after\n", point, (unsigned long long)asked.seed);
        step_print(&steps[*taken < BATCH ? *taken : BATCH - 1]);
    }
    (void)munmap(taken, 4096);
    return good;
}

/* The kind of step that passes POINT most often. */
static enum step_kind favourite_of(const char *point)
{
    static const struct {
        const char *prefix;
        enum step_kind kind;
    } kinds[] = {
        { "link", STEP_LINK },     { "rename", STEP_RENAME },  { "move", STEP_RENAME },
        { "put", STEP_MKDIR },     { "create", STEP_CREATE },  { "remove", STEP_UNLINK },
        { "file", STEP_TRUNCATE }, { "limit", STEP_TRUNCATE }, { "finish", STEP_COMPLETE },
        { "map", STEP_WRITE },     { "unit", STEP_WRITE },     { "range", STEP_FALLOCATE },
    };

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (!strncmp(point, kinds[i].prefix, strlen(kinds[i].prefix)))
            return kinds[i].kind;
    return STEP_KINDS;
}

/* Kills at POINT a few times. False when something was lost. */
static bool crash_at(const char *name, bool fold, uint64_t seed, unsigned *kills)
{
    bool no_exchange = !strcmp(name, "move-target-aside"), good = true, killed;
    struct model m;

    if (!model_begin(&m, fold, no_exchange, seed))
        return true;
    m.c.after_crash = true;
    m.favourite = favourite_of(name);
    for (unsigned n = 0; good && n < 12 && *kills < 4; n++) {
        char point[128];
        (void)snprintf(point, sizeof point, "%s:%u", name, 1 + dice(&m, *name == 'm' ? 1 : 3));
        good = killed_at(&m, point, &killed);
        *kills += killed;
    }
    model_end(&m);
    return good;
}

static void crash_leaves_the_state_before_or_after(void)
{
    unsigned kills, hit = 0, points = 0;

    for (const char *const *name = crash_point_names; *name; name++, points++) {
        if (!strncmp(*name, "upgrade", 7))
            continue; /* of another version of the package: tests of upgrade.c */
        kills = 0;
        for (unsigned fold = 0; fold < 2; fold++)
            CU_ASSERT_TRUE(crash_at(*name, fold, asked.seed + points, &kills));
        hit += kills > 0;
        if (!kills)
            printf("\n  not passed: %s ", *name);
    }
    printf("\n  killed at %u points ", hit);
}

#else

static void crash_leaves_the_state_before_or_after(void)
{
    printf("built without --enable-crash-points: not tested ");
}

#endif

int main(int argc, char **argv)
{
    static const struct unit_test tests[] = {
        TEST(overlay_is_a_plain_directory_with_case),
        TEST(overlay_is_a_plain_directory_without_case),
        TEST(overlay_is_a_plain_directory_without_exchange),
        TEST(crash_leaves_the_state_before_or_after),
    };
    const char *seed = argc > 2 ? argv[2] : getenv("SFTFS_SEED");

    if (argc > 1)
        asked.steps = (unsigned)strtoul(argv[1], NULL, 10);
    if (seed)
        asked.seed = strtoull(seed, NULL, 10);
    else
        (void)!getrandom(&asked.seed, sizeof asked.seed / 2, 0);
    printf("seed %llu\n", (unsigned long long)asked.seed);
    (void)umask(0);
    return unit_run("overlay model", tests, ARRAY_LEN(tests));
}
