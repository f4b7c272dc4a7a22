// SPDX-License-Identifier: Apache-2.0
// Members of the daemon's answers as the commands want them: what is absent or of another type is empty,
// for an older or newer daemon may say less or more.
// Any thread.  Read next: base/json.h.
#pragma once

#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

struct buf;
struct json;
struct json_writer;

struct span answer_text(const struct json *object,
                        const char *key);                     // SPAN_NONE where there is none
bool answer_bool(const struct json *object, const char *key); // false where there is none
int64_t answer_int(const struct json *object, const char *key, int64_t fallback);

// The node as the next value of a writer; null where there is none.
void answer_write_node(struct json_writer *writer, const struct json *node);
// Appends the node as compact JSON.
void answer_write(const struct json *node, struct buf *out);

// "12s", "5m", "3h", "2d" between an RFC 3339 time and now; "" where there is no time.
#define ANSWER_AGE_LEN 24
void answer_age(struct span since, char ret_text[ANSWER_AGE_LEN]);
