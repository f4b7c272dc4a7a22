// SPDX-License-Identifier: Apache-2.0
// The generator against its authors' reference code; the kernel's bytes only for not being all alike.
#include "base/random.h"
#include "tests/lib/suite.h"

TEST(a_seed_gives_the_reference_sequence)
{
    struct random rng;
    random_seed(&rng, 1234567);
    CHECK_UEQ(rng.s[0], 6457827717110365317u); // the published first value of splitmix64
    CHECK_UEQ(random_next(&rng), 0x30a3a1c363600467);
    CHECK_UEQ(random_next(&rng), 0x19405f0f579929ca);
    CHECK_UEQ(random_next(&rng), 0x115beaac046ddbd9);
}

TEST(every_value_below_the_bound_comes_and_no_other)
{
    struct random rng;
    unsigned seen[6] = {0};
    random_seed(&rng, 1);
    for (int i = 0; i < 6000; i++) {
        const uint64_t value = random_below(&rng, 6);
        CHECK(value < 6);
        seen[value]++;
    }
    for (int i = 0; i < 6; i++) {
        CHECK(seen[i] > 850 && seen[i] < 1150);
    }
    CHECK_UEQ(random_below(&rng, 1), 0);
    CHECK(random_below(&rng, UINT64_MAX) < UINT64_MAX);
}

TEST(jitter_stays_within_its_percentage)
{
    static const struct {
        uint64_t value;
        uint32_t percent;
        uint64_t min, max;
    } rows[] = {
        {1000, 20, 800, 1200}, {1000, 0, 1000, 1000}, {0, 50, 0, 0},
        {5, 20, 4, 6},         {7, 100, 0, 14},       {INT64_MAX, 100, 0, UINT64_MAX},
    };
    struct random rng;
    random_seed(&rng, 2);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t low = UINT64_MAX, high = 0;
        for (int j = 0; j < 5000; j++) {
            const uint64_t value = random_jitter(&rng, rows[i].value, rows[i].percent);
            CHECK(value >= rows[i].min && value <= rows[i].max);
            low = value < low ? value : low;
            high = value > high ? value : high;
        }
        if (rows[i].max < 10000) { // both ends are reached
            CHECK_UEQ(low, rows[i].min);
            CHECK_UEQ(high, rows[i].max);
        }
    }
}

TEST(the_kernel_gives_other_bytes_each_time)
{
    uint8_t bytes[1000] = {0};
    unsigned zeros = 0;
    random_bytes(bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++) {
        zeros += bytes[i] == 0;
    }
    CHECK(zeros < 40);
    CHECK(random_u64() != random_u64());
    random_bytes(NULL, 0);
}

SUITE("base/random", T(a_seed_gives_the_reference_sequence),
      T(every_value_below_the_bound_comes_and_no_other), T(jitter_stays_within_its_percentage),
      T(the_kernel_gives_other_bytes_each_time));
