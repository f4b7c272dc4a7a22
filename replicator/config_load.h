// SPDX-License-Identifier: Apache-2.0
// What the parts of one load share: where a mistake is, how it is told, and the tables of fields by
// which nested mappings (services, instances, checks) are read.
// Invariant: nothing stops at a mistake; only ERR_NOMEM in `err` ends a load early.
// One thread.  Internal to config*.c.  Read next: config.c.
#pragma once

#include "base/buf.h"
#include "base/span.h"
#include "base/yaml.h"
#include "replicator/config_table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config_loader {
    const struct config_options *options;
    struct config *config;
    struct config defaults;
    struct config_report *report;
    struct buf problem;              // what config_value_set says
    struct buf path;                 // "services[2].check." while in there
    struct config_service *services; // those of `config`, to be finished
    enum err err;                    // ERR_OK or ERR_NOMEM
};

// --- telling

// At a place of the file; `key` follows the path (empty: the path alone).
void config_wrong(struct config_loader *loader, struct yaml_mark at, struct span key,
                  const char *format, ...) __attribute__((format(printf, 4, 5)));
void config_odd(struct config_loader *loader, struct yaml_mark at, struct span key,
                const char *format, ...) __attribute__((format(printf, 4, 5)));
// Of one row, at the place where its value came from.
void config_wrong_row(struct config_loader *loader, enum config_key_id id, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
// `where` is everything in front of the text.
void config_report_error(struct config_report *report, const char *where, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void config_report_warning(struct config_report *report, const char *where, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void config_report_end(struct config_report *report);

// Appends "; did you mean WORD?" or "; one of A, B, C".
void config_suggest(struct buf *out, struct span word, const char *const *words, size_t count);

// --- reading mappings

struct config_field;
typedef void (*config_field_fn)(struct config_loader *loader, const struct config_field *field,
                                const struct yaml *node, void *out);

struct config_field {
    const char *name;
    config_field_fn read;
    size_t offset;     // of what it fills, in `out`
    uint32_t min, max; // of numbers and durations; max also the length of texts
    const char *value; // the default, for the documentation
    const char *allowed;
    enum config_step step;
    bool required;
    const char *help;
};

struct config_fields {
    const struct config_field *fields;
    size_t count;
};

// Reads each value of `map` by its field, tells unknown and missing ones.  A key without a value counts as
// not set.
void config_fields_read(struct config_loader *loader, const struct config_fields *fields,
                        const struct yaml *map, void *out);
// Goes deeper: "check." or "services[2].".  Returns what config_path_pop takes to come back.
size_t config_path_push(struct config_loader *loader, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void config_path_pop(struct config_loader *loader, size_t len);

// Readers of one value, for `read`.
void config_read_u32(struct config_loader *loader, const struct config_field *field,
                     const struct yaml *node, void *out);
void config_read_duration(struct config_loader *loader, const struct config_field *field,
                          const struct yaml *node, void *out); // u32, ms
void config_read_bool(struct config_loader *loader, const struct config_field *field,
                      const struct yaml *node, void *out);
// A name by the rules of keys, at most `max` bytes; empty only when not required.
void config_read_name(struct config_loader *loader, const struct config_field *field,
                      const struct yaml *node, void *out); // struct span

// The scalar's text, or NULL ptr after telling that it is none.
struct span config_scalar(struct config_loader *loader, const struct config_field *field,
                          const struct yaml *node);
// "QUOTED WHAT; ALLOWED" at the node's place.
void config_refuse(struct config_loader *loader, const struct config_field *field,
                   const struct yaml *node, const char *what);
// A copy that lives with the configuration; ptr NULL and loader->err on failure.
struct span config_keep(struct config_loader *loader, struct span text);

// --- the parts

enum config_key_id config_row_id(const struct config_row *row);
// Takes `text`, or `items` when not NULL, as the value of a row.  ERR_INVALID: loader->problem says why;
// ERR_NOMEM (also in loader->err).
enum err config_take(struct config_loader *loader, const struct config_row *row, struct span text,
                     const struct config_list *items) MUST_USE;
void config_set_origin(struct config_loader *loader, const struct config_row *row,
                       enum config_origin_kind kind, struct yaml_mark at);

void config_read_file(struct config_loader *loader);
void config_read_environment(struct config_loader *loader);
void config_read_sets(struct config_loader *loader);

extern const struct config_fields config_service_fields;
extern const struct config_fields config_instance_fields;
extern const struct config_fields config_check_fields;
extern const struct config_fields config_tenant_fields;

void config_read_tenants(struct config_loader *loader, const struct yaml *node);
void config_read_services(struct config_loader *loader, const struct yaml *node);
// The rules over several keys.
void config_check(struct config_loader *loader);
