// SPDX-License-Identifier: Apache-2.0
#include "replicator/demo/score.h"

#include "base/assert.h"

#include <string.h>

void score_init(struct score *score, size_t node_count)
{
    ASSERT(node_count > 0 && node_count <= SCORE_NODES_MAX);
    memset(score, 0, sizeof(*score));
    score->node_count = node_count;
    for (size_t i = 0; i < STORY_BACKENDS; i++) {
        score->backends[i].healthy = true;
    }
}

void score_flip(struct score *score, size_t index, bool healthy, int64_t now_ms)
{
    ASSERT(index < STORY_BACKENDS);
    struct score_backend *backend = &score->backends[index];
    ASSERT(backend->healthy != healthy);
    score->missed += (uint64_t)__builtin_popcount(backend->owed);
    backend->owed = 0;
    for (size_t node = 0; node < score->node_count; node++) {
        backend->owed |= (uint32_t)score->node_up[node] << node;
    }
    backend->healthy = healthy;
    backend->at_ms = now_ms;
    score->flips++;
}

static void add_sample(struct score *score, int64_t ms)
{
    int64_t clamped = ms < 0 ? 0 : ms > SCORE_MS_MAX ? SCORE_MS_MAX : ms;
    score->samples[clamped]++;
    score->sample_count++;
}

void score_shown(struct score *score, struct score_sight sight)
{
    ASSERT(sight.backend < STORY_BACKENDS && sight.node < score->node_count);
    struct score_backend *backend = &score->backends[sight.backend];
    uint32_t bit = 1U << sight.node;
    backend->shown_healthy =
        sight.healthy ? backend->shown_healthy | bit : backend->shown_healthy & ~bit;
    if ((backend->owed & bit) != 0 && sight.healthy == backend->healthy) {
        backend->owed &= ~bit;
        add_sample(score, sight.now_ms - backend->at_ms);
    }
}

void score_node(struct score *score, size_t node, bool up)
{
    ASSERT(node < score->node_count);
    score->node_up[node] = up;
    for (size_t i = 0; !up && i < STORY_BACKENDS; i++) {
        score->backends[i].owed &= ~(1U << node);
    }
}

static bool node_agrees(const struct score *score, size_t node)
{
    for (size_t i = 0; i < STORY_BACKENDS; i++) {
        bool shown = (score->backends[i].shown_healthy >> node & 1) != 0;
        if (shown != score->backends[i].healthy) {
            return false;
        }
    }
    return true;
}

bool score_agrees(const struct score *score)
{
    for (size_t node = 0; node < score->node_count; node++) {
        if (score->node_up[node] && !node_agrees(score, node)) {
            return false;
        }
    }
    return true;
}

bool score_complete(const struct score *score)
{
    uint32_t owed = 0;
    for (size_t i = 0; i < STORY_BACKENDS; i++) {
        owed |= score->backends[i].owed;
    }
    return score->missed == 0 && owed == 0;
}

int64_t score_percentile(const struct score *score, unsigned percent)
{
    // The smallest latency that at least `percent` of the samples do not exceed.
    uint64_t wanted = (score->sample_count * percent + 99) / 100;
    uint64_t count = 0;
    for (int64_t ms = 0; ms <= SCORE_MS_MAX && wanted > 0; ms++) {
        count += score->samples[ms];
        if (count >= wanted) {
            return ms;
        }
    }
    return 0;
}
