/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Streaming JSON writer. See json.h. Errors of the stream are sticky, so single writes are not
 * checked; json_end() looks at the sum.
 */
#include "config.h"

#include "tools/json.h"

#include <inttypes.h>
#include <string.h>

#include "tools/text.h"

struct json json_begin(FILE *out)
{
    return (struct json){ .out = out };
}

struct json json_begin_line(FILE *out)
{
    return (struct json){ .out = out, .one_line = true };
}

int json_end(struct json *j)
{
    (void)fputc('\n', j->out);
    return fflush(j->out) || ferror(j->out) ? -EIO : 0;
}

static void quoted(FILE *out, const char *text)
{
    const unsigned char *s = (const unsigned char *)text;

    (void)fputc('"', out);
    while (*s) {
        size_t n = text_utf8_len(s);

        if (*s == '"' || *s == '\\')
            (void)fprintf(out, "\\%c", *s);
        else if (*s == '\n')
            (void)fputs("\\n", out);
        else if (*s == '\t')
            (void)fputs("\\t", out);
        else if (*s < 0x20 || *s == 0x7f)
            (void)fprintf(out, "\\u%04x", *s);
        else if (n)
            (void)fwrite(s, 1, n, out);
        else
            (void)fputs("\xef\xbf\xbd", out);
        s += n ? n : 1;
    }
    (void)fputc('"', out);
}

/* Deep levels are not moved further right, or a deep tree would be mostly spaces. */
static void indent(struct json *j)
{
    if (!j->one_line)
        (void)fprintf(j->out, "\n%*s", (int)(2 * (j->depth < 20 ? j->depth : 20)), "");
}

static void lead(struct json *j, const char *key)
{
    if (j->depth) {
        if (j->has_member)
            (void)fputs(j->one_line ? ", " : ",", j->out);
        j->has_member = true;
        indent(j);
    }
    if (key) {
        quoted(j->out, key);
        (void)fputs(": ", j->out);
    }
}

static void begin(struct json *j, const char *key, char bracket)
{
    lead(j, key);
    (void)fputc(bracket, j->out);
    j->has_member = false;
    j->depth++;
}

static void close_with(struct json *j, char bracket)
{
    j->depth--;
    if (j->has_member)
        indent(j);
    (void)fputc(bracket, j->out);
    j->has_member = true; /* of the level outside: this one */
}

void json_object(struct json *j, const char *key)
{
    begin(j, key, '{');
}

void json_array(struct json *j, const char *key)
{
    begin(j, key, '[');
}

void json_close_object(struct json *j)
{
    close_with(j, '}');
}

void json_close_array(struct json *j)
{
    close_with(j, ']');
}

void json_string(struct json *j, const char *key, const char *text)
{
    lead(j, key);
    if (text)
        quoted(j->out, text);
    else
        (void)fputs("null", j->out);
}

void json_uint(struct json *j, const char *key, uint64_t value)
{
    lead(j, key);
    (void)fprintf(j->out, "%" PRIu64, value);
}

void json_int(struct json *j, const char *key, int64_t value)
{
    lead(j, key);
    (void)fprintf(j->out, "%" PRId64, value);
}

void json_bool(struct json *j, const char *key, bool value)
{
    lead(j, key);
    (void)fputs(value ? "true" : "false", j->out);
}

void json_filetime(struct json *j, const char *key, int64_t ticks)
{
    char text[TEXT_TIME_SIZE];

    json_string(j, key, ticks && text_time(ticks, text) ? text : NULL);
}

void json_guid(struct json *j, const char *key, const struct guid *guid)
{
    char text[GUID_TEXT_SIZE];

    guid_format(guid, text);
    json_string(j, key, text);
}

void json_hex(struct json *j, const char *key, const uint8_t *bytes, size_t len)
{
    lead(j, key);
    (void)fputc('"', j->out);
    for (size_t i = 0; i < len; i++)
        (void)fprintf(j->out, "%02x", bytes[i]);
    (void)fputc('"', j->out);
}
