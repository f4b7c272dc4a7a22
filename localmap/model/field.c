// SPDX-License-Identifier: Apache-2.0
#include "localmap/model/field.h"

#include "base/assert.h"
#include "base/utf8.h"
#include "localmap/model/ip.h"

#define PLACE_LEN_MAX 255 // region, zone, sub_zone; node ids are services of the tenant `_mesh`
#define HOST_LEN_MAX 255
#define PATH_LEN_MAX 1024
#define RELEASE_LEN_MAX 255
#define DAY_MS (UINT64_C(24) * 3600 * 1000)

// Numbers are read and written through memcpy as 4 or 8 bytes.
_Static_assert(sizeof(enum status) == 4 && sizeof(enum reason) == 4, "an enum is 4 bytes");
_Static_assert(sizeof(enum vantage) == 4 && sizeof(enum source) == 4, "an enum is 4 bytes");
_Static_assert(sizeof(enum scope) == 4 && sizeof(enum check_type) == 4, "an enum is 4 bytes");

#define AT(member) .offset = offsetof(struct record, member)
#define RANGE(low, high) .min = (low), .max = (high)

static const struct field registration_fields[] = {
    {1, FIELD_ADDRESS, AT(registration.address), RANGE(2, IP_LEN_MAX), .patch_bit = PATCH_ADDRESS},
    {2, FIELD_U32, AT(registration.port), RANGE(1, 65535), .patch_bit = PATCH_PORT},
    {3, FIELD_TEXT, AT(registration.region), RANGE(0, PLACE_LEN_MAX), .patch_bit = PATCH_REGION},
    {4, FIELD_TEXT, AT(registration.zone), RANGE(0, PLACE_LEN_MAX), .patch_bit = PATCH_ZONE},
    {5, FIELD_TEXT, AT(registration.sub_zone), RANGE(0, PLACE_LEN_MAX),
     .patch_bit = PATCH_SUB_ZONE},
    {6, FIELD_U32, AT(registration.weight), RANGE(1, 1000000), .preset = 1,
     .patch_bit = PATCH_WEIGHT},
    {7, FIELD_U32, AT(registration.priority), RANGE(0, 127), .patch_bit = PATCH_PRIORITY},
    {8, FIELD_LABELS, AT(registration.labels), RANGE(0, RECORD_LABELS_MAX),
     .patch_bit = PATCH_LABELS},
    {9, FIELD_U64, AT(registration.lease_ms), RANGE(0, DAY_MS), .patch_bit = PATCH_LEASE},
    {10, FIELD_TEXT, AT(registration.owner), RANGE(0, KEY_SERVICE_MAX), .patch_bit = PATCH_OWNER},
    {11, FIELD_U32, AT(registration.source), RANGE(0, SOURCE_COUNT - 1), .patch_bit = PATCH_SOURCE},
};

static const struct field override_fields[] = {
    {1, FIELD_U32, AT(override.status), RANGE(STATUS_HEALTHY, STATUS_DRAINING)},
    {2, FIELD_TEXT, AT(override.reason), RANGE(0, RECORD_TEXT_MAX)},
    {3, FIELD_TEXT, AT(override.actor), RANGE(0, KEY_SERVICE_MAX)},
    {4, FIELD_U64, AT(override.until_ms), RANGE(0, INT64_MAX)},
};

static const struct field observation_fields[] = {
    {1, FIELD_U32, AT(observation.status), RANGE(0, STATUS_COUNT - 1)},
    {2, FIELD_REASON, AT(observation.reason), RANGE(0, REASON_COUNT - 1)},
    {3, FIELD_TEXT, AT(observation.text), RANGE(0, RECORD_TEXT_MAX), .soft = true},
    {4, FIELD_U64, AT(observation.latency_us), RANGE(0, UINT64_MAX), .soft = true},
    {FIELD_TAG_VANTAGE, FIELD_U32, AT(observation.vantage), RANGE(0, VANTAGE_COUNT - 1)},
    {6, FIELD_U64, AT(observation.since_ms), RANGE(0, UINT64_MAX), .soft = true},
    {7, FIELD_TEXT, AT(observation.via), RANGE(0, KEY_SERVICE_MAX)},
    {8, FIELD_U64, AT(observation.ttl_ms), RANGE(0, DAY_MS)},
};

static const struct field policy_fields[] = {
    {1, FIELD_U32, AT(policy.check.type), RANGE(0, CHECK_TYPE_COUNT - 1)},
    {2, FIELD_TEXT, AT(policy.check.path), RANGE(0, PATH_LEN_MAX)},
    {3, FIELD_TEXT, AT(policy.check.host), RANGE(0, HOST_LEN_MAX)},
    {4, FIELD_U32, AT(policy.check.port), RANGE(0, 65535)},
    {5, FIELD_U32, AT(policy.check.interval_ms), RANGE(0, DAY_MS), .preset = 2000},
    {6, FIELD_U32, AT(policy.check.timeout_ms), RANGE(0, DAY_MS), .preset = 500},
    {7, FIELD_U32, AT(policy.check.rise), RANGE(0, UINT32_MAX), .preset = 2},
    {8, FIELD_U32, AT(policy.check.fall), RANGE(0, UINT32_MAX), .preset = 3},
    {9, FIELD_U32, AT(policy.check.expect_min), RANGE(0, 999), .preset = 200},
    {10, FIELD_U32, AT(policy.check.expect_max), RANGE(0, 999), .preset = 299},
    {11, FIELD_U32, AT(policy.observers), RANGE(0, UINT32_MAX), .preset = 3},
    {12, FIELD_U32, AT(policy.max_unhealthy_percent), RANGE(0, 100), .preset = 50},
    {13, FIELD_BOOL, AT(policy.damping), RANGE(0, 1), .preset = 1},
    {14, FIELD_U32, AT(policy.scope), RANGE(SCOPE_MESH, SCOPE_LOCAL)},
    {15, FIELD_TEXT, AT(policy.by), RANGE(0, KEY_SERVICE_MAX), .soft = true},
};

static const struct field node_fields[] = {
    {1, FIELD_U64, AT(node.incarnation), RANGE(0, UINT64_MAX), .patch_bit = PATCH_INCARNATION},
    {2, FIELD_BOOL, AT(node.up), RANGE(0, 1), .patch_bit = PATCH_UP},
    {3, FIELD_TEXT, AT(node.region), RANGE(0, PLACE_LEN_MAX)},
    {4, FIELD_TEXT, AT(node.zone), RANGE(0, PLACE_LEN_MAX)},
    {5, FIELD_TEXT, AT(node.release), RANGE(0, RELEASE_LEN_MAX), .patch_bit = PATCH_RELEASE},
};

// The kinds' parts lie over each other, the unknown fields behind all of them.
_Static_assert(offsetof(struct record, registration) == offsetof(struct record, node), "a union");
_Static_assert(sizeof(struct registration) ==
                   offsetof(struct registration, labels) + sizeof(struct label) * RECORD_LABELS_MAX,
               "labels are the last member");

#define TABLE(fields, plain_len)                                                                   \
    ((struct field_table){fields, sizeof(fields) / sizeof((fields)[0]), plain_len})

struct field_table field_table_of(enum key_kind kind)
{
    switch (kind) {
    case KEY_REGISTRATION:
        return TABLE(registration_fields, offsetof(struct registration, labels));
    case KEY_OVERRIDE:
        return TABLE(override_fields, sizeof(struct override));
    case KEY_OBSERVATION:
        return TABLE(observation_fields, sizeof(struct observation));
    case KEY_POLICY:
        return TABLE(policy_fields, sizeof(struct policy));
    case KEY_NODE:
        return TABLE(node_fields, sizeof(struct node));
    }
    ASSERT(false);
}

void field_reset(struct record *record, enum key_kind kind)
{
    struct field_table table = field_table_of(kind);
    memset(record, 0, offsetof(struct record, registration) + table.plain_len);
    record->kind = kind;
    record->unknown_count = 0;
    for (size_t i = 0; i < table.count; i++) {
        if (table.fields[i].preset != 0) {
            field_set_number(&table.fields[i], record, table.fields[i].preset);
        }
    }
}

void field_move(const struct record *from, struct record *to)
{
    size_t plain_len = field_table_of(from->kind).plain_len;
    memcpy(to, from, offsetof(struct record, registration) + plain_len);
    if (from->kind == KEY_REGISTRATION) {
        memcpy(to->registration.labels, from->registration.labels,
               from->registration.label_count * sizeof(from->registration.labels[0]));
    }
    to->unknown_count = from->unknown_count;
    memcpy(to->unknown, from->unknown, from->unknown_count * sizeof(from->unknown[0]));
}

static const char *place_const(const struct field *field, const struct record *record)
{
    return (const char *)record + field->offset;
}

static char *place(const struct field *field, struct record *record)
{
    return (char *)record + field->offset;
}

bool field_is_number(const struct field *field)
{
    return field->type != FIELD_TEXT && field->type != FIELD_ADDRESS && field->type != FIELD_LABELS;
}

uint64_t field_number(const struct field *field, const struct record *record)
{
    const char *from = place_const(field, record);
    if (field->type == FIELD_U64) {
        uint64_t value = 0;
        memcpy(&value, from, sizeof(value));
        return value;
    }
    if (field->type == FIELD_BOOL) {
        bool value = false;
        memcpy(&value, from, sizeof(value));
        return value ? 1 : 0;
    }
    ASSERT(field_is_number(field));
    uint32_t value = 0;
    memcpy(&value, from, sizeof(value));
    return value;
}

void field_set_number(const struct field *field, struct record *record, uint64_t value)
{
    char *to = place(field, record);
    if (field->type == FIELD_U64) {
        memcpy(to, &value, sizeof(value));
        return;
    }
    if (field->type == FIELD_BOOL) {
        bool narrow = value != 0;
        memcpy(to, &narrow, sizeof(narrow));
        return;
    }
    ASSERT(field_is_number(field) && value <= UINT32_MAX);
    uint32_t narrow = (uint32_t)value;
    memcpy(to, &narrow, sizeof(narrow));
}

struct span *field_text(const struct field *field, struct record *record)
{
    ASSERT(field->type == FIELD_TEXT || field->type == FIELD_ADDRESS);
    return (struct span *)(void *)place(field, record);
}

const struct span *field_text_const(const struct field *field, const struct record *record)
{
    ASSERT(field->type == FIELD_TEXT || field->type == FIELD_ADDRESS);
    return (const struct span *)(const void *)place_const(field, record);
}

bool field_is_preset(const struct field *field, const struct record *record)
{
    if (field->type == FIELD_LABELS) {
        return record->registration.label_count == 0;
    }
    if (field_is_number(field)) {
        return field_number(field, record) == field->preset;
    }
    return field_text_const(field, record)->len == 0;
}

bool field_may_be_absent(const struct field *field)
{
    if (field_is_number(field)) {
        return field->preset >= field->min && field->preset <= field->max;
    }
    return field->min == 0;
}

bool field_labels_valid(const struct label *labels, uint32_t count)
{
    size_t len = 0;
    if (count > RECORD_LABELS_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct span name = labels[i].name;
        struct span value = labels[i].value;
        if (name.len == 0 || name.len > RECORD_LABEL_NAME_MAX || !utf8_valid(name) ||
            value.len > RECORD_LABEL_VALUE_MAX || !utf8_valid(value) ||
            (i > 0 && span_cmp(labels[i - 1].name, name) >= 0)) {
            return false;
        }
        len += name.len + value.len;
    }
    return len <= RECORD_LABELS_LEN_MAX;
}

bool field_is_valid(const struct field *field, const struct record *record)
{
    if (field->type == FIELD_LABELS) {
        return field_labels_valid(record->registration.labels, record->registration.label_count);
    }
    if (field_is_number(field)) {
        uint64_t value = field_number(field, record);
        return value >= field->min && value <= field->max;
    }
    struct span text = *field_text_const(field, record);
    if (text.len < field->min || text.len > field->max) {
        return false;
    }
    return field->type == FIELD_ADDRESS ? ip_is_literal(text) : utf8_valid(text);
}

static bool labels_equal(const struct registration *a, const struct registration *b)
{
    if (a->label_count != b->label_count) {
        return false;
    }
    for (uint32_t i = 0; i < a->label_count; i++) {
        if (!span_eq(a->labels[i].name, b->labels[i].name) ||
            !span_eq(a->labels[i].value, b->labels[i].value)) {
            return false;
        }
    }
    return true;
}

bool field_equal(const struct field *field, const struct record *a, const struct record *b)
{
    if (field->type == FIELD_LABELS) {
        return labels_equal(&a->registration, &b->registration);
    }
    if (field_is_number(field)) {
        return field_number(field, a) == field_number(field, b);
    }
    return span_eq(*field_text_const(field, a), *field_text_const(field, b));
}

void field_copy(const struct field *field, const struct record *from, struct record *to)
{
    if (field->type == FIELD_LABELS) {
        to->registration.label_count = from->registration.label_count;
        memcpy(to->registration.labels, from->registration.labels,
               from->registration.label_count * sizeof(from->registration.labels[0]));
    } else if (field_is_number(field)) {
        field_set_number(field, to, field_number(field, from));
    } else {
        *field_text(field, to) = *field_text_const(field, from);
    }
}
