/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a control socket answers. See control_commands.h. */
#include "config.h"

#include "fs/control_commands.h"

#include <stdio.h>
#include <string.h>

#include "fetch/engine.h"
#include "fetch/loader.h"
#include "fetch/origin.h"
#include "src/log_ring.h"

#define LOG "control"

enum {
    PIECE = 16 * 1024, /* bytes of a log that are made at a time */
    FOLLOW_STEP_MS = 200,
    PROGRESS_STEP_MS = 1000,
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

/* ---- fetching ahead ---- */

/* Whether the loader will do nothing more by itself. */
static bool is_at_rest(const struct control_parts *parts)
{
    struct loader_status status;

    loader_get_status(parts->loader, &status);
    return status.state != LOADER_LOADING && status.state != LOADER_RESTING;
}

/* One group of rows, ended by an empty line. */
static void reply_progress(const struct control_parts *parts, struct control_reply *r,
                           int64_t now_ms)
{
    char *text = NULL;
    size_t len = 0;
    FILE *stream = open_memstream(&text, &len);
    /* Before the rows are made, so that the last of them say how it ended. */
    r->ended = !r->request.follow || r->finish || is_at_rest(parts);

    if (stream) {
        if (!r->begun)
            (void)fputs("ok\n", stream);
        r->begun = true;
        control_rows(parts, CONTROL_IN_PROGRESS, write_row, stream);
        (void)fputs(r->ended ? "\nend\n" : "\n", stream);
    }
    r->wake_ms = now_ms + PROGRESS_STEP_MS;
    take_text(r, stream, &text, &len);
}

static void reply_prefetch(const struct control_parts *parts, struct control_reply *r)
{
    static const enum loader_goal goals[] = {
        [CONTROL_PREFETCH_LAUNCH] = LOADER_LAUNCH,
        [CONTROL_PREFETCH_ALL] = LOADER_ALL,
        [CONTROL_PREFETCH_STOP] = LOADER_NOTHING,
    };
    enum loader_goal goal = goals[r->request.prefetch];
    struct err e = { 0 };

    if (loader_set_goal(parts->loader, goal, &e)) {
        control_reply_error(r, &e);
        return;
    }
    log_info(LOG, "fetching ahead changed; goal=%s", loader_goal_name(goal));
    simple_reply(r, "ok\nend\n");
}

static void reply_offline(const struct control_parts *parts, struct control_reply *r)
{
    bool offline = r->request.verb == CONTROL_OFFLINE;

    origin_set_offline(parts->source, offline);
    if (!offline)
        loader_wake(parts->loader);
    log_info(LOG, offline ? "no server is asked from now on; offline=yes"
                          : "servers are asked again; offline=no");
    simple_reply(r, "ok\nend\n");
}

/* ---- dispatch ---- */

static const char *why_not(const struct control_parts *parts, enum control_verb verb)
{
    switch (verb) {
    case CONTROL_PREFETCH:
    case CONTROL_PROGRESS:
        return parts->loader && !engine_is_immediate(parts->engine)
                   ? NULL
                   : "nothing is fetched ahead on this mount";
    case CONTROL_OFFLINE:
    case CONTROL_ONLINE:
        return parts->source && source_is_origin(parts->source) ? NULL
                                                                : "this mount asks no server";
    default:
        return NULL;
    }
}

void control_reply_begin(const struct control_parts *parts, const struct control_request *request,
                         struct control_reply *r, int64_t now_ms)
{
    *r = (struct control_reply){ .request = *request,
                                 .follow = request->follow,
                                 .wake_ms = INT64_MAX };
    const char *reason = why_not(parts, request->verb);
    if (reason) {
        refuse(r, ERR_UNSUPPORTED, reason);
        return;
    }
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
        reply_log(r, now_ms);
        return;
    case CONTROL_LOGLEVEL:
        reply_level(request, r);
        return;
    case CONTROL_PREFETCH:
        reply_prefetch(parts, r);
        return;
    case CONTROL_PROGRESS:
        reply_progress(parts, r, now_ms);
        return;
    case CONTROL_OFFLINE:
    case CONTROL_ONLINE:
        reply_offline(parts, r);
        return;
    }
}

void control_reply_more(const struct control_parts *parts, struct control_reply *r, int64_t now_ms)
{
    free(steal_ptr(&r->text));
    r->len = 0;
    if (!r->ended && r->request.verb == CONTROL_LOG)
        reply_log(r, now_ms);
    else if (r->ended || r->request.verb != CONTROL_PROGRESS)
        r->ended = true;
    else if (now_ms >= r->wake_ms || r->finish)
        reply_progress(parts, r, now_ms);
}

void control_reply_free(struct control_reply *r)
{
    free(r->text);
    *r = (struct control_reply){ .ended = true };
}
