// SPDX-License-Identifier: Apache-2.0
// The text of a heartbeat: what we write, what we read of a peer's, and what garbage does (nothing).
#include "replicator/core/heartbeat.h"

#include "tests/lib/suite.h"
#include "tests/unit/core/records.h"

#include <stdio.h>
#include <string.h>

static struct peer fresh(void)
{
    struct peer peer;
    memset(&peer, 0, sizeof(peer));
    peer.lag_ms = -1;
    return peer;
}

// Live at sequence 3 (our joining and two entries).
static struct rig *rig_at_three(void)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    rig_entry(rig, "i1", 1, 5);
    rig_entry(rig, "i2", 1, 5);
    return rig;
}

static struct peer read_by(const struct rig *rig, const char *payload)
{
    struct peer peer = fresh();
    heartbeat_read(rig->core, span_str(payload), &peer);
    return peer;
}

TEST(what_one_node_writes_another_reads)
{
    struct rig *one = rig_at_three();
    struct rig *two = rig_at_three();
    char payload[HEARTBEAT_LEN_MAX];
    one->core->options.zone = SPAN_LIT("west;1");
    one->core->lag_ms = 17;
    size_t len = heartbeat_write(one->core, payload);
    CHECK(len > 0 && len < HEARTBEAT_LEN_MAX);
    struct peer peer = fresh();
    heartbeat_read(two->core, span_of(payload, len), &peer);
    CHECK_UEQ(peer.beat_incarnation, 1);
    CHECK_STR(peer.release, "test");
    CHECK_STR(peer.zone, "west_1"); // what would end the part early is replaced
    CHECK_STR(peer.state, "live");
    CHECK_EQ(peer.lag_ms, 17);
    CHECK(strncmp(peer.digest, "3-", 2) == 0);
    CHECK(peer.agrees);
    CHECK(!peer.ahead);
    rig_free(one);
    rig_free(two);
}

TEST(the_position_is_told_as_sequence_digest_and_epoch)
{
    struct rig *rig = rig_at_three();
    char payload[HEARTBEAT_LEN_MAX];
    char expected[128];
    size_t len = heartbeat_write(rig->core, payload);
    payload[len] = '\0';
    snprintf(expected, sizeof(expected), ";p=3:3-%llx:%.8s;", (unsigned long long)rig->digest.sum,
             rig->epoch);
    CHECK(strstr(payload, expected) != NULL);
    rig_down(rig);
    payload[heartbeat_write(rig->core, payload)] = '\0';
    CHECK(strstr(payload, ";s=stale;") != NULL);
    CHECK(strstr(payload, ";p=;") != NULL); // nothing is claimed of a partition that is not live
    rig_free(rig);
}

// A heartbeat that tells of one partition at `sequence`, with our epoch or another.
static struct peer told(const struct rig *rig, uint64_t sequence, struct stream_digest digest,
                        bool same_epoch)
{
    char payload[128];
    snprintf(payload, sizeof(payload), "v=1;p=%llu:%llu-%llx:%.8s;", (unsigned long long)sequence,
             (unsigned long long)digest.count, (unsigned long long)digest.sum,
             same_epoch ? rig->epoch : "zzzzzzzz");
    return read_by(rig, payload);
}

TEST(a_peer_disagrees_when_its_digest_differs_where_we_have_been)
{
    static const struct {
        uint64_t sequence;
        uint64_t more_count, more_sum;
        bool same_epoch, agrees, ahead;
    } rows[] = {
        {2, 0, 0, true, true, false},  // behind us, on our own history
        {2, 0, 1, true, false, false}, // another sum there
        {2, 1, 0, true, false, false}, // another count there
        {900, 0, 1, true, true, true}, // ahead of us: the digest tells nothing
        {2, 0, 0, false, false, true}, // of another epoch
        {900, 0, 0, false, false, true},
    };
    struct rig *rig = rig_new();
    rig_live(rig);
    rig_entry(rig, "i1", 1, 5);
    const struct stream_digest at_two = rig->digest;
    rig_entry(rig, "i2", 1, 5);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct stream_digest digest = {at_two.count + rows[i].more_count,
                                             at_two.sum + rows[i].more_sum};
        struct peer peer = told(rig, rows[i].sequence, digest, rows[i].same_epoch);
        CHECK_EQ(peer.agrees, rows[i].agrees);
        CHECK_EQ(peer.ahead, rows[i].ahead);
    }
    CHECK(read_by(rig, "p=;").agrees);              // not live there
    CHECK(read_by(rig, "w=2:3-1:zzzzzzzz").agrees); // a part of a newer release
    rig_free(rig);
}

TEST(what_is_older_than_we_remember_tells_nothing)
{
    struct rig *rig = rig_new();
    rig_live(rig);
    for (int i = 0; i < HISTORY_LEN + 5; i++) {
        rig_entry(rig, "i1", (uint64_t)i + 1, 5);
    }
    const struct stream_digest other = {999, 1};
    CHECK(told(rig, 2, other, true).agrees);
    CHECK(!told(rig, HISTORY_LEN, other, true).agrees);
    rig_free(rig);
}

// Live again after the server was emptied: what is remembered is of the new history alone.
TEST(an_older_history_is_forgotten_as_a_whole)
{
    struct rig *rig = rig_at_three();
    const struct stream_digest at_three = rig->digest;
    rig_down(rig);
    memset(rig->epoch, 'e', 32);
    rig->digest = (struct stream_digest){0, 0};
    rig->sequence = 0;
    rig_up(rig);
    rig_meta(rig, 0); // of the probe: another epoch, so it is read afresh
    rig_meta(rig, 0);
    rig_scan_end(rig);
    rig_meta(rig, 0);
    rig_settle(rig); // what we hold is put back, in one call
    CHECK_EQ(core_get_state(rig->core), CORE_STATE_LIVE);
    CHECK_UEQ(rig->sequence, 1);
    CHECK(told(rig, 1, rig->digest, true).agrees);
    CHECK(told(rig, 3, at_three, true).agrees); // nobody has been there
    const struct stream_digest other = {7, 7};
    CHECK(told(rig, 3, other, true).agrees);
    CHECK(!told(rig, 1, other, true).agrees);
    rig_free(rig);
}

TEST(a_node_that_is_not_live_itself_judges_nobody)
{
    struct rig *rig = rig_at_three();
    rig_down(rig);
    struct peer peer = read_by(rig, "p=3:9-1:fedcba98;");
    CHECK(peer.agrees);
    CHECK(!peer.ahead);
    rig_free(rig);
}

TEST(garbage_is_skipped_part_by_part)
{
    static const char *const payloads[] = {
        "",
        ";",
        ";;;;",
        "=",
        "i",
        "i=",
        "i=x;",
        "i=99999999999999999999999999;",
        "p=",
        "p=:::::",
        "p=,,,,,,,,,,,,,",
        "p=3",
        "p=3:",
        "p=3:-:",
        "p=-3:-1-:0",
        "l=-5;",
        "l=18446744073709551615;",
        "d=;r=;z=;s=;",
        "hello world",
        "%s%n%d",
    };
    struct rig *rig = rig_at_three();
    for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
        struct peer peer = read_by(rig, payloads[i]);
        CHECK_UEQ(peer.beat_incarnation, 0);
        CHECK_INT(peer.lag_ms, ge, -1);
    }
    struct peer peer = read_by(rig, "x;i=7;y;s=live");
    CHECK_UEQ(peer.beat_incarnation, 7);
    CHECK_STR(peer.state, "live");
    rig_free(rig);
}

TEST(texts_that_are_too_long_are_cut)
{
    struct rig *rig = rig_at_three();
    char payload[4 * 1024];
    static const char names[] = "rzsd";
    for (size_t n = 0; n < 4; n++) {
        memset(payload, 'x', sizeof(payload));
        payload[0] = names[n];
        payload[1] = '=';
        struct peer peer = fresh();
        heartbeat_read(rig->core, span_of(payload, sizeof(payload)), &peer);
        CHECK_UEQ(strlen(peer.release), n == 0 ? sizeof(peer.release) - 1 : 0);
        CHECK_UEQ(strlen(peer.zone), n == 1 ? sizeof(peer.zone) - 1 : 0);
        CHECK_UEQ(strlen(peer.state), n == 2 ? sizeof(peer.state) - 1 : 0);
        CHECK_UEQ(strlen(peer.digest), n == 3 ? sizeof(peer.digest) - 1 : 0);
    }
    rig_free(rig);
}

TEST(random_bytes_and_broken_heartbeats_never_crash)
{
    static const char alphabet[] = "irzsldpv=;:,-0123456789abcdefx%\xff\x01";
    struct rig *rig = rig_at_three();
    char whole[HEARTBEAT_LEN_MAX];
    size_t len = heartbeat_write(rig->core, whole);
    uint32_t state = 42;
    for (int round = 0; round < 20000; round++) {
        char payload[64];
        size_t payload_len = 0;
        state = state * 1664525u + 1013904223u;
        for (size_t want = state >> 26; payload_len < want; payload_len++) {
            state = state * 1664525u + 1013904223u;
            payload[payload_len] = alphabet[(state >> 8) % (sizeof(alphabet) - 1)];
        }
        struct peer peer = fresh();
        heartbeat_read(rig->core, span_of(payload, payload_len), &peer);
    }
    for (size_t cut = 0; cut <= len; cut++) {
        struct peer peer = fresh();
        heartbeat_read(rig->core, span_of(whole, cut), &peer);
    }
    rig_free(rig);
}

TEST(names_of_the_greatest_length_fit_into_a_heartbeat)
{
    static char zone[KEY_SERVICE_MAX];
    struct rig *rig = rig_at_three();
    memset(zone, 'z', sizeof(zone));
    rig->core->options.zone = span_of(zone, sizeof(zone));
    char payload[HEARTBEAT_LEN_MAX];
    size_t len = heartbeat_write(rig->core, payload);
    struct peer peer = fresh();
    heartbeat_read(rig->core, span_of(payload, len), &peer);
    CHECK_UEQ(strlen(peer.zone), KEY_SERVICE_MAX);
    CHECK(peer.agrees);
    CHECK_STR(peer.state, "live");
    rig_free(rig);
}

SUITE("core/heartbeat", T(what_one_node_writes_another_reads),
      T(the_position_is_told_as_sequence_digest_and_epoch),
      T(a_peer_disagrees_when_its_digest_differs_where_we_have_been),
      T(what_is_older_than_we_remember_tells_nothing), T(an_older_history_is_forgotten_as_a_whole),
      T(a_node_that_is_not_live_itself_judges_nobody), T(garbage_is_skipped_part_by_part),
      T(texts_that_are_too_long_are_cut), T(random_bytes_and_broken_heartbeats_never_crash),
      T(names_of_the_greatest_length_fit_into_a_heartbeat));
