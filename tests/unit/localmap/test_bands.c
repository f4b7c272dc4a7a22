// SPDX-License-Identifier: Apache-2.0
// The bands as a table: usage of a limit of 1,000 bytes and the band before, to band, action and excess.  Then
// what holds for every usage: a band that was left is not entered again by the same number.
#include "localmap/bands.h"
#include "tests/lib/suite.h"

static const struct bands_terms terms = {.reserve_at = 60, .evict_at = 85};

struct row {
    uint64_t usage, limit;
    enum bands_band before;
    struct bands_verdict after;
};

static void check_rows(const struct bands_terms *by, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct bands_memory memory = {rows[i].usage, rows[i].limit};
        struct bands_verdict verdict = bands_judge(by, &memory, rows[i].before);
        ck_assert_msg(verdict.band == rows[i].after.band && verdict.action == rows[i].after.action,
                      "row %zu: %s", i, bands_name(verdict.band));
        CHECK_UEQ(verdict.excess, rows[i].after.excess);
    }
}

TEST(usage_and_the_band_before_say_which_band_it_is)
{
    static const struct row rows[] = {
        {0, 1000, BANDS_NORMAL, {BANDS_NORMAL, BANDS_REST, 0}},
        {599, 1000, BANDS_NORMAL, {BANDS_NORMAL, BANDS_REST, 0}},
        {600, 1000, BANDS_NORMAL, {BANDS_RESERVE, BANDS_TAKE_AHEAD, 0}},
        {600, 1000, BANDS_RESERVE, {BANDS_RESERVE, BANDS_TAKE_AHEAD, 0}},
        {599, 1000, BANDS_RESERVE, {BANDS_NORMAL, BANDS_REST, 0}},
        {850, 1000, BANDS_NORMAL, {BANDS_RESERVE, BANDS_TAKE_AHEAD, 0}},
        {850, 1000, BANDS_RESERVE, {BANDS_RESERVE, BANDS_TAKE_AHEAD, 0}},
        {851, 1000, BANDS_NORMAL, {BANDS_EVICT, BANDS_GIVE_UP, 51}},
        {851, 1000, BANDS_RESERVE, {BANDS_EVICT, BANDS_GIVE_UP, 51}},
        {850, 1000, BANDS_EVICT, {BANDS_EVICT, BANDS_GIVE_UP, 50}},
        {801, 1000, BANDS_EVICT, {BANDS_EVICT, BANDS_GIVE_UP, 1}},
        {800, 1000, BANDS_EVICT, {BANDS_RESERVE, BANDS_TAKE_AHEAD, 0}},
        {599, 1000, BANDS_EVICT, {BANDS_NORMAL, BANDS_REST, 0}},
        {2000, 1000, BANDS_NORMAL, {BANDS_EVICT, BANDS_GIVE_UP, 1200}}, // the limit was lowered
    };
    check_rows(&terms, rows, sizeof(rows) / sizeof(rows[0]));
}

TEST(without_a_limit_the_band_is_normal)
{
    static const struct row rows[] = {
        {0, 0, BANDS_NORMAL, {BANDS_NORMAL, BANDS_REST, 0}},
        {UINT64_MAX, 0, BANDS_NORMAL, {BANDS_NORMAL, BANDS_REST, 0}},
        {UINT64_MAX, 0, BANDS_RESERVE, {BANDS_NORMAL, BANDS_REST, 0}},
        {UINT64_MAX, 0, BANDS_EVICT, {BANDS_NORMAL, BANDS_REST, 0}},
    };
    check_rows(&terms, rows, sizeof(rows) / sizeof(rows[0]));
}

TEST(thresholds_at_the_edges_of_what_may_be_configured_hold)
{
    static const struct bands_terms lowest = {.reserve_at = 1, .evict_at = 2};
    static const struct bands_terms highest = {.reserve_at = 99, .evict_at = 100};
    static const struct row low[] = {
        {20, 1000, BANDS_NORMAL, {BANDS_RESERVE, BANDS_TAKE_AHEAD, 0}},
        {21, 1000, BANDS_NORMAL, {BANDS_EVICT, BANDS_GIVE_UP, 21}}, // its end would be below 0
        {1, 1000, BANDS_EVICT, {BANDS_EVICT, BANDS_GIVE_UP, 1}},
        {0, 1000, BANDS_EVICT, {BANDS_NORMAL, BANDS_REST, 0}},
    };
    static const struct row high[] = {
        {1000, 1000, BANDS_NORMAL, {BANDS_RESERVE, BANDS_TAKE_AHEAD, 0}},
        {1001, 1000, BANDS_NORMAL, {BANDS_EVICT, BANDS_GIVE_UP, 51}},
        {951, 1000, BANDS_EVICT, {BANDS_EVICT, BANDS_GIVE_UP, 1}},
        {950, 1000, BANDS_EVICT, {BANDS_NORMAL, BANDS_REST, 0}},
        // 100 % of the greatest limit is no more than that.
        {UINT64_MAX, UINT64_MAX, BANDS_NORMAL, {BANDS_RESERVE, BANDS_TAKE_AHEAD, 0}},
    };
    check_rows(&lowest, low, sizeof(low) / sizeof(low[0]));
    check_rows(&highest, high, sizeof(high) / sizeof(high[0]));
}

TEST(who_gave_the_excess_up_is_at_rest_and_stays_there)
{
    for (uint64_t usage = 0; usage <= 1200; usage++) {
        struct bands_memory memory = {usage, 1000};
        struct bands_verdict verdict = bands_judge(&terms, &memory, BANDS_NORMAL);
        memory.usage -= verdict.excess;
        struct bands_verdict after = bands_judge(&terms, &memory, verdict.band);
        CHECK(after.action != BANDS_GIVE_UP);
        struct bands_verdict again = bands_judge(&terms, &memory, after.band);
        CHECK(again.band == after.band);
    }
}

SUITE("localmap/bands", T(usage_and_the_band_before_say_which_band_it_is),
      T(without_a_limit_the_band_is_normal),
      T(thresholds_at_the_edges_of_what_may_be_configured_hold),
      T(who_gave_the_excess_up_is_at_rest_and_stays_there));
