/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Exit codes: what each means, and which error kind gives which. Neither table may be reordered or
 * renumbered; scripts depend on the numbers.
 */
#include "config.h"

#include "tools/exitcode.h"

static const struct exitcode_row rows[] = {
    { EXITCODE_OK, "Success." },
    { EXITCODE_FAILURE, "The operation failed for a reason that has no code of its own." },
    { EXITCODE_USAGE, "Wrong usage: unknown option, missing or impossible argument." },
    { EXITCODE_NOT_FOUND,
      "Not found: the source, a path inside the package, the overlay, or no place for the package "
      "could be derived." },
    { EXITCODE_NOT_A_PACKAGE,
      "Not a package, a package of another layout, or one that needs something this version does "
      "not support." },
    { EXITCODE_DAMAGED, "The package is damaged: truncated, inconsistent, or a block or checksum "
                        "does not match." },
    { EXITCODE_NETWORK, "The network or the server failed: connection, timeout, TLS or an "
                        "unexpected HTTP reply; or data is not cached and the network is not to be "
                        "used." },
    { EXITCODE_DENIED, "Permission denied, or the server rejected the credentials." },
    { EXITCODE_MOUNT, "The mount could not be made or undone, or the mount point, the overlay or the "
                      "version in the disk cache is in use, or locked." },
    { EXITCODE_GUID_MISMATCH, "The package GUID differs from the one that the document asks for, or "
                              "that the overlay belongs to." },
    { EXITCODE_DOCUMENT, "The OSD or manifest, or a document inside the package such as its block map, "
                         "is not usable: not well-formed, or without what it has to say (a CODEBASE "
                         "or HREF of an OSD)." },
    { EXITCODE_OLD_VERSION,
      "Another version of the package is needed and not at hand: the one that changes in the overlay "
      "were made with, which cannot be carried over without it, or the one that a differential SFT "
      "goes with. Nothing was changed." },
    { EXITCODE_TAMPERED, "The package is signed, and is not what was signed." },
    { EXITCODE_UNTRUSTED, "The package is as it was signed, but its signer is not trusted or not the "
                          "publisher that the manifest names." },
    { EXITCODE_UNSIGNED, "The package is not signed, although its kind can be, or a trusted signer was "
                         "asked for." },
    { EXITCODE_RULES, "The files of the package are right, but it breaks rules of its format, so that "
                      "Windows may refuse it." },
    { EXITCODE_INTERRUPTED, "Interrupted." },
};

static const unsigned char codes[ERR_KIND_COUNT] = {
    [ERR_NONE] = EXITCODE_OK,
    [ERR_SYSTEM] = EXITCODE_FAILURE,
    [ERR_NO_MEMORY] = EXITCODE_FAILURE,
    [ERR_INVALID] = EXITCODE_USAGE,
    [ERR_NOT_FOUND] = EXITCODE_NOT_FOUND,
    [ERR_DENIED] = EXITCODE_DENIED,
    [ERR_NOT_A_PACKAGE] = EXITCODE_NOT_A_PACKAGE,
    [ERR_FOREIGN_LAYOUT] = EXITCODE_NOT_A_PACKAGE,
    [ERR_UNSUPPORTED] = EXITCODE_NOT_A_PACKAGE,
    [ERR_TRUNCATED] = EXITCODE_DAMAGED,
    [ERR_CORRUPT] = EXITCODE_DAMAGED,
    [ERR_CHECKSUM] = EXITCODE_DAMAGED,
    [ERR_LIMIT] = EXITCODE_DAMAGED,
    [ERR_BAD_NAME] = EXITCODE_DAMAGED,
    [ERR_DUPLICATE_NAME] = EXITCODE_DAMAGED,
    [ERR_BAD_EXTENT] = EXITCODE_DAMAGED,
    [ERR_BAD_TREE] = EXITCODE_DAMAGED,
    [ERR_BLOCK_HASH] = EXITCODE_DAMAGED,
    [ERR_BLOCK_DECODE] = EXITCODE_DAMAGED,
    [ERR_XML] = EXITCODE_DOCUMENT,
    [ERR_XML_ENTITY] = EXITCODE_DOCUMENT,
    [ERR_NO_CODEBASE] = EXITCODE_DOCUMENT,
    [ERR_EMPTY_HREF] = EXITCODE_DOCUMENT,
    [ERR_GUID_MISMATCH] = EXITCODE_GUID_MISMATCH,
    [ERR_UNRESOLVED] = EXITCODE_NOT_FOUND,
    [ERR_NETWORK] = EXITCODE_NETWORK,
    [ERR_TIMEOUT] = EXITCODE_NETWORK,
    [ERR_TLS] = EXITCODE_NETWORK,
    [ERR_AUTH] = EXITCODE_DENIED,
    [ERR_HTTP_STATUS] = EXITCODE_NETWORK,
    [ERR_HTTP_NO_RANGE] = EXITCODE_NETWORK,
    [ERR_HTTP_BAD_REPLY] = EXITCODE_NETWORK,
    [ERR_OBJECT_CHANGED] = EXITCODE_NETWORK,
    [ERR_CANCELLED] = EXITCODE_INTERRUPTED,
    [ERR_UNSAFE_PATH] = EXITCODE_FAILURE,
    [ERR_MOUNT] = EXITCODE_MOUNT,
    [ERR_BUSY] = EXITCODE_MOUNT,
    [ERR_OLD_VERSION] = EXITCODE_OLD_VERSION,
    [ERR_OFFLINE] = EXITCODE_NETWORK,
};

const struct exitcode_row *exitcode_table(size_t *count)
{
    *count = ARRAY_LEN(rows);
    return rows;
}

enum exitcode exitcode_of(enum err_kind kind)
{
    if ((unsigned)kind >= ERR_KIND_COUNT)
        return EXITCODE_FAILURE;
    /* A kind that was added to the enum and not here is a failure, never a success. */
    return kind != ERR_NONE && codes[kind] == EXITCODE_OK ? EXITCODE_FAILURE
                                                          : (enum exitcode)codes[kind];
}
