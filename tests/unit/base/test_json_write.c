// SPDX-License-Identifier: Apache-2.0
// Text in, text out; then every byte string of a random walk must come out as what the lexer accepts.
#include "base/json_write.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/random.h"
#include "tests/lib/suite.h"

#include <math.h>

static void write_sample(struct json_writer *w)
{
    json_write_object(w, NULL);
    json_write_string(w, "id", SPAN_LIT("pay-1"));
    json_write_array(w, "list");
    json_write_int(w, NULL, -1);
    json_write_object(w, NULL);
    json_write_object_end(w);
    json_write_array(w, NULL);
    json_write_array_end(w);
    json_write_bool(w, NULL, true);
    json_write_null(w, NULL);
    json_write_array_end(w);
    json_write_object(w, "labels");
    json_write_key(w, SPAN_LIT("v\""));
    json_write_text(w, NULL, "2");
    json_write_object_end(w);
    json_write_u64(w, "big", UINT64_MAX);
    json_write_raw(w, "raw", SPAN_LIT("[1]"));
    json_write_time(w, "since", (struct wall){1795514400123});
    json_write_duration(w, "lease", 10000);
    json_write_object_end(w);
}

TEST(the_compact_style_has_no_white_space)
{
    struct buf buf;
    struct json_writer w;
    buf_init(&buf, 10000);
    json_writer_init(&w, &buf, JSON_COMPACT);
    write_sample(&w);
    CHECK_STR(buf_cstr(&buf),
              "{\"id\":\"pay-1\",\"list\":[-1,{},[],true,null],\"labels\":{\"v\\\"\":\"2\"},"
              "\"big\":\"18446744073709551615\",\"raw\":[1],"
              "\"since\":\"2026-11-24T10:00:00.123Z\",\"lease\":\"10s\"}");
    buf_fini(&buf);
}

TEST(the_pretty_style_is_for_people)
{
    struct buf buf;
    struct json_writer w;
    buf_init(&buf, 10000);
    json_writer_init(&w, &buf, JSON_PRETTY);
    write_sample(&w);
    CHECK_STR(buf_cstr(&buf), "{\n"
                              "  \"id\": \"pay-1\",\n"
                              "  \"list\": [\n"
                              "    -1,\n"
                              "    {},\n"
                              "    [],\n"
                              "    true,\n"
                              "    null\n"
                              "  ],\n"
                              "  \"labels\": {\n"
                              "    \"v\\\"\": \"2\"\n"
                              "  },\n"
                              "  \"big\": \"18446744073709551615\",\n"
                              "  \"raw\": [1],\n"
                              "  \"since\": \"2026-11-24T10:00:00.123Z\",\n"
                              "  \"lease\": \"10s\"\n"
                              "}\n");
    buf_fini(&buf);
}

static void append(void *arg, struct span bytes)
{
    buf_put(arg, bytes);
}

TEST(a_sink_gets_the_same_bytes)
{
    struct buf one, other;
    struct json_writer w;
    buf_init(&one, 10000);
    buf_init(&other, 10000);
    json_writer_init(&w, &one, JSON_COMPACT);
    write_sample(&w);
    json_writer_init_sink(&w, append, &other);
    write_sample(&w);
    CHECK_STR(buf_cstr(&one), buf_cstr(&other));
    buf_fini(&one);
    buf_fini(&other);
}

TEST(strings_are_escaped_and_always_utf_8)
{
    static const struct {
        struct span value;
        const char *text;
    } rows[] = {
        {{"", 0}, "\"\""},
        {{"plain", 5}, "\"plain\""},
        {{"\"\\/\b\f\n\r\t", 8}, "\"\\\"\\\\/\\b\\f\\n\\r\\t\""},
        {{"a\0b\x1F\x7F", 5},
         "\"a\xEF\xBF\xBD"
         "b\\u001f\x7F\""},
        {{"z\xC3\xBC\xF0\x9F\x98\x80", 7}, "\"z\xC3\xBC\xF0\x9F\x98\x80\""},
        {{"a\xFFz", 3}, "\"a\xEF\xBF\xBDz\""},
        {{"\xC3", 1}, "\"\xEF\xBF\xBD\""},
        {{"\xED\xA0\x80", 3}, "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf buf;
        buf_init(&buf, 1000);
        json_write_quoted(&buf, rows[i].value);
        CHECK_STR(buf_cstr(&buf), rows[i].text);
        buf_fini(&buf);
    }
}

TEST(doubles_read_back_alike)
{
    static const struct {
        double value;
        const char *text;
    } rows[] = {{0, "0"},           {0.1, "0.1"},        {1.0 / 3, "0.3333333333333333"},
                {1e300, "1e+300"},  {-2.5, "-2.5"},      {5e-324, "4.94065645841247e-324"},
                {HUGE_VAL, "null"}, {-HUGE_VAL, "null"}, {HUGE_VAL - HUGE_VAL, "null"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf buf;
        struct json_writer w;
        buf_init(&buf, 100);
        json_writer_init(&w, &buf, JSON_COMPACT);
        json_write_double(&w, NULL, rows[i].value);
        CHECK_STR(buf_cstr(&buf), rows[i].text);
        buf_fini(&buf);
    }
}

TEST(the_deepest_nesting_is_read_back)
{
    struct buf buf;
    struct json_writer w;
    struct json_error error;
    buf_init(&buf, 1000);
    json_writer_init(&w, &buf, JSON_COMPACT);
    for (int i = 0; i < JSON_WRITE_DEPTH_MAX; i++) {
        json_write_array(&w, NULL);
    }
    for (int i = 0; i < JSON_WRITE_DEPTH_MAX; i++) {
        json_write_array_end(&w);
    }
    CHECK_OK(json_lex(buf_span(&buf), &error));
    buf_fini(&buf);
}

TEST(whatever_bytes_come_the_lexer_accepts_what_is_written)
{
    struct random rng;
    random_seed(&rng, 7);
    for (int i = 0; i < 3000; i++) {
        struct buf buf;
        struct json_writer w;
        struct json_error error = {0, ""};
        char bytes[64];
        const size_t len = random_below(&rng, sizeof(bytes));
        for (size_t j = 0; j < len; j++) {
            bytes[j] = (char)random_below(&rng, 256);
        }
        buf_init(&buf, 10000);
        json_writer_init(&w, &buf, JSON_PRETTY);
        json_write_object(&w, NULL);
        json_write_string(&w, "value", span_of(bytes, len));
        json_write_object_end(&w);
        const enum err err = json_lex(buf_span(&buf), &error);
        ck_assert_msg(err == ERR_OK, "%s: %s", buf_cstr(&buf), error.text);
        buf_fini(&buf);
    }
}

SUITE("base/json_write", T(the_compact_style_has_no_white_space), T(the_pretty_style_is_for_people),
      T(a_sink_gets_the_same_bytes), T(strings_are_escaped_and_always_utf_8),
      T(doubles_read_back_alike), T(the_deepest_nesting_is_read_back),
      T(whatever_bytes_come_the_lexer_accepts_what_is_written));
