/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the commands of `sft overlay` share: which overlay is meant, opening it and its package.
 * Each command is a function here, found by sft_overlay.c. Single-threaded but for the engine.
 */
#ifndef TOOLS_OVERLAY_COMMON_H
#define TOOLS_OVERLAY_COMMON_H

#include "fs/overlay/diff.h"
#include "fs/overlay/store.h"
#include "tools/interrupt.h"
#include "tools/json.h"
#include "tools/sft_common.h"

struct overlay_run {
    struct sft_input in;
    struct interrupt interrupt;
    const char *source; /* SOURCE, or NULL */
    const char *place;  /* --overlay, or NULL */
    const char *target; /* TAR or DIR */
    char **paths;       /* of reset */
    size_t path_count;
    bool long_form, bytes, force, replace, unsafe_links, all, dry_run;

    char *dir;                   /* the overlay; owned */
    char *recorded;              /* source recorded in it; owned */
    struct overlay_store *store; /* owned */
    struct upper *upper;         /* owned */
    struct diff *diff;           /* owned */
};

/* Finds r->dir, opening SOURCE if that is given. Every function here that returns an exit code has
 * said what is wrong. */
enum exitcode overlay_locate(struct overlay_run *r) must_check;

/* Opens the overlay, after overlay_locate(). One that is not there is EXITCODE_NOT_FOUND. With
 * OVERLAY_WRITE it is locked; r->store->read_only says if it cannot be written. */
enum exitcode overlay_open_store(struct overlay_run *r, enum overlay_access access) must_check;

/* Opens the package: SOURCE, or where the overlay was last used with. */
enum exitcode overlay_need_package(struct overlay_run *r) must_check;

/* Reads the upper layer and compares it with the package, if that is open. */
enum exitcode overlay_compare(struct overlay_run *r) must_check;

void overlay_release(struct overlay_run *r);

/* Whether the package that is open is the version the overlay was last used with; a note if not. */
bool overlay_same_version(const struct overlay_run *r);

const char *overlay_type_name(mode_t type); /* "file", "directory", …; NULL for 0 */

/* Line of `ls`, and the members that every change has in JSON. */
void overlay_print_line(const struct diff_change *c, bool long_form);
void overlay_json_change(struct json *j, const struct diff_change *c);

/* The commands, after overlay_locate() (but overlay_import(), which may find the place itself). */
enum exitcode overlay_status(struct overlay_run *r) must_check;
enum exitcode overlay_ls(struct overlay_run *r) must_check;
enum exitcode overlay_diff(struct overlay_run *r) must_check;
enum exitcode overlay_export(struct overlay_run *r) must_check;
enum exitcode overlay_import(struct overlay_run *r) must_check;
enum exitcode overlay_reset(struct overlay_run *r) must_check;
enum exitcode overlay_apply(struct overlay_run *r) must_check;

#endif
