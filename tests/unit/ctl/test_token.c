// SPDX-License-Identifier: Apache-2.0
// Names and lists of grants as they may be typed, and the line that is made of them; that a daemon lets
// such a token in is tests/integration/ctl.t's to show.
#include "admin-api/ctl/token.h"
#include "base/buf.h"
#include "tests/lib/suite.h"

#include <string.h>

TEST(a_name_is_one_word)
{
    static const char *const good[] = {"ci", "grafana.eu", "ops@example", "n\xc3\xa4me"};
    static const char *const bad[] = {"", "a b", "a\tb", "!x", "#x", "a\nb", "\xff"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        ck_assert_msg(token_name_problem(good[i]) == NULL, "%s", good[i]);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ck_assert_msg(token_name_problem(bad[i]) != NULL, "%s", bad[i]);
    }
    char name[65];
    memset(name, 'x', 64);
    name[64] = '\0';
    CHECK(token_name_problem(name) != NULL);
    name[63] = '\0';
    CHECK(token_name_problem(name) == NULL);
}

TEST(grants_are_a_list_of_read_and_write)
{
    static const char *const good[] = {"read", "write", "read,write:acme", "read:a,read:b"};
    static const char *const bad[] = {
        "", "admin", "read,", ",read", "read:", "Read", "read write", "read:a b", "write:!x\x01"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        ck_assert_msg(token_grants_problem(good[i]) == NULL, "%s", good[i]);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ck_assert_msg(token_grants_problem(bad[i]) != NULL, "%s", bad[i]);
    }
    char many[17 * 5 + 1];
    for (size_t i = 0; i < 17; i++) {
        memcpy(many + i * 5, i > 0 ? ",read" : " read", 6);
    }
    CHECK(token_grants_problem(many + 1) != NULL);
    many[16 * 5] = '\0';
    CHECK(token_grants_problem(many + 1) == NULL);
}

TEST(the_line_holds_the_hash_of_the_token)
{
    struct buf out;
    buf_init(&out, 512);
    CHECK_OK(token_line("ci", "write:acme", "abc", &out)); // the example of FIPS 180-2
    CHECK_STR(buf_cstr(&out), "ci write:acme sha256:"
                              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    buf_reset(&out);
    CHECK_OK(token_line("ci", "", "abc", &out));
    CHECK(strncmp(buf_cstr(&out), "ci read sha256:", 15) == 0);
    buf_fini(&out);
}

TEST(no_two_tokens_are_alike)
{
    char first[TOKEN_LEN + 1], second[TOKEN_LEN + 1];
    token_make(first);
    token_make(second);
    CHECK_EQ(strlen(first), TOKEN_LEN);
    CHECK(strncmp(first, "mp_", 3) == 0);
    CHECK(strcmp(first, second) != 0);
}

SUITE("ctl/token", T(a_name_is_one_word), T(grants_are_a_list_of_read_and_write),
      T(the_line_holds_the_hash_of_the_token), T(no_two_tokens_are_alike));
