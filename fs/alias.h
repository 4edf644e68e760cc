/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the kernel remembers of names under other spellings. Its cache knows exact spellings only:
 * after "FOO" was looked up while nothing or "foo" was there, it has an entry for "FOO" that a
 * change made by the name "foo" leaves as it is. This table notes such spellings, so that a change
 * can tell whether the kernel must be made to ask again.
 *
 * Bounded: a fixed number of slots, found by a keyed hash of directory and folded name. A spelling
 * that finds no place is to be handed out without leave to remember it. A slot knows one spelling
 * or "several". Errors are on the safe side: two names of one hash look like two spellings.
 *
 * A change is told to the table after it was made and before it is answered; a lookup takes a
 * ticket before it looks. So of a lookup and a change at the same time, at least one knows of the
 * other. Own lock, held for a few instructions. No FUSE here.
 */
#ifndef FS_ALIAS_H
#define FS_ALIAS_H

#include <stdint.h>

#include "src/compiler.h"

struct alias_table;

#define ALIAS_SLOTS 65536u

/* KEY: random. SLOTS: a power of two (ALIAS_SLOTS; tests want fewer). */
int alias_table_new(const uint64_t key[2], uint32_t slots, struct alias_table **out) must_check;
void alias_table_free(struct alias_table *t);

/* A ticket for a lookup that begins now. */
uint64_t alias_begin(const struct alias_table *t);

/* The lookup of NAME in directory DIR found nothing, or something that is listed under another
 * spelling. True: noted, the kernel may remember the answer. */
bool alias_note(struct alias_table *t, uint64_t ticket, uint64_t dir, const char *name,
                size_t len) must_check;

/* What NAME in DIR stands for was changed by this spelling. True: the kernel remembers another
 * spelling of it and must be made to forget. */
bool alias_changed(struct alias_table *t, uint64_t dir, const char *name, size_t len) must_check;

/* The kernel is about to be made to forget everything. */
void alias_clear(struct alias_table *t);

#endif
