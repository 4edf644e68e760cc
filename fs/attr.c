/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Attributes of package nodes as stat(2) shows them. See attr.h. */
#include "config.h"

#include "fs/attr.h"

#include <strings.h>

enum {
    FS_BLOCK = 4096,  /* Wine takes a file system of 2048 byte blocks for a CD-ROM */
    STAT_BLOCK = 512, /* unit of st_blocks, whatever st_blksize says */
};

void attr_init(struct vfs *v)
{
    mode_t mask = v->options->umask;
    v->dir_mode = S_IFDIR | (0777 & ~mask);
    v->file_mode = S_IFREG | (0666 & ~mask);
    v->program_mode = S_IFREG | (0777 & ~mask);
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

void attr_fill(const struct vfs *v, uint32_t index, struct stat *st)
{
    const struct node *n = package_node(v->package, index);

    *st = (struct stat){
        .st_ino = vfs_ino(index),
        .st_nlink = 1,
        .st_uid = v->options->uid,
        .st_gid = v->options->gid,
        .st_blksize = v->info->block_size,
        .st_mtim = filetime_to_timespec(n->modified),
    };
    st->st_atim = st->st_ctim = st->st_mtim;
    if (n->flags & NODE_DIR) {
        st->st_mode = v->dir_mode;
        st->st_size = FS_BLOCK;
    } else {
        st->st_mode = is_program(package_name(v->package, index), n->name_len) ? v->program_mode
                                                                                : v->file_mode;
        st->st_size = (off_t)n->size;
    }
    if (n->flags & NODE_READONLY)
        st->st_mode &= ~(mode_t)0222;
    st->st_blocks = (blkcnt_t)((uint64_t)st->st_size / STAT_BLOCK + !!(st->st_size % STAT_BLOCK));
}

void attr_statfs(const struct vfs *v, struct statvfs *st)
{
    *st = (struct statvfs){
        .f_bsize = FS_BLOCK,
        .f_frsize = FS_BLOCK,
        .f_blocks = v->info->file_bytes / FS_BLOCK + !!(v->info->file_bytes % FS_BLOCK),
        .f_files = v->info->node_count,
        .f_namemax = NAME_MAX_BYTES,
        .f_flag = ST_RDONLY | ST_NODEV | ST_NOSUID,
    };
}

void attr_entry(const struct vfs *v, uint32_t index, struct fuse_entry_param *entry)
{
    *entry = (struct fuse_entry_param){
        .ino = vfs_ino(index),
        .generation = 1, /* node ids are never used again for something else */
        .attr_timeout = FOREVER_S,
        .entry_timeout = FOREVER_S,
    };
    attr_fill(v, index, &entry->attr);
}
