/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The model test: the same random operations on two directories, A (what is tested) and B (a plain
 * directory on a file system that is trusted), which must answer alike and look alike afterwards.
 *
 *   side.c      the two directories: paths, spellings
 *   choose.c    what to do next
 *   run.c, run_file.c, run_name.c    doing it, on one side
 *   compare.c   looking at both trees
 *   model.c     threads, batches, remounts, crashes
 *
 * Every operation changes something by at most one system call, so that after a crash only two
 * states are right: without it, or with it.
 */
#ifndef TESTS_MODEL_MODEL_H
#define TESTS_MODEL_MODEL_H

#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

#include "src/compiler.h"

#define PATH_SIZE    2048
#define SLOTS        6    /* descriptors a thread keeps open */
#define MAX_THREADS  16
#define LOG_LINES    50
#define FILE_LIMIT   (4u << 20)
#define OLD_TIME_END 1500000000 /* explicitly set times are before this, those of changes after */

enum op_kind {
    OP_OPEN, OP_CLOSE, OP_PWRITE, OP_WRITE, OP_PREAD, OP_READ, OP_FTRUNCATE, OP_TRUNCATE,
    OP_PATH_WRITE, OP_PATH_APPEND, OP_PATH_READ, OP_MMAP_WRITE, OP_MMAP_PRIVATE, OP_FALLOCATE,
    OP_SEEK, OP_COPY_RANGE, OP_LOCK, OP_FSYNC, OP_FSYNC_DIR, OP_DIRECT_WRITE, OP_DIRECT_READ,
    OP_RENAME, OP_LINK, OP_SYMLINK, OP_READLINK, OP_UNLINK, OP_RMDIR, OP_MKDIR, OP_MKFIFO,
    OP_CHMOD, OP_FCHMOD, OP_CHOWN, OP_UTIMENS, OP_FUTIMENS, OP_SETX, OP_FSETX, OP_GETX, OP_LISTX,
    OP_REMOVEX, OP_STAT, OP_FSTAT, OP_ACCESS, OP_LIST, OP_LIST_CHANGING, OP_REMOVE_TREE,
    OP_KINDS
};

struct op {
    enum op_kind kind;
    char p1[PATH_SIZE], p2[PATH_SIZE];  /* below the directory; p2 is a symlink's target too */
    int slot, slot2;
    int flags;                          /* of open, rename, fallocate, setxattr */
    mode_t mode;
    uid_t uid;
    gid_t gid;
    off_t off, off2;
    size_t len;
    uint64_t data;                      /* what to write: see fill() */
    struct timespec times[2];
    char xname[40];
};

/* What must be the same on both sides. */
struct result {
    long ret;             /* of the system call that matters; descriptors are 0 */
    int err;
    uint64_t digest;      /* of what was read */
    char note[160];       /* for people */
};

struct side {
    const char *path;
    int fd;
    bool trusted;         /* B */
    bool folding;         /* B of a case-insensitive A: names are looked for under other spellings */
};

struct rng { uint64_t state; };

struct worker {
    struct model *model;
    int number;
    struct rng rng;
    int fds[2][SLOTS];                  /* of A and B; -1 */
    char log[LOG_LINES][4600];
    uint64_t done;
    struct op op;                       /* the one under way, or that did not end for a crash */
    bool dead;                          /* A's daemon went away under .op */
    bool failed;
};

struct identities;

struct model {
    struct side a, b;
    uint64_t seed;
    int threads;
    long ops;             /* of a thread in a batch */
    bool fold, crash, pretend, race, user, verbose;
    const char *remount, *kill;
    unsigned kill_ms;
    struct identities *identities;
    struct worker workers[MAX_THREADS];
};

/* --- random numbers and data --- */
uint64_t rng_next(struct rng *r);
uint64_t rng_below(struct rng *r, uint64_t n); /* N may be 0: then 0 */
bool rng_chance(struct rng *r, unsigned percent);
void fill(uint64_t seed, void *buf, size_t len);
uint64_t digest(uint64_t start, const void *buf, size_t len);

/* --- side.c --- */
int side_open(struct side *s, const char *path, bool trusted, bool folding) must_check;
void side_close(struct side *s);

/* The path P has on side S: with other spellings put right where S folds. The last component is
 * left as it is when nothing is found. */
void side_path(const struct side *s, const char *p, char out[PATH_SIZE]);

/* Whether the last components of A and B are the same name, only spelled differently. */
bool same_entry(const struct side *s, const char *a, const char *b);
int respell(struct rng *r, const char *in, char out[PATH_SIZE]);

/* Names to choose from. */
extern const char *const pool_names[];
extern const size_t pool_count;
int make_tree(const char *path, uint64_t seed, int threads);

/* --- choose.c --- */
void choose(struct worker *w, struct op *op);
size_t describe(const struct op *op, char *out, size_t size);
bool op_is_data(enum op_kind kind);

/* --- run*.c --- */
void run(const struct side *s, int *fds, const struct op *op, struct result *r);
void run_file(const struct side *s, int *fds, const struct op *op, struct result *r);
void run_name(const struct side *s, int *fds, const struct op *op, struct result *r);
void list_names(int dirfd, const char *path, int change, struct result *r);
int open_on(const struct side *s, const char *path, int flags, mode_t mode);

/* --- compare.c --- */

/* A file whose content may be old or new, byte by byte: the crash came while it was written. */
struct tolerance {
    ino_t ino;            /* of B; 0: none */
    char *old, *new;
    size_t old_size, new_size;
    char parents[2][PATH_SIZE]; /* directories whose times may be either */
};

struct comparison {
    struct model *model;
    const struct tolerance *tolerance; /* or NULL */
    FILE *out;            /* differences; NULL: only count */
    long differences;
    long nodes;
};

/* Compares what is below PATH ("" for all). ONLY, if not NULL: just names that begin so. */
void compare(struct comparison *c, const char *path, const char *only);

/* Reads all of A: for races, where there is nothing to compare with. A line for each
 * name. The number of what cannot be read. */
long read_everything(struct model *m, char **text) must_check;

struct identities *identities_new(void);
void identities_free(struct identities *i);

#endif
