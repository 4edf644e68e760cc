/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The DLL that the example program imports. */
#ifndef EXAMPLES_PROGRAM_GREETING_H
#define EXAMPLES_PROGRAM_GREETING_H

#ifdef BUILDING_GREETING
#define GREETING_API __declspec(dllexport)
#else
#define GREETING_API __declspec(dllimport)
#endif

/* A word of greeting; constant. */
GREETING_API const char *greeting_word(void);

#endif
