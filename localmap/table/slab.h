// SPDX-License-Identifier: Apache-2.0
// Where records live: slots of a few sizes, cut from chunks of the range.
//
//     chunk   | slot | slot | slot | tail |      a slot keeps its size for ever; vacant ones are chained by size
//
// Invariant: an address that was a record once is a record as long as the range lives, so a reader with a
// stale reference never reads anything else.  So also when a chunk without a live slot gives its pages
// back: its zeros are records of nobody; what sizes were cut in it is remembered, and the sequence numbers
// go on where they were when it comes into use again.
// Under the shard's lock.  Private to table/.  Read next: record.h, range.h.
#pragma once

#include "base/err.h"
#include "localmap/table/record.h"

#define SLAB_CHUNK_MIN 2048
#define SLAB_CHUNK_MAX 65536
#define SLAB_SIZES 112

struct range;
struct slab_chunk;

struct slab {
    struct range *range;
    struct slab_chunk *chunks;   // from the highest address down; the first is the one that is cut
    struct slab_chunk *released; // without pages
    struct slab_chunk *ahead;    // NULL, or the next one, which is not cut yet
    uint32_t next, end;          // of the uncut part
    uint32_t chunk_size;         // of the next one
    uint64_t used;               // bytes of slots in use
    uint64_t held;               // bytes of chunks that have their pages
    uint32_t vacant[SLAB_SIZES];
};

void slab_init(struct slab *slab, struct range *range); // *keeps* the range
void slab_fini(struct slab *slab);

static inline struct record *slab_at(char *base, uint32_t ref)
{
    return (struct record *)(void *)(base + 8 * (size_t)ref);
}

// A vacant slot of at least `size` bytes (at most record_size of the largest key and value), at rest and
// nobody's.  ERR_NOMEM.
enum err slab_take(struct slab *slab, size_t size, uint32_t *ret_ref) MUST_USE;
// Gives back a slot that is vacated and at rest.
void slab_give(struct slab *slab, uint32_t ref);

// Sees to it that the next `bytes` of slots need no chunk.  ERR_NOMEM.
enum err slab_reserve(struct slab *slab, size_t bytes) MUST_USE;

// The uncut part, whose pages may be populated by who holds no lock (range_populate).
struct slab_uncut {
    char *start;
    size_t bytes;
};
struct slab_uncut slab_uncut(const struct slab *slab);
struct slab_uncut
slab_ahead(const struct slab *slab); // the chunk that was taken ahead; bytes 0: none

// --- giving back

// The emptiest chunk of the largest size, not the one that is cut, of which at most `percent` is in use; NULL:
// none.
struct slab_chunk *slab_sparse(const struct slab *slab, unsigned percent);
// Its slots in use, from `*at` on (0: the first; the caller only hands it back).  0: no more.
uint32_t slab_chunk_next(const struct slab *slab, const struct slab_chunk *chunk, uint32_t *at);
// From now on nothing is taken from it.
void slab_close(struct slab *slab, struct slab_chunk *chunk);
// Gives the pages of a closed chunk back; nobody lives there.  ERR_NOMEM: it stays, closed, for the next time.
enum err slab_release(struct slab *slab, struct slab_chunk *chunk) MUST_USE;

// --- walking

// All chunks, from the highest address down; NULL: no more.
struct slab_chunk *slab_chunk_first(const struct slab *slab);
struct slab_chunk *slab_chunk_older(const struct slab_chunk *chunk);
uint32_t slab_chunk_start(const struct slab_chunk *chunk); // its lowest reference
