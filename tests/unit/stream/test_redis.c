// SPDX-License-Identifier: Apache-2.0
// Making and ending the Redis backend; what it does with a server stands in tests/contract.
#include "base/loop.h"
#include "stream/redis/redis.h"
#include "tests/lib/failalloc.h"
#include "tests/lib/suite.h"

struct made {
    const char *url, *prefix;
    enum err err;
};

static const struct made table[] = {
    {"unix:///run/redis.sock", "mp", ERR_OK},
    {"redis://localhost:6379/1", "a-prefix-of-63-bytes-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
     ERR_OK},
    {"redis://localhost:6379/1", "a-prefix-of-64-bytes-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
     ERR_SYNTAX},
    {"redis://localhost:6379/1", "a prefix", ERR_OK},
    {"redis://localhost:6379/1", "", ERR_SYNTAX},
    {"redis://localhost:6379/1", "{mp}", ERR_SYNTAX}, // would move the hash tag
    {"memory:", "mp", ERR_SYNTAX},
};

static void on_event(void *arg, const struct stream_event *event)
{
    (void)arg;
    (void)event;
}

static enum err make(struct loop *loop, const struct made *made)
{
    struct stream *stream = NULL;
    const struct redis_options options = {.loop = loop,
                                          .url = made->url,
                                          .prefix = made->prefix,
                                          .node = "a",
                                          .partitions = 256,
                                          .retention = 1000,
                                          .connect_timeout_ms = 1000,
                                          .reply_timeout_ms = 1000,
                                          .backoff_max_ms = 1000};
    enum err err = redis_new(&options, on_event, NULL, &stream);
    if (err == ERR_OK) {
        struct stream_info info;
        stream_info(stream, &info);
        err = info.connected || strcmp(info.backend, "redis") != 0 ? ERR_INVALID : ERR_OK;
        stream_start(stream);
        stream_free(stream);
    }
    return err;
}

TEST(a_backend_is_made_of_a_url_and_a_prefix_or_refused)
{
    struct loop *loop = NULL;
    CHECK_OK(loop_new(&loop));
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        enum err err = make(loop, &table[i]);
        ck_assert_msg(err == table[i].err, "%s %s: %s", table[i].url, table[i].prefix,
                      err_text(err));
    }
    loop_free(loop);
}
END_TEST

static bool walk(void *arg)
{
    return make(arg, &table[0]) == ERR_OK;
}

TEST(every_allocation_may_fail)
{
    struct loop *loop = NULL;
    CHECK_OK(loop_new(&loop));
    CHECK(failalloc_each(walk, loop) > 5); // under a sanitizer strdup is not seen
    loop_free(loop);
}
END_TEST

SUITE("stream/redis", T(a_backend_is_made_of_a_url_and_a_prefix_or_refused),
      T(every_allocation_may_fail));
