// SPDX-License-Identifier: Apache-2.0
// The table itself: names that cannot be mistaken for one another, defaults that are valid, words in the
// order of their enums.
#include "tests/lib/suite.h"

#include "replicator/config_table.h"

#include <stdio.h>
#include <string.h>

#define PAGE_MAX (1u << 18)

TEST(no_two_rows_share_a_name_or_a_variable)
{
    for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
        char env[CONFIG_NAME_MAX];
        config_row_env(&config_table[i], env);
        CHECK(config_find_env(span_str(env)) == &config_table[i]);
        CHECK(config_find(span_str(config_table[i].section), span_str(config_table[i].key)) ==
              &config_table[i]);
        CHECK(config_find_section(span_str(config_table[i].section)) != NULL);
        CHECK(config_table[i].help[0] != '\0');
    }
}

TEST(no_key_holds_a_secret_itself)
{
    for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
        const char *key = config_table[i].key;
        bool secret = strstr(key, "password") != NULL || strstr(key, "token") != NULL ||
                      strstr(key, "hmac") != NULL || strncmp(key, "key", 3) == 0;
        CHECK(!secret || strstr(key, "_file") != NULL);
    }
}

TEST(words_stand_in_the_order_of_their_enums)
{
    CHECK_STR(config_table[CONFIG_admin_write].words, "loopback authenticated");
    CHECK_EQ(CONFIG_WRITE_AUTHENTICATED, 1);
    CHECK_STR(config_table[CONFIG_log_level].words, "error warn info debug");
    CHECK_STR(config_table[CONFIG_log_format].words, "logfmt json");
}

TEST(the_nearest_word_is_near)
{
    static const char *const words[] = {"interval", "timeout", "rise", "fall", "id"};
    const struct {
        const char *word, *nearest;
    } rows[] = {{"intervall", "interval"},
                {"inteval", "interval"},
                {"timoeut", "timeout"},
                {"ries", "rise"},
                {"fal", "fall"},
                {"ID", NULL},
                {"di", "id"},
                {"x", NULL},
                {"", NULL},
                {"completely", NULL},
                {"timeout", "timeout"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *near = config_nearest(span_str(rows[i].word), words, 5);
        ck_assert_msg((near == NULL) == (rows[i].nearest == NULL), "%s", rows[i].word);
        if (near != NULL) {
            CHECK_STR(near, rows[i].nearest);
        }
    }
    char huge[4096];
    memset(huge, 'a', sizeof(huge));
    CHECK(config_nearest(span_of(huge, sizeof(huge)), words, 5) == NULL);
}

// The page in the tree is the one that the table makes.  When it is not, what should stand there is left
// in build/configuration.md.
TEST(the_page_is_made_of_the_table)
{
    struct buf page;
    struct buf held;
    buf_init(&page, PAGE_MAX);
    buf_init(&held, PAGE_MAX);
    config_write_markdown(&page);
    CHECK_EQ(page.err, ERR_OK);
    FILE *file = fopen("docs/configuration.md", "r");
    if (file != NULL) {
        char *space = buf_reserve(&held, PAGE_MAX - 1);
        CHECK(space != NULL);
        buf_advance(&held, fread(space, 1, PAGE_MAX - 1, file));
        (void)fclose(file);
    }
    bool same = span_eq(buf_span(&page), buf_span(&held));
    file = same ? NULL : fopen("build/configuration.md", "w");
    if (file != NULL) {
        (void)fwrite(page.ptr, 1, page.len, file);
        (void)fclose(file);
    }
    ck_assert_msg(same, "cp build/configuration.md docs/configuration.md");
    buf_fini(&held);
    buf_fini(&page);
}

SUITE("config/config_table", T(no_two_rows_share_a_name_or_a_variable),
      T(no_key_holds_a_secret_itself), T(words_stand_in_the_order_of_their_enums),
      T(the_nearest_word_is_near), T(the_page_is_made_of_the_table));
