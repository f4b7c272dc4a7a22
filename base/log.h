// SPDX-License-Identifier: Apache-2.0
// The log: one line a decision, on stderr; it says what changed, and why.
//
//     2026-11-24T10:00:00.123Z info health service=pay instance=pay-1 from=HEALTHY to=UNHEALTHY
//     {"time":"2026-11-24T10:00:00.123Z","level":"info","event":"health","service":"pay",...}
//
//     log_event(LOG_INFO, "health", log_str("service", service), log_text("to", "UNHEALTHY"));
//
// Levels mean actions: error = page someone, warn = look today, info = a decision, debug = a step.
// Invariant: one event is one line of valid UTF-8 of at most LOG_LINE_MAX bytes, whatever is in the
// values; a line is written whole or not at all; nobody ever waits for whoever reads stderr: a line that
// would block is dropped and counted, and the next one that gets through is preceded by the count.
// [any].  Names of fields and events are the program's own; values may come from outside.
#pragma once

#include "base/err.h"
#include "base/span.h"
#include "base/time.h"

#include <stdint.h>

#define LOG_LINE_MAX 4096  // with its newline; what does not fit ends in ...
#define LOG_VALUE_MAX 1024 // bytes of one value as written; a longer one is cut and ends in ...

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_LEVEL_COUNT };
enum log_format { LOG_LOGFMT, LOG_JSON };

enum log_kind { LOG_KIND_STRING, LOG_KIND_INT, LOG_KIND_UINT, LOG_KIND_BOOL };

// Made by the functions below; borrows its string.
struct log_field {
    const char *name;
    enum log_kind kind;
    struct span string;
    int64_t number; // the bits of a uint64_t for LOG_KIND_UINT
};

static inline struct log_field log_str(const char *name, struct span value)
{
    return (struct log_field){name, LOG_KIND_STRING, value, 0};
}

static inline struct log_field log_text(const char *name, const char *value)
{
    return log_str(name, span_str(value));
}

static inline struct log_field log_int(const char *name, int64_t value)
{
    return (struct log_field){name, LOG_KIND_INT, SPAN_NONE, value};
}

static inline struct log_field log_uint(const char *name, uint64_t value)
{
    return (struct log_field){name, LOG_KIND_UINT, SPAN_NONE, (int64_t)value};
}

static inline struct log_field log_bool(const char *name, bool value)
{
    return (struct log_field){name, LOG_KIND_BOOL, SPAN_NONE, value};
}

// error="connection refused"
static inline struct log_field log_err(enum err err)
{
    return log_text("error", err_text(err));
}

struct log_event {
    enum log_level level;
    const char *name; // the verb
    const struct log_field *fields;
    size_t count;
};

// Logs an event with at least one field.
#define log_event(level_, name_, ...)                                                              \
    do {                                                                                           \
        const struct log_field log_fields_[] = {__VA_ARGS__};                                      \
        log_write(&(const struct log_event){level_, name_, log_fields_,                            \
                                            sizeof(log_fields_) / sizeof(log_fields_[0])});        \
    } while (0)

void log_write(const struct log_event *event);

// True when events of this level are written: guard costly fields with it.
bool log_enabled(enum log_level level);

// Before this: info, logfmt.  May be called again at any time (a reload).
void log_setup(enum log_level level, enum log_format format);

// `error warn info debug` and `logfmt json`.  ERR_SYNTAX.
enum err log_level_parse(struct span text, enum log_level *ret_level) MUST_USE;
enum err log_format_parse(struct span text, enum log_format *ret_format) MUST_USE;
const char *log_level_text(enum log_level level);

// Lines dropped since the start because stderr would have blocked.
uint64_t log_dropped(void);

// Where lines go; 2 at the start.  For tests.
void log_set_fd(int fd);

// The line of an event, newline included, as log_write writes it.  Pure.  Returns its length.
size_t log_line(const struct log_event *event, enum log_format format, struct wall now,
                char ret_line[LOG_LINE_MAX]);
