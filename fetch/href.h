/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where the SFT comes from: HREF of an OSD, OverrideURL and ApplicationSourceRoot combined by the
 * rules the App-V 4 client follows (its documentation's ApplicationSourceRoot table is our test).
 * Pure text work, no I/O.
 */
#ifndef FETCH_HREF_H
#define FETCH_HREF_H

#include "src/compiler.h"
#include "src/err.h"

struct href_options {
    const char *source;       /* one-off explicit location; wins over everything */
    const char *override_url; /* used verbatim */
    const char *source_root;  /* ApplicationSourceRoot */
    const char *base;         /* directory or URL the document came from, for relative HREFs; a URL
                               * may also be the document's own (ends in .osd or .xml) */
};

/*
 * The location to open for HREF (raw attribute text). Precedence: source > override_url >
 * source_root applied to HREF > HREF. %NAME% in HREF is replaced from the environment (names
 * compared without case; %SFT_MIME_SOURCE% is BASE). Caller frees *out. ERR_EMPTY_HREF,
 * ERR_UNRESOLVED (unknown variable, no place) or ERR_INVALID (bad source root).
 */
int href_resolve(const char *href, const struct href_options *o, char **out, struct err *e)
    must_check;

/* ApplicationSourceRoot substitution alone (reference algorithm). Caller frees *out. */
int href_substitute_root(const char *href, const char *root, char **out, struct err *e) must_check;

/*
 * Turns a file location (path, any file: URL spelling, UNC, X:\ path) into a local path: '\' to
 * '/', UNC through MAP ("\\server\share=/dir" pairs separated by ';', X:=/dir for drive letters),
 * percent-escapes of file: URLs decoded, relative ones against BASE. Caller frees *out.
 */
int href_local_path(const char *location, const char *map, const char *base, char **out,
                    struct err *e) must_check;

/* The last component of HREF without its query, in *out: where users who hold the files in one
 * directory have the package, whatever server HREF names. Caller frees *out. ERR_EMPTY_HREF, or
 * ERR_UNRESOLVED when HREF ends in a separator. */
int href_file_name(const char *href, char **out, struct err *e) must_check;

/* Whether LOCATION begins with "SCHEME:" (compared without case; a drive letter is no scheme). */
bool href_has_scheme(const char *location, const char *scheme);

/* Whether LOCATION has the name of a document (.osd, .xml; a query does not count). */
bool href_names_document(const char *location);

#endif
