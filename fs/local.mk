# SPDX-License-Identifier: LGPL-2.1-or-later
# libsftvfs: what the kernel sees. libfuse is used here and nowhere else.

noinst_HEADERS += \
	fs/mount.h \
	$(NULL)

LIBSFTVFS = $(FUSE_LIBS)
