/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writes a ZIP archive (APPNOTE.TXT 6.3.10) as a stream: entry after entry, then the directory. Sizes
 * and checksum stand in each local header, so that any reader can read it from front to back; since
 * they are known at the end of an entry only, the header is written again then. 64-bit forms only
 * where they are needed. Names are ASCII (src/opc_name.h). Single-threaded.
 *
 *     zip_writer_new(&sink, &w, e);
 *     zip_write_begin(w, "a.txt", ZIP_DEFLATED, time, size, &header_len, e);
 *     zip_write_data(w, bytes, len, e);
 *     zip_write_end(w, crc, e);
 *     zip_write_finish(w, e);
 */
#ifndef SRC_ZIP_WRITE_H
#define SRC_ZIP_WRITE_H

#include <stdint.h>
#include <time.h>

#include "src/compiler.h"
#include "src/err.h"
#include "src/zip.h"

/* Where the bytes go. Each returns 0 or a negative errno, which ends the work. */
struct zip_sink {
    int (*append)(void *arg, const void *data, size_t len, struct err *e);
    int (*overwrite)(void *arg, uint64_t off, const void *data, size_t len, struct err *e);
    void *arg;
};

struct zip_writer;

/* SINK is copied. */
int zip_writer_new(const struct zip_sink *sink, struct zip_writer **out, struct err *e) must_check;
void zip_writer_free(struct zip_writer *w); /* NULL is fine */

/*
 * Begins an entry of SIZE decoded bytes; METHOD is one of enum zip_method. *header_len is how long its
 * local header is. ERR_LIMIT for a name of more than 65,535 bytes.
 */
int zip_write_begin(struct zip_writer *w, const char *name, enum zip_method method,
                    uint32_t dos_time, uint64_t size, uint32_t *header_len, struct err *e)
    must_check;

/* The entry's next bytes as they are stored. */
int zip_write_data(struct zip_writer *w, const void *data, size_t len, struct err *e) must_check;

/* CRC: of the decoded bytes. */
int zip_write_end(struct zip_writer *w, uint32_t crc, struct err *e) must_check;

/* The directory; nothing can be added afterwards. */
int zip_write_finish(struct zip_writer *w, struct err *e) must_check;

/* Bytes written so far. */
uint64_t zip_writer_length(const struct zip_writer *w);

/* T in UTC as zip_entry.dos_time has it: steps of two seconds, from 1980 to 2107. */
uint32_t zip_time_of(time_t t);

#define ZIP_TIME_MIN (UINT32_C(1) << 21 | UINT32_C(1) << 16) /* 1980-01-01 00:00 */

#endif
