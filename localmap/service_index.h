// SPDX-License-Identifier: Apache-2.0
// Services by their keys: looked up by any thread without a lock, in about the time of a hash and two lines of the cache.
//
//     hash(tenant 0 service)
//          |
//     cells [ - | * | * | - | * | - | - | - ]     linear probing, at most half full, twice as many when more
//                 |                               one sequence: a cell is followed, and a miss is
//                 v                               believed, only while it holds
//     service | sequence | hash, key, life | counts, revision, policy |   one line and a half, then
//             | members: the rest of each key, in order (ordered.h)   |   what the writer alone needs
//
// Invariant: a live service stands in the cells under its key, and `life` is odd; its number is for ever its place, so
// that a slot of the table can name it in 4 bytes.
// A service that is closed may be another one when a reader gets there: `life` tells, and never comes back.
// One writer at a time: the owner locks.  Private to localmap.  Read next: services.h.
#pragma once

#include "base/siphash.h"
#include "localmap/model/record.h"
#include "localmap/ordered.h"

// What is counted of a service: its instances by their status, and these.
enum service_count {
    SERVICE_GUARDED = STATUS_COUNT,
    SERVICE_EVICTED, // records of any kind
    SERVICE_COUNTS
};

struct service {
    struct sequence sequence; // of the words down to `policy`
    struct word hash;
    struct word key; // the block with its bytes, then once more the last eight
    struct word key_len;
    struct word life;                       // odd: it is a service
    struct word counts[SERVICE_COUNTS / 2]; // two in a word; an instance stands in one status
    struct word revision;
    struct word policy; // 1: it has one
    struct ordered members;
    // the writer's own
    uint32_t number;
    union {
        uint32_t
            partition; // read by whoever holds a slot that names the service: it stays meanwhile
        uint32_t idle; // of one that is none: the next, as number + 1; 0: the last
    };
};

#define SERVICE_INDEX_SEGMENTS 26

struct service_index {
    struct sequence sequence; // of the cells
    struct word cells;
    struct word mask;
    size_t live;
    uint8_t secret[SIPHASH_KEY_LEN];
    uint32_t numbers; // ever given
    uint32_t idle;    // number + 1 of the first idle one; 0: none
    // of 32, 64, 128, ... services
    struct service *segments[SERVICE_INDEX_SEGMENTS];
};

// A copy of what changes of a service, and which life it was of.
struct service_copy {
    const struct service *service;
    uint64_t life;
    uint64_t counts[SERVICE_COUNTS / 2];
    uint64_t revision;
    bool policy;
};

static inline uint32_t service_count(const struct service_copy *copy, unsigned which)
{
    return (uint32_t)(copy->counts[which / 2] >> (which % 2 * 32));
}

static inline uint32_t service_instances(const struct service_copy *copy)
{
    uint32_t sum = 0;
    for (unsigned status = 0; status < STATUS_COUNT; status++) {
        sum += service_count(copy, status);
    }
    return sum;
}

void service_index_init(struct service_index *index);
uint64_t service_index_hash(const struct service_index *index, struct span key);

// false: there is no such service.
bool service_index_read(const struct service_index *index, struct span key,
                        struct service_copy *ret_copy);
// Has the service been the one that was read, without a break?  acquire: see ordered_range.still
static inline bool service_lives(const struct service_copy *copy)
{
    return word_get(&copy->service->life) == copy->life;
}

// --- [writer]

struct service *service_index_find(const struct service_index *index, struct span key);
struct service *service_index_at(const struct service_index *index, uint32_t number);
// NULL: no memory.  The key is new.
struct service *service_index_open(struct service_index *index, struct blocks *blocks,
                                   struct span key);
// It has no members.
void service_index_close(struct service_index *index, struct blocks *blocks,
                         struct service *service);
struct span service_key(const struct service *service);
bool service_has_evicted(const struct service *service);
// Adds `by`, 1 or -1, to one of the counts.
void service_count_by(struct service *service, unsigned which, int by);
