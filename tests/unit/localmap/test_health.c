// SPDX-License-Identifier: Apache-2.0
// Effective health as a table: observations written as words, the judgement beside them.  Every order of the
// observations is tried, for none may show.
//
//     "l:H" local HEALTHY   "p:U" peer UNHEALTHY   "x:T" external TIMEOUT   "y:D" proxy DEGRADED
//     H healthy  U unhealthy  T timeout  D degraded  R draining  ? unknown; "!" before: not assigned
//     a digit behind: the reason's number, else 2 (ConnectRefused)
#include "base/random.h"
#include "localmap/model/health.h"
#include "tests/lib/suite.h"

#define INPUTS_MAX 8

struct votes {
    size_t count;
    struct observation observations[INPUTS_MAX];
    struct health_input inputs[INPUTS_MAX];
};

static enum status status_of(char letter)
{
    switch (letter) {
    case 'H':
        return STATUS_HEALTHY;
    case 'U':
        return STATUS_UNHEALTHY;
    case 'T':
        return STATUS_TIMEOUT;
    case 'D':
        return STATUS_DEGRADED;
    case 'R':
        return STATUS_DRAINING;
    default:
        return STATUS_UNKNOWN;
    }
}

static void read_votes(const char *text, struct votes *votes)
{
    votes->count = 0;
    while (*text != '\0') {
        struct observation *observation = &votes->observations[votes->count];
        struct health_input *input = &votes->inputs[votes->count++];
        *input = (struct health_input){.observation = observation, .assigned = *text != '!'};
        text += *text == '!' ? 1 : 0;
        *observation = (struct observation){.status = status_of(text[2]),
                                            .reason = REASON_CONNECT_REFUSED,
                                            .vantage = text[0] == 'l'   ? VANTAGE_LOCAL
                                                       : text[0] == 'p' ? VANTAGE_PEER
                                                       : text[0] == 'x' ? VANTAGE_EXTERNAL
                                                                        : VANTAGE_PROXY};
        text += 3;
        if (*text >= '0' && *text <= '9') {
            observation->reason = (enum reason)(*text++ - '0');
        }
        text += *text == ' ' ? 1 : 0;
    }
}

static const struct {
    const char *votes;
    enum status status;
    enum reason reason;
} judgements[] = {
    {"", STATUS_UNKNOWN, REASON_NO_OBSERVATION},
    {"l:H", STATUS_HEALTHY, REASON_CHECK_PASSED},
    {"l:U", STATUS_UNHEALTHY, REASON_CONNECT_REFUSED},
    {"l:T", STATUS_TIMEOUT, REASON_CONNECT_REFUSED},
    {"l:D", STATUS_DEGRADED, REASON_CONNECT_REFUSED},
    {"!l:U", STATUS_UNKNOWN, REASON_NO_OBSERVATION},
    {"!p:U p:H", STATUS_HEALTHY, REASON_CHECK_PASSED},
    // a majority of all votes is needed, half is not enough
    {"p:U p:H", STATUS_DEGRADED, REASON_MINORITY},
    {"p:U p:U p:H", STATUS_UNHEALTHY, REASON_CONNECT_REFUSED},
    {"p:U p:H p:H", STATUS_DEGRADED, REASON_MINORITY},
    {"p:U p:U p:H p:H", STATUS_DEGRADED, REASON_MINORITY},
    {"p:U p:U p:U p:H p:H", STATUS_UNHEALTHY, REASON_CONNECT_REFUSED},
    // TIMEOUT and UNHEALTHY are both bad; TIMEOUT only when more of them say so
    {"p:U p:T p:H", STATUS_UNHEALTHY, REASON_CONNECT_REFUSED},
    {"p:T p:T p:U", STATUS_TIMEOUT, REASON_CONNECT_REFUSED},
    {"p:T p:T p:U p:U", STATUS_UNHEALTHY, REASON_CONNECT_REFUSED},
    // reasons: what more than half of the bad share
    {"p:U2 p:U3 p:U3", STATUS_UNHEALTHY, REASON_CONNECT_TIMEOUT},
    {"p:U2 p:U3", STATUS_UNHEALTHY, REASON_MAJORITY},
    {"p:U2 p:U3 p:U5 p:H", STATUS_UNHEALTHY, REASON_MAJORITY},
    {"p:D2 p:D3 p:H", STATUS_DEGRADED, REASON_MINORITY},
    {"p:D5 p:H p:H", STATUS_DEGRADED, REASON_HTTP_STATUS},
    {"p:D5 p:U2 p:H p:H", STATUS_DEGRADED, REASON_MINORITY},
    // who cannot tell has no vote
    {"p:?", STATUS_UNKNOWN, REASON_CONNECT_REFUSED},
    {"p:?2 p:?3", STATUS_UNKNOWN, REASON_NO_OBSERVATION},
    {"p:? p:? p:U", STATUS_UNHEALTHY, REASON_CONNECT_REFUSED},
    {"x:? p:H", STATUS_HEALTHY, REASON_CHECK_PASSED},
    // the external ones are one vote, the worst of them
    {"x:U", STATUS_UNHEALTHY, REASON_CONNECT_REFUSED},
    {"x:U x:H x:H", STATUS_UNHEALTHY, REASON_CONNECT_REFUSED},
    {"x:U x:U x:U p:H p:H", STATUS_DEGRADED, REASON_MINORITY},
    {"x:U p:U p:H", STATUS_UNHEALTHY, REASON_CONNECT_REFUSED},
    {"!x:U", STATUS_UNHEALTHY, REASON_CONNECT_REFUSED},
    {"x:T x:U", STATUS_UNHEALTHY, REASON_CONNECT_REFUSED},
    {"x:T x:R", STATUS_TIMEOUT, REASON_CONNECT_REFUSED},
    // DRAINING is no failure, but not well either
    {"x:R", STATUS_DEGRADED, REASON_CONNECT_REFUSED},
    {"x:R4 x:D2", STATUS_DEGRADED, REASON_CONNECT_FAILED},
    {"x:R p:H p:H", STATUS_DEGRADED, REASON_CONNECT_REFUSED},
    {"x:R p:U p:U", STATUS_UNHEALTHY, REASON_CONNECT_REFUSED},
    // the proxies are one vote: what two of them report or go beyond, or the only one
    {"y:U", STATUS_UNHEALTHY, REASON_CONNECT_REFUSED},
    {"y:U y:H", STATUS_HEALTHY, REASON_CHECK_PASSED},
    {"y:U y:D y:H", STATUS_DEGRADED, REASON_CONNECT_REFUSED},
    {"y:U y:T", STATUS_TIMEOUT, REASON_CONNECT_REFUSED},
    {"y:U y:U y:H y:H y:H", STATUS_UNHEALTHY, REASON_CONNECT_REFUSED},
    {"y:U y:U y:U p:H p:H", STATUS_DEGRADED, REASON_MINORITY},
    {"y:U y:?", STATUS_UNHEALTHY, REASON_CONNECT_REFUSED},
    // so no crowd outside outvotes the probes: two votes at most
    {"x:U x:U y:U y:U p:H p:H", STATUS_DEGRADED, REASON_MINORITY},
    {"x:U y:U p:H", STATUS_UNHEALTHY, REASON_CONNECT_REFUSED},
    {"x:U2 x:U3 x:U3 p:H", STATUS_DEGRADED, REASON_MINORITY},
    {"x:U2 x:U3 x:U3", STATUS_UNHEALTHY, REASON_CONNECT_TIMEOUT},
    {"x:U2 x:U3", STATUS_UNHEALTHY, REASON_CONNECT_REFUSED},
};
#define JUDGEMENTS (sizeof(judgements) / sizeof(judgements[0]))

static bool health_equal(const struct health *a, const struct health *b)
{
    return a->status == b->status && a->raw_status == b->raw_status && a->reason == b->reason &&
           a->guarded == b->guarded && a->overridden == b->overridden;
}

TEST(votes_make_the_judgement_of_their_row)
{
    for (size_t i = 0; i < JUDGEMENTS; i++) {
        struct votes votes;
        struct health health;
        read_votes(judgements[i].votes, &votes);
        health_judge(NULL, votes.inputs, votes.count, &health);
        ck_assert_msg(
            health.status == judgements[i].status && health.raw_status == judgements[i].status &&
                health.reason == judgements[i].reason && !health.guarded && !health.overridden,
            "\"%s\": %s %s", judgements[i].votes, status_name(health.status),
            reason_word(health.reason));
    }
}

TEST(no_order_of_the_votes_shows)
{
    struct random random;
    random_seed(&random, 4);
    for (size_t i = 0; i < JUDGEMENTS; i++) {
        struct votes votes;
        struct health first;
        struct health health;
        read_votes(judgements[i].votes, &votes);
        health_judge(NULL, votes.inputs, votes.count, &first);
        for (size_t round = 0; round < 200 && votes.count > 1; round++) {
            size_t a = (size_t)random_below(&random, votes.count);
            size_t b = (size_t)random_below(&random, votes.count);
            struct health_input swap = votes.inputs[a];
            votes.inputs[a] = votes.inputs[b];
            votes.inputs[b] = swap;
            health_judge(NULL, votes.inputs, votes.count, &health);
            CHECK(health_equal(&health, &first));
        }
    }
}

TEST(one_writer_never_outvotes_two_that_probe)
{
    // Whatever one more observation says, two healthy probes never become bad by it.
    static const char vantages[] = "lpxy";
    static const char statuses[] = "HUTDR?";
    for (size_t v = 0; v < 4; v++) {
        for (size_t s = 0; s < 6; s++) {
            char text[] = "p:H p:H l:H";
            struct votes votes;
            struct health health;
            text[8] = vantages[v];
            text[10] = statuses[s];
            read_votes(text, &votes);
            health_judge(NULL, votes.inputs, votes.count, &health);
            CHECK(health.status == STATUS_HEALTHY || health.status == STATUS_DEGRADED);
        }
    }
}

TEST(an_override_silences_the_votes_and_is_never_guarded)
{
    static const enum status statuses[] = {STATUS_DRAINING, STATUS_UNHEALTHY, STATUS_HEALTHY};
    struct votes votes;
    read_votes("p:U p:U", &votes);
    for (size_t i = 0; i < 3; i++) {
        const struct override override = {.status = statuses[i]};
        struct health health;
        health_judge(&override, votes.inputs, votes.count, &health);
        health_apply_guard(true, &health);
        CHECK_EQ(health.status, statuses[i]);
        CHECK_EQ(health.raw_status, statuses[i]);
        CHECK_EQ(health.reason, REASON_OPERATOR_DRAIN);
        CHECK(health.overridden && !health.guarded);
    }
}

TEST(the_guard_holds_from_four_instances_and_above_its_percentage)
{
    static const struct {
        uint32_t instances, voting, bad, percent;
        bool guard;
    } rows[] = {
        {3, 3, 3, 50, false},  {4, 4, 2, 50, false}, {4, 4, 3, 50, true},
        {4, 4, 4, 100, false}, {4, 4, 1, 0, true},   {4, 4, 0, 0, false},
        {4, 1, 1, 50, true},   {4, 0, 0, 50, false}, {0, 0, 0, 50, false},
        {10, 6, 3, 50, false}, {10, 6, 4, 50, true}, {UINT32_MAX, UINT32_MAX, UINT32_MAX, 99, true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CHECK_EQ(health_guard(rows[i].instances, rows[i].voting, rows[i].bad, rows[i].percent),
                 rows[i].guard);
    }
}

TEST(a_guard_serves_the_bad_as_degraded_and_lets_go_again)
{
    static const struct {
        enum status raw, served;
        bool guarded;
    } rows[] = {
        {STATUS_UNHEALTHY, STATUS_DEGRADED, true}, {STATUS_TIMEOUT, STATUS_DEGRADED, true},
        {STATUS_HEALTHY, STATUS_HEALTHY, false},   {STATUS_DEGRADED, STATUS_DEGRADED, false},
        {STATUS_UNKNOWN, STATUS_UNKNOWN, false},
    };
    for (size_t i = 0; i < 5; i++) {
        const struct health raw = {
            .status = rows[i].raw, .raw_status = rows[i].raw, .reason = REASON_HTTP_STATUS};
        struct health health = raw;
        health_apply_guard(true, &health);
        CHECK_EQ(health.status, rows[i].served);
        CHECK_EQ(health.raw_status, rows[i].raw);
        CHECK_EQ(health.guarded, rows[i].guarded);
        CHECK_EQ(health.reason, rows[i].guarded ? REASON_GUARDED : REASON_HTTP_STATUS);
        health = raw;
        health_apply_guard(false, &health);
        CHECK(health_equal(&health, &raw));
    }
}

SUITE("localmap/model/health", T(votes_make_the_judgement_of_their_row),
      T(no_order_of_the_votes_shows), T(one_writer_never_outvotes_two_that_probe),
      T(an_override_silences_the_votes_and_is_never_guarded),
      T(the_guard_holds_from_four_instances_and_above_its_percentage),
      T(a_guard_serves_the_bad_as_degraded_and_lets_go_again));
