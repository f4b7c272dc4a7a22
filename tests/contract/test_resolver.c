// SPDX-License-Identifier: Apache-2.0
// The resolver with a lookup of the test's own in place of getaddrinfo, told what to answer by its name:
// "good*" has two addresses, "bad*" none, "turn*" is good once and bad from then on, "slow*" hangs until
// the test lets it go.
#include "base/loop.h"
#include "base/resolver.h"
#include "tests/lib/failalloc.h"
#include "tests/lib/loop_wait.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

struct lookup {
    atomic_int calls, turns;
    pthread_mutex_t gate; // held by the test while slow names hang
};

struct seen {
    unsigned count;
    struct resolver_answer last;
    char text[64];
};

static size_t look_up(void *arg, const char *name,
                      struct address ret_addresses[RESOLVER_ADDRESSES_MAX], const char **ret_text)
{
    struct lookup *lookup = arg;
    int turn = 0;
    (void)atomic_fetch_add(&lookup->calls, 1);
    if (strncmp(name, "slow", 4) == 0) {
        pthread_mutex_lock(&lookup->gate);
        pthread_mutex_unlock(&lookup->gate);
    }
    if (strncmp(name, "turn", 4) == 0) {
        turn = atomic_fetch_add(&lookup->turns, 1);
    }
    if (strncmp(name, "bad", 3) == 0 || turn > 0 ||
        address_parse_ip(SPAN_LIT("10.0.0.1"), 0, &ret_addresses[0]) != ERR_OK ||
        address_parse_ip(SPAN_LIT("::1"), 0, &ret_addresses[1]) != ERR_OK) {
        *ret_text = "no such name";
        return 0;
    }
    return 2;
}

static void on_answer(void *arg, const struct resolver_answer *answer)
{
    struct seen *seen = arg;
    seen->count++;
    seen->last = *answer;
    (void)snprintf(seen->text, sizeof(seen->text), "%s", answer->text);
}

struct fixture {
    struct loop *loop;
    struct resolver *resolver;
    struct lookup lookup;
    struct seen seen;
};

static void start(struct fixture *f)
{
    memset(f, 0, sizeof(*f));
    pthread_mutex_init(&f->lookup.gate, NULL);
    CHECK_OK(loop_new(&f->loop));
    CHECK_OK(resolver_new(f->loop, look_up, &f->lookup, &f->resolver));
}

static void stop(struct fixture *f)
{
    resolver_free(f->resolver);
    loop_free(f->loop);
}

static struct resolver_query *ask(struct fixture *f, const char *name)
{
    const struct resolver_ask question = {span_str(name), 6379, on_answer, &f->seen};
    struct resolver_query *query = NULL;
    CHECK_OK(resolver_query(f->resolver, &question, &query));
    return query;
}

static void ask_and_wait(struct fixture *f, const char *name)
{
    unsigned before = f->seen.count;
    (void)ask(f, name);
    CHECK_UEQ(f->seen.count, before); // never from inside
    LOOP_WAIT(f->loop, f->seen.count == before + 1);
}

TEST(a_name_is_answered_with_all_its_addresses)
{
    struct fixture f;
    char text[ADDRESS_TEXT_LEN];
    start(&f);
    ask_and_wait(&f, "good");
    CHECK_EQ(f.seen.last.err, ERR_OK);
    CHECK(!f.seen.last.stale);
    CHECK_UEQ(f.seen.last.count, 2);
    address_format(&f.seen.last.addresses[0], text);
    CHECK_STR(text, "10.0.0.1:6379");
    address_format(&f.seen.last.addresses[1], text);
    CHECK_STR(text, "[::1]:6379");
    stop(&f);
}

TEST(a_literal_needs_no_lookup)
{
    struct fixture f;
    start(&f);
    ask_and_wait(&f, "192.0.2.7");
    CHECK_EQ(f.seen.last.err, ERR_OK);
    CHECK_UEQ(f.seen.last.count, 1);
    ask_and_wait(&f, "2001:db8::1");
    CHECK_UEQ(address_port(&f.seen.last.addresses[0]), 6379);
    CHECK_EQ(atomic_load(&f.lookup.calls), 0);
    stop(&f);
}

TEST(a_name_that_was_never_good_fails)
{
    struct fixture f;
    start(&f);
    ask_and_wait(&f, "bad");
    CHECK_EQ(f.seen.last.err, ERR_RESOLVE);
    CHECK_STR(f.seen.text, "no such name");
    CHECK_UEQ(f.seen.last.count, 0);
    stop(&f);
}

TEST(the_last_good_answer_serves_when_a_lookup_fails)
{
    struct fixture f;
    start(&f);
    ask_and_wait(&f, "turn");
    CHECK(!f.seen.last.stale);
    ask_and_wait(&f, "turn");
    CHECK_EQ(f.seen.last.err, ERR_OK);
    CHECK(f.seen.last.stale);
    CHECK_UEQ(f.seen.last.count, 2);
    CHECK_UEQ(address_port(&f.seen.last.addresses[1]), 6379);
    CHECK_STR(f.seen.text, "no such name");
    stop(&f);
}

TEST(only_so_many_names_are_kept)
{
    struct fixture f;
    char name[16];
    start(&f);
    ask_and_wait(&f, "turn");
    for (int i = 0; i < 64; i++) {
        (void)snprintf(name, sizeof(name), "good%d", i);
        ask_and_wait(&f, name);
    }
    ask_and_wait(&f, "turn");
    CHECK_EQ(f.seen.last.err, ERR_RESOLVE); // it was the oldest
    stop(&f);
}

TEST(a_cancelled_query_is_not_answered)
{
    struct fixture f;
    start(&f);
    pthread_mutex_lock(&f.lookup.gate);
    resolver_cancel(ask(&f, "slow"));
    resolver_cancel(ask(&f, "192.0.2.7"));
    pthread_mutex_unlock(&f.lookup.gate);
    ask_and_wait(&f, "good");
    CHECK_UEQ(f.seen.count, 1);
    stop(&f);
}

TEST(queries_have_a_ceiling)
{
    struct fixture f;
    struct resolver_query *query = NULL;
    start(&f);
    pthread_mutex_lock(&f.lookup.gate);
    for (int i = 0; i < 64; i++) {
        (void)ask(&f, "slow");
    }
    const struct resolver_ask more = {SPAN_LIT("good"), 1, on_answer, &f.seen};
    CHECK_EQ(resolver_query(f.resolver, &more, &query), ERR_FULL);
    pthread_mutex_unlock(&f.lookup.gate);
    LOOP_WAIT(f.loop, f.seen.count == 64);
    stop(&f);
}

TEST(names_that_are_none_are_refused)
{
    struct fixture f;
    struct resolver_query *query = NULL;
    static const char a[254] = {'a'};
    const struct span names[] = {SPAN_NONE, SPAN_LIT("a\0b"), span_of(a, sizeof(a))};
    start(&f);
    for (size_t i = 0; i < 3; i++) {
        const struct resolver_ask question = {names[i], 1, on_answer, &f.seen};
        CHECK_EQ(resolver_query(f.resolver, &question, &query), ERR_INVALID);
    }
    stop(&f);
}

TEST(freeing_does_not_wait_for_a_lookup_that_hangs)
{
    static struct fixture f; // outlives the helper thread
    start(&f);
    pthread_mutex_lock(&f.lookup.gate);
    (void)ask(&f, "slow");
    (void)ask(&f, "good");
    LOOP_WAIT(f.loop, atomic_load(&f.lookup.calls) == 1);
    stop(&f); // would hang here
    pthread_mutex_unlock(&f.lookup.gate);
    CHECK_UEQ(f.seen.count, 0);
}

TEST(the_system_knows_localhost)
{
    struct fixture f;
    start(&f);
    resolver_free(f.resolver);
    CHECK_OK(resolver_new(f.loop, NULL, NULL, &f.resolver));
    ask_and_wait(&f, "localhost");
    CHECK_EQ(f.seen.last.err, ERR_OK);
    CHECK(address_is_loopback(&f.seen.last.addresses[0]));
    stop(&f);
}

static bool walk(void *arg)
{
    struct fixture *f = arg;
    struct resolver *resolver = NULL;
    struct resolver_query *query = NULL;
    const struct resolver_ask question = {SPAN_LIT("good"), 1, on_answer, &f->seen};
    if (resolver_new(f->loop, look_up, &f->lookup, &resolver) != ERR_OK) {
        return false;
    }
    enum err err = resolver_query(resolver, &question, &query);
    resolver_free(resolver);
    return err == ERR_OK;
}

TEST(every_allocation_may_fail)
{
    static struct fixture f; // outlives the helper threads
    start(&f);
    CHECK(failalloc_each(walk, &f) >= 3);
    stop(&f);
}

SUITE("base/resolver", T(a_name_is_answered_with_all_its_addresses), T(a_literal_needs_no_lookup),
      T(a_name_that_was_never_good_fails), T(the_last_good_answer_serves_when_a_lookup_fails),
      T(only_so_many_names_are_kept), T(a_cancelled_query_is_not_answered),
      T(queries_have_a_ceiling), T(names_that_are_none_are_refused),
      T(freeing_does_not_wait_for_a_lookup_that_hangs), T(the_system_knows_localhost),
      T(every_allocation_may_fail));
