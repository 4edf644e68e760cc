/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of fs/control_state.c: the state file, and telling processes apart. */
#include "config.h"

#include "fs/control_state.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/unit.h"

static char dir[] = "/tmp/sftfs-unit.XXXXXX";
static int dir_fd = -1;

static void begin(void)
{
    (void)strcpy(dir, "/tmp/sftfs-unit.XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
    dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CU_ASSERT_FATAL(dir_fd >= 0);
}

static void end(void)
{
    (void)unlinkat(dir_fd, "0-52.state", 0);
    (void)close(dir_fd);
    CU_ASSERT_EQUAL(rmdir(dir), 0);
}

static void names_follow_the_device(void)
{
    char name[CONTROL_NAME_SIZE];

    control_socket_name("0:52", name);
    CU_ASSERT_STRING_EQUAL(name, "0-52.sock");
    control_state_name("7:1", name);
    CU_ASSERT_STRING_EQUAL(name, "7-1.state");
}

static void state_is_read_back(void)
{
    char mountpoint[] = "/mnt/a=b c", source[] = "http://h/p.sft";
    struct control_state state = { .process = { .pid = 12, .started = 345, .boot = "boot-id" },
                                   .connection = 52, .mountpoint = mountpoint, .source = source };
    struct control_state got;
    struct stat st;

    begin();
    CU_ASSERT_EQUAL_FATAL(control_state_write(dir_fd, "0:52", &state, NULL), 0);
    state.connection = 53;
    CU_ASSERT_EQUAL_FATAL(control_state_write(dir_fd, "0:52", &state, NULL), 0);
    CU_ASSERT_EQUAL(fstatat(dir_fd, "0-52.state", &st, 0), 0);
    CU_ASSERT_EQUAL(st.st_mode & 0777, 0600);
    CU_ASSERT_EQUAL_FATAL(control_state_read(dir_fd, "0:52", getuid(), &got, NULL), 0);
    CU_ASSERT_EQUAL(got.process.pid, 12);
    CU_ASSERT_EQUAL(got.process.started, 345);
    CU_ASSERT_STRING_EQUAL(got.process.boot, "boot-id");
    CU_ASSERT_EQUAL(got.connection, 53);
    CU_ASSERT_STRING_EQUAL(got.mountpoint, mountpoint);
    CU_ASSERT_STRING_EQUAL(got.source, source);
    control_state_free(&got);
    end();
}

static int read_text(const char *text, uid_t uid)
{
    struct control_state got;
    int fd = openat(dir_fd, "0-52.state", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    CU_ASSERT_EQUAL(close(fd), 0);
    int rc = control_state_read(dir_fd, "0:52", uid, &got, NULL);
    if (!rc)
        control_state_free(&got);
    return rc;
}

static void state_of_others_and_odd_files_are_refused(void)
{
    struct control_state got;

    begin();
    CU_ASSERT(control_state_read(dir_fd, "0:52", getuid(), &got, NULL) < 0);
    CU_ASSERT_EQUAL(read_text("pid=7\n", getuid()), 0);
    CU_ASSERT(read_text("pid=7\n", getuid() + 1) < 0);
    CU_ASSERT(read_text("", getuid()) < 0);
    CU_ASSERT(read_text("pid=0\nmountpoint=/a\nmountpoint=/b\n", getuid()) < 0);
    CU_ASSERT(read_text("pid=-4\n", getuid()) < 0);
    CU_ASSERT(read_text("=\n\n===\npid", getuid()) < 0);
    CU_ASSERT_EQUAL(unlinkat(dir_fd, "0-52.state", 0), 0);
    CU_ASSERT_EQUAL_FATAL(symlinkat("/proc/self/status", dir_fd, "0-52.state"), 0);
    CU_ASSERT(control_state_read(dir_fd, "0:52", getuid(), &got, NULL) < 0);
    CU_ASSERT_EQUAL(unlinkat(dir_fd, "0-52.state", 0), 0);
    CU_ASSERT_EQUAL_FATAL(mkfifoat(dir_fd, "0-52.state", 0600), 0);
    CU_ASSERT(control_state_read(dir_fd, "0:52", getuid(), &got, NULL) < 0);
    end();
}

static void process_is_known_by_its_start(void)
{
    struct control_process me, later;
    bool stopped = true;

    CU_ASSERT_TRUE_FATAL(control_process_of(getpid(), &me));
    CU_ASSERT(me.started > 0);
    CU_ASSERT_TRUE(control_process_lives(&me, getuid(), &stopped));
    CU_ASSERT_FALSE(stopped);
    CU_ASSERT_FALSE(control_process_lives(&me, getuid() + 1, NULL));
    later = me;
    later.started++;
    CU_ASSERT_FALSE(control_process_lives(&later, getuid(), NULL));
    CU_ASSERT(control_process_kill(&later, getuid(), NULL) < 0);
    later = me;
    later.boot[0] = '!';
    CU_ASSERT_FALSE(control_process_lives(&later, getuid(), NULL));
    CU_ASSERT_FALSE(control_process_of(0, &later));
    CU_ASSERT_FALSE(control_process_of(-1, &later));
}

static void process_that_is_stopped_can_be_ended(void)
{
    struct control_process child;
    bool stopped = false;
    int status;
    pid_t pid = fork();

    if (!pid) {
        (void)raise(SIGSTOP);
        _exit(0);
    }
    CU_ASSERT_FATAL(pid > 0);
    CU_ASSERT_EQUAL(waitpid(pid, &status, WUNTRACED), pid);
    CU_ASSERT_TRUE_FATAL(control_process_of(pid, &child));
    CU_ASSERT_TRUE(control_process_lives(&child, getuid(), &stopped));
    CU_ASSERT_TRUE(stopped);
    CU_ASSERT_FALSE(control_process_wait(&child, 1));
    CU_ASSERT_EQUAL(control_process_kill(&child, getuid(), NULL), 0);
    CU_ASSERT_TRUE(control_process_wait(&child, 60000));
    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    CU_ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    CU_ASSERT_TRUE(control_process_wait(&child, 0));
    CU_ASSERT(control_process_kill(&child, getuid(), NULL) < 0);
}

static void *outlive_the_first_thread(void *arg)
{
    char c;

    (void)!read(*(int *)arg, &c, 1); /* until the test lets go */
    _exit(0);
}

static void process_has_not_ended_with_its_first_thread(void)
{
    struct control_process child, now;
    int channel[2], status;

    CU_ASSERT_EQUAL_FATAL(pipe(channel), 0);
    pid_t pid = fork();
    if (!pid) {
        pthread_t thread;
        (void)close(channel[1]);
        if (pthread_create(&thread, NULL, outlive_the_first_thread, &channel[0]))
            _exit(1);
        pthread_exit(NULL);
    }
    CU_ASSERT_FATAL(pid > 0);
    (void)close(channel[0]);
    CU_ASSERT_TRUE(control_process_of(pid, &child) || child.started);
    while (control_process_of(pid, &now)) /* ends: the first thread does */
        (void)usleep(1000);
    CU_ASSERT_FALSE(control_process_wait(&child, 1));
    (void)close(channel[1]);
    CU_ASSERT_TRUE(control_process_wait(&child, 60000));
    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    CU_ASSERT_TRUE(WIFEXITED(status) && !WEXITSTATUS(status));
}

UNIT_MAIN("control-state",
          TEST(names_follow_the_device),
          TEST(state_is_read_back),
          TEST(state_of_others_and_odd_files_are_refused),
          TEST(process_is_known_by_its_start),
          TEST(process_that_is_stopped_can_be_ended),
          TEST(process_has_not_ended_with_its_first_thread))
