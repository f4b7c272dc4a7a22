// SPDX-License-Identifier: Apache-2.0
// One thread first, then several producers against one consumer: nothing is lost, nothing comes twice, and
// what one producer pushed comes in its order.
#include "base/mailbox.h"
#include "tests/lib/suite.h"

#include <pthread.h>

#define PRODUCERS 4
#define EACH 20000

TEST(nodes_come_out_oldest_first)
{
    struct mailbox mailbox;
    struct mailbox_node nodes[3];
    mailbox_init(&mailbox);
    CHECK(mailbox_take(&mailbox) == NULL);
    CHECK(mailbox_push(&mailbox, &nodes[0]));
    CHECK(!mailbox_push(&mailbox, &nodes[1]));
    CHECK(!mailbox_push(&mailbox, &nodes[2]));
    const struct mailbox_node *first = mailbox_take(&mailbox);
    CHECK(first == &nodes[0]);
    CHECK(first->next == &nodes[1]);
    CHECK(nodes[1].next == &nodes[2]);
    CHECK(nodes[2].next == NULL);
    CHECK(mailbox_take(&mailbox) == NULL);
    CHECK(mailbox_push(&mailbox, &nodes[1]));
}

struct item {
    struct mailbox_node node; // first
    unsigned producer, number;
};

struct producer {
    struct mailbox *mailbox;
    struct item *items;
};

static void *produce(void *arg)
{
    struct producer *producer = arg;
    for (unsigned i = 0; i < EACH; i++) {
        (void)mailbox_push(producer->mailbox, &producer->items[i].node);
    }
    return NULL;
}

// Returns how many were taken; each producer's must be in order.
static unsigned consume(struct mailbox *mailbox, unsigned next[PRODUCERS])
{
    unsigned count = 0;
    for (struct mailbox_node *node = mailbox_take(mailbox); node != NULL; node = node->next) {
        const struct item *item = (const struct item *)node;
        CHECK_UEQ(item->number, next[item->producer]);
        next[item->producer]++;
        count++;
    }
    return count;
}

TEST(producers_at_once_lose_nothing_and_keep_their_order)
{
    struct mailbox mailbox;
    struct item *items = calloc(PRODUCERS * EACH, sizeof(*items));
    struct producer producers[PRODUCERS];
    pthread_t threads[PRODUCERS];
    unsigned next[PRODUCERS] = {0};
    CHECK(items != NULL);
    mailbox_init(&mailbox);
    for (unsigned p = 0; p < PRODUCERS; p++) {
        for (unsigned i = 0; i < EACH; i++) {
            items[p * EACH + i] = (struct item){.producer = p, .number = i};
        }
        producers[p] = (struct producer){&mailbox, &items[p * EACH]};
        CHECK_EQ(pthread_create(&threads[p], NULL, produce, &producers[p]), 0);
    }
    unsigned taken = 0;
    while (taken < PRODUCERS * EACH) {
        taken += consume(&mailbox, next);
    }
    for (unsigned p = 0; p < PRODUCERS; p++) {
        CHECK_EQ(pthread_join(threads[p], NULL), 0);
    }
    CHECK(mailbox_take(&mailbox) == NULL);
    free(items);
}

SUITE("base/mailbox", T(nodes_come_out_oldest_first),
      T(producers_at_once_lose_nothing_and_keep_their_order));
