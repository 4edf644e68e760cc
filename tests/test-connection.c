/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Connection options: each reaches its field, and what makes no sense is refused. */
#include "config.h"

#include "tests/unit.h"
#include "tools/connection.h"

static int set(struct source_options *o, const char *name, const char *arg, struct err *e)
{
    const struct cli_option *row = cli_find(connection_suboptions, name);

    CU_ASSERT_PTR_NOT_NULL_FATAL(row);
    *e = (struct err){ 0 };
    return connection_set(o, row->id, arg, e);
}

static void connection_options_reach_their_fields(void)
{
    struct source_options o = { 0 };
    struct err e;

    CU_ASSERT_EQUAL(set(&o, "ca_file", "a", &e), 0);
    CU_ASSERT_EQUAL(set(&o, "cert", "b", &e), 0);
    CU_ASSERT_EQUAL(set(&o, "key", "c", &e), 0);
    CU_ASSERT_EQUAL(set(&o, "netrc_file", "d", &e), 0);
    CU_ASSERT_EQUAL(set(&o, "auth", "ntlm", &e), 0);
    CU_ASSERT_EQUAL(set(&o, "proxy", "", &e), 0);
    CU_ASSERT_EQUAL(set(&o, "io_timeout", "7", &e), 0);
    CU_ASSERT_EQUAL(set(&o, "connect_timeout", "3", &e), 0);
    CU_ASSERT_EQUAL(set(&o, "max_connections", "2", &e), 0);
    CU_ASSERT_EQUAL(set(&o, "low_speed", "2K", &e), 0);
    CU_ASSERT_EQUAL(o.low_speed_bytes, 2048);
    CU_ASSERT_EQUAL(o.low_speed_seconds, 0); /* the default */
    CU_ASSERT_EQUAL(set(&o, "low_speed", "100:7", &e), 0);
    CU_ASSERT_EQUAL(o.low_speed_bytes, 100);
    CU_ASSERT_EQUAL(o.low_speed_seconds, 7);
    CU_ASSERT_EQUAL(set(&o, "aws_sigv4", "eu-west-1", &e), 0);
    CU_ASSERT_STRING_EQUAL(o.aws_sigv4, "eu-west-1");
    CU_ASSERT_EQUAL(set(&o, "unc_map", "m", &e), 0);
    CU_ASSERT_EQUAL(set(&o, "insecure", NULL, &e), 0);
    CU_ASSERT_STRING_EQUAL(o.ca_file, "a");
    CU_ASSERT_STRING_EQUAL(o.client_cert, "b");
    CU_ASSERT_STRING_EQUAL(o.client_key, "c");
    CU_ASSERT_STRING_EQUAL(o.netrc_file, "d");
    CU_ASSERT_STRING_EQUAL(o.auth, "ntlm");
    CU_ASSERT_STRING_EQUAL(o.proxy, "");
    CU_ASSERT_EQUAL(o.io_timeout_ms, 7000);
    CU_ASSERT_EQUAL(o.connect_timeout_ms, 3000);
    CU_ASSERT_EQUAL(o.max_connections, 2);
    CU_ASSERT_STRING_EQUAL(o.unc_map, "m");
    CU_ASSERT(o.insecure);
}

static void connection_options_that_make_no_sense_are_refused(void)
{
    static const char *const bad[][2] = {
        { "auth", "kerberos5" }, { "io_timeout", "0" },       { "io_timeout", "1.5" },
        { "io_timeout", "" },    { "connect_timeout", "-1" }, { "max_connections", "0" },
        { "low_speed", "0" },    { "low_speed", "10:0" },     { "low_speed", "10:" },
        { "low_speed", ":5" },   { "low_speed", "1:2:3" },    { "low_speed", "" },
        { "arch", "mips" },      { "arch", "" },
    };
    struct source_options o = { 0 };
    struct err e;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CU_ASSERT(set(&o, bad[i][0], bad[i][1], &e) < 0);
        CU_ASSERT_EQUAL(e.kind, ERR_INVALID);
    }
}

static void connection_takes_no_password_from_the_command_line(void)
{
    struct source_options o = { 0 };
    struct err e;

    CU_ASSERT(set(&o, "proxy", "http://me:secret@proxy:3128", &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_INVALID);
    CU_ASSERT_PTR_NULL(strstr(e.text, "secret"));
    CU_ASSERT_PTR_NULL(o.proxy);
}

static void connection_names_differ_only_in_the_hyphen(void)
{
    const struct cli_option *a = connection_options, *b = connection_suboptions;

    for (; a->name && b->name; a++, b++) {
        CU_ASSERT_EQUAL(a->id, b->id);
        CU_ASSERT_EQUAL(strlen(a->name), strlen(b->name));
        for (size_t i = 0; a->name[i]; i++)
            CU_ASSERT(a->name[i] == b->name[i] || (a->name[i] == '-' && b->name[i] == '_'));
    }
    CU_ASSERT(!a->name && !b->name);
}

UNIT_MAIN("connection", TEST(connection_options_reach_their_fields),
          TEST(connection_options_that_make_no_sense_are_refused),
          TEST(connection_takes_no_password_from_the_command_line),
          TEST(connection_names_differ_only_in_the_hyphen))
