/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Going into the background the way mount(8) needs it: the process forks before it has threads or
 * connections, the child does all the work, and the parent returns only when the child says that
 * the mount is usable, or with the child's exit code when it is not. Until then the child has the
 * parent's terminal, so that its messages reach the user and Ctrl-C ends both.
 */
#ifndef TOOLS_DAEMON_H
#define TOOLS_DAEMON_H

#include "src/compiler.h"
#include "tools/exitcode.h"

struct daemon {
    bool foreground;
    bool print;  /* the ready message goes to stdout */
    int channel; /* child's end of the pipe; -1 when there is none (any more) */
    bool is_ready;
};

typedef enum exitcode (*daemon_body_fn)(struct daemon *d, void *arg);

/*
 * Runs BODY in this process (FOREGROUND) or in a child. Returns in the parent when the child is
 * ready or has ended, and in whatever process ran BODY when that returns; the caller should return
 * the result from main(). PROGRAM names the log lines. With PRINT the text that daemon_ready() gets
 * appears on stdout.
 */
enum exitcode daemon_run(const char *program, bool foreground, bool print, daemon_body_fn body,
                         void *arg);

/* From BODY, once, from any thread: the work is usable. MESSAGE is whole lines, or "". In the background the
 * terminal is let go of: new session, working directory /, standard streams to /dev/null. */
void daemon_ready(struct daemon *d, const char *message);

#endif
