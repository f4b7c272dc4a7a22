// SPDX-License-Identifier: Apache-2.0
// JSON out, as a stream: no tree of a large answer is ever built.
//
//     json_write_object(&w, NULL);
//     json_write_string(&w, "id", id);
//     json_write_array(&w, "items");   ...   json_write_array_end(&w);
//     json_write_object_end(&w);
//
// `key` is the member's name inside an object, and NULL inside an array, at the top and after
// json_write_key.  Commas, quotes and escapes are the writer's affair; calls that nest wrongly are ASSERTed.
// Invariant: what comes out is accepted by json_lex: NUL and bytes that are no UTF-8 become U+FFFD.
// One thread at a time.  Allocates nothing; errors are those of the sink (buf->err).
#pragma once

#include "base/span.h"
#include "base/time.h"

#include <stdint.h>

#define JSON_WRITE_DEPTH_MAX 32

struct buf;

// Takes the bytes before it returns; called several times for a value, so put a buf behind a socket.
typedef void (*json_sink_fn)(void *arg, struct span bytes);

enum json_style {
    JSON_COMPACT, // no white space at all
    JSON_PRETTY   // two spaces a level, a newline at the end: for people
};

struct json_writer {
    json_sink_fn sink;
    void *arg;
    enum json_style style;
    uint32_t depth;
    uint32_t arrays;  // bit d: level d + 1 is an array
    uint32_t filled;  // bit d: level d + 1 has a member already
    bool key_pending; // json_write_key was the last call
    bool top_written;
};

// Appends to `out`, which must outlive the writer.
void json_writer_init(struct json_writer *writer, struct buf *out, enum json_style style);
void json_writer_init_sink(struct json_writer *writer, json_sink_fn sink, void *arg);

void json_write_object(struct json_writer *writer, const char *key);
void json_write_object_end(struct json_writer *writer);
void json_write_array(struct json_writer *writer, const char *key);
void json_write_array_end(struct json_writer *writer);

// A name that is not a literal (a label's); the value follows with key NULL.
void json_write_key(struct json_writer *writer, struct span key);

void json_write_string(struct json_writer *writer, const char *key, struct span value);
void json_write_text(struct json_writer *writer, const char *key, const char *value);
void json_write_bool(struct json_writer *writer, const char *key, bool value);
void json_write_null(struct json_writer *writer, const char *key);
void json_write_int(struct json_writer *writer, const char *key, int64_t value);
// As a string: JSON's numbers are doubles for most readers.
void json_write_u64(struct json_writer *writer, const char *key, uint64_t value);
// With as many digits as it takes to read it back alike; null when it is not finite.
void json_write_double(struct json_writer *writer, const char *key, double value);
// RFC 3339 with milliseconds, and `10s` as the configuration writes it.
void json_write_time(struct json_writer *writer, const char *key, struct wall value);
void json_write_duration(struct json_writer *writer, const char *key, uint64_t ms);
// Bytes that are JSON already.
void json_write_raw(struct json_writer *writer, const char *key, struct span json);

// One string with its quotes and escapes, outside any writer (also right as a YAML double-quoted scalar).
void json_write_quoted(struct buf *out, struct span value);
