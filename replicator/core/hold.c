// SPDX-License-Identifier: Apache-2.0
#include "replicator/core/hold.h"

#include "localmap/model/merge.h"
#include "replicator/core/derive.h"
#include "replicator/core/evict.h"
#include "replicator/core/outbox.h"
#include "replicator/core/presence.h"
#include "replicator/core/shadow.h"

// One value on its way into the map.
struct offer {
    uint32_t partition;
    struct span key;
    struct map_key map_key; // the same
    struct codec_value value;
    uint32_t flags;
    uint32_t mark;
    bool held; // by the map, before
    struct map_facts facts;
    struct record *record; // for the decoded body; set when it is neither tombstone nor opaque
};

static void look_up(const struct core *core, struct offer *offer)
{
    offer->map_key = map_key(core->map, offer->key);
    offer->held = map_peek_at(core->map, &offer->map_key, &offer->facts);
}

void hold_reject(struct core *core, const struct hold_place *place, const char *reason,
                 const struct stream_pair *pair)
{
    const struct core_log log = {.what = CORE_LOG_REJECTED,
                                 .partition = place->partition,
                                 .id = place->id,
                                 .text = span_str(reason),
                                 .key = pair != NULL ? pair->key : SPAN_NONE,
                                 .value = pair != NULL ? pair->value : SPAN_NONE};
    core_say(core, &log);
}

// The head of a value of any length; false: too short to be one.
static bool head_of(struct span bytes, struct codec_value *ret_value)
{
    if (bytes.len < CODEC_HEAD_LEN) {
        return false;
    }
    const unsigned char *hash = (const unsigned char *)bytes.ptr + VERSION_LEN;
    uint64_t sum = 0;
    for (size_t i = 0; i < CODEC_HASH_LEN; i++) {
        sum = sum << 8 | hash[i];
    }
    ret_value->version = version_get(bytes.ptr);
    ret_value->hash = sum;
    ret_value->body = span_of(bytes.ptr + CODEC_HEAD_LEN, bytes.len - CODEC_HEAD_LEN);
    return true;
}

// Why a value cannot be merged; NULL when it can.  Decodes it, or sets MAP_TOMBSTONE or MAP_OPAQUE.
static const char *examine(struct offer *offer)
{
    const struct codec_value *value = &offer->value;
    struct key key;
    offer->flags = 0;
    if (key_parse(offer->key, &key) != ERR_OK) {
        return "key";
    }
    if (codec_hash(offer->key, value->version, value->body) != value->hash) {
        return "hash";
    }
    if (codec_is_tombstone(value->body)) {
        offer->flags = MAP_TOMBSTONE;
        return NULL;
    }
    enum err err = codec_body_read(key.kind, value->body, offer->record);
    if (err == ERR_UNSUPPORTED) {
        offer->flags = MAP_OPAQUE;
        return NULL;
    }
    return err == ERR_OK ? NULL : "garbage";
}

static bool is_newer(const struct offer *offer)
{
    if (!offer->held || version_is_none(offer->facts.version)) {
        return true;
    }
    return merge_takes(merge_decide(offer->facts.version, offer->facts.hash, offer->value.version,
                                    offer->value.hash));
}

static void tell_equivocation(struct core *core, const struct offer *offer)
{
    if (offer->held && version_cmp(offer->facts.version, offer->value.version) == 0 &&
        offer->facts.hash != offer->value.hash && !version_is_none(offer->facts.version)) {
        core->counters[CORE_EQUIVOCATIONS]++;
        const struct core_log log = {.what = CORE_LOG_EQUIVOCATION, .key = offer->key};
        core_say(core, &log);
    }
}

static bool is_stub_of_it(const struct offer *offer)
{
    return offer->held && (offer->facts.flags & MAP_EVICTED) != 0 &&
           version_cmp(offer->facts.version, offer->value.version) == 0 &&
           offer->facts.hash == offer->value.hash;
}

// Puts it into the map, under the patches of its slot if there is one.
static enum hold_result merge_into_map(struct core *core, const struct offer *offer)
{
    if (is_stub_of_it(offer) && !evict_is_wanted(core, offer->key)) {
        map_set_mark(core->map, offer->key, offer->mark); // it went for want of memory: it stays so
        return HOLD_SAME;
    }
    struct slot *slot = outbox_get(core, offer->key);
    bool newer = is_newer(offer);
    if (slot != NULL && newer && !outbox_rebase(core, slot, &offer->value, offer->flags)) {
        return HOLD_REJECTED;
    }
    enum put_result result = PUT_STALE;
    const struct map_put put = {&offer->value, offer->flags | MAP_ADMITTED, offer->mark};
    if (map_put_at(core->map, &offer->map_key, &put, &result) != ERR_OK) {
        return HOLD_REJECTED;
    }
    if (result == PUT_SAME) {
        return HOLD_SAME;
    }
    if (result == PUT_STALE) {
        return HOLD_OLDER;
    }
    if (slot != NULL) {
        (void)outbox_show(core, slot);
    }
    if (slot == NULL && offer->flags == 0) {
        derive_touch_shown(core, offer->key, offer->record);
    } else {
        derive_touch(core, offer->key); // another one than came is shown, or none
    }
    return HOLD_TAKEN;
}

static bool is_local(const struct offer *offer)
{
    return offer->held && (offer->facts.flags & MAP_LOCAL) != 0;
}

// Is there something that can be read, which a record that cannot be read must not displace?
static bool holds_readable(const struct core *core, const struct offer *offer)
{
    const struct slot *slot = outbox_get(core, offer->key);
    uint32_t flags = slot != NULL ? slot->base_flags : offer->facts.flags;
    return offer->held && (flags & (MAP_OPAQUE | MAP_EVICTED)) == 0 &&
           !version_is_none(offer->facts.version);
}

static enum hold_result merge(struct core *core, const struct offer *offer)
{
    tell_equivocation(core, offer);
    if (is_local(offer)) {
        return HOLD_REJECTED; // ours alone, whatever the stream says
    }
    if ((offer->flags & MAP_OPAQUE) != 0 && is_newer(offer)) {
        presence_unreadable(core, offer->key);
        if (holds_readable(core, offer)) {
            return HOLD_OPAQUE;
        }
    }
    return merge_into_map(core, offer);
}

bool hold_is_opaque(struct core *core, uint32_t partition, struct span key)
{
    struct map_facts facts = {.flags = 0};
    bool held = map_peek(core->map, key, &facts);
    if ((facts.flags & MAP_LOCAL) != 0) {
        return false;
    }
    const struct slot *slot = outbox_get(core, key);
    if (((slot != NULL ? slot->base_flags : facts.flags) & MAP_OPAQUE) != 0) {
        return true;
    }
    const struct shadow_fact server = shadow_get(core, partition, key, held ? &facts : NULL);
    return server.opaque && version_cmp(server.version, facts.version) > 0;
}

void hold_tell_opaque(struct core *core, struct span key)
{
    const struct core_log log = {.what = CORE_LOG_OPAQUE, .key = key};
    core_say(core, &log);
}

// The server forgot the key.  What is held above its floor it should not have forgotten: it had gone back.
static enum hold_result purge(struct core *core, uint32_t partition, struct span key)
{
    struct map_facts facts;
    bool held = map_peek(core->map, key, &facts);
    const struct shadow_change change = {
        .partition = partition,
        .key = key,
        .before = shadow_get(core, partition, key, held ? &facts : NULL)};
    shadow_move(core, &change);
    if (!held || (facts.flags & MAP_LOCAL) != 0) {
        return HOLD_TAKEN;
    }
    if (facts.version.counter > core->sessions[partition].floor) {
        return HOLD_OLDER;
    }
    struct slot *slot = outbox_get(core, key);
    if (slot != NULL) {
        outbox_unbase(core, slot);
        (void)outbox_show(core, slot);
    } else {
        map_drop(core->map, key);
    }
    derive_touch(core, key);
    return HOLD_TAKEN;
}

// Why a pair's value cannot be merged; NULL when it can.
static const char *examine_pair(const struct stream_pair *pair, struct offer *offer)
{
    struct codec_value checked;
    if (pair->oversized || pair->value.len > RECORD_LEN_MAX) {
        return "oversized";
    }
    if (codec_value_parse(pair->value, &checked) != ERR_OK) {
        return "garbage";
    }
    return examine(offer);
}

enum hold_result hold_pair(struct core *core, const struct hold_place *place,
                           const struct stream_pair *pair)
{
    uint32_t partition = place->partition;
    if (pair->value.len == 0 && !pair->oversized) {
        return purge(core, partition, pair->key);
    }
    struct record record;
    struct offer offer = {.partition = partition,
                          .key = pair->key,
                          .mark = core->sessions[partition].generation,
                          .record = &record};
    if (!head_of(pair->value, &offer.value)) {
        hold_reject(core, place, "truncated", pair);
        return HOLD_REJECTED;
    }
    if (pair->key.len > KEY_LEN_MAX) {
        hold_reject(core, place, "key", pair);
        return HOLD_REJECTED;
    }
    look_up(core, &offer);
    const struct shadow_fact before =
        shadow_get(core, partition, pair->key, offer.held ? &offer.facts : NULL);
    if (place->scan && before.held &&
        !merge_takes(
            merge_decide(before.version, before.hash, offer.value.version, offer.value.hash))) {
        return HOLD_SAME;
    }
    const char *why = examine_pair(pair, &offer);
    enum hold_result result = why == NULL ? merge(core, &offer) : HOLD_REJECTED;
    if (result == HOLD_OPAQUE || (offer.flags & MAP_OPAQUE) != 0) {
        why = "wire_version";
    } else if (why == NULL && result == HOLD_REJECTED && !is_local(&offer)) {
        why = "memory";
    }
    if (why != NULL) {
        hold_reject(core, place, why, pair);
    }
    const struct shadow_change change = {
        .partition = partition,
        .key = pair->key,
        .before = before,
        .now = {true, (offer.flags & MAP_OPAQUE) != 0, offer.value.version, offer.value.hash},
        .as_map = result == HOLD_TAKEN || result == HOLD_SAME};
    shadow_move(core, &change);
    return result;
}

void hold_fill(struct core *core, uint32_t partition, const struct stream_pair *pair)
{
    struct record record;
    struct offer offer = {.partition = partition, .key = pair->key, .record = &record};
    if (!head_of(pair->value, &offer.value)) {
        return;
    }
    look_up(core, &offer);
    offer.mark = offer.held ? offer.facts.mark : 0;
    if (is_stub_of_it(&offer) && examine_pair(pair, &offer) == NULL) {
        (void)merge_into_map(core, &offer);
    }
}

enum hold_result hold_reply(struct core *core, uint32_t partition, struct span key,
                            struct span value)
{
    struct record record;
    struct offer offer = {.partition = partition, .key = key, .mark = 0, .record = &record};
    if (codec_value_parse(value, &offer.value) != ERR_OK || examine(&offer) != NULL) {
        return HOLD_REJECTED;
    }
    look_up(core, &offer);
    if (!is_newer(&offer)) {
        bool same = version_cmp(offer.facts.version, offer.value.version) == 0 &&
                    offer.facts.hash == offer.value.hash;
        return same ? HOLD_SAME : HOLD_OLDER;
    }
    shadow_detach(core, partition, key, offer.held ? &offer.facts : NULL);
    enum hold_result result = merge(core, &offer);
    return (offer.flags & MAP_OPAQUE) != 0 ? HOLD_OPAQUE : result;
}
