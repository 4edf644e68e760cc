/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rows that a mount tells of itself. See control_rows.h. */
#include "config.h"

#include "fs/control_rows.h"

#include <string.h>
#include <time.h>

#include "fetch/engine.h"
#include "fetch/source.h"
#include "fs/counters.h"
#include "src/guid.h"
#include "src/log.h"
#include "src/package.h"

/* All numbers of one moment, as far as that goes without stopping anybody. */
struct snapshot {
    struct engine_stats engine;
    struct source_stats source;
    const char *mountpoint, *source_name, *state, *overlay, *log_level, *software;
    const char *package, *package_guid, *version_guid;
    char guids[2][GUID_TEXT_SIZE];
    uint64_t version, pid, connection, uptime_ms;
    uint64_t cached_percent;
    uint64_t fetched_blocks, read_bytes, saved_bytes, io_errors;
};

/* Parts that may be missing. */
enum part { PART_ALWAYS, PART_SOURCE, PART_LOCAL, PART_REMOTE };

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
#define AT(field) offsetof(struct snapshot, field)

#define TEXT(name, groups, field, help) \
    { name, "", "", CONTROL_TEXT, CONTROL_NUMBER, groups, PART_ALWAYS, AT(field), help }
#define GAUGE(name, unit, groups, part, field, help) \
    { name, "", "", CONTROL_GAUGE, unit, groups, part, AT(field), help }
#define COUNTER(name, unit, groups, part, field, help) \
    { name, "", "", CONTROL_COUNTER, unit, groups, part, AT(field), help }
#define LABELLED(name, label_name, label, kind, unit, groups, part, field, help) \
    { name, label_name, label, kind, unit, groups, part, AT(field), help }

/* Names are for programs and stay as they are; rows of one name stand together. */
static const struct spec specs[] = {
    TEXT("mountpoint", STATUS, mountpoint, "Where the package is mounted"),
    TEXT("source", STATUS, source_name, "Where it comes from"),
    TEXT("state", STATUS, state, "Whether blocks can be fetched"),
    TEXT("package", BOTH, package, "Name of the package"),
    TEXT("package_guid", BOTH, package_guid, "Identity of the package"),
    TEXT("version_guid", BOTH, version_guid, "Identity of this version"),
    GAUGE("version", CONTROL_NUMBER, BOTH, PART_ALWAYS, version, "Number of this version"),
    TEXT("overlay", STATUS, overlay, "Whether files can be changed"),
    TEXT("software", BOTH, software, "Version of sftfs"),
    GAUGE("pid", CONTROL_NUMBER, STATUS, PART_ALWAYS, pid, "Process that serves the mount"),
    GAUGE("fuse_connection", CONTROL_NUMBER, STATUS, PART_ALWAYS, connection,
          "Number of the mount in /sys/fs/fuse/connections"),
    TEXT("loglevel", STATUS, log_level, "Lines of the log up to this level are kept"),
    GAUGE("uptime", CONTROL_MS, BOTH, PART_ALWAYS, uptime_ms, "Time since the mount began"),
    GAUGE("cached", CONTROL_PERCENT, BOTH, PART_ALWAYS, cached_percent,
          "Part of the package that can be read without a server"),
    COUNTER("ioerr", CONTROL_NUMBER, BOTH, PART_ALWAYS, io_errors,
            "Requests of programs that failed with an input or output error"),
    COUNTER("requests", CONTROL_NUMBER, BOTH, PART_SOURCE, source.requests,
            "Requests sent to the server, or reads of the local file"),
    LABELLED("hits", "tier", "memory", CONTROL_COUNTER, CONTROL_NUMBER, STATS, PART_ALWAYS,
             engine.hits, "Blocks that programs needed, by where they were found"),
    LABELLED("hits", "tier", "file", CONTROL_COUNTER, CONTROL_NUMBER, STATS, PART_LOCAL,
             fetched_blocks, "Blocks that programs needed, by where they were found"),
    LABELLED("hits", "tier", "network", CONTROL_COUNTER, CONTROL_NUMBER, STATS, PART_REMOTE,
             fetched_blocks, "Blocks that programs needed, by where they were found"),
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
    LABELLED("latency", "", "", CONTROL_HISTOGRAM, CONTROL_MS, STATS, PART_REMOTE, source.latency,
             "Time that reads of the source took"),
};

static int64_t monotonic_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void take_snapshot(const struct control_parts *p, struct snapshot *s)
{
    *s = (struct snapshot){
        .mountpoint = p->mountpoint,
        .source_name = p->source_name,
        .overlay = !p->overlay ? "none" : p->read_only ? "read-only" : "yes",
        .log_level = log_level_name(log_get_level()),
        .software = PACKAGE_VERSION,
        .pid = (uint64_t)getpid(),
        .connection = p->connection,
        .uptime_ms = (uint64_t)(monotonic_ms() - p->started_ms),
        .read_bytes = counter_get(&p->counters->read_bytes),
        .io_errors = counter_get(&p->counters->io_errors),
    };
    const struct package_info *info = package_info(p->package);
    s->package = info->name;
    s->version = info->version_number;
    guid_format(&info->package_guid, s->guids[0]);
    guid_format(&info->version_guid, s->guids[1]);
    s->package_guid = s->guids[0];
    s->version_guid = s->guids[1];
    engine_get_stats(p->engine, &s->engine);
    s->fetched_blocks = s->engine.misses - min_u64(s->engine.joined, s->engine.misses);
    bool local = engine_is_immediate(p->engine);
    s->state = local ? "local" : "online";
    s->cached_percent = local ? 100 : 0;
    if (p->source) {
        source_get_stats(p->source, &s->source);
        s->saved_bytes = s->read_bytes - min_u64(s->read_bytes, s->source.bytes);
    }
}

static bool has_part(const struct control_parts *p, enum part part)
{
    switch (part) {
    case PART_SOURCE:
        return p->source;
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

void control_rows(const struct control_parts *parts, unsigned groups, control_row_fn each,
                  void *arg)
{
    struct snapshot s;

    take_snapshot(parts, &s);
    for (size_t i = 0; i < ARRAY_LEN(specs); i++)
        if (specs[i].groups & groups && has_part(parts, specs[i].part))
            give(&s, &specs[i], each, arg);
    if (groups & CONTROL_IN_STATS)
        give_errors(parts, each, arg);
}
