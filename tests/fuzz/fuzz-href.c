/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fuzz target: locations. The first line of the input is the HREF, the second the source root, the
 * third the map of shares. A mapped path must stay in the mapped directory.
 */
#include "config.h"

#include <string.h>

#include "fetch/href.h"
#include "fetch/place.h"
#include "tests/fuzz/fuzz.h"

static void check_local(const char *location, const char *map)
{
    struct place p;
    char *path = NULL;

    if (href_local_path(location, map, "/base", &path, NULL) == 0)
        FUZZ_CHECK(path);
    free(path);
    path = NULL;
    place_parse(location, false, &p);
    if (href_local_path(location, "\\\\s\\h=/mapped;D:=/mapped", NULL, &path, NULL) == 0 &&
        (p.kind == PLACE_UNC || p.kind == PLACE_DRIVE))
        FUZZ_CHECK(!strncmp(path, "/mapped", 7) && !strstr(path, "/../") &&
                   strcmp(path + strlen(path) - 3, "/.."));
    free(path);
}

static void check_resolve(const char *href, const char *root, const char *base, const char *map)
{
    struct href_options o = { .source_root = root, .base = base };
    char *out = NULL;
    int rc = href_resolve(href, &o, &out, NULL);

    FUZZ_CHECK((rc == 0) == (out != NULL));
    if (out)
        check_local(out, map);
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *line[3], *text = malloc(size + 3), *out = NULL;

    FUZZ_CHECK(text);
    if (size)
        memcpy(text, data, size);
    memset(text + size, 0, 3);
    line[0] = text;
    for (int i = 1; i < 3; i++) {
        char *end = strchr(line[i - 1], '\n');
        line[i] = end ? end + 1 : strchr(line[i - 1], '\0');
        if (end)
            *end = '\0';
    }
    check_resolve(line[0], NULL, "/base", line[2]);
    check_resolve(line[0], NULL, "http://web/dir/x.osd", line[2]);
    check_resolve(line[0], line[1], "/base", line[2]);
    check_local(line[0], line[2]);
    if (href_file_name(line[0], &out, NULL) == 0)
        FUZZ_CHECK(*out && !strpbrk(out, "/\\"));
    free(out);
    free(text);
    return 0;
}
