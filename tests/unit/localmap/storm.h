// SPDX-License-Identifier: Apache-2.0
// What the storms' threads share: the table, keys and values that say whose they are, and who is to blame.
// A value says whose it is, which change of that key it is, and is checked in every byte.
//
//     missed      a key that was there all the time was not found
//     torn        a value was not whole, or another key's
//     backwards   a reader saw an older value of a key after a newer one, or a snapshot another than that instant's
//     ghosts      a key was found that never was, or that its only writer had removed
//     unevenly    a walk met a key that was there all the time not exactly once, or a later one twice
//     lost        a change was made of something other than what the change before had left
//
// Any thread, each with a part of its own.  Read next: test_table_storm.c.
#pragma once

#include "base/random.h"
#include "localmap/table/table.h"
#include "tests/lib/sanitizer.h"

#include <stdatomic.h>

#define STORM_LASTING (SANITIZER_THREAD ? 2500 : 8000) // keys that come one by one and then stay
#define STORM_HOT 4 // the first of them, which are read and changed as often as all others together
#define STORM_HOT_LEN                                                                              \
    1000 // of their values, which stay where they are: only reading takes its time
#define STORM_FLEETING 400 // keys of each of those that come and go
#define STORM_CHURNERS 2
#define STORM_READERS 3
#define STORM_VALUE_MIN 24
#define STORM_VALUE_MAX 4000
#define STORM_FAULTS(row)                                                                          \
    row(MISSED, missed) row(TORN, torn) row(BACKWARDS, backwards) row(GHOST, ghosts)               \
        row(UNEVEN, unevenly) row(LOST, lost)

enum storm_fault {
#define ROW(id, name) STORM_##id,
    STORM_FAULTS(ROW)
#undef ROW
        STORM_COUNT
};

extern const char *const storm_fault_names[];

struct storm {
    struct table *table;
    uint64_t seed;
    // Lasting keys below it are there.  Stored with release by the grower; pairs with the acquire in lasting.
    atomic_uint grown;
    atomic_uint walks; // finished; the grower waits for the last ones
    atomic_bool over;
    atomic_uint faults[STORM_COUNT];
    atomic_uint_fast64_t raised; // changes of lasting keys, their first included
    uint64_t fleeting[STORM_CHURNERS]
                     [STORM_FLEETING]; // the count in the value held, 0: none; of its churner only
    uint64_t ever[STORM_CHURNERS][STORM_FLEETING];                // the last count that it had
    uint64_t seen[STORM_READERS][STORM_LASTING + STORM_FLEETING]; // of its reader only
};

struct storm_part {
    struct storm *storm;
    unsigned number; // among those that do the same
    struct random random;
};

static inline void storm_blame(struct storm *storm, enum storm_fault fault, bool guilty)
{
    if (guilty) {
        atomic_fetch_add_explicit(&storm->faults[fault], 1, memory_order_relaxed);
    }
}

static inline unsigned storm_lasting(const struct storm *storm)
{
    return atomic_load_explicit(&storm->grown, memory_order_acquire);
}

static inline bool storm_over(const struct storm *storm)
{
    return atomic_load_explicit(&storm->over, memory_order_relaxed);
}

// --- keys and values

enum storm_kind {
    STORM_KIND_LASTING,
    STORM_KIND_NEVER,
    STORM_KIND_FLEETING
}; // and the churner's number

static inline uint64_t storm_identity(unsigned kind, unsigned number)
{
    return (uint64_t)kind << 32 | number;
}

// A key of `kind` and number; one in a hundred is as long as a key can be.
struct span storm_key(unsigned kind, unsigned number, char text[TABLE_KEY_MAX]);
// | identity | count | mix of both and the length | a stream made of all three ... |
struct span storm_value(uint64_t of, uint64_t count, size_t len, char text[STORM_VALUE_MAX]);
// The count in a whole value of `of`; 0: it is none.
uint64_t storm_count(uint64_t of, struct span value);
// Mostly short; now and then so long that the value needs another size of slot altogether.
size_t storm_length(struct random *random);
// One of the lasting keys.
unsigned storm_pick(struct random *random, unsigned grown);

// --- reading

struct storm_sight {
    size_t len;
    char value[STORM_VALUE_MAX];
};

// A table_look_fn into a struct storm_sight.
void storm_look(void *arg, struct span value);
bool storm_find(const struct storm *storm, struct span bytes, struct storm_sight *ret_sight);
