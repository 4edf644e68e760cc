/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `sft overlay status`: what an overlay is, who has it, and how much is in it. */
#include "config.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "fetch/http_url.h"
#include "fetch/open.h"
#include "fs/overlay/holder.h"
#include "tools/overlay_common.h"
#include "tools/text.h"

struct status {
    struct overlay_run *run;
    struct overlay_holder holder;
    uint64_t kinds[DIFF_KIND_COUNT];
    uint64_t bytes, partial, leftovers, aside;
    bool package_known;
};

/* Names in directory NAME of the overlay but EXCEPT; of directories in it also what is below, with
 * DEEP. */
static uint64_t count_names(int parent, const char *name, const char *except, bool deep,
                            unsigned depth)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *d;
    uint64_t n = 0;

    if (!stream) {
        if (fd >= 0)
            (void)close(fd);
        return 0;
    }
    while ((d = readdir(stream))) {
        struct stat st;

        if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, "..") ||
            (except && !strcmp(d->d_name, except)))
            continue;
        if (!deep || fstatat(fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) || !S_ISDIR(st.st_mode))
            n++;
        else if (depth < 200)
            n += count_names(fd, d->d_name, NULL, true, depth + 1);
    }
    (void)closedir(stream);
    return n;
}

static int count_change(void *arg, const struct diff_change *c, struct err *e)
{
    struct status *s = arg;

    (void)e;
    s->kinds[c->kind]++;
    return 0;
}

/* A file with a damaged map counts as a whole: this command is for looking at what is there. */
static void count_bytes(struct status *s)
{
    const struct upper *u = s->run->upper;

    for (uint32_t i = 1; i < u->count; i++) {
        const struct upper_entry *n = &u->entries[i];
        uint64_t bytes = (uint64_t)n->st.st_size;

        if (!S_ISREG(n->st.st_mode) || n->markers.whiteout)
            continue;
        if (n->markers.has_partial && diff_written(s->run->store, u, i, &bytes, NULL))
            bytes = (uint64_t)n->st.st_size;
        s->bytes += bytes;
        s->partial += n->markers.has_partial;
    }
}

/* The package helps to tell added files from replaced ones, and is not needed: no network for that.
 */
static void try_package(struct overlay_run *r)
{
    if (!r->in.package && *r->recorded && !http_url_matches(r->recorded))
        (void)!package_open(r->recorded, &r->in.connection, &r->in.source, &r->in.package, NULL);
    if (r->in.package &&
        !guid_equal(&package_info(r->in.package)->package_guid, &r->store->package_guid))
        sft_close(&r->in);
}

static void print_holder(const struct overlay_holder *h)
{
    if (h->in_use) {
        (void)fputs("In use:          by process ", stdout);
        text_put(stdout, *h->pid ? h->pid : "unknown");
        (void)fputs(" on ", stdout);
        text_put(stdout, *h->host ? h->host : "unknown");
        (void)fputs(", mounted on ", stdout);
        text_put(stdout, *h->mountpoint ? h->mountpoint : "unknown");
        (void)fputs(" since ", stdout);
        text_put(stdout, *h->started ? h->started : "unknown");
        (void)putchar('\n');
    } else {
        (void)printf("In use:          no%s\n",
                     h->unclean ? " (the last user did not end in good order)" : "");
    }
}

static void print_text(const struct status *s)
{
    const struct overlay_store *store = s->run->store;
    char guid[GUID_TEXT_SIZE], size[TEXT_SIZE_SIZE];

    guid_format(&store->package_guid, guid);
    (void)fputs("Overlay:         ", stdout);
    text_put(stdout, store->path);
    (void)fputs("\nPackage:         ", stdout);
    text_put(stdout, store->package_name ? store->package_name : "");
    (void)printf("\nPackage GUID:    %s\n", guid);
    if (!guid_is_zero(&store->version_guid)) {
        guid_format(&store->version_guid, guid);
        (void)printf("Version:         %" PRIu32 " (%s)\n", store->version_number, guid);
    }
    (void)fputs("Last used with:  ", stdout);
    text_put(stdout, *s->run->recorded ? s->run->recorded : "unknown");
    (void)putchar('\n');
    print_holder(&s->holder);
    (void)printf("Added:           %" PRIu64 "%s\n", s->kinds[DIFF_ADDED],
                 s->package_known ? "" : " (replaced files included; the package was not read)");
    (void)printf("Changed:         %" PRIu64 "\n", s->kinds[DIFF_CHANGED]);
    (void)printf("Deleted:         %" PRIu64 "\n", s->kinds[DIFF_DELETED]);
    (void)printf("Renamed:         %" PRIu64 "\n", s->kinds[DIFF_RENAMED]);
    (void)printf("Attributes only: %" PRIu64 "\n", s->kinds[DIFF_ATTRIBUTES]);
    text_size(s->bytes, size);
    (void)printf("Bytes:           %" PRIu64 " (%s)\n", s->bytes, size);
    (void)printf("Partial files:   %" PRIu64 "\n", s->partial);
    (void)printf("Leftovers:       %" PRIu64 "\n", s->leftovers);
    (void)printf("Put aside:       %" PRIu64 "\n", s->aside);
}

static void print_json(const struct status *s)
{
    const struct overlay_store *store = s->run->store;
    struct json j = json_begin(stdout);

    json_object(&j, NULL);
    json_string(&j, "overlay", store->path);
    json_object(&j, "package");
    json_string(&j, "name", store->package_name);
    json_guid(&j, "guid", &store->package_guid);
    json_guid(&j, "version_guid", &store->version_guid);
    json_uint(&j, "version_number", store->version_number);
    json_string(&j, "source", s->run->recorded);
    json_close_object(&j);
    json_bool(&j, "in_use", s->holder.in_use);
    if (s->holder.in_use) {
        json_object(&j, "holder");
        json_string(&j, "pid", s->holder.pid);
        json_string(&j, "host", s->holder.host);
        json_string(&j, "mountpoint", s->holder.mountpoint);
        json_string(&j, "started", s->holder.started);
        json_close_object(&j);
    }
    json_bool(&j, "unclean", s->holder.unclean);
    json_bool(&j, "package_known", s->package_known);
    json_uint(&j, "added", s->kinds[DIFF_ADDED]);
    json_uint(&j, "changed", s->kinds[DIFF_CHANGED]);
    json_uint(&j, "deleted", s->kinds[DIFF_DELETED]);
    json_uint(&j, "renamed", s->kinds[DIFF_RENAMED]);
    json_uint(&j, "attributes", s->kinds[DIFF_ATTRIBUTES]);
    json_uint(&j, "bytes", s->bytes);
    json_uint(&j, "partial_files", s->partial);
    json_uint(&j, "leftovers", s->leftovers);
    json_uint(&j, "aside", s->aside);
    json_close_object(&j);
    json_end(&j); /* report_finish() looks */
}

enum exitcode overlay_status(struct overlay_run *r)
{
    struct status s = { .run = r };
    enum exitcode status = overlay_open_store(r, OVERLAY_READ);
    struct err e = { 0 };
    int rc;

    if (status != EXITCODE_OK)
        return status;
    try_package(r);
    s.package_known = r->in.package != NULL;
    status = overlay_compare(r);
    if (status != EXITCODE_OK)
        return status;
    rc = diff_each(r->diff, count_change, &s, &e);
    if (!rc) {
        rc = overlay_holder(r->store->dir_fd, &s.holder);
        errno = -rc;
        if (rc)
            (void)err_sys(&e, "lock");
    }
    if (rc)
        return report_error(&r->in.report, r->dir, &e);
    count_bytes(&s);
    s.leftovers = count_names(r->store->dir_fd, "work", "whiteout", false, 0);
    s.aside = count_names(r->store->dir_fd, "aside", NULL, true, 0);
    if (r->in.report.json)
        print_json(&s);
    else
        print_text(&s);
    return EXITCODE_OK;
}
