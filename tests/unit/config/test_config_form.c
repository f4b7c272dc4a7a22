// SPDX-License-Identifier: Apache-2.0
// URLs, which have more rules than the rest.
#include "tests/unit/config/loaded.h"

#include <stdio.h>
#include <string.h>

#define URLS "; memory:, redis://HOST:PORT, rediss://HOST:PORT or unix:///PATH\n"

static const struct row url_rows[] = {
    {"stream: {url: \"memory:\"}\n", ""},
    {"stream: {url: \"redis://r\"}\n", ""},
    {"stream: {url: \"redis://[::1]:6379\"}\n", ""},
    {"stream: {url: unix:///run/redis.sock}\n", ""},
    {"stream: {url: unix://redis.sock}\n",
     "f:1:15: stream.url: \"unix://redis.sock\" names no path" URLS},
    {"stream: {url: http://r}\n", "f:1:15: stream.url: \"http://r\" is no URL of a stream" URLS},
    {"stream: {url: \"redis://r:0\"}\n",
     "f:1:15: stream.url: \"redis://r:0\" has no valid port" URLS},
    {"stream: {url: \"redis://r:6379/2\"}\n",
     "f:1:15: stream.url: \"redis://r:6379/2\" has no valid port" URLS},
    {"stream: {url: \"redis://\"}\n", "f:1:15: stream.url: \"redis://\" names no host" URLS},
    {"stream: {url: \"rediss://r:6379\"}\n", ""},
    {"stream: {url: \"redis+sentinel://a:1,b:2/m\"}\n",
     "f:1:15: stream.url: \"redis+sentinel://a:1,b:2/m\" is not available in this "
     "version" URLS},
    {"stream: {url: \"redis+cluster://a:1\"}\n",
     "f:1:15: stream.url: \"redis+cluster://a:1\" is not available in this version" URLS},
    {"stream: {url: \"redis://user@r\"}\n", "f:1:15: stream.url: the URL holds a user, which "
                                            "belongs into stream.user" URLS},
};

TEST(the_url_of_a_stream_is_judged_by_its_scheme)
{
    check_rows(url_rows, COUNT(url_rows));
}

TEST(a_password_in_the_url_is_refused_and_never_shown)
{
    const char *const urls[] = {"redis://:hunter2@r", "redis://u:hunter2@r", "rediss://:hunter2@r"};
    for (size_t i = 0; i < COUNT(urls); i++) {
        char set[64];
        (void)snprintf(set, sizeof(set), "stream.url=%s", urls[i]);
        const char *const sets[] = {set};
        struct loaded loaded = load(&(struct config_options){.sets = sets, .set_count = 1});
        CHECK_EQ(loaded.err, ERR_INVALID);
        CHECK(strstr(buf_cstr(&loaded.report.errors), "--set stream.url: the URL") != NULL);
        CHECK(strstr(buf_cstr(&loaded.report.errors), "hunter2") == NULL);
        unload(&loaded);
    }
}

SUITE("config/config_form", T(the_url_of_a_stream_is_judged_by_its_scheme),
      T(a_password_in_the_url_is_refused_and_never_shown));
