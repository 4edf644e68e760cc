/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a server says about the bytes it sends, and whether that is what was asked for: header
 * lines in, a verdict out. Pure, no curl, no I/O: everything here is fed by a server that may be
 * wrong or hostile.
 *
 * The rules. A range request is answered by 206 with a Content-Range that names exactly the bytes
 * asked for and the size the object had when it was opened, without a Content-Encoding, and with
 * the same ETag and Last-Modified as then. A 200 is refused always, even if the whole object is what
 * was asked for: the next range request would bring the whole object again.
 */
#ifndef FETCH_HTTP_REPLY_H
#define FETCH_HTTP_REPLY_H

#include <stdint.h>

#include "src/compiler.h"
#include "src/err.h"

enum http_range_form {
    HTTP_RANGE_NONE,      /* no such header */
    HTTP_RANGE_BYTES,     /* bytes first-last/total */
    HTTP_RANGE_UNMATCHED, /* bytes * /total, with status 416 */
    HTTP_RANGE_BAD,       /* anything else */
};

struct http_content_range {
    enum http_range_form form;
    bool total_known;
    uint64_t first, last, total; /* last is inclusive and below total */
};

/* Parses the value of a Content-Range header; LEN bytes, any bytes. */
struct http_content_range http_content_range_parse(const char *value, size_t len);

/* Which object it is. An empty string: the server does not say. */
struct http_identity {
    uint64_t size;
    char etag[256];         /* as sent, with W/ and quotes; a longer one counts as not sent */
    char last_modified[64]; /* compared as text */
};

/* One reply. Zero-initialise; http_reply_line() starts over at each status line. */
struct http_reply {
    int status;                  /* 0 before the first status line */
    bool complete;               /* the header has ended; what follows is a trailer */
    bool contradictory;          /* two different values where one is allowed */
    bool has_length;
    uint64_t length;             /* Content-Length */
    struct http_content_range range;
    struct http_identity identity; /* size is not set */
    char encoding[32];           /* Content-Encoding, "" or "identity" if none */
    bool multipart;              /* Content-Type: multipart/byteranges */
    bool to_plain_http;          /* Location begins with http: */
    char retry_after[40];        /* as sent; see http_retry_after() */
    uint32_t replies;            /* status lines seen, 1xx aside */
    uint32_t header_bytes;       /* of all of them */
};

enum http_line {
    HTTP_LINE_STATUS,
    HTTP_LINE_FIELD,
    HTTP_LINE_END,   /* the header is complete */
    HTTP_LINE_EXTRA, /* a trailer field */
    HTTP_LINE_FLOOD, /* more header bytes than any honest server sends */
};

/* Takes the next header line (LEN bytes, line end included or not). */
enum http_line http_reply_line(struct http_reply *r, const char *line, size_t len);

/* Seconds to wait according to a Retry-After value (seconds or an HTTP date, compared with NOW), at
 * most a day; -1 when it is missing or makes no sense. */
long http_retry_after(const char *value, int64_t now);

/* What was asked for. */
struct http_want {
    const char *name;  /* of the object, for messages */
    uint64_t offset;
    uint64_t len;      /* at least 1 */
    const struct http_identity *identity; /* NULL while opening: any object will do */
};

/*
 * Judges a complete header that is not going to be followed up by a redirect or a log-in. Returns 0
 * when the body that follows is what was asked for; the errors are ERR_HTTP_NO_RANGE,
 * ERR_HTTP_BAD_REPLY, ERR_OBJECT_CHANGED, ERR_TRUNCATED, ERR_AUTH, ERR_NOT_FOUND, ERR_HTTP_STATUS.
 * With identity NULL the object may be shorter than what was asked for, and *body_len will come.
 */
int http_reply_check(const struct http_reply *r, const struct http_want *want, int64_t now,
                     uint64_t *body_len, struct err *e) must_check;

#endif
