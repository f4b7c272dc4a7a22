// SPDX-License-Identifier: Apache-2.0
// boost::concurrent_flat_map (Boost 1.83 or newer).
#include "tests/bench/map/peer.h"

#include <boost/unordered/concurrent_flat_map.hpp>

#include <cstring>

namespace
{
struct hasher {
    using is_avalanching = void; // so that Boost does not mix a second time
    std::size_t operator()(const peer_key &key) const
    {
        return peer_hash(&key);
    }
};

struct equal {
    bool operator()(const peer_key &a, const peer_key &b) const
    {
        return std::memcmp(a.bytes, b.bytes, PEER_KEY_LEN) == 0;
    }
};

boost::concurrent_flat_map<peer_key, peer_value, hasher, equal> *map;
} // namespace

extern "C" {
const char *const peer_name = "boost";

void peer_open(void)
{
    map = new std::remove_pointer_t<decltype(map)>();
}

bool peer_get(const peer_key *key, peer_value *ret_value)
{
    return map->cvisit(*key, [=](const auto &held) { *ret_value = held.second; }) != 0;
}

// A visit takes half the time of an insert that finds the key.
void peer_put(const peer_key *key, const peer_value *value)
{
    if (map->visit(*key, [=](auto &held) { held.second = *value; }) == 0) {
        map->insert_or_assign(*key, *value);
    }
}

std::size_t peer_walk(void)
{
    std::size_t met = 0;
    std::uint64_t sum = 0;
    map->cvisit_all([&](const auto &held) {
        sum += held.second.words[0];
        met++;
    });
    return met + (sum == 1 ? 1 : 0); // so that the records are looked at
}

// Bulk visitation prefetches; it may visit in any order, so each value finds its own place.
size_t peer_get_many(const peer_key *keys, size_t count, peer_value *ret_values)
{
    return map->cvisit(keys, keys + count, [=](const auto &held) {
        for (size_t i = 0; i < count; i++) {
            // the last bytes differ first
            if (std::memcmp(keys[i].bytes + 32, held.first.bytes + 32, 8) == 0 &&
                equal()(keys[i], held.first)) {
                ret_values[i] = held.second;
            }
        }
    });
}
}
