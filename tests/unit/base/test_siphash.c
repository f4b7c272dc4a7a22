// SPDX-License-Identifier: Apache-2.0
// Vectors: the reference table for key 00..0f and inputs 00 01 02 ... (Rust's library tests the same ones),
// and what CPython 3.11's hash() gives under a zero key (PYTHONHASHSEED=0).
#include "base/siphash.h"
#include "tests/lib/suite.h"

#include <string.h>

TEST(the_reference_vectors_hold)
{
    static const struct {
        size_t len;
        uint64_t hash;
    } rows[] = {
        {0, 0xabac0158050fc4dc},   {1, 0xc9f49bf37d57ca93},   {2, 0x82cb9b024dc7d44d},
        {3, 0x8bf80ab8e7ddf7fb},   {7, 0xd3927d989bb11140},   {8, 0x369095118d299a8e},
        {9, 0x25a48eb36c063de4},   {15, 0xd320d86d2a519956},  {16, 0xcc4fdd1a7d908b66},
        {17, 0x9cf2689063dbd80c},  {31, 0x2370dd1f8c21d1bc},  {32, 0x81157b6c16a7b60d},
        {63, 0x9d199062b7bbb3a8},  {255, 0xf76214e3153c4a15}, {256, 0x75b3e64e167de370},
        {300, 0x4016a23bda5a2224},
    };
    uint8_t key[SIPHASH_KEY_LEN];
    uint8_t data[300];
    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = (uint8_t)i;
    }
    memcpy(key, data, sizeof(key));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CHECK_UEQ(siphash13(key, data, rows[i].len), rows[i].hash);
    }
}

TEST(a_zero_key_agrees_with_python)
{
    CHECK_UEQ(siphash13(siphash_zero_key, "a", 1), 0x407448d2b89b1813);
    CHECK_UEQ(siphash13(siphash_zero_key, "default\0pay", 11), 0x4fc09d301322772c);
    CHECK_UEQ(siphash13(siphash_zero_key, "outbound|80||pay.svc", 20), 0x63855208f616f445);
    CHECK_UEQ(siphash13(siphash_zero_key, "0123456789abcdef", 16), 0x1d42b30f7e060c24);
}

TEST(the_place_in_memory_does_not_matter)
{
    char buf[32];
    for (size_t at = 0; at < 8; at++) {
        memcpy(buf + at, "0123456789abcdef", 16);
        CHECK_UEQ(siphash13(siphash_zero_key, buf + at, 16), 0x1d42b30f7e060c24);
    }
}

TEST(nothing_may_be_a_null_pointer)
{
    CHECK_UEQ(siphash13(siphash_zero_key, NULL, 0), siphash13(siphash_zero_key, "", 0));
}

SUITE("base/siphash", T(the_reference_vectors_hold), T(a_zero_key_agrees_with_python),
      T(the_place_in_memory_does_not_matter), T(nothing_may_be_a_null_pointer));
