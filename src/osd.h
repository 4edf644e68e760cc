/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Open Software Description files: the document that says where a package lies and how one of its
 * programs is started. The reader is tolerant, as the files in the world demand: element and
 * attribute names in either case, any order, unknown elements passed over, parts missing. Nothing
 * in an OSD is ever executed here; scripts are only reported.
 *
 *     struct osd *osd;
 *     if (!osd_read(data, len, &osd, &e)) { use(osd->codebase.href); osd_free(osd); }
 *
 * To write one, fill a struct osd with borrowed strings and arrays and call osd_write().
 */
#ifndef SRC_OSD_H
#define SRC_OSD_H

#include <stdint.h>

#include "src/compiler.h"
#include "src/err.h"

/* Every string is UTF-8 and as found in the document, white space around it removed. After
 * osd_read() no string is NULL ("" for a missing part); osd_write() takes NULL for "". */

struct osd_codebase {
    const char *href;
    const char *guid;         /* package GUID, text as found: braces optional (src/guid.h) */
    const char *parameters;   /* command line after the program */
    const char *filename;     /* ROOT\app.exe, or outside the package: %CSIDL_SYSTEM%\cmd.exe */
    const char *sysguardfile; /* ROOT\osguard.cp, doubled backslashes made single */
    uint64_t size;            /* bytes of the SFT as announced; 0 = not given or not a number */
    bool mandatory;           /* dependencies only */
};

struct osd_pair { /* an environment variable, or a policy switch */
    const char *name;
    const char *value;
};

struct osd_script {
    const char *event;    /* STREAM, LAUNCH, SHUTDOWN, … */
    const char *timing;   /* PRE, POST */
    const char *timeout;  /* seconds as found, "" = not given */
    const char *body;     /* SCRIPTBODY as found, escapes included; "" if HREF names a file */
    const char *href;
    bool protect;         /* inside the virtual environment */
    bool wait;
};

struct osd_shortcut {
    const char *location; /* %CSIDL_PROGRAMS%\Sample */
    const char *display;
    const char *icon;
    const char *filename;
    bool overridden;
};

struct osd {
    const char *name;           /* of the application; with VERSION its identity */
    const char *version;
    const char *guid;           /* application GUID, not the package's; text as found */
    struct osd_codebase codebase;
    const char *working_dir;
    const char *package_name;   /* PACKAGE NAME, or SUITE NAME in files before 4.5 */
    const char *title;
    const char *abstract;
    const char *client_version; /* lowest client that may run it, "4.6.0.0" */
    const char *vm;             /* "Win32" */
    const char *subsystem;      /* "windows", "console" */
    bool terminate_children;

    const char *const *os;      /* allowed systems; none = any */
    size_t os_count;
    const struct osd_pair *environment;
    size_t environment_count;
    const struct osd_pair *policies;
    size_t policy_count;
    const struct osd_script *scripts;
    size_t script_count;
    const struct osd_codebase *dependencies; /* secondary packages, in document order */
    size_t dependency_count;
    const struct osd_shortcut *shortcuts;
    size_t shortcut_count;
    const char *const *extensions; /* file types, without the dot */
    size_t extension_count;

    struct pool *storage; /* the reader's; NULL in one made by hand */
};

/*
 * Reads a document of LEN bytes; root SOFTPKG. The caller frees *out with osd_free().
 * ERR_XML (with the line), ERR_XML_ENTITY, ERR_LIMIT (too long, too deep, too many elements),
 * ERR_NO_CODEBASE, ERR_EMPTY_HREF.
 */
int osd_read(const void *data, size_t len, struct osd **out, struct err *e) must_check;

void osd_free(struct osd *osd); /* of one that osd_read() made; NULL is fine */

/* Writes the document as UTF-8 text, the same bytes for the same input. *out is NUL-terminated, not
 * counted in *len; the caller frees it. ERR_INVALID for text that XML cannot hold,
 * ERR_EMPTY_HREF. */
int osd_write(const struct osd *osd, char **out, size_t *len, struct err *e) must_check;

struct xml_out; /* src/xml.h */

/* Writes what OSDs and manifests have in their lists of file associations, indented by DEPTH. */
void osd_put_file_types(struct xml_out *o, unsigned depth, const char *const *extensions,
                        size_t count);

#endif
