/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Mount points made on demand. See runtime_dir.h. */
#include "config.h"

#include "tools/runtime_dir.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "fs/runtime_base.h"

enum { NAME_BYTES = 64, GUID_CHARS = 8 };

/* A name that needs no quoting in a shell; letters beyond ASCII stay. */
static void plain_name(const char *name, char out[NAME_BYTES + 1])
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-";
    size_t n = 0;

    for (; *name && n < NAME_BYTES; name++)
        out[n++] = (*name & 0x80) || strchr(plain, *name) ? *name : '_';
    /* Not in the middle of a character. */
    if (*name && (*name & 0xc0) == 0x80) {
        while (n && (out[n - 1] & 0xc0) == 0x80)
            n--;
        n -= n > 0;
    }
    out[n] = '\0';
    if (!n)
        (void)strcpy(out, "package");
    if (out[0] == '.' || out[0] == '-')
        out[0] = '_';
}

int runtime_dir_make(const char *name, const struct guid *guid, char **out, struct err *e)
{
    auto_free char *base = NULL;
    char plain[NAME_BYTES + 1], text[GUID_TEXT_SIZE];
    int rc;

    *out = NULL;
    rc = runtime_base_make(&base, e);
    if (rc)
        return rc;
    plain_name(name, plain);
    guid_format(guid, text);
    if (asprintf(out, "%s/%s-%.*s", base, plain, GUID_CHARS, text) < 0) {
        *out = NULL;
        return err_nomem(e);
    }
    /* One that exists may be a mount, dead or alive; who mounts finds out. */
    if (!mkdir(*out, 0700) || errno == EEXIST)
        return 0;
    rc = err_sys(e, "%s", *out);
    free(steal_ptr(out));
    return rc;
}

void runtime_dir_remove(const char *path)
{
    auto_free char *base = runtime_base_find();
    size_t len = base ? strlen(base) : 0;

    if (len && !strncmp(path, base, len) && path[len] == '/' && !strchr(path + len + 1, '/'))
        (void)rmdir(path); /* not empty or gone already: fine */
}
