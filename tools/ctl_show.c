/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rows of a mount for people and for programs. See ctl_show.h. */
#include "config.h"

#include "tools/ctl_show.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "tools/json.h"
#include "tools/text.h"

int show_rows_add(struct show_rows *r, const char *line, struct err *e)
{
    if (r->count == SHOW_ROWS_MAX)
        return err_set(e, ERR_LIMIT, "the reply is too long");
    struct control_row *rows = realloc(r->rows, (r->count + 1) * sizeof *rows);
    if (!rows)
        return err_nomem(e);
    r->rows = rows;
    char **lines = realloc(r->lines, (r->count + 1) * sizeof *lines);
    if (!lines)
        return err_nomem(e);
    r->lines = lines;
    char *copy = strdup(line);
    if (!copy)
        return err_nomem(e);
    int rc = control_parse_row(copy, &rows[r->count], e);
    if (rc) {
        free(copy);
        return rc;
    }
    lines[r->count++] = copy;
    return 0;
}

void show_rows_free(struct show_rows *r)
{
    for (size_t i = 0; i < r->count; i++)
        free(r->lines[i]);
    free(r->lines);
    free(r->rows);
    *r = (struct show_rows){ .count = 0 };
}

/* ---- for people ---- */

enum { TITLE_SIZE = 160, TITLE_WIDTH = 24 };

/* "package_guid" as "Package GUID", with the label behind in parentheses. */
static void make_title(const struct control_row *row, char out[TITLE_SIZE])
{
    static const char *const capitals[] = { "guid", "pid", "fuse" };
    char name[64], *save = NULL;
    size_t n = 0;

    (void)snprintf(name, sizeof name, "%s", row->name);
    out[0] = '\0';
    for (char *word = strtok_r(name, "_", &save); word; word = strtok_r(NULL, "_", &save)) {
        bool capital = false;
        for (size_t i = 0; i < ARRAY_LEN(capitals); i++)
            capital |= !strcmp(word, capitals[i]);
        for (char *p = word; capital && *p; p++)
            *p = (char)toupper((unsigned char)*p);
        n += (size_t)snprintf(out + n, TITLE_SIZE - n, "%s%s", n ? " " : "", word);
    }
    out[0] = (char)toupper((unsigned char)out[0]);
    if (*row->label)
        (void)snprintf(out + n, TITLE_SIZE - n, " (%.64s)", row->label);
}

/* "0.250 s", "3 h 12 min" */
static void print_duration(FILE *out, uint64_t ms)
{
    uint64_t s = ms / 1000;

    if (s < 60)
        (void)fprintf(out, "%" PRIu64 ".%03u s", s, (unsigned)(ms % 1000));
    else if (s < 3600)
        (void)fprintf(out, "%" PRIu64 " min %u s", s / 60, (unsigned)(s % 60));
    else if (s < 86400)
        (void)fprintf(out, "%" PRIu64 " h %u min", s / 3600, (unsigned)(s / 60 % 60));
    else
        (void)fprintf(out, "%" PRIu64 " d %u h", s / 86400, (unsigned)(s / 3600 % 24));
}

static void print_histogram(FILE *out, const struct control_row *row)
{
    const char *unit = row->unit == CONTROL_MS ? " ms" : "", *between = "";

    for (size_t i = 0; i < row->bucket_count; i++) {
        if (!row->bucket[i])
            continue;
        if (row->bound[i] != UINT64_MAX)
            (void)fprintf(out, "%s%" PRIu64 " below %" PRIu64 "%s", between, row->bucket[i],
                          row->bound[i], unit);
        else
            (void)fprintf(out, "%s%" PRIu64 " longer", between, row->bucket[i]);
        between = ", ";
    }
    if (!*between)
        (void)fputs("none", out);
}

static void print_value(FILE *out, const struct control_row *row)
{
    char size[TEXT_SIZE_SIZE];

    if (row->kind == CONTROL_TEXT) {
        text_put(out, row->text);
    } else if (row->kind == CONTROL_HISTOGRAM) {
        print_histogram(out, row);
    } else if (row->unit == CONTROL_BYTES) {
        text_size(row->value, size);
        (void)fprintf(out, "%" PRIu64 " (%s)", row->value, size);
    } else if (row->unit == CONTROL_MS) {
        print_duration(out, row->value);
    } else {
        (void)fprintf(out, "%" PRIu64 "%s", row->value, row->unit == CONTROL_PERCENT ? " %" : "");
    }
}

void show_text(FILE *out, const struct show_rows *rows)
{
    char title[TITLE_SIZE];

    for (size_t i = 0; i < rows->count; i++) {
        make_title(&rows->rows[i], title);
        int width = TITLE_WIDTH - (int)strlen(title) - 1;
        text_put(out, title);
        (void)fprintf(out, ":%*s", width > 1 ? width : 1, "");
        print_value(out, &rows->rows[i]);
        (void)fputc('\n', out);
    }
}

/* A row that is not there has the value 0 and no text. */
static struct control_row find_row(const struct show_rows *rows, const char *name)
{
    for (size_t i = 0; i < rows->count; i++)
        if (!strcmp(rows->rows[i].name, name))
            return rows->rows[i];
    return (struct control_row){ .text = "" };
}

void show_progress(FILE *out, const struct show_rows *rows)
{
    char done[TEXT_SIZE_SIZE], size[TEXT_SIZE_SIZE];
    uint64_t failures = find_row(rows, "load_failures").value;
    uint64_t rest = find_row(rows, "load_rest").value;

    text_size(find_row(rows, "load_done").value, done);
    text_size(find_row(rows, "load_size").value, size);
    (void)fprintf(out, "%3" PRIu64 " %%  %" PRIu64 " of %" PRIu64 " blocks, %s of %s, ",
                  find_row(rows, "load").value, find_row(rows, "load_done_blocks").value,
                  find_row(rows, "load_blocks").value, done, size);
    text_put(out, find_row(rows, "load_state").text);
    if (rest)
        (void)fprintf(out, " for %" PRIu64 " s", rest / 1000 + 1);
    if (failures)
        (void)fprintf(out, ", %" PRIu64 " failures", failures);
    (void)fputc('\n', out);
}

/* ---- JSON ---- */

static const char *json_suffix(const struct control_row *row)
{
    return row->unit == CONTROL_BYTES     ? "_bytes"
           : row->unit == CONTROL_MS      ? "_ms"
           : row->unit == CONTROL_PERCENT ? "_percent"
                                          : "";
}

static void json_value(struct json *j, const char *key, const struct control_row *row)
{
    if (row->kind == CONTROL_TEXT) {
        json_string(j, key, row->text);
    } else if (row->kind == CONTROL_HISTOGRAM) {
        json_array(j, key);
        for (size_t i = 0; i < row->bucket_count; i++) {
            json_object(j, NULL);
            if (row->bound[i] != UINT64_MAX)
                json_uint(j, "below", row->bound[i]);
            else
                json_string(j, "below", NULL);
            json_uint(j, "count", row->bucket[i]);
            json_close_object(j);
        }
        json_close_array(j);
    } else {
        json_uint(j, key, row->value);
    }
}

void show_json(FILE *out, const struct show_rows *rows, bool one_line)
{
    struct json j = one_line ? json_begin_line(out) : json_begin(out);
    char key[CONTROL_REQUEST_MAX];

    json_object(&j, NULL);
    for (size_t i = 0; i < rows->count;) {
        const struct control_row *row = &rows->rows[i];

        (void)snprintf(key, sizeof key, "%s%s", row->name, json_suffix(row));
        if (!*row->label_name) {
            json_value(&j, key, row);
            i++;
            continue;
        }
        json_object(&j, key);
        for (; i < rows->count && !strcmp(rows->rows[i].name, row->name); i++)
            json_value(&j, rows->rows[i].label, &rows->rows[i]);
        json_close_object(&j);
    }
    json_close_object(&j);
    json_end(&j); /* report_finish() looks */
}

/* ---- Prometheus ---- */

/* Backslash, quote and newline are escaped; what is no UTF-8 is replaced. */
static void put_label(FILE *out, const char *name, const char *value)
{
    (void)fprintf(out, "%s=\"", name);
    for (const unsigned char *s = (const unsigned char *)value; *s;) {
        size_t n = text_utf8_len(s);

        if (*s == '\\' || *s == '"')
            (void)fprintf(out, "\\%c", *s);
        else if (*s == '\n')
            (void)fputs("\\n", out);
        else if (n && *s >= 0x20)
            (void)fwrite(s, 1, n, out);
        else
            (void)fputs("\xef\xbf\xbd", out);
        s += n ? n : 1;
    }
    (void)fputc('"', out);
}

/* Base units: seconds, bytes, and parts of one. */
static void metric_name(const struct control_row *row, char out[128])
{
    (void)snprintf(out, 128, "sftfs_%.80s%s%s", row->name,
                   row->unit == CONTROL_BYTES     ? "_bytes"
                   : row->unit == CONTROL_MS      ? "_seconds"
                   : row->unit == CONTROL_PERCENT ? "_ratio"
                                                  : "",
                   row->kind == CONTROL_COUNTER ? "_total" : "");
}

static void put_number(FILE *out, enum control_unit unit, uint64_t value)
{
    if (unit == CONTROL_MS)
        (void)fprintf(out, "%" PRIu64 ".%03u", value / 1000, (unsigned)(value % 1000));
    else if (unit == CONTROL_PERCENT)
        (void)fprintf(out, "%" PRIu64 ".%02u", value / 100, (unsigned)(value % 100));
    else
        (void)fprintf(out, "%" PRIu64, value);
}

static void put_head(FILE *out, const char *name, const char *type, const char *help)
{
    (void)fprintf(out, "# HELP %s ", name);
    for (; *help; help++)
        (void)fputc((unsigned char)*help < 0x20 || *help == '\\' ? ' ' : *help, out);
    (void)fprintf(out, "\n# TYPE %s %s\n", name, type);
}

static void put_labels(FILE *out, const struct control_row *row, const char *mountpoint)
{
    (void)fputc('{', out);
    put_label(out, "mount", mountpoint);
    if (*row->label_name) {
        (void)fputc(',', out);
        put_label(out, row->label_name, row->label);
    }
}

static void put_histogram(FILE *out, const struct control_row *row, const char *name,
                          const char *mountpoint)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < row->bucket_count; i++) {
        sum += row->bucket[i];
        (void)fprintf(out, "%s_bucket", name);
        put_labels(out, row, mountpoint);
        (void)fputs(",le=\"", out);
        if (row->bound[i] == UINT64_MAX)
            (void)fputs("+Inf", out);
        else
            put_number(out, row->unit, row->bound[i]);
        (void)fprintf(out, "\"} %" PRIu64 "\n", sum);
    }
    (void)fprintf(out, "%s_count", name);
    put_labels(out, row, mountpoint);
    (void)fprintf(out, "} %" PRIu64 "\n", sum);
}

static void put_info(FILE *out, const struct show_rows *rows, const char *mountpoint)
{
    put_head(out, "sftfs_info", "gauge", "What is mounted");
    (void)fputs("sftfs_info{", out);
    put_label(out, "mount", mountpoint);
    for (size_t i = 0; i < rows->count; i++)
        if (rows->rows[i].kind == CONTROL_TEXT && !*rows->rows[i].label_name) {
            (void)fputc(',', out);
            put_label(out, rows->rows[i].name, rows->rows[i].text);
        }
    (void)fputs("} 1\n", out);
}

void show_prometheus(FILE *out, const struct show_rows *rows, const char *mountpoint)
{
    static const char *const types[] = {
        [CONTROL_GAUGE] = "gauge",
        [CONTROL_COUNTER] = "counter",
        [CONTROL_HISTOGRAM] = "histogram",
    };
    const char *last = "";
    char name[128];

    put_info(out, rows, mountpoint);
    for (size_t i = 0; i < rows->count; i++) {
        const struct control_row *row = &rows->rows[i];

        if (row->kind == CONTROL_TEXT)
            continue;
        metric_name(row, name);
        if (strcmp(last, row->name) != 0)
            put_head(out, name, types[row->kind], row->help);
        last = row->name;
        if (row->kind == CONTROL_HISTOGRAM) {
            put_histogram(out, row, name, mountpoint);
            continue;
        }
        (void)fputs(name, out);
        put_labels(out, row, mountpoint);
        (void)fputs("} ", out);
        put_number(out, row->unit, row->value);
        (void)fputc('\n', out);
    }
}
