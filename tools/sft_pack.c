/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `sft pack`: makes a package from a directory tree. The steps: walk, settle the launch set, find
 * equal contents (among each other and in the old version), plan the blocks, encode and write them,
 * put the metadata in front.
 *
 * SIGINT, SIGTERM and SIGHUP are looked for between the steps of the work, so that an interrupted
 * run leaves nothing behind.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/evp.h>

#include "tools/interrupt.h"
#include "tools/json.h"
#include "tools/pack_blocks.h"
#include "tools/pack_content.h"
#include "tools/pack_dictionary.h"
#include "tools/pack_documents.h"
#include "tools/pack_image.h"
#include "tools/pack_launch.h"
#include "tools/pack_old.h"
#include "tools/pack_options.h"
#include "tools/pack_output.h"
#include "tools/report.h"
#include "tools/sft.h"
#include "tools/text.h"

#define HASH_BUFFER (256u * 1024u)

struct pack {
    struct pack_options o;
    struct report report;
    struct progress progress;
    struct interrupt interrupt;
    struct pack_tree tree;
    struct pack_old *old;
    struct pack_documents *documents;
    struct pack_output *output;
    struct pack_content *contents; /* files of the old version, then those of the tree */
    uint32_t old_files;            /* how many of contents are of the old version */
    struct pack_launch launch;
    uint32_t *old_file;            /* for each file the old node with its content, or NODE_NONE */
    struct pack_plan plan;
    uint8_t *trained;              /* owned; NULL if the dictionary is the old version's */
    const uint8_t *dictionary;     /* NULL for none */
    size_t dictionary_len;
    struct block *blocks;
    uint32_t block_count, kept_blocks;
    uint32_t duplicate_files;
    uint64_t duplicate_bytes, kept_bytes;
    double started;
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int check_stop(struct pack *p, struct err *e)
{
    return interrupt_check(&p->interrupt, e);
}

static int tick_hashing(void *arg, size_t done, struct err *e)
{
    struct pack *p = arg;
    progress_update(&p->progress, done);
    return check_stop(p, e);
}

static int tick_blocks(void *arg, uint64_t done, struct err *e)
{
    struct pack *p = arg;
    progress_update(&p->progress, p->kept_bytes + done);
    return check_stop(p, e);
}

static int tick_copy(void *arg, struct err *e)
{
    struct pack *p = arg;
    return check_stop(p, e);
}

static int write_block(void *arg, const uint8_t *stored, size_t len, struct err *e)
{
    struct pack *p = arg;
    return pack_output_append(p->output, stored, len, e);
}

static void warn(void *arg, const char *text)
{
    const struct pack *p = arg;
    if (!p->o.quiet)
        report_note(&p->report, "%s", text);
}

static int hash_open_file(int fd, uint64_t size, uint8_t out[32], struct err *e)
{
    auto_free uint8_t *buffer = malloc(HASH_BUFFER);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    int rc = buffer && md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 ? 0 : err_nomem(e);
    for (uint64_t done = 0; !rc && done < size;) {
        ssize_t n = read(fd, buffer, (size_t)min_u64(HASH_BUFFER, size - done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            rc = n < 0 ? err_sys(e, "cannot read") : 0;
            break; /* shorter than it was: the caller notices */
        }
        if (EVP_DigestUpdate(md, buffer, (size_t)n) != 1)
            rc = err_nomem(e);
        done += (uint64_t)n;
    }
    if (!rc && EVP_DigestFinal_ex(md, out, NULL) != 1)
        rc = err_nomem(e);
    EVP_MD_CTX_free(md);
    return rc;
}

static int hash_one(void *arg, struct codec_context *ctx, size_t index, struct err *e)
{
    struct pack *p = arg;
    struct pack_content *c = &p->contents[index];
    if (!c->hash_it)
        return 0;
    if (index < p->old_files) {
        int rc = pack_old_hash(p->old, (uint32_t)index, ctx, c->sha256, e);
        if (rc)
            err_wrap(e, "%s", p->o.upgrade);
        return rc;
    }
    uint32_t entry = p->tree.files[index - p->old_files];
    auto_close int fd = pack_tree_open(&p->tree, entry, e);
    if (fd < 0)
        return fd;
    int rc = hash_open_file(fd, c->size, c->sha256, e);
    if (!rc)
        return pack_tree_unchanged(&p->tree, entry, fd, e);
    auto_free char *path = pack_tree_path(&p->tree, entry);
    err_wrap(e, "%s", path ? path : "a file");
    return rc;
}

static int open_old(struct pack *p, struct err *e)
{
    if (!p->o.upgrade)
        return 0;
    int rc = pack_old_open(p->o.upgrade, &p->old, e);
    if (rc)
        return rc;
    const struct package_info *info = package_info(p->old->package);
    if (p->o.block_size && p->o.block_size != info->block_size)
        return err_set(e, ERR_INVALID, "an upgrade keeps the block size, which is %u KiB",
                       info->block_size / 1024);
    p->o.block_size = info->block_size;
    p->o.case_sensitive |= info->case_sensitive;
    p->old_files = p->old->file_count;
    return 0;
}

/* The launch set: as the list says, or as it was in the old version. */
static int choose_launch(struct pack *p, struct err *e)
{
    size_t unknown = 0;
    int rc = pack_launch_init(&p->launch, p->tree.file_count, e);
    if (!rc && p->o.launch_list)
        rc = pack_launch_read(p->o.launch_list, &p->tree, &p->launch, &unknown, e);
    else if (!rc && p->old)
        rc = pack_old_launch(p->old, &p->tree, &p->launch, e);
    if (!rc && unknown && !p->o.quiet)
        report_note(&p->report, "%s: %zu uses are of files that are not packed", p->o.launch_list,
                    unknown);
    return rc;
}

static int walk(struct pack *p, struct err *e)
{
    const struct pack_options *o = &p->o;
    const struct pack_walk w = {
        .root_name = o->root_name,
        .exclude = o->exclude,
        .exclude_count = o->exclude_count,
        .output = o->output,
        .flags = o->flags,
        .flag_count = o->flag_count,
        .case_sensitive = o->case_sensitive,
        .strict = o->strict,
        .short_names = !o->no_short_names,
        .warn = warn,
        .arg = p,
    };
    int rc = pack_tree_walk(o->dir, &w, &p->tree, e);
    if (rc)
        return rc;
    return choose_launch(p, e);
}

/* An upgrade of what was packed with --root-name is wrong without it, but cannot be told from a
 * package whose author wanted another layout. */
static void warn_about_root(struct pack *p)
{
    const char *before = p->old ? package_info(p->old->package)->root_name : "";
    char text[2 * NAME_MAX_BYTES];
    uint32_t entry = *before ? pack_tree_find(&p->tree, before) : PACK_NO_RANK;
    if (!*before || (entry != PACK_NO_RANK && p->tree.entries[entry].parent == NODE_ROOT))
        return;
    (void)snprintf(text, sizeof text,
                   "the old version has its content below '%s'; --root-name='%s' keeps that",
                   before, before);
    warn(p, text);
}

static int compare_contents(struct pack *p, struct err *e)
{
    if (p->old_files > UINT32_MAX - p->tree.file_count)
        return err_set(e, ERR_LIMIT, "too many files");
    uint32_t count = p->old_files + p->tree.file_count;
    p->contents = calloc(count + (size_t)1, sizeof *p->contents);
    if (!p->contents)
        return err_nomem(e);
    for (uint32_t i = 0; i < count; i++)
        p->contents[i].size = i < p->old_files
            ? package_node(p->old->package, p->old->files[i])->size
            : p->tree.entries[p->tree.files[i - p->old_files]].size;
    long candidates = pack_content_find_candidates(p->contents, count, e);
    if (candidates < 0)
        return (int)candidates;
    int rc = candidates == 0 ? 0 : parallel_for(p->o.jobs, count, hash_one, tick_hashing, p, e);
    return rc ? rc : pack_content_match(p->contents, count, e);
}

/* From equal contents to what the planner is given. */
static int plan(struct pack *p, struct err *e)
{
    uint32_t count = p->tree.file_count, base = p->old_files;
    auto_free struct pack_file *files = calloc(count + (size_t)1, sizeof *files);
    p->old_file = malloc((count + (size_t)1) * sizeof *p->old_file);
    if (!files || !p->old_file)
        return err_nomem(e);
    for (uint32_t i = 0; i < count; i++) {
        const struct pack_entry *x = &p->tree.entries[p->tree.files[i]];
        uint32_t same = p->contents[base + i].same_as;
        bool is_old = same < base;
        p->old_file[i] = is_old ? p->old->files[same] : NODE_NONE;
        files[i] = (struct pack_file){
            .name = x->name,
            .size = x->size,
            .dir = p->tree.entries[x->parent].dir_rank,
            .launch = p->launch.files[i].rank,
            .ranges = p->launch.files[i].ranges,
            .range_count = p->launch.files[i].range_count,
            .same_as = is_old ? i : same - base,
            .placed = is_old,
        };
        if (is_old) {
            p->kept_bytes += x->size;
        } else if (same - base != i) {
            p->duplicate_files++;
            p->duplicate_bytes += x->size;
        }
    }
    int rc = p->old ? pack_old_keep(p->old, p->old_file, count, e) : 0;
    if (!rc)
        rc = pack_plan_make(files, count, p->o.block_size, &p->plan, e);
    if (rc)
        return rc;
    p->kept_blocks = p->old ? p->old->kept_blocks : 0;
    if (p->kept_blocks > UINT32_MAX - 1 - p->plan.block_count)
        return err_set(e, ERR_LIMIT, "too many blocks");
    p->block_count = p->kept_blocks + p->plan.block_count;
    p->blocks = calloc(p->block_count + (size_t)1, sizeof *p->blocks);
    return p->blocks ? 0 : err_nomem(e);
}

/* Kept blocks need the dictionary they were encoded with, or the lack of one. */
static int choose_dictionary(struct pack *p, struct err *e)
{
    if (p->old) {
        p->dictionary = package_dictionary(p->old->package, &p->dictionary_len);
        return 0;
    }
    if (p->o.codec != CODEC_ZSTD || p->o.no_dictionary)
        return 0;
    int rc = pack_dictionary_make(&p->tree, &p->plan, tick_copy, p, &p->trained,
                                  &p->dictionary_len, e);
    p->dictionary = p->trained;
    return rc;
}

static int write_blocks(struct pack *p, struct err *e)
{
    struct codec_dictionary *dictionary = NULL;
    int rc = p->old ? pack_old_copy(p->old, p->blocks, write_block, p, e) : 0;
    if (!rc)
        rc = choose_dictionary(p, e);
    if (!rc && p->dictionary && p->o.codec == CODEC_ZSTD)
        rc = codec_dictionary_new(p->dictionary, p->dictionary_len, p->o.level, &dictionary, e);
    if (rc)
        return rc;
    const struct pack_encode job = {
        .tree = &p->tree,
        .plan = &p->plan,
        .block_size = p->o.block_size,
        .codec = p->o.codec,
        .level = p->o.level,
        .dictionary = dictionary,
        .jobs = p->o.jobs,
        .write = write_block,
        .tick = tick_blocks,
        .arg = p,
    };
    rc = pack_encode_blocks(&job, pack_output_length(p->output), p->blocks + p->kept_blocks, e);
    codec_dictionary_free(dictionary);
    return rc;
}

static void print_json(const struct pack *p, const struct sft_image *im, uint64_t bytes,
                       uint64_t metadata)
{
    struct json j = json_begin(stdout);
    json_object(&j, NULL);
    json_string(&j, "output", p->o.output);
    json_string(&j, "name", im->name);
    json_guid(&j, "package_guid", &im->package_guid);
    json_guid(&j, "version_guid", &im->version_guid);
    json_uint(&j, "version_number", im->version_number);
    json_uint(&j, "files", p->tree.file_count);
    json_uint(&j, "directories", p->tree.dir_count);
    json_uint(&j, "skipped", p->tree.skipped);
    json_uint(&j, "file_bytes", p->tree.file_bytes);
    json_uint(&j, "duplicate_files", p->duplicate_files);
    json_uint(&j, "duplicate_bytes", p->duplicate_bytes);
    json_uint(&j, "block_size", im->block_size);
    json_uint(&j, "blocks", im->block_count);
    json_uint(&j, "kept_blocks", p->kept_blocks);
    json_uint(&j, "metadata_bytes", metadata);
    json_uint(&j, "bytes", bytes);
    json_array(&j, "documents");
    for (size_t i = 0; i < pack_documents_count(p->documents); i++)
        json_string(&j, NULL, pack_documents_path(p->documents, i));
    json_close_array(&j);
    json_close_object(&j);
    json_end(&j); /* report_finish() looks at the stream */
}

static void print_summary(const struct pack *p, const struct sft_image *im, uint64_t bytes)
{
    char from[TEXT_SIZE_SIZE], to[TEXT_SIZE_SIZE], guid[GUID_TEXT_SIZE];
    text_size(p->tree.file_bytes, from);
    text_size(bytes, to);
    guid_format(&im->package_guid, guid);
    double seconds = now() - p->started;
    (void)printf("%s: %u files, %s -> %s", p->o.output, p->tree.file_count, from, to);
    if (p->tree.file_bytes)
        (void)printf(" (%.1f %%)", (double)bytes * 100 / (double)p->tree.file_bytes);
    (void)printf(", %.1f s\npackage %s version %u\n", seconds, guid, im->version_number);
    if (p->kept_blocks)
        (void)printf("%u of %u blocks kept from the old version\n", p->kept_blocks,
                     im->block_count);
    if (p->tree.skipped)
        (void)printf("%u links and special files skipped\n", p->tree.skipped);
    for (size_t i = 0; i < pack_documents_count(p->documents); i++)
        (void)printf("%s\n", pack_documents_path(p->documents, i));
}

static int finish(struct pack *p, struct err *e)
{
    const struct pack_image_input input = {
        .options = &p->o,
        .tree = &p->tree,
        .plan = &p->plan,
        .launch = p->launch.files,
        .old = p->old,
        .old_file = p->old ? p->old_file : NULL,
        .blocks = p->blocks,
        .block_count = p->block_count,
        .kept_blocks = p->kept_blocks,
        .dictionary = p->dictionary,
        .dictionary_len = p->dictionary_len,
    };
    struct pack_image image;
    int rc = pack_image_make(&input, &image, e);
    if (rc)
        return rc;
    uint64_t bytes = image.metadata_len + pack_output_length(p->output);
    rc = pack_output_finish(p->output, image.metadata, image.metadata_len, tick_copy, p, e);
    progress_clear(&p->progress);
    if (!rc)
        rc = pack_documents_write(p->documents, &image.image, bytes, e);
    if (!rc && p->o.json)
        print_json(p, &image.image, bytes, image.metadata_len);
    else if (!rc && !p->o.quiet)
        print_summary(p, &image.image, bytes);
    pack_image_clear(&image);
    return rc;
}

static int set_defaults(struct pack *p, struct err *e)
{
    if (!p->o.block_size)
        p->o.block_size = BLOCK_SIZE_MAX;
    if (!p->o.jobs) {
        long n = sysconf(_SC_NPROCESSORS_ONLN);
        p->o.jobs = n > 0 ? (unsigned)n : 1;
    }
    if (p->o.jobs > 256)
        p->o.jobs = 256;
    if (p->o.has_guid || p->old)
        return 0;
    if (getentropy(p->o.guid.b, sizeof p->o.guid.b) != 0)
        return err_sys(e, "no random GUID");
    p->o.guid.b[6] = (uint8_t)((p->o.guid.b[6] & 0x0F) | 0x40); /* RFC 9562: version 4, variant */
    p->o.guid.b[8] = (uint8_t)((p->o.guid.b[8] & 0x3F) | 0x80);
    return 0;
}

static int pack(struct pack *p, struct err *e)
{
    enum progress_mode mode = p->o.quiet && p->o.progress == PROGRESS_AUTO ? PROGRESS_NEVER
                                                                          : p->o.progress;
    int rc = open_old(p, e);
    if (!rc)
        rc = set_defaults(p, e);
    if (!rc)
        rc = pack_output_new(p->o.output, p->o.force, &p->output, e);
    if (!rc)
        rc = walk(p, e);
    if (!rc)
        warn_about_root(p);
    if (!rc)
        rc = pack_documents_new(&p->o, &p->tree, &p->documents, e);
    if (!rc)
        rc = compare_contents(p, e);
    if (!rc)
        rc = plan(p, e);
    if (rc)
        return rc;
    p->progress = progress_begin("packed", p->kept_bytes + p->plan.unique_bytes, mode);
    rc = write_blocks(p, e);
    return rc ? rc : finish(p, e);
}

static void clear(struct pack *p)
{
    progress_clear(&p->progress);
    pack_output_free(p->output);
    pack_documents_free(p->documents);
    pack_plan_clear(&p->plan);
    pack_tree_clear(&p->tree);
    pack_old_free(p->old);
    free(p->contents);
    pack_launch_clear(&p->launch);
    free(p->old_file);
    free(p->blocks);
    free(p->trained);
    pack_options_clear(&p->o);
}

static int run(int argc, char **argv)
{
    struct pack p = { .tree = { .fd = -1 }, .started = now() };
    int status;
    if (!pack_options_parse(argc, argv, &p.o, &status))
        return status;
    p.report = (struct report){ .program = "sft", .json = p.o.json };
    interrupt_begin(&p.interrupt);
    struct err e = { 0 };
    int rc = pack(&p, &e);
    progress_clear(&p.progress); /* the line must be gone before a message */
    enum exitcode code = rc ? report_error(&p.report, NULL, &e) : EXITCODE_OK;
    code = report_finish(&p.report, code);
    clear(&p);
    interrupt_end(&p.interrupt);
    return (int)code;
}

const struct sft_subcommand sft_pack = { &pack_command, run };
