/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Intents: what a crash must not leave half done. See intent.h. */
#include "config.h"

#include "fs/overlay/intent.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define HEADING "sftfs-intent 1 move-with-whiteout\n"

void intent_clear(struct intent *i)
{
    free(i->from);
    free(i->to);
    *i = (struct intent){ .from = NULL };
}

static bool is_plain(unsigned char c)
{
    return c > 0x20 && c < 0x7f && c != '%';
}

static void put_path(FILE *f, const char *key, const char *path)
{
    (void)fprintf(f, "%s=", key); /* errors are looked at when the stream is closed */
    for (const unsigned char *p = (const unsigned char *)path; *p; p++)
        (void)fprintf(f, is_plain(*p) ? "%c" : "%%%02x", *p);
    (void)fputc('\n', f);
}

char *intent_format(const struct intent *i)
{
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);

    if (!f)
        return NULL;
    (void)fprintf(f, HEADING "source=%" PRIu64 "\ntarget=%" PRIu64 "\n", i->source, i->target);
    put_path(f, "from", i->from);
    put_path(f, "to", i->to);
    (void)fputs("end\n", f);
    bool failed = ferror(f);
    if (fclose(f) || failed) {
        free(text);
        return NULL;
    }
    return text;
}

/* ---- parsing ---- */

static bool take(const char **p, const char *word)
{
    size_t n = strlen(word);

    if (strncmp(*p, word, n))
        return false;
    *p += n;
    return true;
}

static bool take_number(const char **p, const char *key, uint64_t *out)
{
    const char *start;

    *out = 0;
    if (!take(p, key))
        return false;
    for (start = *p; **p >= '0' && **p <= '9'; (*p)++)
        if (mul_overflows(*out, 10, out) || add_overflows(*out, (uint64_t)(**p - '0'), out))
            return false;
    return *p > start && take(p, "\n");
}

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *d = c ? strchr(digits, c) : NULL;

    return d ? (int)(d - digits) : -1;
}

/* "a/b": no component is empty, ".", ".." or longer than a name may be. */
static bool path_ok(const char *path)
{
    for (;;) {
        size_t n = strcspn(path, "/");
        if (!n || n > 255 || (n == 1 && path[0] == '.') || (n == 2 && !strncmp(path, "..", 2)))
            return false;
        if (!path[n])
            return true;
        path += n + 1;
    }
}

/* Decodes "key=path\n". NULL with rc -EINVAL or -ENOMEM. */
static char *take_path(const char **p, const char *key, int *rc)
{
    *rc = -EINVAL;
    if (!take(p, key))
        return NULL;
    size_t len = strcspn(*p, "\n"), n = 0;
    auto_free char *path = malloc(len + 1);
    if (!path) {
        *rc = -ENOMEM;
        return NULL;
    }
    for (const char *c = *p, *end = *p + len; c < end; c++) {
        int high, low;
        if (is_plain((unsigned char)*c)) {
            path[n++] = *c;
            continue;
        }
        if (*c != '%' || (high = hex_digit(c[1])) < 0 || (low = hex_digit(c[2])) < 0)
            return NULL;
        path[n++] = (char)(high << 4 | low);
        c += 2;
    }
    path[n] = '\0';
    *p += len;
    if (strlen(path) != n || !path_ok(path) || !take(p, "\n"))
        return NULL;
    *rc = 0;
    return steal_ptr(&path);
}

int intent_parse(const char *text, size_t len, struct intent *out)
{
    auto_free char *copy = len <= INTENT_MAX ? strndup(text, len) : NULL;
    const char *p = copy;
    int rc = -EINVAL;

    *out = (struct intent){ .from = NULL };
    if (!copy)
        return len <= INTENT_MAX ? -ENOMEM : -EINVAL;
    if (strlen(copy) != len || !take(&p, HEADING) || !take_number(&p, "source=", &out->source) ||
        !take_number(&p, "target=", &out->target))
        goto fail;
    out->from = take_path(&p, "from=", &rc);
    if (rc)
        goto fail;
    out->to = take_path(&p, "to=", &rc);
    if (rc)
        goto fail;
    rc = !strcmp(p, "end\n") && out->source ? 0 : -EINVAL;
fail:
    if (rc)
        intent_clear(out);
    return rc;
}

/* ---- files ---- */

static int write_synced(int dirfd, const char *name, const char *text)
{
    size_t len = strlen(text);

    if (len > INTENT_MAX)
        return -ENAMETOOLONG;
    auto_close int fd =
        openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    for (size_t done = 0; done < len;) {
        ssize_t n = write(fd, text + done, len - done);
        if (n < 0)
            return -errno;
        done += (size_t)n;
    }
    return fdatasync(fd) ? -errno : 0;
}

int intent_write(struct overlay_store *s, const struct intent *i, char name[WORK_NAME_MAX])
{
    auto_free char *text = intent_format(i);
    char made[WORK_NAME_MAX];

    if (!text)
        return -ENOMEM;
    overlay_work_name(s, made);
    (void)snprintf(name, WORK_NAME_MAX, INTENT_PREFIX "%.16s", made + 2); /* fits */
    int rc = write_synced(s->work_fd, made, text);
    if (!rc && renameat(s->work_fd, made, s->work_fd, name))
        rc = -errno;
    if (rc)
        (void)unlinkat(s->work_fd, made, 0); /* a leftover otherwise */
    return rc;
}

int intent_read(struct overlay_store *s, const char *name, struct intent *out)
{
    struct stat st;

    *out = (struct intent){ .from = NULL };
    auto_close int fd =
        openat(s->work_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return errno == ELOOP ? -EINVAL : -errno;
    if (fstat(fd, &st))
        return -errno;
    if (!S_ISREG(st.st_mode) || st.st_size > INTENT_MAX)
        return -EINVAL;
    size_t size = (size_t)st.st_size, len = 0;
    auto_free char *text = malloc(size + 1);
    if (!text)
        return -ENOMEM;
    while (len < size) {
        ssize_t n = read(fd, text + len, size - len);
        if (n < 0)
            return -errno;
        if (!n)
            break;
        len += (size_t)n;
    }
    return intent_parse(text, len, out);
}
