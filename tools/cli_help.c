/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The texts made from the option tables: --help, and roff for the man pages. See cli.h.
 */
#include "config.h"

#include "tools/cli.h"

#include <string.h>

enum {
    HELP_COLUMN = 28,
    HELP_WIDTH = 79,
};

static const struct cli_option standard_options[] = {
    { "help", 'h', NULL, "Show this help and exit.", CLI_ID_STANDARD },
    { "version", 'V', NULL, "Show the version and exit.", CLI_ID_STANDARD + 1 },
    { NULL, 0, NULL, NULL, 0 },
};

static bool letter_taken(const struct cli_command *command, char letter)
{
    for (const struct cli_group *g = command->groups; g && g->options; g++)
        if (g->style != CLI_STYLE_SUB)
            for (const struct cli_option *o = g->options; o->name; o++)
                if (o->letter == letter)
                    return true;
    return false;
}

/* Prints TEXT wrapped; the cursor stands at column AT and further lines begin at INDENT. */
static void wrap(FILE *out, const char *text, int at, int indent)
{
    bool line_start = true;

    while (*text) {
        int len = (int)strcspn(text, " \n");

        if (len) {
            if (!line_start && at + 1 + len > HELP_WIDTH) {
                (void)fprintf(out, "\n%*s", indent, "");
                at = indent;
                line_start = true;
            }
            (void)fprintf(out, "%s%.*s", line_start ? "" : " ", len, text);
            at += len + !line_start;
            line_start = false;
        }
        text += len;
        if (*text == '\n') {
            (void)fprintf(out, "\n%*s", indent, "");
            at = indent;
            line_start = true;
        }
        text += *text != '\0';
    }
    (void)fputc('\n', out);
}

static void help_option(FILE *out, const struct cli_option *o, enum cli_style style, bool letter)
{
    const char *equals = o->arg && !cli_arg_is_optional(o) ? "=" : "";
    char left[96];
    int n;

    if (style == CLI_STYLE_SUB)
        n = snprintf(left, sizeof left, "      %s%s%s", o->name, equals, o->arg ? o->arg : "");
    else
        n = snprintf(left, sizeof left, "  %c%c%s --%s%s%s", letter ? '-' : ' ',
                     letter ? o->letter : ' ', letter ? "," : " ", o->name, equals,
                     o->arg ? o->arg : "");
    if (n >= HELP_COLUMN - 1)
        (void)fprintf(out, "%s\n%*s", left, HELP_COLUMN, "");
    else
        (void)fprintf(out, "%-*s", HELP_COLUMN, left);
    wrap(out, o->help, HELP_COLUMN, HELP_COLUMN);
}

static void help_group(FILE *out, const struct cli_command *command, const struct cli_group *g)
{
    if (g->title)
        (void)fprintf(out, "\n%s:\n", g->title);
    for (const struct cli_option *o = g->options; o->name; o++) {
        bool standard = g->options == standard_options;

        help_option(out, o, g->style, o->letter && !(standard && letter_taken(command, o->letter)));
    }
}

void cli_print_help(const struct cli_command *command, FILE *out)
{
    static const struct cli_group standard = { NULL, CLI_STYLE_LONG, standard_options };
    const struct exitcode_row *rows;
    const char *lead = "Usage:";
    size_t count;

    for (const char *const *s = command->synopsis; *s; s++, lead = "  or: ")
        (void)fprintf(out, "%s %s %s\n", lead, command->name, *s);
    wrap(out, command->summary, 0, 0);
    if (command->description) {
        (void)fputc('\n', out);
        wrap(out, command->description, 0, 0);
    }
    if (!command->groups || !command->groups->title)
        (void)fputs("\nOptions:\n", out);
    for (const struct cli_group *g = command->groups; g && g->options; g++)
        help_group(out, command, g);
    if (command->groups && command->groups->title)
        (void)fputs("\nOther options:\n", out);
    help_group(out, command, &standard);
    (void)fputs("\nExit codes:\n", out);
    rows = exitcode_table(&count);
    for (size_t i = 0; i < count; i++) {
        (void)fprintf(out, "  %3d  ", (int)rows[i].code);
        wrap(out, rows[i].meaning, 7, 7);
    }
}

/* Text as roff: the characters that roff would take for something else, one sentence flow. */
static void roff(FILE *out, const char *text)
{
    bool line_start = true;

    for (; *text; text++) {
        if (line_start && (*text == '.' || *text == '\''))
            (void)fputs("\\&", out);
        line_start = *text == '\n';
        switch (*text) {
        case '\\':
            (void)fputs("\\e", out);
            break;
        case '-':
            (void)fputs("\\-", out);
            break;
        case '^':
            (void)fputs("\\(ha", out);
            break;
        case '~':
            (void)fputs("\\(ti", out);
            break;
        case '`':
            (void)fputs("\\(ga", out);
            break;
        case '\'':
            (void)fputs("\\(aq", out);
            break;
        case '\n':
            (void)fputs("\n.br\n", out);
            break;
        default:
            (void)fputc(*text, out);
        }
    }
}

static void roff_option(FILE *out, const struct cli_option *o, enum cli_style style, bool letter)
{
    (void)fputs(".TP\n", out);
    if (letter)
        (void)fprintf(out, "\\fB\\-%c\\fR, ", o->letter);
    (void)fputs(style == CLI_STYLE_SUB ? "\\fB" : "\\fB\\-\\-", out);
    roff(out, o->name);
    (void)fputs("\\fR", out);
    if (cli_arg_is_optional(o)) {
        (void)fprintf(out, "[=\\fI%.*s\\fR]", (int)strcspn(o->arg + 2, "]"), o->arg + 2);
    } else if (o->arg) {
        (void)fputs("=\\fI", out);
        roff(out, o->arg);
        (void)fputs("\\fR", out);
    }
    (void)fputc('\n', out);
    roff(out, o->help);
    (void)fputc('\n', out);
}

void cli_print_man_synopsis(const struct cli_command *command, FILE *out)
{
    for (const char *const *s = command->synopsis; *s; s++) {
        (void)fputs(s == command->synopsis ? "\\fB" : ".br\n\\fB", out);
        roff(out, command->name);
        (void)fputs("\\fR ", out);
        roff(out, *s);
        (void)fputc('\n', out);
    }
}

static void roff_group(FILE *out, const struct cli_group *g, bool with_title)
{
    if (g->title && with_title) {
        (void)fputs(".PP\n\\fB", out);
        roff(out, g->title);
        (void)fputs("\\fR\n", out);
    }
    for (const struct cli_option *o = g->options; o->name; o++)
        roff_option(out, o, g->style, o->letter != 0);
}

void cli_print_man_options(const struct cli_command *command, enum cli_man which, FILE *out)
{
    bool has_titles = false;

    for (const struct cli_group *g = command->groups; g && g->options; g++) {
        if (which == CLI_MAN_ALL || (g->style == CLI_STYLE_COMMON) == (which == CLI_MAN_COMMON)) {
            roff_group(out, g, which != CLI_MAN_COMMON);
            has_titles = has_titles || g->title;
        }
    }
    if (which == CLI_MAN_COMMON)
        return;
    if (has_titles && command->groups->title)
        (void)fputs(".PP\n\\fBOther options\\fR\n", out);
    for (const struct cli_option *o = standard_options; o->name; o++)
        roff_option(out, o, CLI_STYLE_LONG, !letter_taken(command, o->letter));
    for (const struct cli_group *g = command->groups; which == CLI_MAN_OWN && g && g->options; g++)
        if (g->style == CLI_STYLE_COMMON) {
            (void)fputs(".PP\nSee also \\fB", out);
            roff(out, g->title);
            (void)fputs("\\fR below.\n", out);
        }
}

void cli_print_man_exit_status(FILE *out)
{
    size_t count;
    const struct exitcode_row *rows = exitcode_table(&count);

    for (size_t i = 0; i < count; i++) {
        (void)fprintf(out, ".TP\n\\fB%d\\fR\n", (int)rows[i].code);
        roff(out, rows[i].meaning);
        (void)fputc('\n', out);
    }
}
