// SPDX-License-Identifier: Apache-2.0
// A table of texts with the byte at which each is wrong, then random texts: what the lexer accepts cJSON
// must accept too (that NULL from cJSON means no memory rests on it), and writing its tree must give a text
// that the lexer accepts again.
#include "base/json_lex.h"

#include "base/random.h"
#include "tests/lib/failalloc.h"
#include "tests/lib/suite.h"

#include <cjson/cJSON.h>
#include <stdio.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static const char *const accepted[] = {
    "0",
    "-0",
    "1",
    "-12.5e+10",
    "1E3",
    "0.5",
    "1e308",
    "1e-999",
    "true",
    "false",
    "null",
    " \t\r\n{ } ",
    "[]",
    "[1,2 , 3]",
    "\"\"",
    "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00fc\"",
    "\"\\ud83d\\ude00\"",
    "\"\\uD83D\\uDE00 \x7F \xC3\xBC \xF0\x9F\x98\x80\"",
    "{\"a\":1,\"b\":{\"a\":2,\"b\":3},\"c\":[{\"a\":1},{\"a\":1}]}",
    "{\"\":1,\" \":2}",
    "{\"a\":1,\"A\":2}",
    "9007199254740993",
    "\"\\uFFFF\\ufeff\"",
    "123456789012345678901234567890123456789012345678901234567890123",
};

static const struct {
    const char *text;
    size_t offset;
    const char *why;
} refused[] = {
    {"", 0, "a value is missing"},
    {"  ", 2, "a value is missing"},
    {"\xEF\xBB\xBF{}", 0, "byte order mark"},
    {"{} x", 3, "bytes after the value"},
    {"{}{}", 2, "bytes after the value"},
    {"1 2", 2, "bytes after the value"},
    {"01", 0, "leading zero"},
    {"-01", 1, "leading zero"},
    {"[00]", 1, "leading zero"},
    {"-", 1, "a digit is missing"},
    {"1.", 2, "a digit is missing"},
    {"1.e5", 2, "a digit is missing"},
    {"1e", 2, "a digit is missing"},
    {"1e+", 3, "a digit is missing"},
    {".5", 0, "a value is missing"},
    {"+1", 0, "a value is missing"},
    {"1e999", 0, "number out of range"},
    {"[-1e309]", 1, "number out of range"},
    {"1234567890123456789012345678901234567890123456789012345678901234", 0, "number too long"},
    {"NaN", 0, "a value is missing"},
    {"Infinity", 0, "a value is missing"},
    {"tru", 0, "unknown word"},
    {"nul", 0, "unknown word"},
    {"True", 0, "a value is missing"},
    {"'a'", 0, "a value is missing"},
    {"\"a", 2, "string without an end"},
    {"\"a\\", 3, "unknown escape"},
    {"\"\\x41\"", 2, "unknown escape"},
    {"\"\\u12g4\"", 5, "\\u wants four hex digits"},
    {"\"\\u12", 5, "\\u wants four hex digits"},
    {"\"\\u0000\"", 1, "\\u0000 is not allowed"},
    {"\"a\\ud83d\"", 2, "lone surrogate"},
    {"\"\\ud83dx\"", 1, "lone surrogate"},
    {"\"\\ude00\"", 1, "lone surrogate"},
    {"\"\\ud83d\\u0041\"", 1, "lone surrogate"},
    {"\"\\ud83d\\ud83d\"", 1, "lone surrogate"},
    {"\"a\nb\"", 2, "raw control byte in a string"},
    {"\"a\tb\"", 2, "raw control byte in a string"},
    {"\"a\x1F\"", 2, "raw control byte in a string"},
    {"\"\xFF\"", 1, "not UTF-8"},
    {"\"\xC0\x80\"", 1, "not UTF-8"},
    {"\"\xED\xA0\x80\"", 1, "not UTF-8"},
    {"\"\xE2\x82\"", 1, "not UTF-8"},
    {"{\"\xFF\":1}", 2, "not UTF-8"},
    {"{\"a\":1,}", 7, "a key in quotes is missing"},
    {"{a:1}", 1, "a key in quotes is missing"},
    {"{\"a\" 1}", 5, "a colon is missing"},
    {"{\"a\":}", 5, "a value is missing"},
    {"{\"a\":1 \"b\":2}", 7, "a comma or } is missing"},
    {"{\"a\":1", 6, "a comma or } is missing"},
    {"[1,]", 3, "a value is missing"},
    {"[1 2]", 3, "a comma or ] is missing"},
    {"[1", 2, "a comma or ] is missing"},
    {"[1}", 2, "a comma or ] is missing"},
    {"/*x*/1", 0, "a value is missing"},
    {"{\"a\":1,\"a\":2}", 7, "duplicate key"},
    {"{\"a\":1,\"b\":2,\"\\u0061\":3,\"b\":4}", 13, "duplicate key"},
    {"{\"x\":{\"a\":1,\"a\":2},\"x\":1}", 12, "duplicate key"},
    {"{\"x\":{\"y\":1},\"y\":1,\"x\":1}", 19, "duplicate key"},
    {"[{\"\xC3\xBC\":1,\"\\u00FC\":1}]", 9, "duplicate key"},
};

TEST(well_formed_texts_are_accepted)
{
    for (size_t i = 0; i < COUNT(accepted); i++) {
        struct json_error error = {0, "none"};
        ck_assert_msg(json_lex(span_str(accepted[i]), &error) == ERR_OK, "%s: %s at %zu",
                      accepted[i], error.text, error.offset);
    }
}

TEST(malformed_texts_are_refused_with_the_place)
{
    for (size_t i = 0; i < COUNT(refused); i++) {
        struct json_error error = {999, "none"};
        CHECK_EQ(json_lex(span_str(refused[i].text), &error), ERR_SYNTAX);
        ck_assert_msg(error.offset == refused[i].offset && strcmp(error.text, refused[i].why) == 0,
                      "%s: %s at %zu", refused[i].text, error.text, error.offset);
    }
}

TEST(nul_bytes_are_no_end)
{
    struct json_error error;
    CHECK_EQ(json_lex(span_of("{}\0", 3), &error), ERR_SYNTAX);
    CHECK_UEQ(error.offset, 2);
    CHECK_EQ(json_lex(span_of("\"a\0b\"", 5), &error), ERR_SYNTAX);
    CHECK_UEQ(error.offset, 2);
    CHECK_EQ(json_lex(SPAN_NONE, &error), ERR_SYNTAX);
}

TEST(the_depth_is_limited)
{
    char text[4 * JSON_DEPTH_MAX];
    struct json_error error;
    for (size_t depth = JSON_DEPTH_MAX; depth <= JSON_DEPTH_MAX + 1; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        const enum err err = json_lex(span_of(text, 2 * depth), &error);
        CHECK_EQ(err, depth == JSON_DEPTH_MAX ? ERR_OK : ERR_SYNTAX);
    }
    CHECK_UEQ(error.offset, JSON_DEPTH_MAX);
    CHECK_STR(error.text, "nested too deeply");
}

TEST(no_prefix_of_a_text_is_read_past_its_end)
{
    for (size_t i = 0; i < COUNT(accepted) + COUNT(refused); i++) {
        const char *text = i < COUNT(accepted) ? accepted[i] : refused[i - COUNT(accepted)].text;
        for (size_t len = 0; len <= strlen(text); len++) {
            char *copy = malloc(len + 1); // exactly so long, for the address sanitizer
            struct json_error error = {0, NULL};
            ck_assert(copy != NULL);
            memcpy(copy, text, len);
            char *exact = realloc(copy, len == 0 ? 1 : len);
            ck_assert(exact != NULL);
            const enum err err = json_lex(span_of(exact, len), &error);
            CHECK(err == ERR_OK || (error.offset <= len && error.text != NULL));
            free(exact);
        }
    }
}

TEST(a_hundred_thousand_keys_take_no_quadratic_time)
{
    const size_t count = 100000;
    char *text = malloc(count * 16 + 2);
    size_t len = 0;
    struct json_error error;
    ck_assert(text != NULL);
    for (size_t i = 0; i < count; i++) {
        len += (size_t)snprintf(text + len, 17, "%s\"k%zu\":0", i == 0 ? "{" : ",", i);
    }
    text[len++] = '}';
    CHECK_OK(json_lex(span_of(text, len), &error));
    free(text);
}

// --- random texts

struct text {
    char ptr[4096];
    size_t len;
};

static void put(struct text *text, const char *piece)
{
    const size_t len = strlen(piece);
    if (len <= sizeof(text->ptr) - text->len) {
        memcpy(text->ptr + text->len, piece, len);
        text->len += len;
    }
}

static const char *pick(struct random *rng, const char *const *pieces, size_t count)
{
    return pieces[random_below(rng, count)];
}

// Mostly well formed; the seldom wrong pieces make it wrong in one place.
static void put_random(struct text *text, struct random *rng, unsigned depth)
{
    static const char *const scalars[] = {
        "0",
        "-1",
        "12.75",
        "1e5",
        "-0.0",
        "123456789012345678",
        "true",
        "false",
        "null",
        "\"\"",
        "\"x\"",
        "\"\\u00e9\\n\"",
        "\"\xE2\x82\xAC\"",
        "\"\\ud83d\\ude00\"",
        "1e-400",
    };
    static const char *const wrong[] = {"01", "nul", "\"\xC3\"", "\"\\ud800\"", "1e400", "", "[",
                                        "}",  ",",   "\"\t\"",   "\"\\u0000\"", "--1"};
    static const char *const spaces[] = {"", "", "", " ", "\n\t"};
    static const char *const keys[] = {"\"a\"", "\"b\"", "\"c\"", "\"d\"", "\"\\u0061\"", "\"\""};
    const uint64_t choice = random_below(rng, 100);
    if (choice == 0) {
        put(text, pick(rng, wrong, COUNT(wrong)));
        return;
    }
    if (choice < 40 || depth == 0) {
        put(text, pick(rng, scalars, COUNT(scalars)));
        return;
    }
    const bool object = choice < 70;
    const uint64_t items = random_below(rng, 4);
    put(text, object ? "{" : "[");
    for (uint64_t i = 0; i < items; i++) {
        put(text, i == 0 ? "" : ",");
        put(text, pick(rng, spaces, COUNT(spaces)));
        if (object) {
            put(text, pick(rng, keys, COUNT(keys)));
            put(text, ":");
        }
        put_random(text, rng, depth - 1);
        put(text, pick(rng, spaces, COUNT(spaces)));
    }
    put(text, object ? "}" : "]");
}

// 1: the lexer accepts; 0: it does not; -1: the two disagree.
static int compare(struct span bytes)
{
    struct json_error error;
    if (json_lex(bytes, &error) != ERR_OK) {
        return 0;
    }
    cJSON *tree = cJSON_ParseWithLength(bytes.ptr, bytes.len);
    char *again = tree == NULL ? NULL : cJSON_PrintUnformatted(tree);
    const bool agree = again != NULL && json_lex(span_str(again), &error) == ERR_OK;
    free(again);
    cJSON_Delete(tree);
    return agree ? 1 : -1;
}

TEST(whatever_it_accepts_the_tree_builder_reads)
{
    struct random rng;
    unsigned good = 0, bad = 0;
    random_seed(&rng, 20261124);
    for (unsigned i = 0; i < 30000; i++) {
        struct text text = {.len = 0};
        put_random(&text, &rng, 6);
        if (random_below(&rng, 4) == 0 && text.len > 0) { // one byte changed at random
            text.ptr[random_below(&rng, text.len)] = (char)random_below(&rng, 256);
        }
        const int result = compare(span_of(text.ptr, text.len));
        if (result < 0) {
            ck_abort_msg("row %u: %.*s", i, (int)text.len, text.ptr);
        }
        good += result == 1;
        bad += result == 0;
    }
    CHECK(good > 5000 && bad > 5000); // the generator hits both
}

static bool lex_many_keys(void *arg)
{
    unsigned *odd = arg;
    struct json_error error;
    const enum err err = json_lex(
        SPAN_LIT("{\"a\":1,\"b\":{\"a\":[1,2]},\"a long key that wants more room than the others "
                 "have had until it came along, so that the text of it is moved elsewhere\":1,"
                 "\"1\":0,\"2\":0,\"3\":0,\"4\":0,\"5\":0,\"6\":0,\"7\":0,\"8\":0,\"9\":0,"
                 "\"10\":0,\"11\":0,\"12\":0,\"13\":0,\"14\":0,\"15\":0,\"16\":0,\"17\":0,"
                 "\"18\":0,\"19\":0,\"20\":0,\"21\":0,\"22\":0,\"23\":0,\"24\":0,\"25\":0,"
                 "\"26\":0,\"27\":0,\"28\":0,\"29\":0,\"30\":0,\"31\":0,\"32\":0,\"33\":0}"),
        &error);
    *odd += err != ERR_OK && err != ERR_NOMEM;
    return err == ERR_OK;
}

TEST(without_memory_it_says_so)
{
    unsigned odd = 0;
    CHECK(failalloc_each(lex_many_keys, &odd) >= 4);
    CHECK_UEQ(odd, 0);
}

SUITE("base/json_lex", T(well_formed_texts_are_accepted),
      T(malformed_texts_are_refused_with_the_place), T(nul_bytes_are_no_end),
      T(the_depth_is_limited), T(no_prefix_of_a_text_is_read_past_its_end),
      T(a_hundred_thousand_keys_take_no_quadratic_time),
      T(whatever_it_accepts_the_tree_builder_reads), T(without_memory_it_says_so));
