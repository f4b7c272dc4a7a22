// SPDX-License-Identifier: Apache-2.0
// Services by key: what is live is found, under keys of all lengths, through growth and closing; a place that
// has become another service is known.
#include "base/random.h"
#include "localmap/service_index.h"
#include "tests/lib/suite.h"

#include <stdio.h>

#define SERVICES 700

static struct span key_of(size_t number, char text[KEY_LEN_MAX])
{
    size_t len = 4 + number * 7 % (KEY_LEN_MAX - 4);
    (void)snprintf(text, 5, "%04zu", number);
    memset(text + 4, (int)(number % 2), len - 4);
    return span_of(text, len);
}

TEST(what_is_live_is_found_and_nothing_else)
{
    static struct service *live[SERVICES];
    struct service_index index = {.live = 0};
    struct blocks blocks = {0};
    struct service_copy copy;
    struct random random;
    char text[KEY_LEN_MAX];
    random_seed(&random, 9);
    service_index_init(&index);
    for (size_t step = 0; step < 20000; step++) {
        size_t i = (size_t)random_below(&random, SERVICES);
        struct span key = key_of(i, text);
        CHECK(service_index_read(&index, key, &copy) == (live[i] != NULL));
        CHECK(service_index_find(&index, key) == live[i]);
        if (live[i] == NULL) {
            live[i] = service_index_open(&index, &blocks, key);
            CHECK(service_index_at(&index, live[i]->number) == live[i]);
            CHECK(span_eq(service_key(live[i]), key));
        } else if (step > 10000 || random_below(&random, 3) == 0) {
            service_index_close(&index, &blocks, live[i]);
            live[i] = NULL;
        }
    }
    // The key that is one byte shorter, or differs in any byte, is another one.
    for (size_t i = 0; i < SERVICES; i += 9) {
        struct span key = key_of(i, text);
        if (live[i] == NULL) {
            continue;
        }
        for (size_t at = 0; at < key.len; at++) {
            text[at] = (char)(text[at] ^ 1);
            CHECK(!service_index_read(&index, key, &copy) || copy.service != live[i]);
            text[at] = (char)(text[at] ^ 1);
        }
        CHECK(!service_index_read(&index, span_of(text, key.len - 1), &copy));
    }
    blocks_fini(&blocks);
}

TEST(a_copy_knows_that_its_place_is_another_service)
{
    struct service_index index = {.live = 0};
    struct blocks blocks = {0};
    struct service_copy copy;
    service_index_init(&index);
    struct service *first = service_index_open(&index, &blocks, SPAN_LIT("t\0a"));
    CHECK(service_index_read(&index, SPAN_LIT("t\0a"), &copy));
    CHECK(copy.service == first && service_lives(&copy));
    service_index_close(&index, &blocks, first);
    CHECK(!service_lives(&copy));
    struct service *second = service_index_open(&index, &blocks, SPAN_LIT("t\0b"));
    CHECK(second == first && !service_lives(&copy));
    service_index_close(&index, &blocks, second);
    CHECK(service_index_open(&index, &blocks, SPAN_LIT("t\0a")) == first);
    CHECK(!service_lives(&copy)); // the same key, another life
    blocks_fini(&blocks);
}

TEST(counts_do_not_touch_each_other)
{
    struct service_index index = {.live = 0};
    struct blocks blocks = {0};
    struct service_copy copy;
    service_index_init(&index);
    struct service *service = service_index_open(&index, &blocks, SPAN_LIT("t\0a"));
    for (unsigned which = 0; which < SERVICE_COUNTS; which++) {
        service_count_by(service, which, 1);
        service_count_by(service, which, -1);
        service_count_by(service, which, -1); // wraps, and comes back
        service_count_by(service, which, 1);
        for (unsigned i = 0; i <= which; i++) {
            service_count_by(service, which, 1);
        }
    }
    CHECK(service_index_read(&index, SPAN_LIT("t\0a"), &copy));
    for (unsigned which = 0; which < SERVICE_COUNTS; which++) {
        CHECK_UEQ(service_count(&copy, which), which + 1);
    }
    blocks_fini(&blocks);
}

SUITE("localmap/service_index", T(what_is_live_is_found_and_nothing_else),
      T(a_copy_knows_that_its_place_is_another_service), T(counts_do_not_touch_each_other));
