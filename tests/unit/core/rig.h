// SPDX-License-Identifier: Apache-2.0
// A core on a bench: one partition, a real map, a server that is played by hand.  What core does is written
// down as a transcript, one action a line, so that a test reads as a story:
//
//     rig_put(rig, "i1", 7);          -> "put i1@0-0=1"
//     rig_accept(rig);                -> "done 1 accepted"
//
// `i1@0-0=1` is: key i1, expected version none, new counter 1.
#pragma once

#include "replicator/core/core.h"

#include <stdbool.h>
#include <stdint.h>

#define RIG_SELF "a"
#define RIG_EPOCH "0123456789abcdef0123456789abcdef"
#define RIG_EPOCH_2 "fedcba9876543210fedcba9876543210"

struct rig {
    struct core *core;
    struct map *map;
    void *arena;
    int64_t now_ms;
    char story[16384];
    size_t story_len;
    bool log; // write core's decisions down too
    // What the played server holds, as far as the rig needs it.
    char epoch[STREAM_EPOCH_LEN + 1];
    uint64_t sequence, id;
    struct stream_digest digest;
    bool in_grace;       // what the next heartbeat's answer says
    struct span payload; // of the peer in it
    // The last put, copied; `put_open` until it is answered.
    bool put_open;
    bool meta_open, scan_open, probe_open; // of each kind one question at a time (stream.h)
    uint32_t put_count;
    struct {
        char key[KEY_LEN_MAX];
        size_t key_len;
        char expected[16];
        char value[RECORD_LEN_MAX];
        size_t value_len;
    } put[STREAM_PUT_RECORDS_MAX];
};

struct rig *rig_new(void);
void rig_free(struct rig *rig);
// Connected, empty server, live, ready, joined; the transcript is cleared.
void rig_live(struct rig *rig);
// The transcript so far equals `expected` (lines joined by '\n'); clears it.
bool rig_told(struct rig *rig, const char *expected);
void rig_clear(struct rig *rig);
void rig_tick(struct rig *rig, int64_t ms);
void rig_step(struct rig *rig, const struct core_event *event);
void rig_stream(struct rig *rig, const struct stream_event *event);

void rig_up(struct rig *rig);
void rig_down(struct rig *rig);
void rig_meta(struct rig *rig, uint64_t sequence); // as the played server says, at that sequence
void rig_no_meta(struct rig *rig);
void rig_scan_end(struct rig *rig);
void rig_probe(struct rig *rig, bool found); // our entry at the cursor
// A heartbeat's answer: the server's clock, who lapsed (NULL: nobody), who beats beside us (NULL: nobody).
void rig_beat(struct rig *rig, int64_t server_ms, const char *lapsed, const char *peer);
// Any record of a peer, as an entry.
void rig_record(struct rig *rig, struct span key, uint64_t counter, const struct record *record);

// Writes: a registration of service s with this weight.
uint64_t rig_put_instance(struct rig *rig, const char *instance, uint32_t weight, bool ack_stream);
uint64_t rig_write(struct rig *rig, const struct core_write *write);
void rig_key(const char *instance, struct key_bytes *ret_key);

// The server's answers to the last put, which is applied to the played server's digest.
void rig_accept(struct rig *rig); // and nothing is echoed yet
// The last put was applied though no reply came.
void rig_apply_lost(struct rig *rig);
void rig_echo(struct rig *rig);                        // the entry of the last put
void rig_refuse(struct rig *rig, struct span current); // a conflict of one record
void rig_status(struct rig *rig, enum stream_status status);
// A peer's entry with one registration; `counter` is its version's, the writer is another node.
void rig_entry(struct rig *rig, const char *instance, uint64_t counter, uint32_t weight);
size_t rig_value(const char *instance, uint64_t counter, uint32_t weight, char buf[RECORD_LEN_MAX]);

uint32_t rig_weight(struct rig *rig, const char *instance); // as shown; 0: absent
struct map_facts rig_facts(struct rig *rig, const char *instance);
