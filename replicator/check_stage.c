// SPDX-License-Identifier: Apache-2.0
#include "replicator/check_stage.h"

#include "admin-api/server.h"
#include "base/log.h"
#include "base/metric.h"
#include "base/random.h"
#include "replicator/check/checker.h"
#include "replicator/config.h"
#include "replicator/daemon_state.h"
#include "replicator/daemon_writes.h"
#include "replicator/driver.h"
#include "replicator/seed.h"

// Whoever may register an instance could otherwise make us probe ourselves.
static enum err refuse_own_listeners(struct daemon *daemon)
{
    struct admin_addresses addresses;
    enum err err = ERR_OK;
    admin_addresses(daemon->admin, &addresses);
    const uint16_t ports[] = {addresses.port, addresses.probe_port};
    for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]) && err == ERR_OK; i++) {
        const struct check_refused refused = {.address = SPAN_NONE, .port = ports[i]};
        if (ports[i] != 0) {
            err = checker_refuse(daemon->checker, &refused);
        }
    }
    return err;
}

int check_stage_start(struct daemon *daemon)
{
    const struct config *config = daemon->config;
    const struct checker_options options = {
        .loop = daemon->loop,
        .limits = {.concurrency = config->check_concurrency,
                   .rate = config->check_rate,
                   .jitter_percent = config->check_jitter,
                   .min_interval_ms = config->check_min_interval_ms,
                   .per_target_max = config->check_per_target_max,
                   .allow = config->check_allow.items,
                   .allow_count = config->check_allow.count},
        .local_addresses = daemon->local_addresses,
        .local_address_count = daemon->local_address_count,
        .seed = random_u64(),
        .on_judged = daemon_writes_judged,
        .slow_ms = daemon_writes_slow_ms,
        .arg = daemon,
    };
    enum err err = checker_new(&options, &daemon->checker);
    if (err == ERR_OK) {
        err = refuse_own_listeners(daemon);
    }
    if (err != ERR_OK) {
        check_stage_stop(daemon);
        return daemon_complain(DAEMON_EXIT_FAILED, "check", err_text(err));
    }
    return 0;
}

void check_stage_stop(struct daemon *daemon)
{
    checker_free(daemon->checker);
    daemon->checker = NULL;
}

void check_stage_target(void *arg, struct span registration_key, const struct core_target *target)
{
    struct daemon *daemon = arg;
    bool ours = daemon->config->check_external_policy ||
                seed_has(daemon->seed, key_service_prefix(registration_key));
    if (daemon->checker == NULL) {
        return; // shutting down
    }
    if (!target->probe || !ours) {
        checker_remove(daemon->checker, registration_key);
        return;
    }
    const struct checker_target terms = {
        .address = target->address, .port = target->port, .check = target->check};
    enum err err = checker_set(daemon->checker, registration_key, &terms);
    struct key key;
    if (err != ERR_OK && key_parse(registration_key, &key) == ERR_OK) {
        log_event(LOG_WARN, "unprobed", log_str("service", key.service),
                  log_str("instance", key.instance), log_err(err));
    }
}

void check_stage_measure(struct daemon *daemon)
{
    struct checker_counts counts;
    checker_counts(daemon->checker, &counts);
    metric_gauge(METRIC_CHECKS_IN_FLIGHT, counts.in_flight);
}
