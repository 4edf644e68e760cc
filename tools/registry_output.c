/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hives as text or JSON. See registry_output.h. */
#include "config.h"

#include "tools/registry_output.h"

#include <inttypes.h>
#include <string.h>

#include "src/utf16.h"
#include "tools/hive.h"

/* App-V marks values that have tokens, or no name, with bits above the type. */
#define TYPE_MASK 0xffffu

/* Keys that are deep in one another would make a small hive a huge text. */
#define PATH_BYTES_MAX (256u * 1024u * 1024u)

/* --- values ---------------------------------------------------------------------------------- */

/* DATA, text in UTF-16, with its tokens replaced; *out is NULL if it has none. Caller frees. */
static int replace_data(struct registry_output *o, const uint8_t *data, size_t len, uint8_t **out,
                        size_t *out_len, struct err *e)
{
    auto_free char *text = NULL, *replaced = NULL;
    size_t n;
    int rc = utf16_to_utf8(data, len, &text, &n);

    *out = NULL;
    if (rc == -EILSEQ || (!rc && !memmem(text, n, "[{", 2)))
        return 0;
    if (!rc)
        rc = appv_tokens_replace(o->tokens, text, n, &replaced, &n, e);
    else
        return err_nomem(e);
    if (!rc && utf16_from_utf8(replaced, n, out, out_len))
        rc = err_nomem(e); /* it is UTF-8: the options were looked at */
    return rc;
}

/* TEXT of N bytes, each string with a NUL behind it. */
static void strings_json(struct json *j, const char *text, size_t n)
{
    json_array(j, "strings");
    for (size_t at = 0; at < n; at += strlen(text + at) + 1)
        json_string(j, NULL, text + at);
    json_close_array(j);
}

/* Data as something better than bytes. False: it is not what its type says. */
static bool data_json(struct json *j, uint32_t type, const uint8_t *data, size_t len)
{
    auto_free char *text = NULL;
    size_t n;

    if ((type == REG_DWORD && len == 4) || (type == REG_QWORD && len == 8)) {
        uint64_t v = 0;
        for (size_t i = len; i-- > 0;)
            v = v << 8 | data[i];
        json_uint(j, "number", v);
        return true;
    }
    if (!reg_type_is_text(type) || utf16_to_utf8(data, len, &text, &n) || !n || text[n - 1])
        return false;
    if (type == REG_MULTI_SZ) {
        if (n > 1 && text[n - 2]) /* the empty string at the end is missing */
            return false;
        strings_json(j, text, n - 1);
        return true;
    }
    if (strlen(text) != n - 1)
        return false;
    json_string(j, "text", text);
    return true;
}

static void value_json(struct json *j, const char *name, uint32_t type, const uint8_t *data,
                       size_t len)
{
    char number[16];

    (void)snprintf(number, sizeof number, "0x%" PRIx32, type);
    json_object(j, NULL);
    json_string(j, "name", name);
    json_string(j, "type", reg_type_name(type) ? reg_type_name(type) : number);
    if (!data_json(j, type, data, len))
        json_hex(j, "hex", data, len);
    json_close_object(j);
}

static int on_value(void *arg, const struct hive_value *v, struct err *e)
{
    struct registry_output *o = arg;
    auto_free char *name = NULL;
    auto_free uint8_t *replaced = NULL;
    uint32_t type = v->type & TYPE_MASK;
    const uint8_t *data = v->data;
    size_t len = v->len, name_len, new_len;

    if (!o->in_key) {
        o->left_out++;
        return 0;
    }
    int rc = appv_tokens_replace(o->tokens, v->name, strlen(v->name), &name, &name_len, e);
    if (!rc && reg_type_is_text(type))
        rc = replace_data(o, data, len, &replaced, &new_len, e);
    if (rc)
        return rc;
    if (replaced) {
        data = replaced;
        len = new_len;
    }
    if (!o->json_to)
        return reg_text_value(&o->text, name, type, data, len, e);
    value_json(&o->json, name, type, data, len);
    return 0;
}

/* --- keys ------------------------------------------------------------------------------------ */

static void close_key(struct registry_output *o)
{
    if (!o->key_is_open)
        return;
    json_close_array(&o->json);
    json_close_object(&o->json);
    o->key_is_open = false;
}

static int on_key(void *arg, const char *hive_path, struct err *e)
{
    struct registry_output *o = arg;
    auto_free char *place = NULL, *path = NULL;
    size_t len;

    if (registry_path(o->which, hive_path, &place))
        return err_nomem(e);
    o->in_key = place;
    if (!place)
        return 0;
    int rc = appv_tokens_replace_key(o->tokens, place, strlen(place), &path, &len, e);
    if (rc)
        return rc;
    o->path_bytes += len;
    if (o->path_bytes > PATH_BYTES_MAX)
        return err_set(e, ERR_LIMIT, "the paths of all keys are longer than %u bytes",
                       PATH_BYTES_MAX);
    if (!o->json_to)
        return reg_text_key(&o->text, path, e);
    close_key(o);
    json_object(&o->json, NULL);
    json_string(&o->json, "path", path);
    json_array(&o->json, "values");
    o->key_is_open = true;
    return 0;
}

/* --- all of it ------------------------------------------------------------------------------- */

int registry_output_begin(struct registry_output *o, struct err *e)
{
    if (!o->json_to)
        return reg_text_begin(&o->text, e);
    o->json = json_begin(o->json_to);
    json_object(&o->json, NULL);
    json_array(&o->json, "keys");
    return 0;
}

int registry_output_hive(struct registry_output *o, enum registry_hive which, const void *data,
                         size_t len, struct err *e)
{
    struct hive_reader reader = { .key = on_key, .value = on_value, .arg = o };

    o->which = which;
    int rc = hive_read(data, len, &reader, e);
    o->left_out += reader.unnamed;
    if (rc)
        err_wrap(e, "%s", registry_hive_name(which));
    return rc;
}

void registry_output_end(struct registry_output *o, bool complete)
{
    const char *const *names;
    struct json *j = &o->json;

    if (!o->json_to)
        return;
    close_key(o);
    json_close_array(j);
    json_bool(j, "complete", complete);
    json_uint(j, "tokens_replaced", appv_tokens_replaced(o->tokens));
    json_uint(j, "tokens_unknown", appv_tokens_unknown(o->tokens, &names));
    json_array(j, "unknown_tokens");
    for (; *names; names++)
        json_string(j, NULL, *names);
    json_close_array(j);
    json_uint(j, "left_out", o->left_out);
    json_close_object(j);
    (void)json_end(j); /* the caller looks at the stream */
}
