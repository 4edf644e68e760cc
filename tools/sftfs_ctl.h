/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `sftfs ctl`: asks a mount and gives it orders. */
#ifndef TOOLS_SFTFS_CTL_H
#define TOOLS_SFTFS_CTL_H

/* ARGV[0] is "ctl". Returns an exit code. */
int sftfs_ctl(int argc, char **argv);

#endif
