/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A source made of several places that hold the same package: servers, mirrors, file shares. It
 * stands between the engine and the sources of the places, and decides who is asked.
 *
 * Order. Places have an order of preference. A read goes to the first one that is in good health;
 * when that fails in a way that another place may do better, to the next one, for the bytes that
 * are still missing. All of it within the read's one deadline: while another healthy place is left,
 * a place gets half of the time that is left and is told to fail at once rather than try again; the
 * last one gets all of it. The time of a LOW read stands still while it stands back. Cancelling,
 * lack of memory and impossible requests are never taken to another place; every other failure is.
 *
 * Health. A place that failed is left alone for a while (fetch/holdoff.h). When that is over, one
 * byte is read from it in the background, or it is opened again, so that no user waits to find out;
 * if that works, reads go to it again. While all places are held off, reads try all the same, the
 * one with the fewest failures first: there is always a next attempt.
 *
 * Sameness. The first place that was opened says which object it is: by its size and its first
 * 4 KiB, which in a package hold the checksum of all that describes its blocks. A place that
 * has another object is refused, which the log says, and is not asked again for ten minutes, or, when
 * all the others are refused, too, for as long as one that fails. One whose object changes is opened
 * anew and judged by the same rule.
 *
 * Places but the first that answers are opened when they are needed. What may block (opening, and
 * reading from a file or share) is done in threads that can be given up (fetch/errand.h), so that
 * every read ends by its deadline, and source_close() within seconds, whatever a place does.
 *
 * One thread (the origin's own) does all the deciding and calls done(); no lock is held over I/O or
 * callbacks. Any thread may call.
 */
#ifndef FETCH_ORIGIN_H
#define FETCH_ORIGIN_H

#include "fetch/source.h"

enum { ORIGIN_PLACES_MAX = 16 };

struct origin_options {
    const char *const *locations; /* of the same package, in order of preference; all strings are */
    size_t count;                 /* borrowed during origin_open(). 1 to ORIGIN_PLACES_MAX */
    const struct source_options *connection; /* NULL = defaults; opening is honoured */
    bool offline;      /* nobody is asked until origin_set_offline(…, false) */
    bool impatient;    /* opening asks each place once, and not again until the deadline: the
                        * caller can go on without */
    bool allow_absent; /* no place need be there now: returns at once, reads go on trying */
    /* With offline or allow_absent: the object, as known from before. */
    uint64_t size;
    const uint8_t *head; /* its first bytes; the first 4 KiB of them are looked at */
    size_t head_len;

    /* For tests; 0 and NULL for the normal ones. */
    uint32_t holdoff_first_ms, holdoff_most_ms, holdoff_refused_ms;
    int (*open)(const char *location, const struct source_options *o, size_t head_bytes,
                struct source **out, struct err *e);
};

/*
 * Opens the first place that answers; the others when they are needed. As source_open() otherwise:
 * blocks up to the deadline (none of it when offline or with allow_absent), and the first
 * HEAD_BYTES are remembered until source_drop_head(). When no place can be opened, the error is the
 * preferred one's. ERR_INVALID also for no places or too many.
 */
int origin_open(const struct origin_options *o, size_t head_bytes, struct source **out,
                struct err *e) must_check;

bool source_is_origin(const struct source *s);

/* The rest is for origins only (source_is_origin()). None of it blocks. */

/* Offline: reads fail at once with ERR_OFFLINE, those under way too. Online again: places that were
 * held off are tried at once. */
void origin_set_offline(struct source *s, bool offline);
bool origin_is_offline(const struct source *s);

/* False while no place works, as far as is known; the log says when that changes. */
bool origin_is_connected(const struct source *s);

enum origin_place_state {
    ORIGIN_PLACE_UNOPENED, /* not needed so far */
    ORIGIN_PLACE_OPENING,
    ORIGIN_PLACE_READY,
    ORIGIN_PLACE_HELD_OFF, /* has failed */
    ORIGIN_PLACE_REFUSED,  /* has another object */
};

struct origin_place {
    const char *name; /* location without secrets; lives as long as the source */
    enum origin_place_state state;
    bool in_use;         /* where the next read goes */
    uint64_t reads;      /* asked of it */
    uint64_t failures;   /* of these and of openings */
    enum err_kind error; /* the last failure; ERR_NONE: there was none */
    uint64_t wait_ms;    /* held off or refused for so long still */
};

const char *origin_place_state_name(enum origin_place_state state);

/* Fills OUT with the first MAX places, in order of preference (struct source_read's place is the
 * index), and returns how many there are. */
size_t origin_get_places(struct source *s, struct origin_place *out, size_t max);

#endif
