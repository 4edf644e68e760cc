/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The map file of a partial file: maps/ and 16 hex digits. What it holds is block_map.h's; when and
 * in which order it is changed is up to partial.c, whose lock guards a struct map_file. Few map
 * files are kept open at a time (MAP_FILES_OPEN for a store), the others are opened for each
 * change.
 */
#ifndef FS_OVERLAY_MAP_FILE_H
#define FS_OVERLAY_MAP_FILE_H

#include "fs/overlay/block_map.h"
#include "fs/overlay/store.h"

#define MAP_FILES_OPEN 256u
#define MAP_NAME_MAX   17 /* 16 hex digits and the NUL */

struct map_file {
    struct overlay_store *store;
    uint64_t number;                /* 0: there is none */
    int fd;                         /* -1 when not kept open */
    bool fresh;                     /* made by this process and not yet synced: nor is its name */
    bool dirty;                     /* changed since it was last synced */
    struct block_map_header header; /* what the file says */
};

void map_file_init(struct map_file *m, struct overlay_store *s, uint64_t number);
void map_file_name(uint64_t number, char name[MAP_NAME_MAX]);

/* Makes a file of a number nobody has, with header H and all units LOWER. On failure nothing is
 * left. */
int map_file_create(struct map_file *m, const struct block_map_header *h) must_check;

/* Reads header and states (initialised for LOWER_SIZE). A blank header comes back as such, with all
 * fields set as for a new map. ERR_CORRUPT also when there is no such file or it is of another
 * size. */
int map_file_load(struct map_file *m, uint64_t lower_size, struct block_states *states,
                  struct err *e) must_check;

int map_file_put_header(struct map_file *m, const struct block_map_header *h) must_check;
int map_file_put_states(struct map_file *m, uint64_t first, uint64_t count,
                        enum block_state state) must_check;
/* All states of the chunks that are in memory, as they are there. */
int map_file_put_all(struct map_file *m, const struct block_states *states) must_check;

/* Brings map NUMBER to the disk, with FRESH its name too. Needs no lock; a map that is gone is
 * fine. */
int map_file_sync(struct overlay_store *s, uint64_t number, bool fresh) must_check;

void map_file_close(struct map_file *m);  /* the descriptor only */
void map_file_remove(struct map_file *m); /* the file too; none is fine. number is 0 afterwards */

/* Identity of the time since the machine was started; all zero when it cannot be found out. */
void map_file_boot_id(const struct overlay_store *s, uint8_t out[16]);

#endif
