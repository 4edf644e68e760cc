/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Distinguished names as Windows writes them. See x500_name.h. */
#include "config.h"

#include "src/x500_name.h"

#include <string.h>
#include <strings.h>

#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509.h>

#define VALUES_MAX 64u /* in a name; real ones have about ten */
#define TEXT_MAX   8192u

/* One "type=value". */
struct value {
    unsigned rdn; /* which relative name it is part of */
    ASN1_OBJECT *type;
    const char *text; /* in parsed_name.bytes */
    size_t len;
};

struct parsed_name {
    struct value values[VALUES_MAX];
    unsigned count, rdns;
    char bytes[TEXT_MAX];
    size_t used;
};

/* The key words of manifests, which are not all OpenSSL's. */
static const struct {
    const char *name;
    int nid;
} types[] = {
    { "CN", NID_commonName },
    { "O", NID_organizationName },
    { "OU", NID_organizationalUnitName },
    { "L", NID_localityName },
    { "S", NID_stateOrProvinceName },
    { "ST", NID_stateOrProvinceName },
    { "C", NID_countryName },
    { "E", NID_pkcs9_emailAddress },
    { "emailAddress", NID_pkcs9_emailAddress },
    { "STREET", NID_streetAddress },
    { "T", NID_title },
    { "TITLE", NID_title },
    { "G", NID_givenName },
    { "GN", NID_givenName },
    { "I", NID_initials },
    { "SN", NID_surname },
    { "DC", NID_domainComponent },
    { "UID", NID_userId },
    { "SERIALNUMBER", NID_serialNumber },
    { "Description", NID_description },
    { "PostalCode", NID_postalCode },
    { "POBox", NID_postOfficeBox },
    { "Phone", NID_telephoneNumber },
    { "X21Address", NID_x121Address },
    { "dnQualifier", NID_dnQualifier },
};

/* --- the text --------------------------------------------------------------------------------- */

static ASN1_OBJECT *type_of(const char *name, size_t len)
{
    char text[80];

    while (len && name[len - 1] == ' ')
        len--;
    if (!len || len >= sizeof text)
        return NULL;
    memcpy(text, name, len);
    text[len] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (!strcasecmp(text, types[i].name))
            return OBJ_nid2obj(types[i].nid);
    const char *oid = strncasecmp(text, "OID.", 4) ? text : text + 4;
    return oid[strspn(oid, "0123456789.")] ? NULL : OBJ_txt2obj(oid, 1);
}

/* "a ""b""": up to the closing quote. Returns what is behind it, or NULL. */
static const char *read_quoted(const char *p, char *out, size_t *len)
{
    for (p++; *p; p++) {
        if (*p == '"' && *++p != '"')
            return p;
        out[(*len)++] = *p;
    }
    return NULL;
}

static const char *read_plain(const char *p, char *out, size_t *len)
{
    for (; *p && !strchr(",;+", *p); p++) {
        if (*p == '\\' && p[1] && strchr(",;+", p[1]))
            p++;
        out[(*len)++] = *p;
    }
    while (*len && out[*len - 1] == ' ')
        --*len;
    return p;
}

/* Reads one "type=value"; returns what is behind it, or NULL. */
static const char *read_one(const char *p, struct parsed_name *n)
{
    p += strspn(p, " ");
    size_t type_len = strcspn(p, "=");
    if (p[type_len] != '=' || n->count == VALUES_MAX)
        return NULL;
    struct value *v = &n->values[n->count];
    *v = (struct value){ .rdn = n->rdns, .type = type_of(p, type_len), .text = n->bytes + n->used };
    if (!v->type)
        return NULL;
    n->count++;
    p += type_len + 1;
    p += strspn(p, " ");
    if (*p == '#')
        return NULL;
    char *out = n->bytes + n->used;
    p = *p == '"' ? read_quoted(p, out, &v->len) : read_plain(p, out, &v->len);
    n->used += v->len; /* never more than the text has: it was measured */
    return p ? p + strspn(p, " ") : NULL;
}

static bool read_name(const char *p, struct parsed_name *n)
{
    if (strlen(p) >= TEXT_MAX)
        return false;
    while ((p = read_one(p, n)) && *p) {
        if (!strchr(",;+", *p))
            return false; /* something behind a quoted value */
        n->rdns += *p++ != '+';
    }
    n->rdns++;
    return p;
}

/* --- comparing -------------------------------------------------------------------------------- */

static bool entry_is(const X509_NAME_ENTRY *entry, const struct value *v)
{
    unsigned char *text = NULL;
    int len;

    if (OBJ_cmp(X509_NAME_ENTRY_get_object(entry), v->type))
        return false;
    len = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(entry));
    bool same = len >= 0 && (size_t)len == v->len && (!len || !memcmp(text, v->text, v->len));
    OPENSSL_free(text);
    return same;
}

/* Whether relative name RDN of NAME is number TEXT_RDN of the text; inside one, order has no meaning. */
static bool rdn_is(const X509_NAME *name, unsigned rdn, const struct parsed_name *n,
                   unsigned text_rdn)
{
    uint64_t taken = 0; /* a bit for each value of the text */
    unsigned wanted = 0, found = 0;

    for (unsigned i = 0; i < n->count; i++)
        wanted += n->values[i].rdn == text_rdn;
    for (int k = 0; k < X509_NAME_entry_count(name); k++) {
        const X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, k);
        if (X509_NAME_ENTRY_set(entry) != (int)rdn)
            continue;
        unsigned i = 0;
        while (i < n->count && (n->values[i].rdn != text_rdn || taken >> i & 1 ||
                                !entry_is(entry, &n->values[i])))
            i++;
        if (i == n->count)
            return false;
        taken |= UINT64_C(1) << i;
        found++;
    }
    return found == wanted;
}

static bool names_are_same(const X509_NAME *name, const struct parsed_name *n)
{
    int count = X509_NAME_entry_count(name);
    bool forward = true, backward = true;

    if (count <= 0 || (unsigned)count != n->count ||
        (unsigned)X509_NAME_ENTRY_set(X509_NAME_get_entry(name, count - 1)) + 1 != n->rdns)
        return false;
    for (unsigned i = 0; i < n->rdns && (forward || backward); i++) {
        forward = forward && rdn_is(name, i, n, i);
        backward = backward && rdn_is(name, i, n, n->rdns - 1 - i);
    }
    return forward || backward;
}

static void parsed_name_free(struct parsed_name *n)
{
    for (unsigned i = 0; n && i < n->count; i++)
        ASN1_OBJECT_free(n->values[i].type); /* does nothing to those of OpenSSL's own table */
    free(n);
    ERR_clear_error();
}

bool x500_name_is(const X509_NAME *name, const char *text)
{
    struct parsed_name *n = calloc(1, sizeof *n);
    bool same = n && read_name(text, n) && names_are_same(name, n);

    parsed_name_free(n);
    return same;
}

bool x500_name_is_valid(const char *text)
{
    struct parsed_name *n = calloc(1, sizeof *n);
    bool valid = n && read_name(text, n);

    for (unsigned i = 0; valid && i < n->count; i++)
        valid = n->values[i].len;
    parsed_name_free(n);
    return valid;
}
