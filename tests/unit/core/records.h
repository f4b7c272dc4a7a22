// SPDX-License-Identifier: Apache-2.0
// Records of service s of the default tenant, in the hands of peers and of callers, for stories on the bench
// (rig.h):
//
//     peer_registers(rig, "i1");                       an entry that a peer wrote
//     caller_deletes(rig, 4, keys_instance("i1"));     an unconditional write with op 4
//     rig_settle(rig);                                 the server takes whatever core has to say
//
// A peer's record stands one counter above what the map holds.  Tests of core's parts may look into
// state.h; the stories of whole paths do not need to.
#pragma once

#include "replicator/core/state.h"
#include "tests/unit/core/rig.h"

struct key_bytes keys_policy(void);
struct key_bytes keys_instance(const char *instance);
struct key_bytes keys_override(const char *instance);
struct key_bytes keys_observation(const char *instance, const char *observer);
struct key_bytes keys_node(const char *node);

void peer_shows(struct rig *rig, struct key_bytes key, const struct record *record);
void peer_registers(struct rig *rig, const char *instance);
// As a peer node that looks; UNHEALTHY says ConnectRefused, HEALTHY says CheckPassed.
void peer_votes(struct rig *rig, const char *instance, const char *node, enum status status);
void peer_overrides(struct rig *rig, const char *instance, enum status status);
void peer_deletes(struct rig *rig, struct key_bytes key);
void peer_node(struct rig *rig, const char *node, bool up);
void peer_policy(struct rig *rig, const struct policy *policy);
// Any bytes as the one pair of an entry; the played server's digest follows.
void peer_bytes(struct rig *rig, const struct stream_pair *pair, uint64_t floor);

// A value whose body has a wire version that is not known yet; its hash is right.
struct span future_of(struct key_bytes key, uint64_t counter, char buf[RECORD_LEN_MAX]);

void caller_puts(struct rig *rig, uint64_t op, struct key_bytes key, const struct record *record);
void caller_deletes(struct rig *rig, uint64_t op, struct key_bytes key);

// Connected, an empty server scanned; nothing ticked yet, so not joined.
void rig_connect(struct rig *rig);
// Accepts and echoes puts until none is open.
void rig_settle(struct rig *rig);
// The key is held and neither a tombstone nor opaque.
bool rig_shows(struct rig *rig, struct key_bytes key);
// What is shown of the instance equals `expected`: "DEGRADED Guarded guarded", "DRAINING OperatorDrain overridden".
bool rig_health_is(struct rig *rig, const char *instance, const char *expected);
// The transcript holds `line` somewhere.
bool rig_said(const struct rig *rig, const char *line);
// So much of core's memory is taken that nothing fits any more.
void rig_fill_arena(struct rig *rig);
// And then there is room for so many bytes.
void rig_leave_room(struct rig *rig, size_t len);
