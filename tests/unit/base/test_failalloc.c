// SPDX-License-Identifier: Apache-2.0
// The test library's own failing allocator: what is not caught here would make every other test of error
// paths pass in silence.
#include "tests/lib/failalloc.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <string.h>

// Keeps the compiler from leaving out an allocation that it sees freed at once.
static void *keep(void *ptr)
{
    __asm__("" : "+r"(ptr));
    return ptr;
}

TEST(only_the_nth_allocation_fails)
{
    failalloc_arm(2);
    void *first = keep(malloc(1));
    void *second = keep(calloc(1, 1));
    void *third = keep(realloc(NULL, 1));
    const bool failed = failalloc_disarm();
    const bool right = first != NULL && second == NULL && third != NULL;
    free(first);
    free(third);
    CHECK(failed && right);
}

TEST(a_failed_realloc_leaves_the_old_memory)
{
    char *old = keep(malloc(8));
    CHECK(old != NULL);
    memcpy(old, "content", 8);
    failalloc_arm(1);
    char *grown = realloc(old, 1000);
    const bool failed = failalloc_disarm();
    char *held = grown == NULL ? old : grown;
    const bool same = memcmp(held, "content", 8) == 0;
    free(held);
    CHECK(failed && grown == NULL && same);
}

TEST(an_unmet_failure_is_told)
{
    failalloc_arm(3);
    void *first = keep(malloc(1));
    CHECK(!failalloc_disarm());
    free(first);
}

TEST(allocations_inside_libraries_count_too)
{
    char *text = NULL;
    failalloc_arm(1);
    const int len = asprintf(&text, "%d", 42);
    CHECK(failalloc_disarm());
    CHECK(len < 0);
}

static bool allocate_twice(void *arg)
{
    unsigned *runs = arg;
    (*runs)++;
    void *first = keep(malloc(10));
    void *second = first == NULL ? NULL : keep(malloc(10));
    const bool ok = second != NULL;
    free(second);
    free(first);
    return ok;
}

TEST(each_allocation_of_a_walk_fails_once)
{
    unsigned runs = 0;
    CHECK_UEQ(failalloc_each(allocate_twice, &runs), 2);
    CHECK_UEQ(runs, 3);
}

SUITE("base/failalloc", T(only_the_nth_allocation_fails), T(a_failed_realloc_leaves_the_old_memory),
      T(an_unmet_failure_is_told), T(allocations_inside_libraries_count_too),
      T(each_allocation_of_a_walk_fails_once));
