// SPDX-License-Identifier: Apache-2.0
// Turns names into addresses without blocking the loop: one helper thread calls getaddrinfo, the
// answer comes back through the loop's mailbox.  The last good answer of a name is kept, and given
// with `stale` when a later attempt fails: a DNS outage must not cut what worked a minute ago.
// Invariants: every query answers exactly once unless cancelled, never from inside resolver_query;
// at most 64 queries wait; at most 64 names are kept. [loop].  resolver_free never waits for a
// hanging getaddrinfo: the thread then ends on its own.
#pragma once

#include "base/address.h"
#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RESOLVER_ADDRESSES_MAX 8
#define RESOLVER_NAME_MAX 253

struct loop;
struct resolver;
struct resolver_query;

struct resolver_answer {
    enum err err;     // ERR_OK, or ERR_RESOLVE
    bool stale;       // the last good answer: the attempt of now has failed
    const char *text; // why it failed, "" otherwise
    size_t count;     // >= 1 when ERR_OK
    struct address addresses[RESOLVER_ADDRESSES_MAX]; // with the port, in the system's order
};

// Borrowed until return.
typedef void (*resolver_fn)(void *arg, const struct resolver_answer *answer);

// Stands in for getaddrinfo in tests: called on the helper thread; fills addresses, returns how
// many; 0 and *ret_text (a literal) on failure.
typedef size_t (*resolver_lookup_fn)(void *arg, const char *name,
                                     struct address ret_addresses[RESOLVER_ADDRESSES_MAX],
                                     const char **ret_text);

// `lookup` NULL: getaddrinfo.  ERR_NOMEM, ERR_IO (no thread).
enum err resolver_new(struct loop *loop, resolver_lookup_fn lookup, void *lookup_arg,
                      struct resolver **ret_resolver) MUST_USE;
// Cancels all queries.  Accepts NULL.
void resolver_free(struct resolver *resolver);

struct resolver_ask {
    struct span name; // borrowed
    uint16_t port;
    resolver_fn fn;
    void *arg;
};

// IP literals are answered without the thread.  ERR_INVALID: no name (empty, too long, NUL inside);
// ERR_FULL; ERR_NOMEM.
enum err resolver_query(struct resolver *resolver, const struct resolver_ask *ask,
                        struct resolver_query **ret_query) MUST_USE;
// Only before its answer.
void resolver_cancel(struct resolver_query *query);
