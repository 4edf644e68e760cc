/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parts of a location. See place.h. */
#include "config.h"

#include "fetch/place.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "src/opc_name.h"

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static size_t separators(const char *p)
{
    return strspn(p, "/\\");
}

static size_t components(const char *p)
{
    size_t n = 0;

    for (p += separators(p); *p && *p != '?'; p += separators(p)) {
        n++;
        p += strcspn(p, "/\\?");
    }
    return n;
}

/* Past COUNT components of P and the separators behind each. */
static const char *skip(const char *p, size_t count)
{
    for (p += separators(p); count--; p += separators(p))
        p += strcspn(p, "/\\");
    return p;
}

static bool is_drive(const char *p)
{
    return is_alpha(p[0]) && p[1] == ':' && (!p[2] || place_is_separator(p[2]));
}

size_t place_scheme_len(const char *text)
{
    size_t n = 0;

    if (!is_alpha(*text))
        return 0;
    while (is_alpha(text[n]) || (text[n] >= '0' && text[n] <= '9') ||
           (text[n] && strchr("+-.", text[n])))
        n++;
    if (n < 2 || text[n] != ':')
        return 0;
    bool is_file = n == 4 && !strncasecmp(text, "file", 4);
    return is_file || separators(text + n + 1) >= 2 ? n : 0;
}

static void set_rest(struct place *p, const char *rest, bool has_query)
{
    p->rest = rest;
    p->rest_len = has_query ? strcspn(rest, "?") : strlen(rest);
    p->query = rest + p->rest_len;
}

static void set_unc(struct place *p, const char *server)
{
    p->kind = PLACE_UNC;
    p->authority = server + separators(server);
    set_rest(p, skip(server, 2), true);
}

static void set_drive(struct place *p, const char *letter)
{
    p->kind = PLACE_DRIVE;
    p->authority = letter;
    p->authority_len = 2;
    set_rest(p, letter + 2 + separators(letter + 2), true);
}

static void parse_file_url(const char *text, bool is_root, struct place *p)
{
    bool has_host = !strncmp(text, "//", 2);
    size_t needed = is_root ? 2 : 3;

    if (has_host)
        text += 2;
    size_t lead = separators(text);
    p->is_file_url = true;
    if (is_drive(text + lead) && lead <= 1) {
        set_drive(p, text + lead);
    } else if (lead >= 2 ? components(text) >= 2
                         : (*text == '\\' || (has_host && !lead)) && components(text) >= needed &&
                               strncasecmp(text, "localhost/", 10) != 0) {
        set_unc(p, text);
    } else if (lead == 1 && *text == '/') {
        p->kind = PLACE_ABSOLUTE;
        set_rest(p, text + 1, true);
    } else if (has_host && !strncasecmp(text, "localhost/", 10)) {
        p->kind = PLACE_ABSOLUTE;
        set_rest(p, skip(text, 1), true);
    } else {
        p->kind = PLACE_RELATIVE;
        set_rest(p, text + lead, true);
    }
}

void place_parse(const char *text, bool is_root, struct place *p)
{
    size_t scheme = place_scheme_len(text);
    size_t lead = separators(text);

    *p = (struct place){ .kind = PLACE_RELATIVE, .scheme_len = scheme };
    if (scheme == 4 && !strncasecmp(text, "file", 4)) {
        parse_file_url(text + 5, is_root, p);
    } else if (scheme) {
        p->kind = PLACE_URL;
        p->authority = text + scheme + 3;
        p->authority_len = strcspn(p->authority, "/\\?#");
        const char *rest = p->authority + p->authority_len;
        set_rest(p, rest + separators(rest), true);
    } else if (is_drive(text)) {
        set_drive(p, text);
    } else if (*text == '/') {
        p->kind = PLACE_ABSOLUTE;
        set_rest(p, text + lead, false);
    } else if (lead >= 2 && components(text) >= 2) {
        set_unc(p, text);
    } else {
        set_rest(p, text + lead, true);
    }
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool place_decode(char *text)
{
    char *to = text;

    for (const char *p = text; *p; p++) {
        int high = *p == '%' ? hex(p[1]) : -1;
        int low = high >= 0 ? hex(p[2]) : -1;
        if (low >= 0) {
            if (!high && !low)
                return false;
            *to++ = (char)(high << 4 | low);
            p += 2;
        } else {
            *to++ = *p;
        }
    }
    *to = '\0';
    return true;
}

char *place_beside(const char *location, const char *name)
{
    size_t scheme = place_scheme_len(location), len = strlen(name);
    size_t end = scheme ? strcspn(location, "?#") : strlen(location), dir = end;
    const char *query = location + end;
    auto_free char *encoded = malloc(3 * len + 1);
    char *out;

    if (!encoded)
        return NULL;
    (void)opc_name_encode(name, len, encoded);
    size_t least = scheme ? scheme + 1 : 0; /* with the colon */
    while (dir > least && !place_is_separator(location[dir - 1]))
        dir--;
    bool no_path = scheme && dir == scheme + 3 && !strncmp(location + scheme, "://", 3); /* http://host */
    if (asprintf(&out, "%.*s%s%s%.*s", (int)(no_path ? end : dir), location,
                 no_path ? "/" : dir ? "" : "./", scheme ? encoded : name,
                 (int)(*query == '?' ? strcspn(query, "#") : 0), query) < 0)
        return NULL;
    return out;
}
