// SPDX-License-Identifier: Apache-2.0
// A row is a template and what becomes of it; "a" stands for "1" and "b" for "{a}".
#include "tests/lib/suite.h"

#include "base/template.h"

static const struct template_word words[] = {{"a", {"1", 1}}, {"b", {"{a}", 3}}};

TEST(words_are_replaced_once)
{
    const struct {
        const char *text, *result; // NULL: ERR_SYNTAX
    } rows[] = {{"", ""},        {"x", "x"},         {"{a}", "1"},  {"x{a}y{a}z", "x1y1z"},
                {"{b}", "{a}"},  {"{a}{b}", "1{a}"}, {"{c}", NULL}, {"{", NULL},
                {"}", NULL},     {"x}", NULL},       {"{a", NULL},  {"{}", NULL},
                {"{{a}}", NULL}, {"{a}}", NULL},     {"{ a}", NULL}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf out;
        buf_init(&out, 100);
        enum err err = template_expand(span_str(rows[i].text), words, 2, &out);
        ck_assert_msg(err == (rows[i].result == NULL ? ERR_SYNTAX : ERR_OK), "%s", rows[i].text);
        if (err == ERR_OK) {
            CHECK_STR(buf_cstr(&out), rows[i].result);
        }
        buf_fini(&out);
    }
}

TEST(a_result_that_does_not_fit_is_the_buffers_error)
{
    struct buf out;
    buf_init(&out, 4);
    CHECK_OK(template_expand(SPAN_LIT("{b}{b}"), words, 2, &out));
    CHECK_EQ(out.err, ERR_TOO_LARGE);
    buf_fini(&out);
}

SUITE("base/template", T(words_are_replaced_once),
      T(a_result_that_does_not_fit_is_the_buffers_error));
