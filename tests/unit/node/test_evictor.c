// SPDX-License-Identifier: Apache-2.0
// The evictor over a real map and a `let go` of the test's: how much goes, who, and when it gives up.
#include "replicator/evictor.h"

#include "base/text.h"
#include "localmap/map.h"
#include "tests/lib/failalloc.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <string.h>

#define SERVICES 200
#define BODY_LEN 10

struct stand {
    struct map *map;
    struct evictor *evictor;
    bool refuses;
    unsigned asked, gone;
    unsigned warm_gone; // of the services that were read later
    struct mono now;
    uint16_t tick;
};

static struct span key_of(unsigned number)
{
    static char text[32];
    int len = snprintf(text, sizeof(text), "t%cs%u%ci", 0, number, 0);
    return span_of(text, (size_t)len);
}

static uint64_t let_go(void *arg, struct span service_key)
{
    struct stand *stand = arg;
    uint64_t number = 0;
    stand->asked++;
    if (stand->refuses) {
        return 0;
    }
    CHECK_OK(text_u64(span_of(service_key.ptr + 3, service_key.len - 3), &number));
    stand->gone++;
    stand->warm_gone += (unsigned)number % 2;
    return map_evict(stand->map, key_of((unsigned)number));
}

static void set_up(struct stand *stand)
{
    const struct map_options options = {
        .shards = 4, .partitions = 1, .changefeed = 64, .instance = 1};
    *stand = (struct stand){.now = {1000000}, .tick = 10};
    CHECK_OK(map_new(&options, &stand->map));
    const struct evictor_options evictor = {
        .map = stand->map, .evict = let_go, .arg = stand, .seed = 1};
    CHECK_OK(evictor_new(&evictor, &stand->evictor));
    map_set_tick(stand->map, 10);
    for (unsigned i = 0; i < SERVICES; i++) {
        enum put_result result = PUT_STALE;
        struct codec_value value = {.version = {1, 1}, .body = SPAN_LIT("0123456789")};
        value.hash = codec_hash(key_of(i), value.version, value.body);
        CHECK_OK(map_put(stand->map, key_of(i), &value, 0, 0, &result));
    }
}

static void tear_down(struct stand *stand)
{
    evictor_free(stand->evictor);
    map_free(stand->map);
}

static void aim(struct stand *stand, uint64_t excess)
{
    const struct bands_verdict verdict = {BANDS_EVICT, BANDS_GIVE_UP, excess, false};
    evictor_aim(stand->evictor, &verdict, stand->now);
}

static enum evictor_step run(struct stand *stand)
{
    enum evictor_step step = EVICTOR_MORE;
    for (unsigned turns = 0; step == EVICTOR_MORE; turns++) {
        CHECK_INT(turns, lt, 1000);
        step = evictor_step(stand->evictor, stand->tick, stand->now);
    }
    return step;
}

TEST(as_much_goes_as_is_too_much)
{
    struct stand stand;
    set_up(&stand);
    stand.tick = 20;
    aim(&stand, 5 * BODY_LEN - 1);
    CHECK_EQ(run(&stand), EVICTOR_DONE);
    CHECK_UEQ(stand.gone, 5);
    tear_down(&stand);
}

TEST(what_went_counts_as_gone_for_a_while)
{
    struct stand stand;
    set_up(&stand);
    stand.tick = 20;
    aim(&stand, 5 * BODY_LEN);
    CHECK_EQ(run(&stand), EVICTOR_DONE);
    aim(&stand, 5 * BODY_LEN); // the usage does not show it yet
    CHECK_EQ(run(&stand), EVICTOR_DONE);
    CHECK_UEQ(stand.gone, 5);
    aim(&stand, 7 * BODY_LEN); // and it grows
    CHECK_EQ(run(&stand), EVICTOR_DONE);
    CHECK_UEQ(stand.gone, 7);
    stand.now = mono_add_ms(stand.now, EVICTOR_SETTLE_MS);
    aim(&stand, 2 * BODY_LEN); // it must show by now
    CHECK_EQ(run(&stand), EVICTOR_DONE);
    CHECK_UEQ(stand.gone, 9);
    tear_down(&stand);
}

TEST(when_memory_is_there_again_nobody_goes_any_more)
{
    struct stand stand;
    const struct bands_verdict rest = {BANDS_RESERVE, BANDS_TAKE_AHEAD, 0, false};
    set_up(&stand);
    stand.tick = 20;
    aim(&stand, (uint64_t)SERVICES * BODY_LEN);
    CHECK_EQ(evictor_step(stand.evictor, stand.tick, stand.now), EVICTOR_MORE);
    unsigned gone = stand.gone;
    CHECK_INT(gone, gt, 0);
    evictor_aim(stand.evictor, &rest, stand.now);
    CHECK_EQ(run(&stand), EVICTOR_DONE);
    CHECK_UEQ(stand.gone, gone);
    tear_down(&stand);
}

TEST(who_was_read_a_moment_ago_stays)
{
    struct stand stand;
    set_up(&stand);
    stand.tick = 11;
    aim(&stand, BODY_LEN);
    CHECK_EQ(run(&stand), EVICTOR_STUCK);
    CHECK_UEQ(stand.asked, 0);
    stand.tick = 10 + EVICTOR_IDLE_MIN;
    aim(&stand, BODY_LEN);
    CHECK_EQ(run(&stand), EVICTOR_DONE);
    CHECK_UEQ(stand.gone, 1);
    tear_down(&stand);
}

TEST(when_it_is_urgent_nobody_is_too_young)
{
    struct stand stand;
    const struct bands_verdict verdict = {BANDS_EVICT, BANDS_GIVE_UP, BODY_LEN, true};
    set_up(&stand);
    evictor_aim(stand.evictor, &verdict, stand.now);
    CHECK_EQ(run(&stand), EVICTOR_DONE);
    CHECK_UEQ(stand.gone, 1);
    evictor_aim(stand.evictor, &verdict, stand.now); // and nobody waits for the usage to fall
    CHECK_EQ(run(&stand), EVICTOR_DONE);
    CHECK_UEQ(stand.gone, 2);
    aim(&stand, 3 * BODY_LEN);
    CHECK_EQ(run(&stand), EVICTOR_STUCK);
    CHECK_UEQ(stand.gone, 2);
    tear_down(&stand);
}

TEST(the_idlest_go_first)
{
    struct stand stand;
    struct map_copy copy;
    set_up(&stand);
    map_set_tick(stand.map, 15);
    for (unsigned i = 1; i < SERVICES; i += 2) {
        CHECK(map_get(stand.map, key_of(i), &copy));
    }
    stand.tick = 20;
    aim(&stand, (uint64_t)SERVICES / 4 * BODY_LEN);
    CHECK_EQ(run(&stand), EVICTOR_DONE);
    CHECK_UEQ(stand.gone, SERVICES / 4);
    // Samples, so not never; but of those that were read half as long ago hardly any.
    CHECK_INT(stand.warm_gone, lt, SERVICES / 40);
    tear_down(&stand);
}

TEST(when_all_refuse_it_gives_up_and_tries_again_later)
{
    struct stand stand;
    set_up(&stand);
    stand.tick = 20;
    stand.refuses = true;
    aim(&stand, 1);
    CHECK_EQ(run(&stand), EVICTOR_STUCK);
    CHECK_INT(stand.asked, gt, 10);
    CHECK_EQ(evictor_step(stand.evictor, stand.tick, stand.now),
             EVICTOR_DONE); // until it is aimed again
    stand.refuses = false;
    aim(&stand, 1);
    CHECK_EQ(run(&stand), EVICTOR_DONE);
    CHECK_UEQ(stand.gone, 1);
    tear_down(&stand);
}

TEST(all_can_go_and_then_none_is_left)
{
    struct stand stand;
    set_up(&stand);
    stand.tick = 20;
    aim(&stand, UINT64_MAX);
    CHECK_EQ(run(&stand), EVICTOR_STUCK);
    CHECK_INT(stand.gone, ge, SERVICES - 5); // the last few are met by chance
    CHECK_INT(stand.gone, le, SERVICES);
    tear_down(&stand);
}

// false: no memory.
static bool make_once(void *arg)
{
    struct evictor *evictor = NULL;
    const struct evictor_options options = {.map = arg, .evict = let_go, .arg = arg, .seed = 1};
    enum err err = evictor_new(&options, &evictor);
    evictor_free(evictor);
    return err == ERR_OK;
}

TEST(every_allocation_may_fail)
{
    struct stand stand;
    set_up(&stand);
    CHECK(failalloc_each(make_once, stand.map) > 0);
    tear_down(&stand);
}

SUITE("node/evictor", T(as_much_goes_as_is_too_much), T(what_went_counts_as_gone_for_a_while),
      T(when_memory_is_there_again_nobody_goes_any_more), T(who_was_read_a_moment_ago_stays),
      T(when_it_is_urgent_nobody_is_too_young), T(the_idlest_go_first),
      T(when_all_refuse_it_gives_up_and_tries_again_later), T(all_can_go_and_then_none_is_left),
      T(every_allocation_may_fail));
