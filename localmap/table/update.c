// SPDX-License-Identifier: Apache-2.0
// Changes of a table.  All below runs under the shard's lock.
#include "localmap/table/pause.h"
#include "localmap/table/snapshot.h"
#include "localmap/table/trace.h"

#define GROUPS_TAKEN_OVER 2 // by each change while the index grows
#define SLOT_SPARE 512      // a slot with less room than this is never too large
#define SLOT_CHANGE 64      // nor is a slot changed for one that is larger by less
#define TIGHT_SAVES 16      // bytes for which a record is moved to be tight
#define PAGE 4096
#define GIVEN_BACK (32 * PAGE) // at once: some microseconds
#define GAP_PAUSES 12          // some 100 ns
#define LOAD_PERCENT 80        // of the places of an index that may be used

// --- growing

void shard_moved(struct shard *shard)
{
    uint32_t moves = atomic_load_explicit(&shard->head->moves, memory_order_relaxed);
    // Release: who sees it sees what took the place of what will vanish.  Pairs with the loads in table_get.
    atomic_store_explicit(&shard->head->moves, moves + 1, memory_order_release);
}

static void take_over_group(const struct table *table, const struct shard *shard, struct index prev)
{
    uint32_t refs[INDEX_PLACES];
    unsigned count = index_group_refs(&prev.groups[shard->taken_over], refs);
    for (unsigned i = 0; i < count; i++) {
        __builtin_prefetch(slab_at(table->base, refs[i]));
    }
    for (unsigned i = 0; i < count; i++) {
        const struct record *record = slab_at(table->base, refs[i]);
        uint32_t hash = atomic_load_explicit(&record->hash, memory_order_relaxed);
        index_insert(shard_index(shard), hash, refs[i]);
    }
}

static void taken_over(struct shard *shard)
{
    shard_moved(shard);
    shard->retired = atomic_load_explicit(&shard->head->prev, memory_order_relaxed);
    shard->retired_at = 0;
    // Release; pairs with the acquire in get_anywhere: who sees none sees all that the new index has.
    atomic_store_explicit(&shard->head->prev, 0, memory_order_release);
}

// Gives the pages of an index back that was taken over, some at a time; readers who still look into it find
// nothing there from then on.
static void give_back(struct shard *shard)
{
    struct index index = index_unpack(shard->retired);
    size_t left = index_bytes(index) - shard->retired_at;
    size_t step = left < GIVEN_BACK ? left : GIVEN_BACK;
    range_give_back((char *)index.groups + shard->retired_at, step);
    shard->retired_at += step;
    if (step == left) {
        shard->retired = 0;
        shard->head->busy = false;
    }
}

// One step of the growth, or of giving the old index back.
static void take_over(const struct table *table, struct shard *shard, uint32_t groups)
{
    struct index prev;
    struct trace *trace = wait_ring_trace(table->waits);
    const uint64_t began_ns = trace_begin(trace);
    if (!shard_prev(shard, &prev)) {
        give_back(shard);
        trace_growth(trace, shard->lock.shard, "growth: pages go back", began_ns);
        return;
    }
    for (; groups > 0 && shard->taken_over <= prev.mask; groups--) {
        take_over_group(table, shard, prev);
        shard->taken_over++;
    }
    if (shard->taken_over > prev.mask) {
        taken_over(shard);
    }
    trace_growth(trace, shard->lock.shard, "growth: step", began_ns);
}

enum err shard_index_new(struct range *range, uint32_t groups, uint64_t *ret_index)
{
    uint64_t at = 0;
    size_t bytes = groups * sizeof(struct index_group);
    size_t align = bytes < PAGE ? INDEX_ALIGN : PAGE; // whole pages can be given back
    if (groups > UINT32_C(1) << INDEX_GROUP_BITS_MAX ||
        range_take(range, bytes, align, &at) != ERR_OK) {
        return ERR_NOMEM;
    }
    char *groups_at = range_base(range) + at;
    *ret_index = index_pack((struct index){(struct index_group *)(void *)groups_at, groups - 1});
    return ERR_OK;
}

// Release, each: pair with the acquires in get_anywhere and head_home.
void shard_show_index(const struct shard *shard, uint64_t index)
{
    struct shard_head *head = shard->head;
    struct index parts = index_unpack(index);
    atomic_store_explicit(&head->index, index, memory_order_release);
    uintptr_t groups = shard->blind != 0 ? shard->blind : (uintptr_t)parts.groups;
    atomic_store_explicit(&head->groups, groups, memory_order_release);
    atomic_store_explicit(&head->mask, (uint64_t)parts.mask * sizeof(struct index_group),
                          memory_order_release);
}

enum err shard_make_room(const struct table *table, struct shard *shard, size_t keys)
{
    struct index index = shard_index(shard);
    struct index prev;
    uint64_t fresh = shard->spare;
    if (shard->count + keys <= ((size_t)index.mask + 1) * INDEX_PLACES * LOAD_PERCENT / 100) {
        return ERR_OK;
    }
    if (shard_prev(shard, &prev)) {
        take_over(table, shard, UINT32_MAX); // done long ago, but in the smallest tables
    }
    const uint64_t began_ns = trace_begin(wait_ring_trace(table->waits));
    if (fresh == 0 && shard_index_new(table->range, (index.mask + 1) * 2, &fresh) != ERR_OK) {
        return ERR_NOMEM;
    }
    shard->spare = 0;
    shard->head->busy = true;
    shard->taken_over = 0;
    // The old one before the new one: who sees the new one, still empty, sees where the rest is.  Release, both;
    // pair with the acquires in get_anywhere.
    atomic_store_explicit(&shard->head->prev, index_pack(index), memory_order_release);
    shard_show_index(shard, fresh);
    trace_growth(wait_ring_trace(table->waits), shard->lock.shard, "growth: begins", began_ns);
    return ERR_OK;
}

// --- finding

static uint32_t find_in(const struct table *table, struct index index, const struct table_key *key)
{
    struct index_search search;
    index_begin(&search, index, (uint32_t)key->hash);
    uint32_t ref = index_next(&search);
    while (ref != 0 && !record_is(slab_at(table->base, ref), key->bytes)) {
        ref = index_next(&search);
    }
    return ref;
}

// 0: not there.
static uint32_t find(const struct table *table, const struct shard *shard,
                     const struct table_key *key)
{
    struct index prev;
    uint32_t ref = find_in(table, shard_index(shard), key);
    return ref != 0 || !shard_prev(shard, &prev) ? ref : find_in(table, prev, key);
}

// --- changing

static void erase(const struct shard *shard, uint32_t hash, uint32_t ref)
{
    struct index prev;
    bool here = index_erase(shard_index(shard), hash, ref);
    bool there = shard_prev(shard, &prev) && index_erase(prev, hash, ref);
    ASSERT(here || there);
}

// Ends the life of an open record that no index leads to any more.
static void bury(const struct table *table, struct shard *shard, uint32_t ref)
{
    struct record *record = slab_at(table->base, ref);
    record_vacate(record);
    record_close(record);
    slab_give(&shard->slab, ref);
}

void shard_move(const struct table *table, struct shard *shard, const uint32_t from_to[2],
                const struct table_value *value)
{
    const struct record *old = slab_at(table->base, from_to[0]);
    struct record *record = slab_at(table->base, from_to[1]);
    uint32_t hash = atomic_load_explicit(&old->hash, memory_order_relaxed);
    struct index prev;
    snapshot_keep(table, shard, from_to[0]);
    snapshot_keep(table, shard, from_to[1]);
    (void)record_open(record);
    record_settle(record, hash, record_key(old));
    struct record_place place = record_place(record);
    record_set_value(&place, value);
    record_note(record, atomic_load_explicit(&old->tick, memory_order_relaxed));
    record_close(record);
    bool here = index_replace(shard_index(shard), hash, from_to[0], from_to[1]);
    bool there = shard_prev(shard, &prev) && index_replace(prev, hash, from_to[0], from_to[1]);
    ASSERT(here || there);
    shard_moved(shard);
    bury(table, shard, from_to[0]);
}

// The key is not there: it gets a slot first, which readers find at once and wait for.
static enum err update_absent(const struct table *table, struct shard *shard,
                              const struct table_key *key, const struct table_change *change)
{
    uint32_t ref = 0;
    enum err err = shard_make_room(table, shard, 1);
    if (err == ERR_OK) {
        err = slab_take(&shard->slab, record_size(key->bytes.len, change->room), &ref);
    }
    if (err != ERR_OK) {
        return err;
    }
    snapshot_keep(table, shard, ref);
    struct record *record = slab_at(table->base, ref);
    struct table_value value = {SPAN_NONE, SPAN_NONE};
    (void)record_open(record);
    record_settle(record, (uint32_t)key->hash, key->bytes);
    record_note(record, atomic_load_explicit(&table->tick, memory_order_relaxed));
    index_insert(shard_index(shard), (uint32_t)key->hash, ref);
    if (change->decide(change->arg, SPAN_NONE, &value) == TABLE_STORE) {
        struct record_place place = record_place(record);
        record_set_value(&place, &value);
        record_close(record);
        shard->count++;
    } else {
        erase(shard, (uint32_t)key->hash, ref);
        bury(table, shard, ref);
    }
    return ERR_OK;
}

// A value of so much room needs another slot: this one is too small, or far too large.
static inline bool needs_slot(const struct record_place *place, const struct table_change *change)
{
    size_t has = place->room;
    size_t room = change->room;
    if (__builtin_expect(has - room <= SLOT_SPARE - SLOT_CHANGE && !change->tight, 1)) {
        return false; // neither; a difference below zero is a very large one
    }
    return has < room || (has > SLOT_SPARE && room > 0 && has / 4 > room + SLOT_CHANGE) ||
           (change->tight && has >= room + TIGHT_SAVES);
}

static __attribute__((noinline)) void remove_held(const struct table *table, struct shard *shard,
                                                  uint32_t ref)
{
    const struct record *record = slab_at(table->base, ref);
    snapshot_keep(table, shard, ref);
    erase(shard, atomic_load_explicit(&record->hash, memory_order_relaxed), ref);
    bury(table, shard, ref);
    shard->count--;
}

// A part of the old value stays, or the head is no multiple of words.
static __attribute__((noinline)) void set_value(struct record *record,
                                                const struct table_value *value)
{
    const struct record_place place = record_place(record);
    record_set_value(&place, value);
}

// What was decided on an open record, and is now done.
struct conclusion {
    uint32_t ref;
    uint32_t seq; // odd
    enum table_verdict verdict;
    const struct record_place *place;
    const struct table_value *value;
};

static inline __attribute__((always_inline)) void
conclude(const struct table *table, struct shard *shard, const struct conclusion *conclusion)
{
    struct record *record = conclusion->place->record;
    if (__builtin_expect(conclusion->verdict == TABLE_REMOVE, 0)) {
        remove_held(table, shard, conclusion->ref);
        return;
    }
    if (__builtin_expect(conclusion->verdict == TABLE_STORE, 1)) {
        snapshot_keep(table, shard, conclusion->ref);
        if (__builtin_expect(!record_set_fresh(conclusion->place, conclusion->value), 0)) {
            set_value(record, conclusion->value);
        }
    }
    record_close_at(record, conclusion->seq);
}

// The value may need another slot, which is taken first.
static __attribute__((noinline)) enum err update_elsewhere(const struct table *table,
                                                           struct shard *shard, uint32_t ref,
                                                           const struct table_change *change)
{
    const struct record_place place = record_place(slab_at(table->base, ref));
    struct table_value value = {SPAN_NONE, SPAN_NONE};
    uint32_t from_to[2] = {ref, 0};
    size_t size = record_size(place.key_len, change->room);
    if (slab_take(&shard->slab, size, &from_to[1]) != ERR_OK && place.room < change->room) {
        return ERR_NOMEM;
    }
    uint32_t seq = record_open(place.record);
    enum table_verdict verdict = change->decide(change->arg, place.value, &value);
    bool moves = verdict == TABLE_STORE && value.head.len + value.body.len <= change->room;
    if (from_to[1] != 0 && moves) {
        shard_move(table, shard, from_to, &value);
        return ERR_OK;
    }
    if (from_to[1] != 0) {
        slab_give(&shard->slab, from_to[1]);
    }
    conclude(table, shard, &(struct conclusion){ref, seq, verdict, &place, &value});
    return ERR_OK;
}

static inline __attribute__((always_inline)) enum err update_held(const struct table *table,
                                                                  struct shard *shard, uint32_t ref,
                                                                  const struct table_change *change)
{
    const struct record_place place = record_place(slab_at(table->base, ref));
    struct table_value value = {SPAN_NONE, SPAN_NONE};
    if (needs_slot(&place, change)) {
        return update_elsewhere(table, shard, ref, change);
    }
    // All of it is to be this core's own when the number goes odd: a reader who gets the record's first line while we wait
    // for the second one sees it odd for as long.
    fetch_own(place.record);
    fetch_own(place.value.ptr);
    fetch_own(place.value.ptr + place.value.len);
    // Open before it is decided: who learns from inside `decide` of what comes waits for it.
    uint32_t seq = record_open(place.record);
    enum table_verdict verdict = change->decide(change->arg, place.value, &value);
    conclude(table, shard, &(struct conclusion){ref, seq, verdict, &place, &value});
    return ERR_OK;
}

// The key's record is not the one that was guessed, or there is none.
static __attribute__((noinline)) enum err update_searched(const struct table *table,
                                                          struct shard *shard,
                                                          const struct table_key *key,
                                                          const struct table_change *change)
{
    ASSERT(key->bytes.len > 0 && key->bytes.len <= TABLE_KEY_MAX);
    ASSERT(change->room <= TABLE_VALUE_MAX);
    uint32_t ref = find(table, shard, key);
    if (ref != 0) {
        return update_held(table, shard, ref, change);
    }
    return change->create ? update_absent(table, shard, key, change) : ERR_NOT_FOUND;
}

// Leaves the shard's records at rest for as long as a reader on another core needs for one.
static __attribute__((noinline)) void give_way(void)
{
    for (unsigned i = 0; i < GAP_PAUSES; i++) {
        pause_core();
    }
}

enum err table_update(struct table *table, const struct table_key *key,
                      const struct table_change *change)
{
    uint64_t hash = key->hash;
    struct shard_head *head = head_of(table, hash);
    struct shard *shard = head->shard;
    // Lock and record are fetched at once, before the lock's order holds back all that comes behind it.
    fetch_own(&shard->lock);
    uint32_t ref = head_guess(head_home(head, hash), hash);
    fetch_record(slab_at(table->base, ref));
    shard_lock_enter(&shard->lock, change->site != NULL ? change->site : "table_update");
    snapshot_begin(table, shard);
    if (shard_gap_asked(shard)) {
        give_way();
    }
    if (__builtin_expect(head->busy, 0)) {
        take_over(table, shard, GROUPS_TAKEN_OVER);
    }
    // A record at rest is the only one of its key, so with the right key the guess was right.  0 leads to zeros.
    bool guessed = record_is_long(slab_at(table->base, ref), key->bytes);
    enum err err = __builtin_expect(guessed, 1) ? update_held(table, shard, ref, change)
                                                : update_searched(table, shard, key, change);
    shard_lock_leave(&shard->lock);
    return err;
}
