/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libcurl, loaded when the first HTTP source is opened. Debian's libcurl brings some thirty further
 * libraries with it; a mount of a local package, which needs none of them, would otherwise spend
 * most of its start on loading them. Used by fetch/source_http*.c only.
 */
#ifndef FETCH_CURL_LIBRARY_H
#define FETCH_CURL_LIBRARY_H

#include <curl/curl.h>

#include "src/compiler.h"
#include "src/err.h"

#define CURL_LIBRARY_FUNCTIONS(X) \
    X(easy_cleanup)               \
    X(easy_getinfo)               \
    X(easy_init)                  \
    X(easy_pause)                 \
    X(easy_setopt)                \
    X(easy_strerror)              \
    X(global_cleanup)             \
    X(global_init)                \
    X(multi_add_handle)           \
    X(multi_cleanup)              \
    X(multi_info_read)            \
    X(multi_init)                 \
    X(multi_perform)              \
    X(multi_poll)                 \
    X(multi_remove_handle)        \
    X(multi_setopt)               \
    X(multi_socket_action)        \
    X(multi_strerror)             \
    X(multi_timeout)              \
    X(multi_wakeup)               \
    X(slist_append)               \
    X(slist_free_all)

/* curl_NAME is libcurl.NAME here. */
struct curl_library {
#define CURL_LIBRARY_MEMBER(name) __typeof__(curl_##name) *name;
    CURL_LIBRARY_FUNCTIONS(CURL_LIBRARY_MEMBER)
#undef CURL_LIBRARY_MEMBER
};

/* Constant once curl_library_load() has succeeded; not to be used before. */
extern struct curl_library libcurl;

/* Loads it at the first call; the library stays for the life of the process. Any thread.
 * ERR_UNSUPPORTED, saying why, when there is no usable libcurl. */
int curl_library_load(struct err *e) must_check;

#endif
