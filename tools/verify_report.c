/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bad blocks in words and as JSON. See verify_report.h. */
#include "config.h"

#include "tools/verify_report.h"

#include <inttypes.h>
#include <stdio.h>

#include "tools/text.h"

void verify_print_path(const struct package *p, uint32_t node)
{
    auto_free char *path = package_path(p, node);

    text_put(stdout, path ? path : "?");
}

void verify_json_path(struct json *j, const struct package *p, uint32_t node)
{
    auto_free char *path = package_path(p, node);

    json_string(j, NULL, path);
}

void verify_print_bad(const struct package *p, const struct verify_block *bad)
{
    const struct block *b = package_block(p, bad->block);

    (void)printf("block %" PRIu32 " (offset %" PRIu64 ", %" PRIu32 " bytes): %s: %s\n", bad->block,
                 b->offset, b->stored_len, err_kind_name(bad->kind), bad->text);
    for (size_t k = 0; k < bad->file_count; k++) {
        (void)fputs("  file ", stdout);
        verify_print_path(p, bad->files[k]);
        (void)putchar('\n');
    }
    if (!bad->file_count)
        (void)puts("  no file of this version uses it");
}

void verify_json_bad(struct json *j, const struct package *p, const struct verify_block *bad)
{
    json_object(j, NULL);
    json_uint(j, "block", bad->block);
    json_uint(j, "offset", package_block(p, bad->block)->offset);
    json_uint(j, "stored_length", package_block(p, bad->block)->stored_len);
    json_string(j, "kind", err_kind_name(bad->kind));
    json_string(j, "text", bad->text);
    json_array(j, "files");
    for (size_t k = 0; k < bad->file_count; k++)
        verify_json_path(j, p, bad->files[k]);
    json_close_array(j);
    json_close_object(j);
}
