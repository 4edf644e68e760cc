/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rules of the archive of a package. See appx_rules.h. */
#include "config.h"

#include "src/appx_rules.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "src/appx_parts.h"
#include "src/cursor.h"
#include "src/name_index.h"
#include "src/opc_name.h"
#include "src/pool.h"
#include "src/xml_stream.h"

#define NAME_SHOWN       100
#define DESCRIPTOR_MAX   24u
#define DESCRIPTOR_MAGIC 0x08074b50u
#define EXTRA_ZIP64      1u
#define TYPES_MAX        (64u * 1024u * 1024u)

/* What the bytes up to END are. */
enum phase { BETWEEN, HEADER, NAME, DATA, BEHIND, OVER };

struct appx_rules {
    const struct zip_directory *directory;
    const struct blockmap *map;
    struct appx_findings *out;
    const struct zip_entry **entries; /* by place; owned */
    uint32_t at;                      /* which entry */
    uint64_t pos, end;
    enum phase phase;
    uint32_t data_at;                 /* of the entry, as its header says */
    uint8_t *buf;                     /* what was collected of the phase; owned */
    size_t have, room;
};

/* A local header with the longest name and extra field. */
#define HEADER_MAX (ZIP_LOCAL_MIN + 2u * UINT16_MAX)

/* --- findings ----------------------------------------------------------------------------------- */

static void printf_like(3, 4) find(struct appx_rules *r, const struct zip_entry *z, const char *fmt, ...)
{
    struct appx_findings *out = r->out;
    char what[160];
    va_list args;

    if (out->count++ >= APPX_FINDINGS_MAX)
        return;
    va_start(args, fmt);
    (void)vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    char *text = out->text[out->count - 1];
    if (z)
        (void)snprintf(text, sizeof out->text[0], "'%.*s': %s",
                       z->name_len < NAME_SHOWN ? z->name_len : NAME_SHOWN, z->name, what);
    else
        (void)snprintf(text, sizeof out->text[0], "%s", what);
}

/* --- what the directory says -------------------------------------------------------------------- */

static bool same_but_for_case(const char *a, size_t a_len, const char *b, size_t b_len)
{
    return a_len == b_len && !strncasecmp(a, b, a_len);
}

static const struct blockmap_file *mapped(const struct appx_rules *r, const struct zip_entry *z)
{
    auto_free char *name = malloc((size_t)z->name_len + 1);
    long len = r->map && name ? opc_name_decode(z->name, z->name_len, name, NULL) : -1;

    return len < 0 ? NULL : blockmap_find(r->map, name, (size_t)len);
}

static void check_name(struct appx_rules *r, const struct zip_entry *z)
{
    auto_free char *name = malloc((size_t)z->name_len + 1);
    auto_free char *encoded = malloc(3 * (size_t)z->name_len + 1);
    const char *types = appx_part_name(APPX_CONTENT_TYPES);

    if (!name || !encoded || (z->name_len == strlen(types) && !memcmp(z->name, types, z->name_len)))
        return;
    if (z->name_len && z->name[z->name_len - 1] == '/') {
        find(r, z, "a directory has an entry of its own");
        return;
    }
    long len = opc_name_decode(z->name, z->name_len, name, NULL);
    if (len < 0) {
        find(r, z, "not a name that a file can have");
        return;
    }
    size_t n = opc_name_encode(name, (size_t)len, encoded);
    if (!same_but_for_case(z->name, z->name_len, encoded, n)) /* of hexadecimal digits, that is */
        find(r, z, "the name is not percent-encoded as it should be: '%.*s'", NAME_SHOWN, encoded);
}

/* Blocks of a deflated file must be found by the sizes in the block map. */
static void check_sizes(struct appx_rules *r, const struct zip_entry *z)
{
    const struct blockmap_file *f = z->method == ZIP_DEFLATED ? mapped(r, z) : NULL;
    uint64_t sum = 0;

    for (uint32_t i = 0; f && i < f->block_count; i++) {
        uint32_t size = blockmap_stored_size(r->map, f, i);
        if (!size) {
            find(r, z, "the block map does not say how long its blocks are");
            return;
        }
        sum += size;
    }
    if (f && f->block_count && sum != z->csize && sum + 2 != z->csize)
        find(r, z, "its blocks in the block map have %" PRIu64 " bytes, in the archive it has %" PRIu64, sum,
             z->csize);
}

static int compare_places(const void *a, const void *b)
{
    const struct zip_entry *x = *(const struct zip_entry *const *)a;
    const struct zip_entry *y = *(const struct zip_entry *const *)b;

    return (x->local > y->local) - (x->local < y->local);
}

/* Begins entry number r->at, or the end. */
static void begin_entry(struct appx_rules *r)
{
    bool more = r->at < r->directory->count;

    r->have = 0;
    r->phase = more ? HEADER : OVER;
    r->end = more ? r->entries[r->at]->local + ZIP_LOCAL_MIN : UINT64_MAX;
}

int appx_rules_new(const struct zip_directory *d, const struct blockmap *map, struct appx_findings *out,
                   struct appx_rules **rules, struct err *e)
{
    struct appx_rules *r = calloc(1, sizeof *r);

    if (r) {
        *r = (struct appx_rules){ .directory = d, .map = map, .out = out, .room = HEADER_MAX };
        r->entries = malloc(((size_t)d->count + 1) * sizeof *r->entries);
        r->buf = malloc(r->room);
    }
    if (!r || !r->entries || !r->buf) {
        appx_rules_free(r);
        return err_nomem(e);
    }
    out->count = 0;
    for (uint32_t i = 0; i < d->count; i++)
        r->entries[i] = &d->entries[i];
    qsort(r->entries, d->count, sizeof *r->entries, compare_places);
    for (uint32_t i = 0; i < d->count; i++) {
        check_name(r, r->entries[i]);
        check_sizes(r, r->entries[i]);
    }
    if (d->count && r->entries[0]->local)
        find(r, NULL, "%" PRIu64 " bytes in front of the archive belong to no file", r->entries[0]->local);
    r->phase = BETWEEN;
    r->end = d->count ? r->entries[0]->local : UINT64_MAX;
    *rules = r;
    return 0;
}

void appx_rules_free(struct appx_rules *r)
{
    if (!r)
        return;
    free(r->entries);
    free(r->buf);
    free(r);
}

/* --- what goes by ------------------------------------------------------------------------------- */

/* Sizes that do not fit are in the ZIP64 field. */
static void read_wide(struct cursor extra, uint64_t *size, uint64_t *csize)
{
    while (cursor_left(&extra) >= 4) {
        uint16_t id = cursor_u16(&extra), len = cursor_u16(&extra);
        const uint8_t *data = cursor_bytes(&extra, len);
        if (!data)
            return; /* the field is longer than what holds it */
        if (id != EXTRA_ZIP64)
            continue;
        struct cursor c = cursor_over(data, len);
        if (*size == UINT32_MAX)
            *size = cursor_u64(&c);
        if (*csize == UINT32_MAX)
            *csize = cursor_u64(&c);
        return;
    }
}

/* The whole header is at hand. */
static void check_header(struct appx_rules *r, const struct zip_entry *z)
{
    struct cursor c = cursor_over(r->buf, r->have);
    struct err e;

    if (zip_local_header(z, r->buf, r->have, &r->data_at, &e)) {
        find(r, NULL, "%s", e.text);
        return;
    }
    (void)cursor_bytes(&c, 6); /* signature, version */
    uint16_t flags = cursor_u16(&c), method = cursor_u16(&c);
    (void)cursor_u32(&c); /* time */
    uint32_t crc = cursor_u32(&c);
    uint64_t csize = cursor_u32(&c), size = cursor_u32(&c);
    uint16_t name_len = cursor_u16(&c), extra_len = cursor_u16(&c);
    (void)cursor_bytes(&c, name_len);
    const uint8_t *extra = cursor_bytes(&c, extra_len);
    if (extra)
        read_wide(cursor_over(extra, extra_len), &size, &csize);
    bool descriptor = z->flags & ZIP_FLAG_DESCRIPTOR;
    if (method != z->method || (flags ^ z->flags) & ZIP_FLAG_DESCRIPTOR)
        find(r, z, "method or flags of its header are not those of the archive's directory");
    else if (!(descriptor && !crc && !csize && !size) &&
             (crc != z->crc || csize != z->csize || size != z->size))
        find(r, z, "sizes or checksum of its header are not those of the archive's directory");
    const struct blockmap_file *f = mapped(r, z);
    if (f && f->local_size != r->data_at)
        find(r, z, "its header has %" PRIu32 " bytes, and %" PRIu32 " in the block map", r->data_at,
             f->local_size);
}

static bool is_descriptor(const struct zip_entry *z, const uint8_t *bytes, uint64_t len)
{
    bool magic = len == 16 || len == 24, wide = len >= 20;

    if (!magic && len != 12 && len != 20)
        return false;
    struct cursor c = cursor_over(bytes, (size_t)len);
    if (magic && cursor_u32(&c) != DESCRIPTOR_MAGIC)
        return false;
    uint32_t crc = cursor_u32(&c);
    uint64_t csize = wide ? cursor_u64(&c) : cursor_u32(&c);
    uint64_t size = wide ? cursor_u64(&c) : cursor_u32(&c);
    return crc == z->crc && csize == z->csize && size == z->size;
}

static void check_behind(struct appx_rules *r, const struct zip_entry *z)
{
    uint64_t len = z->room - r->data_at - z->csize; /* zip_local_header() has seen that it fits */

    if (z->flags & ZIP_FLAG_DESCRIPTOR) {
        if (len > DESCRIPTOR_MAX || !is_descriptor(z, r->buf, len))
            find(r, z, "what follows its data is not the descriptor that it should be");
    } else if (len) {
        find(r, z, "%" PRIu64 " bytes behind it belong to no file", len);
    }
}

/* The bytes up to r->end have gone by. */
static void next_phase(struct appx_rules *r)
{
    const struct zip_entry *z = r->phase == BETWEEN ? NULL : r->entries[r->at];

    switch (r->phase) {
    case BETWEEN:
        begin_entry(r);
        break;
    case HEADER: {
        struct cursor c = cursor_over(r->buf + 26, 4);
        uint32_t more = cursor_u16(&c);
        more += cursor_u16(&c);
        r->phase = NAME;
        r->end = min_u64(r->end + more, z->local + z->room);
        break;
    }
    case NAME:
        r->data_at = 0;
        check_header(r, z);
        r->have = 0;
        r->phase = r->data_at ? DATA : BEHIND; /* of a header that is none nothing else can be said */
        r->end = r->data_at ? z->local + r->data_at + z->csize : z->local + z->room;
        break;
    case DATA:
        r->have = 0;
        r->phase = BEHIND;
        r->end = z->local + z->room;
        break;
    default: /* BEHIND */
        if (r->data_at)
            check_behind(r, z);
        r->at++;
        begin_entry(r);
        break;
    }
}

void appx_rules_feed(struct appx_rules *r, const void *data, size_t len)
{
    const uint8_t *p = data;

    for (;;) {
        while (r->phase != OVER && r->pos == r->end)
            next_phase(r);
        size_t n = (size_t)min_u64(len, r->end - r->pos);
        if (!n || r->phase == OVER)
            return;
        if (r->phase != DATA && r->phase != BETWEEN) {
            size_t take = (size_t)min_u64(n, r->room - r->have); /* behind an entry there may be much */
            memcpy(r->buf + r->have, p, take);
            r->have += take;
        }
        r->pos += n;
        p += n;
        len -= n;
    }
}

/* --- content types ------------------------------------------------------------------------------ */

/* Endings and names of parts that have a type. */
enum { BY_ENDING, BY_NAME };

struct types {
    struct name_index *names;
    struct pool *pool;
};

static int take_type(void *arg, const struct xml_tag *tag, struct err *e)
{
    struct types *t = arg;
    bool by_name = xml_tag_is(tag, "Override");
    size_t len;
    uint32_t found;

    if (tag->depth == 0 && !xml_tag_is(tag, "Types"))
        return err_set(e, ERR_XML, "the root element is not Types");
    if (tag->depth != 1 || (!by_name && !xml_tag_is(tag, "Default")))
        return 0;
    const char *value = xml_tag_attr(tag, by_name ? "PartName" : "Extension", &len);
    if (!value || (by_name && (!len || *value != '/')))
        return 0;
    char *name = pool_strndup(t->pool, value + by_name, len - by_name);
    return name ? name_index_add(t->names, by_name ? BY_NAME : BY_ENDING, name, len - by_name, 0, &found, e)
                : err_nomem(e);
}

/* Whether the part Z has a type. */
static bool has_type(const struct types *t, const struct zip_entry *z)
{
    const char *slash = memrchr(z->name, '/', z->name_len);
    const char *base = slash ? slash + 1 : z->name, *end = z->name + z->name_len;
    const char *dot = memrchr(base, '.', (size_t)(end - base));

    return (dot && name_index_find(t->names, BY_ENDING, dot + 1, (size_t)(end - dot) - 1) !=
                       NAME_INDEX_NONE) ||
           name_index_find(t->names, BY_NAME, z->name, z->name_len) != NAME_INDEX_NONE;
}

static void check_types(struct appx_rules *r, const struct types *t)
{
    const char *own = appx_part_name(APPX_CONTENT_TYPES);

    for (uint32_t i = 0; i < r->directory->count; i++) {
        const struct zip_entry *z = r->entries[i];
        if (!(z->name_len == strlen(own) && !memcmp(z->name, own, z->name_len)) && !has_type(t, z))
            find(r, z, "it has no content type in %s", own);
    }
}

int appx_rules_types(struct appx_rules *r, const void *data, size_t len, struct err *e)
{
    static const struct xml_stream_reader reader = { .start = take_type };
    struct types t = { .pool = pool_new() };
    struct err why;

    if (!data) {
        find(r, NULL, "%s is missing", appx_part_name(APPX_CONTENT_TYPES));
        pool_free(t.pool);
        return 0;
    }
    int rc = t.pool ? name_index_new(&t.names, &why) : err_nomem(&why);
    if (!rc)
        rc = xml_stream(data, len, TYPES_MAX, &reader, &t, &why);
    if (!rc)
        check_types(r, &t);
    else if (why.kind != ERR_NO_MEMORY)
        find(r, NULL, "%s: %s", appx_part_name(APPX_CONTENT_TYPES), why.text);
    name_index_free(t.names);
    pool_free(t.pool);
    return rc && why.kind == ERR_NO_MEMORY ? err_nomem(e) : 0;
}
