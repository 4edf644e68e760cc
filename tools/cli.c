/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Command lines: getopt_long() driven by the option tables. The texts made from the same tables are
 * in cli_help.c. See cli.h.
 */
#include "config.h"

#include "tools/cli.h"

#include <getopt.h>
#include <stdarg.h>
#include <string.h>

enum {
    ID_HELP = CLI_ID_STANDARD,
    ID_VERSION,
};

struct cli_state {
    struct option *longs;
    char *shorts;
};

void cli_program_name(const struct cli_command *command, char out[32])
{
    size_t n = strcspn(command->name, " ");

    (void)snprintf(out, 32, "%.*s", (int)n, command->name);
}

static size_t count_options(const struct cli_command *command)
{
    size_t n = 0;

    for (const struct cli_group *g = command->groups; g && g->options; g++)
        if (g->style != CLI_STYLE_SUB)
            for (const struct cli_option *o = g->options; o->name; o++)
                n++;
    return n;
}

static void state_free(struct cli_state *s)
{
    if (!s)
        return;
    free(s->longs);
    free(s->shorts);
    free(s);
}

/* getopt's tables. The leading ':' silences its own messages: ours name the option and --help. */
static struct cli_state *state_new(const struct cli_command *command)
{
    size_t count = count_options(command) + 3, at = 0, s_at = 0;
    struct cli_state *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    s->longs = calloc(count, sizeof *s->longs);
    s->shorts = calloc(3 * count + 3, 1);
    if (!s->longs || !s->shorts) {
        state_free(s);
        return NULL;
    }
    s->shorts[s_at++] = ':';
    for (const struct cli_group *g = command->groups; g && g->options; g++) {
        if (g->style == CLI_STYLE_SUB)
            continue;
        for (const struct cli_option *o = g->options; o->name; o++) {
            s->longs[at++] = (struct option){
                .name = o->name,
                .has_arg = cli_arg_is_optional(o) ? optional_argument
                           : o->arg               ? required_argument
                                                  : no_argument,
                .val = o->id,
            };
            if (!o->letter)
                continue;
            s->shorts[s_at++] = o->letter;
            if (o->arg)
                s->shorts[s_at++] = ':';
            if (cli_arg_is_optional(o))
                s->shorts[s_at++] = ':';
        }
    }
    s->shorts[s_at++] = 'h';
    s->shorts[s_at++] = 'V';
    s->longs[at++] = (struct option){ "help", optional_argument, NULL, ID_HELP };
    s->longs[at++] = (struct option){ "version", no_argument, NULL, ID_VERSION };
    return s;
}

void cli_begin(struct cli *cli, const struct cli_command *command, int argc, char **argv)
{
    *cli = (struct cli){
        .command = command,
        .out = stdout,
        .err = stderr,
        .argc = argc,
        .argv = argv,
        .state = state_new(command),
    };
    optind = 0; /* glibc and musl: start afresh, with a permuted argv */
}

void cli_end(struct cli *cli)
{
    state_free(cli->state);
    cli->state = NULL;
}

int cli_usage_error(struct cli *cli, const char *fmt, ...)
{
    char program[32];
    va_list ap;

    cli_program_name(cli->command, program);
    (void)fprintf(cli->err, "%s: ", program);
    va_start(ap, fmt);
    (void)vfprintf(cli->err, fmt, ap);
    va_end(ap);
    (void)fprintf(cli->err, "\nTry '%s --help'.\n", cli->command->name);
    cli_end(cli);
    return cli->status = EXITCODE_USAGE;
}

static int stop(struct cli *cli, enum exitcode status)
{
    cli_end(cli);
    cli->status = status;
    return -1;
}

/* Ends the command after WHAT has been printed. */
static int written(struct cli *cli, const char *what)
{
    char program[32];

    if (!fflush(cli->out))
        return stop(cli, EXITCODE_OK);
    if (errno != EPIPE) { /* a pager that was left early is no reason for a message */
        cli_program_name(cli->command, program);
        (void)fprintf(cli->err, "%s: could not write the %s: %s\n", program, what, strerror(errno));
    }
    return stop(cli, EXITCODE_FAILURE);
}

static int help(struct cli *cli, const char *form)
{
    if (form && !strcmp(form, "man")) {
        cli_print_man_options(cli->command, CLI_MAN_ALL, cli->out);
    } else if (form && !strcmp(form, "man-own")) {
        cli_print_man_options(cli->command, CLI_MAN_OWN, cli->out);
    } else if (form && !strcmp(form, "man-common")) {
        cli_print_man_options(cli->command, CLI_MAN_COMMON, cli->out);
    } else if (form && !strcmp(form, "synopsis")) {
        cli_print_man_synopsis(cli->command, cli->out);
    } else if (form && !strcmp(form, "exit-status")) {
        cli_print_man_exit_status(cli->out);
    } else if (form) {
        (void)cli_usage_error(cli, "--help takes no argument");
        return -1;
    } else {
        cli_print_help(cli->command, cli->out);
    }
    return written(cli, "help text");
}

/* getopt has refused argv[optind - 1], or for a short option the letter optopt. */
static int refuse(struct cli *cli, int c)
{
    const char *word = optind > 0 && optind <= cli->argc ? cli->argv[optind - 1] : "";
    int len = (int)strcspn(word, "=");

    if (c == ':' && optopt < CLI_ID_OWN)
        (void)cli_usage_error(cli, "option '-%c' needs an argument", optopt);
    else if (c == ':')
        (void)cli_usage_error(cli, "option '%.*s' needs an argument", len, word);
    else if (optopt >= CLI_ID_OWN)
        (void)cli_usage_error(cli, "option '%.*s' takes no argument", len, word);
    else if (optopt > 0)
        (void)cli_usage_error(cli, "unknown option '-%c'", optopt);
    else
        (void)cli_usage_error(cli, "unknown option '%.*s'", len, word);
    return -1;
}

static int id_of_letter(const struct cli_command *command, int letter)
{
    for (const struct cli_group *g = command->groups; g && g->options; g++)
        if (g->style != CLI_STYLE_SUB)
            for (const struct cli_option *o = g->options; o->name; o++)
                if (o->letter == letter)
                    return o->id;
    return letter == 'h' ? ID_HELP : ID_VERSION;
}

int cli_next(struct cli *cli)
{
    struct cli_state *s = cli->state;
    int c;

    if (!s) {
        (void)fprintf(cli->err, "%s: out of memory\n", cli->command->name);
        return stop(cli, EXITCODE_FAILURE);
    }
    c = getopt_long(cli->argc, cli->argv, s->shorts, s->longs, NULL);
    cli->arg = optarg;
    if (c == -1) {
        cli->operands = cli->argv + optind;
        cli->operand_count = cli->argc - optind;
        cli_end(cli);
        return 0;
    }
    if (c == '?' || c == ':')
        return refuse(cli, c);
    if (c < CLI_ID_OWN)
        c = id_of_letter(cli->command, c);
    if (c == ID_HELP)
        return help(cli, cli->arg);
    if (c == ID_VERSION) {
        char program[32];

        cli_program_name(cli->command, program);
        (void)fprintf(cli->out, "%s (%s) %s\n", program, PACKAGE_NAME, PACKAGE_VERSION);
        return written(cli, "version");
    }
    return c;
}

bool cli_next_suboption(char **list, char **name, char **value)
{
    char *from = *list, *to = *list;

    while (from && *from == ',')
        from++;
    if (!from || !*from)
        return false;
    *name = to = from;
    *value = NULL;
    while (*from && *from != ',') {
        if (from[0] == '\\' && from[1] == ',')
            from++;
        else if (*from == '=' && !*value) {
            *to++ = '\0';
            *value = to;
            from++;
            continue;
        }
        *to++ = *from++;
    }
    *list = *from ? from + 1 : from;
    *to = '\0';
    return true;
}

const struct cli_option *cli_find(const struct cli_option *table, const char *name)
{
    for (const struct cli_option *o = table; o->name; o++)
        if (!strcmp(o->name, name))
            return o;
    return NULL;
}

int cli_absolute_path(const char *what, const char *path, char **out, struct err *e)
{
    auto_free char *cwd = NULL;

    if (path[0] != '/' && !(cwd = getcwd(NULL, 0)))
        return err_sys(e, "%s %s: the working directory", what, path);
    if (asprintf(out, "%s%s%s", cwd ? cwd : "", cwd ? "/" : "", path) < 0) {
        *out = NULL;
        return err_nomem(e);
    }
    return 0;
}

/* Reads the digits of TEXT; *rest is what follows them. */
static bool read_digits(const char *text, uint64_t *out, const char **rest)
{
    uint64_t v = 0;

    if (*text < '0' || *text > '9')
        return false;
    for (; *text >= '0' && *text <= '9'; text++)
        if (mul_overflows(v, (uint64_t)10, &v) || add_overflows(v, (uint64_t)(*text - '0'), &v))
            return false;
    *out = v;
    *rest = text;
    return true;
}

int cli_parse_number(const char *what, const char *text, uint64_t min, uint64_t max, uint64_t *out,
                     struct err *e)
{
    const char *rest;
    uint64_t v;

    if (!text || !read_digits(text, &v, &rest) || *rest || v < min || v > max)
        return err_set(e, ERR_INVALID, "%s must be a number from %llu to %llu, not '%s'", what,
                       (unsigned long long)min, (unsigned long long)max, text ? text : "");
    *out = v;
    return 0;
}

int cli_parse_size(const char *what, const char *text, uint64_t min, uint64_t max, uint64_t *out,
                   struct err *e)
{
    static const char suffixes[] = "KMGT";
    const char *rest = NULL, *suffix;
    uint64_t v = 0;
    bool ok = text && read_digits(text, &v, &rest);

    if (ok && *rest) {
        char letter = *rest >= 'a' && *rest <= 'z' ? (char)(*rest - 'a' + 'A') : *rest;

        suffix = strchr(suffixes, letter);
        ok = suffix && !mul_overflows(v, UINT64_C(1) << 10 * (suffix - suffixes + 1), &v) &&
             (!rest[1] || !strcmp(rest + 1, "iB") || !strcmp(rest + 1, "B"));
    }
    if (!ok || v < min || v > max)
        return err_set(e, ERR_INVALID,
                       "%s must be a size from %llu to %llu bytes (suffixes K, M, G, T), not '%s'",
                       what, (unsigned long long)min, (unsigned long long)max, text ? text : "");
    *out = v;
    return 0;
}
