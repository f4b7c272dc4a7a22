// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/map/hashes.h"

#include "base/siphash.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define SEED UINT64_C(0x5eed5eed5eed5eed)

static uint64_t xxh3(const struct peer_key *key)
{
    return XXH3_64bits_withSeed(key->bytes, sizeof(key->bytes), SEED);
}

static uint64_t sip(const struct peer_key *key)
{
    static const uint8_t secret[SIPHASH_KEY_LEN] = "the bench's key";
    return siphash13(secret, key->bytes, sizeof(key->bytes));
}

static uint64_t fnv(const struct peer_key *key)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < sizeof(key->bytes); i++) {
        hash = (hash ^ (uint8_t)key->bytes[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

static const struct {
    const char *name;
    peer_hash_fn hash;
} hashes[] = {{"xxh3", xxh3}, {"sip", sip}, {"fnv", fnv}};

peer_hash_fn hashes_find(const char *name)
{
    for (size_t i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++) {
        if (strcmp(hashes[i].name, name) == 0) {
            return hashes[i].hash;
        }
    }
    return NULL;
}
