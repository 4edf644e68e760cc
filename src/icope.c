/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The icon of a Windows program: section table, resource directory (type, name, language, always
 * three levels, so that a loop cannot be followed), icon group, pictures. Everything is read
 * through cursors over the file. See ico.h.
 */
#include "config.h"

#include "src/ico.h"

#include <string.h>

#include "src/cursor.h"

#define RT_ICON         3u
#define RT_GROUP_ICON   14u
#define RESOURCE_TABLE  2u
#define ANY_ID          UINT32_MAX
#define SUBDIRECTORY    0x80000000u
#define GROUP_MAX       64u
#define ICON_BYTES_MAX  (16u << 20) /* all pictures together; the same bytes may be named often */

struct pe {
    const uint8_t *data;
    size_t len;
    uint64_t sections;      /* file offset of the section table */
    uint32_t section_count;
    uint64_t resources;     /* file offset of the resource directory */
};

static struct cursor cursor_at(const struct pe *pe, uint64_t offset)
{
    struct cursor c = cursor_over(pe->data, pe->len);
    (void)cursor_bytes(&c, offset);
    return c;
}

static int damaged(struct err *e, uint64_t offset, const char *what)
{
    return err_at(e, ERR_CORRUPT, "PE", offset, "program file: %s", what);
}

/* File offset of the bytes loaded at RVA; 0 if no section has them (offset 0 is the header). */
static uint64_t offset_of(const struct pe *pe, uint32_t rva)
{
    struct cursor c = cursor_at(pe, pe->sections);

    for (uint32_t i = 0; i < pe->section_count && !c.failed; i++) {
        (void)cursor_bytes(&c, 12);
        uint32_t address = cursor_u32(&c);
        uint32_t raw_size = cursor_u32(&c);
        uint32_t raw = cursor_u32(&c);
        (void)cursor_bytes(&c, 16);
        if (!c.failed && rva >= address && rva - address < raw_size)
            return (uint64_t)raw + (rva - address);
    }
    return 0;
}

static int read_headers(struct pe *pe, struct err *e)
{
    struct cursor c = cursor_over(pe->data, pe->len);
    const uint8_t *mz = cursor_bytes(&c, 2);

    if (!mz || memcmp(mz, "MZ", 2) != 0)
        return err_set(e, ERR_UNSUPPORTED, "not a Windows program file");
    (void)cursor_bytes(&c, 0x3c - 2);
    uint32_t at = cursor_u32(&c);
    c = cursor_at(pe, at);
    const uint8_t *magic = cursor_bytes(&c, 4);
    if (!magic || memcmp(magic, "PE\0\0", 4) != 0)
        return err_set(e, ERR_UNSUPPORTED, "not a PE program file");
    (void)cursor_u16(&c);
    pe->section_count = cursor_u16(&c);
    (void)cursor_bytes(&c, 12);
    uint32_t optional_size = cursor_u16(&c);
    (void)cursor_u16(&c);
    uint64_t optional = cursor_offset(&c);
    uint16_t kind = cursor_u16(&c);
    if (c.failed || (kind != 0x10b && kind != 0x20b))
        return damaged(e, at, "no optional header");
    uint64_t tables = kind == 0x10b ? 92 : 108; /* where the number of data directories stands */
    pe->sections = optional + optional_size;
    c = cursor_at(pe, optional + tables);
    uint32_t table_count = cursor_u32(&c);
    (void)cursor_bytes(&c, RESOURCE_TABLE * 8);
    uint32_t rva = cursor_u32(&c);
    if (c.failed && optional_size > tables)
        return damaged(e, optional, "headers end early");
    if (c.failed || table_count <= RESOURCE_TABLE || !rva)
        return err_set(e, ERR_NOT_FOUND, "the program has no resources");
    pe->resources = offset_of(pe, rva);
    return pe->resources ? 0 : damaged(e, optional, "resources lie in no section");
}

/*
 * Finds ID (ANY_ID: the first entry) in the directory DIR bytes into the resources. 1 and *value
 * (an offset into the resources, with SUBDIRECTORY), 0 if there is none, or an error.
 */
static int find_entry(const struct pe *pe, uint32_t dir, uint32_t id, uint32_t *value,
                      struct err *e)
{
    struct cursor c = cursor_at(pe, pe->resources + dir);

    (void)cursor_bytes(&c, 12);
    uint32_t count = cursor_u16(&c);
    count += cursor_u16(&c);
    for (uint32_t i = 0; i < count && !c.failed; i++) {
        uint32_t entry_id = cursor_u32(&c);
        *value = cursor_u32(&c);
        if (!c.failed && (id == ANY_ID || entry_id == id))
            return 1;
    }
    return c.failed ? damaged(e, pe->resources + dir, "resource directory ends early") : 0;
}

/* The bytes of resource TYPE, ID in its first language. As find_entry(). */
static int find_resource(const struct pe *pe, uint32_t type, uint32_t id, struct cursor *out,
                         struct err *e)
{
    const uint32_t levels[] = { type, id, ANY_ID };
    uint32_t at = SUBDIRECTORY;

    for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
        if (!(at & SUBDIRECTORY))
            return damaged(e, pe->resources + at, "resource where a directory should be");
        int rc = find_entry(pe, at & ~SUBDIRECTORY, levels[i], &at, e);
        if (rc <= 0)
            return rc;
    }
    if (at & SUBDIRECTORY)
        return damaged(e, pe->resources, "resource directory has too many levels");
    struct cursor c = cursor_at(pe, pe->resources + at);
    uint32_t rva = cursor_u32(&c);
    uint32_t size = cursor_u32(&c);
    uint64_t offset = c.failed ? 0 : offset_of(pe, rva);
    c = cursor_at(pe, offset);
    const uint8_t *bytes = offset ? cursor_bytes(&c, size) : NULL;
    if (!bytes)
        return damaged(e, pe->resources + at, "resource lies outside the file");
    *out = cursor_over(bytes, size);
    return 1;
}

/* The pictures of an icon group, in its order; those that are missing are left out. */
static int read_group(const struct pe *pe, struct cursor group, struct ico_image *images,
                      size_t *count, struct err *e)
{
    uint64_t total = 0;

    (void)cursor_bytes(&group, 4);
    uint16_t n = cursor_u16(&group);
    for (uint16_t i = 0; i < n && i < GROUP_MAX; i++) {
        (void)cursor_bytes(&group, 12);
        uint16_t id = cursor_u16(&group);
        if (group.failed)
            return damaged(e, pe->resources, "icon group ends early");
        struct cursor picture;
        int rc = find_resource(pe, RT_ICON, id, &picture, e);
        if (rc < 0)
            return rc;
        size_t len = rc ? cursor_left(&picture) : 0;
        total += len;
        if (total > ICON_BYTES_MAX)
            return err_set(e, ERR_LIMIT, "the program's icon has more than %u bytes",
                           ICON_BYTES_MAX);
        if (len)
            images[(*count)++] = (struct ico_image){
                .kind = len > 8 && !memcmp(picture.p, "\x89PNG", 4) ? ICO_PNG : ICO_DIB,
                .data = picture.p,
                .len = len,
            };
    }
    return 0;
}

int ico_from_pe(const void *data, size_t data_len, uint8_t **out, size_t *len, struct err *e)
{
    struct pe pe = { .data = data, .len = data_len };
    struct cursor group;
    struct ico_image images[GROUP_MAX];
    size_t count = 0;
    int rc = read_headers(&pe, e);

    if (!rc)
        rc = find_resource(&pe, RT_GROUP_ICON, ANY_ID, &group, e);
    if (!rc)
        return err_set(e, ERR_NOT_FOUND, "the program has no icon");
    if (rc > 0)
        rc = read_group(&pe, group, images, &count, e);
    if (rc < 0)
        return rc;
    if (!count)
        return err_set(e, ERR_NOT_FOUND, "the program's icon has no pictures");
    rc = ico_write(images, count, out, len, e);
    if (rc && e && e->kind == ERR_INVALID) /* it is the program that is wrong, not our caller */
        return damaged(e, pe.resources, "a picture of its icon is damaged");
    return rc == -err_kind_errno(ERR_INVALID) ? -err_kind_errno(ERR_CORRUPT) : rc;
}
