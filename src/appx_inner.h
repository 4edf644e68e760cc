/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bundles: which of the packages in one is meant, and where it lies. A package is stored in its bundle as
 * it is, so that it is a range of the bundle's bytes. Pure; single-threaded.
 */
#ifndef SRC_APPX_INNER_H
#define SRC_APPX_INNER_H

#include "src/appx_bundle.h"
#include "src/compiler.h"
#include "src/container_format.h"
#include "src/err.h"
#include "src/zip.h"

/*
 * The application package for in->options.arch ("x64", "x86", "arm64", …), or, without that, the one that
 * this machine runs best: its own architecture, then 32 bits of it, then "neutral". With in->options.resource
 * the resource package with that id. CONTAINER_ELSEWHERE when it lies beside the bundle as a file,
 * out->file_name. ERR_NOT_FOUND when none fits (the message names those there are); ERR_CORRUPT when
 * manifest and archive do not agree. *out is BUNDLE's.
 */
int appx_inner_find(const struct container_input *in, const struct zip_directory *directory,
                    const struct appx_bundle *bundle, const struct appx_bundle_package **out,
                    struct err *e) must_check;

/* What is known of the object in RANGE, as if it were an object of its own. Borrows from IN. */
struct container_input appx_inner_view(const struct container_input *in, struct byte_range range);

#endif
