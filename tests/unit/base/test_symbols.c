// SPDX-License-Identifier: Apache-2.0
// Names of this very program's functions, static ones too, and of a library's.
#include "base/symbols.h"

#include "tests/lib/failalloc.h"
#include "tests/lib/suite.h"

#include <stdint.h>
#include <string.h>

__attribute__((noinline)) static uintptr_t where_am_i(void)
{
    return (uintptr_t)__builtin_return_address(0);
}

__attribute__((noinline)) static uintptr_t the_one_that_calls(void)
{
    const uintptr_t address = where_am_i();
    CHECK(address != 0); // no tail call
    return address;
}

TEST(an_address_has_the_name_of_its_function)
{
    struct symbols *symbols = NULL;
    char name[SYMBOLS_NAME_LEN];
    CHECK_OK(symbols_new(&symbols));
    symbols_name(symbols, the_one_that_calls(), name);
    ck_assert_msg(strncmp(name, "the_one_that_calls+0x", 21) == 0, "%s", name);
    symbols_name(symbols, (uintptr_t)symbols_name + 1, name);
    CHECK_STR(name, "symbols_name+0x1");
    symbols_free(symbols);
}
END_TEST

TEST(a_function_of_a_library_has_the_name_of_its_file)
{
    struct symbols *symbols = NULL;
    char name[SYMBOLS_NAME_LEN];
    CHECK_OK(symbols_new(&symbols));
    symbols_name(symbols, (uintptr_t)srunner_run_all + 1, name);
    ck_assert_msg(strstr(name, "+0x") != NULL, "%s", name);
    symbols_free(symbols);
}
END_TEST

TEST(what_nobody_knows_is_a_number)
{
    struct symbols *symbols = NULL;
    char name[SYMBOLS_NAME_LEN];
    CHECK_OK(symbols_new(&symbols));
    symbols_name(symbols, 0x10, name);
    CHECK_STR(name, "0x10");
    symbols_free(symbols);
    symbols_name(NULL, 0x10, name);
    CHECK_STR(name, "0x10");
    symbols_free(NULL);
}
END_TEST

static bool walk(void *arg)
{
    (void)arg;
    struct symbols *symbols = NULL;
    const bool good = symbols_new(&symbols) == ERR_OK;
    symbols_free(symbols);
    return good;
}

TEST(no_memory_is_an_error)
{
    CHECK(failalloc_each(walk, NULL) > 1);
}
END_TEST

SUITE("base/symbols", T(an_address_has_the_name_of_its_function),
      T(a_function_of_a_library_has_the_name_of_its_file), T(what_nobody_knows_is_a_number),
      T(no_memory_is_an_error));
