/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * New names: files, directories, special files, symbolic and hard links. See overlay.h.
 *
 * What is right as soon as it is there is made in its place, with one system call. What needs an
 * owner, a marker or a whiteout out of its way is made in work/ and moved. Takes ns alone.
 */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "fs/overlay/change.h"
#include "fs/overlay/crash_point.h"

/* What is to be made. */
struct making {
    struct overlay *o;
    mode_t type;
    mode_t mode;        /* permission bits */
    const char *target; /* symbolic link */
    const struct overlay_caller *caller;
    bool opaque; /* directory over a package name */
    int fd;      /* regular file, for I/O */
    struct stat st;
    bool has_mode; /* needs MARKER_MODE */
};

static mode_t physical_mode(const struct making *m)
{
    return change_physical_mode(m->o, m->type, m->mode);
}

/* Whether it would have the wrong owner if this process just made it. */
static bool is_for_another(const struct making *m)
{
    return m->o->privileged && m->caller &&
           (m->caller->uid != geteuid() || m->caller->gid != getegid());
}

/* Makes it with mode MODE, less the umask. */
static int make(struct making *m, int dirfd, const char *name, mode_t mode)
{
    int rc = 0;

    if (S_ISREG(m->type)) {
        m->fd = openat(dirfd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
        rc = m->fd < 0 ? -1 : 0;
    } else if (S_ISDIR(m->type)) {
        rc = mkdirat(dirfd, name, mode);
    } else if (S_ISLNK(m->type)) {
        rc = symlinkat(m->target, dirfd, name);
    } else {
        rc = mknodat(dirfd, name, m->type | mode, 0);
    }
    return rc ? -errno : 0;
}

static int look(struct making *m, int dirfd, const char *name)
{
    int rc = m->fd >= 0 ? fstat(m->fd, &m->st) : fstatat(dirfd, name, &m->st, AT_SYMLINK_NOFOLLOW);

    return rc ? -errno : 0;
}

static void unmake(const struct making *m, int dirfd, const char *name)
{
    (void)unlinkat(dirfd, name, S_ISDIR(m->type) ? AT_REMOVEDIR : 0);
}

/* In its place. Only the umask can have spoilt the mode; the group bit comes from the directory. */
static int make_direct(struct making *m, int dirfd, const char *name)
{
    mode_t mode = physical_mode(m);
    int rc = make(m, dirfd, name, mode);

    if (rc)
        return rc;
    rc = look(m, dirfd, name);
    if (!rc && !S_ISLNK(m->type) && ((m->st.st_mode ^ mode) & 07777 & ~(mode_t)S_ISGID)) {
        mode |= m->st.st_mode & S_ISGID;
        rc = m->fd >= 0 ? (fchmod(m->fd, mode) ? -errno : 0) : change_chmod_at(dirfd, name, mode);
        m->st.st_mode = (m->st.st_mode & S_IFMT) | mode;
    }
    if (rc)
        unmake(m, dirfd, name);
    return rc;
}

/* Owner as of something made by the caller in the directory PARENT_FD. */
static int set_owner(struct making *m, int parent_fd, const char *work)
{
    struct stat parent;
    uid_t uid = (uid_t)-1;
    gid_t gid = (gid_t)-1;

    if (fstatat(parent_fd, "", &parent, AT_EMPTY_PATH))
        return -errno;
    if (m->o->privileged && m->caller) {
        uid = m->caller->uid;
        gid = m->caller->gid;
    }
    if (parent.st_mode & S_ISGID) {
        gid = parent.st_gid;
        if (S_ISDIR(m->type))
            m->mode |= S_ISGID;
    }
    if ((uid == (uid_t)-1 || uid == m->st.st_uid) && (gid == (gid_t)-1 || gid == m->st.st_gid))
        return 0;
    if (fchownat(m->o->store->work_fd, work, uid, gid, AT_SYMLINK_NOFOLLOW) && m->o->privileged)
        return -errno;
    return 0; /* a group we are not in is what an unprivileged process cannot give */
}

static int set_mode(struct making *m, const char *work)
{
    struct overlay_node draft = { .has_mode = false };
    int work_fd = m->o->store->work_fd;
    auto_close int dir = -1;

    if (S_ISLNK(m->type))
        return 0;
    if (!S_ISREG(m->type) && !S_ISDIR(m->type))
        return change_chmod_at(work_fd, work, m->mode);
    if (S_ISDIR(m->type)) {
        dir = openat(work_fd, work, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (dir < 0)
            return -errno;
    }
    int fd = dir >= 0 ? dir : m->fd;
    int rc = m->opaque ? marker_set(fd, MARKER_OPAQUE, "y") : 0;
    /* Bits 0 as the present ones: what chown(2) left of them does not matter. */
    if (!rc)
        rc = change_set_mode(m->o, fd, m->type, ~m->mode, m->mode, &draft);
    m->has_mode = draft.has_mode;
    return rc;
}

static int make_in_work(struct making *m, int parent_fd, const char *work)
{
    int work_fd = m->o->store->work_fd;
    int rc = make(m, work_fd, work, S_ISDIR(m->type) ? 0700 : 0600);

    if (rc)
        return rc;
    rc = look(m, work_fd, work);
    if (!rc)
        rc = set_owner(m, parent_fd, work);
    if (!rc)
        rc = set_mode(m, work);
    if (!rc)
        rc = look(m, work_fd, work);
    if (rc)
        unmake(m, work_fd, work);
    return rc;
}

static int add_node(struct making *m, struct overlay_node **out)
{
    struct overlay_node *node;
    int rc = tree_add_node(m->o, m->type, NODE_NONE, m->st.st_ino, &node);

    if (rc)
        return rc;
    node->has_upper = true;
    node->has_mode = m->has_mode;
    node->mode = m->mode;
    if (S_ISDIR(m->type))
        rc = tree_new_table(m->o, node);
    if (rc)
        tree_free_node(m->o, node);
    else
        *out = node;
    return rc;
}

static void report(const struct making *m, struct overlay_node *node, struct overlay_ref *out,
                   struct stat *st)
{
    *out = tree_ref_of(node);
    if (!st)
        return;
    *st = m->st;
    tree_show_stat(node, st);
}

/* On disk and in memory, in the pinned directory DIRFD. */
static int make_there(struct making *m, struct change_place *place, int dirfd,
                      struct overlay_node **node)
{
    struct overlay *o = m->o;
    char work[WORK_NAME_MAX];

    m->opaque = S_ISDIR(m->type) && change_covers(place);
    bool direct = !place->entry.name && !m->opaque && !is_for_another(m) &&
                  (S_ISLNK(m->type) || physical_mode(m) == m->mode);
    if (!direct)
        overlay_work_name(o->store, work);
    int rc = direct ? make_direct(m, dirfd, place->name) : make_in_work(m, dirfd, work);
    if (rc)
        return rc;
    rc = add_node(m, node);
    if (!rc && !direct) {
        CRASH_POINT("create-made");
        rc = change_put(o, place, dirfd, work, S_ISDIR(m->type));
        if (rc)
            tree_free_node(o, *node);
    }
    if (rc) {
        unmake(m, direct ? dirfd : o->store->work_fd, direct ? place->name : work);
        return rc;
    }
    CRASH_POINT("create-placed");
    if (m->fd >= 0)
        fd_give(o->fds, &(*node)->slot, m->fd);
    m->fd = -1;
    return change_show(o, place, *node);
}

static int create(struct making *m, uint64_t parent, const char *name, struct overlay_ref *out,
                  struct stat *st)
{
    struct overlay *o = m->o;
    struct change_place place;
    struct overlay_node *node = NULL;

    int rc = change_find(o, parent, name, &place);
    if (!rc)
        rc = change_shows(&place) ? -EEXIST : change_name_check(name);
    if (!rc)
        rc = copy_up_dir(o, &place.dir);
    if (!rc)
        rc = tree_reserve(o, place.dir.node, strlen(name));
    if (rc)
        return rc;
    int dirfd = tree_pin_dir(o, place.dir.node);
    if (dirfd < 0)
        return dirfd;
    rc = make_there(m, &place, dirfd, &node);
    tree_unpin_dir(o, place.dir.node);
    if (m->fd >= 0)
        (void)close(m->fd);
    if (!rc)
        report(m, node, out, st);
    return rc;
}

static int create_locked(struct overlay *o, mode_t type, mode_t mode, const char *target,
                         const struct overlay_caller *c, uint64_t parent, const char *name,
                         struct overlay_ref *out, struct stat *st)
{
    struct making m = {
        .o = o,
        .type = type,
        .mode = mode & 07777,
        .target = target,
        .caller = c,
        .fd = -1,
    };
    int rc = change_begin(o);

    if (rc)
        return rc;
    rc = create(&m, parent, name, out, st);
    change_end(o);
    return rc;
}

int overlay_create(struct overlay *o, uint64_t parent, const char *name, mode_t mode,
                   const struct overlay_caller *c, struct overlay_ref *out, struct stat *st)
{
    return create_locked(o, S_IFREG, mode, NULL, c, parent, name, out, st);
}

int overlay_mkdir(struct overlay *o, uint64_t parent, const char *name, mode_t mode,
                  const struct overlay_caller *c, struct overlay_ref *out, struct stat *st)
{
    return create_locked(o, S_IFDIR, mode & (0777 | S_ISVTX), NULL, c, parent, name, out, st);
}

int overlay_mknod(struct overlay *o, uint64_t parent, const char *name, mode_t mode,
                  const struct overlay_caller *c, struct overlay_ref *out, struct stat *st)
{
    mode_t type = mode & S_IFMT ? mode & S_IFMT : S_IFREG;

    if (S_ISDIR(type) || S_ISCHR(type) || S_ISBLK(type))
        return -EPERM;
    if (!S_ISREG(type) && !S_ISFIFO(type) && !S_ISSOCK(type))
        return -EINVAL;
    return create_locked(o, type, mode, NULL, c, parent, name, out, st);
}

int overlay_symlink(struct overlay *o, uint64_t parent, const char *name, const char *target,
                    const struct overlay_caller *c, struct overlay_ref *out, struct stat *st)
{
    return create_locked(o, S_IFLNK, 0777, target, c, parent, name, out, st);
}

/* ---- hard links ---- */

/* One more name for the upper NODE: NAME in DIRFD, where nothing is. */
static int link_to(struct overlay *o, struct overlay_node *node, int dirfd, const char *name)
{
    char path[sizeof "/proc/self/fd/" + 12];
    int rc = 0;

    if (node->names) {
        struct overlay_node *dir = node->names->dir;
        int from = tree_pin_dir(o, dir);
        if (from < 0)
            return from;
        rc = linkat(from, node->names->text, dirfd, name, 0) ? -errno : 0;
        tree_unpin_dir(o, dir);
        return rc;
    }
    int fd = tree_pin_file_locked(o, node);
    if (fd < 0)
        return fd;
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (linkat(AT_FDCWD, path, dirfd, name, AT_SYMLINK_FOLLOW))
        rc = -errno;
    tree_unpin_file(o, node);
    return rc;
}

static int link_there(struct overlay *o, struct overlay_node *node, struct change_place *place)
{
    char work[WORK_NAME_MAX];
    int rc, dirfd = tree_pin_dir(o, place->dir.node);

    if (dirfd < 0)
        return dirfd;
    if (!place->entry.name) {
        rc = link_to(o, node, dirfd, place->name);
    } else {
        overlay_work_name(o->store, work);
        rc = link_to(o, node, o->store->work_fd, work);
        if (!rc) {
            CRASH_POINT("link-made");
            rc = change_put(o, place, dirfd, work, false);
            if (rc)
                (void)unlinkat(o->store->work_fd, work, 0);
        }
    }
    tree_unpin_dir(o, place->dir.node);
    return rc;
}

static int link_locked(struct overlay *o, uint64_t id, uint64_t parent, const char *name,
                       struct overlay_ref *out, struct stat *st)
{
    struct change_place place;
    struct overlay_ref ref = { .id = id };

    int rc = change_find(o, parent, name, &place);
    if (rc)
        return rc;
    if (change_shows(&place))
        return -EEXIST;
    if (!overlay_find(o, id, &ref.node))
        return -ESTALE;
    ref = ref.node ? tree_ref_of(ref.node) : tree_ref_of_package((uint32_t)(id - 1));
    if (S_ISDIR(change_type(o, &ref)))
        return -EPERM;
    if (ref.node && ref.node->unlinked)
        return -ENOENT;
    rc = change_name_check(name);
    if (!rc)
        rc = copy_up_node(o, id, &ref.node);
    if (!rc)
        rc = copy_up_dir(o, &place.dir);
    if (rc)
        return rc;
    change_find_again(o, &place);
    rc = tree_reserve(o, place.dir.node, strlen(name));
    if (!rc)
        rc = link_there(o, ref.node, &place);
    if (!rc)
        rc = change_show(o, &place, ref.node);
    if (rc)
        return rc;
    fd_keep(o->fds, &ref.node->slot, false); /* there is a name to open it by again */
    *out = tree_ref_of(ref.node);
    return st ? tree_stat(o, ref.node, st) : 0;
}

int overlay_link(struct overlay *o, uint64_t id, uint64_t parent, const char *name,
                 struct overlay_ref *out, struct stat *st)
{
    int rc = change_begin(o);

    if (rc)
        return rc;
    rc = link_locked(o, id, parent, name, out, st);
    change_end(o);
    return rc;
}
