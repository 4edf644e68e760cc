/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Describes an SFT of any state for `sft info --sections`: the sections as far as their headers are
 * at hand and make sense, or, for another layout, what a person needs to recognise it. Never fails
 * and trusts nothing.
 */
#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "src/codec.h"
#include "src/sft_read.h"
#include "src/sftlayout.h"

static void describe_header(const struct sft_smff *h, void (*line)(void *arg, const char *text),
                            void *arg)
{
    char guid[GUID_TEXT_SIZE];

    guid_format(&h->package_guid, guid);
    container_line(line, arg, "package GUID: %s", guid);
    guid_format(&h->version_guid, guid);
    container_line(line, arg, "version GUID: %s", guid);
    container_line(line, arg, "version number: %" PRIu32, h->version_number);
    container_line(line, arg, "metadata: %" PRIu64 " bytes in %" PRIu32 " sections",
                   h->metadata_bytes, h->section_count);
    container_line(line, arg, "whole file: %" PRIu64 " bytes", h->container_bytes);
}

static void describe_sections(const uint8_t *head, size_t len, const struct sft_smff *h,
                              void (*line)(void *arg, const char *text), void *arg)
{
    uint64_t at = 0;

    for (unsigned i = 0; i < SFT_SECTIONS_MAX && at < h->metadata_bytes; i++) {
        if (at > len || len - at < SFT_SECTION_SIZE) {
            container_line(line, arg,
                           "the next section header, at %" PRIu64 ", is beyond the %zu "
                           "bytes looked at",
                           at, len);
            return;
        }
        struct cursor c = cursor_over(head + at, SFT_SECTION_SIZE);
        struct sft_section s;
        if (!sft_read_section(&c, &s) || !sft_is_tag((const uint8_t *)s.tag)) {
            container_line(line, arg, "no section begins at offset %" PRIu64, at);
            return;
        }
        const char *codec = codec_name(s.codec);
        container_line(line, arg,
                       "section %s: offset %" PRIu64 ", stored %" PRIu64 ", decoded %" PRIu64
                       ", codec %s, flags 0x%" PRIx32 "%s",
                       s.tag, at, s.stored_len, s.decoded_len, codec ? codec : "unknown", s.flags,
                       s.flags & SFT_SECTION_CRITICAL ? " (critical)" : "");
        if (add_overflows(at, (uint64_t)SFT_SECTION_SIZE, &at) ||
            add_overflows(at, s.stored_len, &at)) {
            container_line(line, arg, "its length leads nowhere");
            return;
        }
    }
    container_line(line, arg, "blocks: offset %" PRIu64 ", %" PRIu64 " bytes", h->metadata_bytes,
                   h->container_bytes > h->metadata_bytes ? h->container_bytes - h->metadata_bytes
                                                          : 0);
}

void sft_describe(const uint8_t *head, size_t len, uint64_t size,
                  void (*line)(void *arg, const char *text), void *arg)
{
    const uint8_t *mark = len >= SFT_FIXED_SIZE ? head + SFT_SECTION_SIZE : NULL;
    struct sft_smff h;

    if (!mark || sft_check_mark(mark) == SFT_MARK_FOREIGN) {
        container_line(line, arg,
                       mark ? "layout: unknown (SFT tag, but no layout mark)"
                            : "layout: unknown (the file ends inside its header)");
        container_describe_bytes(head, len, line, arg);
        return;
    }
    container_line(line, arg, "layout: %.14s%s", (const char *)mark,
                   sft_check_mark(mark) == SFT_MARK_NEWER ? " (not read by this version)" : "");
    if (sft_check_mark(mark) == SFT_MARK_NEWER) {
        container_describe_bytes(head, len, line, arg);
        return;
    }
    struct cursor c = cursor_over(mark, SFT_SMFF_SIZE);
    if (!sft_read_smff(&c, &h))
        return;
    describe_header(&h, line, arg);
    if (size != h.container_bytes)
        container_line(line, arg, "the file is %" PRIu64 " bytes, its header says %" PRIu64, size,
                       h.container_bytes);
    describe_sections(head, len, &h, line, arg);
}
