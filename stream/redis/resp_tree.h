// SPDX-License-Identifier: Apache-2.0
// The memory of one reply: nodes and their bytes, side by side in a few blocks, freed together.
//
//     first block: [ root | its text or elements | node | ... ] --> block --> block     each up to twice as large
//
// A reply of a scan has 500 strings; one allocation and one free for each cost more than the parsing.
// Invariant: the root is the first node of the first block, so that a root alone is enough to free all.
// Knows no protocol and no hiredis.  One thread at a time.  Read next: resp.c.
#pragma once

#include "stream/redis/resp.h"

#include <stddef.h>

struct resp_reply {
    enum resp_type type; // RESP_CUT is told by what an array holds, see resp_type
    uint32_t len;        // of a text, or the elements of an array
    union {
        int64_t integer;
        char *text;
        struct resp_reply **elements;
    };
};

struct resp_block;

// A reply in the making.  Starts as zeros, and is zeroed again when its root is handed on or freed.
struct resp_tree {
    struct resp_block *last; // NULL: the next node is a root
};

// A node with `room` bytes behind it, at which `text` and `elements` point.  NULL: no memory.
struct resp_reply *resp_tree_node(struct resp_tree *tree, enum resp_type type, size_t room);
// Of a root; accepts NULL.
void resp_tree_free(struct resp_reply *root);
