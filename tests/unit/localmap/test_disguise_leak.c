// SPDX-License-Identifier: Apache-2.0
// Disguise 2 of a shared map: an owner makes workers, is done, and one worker goes on writing.
// The owner's end is map_close: it says who is left and where that one was made; what the leaked workers write
// after it is refused and counted, and the map stays to the byte what it was.
#include "localmap/map.h"
#include "tests/lib/crowd.h"
#include "tests/lib/sanitizer.h"
#include "tests/lib/suite.h"
#include "tests/unit/localmap/maps.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>

#define WORKERS 6 // the first of them are still there when the owner ends
#define LEAKED 3
#define KEYS 24
#define LATE_MIN 500 // writes of each leaked worker after its owner
#define ROUNDS (SANITIZER_THREAD ? 5 : 40)

struct owner;

struct worker {
    struct owner *owner;
    unsigned number;
    uint64_t refused; // its own; read when it has ended
    uint64_t applied;
};

struct owner {
    struct map *map;
    struct worker workers[WORKERS];
    atomic_uint at_it;     // workers that have written for a while
    atomic_bool send_home; // those that do not leak
    atomic_bool said;      // the owner has ended and looked at the map
};

static struct span key_text(uint64_t number, char text[32])
{
    int len = snprintf(text, 32, "t%cs%d%ci%d", 0, (int)number % 3, 0, (int)number);
    return span_of(text, (size_t)len);
}

static void write_one(struct worker *worker, uint64_t turn)
{
    char text[32];
    struct span key = key_text((turn * WORKERS + worker->number) % KEYS, text);
    enum put_result result = PUT_STALE;
    const struct codec_value value = maps_value(key, turn + 1, "body");
    enum err err = map_put(worker->owner->map, key, &value, 0, 0, &result);
    worker->refused += err == ERR_ENDED ? 1 : 0;
    worker->applied += err == ERR_OK ? 1 : 0;
}

static void *work(void *arg)
{
    struct worker *worker = arg;
    struct owner *owner = worker->owner;
    char name[32];
    bool leaks = worker->number < LEAKED;
    (void)snprintf(name, sizeof(name), "worker %u", worker->number);
    uint32_t ticket = MAP_USER_OPEN(owner->map, name);
    const atomic_bool *end = leaks ? &owner->said : &owner->send_home;
    uint64_t turn = 0;
    for (; !atomic_load(end); turn++) {
        write_one(worker, turn);
        if (turn == 20) {
            atomic_fetch_add(&owner->at_it, 1);
        }
    }
    for (uint64_t more = 0; leaks && more < LATE_MIN; more++) {
        write_one(worker, turn + more);
    }
    map_user_close(owner->map, ticket);
    return NULL;
}

// All that the map says, in one number.
static bool add_record(void *arg, struct span key, const struct map_copy *copy)
{
    uint64_t *sum = arg;
    *sum = (*sum * 31 + copy->facts.version.counter) ^
           codec_hash(key, copy->facts.version, map_copy_body(copy));
    return true;
}

static uint64_t said_by(const struct map *map)
{
    struct map_counts counts;
    uint64_t sum = 0;
    map_counts(map, &counts);
    map_scan(map, add_record, &sum);
    for (uint32_t p = 0; p < MAPS_PARTITIONS; p++) {
        sum = sum * 31 + map_digest(map, p).sum;
    }
    return (sum * 31 + counts.records) * 31 + map_index(map);
}

struct told {
    unsigned count;
    unsigned known; // a bit for each worker named
};

static void note(void *arg, const struct map_user *user)
{
    struct told *told = arg;
    unsigned number = 0;
    CHECK_EQ(sscanf(user->name, "worker %u", &number), 1); // NOLINT(cert-err34-c)
    CHECK(strncmp(user->where, __FILE__ ":", sizeof(__FILE__)) == 0);
    told->count++;
    told->known |= 1u << number;
}

// Lets all write, then ends those that do not leak.
static void run_workers(struct owner *owner, struct crowd *leaked, struct crowd *others)
{
    leaked->count = LEAKED;
    others->count = WORKERS - LEAKED;
    crowd_start(leaked, work, owner->workers, sizeof(owner->workers[0]));
    crowd_start(others, work, owner->workers + LEAKED, sizeof(owner->workers[0]));
    while (atomic_load(&owner->at_it) < WORKERS) {
        (void)sched_yield();
    }
    atomic_store(&owner->send_home, true);
    crowd_join(others);
}

static void end_one_owner(void)
{
    static struct owner owner;
    struct crowd leaked;
    struct crowd others;
    struct told told = {0, 0};
    struct map_counts counts;
    uint64_t refused = 0;
    memset(&owner, 0, sizeof(owner));
    owner.map = maps_new();
    for (unsigned i = 0; i < WORKERS; i++) {
        owner.workers[i] = (struct worker){.owner = &owner, .number = i};
    }
    run_workers(&owner, &leaked, &others);

    CHECK_UEQ(map_close(owner.map, note, &told), LEAKED);
    uint64_t said = said_by(owner.map);
    CHECK_UEQ(told.count, LEAKED);
    CHECK_UEQ(told.known, (1u << LEAKED) - 1);

    atomic_store(&owner.said, true);
    crowd_join(&leaked);
    CHECK_UEQ(said_by(owner.map), said);
    for (unsigned i = 0; i < WORKERS; i++) {
        refused += owner.workers[i].refused;
    }
    map_counts(owner.map, &counts);
    CHECK_UEQ(counts.late, refused);
    CHECK_INT(refused, ge, LEAKED * LATE_MIN);
    CHECK_UEQ(map_close(owner.map, NULL, NULL), 0);
    maps_check(owner.map);
    map_free(owner.map);
}

TEST(a_worker_that_outlives_its_owner_is_named_and_writes_nothing)
{
    for (unsigned round = 0; round < ROUNDS; round++) {
        end_one_owner();
    }
}

SUITE("localmap/map (disguise: a leaked worker)",
      T(a_worker_that_outlives_its_owner_is_named_and_writes_nothing));
