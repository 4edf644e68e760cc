/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The last line of defence for log lines: whatever a text says about a URL, user names, passwords
 * and the values in a query do not get out. Locations are logged by names that have none of these
 * already (source_name()); this is for texts that come from elsewhere. Pure text work.
 */
#ifndef SRC_REDACT_H
#define SRC_REDACT_H

#include <stddef.h>

/*
 * Copies TEXT to OUT (of SIZE bytes, at least 1; cut if need be) with every URL in it made fit for
 * people to see: "https://...@host/path?name=...". Text without "://" is copied as it is.
 */
void redact_line(const char *text, char *out, size_t size);

#endif
