/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Named places between two steps of a change, where a test can end the process as SIGKILL or a
 * power cut would: SFTFS_CRASH_POINT=NAME or NAME:N (the Nth time it is passed); the
 * name is added to the file SFTFS_CRASH_LOG, if that is set. Only in builds
 * configured with --enable-crash-points; nothing is left of them in others. Every name stands in
 * the list in crash_point.c, which `sftfs --crash-points` prints in such builds.
 */
#ifndef FS_OVERLAY_CRASH_POINT_H
#define FS_OVERLAY_CRASH_POINT_H

#ifdef ENABLE_CRASH_POINTS
void crash_point(const char *name);
/* NULL-terminated. */
extern const char *const crash_point_names[];
#define CRASH_POINT(name) crash_point(name)
#else
#define CRASH_POINT(name) ((void)0)
#endif

#endif
