/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fuzz target: launch lists. What is accepted is resolved against a small package, where every
 * block may be in one run only; a recording that was accepted and is written again reads the same.
 */
#include "config.h"

#include <string.h>

#include "src/container.h"
#include "src/launch_list.h"
#include "tests/fuzz/fuzz.h"
#include "tests/make-sft.h"

static struct package *package_once(void)
{
    static struct package *p;
    struct made_sft made;

    if (p)
        return p;
    FUZZ_CHECK(make_sft(make_sft_tree, make_sft_tree_count, NULL, &made, NULL) == 0);
    FUZZ_CHECK(container_read_memory(made.data, made.len, &p, NULL) == 0);
    free(made.data);
    return p;
}

static void check_runs(const struct launch_list *l, const struct package *p)
{
    uint32_t blocks = package_info(p)->block_count;
    struct launch_list_notes notes;
    struct block_run *runs;
    size_t count;

    FUZZ_CHECK(launch_list_resolve(l, p, &runs, &count, &notes, NULL) == 0);
    FUZZ_CHECK(notes.items == l->count && notes.unknown <= notes.items);
    uint8_t *seen = calloc(blocks, 1);
    FUZZ_CHECK(seen);
    for (size_t i = 0; i < count; i++) {
        FUZZ_CHECK(runs[i].count && runs[i].first < blocks &&
                   runs[i].count <= blocks - runs[i].first);
        for (uint32_t k = 0; k < runs[i].count; k++)
            FUZZ_CHECK(!seen[runs[i].first + k]++);
    }
    free(seen);
    free(runs);
}

static void check_writing(const struct launch_list *l)
{
    static char line[LAUNCH_HEAD_MAX + LAUNCH_LINE_MAX];
    size_t head = launch_list_put_head(package_once(), line);

    for (size_t i = 0; i < l->count; i++) {
        const struct launch_item *x = &l->items[i];
        struct launch_list again;
        if (strlen(x->path) > LAUNCH_PATH_MAX)
            continue;
        size_t len = head + launch_list_put_item(x, line + head);
        FUZZ_CHECK(len <= sizeof line);
        /* In blocks of the largest size, or the item would be too long for the package's. */
        int rc = launch_list_parse(line, len, &again, NULL);
        FUZZ_CHECK(rc == 0 || x->len > package_info(package_once())->block_size);
        FUZZ_CHECK(rc || (again.count == 1 && !strcmp(again.items[0].path, x->path) &&
                          again.items[0].offset == x->offset && again.items[0].len == x->len &&
                          again.items[0].block == x->block));
        launch_list_clear(&again);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct launch_list l;

    if (launch_list_parse((const char *)data, size, &l, NULL) == 0) {
        check_runs(&l, package_once());
        if (l.recorded)
            check_writing(&l);
    }
    launch_list_clear(&l);
    return 0;
}
