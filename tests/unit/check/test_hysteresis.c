// SPDX-License-Identifier: Apache-2.0
// A row is rise, fall, a line of results (+ passed, - failed) and the status after each of them: ? unknown,
// . healthy, x unhealthy; in upper case (!, H, X) where it is settled.
#include "tests/lib/suite.h"

#include "replicator/check/hysteresis.h"

#include <string.h>

static char letter(const struct hysteresis *hysteresis)
{
    bool settled = hysteresis_settled(hysteresis);
    switch (hysteresis_status(hysteresis)) {
    case STATUS_HEALTHY:
        return settled ? 'H' : 'h';
    case STATUS_UNHEALTHY:
        return settled ? 'X' : 'x';
    case STATUS_UNKNOWN:
    case STATUS_DRAINING:
    case STATUS_TIMEOUT:
    case STATUS_DEGRADED:
    case STATUS_COUNT:
        break;
    }
    return settled ? '!' : '?';
}

TEST(results_move_the_status_as_the_table_says)
{
    const struct {
        uint32_t rise, fall;
        const char *results, *statuses;
    } rows[] = {
        {2, 3, "+", "H"},
        {2, 3, "-", "?"},
        {2, 3, "---", "??X"},
        {2, 3, "--+", "??H"},
        {2, 3, "+--", "Hhh"},
        {2, 3, "+---", "HhhX"},
        {2, 3, "+--+--+", "HhhHhhH"},
        {2, 3, "+---+", "HhhXx"},
        {2, 3, "+---++", "HhhXxH"},
        {2, 3, "+---+-+-", "HhhXxXxX"},
        {2, 3, "---+-++", "??XxXxH"},
        {1, 1, "+-+-", "HXHX"},
        {1, 1, "-+", "XH"},
        {3, 1, "+-++-+++", "HXxxXxxH"},
        {1, 2, "--+-+--", "?XHhHhX"},
        {0, 0, "+-", "HX"}, // counts as 1, 1
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct hysteresis hysteresis;
        char said[32] = "";
        hysteresis_init(&hysteresis, rows[i].rise, rows[i].fall);
        CHECK_EQ(letter(&hysteresis), '?');
        for (size_t j = 0; rows[i].results[j] != '\0'; j++) {
            hysteresis_step(&hysteresis, rows[i].results[j] == '+');
            said[j] = letter(&hysteresis);
        }
        ck_assert_msg(strcmp(said, rows[i].statuses) == 0, "row %zu: %s says %s", i,
                      rows[i].results, said);
    }
}

TEST(other_terms_keep_the_status_and_count_anew)
{
    struct hysteresis hysteresis;
    hysteresis_init(&hysteresis, 2, 3);
    hysteresis_step(&hysteresis, true);
    hysteresis_step(&hysteresis, false);
    hysteresis_step(&hysteresis, false);
    hysteresis_terms(&hysteresis, 5, 2);
    CHECK_EQ(letter(&hysteresis), 'H');
    hysteresis_step(&hysteresis, false);
    CHECK_EQ(letter(&hysteresis), 'h');
    hysteresis_step(&hysteresis, false);
    CHECK_EQ(letter(&hysteresis), 'X');
    hysteresis_terms(&hysteresis, 1, 1);
    CHECK_EQ(letter(&hysteresis), 'X');
    hysteresis_step(&hysteresis, true);
    CHECK_EQ(letter(&hysteresis), 'H');
    hysteresis_init(&hysteresis, 1, 2);
    hysteresis_step(&hysteresis, false);
    hysteresis_terms(&hysteresis, 1, 1);
    CHECK_EQ(letter(&hysteresis), '?');
}

TEST(terms_without_measure_overflow_nothing)
{
    struct hysteresis hysteresis;
    hysteresis_init(&hysteresis, UINT32_MAX, UINT32_MAX);
    hysteresis_step(&hysteresis, true);
    CHECK_EQ(letter(&hysteresis), 'H');
    hysteresis_step(&hysteresis, false);
    CHECK_EQ(letter(&hysteresis), 'h');
}

SUITE("check/hysteresis", T(results_move_the_status_as_the_table_says),
      T(other_terms_keep_the_status_and_count_anew), T(terms_without_measure_overflow_nothing));
