/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* DIR/overlay, the text file. See store_info.h. */
#include "config.h"

#include "fs/overlay/store_info.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "fs/overlay/crash_point.h"

void store_info_clear(struct store_info *i)
{
    free(i->name);
    free(i->source);
    free(i->others);
    *i = (struct store_info){ .number = 0 };
}

/* ---- reading ---- */

static int parse_number(const char *text, uint32_t *out)
{
    uint32_t v = 0;

    if (!*text)
        return -EINVAL;
    for (; *text; text++)
        if (*text < '0' || *text > '9' || mul_overflows(v, 10, &v) ||
            add_overflows(v, (uint32_t)(*text - '0'), &v))
            return -EINVAL;
    *out = v;
    return 0;
}

static int set_text(char **slot, const char *value)
{
    free(*slot);
    *slot = strdup(value);
    return *slot ? 0 : -ENOMEM;
}

static int keep_line(struct store_info *i, const char *line)
{
    size_t old = strlen(i->others), len = strlen(line);
    char *grown = realloc(i->others, old + len + 2);

    if (!grown)
        return -ENOMEM;
    memcpy(grown + old, line, len);
    memcpy(grown + old + len, "\n", 2);
    i->others = grown;
    return 0;
}

/* One line but the first, NUL-terminated. */
static int parse_line(struct store_info *i, char *line)
{
    char *value = strstr(line, ": ");

    if (!value)
        return *line ? keep_line(i, line) : 0;
    *value = '\0';
    int rc = 1;
    if (!strcmp(line, "package"))
        rc = guid_parse(value + 2, &i->package);
    else if (!strcmp(line, "version"))
        rc = guid_parse(value + 2, &i->version);
    else if (!strcmp(line, "version-number"))
        rc = parse_number(value + 2, &i->number);
    else if (!strcmp(line, "package-name"))
        rc = set_text(&i->name, value + 2);
    else if (!strcmp(line, "source"))
        rc = set_text(&i->source, value + 2);
    *value = ':';
    return rc == 1 ? keep_line(i, line) : rc;
}

static int parse_format(const char *line, struct err *e)
{
    uint32_t format = 0;

    if (strncmp(line, "format: ", 8) || parse_number(line + 8, &format) || !format)
        return err_set(e, ERR_CORRUPT, "the first line is not \"format: NUMBER\"");
    if (format > INFO_FORMAT)
        return err_set(e, ERR_UNSUPPORTED,
                       "the overlay has layout %" PRIu32 "; this program knows up to %d: use a "
                       "newer one, or another directory (overlay=DIR)", format, INFO_FORMAT);
    return 0;
}

static int parse_lines(char *text, struct store_info *out, struct err *e)
{
    char *end = NULL;
    int rc = 0;

    for (char *line = text; line && *line && !rc; line = end) {
        end = strchr(line, '\n');
        if (end)
            *end++ = '\0';
        if (line == text) {
            rc = parse_format(line, e);
            if (rc)
                return rc;
            continue;
        }
        rc = parse_line(out, line);
        if (rc == -ENOMEM)
            return err_nomem(e);
        if (rc)
            return err_set(e, ERR_CORRUPT, "malformed line \"%.60s\"", line);
    }
    return 0;
}

int store_info_parse(const char *text, size_t len, struct store_info *out, struct err *e)
{
    *out = (struct store_info){ .name = strdup(""), .source = strdup(""), .others = strdup("") };
    auto_free char *copy = len <= INFO_MAX ? strndup(text, len) : NULL;

    if (len > INFO_MAX)
        return err_set(e, ERR_LIMIT, "more than %u bytes", INFO_MAX);
    if (!out->name || !out->source || !out->others || !copy)
        return err_nomem(e);
    if (strlen(copy) != len || !len)
        return err_set(e, ERR_CORRUPT, len ? "it is no text" : "it is empty");
    int rc = parse_lines(copy, out, e);
    if (!rc && guid_is_zero(&out->package))
        rc = err_set(e, ERR_CORRUPT, "it names no package");
    return rc;
}

int store_info_read(int dirfd, struct store_info *out, struct err *e)
{
    auto_free char *text = NULL;
    size_t len = 0;
    struct stat st;

    *out = (struct store_info){ .number = 0 };
    auto_close int fd = openat(dirfd, INFO_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st))
        return err_sys(e, "opening it");
    if (!S_ISREG(st.st_mode))
        return err_set(e, ERR_CORRUPT, "it is no regular file");
    text = malloc(INFO_MAX + 1);
    if (!text)
        return err_nomem(e);
    while (len <= INFO_MAX) {
        ssize_t n = read(fd, text + len, INFO_MAX + 1 - len);
        if (n < 0)
            return err_sys(e, "reading it");
        if (!n)
            break;
        len += (size_t)n;
    }
    return store_info_parse(text, len, out, e);
}

/* ---- writing ---- */

static void put_value(FILE *f, const char *key, const char *value)
{
    (void)fprintf(f, "%s: ", key); /* errors are looked at when the stream is closed */
    for (; value && *value; value++)
        (void)fputc((unsigned char)*value < 0x20 || *value == 0x7f ? '?' : *value, f);
    (void)fputc('\n', f);
}

char *store_info_format(const struct store_info *i)
{
    char package[GUID_TEXT_SIZE], version[GUID_TEXT_SIZE], *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);

    if (!f)
        return NULL;
    guid_format(&i->package, package);
    guid_format(&i->version, version);
    (void)fprintf(f, "format: %d\npackage: %s\n", INFO_FORMAT, package);
    put_value(f, "package-name", i->name);
    if (!guid_is_zero(&i->version))
        (void)fprintf(f, "version: %s\nversion-number: %" PRIu32 "\n", version, i->number);
    put_value(f, "source", i->source);
    if (i->others)
        (void)fputs(i->others, f);
    bool failed = ferror(f);
    if (fclose(f) || failed) {
        free(text);
        return NULL;
    }
    return text;
}

static int write_new(int dirfd, const char *text, struct err *e)
{
    size_t len = strlen(text), done = 0;

    if (unlinkat(dirfd, INFO_NEW_NAME, 0) && errno != ENOENT)
        return err_sys(e, INFO_NEW_NAME);
    auto_close int fd =
        openat(dirfd, INFO_NEW_NAME, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_sys(e, INFO_NEW_NAME);
    while (done < len) {
        ssize_t n = write(fd, text + done, len - done);
        if (n < 0)
            return err_sys(e, INFO_NEW_NAME);
        done += (size_t)n;
    }
    return fsync(fd) ? err_sys(e, INFO_NEW_NAME) : 0;
}

int store_info_write(int dirfd, const struct store_info *i, struct err *e)
{
    auto_free char *text = store_info_format(i);

    if (!text)
        return err_nomem(e);
    int rc = write_new(dirfd, text, e);
    if (!rc) {
        CRASH_POINT("store-info-written");
        if (renameat(dirfd, INFO_NEW_NAME, dirfd, INFO_NAME) || fsync(dirfd))
            rc = err_sys(e, INFO_NAME);
    }
    if (rc)
        (void)unlinkat(dirfd, INFO_NEW_NAME, 0); /* the failure that led here is reported */
    return rc;
}
