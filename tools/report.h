/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How a command says that something went wrong: one line "PROGRAM: WHERE: text" on stderr, with
 * --json also one object {"error": {...}} on stdout, and the exit code that goes with the kind.
 */
#ifndef TOOLS_REPORT_H
#define TOOLS_REPORT_H

#include "src/compiler.h"
#include "src/err.h"
#include "tools/exitcode.h"

struct report {
    const char *program; /* "sft" */
    bool json;
};

/* PLACE (path or URL, may be NULL) is shown without credentials, and left out when the text begins
 * with it already. */
enum exitcode report_error(const struct report *r, const char *place, const struct err *e);

/* PLACE as messages may show it: of a URL without password and query secrets. Caller frees; NULL
 * when there is no memory. */
char *report_place(const char *place);

/* Something worth knowing that is no error; stderr, never part of the JSON. */
void report_note(const struct report *r, const char *fmt, ...) printf_like(2, 3);

/* To be called last: flushes stdout, and turns an output error (full disk, closed pipe) into
 * a message and a failure unless STATUS is one already. */
enum exitcode report_finish(const struct report *r, enum exitcode status);

#endif
