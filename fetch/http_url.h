/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * URLs as users and OSD documents write them, made fit for a request, and URLs made fit for people
 * to see: a message never shows a user name, a password or what stands in a query. Pure text work.
 */
#ifndef FETCH_HTTP_URL_H
#define FETCH_HTTP_URL_H

#include "src/compiler.h"
#include "src/err.h"

/* Whether LOCATION begins with "http:" or "https:", in any case. */
bool http_url_matches(const char *location);

/*
 * LOCATION as it is to be asked for: the fragment is dropped; spaces and bytes outside ASCII in
 * path and query are percent-encoded (nothing else is: what the user wrote is what the server gets).
 * Refused with ERR_INVALID: user or password in the URL, a missing host, control characters, more
 * than 8,192 bytes. Caller frees *out.
 */
int http_url_prepare(const char *location, char **out, struct err *e) must_check;

/*
 * LOCATION for messages: user and password replaced, of a query only the names kept
 * ("?sig=...&se=..."), fragment dropped, control characters replaced, cut after 200 bytes. Takes
 * any text. Caller frees; NULL when there is no memory.
 */
char *http_url_redact(const char *location);

#endif
