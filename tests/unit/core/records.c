// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/core/records.h"

#include "replicator/core/shadow.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <string.h>

#define TENANT SPAN_LIT("default")
#define SERVICE SPAN_LIT("s")

struct key_bytes keys_policy(void)
{
    struct key_bytes key;
    key_policy(TENANT, SERVICE, &key);
    return key;
}

struct key_bytes keys_instance(const char *instance)
{
    struct key_bytes key;
    key_registration(TENANT, SERVICE, span_str(instance), &key);
    return key;
}

struct key_bytes keys_override(const char *instance)
{
    struct key_bytes key;
    key_override(TENANT, SERVICE, span_str(instance), &key);
    return key;
}

struct key_bytes keys_observation(const char *instance, const char *observer)
{
    struct key_bytes key;
    key_observation(TENANT, SERVICE, span_str(instance), span_str(observer), &key);
    return key;
}

struct key_bytes keys_node(const char *node)
{
    struct key_bytes key;
    key_node(span_str(node), &key);
    return key;
}

void peer_shows(struct rig *rig, struct key_bytes key, const struct record *record)
{
    struct map_facts facts = {0};
    (void)map_peek(rig->map, key_span(&key), &facts);
    rig_record(rig, key_span(&key), facts.version.counter + 1, record);
}

void peer_registers(struct rig *rig, const char *instance)
{
    const struct record record = {
        .kind = KEY_REGISTRATION,
        .registration = {.address = SPAN_LIT("10.0.0.1"), .port = 80, .weight = 1}};
    peer_shows(rig, keys_instance(instance), &record);
}

void peer_votes(struct rig *rig, const char *instance, const char *node, enum status status)
{
    const struct record record = {.kind = KEY_OBSERVATION,
                                  .observation = {.status = status,
                                                  .reason = status == STATUS_HEALTHY
                                                                ? REASON_CHECK_PASSED
                                                                : REASON_CONNECT_REFUSED,
                                                  .vantage = VANTAGE_PEER,
                                                  .since_ms = rig->now_ms,
                                                  .via = span_str(node)}};
    peer_shows(rig, keys_observation(instance, node), &record);
}

void peer_overrides(struct rig *rig, const char *instance, enum status status)
{
    const struct record record = {.kind = KEY_OVERRIDE,
                                  .override = {.status = status, .actor = SPAN_LIT("anna")}};
    peer_shows(rig, keys_override(instance), &record);
}

void peer_deletes(struct rig *rig, struct key_bytes key)
{
    struct key parsed;
    CHECK_OK(key_parse(key_span(&key), &parsed));
    const struct record record = {.kind = parsed.kind, .tombstone = true};
    peer_shows(rig, key, &record);
}

void peer_node(struct rig *rig, const char *node, bool up)
{
    const struct record record = {.kind = KEY_NODE, .node = {.incarnation = 1, .up = up}};
    peer_shows(rig, keys_node(node), &record);
}

void peer_policy(struct rig *rig, const struct policy *policy)
{
    const struct record record = {.kind = KEY_POLICY, .policy = *policy};
    peer_shows(rig, keys_policy(), &record);
}

void peer_bytes(struct rig *rig, const struct stream_pair *pair, uint64_t floor)
{
    const struct shadow_fact before = shadow_find(rig->core, 0, pair->key);
    if (before.held) {
        rig->digest.count--;
        rig->digest.sum = (rig->digest.sum - before.hash) & CODEC_HASH_MASK;
    }
    if (pair->value.len >= CODEC_HEAD_LEN) {
        uint64_t hash = 0;
        for (size_t i = 0; i < CODEC_HASH_LEN; i++) {
            hash = hash << 8 | (unsigned char)pair->value.ptr[VERSION_LEN + i];
        }
        rig->digest.count++;
        rig->digest.sum = (rig->digest.sum + hash) & CODEC_HASH_MASK;
    }
    struct stream_event event = {.type = STREAM_EV_ENTRY};
    event.entry = (struct stream_entry){.id = {++rig->id, 0},
                                        .valid = true,
                                        .sequence = ++rig->sequence,
                                        .digest = rig->digest,
                                        .floor = floor,
                                        .pairs = pair,
                                        .count = 1};
    memcpy(event.entry.epoch.text, rig->epoch, sizeof(rig->epoch));
    rig_stream(rig, &event);
}

struct span future_of(struct key_bytes key, uint64_t counter, char buf[RECORD_LEN_MAX])
{
    static const char body[] = {CODEC_WIRE + 1, 7, 'n', 'e', 'w'};
    const struct version version = {counter, version_writer(SPAN_LIT("peer"), 1)};
    size_t len = codec_value_write(key_span(&key), version, span_of(body, sizeof(body)), buf,
                                   RECORD_LEN_MAX);
    CHECK(len != 0);
    return span_of(buf, len);
}

void caller_puts(struct rig *rig, uint64_t op, struct key_bytes key, const struct record *record)
{
    const struct patch patch = {.op = PATCH_PUT, .record = *record};
    const struct core_write write = {.op = op, .key = key_span(&key), .patch = &patch};
    rig_write(rig, &write);
}

void caller_deletes(struct rig *rig, uint64_t op, struct key_bytes key)
{
    struct key parsed;
    CHECK_OK(key_parse(key_span(&key), &parsed));
    const struct patch patch = {.op = PATCH_DELETE, .record = {.kind = parsed.kind}};
    const struct core_write write = {.op = op, .key = key_span(&key), .patch = &patch};
    rig_write(rig, &write);
}

void rig_connect(struct rig *rig)
{
    rig_up(rig);
    rig_no_meta(rig);
    rig_meta(rig, 0);
    rig_scan_end(rig);
    rig_meta(rig, 0);
}

void rig_settle(struct rig *rig)
{
    // The reply may bring the next put before the echo of this one, so what is echoed is kept aside.
    static struct stream_pair pairs[STREAM_PUT_RECORDS_MAX];
    static char bytes[STREAM_PUT_RECORDS_MAX][KEY_LEN_MAX + RECORD_LEN_MAX];
    while (rig->put_open) {
        uint32_t count = rig->put_count;
        for (uint32_t i = 0; i < count; i++) {
            memcpy(bytes[i], rig->put[i].key, rig->put[i].key_len);
            memcpy(bytes[i] + KEY_LEN_MAX, rig->put[i].value, rig->put[i].value_len);
            pairs[i] = (struct stream_pair){
                .key = span_of(bytes[i], rig->put[i].key_len),
                .value = span_of(bytes[i] + KEY_LEN_MAX, rig->put[i].value_len)};
        }
        rig_accept(rig);
        struct stream_event event = {.type = STREAM_EV_ENTRY};
        event.entry = (struct stream_entry){.id = {rig->id, 0},
                                            .valid = true,
                                            .sequence = rig->sequence,
                                            .digest = rig->digest,
                                            .pairs = pairs,
                                            .count = count};
        memcpy(event.entry.epoch.text, rig->epoch, sizeof(rig->epoch));
        rig_stream(rig, &event);
    }
}

bool rig_shows(struct rig *rig, struct key_bytes key)
{
    struct map_facts facts;
    return map_peek(rig->map, key_span(&key), &facts) &&
           (facts.flags & (MAP_TOMBSTONE | MAP_OPAQUE)) == 0;
}

bool rig_health_is(struct rig *rig, const char *instance, const char *expected)
{
    char text[128];
    const struct health health = rig_facts(rig, instance).health.health;
    snprintf(text, sizeof(text), "%s %s%s%s", status_name(health.status),
             reason_word(health.reason), health.guarded ? " guarded" : "",
             health.overridden ? " overridden" : "");
    bool same = strcmp(text, expected) == 0;
    if (!same) {
        printf("# %s is %s, expected %s\n", instance, text, expected);
        fflush(stdout);
    }
    return same;
}

bool rig_said(const struct rig *rig, const char *line)
{
    bool said = rig->story_len > 0 && strstr(rig->story, line) != NULL;
    if (!said) {
        printf("# told:\n%s\n", rig->story_len > 0 ? rig->story : "");
        fflush(stdout);
    }
    return said;
}

void rig_leave_room(struct rig *rig, size_t len)
{
    struct arena *arena = &rig->core->arena;
    size_t end = arena->len;
    arena->len = arena->bump; // so that only what was freed is taken
    rig_fill_arena(rig);
    CHECK(arena->bump + len <= end);
    arena->len = arena->bump + len;
}

void rig_fill_arena(struct rig *rig)
{
    struct arena *arena = &rig->core->arena;
    for (size_t len = (size_t)1 << 20; len >= 32; len /= 2) {
        while (arena_take(arena, len) != NULL) {
        }
    }
    // The classes between two powers of two.
    for (size_t len = (size_t)3 << 18; len >= 48; len /= 2) {
        while (arena_take(arena, len) != NULL) {
        }
    }
}
