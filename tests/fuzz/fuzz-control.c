/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fuzz target: what comes over a control socket. The input is a request, and a line of a reply: a
 * row and a log line. What is accepted can be written and read again with the same result.
 */
#include "config.h"

#include <string.h>

#include "fs/control_wire.h"
#include "tests/fuzz/fuzz.h"

static void check_request(const char *line, size_t len)
{
    char again[CONTROL_REQUEST_MAX];
    struct control_request r, s;
    struct err e = { 0 };

    if (control_parse_request(line, len, &r, &e)) {
        FUZZ_CHECK(e.kind == ERR_INVALID && e.text[strcspn(e.text, "\n")] == '\0');
        return;
    }
    size_t n = control_format_request(&r, again);
    FUZZ_CHECK(n && again[n - 1] == '\n' && !control_parse_request(again, n - 1, &s, NULL));
    FUZZ_CHECK(r.verb == s.verb && r.lines == s.lines && r.follow == s.follow &&
               r.set_level == s.set_level && r.level == s.level && r.prefetch == s.prefetch);
}

static void check_row(const char *text)
{
    auto_free char *line = strdup(text), *again = NULL;
    struct control_row r, s;
    size_t len;

    FUZZ_CHECK(line);
    if (control_parse_row(line, &r, NULL))
        return;
    FILE *out = open_memstream(&again, &len);
    FUZZ_CHECK(out);
    control_write_row(out, &r);
    FUZZ_CHECK(!fclose(out) && len && again[len - 1] == '\n' && strlen(again) == len);
    again[len - 1] = '\0';
    FUZZ_CHECK(!control_parse_row(again, &s, NULL));
    FUZZ_CHECK(!strcmp(r.name, s.name) && !strcmp(r.label, s.label) && !strcmp(r.text, s.text) &&
               !strcmp(r.help, s.help) && r.value == s.value && r.bucket_count == s.bucket_count &&
               !memcmp(r.bucket, s.bucket, sizeof r.bucket));
}

static void check_log(const char *text)
{
    auto_free char *line = strdup(text);
    enum log_level level;
    const char *rest;
    uint64_t number;
    int64_t time_ms;

    FUZZ_CHECK(line);
    if (!control_parse_log(line, &number, &time_ms, &level, &rest, NULL))
        FUZZ_CHECK(rest >= line && rest <= line + strlen(text) && time_ms >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_free char *text = malloc(size + 1);

    FUZZ_CHECK(text);
    if (size)
        memcpy(text, data, size);
    text[size] = '\0';
    check_request(text, size);
    check_row(text);
    check_log(text);
    return 0;
}
