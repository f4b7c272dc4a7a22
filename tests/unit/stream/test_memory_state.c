// SPDX-License-Identifier: Apache-2.0
// How: puts into a bare partition; the digest is added up anew after each and compared.  What an answer must
// be stands in tests/contract; here: growth, trimming, copies, failing allocations.
#include "base/siphash.h"
#include "stream/memory_state.h"
#include "tests/lib/failalloc.h"
#include "tests/lib/suite.h"

#include <stdio.h>

static const struct stream_epoch epoch = {"0123456789abcdef0123456789abcdef"};

struct sent {
    char key[24], value[48];
    struct stream_record record;
};

static void put_be(char *bytes, uint64_t number, unsigned len)
{
    for (unsigned i = 0; i < len; i++) {
        bytes[i] = (char)(number >> (8 * (len - 1 - i)));
    }
}

static void make(struct sent *sent, unsigned number, uint64_t expected, uint64_t counter)
{
    int key_len = snprintf(sent->key, sizeof(sent->key), "s%c%u", 0, number);
    memset(sent->record.expected, 0, sizeof(sent->record.expected));
    memset(sent->value, 0, sizeof(sent->value));
    put_be(sent->record.expected, expected, 8);
    put_be(sent->value, counter, 8);
    put_be(sent->value + 16, siphash13(siphash_zero_key, sent->value, 16) + number, 6);
    sent->record.key = span_of(sent->key, (size_t)key_len);
    sent->record.value = span_of(sent->value, 40);
}

static enum err put_one(struct memory_partition *partition, const struct sent *sent,
                        enum stream_put_result *ret_result)
{
    struct stream_put_row row;
    enum stream_status status;
    const struct memory_put put = {&epoch, &sent->record, 1, 1000};
    enum err err = memory_partition_put(partition, &put, &row, &status);
    if (err == ERR_OK && status == STREAM_OK) {
        *ret_result = row.result;
    }
    return err;
}

static uint64_t sum_of(const struct memory_partition *partition)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < partition->record_count; i++) {
        uint64_t hash = 0;
        for (size_t k = 16; k < 22; k++) {
            hash = hash << 8 | (uint8_t)partition->records[i].value.ptr[k];
        }
        sum += hash;
    }
    return sum & ((UINT64_C(1) << 48) - 1);
}

static void check_digest(const struct memory_partition *partition)
{
    CHECK_UEQ(partition->meta.digest.count, partition->record_count);
    CHECK_UEQ(partition->meta.digest.sum, sum_of(partition));
}

TEST(the_digest_is_the_sum_over_the_records_through_growth_and_overwriting)
{
    struct memory_partition partition;
    enum stream_put_result result = STREAM_PUT_CONFLICT;
    memory_partition_init(&partition, 100000);
    CHECK_OK(memory_partition_create(&partition, &epoch, 1, 5));
    for (unsigned i = 0; i < 500; i++) {
        struct sent sent;
        make(&sent, i % 300, i < 300 ? 0 : 1, i < 300 ? 1 : 2);
        CHECK_OK(put_one(&partition, &sent, &result));
        CHECK_EQ(result, STREAM_PUT_ACCEPTED);
        check_digest(&partition);
        CHECK_UEQ(partition.meta.sequence, i + 1);
    }
    CHECK_UEQ(partition.record_count, 300);
    memory_partition_fini(&partition);
}
END_TEST

TEST(the_log_keeps_at_least_a_thousand_entries_and_no_more_than_its_retention)
{
    static const struct {
        uint64_t retention, kept;
    } logs[] = {{1, 1000}, {1500, 1500}};
    for (size_t i = 0; i < sizeof(logs) / sizeof(logs[0]); i++) {
        struct memory_partition partition;
        enum stream_put_result result;
        memory_partition_init(&partition, logs[i].retention);
        CHECK_OK(memory_partition_create(&partition, &epoch, 1, 5));
        for (unsigned k = 0; k < 2000; k++) {
            struct sent sent;
            make(&sent, 1, k, k + 1);
            CHECK_OK(put_one(&partition, &sent, &result));
        }
        CHECK_UEQ(partition.log_end - partition.log_start, logs[i].kept);
        const struct memory_entry *first =
            memory_partition_after(&partition, (struct stream_id){0});
        CHECK_UEQ(first->entry.sequence, 2000 - logs[i].kept + 1);
        memory_partition_fini(&partition);
    }
}
END_TEST

TEST(ids_grow_even_when_the_clock_goes_back)
{
    struct memory_partition partition;
    struct stream_id last = {0};
    static const int64_t clock[] = {1000, 1000, 900, 2000, 1};
    memory_partition_init(&partition, 1000);
    CHECK_OK(memory_partition_create(&partition, &epoch, 1, 5));
    for (unsigned i = 0; i < 5; i++) {
        struct sent sent;
        struct stream_put_row row;
        enum stream_status status;
        make(&sent, i, 0, 1);
        const struct memory_put put = {&epoch, &sent.record, 1, clock[i]};
        CHECK_OK(memory_partition_put(&partition, &put, &row, &status));
        CHECK(stream_id_cmp(partition.last_id, last) > 0);
        last = partition.last_id;
    }
    memory_partition_fini(&partition);
}
END_TEST

TEST(a_copy_shares_nothing_with_what_it_was_copied_from)
{
    struct memory_partition partition;
    struct memory_partition copy;
    enum stream_put_result result = STREAM_PUT_CONFLICT;
    struct sent sent;
    memory_partition_init(&partition, 1000);
    CHECK_OK(memory_partition_create(&partition, &epoch, 1, 5));
    make(&sent, 1, 0, 1);
    CHECK_OK(put_one(&partition, &sent, &result));
    CHECK_OK(memory_partition_copy(&partition, &copy));
    make(&sent, 1, 1, 2);
    CHECK_OK(put_one(&partition, &sent, &result));
    CHECK_UEQ(copy.meta.sequence, 1);
    check_digest(&copy);
    memory_partition_fini(&partition);
    CHECK(memory_partition_at(&copy, copy.last_id) != NULL);
    memory_partition_fini(&copy);
}
END_TEST

// A put that finds no memory has done nothing: the state is as before, and the put succeeds later.
static bool walk(void *arg)
{
    struct memory_partition partition;
    enum stream_put_result result = STREAM_PUT_CONFLICT;
    bool *torn = arg;
    bool done = true;
    memory_partition_init(&partition, 1000);
    done = memory_partition_create(&partition, &epoch, 1, 5) == ERR_OK;
    for (unsigned i = 0; done && i < 20; i++) {
        struct sent sent;
        make(&sent, i, 0, 1);
        done = put_one(&partition, &sent, &result) == ERR_OK;
        *torn = *torn || partition.meta.digest.sum != sum_of(&partition) ||
                partition.meta.sequence != partition.log_end - partition.log_start;
    }
    memory_partition_fini(&partition);
    return done;
}

TEST(a_put_without_memory_leaves_state_and_log_alone)
{
    bool torn = false;
    CHECK(failalloc_each(walk, &torn) > 20);
    CHECK(!torn);
}
END_TEST

SUITE("stream/memory_state",
      T(the_digest_is_the_sum_over_the_records_through_growth_and_overwriting),
      T(the_log_keeps_at_least_a_thousand_entries_and_no_more_than_its_retention),
      T(ids_grow_even_when_the_clock_goes_back),
      T(a_copy_shares_nothing_with_what_it_was_copied_from),
      T(a_put_without_memory_leaves_state_and_log_alone));
