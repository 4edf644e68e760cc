/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Errors. A fallible function returns 0 (or a count) or a negative errno, and describes the failure
 * in a caller-supplied struct err, which may be NULL. The kind is the stable part: its name appears
 * in logs, in --json output and decides the exit code (tools/exitcode.h); texts may change.
 *
 * Nothing here logs: the layer that decides what to do about an error logs it, once.
 */
#ifndef SRC_ERR_H
#define SRC_ERR_H

#include <stdarg.h>
#include <stdint.h>

#include "src/compiler.h"

/* Append only. Name, errno and meaning of each stand in the table in err.c. */
enum err_kind {
    ERR_NONE = 0,
    ERR_SYSTEM,          /* an operating system call failed; the errno is in the return value */
    ERR_NO_MEMORY,
    ERR_INVALID,         /* the caller asked for something impossible (argument, option) */
    ERR_NOT_FOUND,
    ERR_DENIED,
    ERR_NOT_A_PACKAGE,   /* no known container format */
    ERR_FOREIGN_LAYOUT,  /* an SFT whose fields are not laid out as src/sft-format.md says */
    ERR_UNSUPPORTED,     /* understood and refused: codec, feature, critical section, scheme */
    ERR_TRUNCATED,       /* the input ends before the structure does */
    ERR_CORRUPT,         /* a structure contradicts itself or the format */
    ERR_CHECKSUM,        /* metadata does not match its checksum */
    ERR_LIMIT,           /* larger than this program accepts, or than the input justifies */
    ERR_BAD_NAME,        /* a name that Linux or the package rules cannot hold */
    ERR_DUPLICATE_NAME,
    ERR_BAD_EXTENT,      /* file bytes outside blocks, overlapping or of wrong total length */
    ERR_BAD_TREE,        /* directory map is not one tree */
    ERR_BLOCK_HASH,      /* stored bytes of a block do not have the recorded hash */
    ERR_BLOCK_DECODE,    /* a block decodes too long, too short or not at all */
    ERR_XML,             /* document is not well-formed, or not of the expected kind */
    ERR_XML_ENTITY,      /* document declares or uses entities beyond the five of XML */
    ERR_NO_CODEBASE,     /* OSD without CODEBASE */
    ERR_EMPTY_HREF,
    ERR_GUID_MISMATCH,   /* package GUID of the container differs from the document's */
    ERR_UNRESOLVED,      /* no place for the package could be derived from HREF and options */
    ERR_NETWORK,         /* could not connect, reset, name not found */
    ERR_TIMEOUT,
    ERR_TLS,
    ERR_AUTH,            /* 401, 403, 407 or rejected credentials */
    ERR_HTTP_STATUS,     /* any other unexpected status */
    ERR_HTTP_NO_RANGE,   /* server ignores Range */
    ERR_HTTP_BAD_REPLY,  /* Content-Range, length or encoding are not what was asked for */
    ERR_OBJECT_CHANGED,  /* ETag, Last-Modified or length differ from the object opened */
    ERR_CANCELLED,       /* the reader went away */
    ERR_UNSAFE_PATH,     /* would write outside the target directory */
    ERR_MOUNT,           /* the mount could not be made */
    ERR_BUSY,            /* in use: mount point occupied, file locked */
    ERR_OLD_VERSION,     /* a version of the package is needed that cannot be had */
    ERR_OFFLINE,         /* not at hand, and no server is to be asked */
    ERR_KIND_COUNT
};

struct err {
    enum err_kind kind;
    char section[8];  /* container section the fault is in, "" if none */
    uint64_t offset;  /* byte offset of the fault: in the section if one is named, else in the file */
    char text[480];   /* one line for people, no trailing newline; never holds credentials */
};

/* Stable name of a kind, such as "bad-extent"; "unknown" for values outside the enum. */
const char *err_kind_name(enum err_kind kind);

/* The (positive) errno that stands for a kind where only an errno can travel, such as FUSE. */
int err_kind_errno(enum err_kind kind);

/* Fills E (may be NULL) and returns -err_kind_errno(KIND); for ERR_SYSTEM returns -errno as it was
 * on entry. Use as `return err_set(e, ERR_LIMIT, "…")`. */
int err_set(struct err *e, enum err_kind kind, const char *fmt, ...) printf_like(3, 4) cold_path;

/* The same with the place of the fault: section tag (up to 7 characters, NULL for none), offset. */
int err_at(struct err *e, enum err_kind kind, const char *section, uint64_t offset,
           const char *fmt, ...) printf_like(5, 6) cold_path;

/* Sets ERR_SYSTEM from errno: "<text>: <strerror>"; EACCES and EPERM become ERR_DENIED, ENOENT
 * ERR_NOT_FOUND, ENOMEM ERR_NO_MEMORY. Returns -errno. */
int err_sys(struct err *e, const char *fmt, ...) printf_like(2, 3) cold_path;

int err_nomem(struct err *e) cold_path;

/* Puts "<context>: " in front of the text on the way up; kind and place stay. */
void err_wrap(struct err *e, const char *fmt, ...) printf_like(2, 3) cold_path;

#endif
