# SPDX-License-Identifier: LGPL-2.1-or-later
# libsftvfs: what the kernel sees. libfuse is used here and nowhere else.

if WITH_FUSE
noinst_LIBRARIES += libsftvfs.a
libsftvfs_a_CPPFLAGS = $(AM_CPPFLAGS) $(FUSE_CFLAGS)
libsftvfs_a_CFLAGS = $(AM_CFLAGS)
libsftvfs_a_SOURCES = \
	fs/directory.c \
	fs/directory.h \
	fs/mount.c \
	fs/mount.h \
	fs/mount_table.c \
	fs/mount_table.h \
	fs/push.c \
	fs/push.h \
	fs/read.c \
	fs/read.h \
	fs/readahead.c \
	fs/readahead.h \
	fs/stream.c \
	fs/stream.h \
	fs/vfs.h \
	$(NULL)
endif

LIBSFTVFS = libsftvfs.a $(LIBSFTOVERLAY) $(FUSE_LIBS)

include $(srcdir)/fs/overlay/local.mk
