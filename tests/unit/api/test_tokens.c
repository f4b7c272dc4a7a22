// SPDX-License-Identifier: Apache-2.0
// The tokens file: lines in, rights or the words of an error out.
#include "admin-api/tokens.h"

#include "tests/lib/suite.h"

#include <stdio.h>

// SHA-256 of "secret" and of "other".
#define SECRET "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
#define OTHER "d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa"

static struct tokens *parse(const char *file)
{
    struct tokens *tokens = NULL;
    char text[TOKENS_TEXT_LEN] = "";
    enum err err = tokens_parse(span_str(file), text, &tokens);
    ck_assert_msg(err == ERR_OK, "%s: %s", file, text);
    return tokens;
}

TEST(a_token_is_found_by_its_secret)
{
    struct tokens *tokens = parse("# who may what\n\n  ci\twrite:acme,read   sha256:" SECRET "\r\n"
                                  "ops write sha256:" OTHER);
    CHECK_UEQ(tokens_count(tokens), 2);
    const struct token *token = tokens_find(tokens, SPAN_LIT("secret"));
    CHECK(token != NULL);
    CHECK_STR(token->name, "ci");
    CHECK_STR(tokens_find(tokens, SPAN_LIT("other"))->name, "ops");
    CHECK(tokens_find(tokens, SPAN_LIT("Secret")) == NULL);
    CHECK(tokens_find(tokens, SPAN_LIT("")) == NULL);
    CHECK(tokens_find(tokens, SPAN_LIT(SECRET)) == NULL);
    tokens_free(tokens);
}
END_TEST

TEST(upper_case_hex_is_the_same_hash)
{
    struct tokens *tokens =
        parse("x read sha256:2BB80D537B1DA3E38BD30361AA855686BDE0EACD7162FEF6A25FE97BF527A25B\n");
    CHECK(tokens_find(tokens, SPAN_LIT("secret")) != NULL);
    tokens_free(tokens);
}
END_TEST

TEST(a_grant_covers_its_tenant_and_write_includes_read)
{
    static const struct {
        const char *grants, *tenant;
        bool read, write;
    } rows[] = {
        {"read", "acme", true, false},         {"read", "", true, false},
        {"write", "acme", true, true},         {"write", "", true, true},
        {"read:acme", "acme", true, false},    {"read:acme", "other", false, false},
        {"read:acme", "", false, false},       {"write:acme", "acme", true, true},
        {"write:acme", "acmex", false, false}, {"write:acme,read", "other", true, false},
        {"write:acme,read", "", true, false},  {"read:a,write:b", "a", true, false},
        {"read:a,write:b", "b", true, true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char line[256];
        (void)snprintf(line, sizeof(line), "x %s sha256:" SECRET, rows[i].grants);
        struct tokens *tokens = parse(line);
        const struct token *token = tokens_find(tokens, SPAN_LIT("secret"));
        CHECK(token != NULL);
        ck_assert_msg(tokens_allow(token, span_str(rows[i].tenant), false) == rows[i].read, "%s",
                      line);
        ck_assert_msg(tokens_allow(token, span_str(rows[i].tenant), true) == rows[i].write, "%s",
                      line);
        tokens_free(tokens);
    }
}
END_TEST

TEST(a_bad_line_is_named)
{
    static const struct {
        const char *file, *text;
    } rows[] = {
        {"x", "line 1: the grants are missing"},
        {"\n#\nx read", "line 3: the hash is not sha256:"},
        {"x admin sha256:" SECRET, "line 1: a grant is read or write"},
        {"x READ sha256:" SECRET, "line 1: a grant is read or write"},
        {"x read, sha256:" SECRET, "line 1: the grants end in a comma"},
        {"x ,read sha256:" SECRET, "line 1: a grant is read or write"},
        {"x read: sha256:" SECRET, "line 1: the tenant of a grant is not a name"},
        {"x read sha256:00", "line 1: the hash is not sha256:"},
        {"x read sha1:" SECRET, "line 1: the hash is not sha256:"},
        {"x read sha256:g" SECRET, "line 1: the hash is not sha256:"},
        {"x read sha256:" SECRET " more", "line 1: there is more on the line"},
        {"!x read sha256:" SECRET, "line 1: the name is not"},
        {"\xff read sha256:" SECRET, "line 1: the name is not"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct tokens *tokens = NULL;
        char text[TOKENS_TEXT_LEN] = "";
        CHECK_EQ(tokens_parse(span_str(rows[i].file), text, &tokens), ERR_SYNTAX);
        ck_assert_msg(strncmp(text, rows[i].text, strlen(rows[i].text)) == 0, "%s: %s",
                      rows[i].file, text);
        CHECK(tokens == NULL);
    }
}
END_TEST

TEST(a_file_that_is_not_there_is_not_found)
{
    struct tokens *tokens = NULL;
    char text[TOKENS_TEXT_LEN] = "";
    CHECK_EQ(tokens_load("/nonexistent/tokens", text, &tokens), ERR_NOT_FOUND);
    CHECK_STR(text, "not found");
}
END_TEST

SUITE("api/tokens", T(a_token_is_found_by_its_secret), T(upper_case_hex_is_the_same_hash),
      T(a_grant_covers_its_tenant_and_write_includes_read), T(a_bad_line_is_named),
      T(a_file_that_is_not_there_is_not_found));
