/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All text that is made lies in a pool. See pack_manifest.h. */
#include "config.h"

#include "tools/pack_manifest.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "src/codec.h"
#include "src/pool.h"
#include "src/x500_name.h"
#include "tools/pack_documents.h"

#define NAME_MIN_CHARS 3u /* of an identity, as the schema of manifests says */
#define NAME_MAX_CHARS 50u
#define ROOT_TOKEN     "[{AppVPackageRoot}]"

/* 150 by 150 points of one colour: Windows wants some image for every package. */
const unsigned char pack_logo_png[] = {
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d,
    0x49, 0x48, 0x44, 0x52, 0x00, 0x00, 0x00, 0x96, 0x00, 0x00, 0x00, 0x96,
    0x01, 0x03, 0x00, 0x00, 0x00, 0x06, 0xcf, 0xe3, 0xa1, 0x00, 0x00, 0x00,
    0x03, 0x50, 0x4c, 0x54, 0x45, 0x46, 0x6e, 0x9a, 0x38, 0xc9, 0xf0, 0xdb,
    0x00, 0x00, 0x00, 0x1a, 0x49, 0x44, 0x41, 0x54, 0x78, 0xda, 0xed, 0xc1,
    0x31, 0x01, 0x00, 0x00, 0x00, 0xc2, 0xa0, 0xf5, 0x4f, 0x6d, 0x0d, 0x0f,
    0xa0, 0x00, 0x00, 0x80, 0x77, 0x03, 0x0b, 0xb8, 0x00, 0x01, 0x52, 0x3c,
    0x66, 0x7c, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42,
    0x60, 0x82,
};
const size_t pack_logo_png_len = sizeof pack_logo_png;

struct pack_manifest {
    struct pack_job *job;
    struct pool *pool;
    struct appx_manifest m;
    bool needs_logo;
    char package_guid[GUID_TEXT_SIZE], version_guid[GUID_TEXT_SIZE];
};

static char *keep(struct pack_manifest *m, const char *text)
{
    return pool_strndup(m->pool, text, strlen(text));
}

static bool is_given(const char *text)
{
    return text && *text;
}

/* --- names ------------------------------------------------------------------------------------ */

/* The output's name without directory and ending. */
static char *name_of_output(struct pack_manifest *m)
{
    const char *path = m->job->o.output, *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
    return pool_strndup(m->pool, name, dot && dot > name ? (size_t)(dot - name) : strlen(name));
}

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* What an identity may hold of a name: letters, digits and, between them, dots and dashes. A name of
 * which too little is left gets digits of its hash. */
static int make_identity_name(struct pack_manifest *m, const char *name, const char **out,
                              struct err *e)
{
    char text[NAME_MAX_CHARS + 1];
    size_t n = 0;
    uint8_t hash[32];
    for (const char *c = name; *c && n < NAME_MAX_CHARS; c++)
        if (is_letter_or_digit(*c) || *c == '.')
            text[n++] = *c;
        else if (n && text[n - 1] != '-')
            text[n++] = '-';
    while (n && !is_letter_or_digit(text[n - 1]))
        n--;
    text[n] = '\0';
    if (n < NAME_MIN_CHARS) {
        if (codec_sha256(NULL, name, strlen(name), hash))
            return err_nomem(e);
        (void)snprintf(text, sizeof text, "Package-%02X%02X%02X%02X", hash[0], hash[1], hash[2],
                       hash[3]);
    }
    *out = keep(m, text);
    return *out ? 0 : err_nomem(e);
}

/* The value of CN in a distinguished name, for people; the whole name without. */
static const char *common_name(struct pack_manifest *m, const char *publisher)
{
    if (strncasecmp(publisher, "CN=", 3) != 0 || publisher[3] == '"')
        return publisher;
    return pool_strndup(m->pool, publisher + 3, strcspn(publisher + 3, ","));
}

static int set_identity(struct pack_manifest *m, struct err *e)
{
    const struct pack_options *o = &m->job->o;
    const struct appx_manifest *known = m->job->known;
    bool appv = o->format == PACK_APPV;
    struct appx_manifest *to = &m->m;
    to->schema = appv ? APPX_SCHEMA_APPV : APPX_SCHEMA_MSIX;
    to->display_name = o->name ? o->name
                       : known && is_given(known->display_name) ? known->display_name
                                                                : name_of_output(m);
    if (!is_given(to->display_name))
        return err_set(e, ERR_INVALID, "the package has no name; give one with --name");
    const char *publisher = o->app.publisher ? o->app.publisher
                            : known          ? known->identity.publisher
                                             : NULL;
    if (!is_given(publisher) && !appv)
        return err_set(e, ERR_INVALID,
                       "an MSIX names its publisher: give --publisher=\"CN=...\", the subject of "
                       "the certificate that will sign it");
    if (is_given(publisher) && (!appv || o->app.publisher) && !x500_name_is_valid(publisher))
        return err_set(e, ERR_INVALID,
                       "the publisher '%.200s' is not the subject of a certificate: give "
                       "--publisher=\"CN=...\", with commas between its parts", publisher);
    to->identity.publisher = is_given(publisher) ? publisher : "CN=Reserved";
    const char *shown = known ? known->publisher_display_name : NULL;
    to->publisher_display_name = is_given(shown) ? shown : common_name(m, to->identity.publisher);
    const char *version = o->app.version ? o->app.version : known ? known->identity.version : NULL;
    to->identity.version = is_given(version) ? version : "1.0.0.0";
    const char *arch = o->app.arch ? o->app.arch : known ? known->identity.architecture : NULL;
    if (!is_given(arch))
        arch = appv ? "x64" : "neutral";
    *(appv ? &to->sequencer_architecture : &to->identity.architecture) = arch;
    to->description = known ? known->description : NULL;
    if (appv) {
        guid_format(&o->guid, m->package_guid);
        to->package_guid = m->package_guid;
    }
    const char *name = !o->name && known && is_given(known->identity.name) ? known->identity.name
                                                                           : to->display_name;
    return make_identity_name(m, name, &to->identity.name, e);
}

/* --- programs --------------------------------------------------------------------------------- */

/* The path of a program as manifests have it: of App-V with a token for the place where it lies. */
static const char *target_of(struct pack_manifest *m, uint32_t entry)
{
    auto_free char *path = pack_tree_path(&m->job->tree, entry);
    size_t size = path ? strlen(path) + sizeof ROOT_TOKEN "\\" : 0;
    char *out = path ? pool_zalloc(m->pool, 1, size) : NULL;
    if (!out)
        return NULL;
    size_t token = !strncasecmp(path, "VFS/", 4) ? strcspn(path + 4, "/") : 0;
    if (m->m.schema != APPX_SCHEMA_APPV)
        (void)snprintf(out, size, "%s", path);
    else if (token && path[4 + token])
        (void)snprintf(out, size, "[{%.*s}]%s", (int)token, path + 4, path + 4 + token);
    else
        (void)snprintf(out, size, ROOT_TOKEN "/%s", path);
    for (char *c = out; *c; c++)
        if (*c == '/')
            *c = '\\';
    return out;
}

static int add_program(struct pack_manifest *m, const char *text, struct appx_application *a,
                       size_t number, struct err *e)
{
    auto_free char *name = NULL;
    char id[24];
    uint32_t entry;
    int rc = pack_program_find(&m->job->tree, text, &entry, &name, e);
    if (rc)
        return rc;
    (void)snprintf(id, sizeof id, "App%zu", number);
    a->executable = target_of(m, entry);
    a->id = m->m.schema == APPX_SCHEMA_APPV ? a->executable : keep(m, id);
    a->display_name = keep(m, name);
    a->arguments = m->job->o.arguments ? m->job->o.arguments[number - 1] : "";
    return a->executable && a->id && a->display_name ? 0 : err_nomem(e);
}

/* A link in the start menu for each program, as --osd of an SFT makes one. */
static int add_shortcuts(struct pack_manifest *m, struct err *e)
{
    size_t n = m->m.application_count;
    struct appx_shortcut *s = pool_zalloc(m->pool, n, sizeof *s);
    if (!s)
        return err_nomem(e);
    for (size_t i = 0; i < n; i++) {
        const struct appx_application *a = &m->m.applications[i];
        size_t size = strlen(a->display_name) + sizeof "[{Common Programs}]\\.lnk";
        char *file = pool_zalloc(m->pool, 1, size);
        if (!file)
            return err_nomem(e);
        (void)snprintf(file, size, "[{Common Programs}]\\%s.lnk", a->display_name);
        s[i] = (struct appx_shortcut){ .file = file, .target = a->executable,
                                       .arguments = a->arguments, .application = a->id };
    }
    m->m.shortcuts = s;
    m->m.shortcut_count = n;
    return 0;
}

/* An application of App-V is a file, however many links lead to it. Returns how many are left. */
static size_t drop_repetitions(struct appx_application *a, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        size_t k = 0;
        while (k < kept && strcmp(a[k].id, a[i].id) != 0)
            k++;
        if (k == kept)
            a[kept++] = a[i];
    }
    return kept;
}

static int set_programs(struct pack_manifest *m, struct err *e)
{
    const struct pack_options *o = &m->job->o;
    struct appx_application *a = pool_zalloc(m->pool, o->osd_count + 1, sizeof *a);
    bool appv = m->m.schema == APPX_SCHEMA_APPV;
    int rc = a ? 0 : err_nomem(e);
    for (size_t i = 0; !rc && i < o->osd_count; i++)
        rc = add_program(m, o->osds[i], &a[i], i + 1, e);
    m->m.applications = a;
    m->m.application_count = o->osd_count;
    if (!rc && appv)
        rc = add_shortcuts(m, e);
    if (!rc && appv)
        m->m.application_count = drop_repetitions(a, o->osd_count);
    return rc;
}

static int set_logo(struct pack_manifest *m, struct err *e)
{
    const char *given = m->job->o.app.logo;
    const struct pack_tree *t = &m->job->tree;
    if (m->m.schema == APPX_SCHEMA_APPV)
        return 0;
    uint32_t entry = pack_tree_find(t, given ? given : PACK_LOGO);
    bool found = entry != PACK_NO_RANK && !(t->entries[entry].flags & NODE_DIR);
    if (!found && given)
        return err_set(e, ERR_NOT_FOUND, "--logo: '%s' is not a file of the package", given);
    m->needs_logo = !found;
    m->m.logo = found ? target_of(m, entry) : "Assets\\Logo.png";
    return m->m.logo ? 0 : err_nomem(e);
}

/* --- the document ----------------------------------------------------------------------------- */

int pack_manifest_new(struct pack_job *job, struct pack_manifest **out, struct err *e)
{
    struct pack_manifest *m = calloc(1, sizeof *m);
    if (!m)
        return err_nomem(e);
    m->job = job;
    m->pool = pool_new();
    int rc = m->pool ? set_identity(m, e) : err_nomem(e);
    if (!rc)
        rc = set_programs(m, e);
    if (!rc)
        rc = set_logo(m, e);
    if (rc) {
        pack_manifest_free(m);
        return rc;
    }
    *out = m;
    return 0;
}

void pack_manifest_free(struct pack_manifest *m)
{
    if (!m)
        return;
    pool_free(m->pool);
    free(m);
}

bool pack_manifest_needs_logo(const struct pack_manifest *m)
{
    return m->needs_logo;
}

const struct appx_manifest *pack_manifest_says(const struct pack_manifest *m)
{
    return &m->m;
}

int pack_manifest_write(struct pack_manifest *m, const struct guid *version, char **out, size_t *len,
                        struct err *e)
{
    if (version) {
        guid_format(version, m->version_guid);
        m->m.version_guid = m->version_guid;
    }
    return appx_manifest_write(&m->m, out, len, e);
}

int pack_manifest_read(const char *text, size_t len, struct appx_manifest **out, struct err *e)
{
    struct appx_manifest *m = NULL;
    int rc = appx_manifest_read(text, len, &m, e);
    if (rc)
        return rc;
    if (m->schema == APPX_SCHEMA_APPV)
        rc = err_set(e, ERR_XML, "it is of an App-V package; --format=appv makes one");
    else if (!*m->identity.publisher || !*m->identity.version)
        rc = err_set(e, ERR_XML, "Identity has no Publisher or no Version");
    if (rc)
        appx_manifest_free(m);
    else
        *out = m;
    return rc;
}
