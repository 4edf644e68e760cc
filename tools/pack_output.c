/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Without REPLACE the name is made with link(), which never replaces what appeared meanwhile. */
#include "config.h"

#include "tools/pack_output.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "fetch/file_io.h"

#define BUFFER_BYTES (1u << 20)
#define COPY_BYTES   (16u << 20)

struct pack_output {
    char *path;
    char *temp;       /* name pattern, then name, of the temporary file */
    bool replace;
    int blocks_fd;
    uint64_t length;  /* appended */
    uint8_t *buffer;
    size_t buffered;
};

static int write_error(const char *path, struct err *e)
{
    if (errno == ENOSPC || errno == EDQUOT) {
        int rc = -errno;
        (void)err_sys(e, "%s: the disk is full", path);
        return rc;
    }
    return err_sys(e, "%s: cannot write", path);
}

static int write_fully(int fd, const char *path, const uint8_t *data, size_t len, struct err *e)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return write_error(path, e);
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

/* "dir/.name.XXXXXX", made unique by mkostemp(). */
static char *temp_pattern(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    size_t size = strlen(path) + sizeof "/.XXXXXX.";
    char *pattern = malloc(size);
    if (pattern) /* a very long name is cut, so that the longer one still fits */
        (void)snprintf(pattern, size, "%.*s.%.200s.XXXXXX", (int)(name - path), path, name);
    return pattern;
}

static int open_blocks_file(struct pack_output *o, struct err *e)
{
#ifdef O_TMPFILE
    const char *slash = strrchr(o->path, '/');
    auto_free char *dir = slash ? strndup(o->path, (size_t)(slash - o->path) + 1) : strdup(".");
    if (!dir)
        return err_nomem(e);
    o->blocks_fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (o->blocks_fd >= 0)
        return 0;
#endif
    auto_free char *name = temp_pattern(o->path);
    if (!name)
        return err_nomem(e);
    o->blocks_fd = mkostemp(name, O_CLOEXEC);
    if (o->blocks_fd < 0)
        return err_sys(e, "%s: cannot create", o->path);
    (void)unlink(name);
    return 0;
}

int pack_output_new(const char *path, bool replace, struct pack_output **out, struct err *e)
{
    struct stat st;
    if (lstat(path, &st) == 0) {
        if (!replace)
            return err_set(e, ERR_INVALID, "%s exists already; --force replaces it", path);
        if (!S_ISREG(st.st_mode))
            return err_set(e, ERR_INVALID, "%s exists and is not an ordinary file", path);
    }
    struct pack_output *o = calloc(1, sizeof *o);
    if (!o)
        return err_nomem(e);
    *o = (struct pack_output){ .path = strdup(path), .replace = replace, .blocks_fd = -1,
                               .buffer = malloc(BUFFER_BYTES) };
    int rc = o->path && o->buffer ? open_blocks_file(o, e) : err_nomem(e);
    if (rc) {
        pack_output_free(o);
        return rc;
    }
    *out = o;
    return 0;
}

void pack_output_free(struct pack_output *o)
{
    if (!o)
        return;
    if (o->blocks_fd >= 0)
        (void)close(o->blocks_fd);
    free(o->path);
    free(o->temp);
    free(o->buffer);
    free(o);
}

static int flush(struct pack_output *o, struct err *e)
{
    int rc = write_fully(o->blocks_fd, o->path, o->buffer, o->buffered, e);
    o->buffered = 0;
    return rc;
}

int pack_output_append(struct pack_output *o, const uint8_t *data, size_t len, struct err *e)
{
    while (len > 0) {
        if (o->buffered == BUFFER_BYTES) {
            int rc = flush(o, e);
            if (rc)
                return rc;
        }
        size_t n = (size_t)min_u64(len, BUFFER_BYTES - o->buffered);
        memcpy(o->buffer + o->buffered, data, n);
        o->buffered += n;
        o->length += n;
        data += n;
        len -= n;
    }
    return 0;
}

int pack_output_overwrite(struct pack_output *o, uint64_t off, const void *data, size_t len,
                          struct err *e)
{
    uint64_t written = o->length - o->buffered;
    size_t done = 0;
    if (off < written) { /* some of it, or all, is on the disk */
        done = (size_t)min_u64(len, written - off);
        if (file_write(o->blocks_fd, data, done, off, NULL))
            return write_error(o->path, e);
    }
    if (done < len)
        memcpy(o->buffer + (off + done - written), (const uint8_t *)data + done, len - done);
    return 0;
}

uint64_t pack_output_length(const struct pack_output *o)
{
    return o->length;
}

/* Up to LEN bytes from FROM to TO at their file offsets; what the kernel cannot do is done here. */
static ssize_t copy_some(struct pack_output *o, int to, size_t len)
{
#ifdef HAVE_COPY_FILE_RANGE
    ssize_t n = copy_file_range(o->blocks_fd, NULL, to, NULL, len, 0);
    if (n > 0 || (n < 0 && errno != EXDEV && errno != EINVAL && errno != ENOSYS &&
                  errno != EOPNOTSUPP && errno != EBADF))
        return n;
#endif
    ssize_t got = read(o->blocks_fd, o->buffer, len < BUFFER_BYTES ? len : BUFFER_BYTES);
    for (ssize_t done = 0; done < got;) {
        ssize_t put = write(to, o->buffer + done, (size_t)(got - done));
        if (put < 0 && errno != EINTR)
            return -1;
        done += put > 0 ? put : 0;
    }
    return got;
}

static int copy_blocks(struct pack_output *o, int to, pack_output_tick_fn tick, void *arg,
                       struct err *e)
{
    if (lseek(o->blocks_fd, 0, SEEK_SET) < 0)
        return err_sys(e, "%s: cannot read back", o->path);
    for (uint64_t done = 0; done < o->length;) {
        ssize_t n = copy_some(o, to, (size_t)min_u64(o->length - done, COPY_BYTES));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return write_error(o->path, e);
        if (n == 0)
            return err_set(e, ERR_TRUNCATED, "%s: the temporary file became shorter", o->path);
        done += (uint64_t)n;
        int rc = tick ? tick(arg, e) : 0;
        if (rc)
            return rc;
    }
    return 0;
}

static int sync_directory(const char *path, struct err *e)
{
    const char *slash = strrchr(path, '/');
    auto_free char *dir = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    if (!dir)
        return err_nomem(e);
    auto_close int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        (void)fsync(fd); /* some file systems cannot; the file itself is safe by now */
    return 0;
}

/* Gives the finished temporary file its name. */
static int publish(const char *temp, const char *path, bool replace, struct err *e)
{
    if (!replace) {
        if (link(temp, path) == 0) {
            (void)unlink(temp);
            return sync_directory(path, e);
        }
        if (errno == EEXIST)
            return err_set(e, ERR_INVALID, "%s exists already; --force replaces it", path);
        /* no hard links here (FAT, some network shares): rename below */
    }
    if (rename(temp, path) != 0)
        return err_sys(e, "%s: cannot create", path);
    return sync_directory(path, e);
}

static void set_default_mode(int fd)
{
    mode_t mask = umask(0);
    (void)umask(mask);
    (void)fchmod(fd, 0666 & ~mask); /* mkostemp() made it private */
}

/* Names the file without a name TEMP, a pattern. False, and no file, where that cannot be done: it
 * takes a file made with O_TMPFILE and /proc. */
static bool adopt(struct pack_output *o, char *temp)
{
    char self[40];
    int fd = mkostemp(temp, O_CLOEXEC); /* a name that is free */
    if (fd < 0)
        return false;
    (void)close(fd);
    (void)unlink(temp);
    (void)snprintf(self, sizeof self, "/proc/self/fd/%d", o->blocks_fd);
    return linkat(AT_FDCWD, self, AT_FDCWD, temp, AT_SYMLINK_FOLLOW) == 0;
}

/* Metadata and what was appended in a new file TEMP, a pattern; its descriptor. */
static int copy_to(struct pack_output *o, char *temp, const uint8_t *metadata, size_t len,
                   pack_output_tick_fn tick, void *arg, struct err *e)
{
    int fd = mkostemp(temp, O_CLOEXEC);
    if (fd < 0)
        return err_sys(e, "%s: cannot create", o->path);
    int rc = write_fully(fd, o->path, metadata, len, e);
    if (!rc)
        rc = copy_blocks(o, fd, tick, arg, e);
    if (!rc)
        return fd;
    (void)close(fd);
    (void)unlink(temp);
    return rc;
}

int pack_output_finish(struct pack_output *o, const uint8_t *metadata, size_t len,
                       pack_output_tick_fn tick, void *arg, struct err *e)
{
    int rc = flush(o, e);
    if (rc)
        return rc;
    o->temp = temp_pattern(o->path);
    auto_free char *pattern = temp_pattern(o->path);
    if (!o->temp || !pattern)
        return err_nomem(e);
    int fd = -1;
    if (!len && adopt(o, o->temp)) {
        fd = o->blocks_fd;
        o->blocks_fd = -1;
    } else {
        memcpy(o->temp, pattern, strlen(pattern) + 1);
        fd = copy_to(o, o->temp, metadata, len, tick, arg, e);
        if (fd < 0)
            return fd;
    }
    if (fsync(fd) != 0)
        rc = write_error(o->path, e);
    set_default_mode(fd);
    if (close(fd) != 0 && !rc)
        rc = write_error(o->path, e);
    if (!rc)
        rc = publish(o->temp, o->path, o->replace, e);
    if (rc)
        (void)unlink(o->temp);
    return rc;
}

int pack_output_file(const char *path, bool replace, const void *data, size_t len, struct err *e)
{
    struct pack_output *o = NULL;
    int rc = pack_output_new(path, replace, &o, e);
    if (rc)
        return rc;
    rc = pack_output_finish(o, data, len, NULL, NULL, e);
    pack_output_free(o);
    return rc;
}
