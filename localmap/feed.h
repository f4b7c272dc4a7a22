// SPDX-License-Identifier: Apache-2.0
// The changefeed: a ring of (index, key), pulled by readers.
//
//     rows:   index & mask --> where its key lies in the bytes        bytes: keys, one after the other, a ring
//
// Invariant: an index names one change for ever; what a reader gets is whole or FEED_LAPPED.  Allocated
// once.  Any thread; one mutex (rank 60), held for a copy; who has read all there is does not take it.  Private to localmap.  Read next: map.c.
#pragma once

#include "localmap/map.h"

struct feed;

#define FEED_ENTRIES_MAX (UINT32_C(1) << 24)

// `entries`: a power of two, 2..FEED_ENTRIES_MAX.  ERR_NOMEM, ERR_INVALID.
enum err feed_new(uint32_t entries, uint64_t instance, struct feed **ret_feed) MUST_USE;
void feed_free(struct feed *feed);
uint64_t feed_append(struct feed *feed, struct span key); // its index
uint64_t feed_index(const struct feed *feed);             // of the newest
enum feed_result feed_next(struct feed *feed, uint64_t position, struct map_change *ret_change);
size_t feed_bytes(const struct feed *feed);
