// SPDX-License-Identifier: Apache-2.0
// The configuration: one table of keys (config.def), read from a file, the environment and flags.
//
//     --set KEY=VALUE  >  MESHPULSE_SECTION_KEY  >  file (YAML)  >  default
//
// A load finds everything that is wrong, not the first thing only.  Invariant: a struct config that was
// given is valid in itself: every value in its range, no two services in one Envoy cluster, no listener
// that strangers reach without TLS and authentication.  It never changes; a reload makes a new one.
// Opens no socket, and no file but the one that it reads; files that it names are not looked at.
// [any].  Read next: config.def; config_table.h (rows), config_value.h (texts and values),
// config_services.c (tenants, services), config_check.c (rules over several keys).
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "localmap/model/record.h"

#include <stdbool.h>
#include <stdint.h>

enum config_key_id {
#define CONFIG_STRING(section, key, ...) CONFIG_##section##_##key,
#define CONFIG_NUMBER(section, key, ...) CONFIG_##section##_##key,
#define CONFIG_POWER(section, key, ...) CONFIG_##section##_##key,
#define CONFIG_DURATION(section, key, ...) CONFIG_##section##_##key,
#define CONFIG_BOOL(section, key, ...) CONFIG_##section##_##key,
#define CONFIG_WORD(section, key, ...) CONFIG_##section##_##key,
#define CONFIG_LIST(section, key, ...) CONFIG_##section##_##key,
#include "replicator/config.def"
    CONFIG_KEY_COUNT
};

// Each text is also terminated by a NUL.
struct config_list {
    const struct span *items;
    uint32_t count;
};

// The words of CONFIG_WORD rows in their order.
enum config_write { CONFIG_WRITE_LOOPBACK, CONFIG_WRITE_AUTHENTICATED };

enum config_origin_kind { CONFIG_DEFAULT, CONFIG_FILE, CONFIG_ENV, CONFIG_SET };

// Where a value came from.
struct config_origin {
    enum config_origin_kind kind;
    uint32_t line; // of CONFIG_FILE
    uint32_t column;
};

// One instance of the file; config_registration makes a registration of it.
struct config_instance {
    struct span id, address, region, zone, sub_zone;
    uint32_t port, weight, priority;
    uint32_t label_count;
    const struct label *labels; // sorted by name
    uint32_t line, column;
};

struct config_service {
    struct span tenant, name;
    struct policy policy;                    // `by` is the node's own id
    const struct config_instance *instances; // in the file's order
    uint32_t instance_count;
    uint32_t line, column;
};

struct config_tenant {
    struct span name;
    uint32_t quota; // 0: map.quota
    uint32_t line, column;
};

struct config_pool;

// Fields are called section_key; durations end in _ms.
struct config {
#define CONFIG_STRING(section, key, ...) const char *section##_##key;
#define CONFIG_NUMBER(section, key, ...) uint32_t section##_##key;
#define CONFIG_POWER(section, key, ...) uint32_t section##_##key;
#define CONFIG_DURATION(section, key, ...) uint32_t section##_##key##_ms;
#define CONFIG_BOOL(section, key, ...) bool section##_##key;
#define CONFIG_WORD(section, key, ...) uint32_t section##_##key;
#define CONFIG_LIST(section, key, ...) struct config_list section##_##key;
#include "replicator/config.def"
    const struct config_tenant *tenants;
    uint32_t tenant_count;
    const struct config_service *services; // in the file's order
    uint32_t service_count;
    const char *file; // as it was named; NULL: none
    struct config_origin origins[CONFIG_KEY_COUNT];
    struct config_pool *pool; // all that the pointers lead to
};

// What is wrong, all of it, and what is only odd.
//     FILE:LINE:COLUMN: key: what is wrong; what is allowed
// FILE:0:0 when it cannot be read; `--set KEY:` and `MESHPULSE_X:` instead of the place for those.
struct config_report {
    struct buf errors;   // one a line
    struct buf warnings; // one a line
    uint32_t error_count;
    uint32_t warning_count;
};

void config_report_init(struct config_report *report);
void config_report_fini(struct config_report *report);

// All of it is borrowed until config_load returns.
struct config_options {
    const char *file;               // NULL: none
    struct span text;               // what stands in `file`; ptr NULL: it is read
    const char *const *environment; // NAME=VALUE, NULL at the end; NULL: none
    const char *const *sets;        // SECTION.KEY=VALUE
    uint32_t set_count;
    const char *host_name; // the default of node.id; NULL: the system's
};

// ERR_INVALID: something is wrong, see the report (which may hold warnings on success too); ERR_NOMEM.
// *gives* the configuration.  The report must be fresh.
enum err config_load(const struct config_options *options, struct config **ret_config,
                     struct config_report *report) MUST_USE;
// Accepts NULL.
void config_free(struct config *config);

// The registration of an instance; borrows from the configuration.  Owner is empty, the source `config`.
void config_registration(const struct config_instance *instance,
                         struct registration *ret_registration);

// The whole configuration as YAML that config_load accepts, the origin of each value as a comment.
void config_print(const struct config *config, struct buf *out);

// docs/configuration.md, and meshpulse.yaml(5).
void config_write_markdown(struct buf *out);
void config_write_manual(struct buf *out);

// config->admin_unix_uids as numbers, at most `cap`.  Returns how many there are.
size_t config_uids(const struct config *config, uint32_t *ret_uids, size_t cap);
// "0660" as a number.
uint32_t config_mode(const char *mode);
