/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Launch lists. See launch_list.h; the form is described in launch-list.md. A list is cut into
 * items in place, in a copy of its text; then each item is turned into blocks, of which a bitmap
 * knows those that are in a run already. Bitmaps of what has been done bound the work by the size
 * of the package and of the list, whatever the list repeats.
 */
#include "config.h"

#include "src/launch_list.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MAGIC     "sftfs-record "
#define MAGIC_LEN (sizeof MAGIC - 1)
#define BOM       "\xEF\xBB\xBF" /* editors of Windows write it */

/* --- lines ------------------------------------------------------------------------------------ */

/* A line being looked at; writable, NUL-terminated, without its end. */
struct line {
    char *text;
    size_t len;
    unsigned number;
};

static bool take_text(struct line *at, const char *text)
{
    size_t len = strlen(text);

    if (strncmp(at->text, text, len) != 0)
        return false;
    at->text += len;
    at->len -= len;
    return true;
}

/* A decimal number without sign or leading white space. */
static bool take_number(struct line *at, uint64_t max, uint64_t *out)
{
    uint64_t n = 0;
    size_t digits = 0;

    for (; at->text[digits] >= '0' && at->text[digits] <= '9'; digits++)
        if (mul_overflows(n, (uint64_t)10, &n) ||
            add_overflows(n, (uint64_t)(at->text[digits] - '0'), &n))
            return false;
    at->text += digits;
    at->len -= digits;
    *out = n;
    return digits && n <= max;
}

static bool take_guid(struct line *at, struct guid *out)
{
    char text[GUID_TEXT_SIZE];

    if (at->len < GUID_TEXT_SIZE - 1)
        return false;
    memcpy(text, at->text, GUID_TEXT_SIZE - 1);
    text[GUID_TEXT_SIZE - 1] = '\0';
    at->text += GUID_TEXT_SIZE - 1;
    at->len -= GUID_TEXT_SIZE - 1;
    return !guid_parse(text, out);
}

static int bad_line(const struct line *at, const char *what, struct err *e)
{
    return err_set(e, ERR_INVALID, "line %u: %s", at->number, what);
}

static int hex_value(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                                               : -1;
}

/* Undoes put_path() in place. False for what it cannot have written. */
static bool unescape(char *path)
{
    char *to = path;

    for (const char *from = path; *from; from++) {
        if (*from != '%') {
            *to++ = *from;
            continue;
        }
        int high = hex_value(from[1]), low = high < 0 ? -1 : hex_value(from[2]);
        if (low < 0 || !(high || low)) /* a NUL would end the path */
            return false;
        *to++ = (char)(high << 4 | low);
        from += 2;
    }
    *to = '\0';
    return to > path;
}

/* --- parsing ---------------------------------------------------------------------------------- */

static int add_item(struct launch_list *l, struct launch_item item, struct err *e)
{
    if (!(l->count & (l->count - 1))) { /* room for powers of two */
        struct launch_item *grown =
            realloc(l->items, (l->count ? 2 * l->count : 1) * sizeof *grown);
        if (!grown)
            return err_nomem(e);
        l->items = grown;
    }
    l->items[l->count++] = item;
    return 0;
}

static int parse_head(struct launch_list *l, struct line *at, struct err *e)
{
    uint64_t version, block_size;

    (void)take_text(at, MAGIC);
    if (!take_number(at, UINT64_MAX, &version))
        return bad_line(at, "not the first line of a recording", e);
    if (version != 1)
        return err_set(e, ERR_UNSUPPORTED, "a recording of form %" PRIu64 "; this version reads 1",
                       version);
    if (!take_text(at, " package=") || !take_guid(at, &l->package_guid) ||
        !take_text(at, " version=") || !take_guid(at, &l->version_guid) ||
        !take_text(at, " block-size=") || !take_number(at, BLOCK_SIZE_MAX, &block_size) || at->len)
        return bad_line(at, "not the first line of a recording", e);
    l->recorded = true;
    l->block_size = (uint32_t)block_size;
    return 0;
}

static int parse_use(struct launch_list *l, struct line *at, struct err *e)
{
    struct launch_item item = { .line = at->number };
    uint64_t block;

    if (!take_number(at, UINT32_MAX - 1, &block) || !take_text(at, " ") ||
        !take_number(at, INT64_MAX, &item.offset) || !take_text(at, " ") ||
        !take_number(at, l->block_size, &item.len) || !take_text(at, " ") || !item.len)
        return bad_line(at, "not BLOCK OFFSET LENGTH PATH", e);
    if (!unescape(at->text))
        return bad_line(at, "not a path", e);
    item.block = (uint32_t)block;
    item.path = at->text;
    return add_item(l, item, e);
}

static int parse_path(struct launch_list *l, struct line *at, struct err *e)
{
    static const char white[] = " \t\r";
    char *path = at->text + strspn(at->text, white);
    size_t len = strlen(path);

    while (len && strchr(white, path[len - 1]))
        path[--len] = '\0';
    if (!len || *path == '#')
        return 0;
    const struct launch_item item = { .path = path, .len = UINT64_MAX, .block = UINT32_MAX,
                                      .line = at->number };
    return add_item(l, item, e);
}

static int parse_line(struct launch_list *l, struct line *at, struct err *e)
{
    if (strlen(at->text) != at->len)
        return bad_line(at, "a NUL, so this is not text", e);
    if (at->len && at->text[at->len - 1] == '\r')
        at->text[--at->len] = '\0';
    if (!l->recorded && !l->count && launch_list_is_recording(at->text, at->len))
        return parse_head(l, at, e);
    if (!l->recorded)
        return parse_path(l, at, e);
    return !at->len || *at->text == '#' ? 0 : parse_use(l, at, e);
}

int launch_list_parse(const char *text, size_t len, struct launch_list *out, struct err *e)
{
    *out = (struct launch_list){ .recorded = false };
    if (len > LAUNCH_LIST_MAX)
        return err_set(e, ERR_LIMIT, "a launch list of more than %u bytes", LAUNCH_LIST_MAX);
    out->text = malloc(len + 1);
    if (!out->text)
        return err_nomem(e);
    if (len)
        memcpy(out->text, text, len);
    out->text[len] = '\0';

    struct line at = { .text = out->text };
    char *end = out->text + len, *next;
    if (len >= sizeof BOM - 1 && !memcmp(at.text, BOM, sizeof BOM - 1))
        at.text += sizeof BOM - 1;
    for (int rc; at.text < end; at.text = next) {
        char *stop = memchr(at.text, '\n', (size_t)(end - at.text));
        if (!stop && out->recorded) {
            out->cut = true;
            break;
        }
        next = stop ? stop + 1 : end;
        at.len = (size_t)((stop ? stop : end) - at.text);
        at.text[at.len] = '\0';
        at.number++;
        if ((rc = parse_line(out, &at, e)))
            return rc;
    }
    return 0;
}

void launch_list_clear(struct launch_list *l)
{
    free(l->items);
    free(l->text);
    *l = (struct launch_list){ .recorded = false };
}

/* --- from items to blocks --------------------------------------------------------------------- */

struct resolver {
    const struct package *p;
    const struct package_info *info;
    uint8_t *blocks; /* bitmap: is in a run */
    uint8_t *nodes;  /* bitmap: the whole file, or all below the directory, is in runs */
    struct block_run *runs;
    size_t count;
    uint64_t pieces; /* looked at so far */
};

/* More pieces than the files of any sensible package have: 4 TB in blocks of 64 KiB. */
#define PIECES_MAX (UINT64_C(1) << 26)

/* Sets the bit; true if it was set. */
static bool test_and_set(uint8_t *bitmap, uint32_t bit)
{
    uint8_t mask = (uint8_t)(1u << bit % 8);
    bool was = bitmap[bit / 8] & mask;

    bitmap[bit / 8] |= mask;
    return was;
}

static int add_block(struct resolver *r, uint32_t block, struct err *e)
{
    struct block_run *last = r->count ? &r->runs[r->count - 1] : NULL;

    if (test_and_set(r->blocks, block))
        return 0;
    if (last && last->first + last->count == block) {
        last->count++;
        return 0;
    }
    if (!(r->count & (r->count - 1))) {
        struct block_run *grown = realloc(r->runs, (r->count ? 2 * r->count : 1) * sizeof *grown);
        if (!grown)
            return err_nomem(e);
        r->runs = grown;
    }
    r->runs[r->count++] = (struct block_run){ block, 1 };
    return 0;
}

static int add_range(struct resolver *r, uint32_t file, uint64_t offset, uint64_t len,
                     struct err *e)
{
    struct piece pieces[64];
    uint64_t size = package_node(r->p, file)->size;
    int rc = 0;

    while (!rc && len && offset < size) {
        size_t n = package_map(r->p, file, offset, len, pieces, ARRAY_LEN(pieces));
        for (size_t i = 0; !rc && i < n; i++) {
            offset += pieces[i].len;
            len -= pieces[i].len;
            rc = add_block(r, pieces[i].block, e);
        }
        r->pieces += n;
        if (!n)
            break;
        if (r->pieces > PIECES_MAX)
            return err_set(e, ERR_LIMIT, "the files of the list are in too many pieces");
    }
    return rc;
}

/* The node behind NODE in depth-first order below TOP, or NODE_NONE; INTO false leaves out what is
 * below NODE. */
static uint32_t next_node(const struct package *p, uint32_t top, uint32_t node, bool into)
{
    const struct node *n = package_node(p, node);

    if (into && n->flags & NODE_DIR && n->child_count)
        return n->first_child;
    for (; node != top; node = package_node(p, node)->parent) {
        const struct node *parent = package_node(p, package_node(p, node)->parent);
        if (node + 1 < parent->first_child + parent->child_count)
            return node + 1;
    }
    return NODE_NONE;
}

/* A file, or all files below a directory, but for what was added whole before. */
static int add_tree(struct resolver *r, uint32_t top, struct err *e)
{
    int rc = 0;

    for (uint32_t i = top, next; !rc && i != NODE_NONE; i = next) {
        bool done = test_and_set(r->nodes, i);
        if (!done && !(package_node(r->p, i)->flags & NODE_DIR))
            rc = add_range(r, i, 0, UINT64_MAX, e);
        next = next_node(r->p, top, i, !done);
    }
    return rc;
}

static void note_unknown(struct launch_list_notes *notes, const struct launch_item *item)
{
    if (!notes->unknown++)
        (void)snprintf(notes->first_unknown, sizeof notes->first_unknown, "%s", item->path);
}

static int add(struct resolver *r, const struct launch_list *l, const struct launch_item *item,
               struct launch_list_notes *notes, struct err *e)
{
    if (l->recorded && !notes->other_version) {
        if (item->block < r->info->block_count)
            return add_block(r, item->block, e);
        note_unknown(notes, item);
        return 0;
    }
    uint32_t node = package_resolve(r->p, item->path, r->info->case_sensitive);
    if (node == NODE_NONE)
        node = package_resolve(r->p, item->path, false);
    bool is_dir = node != NODE_NONE && package_node(r->p, node)->flags & NODE_DIR;
    if (node == NODE_NONE || (l->recorded && is_dir)) {
        note_unknown(notes, item);
        return 0;
    }
    return l->recorded ? add_range(r, node, item->offset, item->len, e) : add_tree(r, node, e);
}

int launch_list_resolve(const struct launch_list *l, const struct package *p,
                        struct block_run **runs, size_t *count, struct launch_list_notes *notes,
                        struct err *e)
{
    const struct package_info *info = package_info(p);
    struct resolver r = {
        .p = p,
        .info = info,
        .blocks = calloc(info->block_count / 8 + (size_t)1, 1),
        .nodes = calloc(info->node_count / 8 + (size_t)1, 1),
    };
    int rc = r.blocks && r.nodes ? 0 : err_nomem(e);

    bool other_package = l->recorded && !guid_equal(&l->package_guid, &info->package_guid);
    bool same_version = guid_equal(&l->version_guid, &info->version_guid) &&
                        l->block_size == info->block_size && !other_package;
    *notes = (struct launch_list_notes){
        .items = l->count,
        .other_version = l->recorded && !same_version,
        .other_package = other_package,
        .cut = l->cut,
    };
    for (size_t i = 0; !rc && i < l->count; i++)
        rc = add(&r, l, &l->items[i], notes, e);
    free(r.blocks);
    free(r.nodes);
    if (rc) {
        free(r.runs);
        return rc;
    }
    *runs = r.runs;
    *count = r.count;
    return 0;
}

int launch_list_read(const char *text, size_t len, const struct package *p,
                     struct block_run **runs, size_t *count, struct launch_list_notes *notes,
                     struct err *e)
{
    struct launch_list l;
    int rc = launch_list_parse(text, len, &l, e);

    if (!rc)
        rc = launch_list_resolve(&l, p, runs, count, notes, e);
    launch_list_clear(&l);
    return rc;
}

/* --- writing ---------------------------------------------------------------------------------- */

bool launch_list_is_recording(const char *text, size_t len)
{
    return len >= MAGIC_LEN && !memcmp(text, MAGIC, MAGIC_LEN);
}

size_t launch_list_put_head(const struct package *p, char out[LAUNCH_HEAD_MAX])
{
    const struct package_info *info = package_info(p);
    char package[GUID_TEXT_SIZE], version[GUID_TEXT_SIZE];

    guid_format(&info->package_guid, package);
    guid_format(&info->version_guid, version);
    int n = snprintf(out, LAUNCH_HEAD_MAX, MAGIC "1 package=%s version=%s block-size=%" PRIu32 "\n",
                     package, version, info->block_size);
    return (size_t)n;
}

static size_t put_path(const char *path, char *out)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t n = 0;

    for (size_t i = 0; path[i]; i++) {
        unsigned char c = (unsigned char)path[i];
        if (c < 0x20 || c == 0x7f || c == '%' || (c == ' ' && (!i || !path[i + 1]))) {
            out[n++] = '%';
            out[n++] = hex[c >> 4];
            out[n++] = hex[c & 15];
        } else {
            out[n++] = (char)c;
        }
    }
    return n;
}

size_t launch_list_put_item(const struct launch_item *item, char out[LAUNCH_LINE_MAX])
{
    int head = snprintf(out, LAUNCH_LINE_MAX, "%" PRIu32 " %" PRIu64 " %" PRIu64 " ", item->block,
                        item->offset, item->len);
    size_t n = (size_t)head + put_path(item->path, out + head);

    out[n++] = '\n';
    return n;
}
