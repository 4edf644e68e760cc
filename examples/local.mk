# SPDX-License-Identifier: LGPL-2.1-or-later
# Runnable examples; nothing here is installed.

EXTRA_DIST += \
	examples/quickstart.sh \
	examples/program/build.sh \
	examples/program/counter.c \
	examples/program/greeting.c \
	examples/program/greeting.h \
	examples/program/noise.c \
	examples/program/phrasebook.c \
	$(NULL)
