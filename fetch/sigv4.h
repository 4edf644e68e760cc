/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * AWS Signature Version 4, which buckets of S3 and of everything that looks like S3 want. curl
 * signs (CURLOPT_AWS_SIGV4); here is what it leaves to its caller. Pure text work.
 *
 * The server computes the signature of the address as it understands it, with every byte encoded in
 * one way and the parameters of the query in order. curl signs the address as it is written; so it
 * has to be written like that.
 */
#ifndef FETCH_SIGV4_H
#define FETCH_SIGV4_H

#include "src/compiler.h"
#include "src/err.h"

/* The SHA-256 of no bytes, which is what the body of each request is. S3 wants it in a header. */
#define SIGV4_BODY_HEADER \
    "x-amz-content-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/* "REGION" or "REGION/SERVICE" (the service is s3 unless it is named) as curl's option wants it:
 * "aws:amz:REGION:SERVICE". ERR_INVALID for anything else. Caller frees *out. */
int sigv4_scope(const char *text, char **out, struct err *e) must_check;

/* URL, as from http_url_prepare(), in the form that is signed. Caller frees; NULL: no memory. */
char *sigv4_url(const char *url);

#endif
