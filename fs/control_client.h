/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The other side of a control socket: from a mount point to the daemon behind it. The mount table
 * alone leads there; the mount is never touched. Nothing here waits longer than it says, and what
 * comes back is not believed to be right: root may ask a user's daemon.
 */
#ifndef FS_CONTROL_CLIENT_H
#define FS_CONTROL_CLIENT_H

#include "fs/control_state.h"
#include "fs/control_wire.h"
#include "fs/mount_table.h"
#include "src/compiler.h"
#include "src/err.h"

enum control_link_state {
    CONTROL_LINK_OPEN,   /* somebody listens: the daemon is there, though it may not answer */
    CONTROL_LINK_DEAD,   /* the socket is there and nobody listens */
    CONTROL_LINK_ABSENT, /* no socket was found */
    CONTROL_LINK_DENIED, /* there is one that may not be used */
};

struct control_link {
    enum control_link_state state;
    int fd;                          /* with CONTROL_LINK_OPEN, else -1 */
    int dir_fd;                      /* where socket or state file were found; -1 if nowhere */
    struct control_process process;  /* the daemon, as far as it is known */
};

/* Looks for the daemon of mount ID; waits for a second at most. Close with control_link_close(). */
void control_link_open(const struct mount_identity *id, struct control_link *out);
void control_link_close(struct control_link *link);

/* Removes the socket and the state file that LINK has found, unless somebody listens there: device
 * numbers, and so these names, are used again. */
void control_link_clean(const struct mount_identity *id, const struct control_link *link);

/* One line of a reply without its newline, for the callee to take apart. Non-zero ends the reading
 * and is returned. */
typedef int (*control_line_fn)(char *line, void *arg);

/*
 * Asks and hands the lines of the reply to EACH. TIMEOUT_MS is how long nothing may come; -1 for a
 * reply that goes on (it then ends with the mount, which is no error). ERR_TIMEOUT: no answer;
 * ERR_NETWORK: the daemon went away; or what the daemon says is wrong.
 */
int control_ask(const struct control_link *link, const struct control_request *request,
                int timeout_ms, control_line_fn each, void *arg, struct err *e) must_check;

#endif
