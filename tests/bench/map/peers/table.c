// SPDX-License-Identifier: Apache-2.0
// localmap/table, by its public functions.
#include "localmap/table/table.h"

#include "tests/bench/map/peer.h"
#include "tests/bench/report.h"

#define SHARDS 64

const char *const peer_name = "table";

static struct table *table;

static struct table_key key_of(const struct peer_key *key)
{
    return (struct table_key){span_of(key->bytes, PEER_KEY_LEN), peer_hash(key)};
}

void peer_open(void)
{
    if (table_new(SHARDS, &table) != ERR_OK) {
        report_give_up("table_new failed");
    }
}

bool peer_get(const struct peer_key *key, struct peer_value *ret_value)
{
    const struct table_key at = key_of(key);
    struct table_copy copy = {.bytes = (char *)ret_value, .cap = sizeof(*ret_value)};
    return table_get(table, &at, &copy);
}

size_t peer_get_many(const struct peer_key *keys, size_t count, struct peer_value *ret_values)
{
    struct table_key at[PEER_BATCH];
    struct table_copy copies[PEER_BATCH];
    size_t met = 0;
    if (count == 0) {
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        at[i] = key_of(&keys[i]);
        copies[i] =
            (struct table_copy){.bytes = (char *)&ret_values[i], .cap = sizeof(*ret_values)};
    }
    table_get_many(table, at, count, copies);
    for (size_t i = 0; i < count; i++) {
        met += copies[i].found ? 1 : 0;
    }
    return met;
}

static enum table_verdict store(void *arg, struct span old, struct table_value *ret_new)
{
    const struct peer_value *const *value = arg;
    (void)old;
    ret_new->head = span_of((const char *)*value, sizeof(**value));
    return TABLE_STORE;
}

void peer_put(const struct peer_key *key, const struct peer_value *value)
{
    const struct table_key at = key_of(key);
    const struct table_change change = {
        .decide = store, .arg = &value, .room = sizeof(*value), .create = true, .site = "bench"};
    if (table_update(table, &at, &change) != ERR_OK) {
        report_give_up("table_update failed");
    }
}

struct sum {
    size_t met;
    uint64_t words;
};

static void add_up(void *arg, struct span key, struct span value)
{
    struct sum *sum = arg;
    uint64_t first;
    (void)key;
    memcpy(&first, value.ptr, sizeof(first));
    sum->words += first;
    sum->met++;
}

size_t peer_walk(void)
{
    struct table_snapshot *snapshot = NULL;
    struct sum sum = {0};
    const struct table_visitor visitor = {.visit = add_up, .arg = &sum};
    if (table_snapshot_new(table, TABLE_CUT_CAUSAL, &snapshot) != ERR_OK) {
        report_give_up("table_snapshot_new failed");
    }
    enum table_scan scan = TABLE_SCAN_MORE;
    while (scan == TABLE_SCAN_MORE) {
        scan = table_snapshot_next(snapshot, &visitor);
    }
    table_snapshot_free(snapshot);
    return scan == TABLE_SCAN_LOST ? 0 : sum.met + (sum.words == 1 ? 1 : 0); // they are looked at
}

void peer_tend(void)
{
    (void)table_tend(table);
}
