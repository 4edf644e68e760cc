/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Signatures in words and in JSON. See signature_text.h. */
#include "config.h"

#include "tools/signature_text.h"

#include <stdio.h>

#include "tools/text.h"

void signature_print(const struct archive_report *r)
{
    const struct appx_signature *s = r->signature;

    if (r->verdict == SIGNATURE_NONE && !r->why[0])
        return;
    (void)printf("signature: %s", signature_verdict_name(r->verdict));
    if (r->why[0])
        (void)fputs(": ", stdout);
    text_put(stdout, r->why);
    if (r->verdict == SIGNATURE_UNCHECKED)
        (void)fputs(r->documents_only ? ": intact, as is the block map that all files are checked with; sft verify "
                                        "looks at everything, and with --ca at whose it is"
                                      : ": intact; give --ca to say whom to trust",
                    stdout);
    (void)putchar('\n');
    if (!s)
        return;
    (void)fputs("  signer: ", stdout);
    text_put(stdout, s->signer);
    (void)fputs("\n  issuer: ", stdout);
    text_put(stdout, s->issuer);
    (void)printf("\n  certificate: %s to %s\n", s->not_before, s->not_after);
    if (s->timestamp[0])
        (void)printf("  time stamp: %s\n", s->timestamp);
}

static void put(struct json *j, const char *key, const char *text)
{
    json_string(j, key, text && text[0] ? text : NULL);
}

void signature_json(struct json *j, const struct archive_report *r)
{
    const struct appx_signature *s = r->signature;

    json_object(j, "signature");
    json_string(j, "verdict", signature_verdict_name(r->verdict));
    put(j, "why", r->why);
    put(j, "signer", s ? s->signer : NULL);
    put(j, "issuer", s ? s->issuer : NULL);
    put(j, "not_before", s ? s->not_before : NULL);
    put(j, "not_after", s ? s->not_after : NULL);
    put(j, "timestamp", s ? s->timestamp : NULL);
    json_bool(j, "documents_only", r->documents_only);
    json_close_object(j);
}
