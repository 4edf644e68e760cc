/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a user names to be mounted - an OSD, a manifest, or a package itself - and where that leads
 * to. Decided by content, never by the name. Scripts in an OSD are not executed.
 */
#ifndef TOOLS_TARGET_H
#define TOOLS_TARGET_H

#include "fetch/source.h"
#include "src/compiler.h"
#include "src/err.h"
#include "src/guid.h"

struct target_options {
    const char *source; /* see struct href_options */
    const char *override_url;
    const char *source_root;
    const char *app; /* application of a manifest: its name, or its OSD's file name */
    bool offline;    /* no web server is asked for documents */
    bool mirrored;   /* there are further places for the package */
};

/* OverrideURL and HREF; or the one place that was named. */
enum { TARGET_LOCATIONS_MAX = 2 };

/* How an OSD says that its program is started; "" for what is missing. */
struct target_app {
    char *name, *filename, *parameters, *working_dir;
};

struct target {
    char *locations[TARGET_LOCATIONS_MAX]; /* of the package, in order of preference */
    size_t location_count; /* 0 only if MIRRORED, when no place can be derived from the HREF */
    char *name;       /* of the application or package, "" if not known yet */
    char *document;   /* where LOCATION was found, "" if the package itself was named */
    struct guid guid; /* the package must have, if has_guid */
    bool has_guid;
    struct target_app *apps; /* of the OSD, or of the manifest's OSDs; none if a package was named */
    size_t app_count;
};

/*
 * Finds out where NAMED leads. Fills *out, to be released with target_free() also after an error.
 * What cannot be read, because its server is away or must not be asked, is taken for a package:
 * that may be cached, or be had from elsewhere. Errors of reading documents, ERR_UNRESOLVED, and
 * ERR_INVALID with the names when a manifest's applications live in different packages and none was
 * chosen. May block on the network.
 */
int target_find(const char *named, const struct source_options *connection,
                const struct target_options *o, struct target *out, struct err *e) must_check;
void target_free(struct target *t);

#endif
