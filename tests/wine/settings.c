/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A Windows program that keeps its settings beside itself, the ways programs do:
 *
 *   settings.exe save N    writes Settings\program.ini, saves Data\document.txt by way of a temporary
 *                          file that is moved over it, deletes Data\old.dat, appends to the log
 *   settings.exe check N   finds all of that again, by other spellings
 *
 * Exit status 0, or the number of the check that failed and a line naming it.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

static char base[MAX_PATH]; /* where the program lies, with a '\' at the end */
static int check_number;

static void check(bool passed, const char *what)
{
    check_number++;
    printf("%s %s", passed ? "ok    " : "FAILED", what);
    if (!passed)
        printf(" (error %lu)", (unsigned long)GetLastError());
    putchar('\n');
    if (!passed) {
        fflush(stdout);
        ExitProcess((UINT)check_number);
    }
}

static const char *at(const char *name)
{
    static char paths[4][2 * MAX_PATH];
    static int next;
    char *path = paths[next++ % 4];

    snprintf(path, sizeof paths[0], "%s%s", base, name);
    return path;
}

static bool write_file(const char *name, DWORD how, const char *text)
{
    HANDLE file = CreateFileA(at(name), FILE_APPEND_DATA | (how == CREATE_ALWAYS ? GENERIC_WRITE : 0),
                              0, NULL, how, FILE_ATTRIBUTE_NORMAL, NULL);
    DWORD done = 0;

    if (file == INVALID_HANDLE_VALUE)
        return false;
    bool fine = WriteFile(file, text, (DWORD)strlen(text), &done, NULL) && done == strlen(text) &&
                FlushFileBuffers(file);
    return CloseHandle(file) && fine;
}

static bool contains(const char *name, const char *text)
{
    char buf[4096];
    DWORD got = 0;
    HANDLE file = CreateFileA(at(name), GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);

    if (file == INVALID_HANDLE_VALUE)
        return false;
    bool fine = ReadFile(file, buf, sizeof buf - 1, &got, NULL);
    CloseHandle(file);
    buf[got] = '\0';
    return fine && strstr(buf, text) != NULL;
}

static void save(const char *n)
{
    char text[100];

    check(WritePrivateProfileStringA("Window", "Width", n, at("Settings\\program.ini")),
          "a number in the INI file of the package");
    check(WritePrivateProfileStringA("New section", "Name", "Zo\xeb", at("settings\\PROGRAM.INI")),
          "a section in it, by another spelling");
    check(WritePrivateProfileStringA("First", "Run", n, at("Settings\\user.ini")), "a new INI file");
    WritePrivateProfileStringA(NULL, NULL, NULL, NULL);

    snprintf(text, sizeof text, "document %s\r\n", n);
    check(write_file("Data\\document.tmp", CREATE_ALWAYS, text), "a temporary file");
    check(MoveFileExA(at("Data\\document.tmp"), at("data\\Document.TXT"), MOVEFILE_REPLACE_EXISTING),
          "moved over the document");
    if (GetFileAttributesA(at("Data\\old.dat")) != INVALID_FILE_ATTRIBUTES)
        check(DeleteFileA(at("DATA\\OLD.DAT")), "a file deleted");
    snprintf(text, sizeof text, "saved %s\r\n", n);
    check(write_file("Data\\Program.log", OPEN_ALWAYS, text), "a line in the log");
    CreateDirectoryA(at("Profiles"), NULL);
    snprintf(text, sizeof text, "Profiles\\Profile %s", n);
    check(CreateDirectoryA(at(text), NULL), "a directory");
    check(SetFileAttributesA(at("Settings\\user.ini"), FILE_ATTRIBUTE_ARCHIVE), "attributes set");
}

static void check_all(const char *n)
{
    char text[100];

    check(GetPrivateProfileIntA("WINDOW", "width", 0, at("SETTINGS\\program.INI")) ==
              (UINT)atoi(n), "the number in the INI file");
    GetPrivateProfileStringA("new SECTION", "name", "", text, sizeof text,
                             at("Settings\\Program.ini"));
    check(!strcmp(text, "Zo\xeb"), "the section in it");
    check(GetPrivateProfileIntA("Kept", "Value", 0, at("settings\\program.ini")) == 42,
          "what the package had in it");
    check(GetPrivateProfileIntA("first", "run", 0, at("settings\\USER.ini")) == (UINT)atoi(n),
          "the new INI file");
    snprintf(text, sizeof text, "document %s\r\n", n);
    check(contains("DATA\\document.txt", text), "the document");
    check(GetFileAttributesA(at("data\\document.tmp")) == INVALID_FILE_ATTRIBUTES,
          "no temporary file");
    check(GetFileAttributesA(at("data\\Old.dat")) == INVALID_FILE_ATTRIBUTES, "the deleted file");
    snprintf(text, sizeof text, "saved %s\r\n", n);
    check(contains("data\\PROGRAM.log", text) && contains("data\\program.log", "begin of the log"),
          "the log");
    snprintf(text, sizeof text, "PROFILES\\profile %s", n);
    check(GetFileAttributesA(at(text)) != INVALID_FILE_ATTRIBUTES, "the directory");
}

int main(int argc, char **argv)
{
    char *slash;

    if (argc != 3 || !GetModuleFileNameA(NULL, base, sizeof base) || !(slash = strrchr(base, '\\')))
        return 99;
    slash[1] = '\0';
    if (!strcmp(argv[1], "save"))
        save(argv[2]);
    else
        check_all(argv[2]);
    puts("all done");
    return 0;
}
