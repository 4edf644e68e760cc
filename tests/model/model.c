/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The program: workers do batches of random operations on both directories; after each batch the
 * trees are compared, the mount is made anew by a command of the caller's, and compared again.
 * With --crash the daemon ends under the workers: what one had under way may be done or not.
 */
#include "config.h"

#include "tests/model/model.h"

#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STATUS_FINE, STATUS_DIFFERENT, STATUS_USAGE, STATUS_ENVIRONMENT };

/* --- one operation --- */

static bool is_gone(const struct model *m, int err)
{
    struct statfs fs;

    if (!m->crash || !err)
        return false;
    /* The error that is seen depends on how far the request was when the connection went. */
    return err == ENOTCONN || err == ECONNABORTED ||
           ((err == EIO || err == EINTR) && fstatfs(m->a.fd, &fs) &&
            (errno == ENOTCONN || errno == ECONNABORTED || errno == EIO));
}

/* Of several reasons why a rename cannot be, the kernel finds some by its own names, if it knows them
 * under the spelling it was given. */
static bool is_rename_error(int err)
{
    return err == EISDIR || err == ENOTDIR || err == ENOTEMPTY || err == EINVAL || err == EEXIST;
}

static bool alike(const struct model *m, const struct op *op, const struct result *a,
                  const struct result *b)
{
    if (m->fold && op->kind == OP_RENAME && is_rename_error(a->err) && is_rename_error(b->err))
        return true;
    return a->ret == b->ret && a->err == b->err && a->digest == b->digest;
}

static void note(struct worker *w, const struct op *op, const struct result *a,
                 const struct result *b)
{
    char *line = w->log[w->done % LOG_LINES];
    size_t n = describe(op, line, sizeof w->log[0] - 500);

    n += (size_t)snprintf(line + n, 250, "\n      A: %ld %s %s", a->ret,
                          a->err ? strerrorname_np(a->err) : "", a->note);
    if (b)
        snprintf(line + n, 250, "\n      B: %ld %s %s%s", b->ret,
                 b->err ? strerrorname_np(b->err) : "", b->note,
                 a->digest != b->digest ? " (what was read differs)" : "");
    if (w->model->verbose)
        printf("%d: %s\n", w->number, line);
    w->done++;
}

static void print_log(const struct worker *w)
{
    uint64_t first = w->done > LOG_LINES ? w->done - LOG_LINES : 0;

    printf("worker %d, its last operations:\n", w->number);
    for (uint64_t i = first; i < w->done; i++)
        printf("  %llu %s\n", (unsigned long long)i, w->log[i % LOG_LINES]);
}

static void close_slots(struct worker *w, int side)
{
    for (int i = 0; i < SLOTS; i++) {
        if (w->fds[side][i] >= 0)
            close(w->fds[side][i]);
        w->fds[side][i] = -1;
    }
}

/* No server may answer this to anybody. */
static bool is_impossible(const struct op *op, int err)
{
    if (op->kind == OP_MMAP_WRITE || op->kind == OP_MMAP_PRIVATE) /* truncated under the mapping */
        return err == ENOTCONN;
    return err == EIO || err == ENOTCONN || err == ECONNABORTED || err == EFAULT || err == ENOSYS ||
           err == EUCLEAN || err == ESTALE;
}

static bool race_step(struct worker *w)
{
    struct result a;

    choose(w, &w->op);
    run(&w->model->a, w->fds[0], &w->op, &a);
    memcpy(w->fds[1], w->fds[0], sizeof w->fds[0]);
    note(w, &w->op, &a, NULL);
    w->failed = is_impossible(&w->op, a.err);
    return !w->failed;
}

/* For testing this program: a crash under an operation that was done, or was not. */
static bool pretend_crash(struct worker *w, struct result *a)
{
    if (!w->model->pretend || !rng_chance(&w->rng, 2))
        return false;
    if (rng_chance(&w->rng, 50))
        run(&w->model->a, w->fds[0], &w->op, a);
    *a = (struct result){ .ret = -1, .err = ENOTCONN };
    return true;
}

static bool step(struct worker *w)
{
    struct model *m = w->model;
    struct result a, b;

    if (m->race)
        return race_step(w);
    choose(w, &w->op);
    if (!pretend_crash(w, &a))
        run(&m->a, w->fds[0], &w->op, &a);
    if (is_gone(m, a.err)) {
        note(w, &w->op, &a, NULL);
        w->dead = true;
        return false;
    }
    if (w->op.kind == OP_FALLOCATE && a.err == EOPNOTSUPP) { /* B may be able to do more */
        note(w, &w->op, &a, NULL);
        return true;
    }
    run(&m->b, w->fds[1], &w->op, &b);
    note(w, &w->op, &a, &b);
    w->failed = !alike(m, &w->op, &a, &b);
    return !w->failed;
}

static void *work(void *arg)
{
    struct worker *w = arg;

    for (long i = 0; i < w->model->ops && step(w); i++)
        continue;
    return NULL;
}

/* --- batches --- */

struct killer {
    const char *command;
    unsigned after_ms;
};

static bool command_fails(const char *command)
{
    int status;

    fflush(stdout);
    status = system(command);
    return status < 0 || !WIFEXITED(status) || WEXITSTATUS(status);
}

static void *kill_later(void *arg)
{
    struct killer *k = arg;
    struct timespec t = { .tv_sec = k->after_ms / 1000, .tv_nsec = k->after_ms % 1000 * 1000000 };

    nanosleep(&t, NULL);
    if (command_fails(k->command))
        printf("cannot kill: %s\n", k->command);
    return NULL;
}

static bool run_workers(struct model *m, struct rng *r)
{
    struct killer killer = { m->kill, (unsigned)rng_below(r, m->kill_ms) };
    pthread_t threads[MAX_THREADS], killing;
    bool fine = true;

    for (int i = 0; i < m->threads; i++)
        if (pthread_create(&threads[i], NULL, work, &m->workers[i]))
            abort();
    if (m->kill && pthread_create(&killing, NULL, kill_later, &killer))
        abort();
    for (int i = 0; i < m->threads; i++)
        pthread_join(threads[i], NULL);
    if (m->kill)
        pthread_join(killing, NULL);
    for (int i = 0; i < m->threads; i++) {
        if (m->workers[i].failed) {
            print_log(&m->workers[i]);
            fine = false;
        }
    }
    for (int i = 0; i < m->threads; i++) {
        const struct worker *w = &m->workers[i];

        if (w->failed)
            printf("MISMATCH: worker %d: %s\n", i, w->log[(w->done - 1) % LOG_LINES]);
    }
    return fine;
}

static bool compare_all(struct model *m, const char *when)
{
    struct comparison c = { .model = m, .out = stdout };

    compare(&c, "", NULL);
    if (!c.differences)
        return true;
    printf("%ld differences %s\n", c.differences, when);
    for (int i = 0; i < m->threads; i++)
        print_log(&m->workers[i]);
    return false;
}

/* Mounts A anew; nothing of it is open meanwhile. */
static int remount(struct model *m)
{
    for (int i = 0; i < m->threads; i++)
        close_slots(&m->workers[i], 0);
    side_close(&m->a);
    if (command_fails(m->remount)) {
        printf("fails: %s\n", m->remount);
        return STATUS_ENVIRONMENT;
    }
    if (side_open(&m->a, m->a.path, false, false)) {
        printf("%s: %s\n", m->a.path, strerror(errno));
        return STATUS_ENVIRONMENT;
    }
    return STATUS_FINE;
}

/* --- after a crash --- */

static long worker_differences(struct worker *w, const struct tolerance *t, FILE *out)
{
    struct comparison c = { .model = w->model, .tolerance = t, .out = out };
    char own[16];

    snprintf(own, sizeof own, "t%d", w->number);
    compare(&c, own, NULL);
    snprintf(own, sizeof own, "s%d-", w->number);
    compare(&c, "shared", own);
    return c.differences;
}

static void parent_of(const struct side *s, const char *path, char out[PATH_SIZE])
{
    char *slash;

    side_path(s, path, out);
    slash = strrchr(out, '/');
    if (slash)
        *slash = '\0';
}

/* The path an open file of B has now. */
static void slot_path(struct worker *w, int slot, char out[PATH_SIZE])
{
    const struct side *b = &w->model->b;
    char link[40], path[PATH_SIZE];
    char *top = realpath(b->path, NULL);
    ssize_t n;

    out[0] = '\0';
    snprintf(link, sizeof link, "/proc/self/fd/%d", w->fds[1][slot]);
    n = readlink(link, path, sizeof path - 1);
    if (n > 0 && top && !strncmp(path, top, strlen(top)) && (size_t)n > strlen(top)) {
        path[n] = '\0';
        strcpy(out, path + strlen(top) + 1);
    }
    free(top);
}

static void load(int fd, char **data, size_t *size)
{
    struct stat st;
    ssize_t n;

    *size = 0;
    *data = NULL;
    if (fd < 0 || fstat(fd, &st) || !(*data = malloc((size_t)st.st_size + 1)))
        return;
    n = pread(fd, *data, (size_t)st.st_size, 0);
    *size = n > 0 ? (size_t)n : 0;
}

/* Opens what the operation writes to, for reading. */
static int target_of(struct worker *w)
{
    const struct op *op = &w->op;
    int slot = op->kind == OP_COPY_RANGE ? op->slot2 : op->slot;
    char path[40];

    if (op->p1[0])
        return open_on(&w->model->b, op->p1, O_RDONLY | O_NONBLOCK, 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", w->fds[1][slot]);
    return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

/* Whether what worker W was writing to is right, and all else. */
static bool settle_data(struct worker *w, struct tolerance *t)
{
    int fd = target_of(w);
    struct result r;
    struct stat st;

    if (fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode)) {
        t->ino = st.st_ino;
        load(fd, &t->old, &t->old_size);
        run(&w->model->b, w->fds[1], &w->op, &r);
        load(fd, &t->new, &t->new_size);
    }
    if (fd >= 0)
        close(fd);
    return !worker_differences(w, t, stdout);
}

static bool settle(struct worker *w)
{
    struct tolerance t = { 0 };
    struct result r;
    bool fine = true;

    strcpy(t.parents[0], "?");
    strcpy(t.parents[1], "?");
    if (w->dead && w->op.p1[0])
        parent_of(&w->model->b, w->op.p1, t.parents[0]);
    else if (w->dead)
        slot_path(w, w->op.kind == OP_COPY_RANGE ? w->op.slot2 : w->op.slot, t.parents[0]);
    if (w->dead && w->op.p2[0] && w->op.kind != OP_SYMLINK)
        parent_of(&w->model->b, w->op.p2, t.parents[1]);
    if (!w->dead) {
        fine = !worker_differences(w, NULL, stdout);
    } else if (op_is_data(w->op.kind)) {
        fine = settle_data(w, &t);
    } else if (worker_differences(w, &t, NULL)) {
        char *text = NULL;
        size_t size;
        FILE *out = open_memstream(&text, &size);

        worker_differences(w, &t, out);
        fclose(out);
        run(&w->model->b, w->fds[1], &w->op, &r);
        if (worker_differences(w, &t, stdout)) {
            printf("that was against the new state; against the old one:\n%s", text);
            fine = false;
        }
        free(text);
    }
    if (!fine) {
        printf("worker %d: what the crash left is neither old nor new\n", w->number);
        print_log(w);
    }
    free(t.old);
    free(t.new);
    w->dead = false;
    return fine;
}

static int crash_batch(struct model *m, long *crashes)
{
    bool fine = true;
    int status;

    for (int i = 0; i < m->threads; i++)
        *crashes += m->workers[i].dead;
    status = remount(m);
    for (int i = 0; !status && i < m->threads; i++) {
        fine &= settle(&m->workers[i]);
        close_slots(&m->workers[i], 1);
    }
    if (status)
        for (int i = 0; i < m->threads; i++)
            print_log(&m->workers[i]);
    return status ? status : fine ? STATUS_FINE : STATUS_DIFFERENT;
}

/* Prints the first lines that differ. */
static bool same_text(const char *a, const char *b, const char *when)
{
    int lines = 0;

    if (!strcmp(a, b))
        return true;
    printf("what is read differs %s\n", when);
    while ((*a || *b) && lines < 10) {
        size_t na = strcspn(a, "\n"), nb = strcspn(b, "\n");

        if (na != nb || strncmp(a, b, na) != 0) {
            printf("  WAS: %.*s\n  IS:  %.*s\n", (int)na, a, (int)nb, b);
            lines++;
        }
        a += na + (a[na] != 0);
        b += nb + (b[nb] != 0);
    }
    return false;
}

static int read_again(struct model *m, const char *before, const char *when)
{
    char *now = NULL;
    bool fine = !read_everything(m, &now) && same_text(before, now, when);

    free(now);
    return fine ? STATUS_FINE : STATUS_DIFFERENT;
}

static int race_batch(struct model *m)
{
    char *before = NULL;
    int status;

    for (int i = 0; i < m->threads; i++) {
        close_slots(&m->workers[i], 0);
        memset(m->workers[i].fds[1], -1, sizeof m->workers[i].fds[1]);
    }
    status = read_everything(m, &before) ? STATUS_DIFFERENT
                                         : read_again(m, before, "from one time to the next");
    if (!status && m->remount) {
        side_close(&m->b);
        status = remount(m);
        if (!status && side_open(&m->b, m->a.path, true, false))
            status = STATUS_ENVIRONMENT;
        if (!status)
            status = read_again(m, before, "after a remount");
    }
    free(before);
    return status;
}

static int batch(struct model *m, struct rng *r, long *crashes)
{
    int status = STATUS_FINE;

    if (!run_workers(m, r))
        return STATUS_DIFFERENT;
    if (m->race)
        return race_batch(m);
    if (m->crash)
        status = crash_batch(m, crashes);
    if (!status && !compare_all(m, "after a batch"))
        status = STATUS_DIFFERENT;
    if (!status && !m->crash && m->remount) {
        status = remount(m);
        for (int i = 0; i < m->threads; i++)
            close_slots(&m->workers[i], 1);
        if (!status && !compare_all(m, "after a remount"))
            status = STATUS_DIFFERENT;
    }
    return status;
}

/* --- the command line --- */

static const char usage[] =
    "Usage: model [OPTION]... A B\n"
    "       model --make DIRECTORY --seed N [--threads N]\n"
    "\n"
    "  --seed N       repeat what was done with this one (default: from the clock)\n"
    "  --threads N    workers (4)\n"
    "  --ops N        operations of a worker in a batch (400)\n"
    "  --batches N    how many (5)\n"
    "  --seconds N    or for how long\n"
    "  --remount CMD  run between batches, with nothing of A in use\n"
    "  --fold         A finds names by other spellings\n"
    "  --user         A is an ordinary user's\n"
    "  --race         all workers on the same names; B is not used\n"
    "  --crash        A's daemon may go away at any moment; --remount brings it back\n"
    "  --kill CMD     run at some moment of each batch\n"
    "  --kill-ms N    which is at most this late (500)\n"
    "  --pretend      pretend crashes, to test this program on two plain directories\n"
    "  --make         only make the tree to pack\n"
    "  --verbose      print each operation\n";

struct arguments {
    long batches, seconds;
    bool make;
};

static const struct option options[] = {
    { "seed", 1, NULL, 's' },    { "threads", 1, NULL, 't' }, { "ops", 1, NULL, 'o' },
    { "batches", 1, NULL, 'b' }, { "seconds", 1, NULL, 'S' }, { "remount", 1, NULL, 'r' },
    { "fold", 0, NULL, 'f' },    { "user", 0, NULL, 'u' },    { "race", 0, NULL, 'R' },
    { "crash", 0, NULL, 'c' },   { "kill", 1, NULL, 'k' },    { "kill-ms", 1, NULL, 'K' },
    { "make", 0, NULL, 'm' },    { "verbose", 0, NULL, 'v' }, { "pretend", 0, NULL, 'p' },
    { NULL, 0, NULL, 0 },
};

static bool take(struct model *m, struct arguments *args, int id)
{
    unsigned long long number = optarg ? strtoull(optarg, NULL, 0) : 0;

    switch (id) {
    case 's': m->seed = number; return true;
    case 't': m->threads = (int)number; return number >= 1 && number <= MAX_THREADS;
    case 'o': m->ops = (long)number; return true;
    case 'b': args->batches = (long)number; return true;
    case 'S': args->seconds = (long)number; return true;
    case 'r': m->remount = optarg; return true;
    case 'f': m->fold = true; return true;
    case 'u': m->user = true; return true;
    case 'R': m->race = true; return true;
    case 'c': m->crash = true; return true;
    case 'k': m->kill = optarg; return true;
    case 'K': m->kill_ms = (unsigned)number; return true;
    case 'p': m->pretend = true; return true;
    case 'm': args->make = true; return true;
    case 'v': m->verbose = true; return true;
    default: return false;
    }
}

static void start_workers(struct model *m)
{
    struct rng r = { m->seed };

    for (int i = 0; i < m->threads; i++) {
        m->workers[i].model = m;
        m->workers[i].number = i;
        m->workers[i].rng.state = rng_next(&r);
        memset(m->workers[i].fds, -1, sizeof m->workers[i].fds);
    }
}

static int test(struct model *m, const struct arguments *args)
{
    struct rng r = { m->seed + 1 };
    time_t end = time(NULL) + args->seconds;
    long done = 0, crashes = 0;
    uint64_t ops = 0;
    int status = STATUS_FINE;

    start_workers(m);
    if (!m->race && !compare_all(m, "at the start"))
        return STATUS_DIFFERENT;
    while (!status && (args->seconds ? time(NULL) < end : done < args->batches)) {
        status = batch(m, &r, &crashes);
        done++;
    }
    for (int i = 0; i < m->threads; i++)
        ops += m->workers[i].done;
    printf("%s: seed %llu, %ld batches, %llu operations, %ld cut off by crashes\n",
           status ? "FAILED" : "fine", (unsigned long long)m->seed, done, (unsigned long long)ops,
           crashes);
    return status;
}

int main(int argc, char **argv)
{
    static struct model m = { .threads = 4, .ops = 400, .kill_ms = 500 };
    struct arguments args = { .batches = 5 };
    int id, status;

    setvbuf(stdout, NULL, _IOLBF, 0);
    m.seed = (uint64_t)time(NULL) * 1000 + (uint64_t)getpid() % 1000;
    while ((id = getopt_long(argc, argv, "", options, NULL)) >= 0)
        if (!take(&m, &args, id))
            goto bad;
    if (args.make && optind + 1 == argc)
        return make_tree(argv[optind], m.seed, m.threads) ? STATUS_ENVIRONMENT : STATUS_FINE;
    if (args.make || optind + (m.race ? 1 : 2) > argc)
        goto bad;
    umask(022);
    printf("seed %llu\n", (unsigned long long)m.seed);
    m.identities = identities_new();
    if (!m.identities || side_open(&m.a, argv[optind], false, false) ||
        side_open(&m.b, argv[m.race ? optind : optind + 1], true, m.fold && !m.race)) {
        perror("model");
        return STATUS_ENVIRONMENT;
    }
    status = test(&m, &args);
    identities_free(m.identities);
    return status;

bad:
    fputs(usage, stderr);
    return STATUS_USAGE;
}
