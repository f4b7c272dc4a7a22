// SPDX-License-Identifier: Apache-2.0
// How long the watchers' turn rests.  What needs a loop and sockets stands in
// tests/integration/test_admin_server.c and tests/e2e/watchers.t.
#include "admin-api/watch.h"

#include "tests/lib/suite.h"

TEST(a_turn_takes_a_quarter_of_the_time_at_most)
{
    static const struct {
        int64_t turn_us, linger_ms;
    } rows[] = {{0, 0},      {333, 0},    {334, 1},      {1000, 3}, {4000, 12},
                {16666, 49}, {16667, 50}, {1000000, 50}, {-1, 0},   {INT32_MAX, 50}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CHECK_EQ(watch_linger_ms(rows[i].turn_us), rows[i].linger_ms);
    }
}

SUITE("api/watch", T(a_turn_takes_a_quarter_of_the_time_at_most));
