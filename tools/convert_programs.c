/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Programs of packages that are converted. See convert_programs.h. */
#include "config.h"

#include "tools/convert_programs.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "src/fold.h"
#include "src/osd.h"
#include "src/pack_plan.h"
#include "tools/read_file.h"

#define OSD_BYTES_MAX  (4u << 20)
#define PROGRAMS_MAX   256u /* names are compared one with all */
#define NAME_BYTES_MAX 100u /* a file is called so, and more besides */

struct collecting {
    struct convert_programs *to;
    const struct pack_package *p;
    const struct pack_tree *tree;
    enum pack_format format;
    struct losses *l;
};

/* --- names ------------------------------------------------------------------------------------ */

/* NAME as a file can be called on Windows. "" when nothing is left. */
static void make_name(const char *name, char out[NAME_BYTES_MAX + 1])
{
    size_t n = strlen(name);
    if (n > NAME_BYTES_MAX) /* not in the middle of a character */
        for (n = NAME_BYTES_MAX; n && (name[n] & 0xC0) == 0x80;)
            n--;
    for (size_t i = 0; i < n; i++)
        out[i] = (unsigned char)name[i] < 0x20 || strchr("/\\:*?\"<>|=\x7f", name[i]) ? '_' : name[i];
    while (n && (out[n - 1] == '.' || out[n - 1] == ' '))
        n--;
    out[n] = '\0';
    if (n && name_check(out, n, NULL))
        out[0] = '\0';
}

static bool is_taken(const struct convert_programs *to, const char *name)
{
    for (size_t i = 0; i < to->count; i++) {
        const char *have = strrchr(to->texts[i], '=') + 1;
        if (fold_equal(have, strlen(have), name, strlen(name)))
            return true;
    }
    return false;
}

/* NAME as it can be, and as no other program is called. */
static void make_unique(const struct convert_programs *to, const char *name, const char *otherwise,
                        char out[NAME_BYTES_MAX + 16])
{
    char fit[NAME_BYTES_MAX + 1];
    make_name(name, fit);
    if (!*fit)
        make_name(otherwise, fit);
    (void)snprintf(out, NAME_BYTES_MAX + 16, "%s", *fit ? fit : "Program");
    for (unsigned n = 2; is_taken(to, out); n++)
        (void)snprintf(out, NAME_BYTES_MAX + 16, "%s %u", *fit ? fit : "Program", n);
}

/* Room for one more program. */
static int grow(struct convert_programs *to, struct err *e)
{
    if (to->count >= PROGRAMS_MAX)
        return err_set(e, ERR_LIMIT, "more than %u programs", PROGRAMS_MAX);
    char **texts = realloc(to->texts, (to->count + 1) * sizeof *texts);
    if (texts)
        to->texts = texts;
    char **arguments = realloc(to->arguments, (to->count + 1) * sizeof *arguments);
    if (arguments)
        to->arguments = arguments;
    return texts && arguments ? 0 : err_nomem(e);
}

/* Adds the program at ENTRY. NAME may be unfit, or there already. */
static int add(struct collecting *c, uint32_t entry, const char *name, const char *arguments,
               struct err *e)
{
    char unique[NAME_BYTES_MAX + 16];
    struct convert_programs *to = c->to;
    int rc = grow(to, e);
    if (rc)
        return rc;
    make_unique(to, name, c->tree->entries[entry].name, unique);
    auto_free char *path = pack_tree_package_path(c->tree, entry);
    auto_free char *copy = strdup(arguments);
    size_t size = path ? strlen(path) + strlen(unique) + 2 : 0;
    char *text = path ? malloc(size) : NULL;
    if (!text || !copy) {
        free(text);
        return err_nomem(e);
    }
    (void)snprintf(text, size, "%s=%s", path, unique);
    to->texts[to->count] = text;
    to->arguments[to->count++] = steal_ptr(&copy);
    return 0;
}

/* A program that may be outside the package, or be none. */
static int add_path(struct collecting *c, const char *path, const char *name, const char *arguments,
                    struct err *e)
{
    const struct package *p = c->p->in->package;
    uint32_t node = *path ? package_resolve(p, path, false) : NODE_NONE;
    bool inside = node != NODE_NONE && !sft_is_dir(package_node(p, node)) &&
                  c->p->entries[node] != PACK_NO_RANK;
    c->l->count[LOSS_PROGRAMS_OUTSIDE] += !inside;
    c->l->count[LOSS_ARGUMENTS] += *arguments && (!inside || c->format == PACK_MSIX);
    return inside ? add(c, c->p->entries[node], name, arguments, e) : 0;
}

void convert_programs_clear(struct convert_programs *to)
{
    for (size_t i = 0; i < to->count; i++)
        free(to->texts[i]);
    for (size_t i = 0; i < to->count; i++)
        free(to->arguments[i]);
    free(to->texts);
    free(to->arguments);
    *to = (struct convert_programs){ .texts = NULL };
}

/* --- OSD -------------------------------------------------------------------------------------- */

static int read_osd(const char *path, struct osd **out, struct err *e)
{
    auto_free char *text = NULL;
    size_t len;
    int rc = read_whole_file(path, OSD_BYTES_MAX, &text, &len, e);
    if (rc)
        return rc;
    rc = osd_read(text, len, out, e);
    if (rc)
        err_wrap(e, "%s", path);
    return rc;
}

static bool is_of(const struct osd *osd, const struct package *p)
{
    struct guid guid;
    return !guid_parse(osd->codebase.guid, &guid) &&
           !memcmp(&guid, &package_info(p)->package_guid, sizeof guid);
}

/* Whether a shortcut is the one that every program gets. */
static bool is_plain(const struct osd_shortcut *s, const struct osd *osd)
{
    return !strcmp(s->display, osd->name) && !strncasecmp(s->location, "%CSIDL_", 7) &&
           strstr(s->location, "PROGRAMS%");
}

static void count_osd(const struct osd *osd, struct losses *l)
{
    uint64_t *n = l->count;
    n[LOSS_WORKING_DIRECTORIES] += *osd->working_dir != '\0';
    n[LOSS_SCRIPTS] += osd->script_count;
    n[LOSS_ENVIRONMENT] += osd->environment_count;
    n[LOSS_POLICIES] += osd->policy_count;
    n[LOSS_DEPENDENCIES] += osd->dependency_count;
    n[LOSS_SYSTEMS] += osd->os_count;
    n[LOSS_FILE_TYPES] += osd->extension_count;
    for (size_t i = 0; i < osd->shortcut_count; i++) {
        n[LOSS_SHORTCUTS] += !is_plain(&osd->shortcuts[i], osd);
        n[LOSS_ICONS] += *osd->shortcuts[i].icon != '\0';
    }
}

int convert_programs_of_osds(struct convert_programs *to, char *const *paths, size_t count,
                             const struct pack_package *p, const struct pack_tree *tree,
                             enum pack_format format, struct losses *l, struct err *e)
{
    struct collecting c = { to, p, tree, format, l };
    int rc = 0;
    for (size_t i = 0; !rc && i < count; i++) {
        struct osd *osd = NULL;
        rc = read_osd(paths[i], &osd, e);
        if (!rc && *osd->codebase.guid && !is_of(osd, p->in->package))
            rc = err_set(e, ERR_GUID_MISMATCH, "%s is of another package (%s)", paths[i],
                         osd->codebase.guid);
        if (!rc) {
            count_osd(osd, l);
            rc = add_path(&c, osd->codebase.filename, osd->name, osd->codebase.parameters, e);
        }
        osd_free(osd);
    }
    return rc;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int keep_if_ours(char *path, const struct package *p, char ***paths, size_t *count,
                        struct err *e)
{
    struct osd *osd = NULL;
    struct stat st;
    /* Nobody has named it: a pipe called so would be waited for. */
    bool ours = !stat(path, &st) && S_ISREG(st.st_mode) && !read_osd(path, &osd, NULL) && is_of(osd, p);
    char **grown = ours ? realloc(*paths, (*count + 1) * sizeof *grown) : NULL;
    osd_free(osd);
    if (!ours) {
        free(path);
        return 0;
    }
    if (!grown) {
        free(path);
        return err_nomem(e);
    }
    *paths = grown;
    grown[(*count)++] = path;
    return 0;
}

int convert_find_osds(const char *location, const struct package *p, char ***paths, size_t *count,
                      struct err *e)
{
    const char *slash = strrchr(location, '/');
    auto_free char *dir = slash ? strndup(location, (size_t)(slash - location) + 1) : strdup("./");
    DIR *d = dir && !strstr(location, "://") ? opendir(dir) : NULL;
    const struct dirent *de;
    int rc = dir ? 0 : err_nomem(e);
    while (!rc && d && (de = readdir(d))) {
        size_t len = strlen(de->d_name), before = strlen(dir);
        if (len < 5 || strcasecmp(de->d_name + len - 4, ".osd") != 0)
            continue;
        char *path = malloc(before + len + 1);
        if (path) {
            memcpy(path, dir, before);
            memcpy(path + before, de->d_name, len + 1);
        }
        rc = path ? keep_if_ours(path, p, paths, count, e) : err_nomem(e);
    }
    if (d)
        (void)closedir(d);
    if (*count)
        qsort(*paths, *count, sizeof **paths, by_name);
    return rc;
}

/* --- manifests -------------------------------------------------------------------------------- */

struct application {
    const char *executable, *name, *id, *arguments;
};

/* "[{AppVPackageRoot}]\x" is x, "[{Token}]\x" is VFS\Token\x; what has no token stays. */
static char *path_of_target(const char *target)
{
    const char *end = strncmp(target, "[{", 2) ? NULL : strstr(target, "}]");
    size_t token = end ? (size_t)(end - target) - 2 : 0, size = strlen(target) + sizeof "VFS\\";
    char *path = malloc(size);
    if (!path)
        return NULL;
    if (!end)
        (void)snprintf(path, size, "%s", target);
    else if (token == strlen("AppVPackageRoot") && !strncasecmp(target + 2, "AppVPackageRoot", token))
        (void)snprintf(path, size, "%s", end + 2);
    else
        (void)snprintf(path, size, "VFS\\%.*s%s", (int)token, target + 2, end + 2);
    return path;
}

static const char *value_of(const struct package_detail *d, const char *key, const char *otherwise)
{
    return strcmp(d->key, key) ? otherwise : d->value;
}

/* The command line of the first shortcut to an application: of App-V packages only shortcuts have any. */
static const char *arguments_of_shortcut(const struct package_detail *d, size_t count, const char *id)
{
    const char *arguments = NULL;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(d[i].list, "shortcuts"))
            continue;
        if (i == 0 || d[i - 1].item != d[i].item || strcmp(d[i - 1].list, d[i].list))
            arguments = NULL;
        arguments = value_of(&d[i], "arguments", arguments);
        if (!strcmp(d[i].key, "application") && !strcmp(d[i].value, id)) /* the last of its keys */
            return arguments;
    }
    return NULL;
}

static int add_application(struct collecting *c, const struct application *a,
                           const struct package_detail *d, size_t count, struct err *e)
{
    auto_free char *path = path_of_target(a->executable ? a->executable : "");
    const char *name = a->name && strncasecmp(a->name, "ms-resource:", 12) ? a->name : "";
    const char *arguments = a->arguments ? a->arguments
                            : a->id      ? arguments_of_shortcut(d, count, a->id)
                                         : NULL;
    if (!path)
        return err_nomem(e);
    if (arguments && c->l->count[LOSS_ARGUMENTS])
        c->l->count[LOSS_ARGUMENTS]--; /* counted with all; this one may be kept */
    return add_path(c, path, name, arguments ? arguments : "", e);
}

static void count_detail(const struct package_detail *d, struct losses *l)
{
    static const struct {
        const char *list, *key;
        enum loss loss;
    } counted[] = {
        { "applications", "arguments", LOSS_ARGUMENTS },
        { "applications", "working_directory", LOSS_WORKING_DIRECTORIES },
        { "shortcuts", "arguments", LOSS_ARGUMENTS },
        { "shortcuts", "working_directory", LOSS_WORKING_DIRECTORIES },
        { "file_types", "name", LOSS_FILE_TYPES },
        { "protocols", "name", LOSS_PROTOCOLS },
        { "commands", "name", LOSS_COMMANDS },
        { "capabilities", "name", LOSS_CAPABILITIES },
        { "dependencies", "name", LOSS_DEPENDENCIES },
    };
    for (size_t i = 0; i < ARRAY_LEN(counted); i++)
        if (!strcmp(d->list, counted[i].list) && !strcmp(d->key, counted[i].key))
            l->count[counted[i].loss]++;
    if (!strcmp(d->list, "shortcuts") && !strcmp(d->key, "file"))
        l->count[LOSS_SHORTCUTS] += strncmp(d->value, "[{Common Programs}]\\", 20) ||
                                    strchr(d->value + 20, '\\');
}

int convert_programs_of_details(struct convert_programs *to, const struct pack_package *p,
                                const struct pack_tree *tree, enum pack_format format,
                                struct losses *l, struct err *e)
{
    struct collecting c = { to, p, tree, format, l };
    size_t count;
    const struct package_detail *d = package_details(p->in->package, &count);
    struct application a = { .executable = NULL };
    unsigned seen = 0;
    int rc = 0;
    for (size_t i = 0; i < count; i++)
        count_detail(&d[i], l);
    for (size_t i = 0; !rc && i < count; i++) {
        if (strcmp(d[i].list, "applications"))
            continue;
        a.executable = value_of(&d[i], "executable", a.executable);
        a.name = value_of(&d[i], "display_name", a.name);
        a.id = value_of(&d[i], "id", a.id);
        a.arguments = value_of(&d[i], "arguments", a.arguments);
        bool last = i + 1 == count || strcmp(d[i + 1].list, d[i].list) || d[i + 1].item != d[i].item;
        if (last) {
            if (seen++ < PROGRAMS_MAX) /* each takes time proportional to all that is said */
                rc = add_application(&c, &a, d, count, e);
            else
                l->count[LOSS_PROGRAMS_OUTSIDE]++;
            a = (struct application){ .executable = NULL };
        }
    }
    return rc;
}
