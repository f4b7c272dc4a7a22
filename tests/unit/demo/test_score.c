// SPDX-License-Identifier: Apache-2.0
// Plays short stories of flips and of what nodes show, and asks for the score.
#include "replicator/demo/score.h"
#include "tests/lib/suite.h"

static void start(struct score *score, size_t node_count)
{
    score_init(score, node_count);
    for (size_t node = 0; node < node_count; node++) {
        score_node(score, node, true);
        for (size_t i = 0; i < STORY_BACKENDS; i++) {
            score_shown(score, (struct score_sight){node, i, true, 0});
        }
    }
}

TEST(a_flip_is_complete_when_every_node_has_shown_it)
{
    struct score score;
    start(&score, 2);
    CHECK(score_agrees(&score) && score_complete(&score));
    score_flip(&score, 3, false, 1000);
    CHECK(!score_agrees(&score) && !score_complete(&score));
    score_shown(&score, (struct score_sight){0, 3, false, 1100});
    CHECK(!score_agrees(&score) && !score_complete(&score));
    score_shown(&score, (struct score_sight){1, 3, false, 1300});
    CHECK(score_agrees(&score) && score_complete(&score));
    CHECK_UEQ(score.flips, 1);
    CHECK_EQ(score_percentile(&score, 50), 100);
    CHECK_EQ(score_percentile(&score, 99), 300);
}

TEST(a_flip_that_was_overtaken_unseen_is_missed_for_ever)
{
    struct score score;
    start(&score, 1);
    score_flip(&score, 0, false, 1000);
    score_flip(&score, 0, true, 2000);
    score_shown(&score, (struct score_sight){0, 0, true, 2100});
    CHECK(score_agrees(&score));
    CHECK(!score_complete(&score));
}

TEST(the_old_health_shown_late_is_not_the_new_one_seen)
{
    struct score score;
    start(&score, 1);
    score_flip(&score, 0, false, 1000);
    score_shown(&score, (struct score_sight){0, 0, true, 1050});
    CHECK(!score_complete(&score));
    CHECK_UEQ(score.sample_count, 0);
}

TEST(a_node_that_is_down_owes_nothing)
{
    struct score score;
    start(&score, 2);
    score_flip(&score, 0, false, 1000);
    score_shown(&score, (struct score_sight){0, 0, false, 1100});
    score_node(&score, 1, false);
    CHECK(score_complete(&score));
    score_flip(&score, 1, false, 2000);
    score_shown(&score, (struct score_sight){0, 1, false, 2100});
    CHECK(score_agrees(&score) && score_complete(&score));
    score_node(&score, 1, true);
    CHECK(!score_agrees(&score));
    score_shown(&score, (struct score_sight){1, 0, false, 3000});
    score_shown(&score, (struct score_sight){1, 1, false, 3000});
    CHECK(score_agrees(&score) && score_complete(&score));
    CHECK_UEQ(score.sample_count, 2);
}

TEST(a_percentile_is_a_latency_that_was_measured)
{
    struct score score;
    start(&score, 1);
    CHECK_EQ(score_percentile(&score, 99), 0);
    for (int64_t i = 1; i <= 100; i++) {
        bool healthy = i % 2 == 0;
        score_flip(&score, 0, healthy, 100000 * i);
        score_shown(&score, (struct score_sight){0, 0, healthy, 100000 * i + i});
    }
    CHECK_EQ(score_percentile(&score, 50), 50);
    CHECK_EQ(score_percentile(&score, 99), 99);
    CHECK_EQ(score_percentile(&score, 100), 100);
    score_flip(&score, 0, false, 1);
    score_shown(&score, (struct score_sight){0, 0, false, 10000000});
    CHECK_EQ(score_percentile(&score, 100), SCORE_MS_MAX);
}

SUITE("demo/score", T(a_flip_is_complete_when_every_node_has_shown_it),
      T(a_flip_that_was_overtaken_unseen_is_missed_for_ever),
      T(the_old_health_shown_late_is_not_the_new_one_seen), T(a_node_that_is_down_owes_nothing),
      T(a_percentile_is_a_latency_that_was_measured));
