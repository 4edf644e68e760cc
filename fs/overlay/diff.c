/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changes of an upper layer. See diff.h. */
#include "config.h"

#include "fs/overlay/diff.h"

#include <fcntl.h>
#include <string.h>

#include "fs/overlay/partial.h"
#include "src/fold.h"

/* What is known of one entry of the upper layer. */
struct fact {
    char *lower;      /* directory: the package directory that shows through; owned, or NULL */
    const char *home; /* its place in the package, or NULL; borrowed from markers or `lower` */
    uint32_t link;    /* an earlier entry that is the same file, or UPPER_NONE */
    bool ignored;     /* it has an origin or a redirect that does not count */
};

/* An entry with a home. */
struct holder {
    const char *home;
    uint32_t entry;
};

struct diff {
    const struct upper *u;
    const struct package *package; /* or NULL */
    bool exact;
    struct fact *facts;
    struct holder *dirs;    /* by home */
    struct holder *holders; /* all whose homes count, by home; case folded */
    uint32_t dir_count, holder_count;
};

static bool same(const struct diff *d, const char *a, size_t a_len, const char *b, size_t b_len)
{
    if (d->exact)
        return a_len == b_len && !memcmp(a, b, a_len);
    return fold_equal(a, a_len, b, b_len);
}

static int by_home(const void *a, const void *b)
{
    const struct holder *x = a, *y = b;
    int order = fold_compare(x->home, strlen(x->home), y->home, strlen(y->home));

    return order ? order : (x->entry > y->entry) - (x->entry < y->entry);
}

/* The first holder of PATH, or UPPER_NONE. */
static uint32_t find_holder(const struct diff *d, const struct holder *list, uint32_t count,
                            const char *path, size_t len)
{
    uint32_t from = 0, to = count;

    while (from < to) {
        uint32_t mid = from + (to - from) / 2;

        if (fold_compare(list[mid].home, strlen(list[mid].home), path, len) < 0)
            from = mid + 1;
        else
            to = mid;
    }
    /* Other spellings of the same path stand beside it. */
    if (from < count && same(d, list[from].home, strlen(list[from].home), path, len))
        return list[from].entry;
    if (from && same(d, list[from - 1].home, strlen(list[from - 1].home), path, len))
        return list[from - 1].entry;
    return UPPER_NONE;
}

/* ---- which package directory shows through ---- */

static uint32_t node_at(const struct diff *d, const char *path, size_t len)
{
    auto_free char *copy = strndup(path, len);

    return copy ? package_resolve(d->package, copy, d->exact) : NODE_NONE;
}

/* The child NAME of the package directory LOWER, or NODE_NONE; not by an 8.3 name. */
static uint32_t lower_child(const struct diff *d, const char *lower, const char *name)
{
    uint32_t dir, child;

    if (!d->package || !lower)
        return NODE_NONE;
    dir = node_at(d, lower, strlen(lower));
    if (dir == NODE_NONE || !(package_node(d->package, dir)->flags & NODE_DIR))
        return NODE_NONE;
    child = package_lookup(d->package, dir, name, strlen(name), d->exact);
    if (child == NODE_NONE || !same(d, package_name(d->package, child),
                                    package_node(d->package, child)->name_len, name, strlen(name)))
        return NODE_NONE;
    return child;
}

static char *join(const char *dir, const char *name)
{
    size_t a = strlen(dir), b = strlen(name);
    char *path = malloc(a + b + 2);

    if (!path)
        return NULL;
    memcpy(path, dir, a);
    path[a] = '/';
    memcpy(path + a + 1, name, b + 1);
    return path;
}

/* Whether PATH is a directory of the package, as far as that is known. */
static bool is_lower_dir(const struct diff *d, const char *path)
{
    uint32_t node;

    if (!d->package)
        return true;
    node = node_at(d, path, strlen(path));
    return node != NODE_NONE && package_node(d->package, node)->flags & NODE_DIR;
}

/* Directories in the order of their numbers: the one above is known. */
static int set_lower(struct diff *d, uint32_t i, struct err *e)
{
    const struct upper_entry *n = &d->u->entries[i];
    struct fact *f = &d->facts[i];
    const char *above = d->facts[n->parent].lower;

    free(f->lower);
    f->lower = NULL;
    if (i == UPPER_ROOT) {
        f->lower = n->markers.opaque ? NULL : strdup("");
        return f->lower || n->markers.opaque ? 0 : err_nomem(e);
    }
    if (n->markers.opaque && !n->markers.redirect)
        return 0;
    if (n->markers.redirect && !f->ignored)
        f->lower = strdup(n->markers.redirect);
    else if (!n->markers.redirect && above)
        f->lower = join(above, n->name);
    else
        return 0;
    if (!f->lower)
        return err_nomem(e);
    if (!is_lower_dir(d, f->lower)) {
        free(f->lower);
        f->lower = NULL;
        f->ignored |= n->markers.redirect != NULL;
    }
    return 0;
}

static int set_all_lower(struct diff *d, struct err *e)
{
    d->dir_count = 0;
    for (uint32_t i = 0; i < d->u->count; i++) {
        const struct upper_entry *n = &d->u->entries[i];
        int rc = upper_is_dir(n) ? set_lower(d, i, e) : 0;

        if (rc)
            return rc;
        if (upper_is_dir(n) && n->markers.redirect && d->facts[i].lower)
            d->dirs[d->dir_count++] = (struct holder){ n->markers.redirect, i };
    }
    qsort(d->dirs, d->dir_count, sizeof *d->dirs, by_home);
    return 0;
}

/* ---- what hides a place of the package ---- */

uint32_t diff_hider(const struct diff *d, const char *path, bool *in_place)
{
    uint32_t dir = UPPER_ROOT;
    const char *at = path;

    *in_place = false;
    if (!d->facts[UPPER_ROOT].lower)
        return UPPER_ROOT;
    while (*at) {
        const char *name = at + 1;
        size_t len = strcspn(name, "/");
        bool last = !name[len];
        uint32_t moved = find_holder(d, d->dirs, d->dir_count, path, (size_t)(name + len - path));
        uint32_t child = upper_find(d->u, dir, name, len);
        const struct upper_entry *n;

        at = name + len;
        if (moved != UPPER_NONE && !last) {
            dir = moved; /* what is below it shows there, wherever that is */
            continue;
        }
        if (child == UPPER_NONE)
            return UPPER_NONE;
        n = &d->u->entries[child];
        if (!upper_is_dir(n) || !d->facts[child].lower ||
            !same(d, d->facts[child].lower, strlen(d->facts[child].lower), path,
                  (size_t)(at - path))) {
            *in_place =
                last && S_ISREG(n->st.st_mode) && d->facts[child].home &&
                same(d, d->facts[child].home, strlen(d->facts[child].home), path, strlen(path));
            return child;
        }
        if (last) {
            *in_place = true;
            return child;
        }
        dir = child;
    }
    return UPPER_NONE;
}

static bool same_file(const struct upper_entry *a, const struct upper_entry *b)
{
    return a->st.st_ino == b->st.st_ino && a->st.st_dev == b->st.st_dev;
}

/* Directories whose redirect does not count: the package's directory shows at its own place, or
 * another one has it. */
static bool ignore_redirects(struct diff *d)
{
    bool any = false;

    for (uint32_t k = 0; k < d->dir_count; k++) {
        uint32_t i = d->dirs[k].entry;
        bool in_place;
        uint32_t hider = diff_hider(d, d->dirs[k].home, &in_place);
        bool taken =
            find_holder(d, d->dirs, d->dir_count, d->dirs[k].home, strlen(d->dirs[k].home)) != i;

        if (hider == UPPER_NONE || (in_place && hider != i) || taken)
            any = d->facts[i].ignored = true;
    }
    return any;
}

/* ---- files ---- */

struct inode {
    ino_t ino;
    uint32_t entry;
};

static int by_inode(const void *a, const void *b)
{
    const struct inode *x = a, *y = b;

    if (x->ino != y->ino)
        return x->ino < y->ino ? -1 : 1;
    return (x->entry > y->entry) - (x->entry < y->entry);
}

/* Further names of a file point to its first one: that at its own place in the package, if any. */
static int set_links(struct diff *d, struct err *e)
{
    auto_free struct inode *list = malloc((d->u->count + 1) * sizeof *list);
    uint32_t count = 0;

    if (!list)
        return err_nomem(e);
    for (uint32_t i = 0; i < d->u->count; i++) {
        const struct upper_entry *n = &d->u->entries[i];

        if (S_ISREG(n->st.st_mode) && n->st.st_nlink > 1 && !n->markers.whiteout)
            list[count++] = (struct inode){ n->st.st_ino, i };
    }
    qsort(list, count, sizeof *list, by_inode);
    for (uint32_t i = 0, end; i < count; i = end) {
        uint32_t first = list[i].entry;

        for (end = i; end < count && list[end].ino == list[i].ino; end++) {
            const struct upper_entry *n = &d->u->entries[list[end].entry];
            const char *above = d->facts[n->parent].lower;
            auto_free char *here = above ? join(above, n->name) : NULL;

            if (above && !here)
                return err_nomem(e);
            if (here && n->markers.origin &&
                same(d, here, strlen(here), n->markers.origin, strlen(n->markers.origin)))
                first = list[end].entry;
        }
        for (uint32_t k = i; k < end; k++)
            if (list[k].entry != first)
                d->facts[list[k].entry].link = first;
    }
    return 0;
}

/* The package file FILE was made from, when that does not show at its own place. */
static void set_home(struct diff *d, uint32_t i)
{
    const struct upper_entry *n = &d->u->entries[i];
    struct fact *f = &d->facts[i];
    bool in_place;
    uint32_t hider;

    if (!n->markers.origin || f->link != UPPER_NONE)
        return;
    f->home = n->markers.origin;
    hider = diff_hider(d, f->home, &in_place);
    if (hider == UPPER_NONE || (in_place && hider != i && !same_file(&d->u->entries[hider], n))) {
        f->home = NULL;
        f->ignored = true;
    }
    if (d->package && f->home) {
        uint32_t node = node_at(d, f->home, strlen(f->home));

        if (node == NODE_NONE || package_node(d->package, node)->flags & NODE_DIR) {
            f->home = NULL;
            f->ignored = true;
        }
    }
}

static int set_homes(struct diff *d, struct err *e)
{
    int rc = set_links(d, e);

    if (rc)
        return rc;
    for (uint32_t i = 1; i < d->u->count; i++) {
        if (S_ISREG(d->u->entries[i].st.st_mode))
            set_home(d, i);
        else if (upper_is_dir(&d->u->entries[i]))
            d->facts[i].home = d->facts[i].lower;
        if (d->facts[i].home)
            d->holders[d->holder_count++] = (struct holder){ d->facts[i].home, i };
    }
    qsort(d->holders, d->holder_count, sizeof *d->holders, by_home);
    return 0;
}

int diff_new(const struct upper *u, const struct package *package, struct diff **out, struct err *e)
{
    struct diff *d = calloc(1, sizeof *d);
    int rc;

    if (!d)
        return err_nomem(e);
    d->u = u;
    d->package = package;
    d->exact = u->case_sensitive;
    d->facts = calloc(u->count, sizeof *d->facts);
    d->dirs = calloc(u->count, sizeof *d->dirs);
    d->holders = calloc(u->count, sizeof *d->holders);
    if (!d->facts || !d->dirs || !d->holders) {
        diff_free(d);
        return err_nomem(e);
    }
    for (uint32_t i = 0; i < u->count; i++)
        d->facts[i].link = UPPER_NONE;
    rc = set_all_lower(d, e);
    if (!rc && ignore_redirects(d))
        rc = set_all_lower(d, e);
    if (!rc)
        rc = set_homes(d, e);
    if (rc) {
        diff_free(d);
        return rc;
    }
    *out = d;
    return 0;
}

void diff_free(struct diff *d)
{
    if (!d)
        return;
    for (uint32_t i = 0; d->facts && i < d->u->count; i++)
        free(d->facts[i].lower);
    free(d->facts);
    free(d->dirs);
    free(d->holders);
    free(d);
}

const char *diff_home(const struct diff *d, uint32_t entry)
{
    return d->facts[entry].home;
}

const char *diff_lower(const struct diff *d, uint32_t entry)
{
    return d->facts[entry].lower;
}

/* ---- the changes ---- */

static mode_t node_type(const struct diff *d, uint32_t node)
{
    return package_node(d->package, node)->flags & NODE_DIR ? S_IFDIR : S_IFREG;
}

/* Whether there are attributes that the package cannot have given it. */
static bool has_odd_mode(const struct upper_entry *n)
{
    static const mode_t masks[] = { 0, 02, 07, 022, 027, 077 };

    for (size_t i = 0; i < ARRAY_LEN(masks); i++)
        if ((n->st.st_mode & 07777) == (0777 & ~masks[i]) ||
            (n->st.st_mode & 07777) == (0555 & ~masks[i]))
            return false;
    return true;
}

/* A file of the package: what was done to it but moving it. */
static bool content_changed(const struct diff *d, const struct upper_entry *n, uint32_t node)
{
    if (n->markers.has_partial)
        return n->markers.partial.map || (uint64_t)n->st.st_size != n->markers.partial.size;
    return !d->package || node == NODE_NONE || n->st.st_size ||
           package_node(d->package, node)->size;
}

/* Whether the package node at LOWER/NAME shows elsewhere now. */
static bool is_held(const struct diff *d, const char *lower, const char *name, uint32_t self,
                    bool *no_memory)
{
    auto_free char *path = join(lower, name);
    uint32_t holder;

    *no_memory = !path;
    holder = path ? find_holder(d, d->holders, d->holder_count, path, strlen(path)) : UPPER_NONE;
    return holder != UPPER_NONE && holder != self;
}

/* Something without a home. *is_change false: a whiteout that hides nothing. */
static int describe_new(const struct diff *d, uint32_t i, struct diff_change *c, bool *is_change,
                        struct err *e)
{
    const struct upper_entry *n = &d->u->entries[i];
    const char *lower = d->facts[n->parent].lower;
    uint32_t node = lower_child(d, lower, n->name);
    bool no_memory = false, held = lower && is_held(d, lower, n->name, i, &no_memory);

    if (no_memory)
        return err_nomem(e);
    if (n->markers.whiteout) {
        c->kind = DIFF_DELETED;
        c->type = 0;
        c->size = 0;
        *is_change = lower && !held && (!d->package || node != NODE_NONE);
        if (node != NODE_NONE) {
            c->type = node_type(d, node);
            c->size = package_node(d->package, node)->size;
            c->node = node;
        }
        return 0;
    }
    if (node != NODE_NONE && !held) {
        c->kind = DIFF_CHANGED;
        c->was = node_type(d, node);
        c->node = node;
    }
    c->content = true;
    return 0;
}

/* Something of the package, here or at another place. *from is to be freed. */
static int describe_home(const struct diff *d, uint32_t i, struct diff_change *c, char **from,
                         bool *is_change, struct err *e)
{
    const struct upper_entry *n = &d->u->entries[i];
    const struct fact *f = &d->facts[i];
    const char *above = d->facts[n->parent].lower;
    auto_free char *here = above ? join(above, n->name) : NULL;
    bool moved = !here || !same(d, here, strlen(here), f->home, strlen(f->home));
    const char *old_name = strrchr(f->home, '/');

    if (above && !here)
        return err_nomem(e);
    if (d->package) {
        c->node = node_at(d, f->home, strlen(f->home));
        if (c->node != NODE_NONE)
            old_name = package_name(d->package, c->node);
    } else if (old_name && (n->markers.redirect || n->markers.origin)) {
        old_name++;
    } else {
        old_name = n->name;
    }
    if (upper_is_dir(n))
        c->content = false;
    else
        c->content = content_changed(d, n, c->node);
    if (moved || (old_name && strcmp(old_name, n->name) != 0)) {
        c->kind = DIFF_RENAMED;
        *from = c->node == NODE_NONE ? strdup(f->home + 1) : package_path(d->package, c->node);
        c->from = *from;
        if (!*from)
            return err_nomem(e);
    } else if (!upper_is_dir(n)) {
        c->kind = c->content ? DIFF_CHANGED : DIFF_ATTRIBUTES;
    } else {
        /* It is there for what is in it, unless its permissions are no umask's. */
        c->kind = DIFF_ATTRIBUTES;
        *is_change = has_odd_mode(n);
    }
    return 0;
}

static int describe(const struct diff *d, uint32_t i, diff_fn fn, void *arg, struct err *e)
{
    const struct upper_entry *n = &d->u->entries[i];
    const struct fact *f = &d->facts[i];
    struct diff_change c = {
        .kind = DIFF_ADDED,
        .entry = i,
        .type = n->st.st_mode & S_IFMT,
        .node = NODE_NONE,
        .size = upper_is_dir(n) ? 0 : (uint64_t)n->st.st_size,
        .odd = f->ignored || n->bad_marker,
    };
    auto_free char *path = upper_path(d->u, i), *link = NULL, *from = NULL;
    bool is_change = true;
    int rc;

    if (f->link != UPPER_NONE)
        link = upper_path(d->u, f->link);
    if (!path || (f->link != UPPER_NONE && !link))
        return err_nomem(e);
    c.path = path;
    c.link_of = link;
    rc = f->home ? describe_home(d, i, &c, &from, &is_change, e)
                 : describe_new(d, i, &c, &is_change, e);
    return rc || !is_change ? rc : fn(arg, &c, e);
}

int diff_each(const struct diff *d, diff_fn fn, void *arg, struct err *e)
{
    int rc = 0;

    for (uint32_t i = upper_next(d->u, UPPER_ROOT, UPPER_ROOT, true); !rc && i != UPPER_NONE;
         i = upper_next(d->u, UPPER_ROOT, i, true))
        rc = describe(d, i, fn, arg, e);
    return rc;
}

int diff_written(struct overlay_store *s, const struct upper *u, uint32_t entry, uint64_t *bytes,
                 struct err *e)
{
    const struct upper_entry *n = &u->entries[entry];
    uint64_t size = (uint64_t)n->st.st_size;
    struct partial *p = NULL;
    int rc;

    *bytes = size;
    if (!n->markers.has_partial)
        return 0;
    if (!n->markers.partial.map) {
        /* All of it is the package's but what was appended. */
        *bytes = size > n->markers.partial.size ? size - n->markers.partial.size : 0;
        return 0;
    }
    auto_close int fd = upper_open(s, u, entry, O_RDONLY, e);
    if (fd < 0)
        return fd;
    rc = partial_open(s, fd, size, &n->markers.partial, &p, e);
    if (rc)
        return rc;
    *bytes = partial_upper_bytes(p, size);
    partial_free(p);
    return 0;
}
