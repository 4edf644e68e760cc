/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Distinguished names of certificates compared with those that manifests write. Windows writes them in
 * the certificate's order reversed ("CN=Sample, O=\"A, B\", C=US"), quotes values with special
 * characters, doubles quotes in them, and has key words of its own (S, E, G, OID.1.2.3). Pure.
 */
#ifndef SRC_X500_NAME_H
#define SRC_X500_NAME_H

#include "src/compiler.h"

struct X509_name_st; /* OpenSSL's X509_NAME */

/*
 * Whether TEXT is NAME: the same relative names in the same order, first to last or last to first, with
 * the same values byte for byte in UTF-8. Also takes what RFC 2253 escapes with a backslash before one of
 * ",;+". False for a text that is no name, and for values in hexadecimal.
 */
bool x500_name_is(const struct X509_name_st *name, const char *text);

/* Whether TEXT is such a name at all, with a value in each part. */
bool x500_name_is_valid(const char *text);

#endif
