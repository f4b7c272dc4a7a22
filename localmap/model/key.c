// SPDX-License-Identifier: Apache-2.0
#include "localmap/model/key.h"

#include "base/assert.h"
#include "base/siphash.h"
#include "base/utf8.h"

#define KEY_PARTS_MAX 4

// The length of the prefix that ends before the NUL number `nth` (from 1); the whole when there are fewer.
static size_t prefix_len(struct span bytes, unsigned nth)
{
    size_t at = 0;
    while (at < bytes.len) {
        const char *nul = memchr(bytes.ptr + at, '\0', bytes.len - at);
        if (nul == NULL) {
            return bytes.len;
        }
        size_t end = (size_t)(nul - bytes.ptr);
        if (--nth == 0) {
            return end;
        }
        at = end + 1;
    }
    return bytes.len;
}

struct span key_service_prefix(struct span bytes)
{
    return span_of(bytes.ptr, prefix_len(bytes, 2));
}

struct span key_instance_prefix(struct span bytes)
{
    size_t service_len = prefix_len(bytes, 2);
    if (service_len == bytes.len) {
        return SPAN_NONE;
    }
    size_t at = service_len + 1;
    return span_of(bytes.ptr, at + prefix_len(span_of(bytes.ptr + at, bytes.len - at), 1));
}

uint32_t key_partition(struct span bytes, uint32_t partitions)
{
    struct span service = key_service_prefix(bytes);
    return (uint32_t)(siphash13(siphash_zero_key, service.ptr, service.len) % partitions);
}

// How much at the front is printable ASCII, which is nearly all that there is.  Eight bytes at a time: none
// may be over 0x7e (the sum sets its top bit) or under 0x20 (the difference does).
static size_t plain_len(struct span name)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    size_t len = 0;
    while (name.len - len >= sizeof(uint64_t)) {
        uint64_t word = 0;
        memcpy(&word, name.ptr + len, sizeof(word));
        if (((word | (word + ones) | (word - 0x20 * ones)) & 0x80 * ones) != 0) {
            break;
        }
        len += sizeof(word);
    }
    while (len < name.len && name.ptr[len] >= 0x20 && name.ptr[len] < 0x7f) {
        len++;
    }
    return len;
}

enum err key_name_check(struct span name, size_t len_max)
{
    if (name.len == 0) {
        return ERR_SYNTAX;
    }
    if (name.len > len_max) {
        return ERR_TOO_LARGE;
    }
    size_t plain = plain_len(name);
    struct span rest = span_of(name.ptr + plain, name.len - plain);
    while (rest.len > 0) {
        uint32_t code = 0;
        size_t len = utf8_next(rest, &code);
        if (len == 0 || utf8_is_control(code)) {
            return ERR_SYNTAX;
        }
        rest = span_of(rest.ptr + len, rest.len - len);
    }
    return ERR_OK;
}

// Cuts at each NUL.  Returns the number of parts; 0 when there are more than KEY_PARTS_MAX.
static size_t split(struct span bytes, struct span parts[KEY_PARTS_MAX])
{
    size_t count = 0;
    struct span rest = bytes;
    while (count < KEY_PARTS_MAX) {
        size_t len = prefix_len(rest, 1);
        parts[count++] = span_of(rest.ptr, len);
        if (len == rest.len) {
            return count;
        }
        rest = span_of(rest.ptr + len + 1, rest.len - len - 1);
    }
    return 0;
}

enum err key_parse(struct span bytes, struct key *ret_key)
{
    static const size_t len_max[KEY_PARTS_MAX] = {KEY_TENANT_MAX, KEY_SERVICE_MAX, KEY_INSTANCE_MAX,
                                                  KEY_OBSERVER_MAX};
    struct span parts[KEY_PARTS_MAX] = {SPAN_NONE, SPAN_NONE, SPAN_NONE, SPAN_NONE};
    if (bytes.len > KEY_LEN_MAX) {
        return ERR_SYNTAX;
    }
    size_t count = split(bytes, parts);
    if (count < 2) {
        return ERR_SYNTAX;
    }
    for (size_t i = 0; i < count; i++) {
        if (key_name_check(parts[i], len_max[i]) != ERR_OK) {
            return ERR_SYNTAX;
        }
    }
    bool mesh = span_eq_str(parts[0], KEY_TENANT_MESH);
    if (mesh && count > 2) {
        return ERR_SYNTAX; // a node has no instances
    }
    bool override = count == 4 && span_eq_str(parts[3], KEY_OBSERVER_OVERRIDE);
    *ret_key = (struct key){.kind = count == 2   ? (mesh ? KEY_NODE : KEY_POLICY)
                                    : count == 3 ? KEY_REGISTRATION
                                    : override   ? KEY_OVERRIDE
                                                 : KEY_OBSERVATION,
                            .tenant = parts[0],
                            .service = parts[1],
                            .instance = parts[2],
                            .observer = parts[3]};
    return ERR_OK;
}

static void append(struct key_bytes *bytes, struct span part, size_t len_max)
{
    ASSERT(part.len > 0 && part.len <= len_max);
    memcpy(bytes->ptr + bytes->len, part.ptr, part.len);
    bytes->len = (uint16_t)(bytes->len + part.len);
}

static void append_next(struct key_bytes *bytes, struct span part, size_t len_max)
{
    bytes->ptr[bytes->len++] = '\0';
    append(bytes, part, len_max);
}

void key_join(const struct key *key, struct key_bytes *ret_bytes)
{
    bool instance =
        key->kind == KEY_REGISTRATION || key->kind == KEY_OVERRIDE || key->kind == KEY_OBSERVATION;
    bool observer = key->kind == KEY_OVERRIDE || key->kind == KEY_OBSERVATION;
    ret_bytes->len = 0;
    append(ret_bytes, key->tenant, KEY_TENANT_MAX);
    append_next(ret_bytes, key->service, KEY_SERVICE_MAX);
    if (instance) {
        append_next(ret_bytes, key->instance, KEY_INSTANCE_MAX);
    }
    if (observer) {
        append_next(ret_bytes, key->observer, KEY_OBSERVER_MAX);
    }
}

void key_policy(struct span tenant, struct span service, struct key_bytes *ret_bytes)
{
    const struct key key = {.kind = KEY_POLICY, .tenant = tenant, .service = service};
    key_join(&key, ret_bytes);
}

void key_node(struct span node, struct key_bytes *ret_bytes)
{
    const struct key key = {.kind = KEY_NODE, .tenant = SPAN_LIT(KEY_TENANT_MESH), .service = node};
    key_join(&key, ret_bytes);
}

void key_registration(struct span tenant, struct span service, struct span instance,
                      struct key_bytes *ret_bytes)
{
    const struct key key = {
        .kind = KEY_REGISTRATION, .tenant = tenant, .service = service, .instance = instance};
    key_join(&key, ret_bytes);
}

void key_override(struct span tenant, struct span service, struct span instance,
                  struct key_bytes *ret_bytes)
{
    const struct key key = {.kind = KEY_OVERRIDE,
                            .tenant = tenant,
                            .service = service,
                            .instance = instance,
                            .observer = SPAN_LIT(KEY_OBSERVER_OVERRIDE)};
    key_join(&key, ret_bytes);
}

void key_observation(struct span tenant, struct span service, struct span instance,
                     struct span observer, struct key_bytes *ret_bytes)
{
    const struct key key = {.kind = KEY_OBSERVATION,
                            .tenant = tenant,
                            .service = service,
                            .instance = instance,
                            .observer = observer};
    key_join(&key, ret_bytes);
}
