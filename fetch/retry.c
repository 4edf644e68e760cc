/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tables. See retry.h. */
#include "config.h"

#include "fetch/retry.h"

static const struct {
    enum retry_verdict verdict;
    enum err_kind kind;
} faults[RETRY_FAULT_COUNT] = {
    [RETRY_FAULT_NAME] = { RETRY_HERE, ERR_NETWORK },
    [RETRY_FAULT_CONNECT] = { RETRY_HERE, ERR_NETWORK },
    [RETRY_FAULT_BROKEN] = { RETRY_HERE, ERR_NETWORK },
    [RETRY_FAULT_SLOW] = { RETRY_HERE, ERR_TIMEOUT },
    [RETRY_FAULT_SHORT] = { RETRY_HERE, ERR_HTTP_BAD_REPLY },
    [RETRY_FAULT_DENIED] = { RETRY_ELSEWHERE, ERR_AUTH },
    [RETRY_FAULT_REPLY] = { RETRY_ELSEWHERE, ERR_HTTP_BAD_REPLY },
    [RETRY_FAULT_HANDSHAKE] = { RETRY_ELSEWHERE, ERR_TLS },
    [RETRY_FAULT_UNTRUSTED] = { RETRY_GIVE_UP, ERR_TLS },
    [RETRY_FAULT_MEMORY] = { RETRY_GIVE_UP, ERR_NO_MEMORY },
    [RETRY_FAULT_REQUEST] = { RETRY_GIVE_UP, ERR_UNSUPPORTED },
    [RETRY_FAULT_OTHER] = { RETRY_ELSEWHERE, ERR_NETWORK },
};

enum retry_verdict retry_of_fault(enum retry_fault fault)
{
    return faults[fault].verdict;
}

enum err_kind retry_kind_of_fault(enum retry_fault fault)
{
    return faults[fault].kind;
}

/* What is not named here has been said for good by this server: 401, 403, 404, 410 among others. */
enum retry_verdict retry_of_status(int status)
{
    switch (status) {
    case 408: /* Request Timeout: the server was tired of waiting for us */
    case 425: /* Too Early: asks for the same without TLS early data */
    case 429: /* Too Many Requests */
    case 500: /* Internal Server Error */
    case 502: /* Bad Gateway: a proxy got nonsense from the server behind it */
    case 503: /* Service Unavailable */
    case 504: /* Gateway Timeout */
        return RETRY_HERE;
    default:
        return RETRY_ELSEWHERE;
    }
}

enum retry_verdict retry_of_kind(enum err_kind kind)
{
    switch (kind) {
    case ERR_NETWORK:
    case ERR_TIMEOUT:
    case ERR_HTTP_STATUS:
        return RETRY_HERE;
    case ERR_NOT_FOUND:
    case ERR_DENIED:
    case ERR_AUTH:
    case ERR_HTTP_NO_RANGE:
    case ERR_HTTP_BAD_REPLY:
    case ERR_OBJECT_CHANGED:
    case ERR_TRUNCATED:
    case ERR_BLOCK_HASH:
    case ERR_BLOCK_DECODE:
    case ERR_SYSTEM: /* of this machine's file system, where the place is a file */
        return RETRY_ELSEWHERE;
    default: /* cancelled, no memory, TLS, offline, what the caller asked for */
        return RETRY_GIVE_UP;
    }
}

uint32_t retry_delay_ms(unsigned failed, uint32_t chance)
{
    uint32_t wait = RETRY_FIRST_MS;

    while (--failed > 0 && wait < RETRY_MOST_MS)
        wait *= 2;
    wait = (uint32_t)min_u64(wait, RETRY_MOST_MS);
    return wait / 2 + (uint32_t)((uint64_t)chance * (wait + 1) >> 32);
}

bool retry_plan(const struct retry_state *r, uint64_t *at_ms)
{
    uint64_t asked = r->after_s > 0 ? (uint64_t)r->after_s * 1000 : 0;

    *at_ms = r->now_ms + asked + retry_delay_ms(r->failed, r->chance);
    return *at_ms < r->deadline_ms;
}
