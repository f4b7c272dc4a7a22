// SPDX-License-Identifier: Apache-2.0
// How: one row a url, what it names or that it is refused.
#include "stream/redis/redis_url.h"
#include "tests/lib/suite.h"

struct row {
    const char *text;
    const char *host; // NULL: refused
    uint32_t port, database;
    bool tls, is_unix;
};

static const struct row urls[] = {
    {"redis://localhost", "localhost", 6379, 0, false, false},
    {"redis://10.0.0.1:6380", "10.0.0.1", 6380, 0, false, false},
    {"redis://r.example:1/15", "r.example", 1, 15, false, false},
    {"redis://r.example/", "r.example", 6379, 0, false, false},
    {"redis://[::1]:6380/2", "::1", 6380, 2, false, false},
    {"redis://[fe80::1]", "fe80::1", 6379, 0, false, false},
    {"rediss://r.example:6390", "r.example", 6390, 0, true, false},
    {"unix:///run/redis.sock", "/run/redis.sock", 0, 0, false, true},
    {"redis://", NULL, 0, 0, false, false},
    {"redis://:6379", NULL, 0, 0, false, false},
    {"redis://h:0", NULL, 0, 0, false, false},
    {"redis://h:65536", NULL, 0, 0, false, false},
    {"redis://h:", NULL, 0, 0, false, false},
    {"redis://h:6379x", NULL, 0, 0, false, false},
    {"redis://h/x", NULL, 0, 0, false, false},
    {"redis://h/65536", NULL, 0, 0, false, false},
    {"redis://[::1", NULL, 0, 0, false, false},
    {"redis://[::1]6379", NULL, 0, 0, false, false},
    {"redis://user:secret@h:6379", NULL, 0, 0, false, false},
    {"redis://user@h", NULL, 0, 0, false, false},
    {"unix://relative", NULL, 0, 0, false, false},
    {"unix:///", NULL, 0, 0, false, false},
    {"redis+sentinel://h:1/m", NULL, 0, 0, false, false},
    {"http://h", NULL, 0, 0, false, false},
    {"", NULL, 0, 0, false, false},
};

TEST(a_url_names_a_server_or_is_refused)
{
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        const struct row *row = &urls[i];
        struct redis_url url = {0};
        enum err err = redis_url_parse(span_str(row->text), &url);
        ck_assert_msg((err == ERR_OK) == (row->host != NULL), "%s: %s", row->text, err_text(err));
        if (row->host != NULL) {
            CHECK(span_eq_str(url.host, row->host));
            CHECK_EQ(url.port, row->port);
            CHECK_EQ(url.database, row->database);
            CHECK_EQ(url.tls, row->tls);
            CHECK_EQ(url.is_unix, row->is_unix);
        }
    }
}
END_TEST

SUITE("stream/redis_url", T(a_url_names_a_server_or_is_refused));
