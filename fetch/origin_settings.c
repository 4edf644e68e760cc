/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Copies of an origin's options. Places are opened long after the caller's strings are gone, and
 * when the program may have left the directory it was started in.
 */
#include "config.h"

#include "fetch/origin_impl.h"

#include <stdio.h>
#include <string.h>

#include "fetch/holdoff.h"
#include "fetch/http_url.h"
#include "fetch/place.h"

/* PATH from the root on; of one that is not there the directory is put in front, so that whoever
 * opens it can say that it is missing. */
static char *absolute(const char *path)
{
    char *full = realpath(path, NULL), *cwd;

    if (full)
        return full;
    if (path[0] == '/' || !(cwd = getcwd(NULL, 0)))
        return strdup(path);
    if (asprintf(&full, "%s/%s", cwd, path) < 0)
        full = NULL;
    free(cwd);
    return full;
}

static bool is_relative_path(const char *location)
{
    struct place p;

    if (place_scheme_len(location))
        return false;
    place_parse(location, false, &p);
    return p.kind == PLACE_RELATIVE && !p.is_file_url;
}

/* A link is not followed: it may lead elsewhere by the time the place is opened. */
static char *copy_location(const char *location)
{
    char *full = NULL, *cwd;

    if (!is_relative_path(location) || !(cwd = getcwd(NULL, 0)))
        return strdup(location);
    if (asprintf(&full, "%s/%s", cwd, location) < 0)
        full = NULL;
    free(cwd);
    return full;
}

static char *copy_name(const char *location)
{
    return place_scheme_len(location) ? http_url_redact(location) : strdup(location);
}

static int copy_connection(struct origin_settings *s, const struct source_options *o,
                           struct err *e)
{
    struct source_options *to = &s->connection;
    const struct {
        const char **text;
        bool is_path;
    } fields[] = {
        { &to->user_agent, false }, { &to->ca_file, true },  { &to->client_cert, true },
        { &to->client_key, true },  { &to->netrc_file, true }, { &to->proxy, false },
        { &to->auth, false },       { &to->unc_map, false }, { &to->aws_sigv4, false },
    };

    _Static_assert(ARRAY_LEN(fields) == ARRAY_LEN(s->texts), "one owned text a field");
    if (o)
        *to = *o;
    to->opening = NULL;
    to->once = false;
    if (!to->io_timeout_ms)
        to->io_timeout_ms = 60000;
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        if (!*fields[i].text)
            continue;
        s->texts[i] = fields[i].is_path ? absolute(*fields[i].text) : strdup(*fields[i].text);
        *fields[i].text = s->texts[i];
        if (!s->texts[i])
            return err_nomem(e);
    }
    return 0;
}

int origin_settings_new(const struct origin_options *o, struct origin_settings **out,
                        struct err *e)
{
    struct origin_settings *s = calloc(1, sizeof *s);

    if (!s)
        return err_nomem(e);
    atomic_init(&s->users, 1);
    s->impatient = o->impatient;
    s->holdoff_first_ms = o->holdoff_first_ms ? o->holdoff_first_ms : HOLDOFF_FIRST_MS;
    s->holdoff_most_ms = o->holdoff_most_ms ? o->holdoff_most_ms : HOLDOFF_MOST_MS;
    s->holdoff_refused_ms = o->holdoff_refused_ms ? o->holdoff_refused_ms : HOLDOFF_REFUSED_MS;
    s->open = o->open ? o->open : source_open;
    int rc = copy_connection(s, o->connection, e);
    for (size_t i = 0; !rc && i < o->count; i++) {
        s->locations[i] = copy_location(o->locations[i]);
        s->names[i] = copy_name(o->locations[i]);
        s->count++;
        if (!s->locations[i] || !s->names[i])
            rc = err_nomem(e);
    }
    if (rc) {
        origin_settings_put(s);
        return rc;
    }
    *out = s;
    return 0;
}

struct origin_settings *origin_settings_get(struct origin_settings *s)
{
    atomic_fetch_add(&s->users, 1);
    return s;
}

void origin_settings_put(struct origin_settings *s)
{
    if (!s || atomic_fetch_sub(&s->users, 1) != 1)
        return;
    for (size_t i = 0; i < ARRAY_LEN(s->texts); i++)
        free(s->texts[i]);
    for (size_t i = 0; i < s->count; i++) {
        free(s->locations[i]);
        free(s->names[i]);
    }
    free(s);
}
