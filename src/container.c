/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Container formats: the table of them, and the reader that collects the bytes a format asks for
 * until it can build the package. See container.h and container_format.h. Single-threaded.
 */
#include "config.h"

#include "src/container.h"

#include <string.h>

#include "src/appx_read.h"
#include "src/container_format.h"
#include "src/dsft.h"
#include "src/sft_read.h"

static const struct container_format *const formats[] = {
    &container_sft,
    &container_dsft,
    &container_appx,
};

/* A format that asks for more ranges than this is going round in circles. */
#define ROUNDS_MAX 16u

struct container_reader {
    struct container_input in;
    const struct container_format *format; /* NULL until the head has come */
    struct byte_range want;                /* what is still missing of the range asked for */
    bool guessed; /* no format knows the head: this one may know the end */
    unsigned rounds;
    struct package *package;
    char *elsewhere; /* NULL unless the package is another object */
    bool done;
    int failed;     /* negative once the object was refused ... */
    struct err why; /* ... for this reason */
};

/* --- input ------------------------------------------------------------------------------------ */

uint64_t container_input_run(const struct container_input *in, uint64_t offset)
{
    uint64_t longest = 0;
    for (unsigned i = 0; i < in->count; i++) {
        const struct container_piece *p = &in->pieces[i];
        if (offset >= p->offset && offset - p->offset < p->len)
            longest = max_u64(longest, p->len - (offset - p->offset));
    }
    return longest;
}

const uint8_t *container_input_at(const struct container_input *in, uint64_t offset, uint64_t len)
{
    for (unsigned i = 0; i < in->count; i++) {
        const struct container_piece *p = &in->pieces[i];
        if (offset >= p->offset && offset - p->offset <= p->len &&
            len <= p->len - (offset - p->offset))
            return p->data + (offset - p->offset);
    }
    return NULL;
}

/* The piece that bytes at OFFSET continue, or a new one; NULL when there are too many. */
static struct container_piece *piece_for(struct container_input *in, uint64_t offset)
{
    for (unsigned i = 0; i < in->count; i++)
        if (in->pieces[i].offset + in->pieces[i].len == offset)
            return &in->pieces[i];
    if (in->count == CONTAINER_PIECES_MAX)
        return NULL;
    struct container_piece *p = &in->pieces[in->count++];
    *p = (struct container_piece){ .offset = offset };
    return p;
}

/* Appends; memory grows with what arrived, never beyond ROOM bytes more. */
static int append(struct container_piece *p, const void *data, size_t len, uint64_t room,
                  struct err *e)
{
    size_t need;
    if (add_overflows(p->len, len, &need))
        return err_nomem(e);
    if (need > p->cap) {
        uint64_t cap = max_u64(need, min_u64((uint64_t)p->cap * 2, p->len + room));
        uint8_t *grown = (size_t)cap == cap ? realloc(p->data, (size_t)cap) : NULL;
        if (!grown)
            return err_nomem(e);
        p->data = grown;
        p->cap = (size_t)cap;
    }
    memcpy(p->data + p->len, data, len);
    p->len = need;
    return 0;
}

int container_input_add(struct container_input *in, uint64_t offset, const void *data, size_t len,
                        uint64_t expected, struct err *e)
{
    struct container_piece *p = piece_for(in, offset);

    return p ? append(p, data, len, expected, e)
             : err_set(e, ERR_LIMIT, "too many separate pieces of metadata");
}

void container_input_clear(struct container_input *in)
{
    for (unsigned i = 0; i < in->count; i++)
        free(in->pieces[i].data);
    in->count = 0;
}

/* --- formats ---------------------------------------------------------------------------------- */

/* The format that the head is of; else the one that may have something in front of it. */
static const struct container_format *choose(const struct container_input *in, bool *guessed)
{
    *guessed = false;
    for (size_t i = 0; i < ARRAY_LEN(formats); i++)
        if (formats[i]->probe(in))
            return formats[i];
    *guessed = true;
    return &container_appx;
}

static int refuse(const struct container_input *in, struct err *e)
{
    uint64_t len = container_input_run(in, 0);
    const char *what = container_identify(container_input_at(in, 0, len), (size_t)len);
    return err_set(e, ERR_NOT_A_PACKAGE, "not a package: the file %s%s",
                   what ? "begins like " : "is of no known format", what ? what : "");
}

/* What to read next, with the format's answer checked: it came from a file's claims. */
static int ask(const struct container_format *format, const struct container_input *in,
               struct byte_range *want, struct err *e)
{
    int rc = format->need(in, want, e);
    uint64_t end;
    if (rc == 1 && (!want->length || add_overflows(want->offset, want->length, &end) ||
                   end > in->size || container_input_at(in, want->offset, want->length)))
        return err_set(e, ERR_CORRUPT, "%s: the structures lead nowhere", format->name);
    return rc;
}

/* --- reader ----------------------------------------------------------------------------------- */

int container_reader_new(uint64_t size, struct container_reader **out, struct err *e)
{
    if (size > INT64_MAX)
        return err_set(e, ERR_LIMIT, "a file of more than 2^63 - 1 bytes");
    struct container_reader *r = calloc(1, sizeof *r);
    if (!r)
        return err_nomem(e);
    r->in.size = size;
    *out = r;
    return 0;
}

void container_reader_free(struct container_reader *r)
{
    if (!r)
        return;
    container_input_clear(&r->in);
    package_free(r->package);
    free(r->elsewhere);
    free(r);
}

void container_reader_set_options(struct container_reader *r, const struct container_options *o)
{
    r->in.options = *o;
}

static int advance(struct container_reader *r, struct err *e)
{
    int rc;
    if (!r->in.size)
        return err_set(e, ERR_TRUNCATED, "the file is empty");
    if (!r->in.count) {
        r->want = (struct byte_range){ 0, min_u64(r->in.size, CONTAINER_HEAD_BYTES) };
        return 1;
    }
    if (!r->format)
        r->format = choose(&r->in, &r->guessed);
    rc = ask(r->format, &r->in, &r->want, e);
    if (rc < 0 && r->guessed && e->kind == ERR_NOT_A_PACKAGE)
        return refuse(&r->in, e);
    if (rc == CONTAINER_ELSEWHERE) {
        rc = r->format->elsewhere(&r->in, &r->elsewhere, e);
        return rc ? rc : CONTAINER_ELSEWHERE;
    }
    if (rc > 0 && ++r->rounds > ROUNDS_MAX)
        return err_set(e, ERR_LIMIT, "%s: too many separate pieces of metadata", r->format->name);
    if (rc)
        return rc;
    rc = r->format->parse(&r->in, &r->package, e);
    if (!rc && r->in.options.unverified)
        package_set_unverified(r->package);
    container_input_clear(&r->in); /* the package holds copies */
    r->done = !rc;
    return rc;
}

int container_reader_next(struct container_reader *r, struct byte_range *want, struct err *e)
{
    if (r->failed) {
        if (e)
            *e = r->why;
        return r->failed;
    }
    if (r->done)
        return 0;
    if (r->elsewhere)
        return CONTAINER_ELSEWHERE;
    if (!r->want.length) {
        int rc = advance(r, &r->why);
        if (rc < 0) {
            r->failed = rc;
            if (e)
                *e = r->why;
        }
        if (rc != 1)
            return rc;
    }
    *want = r->want;
    return 1;
}

int container_reader_feed(struct container_reader *r, uint64_t offset, const void *data, size_t len,
                          struct err *e)
{
    uint64_t end;
    if (!r->want.length || offset > r->want.offset || add_overflows(offset, (uint64_t)len, &end) ||
        end <= r->want.offset)
        return err_set(e, ERR_INVALID, "bytes at %llu were not asked for",
                       (unsigned long long)offset);
    size_t skip = (size_t)(r->want.offset - offset);
    size_t use = (size_t)min_u64(len - skip, r->want.length);
    int rc = container_input_add(&r->in, r->want.offset, (const uint8_t *)data + skip, use,
                                 r->want.length, e);
    if (rc)
        return rc;
    r->want.offset += use;
    r->want.length -= use;
    return 0;
}

const char *container_reader_elsewhere(const struct container_reader *r)
{
    return r->elsewhere;
}

struct package *container_reader_take(struct container_reader *r)
{
    return steal_ptr(&r->package);
}

int container_read_memory(const void *data, size_t len, struct package **out, struct err *e)
{
    /* One piece that is all there is, borrowed: formats only look at it. */
    struct container_input in = {
        .size = len,
        .pieces = { { .data = (uint8_t *)(uintptr_t)data, .len = len } },
        .count = 1,
    };
    const struct container_format *format;
    struct byte_range want;
    struct err own;
    bool guessed;

    if (!len)
        return err_set(e, ERR_TRUNCATED, "the file is empty");
    format = choose(&in, &guessed);
    int rc = ask(format, &in, &want, &own);
    if (rc < 0 && guessed && own.kind == ERR_NOT_A_PACKAGE)
        return refuse(&in, e);
    if (rc < 0 && e)
        *e = own;
    if (rc == CONTAINER_ELSEWHERE)
        return err_set(e, ERR_UNSUPPORTED, "the package is in another file");
    return rc < 0 ? rc : format->parse(&in, out, e);
}

void container_describe(const void *head, size_t len, uint64_t size,
                        void (*line)(void *arg, const char *text), void *arg)
{
    struct container_input in = {
        .size = max_u64(size, len),
        .pieces = { { .data = (uint8_t *)(uintptr_t)head, .len = len } },
        .count = 1,
    };
    container_line(line, arg, "size: %llu bytes", (unsigned long long)size);
    for (size_t i = 0; i < ARRAY_LEN(formats); i++)
        if (formats[i]->probe(&in)) {
            container_line(line, arg, "format: %s", formats[i]->name);
            formats[i]->describe(head, len, size, line, arg);
            return;
        }
    const char *what = container_identify(head, len);
    container_line(line, arg, "format: unknown%s%s", what ? ", begins like " : "",
                   what ? what : "");
    container_describe_bytes(head, len, line, arg);
}
