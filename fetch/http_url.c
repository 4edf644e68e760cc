/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* URLs for requests and for messages. See http_url.h. */
#include "config.h"

#include "fetch/http_url.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
    URL_MAX = 8192,
    REDACTED_MAX = 200,
};

bool http_url_matches(const char *location)
{
    return strncasecmp(location, "http:", 5) == 0 || strncasecmp(location, "https:", 6) == 0;
}

/* The authority of "scheme://authority/…" and its length; NULL when there is none. */
static const char *authority_of(const char *location, size_t *len)
{
    const char *colon = strchr(location, ':');

    if (!colon || colon[1] != '/' || colon[2] != '/')
        return NULL;
    *len = strcspn(colon + 3, "/?#");
    return colon + 3;
}

/* Whether what follows the host is a port. It is not when a password holds one of the characters
 * that end an authority: "http://me:pass/word@host/". */
static bool port_is_number(const char *authority, size_t len)
{
    size_t digits = 0;

    while (digits < len && authority[len - 1 - digits] >= '0' && authority[len - 1 - digits] <= '9')
        digits++;
    bool literal = len && authority[0] == '[';
    const char *colon = memchr(authority, ':', len);
    if (literal) {
        const char *close = memchr(authority, ']', len);
        if (!close)
            return false;
        colon = close + 1 == authority + len ? NULL : close + 1;
    }
    if (!colon)
        return true;
    if (*colon != ':' || colon + 1 + digits < authority + len)
        return false;
    unsigned long port = 0;
    for (const char *c = colon + 1; c < authority + len && port <= 65535; c++)
        port = port * 10 + (unsigned long)(*c - '0');
    return port <= 65535;
}

static int check_authority(const char *authority, size_t len, struct err *e)
{
    if (memchr(authority, '@', len))
        return err_set(e, ERR_INVALID,
                       "a URL with a user name or password in it is refused: other users can see "
                       "it; put them into a netrc file (~/.netrc) instead");
    if (len == 0 || authority[0] == ':')
        return err_set(e, ERR_INVALID, "the URL names no host");
    for (size_t i = 0; i < len; i++)
        if (authority[i] == ' ' || authority[i] == '\\')
            return err_set(e, ERR_INVALID, "the host in the URL contains a space or backslash");
    if (!port_is_number(authority, len))
        return err_set(e, ERR_INVALID, "the port in the URL is not a number up to 65535");
    return 0;
}

int http_url_prepare(const char *location, char **out, struct err *e)
{
    size_t authority_len = 0, len = strcspn(location, "#"), n = 0;
    const char *authority = authority_of(location, &authority_len);

    if (!http_url_matches(location) || !authority)
        return err_set(e, ERR_INVALID, "not a complete http or https URL");
    if (len > URL_MAX)
        return err_set(e, ERR_INVALID, "the URL is longer than %d bytes", URL_MAX);
    int r = check_authority(authority, authority_len, e);
    if (r)
        return r;
    auto_free char *url = malloc(3 * len + 1);
    if (!url)
        return err_nomem(e);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)location[i];
        bool in_path = location + i >= authority + authority_len;

        if (c < 0x20 || c == 0x7f)
            return err_set(e, ERR_INVALID, "the URL contains a control character");
        if (in_path && (c == ' ' || c >= 0x80))
            n += (size_t)snprintf(url + n, 4, "%%%02X", c);
        else
            url[n++] = (char)c;
    }
    url[n] = '\0';
    *out = steal_ptr(&url);
    return 0;
}

struct text {
    char bytes[REDACTED_MAX + 1];
    size_t len;
};

static void put(struct text *t, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len && t->len < REDACTED_MAX; i++) {
        unsigned char c = (unsigned char)bytes[i];
        t->bytes[t->len++] = c < 0x20 || c == 0x7f ? '?' : (char)c;
    }
}

/* Of "name=value" and of a bare value alike, only a name with its '=' is kept. */
static void put_query(struct text *t, const char *query, size_t len)
{
    const char *end = query + len;

    for (const char *p = query; p < end;) {
        size_t part = (size_t)(end - p), name;
        const char *amp = memchr(p, '&', part);

        if (amp)
            part = (size_t)(amp - p);
        const char *equals = memchr(p, '=', part);
        name = equals ? (size_t)(equals - p) + 1 : 0;
        put(t, p, name);
        put(t, "...", 3);
        p += part;
        if (amp) {
            put(t, "&", 1);
            p++;
        }
    }
}

char *http_url_redact(const char *location)
{
    struct text t = { .len = 0 };
    size_t len = strcspn(location, "#"), authority_len = 0;
    const char *authority = authority_of(location, &authority_len), *p = location;
    const char *end = location + len;

    if (authority && authority < end) {
        const char *at = NULL;
        for (const char *q = authority; q < authority + authority_len; q++)
            if (*q == '@')
                at = q;
        if (!port_is_number(authority, authority_len) && strrchr(authority, '@'))
            at = strrchr(authority, '@'); /* a password that is not encoded as it should be */
        if (at) {
            if (at >= end)
                end = at + strlen(at);
            put(&t, location, (size_t)(authority - location));
            put(&t, "...", 3);
            p = at;
        }
    }
    const char *query = memchr(p, '?', (size_t)(end - p));
    put(&t, p, (size_t)((query ? query + 1 : end) - p));
    if (query)
        put_query(&t, query + 1, (size_t)(end - query - 1));
    t.bytes[t.len] = '\0';
    return strdup(t.bytes);
}
