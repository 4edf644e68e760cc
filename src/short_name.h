/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 8.3 names for the entries of one directory, made the way Windows makes them: what is not allowed
 * is left out or becomes '_', six characters, a tilde and a number, three characters of the
 * extension ("Program Files" is PROGRA~1). From the fifth alike name on, two characters and four
 * hexadecimal digits of a hash of the whole name take the place of the six. Pure; deterministic.
 */
#ifndef SRC_SHORT_NAME_H
#define SRC_SHORT_NAME_H

#include <stdint.h>

#include "src/compiler.h"
#include "src/err.h"

#define SHORT_NAME_SIZE 13 /* 8, dot, 3, NUL */

/*
 * Fills OUT[i] with the short name of NAMES[i] (NUL-terminated UTF-8), "" when the name, in any
 * case, is a valid 8.3 name itself. What is made is unique among all names and short names of the
 * directory, under folding. Numbers are given in the order of NAMES.
 */
int short_names_make(const char *const *names, size_t count, char (*out)[SHORT_NAME_SIZE],
                     struct err *e) must_check;

#endif
