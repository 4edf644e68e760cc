/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Map files: making, reading, changing and removing them. See map_file.h. */
#include "config.h"

#include "fs/overlay/map_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "fetch/file_io.h"

#define STATES_AT_ONCE 4096u
#define NUMBER_TRIES   (1u << 20)

void map_file_init(struct map_file *m, struct overlay_store *s, uint64_t number)
{
    *m = (struct map_file){ .store = s, .number = number, .fd = -1 };
}

void map_file_name(uint64_t number, char name[MAP_NAME_MAX])
{
    (void)snprintf(name, MAP_NAME_MAX, "%016llx", (unsigned long long)number);
}

static int open_map(const struct overlay_store *s, uint64_t number, int flags)
{
    char name[MAP_NAME_MAX];

    map_file_name(number, name);
    int fd = openat(s->maps_fd, name, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
                    0600);
    return fd < 0 ? -errno : fd;
}

/* Keeps FD when few are kept, so that random writes into one file do not open its map each time. */
static void keep(struct map_file *m, int fd)
{
    if (atomic_fetch_add(&m->store->open_maps, 1) < MAP_FILES_OPEN) {
        m->fd = fd;
        return;
    }
    atomic_fetch_sub(&m->store->open_maps, 1);
    (void)close(fd); /* what was written is in the page cache; map_file_sync() hears of errors */
}

void map_file_close(struct map_file *m)
{
    if (m->fd < 0)
        return;
    (void)close(m->fd);
    m->fd = -1;
    atomic_fetch_sub(&m->store->open_maps, 1);
}

/* Writes LEN bytes at OFF, or LEN times the byte *DATA with SAME. */
static int put(struct map_file *m, const void *data, uint64_t len, uint64_t off, bool same)
{
    uint8_t copies[STATES_AT_ONCE];
    int fd = m->fd >= 0 ? m->fd : open_map(m->store, m->number, O_RDWR), rc = 0;

    if (fd < 0)
        return fd;
    m->dirty = true;
    if (same)
        memset(copies, *(const uint8_t *)data, (size_t)min_u64(len, sizeof copies));
    for (uint64_t done = 0, n; done < len && !rc; done += n) {
        n = same ? min_u64(len - done, sizeof copies) : len;
        rc = file_write(fd, same ? copies : data, (size_t)n, off + done, NULL);
    }
    if (fd != m->fd)
        keep(m, fd);
    return rc;
}

int map_file_put_header(struct map_file *m, const struct block_map_header *h)
{
    uint8_t bytes[BLOCK_MAP_HEADER];
    int rc = block_map_format(h, bytes);

    if (!rc)
        rc = put(m, bytes, sizeof bytes, 0, false);
    if (!rc)
        m->header = *h;
    return rc;
}

int map_file_put_states(struct map_file *m, uint64_t first, uint64_t count, enum block_state state)
{
    uint8_t byte = (uint8_t)state;

    return put(m, &byte, count, BLOCK_MAP_HEADER + first, true);
}

int map_file_put_all(struct map_file *m, const struct block_states *states)
{
    uint8_t bytes[BLOCK_CHUNK];
    int rc = 0;

    for (uint64_t at = 0, n; at < states->units && !rc; at += n) {
        n = min_u64(BLOCK_CHUNK, states->units - at);
        if (!block_states_is_reserved(states, at))
            continue;
        for (uint64_t i = 0; i < n; i++)
            bytes[i] = (uint8_t)block_states_get(states, at + i);
        rc = put(m, bytes, n, BLOCK_MAP_HEADER + at, false);
    }
    return rc;
}

int map_file_create(struct map_file *m, const struct block_map_header *h)
{
    uint8_t bytes[BLOCK_MAP_HEADER];
    int fd = -EEXIST, rc;

    for (unsigned i = 0; fd == -EEXIST && i < NUMBER_TRIES; i++) {
        m->number = atomic_fetch_add(&m->store->next_map, 1);
        if (m->number) /* 0 stands for none */
            fd = open_map(m->store, m->number, O_RDWR | O_CREAT | O_EXCL);
    }
    if (fd < 0) {
        m->number = 0;
        return fd;
    }
    m->fresh = m->dirty = true;
    m->header = *h;
    rc = ftruncate(fd, (off_t)block_map_length(h->lower_size)) ? -errno : 0;
    if (!rc)
        rc = block_map_format(h, bytes);
    if (!rc)
        rc = file_write(fd, bytes, sizeof bytes, 0, NULL);
    keep(m, fd);
    if (rc)
        map_file_remove(m);
    return rc;
}

/* The states in [AT, END) of the file; holes are LOWER and are not even looked at. */
static int load_states(int fd, uint64_t end, struct block_states *states, struct err *e)
{
    uint8_t bytes[STATES_AT_ONCE];
    uint64_t at = BLOCK_MAP_HEADER;

    while (at < end) {
        off_t data = lseek(fd, (off_t)at, SEEK_DATA);
        if (data < 0 && errno == ENXIO)
            return 0;
        if (data > 0)
            at = max_u64(at, (uint64_t)data);
        if (at >= end)
            return 0;
        ssize_t n = pread(fd, bytes, (size_t)min_u64(sizeof bytes, end - at), (off_t)at);
        if (n < 0)
            return err_sys(e, "cannot read the map");
        if (!n)
            return err_at(e, ERR_TRUNCATED, "map", at, "map ends in its states");
        int rc = block_states_load(states, at - BLOCK_MAP_HEADER, bytes, (size_t)n, e);
        if (rc)
            return rc;
        at += (uint64_t)n;
    }
    return 0;
}

static int load(struct map_file *m, int fd, uint64_t lower_size, struct block_states *states,
                struct err *e)
{
    uint8_t bytes[BLOCK_MAP_HEADER];
    struct stat st;
    ssize_t n = pread(fd, bytes, sizeof bytes, 0);

    if (n < 0 || fstat(fd, &st))
        return err_sys(e, "cannot read the map");
    int rc = block_map_parse(bytes, (size_t)n, (uint64_t)st.st_size, &m->header, e);
    if (rc)
        return rc;
    if (m->header.blank)
        m->header.lower_limit = m->header.lower_size = lower_size;
    if (m->header.lower_size != lower_size || (uint64_t)st.st_size != block_map_length(lower_size))
        return err_set(e, ERR_CORRUPT, "map is of a file of another size");
    return load_states(fd, (uint64_t)st.st_size, states, e);
}

int map_file_load(struct map_file *m, uint64_t lower_size, struct block_states *states,
                  struct err *e)
{
    int fd = m->store->maps_fd < 0 ? -ENOENT : open_map(m->store, m->number, O_RDONLY);
    int rc;

    if (fd == -ENOENT || fd == -ELOOP)
        rc = err_set(e, ERR_CORRUPT, "there is no such map");
    else if (fd < 0) {
        errno = -fd;
        rc = err_sys(e, "cannot open the map");
    } else {
        rc = load(m, fd, lower_size, states, e);
        (void)close(fd);
    }
    if (rc)
        err_wrap(e, "map %016llx", (unsigned long long)m->number);
    return rc;
}

int map_file_sync(struct overlay_store *s, uint64_t number, bool fresh)
{
    auto_close int fd = open_map(s, number, O_RDONLY);

    if (fd < 0)
        return fd == -ENOENT ? 0 : fd;
    if (fdatasync(fd))
        return -errno;
    if (!fresh)
        return 0;
    auto_close int dir = openat(s->maps_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return dir < 0 || fsync(dir) ? -errno : 0;
}

void map_file_remove(struct map_file *m)
{
    char name[MAP_NAME_MAX];

    map_file_close(m);
    if (m->number) {
        map_file_name(m->number, name);
        (void)unlinkat(m->store->maps_fd, name, 0); /* one left over is removed when next opened */
    }
    map_file_init(m, m->store, 0);
}

void map_file_boot_id(const struct overlay_store *s, uint8_t out[16])
{
    char text[64];
    unsigned digits = 0;

    memset(out, 0, 16);
    if (s->boot_id) {
        memcpy(out, s->boot_id, 16);
        return;
    }
    auto_close int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
    for (ssize_t i = 0; i < n && digits < 32; i++) {
        char c = text[i];
        int v = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (v >= 0) {
            out[digits / 2] = (uint8_t)(out[digits / 2] << 4 | v);
            digits++;
        }
    }
    if (digits != 32)
        memset(out, 0, 16);
}
