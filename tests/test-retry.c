/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is tried again, and when. */
#include "config.h"

#include "fetch/retry.h"

#include "tests/unit.h"

static void retry_statuses_that_may_change_are_tried_again(void)
{
    static const int again[] = { 408, 425, 429, 500, 502, 503, 504 };
    unsigned here = 0;

    for (size_t i = 0; i < ARRAY_LEN(again); i++)
        CU_ASSERT_EQUAL(retry_of_status(again[i]), RETRY_HERE);
    for (int status = 0; status < 1000; status++) {
        here += retry_of_status(status) == RETRY_HERE;
        CU_ASSERT_NOT_EQUAL(retry_of_status(status), RETRY_GIVE_UP);
    }
    CU_ASSERT_EQUAL(here, ARRAY_LEN(again)); /* and no other: not 401, 403, 404, 410 */
}

static void retry_faults_have_a_verdict_and_a_kind(void)
{
    static const struct {
        enum retry_fault fault;
        enum retry_verdict verdict;
        enum err_kind kind;
    } rows[] = {
        { RETRY_FAULT_NAME, RETRY_HERE, ERR_NETWORK },
        { RETRY_FAULT_CONNECT, RETRY_HERE, ERR_NETWORK },
        { RETRY_FAULT_BROKEN, RETRY_HERE, ERR_NETWORK },
        { RETRY_FAULT_SLOW, RETRY_HERE, ERR_TIMEOUT },
        { RETRY_FAULT_SHORT, RETRY_HERE, ERR_HTTP_BAD_REPLY },
        { RETRY_FAULT_DENIED, RETRY_ELSEWHERE, ERR_AUTH },
        { RETRY_FAULT_REPLY, RETRY_ELSEWHERE, ERR_HTTP_BAD_REPLY },
        { RETRY_FAULT_HANDSHAKE, RETRY_ELSEWHERE, ERR_TLS },
        { RETRY_FAULT_UNTRUSTED, RETRY_GIVE_UP, ERR_TLS },
        { RETRY_FAULT_MEMORY, RETRY_GIVE_UP, ERR_NO_MEMORY },
        { RETRY_FAULT_REQUEST, RETRY_GIVE_UP, ERR_UNSUPPORTED },
        { RETRY_FAULT_OTHER, RETRY_ELSEWHERE, ERR_NETWORK },
    };

    CU_ASSERT_EQUAL(ARRAY_LEN(rows), RETRY_FAULT_COUNT);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CU_ASSERT_EQUAL(retry_of_fault(rows[i].fault), rows[i].verdict);
        CU_ASSERT_EQUAL(retry_kind_of_fault(rows[i].fault), rows[i].kind);
    }
}

static void retry_kinds_without_hope_are_given_up(void)
{
    CU_ASSERT_EQUAL(retry_of_kind(ERR_NETWORK), RETRY_HERE);
    CU_ASSERT_EQUAL(retry_of_kind(ERR_TIMEOUT), RETRY_HERE);
    CU_ASSERT_EQUAL(retry_of_kind(ERR_NOT_FOUND), RETRY_ELSEWHERE);
    CU_ASSERT_EQUAL(retry_of_kind(ERR_AUTH), RETRY_ELSEWHERE);
    CU_ASSERT_EQUAL(retry_of_kind(ERR_OBJECT_CHANGED), RETRY_ELSEWHERE);
    CU_ASSERT_EQUAL(retry_of_kind(ERR_HTTP_BAD_REPLY), RETRY_ELSEWHERE);
    CU_ASSERT_EQUAL(retry_of_kind(ERR_CANCELLED), RETRY_GIVE_UP);
    CU_ASSERT_EQUAL(retry_of_kind(ERR_NO_MEMORY), RETRY_GIVE_UP);
    CU_ASSERT_EQUAL(retry_of_kind(ERR_TLS), RETRY_GIVE_UP);
    CU_ASSERT_EQUAL(retry_of_kind(ERR_INVALID), RETRY_GIVE_UP);
}

/* Half as long to half as long again, both ends reached, doubling up to the limit. */
static void retry_delay_doubles_and_varies_by_half(void)
{
    uint32_t middle = RETRY_FIRST_MS;

    for (unsigned failed = 1; failed < 100; failed++) {
        CU_ASSERT_EQUAL(retry_delay_ms(failed, 0), middle / 2);
        CU_ASSERT_EQUAL(retry_delay_ms(failed, UINT32_MAX), middle / 2 + middle);
        uint32_t usual = retry_delay_ms(failed, UINT32_MAX / 2);
        CU_ASSERT(usual >= middle - 1 && usual <= middle + 1);
        middle = (uint32_t)min_u64(middle * 2, RETRY_MOST_MS);
    }
    CU_ASSERT_EQUAL(middle, RETRY_MOST_MS);
    CU_ASSERT_EQUAL(retry_delay_ms(4000000000u, 0), RETRY_MOST_MS / 2);
}

static struct retry_state state(long after_s)
{
    return (struct retry_state){
        .failed = 1, .now_ms = 1000, .deadline_ms = 61000, .after_s = after_s
    };
}

static void retry_plan_stays_within_the_deadline(void)
{
    struct retry_state r = state(-1);
    uint64_t at;

    CU_ASSERT(retry_plan(&r, &at));
    CU_ASSERT_EQUAL(at, 1125);
    r.deadline_ms = 1126;
    CU_ASSERT(retry_plan(&r, &at));
    r.deadline_ms = 1125;
    CU_ASSERT_FALSE(retry_plan(&r, &at));
    r.deadline_ms = 500; /* over already */
    CU_ASSERT_FALSE(retry_plan(&r, &at));
}

static void retry_plan_leaves_the_server_alone_as_long_as_it_says(void)
{
    struct retry_state r = state(7);
    uint64_t at;

    CU_ASSERT(retry_plan(&r, &at));
    CU_ASSERT_EQUAL(at, 8125);
    r = state(0);
    CU_ASSERT(retry_plan(&r, &at));
    CU_ASSERT_EQUAL(at, 1125);
    r = state(59);
    CU_ASSERT(retry_plan(&r, &at));
    r = state(60);
    CU_ASSERT_FALSE(retry_plan(&r, &at));
    r = state(24 * 3600);
    CU_ASSERT_FALSE(retry_plan(&r, &at));
}

UNIT_MAIN("retry", TEST(retry_statuses_that_may_change_are_tried_again),
          TEST(retry_faults_have_a_verdict_and_a_kind),
          TEST(retry_kinds_without_hope_are_given_up),
          TEST(retry_delay_doubles_and_varies_by_half),
          TEST(retry_plan_stays_within_the_deadline),
          TEST(retry_plan_leaves_the_server_alone_as_long_as_it_says))
