/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tokens of App-V packages and what they stand for. See appv_tokens.h. */
#include "config.h"

#include "src/appv_tokens.h"

#include <string.h>

#include "src/appv_known.h"
#include "src/fold.h"
#include "src/list.h"

#define PACKAGE_ROOT "AppVPackageRoot"
struct setting {
    char *name, *value;
};

struct appv_tokens {
    struct appv_token_options o;
    struct list settings; /* of struct setting */
    size_t setting_count;
    uint64_t replaced, unknown;
    char *unknown_names[APPV_UNKNOWN_MAX + 1];
    size_t unknown_count; /* of the names */
};

/* A text that grows. */
struct text {
    struct list bytes;
    size_t len;
};

static int append(struct text *t, const char *bytes, size_t len, struct err *e)
{
    while (t->bytes.room - t->len < len + 1) { /* doubles each time; one byte for the NUL */
        int rc = list_make_room(&t->bytes, t->bytes.room, 1, e);
        if (rc)
            return rc;
    }
    char *to = t->bytes.items;
    memcpy(to + t->len, bytes, len);
    t->len += len;
    to[t->len] = '\0';
    return 0;
}

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == ' ' ||
           c == '_';
}

bool appv_token_at(const char *text, size_t len, struct appv_token *out)
{
    size_t n = 0;

    if (len < 4 || text[0] != '[' || text[1] != '{')
        return false;
    while (2 + n < len && n <= APPV_TOKEN_NAME_MAX && is_name_byte(text[2 + n]))
        n++;
    if (!n || n > APPV_TOKEN_NAME_MAX)
        return false;
    *out = (struct appv_token){ .name = text + 2, .name_len = n };
    if (len - 2 - n >= 2 && !memcmp(text + 2 + n, "}]", 2))
        out->len = n + 4;
    else if (len - 2 - n >= 5 && !memcmp(text + 2 + n, "}{~}]", 5))
        out->len = n + 7;
    return out->len;
}

static bool is_called(const struct appv_token *t, const char *name)
{
    return fold_equal(t->name, t->name_len, name, strlen(name));
}

static const struct appv_known *find_known(const struct appv_token *t)
{
    return appv_known_find(t->name, t->name_len);
}

/* --- in the package -------------------------------------------------------------------------- */

static uint32_t child(const struct package *p, uint32_t dir, const char *name, size_t len)
{
    if (dir == NODE_NONE || !(package_node(p, dir)->flags & NODE_DIR))
        return NODE_NONE;
    return package_lookup(p, dir, name, len, false);
}

/* What PATH names below DIR; empty components are skipped. */
static uint32_t below(const struct package *p, uint32_t dir, const char *path)
{
    while (dir != NODE_NONE && *path) {
        size_t len = strcspn(path, "\\/");
        if (len)
            dir = child(p, dir, path, len);
        path += len + (path[len] != '\0');
    }
    return dir;
}

/* The first or the second directory below VFS for T, as WHICH is 0 or 1. */
static uint32_t vfs_directory(const struct package *p, uint32_t top, const struct appv_token *t,
                              unsigned which)
{
    uint32_t vfs = child(p, top, "VFS", 3);
    const struct appv_known *k;

    if (!which)
        return child(p, vfs, t->name, t->name_len);
    k = find_known(t);
    return k && k->vfs ? child(p, vfs, k->vfs, strlen(k->vfs)) : NODE_NONE;
}

uint32_t appv_payload(const struct package *p, bool metadata)
{
    uint32_t root = metadata && !strcmp(package_info(p)->format, "appv")
                        ? child(p, NODE_ROOT, "Root", 4)
                        : NODE_NONE;

    return root == NODE_NONE ? NODE_ROOT : root;
}

uint32_t appv_token_resolve(const struct package *p, uint32_t top, const char *path)
{
    struct appv_token t;
    uint32_t found = NODE_NONE;

    if (!appv_token_at(path, strlen(path), &t))
        return below(p, top, path);
    if (is_called(&t, PACKAGE_ROOT))
        return below(p, top, path + t.len);
    for (unsigned which = 0; which < 2 && found == NODE_NONE; which++)
        found = below(p, vfs_directory(p, top, &t, which), path + t.len);
    return found;
}

/* --- replacing ------------------------------------------------------------------------------- */

struct appv_tokens *appv_tokens_new(void)
{
    return calloc(1, sizeof(struct appv_tokens));
}

void appv_tokens_configure(struct appv_tokens *t, const struct appv_token_options *o)
{
    t->o = *o;
}

void appv_tokens_free(struct appv_tokens *t)
{
    if (!t)
        return;
    struct setting *settings = t->settings.items;
    for (size_t i = 0; i < t->setting_count; i++) {
        free(settings[i].name);
        free(settings[i].value);
    }
    free(settings);
    for (size_t i = 0; i < t->unknown_count; i++)
        free(t->unknown_names[i]);
    free(t);
}

int appv_tokens_set(struct appv_tokens *t, const char *assignment, struct err *e)
{
    const char *equals = strchr(assignment, '=');
    size_t len = equals ? (size_t)(equals - assignment) : 0;

    for (size_t i = 0; i < len; i++)
        if (!is_name_byte(assignment[i]))
            len = 0;
    if (!len || len > APPV_TOKEN_NAME_MAX)
        return err_set(e, ERR_INVALID, "token '%s': NAME=VALUE is expected, without brackets",
                       assignment);
    int rc = list_make_room(&t->settings, t->setting_count, sizeof(struct setting), e);
    if (rc)
        return rc;
    struct setting *s = (struct setting *)t->settings.items + t->setting_count;
    *s = (struct setting){ .name = strndup(assignment, len), .value = strdup(equals + 1) };
    t->setting_count++;
    return s->name && s->value ? 0 : err_nomem(e);
}

/* The last one counts. */
static const char *find_setting(const struct appv_tokens *t, const struct appv_token *token)
{
    const struct setting *settings = t->settings.items;

    for (size_t i = t->setting_count; i-- > 0;)
        if (is_called(token, settings[i].name))
            return settings[i].value;
    return NULL;
}

static int note_unknown(struct appv_tokens *t, const struct appv_token *token, struct err *e)
{
    t->unknown++;
    if (t->unknown_count == APPV_UNKNOWN_MAX)
        return 0;
    for (size_t i = 0; i < t->unknown_count; i++)
        if (is_called(token, t->unknown_names[i]))
            return 0;
    char *name = strndup(token->name, token->name_len);
    if (!name)
        return err_nomem(e);
    t->unknown_names[t->unknown_count++] = name;
    return 0;
}

/*
 * Whether DIR has what REST, the text behind a token, begins with: "\Notepad++\notepad++.exe" or
 * "\shell.dll,-3" or "\a.exe %1". Where a name ends is not said, so it is tried from its longest.
 */
static bool has_first(const struct package *p, uint32_t dir, const char *rest, size_t len)
{
    size_t n = 1;

    if (dir == NODE_NONE || len < 2 || rest[0] != '\\')
        return false;
    while (n < len && n <= NAME_MAX_BYTES && rest[n] != '\\' && rest[n] != '"' && rest[n])
        n++;
    for (; n > 1; n--)
        if ((n == len || strchr("\\\" ,;", rest[n])) && child(p, dir, rest + 1, n - 1) != NODE_NONE)
            return true;
    return false;
}

/* ROOT\VFS\NAME for a token whose path, of which REST is behind it, is in the package. */
static int append_vfs(const struct appv_tokens *t, const struct appv_token *token, const char *rest,
                      size_t len, struct text *to, bool *done, struct err *e)
{
    const struct package *p = t->o.package;

    for (unsigned which = 0; t->o.root && p && !*done && which < 2; which++) {
        uint32_t dir = vfs_directory(p, t->o.top, token, which);
        if (!has_first(p, dir, rest, len))
            continue;
        const char *name = package_name(p, dir);
        *done = true;
        int rc = append(to, t->o.root, strlen(t->o.root), e);
        if (!rc)
            rc = append(to, "\\VFS\\", 5, e);
        return rc ? rc : append(to, name, strlen(name), e);
    }
    return 0;
}

static int append_known(const struct appv_tokens *t, const char *path, struct text *to,
                        struct err *e)
{
    int rc = 0;

    if (*path == '~') {
        path++;
        rc = append(to, "C:\\users\\", 9, e);
        if (!rc)
            rc = append(to, t->o.user, strlen(t->o.user), e);
    }
    return rc ? rc : append(to, path, strlen(path), e);
}

static int append_unknown(struct appv_tokens *t, const struct appv_token *token, struct text *to,
                          struct err *e)
{
    int rc = note_unknown(t, token, e);

    return rc ? rc : append(to, token->name - 2, token->len, e);
}

/* LEN bytes of REST are behind the token. */
static int append_token(struct appv_tokens *t, const struct appv_token *token, const char *rest,
                        size_t len, struct text *to, struct err *e)
{
    const char *value = find_setting(t, token);
    const struct appv_known *known = find_known(token);
    bool done = false;
    int rc;

    if (!value && is_called(token, PACKAGE_ROOT))
        value = t->o.root;
    if (!value) {
        rc = append_vfs(t, token, rest, len, to, &done, e);
        if (!rc && !done && !known)
            return append_unknown(t, token, to, e);
        t->replaced++;
        return rc || done ? rc : append_known(t, known->path, to, e);
    }
    t->replaced++;
    return append(to, value, strlen(value), e);
}

static int append_in_key(struct appv_tokens *t, const struct appv_token *token, const char *rest,
                         size_t len, struct text *to, struct err *e)
{
    const char *value = find_setting(t, token);
    const struct appv_known *known = find_known(token);

    (void)rest, (void)len;
    if (!value && known)
        value = known->path;
    if (!value || *value == '~' || strchr(value, '\\'))
        return append_unknown(t, token, to, e);
    t->replaced++;
    return append(to, value, strlen(value), e);
}

typedef int (*append_fn)(struct appv_tokens *t, const struct appv_token *token, const char *rest,
                         size_t len, struct text *to, struct err *e);

static int replace(struct appv_tokens *t, append_fn append_one, const char *text, size_t len,
                   char **out, size_t *out_len, struct err *e)
{
    struct text to = { .len = 0 };
    size_t from = 0; /* of what is to be copied as it is */
    int rc = 0;

    for (size_t i = 0; !rc && i < len;) {
        struct appv_token token;
        if (!appv_token_at(text + i, len - i, &token)) {
            i++;
            continue;
        }
        rc = append(&to, text + from, i - from, e);
        i += token.len;
        from = i;
        if (!rc)
            rc = append_one(t, &token, text + i, len - i, &to, e);
    }
    if (!rc)
        rc = append(&to, text + from, len - from, e);
    if (rc) {
        free(to.bytes.items);
        return rc;
    }
    *out = to.bytes.items;
    *out_len = to.len;
    return 0;
}

int appv_tokens_replace(struct appv_tokens *t, const char *text, size_t len, char **out,
                        size_t *out_len, struct err *e)
{
    return replace(t, append_token, text, len, out, out_len, e);
}

int appv_tokens_replace_key(struct appv_tokens *t, const char *path, size_t len, char **out,
                            size_t *out_len, struct err *e)
{
    return replace(t, append_in_key, path, len, out, out_len, e);
}

uint64_t appv_tokens_replaced(const struct appv_tokens *t)
{
    return t->replaced;
}

uint64_t appv_tokens_unknown(const struct appv_tokens *t, const char *const **names)
{
    *names = (const char *const *)t->unknown_names;
    return t->unknown;
}
