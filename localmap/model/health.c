// SPDX-License-Identifier: Apache-2.0
#include "localmap/model/health.h"

#include "base/assert.h"

#define GUARD_INSTANCES_MIN 4

// The order of "worse" within the group of the external or of the proxy observations.
enum severity {
    SEVERITY_HEALTHY,
    SEVERITY_DEGRADED,
    SEVERITY_DRAINING,
    SEVERITY_TIMEOUT,
    SEVERITY_UNHEALTHY,
    SEVERITY_COUNT,
    SEVERITY_NONE // UNKNOWN: no vote
};

// How often each reason was given.
struct reasons {
    uint32_t total;
    uint32_t counts[REASON_COUNT];
};

struct ballot {
    uint32_t votes;
    uint32_t timeouts;
    struct reasons bad, degraded, abstained;
};

// One group of observations that has one vote together.
struct group {
    uint32_t total;
    struct reasons by_severity[SEVERITY_COUNT];
};

static bool is_bad(enum status status)
{
    return status == STATUS_UNHEALTHY || status == STATUS_TIMEOUT;
}

static enum severity severity_of(enum status status)
{
    switch (status) {
    case STATUS_HEALTHY:
        return SEVERITY_HEALTHY;
    case STATUS_DEGRADED:
        return SEVERITY_DEGRADED;
    case STATUS_DRAINING:
        return SEVERITY_DRAINING;
    case STATUS_TIMEOUT:
        return SEVERITY_TIMEOUT;
    case STATUS_UNHEALTHY:
        return SEVERITY_UNHEALTHY;
    case STATUS_UNKNOWN:
    case STATUS_COUNT:
        break;
    }
    return SEVERITY_NONE;
}

static enum status status_of(enum severity severity)
{
    static const enum status statuses[SEVERITY_COUNT] = {
        [SEVERITY_HEALTHY] = STATUS_HEALTHY,     [SEVERITY_DEGRADED] = STATUS_DEGRADED,
        [SEVERITY_DRAINING] = STATUS_DRAINING,   [SEVERITY_TIMEOUT] = STATUS_TIMEOUT,
        [SEVERITY_UNHEALTHY] = STATUS_UNHEALTHY,
    };
    ASSERT(severity < SEVERITY_COUNT);
    return statuses[severity];
}

static void reasons_add(struct reasons *reasons, enum reason reason)
{
    ASSERT(reason < REASON_COUNT);
    reasons->counts[reason]++;
    reasons->total++;
}

// The reason given most often, the one with the least number of several.
static enum reason reasons_top(const struct reasons *reasons)
{
    size_t top = 0;
    for (size_t i = 1; i < REASON_COUNT; i++) {
        if (reasons->counts[i] > reasons->counts[top]) {
            top = i;
        }
    }
    return (enum reason)top;
}

// The reason that more than half of them share, else `otherwise`.
static enum reason reasons_shared(const struct reasons *reasons, enum reason otherwise)
{
    enum reason top = reasons_top(reasons);
    return 2 * (uint64_t)reasons->counts[top] > reasons->total ? top : otherwise;
}

static void ballot_add(struct ballot *ballot, enum status status, enum reason reason)
{
    if (status == STATUS_UNKNOWN) {
        reasons_add(&ballot->abstained, reason);
        return;
    }
    ballot->votes++;
    ballot->timeouts += status == STATUS_TIMEOUT ? 1 : 0;
    if (is_bad(status)) {
        reasons_add(&ballot->bad, reason);
    } else if (status != STATUS_HEALTHY) {
        reasons_add(&ballot->degraded, reason);
    }
}

static void group_add(struct group *group, const struct observation *observation)
{
    enum severity severity = severity_of(observation->status);
    if (severity != SEVERITY_NONE) {
        group->total++;
        reasons_add(&group->by_severity[severity], observation->reason);
    }
}

// Adds the group's vote: the worst status that at least `needed` of its members report or go beyond.
static void group_vote(const struct group *group, uint32_t needed, struct ballot *ballot)
{
    uint32_t reporters = 0;
    for (size_t i = SEVERITY_COUNT; group->total > 0 && i-- > 0;) {
        reporters += group->by_severity[i].total;
        if (reporters >= needed) {
            ballot_add(ballot, status_of((enum severity)i), reasons_top(&group->by_severity[i]));
            return;
        }
    }
}

static void count_votes(const struct health_input *inputs, size_t count, struct ballot *ret_ballot)
{
    struct group external;
    struct group proxies;
    memset(&external, 0, sizeof(external));
    memset(&proxies, 0, sizeof(proxies));
    memset(ret_ballot, 0, sizeof(*ret_ballot));
    for (size_t i = 0; i < count; i++) {
        const struct observation *observation = inputs[i].observation;
        if (observation->vantage == VANTAGE_EXTERNAL) {
            group_add(&external, observation);
        } else if (observation->vantage == VANTAGE_PROXY) {
            group_add(&proxies, observation);
        } else if (inputs[i].assigned) {
            ballot_add(ret_ballot, observation->status, observation->reason);
        }
    }
    group_vote(&external, 1, ret_ballot);
    group_vote(&proxies, proxies.total > 1 ? 2 : 1, ret_ballot);
}

static void judge_votes(const struct ballot *ballot, struct health *health)
{
    if (ballot->votes == 0) {
        health->raw_status = STATUS_UNKNOWN;
        health->reason = ballot->abstained.total == 0
                             ? REASON_NO_OBSERVATION
                             : reasons_shared(&ballot->abstained, REASON_NO_OBSERVATION);
    } else if (ballot->bad.total >= ballot->votes / 2 + 1) {
        bool timeout = 2 * (uint64_t)ballot->timeouts > ballot->bad.total;
        health->raw_status = timeout ? STATUS_TIMEOUT : STATUS_UNHEALTHY;
        health->reason = reasons_shared(&ballot->bad, REASON_MAJORITY);
    } else if (ballot->bad.total > 0) {
        health->raw_status = STATUS_DEGRADED;
        health->reason = REASON_MINORITY;
    } else if (ballot->degraded.total > 0) {
        health->raw_status = STATUS_DEGRADED;
        health->reason = reasons_shared(&ballot->degraded, REASON_MINORITY);
    } else {
        health->raw_status = STATUS_HEALTHY;
        health->reason = REASON_CHECK_PASSED;
    }
    health->status = health->raw_status;
}

void health_judge(const struct override *override, const struct health_input *inputs, size_t count,
                  struct health *ret_health)
{
    memset(ret_health, 0, sizeof(*ret_health));
    if (override != NULL) {
        ret_health->status = override->status;
        ret_health->raw_status = override->status;
        ret_health->reason = REASON_OPERATOR_DRAIN;
        ret_health->overridden = true;
        return;
    }
    struct ballot ballot;
    count_votes(inputs, count, &ballot);
    judge_votes(&ballot, ret_health);
}

bool health_guard(uint32_t instances, uint32_t voting, uint32_t bad, uint32_t max_percent)
{
    ASSERT(bad <= voting && voting <= instances);
    return instances >= GUARD_INSTANCES_MIN && (uint64_t)bad * 100 > (uint64_t)max_percent * voting;
}

void health_apply_guard(bool guard, struct health *health)
{
    health->status = health->raw_status;
    health->guarded = guard && !health->overridden && is_bad(health->raw_status);
    if (health->guarded) {
        health->status = STATUS_DEGRADED;
        health->reason = REASON_GUARDED;
    }
}
