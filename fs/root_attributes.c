/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How the mount is, as extended attributes of its root. See root_attributes.h. */
#include "config.h"

#include "fs/root_attributes.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool is_shown_to(const struct vfs *v, fuse_req_t req, fuse_ino_t ino)
{
    uid_t uid = fuse_req_ctx(req)->uid;

    return vfs_id(ino) == FUSE_ROOT_ID && v->options->status != MOUNT_STATUS_NONE &&
           (!uid || uid == geteuid() || uid == v->options->uid);
}

/* Rows of one value make attributes. */
static bool has_attribute(const struct control_row *row)
{
    return !*row->label_name && row->kind != CONTROL_HISTOGRAM;
}

static const char *suffix(const struct control_row *row)
{
    static const char *const suffixes[] = {
        [CONTROL_NUMBER] = "",
        [CONTROL_BYTES] = "_bytes",
        [CONTROL_MS] = "_ms",
        [CONTROL_PERCENT] = "_percent",
    };

    return suffixes[row->unit];
}

struct search {
    const char *name; /* without the prefix */
    char *value;      /* owned; NULL: not found */
};

static void match(const struct control_row *row, void *arg)
{
    struct search *s = arg;
    size_t len = strlen(row->name);

    if (s->value || !has_attribute(row) || strncmp(s->name, row->name, len) != 0 ||
        strcmp(s->name + len, suffix(row)) != 0)
        return;
    if (row->kind == CONTROL_TEXT)
        s->value = strdup(row->text);
    else if (asprintf(&s->value, "%" PRIu64, row->value) < 0)
        s->value = NULL;
}

void root_attribute_reply(struct vfs *v, fuse_req_t req, fuse_ino_t ino, const char *name,
                          size_t size)
{
    struct search s = { .name = name + strlen(ROOT_ATTRIBUTE_PREFIX) };

    if (is_shown_to(v, req, ino))
        control_rows(&v->told, CONTROL_IN_STATUS, match, &s);
    if (!s.value)
        fuse_reply_err(req, ENODATA);
    else if (!size)
        fuse_reply_xattr(req, strlen(s.value));
    else if (size < strlen(s.value))
        fuse_reply_err(req, ERANGE);
    else
        fuse_reply_buf(req, s.value, strlen(s.value));
    free(s.value);
}

static void add_name(const struct control_row *row, void *arg)
{
    FILE *out = arg;

    if (has_attribute(row)) {
        (void)fprintf(out, ROOT_ATTRIBUTE_PREFIX "%s%s", row->name, suffix(row));
        (void)fputc('\0', out);
    }
}

ssize_t root_attribute_list(struct vfs *v, fuse_req_t req, fuse_ino_t ino, char **names)
{
    size_t len = 0;

    *names = NULL;
    if (v->options->status != MOUNT_STATUS_LISTED || !is_shown_to(v, req, ino))
        return 0;
    FILE *out = open_memstream(names, &len);
    if (!out)
        return -ENOMEM;
    control_rows(&v->told, CONTROL_IN_STATUS, add_name, out);
    if (!fclose(out))
        return (ssize_t)len;
    free(steal_ptr(names));
    return -ENOMEM;
}
