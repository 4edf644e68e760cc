/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How to reach a SOURCE: the options that every command with a SOURCE takes, as --ca-file=FILE on
 * a command line and as ca_file=FILE behind -o of a mount. One list gives both tables.
 */
#ifndef TOOLS_CONNECTION_H
#define TOOLS_CONNECTION_H

#include "fetch/source.h"
#include "tools/cli.h"

/* id, name behind --, name behind -o, argument, help */
#define CONNECTION_OPTIONS(X)                                                                     \
    X(CA_FILE, "ca-file", "ca_file", "FILE",                                                      \
      "Trust the certificates in FILE (PEM) instead of the system's.")                            \
    X(CERT, "cert", "cert", "FILE", "Client certificate (PEM).")                                  \
    X(KEY, "key", "key", "FILE", "Private key of the client certificate (PEM).")                  \
    X(NETRC_FILE, "netrc-file", "netrc_file", "FILE",                                             \
      "Take user names and passwords from FILE instead of ~/.netrc. They are never taken from "   \
      "the command line.")                                                                        \
    X(AUTH, "auth", "auth", "METHOD",                                                             \
      "HTTP authentication to use: basic, digest or ntlm; any of these; or negotiate, which "     \
      "needs a Kerberos ticket in place of a password. Default: any, but no basic over http, "    \
      "where it would show the password to the network.")                                         \
    X(AWS_SIGV4, "aws-sigv4", "aws_sigv4", "REGION[/SERVICE]",                                    \
      "Sign requests with AWS Signature Version 4, for buckets of S3 and what is like it. The "    \
      "keys are taken from the environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, where "  \
      "there is one, AWS_SESSION_TOKEN. Redirects are not followed then. SERVICE is s3 unless "    \
      "given.")                                                                                   \
    X(PROXY, "proxy", "proxy", "URL",                                                             \
      "Proxy to use instead of the one in the environment; empty for none.")                      \
    X(IO_TIMEOUT, "io-timeout", "io_timeout", "SECONDS",                                          \
      "Time one read may take in all, however often it is tried; past it, the reader gets an " \
      "I/O error. Default: 60.")                                                                  \
    X(CONNECT_TIMEOUT, "connect-timeout", "connect_timeout", "SECONDS",                           \
      "Time making a connection may take. Default: 10.")                                          \
    X(LOW_SPEED, "low-speed", "low_speed", "BYTES[:SECONDS]",                                     \
      "Give up an attempt at a read, and make another one, when less than BYTES a second have "    \
      "come for SECONDS. Default: 1024:15.")                                                      \
    X(MAX_CONNECTIONS, "max-connections", "max_connections", "N",                                 \
      "Connections to one server at a time. Default: 6.")                                         \
    X(UNC_MAP, "unc-map", "unc_map", "MAP",                                                       \
      "Where file shares and drives are found: pairs such as \\\\server\\share=/mnt/share or "    \
      "Q:=/mnt/q, separated by semicolons.")                                                      \
    X(ARCH, "arch", "arch", "ARCHITECTURE",                                                       \
      "Which package of a bundle: x64, x86, arm64, arm or neutral. Default: the one that this "   \
      "machine runs best.")                                                                       \
    X(RESOURCE, "resource", "resource", "ID",                                                     \
      "Take a resource package of a bundle, by its id (sft info lists them), not the application.") \
    X(METADATA, "metadata", "metadata", NULL,                                                     \
      "Packages that are ZIP archives: show the container's own files too (the manifest, and "    \
      "for App-V what is not below Root), as they lie in the archive.")                           \
    X(VERIFY, "verify", "verify", "on|off",                                                       \
      "off: take blocks as they come, without comparing them with their hashes. For looking into " \
      "packages that are damaged; what is read is then anybody's. Default: on.")                  \
    X(INSECURE, "insecure", "insecure", NULL,                                                     \
      "Do not verify the server's TLS certificate. For tests only.")

enum connection_id {
    CONNECTION_BEFORE = CLI_ID_CONNECTION - 1,
#define X(id, name, sub, arg, help) CONNECTION_##id,
    CONNECTION_OPTIONS(X)
#undef X
    CONNECTION_AFTER
};

extern const struct cli_option connection_options[];    /* for CLI_STYLE_LONG */
extern const struct cli_option connection_suboptions[]; /* for CLI_STYLE_SUB */

#define CONNECTION_GROUP                                              \
    {                                                                 \
        "Package and connection options", CLI_STYLE_COMMON, connection_options \
    }

static inline bool connection_has(int id)
{
    return id > CONNECTION_BEFORE && id < CONNECTION_AFTER;
}

/* Puts one option into O; ARG is borrowed. ERR_INVALID names the option. */
int connection_set(struct source_options *o, int id, const char *arg, struct err *e) must_check;

#endif
