# SPDX-License-Identifier: LGPL-2.1-or-later
# libsftvfs: what the kernel sees. libfuse is used here and nowhere else.

if WITH_FUSE
noinst_LIBRARIES += libsftvfs.a
libsftvfs_a_CPPFLAGS = $(AM_CPPFLAGS) $(FUSE_CFLAGS)
libsftvfs_a_CFLAGS = $(AM_CFLAGS)
libsftvfs_a_SOURCES = \
	fs/alias.c \
	fs/alias.h \
	fs/caller.c \
	fs/caller.h \
	fs/control.c \
	fs/control.h \
	fs/control_client.c \
	fs/control_client.h \
	fs/control_commands.c \
	fs/control_commands.h \
	fs/control_rows.c \
	fs/control_rows.h \
	fs/control_state.c \
	fs/control_state.h \
	fs/control_wire.c \
	fs/control_wire.h \
	fs/counters.h \
	fs/directory.c \
	fs/directory.h \
	fs/forgetter.c \
	fs/forgetter.h \
	fs/fuse_connection.c \
	fs/fuse_connection.h \
	fs/mount.c \
	fs/mount.h \
	fs/mount_table.c \
	fs/mount_table.h \
	fs/overlay_list.c \
	fs/overlay_list.h \
	fs/overlay_names.c \
	fs/overlay_names.h \
	fs/overlay_ops.c \
	fs/overlay_ops.h \
	fs/overlay_read.c \
	fs/overlay_read.h \
	fs/overlay_write.c \
	fs/overlay_write.h \
	fs/parked.c \
	fs/parked.h \
	fs/push.c \
	fs/push.h \
	fs/read.c \
	fs/read.h \
	fs/readahead.c \
	fs/readahead.h \
	fs/record.c \
	fs/record.h \
	fs/root_attributes.c \
	fs/root_attributes.h \
	fs/runtime_base.c \
	fs/runtime_base.h \
	fs/session_io.c \
	fs/session_io.h \
	fs/stream.c \
	fs/stream.h \
	fs/unmount.c \
	fs/vfs.h \
	$(NULL)
endif

EXTRA_DIST += fs/control-protocol.md

LIBSFTVFS = libsftvfs.a $(LIBSFTOVERLAY) $(FUSE_LIBS)

include $(srcdir)/fs/overlay/local.mk
