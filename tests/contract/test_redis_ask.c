// SPDX-License-Identifier: Apache-2.0
// Questions to a real Redis, and to places where none answers; each allocation fails once.
#include "stream/redis/redis_ask.h"
#include "stream/redis/resp.h"
#include "tests/lib/failalloc.h"
#include "tests/lib/redis_server.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <string.h>

static struct redis_server server;

static struct redis_ask_options options_of(const char *url)
{
    return (struct redis_ask_options){.url = url,
                                      .user = "",
                                      .password_file = "",
                                      .ca_file = "",
                                      .cert_file = "",
                                      .key_file = "",
                                      .connect_timeout_ms = 5000,
                                      .reply_timeout_ms = 5000};
}

static void take_text(void *arg, const struct resp_reply *reply)
{
    struct span text = resp_text(reply);
    (void)snprintf(arg, 64, "%.*s", (int)text.len, text.ptr);
}

// Both words at most 63 bytes; `second` NULL: one word.  `ret_text` holds 64 bytes.
static enum err ask_words(struct redis_ask *ask, const char *first, const char *second,
                          char *ret_text)
{
    const struct span words[] = {span_str(first), span_str(second != NULL ? second : "")};
    const struct redis_ask_call call = {.words = words,
                                        .word_count = second != NULL ? 2 : 1,
                                        .on_reply = take_text,
                                        .arg = ret_text};
    return redis_ask_call(ask, &call);
}

TEST(an_answer_is_given_and_an_error_is_told)
{
    char text[64] = "";
    struct redis_ask *ask = NULL;
    redis_server_start(&server, NULL);
    const struct redis_ask_options options = options_of(server.url);
    CHECK_OK(redis_ask_new(&options, &ask));
    CHECK_OK(redis_ask_open(ask));
    CHECK_OK(ask_words(ask, "ECHO", "hello", text));
    CHECK_STR(text, "hello");
    CHECK_EQ(ask_words(ask, "NONSENSE", NULL, text), ERR_DENIED);
    CHECK(strncmp(redis_ask_problem(ask), "ERR unknown command", 19) == 0);
    CHECK_OK(ask_words(ask, "TYPE", "none", text)); // an error is not the end
    CHECK_STR(text, "none");
    CHECK_STR(redis_ask_problem(ask), "");
    redis_ask_free(ask);
    redis_server_stop(&server);
}

TEST(a_server_that_goes_away_ends_the_questions)
{
    char text[64] = "";
    struct redis_ask *ask = NULL;
    redis_server_start(&server, NULL);
    const struct redis_ask_options options = options_of(server.url);
    CHECK_OK(redis_ask_new(&options, &ask));
    CHECK_OK(redis_ask_open(ask));
    redis_server_kill(&server);
    CHECK_EQ(ask_words(ask, "PING", NULL, text), ERR_CLOSED);
    CHECK(redis_ask_problem(ask)[0] != '\0');
    CHECK_EQ(ask_words(ask, "PING", NULL, text), ERR_CLOSED);
    redis_ask_free(ask);
    redis_server_stop(&server);
}

TEST(a_server_that_stands_still_is_not_waited_for)
{
    char text[64] = "";
    struct redis_ask *ask = NULL;
    redis_server_start(&server, NULL);
    struct redis_ask_options options = options_of(server.url);
    options.reply_timeout_ms = 50;
    CHECK_OK(redis_ask_new(&options, &ask));
    CHECK_OK(redis_ask_open(ask));
    redis_server_pause(&server);
    CHECK_EQ(ask_words(ask, "PING", NULL, text), ERR_CLOSED);
    CHECK_STR(redis_ask_problem(ask), "no answer within the deadline");
    redis_server_resume(&server);
    redis_ask_free(ask);
    redis_server_stop(&server);
}

TEST(where_nobody_listens_the_connection_is_refused)
{
    struct redis_ask *ask = NULL;
    const struct redis_ask_options options = options_of("unix:///nonexistent/redis");
    CHECK_OK(redis_ask_new(&options, &ask));
    CHECK_EQ(redis_ask_open(ask), ERR_REFUSED);
    CHECK(redis_ask_problem(ask)[0] != '\0');
    redis_ask_free(ask);
    const struct redis_ask_options wrong = options_of("http://localhost");
    CHECK_EQ(redis_ask_new(&wrong, &ask), ERR_SYNTAX);
}

TEST(a_name_is_resolved)
{
    struct redis_ask *ask = NULL;
    const struct redis_ask_options options = options_of("redis://127.0.0.1:1");
    CHECK_OK(redis_ask_new(&options, &ask));
    CHECK_EQ(redis_ask_open(ask), ERR_REFUSED);
    redis_ask_free(ask);
}

TEST(the_password_stands_in_a_file)
{
    static const char *const args[] = {"--requirepass", "secret", NULL};
    char path[128], text[64] = "";
    struct redis_ask *ask = NULL;
    redis_server_start(&server, args);
    struct redis_ask_options options = options_of(server.url);
    (void)snprintf(path, sizeof(path), "%s/password", server.dir);
    options.password_file = path;
    CHECK_OK(redis_ask_new(&options, &ask));
    CHECK_EQ(redis_ask_open(ask), ERR_NOT_FOUND);
    CHECK_STR(redis_ask_problem(ask), "stream.password_file cannot be read");
    redis_ask_free(ask);
    static const struct {
        const char *line;
        enum err err;
    } rows[] = {{"wrong\n", ERR_DENIED}, {"secret\r\nrest\n", ERR_OK}};
    for (size_t i = 0; i < 2; i++) {
        FILE *file = fopen(path, "we");
        ck_assert_ptr_nonnull(file);
        CHECK(fputs(rows[i].line, file) >= 0 && fclose(file) == 0);
        CHECK_OK(redis_ask_new(&options, &ask));
        CHECK_EQ(redis_ask_open(ask), rows[i].err);
        bool may = ask_words(ask, "ECHO", "hello", text) == ERR_OK;
        CHECK_EQ(may, rows[i].err == ERR_OK);
        redis_ask_free(ask);
    }
    redis_server_stop(&server);
}

static bool open_and_ask(void *arg)
{
    char text[64];
    struct redis_ask *ask = NULL;
    enum err err = redis_ask_new(arg, &ask);
    if (err == ERR_OK) {
        err = redis_ask_open(ask);
    }
    if (err == ERR_OK) {
        err = ask_words(ask, "PING", NULL, text);
    }
    redis_ask_free(ask);
    return err == ERR_OK;
}

TEST(every_allocation_may_fail)
{
    redis_server_start(&server, NULL);
    struct redis_ask_options options = options_of(server.url);
    CHECK(failalloc_each(open_and_ask, &options) > 0);
    redis_server_stop(&server);
}

SUITE("redis_ask", T(an_answer_is_given_and_an_error_is_told),
      T(a_server_that_goes_away_ends_the_questions),
      T(a_server_that_stands_still_is_not_waited_for),
      T(where_nobody_listens_the_connection_is_refused), T(a_name_is_resolved),
      T(the_password_stands_in_a_file), T(every_allocation_may_fail));
