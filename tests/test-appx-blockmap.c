/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of src/appx_blockmap.c. */
#include "config.h"

#include <stdio.h>

#include "src/appx_blockmap.h"
#include "tests/unit.h"

#define NS           "http://schemas.microsoft.com/appx/2010/blockmap"
#define ROOT(method) "<BlockMap xmlns='" NS "' HashMethod='" method "'>"
#define SHA256       "http://www.w3.org/2001/04/xmlenc#sha256"
#define HEAD         ROOT(SHA256)
#define HASH         "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=" /* 1, 2, … 32 */
#define BLOCK        "<Block Hash='" HASH "' Size='9'/>"

static struct blockmap *read_text(const char *text)
{
    struct err e = { .kind = ERR_NONE };
    struct blockmap *map = NULL;
    if (blockmap_read(text, strlen(text), &map, &e))
        printf("\n    %.200s: %s", text, e.text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(map);
    return map;
}

static void check_refused(const char *text, enum err_kind kind, const char *says)
{
    struct err e = { .kind = ERR_NONE };
    struct blockmap *map = NULL;
    int rc = blockmap_read(text, strlen(text), &map, &e);
    if (rc >= 0 || e.kind != kind || !strstr(e.text, says))
        printf("\n    %.300s: %s: %s", text, err_kind_name(e.kind), e.text);
    CU_ASSERT_EQUAL(rc, -err_kind_errno(kind));
    CU_ASSERT_EQUAL(e.kind, kind);
    CU_ASSERT_PTR_NOT_NULL(strstr(e.text, says));
    CU_ASSERT_PTR_NULL(map);
}

static const struct blockmap_file *find(const struct blockmap *map, const char *name)
{
    return blockmap_find(map, name, strlen(name));
}

static void blockmap_reads_files_and_blocks(void)
{
    struct blockmap *map = read_text(
        "<?xml version='1.0' encoding='UTF-8' standalone='no'?>\n" HEAD
        "<File Name='VFS\\Black board.xml' Size='65537' LfhSize='71'>" BLOCK
        "<Block Hash='ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=' Size='131072'/></File>"
        "<File Name='empty' Size='0' LfhSize='35'/>"
        "<File Size='32' Name='stored'><Block Hash='" HASH "'/></File></BlockMap>");

    CU_ASSERT_EQUAL(map->digest, DIGEST_SHA256);
    CU_ASSERT_EQUAL(map->hash_len, 32);
    CU_ASSERT_EQUAL_FATAL(map->file_count, 3);
    CU_ASSERT_EQUAL(map->block_count, 3);
    const struct blockmap_file *f = find(map, "VFS/Black board.xml");
    CU_ASSERT_PTR_EQUAL_FATAL(f, &map->files[0]);
    CU_ASSERT_STRING_EQUAL(f->name, "VFS/Black board.xml");
    CU_ASSERT_EQUAL(f->size, 65537);
    CU_ASSERT_EQUAL(f->local_size, 71);
    CU_ASSERT_EQUAL(f->block_count, 2);
    CU_ASSERT_EQUAL(blockmap_hash(map, f, 0)[31], 32);
    CU_ASSERT_EQUAL(blockmap_hash(map, f, 1)[0], 32);
    CU_ASSERT_EQUAL(blockmap_stored_size(map, f, 0), 9);
    CU_ASSERT_EQUAL(blockmap_stored_size(map, f, 1), 131072);
    CU_ASSERT_EQUAL(map->files[1].block_count, 0);
    f = find(map, "stored");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    CU_ASSERT_EQUAL(f->local_size, 0);
    CU_ASSERT_EQUAL(f->first_block, 2);
    CU_ASSERT_EQUAL(blockmap_stored_size(map, f, 0), 0);
    blockmap_free(map);
}

static void blockmap_finds_names_as_windows_does(void)
{
    struct blockmap *map =
        read_text(HEAD "<File Name='a\\&#228;' Size='0'/>"
                       "<File Name='loader%5B1%5D.js' Size='0'/>"
                       "<File Name='R&amp;D &#38; &quot;' Size='0'/></BlockMap>");
    CU_ASSERT_PTR_EQUAL(find(map, "r&d & \""), &map->files[2]);
    CU_ASSERT_PTR_EQUAL(find(map, "a/\xc3\xa4"), &map->files[0]);
    CU_ASSERT_PTR_EQUAL(find(map, "A/\xc3\x84"), &map->files[0]);
    CU_ASSERT_PTR_EQUAL(find(map, "loader%5B1%5D.js"), &map->files[1]); /* is not encoded */
    CU_ASSERT_PTR_NULL(find(map, "loader[1].js"));
    CU_ASSERT_PTR_NULL(find(map, "a\\\xc3\xa4"));
    CU_ASSERT_PTR_NULL(find(map, ""));
    blockmap_free(map);
}

static void blockmap_knows_three_digests(void)
{
    static const struct {
        const char *method, *hash;
        enum digest digest;
        unsigned len;
    } rows[] = {
        { SHA256, HASH, DIGEST_SHA256, 32 },
        { "http://www.w3.org/2001/04/xmldsig-more#sha384",
          "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiMkJSYnKCkqKywtLi8w", DIGEST_SHA384, 48 },
        { "http://www.w3.org/2001/04/xmlenc#sha512",
          "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiMkJSYnKCkqKywtLi8wMTIzNDU2Nzg5Ojs8PT4/"
          "QA==",
          DIGEST_SHA512, 64 },
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[600];
        (void)snprintf(text, sizeof text,
                       "<BlockMap xmlns='" NS "' HashMethod='%s'><File Name='a' Size='1'>"
                       "<Block Hash='%s'/></File></BlockMap>",
                       rows[i].method, rows[i].hash);
        struct blockmap *map = read_text(text);
        CU_ASSERT_EQUAL(map->digest, rows[i].digest);
        CU_ASSERT_EQUAL(map->hash_len, rows[i].len);
        CU_ASSERT_EQUAL(digest_len(map->digest), rows[i].len);
        for (unsigned k = 0; k < map->hash_len; k++)
            CU_ASSERT_EQUAL(map->hashes[k], k + 1);
        blockmap_free(map);
    }
}

static void blockmap_passes_over_what_it_does_not_know(void)
{
    struct blockmap *map = read_text(
        "<BlockMap xmlns='" NS "' xmlns:b4='http://schemas.microsoft.com/appx/2021/blockmap' "
        "xmlns:x='urn:x' IgnorableNamespaces='b4' HashMethod='" SHA256 "' x:HashMethod='y'>"
        "<File Name='a' Size='1' x:Size='z' Id='2' Other='3'><b4:FileHash Hash='AAAA'/>" BLOCK
        "<x:Block Hash=''/><Other><Block/></Other></File>"
        "<x:File/><Other><File/></Other><Block Hash=''/></BlockMap>");
    CU_ASSERT_EQUAL(map->file_count, 1);
    CU_ASSERT_EQUAL(map->block_count, 1);
    blockmap_free(map);
}

static void blockmap_may_be_empty(void)
{
    struct blockmap *map = read_text(HEAD "</BlockMap>");
    CU_ASSERT_EQUAL(map->file_count, 0);
    CU_ASSERT_PTR_NULL(find(map, "a"));
    blockmap_free(map);
    blockmap_free(NULL);
}

static void blockmap_refuses_other_documents(void)
{
    check_refused("", ERR_XML, "empty");
    check_refused("<BlockMap HashMethod='" SHA256 "'/>", ERR_XML, "not a block map");
    check_refused("<Package xmlns='" NS "'/>", ERR_XML, "not a block map");
    check_refused("<BlockMap xmlns='urn:x' HashMethod='" SHA256 "'/>", ERR_XML, "urn:x");
    check_refused("<BlockMap xmlns='" NS "'/>", ERR_CORRUPT, "HashMethod");
    check_refused(ROOT("http://www.w3.org/2000/09/xmldsig#sha1") "</BlockMap>", ERR_UNSUPPORTED,
                  "sha1");
    check_refused(HEAD "\n<fake:File Name='a' Size='0'/></BlockMap>", ERR_XML, "line 2");
    check_refused(HEAD "<e:EncryptedFile "
                       "xmlns:e='http://schemas.microsoft.com/appx/2015/blockmap'/></BlockMap>",
                  ERR_UNSUPPORTED, "encrypted");
    check_refused("<!DOCTYPE BlockMap>" HEAD "</BlockMap>", ERR_XML_ENTITY, "document type");
    check_refused(HEAD "<File Name='a' Size='0'/>", ERR_XML, "line 1");
}

static void blockmap_refuses_bad_files(void)
{
    check_refused(HEAD "<File Size='0'/></BlockMap>", ERR_CORRUPT, "no Name");
    check_refused(HEAD "<File Name='a'/></BlockMap>", ERR_CORRUPT, "no Size");
    check_refused(HEAD "<File Name='a' Size='-1'/></BlockMap>", ERR_CORRUPT, "Size");
    check_refused(HEAD "<File Name='a' Size='9223372036854775808'/></BlockMap>", ERR_CORRUPT,
                  "Size");
    check_refused(HEAD "<File Name='a' Size='0' LfhSize='4294967296'/></BlockMap>", ERR_CORRUPT,
                  "LfhSize");
    check_refused(HEAD "<File Name='' Size='0'/></BlockMap>", ERR_BAD_NAME, "line 1");
    check_refused(HEAD "<File Name='..\\a' Size='0'/></BlockMap>", ERR_BAD_NAME, "line 1");
    check_refused(HEAD "<File Name='C:\\a' Size='0'/></BlockMap>", ERR_BAD_NAME, "drive");
    check_refused(HEAD "<File Name='\\a' Size='0'/></BlockMap>", ERR_BAD_NAME, "line 1");
    check_refused(HEAD "<File Name='a\\b' Size='0'/>\n<File Name='A/B' Size='0'/></BlockMap>",
                  ERR_DUPLICATE_NAME, "line 2: \"A/B\"");
}

static void blockmap_refuses_a_wrong_number_of_blocks(void)
{
    check_refused(HEAD "<File Name='a' Size='1'/></BlockMap>", ERR_CORRUPT, "\"a\" has 0 blocks");
    check_refused(HEAD "<File Name='a' Size='65537'>" BLOCK "</File></BlockMap>", ERR_CORRUPT,
                  "make 2");
    check_refused(HEAD "<File Name='a' Size='65536'>" BLOCK BLOCK "</File></BlockMap>", ERR_CORRUPT,
                  "more blocks");
    check_refused(HEAD "<File Name='a' Size='0'>" BLOCK "</File></BlockMap>", ERR_CORRUPT,
                  "more blocks");
    check_refused(HEAD "<File Name='a' Size='9223372036854775807'>" BLOCK "</File></BlockMap>",
                  ERR_CORRUPT, "140737488355328");
}

static void blockmap_refuses_bad_blocks(void)
{
    static const char *const hashes[] = {
        "",
        "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA",
        HASH "=",
        HASH "AAAA",
        "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAh", /* 33 bytes */
        "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHw==", /* 31 */
        "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyB=", /* bits in the padding */
        "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHy-=",
        "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHy =",
    };
    char text[400];
    for (size_t i = 0; i < ARRAY_LEN(hashes); i++) {
        (void)snprintf(text, sizeof text,
                       HEAD "<File Name='a' Size='1'><Block Hash='%s'/></File></BlockMap>",
                       hashes[i]);
        check_refused(text, ERR_CORRUPT, "no hash");
    }
    check_refused(HEAD "<File Name='a' Size='1'><Block Size='1'/></File></BlockMap>", ERR_CORRUPT,
                  "no hash");
    check_refused(HEAD "<File Name='a' Size='1'><Block Hash='" HASH "' Size='131073'/></File>"
                       "</BlockMap>",
                  ERR_LIMIT, "131073");
    check_refused(HEAD "<File Name='a' Size='1'><Block Hash='" HASH "' Size='x'/></File>"
                       "</BlockMap>",
                  ERR_CORRUPT, "Size");
}

/* As large as packages are: 70,000 files, and one of 5 GiB. */
static void blockmap_of_a_large_package_is_read(void)
{
    enum { FILES = 70000, BLOCKS = 81920 };
    size_t room = FILES * 160ul + BLOCKS * 100ul + 1000, n = 0;
    char *text = malloc(room), name[40];
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    n += (size_t)sprintf(text + n, HEAD "<File Name='huge' Size='5368709120'>");
    for (unsigned i = 0; i < BLOCKS; i++)
        n += (size_t)sprintf(text + n, BLOCK);
    n += (size_t)sprintf(text + n, "</File>");
    for (unsigned i = 0; i < FILES; i++)
        n += (size_t)sprintf(text + n, "<File Name='Dir%u\\File%u' Size='1'>" BLOCK "</File>\n",
                             i / 100, i);
    n += (size_t)sprintf(text + n, "</BlockMap>");
    CU_ASSERT_FATAL(n < room);
    struct blockmap *map = read_text(text);
    free(text);
    CU_ASSERT_EQUAL(map->file_count, FILES + 1);
    CU_ASSERT_EQUAL(map->block_count, FILES + BLOCKS);
    for (unsigned i = 0; i < FILES; i++) {
        (void)sprintf(name, "DIR%u/fiLe%u", i / 100, i);
        const struct blockmap_file *f = find(map, name);
        CU_ASSERT_PTR_EQUAL(f, &map->files[i + 1]);
        CU_ASSERT_EQUAL(f->first_block, BLOCKS + i);
    }
    blockmap_free(map);
}

UNIT_MAIN("appx_blockmap", TEST(blockmap_reads_files_and_blocks),
          TEST(blockmap_finds_names_as_windows_does), TEST(blockmap_knows_three_digests),
          TEST(blockmap_passes_over_what_it_does_not_know), TEST(blockmap_may_be_empty),
          TEST(blockmap_refuses_other_documents), TEST(blockmap_refuses_bad_files),
          TEST(blockmap_refuses_a_wrong_number_of_blocks), TEST(blockmap_refuses_bad_blocks),
          TEST(blockmap_of_a_large_package_is_read))
