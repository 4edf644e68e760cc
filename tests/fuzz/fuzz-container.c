/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fuzz target: the container reader. Reads the input as it is, the same in small steps, and once
 * more with all checksums made right so that mutations reach what lies behind them; walks
 * everything in each package that is accepted.
 */
#include "config.h"

#include <string.h>

#include "src/container.h"
#include "src/sft_hash.h"
#include "src/sftlayout.h"
#include "tests/fuzz/fuzz.h"
#include "tests/walk-package.h"

/* The kind of error, or ERR_NONE; a package that comes out is walked. */
static enum err_kind read_whole(const uint8_t *data, size_t size)
{
    struct err e = { .kind = ERR_NONE };
    struct package *p = NULL;

    int rc = container_read_memory(data, size, &p, &e);
    FUZZ_CHECK((rc == 0) == (p != NULL) && (rc == 0) == (e.kind == ERR_NONE));
    FUZZ_CHECK(!p || !walk_package(p, data, size));
    package_free(p);
    return e.kind;
}

static enum err_kind read_in_steps(const uint8_t *data, size_t size, size_t step)
{
    struct err e = { .kind = ERR_NONE };
    struct container_reader *r;
    struct byte_range want;
    int rc;

    FUZZ_CHECK(container_reader_new(size, &r, NULL) == 0);
    while ((rc = container_reader_next(r, &want, &e)) > 0) {
        FUZZ_CHECK(want.length && want.offset <= size && want.length <= size - want.offset);
        FUZZ_CHECK(container_reader_feed(r, want.offset, data + want.offset,
                                         (size_t)min_u64(want.length, step), NULL) == 0);
    }
    struct package *p = container_reader_take(r);
    FUZZ_CHECK((rc == 0) == (p != NULL));
    package_free(p);
    container_reader_free(r);
    return e.kind;
}

static void ignore_line(void *arg, const char *text)
{
    *(size_t *)arg += strlen(text);
}

/* Makes right what damage cannot get past: the length of the file, and all hashes. */
static void mend(uint8_t *data, size_t size)
{
    struct codec_context *ctx;
    struct sft_smff h;

    if (size < SFT_FIXED_SIZE)
        return;
    struct cursor c = cursor_over(data + SFT_SECTION_SIZE, SFT_SMFF_SIZE);
    FUZZ_CHECK(sft_read_smff(&c, &h));
    h.metadata_bytes = min_u64(h.metadata_bytes, size);
    h.container_bytes = size;
    h.features = 0;
    struct sft_buf b = { .data = NULL };
    sft_put_smff(&b, &h);
    FUZZ_CHECK(!b.failed);
    memcpy(data + SFT_SECTION_SIZE, b.data, b.len);
    free(b.data);
    FUZZ_CHECK(codec_context_new(&ctx) == 0);
    FUZZ_CHECK(sft_seal(ctx, data, (size_t)h.metadata_bytes) == 0);
    codec_context_free(ctx);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t text = 0;
    enum err_kind kind = read_whole(data, size);

    FUZZ_CHECK(read_in_steps(data, size, size / 7 + 1) == kind);
    container_describe(data, size, size, ignore_line, &text);

    uint8_t *mended = malloc(size ? size : 1);
    FUZZ_CHECK(mended);
    if (size)
        memcpy(mended, data, size);
    mend(mended, size);
    (void)read_whole(mended, size); /* either is right */
    free(mended);
    return 0;
}
