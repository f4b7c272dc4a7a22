// SPDX-License-Identifier: Apache-2.0
// A laid-out control group that the test rewrites; the loop hears of each band.
#include "replicator/memory_watch.h"

#include "base/loop.h"
#include "tests/lib/failalloc.h"
#include "tests/lib/loop_wait.h"
#include "tests/lib/suite.h"
#include "tests/lib/tree.h"

#include <stdatomic.h>
#include <stdio.h>

struct stand {
    struct loop *loop;
    struct memory_watch *watch;
    char root[32], self[48];
    unsigned heard;
    struct memory_reading last;
    _Atomic uint64_t free; // relaxed: a number of the test's
};

static void on_reading(void *arg, const struct memory_reading *reading)
{
    struct stand *stand = arg;
    ASSERT_ON_LOOP(stand->loop);
    stand->heard++;
    stand->last = *reading;
}

static uint64_t tend(void *arg)
{
    struct stand *stand = arg;
    return atomic_load_explicit(&stand->free, memory_order_relaxed);
}

static enum err begin_watch(struct stand *stand)
{
    const struct memory_watch_options options = {.loop = stand->loop,
                                                 .root = stand->root,
                                                 .self = stand->self,
                                                 .terms = {.reserve_at = 60, .evict_at = 85},
                                                 .every_ms = 1,
                                                 .on_reading = on_reading,
                                                 .tend = tend,
                                                 .arg = stand};
    return memory_watch_new(&options, &stand->watch);
}

static void set_up(struct stand *stand)
{
    *stand = (struct stand){.heard = 0};
    (void)snprintf(stand->root, sizeof(stand->root), "%s", tree_begin());
    (void)snprintf(stand->self, sizeof(stand->self), "%s/self", stand->root);
    tree_lay("self", "0::/\n");
    tree_lay("memory.max", "1000\n");
    CHECK_OK(loop_new(&stand->loop));
}

static void tear_down(struct stand *stand)
{
    memory_watch_free(stand->watch);
    loop_free(stand->loop);
    tree_end();
}

static void use(const char *text)
{
    tree_lay("next", text);
    // A rename, so that no reading meets a file that is half written.
    char from[64];
    (void)snprintf(from, sizeof(from), "%s", tree_path("next"));
    CHECK_EQ(rename(from, tree_path("memory.current")), 0);
}

TEST(each_band_is_told_as_the_usage_moves)
{
    struct stand stand;
    set_up(&stand);
    use("100\n");
    CHECK_OK(begin_watch(&stand));
    LOOP_WAIT(stand.loop, stand.heard > 0);
    CHECK_EQ(stand.last.verdict.band, BANDS_NORMAL);
    CHECK_UEQ(memory_watch_last(stand.watch)->group.usage, 100);
    use("700\n");
    LOOP_WAIT(stand.loop, stand.last.verdict.band == BANDS_RESERVE);
    use("900\n");
    LOOP_WAIT(stand.loop, stand.last.verdict.band == BANDS_EVICT);
    CHECK_UEQ(stand.last.verdict.excess, 100);
    use("820\n"); // below where it began, above where it ends
    LOOP_WAIT(stand.loop, stand.last.group.usage == 820);
    CHECK_EQ(stand.last.verdict.band, BANDS_EVICT);
    use("800\n");
    LOOP_WAIT(stand.loop, stand.last.verdict.band == BANDS_RESERVE);
    tear_down(&stand);
}

TEST(what_the_map_holds_free_is_no_usage)
{
    struct stand stand;
    set_up(&stand);
    use("870\n");
    CHECK_OK(begin_watch(&stand));
    LOOP_WAIT(stand.loop, stand.last.verdict.band == BANDS_EVICT);
    atomic_store_explicit(&stand.free, 71, memory_order_relaxed);
    LOOP_WAIT(stand.loop, stand.last.verdict.band == BANDS_RESERVE);
    CHECK_UEQ(stand.last.free, 71);
    tear_down(&stand);
}

TEST(a_group_that_cannot_be_read_any_more_is_normal)
{
    struct stand stand;
    set_up(&stand);
    use("900\n");
    CHECK_OK(begin_watch(&stand));
    LOOP_WAIT(stand.loop, stand.last.verdict.band == BANDS_EVICT);
    tree_take_away("memory.current");
    LOOP_WAIT(stand.loop, stand.last.verdict.band == BANDS_NORMAL);
    CHECK(!stand.last.group.known);
    tear_down(&stand);
}

// false: no memory.
static bool make_once(void *arg)
{
    struct stand *stand = arg;
    enum err err = begin_watch(stand);
    memory_watch_free(stand->watch);
    stand->watch = NULL;
    return err == ERR_OK;
}

TEST(every_allocation_may_fail)
{
    struct stand stand;
    set_up(&stand);
    CHECK(failalloc_each(make_once, &stand) > 0);
    tear_down(&stand);
}

SUITE("node/memory_watch", T(each_band_is_told_as_the_usage_moves),
      T(what_the_map_holds_free_is_no_usage), T(a_group_that_cannot_be_read_any_more_is_normal),
      T(every_allocation_may_fail));
