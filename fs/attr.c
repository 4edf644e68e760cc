/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Attributes of package nodes as stat(2) shows them. See attr.h. */
#include "config.h"

#include "fs/attr.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
    FS_BLOCK = 4096,  /* Wine takes a file system of 2048 byte blocks for a CD-ROM */
    STAT_BLOCK = 512, /* unit of st_blocks, whatever st_blksize says */
};

void attr_rules_init(struct attr_rules *rules, const struct package *package, uid_t uid, gid_t gid,
                     mode_t umask)
{
    *rules = (struct attr_rules){
        .package = package,
        .info = package_info(package),
        .uid = uid,
        .gid = gid,
        .dir_mode = S_IFDIR | (0777 & ~umask),
        .file_mode = S_IFREG | (0666 & ~umask),
        .program_mode = S_IFREG | (0777 & ~umask),
    };
}

/* What Windows would run; so that binfmt_misc and a shell can start it from the mount. */
static bool is_program(const char *name, size_t len)
{
    static const char suffixes[][5] = { ".exe", ".dll", ".com", ".bat", ".cmd" };

    if (len < 5)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++)
        if (!strcasecmp(name + len - 4, suffixes[i]))
            return true;
    return false;
}

void attr_fill(const struct attr_rules *rules, uint32_t index, struct stat *st)
{
    const struct node *n = package_node(rules->package, index);

    *st = (struct stat){
        .st_ino = (ino_t)index + 1,
        .st_nlink = 1,
        .st_uid = rules->uid,
        .st_gid = rules->gid,
        .st_blksize = rules->info->block_size,
    };
    /* Not said, as of all directories in a ZIP archive: FILETIME's zero is the year 1601, which tar complains
     * of and most file systems cannot store. */
    if (n->modified)
        st->st_mtim = filetime_to_timespec(n->modified);
    st->st_atim = st->st_ctim = st->st_mtim;
    if (n->flags & NODE_DIR) {
        st->st_mode = rules->dir_mode;
        st->st_size = FS_BLOCK;
    } else {
        st->st_mode = is_program(package_name(rules->package, index), n->name_len) ? rules->program_mode
                                                                                : rules->file_mode;
        st->st_size = (off_t)n->size;
    }
    if (n->flags & NODE_READONLY)
        st->st_mode &= ~(mode_t)0222;
    st->st_blocks = (blkcnt_t)((uint64_t)st->st_size / STAT_BLOCK + !!(st->st_size % STAT_BLOCK));
}

int attr_dos(const struct package *package, uint32_t index, char text[ATTR_DOS_MAX])
{
    const struct node *n = package_node(package, index);
    unsigned value = (n->flags & NODE_HIDDEN ? 2u : 0) | (n->flags & NODE_SYSTEM ? 4u : 0);

    return value ? snprintf(text, ATTR_DOS_MAX, "0x%x", value) : -ENODATA;
}

void attr_statfs(const struct attr_rules *rules, struct statvfs *st)
{
    *st = (struct statvfs){
        .f_bsize = FS_BLOCK,
        .f_frsize = FS_BLOCK,
        .f_blocks = rules->info->file_bytes / FS_BLOCK + !!(rules->info->file_bytes % FS_BLOCK),
        .f_files = rules->info->node_count,
        .f_namemax = NAME_MAX_BYTES,
        .f_flag = ST_RDONLY | ST_NODEV | ST_NOSUID,
    };
}
