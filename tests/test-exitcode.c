/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Exit codes: the numbers are a promise, so they stand here a second time, as literals. */
#include "config.h"

#include "tests/unit.h"
#include "tools/exitcode.h"

static void exitcode_numbers_do_not_change(void)
{
    static const struct {
        enum err_kind kind;
        int code;
    } promised[] = {
        { ERR_NONE, 0 },           { ERR_SYSTEM, 1 },         { ERR_NO_MEMORY, 1 },
        { ERR_INVALID, 2 },        { ERR_NOT_FOUND, 3 },      { ERR_UNRESOLVED, 3 },
        { ERR_NOT_A_PACKAGE, 4 },  { ERR_FOREIGN_LAYOUT, 4 }, { ERR_UNSUPPORTED, 4 },
        { ERR_TRUNCATED, 5 },      { ERR_CORRUPT, 5 },        { ERR_CHECKSUM, 5 },
        { ERR_LIMIT, 5 },          { ERR_BAD_NAME, 5 },       { ERR_DUPLICATE_NAME, 5 },
        { ERR_BAD_EXTENT, 5 },     { ERR_BAD_TREE, 5 },       { ERR_BLOCK_HASH, 5 },
        { ERR_BLOCK_DECODE, 5 },   { ERR_NETWORK, 6 },        { ERR_TIMEOUT, 6 },
        { ERR_TLS, 6 },            { ERR_HTTP_STATUS, 6 },    { ERR_HTTP_NO_RANGE, 6 },
        { ERR_HTTP_BAD_REPLY, 6 }, { ERR_OBJECT_CHANGED, 6 }, { ERR_DENIED, 7 },
        { ERR_AUTH, 7 },           { ERR_MOUNT, 8 },          { ERR_BUSY, 8 },
        { ERR_GUID_MISMATCH, 9 },  { ERR_XML, 10 },           { ERR_XML_ENTITY, 10 },
        { ERR_NO_CODEBASE, 10 },   { ERR_EMPTY_HREF, 10 },    { ERR_CANCELLED, 130 },
        { ERR_UNSAFE_PATH, 1 },    { ERR_OLD_VERSION, 11 },   { ERR_OFFLINE, 6 },
    };

    for (size_t i = 0; i < ARRAY_LEN(promised); i++)
        CU_ASSERT_EQUAL((int)exitcode_of(promised[i].kind), promised[i].code);
    CU_ASSERT_EQUAL(ARRAY_LEN(promised), (size_t)ERR_KIND_COUNT);
}

static void exitcode_is_zero_only_for_no_error(void)
{
    for (int kind = 1; kind < ERR_KIND_COUNT; kind++)
        CU_ASSERT_NOT_EQUAL(exitcode_of((enum err_kind)kind), EXITCODE_OK);
    CU_ASSERT_EQUAL(exitcode_of(ERR_KIND_COUNT), EXITCODE_FAILURE);
    CU_ASSERT_EQUAL(exitcode_of((enum err_kind)-1), EXITCODE_FAILURE);
}

static void exitcode_table_documents_every_code_in_order(void)
{
    size_t count;
    const struct exitcode_row *rows = exitcode_table(&count);

    for (size_t i = 1; i < count; i++)
        CU_ASSERT(rows[i - 1].code < rows[i].code);
    for (int kind = 0; kind < ERR_KIND_COUNT; kind++) {
        bool found = false;

        for (size_t i = 0; i < count; i++)
            found |= rows[i].code == exitcode_of((enum err_kind)kind) && rows[i].meaning[0];
        CU_ASSERT(found);
    }
}

UNIT_MAIN("exitcode", TEST(exitcode_numbers_do_not_change),
          TEST(exitcode_is_zero_only_for_no_error),
          TEST(exitcode_table_documents_every_code_in_order))
