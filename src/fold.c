/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Folding, comparing, hashing and checking of names. See fold.h.
 *
 * Nearly all names are ASCII, so every loop has a path that handles eight ASCII bytes at a time and
 * leaves it for one code point at a time at the first other byte. A byte that is not part of valid
 * UTF-8 counts as a "code point" of its own above all of Unicode (INVALID_BYTE + byte).
 */
#include "config.h"

#include "src/fold.h"

#include <string.h>

#include <utf8proc.h>

#include "src/package.h"

#define INVALID_BYTE 0x110000u

#define ONES  UINT64_C(0x0101010101010101)
#define HIGHS UINT64_C(0x8080808080808080)

/* Code points outside ASCII; out of line to keep the fast paths small. */
static uint32_t fold_wide(uint32_t c)
{
    if (c > 0xffff || c == 0xdf)
        return c;
    utf8proc_int32_t upper = utf8proc_toupper((utf8proc_int32_t)c);
    return upper < 0x80 || upper > 0xffff ? c : (uint32_t)upper;
}

uint32_t fold_code_point(uint32_t c)
{
    if (c < 0x80)
        return c >= 'a' && c <= 'z' ? c - 32 : c;
    return fold_wide(c);
}

/* Eight bytes, the first in the lowest byte. */
static uint64_t load_word(const char *p)
{
    uint64_t w;
    memcpy(&w, p, sizeof w);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    w = __builtin_bswap64(w);
#endif
    return w;
}

static bool word_is_ascii(uint64_t w)
{
    return !(w & HIGHS);
}

/* Upper case of eight ASCII bytes: the high bit of each byte of LOWER says "a to z". */
static uint64_t fold_word(uint64_t w)
{
    uint64_t lower = (w + ONES * (0x80 - 'a')) & ~(w + ONES * (0x80 - 'z' - 1)) & HIGHS;
    return w - (lower >> 2);
}

/* The folded code point at *P (below END), which moves past it. */
static uint32_t next_folded(const char **p, const char *end)
{
    uint8_t first = (uint8_t)(*p)[0];

    if (first < 0x80) {
        (*p)++;
        return fold_code_point(first);
    }
    utf8proc_int32_t c;
    utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)*p, end - *p, &c);
    if (n <= 0) {
        (*p)++;
        return INVALID_BYTE + first;
    }
    *p += n;
    return fold_wide((uint32_t)c);
}

bool fold_equal(const char *a, size_t a_len, const char *b, size_t b_len)
{
    const char *a_end = a + a_len, *b_end = b + b_len;

    while (a_end - a >= 8 && b_end - b >= 8) {
        uint64_t x = load_word(a), y = load_word(b);
        if (!word_is_ascii(x | y))
            break;
        if (fold_word(x) != fold_word(y))
            return false;
        a += 8;
        b += 8;
    }
    while (a < a_end && b < b_end)
        if (next_folded(&a, a_end) != next_folded(&b, b_end))
            return false;
    return a == a_end && b == b_end;
}

int fold_compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
    const char *p = a, *p_end = a + a_len, *q = b, *q_end = b + b_len;

    while (p_end - p >= 8 && q_end - q >= 8) { /* past what is the same */
        uint64_t x = load_word(p), y = load_word(q);
        if (!word_is_ascii(x | y) || fold_word(x) != fold_word(y))
            break;
        p += 8;
        q += 8;
    }
    while (p < p_end && q < q_end) {
        uint32_t x = next_folded(&p, p_end), y = next_folded(&q, q_end);
        if (x != y)
            return x < y ? -1 : 1;
    }
    if (p < p_end || q < q_end)
        return p < p_end ? 1 : -1;

    size_t common = a_len < b_len ? a_len : b_len;
    int order = common ? memcmp(a, b, common) : 0;
    return order ? order : (a_len > b_len) - (a_len < b_len);
}

/* SipHash-1-3 over a stream of bytes of which up to eight arrive at a time. */
struct sip {
    uint64_t v0, v1, v2, v3;
    uint64_t tail;  /* bytes not yet hashed, the first in the lowest byte */
    unsigned fill;  /* how many, 0 to 7 */
    uint64_t total; /* bytes taken */
};

static uint64_t rotate_left(uint64_t x, unsigned n)
{
    return x << n | x >> (64 - n);
}

static inline void sip_round(struct sip *s)
{
    s->v0 += s->v1;
    s->v1 = rotate_left(s->v1, 13) ^ s->v0;
    s->v0 = rotate_left(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = rotate_left(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = rotate_left(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = rotate_left(s->v1, 17) ^ s->v2;
    s->v2 = rotate_left(s->v2, 32);
}

static inline void sip_word(struct sip *s, uint64_t w)
{
    s->v3 ^= w;
    sip_round(s);
    s->v0 ^= w;
}

/* Takes the low N bytes (1 to 8) of W; the bytes above them are zero. */
static inline void sip_put(struct sip *s, uint64_t w, unsigned n)
{
    s->total += n;
    s->tail |= w << (8 * s->fill);
    if (s->fill + n < 8) {
        s->fill += n;
        return;
    }
    sip_word(s, s->tail);
    unsigned used = 8 - s->fill;
    s->tail = used < 8 ? w >> (8 * used) : 0;
    s->fill = n - used;
}

static uint64_t sip_finish(struct sip *s)
{
    sip_word(s, s->tail | s->total << 56);
    s->v2 ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(s);
    return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

uint64_t fold_hash(const uint64_t key[2], uint64_t salt, const char *name, size_t len)
{
    struct sip s = {
        .v0 = key[0] ^ UINT64_C(0x736f6d6570736575),
        .v1 = key[1] ^ UINT64_C(0x646f72616e646f6d),
        .v2 = key[0] ^ UINT64_C(0x6c7967656e657261),
        .v3 = key[1] ^ UINT64_C(0x7465646279746573),
    };
    const char *end = name + len;

    sip_put(&s, salt, 8);
    while (name < end) {
        if (end - name >= 8) {
            uint64_t w = load_word(name);
            if (word_is_ascii(w)) {
                sip_put(&s, fold_word(w), 8);
                name += 8;
                continue;
            }
        }
        /* One byte for ASCII and four for the rest: names that are equal give the same stream
         * however the words fall, since both kinds of steps emit ASCII as single bytes. */
        uint32_t c = next_folded(&name, end);
        sip_put(&s, c, c < 0x80 ? 1 : 4);
    }
    return sip_finish(&s);
}

int name_check(const char *name, size_t len, struct err *e)
{
    if (!len)
        return err_set(e, ERR_BAD_NAME, "empty name");
    if (len > NAME_MAX_BYTES)
        return err_set(e, ERR_BAD_NAME, "name of %zu bytes; %u are the limit", len, NAME_MAX_BYTES);
    if (name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.')))
        return err_set(e, ERR_BAD_NAME, "name is \"%.*s\"", (int)len, name);

    for (size_t i = 0; i < len;) {
        utf8proc_int32_t c = (uint8_t)name[i];
        utf8proc_ssize_t n = 1; /* most names are ASCII */
        if (c >= 0x80)
            n = utf8proc_iterate((const utf8proc_uint8_t *)name + i, (utf8proc_ssize_t)(len - i), &c);
        if (n <= 0)
            return err_set(e, ERR_BAD_NAME, "name is not valid UTF-8 at byte %zu", i);
        if (c < 0x20 || (c >= 0x7f && c < 0xa0))
            return err_set(e, ERR_BAD_NAME, "name holds control character U+%04X", (unsigned)c);
        if (c == '/' || c == '\\')
            return err_set(e, ERR_BAD_NAME, "name holds the separator '%c'", (char)c);
        i += (size_t)n;
    }
    return 0;
}

static bool is_dos_char(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("!#$%&'()-@^_`{}~", c));
}

bool name_is_8_3(const char *name, size_t len)
{
    size_t base = 0;

    while (base < len && is_dos_char(name[base]))
        base++;
    if (base < 1 || base > 8)
        return false;
    if (base == len)
        return true;
    if (name[base] != '.' || len - base < 2 || len - base > 4)
        return false;
    for (size_t i = base + 1; i < len; i++)
        if (!is_dos_char(name[i]))
            return false;
    return true;
}
