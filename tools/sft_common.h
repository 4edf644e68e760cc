/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the reading subcommands of sft share: options, opening SOURCE, finding a path inside it,
 * streaming a file. Single-threaded; the engine's threads stay behind its interface.
 */
#ifndef TOOLS_SFT_COMMON_H
#define TOOLS_SFT_COMMON_H

#include <stdatomic.h>

#include "fetch/engine.h"
#include "fetch/source.h"
#include "src/dsft.h"
#include "src/package.h"
#include "tools/cli.h"
#include "tools/connection.h"
#include "tools/progress.h"
#include "tools/report.h"

enum { SFT_OPT_JSON = CLI_ID_CONNECTION - 16, SFT_OPT_QUIET };

#define SFT_JSON_OPTION { "json", 0, NULL, "Print JSON, errors too.", SFT_OPT_JSON }
#define SFT_QUIET_OPTION { "quiet", 'q', NULL, "No progress display.", SFT_OPT_QUIET }

struct sft_input {
    struct report report;
    bool quiet;
    const char *location;
    struct source_options connection;
    struct source *source;   /* owned */
    struct package *package; /* owned */
    struct engine *engine;   /* owned; NULL before sft_start_engine() */
    bool differential;       /* SOURCE is a differential SFT: PACKAGE is what it leads to ... */
    struct sft_dsft dsft;    /* ... and this its header */
};

#define SFT_INPUT_INIT { .report = { .program = "sft" } }

/* Takes an option that every subcommand has. 0, or the exit code after a message. */
int sft_common_option(struct sft_input *in, struct cli *cli, int id) must_check;

/* Opens LOCATION (borrowed). EXITCODE_OK, or another code after a message. */
enum exitcode sft_open(struct sft_input *in, const char *location) must_check;

/* The same, and a differential SFT will do too. */
enum exitcode sft_open_either(struct sft_input *in, const char *location) must_check;
enum progress_mode sft_progress(const struct sft_input *in);
enum exitcode sft_start_engine(struct sft_input *in) must_check;
void sft_close(struct sft_input *in);

/* Finds PATH ("" or NULL: the root). EXITCODE_OK, or EXITCODE_NOT_FOUND after a message. */
enum exitcode sft_find(const struct sft_input *in, const char *path, uint32_t *node) must_check;

/*
 * Hands the bytes of FILE to SINK in order, which returns 0 or a negative errno (and fills E) to
 * stop. BUF has SFT_STREAM_BYTES. Blocks beyond the buffer are asked for ahead.
 */
#define SFT_STREAM_BYTES (1u << 20)
typedef int (*sft_sink_fn)(void *arg, const void *data, size_t len, struct err *e);
int sft_stream(const struct sft_input *in, uint32_t file, void *buf, sft_sink_fn sink, void *arg,
               struct err *e) must_check;

/* Asks for the blocks of bytes [off, off + len) of FILE ahead of need. */
void sft_prefetch(const struct sft_input *in, uint32_t file, uint64_t off, uint64_t len);

/*
 * The node after NODE in depth-first order below TOP, or NODE_NONE; *depth goes along. INTO false
 * leaves out what is below NODE. Needs no stack, whatever the depth of the tree.
 */
uint32_t sft_next_node(const struct package *p, uint32_t top, uint32_t node, bool into,
                       unsigned *depth);

static inline bool sft_is_dir(const struct node *n)
{
    return n->flags & NODE_DIR;
}

#endif
