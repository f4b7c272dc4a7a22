// SPDX-License-Identifier: Apache-2.0
#include "admin-api/ctl/answer.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/json_write.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>

struct span answer_text(const struct json *object, const char *key)
{
    struct span text;
    return json_string(json_get(object, key), &text) == ERR_OK ? text : SPAN_NONE;
}

bool answer_bool(const struct json *object, const char *key)
{
    bool value;
    return json_bool(json_get(object, key), &value) == ERR_OK && value;
}

int64_t answer_int(const struct json *object, const char *key, int64_t fallback)
{
    int64_t value;
    enum err err = json_int(json_get(object, key), -JSON_INT_MAX, JSON_INT_MAX, &value);
    return err == ERR_OK ? value : fallback;
}

static void write_number(struct json_writer *writer, const struct json *node)
{
    int64_t whole;
    double number;
    if (json_int(node, -JSON_INT_MAX, JSON_INT_MAX, &whole) == ERR_OK) {
        json_write_int(writer, NULL, whole);
    } else if (json_double(node, &number) == ERR_OK) {
        json_write_double(writer, NULL, number);
    }
}

static void write_scalar(struct json_writer *writer, const struct json *node)
{
    struct span text;
    bool value;
    if (json_string(node, &text) == ERR_OK) {
        json_write_string(writer, NULL, text);
    } else if (json_bool(node, &value) == ERR_OK) {
        json_write_bool(writer, NULL, value);
    } else if (json_type(node) == JSON_NUMBER) {
        write_number(writer, node);
    } else {
        json_write_null(writer, NULL);
    }
}

// As deep as the lexer lets through.
void answer_write_node(struct json_writer *writer, const struct json *node)
{
    bool is_object = json_type(node) == JSON_OBJECT;
    if (!is_object && json_type(node) != JSON_ARRAY) {
        write_scalar(writer, node);
        return;
    }
    if (is_object) {
        json_write_object(writer, NULL);
    } else {
        json_write_array(writer, NULL);
    }
    for (const struct json *child = json_first(node); child != NULL; child = json_next(child)) {
        if (is_object) {
            json_write_key(writer, json_key(child));
        }
        answer_write_node(writer, child);
    }
    if (is_object) {
        json_write_object_end(writer);
    } else {
        json_write_array_end(writer);
    }
}

void answer_write(const struct json *node, struct buf *out)
{
    struct json_writer writer;
    json_writer_init(&writer, out, JSON_COMPACT);
    answer_write_node(&writer, node);
}

void answer_age(struct span since, char ret_text[ANSWER_AGE_LEN])
{
    static const struct {
        int64_t seconds;
        char letter;
    } units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
    struct wall time;
    ret_text[0] = '\0';
    if (text_time(since, &time) != ERR_OK) {
        return;
    }
    int64_t seconds = (clock_wall().ms - time.ms) / 1000;
    seconds = seconds < 0 ? 0 : seconds; // the daemon's clock may be ahead of ours
    size_t unit = 0;
    while (units[unit].seconds > 1 && seconds < 2 * units[unit].seconds) {
        unit++;
    }
    (void)snprintf(ret_text, ANSWER_AGE_LEN, "%" PRId64 "%c", seconds / units[unit].seconds,
                   units[unit].letter);
}
