/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writes MEBIBYTES (first argument) of noise to stdout: always the same, and incompressible, so
 * that the example package has a large part that nobody reads. Built for and run on the host.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    uint64_t x = 0x9e3779b97f4a7c15u;
    static uint64_t buf[(1u << 20) / sizeof(uint64_t)];
    for (int n = argc > 1 ? atoi(argv[1]) : 1; n > 0; n--) {
        for (size_t i = 0; i < sizeof buf / sizeof *buf; i++) {
            x ^= x << 13; /* xorshift64 */
            x ^= x >> 7;
            x ^= x << 17;
            buf[i] = x;
        }
        if (fwrite(buf, sizeof buf, 1, stdout) != 1)
            return 1;
    }
    return fclose(stdout) ? 1 : 0;
}
