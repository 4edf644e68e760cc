/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Addresses in the form that is signed. See sigv4.h. */
#include "config.h"

#include "fetch/sigv4.h"

#include <stdio.h>
#include <string.h>

static bool is_word(const char *p, size_t len)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

    return len > 0 && len <= 64 && strspn(p, allowed) >= len;
}

int sigv4_scope(const char *text, char **out, struct err *e)
{
    size_t region = strcspn(text, "/");
    const char *service = text[region] ? text + region + 1 : "s3";

    if (!is_word(text, region) || !is_word(service, strlen(service)))
        return err_set(e, ERR_INVALID,
                       "aws-sigv4 must be a region, such as eu-west-1, or region and service, such "
                       "as eu-west-1/s3, not '%.80s'",
                       text);
    if (asprintf(out, "aws:amz:%.*s:%s", (int)region, text, service) < 0)
        return err_nomem(e);
    return 0;
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_plain(unsigned char c, const char *also)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("-._~", c)) || (c && strchr(also, c));
}

/* LEN bytes at FROM, encoded somehow, to TO; what is in ALSO stays as it is. At most three bytes
 * for one. Returns the end. */
static char *encode(char *to, const char *from, size_t len, const char *also)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)from[i];
        bool encoded = c == '%' && len - i > 2 && hex(from[i + 1]) >= 0 && hex(from[i + 2]) >= 0;

        if (encoded) {
            c = (unsigned char)(hex(from[i + 1]) * 16 + hex(from[i + 2]));
            i += 2;
        }
        if (is_plain(c, also))
            *to++ = (char)c;
        else
            to += snprintf(to, 4, "%%%02X", c);
    }
    *to = '\0';
    return to;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The parameters in order of their names, then values, each with its '='. A '=' sorts as the end of
 * a name has to, but for names that go on with '-' or '.'; so it is put as a 1 until it is
 * sorted. */
static char *put_query(char *to, const char *query)
{
    size_t count = 0, len = strlen(query);
    auto_free char *text = malloc(4 * len + 8);
    auto_free char **part = calloc(len + 1, sizeof *part);
    char *end = text;

    if (!text || !part)
        return NULL;
    for (const char *p = query; *p;) {
        size_t n = strcspn(p, "&"), name = 0;
        while (name < n && p[name] != '=')
            name++;
        if (n) {
            part[count++] = end;
            end = encode(end, p, name, "");
            *end++ = 1;
            end = encode(end, p + name + 1, n > name ? n - name - 1 : 0, "") + 1;
        }
        p += n + (p[n] == '&');
    }
    qsort(part, count, sizeof *part, by_text);
    for (size_t i = 0; i < count; i++) {
        *to++ = i ? '&' : '?';
        for (const char *p = part[i]; *p; p++)
            *to++ = *p == 1 ? '=' : *p;
    }
    *to = '\0';
    return to;
}

char *sigv4_url(const char *url)
{
    const char *scheme = strstr(url, "://");
    const char *host = scheme ? scheme + 3 : url;
    const char *path = host + strcspn(host, "/?");
    size_t path_len = strcspn(path, "?"), before = (size_t)(path - url);
    auto_free char *out = malloc(before + 3 * strlen(path) + strlen(path) + 8);
    char *end;

    if (!out)
        return NULL;
    memcpy(out, url, before);
    end = out + before;
    if (path_len)
        end = encode(end, path, path_len, "/");
    else
        *end++ = '/';
    *end = '\0';
    if (path[path_len] == '?' && !put_query(end, path + path_len + 1))
        return NULL;
    return steal_ptr(&out);
}
