/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mounts of type fuse.sftfs: finding and listing them. Implements mount_table.h and a part of mount.h.
 * Nothing here walks into a mount, so that it works on a stuck one.
 */
#include "config.h"

#include "fs/mount_table.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/mount.h"

#define OUR_TYPE "fuse.sftfs"

enum { LINKS_MAX = 16 };

/* Undoes the octal escapes (\040 and the like) in place. */
static void unescape(char *s)
{
    char *out = s;

    for (; *s; out++) {
        if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
            s[3] >= '0' && s[3] <= '7') {
            *out = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
            s += 4;
        } else {
            *out = *s++;
        }
    }
    *out = '\0';
}

/* ID PARENT MAJOR:MINOR ROOT MOUNTPOINT OPTIONS [TAGS...] - TYPE SOURCE SUPEROPTIONS */
bool mount_table_parse(char *line, struct mount_line *out)
{
    char *save = NULL, *field[6], *word;

    for (size_t i = 0; i < ARRAY_LEN(field); i++)
        if (!(field[i] = strtok_r(i ? NULL : line, " \n", &save)))
            return false;
    do {
        word = strtok_r(NULL, " \n", &save);
    } while (word && strcmp(word, "-") != 0);
    char *type = word ? strtok_r(NULL, " \n", &save) : NULL;
    char *source = type ? strtok_r(NULL, " \n", &save) : NULL;
    if (!source)
        return false;
    const char *options = strtok_r(NULL, " \n", &save);
    unescape(field[4]);
    unescape(source);
    *out = (struct mount_line){ .device = field[2], .mountpoint = field[4], .type = type,
                                .source = source, .options = options ? options : "",
                                .ours = !strcmp(type, OUR_TYPE) };
    return true;
}

uid_t mount_table_user(const char *options)
{
    static const char key[] = "user_id=";

    for (const char *p = options; p; p = strchr(p, ',')) {
        p += *p == ',';
        if (!strncmp(p, key, sizeof key - 1))
            return (uid_t)strtoul(p + sizeof key - 1, NULL, 10);
    }
    return (uid_t)-1;
}

int mount_table_each(FILE *table, int (*each)(const struct mount_line *line, void *arg), void *arg)
{
    auto_free char *line = NULL;
    size_t size = 0;
    int rc = 0;

    while (!rc && getline(&line, &size, table) > 0) {
        struct mount_line m;
        if (mount_table_parse(line, &m))
            rc = each(&m, arg);
    }
    return rc;
}

struct search {
    const char *path;
    char *device;
    size_t size;
    enum mount_table_found found;
};

static int note_mount(const struct mount_line *line, void *arg)
{
    struct search *s = arg;

    if (strcmp(line->mountpoint, s->path) != 0)
        return 0;
    s->found = line->ours ? MOUNT_OURS : MOUNT_FOREIGN;
    (void)snprintf(s->device, s->size, "%s", line->device);
    return 0; /* the last one is on top */
}

enum mount_table_found mount_table_find(FILE *table, const char *path, char *device, size_t size)
{
    struct search s = { .path = path, .device = device, .size = size, .found = MOUNT_NONE };

    (void)mount_table_each(table, note_mount, &s); /* never ends early */
    return s.found;
}

static FILE *open_table(void)
{
    return fopen("/proc/self/mountinfo", "re");
}

/* The mount table has absolute paths without links. The parent is resolved, never the last
 * component: that one may be a mount that does not answer. Caller frees. */
static char *canonical(const char *path)
{
    auto_free char *copy = strdup(path);
    char parent[PATH_MAX];

    if (!copy)
        return NULL;
    size_t len = strlen(copy);
    while (len > 1 && copy[len - 1] == '/')
        copy[--len] = '\0';
    char *slash = strrchr(copy, '/');
    const char *last = slash ? slash + 1 : copy;
    if (!*last || !strcmp(last, ".") || !strcmp(last, ".."))
        return realpath(copy, NULL);
    if (slash && slash != copy)
        *slash = '\0';
    if (!realpath(!slash ? "." : slash == copy ? "/" : copy, parent))
        return NULL;
    char *out = NULL;
    if (asprintf(&out, "%s/%s", strcmp(parent, "/") ? parent : "", last) < 0)
        return NULL;
    return out;
}

/* Where the link PATH leads, or NULL if it is none. Asks nothing of a mount: its root is a
 * directory, which the kernel knows. Caller frees. */
static char *follow(const char *path)
{
    char target[PATH_MAX], *out = NULL;
    ssize_t n = readlink(path, target, sizeof target - 1);

    if (n <= 0)
        return NULL;
    target[n] = '\0';
    if (target[0] == '/')
        return strdup(target);
    const char *slash = strrchr(path, '/'); /* PATH is absolute */
    if (asprintf(&out, "%.*s/%s", (int)(slash - path), path, target) < 0)
        return NULL;
    return out;
}

/* The mount of ours at PATH as the table spells it, or NULL. Caller frees. */
static char *find_ours(const char *path, char *device, size_t size)
{
    char *full = canonical(path);

    for (int links = 0; full && links <= LINKS_MAX; links++) {
        FILE *table = open_table();
        if (!table)
            break;
        enum mount_table_found found = mount_table_find(table, full, device, size);
        (void)fclose(table); /* only read from */
        if (found == MOUNT_OURS)
            return full;
        auto_free char *target = found == MOUNT_NONE ? follow(full) : NULL;
        free(full);
        full = target ? canonical(target) : NULL;
    }
    free(full);
    return NULL;
}

struct identity_search {
    const char *path;
    struct mount_identity *out;
};

static int note_identity(const struct mount_line *line, void *arg)
{
    struct identity_search *s = arg;
    unsigned major, minor;

    if (strcmp(line->mountpoint, s->path) != 0)
        return 0;
    mount_identity_free(s->out);
    if (!line->ours || sscanf(line->device, "%u:%u", &major, &minor) != 2)
        return 0;
    (void)snprintf(s->out->device, sizeof s->out->device, "%u:%u", major, minor);
    s->out->connection = (unsigned long)major << 20 | minor; /* as the kernel writes its own */
    s->out->uid = mount_table_user(line->options);
    s->out->mountpoint = strdup(line->mountpoint);
    s->out->source = strdup(line->source);
    return s->out->mountpoint && s->out->source ? 0 : -ENOMEM;
}

int mount_table_identify(const char *path, struct mount_identity *out, struct err *e)
{
    char device[32];
    auto_free char *full = find_ours(path, device, sizeof device);
    struct identity_search s = { .path = full, .out = out };

    *out = (struct mount_identity){ .uid = (uid_t)-1 };
    FILE *table = full ? open_table() : NULL;
    if (table) {
        int rc = mount_table_each(table, note_identity, &s);
        (void)fclose(table); /* only read from */
        if (rc) {
            mount_identity_free(out);
            return err_nomem(e);
        }
    }
    if (!out->mountpoint)
        return err_set(e, ERR_NOT_FOUND, "%s: no package is mounted here", path);
    return 0;
}

void mount_identity_free(struct mount_identity *id)
{
    free(id->mountpoint);
    free(id->source);
    *id = (struct mount_identity){ .uid = (uid_t)-1 };
}

bool mount_table_device(const char *path, char *out, size_t size)
{
    auto_free char *full = find_ours(path, out, size);
    return full != NULL;
}

bool mount_is_ours(const char *path)
{
    char device[32];
    return mount_table_device(path, device, sizeof device);
}

struct listing {
    struct mount_entry *entries;
    size_t count;
};

static int add_to_listing(const struct mount_line *line, void *arg)
{
    struct listing *l = arg;

    if (!line->ours)
        return 0;
    struct mount_entry *grown = realloc(l->entries, (l->count + 1) * sizeof *grown);

    if (!grown)
        return -ENOMEM;
    l->entries = grown;
    struct mount_entry *entry = &l->entries[l->count++];
    entry->mountpoint = strdup(line->mountpoint);
    entry->fsname = strdup(line->source);
    return entry->mountpoint && entry->fsname ? 0 : -ENOMEM;
}

int mount_list(struct mount_entry **entries, size_t *count, struct err *e)
{
    struct listing l = { 0 };
    FILE *table = open_table();

    if (!table)
        return err_sys(e, "reading the mount table");
    int rc = mount_table_each(table, add_to_listing, &l);
    (void)fclose(table); /* only read from */
    if (rc < 0) {
        mount_list_free(l.entries, l.count);
        errno = -rc;
        return err_sys(e, "reading the mount table");
    }
    *entries = l.entries;
    *count = l.count;
    return 0;
}

void mount_list_free(struct mount_entry *entries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(entries[i].mountpoint);
        free(entries[i].fsname);
    }
    free(entries);
}
