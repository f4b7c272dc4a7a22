// SPDX-License-Identifier: Apache-2.0
// localmap: the truth in memory.  Records by key, merged by version, readable by any thread.
//
//     writers (the loop) --> shards[64] --> readers copy out
//                              |  every change of what is shown
//                              v
//                          changefeed (ring) --> cursors; who was lapped takes a snapshot
//
// A slot holds `base` facts (version, hash: what the stream has accepted), the body that readers are
// shown (base + pending patches) and, for registrations, the derived health; one get copies all of it
// consistently.  Invariant: the version of a key never goes back.
// Knows no network, no Redis, no JSON, no log; returns results, never logs.  [any] unless said otherwise.
// Read next: model/record.h, table/table.h.
#pragma once

#include "base/err.h"
#include "base/span.h"
#include "localmap/model/codec.h"
#include "localmap/model/health.h"
#include "localmap/model/key.h"

struct map;

struct map_options {
    uint32_t shards;     // a power of two
    uint32_t partitions; // of the digest: key_partition
    uint32_t changefeed; // entries of the ring, a power of two
    uint64_t instance;   // upper 24 bits of every index; drawn by the caller at random, at start
};

enum map_flag {
    MAP_OPAQUE = 1,    // the body does not decode here: kept and repaired, never shown
    MAP_TOMBSTONE = 2, // deleted
    MAP_LOCAL = 4,     // scope local: never published, not in any digest
    MAP_EVICTED = 8,   // a stub: all but the body is here, see map_evict
    // Said with a write, never kept: it is not for the tenant's quota to decide, because the stream has
    // accepted the record or because a place was taken for it (map_take_place).
    MAP_ADMITTED = 1 << 16
};

// The derived health of a registration; written by core only.
struct map_health {
    struct health health;
    int64_t since_ms;  // wall time of the last change of `status`, as this node saw it
    uint64_t revision; // index of that change
};

// What one slot says.  `version`/`hash` are those of the accepted base; none (0-0) when the stream has
// accepted nothing yet.  `pending` > 0: the shown body is base + so many patches.
struct map_facts {
    struct version version;
    uint64_t hash;
    uint32_t flags; // enum map_flag, of the shown body
    uint32_t pending;
    uint32_t mark; // core's own: the scan generation in which the server was seen to hold it
    struct map_health health;
};

// A copy of one record, owned by the caller (about 4 KiB: keep one per thread, not one per call).
//
//     | facts | body_len | head | body |      what the table holds, head and body, is copied in one go to where
//                                             the body then stands; the facts are read off the head
#define MAP_HEAD_MAX 72
struct map_copy {
    struct map_facts facts;
    uint16_t body_len;
    char head[MAP_HEAD_MAX];                 // the map's own
    char body[(CODEC_BODY_MAX + 7) / 8 * 8]; // copied by words of 8
};

static inline struct span map_copy_body(const struct map_copy *copy)
{
    return span_of(copy->body, copy->body_len);
}

// A key with what the map works out of it, for who comes with it twice (peek, then put).  Made by map_key;
// borrows the bytes.
struct map_key {
    struct span bytes;
    uint64_t hash;
    bool registration;
};

// PUT_OVER_QUOTA: one record more than the tenant may have; nothing has changed.
enum put_result { PUT_NEW, PUT_CHANGED, PUT_SAME, PUT_STALE, PUT_OVER_QUOTA };

// ERR_NOMEM, ERR_INVALID (an option out of range).  *gives* the map.
enum err map_new(const struct map_options *options, struct map **ret_map) MUST_USE;
void map_free(struct map *map); // nobody uses it any more (ASSERTed); map_close says who does

// Good for this map, for as long as the bytes stay.  Of any bytes; those of no good length are refused, or not
// held, where the key is used.
struct map_key map_key(const struct map *map, struct span key);

// --- who uses it.  A thread that reads or writes says when it begins and when it is done, so that who ends the
// map learns of the one that does not end: a worker that goes on when its owner is gone.

#define MAP_USERS_MAX 128
#define MAP_USER_BEYOND UINT32_MAX // no row was left: counted, but without a name

struct map_user {
    char name[32];     // cut where it is longer
    const char *where; // "file.c:12", where it was made; *keeps*: a literal
};

// Gives a ticket for map_user_close.
uint32_t map_user_open(const struct map *map, const char *name, const char *where);
void map_user_close(const struct map *map, uint32_t ticket);
#define MAP_USER_LINE(line) #line
#define MAP_USER_WHERE(line) __FILE__ ":" MAP_USER_LINE(line)
#define MAP_USER_OPEN(map, name) map_user_open((map), (name), MAP_USER_WHERE(__LINE__))

// No writes any more: each one that comes now is refused with ERR_ENDED (or false), counted in map_counts.late
// and changes nothing; those that had begun are finished when this returns.  Reading goes on.  Calls `tell`
// for each user that is still there and returns how many there are; while there is one, the map must stay.
typedef void (*map_user_fn)(void *arg, const struct map_user *user);
size_t map_close(struct map *map, map_user_fn tell, void *arg);

// --- writing.  Any thread in tests; in the daemon [loop] only.  ERR_ENDED: see map_close.
//
// A write without MAP_ADMITTED *enters* here: when it would make a record that counts (one that is shown now
// and was not) and the tenant is at its quota, it is refused.  Changes of what is shown, deletes and
// whatever does not count are never refused.

// Merges an accepted value: newer by (version, hash) -> stored, and shown unless patches are pending (then
// the base alone changes, and map_show follows with what it makes of them).  `flags` are
// those of the body (MAP_OPAQUE, MAP_TOMBSTONE, MAP_LOCAL), and MAP_ADMITTED; `mark` is stored along (also
// on PUT_SAME).
// PUT_SAME of a record that was evicted gives it its body again.
// ERR_NOMEM, ERR_INVALID (an empty key, one over KEY_LEN_MAX, or version none), ERR_TOO_LARGE (body):
// nothing changed.
enum err map_put(struct map *map, struct span key, const struct codec_value *value, uint32_t flags,
                 uint32_t mark, enum put_result *ret_result) MUST_USE;

// As map_put, of a key that was worked out before.
struct map_put {
    const struct codec_value *value;
    uint32_t flags;
    uint32_t mark;
};
enum err map_put_at(struct map *map, const struct map_key *key, const struct map_put *put,
                    enum put_result *ret_result) MUST_USE;

// As map_put, but only if the version held is exactly `expected` (none = absent).  PUT_STALE otherwise.
enum err map_put_if(struct map *map, struct span key, struct version expected,
                    const struct codec_value *value, uint32_t flags, uint32_t mark,
                    enum put_result *ret_result) MUST_USE;

// Shows `body` in place of what is shown; version and hash (the base) stay.  Creates the slot with
// version none when there is none.  PUT_NEW, PUT_CHANGED, PUT_SAME (equal body, flags and pending),
// PUT_OVER_QUOTA.
enum err map_show(struct map *map, struct span key, struct span body, uint32_t flags,
                  uint32_t pending, enum put_result *ret_result) MUST_USE;

// Forgets a key altogether (purged, or a pending-only slot that came to nothing).  false: not held.
bool map_drop(struct map *map, struct span key);

// Sets the derived health of a held registration; appends to the changefeed when `announce`, and then
// stores that index in health.revision of the slot.  false: not held.
bool map_set_health(struct map *map, struct span key, const struct map_health *health,
                    bool announce);

// Sets the mark of a held key.  false: not held.
bool map_set_mark(struct map *map, struct span key, uint32_t mark);

// --- reading.

// Copies one record, tombstones and opaque ones too (see flags).  false: not held; what stood in the copy is
// lost then.
bool map_get(const struct map *map, struct span key, struct map_copy *ret_copy);

// As map_get without the body.
bool map_peek(const struct map *map, struct span key, struct map_facts *ret_facts);
bool map_peek_at(const struct map *map, const struct map_key *key, struct map_facts *ret_facts);

// Copies `count` records; found[i] says whether keys[i] is held.  Each as by map_get, at a moment of its own;
// in a map that does not fit into the cache twice as fast.
struct map_many {
    const struct span *keys;
    size_t count;
    struct map_copy *copies;
    bool *found;
};
void map_get_many(const struct map *map, const struct map_many *many);

// map_get, or map_put of `value` when the key is not held, as one step.  ERR_FULL: it would be over the
// tenant's quota; the rest as of map_put.
enum err map_get_or_put(struct map *map, struct span key, const struct codec_value *value,
                        uint32_t flags, struct map_copy *ret_copy, bool *ret_was_held) MUST_USE;

// --- services: which instances, observations and policy belong together.  Kept by map_put, map_show
// and map_drop from the keys alone; tombstones count as absent.

struct map_service {
    struct key_bytes key; // tenant 0 service
    uint32_t instances;   // registrations shown
    uint32_t by_status[STATUS_COUNT];
    uint32_t guarded;
    uint32_t evicted;  // records without a body; the counts above are right all the same
    bool policy;       // has a policy record
    uint64_t revision; // index of the last change of one of its instances or of its policy
};

// One service.  false: neither policy nor registration.
bool map_service_get(const struct map *map, struct span service_key,
                     struct map_service *ret_service);

// Calls `visit` for each service in bytewise order of the key, from `after` (exclusive; empty = from the
// start), until it returns false.  No lock is held while it runs; services that come or go meanwhile may
// be missed.  Any tenant; the caller filters.
typedef bool (*map_service_fn)(void *arg, const struct map_service *service);
void map_services(const struct map *map, struct span after, map_service_fn visit, void *arg);

// The keys of the records of one service in bytewise order (so an instance's registration comes before
// its override and observations), from `after` (exclusive), at most `cap`.  Returns how many;
// tombstones included, opaque ones too.  `keys` must have room for `cap`.
size_t map_service_keys(const struct map *map, struct span service_key, struct span after,
                        struct key_bytes *keys, size_t cap);

// Calls `visit` for every record, in no order, each at most once, without holding a lock while it runs;
// records that come or go meanwhile may be missed.  Stops when it returns false.
typedef bool (*map_scan_fn)(void *arg, struct span key, const struct map_copy *copy);
void map_scan(const struct map *map, map_scan_fn visit, void *arg);
// Only the records of one partition.
void map_scan_partition(const struct map *map, uint32_t partition, map_scan_fn visit, void *arg);

// --- snapshots: every record as it was at one instant, each once, while writers go on.  What table.h says of the
// two cuts holds.  Lists do not need one: who notes map_index before it reads, and then follows the
// changefeed, misses nothing.  A snapshot is for what must add up: a sum, a file, a digest.

enum map_cut { MAP_CUT_CAUSAL, MAP_CUT_STRICT };

// A record of a snapshot; borrows.
struct map_record {
    struct span key;
    struct map_facts facts;
    bool digested; // counted in the digest of its partition
    struct span body;
};

struct map_snapshot;

// *gives* the snapshot, which must go before the map does; short-lived: see table.h.  ERR_NOMEM; ERR_FULL:
// there are eight.
enum err map_snapshot_new(struct map *map, enum map_cut cut,
                          struct map_snapshot **ret_snapshot) MUST_USE;
void map_snapshot_free(struct map_snapshot *snapshot); // accepts NULL

// The index up to which the snapshot holds every change.  Later ones it may hold: they come again.
uint64_t map_snapshot_index(const struct map_snapshot *snapshot);

// Is called where the record lies, under a shard's lock: it is short and does not change the map.
struct map_visitor {
    void (*visit)(void *arg, const struct map_record *record);
    void *arg;
};

// LOST: too much has changed meanwhile; make another one.
enum map_snapshot_result { MAP_SNAPSHOT_MORE, MAP_SNAPSHOT_END, MAP_SNAPSHOT_LOST };

// The next records, at most 64 KiB of them, in no order.  One thread at a time.
enum map_snapshot_result map_snapshot_next(struct map_snapshot *snapshot,
                                           const struct map_visitor *visitor) MUST_USE;

// --- tenants: how many records each has, and how many it may have.
//
// What counts is what clients make without a bound of their own: registrations, and observations reported from
// outside.  Policies, overrides, and what nodes observe do not; nor do tombstones, nor the tenant `_mesh`.
// Exact on any number of threads: no write that enters takes a tenant over its limit.

enum map_tenant_level {
    MAP_TENANT_ROOM,
    MAP_TENANT_FULL, // a write was refused
    MAP_TENANT_OVER  // at 110 % or more, by what the stream brings: an alarm
};

struct map_tenant {
    char name[KEY_TENANT_MAX + 1];
    uint32_t limit;              // records that it may have; 0 = any number
    uint64_t used;               // that it has or has a place for
    uint64_t deleted;            // and tombstones of such, which wait for their purge
    uint64_t deleted_max;        // so many: no new names; 16 * limit, at least 1024
    uint64_t refused;            // writes, since it came
    enum map_tenant_level level; // as map_tenant_news told it last
};

// All tenants that have records or a limit of their own.
struct map_tenants {
    uint64_t count;
    uint64_t used, refused;
    uint64_t over; // tenants that are MAP_TENANT_OVER
};

// Records that `tenant` may have from now on; 0 = as many as the rest.  An empty name: the rest, each of them;
// 0 = any number.  What is over a new limit stays.  ERR_NOMEM: nothing has changed.
enum err map_set_quota(struct map *map, struct span tenant, uint32_t limit) MUST_USE;
// While memory is short: nothing enters either for a tenant that has so many records.  UINT64_MAX: no bound.
void map_squeeze(struct map *map, uint64_t records);

// false: it has neither records nor a limit of its own.
bool map_tenant(const struct map *map, struct span tenant, struct map_tenant *ret_tenant);
// The largest at most `cap` tenants, the largest first, and the sum of all.  Returns how many.
size_t map_tenants(const struct map *map, struct map_tenant *ret_tenants, size_t cap,
                   struct map_tenants *ret_all);
// Tenants whose level is another one than was told, at most `cap`; each change is told once.  Who is over for a
// moment between two calls is told, too.  One thread.
size_t map_tenant_news(struct map *map, struct map_tenant *ret_tenants, size_t cap);

// A place in the quota for a record that is to enter later: shown with MAP_ADMITTED, or sent to the stream
// first.  Until it is given back the place counts as a record.  ERR_FULL: over quota, ERR_NOMEM.
struct map_place {
    bool taken; // false: the record does not count, or it counts already
};
enum err map_take_place(struct map *map, struct span key, const struct record *record,
                        struct map_place *ret_place) MUST_USE;
void map_give_place(struct map *map, struct span key, struct map_place *place);

// --- digest of the accepted records (version not none, not MAP_LOCAL).

struct map_digest {
    uint64_t count;
    uint64_t sum; // mod 2^48
};
struct map_digest map_digest(const struct map *map, uint32_t partition);

struct map_counts {
    uint64_t records; // slots, tombstones included
    uint64_t tombstones;
    uint64_t bytes; // of memory, all told
    uint64_t late;  // writes that came after map_close, and were refused
    uint64_t by_status[STATUS_COUNT];
    uint64_t evicted_records;  // without a body
    uint64_t evicted_services; // that have such records
};
void map_counts(const struct map *map, struct map_counts *ret_counts);

// --- eviction: records whose bodies went, because memory was short.
//
// Key, version, hash, mark and derived health stay as a stub, so that digests and counts hold.  A stub is
// MAP_EVICTED and has no body: a reader that meets one must not take it for absent.  A service with stubs cannot be
// answered for; its bodies come again by map_put of the same versions, or newer records in their place.

// Who reads the changes of these services; empty: of any.  Borrows.
struct map_filter {
    struct span tenant, service;
};
// From now on no service of the filter is evicted, until map_unfollow of an equal one; they count.  What is
// evicted already stays so: look at map_service.evicted after it.  ERR_NOMEM.
enum err map_follow(const struct map *map, const struct map_filter *filter) MUST_USE;
void map_unfollow(const struct map *map, const struct map_filter *filter);

// Makes a stub of an accepted record that is shown, has no pending patches and is not local; not while its service
// is followed.  Returns the bytes of body that went; 0: none.  [loop], as all writing.
size_t map_evict(struct map *map, struct span key);
// The coarse clock by which records remember when they were last read or changed.  [any]
void map_set_tick(struct map *map, uint16_t tick);
// A record that is held, by chance, and its tick.  false: none was met.
struct map_sample {
    struct key_bytes key;
    uint16_t tick;
};
bool map_sample(const struct map *map, uint64_t random, struct map_sample *ret_sample);
// Takes memory for so many records of each shard ahead.  ERR_NOMEM: as many as there was memory for.  [any]
enum err map_reserve(struct map *map, uint32_t records) MUST_USE;
// Takes memory that will be needed soon, and gives back what nobody uses; for a thread of its own.  Returns the
// bytes that the map holds and does not use.
uint64_t map_tend(struct map *map);
// A step of giving back what is vacant all over, for whoever is short of memory.  By the same thread.  false: there is
// nothing to gain.
bool map_compact(struct map *map);

// Has any record been evicted that is still without its body?
bool map_has_evicted(const struct map *map);

// --- changefeed: one entry for each change of what is shown of an instance (map_set_health with
// announce), of a policy or of a node record.  A position is a u64: the upper 24 bits name this
// process, the lower 40 count.

struct map_change {
    uint64_t index;
    struct key_bytes key; // registration, policy or node key
};

enum feed_result { FEED_OK, FEED_EMPTY, FEED_LAPPED };

// The index of the newest change (the position to start from after a list).
uint64_t map_index(const struct map *map);
// The next change after `position`.  FEED_EMPTY: none yet.  FEED_LAPPED: it is gone, or `position` is of
// another process or of the future: take a snapshot, then map_index.
enum feed_result map_feed_next(const struct map *map, uint64_t position,
                               struct map_change *ret_change);

// Called on every append, on the writer's thread, with no lock held; must not block or write.
typedef void (*map_wake_fn)(void *arg);
void map_on_change(struct map *map, map_wake_fn wake, void *arg); // before the first write
// Appends an entry for `key` by hand (policy and node records).  After map_close: appends nothing.
uint64_t map_announce(struct map *map, struct span key);
