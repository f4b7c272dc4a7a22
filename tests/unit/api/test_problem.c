// SPDX-License-Identifier: Apache-2.0
// Each row of problem.def as an answer, and the members that some of them carry.
#include "admin-api/problem.h"

#include "admin-api/response.h"
#include "base/json_lex.h"
#include "tests/lib/suite.h"

#include <stdio.h>

static void check_json(const struct response *response)
{
    struct json_error error;
    ck_assert_msg(json_lex(response_body(response), &error) == ERR_OK, "%s",
                  buf_cstr(&response->body));
}

TEST(every_problem_says_what_the_table_says)
{
    for (unsigned i = 0; i < PROBLEM_COUNT; i++) {
        enum problem_code code = (enum problem_code)i;
        char type[96];
        struct response response;
        response_init(&response);
        problem_fill(&response, code, "a \"detail\"");
        CHECK_UEQ(response.status, problem_status(code));
        CHECK(response.status >= 400 && response.status < 600);
        CHECK_STR(response.content_type, "application/problem+json");
        check_json(&response);
        (void)snprintf(type, sizeof(type),
                       "{\"type\":\"urn:meshpulse:problem:%s\",\"title\":\"%s\"",
                       problem_word(code), problem_title(code));
        CHECK(strstr(buf_cstr(&response.body), type) != NULL);
        CHECK(strstr(buf_cstr(&response.body), "\"detail\":\"a \\\"detail\\\"\"") != NULL);
        bool retry = response.status == 429 || response.status == 503;
        CHECK_EQ(strstr(buf_cstr(&response.body), "retry_after") != NULL, retry);
        CHECK_UEQ(response.header_count, retry ? 1 : 0);
        response_fini(&response);
    }
}
END_TEST

TEST(a_problem_takes_the_place_of_what_was_there)
{
    struct response response;
    response_init(&response);
    response_header(&response, "ETag", "\"x\"");
    response.kind = RESPONSE_MORE;
    buf_str(&response.body, "half an answer");
    problem_fill(&response, PROBLEM_NOT_FOUND, "gone");
    CHECK_EQ(response.kind, RESPONSE_COMPLETE);
    CHECK_UEQ(response.header_count, 0);
    CHECK(strstr(buf_cstr(&response.body), "half") == NULL);
    response_fini(&response);
}
END_TEST

TEST(a_pointer_is_escaped_and_cut_at_a_character)
{
    struct problem_fields fields = {.count = 0};
    char long_name[200];
    memset(long_name, 'x', sizeof(long_name));
    memcpy(long_name + 84, "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4", 14);
    const struct span names[] = {SPAN_LIT("a/b~c"), SPAN_LIT(""), span_of(long_name, 200)};
    problem_field_add(&fields, "/labels", &names[0], "one");
    problem_field_add(&fields, "", &names[1], "two");
    problem_field_add(&fields, "", NULL, "three");
    problem_field_add(&fields, "/labels", &names[2], "four");
    CHECK_STR(fields.at[0].pointer, "/labels/a~1b~0c");
    CHECK_STR(fields.at[1].pointer, "/");
    CHECK_STR(fields.at[2].pointer, "");
    CHECK(strlen(fields.at[3].pointer) < PROBLEM_POINTER_LEN);
    struct response response;
    response_init(&response);
    problem_fill_fields(&response, &fields);
    check_json(&response);
    CHECK(strstr(buf_cstr(&response.body), "\xef\xbf\xbd") == NULL);
    CHECK(strstr(buf_cstr(&response.body), "{\"pointer\":\"\",\"detail\":\"three\"}") != NULL);
    response_fini(&response);
}
END_TEST

TEST(more_errors_than_fit_are_dropped)
{
    struct problem_fields fields = {.count = 0};
    for (unsigned i = 0; i < PROBLEM_FIELDS_MAX + 5; i++) {
        problem_field_add(&fields, "", NULL, "x");
    }
    CHECK_UEQ(fields.count, PROBLEM_FIELDS_MAX);
}
END_TEST

TEST(a_stale_version_carries_what_is_current)
{
    struct response response;
    response_init(&response);
    problem_stale_begin(&response);
    buf_str(&response.body, "null");
    problem_stale_end(&response);
    check_json(&response);
    CHECK_UEQ(response.status, 412);
    CHECK(strstr(buf_cstr(&response.body), "\"code\":\"stale_version\",\"current\":null}") != NULL);
    response_fini(&response);
}
END_TEST

SUITE("api/problem", T(every_problem_says_what_the_table_says),
      T(a_problem_takes_the_place_of_what_was_there),
      T(a_pointer_is_escaped_and_cut_at_a_character), T(more_errors_than_fit_are_dropped),
      T(a_stale_version_carries_what_is_current));
