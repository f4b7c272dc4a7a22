// SPDX-License-Identifier: Apache-2.0
// What a contract test stands on: one server of a backend, clients of it, and the events that they saw.
//
//     table of backends --rig_new--> server --rig_client--> clients --rig_wait--> seen events, copied
//
// The memory backend runs in virtual time; Redis runs as a private process and is waited for on a loop.
// A wait that takes longer than eight seconds fails the test.  One thread.
#pragma once

#include "stream/memory.h"
#include "stream/stream.h"
#include "tests/lib/redis_server.h"

#define RIG_PARTITIONS 4
#define RIG_CLIENTS_MAX 4
#define RIG_EPOCH_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define RIG_EPOCH_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

struct rig;

struct rig_backend {
    const char *name;
    void (*open)(struct rig *rig);
    void (*close)(struct rig *rig);
    enum err (*client)(struct rig *rig, stream_event_fn on_event, void *arg, struct stream **ret);
    void (*pump)(struct rig *rig); // lets a little time pass
    // Faults and strangers.
    void (*flush)(struct rig *rig);
    void (*trim)(struct rig *rig, uint32_t partition, size_t keep);
    void (*lose_last)(struct rig *rig, uint32_t partition);
    void (*garbage_entry)(struct rig *rig, uint32_t partition, struct span key, struct span value);
    void (*garbage_record)(struct rig *rig, uint32_t partition, struct span key, struct span value);
    // An entry with a head of ours, whoever wrote it; its id is not looked at.
    void (*foreign_entry)(struct rig *rig, uint32_t partition, const struct stream_entry *entry);
    void (*mistype)(struct rig *rig, uint32_t partition, enum memory_key key);
    void (*mend)(struct rig *rig, uint32_t partition, enum memory_key key);
    void (*claim)(struct rig *rig, uint32_t partition, uint32_t partitions, uint32_t wire);
    void (*forget_scripts)(struct rig *rig);
    void (*floor)(struct rig *rig, uint32_t partition, uint64_t floor);
    void (*cut)(struct rig *rig, uint32_t client); // and mends it
    void (*wait_ms)(struct rig *rig, int64_t ms);  // time passes for server and clients
};

extern const struct rig_backend rig_memory;
extern const struct rig_backend rig_redis;
// rig_redis over TLS with certificates on both sides, as a user with the rights of docs/redis.md and no more.
const struct rig_backend *rig_secure(void);

struct rig_client;
// Runs `row` over each backend, with a fresh server and two started clients.
void rig_each(void (*row)(struct rig *rig, struct rig_client *a, struct rig_client *b));

// An event with everything that it borrowed, in one block.
struct rig_seen {
    struct rig_seen *next;
    struct stream_event event;
    char *bytes;
    size_t bytes_len;
    struct stream_pair *pairs;
    struct stream_put_row *rows;
    struct span *lapsed;
    struct stream_peer *peers;
};

struct rig_client {
    struct rig *rig;
    struct stream *stream;
    struct rig_seen *first, **last;
};

struct rig {
    const struct rig_backend *backend;
    struct rig_client clients[RIG_CLIENTS_MAX];
    uint32_t client_count;
    struct memory_server *memory;
    int64_t now_us;
    struct loop *loop;
    struct redis_server redis;
    // To be set before rig_open, which keeps them; zero: the defaults.
    const char *const *redis_args;
    int64_t reply_timeout_ms, backoff_max_ms;
    // To be set before a client is made; NULL: the private server's socket, nobody, nothing.
    const char *url, *user, *password_file, *ca_file, *cert_file, *key_file;
    bool allow_eviction;
    int64_t watch_ms;
    struct rig_tls *tls; // of rig_secure
};

void rig_open(struct rig *rig, const struct rig_backend *backend);
void rig_close(struct rig *rig);
// A started client; waits for its UP.
struct rig_client *rig_client(struct rig *rig);
struct rig_client *rig_client_unstarted(struct rig *rig);

// The next event of this type, taken out of what was seen; waits for it.  Free it by rig_seen_free.
struct rig_seen *rig_wait(struct rig_client *client, enum stream_event_type type);
// Drops the next event of this type.
void rig_skip(struct rig_client *client, enum stream_event_type type);
// True when one of this type has been seen and not taken.
bool rig_has(const struct rig_client *client, enum stream_event_type type);
void rig_seen_free(struct rig_seen *seen);

// --- shorthands: a call and its answer

struct stream_epoch rig_epoch(const char *text);
struct stream_meta rig_meta(struct rig_client *client, uint32_t partition);
struct stream_meta rig_create(struct rig_client *client, uint32_t partition, const char *epoch);

// A record "svc\0<name>" of version (counter, writer 1), expecting (expected, writer 1); 0: absent.
struct rig_record {
    char key[40];
    char value[160];
    struct stream_record record;
};
void rig_record(struct rig_record *record, const char *name, uint64_t expected, uint64_t counter);
// One record; the answer is the event.
struct rig_seen *rig_put(struct rig_client *client, uint32_t partition, const char *epoch,
                         const struct rig_record *record);
// The same, and it must be accepted.
void rig_put_ok(struct rig_client *client, uint32_t partition, const struct rig_record *record);
uint64_t rig_hash(struct span value);
enum stream_status rig_put_status(struct rig_client *client, uint32_t partition,
                                  const struct rig_record *record);
bool rig_contains(struct span text, const char *part);
// Waits for a DOWN of that status whose text holds `part`.
void rig_expect_down(struct rig_client *client, enum stream_status status, const char *part);
// A port of 127.0.0.1 that nobody listens on at this moment.
unsigned rig_free_port(void);
void rig_write_file(const char *path, const char *text);
// The command that docs/redis.md tells an operator to give, with another password.
void rig_grant(struct rig *rig, const char *password);
// The rights in it, blanks between them ("on >SECRET" is no right).
void rig_documented_rights(char *ret_rights, size_t cap);
// A command to the private Redis; its answer must be no error.
void rig_run(struct rig *rig, const char *command);
