// SPDX-License-Identifier: Apache-2.0
#include "stream/memory_state.h"

#include "base/assert.h"
#include "base/siphash.h"

#include <stdlib.h>

#define INDEX_MIN 64
#define HEAD_LEN MEMORY_HEAD_LEN
#define VERSION_LEN 16
#define HASH_MASK ((UINT64_C(1) << 48) - 1)
#define ENTRIES_MIN 1000
#define COUNTER_MAX ((UINT64_C(1) << 53) - 1)

static uint64_t number_at(const char *bytes, size_t len)
{
    uint64_t value = 0;
    for (size_t i = 0; i < len; i++) {
        value = value << 8 | (unsigned char)bytes[i];
    }
    return value;
}

static uint64_t hash_of(struct span value)
{
    return number_at(value.ptr + VERSION_LEN, 6);
}

static bool span_copy(struct span from, struct span *ret)
{
    char *ptr = malloc(from.len + 1);
    if (ptr == NULL) {
        return false;
    }
    if (from.len > 0) {
        memcpy(ptr, from.ptr, from.len);
    }
    *ret = span_of(ptr, from.len);
    return true;
}

static void span_free(struct span *span)
{
    free((void *)(uintptr_t)span->ptr);
    *span = SPAN_NONE;
}

void memory_partition_init(struct memory_partition *partition, uint64_t retention)
{
    *partition = (struct memory_partition){.retention = retention};
}

static void entry_free(struct memory_entry *entry)
{
    if (entry == NULL) {
        return;
    }
    for (uint32_t i = 0; i < entry->entry.count; i++) {
        struct span key = entry->entry.pairs[i].key;
        struct span value = entry->entry.pairs[i].value;
        span_free(&key);
        span_free(&value);
    }
    free((void *)(uintptr_t)entry->entry.pairs);
    free(entry);
}

static void drop_records(struct memory_partition *partition)
{
    for (size_t i = 0; i < partition->record_count; i++) {
        span_free(&partition->records[i].key);
        span_free(&partition->records[i].value);
    }
    free(partition->records);
    free(partition->index);
    partition->records = NULL;
    partition->index = NULL;
    partition->record_count = partition->record_cap = partition->index_count = 0;
}

void memory_partition_fini(struct memory_partition *partition)
{
    drop_records(partition);
    memory_partition_trim(partition, 0);
    free((void *)partition->log);
    uint64_t retention = partition->retention;
    memory_partition_init(partition, retention);
}

void memory_partition_take_state(struct memory_partition *partition)
{
    drop_records(partition);
    partition->meta = (struct stream_meta){.exists = false};
    partition->state_taken = true;
}

void memory_partition_take_log(struct memory_partition *partition)
{
    memory_partition_trim(partition, 0);
    partition->last_id = (struct stream_id){0};
    partition->log_taken = true;
}

struct stream_meta memory_partition_meta(const struct memory_partition *partition)
{
    struct stream_meta meta = partition->meta;
    bool empty = partition->log_start == partition->log_end;
    meta.last_id = empty ? (struct stream_id){0} : partition->log[partition->log_end - 1]->entry.id;
    return meta;
}

// --- records

static uint64_t key_hash(struct span key)
{
    return siphash13(siphash_zero_key, key.ptr, key.len);
}

static uint32_t *index_cell(const struct memory_partition *partition, struct span key)
{
    size_t mask = partition->index_count - 1;
    size_t at = key_hash(key) & mask;
    while (partition->index[at] != 0 &&
           !span_eq(partition->records[partition->index[at] - 1].key, key)) {
        at = (at + 1) & mask;
    }
    return &partition->index[at];
}

static struct memory_record *find(const struct memory_partition *partition, struct span key)
{
    if (partition->index_count == 0) {
        return NULL;
    }
    uint32_t place = *index_cell(partition, key);
    if (place == 0 || partition->records[place - 1].dead) {
        return NULL;
    }
    return &partition->records[place - 1];
}

static bool index_grow(struct memory_partition *partition)
{
    size_t count = partition->index_count == 0 ? INDEX_MIN : partition->index_count * 2;
    uint32_t *index = calloc(count, sizeof(uint32_t));
    if (index == NULL) {
        return false;
    }
    free(partition->index);
    partition->index = index;
    partition->index_count = count;
    for (size_t i = 0; i < partition->record_count; i++) {
        *index_cell(partition, partition->records[i].key) = (uint32_t)i + 1;
    }
    return true;
}

// Room for `more` new records, so that storing them cannot fail half way.
static bool reserve(struct memory_partition *partition, size_t more)
{
    size_t need = partition->record_count + more;
    while (need * 2 > partition->index_count) {
        if (!index_grow(partition)) {
            return false;
        }
    }
    if (need > partition->record_cap) {
        size_t cap = need * 2;
        struct memory_record *records = realloc(partition->records, cap * sizeof(*records));
        if (records == NULL) {
            return false;
        }
        partition->records = records;
        partition->record_cap = cap;
    }
    return true;
}

// Takes both spans.  Room was reserved.
static struct memory_record *store(struct memory_partition *partition, struct span key,
                                   struct span value)
{
    uint32_t *cell = index_cell(partition, key);
    if (*cell != 0) {
        struct memory_record *record = &partition->records[*cell - 1];
        span_free(&key);
        span_free(&record->value);
        record->value = value;
        record->dead = false;
        record->oversized = false;
        return record;
    }
    struct memory_record *record = &partition->records[partition->record_count++];
    *record = (struct memory_record){.key = key, .value = value};
    *cell = (uint32_t)partition->record_count;
    return record;
}

// --- the log

static bool log_reserve(struct memory_partition *partition)
{
    if (partition->log_end < partition->log_cap) {
        return true;
    }
    size_t count = partition->log_end - partition->log_start;
    size_t cap = count * 2 + 64;
    struct memory_entry **log = malloc(cap * sizeof(struct memory_entry *));
    if (log == NULL) {
        return false;
    }
    if (count > 0) {
        memcpy((void *)log, (void *)(partition->log + partition->log_start),
               count * sizeof(struct memory_entry *));
    }
    free((void *)partition->log);
    partition->log = log;
    partition->log_start = 0;
    partition->log_end = count;
    partition->log_cap = cap;
    return true;
}

static struct stream_id next_id(struct memory_partition *partition, int64_t now_ms)
{
    uint64_t ms = now_ms > 0 ? (uint64_t)now_ms : 0;
    if (ms <= partition->last_id.ms) {
        return (struct stream_id){partition->last_id.ms, partition->last_id.seq + 1};
    }
    return (struct stream_id){ms, 0};
}

static struct memory_entry *entry_new(uint32_t count)
{
    struct memory_entry *entry = calloc(1, sizeof(*entry));
    struct stream_pair *pairs = calloc(count == 0 ? 1 : count, sizeof(*pairs));
    if (entry == NULL || pairs == NULL) {
        free(entry);
        free(pairs);
        return NULL;
    }
    entry->entry.pairs = pairs;
    return entry;
}

static bool entry_add(struct memory_entry *entry, struct span key, struct span value)
{
    struct stream_pair *pair =
        (struct stream_pair *)(uintptr_t)&entry->entry.pairs[entry->entry.count];
    if (!span_copy(key, &pair->key)) {
        return false;
    }
    if (!span_copy(value, &pair->value)) {
        span_free(&pair->key);
        return false;
    }
    entry->entry.count++;
    return true;
}

static void append(struct memory_partition *partition, struct memory_entry *entry, int64_t now_ms)
{
    entry->entry.id = partition->last_id = next_id(partition, now_ms);
    partition->log[partition->log_end++] = entry;
    uint64_t mean = partition->meta.mean >= 1 ? (uint64_t)partition->meta.mean : 1;
    uint64_t keep = partition->retention / mean;
    memory_partition_trim(partition, keep > ENTRIES_MIN ? (size_t)keep : ENTRIES_MIN);
}

void memory_partition_trim(struct memory_partition *partition, size_t keep)
{
    while (partition->log_end - partition->log_start > keep) {
        entry_free(partition->log[partition->log_start]);
        partition->log_start++;
    }
}

void memory_partition_lose(struct memory_partition *partition, size_t nth)
{
    size_t count = partition->log_end - partition->log_start;
    if (count == 0) {
        return;
    }
    size_t at = partition->log_start + nth % count;
    entry_free(partition->log[at]);
    memmove((void *)&partition->log[at], (void *)&partition->log[at + 1],
            (partition->log_end - at - 1) * sizeof(struct memory_entry *));
    partition->log_end--;
}

const struct memory_entry *memory_partition_after(const struct memory_partition *partition,
                                                  struct stream_id after)
{
    size_t low = partition->log_start;
    size_t high = partition->log_end;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (stream_id_cmp(partition->log[mid]->entry.id, after) <= 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low < partition->log_end ? partition->log[low] : NULL;
}

const struct memory_entry *memory_partition_at(const struct memory_partition *partition,
                                               struct stream_id id)
{
    for (size_t i = partition->log_start; i < partition->log_end; i++) {
        if (stream_id_cmp(partition->log[i]->entry.id, id) == 0) {
            return partition->log[i];
        }
    }
    return NULL;
}

// --- creating, putting

enum err memory_partition_create(struct memory_partition *partition,
                                 const struct stream_epoch *epoch, uint32_t partitions,
                                 int64_t now_ms)
{
    if (partition->meta.exists) {
        return ERR_OK; // the first one wins
    }
    partition->meta = (struct stream_meta){.exists = true,
                                           .epoch = *epoch,
                                           .partitions = partitions,
                                           .wire = STREAM_WIRE,
                                           .born_ms = now_ms,
                                           .mean = 1};
    return ERR_OK;
}

static bool is_accepted(const struct memory_partition *partition,
                        const struct stream_record *record, const struct memory_record *current)
{
    static const char none[VERSION_LEN] = {0};
    if (number_at(record->value.ptr, 8) > COUNTER_MAX) {
        return false; // the scripts count in doubles
    }
    if (current == NULL) {
        return memcmp(record->expected, none, VERSION_LEN) == 0 &&
               number_at(record->value.ptr, 8) > partition->meta.floor;
    }
    return memcmp(record->expected, current->value.ptr, VERSION_LEN) == 0 &&
           memcmp(record->value.ptr, current->value.ptr, VERSION_LEN) > 0;
}

static enum stream_put_result judge(const struct memory_partition *partition,
                                    const struct stream_record *record, struct span *ret_current)
{
    const struct memory_record *current = find(partition, record->key);
    if (current != NULL && current->value.len < HEAD_LEN) {
        current = NULL; // a stranger's: too short for a record, so it counts as absent
    }
    *ret_current = current != NULL ? current->value : SPAN_NONE;
    if (current != NULL && span_eq(current->value, record->value)) {
        *ret_current = SPAN_NONE;
        return STREAM_PUT_DUPLICATE;
    }
    return is_accepted(partition, record, current) ? STREAM_PUT_ACCEPTED : STREAM_PUT_CONFLICT;
}

static void count_in(struct memory_partition *partition, const struct stream_record *record)
{
    struct stream_digest *digest = &partition->meta.digest;
    const struct memory_record *current = find(partition, record->key);
    if (current != NULL && current->value.len >= HEAD_LEN) {
        digest->sum = (digest->sum - hash_of(current->value)) & HASH_MASK;
        digest->count--;
    }
    digest->sum = (digest->sum + hash_of(record->value)) & HASH_MASK;
    digest->count++;
}

static void note_mean(struct memory_partition *partition, uint32_t records)
{
    double weight =
        partition->meta.sequence < 16 ? 1.0 / (double)partition->meta.sequence : 1.0 / 16;
    partition->meta.mean += ((double)records - partition->meta.mean) * weight;
}

// An entry with the accepted records; NULL: no memory.
static struct memory_entry *compose(const struct memory_put *put, const struct stream_put_row *rows)
{
    struct memory_entry *entry = entry_new(put->count);
    for (uint32_t i = 0; entry != NULL && i < put->count; i++) {
        if (rows[i].result == STREAM_PUT_ACCEPTED &&
            !entry_add(entry, put->records[i].key, put->records[i].value)) {
            entry_free(entry);
            return NULL;
        }
    }
    return entry;
}

static void unprepare(struct memory_record *copies, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        span_free(&copies[i].key);
        span_free(&copies[i].value);
    }
}

// The accepted records as the state will own them.  False: no memory, nothing was taken.
static bool prepare(const struct memory_put *put, const struct stream_put_row *rows,
                    struct memory_record *copies)
{
    for (uint32_t i = 0; i < put->count; i++) {
        copies[i] = (struct memory_record){0};
        if (rows[i].result == STREAM_PUT_ACCEPTED &&
            (!span_copy(put->records[i].key, &copies[i].key) ||
             !span_copy(put->records[i].value, &copies[i].value))) {
            unprepare(copies, i + 1);
            return false;
        }
    }
    return true;
}

// Cannot fail: everything that it needs was made before.  *takes* entry and copies.
static void commit(struct memory_partition *partition, const struct memory_put *put,
                   struct memory_entry *entry, const struct memory_record *copies)
{
    for (uint32_t i = 0; i < put->count; i++) {
        if (copies[i].key.ptr != NULL) {
            count_in(partition, &put->records[i]);
            (void)store(partition, copies[i].key, copies[i].value);
        }
    }
    partition->meta.sequence++;
    note_mean(partition, entry->entry.count);
    entry->entry.valid = true;
    entry->entry.epoch = partition->meta.epoch;
    entry->entry.sequence = partition->meta.sequence;
    entry->entry.digest = partition->meta.digest;
    entry->entry.floor = partition->meta.floor;
    append(partition, entry, put->now_ms);
}

enum err memory_partition_put(struct memory_partition *partition, const struct memory_put *put,
                              struct stream_put_row *ret_rows, enum stream_status *ret_status)
{
    struct memory_record copies[STREAM_PUT_RECORDS_MAX];
    uint32_t accepted = 0;
    ASSERT(put->count <= STREAM_PUT_RECORDS_MAX);
    *ret_status = partition->state_taken ? STREAM_MISTYPED : STREAM_OK;
    if (partition->state_taken) {
        return ERR_OK;
    }
    if (!partition->meta.exists || strcmp(partition->meta.epoch.text, put->epoch->text) != 0) {
        *ret_status = STREAM_EPOCH;
        return ERR_OK;
    }
    for (uint32_t i = 0; i < put->count; i++) {
        ret_rows[i].result = judge(partition, &put->records[i], &ret_rows[i].current);
        if (ret_rows[i].result == STREAM_PUT_ACCEPTED) {
            ret_rows[i].current = SPAN_NONE;
            accepted++;
        }
    }
    if (accepted > 0 && partition->log_taken) {
        *ret_status = STREAM_MISTYPED; // the log is written first: nothing was done
    }
    if (accepted == 0 || partition->log_taken) {
        return ERR_OK;
    }
    struct memory_entry *entry = compose(put, ret_rows);
    if (entry == NULL || !reserve(partition, accepted) || !log_reserve(partition) ||
        !prepare(put, ret_rows, copies)) {
        entry_free(entry);
        return ERR_NOMEM;
    }
    commit(partition, put, entry, copies);
    return ERR_OK;
}

// What a client is shown of a value.
static struct span cut(struct span value, bool *ret_oversized)
{
    *ret_oversized = value.len > STREAM_VALUE_MAX;
    return *ret_oversized ? span_of(value.ptr, STREAM_CUT_KEPT) : value;
}

enum err memory_partition_plant(struct memory_partition *partition, struct span key,
                                struct span value)
{
    struct span key_copy;
    struct span value_copy;
    bool oversized = false;
    if (!reserve(partition, 1) || !span_copy(key, &key_copy)) {
        return ERR_NOMEM;
    }
    if (!span_copy(cut(value, &oversized), &value_copy)) {
        span_free(&key_copy);
        return ERR_NOMEM;
    }
    store(partition, key_copy, value_copy)->oversized = oversized;
    return ERR_OK;
}

// A copy that the log may take; NULL: no memory.
static struct memory_entry *entry_copy(const struct stream_entry *from)
{
    struct memory_entry *entry = entry_new(from->count);
    for (uint32_t i = 0; entry != NULL && i < from->count; i++) {
        bool oversized = false;
        if (!entry_add(entry, from->pairs[i].key, cut(from->pairs[i].value, &oversized))) {
            entry_free(entry);
            return NULL;
        }
        struct stream_pair *pair = (struct stream_pair *)(uintptr_t)&entry->entry.pairs[i];
        pair->oversized = oversized || from->pairs[i].oversized;
    }
    if (entry != NULL) {
        const struct stream_pair *pairs = entry->entry.pairs;
        entry->entry = *from;
        entry->entry.pairs = pairs;
    }
    return entry;
}

enum err memory_partition_append(struct memory_partition *partition,
                                 const struct stream_entry *from, int64_t now_ms)
{
    struct memory_entry *entry = log_reserve(partition) ? entry_copy(from) : NULL;
    if (entry == NULL) {
        return ERR_NOMEM;
    }
    append(partition, entry, now_ms);
    return ERR_OK;
}

enum err memory_partition_garbage(struct memory_partition *partition, struct span key,
                                  struct span value, int64_t now_ms)
{
    const struct stream_entry nonsense = {.valid = false};
    enum err err = ERR_OK;
    if (find(partition, key) == NULL) {
        err = memory_partition_plant(partition, key, value);
    }
    return err != ERR_OK ? err : memory_partition_append(partition, &nonsense, now_ms);
}

// --- copies

static bool copy_records(const struct memory_partition *from, struct memory_partition *to)
{
    if (!reserve(to, from->record_count + 1)) {
        return false;
    }
    for (size_t i = 0; i < from->record_count; i++) {
        struct span key;
        struct span value;
        if (!span_copy(from->records[i].key, &key)) {
            return false;
        }
        if (!span_copy(from->records[i].value, &value)) {
            span_free(&key);
            return false;
        }
        store(to, key, value)->oversized = from->records[i].oversized;
    }
    return true;
}

static bool copy_log(const struct memory_partition *from, struct memory_partition *to)
{
    for (size_t i = from->log_start; i < from->log_end; i++) {
        struct memory_entry *entry = log_reserve(to) ? entry_copy(&from->log[i]->entry) : NULL;
        if (entry == NULL) {
            return false;
        }
        to->log[to->log_end++] = entry;
    }
    return true;
}

enum err memory_partition_copy(const struct memory_partition *from,
                               struct memory_partition *ret_copy)
{
    struct memory_partition copy;
    memory_partition_init(&copy, from->retention);
    copy.meta = from->meta;
    copy.last_id = from->last_id;
    copy.state_taken = from->state_taken;
    copy.log_taken = from->log_taken;
    if (!copy_records(from, &copy) || !copy_log(from, &copy)) {
        memory_partition_fini(&copy);
        return ERR_NOMEM;
    }
    *ret_copy = copy;
    return ERR_OK;
}
