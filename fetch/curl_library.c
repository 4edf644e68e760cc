/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Loading libcurl. See curl_library.h. */
#include "config.h"

#include "fetch/curl_library.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define SONAME "libcurl.so.4" /* since 2006 */

struct curl_library libcurl;

static struct {
    pthread_once_t once;
    bool loaded;
    char why[256];
} state = { .once = PTHREAD_ONCE_INIT };

static void *find(void *library, const char *name)
{
    void *function = dlsym(library, name);

    if (!function && !state.why[0])
        (void)snprintf(state.why, sizeof state.why, "%s has no %s", SONAME, name);
    return function;
}

static void load(void)
{
    void *library = dlopen(SONAME, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);

    if (!library) {
        const char *text = dlerror();
        (void)snprintf(state.why, sizeof state.why, "%s", text ? text : SONAME);
        return;
    }
    /* Copied as bytes: ISO C has no conversion from an object pointer to a function pointer. */
#define CURL_LIBRARY_FIND(name)                                          \
    memcpy(&libcurl.name, &(void *){ find(library, "curl_" #name) }, sizeof libcurl.name);
    CURL_LIBRARY_FUNCTIONS(CURL_LIBRARY_FIND)
#undef CURL_LIBRARY_FIND
    state.loaded = !state.why[0];
}

int curl_library_load(struct err *e)
{
    (void)pthread_once(&state.once, load);
    if (state.loaded)
        return 0;
    return err_set(e, ERR_UNSUPPORTED, "HTTP needs libcurl, which cannot be loaded: %s; install it "
                   "(Debian: libcurl4)", state.why);
}
