/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The DLL that the example program loads at run time. */

__declspec(dllexport) int count_letters(const char *text);

/* Number of characters of TEXT that are no spaces. */
int count_letters(const char *text)
{
    int count = 0;
    for (; *text; text++)
        count += *text != ' ';
    return count;
}
