// SPDX-License-Identifier: Apache-2.0
// The order is part of the protocol, so it is pinned to values that an independent implementation of
// SipHash-1-3 gave; then the properties that make it useful, over many keys.
#include "base/rendezvous.h"
#include "tests/lib/suite.h"

#include <stdio.h>

static const struct span nodes[] = {{"a", 1}, {"b", 1}, {"c", 1}, {"d", 1}, {"e", 1}};

// The names in their order for `key`.
static void order_of(struct span key, const struct span *names, size_t count, char *ret_order)
{
    for (size_t i = 0; i < count; i++) {
        ret_order[rendezvous_rank(key, names, count, i)] = names[i].ptr[0];
    }
    ret_order[count] = '\0';
}

TEST(the_order_is_the_same_for_ever)
{
    char order[6];
    CHECK_UEQ(rendezvous_weight(span_of("pay\0pay-1", 9), SPAN_LIT("a")), 0x46909536c019e93f);
    order_of(span_of("pay\0pay-1", 9), nodes, 5, order);
    CHECK_STR(order, "dceab");
    order_of(span_of("pay\0pay-2", 9), nodes, 5, order);
    CHECK_STR(order, "ebcad");
}

TEST(the_weight_is_the_mix_of_both_hashes)
{
    const uint64_t mixed =
        rendezvous_mix(rendezvous_hash(SPAN_LIT("key")), rendezvous_hash(SPAN_LIT("node")));
    CHECK_UEQ(mixed, rendezvous_weight(SPAN_LIT("key"), SPAN_LIT("node")));
}

TEST(the_order_of_the_list_does_not_matter)
{
    const struct span turned[] = {nodes[3], nodes[1], nodes[4], nodes[0], nodes[2]};
    for (int i = 0; i < 200; i++) {
        char key[16], one[6], other[6];
        const int len = snprintf(key, sizeof(key), "key-%d", i);
        order_of(span_of(key, (size_t)len), nodes, 5, one);
        order_of(span_of(key, (size_t)len), turned, 5, other);
        CHECK_STR(one, other);
    }
}

TEST(a_node_that_leaves_moves_only_what_it_held)
{
    for (int i = 0; i < 200; i++) {
        char key[16], with[6], without[5], expected[6];
        const int len = snprintf(key, sizeof(key), "key-%d", i);
        order_of(span_of(key, (size_t)len), nodes, 5, with);
        order_of(span_of(key, (size_t)len), nodes, 4, without); // e has gone
        size_t kept = 0;
        for (size_t j = 0; j < 5; j++) {
            if (with[j] != 'e') {
                expected[kept++] = with[j];
            }
        }
        expected[kept] = '\0';
        CHECK_STR(without, expected);
    }
}

TEST(every_node_is_first_about_equally_often)
{
    unsigned first[5] = {0};
    for (int i = 0; i < 5000; i++) {
        char key[16];
        const int len = snprintf(key, sizeof(key), "key-%d", i);
        for (size_t j = 0; j < 5; j++) {
            first[j] += rendezvous_rank(span_of(key, (size_t)len), nodes, 5, j) == 0;
        }
    }
    for (size_t j = 0; j < 5; j++) {
        CHECK(first[j] > 850 && first[j] < 1150); // 1000 +- 5 standard deviations
    }
}

SUITE("base/rendezvous", T(the_order_is_the_same_for_ever), T(the_weight_is_the_mix_of_both_hashes),
      T(the_order_of_the_list_does_not_matter), T(a_node_that_leaves_moves_only_what_it_held),
      T(every_node_is_first_about_equally_often));
