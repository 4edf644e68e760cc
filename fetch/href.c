/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From the HREF of a document to the location to open. Pure text work. See href.h. */
#include "config.h"

#include "fetch/href.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "fetch/place.h"

#define ADVICE "; give its place with --override-url or --application-source-root"
#define MIME_SOURCE "SFT_MIME_SOURCE"

extern char **environ;

/* --- texts --------------------------------------------------------------------------------- */

struct text {
    char *p; /* NUL-terminated unless NULL */
    size_t len;
    bool no_memory; /* checked once, at the end */
};

static void put(struct text *t, const char *bytes, size_t n)
{
    size_t want;
    char *grown = NULL;

    if (!t->no_memory && !add_overflows(t->len, n, &want) && want < SIZE_MAX)
        grown = realloc(t->p, want + 1);
    if (!grown) {
        t->no_memory = true;
        return;
    }
    if (n)
        memcpy(grown + t->len, bytes, n);
    grown[want] = '\0';
    t->p = grown;
    t->len = want;
}

static int finish(struct text *t, char **out, struct err *e)
{
    if (t->no_memory || !t->p) {
        free(t->p);
        return err_nomem(e);
    }
    *out = t->p;
    return 0;
}

static void translate(char *p, char from, char to)
{
    for (; *p; p++)
        if (*p == from)
            *p = to;
}

/* A copy without surrounding white space; NULL when out of memory. */
static char *trimmed(const char *text)
{
    text += strspn(text, " \t\r\n");
    size_t n = strlen(text);
    while (n && strchr(" \t\r\n", text[n - 1]))
        n--;
    return strndup(text, n);
}

static bool is_set(const char *text)
{
    return text && text[strspn(text, " \t\r\n")];
}

bool href_has_scheme(const char *location, const char *scheme)
{
    size_t n = place_scheme_len(location);
    return n && strlen(scheme) == n && !strncasecmp(location, scheme, n);
}

/* --- URLs ---------------------------------------------------------------------------------- */

/* Makes what people write into a URL: '/' for '\' before the query; blanks, bytes above ASCII and
 * per cent signs that begin no escape are escaped. */
static int clean_url(const char *url, char **out, struct err *e)
{
    static const char digits[] = "0123456789ABCDEF";
    struct text t = { .p = NULL };
    bool in_query = false;

    put(&t, "", 0);
    for (const char *p = url; *p; p++) {
        unsigned char c = (unsigned char)*p;
        in_query |= c == '?';
        bool is_escape = c == '%' && isxdigit((unsigned char)p[1]) &&
                         isxdigit((unsigned char)p[2]);
        if (c == '\\' && !in_query) {
            put(&t, "/", 1);
        } else if (c <= ' ' || c >= 0x7f || c == '"' || c == '<' || c == '>' ||
                   (c == '%' && !is_escape)) {
            char escape[3] = { '%', digits[c >> 4], digits[c & 15] };
            put(&t, escape, 3);
        } else {
            put(&t, p, 1);
        }
    }
    return finish(&t, out, e);
}

/* --- ApplicationSourceRoot ------------------------------------------------------------------- */

static size_t variable_len(const char *after_percent)
{
    size_t n = 0;

    if (!isalpha((unsigned char)*after_percent) && *after_percent != '_')
        return 0;
    while (isalnum((unsigned char)after_percent[n]) ||
           (after_percent[n] && strchr("_()", after_percent[n])))
        n++;
    return after_percent[n] == '%' ? n : 0;
}

/* Length of "%SFT_MIME_SOURCE%" and the separators behind it at the start of HREF, else 0. */
static size_t mime_source_len(const char *href)
{
    size_t n = sizeof MIME_SOURCE + 1;

    if (strncasecmp(href, "%" MIME_SOURCE "%", n) != 0)
        return 0;
    return n + strspn(href + n, "/\\");
}

static int check_root(const char *root, const struct place *p, struct err *e)
{
    for (const char *at = strchr(root, '%'); at; at = strchr(at + 1, '%'))
        if (variable_len(at + 1))
            return err_set(e, ERR_INVALID, "source root %s: variables are not allowed", root);
    if (p->kind == PLACE_RELATIVE)
        return err_set(e, ERR_INVALID,
                       "source root \"%s\" is neither URL, \\\\server\\share, drive nor directory",
                       root);
    if (*p->query)
        return err_set(e, ERR_INVALID, "source root has a query");
    if (p->kind != PLACE_URL)
        return 0;
    if (!p->authority_len)
        return err_set(e, ERR_INVALID, "source root %s names no server", root);
    if (memchr(p->authority, '@', p->authority_len)) /* not repeated: it may hold a password */
        return err_set(e, ERR_INVALID, "source root must not hold user or password");
    if (strchr(root, '#'))
        return err_set(e, ERR_INVALID, "source root %s has a fragment", root);
    return 0;
}

int href_substitute_root(const char *href, const char *root, char **out, struct err *e)
{
    auto_free char *h = trimmed(href);
    auto_free char *r = trimmed(root);
    struct place hp, rp;

    if (!h || !r)
        return err_nomem(e);
    place_parse(r, true, &rp);
    int rc = check_root(r, &rp, e);
    if (rc)
        return rc;
    place_parse(h + mime_source_len(h), false, &hp);

    bool is_url = rp.kind == PLACE_URL;
    bool by_slash = is_url || !strchr(r, '\\') ? rp.kind != PLACE_DRIVE : false;
    auto_free char *rest = strndup(hp.rest, hp.rest_len);
    if (!rest)
        return err_nomem(e);
    if (!is_url && !rp.is_file_url && (hp.kind == PLACE_URL || hp.is_file_url) &&
        !place_decode(rest))
        return err_set(e, ERR_INVALID, "HREF holds an escaped NUL");
    translate(rest, by_slash ? '\\' : '/', by_slash ? '/' : '\\');

    size_t root_len = strlen(r);
    while (root_len && place_is_separator(r[root_len - 1]))
        root_len--;
    struct text t = { .p = NULL };
    put(&t, r, root_len);
    put(&t, by_slash ? "/" : "\\", 1);
    put(&t, rest, strlen(rest));
    if (is_url && hp.kind == PLACE_URL)
        put(&t, hp.query, strlen(hp.query));
    return finish(&t, out, e);
}

/* --- variables and relative places ----------------------------------------------------------- */

static const char *variable(const char *name, size_t len)
{
    for (char **v = environ; v && *v; v++)
        if (!strncasecmp(*v, name, len) && (*v)[len] == '=' && (*v)[len + 1])
            return *v + len + 1;
    return NULL;
}

static int expand(const char *href, const char *base, char **out, struct err *e)
{
    struct place place;
    struct text t = { .p = NULL };
    const char *p = href;

    place_parse(href, false, &place);
    put(&t, "", 0);
    while (*p) {
        size_t plain = strcspn(p, "%");
        put(&t, p, plain);
        p += plain;
        if (!*p)
            break;
        size_t n = variable_len(p + 1);
        const char *value = n ? variable(p + 1, n) : NULL;
        if (n == sizeof MIME_SOURCE - 1 && !strncasecmp(p + 1, MIME_SOURCE, n))
            value = base && *base ? base : ".";
        /* In the path of a URL, "%C3%A9" is two escapes, not a variable. */
        bool may_be_escape = (place.kind == PLACE_URL || place.is_file_url) && p >= place.rest &&
                             isxdigit((unsigned char)p[1]) && isxdigit((unsigned char)p[2]);
        if (value) {
            put(&t, value, strlen(value));
            p += n + 2;
        } else if (!n || may_be_escape) {
            put(&t, p++, 1);
        } else {
            free(t.p);
            return err_set(e, ERR_UNRESOLVED,
                           "HREF %s: %%%.*s%% is not set; set it in the environment" ADVICE, href,
                           (int)n, p + 1);
        }
    }
    return finish(&t, out, e);
}

bool href_names_document(const char *location)
{
    size_t n = strcspn(location, "?#");

    return n >= 4 && (!strncasecmp(location + n - 4, ".osd", 4) ||
                      !strncasecmp(location + n - 4, ".xml", 4));
}

/* The directory of a base URL that names the document itself, else all of it; no '/' at the end
 * but the root's. */
static size_t base_len(const char *base)
{
    size_t n = strlen(base);

    if (place_scheme_len(base)) {
        n = strcspn(base, "?#");
        if (href_names_document(base))
            while (n && base[n - 1] != '/')
                n--;
    }
    while (n > 1 && base[n - 1] == '/')
        n--;
    return n;
}

/* BASE "/" REST. ESCAPED: the rest comes from a URL. */
static int join(const char *base, const char *rest, size_t rest_len, bool escaped, char **out,
                struct err *e)
{
    auto_free char *tail = strndup(rest, rest_len);
    struct text t = { .p = NULL };
    bool base_is_url = base && place_scheme_len(base);

    if (!tail)
        return err_nomem(e);
    if (escaped && !base_is_url && !place_decode(tail))
        return err_set(e, ERR_INVALID, "location holds an escaped NUL");
    translate(tail, '\\', '/');
    if (base && *base) {
        size_t n = base_len(base);
        put(&t, base, n);
        if (base[n - 1] != '/')
            put(&t, "/", 1);
    }
    put(&t, tail, strlen(tail));
    auto_free char *joined = NULL;
    int rc = finish(&t, &joined, e);
    if (rc)
        return rc;
    if (base_is_url)
        return clean_url(joined, out, e);
    *out = steal_ptr(&joined);
    return 0;
}

static int names_no_file(const char *location, struct err *e)
{
    return err_set(e, ERR_UNRESOLVED, "HREF %s names no package file" ADVICE, location);
}

/* Last steps for an HREF that no other option replaced. */
static int finish_href(const char *href, const struct href_options *o, char **out, struct err *e)
{
    size_t source_len = mime_source_len(href);
    auto_free char *location = NULL;
    int rc = expand(href + source_len, o->base, &location, e);
    if (rc)
        return rc;

    struct place p;
    place_parse(location, false, &p);
    if (!p.rest_len || place_is_separator(p.rest[p.rest_len - 1]))
        return names_no_file(location, e);
    if (source_len || p.kind == PLACE_RELATIVE)
        return join(o->base, p.rest, p.rest_len, p.is_file_url, out, e);
    if (href_has_scheme(location, "http") || href_has_scheme(location, "https"))
        return clean_url(location, out, e);
    *out = steal_ptr(&location);
    return 0;
}

int href_resolve(const char *href, const struct href_options *o, char **out, struct err *e)
{
    const char *given = is_set(o->source) ? o->source : is_set(o->override_url) ? o->override_url
                                                                                : NULL;
    if (given) {
        *out = strdup(given);
        return *out ? 0 : err_nomem(e);
    }
    if (!is_set(href))
        return err_set(e, ERR_EMPTY_HREF, "the document has an empty HREF" ADVICE);

    auto_free char *text = NULL;
    if (is_set(o->source_root)) {
        int rc = href_substitute_root(href, o->source_root, &text, e);
        if (rc)
            return rc;
    } else {
        text = trimmed(href);
        if (!text)
            return err_nomem(e);
    }
    return finish_href(text, o, out, e);
}

int href_file_name(const char *href, char **out, struct err *e)
{
    if (!is_set(href))
        return err_set(e, ERR_EMPTY_HREF, "the document has an empty HREF" ADVICE);
    auto_free char *text = trimmed(href);
    if (!text)
        return err_nomem(e);

    struct place p;
    place_parse(text + mime_source_len(text), false, &p);
    size_t from = p.rest_len;
    while (from && !place_is_separator(p.rest[from - 1]))
        from--;
    auto_free char *name = strndup(p.rest + from, p.rest_len - from);
    if (!name)
        return err_nomem(e);
    if ((p.kind == PLACE_URL || p.is_file_url) && !place_decode(name))
        return err_set(e, ERR_INVALID, "HREF holds an escaped NUL");
    if (!*name || !strcmp(name, ".") || !strcmp(name, "..") || strpbrk(name, "/\\"))
        return names_no_file(text, e);
    *out = steal_ptr(&name);
    return 0;
}
