// SPDX-License-Identifier: Apache-2.0
#include "replicator/core/heartbeat.h"

#include "replicator/core/presence.h"
#include "replicator/core/session.h"

#define EPOCH_DIGITS 8

// --- writing: a sticky cursor over a fixed buffer; core uses no stdio

struct sink {
    char *at;
    char *end;
};

static void put(struct sink *sink, struct span text)
{
    if ((size_t)(sink->end - sink->at) < text.len) {
        sink->at = sink->end;
        return;
    }
    memcpy(sink->at, text.ptr, text.len);
    sink->at += text.len;
}

static void put_u64(struct sink *sink, uint64_t value, unsigned base)
{
    char digits[24];
    size_t at = sizeof(digits);
    do {
        digits[--at] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    put(sink, span_of(digits + at, sizeof(digits) - at));
}

static void put_field(struct sink *sink, const char *name, struct span value)
{
    put(sink, span_str(name));
    // A part must not end early: names may hold `;`.
    for (size_t i = 0; i < value.len; i++) {
        put(sink,
            value.ptr[i] == ';' || value.ptr[i] == '%' ? SPAN_LIT("_") : span_of(value.ptr + i, 1));
    }
    put(sink, SPAN_LIT(";"));
}

// As /v1/digest shows it: the sum in 12 digits.
static void put_digest(struct sink *sink, uint64_t count, uint64_t sum)
{
    put_u64(sink, count, 10);
    put(sink, SPAN_LIT("-"));
    for (int shift = 44; shift >= 0; shift -= 4) {
        put(sink, span_of(&"0123456789abcdef"[sum >> shift & 15], 1));
    }
}

static const char *const state_words[] = {[CORE_STATE_CONNECTING] = "connecting",
                                          [CORE_STATE_SNAPSHOT] = "snapshot",
                                          [CORE_STATE_LIVE] = "live",
                                          [CORE_STATE_STALE] = "stale",
                                          [CORE_STATE_DIVERGED] = "diverged",
                                          [CORE_STATE_FENCED] = "fenced",
                                          [CORE_STATE_MISCONFIGURED] = "misconfigured"};

static void put_partitions(struct sink *sink, const struct core *core)
{
    put(sink, SPAN_LIT("p="));
    for (uint32_t p = 0; p < core->options.partitions; p++) {
        const struct session *session = &core->sessions[p];
        if (p > 0) {
            put(sink, SPAN_LIT(","));
        }
        if (session->state != SESSION_LIVE) {
            continue;
        }
        put_u64(sink, session->cursor.sequence, 10);
        put(sink, SPAN_LIT(":"));
        put_digest(sink, session->shadow.count, session->shadow.sum);
        put(sink, SPAN_LIT(":"));
        put(sink, span_of(session->cursor.epoch.text, EPOCH_DIGITS));
    }
    put(sink, SPAN_LIT(";"));
}

size_t heartbeat_write(const struct core *core, char buf[HEARTBEAT_LEN_MAX])
{
    struct sink sink = {buf, buf + HEARTBEAT_LEN_MAX};
    struct map_digest all = {0, 0};
    for (uint32_t p = 0; p < core->options.partitions; p++) {
        struct map_digest digest = map_digest(core->map, p);
        all.count += digest.count;
        all.sum = (all.sum + digest.sum) & CODEC_HASH_MASK;
    }
    put(&sink, SPAN_LIT("v=1;i="));
    put_u64(&sink, core->incarnation, 10);
    put(&sink, SPAN_LIT(";"));
    put_field(&sink, "r=", core->options.release);
    put_field(&sink, "z=", core->options.zone);
    put_field(&sink, "s=", span_str(state_words[presence_state(core)]));
    put(&sink, SPAN_LIT("l="));
    put_u64(&sink, core->lag_ms < 0 ? 0 : (uint64_t)core->lag_ms, 10);
    put(&sink, SPAN_LIT(";d="));
    put_digest(&sink, all.count, all.sum);
    put(&sink, SPAN_LIT(";"));
    if (core->options.partitions <= HEARTBEAT_PARTITIONS_MAX) {
        put_partitions(&sink, core);
    }
    return (size_t)(sink.at - buf);
}

// --- reading

// Cuts off what stands before `stop` (or all); `rest` goes on behind it.
static struct span cut(struct span *rest, char stop)
{
    struct span head = *rest;
    for (size_t i = 0; i < rest->len; i++) {
        if (rest->ptr[i] == stop) {
            head.len = i;
            *rest = span_of(rest->ptr + i + 1, rest->len - i - 1);
            return head;
        }
    }
    *rest = SPAN_NONE;
    return head;
}

static uint64_t number(struct span text, unsigned base)
{
    uint64_t value = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                                                : base;
        if (digit >= base || value > (UINT64_MAX - digit) / base) {
            return 0;
        }
        value = value * base + digit;
    }
    return value;
}

static void keep(char *place, size_t cap, struct span text)
{
    size_t len = text.len < cap - 1 ? text.len : cap - 1;
    if (len > 0) {
        memcpy(place, text.ptr, len);
    }
    place[len] = '\0';
}

// Does one position of a peer lie on our own history?  What is older than we remember, or ahead of us,
// tells nothing.
static bool lies_on(const struct session *session, uint64_t sequence, struct span digest)
{
    struct stream_digest own;
    if (session->state != SESSION_LIVE || !session_history(session, sequence, &own)) {
        return true;
    }
    uint64_t count = number(cut(&digest, '-'), 10);
    return count == own.count && number(digest, 16) == own.sum;
}

static void read_partitions(const struct core *core, struct span text, struct peer *peer)
{
    for (uint32_t p = 0; p < core->options.partitions && text.len > 0; p++) {
        const struct session *session = &core->sessions[p];
        struct span part = cut(&text, ',');
        if (part.len == 0) {
            continue;
        }
        uint64_t sequence = number(cut(&part, ':'), 10);
        struct span digest = cut(&part, ':');
        bool same_epoch = span_eq(part, span_of(session->cursor.epoch.text, EPOCH_DIGITS));
        if (session->state != SESSION_LIVE) {
            continue;
        }
        peer->agrees = peer->agrees && same_epoch && lies_on(session, sequence, digest);
        peer->ahead = peer->ahead || !same_epoch || sequence > session->cursor.sequence;
    }
}

void heartbeat_read(const struct core *core, struct span payload, struct peer *peer)
{
    peer->agrees = true;
    peer->ahead = false;
    while (payload.len > 0) {
        struct span part = cut(&payload, ';');
        if (part.len < 2 || part.ptr[1] != '=') {
            continue;
        }
        struct span value = span_of(part.ptr + 2, part.len - 2);
        switch (part.ptr[0]) {
        case 'i':
            peer->beat_incarnation = number(value, 10);
            break;
        case 'r':
            keep(peer->release, sizeof(peer->release), value);
            break;
        case 'z':
            keep(peer->zone, sizeof(peer->zone), value);
            break;
        case 's':
            keep(peer->state, sizeof(peer->state), value);
            break;
        case 'l':
            peer->lag_ms = (int64_t)(number(value, 10) & INT64_MAX);
            break;
        case 'd':
            keep(peer->digest, sizeof(peer->digest), value);
            break;
        case 'p':
            read_partitions(core, value, peer);
            break;
        default:
            break; // of a newer release
        }
    }
}
