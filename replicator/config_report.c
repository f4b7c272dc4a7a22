// SPDX-License-Identifier: Apache-2.0
// The list of what is wrong, and the words around it.
#include "replicator/config_load.h"

#include "replicator/config_form.h"

#include <stdarg.h>
#include <string.h>

#define REPORT_LEN_MAX (1u << 20)
#define REPORT_LINES_MAX 1000 // of more it only tells how many there are
#define WHERE_MAX 8192

void config_report_init(struct config_report *report)
{
    *report = (struct config_report){0};
    buf_init(&report->errors, REPORT_LEN_MAX);
    buf_init(&report->warnings, REPORT_LEN_MAX);
}

void config_report_fini(struct config_report *report)
{
    buf_fini(&report->errors);
    buf_fini(&report->warnings);
}

__attribute__((format(printf, 3, 0))) static void add(struct buf *lines, const char *where,
                                                      const char *format, va_list args)
{
    buf_printf(lines, "%s: ", where);
    buf_vprintf(lines, format, args);
    buf_byte(lines, '\n');
}

__attribute__((format(printf, 3, 0))) static void
add_error(struct config_report *report, const char *where, const char *format, va_list args)
{
    if (report->error_count++ < REPORT_LINES_MAX) {
        add(&report->errors, where, format, args);
    }
}

__attribute__((format(printf, 3, 0))) static void
add_warning(struct config_report *report, const char *where, const char *format, va_list args)
{
    if (report->warning_count++ < REPORT_LINES_MAX) {
        add(&report->warnings, where, format, args);
    }
}

void config_report_error(struct config_report *report, const char *where, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_error(report, where, format, args);
    va_end(args);
}

void config_report_warning(struct config_report *report, const char *where, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_warning(report, where, format, args);
    va_end(args);
}

void config_report_end(struct config_report *report)
{
    if (report->error_count > REPORT_LINES_MAX) {
        buf_printf(&report->errors, "and %u more\n", report->error_count - REPORT_LINES_MAX);
    }
}

// A key as people wrote it: in quotes unless it is a plain word.
static void put_key(struct buf *where, struct span key)
{
    for (size_t i = 0; i < key.len; i++) {
        bool plain = strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.",
                            key.ptr[i]) != NULL;
        if (!plain || key.len > CONFIG_NAME_MAX) {
            config_quote(where, key);
            return;
        }
    }
    buf_put(where, key);
}

// "FILE:LINE:COLUMN: path.key"
static void put_place(const struct config_loader *loader, struct yaml_mark at, struct span key,
                      struct buf *where)
{
    buf_printf(where, "%s:%u:%u", loader->options->file, at.line, at.column);
    struct span path = buf_span(&loader->path);
    if (key.len == 0 && path.len > 0) {
        path.len--; // the dot that would stand before the key
    }
    if (path.len + key.len > 0) {
        buf_str(where, ": ");
        buf_put(where, path);
        put_key(where, key);
    }
}

void config_wrong(struct config_loader *loader, struct yaml_mark at, struct span key,
                  const char *format, ...)
{
    struct buf where;
    va_list args;
    buf_init(&where, WHERE_MAX);
    put_place(loader, at, key, &where);
    va_start(args, format);
    add_error(loader->report, buf_cstr(&where), format, args);
    va_end(args);
    buf_fini(&where);
}

void config_odd(struct config_loader *loader, struct yaml_mark at, struct span key,
                const char *format, ...)
{
    struct buf where;
    va_list args;
    buf_init(&where, WHERE_MAX);
    put_place(loader, at, key, &where);
    va_start(args, format);
    add_warning(loader->report, buf_cstr(&where), format, args);
    va_end(args);
    buf_fini(&where);
}

static void put_row(const struct config_loader *loader, enum config_key_id id, struct buf *where)
{
    const struct config_origin *origin = &loader->config->origins[id];
    char name[CONFIG_NAME_MAX];
    char env[CONFIG_NAME_MAX];
    config_row_name(&config_table[id], name);
    config_row_env(&config_table[id], env);
    switch (origin->kind) {
    case CONFIG_FILE:
        buf_printf(where, "%s:%u:%u: %s", loader->options->file, origin->line, origin->column,
                   name);
        break;
    case CONFIG_ENV:
        buf_str(where, env);
        break;
    case CONFIG_SET:
        buf_printf(where, "--set %s", name);
        break;
    case CONFIG_DEFAULT:
        buf_str(where, name);
        break;
    }
}

void config_wrong_row(struct config_loader *loader, enum config_key_id id, const char *format, ...)
{
    struct buf where;
    va_list args;
    buf_init(&where, WHERE_MAX);
    put_row(loader, id, &where);
    va_start(args, format);
    add_error(loader->report, buf_cstr(&where), format, args);
    va_end(args);
    buf_fini(&where);
}

void config_suggest(struct buf *out, struct span word, const char *const *words, size_t count)
{
    const char *near = config_nearest(word, words, count);
    if (near != NULL) {
        buf_printf(out, "; did you mean %s?", near);
        return;
    }
    buf_str(out, "; one of ");
    for (size_t i = 0; i < count; i++) {
        buf_printf(out, "%s%s", i == 0 ? "" : ", ", words[i]);
    }
}
