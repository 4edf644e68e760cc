/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The last log lines of this process. See log_ring.h. */
#include "config.h"

#include "src/log_ring.h"

#include <pthread.h>
#include <string.h>

struct line {
    int64_t time_ms;
    enum log_level level;
    char *text; /* owned; NULL: there was no memory */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct line lines[LOG_RING_LINES]; /* lock; number N is at N % LOG_RING_LINES */
static uint64_t first = 1, next = 1;      /* lock; numbers of the oldest, and of the one to come */
static size_t bytes;                      /* lock */

/* Needs the lock. */
static void drop_oldest(void)
{
    struct line *l = &lines[first++ % LOG_RING_LINES];

    bytes -= l->text ? strlen(l->text) + 1 : 0;
    free(l->text);
    l->text = NULL;
}

void log_ring_add(enum log_level level, int64_t time_ms, const char *text)
{
    char *copy = strdup(text);
    size_t size = copy ? strlen(copy) + 1 : 0;

    pthread_mutex_lock(&lock);
    while (next - first == LOG_RING_LINES || (first != next && bytes + size > LOG_RING_BYTES))
        drop_oldest();
    lines[next++ % LOG_RING_LINES] = (struct line){ time_ms, level, copy };
    bytes += size;
    pthread_mutex_unlock(&lock);
}

bool log_ring_get(uint64_t number, struct log_entry *out)
{
    pthread_mutex_lock(&lock);
    number = max_u64(number, first);
    bool found = number < next;
    if (found) {
        const struct line *l = &lines[number % LOG_RING_LINES];
        size_t len = l->text ? strlen(l->text) : 0;

        out->number = number;
        out->time_ms = l->time_ms;
        out->level = l->level;
        len = len < sizeof out->text ? len : sizeof out->text - 1;
        if (len)
            memcpy(out->text, l->text, len);
        out->text[len] = '\0';
    }
    pthread_mutex_unlock(&lock);
    return found;
}

uint64_t log_ring_last(uint64_t count)
{
    pthread_mutex_lock(&lock);
    uint64_t number = next - first > count ? next - count : first;
    pthread_mutex_unlock(&lock);
    return number;
}
