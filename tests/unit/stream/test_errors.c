// SPDX-License-Identifier: Apache-2.0
// How: the very texts that servers were seen to send, one row each.
#include "stream/redis/errors.h"
#include "tests/lib/suite.h"

struct row {
    const char *text;
    enum errors_class class;
    enum stream_status status;
};

static const struct row texts[] = {
    {"MPEPOCH aaaa", ERRORS_EPOCH, STREAM_EPOCH},
    {"NOSCRIPT No matching script. Please use EVAL.", ERRORS_NOSCRIPT, STREAM_RETRY},
    {"OOM command not allowed when used memory > 'maxmemory'.", ERRORS_RETRY, STREAM_RETRY},
    {"BUSY Redis is busy running a script.", ERRORS_RETRY, STREAM_RETRY},
    {"TRYAGAIN Multiple keys request during rehashing of slot", ERRORS_RETRY, STREAM_RETRY},
    {"CLUSTERDOWN Hash slot not served", ERRORS_RETRY, STREAM_RETRY},
    {"MISCONF Redis is configured to save RDB snapshots", ERRORS_RETRY, STREAM_RETRY},
    {"LOADING Redis is loading the dataset in memory", ERRORS_REDISCOVER, STREAM_RETRY},
    {"READONLY You can't write against a read only replica.", ERRORS_REDISCOVER, STREAM_RETRY},
    {"MASTERDOWN Link with MASTER is down", ERRORS_REDISCOVER, STREAM_RETRY},
    {"UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)",
     ERRORS_REDISCOVER, STREAM_RETRY},
    {"WRONGTYPE Operation against a key holding the wrong kind of value script: 9f, on "
     "@user_script:4.",
     ERRORS_PAGE, STREAM_MISTYPED},
    {"MPMETA malformed", ERRORS_PAGE, STREAM_MISTYPED},
    {"NOAUTH Authentication required.", ERRORS_CONFIG, STREAM_CONFIG},
    {"WRONGPASS invalid username-password pair or user is disabled.", ERRORS_CONFIG, STREAM_CONFIG},
    {"NOPERM this user has no permissions to run the 'evalsha' command", ERRORS_CONFIG,
     STREAM_CONFIG},
    {"ERR The user executing the script can't run this command or subcommand script: 9f",
     ERRORS_CONFIG, STREAM_CONFIG},
    {"ERR AUTH <password> called without any password configured for the default user.",
     ERRORS_CONFIG, STREAM_CONFIG},
    {"ERR DB index is out of range", ERRORS_CONFIG, STREAM_CONFIG},
    {"MOVED 3999 127.0.0.1:6381", ERRORS_CONFIG, STREAM_CONFIG},
    {"CROSSSLOT Keys in request don't hash to the same slot", ERRORS_CONFIG, STREAM_CONFIG},
    {"ERR something that no table knows", ERRORS_RETRY, STREAM_RETRY},
    {"", ERRORS_RETRY, STREAM_RETRY},
    {"OO", ERRORS_RETRY, STREAM_RETRY},
};

TEST(each_error_of_a_server_has_one_thing_to_do)
{
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        enum errors_class class = errors_classify(span_str(texts[i].text));
        ck_assert_msg(class == texts[i].class, "%s: %d", texts[i].text, (int)class);
        CHECK_EQ(errors_status(class), texts[i].status);
    }
}
END_TEST

TEST(a_known_error_has_a_meaning_in_words)
{
    CHECK(errors_meaning(SPAN_LIT("OOM command not allowed"))[0] != '\0');
    CHECK_STR(errors_meaning(SPAN_LIT("ERR something else")), "");
}
END_TEST

SUITE("stream/errors", T(each_error_of_a_server_has_one_thing_to_do),
      T(a_known_error_has_a_meaning_in_words));
