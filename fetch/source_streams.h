/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A source on top of another: what a package's streams (struct package_stream) decode to can be read from it as if
 * it lay in the container. Everything else is passed on. Such packages are rare, and slower: one thread
 * decodes, one read at a time, those that somebody waits for first. A read of a stream has the timeout
 * for each piece of it that has to be fetched. A stream that had wrong bytes is begun again, past caches and from
 * another place, and stays so; but not for each of its blocks (INFLATER_RESTARTS).
 */
#ifndef FETCH_SOURCE_STREAMS_H
#define FETCH_SOURCE_STREAMS_H

#include "fetch/source.h"
#include "src/compiler.h"
#include "src/err.h"
#include "src/package.h"

/* Does nothing when P has no streams. Else *s becomes a source that owns the one it was; never an immediate
 * one. -ENOMEM, and *s stays what it is. P is needed during the call only. */
int source_streams_add(const struct package *p, struct source **s, struct err *e) must_check;

/* The source below; S itself when it is not of this kind. */
struct source *source_streams_below(struct source *s);

#endif
