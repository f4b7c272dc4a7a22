// SPDX-License-Identifier: Apache-2.0
// The ordered set against a plain array of flags, with enough items for many chunks.
#include "base/random.h"
#include "localmap/ordered.h"
#include "tests/lib/failalloc.h"
#include "tests/lib/suite.h"

#include <stdio.h>

#define ITEMS 3000

struct thing {
    struct ordered_item item;
    char text[8];
};

static struct thing things[ITEMS];

static void make_things(void)
{
    for (size_t i = 0; i < ITEMS; i++) {
        int len = snprintf(things[i].text, sizeof(things[i].text), "%04zu", i);
        things[i].item = (struct ordered_item){(uint32_t)len, things[i].text};
    }
}

static struct span key_of(size_t i)
{
    return span_of(things[i].text, 4);
}

static void check_order(const struct ordered *ordered, const bool *there)
{
    struct ordered_place place = ordered_after(ordered, SPAN_NONE);
    size_t count = 0;
    for (size_t i = 0; i < ITEMS; i++) {
        CHECK(ordered_get(ordered, key_of(i)) == (there[i] ? &things[i] : NULL));
        if (there[i]) {
            CHECK(ordered_next(ordered, &place) == &things[i]);
            count++;
        }
    }
    CHECK(ordered_next(ordered, &place) == NULL);
    CHECK_UEQ(ordered->count, count);
}

TEST(items_stand_in_order_whatever_came_and_went)
{
    static bool there[ITEMS];
    struct ordered ordered = {0};
    struct random random;
    make_things();
    random_seed(&random, 1);
    for (size_t step = 0; step < 40000; step++) {
        size_t i = (size_t)random_below(&random, ITEMS);
        bool shrink = step / 10000 % 2 == 1;
        if (there[i] && (shrink || random_below(&random, 4) == 0)) {
            ordered_remove(&ordered, key_of(i));
            there[i] = false;
        } else if (!there[i] && (!shrink || random_below(&random, 4) == 0)) {
            CHECK_OK(ordered_add(&ordered, &things[i].item));
            there[i] = true;
        }
        if (step % 2000 == 0) {
            check_order(&ordered, there);
        }
    }
    for (size_t i = 0; i < ITEMS; i++) {
        if (there[i]) {
            ordered_remove(&ordered, key_of(i));
            there[i] = false;
        }
    }
    check_order(&ordered, there);
    ordered_fini(&ordered);
}

TEST(a_place_is_behind_the_key_that_is_named)
{
    struct ordered ordered = {0};
    make_things();
    for (size_t i = 0; i < ITEMS; i += 2) {
        CHECK_OK(ordered_add(&ordered, &things[i].item));
    }
    for (size_t i = 0; i + 2 < ITEMS; i++) {
        struct ordered_place place = ordered_after(&ordered, key_of(i));
        CHECK(ordered_next(&ordered, &place) == &things[i % 2 == 0 ? i + 2 : i + 1]);
    }
    struct ordered_place end = ordered_after(&ordered, SPAN_LIT("9999"));
    CHECK(ordered_next(&ordered, &end) == NULL);
    ordered_fini(&ordered);
}

static bool walk(void *arg)
{
    struct ordered ordered = {0};
    bool ok = true;
    size_t added = 0;
    (void)arg;
    for (; ok && added < 600; added++) {
        size_t before = ordered.count;
        ok = ordered_add(&ordered, &things[added * 7 % ITEMS].item) == ERR_OK;
        ok = ok || ordered.count != before; // a failed one has changed nothing
    }
    ordered_fini(&ordered);
    return ok;
}

TEST(every_allocation_may_fail)
{
    make_things();
    CHECK_INT(failalloc_each(walk, NULL), gt, 4);
}

SUITE("localmap/ordered", T(items_stand_in_order_whatever_came_and_went),
      T(a_place_is_behind_the_key_that_is_named), T(every_allocation_may_fail));
