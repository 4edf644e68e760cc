/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a control socket answers. See control_commands.h. */
#include "config.h"

#include "fs/control_commands.h"

#include <stdio.h>
#include <string.h>

#include "src/log_ring.h"

#define LOG "control"

enum {
    PIECE = 16 * 1024, /* bytes of a log that are made at a time */
    FOLLOW_STEP_MS = 200,
};

static void take_text(struct control_reply *r, FILE *stream, char **text, size_t *len)
{
    if (!stream || fclose(stream)) {
        free(*text);
        *text = NULL;
        *len = 0;
        r->ended = true; /* a reply that is cut off has no last line, by which the client knows */
    }
    free(r->text);
    r->text = *text;
    r->len = *len;
}

static void simple_reply(struct control_reply *r, const char *text)
{
    free(r->text);
    r->text = strdup(text);
    r->len = r->text ? strlen(text) : 0;
    r->ended = true;
    r->wake_ms = INT64_MAX;
}

void control_reply_error(struct control_reply *r, const struct err *e)
{
    char text[sizeof e->text + 64];

    (void)snprintf(text, sizeof text, "error %s %s\n", err_kind_name(e->kind), e->text);
    simple_reply(r, text);
}

static void refuse(struct control_reply *r, enum err_kind kind, const char *text)
{
    struct err e = { 0 };

    (void)err_set(&e, kind, "%s", text);
    control_reply_error(r, &e);
}

/* ---- rows ---- */

static void write_row(const struct control_row *row, void *arg)
{
    control_write_row(arg, row);
}

static void reply_rows(const struct control_parts *parts, unsigned groups, struct control_reply *r)
{
    char *text = NULL;
    size_t len = 0;
    FILE *stream = open_memstream(&text, &len);

    if (stream) {
        (void)fputs("ok\n", stream);
        control_rows(parts, groups, write_row, stream);
        (void)fputs("end\n", stream);
    }
    r->ended = true;
    take_text(r, stream, &text, &len);
}

/* ---- the log ---- */

static void reply_log(struct control_reply *r, int64_t now_ms)
{
    char *text = NULL, line[CONTROL_LOG_LINE_MAX];
    size_t len = 0, made = 0;
    FILE *stream = open_memstream(&text, &len);
    struct log_entry entry;
    bool more = false;

    if (stream) {
        if (!r->begun)
            (void)fputs("ok\n", stream);
        r->begun = true;
        while (made < PIECE && (more = log_ring_get(r->next_line, &entry))) {
            r->next_line = entry.number + 1;
            size_t n = control_format_log(&entry, line);
            made += n;
            (void)fwrite(line, 1, n, stream);
        }
        r->ended = !more && (!r->request.follow || r->finish);
        if (r->ended)
            (void)fputs("end\n", stream);
    }
    r->wake_ms = now_ms + FOLLOW_STEP_MS;
    take_text(r, stream, &text, &len);
}

static void reply_level(const struct control_request *request, struct control_reply *r)
{
    char text[64];

    if (request->set_level) {
        log_set_level(request->level);
        log_info(LOG, "log level changed; level=%s", log_level_name(request->level));
    }
    (void)snprintf(text, sizeof text, "ok\n%s\nend\n", log_level_name(log_get_level()));
    simple_reply(r, text);
}

/* ---- dispatch ---- */

void control_reply_begin(const struct control_parts *parts, const struct control_request *request,
                         struct control_reply *r)
{
    *r = (struct control_reply){ .request = *request,
                                 .follow = request->follow,
                                 .wake_ms = INT64_MAX };
    switch (request->verb) {
    case CONTROL_PING:
        simple_reply(r, "ok\nend\n");
        return;
    case CONTROL_STATUS:
        reply_rows(parts, CONTROL_IN_STATUS, r);
        return;
    case CONTROL_STATS:
        reply_rows(parts, CONTROL_IN_STATS, r);
        return;
    case CONTROL_LOG:
        r->next_line = log_ring_last(request->lines);
        reply_log(r, 0);
        return;
    case CONTROL_LOGLEVEL:
        reply_level(request, r);
        return;
    default:
        refuse(r, ERR_UNSUPPORTED, "this mount cannot do that");
    }
}

void control_reply_more(const struct control_parts *parts, struct control_reply *r, int64_t now_ms)
{
    (void)parts;
    free(steal_ptr(&r->text));
    r->len = 0;
    if (!r->ended && r->request.verb == CONTROL_LOG)
        reply_log(r, now_ms);
    else
        r->ended = true;
}

void control_reply_free(struct control_reply *r)
{
    free(r->text);
    *r = (struct control_reply){ .ended = true };
}
