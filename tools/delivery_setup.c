/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Options of the disk cache and of loading ahead. See delivery_setup.h. */
#include "config.h"

#include "tools/delivery_setup.h"

#include <string.h>

#define AHEAD_DEFAULT (16u << 20)

enum {
    OPT_CACHE_DIR = CLI_ID_DELIVERY,
    OPT_CACHE_SIZE,
    OPT_CACHE_FREE,
    OPT_AUTOLOAD,
    OPT_METERED,
    OPT_FETCH_AHEAD,
    OPT_END
};

const struct cli_option delivery_suboptions[] = {
    { "cache_dir", 0, "DIR",
      "Where to keep what was fetched from a server; several mounts and users can share it. Default: "
      "sftfs in the user's cache directory (~/.cache). cache_dir=none keeps nothing on the disk. "
      "Local packages are not cached.",
      OPT_CACHE_DIR },
    { "cache_size", 0, "SIZE",
      "Most that the disk cache may hold, with suffix M, G or T. What was not used for longest is "
      "removed first, whole packages at a time, never one that is mounted or locked. Default: 4G.",
      OPT_CACHE_SIZE },
    { "cache_free", 0, "PERCENT",
      "How much of the cache's file system is left free. Default: 5.", OPT_CACHE_FREE },
    { "autoload", 0, "WHAT",
      "What is fetched ahead of need once it is mounted: never: nothing; launch: what the package's "
      "maker or launch_list say a start needs (the default); all: that, and then the rest, to the "
      "disk cache, below everything else.",
      OPT_AUTOLOAD },
    { "metered", 0, NULL,
      "The connection is paid by volume: nothing is loaded beyond the launch set.", OPT_METERED },
    { "fetch_ahead", 0, "SIZE",
      "How far to fetch ahead of who reads in order, with suffix K or M; 0 for not at all. "
      "Default: 16M.",
      OPT_FETCH_AHEAD },
    { NULL, 0, NULL, NULL, 0 },
};

void delivery_setup_init(struct delivery_setup *s)
{
    *s = (struct delivery_setup){ .autoload = LOADER_LAUNCH, .ahead = AHEAD_DEFAULT };
}

void delivery_setup_free(struct delivery_setup *s)
{
    free(s->cache_dir);
}

bool delivery_setup_has(int id)
{
    return id >= OPT_CACHE_DIR && id < OPT_END;
}

static int set_cache_dir(struct delivery_setup *s, const char *value, struct err *e)
{
    free(s->cache_dir);
    s->cache_dir = NULL;
    s->no_cache = !strcmp(value, "none");
    return s->no_cache ? 0 : cli_absolute_path("cache_dir", value, &s->cache_dir, e);
}

static int set_autoload(struct delivery_setup *s, const char *value, struct err *e)
{
    static const struct {
        const char *name;
        enum loader_goal goal;
    } names[] = { { "never", LOADER_NOTHING }, { "launch", LOADER_LAUNCH }, { "all", LOADER_ALL } };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (!strcmp(value, names[i].name)) {
            s->autoload = names[i].goal;
            return 0;
        }
    return err_set(e, ERR_INVALID, "autoload must be never, launch or all, not '%s'", value);
}

int delivery_setup_set(struct delivery_setup *s, int id, const char *value, struct err *e)
{
    uint64_t n;
    int rc;

    switch (id) {
    case OPT_CACHE_DIR:
        return set_cache_dir(s, value, e);
    case OPT_CACHE_SIZE:
        return cli_parse_size("cache_size", value, UINT64_C(1) << 20, UINT64_C(1) << 50,
                              &s->cache_quota, e);
    case OPT_CACHE_FREE:
        rc = cli_parse_number("cache_free", value, 1, 99, &n, e);
        if (!rc)
            s->cache_free = (unsigned)n;
        return rc;
    case OPT_AUTOLOAD:
        return set_autoload(s, value, e);
    case OPT_METERED:
        s->metered = true;
        return 0;
    case OPT_FETCH_AHEAD:
        rc = cli_parse_size("fetch_ahead", value, 0, UINT64_C(1) << 30, &n, e);
        if (!rc)
            s->ahead = (uint32_t)n;
        return rc;
    default:
        return err_set(e, ERR_INVALID, "not an option of the disk cache");
    }
}
