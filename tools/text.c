/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Values as people read them. See text.h. */
#include "config.h"

#include "tools/text.h"

#include <string.h>
#include <time.h>

#include "src/package.h"

bool text_time(int64_t ticks, char out[TEXT_TIME_SIZE])
{
    struct timespec ts = filetime_to_timespec(ticks);
    struct tm tm;

    out[0] = '\0';
    return gmtime_r(&ts.tv_sec, &tm) && strftime(out, TEXT_TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

void text_size(uint64_t bytes, char out[TEXT_SIZE_SIZE])
{
    static const char units[] = "KMGTPE";
    double v = (double)bytes;
    int unit = -1;

    while (v >= 1000 && unit < 5) {
        v /= 1024;
        unit++;
    }
    if (unit < 0)
        (void)snprintf(out, TEXT_SIZE_SIZE, "%u", (unsigned)bytes);
    else
        (void)snprintf(out, TEXT_SIZE_SIZE, v < 9.95 ? "%.1f%c" : "%.0f%c", v, units[unit]);
}

void text_put(FILE *out, const char *text)
{
    if (!isatty(fileno(out))) {
        (void)fputs(text, out);
        return;
    }
    for (; *text; text++)
        (void)fputc((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text, out);
}

size_t text_utf8_len(const unsigned char *s)
{
    size_t n = *s < 0x80 ? 1 : *s < 0xc2 ? 0 : *s < 0xe0 ? 2 : *s < 0xf0 ? 3 : *s < 0xf5 ? 4 : 0;

    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((n == 3 && ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f))) ||
        (n == 4 && ((s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))))
        return 0;
    return n;
}
