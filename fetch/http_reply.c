/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Header lines and what they must say. See http_reply.h. */
#include "config.h"

#include "fetch/http_reply.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum {
    HEADER_MAX = 256 * 1024,
    RETRY_AFTER_MAX = 24 * 3600,
};

struct span {
    const char *p, *end;
};

static struct span trimmed(struct span s)
{
    while (s.p < s.end && (*s.p == ' ' || *s.p == '\t'))
        s.p++;
    while (s.end > s.p && strchr(" \t\r\n", s.end[-1]) && s.end[-1])
        s.end--;
    return s;
}

static bool take_char(struct span *s, char c)
{
    if (s->p == s->end || *s->p != c)
        return false;
    s->p++;
    return true;
}

/* One or more digits that fit into 63 bits. */
static bool take_number(struct span *s, uint64_t *out)
{
    const char *start = s->p;
    uint64_t n = 0;

    for (; s->p < s->end && *s->p >= '0' && *s->p <= '9'; s->p++)
        if (mul_overflows(n, 10, &n) || add_overflows(n, (uint64_t)(*s->p - '0'), &n) ||
            n > INT64_MAX)
            return false;
    *out = n;
    return s->p > start;
}

static bool whole_number(struct span s, uint64_t *out)
{
    return take_number(&s, out) && s.p == s.end;
}

struct http_content_range http_content_range_parse(const char *value, size_t len)
{
    const struct http_content_range bad = { .form = HTTP_RANGE_BAD };
    struct http_content_range r = { .form = HTTP_RANGE_BYTES };
    struct span s = trimmed((struct span){ value, value + len });

    if (s.end - s.p < 6 || strncasecmp(s.p, "bytes", 5) != 0 || (s.p[5] != ' ' && s.p[5] != '\t'))
        return bad;
    s.p += 5;
    s = trimmed(s);
    if (take_char(&s, '*'))
        r.form = HTTP_RANGE_UNMATCHED;
    else if (!take_number(&s, &r.first) || !take_char(&s, '-') || !take_number(&s, &r.last) ||
             r.last < r.first)
        return bad;
    if (!take_char(&s, '/'))
        return bad;
    if (r.form == HTTP_RANGE_BYTES && take_char(&s, '*'))
        return s.p == s.end ? r : bad;
    if (!whole_number(s, &r.total) || (r.form == HTTP_RANGE_BYTES && r.last >= r.total))
        return bad;
    r.total_known = true;
    return r;
}

/* --- header lines -------------------------------------------------------------------------- */

/* Copies a value for comparison and for messages; what is too long counts as not sent. */
static void keep_text(char *to, size_t size, struct span v, bool *contradictory)
{
    size_t len = (size_t)(v.end - v.p);

    if (len >= size)
        len = 0;
    if (to[0] && (strlen(to) != len || memcmp(to, v.p, len) != 0))
        *contradictory = true;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)v.p[i];
        to[i] = c < 0x20 || c >= 0x7f ? '?' : (char)c;
    }
    to[len] = '\0';
}

static void keep_range(struct http_reply *r, struct span v)
{
    struct http_content_range new = http_content_range_parse(v.p, (size_t)(v.end - v.p));

    if (r->range.form != HTTP_RANGE_NONE &&
        (r->range.form != new.form || r->range.first != new.first || r->range.last != new.last ||
         r->range.total != new.total || r->range.total_known != new.total_known))
        r->contradictory = true;
    r->range = new;
}

static void keep_length(struct http_reply *r, struct span v)
{
    uint64_t n;

    if (!whole_number(v, &n) || (r->has_length && r->length != n)) {
        r->contradictory = true;
        return;
    }
    r->has_length = true;
    r->length = n;
}

/* One that is too long must not count as not sent: any but "identity" is refused. */
static void keep_encoding(struct http_reply *r, struct span v)
{
    size_t most = sizeof r->encoding - 1;

    if ((size_t)(v.end - v.p) > most)
        v.end = v.p + most;
    keep_text(r->encoding, sizeof r->encoding, v, &r->contradictory);
}

static bool starts_with(struct span v, const char *word)
{
    size_t n = strlen(word);

    return (size_t)(v.end - v.p) >= n && strncasecmp(v.p, word, n) == 0;
}

static bool is_field(struct span name, const char *word)
{
    return (size_t)(name.end - name.p) == strlen(word) && starts_with(name, word);
}

static void field(struct http_reply *r, struct span line)
{
    const char *colon = memchr(line.p, ':', (size_t)(line.end - line.p));

    if (!colon)
        return;
    struct span name = { line.p, colon };
    struct span v = trimmed((struct span){ colon + 1, line.end });
    bool ignored = false;

    if (is_field(name, "content-range"))
        keep_range(r, v);
    else if (is_field(name, "content-length"))
        keep_length(r, v);
    else if (is_field(name, "content-encoding"))
        keep_encoding(r, v);
    else if (is_field(name, "content-type"))
        r->multipart = starts_with(v, "multipart/byteranges");
    else if (is_field(name, "etag"))
        keep_text(r->identity.etag, sizeof r->identity.etag, v, &r->contradictory);
    else if (is_field(name, "last-modified"))
        keep_text(r->identity.last_modified, sizeof r->identity.last_modified, v,
                  &r->contradictory);
    else if (is_field(name, "location"))
        r->to_plain_http = starts_with(v, "http:");
    else if (is_field(name, "retry-after"))
        keep_text(r->retry_after, sizeof r->retry_after, v, &ignored);
}

static int parse_status(struct span line)
{
    const char *space = memchr(line.p, ' ', (size_t)(line.end - line.p));
    struct span s = { space, line.end };
    uint64_t n;

    if (!space)
        return 0;
    s = trimmed(s);
    return take_number(&s, &n) && n >= 100 && n <= 999 ? (int)n : 0;
}

enum http_line http_reply_line(struct http_reply *r, const char *line, size_t len)
{
    struct span s = { line, line + len };

    while (s.end > s.p && (s.end[-1] == '\r' || s.end[-1] == '\n'))
        s.end--;
    if (len > HEADER_MAX - r->header_bytes)
        return HTTP_LINE_FLOOD;
    r->header_bytes += (uint32_t)len;
    if (starts_with(s, "HTTP/")) {
        int status = parse_status(s);
        *r = (struct http_reply){ .status = status,
                                  .replies = r->replies + (status >= 200),
                                  .header_bytes = r->header_bytes };
        return HTTP_LINE_STATUS;
    }
    if (r->complete)
        return HTTP_LINE_EXTRA;
    if (s.p == s.end) {
        r->complete = true;
        return HTTP_LINE_END;
    }
    field(r, s);
    return HTTP_LINE_FIELD;
}

/* --- Retry-After --------------------------------------------------------------------------- */

/* The one date form that is to be sent: "Sun, 06 Nov 1994 08:49:37 GMT". */
static bool parse_http_date(const char *value, int64_t *out)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct tm tm = { .tm_isdst = 0 };
    uint64_t day, year, hour, minute, second;
    struct span s = { value, value + strlen(value) };

    if (s.end - s.p != 29 || s.p[3] != ',' || s.p[4] != ' ')
        return false;
    s.p += 5;
    if (!take_number(&s, &day) || !take_char(&s, ' ') || s.end - s.p < 4)
        return false;
    char month[4] = { s.p[0], s.p[1], s.p[2], '\0' };
    const char *found = strstr(months, month);
    s.p += 3;
    if (!found || (found - months) % 3 || !take_char(&s, ' ') || !take_number(&s, &year) ||
        !take_char(&s, ' ') || !take_number(&s, &hour) || !take_char(&s, ':') ||
        !take_number(&s, &minute) || !take_char(&s, ':') || !take_number(&s, &second) ||
        !starts_with(s, " GMT"))
        return false;
    if (day < 1 || day > 31 || year < 1970 || year > 9999 || hour > 23 || minute > 59 ||
        second > 60)
        return false;
    tm.tm_mday = (int)day;
    tm.tm_mon = (int)(found - months) / 3;
    tm.tm_year = (int)year - 1900;
    tm.tm_hour = (int)hour;
    tm.tm_min = (int)minute;
    tm.tm_sec = (int)second;
    *out = (int64_t)timegm(&tm);
    return true;
}

long http_retry_after(const char *value, int64_t now)
{
    struct span s = { value, value + strlen(value) };
    uint64_t seconds;
    int64_t date;

    if (whole_number(s, &seconds))
        return (long)min_u64(seconds, RETRY_AFTER_MAX);
    if (!parse_http_date(value, &date))
        return -1;
    return date <= now ? 0 : (long)min_u64((uint64_t)(date - now), RETRY_AFTER_MAX);
}

/* --- the verdict --------------------------------------------------------------------------- */

static int changed(const struct http_want *w, struct err *e, const char *what, const char *was,
                   const char *is)
{
    return err_set(e, ERR_OBJECT_CHANGED,
                   "%s: the file on the server is not the one that was opened (%s was %.100s, now "
                   "%.100s); unmount and mount again to use the new one",
                   w->name, what, *was ? was : "none", *is ? is : "none");
}

static int changed_size(const struct http_want *w, uint64_t is, struct err *e)
{
    char old[24], new[24];

    (void)snprintf(old, sizeof old, "%" PRIu64, w->identity->size);
    (void)snprintf(new, sizeof new, "%" PRIu64, is);
    return changed(w, e, "size", old, new);
}

/* Strong and weak spellings of one tag are the same object here: servers weaken a tag when a module
 * is switched on that could have altered the body, and Content-Encoding is checked by itself. */
static const char *opaque_tag(const char *etag)
{
    return strncmp(etag, "W/", 2) == 0 ? etag + 2 : etag;
}

static int check_identity(const struct http_reply *r, const struct http_want *w, struct err *e)
{
    const struct http_identity *was = w->identity, *is = &r->identity;
    bool tags = *was->etag && *is->etag, dates = *was->last_modified && *is->last_modified;

    if (tags && strcmp(opaque_tag(was->etag), opaque_tag(is->etag)) != 0)
        return changed(w, e, "ETag", was->etag, is->etag);
    if (dates && strcmp(was->last_modified, is->last_modified) != 0)
        return changed(w, e, "Last-Modified", was->last_modified, is->last_modified);
    /* Nothing to compare although there was something: not known to be the same object. */
    if (*was->etag && !tags && !dates)
        return changed(w, e, "ETag", was->etag, is->etag);
    if (*was->last_modified && !tags && !dates)
        return changed(w, e, "Last-Modified", was->last_modified, is->last_modified);
    return 0;
}

static int check_unmatched(const struct http_reply *r, const struct http_want *w, struct err *e)
{
    bool known = r->range.form == HTTP_RANGE_UNMATCHED;

    if (!w->identity)
        return err_set(e, ERR_TRUNCATED, "%s: the file on the server is empty (status 416)",
                       w->name);
    if (known && r->range.total == w->identity->size)
        return err_set(e, ERR_HTTP_BAD_REPLY,
                       "%s: the server refuses a range that lies inside the file (status 416)",
                       w->name);
    if (known)
        return changed_size(w, r->range.total, e);
    return err_set(e, ERR_OBJECT_CHANGED,
                   "%s: the server has no bytes at %" PRIu64 " any more (status 416); the file has "
                   "changed; unmount and mount again to use the new one",
                   w->name, w->offset);
}

static int check_status(const struct http_reply *r, const struct http_want *w, int64_t now,
                        struct err *e)
{
    long wait;

    switch (r->status) {
    case 206:
        return 0;
    case 200:
        if (!w->identity && r->has_length && r->length == 0)
            return err_set(e, ERR_TRUNCATED, "%s: the file on the server is empty", w->name);
        return err_set(e, ERR_HTTP_NO_RANGE,
                       "%s: the server ignores Range requests and sends the whole file (status "
                       "200); reading parts of a package needs a server and proxies that support "
                       "byte ranges",
                       w->name);
    case 401:
    case 403:
        return err_set(e, ERR_AUTH, "%s: access denied by the server (status %d)", w->name,
                       r->status);
    case 407:
        return err_set(e, ERR_AUTH, "%s: the proxy wants a log-in (status 407)", w->name);
    case 404:
    case 410:
        return err_set(e, ERR_NOT_FOUND, "%s: not found on the server (status %d)", w->name,
                       r->status);
    case 412:
        return err_set(e, ERR_OBJECT_CHANGED,
                       "%s: the file on the server has changed (status 412); unmount and mount "
                       "again to use the new one",
                       w->name);
    case 416:
        return check_unmatched(r, w, e);
    default:
        wait = http_retry_after(r->retry_after, now);
        if (wait >= 0)
            return err_set(e, ERR_HTTP_STATUS,
                           "%s: the server answers with status %d (and wants to be asked again "
                           "after %ld s)",
                           w->name, r->status, wait);
        return err_set(e, ERR_HTTP_STATUS, "%s: the server answers with status %d", w->name,
                       r->status);
    }
}

static int bad_reply(const struct http_want *w, struct err *e, const char *what)
{
    return err_set(e, ERR_HTTP_BAD_REPLY,
                   "%s: bytes %" PRIu64 " to %" PRIu64 " were asked for, but %s", w->name,
                   w->offset, w->offset + w->len - 1, what);
}

static int check_range(const struct http_reply *r, const struct http_want *w, uint64_t *body_len,
                       struct err *e)
{
    const struct http_content_range *c = &r->range;

    if (c->form == HTTP_RANGE_NONE)
        return bad_reply(w, e, "the reply (status 206) has no Content-Range");
    if (c->form != HTTP_RANGE_BYTES)
        return bad_reply(w, e, "the Content-Range of the reply makes no sense");
    if (!c->total_known)
        return bad_reply(w, e, "the reply does not tell the size of the file");
    if (w->identity && c->total != w->identity->size)
        return changed_size(w, c->total, e);
    int status = w->identity ? check_identity(r, w, e) : 0;
    if (status)
        return status;
    uint64_t end = w->offset + w->len;
    if (!w->identity)
        end = min_u64(end, c->total);
    if (c->first != w->offset || c->last != end - 1)
        return err_set(e, ERR_HTTP_BAD_REPLY,
                       "%s: bytes %" PRIu64 " to %" PRIu64 " were asked for, but the server sends "
                       "%" PRIu64 " to %" PRIu64,
                       w->name, w->offset, end - 1, c->first, c->last);
    *body_len = end - w->offset;
    return 0;
}

int http_reply_check(const struct http_reply *r, const struct http_want *w, int64_t now,
                     uint64_t *body_len, struct err *e)
{
    int status = check_status(r, w, now, e);

    if (status)
        return status;
    if (r->multipart)
        return bad_reply(w, e, "the reply is multipart/byteranges");
    if (*r->encoding && strcasecmp(r->encoding, "identity") != 0)
        return err_set(e, ERR_HTTP_BAD_REPLY,
                       "%s: the server encodes the reply (Content-Encoding: %s) although that was "
                       "declined; switch compression off for this file",
                       w->name, r->encoding);
    if (r->contradictory)
        return bad_reply(w, e, "the header of the reply contradicts itself");
    status = check_range(r, w, body_len, e);
    if (status)
        return status;
    if (r->has_length && r->length != *body_len)
        return bad_reply(w, e, "the Content-Length of the reply does not fit its Content-Range");
    return 0;
}
