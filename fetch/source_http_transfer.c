/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One attempt at a range request: a configured curl handle, the callbacks that check the reply as
 * it arrives, and the outcome. A reply that is wrong is dropped at its header: no body is read that
 * nobody wants. What earlier attempts have brought is not asked for again.
 *
 * Body bytes go straight into the reader's buffer and never beyond its end. I/O thread only.
 */
#include "config.h"

#include "fetch/source_http.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum {
    RECEIVE_BUFFER = 256 * 1024,
    MAX_REDIRECTS = 5,
    KEPT_SECONDS = 3600, /* idle: worth two round trips, and keep-alive finds out if it is dead */
    ERROR_PAGE_MAX = 16 * 1024, /* read to its end, so that the connection can be used again */
};

/* --- callbacks ------------------------------------------------------------------------------ */

static int plain_redirect(struct http_request *q)
{
    const char *url = NULL;

    if (!q->reply.to_plain_http ||
        libcurl.easy_getinfo(q->easy, CURLINFO_EFFECTIVE_URL, &url) != CURLE_OK || !url ||
        strncasecmp(url, "https:", 6) != 0)
        return 0;
    return err_set(&q->err, ERR_TLS, "%s: the server redirects from https to http; refused",
                   q->source->base.name);
}

/* What this attempt is to bring. */
static struct http_want wanted(const struct http_request *q)
{
    bool any = q->opening && !q->identified;

    return (struct http_want){ .name = q->source->base.name,
                               .offset = q->read->offset + q->begun_at,
                               .len = q->len - q->begun_at,
                               .identity = any ? NULL : &q->source->identity };
}

/* The first good header of the opening request says which object it is. */
static void identify(struct http_request *q, uint64_t body_len)
{
    struct http_source *s = q->source;

    s->identity = q->reply.identity;
    s->identity.size = q->reply.range.total;
    q->identified = true;
    q->len = (size_t)body_len; /* the object may be shorter than its head was to be */
}

/* The header is complete: goes on (0), or ends the transfer. */
static int on_header_end(struct http_request *q)
{
    const struct http_reply *r = &q->reply;
    struct http_want want = wanted(q);
    uint64_t body_len;

    if (r->status >= 300 && r->status < 400) {
        q->moved_for_good =
            (!q->redirected || q->moved_for_good) && (r->status == 301 || r->status == 308);
        q->redirected = true;
        return plain_redirect(q);
    }
    if (r->status != 200 && r->status != 206)
        return 0; /* interim, a log-in that curl goes on with, or judged when it has ended */
    int status = http_reply_check(r, &want, (int64_t)time(NULL), &body_len, &q->err);
    q->accepted = status == 0;
    if (q->accepted && !want.identity)
        identify(q, body_len);
    if (q->accepted)
        q->end = q->begun_at + (size_t)body_len;
    long version = 0;
    if (libcurl.easy_getinfo(q->easy, CURLINFO_HTTP_VERSION, &version) == CURLE_OK &&
        version == CURL_HTTP_VERSION_2_0)
        q->source->multiplexed = q->source->speaks_http2 = true;
    return status;
}

static size_t on_header(char *line, size_t size, size_t count, void *arg)
{
    struct http_request *q = arg;
    size_t len = size * count;

    switch (http_reply_line(&q->reply, line, len)) {
    case HTTP_LINE_END:
        q->status = on_header_end(q);
        break;
    case HTTP_LINE_FLOOD:
        q->status = err_set(&q->err, ERR_HTTP_BAD_REPLY, "%s: the server sends endless headers",
                            q->source->base.name);
        break;
    case HTTP_LINE_STATUS:
    case HTTP_LINE_FIELD:
    case HTTP_LINE_EXTRA:
        break;
    }
    return q->status ? 0 : len;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *arg)
{
    struct http_request *q = arg;
    size_t len = size * count;

    if (!q->accepted) {
        q->discarded += len;
        return q->discarded <= ERROR_PAGE_MAX ? len : 0;
    }
    if (q->rank == HTTP_LOW && q->source->low_stands_back) {
        http_order_paused(q);
        return CURL_WRITEFUNC_PAUSE; /* these bytes come once more */
    }
    if (len > q->end - q->got) {
        q->status = err_set(&q->err, ERR_HTTP_BAD_REPLY,
                            "%s: the server sends more than the %zu bytes it was asked for",
                            q->source->base.name, q->end - q->begun_at);
        return 0;
    }
    memcpy(q->read->buf + q->got, bytes, len);
    q->got += len;
    return len;
}

/* --- handles -------------------------------------------------------------------------------- */

/* Sets one option, unless an earlier one failed. */
#define SET(option, value)                                                                         \
    do {                                                                                           \
        if (rc == CURLE_OK)                                                                        \
            rc = libcurl.easy_setopt(easy, CURLOPT_##option, value);                                  \
    } while (0)

static CURLcode set_protocol(CURL *easy, const struct http_settings *o)
{
    CURLcode rc = CURLE_OK;

    SET(PROTOCOLS_STR, "http,https");
    /* curl would send the token to whoever is redirected to, and the signature is for one host. */
    SET(FOLLOWLOCATION, o->sigv4 ? 0L : 1L);
    SET(MAXREDIRS, (long)MAX_REDIRECTS);
    SET(UNRESTRICTED_AUTH, 0L);
    SET(DISALLOW_USERNAME_IN_URL, 1L); /* in a redirect; ours has none */
    SET(SUPPRESS_CONNECT_HEADERS, 1L);
    if (o->proxy)
        SET(PROXY, o->proxy);
    SET(PROXYAUTH, o->proxy_auth);
    return rc;
}

static CURLcode set_tls(CURL *easy, const struct http_settings *o)
{
    CURLcode rc = CURLE_OK;

    SET(SSL_VERIFYPEER, o->insecure ? 0L : 1L);
    SET(SSL_VERIFYHOST, o->insecure ? 0L : 2L);
    if (o->ca_file)
        SET(CAINFO, o->ca_file);
    if (o->client_cert)
        SET(SSLCERT, o->client_cert);
    if (o->client_key)
        SET(SSLKEY, o->client_key);
    SET(KEYPASSWD, ""); /* an encrypted key must fail, not ask at the terminal */
    return rc;
}

static CURLcode set_credentials(CURL *easy, const struct http_settings *o)
{
    CURLcode rc = CURLE_OK;

    if (o->user) {
        SET(USERNAME, o->user);
        SET(PASSWORD, o->password ? o->password : "");
        if (o->sigv4)
            SET(AWS_SIGV4, o->sigv4);
    } else if (o->auth == CURLAUTH_NEGOTIATE) {
        SET(USERPWD, ":"); /* the Kerberos ticket says who */
    } else {
        SET(NETRC, (long)CURL_NETRC_OPTIONAL);
        if (o->netrc_file)
            SET(NETRC_FILE, o->netrc_file);
    }
    return rc;
}

static CURLcode set_transport(CURL *easy, const struct http_source *s)
{
    const struct http_settings *o = &s->settings;
    CURLcode rc = CURLE_OK;

    SET(NOSIGNAL, 1L);
    SET(NOPROGRESS, 1L);
    SET(USERAGENT, o->user_agent);
    SET(BUFFERSIZE, (long)RECEIVE_BUFFER);
    SET(TCP_NODELAY, 1L);
    SET(TCP_KEEPALIVE, 1L);
    SET(TCP_KEEPIDLE, 30L);
    SET(TCP_KEEPINTVL, 15L);
    SET(MAXAGE_CONN, (long)KEPT_SECONDS);
    SET(CONNECTTIMEOUT_MS, (long)o->connect_timeout_ms);
    SET(LOW_SPEED_LIMIT, (long)o->low_speed_bytes);
    SET(LOW_SPEED_TIME, (long)o->low_speed_seconds);
#if LIBCURL_VERSION_NUM >= 0x075700
    SET(QUICK_EXIT, 1L); /* giving up a request must not wait for a name server */
#endif
    SET(HEADERFUNCTION, on_header);
    SET(WRITEFUNCTION, on_body);
    return rc;
}

/* A handle with everything set that is the same for all requests; NULL without memory or when this
 * curl lacks something. */
static CURL *take_handle(struct http_source *s, CURLcode *rc)
{
    if (s->idle_count)
        return s->idle[--s->idle_count];
    CURL *easy = libcurl.easy_init();
    if (!easy) {
        *rc = CURLE_OUT_OF_MEMORY;
        return NULL;
    }
    *rc = set_protocol(easy, &s->settings);
    if (*rc == CURLE_OK)
        *rc = set_tls(easy, &s->settings);
    if (*rc == CURLE_OK)
        *rc = set_credentials(easy, &s->settings);
    if (*rc == CURLE_OK)
        *rc = set_transport(easy, s);
    if (*rc != CURLE_OK) {
        libcurl.easy_cleanup(easy);
        return NULL;
    }
    return easy;
}

/* In a lane of its own, which is spared where there is no HTTP/2. */
static bool own_lane(const struct http_request *q)
{
    return q->rank == HTTP_LOW && q->source->speaks_http2 && q->source->settings.max_connections > 1;
}

static CURLcode set_request(CURL *easy, struct http_request *q)
{
    const struct http_source *s = q->source;
    const struct http_settings *o = &s->settings;
    CURLcode rc = CURLE_OK;

    (void)snprintf(q->range, sizeof q->range, "%" PRIu64 "-%" PRIu64, q->read->offset + q->got,
                   q->read->offset + q->len - 1);
    SET(HTTP_VERSION, (long)(own_lane(q) ? CURL_HTTP_VERSION_1_1 : CURL_HTTP_VERSION_2TLS));
    SET(HTTPHEADER, q->fresh ? s->fresh_headers : s->headers);
    SET(URL, o->url);
    SET(REDIR_PROTOCOLS_STR, strncasecmp(o->url, "https:", 6) == 0 ? "https" : "http,https");
    SET(HTTPAUTH, o->auth);
    SET(RANGE, q->range);
    SET(PRIVATE, q);
    SET(HEADERDATA, q);
    SET(WRITEDATA, q);
    SET(ERRORBUFFER, q->curl_text);
    return rc;
}

/* Forgets the attempt before. */
static void reset(struct http_request *q)
{
    q->reply = (struct http_reply){ .status = 0 };
    q->accepted = q->moved_for_good = q->redirected = q->paused = false;
    q->begun_at = q->end = q->got;
    q->discarded = 0;
    q->status = 0;
    q->curl_text[0] = '\0';
}

static int not_started(struct http_outcome *o, enum retry_fault fault, const struct http_source *s,
                       const char *why)
{
    *o = (struct http_outcome){ .verdict = retry_of_fault(fault), .after_s = -1 };
    o->status = err_set(&o->err, retry_kind_of_fault(fault), "%s: %s", s->base.name, why);
    return o->status;
}

int http_transfer_start(struct http_request *q, struct http_outcome *o)
{
    struct http_source *s = q->source;
    CURLcode rc = CURLE_OK;
    CURL *easy = take_handle(s, &rc);

    reset(q);
    q->attempts++;
    if (easy)
        rc = set_request(easy, q);
    if (rc != CURLE_OK) {
        if (easy)
            libcurl.easy_cleanup(easy);
        return not_started(
            o, rc == CURLE_OUT_OF_MEMORY ? RETRY_FAULT_MEMORY : RETRY_FAULT_REQUEST, s,
            libcurl.easy_strerror(rc));
    }
    q->multi = own_lane(q) ? http_lane_open(s) : s->multi;
    CURLMcode code = q->multi ? libcurl.multi_add_handle(q->multi, easy) : CURLM_OUT_OF_MEMORY;
    if (code != CURLM_OK) {
        libcurl.easy_cleanup(easy);
        return not_started(o, RETRY_FAULT_MEMORY, s, libcurl.multi_strerror(code));
    }
    q->easy = easy;
    return 0;
}

void http_transfer_end(struct http_request *q)
{
    struct http_source *s = q->source;
    CURL *easy = q->easy;
    long connections = 0;

    if (!easy)
        return;
    if (libcurl.easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &connections) == CURLE_OK)
        atomic_fetch_add(&s->connections, (uint64_t)connections);
    /* One that got no answer was sent all the same. */
    atomic_fetch_add(&s->requests, q->reply.replies ? q->reply.replies : 1);
    atomic_fetch_add(&s->bytes, q->got - q->begun_at);
    (void)libcurl.multi_remove_handle(q->multi, easy);
    (void)libcurl.easy_setopt(easy, CURLOPT_ERRORBUFFER, NULL);
    (void)libcurl.easy_setopt(easy, CURLOPT_PRIVATE, NULL);
    q->easy = NULL;
    q->paused = false;
    if (s->idle_count < HTTP_IDLE_MAX)
        s->idle[s->idle_count++] = easy;
    else
        libcurl.easy_cleanup(easy);
}

/* --- the outcome ---------------------------------------------------------------------------- */

/* OpenSSL says by text only whether the other side spoke or was gone. */
static bool says(const struct http_request *q, const char *words)
{
    return strstr(q->curl_text, words) != NULL;
}

static enum retry_fault fault_of(const struct http_request *q, CURLcode code)
{
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return RETRY_FAULT_NAME;
    case CURLE_COULDNT_CONNECT:
    case CURLE_INTERFACE_FAILED:
    case CURLE_PROXY:
        return RETRY_FAULT_CONNECT;
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        return RETRY_FAULT_BROKEN;
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
        /* TLS 1.3: a server refuses our certificate, or its absence, after the handshake. */
        return says(q, "SSL") && says(q, "alert") ? RETRY_FAULT_UNTRUSTED : RETRY_FAULT_BROKEN;
    case CURLE_OPERATION_TIMEDOUT:
        return RETRY_FAULT_SLOW;
    case CURLE_OUT_OF_MEMORY:
        return RETRY_FAULT_MEMORY;
    case CURLE_SSL_CONNECT_ERROR:
        return says(q, "SYSCALL") || says(q, "unexpected eof") || says(q, "reset by peer")
                   ? RETRY_FAULT_BROKEN
                   : RETRY_FAULT_HANDSHAKE;
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_SHUTDOWN_FAILED:
    case CURLE_USE_SSL_FAILED:
        return RETRY_FAULT_HANDSHAKE;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_ENGINE_SETFAILED:
    case CURLE_SSL_ENGINE_INITFAILED:
    case CURLE_SSL_CLIENTCERT:
        return RETRY_FAULT_UNTRUSTED;
    case CURLE_LOGIN_DENIED:
    case CURLE_AUTH_ERROR:
    case CURLE_REMOTE_ACCESS_DENIED:
        return RETRY_FAULT_DENIED;
    case CURLE_TOO_MANY_REDIRECTS:
    case CURLE_UNSUPPORTED_PROTOCOL: /* redirected to ftp: or file:, or no HTTP at all */
    case CURLE_URL_MALFORMAT:        /* in a redirect: ours was looked at before */
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_WEIRD_SERVER_REPLY:
        return RETRY_FAULT_REPLY;
    case CURLE_FAILED_INIT:
    case CURLE_NOT_BUILT_IN:
    case CURLE_BAD_FUNCTION_ARGUMENT:
    case CURLE_UNKNOWN_OPTION:
        return RETRY_FAULT_REQUEST;
    default:
        return RETRY_FAULT_OTHER;
    }
}

/* Curl used a connection that it had kept, and nothing came back: the server had closed it. */
static bool was_stale(struct http_request *q, enum retry_fault fault)
{
    long connections = 1;

    return fault == RETRY_FAULT_BROKEN && !q->reply.header_bytes &&
           libcurl.easy_getinfo(q->easy, CURLINFO_NUM_CONNECTS, &connections) == CURLE_OK &&
           connections == 0;
}

/* A proxy's answer to CONNECT, which the callbacks do not see; 0 if there was none or it agreed. */
static int refused_by_proxy(const struct http_request *q)
{
    long code = 0;

    if (libcurl.easy_getinfo(q->easy, CURLINFO_HTTP_CONNECTCODE, &code) != CURLE_OK)
        return 0;
    return code >= 300 ? (int)code : 0;
}

static void failure(struct http_request *q, CURLcode code, struct http_outcome *o)
{
    const char *name = q->source->base.name;
    enum retry_fault fault = fault_of(q, code);
    int proxy = refused_by_proxy(q);

    o->verdict = proxy ? retry_of_status(proxy) : retry_of_fault(fault);
    o->stale = was_stale(q, fault);
    o->unreached = fault == RETRY_FAULT_NAME || fault == RETRY_FAULT_CONNECT;
    if (proxy == 407) {
        o->status = err_set(&o->err, ERR_AUTH, "%s: the proxy wants a log-in (status 407)", name);
        return;
    }
    if (proxy == 401 || proxy == 403) {
        o->status = err_set(&o->err, ERR_AUTH, "%s: access denied by the proxy (status %d)", name,
                            proxy);
        return;
    }
    /* What curl says may quote the server (certificate names, for one). */
    for (char *p = q->curl_text; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
    o->status = err_set(&o->err, retry_kind_of_fault(fault), "%s: %s", name,
                        *q->curl_text ? q->curl_text : libcurl.easy_strerror(code));
}

static void add_advice(struct err *e, const char *advice)
{
    size_t n = strlen(e->text);

    (void)snprintf(e->text + n, sizeof e->text - n, "%s", advice);
}

/* What to do about a refusal, when we know more than that. */
static void explain_denial(struct http_request *q, struct err *e)
{
    const struct http_settings *o = &q->source->settings;
    long offered = 0;

    if (o->sigv4) {
        if (e->kind == ERR_AUTH)
            add_advice(e, "; are the keys in the environment, the region and the clock of this "
                          "machine right?");
        else if (q->reply.status >= 300 && q->reply.status < 400)
            add_advice(e, "; a signed request is for one host only: name the address it redirects "
                          "to, or the region that the bucket is in");
        return;
    }
    if (e->kind != ERR_AUTH || q->reply.status != 401 ||
        libcurl.easy_getinfo(q->easy, CURLINFO_HTTPAUTH_AVAIL, &offered) != CURLE_OK || !offered)
        return;
    const char *advice = "; are the name and password in the netrc file right?";
    unsigned long usable = (unsigned long)offered & o->auth;
    if (o->auth == CURLAUTH_NEGOTIATE)
        advice = "; is there a valid Kerberos ticket, and does the server accept it?";
    else if (!usable && ((unsigned long)offered & CURLAUTH_BASIC))
        advice = "; it wants the password in clear text (Basic), which is not sent over http "
                 "unless auth=basic is given";
    else if (!usable && ((unsigned long)offered & CURLAUTH_NEGOTIATE))
        advice = "; it wants a Kerberos ticket: get one with kinit and use auth=negotiate";
    add_advice(e, advice);
}

/* The method curl chose among those the server offers, in curl's order. */
static unsigned long used_auth(unsigned long usable)
{
    static const unsigned long order[] = { CURLAUTH_NEGOTIATE, CURLAUTH_DIGEST, CURLAUTH_NTLM,
                                           CURLAUTH_BASIC };

    for (size_t i = 0; i < ARRAY_LEN(order); i++)
        if (usable & order[i])
            return order[i];
    return 0;
}

/* The first request tells what the following ones need not find out again. */
static int opened(struct http_request *q, struct err *e)
{
    struct http_source *s = q->source;
    const char *url = NULL;
    long offered = 0;

    /* Credentials that are bound to the host of the URL would be taken for the new host's. */
    bool bound = s->settings.user || s->settings.auth == CURLAUTH_NEGOTIATE;
    if (q->redirected && q->moved_for_good && !bound &&
        libcurl.easy_getinfo(q->easy, CURLINFO_EFFECTIVE_URL, &url) == CURLE_OK && url) {
        char *copy = strdup(url);
        if (!copy)
            return err_nomem(e);
        free(s->settings.url);
        s->settings.url = copy;
    }
    if (!q->redirected &&
        libcurl.easy_getinfo(q->easy, CURLINFO_HTTPAUTH_AVAIL, &offered) == CURLE_OK && offered) {
        unsigned long one = used_auth((unsigned long)offered & s->settings.auth);
        if (one)
            s->settings.auth = one;
    }
    return 0;
}

/* A complete header that was not what was asked for. */
static void judge(struct http_request *q, struct http_outcome *o)
{
    const struct http_reply *r = &q->reply;
    struct http_want want = wanted(q);
    int64_t now = (int64_t)time(NULL);
    uint64_t ignored;

    o->status = http_reply_check(r, &want, now, &ignored, &o->err);
    if (!o->status)
        o->status = err_set(&o->err, ERR_HTTP_BAD_REPLY, "%s: bad reply", want.name);
    explain_denial(q, &o->err);
    bool judged_by_status = r->status != 200 && r->status != 206;
    o->verdict = judged_by_status ? retry_of_status(r->status) : retry_of_kind(o->err.kind);
    if (o->verdict == RETRY_HERE)
        o->after_s = http_retry_after(r->retry_after, now);
}

void http_transfer_result(struct http_request *q, CURLcode code, struct http_outcome *o)
{
    const struct http_reply *r = &q->reply;

    *o = (struct http_outcome){ .after_s = -1 };
    if (q->status) { /* a callback ended it and knows why */
        o->status = q->status;
        o->err = q->err;
        o->verdict = retry_of_kind(q->err.kind);
        return;
    }
    /* An error page that breaks off does not matter; a log-in that breaks off was no answer yet. */
    bool refused = r->status >= 400 && r->status != 401 && r->status != 407;
    if (!q->accepted && r->complete && (code == CURLE_OK || code == CURLE_WRITE_ERROR || refused)) {
        judge(q, o);
        return;
    }
    if (q->accepted && q->got == q->end) { /* whatever was to come behind the bytes */
        o->status = q->opening ? opened(q, &o->err) : 0;
        o->verdict = RETRY_GIVE_UP;
        return;
    }
    if (code != CURLE_OK) {
        failure(q, code, o);
        return;
    }
    o->verdict = retry_of_fault(RETRY_FAULT_SHORT);
    o->status = err_set(&o->err, retry_kind_of_fault(RETRY_FAULT_SHORT),
                        "%s: the server sends %zu bytes, %zu were asked for", q->source->base.name,
                        q->got - q->begun_at, q->end - q->begun_at);
}
