// SPDX-License-Identifier: Apache-2.0
// The five kinds of record, decoded.  One wire format (codec.h), one merge (merge.h).
// Invariant: a decoded record borrows its texts from the bytes it came from; fields that this version
// does not know stay in `unknown` and are written back.  Plain data, pure, any thread.
// Read next: codec.h, patch.h (how a writer changes a record), health.h (what they mean together).
#pragma once

#include "base/span.h"
#include "localmap/model/key.h"

#include <stdbool.h>
#include <stdint.h>

#define RECORD_LEN_MAX 4096 // encoded: version, hash and body
#define RECORD_LABELS_MAX 32
#define RECORD_LABEL_NAME_MAX 63
#define RECORD_LABEL_VALUE_MAX 255
#define RECORD_LABELS_LEN_MAX 2048
#define RECORD_TEXT_MAX 128
#define RECORD_UNKNOWN_MAX 16 // runs of unknown fields that one record can carry

enum status {
#define STATUS(name, number) STATUS_##name = number,
#include "localmap/model/model.def"
#undef STATUS
    STATUS_COUNT
};

enum reason {
#define REASON(name, number, word, text) REASON_##name = number,
#include "localmap/model/model.def"
#undef REASON
    REASON_COUNT
};

enum vantage { VANTAGE_LOCAL, VANTAGE_PEER, VANTAGE_PROXY, VANTAGE_EXTERNAL, VANTAGE_COUNT };
enum source { SOURCE_API, SOURCE_CONFIG, SOURCE_KUBERNETES, SOURCE_COUNT };
enum scope { SCOPE_MESH, SCOPE_LOCAL };
enum check_type { CHECK_NONE, CHECK_HTTP, CHECK_HTTPS, CHECK_TCP, CHECK_GRPC, CHECK_TYPE_COUNT };

#define OBSERVERS_LOCAL 0 // only instances with an address of this host
#define OBSERVERS_ALL UINT32_MAX

struct label {
    struct span name;
    struct span value;
};

struct registration {
    struct span address; // an IP literal
    uint32_t port;
    struct span region, zone, sub_zone;
    uint32_t weight;
    uint32_t priority;
    uint64_t lease_ms; // 0 = none
    struct span owner; // node id; "" for source config
    enum source source;
    uint32_t label_count;
    struct label labels[RECORD_LABELS_MAX]; // sorted by name, unique; the last member, see field.h
};

struct override {
    enum status status; // DRAINING, UNHEALTHY or HEALTHY
    struct span reason, actor;
    int64_t until_ms; // wall clock of the server; 0 = indefinite
};

struct observation {
    enum status status;
    enum reason reason;
    struct span text;
    uint64_t latency_us;
    enum vantage vantage;
    int64_t since_ms; // wall clock of the observer: for people only
    struct span via;  // the node that took it
    uint64_t ttl_ms;  // external: withdrawn when it is not renewed in time; 0 = none
};

struct check_policy {
    enum check_type type;
    struct span path;
    struct span host;
    uint32_t port; // 0 = the instance's
    uint32_t interval_ms, timeout_ms;
    uint32_t rise, fall;
    uint32_t expect_min, expect_max; // HTTP status codes
};

struct policy {
    struct check_policy check;
    uint32_t observers; // k of n, OBSERVERS_LOCAL or OBSERVERS_ALL
    uint32_t max_unhealthy_percent;
    bool damping;
    enum scope scope;
    struct span by; // node id of who published it
};

struct node {
    uint64_t incarnation;
    bool up;
    struct span region, zone;
    struct span release; // version of the program
};

struct record {
    enum key_kind kind;
    bool tombstone; // then no other field counts
    union {
        struct registration registration;
        struct override override;
        struct observation observation;
        struct policy policy;
        struct node node;
    };
    uint32_t unknown_count;
    struct span unknown[RECORD_UNKNOWN_MAX]; // whole encoded fields, ascending tags
};

// The policy of a service that has none: check none, observers 3, max 50 %, damping, scope mesh.
void record_policy_default(struct policy *ret_policy);

const char *status_name(enum status status);    // "UNHEALTHY"
const char *reason_word(enum reason reason);    // "ConnectRefused"
const char *vantage_name(enum vantage vantage); // "local"
const char *source_name(enum source source);    // "config"
const char *check_type_name(enum check_type type);
// false when the word is none of the list.
bool status_parse(struct span word, enum status *ret_status);
bool reason_parse(struct span word, enum reason *ret_reason);
bool check_type_parse(struct span word, enum check_type *ret_type);
