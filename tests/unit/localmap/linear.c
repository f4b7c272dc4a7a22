// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/localmap/linear.h"

#include "base/assert.h"

#define TRIED_BITS 10

// What was tried: calls put so far (a bit each) and the value that they left.  A set that forgets: a place is
// taken over by what comes later, which costs time and is never wrong.
struct tried {
    uint64_t put, value;
    bool used;
};

struct search {
    const struct linear_call *calls;
    size_t count;
    struct tried tried[1 << TRIED_BITS];
};

static bool was_tried(struct search *search, uint64_t put, uint64_t value)
{
    uint64_t hash = (put ^ value * UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xbf58476d1ce4e5b9);
    struct tried *place = &search->tried[hash >> (64 - TRIED_BITS)];
    bool found = place->used && place->put == put && place->value == value;
    *place = (struct tried){put, value, true};
    return found;
}

// The first end among the calls that are not put yet: none of them that begins later can be the next.
static uint64_t first_end(const struct search *search, uint64_t put)
{
    uint64_t end = UINT64_MAX;
    for (size_t i = 0; i < search->count; i++) {
        if ((put >> i & 1) == 0 && search->calls[i].end < end) {
            end = search->calls[i].end;
        }
    }
    return end;
}

static bool put_rest(struct search *search, uint64_t put, uint64_t value, size_t left)
{
    if (left == 0) {
        return true;
    }
    if (was_tried(search, put, value)) {
        return false;
    }
    uint64_t end = first_end(search, put);
    for (size_t i = 0; i < search->count; i++) {
        const struct linear_call *call = &search->calls[i];
        if ((put >> i & 1) == 0 && call->begin < end && call->saw == value &&
            put_rest(search, put | UINT64_C(1) << i, call->left, left - 1)) {
            return true;
        }
    }
    return false;
}

bool linear_check(const struct linear_call *calls, size_t count, uint64_t first)
{
    struct search search = {.calls = calls, .count = count};
    ASSERT(count <= LINEAR_CALLS_MAX);
    return put_rest(&search, 0, first, count);
}
