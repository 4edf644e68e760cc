# SPDX-License-Identifier: LGPL-2.1-or-later
# Commands: argv in, exit code out.

# What the commands share and the unit tests link: no main().
noinst_LIBRARIES += libsfttools.a
libsfttools_a_CPPFLAGS = $(AM_CPPFLAGS) $(HIVEX_CFLAGS)
libsfttools_a_SOURCES = \
	tools/cli.c \
	tools/cli.h \
	tools/cli_help.c \
	tools/connection.c \
	tools/connection.h \
	tools/delivery_setup.c \
	tools/delivery_setup.h \
	tools/exitcode.c \
	tools/exitcode.h \
	tools/hive.c \
	tools/hive.h \
	tools/interrupt.c \
	tools/interrupt.h \
	tools/json.c \
	tools/json.h \
	tools/progress.c \
	tools/progress.h \
	tools/read_file.c \
	tools/read_file.h \
	tools/reg_text.c \
	tools/reg_text.h \
	tools/registry_output.c \
	tools/registry_output.h \
	tools/registry_path.c \
	tools/registry_path.h \
	tools/report.c \
	tools/report.h \
	tools/subcommand.c \
	tools/subcommand.h \
	tools/text.c \
	tools/text.h \
	tools/unpack.c \
	tools/unpack.h \
	tools/verify.c \
	tools/verify.h \
	tools/verify_report.c \
	tools/verify_report.h \
	$(NULL)

bin_PROGRAMS += sft
sft_CPPFLAGS = $(AM_CPPFLAGS) $(CORE_CFLAGS) $(ARCHIVE_CFLAGS)
sft_LDADD = libsfttools.a $(LIBSFTOVERLAY) $(LIBSFTFETCH) $(LIBSFT) $(ARCHIVE_LIBS) $(HIVEX_LIBS)
sft_SOURCES = \
	tools/cache_archive.c \
	tools/cache_change.c \
	tools/cache_common.c \
	tools/cache_common.h \
	tools/cache_export.c \
	tools/cache_fill.c \
	tools/cache_load.c \
	tools/cache_show.c \
	tools/cache_verify.c \
	tools/cache_whole.c \
	tools/sft_cache.c \
	tools/target.c \
	tools/target.h \
	tools/block_copy.c \
	tools/block_copy.h \
	tools/block_file.c \
	tools/block_file.h \
	tools/convert_count.c \
	tools/convert_count.h \
	tools/convert_losses.c \
	tools/convert_losses.h \
	tools/convert_programs.c \
	tools/convert_programs.h \
	tools/dos_attributes.c \
	tools/dos_attributes.h \
	tools/overlay_apply.c \
	tools/overlay_common.c \
	tools/overlay_common.h \
	tools/overlay_export.c \
	tools/overlay_import.c \
	tools/overlay_reset.c \
	tools/overlay_show.c \
	tools/overlay_status.c \
	tools/overlay_unpack.c \
	tools/overlay_unpack.h \
	tools/pack_appv.c \
	tools/pack_appv.h \
	tools/pack_appx.c \
	tools/pack_appx.h \
	tools/pack_blocks.c \
	tools/pack_blocks.h \
	tools/pack_dictionary.c \
	tools/pack_dictionary.h \
	tools/pack_reader.c \
	tools/pack_reader.h \
	tools/pack_content.c \
	tools/pack_content.h \
	tools/pack_documents.c \
	tools/pack_documents.h \
	tools/pack_image.c \
	tools/pack_image.h \
	tools/ordered.c \
	tools/ordered.h \
	tools/pack_job.c \
	tools/pack_job.h \
	tools/pack_launch.c \
	tools/pack_launch.h \
	tools/pack_launch_inherit.c \
	tools/pack_old.c \
	tools/pack_old.h \
	tools/pack_manifest.c \
	tools/pack_manifest.h \
	tools/pack_option_table.c \
	tools/pack_option_table.h \
	tools/pack_options.c \
	tools/pack_options.h \
	tools/pack_output.c \
	tools/pack_output.h \
	tools/pack_package.c \
	tools/pack_package.h \
	tools/pack_parts.c \
	tools/pack_parts.h \
	tools/pack_sft.c \
	tools/pack_sft.h \
	tools/pack_tree.c \
	tools/pack_tree.h \
	tools/parallel.c \
	tools/parallel.h \
	tools/sft.c \
	tools/sft.h \
	tools/sft_cat.c \
	tools/sft_common.c \
	tools/sft_common.h \
	tools/sft_convert.c \
	tools/sft_diff.c \
	tools/sft_extract.c \
	tools/sft_info.c \
	tools/sft_ls.c \
	tools/sft_overlay.c \
	tools/sft_pack.c \
	tools/sft_patch.c \
	tools/sft_registry.c \
	tools/sft_tree.c \
	tools/signature_text.c \
	tools/signature_text.h \
	tools/sft_verify.c \
	tools/zip_sections.c \
	tools/zip_sections.h \
	$(NULL)

# Loaded by name, so that each command needs a file of its own.
bashcompletiondir = $(datadir)/bash-completion/completions
EXTRA_DIST += tools/completion.bash
install-data-hook:
	$(MKDIR_P) $(DESTDIR)$(bashcompletiondir)
	$(INSTALL_DATA) $(srcdir)/tools/completion.bash $(DESTDIR)$(bashcompletiondir)/sft
	for name in sftfs sftmount; do \
	    rm -f $(DESTDIR)$(bashcompletiondir)/$$name && \
	    ln -s sft $(DESTDIR)$(bashcompletiondir)/$$name || exit 1; \
	done

uninstall-hook:
	rm -f $(DESTDIR)$(mounthelperdir)/mount.fuse.sftfs
	for name in sft sftfs sftmount; do rm -f $(DESTDIR)$(bashcompletiondir)/$$name; done

if WITH_FUSE
mount_sources = \
	tools/daemon.c \
	tools/daemon.h \
	tools/mount_common.c \
	tools/mount_common.h \
	tools/mount_overlay.c \
	tools/mount_overlay.h \
	tools/mount_setup.c \
	$(NULL)

bin_PROGRAMS += sftfs
sftfs_CPPFLAGS = $(AM_CPPFLAGS) $(CORE_CFLAGS)
sftfs_LDADD = libsfttools.a $(LIBSFTVFS) $(LIBSFTFETCH) $(LIBSFT)
sftfs_SOURCES = \
	$(mount_sources) \
	tools/ctl_common.h \
	tools/ctl_end.c \
	tools/ctl_show.c \
	tools/ctl_show.h \
	tools/runtime_dir.c \
	tools/runtime_dir.h \
	tools/sftfs.c \
	tools/sftfs_ctl.c \
	tools/sftfs_ctl.h \
	$(NULL)

bin_PROGRAMS += sftmount
sftmount_CPPFLAGS = $(AM_CPPFLAGS) $(CORE_CFLAGS)
sftmount_LDADD = libsfttools.a $(LIBSFTVFS) $(LIBSFTFETCH) $(LIBSFT)
sftmount_SOURCES = \
	$(mount_sources) \
	tools/applications.c \
	tools/applications.h \
	tools/runtime_dir.c \
	tools/runtime_dir.h \
	tools/sftmount.c \
	tools/target.c \
	tools/target.h \
	$(NULL)

# mount(8) finds helpers by this name; `mount -t fuse.sftfs` and /etc/fstab work through it.
install-exec-hook:
	$(MKDIR_P) $(DESTDIR)$(mounthelperdir)
	rm -f $(DESTDIR)$(mounthelperdir)/mount.fuse.sftfs
	ln -s $(bindir)/sftfs $(DESTDIR)$(mounthelperdir)/mount.fuse.sftfs
endif

# Man pages: hand-written text, filled with the options and exit codes that the programs print of
# themselves. A cross build cannot run them and installs no pages.
EXTRA_DIST += \
	tools/man-fill.sh \
	tools/mount.fuse.sftfs.8.in \
	tools/sft.1.in \
	tools/sftfs-ctl.1.in \
	tools/sftfs.1.in \
	tools/sftmount.1.in \
	$(NULL)

fill_man = $(MKDIR_P) $(@D) && \
	$(SHELL) $(srcdir)/tools/man-fill.sh $(srcdir)/$@.in $$program $(PACKAGE_VERSION) >$@.tmp && \
	mv $@.tmp $@

if BUILD_MAN
nodist_man_MANS += tools/sft.1
CLEANFILES += tools/sft.1 tools/sft.1.tmp
tools/sft.1: tools/sft.1.in tools/man-fill.sh sft$(EXEEXT)
	$(AM_V_GEN)program=./sft$(EXEEXT) && $(fill_man)

if WITH_FUSE
nodist_man_MANS += \
	tools/mount.fuse.sftfs.8 \
	tools/sftfs-ctl.1 \
	tools/sftfs.1 \
	tools/sftmount.1 \
	$(NULL)
CLEANFILES += \
	mount.fuse.sftfs \
	tools/mount.fuse.sftfs.8 tools/mount.fuse.sftfs.8.tmp \
	tools/sftfs-ctl.1 tools/sftfs-ctl.1.tmp \
	tools/sftfs.1 tools/sftfs.1.tmp \
	tools/sftmount.1 tools/sftmount.1.tmp \
	$(NULL)
tools/sftfs.1: tools/sftfs.1.in tools/man-fill.sh sftfs$(EXEEXT)
	$(AM_V_GEN)program=./sftfs$(EXEEXT) && $(fill_man)
tools/sftfs-ctl.1: tools/sftfs-ctl.1.in tools/man-fill.sh sftfs$(EXEEXT)
	$(AM_V_GEN)program=./sftfs$(EXEEXT) && $(fill_man)
tools/sftmount.1: tools/sftmount.1.in tools/man-fill.sh sftmount$(EXEEXT)
	$(AM_V_GEN)program=./sftmount$(EXEEXT) && $(fill_man)
tools/mount.fuse.sftfs.8: tools/mount.fuse.sftfs.8.in tools/man-fill.sh mount.fuse.sftfs
	$(AM_V_GEN)program=./mount.fuse.sftfs && $(fill_man)
mount.fuse.sftfs: sftfs$(EXEEXT)
	$(AM_V_GEN)rm -f $@ && ln -s sftfs$(EXEEXT) $@
endif
endif
