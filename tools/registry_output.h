/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A package's hives, one after the other, as text for regedit or as JSON: keys at their places,
 * tokens replaced. Single-threaded.
 *
 *     struct registry_output o = { .tokens = tokens, .text = { .write = … } };
 *     registry_output_begin(&o, &e);
 *     registry_output_hive(&o, REGISTRY_MACHINE, data, len, &e);
 *     registry_output_end(&o, true);
 */
#ifndef TOOLS_REGISTRY_OUTPUT_H
#define TOOLS_REGISTRY_OUTPUT_H

#include <stdint.h>

#include "src/appv_tokens.h"
#include "src/compiler.h"
#include "src/err.h"
#include "tools/json.h"
#include "tools/reg_text.h"
#include "tools/registry_path.h"

struct registry_output {
    struct appv_tokens *tokens; /* borrowed */
    FILE *json_to;              /* JSON goes there; NULL: text */
    struct reg_text text;       /* where text goes */
    uint64_t left_out; /* keys and values that regedit could not read, or that belong nowhere */

    struct json json; /* the rest is our own */
    enum registry_hive which;
    bool in_key;         /* the current key has a place */
    bool key_is_open;    /* as an object of JSON */
    uint64_t path_bytes; /* of all keys */
};

/* These return 0, or a negative errno: those of hive_read() and reg_text_value(). */
int registry_output_begin(struct registry_output *o, struct err *e) must_check;
int registry_output_hive(struct registry_output *o, enum registry_hive which, const void *data,
                         size_t len, struct err *e) must_check;

/* JSON is well-formed then, whether COMPLETE or not; write errors stay in the stream. */
void registry_output_end(struct registry_output *o, bool complete);

#endif
