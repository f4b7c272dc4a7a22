// SPDX-License-Identifier: Apache-2.0
// What each accessor says of each type, and the tree with every allocation failing once.
// (That the tree builder takes what the lexer takes: test_json_lex.c.)
#include "base/json.h"
#include "tests/lib/failalloc.h"
#include "tests/lib/suite.h"

static const char document[] =
    "{\"s\":\"z\\u00fcrich\",\"t\":true,\"n\":null,\"i\":-5,\"big\":9007199254740991,\"huge\":"
    "1e300,"
    "\"frac\":1.5,\"u\":\"18446744073709551615\",\"bad\":\"12x\",\"over\":\"18446744073709551616\","
    "\"list\":[1,\"two\",{\"three\":3}],\"empty\":{},\"S\":1}";

static struct json *parse(const char *text)
{
    struct json *root = NULL;
    struct json_error error = {0, ""};
    ck_assert_msg(json_parse(span_str(text), &root, &error) == ERR_OK, "%s", error.text);
    return root;
}

TEST(each_value_has_its_type)
{
    static const struct {
        const char *key;
        enum json_type type;
    } rows[] = {{"s", JSON_STRING}, {"t", JSON_BOOL},     {"n", JSON_NULL},
                {"i", JSON_NUMBER}, {"list", JSON_ARRAY}, {"empty", JSON_OBJECT}};
    struct json *root = parse(document);
    CHECK_EQ(json_type(root), JSON_OBJECT);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CHECK_EQ(json_type(json_get(root, rows[i].key)), rows[i].type);
    }
    CHECK(json_is_null(json_get(root, "n")));
    CHECK(!json_is_null(json_get(root, "t")));
    CHECK(!json_is_null(NULL));
    json_free(root);
}

TEST(keys_are_exact)
{
    struct json *root = parse(document);
    CHECK_EQ(json_type(json_get(root, "S")), JSON_NUMBER);
    CHECK(json_get(root, "I") == NULL);
    CHECK(json_get(root, "absent") == NULL);
    CHECK(json_get(NULL, "s") == NULL);
    CHECK(json_get(json_get(root, "list"), "three") == NULL);
    json_free(root);
}

TEST(values_of_another_type_are_refused)
{
    struct json *root = parse(document);
    struct span text = SPAN_LIT("kept");
    bool flag = false;
    double number = 7;
    CHECK_OK(json_string(json_get(root, "s"), &text));
    CHECK(span_eq_str(text, "z\xC3\xBCrich"));
    CHECK_EQ(json_string(json_get(root, "i"), &text), ERR_INVALID);
    CHECK_EQ(json_string(json_get(root, "n"), &text), ERR_INVALID);
    CHECK_EQ(json_string(json_get(root, "absent"), &text), ERR_NOT_FOUND);
    CHECK(span_eq_str(text, "z\xC3\xBCrich"));
    CHECK_OK(json_bool(json_get(root, "t"), &flag));
    CHECK(flag);
    CHECK_EQ(json_bool(json_get(root, "S"), &flag), ERR_INVALID);
    CHECK_OK(json_double(json_get(root, "frac"), &number));
    CHECK(number > 1.4 && number < 1.6);
    CHECK_EQ(json_double(json_get(root, "u"), &number), ERR_INVALID);
    json_free(root);
}

TEST(whole_numbers_have_a_range)
{
    static const struct {
        const char *key;
        int64_t min, max;
        enum err err;
        int64_t value;
    } rows[] = {
        {"i", -5, 5, ERR_OK, -5},
        {"i", -4, 5, ERR_RANGE, 0},
        {"i", -9, -6, ERR_RANGE, 0},
        {"big", 0, JSON_INT_MAX, ERR_OK, JSON_INT_MAX},
        {"huge", -JSON_INT_MAX, JSON_INT_MAX, ERR_RANGE, 0},
        {"frac", 0, 5, ERR_INVALID, 0},
        {"s", 0, 5, ERR_INVALID, 0},
        {"t", 0, 5, ERR_INVALID, 0},
        {"absent", 0, 5, ERR_NOT_FOUND, 0},
    };
    struct json *root = parse(document);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t value = 77;
        CHECK_EQ(json_int(json_get(root, rows[i].key), rows[i].min, rows[i].max, &value),
                 rows[i].err);
        CHECK_EQ(value, rows[i].err == ERR_OK ? rows[i].value : 77);
    }
    json_free(root);
}

TEST(u64_numbers_stand_in_strings)
{
    struct json *root = parse(document);
    uint64_t value = 77;
    CHECK_OK(json_u64(json_get(root, "u"), &value));
    CHECK_UEQ(value, UINT64_MAX);
    CHECK_OK(json_u64(json_get(root, "big"), &value));
    CHECK_UEQ(value, JSON_INT_MAX);
    CHECK_EQ(json_u64(json_get(root, "bad"), &value), ERR_INVALID);
    CHECK_EQ(json_u64(json_get(root, "over"), &value), ERR_RANGE);
    CHECK_EQ(json_u64(json_get(root, "i"), &value), ERR_RANGE);
    CHECK_EQ(json_u64(json_get(root, "huge"), &value), ERR_RANGE);
    CHECK_EQ(json_u64(json_get(root, "t"), &value), ERR_INVALID);
    CHECK_EQ(json_u64(NULL, &value), ERR_NOT_FOUND);
    CHECK_UEQ(value, JSON_INT_MAX);
    json_free(root);
}

TEST(members_and_elements_come_in_order)
{
    struct json *root = parse("{\"b\":1,\"a\":[10,20],\"c\":{}}");
    const struct json *b = json_first(root);
    const struct json *a = json_next(b);
    const struct json *c = json_next(a);
    CHECK(span_eq_str(json_key(b), "b") && span_eq_str(json_key(a), "a"));
    CHECK(span_eq_str(json_key(c), "c") && json_next(c) == NULL);
    CHECK_UEQ(json_count(root), 3);
    CHECK_UEQ(json_count(a), 2);
    CHECK(json_key(json_first(a)).ptr == NULL);
    CHECK(json_key(root).ptr == NULL);
    CHECK(json_first(c) == NULL && json_first(b) == NULL && json_first(NULL) == NULL);
    json_free(root);
    json_free(NULL);
}

TEST(a_refused_text_gives_its_place_and_no_tree)
{
    struct json *root = NULL;
    struct json_error error = {0, ""};
    CHECK_EQ(json_parse(SPAN_LIT("{\"a\":1,\"a\":2}"), &root, &error), ERR_SYNTAX);
    CHECK(root == NULL);
    CHECK_UEQ(error.offset, 7);
    CHECK_STR(error.text, "duplicate key");
}

static bool parse_document(void *arg)
{
    unsigned *odd = arg;
    struct json *root = NULL;
    struct json_error error;
    const enum err err = json_parse(span_str(document), &root, &error);
    *odd += err != ERR_OK && err != ERR_NOMEM;
    *odd += (err == ERR_OK) != (root != NULL);
    json_free(root);
    return err == ERR_OK;
}

TEST(without_memory_it_says_so_and_keeps_nothing)
{
    unsigned odd = 0;
    CHECK(failalloc_each(parse_document, &odd) > 20);
    CHECK_UEQ(odd, 0);
}

SUITE("base/json", T(each_value_has_its_type), T(keys_are_exact),
      T(values_of_another_type_are_refused), T(whole_numbers_have_a_range),
      T(u64_numbers_stand_in_strings), T(members_and_elements_come_in_order),
      T(a_refused_text_gives_its_place_and_no_tree),
      T(without_memory_it_says_so_and_keeps_nothing));
