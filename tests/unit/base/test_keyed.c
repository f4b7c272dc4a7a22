// SPDX-License-Identifier: Apache-2.0
// A thousand objects come and go against a plain array of who is in.
#include "tests/lib/failalloc.h"
#include "tests/lib/suite.h"

#include "base/keyed.h"
#include "base/random.h"

#include <stdio.h>

#define OBJECTS 1000

struct object {
    struct keyed_node node;
    char key[16];
    bool in;
};

static void objects_init(struct object *objects)
{
    for (int i = 0; i < OBJECTS; i++) {
        objects[i] = (struct object){.in = false};
        (void)snprintf(objects[i].key, sizeof(objects[i].key), "key %d", i);
        objects[i].node.key = span_str(objects[i].key);
    }
}

static void count_node(void *arg, struct keyed_node *node)
{
    (void)node;
    ++*(size_t *)arg;
}

TEST(what_is_in_is_found_and_nothing_else)
{
    static struct object objects[OBJECTS];
    struct keyed keyed;
    struct random random;
    size_t in = 0;
    objects_init(objects);
    random_seed(&random, 1);
    CHECK_OK(keyed_init(&keyed, 42));
    for (int i = 0; i < 20000; i++) {
        struct object *object = &objects[random_below(&random, OBJECTS)];
        CHECK(keyed_find(&keyed, object->node.key) == (object->in ? &object->node : NULL));
        if (object->in) {
            keyed_remove(&keyed, &object->node);
        } else {
            keyed_add(&keyed, &object->node);
        }
        in += object->in ? (size_t)-1 : 1;
        object->in = !object->in;
        CHECK_UEQ(keyed.count, in);
    }
    size_t visited = 0;
    keyed_each(&keyed, count_node, &visited);
    CHECK_UEQ(visited, in);
    for (size_t popped = 0; popped < in; popped++) {
        CHECK(keyed_pop(&keyed) != NULL);
    }
    CHECK(keyed_pop(&keyed) == NULL);
    CHECK(keyed_find(&keyed, SPAN_LIT("")) == NULL);
    keyed_fini(&keyed);
}

static bool walk(void *arg)
{
    struct object *objects = arg;
    struct keyed keyed;
    if (keyed_init(&keyed, 1) != ERR_OK) {
        return false;
    }
    bool found = true;
    for (int i = 0; i < OBJECTS; i++) {
        keyed_add(&keyed, &objects[i].node);
    }
    for (int i = 0; i < OBJECTS; i++) {
        found = found && keyed_find(&keyed, objects[i].node.key) == &objects[i].node;
    }
    keyed_fini(&keyed);
    return found;
}

TEST(without_memory_to_grow_everything_is_still_found)
{
    static struct object objects[OBJECTS];
    objects_init(objects);
    CHECK(failalloc_each(walk, objects) >= 4);
}

SUITE("base/keyed", T(what_is_in_is_found_and_nothing_else),
      T(without_memory_to_grow_everything_is_still_found));
