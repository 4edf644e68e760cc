# SPDX-License-Identifier: LGPL-2.1-or-later
# libsftfetch: where blocks come from. curl is used here and nowhere else.

noinst_HEADERS += \
	fetch/engine.h \
	fetch/href.h \
	fetch/open.h \
	fetch/source.h \
	$(NULL)

LIBSFTFETCH = $(CURL_LIBS)
