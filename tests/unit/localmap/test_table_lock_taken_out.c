// SPDX-License-Identifier: Apache-2.0
// The table itself, compiled once more with the word of its locks taken out: ten writers at once must end the
// process each time, without a sanitizer.  The mark names who met whom; where two look at one instant it sees
// nothing, and what they do to each other is found by an assertion of the table, or ends the process otherwise.
// That is red, too, but must be the exception.
#define SHARD_LOCK_TAKEN_OUT
// All that enters a shard.  The copies are the thing under test.
// NOLINTBEGIN(bugprone-suspicious-include)
#include "localmap/table/shard_lock.c"
#include "localmap/table/table.c"
#include "localmap/table/tend.c"
#include "localmap/table/update.c"
#include "localmap/table/walk.c"
#define keep keep_of_snapshot // update.c has one of its own
#include "localmap/table/snapshot.c"
#undef keep
// NOLINTEND(bugprone-suspicious-include)

#include "tests/lib/dying.h"

#include <pthread.h>
#include <stdio.h>

#define WRITERS 10
#define PROCESSES 20
#define NAMED_MIN 15 // of them by the mark; all of 160 were
#define KEYS 64
// Only a table whose writers do not meet lets a process come to its end.
#define WRITES 10000000

static enum table_verdict decide(void *arg, struct span old, struct table_value *ret_new)
{
    const uint64_t *number = arg;
    (void)old;
    ret_new->head = span_of((const char *)number, sizeof(*number));
    return *number % 5 == 0 ? TABLE_REMOVE : TABLE_STORE;
}

static void *write_often(void *arg)
{
    struct table *table = arg;
    for (uint64_t i = 0; i < WRITES; i++) {
        char text[16];
        const int len = snprintf(text, sizeof(text), "key-%u", (unsigned)(i * 7 % KEYS));
        const struct table_key key = table_key(table, span_of(text, (size_t)len));
        const struct table_change change = {.decide = decide,
                                            .arg = &i,
                                            .room = sizeof(i),
                                            .create = true,
                                            .site = i % 2 == 0 ? "test: put" : "test: delete"};
        enum err err = table_update(table, &key, &change);
        (void)err;
    }
    return NULL;
}

static void be_ten_writers(void)
{
    struct table *table = NULL;
    pthread_t threads[WRITERS];
    if (table_new(1, &table) != ERR_OK) {
        return;
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        if (pthread_create(&threads[i], NULL, write_often, table) != 0) {
            return;
        }
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        (void)pthread_join(threads[i], NULL);
    }
}

TEST(ten_writers_of_a_table_without_its_lock_end_the_process_each_time)
{
    unsigned named = 0;
    for (unsigned i = 0; i < PROCESSES; i++) {
        char said[4096];
        const int status = dying_run(be_ten_writers, said, sizeof(said));
        ck_assert_msg(status != 0, "process %u came to its end and said: %s", i, said);
        named += strstr(said, "one writer at a time in shard 0: test: ") != NULL &&
                 strstr(said, " found test: ") != NULL;
    }
    ck_assert_msg(named >= NAMED_MIN, "%u of %u", named, PROCESSES);
}
END_TEST

SUITE("localmap/table_lock_taken_out",
      T(ten_writers_of_a_table_without_its_lock_end_the_process_each_time));
