/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of src/x500_name.c. */
#include "config.h"

#include <openssl/objects.h>
#include <openssl/x509.h>

#include "src/x500_name.h"
#include "tests/unit.h"

struct entry {
    const char *type, *value;
    int set; /* 0: a relative name of its own; -1: part of the one before */
};

static X509_NAME *make_name(const struct entry *entries, size_t count)
{
    X509_NAME *name = X509_NAME_new(), *read = NULL;
    unsigned char *der = NULL;

    for (size_t i = 0; i < count; i++) {
        ASN1_OBJECT *type = OBJ_txt2obj(entries[i].type, 0);
        CU_ASSERT_FATAL(type && X509_NAME_add_entry_by_OBJ(
                                    name, type, MBSTRING_UTF8,
                                    (const unsigned char *)entries[i].value, -1, -1, entries[i].set));
        ASN1_OBJECT_free(type);
    }
    /* As it comes from a certificate. */
    int len = i2d_X509_NAME(name, &der);
    const unsigned char *p = der;
    CU_ASSERT_FATAL(len > 0 && d2i_X509_NAME(&read, &p, len));
    OPENSSL_free(der);
    X509_NAME_free(name);
    return read;
}

static void check_all(const X509_NAME *name, const char *const *texts, size_t count, bool same)
{
    for (size_t i = 0; i < count; i++) {
        if (x500_name_is(name, texts[i]) != same)
            printf("\n    %s", texts[i]);
        CU_ASSERT_EQUAL(x500_name_is(name, texts[i]), same);
    }
}

static void names_are_compared_in_either_order(void)
{
    static const struct entry entries[] = {
        { "C", "US", 0 }, { "ST", "State", 0 }, { "O", "A, B", 0 }, { "CN", "Sample", 0 }
    };
    static const char *const same[] = {
        "CN=Sample, O=\"A, B\", S=State, C=US",
        "C=US, ST=State, O=\"A, B\", CN=Sample",
        "CN=Sample,O=\"A, B\",S=State,C=US",
        "cn = Sample , o=A\\, B; s=State;C=US ",
        "OID.2.5.4.3=Sample, 2.5.4.10=\"A, B\", S=State, C=US",
    };
    static const char *const other[] = {
        "",
        "CN=Sample",
        "CN=Sample, O=\"A, B\", S=State",
        "O=\"A, B\", CN=Sample, S=State, C=US",
        "CN=sample, O=\"A, B\", S=State, C=US",
        "CN=Sample, O=\"A, B\", S=State, C=US, C=US",
        "CN=Sample, O=\"A, B\", S=State, C=US,",
        "CN=Sample, O=\"A, B\" evil, S=State, C=US",
        "CN=Sample, O=\"A, B\"xS=State, C=US",
        "CN=Sample, O=\"A, B, S=State, C=US",
        "CN=Sample, O=A, B, S=State, C=US",
        "CN=Sample, X=\"A, B\", S=State, C=US",
        "CN=Sample, O=\"A, B\", S=State+C=US",
        "CN=\"Sample \", O=\"A, B\", S=State, C=US",
        "CN=#0C0653616D706C65, O=\"A, B\", S=State, C=US",
        "CN=Sample, O=\"A, B\", S=State, OID.=US",
        "=Sample, O=\"A, B\", S=State, C=US",
    };
    X509_NAME *name = make_name(entries, ARRAY_LEN(entries));
    check_all(name, same, ARRAY_LEN(same), true);
    check_all(name, other, ARRAY_LEN(other), false);
    X509_NAME_free(name);
}

static void quotes_and_special_characters_are_understood(void)
{
    static const struct entry entries[] = { { "O", "A \"B\" + C", 0 }, { "CN", "x\\y=z", 0 } };
    static const char *const same[] = { "CN=x\\y=z, O=\"A \"\"B\"\" + C\"",
                                        "CN=\"x\\y=z\", O=A \"B\" \\+ C" };
    static const char *const other[] = { "CN=xy=z, O=\"A \"\"B\"\" + C\"",
                                         "CN=x\\y=z, O=\"A \"B\" + C\"" };
    X509_NAME *name = make_name(entries, ARRAY_LEN(entries));
    check_all(name, same, ARRAY_LEN(same), true);
    check_all(name, other, ARRAY_LEN(other), false);
    X509_NAME_free(name);
}

/* Extended validation: what Windows and OpenSSL have different words for. */
static void every_key_word_of_manifests_is_known(void)
{
    static const struct entry entries[] = {
        { "1.3.6.1.4.1.311.60.2.1.3", "US", 0 }, { "serialNumber", "1", 0 }, { "C", "US", 0 },
        { "postalCode", "2", 0 }, { "street", "3", 0 }, { "emailAddress", "a@b", 0 },
        { "GN", "4", 0 }, { "SN", "5", 0 }, { "DC", "com", 0 }, { "title", "6", 0 },
        { "telephoneNumber", "7", 0 }, { "description", "8", 0 },
    };
    static const char *const same[] = {
        "Description=8, Phone=7, T=6, DC=com, SN=5, G=4, E=a@b, STREET=3, PostalCode=2, C=US, "
        "SERIALNUMBER=1, OID.1.3.6.1.4.1.311.60.2.1.3=US",
    };
    X509_NAME *name = make_name(entries, ARRAY_LEN(entries));
    check_all(name, same, ARRAY_LEN(same), true);
    X509_NAME_free(name);
}

static void parts_of_a_relative_name_have_no_order(void)
{
    static const struct entry entries[] = { { "C", "US", 0 }, { "CN", "a", 0 }, { "OU", "b", -1 } };
    static const char *const same[] = { "CN=a + OU=b, C=US", "OU=b+CN=a, C=US", "C=US, CN=a+OU=b" };
    static const char *const other[] = { "CN=a, OU=b, C=US", "CN=a+CN=a, C=US", "CN=a+OU=b+C=US" };
    X509_NAME *name = make_name(entries, ARRAY_LEN(entries));
    check_all(name, same, ARRAY_LEN(same), true);
    check_all(name, other, ARRAY_LEN(other), false);
    X509_NAME_free(name);
}

static void long_values_are_compared_whole(void)
{
    char value[1001], text[1100];
    memset(value, 'x', 1000);
    value[1000] = '\0';
    const struct entry entries[] = { { "2.5.4.13", value, 0 } }; /* description: up to 1024 */
    X509_NAME *name = make_name(entries, 1);
    (void)snprintf(text, sizeof text, "Description=%s", value);
    CU_ASSERT(x500_name_is(name, text));
    (void)snprintf(text, sizeof text, "Description=%sx", value);
    CU_ASSERT_FALSE(x500_name_is(name, text));
    (void)snprintf(text, sizeof text, "Description=%.*s", 999, value);
    CU_ASSERT_FALSE(x500_name_is(name, text));
    char *many = malloc(20000);
    CU_ASSERT_PTR_NOT_NULL_FATAL(many);
    memset(many, 'a', 19999);
    many[19999] = '\0';
    CU_ASSERT_FALSE(x500_name_is(name, many));
    for (size_t i = 0; i + 5 < 8000; i += 5)
        memcpy(many + i, "C=US,", 6);
    CU_ASSERT_FALSE(x500_name_is(name, many));
    free(many);
    X509_NAME_free(name);
}

static void a_name_without_parts_is_nobody(void)
{
    X509_NAME *name = X509_NAME_new();
    CU_ASSERT_FALSE(x500_name_is(name, ""));
    CU_ASSERT_FALSE(x500_name_is(name, "CN="));
    X509_NAME_free(name);
}

static void a_text_is_a_name_or_is_none(void)
{
    static const char *const good[] = { "CN=Sample", "CN=Sample, O=\"A, B\", S=State, C=US",
                                        "OID.2.5.4.3=Sample", "cn=a + ou=b; C=DE" };
    static const char *const bad[] = { "", "Sample", "CN=", "CN=a,", "CN=a, O=", "Nothing=a", "CN=\"a",
                                       "CN=\"a\"b", "CN=#0101" };
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        CU_ASSERT(x500_name_is_valid(good[i]));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CU_ASSERT_FALSE(x500_name_is_valid(bad[i]));
}

UNIT_MAIN("x500-name", TEST(a_text_is_a_name_or_is_none), TEST(names_are_compared_in_either_order),
          TEST(quotes_and_special_characters_are_understood),
          TEST(every_key_word_of_manifests_is_known), TEST(parts_of_a_relative_name_have_no_order),
          TEST(long_values_are_compared_whole), TEST(a_name_without_parts_is_nobody))
