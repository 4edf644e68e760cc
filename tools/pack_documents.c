/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All paths are settled when the work begins, so that a name that is taken is found out at once. */
#include "config.h"

#include "tools/pack_documents.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "src/fold.h"
#include "src/ico.h"
#include "src/manifest.h"
#include "src/osd.h"
#include "src/pack_plan.h"
#include "tools/pack_output.h"
#include "tools/pack_reader.h"
#include "tools/read_file.h"

#define PROGRAM_BYTES_MAX (64u << 20) /* of a program that an icon is looked for in */
#define ICON_BYTES_MAX    (4u << 20)

struct program {
    char *name;      /* of the application */
    char *filename;  /* path in the package with '\' */
    const char *arguments; /* borrowed */
    char *osd_path, *icon_path;
    uint8_t *icon;
    size_t icon_len;
    bool console;
    char guid[GUID_TEXT_SIZE];
};

struct pack_documents {
    const struct pack_options *options;
    struct program *programs;
    size_t program_count;
    char *directory;     /* of the output, with its slash; "" for the current one */
    char *title;         /* output's name without directory and .sft */
    char *sysguard;      /* ROOT\osguard.cp, "" if the tree has none */
    char *manifest_path; /* NULL = none wanted */
    const char **paths;
    size_t path_count;
};

printf_like(1, 2) static char *printf_new(const char *fmt, ...)
{
    va_list ap;
    char *text = NULL;
    va_start(ap, fmt);
    int n = vasprintf(&text, fmt, ap);
    va_end(ap);
    return n < 0 ? NULL : text;
}

static void replace_all(char *s, char from, char to)
{
    for (; *s; s++)
        if (*s == from)
            *s = to;
}

static char *without_suffix(const char *name, const char *suffix)
{
    size_t len = strlen(name), cut = strlen(suffix);
    if (len > cut && strcasecmp(name + len - cut, suffix) == 0)
        len -= cut;
    return strndup(name, len);
}

static int icon_from_file(const char *path, struct program *p, struct err *e)
{
    char *data = NULL;
    int rc = read_whole_file(path, ICON_BYTES_MAX, &data, &p->icon_len, e);
    p->icon = (uint8_t *)data;
    return rc;
}

/* Field "Subsystem" of a PE file: 3 is a console program. */
static bool is_console(const uint8_t *pe, size_t len)
{
    if (len < 64 || pe[0] != 'M' || pe[1] != 'Z')
        return false;
    uint64_t at = pe[60] | (uint32_t)pe[61] << 8 | (uint32_t)pe[62] << 16 | (uint32_t)pe[63] << 24;
    return at + 94 <= len && memcmp(pe + at, "PE\0\0", 4) == 0 && pe[at + 92] == 3 &&
           pe[at + 93] == 0;
}

/* The bytes of a program; *len 0 for one that is too large to be looked at. */
static int read_program(const struct pack_tree *tree, uint32_t entry, uint8_t **out, size_t *len,
                        struct err *e)
{
    uint64_t size = tree->entries[entry].size;
    *len = size > PROGRAM_BYTES_MAX ? 0 : (size_t)size;
    *out = malloc(*len + 1);
    if (!*out)
        return err_nomem(e);
    struct pack_reader reader = pack_reader_of(tree);
    int rc = pack_reader_bytes(&reader, entry, 0, *out, *len, e);
    pack_reader_close(&reader);
    return rc;
}

static int look_into_program(struct pack_documents *d, const struct pack_tree *tree,
                             uint32_t entry, struct program *p, struct err *e)
{
    auto_free uint8_t *pe = NULL;
    size_t len = 0;
    int rc = read_program(tree, entry, &pe, &len, e);
    if (rc)
        return rc;
    p->console = is_console(pe, len);
    if (d->options->icon)
        return icon_from_file(d->options->icon, p, e);
    return ico_from_pe(pe, len, &p->icon, &p->icon_len, NULL)
               ? ico_default(&p->icon, &p->icon_len, e) : 0;
}

/* The application's GUID follows from package and program: the same for every version. */
static int derive_guid(const struct guid *package, struct program *p, struct err *e)
{
    auto_free char *text = printf_new("%.*s%s", 16, "................", p->filename);
    struct codec_context *ctx = NULL;
    uint8_t sha[32];
    struct guid g;
    if (!text || codec_context_new(&ctx))
        return err_nomem(e);
    memcpy(text, package->b, sizeof package->b);
    int rc = codec_sha256(ctx, text, 16 + strlen(p->filename), sha);
    codec_context_free(ctx);
    if (rc)
        return err_nomem(e);
    guid_from_digest(sha, &g);
    guid_format(&g, p->guid);
    return 0;
}

/* Paths below are built from NAME, so it must be one component. */
static int name_program(struct pack_documents *d, const char *given, struct program *p,
                        struct err *e)
{
    struct err why = { 0 };
    if (name_check(given, strlen(given), &why))
        return err_set(e, ERR_INVALID, "--osd name '%s': %s", given, why.text);
    p->name = strdup(given);
    p->osd_path = printf_new("%s%s.osd", d->directory, given);
    p->icon_path = printf_new("%s%s Icons/%s.ico", d->directory, d->title, given);
    if (!p->name || !p->osd_path || !p->icon_path)
        return err_nomem(e);
    d->paths[d->path_count++] = p->osd_path;
    d->paths[d->path_count++] = p->icon_path;
    return 0;
}

/* A path may hold '=' itself: the first one that has a file before it counts. */
int pack_program_find(const struct pack_tree *tree, const char *text, uint32_t *entry, char **name,
                      struct err *e)
{
    for (const char *equals = strchr(text, '=');; equals = strchr(equals + 1, '=')) {
        size_t len = equals ? (size_t)(equals - text) : strlen(text);
        auto_free char *path = strndup(text, len);
        if (!path)
            return err_nomem(e);
        *entry = pack_tree_find(tree, path);
        if (*entry != PACK_NO_RANK && !(tree->entries[*entry].flags & NODE_DIR)) {
            *name = equals && equals[1] ? strdup(equals + 1)
                                        : without_suffix(tree->entries[*entry].name, ".exe");
            return *name ? 0 : err_nomem(e);
        }
        if (!equals)
            break;
    }
    return err_set(e, ERR_NOT_FOUND, "--osd: '%.*s' is not a file of the package",
                   (int)strcspn(text, "="), text);
}

static int add_program(struct pack_documents *d, const struct pack_tree *tree, const char *text,
                       struct err *e)
{
    struct program *p = &d->programs[d->program_count++];
    auto_free char *name = NULL;
    uint32_t entry;
    int rc = pack_program_find(tree, text, &entry, &name, e);
    if (rc)
        return rc;
    p->filename = pack_tree_package_path(tree, entry);
    if (!p->filename)
        return err_nomem(e);
    replace_all(p->filename, '/', '\\');
    rc = name_program(d, name, p, e);
    return rc ? rc : look_into_program(d, tree, entry, p, e);
}

static int check_paths(const struct pack_documents *d, struct err *e)
{
    struct stat st;
    for (size_t i = 0; i < d->path_count; i++) {
        for (size_t j = 0; j < i; j++)
            if (strcmp(d->paths[i], d->paths[j]) == 0)
                return err_set(e, ERR_INVALID, "two programs would be described in %s",
                               d->paths[i]);
        if (!d->options->force && lstat(d->paths[i], &st) == 0)
            return err_set(e, ERR_INVALID, "%s exists already; --force replaces it", d->paths[i]);
    }
    return 0;
}

static int prepare(struct pack_documents *d, const struct pack_tree *tree, struct err *e)
{
    const struct pack_options *o = d->options;
    const char *slash = strrchr(o->output, '/');
    const char *file = slash ? slash + 1 : o->output;
    d->directory = strndup(o->output, (size_t)(file - o->output));
    d->title = without_suffix(file, ".sft");
    d->programs = calloc(o->osd_count + 1, sizeof *d->programs);
    d->paths = calloc(2 * o->osd_count + 1, sizeof *d->paths);
    auto_free char *guard = tree->entries[0].child_count == 1
        ? printf_new("%s/osguard.cp", tree->entries[tree->entries[0].first_child].name)
        : strdup("osguard.cp");
    if (!d->directory || !d->title || !d->programs || !d->paths || !guard)
        return err_nomem(e);
    uint32_t entry = pack_tree_find(tree, guard);
    d->sysguard = entry == PACK_NO_RANK ? strdup("") : pack_tree_package_path(tree, entry);
    if (!d->sysguard)
        return err_nomem(e);
    replace_all(d->sysguard, '/', '\\');
    int rc = 0;
    for (size_t i = 0; !rc && i < o->osd_count; i++) {
        d->programs[i].arguments = o->arguments ? o->arguments[i] : "";
        rc = add_program(d, tree, o->osds[i], e);
    }
    if (!rc && o->manifest) {
        d->manifest_path = printf_new("%s%s_manifest.xml", d->directory, d->title);
        if (!d->manifest_path)
            return err_nomem(e);
        d->paths[d->path_count++] = d->manifest_path;
    }
    return rc ? rc : check_paths(d, e);
}

int pack_documents_new(const struct pack_options *o, const struct pack_tree *tree,
                       struct pack_documents **out, struct err *e)
{
    struct pack_documents *d = calloc(1, sizeof *d);
    if (!d)
        return err_nomem(e);
    d->options = o;
    int rc = prepare(d, tree, e);
    if (rc) {
        pack_documents_free(d);
        return rc;
    }
    *out = d;
    return 0;
}

void pack_documents_free(struct pack_documents *d)
{
    if (!d)
        return;
    for (size_t i = 0; i < d->program_count; i++) {
        struct program *p = &d->programs[i];
        free(p->name);
        free(p->filename);
        free(p->osd_path);
        free(p->icon_path);
        free(p->icon);
    }
    free(d->programs);
    free(d->directory);
    free(d->title);
    free(d->sysguard);
    free(d->manifest_path);
    free(d->paths);
    free(d);
}

size_t pack_documents_count(const struct pack_documents *d)
{
    return d->path_count;
}

const char *pack_documents_path(const struct pack_documents *d, size_t index)
{
    return d->paths[index];
}

static int write_icon(const struct pack_documents *d, const struct program *p, struct err *e)
{
    const char *end = strrchr(p->icon_path, '/');
    auto_free char *dir = strndup(p->icon_path, (size_t)(end - p->icon_path));
    if (!dir)
        return err_nomem(e);
    if (mkdir(dir, 0777) != 0 && errno != EEXIST)
        return err_sys(e, "%s: cannot create", dir);
    return pack_output_file(p->icon_path, d->options->force, p->icon, p->icon_len, e);
}

static int write_osd(const struct pack_documents *d, const struct sft_image *image,
                     struct program *p, uint64_t package_bytes, struct err *e)
{
    char guid[GUID_TEXT_SIZE], version[24];
    guid_format(&image->package_guid, guid);
    (void)snprintf(version, sizeof version, "%u.0", image->version_number);
    const char *file = d->options->output + strlen(d->directory);
    auto_free char *href =
        d->options->href ? strdup(d->options->href) : printf_new("FILE://\\\\%s", file);
    auto_free char *location = printf_new("%%CSIDL_PROGRAMS%%\\%s", image->name);
    auto_free char *icon = printf_new("%%SFT_MIME_SOURCE%%/%s Icons/%s.ico", d->title, p->name);
    int rc = href && location && icon ? derive_guid(&image->package_guid, p, e) : err_nomem(e);
    if (rc)
        return rc;
    const struct osd_shortcut shortcut = { .location = location, .display = p->name, .icon = icon };
    const struct osd osd = {
        .name = p->name,
        .version = version,
        .guid = p->guid,
        .codebase = { .href = href, .guid = guid, .filename = p->filename,
                      .parameters = p->arguments,
                      .sysguardfile = d->sysguard, .size = package_bytes },
        .package_name = image->name,
        .title = p->name,
        .vm = "Win32",
        .subsystem = p->console ? "console" : "windows",
        .shortcuts = &shortcut,
        .shortcut_count = 1,
    };
    char *text = NULL;
    size_t len = 0;
    rc = osd_write(&osd, &text, &len, e);
    if (!rc)
        rc = pack_output_file(p->osd_path, d->options->force, text, len, e);
    free(text);
    return rc;
}

static int write_manifest(const struct pack_documents *d, const struct sft_image *image,
                          struct err *e)
{
    char guid[GUID_TEXT_SIZE], version_guid[GUID_TEXT_SIZE], version[24];
    guid_format(&image->package_guid, guid);
    guid_format(&image->version_guid, version_guid);
    (void)snprintf(version, sizeof version, "%u.0", image->version_number);
    auto_free struct manifest_app *apps = calloc(d->program_count + 1, sizeof *apps);
    char **texts = calloc(2 * d->program_count + 1, sizeof *texts);
    int rc = apps && texts ? 0 : err_nomem(e);
    for (size_t i = 0; !rc && i < d->program_count; i++) {
        const char *name = d->programs[i].name;
        texts[2 * i] = printf_new("%%SFT_MIME_SOURCE%%/%s.osd", name);
        texts[2 * i + 1] = printf_new("%%SFT_MIME_SOURCE%%/%s Icons/%s.ico", d->title, name);
        if (!texts[2 * i] || !texts[2 * i + 1])
            rc = err_nomem(e);
        apps[i] = (struct manifest_app){ .name = name, .version = version, .osd = texts[2 * i],
                                         .icon = texts[2 * i + 1] };
    }
    const struct manifest m = { .guid = guid, .version_guid = version_guid, .name = image->name,
                                .apps = apps, .app_count = d->program_count };
    char *text = NULL;
    size_t len = 0;
    if (!rc)
        rc = manifest_write(&m, &text, &len, e);
    if (!rc)
        rc = pack_output_file(d->manifest_path, d->options->force, text, len, e);
    free(text);
    for (size_t i = 0; texts && i < 2 * d->program_count; i++)
        free(texts[i]);
    free(texts);
    return rc;
}

int pack_documents_write(const struct pack_documents *d, const struct sft_image *image,
                         uint64_t package_bytes, struct err *e)
{
    int rc = 0;
    for (size_t i = 0; !rc && i < d->program_count; i++) {
        rc = write_icon(d, &d->programs[i], e);
        if (!rc)
            rc = write_osd(d, image, &d->programs[i], package_bytes, e);
    }
    return !rc && d->manifest_path ? write_manifest(d, image, e) : rc;
}
