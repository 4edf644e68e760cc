/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A list that grows: for readers that do not know beforehand how many they will find. */
#ifndef SRC_LIST_H
#define SRC_LIST_H

#include <stdint.h>

#include "src/compiler.h"
#include "src/err.h"

struct list {
    void *items; /* owned by the user of the struct; NULL while there is no room */
    size_t room; /* items that it can hold */
};

/* Makes room for one more than the COUNT items of SIZE bytes that are there. 0, -ENOMEM. */
static inline int list_make_room(struct list *l, size_t count, size_t size, struct err *e)
{
    if (count < l->room)
        return 0;
    size_t room, bytes;
    if (mul_overflows(l->room ? l->room : 32, 2u, &room) || mul_overflows(room, size, &bytes))
        return err_nomem(e);
    void *items = realloc(l->items, bytes);
    if (!items)
        return err_nomem(e);
    l->items = items;
    l->room = room;
    return 0;
}

/* Hands the items out, without the room that was not needed; the caller frees them. */
static inline void *list_finish(struct list *l, size_t count, size_t size)
{
    void *less = count ? realloc(l->items, count * size) : NULL;
    void *items = less ? less : l->items;
    *l = (struct list){ .items = NULL };
    return items;
}

#endif
