// SPDX-License-Identifier: Apache-2.0
#include "base/json_write.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/text.h"
#include "base/utf8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void sink_to_buf(void *arg, struct span bytes)
{
    buf_put(arg, bytes);
}

void json_writer_init(struct json_writer *writer, struct buf *out, enum json_style style)
{
    *writer = (struct json_writer){.sink = sink_to_buf, .arg = out, .style = style};
}

void json_writer_init_sink(struct json_writer *writer, json_sink_fn sink, void *arg)
{
    *writer = (struct json_writer){.sink = sink, .arg = arg, .style = JSON_COMPACT};
}

static void put(struct json_writer *writer, struct span bytes)
{
    writer->sink(writer->arg, bytes);
}

static void put_text(struct json_writer *writer, const char *text)
{
    put(writer, span_str(text));
}

// --- strings

// What stands for a character that may not stand for itself; the length, 0 when it may.
static size_t escape_of(uint32_t code, char ret_text[8])
{
    static const char names[] = "\"\\bfnrt";
    static const char values[] = "\"\\\b\f\n\r\t";
    const char *value = code > '\\' ? NULL : strchr(values, (int)code);
    if (value != NULL) {
        ret_text[0] = '\\';
        ret_text[1] = names[value - values];
        return 2;
    }
    if (code >= 0x20) {
        return 0;
    }
    ret_text[0] = '\\';
    ret_text[1] = 'u';
    text_hex_u64_format(code, 4, ret_text + 2);
    return 6;
}

// Quotes and escapes; runs that need no escape go out in one piece.
static void quote(json_sink_fn sink, void *arg, struct span value)
{
    size_t done = 0;
    size_t at = 0;
    sink(arg, SPAN_LIT("\""));
    while (at < value.len) {
        uint32_t code = 0;
        char text[8];
        const size_t len = utf8_next(span_of(value.ptr + at, value.len - at), &code);
        const bool unfit = len == 0 || code == 0; // our own lexer refuses \u0000
        const size_t text_len = unfit ? utf8_put(UTF8_REPLACEMENT, text) : escape_of(code, text);
        if (text_len > 0) {
            sink(arg, span_of(value.ptr + done, at - done));
            sink(arg, span_of(text, text_len));
            done = at + (len == 0 ? 1 : len);
        }
        at += len == 0 ? 1 : len;
    }
    sink(arg, span_of(value.ptr + done, at - done));
    sink(arg, SPAN_LIT("\""));
}

void json_write_quoted(struct buf *out, struct span value)
{
    quote(sink_to_buf, out, value);
}

// --- structure

static bool in_array(const struct json_writer *writer)
{
    return (writer->arrays >> (writer->depth - 1) & 1) != 0;
}

static void new_line(struct json_writer *writer)
{
    if (writer->style == JSON_PRETTY) {
        put_text(writer, "\n");
        for (uint32_t i = 0; i < writer->depth; i++) {
            put_text(writer, "  ");
        }
    }
}

// The comma and the line before a member or element.
static void begin_item(struct json_writer *writer)
{
    const uint32_t bit = UINT32_C(1) << (writer->depth - 1);
    if ((writer->filled & bit) != 0) {
        put_text(writer, ",");
    }
    writer->filled |= bit;
    new_line(writer);
}

void json_write_key(struct json_writer *writer, struct span key)
{
    ASSERT(writer->depth > 0 && !in_array(writer) && !writer->key_pending);
    begin_item(writer);
    quote(writer->sink, writer->arg, key);
    put_text(writer, writer->style == JSON_PRETTY ? ": " : ":");
    writer->key_pending = true;
}

// Everything that comes before a value.
static void begin_value(struct json_writer *writer, const char *key)
{
    if (key != NULL) {
        json_write_key(writer, span_str(key));
    }
    if (writer->key_pending) {
        writer->key_pending = false;
        return;
    }
    if (writer->depth == 0) {
        ASSERT(!writer->top_written);
        writer->top_written = true;
        return;
    }
    ASSERT(in_array(writer));
    begin_item(writer);
}

// The end of the text, for people's terminals.
static void end_value(struct json_writer *writer)
{
    if (writer->depth == 0 && writer->style == JSON_PRETTY) {
        put_text(writer, "\n");
    }
}

static void begin_container(struct json_writer *writer, const char *key, bool array)
{
    begin_value(writer, key);
    ASSERT(writer->depth < JSON_WRITE_DEPTH_MAX);
    const uint32_t bit = UINT32_C(1) << writer->depth;
    writer->depth++;
    writer->filled &= ~bit;
    writer->arrays = array ? writer->arrays | bit : writer->arrays & ~bit;
    put_text(writer, array ? "[" : "{");
}

static void end_container(struct json_writer *writer, bool array)
{
    ASSERT(writer->depth > 0 && in_array(writer) == array && !writer->key_pending);
    writer->depth--;
    if ((writer->filled >> writer->depth & 1) != 0) {
        new_line(writer);
    }
    put_text(writer, array ? "]" : "}");
    end_value(writer);
}

void json_write_object(struct json_writer *writer, const char *key)
{
    begin_container(writer, key, false);
}

void json_write_object_end(struct json_writer *writer)
{
    end_container(writer, false);
}

void json_write_array(struct json_writer *writer, const char *key)
{
    begin_container(writer, key, true);
}

void json_write_array_end(struct json_writer *writer)
{
    end_container(writer, true);
}

// --- values

void json_write_raw(struct json_writer *writer, const char *key, struct span json)
{
    begin_value(writer, key);
    put(writer, json);
    end_value(writer);
}

void json_write_string(struct json_writer *writer, const char *key, struct span value)
{
    begin_value(writer, key);
    quote(writer->sink, writer->arg, value);
    end_value(writer);
}

void json_write_text(struct json_writer *writer, const char *key, const char *value)
{
    json_write_string(writer, key, span_str(value));
}

void json_write_bool(struct json_writer *writer, const char *key, bool value)
{
    json_write_raw(writer, key, span_str(value ? "true" : "false"));
}

void json_write_null(struct json_writer *writer, const char *key)
{
    json_write_raw(writer, key, SPAN_LIT("null"));
}

void json_write_int(struct json_writer *writer, const char *key, int64_t value)
{
    char text[TEXT_I64_LEN];
    json_write_raw(writer, key, span_of(text, text_i64_format(value, text)));
}

void json_write_u64(struct json_writer *writer, const char *key, uint64_t value)
{
    char text[TEXT_U64_LEN];
    json_write_string(writer, key, span_of(text, text_u64_format(value, text)));
}

void json_write_double(struct json_writer *writer, const char *key, double value)
{
    if (!isfinite(value)) {
        json_write_null(writer, key);
        return;
    }
    char text[40];
    int len = 0;
    // 17 digits always read back alike; mostly fewer do.
    for (int digits = 15; digits <= 17; digits++) {
        len = snprintf(text, sizeof(text), "%.*g", digits, value);
        if (strtod(text, NULL) == value) {
            break;
        }
    }
    json_write_raw(writer, key, span_of(text, (size_t)len));
}

void json_write_time(struct json_writer *writer, const char *key, struct wall value)
{
    char text[TEXT_TIME_LEN];
    json_write_string(writer, key, span_of(text, text_time_format(value, text)));
}

void json_write_duration(struct json_writer *writer, const char *key, uint64_t ms)
{
    char text[TEXT_DURATION_LEN];
    json_write_string(writer, key, span_of(text, text_duration_format(ms, text)));
}
