/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The SFT writer of `sft pack` and `sft convert`. See pack_sft.h. */
#include "config.h"

#include "tools/pack_sft.h"

#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

#include "tools/pack_blocks.h"
#include "tools/pack_content.h"
#include "tools/pack_dictionary.h"
#include "tools/pack_documents.h"
#include "tools/pack_image.h"
#include "tools/pack_old.h"
#include "tools/pack_reader.h"

#define HASH_BUFFER (256u * 1024u)

struct pack_sft {
    struct pack_job *job;
    struct pack_options *o;  /* the job's */
    struct pack_tree *tree;  /* the job's */
    struct pack_old *old;
    struct pack_documents *documents;
    struct pack_content *contents; /* files of the old version, then those of the tree */
    uint32_t old_files;            /* how many of contents are of the old version */
    uint32_t *old_file;            /* for each file the old node with its content, or NODE_NONE */
    struct pack_plan plan;
    uint8_t *trained;              /* owned; NULL if the dictionary is the old version's */
    const uint8_t *dictionary;     /* NULL for none */
    size_t dictionary_len;
    struct block *blocks;
    uint32_t block_count, kept_blocks;
    uint32_t duplicate_files;
    uint64_t duplicate_bytes, kept_bytes;
};

static int tick_hashing(void *arg, size_t done, struct err *e)
{
    const struct pack_sft *p = arg;
    return pack_job_tick(p->job, done, e);
}

static int tick_blocks(void *arg, uint64_t done, struct err *e)
{
    const struct pack_sft *p = arg;
    return pack_job_tick(p->job, p->kept_bytes + done, e);
}

static int write_block(void *arg, const uint8_t *stored, size_t len, struct err *e)
{
    const struct pack_sft *p = arg;
    return pack_output_append(p->job->output, stored, len, e);
}

static int hash_bytes(struct pack_reader *reader, uint32_t entry, EVP_MD_CTX *md, uint8_t *buffer,
                      struct err *e)
{
    uint64_t size = reader->tree->entries[entry].size;
    for (uint64_t done = 0; done < size; done += HASH_BUFFER) {
        size_t n = (size_t)min_u64(HASH_BUFFER, size - done);
        int rc = pack_reader_bytes(reader, entry, done, buffer, n, e);
        if (rc)
            return rc;
        if (EVP_DigestUpdate(md, buffer, n) != 1)
            return err_nomem(e);
    }
    return 0;
}

static int hash_entry(const struct pack_tree *tree, uint32_t entry, uint8_t out[32], struct err *e)
{
    auto_free uint8_t *buffer = malloc(HASH_BUFFER);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    struct pack_reader reader = pack_reader_of(tree);
    int rc = buffer && md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 ? 0 : err_nomem(e);
    if (!rc)
        rc = hash_bytes(&reader, entry, md, buffer, e);
    if (!rc && EVP_DigestFinal_ex(md, out, NULL) != 1)
        rc = err_nomem(e);
    pack_reader_close(&reader);
    EVP_MD_CTX_free(md);
    return rc;
}

static int hash_one(void *arg, struct codec_context *ctx, size_t index, struct err *e)
{
    struct pack_sft *p = arg;
    struct pack_content *c = &p->contents[index];
    if (!c->hash_it)
        return 0;
    if (index < p->old_files) {
        int rc = pack_old_hash(p->old, (uint32_t)index, ctx, c->sha256, e);
        if (rc)
            err_wrap(e, "%s", p->o->upgrade);
        return rc;
    }
    return hash_entry(p->tree, p->tree->files[index - p->old_files], c->sha256, e);
}

/* An upgrade of what was packed with --root-name is wrong without it, but cannot be told from a
 * package whose author wanted another layout. */
static void warn_about_root(struct pack_sft *p)
{
    const char *before = p->old ? package_info(p->old->package)->root_name : "";
    char text[2 * NAME_MAX_BYTES];
    uint32_t entry = *before ? pack_tree_find(p->tree, before) : PACK_NO_RANK;
    if (!*before || (entry != PACK_NO_RANK && p->tree->entries[entry].parent == NODE_ROOT))
        return;
    (void)snprintf(text, sizeof text,
                   "the old version has its content below '%s'; --root-name='%s' keeps that",
                   before, before);
    pack_job_warn(p->job, text);
}

static int compare_contents(struct pack_sft *p, struct err *e)
{
    if (p->old_files > UINT32_MAX - p->tree->file_count)
        return err_set(e, ERR_LIMIT, "too many files");
    uint32_t count = p->old_files + p->tree->file_count;
    p->contents = calloc(count + (size_t)1, sizeof *p->contents);
    if (!p->contents)
        return err_nomem(e);
    for (uint32_t i = 0; i < count; i++)
        p->contents[i].size = i < p->old_files
            ? package_node(p->old->package, p->old->files[i])->size
            : p->tree->entries[p->tree->files[i - p->old_files]].size;
    long candidates = pack_content_find_candidates(p->contents, count, e);
    if (candidates < 0)
        return (int)candidates;
    int rc = candidates == 0 ? 0 : parallel_for(p->o->jobs, count, hash_one, tick_hashing, p, e);
    return rc ? rc : pack_content_match(p->contents, count, e);
}

/* From equal contents to what the planner is given. */
static int plan(struct pack_sft *p, struct err *e)
{
    uint32_t count = p->tree->file_count, base = p->old_files;
    auto_free struct pack_file *files = calloc(count + (size_t)1, sizeof *files);
    p->old_file = malloc((count + (size_t)1) * sizeof *p->old_file);
    if (!files || !p->old_file)
        return err_nomem(e);
    for (uint32_t i = 0; i < count; i++) {
        const struct pack_entry *x = &p->tree->entries[p->tree->files[i]];
        uint32_t same = p->contents[base + i].same_as;
        bool is_old = same < base;
        p->old_file[i] = is_old ? p->old->files[same] : NODE_NONE;
        files[i] = (struct pack_file){
            .name = x->name,
            .size = x->size,
            .dir = p->tree->entries[x->parent].dir_rank,
            .launch = p->job->launch.files[i].rank,
            .ranges = p->job->launch.files[i].ranges,
            .range_count = p->job->launch.files[i].range_count,
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
        rc = pack_plan_make(files, count, p->o->block_size, &p->plan, e);
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
static int choose_dictionary(struct pack_sft *p, struct err *e)
{
    if (p->old) {
        p->dictionary = package_dictionary(p->old->package, &p->dictionary_len);
        return 0;
    }
    if (p->o->codec != CODEC_ZSTD || p->o->no_dictionary)
        return 0;
    int rc = pack_dictionary_make(p->tree, &p->plan, pack_job_tick_copy, p->job, &p->trained,
                                  &p->dictionary_len, e);
    p->dictionary = p->trained;
    return rc;
}

static int write_blocks(struct pack_sft *p, struct err *e)
{
    struct codec_dictionary *dictionary = NULL;
    int rc = p->old ? pack_old_copy(p->old, p->blocks, write_block, p, e) : 0;
    if (!rc)
        rc = choose_dictionary(p, e);
    if (!rc && p->dictionary && p->o->codec == CODEC_ZSTD)
        rc = codec_dictionary_new(p->dictionary, p->dictionary_len, p->o->level, &dictionary, e);
    if (rc)
        return rc;
    const struct pack_encode job = {
        .tree = p->tree,
        .plan = &p->plan,
        .block_size = p->o->block_size,
        .codec = p->o->codec,
        .level = p->o->level,
        .dictionary = dictionary,
        .jobs = p->o->jobs,
        .write = write_block,
        .tick = tick_blocks,
        .arg = p,
    };
    rc = pack_encode_blocks(&job, pack_output_length(p->job->output), p->blocks + p->kept_blocks, e);
    codec_dictionary_free(dictionary);
    return rc;
}

static void print_json(const struct pack_sft *p, const struct sft_image *im, uint64_t bytes,
                       uint64_t metadata)
{
    struct json j = json_begin(stdout);
    json_object(&j, NULL);
    json_string(&j, "output", p->o->output);
    json_string(&j, "format", pack_format_name(PACK_SFT));
    json_string(&j, "name", im->name);
    json_guid(&j, "package_guid", &im->package_guid);
    json_guid(&j, "version_guid", &im->version_guid);
    json_uint(&j, "version_number", im->version_number);
    json_uint(&j, "files", p->tree->file_count);
    json_uint(&j, "directories", p->tree->dir_count);
    json_uint(&j, "skipped", p->tree->skipped);
    json_uint(&j, "file_bytes", p->tree->file_bytes);
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
    pack_job_print_rest(p->job, &j);
    json_close_object(&j);
    json_end(&j); /* report_finish() looks at the stream */
}

static void print_summary(const struct pack_sft *p, const struct sft_image *im, uint64_t bytes)
{
    char guid[GUID_TEXT_SIZE];
    guid_format(&im->package_guid, guid);
    pack_job_print_sizes(p->job, bytes);
    (void)printf("package %s version %u\n", guid, im->version_number);
    if (p->kept_blocks)
        (void)printf("%u of %u blocks kept from the old version\n", p->kept_blocks,
                     im->block_count);
    pack_job_print_rest(p->job, NULL);
    for (size_t i = 0; i < pack_documents_count(p->documents); i++)
        (void)printf("%s\n", pack_documents_path(p->documents, i));
}

static int finish(struct pack_sft *p, struct err *e)
{
    const struct pack_image_input input = {
        .options = p->o,
        .tree = p->tree,
        .plan = &p->plan,
        .launch = p->job->launch.files,
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
    uint64_t bytes = image.metadata_len + pack_output_length(p->job->output);
    rc = pack_output_finish(p->job->output, image.metadata, image.metadata_len, pack_job_tick_copy, p->job, e);
    progress_clear(&p->job->progress);
    if (!rc)
        rc = pack_documents_write(p->documents, &image.image, bytes, e);
    if (!rc && p->o->json)
        print_json(p, &image.image, bytes, image.metadata_len);
    else if (!rc && !p->o->quiet)
        print_summary(p, &image.image, bytes);
    pack_image_clear(&image);
    return rc;
}

static int open_old(struct pack_sft *p, struct err *e)
{
    if (!p->o->upgrade)
        return 0;
    int rc = pack_old_open(p->o->upgrade, &p->old, e);
    if (rc)
        return rc;
    const struct package_info *info = package_info(p->old->package);
    if (p->o->block_size && p->o->block_size != info->block_size)
        return err_set(e, ERR_INVALID, "an upgrade keeps the block size, which is %u KiB",
                       info->block_size / 1024);
    p->o->block_size = info->block_size;
    p->o->case_sensitive |= info->case_sensitive;
    p->old_files = p->old->file_count;
    return 0;
}

int pack_sft_new(struct pack_job *job, struct pack_sft **out, struct err *e)
{
    struct pack_sft *p = calloc(1, sizeof *p);
    if (!p)
        return err_nomem(e);
    *p = (struct pack_sft){ .job = job, .o = &job->o, .tree = &job->tree };
    int rc = open_old(p, e);
    if (!p->o->block_size)
        p->o->block_size = BLOCK_SIZE_MAX;
    if (!rc && !p->o->has_guid && !p->old)
        rc = pack_job_random_guid(&p->o->guid, e);
    if (rc) {
        pack_sft_free(p);
        return rc;
    }
    *out = p;
    return 0;
}

int pack_sft_write(struct pack_sft *p, struct err *e)
{
    int rc = 0;
    if (p->old && !p->o->launch_list)
        rc = pack_launch_inherit(&p->job->launch, p->old->package, p->tree, NULL, e);
    if (rc)
        return rc;
    warn_about_root(p);
    rc = pack_documents_new(p->o, p->tree, &p->documents, e);
    if (!rc)
        rc = compare_contents(p, e);
    if (!rc)
        rc = plan(p, e);
    if (rc)
        return rc;
    pack_job_begin_progress(p->job, p->kept_bytes + p->plan.unique_bytes);
    rc = write_blocks(p, e);
    return rc ? rc : finish(p, e);
}

void pack_sft_free(struct pack_sft *p)
{
    if (!p)
        return;
    pack_documents_free(p->documents);
    pack_plan_clear(&p->plan);
    pack_old_free(p->old);
    free(p->contents);
    free(p->old_file);
    free(p->blocks);
    free(p->trained);
    free(p);
}
