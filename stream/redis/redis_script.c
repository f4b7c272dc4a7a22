// SPDX-License-Identifier: Apache-2.0
// Calling our scripts, and what happens when the server has forgotten them (SCRIPT FLUSH, a proxy that went
// on to another server): nothing of such a call was executed.  The script is loaded again on the same
// connection, hence before whatever follows, and the call made again: a put by whoever holds its bytes
// (STREAM_AGAIN), all others here.
//
//     EVALSHA put ---NOSCRIPT---> SCRIPT LOAD, then STREAM_AGAIN --> the same EVALSHA put
//     EVALSHA put ---NOSCRIPT---> (it was sent before that load) STREAM_AGAIN --> ...
#include "base/assert.h"
#include "stream/redis/redis_state.h"

#include <stdio.h>

#define RELOAD_MIN_MS 100 // for a script that could not be called since it was loaded

void redis_script_open(struct redis *redis, enum scripts_id id, uint32_t argument_count)
{
    uint32_t keys = scripts_rows[id].key_count;
    resp_command(&redis->out, 3 + keys + argument_count);
    resp_arg_str(&redis->out, "EVALSHA");
    resp_arg(&redis->out, span_of(redis->sha[id], SCRIPTS_SHA_LEN));
    resp_arg_u64(&redis->out, keys);
}

void redis_script_open_partition(struct redis *redis, enum scripts_id id, uint32_t partition,
                                 uint32_t argument_count)
{
    redis_script_open(redis, id, argument_count);
    redis_arg_key(redis, partition, "s");
    redis_arg_key(redis, partition, "e");
}

// False: it was loaded a moment ago, and not once was there when it was called: the server keeps none.
static bool load(struct redis *redis, enum scripts_id id, uint64_t serial)
{
    struct redis_reload *reload = &redis->reloads[id];
    struct mono now = loop_now(redis->options.loop);
    if (reload->serial > serial) {
        return true; // another call that met the same was faster
    }
    if (reload->serial != 0 && !reload->proven &&
        mono_ms_between(reload->at, now) < RELOAD_MIN_MS) {
        return false;
    }
    redis_greet_load(redis, id);
    *reload = (struct redis_reload){.serial = redis->put.commands, .at = now};
    return true;
}

// False: the command calls no script.
static bool script_of(int kind, enum scripts_id *ret_id)
{
    switch (kind) {
    case REDIS_META:
        *ret_id = SCRIPTS_META;
        return true;
    case REDIS_CREATE:
        *ret_id = SCRIPTS_CREATE;
        return true;
    case REDIS_PUT:
        *ret_id = SCRIPTS_PUT;
        return true;
    case REDIS_BEAT:
        *ret_id = SCRIPTS_BEAT;
        return true;
    default:
        return false;
    }
}

void redis_script_known(struct redis *redis, const struct redis_link_command *command)
{
    enum scripts_id id = SCRIPTS_COUNT;
    if (script_of(command->kind, &id) && command->serial > redis->reloads[id].serial) {
        redis->reloads[id].proven = true;
    }
}

bool redis_script_forgotten(struct redis *redis, const struct redis_link_command *command,
                            bool *ret_again)
{
    enum scripts_id id = SCRIPTS_COUNT;
    *ret_again = script_of(command->kind, &id) && load(redis, id, command->serial);
    if (!*ret_again || command->kind == (int)REDIS_PUT) {
        return false;
    }
    if (command->kind == (int)REDIS_META) {
        redis_calls_meta(&redis->stream, command->partition);
    } else if (command->kind == (int)REDIS_CREATE) {
        redis_calls_create(&redis->stream, command->partition, &command->epoch);
    } else {
        redis_calls_beat_again(redis);
    }
    return true;
}
