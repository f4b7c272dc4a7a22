// SPDX-License-Identifier: Apache-2.0
// A queue that any thread may put into and one thread takes from.  Nodes are intrusive, so that a
// put can neither fail nor block.
//
//     producers --push (one CAS)--> head -> n3 -> n2 -> n1        newest first
//     consumer  --take (one exchange)--> n1, n2, n3         oldest first: it reverses the chain
//
// Invariant: nodes pushed by one thread come out in the order in which it pushed them.
// No ABA: nobody ever takes a single node off the shared chain, only the whole of it.
// Read next: loop.h, which wakes the consumer.
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

struct mailbox_node {
    struct mailbox_node *next;
};

struct mailbox {
    _Atomic(struct mailbox_node *) head;
};

void mailbox_init(struct mailbox *mailbox);

// true: the mailbox was empty before, so the consumer must be woken.  *keeps* the node until it is
// taken.  [any]
bool mailbox_push(struct mailbox *mailbox, struct mailbox_node *node);

// Everything that was pushed so far, oldest first, chained by `next`; NULL when empty.  [consumer]
struct mailbox_node *mailbox_take(struct mailbox *mailbox);
