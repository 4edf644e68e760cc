# SPDX-License-Identifier: LGPL-2.1-or-later
# Unit tests (CUnit; no root, network or FUSE) run by `make check`; integration scripts that mount
# and serve run by tests/run.sh. A unit test named test-x tests the module x.

# Integration scripts and what they share; tests/run.sh runs them.
EXTRA_DIST += \
	.ci/run \
	tests/bench/bench.py \
	tests/bench/dataset.sh \
	tests/bench/delayline.c \
	tests/bench/harness.py \
	tests/bench/http.py \
	tests/bench/launch_set.py \
	tests/bench/overlay.py \
	tests/bench/run.sh \
	tests/control-clients.py \
	tests/copy-source.sh \
	tests/data/configure-summary \
	tests/fault-proxy.py \
	tests/fuzz/fuzz-for.sh \
	tests/data/samples/osd/01-planner.osd \
	tests/data/samples/osd/02-dependencies.fragment.xml \
	tests/data/samples/osd/03-scripts.fragment.xml \
	tests/data/samples/osd/04-codebase.fragment.xml \
	tests/data/samples/osd/07-href-forms.txt \
	tests/data/samples/sprt/planner.sprt \
	tests/install.sh \
	tests/installed.sh \
	tests/it-010-pack.sh \
	tests/it-012-diff.sh \
	tests/it-013-launch-list.sh \
	tests/it-020-http-odd.sh \
	tests/it-021-http-nginx.sh \
	tests/it-022-http-apache.sh \
	tests/it-023-http-retry.sh \
	tests/it-024-http-sigv4.sh \
	tests/it-028-http-order.sh \
	tests/it-026-http-caches.sh \
	tests/it-027-http-faults.sh \
	tests/it-025-http-mirrors.sh \
	tests/it-030-sft-tools.sh \
	tests/it-031-sftmount.sh \
	tests/it-040-mount-local.sh \
	tests/it-041-mount-http.sh \
	tests/it-042-mount-lifecycle.sh \
	tests/it-043-wine.sh \
	tests/it-047-mount-mirrors.sh \
	tests/it-044-bulk.sh \
	tests/it-045-property.sh \
	tests/it-046-mount-stress.sh \
	tests/it-050-overlay-mount.sh \
	tests/it-051-overlay-http.sh \
	tests/it-053-overlay-tools.sh \
	tests/it-051-overlay-options.sh \
	tests/it-052-overlay-upgrade.sh \
	tests/it-055-overlay-model.sh \
	tests/it-056-overlay-crash.sh \
	tests/it-057-overlay-programs.sh \
	tests/it-060-cache.sh \
	tests/it-061-cache-mount.sh \
	tests/it-065-control.sh \
	tests/it-068-status-attributes.sh \
	tests/it-070-appx.sh \
	tests/it-071-appx-signature.sh \
	tests/it-072-appx-wine.sh \
	tests/it-073-appx-pack.sh \
	tests/it-074-convert.sh \
	tests/it-075-registry.sh \
	tests/it-076-applications.sh \
	tests/it-077-appx-large.sh \
	tests/make-appx.py \
	tests/it-066-soak.sh \
	tests/it-067-cache-crowd.sh \
	tests/wine/settings.c \
	tests/lib.sh \
	tests/odd-http-server.py \
	tests/overlay-checks.py \
	tests/prometheus-check.py \
	tests/remount.sh \
	tests/run.sh \
	tests/sigv4-server.py \
	tests/soak/soak.py \
	tests/summary.sh \
	tests/tree.py \
	tests/two-servers.sh \
	tests/wine32-root.sh \
	$(NULL)

if HAVE_CUNIT
unit_tests = \
	tests/test-ahead \
	tests/test-appv-files \
	tests/test-appv-tokens \
	tests/test-appx-blockmap \
	tests/test-appx-bundle \
	tests/test-appx-digester \
	tests/test-appx-manifest \
	tests/test-appx-rules \
	tests/test-appx-samples \
	tests/test-appx-write \
	tests/test-appx-signature \
	tests/test-attr \
	tests/test-bad-sft \
	tests/test-block-match \
	tests/test-cache \
	tests/test-cache-dsft \
	tests/test-cache-dir \
	tests/test-cache-index \
	tests/test-cache-space \
	tests/test-cli \
	tests/test-codec \
	tests/test-connection \
	tests/test-container \
	tests/test-cursor \
	tests/test-dsft \
	tests/test-engine \
	tests/test-engine-cache \
	tests/test-engine-remote \
	tests/test-engine-threads \
	tests/test-err \
	tests/test-errand \
	tests/test-exitcode \
	tests/test-fd-cache \
	tests/test-file-io \
	tests/test-fold \
	tests/test-frames \
	tests/test-guid \
	tests/test-hive-check \
	tests/test-holdoff \
	tests/test-href \
	tests/test-http-reply \
	tests/test-http-url \
	tests/test-inflater \
	tests/test-ico \
	tests/test-json \
	tests/test-launch-list \
	tests/test-log \
	tests/test-manifest \
	tests/test-marker \
	tests/test-name-index \
	tests/test-opc-name \
	tests/test-open \
	tests/test-origin \
	tests/test-origin-place \
	tests/test-origin-threads \
	tests/test-ordered \
	tests/test-osd \
	tests/test-overlay-move \
	tests/test-overlay-faults \
	tests/test-overlay-odd \
	tests/test-overlay-store \
	tests/test-overlay-upgrade \
	tests/test-pack-content \
	tests/test-pack-plan \
	tests/test-overlay-change \
	tests/test-overlay-model \
	tests/test-overlay-rename \
	tests/test-pack-tree \
	tests/test-overlay-diff \
	tests/test-overlay-data \
	tests/test-overlay-look \
	tests/test-overlay-tree \
	tests/test-package \
	tests/test-package-builder \
	tests/test-partial \
	tests/test-partial-model \
	tests/test-reg-text \
	tests/test-retry \
	tests/test-samples \
	tests/test-sft \
	tests/test-short-name \
	tests/test-sigv4 \
	tests/test-source-file \
	tests/test-source-streams \
	tests/test-subcommand \
	tests/test-thread \
	tests/test-timers \
	tests/test-target \
	tests/test-unpack \
	tests/test-walk \
	tests/test-x500-name \
	tests/test-xml-stream \
	$(NULL)
check_PROGRAMS += $(unit_tests)
TESTS += $(unit_tests)
endif

if HAVE_CUNIT
if WITH_FUSE
fs_unit_tests = \
	tests/test-alias \
	tests/test-caller \
	tests/test-control-state \
	tests/test-control-wire \
	tests/test-ctl-show \
	tests/test-mount-table \
	tests/test-path-tree \
	tests/test-zip \
	tests/test-zip-write \
	tests/test-record \
	tests/test-stream \
	$(NULL)
check_PROGRAMS += $(fs_unit_tests)
TESTS += $(fs_unit_tests)
endif
endif

unit_cppflags = $(AM_CPPFLAGS) $(CORE_CFLAGS) $(CUNIT_CFLAGS)
unit_ldadd = $(CUNIT_LIBS) $(LIBSFT)

tests_test_err_CPPFLAGS = $(unit_cppflags)
tests_test_err_LDADD = $(unit_ldadd)
tests_test_err_SOURCES = tests/test-err.c tests/unit.h

tests_test_launch_list_CPPFLAGS = $(unit_cppflags)
tests_test_launch_list_LDADD = $(unit_ldadd)
tests_test_launch_list_SOURCES = tests/test-launch-list.c tests/unit.h $(make_sft_sources)

tests_test_log_CPPFLAGS = $(unit_cppflags)
tests_test_log_LDADD = $(unit_ldadd)
tests_test_log_SOURCES = tests/test-log.c tests/unit.h

tests_test_cli_CPPFLAGS = $(unit_cppflags)
tests_test_cli_LDADD = libsfttools.a $(unit_ldadd)
tests_test_cli_SOURCES = tests/test-cli.c tests/unit.h

tests_test_connection_CPPFLAGS = $(unit_cppflags)
tests_test_connection_LDADD = libsfttools.a $(unit_ldadd)
tests_test_connection_SOURCES = tests/test-connection.c tests/unit.h

tests_test_json_CPPFLAGS = $(unit_cppflags)
tests_test_json_LDADD = libsfttools.a $(unit_ldadd)
tests_test_json_SOURCES = tests/test-json.c tests/unit.h

tests_test_unpack_CPPFLAGS = $(unit_cppflags)
tests_test_unpack_LDADD = libsfttools.a $(unit_ldadd)
tests_test_unpack_SOURCES = tests/test-unpack.c tests/unit.h

if WITH_FUSE
if HAVE_CUNIT
check_PROGRAMS += tests/test-mount-setup
TESTS += tests/test-mount-setup
endif
endif

if HAVE_CUNIT
check_PROGRAMS += tests/test-applications
TESTS += tests/test-applications
endif

tests_test_applications_CPPFLAGS = $(unit_cppflags)
tests_test_applications_LDADD = libsfttools.a $(unit_ldadd)
tests_test_applications_SOURCES = tests/test-applications.c tests/appx_fixture.h tests/unit.h \
	tests/zip_fixture.h tools/applications.c

tests_test_mount_setup_CPPFLAGS = $(unit_cppflags)
tests_test_mount_setup_LDADD = libsfttools.a $(LIBSFTFETCH) $(unit_ldadd)
tests_test_mount_setup_SOURCES = tests/test-mount-setup.c tests/unit.h tools/mount_setup.c

tests_test_exitcode_CPPFLAGS = $(unit_cppflags)
tests_test_exitcode_LDADD = libsfttools.a $(unit_ldadd)
tests_test_exitcode_SOURCES = tests/test-exitcode.c tests/unit.h

tests_test_guid_CPPFLAGS = $(unit_cppflags)
tests_test_guid_LDADD = $(unit_ldadd)
tests_test_guid_SOURCES = tests/test-guid.c tests/unit.h

tests_test_package_CPPFLAGS = $(unit_cppflags)
tests_test_package_LDADD = $(unit_ldadd)
tests_test_package_SOURCES = tests/test-package.c tests/package_spec.h tests/unit.h

tests_test_href_CPPFLAGS = $(unit_cppflags)
tests_test_href_LDADD = $(CUNIT_LIBS) $(LIBSFTFETCH) $(LIBSFT)
tests_test_href_SOURCES = tests/test-href.c tests/unit.h

tests_test_osd_CPPFLAGS = $(unit_cppflags)
tests_test_osd_LDADD = $(unit_ldadd)
tests_test_osd_SOURCES = tests/test-osd.c tests/unit.h

tests_test_attr_CPPFLAGS = $(unit_cppflags)
tests_test_attr_LDADD = $(LIBSFTOVERLAY) $(unit_ldadd)
tests_test_attr_SOURCES = tests/test-attr.c tests/unit.h

tests_test_fd_cache_CPPFLAGS = $(unit_cppflags)
tests_test_fd_cache_LDADD = $(LIBSFTOVERLAY) $(unit_ldadd)
tests_test_fd_cache_SOURCES = tests/test-fd-cache.c tests/unit.h

tests_test_marker_CPPFLAGS = $(unit_cppflags)
tests_test_marker_LDADD = $(LIBSFTOVERLAY) $(unit_ldadd)
tests_test_marker_SOURCES = tests/test-marker.c tests/overlay_dir.h tests/unit.h
# An overlay over a small package, with an upper directory made by hand.
overlay_fixture_sources = tests/overlay_dir.h tests/overlay_fixture.h $(make_sft_sources)

tests_test_overlay_tree_CPPFLAGS = $(unit_cppflags)
tests_test_overlay_tree_LDADD = $(LIBSFTOVERLAY) $(unit_ldadd)
tests_test_overlay_tree_SOURCES = tests/test-overlay-tree.c tests/unit.h $(overlay_fixture_sources)

tests_test_overlay_diff_CPPFLAGS = $(unit_cppflags)
tests_test_overlay_diff_LDADD = $(LIBSFTOVERLAY) $(unit_ldadd)
tests_test_overlay_diff_SOURCES = tests/test-overlay-diff.c tests/unit.h $(overlay_fixture_sources)

tests_test_overlay_look_CPPFLAGS = $(unit_cppflags)
tests_test_overlay_look_LDADD = $(LIBSFTOVERLAY) $(unit_ldadd)
tests_test_overlay_look_SOURCES = tests/test-overlay-look.c tests/unit.h $(overlay_fixture_sources)

tests_test_walk_CPPFLAGS = $(unit_cppflags)
tests_test_walk_LDADD = $(LIBSFTOVERLAY) $(unit_ldadd)
tests_test_walk_SOURCES = tests/test-walk.c tests/overlay_dir.h tests/unit.h

tests_test_overlay_move_CPPFLAGS = $(unit_cppflags)
tests_test_overlay_move_LDADD = $(LIBSFTOVERLAY) $(unit_ldadd)
tests_test_overlay_move_SOURCES = tests/test-overlay-move.c tests/overlay_dir.h tests/unit.h

tests_test_overlay_store_CPPFLAGS = $(unit_cppflags)
tests_test_overlay_store_LDADD = $(LIBSFTOVERLAY) $(unit_ldadd)
tests_test_overlay_store_SOURCES = tests/test-overlay-store.c tests/overlay_dir.h tests/unit.h

overlay_shape_sources = tests/overlay_shape.h $(overlay_fixture_sources)

tests_test_overlay_data_CPPFLAGS = $(unit_cppflags)
tests_test_overlay_data_LDADD = $(LIBSFTOVERLAY) $(unit_ldadd)
tests_test_overlay_data_SOURCES = tests/test-overlay-data.c tests/unit.h $(overlay_shape_sources)
tests_test_overlay_change_CPPFLAGS = $(unit_cppflags)
tests_test_overlay_change_LDADD = $(LIBSFTOVERLAY) $(unit_ldadd)
tests_test_overlay_change_SOURCES = tests/test-overlay-change.c tests/unit.h $(overlay_shape_sources)

tests_test_overlay_model_CPPFLAGS = $(unit_cppflags)
tests_test_overlay_model_LDADD = $(LIBSFTOVERLAY) $(unit_ldadd)
tests_test_overlay_model_SOURCES = \
	tests/overlay_compare.h \
	tests/overlay_reference.h \
	tests/overlay_steps.h \
	tests/test-overlay-model.c \
	tests/unit.h \
	$(overlay_shape_sources)

tests_test_overlay_faults_CPPFLAGS = $(unit_cppflags)
tests_test_overlay_faults_LDADD = $(LIBSFTOVERLAY) $(unit_ldadd)
tests_test_overlay_faults_SOURCES = tests/test-overlay-faults.c tests/unit.h $(overlay_shape_sources)

tests_test_overlay_odd_CPPFLAGS = $(unit_cppflags)
tests_test_overlay_odd_LDADD = $(LIBSFTOVERLAY) $(unit_ldadd)
tests_test_overlay_odd_SOURCES = tests/test-overlay-odd.c tests/unit.h $(overlay_shape_sources)

tests_test_overlay_rename_CPPFLAGS = $(unit_cppflags)
tests_test_overlay_rename_LDADD = $(LIBSFTOVERLAY) $(unit_ldadd)
tests_test_overlay_rename_SOURCES = tests/test-overlay-rename.c tests/unit.h $(overlay_shape_sources)
tests_test_overlay_upgrade_CPPFLAGS = $(unit_cppflags)
tests_test_overlay_upgrade_LDADD = $(LIBSFTOVERLAY) $(unit_ldadd)
tests_test_overlay_upgrade_SOURCES = tests/test-overlay-upgrade.c tests/unit.h $(make_sft_sources)

tests_test_mount_table_CPPFLAGS = $(unit_cppflags)
tests_test_mount_table_LDADD = libsftvfs.a $(unit_ldadd)
tests_test_mount_table_SOURCES = tests/test-mount-table.c tests/unit.h

tests_test_control_state_CPPFLAGS = $(unit_cppflags)
tests_test_control_state_LDADD = libsftvfs.a $(unit_ldadd)
tests_test_control_state_SOURCES = tests/test-control-state.c tests/unit.h

tests_test_control_wire_CPPFLAGS = $(unit_cppflags)
tests_test_control_wire_LDADD = libsftvfs.a $(unit_ldadd)
tests_test_control_wire_SOURCES = tests/test-control-wire.c tests/unit.h

tests_test_ctl_show_CPPFLAGS = $(unit_cppflags)
tests_test_ctl_show_LDADD = libsfttools.a libsftvfs.a $(unit_ldadd)
tests_test_ctl_show_SOURCES = tests/test-ctl-show.c tests/unit.h tools/ctl_show.c

tests_test_caller_CPPFLAGS = $(unit_cppflags)
tests_test_caller_LDADD = libsftvfs.a $(unit_ldadd)
tests_test_caller_SOURCES = tests/test-caller.c tests/unit.h

tests_test_alias_CPPFLAGS = $(unit_cppflags)
tests_test_alias_LDADD = libsftvfs.a $(unit_ldadd)
tests_test_alias_SOURCES = tests/test-alias.c tests/unit.h

tests_test_record_CPPFLAGS = $(unit_cppflags) $(FUSE_CFLAGS)
tests_test_record_LDADD = libsftvfs.a $(LIBSFTFETCH) $(unit_ldadd)
tests_test_record_SOURCES = tests/test-record.c tests/unit.h $(make_sft_sources)

tests_test_stream_CPPFLAGS = $(unit_cppflags)
tests_test_stream_LDADD = libsftvfs.a $(unit_ldadd)
tests_test_stream_SOURCES = tests/test-stream.c tests/unit.h

tests_test_pack_plan_CPPFLAGS = $(unit_cppflags)
tests_test_pack_plan_LDADD = $(unit_ldadd)
tests_test_pack_plan_SOURCES = tests/test-pack-plan.c tests/unit.h

tests_test_path_tree_CPPFLAGS = $(unit_cppflags)
tests_test_path_tree_LDADD = $(unit_ldadd)
tests_test_path_tree_SOURCES = tests/test-path-tree.c tests/unit.h

tests_test_zip_CPPFLAGS = $(unit_cppflags)
tests_test_zip_LDADD = $(unit_ldadd)
tests_test_zip_SOURCES = tests/test-zip.c tests/unit.h tests/zip_fixture.h

tests_test_zip_write_CPPFLAGS = $(unit_cppflags)
tests_test_zip_write_LDADD = $(unit_ldadd)
tests_test_zip_write_SOURCES = tests/test-zip-write.c tests/unit.h tests/zip_fixture.h

tests_test_appx_write_CPPFLAGS = $(unit_cppflags)
tests_test_appx_write_LDADD = $(unit_ldadd)
tests_test_appx_write_SOURCES = tests/test-appx-write.c tests/unit.h

tests_test_ordered_CPPFLAGS = $(unit_cppflags)
tests_test_ordered_LDADD = $(unit_ldadd)
tests_test_ordered_SOURCES = tests/test-ordered.c tests/unit.h tools/ordered.c tools/ordered.h

tests_test_short_name_CPPFLAGS = $(unit_cppflags)
tests_test_short_name_LDADD = $(unit_ldadd)
tests_test_short_name_SOURCES = tests/test-short-name.c tests/unit.h

tests_test_codec_CPPFLAGS = $(unit_cppflags)
tests_test_codec_LDADD = $(unit_ldadd)
tests_test_codec_SOURCES = tests/test-codec.c tests/unit.h

tests_test_cursor_CPPFLAGS = $(unit_cppflags)
tests_test_cursor_LDADD = $(unit_ldadd)
tests_test_cursor_SOURCES = tests/test-cursor.c tests/unit.h

tests_test_fold_CPPFLAGS = $(unit_cppflags)
tests_test_fold_LDADD = $(unit_ldadd)
tests_test_fold_SOURCES = tests/test-fold.c tests/unit.h

# Small packages in memory, for every test that needs one: tests/make-sft.h.
make_sft_sources = tests/make-sft.c tests/make-sft.h

tests_test_sft_CPPFLAGS = $(unit_cppflags)
tests_test_sft_LDADD = $(unit_ldadd)
tests_test_sft_SOURCES = tests/test-sft.c tests/unit.h $(make_sft_sources)

tests_test_container_CPPFLAGS = $(unit_cppflags)
tests_test_container_LDADD = $(unit_ldadd)
tests_test_container_SOURCES = tests/test-container.c tests/unit.h $(make_sft_sources)

# Damaged and hostile packages, for the table test and as seeds of the fuzzer.
bad_sft_sources = tests/bad-sft.c tests/bad-sft.h $(make_sft_sources)
bad_dsft_sources = tests/bad-dsft.c tests/bad-dsft.h $(bad_sft_sources)
walk_sources = tests/walk-package.c tests/walk-package.h

tests_test_dsft_CPPFLAGS = $(unit_cppflags)
tests_test_dsft_LDADD = $(unit_ldadd)
tests_test_dsft_SOURCES = tests/test-dsft.c tests/unit.h $(bad_dsft_sources)

tests_test_block_match_CPPFLAGS = $(unit_cppflags)
tests_test_block_match_LDADD = $(unit_ldadd)
tests_test_block_match_SOURCES = tests/test-block-match.c tests/unit.h $(make_sft_sources)

tests_test_bad_sft_CPPFLAGS = $(unit_cppflags)
tests_test_bad_sft_LDADD = $(unit_ldadd)
tests_test_bad_sft_SOURCES = tests/test-bad-sft.c tests/unit.h $(bad_sft_sources) $(walk_sources)

# Fuzz targets: libFuzzer programs under --enable-fuzzing, otherwise programs that replay the seeds.
# tests/fuzz/fuzz.h says how to add one.
EXTRA_DIST += tests/corpus
dist_check_SCRIPTS += tests/fuzz/replay.sh
TESTS += tests/fuzz/replay.sh
check_PROGRAMS += \
	tests/fuzz/fuzz-appv-files \
	tests/fuzz/fuzz-appx-blockmap \
	tests/fuzz/fuzz-appx-manifest \
	tests/fuzz/fuzz-appx-signature \
	tests/fuzz/fuzz-zip \
	tests/fuzz/fuzz-cache-index \
	tests/fuzz/fuzz-container \
	tests/fuzz/fuzz-dsft \
	tests/fuzz/fuzz-href \
	tests/fuzz/fuzz-launch-list \
	tests/fuzz/fuzz-manifest \
	tests/fuzz/fuzz-opc-name \
	tests/fuzz/fuzz-osd \
	tests/fuzz/fuzz-overlay-marker \
	tests/fuzz/fuzz-http-reply \
	tests/fuzz/fuzz-overlay-map \
	tests/fuzz/fuzz-sigv4 \
	tests/fuzz/make-seeds \
	$(NULL)
if WITH_FUSE
check_PROGRAMS += tests/fuzz/fuzz-control
endif
if HAVE_HIVEX
check_PROGRAMS += tests/fuzz/fuzz-registry
endif
if FUZZING
fuzz_ldflags = $(AM_LDFLAGS) -fsanitize=fuzzer
fuzz_ldadd = $(LIBSFT)
else
fuzz_ldflags = $(AM_LDFLAGS)
fuzz_ldadd = libfuzzreplay.a $(LIBSFT)
check_LIBRARIES += libfuzzreplay.a
libfuzzreplay_a_SOURCES = tests/fuzz/replay-main.c tests/fuzz/fuzz.h
endif
fuzz_cppflags = $(AM_CPPFLAGS) $(CORE_CFLAGS)

tests_fuzz_fuzz_appv_files_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_appv_files_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_appv_files_LDADD = $(fuzz_ldadd)
tests_fuzz_fuzz_appv_files_SOURCES = tests/fuzz/fuzz-appv-files.c tests/fuzz/fuzz.h

tests_fuzz_fuzz_appx_signature_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_appx_signature_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_appx_signature_LDADD = $(fuzz_ldadd)
tests_fuzz_fuzz_appx_signature_SOURCES = tests/fuzz/fuzz-appx-signature.c tests/fuzz/fuzz.h

tests_fuzz_fuzz_zip_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_zip_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_zip_LDADD = $(fuzz_ldadd)
tests_fuzz_fuzz_zip_SOURCES = tests/fuzz/fuzz-zip.c tests/fuzz/fuzz.h

tests_fuzz_fuzz_appx_manifest_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_appx_manifest_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_appx_manifest_LDADD = $(fuzz_ldadd)
tests_fuzz_fuzz_appx_manifest_SOURCES = tests/fuzz/fuzz-appx-manifest.c tests/fuzz/fuzz.h

tests_fuzz_fuzz_appx_blockmap_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_appx_blockmap_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_appx_blockmap_LDADD = $(fuzz_ldadd)
tests_fuzz_fuzz_appx_blockmap_SOURCES = tests/fuzz/fuzz-appx-blockmap.c tests/fuzz/fuzz.h

tests_fuzz_fuzz_opc_name_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_opc_name_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_opc_name_LDADD = $(fuzz_ldadd)
tests_fuzz_fuzz_opc_name_SOURCES = tests/fuzz/fuzz-opc-name.c tests/fuzz/fuzz.h

tests_fuzz_fuzz_cache_index_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_cache_index_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_cache_index_LDADD = $(LIBSFTFETCH) $(fuzz_ldadd)
tests_fuzz_fuzz_cache_index_SOURCES = tests/fuzz/fuzz-cache-index.c tests/fuzz/fuzz.h

tests_fuzz_fuzz_container_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_container_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_container_LDADD = $(fuzz_ldadd)
tests_fuzz_fuzz_container_SOURCES = tests/fuzz/fuzz-container.c tests/fuzz/fuzz.h $(walk_sources)

tests_fuzz_fuzz_dsft_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_dsft_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_dsft_LDADD = $(fuzz_ldadd)
tests_fuzz_fuzz_dsft_SOURCES = tests/fuzz/fuzz-dsft.c tests/fuzz/fuzz.h

tests_fuzz_fuzz_control_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_control_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_control_LDADD = libsftvfs.a $(fuzz_ldadd)
tests_fuzz_fuzz_control_SOURCES = tests/fuzz/fuzz-control.c tests/fuzz/fuzz.h

tests_fuzz_fuzz_href_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_href_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_href_LDADD = $(LIBSFTFETCH) $(fuzz_ldadd)
tests_fuzz_fuzz_href_SOURCES = tests/fuzz/fuzz-href.c tests/fuzz/fuzz.h

tests_fuzz_fuzz_launch_list_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_launch_list_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_launch_list_LDADD = $(fuzz_ldadd)
tests_fuzz_fuzz_launch_list_SOURCES = tests/fuzz/fuzz-launch-list.c tests/fuzz/fuzz.h \
	$(make_sft_sources)

tests_fuzz_fuzz_manifest_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_manifest_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_manifest_LDADD = $(fuzz_ldadd)
tests_fuzz_fuzz_manifest_SOURCES = tests/fuzz/fuzz-manifest.c tests/fuzz/fuzz.h

tests_fuzz_fuzz_osd_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_osd_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_osd_LDADD = $(fuzz_ldadd)
tests_fuzz_fuzz_osd_SOURCES = tests/fuzz/fuzz-osd.c tests/fuzz/fuzz.h

tests_fuzz_fuzz_overlay_marker_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_overlay_marker_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_overlay_marker_LDADD = $(LIBSFTOVERLAY) $(fuzz_ldadd)
tests_fuzz_fuzz_overlay_marker_SOURCES = tests/fuzz/fuzz-overlay-marker.c tests/fuzz/fuzz.h

tests_fuzz_fuzz_http_reply_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_http_reply_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_http_reply_LDADD = $(LIBSFTFETCH) $(fuzz_ldadd)
tests_fuzz_fuzz_http_reply_SOURCES = tests/fuzz/fuzz-http-reply.c tests/fuzz/fuzz.h

tests_fuzz_fuzz_registry_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_registry_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_registry_LDADD = libsfttools.a $(HIVEX_LIBS) $(fuzz_ldadd)
tests_fuzz_fuzz_registry_SOURCES = tests/fuzz/fuzz-registry.c tests/fuzz/fuzz.h

tests_fuzz_fuzz_sigv4_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_sigv4_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_sigv4_LDADD = $(LIBSFTFETCH) $(fuzz_ldadd)
tests_fuzz_fuzz_sigv4_SOURCES = tests/fuzz/fuzz-sigv4.c tests/fuzz/fuzz.h

tests_fuzz_fuzz_overlay_map_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_fuzz_overlay_map_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_overlay_map_LDADD = $(LIBSFTOVERLAY) $(fuzz_ldadd)
tests_fuzz_fuzz_overlay_map_SOURCES = tests/fuzz/fuzz-overlay-map.c tests/fuzz/fuzz.h

tests_fuzz_make_seeds_CPPFLAGS = $(fuzz_cppflags)
tests_fuzz_make_seeds_LDADD = $(LIBSFTOVERLAY) $(LIBSFTFETCH) $(LIBSFT)
tests_fuzz_make_seeds_SOURCES = tests/fuzz/make-seeds.c tests/appx_fixture.h tests/hive_fixture.h \
	tests/zip_fixture.h $(bad_dsft_sources)

tests_test_package_builder_CPPFLAGS = $(unit_cppflags)
tests_test_package_builder_LDADD = $(unit_ldadd)
tests_test_package_builder_SOURCES = tests/test-package-builder.c tests/package_spec.h tests/unit.h

tests_test_appv_files_CPPFLAGS = $(unit_cppflags)
tests_test_appv_files_LDADD = $(unit_ldadd)
tests_test_appv_files_SOURCES = tests/test-appv-files.c tests/unit.h

tests_test_appv_tokens_CPPFLAGS = $(unit_cppflags)
tests_test_appv_tokens_LDADD = $(unit_ldadd)
tests_test_appv_tokens_SOURCES = tests/test-appv-tokens.c tests/appx_fixture.h tests/unit.h \
	tests/zip_fixture.h

tests_test_hive_check_CPPFLAGS = $(unit_cppflags)
tests_test_hive_check_LDADD = $(unit_ldadd)
tests_test_hive_check_SOURCES = tests/test-hive-check.c tests/hive_fixture.h tests/unit.h

tests_test_reg_text_CPPFLAGS = $(unit_cppflags)
tests_test_reg_text_LDADD = libsfttools.a $(unit_ldadd)
tests_test_reg_text_SOURCES = tests/test-reg-text.c tests/unit.h

tests_test_appx_bundle_CPPFLAGS = $(unit_cppflags)
tests_test_appx_bundle_LDADD = $(unit_ldadd)
tests_test_appx_bundle_SOURCES = tests/test-appx-bundle.c tests/unit.h

tests_test_appx_manifest_CPPFLAGS = $(unit_cppflags)
tests_test_appx_manifest_LDADD = $(unit_ldadd)
tests_test_appx_manifest_SOURCES = tests/test-appx-manifest.c tests/unit.h

tests_test_appx_digester_CPPFLAGS = $(unit_cppflags)
tests_test_appx_digester_LDADD = $(unit_ldadd)
tests_test_appx_digester_SOURCES = tests/test-appx-digester.c tests/unit.h tests/zip_fixture.h

tests_test_appx_signature_CPPFLAGS = $(unit_cppflags)
tests_test_appx_signature_LDADD = $(unit_ldadd)
tests_test_appx_signature_SOURCES = tests/test-appx-signature.c tests/signature_fixture.h tests/unit.h

tests_test_x500_name_CPPFLAGS = $(unit_cppflags)
tests_test_x500_name_LDADD = $(unit_ldadd)
tests_test_x500_name_SOURCES = tests/test-x500-name.c tests/unit.h

tests_test_appx_rules_CPPFLAGS = $(unit_cppflags)
tests_test_appx_rules_LDADD = $(unit_ldadd)
tests_test_appx_rules_SOURCES = tests/test-appx-rules.c tests/unit.h tests/zip_fixture.h

tests_test_appx_samples_CPPFLAGS = $(unit_cppflags)
tests_test_appx_samples_LDADD = $(unit_ldadd)
tests_test_appx_samples_SOURCES = tests/test-appx-samples.c tests/unit.h

tests_test_appx_blockmap_CPPFLAGS = $(unit_cppflags)
tests_test_appx_blockmap_LDADD = $(unit_ldadd)
tests_test_appx_blockmap_SOURCES = tests/test-appx-blockmap.c tests/unit.h

tests_test_name_index_CPPFLAGS = $(unit_cppflags)
tests_test_name_index_LDADD = $(unit_ldadd)
tests_test_name_index_SOURCES = tests/test-name-index.c tests/unit.h

tests_test_opc_name_CPPFLAGS = $(unit_cppflags)
tests_test_opc_name_LDADD = $(unit_ldadd)
tests_test_opc_name_SOURCES = tests/test-opc-name.c tests/unit.h

tests_test_xml_stream_CPPFLAGS = $(unit_cppflags)
tests_test_xml_stream_LDADD = $(unit_ldadd)
tests_test_xml_stream_SOURCES = tests/test-xml-stream.c tests/unit.h

tests_test_ico_CPPFLAGS = $(unit_cppflags)
tests_test_ico_LDADD = $(unit_ldadd)
tests_test_ico_SOURCES = tests/test-ico.c tests/unit.h

tests_test_manifest_CPPFLAGS = $(unit_cppflags)
tests_test_manifest_LDADD = $(unit_ldadd)
tests_test_manifest_SOURCES = tests/test-manifest.c tests/unit.h

tests_test_open_CPPFLAGS = $(unit_cppflags)
tests_test_open_LDADD = $(CUNIT_LIBS) $(LIBSFTFETCH) $(LIBSFT)
tests_test_open_SOURCES = tests/test-open.c tests/unit.h $(make_sft_sources)

# The disk cache, over small packages in memory.
cache_fixture_sources = tests/cache_fixture.h tests/unit.h $(make_sft_sources)

tests_test_cache_dsft_CPPFLAGS = $(unit_cppflags)
tests_test_cache_dsft_LDADD = $(CUNIT_LIBS) $(LIBSFTFETCH) $(LIBSFT)
tests_test_cache_dsft_SOURCES = tests/test-cache-dsft.c $(cache_fixture_sources) tests/bad-dsft.c \
	tests/bad-dsft.h

tests_test_cache_CPPFLAGS = $(unit_cppflags)
tests_test_cache_LDADD = $(CUNIT_LIBS) $(LIBSFTFETCH) $(LIBSFT)
tests_test_cache_SOURCES = tests/test-cache.c $(cache_fixture_sources)

tests_test_cache_dir_CPPFLAGS = $(unit_cppflags)
tests_test_cache_dir_LDADD = $(CUNIT_LIBS) $(LIBSFTFETCH) $(LIBSFT)
tests_test_cache_dir_SOURCES = tests/test-cache-dir.c $(cache_fixture_sources)

tests_test_cache_index_CPPFLAGS = $(unit_cppflags)
tests_test_cache_index_LDADD = $(CUNIT_LIBS) $(LIBSFTFETCH) $(LIBSFT)
tests_test_cache_index_SOURCES = tests/test-cache-index.c tests/unit.h

tests_test_cache_space_CPPFLAGS = $(unit_cppflags)
tests_test_cache_space_LDADD = $(CUNIT_LIBS) $(LIBSFTFETCH) $(LIBSFT)
tests_test_cache_space_SOURCES = tests/test-cache-space.c $(cache_fixture_sources)

tests_test_samples_CPPFLAGS = $(unit_cppflags)
tests_test_samples_LDADD = $(CUNIT_LIBS) $(LIBSFTFETCH) $(LIBSFT)
tests_test_samples_SOURCES = tests/test-samples.c tests/unit.h

tests_test_source_file_CPPFLAGS = $(unit_cppflags)
tests_test_source_file_LDADD = $(CUNIT_LIBS) $(LIBSFTFETCH) $(LIBSFT)
tests_test_source_file_SOURCES = tests/test-source-file.c tests/unit.h

tests_test_source_streams_CPPFLAGS = $(unit_cppflags)
tests_test_source_streams_LDADD = $(CUNIT_LIBS) $(LIBSFTFETCH) $(LIBSFT)
tests_test_source_streams_SOURCES = tests/test-source-streams.c tests/stream_fixture.h tests/unit.h

tests_test_inflater_CPPFLAGS = $(unit_cppflags)
tests_test_inflater_LDADD = $(CUNIT_LIBS) $(LIBSFTFETCH) $(LIBSFT)
tests_test_inflater_SOURCES = tests/test-inflater.c tests/stream_fixture.h tests/unit.h

tests_test_http_reply_CPPFLAGS = $(unit_cppflags)
tests_test_http_reply_LDADD = $(CUNIT_LIBS) $(LIBSFTFETCH) $(LIBSFT)
tests_test_http_reply_SOURCES = tests/test-http-reply.c tests/unit.h

tests_test_retry_CPPFLAGS = $(unit_cppflags)
tests_test_retry_LDADD = $(CUNIT_LIBS) $(LIBSFTFETCH) $(LIBSFT)
tests_test_retry_SOURCES = tests/test-retry.c tests/unit.h

tests_test_sigv4_CPPFLAGS = $(unit_cppflags)
tests_test_sigv4_LDADD = $(CUNIT_LIBS) $(LIBSFTFETCH) $(LIBSFT)
tests_test_sigv4_SOURCES = tests/test-sigv4.c tests/unit.h

tests_test_timers_CPPFLAGS = $(unit_cppflags)
tests_test_timers_LDADD = $(CUNIT_LIBS) $(LIBSFTFETCH) $(LIBSFT)
tests_test_timers_SOURCES = tests/test-timers.c tests/unit.h

tests_test_http_url_CPPFLAGS = $(unit_cppflags)
tests_test_http_url_LDADD = $(CUNIT_LIBS) $(LIBSFTFETCH) $(LIBSFT)
tests_test_http_url_SOURCES = tests/test-http-url.c tests/unit.h

tests_test_target_CPPFLAGS = $(unit_cppflags)
tests_test_target_LDADD = $(LIBSFTFETCH) $(unit_ldadd)
tests_test_target_SOURCES = tests/test-target.c tests/unit.h tools/target.c

tests_test_errand_CPPFLAGS = $(unit_cppflags)
tests_test_errand_LDADD = $(LIBSFTFETCH) $(unit_ldadd)
tests_test_errand_SOURCES = tests/test-errand.c tests/unit.h

tests_test_file_io_CPPFLAGS = $(unit_cppflags)
tests_test_file_io_LDADD = $(LIBSFTFETCH) $(unit_ldadd)
tests_test_file_io_SOURCES = tests/test-file-io.c tests/unit.h

tests_test_subcommand_CPPFLAGS = $(unit_cppflags)
tests_test_subcommand_LDADD = libsfttools.a $(unit_ldadd)
tests_test_subcommand_SOURCES = tests/test-subcommand.c tests/unit.h

tests_test_thread_CPPFLAGS = $(unit_cppflags)
tests_test_thread_LDADD = $(LIBSFTFETCH) $(unit_ldadd)
tests_test_thread_SOURCES = tests/test-thread.c tests/unit.h

tests_test_holdoff_CPPFLAGS = $(unit_cppflags)
tests_test_holdoff_LDADD = $(LIBSFTFETCH) $(unit_ldadd)
tests_test_holdoff_SOURCES = tests/test-holdoff.c tests/unit.h

# Origins over places that do what a test says.
fake_place_sources = tests/fake_place.c tests/fake_place.h tests/unit.h

tests_test_origin_CPPFLAGS = $(unit_cppflags)
tests_test_origin_LDADD = $(LIBSFTFETCH) $(unit_ldadd)
tests_test_origin_SOURCES = tests/test-origin.c $(fake_place_sources)

tests_test_origin_place_CPPFLAGS = $(unit_cppflags)
tests_test_origin_place_LDADD = $(LIBSFTFETCH) $(unit_ldadd)
tests_test_origin_place_SOURCES = tests/test-origin-place.c $(fake_place_sources)

tests_test_origin_threads_CPPFLAGS = $(unit_cppflags)
tests_test_origin_threads_LDADD = $(LIBSFTFETCH) $(unit_ldadd)
tests_test_origin_threads_SOURCES = tests/test-origin-threads.c $(fake_place_sources)

# Opens and reads URLs for the scripts tests/it-02*-http*.sh.
check_PROGRAMS += tests/http-check
check_PROGRAMS += tests/http-order
tests_http_order_LDADD = $(LIBSFTFETCH) $(LIBSFT)
tests_http_order_SOURCES = tests/http-order.c
tests_http_check_LDADD = $(LIBSFTFETCH) $(LIBSFT)
tests_http_check_SOURCES = tests/http-check.c

# Hives for tests/it-075-registry.sh.
check_PROGRAMS += tests/make-hive
tests_make_hive_CPPFLAGS = $(AM_CPPFLAGS) $(CORE_CFLAGS)
tests_make_hive_LDADD = $(LIBSFT)
tests_make_hive_SOURCES = tests/make-hive.c tests/hive_fixture.h

check_PROGRAMS += tests/origin-check
tests_origin_check_LDADD = $(LIBSFTFETCH) $(LIBSFT)
tests_origin_check_SOURCES = tests/origin-check.c

# The model test of the overlay, for the scripts tests/it-05*.sh.
dist_check_SCRIPTS += tests/test-model.sh
TESTS += tests/test-model.sh
check_PROGRAMS += tests/model/model
tests_model_model_CPPFLAGS = $(AM_CPPFLAGS) $(CORE_CFLAGS)
tests_model_model_LDADD = $(LIBSFT)
tests_model_model_SOURCES = \
	tests/model/choose.c \
	tests/model/compare.c \
	tests/model/model.c \
	tests/model/model.h \
	tests/model/run.c \
	tests/model/run_file.c \
	tests/model/run_name.c \
	tests/model/side.c \
	$(NULL)

tests_test_ahead_CPPFLAGS = $(unit_cppflags)
tests_test_ahead_LDADD = $(LIBSFTFETCH) $(unit_ldadd)
tests_test_ahead_SOURCES = tests/test-ahead.c tests/unit.h

tests_test_engine_CPPFLAGS = $(unit_cppflags)
tests_test_engine_LDADD = $(LIBSFTFETCH) $(unit_ldadd)
tests_test_engine_SOURCES = tests/test-engine.c tests/engine_fixture.h tests/unit.h

tests_test_engine_cache_CPPFLAGS = $(unit_cppflags)
tests_test_engine_cache_LDADD = $(LIBSFTFETCH) $(unit_ldadd)
tests_test_engine_cache_SOURCES = tests/test-engine-cache.c tests/engine_fixture.h tests/unit.h

tests_test_engine_remote_CPPFLAGS = $(unit_cppflags)
tests_test_engine_remote_LDADD = $(LIBSFTFETCH) $(unit_ldadd)
tests_test_engine_remote_SOURCES = tests/test-engine-remote.c tests/engine_fixture.h tests/unit.h

tests_test_frames_CPPFLAGS = $(unit_cppflags)
tests_test_frames_LDADD = $(LIBSFTFETCH) $(unit_ldadd)
tests_test_frames_SOURCES = tests/test-frames.c tests/unit.h

tests_test_engine_threads_CPPFLAGS = $(unit_cppflags)
tests_test_engine_threads_LDADD = $(LIBSFTFETCH) $(unit_ldadd)
tests_test_engine_threads_SOURCES = tests/test-engine-threads.c tests/engine_fixture.h tests/unit.h

# --help and the man pages say the same.
dist_check_SCRIPTS += tests/test-manpages.sh tests/test-crash-points.sh
TESTS += tests/test-manpages.sh tests/test-crash-points.sh

tests_test_pack_content_CPPFLAGS = $(unit_cppflags)
tests_test_pack_content_LDADD = $(unit_ldadd)
tests_test_pack_content_SOURCES = tests/test-pack-content.c tests/unit.h tools/pack_content.c

tests_test_pack_tree_CPPFLAGS = $(unit_cppflags)
tests_test_pack_tree_LDADD = $(unit_ldadd)
tests_test_pack_tree_SOURCES = tests/test-pack-tree.c tests/unit.h tools/pack_tree.c \
	tools/dos_attributes.c

tests_test_partial_CPPFLAGS = $(unit_cppflags)
tests_test_partial_LDADD = $(LIBSFTOVERLAY) $(unit_ldadd)
tests_test_partial_SOURCES = tests/test-partial.c tests/overlay_dir.h tests/partial_file.h \
	tests/unit.h

tests_test_partial_model_CPPFLAGS = $(unit_cppflags)
tests_test_partial_model_LDADD = $(LIBSFTOVERLAY) $(unit_ldadd)
tests_test_partial_model_SOURCES = tests/test-partial-model.c tests/overlay_dir.h \
	tests/partial_file.h tests/unit.h
