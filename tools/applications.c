/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The programs of a mount. See applications.h. */
#include "config.h"

#include "tools/applications.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "src/appv_tokens.h"
#include "tools/json.h"

/* As a document has it; NULL for what it does not say. */
struct program {
    const char *name, *executable, *working_dir, *arguments;
    bool from_osd;
};

/* --- where things are ------------------------------------------------------------------------ */

/* The virtual drive of App-V 4 has packages at its top; of a package, its asset directory. */
static const char *without_drive(const char *path)
{
    static const char drive[] = "%SFT_MNT%\\";

    return strncasecmp(path, drive, strlen(drive)) ? path : path + strlen(drive);
}

/* PATH behind its first component if that may be an asset directory, which not every tree has; or
 * NULL. */
static const char *without_asset_directory(const char *path)
{
    size_t n = strcspn(path, "\\/");

    return path[n] && !memchr(path, '%', n) && !memchr(path, ':', n) ? path + n + 1 : NULL;
}

static uint32_t find(const struct applications *a, const char *path, bool from_osd)
{
    const char *shorter = NULL;

    if (from_osd) {
        path = without_drive(path);
        shorter = without_asset_directory(path);
    }
    uint32_t node = appv_token_resolve(a->package, a->top, path);
    return node == NODE_NONE && shorter ? appv_token_resolve(a->package, a->top, shorter) : node;
}

/* The path in the mount of what PATH names, a directory or not as DIRECTORY says; *out stays NULL
 * if there is no such thing. Caller frees. */
static int place(const struct applications *a, const char *path, bool from_osd, bool directory,
                 char **out, struct err *e)
{
    uint32_t node = path ? find(a, path, from_osd) : NODE_NONE;

    *out = NULL;
    if (node == NODE_NONE || !(package_node(a->package, node)->flags & NODE_DIR) == directory)
        return 0;
    auto_free char *inside = package_path(a->package, node);
    const char *top = strcmp(a->mountpoint, "/") ? a->mountpoint : "";
    if (inside && asprintf(out, "%s%s%s", top, *inside ? "/" : "", inside) >= 0)
        return 0;
    *out = NULL;
    return err_nomem(e);
}

/* --- output ---------------------------------------------------------------------------------- */

static void put_field(FILE *out, const char *text, char end)
{
    if (!text || !*text)
        text = "-"; /* an empty one is no field for read in a shell: tabs are white space */
    else if (!strcmp(text, "-"))
        return (void)fprintf(out, "\\0055%c", end);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '\\')
            (void)fputs("\\\\", out);
        else if (c < 0x20 || c == 0x7f)
            (void)fprintf(out, "\\0%03o", c);
        else
            (void)fputc(c, out);
    }
    (void)fputc(end, out);
}

struct writing {
    const struct applications *a;
    FILE *out;
    struct json json;
};

static int write_program(struct writing *w, const struct program *p, struct err *e)
{
    auto_free char *executable = NULL, *dir = NULL;
    int rc = place(w->a, p->executable, p->from_osd, false, &executable, e);

    if (!rc)
        rc = place(w->a, p->working_dir, p->from_osd, true, &dir, e);
    if (rc)
        return rc;
    if (!w->a->json) {
        put_field(w->out, executable ? "P" : "S", '\t');
        put_field(w->out, executable ? executable : p->executable, '\t');
        put_field(w->out, dir ? dir : p->working_dir, '\t');
        put_field(w->out, p->arguments, '\t');
        put_field(w->out, p->name, '\n');
        return 0;
    }
    json_object(&w->json, NULL);
    json_string(&w->json, "name", p->name);
    json_string(&w->json, "executable", executable ? executable : p->executable);
    json_bool(&w->json, "in_package", executable);
    json_string(&w->json, "working_directory", dir ? dir : p->working_dir);
    json_string(&w->json, "arguments", p->arguments);
    json_close_object(&w->json);
    return 0;
}

static void take_detail(struct program *p, const struct package_detail *d)
{
    bool id = !strcmp(d->key, "id") && !p->name;
    /* Not that of another language, which is in resources. */
    bool name = !strcmp(d->key, "display_name") && strncmp(d->value, "ms-resource:", 12) != 0;

    if (id || name)
        p->name = d->value;
    else if (!strcmp(d->key, "executable"))
        p->executable = d->value;
    else if (!strcmp(d->key, "working_directory"))
        p->working_dir = d->value;
    else if (!strcmp(d->key, "arguments"))
        p->arguments = d->value;
}

/* Applications that are web pages have no executable. */
static int write_package_programs(struct writing *w, struct err *e)
{
    struct program p = { .name = NULL };
    size_t count;
    const struct package_detail *d = package_details(w->a->package, &count);
    int rc = 0;

    for (size_t i = 0; !rc && i < count; i++) {
        if (strcmp(d[i].list, "applications") != 0)
            continue;
        take_detail(&p, &d[i]);
        if (i + 1 < count && !strcmp(d[i + 1].list, d[i].list) && d[i + 1].item == d[i].item)
            continue;
        if (p.executable)
            rc = write_program(w, &p, e);
        p = (struct program){ .name = NULL };
    }
    return rc;
}

static int write_osd_programs(struct writing *w, struct err *e)
{
    const struct target *t = w->a->target;
    int rc = 0;

    for (size_t i = 0; !rc && i < t->app_count; i++) {
        const struct target_app *app = &t->apps[i];
        const struct program p = { .name = app->name,
                                   .executable = app->filename,
                                   .working_dir = *app->working_dir ? app->working_dir : NULL,
                                   .arguments = *app->parameters ? app->parameters : NULL,
                                   .from_osd = true };
        if (*app->filename)
            rc = write_program(w, &p, e);
    }
    return rc;
}

int applications_describe(const struct applications *a, char **out, struct err *e)
{
    char *text = NULL;
    size_t len;
    struct writing w = { .a = a, .out = open_memstream(&text, &len) };

    if (!w.out)
        return err_nomem(e);
    if (a->json) {
        w.json = json_begin(w.out);
        json_object(&w.json, NULL);
        json_string(&w.json, "mountpoint", a->mountpoint);
        json_array(&w.json, "applications");
    } else if (a->with_mountpoint) {
        (void)fprintf(w.out, "%s\n", a->mountpoint);
    }
    int rc = write_package_programs(&w, e);
    if (!rc)
        rc = write_osd_programs(&w, e);
    if (a->json) {
        json_close_array(&w.json);
        json_close_object(&w.json);
        if (json_end(&w.json) && !rc)
            rc = err_nomem(e);
    }
    if (fclose(w.out) && !rc)
        rc = err_nomem(e);
    if (rc)
        free(text);
    else
        *out = text;
    return rc;
}
