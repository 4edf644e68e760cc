/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Package manifests (NAME_manifest.xml), which list the applications of a package, and publishing
 * documents (DESKTOPCONFIG), which concatenate such lists. Their schema is not published, so the
 * reader goes by content: an application is any element with an attribute whose value ends in
 * ".osd". Strings as in src/osd.h.
 */
#ifndef SRC_MANIFEST_H
#define SRC_MANIFEST_H

#include "src/compiler.h"
#include "src/err.h"
#include "src/osd.h"

struct manifest_app {
    const char *name;
    const char *version;
    const char *osd;  /* place of the OSD, often %SFT_MIME_SOURCE%/App.osd; see href_resolve() */
    const char *icon;
    const struct osd_shortcut *shortcuts;
    size_t shortcut_count;
    const char *const *extensions; /* file types, without the dot */
    size_t extension_count;
};

struct manifest {
    const char *guid;         /* package GUID, "" if the document does not say (or DESKTOPCONFIG) */
    const char *version_guid;
    const char *name;
    const struct manifest_app *apps; /* in document order; may be none */
    size_t app_count;
    struct pool *storage;     /* the reader's; NULL in one made by hand */
};

/* Errors as osd_read(), and ERR_XML for a document that is neither kind. */
int manifest_read(const void *data, size_t len, struct manifest **out, struct err *e) must_check;
void manifest_free(struct manifest *m); /* of one that manifest_read() made; NULL is fine */

/* As osd_write(). */
int manifest_write(const struct manifest *m, char **out, size_t *len, struct err *e) must_check;

#endif
