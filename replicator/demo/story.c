// SPDX-License-Identifier: Apache-2.0
#include "replicator/demo/story.h"

#include "base/assert.h"

#include <string.h>

#define FIRST_MS 1000
#define GAP_MIN_MS 1000
#define GAP_MAX_MS 2500
#define STEP_MS 100

// splitmix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
static uint64_t draw(struct story *story)
{
    uint64_t z = story->state += 0x9e3779b97f4a7c15U;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

void story_init(struct story *story, uint64_t seed)
{
    memset(story, 0, sizeof(*story));
    story->state = seed;
    story->at_ms = FIRST_MS;
}

static size_t healthy_count(const struct story *story, size_t service)
{
    size_t count = 0;
    for (size_t i = 0; i < STORY_BACKENDS; i++) {
        count += story_service(i) == service && story->modes[i] == STORY_HEALTHY;
    }
    return count;
}

static size_t candidates(const struct story *story, size_t ret_backends[STORY_BACKENDS])
{
    size_t count = 0;
    for (size_t i = 0; i < STORY_BACKENDS; i++) {
        bool may_fail = healthy_count(story, story_service(i)) > 1;
        bool failing = story->modes[i] != STORY_HEALTHY;
        if (story->free_ms[i] <= story->at_ms && (failing || may_fail)) {
            ret_backends[count++] = i;
        }
    }
    return count;
}

struct story_flip story_next(struct story *story)
{
    size_t backends[STORY_BACKENDS];
    size_t count = candidates(story, backends);
    // There may be none for a moment: the failing ones are all held, the others the last of their service.
    while (count == 0) {
        story->at_ms += STEP_MS;
        count = candidates(story, backends);
    }
    size_t backend = backends[draw(story) % count];
    ASSERT(backend < STORY_BACKENDS);
    bool failing = story->modes[backend] != STORY_HEALTHY;
    uint64_t failure = STORY_ERROR + draw(story) % STORY_REFUSE;
    story->modes[backend] = failing ? STORY_HEALTHY : (enum story_mode)failure;
    story->free_ms[backend] = story->at_ms + STORY_HOLD_MS;
    struct story_flip flip = {story->at_ms, backend, story->modes[backend]};
    story->at_ms += GAP_MIN_MS + (int64_t)(draw(story) % (GAP_MAX_MS - GAP_MIN_MS));
    return flip;
}
