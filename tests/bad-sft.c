/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The bad-input table. Fields are found by walking a good file with the reader's own layout
 * functions, then set to 0, to one too many and to their maximum. Unless a row is about checksums,
 * they are made right afterwards, so that the check behind them is what has to fire.
 */
#include "config.h"

#include "tests/bad-sft.h"

#include <stdio.h>
#include <string.h>

#include "src/sft_hash.h"
#include "src/sftlayout.h"

#define ANY_OK ERR_NONE

static const struct make_entry base_tree[] = {
    { .path = "a", .len = 10 },
    { .path = "bb", .len = 20, .sd = 1 },
    { .path = "cc", .len = 30, .flags = NODE_FILE_ID, .file_id = { "0123456789abcde" } },
    { .path = "dir/x long name.txt", .short_name = "XLONGN~1.TXT", .len = 40 },
    { .path = "dir/y long name.txt", .short_name = "XLONGN~2.TXT", .len = 50 },
    { .path = "dir/sub/z", .len = 5000 },
    { .path = "launch.exe", .len = 10000, .launch = true },
    { .path = "none", .flags = NODE_DIR },
    { .path = "zero.txt" },
};

struct table {
    bad_sft_fn fn;
    void *arg;
    struct codec_context *ctx;
    struct made_sft raw, packed;
    bool failed;
};

/* A file being changed. */
struct edit {
    struct table *t;
    uint8_t *data;
    size_t len;
    size_t metadata_len; /* whatever the header says by now */
};

/* --- making and changing files ---------------------------------------------------------------- */

static struct edit edit_of(struct table *t, const struct made_sft *base)
{
    struct edit ed = {
        .t = t, .data = malloc(base->len), .len = base->len, .metadata_len = base->metadata_len
    };
    if (ed.data)
        memcpy(ed.data, base->data, base->len);
    else
        t->failed = true;
    return ed;
}

static void put(struct edit *ed, size_t at, unsigned width, uint64_t value)
{
    if (!ed->data || at + width > ed->len) {
        ed->t->failed = true;
        return;
    }
    for (unsigned i = 0; i < width; i++)
        ed->data[at + i] = (uint8_t)(value >> 8 * i);
}

static uint64_t get(const uint8_t *data, size_t at, unsigned width)
{
    struct cursor c = cursor_over(data + at, width);
    return cursor_le(&c, width);
}

static void seal(struct edit *ed)
{
    if (ed->data && sft_seal(ed->t->ctx, ed->data, ed->metadata_len))
        ed->t->failed = true;
}

/* Hands the row over and releases the file. */
static void done(struct edit *ed, enum err_kind expected, bool in_block, const char *name)
{
    struct bad_sft row = {
        .data = ed->data, .len = ed->len, .expected = expected, .in_block = in_block
    };
    (void)snprintf(row.name, sizeof row.name, "%s", name);
    if (ed->data)
        ed->t->fn(ed->t->arg, &row);
    free(ed->data);
    ed->data = NULL;
}

/* Offset of the header of section TAG; the base files have them all. */
static size_t section_at(const struct made_sft *file, const char *tag)
{
    struct cursor c = cursor_over(file->data, file->metadata_len);
    struct sft_section s;
    for (size_t at = 0; sft_read_section(&c, &s); at = cursor_offset(&c)) {
        if (!strcmp(s.tag, tag))
            return at;
        if (!cursor_bytes(&c, s.stored_len))
            break;
    }
    return 0;
}

static size_t payload_at(const struct made_sft *file, const char *tag)
{
    return section_at(file, tag) + SFT_SECTION_SIZE;
}

/* Offset of the head of a part of CIDX, in a raw file. */
static size_t part_at(const struct made_sft *file, const char *tag)
{
    size_t at = payload_at(file, SFT_TAG_CIDX);
    struct cursor c = cursor_over(file->data + at, file->len - at);
    struct sft_part part;
    for (; sft_read_part(&c, &part); at += SFT_PART_HEAD_SIZE + part.len) {
        if (!strcmp(part.tag, tag))
            return at;
        if (!cursor_bytes(&c, part.len))
            break;
    }
    return 0;
}

static size_t column_at(const struct made_sft *file, enum sft_dmap_column column)
{
    size_t at = part_at(file, SFT_TAG_DMAP);
    struct cursor c = cursor_over(file->data + at, file->len - at);
    struct cursor columns[SFT_DMAP_COLUMNS];
    struct sft_dmap_head h;
    struct sft_part part;
    if (!sft_read_part(&c, &part))
        return 0;
    c.end = c.p + part.len;
    if (!sft_read_dmap_head(&c, &h) || !sft_open_dmap(&c, &h, columns))
        return 0;
    return (size_t)(columns[column].p - file->data);
}

static size_t indx_column_at(const struct made_sft *file, enum sft_indx_column column)
{
    size_t at = payload_at(file, SFT_TAG_INDX);
    struct cursor c = cursor_over(file->data + at, file->metadata_len - at);
    struct cursor columns[SFT_INDX_COLUMNS];
    uint32_t count;
    if (!sft_read_table_head(&c, &count) || !sft_open_indx(&c, count, columns))
        return 0; /* INDX is the last section, so it ends where the metadata does */
    return (size_t)(columns[column].p - file->data);
}

/* A copy of FILE with sections not encoded. EXTRA, if any, becomes one more section. */
static bool repack(struct codec_context *ctx, const struct made_sft *file,
                   const struct sft_section *extra, const uint8_t *payload, struct made_sft *out)
{
    struct cursor c = cursor_over(file->data, file->metadata_len);
    struct sft_buf b = { .data = NULL };
    struct sft_section s;
    struct sft_smff h = { .features = 0 };
    uint32_t count = 0;
    bool good = true;

    while (good && cursor_left(&c) && (good = sft_read_section(&c, &s))) {
        const uint8_t *stored = cursor_bytes(&c, s.stored_len);
        uint8_t *decoded = malloc(s.decoded_len + 1);
        good = stored && decoded &&
               !codec_decode(ctx, s.codec, stored, s.stored_len, decoded, s.decoded_len, NULL);
        s.codec = CODEC_NONE;
        s.stored_len = s.decoded_len;
        if (good) {
            sft_put_section(&b, &s);
            sft_put_bytes(&b, decoded, s.decoded_len);
        }
        free(decoded);
        count++;
    }
    if (extra) {
        sft_put_section(&b, extra);
        sft_put_bytes(&b, payload, extra->stored_len);
        count++;
    }
    struct cursor fixed = cursor_over(file->data + SFT_SECTION_SIZE, SFT_SMFF_SIZE);
    good = good && !b.failed && sft_read_smff(&fixed, &h);
    h.metadata_bytes = out->metadata_len = b.len;
    h.container_bytes = b.len + (file->len - file->metadata_len);
    h.section_count = count;
    sft_put_bytes(&b, file->data + file->metadata_len, file->len - file->metadata_len);
    struct sft_buf head = { .data = NULL };
    sft_put_smff(&head, &h);
    good = good && !b.failed && !head.failed;
    if (good) {
        memcpy(b.data + SFT_SECTION_SIZE, head.data, SFT_SMFF_SIZE);
        good = !sft_seal(ctx, b.data, out->metadata_len);
    }
    free(head.data);
    out->data = b.data;
    out->len = b.len;
    return good;
}

/* --- rows: the length of the file ------------------------------------------------------------- */

static void cut(struct table *t, size_t len, const char *what)
{
    char name[80];
    struct edit ed = edit_of(t, &t->packed);
    if (!ed.data)
        return;
    uint8_t *shorter = malloc(len + 1);
    if (shorter)
        memcpy(shorter, ed.data, len);
    else
        t->failed = true;
    free(ed.data);
    ed.data = shorter;
    ed.len = len;
    (void)snprintf(name, sizeof name, "cut-%s-%zu", what, len);
    done(&ed, len && len < SFT_TAG_LEN ? ERR_NOT_A_PACKAGE : ERR_TRUNCATED, false, name);
}

static void length_rows(struct table *t)
{
    struct cursor c = cursor_over(t->packed.data, t->packed.metadata_len);
    struct sft_section s;

    for (size_t at = 0; sft_read_section(&c, &s); at = cursor_offset(&c)) {
        cut(t, at, "before-header");
        cut(t, at + 1, "in-tag");
        cut(t, at + SFT_TAG_LEN, "behind-tag");
        cut(t, at + SFT_SECTION_SIZE - 1, "in-header");
        cut(t, at + SFT_SECTION_SIZE, "before-payload");
        cut(t, at + SFT_SECTION_SIZE + s.stored_len / 2, "in-payload");
        if (!cursor_bytes(&c, s.stored_len))
            break;
    }
    cut(t, t->packed.metadata_len, "before-blocks");
    cut(t, t->packed.metadata_len + 1, "in-block");
    cut(t, t->packed.len - 1, "before-last-byte");

    struct edit ed = edit_of(t, &t->raw);
    uint8_t *longer = realloc(ed.data, ed.len + 1);
    if (longer) {
        ed.data = longer;
        ed.data[ed.len++] = 0;
    }
    done(&ed, ERR_CORRUPT, false, "one-byte-too-many");
}

/* --- rows: every length and count field ------------------------------------------------------- */

/* What must come of 0, of one more than is right, and of all bits set. */
struct field {
    const char *name;
    size_t at;
    unsigned width;
    enum err_kind zero, more, max;
};

static void set_field(struct table *t, const struct made_sft *base, const struct field *f)
{
    uint64_t is = get(base->data, f->at, f->width);
    uint64_t max = f->width == 8 ? UINT64_MAX : (UINT64_C(1) << 8 * f->width) - 1;
    const struct {
        const char *what;
        uint64_t value;
        enum err_kind expected;
    } values[] = { { "0", 0, f->zero }, { "plus-1", is + 1, f->more }, { "max", max, f->max } };

    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        char name[80];
        struct edit ed = edit_of(t, base);
        put(&ed, f->at, f->width, values[i].value);
        seal(&ed);
        (void)snprintf(name, sizeof name, "%s%s-%s", base == &t->packed ? "packed-" : "", f->name,
                       values[i].what);
        done(&ed, values[i].value == is ? ANY_OK : values[i].expected, false, name);
    }
}

static void header_fields(struct table *t)
{
    static const char *const tags[] = { SFT_TAG_PROP, SFT_TAG_HIST, SFT_TAG_LNCH, SFT_TAG_CIDX,
                                        SFT_TAG_INDX };
    const size_t smff = SFT_SECTION_SIZE;
    const struct field fields[] = {
        { "SMFF-stored-len", 8, 8, ERR_CORRUPT, ERR_CORRUPT, ERR_CORRUPT },
        { "SMFF-decoded-len", 16, 8, ERR_CORRUPT, ERR_CORRUPT, ERR_CORRUPT },
        { "SMFF-codec", 24, 1, ANY_OK, ERR_CORRUPT, ERR_CORRUPT },
        { "SMFF-metadata-bytes", smff + 16, 8, ERR_CORRUPT, ERR_CORRUPT, ERR_CORRUPT },
        { "SMFF-container-bytes", smff + 24, 8, ERR_CORRUPT, ERR_TRUNCATED, ERR_LIMIT },
        { "SMFF-version-number", smff + 64, 4, ERR_CORRUPT, ERR_CORRUPT, ERR_CORRUPT },
        { "SMFF-section-count", smff + 68, 4, ERR_CORRUPT, ERR_CORRUPT, ERR_CORRUPT },
        { "SMFF-features", smff + 72, 4, ANY_OK, ERR_UNSUPPORTED, ERR_UNSUPPORTED },
    };
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        set_field(t, &t->raw, &fields[i]);

    for (size_t i = 0; i < ARRAY_LEN(tags); i++) {
        char name[32];
        size_t at = section_at(&t->raw, tags[i]);
        (void)snprintf(name, sizeof name, "%s-stored-len", tags[i]);
        set_field(t, &t->raw,
                  &(struct field){ name, at + 8, 8, ERR_CORRUPT, ERR_CORRUPT, ERR_CORRUPT });
        (void)snprintf(name, sizeof name, "%s-decoded-len", tags[i]);
        set_field(t, &t->raw,
                  &(struct field){ name, at + 16, 8, ERR_CORRUPT, ERR_CORRUPT, ERR_CORRUPT });
        if (t->packed.data[section_at(&t->packed, tags[i]) + 24] == CODEC_NONE)
            continue; /* did not become smaller */
        at = section_at(&t->packed, tags[i]);
        set_field(t, &t->packed,
                  &(struct field){ name, at + 16, 8, ERR_CORRUPT, ERR_CORRUPT, ERR_LIMIT });
        (void)snprintf(name, sizeof name, "%s-codec", tags[i]);
        set_field(
            t, &t->packed,
            &(struct field){ name, at + 24, 1, ERR_CORRUPT, ERR_UNSUPPORTED, ERR_UNSUPPORTED });
    }
}

static void payload_fields(struct table *t)
{
    const struct made_sft *raw = &t->raw;
    size_t prop = payload_at(raw, SFT_TAG_PROP), hist = payload_at(raw, SFT_TAG_HIST);
    size_t lnch = payload_at(raw, SFT_TAG_LNCH), indx = payload_at(raw, SFT_TAG_INDX);
    size_t name_len = get(raw->data, prop + 16, 2);
    size_t last = hist + SFT_TABLE_HEAD_SIZE + SFT_VERSION_SIZE; /* of two versions */
    const struct field fields[] = {
        { "PROP-block-size", prop, 4, ERR_CORRUPT, ERR_CORRUPT, ERR_CORRUPT },
        { "PROP-codec", prop + 4, 1, ANY_OK, ANY_OK, ERR_UNSUPPORTED },
        { "PROP-flags", prop + 6, 2, ANY_OK, ANY_OK, ERR_UNSUPPORTED },
        { "PROP-name-len", prop + 16, 2, ERR_CORRUPT, ERR_CORRUPT, ERR_CORRUPT },
        { "PROP-root-name-len", prop + 18 + name_len, 2, ERR_CORRUPT, ERR_CORRUPT, ERR_CORRUPT },
        { "HIST-count", hist, 4, ERR_CORRUPT, ERR_CORRUPT, ERR_CORRUPT },
        { "HIST-number", last + 16, 4, ERR_CORRUPT, ERR_CORRUPT, ERR_CORRUPT },
        { "HIST-first-new-block", last + 20, 4, ANY_OK, ANY_OK, ERR_CORRUPT },
        { "LNCH-count", lnch, 4, ERR_CORRUPT, ERR_CORRUPT, ERR_CORRUPT },
        { "LNCH-first", lnch + 8, 4, ANY_OK, ANY_OK, ERR_CORRUPT },
        { "LNCH-run", lnch + 12, 4, ERR_CORRUPT, ANY_OK, ERR_CORRUPT },
        { "INDX-count", indx, 4, ERR_CORRUPT, ERR_CORRUPT, ERR_CORRUPT },
        { "INDX-stored-len", indx_column_at(raw, SFT_INDX_STORED_LEN), 4, ERR_CORRUPT, ERR_CORRUPT,
          ERR_CORRUPT },
        { "INDX-len", indx_column_at(raw, SFT_INDX_LEN), 4, ERR_CORRUPT, ERR_CORRUPT, ERR_CORRUPT },
        { "INDX-codec", indx_column_at(raw, SFT_INDX_CODEC), 1, ANY_OK, ANY_OK, ERR_UNSUPPORTED },
    };
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        set_field(t, raw, &fields[i]);

    struct edit ed = edit_of(t, raw); /* a codec that only other containers have */
    put(&ed, indx_column_at(raw, SFT_INDX_CODEC), 1, CODEC_SFT_LAST + 1);
    seal(&ed);
    done(&ed, ERR_UNSUPPORTED, false, "INDX-codec-of-other-containers");
}

static void index_fields(struct table *t)
{
    const struct made_sft *raw = &t->raw;
    size_t secd = part_at(raw, SFT_TAG_SECD), sds = secd + SFT_PART_HEAD_SIZE;
    size_t dmap = part_at(raw, SFT_TAG_DMAP), head = dmap + SFT_PART_HEAD_SIZE;
    const struct field fields[] = {
        { "SECD-len", secd + 8, 8, ERR_CORRUPT, ERR_CORRUPT, ERR_CORRUPT },
        { "SECD-count", sds, 4, ERR_CORRUPT, ERR_CORRUPT, ERR_CORRUPT },
        { "SECD-descriptor-len", sds + 8, 4, ERR_CORRUPT, ERR_CORRUPT, ERR_CORRUPT },
        { "DMAP-len", dmap + 8, 8, ERR_CORRUPT, ERR_CORRUPT, ERR_CORRUPT },
        { "DMAP-nodes", head, 4, ERR_CORRUPT, ERR_CORRUPT, ERR_CORRUPT },
        { "DMAP-dirs", head + 4, 4, ERR_CORRUPT, ERR_CORRUPT, ERR_CORRUPT },
        { "DMAP-extents", head + 8, 4, ERR_CORRUPT, ERR_CORRUPT, ERR_CORRUPT },
        { "DMAP-file-ids", head + 12, 4, ERR_CORRUPT, ERR_CORRUPT, ERR_CORRUPT },
        { "DMAP-name-bytes", head + 16, 8, ERR_CORRUPT, ERR_CORRUPT, ERR_CORRUPT },
        { "DMAP-short-bytes", head + 24, 8, ERR_CORRUPT, ERR_CORRUPT, ERR_CORRUPT },
        { "DMAP-root-flags", column_at(raw, SFT_DMAP_FLAGS), 2, ERR_BAD_TREE, ERR_BAD_TREE,
          ERR_CORRUPT },
        { "DMAP-flags", column_at(raw, SFT_DMAP_FLAGS) + 2, 2, ANY_OK, ERR_CORRUPT, ERR_CORRUPT },
        { "DMAP-root-name-len", column_at(raw, SFT_DMAP_NAME_LEN), 1, ANY_OK, ERR_BAD_TREE,
          ERR_CORRUPT },
        { "DMAP-name-len", column_at(raw, SFT_DMAP_NAME_LEN) + 1, 1, ERR_BAD_NAME, ERR_CORRUPT,
          ERR_CORRUPT },
        { "DMAP-short-len", column_at(raw, SFT_DMAP_SHORT_LEN) + 1, 1, ANY_OK, ERR_BAD_NAME,
          ERR_CORRUPT },
        { "DMAP-sd", column_at(raw, SFT_DMAP_SD) + 4, 4, ANY_OK, ANY_OK, ERR_CORRUPT },
        { "DMAP-child-count", column_at(raw, SFT_DMAP_CHILD_COUNT), 4, ERR_BAD_TREE, ERR_BAD_TREE,
          ERR_BAD_TREE },
        { "DMAP-size", column_at(raw, SFT_DMAP_SIZE), 8, ERR_BAD_EXTENT, ERR_BAD_EXTENT,
          ERR_LIMIT },
        { "DMAP-extent-count", column_at(raw, SFT_DMAP_EXTENT_COUNT), 4, ERR_BAD_EXTENT,
          ERR_BAD_EXTENT, ERR_BAD_EXTENT },
        { "DMAP-extent-block", column_at(raw, SFT_DMAP_EXTENT_BLOCK), 4, ERR_BAD_EXTENT,
          ERR_BAD_EXTENT, ERR_BAD_EXTENT },
        { "DMAP-extent-from", column_at(raw, SFT_DMAP_EXTENT_FROM), 4, ANY_OK, ERR_BAD_EXTENT,
          ERR_BAD_EXTENT },
        { "DMAP-extent-length", column_at(raw, SFT_DMAP_EXTENT_LENGTH), 8, ERR_BAD_EXTENT,
          ERR_BAD_EXTENT, ERR_BAD_EXTENT },
    };
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        set_field(t, raw, &fields[i]);
}

/* --- rows: names ------------------------------------------------------------------------------ */

/* Overwrites the first bytes equal to FROM inside a column of names. */
static void rename_row(struct table *t, const struct made_sft *base, enum sft_dmap_column column,
                       const char *from, const char *to, size_t len, enum err_kind expected,
                       const char *name)
{
    struct edit ed = edit_of(t, base);
    size_t at = column_at(base, column);
    while (ed.data && at + len <= ed.len && memcmp(ed.data + at, from, len) != 0)
        at++;
    for (size_t i = 0; i < len; i++)
        put(&ed, at + i, 1, (uint8_t)to[i]);
    seal(&ed);
    done(&ed, expected, false, name);
}

static void name_rows(struct table *t)
{
    static const struct {
        const char *name, *from, *to;
        size_t len;
        enum err_kind expected;
    } rows[] = {
        { "name-slash", "launch", "lau/ch", 6, ERR_BAD_NAME },
        { "name-backslash", "launch", "lau\\ch", 6, ERR_BAD_NAME },
        { "name-nul", "launch", "lau\0ch", 6, ERR_BAD_NAME },
        { "name-newline", "launch", "lau\nch", 6, ERR_BAD_NAME },
        { "name-bad-utf8", "launch",
          "lau\xff"
          "ch",
          6, ERR_BAD_NAME },
        { "name-overlong-utf8", "launch",
          "la\xc0\xaf"
          "ch",
          6, ERR_BAD_NAME },
        { "name-surrogate", "launch",
          "l\xed\xa0\x80"
          "ch",
          6, ERR_BAD_NAME },
        { "name-cut-utf8", "zero.txt", "zero.tx\xc3", 8, ERR_BAD_NAME },
        { "name-dot", "a", ".", 1, ERR_BAD_NAME },
        { "name-dot-dot", "bb", "..", 2, ERR_BAD_NAME },
        { "name-twice", "cc", "bb", 2, ERR_DUPLICATE_NAME },
        { "name-twice-folded", "cc", "BB", 2, ERR_DUPLICATE_NAME },
        { "name-other", "cc", "ce", 2, ANY_OK },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        rename_row(t, &t->raw, SFT_DMAP_NAMES, rows[i].from, rows[i].to, rows[i].len,
                   rows[i].expected, rows[i].name);

    rename_row(t, &t->raw, SFT_DMAP_SHORT_NAMES, "XLONGN~2", "XLONGN~1", 8, ERR_DUPLICATE_NAME,
               "short-name-twice");
    rename_row(t, &t->raw, SFT_DMAP_SHORT_NAMES, "XLONGN~1", "xlongn~1", 8, ERR_BAD_NAME,
               "short-name-lower-case");
    rename_row(t, &t->raw, SFT_DMAP_SHORT_NAMES, "XLONGN~1", "XL/NGN~1", 8, ERR_BAD_NAME,
               "short-name-slash");
    rename_row(t, &t->raw, SFT_DMAP_SHORT_NAMES, "~1.TXT", "~1TXT.", 6, ERR_BAD_NAME,
               "short-name-no-8.3");

    struct made_sft exact = { .data = NULL }, raw = { .data = NULL };
    struct make_options o = { .case_sensitive = true, .version_number = 2, .sd_count = 2 };
    if (make_sft(base_tree, ARRAY_LEN(base_tree), &o, &exact, NULL) ||
        !repack(t->ctx, &exact, NULL, NULL, &raw)) {
        t->failed = true;
    } else {
        rename_row(t, &raw, SFT_DMAP_NAMES, "cc", "BB", 2, ANY_OK, "case-sensitive-folded");
        rename_row(t, &raw, SFT_DMAP_NAMES, "cc", "bb", 2, ERR_DUPLICATE_NAME,
                   "case-sensitive-twice");
    }
    free(exact.data);
    free(raw.data);
}

/* --- rows: tree and extents ------------------------------------------------------------------- */

static void tree_rows(struct table *t)
{
    size_t counts = column_at(&t->raw, SFT_DMAP_CHILD_COUNT);
    uint32_t root = (uint32_t)get(t->raw.data, counts, 4);

    struct edit ed = edit_of(t, &t->raw);
    put(&ed, counts, 4, root - 1);
    seal(&ed);
    done(&ed, ERR_BAD_TREE, false, "tree-orphan");

    ed = edit_of(t, &t->raw); /* "dir" claims the root's children: they would precede it */
    put(&ed, counts, 4, 0);
    put(&ed, counts + 4, 4, get(t->raw.data, counts + 4, 4) + root);
    seal(&ed);
    done(&ed, ERR_BAD_TREE, false, "tree-loop");

    ed = edit_of(t, &t->raw);
    put(&ed, counts, 4, root - 1);
    put(&ed, counts + 4, 4, get(t->raw.data, counts + 4, 4) + 1);
    seal(&ed);
    done(&ed, ANY_OK, false, "tree-other");

    size_t from = column_at(&t->raw, SFT_DMAP_EXTENT_FROM);
    ed = edit_of(t, &t->raw);
    put(&ed, from + 4, 4, get(t->raw.data, from + 4, 4) - 1);
    seal(&ed);
    done(&ed, ERR_BAD_EXTENT, false, "extents-overlap");

    size_t block = column_at(&t->raw, SFT_DMAP_EXTENT_BLOCK);
    ed = edit_of(t, &t->raw);
    put(&ed, block + 4, 4, 1000);
    seal(&ed);
    done(&ed, ERR_BAD_EXTENT, false, "extent-outside-blocks");

    size_t size = column_at(&t->raw, SFT_DMAP_SIZE),
           length = column_at(&t->raw, SFT_DMAP_EXTENT_LENGTH);
    ed = edit_of(t, &t->raw);
    put(&ed, size, 8, INT64_MAX);
    put(&ed, length, 8, INT64_MAX);
    seal(&ed);
    done(&ed, ERR_BAD_EXTENT, false, "extent-of-2^63");
}

/* --- rows: sections --------------------------------------------------------------------------- */

static void extra_payload(struct table *t, const char *tag, uint32_t flags, const void *payload,
                          size_t len, enum err_kind expected, const char *name)
{
    struct sft_section s = { .flags = flags, .stored_len = len, .decoded_len = len };
    struct made_sft with = { .data = NULL };
    memcpy(s.tag, tag, SFT_TAG_LEN);
    if (!repack(t->ctx, &t->packed, &s, payload, &with))
        t->failed = true;
    struct edit ed = { .t = t, .data = with.data, .len = with.len };
    done(&ed, expected, false, name);
}

static void extra_section(struct table *t, const char *tag, uint32_t flags, enum err_kind expected,
                          const char *name)
{
    static const uint8_t payload[] = "something that a later version wrote";
    extra_payload(t, tag, flags, payload, sizeof payload, expected, name);
}

/* Writes TAG over the section OLD. */
static void retagged(struct table *t, const char *old, const char *tag, enum err_kind expected,
                     const char *name)
{
    struct edit ed = edit_of(t, &t->raw);
    size_t at = section_at(&t->raw, old);
    for (size_t i = 0; i < SFT_TAG_LEN; i++)
        put(&ed, at + i, 1, (uint8_t)tag[i]);
    seal(&ed);
    done(&ed, expected, false, name);
}

static void clear_critical(struct table *t, const char *tag, const char *as, enum err_kind expected,
                           const char *name)
{
    struct edit ed = edit_of(t, &t->raw);
    size_t at = section_at(&t->raw, tag);
    put(&ed, at + 4, 4, 0);
    for (size_t i = 0; i < SFT_TAG_LEN; i++)
        put(&ed, at + i, 1, (uint8_t)as[i]);
    seal(&ed);
    done(&ed, expected, false, name);
}

static void section_rows(struct table *t)
{
    extra_section(t, "ZZZZ", 0, ANY_OK, "unknown-section");
    extra_section(t, "ZZZZ", SFT_SECTION_CRITICAL, ERR_UNSUPPORTED, "unknown-critical-section");
    extra_section(t, "zz z", 0, ERR_CORRUPT, "section-without-tag");
    extra_section(t, SFT_TAG_PROP, 0, ERR_CORRUPT, "PROP-twice");
    extra_section(t, SFT_TAG_INDX, 0, ERR_CORRUPT, "INDX-twice");
    extra_section(t, SFT_TAG_SMFF, 0, ERR_CORRUPT, "SMFF-twice");
    extra_section(t, SFT_TAG_DSFT, 0, ERR_UNSUPPORTED, "DSFT-inside");
    /* zstd's mark of a dictionary in its own format, and no such dictionary behind it */
    extra_payload(t, SFT_TAG_DICT, SFT_SECTION_CRITICAL, "\x37\xa4\x30\xec\1\0\0\0garbage", 15,
                  ERR_CORRUPT, "DICT-garbage");
    extra_payload(t, SFT_TAG_DICT, SFT_SECTION_CRITICAL, "seven b", 7, ERR_CORRUPT, "DICT-short");
    extra_payload(t, SFT_TAG_DICT, SFT_SECTION_CRITICAL, "", 0, ERR_CORRUPT, "DICT-empty");
    extra_section(t, SFT_TAG_DICT, SFT_SECTION_CRITICAL, ANY_OK, "DICT-not-used");
    retagged(t, SFT_TAG_SMFF, SFT_TAG_DSFT, ERR_FOREIGN_LAYOUT, "DSFT-first");
    retagged(t, SFT_TAG_SMFF, "SMFG", ERR_NOT_A_PACKAGE, "SMFF-missing");
    clear_critical(t, SFT_TAG_PROP, "PROQ", ERR_CORRUPT, "PROP-missing");
    clear_critical(t, SFT_TAG_INDX, "INDY", ERR_CORRUPT, "INDX-missing");
    clear_critical(t, SFT_TAG_CIDX, "CIDY", ERR_CORRUPT, "CIDX-missing");
    retagged(t, SFT_TAG_HIST, "HISU", ANY_OK, "HIST-missing");
    retagged(t, SFT_TAG_LNCH, "LNCI", ANY_OK, "LNCH-missing");

    struct edit ed = edit_of(t, &t->raw);
    size_t secd = part_at(&t->raw, SFT_TAG_SECD);
    put(&ed, secd, 1, 'T');
    seal(&ed);
    done(&ed, ERR_UNSUPPORTED, false, "unknown-critical-part");
    ed = edit_of(t, &t->raw);
    put(&ed, secd, 4, get(t->raw.data, part_at(&t->raw, SFT_TAG_DMAP), 4));
    seal(&ed);
    done(&ed, ERR_CORRUPT, false, "DMAP-twice");
    ed = edit_of(t, &t->raw);
    put(&ed, part_at(&t->raw, SFT_TAG_DMAP), 1, 'E');
    put(&ed, part_at(&t->raw, SFT_TAG_DMAP) + 4, 4, 0);
    seal(&ed);
    done(&ed, ERR_CORRUPT, false, "DMAP-missing");

    ed = edit_of(t, &t->raw);
    put(&ed, SFT_SECTION_SIZE + 13, 1, '2');
    seal(&ed);
    done(&ed, ERR_UNSUPPORTED, false, "mark-of-another-version");
    ed = edit_of(t, &t->raw);
    put(&ed, SFT_SECTION_SIZE, 8, UINT64_C(0x0000000100000040));
    seal(&ed);
    done(&ed, ERR_FOREIGN_LAYOUT, false, "mark-missing");
}

static void many_sections(struct table *t)
{
    struct made_sft now = { .data = NULL };
    struct sft_section s = { .tag = "XTRA" };
    bool good = repack(t->ctx, &t->packed, &s, NULL, &now);
    for (unsigned i = 0; good && i < SFT_SECTIONS_MAX; i++) {
        struct made_sft next = { .data = NULL };
        good = repack(t->ctx, &now, &s, NULL, &next);
        free(now.data);
        now = next;
    }
    t->failed |= !good;
    struct edit ed = { .t = t, .data = now.data, .len = now.len };
    done(&ed, ERR_LIMIT, false, "sections-without-end");
}

/* A section of a few bytes that is well-formed and decodes to very many. */
static void bomb(struct table *t)
{
    enum { BOMB = 8 << 20 };
    uint8_t *zeros = calloc(1, BOMB), *small = malloc(BOMB);
    struct made_sft with = { .data = NULL };
    long len = zeros && small ? codec_encode(t->ctx, CODEC_ZSTD, 1, zeros, BOMB, small, NULL) : 0;
    struct sft_section s = {
        .tag = SFT_TAG_LNCH, .stored_len = (uint64_t)len, .decoded_len = BOMB, .codec = CODEC_ZSTD
    };
    struct made_sft without = { .data = NULL };
    struct make_entry no_launch = { .path = "a", .len = 10 };
    if (len <= 0 || make_sft(&no_launch, 1, NULL, &without, NULL) ||
        !repack(t->ctx, &without, &s, small, &with))
        t->failed = true;
    struct edit ed = { .t = t, .data = with.data, .len = with.len };
    done(&ed, ERR_LIMIT, false, "bomb");
    free(without.data);
    free(zeros);
    free(small);
}

/* --- rows: checksums and blocks --------------------------------------------------------------- */

static void flip(struct table *t, const struct made_sft *base, size_t at, enum err_kind expected,
                 bool in_block, const char *name)
{
    struct edit ed = edit_of(t, base);
    put(&ed, at, 1, base->data[at] ^ 1u);
    done(&ed, expected, in_block, name);
}

static void checksum_rows(struct table *t)
{
    static const char *const tags[] = { SFT_TAG_PROP, SFT_TAG_HIST, SFT_TAG_LNCH, SFT_TAG_CIDX,
                                        SFT_TAG_INDX };
    char name[80];
    for (size_t i = 0; i < ARRAY_LEN(tags); i++) {
        size_t at = section_at(&t->packed, tags[i]);
        (void)snprintf(name, sizeof name, "flipped-%s-payload", tags[i]);
        flip(t, &t->packed, at + SFT_SECTION_SIZE + 1, ERR_CHECKSUM, false, name);
        (void)snprintf(name, sizeof name, "flipped-%s-flags", tags[i]);
        flip(t, &t->packed, at + 5, ERR_CHECKSUM, false, name);
        (void)snprintf(name, sizeof name, "flipped-%s-hash", tags[i]);
        flip(t, &t->packed, at + SFT_SECTION_HASH_AT, ERR_CHECKSUM, false, name);
    }
    flip(t, &t->packed, SFT_SECTION_SIZE + 40, ERR_CHECKSUM, false, "flipped-SMFF-payload");
    flip(t, &t->packed, 5, ERR_CHECKSUM, false, "flipped-SMFF-flags");
    flip(t, &t->packed, SFT_SECTION_HASH_AT, ERR_CHECKSUM, false, "flipped-SMFF-hash");
    flip(t, &t->packed, SFT_SECTION_SIZE + SFT_SMFF_ROOT_AT, ERR_CHECKSUM, false,
         "flipped-root-hash");
}

static void block_rows(struct table *t)
{
    struct made_sft raw = { .data = NULL };
    if (!repack(t->ctx, &t->packed, NULL, NULL, &raw)) {
        t->failed = true;
        return;
    }
    flip(t, &t->packed, t->packed.metadata_len, ERR_BLOCK_HASH, true, "block-first-byte");
    flip(t, &t->packed, t->packed.len - 1, ERR_BLOCK_HASH, true, "block-last-byte");

    struct edit ed = edit_of(t, &raw);
    size_t at = indx_column_at(&raw, SFT_INDX_HASH);
    put(&ed, at, 1, raw.data[at] ^ 1u);
    seal(&ed);
    done(&ed, ERR_BLOCK_HASH, true, "block-wrong-hash");

    /* The last block is short, so that it has room to claim more; one file ends in it, the last. */
    uint64_t blocks = get(raw.data, payload_at(&raw, SFT_TAG_INDX), 4);
    size_t size = column_at(&raw, SFT_DMAP_EXTENT_COUNT) - 8;
    size_t length = column_at(&raw, SFT_DMAP_NAMES) - 8;
    at = indx_column_at(&raw, SFT_INDX_LEN) + ((size_t)blocks - 1) * 4;
    ed = edit_of(t, &raw);
    put(&ed, at, 4, get(raw.data, at, 4) + 1);
    seal(&ed);
    done(&ed, ERR_BLOCK_DECODE, true, "block-too-short");

    ed = edit_of(t, &raw);
    put(&ed, at, 4, get(raw.data, at, 4) - 1);
    put(&ed, size, 8, get(raw.data, size, 8) - 1);
    put(&ed, length, 8, get(raw.data, length, 8) - 1);
    seal(&ed);
    done(&ed, ERR_BLOCK_DECODE, true, "block-too-long");

    ed = edit_of(t, &raw);
    put(&ed, indx_column_at(&raw, SFT_INDX_CODEC), 1, CODEC_ZLIB);
    seal(&ed);
    done(&ed, ERR_BLOCK_DECODE, true, "block-of-another-codec");
    free(raw.data);
}

/* --- all of it -------------------------------------------------------------------------------- */

static bool make_base(struct codec_context *ctx, bool raw, struct made_sft *out)
{
    struct make_options o = {
        .codec = raw ? CODEC_NONE : CODEC_ZSTD,
        .version_number = 2,
        .sd_count = 2,
    };
    struct made_sft made = { .data = NULL };
    if (make_sft(base_tree, ARRAY_LEN(base_tree), &o, &made, NULL))
        return false;
    if (!raw) {
        *out = made;
        return true;
    }
    bool good = repack(ctx, &made, NULL, NULL, out);
    free(made.data);
    return good;
}

bool bad_sft_base(bool raw, struct made_sft *out)
{
    struct codec_context *ctx;
    *out = (struct made_sft){ .data = NULL };
    if (codec_context_new(&ctx))
        return false;
    bool good = make_base(ctx, raw, out);
    codec_context_free(ctx);
    return good;
}

bool bad_sft_each(bad_sft_fn fn, void *arg)
{
    struct table t = { .fn = fn, .arg = arg };
    if (codec_context_new(&t.ctx))
        return false;
    if (make_base(t.ctx, true, &t.raw) && make_base(t.ctx, false, &t.packed)) {
        length_rows(&t);
        header_fields(&t);
        payload_fields(&t);
        index_fields(&t);
        name_rows(&t);
        tree_rows(&t);
        section_rows(&t);
        many_sections(&t);
        bomb(&t);
        checksum_rows(&t);
        block_rows(&t);
    } else {
        t.failed = true;
    }
    codec_context_free(t.ctx);
    free(t.raw.data);
    free(t.packed.data);
    return !t.failed;
}
