/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Requests and replies of a control socket as text. See control_wire.h. */
#include "config.h"

#include "fs/control_wire.h"

#include <inttypes.h>
#include <string.h>

#include "src/log_ring.h"

/* ---- requests ---- */

static const char *const verbs[] = {
    [CONTROL_PING] = "ping",         [CONTROL_STATUS] = "status",
    [CONTROL_STATS] = "stats",       [CONTROL_LOG] = "log",
    [CONTROL_LOGLEVEL] = "loglevel", [CONTROL_PREFETCH] = "prefetch",
    [CONTROL_OFFLINE] = "offline",   [CONTROL_ONLINE] = "online",
    [CONTROL_PROGRESS] = "progress",
};

static const char *const prefetches[] = {
    [CONTROL_PREFETCH_LAUNCH] = "launch",
    [CONTROL_PREFETCH_ALL] = "all",
    [CONTROL_PREFETCH_STOP] = "stop",
};

static bool find_word(const char *const *words, size_t count, const char *word, unsigned *index)
{
    for (*index = 0; *index < count; ++*index)
        if (!strcmp(words[*index], word))
            return true;
    return false;
}

/* A decimal number without sign; whole text. */
static bool parse_number(const char *text, uint64_t *out)
{
    uint64_t n = 0;

    if (!*text)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9' || mul_overflows(n, 10, &n) ||
            add_overflows(n, (uint64_t)(*text - '0'), &n))
            return false;
    }
    *out = n;
    return true;
}

static int take_argument(struct control_request *r, const char *word, struct err *e)
{
    unsigned index;

    switch (r->verb) {
    case CONTROL_LOG:
    case CONTROL_PROGRESS:
        if (!strcmp(word, "follow")) {
            r->follow = true;
            return 0;
        }
        if (r->verb == CONTROL_LOG && !strncmp(word, "lines=", 6) &&
            parse_number(word + 6, &r->lines))
            return 0;
        break;
    case CONTROL_LOGLEVEL:
        if (log_level_parse(word, &r->level)) {
            r->set_level = true;
            return 0;
        }
        return err_set(e, ERR_INVALID, "levels are error, warning, info and debug");
    case CONTROL_PREFETCH:
        if (find_word(prefetches, ARRAY_LEN(prefetches), word, &index)) {
            r->prefetch = (enum control_prefetch)index;
            return 0;
        }
        return err_set(e, ERR_INVALID, "prefetch takes launch, all or stop");
    default:
        break;
    }
    return err_set(e, ERR_INVALID, "%s does not take '%s'", verbs[r->verb], word);
}

int control_parse_request(const char *line, size_t len, struct control_request *out, struct err *e)
{
    struct control_request r = { .lines = UINT64_MAX };
    char text[CONTROL_REQUEST_MAX], *save = NULL;
    unsigned index;

    if (len >= sizeof text)
        return err_set(e, ERR_INVALID, "request too long");
    for (size_t i = 0; i < len; i++)
        if (line[i] < ' ' || line[i] > '~')
            return err_set(e, ERR_INVALID, "request is not plain text");
    memcpy(text, line, len);
    text[len] = '\0';
    const char *word = strtok_r(text, " ", &save);
    if (!word)
        return err_set(e, ERR_INVALID, "empty request");
    if (!find_word(verbs, ARRAY_LEN(verbs), word, &index))
        return err_set(e, ERR_INVALID, "unknown command '%.40s'", word);
    r.verb = (enum control_verb)index;
    while ((word = strtok_r(NULL, " ", &save))) {
        int rc = take_argument(&r, word, e);
        if (rc)
            return rc;
    }
    *out = r;
    return 0;
}

size_t control_format_request(const struct control_request *r, char out[CONTROL_REQUEST_MAX])
{
    char lines[32] = "";

    if (r->verb == CONTROL_LOG && r->lines != UINT64_MAX)
        (void)snprintf(lines, sizeof lines, " lines=%" PRIu64, r->lines);
    int n = snprintf(out, CONTROL_REQUEST_MAX, "%s%s%s%s%s%s%s\n", verbs[r->verb], lines,
                     r->follow ? " follow" : "", r->set_level ? " " : "",
                     r->set_level ? log_level_name(r->level) : "",
                     r->verb == CONTROL_PREFETCH ? " " : "",
                     r->verb == CONTROL_PREFETCH ? prefetches[r->prefetch] : "");
    return (size_t)n;
}

/* ---- fields ---- */

/* Tabs separate fields and newlines end lines, so neither stands inside one. */
static void write_escaped(FILE *out, const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++)
        if (*p == '\\')
            (void)fputs("\\\\", out);
        else if (*p < 0x20 || *p == 0x7f)
            (void)fprintf(out, "\\x%02x", *p);
        else
            (void)fputc(*p, out);
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Undoes it in place; false for an escape that write_escaped() does not make. */
static bool unescape(char *s)
{
    char *out = s;

    for (; *s; out++) {
        if (*s != '\\') {
            *out = *s++;
        } else if (s[1] == '\\') {
            *out = '\\';
            s += 2;
        } else {
            int high = s[1] == 'x' ? hex_digit(s[2]) : -1, low = high < 0 ? -1 : hex_digit(s[3]);
            if (low < 0 || !(high | low))
                return false;
            *out = (char)(high * 16 + low);
            s += 4;
        }
    }
    *out = '\0';
    return true;
}

/* Cuts LINE at its tabs. False unless there are COUNT fields. */
static bool split(char *line, char **fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        fields[i] = line;
        char *tab = strchr(line, '\t');
        if (!tab)
            return i + 1 == count;
        *tab = '\0';
        line = tab + 1;
    }
    return false;
}

/* ---- rows ---- */

static const char *const kinds[] = {
    [CONTROL_TEXT] = "text",
    [CONTROL_GAUGE] = "gauge",
    [CONTROL_COUNTER] = "counter",
    [CONTROL_HISTOGRAM] = "histogram",
};

static const char *const units[] = {
    [CONTROL_NUMBER] = "number",
    [CONTROL_BYTES] = "bytes",
    [CONTROL_MS] = "ms",
    [CONTROL_PERCENT] = "percent",
};

void control_write_row(FILE *out, const struct control_row *row)
{
    (void)fprintf(out, "%s\t%s\t", row->name, row->label_name);
    write_escaped(out, row->label);
    (void)fprintf(out, "\t%s\t%s\t", kinds[row->kind], units[row->unit]);
    if (row->kind == CONTROL_TEXT) {
        write_escaped(out, row->text);
    } else if (row->kind == CONTROL_HISTOGRAM) {
        for (size_t i = 0; i + 1 < row->bucket_count; i++)
            (void)fprintf(out, "%" PRIu64 ":%" PRIu64 ",", row->bound[i], row->bucket[i]);
        (void)fprintf(out, "inf:%" PRIu64, row->bucket[row->bucket_count - 1]);
    } else {
        (void)fprintf(out, "%" PRIu64, row->value);
    }
    (void)fputc('\t', out);
    write_escaped(out, row->help);
    (void)fputc('\n', out);
}

static bool is_identifier(const char *text)
{
    return text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0' &&
           !(text[0] >= '0' && text[0] <= '9');
}

/* "BOUND:COUNT,...,inf:COUNT" with growing bounds. */
static bool parse_histogram(char *text, struct control_row *row)
{
    char *save = NULL;
    size_t n = 0;
    bool ended = false;

    for (char *part = strtok_r(text, ",", &save); part; part = strtok_r(NULL, ",", &save)) {
        char *colon = strchr(part, ':');
        if (!colon || n == CONTROL_BUCKETS_MAX || ended)
            return false;
        *colon = '\0';
        ended = !strcmp(part, "inf");
        row->bound[n] = UINT64_MAX;
        if ((!ended && !parse_number(part, &row->bound[n])) ||
            (n && row->bound[n] <= row->bound[n - 1]) || !parse_number(colon + 1, &row->bucket[n]))
            return false;
        n++;
    }
    row->bucket_count = n;
    return ended;
}

int control_parse_row(char *line, struct control_row *out, struct err *e)
{
    enum { NAME, LABEL_NAME, LABEL, KIND, UNIT, VALUE, HELP, FIELDS };
    char *f[FIELDS];
    unsigned kind, unit;

    if (!split(line, f, FIELDS) || !*f[NAME] || !is_identifier(f[NAME]) ||
        !is_identifier(f[LABEL_NAME]) || !unescape(f[LABEL]) || !unescape(f[HELP]) ||
        !find_word(kinds, ARRAY_LEN(kinds), f[KIND], &kind) ||
        !find_word(units, ARRAY_LEN(units), f[UNIT], &unit))
        return err_set(e, ERR_INVALID, "a line of the reply is not understood");
    *out = (struct control_row){ .name = f[NAME],
                                 .label_name = f[LABEL_NAME],
                                 .label = f[LABEL],
                                 .kind = (enum control_kind)kind,
                                 .unit = (enum control_unit)unit,
                                 .help = f[HELP],
                                 .text = "" };
    bool good;
    if (out->kind == CONTROL_TEXT) {
        good = unescape(f[VALUE]);
        out->text = f[VALUE];
    } else if (out->kind == CONTROL_HISTOGRAM) {
        good = parse_histogram(f[VALUE], out);
    } else {
        good = parse_number(f[VALUE], &out->value);
    }
    return good ? 0
                : err_set(e, ERR_INVALID, "value of %s in the reply is not understood", f[NAME]);
}

/* ---- log lines ---- */

size_t control_format_log(const struct log_entry *entry, char out[CONTROL_LOG_LINE_MAX])
{
    /* The text is one line without tabs already: src/log.c sees to that. */
    int n = snprintf(out, CONTROL_LOG_LINE_MAX, "%" PRIu64 "\t%" PRId64 "\t%s\t%s\n", entry->number,
                     entry->time_ms, log_level_name(entry->level), entry->text);
    return (size_t)n;
}

int control_parse_log(char *line, uint64_t *number, int64_t *time_ms, enum log_level *level,
                      const char **text, struct err *e)
{
    enum { NUMBER, TIME, LEVEL, TEXT, FIELDS };
    char *f[FIELDS];
    uint64_t ms;

    if (!split(line, f, FIELDS) || !parse_number(f[NUMBER], number) ||
        !parse_number(f[TIME], &ms) || ms > INT64_MAX || !log_level_parse(f[LEVEL], level))
        return err_set(e, ERR_INVALID, "a line of the reply is not understood");
    *time_ms = (int64_t)ms;
    *text = f[TEXT];
    return 0;
}
