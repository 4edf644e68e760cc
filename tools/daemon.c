/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Going into the background. See daemon.h. */
#include "config.h"

#include "tools/daemon.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <syslog.h>

#include "src/log.h"

static void log_to_syslog(enum log_level level, const char *line)
{
    static const int priorities[] = {
        [LOG_LEVEL_ERROR] = LOG_ERR,
        [LOG_LEVEL_WARNING] = LOG_WARNING,
        [LOG_LEVEL_INFO] = LOG_INFO,
        [LOG_LEVEL_DEBUG] = LOG_DEBUG,
    };

    syslog(priorities[level], "%s", line);
}

/* The child's exit code, when it ended before it was ready. */
static enum exitcode reap(const char *program, pid_t child)
{
    int status;

    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR) {
            (void)fprintf(stderr, "%s: waiting for the daemon: %s\n", program, strerror(errno));
            return EXITCODE_FAILURE;
        }
    if (WIFEXITED(status))
        return WEXITSTATUS(status) ? (enum exitcode)WEXITSTATUS(status) : EXITCODE_FAILURE;
    (void)fprintf(stderr, "%s: the daemon was ended by signal %d\n", program, WTERMSIG(status));
    return WTERMSIG(status) == SIGINT ? EXITCODE_INTERRUPTED : EXITCODE_FAILURE;
}

/* The message is "+TEXT"; the end of the pipe without one says that the child has ended. */
static enum exitcode wait_for_child(const char *program, pid_t child, int channel, bool print)
{
    char part[4096];
    bool any = false;

    for (;;) {
        ssize_t n = read(channel, part, sizeof part);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        size_t skip = any ? 0 : 1;
        any = true;
        if (print)
            (void)fwrite(part + skip, 1, (size_t)n - skip, stdout);
    }
    if (!any)
        return reap(program, child);
    return fflush(stdout) || ferror(stdout) ? EXITCODE_FAILURE : EXITCODE_OK;
}

enum exitcode daemon_run(const char *program, bool foreground, bool print, daemon_body_fn body,
                         void *arg)
{
    struct daemon d = { .foreground = foreground, .print = print, .channel = -1 };
    enum exitcode status;
    int channel[2];
    pid_t child;

    (void)signal(SIGPIPE, SIG_IGN); /* a lost connection is an error of one read */
    if (foreground) {
        log_set_sink(log_to_stderr_with_time);
        return body(&d, arg);
    }
    (void)signal(SIGCHLD, SIG_DFL); /* inherited as ignored, it would take the exit code away */
    if (fflush(stdout) || pipe2(channel, O_CLOEXEC) || (child = fork()) < 0) {
        (void)fprintf(stderr, "%s: cannot start the daemon: %s\n", program, strerror(errno));
        return EXITCODE_FAILURE;
    }
    if (child) {
        (void)close(channel[1]);
        status = wait_for_child(program, child, channel[0], print);
        (void)close(channel[0]);
        return status;
    }
    (void)close(channel[0]);
    d.channel = channel[1];
    openlog(program, LOG_PID, LOG_DAEMON);
    log_set_sink(log_to_syslog);
    status = body(&d, arg);
    if (d.channel >= 0)
        (void)close(d.channel);
    return status;
}

static void leave_terminal(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    (void)fflush(NULL);
    (void)setsid();
    (void)!chdir("/");
    if (null < 0)
        return;
    for (int fd = 0; fd <= 2; fd++)
        (void)dup2(null, fd);
    if (null > 2)
        (void)close(null);
}

/* False when nobody waits any more: the command was interrupted. */
static bool send(int channel, const char *text, size_t len)
{
    while (len) {
        ssize_t n = write(channel, text, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        text += n;
        len -= (size_t)n;
    }
    return true;
}

void daemon_ready(struct daemon *d, const char *message)
{
    d->is_ready = true;
    if (d->foreground) {
        if (d->print) {
            (void)fputs(message, stdout);
            (void)fflush(stdout);
        }
        return;
    }
    leave_terminal();
    bool sent = send(d->channel, "+", 1) && send(d->channel, message, strlen(message));
    (void)close(d->channel);
    d->channel = -1;
    if (!sent)
        (void)kill(getpid(), SIGTERM);
}
