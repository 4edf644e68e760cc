/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ZIP: from the end of the object to its directory. See zip_end.h.
 *
 * The end record is looked for from the back and must reach exactly to the end of the object with its
 * comment. A comment can hold something that does the same: of several the last one counts that leads
 * to a directory. Offsets in the archive may be counted from its own beginning, behind whatever was
 * put in front of it: the directory must end where the end records begin, and that tells.
 */
#include "config.h"

#include "src/zip_end.h"

#include <inttypes.h>

#include "src/cursor.h"
#include "src/zip.h"

enum {
    COMMENT_MAX = 65535,
    TAIL = 128 * 1024,     /* holds the end records with any comment, and many a directory */
    END64_ENCRYPTION = 28, /* what a ZIP64 record of version 2 has behind one of version 1 */
    END64_EXTENSIBLE_MAX = 4096,
    ENTRY_MAX = ZIP_CENTRAL_SIZE + 3 * 65535,
    PIECES_SPARE = 4, /* of CONTAINER_PIECES_MAX, which looking for the directory does not use up */
};

#define SIGNATURE_EXTRA   0x08064b50u /* before an encrypted directory */

/* The range of the object's last bytes that are looked through. */
static struct byte_range tail_of(const struct container_input *in)
{
    uint64_t len = min_u64(in->size, TAIL);
    return (struct byte_range){ in->size - len, len };
}

/* Where, BACK bytes or more before its end, the tail's LEN bytes have an end record that reaches to the
 * end exactly, or -1. */
static long find_end(const uint8_t *tail, size_t len, size_t back)
{
    for (; back <= len && back <= ZIP_END_SIZE + COMMENT_MAX; back++) {
        struct cursor c = cursor_over(tail + len - back, back);
        if (cursor_u32(&c) != ZIP_SIGNATURE_END)
            continue;
        (void)cursor_bytes(&c, ZIP_END_SIZE - 4 - 2);
        if (cursor_u16(&c) == back - ZIP_END_SIZE && !c.failed)
            return (long)(len - back);
    }
    return -1;
}

static int is_split(struct err *e, uint64_t at)
{
    return err_at(e, ERR_UNSUPPORTED, NULL, at,
                  "one part of a ZIP archive that was split; join the parts first");
}

static int read_end(const uint8_t *bytes, struct zip_end *end, struct err *e)
{
    struct cursor c = cursor_over(bytes, ZIP_END_SIZE);

    (void)cursor_u32(&c);
    uint16_t disk = cursor_u16(&c), first_disk = cursor_u16(&c);
    uint16_t here = cursor_u16(&c), all = cursor_u16(&c);
    end->entries = all;
    end->length = cursor_u32(&c);
    end->offset = cursor_u32(&c);
    if ((disk && disk != UINT16_MAX) || (first_disk && first_disk != UINT16_MAX) || here != all)
        return is_split(e, end->at);
    return 0;
}

/* The ZIP64 record that begins with the LEN bytes in BYTES: whether there is one, and how long it is. */
static bool is_end64(const uint8_t *bytes, size_t len, uint64_t *record)
{
    struct cursor c = cursor_over(bytes, len);
    uint32_t signature = cursor_u32(&c);
    uint64_t rest = cursor_u64(&c);

    if (c.failed || signature != ZIP_SIGNATURE_END64 || rest > len - 12)
        return false;
    *record = rest + 12;
    return *record >= ZIP_END64_SIZE;
}

/* Takes over what the RECORD at AT says. The end record may say the same, or refer to it. */
static int read_end64(const uint8_t *bytes, uint64_t record, uint64_t at, struct zip_end *end,
                      struct err *e)
{
    struct cursor c = cursor_over(bytes, (size_t)record);
    const struct zip_end narrow = *end;

    (void)cursor_bytes(&c, 4 + 8 + 2);
    uint16_t version = cursor_u16(&c); /* needed to read it */
    uint32_t disk = cursor_u32(&c), first_disk = cursor_u32(&c);
    uint64_t here = cursor_u64(&c);
    end->at = at;
    end->zip64 = true;
    end->entries = cursor_u64(&c);
    end->length = cursor_u64(&c);
    end->offset = cursor_u64(&c);
    if ((disk && disk != UINT32_MAX) || (first_disk && first_disk != UINT32_MAX) ||
        here != end->entries)
        return is_split(e, at);
    if (version >= 62 && record >= ZIP_END64_SIZE + END64_ENCRYPTION) {
        uint16_t method = cursor_u16(&c);
        (void)cursor_bytes(&c, 8 + 8);
        if (method || cursor_u16(&c))
            return err_at(e, ERR_UNSUPPORTED, NULL, at,
                          "the archive's directory is encrypted or compressed");
    }
    if ((narrow.entries != UINT16_MAX && narrow.entries != end->entries) ||
        (narrow.length != UINT32_MAX && narrow.length != end->length) ||
        (narrow.offset != UINT32_MAX && narrow.offset != end->offset))
        return err_at(e, ERR_CORRUPT, NULL, narrow.at,
                      "the end record and the ZIP64 end record contradict each other");
    return 0;
}

/* The ZIP64 record before the end record, if there is one: where its locator says, or, when there is
 * something in front of the archive, right before that. */
static int find_end64(const uint8_t *tail, uint64_t tail_at, size_t end_at, struct zip_end *end,
                      struct err *e)
{
    size_t locator = end_at >= ZIP_LOCATOR_SIZE ? end_at - ZIP_LOCATOR_SIZE : 0;
    struct cursor c = cursor_over(tail + locator, end_at - locator);
    uint64_t record;

    if (cursor_u32(&c) != ZIP_SIGNATURE_LOCATOR) /* 65535 files need none */
        return end->length == UINT32_MAX || end->offset == UINT32_MAX
                   ? err_at(e, ERR_CORRUPT, NULL, end->at, "the ZIP64 end record is missing")
                   : 0;
    uint32_t disk = cursor_u32(&c);
    uint64_t named = cursor_u64(&c);
    uint32_t disks = cursor_u32(&c);
    if (c.failed || (disk && disk != UINT32_MAX) || (disks > 1 && disks != UINT32_MAX))
        return is_split(e, tail_at + locator);
    if (named >= tail_at && named - tail_at <= locator) {
        size_t at = (size_t)(named - tail_at);
        if (is_end64(tail + at, locator - at, &record))
            return read_end64(tail + at, record, named, end, e);
    }
    for (size_t len = ZIP_END64_SIZE; len <= locator && len <= ZIP_END64_SIZE + END64_EXTENSIBLE_MAX; len++) {
        size_t at = locator - len;
        if (is_end64(tail + at, len, &record) && record == len)
            return read_end64(tail + at, record, tail_at + at, end, e);
    }
    return err_at(e, ERR_CORRUPT, NULL, tail_at + locator,
                  "the ZIP64 end record is not where it should be");
}

static int check_directory(const struct zip_end *end, struct err *e)
{
    uint64_t named_end;

    if (end->entries > ZIP_ENTRIES_MAX)
        return err_at(e, ERR_LIMIT, NULL, end->at,
                      "%" PRIu64 " files are too many; at most %u can be read", end->entries,
                      ZIP_ENTRIES_MAX);
    if (add_overflows(end->offset, end->length, &named_end) || named_end > end->at ||
        end->entries > end->length / ZIP_CENTRAL_SIZE)
        return err_at(e, ERR_CORRUPT, NULL, end->at,
                      "the directory (%" PRIu64 " bytes at %" PRIu64 ", %" PRIu64
                      " files) is not inside the archive", end->length, end->offset, end->entries);
    if (end->length > end->entries * ENTRY_MAX)
        return err_at(e, ERR_CORRUPT, NULL, end->at,
                      "the directory has %" PRIu64 " bytes, more than %" PRIu64 " files can have",
                      end->length, end->entries);
    if (end->length > ZIP_DIRECTORY_MAX)
        return err_at(e, ERR_LIMIT, NULL, end->at, "a directory of %" PRIu64 " bytes is too large",
                      end->length);
    return 0;
}

/* The four bytes at OFFSET, or 0 when they are not at hand. 1: *want is needed for them; may be NULL. */
static int look(const struct container_input *in, uint64_t offset, struct byte_range *want,
                uint32_t *signature)
{
    const uint8_t *bytes = container_input_at(in, offset, 4);
    uint64_t run = container_input_run(in, offset);

    *signature = 0;
    if (bytes) {
        struct cursor c = cursor_over(bytes, 4);
        *signature = cursor_u32(&c);
    } else if (want) {
        *want = (struct byte_range){ offset + run, 4 - run };
        return 1;
    }
    return 0;
}

/* Sees whether the directory is where it is named, or where it would be with bytes in front of the
 * archive. 1: *want is needed for that; if WANT is NULL, what cannot be seen is assumed. */
static int find_directory(const struct container_input *in, bool alone, struct zip_end *end,
                          struct byte_range *want, struct err *e)
{
    uint64_t gap = end->at - end->offset - end->length;
    uint32_t signature;

    end->prefix = gap;
    if (!end->length)
        return 0;
    int rc = look(in, end->offset, gap || !alone ? want : NULL, &signature);
    if (!rc && signature == ZIP_SIGNATURE_CENTRAL)
        end->prefix = 0; /* something else (a signature, say) stands behind the directory */
    else if (!rc && gap)
        rc = look(in, gap + end->offset, alone ? NULL : want, &signature);
    if (rc)
        return rc;
    end->leads = signature == ZIP_SIGNATURE_CENTRAL;
    if (signature == SIGNATURE_EXTRA)
        return err_at(e, ERR_UNSUPPORTED, NULL, end->prefix + end->offset,
                      "the archive's directory is encrypted");
    if (signature && !end->leads)
        return err_at(e, ERR_CORRUPT, NULL, end->prefix + end->offset,
                      "the archive's directory is not where its end record says");
    return 0;
}

/* The end record AT in the tail, and where it leads to. As find_directory(). */
static int examine(const struct container_input *in, const uint8_t *tail, long at, bool alone,
                   struct zip_end *end, struct byte_range *want, struct err *e)
{
    uint64_t tail_at = tail_of(in).offset;

    *end = (struct zip_end){ .at = tail_at + (uint64_t)at };
    int rc = read_end(tail + at, end, e);
    if (!rc)
        rc = find_end64(tail, tail_at, (size_t)at, end, e);
    if (!rc)
        rc = check_directory(end, e);
    return rc ? rc : find_directory(in, alone, end, want, e);
}

/* Why no end record reaches to the end exactly. One that does not says more than that there is none. */
static int refuse_end(const struct container_input *in, const uint8_t *tail, size_t len, struct err *e)
{
    for (size_t back = ZIP_END_SIZE; zip_begins(in) && back <= len; back++) {
        struct cursor c = cursor_over(tail + len - back, ZIP_END_SIZE);
        struct zip_end end;
        if (cursor_u32(&c) != ZIP_SIGNATURE_END ||
            examine(in, tail, (long)(len - back), true, &end, NULL, NULL) ||
            !end.length || (end.prefix && !end.leads))
            continue;
        (void)cursor_bytes(&c, ZIP_END_SIZE - 4 - 2);
        size_t comment = cursor_u16(&c), rest = back - ZIP_END_SIZE;
        if (comment > rest)
            return err_at(e, ERR_TRUNCATED, NULL, in->size - rest,
                          "the archive's comment of %zu bytes ends after %zu; is the file whole?",
                          comment, rest);
        return err_at(e, ERR_CORRUPT, NULL, in->size - rest + comment,
                      "%zu bytes follow the end of the archive, which must be the end of the file",
                      rest - comment);
    }
    if (zip_begins(in)) /* a download that broke off, mostly: damage, and not another kind of file */
        return err_set(e, ERR_TRUNCATED,
                       "a ZIP archive without its end, where its directory is; is the file whole?");
    return err_set(e, ERR_NOT_A_PACKAGE, "not a package: no end record of a ZIP archive at its end");
}

int zip_locate(const struct container_input *in, struct zip_end *end, struct byte_range *want,
               struct err *e)
{
    struct byte_range tail = tail_of(in);
    const uint8_t *bytes = container_input_at(in, tail.offset, tail.length);
    size_t len = (size_t)tail.length;
    struct byte_range *may_want = in->count + PIECES_SPARE <= CONTAINER_PIECES_MAX ? want : NULL;
    struct zip_end fallback = { .at = 0 }; /* has no files, or a directory that is not at hand */
    bool found = false;
    struct err why = { .kind = ERR_NONE }; /* of the last record, if there is none better */
    int failed = 0;

    if (!bytes) {
        uint64_t run = container_input_run(in, tail.offset); /* the head may reach into it */
        *want = (struct byte_range){ tail.offset + run, tail.length - run };
        return 1;
    }
    long last = find_end(bytes, len, ZIP_END_SIZE);
    if (last < 0)
        return refuse_end(in, bytes, len, e);
    bool alone = find_end(bytes, len, len - (size_t)last + 1) < 0;
    for (long at = last; at >= 0; at = find_end(bytes, len, len - (size_t)at + 1)) {
        int rc = examine(in, bytes, at, alone, end, may_want, at == last ? &why : NULL);
        if (rc > 0 || (!rc && end->leads))
            return rc;
        if (at == last)
            failed = rc;
        if (!rc && !found) {
            found = true;
            fallback = *end;
        }
    }
    *end = fallback;
    if (!found && e)
        *e = why;
    return found ? 0 : failed;
}
