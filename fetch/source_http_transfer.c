/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One range request: a configured curl handle, the callbacks that check the reply as it arrives,
 * and the outcome. A reply that is wrong is dropped at its header: no body is read that nobody
 * wants.
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

/* The header is complete: goes on (0), or ends the transfer. */
static int on_header_end(struct http_request *q)
{
    const struct http_reply *r = &q->reply;
    const struct source_read *read = q->read;
    struct http_want want = { .name = q->source->base.name,
                              .offset = read->offset,
                              .len = read->len,
                              .identity = q->opening ? NULL : &q->source->identity };

    if (r->status >= 300 && r->status < 400) {
        q->moved_for_good =
            (!q->redirected || q->moved_for_good) && (r->status == 301 || r->status == 308);
        q->redirected = true;
        return plain_redirect(q);
    }
    if (r->status != 200 && r->status != 206)
        return 0; /* interim, a log-in that curl goes on with, or judged when it has ended */
    int status = http_reply_check(r, &want, (int64_t)time(NULL), &q->body_len, &q->err);
    q->accepted = status == 0;
    long version = 0;
    if (libcurl.easy_getinfo(q->easy, CURLINFO_HTTP_VERSION, &version) == CURLE_OK &&
        version == CURL_HTTP_VERSION_2_0)
        q->source->multiplexed = true;
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
    if (len > q->body_len - q->got) {
        q->status = err_set(&q->err, ERR_HTTP_BAD_REPLY,
                            "%s: the server sends more than the %" PRIu64 " bytes it was asked for",
                            q->source->base.name, q->body_len);
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
    SET(HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    SET(FOLLOWLOCATION, 1L);
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
    SET(HTTPHEADER, s->headers);
    SET(BUFFERSIZE, (long)RECEIVE_BUFFER);
    SET(TCP_NODELAY, 1L);
    SET(TCP_KEEPALIVE, 1L);
    SET(TCP_KEEPIDLE, 30L);
    SET(TCP_KEEPINTVL, 15L);
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

static CURLcode set_request(CURL *easy, struct http_request *q)
{
    const struct http_settings *o = &q->source->settings;
    CURLcode rc = CURLE_OK;

    (void)snprintf(q->range, sizeof q->range, "%" PRIu64 "-%" PRIu64, q->read->offset,
                   q->read->offset + q->read->len - 1);
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

int http_transfer_start(struct http_request *q, struct err *e)
{
    struct http_source *s = q->source;
    CURLcode rc = CURLE_OK;
    CURL *easy = take_handle(s, &rc);

    if (easy)
        rc = set_request(easy, q);
    if (rc != CURLE_OK) {
        if (easy)
            libcurl.easy_cleanup(easy);
        return err_set(e, rc == CURLE_OUT_OF_MEMORY ? ERR_NO_MEMORY : ERR_UNSUPPORTED, "%s: %s",
                       s->base.name, libcurl.easy_strerror(rc));
    }
    CURLMcode code = libcurl.multi_add_handle(s->multi, easy);
    if (code != CURLM_OK) {
        libcurl.easy_cleanup(easy);
        return err_set(e, ERR_NO_MEMORY, "%s: %s", s->base.name, libcurl.multi_strerror(code));
    }
    q->easy = easy;
    s->in_flight++;
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
    (void)libcurl.multi_remove_handle(s->multi, easy);
    (void)libcurl.easy_setopt(easy, CURLOPT_ERRORBUFFER, NULL);
    (void)libcurl.easy_setopt(easy, CURLOPT_PRIVATE, NULL);
    q->easy = NULL;
    if (--s->in_flight == 0)
        s->multiplexed = false;
    if (s->idle_count < HTTP_IDLE_MAX)
        s->idle[s->idle_count++] = easy;
    else
        libcurl.easy_cleanup(easy);
}

/* --- the outcome ---------------------------------------------------------------------------- */

static enum err_kind kind_of(const struct http_request *q, CURLcode code)
{
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        return ERR_TIMEOUT;
    case CURLE_OUT_OF_MEMORY:
        return ERR_NO_MEMORY;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_SHUTDOWN_FAILED:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_ENGINE_SETFAILED:
    case CURLE_SSL_ENGINE_INITFAILED:
    case CURLE_USE_SSL_FAILED:
    case CURLE_SSL_CLIENTCERT:
        return ERR_TLS;
    case CURLE_LOGIN_DENIED:
    case CURLE_AUTH_ERROR:
    case CURLE_REMOTE_ACCESS_DENIED:
        return ERR_AUTH;
    case CURLE_TOO_MANY_REDIRECTS:
    case CURLE_UNSUPPORTED_PROTOCOL: /* redirected to ftp: or file:, or no HTTP at all */
    case CURLE_URL_MALFORMAT:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_WEIRD_SERVER_REPLY:
        return ERR_HTTP_BAD_REPLY;
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
        /* TLS 1.3: a server refuses our certificate, or its absence, after the handshake. */
        return strstr(q->curl_text, "SSL") && strstr(q->curl_text, "alert") ? ERR_TLS : ERR_NETWORK;
    default:
        return ERR_NETWORK;
    }
}

static int failure(struct http_request *q, CURLcode code, struct err *e)
{
    enum err_kind kind = kind_of(q, code);
    long connect_code = 0; /* a proxy's answer to CONNECT, which the callbacks do not see */

    if (libcurl.easy_getinfo(q->easy, CURLINFO_HTTP_CONNECTCODE, &connect_code) == CURLE_OK) {
        if (connect_code == 407)
            return err_set(e, ERR_AUTH, "%s: the proxy wants a log-in (status 407)",
                           q->source->base.name);
        if (connect_code == 401 || connect_code == 403)
            return err_set(e, ERR_AUTH, "%s: access denied by the proxy (status %ld)",
                           q->source->base.name, connect_code);
    }
    /* What curl says may quote the server (certificate names, for one). */
    for (char *p = q->curl_text; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
    return err_set(e, kind, "%s: %s", q->source->base.name,
                   *q->curl_text ? q->curl_text : libcurl.easy_strerror(code));
}

/* What to do about a 401, when we know more than that. */
static void explain_denial(struct http_request *q, struct err *e)
{
    const struct http_settings *o = &q->source->settings;
    long offered = 0;

    if (!e || e->kind != ERR_AUTH || q->reply.status != 401 ||
        libcurl.easy_getinfo(q->easy, CURLINFO_HTTPAUTH_AVAIL, &offered) != CURLE_OK || !offered)
        return;
    size_t n = strlen(e->text);
    const char *advice = "; are the name and password in the netrc file right?";
    unsigned long usable = (unsigned long)offered & o->auth;
    if (o->auth == CURLAUTH_NEGOTIATE)
        advice = "; is there a valid Kerberos ticket, and does the server accept it?";
    else if (!usable && ((unsigned long)offered & CURLAUTH_BASIC))
        advice = "; it wants the password in clear text (Basic), which is not sent over http "
                 "unless auth=basic is given";
    else if (!usable && ((unsigned long)offered & CURLAUTH_NEGOTIATE))
        advice = "; it wants a Kerberos ticket: get one with kinit and use auth=negotiate";
    (void)snprintf(e->text + n, sizeof e->text - n, "%s", advice);
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

    s->identity = q->reply.identity;
    s->identity.size = q->reply.range.total;
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

int http_transfer_result(struct http_request *q, CURLcode code, struct err *e)
{
    const struct http_reply *r = &q->reply;

    if (q->status) { /* a callback ended it and knows why */
        *e = q->err;
        return q->status;
    }
    /* An error page that breaks off does not matter; a log-in that breaks off was no answer yet. */
    bool refused = r->status >= 400 && r->status != 401 && r->status != 407;
    if (!q->accepted && r->complete && (code == CURLE_OK || code == CURLE_WRITE_ERROR || refused)) {
        struct http_want want = { .name = q->source->base.name,
                                  .offset = q->read->offset,
                                  .len = q->read->len,
                                  .identity = q->opening ? NULL : &q->source->identity };
        uint64_t ignored;
        int status = http_reply_check(r, &want, (int64_t)time(NULL), &ignored, e);
        explain_denial(q, e);
        return status ? status : err_set(e, ERR_HTTP_BAD_REPLY, "%s: bad reply", want.name);
    }
    if (code != CURLE_OK)
        return failure(q, code, e);
    if (!q->accepted || q->got != q->body_len)
        return err_set(e, ERR_HTTP_BAD_REPLY,
                       "%s: the server sends %zu bytes, %" PRIu64 " were asked for",
                       q->source->base.name, q->got, q->body_len);
    return q->opening ? opened(q, e) : 0;
}
