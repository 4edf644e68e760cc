/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Spellings the kernel remembers: what is noted, when a change makes it forget. */
#include "config.h"

#include "fs/alias.h"

#include "tests/unit.h"

static const uint64_t key[2] = { 1, 2 };

static struct alias_table *table(uint32_t slots)
{
    struct alias_table *t = NULL;

    CU_ASSERT_FATAL(alias_table_new(key, slots, &t) == 0);
    return t;
}

static bool note(struct alias_table *t, uint64_t dir, const char *name)
{
    return alias_note(t, alias_begin(t), dir, name, strlen(name));
}

static bool changed(struct alias_table *t, uint64_t dir, const char *name)
{
    return alias_changed(t, dir, name, strlen(name));
}

static void alias_change_needs_nothing_when_nothing_was_noted(void)
{
    struct alias_table *t = table(64);

    CU_ASSERT(!changed(t, 1, "foo"));
    alias_table_free(t);
}

static void alias_change_forgets_when_another_spelling_was_noted(void)
{
    struct alias_table *t = table(64);

    CU_ASSERT(note(t, 1, "FOO"));
    CU_ASSERT(changed(t, 1, "foo"));
    CU_ASSERT(changed(t, 1, "foo")); /* until the kernel was told */
    alias_clear(t);
    CU_ASSERT(!changed(t, 1, "foo"));
    alias_table_free(t);
}

static void alias_change_forgets_when_several_spellings_were_noted(void)
{
    struct alias_table *t = table(64);

    CU_ASSERT(note(t, 1, "FOO"));
    CU_ASSERT(note(t, 1, "Foo"));
    CU_ASSERT(changed(t, 1, "FOO"));
    alias_table_free(t);
}

static void alias_change_by_the_noted_spelling_uses_it_up(void)
{
    struct alias_table *t = table(64);

    CU_ASSERT(note(t, 1, "FOO"));
    CU_ASSERT(note(t, 1, "FOO"));
    CU_ASSERT(!changed(t, 1, "FOO"));
    CU_ASSERT(!changed(t, 1, "foo"));
    alias_table_free(t);
}

static void alias_names_of_other_directories_do_not_count(void)
{
    struct alias_table *t = table(1024);

    CU_ASSERT(note(t, 1, "FOO"));
    CU_ASSERT(!changed(t, 2, "foo"));
    alias_table_free(t);
}

static void alias_letters_beyond_ascii_are_folded(void)
{
    struct alias_table *t = table(64);

    CU_ASSERT(note(t, 1, "\xc3\x84rger"));
    CU_ASSERT(changed(t, 1, "\xc3\xa4rger"));
    alias_table_free(t);
}

static void alias_note_is_refused_when_something_changed_since_the_ticket(void)
{
    struct alias_table *t = table(64);
    uint64_t ticket = alias_begin(t);

    CU_ASSERT(!changed(t, 7, "bar"));
    CU_ASSERT(!alias_note(t, ticket, 1, "FOO", 3));
    CU_ASSERT(!changed(t, 1, "foo"));
    alias_table_free(t);
}

static void alias_note_is_refused_when_another_name_has_the_slot(void)
{
    struct alias_table *t = table(1);

    CU_ASSERT(note(t, 1, "FOO"));
    CU_ASSERT(!note(t, 1, "bar"));
    CU_ASSERT(note(t, 1, "Foo"));
    alias_clear(t);
    CU_ASSERT(note(t, 1, "bar"));
    alias_table_free(t);
}

UNIT_MAIN("alias", TEST(alias_change_needs_nothing_when_nothing_was_noted),
          TEST(alias_change_forgets_when_another_spelling_was_noted),
          TEST(alias_change_forgets_when_several_spellings_were_noted),
          TEST(alias_change_by_the_noted_spelling_uses_it_up),
          TEST(alias_names_of_other_directories_do_not_count),
          TEST(alias_letters_beyond_ascii_are_folded),
          TEST(alias_note_is_refused_when_something_changed_since_the_ticket),
          TEST(alias_note_is_refused_when_another_name_has_the_slot))
