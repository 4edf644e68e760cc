/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Packages that are ZIP archives with a block map: AppX, MSIX and App-V 5 (.appv). What the tree holds is
 * what the program would see: the payload, for App-V 5 what is below Root/. The rules of the container
 * are written down in appx-format.md.
 */
#ifndef SRC_APPX_READ_H
#define SRC_APPX_READ_H

#include "src/container_format.h"

extern const struct container_format container_appx;

#endif
