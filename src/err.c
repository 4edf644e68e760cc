/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Errors: the table of kinds and the functions that fill a struct err. See err.h. */
#include "config.h"

#include "src/err.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int sys;
} kinds[ERR_KIND_COUNT] = {
    [ERR_NONE] = { "none", 0 },
    [ERR_SYSTEM] = { "system", EIO },
    [ERR_NO_MEMORY] = { "no-memory", ENOMEM },
    [ERR_INVALID] = { "invalid", EINVAL },
    [ERR_NOT_FOUND] = { "not-found", ENOENT },
    [ERR_DENIED] = { "denied", EACCES },
    [ERR_NOT_A_PACKAGE] = { "not-a-package", EMEDIUMTYPE },
    [ERR_FOREIGN_LAYOUT] = { "foreign-layout", EOPNOTSUPP },
    [ERR_UNSUPPORTED] = { "unsupported", EOPNOTSUPP },
    [ERR_TRUNCATED] = { "truncated", EIO },
    [ERR_CORRUPT] = { "corrupt", EIO },
    [ERR_CHECKSUM] = { "checksum", EIO },
    [ERR_LIMIT] = { "limit", EFBIG },
    [ERR_BAD_NAME] = { "bad-name", EILSEQ },
    [ERR_DUPLICATE_NAME] = { "duplicate-name", EEXIST },
    [ERR_BAD_EXTENT] = { "bad-extent", EIO },
    [ERR_BAD_TREE] = { "bad-tree", EIO },
    [ERR_BLOCK_HASH] = { "block-hash", EIO },
    [ERR_BLOCK_DECODE] = { "block-decode", EIO },
    [ERR_XML] = { "xml", EBADMSG },
    [ERR_XML_ENTITY] = { "xml-entity", EBADMSG },
    [ERR_NO_CODEBASE] = { "no-codebase", EBADMSG },
    [ERR_EMPTY_HREF] = { "empty-href", EBADMSG },
    [ERR_GUID_MISMATCH] = { "guid-mismatch", EBADMSG },
    [ERR_UNRESOLVED] = { "unresolved", ENOENT },
    [ERR_NETWORK] = { "network", EIO },
    [ERR_TIMEOUT] = { "timeout", ETIMEDOUT },
    [ERR_TLS] = { "tls", EIO },
    [ERR_AUTH] = { "auth", EACCES },
    [ERR_HTTP_STATUS] = { "http-status", EIO },
    [ERR_HTTP_NO_RANGE] = { "http-no-range", EIO },
    [ERR_HTTP_BAD_REPLY] = { "http-bad-reply", EIO },
    [ERR_OBJECT_CHANGED] = { "object-changed", ESTALE },
    [ERR_CANCELLED] = { "cancelled", EINTR },
    [ERR_UNSAFE_PATH] = { "unsafe-path", EPERM },
    [ERR_MOUNT] = { "mount", EIO },
    [ERR_BUSY] = { "busy", EBUSY },
    [ERR_OLD_VERSION] = { "old-version", ESTALE },
    [ERR_OFFLINE] = { "offline", EIO },
};

const char *err_kind_name(enum err_kind kind)
{
    return (unsigned)kind < ERR_KIND_COUNT ? kinds[kind].name : "unknown";
}

int err_kind_errno(enum err_kind kind)
{
    return (unsigned)kind < ERR_KIND_COUNT ? kinds[kind].sys : EIO;
}

printf_like(5, 0)
static void fill(struct err *e, enum err_kind kind, const char *section, uint64_t offset,
                 const char *fmt, va_list ap)
{
    *e = (struct err){ .kind = kind, .offset = offset };
    if (section)
        (void)snprintf(e->section, sizeof e->section, "%s", section);
    (void)vsnprintf(e->text, sizeof e->text, fmt, ap); /* a text too long is cut, never refused */
}

int err_set(struct err *e, enum err_kind kind, const char *fmt, ...)
{
    int sys = kind == ERR_SYSTEM && errno ? errno : err_kind_errno(kind);
    va_list ap;

    va_start(ap, fmt);
    if (e)
        fill(e, kind, NULL, 0, fmt, ap);
    va_end(ap);
    return -sys;
}

int err_at(struct err *e, enum err_kind kind, const char *section, uint64_t offset,
           const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    if (e)
        fill(e, kind, section, offset, fmt, ap);
    va_end(ap);
    return -err_kind_errno(kind);
}

static enum err_kind kind_of_errno(int sys)
{
    switch (sys) {
    case EACCES:
    case EPERM:
        return ERR_DENIED;
    case ENOENT:
        return ERR_NOT_FOUND;
    case ENOMEM:
        return ERR_NO_MEMORY;
    default:
        return ERR_SYSTEM;
    }
}

int err_sys(struct err *e, const char *fmt, ...)
{
    int sys = errno ? errno : EIO;
    va_list ap;

    va_start(ap, fmt);
    if (e) {
        fill(e, kind_of_errno(sys), NULL, 0, fmt, ap);
        size_t n = strlen(e->text);
        (void)snprintf(e->text + n, sizeof e->text - n, ": %s", strerror(sys));
    }
    va_end(ap);
    return -sys;
}

int err_nomem(struct err *e)
{
    return err_set(e, ERR_NO_MEMORY, "out of memory");
}

void err_wrap(struct err *e, const char *fmt, ...)
{
    char context[sizeof e->text], old[sizeof e->text];
    va_list ap;

    if (!e)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(context, sizeof context, fmt, ap);
    va_end(ap);
    memcpy(old, e->text, sizeof old);
    /* When both do not fit, the end of the old text is what gives way. */
    if (snprintf(e->text, sizeof e->text, "%s: %s", context, old) < 0)
        memcpy(e->text, old, sizeof old);
}
