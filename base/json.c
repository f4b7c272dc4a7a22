// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"

#include "base/assert.h"
#include "base/text.h"

#include <cjson/cJSON.h>
#include <math.h>

// `struct json` is never defined: a pointer to one is a pointer to cJSON's node.
static const cJSON *inside(const struct json *node)
{
    return (const cJSON *)node;
}

static const struct json *outside(const cJSON *node)
{
    return (const struct json *)node;
}

enum err json_parse(struct span text, struct json **ret_root, struct json_error *ret_error)
{
    const enum err err = json_lex(text, ret_error);
    if (err != ERR_OK) {
        return err;
    }
    // What the lexer accepts cJSON accepts (tests/unit/base/test_json.c), so NULL means no memory.
    cJSON *root = cJSON_ParseWithLength(text.ptr, text.len);
    if (root == NULL) {
        return ERR_NOMEM;
    }
    *ret_root = (struct json *)root;
    return ERR_OK;
}

void json_free(struct json *root)
{
    cJSON_Delete((cJSON *)root);
}

enum json_type json_type(const struct json *node)
{
    const cJSON *item = inside(node);
    if (cJSON_IsBool(item)) {
        return JSON_BOOL;
    }
    if (cJSON_IsNumber(item)) {
        return JSON_NUMBER;
    }
    if (cJSON_IsString(item)) {
        return JSON_STRING;
    }
    if (cJSON_IsArray(item)) {
        return JSON_ARRAY;
    }
    return cJSON_IsObject(item) ? JSON_OBJECT : JSON_NULL;
}

const struct json *json_get(const struct json *object, const char *key)
{
    if (!cJSON_IsObject(inside(object))) {
        return NULL;
    }
    return outside(cJSON_GetObjectItemCaseSensitive(inside(object), key));
}

const struct json *json_first(const struct json *parent)
{
    return parent == NULL ? NULL : outside(inside(parent)->child);
}

const struct json *json_next(const struct json *node)
{
    return outside(inside(node)->next);
}

size_t json_count(const struct json *parent)
{
    size_t count = 0;
    for (const struct json *node = json_first(parent); node != NULL; node = json_next(node)) {
        count++;
    }
    return count;
}

struct span json_key(const struct json *node)
{
    const char *key = inside(node)->string;
    return key == NULL ? SPAN_NONE : span_str(key);
}

// ERR_OK when `node` is there and of `type`.
static enum err expect(const struct json *node, enum json_type type)
{
    if (node == NULL) {
        return ERR_NOT_FOUND;
    }
    return json_type(node) == type ? ERR_OK : ERR_INVALID;
}

enum err json_string(const struct json *node, struct span *ret_value)
{
    const enum err err = expect(node, JSON_STRING);
    if (err == ERR_OK) {
        *ret_value = span_str(inside(node)->valuestring);
    }
    return err;
}

enum err json_bool(const struct json *node, bool *ret_value)
{
    const enum err err = expect(node, JSON_BOOL);
    if (err == ERR_OK) {
        *ret_value = cJSON_IsTrue(inside(node));
    }
    return err;
}

enum err json_double(const struct json *node, double *ret_value)
{
    const enum err err = expect(node, JSON_NUMBER);
    if (err == ERR_OK) {
        *ret_value = inside(node)->valuedouble;
    }
    return err;
}

enum err json_int(const struct json *node, int64_t min, int64_t max, int64_t *ret_value)
{
    ASSERT(min >= -JSON_INT_MAX && max <= JSON_INT_MAX);
    double value;
    const enum err err = json_double(node, &value);
    if (err != ERR_OK) {
        return err;
    }
    if (floor(value) < value) {
        return ERR_INVALID;
    }
    if (value < (double)min || value > (double)max) {
        return ERR_RANGE;
    }
    *ret_value = (int64_t)value;
    return ERR_OK;
}

enum err json_u64(const struct json *node, uint64_t *ret_value)
{
    struct span text;
    if (json_string(node, &text) == ERR_OK) {
        const enum err err = text_u64(text, ret_value);
        return err == ERR_SYNTAX ? ERR_INVALID : err;
    }
    int64_t value;
    const enum err err = json_int(node, 0, JSON_INT_MAX, &value);
    if (err == ERR_OK) {
        *ret_value = (uint64_t)value;
    }
    return err;
}
