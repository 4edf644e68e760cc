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
