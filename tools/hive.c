/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Walking through a hive. See hive.h. */
#include "config.h"

#include "tools/hive.h"

#ifdef HAVE_HIVEX

#include <fcntl.h>
#include <hivex.h>
#include <stdio.h>
#include <string.h>

#include "src/hive_check.h"
#include "tools/reg_text.h"

struct walk {
    hive_h *hive;
    struct hive_reader *reader;
    char *path;  /* of the key we are at */
    size_t room; /* of PATH */
};

/* What libhivex says of something that hive_check() let pass. */
static int hivex_error(const char *what, struct err *e)
{
    if (errno == ENOMEM)
        return err_nomem(e);
    return err_set(e, errno == ERANGE ? ERR_LIMIT : ERR_CORRUPT, "registry hive: %s (%s)", what,
                   strerror(errno));
}

/* NAME, of LEN bytes as libhivex counts, or NULL with errno: whether it can be used. -1: not, 1:
 * yes. */
static int check_name(const char *name, size_t len, bool key, const char *what, struct err *e)
{
    if (!name && errno != EILSEQ && errno != EINVAL)
        return hivex_error(what, e);
    return name && strlen(name) == len && reg_text_can_name(name, key);
}

static int read_value(struct walk *w, hive_value_h handle, struct err *e)
{
    auto_free char *name = hivex_value_key(w->hive, handle);
    int rc = check_name(name, name ? hivex_value_key_len(w->hive, handle) : 0, false,
                        "name of a value", e);

    if (rc < 0)
        return rc;
    if (!rc) {
        w->reader->unnamed++;
        return 0;
    }
    hive_type type;
    size_t len;
    if (hivex_value_type(w->hive, handle, &type, &len))
        return hivex_error("a value", e);
    auto_free char *data = len ? hivex_value_value(w->hive, handle, &type, &len) : NULL;
    if (len && !data)
        return hivex_error("data of a value", e);
    const struct hive_value v = { name, (uint32_t)type, (const uint8_t *)(len ? data : ""), len };
    return w->reader->value(w->reader->arg, &v, e);
}

/* Appends NAME to the path, which is LEN bytes long. */
static int go_down(struct walk *w, size_t len, const char *name, struct err *e)
{
    size_t n = strlen(name);

    if (w->room - len < n + 2) {
        size_t room = 2 * (len + n + 2);
        char *path = realloc(w->path, room);
        if (!path)
            return err_nomem(e);
        w->path = path;
        w->room = room;
    }
    (void)snprintf(w->path + len, w->room - len, "%s%s", len ? "\\" : "", name);
    return 0;
}

static int read_key(struct walk *w, hive_node_h key, size_t path_len, struct err *e);

static int read_child(struct walk *w, hive_node_h key, size_t path_len, struct err *e)
{
    auto_free char *name = hivex_node_name(w->hive, key);
    int rc =
        check_name(name, name ? hivex_node_name_len(w->hive, key) : 0, true, "name of a key", e);

    if (rc < 0)
        return rc;
    if (!rc) {
        w->reader->unnamed++;
        return 0;
    }
    rc = go_down(w, path_len, name, e);
    if (!rc)
        rc = read_key(w, key, strlen(w->path), e);
    w->path[path_len] = '\0';
    return rc;
}

/* hive_check() has seen how deep it is. */
static int read_key(struct walk *w, hive_node_h key, size_t path_len, struct err *e)
{
    int rc = w->reader->key(w->reader->arg, w->path, e);

    if (rc)
        return rc;
    auto_free hive_value_h *values = hivex_node_values(w->hive, key);
    if (!values)
        return hivex_error("values of a key", e);
    for (size_t i = 0; !rc && values[i]; i++)
        rc = read_value(w, values[i], e);
    if (rc)
        return rc;
    auto_free hive_node_h *children = hivex_node_children(w->hive, key);
    if (!children)
        return hivex_error("keys of a key", e);
    for (size_t i = 0; !rc && children[i]; i++)
        rc = read_child(w, children[i], path_len, e);
    return rc;
}

/* Puts the hive in a file, which has no name any more when libhivex has opened it. */
static int open_hive(const void *data, size_t len, hive_h **out, struct err *e)
{
    const char *dir = getenv("TMPDIR");
    char path[4096];
    int rc = 0;

    if (!dir || *dir != '/')
        dir = "/tmp";
    if (snprintf(path, sizeof path, "%s/sftfs-hive.XXXXXX", dir) >= (int)sizeof path)
        return err_set(e, ERR_INVALID, "%s: the name is too long", dir);
    auto_close int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        return err_sys(e, "%s: cannot create a temporary file", path);
    for (size_t done = 0; !rc && done < len;) {
        ssize_t n = write(fd, (const char *)data + done, len - done);
        if (n > 0)
            done += (size_t)n;
        else if (n == 0 || errno != EINTR)
            rc = err_sys(e, "%s: cannot write", path);
    }
    *out = rc ? NULL : hivex_open(path, 0);
    if (!rc && !*out)
        rc = hivex_error("cannot be opened", e);
    (void)unlink(path);
    return rc;
}

int hive_supported(struct err *e)
{
    (void)e;
    return 0;
}

int hive_read(const void *data, size_t len, struct hive_reader *r, struct err *e)
{
    struct walk w = { .reader = r };
    int rc = hive_check(data, len, e);

    if (!rc)
        rc = open_hive(data, len, &w.hive, e);
    if (rc)
        return rc;
    w.path = strdup("");
    w.room = 1;
    rc = w.path ? read_key(&w, hivex_root(w.hive), 0, e) : err_nomem(e);
    free(w.path);
    (void)hivex_close(w.hive);
    return rc;
}

#else

int hive_supported(struct err *e)
{
    return err_set(e, ERR_UNSUPPORTED,
                   "this program was built without libhivex, which registries need");
}

int hive_read(const void *data, size_t len, struct hive_reader *r, struct err *e)
{
    (void)data;
    (void)len;
    (void)r;
    return hive_supported(e);
}

#endif
