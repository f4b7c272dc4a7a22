// SPDX-License-Identifier: Apache-2.0
#include "localmap/model/health.h"

// How bad a status is, for "the worst of".  UNKNOWN says nothing; DRAINING is no failure, but no health.
//
//     UNKNOWN 0   HEALTHY 1   DEGRADED 2   DRAINING 3   UNHEALTHY 4   TIMEOUT 5
//
// TIMEOUT above UNHEALTHY only makes the order total: both are bad.
static const int severity[STATUS_COUNT] = {
    [STATUS_UNKNOWN] = 0,  [STATUS_HEALTHY] = 1,   [STATUS_DEGRADED] = 2,
    [STATUS_DRAINING] = 3, [STATUS_UNHEALTHY] = 4, [STATUS_TIMEOUT] = 5};

#define GUARD_INSTANCES_MIN 4

struct vote {
    enum status status;
    enum reason reason;
};

struct tally {
    uint32_t votes, bad, timeout, doubtful; // doubtful: DEGRADED or worse
    uint32_t bad_by_reason[REASON_COUNT];
    uint32_t doubtful_by_reason[REASON_COUNT];
};

static bool is_bad(enum status status)
{
    return status == STATUS_UNHEALTHY || status == STATUS_TIMEOUT;
}

static void count(struct tally *tally, struct vote vote)
{
    tally->votes++;
    if (is_bad(vote.status)) {
        tally->bad++;
        tally->timeout += vote.status == STATUS_TIMEOUT ? 1 : 0;
        tally->bad_by_reason[vote.reason]++;
    }
    if (severity[vote.status] >= severity[STATUS_DEGRADED]) {
        tally->doubtful++;
        tally->doubtful_by_reason[vote.reason]++;
    }
}

// Worse, or as bad with the smaller reason number: the order of arrival must not show.
static bool is_worse(struct vote a, struct vote b)
{
    if (severity[a.status] != severity[b.status]) {
        return severity[a.status] > severity[b.status];
    }
    return a.reason < b.reason;
}

// All external observations are one vote, all proxy ones are one: no single writer outvotes the fleet.
struct chorus {
    uint32_t voices;
    struct vote worst, second;
};

static void sing(struct chorus *chorus, struct vote vote)
{
    if (chorus->voices == 0 || is_worse(vote, chorus->worst)) {
        chorus->second = chorus->worst;
        chorus->worst = vote;
    } else if (chorus->voices == 1 || is_worse(vote, chorus->second)) {
        chorus->second = vote;
    }
    chorus->voices++;
}

static void count_all(struct tally *tally, const struct health_input *inputs, size_t input_count)
{
    struct chorus external = {0};
    struct chorus proxy = {0};
    for (size_t i = 0; i < input_count; i++) {
        const struct observation *o = inputs[i].observation;
        struct vote vote = {o->status, o->reason};
        if (o->status == STATUS_UNKNOWN) {
            continue; // who could not look (a refused target) has no vote
        }
        if (o->vantage == VANTAGE_EXTERNAL) {
            sing(&external, vote);
        } else if (o->vantage == VANTAGE_PROXY) {
            sing(&proxy, vote);
        } else if (inputs[i].assigned) {
            count(tally, vote);
        }
    }
    if (external.voices > 0) {
        count(tally, external.worst);
    }
    if (proxy.voices > 0) {
        // The worst that two proxies report: the second worst of all is reported by both.
        count(tally, proxy.voices == 1 ? proxy.worst : proxy.second);
    }
}

// The reason that most of `by_reason` share; MAJORITY or MINORITY when two share the lead.
static enum reason common_reason(const uint32_t *by_reason, enum reason otherwise)
{
    uint32_t best = 0;
    enum reason reason = otherwise;
    for (unsigned r = 0; r < REASON_COUNT; r++) {
        if (by_reason[r] > best) {
            best = by_reason[r];
            reason = (enum reason)r;
        } else if (by_reason[r] == best && best > 0) {
            reason = otherwise;
        }
    }
    return reason;
}

static void decide(const struct tally *tally, struct health *ret_health)
{
    if (tally->votes == 0) {
        ret_health->raw_status = STATUS_UNKNOWN;
        ret_health->reason = REASON_NO_OBSERVATION;
    } else if (tally->bad >= tally->votes / 2 + 1) {
        ret_health->raw_status =
            tally->timeout > tally->bad - tally->timeout ? STATUS_TIMEOUT : STATUS_UNHEALTHY;
        ret_health->reason = common_reason(tally->bad_by_reason, REASON_MAJORITY);
    } else if (tally->doubtful > 0) {
        ret_health->raw_status = STATUS_DEGRADED;
        ret_health->reason = common_reason(tally->doubtful_by_reason, REASON_MINORITY);
    } else {
        ret_health->raw_status = STATUS_HEALTHY;
        ret_health->reason = REASON_CHECK_PASSED;
    }
    ret_health->status = ret_health->raw_status;
}

void health_judge(const struct override *override, const struct health_input *inputs, size_t count,
                  struct health *ret_health)
{
    struct tally tally = {0};
    *ret_health = (struct health){.status = STATUS_UNKNOWN};
    count_all(&tally, inputs, count);
    decide(&tally, ret_health);
    if (override != NULL) {
        ret_health->status = override->status;
        ret_health->reason = REASON_OPERATOR_DRAIN;
        ret_health->overridden = true;
    }
}

bool health_guard(uint32_t instances, uint32_t voting, uint32_t bad, uint32_t max_percent)
{
    return instances >= GUARD_INSTANCES_MIN && voting > 0 &&
           (uint64_t)bad * 100 > (uint64_t)max_percent * voting;
}

void health_apply_guard(bool guard, struct health *health)
{
    health->guarded = guard && !health->overridden && is_bad(health->raw_status);
    if (health->guarded) {
        health->status = STATUS_DEGRADED;
        health->reason = REASON_GUARDED;
    }
}
