// SPDX-License-Identifier: Apache-2.0
// Queries, Accept and Content-Type, as tables.
#include "admin-api/request.h"

#include "tests/lib/suite.h"

TEST(a_parameter_is_found_and_decoded)
{
    static const struct {
        const char *query, *name, *value; // NULL: absent
    } rows[] = {
        {"", "a", NULL},       {"a", "a", ""},        {"a=", "a", ""},     {"a=1", "a", "1"},
        {"b=2&a=1", "a", "1"}, {"a=1&a=2", "a", "1"}, {"%61=1", "a", "1"}, {"a=%31%32", "a", "12"},
        {"a=b=c", "a", "b=c"}, {"&&a=1&", "a", "1"},  {"aa=1", "a", NULL}, {"A=1", "a", NULL},
        {"a=x+y", "a", "x+y"}, {"a=%26", "a", "&"},   {"=1", "", "1"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char buf[REQUEST_QUERY_LEN_MAX];
        struct span value;
        enum request_query found =
            request_query_get(span_str(rows[i].query), rows[i].name, buf, &value);
        CHECK_EQ(found, rows[i].value == NULL ? REQUEST_QUERY_ABSENT : REQUEST_QUERY_FOUND);
        ck_assert_msg(rows[i].value == NULL || span_eq_str(value, rows[i].value), "%s",
                      rows[i].query);
    }
}
END_TEST

TEST(a_broken_or_endless_value_is_bad)
{
    char buf[REQUEST_QUERY_LEN_MAX], query[REQUEST_QUERY_LEN_MAX + 8];
    struct span value;
    memset(query, 'x', sizeof(query));
    query[0] = 'a';
    query[1] = '=';
    CHECK_EQ(request_query_get(span_of(query, sizeof(query)), "a", buf, &value), REQUEST_QUERY_BAD);
    CHECK_EQ(request_query_get(SPAN_LIT("a=%4"), "a", buf, &value), REQUEST_QUERY_BAD);
    CHECK_EQ(request_query_get(SPAN_LIT("a=%zz"), "a", buf, &value), REQUEST_QUERY_BAD);
}
END_TEST

TEST(only_known_parameters_once_each_are_good)
{
    static const char *const names[] = {"ack", "timeout", NULL};
    static const struct {
        const char *query;
        bool good;
    } rows[] = {
        {"", true},
        {"&", true},
        {"ack", true},
        {"ack=1&timeout=2", true},
        {"timeout=2&ack=1", true},
        {"ack&ack", false},
        {"ack=1&%61ck=2", false},
        {"x", false},
        {"ack=1&x", false},
        {"ac%", false},
        {"=", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ck_assert_msg(request_query_only(span_str(rows[i].query), names) == rows[i].good, "%s",
                      rows[i].query);
    }
}
END_TEST

TEST(json_is_preferred_when_it_is_named_first)
{
    static const struct {
        const char *accept;
        bool json;
    } rows[] = {
        {"application/json", true},
        {"application/json, text/plain", true},
        {"APPLICATION/JSON;q=1", true},
        {"application/*", true},
        {"text/html, application/json", true},
        {"text/plain, application/json", false},
        {"*/*", false},
        {"*/*, application/json", false},
        {"", false},
        {"text/html", false},
        {"application/jsonx", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct http1_header header = {SPAN_LIT("Accept"), span_str(rows[i].accept)};
        const struct http1_request http = {.headers = &header, .header_count = 1};
        ck_assert_msg(request_wants_json(&http) == rows[i].json, "%s", rows[i].accept);
    }
}
END_TEST

TEST(a_media_type_is_compared_without_its_parameters)
{
    static const char *const json[] = {"application/json", NULL};
    static const struct {
        const char *type;
        bool is_json;
    } rows[] = {
        {"application/json", true},
        {"application/json;charset=utf-8", true},
        {"application/json ; x=y", true},
        {"Application/Json", true},
        {"application/json2", false},
        {"application/jso", false},
        {"", false},
        {"text/json", false},
        {";application/json", false},
        {"application/json, application/json", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct http1_header headers[] = {{SPAN_LIT("content-type"), span_str(rows[i].type)},
                                               {SPAN_LIT("Content-Type"), span_str(rows[i].type)}};
        const struct http1_request one = {.headers = headers, .header_count = 1};
        const struct http1_request two = {.headers = headers, .header_count = 2};
        ck_assert_msg(request_media_is(&one, json) == rows[i].is_json, "%s", rows[i].type);
        CHECK(!request_media_is(&two, json));
    }
}
END_TEST

SUITE("api/request", T(a_parameter_is_found_and_decoded), T(a_broken_or_endless_value_is_bad),
      T(only_known_parameters_once_each_are_good), T(json_is_preferred_when_it_is_named_first),
      T(a_media_type_is_compared_without_its_parameters));
