// SPDX-License-Identifier: Apache-2.0
// The mark alone: this file compiles the shard's lock once more with its word taken out, so that nothing
// keeps ten writers apart.  Each of twenty processes must end itself, and name who met whom.
#define SHARD_LOCK_TAKEN_OUT
// The copy is the thing under test.
#include "localmap/table/shard_lock.c" // NOLINT(bugprone-suspicious-include)

#include "tests/lib/dying.h"

#include <pthread.h>
#include <signal.h>

#define WRITERS 10
#define PROCESSES 20
// Only a mark that does not work lets a process come to its end.  So many, since on a busy machine few would be
// over before the next thread has begun.
#define WRITES 100000000

struct written {
    struct shard_lock lock;
    _Atomic uint64_t
        words[6]; // a value, written as the table would; atomics, so that the mark alone is asked
};

static const char *const sites[] = {"test: put", "test: delete"};

struct writer {
    struct written *written;
    const char *site;
};

static void *write_often(void *arg)
{
    const struct writer *writer = arg;
    for (uint64_t i = 0; i < WRITES; i++) {
        shard_lock_enter(&writer->written->lock, writer->site);
        for (unsigned word = 0; word < 6; word++) {
            atomic_store_explicit(&writer->written->words[word], i, memory_order_relaxed);
        }
        shard_lock_leave(&writer->written->lock);
    }
    return NULL;
}

static void be_ten_writers(void)
{
    static struct written written;
    struct writer writers[WRITERS];
    pthread_t threads[WRITERS];
    struct wait_ring *ring;
    if (wait_ring_new(&ring) != ERR_OK) {
        _exit(EXIT_FAILURE);
    }
    shard_lock_init(&written.lock, 5, ring);
    for (unsigned i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){&written, sites[i % 2]};
        if (pthread_create(&threads[i], NULL, write_often, &writers[i]) != 0) {
            _exit(EXIT_FAILURE);
        }
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], NULL);
    }
}

TEST(ten_writers_without_the_lock_end_the_process_each_time)
{
    for (unsigned i = 0; i < PROCESSES; i++) {
        char said[4096];
        const int status = dying_run(be_ten_writers, said, sizeof(said));
        ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT,
                      "process %u ended with status %d and said: %s", i, status, said);
        const char *met = strstr(said, "one writer at a time in shard 5: test: ");
        ck_assert_msg(met != NULL, "process %u said: %s", i, said);
        CHECK(strstr(met, " found test: ") != NULL && strstr(met, " inside") != NULL);
    }
}
END_TEST

SUITE("localmap/shard_lock_taken_out", T(ten_writers_without_the_lock_end_the_process_each_time));
