// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/core/rig.h"

#include "tests/lib/suite.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ARENA_LEN (4u << 20)

static const char *const outcomes[] = {
    [CORE_APPLIED] = "applied", [CORE_ACCEPTED] = "accepted",
    [CORE_SAME] = "same",       [CORE_NOT_FOUND] = "not_found",
    [CORE_STALE] = "stale",     [CORE_CONFLICT] = "conflict",
    [CORE_REFUSED] = "refused", [CORE_NOT_READY] = "not_ready",
    [CORE_FENCED] = "fenced",   [CORE_UNAVAILABLE] = "unavailable",
    [CORE_UNKNOWN] = "unknown", [CORE_OVER_QUOTA] = "over_quota"};

__attribute__((format(printf, 2, 3))) static void tell(struct rig *rig, const char *format, ...)
{
    if (rig->story_len > 0 && rig->story_len < sizeof(rig->story) - 1) {
        rig->story[rig->story_len++] = '\n';
    }
    va_list args;
    va_start(args, format);
    int len =
        vsnprintf(rig->story + rig->story_len, sizeof(rig->story) - rig->story_len, format, args);
    va_end(args);
    rig->story_len += (size_t)len;
    CHECK(rig->story_len < sizeof(rig->story));
}

// The last part of a key, for people.
static struct span short_key(struct span key)
{
    size_t at = key.len;
    while (at > 0 && key.ptr[at - 1] != '\0') {
        at--;
    }
    return span_of(key.ptr + at, key.len - at);
}

// The stream takes one question of a kind at a time.
static void ask(bool *open)
{
    CHECK(!*open);
    *open = true;
}

static void on_put(struct rig *rig, const struct core_action *action)
{
    char line[2048] = "put";
    size_t len = strlen(line);
    rig->put_count = action->put.count;
    ask(&rig->put_open);
    for (uint32_t i = 0; i < action->put.count; i++) {
        const struct stream_record *record = &action->put.records[i];
        struct span key = short_key(record->key);
        memcpy(rig->put[i].key, record->key.ptr, record->key.len);
        rig->put[i].key_len = record->key.len;
        memcpy(rig->put[i].expected, record->expected, 16);
        memcpy(rig->put[i].value, record->value.ptr, record->value.len);
        rig->put[i].value_len = record->value.len;
        len += (size_t)snprintf(line + len, sizeof(line) - len, " %.*s@%llu=%llu", (int)key.len,
                                key.ptr, (unsigned long long)version_get(record->expected).counter,
                                (unsigned long long)version_get(record->value.ptr).counter);
    }
    tell(rig, "%s", line);
}

static uint32_t weight_in(struct span body)
{
    struct record record;
    CHECK_OK(codec_body_read(KEY_REGISTRATION, body, &record));
    return record.registration.weight;
}

static void on_log(struct rig *rig, const struct core_log *log)
{
    struct span key = short_key(log->key);
    switch (log->what) {
    case CORE_LOG_HEALTH:
        tell(rig, "health %.*s %s->%s %s", (int)key.len, key.ptr, status_name(log->from),
             status_name(log->to), reason_word(log->reason));
        break;
    case CORE_LOG_RESYNC:
        tell(rig, "resync %.*s", (int)log->text.len, log->text.ptr);
        break;
    case CORE_LOG_REPAIR:
        tell(rig, "repair %.*s %.*s", (int)key.len, key.ptr, (int)log->text.len, log->text.ptr);
        break;
    case CORE_LOG_REJECTED:
        tell(rig, "rejected %.*s", (int)log->text.len, log->text.ptr);
        break;
    case CORE_LOG_NODE:
        tell(rig, "node %.*s %s", (int)log->text.len, log->text.ptr, log->up ? "up" : "down");
        break;
    case CORE_LOG_FENCED:
        tell(rig, "fenced by %llu", (unsigned long long)log->number);
        break;
    case CORE_LOG_DIVERGED:
        tell(rig, "diverged");
        break;
    case CORE_LOG_MISCONFIGURED:
        tell(rig, "misconfigured");
        break;
    case CORE_LOG_LEASE:
        tell(rig, "lease %.*s", (int)key.len, key.ptr);
        break;
    case CORE_LOG_SUPERSEDED:
        tell(rig, "superseded %.*s %llu:%u over %llu:%u", (int)key.len, key.ptr,
             (unsigned long long)log->version.counter, weight_in(log->value),
             (unsigned long long)log->other.counter, weight_in(log->other_value));
        break;
    case CORE_LOG_OPAQUE:
        tell(rig, "opaque %.*s", (int)key.len, key.ptr);
        break;
    case CORE_LOG_LOST:
        tell(rig, "lost %.*s", (int)key.len, key.ptr);
        break;
    case CORE_LOG_OVER_QUOTA:
        tell(rig, "over quota %.*s", (int)key.len, key.ptr);
        break;
    case CORE_LOG_QUOTA:
        tell(rig, "quota %.*s level %d: %llu of %u", (int)log->text.len, log->text.ptr,
             (int)log->level, (unsigned long long)log->number, log->limit);
        break;
    case CORE_LOG_SESSION:
    case CORE_LOG_CONFLICT:
    case CORE_LOG_EQUIVOCATION:
    case CORE_LOG_JOINED:
    case CORE_LOG_READY:
    case CORE_LOG_STALE_START:
    case CORE_LOG_POLICY:
    case CORE_LOG_STREAM:
    case CORE_LOG_REFUSED:
    default:
        break;
    }
}

static void on_action(void *arg, const struct core_action *action)
{
    struct rig *rig = arg;
    struct span key = SPAN_NONE;
    switch (action->type) {
    case CORE_ACT_META:
        ask(&rig->meta_open);
        tell(rig, "meta");
        break;
    case CORE_ACT_CREATE:
        ask(&rig->meta_open);
        tell(rig, "create");
        memcpy(rig->epoch, action->epoch->text, sizeof(rig->epoch));
        break;
    case CORE_ACT_SCAN:
        ask(&rig->scan_open);
        tell(rig, "scan %llu", (unsigned long long)action->cursor);
        break;
    case CORE_ACT_PROBE:
        ask(&rig->probe_open);
        tell(rig, "probe %llu", (unsigned long long)action->read.id.ms);
        break;
    case CORE_ACT_READ:
        tell(rig, "read %llu", (unsigned long long)action->read.id.ms);
        break;
    case CORE_ACT_UNREAD:
        tell(rig, "unread");
        break;
    case CORE_ACT_PUT:
        on_put(rig, action);
        break;
    case CORE_ACT_BEAT:
        tell(rig, "beat");
        break;
    case CORE_ACT_FORGET:
        tell(rig, "forget %.*s", (int)action->text.len, action->text.ptr);
        break;
    case CORE_ACT_DONE:
        tell(rig, "done %llu %s", (unsigned long long)action->done.op,
             outcomes[action->done.outcome]);
        break;
    case CORE_ACT_TARGET:
        key = short_key(action->target.key);
        tell(rig, "%s %.*s", action->target.target.probe ? "probe" : "unprobe", (int)key.len,
             key.ptr);
        break;
    case CORE_ACT_LOG:
        if (rig->log) {
            on_log(rig, action->log);
        }
        break;
    default:
        CHECK(false);
    }
}

struct rig *rig_new(void)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    CHECK(rig != NULL);
    rig->arena = calloc(1, ARENA_LEN);
    CHECK(rig->arena != NULL);
    rig->now_ms = 1000;
    memcpy(rig->epoch, RIG_EPOCH, sizeof(rig->epoch));
    const struct map_options map_options = {
        .shards = 4, .partitions = 1, .changefeed = 256, .instance = 1};
    CHECK_OK(map_new(&map_options, &rig->map));
    static const struct span addresses[] = {{"127.0.0.1", 9}};
    const struct core_options options = {.node_id = SPAN_LIT(RIG_SELF),
                                         .release = SPAN_LIT("test"),
                                         .partitions = 1,
                                         .lease_ms = 3000,
                                         .resync_min_ms = 10000,
                                         .start_without_ms = 2000,
                                         .private_stream = true,
                                         .seed = 42,
                                         .local_addresses = addresses,
                                         .local_address_count = 1};
    rig->core = core_init(rig->arena, ARENA_LEN, &options, rig->map, on_action, rig);
    CHECK(rig->core != NULL);
    return rig;
}

void rig_free(struct rig *rig)
{
    map_free(rig->map);
    free(rig->arena);
    free(rig);
}

void rig_step(struct rig *rig, const struct core_event *event)
{
    const struct core_time now = {{rig->now_ms * 1000}, {1700000000000 + rig->now_ms}};
    core_step(rig->core, event, now);
}

void rig_stream(struct rig *rig, const struct stream_event *event)
{
    bool down = event->type == STREAM_EV_DOWN; // nothing that is open will be answered
    rig->meta_open = rig->meta_open && !down && event->type != STREAM_EV_META;
    rig->scan_open = rig->scan_open && !down && event->type != STREAM_EV_SCAN;
    rig->probe_open = rig->probe_open && !down && event->type != STREAM_EV_PROBE;
    rig->put_open = rig->put_open && !down && event->type != STREAM_EV_PUT;
    const struct core_event core_event = {.type = CORE_EV_STREAM, .stream = event};
    rig_step(rig, &core_event);
}

void rig_tick(struct rig *rig, int64_t ms)
{
    const struct core_event event = {.type = CORE_EV_TICK};
    for (int64_t left = ms; left > 0; left -= 50) {
        rig->now_ms += left < 50 ? left : 50;
        rig_step(rig, &event);
    }
}

void rig_clear(struct rig *rig)
{
    rig->story_len = 0;
    rig->story[0] = '\0';
}

bool rig_told(struct rig *rig, const char *expected)
{
    bool same = strcmp(rig->story, expected) == 0;
    if (!same) {
        printf("# told:\n%s\n# expected:\n%s\n", rig->story, expected);
        fflush(stdout);
    }
    rig_clear(rig);
    return same;
}

void rig_up(struct rig *rig)
{
    const struct stream_event event = {.type = STREAM_EV_UP};
    rig_stream(rig, &event);
}

void rig_down(struct rig *rig)
{
    const struct stream_event event = {.type = STREAM_EV_DOWN, .text = SPAN_LIT("gone")};
    rig_stream(rig, &event);
}

void rig_meta(struct rig *rig, uint64_t sequence)
{
    struct stream_event event = {.type = STREAM_EV_META};
    event.meta = (struct stream_meta){.exists = true,
                                      .partitions = 1,
                                      .wire = STREAM_WIRE,
                                      .sequence = sequence,
                                      .mean = 1,
                                      .digest = rig->digest,
                                      .last_id = {rig->id, 0}};
    memcpy(event.meta.epoch.text, rig->epoch, sizeof(rig->epoch));
    rig_stream(rig, &event);
}

void rig_no_meta(struct rig *rig)
{
    const struct stream_event event = {.type = STREAM_EV_META};
    rig_stream(rig, &event);
}

void rig_scan_end(struct rig *rig)
{
    const struct stream_event event = {.type = STREAM_EV_SCAN};
    rig_stream(rig, &event);
}

void rig_probe(struct rig *rig, bool found)
{
    struct stream_event event = {.type = STREAM_EV_PROBE};
    event.probe.found = found;
    event.probe.entry = (struct stream_entry){
        .id = {rig->id, 0}, .valid = true, .sequence = rig->sequence, .digest = rig->digest};
    memcpy(event.probe.entry.epoch.text, rig->epoch, sizeof(rig->epoch));
    rig_stream(rig, &event);
}

void rig_beat(struct rig *rig, int64_t server_ms, const char *lapsed, const char *peer)
{
    struct stream_event event = {.type = STREAM_EV_BEAT};
    struct stream_peer peers[2] = {{.name = SPAN_LIT(RIG_SELF)}};
    struct span gone = SPAN_NONE;
    event.beat.server_ms = server_ms;
    event.beat.peers = peers;
    event.beat.peer_count = 1;
    event.beat.lapsed = &gone;
    event.beat.in_grace = rig->in_grace;
    if (peer != NULL) {
        peers[1].name = span_str(peer);
        peers[1].payload = rig->payload;
        event.beat.peer_count = 2;
    }
    if (lapsed != NULL) {
        gone = span_str(lapsed);
        event.beat.lapsed_count = 1;
    }
    rig_stream(rig, &event);
}

void rig_key(const char *instance, struct key_bytes *ret_key)
{
    key_registration(SPAN_LIT("default"), SPAN_LIT("s"), span_str(instance), ret_key);
}

uint64_t rig_write(struct rig *rig, const struct core_write *write)
{
    const struct core_event event = {.type = CORE_EV_WRITE, .write = *write};
    rig_step(rig, &event);
    return write->op;
}

static struct patch instance_patch(uint32_t weight)
{
    return (struct patch){
        .op = PATCH_PUT,
        .record = {
            .kind = KEY_REGISTRATION,
            .registration = {.address = SPAN_LIT("10.0.0.1"), .port = 80, .weight = weight}}};
}

uint64_t rig_put_instance(struct rig *rig, const char *instance, uint32_t weight, bool ack_stream)
{
    struct key_bytes key;
    rig_key(instance, &key);
    const struct patch patch = instance_patch(weight);
    const struct core_write write = {
        .op = weight, .key = key_span(&key), .patch = &patch, .ack_stream = ack_stream};
    return rig_write(rig, &write);
}

static uint64_t hash_in(const char *value)
{
    uint64_t hash = 0;
    for (size_t i = 0; i < CODEC_HASH_LEN; i++) {
        hash = hash << 8 | (unsigned char)value[VERSION_LEN + i];
    }
    return hash;
}

// Adds what the last put holds to the played server (keys are new to it in these stories, or replace what
// the same rig put before; the digest is recomputed by the caller where that matters).
static void apply(struct rig *rig)
{
    rig->sequence++;
    rig->id++;
    for (uint32_t i = 0; i < rig->put_count; i++) {
        bool replaces = version_get(rig->put[i].expected).counter != 0;
        struct map_facts facts;
        if (replaces && map_peek(rig->map, span_of(rig->put[i].key, rig->put[i].key_len), &facts)) {
            rig->digest.sum -= facts.hash;
            rig->digest.count--;
        }
        rig->digest.sum = (rig->digest.sum + hash_in(rig->put[i].value)) & CODEC_HASH_MASK;
        rig->digest.count++;
    }
}

void rig_apply_lost(struct rig *rig)
{
    apply(rig);
}

void rig_accept(struct rig *rig)
{
    static struct stream_put_row rows[STREAM_PUT_RECORDS_MAX];
    apply(rig);
    for (uint32_t i = 0; i < rig->put_count; i++) {
        rows[i] = (struct stream_put_row){.result = STREAM_PUT_ACCEPTED};
    }
    struct stream_event event = {.type = STREAM_EV_PUT};
    event.put.sequence = rig->sequence;
    event.put.rows = rows;
    event.put.count = rig->put_count;
    rig_stream(rig, &event);
}

static void entry(struct rig *rig, const struct stream_pair *pairs, uint32_t count)
{
    struct stream_event event = {.type = STREAM_EV_ENTRY};
    event.entry = (struct stream_entry){.id = {rig->id, 0},
                                        .valid = true,
                                        .sequence = rig->sequence,
                                        .digest = rig->digest,
                                        .pairs = pairs,
                                        .count = count};
    memcpy(event.entry.epoch.text, rig->epoch, sizeof(rig->epoch));
    rig_stream(rig, &event);
}

void rig_echo(struct rig *rig)
{
    static struct stream_pair pairs[STREAM_PUT_RECORDS_MAX];
    uint32_t count = rig->put_count; // the step may put again
    for (uint32_t i = 0; i < count; i++) {
        pairs[i] = (struct stream_pair){.key = span_of(rig->put[i].key, rig->put[i].key_len),
                                        .value = span_of(rig->put[i].value, rig->put[i].value_len)};
    }
    entry(rig, pairs, count);
}

void rig_refuse(struct rig *rig, struct span current)
{
    const struct stream_put_row row = {.result = STREAM_PUT_CONFLICT, .current = current};
    struct stream_event event = {.type = STREAM_EV_PUT};
    event.put.sequence = rig->sequence;
    event.put.rows = &row;
    event.put.count = 1;
    CHECK_EQ(rig->put_count, 1);
    rig_stream(rig, &event);
}

void rig_status(struct rig *rig, enum stream_status status)
{
    const struct stream_event event = {.type = STREAM_EV_PUT, .status = status};
    rig_stream(rig, &event);
}

size_t rig_value(const char *instance, uint64_t counter, uint32_t weight, char buf[RECORD_LEN_MAX])
{
    char body[CODEC_BODY_MAX];
    struct key_bytes key;
    rig_key(instance, &key);
    const struct patch patch = instance_patch(weight);
    size_t len = codec_body_write(&patch.record, body, sizeof(body));
    const struct version version = {counter, version_writer(SPAN_LIT("peer"), 1)};
    return codec_value_write(key_span(&key), version, span_of(body, len), buf, RECORD_LEN_MAX);
}

// A value that a peer wrote, as an entry.
static void peer_entry(struct rig *rig, struct span key, const char *value, size_t len)
{
    struct map_facts facts;
    if (map_peek(rig->map, key, &facts) && !version_is_none(facts.version)) {
        rig->digest.sum -= facts.hash;
        rig->digest.count--;
    }
    rig->digest.sum = (rig->digest.sum + hash_in(value)) & CODEC_HASH_MASK;
    rig->digest.count++;
    rig->sequence++;
    rig->id++;
    const struct stream_pair pair = {.key = key, .value = span_of(value, len)};
    entry(rig, &pair, 1);
}

void rig_entry(struct rig *rig, const char *instance, uint64_t counter, uint32_t weight)
{
    static char value[RECORD_LEN_MAX];
    struct key_bytes key;
    rig_key(instance, &key);
    size_t len = rig_value(instance, counter, weight, value);
    peer_entry(rig, key_span(&key), value, len);
}

void rig_record(struct rig *rig, struct span key, uint64_t counter, const struct record *record)
{
    static char value[RECORD_LEN_MAX];
    static char body[CODEC_BODY_MAX];
    size_t body_len = codec_body_write(record, body, sizeof(body));
    const struct version version = {counter, version_writer(SPAN_LIT("peer"), 1)};
    size_t len = codec_value_write(key, version, span_of(body, body_len), value, sizeof(value));
    peer_entry(rig, key, value, len);
}

void rig_live(struct rig *rig)
{
    rig_up(rig);
    rig_no_meta(rig);
    rig_meta(rig, 0);
    rig_scan_end(rig);
    rig_meta(rig, 0);
    rig_tick(rig, 100);
    rig_accept(rig); // of joining
    rig_echo(rig);
    rig_tick(rig, 100);
    rig_clear(rig);
}

uint32_t rig_weight(struct rig *rig, const char *instance)
{
    static struct map_copy copy;
    struct key_bytes key;
    struct record record;
    rig_key(instance, &key);
    if (!map_get(rig->map, key_span(&key), &copy) || (copy.facts.flags & MAP_TOMBSTONE) != 0) {
        return 0;
    }
    CHECK_OK(codec_body_read(KEY_REGISTRATION, map_copy_body(&copy), &record));
    return record.registration.weight;
}

struct map_facts rig_facts(struct rig *rig, const char *instance)
{
    struct map_facts facts = {0};
    struct key_bytes key;
    rig_key(instance, &key);
    (void)map_peek(rig->map, key_span(&key), &facts);
    return facts;
}
