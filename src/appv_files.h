/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Two documents of App-V 5 packages about their files. FilesystemMetadata.xml has what a zip
 * archive cannot hold: the short (8.3) names, directories without files, and where the package was
 * installed. StreamMap.xml says which files, or which blocks of them, are wanted before a program
 * can start. Both may have an entry for each of 70,000 files, so they are read as streams.
 */
#ifndef SRC_APPV_FILES_H
#define SRC_APPV_FILES_H

#include <stdint.h>

#include "src/compiler.h"
#include "src/err.h"

#define APPV_BYTES_MAX  (64u * 1024u * 1024u) /* of either document */
#define APPV_LIST_MAX   (1024u * 1024u)       /* entries, directories, files */
#define APPV_BLOCKS_MAX 1024u                 /* feature blocks */
#define APPV_DEPTH_MAX  60u                   /* directories one in another, of what is written */
#define APPV_NO_ENTRY   UINT32_MAX
#define APPV_UNIT       65536u /* bytes that ranges count in */

/* --- FilesystemMetadata.xml ---------------------------------------------------------------- */

struct appv_entry {
    const char *name;       /* checked as name_check() does */
    const char *short_name; /* "" if the name is an 8.3 name itself; mostly 8.3, but not always */
    uint32_t parent;        /* index of the directory, before this one; APPV_NO_ENTRY at the top */
    bool is_directory;      /* has entries in it; directories without any are in the lists below */
};

struct appv_directory {
    const char *path;       /* '/' between components, each checked */
    const char *short_path; /* "" if not given */
};

struct appv_metadata {
    const char *root; /* "c:\notepadplus": what stood where the package's Root is; as found */
    const char *short_root;
    const struct appv_entry *entries; /* relative to Root; no two in a directory have one name */
    uint32_t entry_count;
    const struct appv_directory *empty_directories;
    uint32_t empty_count;
    const struct appv_directory *opaque_directories; /* hide what the system has at their place */
    uint32_t opaque_count;
    struct name_index *names;
    struct pool *pool;
};

/*
 * Reads a document of LEN bytes; root Metadata. The caller frees *out with appv_metadata_free().
 * Entries of one name in one directory become one, with the short name of the first. Errors name
 * the line: those of xml_stream(); ERR_XML for another kind of document; ERR_CORRUPT, ERR_BAD_NAME.
 */
int appv_metadata_read(const void *data, size_t len, struct appv_metadata **out,
                       struct err *e) must_check;
void appv_metadata_free(struct appv_metadata *m); /* NULL is fine */

/* Index of the entry NAME in the directory PARENT (APPV_NO_ENTRY: the top), compared as Windows
 * does; or APPV_NO_ENTRY. */
uint32_t appv_entry_find(const struct appv_metadata *m, uint32_t parent, const char *name,
                         size_t len);

/* The same for a path below Root, '/' between components. */
uint32_t appv_path_find(const struct appv_metadata *m, const char *path, size_t len);

/* --- StreamMap.xml ------------------------------------------------------------------------- */

struct appv_range { /* COUNT units from unit FIRST of the file; the sum is at most UINT32_MAX */
    uint32_t first, count;
};

struct appv_stream_file {
    const char *path; /* "Root/VFS/…", '/' between components, each checked; not percent-encoded */
    uint32_t first_range, range_count; /* none = all of the file */
};

struct appv_feature_block {
    const char *id; /* "PublishingFeatureBlock", "PrimaryFeatureBlock", … */
    bool load_all;  /* the whole package */
    uint32_t first_file, file_count;
};

struct appv_stream_map {
    const struct appv_feature_block *blocks; /* everything in document order */
    uint32_t block_count;
    const struct appv_stream_file *files;
    uint32_t file_count;
    const struct appv_range *ranges;
    uint32_t range_count;
    struct pool *pool;
};

/* As appv_metadata_read(); root StreamMap. A file may be listed more than once. */
int appv_stream_map_read(const void *data, size_t len, struct appv_stream_map **out,
                         struct err *e) must_check;
void appv_stream_map_free(struct appv_stream_map *m); /* NULL is fine */

/* --- writing, in the order of the lists -------------------------------------------------------- */

/*
 * The document of M, made by hand: entries depth-first, so that what is in a directory follows it, at
 * most APPV_DEPTH_MAX deep. *out is for free(). ERR_LIMIT for what the reader would refuse as too
 * much, ERR_INVALID for names that XML cannot hold.
 */
int appv_metadata_write(const struct appv_metadata *m, char **out, size_t *len, struct err *e)
    must_check;
int appv_stream_map_write(const struct appv_stream_map *m, char **out, size_t *len, struct err *e)
    must_check;

#endif
