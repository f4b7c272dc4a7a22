// SPDX-License-Identifier: Apache-2.0
#include "admin-api/instance_parse.h"

#include "admin-api/body.h"
#include "base/address.h"

// Bodies of PUT and PATCH are read by the same functions: each sets a field of `patch->record` and its bit.
static struct registration *registration_of(struct body_reader *reader)
{
    struct patch *patch = reader->into;
    return &patch->record.registration;
}

static void set_bit(struct body_reader *reader, enum patch_field bit)
{
    struct patch *patch = reader->into;
    patch->mask |= (uint32_t)bit;
}

static bool takes_default(const struct body_reader *reader, const struct json *value)
{
    return reader->merge && json_is_null(value);
}

static void read_address(struct body_reader *reader, const struct json *value)
{
    struct address ignored;
    struct span text;
    if (!body_string(reader, value, &text)) {
        return;
    }
    if (address_parse_ip(text, 0, &ignored) != ERR_OK) {
        body_error(reader, value, "it must be an IP address");
        return;
    }
    registration_of(reader)->address = text;
    set_bit(reader, PATCH_ADDRESS);
}

static bool read_number(struct body_reader *reader, const struct json *value, uint32_t *ret_number)
{
    const struct span name = json_key(value);
    const char *detail = span_eq_str(name, "port")     ? "a whole number from 1 to 65535"
                         : span_eq_str(name, "weight") ? "a whole number from 1 to 1000000"
                                                       : "a whole number from 0 to 127";
    int64_t min = span_eq_str(name, "priority") ? 0 : 1;
    int64_t max = span_eq_str(name, "port")     ? 65535
                  : span_eq_str(name, "weight") ? INSTANCE_WEIGHT_MAX
                                                : INSTANCE_PRIORITY_MAX;
    int64_t number = 0;
    if (json_int(value, min, max, &number) != ERR_OK) {
        body_error(reader, value, detail);
        return false;
    }
    *ret_number = (uint32_t)number;
    return true;
}

static void read_port(struct body_reader *reader, const struct json *value)
{
    if (read_number(reader, value, &registration_of(reader)->port)) {
        set_bit(reader, PATCH_PORT);
    }
}

static void read_weight(struct body_reader *reader, const struct json *value)
{
    if (takes_default(reader, value) ||
        read_number(reader, value, &registration_of(reader)->weight)) {
        set_bit(reader, PATCH_WEIGHT);
    }
}

static void read_priority(struct body_reader *reader, const struct json *value)
{
    if (takes_default(reader, value) ||
        read_number(reader, value, &registration_of(reader)->priority)) {
        set_bit(reader, PATCH_PRIORITY);
    }
}

static void read_lease(struct body_reader *reader, const struct json *value)
{
    static const struct body_duration rule = {.min_ms = INSTANCE_LEASE_MIN_MS,
                                              .max_ms = INSTANCE_LEASE_MAX_MS,
                                              .zero = true,
                                              .detail = "a duration from 1s to 24h, or 0s"};
    if (takes_default(reader, value) ||
        body_duration(reader, value, &rule, &registration_of(reader)->lease_ms)) {
        set_bit(reader, PATCH_LEASE);
    }
}

// --- locality

static bool is_place(struct span text)
{
    return text.len == 0 || key_name_check(text, INSTANCE_LOCALITY_LEN_MAX) == ERR_OK;
}

static void read_place(struct body_reader *reader, const struct json *value)
{
    struct registration *registration = registration_of(reader);
    const struct span name = json_key(value);
    bool region = span_eq_str(name, "region");
    bool zone = span_eq_str(name, "zone");
    struct span *place = region ? &registration->region
                         : zone ? &registration->zone
                                : &registration->sub_zone;
    struct span text = SPAN_NONE;
    if (!takes_default(reader, value) && !body_string(reader, value, &text)) {
        return;
    }
    if (!is_place(text)) {
        body_error(reader, value, "at most 255 bytes without control characters");
        return;
    }
    *place = text;
    set_bit(reader, region ? PATCH_REGION : zone ? PATCH_ZONE : PATCH_SUB_ZONE);
}

static void read_locality(struct body_reader *reader, const struct json *value)
{
    static const struct body_field places[] = {
        {"region", read_place, true}, {"zone", read_place, true}, {"sub_zone", read_place, true}};
    struct body_reader inner = *reader;
    if (takes_default(reader, value)) {
        set_bit(reader, PATCH_REGION);
        set_bit(reader, PATCH_ZONE);
        set_bit(reader, PATCH_SUB_ZONE);
        return;
    }
    inner.parent = "/locality";
    (void)body_read(&inner, value, places, sizeof(places) / sizeof(places[0]));
}

// --- labels

static bool label_is_good(struct body_reader *labels, const struct json *value,
                          struct span *ret_text)
{
    if (key_name_check(json_key(value), RECORD_LABEL_NAME_MAX) != ERR_OK) {
        body_error(labels, value, "a name of 1 to 63 bytes without control characters");
        return false;
    }
    if (!body_string(labels, value, ret_text)) {
        return false;
    }
    if (ret_text->len > 0 && key_name_check(*ret_text, RECORD_LABEL_VALUE_MAX) != ERR_OK) {
        body_error(labels, value, "a value of at most 255 bytes without control characters");
        return false;
    }
    return true;
}

// Keeps the labels sorted by name.
static void insert_label(struct registration *registration, struct span name, struct span value)
{
    uint32_t at = registration->label_count;
    while (at > 0 && span_cmp(registration->labels[at - 1].name, name) > 0) {
        registration->labels[at] = registration->labels[at - 1];
        at--;
    }
    registration->labels[at] = (struct label){.name = name, .value = value};
    registration->label_count++;
}

static void read_label(struct body_reader *labels, const struct json *member)
{
    struct patch *patch = labels->into;
    const struct span name = json_key(member);
    struct span text = SPAN_NONE;
    if (labels->merge && json_is_null(member)) {
        if (patch->labels_removed_count < RECORD_LABELS_MAX) {
            patch->labels_removed[patch->labels_removed_count++] = name;
        } else {
            body_error(labels, member, "at most 32 labels are taken away at once");
        }
        return;
    }
    if (!label_is_good(labels, member, &text)) {
        return;
    }
    if (patch->record.registration.label_count == RECORD_LABELS_MAX) {
        body_error(labels, member, "an instance has at most 32 labels");
        return;
    }
    insert_label(&patch->record.registration, name, text);
}

static void read_labels(struct body_reader *reader, const struct json *value)
{
    if (takes_default(reader, value)) {
        set_bit(reader, PATCH_LABELS_CLEAR);
        return;
    }
    if (json_type(value) != JSON_OBJECT) {
        body_error(reader, value, "an object of strings");
        return;
    }
    struct body_reader labels = *reader;
    labels.parent = "/labels";
    for (const struct json *member = json_first(value); member != NULL;
         member = json_next(member)) {
        read_label(&labels, member);
    }
    set_bit(reader, PATCH_LABELS);
}

static const struct label *find_label(const struct registration *registration, struct span name)
{
    for (uint32_t i = 0; i < registration->label_count; i++) {
        if (span_eq(registration->labels[i].name, name)) {
            return &registration->labels[i];
        }
    }
    return NULL;
}

static bool is_removed(const struct patch *patch, struct span name)
{
    for (uint32_t i = 0; i < patch->labels_removed_count; i++) {
        if (span_eq(patch->labels_removed[i], name)) {
            return true;
        }
    }
    return false;
}

// What the instance will have once the patch is applied to `held`: not more than it may.
static void check_labels(const struct body_reader *reader, const struct registration *held)
{
    const struct patch *patch = reader->into;
    const struct registration *wanted = &patch->record.registration;
    const struct span name = SPAN_LIT("labels");
    bool keeps = held != NULL && (patch->mask & PATCH_LABELS_CLEAR) == 0;
    uint32_t count = wanted->label_count;
    size_t len = 0;
    for (uint32_t i = 0; i < wanted->label_count; i++) {
        len += wanted->labels[i].name.len + wanted->labels[i].value.len;
    }
    for (uint32_t i = 0; keeps && i < held->label_count; i++) {
        const struct label *label = &held->labels[i];
        if (find_label(wanted, label->name) == NULL && !is_removed(patch, label->name)) {
            len += label->name.len + label->value.len;
            count++;
        }
    }
    if (count > RECORD_LABELS_MAX || len > RECORD_LABELS_LEN_MAX) {
        problem_field_add(reader->errors, reader->parent, &name,
                          "at most 32 labels, of 2 KiB in all");
    }
}

// --- the whole

// What the server makes itself is taken and ignored, so that what was read can be put back.
static const struct body_field instance_fields[] = {
    {"address", read_address, false},
    {"port", read_port, false},
    {"locality", read_locality, true},
    {"weight", read_weight, true},
    {"priority", read_priority, true},
    {"labels", read_labels, true},
    {"lease", read_lease, true},
    {"tenant", NULL, true},
    {"service", NULL, true},
    {"id", NULL, true},
    {"owner", NULL, true},
    {"source", NULL, true},
    {"status", NULL, true},
    {"raw_status", NULL, true},
    {"guarded", NULL, true},
    {"reason", NULL, true},
    {"text", NULL, true},
    {"since", NULL, true},
    {"override", NULL, true},
    {"observations", NULL, true},
    {"version", NULL, true},
    {"acked", NULL, true},
};

#define INSTANCE_FIELDS_COUNT (sizeof(instance_fields) / sizeof(instance_fields[0]))

static void begin(struct patch *patch, enum patch_op op)
{
    *patch = (struct patch){.op = op, .record = {.kind = KEY_REGISTRATION}};
    patch->record.registration.weight = 1;
}

bool instance_parse_put(const struct json *body, struct patch *ret_patch,
                        struct problem_fields *fields)
{
    struct body_reader reader = {.errors = fields, .parent = "", .into = ret_patch};
    begin(ret_patch, PATCH_PUT);
    if (!body_read(&reader, body, instance_fields, INSTANCE_FIELDS_COUNT)) {
        return false;
    }
    body_require(&reader, body, "address");
    body_require(&reader, body, "port");
    check_labels(&reader, NULL);
    ret_patch->mask = 0;
    return fields->count == 0;
}

bool instance_parse_merge(const struct json *body, const struct registration *held,
                          struct patch *ret_patch, struct problem_fields *fields)
{
    struct body_reader reader = {.errors = fields, .parent = "", .merge = true, .into = ret_patch};
    begin(ret_patch, PATCH_MERGE);
    if (!body_read(&reader, body, instance_fields, INSTANCE_FIELDS_COUNT)) {
        return false;
    }
    check_labels(&reader, held);
    return fields->count == 0;
}
