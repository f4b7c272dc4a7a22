// SPDX-License-Identifier: Apache-2.0
// Threads that do the same at once.  One thread starts and joins them; CHECK only there.
#pragma once

#include "tests/lib/suite.h"

#include <pthread.h>
#include <stddef.h>

#define CROWD_MAX 16

struct crowd {
    size_t count;
    pthread_t threads[CROWD_MAX];
};

// `crowd->count` threads; each gets one member of an array of such members.
static inline void crowd_start(struct crowd *crowd, void *(*run)(void *), void *members,
                               size_t size)
{
    CHECK(crowd->count <= CROWD_MAX);
    for (size_t i = 0; i < crowd->count; i++) {
        char *member = (char *)members + i * size;
        CHECK_EQ(pthread_create(&crowd->threads[i], NULL, run, member), 0);
    }
}

static inline void crowd_join(struct crowd *crowd)
{
    for (size_t i = 0; i < crowd->count; i++) {
        CHECK_EQ(pthread_join(crowd->threads[i], NULL), 0);
    }
}
