// SPDX-License-Identifier: Apache-2.0
#include "base/resolver.h"

#include "base/assert.h"
#include "base/loop.h"

#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>

#define QUERIES_MAX 64
#define NAMES_MAX 64

struct known_name {
    struct known_name *next;
    char name[RESOLVER_NAME_MAX + 1];
    size_t count;
    struct address addresses[RESOLVER_ADDRESSES_MAX];
};

// What loop and helper thread share.  Whoever of the two leaves last frees it: the thread may hang in
// getaddrinfo long after the loop has gone.
struct shared {
    pthread_mutex_t
        lock; // guards everything below and each query's `next`; a leaf: nothing is called
              // under it but the condition's own functions and loop_post_task
    pthread_cond_t wanted;
    struct resolver_query *first, *last; // waiting for the thread
    bool closed;                         // the loop's side is gone: nothing may be posted any more
    bool orphan;                         // ... and the thread frees
    resolver_lookup_fn lookup;
    void *lookup_arg;
};

struct resolver {
    struct loop *loop;
    struct shared *shared;
    struct known_name *names;       // newest first
    struct resolver_query *queries; // all that are open
    size_t query_count;
};

struct resolver_query {
    struct resolver_query *next;           // in the thread's queue
    struct resolver_query *before, *after; // among the resolver's
    struct resolver *resolver;
    struct loop_task task; // posts the answer
    resolver_fn fn;        // NULL: cancelled
    void *arg;
    uint16_t port;
    bool literal; // an IP: answered without the thread
    char name[RESOLVER_NAME_MAX + 1];
    size_t count; // what the lookup found
    const char *text;
    struct address addresses[RESOLVER_ADDRESSES_MAX];
};

static size_t system_lookup(void *arg, const char *name,
                            struct address ret_addresses[RESOLVER_ADDRESSES_MAX],
                            const char **ret_text)
{
    (void)arg;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *found = NULL;
    int failed = getaddrinfo(name, NULL, &hints, &found);
    if (failed != 0) {
        *ret_text = gai_strerror(failed);
        return 0;
    }
    size_t count = 0;
    for (const struct addrinfo *at = found; at != NULL && count < RESOLVER_ADDRESSES_MAX;
         at = at->ai_next) {
        if (at->ai_family == AF_INET || at->ai_family == AF_INET6) {
            ret_addresses[count] = (struct address){.len = at->ai_addrlen};
            memcpy(&ret_addresses[count].storage, at->ai_addr, at->ai_addrlen);
            count++;
        }
    }
    freeaddrinfo(found);
    *ret_text = "the name has no address";
    return count;
}

static void free_shared(struct shared *shared)
{
    pthread_mutex_destroy(&shared->lock);
    pthread_cond_destroy(&shared->wanted);
    free(shared);
}

// The next query, or NULL when the loop's side is gone.
static struct resolver_query *await(struct shared *shared)
{
    pthread_mutex_lock(&shared->lock);
    while (shared->first == NULL && !shared->closed) {
        pthread_cond_wait(&shared->wanted, &shared->lock);
    }
    struct resolver_query *query = shared->closed ? NULL : shared->first;
    if (query != NULL) {
        shared->first = query->next;
        shared->last = shared->first == NULL ? NULL : shared->last;
    }
    pthread_mutex_unlock(&shared->lock);
    return query;
}

static void *helper(void *arg)
{
    struct shared *shared = arg;
    struct resolver_query *query = NULL;
    while ((query = await(shared)) != NULL) {
        // A copy: the query belongs to the loop's side and may be freed while the lookup hangs.
        char name[RESOLVER_NAME_MAX + 1];
        memcpy(name, query->name, sizeof(name));
        struct address addresses[RESOLVER_ADDRESSES_MAX];
        const char *text = "";
        size_t count = shared->lookup(shared->lookup_arg, name, addresses, &text);
        pthread_mutex_lock(&shared->lock);
        if (!shared->closed) {
            query->count = count;
            query->text = text;
            memcpy(query->addresses, addresses, count * sizeof(addresses[0]));
            (void)loop_post_task(query->resolver->loop, &query->task);
        }
        pthread_mutex_unlock(&shared->lock);
    }
    pthread_mutex_lock(&shared->lock);
    ASSERT(shared->orphan);
    pthread_mutex_unlock(&shared->lock);
    free_shared(shared);
    return NULL;
}

static enum err start_thread(struct shared *shared)
{
    pthread_attr_t attributes;
    pthread_t thread;
    if (pthread_attr_init(&attributes) != 0) {
        return ERR_NOMEM;
    }
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    int failed = pthread_create(&thread, &attributes, helper, shared);
    (void)pthread_attr_destroy(&attributes);
    return failed == 0 ? ERR_OK : ERR_IO;
}

enum err resolver_new(struct loop *loop, resolver_lookup_fn lookup, void *lookup_arg,
                      struct resolver **ret_resolver)
{
    ASSERT_ON_LOOP(loop);
    struct resolver *resolver = calloc(1, sizeof(*resolver));
    struct shared *shared = calloc(1, sizeof(*shared));
    if (resolver == NULL || shared == NULL) {
        free(resolver);
        free(shared);
        return ERR_NOMEM;
    }
    pthread_mutex_init(&shared->lock, NULL);
    pthread_cond_init(&shared->wanted, NULL);
    shared->lookup = lookup == NULL ? system_lookup : lookup;
    shared->lookup_arg = lookup_arg;
    resolver->loop = loop;
    resolver->shared = shared;
    enum err err = start_thread(shared);
    if (err != ERR_OK) {
        free_shared(shared);
        free(resolver);
        return err;
    }
    *ret_resolver = resolver;
    return ERR_OK;
}

static void drop(struct resolver_query *query)
{
    struct resolver *resolver = query->resolver;
    if (query->before != NULL) {
        query->before->after = query->after;
    } else {
        resolver->queries = query->after;
    }
    if (query->after != NULL) {
        query->after->before = query->before;
    }
    resolver->query_count--;
    free(query);
}

// --- the last good answers

static struct known_name *find_name(const struct resolver *resolver, const char *name)
{
    struct known_name *at = resolver->names;
    while (at != NULL && strcmp(at->name, name) != 0) {
        at = at->next;
    }
    return at;
}

// Room for one more name; beyond NAMES_MAX the oldest makes room.  NULL: no memory, nothing is kept.
static struct known_name *new_name(struct resolver *resolver)
{
    size_t count = 0;
    struct known_name **at = &resolver->names;
    while (*at != NULL && (*at)->next != NULL) {
        count++;
        at = &(*at)->next;
    }
    struct known_name *known = NULL;
    if (count + 1 >= NAMES_MAX) {
        known = *at;
        *at = NULL;
    } else {
        known = malloc(sizeof(*known));
    }
    if (known != NULL) {
        known->next = resolver->names;
        resolver->names = known;
    }
    return known;
}

static void remember(struct resolver *resolver, const struct resolver_query *query)
{
    struct known_name *known = find_name(resolver, query->name);
    if (known == NULL) {
        known = new_name(resolver);
    }
    if (known != NULL) {
        memcpy(known->name, query->name, sizeof(known->name));
        known->count = query->count;
        memcpy(known->addresses, query->addresses, sizeof(known->addresses));
    }
}

// --- answering

static void on_answer(void *arg)
{
    struct resolver_query *query = arg;
    struct resolver *resolver = query->resolver;
    if (query->fn == NULL) {
        drop(query);
        return;
    }
    struct resolver_answer answer = {.err = ERR_OK, .text = "", .count = query->count};
    memcpy(answer.addresses, query->addresses, sizeof(answer.addresses));
    if (query->count > 0 && !query->literal) {
        remember(resolver, query);
    } else if (query->count == 0) {
        const struct known_name *known = find_name(resolver, query->name);
        answer.text = query->text;
        answer.err = known == NULL ? ERR_RESOLVE : ERR_OK;
        answer.stale = known != NULL;
        if (known != NULL) {
            answer.count = known->count;
            memcpy(answer.addresses, known->addresses, sizeof(answer.addresses));
        }
    }
    for (size_t i = 0; i < answer.count; i++) {
        address_set_port(&answer.addresses[i], query->port);
    }
    resolver_fn fn = query->fn;
    void *fn_arg = query->arg;
    drop(query);
    fn(fn_arg, &answer);
}

void resolver_free(struct resolver *resolver)
{
    if (resolver == NULL) {
        return;
    }
    ASSERT_ON_LOOP(resolver->loop);
    struct shared *shared = resolver->shared;
    pthread_mutex_lock(&shared->lock);
    shared->closed = true;
    shared->orphan = true;
    pthread_cond_signal(&shared->wanted);
    pthread_mutex_unlock(&shared->lock);
    // From here on the thread touches nothing but `shared`, which is its own now.
    while (resolver->queries != NULL) {
        struct resolver_query *query = resolver->queries;
        loop_unpost_task(resolver->loop, &query->task);
        resolver->queries = query->after;
        free(query);
    }
    while (resolver->names != NULL) {
        struct known_name *known = resolver->names;
        resolver->names = known->next;
        free(known);
    }
    free(resolver);
}

static bool is_name(struct span name)
{
    return name.len >= 1 && name.len <= RESOLVER_NAME_MAX && memchr(name.ptr, 0, name.len) == NULL;
}

static void enqueue(struct shared *shared, struct resolver_query *query)
{
    pthread_mutex_lock(&shared->lock);
    if (shared->last != NULL) {
        shared->last->next = query;
    } else {
        shared->first = query;
    }
    shared->last = query;
    pthread_cond_signal(&shared->wanted);
    pthread_mutex_unlock(&shared->lock);
}

enum err resolver_query(struct resolver *resolver, const struct resolver_ask *ask,
                        struct resolver_query **ret_query)
{
    ASSERT_ON_LOOP(resolver->loop);
    if (!is_name(ask->name)) {
        return ERR_INVALID;
    }
    if (resolver->query_count == QUERIES_MAX) {
        return ERR_FULL;
    }
    struct resolver_query *query = calloc(1, sizeof(*query));
    if (query == NULL) {
        return ERR_NOMEM;
    }
    query->resolver = resolver;
    query->fn = ask->fn;
    query->arg = ask->arg;
    query->port = ask->port;
    query->text = "";
    memcpy(query->name, ask->name.ptr, ask->name.len);
    loop_task_init(&query->task, on_answer, query);
    query->after = resolver->queries;
    if (query->after != NULL) {
        query->after->before = query;
    }
    resolver->queries = query;
    resolver->query_count++;
    query->literal = address_parse_ip(ask->name, ask->port, &query->addresses[0]) == ERR_OK;
    if (query->literal) {
        query->count = 1;
        (void)loop_post_task(resolver->loop, &query->task);
    } else {
        enqueue(resolver->shared, query);
    }
    *ret_query = query;
    return ERR_OK;
}

void resolver_cancel(struct resolver_query *query)
{
    ASSERT_ON_LOOP(query->resolver->loop);
    query->fn = NULL; // the answer, when it comes, frees it
}
