/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Deflate streams read here and there. See inflater.h. */
#include "config.h"

#include "fetch/inflater.h"

#include <string.h>

#include <zlib.h>

enum {
    CURSORS = 4,
    POINTS = 64, /* of a stream */
    POINTS_ALL = 128,
    SPACING_MIN = 1024 * 1024,
    INPUT_FIRST = 64 * 1024, /* bytes read at a time, twice as many each time … */
    INPUT_MOST = 256 * 1024, /* … up to this */
    SKIP_STEP = 64 * 1024,
    RAW_WINDOW = -15,        /* zlib's word for deflate without a header */
};

/* Where decoding has got to in a stream. */
struct position {
    z_stream z;
    uint64_t in;  /* stored bytes taken, those that Z has not seen yet included */
    uint64_t out; /* decoded bytes */
};

struct stream {
    struct package_stream s;
    uint64_t spacing;         /* of the points, decoded bytes */
    struct position **points; /* POINTS; number i is at (i + 1) * spacing, NULL = none. NULL: none at all */
    unsigned count;           /* of them */
    unsigned restarts;
    uint64_t note;
    struct stream *next;      /* of those that have points */
};

struct cursor {
    struct stream *stream; /* NULL: not in use */
    struct position at;
    uint8_t *input;        /* INPUT_MOST bytes */
    size_t step;
    uint64_t used;         /* when, in reads */
};

struct inflater {
    inflater_input_fn input;
    void *arg;
    struct stream *streams;
    size_t count;
    unsigned points;      /* in all */
    struct stream *first; /* of the streams that have points, POINTS_ALL at most */
    uint64_t reads;
    struct cursor cursors[CURSORS];
    uint8_t skipped[SKIP_STEP];
};

/* --- life --------------------------------------------------------------------------------------- */

int inflater_new(const struct package_stream *streams, size_t count, inflater_input_fn input, void *arg,
                 struct inflater **out)
{
    struct inflater *d = calloc(1, sizeof *d);

    if (!d)
        return -ENOMEM;
    d->streams = calloc(count ? count : 1, sizeof *d->streams);
    if (!d->streams) {
        free(d);
        return -ENOMEM;
    }
    d->input = input;
    d->arg = arg;
    d->count = count;
    for (size_t i = 0; i < count; i++)
        d->streams[i] = (struct stream){
            .s = streams[i], .spacing = max_u64(SPACING_MIN, streams[i].len / POINTS + 1)
        };
    *out = d;
    return 0;
}

static void end_cursor(struct cursor *c)
{
    if (c->stream)
        (void)inflateEnd(&c->at.z);
    c->stream = NULL;
}

static void drop_point(struct inflater *d, struct stream *s, size_t index)
{
    (void)inflateEnd(&s->points[index]->z);
    free(steal_ptr(&s->points[index]));
    s->count--;
    d->points--;
}

/* Those of a stream that has some. */
static void drop_points(struct inflater *d, struct stream *s)
{
    struct stream **link = &d->first;

    for (size_t i = 0; i < POINTS; i++)
        if (s->points[i])
            drop_point(d, s, i);
    free(steal_ptr(&s->points));
    while (*link != s)
        link = &(*link)->next;
    *link = s->next;
}

static void forget(struct inflater *d, struct stream *s)
{
    for (size_t i = 0; i < CURSORS; i++)
        if (d->cursors[i].stream == s)
            end_cursor(&d->cursors[i]);
    if (s->points)
        drop_points(d, s);
}

void inflater_free(struct inflater *d)
{
    if (!d)
        return;
    while (d->first)
        drop_points(d, d->first);
    for (size_t i = 0; i < CURSORS; i++) {
        end_cursor(&d->cursors[i]);
        free(d->cursors[i].input);
    }
    free(d->streams);
    free(d);
}

static struct stream *find_stream(struct inflater *d, uint64_t at)
{
    size_t low = 0, high = d->count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        struct stream *s = &d->streams[mid];
        if (at < s->s.begin)
            high = mid;
        else if (at - s->s.begin < s->s.len)
            return s;
        else
            low = mid + 1;
    }
    return NULL;
}

bool inflater_forget(struct inflater *d, uint64_t at)
{
    struct stream *s = find_stream(d, at);

    if (!s || s->restarts == INFLATER_RESTARTS)
        return false;
    s->restarts++;
    forget(d, s);
    return true;
}

uint64_t *inflater_note(struct inflater *d, uint64_t at)
{
    struct stream *s = find_stream(d, at);

    return s ? &s->note : NULL;
}

/* --- points ------------------------------------------------------------------------------------- */

/* Takes every second point, or the only one, from the stream that has the most. There is one that has. */
static void thin_out(struct inflater *d)
{
    struct stream *most = d->first;
    bool take = true;

    for (struct stream *s = d->first; s; s = s->next)
        if (s->count > most->count)
            most = s;
    for (size_t i = 0; i < POINTS; i++) {
        if (!most->points[i])
            continue;
        if (take)
            drop_point(d, most, i);
        take = !take;
    }
    if (!most->count)
        drop_points(d, most);
}

/* False without memory. */
static bool make_points(struct inflater *d, struct stream *s)
{
    if (s->points)
        return true;
    s->points = calloc(POINTS, sizeof *s->points);
    if (!s->points)
        return false;
    s->next = d->first;
    d->first = s;
    return true;
}

/* A hint: without memory there is none. */
static void add_point(struct inflater *d, struct cursor *c)
{
    struct stream *s = c->stream;
    size_t index = (size_t)(c->at.out / s->spacing) - 1;

    if (index >= POINTS || (s->points && s->points[index]))
        return;
    if (d->points == POINTS_ALL)
        thin_out(d);
    struct position *p = calloc(1, sizeof *p);
    if (!p || !make_points(d, s) || inflateCopy(&p->z, &c->at.z) != Z_OK) {
        free(p);
        return;
    }
    p->in = c->at.in - c->at.z.avail_in;
    p->out = c->at.out;
    p->z.next_in = NULL;
    p->z.avail_in = 0;
    s->points[index] = p;
    s->count++;
    d->points++;
}

/* The last one not behind OUT, or NULL. */
static struct position *find_point(const struct stream *s, uint64_t out)
{
    size_t i = s->points ? (size_t)min_u64(out / s->spacing, POINTS) : 0;

    while (i-- > 0)
        if (s->points[i])
            return s->points[i];
    return NULL;
}

/* --- cursors ------------------------------------------------------------------------------------ */

/* The one of S that is nearest before OUT, or NULL. */
static struct cursor *find_cursor(struct inflater *d, const struct stream *s, uint64_t out)
{
    struct cursor *best = NULL;

    for (size_t i = 0; i < CURSORS; i++) {
        struct cursor *c = &d->cursors[i];
        if (c->stream == s && c->at.out <= out && (!best || c->at.out > best->at.out))
            best = c;
    }
    return best;
}

static struct cursor *least_used(struct inflater *d)
{
    struct cursor *c = &d->cursors[0];

    for (size_t i = 0; i < CURSORS; i++) {
        if (!d->cursors[i].stream)
            return &d->cursors[i];
        if (d->cursors[i].used < c->used)
            c = &d->cursors[i];
    }
    return c;
}

/* A cursor of S that begins at POINT, or at the beginning. */
static int begin_cursor(struct inflater *d, struct stream *s, struct position *point,
                        struct cursor **out, struct err *e)
{
    struct cursor *c = least_used(d);

    end_cursor(c);
    if (!c->input)
        c->input = malloc(INPUT_MOST);
    if (!c->input)
        return err_nomem(e);
    c->at = (struct position){ .in = 0 };
    int rc = point ? inflateCopy(&c->at.z, &point->z) : inflateInit2(&c->at.z, RAW_WINDOW);
    if (rc != Z_OK)
        return err_nomem(e);
    if (point) {
        c->at.in = point->in;
        c->at.out = point->out;
    }
    c->stream = s;
    c->step = INPUT_FIRST;
    *out = c;
    return 0;
}

static int choose_cursor(struct inflater *d, struct stream *s, uint64_t out, struct cursor **c,
                         struct err *e)
{
    struct position *point = find_point(s, out);

    *c = find_cursor(d, s, out);
    if (!*c || (point && point->out > (*c)->at.out)) {
        int rc = begin_cursor(d, s, point, c, e);
        if (rc)
            return rc;
    }
    (*c)->used = ++d->reads;
    return 0;
}

/* --- decoding ----------------------------------------------------------------------------------- */

static int damaged(const struct cursor *c, const char *how, struct err *e)
{
    return err_at(e, ERR_CORRUPT, NULL, c->stream->s.offset + c->at.in - c->at.z.avail_in,
                  "the compressed file %s", how);
}

static int fill(struct inflater *d, struct cursor *c, struct err *e)
{
    size_t n = (size_t)min_u64(c->step, c->stream->s.stored_len - c->at.in);

    if (!n)
        return damaged(c, "ends early", e);
    int rc = d->input(d->arg, c->stream->s.offset + c->at.in, c->input, n, e);
    if (rc)
        return rc;
    c->at.in += n;
    c->at.z.next_in = c->input;
    c->at.z.avail_in = (uInt)n;
    c->step = (size_t)min_u64(2 * c->step, INPUT_MOST);
    return 0;
}

/* The next N bytes, at most 2^31. */
static int decode(struct inflater *d, struct cursor *c, uint8_t *to, size_t n, struct err *e)
{
    c->at.z.next_out = to;
    c->at.z.avail_out = (uInt)n;
    for (;;) {
        int rc = inflate(&c->at.z, Z_SYNC_FLUSH);
        if (rc == Z_MEM_ERROR)
            return err_nomem(e);
        if (rc != Z_OK && rc != Z_BUF_ERROR && rc != Z_STREAM_END)
            return damaged(c, "is damaged", e);
        if (!c->at.z.avail_out)
            break;
        if (rc == Z_STREAM_END || c->at.z.avail_in)
            return damaged(c, "ends early", e);
        rc = fill(d, c, e);
        if (rc)
            return rc;
    }
    c->at.out += n;
    return 0;
}

/* The same, past points. */
static int advance(struct inflater *d, struct cursor *c, uint8_t *to, size_t n, struct err *e)
{
    while (n) {
        uint64_t spacing = c->stream->spacing;
        size_t piece = (size_t)min_u64(n, spacing - c->at.out % spacing);
        int rc = decode(d, c, to, piece, e);
        if (rc)
            return rc;
        if (c->at.out % spacing == 0)
            add_point(d, c);
        to += piece;
        n -= piece;
    }
    return 0;
}

static int read_from(struct inflater *d, struct cursor *c, uint64_t from, uint8_t *buf, size_t len,
                     struct err *e)
{
    while (c->at.out < from) {
        int rc = advance(d, c, d->skipped, (size_t)min_u64(from - c->at.out, SKIP_STEP), e);
        if (rc)
            return rc;
    }
    return advance(d, c, buf, len, e);
}

int inflater_read(struct inflater *d, uint64_t at, uint8_t *buf, size_t len, struct err *e)
{
    struct stream *s = find_stream(d, at);
    struct cursor *c;

    if (!s || len > s->s.len - (at - s->s.begin) || len > INT32_MAX)
        return err_at(e, ERR_INVALID, NULL, at, "not inside one compressed file");
    int rc = choose_cursor(d, s, at - s->s.begin, &c, e);
    if (rc)
        return rc;
    rc = read_from(d, c, at - s->s.begin, buf, len, e);
    if (rc)
        end_cursor(c);
    return rc;
}
