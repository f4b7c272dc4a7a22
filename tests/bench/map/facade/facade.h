// SPDX-License-Identifier: Apache-2.0
// What is measured of the whole map (localmap/map.h), not of its table alone; one line of
// words per result, as tests/bench/map/measure.h has them.  One measurement a process.
#pragma once

#include "localmap/map.h"

// All threads at once, each with `operations` of map_get_or_put: so many per cent on keys of their own, which are
// new, the others on keys that all come with.
//   crowd PEER - THREADS OPERATIONS NEW-% p50 p99 p99.9 max (us)
void facade_crowd(unsigned threads, unsigned operations, unsigned new_percent);
// 10,000 reads of the services index, then 10 changes of health, again and again, by two threads; the same with an
// index under a rwlock.
//   services PEER - ns/read
void facade_services(void);
// Resident memory of a map without records.
//   empty PEER - bytes
void facade_empty(void);

struct map *facade_map(void); // as the daemon makes one; ends the program when there is no memory
// A registration as a mesh has them.
struct facade_record {
    struct key_bytes key;
    struct codec_value value; // borrows from `bytes`
    char bytes[512];
};
void facade_record(uint32_t instance, struct facade_record *ret_record);
