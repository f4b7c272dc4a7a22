// SPDX-License-Identifier: Apache-2.0
// The digest of each partition: how many records are accepted, and the sum of their hashes.
// Invariant: a read gives count and sum of one moment.  Any thread; a mutex for each partition (rank 50),
// held for two additions.  Private to localmap.  Read next: map.c.
#pragma once

#include "localmap/map.h"

#define DIGEST_PARTITIONS_MAX 65536

struct digest;

// ERR_NOMEM; ERR_INVALID: no partition, or too many.
enum err digest_new(uint32_t partitions, struct digest **ret_digest) MUST_USE;
void digest_free(struct digest *digest);

// Takes away the hash `before` and adds `after`; NULL: there is none.
void digest_move(struct digest *digest, uint32_t partition, const uint64_t *before,
                 const uint64_t *after);
struct map_digest digest_get(struct digest *digest, uint32_t partition);
size_t digest_bytes(const struct digest *digest);
