/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ZIP: from the end of the object to its directory, and the directory's entries. See zip.h.
 *
 * The end record is looked for from the back and must reach exactly to the end of the object with its
 * comment, so that one in a comment is not taken for it. Offsets in the archive may be counted from
 * its own beginning, behind whatever was put in front of it: the directory must end where the end
 * records begin, and that tells.
 */
#include "config.h"

#include "src/zip.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "src/cursor.h"
#include "src/package.h"

enum {
    END_SIZE = 22,
    COMMENT_MAX = 65535,
    LOCATOR_SIZE = 20,
    END64_SIZE = 56, /* of version 1; longer ones are possible */
    CENTRAL_SIZE = 46,
    TAIL = 128 * 1024, /* holds the end records with any comment, and many a directory */
    EXTRA_ZIP64 = 1,
};

#define SIGNATURE_LOCAL   0x04034b50u
#define SIGNATURE_CENTRAL 0x02014b50u
#define SIGNATURE_END     0x06054b50u
#define SIGNATURE_END64   0x06064b50u
#define SIGNATURE_LOCATOR 0x07064b50u

/* General purpose bits that mean what is not done here: encrypted, patch data, strong or masked
 * encryption. */
#define FLAGS_ENCRYPTED (1u << 0 | 1u << 6 | 1u << 13)
#define FLAG_PATCH      (1u << 5)

/* What the end records say. */
struct end {
    uint64_t at;      /* of the first of them */
    uint64_t entries, length, offset;
    uint64_t prefix;
    bool zip64;
};

bool zip_begins(const struct container_input *in)
{
    const uint8_t *head = container_input_at(in, 0, 4);

    return head && (!memcmp(head, "PK\003\004", 4) || !memcmp(head, "PK\005\006", 4));
}

/* --- end records ------------------------------------------------------------------------------ */

/* The range of the object's last bytes that are looked through. */
static struct byte_range tail_of(const struct container_input *in)
{
    uint64_t len = min_u64(in->size, TAIL);
    return (struct byte_range){ in->size - len, len };
}

/* Where the end record is among the tail's LEN bytes, or -1. */
static long find_end(const uint8_t *tail, size_t len)
{
    for (size_t back = END_SIZE; back <= len && back <= END_SIZE + COMMENT_MAX; back++) {
        struct cursor c = cursor_over(tail + len - back, back);
        if (cursor_u32(&c) != SIGNATURE_END)
            continue;
        (void)cursor_bytes(&c, END_SIZE - 4 - 2);
        if (cursor_u16(&c) == back - END_SIZE && !c.failed)
            return (long)(len - back);
    }
    return -1;
}

static int read_end(const uint8_t *bytes, struct end *end, struct err *e)
{
    struct cursor c = cursor_over(bytes, END_SIZE);

    (void)cursor_u32(&c);
    uint16_t disk = cursor_u16(&c), first_disk = cursor_u16(&c);
    uint16_t here = cursor_u16(&c), all = cursor_u16(&c);
    end->entries = all;
    end->length = cursor_u32(&c);
    end->offset = cursor_u32(&c);
    if ((disk && disk != UINT16_MAX) || (first_disk && first_disk != UINT16_MAX) || here != all)
        return err_at(e, ERR_UNSUPPORTED, NULL, end->at,
                      "one part of a ZIP archive that was split; join the parts first");
    return 0;
}

static bool read_end64(const uint8_t *bytes, struct end *end)
{
    struct cursor c = cursor_over(bytes, END64_SIZE);

    if (cursor_u32(&c) != SIGNATURE_END64)
        return false;
    (void)cursor_bytes(&c, 8 + 2 + 2 + 4 + 4 + 8); /* length, versions, disks, entries here */
    end->entries = cursor_u64(&c);
    end->length = cursor_u64(&c);
    end->offset = cursor_u64(&c);
    end->zip64 = true;
    return !c.failed;
}

/* The ZIP64 record before the end record, if there is one: where its locator says, or, when there is
 * something in front of the archive, right before that. */
static int find_end64(const uint8_t *tail, uint64_t tail_at, size_t end_at, struct end *end,
                      struct err *e)
{
    bool wanted = end->entries == UINT16_MAX || end->length == UINT32_MAX ||
                  end->offset == UINT32_MAX;

    if (end_at < LOCATOR_SIZE)
        return 0;
    size_t locator = end_at - LOCATOR_SIZE;
    struct cursor c = cursor_over(tail + locator, LOCATOR_SIZE);
    if (cursor_u32(&c) != SIGNATURE_LOCATOR)
        return wanted ? err_at(e, ERR_CORRUPT, NULL, end->at, "the ZIP64 end record is missing") : 0;
    (void)cursor_u32(&c);
    uint64_t named = cursor_u64(&c);
    size_t last = locator >= END64_SIZE ? locator - END64_SIZE : 0;
    if (named >= tail_at && named - tail_at <= last &&
        read_end64(tail + (size_t)(named - tail_at), end)) {
        end->at = named;
        return 0;
    }
    if (locator >= END64_SIZE && read_end64(tail + last, end)) {
        end->at = tail_at + last;
        return 0;
    }
    return err_at(e, ERR_CORRUPT, NULL, tail_at + locator, "the ZIP64 end record is not where it should be");
}

/* What the directory's place says of bytes in front of the archive. */
static int find_prefix(const struct container_input *in, struct end *end, struct err *e)
{
    uint64_t named_end;

    if (end->entries > ZIP_ENTRIES_MAX)
        return err_at(e, ERR_LIMIT, NULL, end->at, "%" PRIu64 " files are too many", end->entries);
    if (add_overflows(end->offset, end->length, &named_end) || named_end > end->at ||
        end->entries > end->length / CENTRAL_SIZE)
        return err_at(e, ERR_CORRUPT, NULL, end->at,
                      "the directory (%" PRIu64 " bytes at %" PRIu64 ", %" PRIu64
                      " files) is not inside the archive", end->length, end->offset, end->entries);
    end->prefix = end->at - named_end;
    /* Something may also stand between directory and end record (a signature, say). */
    const uint8_t *there = end->length ? container_input_at(in, end->offset, 4) : NULL;
    if (end->prefix && there && !memcmp(there, "PK\001\002", 4))
        end->prefix = 0;
    return 0;
}

/* 1: *want is needed; 0: *end is filled. */
static int locate(const struct container_input *in, struct end *end, struct byte_range *want,
                  struct err *e)
{
    struct byte_range tail = tail_of(in);
    const uint8_t *bytes = container_input_at(in, tail.offset, tail.length);

    if (!bytes) {
        uint64_t run = container_input_run(in, tail.offset); /* the head may reach into it */
        *want = (struct byte_range){ tail.offset + run, tail.length - run };
        return 1;
    }
    long at = find_end(bytes, (size_t)tail.length);
    if (at < 0)
        return err_set(e, ERR_NOT_A_PACKAGE,
                       "not a package: no end record of a ZIP archive at its end; is the file whole?");
    *end = (struct end){ .at = tail.offset + (uint64_t)at };
    int rc = read_end(bytes + at, end, e);
    if (!rc)
        rc = find_end64(bytes, tail.offset, (size_t)at, end, e);
    return rc ? rc : find_prefix(in, end, e);
}

int zip_need(const struct container_input *in, struct byte_range *want, struct err *e)
{
    struct end end;
    int rc = locate(in, &end, want, e);

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

/* Fields that do not fit into 32 bits stand in an extra field, in this order. */
static void read_zip64_extra(struct cursor extra, struct zip_entry *z)
{
    while (cursor_left(&extra) >= 4) {
        uint16_t id = cursor_u16(&extra), len = cursor_u16(&extra);
        const uint8_t *data = cursor_bytes(&extra, len);
        if (!data)
            return; /* the field is longer than what holds it */
        if (id != EXTRA_ZIP64)
            continue;
        struct cursor c = cursor_over(data, len);
        uint64_t *fields[] = { &z->size, &z->csize, &z->local };
        for (size_t i = 0; i < ARRAY_LEN(fields); i++)
            if (*fields[i] == UINT32_MAX && cursor_left(&c) >= 8)
                *fields[i] = cursor_u64(&c);
        return;
    }
}

static int read_entry(struct cursor *c, const struct end *end, struct zip_entry *z, struct err *e)
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
    if (c->failed || signature != SIGNATURE_CENTRAL)
        return err_at(e, ERR_CORRUPT, NULL, at, "an entry of the archive's directory is damaged");
    if (disk && disk != UINT16_MAX)
        return err_at(e, ERR_UNSUPPORTED, NULL, at, "a file of an archive that was split");
    read_zip64_extra(cursor_over(extra, extra_len), z);
    if (z->flags & FLAGS_ENCRYPTED)
        return err_at(e, ERR_UNSUPPORTED, NULL, at, "'%.*s' is encrypted", (int)z->name_len, z->name);
    if (z->flags & FLAG_PATCH)
        return err_at(e, ERR_UNSUPPORTED, NULL, at, "'%.*s' is a patch", (int)z->name_len, z->name);
    if (add_overflows(z->local, end->prefix, &z->local))
        return err_at(e, ERR_CORRUPT, NULL, at, "'%.*s' is outside the archive", (int)z->name_len,
                      z->name);
    return 0;
}

static int compare_places(const void *a, const void *b)
{
    const struct zip_entry *x = *(struct zip_entry *const *)a, *y = *(struct zip_entry *const *)b;
    return (x->local > y->local) - (x->local < y->local);
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
        struct zip_entry *z = by_place[i];
        uint64_t end = i + 1 < d->count ? by_place[i + 1]->local : d->offset, need;
        if (add_overflows(z->csize, (uint64_t)ZIP_LOCAL_MIN + z->name_len, &need) ||
            z->local > end || need > end - z->local)
            return err_at(e, ERR_CORRUPT, NULL, z->local,
                          "'%.*s' reaches into what follows it in the archive", (int)z->name_len,
                          z->name);
        z->room = end - z->local;
    }
    return 0;
}

int zip_read(const struct container_input *in, struct zip_directory *out, struct err *e)
{
    struct byte_range want;
    struct end end;

    *out = (struct zip_directory){ .entries = NULL };
    int rc = locate(in, &end, &want, e);
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
        while (locator + LOCATOR_SIZE + END_SIZE <= len && memcmp(tail + locator, "PK\006\007", 4))
            locator++;
        if (locator + LOCATOR_SIZE + END_SIZE > len || locator < END64_SIZE)
            return; /* zip_read() has seen it */
        put_le(tail + 24, count, 8);
        put_le(tail + 32, count, 8);
        put_le(tail + 40, length, 8);
        put_le(tail + 48, offset, 8);
        put_le(tail + locator + 8, offset + length, 8);
        end = tail + locator + LOCATOR_SIZE;
    }
    if (end + END_SIZE > tail + len)
        return;
    patch(end + 8, count, 2);
    patch(end + 10, count, 2);
    patch(end + 12, length, 4);
    patch(end + 16, offset, 4);
}

int zip_directory_without(const struct container_input *in, const struct zip_directory *d,
                          const struct zip_entry *omitted, uint8_t **out, size_t *len, struct err *e)
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
        uint64_t entry = CENTRAL_SIZE + (uint64_t)cursor_u16(&c); /* name, extra fields, comment */
        entry += cursor_u16(&c);
        entry += cursor_u16(&c);
        if (&d->entries[i] != omitted) {
            memcpy(to + *len, bytes + at, (size_t)entry);
            *len += (size_t)entry;
        }
        at += entry;
    }
    uint64_t offset = d->offset - omitted->room;
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
    if (c.failed)
        return err_at(e, ERR_TRUNCATED, NULL, z->local, "'%.*s': the header ends too soon",
                      (int)z->name_len, z->name);
    if (signature != SIGNATURE_LOCAL || name_len != z->name_len || memcmp(name, z->name, name_len))
        return err_at(e, ERR_CORRUPT, NULL, z->local,
                      "'%.*s' is not where the archive's directory says", (int)z->name_len, z->name);
    uint32_t header = (uint32_t)ZIP_LOCAL_MIN + name_len + extra_len;
    if (header > z->room || z->csize > z->room - header)
        return err_at(e, ERR_CORRUPT, NULL, z->local,
                      "'%.*s' is longer than its place: a header of %" PRIu32 " bytes and %" PRIu64
                      " bytes of data in %" PRIu64, (int)z->name_len, z->name, header, z->csize,
                      z->room);
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
    return filetime_from_timespec((struct timespec){ .tv_sec = timegm(&tm) });
}
