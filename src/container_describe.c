/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a file that is no package known here looks like: its kind if it is a common one, and the
 * bytes, tags and strings that let a person recognise it. Trusts nothing, allocates nothing.
 */
#include "config.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "src/container_format.h"
#include "src/sftlayout.h"

#define HEX_BYTES   64u /* of the beginning, shown in hex */
#define TAG_BYTES   48u /* shown in hex behind a known tag */
#define TAGS_MAX    16u
#define STRING_SCAN 16384u
#define STRING_MIN  6u
#define STRING_MAX  80u
#define STRINGS_MAX 24u

static const struct {
    const char *magic;
    size_t len;
    const char *text;
} kinds[] = {
    { "PK\003\004", 4, "a ZIP archive (App-V 5, MSIX or another ZIP-based file)" },
    { "PK\005\006", 4, "an empty ZIP archive" },
    { "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 8, "an OLE compound file (an MSI is one)" },
    { "MSCF", 4, "a Microsoft cabinet" },
    { "\x1f\x8b", 2, "a gzip file" },
    { "\x28\xb5\x2f\xfd", 4, "a zstd file" },
    { "BZh", 3, "a bzip2 file" },
    { "\3757zXZ", 5, "an xz file" },
    { "7z\xbc\xaf", 4, "a 7z archive" },
    { "MZ", 2, "a DOS or Windows program" },
    { "\177ELF", 4, "a program for Linux" },
    { "hsqs", 4, "a squashfs image" },
    { "%PDF", 4, "a PDF document" },
    { "\xff\xfe<", 3, "an XML document in UTF-16 (an OSD or a manifest?)" },
    { "\xfe\xff\0<", 4, "an XML document in UTF-16 (an OSD or a manifest?)" },
};

static bool begins_with_word(const uint8_t *p, size_t len, const char *word)
{
    for (; *word; word++, p++, len--)
        if (!len || tolower(*p) != *word)
            return false;
    return true;
}

const char *container_identify(const uint8_t *head, size_t len)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (len >= kinds[i].len && !memcmp(head, kinds[i].magic, kinds[i].len))
            return kinds[i].text;
    if (len >= 3 && !memcmp(head, "\xef\xbb\xbf", 3)) {
        head += 3;
        len -= 3;
    }
    while (len && (*head == ' ' || *head == '\t' || *head == '\r' || *head == '\n')) {
        head++;
        len--;
    }
    if (begins_with_word(head, len, "<!doctype html") || begins_with_word(head, len, "<html"))
        return "an HTML page (the error page of a web server?)";
    if (begins_with_word(head, len, "<?xml") || begins_with_word(head, len, "<softpkg"))
        return "an XML document (an OSD or a manifest?)";
    return NULL;
}

void container_line(void (*line)(void *arg, const char *text), void *arg, const char *fmt, ...)
{
    char text[256];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap); /* cut if too long */
    va_end(ap);
    line(arg, text);
}

static bool printable(uint8_t c)
{
    return c >= 0x20 && c < 0x7f;
}

static void hex_lines(const uint8_t *data, size_t offset, size_t len,
                      void (*line)(void *arg, const char *text), void *arg)
{
    for (size_t at = 0; at < len; at += 16) {
        char hex[16 * 3 + 1] = "", text[17] = "";
        for (size_t i = 0; i < 16 && at + i < len; i++) {
            uint8_t c = data[offset + at + i];
            (void)snprintf(hex + 3 * i, 4, "%02x ", c);
            text[i] = printable(c) ? (char)c : '.';
        }
        container_line(line, arg, "  %08zx  %-48s %s", offset + at, hex, text);
    }
}

/* Known section tags anywhere in the head, with the bytes behind them. */
static void tag_lines(const uint8_t *head, size_t len, void (*line)(void *arg, const char *text),
                      void *arg)
{
    static const char *const tags[] = { SFT_TAG_DSFT, SFT_TAG_SMFF, SFT_TAG_PROP,
                                        SFT_TAG_INDX, SFT_TAG_CIDX, SFT_TAG_SECD };
    unsigned found = 0;

    for (size_t at = 0; at + SFT_TAG_LEN <= len && found < TAGS_MAX; at++)
        for (size_t i = 0; i < ARRAY_LEN(tags); i++)
            if (!memcmp(head + at, tags[i], SFT_TAG_LEN)) {
                container_line(line, arg, "section tag %s at offset %zu:", tags[i], at);
                hex_lines(head, at, len - at < TAG_BYTES ? len - at : TAG_BYTES, line, arg);
                found++;
            }
    if (!found)
        container_line(line, arg, "no SFT section tag in the first %zu bytes", len);
}

/* How many characters in a row are printable from AT, each one byte (STEP 1) or two as in UTF-16
 * (STEP 2); counts no further than MAX. */
static size_t string_length(const uint8_t *head, size_t len, size_t at, size_t step, size_t max)
{
    size_t n = 0;
    while (n < max && at + (n + 1) * step <= len && printable(head[at + n * step]) &&
           (step == 1 || !head[at + n * step + 1]))
        n++;
    return n;
}

static void string_lines(const uint8_t *head, size_t len, size_t step,
                         void (*line)(void *arg, const char *text), void *arg)
{
    unsigned found = 0;

    for (size_t at = 0; at < len && found < STRINGS_MAX;) {
        char text[STRING_MAX + 1];
        size_t n = string_length(head, len, at, step, STRING_MAX);
        if (n >= STRING_MIN) {
            for (size_t i = 0; i < n; i++)
                text[i] = (char)head[at + i * step];
            text[n] = '\0';
            container_line(line, arg, "string%s at offset %zu: %s", step == 2 ? " (UTF-16)" : "",
                           at, text);
            found++;
        }
        at += n >= STRING_MIN ? n * step : 1;
    }
}

void container_describe_bytes(const uint8_t *head, size_t len,
                              void (*line)(void *arg, const char *text), void *arg)
{
    container_line(line, arg, "first bytes:");
    hex_lines(head, 0, len < HEX_BYTES ? len : HEX_BYTES, line, arg);
    tag_lines(head, len, line, arg);
    size_t scan = len < STRING_SCAN ? len : STRING_SCAN;
    string_lines(head, scan, 1, line, arg);
    string_lines(head, scan, 2, line, arg);
}
