/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An overlay from opening to closing, and the kernel's references to its nodes. See overlay.h.
 *
 * References of package nodes are counted in an array of their own, so that nodes nobody changed
 * need nothing else.
 */
#include "config.h"

#include "fs/overlay/overlay.h"

#include <string.h>
#include <sys/random.h>

#include "fs/overlay/data.h"
#include "fs/overlay/change.h"
#include "fs/overlay/ids.h"
#include "fs/overlay/node.h"
#include "fs/overlay/recover.h"
#include "fs/overlay/tree.h"

/* A count that has come here stays: the node is then never let go. */
#define LOOKUPS_STUCK UINT32_MAX

static int init_ns(struct overlay *o)
{
    pthread_rwlockattr_t attr;

    if (pthread_rwlockattr_init(&attr))
        return -ENOMEM;
    /* Listings and lookups without end must not keep a change waiting. */
    int rc = pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    if (!rc)
        rc = pthread_rwlock_init(&o->ns, &attr);
    (void)pthread_rwlockattr_destroy(&attr);
    return -rc;
}

/* The root's markers, which no directory's reading meets. */
static int load_root(struct overlay *o, struct err *e)
{
    struct markers m = { 0 };
    struct stat st;

    if (fstat(o->store->files_fd, &st))
        return err_sys(e, "%s/files", o->store->path);
    int rc = markers_read(o->store->files_fd, "", &st, &m);
    if (!rc || rc == -EINVAL) {
        o->root->has_mode = m.has_mode;
        o->root->mode = m.mode;
        if (m.opaque)
            o->root->lower = NODE_NONE;
    }
    markers_clear(&m);
    o->root->upper_ino = st.st_ino;
    if (o->store->access == OVERLAY_WRITE && !o->store->read_only) {
        rc = copy_up_root(o);
        if (rc)
            log_warning("overlay", "%s/files: it could not be given the attributes of the package's "
                        "root: %s", o->store->path, strerror(-rc));
    }
    rc = tree_load(o, o->root);
    if (rc) {
        errno = -rc;
        return err_sys(e, "%s/files", o->store->path);
    }
    return 0;
}

int overlay_open(struct overlay_store *store, const struct package *package,
                 const struct attr_rules *rules, bool case_sensitive, struct overlay **out,
                 struct err *e)
{
    struct overlay *o = calloc(1, sizeof *o);

    if (!o)
        return err_nomem(e);
    o->store = store;
    o->package = package;
    o->info = package_info(package);
    o->rules = rules;
    o->case_sensitive = case_sensitive;
    o->privileged = geteuid() == 0;
    if (getrandom(o->fold_key, sizeof o->fold_key, 0) < 0) {
        int rc = err_sys(e, "random numbers");
        free(o);
        return rc;
    }
    if (init_ns(o)) {
        free(o);
        return err_nomem(e);
    }
    int rc = fd_cache_new(0, &o->fds) || tree_new(o) ? err_nomem(e) : load_root(o, e);
    if (!rc && store->unclean && store->access == OVERLAY_WRITE && !store->read_only)
        recover_maps(store);
    if (rc) {
        overlay_close(o);
        return rc;
    }
    *out = o;
    return 0;
}

void overlay_close(struct overlay *o)
{
    if (!o)
        return;
    bool writable = o->store->access == OVERLAY_WRITE && !o->store->read_only;
    if (writable && o->ids && o->by_lower) {
        struct overlay_node *node;
        uint64_t at = 0;
        for (uint32_t i = 0; i < o->info->node_count; i++)
            if ((node = overlay_node_of(o, i)))
                overlay_data_settle(o, node, true);
        while ((node = ids_next(o->ids, &at)))
            overlay_data_settle(o, node, true);
    }
    tree_free(o);
    fd_cache_free(o->fds);
    (void)pthread_rwlock_destroy(&o->ns);
    free(o);
}

bool overlay_find(const struct overlay *o, uint64_t id, struct overlay_node **node)
{
    *node = NULL;
    if (id < OVERLAY_UPPER_ID) {
        if (id < 1 || id > o->info->node_count)
            return false;
        *node = overlay_node_of(o, (uint32_t)(id - 1));
        return true;
    }
    *node = ids_find(o->ids, id);
    return *node != NULL;
}

/* ---- references ---- */

static void remember_lower(struct overlay *o, uint32_t index, uint64_t n)
{
    uint32_t old = atomic_load_explicit(&o->lower_lookups[index], memory_order_relaxed), new;

    do {
        if (old == LOOKUPS_STUCK)
            return;
        new = n >= LOOKUPS_STUCK - old ? LOOKUPS_STUCK : old + (uint32_t)n;
    } while (!atomic_compare_exchange_weak(&o->lower_lookups[index], &old, new));
}

/* Whether none is left. */
static bool forget_lower(struct overlay *o, uint32_t index, uint64_t n)
{
    uint32_t old = atomic_load_explicit(&o->lower_lookups[index], memory_order_relaxed), new;

    do {
        if (old == LOOKUPS_STUCK)
            return false;
        new = n >= old ? 0 : old - (uint32_t)n;
    } while (!atomic_compare_exchange_weak(&o->lower_lookups[index], &old, new));
    return !new;
}

static bool forget_upper(struct overlay_node *node, uint64_t n)
{
    uint64_t old = atomic_load_explicit(&node->lookups, memory_order_relaxed), new;

    do {
        new = n >= old ? 0 : old - n;
    } while (!atomic_compare_exchange_weak(&node->lookups, &old, new));
    return !new;
}

void overlay_remember(struct overlay *o, uint64_t id, uint64_t n)
{
    struct overlay_node *node;

    if (id < OVERLAY_UPPER_ID) {
        if (id && id <= o->info->node_count)
            remember_lower(o, (uint32_t)(id - 1), n);
        return;
    }
    /* Until it is counted, only ns keeps the node. */
    (void)pthread_rwlock_rdlock(&o->ns);
    if (overlay_find(o, id, &node))
        atomic_fetch_add(&node->lookups, n);
    (void)pthread_rwlock_unlock(&o->ns);
}

static bool forget(struct overlay *o, uint64_t id, struct overlay_node *node, uint64_t n)
{
    return id < OVERLAY_UPPER_ID ? forget_lower(o, (uint32_t)(id - 1), n) : forget_upper(node, n);
}

/* What to do about a node whose last reference has gone. */
enum last { LAST_NOTHING, LAST_SETTLE, LAST_LET_GO };

static enum last at_last(struct overlay *o, uint64_t id)
{
    enum last what = LAST_NOTHING;
    struct overlay_node *node;

    (void)pthread_rwlock_rdlock(&o->ns);
    if (overlay_find(o, id, &node) && node && node != o->root) {
        if (!node->names)
            what = LAST_LET_GO;
        else if (atomic_load_explicit(&node->partial, memory_order_acquire))
            what = LAST_SETTLE;
    }
    /* Settling does not hold ns, so the node is held as the kernel would. */
    if (what == LAST_SETTLE) {
        if (id < OVERLAY_UPPER_ID)
            remember_lower(o, (uint32_t)(id - 1), 1);
        else
            atomic_fetch_add(&node->lookups, 1);
    }
    (void)pthread_rwlock_unlock(&o->ns);
    return what;
}

void overlay_forget(struct overlay *o, uint64_t id, uint64_t n)
{
    struct overlay_node *node;

    if (!overlay_find(o, id, &node) || !forget(o, id, node, n) || !node)
        return;
    enum last what = at_last(o, id);
    if (what == LAST_SETTLE) {
        overlay_data_settle(o, node, false);
        if (!forget(o, id, node, 1))
            return;
    } else if (what == LAST_NOTHING) {
        return;
    }
    (void)pthread_rwlock_wrlock(&o->ns);
    if (overlay_find(o, id, &node) && node)
        tree_let_go(o, node);
    (void)pthread_rwlock_unlock(&o->ns);
}
