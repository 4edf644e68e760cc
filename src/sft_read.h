/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The SFT container format as a row for the table in container.c. Layout: src/sft-format.md. */
#ifndef SRC_SFT_READ_H
#define SRC_SFT_READ_H

#include "src/container_format.h"

extern const struct container_format container_sft;

/* Lines about an SFT for `sft info --sections`. */
void sft_describe(const uint8_t *head, size_t len, uint64_t size,
                  void (*line)(void *arg, const char *text), void *arg);

#endif
