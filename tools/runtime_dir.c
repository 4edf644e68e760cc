/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Mount points made on demand. See runtime_dir.h. */
#include "config.h"

#include "tools/runtime_dir.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { NAME_BYTES = 64, GUID_CHARS = 8 };

static char *base_dir(void)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    char *out;
    int n;

    if (runtime && runtime[0] == '/')
        n = asprintf(&out, "%s/sftfs", runtime);
    else
        n = asprintf(&out, "/tmp/sftfs-%lu", (unsigned long)getuid());
    return n < 0 ? NULL : out;
}

/* Makes the directory, or sees to it that one that exists is ours alone. */
static int own_dir(const char *path, struct err *e)
{
    struct stat st;

    if (!mkdir(path, 0700))
        return 0;
    if (errno != EEXIST)
        return err_sys(e, "%s", path);
    if (lstat(path, &st))
        return err_sys(e, "%s", path);
    if (!S_ISDIR(st.st_mode) || st.st_uid != getuid() || (st.st_mode & 077))
        return err_set(e, ERR_DENIED,
                       "%s: must be a directory of yours with mode 0700; remove it, or name a "
                       "mount point",
                       path);
    return 0;
}

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
    auto_free char *base = base_dir(), *real = NULL;
    char plain[NAME_BYTES + 1], text[GUID_TEXT_SIZE];
    int rc;

    *out = NULL;
    if (!base)
        return err_nomem(e);
    rc = own_dir(base, e);
    if (rc)
        return rc;
    real = realpath(base, NULL); /* as the mount table shows it */
    if (!real)
        return err_sys(e, "%s", base);
    plain_name(name, plain);
    guid_format(guid, text);
    if (asprintf(out, "%s/%s-%.*s", real, plain, GUID_CHARS, text) < 0) {
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
    auto_free char *base = base_dir(), *real = base ? realpath(base, NULL) : NULL;
    size_t len = real ? strlen(real) : 0;

    if (len && !strncmp(path, real, len) && path[len] == '/' && !strchr(path + len + 1, '/'))
        (void)rmdir(path); /* not empty or gone already: fine */
}
