// SPDX-License-Identifier: Apache-2.0
// The memory backend: a server in this process and any number of clients, deterministic.
//
//     client --call--> executed at once --answer--> queue (due later) --memory_server_step--> callback
//
// Time is an argument, randomness comes from a seed.  Fault knobs make it lose answers, connections,
// entries and whole histories; with none set it is the embedded default of a single node.
// One thread.  Invariant: a callback runs only inside memory_server_step.  Read next: memory_state.h.
#pragma once

#include "base/time.h"
#include "stream/stream.h"

struct memory_server;

struct memory_options {
    uint32_t partitions;
    uint64_t retention; // records of a partition's log
    uint64_t seed;
    int64_t wall_offset_ms; // server clock = monotonic ms + this
};

// ERR_NOMEM.
enum err memory_server_new(const struct memory_options *options,
                           struct memory_server **ret_server) MUST_USE;
void memory_server_free(struct memory_server *server); // after its clients

// A client of the server, to be started by stream_start.  ERR_NOMEM.
enum err memory_client_new(struct memory_server *server, stream_event_fn on_event, void *arg,
                           struct stream **ret_stream) MUST_USE;

// Delivers what is due at `now`.  Returns how many events it delivered.
size_t memory_server_step(struct memory_server *server, struct mono now);
// When the next event is due; INT64_MAX when nothing waits.
struct mono memory_server_next(const struct memory_server *server);
// Where time runs by itself: asked at each call, so that the server's clock does not stand still between
// two steps.  Without one it stands at the last step.
typedef struct mono (*memory_clock_fn)(void *arg);
void memory_server_on_clock(struct memory_server *server, memory_clock_fn clock, void *arg);
// Called when something new waits; the owner arms a timer.
typedef void (*memory_wake_fn)(void *arg);
void memory_server_on_wake(struct memory_server *server, memory_wake_fn wake, void *arg);

// --- faults

void memory_server_delay(struct memory_server *server, uint32_t min_ms, uint32_t max_ms);
// This share of the puts is executed, but the answer is lost: the client goes down and comes up again.
void memory_server_drop_replies(struct memory_server *server, uint32_t percent);
void memory_server_refuse(struct memory_server *server, bool refuse); // puts answer STREAM_RETRY
void memory_server_flush(struct memory_server *server);
void memory_server_trim(struct memory_server *server, uint32_t partition, size_t keep);
void memory_server_lose(struct memory_server *server, uint32_t partition, size_t nth);
enum err memory_server_garbage(struct memory_server *server, uint32_t partition, struct span key,
                               struct span value) MUST_USE;
// Keeps a copy of everything; memory_server_restore goes back to it.  ERR_NOMEM, ERR_NOT_FOUND.
enum err memory_server_save(struct memory_server *server) MUST_USE;
enum err memory_server_restore(struct memory_server *server) MUST_USE;
// A second server with a copy of everything and no clients: what a failover that cut the network in two
// leaves behind.  *gives* it.  ERR_NOMEM.
enum err memory_server_fork(const struct memory_server *server,
                            struct memory_server **ret_fork) MUST_USE;
// Calls take so long to reach the server; with a connection that is lost meanwhile half of them are lost.
void memory_server_delay_requests(struct memory_server *server, uint32_t min_ms, uint32_t max_ms);
// The next put is answered STREAM_AGAIN.
void memory_server_forget_scripts(struct memory_server *server);
// A stranger's value stands in the place of a partition's state or log, until somebody removes it: all that
// stood there is gone, calls that touch it answer STREAM_MISTYPED.
enum memory_key { MEMORY_KEY_STATE, MEMORY_KEY_LOG };
void memory_server_mistype(struct memory_server *server, uint32_t partition, enum memory_key key);
void memory_server_mend(struct memory_server *server, uint32_t partition, enum memory_key key);
// The meta fields of a partition claim another number of partitions, another wire version.
void memory_server_claim(struct memory_server *server, uint32_t partition, uint32_t partitions,
                         uint32_t wire);
// Appends an entry as it is, but for its id: well-formed, yet not of our scripts.  ERR_NOMEM.
enum err memory_server_append(struct memory_server *server, uint32_t partition,
                              const struct stream_entry *entry) MUST_USE;
// The client loses its connection and comes back at `server` (of as many partitions).
void memory_client_move(struct stream *stream, struct memory_server *server);
// The connection of one client: cut until mended; held = nothing is delivered (the process stands still).
void memory_client_cut(struct stream *stream);
void memory_client_mend(struct stream *stream);
void memory_client_hold(struct stream *stream, bool hold);

// --- looking (tests)

struct memory_partition;
const struct memory_partition *memory_server_partition(const struct memory_server *server,
                                                       uint32_t partition);
uint64_t memory_server_entries(const struct memory_server *server); // appended by puts, ever
