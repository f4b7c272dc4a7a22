// SPDX-License-Identifier: Apache-2.0
// Walks the first thousand flips of many seeds and checks the promises of story.h on each.
#include "replicator/demo/story.h"
#include "tests/lib/suite.h"

#include <stdbool.h>
#include <string.h>

#define SEEDS 40
#define FLIPS 1000

struct walk {
    int64_t last_ms;
    int64_t since_ms[STORY_BACKENDS];
    enum story_mode modes[STORY_BACKENDS];
};

static size_t healthy_in(const struct walk *walk, size_t service)
{
    size_t count = 0;
    for (size_t i = 0; i < STORY_BACKENDS; i++) {
        count += story_service(i) == service && walk->modes[i] == STORY_HEALTHY;
    }
    return count;
}

static void check_flip(struct walk *walk, const struct story_flip *flip)
{
    CHECK_INT(flip->at_ms - walk->last_ms, le, 5000);
    CHECK_INT(flip->at_ms, ge, walk->last_ms);
    CHECK_INT(flip->at_ms - walk->since_ms[flip->backend], ge, STORY_HOLD_MS);
    bool was_healthy = walk->modes[flip->backend] == STORY_HEALTHY;
    CHECK(was_healthy != (flip->mode == STORY_HEALTHY));
    walk->modes[flip->backend] = flip->mode;
    walk->since_ms[flip->backend] = flip->at_ms;
    walk->last_ms = flip->at_ms;
    for (size_t service = 0; service < STORY_SERVICES; service++) {
        CHECK_INT(healthy_in(walk, service), gt, 0);
    }
}

TEST(every_seed_keeps_the_promises)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct story story;
        story_init(&story, seed);
        struct walk walk = {0};
        for (size_t i = 0; i < STORY_BACKENDS; i++) {
            walk.since_ms[i] = -STORY_HOLD_MS;
        }
        for (size_t i = 0; i < FLIPS; i++) {
            struct story_flip flip = story_next(&story);
            check_flip(&walk, &flip);
        }
    }
}

TEST(a_seed_always_gives_the_same_schedule)
{
    struct story a, b;
    story_init(&a, 7);
    story_init(&b, 7);
    for (size_t i = 0; i < FLIPS; i++) {
        struct story_flip one = story_next(&a), two = story_next(&b);
        CHECK_EQ(one.at_ms, two.at_ms);
        CHECK_EQ(one.backend, two.backend);
        CHECK_EQ(one.mode, two.mode);
    }
}

TEST(every_way_to_fail_comes_up_in_the_first_minute)
{
    struct story story;
    story_init(&story, 1);
    unsigned seen = 0;
    struct story_flip flip = story_next(&story);
    while (flip.at_ms < 60000) {
        seen |= 1U << flip.mode;
        flip = story_next(&story);
    }
    CHECK_UEQ(seen, 0xf);
}

SUITE("demo/story", T(every_seed_keeps_the_promises), T(a_seed_always_gives_the_same_schedule),
      T(every_way_to_fail_comes_up_in_the_first_minute));
