/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between UTF-16 and UTF-8. See utf16.h. */
#include "config.h"

#include "src/utf16.h"

#include <utf8proc.h>

#define SURROGATE(u) ((u) >= 0xd800 && (u) < 0xe000)

static uint32_t unit(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8;
}

int utf16_to_utf8(const uint8_t *data, size_t len, char **out, size_t *out_len)
{
    size_t room, n = 0;

    if (len % 2)
        return -EILSEQ;
    if (mul_overflows(len / 2, 3u, &room) || add_overflows(room, 1u, &room))
        return -ENOMEM;
    auto_free char *text = malloc(room);
    if (!text)
        return -ENOMEM;
    for (size_t i = 0; i < len; i += 2) {
        uint32_t c = unit(data + i);
        if (SURROGATE(c)) {
            uint32_t low = i + 4 <= len ? unit(data + i + 2) : 0;
            if (c >= 0xdc00 || low < 0xdc00 || low >= 0xe000)
                return -EILSEQ;
            c = 0x10000 + ((c & 0x3ff) << 10 | (low & 0x3ff));
            i += 2;
        }
        n += (size_t)utf8proc_encode_char((utf8proc_int32_t)c, (utf8proc_uint8_t *)text + n);
    }
    text[n] = '\0';
    *out = steal_ptr(&text);
    *out_len = n;
    return 0;
}

int utf16_from_utf8(const char *text, size_t len, uint8_t **out, size_t *out_len)
{
    size_t room, n = 0;

    if (mul_overflows(len, 2u, &room) || add_overflows(room, 2u, &room))
        return -ENOMEM;
    auto_free uint8_t *data = malloc(room);
    if (!data)
        return -ENOMEM;
    for (size_t i = 0; i < len;) {
        utf8proc_int32_t c;
        utf8proc_ssize_t used =
            utf8proc_iterate((const utf8proc_uint8_t *)text + i, (utf8proc_ssize_t)(len - i), &c);
        if (used <= 0)
            return -EILSEQ;
        uint32_t units[2] = { (uint32_t)c, 0 };
        size_t count = c < 0x10000 ? 1 : 2;
        if (count == 2) {
            units[0] = 0xd800 + (((uint32_t)c - 0x10000) >> 10);
            units[1] = 0xdc00 + ((uint32_t)c & 0x3ff);
        }
        for (size_t k = 0; k < count; k++) {
            data[n++] = (uint8_t)units[k];
            data[n++] = (uint8_t)(units[k] >> 8);
        }
        i += (size_t)used;
    }
    *out = steal_ptr(&data);
    *out_len = n;
    return 0;
}
