/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of fetch/source.c and source_file.c, in a directory of their own. */
#include "config.h"

#include "fetch/source.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/unit.h"

static char dir[] = "/tmp/sftfs-source-XXXXXX";

static const char *in_dir(const char *name)
{
    static char path[300];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static void write_file(const char *name, const char *text)
{
    FILE *f = fopen(in_dir(name), "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    CU_ASSERT(fputs(text, f) >= 0);
    CU_ASSERT_EQUAL(fclose(f), 0);
}

static struct source *open_or_fail(const char *location, const struct source_options *o)
{
    struct err e = { .kind = ERR_NONE };
    struct source *s = NULL;
    int rc = source_open(location, o, 0, &s, &e);
    if (rc)
        printf("\n    %s: %s", location, e.text);
    CU_ASSERT_EQUAL_FATAL(rc, 0);
    return s;
}

static void check_refused(const char *location, enum err_kind want, const char *part)
{
    struct err e = { .kind = ERR_NONE };
    struct source *s = NULL;
    int rc = source_open(location, NULL, 0, &s, &e);
    if (rc >= 0 || e.kind != want || !strstr(e.text, part))
        printf("\n    %s: wanted %s (%s), got %s (%s)", location, err_kind_name(want), part,
               err_kind_name(e.kind), e.text);
    CU_ASSERT(rc < 0);
    CU_ASSERT_EQUAL(e.kind, want);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, part));
    source_close(s);
}

static void check_holds(const char *location, const struct source_options *o, const char *text)
{
    char got[64] = "";
    struct err e;
    struct source *s = open_or_fail(location, o);
    CU_ASSERT_EQUAL_FATAL(source_size(s), strlen(text));
    CU_ASSERT_EQUAL(source_read_sync(s, 0, got, strlen(text), &e), 0);
    CU_ASSERT_STRING_EQUAL(got, text);
    source_close(s);
}

static void source_reads_ranges_of_a_file(void)
{
    struct err e;
    char got[4] = "";
    write_file("a.sft", "0123456789");
    struct source *s = open_or_fail(in_dir("a.sft"), NULL);
    CU_ASSERT(source_is_immediate(s));
    CU_ASSERT_EQUAL(source_size(s), 10);
    CU_ASSERT_STRING_EQUAL(source_name(s), in_dir("a.sft"));
    CU_ASSERT_EQUAL(source_read_sync(s, 7, got, 3, &e), 0);
    CU_ASSERT_STRING_EQUAL(got, "789");
    CU_ASSERT_EQUAL(source_read_sync(s, 10, got, 0, &e), 0);
    struct source_stats stats;
    source_get_stats(s, &stats);
    CU_ASSERT_EQUAL(stats.requests, 1);
    CU_ASSERT_EQUAL(stats.bytes, 3);
    CU_ASSERT_EQUAL(stats.errors, 0);
    source_close(s);
}

static void count_done(struct source_read *read, int status, const struct err *e)
{
    int *seen = read->arg;
    *seen += status || e ? 1000 : 1;
}

static void source_completes_a_read_before_start_returns(void)
{
    uint8_t got[5];
    int seen = 0;
    write_file("a.sft", "0123456789");
    struct source *s = open_or_fail(in_dir("a.sft"), NULL);
    struct source_read read = { .len = 5, .buf = got, .done = count_done, .arg = &seen };
    source_start(s, &read);
    CU_ASSERT_EQUAL(seen, 1);
    CU_ASSERT_EQUAL(memcmp(got, "01234", 5), 0);
    source_close(s);
}

static void source_refuses_reads_past_the_end(void)
{
    struct err e;
    char got[4];
    struct source_stats stats;
    write_file("a.sft", "0123456789");
    struct source *s = open_or_fail(in_dir("a.sft"), NULL);
    CU_ASSERT(source_read_sync(s, 8, got, 3, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_TRUNCATED);
    CU_ASSERT_EQUAL(e.offset, 8);
    CU_ASSERT(source_read_sync(s, UINT64_MAX, got, 3, &e) < 0);
    CU_ASSERT_EQUAL(e.kind, ERR_TRUNCATED);
    source_get_stats(s, &stats);
    CU_ASSERT_EQUAL(stats.errors, 2);
    source_close(s);
}

static void source_says_when_the_file_was_cut_under_it(void)
{
    struct err e;
    char got[10];
    write_file("a.sft", "0123456789");
    struct source *s = open_or_fail(in_dir("a.sft"), NULL);
    CU_ASSERT_EQUAL_FATAL(truncate(in_dir("a.sft"), 5), 0);
    CU_ASSERT_EQUAL(source_read_sync(s, 0, got, 5, &e), 0);
    CU_ASSERT_EQUAL(source_read_sync(s, 0, got, 10, &e), -err_kind_errno(ERR_OBJECT_CHANGED));
    CU_ASSERT_EQUAL(e.kind, ERR_OBJECT_CHANGED);
    source_close(s);
}

static void source_keeps_the_object_when_its_name_goes_to_another(void)
{
    struct err e;
    char got[11] = "";
    write_file("a.sft", "0123456789");
    write_file("b.sft", "another one");
    struct source *s = open_or_fail(in_dir("a.sft"), NULL);
    char from[300];
    (void)snprintf(from, sizeof from, "%s", in_dir("b.sft"));
    CU_ASSERT_EQUAL_FATAL(rename(from, in_dir("a.sft")), 0);
    CU_ASSERT_EQUAL(source_read_sync(s, 0, got, 10, &e), 0);
    CU_ASSERT_STRING_EQUAL(got, "0123456789");
    source_close(s);
}

static void source_finds_the_last_component_in_another_case(void)
{
    write_file("Gr\xc3\xb6\xc3\x9f""e.SFT", "folded");
    write_file("two.sft", "lower");
    write_file("TWO.sft", "upper");
    check_holds(in_dir("GR\xc3\x96\xc3\x9f""E.sft"), NULL, "folded");
    check_holds(in_dir("two.sft"), NULL, "lower");
    check_holds(in_dir("Two.sft"), NULL, "upper"); /* the first in byte order */
    check_refused(in_dir("three.sft"), ERR_NOT_FOUND, "three.sft");
}

static void source_takes_file_urls_and_mapped_shares(void)
{
    char url[400], map[400];
    write_file("a b.sft", "mapped");
    struct source_options o = { .unc_map = map };
    (void)snprintf(map, sizeof map, "\\\\srv\\share=%s;Q:=%s/", dir, dir);
    (void)snprintf(url, sizeof url, "file://%s/a%%20b.sft", dir);
    check_holds(url, NULL, "mapped");
    check_holds("\\\\SRV\\share\\A B.sft", &o, "mapped");
    check_holds("file://srv/share/a%20b.sft?customer=x", &o, "mapped");
    check_holds("Q:\\a b.sft", &o, "mapped");
    check_refused("\\\\srv\\share\\a b.sft", ERR_UNRESOLVED, "unc_map");
}

static void source_takes_a_name_literally_first(void)
{
    write_file("odd\\name?.sft", "literal");
    check_holds(in_dir("odd\\name?.sft"), NULL, "literal");
}

static void source_refuses_what_is_no_file_without_hanging(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    CU_ASSERT_FATAL(strlen(in_dir("socket")) < sizeof address.sun_path);
    strcpy(address.sun_path, in_dir("socket"));
    CU_ASSERT_EQUAL_FATAL(mkfifo(in_dir("fifo"), 0600), 0);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    CU_ASSERT_EQUAL(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    check_refused(dir, ERR_INVALID, "directory");
    check_refused(in_dir("fifo"), ERR_INVALID, "pipe");
    check_refused("/dev/null", ERR_INVALID, "device");
    check_refused(in_dir("socket"), ERR_SYSTEM, "socket");
    (void)close(fd);
}

static void source_does_not_pass_its_descriptor_on(void)
{
    write_file("a.sft", "0123456789");
    struct source *s = open_or_fail(in_dir("a.sft"), NULL);
    struct stat wanted, st;
    CU_ASSERT_EQUAL(stat(in_dir("a.sft"), &wanted), 0);
    int found = 0;
    for (int fd = 3; fd < 256; fd++) {
        if (fstat(fd, &st) < 0 || st.st_ino != wanted.st_ino || st.st_dev != wanted.st_dev)
            continue;
        found++;
        CU_ASSERT(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    }
    CU_ASSERT_EQUAL(found, 1);
    source_close(s);
}

static void source_advises_when_a_scheme_is_not_supported(void)
{
    check_refused("rtsp://server/x.sft", ERR_UNSUPPORTED, "--override-url");
    check_refused("RTSPS://server:322/x.sft", ERR_UNSUPPORTED, "--application-source-root");
    check_refused("gopher://server/x.sft", ERR_UNSUPPORTED, "gopher");
    check_refused("", ERR_INVALID, "empty");
}

static void remove_dir(void)
{
    DIR *d = opendir(dir);
    for (struct dirent *entry; d && (entry = readdir(d));)
        (void)unlink(in_dir(entry->d_name)); /* fails for "." and "..", as it should */
    if (d)
        (void)closedir(d);
    (void)rmdir(dir);
}

int main(void)
{
    static const struct unit_test tests[] = {
        TEST(source_reads_ranges_of_a_file),
        TEST(source_completes_a_read_before_start_returns),
        TEST(source_refuses_reads_past_the_end),
        TEST(source_says_when_the_file_was_cut_under_it),
        TEST(source_keeps_the_object_when_its_name_goes_to_another),
        TEST(source_finds_the_last_component_in_another_case),
        TEST(source_takes_file_urls_and_mapped_shares),
        TEST(source_takes_a_name_literally_first),
        TEST(source_refuses_what_is_no_file_without_hanging),
        TEST(source_does_not_pass_its_descriptor_on),
        TEST(source_advises_when_a_scheme_is_not_supported),
    };
    if (!mkdtemp(dir))
        return 99; /* automake: hard error */
    int status = unit_run("source-file", tests, ARRAY_LEN(tests));
    remove_dir();
    return status;
}
