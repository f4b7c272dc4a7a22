// SPDX-License-Identifier: Apache-2.0
#include "replicator/check/targets.h"

#include "base/assert.h"
#include "base/keyed.h"
#include "base/utf8.h"
#include "replicator/check/hysteresis.h"
#include "replicator/check/refuse.h"
#include "replicator/check/schedule.h"

#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MAX_MS (10 * 60 * 1000) // what a file may say; peers are held to it too
#define INTERVAL_MAX_MS (24 * 60 * 60 * 1000)
#define LATE_MIN_MS 50 // a loop that is less late than this is not late

// What listens on one address and port, and who is probed there.
struct peer {
    struct keyed_node node;
    struct schedule_peer schedule;
    uint32_t users;
    char text[]; // "127.0.0.1:80", its key
};

struct target {
    struct keyed_node node; // by registration key
    struct schedule_entry entry;
    struct targets *targets;
    struct peer *peer;
    void *probe;               // the shell's
    struct address address;    // where to probe
    struct check_policy check; // path and host are those below
    const char *path, *host;
    struct hysteresis hysteresis;
    enum reason shown; // while unhealthy
    enum reason other; // seen `other_count` times in a row instead
    uint32_t other_count;
    bool refused;
    uint64_t ticket;              // another one for another thing that is probed under this key
    enum status confirmed_status; // with REASON_NONE: nothing was
    enum reason confirmed_reason;
    char bytes[]; // key, path 0, host 0
};

struct targets {
    struct keyed by_key;
    struct keyed peers;
    struct schedule schedule;
    struct refuse *refuse;
    struct checker_options checker;
    targets_start_fn start;
    targets_cancel_fn cancel;
    void *arg;
    uint64_t begun, dropped_late;
    uint64_t tickets; // given out
};

static struct target *target_of_entry(struct schedule_entry *entry)
{
    return (struct target *)((char *)entry - offsetof(struct target, entry));
}

static struct target *target_of_node(struct keyed_node *node)
{
    return (struct target *)((char *)node - offsetof(struct target, node));
}

// --- made and freed

static bool limits_valid(const struct check_limits *limits)
{
    return limits->concurrency > 0 && limits->rate > 0 && limits->per_target_max > 0 &&
           limits->jitter_percent <= 100;
}

enum err targets_new(const struct targets_options *options, struct targets **ret_targets)
{
    const struct check_limits *limits = &options->checker->limits;
    if (!limits_valid(limits)) {
        return ERR_INVALID;
    }
    struct targets *targets = calloc(1, sizeof(*targets));
    if (targets == NULL) {
        return ERR_NOMEM;
    }
    targets->checker = *options->checker;
    targets->start = options->start;
    targets->cancel = options->cancel;
    targets->arg = options->arg;
    const struct refuse_options refuse = {
        .allow = limits->allow,
        .allow_count = limits->allow_count,
        .local = options->checker->local_addresses,
        .local_count = options->checker->local_address_count,
    };
    enum err err = refuse_new(&refuse, &targets->refuse);
    if (err != ERR_OK) {
        goto free_targets;
    }
    err = keyed_init(&targets->by_key, options->checker->seed);
    if (err != ERR_OK) {
        goto free_refuse;
    }
    err = keyed_init(&targets->peers, ~options->checker->seed);
    if (err != ERR_OK) {
        goto fini_by_key;
    }
    const struct schedule_options schedule = {.concurrency = limits->concurrency,
                                              .rate = limits->rate,
                                              .per_peer_max = limits->per_target_max,
                                              .jitter_percent = limits->jitter_percent,
                                              .seed = options->checker->seed};
    schedule_init(&targets->schedule, &schedule);
    *ret_targets = targets;
    return ERR_OK;

fini_by_key:
    keyed_fini(&targets->by_key);
free_refuse:
    refuse_free(targets->refuse);
free_targets:
    free(targets);
    return err;
}

static struct peer *peer_get(struct targets *targets, const struct address *address)
{
    char text[ADDRESS_TEXT_LEN];
    address_format(address, text);
    struct span key = span_str(text);
    struct keyed_node *node = keyed_find(&targets->peers, key);
    if (node != NULL) {
        struct peer *held = (struct peer *)node; // its first member
        held->users++;
        return held;
    }
    struct peer *peer = calloc(1, sizeof(*peer) + key.len + 1);
    if (peer == NULL) {
        return NULL;
    }
    memcpy(peer->text, text, key.len + 1);
    peer->node.key = span_of(peer->text, key.len);
    peer->users = 1;
    keyed_add(&targets->peers, &peer->node);
    return peer;
}

static void peer_put(struct targets *targets, struct peer *peer)
{
    if (--peer->users > 0) {
        return;
    }
    ASSERT(peer->schedule.running == 0 && peer->schedule.first == NULL);
    keyed_remove(&targets->peers, &peer->node);
    free(peer);
}

// Takes it out of the schedule and frees it; it is in no table any more.
static void target_end(struct targets *targets, struct target *target)
{
    if (target->probe != NULL) {
        targets->cancel(targets->arg, target);
    }
    schedule_remove(&targets->schedule, &target->entry);
    peer_put(targets, target->peer);
    free(target);
}

void targets_free(struct targets *targets)
{
    if (targets == NULL) {
        return;
    }
    struct keyed_node *node = NULL;
    while ((node = keyed_pop(&targets->by_key)) != NULL) {
        target_end(targets, target_of_node(node));
    }
    schedule_fini(&targets->schedule);
    keyed_fini(&targets->peers);
    keyed_fini(&targets->by_key);
    refuse_free(targets->refuse);
    free(targets);
}

// --- terms

static uint32_t clamp(uint32_t value, uint32_t least, uint32_t greatest)
{
    uint32_t raised = value > least ? value : least;
    return raised < greatest ? raised : greatest;
}

// The policy as this node follows it.
static struct check_policy clamped(const struct targets *targets, const struct check_policy *check)
{
    struct check_policy clamped = *check;
    uint32_t least = targets->checker.limits.min_interval_ms;
    clamped.interval_ms = clamp(check->interval_ms, least > 0 ? least : 1, INTERVAL_MAX_MS);
    clamped.timeout_ms = clamp(check->timeout_ms, 1, TIMEOUT_MAX_MS);
    return clamped;
}

static bool check_eq(const struct check_policy *a, const struct check_policy *b)
{
    return a->type == b->type && span_eq(a->path, b->path) && span_eq(a->host, b->host) &&
           a->interval_ms == b->interval_ms && a->timeout_ms == b->timeout_ms &&
           a->rise == b->rise && a->fall == b->fall && a->expect_min == b->expect_min &&
           a->expect_max == b->expect_max;
}

// ERR_INVALID: no IP literal, or no port.
static enum err where(const struct checker_target *terms, struct address *ret_address)
{
    uint32_t port = terms->check->port != 0 ? terms->check->port : terms->port;
    if (port == 0 || port > UINT16_MAX ||
        address_parse_ip(terms->address, (uint16_t)port, ret_address) != ERR_OK) {
        return ERR_INVALID;
    }
    return ERR_OK;
}

static char *append(char *to, struct span text)
{
    if (text.len > 0) {
        memcpy(to, text.ptr, text.len);
    }
    return to + text.len;
}

// In the schedule, but in no table.  NULL: out of memory.
static struct target *target_new(struct targets *targets, struct span key,
                                 const struct check_policy *check, const struct address *address)
{
    size_t len = key.len + check->path.len + check->host.len + 2;
    struct target *target = calloc(1, sizeof(*target) + len);
    if (target == NULL) {
        return NULL;
    }
    target->peer = peer_get(targets, address);
    if (target->peer == NULL) {
        free(target);
        return NULL;
    }
    target->targets = targets;
    target->address = *address;
    target->check = *check;
    target->node.key = span_of(target->bytes, key.len);
    char *path = append(target->bytes, key);
    char *host = append(path, check->path) + 1;
    (void)append(host, check->host);
    target->path = path;
    target->host = host;
    target->check.path = span_of(path, check->path.len);
    target->check.host = span_of(host, check->host.len);
    target->refused = refuse_is_refused(targets->refuse, address);
    target->ticket = ++targets->tickets;
    target->entry.interval_ms = check->interval_ms;
    hysteresis_init(&target->hysteresis, check->rise, check->fall);
    return target;
}

// What was found out under the old terms still holds when the target is the same.
static void carry_over(struct target *target, const struct target *old)
{
    if (old->check.type == target->check.type && address_eq(&old->address, &target->address) &&
        old->refused == target->refused) {
        target->hysteresis = old->hysteresis;
        hysteresis_terms(&target->hysteresis, target->check.rise, target->check.fall);
        target->shown = old->shown;
        target->ticket = old->ticket;
        target->confirmed_status = old->confirmed_status;
        target->confirmed_reason = old->confirmed_reason;
    }
}

enum err targets_set(struct targets *targets, struct span key, const struct checker_target *terms,
                     struct mono now)
{
    struct address address;
    struct check_policy check = clamped(targets, terms->check);
    bool probed = check.type == CHECK_HTTP || check.type == CHECK_HTTPS || check.type == CHECK_TCP;
    if (!probed || where(terms, &address) != ERR_OK) {
        targets_remove(targets, key);
        return ERR_OK;
    }
    struct keyed_node *node = keyed_find(&targets->by_key, key);
    struct target *old = node == NULL ? NULL : target_of_node(node);
    if (old != NULL && check_eq(&old->check, &check) && address_eq(&old->address, &address)) {
        return ERR_OK;
    }
    if (old == NULL && targets->by_key.count >= CHECKER_TARGETS_MAX) {
        return ERR_FULL;
    }
    struct target *target = target_new(targets, key, &check, &address);
    if (target == NULL) {
        return ERR_NOMEM;
    }
    enum err err = schedule_add(&targets->schedule, &target->entry, &target->peer->schedule, now);
    if (err != ERR_OK) {
        peer_put(targets, target->peer);
        free(target);
        return err;
    }
    if (old != NULL) {
        carry_over(target, old);
        keyed_remove(&targets->by_key, &old->node);
        target_end(targets, old);
    }
    keyed_add(&targets->by_key, &target->node);
    return ERR_OK;
}

void targets_remove(struct targets *targets, struct span key)
{
    struct keyed_node *node = keyed_find(&targets->by_key, key);
    if (node != NULL) {
        keyed_remove(&targets->by_key, node);
        target_end(targets, target_of_node(node));
    }
}

static void refuse_again(void *arg, struct keyed_node *node)
{
    struct targets *targets = arg;
    struct target *target = target_of_node(node);
    bool refused = refuse_is_refused(targets->refuse, &target->address);
    if (refused != target->refused) {
        target->refused = refused;
        target->ticket = ++targets->tickets;
        target->confirmed_reason = REASON_NONE;
        hysteresis_init(&target->hysteresis, target->check.rise, target->check.fall);
    }
}

enum err targets_refuse(struct targets *targets, const struct check_refused *refused)
{
    enum err err = refuse_listener(targets->refuse, refused);
    if (err == ERR_OK) {
        keyed_each(&targets->by_key, refuse_again, targets);
    }
    return err;
}

// --- judging

// Tells; `target` may be gone afterwards.
static void tell(struct target *target, enum status status, const struct probe_result *result)
{
    const struct checker_options *checker = &target->targets->checker;
    struct key_bytes key;
    char text[RECORD_TEXT_MAX];
    struct span cut = utf8_cut(result->text, sizeof(text));
    ASSERT(target->node.key.len <= sizeof(key.ptr));
    key.len = (uint16_t)target->node.key.len;
    memcpy(key.ptr, target->node.key.ptr, target->node.key.len);
    (void)append(text, cut);
    const struct check_judgement judgement = {.registration_key = key_span(&key),
                                              .status = status,
                                              .reason = result->reason,
                                              .text = span_of(text, cut.len),
                                              .latency_us = result->latency_us,
                                              .ticket = target->ticket,
                                              .news = target->confirmed_status != status ||
                                                      target->confirmed_reason != result->reason};
    checker->on_judged(checker->arg, &judgement);
}

bool targets_confirm(struct targets *targets, const struct check_judgement *judgement)
{
    struct keyed_node *node = keyed_find(&targets->by_key, judgement->registration_key);
    struct target *target = node == NULL ? NULL : target_of_node(node);
    if (target == NULL || target->ticket != judgement->ticket) {
        return false;
    }
    target->confirmed_status = judgement->status;
    target->confirmed_reason = judgement->reason;
    return true;
}

static bool is_timeout(enum reason reason)
{
    return reason == REASON_CONNECT_TIMEOUT || reason == REASON_RESPONSE_TIMEOUT;
}

// Which reason is shown after one more failure.
static void take_reason(struct target *target, enum reason reason, bool was_unhealthy)
{
    if (!was_unhealthy || reason == target->shown) {
        target->shown = reason;
        target->other_count = 0;
        return;
    }
    target->other_count = reason == target->other ? target->other_count + 1 : 1;
    target->other = reason;
    if (target->other_count >= target->hysteresis.fall) {
        target->shown = reason;
        target->other_count = 0;
    }
}

static void judge(struct target *target, const struct probe_result *result)
{
    struct probe_result told = *result;
    bool was_unhealthy = hysteresis_status(&target->hysteresis) == STATUS_UNHEALTHY;
    hysteresis_step(&target->hysteresis, result->outcome == PROBE_PASSED);
    enum status status = hysteresis_status(&target->hysteresis);
    if (result->outcome == PROBE_FAILED) {
        take_reason(target, result->reason, was_unhealthy);
        told.reason = target->shown;
        told.text = target->shown == result->reason ? result->text : SPAN_NONE;
        status = status == STATUS_UNHEALTHY && is_timeout(told.reason) ? STATUS_TIMEOUT : status;
    }
    if (hysteresis_settled(&target->hysteresis)) {
        tell(target, status, &told);
    }
}

static bool is_late(const struct target *target, const struct probe_result *result, struct mono now)
{
    int64_t tolerated_ms =
        target->check.timeout_ms / 2 > LATE_MIN_MS ? target->check.timeout_ms / 2 : LATE_MIN_MS;
    int64_t late_ms = mono_ms_between(target->entry.began, now) - target->check.timeout_ms;
    return result->outcome == PROBE_FAILED && is_timeout(result->reason) && late_ms > tolerated_ms;
}

static void end_probe(struct targets *targets, struct target *target, struct mono now)
{
    const struct checker_options *checker = &targets->checker;
    uint32_t slow_ms = checker->slow_ms == NULL ? 0 : checker->slow_ms(checker->arg);
    schedule_done(&targets->schedule, &target->entry, now, slow_ms);
}

void targets_done(struct targets *targets, struct target *target, const struct probe_result *result,
                  struct mono now)
{
    bool late = is_late(target, result, now);
    target->probe = NULL;
    end_probe(targets, target, now);
    targets->dropped_late += late;
    if (!late && result->outcome != PROBE_NOTHING && !target->refused) {
        judge(target, result);
    }
}

static void begin(struct targets *targets, struct target *target, struct mono now)
{
    if (target->refused) {
        const struct probe_result refused = {.reason = REASON_TARGET_REFUSED};
        end_probe(targets, target, now);
        tell(target, STATUS_UNKNOWN, &refused);
        return;
    }
    const struct probe_request request = {.check = &target->check,
                                          .address = target->address,
                                          .path = target->path,
                                          .host = target->host};
    if (targets->start(targets->arg, target, &request) == ERR_OK) {
        targets->begun++;
    } else {
        end_probe(targets, target, now);
    }
}

int64_t targets_run(struct targets *targets, struct mono now)
{
    struct schedule_entry *entry = NULL;
    while ((entry = schedule_next(&targets->schedule, now)) != NULL) {
        begin(targets, target_of_entry(entry), now);
    }
    return schedule_wait_us(&targets->schedule, now);
}

void targets_counts(const struct targets *targets, struct checker_counts *ret_counts)
{
    *ret_counts = (struct checker_counts){.targets = (uint32_t)targets->by_key.count,
                                          .in_flight = targets->schedule.running,
                                          .begun = targets->begun,
                                          .dropped_late = targets->dropped_late};
}

void *target_arg(const struct target *target)
{
    return target->targets->arg;
}

void *target_probe(const struct target *target)
{
    return target->probe;
}

void target_set_probe(struct target *target, void *probe)
{
    target->probe = probe;
}
