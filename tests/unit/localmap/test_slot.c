// SPDX-License-Identifier: Apache-2.0
// A slot comes back from its bytes; only a registration's has room for health.
#include "localmap/slot.h"
#include "tests/lib/suite.h"

static struct slot some_slot(void)
{
    return (struct slot){
        .facts = {.version = {7, 9},
                  .hash = 11,
                  .flags = MAP_OPAQUE | MAP_LOCAL,
                  .pending = 3,
                  .mark = UINT32_MAX,
                  .health = {.health = {.status = STATUS_DEGRADED,
                                        .raw_status = STATUS_TIMEOUT,
                                        .reason = REASON_GUARDED,
                                        .guarded = true},
                             .since_ms = -5,
                             .revision = 77}},
        .digested = true,
        .service = 4711,
    };
}

TEST(a_slot_comes_back_from_its_bytes)
{
    for (int registration = 0; registration < 2; registration++) {
        const struct slot slot = some_slot();
        struct slot back;
        char value[SLOT_HEAD_MAX + 4];
        size_t len = slot_write_head(registration == 1, &slot, value);
        CHECK_UEQ(len, slot_head_len(registration == 1));
        CHECK_INT(len, le, SLOT_HEAD_MAX);
        memcpy(value + len, "body", 4);
        slot_read(registration == 1, span_of(value, len + 4), &back);
        CHECK_EQ(version_cmp(back.facts.version, slot.facts.version), 0);
        CHECK_UEQ(back.facts.hash, 11);
        CHECK_UEQ(back.facts.flags, MAP_OPAQUE | MAP_LOCAL);
        CHECK_UEQ(back.facts.pending, 3);
        CHECK_UEQ(back.facts.mark, UINT32_MAX);
        CHECK(back.digested);
        CHECK_UEQ(back.service, 4711);
        CHECK(span_eq_str(back.body, "body"));
        CHECK_UEQ(back.facts.health.revision, registration == 1 ? 77 : 0);
        CHECK_EQ(back.facts.health.health.guarded, registration == 1);
    }
    CHECK_INT(slot_head_len(false), lt, slot_head_len(true));
}

TEST(only_the_key_of_an_instance_is_a_registration)
{
    CHECK(slot_is_registration(SPAN_LIT("t\0s\0i")));
    CHECK(!slot_is_registration(SPAN_LIT("t\0s")));
    CHECK(!slot_is_registration(SPAN_LIT("t\0s\0i\0o")));
    CHECK(!slot_is_registration(SPAN_LIT("_mesh\0n")));
    CHECK(!slot_is_registration(SPAN_LIT("t")));
    CHECK(!slot_is_registration(SPAN_NONE));
}

SUITE("localmap/slot", T(a_slot_comes_back_from_its_bytes),
      T(only_the_key_of_an_instance_is_a_registration));
