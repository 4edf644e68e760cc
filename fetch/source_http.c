/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The HTTP(S) source: its options and its life. Opening is one range request for the head, which
 * brings size and identity of the object with it. How the work is divided: source_http.h.
 *
 * Credentials: SFTFS_HTTP_USER and SFTFS_HTTP_PASSWORD from the environment if set, for the host of
 * the URL only; else the entry of the netrc file for whichever host asks. Never from the URL.
 * Without an explicit choice of method, the password does not travel in clear text over http.
 * Where requests are to be signed (aws_sigv4), the keys are those of AWS_ACCESS_KEY_ID,
 * AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN in the environment, again for that host only:
 * redirects are not followed then.
 */
#include "config.h"

#include "fetch/source_http.h"

#include <limits.h>
#include <string.h>
#include <strings.h>

#include "fetch/http_url.h"
#include "fetch/sigv4.h"
#include "src/clock.h"

static struct http_source *impl(struct source *s)
{
    return (struct http_source *)s; /* the first member */
}

/* --- options -------------------------------------------------------------------------------- */

static int copy_text(const char *from, char **to, struct err *e)
{
    if (!from)
        return 0;
    *to = strdup(from);
    return *to ? 0 : err_nomem(e);
}

/* Files are named absolutely, since the daemon changes its directory, and must be there: curl's own
 * complaint would come late and say less. */
static int copy_path(const char *what, const char *from, char **to, struct err *e)
{
    if (!from)
        return 0;
    *to = realpath(from, NULL);
    if (!*to)
        return err_sys(e, "%s %s", what, from);
    if (access(*to, R_OK) != 0)
        return err_sys(e, "%s %s", what, from);
    return 0;
}

static const unsigned long with_password = CURLAUTH_BASIC | CURLAUTH_DIGEST | CURLAUTH_NTLM;

/* "any" means with a name and password. curl would take Negotiate first where it is offered, and
 * without a ticket not fall back to the others; so that has to be asked for. */
static int parse_auth(const char *name, const char *url, unsigned long *out, struct err *e)
{
    const struct {
        const char *name;
        unsigned long bits;
    } methods[] = {
        { "basic", CURLAUTH_BASIC }, { "digest", CURLAUTH_DIGEST },
        { "ntlm", CURLAUTH_NTLM },   { "negotiate", CURLAUTH_NEGOTIATE },
        { "any", with_password },
    };

    if (!name) {
        *out = strncasecmp(url, "https:", 6) == 0 ? with_password : with_password & ~CURLAUTH_BASIC;
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(methods); i++)
        if (strcmp(name, methods[i].name) == 0) {
            *out = methods[i].bits;
            return 0;
        }
    return err_set(e, ERR_INVALID, "auth=%.40s: not one of basic, digest, ntlm, negotiate, any",
                   name);
}

/* The same for a proxy, whose name and password only the environment can have. An empty name and
 * password, as in http://:@proxy:3128, ask for Negotiate. */
static unsigned long proxy_auth(void)
{
    static const char *const names[] = { "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy",
                                         "ALL_PROXY" };

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *proxy = getenv(names[i]);
        if (proxy && (strncmp(proxy, ":@", 2) == 0 || strstr(proxy, "//:@")))
            return CURLAUTH_NEGOTIATE;
    }
    return with_password;
}

static int copy_credentials(struct http_settings *to, struct err *e)
{
    const char *user = secure_getenv("SFTFS_HTTP_USER");

    if (!user || !*user)
        return 0;
    int r = copy_text(user, &to->user, e);
    return r ? r : copy_text(secure_getenv("SFTFS_HTTP_PASSWORD"), &to->password, e);
}

/* Not of the environment of a program that has more rights than its caller. */
static int copy_keys(struct http_settings *to, const char *scope, struct err *e)
{
    const char *id = secure_getenv("AWS_ACCESS_KEY_ID");
    const char *secret = secure_getenv("AWS_SECRET_ACCESS_KEY");
    const char *token = secure_getenv("AWS_SESSION_TOKEN");
    int r = sigv4_scope(scope, &to->sigv4, e);

    if (r)
        return r;
    if (!id || !*id || !secret || !*secret)
        return err_set(e, ERR_AUTH,
                       "aws-sigv4: the keys are taken from the environment, but %s is not set",
                       !id || !*id ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY");
    if (token && strpbrk(token, "\r\n"))
        return err_set(e, ERR_INVALID, "AWS_SESSION_TOKEN has a line end in it");
    if (token && *token && asprintf(&to->token_header, "x-amz-security-token: %s", token) < 0) {
        to->token_header = NULL;
        return err_nomem(e);
    }
    to->auth = CURLAUTH_AWS_SIGV4;
    char *url = sigv4_url(to->url);
    if (!url)
        return err_nomem(e);
    free(to->url);
    to->url = url;
    r = copy_text(id, &to->user, e);
    return r ? r : copy_text(secret, &to->password, e);
}

static unsigned or_default(unsigned value, unsigned normal)
{
    return value ? (unsigned)min_u64(value, INT_MAX) : normal;
}

static int copy_options(struct http_settings *to, const struct source_options *o, struct err *e)
{
    int r;

    if (o->proxy && strchr(o->proxy, '@'))
        return err_set(e, ERR_INVALID,
                       "a proxy with a user name or password in it is refused: other users can see "
                       "it; use the environment (http_proxy, https_proxy) instead");
    if (o->aws_sigv4 && o->auth)
        return err_set(e, ERR_INVALID, "auth and aws-sigv4 exclude each other");
    to->insecure = o->insecure;
    to->proxy_auth = proxy_auth();
    to->io_timeout_ms = or_default(o->io_timeout_ms, 60000);
    to->connect_timeout_ms = or_default(o->connect_timeout_ms, 10000);
    to->low_speed_bytes = or_default(o->low_speed_bytes, 1024);
    to->low_speed_seconds = or_default(o->low_speed_seconds, 15);
    to->max_connections = (unsigned)min_u64(or_default(o->max_connections, 6), 64);
    const char *agent = o->user_agent ? o->user_agent : "sftfs/" PACKAGE_VERSION;
    if ((r = parse_auth(o->auth, to->url, &to->auth, e)) ||
        (r = copy_text(agent, &to->user_agent, e)) || (r = copy_text(o->proxy, &to->proxy, e)) ||
        (r = copy_path("CA file", o->ca_file, &to->ca_file, e)) ||
        (r = copy_path("client certificate", o->client_cert, &to->client_cert, e)) ||
        (r = copy_path("client key", o->client_key, &to->client_key, e)) ||
        (r = copy_path("netrc file", o->netrc_file, &to->netrc_file, e)))
        return r;
    return o->aws_sigv4 ? copy_keys(to, o->aws_sigv4, e) : copy_credentials(to, e);
}

static void free_secret(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

static void free_settings(struct http_settings *o)
{
    free(o->url);
    free(o->user_agent);
    free(o->ca_file);
    free(o->client_cert);
    free(o->client_key);
    free(o->netrc_file);
    free(o->proxy);
    free(o->user);
    free(o->sigv4);
    free_secret(o->password);
    free_secret(o->token_header);
}

/* --- opening and closing --------------------------------------------------------------------- */

/* Everything but the thread, which has ended or was never there, and the name. */
static void free_source(struct http_source *s)
{
    for (size_t i = 0; i < s->idle_count; i++)
        libcurl.easy_cleanup(s->idle[i]);
    free(s->idle);
    http_lane_close(s);
    if (s->multi)
        (void)libcurl.multi_cleanup(s->multi);
    libcurl.slist_free_all(s->headers);
    libcurl.slist_free_all(s->fresh_headers);
    free_settings(&s->settings);
    free(s->head);
    pthread_mutex_destroy(&s->lock);
    free(s);
    libcurl.global_cleanup();
}

static int add_header(struct curl_slist **list, const char *line, struct err *e)
{
    struct curl_slist *longer = libcurl.slist_append(*list, line);

    if (!longer)
        return err_nomem(e);
    *list = longer;
    return 0;
}

/* What is sent with each request, and what with those that no cache is to answer. */
static int make_headers(struct http_source *s, struct err *e)
{
    const struct http_settings *o = &s->settings;
    const struct {
        bool always, wanted;
        const char *line;
    } lines[] = {
        { true, true, "Accept-Encoding: identity" },
        { true, o->sigv4 != NULL, SIGV4_BODY_HEADER },
        { true, o->token_header != NULL, o->token_header },
        { false, true, "Cache-Control: no-cache" },
        { false, true, "Pragma: no-cache" },
    };
    int r = 0;

    for (size_t i = 0; i < ARRAY_LEN(lines) && !r; i++) {
        if (!lines[i].wanted)
            continue;
        if (lines[i].always)
            r = add_header(&s->headers, lines[i].line, e);
        if (!r)
            r = add_header(&s->fresh_headers, lines[i].line, e);
    }
    return r;
}

static int new_source(const char *location, const struct source_options *o,
                      struct http_source **out, struct err *e)
{
    int loaded = curl_library_load(e);
    if (loaded)
        return loaded;
    if (libcurl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) /* counted, and safe in threads */
        return err_set(e, ERR_NO_MEMORY, "curl cannot be initialised");
    struct http_source *s = calloc(1, sizeof *s);
    if (!s) {
        libcurl.global_cleanup();
        return err_nomem(e);
    }
    pthread_mutex_init(&s->lock, NULL); /* with default attributes it cannot fail */
    s->base.ops = &source_http_ops;
    s->base.name = http_url_redact(location);
    int r = s->base.name ? 0 : err_nomem(e);
    if (!r && (r = http_url_prepare(location, &s->settings.url, e)))
        err_wrap(e, "%s", s->base.name);
    if (!r)
        r = copy_options(&s->settings, o, e);
    if (!r)
        r = make_headers(s, e);
    if (r) {
        free(s->base.name);
        free_source(s);
        return r;
    }
    *out = s;
    return 0;
}

/* Where the opening thread waits for the first reply. */
struct opening {
    struct source *source;
    struct source_read *read;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done; /* lock */
    int status;
    struct err err;
};

static void on_opened(struct source_read *read, int status, const struct err *e)
{
    struct opening *o = read->arg;

    pthread_mutex_lock(&o->lock);
    o->done = true;
    o->status = status;
    if (status)
        o->err = *e;
    pthread_cond_signal(&o->changed);
    pthread_mutex_unlock(&o->lock);
}

static void http_cancel(struct source *s, struct source_read *read);

/* The caller wants no answer any more. */
static void end_opening(void *arg)
{
    struct opening *o = arg;

    pthread_mutex_lock(&o->lock);
    if (!o->done)
        http_cancel(o->source, o->read);
    pthread_mutex_unlock(&o->lock);
}

/* Asks for the first LEN bytes into BUF and waits: not for ever, a request has its deadline. */
static int request_head(struct http_source *s, const struct source_options *options, uint8_t *buf,
                        size_t len, struct err *e)
{
    struct source_read read = { .flags = options->once ? SOURCE_READ_ONCE : 0, .len = len,
                                .buf = buf, .done = on_opened };
    struct opening o = { .source = &s->base, .read = &read, .lock = PTHREAD_MUTEX_INITIALIZER,
                         .changed = PTHREAD_COND_INITIALIZER };

    read.arg = &o;
    http_loop_submit(s, &read, true);
    source_opening_enter(options->opening, end_opening, &o);
    pthread_mutex_lock(&o.lock);
    while (!o.done)
        pthread_cond_wait(&o.changed, &o.lock);
    pthread_mutex_unlock(&o.lock);
    source_opening_leave(options->opening);
    pthread_cond_destroy(&o.changed);
    pthread_mutex_destroy(&o.lock);
    if (o.status && e)
        *e = o.err;
    return o.status;
}

static int http_open(const char *location, const struct source_options *o, size_t head_bytes,
                     struct source **out, struct err *e)
{
    static const struct source_options none;
    struct http_source *s = NULL;
    size_t len = head_bytes ? head_bytes : 1;

    if (!o)
        o = &none;
    int r = new_source(location, o, &s, e);
    if (r)
        return r;
    uint8_t *head = malloc(len);
    r = head ? http_loop_start(s, e) : err_nomem(e);
    if (r)
        goto free_all;
    r = request_head(s, o, head, len, e);
    if (r) {
        http_loop_stop(s);
        goto free_all;
    }
    s->base.size = s->identity.size;
    /* The thread looks at these two when the next read is queued, not before. */
    s->head_len = head_bytes ? (size_t)min_u64(len, s->base.size) : 0;
    s->head = steal_ptr(&head);
    *out = &s->base;
    return 0;

free_all:
    free(head);
    free(s->base.name);
    free_source(s);
    return r;
}

static void http_close(struct source *base)
{
    struct http_source *s = impl(base);

    http_loop_stop(s);
    free_source(s);
}

/* --- operations ------------------------------------------------------------------------------ */

static void http_start(struct source *s, struct source_read *read)
{
    http_loop_submit(impl(s), read, false);
}

static void http_cancel(struct source *s, struct source_read *read)
{
    struct http_request *q = read->impl;

    atomic_store(&q->cancelled, true);
    atomic_store(&impl(s)->flags_set, true);
    http_loop_wake(impl(s));
}

static void http_promote(struct source *s, struct source_read *read)
{
    struct http_request *q = read->impl;

    atomic_store(&q->promoted, true);
    atomic_store(&impl(s)->flags_set, true);
    http_loop_wake(impl(s));
}

static void http_drop_head(struct source *s)
{
    atomic_store(&impl(s)->drop_head, true);
    http_loop_wake(impl(s));
}

static void http_get_stats(struct source *base, struct source_stats *out)
{
    struct http_source *s = impl(base);
    uint64_t oldest = atomic_load_explicit(&s->oldest_ms, memory_order_relaxed);
    uint64_t now = monotonic_ms();

    *out = (struct source_stats){ .requests = atomic_load(&s->requests),
                                  .bytes = atomic_load(&s->bytes),
                                  .errors = atomic_load(&s->errors),
                                  .connections = atomic_load(&s->connections),
                                  .retries = atomic_load(&s->retries),
                                  .in_flight = atomic_load(&s->in_flight),
                                  .oldest_ms = oldest && oldest < now ? now - oldest : 0 };
    for (size_t i = 0; i < SOURCE_LATENCY_BUCKETS; i++)
        out->latency[i] = atomic_load_explicit(&s->latency[i], memory_order_relaxed);
}

const struct source_ops source_http_ops = {
    .name = "http",
    .matches = http_url_matches,
    .open = http_open,
    .start = http_start,
    .cancel = http_cancel,
    .promote = http_promote,
    .drop_head = http_drop_head,
    .get_stats = http_get_stats,
    .close = http_close,
};
