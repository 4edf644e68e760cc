/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A text that grows. See appx_blockmap_write.h. */
#include "config.h"

#include "src/appx_blockmap_write.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

#include "src/appx_blockmap.h"
#include "src/xml.h"

struct blockmap_writer {
    struct xml_out text;
    uint32_t files;
    bool is_open; /* a File element that is not closed */
    bool is_empty; /* and has no blocks */
};

int blockmap_writer_new(struct blockmap_writer **out, struct err *e)
{
    struct blockmap_writer *w = calloc(1, sizeof *w);

    if (!w)
        return err_nomem(e);
    xml_put(&w->text, "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"no\"?>\r\n"
                      "<BlockMap xmlns=\"http://schemas.microsoft.com/appx/2010/blockmap\" "
                      "HashMethod=\"http://www.w3.org/2001/04/xmlenc#sha256\">");
    *out = w;
    return 0;
}

void blockmap_writer_free(struct blockmap_writer *w)
{
    if (!w)
        return;
    free(w->text.text);
    free(w);
}

static void close_file(struct blockmap_writer *w)
{
    if (w->is_open)
        xml_put(&w->text, w->is_empty ? "/>" : "</File>");
    w->is_open = false;
}

static void put_number(struct xml_out *o, const char *name, uint64_t value)
{
    char digits[24];
    (void)snprintf(digits, sizeof digits, "%" PRIu64, value);
    xml_put_attr(o, name, digits);
}

int blockmap_write_file(struct blockmap_writer *w, const char *name, uint64_t size,
                        uint32_t local_size, struct err *e)
{
    auto_free char *path = strdup(name);

    if (!path)
        return err_nomem(e);
    if (w->files++ >= BLOCKMAP_FILES_MAX || w->text.len > BLOCKMAP_BYTES_MAX)
        return err_set(e, ERR_LIMIT, "more files than a block map can have");
    for (char *c = path; *c; c++)
        if (*c == '/')
            *c = '\\';
    close_file(w);
    xml_put(&w->text, "<File");
    xml_put_attr(&w->text, "Name", path);
    put_number(&w->text, "Size", size);
    put_number(&w->text, "LfhSize", local_size);
    w->is_open = w->is_empty = true;
    return w->text.failed == ERR_INVALID
               ? err_set(e, ERR_INVALID, "'%s' holds characters that XML cannot hold", name) : 0;
}

void blockmap_write_block(struct blockmap_writer *w, const uint8_t sha256[32], uint32_t stored_size)
{
    unsigned char base64[48];

    (void)EVP_EncodeBlock(base64, sha256, 32);
    xml_put(&w->text, w->is_empty ? "><Block" : "<Block");
    w->is_empty = false;
    xml_put_attr(&w->text, "Hash", (const char *)base64);
    if (stored_size)
        put_number(&w->text, "Size", stored_size);
    xml_put(&w->text, "/>");
}

int blockmap_writer_digest(const struct blockmap_writer *w, uint8_t out[32])
{
    return codec_sha256(NULL, w->text.text, w->text.len, out);
}

int blockmap_write_finish(struct blockmap_writer *w, char **out, size_t *len, struct err *e)
{
    close_file(w);
    xml_put(&w->text, "</BlockMap>");
    if (w->text.len > BLOCKMAP_BYTES_MAX)
        return err_set(e, ERR_LIMIT, "the block map is longer than %u bytes", BLOCKMAP_BYTES_MAX);
    return xml_finish(&w->text, out, len, e);
}
