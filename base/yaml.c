// SPDX-License-Identifier: Apache-2.0
#include "base/yaml.h"

#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <yaml.h>

// A node and its texts are one allocation: key, NUL, scalar, NUL behind the struct.
struct yaml {
    enum yaml_kind kind;
    bool plain;
    struct yaml_mark at;
    struct yaml_mark key_at;
    struct span key; // ptr NULL: none
    struct span scalar;
    struct yaml *first;
    struct yaml *last;
    struct yaml *next;
    size_t count;
};

// A map or sequence that is open while the events run, and the key that waits for its value.
struct level {
    struct yaml *node;
    bool has_key;
    yaml_event_t key; // a scalar event; owned while has_key
};

struct builder {
    yaml_parser_t parser;
    struct span text;
    struct level levels[YAML_DEPTH_MAX];
    size_t depth;
    struct yaml *root;
    unsigned documents;
    enum err err;
    struct yaml_error *error;
};

static struct yaml_mark mark_of(yaml_mark_t mark)
{
    return (struct yaml_mark){(uint32_t)mark.line + 1, (uint32_t)mark.column + 1};
}

// libyaml's reader runs ahead of its marks and names the byte alone.
static struct yaml_mark mark_of_offset(struct span text, size_t offset)
{
    struct yaml_mark mark = {1, 1};
    for (size_t i = 0; i < offset && i < text.len; i++) {
        const bool continuation = ((uint8_t)text.ptr[i] & 0xC0) == 0x80;
        mark.column += !continuation;
        if (text.ptr[i] == '\n') {
            mark.line++;
            mark.column = 1;
        }
    }
    return mark;
}

static bool fail(struct builder *builder, struct yaml_mark at, const char *text)
{
    builder->err = ERR_SYNTAX;
    builder->error->at = at;
    snprintf(builder->error->text, sizeof(builder->error->text), "%s", text);
    return false;
}

static bool fail_nomem(struct builder *builder)
{
    builder->err = ERR_NOMEM;
    return false;
}

// What libyaml itself found: "while parsing a block mapping: did not find expected key".
static bool fail_parser(struct builder *builder)
{
    const yaml_parser_t *parser = &builder->parser;
    if (parser->error == YAML_MEMORY_ERROR) {
        return fail_nomem(builder);
    }
    const struct yaml_mark at = parser->error == YAML_READER_ERROR
                                    ? mark_of_offset(builder->text, parser->problem_offset)
                                    : mark_of(parser->problem_mark);
    char text[sizeof(builder->error->text)];
    snprintf(text, sizeof(text), "%s%s%s", parser->context == NULL ? "" : parser->context,
             parser->context == NULL ? "" : ": ", parser->problem == NULL ? "" : parser->problem);
    return fail(builder, at, text);
}

// --- nodes

static struct yaml *node_new(struct span key, struct span scalar)
{
    struct yaml *node = calloc(1, sizeof(*node) + key.len + scalar.len + 2);
    if (node == NULL) {
        return NULL;
    }
    char *texts = (char *)(node + 1);
    node->key = span_of(key.ptr == NULL ? NULL : texts, key.len);
    node->scalar = span_of(texts + key.len + 1, scalar.len);
    if (key.len > 0) {
        memcpy(texts, key.ptr, key.len);
    }
    if (scalar.len > 0) {
        memcpy(texts + key.len + 1, scalar.ptr, scalar.len);
    }
    return node;
}

void yaml_free(struct yaml *root)
{
    // The depth is bounded by YAML_DEPTH_MAX, so recursion is too.
    if (root == NULL) {
        return;
    }
    struct yaml *child = root->first;
    while (child != NULL) {
        struct yaml *next = child->next;
        yaml_free(child);
        child = next;
    }
    free(root);
}

static struct span event_text(const yaml_event_t *event)
{
    return span_of(event->data.scalar.value, event->data.scalar.length);
}

static void drop_key(struct level *level)
{
    if (level->has_key) {
        yaml_event_delete(&level->key);
        level->has_key = false;
    }
}

// Hangs `node` where the events stand; from then on it belongs to the root.
static void attach(struct builder *builder, struct yaml *node)
{
    if (builder->depth == 0) {
        builder->root = node;
        return;
    }
    struct level *level = &builder->levels[builder->depth - 1];
    drop_key(level);
    if (level->node->last == NULL) {
        level->node->first = node;
    } else {
        level->node->last->next = node;
    }
    level->node->last = node;
    level->node->count++;
}

static struct yaml *add_node(struct builder *builder, const yaml_event_t *event,
                             enum yaml_kind kind)
{
    struct span key = SPAN_NONE;
    struct yaml_mark key_at = mark_of(event->start_mark);
    if (builder->depth > 0 && builder->levels[builder->depth - 1].has_key) {
        const yaml_event_t *key_event = &builder->levels[builder->depth - 1].key;
        key = event_text(key_event);
        key_at = mark_of(key_event->start_mark);
    }
    struct yaml *node = node_new(key, kind == YAML_SCALAR ? event_text(event) : SPAN_NONE);
    if (node == NULL) {
        fail_nomem(builder);
        return NULL;
    }
    node->kind = kind;
    node->at = mark_of(event->start_mark);
    node->key_at = key_at;
    attach(builder, node);
    return node;
}

// --- events

static bool has_duplicate(const struct yaml *map, struct span key)
{
    for (const struct yaml *node = map->first; node != NULL; node = node->next) {
        if (span_eq(node->key, key)) {
            return true;
        }
    }
    return false;
}

// A scalar in the place of a key.  *Takes* the event on success.
static bool take_key(struct builder *builder, struct level *level, yaml_event_t *event)
{
    if (has_duplicate(level->node, event_text(event))) {
        return fail(builder, mark_of(event->start_mark), "duplicate key");
    }
    if (level->node->count == YAML_MAP_MAX) {
        return fail(builder, mark_of(event->start_mark), "too many keys");
    }
    level->key = *event;
    level->has_key = true;
    *event = (yaml_event_t){0};
    return true;
}

static bool wants_key(const struct builder *builder)
{
    if (builder->depth == 0) {
        return false;
    }
    const struct level *level = &builder->levels[builder->depth - 1];
    return level->node->kind == YAML_MAP && !level->has_key;
}

static bool on_scalar(struct builder *builder, yaml_event_t *event)
{
    const struct span text = event_text(event);
    if (text.len > 0 && memchr(text.ptr, '\0', text.len) != NULL) {
        return fail(builder, mark_of(event->start_mark), "NUL is not allowed");
    }
    if (wants_key(builder)) {
        return take_key(builder, &builder->levels[builder->depth - 1], event);
    }
    struct yaml *node = add_node(builder, event, YAML_SCALAR);
    if (node != NULL) {
        node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    }
    return node != NULL;
}

static bool on_start(struct builder *builder, const yaml_event_t *event, enum yaml_kind kind)
{
    if (wants_key(builder)) {
        return fail(builder, mark_of(event->start_mark), "a key must be a scalar");
    }
    if (builder->depth == YAML_DEPTH_MAX) {
        return fail(builder, mark_of(event->start_mark), "nested too deeply");
    }
    struct yaml *node = add_node(builder, event, kind);
    if (node == NULL) {
        return false;
    }
    builder->levels[builder->depth++] = (struct level){.node = node};
    return true;
}

static bool on_end(struct builder *builder)
{
    ASSERT(builder->depth > 0 && !builder->levels[builder->depth - 1].has_key);
    builder->depth--;
    return true;
}

static bool on_document(struct builder *builder, const yaml_event_t *event)
{
    builder->documents++;
    if (builder->documents > 1) {
        return fail(builder, mark_of(event->start_mark), "only one document is allowed");
    }
    return event->data.document_start.tag_directives.start ==
               event->data.document_start.tag_directives.end ||
           fail(builder, mark_of(event->start_mark), "tags are not allowed");
}

// Tags and anchors, in whichever event they stand.
static bool refuse_extras(struct builder *builder, const yaml_event_t *event)
{
    const yaml_char_t *anchor = NULL;
    const yaml_char_t *tag = NULL;
    if (event->type == YAML_SCALAR_EVENT) {
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
    }
    if (anchor != NULL || event->type == YAML_ALIAS_EVENT) {
        return fail(builder, mark_of(event->start_mark), "anchors and aliases are not allowed");
    }
    return tag == NULL || fail(builder, mark_of(event->start_mark), "tags are not allowed");
}

static bool on_event(struct builder *builder, yaml_event_t *event)
{
    if (!refuse_extras(builder, event)) {
        return false;
    }
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        return on_document(builder, event);
    case YAML_SCALAR_EVENT:
        return on_scalar(builder, event);
    case YAML_MAPPING_START_EVENT:
        return on_start(builder, event, YAML_MAP);
    case YAML_SEQUENCE_START_EVENT:
        return on_start(builder, event, YAML_SEQ);
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        return on_end(builder);
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
    case YAML_ALIAS_EVENT:
        return true;
    }
    return true;
}

static bool run_events(struct builder *builder)
{
    bool ended = false;
    while (!ended) {
        yaml_event_t event;
        if (!yaml_parser_parse(&builder->parser, &event)) {
            return fail_parser(builder);
        }
        ended = event.type == YAML_STREAM_END_EVENT;
        const bool ok = on_event(builder, &event);
        yaml_event_delete(&event);
        if (!ok) {
            return false;
        }
    }
    return true;
}

// Text without a document, or with nothing but `---`, is an empty map.
static bool fill_empty(struct builder *builder)
{
    if (builder->root != NULL && !yaml_is_null(builder->root)) {
        return true;
    }
    yaml_free(builder->root);
    builder->root = node_new(SPAN_NONE, SPAN_NONE);
    if (builder->root == NULL) {
        return fail_nomem(builder);
    }
    builder->root->kind = YAML_MAP;
    builder->root->at = (struct yaml_mark){1, 1};
    builder->root->key_at = builder->root->at;
    return true;
}

enum err yaml_parse(struct span text, struct yaml **ret_root, struct yaml_error *ret_error)
{
    static const struct span bom = {"\xEF\xBB\xBF", 3};
    if (text.len > YAML_LEN_MAX) {
        *ret_error = (struct yaml_error){{1, 1}, "more than 1 MiB"};
        return ERR_TOO_LARGE;
    }
    if (text.len >= bom.len && span_eq(span_of(text.ptr, bom.len), bom)) {
        text = span_of(text.ptr + bom.len, text.len - bom.len);
    }
    struct yaml_error error = {0};
    struct builder builder = {.text = text, .error = &error};
    if (!yaml_parser_initialize(&builder.parser)) {
        return ERR_NOMEM;
    }
    yaml_parser_set_encoding(&builder.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&builder.parser, (const unsigned char *)text.ptr, text.len);
    if (run_events(&builder) && fill_empty(&builder)) {
        *ret_root = builder.root;
    }
    while (builder.depth > 0) {
        drop_key(&builder.levels[--builder.depth]);
    }
    yaml_parser_delete(&builder.parser);
    if (builder.err != ERR_OK) {
        yaml_free(builder.root);
    }
    if (builder.err == ERR_SYNTAX) {
        *ret_error = error;
    }
    return builder.err;
}

// --- reading

enum yaml_kind yaml_kind(const struct yaml *node)
{
    return node->kind;
}

struct yaml_mark yaml_at(const struct yaml *node)
{
    return node->at;
}

struct yaml_mark yaml_key_at(const struct yaml *node)
{
    return node->key_at;
}

struct span yaml_scalar(const struct yaml *node)
{
    return node->kind == YAML_SCALAR ? node->scalar : SPAN_NONE;
}

bool yaml_is_plain(const struct yaml *node)
{
    return node->plain;
}

bool yaml_is_null(const struct yaml *node)
{
    const struct span text = node->scalar;
    return node->plain && (text.len == 0 || span_eq_str(text, "~") || span_eq_str(text, "null"));
}

const struct yaml *yaml_get(const struct yaml *map, const char *key)
{
    if (map == NULL || map->kind != YAML_MAP) {
        return NULL;
    }
    for (const struct yaml *node = map->first; node != NULL; node = node->next) {
        if (span_eq_str(node->key, key)) {
            return node;
        }
    }
    return NULL;
}

const struct yaml *yaml_first(const struct yaml *parent)
{
    return parent == NULL ? NULL : parent->first;
}

const struct yaml *yaml_next(const struct yaml *node)
{
    return node->next;
}

size_t yaml_count(const struct yaml *parent)
{
    return parent == NULL ? 0 : parent->count;
}

struct span yaml_key(const struct yaml *node)
{
    return node->key;
}
