/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ZIP: the entries of the directory, whose place zip_end.c has found. See zip.h. No byte may belong to
 * two entries, and none of them to the directory: that is seen once the entries are sorted by place.
 */
#include "config.h"

#include "src/zip.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "src/cursor.h"
#include "src/package.h"
#include "src/zip_end.h"

#define EXTRA_ZIP64     1u

/* General purpose bits that mean what is not done here: encrypted, patch data, strong or masked
 * encryption. */
#define FLAGS_ENCRYPTED (1u << 0 | 1u << 6 | 1u << 13)
#define FLAG_PATCH      (1u << 5)
#define FLAGS_RESERVED  (1u << 12 | 1u << 14 | 1u << 15)

/* What error texts show of an entry's name: any byte can stand in it. */
struct shown {
    char text[100];
};

static const char *show(const struct zip_entry *z, struct shown *s)
{
    size_t len = 0;

    for (; len < z->name_len && len + 1 < sizeof s->text; len++) {
        char c = z->name[len];
        s->text[len] = c;
        if (c < ' ' || c > '~')
            s->text[len] = '?';
    }
    s->text[len] = '\0';
    return s->text;
}

bool zip_begins(const struct container_input *in)
{
    const uint8_t *head = container_input_at(in, 0, 4);

    return head && (!memcmp(head, "PK\003\004", 4) || !memcmp(head, "PK\005\006", 4));
}

/* --- where it is ------------------------------------------------------------------------------- */

int zip_need(const struct container_input *in, struct byte_range *want, struct err *e)
{
    struct zip_end end;
    int rc = zip_locate(in, &end, want, e);

    if (rc)
        return rc;
    uint64_t from = end.prefix + end.offset;
    if (!end.length || container_input_at(in, from, end.length))
        return 0;
    uint64_t run = min_u64(container_input_run(in, from), end.length - 1);
    *want = (struct byte_range){ from + run, end.length - run };
    return 1;
}

/* --- entries ---------------------------------------------------------------------------------- */

/* Fields that do not fit into 32 bits stand in an extra field, in this order; some writers put all
 * of them there. False when one is missing. */
static bool read_zip64_extra(struct cursor extra, struct zip_entry *z)
{
    uint64_t *fields[] = { &z->size, &z->csize, &z->local };
    bool wanted = false;

    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        wanted = wanted || *fields[i] == UINT32_MAX;
    while (wanted && cursor_left(&extra) >= 4) {
        uint16_t id = cursor_u16(&extra), len = cursor_u16(&extra);
        const uint8_t *data = cursor_bytes(&extra, len);
        if (!data)
            return false; /* the field is longer than what holds it */
        if (id != EXTRA_ZIP64)
            continue;
        struct cursor c = cursor_over(data, len);
        bool all = len >= 8 * ARRAY_LEN(fields);
        for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
            bool is_there = *fields[i] == UINT32_MAX;
            uint64_t value = all || is_there ? cursor_u64(&c) : 0;
            if (is_there)
                *fields[i] = value;
        }
        return !c.failed;
    }
    return !wanted;
}

/* Whether the entry is one that this program reads. */
static int check_entry(const struct zip_entry *z, uint64_t at, struct err *e)
{
    struct shown name;

    if (z->flags & FLAGS_ENCRYPTED)
        return err_at(e, ERR_UNSUPPORTED, NULL, at, "'%s' is encrypted", show(z, &name));
    if (z->flags & FLAG_PATCH)
        return err_at(e, ERR_UNSUPPORTED, NULL, at, "'%s' is a patch", show(z, &name));
    if (z->flags & FLAGS_RESERVED)
        return err_at(e, ERR_UNSUPPORTED, NULL, at, "'%s' has reserved flags of ZIP set (0x%04x)",
                      show(z, &name), z->flags & FLAGS_RESERVED);
    if (z->method == ZIP_STORED && z->csize != z->size)
        return err_at(e, ERR_CORRUPT, NULL, at,
                      "'%s' is not compressed, but has %" PRIu64 " bytes in the archive and %" PRIu64
                      " outside", show(z, &name), z->csize, z->size);
    return 0;
}

static int read_entry(struct cursor *c, const struct zip_end *end, struct zip_entry *z, struct err *e)
{
    uint64_t at = end->prefix + end->offset + cursor_offset(c);
    uint32_t signature = cursor_u32(c);

    (void)cursor_u32(c); /* versions */
    z->flags = cursor_u16(c);
    z->method = cursor_u16(c);
    z->dos_time = cursor_u32(c);
    z->crc = cursor_u32(c);
    z->csize = cursor_u32(c);
    z->size = cursor_u32(c);
    z->name_len = cursor_u16(c);
    uint16_t extra_len = cursor_u16(c), comment_len = cursor_u16(c);
    uint16_t disk = cursor_u16(c);
    (void)cursor_bytes(c, 2 + 4); /* attributes */
    z->local = cursor_u32(c);
    z->name = (const char *)cursor_bytes(c, z->name_len);
    const uint8_t *extra = cursor_bytes(c, extra_len);
    (void)cursor_bytes(c, comment_len);
    if (c->failed || signature != ZIP_SIGNATURE_CENTRAL)
        return err_at(e, ERR_CORRUPT, NULL, at, "an entry of the archive's directory is damaged");
    if (disk && disk != UINT16_MAX)
        return err_at(e, ERR_UNSUPPORTED, NULL, at, "a file of an archive that was split");
    struct shown name;
    if (!read_zip64_extra(cursor_over(extra, extra_len), z))
        return err_at(e, ERR_CORRUPT, NULL, at, "'%s' has no ZIP64 field for its sizes and offset",
                      show(z, &name));
    if (add_overflows(z->local, end->prefix, &z->local))
        return err_at(e, ERR_CORRUPT, NULL, at, "'%s' is outside the archive", show(z, &name));
    return check_entry(z, at, e);
}

static int compare_places(const void *a, const void *b)
{
    const struct zip_entry *x = *(struct zip_entry *const *)a, *y = *(struct zip_entry *const *)b;
    return (x->local > y->local) - (x->local < y->local);
}

/* Z does not fit before NEXT, or before the directory if that is NULL. */
static int refuse_place(const struct zip_entry *z, const struct zip_entry *next,
                        const struct zip_directory *d, struct err *e)
{
    struct shown name, other;

    if (!next)
        return err_at(e, ERR_CORRUPT, NULL, z->local,
                      "'%s' (%" PRIu64 " bytes) reaches into the archive's directory at %" PRIu64
                      " or behind it", show(z, &name), z->csize, d->offset);
    if (z->local == next->local)
        return err_at(e, ERR_CORRUPT, NULL, z->local, "'%s' and '%s' are at the same place",
                      show(z, &name), show(next, &other));
    return err_at(e, ERR_CORRUPT, NULL, z->local,
                  "'%s' (%" PRIu64 " bytes) reaches into '%s' at %" PRIu64, show(z, &name), z->csize,
                  show(next, &other), next->local);
}

/* Gives each entry its room, and refuses entries that reach into each other. */
static int measure_rooms(struct zip_directory *d, struct err *e)
{
    auto_free struct zip_entry **by_place = malloc(((size_t)d->count + 1) * sizeof *by_place);
    bool sorted = true;

    if (!by_place)
        return err_nomem(e);
    for (uint32_t i = 0; i < d->count; i++) {
        by_place[i] = &d->entries[i];
        sorted = sorted && (!i || d->entries[i - 1].local < d->entries[i].local);
    }
    if (!sorted)
        qsort(by_place, d->count, sizeof *by_place, compare_places);
    for (uint32_t i = 0; i < d->count; i++) {
        struct zip_entry *z = by_place[i], *next = i + 1 < d->count ? by_place[i + 1] : NULL;
        uint64_t end = next ? next->local : d->offset, need;
        if (add_overflows(z->csize, (uint64_t)ZIP_LOCAL_MIN + z->name_len, &need) ||
            z->local > end || need > end - z->local)
            return refuse_place(z, next, d, e);
        z->room = end - z->local;
    }
    return 0;
}

int zip_read(const struct container_input *in, struct zip_directory *out, struct err *e)
{
    struct byte_range want;
    struct zip_end end;

    *out = (struct zip_directory){ .entries = NULL };
    int rc = zip_locate(in, &end, &want, e);
    if (rc)
        return rc > 0 ? err_set(e, ERR_INVALID, "the end of the archive was not read") : rc;
    const uint8_t *bytes = container_input_at(in, end.prefix + end.offset, end.length);
    if (!bytes && end.length)
        return err_set(e, ERR_INVALID, "the archive's directory was not read");
    out->offset = end.prefix + end.offset;
    out->length = end.length;
    out->prefix = end.prefix;
    out->zip64 = end.zip64;
    out->entries = calloc((size_t)end.entries + 1, sizeof *out->entries);
    if (!out->entries)
        return err_nomem(e);
    struct cursor c = cursor_over(bytes, (size_t)end.length);
    while (!rc && out->count < end.entries)
        rc = read_entry(&c, &end, &out->entries[out->count++], e);
    if (!rc && cursor_left(&c))
        rc = err_at(e, ERR_CORRUPT, NULL, out->offset + cursor_offset(&c),
                    "the archive's directory has more than the %" PRIu64 " files it should have",
                    end.entries);
    return rc ? rc : measure_rooms(out, e);
}

void zip_directory_free(struct zip_directory *d)
{
    free(d->entries);
    *d = (struct zip_directory){ .entries = NULL };
}

/* --- without one entry ------------------------------------------------------------------------ */

static void put_le(uint8_t *at, uint64_t value, unsigned width)
{
    for (unsigned i = 0; i < width; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

/* Puts VALUE where there is no sentinel that refers to the ZIP64 record. */
static void patch(uint8_t *at, uint64_t value, unsigned width)
{
    bool sentinel = true;

    for (unsigned i = 0; i < width; i++)
        sentinel = sentinel && at[i] == 0xff;
    if (!sentinel)
        put_le(at, value, width);
}

/* The end records in TAIL, LEN bytes, for a directory of COUNT entries. */
static void patch_end(uint8_t *tail, size_t len, bool zip64, uint64_t count, uint64_t length,
                      uint64_t offset)
{
    uint8_t *end = tail;

    if (zip64) {
        size_t locator = 0;
        while (locator + ZIP_LOCATOR_SIZE + ZIP_END_SIZE <= len && memcmp(tail + locator, "PK\006\007", 4))
            locator++;
        if (locator + ZIP_LOCATOR_SIZE + ZIP_END_SIZE > len || locator < ZIP_END64_SIZE)
            return; /* zip_read() has seen it */
        put_le(tail + 24, count, 8);
        put_le(tail + 32, count, 8);
        put_le(tail + 40, length, 8);
        put_le(tail + 48, offset, 8);
        put_le(tail + locator + 8, offset + length, 8);
        end = tail + locator + ZIP_LOCATOR_SIZE;
    }
    if (end + ZIP_END_SIZE > tail + len)
        return;
    patch(end + 8, count, 2);
    patch(end + 10, count, 2);
    patch(end + 12, length, 4);
    patch(end + 16, offset, 4);
}

int zip_directory_without(const struct container_input *in, const struct zip_directory *d,
                          const struct zip_entry *omitted, uint64_t omitted_len, uint8_t **out,
                          size_t *len, struct err *e)
{
    uint64_t all = in->size - d->offset, at = 0;
    const uint8_t *bytes = container_input_at(in, d->offset, d->length);
    const uint8_t *tail = container_input_at(in, d->offset + d->length, all - d->length);

    if (d->prefix)
        return err_set(e, ERR_UNSUPPORTED, "a signature in an archive with something in front of it");
    if (!bytes || !tail)
        return err_set(e, ERR_INVALID, "the end of the archive was not read");
    uint8_t *to = malloc((size_t)all + 1);
    if (!to)
        return err_nomem(e);
    *len = 0;
    for (uint32_t i = 0; i < d->count; i++) {
        struct cursor c = cursor_over(bytes + at, (size_t)(d->length - at));
        (void)cursor_bytes(&c, 28); /* up to the lengths */
        uint64_t entry = ZIP_CENTRAL_SIZE + (uint64_t)cursor_u16(&c); /* name, extra fields, comment */
        entry += cursor_u16(&c);
        entry += cursor_u16(&c);
        if (&d->entries[i] != omitted) {
            memcpy(to + *len, bytes + at, (size_t)entry);
            *len += (size_t)entry;
        }
        at += entry;
    }
    uint64_t offset = d->offset - omitted_len;
    memcpy(to + *len, tail, (size_t)(all - d->length));
    patch_end(to + *len, (size_t)(all - d->length), d->zip64, d->count - 1, *len, offset);
    *len += (size_t)(all - d->length);
    *out = to;
    return 0;
}

/* --- an entry --------------------------------------------------------------------------------- */

int zip_local_header(const struct zip_entry *z, const uint8_t *bytes, size_t len, uint32_t *data_at,
                     struct err *e)
{
    struct cursor c = cursor_over(bytes, len);
    uint32_t signature = cursor_u32(&c);

    (void)cursor_bytes(&c, ZIP_LOCAL_MIN - 4 - 2 - 2);
    uint16_t name_len = cursor_u16(&c), extra_len = cursor_u16(&c);
    const uint8_t *name = cursor_bytes(&c, name_len);
    struct shown shown;
    if (c.failed)
        return err_at(e, ERR_TRUNCATED, NULL, z->local, "'%s': the header ends too soon",
                      show(z, &shown));
    if (signature != ZIP_SIGNATURE_LOCAL || name_len != z->name_len || memcmp(name, z->name, name_len))
        return err_at(e, ERR_CORRUPT, NULL, z->local,
                      "'%s' is not where the archive's directory says", show(z, &shown));
    uint32_t header = (uint32_t)ZIP_LOCAL_MIN + name_len + extra_len;
    if (header > z->room || z->csize > z->room - header)
        return err_at(e, ERR_CORRUPT, NULL, z->local,
                      "'%s' is longer than its place: a header of %" PRIu32 " bytes and %" PRIu64
                      " bytes of data in %" PRIu64, show(z, &shown), header, z->csize, z->room);
    *data_at = header;
    return 0;
}

int64_t zip_time(uint32_t dos)
{
    struct tm tm = {
        .tm_year = (int)(dos >> 25) + 80,
        .tm_mon = (int)(dos >> 21 & 15) - 1,
        .tm_mday = (int)(dos >> 16 & 31),
        .tm_hour = (int)(dos >> 11 & 31),
        .tm_min = (int)(dos >> 5 & 63),
        .tm_sec = (int)(dos & 31) * 2,
    };

    if (tm.tm_mon < 0 || tm.tm_mon > 11 || !tm.tm_mday || tm.tm_hour > 23 || tm.tm_min > 59 ||
        tm.tm_sec > 59)
        return 0;
    int day = tm.tm_mday;
    time_t seconds = timegm(&tm); /* and makes a day of March of the 30th of February */
    return tm.tm_mday == day ? filetime_from_timespec((struct timespec){ .tv_sec = seconds }) : 0;
}
