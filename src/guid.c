/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * GUIDs as text and bytes. See guid.h. Only ASCII hexadecimal digits count, whatever the locale.
 */
#include "config.h"

#include "src/guid.h"

#include <string.h>

#define GUID_TEXT_LEN (GUID_TEXT_SIZE - 1)

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

/* Parses exactly the 36 characters at TEXT. */
static int parse_bare(const char *text, struct guid *out)
{
    size_t n = 0;

    for (size_t i = 0; i < GUID_TEXT_LEN;) {
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (text[i++] != '-')
                return -EINVAL;
            continue;
        }
        int high = hex_digit(text[i]), low = hex_digit(text[i + 1]);
        if (high < 0 || low < 0)
            return -EINVAL;
        out->b[n++] = (uint8_t)(high << 4 | low);
        i += 2;
    }
    return 0;
}

int guid_parse(const char *text, struct guid *out)
{
    while (is_space(*text))
        text++;
    size_t len = strlen(text);
    while (len && is_space(text[len - 1]))
        len--;
    if (len == GUID_TEXT_LEN + 2 && text[0] == '{' && text[len - 1] == '}') {
        text++;
        len -= 2;
    }
    if (len != GUID_TEXT_LEN)
        return -EINVAL;

    struct guid g;
    if (parse_bare(text, &g))
        return -EINVAL;
    *out = g;
    return 0;
}

void guid_format(const struct guid *g, char out[GUID_TEXT_SIZE])
{
    static const char digits[] = "0123456789ABCDEF";
    char *p = out;

    for (size_t i = 0; i < sizeof g->b; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *p++ = '-';
        *p++ = digits[g->b[i] >> 4];
        *p++ = digits[g->b[i] & 15];
    }
    *p = '\0';
}

bool guid_equal(const struct guid *a, const struct guid *b)
{
    return !memcmp(a->b, b->b, sizeof a->b);
}

bool guid_is_zero(const struct guid *g)
{
    static const struct guid zero;
    return guid_equal(g, &zero);
}

void guid_from_digest(const uint8_t digest[16], struct guid *out)
{
    memcpy(out->b, digest, sizeof out->b);
    out->b[6] = (out->b[6] & 0x0f) | 0x80; /* version 8 */
    out->b[8] = (out->b[8] & 0x3f) | 0x80; /* variant of RFC 9562 */
}
