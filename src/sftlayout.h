/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Layout of an SFT: every byte offset, tag, size and flag of src/sft-format.md is here and in
 * sftlayout.c, and nowhere else. Each fixed structure has a struct in host form, a function that
 * reads it with a cursor and one that puts it into a growing buffer. Only the form is judged here
 * (is it complete, does it carry the layout mark); what the values must be to each other is checked
 * in sft_read.c and package_builder.c.
 *
 * The layout is this project's own. If the offsets of another one become known, this pair grows a
 * second table.
 */
#ifndef SRC_SFTLAYOUT_H
#define SRC_SFTLAYOUT_H

#include <stdint.h>

#include "src/compiler.h"
#include "src/cursor.h"
#include "src/guid.h"
#include "src/package.h"

/* --- section tags ----------------------------------------------------------------------------- */

#define SFT_TAG_DSFT "DSFT" /* header of a differential SFT, first */
#define SFT_TAG_SMFF "SMFF" /* header of the file, first */
#define SFT_TAG_PROP "PROP" /* block size, codec, names */
#define SFT_TAG_INDX "INDX" /* block table */
#define SFT_TAG_CIDX "CIDX" /* parts SECD and DMAP */
#define SFT_TAG_SECD "SECD" /* part: security descriptors */
#define SFT_TAG_DMAP "DMAP" /* part: directory map */
#define SFT_TAG_HIST "HIST" /* version history */
#define SFT_TAG_DICT "DICT" /* dictionary of the zstd blocks */
#define SFT_TAG_LNCH "LNCH" /* launch runs */

#define SFT_TAG_LEN 4u

/* --- limits ----------------------------------------------------------------------------------- */

#define SFT_METADATA_MAX (UINT64_C(4) << 30) /* of all metadata, and of one decoded section */
#define SFT_SECTIONS_MAX 256u
#define SFT_DECODE_RATIO 64u /* a section may decode to RATIO * stored + SLACK bytes */
#define SFT_DECODE_SLACK 65536u

/* Bytes a section of STORED_LEN bytes may claim to decode to. */
uint64_t sft_decoded_max(uint64_t stored_len);

/* --- a buffer that structures are put into ---------------------------------------------------- */

/* Grows as needed. FAILED stays set after an allocation failed; check it once, at the end. */
struct sft_buf {
    uint8_t *data; /* free() it */
    size_t len, cap;
    bool failed;
};

void sft_put_bytes(struct sft_buf *b, const void *data, size_t len);
void sft_put_le(struct sft_buf *b, uint64_t value, unsigned bytes);

/* --- common section header -------------------------------------------------------------------- */

#define SFT_SECTION_SIZE     64u
#define SFT_SECTION_HASH_AT  32u /* SHA-256 of the stored payload */
#define SFT_SECTION_CRITICAL 1u  /* a reader that does not know the tag must refuse the file */

struct sft_section {
    char tag[SFT_TAG_LEN + 1]; /* NUL-terminated here */
    uint32_t flags;
    uint64_t stored_len;
    uint64_t decoded_len;
    uint8_t codec;
    uint8_t sha256[32];
};

/* False when fewer bytes are left. */
bool sft_read_section(struct cursor *c, struct sft_section *out) must_check;
void sft_put_section(struct sft_buf *b, const struct sft_section *s);

/* Whether the four bytes can be a section's tag: upper-case ASCII letters and digits. */
bool sft_is_tag(const uint8_t *tag);

/* --- SMFF: the header of the file ------------------------------------------------------------- */

#define SFT_MARK_LEN     16u
#define SFT_MARK         "sftfs layout 1\r\n"
#define SFT_MARK_FAMILY  "sftfs layout " /* common to all layouts of this project */
#define SFT_SMFF_SIZE    128u
#define SFT_SMFF_ROOT_AT 96u /* in the payload */
#define SFT_FIXED_SIZE   (SFT_SECTION_SIZE + SFT_SMFF_SIZE)

struct sft_smff {
    uint64_t metadata_bytes;
    uint64_t container_bytes;
    struct guid package_guid;
    struct guid version_guid;
    uint32_t version_number;
    uint32_t section_count; /* SMFF included */
    uint32_t features;      /* none defined: a reader refuses any bit */
    uint8_t root_hash[32];
};

enum sft_mark {
    SFT_MARK_OURS,
    SFT_MARK_NEWER, /* of this project, another layout number */
    SFT_MARK_FOREIGN,
};

/* What the SFT_MARK_LEN bytes at MARK say. */
enum sft_mark sft_check_mark(const uint8_t *mark);

/* The payload, mark included (not judged). False when fewer bytes are left. */
bool sft_read_smff(struct cursor *c, struct sft_smff *out) must_check;
void sft_put_smff(struct sft_buf *b, const struct sft_smff *s);

/* --- DSFT: the header of a differential SFT --------------------------------------------------- */

#define SFT_DSFT_MARK        "sftfs differ 1\r\n" /* of SFT_MARK_LEN bytes, where SMFF has its own */
#define SFT_DSFT_MARK_FAMILY "sftfs differ "
#define SFT_DSFT_SIZE        160u
#define SFT_DSFT_FIXED_SIZE  (SFT_SECTION_SIZE + SFT_DSFT_SIZE)

struct sft_dsft {
    uint64_t file_bytes;     /* of the differential SFT */
    uint64_t metadata_bytes; /* of the new version, as in its SFT; they follow this header */
    uint64_t target_bytes;   /* length of the new version's SFT */
    struct guid package_guid;
    struct guid base_guid;   /* of the version that must be there already */
    struct guid target_guid; /* of the new version */
    uint32_t base_number;
    uint32_t target_number;
    uint32_t first_block; /* blocks [first_block, first_block + block_count) follow the metadata */
    uint32_t block_count;
    uint32_t features;     /* none defined: a reader refuses any bit */
    uint8_t root_hash[32]; /* of the new version */
};

enum sft_mark sft_check_dsft_mark(const uint8_t *mark);

/* As sft_read_smff() and sft_put_smff(). */
bool sft_read_dsft(struct cursor *c, struct sft_dsft *out) must_check;
void sft_put_dsft(struct sft_buf *b, const struct sft_dsft *d);

/* --- PROP ------------------------------------------------------------------------------------- */

#define SFT_PROP_CASE_SENSITIVE 1u

/* Whether SIZE is one of the four. */
bool sft_is_block_size(uint32_t size);

struct sft_prop {
    uint32_t block_size;
    uint8_t codec;
    uint16_t flags;
    int64_t created;
    const char *name; /* borrowed from the input, not terminated */
    uint16_t name_len;
    const char *root_name;
    uint16_t root_name_len;
};

bool sft_read_prop(struct cursor *c, struct sft_prop *out) must_check;
void sft_put_prop(struct sft_buf *b, const struct sft_prop *p);

/* --- tables of equal entries: INDX, HIST, LNCH ------------------------------------------------ */

#define SFT_TABLE_HEAD_SIZE 8u
#define SFT_VERSION_SIZE    32u
#define SFT_RUN_SIZE        8u

/* The count that begins each of the tables. */
bool sft_read_table_head(struct cursor *c, uint32_t *count) must_check;
void sft_put_table_head(struct sft_buf *b, uint32_t count);

bool sft_read_version(struct cursor *c, struct package_version *out) must_check;
void sft_put_version(struct sft_buf *b, const struct package_version *v);

bool sft_read_run(struct cursor *c, struct block_run *out) must_check;
void sft_put_run(struct sft_buf *b, const struct block_run *r);

/* --- columns ---------------------------------------------------------------------------------- */

/* INDX: one entry a block. */
enum sft_indx_column {
    SFT_INDX_STORED_LEN,
    SFT_INDX_LEN,
    SFT_INDX_CODEC,
    SFT_INDX_HASH,
    SFT_INDX_COLUMNS
};

/* DMAP: what each column has an entry for is in sft_dmap_columns[]. */
enum sft_dmap_column {
    SFT_DMAP_FLAGS,
    SFT_DMAP_NAME_LEN,
    SFT_DMAP_SHORT_LEN,
    SFT_DMAP_MODIFIED,
    SFT_DMAP_CREATED,
    SFT_DMAP_SD,
    SFT_DMAP_CHILD_COUNT,
    SFT_DMAP_SIZE,
    SFT_DMAP_EXTENT_COUNT,
    SFT_DMAP_EXTENT_BLOCK,
    SFT_DMAP_EXTENT_FROM,
    SFT_DMAP_EXTENT_LENGTH,
    SFT_DMAP_NAMES,
    SFT_DMAP_SHORT_NAMES,
    SFT_DMAP_FILE_IDS,
    SFT_DMAP_COLUMNS
};

enum sft_dmap_per {
    SFT_PER_NODE,
    SFT_PER_DIR,
    SFT_PER_FILE,
    SFT_PER_EXTENT,
    SFT_PER_NAME_BYTE,
    SFT_PER_SHORT_BYTE,
    SFT_PER_FILE_ID,
    SFT_PER_COUNT
};

struct sft_column {
    const char *name;
    unsigned width; /* bytes of one entry */
    enum sft_dmap_per per;
};

extern const struct sft_column sft_indx_columns[SFT_INDX_COLUMNS];
extern const struct sft_column sft_dmap_columns[SFT_DMAP_COLUMNS];

/* Points COLUMNS[i] at each column of COUNT blocks behind the head. False when C does not hold
 * exactly these columns. */
bool sft_open_indx(struct cursor *c, uint32_t count,
                   struct cursor columns[SFT_INDX_COLUMNS]) must_check;

#define SFT_DMAP_HEAD_SIZE 32u

struct sft_dmap_head {
    uint32_t nodes, dirs, extents, file_ids; /* files = nodes - dirs */
    uint64_t name_bytes, short_bytes;
};

bool sft_read_dmap_head(struct cursor *c, struct sft_dmap_head *out) must_check;
void sft_put_dmap_head(struct sft_buf *b, const struct sft_dmap_head *h);

/* As sft_open_indx(); also false when there are more directories than nodes. */
bool sft_open_dmap(struct cursor *c, const struct sft_dmap_head *h,
                   struct cursor columns[SFT_DMAP_COLUMNS]) must_check;

/* --- parts of CIDX ---------------------------------------------------------------------------- */

#define SFT_PART_HEAD_SIZE 16u

struct sft_part {
    char tag[SFT_TAG_LEN + 1];
    uint32_t flags; /* as of a section */
    uint64_t len;
};

bool sft_read_part(struct cursor *c, struct sft_part *out) must_check;
void sft_put_part(struct sft_buf *b, const struct sft_part *p);

/* --- the place an extent is stored relative to ------------------------------------------------ */

/*
 * Where the next extent is expected: behind the previous one, or at the start of the next block if
 * that one is full. Extents are stored as differences (modulo 2^32) to this.
 */
struct sft_place {
    uint32_t block, from;
};

/* Moves AT behind the extent X. BLOCK_LEN is the decoded length of the block X ends in. */
void sft_place_after(struct sft_place *at, const struct extent *x, uint32_t block_size,
                     const uint32_t *block_lens, uint32_t block_count);

#endif
