/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Text for regedit. See reg_text.h. */
#include "config.h"

#include "tools/reg_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "src/utf16.h"

/* Lines of hexadecimal digits are broken as regedit breaks them: no longer than this with ",\". */
#define LINE_CHARS 80u

static const char *const names[REG_TYPE_COUNT] = {
    [REG_NONE] = "REG_NONE",
    [REG_SZ] = "REG_SZ",
    [REG_EXPAND_SZ] = "REG_EXPAND_SZ",
    [REG_BINARY] = "REG_BINARY",
    [REG_DWORD] = "REG_DWORD",
    [REG_DWORD_BIG_ENDIAN] = "REG_DWORD_BIG_ENDIAN",
    [REG_LINK] = "REG_LINK",
    [REG_MULTI_SZ] = "REG_MULTI_SZ",
    [REG_RESOURCE_LIST] = "REG_RESOURCE_LIST",
    [REG_FULL_RESOURCE_DESCRIPTOR] = "REG_FULL_RESOURCE_DESCRIPTOR",
    [REG_RESOURCE_REQUIREMENTS_LIST] = "REG_RESOURCE_REQUIREMENTS_LIST",
    [REG_QWORD] = "REG_QWORD",
};

const char *reg_type_name(uint32_t type)
{
    return type < REG_TYPE_COUNT ? names[type] : NULL;
}

bool reg_type_is_text(uint32_t type)
{
    return type == REG_SZ || type == REG_EXPAND_SZ || type == REG_LINK || type == REG_MULTI_SZ;
}

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

bool reg_text_can_name(const char *name, bool key)
{
    if (key && (!*name || strchr(name, '\\')))
        return false;
    while (*name && !is_control(*name))
        name++;
    return !*name;
}

static int put_utf16(const struct reg_text *r, const char *text, size_t len, struct err *e)
{
    auto_free uint8_t *wide = NULL;
    size_t n;
    int rc = utf16_from_utf8(text, len, &wide, &n);

    if (rc == -EILSEQ)
        return err_set(e, ERR_CORRUPT, "text that is not UTF-8");
    if (rc)
        return err_nomem(e);
    return r->write(r->arg, wide, n, e);
}

static int put_bytes(struct reg_text *r, const char *text, size_t len, struct err *e)
{
    r->bytes += len;
    if (r->bytes > REG_TEXT_BYTES_MAX)
        return err_set(e, ERR_LIMIT, "the text of the registry is longer than %u bytes",
                       REG_TEXT_BYTES_MAX);
    if (!r->utf8)
        return put_utf16(r, text, len, e);
    return r->write(r->arg, text, len, e);
}

static int put(struct reg_text *r, const char *text, struct err *e)
{
    return put_bytes(r, text, strlen(text), e);
}

/* In quotes; backslashes and quotes with a backslash in front. */
static int put_quoted(struct reg_text *r, const char *text, size_t *chars, struct err *e)
{
    int rc = put(r, "\"", e);

    *chars = 2;
    while (!rc && *text) {
        size_t n = strcspn(text, "\\\"");
        rc = put_bytes(r, text, n, e);
        text += n;
        *chars += n;
        if (!rc && *text) {
            rc = put_bytes(r, *text == '"' ? "\\\"" : "\\\\", 2, e);
            text++;
            *chars += 2;
        }
    }
    return rc ? rc : put(r, "\"", e);
}

int reg_text_begin(struct reg_text *r, struct err *e)
{
    int rc = r->utf8 ? 0 : put(r, "\xef\xbb\xbf", e);

    return rc ? rc : put(r, "Windows Registry Editor Version 5.00\r\n", e);
}

int reg_text_key(struct reg_text *r, const char *path, struct err *e)
{
    int rc = put(r, "\r\n[", e);

    if (!rc)
        rc = put(r, path, e);
    return rc ? rc : put(r, "]\r\n", e);
}

/* The text of a REG_SZ that can be written in quotes: no NUL but at the end, no control character.
 * *out is NULL if it cannot. */
static int plain_string(const uint8_t *data, size_t len, char **out, struct err *e)
{
    auto_free char *text = NULL;
    size_t n;
    int rc = utf16_to_utf8(data, len, &text, &n);

    *out = NULL;
    if (rc == -ENOMEM)
        return err_nomem(e);
    if (rc || !n || text[n - 1] || strlen(text) != n - 1 || !reg_text_can_name(text, false))
        return 0;
    *out = steal_ptr(&text);
    return 0;
}

/* Of a value whose line has COLUMN characters already. */
static int put_hex(struct reg_text *r, uint32_t type, const uint8_t *data, size_t len,
                   size_t column, struct err *e)
{
    static const char end[] = "\\\r\n  ";
    char line[LINE_CHARS + sizeof "ffffffff" + sizeof end];
    int n = type == REG_BINARY ? snprintf(line, sizeof line, "hex:")
                               : snprintf(line, sizeof line, "hex(%" PRIx32 "):", type);
    size_t at = (size_t)n;
    int rc = 0;

    column += at;
    for (size_t i = 0; !rc && i < len; i++) {
        bool last = i + 1 == len;
        at += (size_t)snprintf(line + at, sizeof line - at, "%02x%s", data[i], last ? "" : ",");
        column += 3;
        if (!last && column + 4 > LINE_CHARS) { /* the next byte, its comma, the backslash */
            memcpy(line + at, end, sizeof end - 1);
            rc = put_bytes(r, line, at + sizeof end - 1, e);
            at = 0;
            column = 2;
        }
    }
    return rc ? rc : put_bytes(r, line, at, e);
}

int reg_text_value(struct reg_text *r, const char *name, uint32_t type, const uint8_t *data,
                   size_t len, struct err *e)
{
    auto_free char *text = NULL;
    size_t column = 1, chars;
    int rc = *name ? put_quoted(r, name, &column, e) : put(r, "@", e);

    if (!rc)
        rc = put(r, "=", e);
    if (!rc && type == REG_SZ)
        rc = plain_string(data, len, &text, e);
    if (rc)
        return rc;
    if (text) {
        rc = put_quoted(r, text, &chars, e);
    } else if (type == REG_DWORD && len == 4) {
        char number[20];
        (void)snprintf(number, sizeof number, "dword:%02x%02x%02x%02x", data[3], data[2], data[1],
                       data[0]);
        rc = put(r, number, e);
    } else {
        rc = put_hex(r, type, data, len, column + 1, e);
    }
    return rc ? rc : put(r, "\r\n", e);
}
