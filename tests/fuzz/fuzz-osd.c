/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fuzz target: the OSD reader. What it accepts must survive being written and read again. */
#include "config.h"

#include <string.h>

#include "src/osd.h"
#include "src/xml.h"
#include "tests/fuzz/fuzz.h"

static void check_codebase(const struct osd_codebase *c)
{
    FUZZ_CHECK(c->href && c->guid && c->parameters && c->filename && c->sysguardfile);
}

static void walk(const struct osd *o)
{
    FUZZ_CHECK(o->name && o->version && o->guid && o->working_dir && o->package_name && o->title &&
               o->abstract && o->client_version && o->vm && o->subsystem);
    check_codebase(&o->codebase);
    FUZZ_CHECK(*o->codebase.href);
    for (size_t i = 0; i < o->os_count; i++)
        FUZZ_CHECK(*o->os[i]);
    for (size_t i = 0; i < o->environment_count; i++)
        FUZZ_CHECK(o->environment[i].name && o->environment[i].value);
    for (size_t i = 0; i < o->policy_count; i++)
        FUZZ_CHECK(*o->policies[i].name && o->policies[i].value);
    for (size_t i = 0; i < o->script_count; i++)
        FUZZ_CHECK(o->scripts[i].event && o->scripts[i].timing && o->scripts[i].timeout &&
                   o->scripts[i].body && o->scripts[i].href);
    for (size_t i = 0; i < o->dependency_count; i++)
        check_codebase(&o->dependencies[i]);
    for (size_t i = 0; i < o->shortcut_count; i++)
        FUZZ_CHECK(o->shortcuts[i].location && o->shortcuts[i].display && o->shortcuts[i].icon &&
                   o->shortcuts[i].filename);
    for (size_t i = 0; i < o->extension_count; i++)
        FUZZ_CHECK(*o->extensions[i]);
}

static void check_same(const struct osd *a, const struct osd *b)
{
    FUZZ_CHECK(!strcmp(a->name, b->name) && !strcmp(a->version, b->version));
    FUZZ_CHECK(!strcmp(a->guid, b->guid) && !strcmp(a->package_name, b->package_name));
    FUZZ_CHECK(!strcmp(a->codebase.href, b->codebase.href));
    FUZZ_CHECK(!strcmp(a->codebase.guid, b->codebase.guid));
    FUZZ_CHECK(!strcmp(a->codebase.parameters, b->codebase.parameters));
    FUZZ_CHECK(!strcmp(a->codebase.filename, b->codebase.filename));
    FUZZ_CHECK(!strcmp(a->codebase.sysguardfile, b->codebase.sysguardfile));
    FUZZ_CHECK(a->codebase.size == b->codebase.size && a->os_count == b->os_count);
    FUZZ_CHECK(a->environment_count == b->environment_count);
    FUZZ_CHECK(a->script_count == b->script_count && a->shortcut_count == b->shortcut_count);
    FUZZ_CHECK(a->dependency_count == b->dependency_count);
    FUZZ_CHECK(a->extension_count == b->extension_count);
}

static void write_and_read(const struct osd *osd)
{
    struct err e = { .kind = ERR_NONE };
    struct osd *again = NULL;
    char *text = NULL;
    size_t len = 0;

    if (osd_write(osd, &text, &len, &e)) {
        FUZZ_CHECK(e.kind == ERR_INVALID); /* a policy whose name is not a plain one */
        return;
    }
    FUZZ_CHECK(strlen(text) == len);
    if (osd_read(text, len, &again, &e)) {
        FUZZ_CHECK(e.kind == ERR_LIMIT); /* escapes made it longer */
    } else {
        walk(again);
        check_same(osd, again);
        osd_free(again);
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = { .kind = ERR_NONE };
    struct osd *osd = NULL;
    int rc = osd_read(data, size, &osd, &e);

    FUZZ_CHECK((rc == 0) == (osd != NULL) && (rc == 0) == (e.kind == ERR_NONE));
    if (osd) {
        walk(osd);
        write_and_read(osd);
    }
    osd_free(osd);
    return 0;
}
