// SPDX-License-Identifier: Apache-2.0
// What can change behind a standing connection: INFO memory is asked for again and again, on the put
// connection, for an operator corrects a maxmemory-policy, or spoils it, while we are connected.
#include "base/log.h"
#include "stream/redis/redis_state.h"

#define WATCH_GOOD_MS 10000
#define WATCH_BAD_MS 5000 // nothing is published meanwhile

// With full fleets in mind: not all at one moment.
static int64_t jittered(struct redis *redis, int64_t ms)
{
    return ms - ms / 5 + (int64_t)random_below(&redis->random, (uint64_t)ms * 2 / 5 + 1);
}

static void arm(struct redis *redis)
{
    int64_t usual_ms = redis->policy == REDIS_POLICY_EVICTS ? WATCH_BAD_MS : WATCH_GOOD_MS;
    int64_t given_ms = redis->options.watch_ms;
    loop_timer_set_ms(redis->watch, jittered(redis, given_ms > 0 ? given_ms : usual_ms));
}

static void on_watch(void *arg)
{
    struct redis *redis = arg;
    const struct redis_link_command command = {.kind = REDIS_INFO_AGAIN,
                                               .timeout_ms = redis->options.reply_timeout_ms};
    resp_command(&redis->out, 2);
    resp_arg_str(&redis->out, "INFO");
    resp_arg_str(&redis->out, "memory");
    redis_send(redis, &redis->put, &command);
    arm(redis);
}

enum err redis_watch_init(struct redis *redis)
{
    return loop_timer_new(redis->options.loop, on_watch, redis, &redis->watch);
}

void redis_watch_fini(struct redis *redis)
{
    loop_timer_free(redis->watch);
}

void redis_watch_up(struct redis *redis)
{
    if (redis->policy != REDIS_POLICY_UNKNOWN) {
        arm(redis);
    }
}

void redis_watch_down(struct redis *redis)
{
    loop_timer_cancel(redis->watch);
}

static void say(const struct redis *redis, struct span policy)
{
    bool evicts = redis->policy == REDIS_POLICY_EVICTS;
    const char *what = "publishing refused: the server may evict our keys";
    enum log_level level = LOG_ERROR;
    if (!evicts) {
        what = "the server does not evict keys any more";
        level = LOG_INFO;
    } else if (redis->options.allow_eviction) {
        what = "the server may evict our keys";
        level = LOG_WARN;
    }
    log_event(level, "stream", log_text("server", redis->options.url), log_text("what", what),
              log_str("maxmemory_policy", policy));
}

void redis_watch_policy(struct redis *redis, struct span policy)
{
    enum redis_policy before = redis->policy;
    redis->policy = policy.len == 0                     ? REDIS_POLICY_UNKNOWN
                    : span_eq_str(policy, "noeviction") ? REDIS_POLICY_KEEPS
                                                        : REDIS_POLICY_EVICTS;
    bool changed = redis->policy != before;
    if (redis->policy == REDIS_POLICY_EVICTS ? changed : changed && before == REDIS_POLICY_EVICTS) {
        say(redis, policy);
    }
}
