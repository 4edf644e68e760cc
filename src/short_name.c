/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A set of the upper-case short forms in use (open addressing, at most half full) answers whether a
 * candidate is free. A long name can only collide with a candidate if it is ASCII and at most 12
 * characters, because no other letter folds to an ASCII one (src/fold.h); so nothing else is kept.
 */
#include "config.h"

#include "src/short_name.h"

#include <stdio.h>
#include <string.h>

#include "src/fold.h"

#define PLAIN_NUMBERS 4u /* alike names that are simply counted; then the hash form */

struct name_set {
    char (*slots)[SHORT_NAME_SIZE];
    size_t mask;
};

static uint32_t hash_bytes(uint32_t h, const char *s)
{
    for (; *s; s++)
        h = (h ^ (uint8_t)*s) * 16777619u;
    return h;
}

static bool set_add(struct name_set *set, const char *name)
{
    size_t i = hash_bytes(2166136261u, name) & set->mask;
    for (; set->slots[i][0]; i = (i + 1) & set->mask)
        if (strcmp(set->slots[i], name) == 0)
            return false;
    memcpy(set->slots[i], name, strlen(name) + 1);
    return true;
}

static char ascii_upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

/* NAME in upper case if it is ASCII and short enough to be anybody's short name. */
static bool short_form(const char *name, char out[SHORT_NAME_SIZE])
{
    size_t len = strlen(name);
    if (len == 0 || len >= SHORT_NAME_SIZE)
        return false;
    for (size_t i = 0; i <= len; i++) {
        if ((uint8_t)name[i] >= 0x80)
            return false;
        out[i] = ascii_upper(name[i]);
    }
    return true;
}

/* Copies the allowed characters of [s, end) to OUT (room for MAX and a NUL); returns how many. */
static size_t squeeze(const char *s, const char *end, char *out, size_t max)
{
    size_t n = 0;
    for (; s < end && n < max; s++) {
        uint8_t c = (uint8_t)*s;
        if (c == ' ' || c == '.' || (c & 0xC0) == 0x80)
            continue; /* left out; the bytes that continue a code point count with its first */
        bool allowed = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                       (c != 0 && c < 0x80 && strchr("!#$%&'()-@^_`{}~", c));
        out[n++] = allowed ? ascii_upper((char)c) : '_';
    }
    out[n] = 0;
    return n;
}

/* BASE and TAIL together, the base cut so that both fit into eight characters; the extension. */
static void join(char out[SHORT_NAME_SIZE], const char *base, const char *tail, const char *ext)
{
    size_t tail_len = strlen(tail), n = strlen(base), ext_len = strlen(ext);
    if (n > 8 - tail_len)
        n = 8 - tail_len;
    memcpy(out, base, n);
    memcpy(out + n, tail, tail_len);
    n += tail_len;
    if (ext_len) {
        out[n++] = '.';
        memcpy(out + n, ext, ext_len);
    }
    out[n + ext_len] = 0;
}

static void make_one(const char *name, struct name_set *set, char out[SHORT_NAME_SIZE])
{
    const char *start = name + strspn(name, ". ");
    const char *dot = strrchr(start, '.');
    const char *end = start + strlen(start);
    char base[9], ext[4], tail[9];
    size_t base_len = squeeze(start, dot ? dot : end, base, 6);
    squeeze(dot ? dot : end, end, ext, 3);
    if (base_len == 0)
        base_len = squeeze("_", &"_"[1], base, 1);
    for (unsigned n = 1; n <= PLAIN_NUMBERS; n++) {
        (void)snprintf(tail, sizeof tail, "~%u", n);
        join(out, base, tail, ext);
        if (set_add(set, out))
            return;
    }
    base[base_len < 2 ? base_len : 2] = 0;
    for (uint32_t salt = 0;; salt++) {
        uint32_t h = hash_bytes(2166136261u + salt / 9 * 40503u, name);
        h ^= h >> 16;
        bool crowded = salt >= 90; /* more digits then: no directory has 2^24 alike names */
        if (crowded)
            base[0] = 0;
        (void)snprintf(tail, sizeof tail, crowded ? "%06X~%u" : "%04X~%u",
                       (unsigned)(h & (crowded ? 0xFFFFFF : 0xFFFF)), (unsigned)(salt % 9 + 1));
        join(out, base, tail, ext);
        if (set_add(set, out))
            return;
    }
}

int short_names_make(const char *const *names, size_t count, char (*out)[SHORT_NAME_SIZE],
                     struct err *e)
{
    size_t slots = 16;
    while (slots < count * 4)
        slots *= 2;
    auto_free char(*table)[SHORT_NAME_SIZE] = calloc(slots, sizeof *table);
    if (!table)
        return err_nomem(e);
    struct name_set set = { .slots = table, .mask = slots - 1 };
    char form[SHORT_NAME_SIZE];
    for (size_t i = 0; i < count; i++)
        if (short_form(names[i], form))
            (void)set_add(&set, form); /* two names that differ in case need one place only */
    for (size_t i = 0; i < count; i++) {
        out[i][0] = 0;
        if (!short_form(names[i], form) || !name_is_8_3(form, strlen(form)))
            make_one(names[i], &set, out[i]);
    }
    return 0;
}
