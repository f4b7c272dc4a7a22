// SPDX-License-Identifier: Apache-2.0
#include "localmap/slot.h"

#include "base/assert.h"

#define FLAG_DIGESTED (UINT32_C(1) << 31) // beside those of enum map_flag, never told
#define FLAG_COUNTED (UINT32_C(1) << 30)
#define FLAGS_OWN (FLAG_DIGESTED | FLAG_COUNTED)

struct head {
    struct version version;
    uint64_t hash;
    uint32_t flags;
    uint32_t pending;
    uint32_t mark;
    uint32_t service;
};

_Static_assert(sizeof(struct head) + sizeof(struct map_health) <= SLOT_HEAD_MAX, "a head fits");

bool slot_is_registration(struct span key)
{
    struct span instance = key_instance_prefix(key);
    return instance.len > 0 && instance.len == key.len;
}

size_t slot_head_len(bool registration)
{
    return sizeof(struct head) + (registration ? sizeof(struct map_health) : 0);
}

void slot_read_facts(bool registration, const char *bytes, struct map_facts *ret_facts)
{
    struct head head;
    memcpy(&head, bytes, sizeof(head));
    ret_facts->version = head.version;
    ret_facts->hash = head.hash;
    ret_facts->flags = head.flags & ~FLAGS_OWN;
    ret_facts->pending = head.pending;
    ret_facts->mark = head.mark;
    if (registration) {
        memcpy(&ret_facts->health, bytes + sizeof(head), sizeof(struct map_health));
    } else {
        memset(&ret_facts->health, 0, sizeof(struct map_health));
    }
}

void slot_read(bool registration, struct span value, struct slot *ret_slot)
{
    struct head head;
    size_t len = slot_head_len(registration);
    ASSERT(value.len >= len);
    slot_read_facts(registration, value.ptr, &ret_slot->facts);
    memcpy(&head, value.ptr, sizeof(head));
    ret_slot->digested = (head.flags & FLAG_DIGESTED) != 0;
    ret_slot->counted = (head.flags & FLAG_COUNTED) != 0;
    ret_slot->service = head.service;
    ret_slot->body = span_of(value.ptr + len, value.len - len);
}

size_t slot_write_head(bool registration, const struct slot *slot, char head[SLOT_HEAD_MAX])
{
    const struct map_facts *facts = &slot->facts;
    const struct head fixed = {.version = facts->version,
                               .hash = facts->hash,
                               .flags = facts->flags | (slot->digested ? FLAG_DIGESTED : 0) |
                                        (slot->counted ? FLAG_COUNTED : 0),
                               .pending = facts->pending,
                               .mark = facts->mark,
                               .service = slot->service};
    ASSERT((facts->flags & FLAGS_OWN) == 0);
    memcpy(head, &fixed, sizeof(fixed));
    if (registration) {
        memcpy(head + sizeof(fixed), &facts->health, sizeof(facts->health));
    }
    return slot_head_len(registration);
}
