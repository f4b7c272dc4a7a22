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
        const struct bands_memory memory = {rows[i].usage, rows[i].limit, 0};
        struct bands_verdict verdict = bands_judge(by, &memory, rows[i].before);
        ck_assert_msg(verdict.band == rows[i].after.band && verdict.action == rows[i].after.action,
                      "row %zu: %s", i, bands_name(verdict.band));
        CHECK_UEQ(verdict.excess, rows[i].after.excess);
        CHECK_EQ(verdict.urgent, rows[i].after.urgent);
    }
}

TEST(usage_and_the_band_before_say_which_band_it_is)
{
    static const struct row rows[] = {
        {0, 1000, BANDS_NORMAL, {BANDS_NORMAL, BANDS_REST, 0, false}},
        {599, 1000, BANDS_NORMAL, {BANDS_NORMAL, BANDS_REST, 0, false}},
        {600, 1000, BANDS_NORMAL, {BANDS_RESERVE, BANDS_TAKE_AHEAD, 0, false}},
        {600, 1000, BANDS_RESERVE, {BANDS_RESERVE, BANDS_TAKE_AHEAD, 0, false}},
        {599, 1000, BANDS_RESERVE, {BANDS_NORMAL, BANDS_REST, 0, false}},
        {850, 1000, BANDS_NORMAL, {BANDS_RESERVE, BANDS_TAKE_AHEAD, 0, false}},
        {850, 1000, BANDS_RESERVE, {BANDS_RESERVE, BANDS_TAKE_AHEAD, 0, false}},
        {851, 1000, BANDS_NORMAL, {BANDS_EVICT, BANDS_GIVE_UP, 51, false}},
        {851, 1000, BANDS_RESERVE, {BANDS_EVICT, BANDS_GIVE_UP, 51, false}},
        {850, 1000, BANDS_EVICT, {BANDS_EVICT, BANDS_GIVE_UP, 50, false}},
        {801, 1000, BANDS_EVICT, {BANDS_EVICT, BANDS_GIVE_UP, 1, false}},
        {800, 1000, BANDS_EVICT, {BANDS_RESERVE, BANDS_TAKE_AHEAD, 0, false}},
        {925, 1000, BANDS_EVICT, {BANDS_EVICT, BANDS_GIVE_UP, 125, false}},
        {926, 1000, BANDS_EVICT, {BANDS_EVICT, BANDS_GIVE_UP, 126, true}},
        {599, 1000, BANDS_EVICT, {BANDS_NORMAL, BANDS_REST, 0, false}},
        {2000,
         1000,
         BANDS_NORMAL,
         {BANDS_EVICT, BANDS_GIVE_UP, 1200, true}}, // the limit was lowered
    };
    check_rows(&terms, rows, sizeof(rows) / sizeof(rows[0]));
}

TEST(without_a_limit_the_band_is_normal)
{
    static const struct row rows[] = {
        {0, 0, BANDS_NORMAL, {BANDS_NORMAL, BANDS_REST, 0, false}},
        {UINT64_MAX, 0, BANDS_NORMAL, {BANDS_NORMAL, BANDS_REST, 0, false}},
        {UINT64_MAX, 0, BANDS_RESERVE, {BANDS_NORMAL, BANDS_REST, 0, false}},
        {UINT64_MAX, 0, BANDS_EVICT, {BANDS_NORMAL, BANDS_REST, 0, false}},
    };
    check_rows(&terms, rows, sizeof(rows) / sizeof(rows[0]));
}

TEST(thresholds_at_the_edges_of_what_may_be_configured_hold)
{
    static const struct bands_terms lowest = {.reserve_at = 1, .evict_at = 2};
    static const struct bands_terms highest = {.reserve_at = 99, .evict_at = 100};
    static const struct row low[] = {
        {20, 1000, BANDS_NORMAL, {BANDS_RESERVE, BANDS_TAKE_AHEAD, 0, false}},
        {21,
         1000,
         BANDS_NORMAL,
         {BANDS_EVICT, BANDS_GIVE_UP, 21, false}}, // its end would be below 0
        {1, 1000, BANDS_EVICT, {BANDS_EVICT, BANDS_GIVE_UP, 1, false}},
        {0, 1000, BANDS_EVICT, {BANDS_NORMAL, BANDS_REST, 0, false}},
    };
    static const struct row high[] = {
        {1000, 1000, BANDS_NORMAL, {BANDS_RESERVE, BANDS_TAKE_AHEAD, 0, false}},
        {1001, 1000, BANDS_NORMAL, {BANDS_EVICT, BANDS_GIVE_UP, 51, true}},
        {951, 1000, BANDS_EVICT, {BANDS_EVICT, BANDS_GIVE_UP, 1, false}},
        {950, 1000, BANDS_EVICT, {BANDS_NORMAL, BANDS_REST, 0, false}},
        // 100 % of the greatest limit is no more than that.
        {UINT64_MAX, UINT64_MAX, BANDS_NORMAL, {BANDS_RESERVE, BANDS_TAKE_AHEAD, 0, false}},
    };
    check_rows(&lowest, low, sizeof(low) / sizeof(low[0]));
    check_rows(&highest, high, sizeof(high) / sizeof(high[0]));
}

TEST(who_gave_the_excess_up_is_at_rest_and_stays_there)
{
    for (uint64_t usage = 0; usage <= 1200; usage++) {
        struct bands_memory memory = {usage, 1000, 0};
        struct bands_verdict verdict = bands_judge(&terms, &memory, BANDS_NORMAL);
        memory.usage -= verdict.excess;
        struct bands_verdict after = bands_judge(&terms, &memory, verdict.band);
        CHECK(after.action != BANDS_GIVE_UP);
        struct bands_verdict again = bands_judge(&terms, &memory, after.band);
        CHECK(again.band == after.band);
    }
}

TEST(what_is_held_without_use_counts_as_given_back_but_only_so_much)
{
    static const struct {
        uint64_t usage, free;
        enum bands_band band;
        uint64_t excess;
        bool urgent;
    } rows[] = {
        {640, 41, BANDS_NORMAL, 0, false},  {640, 40, BANDS_RESERVE, 0, false},
        {900, 50, BANDS_RESERVE, 0, false}, {900, 49, BANDS_EVICT, 51, false},
        {925, 75, BANDS_RESERVE, 0, false}, {926, 75, BANDS_EVICT, 51, true},
        {926, 900, BANDS_EVICT, 51, true},  {1000, 1000, BANDS_EVICT, 125, true},
        {30, 1000, BANDS_NORMAL, 0, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct bands_memory memory = {rows[i].usage, 1000, rows[i].free};
        struct bands_verdict verdict = bands_judge(&terms, &memory, BANDS_NORMAL);
        CHECK_EQ(verdict.band, rows[i].band);
        CHECK_UEQ(verdict.excess, rows[i].excess);
        CHECK_EQ(verdict.urgent, rows[i].urgent);
    }
}

TEST(room_ahead_is_half_of_what_is_left_until_records_would_go)
{
    static const uint64_t rows[][2] = {{600, 125}, {700, 75}, {849, 0}, {850, 0}, {2000, 0}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct bands_memory memory = {rows[i][0], 1000, 0};
        CHECK_UEQ(bands_room(&terms, &memory), rows[i][1]);
    }
    const struct bands_memory none = {700, 0, 0};
    CHECK_UEQ(bands_room(&terms, &none), 0);
}

TEST(the_less_is_left_the_sooner_the_next_look)
{
    static const struct {
        uint64_t usage, limit;
        int64_t every_ms, wait_ms;
    } rows[] = {
        {0, 1000, 500, 500},
        {100, 1000, 500, 450},
        {500, 1000, 500, 250},
        {850, 1000, 500, 75},
        {925, 1000, 500, 37},
        {960, 1000, 500, 20},
        {990, 1000, 500, 20},
        {1000, 1000, 500, 20},
        {2000, 1000, 500, 20},
        {UINT64_MAX, 0, 500, 500}, // nothing is known to be short
        {UINT64_MAX / 2, UINT64_MAX, 500, 250},
        {990, 1000, 1, 1},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct bands_memory memory = {rows[i].usage, rows[i].limit, 0};
        CHECK_INT(bands_wait_ms(&memory, rows[i].every_ms), eq, rows[i].wait_ms);
    }
}

// Half of a group's limit comes in each second, from any beginning on, and eviction is held up for two looks.
TEST(who_fills_memory_is_met_before_it_is_full)
{
    const uint64_t limit = 48 * 1024 * 1024;
    for (uint64_t begin = 0; begin < limit / 100 * 85; begin += limit / 100) {
        struct bands_memory memory = {begin, limit, 0};
        struct bands_verdict verdict = {BANDS_NORMAL, BANDS_REST, 0, false};
        for (int late = 0; late < 3; late += verdict.band == BANDS_EVICT) {
            memory.usage += (uint64_t)bands_wait_ms(&memory, 500) * (limit / 2) / 1000;
            verdict = bands_judge(&terms, &memory, verdict.band);
            CHECK(memory.usage < limit);
        }
    }
}

SUITE("localmap/bands", T(usage_and_the_band_before_say_which_band_it_is),
      T(without_a_limit_the_band_is_normal),
      T(thresholds_at_the_edges_of_what_may_be_configured_hold),
      T(who_gave_the_excess_up_is_at_rest_and_stays_there),
      T(what_is_held_without_use_counts_as_given_back_but_only_so_much),
      T(room_ahead_is_half_of_what_is_left_until_records_would_go),
      T(the_less_is_left_the_sooner_the_next_look), T(who_fills_memory_is_met_before_it_is_full));
