/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Messages and exit codes of the commands. See report.h. */
#include "config.h"

#include "tools/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "fetch/http_url.h"
#include "tools/json.h"

static bool begins_with(const char *text, const char *start)
{
    return !strncmp(text, start, strlen(start));
}

/* What helps with this kind of failure, or NULL. sftfs has these options after -o only. */
static const char *advice(const struct report *r, enum err_kind kind)
{
    bool sub = !strcmp(r->program, "sftfs");

    switch (kind) {
    case ERR_FOREIGN_LAYOUT:
        return "'sft info --sections' shows what the file holds; please send that text to the "
               "project.";
    case ERR_TLS:
        return sub ? "Give the server's CA with -o ca_file=FILE, or for a test -o insecure."
                   : "Give the server's CA with --ca-file, or for a test --insecure.";
    case ERR_AUTH:
        return sub ? "Credentials are taken from ~/.netrc or -o netrc_file=FILE, never from the "
                     "command line."
                   : "Credentials are taken from ~/.netrc or --netrc-file, never from the command "
                     "line.";
    default:
        return NULL;
    }
}

char *report_place(const char *place)
{
    return http_url_matches(place) ? http_url_redact(place) : strdup(place);
}

enum exitcode report_error(const struct report *r, const char *place, const struct err *e)
{
    auto_free char *where = place ? report_place(place) : NULL;
    const char *text = e->text[0] ? e->text : err_kind_name(e->kind);
    const char *hint = advice(r, e->kind);

    (void)fprintf(stderr, "%s: ", r->program);
    if (where && *where && !begins_with(text, where))
        (void)fprintf(stderr, "%s: ", where);
    (void)fprintf(stderr, "%s", text);
    if (e->section[0])
        (void)fprintf(stderr, " (section %s, offset %llu)", e->section,
                      (unsigned long long)e->offset);
    (void)fputc('\n', stderr);
    if (hint)
        (void)fprintf(stderr, "%s: %s\n", r->program, hint);
    if (r->json) {
        struct json j = json_begin(stdout);

        json_object(&j, NULL);
        json_object(&j, "error");
        json_string(&j, "kind", err_kind_name(e->kind));
        if (where)
            json_string(&j, "where", where);
        json_string(&j, "section", e->section);
        json_uint(&j, "offset", e->offset);
        json_string(&j, "text", text);
        json_uint(&j, "exit_code", exitcode_of(e->kind));
        json_close_object(&j);
        json_close_object(&j);
        json_end(&j); /* its failure is less than the one that is being reported */
    }
    return exitcode_of(e->kind);
}

void report_note(const struct report *r, const char *fmt, ...)
{
    va_list ap;

    (void)fprintf(stderr, "%s: ", r->program);
    va_start(ap, fmt);
    (void)vfprintf(stderr, fmt, ap);
    va_end(ap);
    (void)fputc('\n', stderr);
}

enum exitcode report_finish(const struct report *r, enum exitcode status)
{
    if (!fflush(stdout) && !ferror(stdout))
        return status;
    /* A reader such as head(1) that has seen enough is no reason for a message. */
    if (errno != EPIPE)
        (void)fprintf(stderr, "%s: standard output: %s\n", r->program, strerror(errno));
    return status == EXITCODE_OK ? EXITCODE_FAILURE : status;
}
