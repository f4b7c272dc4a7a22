// SPDX-License-Identifier: Apache-2.0
// The one test that looks at real clocks: that they are the right ones, in the right units.
#include "base/clock.h"
#include "tests/lib/suite.h"

#include <time.h>

TEST(monotonic_time_never_goes_back)
{
    struct mono before = clock_mono();
    for (int i = 0; i < 10000; i++) {
        const struct mono now = clock_mono();
        CHECK(now.us >= before.us);
        before = now;
    }
}

TEST(wall_time_is_milliseconds_since_1970)
{
    const int64_t before = (int64_t)time(NULL) - 1; // the kernel's coarse second may lag a tick
    const struct wall now = clock_wall();
    CHECK(now.ms / 1000 >= before && now.ms / 1000 <= (int64_t)time(NULL) + 1);
}

SUITE("base/clock", T(monotonic_time_never_goes_back), T(wall_time_is_milliseconds_since_1970));
