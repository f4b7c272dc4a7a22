// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"
#include "base/loop.h"
#include "stream/redis/redis.h"
#include "tests/contract/rig.h"
#include "tests/lib/suite.h"

#include <stdio.h>

static void redis_open(struct rig *rig)
{
    redis_server_start(&rig->redis, rig->redis_args);
    CHECK_OK(loop_new(&rig->loop));
}

static void redis_close(struct rig *rig)
{
    loop_free(rig->loop);
    redis_server_stop(&rig->redis);
}

static enum err redis_client(struct rig *rig, stream_event_fn on_event, void *arg,
                             struct stream **ret)
{
    const struct redis_options options = {.loop = rig->loop,
                                          .url = rig->url != NULL ? rig->url : rig->redis.url,
                                          .user = rig->user,
                                          .password_file = rig->password_file,
                                          .ca_file = rig->ca_file,
                                          .cert_file = rig->cert_file,
                                          .key_file = rig->key_file,
                                          .allow_eviction = rig->allow_eviction,
                                          .prefix = "mp",
                                          .node = "node a",
                                          .partitions = RIG_PARTITIONS,
                                          .retention = 100000,
                                          .connect_timeout_ms = 2000,
                                          .reply_timeout_ms = rig->reply_timeout_ms,
                                          .backoff_max_ms = rig->backoff_max_ms,
                                          .linger_max_ms = 200,
                                          .watch_ms = rig->watch_ms};
    return redis_new(&options, on_event, arg, ret);
}

static void redis_pump(struct rig *rig)
{
    loop_run_once(rig->loop, 5);
}

static void redis_flush(struct rig *rig)
{
    rig_run(rig, "FLUSHALL");
}

static void redis_trim(struct rig *rig, uint32_t partition, size_t keep)
{
    char command[80];
    snprintf(command, sizeof(command), "XTRIM {mp:%u}e MAXLEN %zu", partition, keep);
    rig_run(rig, command);
}

static void redis_lose_last(struct rig *rig, uint32_t partition)
{
    char command[160];
    snprintf(command, sizeof(command),
             "EVAL \"local l = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1) "
             "return redis.call('XDEL', KEYS[1], l[1][1])\" 1 {mp:%u}e",
             partition);
    rig_run(rig, command);
}

static void send_key(struct rig *rig, const char *verb, uint32_t partition, const struct span *rest)
{
    char key[32];
    snprintf(key, sizeof(key), "{mp:%u}%s", partition, verb[0] == 'X' ? "e" : "s");
    struct span words[5] = {span_str(verb), span_str(key)};
    size_t count = 2;
    if (verb[0] == 'X') {
        words[count++] = SPAN_LIT("*");
    }
    words[count++] = rest[0];
    words[count++] = rest[1];
    redis_server_send(&rig->redis, words, count);
}

static void redis_garbage_entry(struct rig *rig, uint32_t partition, struct span key,
                                struct span value)
{
    send_key(rig, "XADD", partition, (const struct span[]){key, value});
}

static void redis_garbage_record(struct rig *rig, uint32_t partition, struct span key,
                                 struct span value)
{
    send_key(rig, "HSET", partition, (const struct span[]){key, value});
}

static void redis_foreign_entry(struct rig *rig, uint32_t partition,
                                const struct stream_entry *entry)
{
    char key[32];
    char head[120];
    struct span words[16] = {SPAN_LIT("XADD"), {0}, SPAN_LIT("*"), SPAN_LIT("#")};
    size_t count = 5;
    snprintf(key, sizeof(key), "{mp:%u}e", partition);
    snprintf(head, sizeof(head), "%s:%llu:%llu-%012llx:%llu", entry->epoch.text,
             (unsigned long long)entry->sequence, (unsigned long long)entry->digest.count,
             (unsigned long long)entry->digest.sum, (unsigned long long)entry->floor);
    words[1] = span_str(key);
    words[4] = span_str(head);
    for (uint32_t i = 0; i < entry->count && count + 2 <= 16; i++) {
        words[count++] = entry->pairs[i].key;
        words[count++] = entry->pairs[i].value;
    }
    redis_server_send(&rig->redis, words, count);
}

static void redis_mistype(struct rig *rig, uint32_t partition, enum memory_key key)
{
    char command[80];
    snprintf(command, sizeof(command), "SET {mp:%u}%s stranger", partition,
             key == MEMORY_KEY_STATE ? "s" : "e");
    rig_run(rig, command);
}

static void redis_mend(struct rig *rig, uint32_t partition, enum memory_key key)
{
    char command[80];
    snprintf(command, sizeof(command), "DEL {mp:%u}%s", partition,
             key == MEMORY_KEY_STATE ? "s" : "e");
    rig_run(rig, command);
}

static void redis_claim(struct rig *rig, uint32_t partition, uint32_t partitions, uint32_t wire)
{
    char text[96];
    snprintf(text, sizeof(text), RIG_EPOCH_A ":%u:%u:1764000000000", partitions, wire);
    send_key(rig, "HSET", partition, (const struct span[]){SPAN_LIT("!"), span_str(text)});
}

static void redis_forget_scripts(struct rig *rig)
{
    rig_run(rig, "SCRIPT FLUSH");
}

static void redis_floor(struct rig *rig, uint32_t partition, uint64_t floor)
{
    char text[32];
    snprintf(text, sizeof(text), "%llu", (unsigned long long)floor);
    send_key(rig, "HSET", partition, (const struct span[]){SPAN_LIT("^"), span_str(text)});
}

static void redis_cut(struct rig *rig, uint32_t client)
{
    (void)client;
    rig_run(rig, "CLIENT KILL TYPE normal SKIPME yes");
}

static void redis_wait_ms(struct rig *rig, int64_t ms)
{
    struct mono start = clock_mono();
    while (mono_ms_between(start, clock_mono()) < ms) {
        loop_run_once(rig->loop, 5);
    }
}

const struct rig_backend rig_redis = {.name = "redis",
                                      .open = redis_open,
                                      .close = redis_close,
                                      .client = redis_client,
                                      .pump = redis_pump,
                                      .flush = redis_flush,
                                      .trim = redis_trim,
                                      .lose_last = redis_lose_last,
                                      .garbage_entry = redis_garbage_entry,
                                      .garbage_record = redis_garbage_record,
                                      .foreign_entry = redis_foreign_entry,
                                      .mistype = redis_mistype,
                                      .mend = redis_mend,
                                      .claim = redis_claim,
                                      .forget_scripts = redis_forget_scripts,
                                      .floor = redis_floor,
                                      .cut = redis_cut,
                                      .wait_ms = redis_wait_ms};
