# SPDX-License-Identifier: LGPL-2.1-or-later
# libsft: what a package is. Pure: memory in, memory out; no sockets, no threads, no FUSE.

noinst_LIBRARIES += libsft.a
libsft_a_CPPFLAGS = $(AM_CPPFLAGS) $(CORE_CFLAGS)
libsft_a_CFLAGS = $(AM_CFLAGS)
libsft_a_SOURCES = \
	src/appv_files.c \
	src/appv_files.h \
	src/appx_blockmap.c \
	src/appx_blockmap.h \
	src/appx_build.c \
	src/appx_build.h \
	src/appx_bundle.c \
	src/appx_bundle.h \
	src/appx_details.c \
	src/appx_details.h \
	src/appx_digester.c \
	src/appx_digester.h \
	src/appx_files.c \
	src/appx_files.h \
	src/appx_manifest.c \
	src/appx_manifest.h \
	src/appx_inner.c \
	src/appx_inner.h \
	src/appx_launch.c \
	src/appx_launch.h \
	src/appx_parts.c \
	src/appx_parts.h \
	src/appx_read.c \
	src/appx_read.h \
	src/appx_signature.c \
	src/appx_signature.h \
	src/appx_timestamp.c \
	src/appx_timestamp.h \
	src/appx_xml.c \
	src/appx_xml.h \
	src/block_match.c \
	src/block_match.h \
	src/cert_chain.c \
	src/cert_chain.h \
	src/clock.h \
	src/codec.c \
	src/codec.h \
	src/compiler.h \
	src/container.c \
	src/container.h \
	src/container_describe.c \
	src/container_format.h \
	src/cursor.h \
	src/der.h \
	src/dsft.c \
	src/dsft.h \
	src/err.c \
	src/err.h \
	src/fold.c \
	src/fold.h \
	src/guid.c \
	src/guid.h \
	src/ico.c \
	src/ico.h \
	src/icope.c \
	src/launch_list.c \
	src/launch_list.h \
	src/list.h \
	src/log.c \
	src/log.h \
	src/log_ring.c \
	src/log_ring.h \
	src/manifest.c \
	src/manifest.h \
	src/name_index.c \
	src/name_index.h \
	src/opc_name.c \
	src/opc_name.h \
	src/osd.c \
	src/osd.h \
	src/osdwrite.c \
	src/pack_plan.c \
	src/pack_plan.h \
	src/package.c \
	src/package.h \
	src/package_builder.c \
	src/package_builder.h \
	src/package_finish.c \
	src/package_private.h \
	src/path_tree.c \
	src/path_tree.h \
	src/pool.c \
	src/pool.h \
	src/redact.c \
	src/redact.h \
	src/sft_describe.c \
	src/sft_hash.c \
	src/sft_hash.h \
	src/sft_parse.h \
	src/sft_read.c \
	src/sft_read.h \
	src/sft_tables.c \
	src/sft_write.c \
	src/sft_write.h \
	src/sftlayout.c \
	src/sftlayout.h \
	src/short_name.c \
	src/short_name.h \
	src/signed_data.c \
	src/signed_data.h \
	src/x500_name.c \
	src/x500_name.h \
	src/xml.c \
	src/xml.h \
	src/xml_stream.c \
	src/xml_stream.h \
	src/xml_text.c \
	src/xml_text.h \
	src/xmlout.c \
	src/zip.c \
	src/zip.h \
	src/zip_end.c \
	src/zip_end.h \
	$(NULL)

LIBSFT = libsft.a $(CORE_LIBS)

EXTRA_DIST += src/appx-format.md src/launch-list.md src/sft-format.md
