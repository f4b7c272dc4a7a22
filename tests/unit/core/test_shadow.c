// SPDX-License-Identifier: Apache-2.0
// What the server held at the cursor, by hand: the map's own, a side entry, or nothing.
#include "replicator/core/shadow.h"

#include "tests/lib/suite.h"
#include "tests/unit/core/records.h"

#include <string.h>

static const struct shadow_fact nothing;

// Live, with i1 held by map and server alike.
static struct rig *rig_with_i1(void)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    rig_entry(rig, "i1", 4, 9);
    return rig;
}

static struct shadow_fact find(struct rig *rig, const char *instance)
{
    struct key_bytes key = keys_instance(instance);
    return shadow_find(rig->core, 0, key_span(&key));
}

static bool same(const struct stream_digest *a, const struct stream_digest *b)
{
    return a->count == b->count && a->sum == b->sum;
}

TEST(where_map_and_server_agree_nothing_is_kept_aside)
{
    struct rig *rig = rig_with_i1();
    struct shadow_fact fact = find(rig, "i1");
    CHECK(fact.held);
    CHECK_UEQ(fact.version.counter, 4);
    CHECK_UEQ(fact.hash, rig_facts(rig, "i1").hash);
    CHECK(!find(rig, "i2").held);
    CHECK_EQ(rig->core->side.count, 0);
    rig_free(rig);
}

TEST(an_accepted_reply_keeps_what_the_server_held_at_the_cursor_aside)
{
    struct rig *rig = rig_with_i1();
    const struct stream_digest before = rig->core->sessions[0].shadow;
    rig_put_instance(rig, "i1", 7, false);
    rig_accept(rig); // the map is ahead of the cursor now
    CHECK_EQ(rig_facts(rig, "i1").version.counter, 5);
    CHECK_UEQ(find(rig, "i1").version.counter, 4);
    CHECK_EQ(rig->core->side.count, 1);
    CHECK(same(&rig->core->sessions[0].shadow, &before));
    rig_echo(rig);
    CHECK_UEQ(find(rig, "i1").version.counter, 5);
    CHECK_EQ(rig->core->side.count, 0);
    CHECK(same(&rig->core->sessions[0].shadow, &rig->digest));
    rig_free(rig);
}

TEST(a_move_there_and_back_leaves_the_digest_as_it_was)
{
    struct rig *rig = rig_with_i1();
    const struct stream_digest before = rig->core->sessions[0].shadow;
    struct key_bytes key = keys_instance("i9");
    const struct shadow_fact fact = {true, false, {3, 1}, CODEC_HASH_MASK};
    struct shadow_change change = {.key = key_span(&key), .before = nothing, .now = fact};
    shadow_move(rig->core, &change);
    CHECK_UEQ(rig->core->sessions[0].shadow.count, before.count + 1);
    CHECK_INT(rig->core->sessions[0].shadow.sum, le, CODEC_HASH_MASK);
    CHECK(find(rig, "i9").held); // aside, for the map has none
    change.before = fact;
    change.now = nothing;
    shadow_move(rig->core, &change);
    CHECK(same(&rig->core->sessions[0].shadow, &before));
    CHECK(!find(rig, "i9").held);
    CHECK_EQ(rig->core->side.count, 0);
    rig_free(rig);
}

TEST(a_detached_key_keeps_the_first_fact_only)
{
    struct rig *rig = rig_with_i1();
    struct key_bytes key = keys_instance("i1");
    struct map_facts facts = rig_facts(rig, "i1");
    shadow_detach(rig->core, 0, key_span(&key), &facts);
    facts.version.counter = 77; // the map went on; the server did not
    shadow_detach(rig->core, 0, key_span(&key), &facts);
    CHECK_UEQ(find(rig, "i1").version.counter, 4);
    shadow_detach(rig->core, 0, key_span(&key), NULL);
    CHECK_EQ(rig->core->side.count, 1);
    rig_free(rig);
}

TEST(a_new_scan_knows_nothing_of_the_server)
{
    struct rig *rig = rig_with_i1();
    struct key_bytes key = keys_instance("i1");
    struct map_facts facts = rig_facts(rig, "i1");
    shadow_detach(rig->core, 0, key_span(&key), &facts);
    shadow_forget(rig->core, 0);
    CHECK(!find(rig, "i1").held);
    CHECK_EQ(rig->core->side.count, 0);
    CHECK(same(&rig->core->sessions[0].shadow, &(struct stream_digest){0, 0}));
    rig_free(rig);
}

TEST(without_memory_the_digest_is_not_compared_until_the_next_scan)
{
    struct rig *rig = rig_with_i1();
    struct key_bytes key = keys_instance("i1");
    struct map_facts facts = rig_facts(rig, "i1");
    rig_fill_arena(rig);
    shadow_detach(rig->core, 0, key_span(&key), &facts);
    CHECK(rig->core->sessions[0].shadow_lost);
    rig->digest.sum ^= 1; // what would be a resync
    rig_entry(rig, "i1", 9, 3);
    CHECK_EQ(rig->core->sessions[0].resyncs, 0);
    shadow_forget(rig->core, 0);
    CHECK(!rig->core->sessions[0].shadow_lost);
    rig_free(rig);
}

SUITE("core/shadow", T(where_map_and_server_agree_nothing_is_kept_aside),
      T(an_accepted_reply_keeps_what_the_server_held_at_the_cursor_aside),
      T(a_move_there_and_back_leaves_the_digest_as_it_was),
      T(a_detached_key_keeps_the_first_fact_only), T(a_new_scan_knows_nothing_of_the_server),
      T(without_memory_the_digest_is_not_compared_until_the_next_scan));
