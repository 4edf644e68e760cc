/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * AppxManifest.xml: what an AppX (Windows 8, 8.1), MSIX (Windows 10 and later) or App-V 5 package
 * is, and what can be started in it. The reader is tolerant: it goes by the names of elements and
 * attributes, not by their name spaces, of which there are dozens, and parts may be missing.
 * Nothing here is executed or resolved; "ms-resource:" references and "[{Token}]" paths stay as
 * they are.
 *
 *     struct appx_manifest *m;
 *     if (!appx_manifest_read(data, len, &m, &e)) { use(m->identity.name); appx_manifest_free(m); }
 */
#ifndef SRC_APPX_MANIFEST_H
#define SRC_APPX_MANIFEST_H

#include "src/compiler.h"
#include "src/err.h"

/* Every string is UTF-8 as found, white space around it removed, "" for a missing part. */

struct appx_identity {
    const char *name;
    const char *publisher;    /* distinguished name, "CN=Sample, O=…" */
    const char *version;      /* "1.0.0.0" */
    const char *architecture; /* "x86", "x64", "arm64", "neutral"; "" in App-V packages */
    const char *resource_id;
};

struct appx_resource {    /* usually only one of them is given */
    const char *language; /* "en-us" */
    const char *scale;    /* "140" */
    const char *dx_level; /* "dx11" */
};

struct appx_application {
    const char *id;         /* App-V: often the path of the program */
    const char *executable; /* path in the package; App-V: the target, "[{ProgramFilesX86}]\…" */
    const char *arguments;
    const char *working_dir;
    const char *entry_point; /* "Windows.FullTrustApplication", or a class */
    const char *start_page;  /* of one that is a web page */
    const char *display_name;
    const char *description;
    const char *icon;
    const char *version; /* App-V only */
    bool hidden;         /* not to be listed among the programs */
};

struct appx_shortcut {
    const char *file; /* "[{Common Programs}]\Sample.lnk" */
    const char *target;
    const char *arguments;
    const char *working_dir;
    const char *icon;
    const char *description;
    const char *application; /* id of the application, "" if not said */
};

struct appx_association {    /* of a file type, a protocol or a command */
    const char *name;        /* ".txt", "mailto", "sample.exe" */
    const char *type;        /* name of the type in the registry (ProgId), or of the association */
    const char *mime;        /* file types only */
    const char *application; /* id of the application, "" if not said */
};

struct appx_capability {
    const char *name; /* "runFullTrust" */
    bool restricted;
    bool device;
};

enum appx_dependency_kind {
    APPX_NEEDS_PACKAGE,       /* a framework or other package */
    APPX_NEEDS_MAIN_PACKAGE,  /* this one is an optional part of that */
    APPX_NEEDS_DEVICE_FAMILY, /* of Windows, "Windows.Desktop" */
    APPX_NEEDS_OTHER,         /* something outside: a driver, a host, a component of the system */
};

struct appx_dependency {
    enum appx_dependency_kind kind;
    const char *name;
    const char *publisher;
    const char *min_version;
    const char *max_tested;
};

enum appx_schema { APPX_SCHEMA_WINDOWS_8, APPX_SCHEMA_MSIX, APPX_SCHEMA_APPV };

struct appx_manifest {
    enum appx_schema schema;
    struct appx_identity identity;
    const char *package_guid; /* App-V only, as are the following two; text as found */
    const char *version_guid;
    const char *sequencer_architecture;
    const char *display_name;
    const char *publisher_display_name;
    const char *description;
    const char *logo;
    const char *os_min_version; /* of the Windows 8 and App-V kinds */
    const char *os_max_tested;
    bool is_framework;
    bool is_resource; /* has only languages or images of another package */

    const struct appx_application *applications; /* each list in document order */
    size_t application_count;
    const struct appx_shortcut *shortcuts;
    size_t shortcut_count;
    const struct appx_association *file_types;
    size_t file_type_count;
    const struct appx_association *protocols;
    size_t protocol_count;
    const struct appx_association *commands; /* names under which a program can be started */
    size_t command_count;
    const struct appx_capability *capabilities;
    size_t capability_count;
    const struct appx_dependency *dependencies;
    size_t dependency_count;
    const struct appx_resource *resources;
    size_t resource_count;

    struct pool *storage;
};

/*
 * Reads a document of LEN bytes; root Package with an Identity that has a Name. The caller frees
 * *out with appx_manifest_free(). ERR_XML (with the line, or for another kind of document),
 * ERR_XML_ENTITY, ERR_LIMIT, ERR_UNSUPPORTED (encoding).
 */
int appx_manifest_read(const void *data, size_t len, struct appx_manifest **out,
                       struct err *e) must_check;
void appx_manifest_free(struct appx_manifest *m); /* NULL is fine */

/*
 * The manifest of M, made by hand, of schema MSIX or APPV: identity, properties, applications and,
 * for App-V, shortcuts; of MSIX desktop programs with full trust. What else M has is left out; NULL
 * is "" in it. *out is for free(). ERR_INVALID for text that XML cannot hold.
 */
int appx_manifest_write(const struct appx_manifest *m, char **out, size_t *len, struct err *e)
    must_check;

const char *appx_schema_name(enum appx_schema schema); /* "AppX", "MSIX", "App-V" */

#endif
