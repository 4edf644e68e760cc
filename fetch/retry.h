/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What to do about a request that failed: the table of faults and statuses, and how long to wait
 * before the next attempt. Pure: no clock, no random numbers, no I/O, no curl.
 *
 * The waits between attempts: 250 ms after the first failure, twice as long after each further one
 * in a row up to 8 s, and every one of them up to half as long again or half as short, by chance,
 * so that many clients of a server that comes back do not come back at one moment. A server that
 * says how long to wait (Retry-After) is left alone for so long and for the wait above on top. All
 * of it happens within the deadline of the read: an attempt that could only begin after it is not
 * waited for.
 */
#ifndef FETCH_RETRY_H
#define FETCH_RETRY_H

#include <stdint.h>

#include "src/compiler.h"
#include "src/err.h"

enum {
    RETRY_FIRST_MS = 250,
    RETRY_MOST_MS = 8000,
};

enum retry_verdict {
    RETRY_HERE,      /* the same place may answer next time, or another one */
    RETRY_ELSEWHERE, /* this place has answered and will not say otherwise; another one may */
    RETRY_GIVE_UP,   /* nothing is better anywhere else */
};

/* Why a request got no usable answer, apart from what statuses and headers say. */
enum retry_fault {
    RETRY_FAULT_NAME,      /* the host name is not known, now */
    RETRY_FAULT_CONNECT,   /* nobody listens, no way to the host */
    RETRY_FAULT_BROKEN,    /* the connection ended before the answer did */
    RETRY_FAULT_SLOW,      /* the attempt took too long: connecting, or below the low-speed limit */
    RETRY_FAULT_SHORT,     /* the body ended properly, but early */
    RETRY_FAULT_DENIED,    /* the server or a proxy wants other credentials */
    RETRY_FAULT_REPLY,     /* no HTTP, or HTTP that makes no sense */
    RETRY_FAULT_HANDSHAKE, /* no TLS there, or no agreement on how */
    RETRY_FAULT_UNTRUSTED, /* a certificate, theirs or ours, is not accepted or not usable */
    RETRY_FAULT_MEMORY,
    RETRY_FAULT_REQUEST,   /* what was asked for makes no sense or cannot be done by this program */
    RETRY_FAULT_OTHER,
    RETRY_FAULT_COUNT
};

enum retry_verdict retry_of_fault(enum retry_fault fault);

/* The kind of error that a reader is told of. */
enum err_kind retry_kind_of_fault(enum retry_fault fault);

/* For any final HTTP status that is not the answer asked for (so 200 counts as wrong, too). */
enum retry_verdict retry_of_status(int status);

/* For errors of which only the kind is known any more. Of the kinds that cover both, such as
 * ERR_HTTP_STATUS and ERR_NETWORK, the source has made its own attempts already; what it then
 * returns is RETRY_HERE in the sense that asking again later may work. */
enum retry_verdict retry_of_kind(enum err_kind kind);

/* The wait after FAILED failures in a row (at least 1). CHANCE: any number, evenly distributed. */
uint32_t retry_delay_ms(unsigned failed, uint32_t chance);

struct retry_state {
    unsigned failed;      /* failures in a row, the last one included; at least 1 */
    uint64_t now_ms, deadline_ms;
    long after_s;         /* what the server asked for, in seconds; negative: nothing */
    uint32_t chance;
};

/* When to try again, into *at_ms; false when that would be after the deadline. */
bool retry_plan(const struct retry_state *r, uint64_t *at_ms) must_check;

#endif
