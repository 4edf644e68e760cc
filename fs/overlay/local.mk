# SPDX-License-Identifier: LGPL-2.1-or-later
# libsftoverlay: package and user's changes as one tree. No libfuse, so that the tools have it too.

noinst_LIBRARIES += libsftoverlay.a
libsftoverlay_a_CPPFLAGS = $(AM_CPPFLAGS)
libsftoverlay_a_CFLAGS = $(AM_CFLAGS)
libsftoverlay_a_SOURCES = \
	fs/attr.c \
	fs/attr.h \
	fs/overlay/attributes.c \
	fs/overlay/block_map.c \
	fs/overlay/block_map.h \
	fs/overlay/change.c \
	fs/overlay/change.h \
	fs/overlay/copy_up.c \
	fs/overlay/crash_point.c \
	fs/overlay/crash_point.h \
	fs/overlay/create.c \
	fs/overlay/data.c \
	fs/overlay/data.h \
	fs/overlay/diff.c \
	fs/overlay/diff.h \
	fs/overlay/fd_cache.c \
	fs/overlay/fd_cache.h \
	fs/overlay/holder.c \
	fs/overlay/holder.h \
	fs/overlay/ids.c \
	fs/overlay/ids.h \
	fs/overlay/intent.c \
	fs/overlay/intent.h \
	fs/overlay/look.c \
	fs/overlay/map_file.c \
	fs/overlay/map_file.h \
	fs/overlay/marker.c \
	fs/overlay/marker.h \
	fs/overlay/move.c \
	fs/overlay/move.h \
	fs/overlay/node.h \
	fs/overlay/overlay.c \
	fs/overlay/overlay.h \
	fs/overlay/partial.c \
	fs/overlay/partial.h \
	fs/overlay/partial_change.c \
	fs/overlay/partial_private.h \
	fs/overlay/partial_sync.c \
	fs/overlay/recover.c \
	fs/overlay/recover.h \
	fs/overlay/remove.c \
	fs/overlay/remove_tree.c \
	fs/overlay/rename.c \
	fs/overlay/reset.c \
	fs/overlay/reset.h \
	fs/overlay/store.c \
	fs/overlay/store.h \
	fs/overlay/store_info.c \
	fs/overlay/store_info.h \
	fs/overlay/store_lock.c \
	fs/overlay/store_lock.h \
	fs/overlay/store_place.c \
	fs/overlay/store_private.h \
	fs/overlay/store_temporary.c \
	fs/overlay/table.c \
	fs/overlay/table.h \
	fs/overlay/tree.c \
	fs/overlay/tree.h \
	fs/overlay/tree_load.c \
	fs/overlay/tree_paths.c \
	fs/overlay/tree_private.h \
	fs/overlay/upper.c \
	fs/overlay/upper.h \
	fs/overlay/walk.c \
	fs/overlay/walk.h \
	fs/overlay/whiteout.c \
	fs/overlay/upgrade.c \
	fs/overlay/upgrade.h \
	fs/overlay/upgrade_plan.c \
	fs/overlay/upgrade_plan.h \
	fs/overlay/upgrade_step.c \
	fs/overlay/upgrade_step.h \
	$(NULL)

EXTRA_DIST += fs/overlay/format.md

LIBSFTOVERLAY = libsftoverlay.a $(LIBSFTFETCH)
