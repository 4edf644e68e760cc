/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Command lines: parsing, messages and the texts made from the option tables. */
#include "config.h"

#include "tests/unit.h"
#include "tools/cli.h"

enum { OPT_OUTPUT = CLI_ID_OWN, OPT_FORCE, OPT_PLACE, OPT_SHARED };

static const struct cli_option own[] = {
    { "output", 'o', "FILE", "Write to FILE. Use '-' for stdout.", OPT_OUTPUT },
    { "force", 0, NULL, "Overwrite.", OPT_FORCE },
    { "place", 'p', "[=DIR]", "Somewhere.", OPT_PLACE },
    { NULL, 0, NULL, NULL, 0 },
};
static const struct cli_option mount[] = {
    { "umask", 0, "MODE", "Bits taken away.", CLI_ID_MOUNT },
    { NULL, 0, NULL, NULL, 0 },
};
static const struct cli_option common[] = {
    { "shared", 0, NULL, "Like the others.", OPT_SHARED },
    { NULL, 0, NULL, NULL, 0 },
};
static const struct cli_group groups[] = {
    { NULL, CLI_STYLE_LONG, own },
    { "What all have", CLI_STYLE_COMMON, common },
    { "Mount options", CLI_STYLE_SUB, mount },
    { NULL, CLI_STYLE_LONG, NULL },
};
static const char *const synopsis[] = { "[OPTION]... DIR", NULL };
static const struct cli_command command = {
    .name = "sft try",
    .synopsis = synopsis,
    .summary = "Tries.",
    .groups = groups,
};

struct run {
    struct cli cli;
    char seen[256]; /* "output=x force " */
    char *out, *err;
    int last;
};

static void run_free(struct run *r)
{
    free(r->out);
    free(r->err);
}

/* Parses the words given, up to a NULL. */
static void run(struct run *r, char **argv)
{
    size_t out_len, err_len, at = 0;
    int argc = 0, id;

    while (argv[argc])
        argc++;
    memset(r, 0, sizeof *r);
    cli_begin(&r->cli, &command, argc, argv);
    r->cli.out = open_memstream(&r->out, &out_len);
    r->cli.err = open_memstream(&r->err, &err_len);
    while ((id = cli_next(&r->cli)) > 0)
        at += (size_t)snprintf(r->seen + at, sizeof r->seen - at, "%d=%s ", id - CLI_ID_OWN,
                               r->cli.arg ? r->cli.arg : "");
    r->last = id;
    (void)fclose(r->cli.out);
    (void)fclose(r->cli.err);
}

#define WORDS(...) ((char *[]){ (char[]){ "try" }, __VA_ARGS__, NULL })
#define W(text)    ((char[]){ text })

static void cli_takes_an_argument_that_may_be_left_out_behind_an_equals_sign_only(void)
{
    struct run r;

    run(&r, WORDS(W("--place"), W("a"), W("--place=b"), W("-p"), W("-pc")));
    CU_ASSERT_EQUAL(r.last, 0);
    CU_ASSERT_STRING_EQUAL(r.seen, "2= 2=b 2= 2=c ");
    CU_ASSERT_EQUAL(r.cli.operand_count, 1);
    CU_ASSERT(cli_arg_is_optional(cli_find(own, "place")));
    CU_ASSERT(!cli_arg_is_optional(cli_find(own, "output")));
    CU_ASSERT(!cli_arg_is_optional(cli_find(own, "force")));
    run_free(&r);
}

static void cli_shows_what_may_be_left_out_in_brackets(void)
{
    struct run r;

    run(&r, WORDS(W("--help")));
    CU_ASSERT_PTR_NOT_NULL(strstr(r.out, "  -p, --place[=DIR] "));
    run_free(&r);
    run(&r, WORDS(W("--help=man")));
    CU_ASSERT_PTR_NOT_NULL(strstr(r.out, "\\fB\\-\\-place\\fR[=\\fIDIR\\fR]\n"));
    run_free(&r);
}

static void cli_reads_options_and_operands_in_any_order(void)
{
    struct run r;

    run(&r, WORDS(W("a"), W("-ox"), W("--force"), W("b"), W("--output=y"), W("--"), W("-z")));
    CU_ASSERT_EQUAL(r.last, 0);
    CU_ASSERT_STRING_EQUAL(r.seen, "0=x 1= 0=y ");
    CU_ASSERT_EQUAL(r.cli.operand_count, 3);
    CU_ASSERT_STRING_EQUAL(r.cli.operands[0], "a");
    CU_ASSERT_STRING_EQUAL(r.cli.operands[1], "b");
    CU_ASSERT_STRING_EQUAL(r.cli.operands[2], "-z");
    run_free(&r);
}

static void cli_names_the_unknown_option_and_points_to_help(void)
{
    struct run r;

    run(&r, WORDS(W("--bogus=1"), W("a")));
    CU_ASSERT_EQUAL(r.last, -1);
    CU_ASSERT_EQUAL(r.cli.status, EXITCODE_USAGE);
    CU_ASSERT_STRING_EQUAL(r.err, "sft: unknown option '--bogus'\nTry 'sft try --help'.\n");
    run_free(&r);
    run(&r, WORDS(W("-ofile"), W("-zq")));
    CU_ASSERT_STRING_EQUAL(r.err, "sft: unknown option '-z'\nTry 'sft try --help'.\n");
    run_free(&r);
}

static void cli_says_when_an_argument_is_missing_or_too_much(void)
{
    struct run r;

    run(&r, WORDS(W("--output")));
    CU_ASSERT_PTR_NOT_NULL(strstr(r.err, "option '--output' needs an argument"));
    run_free(&r);
    run(&r, WORDS(W("-o")));
    CU_ASSERT_PTR_NOT_NULL(strstr(r.err, "option '-o' needs an argument"));
    run_free(&r);
    run(&r, WORDS(W("--force=yes")));
    CU_ASSERT_PTR_NOT_NULL(strstr(r.err, "option '--force' takes no argument"));
    run_free(&r);
}

static void cli_help_and_version_go_to_stdout_and_succeed(void)
{
    struct run r;

    run(&r, WORDS(W("--help")));
    CU_ASSERT_EQUAL(r.last, -1);
    CU_ASSERT_EQUAL(r.cli.status, EXITCODE_OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(r.out, "Usage: sft try [OPTION]... DIR\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(r.out, "  -o, --output=FILE         Write to FILE."));
    CU_ASSERT_PTR_NOT_NULL(strstr(r.out, "      umask=MODE            Bits taken away."));
    CU_ASSERT_STRING_EQUAL(r.err, "");
    run_free(&r);
    run(&r, WORDS(W("-V")));
    CU_ASSERT_EQUAL(r.cli.status, EXITCODE_OK);
    CU_ASSERT_STRING_EQUAL(r.out, "sft (" PACKAGE_NAME ") " PACKAGE_VERSION "\n");
    run_free(&r);
}

static void cli_prints_the_man_page_options_as_roff(void)
{
    struct run r;

    run(&r, WORDS(W("--help=man")));
    CU_ASSERT_EQUAL(r.cli.status, EXITCODE_OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(r.out, ".TP\n\\fB\\-o\\fR, \\fB\\-\\-output\\fR=\\fIFILE\\fR\n"
                                         "Write to FILE. Use \\(aq\\-\\(aq for stdout.\n"));
    run_free(&r);
}

static void cli_prints_common_options_apart_from_the_others(void)
{
    struct run r;

    run(&r, WORDS(W("--help=man-own")));
    CU_ASSERT_EQUAL(r.cli.status, EXITCODE_OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(r.out, "output"));
    CU_ASSERT_PTR_NOT_NULL(strstr(r.out, "See also \\fBWhat all have\\fR below."));
    CU_ASSERT_PTR_NULL(strstr(r.out, "shared"));
    run_free(&r);
    run(&r, WORDS(W("--help=man-common")));
    CU_ASSERT_PTR_NOT_NULL(strstr(r.out, "\\-\\-shared"));
    CU_ASSERT_PTR_NULL(strstr(r.out, "output"));
    CU_ASSERT_PTR_NULL(strstr(r.out, "version"));
    run_free(&r);
    run(&r, WORDS(W("--shared")));
    CU_ASSERT_STRING_EQUAL(r.seen, "3= ");
    run_free(&r);
}

static void suboptions_split_at_commas_unless_escaped(void)
{
    char text[] = "ro,,uid=5,unc_map=a\\,b=c,";
    char *list = text, *name, *value;

    CU_ASSERT(cli_next_suboption(&list, &name, &value));
    CU_ASSERT_STRING_EQUAL(name, "ro");
    CU_ASSERT_PTR_NULL(value);
    CU_ASSERT(cli_next_suboption(&list, &name, &value));
    CU_ASSERT_STRING_EQUAL(name, "uid");
    CU_ASSERT_STRING_EQUAL(value, "5");
    CU_ASSERT(cli_next_suboption(&list, &name, &value));
    CU_ASSERT_STRING_EQUAL(name, "unc_map");
    CU_ASSERT_STRING_EQUAL(value, "a,b=c");
    CU_ASSERT(!cli_next_suboption(&list, &name, &value));
}

static void sizes_take_binary_suffixes_and_refuse_the_rest(void)
{
    static const char *const bad[] = {
        "", "-1", "1.5K", "K", "12Q", "12KB2", "99999999999999999999", "17179869184G", " 5"
    };
    struct err e;
    uint64_t v;

    CU_ASSERT_EQUAL(cli_parse_size("x", "4096", 0, UINT64_MAX, &v, &e), 0);
    CU_ASSERT_EQUAL(v, 4096);
    CU_ASSERT_EQUAL(cli_parse_size("x", "64k", 0, UINT64_MAX, &v, &e), 0);
    CU_ASSERT_EQUAL(v, 65536);
    CU_ASSERT_EQUAL(cli_parse_size("x", "2GiB", 0, UINT64_MAX, &v, &e), 0);
    CU_ASSERT_EQUAL(v, UINT64_C(2) << 30);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CU_ASSERT(cli_parse_size("x", bad[i], 0, UINT64_MAX, &v, &e) < 0);
        CU_ASSERT_EQUAL(e.kind, ERR_INVALID);
    }
    CU_ASSERT(cli_parse_size("x", "5", 6, 7, &v, &e) < 0);
    CU_ASSERT(cli_parse_number("x", "5K", 0, 9999, &v, &e) < 0);
    CU_ASSERT_EQUAL(cli_parse_number("x", "17", 0, 17, &v, &e), 0);
    CU_ASSERT_EQUAL(v, 17);
}

UNIT_MAIN("cli", TEST(cli_reads_options_and_operands_in_any_order),
          TEST(cli_takes_an_argument_that_may_be_left_out_behind_an_equals_sign_only),
          TEST(cli_shows_what_may_be_left_out_in_brackets),
          TEST(cli_names_the_unknown_option_and_points_to_help),
          TEST(cli_says_when_an_argument_is_missing_or_too_much),
          TEST(cli_help_and_version_go_to_stdout_and_succeed),
          TEST(cli_prints_the_man_page_options_as_roff),
          TEST(cli_prints_common_options_apart_from_the_others),
          TEST(suboptions_split_at_commas_unless_escaped),
          TEST(sizes_take_binary_suffixes_and_refuse_the_rest))
