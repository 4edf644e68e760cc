/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Blocks from other versions of a package. See cache_donor.h. */
#include "config.h"

#include "fetch/cache_donor.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>

#include "fetch/cache_file.h"
#include "fetch/cache_package.h"
#include "src/block_match.h"

enum {
    DONORS_MAX = 4,
    METADATA_SPARE = 16 << 20,
};

struct donor {
    int dir_fd, lock_fd, index_fd, container_fd;
    bool index_writable;
    struct cache_index *index;
    struct package *package; /* while the table is made */
};

/* Where a block of P lies in a donor. */
struct place {
    uint64_t offset;
    uint32_t block;
    _Atomic uint8_t donor; /* number + 1; 0 = nowhere */
};

struct cache_donors {
    const struct package *package;
    struct donor list[DONORS_MAX];
    unsigned count;
    struct place *places;
};

/* --- finding ---------------------------------------------------------------------------------- */

struct candidates {
    struct guid package_guid;
    uint32_t version_number;
    uint64_t metadata_max;
    const char *own;
    struct cache_entry list[DONORS_MAX]; /* nearest version number first */
    unsigned count;
};

static uint32_t distance(const struct candidates *all, const struct cache_entry *entry)
{
    uint32_t a = all->version_number, b = entry->header.version_number;

    return a > b ? a - b : b - a;
}

static int add_candidate(void *arg, const struct cache_entry *entry)
{
    struct candidates *all = arg;
    unsigned at = all->count;

    /* Metadata that is not there, or much larger than ours, is not worth reading. */
    if (!entry->valid || !entry->metadata || !strcmp(entry->name, all->own) ||
        !guid_equal(&entry->header.package_guid, &all->package_guid) ||
        entry->header.metadata_bytes > all->metadata_max ||
        entry->header.metadata_bytes > entry->allocated_bytes)
        return 0;
    while (at && distance(all, &all->list[at - 1]) > distance(all, entry))
        at--;
    if (at == DONORS_MAX)
        return 0;
    if (all->count < DONORS_MAX)
        all->count++;
    memmove(&all->list[at + 1], &all->list[at], (all->count - 1 - at) * sizeof *all->list);
    all->list[at] = *entry;
    return 0;
}

static void donor_close(struct donor *o)
{
    cache_index_close(o->index);
    package_free(o->package);
    for (size_t i = 0; i < 4; i++) {
        int fd = (const int[]){ o->dir_fd, o->lock_fd, o->index_fd, o->container_fd }[i];

        if (fd >= 0)
            (void)close(fd); /* the last one gives back the lock; all were only read */
    }
}

static int donor_open(struct cache_dir *d, const char *name, struct donor *o)
{
    *o = (struct donor){ .dir_fd = -1, .lock_fd = -1, .index_fd = -1, .container_fd = -1 };
    int rc = cache_dir_hold(d, name, false, &o->dir_fd, &o->lock_fd, NULL);

    if (!rc && o->lock_fd >= 0)
        (void)futimens(o->lock_fd, NULL); /* if it cannot be written, its owner's use counts */
    if (!rc)
        rc = o->container_fd = cache_file_open_read(o->dir_fd, CACHE_CONTAINER_NAME, NULL);
    if (rc >= 0)
        rc = o->index_fd =
            cache_file_open(o->dir_fd, CACHE_INDEX_NAME, 0, &o->index_writable, NULL);
    if (rc >= 0)
        rc = cache_package_read(o->dir_fd, o->container_fd, name, &o->package, NULL);
    if (rc >= 0) {
        struct cache_index_header h = cache_index_header_of(o->package);

        rc = cache_index_open(o->index_fd, o->index_writable, &h, &o->index, NULL);
    }
    if (rc < 0)
        donor_close(o);
    return rc < 0 ? rc : 0;
}

/* --- the table -------------------------------------------------------------------------------- */

/* Enters what donor NUMBER has of P's blocks; one that is there now wins over one that may come.
 * Returns how many blocks INDEX does not know have a donor that has them. */
static int match(struct cache_donors *ds, unsigned number, const struct cache_index *index,
                 uint32_t *found)
{
    struct donor *o = &ds->list[number];
    const struct package_info *info = package_info(ds->package);
    struct block_match *m;
    int rc = block_match_new(o->package, &m);

    if (rc)
        return rc;
    for (uint32_t i = 0; i < info->block_count; i++) {
        struct place *at = &ds->places[i];

        if (cache_index_knows(index, i))
            continue;
        uint32_t block = block_match_find(m, package_block(ds->package, i));
        if (block == BLOCK_MATCH_NONE ||
            package_block(o->package, block)->offset >= PACKAGE_STREAM_BASE)
            continue;
        bool there = cache_index_knows(o->index, block);
        uint8_t old = atomic_load_explicit(&at->donor, memory_order_relaxed);
        if (old && (!there || cache_index_knows(ds->list[old - 1].index, at->block)))
            continue;
        at->offset = package_block(o->package, block)->offset;
        at->block = block;
        atomic_store_explicit(&at->donor, (uint8_t)(number + 1), memory_order_relaxed);
        *found += there;
    }
    block_match_free(m);
    return 0;
}

static uint32_t missing(const struct cache_index *index, uint32_t count)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < count; i++)
        n += !cache_index_knows(index, i);
    return n;
}

int cache_donors_open(struct cache_dir *d, const struct package *p, const char *own,
                      const struct cache_index *index, struct cache_donors **out, struct err *e)
{
    const struct package_info *info = package_info(p);
    struct candidates all = {
        .package_guid = info->package_guid,
        .version_number = info->version_number,
        .metadata_max = 4 * info->metadata_bytes + METADATA_SPARE,
        .own = own,
    };
    uint32_t wanted = missing(index, info->block_count), found = 0;
    int rc = wanted ? cache_dir_list(d, 0, add_candidate, &all, e) : 0;

    *out = NULL;
    if (rc || !all.count)
        return rc;
    struct cache_donors *ds = calloc(1, sizeof *ds);
    if (ds)
        ds->places = calloc(info->block_count, sizeof *ds->places);
    if (!ds || !ds->places) {
        free(ds);
        return err_nomem(e);
    }
    ds->package = p;
    for (unsigned i = 0; i < all.count && found < wanted && !rc; i++) {
        if (donor_open(d, all.list[i].name, &ds->list[ds->count]))
            continue; /* damaged, being removed, or not for us to read */
        rc = match(ds, ds->count++, index, &found);
    }
    for (unsigned i = 0; i < ds->count; i++) {
        package_free(ds->list[i].package);
        ds->list[i].package = NULL;
    }
    if (rc || !ds->count) {
        cache_donors_close(ds);
        return rc ? err_nomem(e) : 0;
    }
    *out = ds;
    return 0;
}

void cache_donors_close(struct cache_donors *ds)
{
    if (!ds)
        return;
    for (unsigned i = 0; i < ds->count; i++)
        donor_close(&ds->list[i]);
    free(ds->places);
    free(ds);
}

/* --- using ------------------------------------------------------------------------------------ */

static struct donor *donor_of(struct cache_donors *ds, uint32_t block)
{
    uint8_t number = atomic_load_explicit(&ds->places[block].donor, memory_order_relaxed);

    return number ? &ds->list[number - 1] : NULL;
}

bool cache_donors_have(struct cache_donors *ds, uint32_t block)
{
    struct donor *o = ds ? donor_of(ds, block) : NULL;

    return o && cache_index_has(o->index, ds->places[block].block);
}

uint32_t cache_donors_run(struct cache_donors *ds, uint32_t first, uint32_t count)
{
    if (!ds || !count || !cache_donors_have(ds, first))
        return 0;
    const struct donor *o = donor_of(ds, first);
    uint64_t shift = package_block(ds->package, first)->offset - ds->places[first].offset;
    uint32_t n = 1;

    while (n < count && donor_of(ds, first + n) == o && cache_donors_have(ds, first + n) &&
           package_block(ds->package, first + n)->offset - ds->places[first + n].offset == shift)
        n++;
    return n;
}

int cache_donors_read(struct cache_donors *ds, uint32_t first, size_t len, void *buf)
{
    const struct donor *o = ds ? donor_of(ds, first) : NULL;

    return o ? cache_file_read(o->container_fd, ds->places[first].offset, buf, len) : -ENODATA;
}

bool cache_donors_drop(struct cache_donors *ds, uint32_t block)
{
    uint8_t number = ds ? atomic_exchange(&ds->places[block].donor, 0) : 0;

    if (number)
        (void)cache_index_remove(ds->list[number - 1].index, ds->places[block].block);
    return number;
}
