/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tables of subcommands. See subcommand.h. */
#include "config.h"

#include "tools/subcommand.h"

#include <string.h>

void subcommand_note(struct subcommand_given *given, int id)
{
    for (size_t i = 0; i < given->count; i++)
        if (given->ids[i] == id)
            return;
    if (given->count < ARRAY_LEN(given->ids))
        given->ids[given->count++] = id;
}

const void *subcommand_find(const void *rows, size_t count, size_t row_bytes, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        const struct subcommand *c = (const void *)((const char *)rows + i * row_bytes);

        if (!strcmp(c->name, name))
            return c;
    }
    return NULL;
}

static bool has_option(const struct subcommand *c, int id)
{
    for (size_t i = 0; i < ARRAY_LEN(c->options); i++)
        if (c->options[i] == id)
            return true;
    return false;
}

const struct cli_option *subcommand_stray(const struct subcommand_given *given,
                                          const struct subcommand *c,
                                          const struct cli_option *options)
{
    for (size_t i = 0; i < given->count; i++)
        for (const struct cli_option *o = options; o->name; o++)
            if (o->id == given->ids[i] && !has_option(c, o->id))
                return o;
    return NULL;
}
