/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The parts of a location as documents and people write it: URL, file: URL in its many spellings,
 * UNC path, drive path, plain path. Pure text work; all pointers point into the text.
 */
#ifndef FETCH_PLACE_H
#define FETCH_PLACE_H

#include "src/compiler.h"

enum place_kind {
    PLACE_URL,      /* scheme://authority, file: excepted */
    PLACE_UNC,      /* \\server\share */
    PLACE_DRIVE,    /* X:\ */
    PLACE_ABSOLUTE, /* /path */
    PLACE_RELATIVE
};

struct place {
    enum place_kind kind;
    bool is_file_url;
    size_t scheme_len;     /* 0 = none; the scheme starts the text */
    const char *authority; /* URL: user, host, port; UNC: server and what follows; drive: letter */
    size_t authority_len;  /* URL and drive only */
    const char *rest;      /* what ApplicationSourceRoot keeps: no separators in front, no query */
    size_t rest_len;
    const char *query;     /* with its '?', or "" */
};

static inline bool place_is_separator(char c)
{
    return c == '/' || c == '\\';
}

/*
 * Takes TEXT apart; it has no surrounding white space. Where a spelling is ambiguous, a UNC path
 * needs server, share and a file to be one (a name after "file://" without them is relative); with
 * IS_ROOT (a source root, not a file) server and share are enough.
 */
void place_parse(const char *text, bool is_root, struct place *out);

/* Length of the scheme, 0 if TEXT has none. A drive letter is none. */
size_t place_scheme_len(const char *text);

/* The location of NAME (relative, '/' between components, nothing encoded) in the directory that LOCATION is
 * in; a URL keeps its query, which may be what opens the door there. Caller frees; NULL without memory. */
char *place_beside(const char *location, const char *name);

/* Replaces %XX in place; false if that would make a NUL. */
bool place_decode(char *text);

#endif
