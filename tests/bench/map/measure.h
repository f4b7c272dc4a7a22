// SPDX-License-Identifier: Apache-2.0
// What the driver can measure of the map it is linked with; each prints one line of words per result.
// `bench` says what all measurements share.  One measurement at a time; each starts the threads that it needs.
#pragma once

#include "tests/bench/map/workload.h"

#include <stdatomic.h>

struct bench {
    const char *hash;
    uint32_t keys; // of the open map; 0: not open
    uint32_t ops;  // of one pass, at most WORKLOAD_OPS
    const char *dist;
    struct workload workload;
    _Atomic uint64_t
        wrong; // values that were missing or torn; relaxed: a counter, read after the threads ended
};

// Makes the map and puts `keys` keys.
//   open PEER HASH KEYS bytes-of-an-empty-map bytes/record        (resident memory)
void measure_open(struct bench *bench, uint32_t keys);
// Takes the operations of `dist` from now on.
void measure_use(struct bench *bench, const char *dist);

//   thru PEER HASH KEYS DIST READ% THREADS ns/operation
void measure_thru(struct bench *bench, unsigned read_percent, unsigned threads);
// The gap between one get and the next as a reader has it, alone and beside a writer that never rests.
//   lat PEER HASH KEYS {hot|zipf} {idle|writer} p50 p99 p99.9 p99.99 max (ns) writer's-million-puts/s
void measure_lat(struct bench *bench);
// Every put while a map (not open before) grows to `keys`: CPU of the thread, and wall.
//   grow PEER HASH KEYS total-ms cpu-p99.9 cpu-p99.99 cpu-max wall-p99.99 wall-max (us)
void measure_grow(struct bench *bench, uint32_t keys);
//   many PEER HASH KEYS DIST ns/get-alone ns/get-of-16
void measure_many(struct bench *bench);
// Gets that wait for each other, and what such a get cannot do without.
//   chain PEER HASH KEYS DIST ns/get hash tag-line record-line (ns) get/sum-of-these
void measure_chain(struct bench *bench);
// The hash alone.
//   hash PEER HASH KEYS DIST ns/hash ns/hash-that-waits-for-the-one-before
void measure_hash(struct bench *bench);
// Two writers that never rest beside two readers.
//   sustain PEER HASH KEYS DIST least-puts/s-of-a-second mean-puts/s gets/s
void measure_sustain(struct bench *bench, unsigned seconds);
// All records, one after the other; and puts, alone and beside a thread that does nothing else.
//   walk PEER HASH KEYS DIST ns/record ns/put ns/put-beside p99.9 p99.9-beside max-beside
void measure_walk(struct bench *bench);
// A map with FNV-1a and keys that were chosen to collide in it.
//   flood PEER HASH KEYS ns/get-of-ordinary-keys ns/get-of-chosen-keys
void measure_flood(struct bench *bench);

// --- shared by the measurements

double measure_now_ns(void);
double measure_cpu_ns(void); // of the calling thread
// A counter that is cheap to read, and how many of its steps make a nanosecond.
uint64_t measure_ticks(void);
double measure_ticks_per_ns(void);
void measure_check(struct bench *bench, bool found, const struct peer_value *value);
double measure_resident(void);    // bytes of this process
void *measure_memory(size_t len); // touched; ends the program when there is none
void measure_sort(uint64_t *values, size_t count);
// Keeps the calling thread, the `thread`th of those that work, on one core, all cores in turn.  Left to themselves two
// threads may take turns on one core and never meet, and eight may stay on one of two.
void measure_pin(unsigned thread);
void measure_unpin(void);
