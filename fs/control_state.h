/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What lies beside the control socket of a mount, and outlives a daemon that is killed: which
 * process served it. Both are in the user's directory (runtime_base.h) and named after the device
 * number of the mount, MAJOR-MINOR.sock and MAJOR-MINOR.state, so that the mount table leads to
 * them.
 */
#ifndef FS_CONTROL_STATE_H
#define FS_CONTROL_STATE_H

#include <stdint.h>
#include <sys/types.h>

#include "src/compiler.h"
#include "src/err.h"

#define CONTROL_NAME_SIZE 48

/* Names of the two files for DEVICE ("major:minor"). */
void control_socket_name(const char *device, char out[CONTROL_NAME_SIZE]);
void control_state_name(const char *device, char out[CONTROL_NAME_SIZE]);

/* A process that cannot be mistaken for a later one of the same number. */
struct control_process {
    pid_t pid;        /* 0 = unknown */
    uint64_t started; /* ticks since the machine started, as /proc/PID/stat has it */
    char boot[40];    /* which start of the machine */
};

/*
 * Keeps other processes of ours from changing the files in DIR_FD: a daemon that ends and one
 * that begins may have the same names, and be there at the same time. Waits for a second at
 * most, and goes on without then. Give it back with control_dir_unlock().
 */
void control_dir_lock(int dir_fd);
void control_dir_unlock(int dir_fd);

/* What is known of PID now; false when there is no such process. */
bool control_process_of(pid_t pid, struct control_process *out);

/* Whether P is still there and runs as UID. *stopped (may be NULL): it is, and it is stopped. */
bool control_process_lives(const struct control_process *p, uid_t uid, bool *stopped);

/* Sends SIGKILL to P if it is still the same process and runs as UID. ERR_NOT_FOUND if not. */
int control_process_kill(const struct control_process *p, uid_t uid, struct err *e) must_check;

/* Waits until P has ended, at most TIMEOUT_MS. False if it has not. */
bool control_process_wait(const struct control_process *p, int timeout_ms);

struct control_state {
    struct control_process process;
    unsigned long connection;
    char *mountpoint, *source; /* owned; may be NULL after reading */
};

/* Replaces the file for DEVICE in directory DIR_FD by one that says STATE, in one step. */
int control_state_write(int dir_fd, const char *device, const struct control_state *state,
                        struct err *e) must_check;

/* Reads it if it is a plain file of UID. ERR_NOT_FOUND, ERR_DENIED, ERR_INVALID. */
int control_state_read(int dir_fd, const char *device, uid_t uid, struct control_state *out,
                       struct err *e) must_check;
void control_state_free(struct control_state *state);

#endif
