/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tokens: how App-V 5 and MSIX packages name the folders of a machine that they do not know,
 * "[{ProgramFilesX86}]\Notepad++\notepad++.exe"; "[{ProgramFilesX86}{~}]" is the folder's 8.3 name.
 * The names are those of Windows' known folders (KNOWNFOLDERID) and a few of App-V's own; which
 * path each stands for was taken from Windows' documentation and from AppVForcelets' init.ps1, and
 * is where Wine has that folder. Files of a package for such a folder lie in it below VFS/ and the
 * token's name.
 */
#ifndef SRC_APPV_TOKENS_H
#define SRC_APPV_TOKENS_H

#include <stdint.h>

#include "src/compiler.h"
#include "src/err.h"
#include "src/package.h"

#define APPV_TOKEN_NAME_MAX 64u /* bytes between "[{" and "}]" */

struct appv_token {
    const char *name; /* not terminated; in the text that was looked at */
    size_t name_len;
    size_t len; /* of all, from "[{" to "}]" */
};

/* Whether LEN bytes of TEXT begin with a token, known or not: letters, digits, spaces in the
 * brackets. */
bool appv_token_at(const char *text, size_t len, struct appv_token *out);

/* Where what programs see begins: NODE_ROOT; or in an App-V package that was opened with its
 * METADATA (struct container_options), the directory Root. */
uint32_t appv_payload(const struct package *p, bool metadata);

/* The file or directory of P that PATH names: "[{ProgramFilesX86}]\dir\a.exe", or without a token
 * below TOP, where the payload begins. NODE_NONE if there is none. */
uint32_t appv_token_resolve(const struct package *p, uint32_t top, const char *path);

/* --- replacing tokens by Windows' paths ------------------------------------------------------ */

struct appv_tokens;

struct appv_token_options {
    const char *user; /* name of the directory in C:\users; "" is no good */
    const char *root; /* where the package is, as a Windows path without a backslash at the
                       * end; NULL if not known: AppVPackageRoot stays as it is */
    const struct package
        *package; /* with ROOT: paths that are found below VFS are put below ROOT; or NULL */
    uint32_t top; /* where its payload begins */
};

struct appv_tokens *appv_tokens_new(void);    /* NULL when out of memory */
void appv_tokens_free(struct appv_tokens *t); /* NULL is fine */

/* "NAME=VALUE", which from now on goes before what the table says. ERR_INVALID for anything else.
 */
int appv_tokens_set(struct appv_tokens *t, const char *assignment, struct err *e) must_check;

/* Before the first replacement. Strings and the package are borrowed. */
void appv_tokens_configure(struct appv_tokens *t, const struct appv_token_options *o);

/*
 * TEXT (UTF-8, may hold NULs) with all tokens replaced in *out, which the caller frees; a NUL is
 * behind its *out_len bytes. Tokens that are not known stay, and are counted.
 */
int appv_tokens_replace(struct appv_tokens *t, const char *text, size_t len, char **out,
                        size_t *out_len, struct err *e) must_check;

/* The same for the path of a registry key: only what has no backslash can stand in a key's name,
 * such as the user's SID. */
int appv_tokens_replace_key(struct appv_tokens *t, const char *path, size_t len, char **out,
                            size_t *out_len, struct err *e) must_check;

uint64_t appv_tokens_replaced(const struct appv_tokens *t);

/* How many stayed, and the names of the first APPV_UNKNOWN_MAX different ones, NULL behind them. */
#define APPV_UNKNOWN_MAX 16u
uint64_t appv_tokens_unknown(const struct appv_tokens *t, const char *const **names);

#endif
