/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of tools/ctl_show.c: rows as text, as JSON and in the format of Prometheus. */
#include "config.h"

#include "tools/ctl_show.h"

#include "tests/unit.h"

static const char *const lines[] = {
    "package\t\t\ttext\tnumber\tMy \\\\ \"pack\"\\x0a\tName",
    "package_guid\t\t\ttext\tnumber\tABC\tIdentity",
    "pid\t\t\tgauge\tnumber\t12\tProcess",
    "uptime\t\t\tgauge\tms\t7384005\tTime",
    "cached\t\t\tgauge\tpercent\t7\tPart",
    "hits\ttier\tmemory\tcounter\tnumber\t3\tBlocks",
    "hits\ttier\tdisk\tcounter\tnumber\t4\tBlocks",
    "received\t\t\tcounter\tbytes\t2048\tBytes",
    "latency\t\t\thistogram\tms\t1:5,2:0,inf:7\tTime",
};

static char *show(const char *form)
{
    struct show_rows rows = { .count = 0 };
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    CU_ASSERT_PTR_NOT_NULL_FATAL(out);
    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        CU_ASSERT_EQUAL_FATAL(show_rows_add(&rows, lines[i], NULL), 0);
    if (!strcmp(form, "text"))
        show_text(out, &rows);
    else if (!strncmp(form, "json", 4))
        show_json(out, &rows, !strcmp(form, "json line"));
    else
        show_prometheus(out, &rows, "/mnt/a\"b\\c\n\xff");
    CU_ASSERT_EQUAL_FATAL(fclose(out), 0);
    show_rows_free(&rows);
    return text;
}

static void text_has_a_row_a_line(void)
{
    auto_free char *text = show("text");

    CU_ASSERT_PTR_NOT_NULL(strstr(text, "Package:                My \\ \"pack\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "Package GUID:           ABC\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "PID:                    12\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "Uptime:                 2 h 3 min\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "Cached:                 7 %\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "Hits (memory):          3\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "Received:               2048 (2.0K)\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "Latency:                5 below 1 ms, 7 longer\n"));
}

static void json_names_the_units(void)
{
    static const char wanted[] = "{\n"
                                 "  \"package\": \"My \\\\ \\\"pack\\\"\\n\",\n"
                                 "  \"package_guid\": \"ABC\",\n"
                                 "  \"pid\": 12,\n"
                                 "  \"uptime_ms\": 7384005,\n"
                                 "  \"cached_percent\": 7,\n"
                                 "  \"hits\": {\n"
                                 "    \"memory\": 3,\n"
                                 "    \"disk\": 4\n"
                                 "  },\n"
                                 "  \"received_bytes\": 2048,\n"
                                 "  \"latency_ms\": [\n"
                                 "    {\n"
                                 "      \"below\": 1,\n"
                                 "      \"count\": 5\n"
                                 "    },\n"
                                 "    {\n"
                                 "      \"below\": 2,\n"
                                 "      \"count\": 0\n"
                                 "    },\n"
                                 "    {\n"
                                 "      \"below\": null,\n"
                                 "      \"count\": 7\n"
                                 "    }\n"
                                 "  ]\n"
                                 "}\n";
    auto_free char *text = show("json");

    CU_ASSERT_STRING_EQUAL(text, wanted);
}

static void json_of_one_line_has_one_line(void)
{
    auto_free char *text = show("json line");

    CU_ASSERT_EQUAL(strchr(text, '\n') - text, (ptrdiff_t)strlen(text) - 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"hits\": {\"memory\": 3, \"disk\": 4}, "));
}

static void progress_is_one_line(void)
{
    static const char *const load[] = {
        "load_state\t\t\ttext\tnumber\tresting\tState",
        "load\t\t\tgauge\tpercent\t35\tPart",
        "load_blocks\t\t\tgauge\tnumber\t340\tBlocks",
        "load_done_blocks\t\t\tgauge\tnumber\t120\tBlocks",
        "load_size\t\t\tgauge\tbytes\t2048\tBytes",
        "load_done\t\t\tgauge\tbytes\t1024\tBytes",
        "load_rest\t\t\tgauge\tms\t2500\tTime",
    };
    struct show_rows rows = { .count = 0 };
    auto_free char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    CU_ASSERT_PTR_NOT_NULL_FATAL(out);
    for (size_t i = 0; i < ARRAY_LEN(load); i++)
        CU_ASSERT_EQUAL_FATAL(show_rows_add(&rows, load[i], NULL), 0);
    show_progress(out, &rows);
    CU_ASSERT_EQUAL_FATAL(fclose(out), 0);
    show_rows_free(&rows);
    CU_ASSERT_STRING_EQUAL(text, " 35 %  120 of 340 blocks, 1.0K of 2.0K, resting for 3 s\n");
}

#define MOUNT "mount=\"/mnt/a\\\"b\\\\c\\n\xef\xbf\xbd\""

static void prometheus_has_base_units_and_sums(void)
{
    static const char wanted[] =
        "# HELP sftfs_info What is mounted\n"
        "# TYPE sftfs_info gauge\n"
        "sftfs_info{" MOUNT ",package=\"My \\\\ \\\"pack\\\"\\n\",package_guid=\"ABC\"} 1\n"
        "# HELP sftfs_pid Process\n"
        "# TYPE sftfs_pid gauge\n"
        "sftfs_pid{" MOUNT "} 12\n"
        "# HELP sftfs_uptime_seconds Time\n"
        "# TYPE sftfs_uptime_seconds gauge\n"
        "sftfs_uptime_seconds{" MOUNT "} 7384.005\n"
        "# HELP sftfs_cached_ratio Part\n"
        "# TYPE sftfs_cached_ratio gauge\n"
        "sftfs_cached_ratio{" MOUNT "} 0.07\n"
        "# HELP sftfs_hits_total Blocks\n"
        "# TYPE sftfs_hits_total counter\n"
        "sftfs_hits_total{" MOUNT ",tier=\"memory\"} 3\n"
        "sftfs_hits_total{" MOUNT ",tier=\"disk\"} 4\n"
        "# HELP sftfs_received_bytes_total Bytes\n"
        "# TYPE sftfs_received_bytes_total counter\n"
        "sftfs_received_bytes_total{" MOUNT "} 2048\n"
        "# HELP sftfs_latency_seconds Time\n"
        "# TYPE sftfs_latency_seconds histogram\n"
        "sftfs_latency_seconds_bucket{" MOUNT ",le=\"0.001\"} 5\n"
        "sftfs_latency_seconds_bucket{" MOUNT ",le=\"0.002\"} 5\n"
        "sftfs_latency_seconds_bucket{" MOUNT ",le=\"+Inf\"} 12\n"
        "sftfs_latency_seconds_count{" MOUNT "} 12\n";
    auto_free char *text = show("prometheus");

    CU_ASSERT_STRING_EQUAL(text, wanted);
}

static void rows_have_an_end(void)
{
    struct show_rows rows = { .count = 0 };
    int rc = 0;

    for (unsigned i = 0; !rc && i < SHOW_ROWS_MAX; i++)
        rc = show_rows_add(&rows, lines[2], NULL);
    CU_ASSERT_EQUAL(rc, 0);
    CU_ASSERT(show_rows_add(&rows, lines[2], NULL) < 0);
    show_rows_free(&rows);
    CU_ASSERT(show_rows_add(&rows, "nothing", NULL) < 0);
    CU_ASSERT_EQUAL(rows.count, 0);
    show_rows_free(&rows);
}

UNIT_MAIN("ctl-show",
          TEST(text_has_a_row_a_line),
          TEST(json_names_the_units),
          TEST(json_of_one_line_has_one_line),
          TEST(progress_is_one_line),
          TEST(prometheus_has_base_units_and_sums),
          TEST(rows_have_an_end))
