// SPDX-License-Identifier: Apache-2.0
// Nested mappings of the file, read by tables of fields.
#include "replicator/config_load.h"

#include "base/assert.h"
#include "base/text.h"
#include "localmap/model/key.h"
#include "replicator/config_form.h"
#include "replicator/config_pool.h"

#include <stdarg.h>

#define FIELDS_MAX 32

size_t config_path_push(struct config_loader *loader, const char *format, ...)
{
    size_t len = loader->path.len;
    va_list args;
    va_start(args, format);
    buf_vprintf(&loader->path, format, args);
    va_end(args);
    return len;
}

void config_path_pop(struct config_loader *loader, size_t len)
{
    if (loader->path.err == ERR_NOMEM) {
        loader->err = ERR_NOMEM;
        return;
    }
    loader->path.len = len;
    if (loader->path.ptr != NULL) {
        loader->path.ptr[len] = '\0';
    }
}

struct span config_keep(struct config_loader *loader, struct span text)
{
    const char *copy = config_pool_copy(loader->config->pool, text);
    if (copy == NULL) {
        loader->err = ERR_NOMEM;
        return SPAN_NONE;
    }
    return span_of(copy, text.len);
}

struct span config_scalar(struct config_loader *loader, const struct config_field *field,
                          const struct yaml *node)
{
    if (yaml_kind(node) != YAML_SCALAR) {
        config_wrong(loader, yaml_at(node), span_str(field->name), "is no single value; %s",
                     field->allowed);
        return SPAN_NONE;
    }
    return yaml_scalar(node);
}

void config_refuse(struct config_loader *loader, const struct config_field *field,
                   const struct yaml *node, const char *what)
{
    buf_reset(&loader->problem);
    config_problem(&loader->problem, yaml_scalar(node), what, field->allowed);
    config_wrong(loader, yaml_at(node), span_str(field->name), "%s", buf_cstr(&loader->problem));
}

static void read_number(struct config_loader *loader, const struct config_field *field,
                        const struct yaml *node, void *out)
{
    struct span text = config_scalar(loader, field, node);
    if (text.ptr == NULL) {
        return;
    }
    bool duration = field->read == config_read_duration;
    uint64_t value;
    enum err err = duration ? text_duration(text, &value) : text_u64(text, &value);
    if (err == ERR_SYNTAX) {
        config_refuse(loader, field, node, duration ? "is no duration" : "is no number");
    } else if (err != ERR_OK || value < field->min || value > field->max) {
        config_refuse(loader, field, node, "is out of range");
    } else {
        *(uint32_t *)((char *)out + field->offset) = (uint32_t)value;
    }
}

void config_read_u32(struct config_loader *loader, const struct config_field *field,
                     const struct yaml *node, void *out)
{
    read_number(loader, field, node, out);
}

void config_read_duration(struct config_loader *loader, const struct config_field *field,
                          const struct yaml *node, void *out)
{
    read_number(loader, field, node, out);
}

void config_read_bool(struct config_loader *loader, const struct config_field *field,
                      const struct yaml *node, void *out)
{
    struct span text = config_scalar(loader, field, node);
    bool value;
    if (text.ptr == NULL) {
        return;
    }
    if (text_bool(text, &value) != ERR_OK) {
        config_refuse(loader, field, node, "is neither true nor false");
        return;
    }
    *(bool *)((char *)out + field->offset) = value;
}

void config_read_name(struct config_loader *loader, const struct config_field *field,
                      const struct yaml *node, void *out)
{
    struct span text = config_scalar(loader, field, node);
    if (text.ptr == NULL) {
        return;
    }
    if (text.len == 0 && !field->required) {
        *(struct span *)((char *)out + field->offset) = SPAN_LIT("");
        return;
    }
    enum err err = key_name_check(text, field->max);
    if (err != ERR_OK) {
        const char *what = err == ERR_TOO_LARGE ? "is too long"
                           : text.len == 0      ? "is empty"
                                                : "holds a control character";
        config_refuse(loader, field, node, what);
        return;
    }
    if (field->required && text.ptr[0] == '!') {
        config_refuse(loader, field, node, "is reserved");
        return;
    }
    *(struct span *)((char *)out + field->offset) = config_keep(loader, text);
}

static void tell_unknown(struct config_loader *loader, const struct config_fields *fields,
                         const struct yaml *node)
{
    const char *words[FIELDS_MAX];
    ASSERT(fields->count <= FIELDS_MAX);
    for (size_t i = 0; i < fields->count; i++) {
        words[i] = fields->fields[i].name;
    }
    buf_reset(&loader->problem);
    config_suggest(&loader->problem, yaml_key(node), words, fields->count);
    config_wrong(loader, yaml_key_at(node), yaml_key(node), "no such key%s",
                 buf_cstr(&loader->problem));
}

static const struct config_field *find(const struct config_fields *fields, struct span name)
{
    for (size_t i = 0; i < fields->count; i++) {
        if (span_eq_str(name, fields->fields[i].name)) {
            return &fields->fields[i];
        }
    }
    return NULL;
}

void config_fields_read(struct config_loader *loader, const struct config_fields *fields,
                        const struct yaml *map, void *out)
{
    bool null = yaml_kind(map) == YAML_SCALAR && yaml_is_null(map);
    if (yaml_kind(map) != YAML_MAP && !null) {
        config_wrong(loader, yaml_at(map), SPAN_NONE, "is no mapping; {key: value, ...}");
        return;
    }
    for (const struct yaml *node = yaml_first(map); node != NULL; node = yaml_next(node)) {
        const struct config_field *field = find(fields, yaml_key(node));
        if (field == NULL) {
            tell_unknown(loader, fields, node);
        } else if (!yaml_is_null(node)) {
            field->read(loader, field, node, out);
        }
    }
    for (size_t i = 0; i < fields->count; i++) {
        const struct yaml *node = yaml_get(map, fields->fields[i].name);
        if (fields->fields[i].required && (node == NULL || yaml_is_null(node))) {
            config_wrong(loader, yaml_at(map), span_str(fields->fields[i].name), "is missing; %s",
                         fields->fields[i].allowed);
        }
    }
}
