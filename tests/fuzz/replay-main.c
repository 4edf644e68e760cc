/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Stands in for libFuzzer where that is not wanted: runs a fuzz target once over every file in the
 * directories (or files) named on the command line. Arguments that begin with '-' are libFuzzer's
 * and ignored. Exit code 1 when a file could not be read; a fault of the target is a crash.
 */
#include "config.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "src/compiler.h"
#include "tests/fuzz/fuzz.h"

#define FILE_MAX (64L << 20)

static int run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    long len = -1;
    int rc = 1;

    if (f && !fseek(f, 0, SEEK_END) && (len = ftell(f)) >= 0 && len <= FILE_MAX) {
        rewind(f);
        /* Exactly as long as the input, so that a sanitizer sees a read one byte too far. */
        uint8_t *data = malloc(len ? (size_t)len : 1);
        if (data && fread(data, 1, (size_t)len, f) == (size_t)len) {
            (void)LLVMFuzzerTestOneInput(data, (size_t)len); /* always 0 */
            rc = 0;
        }
        free(data);
    }
    if (f)
        (void)fclose(f); /* was only read */
    if (rc)
        fprintf(stderr, "%s: cannot be read\n", path);
    return rc;
}

static int run_dir(const char *path, unsigned *count)
{
    DIR *dir = opendir(path);
    int rc = 0;

    if (!dir) {
        fprintf(stderr, "%s: cannot be read\n", path);
        return 1;
    }
    for (struct dirent *d; (d = readdir(dir));) {
        char name[4096];
        struct stat st;
        if (d->d_name[0] == '.' ||
            snprintf(name, sizeof name, "%s/%s", path, d->d_name) >= (int)sizeof name ||
            stat(name, &st) || !S_ISREG(st.st_mode))
            continue;
        rc |= run_file(name);
        ++*count;
    }
    (void)closedir(dir); /* was only read */
    return rc;
}

int main(int argc, char **argv)
{
    unsigned count = 0;
    int rc = 0;

    for (int i = 1; i < argc; i++) {
        struct stat st;
        if (argv[i][0] == '-')
            continue;
        if (!stat(argv[i], &st) && S_ISDIR(st.st_mode)) {
            rc |= run_dir(argv[i], &count);
        } else {
            rc |= run_file(argv[i]);
            count++;
        }
    }
    printf("%u inputs\n", count);
    return rc;
}
