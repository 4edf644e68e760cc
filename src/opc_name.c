/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Decoding, encoding and checking of part names. See opc_name.h. */
#include "config.h"

#include "src/opc_name.h"

#include <string.h>

#include "src/fold.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int check_start(const char *path, size_t len, struct err *e)
{
    if (len >= 2 && is_letter(path[0]) && path[1] == ':')
        return err_set(e, ERR_BAD_NAME, "name begins with the drive \"%.2s\"", path);
    return 0;
}

/* Returns the length of the decoded component. */
static size_t decode_component(const char *in, size_t len, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        int high = in[i] == '%' && len - i > 2 ? hex_digit(in[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(in[i + 2]) : -1;
        out[n++] = low >= 0 ? (char)(high << 4 | low) : in[i];
        i += low >= 0 ? 2 : 0;
    }
    return n;
}

/* Length of the component at the beginning of a path. */
static size_t component_len(const char *path, size_t len)
{
    const char *slash = memchr(path, '/', len);
    return slash ? (size_t)(slash - path) : len;
}

long opc_name_decode(const char *name, size_t len, char *out, struct err *e)
{
    char *to = out;

    for (;;) { /* one component at a time, so that an encoded separator is seen */
        size_t part = component_len(name, len);
        size_t n = decode_component(name, part, to);
        int rc = name_check(to, n, e);
        if (rc)
            return rc;
        to += n;
        if (part == len)
            break;
        *to++ = '/';
        name += part + 1;
        len -= part + 1;
    }
    *to = '\0';
    int rc = check_start(out, (size_t)(to - out), e);
    return rc ? rc : to - out;
}

size_t opc_name_encode(const char *name, size_t len, char *out)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)name[i];
        if (is_letter((char)c) || (c >= '0' && c <= '9') || (c && strchr("-._~/", c))) {
            out[n++] = (char)c;
            continue;
        }
        out[n++] = '%';
        out[n++] = digits[c >> 4];
        out[n++] = digits[c & 15];
    }
    out[n] = '\0';
    return n;
}

int opc_name_check(const char *path, size_t len, struct err *e)
{
    int rc = check_start(path, len, e);

    while (!rc) {
        size_t part = component_len(path, len);
        rc = name_check(path, part, e);
        if (part == len)
            break;
        path += part + 1;
        len -= part + 1;
    }
    return rc;
}

int opc_name_from_windows(char *path, size_t len, struct err *e)
{
    for (size_t i = 0; i < len; i++)
        if (path[i] == '\\')
            path[i] = '/';
    return opc_name_check(path, len, e);
}
