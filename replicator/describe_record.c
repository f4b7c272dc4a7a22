// SPDX-License-Identifier: Apache-2.0
#include "replicator/describe_record.h"

#include "base/assert.h"
#include "base/text.h"
#include "localmap/model/codec.h"

#include <string.h>

#define KEEP TEXT_PERCENT_KEEP_PATH ":/@"
#define ENCODED_MAX (3 * KEY_SERVICE_MAX) // no text of a record but a path is longer
#define CUT "..."

struct out {
    char *buf;
    size_t cap, len;
    bool cut;
};

// Whole pieces only, so that no escape is torn; the mark of a cut always has room.
static void put(struct out *out, struct span piece)
{
    if (out->cut || out->len + piece.len + sizeof(CUT) > out->cap) {
        out->cut = true;
        return;
    }
    memcpy(out->buf + out->len, piece.ptr, piece.len);
    out->len += piece.len;
}

static void put_str(struct out *out, const char *text)
{
    put(out, span_str(text));
}

static void put_foreign(struct out *out, struct span text)
{
    char encoded[ENCODED_MAX];
    size_t len = text_percent_encode(text, KEEP, encoded, sizeof(encoded));
    put(out, len <= sizeof(encoded) ? span_of(encoded, len) : span_str(CUT));
}

// " name=", and nothing for what is not there.
static void put_name(struct out *out, const char *name)
{
    put_str(out, " ");
    put_str(out, name);
    put_str(out, "=");
}

static void put_text(struct out *out, const char *name, struct span text)
{
    if (text.len > 0) {
        put_name(out, name);
        put_foreign(out, text);
    }
}

static void put_number(struct out *out, const char *name, uint64_t number)
{
    char digits[TEXT_U64_LEN];
    put_name(out, name);
    put(out, span_of(digits, text_u64_format(number, digits)));
}

static void put_duration(struct out *out, const char *name, uint64_t ms)
{
    char text[TEXT_DURATION_LEN];
    if (ms > 0) {
        put_name(out, name);
        put(out, span_of(text, text_duration_format(ms, text)));
    }
}

static void put_time(struct out *out, const char *name, int64_t ms)
{
    char text[TEXT_TIME_LEN];
    if (ms != 0) {
        put_name(out, name);
        put(out, span_of(text, text_time_format((struct wall){ms}, text)));
    }
}

static void put_zone(struct out *out, struct span region, struct span zone)
{
    if (region.len + zone.len > 0) {
        put_name(out, "zone");
        put_foreign(out, region);
        put_str(out, "/");
        put_foreign(out, zone);
    }
}

static void put_registration(struct out *out, const struct registration *r)
{
    char port[TEXT_U64_LEN];
    put_foreign(out, r->address);
    put_str(out, ":");
    put(out, span_of(port, text_u64_format(r->port, port)));
    put_number(out, "weight", r->weight);
    if (r->priority != 0) {
        put_number(out, "priority", r->priority);
    }
    put_zone(out, r->region, r->zone);
    put_text(out, "sub_zone", r->sub_zone);
    put_text(out, "owner", r->owner);
    put_duration(out, "lease", r->lease_ms);
    for (uint32_t i = 0; i < r->label_count; i++) {
        put_str(out, i == 0 ? " labels=" : ",");
        put_foreign(out, r->labels[i].name);
        put_str(out, ":");
        put_foreign(out, r->labels[i].value);
    }
}

static void put_override(struct out *out, const struct override *o)
{
    put_str(out, status_name(o->status));
    put_text(out, "reason", o->reason);
    put_text(out, "actor", o->actor);
    put_time(out, "until", o->until_ms);
}

static void put_observation(struct out *out, const struct observation *o)
{
    put_str(out, status_name(o->status));
    put_name(out, "reason");
    put_str(out, reason_word(o->reason));
    put_text(out, "text", o->text);
    put_name(out, "vantage");
    put_str(out, vantage_name(o->vantage));
    put_text(out, "via", o->via);
    put_time(out, "since", o->since_ms);
    put_duration(out, "ttl", o->ttl_ms);
}

static void put_policy(struct out *out, const struct policy *p)
{
    put_str(out, "check=");
    put_str(out, check_type_name(p->check.type));
    put_text(out, "path", p->check.path);
    put_duration(out, "interval", p->check.interval_ms);
    put_duration(out, "timeout", p->check.timeout_ms);
    put_name(out, "observers");
    if (p->observers == OBSERVERS_ALL) {
        put_str(out, "all");
    } else if (p->observers == OBSERVERS_LOCAL) {
        put_str(out, "local");
    } else {
        char digits[TEXT_U64_LEN];
        put(out, span_of(digits, text_u64_format(p->observers, digits)));
    }
    put_number(out, "max_unhealthy_percent", p->max_unhealthy_percent);
    put_name(out, "damping");
    put_str(out, p->damping ? "true" : "false");
    put_name(out, "scope");
    put_str(out, p->scope == SCOPE_LOCAL ? "local" : "mesh");
    put_text(out, "by", p->by);
}

static void put_node(struct out *out, const struct node *node)
{
    put_str(out, node->up ? "up" : "down");
    put_number(out, "incarnation", node->incarnation);
    put_zone(out, node->region, node->zone);
    put_text(out, "version", node->release);
}

static void put_record(struct out *out, const struct record *record)
{
    switch (record->kind) {
    case KEY_REGISTRATION:
        put_registration(out, &record->registration);
        break;
    case KEY_OVERRIDE:
        put_override(out, &record->override);
        break;
    case KEY_OBSERVATION:
        put_observation(out, &record->observation);
        break;
    case KEY_POLICY:
        put_policy(out, &record->policy);
        break;
    case KEY_NODE:
        put_node(out, &record->node);
        break;
    default:
        ASSERT(false);
    }
}

size_t describe_record(enum key_kind kind, struct span body, char *buf, size_t cap)
{
    struct record record;
    struct out out = {.buf = buf, .cap = cap};
    ASSERT(cap > sizeof(CUT));
    if (codec_body_read(kind, body, &record) != ERR_OK) {
        put_str(&out, "unreadable");
        put_number(&out, "wire", body.len > 0 ? (unsigned char)body.ptr[0] : 0);
        put_number(&out, "len", body.len);
    } else if (record.tombstone) {
        put_str(&out, "deleted");
    } else {
        put_record(&out, &record);
    }
    if (out.cut) {
        memcpy(buf + out.len, CUT, sizeof(CUT) - 1);
        out.len += sizeof(CUT) - 1;
    }
    buf[out.len] = '\0';
    return out.len;
}
