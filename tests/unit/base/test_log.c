// SPDX-License-Identifier: Apache-2.0
// Lines are made with a given time and compared byte by byte; writing is tried on a pipe that nobody
// reads, which must cost lines and never time.
#include "base/log.h"

#include "base/json.h"
#include "base/metric.h"
#include "base/random.h"
#include "base/utf8.h"
#include "tests/lib/suite.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#define NOW ((struct wall){1795514400123})
#define LINE(...)                                                                                  \
    (const struct log_field[]){__VA_ARGS__},                                                       \
        sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field)

static char line[LOG_LINE_MAX + 1];

static const char *line_of(enum log_format format, const struct log_field *fields, size_t count)
{
    const struct log_event event = {LOG_INFO, "health", fields, count};
    const size_t len = log_line(&event, format, NOW, line);
    ck_assert(len <= LOG_LINE_MAX && line[len - 1] == '\n');
    line[len] = '\0';
    return line;
}

TEST(a_decision_is_one_line)
{
    CHECK_STR(line_of(LOG_LOGFMT, LINE(log_text("service", "pay"), log_text("from", "HEALTHY"),
                                       log_int("n", -3), log_uint("big", UINT64_MAX),
                                       log_bool("yes", true), log_err(ERR_REFUSED))),
              "2026-11-24T10:00:00.123Z info health service=pay from=HEALTHY n=-3 "
              "big=18446744073709551615 yes=true error=\"connection refused\"\n");
}

TEST(a_decision_is_one_object)
{
    CHECK_STR(line_of(LOG_JSON, LINE(log_text("service", "pay"), log_int("n", -3),
                                     log_bool("yes", false), log_str("none", SPAN_NONE))),
              "{\"time\":\"2026-11-24T10:00:00.123Z\",\"level\":\"info\",\"event\":\"health\","
              "\"service\":\"pay\",\"n\":-3,\"yes\":false,\"none\":\"\"}\n");
}

TEST(strings_from_outside_are_quoted_and_escaped)
{
    static const struct {
        struct span value;
        const char *written;
    } rows[] = {
        {{"pay-1.svc/x|y", 13}, "pay-1.svc/x|y"},
        {{"", 0}, "\"\""},
        {{"a b", 3}, "\"a b\""},
        {{"a=b", 3}, "\"a=b\""},
        {{"a\"b\\", 4}, "\"a\\\"b\\\\\""},
        {{"a\nlevel=error", 13}, "\"a\\nlevel=error\""},
        {{"\x1B[31m\r\t\x00\x7F", 9}, "\"\\u001b[31m\\u000d\\u0009\\u0000\\u007f\""},
        {{"\xC2\x9B", 2}, "\"\\u009b\""},
        {{"\xE2\x80\xAE\xE2\x80\xA8", 6}, "\"\\u202e\\u2028\""},
        {{"z\xC3\xBCrich", 7}, "\"z\xC3\xBCrich\""},
        {{"\xFF\xC3", 2}, "\"\xEF\xBF\xBD\xEF\xBF\xBD\""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char expected[256];
        snprintf(expected, sizeof(expected), "2026-11-24T10:00:00.123Z info health k=%s\n",
                 rows[i].written);
        CHECK_STR(line_of(LOG_LOGFMT, LINE(log_str("k", rows[i].value))), expected);
    }
}

TEST(a_long_value_is_cut)
{
    char value[5000];
    memset(value, 'x', sizeof(value));
    line_of(LOG_LOGFMT, LINE(log_str("k", span_of(value, sizeof(value))), log_int("n", 1)));
    CHECK(strstr(line, "xxx...\" n=1\n") != NULL);
    CHECK_UEQ(strlen(line), strlen("2026-11-24T10:00:00.123Z info health k=\"...\" n=1\n") + 1024);
    memset(value, '\n', sizeof(value)); // twice as long when escaped
    line_of(LOG_JSON, LINE(log_str("k", span_of(value, sizeof(value))), log_int("n", 1)));
    CHECK(strstr(line, "\\n\\n...\",\"n\":1}\n") != NULL);
}

TEST(a_long_line_leaves_out_whole_fields)
{
    char value[1024];
    memset(value, 'x', sizeof(value));
    const struct span text = span_of(value, sizeof(value));
    struct json *root;
    struct json_error error;
    line_of(LOG_LOGFMT, LINE(log_str("a", text), log_str("b", text), log_str("c", text),
                             log_str("d", text), log_int("e", 1)));
    CHECK(strstr(line, " c=x") != NULL && strstr(line, " d=") == NULL &&
          strstr(line, " e=") == NULL);
    CHECK(strstr(line, "x ...\n") != NULL);
    line_of(LOG_JSON,
            LINE(log_str("a", text), log_str("b", text), log_str("c", text), log_str("d", text)));
    CHECK_OK(json_parse(span_str(line), &root, &error));
    CHECK(json_get(root, "c") != NULL && json_get(root, "d") == NULL);
    CHECK_EQ(json_type(json_get(root, "cut")), JSON_BOOL);
    json_free(root);
}

TEST(whatever_bytes_come_a_line_is_one_line_of_utf_8)
{
    struct random rng;
    random_seed(&rng, 3);
    for (int i = 0; i < 3000; i++) {
        char bytes[3][200];
        struct span values[3];
        for (int j = 0; j < 3; j++) {
            const size_t len = random_below(&rng, 200);
            for (size_t k = 0; k < len; k++) {
                bytes[j][k] = (char)random_below(&rng, 256);
            }
            values[j] = span_of(bytes[j], len);
        }
        for (unsigned format = LOG_LOGFMT; format <= LOG_JSON; format++) {
            line_of((enum log_format)format, LINE(log_str("a", values[0]), log_str("b", values[1]),
                                                  log_str("c", values[2])));
            CHECK(utf8_valid(span_str(line)));
            CHECK(strchr(line, '\n') == line + strlen(line) - 1);
        }
        struct json *root = NULL;
        struct json_error error = {0, ""};
        const enum err err = json_parse(span_str(line), &root, &error);
        ck_assert_msg(err == ERR_OK || strcmp(error.text, "\\u0000 is not allowed") == 0, "%s: %s",
                      line, error.text);
        json_free(root);
    }
}

// --- writing

static int pipe_in, pipe_out;

static void open_pipe(void)
{
    int fds[2];
    ck_assert(pipe(fds) == 0);
    pipe_out = fds[0];
    pipe_in = fds[1];
    ck_assert(fcntl(pipe_out, F_SETFL, O_NONBLOCK) == 0);
    log_set_fd(pipe_in);
}

static void close_pipe(void)
{
    log_set_fd(STDERR_FILENO);
    close(pipe_in);
    close(pipe_out);
}

// Everything that stands in the pipe.
static size_t drain(char *buf, size_t cap)
{
    size_t len = 0;
    ssize_t got = read(pipe_out, buf, cap - 1);
    while (got > 0) {
        len += (size_t)got;
        got = read(pipe_out, buf + len, cap - 1 - len);
    }
    buf[len] = '\0';
    return len;
}

TEST(levels_below_the_set_one_are_not_written)
{
    char text[1000];
    open_pipe();
    log_setup(LOG_WARN, LOG_LOGFMT);
    log_event(LOG_INFO, "no", log_int("n", 1));
    log_event(LOG_WARN, "yes", log_int("n", 2));
    log_event(LOG_ERROR, "yes", log_int("n", 3));
    log_setup(LOG_INFO, LOG_LOGFMT);
    log_event(LOG_DEBUG, "no", log_int("n", 4));
    drain(text, sizeof(text));
    close_pipe();
    CHECK(strstr(text, " warn yes n=2\n") != NULL && strstr(text, " error yes n=3\n") != NULL);
    CHECK(strstr(text, "no") == NULL);
    CHECK(log_enabled(LOG_INFO) && !log_enabled(LOG_DEBUG));
}

TEST(a_reader_who_does_not_read_costs_lines_and_not_time)
{
    enum { CAP = 1 << 20 };
    char *text = malloc(CAP);
    char value[1000];
    ck_assert(text != NULL);
    memset(value, 'x', sizeof(value));
    open_pipe();
    const uint64_t before = log_dropped();
    for (int i = 0; i < 500; i++) { // half a megabyte into 64 KiB
        log_event(LOG_INFO, "fill", log_str("x", span_of(value, sizeof(value))), log_int("i", i));
    }
    const uint64_t dropped = log_dropped() - before;
    CHECK(dropped > 300 && dropped < 500);
    CHECK(metric_value(METRIC_LOG_DROPPED, SPAN_NONE, SPAN_NONE) >= (double)dropped);
    drain(text, CAP);
    log_event(LOG_INFO, "again", log_int("i", 1));
    drain(text, CAP);
    close_pipe();
    char expected[64];
    snprintf(expected, sizeof(expected), " warn log dropped=%llu\n", (unsigned long long)dropped);
    CHECK(strstr(text, expected) != NULL);
    CHECK(strstr(text, " info again i=1\n") != NULL);
    free(text);
}

static void *write_many(void *arg)
{
    for (int i = 0; i < 100; i++) {
        log_event(LOG_INFO, "thread", log_text("who", arg), log_int("i", i));
    }
    return NULL;
}

TEST(lines_of_several_threads_do_not_mix)
{
    char text[65536];
    static char a[] = "aaaa", b[] = "bbbb";
    pthread_t one, other;
    open_pipe();
    ck_assert(pthread_create(&one, NULL, write_many, a) == 0);
    ck_assert(pthread_create(&other, NULL, write_many, b) == 0);
    pthread_join(one, NULL);
    pthread_join(other, NULL);
    drain(text, sizeof(text));
    close_pipe();
    unsigned lines = 0;
    for (char *at = strtok(text, "\n"); at != NULL; at = strtok(NULL, "\n"), lines++) {
        CHECK(strncmp(at + 24, " info thread who=", 17) == 0);
    }
    CHECK_UEQ(lines, 200);
}

TEST(levels_and_formats_have_names)
{
    enum log_level level = LOG_INFO;
    enum log_format format = LOG_LOGFMT;
    for (unsigned i = 0; i < LOG_LEVEL_COUNT; i++) {
        CHECK_OK(log_level_parse(span_str(log_level_text((enum log_level)i)), &level));
        CHECK_UEQ(level, i);
    }
    CHECK_EQ(log_level_parse(SPAN_LIT("INFO"), &level), ERR_SYNTAX);
    CHECK_OK(log_format_parse(SPAN_LIT("json"), &format));
    CHECK_EQ(format, LOG_JSON);
    CHECK_EQ(log_format_parse(SPAN_LIT("text"), &format), ERR_SYNTAX);
}

SUITE("base/log", T(a_decision_is_one_line), T(a_decision_is_one_object),
      T(strings_from_outside_are_quoted_and_escaped), T(a_long_value_is_cut),
      T(a_long_line_leaves_out_whole_fields), T(whatever_bytes_come_a_line_is_one_line_of_utf_8),
      T(levels_below_the_set_one_are_not_written),
      T(a_reader_who_does_not_read_costs_lines_and_not_time),
      T(lines_of_several_threads_do_not_mix), T(levels_and_formats_have_names));
