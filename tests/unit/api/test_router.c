// SPDX-License-Identifier: Apache-2.0
// Paths and methods against the table of routes.
#include "admin-api/router.h"

#include "tests/lib/suite.h"

static void find(const char *method, const char *path, struct route_match *ret_match)
{
    route_find(span_str(method), span_str(path), ret_match);
}

TEST(a_path_finds_its_row_and_its_names)
{
    static const struct {
        const char *method, *path, *template, *tenant, *service, *instance, *observer;
    } rows[] = {
        {"GET", "/v1/services", "/v1/services", "default", "", "", ""},
        {"HEAD", "/v1/services", "/v1/services", "default", "", "", ""},
        {"GET", "/v1/tenants/acme/services", "/v1/services", "acme", "", "", ""},
        {"GET", "/v1/services/pay", "/v1/services/{s}", "default", "pay", "", ""},
        {"GET", "/v1/services/tenants", "/v1/services/{s}", "default", "tenants", "", ""},
        {"GET", "/v1/tenants/services/services/services", "/v1/services/{s}", "services",
         "services", "", ""},
        {"PUT", "/v1/tenants/t/services/s/instances/i/observations/o",
         "/v1/services/{s}/instances/{i}/observations/{observer}", "t", "s", "i", "o"},
        {"DELETE", "/v1/services/a%2Fb/instances/%7C/override",
         "/v1/services/{s}/instances/{i}/override", "default", "a/b", "|", ""},
        {"GET", "/%76%31/services", "/v1/services", "default", "", "", ""},
        {"GET", "/v1/services/+%2B%25", "/v1/services/{s}", "default", "++%", "", ""},
        {"GET", "/livez", "/livez", "", "", "", ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct route_match match;
        find(rows[i].method, rows[i].path, &match);
        ck_assert_msg(match.result == ROUTE_FOUND, "%s", rows[i].path);
        CHECK_STR(match.route->template, rows[i].template);
        CHECK(span_eq_str(match.params[ROUTE_PARAM_TENANT], rows[i].tenant));
        CHECK(span_eq_str(match.params[ROUTE_PARAM_SERVICE], rows[i].service));
        CHECK(span_eq_str(match.params[ROUTE_PARAM_INSTANCE], rows[i].instance));
        CHECK(span_eq_str(match.params[ROUTE_PARAM_OBSERVER], rows[i].observer));
    }
}
END_TEST

TEST(a_path_that_is_no_route_is_unknown)
{
    static const char *const paths[] = {"",
                                        "*",
                                        "x",
                                        "/",
                                        "//",
                                        "/v1//services",
                                        "/v1/services/",
                                        "/v1/services/a/",
                                        "/v2/services",
                                        "/v1/tenants/a/watch",
                                        "/v1/tenants/a/livez",
                                        "/livez/",
                                        "/v1/servicesx",
                                        "/v1/services/a/instances/b/override/c"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct route_match match;
        find("GET", paths[i], &match);
        ck_assert_msg(match.result == ROUTE_UNKNOWN, "%s", paths[i]);
    }
}
END_TEST

TEST(a_broken_escape_is_bad_wherever_it_stands)
{
    static const char *const paths[] = {
        "/%", "/%2", "/%2x", "/nowhere/%zz", "/v1/services/a%", "/v1/services/%-1"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct route_match match;
        find("GET", paths[i], &match);
        ck_assert_msg(match.result == ROUTE_BAD_ESCAPE, "%s", paths[i]);
    }
}
END_TEST

TEST(a_name_that_is_too_long_stays_too_long)
{
    char path[2000] = "/v1/services/";
    size_t start = strlen(path);
    memset(path + start, 'a', sizeof(path) - start - 1);
    path[sizeof(path) - 1] = '\0';
    struct route_match match;
    find("GET", path, &match);
    CHECK_EQ(match.result, ROUTE_FOUND);
    CHECK_UEQ(match.params[ROUTE_PARAM_SERVICE].len, ROUTE_PARAM_LEN_MAX);
}
END_TEST

TEST(each_row_of_the_table_is_found_by_its_own_template)
{
    size_t count = 0;
    const struct route *table = route_table(&count);
    CHECK(count > 20);
    for (size_t i = 0; i < count; i++) {
        struct route_match match;
        find(table[i].method, table[i].template, &match);
        CHECK_EQ(match.result, ROUTE_FOUND);
        CHECK(match.route == &table[i]);
        CHECK(strlen(table[i].text) > 10);
        CHECK(table[i].scope != ROUTE_WRITE || strcmp(table[i].method, "GET") != 0);
    }
}
END_TEST

SUITE("api/router", T(a_path_finds_its_row_and_its_names), T(a_path_that_is_no_route_is_unknown),
      T(a_broken_escape_is_bad_wherever_it_stands), T(a_name_that_is_too_long_stays_too_long),
      T(each_row_of_the_table_is_found_by_its_own_template));
