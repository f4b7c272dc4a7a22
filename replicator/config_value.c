// SPDX-License-Identifier: Apache-2.0
#include "replicator/config_value.h"

#include "base/assert.h"
#include "base/json_write.h"
#include "base/text.h"
#include "replicator/config_form.h"
#include "replicator/config_pool.h"

#define ITEMS_MAX 1024

static void *field(struct config *config, const struct config_row *row)
{
    return (char *)config + row->offset;
}

static const void *field_of(const struct config *config, const struct config_row *row)
{
    return (const char *)config + row->offset;
}

// Limits stand in the table as text, so that the table reads like the file.
static uint64_t limit(const struct config_row *row, const char *text)
{
    uint64_t value = 0;
    enum err err = row->type == CONFIG_TYPE_DURATION ? text_duration(span_str(text), &value)
                                                     : text_u64(span_str(text), &value);
    ASSERT(err == ERR_OK && value <= UINT32_MAX);
    return value;
}

static enum err refuse(const struct config_row *row, struct span text, const char *what,
                       struct buf *problem)
{
    config_quote(problem, text);
    buf_printf(problem, " %s; ", what);
    config_value_allowed(row, problem);
    return ERR_INVALID;
}

static enum err set_number(struct config *config, const struct config_row *row, struct span text,
                           struct buf *problem)
{
    uint64_t value;
    bool duration = row->type == CONFIG_TYPE_DURATION;
    enum err err = duration ? text_duration(text, &value) : text_u64(text, &value);
    if (err == ERR_SYNTAX) {
        return refuse(row, text, duration ? "is no duration" : "is no number", problem);
    }
    if (err != ERR_OK || value < limit(row, row->min) || value > limit(row, row->max)) {
        return refuse(row, text, "is out of range", problem);
    }
    if (row->type == CONFIG_TYPE_POWER && (value & (value - 1)) != 0) {
        return refuse(row, text, "is no power of two", problem);
    }
    *(uint32_t *)field(config, row) = (uint32_t)value;
    return ERR_OK;
}

// The next word of a list separated by blanks; empty at its end.
static struct span next_word(const char **words)
{
    const char *start = *words + strspn(*words, " ");
    size_t len = strcspn(start, " ");
    *words = start + len;
    return span_of(start, len);
}

static enum err set_word(struct config *config, const struct config_row *row, struct span text,
                         struct buf *problem)
{
    const char *words = row->words;
    uint32_t place = 0;
    for (struct span word = next_word(&words); word.len > 0; word = next_word(&words)) {
        if (span_eq(word, text)) {
            *(uint32_t *)field(config, row) = place;
            return ERR_OK;
        }
        place++;
    }
    return refuse(row, text, "is none of the words", problem);
}

static enum err set_bool(struct config *config, const struct config_row *row, struct span text,
                         struct buf *problem)
{
    bool value;
    if (text_bool(text, &value) != ERR_OK) {
        return refuse(row, text, "is neither true nor false", problem);
    }
    *(bool *)field(config, row) = value;
    return ERR_OK;
}

static enum err set_string(struct config *config, const struct config_row *row, struct span text,
                           struct buf *problem)
{
    if (!config_form_check(row->form, text, problem)) {
        return ERR_INVALID;
    }
    const char *copy = config_pool_copy(config->pool, text);
    if (copy == NULL) {
        return ERR_NOMEM;
    }
    *(const char **)field(config, row) = copy;
    return ERR_OK;
}

enum err config_value_set_items(struct config *config, const struct config_row *row,
                                const struct config_list *items, struct buf *problem)
{
    ASSERT(row->type == CONFIG_TYPE_LIST);
    if (items->count > ITEMS_MAX) {
        buf_printf(problem, "%u elements are too many; at most %u", items->count, ITEMS_MAX);
        return ERR_INVALID;
    }
    struct span *copies = config_pool_alloc(config->pool, sizeof(*copies) * (items->count + 1));
    if (copies == NULL) {
        return ERR_NOMEM;
    }
    for (uint32_t i = 0; i < items->count; i++) {
        if (!config_form_check(row->form, items->items[i], problem)) {
            return ERR_INVALID;
        }
        copies[i] = span_of(config_pool_copy(config->pool, items->items[i]), items->items[i].len);
        if (copies[i].ptr == NULL) {
            return ERR_NOMEM;
        }
    }
    *(struct config_list *)field(config, row) = (struct config_list){copies, items->count};
    return ERR_OK;
}

static enum err set_list(struct config *config, const struct config_row *row, struct span text,
                         struct buf *problem)
{
    struct span items[ITEMS_MAX + 1];
    struct config_list list = {items, 0};
    while (text.len > 0 && list.count <= ITEMS_MAX) {
        const char *comma = memchr(text.ptr, ',', text.len);
        size_t len = comma == NULL ? text.len : (size_t)(comma - text.ptr);
        items[list.count++] = span_of(text.ptr, len);
        len += comma != NULL;
        text = span_of(text.ptr + len, text.len - len);
    }
    return config_value_set_items(config, row, &list, problem);
}

enum err config_value_set(struct config *config, const struct config_row *row, struct span text,
                          struct buf *problem)
{
    switch (row->type) {
    case CONFIG_TYPE_STRING:
        return set_string(config, row, text, problem);
    case CONFIG_TYPE_NUMBER:
    case CONFIG_TYPE_POWER:
    case CONFIG_TYPE_DURATION:
        return set_number(config, row, text, problem);
    case CONFIG_TYPE_BOOL:
        return set_bool(config, row, text, problem);
    case CONFIG_TYPE_WORD:
        return set_word(config, row, text, problem);
    case CONFIG_TYPE_LIST:
        return set_list(config, row, text, problem);
    }
    ASSERT(false);
    return ERR_INVALID;
}

static bool list_eq(const struct config_list *a, const struct config_list *b)
{
    if (a->count != b->count) {
        return false;
    }
    for (uint32_t i = 0; i < a->count; i++) {
        if (!span_eq(a->items[i], b->items[i])) {
            return false;
        }
    }
    return true;
}

bool config_value_eq(const struct config *a, const struct config *b, const struct config_row *row)
{
    const void *left = field_of(a, row);
    const void *right = field_of(b, row);
    switch (row->type) {
    case CONFIG_TYPE_STRING:
        return strcmp(*(const char *const *)left, *(const char *const *)right) == 0;
    case CONFIG_TYPE_BOOL:
        return *(const bool *)left == *(const bool *)right;
    case CONFIG_TYPE_LIST:
        return list_eq(left, right);
    case CONFIG_TYPE_NUMBER:
    case CONFIG_TYPE_POWER:
    case CONFIG_TYPE_DURATION:
    case CONFIG_TYPE_WORD:
        break;
    }
    return *(const uint32_t *)left == *(const uint32_t *)right;
}

static void print_word(const struct config_row *row, uint32_t place, struct buf *out)
{
    const char *words = row->words;
    struct span word = next_word(&words);
    while (place-- > 0) {
        word = next_word(&words);
    }
    buf_put(out, word);
}

static void print_list(const struct config_list *list, struct buf *out)
{
    buf_byte(out, '[');
    for (uint32_t i = 0; i < list->count; i++) {
        buf_str(out, i == 0 ? "" : ", ");
        json_write_quoted(out, list->items[i]);
    }
    buf_byte(out, ']');
}

void config_value_print(const struct config *config, const struct config_row *row, struct buf *out)
{
    const void *value = field_of(config, row);
    char text[TEXT_DURATION_LEN];
    switch (row->type) {
    case CONFIG_TYPE_STRING:
        json_write_quoted(out, span_str(*(const char *const *)value));
        break;
    case CONFIG_TYPE_NUMBER:
    case CONFIG_TYPE_POWER:
        buf_u64(out, *(const uint32_t *)value);
        break;
    case CONFIG_TYPE_DURATION:
        buf_put(out, span_of(text, text_duration_format(*(const uint32_t *)value, text)));
        break;
    case CONFIG_TYPE_BOOL:
        buf_str(out, *(const bool *)value ? "true" : "false");
        break;
    case CONFIG_TYPE_WORD:
        print_word(row, *(const uint32_t *)value, out);
        break;
    case CONFIG_TYPE_LIST:
        print_list(value, out);
        break;
    }
}

static void allowed_words(const struct config_row *row, struct buf *out)
{
    const char *words = row->words;
    const char *between = "";
    for (struct span word = next_word(&words); word.len > 0; word = next_word(&words)) {
        buf_str(out, between);
        buf_put(out, word);
        between = ", ";
    }
}

void config_value_allowed(const struct config_row *row, struct buf *out)
{
    switch (row->type) {
    case CONFIG_TYPE_STRING:
        buf_str(out, config_form_text(row->form));
        break;
    case CONFIG_TYPE_NUMBER:
        buf_printf(out, "%s to %s", row->min, row->max);
        break;
    case CONFIG_TYPE_POWER:
        buf_printf(out, "a power of two, %s to %s", row->min, row->max);
        break;
    case CONFIG_TYPE_DURATION:
        buf_printf(out, "%s to %s, such as 500ms, 2s or 10m", row->min, row->max);
        break;
    case CONFIG_TYPE_BOOL:
        buf_str(out, "true or false");
        break;
    case CONFIG_TYPE_WORD:
        allowed_words(row, out);
        break;
    case CONFIG_TYPE_LIST:
        buf_printf(out, "a list, each %s", config_form_text(row->form));
        break;
    }
}
