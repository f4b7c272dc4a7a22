// SPDX-License-Identifier: Apache-2.0
// Nodes of all sizes lie apart from each other, and the root is enough to free them (the sanitizer looks on).
#include "stream/redis/resp_tree.h"
#include "tests/lib/failalloc.h"
#include "tests/lib/suite.h"

#include <string.h>

#define NODES 500

static const size_t rooms[] = {0, 1, 15, 16, 17, 100, 4000, 100000};

static size_t room_of(size_t i)
{
    return rooms[i % (sizeof(rooms) / sizeof(rooms[0]))];
}

// A root of NODES elements, each of them filled with its number.
static struct resp_reply *build(void)
{
    struct resp_tree tree = {NULL};
    struct resp_reply *root =
        resp_tree_node(&tree, RESP_ARRAY, NODES * sizeof(struct resp_reply *));
    for (size_t i = 0; root != NULL && i < NODES; i++) {
        struct resp_reply *node = resp_tree_node(&tree, RESP_STRING, room_of(i));
        if (node == NULL) {
            resp_tree_free(root);
            return NULL;
        }
        node->len = (uint32_t)room_of(i);
        memset(node->text, (int)(i % 256), node->len);
        root->elements[i] = node;
        root->len++;
    }
    return root;
}

TEST(nodes_lie_apart_from_each_other)
{
    struct resp_reply *root = build();
    CHECK(root != NULL);
    CHECK_UEQ(resp_count(root), NODES);
    for (uint32_t i = 0; i < NODES; i++) {
        struct span text = resp_text(resp_at(root, i));
        size_t same = 0;
        while (same < text.len && (unsigned char)text.ptr[same] == i % 256) {
            same++;
        }
        CHECK_UEQ(same, room_of(i));
    }
    resp_tree_free(root);
}

TEST(a_zeroed_tree_begins_another_reply)
{
    struct resp_tree tree = {NULL};
    struct resp_reply *first = resp_tree_node(&tree, RESP_NIL, 0);
    tree = (struct resp_tree){NULL};
    struct resp_reply *second = resp_tree_node(&tree, RESP_INTEGER, 0);
    second->integer = 7;
    resp_tree_free(first);
    CHECK_EQ(resp_integer(second), 7);
    resp_tree_free(second);
    resp_tree_free(NULL);
}

static bool walk(void *arg)
{
    struct resp_reply *root = build();
    (void)arg;
    resp_tree_free(root);
    return root != NULL;
}

TEST(every_allocation_may_fail)
{
    CHECK_INT(failalloc_each(walk, NULL), gt, 5);
}

SUITE("stream/resp_tree", T(nodes_lie_apart_from_each_other), T(a_zeroed_tree_begins_another_reply),
      T(every_allocation_may_fail));
