// SPDX-License-Identifier: Apache-2.0
// Who uses a map: what map_close says of those that are left, one thread at a time.  With threads that write on
// beside a close: test_disguise_leak.c.
#include "localmap/map.h"
#include "tests/lib/suite.h"
#include "tests/unit/localmap/maps.h"

#include <stdio.h>

#define KEY SPAN_LIT("t\0s\0i")

struct told {
    size_t count;
    struct map_user last;
};

static void note(void *arg, const struct map_user *user)
{
    struct told *told = arg;
    told->count++;
    told->last = *user;
}

TEST(a_close_names_those_who_are_left_and_where_they_were_made)
{
    struct map *map = maps_new();
    struct told told = {.count = 0};
    char where[64];
    uint32_t reader = MAP_USER_OPEN(map, "a reader");
    (void)snprintf(where, sizeof(where), "%s:%d", __FILE__, __LINE__ + 1);
    uint32_t worker = MAP_USER_OPEN(map, "a worker whose name is longer than what is kept");
    map_user_close(map, reader);
    CHECK_UEQ(map_close(map, note, &told), 1);
    CHECK_UEQ(told.count, 1);
    CHECK_STR(told.last.name, "a worker whose name is longer t");
    CHECK_STR(told.last.where, where);
    map_user_close(map, worker);
    CHECK_UEQ(map_close(map, note, &told), 0);
    CHECK_UEQ(told.count, 1);
    map_free(map);
}

TEST(those_for_whom_there_is_no_row_are_counted)
{
    struct map *map = maps_new();
    struct told told = {.count = 0};
    uint32_t tickets[MAP_USERS_MAX + 2];
    for (size_t i = 0; i < MAP_USERS_MAX + 2; i++) {
        tickets[i] = MAP_USER_OPEN(map, "one of many");
        CHECK_EQ(tickets[i] == MAP_USER_BEYOND, i >= MAP_USERS_MAX);
    }
    CHECK_UEQ(map_close(map, note, &told), MAP_USERS_MAX + 2);
    CHECK_UEQ(told.count, MAP_USERS_MAX);
    map_user_close(map, tickets[7]);
    CHECK_UEQ(MAP_USER_OPEN(map, "takes the row that became free"), tickets[7]);
    for (size_t i = 0; i < MAP_USERS_MAX + 2; i++) {
        map_user_close(map, tickets[i]);
    }
    CHECK_UEQ(map_close(map, NULL, NULL), 0);
    map_free(map);
}

static struct map_counts counts_of(const struct map *map)
{
    struct map_counts counts;
    map_counts(map, &counts);
    return counts;
}

TEST(each_write_after_a_close_is_refused_and_counted_and_changes_nothing)
{
    struct map *map = maps_new();
    struct map_copy copy;
    bool was_held = false;
    enum put_result result = PUT_OVER_QUOTA;
    const struct codec_value one = maps_value(KEY, 1, "one");
    const struct codec_value two = maps_value(KEY, 2, "two");
    const struct map_health health = {.health = {.status = STATUS_HEALTHY}};
    const struct map_key worked_out = map_key(map, KEY);
    const struct map_put given = {.value = &two};
    CHECK_OK(map_put(map, KEY, &one, 0, 1, &result));
    uint64_t index = map_index(map);
    struct map_counts before = counts_of(map);
    CHECK_UEQ(map_close(map, NULL, NULL), 0);

    CHECK_EQ(map_put(map, KEY, &two, 0, 2, &result), ERR_ENDED);
    CHECK_EQ(map_put_at(map, &worked_out, &given, &result), ERR_ENDED);
    CHECK_EQ(map_put_if(map, KEY, one.version, &two, 0, 2, &result), ERR_ENDED);
    CHECK_EQ(map_show(map, KEY, SPAN_LIT("wish"), 0, 1, &result), ERR_ENDED);
    CHECK_EQ(map_get_or_put(map, SPAN_LIT("t\0s\0j"), &one, 0, &copy, &was_held), ERR_ENDED);
    CHECK(!map_drop(map, KEY));
    CHECK(!map_set_health(map, KEY, &health, true));
    CHECK(!map_set_mark(map, KEY, 7));
    CHECK_UEQ(map_announce(map, KEY), index);
    CHECK_UEQ(counts_of(map).late, 9);

    CHECK_UEQ(map_index(map), index);
    CHECK(map_get(map, KEY, &copy) && span_eq_str(map_copy_body(&copy), "one"));
    CHECK_UEQ(copy.facts.version.counter, 1);
    CHECK_UEQ(copy.facts.mark, 1);
    CHECK_UEQ(copy.facts.health.health.status, 0);
    CHECK_UEQ(counts_of(map).records, before.records);
    CHECK_OK(map_get_or_put(map, KEY, &two, 0, &copy, &was_held)); // which only reads
    CHECK(was_held);
    maps_check(map);
    map_free(map);
}

SUITE("localmap/users", T(a_close_names_those_who_are_left_and_where_they_were_made),
      T(those_for_whom_there_is_no_row_are_counted),
      T(each_write_after_a_close_is_refused_and_counted_and_changes_nothing));
