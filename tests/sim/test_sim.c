// SPDX-License-Identifier: Apache-2.0
// Seeds of the simulated mesh.  SIM_SEEDS=from:to runs others, SIM_TRACE=1 prints the transcript of the
// failing (or only) seed.  See cluster.h for what must hold.
#include "tests/lib/suite.h"
#include "tests/sim/cluster.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void range(uint64_t from, uint64_t to, uint64_t *ret_from, uint64_t *ret_to)
{
    *ret_from = from;
    *ret_to = to;
    const char *text = getenv("SIM_SEEDS");
    if (text != NULL) {
        char *end = NULL;
        *ret_from = strtoull(text, &end, 10);
        *ret_to = *end == ':' ? strtoull(end + 1, NULL, 10) : *ret_from + 1;
    }
}

static void run_as(const struct cluster_options *as, uint64_t from, uint64_t to)
{
    range(from, to, &from, &to);
    struct cluster_verdict sum = {0};
    for (uint64_t seed = from; seed < to; seed++) {
        struct cluster_options options = *as;
        options.seed = seed;
        options.nodes = 4;
        options.steps = 600;
        options.trace = getenv("SIM_TRACE") != NULL;
        // Swarm: each seed has some of the faults only, so that none hides another.
        uint64_t mix = seed * UINT64_C(0x9e3779b97f4a7c15);
        options.faults = as->faults & (uint32_t)(mix >> 40 | mix >> 20);
        struct cluster_verdict verdict;
        cluster_run(&options, &verdict);
        ck_assert_msg(verdict.broken == NULL,
                      "seed %" PRIu64 " (faults %x): broken promise: %s: %s; run SIM_SEEDS=%" PRIu64
                      " SIM_TRACE=1 CK_RUN_CASE=...",
                      seed, options.faults, verdict.broken, verdict.detail, seed);
        sum.writes += verdict.writes;
        sum.accepted += verdict.accepted;
        sum.entries += verdict.entries;
        sum.repairs += verdict.repairs;
        sum.resyncs += verdict.resyncs;
        sum.conflicts += verdict.conflicts;
        sum.over_quota += verdict.over_quota;
    }
    printf("# seeds %" PRIu64 "..%" PRIu64 ": writes %" PRIu64 " accepted %" PRIu64
           " entries %" PRIu64 " conflicts %" PRIu64 " resyncs %" PRIu64 " repairs %" PRIu64 "\n",
           from, to, sum.writes, sum.accepted, sum.entries, sum.conflicts, sum.resyncs,
           sum.repairs);
    CHECK(sum.accepted > 0);
    CHECK((sum.over_quota > 0) == (as->quota > 0));
    CHECK(!as->emptied || sum.repairs > 0);
}

static void run(uint32_t faults, uint64_t from, uint64_t to)
{
    const struct cluster_options as = {.faults = faults};
    run_as(&as, from, to);
}

TEST(without_faults_nothing_is_repaired)
{
    run(0, 0, 20);
}

TEST(lost_replies_and_cut_connections_lose_nothing)
{
    run(FAULT_DROP_REPLY | FAULT_CUT | FAULT_REFUSE | FAULT_PAUSE | FAULT_LATE, 100, 140);
}

TEST(a_trimmed_or_torn_log_is_noticed)
{
    run(FAULT_TRIM | FAULT_LOSE_ENTRY | FAULT_CUT, 200, 240);
}

TEST(garbage_of_a_stranger_changes_nothing)
{
    run(FAULT_GARBAGE | FAULT_CUT, 300, 330);
}

TEST(an_emptied_server_gets_everything_back)
{
    run(FAULT_FLUSH | FAULT_DROP_REPLY | FAULT_CUT, 400, 440);
}

TEST(a_server_that_went_back_is_brought_forward)
{
    run(FAULT_ROLLBACK | FAULT_CUT, 500, 540);
}

TEST(crashed_nodes_and_twins_are_fenced_and_replaced)
{
    run(FAULT_CRASH | FAULT_TWIN | FAULT_PAUSE | FAULT_CUT, 600, 640);
}

// Six instances, of which four are always there, and a quota of five.
TEST(a_quota_that_is_met_parts_no_replicas_and_loses_no_place)
{
    const struct cluster_options as = {.quota = 5,
                                       .faults = FAULT_DROP_REPLY | FAULT_CUT | FAULT_REFUSE |
                                                 FAULT_PAUSE | FAULT_LATE | FAULT_CRASH |
                                                 FAULT_TWIN};
    run_as(&as, 700, 740);
}

TEST(a_server_that_restarts_empty_is_read_afresh_once)
{
    const struct cluster_options as = {.emptied = true};
    run_as(&as, 800, 820);
}

TEST(the_same_seed_gives_the_same_transcript)
{
    struct cluster_options options = {
        .seed = 7, .nodes = 3, .steps = 300, .faults = FAULT_CUT | FAULT_FLUSH | FAULT_DROP_REPLY};
    struct cluster_verdict first;
    struct cluster_verdict second;
    cluster_run(&options, &first);
    cluster_run(&options, &second);
    CHECK_UEQ(first.transcript, second.transcript);
    options.seed = 8;
    cluster_run(&options, &second);
    CHECK(first.transcript != second.transcript);
}

SUITE("sim", T(without_faults_nothing_is_repaired),
      T(lost_replies_and_cut_connections_lose_nothing), T(a_trimmed_or_torn_log_is_noticed),
      T(garbage_of_a_stranger_changes_nothing), T(an_emptied_server_gets_everything_back),
      T(a_server_that_went_back_is_brought_forward),
      T(crashed_nodes_and_twins_are_fenced_and_replaced),
      T(a_quota_that_is_met_parts_no_replicas_and_loses_no_place),
      T(a_server_that_restarts_empty_is_read_afresh_once),
      T(the_same_seed_gives_the_same_transcript));
