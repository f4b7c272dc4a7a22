// SPDX-License-Identifier: Apache-2.0
#include "base/mailbox.h"

#include <stddef.h>

void mailbox_init(struct mailbox *mailbox)
{
    atomic_init(&mailbox->head, NULL);
}

bool mailbox_push(struct mailbox *mailbox, struct mailbox_node *node)
{
    struct mailbox_node *head = atomic_load_explicit(&mailbox->head, memory_order_relaxed);
    do {
        node->next = head;
        // release: what the producer wrote into its node is seen by whoever takes it; pairs with the
        // acquire in mailbox_take.
    } while (!atomic_compare_exchange_weak_explicit(&mailbox->head, &head, node,
                                                    memory_order_release, memory_order_relaxed));
    return head == NULL;
}

struct mailbox_node *mailbox_take(struct mailbox *mailbox)
{
    // acquire: pairs with the release in mailbox_push.
    struct mailbox_node *node =
        atomic_exchange_explicit(&mailbox->head, NULL, memory_order_acquire);
    struct mailbox_node *oldest = NULL;
    while (node != NULL) {
        struct mailbox_node *next = node->next;
        node->next = oldest;
        oldest = node;
        node = next;
    }
    return oldest;
}
