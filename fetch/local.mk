# SPDX-License-Identifier: LGPL-2.1-or-later
# libsftfetch: where blocks come from. curl is used here and nowhere else.

noinst_LIBRARIES += libsftfetch.a
libsftfetch_a_CPPFLAGS = $(AM_CPPFLAGS) $(CURL_CFLAGS)
libsftfetch_a_CFLAGS = $(AM_CFLAGS)
libsftfetch_a_SOURCES = \
	fetch/ahead.c \
	fetch/ahead.h \
	fetch/archive_check.c \
	fetch/archive_check.h \
	fetch/batch.c \
	fetch/batch.h \
	fetch/budget.c \
	fetch/budget.h \
	fetch/cache.c \
	fetch/cache.h \
	fetch/cache_dir.c \
	fetch/cache_dir.h \
	fetch/cache_donor.c \
	fetch/cache_donor.h \
	fetch/cache_dsft.c \
	fetch/cache_dsft.h \
	fetch/cache_file.c \
	fetch/cache_file.h \
	fetch/cache_index.c \
	fetch/cache_index.h \
	fetch/cache_location.c \
	fetch/cache_location.h \
	fetch/cache_note.c \
	fetch/cache_note.h \
	fetch/cache_package.c \
	fetch/cache_package.h \
	fetch/cache_space.c \
	fetch/cache_space.h \
	fetch/curl_library.c \
	fetch/curl_library.h \
	fetch/decoders.c \
	fetch/decoders.h \
	fetch/delivery.c \
	fetch/delivery.h \
	fetch/dsft_open.c \
	fetch/dsft_open.h \
	fetch/engine.c \
	fetch/engine.h \
	fetch/engine_impl.h \
	fetch/errand.c \
	fetch/errand.h \
	fetch/file_io.c \
	fetch/file_io.h \
	fetch/frames.c \
	fetch/frames.h \
	fetch/holdoff.c \
	fetch/holdoff.h \
	fetch/href.c \
	fetch/href.h \
	fetch/http_reply.c \
	fetch/http_reply.h \
	fetch/http_url.c \
	fetch/http_url.h \
	fetch/inflight.c \
	fetch/inflight.h \
	fetch/inflater.c \
	fetch/inflater.h \
	fetch/loader.c \
	fetch/loader.h \
	fetch/localpath.c \
	fetch/open.c \
	fetch/open.h \
	fetch/origin.c \
	fetch/origin.h \
	fetch/origin_connect.c \
	fetch/origin_impl.h \
	fetch/origin_loop.c \
	fetch/origin_read.c \
	fetch/origin_settings.c \
	fetch/origin_site.c \
	fetch/metadata.c \
	fetch/metadata.h \
	fetch/place.c \
	fetch/place.h \
	fetch/request.c \
	fetch/request.h \
	fetch/retry.c \
	fetch/retry.h \
	fetch/scheduler.c \
	fetch/scheduler.h \
	fetch/sigv4.c \
	fetch/sigv4.h \
	fetch/source.c \
	fetch/source.h \
	fetch/source_file.c \
	fetch/source_streams.c \
	fetch/source_streams.h \
	fetch/source_http.c \
	fetch/source_http.h \
	fetch/source_http_lane.c \
	fetch/source_http_loop.c \
	fetch/source_http_order.c \
	fetch/source_http_transfer.c \
	fetch/thread.c \
	fetch/thread.h \
	fetch/timers.c \
	fetch/timers.h \
	$(NULL)

EXTRA_DIST += fetch/cache-format.md

# Not CURL_LIBS: libcurl is loaded when it is needed (fetch/curl_library.h).
LIBSFTFETCH = libsftfetch.a
