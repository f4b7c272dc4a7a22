// SPDX-License-Identifier: Apache-2.0
#include "admin-api/body.h"

#include "base/text.h"
#include "base/utf8.h"
#include "localmap/model/record.h"

void body_error(struct body_reader *reader, const struct json *value, const char *detail)
{
    const struct span name = value == NULL ? SPAN_NONE : json_key(value);
    problem_field_add(reader->errors, reader->parent, value == NULL ? NULL : &name, detail);
}

void body_require(struct body_reader *reader, const struct json *object, const char *key)
{
    const struct span name = span_str(key);
    if (json_get(object, key) == NULL) {
        problem_field_add(reader->errors, reader->parent, &name, "it is required");
    }
}

static const struct body_field *field_of(struct span name, const struct body_field *table,
                                         size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (span_eq_str(name, table[i].name)) {
            return &table[i];
        }
    }
    return NULL;
}

bool body_read(struct body_reader *reader, const struct json *object,
               const struct body_field *table, size_t count)
{
    if (json_type(object) != JSON_OBJECT) {
        body_error(reader, NULL, "it must be an object");
        return false;
    }
    for (const struct json *member = json_first(object); member != NULL;
         member = json_next(member)) {
        const struct span name = json_key(member);
        const struct body_field *field = field_of(name, table, count);
        if (field == NULL) {
            body_error(reader, member, "there is no such field");
        } else if (field->read != NULL && json_is_null(member) && !field->takes_null) {
            body_error(reader, member, "it must not be null");
        } else if (field->read != NULL) {
            field->read(reader, member);
        }
    }
    return true;
}

bool body_u64(struct body_reader *reader, const struct json *value, uint64_t *ret_value)
{
    if (json_u64(value, ret_value) == ERR_OK && *ret_value <= JSON_INT_MAX) {
        return true;
    }
    body_error(reader, value, "a whole number, as a number or in a string");
    return false;
}

bool body_string(struct body_reader *reader, const struct json *value, struct span *ret_text)
{
    if (json_string(value, ret_text) == ERR_OK) {
        return true;
    }
    body_error(reader, value, "it must be a string");
    return false;
}

bool body_text(struct body_reader *reader, const struct json *value, struct span *ret_text)
{
    struct span text;
    if (!body_string(reader, value, &text)) {
        return false;
    }
    *ret_text = utf8_cut(text, RECORD_TEXT_MAX);
    return true;
}

bool body_duration(struct body_reader *reader, const struct json *value,
                   const struct body_duration *rule, uint64_t *ret_ms)
{
    struct span text;
    uint64_t ms = 0;
    bool good = json_string(value, &text) == ERR_OK && text_duration(text, &ms) == ERR_OK;
    if (good && ((rule->zero && ms == 0) || (ms >= rule->min_ms && ms <= rule->max_ms))) {
        *ret_ms = ms;
        return true;
    }
    body_error(reader, value, rule->detail);
    return false;
}
