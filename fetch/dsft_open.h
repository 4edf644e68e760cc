/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Opening a differential SFT: a source, its header, and the package version that it leads to. */
#ifndef FETCH_DSFT_OPEN_H
#define FETCH_DSFT_OPEN_H

#include "fetch/source.h"
#include "src/dsft.h"
#include "src/package.h"

/*
 * Opens LOCATION and reads header and metadata (one range request for most, two at the most). On
 * success the caller owns *source and *package; where the file has its blocks dsft_block_offset()
 * says. ERR_NOT_A_PACKAGE when it is something else; errors as of dsft_read_header() and
 * dsft_read_package(). Blocks up to the deadline.
 */
int dsft_open(const char *location, const struct source_options *o, struct source **source,
              struct sft_dsft *h, struct package **package, struct err *e) must_check;

#endif
