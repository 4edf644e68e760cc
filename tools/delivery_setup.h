/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Options behind -o about the disk cache and about what is loaded ahead of need. */
#ifndef TOOLS_DELIVERY_SETUP_H
#define TOOLS_DELIVERY_SETUP_H

#include "fetch/delivery.h"
#include "tools/cli.h"

struct delivery_setup {
    char *cache_dir;          /* absolute; owned; NULL: the default place */
    bool no_cache;
    uint64_t cache_quota;     /* bytes; 0 = default */
    unsigned cache_free;      /* percent; 0 = default */
    enum loader_goal autoload;
    bool metered;
    uint32_t ahead;           /* decoded bytes to fetch ahead of a reader in order */
};

extern const struct cli_option delivery_suboptions[]; /* for CLI_STYLE_SUB */

void delivery_setup_init(struct delivery_setup *s);
void delivery_setup_free(struct delivery_setup *s);

bool delivery_setup_has(int id);

/* Takes one option. ERR_INVALID names the option that is wrong. */
int delivery_setup_set(struct delivery_setup *s, int id, const char *value, struct err *e)
    must_check;

#endif
