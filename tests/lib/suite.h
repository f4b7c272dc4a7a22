// SPDX-License-Identifier: Apache-2.0
// The only file that includes check.h.  A test file is: `TEST(a_true_sentence) { ... }` for each
// test, then one `SUITE("module/file", T(a_true_sentence), ...)`, which is its main() and prints TAP.
// A test that is left out of its SUITE is an unused static function, hence a compile error.
// Sanitizer runs set CK_FORK=no.  CK_RUN_CASE=name runs one test.
#pragma once

#include <check.h>
#include <stdlib.h>

struct suite_row {
    const TTest *test;
};

#define TEST(name) START_TEST(name)
// clang-format off
#define T(name) {name}
// clang-format on

#define CHECK(cond) ck_assert_msg(cond, "%s", #cond)
#define CHECK_INT(a, op, b) ck_assert_int_##op((intmax_t)(a), (intmax_t)(b))
#define CHECK_EQ(a, b) ck_assert_int_eq((intmax_t)(a), (intmax_t)(b))
#define CHECK_UEQ(a, b) ck_assert_uint_eq((uintmax_t)(a), (uintmax_t)(b))
#define CHECK_STR(a, b) ck_assert_str_eq((a), (b))
#define CHECK_MEM(a, b, len) ck_assert_mem_eq((a), (b), (len))
#define CHECK_OK(expr) ck_assert_msg((expr) == 0, "%s failed", #expr)

static inline int suite_run(const char *name, const struct suite_row *rows, size_t count)
{
    Suite *suite = suite_create(name);
    for (size_t i = 0; i < count; i++) {
        TCase *tcase = tcase_create(rows[i].test->name);
        tcase_set_timeout(tcase, 60);
        tcase_add_test(tcase, rows[i].test);
        suite_add_tcase(suite, tcase);
    }
    SRunner *runner = srunner_create(suite);
    srunner_set_tap(runner, "-");
    srunner_run_all(runner, CK_SILENT);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#define SUITE(name, ...)                                                                           \
    int main(void)                                                                                 \
    {                                                                                              \
        const struct suite_row rows[] = {__VA_ARGS__};                                             \
        return suite_run(name, rows, sizeof(rows) / sizeof(rows[0]));                              \
    }                                                                                              \
    _Static_assert(1, "")
