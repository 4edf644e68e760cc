/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a control socket answers: the request in, the text of the reply out, piece by piece. Knows
 * nothing of sockets.
 */
#ifndef FS_CONTROL_COMMANDS_H
#define FS_CONTROL_COMMANDS_H

#include "fs/control_rows.h"
#include "fs/control_wire.h"

/* A reply under way. Zero-initialise. */
struct control_reply {
    char *text;         /* LEN bytes that are to be sent; owned */
    size_t len;
    bool ended;         /* nothing comes after TEXT */
    bool follow;        /* goes on until the end of the mount */
    bool finish;        /* set by the server: that end has come */
    int64_t wake_ms;    /* when there may be more, as control_reply_more() reads its clock;
                         * INT64_MAX: not because of time */
    struct control_request request;
    uint64_t next_line; /* of the log */
    bool begun;
};

/* Does what REQUEST says, and has the first piece of the reply. NOW_MS is of CLOCK_MONOTONIC. */
void control_reply_begin(const struct control_parts *parts, const struct control_request *request,
                         struct control_reply *reply, int64_t now_ms);

/* A reply that says what is wrong. */
void control_reply_error(struct control_reply *reply, const struct err *e);

/* To be called when TEXT has been sent, and again at wake_ms: makes the next piece, which may be
 * empty. */
void control_reply_more(const struct control_parts *parts, struct control_reply *reply,
                        int64_t now_ms);

void control_reply_free(struct control_reply *reply);

#endif
