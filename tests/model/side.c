/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The two directories, and names: the pool they are chosen from, other spellings of them, and
 * finding a name under another spelling on the side that does not do that itself.
 */
#include "config.h"

#include "tests/model/model.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>

#include "src/fold.h"

/* Few, so that they meet often. In a package only one of the names that fold alike can be. */
const char *const pool_names[] = {
    "readme.txt", "Data", "settings.ini", "Éclair", "σας", "Straße", "b", "Program Files",
    "x.dll", "zürich.dat", "README.TXT", "data", "éclair", "ΣΑΣ",
};
const size_t pool_count = ARRAY_LEN(pool_names);
#define PACKAGE_NAMES 10 /* the first of these differ also when folded */

uint64_t rng_next(struct rng *r)
{
    uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t rng_below(struct rng *r, uint64_t n)
{
    uint64_t x = rng_next(r);

    return n ? x % n : 0;
}

bool rng_chance(struct rng *r, unsigned percent)
{
    return rng_below(r, 100) < percent;
}

/* Noise, with stretches of zeros. */
void fill(uint64_t seed, void *buf, size_t len)
{
    struct rng r = { seed };
    uint8_t *p = buf;
    bool zeros = rng_chance(&r, 10);
    size_t n;

    while (len) {
        uint64_t x = zeros ? 0 : rng_next(&r);

        n = min_u64(len, sizeof x);
        memcpy(p, &x, n);
        p += n;
        len -= n;
    }
}

uint64_t digest(uint64_t start, const void *buf, size_t len)
{
    const uint8_t *p = buf;
    uint64_t x = start ^ UINT64_C(0xcbf29ce484222325);

    for (; len >= 8; p += 8, len -= 8) {
        uint64_t word;

        memcpy(&word, p, 8);
        x = (x ^ word) * UINT64_C(0x9fb21c651e98df25);
        x ^= x >> 32;
    }
    while (len--)
        x = (x ^ *p++) * UINT64_C(0x100000001b3);
    return x;
}

int side_open(struct side *s, const char *path, bool trusted, bool folding)
{
    *s = (struct side){ .path = path, .trusted = trusted, .folding = folding };
    s->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return s->fd < 0 ? -errno : 0;
}

void side_close(struct side *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}

/* Puts the spelling right that NAME has in DIR (a path below S). */
static void find_spelling(const struct side *s, const char *dir, char *name)
{
    int fd = openat(s->fd, *dir ? dir : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    size_t len = strlen(name);

    for (struct dirent *e; d && (e = readdir(d));) {
        if (strlen(e->d_name) <= NAME_MAX && fold_equal(e->d_name, strlen(e->d_name), name, len)) {
            strcpy(name, e->d_name);
            break;
        }
    }
    if (d)
        closedir(d);
    else if (fd >= 0)
        close(fd);
}

void side_path(const struct side *s, const char *p, char out[PATH_SIZE])
{
    char name[PATH_SIZE];
    size_t used = 0;

    if (!s->folding) {
        strcpy(out, p);
        return;
    }
    out[0] = '\0';
    while (*p) {
        size_t n = strcspn(p, "/");

        memcpy(name, p, n);
        name[n] = '\0';
        if (n && n <= NAME_MAX)
            find_spelling(s, out, name);
        /* A spelling may be longer in bytes; the limit is for our own paths only. */
        if (used + strlen(name) + 2 >= PATH_SIZE)
            return;
        if (used)
            out[used++] = '/';
        strcpy(out + used, name);
        used += strlen(name);
        p += n;
        while (*p == '/')
            p++;
    }
}

static const char *last_part(const char *p)
{
    const char *slash = strrchr(p, '/');

    return slash ? slash + 1 : p;
}

bool same_entry(const struct side *s, const char *a, const char *b)
{
    char pa[PATH_SIZE], pb[PATH_SIZE];

    side_path(s, a, pa);
    side_path(s, b, pb);
    if (!strcmp(pa, pb))
        return true;
    a = last_part(pa);
    b = last_part(pb);
    return a - pa == b - pb && !strncmp(pa, pb, (size_t)(a - pa)) &&
           fold_equal(a, strlen(a), b, strlen(b));
}

/* Letters of the pool's names and their other case; both have the same length in UTF-8. */
static const char *const cases[][2] = {
    { "é", "É" }, { "σ", "Σ" }, { "α", "Α" }, { "ς", "Σ" }, { "ü", "Ü" },
};

int respell(struct rng *r, const char *in, char out[PATH_SIZE])
{
    size_t len = strlen(in);

    memcpy(out, in, len + 1);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)in[i];

        if (!rng_chance(r, 40))
            continue;
        if (c < 128 && ((c | 32) >= 'a' && (c | 32) <= 'z'))
            out[i] = (char)(c ^ 32);
        for (size_t k = 0; c >= 128 && k < ARRAY_LEN(cases); k++)
            for (int j = 0; j < 2; j++)
                if (!strncmp(in + i, cases[k][j], strlen(cases[k][j])))
                    memcpy(out + i, cases[k][!j], strlen(cases[k][j]));
    }
    return 0;
}

/* --- the package's tree --- */

static struct timespec old_time(struct rng *r)
{
    return (struct timespec){ .tv_sec = 400000000 + (time_t)rng_below(r, 1000000000),
                              .tv_nsec = (long)rng_below(r, 10000000) * 100 };
}

static int make_file(int dir, const char *name, struct rng *r)
{
    static const size_t sizes[] = { 0, 1, 100, 4095, 4096, 4097, 20000, 70000, 300000, 2500000 };
    size_t size = sizes[rng_below(r, rng_chance(r, 95) ? ARRAY_LEN(sizes) - 1 : ARRAY_LEN(sizes))];
    auto_free char *data = malloc(size + 1);
    auto_close int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL, 0644);

    if (!data || fd < 0)
        return -1;
    fill(rng_next(r), data, size);
    return write(fd, data, size) == (ssize_t)size ? 0 : -1;
}

/* Names begin with PREFIX here, but not further down. */
static int make_directory(int parent, const char *name, struct rng *r, int depth,
                          const char *prefix)
{
    struct timespec times[2];
    char child[40];
    auto_close int fd = -1;

    if (mkdirat(parent, name, 0755) || (fd = openat(parent, name, O_RDONLY | O_DIRECTORY)) < 0)
        return -1;
    for (size_t i = 0; i < PACKAGE_NAMES; i++) {
        if (rng_chance(r, 45))
            continue;
        snprintf(child, sizeof child, "%s%s", prefix, pool_names[i]);
        if (rng_chance(r, depth < 3 ? 35 : 0) ? make_directory(fd, child, r, depth + 1, "")
                                              : make_file(fd, child, r))
            return -1;
        times[0] = times[1] = old_time(r);
        if (utimensat(fd, child, times, 0))
            return -1;
    }
    return 0;
}

int make_tree(const char *path, uint64_t seed, int threads)
{
    struct rng r = { seed };
    struct timespec times[2];
    char name[16];
    auto_close int fd = -1;

    if ((mkdir(path, 0755) && errno != EEXIST) ||
        (fd = open(path, O_RDONLY | O_DIRECTORY)) < 0)
        return -1;
    for (int i = 0; i <= threads; i++) {
        strcpy(name, "shared");
        if (i < threads)
            snprintf(name, sizeof name, "t%d", i);
        times[0] = times[1] = old_time(&r);
        /* A worker's symbolic link, moved to "shared", must not lead to what all have. */
        if (make_directory(fd, name, &r, 0, i < threads ? "" : "package-") || utimensat(fd, name, times, 0))
            return -1;
    }
    return 0;
}
