/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The entry point that every fuzz target defines. To add the target NAME: tests/fuzz/fuzz-NAME.c
 * with this function, a program tests/fuzz/fuzz-NAME in tests/local.mk, and seeds in
 * tests/corpus/NAME/ (text) or made by tests/fuzz/make-seeds.c (binary). `make check` replays all
 * seeds;
 * `./configure CC=clang --enable-fuzzing --enable-sanitizers` builds real libFuzzer programs:
 *
 *     tests/fuzz/make-seeds seeds && tests/fuzz/fuzz-container seeds/container
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A condition that must hold whatever the input. */
#define FUZZ_CHECK(condition)                                                                      \
    do {                                                                                           \
        if (!(condition))                                                                          \
            __builtin_trap();                                                                      \
    } while (0)

#endif
