/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Entries that are done are kept as the bytes they will be in the directory. See zip_write.h. */
#include "config.h"

#include "src/zip_write.h"

#include <inttypes.h>
#include <string.h>

#include "src/list.h"
#include "src/zip_end.h"

#define VERSION_PLAIN   20u /* deflate */
#define VERSION_64      45u
#define MADE_BY         VERSION_64 /* on MS-DOS, as makeappx says: no Unix attributes */
#define EXTRA_64        1u

/* An entry that may grow beyond 32 bits when it is deflated gets the long form at once: its local
 * header cannot get longer afterwards. Deflate adds less than a thousandth and some bytes. */
#define PLAIN_SIZE_MAX UINT64_C(0xF0000000)

struct zip_writer {
    struct zip_sink sink;
    uint64_t length;
    struct list directory; /* bytes */
    size_t directory_len;
    uint64_t count;
    /* Of the entry that is open. */
    char *name; /* owned; NULL between entries */
    uint16_t name_len;
    uint16_t method;
    uint32_t dos_time;
    uint64_t local, data, size;
    bool wide;
};

struct bytes {
    uint8_t at[96];
    size_t len;
};

static void put(struct bytes *b, uint64_t value, unsigned width)
{
    for (unsigned i = 0; i < width; i++)
        b->at[b->len++] = (uint8_t)(value >> 8 * i);
}

static int append(struct zip_writer *w, const void *data, size_t len, struct err *e)
{
    int rc = len ? w->sink.append(w->sink.arg, data, len, e) : 0;
    if (!rc)
        w->length += len;
    return rc;
}

static int remember(struct zip_writer *w, const void *data, size_t len, struct err *e)
{
    struct list *l = &w->directory;
    if (len > l->room - w->directory_len) {
        size_t room = w->directory_len + w->directory_len / 2 + len + 4096;
        void *grown = realloc(l->items, room);
        if (!grown)
            return err_nomem(e);
        *l = (struct list){ grown, room };
    }
    memcpy((uint8_t *)l->items + w->directory_len, data, len);
    w->directory_len += len;
    return 0;
}

int zip_writer_new(const struct zip_sink *sink, struct zip_writer **out, struct err *e)
{
    *out = calloc(1, sizeof **out);
    if (!*out)
        return err_nomem(e);
    (*out)->sink = *sink;
    return 0;
}

void zip_writer_free(struct zip_writer *w)
{
    if (!w)
        return;
    free(w->directory.items);
    free(w->name);
    free(w);
}

uint64_t zip_writer_length(const struct zip_writer *w)
{
    return w->length;
}

/* --- entries ---------------------------------------------------------------------------------- */

/* The local header but for the name, in two parts: before and after it. */
static struct bytes local_header(const struct zip_writer *w, uint32_t crc, uint64_t csize)
{
    struct bytes b = { .len = 0 };
    put(&b, ZIP_SIGNATURE_LOCAL, 4);
    put(&b, w->wide ? VERSION_64 : VERSION_PLAIN, 2);
    put(&b, 0, 2); /* flags: nothing special */
    put(&b, w->method, 2);
    put(&b, w->dos_time, 4);
    put(&b, crc, 4);
    put(&b, w->wide ? UINT32_MAX : csize, 4);
    put(&b, w->wide ? UINT32_MAX : w->size, 4);
    put(&b, w->name_len, 2);
    put(&b, w->wide ? 20 : 0, 2);
    return b;
}

static struct bytes local_extra(const struct zip_writer *w, uint64_t csize)
{
    struct bytes b = { .len = 0 };
    if (w->wide) {
        put(&b, EXTRA_64, 2);
        put(&b, 16, 2);
        put(&b, w->size, 8);
        put(&b, csize, 8);
    }
    return b;
}

int zip_write_begin(struct zip_writer *w, const char *name, enum zip_method method,
                    uint32_t dos_time, uint64_t size, uint32_t *header_len, struct err *e)
{
    size_t len = strlen(name);
    if (len > UINT16_MAX)
        return err_set(e, ERR_LIMIT, "the name has %zu bytes, a ZIP archive holds %u", len,
                       UINT16_MAX);
    w->name = strdup(name);
    if (!w->name)
        return err_nomem(e);
    w->name_len = (uint16_t)len;
    w->method = (uint16_t)method;
    w->dos_time = dos_time;
    w->size = size;
    w->wide = size > PLAIN_SIZE_MAX;
    w->local = w->length;
    struct bytes head = local_header(w, 0, 0), extra = local_extra(w, 0);
    int rc = append(w, head.at, head.len, e);
    if (!rc)
        rc = append(w, name, len, e);
    if (!rc)
        rc = append(w, extra.at, extra.len, e);
    w->data = w->length;
    *header_len = (uint32_t)(w->data - w->local);
    return rc;
}

int zip_write_data(struct zip_writer *w, const void *data, size_t len, struct err *e)
{
    return append(w, data, len, e);
}

/* The entry in the directory; of the 64-bit numbers only those that are needed (APPNOTE 4.5.3). */
static int add_to_directory(struct zip_writer *w, uint32_t crc, uint64_t csize, struct err *e)
{
    bool far = w->local >= UINT32_MAX;
    struct bytes extra = { .len = 0 }, b = { .len = 0 };
    if (w->wide || far) {
        put(&extra, EXTRA_64, 2);
        put(&extra, (w->wide ? 16u : 0u) + (far ? 8u : 0u), 2);
    }
    if (w->wide) {
        put(&extra, w->size, 8);
        put(&extra, csize, 8);
    }
    if (far)
        put(&extra, w->local, 8);
    put(&b, ZIP_SIGNATURE_CENTRAL, 4);
    put(&b, MADE_BY, 2);
    put(&b, extra.len ? VERSION_64 : VERSION_PLAIN, 2);
    put(&b, 0, 2);
    put(&b, w->method, 2);
    put(&b, w->dos_time, 4);
    put(&b, crc, 4);
    put(&b, w->wide ? UINT32_MAX : csize, 4);
    put(&b, w->wide ? UINT32_MAX : w->size, 4);
    put(&b, w->name_len, 2);
    put(&b, extra.len, 2);
    put(&b, 0, 2 + 2 + 2); /* comment, disk, internal attributes */
    put(&b, 0, 4);         /* external attributes */
    put(&b, far ? UINT32_MAX : w->local, 4);
    int rc = remember(w, b.at, b.len, e);
    if (!rc)
        rc = remember(w, w->name, w->name_len, e);
    return rc ? rc : remember(w, extra.at, extra.len, e);
}

int zip_write_end(struct zip_writer *w, uint32_t crc, struct err *e)
{
    uint64_t csize = w->length - w->data;
    struct bytes head = local_header(w, crc, csize), extra = local_extra(w, csize);
    int rc = 0;
    if (!w->wide && csize >= UINT32_MAX)
        return err_set(e, ERR_LIMIT, "the entry grew to %" PRIu64 " bytes", csize);
    if (csize)
        rc = w->sink.overwrite(w->sink.arg, w->local, head.at, head.len, e);
    if (!rc && extra.len)
        rc = w->sink.overwrite(w->sink.arg, w->data - extra.len, extra.at, extra.len, e);
    if (!rc)
        rc = add_to_directory(w, crc, csize, e);
    w->count++;
    free(w->name);
    w->name = NULL;
    return rc;
}

/* --- the end ---------------------------------------------------------------------------------- */

int zip_write_finish(struct zip_writer *w, struct err *e)
{
    uint64_t at = w->length, len = w->directory_len, count = w->count;
    bool wide = count >= UINT16_MAX || at >= UINT32_MAX || len >= UINT32_MAX;
    struct bytes b = { .len = 0 };
    int rc = append(w, w->directory.items, w->directory_len, e);
    if (rc)
        return rc;
    if (wide) {
        put(&b, ZIP_SIGNATURE_END64, 4);
        put(&b, ZIP_END64_SIZE - 12, 8);
        put(&b, MADE_BY, 2);
        put(&b, VERSION_64, 2);
        put(&b, 0, 8); /* disks */
        put(&b, count, 8);
        put(&b, count, 8);
        put(&b, len, 8);
        put(&b, at, 8);
        put(&b, ZIP_SIGNATURE_LOCATOR, 4);
        put(&b, 0, 4);
        put(&b, at + len, 8);
        put(&b, 1, 4);
        rc = append(w, b.at, b.len, e);
        b.len = 0;
    }
    put(&b, ZIP_SIGNATURE_END, 4);
    put(&b, 0, 4);
    put(&b, wide ? UINT16_MAX : count, 2);
    put(&b, wide ? UINT16_MAX : count, 2);
    put(&b, wide ? UINT32_MAX : len, 4);
    put(&b, wide ? UINT32_MAX : at, 4);
    put(&b, 0, 2);
    return rc ? rc : append(w, b.at, b.len, e);
}

uint32_t zip_time_of(time_t t)
{
    struct tm tm;
    if (!gmtime_r(&t, &tm) || tm.tm_year < 80)
        return ZIP_TIME_MIN;
    if (tm.tm_year > 207)
        tm = (struct tm){ .tm_year = 207, .tm_mon = 11, .tm_mday = 31, .tm_hour = 23,
                          .tm_min = 59, .tm_sec = 58 };
    if (tm.tm_sec > 59) /* a leap second */
        tm.tm_sec = 59;
    return (uint32_t)(tm.tm_year - 80) << 25 | (uint32_t)(tm.tm_mon + 1) << 21 |
           (uint32_t)tm.tm_mday << 16 | (uint32_t)tm.tm_hour << 11 | (uint32_t)tm.tm_min << 5 |
           (uint32_t)tm.tm_sec / 2;
}
