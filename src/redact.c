/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* URLs in log lines without their secrets. See redact.h. */
#include "config.h"

#include "src/redact.h"

#include <string.h>

struct output {
    char *at, *end; /* END has room for the NUL */
};

static void put(struct output *o, const char *text, size_t len)
{
    size_t room = (size_t)(o->end - o->at);
    size_t n = len < room ? len : room;

    memcpy(o->at, text, n);
    o->at += n;
}

/* The part of a URL that names user, host and port. A password that should have been encoded may
 * hold a slash: where what looks like a port is no number, it goes on to the last '@'. */
static size_t secret_len(const char *url, size_t len)
{
    size_t authority = strcspn(url, "/?#"), at = 0;

    if (authority > len)
        authority = len;
    for (size_t i = 0; i < authority; i++)
        if (url[i] == '@')
            at = i;
    const char *colon = memchr(url, ':', authority);
    if (at || !colon || strspn(colon + 1, "0123456789]:") >= authority - (size_t)(colon - url) - 1)
        return at;
    for (size_t i = authority; i < len; i++)
        if (url[i] == '@')
            at = i;
    return at;
}

static void put_query(struct output *o, const char *query, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t n = strcspn(query + i, "&;"), name = strcspn(query + i, "=&;");

        n = n < len - i ? n : len - i;
        name = name < n ? name : n;
        /* What has no name is a value. */
        if (name < n) {
            put(o, query + i, name + 1);
            put(o, "...", 3);
        } else if (n) {
            put(o, "...", 3);
        }
        i += n;
        if (i < len)
            put(o, query + i++, 1);
    }
}

/* URL: what follows "://", LEN bytes. */
static void put_url(struct output *o, const char *url, size_t len)
{
    size_t at = secret_len(url, len);

    if (at)
        put(o, "...", 3);
    const char *rest = url + at;
    size_t rest_len = len - at;
    const char *query = memchr(rest, '?', rest_len);
    if (!query) {
        put(o, rest, rest_len);
        return;
    }
    put(o, rest, (size_t)(query - rest) + 1);
    put_query(o, query + 1, rest_len - (size_t)(query - rest) - 1);
}

void redact_line(const char *text, char *out, size_t size)
{
    struct output o = { .at = out, .end = out + size - 1 };

    for (const char *mark; (mark = strstr(text, "://"));) {
        const char *url = mark + 3;
        size_t len = strcspn(url, " \t\r\n\"'<>");

        while (len && strchr(":,;)", url[len - 1]))
            len--; /* of the sentence around it */
        put(&o, text, (size_t)(url - text));
        put_url(&o, url, len);
        text = url + len;
    }
    put(&o, text, strlen(text));
    *o.at = '\0';
}
