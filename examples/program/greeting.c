/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The DLL that the example program imports. */
#include "greeting.h"

const char *greeting_word(void)
{
    return "Welcome";
}
