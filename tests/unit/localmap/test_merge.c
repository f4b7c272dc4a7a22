// SPDX-License-Identifier: Apache-2.0
// The merge as an algebra: whatever the order in which records come, and however often, all replicas end
// with the same one.  Small sets are walked through all their permutations.
#include "base/random.h"
#include "localmap/model/merge.h"
#include "tests/lib/suite.h"

struct fact {
    struct version version;
    uint64_t hash;
};

static void merge(struct fact *held, const struct fact *offered)
{
    if (merge_takes(merge_decide(held->version, held->hash, offered->version, offered->hash))) {
        *held = *offered;
    }
}

TEST(a_decision_is_one_row_of_the_table)
{
    static const struct {
        struct fact held, offered;
        enum merge_result result;
    } rows[] = {
        {{{0, 0}, 0}, {{1, 1}, 1}, MERGE_NEWER},
        {{{1, 9}, 9}, {{2, 1}, 1}, MERGE_NEWER},
        {{{2, 1}, 1}, {{2, 2}, 0}, MERGE_NEWER},
        {{{2, 2}, 0}, {{2, 1}, 1}, MERGE_OLDER},
        {{{2, 1}, 1}, {{1, 9}, 9}, MERGE_OLDER},
        {{{2, 1}, 7}, {{2, 1}, 7}, MERGE_SAME},
        {{{2, 1}, 7}, {{2, 1}, 8}, MERGE_EQUIVOCATION_NEWER},
        {{{2, 1}, 8}, {{2, 1}, 7}, MERGE_EQUIVOCATION_OLDER},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CHECK_EQ(merge_decide(rows[i].held.version, rows[i].held.hash, rows[i].offered.version,
                              rows[i].offered.hash),
                 rows[i].result);
    }
}

// Heap's algorithm, without recursion.
static bool next_permutation(size_t *order, size_t *state, size_t count, size_t *at)
{
    while (*at < count) {
        if (state[*at] < *at) {
            size_t other = *at % 2 == 0 ? 0 : state[*at];
            size_t swap = order[other];
            order[other] = order[*at];
            order[*at] = swap;
            state[*at]++;
            *at = 0;
            return true;
        }
        state[*at] = 0;
        (*at)++;
    }
    return false;
}

static void all_orders_end_alike(const struct fact *facts, size_t count)
{
    size_t order[8];
    size_t state[8] = {0};
    size_t at = 0;
    struct fact end = {{0, 0}, 0};
    for (size_t i = 0; i < count; i++) {
        order[i] = i;
        merge(&end, &facts[i]);
    }
    do {
        struct fact held = {{0, 0}, 0};
        for (size_t i = 0; i < count; i++) {
            merge(&held, &facts[order[i]]);
            merge(&held, &facts[order[i]]);     // twice is once
            merge(&held, &facts[order[i / 2]]); // an echo of something older
        }
        CHECK(version_cmp(held.version, end.version) == 0 && held.hash == end.hash);
    } while (next_permutation(order, state, count, &at));
}

TEST(all_permutations_and_duplicates_end_alike)
{
    struct random random;
    random_seed(&random, 1);
    for (size_t round = 0; round < 40; round++) {
        struct fact facts[8];
        size_t count = round < 4 ? 8 : 2 + (size_t)random_below(&random, 5);
        for (size_t i = 0; i < count; i++) {
            // Few values, so that versions and hashes often tie.
            facts[i] = (struct fact){{1 + random_below(&random, 3), random_below(&random, 2)},
                                     random_below(&random, 3)};
        }
        all_orders_end_alike(facts, count);
    }
}

TEST(no_merge_takes_a_version_back)
{
    struct random random;
    struct fact held = {{0, 0}, 0};
    random_seed(&random, 2);
    for (size_t i = 0; i < 10000; i++) {
        struct fact offered = {{random_below(&random, 50), random_below(&random, 3)},
                               random_below(&random, 3)};
        struct version before = held.version;
        merge(&held, &offered);
        CHECK_INT(version_cmp(held.version, before), ge, 0);
    }
}

SUITE("localmap/model/merge", T(a_decision_is_one_row_of_the_table),
      T(all_permutations_and_duplicates_end_alike), T(no_merge_takes_a_version_back));
