// SPDX-License-Identifier: Apache-2.0
#include "replicator/check/checker.h"

#include "base/loop.h"
#include "base/metric.h"
#include "replicator/check/probe.h"
#include "replicator/check/targets.h"

#include <stdlib.h>

struct checker {
    struct loop *loop;
    struct loop_timer *timer;
    struct probe_engine *engine;
    struct targets *targets;
};

// Begins what is due and sleeps until there is more.
static void run(void *arg)
{
    struct checker *checker = arg;
    int64_t wait_us = targets_run(checker->targets, loop_now(checker->loop));
    if (wait_us < 0) {
        loop_timer_cancel(checker->timer);
    } else {
        struct mono now = loop_now(checker->loop);
        loop_timer_set(checker->timer, (struct mono){now.us + wait_us});
    }
}

// Not from inside a call of targets: soon.
static void run_soon(struct checker *checker)
{
    loop_timer_set_ms(checker->timer, 0);
}

static struct span result_word(const struct probe_result *result)
{
    switch (result->outcome) {
    case PROBE_PASSED:
        return SPAN_LIT("passed");
    case PROBE_FAILED:
        return span_str(reason_word(result->reason));
    case PROBE_NOTHING:
        break;
    }
    return SPAN_LIT("nothing");
}

struct flight {
    struct target *target;
    enum check_type type;
    struct probe *probe;
};

static void probe_done(void *arg, const struct probe_result *result)
{
    struct flight *flight = arg;
    struct target *target = flight->target;
    struct checker *checker = target_arg(target);
    metric_count2(METRIC_CHECKS, span_str(check_type_name(flight->type)), result_word(result), 1);
    metric_time(METRIC_CHECK_DURATION, result->latency_us);
    free(flight);
    targets_done(checker->targets, target, result, loop_now(checker->loop));
    run_soon(checker);
}

static enum err start(void *arg, struct target *target, const struct probe_request *request)
{
    struct checker *checker = arg;
    struct flight *flight = calloc(1, sizeof(*flight));
    if (flight == NULL) {
        return ERR_NOMEM;
    }
    *flight = (struct flight){.target = target, .type = request->check->type};
    const struct probe_call call = {.done = probe_done, .arg = flight};
    enum err err = probe_start(checker->engine, request, &call, &flight->probe);
    if (err != ERR_OK) {
        free(flight);
        return err;
    }
    target_set_probe(target, flight);
    return ERR_OK;
}

static void cancel(void *arg, struct target *target)
{
    (void)arg;
    struct flight *flight = target_probe(target);
    probe_cancel(flight->probe);
    free(flight);
    target_set_probe(target, NULL);
}

enum err checker_new(const struct checker_options *options, struct checker **ret_checker)
{
    struct checker *checker = calloc(1, sizeof(*checker));
    if (checker == NULL) {
        return ERR_NOMEM;
    }
    checker->loop = options->loop;
    const struct targets_options targets = {
        .checker = options, .start = start, .cancel = cancel, .arg = checker};
    enum err err = loop_timer_new(options->loop, run, checker, &checker->timer);
    if (err != ERR_OK) {
        goto free_checker;
    }
    err = probe_engine_new(options->loop, &checker->engine);
    if (err != ERR_OK) {
        goto free_timer;
    }
    err = targets_new(&targets, &checker->targets);
    if (err != ERR_OK) {
        goto free_engine;
    }
    *ret_checker = checker;
    return ERR_OK;

free_engine:
    probe_engine_free(checker->engine);
free_timer:
    loop_timer_free(checker->timer);
free_checker:
    free(checker);
    return err;
}

void checker_free(struct checker *checker)
{
    if (checker == NULL) {
        return;
    }
    targets_free(checker->targets);
    probe_engine_free(checker->engine);
    loop_timer_free(checker->timer);
    free(checker);
}

enum err checker_refuse(struct checker *checker, const struct check_refused *refused)
{
    return targets_refuse(checker->targets, refused);
}

enum err checker_set(struct checker *checker, struct span registration_key,
                     const struct checker_target *target)
{
    ASSERT_ON_LOOP(checker->loop);
    enum err err = targets_set(checker->targets, registration_key, target, loop_now(checker->loop));
    if (err == ERR_OK) {
        run_soon(checker);
    }
    return err;
}

void checker_remove(struct checker *checker, struct span registration_key)
{
    ASSERT_ON_LOOP(checker->loop);
    targets_remove(checker->targets, registration_key);
    run_soon(checker);
}

bool checker_confirm(struct checker *checker, const struct check_judgement *judgement)
{
    ASSERT_ON_LOOP(checker->loop);
    return targets_confirm(checker->targets, judgement);
}

void checker_counts(const struct checker *checker, struct checker_counts *ret_counts)
{
    targets_counts(checker->targets, ret_counts);
}
