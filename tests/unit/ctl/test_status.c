// SPDX-License-Identifier: Apache-2.0
// Rows of words and of sets of words.
#include "admin-api/ctl/status.h"
#include "tests/lib/suite.h"

TEST(a_status_is_taken_in_either_case_and_written_in_one)
{
    CHECK_STR(status_word(SPAN_LIT("healthy")), "HEALTHY");
    CHECK_STR(status_word(SPAN_LIT("Draining")), "DRAINING");
    CHECK(status_word(SPAN_LIT("")) == NULL);
    CHECK(status_word(SPAN_LIT("HEALTH")) == NULL);
    CHECK(status_word(SPAN_LIT("HEALTHYX")) == NULL);
}

TEST(a_list_of_statuses_is_a_set)
{
    unsigned set;
    CHECK_OK(status_set_parse("UNHEALTHY,timeout", &set));
    CHECK(status_set_has(set, SPAN_LIT("UNHEALTHY")));
    CHECK(status_set_has(set, SPAN_LIT("TIMEOUT")));
    CHECK(!status_set_has(set, SPAN_LIT("HEALTHY")));
    CHECK(!status_set_has(set, SPAN_LIT("SOMETHING NEW")));
}

TEST(a_list_with_anything_else_is_refused)
{
    static const char *const lists[] = {
        "", ",", "HEALTHY,", ",HEALTHY", "HEALTHY,,TIMEOUT", "GOOD", " HEALTHY"};
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        unsigned set;
        ck_assert_msg(status_set_parse(lists[i], &set) == ERR_SYNTAX, "%s", lists[i]);
    }
}

TEST(the_usage_error_names_every_status)
{
    static const char *const words[] = {
#define STATUS(name, number) #name,
#include "localmap/model/model.def"
#undef STATUS
    };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        ck_assert_msg(strstr(STATUS_WORDS, words[i]) != NULL, "%s", words[i]);
    }
}

SUITE("ctl/status", T(a_status_is_taken_in_either_case_and_written_in_one),
      T(a_list_of_statuses_is_a_set), T(a_list_with_anything_else_is_refused),
      T(the_usage_error_names_every_status));
