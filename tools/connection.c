/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Connection options. See connection.h. */
#include "config.h"

#include "tools/connection.h"

#include <string.h>
#include <strings.h>

const struct cli_option connection_options[] = {
#define X(id, name, sub, arg, help) { name, 0, arg, help, CONNECTION_##id },
    CONNECTION_OPTIONS(X)
#undef X
        { NULL, 0, NULL, NULL, 0 },
};

const struct cli_option connection_suboptions[] = {
#define X(id, name, sub, arg, help) { sub, 0, arg, help, CONNECTION_##id },
    CONNECTION_OPTIONS(X)
#undef X
        { NULL, 0, NULL, NULL, 0 },
};

static int set_seconds(const char *what, const char *arg, unsigned *ms, struct err *e)
{
    uint64_t seconds;
    int rc = cli_parse_number(what, arg, 1, 86400, &seconds, e);

    if (!rc)
        *ms = (unsigned)seconds * 1000;
    return rc;
}

static int set_auth(struct source_options *o, const char *arg, struct err *e)
{
    static const char *const methods[] = { "basic", "digest", "ntlm", "negotiate", "any" };

    for (size_t i = 0; i < ARRAY_LEN(methods); i++)
        if (!strcmp(arg, methods[i])) {
            o->auth = methods[i];
            return 0;
        }
    return err_set(e, ERR_INVALID, "auth must be basic, digest, ntlm, negotiate or any, not '%s'",
                   arg);
}

/* A bundle with a neutral package answers to every name, so what is mistyped must be found here. */
static int set_arch(struct source_options *o, const char *arg, struct err *e)
{
    static const char *const known[] = { "x64", "x86", "arm64", "arm", "neutral" };

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (!strcasecmp(arg, known[i])) {
            o->container.arch = known[i];
            return 0;
        }
    return err_set(e, ERR_INVALID, "arch is x64, x86, arm64, arm or neutral, not '%.80s'", arg);
}

static int set_low_speed(struct source_options *o, const char *arg, struct err *e)
{
    size_t n = strcspn(arg, ":");
    uint64_t bytes, seconds = 0;
    char first[24];

    if (n >= sizeof first)
        return err_set(e, ERR_INVALID, "low-speed must be BYTES or BYTES:SECONDS, not '%.80s'",
                       arg);
    memcpy(first, arg, n);
    first[n] = '\0';
    int rc = cli_parse_size("the low-speed limit", first, 1, 1 << 30, &bytes, e);
    if (!rc && arg[n])
        rc = cli_parse_number("the low-speed limit's time", arg + n + 1, 1, 86400, &seconds, e);
    if (rc)
        return rc;
    o->low_speed_bytes = (unsigned)bytes;
    o->low_speed_seconds = (unsigned)seconds;
    return 0;
}

int connection_set(struct source_options *o, int id, const char *arg, struct err *e)
{
    uint64_t n;
    int rc;

    switch (id) {
    case CONNECTION_CA_FILE:
        o->ca_file = arg;
        return 0;
    case CONNECTION_CERT:
        o->client_cert = arg;
        return 0;
    case CONNECTION_KEY:
        o->client_key = arg;
        return 0;
    case CONNECTION_NETRC_FILE:
        o->netrc_file = arg;
        return 0;
    case CONNECTION_AUTH:
        return set_auth(o, arg, e);
    case CONNECTION_AWS_SIGV4:
        o->aws_sigv4 = arg;
        return 0;
    case CONNECTION_PROXY:
        if (strchr(arg, '@')) /* every process on the machine can read argv */
            return err_set(e, ERR_INVALID,
                           "proxy: a user name or password does not belong on a command line; "
                           "set https_proxy in the environment instead");
        o->proxy = arg;
        return 0;
    case CONNECTION_IO_TIMEOUT:
        return set_seconds("the I/O timeout", arg, &o->io_timeout_ms, e);
    case CONNECTION_CONNECT_TIMEOUT:
        return set_seconds("the connect timeout", arg, &o->connect_timeout_ms, e);
    case CONNECTION_LOW_SPEED:
        return set_low_speed(o, arg, e);
    case CONNECTION_MAX_CONNECTIONS:
        rc = cli_parse_number("the number of connections", arg, 1, 64, &n, e);
        if (!rc)
            o->max_connections = (unsigned)n;
        return rc;
    case CONNECTION_UNC_MAP:
        o->unc_map = arg;
        return 0;
    case CONNECTION_ARCH:
        return set_arch(o, arg, e);
    case CONNECTION_RESOURCE:
        o->container.resource = arg;
        return 0;
    case CONNECTION_METADATA:
        o->container.metadata = true;
        return 0;
    case CONNECTION_VERIFY:
        if (strcmp(arg, "on") && strcmp(arg, "off"))
            return err_set(e, ERR_INVALID, "verify is on or off, not '%s'", arg);
        o->container.unverified = !strcmp(arg, "off");
        return 0;
    case CONNECTION_INSECURE:
        o->insecure = true;
        return 0;
    default:
        return err_set(e, ERR_INVALID, "not a connection option");
    }
}
