/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mounts of type fuse.sftfs: finding, listing and unmounting them. Implements the second half of
 * mount.h and mount_table.h. Nothing here walks into a mount, so that it works on a stuck one.
 */
#include "config.h"

#include "fs/mount_table.h"

#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include "fs/mount.h"

#define OUR_TYPE "fuse.sftfs"

extern char **environ;

struct mountinfo_line {
    char *device, *mountpoint, *type, *source;
};

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
static bool parse_line(char *line, struct mountinfo_line *out)
{
    char *save = NULL, *field[6], *word;

    for (size_t i = 0; i < ARRAY_LEN(field); i++)
        if (!(field[i] = strtok_r(i ? NULL : line, " \n", &save)))
            return false;
    do {
        word = strtok_r(NULL, " \n", &save);
    } while (word && strcmp(word, "-") != 0);
    out->device = field[2];
    out->mountpoint = field[4];
    out->type = word ? strtok_r(NULL, " \n", &save) : NULL;
    out->source = out->type ? strtok_r(NULL, " \n", &save) : NULL;
    if (!out->source)
        return false;
    unescape(out->mountpoint);
    unescape(out->source);
    return true;
}

/* Calls EACH for every mount of ours, oldest first, until it returns non-zero; returns that. */
static int for_each(int (*each)(const struct mountinfo_line *line, void *arg), void *arg)
{
    FILE *f = fopen("/proc/self/mountinfo", "re");
    char *line = NULL;
    size_t size = 0;
    int rc = 0;

    if (!f)
        return -errno;
    while (!rc && getline(&line, &size, f) > 0) {
        struct mountinfo_line m;
        if (parse_line(line, &m) && !strcmp(m.type, OUR_TYPE))
            rc = each(&m, arg);
    }
    free(line);
    (void)fclose(f); /* only read from */
    return rc;
}

struct device_search {
    const char *path;
    char device[32];
};

static int note_device(const struct mountinfo_line *line, void *arg)
{
    struct device_search *s = arg;

    if (!strcmp(line->mountpoint, s->path))
        (void)snprintf(s->device, sizeof s->device, "%s", line->device);
    return 0; /* the last one is on top */
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

bool mount_table_device(const char *path, char *out, size_t size)
{
    auto_free char *full = canonical(path);
    struct device_search s = { .path = full };

    if (!full || for_each(note_device, &s) || !s.device[0])
        return false;
    (void)snprintf(out, size, "%s", s.device);
    return true;
}

bool mount_is_ours(const char *path)
{
    char device[32];
    return mount_table_device(path, device, sizeof device);
}

bool mount_is_dead(const char *path)
{
    struct statfs st;
    return mount_is_ours(path) && statfs(path, &st) < 0 && errno == ENOTCONN;
}

struct listing {
    struct mount_entry *entries;
    size_t count;
};

static int add_to_listing(const struct mountinfo_line *line, void *arg)
{
    struct listing *l = arg;
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
    int rc = for_each(add_to_listing, &l);

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

/* Runs fusermount3; its own message goes to our stderr. */
static int run_fusermount(const char *path, bool lazy, struct err *e)
{
    char program[] = "fusermount3", unmount[] = "-u", detach[] = "-z", end[] = "--";
    auto_free char *copy = strdup(path);
    char *argv[] = { program, unmount, lazy ? detach : end, lazy ? end : copy, lazy ? copy : NULL,
                     NULL };
    pid_t child;
    int status;

    if (!copy)
        return err_nomem(e);
    int rc = posix_spawnp(&child, program, NULL, NULL, argv, environ);
    if (rc) {
        errno = rc;
        return err_sys(e, "cannot run fusermount3 to unmount %s", path);
    }
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return err_sys(e, "waiting for fusermount3");
    if (!WIFEXITED(status) || WEXITSTATUS(status))
        return err_set(e, ERR_BUSY, "%s was not unmounted%s", path,
                       lazy ? "" : "; is a program still using it? --lazy detaches it anyway");
    return 0;
}

int mount_unmount(const char *path, bool lazy, struct err *e)
{
    auto_free char *full = canonical(path);

    if (!full || !mount_is_ours(full))
        return err_set(e, ERR_NOT_FOUND, "%s: no package is mounted here", path);
    if (geteuid() != 0)
        return run_fusermount(full, lazy, e);
    if (umount2(full, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) == 0)
        return 0;
    if (errno == EBUSY)
        return err_set(e, ERR_BUSY, "%s is in use; end the programs that use it, or detach it "
                       "with --lazy", path);
    return err_sys(e, "unmounting %s", path);
}
