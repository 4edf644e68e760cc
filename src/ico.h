/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Windows icon files: made from pictures, or taken out of a program's resources. Pure; results are
 * freed by the caller. The program may be hostile: every offset is checked and depth is fixed.
 */
#ifndef SRC_ICO_H
#define SRC_ICO_H

#include <stdint.h>

#include "src/compiler.h"
#include "src/err.h"

enum ico_kind {
    ICO_RGBA, /* width * height * 4 bytes, top row first, straight alpha */
    ICO_PNG,  /* a PNG file */
    ICO_DIB,  /* a BMP file without its 14-byte file header, as icons hold it (height doubled) */
    ICO_BMP   /* a BMP file; gets an empty transparency mask */
};

struct ico_image {
    enum ico_kind kind;
    uint32_t width, height; /* 1 to 256; needed for ICO_RGBA only, else taken from the picture */
    const void *data;
    size_t len;
};

/* ERR_INVALID for no or more than 64 images and for pictures that are not what KIND says. */
int ico_write(const struct ico_image *images, size_t count, uint8_t **out, size_t *len,
              struct err *e) must_check;

/* The first icon group of a PE file (32 or 64 bit) in memory. ERR_NOT_FOUND if it has none,
 * ERR_CORRUPT if it is damaged, ERR_UNSUPPORTED if it is no PE file. */
int ico_from_pe(const void *pe, size_t pe_len, uint8_t **out, size_t *len, struct err *e)
    must_check;

/* A plain icon for programs that have none. */
int ico_default(uint8_t **out, size_t *len, struct err *e) must_check;

#endif
