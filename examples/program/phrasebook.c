/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A small Windows program that checks what it needs of the file system it is started from: it
 * imports one DLL, loads another from a sub-directory at run time, and reads data files whose names
 * are in mixed case and in several scripts, mostly by another spelling than the stored one.
 *
 * It prints what it found. Exit status 0 and the line "all files found", or the number of the
 * check that failed and a line naming it.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>
#include <windows.h>

#include "greeting.h"

static wchar_t base[MAX_PATH]; /* where the program lies, with a '\' at the end */
static int check_number;

static void print_wide(const wchar_t *text)
{
    char utf8[4 * MAX_PATH];
    if (WideCharToMultiByte(CP_UTF8, 0, text, -1, utf8, sizeof utf8, NULL, NULL) > 0)
        fputs(utf8, stdout);
}

/* Counts the check; ends the program when it failed. */
static void check(bool passed, const char *what, const wchar_t *name)
{
    check_number++;
    printf("%s %s ", passed ? "ok    " : "FAILED", what);
    print_wide(name);
    if (!passed)
        printf(" (error %lu)", (unsigned long)GetLastError());
    putchar('\n');
    if (!passed) {
        fflush(stdout);
        ExitProcess((UINT)check_number);
    }
}

static const wchar_t *full_path(const wchar_t *name)
{
    static wchar_t path[2 * MAX_PATH];
    _snwprintf(path, 2 * MAX_PATH - 1, L"%ls%ls", base, name);
    return path;
}

static bool begins_with(const wchar_t *name, const char *first_line)
{
    char text[256];
    DWORD got = 0;
    HANDLE file = CreateFileW(full_path(name), GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING,
                              0, NULL);
    if (file == INVALID_HANDLE_VALUE)
        return false;
    bool read = ReadFile(file, text, sizeof text, &got, NULL);
    CloseHandle(file);
    return read && got >= strlen(first_line) && !memcmp(text, first_line, strlen(first_line));
}

static void check_data_files(void)
{
    static const struct {
        const wchar_t *name; /* as the program asks for it */
        const char *first_line;
    } files[] = {
        { L"Data\\English.txt", "Good morning\n" },
        { L"DATA\\ENGLISH.TXT", "Good morning\n" },
        { L"data\\РУССКИЙ.txt", "Доброе утро\n" },
        { L"Data\\ελληνικά.txt", "Καλημέρα\n" },
        { L"Data\\日本語.TXT", "おはよう\n" },
        { L"Data\\Länder\\ÖSTERREICH.txt", "Grüß Gott\n" },
        { L"ReadMe.txt", "The phrase book" },
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        check(begins_with(files[i].name, files[i].first_line), "reads", files[i].name);
}

static void check_directory(void)
{
    WIN32_FIND_DATAW found;
    int count = 0;
    bool russian = false;
    HANDLE search = FindFirstFileW(full_path(L"dATA\\*"), &found);
    check(search != INVALID_HANDLE_VALUE, "lists", L"dATA");
    do {
        if (!wcscmp(found.cFileName, L".") || !wcscmp(found.cFileName, L".."))
            continue;
        count++;
        russian |= !wcscmp(found.cFileName, L"Русский.txt");
    } while (FindNextFileW(search, &found));
    FindClose(search);
    check(count == 6, "finds six entries in", L"dATA");
    check(russian, "sees the stored spelling of", L"Русский.txt");
}

static void check_libraries(void)
{
    HMODULE greeting = GetModuleHandleW(L"Greeting.dll");
    check(greeting && !strcmp(greeting_word(), "Welcome"), "imports", L"Greeting.dll");

    HMODULE counter = LoadLibraryW(full_path(L"PLUGINS\\counter.DLL"));
    check(counter != NULL, "loads", L"PLUGINS\\counter.DLL");
    check(counter != greeting && counter != GetModuleHandleW(NULL), "has a module of its own for",
          L"PLUGINS\\counter.DLL");
    check(LoadLibraryW(full_path(L"Plugins\\Counter.dll")) == counter,
          "gets the same module by the spelling", L"Plugins\\Counter.dll");

    typedef int (*count_fn)(const char *);
    count_fn count = (count_fn)(void (*)(void))GetProcAddress(counter, "count_letters");
    check(count && count("abc d") == 4, "calls a function of", L"Counter.dll");
}

static void check_attributes(void)
{
    WIN32_FILE_ATTRIBUTE_DATA about;
    check(GetFileAttributesExW(full_path(L"data\\big dictionary.bin"), GetFileExInfoStandard,
                               &about),
          "sees (and does not read)", L"data\\big dictionary.bin");
    check(about.nFileSizeHigh == 0 && about.nFileSizeLow == 20u << 20, "knows the 20 MiB of",
          L"data\\big dictionary.bin");
    SetLastError(0);
    check(GetFileAttributesW(full_path(L"Data\\Klingon.txt")) == INVALID_FILE_ATTRIBUTES &&
              GetLastError() == ERROR_FILE_NOT_FOUND,
          "does not find", L"Data\\Klingon.txt");
}

int wmain(void)
{
    if (!GetModuleFileNameW(NULL, base, MAX_PATH))
        return 100;
    wchar_t *last = wcsrchr(base, L'\\');
    if (!last)
        return 100;
    last[1] = 0;
    printf("started from ");
    print_wide(base);
    putchar('\n');

    check_libraries();
    check_data_files();
    check_directory();
    check_attributes();
    puts("all files found");
    return 0;
}
