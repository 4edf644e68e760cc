/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The tree that is packed, mostly a directory: walked once, sorted, named; afterwards files are opened again
 * only through pack_tree_open(), which makes sure that they are still what the walk saw. Nothing is
 * followed out of the tree: symbolic links are never followed at any level.
 *
 * Read-only after pack_tree_walk() and the pack_tree_* setters, so any thread may open files.
 */
#ifndef TOOLS_PACK_TREE_H
#define TOOLS_PACK_TREE_H

#include <stdint.h>
#include <sys/types.h>

#include "src/compiler.h"
#include "src/err.h"
#include "src/package.h"
#include "src/short_name.h"

struct pack_entry {
    char *name;            /* "" for the root */
    uint64_t size;
    struct timespec mtime;
    dev_t dev;
    ino_t ino;
    uint32_t parent;
    uint32_t first_child;
    uint32_t child_count;
    uint32_t file;         /* number among the files; PACK_NO_RANK for directories */
    uint32_t dir_rank;     /* directories: position in a depth-first walk */
    uint16_t flags;        /* enum node_flag */
    char short_name[SHORT_NAME_SIZE];
};

/* Where the bytes of the files come from when that is no directory. Any thread calls read(), for LEN
 * bytes that the file has. */
struct pack_origin {
    int (*read)(void *arg, uint32_t entry, void *to, size_t len, uint64_t off, struct err *e);
    void *arg;
};

struct pack_tree {
    int fd;                      /* of the directory that is packed; -1 with an ORIGIN */
    struct pack_origin origin;   /* read() is NULL for a directory */
    struct pack_entry *entries;  /* breadth-first, siblings in the order of fold_compare() */
    uint32_t count;
    uint32_t *files;             /* entry of each file */
    uint32_t file_count;
    uint32_t dir_count;
    uint32_t base;               /* entry that stands for the directory itself: 0, or 1 below a
                                  * made-up root directory */
    uint32_t skipped;            /* links, devices, fifos and sockets left out */
    uint64_t file_bytes;
};

struct pack_flag_rule {
    const char *pattern;
    uint16_t flag;               /* enum node_flag */
};

struct pack_walk {
    const char *root_name;       /* NULL or "" = content as it is */
    char *const *exclude;        /* patterns */
    size_t exclude_count;
    const char *output;          /* file that is left out silently; NULL = none */
    const struct pack_flag_rule *flags;
    size_t flag_count;
    bool case_sensitive;
    bool strict;                 /* what cannot be packed is an error, not a warning */
    bool short_names;
    void (*warn)(void *arg, const char *text); /* NULL = silent */
    void *arg;
};

/* Walks DIR. On failure nothing is left to clear. May block on the file system. */
int pack_tree_walk(const char *dir, const struct pack_walk *walk, struct pack_tree *out,
                   struct err *e) must_check;

void pack_tree_clear(struct pack_tree *tree);

/* Of a tree whose entries are all there, made in another way: numbers files and directories. */
int pack_tree_number(struct pack_tree *tree, struct err *e) must_check;

/* Gives the COUNT entries from X on, all of one directory, the 8.3 names that they need. */
int pack_tree_short_names(struct pack_entry *x, uint32_t count, struct err *e) must_check;

/* Path of an entry below the packed directory, with '/' ("" for the directory itself). Caller
 * frees; NULL when out of memory. */
char *pack_tree_path(const struct pack_tree *tree, uint32_t entry);

/* Path of an entry in the package: with the made-up root directory, if there is one. */
char *pack_tree_package_path(const struct pack_tree *tree, uint32_t entry);

/* Opens a file of a directory's tree for reading; a descriptor, or an error when it is not what was walked. */
int pack_tree_open(const struct pack_tree *tree, uint32_t entry, struct err *e) must_check;

/* Checks after reading that the open file FD is still what was walked. */
int pack_tree_unchanged(const struct pack_tree *tree, uint32_t entry, int fd, struct err *e)
    must_check;

/* The entry at PATH, a path in the package or below the packed directory: '/' and '\' separate,
 * case does not matter unless two entries differ in nothing else. PACK_NO_RANK if there is none. */
uint32_t pack_tree_find(const struct pack_tree *tree, const char *path);

/* Whether PATH (with '/') matches a glob: one without a slash is matched against the last
 * component; case does not matter, '\' separates like '/'. */
bool pack_glob_matches(const char *pattern, const char *path);

#endif
