/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Launch set and background load. See loader.h.
 *
 * A pass goes through the blocks of the goal once and hands those that are missing to the engine, as
 * many as it takes; then what it has taken is waited for. If something failed meanwhile, or is missing
 * still, another pass follows. Looking at a block that is at hand costs next to nothing, so that a
 * pass needs no memory of the one before.
 */
#include "config.h"

#include "fetch/loader.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "fetch/thread.h"
#include "src/clock.h"
#include "src/log.h"

enum {
    TICK_MS = 20,        /* between looks at how far the engine has come */
    REST_FIRST_MS = 1000,
    REST_MOST_MS = 60000,
    STEP_BLOCKS = 1024,  /* handed over at a time; the goal may change in between */
};

struct loader {
    struct loader_options o;
    const struct package_info *info;
    struct block_run *launch; /* owned */
    size_t launch_count;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    bool has_thread;  /* lock; to be joined */
    bool running;     /* lock; the thread has not seen its end yet */
    bool stopping;    /* lock */
    bool woken;       /* lock */
    enum loader_goal goal;   /* lock */
    enum loader_state state; /* lock */
    uint64_t rest_until_ms;  /* lock */
    uint32_t rest_ms;        /* lock; the next one's length */
    uint32_t launch_passed;  /* lock; blocks of the launch set handed over by the latest pass */
};

/* --- names ------------------------------------------------------------------------------------- */

const char *loader_goal_name(enum loader_goal goal)
{
    static const char *const names[] = { "nothing", "launch", "all" };
    return names[goal];
}

const char *loader_state_name(enum loader_state state)
{
    static const char *const names[] = { "idle", "loading", "resting", "stopped", "done" };
    return names[state];
}

/* --- life -------------------------------------------------------------------------------------- */

static int copy_launch(struct loader *l, const struct loader_options *o, struct err *e)
{
    const struct block_run *runs = o->launch_runs ? o->launch_runs : l->info->launch_runs;
    size_t count = o->launch_runs ? o->launch_run_count : l->info->launch_run_count;

    for (size_t i = 0; i < count; i++)
        if (runs[i].first > l->info->block_count ||
            runs[i].count > l->info->block_count - runs[i].first)
            return err_set(e, ERR_INVALID, "the launch list names blocks that the package has not");
    l->launch = calloc(count ? count : 1, sizeof *l->launch);
    if (!l->launch)
        return err_nomem(e);
    if (count)
        memcpy(l->launch, runs, count * sizeof *runs);
    l->launch_count = count;
    return 0;
}

int loader_new(const struct loader_options *o, struct loader **out, struct err *e)
{
    struct loader *l = calloc(1, sizeof *l);
    pthread_condattr_t attr;

    if (!l)
        return err_nomem(e);
    l->o = *o;
    l->o.launch_runs = NULL;
    l->info = package_info(o->package);
    int rc = copy_launch(l, o, e);
    if (!rc && pthread_condattr_init(&attr))
        rc = err_nomem(e);
    if (rc) {
        free(l->launch);
        free(l);
        return rc;
    }
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&l->changed, &attr);
    (void)pthread_condattr_destroy(&attr);
    pthread_mutex_init(&l->lock, NULL);
    *out = l;
    return 0;
}

void loader_free(struct loader *l)
{
    if (!l)
        return;
    pthread_mutex_lock(&l->lock);
    l->stopping = true;
    pthread_cond_broadcast(&l->changed);
    bool join = l->has_thread;
    pthread_mutex_unlock(&l->lock);
    if (join)
        pthread_join(l->thread, NULL);
    pthread_cond_destroy(&l->changed);
    pthread_mutex_destroy(&l->lock);
    free(l->launch);
    free(l);
}

/* --- waiting ----------------------------------------------------------------------------------- */

/* Waits MS or until something is changed. Needs l->lock. */
static void wait_ms(struct loader *l, uint64_t ms)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(ms / 1000);
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    (void)pthread_cond_timedwait(&l->changed, &l->lock, &until);
}

static bool wants(struct loader *l, enum loader_goal goal)
{
    pthread_mutex_lock(&l->lock);
    bool yes = !l->stopping && l->goal >= goal;
    pthread_mutex_unlock(&l->lock);
    return yes;
}

/* One look later. False when GOAL is not wanted any more. */
static bool tick(struct loader *l, enum loader_goal goal)
{
    pthread_mutex_lock(&l->lock);
    if (!l->stopping && l->goal >= goal)
        wait_ms(l, TICK_MS);
    bool go = !l->stopping && l->goal >= goal;
    pthread_mutex_unlock(&l->lock);
    return go;
}

/* Rests after a failure, each time twice as long, up to a minute. */
static void rest(struct loader *l)
{
    pthread_mutex_lock(&l->lock);
    l->rest_ms = l->rest_ms ? (uint32_t)min_u64(2 * (uint64_t)l->rest_ms, REST_MOST_MS)
                            : REST_FIRST_MS;
    l->rest_until_ms = monotonic_ms() + l->rest_ms;
    l->state = LOADER_RESTING;
    l->woken = false;
    while (!l->stopping && l->goal > LOADER_NOTHING && !l->woken &&
           monotonic_ms() < l->rest_until_ms)
        wait_ms(l, l->rest_until_ms - monotonic_ms());
    l->state = LOADER_LOADING;
    pthread_mutex_unlock(&l->lock);
}

/* --- loading ----------------------------------------------------------------------------------- */

static uint64_t failures(const struct loader *l)
{
    struct engine_stats s;

    engine_get_stats(l->o.engine, &s);
    return s.ahead_errors;
}

/* Without a disk cache: memory takes no more, and nothing is on its way that would change that. */
static bool memory_is_full(const struct loader *l)
{
    struct engine_stats s;

    if (l->o.cache)
        return false;
    engine_get_stats(l->o.engine, &s);
    return !s.ahead_blocks;
}

/* Hands one run to the engine. False when the goal is gone or something has failed. */
static bool load_run(struct loader *l, struct block_run run, enum loader_goal goal, uint64_t failed)
{
    enum engine_priority prio = goal == LOADER_ALL ? ENGINE_BACKGROUND : ENGINE_LAUNCH;

    while (run.count) {
        uint32_t step = (uint32_t)min_u64(run.count, STEP_BLOCKS);
        uint32_t taken = engine_prefetch(l->o.engine, run.first, step, prio);

        run.first += taken;
        run.count -= taken;
        if (goal == LOADER_LAUNCH) {
            pthread_mutex_lock(&l->lock);
            l->launch_passed += taken;
            pthread_mutex_unlock(&l->lock);
        }
        if (!taken && memory_is_full(l))
            return true;
        if (taken == step ? !wants(l, goal) : !tick(l, goal))
            return false;
        if (failures(l) != failed)
            return false;
    }
    return true;
}

static bool is_missing(const struct loader *l, uint32_t block)
{
    return l->o.cache && !cache_has(l->o.cache, block);
}

static bool run_is_missing(const struct loader *l, struct block_run run)
{
    for (uint32_t i = 0; i < run.count; i++)
        if (is_missing(l, run.first + i))
            return true;
    return false;
}

/* Waits until the engine has nothing on its way for us, or something failed. */
static bool wait_for_engine(struct loader *l, enum loader_goal goal, uint64_t failed)
{
    struct engine_stats s;

    do {
        engine_get_stats(l->o.engine, &s);
        if (s.ahead_errors != failed)
            return false;
        if (!s.ahead_blocks)
            return true;
    } while (tick(l, goal));
    return false;
}

/* Loads the COUNT runs once. True when all of it was handed over and nothing failed. */
static bool pass(struct loader *l, const struct block_run *runs, size_t count,
                 enum loader_goal goal)
{
    uint64_t failed = failures(l);

    if (goal == LOADER_LAUNCH) {
        pthread_mutex_lock(&l->lock);
        l->launch_passed = 0;
        pthread_mutex_unlock(&l->lock);
    }
    for (size_t i = 0; i < count; i++)
        if (!load_run(l, runs[i], goal, failed))
            return false;
    return wait_for_engine(l, goal, failed);
}

static bool cache_is_full(const struct loader *l)
{
    struct cache_stats s;

    if (!l->o.cache)
        return false;
    cache_get_stats(l->o.cache, &s);
    return !s.writing;
}

enum outcome { OUTCOME_DONE, OUTCOME_AGAIN, OUTCOME_FULL };

static enum outcome load(struct loader *l, const struct block_run *runs, size_t count,
                         enum loader_goal goal)
{
    bool ok = pass(l, runs, count, goal), missing = false;

    for (size_t i = 0; ok && i < count && !missing; i++)
        missing = run_is_missing(l, runs[i]);
    if (missing && cache_is_full(l))
        return OUTCOME_FULL;
    return ok && !missing ? OUTCOME_DONE : OUTCOME_AGAIN;
}

static void reset_rest(struct loader *l)
{
    pthread_mutex_lock(&l->lock);
    l->rest_ms = 0;
    pthread_mutex_unlock(&l->lock);
}

/* Works until the goal is reached or taken back. Returns how it stands then. */
static enum loader_state work(struct loader *l)
{
    const struct block_run everything = { 0, l->info->block_count };
    enum loader_goal at = LOADER_LAUNCH;

    while (wants(l, at)) {
        bool all = at == LOADER_ALL;
        enum outcome outcome = load(l, all ? &everything : l->launch, all ? 1 : l->launch_count,
                                    at);
        if (outcome == OUTCOME_FULL && all)
            return LOADER_STOPPED;
        if (outcome == OUTCOME_AGAIN) {
            if (wants(l, at))
                rest(l);
            continue;
        }
        reset_rest(l);
        if (all || !wants(l, LOADER_ALL))
            return LOADER_DONE;
        at = LOADER_ALL;
    }
    return LOADER_IDLE;
}

static void *run(void *arg)
{
    struct loader *l = arg;

    for (;;) {
        pthread_mutex_lock(&l->lock);
        enum loader_goal goal = l->goal;
        l->state = LOADER_LOADING;
        pthread_mutex_unlock(&l->lock);
        enum loader_state state = work(l);
        pthread_mutex_lock(&l->lock);
        bool stopping = l->stopping, more = l->goal > goal && !stopping;
        if (!more) {
            l->state = l->goal == LOADER_NOTHING ? LOADER_IDLE : state;
            l->running = false;
        }
        pthread_mutex_unlock(&l->lock);
        if (!more && !stopping)
            log_info("load", "loading ahead has ended; goal=%s state=%s", loader_goal_name(goal),
                     loader_state_name(state));
        if (!more)
            return NULL;
    }
}

/* Needs l->lock. */
static int start_thread(struct loader *l)
{
    if (l->has_thread)
        pthread_join(l->thread, NULL); /* it has ended, or is just about to, without the lock */
    l->has_thread = false;
    int rc = thread_start(&l->thread, NULL, run, l);
    l->has_thread = l->running = !rc;
    return rc;
}

int loader_set_goal(struct loader *l, enum loader_goal goal, struct err *e)
{
    int rc = 0;

    if (goal == LOADER_ALL && !l->o.cache)
        return err_set(e, ERR_UNSUPPORTED,
                       "loading the whole package needs a disk cache, which this mount has not");
    if (goal == LOADER_ALL && l->o.metered)
        return err_set(e, ERR_UNSUPPORTED, "the link is metered: only the launch set is loaded");
    pthread_mutex_lock(&l->lock);
    l->goal = goal;
    l->woken = true;
    pthread_cond_broadcast(&l->changed);
    if (!l->running) /* who looks now must not see how the goal before ended */
        l->state = goal == LOADER_NOTHING ? LOADER_IDLE : LOADER_LOADING;
    if (goal != LOADER_NOTHING && !l->running && start_thread(l)) {
        l->state = LOADER_IDLE;
        rc = err_set(e, ERR_SYSTEM, "no thread to load the package with");
    }
    pthread_mutex_unlock(&l->lock);
    return rc;
}

void loader_wake(struct loader *l)
{
    if (!l)
        return;
    pthread_mutex_lock(&l->lock);
    l->woken = true;
    l->rest_ms = 0;
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->lock);
}

/* --- status ------------------------------------------------------------------------------------ */

static void add_run(const struct loader *l, struct block_run run, uint32_t *blocks,
                    uint64_t *bytes, uint32_t *done, uint64_t *bytes_done)
{
    for (uint32_t i = run.first; i < run.first + run.count; i++) {
        uint32_t len = package_block(l->o.package, i)->stored_len;

        ++*blocks;
        *bytes += len;
        if (l->o.cache && cache_has(l->o.cache, i)) {
            ++*done;
            *bytes_done += len;
        }
    }
}

void loader_get_status(struct loader *l, struct loader_status *out)
{
    *out = (struct loader_status){ .failures = failures(l) };
    pthread_mutex_lock(&l->lock);
    out->goal = l->goal;
    out->state = l->state;
    uint64_t now = monotonic_ms();
    if (l->state == LOADER_RESTING && l->rest_until_ms > now)
        out->rest_ms = l->rest_until_ms - now;
    uint32_t passed = l->launch_passed;
    pthread_mutex_unlock(&l->lock);
    for (size_t i = 0; i < l->launch_count; i++)
        add_run(l, l->launch[i], &out->launch_blocks, &out->launch_bytes, &out->launch_done,
                &out->launch_bytes_done);
    add_run(l, (struct block_run){ 0, l->info->block_count }, &out->blocks, &out->bytes, &out->done,
            &out->bytes_done);
    if (!l->o.cache && out->launch_blocks) { /* in memory, if it has not been used and dropped since */
        out->launch_done = passed < out->launch_blocks ? passed : out->launch_blocks;
        out->launch_bytes_done = out->launch_bytes * out->launch_done / out->launch_blocks;
    }
}
