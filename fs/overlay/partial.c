/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Partial files. See partial.h.
 *
 * Bytes at or beyond lower_limit are always in the upper file, so appending to a package file needs
 * neither lower bytes nor a map. Below it the state of the unit decides.
 *
 * Order of steps, each of which may be the last one of the process:
 *   first unit    map made, marker names it; then as for every unit
 *   every unit    data, then its state in the map, then its state in memory
 *   cutting off   size, then the limit; opening takes the smaller of limit and size
 *   growing       if the limit on the disk may be above the true one: limit, brought to the disk,
 * then size sync          map and its name if new; data; WRITTEN becomes UPPER; map finish data to
 * the disk; marker gone; that to the disk; map gone Room for states is taken in the map before data
 * is written, so that a full disk shows there.
 *
 * Looking (runs, needs, seek) takes no lock: states and limit only ever go one way.
 */
#include "config.h"

#include "fs/overlay/partial.h"

#include <string.h>
#include <sys/stat.h>

#include "fs/overlay/partial_private.h"
#include "src/codec.h"

_Static_assert(PARTIAL_UNIT == BLOCK_MAP_UNIT, "the map counts in the units of the interface");

int partial_fingerprint(const struct package *p, uint32_t index, uint8_t out[16])
{
    enum { PIECES = 256, RECORD = BLOCK_HASH_SIZE + 8 };
    struct piece pieces[PIECES];
    uint8_t data[32 + PIECES * RECORD], sum[32] = { 0 };
    const struct node *node = package_node(p, index);
    uint64_t off = 0;

    for (unsigned i = 0; i < 8; i++)
        sum[i] = (uint8_t)(node->size >> (8 * i));
    do { /* each round covers the sum of the ones before */
        size_t n = package_map(p, index, off, node->size - off, pieces, PIECES), len = sizeof sum;
        memcpy(data, sum, sizeof sum);
        for (size_t i = 0; i < n; i++) {
            memcpy(data + len, package_block(p, pieces[i].block)->hash, BLOCK_HASH_SIZE);
            len += BLOCK_HASH_SIZE;
            for (unsigned b = 0; b < 8; b++, len++)
                data[len] = (uint8_t)((b < 4 ? pieces[i].from : pieces[i].len) >> (8 * (b % 4)));
            off += pieces[i].len;
        }
        int rc = codec_sha256(NULL, data, len, sum);
        if (rc)
            return rc;
        if (!n)
            break;
    } while (off < node->size);
    memcpy(out, sum, 16);
    return 0;
}

/* ---- opening ---- */

static int new_partial(struct overlay_store *s, const struct partial_mark *mark, uint64_t size,
                       struct partial **out)
{
    struct partial *p = mark->size > BLOCK_MAP_FILE_MAX ? NULL : calloc(1, sizeof *p);

    if (!p)
        return mark->size > BLOCK_MAP_FILE_MAX ? -EFBIG : -ENOMEM;
    p->mark = *mark;
    p->mark.path = mark->path ? strdup(mark->path) : NULL;
    if (mark->path && !p->mark.path) {
        free(p);
        return -ENOMEM;
    }
    atomic_init(&p->limit, min_u64(mark->size, size));
    atomic_init(&p->touched, mark->map || size != mark->size);
    block_states_init(&p->states, block_units(mark->size));
    pthread_mutex_init(&p->lock, NULL);
    pthread_mutex_init(&p->sync_lock, NULL);
    map_file_init(&p->map, s, mark->map);
    p->limit_on_disk = mark->size;
    *out = p;
    return 0;
}

int partial_new(struct overlay_store *s, const struct partial_mark *mark, struct partial **out)
{
    return new_partial(s, mark, mark->size, out);
}

void partial_free(struct partial *p)
{
    if (!p)
        return;
    map_file_close(&p->map);
    block_states_free(&p->states);
    pthread_mutex_destroy(&p->lock);
    pthread_mutex_destroy(&p->sync_lock);
    free(p->mark.path);
    free(p);
}

/* Units FIRST and up to END that were WRITTEN before a reboot: UPPER where all of their bytes are
 * data. */
static void judge_written(struct partial *p, int fd, uint64_t first, uint64_t end)
{
    uint64_t limit = limit_of(p), stop = min_u64(end * PARTIAL_UNIT, limit);
    uint64_t from = 0, to = 0; /* the stretch of data found last */

    for (uint64_t u = first; u < end; u++) {
        uint64_t a = u * PARTIAL_UNIT, b = min_u64(a + PARTIAL_UNIT, limit);
        if (to <= a) {
            off_t d = lseek(fd, (off_t)a, SEEK_DATA);
            off_t h = d < 0 ? -1 : lseek(fd, d, SEEK_HOLE);
            if (d < 0 && errno != ENXIO) { /* no such thing here: everything is data */
                from = a;
                to = stop;
            } else {
                from = d < 0 || h < 0 ? stop : (uint64_t)d;
                to = d < 0 || h < 0 ? stop : (uint64_t)h;
            }
        }
        block_states_set(&p->states, u, 1, from <= a && to >= b ? BLOCK_UPPER : BLOCK_LOWER);
    }
}

static void judge_all(struct partial *p, int fd)
{
    uint64_t end = block_units(limit_of(p)), first = 0, stop;

    while ((first = block_states_find(&p->states, first, end, BLOCK_WRITTEN)) < end) {
        for (stop = first + 1; stop < end && block_states_get(&p->states, stop) == BLOCK_WRITTEN;)
            stop++;
        p->judged = true;
        judge_written(p, fd, first, stop);
        first = stop;
    }
}

uint64_t partial_count_upper(const struct partial *p, uint64_t first, uint64_t end)
{
    uint64_t count = 0, n;

    for (bool lower; first < end; first += n) {
        n = block_states_run(&p->states, first, end, &lower);
        count += lower ? 0 : n;
    }
    return count;
}

static int read_map(struct partial *p, int fd, uint64_t size, struct err *e)
{
    uint8_t boot[16];
    static const uint8_t unknown[16];
    int rc = map_file_load(&p->map, p->mark.size, &p->states, e);

    if (rc)
        return rc;
    struct block_map_header *h = &p->map.header;
    if (h->blank)
        memcpy(h->content, p->mark.content, sizeof h->content);
    if (memcmp(h->content, p->mark.content, sizeof h->content) != 0)
        return err_set(e, ERR_CORRUPT, "map %016llx is of other contents",
                       (unsigned long long)p->map.number);
    atomic_store(&p->limit, min_u64(h->lower_limit, size));
    map_file_boot_id(p->map.store, boot);
    p->adopted = !h->blank && memcmp(boot, unknown, sizeof boot) != 0 &&
                 memcmp(boot, h->boot_id, sizeof boot) == 0;
    if (!p->adopted)
        judge_all(p, fd);
    atomic_store(&p->upper_units, partial_count_upper(p, 0, block_units(limit_of(p))));
    return 0;
}

int partial_open(struct overlay_store *s, int fd, uint64_t size, const struct partial_mark *mark,
                 struct partial **out, struct err *e)
{
    struct partial *p;
    int rc = new_partial(s, mark, size, &p);

    if (rc == -EFBIG)
        return err_set(e, ERR_LIMIT, "partial file of %llu bytes", (unsigned long long)mark->size);
    if (rc)
        return err_nomem(e);
    if (mark->map)
        rc = read_map(p, fd, size, e);
    if (rc)
        partial_free(p);
    else
        *out = p;
    return rc;
}

/* ---- looking ---- */

/* The run that begins at OFF, not beyond END, as far as one look shows. */
static struct partial_run run_at(struct partial *p, uint64_t off, uint64_t end)
{
    uint64_t limit = limit_of(p), unit = off / PARTIAL_UNIT;
    struct partial_run r = { .off = off };

    if (off >= limit) {
        r.len = end - off;
        return r;
    }
    uint64_t n = block_states_run(&p->states, unit, block_units(min_u64(limit, end)), &r.lower);
    r.len = min_u64((unit + n) * PARTIAL_UNIT, min_u64(limit, end)) - off;
    return r;
}

size_t partial_runs(struct partial *p, uint64_t off, uint64_t len, struct partial_run *out,
                    size_t max)
{
    uint64_t end = add_overflows(off, len, &end) ? UINT64_MAX : off + len;
    size_t n = 0;

    while (off < end) {
        struct partial_run r = run_at(p, off, end);
        if (n && out[n - 1].lower == r.lower)
            out[n - 1].len += r.len;
        else if (n < max)
            out[n++] = r;
        else
            break;
        off += r.len;
    }
    return n;
}

/* Whether a change to [off, end) leaves bytes of UNIT that are only in the package. */
static bool unit_needs(struct partial *p, uint64_t unit, uint64_t off, uint64_t end,
                       struct span64 *need)
{
    *need = unit_span(unit, limit_of(p));
    return need->len && off < need->off + need->len &&
           (off > need->off || end < need->off + need->len) &&
           block_states_get(&p->states, unit) == BLOCK_LOWER;
}

unsigned partial_write_needs(struct partial *p, uint64_t off, uint64_t len, struct span64 need[2])
{
    uint64_t end;
    unsigned n = 0;

    if (!len || add_overflows(off, len, &end))
        return 0;
    uint64_t first = off / PARTIAL_UNIT, last = (end - 1) / PARTIAL_UNIT;
    n += unit_needs(p, first, off, end, &need[n]);
    if (last != first)
        n += unit_needs(p, last, off, end, &need[n]);
    return n;
}

bool partial_next_lower(struct partial *p, uint64_t off, struct span64 *out)
{
    uint64_t limit = limit_of(p), end = block_units(limit), unit = off / PARTIAL_UNIT, n;

    for (bool lower; off < limit && unit < end; unit += n) {
        n = block_states_run(&p->states, unit, end, &lower);
        if (!lower)
            continue;
        out->off = unit * PARTIAL_UNIT;
        out->len = min_u64((unit + n) * PARTIAL_UNIT, limit) - out->off;
        return true;
    }
    return false;
}

bool partial_needs_lower(struct partial *p)
{
    return !atomic_load(&p->plain) && atomic_load(&p->upper_units) < block_units(limit_of(p));
}

bool partial_is_untouched(struct partial *p)
{
    return !atomic_load(&p->touched);
}

bool partial_is_dirty(struct partial *p)
{
    return atomic_load(&p->dirty);
}

bool partial_is_plain(struct partial *p)
{
    return atomic_load(&p->plain);
}

uint64_t partial_upper_bytes(struct partial *p, uint64_t size)
{
    struct span64 lower;
    uint64_t bytes = size;

    for (uint64_t off = 0; off < size && partial_next_lower(p, off, &lower);
         off = lower.off + lower.len)
        bytes -= lower.off < size ? min_u64(lower.len, size - lower.off) : 0;
    return bytes;
}

off_t partial_seek(struct partial *p, int fd, off_t off, int whence)
{
    struct stat st;

    if (whence != SEEK_DATA && whence != SEEK_HOLE)
        return -EINVAL;
    if (fstat(fd, &st))
        return -errno;
    if (off < 0 || off >= st.st_size)
        return -ENXIO;
    while (off < st.st_size) {
        struct partial_run r = run_at(p, (uint64_t)off, (uint64_t)st.st_size);
        off_t end = off + (off_t)r.len;
        if (!r.lower) {
            off_t at = lseek(fd, off, whence);
            if (at < 0 && errno != ENXIO)
                return -errno;
            if (at >= 0 && at < end)
                return at;
        } else if (whence == SEEK_DATA) {
            return off;
        }
        off = end;
    }
    return whence == SEEK_HOLE ? st.st_size : -ENXIO;
}
