/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rows that a mount tells of itself. See control_rows.h. */
#include "config.h"

#include "fs/control_rows.h"

#include <string.h>

#include "fetch/cache.h"
#include "fetch/engine.h"
#include "fetch/loader.h"
#include "fetch/origin.h"
#include "fetch/source.h"
#include "fs/counters.h"
#include "fs/session_io.h"
#include "src/clock.h"
#include "src/guid.h"
#include "src/log.h"
#include "src/package.h"

/* All numbers of one moment, as far as that goes without stopping anybody. */
struct snapshot {
    struct engine_stats engine;
    struct source_stats source;
    struct cache_stats cache;
    struct loader_status loader;
    const char *mountpoint, *source_name, *state, *overlay, *log_level, *software;
    const char *package, *package_guid, *version_guid;
    const char *cache_state, *load_goal, *load_state;
    char guids[2][GUID_TEXT_SIZE];
    uint64_t version, pid, connection, uptime_ms;
    uint64_t cached_percent, load_percent;
    uint64_t cache_blocks, cache_borrowed_blocks; /* of struct cache_stats, with more bits */
    uint64_t load_blocks, load_blocks_done, load_bytes, load_bytes_done;
    uint64_t fetched_blocks, read_bytes, saved_bytes, io_errors;
};

/* Parts that may be missing. */
enum part { PART_ALWAYS, PART_SOURCE, PART_LOCAL, PART_REMOTE, PART_CACHE, PART_LOADER };

struct spec {
    const char *name, *label_name, *label;
    enum control_kind kind;
    enum control_unit unit;
    unsigned groups;
    enum part part;
    size_t offset; /* in struct snapshot: of a uint64_t, of a const char *, or of the buckets */
    const char *help;
};

#define BOTH   (CONTROL_IN_STATUS | CONTROL_IN_STATS)
#define STATUS CONTROL_IN_STATUS
#define STATS  CONTROL_IN_STATS
#define LOAD   (CONTROL_IN_PROGRESS | CONTROL_IN_STATUS | CONTROL_IN_STATS)
#define AT(field) offsetof(struct snapshot, field)

#define TEXT(name, groups, part, field, help) \
    { name, "", "", CONTROL_TEXT, CONTROL_NUMBER, groups, part, AT(field), help }
#define GAUGE(name, unit, groups, part, field, help) \
    { name, "", "", CONTROL_GAUGE, unit, groups, part, AT(field), help }
#define COUNTER(name, unit, groups, part, field, help) \
    { name, "", "", CONTROL_COUNTER, unit, groups, part, AT(field), help }
#define LABELLED(name, label_name, label, kind, unit, groups, part, field, help) \
    { name, label_name, label, kind, unit, groups, part, AT(field), help }

/* Names are for programs and stay as they are; rows of one name stand together. */
static const struct spec specs[] = {
    TEXT("mountpoint", STATUS, PART_ALWAYS, mountpoint, "Where the package is mounted"),
    TEXT("source", STATUS, PART_ALWAYS, source_name, "Where it comes from"),
    TEXT("state", STATUS, PART_ALWAYS, state, "Whether blocks can be fetched"),
    TEXT("package", BOTH, PART_ALWAYS, package, "Name of the package"),
    TEXT("package_guid", BOTH, PART_ALWAYS, package_guid, "Identity of the package"),
    TEXT("version_guid", BOTH, PART_ALWAYS, version_guid, "Identity of this version"),
    GAUGE("version", CONTROL_NUMBER, BOTH, PART_ALWAYS, version, "Number of this version"),
    TEXT("overlay", STATUS, PART_ALWAYS, overlay, "Whether files can be changed"),
    TEXT("software", BOTH, PART_ALWAYS, software, "Version of sftfs"),
    GAUGE("pid", CONTROL_NUMBER, STATUS, PART_ALWAYS, pid, "Process that serves the mount"),
    GAUGE("fuse_connection", CONTROL_NUMBER, STATUS, PART_ALWAYS, connection,
          "Number of the mount in /sys/fs/fuse/connections"),
    TEXT("loglevel", STATUS, PART_ALWAYS, log_level, "Lines of the log up to this level are kept"),
    GAUGE("uptime", CONTROL_MS, BOTH, PART_ALWAYS, uptime_ms, "Time since the mount began"),
    GAUGE("cached", CONTROL_PERCENT, BOTH, PART_ALWAYS, cached_percent,
          "Part of the package that can be read without a server"),
    TEXT("disk_cache", STATUS, PART_CACHE, cache_state, "Whether blocks are kept on the disk"),
    TEXT("load_goal", LOAD & ~STATS, PART_LOADER, load_goal,
         "What is fetched ahead: nothing, launch or all"),
    TEXT("load_state", LOAD & ~STATS, PART_LOADER, load_state,
         "How far that is: idle, loading, resting after a failure, stopped or done"),
    GAUGE("load", CONTROL_PERCENT, LOAD, PART_LOADER, load_percent, "Part of that which is there"),
    GAUGE("load_blocks", CONTROL_NUMBER, LOAD, PART_LOADER, load_blocks, "Blocks of that"),
    GAUGE("load_done_blocks", CONTROL_NUMBER, LOAD, PART_LOADER, load_blocks_done,
          "Of these, blocks that are there"),
    GAUGE("load_size", CONTROL_BYTES, LOAD, PART_LOADER, load_bytes,
          "Stored bytes of these blocks"),
    GAUGE("load_done", CONTROL_BYTES, LOAD, PART_LOADER, load_bytes_done,
          "Stored bytes of the blocks that are there"),
    GAUGE("load_rest", CONTROL_MS, LOAD, PART_LOADER, loader.rest_ms,
          "Time until fetching ahead is tried again"),
    COUNTER("load_failures", CONTROL_NUMBER, LOAD, PART_LOADER, loader.failures,
            "Blocks that could not be fetched ahead"),
    COUNTER("ioerr", CONTROL_NUMBER, BOTH, PART_ALWAYS, io_errors,
            "Requests of programs that failed with an input or output error"),
    COUNTER("requests", CONTROL_NUMBER, BOTH, PART_SOURCE, source.requests,
            "Requests sent to the server, or reads of the local file"),
    LABELLED("hits", "tier", "memory", CONTROL_COUNTER, CONTROL_NUMBER, STATS, PART_ALWAYS,
             engine.hits, "Blocks, by where they were found"),
    LABELLED("hits", "tier", "disk", CONTROL_COUNTER, CONTROL_NUMBER, STATS, PART_CACHE,
             engine.disk_blocks, "Blocks, by where they were found"),
    LABELLED("hits", "tier", "file", CONTROL_COUNTER, CONTROL_NUMBER, STATS, PART_LOCAL,
             fetched_blocks, "Blocks, by where they were found"),
    LABELLED("hits", "tier", "network", CONTROL_COUNTER, CONTROL_NUMBER, STATS, PART_REMOTE,
             fetched_blocks, "Blocks, by where they were found"),
    COUNTER("joined", CONTROL_NUMBER, STATS, PART_ALWAYS, engine.joined,
            "Blocks that were on the way already when they were needed"),
    COUNTER("received", CONTROL_BYTES, BOTH, PART_SOURCE, source.bytes,
            "Bytes that came from the source"),
    COUNTER("read", CONTROL_BYTES, STATS, PART_ALWAYS, read_bytes,
            "Bytes of the package that programs were given"),
    GAUGE("saved", CONTROL_BYTES, STATS, PART_SOURCE, saved_bytes,
          "Bytes that programs were given beyond those that came from the source"),
    COUNTER("decoded_blocks", CONTROL_NUMBER, STATS, PART_ALWAYS, engine.decoded_blocks,
            "Blocks verified and decoded"),
    COUNTER("decoded", CONTROL_BYTES, STATS, PART_ALWAYS, engine.decoded_bytes,
            "Bytes of these, decoded"),
    COUNTER("evicted_blocks", CONTROL_NUMBER, STATS, PART_ALWAYS, engine.evicted,
            "Blocks that made room in memory for others"),
    COUNTER("cancelled", CONTROL_NUMBER, STATS, PART_ALWAYS, engine.cancelled,
            "Reads that were given up by those who waited"),
    COUNTER("bad_blocks", CONTROL_NUMBER, STATS, PART_ALWAYS, engine.bad_blocks,
            "Blocks that came from the source damaged"),
    COUNTER("source_errors", CONTROL_NUMBER, STATS, PART_SOURCE, source.errors,
            "Reads of the source that failed"),
    COUNTER("retries", CONTROL_NUMBER, STATS, PART_REMOTE, source.retries,
            "Requests sent again for the same read"),
    COUNTER("failovers", CONTROL_NUMBER, STATS, PART_REMOTE, source.failovers,
            "Reads for which another server was asked"),
    COUNTER("connections", CONTROL_NUMBER, STATS, PART_REMOTE, source.connections,
            "Connections opened"),
    GAUGE("reads_in_flight", CONTROL_NUMBER, BOTH, PART_SOURCE, source.in_flight,
          "Reads of the source that are under way"),
    GAUGE("oldest_read", CONTROL_MS, BOTH, PART_SOURCE, source.oldest_ms,
          "How long the oldest of these has taken so far"),
    GAUGE("blocks_in_flight", CONTROL_NUMBER, STATS, PART_ALWAYS, engine.inflight_blocks,
          "Blocks that are being fetched or decoded"),
    GAUGE("ahead_blocks", CONTROL_NUMBER, STATS, PART_ALWAYS, engine.ahead_blocks,
          "Of these, blocks that nobody waits for"),
    COUNTER("ahead_errors", CONTROL_NUMBER, STATS, PART_ALWAYS, engine.ahead_errors,
            "Blocks that nobody waited for and that could not be fetched"),
    GAUGE("waiting_requests", CONTROL_NUMBER, BOTH, PART_ALWAYS, engine.waiting_requests,
          "Requests that wait for blocks"),
    LABELLED("memory", "use", "total", CONTROL_GAUGE, CONTROL_BYTES, STATS, PART_ALWAYS,
             engine.memory, "Memory in use for blocks and data on the way"),
    LABELLED("memory", "use", "blocks", CONTROL_GAUGE, CONTROL_BYTES, STATS, PART_ALWAYS,
             engine.cached_bytes, "Memory in use for blocks and data on the way"),
    LABELLED("memory", "use", "buffers", CONTROL_GAUGE, CONTROL_BYTES, STATS, PART_ALWAYS,
             engine.buffer_bytes, "Memory in use for blocks and data on the way"),
    GAUGE("memory_peak", CONTROL_BYTES, STATS, PART_ALWAYS, engine.memory_peak,
          "The most that was in use so far"),
    GAUGE("cache_blocks", CONTROL_NUMBER, STATS, PART_CACHE, cache_blocks,
          "Blocks of this version in the disk cache"),
    GAUGE("cache_size", CONTROL_BYTES, STATS, PART_CACHE, cache.present_bytes,
          "Stored bytes of these"),
    GAUGE("cache_borrowed_blocks", CONTROL_NUMBER, STATS, PART_CACHE, cache_borrowed_blocks,
          "Blocks that another version in the disk cache has"),
    GAUGE("cache_borrowed", CONTROL_BYTES, STATS, PART_CACHE, cache.borrowed_bytes,
          "Stored bytes of these"),
    COUNTER("cache_read", CONTROL_BYTES, STATS, PART_CACHE, cache.read_bytes,
            "Bytes read from the disk cache"),
    COUNTER("cache_donated", CONTROL_BYTES, STATS, PART_CACHE, cache.donated_bytes,
            "Of these, bytes of other versions"),
    COUNTER("cache_stored", CONTROL_BYTES, STATS, PART_CACHE, cache.stored_bytes,
            "Bytes stored in the disk cache"),
    COUNTER("cache_bad_blocks", CONTROL_NUMBER, STATS, PART_CACHE, cache.bad_blocks,
            "Blocks that were found damaged in the disk cache and dropped"),
    COUNTER("cache_read_errors", CONTROL_NUMBER, STATS, PART_CACHE, cache.read_errors,
            "Reads of the disk cache that failed"),
    COUNTER("cache_write_errors", CONTROL_NUMBER, STATS, PART_CACHE, cache.write_errors,
            "Writes to the disk cache that failed"),
    COUNTER("cache_evicted_versions", CONTROL_NUMBER, STATS, PART_CACHE, cache.evicted_versions,
            "Package versions that made room in the disk cache for others"),
    COUNTER("cache_evicted", CONTROL_BYTES, STATS, PART_CACHE, cache.evicted_bytes,
            "Bytes of these"),
    LABELLED("latency", "", "", CONTROL_HISTOGRAM, CONTROL_MS, STATS, PART_REMOTE, source.latency,
             "Time that reads of the source took"),
};

/* Whole percents, 100 only when nothing is missing. */
static uint64_t percent(uint64_t done, uint64_t all)
{
    return !all || done >= all ? 100 : (uint64_t)(100.0 * (double)done / (double)all);
}

static const char *state_of(const struct control_parts *p)
{
    if (engine_is_immediate(p->engine))
        return "local";
    if (!p->source || !source_is_origin(p->source))
        return "online";
    return origin_is_offline(p->source)     ? "offline"
           : origin_is_connected(p->source) ? "online"
                                            : "disconnected";
}

static void ask_source(const struct control_parts *p, struct snapshot *s)
{
    s->state = state_of(p);
    if (!p->source)
        return;
    source_get_stats(p->source, &s->source);
    s->saved_bytes = s->read_bytes - min_u64(s->read_bytes, s->source.bytes);
}

static void ask_cache(const struct control_parts *p, const struct package_info *info,
                      struct snapshot *s)
{
    s->cached_percent = engine_is_immediate(p->engine) ? 100 : 0;
    if (!p->cache)
        return;
    cache_get_stats(p->cache, &s->cache);
    s->cache_state = s->cache.writing ? "yes" : s->cache.why_not;
    s->cache_blocks = s->cache.present_blocks;
    s->cache_borrowed_blocks = s->cache.borrowed_blocks;
    s->cached_percent = percent(s->cache.present_bytes + s->cache.borrowed_bytes,
                                info->stored_bytes);
}

static void ask_loader(const struct control_parts *p, struct snapshot *s)
{
    const struct loader_status *l = &s->loader;

    if (!p->loader)
        return;
    loader_get_status(p->loader, &s->loader);
    bool all = l->goal == LOADER_ALL;
    s->load_goal = loader_goal_name(l->goal);
    s->load_state = loader_state_name(l->state);
    s->load_blocks = all ? l->blocks : l->launch_blocks;
    s->load_blocks_done = all ? l->done : l->launch_done;
    s->load_bytes = all ? l->bytes : l->launch_bytes;
    s->load_bytes_done = all ? l->bytes_done : l->launch_bytes_done;
    s->load_percent = percent(s->load_bytes_done, s->load_bytes);
}

static void take_snapshot(const struct control_parts *p, struct snapshot *s)
{
    const struct package_info *info = package_info(p->package);

    *s = (struct snapshot){
        .mountpoint = p->mountpoint,
        .source_name = p->source_name,
        .overlay = !p->overlay ? "none" : p->read_only ? "read-only" : "yes",
        .log_level = log_level_name(log_get_level()),
        .software = PACKAGE_VERSION,
        .pid = (uint64_t)getpid(),
        .connection = p->connection,
        .uptime_ms = monotonic_ms() - p->started_ms,
        .package = info->name,
        .version = info->version_number,
        .read_bytes = counter_get(&p->counters->read_bytes),
        .io_errors = counter_get(&p->counters->io_errors),
    };
    guid_format(&info->package_guid, s->guids[0]);
    guid_format(&info->version_guid, s->guids[1]);
    s->package_guid = s->guids[0];
    s->version_guid = s->guids[1];
    engine_get_stats(p->engine, &s->engine);
    s->fetched_blocks = s->engine.decoded_blocks -
                        min_u64(s->engine.disk_blocks, s->engine.decoded_blocks);
    ask_source(p, s);
    ask_cache(p, info, s);
    ask_loader(p, s);
}

static bool has_part(const struct control_parts *p, enum part part)
{
    switch (part) {
    case PART_SOURCE:
        return p->source;
    case PART_CACHE:
        return p->cache;
    case PART_LOADER:
        return p->loader && !engine_is_immediate(p->engine);
    case PART_LOCAL:
        return engine_is_immediate(p->engine);
    case PART_REMOTE:
        return !engine_is_immediate(p->engine);
    default:
        return true;
    }
}

static const char *text_of(const struct snapshot *s, const struct spec *spec)
{
    const char *text;

    memcpy(&text, (const char *)s + spec->offset, sizeof text);
    return text ? text : "";
}

static void fill_latency(const struct snapshot *s, struct control_row *row)
{
    row->bucket_count = SOURCE_LATENCY_BUCKETS;
    for (size_t i = 0; i < SOURCE_LATENCY_BUCKETS; i++) {
        row->bound[i] = i + 1 < SOURCE_LATENCY_BUCKETS ? UINT64_C(1) << i : UINT64_MAX;
        row->bucket[i] = s->source.latency[i];
    }
}

static void give(const struct snapshot *s, const struct spec *spec, control_row_fn each, void *arg)
{
    struct control_row row = { .name = spec->name,
                               .label_name = spec->label_name,
                               .label = spec->label,
                               .kind = spec->kind,
                               .unit = spec->unit,
                               .help = spec->help,
                               .text = "" };

    if (spec->kind == CONTROL_TEXT)
        row.text = text_of(s, spec);
    else if (spec->kind == CONTROL_HISTOGRAM)
        fill_latency(s, &row);
    else
        memcpy(&row.value, (const char *)s + spec->offset, sizeof row.value);
    each(&row, arg);
}

/* A row for each kind of request that has come. */
static void give_requests(const struct control_parts *p, control_row_fn each, void *arg)
{
    char number[16];

    for (unsigned opcode = 0; opcode < COUNTERS_OPCODES; opcode++) {
        struct control_row row = {
            .name = "fuse_requests",
            .label_name = "kind",
            .label = session_io_opcode_name(opcode, number),
            .kind = CONTROL_COUNTER,
            .help = "Requests of the kernel, by kind",
            .text = "",
            .value = counter_get(&p->counters->requests[opcode]),
        };
        if (row.value)
            each(&row, arg);
    }
}

/* A row for each kind of error that has happened. */
static void give_errors(const struct control_parts *p, control_row_fn each, void *arg)
{
    for (unsigned kind = 0; kind < ERR_KIND_COUNT; kind++) {
        struct control_row row = {
            .name = "errors",
            .label_name = "kind",
            .label = kind ? err_kind_name((enum err_kind)kind) : "unknown",
            .kind = CONTROL_COUNTER,
            .help = "Requests of programs that failed with an input or output error, by cause",
            .text = "",
            .value = counter_get(&p->counters->errors[kind]),
        };
        if (row.value)
            each(&row, arg);
    }
}

static void give_place(const char *name, const struct origin_place *place, const char *label,
                       const char *state, control_row_fn each, void *arg)
{
    struct control_row row = { .name = name, .label_name = "place", .label = label, .text = "" };

    if (!strcmp(name, "place_state")) {
        row.kind = CONTROL_TEXT;
        row.help = "How the server is: unopened, opening, ready, held-off or refused";
        row.text = state;
    } else if (!strcmp(name, "place_in_use")) {
        row.kind = CONTROL_GAUGE;
        row.help = "Whether the next read goes to this server";
        row.value = place->in_use;
    } else if (!strcmp(name, "place_reads")) {
        row.kind = CONTROL_COUNTER;
        row.help = "Reads that this server was asked for";
        row.value = place->reads;
    } else {
        row.kind = CONTROL_COUNTER;
        row.help = "Of these and of attempts to connect, those that failed";
        row.value = place->failures;
    }
    each(&row, arg);
}

/* Rows for each server that the package may be had from; a number tells apart those that look alike
 * without their secrets. */
static void give_places(const struct control_parts *p, control_row_fn each, void *arg)
{
    static const char *const names[] = { "place_state", "place_in_use", "place_reads",
                                         "place_failures" };
    struct origin_place places[ORIGIN_PLACES_MAX];
    char label[300];

    if (!p->source || !source_is_origin(p->source))
        return;
    size_t count = origin_get_places(p->source, places, ARRAY_LEN(places));
    for (size_t n = 0; n < ARRAY_LEN(names); n++)
        for (size_t i = 0; i < count && i < ARRAY_LEN(places); i++) {
            (void)snprintf(label, sizeof label, "%zu: %s", i + 1, places[i].name);
            give_place(names[n], &places[i], label, origin_place_state_name(places[i].state), each,
                       arg);
        }
}

void control_rows(const struct control_parts *parts, unsigned groups, control_row_fn each,
                  void *arg)
{
    struct snapshot s;

    take_snapshot(parts, &s);
    for (size_t i = 0; i < ARRAY_LEN(specs); i++)
        if (specs[i].groups & groups && has_part(parts, specs[i].part))
            give(&s, &specs[i], each, arg);
    if (groups & CONTROL_IN_STATS) {
        give_requests(parts, each, arg);
        give_places(parts, each, arg);
        give_errors(parts, each, arg);
    }
}
