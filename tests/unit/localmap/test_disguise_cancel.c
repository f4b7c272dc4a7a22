// SPDX-License-Identifier: Apache-2.0
// Disguise 4 of a shared map: a child table is shared through copies of its parent, and goes on being changed
// through some of them while others are cancelled.
// The parent is what a watcher is made from: the map and a filter, copied into each of the children, which all
// mean the one table of who follows what (and the one changefeed).  They subscribe and cancel in storms, while
// records are written, announced and evicted.
//   - a service that somebody follows all the time is not evicted, whatever the others cancel
//   - the follower of a service finds every change of it, in order, or learns that it was lapped
//   - when all have cancelled, nobody is left: everything can be evicted
#include "localmap/map.h"
#include "tests/lib/crowd.h"
#include "tests/lib/sanitizer.h"
#include "tests/lib/suite.h"
#include "tests/unit/localmap/maps.h"

#include <stdatomic.h>
#include <stdio.h>

#define CHILDREN 6
#define SERVICES 4 // service 0 has a follower that stays
#define INSTANCES 5
#define TURNS (SANITIZER_THREAD ? 400 : 4000)

struct parent {
    struct map *map; // shared by all copies
    struct map_filter filter;
    char service[16];
};

struct child {
    struct parent parent; // a copy
    unsigned number;
    unsigned wrong;
    uint64_t followed; // changes
};

struct hand {
    struct map *map;
    atomic_bool over;
    unsigned wrong;
    uint64_t evicted;
};

static struct span instance_key(unsigned service, unsigned instance, char text[32])
{
    int len = snprintf(text, 32, "t%cs%u%ci%u", 0, service, 0, instance);
    return span_of(text, (size_t)len);
}

static void filter_service(struct parent *parent, unsigned service)
{
    (void)snprintf(parent->service, sizeof(parent->service), "s%u", service);
    parent->filter = (struct map_filter){SPAN_LIT("t"), span_str(parent->service)};
}

// Reads on from `position` to the end; each change is the next one.
static uint64_t read_on(struct child *child, uint64_t position)
{
    struct map_change change;
    enum feed_result result = map_feed_next(child->parent.map, position, &change);
    while (result == FEED_OK) {
        child->wrong += change.index == position + 1 ? 0 : 1;
        child->followed++;
        position = change.index;
        result = map_feed_next(child->parent.map, position, &change);
    }
    return result == FEED_LAPPED ? map_index(child->parent.map) : position;
}

static void *subscribe_and_cancel(void *arg)
{
    struct child *child = arg;
    uint64_t position = map_index(child->parent.map); // as one who comes again says where he was
    for (unsigned i = 0; i < TURNS || child->followed == 0; i++) {
        // The filters of all children are alike from time to time: then they share a count as well.
        filter_service(&child->parent, (child->number + i) % SERVICES);
        struct map_filter any = {SPAN_NONE, SPAN_NONE};
        const struct map_filter *filter = i % 16 == 0 ? &any : &child->parent.filter;
        child->wrong += map_follow(child->parent.map, filter) == ERR_OK ? 0 : 1;
        position = read_on(child, position);
        map_unfollow(child->parent.map, filter);
    }
    return NULL;
}

// Writes what was evicted again, and announces.
static void *write_on(void *arg)
{
    struct hand *hand = arg;
    for (uint64_t i = 1; !atomic_load(&hand->over); i++) {
        char text[32];
        enum put_result result = PUT_STALE;
        struct span key =
            instance_key((unsigned)(i % SERVICES), (unsigned)(i / SERVICES % INSTANCES), text);
        const struct codec_value value = maps_value(key, i, "body");
        const struct map_health health = {.health = {.status = (enum status)(i % STATUS_COUNT)}};
        hand->wrong += map_put(hand->map, key, &value, 0, 0, &result) == ERR_OK ? 0 : 1;
        (void)map_set_health(hand->map, key, &health, true);
    }
    return NULL;
}

static uint64_t evict_service(struct map *map, unsigned service)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < INSTANCES; i++) {
        char text[32];
        sum += map_evict(map, instance_key(service, i, text));
    }
    return sum;
}

static void *evict_on(void *arg)
{
    struct hand *hand = arg;
    while (!atomic_load(&hand->over)) {
        hand->wrong += evict_service(hand->map, 0) == 0 ? 0 : 1;
        hand->evicted += evict_service(hand->map, 1) + evict_service(hand->map, 2);
    }
    return NULL;
}

static void copy_parent(const struct parent *parent, struct child *children)
{
    for (unsigned i = 0; i < CHILDREN; i++) {
        children[i] = (struct child){.parent = *parent, .number = i};
    }
}

TEST(subscribers_that_come_and_go_leave_nobody_behind_and_nobody_without)
{
    static struct child children[CHILDREN];
    static struct hand writer;
    static struct hand evicter;
    struct parent parent = {.map = maps_new()};
    struct crowd subscribers = {.count = CHILDREN};
    struct crowd writers = {.count = 1};
    struct crowd evicters = {.count = 1};
    writer.map = parent.map;
    evicter.map = parent.map;
    filter_service(&parent, 0);
    CHECK_OK(map_follow(parent.map, &parent.filter));
    copy_parent(&parent, children);
    crowd_start(&writers, write_on, &writer, sizeof(writer));
    crowd_start(&evicters, evict_on, &evicter, sizeof(evicter));
    crowd_start(&subscribers, subscribe_and_cancel, children, sizeof(children[0]));
    crowd_join(&subscribers);
    atomic_store(&writer.over, true);
    atomic_store(&evicter.over, true);
    crowd_join(&writers);
    crowd_join(&evicters);
    for (unsigned i = 0; i < CHILDREN; i++) {
        CHECK_UEQ(children[i].wrong, 0);
        CHECK_INT(children[i].followed, gt, 0);
    }
    CHECK_UEQ(writer.wrong + evicter.wrong, 0);

    CHECK_UEQ(evict_service(parent.map, 0), 0);
    map_unfollow(parent.map, &parent.filter);
    for (unsigned i = 0; i < SERVICES; i++) {
        evicter.evicted += evict_service(parent.map, i);
        CHECK_UEQ(evict_service(parent.map, i), 0); // all are stubs now
    }
    CHECK_INT(evicter.evicted, gt, 0);
    CHECK(map_has_evicted(parent.map));
    maps_check(parent.map);
    map_free(parent.map);
}

SUITE("localmap/map (disguise: cancelled)",
      T(subscribers_that_come_and_go_leave_nobody_behind_and_nobody_without));
