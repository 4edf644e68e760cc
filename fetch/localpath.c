/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From a file location to a path of this machine; UNC paths and drive letters go through a map.
 * Pure text work. See href.h.
 */
#include "config.h"

#include "fetch/href.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "fetch/place.h"

/* Server, share and the rest, or drive and the rest, with single '/' between and none around. */
static char *normalised(const char *text, size_t len)
{
    char *out = malloc(len + 1), *to = out;

    if (!out)
        return NULL;
    for (size_t i = 0; i < len; i++) {
        bool separator = place_is_separator(text[i]);
        if (!separator)
            *to++ = text[i];
        else if (to != out && to[-1] != '/')
            *to++ = '/';
    }
    if (to != out && to[-1] == '/')
        to--;
    *to = '\0';
    return out;
}

static bool climbs(const char *path)
{
    for (const char *p = path; *p; p += strspn(p, "/")) {
        size_t n = strcspn(p, "/");
        if (n == 2 && !strncmp(p, "..", 2))
            return true;
        p += n;
    }
    return false;
}

/* The entry of MAP whose left side is the longest prefix of WANTED, by components. */
static int find_mapping(const char *map, const char *wanted, const char **dir, size_t *dir_len,
                        size_t *key_len, struct err *e)
{
    *dir = NULL;
    *key_len = 0;
    for (const char *p = map; p && *p; p += *p == ';') {
        const char *entry = p + strspn(p, " \t\r\n");
        size_t n = strcspn(entry, ";");
        p = entry + n;
        if (!n)
            continue;
        const char *equals = memchr(entry, '=', n);
        if (!equals || equals == entry || equals + 1 == entry + n)
            return err_set(e, ERR_INVALID,
                           "unc_map: \"%.*s\" is not of the form \\\\server\\share=/directory",
                           (int)(n < 100 ? n : 100), entry);
        auto_free char *key = normalised(entry, (size_t)(equals - entry));
        if (!key)
            return err_nomem(e);
        size_t len = strlen(key);
        if (len > *key_len && !strncasecmp(wanted, key, len) &&
            (!wanted[len] || wanted[len] == '/')) {
            *dir = equals + 1;
            *dir_len = n - (size_t)(equals + 1 - entry);
            *key_len = len;
        }
    }
    return 0;
}

static int map_path(const char *location, const struct place *p, const char *map, char **out,
                    struct err *e)
{
    size_t len = (size_t)(p->rest + p->rest_len - p->authority);
    auto_free char *wanted = normalised(p->authority, len);
    if (!wanted)
        return err_nomem(e);
    if (p->is_file_url && !place_decode(wanted))
        return err_set(e, ERR_INVALID, "%s holds an escaped NUL", location);
    for (char *c = wanted; *c; c++) /* escaped ones */
        if (*c == '\\')
            *c = '/';
    if (climbs(wanted))
        return err_set(e, ERR_UNSAFE_PATH, "%s: \"..\" is not allowed in a mapped path", location);

    const char *dir;
    size_t dir_len, key_len;
    int rc = find_mapping(map, wanted, &dir, &dir_len, &key_len, e);
    if (rc)
        return rc;
    if (!dir && p->kind == PLACE_DRIVE)
        return err_set(e, ERR_UNRESOLVED,
                       "%s: drive %.2s is not mapped to a directory (option unc_map, '%.2s=/directory')",
                       location, wanted, wanted);
    if (!dir)
        return err_set(e, ERR_UNRESOLVED,
                       "%s: the share is not mapped to a directory "
                       "(option unc_map, '\\\\server\\share=/directory')",
                       location);
    while (dir_len > 1 && dir[dir_len - 1] == '/')
        dir_len--;
    if (asprintf(out, "%.*s%s", (int)dir_len, dir, wanted + key_len) < 0)
        return err_nomem(e);
    return 0;
}

int href_local_path(const char *location, const char *map, const char *base, char **out,
                    struct err *e)
{
    struct place p;

    if (!*location)
        return err_set(e, ERR_INVALID, "the location of the package is empty");
    place_parse(location, false, &p);
    if (p.kind == PLACE_URL)
        return err_set(e, ERR_INVALID, "%.*s: is not a file location", (int)p.scheme_len,
                       location);
    if (p.kind == PLACE_UNC || p.kind == PLACE_DRIVE)
        return map_path(location, &p, map, out, e);

    if (p.kind == PLACE_ABSOLUTE && !p.is_file_url) {
        *out = strdup(location);
        return *out ? 0 : err_nomem(e);
    }
    auto_free char *rest = strndup(p.rest, p.rest_len);
    if (!rest)
        return err_nomem(e);
    if (p.is_file_url && !place_decode(rest))
        return err_set(e, ERR_INVALID, "%s holds an escaped NUL", location);
    for (char *c = rest; *c; c++)
        if (*c == '\\' && p.kind == PLACE_RELATIVE)
            *c = '/';
    const char *front = p.kind == PLACE_ABSOLUTE ? "" : base && *base ? base : NULL;
    size_t n = front ? strlen(front) : 0;
    while (n && front[n - 1] == '/')
        n--;
    if (asprintf(out, "%.*s%s%s", (int)n, front ? front : "", front ? "/" : "", rest) < 0)
        return err_nomem(e);
    return 0;
}
