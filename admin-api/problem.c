// SPDX-License-Identifier: Apache-2.0
#include "admin-api/problem.h"

#include "admin-api/response.h"
#include "base/json_write.h"
#include "base/utf8.h"

#include <stdio.h>

#define RETRY_AFTER_S 1

static const struct {
    const char *word;
    unsigned status;
    const char *title;
} problems[PROBLEM_COUNT] = {
#define PROBLEM(name, code, status, title) [PROBLEM_##name] = {code, status, title},
#include "admin-api/problem.def"
#undef PROBLEM
};

unsigned problem_status(enum problem_code code)
{
    return problems[code].status;
}

const char *problem_word(enum problem_code code)
{
    return problems[code].word;
}

const char *problem_title(enum problem_code code)
{
    return problems[code].title;
}

// Opens the object; the caller closes it.
static void begin(struct response *response, struct json_writer *json, enum problem_code code,
                  const char *detail)
{
    char type[64];
    (void)snprintf(type, sizeof(type), "urn:meshpulse:problem:%s", problems[code].word);
    buf_reset(&response->body);
    response->kind = RESPONSE_COMPLETE;
    response->status = problems[code].status;
    response->content_type = "application/problem+json";
    response->header_count = 0;
    json_writer_init(json, &response->body, JSON_COMPACT);
    json_write_object(json, NULL);
    json_write_text(json, "type", type);
    json_write_text(json, "title", problems[code].title);
    json_write_int(json, "status", problems[code].status);
    json_write_text(json, "detail", detail);
    json_write_text(json, "code", problems[code].word);
    if (problems[code].status == 429 || problems[code].status == 503) {
        json_write_int(json, "retry_after", RETRY_AFTER_S);
        response_header(response, "Retry-After", "1");
    }
}

void problem_fill(struct response *response, enum problem_code code, const char *detail)
{
    struct json_writer json;
    begin(response, &json, code, detail);
    json_write_object_end(&json);
}

static void put_char(char pointer[PROBLEM_POINTER_LEN], size_t *len, char c)
{
    if (*len + 1 < PROBLEM_POINTER_LEN) {
        pointer[(*len)++] = c;
    }
}

void problem_field_add(struct problem_fields *fields, const char *parent, const struct span *name,
                       const char *detail)
{
    if (fields->count == PROBLEM_FIELDS_MAX) {
        return;
    }
    char *pointer = fields->at[fields->count].pointer;
    size_t len = 0;
    for (const char *c = parent; *c != '\0'; c++) {
        put_char(pointer, &len, *c);
    }
    if (name != NULL) {
        put_char(pointer, &len, '/');
    }
    for (size_t i = 0; name != NULL && i < name->len; i++) {
        char c = name->ptr[i];
        bool escaped = c == '~' || c == '/';
        put_char(pointer, &len, escaped ? '~' : c);
        if (escaped) {
            put_char(pointer, &len, c == '~' ? '0' : '1');
        }
    }
    // A cut must not leave half a character behind.
    len = utf8_cut(span_of(pointer, len), PROBLEM_POINTER_LEN - 2).len;
    pointer[len] = '\0';
    (void)snprintf(fields->at[fields->count].detail, PROBLEM_DETAIL_LEN, "%s", detail);
    fields->count++;
}

void problem_fill_fields(struct response *response, const struct problem_fields *fields)
{
    struct json_writer json;
    begin(response, &json, PROBLEM_INVALID_FIELD, fields->at[0].detail);
    json_write_array(&json, "errors");
    for (size_t i = 0; i < fields->count; i++) {
        json_write_object(&json, NULL);
        json_write_text(&json, "pointer", fields->at[i].pointer);
        json_write_text(&json, "detail", fields->at[i].detail);
        json_write_object_end(&json);
    }
    json_write_array_end(&json);
    json_write_object_end(&json);
}

void problem_field(struct response *response, const char *part, const char *detail)
{
    struct problem_fields fields = {.count = 0};
    char text[PROBLEM_DETAIL_LEN];
    (void)snprintf(text, sizeof(text), "the %s in the path: %s", part, detail);
    problem_field_add(&fields, "", NULL, text);
    problem_fill_fields(response, &fields);
}

void problem_stale_begin(struct response *response)
{
    struct json_writer json;
    begin(response, &json, PROBLEM_STALE_VERSION, "the condition does not hold for what is there");
    buf_put(&response->body, SPAN_LIT(",\"current\":"));
}

void problem_stale_end(struct response *response)
{
    buf_put(&response->body, SPAN_LIT("}"));
}
