// SPDX-License-Identifier: Apache-2.0
// Reads members out of small documents, and writes documents back.
#include "admin-api/ctl/answer.h"
#include "base/buf.h"
#include "base/json.h"
#include "tests/lib/suite.h"

static struct json *parse(const char *text)
{
    struct json *root = NULL;
    struct json_error where;
    CHECK_OK(json_parse(span_str(text), &root, &where));
    return root;
}

TEST(what_is_absent_or_of_another_type_is_empty)
{
    struct json *root = parse("{\"s\":\"x\",\"n\":7,\"b\":true,\"null\":null}");
    CHECK(span_eq_str(answer_text(root, "s"), "x"));
    CHECK_UEQ(answer_text(root, "n").len, 0);
    CHECK_UEQ(answer_text(root, "none").len, 0);
    CHECK_UEQ(answer_text(NULL, "s").len, 0);
    CHECK(answer_bool(root, "b"));
    CHECK(!answer_bool(root, "s"));
    CHECK_EQ(answer_int(root, "n", -1), 7);
    CHECK_EQ(answer_int(root, "null", -1), -1);
    json_free(root);
}

TEST(a_document_is_written_as_it_was_read)
{
    static const char *const documents[] = {
        "{}",
        "[]",
        "{\"a\":[1,-2,0.5,true,false,null,\"x\\\"y\"],\"b\":{\"c\":{}}}",
        "[[],{\"e\":\"\xc3\xa9\"}]",
        "\"x\"",
    };
    for (size_t i = 0; i < sizeof(documents) / sizeof(documents[0]); i++) {
        struct json *root = parse(documents[i]);
        struct buf out;
        buf_init(&out, 4096);
        answer_write(root, &out);
        CHECK_EQ(out.err, ERR_OK);
        CHECK_STR(buf_cstr(&out), documents[i]);
        buf_fini(&out);
        json_free(root);
    }
}

TEST(an_age_needs_a_time_and_is_never_negative)
{
    char age[ANSWER_AGE_LEN];
    answer_age(SPAN_NONE, age);
    CHECK_STR(age, "");
    answer_age(SPAN_LIT("yesterday"), age);
    CHECK_STR(age, "");
    answer_age(SPAN_LIT("9998-01-01T00:00:00Z"), age);
    CHECK_STR(age, "0s");
    answer_age(SPAN_LIT("2001-01-01T00:00:00Z"), age);
    CHECK(age[strlen(age) - 1] == 'd');
}

SUITE("ctl/answer", T(what_is_absent_or_of_another_type_is_empty),
      T(a_document_is_written_as_it_was_read), T(an_age_needs_a_time_and_is_never_negative));
