// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include "base/clock.h"
#include "base/metric.h"
#include "base/text.h"
#include "base/utf8.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *const level_texts[LOG_LEVEL_COUNT] = {"error", "warn", "info", "debug"};
static const char *const format_texts[] = {"logfmt", "json"};

// Relaxed: a line more or less at the old level while a reload runs harms nobody.
static _Atomic unsigned level_max = LOG_INFO;
static _Atomic unsigned format_now = LOG_LOGFMT;
static _Atomic int fd_now = STDERR_FILENO;
static _Atomic uint64_t dropped_all;

static pthread_mutex_t write_lock = PTHREAD_MUTEX_INITIALIZER; // guards the three below; a leaf
static uint64_t dropped_untold;
static char tail[LOG_LINE_MAX]; // what a partial write left of a line
static size_t tail_len;

// --- one line

// `limit` leaves room for the end of the line; `full` once something did not fit.
struct line {
    char *ptr;
    size_t len;
    size_t limit;
    bool full;
};

// How a line ends, by format; `cut` when a field did not fit.
static const char *const end_whole[] = {"\n", "}\n"};
static const char *const end_cut[] = {" ...\n", ",\"cut\":true}\n"};
#define END_LEN_MAX 16

static void put(struct line *line, struct span bytes)
{
    if (line->full || bytes.len > line->limit - line->len) {
        line->full = true;
        return;
    }
    if (bytes.len > 0) {
        memcpy(line->ptr + line->len, bytes.ptr, bytes.len);
        line->len += bytes.len;
    }
}

static void put_text(struct line *line, const char *text)
{
    put(line, span_str(text));
}

// Characters that steer a terminal or the direction of text: they would show another line than is there.
static bool is_hidden(uint32_t code)
{
    return utf8_is_control(code) || (code >= 0x200B && code <= 0x200F) ||
           (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069) ||
           code == 0xFEFF;
}

// How the character at the start of `text` is written inside quotes; both formats share the escapes of
// JSON.  Returns how many bytes of `text` it takes.
static size_t escape_next(struct span text, struct span *ret_written, char scratch[8])
{
    uint32_t code = UTF8_REPLACEMENT;
    const size_t len = utf8_next(text, &code);
    if (len == 0) {
        *ret_written = span_of(scratch, utf8_put(code, scratch));
        return 1;
    }
    *ret_written = span_of(text.ptr, len);
    const char *simple = code == '"' ? "\\\"" : code == '\\' ? "\\\\" : code == '\n' ? "\\n" : NULL;
    if (simple != NULL) {
        *ret_written = span_str(simple);
    } else if (is_hidden(code)) {
        scratch[0] = '\\';
        scratch[1] = 'u';
        text_hex_u64_format(code, 4, scratch + 2);
        *ret_written = span_of(scratch, 6);
    }
    return len;
}

static void put_quoted(struct line *line, struct span value)
{
    const size_t start = line->len + 1;
    put_text(line, "\"");
    while (value.len > 0 && !line->full) {
        char scratch[8];
        struct span written;
        const size_t len = escape_next(value, &written, scratch);
        if (line->len - start + written.len > LOG_VALUE_MAX) {
            put_text(line, "...");
            break;
        }
        put(line, written);
        value = span_of(value.ptr + len, value.len - len);
    }
    put_text(line, "\"");
}

static bool stands_bare(struct span value)
{
    for (size_t i = 0; i < value.len; i++) {
        const char c = value.ptr[i];
        if (c <= ' ' || c > '~' || c == '"' || c == '=' || c == '\\') {
            return false;
        }
    }
    return value.len > 0 && value.len <= LOG_VALUE_MAX;
}

static void put_value(struct line *line, const struct log_field *field, enum log_format format)
{
    char digits[TEXT_I64_LEN];
    switch (field->kind) {
    case LOG_KIND_INT:
        put(line, span_of(digits, text_i64_format(field->number, digits)));
        break;
    case LOG_KIND_UINT:
        put(line, span_of(digits, text_u64_format((uint64_t)field->number, digits)));
        break;
    case LOG_KIND_BOOL:
        put_text(line, field->number != 0 ? "true" : "false");
        break;
    case LOG_KIND_STRING:
        if (format == LOG_LOGFMT && stands_bare(field->string)) {
            put(line, field->string);
        } else {
            put_quoted(line, field->string);
        }
        break;
    }
}

static void put_field(struct line *line, const struct log_field *field, enum log_format format)
{
    put_text(line, format == LOG_JSON ? ",\"" : " ");
    put_text(line, field->name);
    put_text(line, format == LOG_JSON ? "\":" : "=");
    put_value(line, field, format);
}

static void put_head(struct line *line, const struct log_event *event, enum log_format format,
                     struct wall now)
{
    const bool json = format == LOG_JSON;
    char time[TEXT_TIME_LEN];
    text_time_format(now, time);
    put_text(line, json ? "{\"time\":\"" : "");
    put_text(line, time);
    put_text(line, json ? "\",\"level\":\"" : " ");
    put_text(line, level_texts[event->level]);
    put_text(line, json ? "\",\"event\":\"" : " ");
    put_text(line, event->name);
    put_text(line, json ? "\"" : "");
}

size_t log_line(const struct log_event *event, enum log_format format, struct wall now,
                char ret_line[LOG_LINE_MAX])
{
    struct line line = {.limit = LOG_LINE_MAX - END_LEN_MAX};
    line.ptr = ret_line;
    put_head(&line, event, format, now);
    for (size_t i = 0; i < event->count && !line.full; i++) {
        const size_t before = line.len;
        put_field(&line, &event->fields[i], format);
        line.len = line.full ? before : line.len; // a field is whole or not there
    }
    const struct span end = span_str((line.full ? end_cut : end_whole)[format]);
    memcpy(line.ptr + line.len, end.ptr, end.len);
    return line.len + end.len;
}

// --- writing without ever waiting

// O_NONBLOCK would be set for everybody who shares this stderr, so it is not.  A pipe that polls writable
// has a free page, which is as much as a line can need.
static ssize_t write_now(int fd, struct span bytes)
{
    const ssize_t sent = send(fd, bytes.ptr, bytes.len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0 || errno != ENOTSOCK) {
        return sent;
    }
    struct pollfd ready = {.fd = fd, .events = POLLOUT};
    if (poll(&ready, 1, 0) != 1 || (ready.revents & POLLOUT) == 0) {
        return -1;
    }
    return write(fd, bytes.ptr, bytes.len);
}

// With write_lock held.
static bool send_tail(int fd)
{
    if (tail_len > 0) {
        const ssize_t sent = write_now(fd, span_of(tail, tail_len));
        if (sent > 0) {
            tail_len -= (size_t)sent;
            memmove(tail, tail + sent, tail_len);
        }
    }
    return tail_len == 0;
}

// With write_lock held.  False: nothing of it was written.
static bool send_line(int fd, struct span line)
{
    if (!send_tail(fd)) {
        return false;
    }
    const ssize_t sent = write_now(fd, line);
    if (sent <= 0) {
        return false;
    }
    tail_len = line.len - (size_t)sent;
    memcpy(tail, line.ptr + sent, tail_len);
    return true;
}

// With write_lock held.  Tells first what was lost before.
static bool send_told(int fd, struct span line, enum log_format format, struct wall now)
{
    if (dropped_untold > 0) {
        char buf[LOG_LINE_MAX];
        const struct log_field field = log_uint("dropped", dropped_untold);
        const struct log_event event = {LOG_WARN, "log", &field, 1};
        if (!send_line(fd, span_of(buf, log_line(&event, format, now, buf)))) {
            return false;
        }
        dropped_untold = 0;
    }
    return send_line(fd, line);
}

void log_write(const struct log_event *event)
{
    if (!log_enabled(event->level)) {
        return;
    }
    char buf[LOG_LINE_MAX];
    const struct wall now = clock_wall();
    const enum log_format format = atomic_load_explicit(&format_now, memory_order_relaxed);
    const int fd = atomic_load_explicit(&fd_now, memory_order_relaxed);
    const size_t len = log_line(event, format, now, buf);
    pthread_mutex_lock(&write_lock);
    const bool sent = send_told(fd, span_of(buf, len), format, now);
    dropped_untold += !sent;
    pthread_mutex_unlock(&write_lock);
    if (!sent) {
        atomic_fetch_add_explicit(&dropped_all, 1, memory_order_relaxed);
        metric_count(METRIC_LOG_DROPPED, 1);
    }
}

// --- settings

bool log_enabled(enum log_level level)
{
    return (unsigned)level <= atomic_load_explicit(&level_max, memory_order_relaxed);
}

void log_setup(enum log_level level, enum log_format format)
{
    atomic_store_explicit(&level_max, (unsigned)level, memory_order_relaxed);
    atomic_store_explicit(&format_now, (unsigned)format, memory_order_relaxed);
}

void log_set_fd(int fd)
{
    atomic_store_explicit(&fd_now, fd, memory_order_relaxed);
}

uint64_t log_dropped(void)
{
    return atomic_load_explicit(&dropped_all, memory_order_relaxed);
}

const char *log_level_text(enum log_level level)
{
    return level_texts[level];
}

enum err log_level_parse(struct span text, enum log_level *ret_level)
{
    for (unsigned i = 0; i < LOG_LEVEL_COUNT; i++) {
        if (span_eq_str(text, level_texts[i])) {
            *ret_level = (enum log_level)i;
            return ERR_OK;
        }
    }
    return ERR_SYNTAX;
}

enum err log_format_parse(struct span text, enum log_format *ret_format)
{
    for (unsigned i = 0; i < 2; i++) {
        if (span_eq_str(text, format_texts[i])) {
            *ret_format = (enum log_format)i;
            return ERR_OK;
        }
    }
    return ERR_SYNTAX;
}
