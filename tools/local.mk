# SPDX-License-Identifier: LGPL-2.1-or-later
# Commands: argv in, exit code out.

# What the commands share and the unit tests link: no main().
noinst_LIBRARIES += libsfttools.a
libsfttools_a_CPPFLAGS = $(AM_CPPFLAGS)
libsfttools_a_SOURCES = \
	tools/cli.c \
	tools/cli.h \
	tools/cli_help.c \
	tools/exitcode.c \
	tools/exitcode.h \
	tools/json.c \
	tools/json.h \
	tools/report.c \
	tools/report.h \
	tools/text.c \
	tools/text.h \
	$(NULL)

bin_PROGRAMS += sft
sft_CPPFLAGS = $(AM_CPPFLAGS) $(CORE_CFLAGS)
sft_LDADD = libsfttools.a $(LIBSFTFETCH) $(LIBSFT)
sft_SOURCES = \
	tools/sft.c \
	tools/sft.h \
	tools/sft_pack.c \
	$(NULL)
