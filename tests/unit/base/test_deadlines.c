// SPDX-License-Identifier: Apache-2.0
// Which deadline comes first, phase by phase.
#include "base/deadlines.h"
#include "tests/lib/suite.h"

#include <stddef.h>

static const struct deadlines all = {.open_by = {5000},
                                     .total = {9000},
                                     .total_text = "total",
                                     .active_at = {1000},
                                     .progress_at = {2000},
                                     .idle_ms = 6,
                                     .write_ms = 4};

TEST(each_phase_has_its_own_deadlines)
{
    static const struct {
        enum deadlines_phase phase;
        bool output_waits;
        int64_t at;
        const char *text;
    } rows[] = {
        {DEADLINES_CONNECTING, false, 5000, "not connected in time"},
        {DEADLINES_HANDSHAKE, false, 5000, "TLS handshake not done in time"},
        {DEADLINES_OPEN, false, 7000, "no byte moved within the idle timeout"},
        {DEADLINES_OPEN, true, 6000, "the peer takes no output"},
        {DEADLINES_CLOSING, false, 9000, "total"},
        {DEADLINES_CLOSING, true, 6000, "the peer takes no output"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct deadlines_due due = deadlines_next(&all, rows[i].phase, rows[i].output_waits);
        CHECK_EQ(due.at.us, rows[i].at);
        CHECK_STR(due.text, rows[i].text);
    }
}

TEST(the_total_wins_when_it_is_first)
{
    struct deadlines deadlines = all;
    deadlines.total.us = 100;
    CHECK_STR(deadlines_next(&deadlines, DEADLINES_OPEN, true).text, "total");
    CHECK_STR(deadlines_next(&deadlines, DEADLINES_CONNECTING, false).text, "total");
}

TEST(what_is_not_set_never_comes)
{
    struct deadlines none = {.open_by = {5}};
    CHECK(deadlines_next(&none, DEADLINES_OPEN, true).at.us == INT64_MAX);
    CHECK(deadlines_next(&none, DEADLINES_CLOSING, true).at.us == INT64_MAX);
}

SUITE("base/deadlines", T(each_phase_has_its_own_deadlines), T(the_total_wins_when_it_is_first),
      T(what_is_not_set_never_comes));
