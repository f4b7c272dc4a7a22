// SPDX-License-Identifier: Apache-2.0
#include "localmap/model/record.h"

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))

static const char *const status_names[STATUS_COUNT] = {
#define STATUS(name, number) [number] = #name,
#include "localmap/model/model.def"
#undef STATUS
};

static const char *const reason_words[REASON_COUNT] = {
#define REASON(name, number, word, text) [number] = word,
#include "localmap/model/model.def"
#undef REASON
};

static const char *const vantage_names[VANTAGE_COUNT] = {
    [VANTAGE_LOCAL] = "local",
    [VANTAGE_PEER] = "peer",
    [VANTAGE_PROXY] = "proxy",
    [VANTAGE_EXTERNAL] = "external",
};

static const char *const source_names[SOURCE_COUNT] = {
    [SOURCE_API] = "api",
    [SOURCE_CONFIG] = "config",
    [SOURCE_KUBERNETES] = "kubernetes",
};

static const char *const check_type_names[CHECK_TYPE_COUNT] = {
    [CHECK_NONE] = "none", [CHECK_HTTP] = "http", [CHECK_HTTPS] = "https",
    [CHECK_TCP] = "tcp",   [CHECK_GRPC] = "grpc",
};

// The word of a number that comes from memory, hence in range; a wrong one shows as the table's first.
static const char *word_of(const char *const *words, size_t count, size_t number)
{
    const char *word = number < count ? words[number] : NULL;
    return word != NULL ? word : words[0];
}

static bool number_of(const char *const *words, size_t count, struct span word, size_t *ret_number)
{
    for (size_t i = 0; i < count; i++) {
        if (words[i] != NULL && span_eq_str(word, words[i])) {
            *ret_number = i;
            return true;
        }
    }
    return false;
}

const char *status_name(enum status status)
{
    return word_of(status_names, COUNT_OF(status_names), (size_t)status);
}

const char *reason_word(enum reason reason)
{
    return word_of(reason_words, COUNT_OF(reason_words), (size_t)reason);
}

const char *vantage_name(enum vantage vantage)
{
    return word_of(vantage_names, COUNT_OF(vantage_names), (size_t)vantage);
}

const char *source_name(enum source source)
{
    return word_of(source_names, COUNT_OF(source_names), (size_t)source);
}

const char *check_type_name(enum check_type type)
{
    return word_of(check_type_names, COUNT_OF(check_type_names), (size_t)type);
}

bool status_parse(struct span word, enum status *ret_status)
{
    size_t number = 0;
    if (!number_of(status_names, COUNT_OF(status_names), word, &number)) {
        return false;
    }
    *ret_status = (enum status)number;
    return true;
}

bool reason_parse(struct span word, enum reason *ret_reason)
{
    size_t number = 0;
    if (!number_of(reason_words, COUNT_OF(reason_words), word, &number)) {
        return false;
    }
    *ret_reason = (enum reason)number;
    return true;
}

bool check_type_parse(struct span word, enum check_type *ret_type)
{
    size_t number = 0;
    if (!number_of(check_type_names, COUNT_OF(check_type_names), word, &number)) {
        return false;
    }
    *ret_type = (enum check_type)number;
    return true;
}

// The numbers are those of `services` in the configuration (INTERFACE); field.c leaves them out on the wire.
void record_policy_default(struct policy *ret_policy)
{
    *ret_policy = (struct policy){
        .check = {.type = CHECK_NONE,
                  .path = SPAN_LIT("/healthz"),
                  .interval_ms = 2000,
                  .timeout_ms = 500,
                  .rise = 2,
                  .fall = 3,
                  .expect_min = 200,
                  .expect_max = 299},
        .observers = 3,
        .max_unhealthy_percent = 50,
        .damping = true,
        .scope = SCOPE_MESH,
    };
}
