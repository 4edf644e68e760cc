/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writes ZIP archives in memory, right and wrong ones, for tests:
 *
 *     struct zip_image z = { 0 };
 *     zip_put(&z, "a.txt", ZIP_STORED, "abc", 3, 3, crc);
 *     zip_end(&z, NULL);
 */
#ifndef TESTS_ZIP_FIXTURE_H
#define TESTS_ZIP_FIXTURE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "src/codec.h"
#include "src/zip.h"

struct zip_image {
    uint8_t *data; /* owned */
    size_t len;
    uint8_t *central; /* owned; entries so far */
    size_t central_len;
    uint32_t count;
    /* To be set before what they are for is put. */
    size_t prefix;     /* bytes before the archive, which offsets do not count */
    bool zip64;        /* sizes and offsets in 64 bits throughout, as makeappx does */
    bool descriptors;  /* sizes behind the data */
    uint16_t flags;    /* further general purpose bits */
    uint16_t extra;    /* bytes of an extra field in local headers */
};

/* The size of the memory that LEN bytes are in: a power of two, so that it seldom grows. */
static inline size_t image_room(size_t len)
{
    size_t room = 4096;

    while (room < len)
        room *= 2;
    return room;
}

static inline void image_put(uint8_t **to, size_t *len, const void *bytes, size_t n)
{
    if (!*to || image_room(*len + n) != image_room(*len))
        *to = realloc(*to, image_room(*len + n));
    if (!*to)
        abort();
    if (n)
        memcpy(*to + *len, bytes, n);
    *len += n;
}

static inline void image_le(uint8_t **to, size_t *len, uint64_t value, unsigned width)
{
    uint8_t bytes[8];

    for (unsigned i = 0; i < width; i++)
        bytes[i] = (uint8_t)(value >> 8 * i);
    image_put(to, len, bytes, width);
}

static inline void zip_raw(struct zip_image *z, const void *bytes, size_t len)
{
    image_put(&z->data, &z->len, bytes, len);
}

/* The entry in the directory, for a local header at LOCAL. */
static inline void zip_put_central(struct zip_image *z, const char *name, unsigned method,
                                   uint64_t csize, uint64_t size, uint32_t crc, uint64_t local)
{
    uint8_t **to = &z->central;
    size_t *len = &z->central_len, name_len = strlen(name);
    bool wide = z->zip64 || size >= UINT32_MAX || csize >= UINT32_MAX || local >= UINT32_MAX;

    image_le(to, len, 0x02014b50, 4);
    image_le(to, len, 45 | 45 << 16, 4);
    image_le(to, len, z->flags | (z->descriptors ? ZIP_FLAG_DESCRIPTOR : 0), 2);
    image_le(to, len, method, 2);
    image_le(to, len, 0x5a21 << 16 | 0x6000, 4); /* 2025-01-01 12:00 */
    image_le(to, len, crc, 4);
    image_le(to, len, wide ? UINT32_MAX : csize, 4);
    image_le(to, len, wide ? UINT32_MAX : size, 4);
    image_le(to, len, name_len, 2);
    image_le(to, len, wide ? 28 : 0, 2);
    image_le(to, len, 0, 2 + 2 + 2);
    image_le(to, len, 0, 4);
    image_le(to, len, wide ? UINT32_MAX : local, 4);
    image_put(to, len, name, name_len);
    if (wide) {
        image_le(to, len, 1, 2);
        image_le(to, len, 24, 2);
        image_le(to, len, size, 8);
        image_le(to, len, csize, 8);
        image_le(to, len, local, 8);
    }
    z->count++;
}

/* Local header, data of CSIZE bytes, descriptor, and the entry in the directory. Returns where the data
 * is in the image. */
static inline size_t zip_put(struct zip_image *z, const char *name, unsigned method,
                             const void *data, uint64_t csize, uint64_t size, uint32_t crc)
{
    uint8_t **to = &z->data;
    size_t *len = &z->len, local = z->len - z->prefix;
    bool late = z->descriptors;

    image_le(to, len, 0x04034b50, 4);
    image_le(to, len, 45, 2);
    image_le(to, len, z->flags | (late ? ZIP_FLAG_DESCRIPTOR : 0), 2);
    image_le(to, len, method, 2);
    image_le(to, len, 0x5a21 << 16 | 0x6000, 4);
    image_le(to, len, late ? 0 : crc, 4);
    image_le(to, len, late ? 0 : csize, 4);
    image_le(to, len, late ? 0 : size, 4);
    image_le(to, len, strlen(name), 2);
    image_le(to, len, z->extra, 2);
    image_put(to, len, name, strlen(name));
    for (uint16_t i = 0; i < z->extra; i++)
        image_le(to, len, 0, 1);
    size_t at = *len;
    image_put(to, len, data, (size_t)csize);
    if (late) {
        image_le(to, len, 0x08074b50, 4);
        image_le(to, len, crc, 4);
        image_le(to, len, csize, z->zip64 ? 8 : 4);
        image_le(to, len, size, z->zip64 ? 8 : 4);
    }
    zip_put_central(z, name, method, csize, size, crc, local);
    return at;
}

/* A stored file. */
static inline size_t zip_put_stored(struct zip_image *z, const char *name, const void *data,
                                    size_t len)
{
    return zip_put(z, name, ZIP_STORED, data, len, len, codec_crc32(data, len));
}

/* Directory and end records. COMMENT may be NULL. */
static inline void zip_end(struct zip_image *z, const char *comment, size_t comment_len)
{
    uint8_t **to = &z->data;
    size_t *len = &z->len, at = z->len - z->prefix;
    bool wide = z->zip64 || z->count >= UINT16_MAX;

    image_put(to, len, z->central, z->central_len);
    size_t end64 = *len - z->prefix;
    if (wide) {
        image_le(to, len, 0x06064b50, 4);
        image_le(to, len, 44, 8);
        image_le(to, len, 45 | 45 << 16, 4);
        image_le(to, len, 0, 8);
        image_le(to, len, z->count, 8);
        image_le(to, len, z->count, 8);
        image_le(to, len, z->central_len, 8);
        image_le(to, len, at, 8);
        image_le(to, len, 0x07064b50, 4);
        image_le(to, len, 0, 4);
        image_le(to, len, end64, 8);
        image_le(to, len, 1, 4);
    }
    image_le(to, len, 0x06054b50, 4);
    image_le(to, len, 0, 4);
    image_le(to, len, wide ? UINT16_MAX : z->count, 2);
    image_le(to, len, wide ? UINT16_MAX : z->count, 2);
    image_le(to, len, wide ? UINT32_MAX : z->central_len, 4);
    image_le(to, len, wide ? UINT32_MAX : at, 4);
    image_le(to, len, comment_len, 2);
    image_put(to, len, comment, comment_len);
}

static inline void zip_image_free(struct zip_image *z)
{
    free(z->data);
    free(z->central);
    *z = (struct zip_image){ .data = NULL };
}

/* What a reader is given when the whole image is at hand. */
static inline struct container_input zip_input(const struct zip_image *z)
{
    return (struct container_input){ .size = z->len,
                                     .pieces = { { .data = z->data, .len = z->len } },
                                     .count = 1 };
}

#endif
