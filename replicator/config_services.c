// SPDX-License-Identifier: Apache-2.0
// Tenants, and services with their policies and instances.
#include "replicator/config_load.h"

#include "base/address.h"
#include "base/text.h"
#include "localmap/model/record.h"
#include "replicator/config_form.h"
#include "replicator/config_pool.h"

#include <stdlib.h>

#define PATH_MAX_LEN 1024

// --- check

static void read_check_type(struct config_loader *loader, const struct config_field *field,
                            const struct yaml *node, void *out)
{
    struct span text = config_scalar(loader, field, node);
    struct check_policy *check = out;
    enum check_type type;
    if (text.ptr == NULL) {
        return;
    }
    if (!check_type_parse(text, &type)) {
        config_refuse(loader, field, node, "is none of the types");
    } else if (type == CHECK_GRPC && !config_step_available(CONFIG_STEP_ENVOY)) {
        config_refuse(loader, field, node, "is not available in this version");
    } else {
        check->type = type;
    }
}

// What may stand in a request line or a Host header: visible ASCII.
static bool is_visible(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~') {
            return false;
        }
    }
    return true;
}

static void read_check_path(struct config_loader *loader, const struct config_field *field,
                            const struct yaml *node, void *out)
{
    struct span text = config_scalar(loader, field, node);
    struct check_policy *check = out;
    if (text.ptr == NULL) {
        return;
    }
    if (text.len == 0 || text.len > field->max || text.ptr[0] != '/' || !is_visible(text)) {
        config_refuse(loader, field, node, "is no path of a request");
        return;
    }
    check->path = config_keep(loader, text);
}

static void read_check_host(struct config_loader *loader, const struct config_field *field,
                            const struct yaml *node, void *out)
{
    struct span text = config_scalar(loader, field, node);
    struct check_policy *check = out;
    if (text.ptr == NULL) {
        return;
    }
    if (text.len > field->max || !is_visible(text)) {
        config_refuse(loader, field, node, "is no name of a host");
        return;
    }
    check->host = config_keep(loader, text);
}

// "200" or "200-299"
static void read_check_expect(struct config_loader *loader, const struct config_field *field,
                              const struct yaml *node, void *out)
{
    struct span text = config_scalar(loader, field, node);
    struct check_policy *check = out;
    if (text.ptr == NULL) {
        return;
    }
    const char *dash = text.len == 0 ? NULL : memchr(text.ptr, '-', text.len);
    size_t first_len = dash == NULL ? text.len : (size_t)(dash - text.ptr);
    struct span first = span_of(text.ptr, first_len);
    struct span last = dash == NULL ? first : span_of(dash + 1, text.len - first_len - 1);
    uint64_t least;
    uint64_t greatest;
    if (text_u64_in(first, field->min, field->max, &least) != ERR_OK ||
        text_u64_in(last, field->min, field->max, &greatest) != ERR_OK || least > greatest) {
        config_refuse(loader, field, node, "is no range of statuses");
        return;
    }
    check->expect_min = (uint32_t)least;
    check->expect_max = (uint32_t)greatest;
}

#define CHECK_FIELD(name_, member_) .name = #name_, .offset = offsetof(struct check_policy, member_)

static const struct config_field check_rows[] = {
    {CHECK_FIELD(type, type), .read = read_check_type, .value = "none",
     .allowed = "http, https, tcp, none", .help = "What a probe does."},
    {CHECK_FIELD(path, path), .read = read_check_path, .max = PATH_MAX_LEN, .value = "/healthz",
     .allowed = "begins with /, at most 1024 visible characters", .help = "http, https: the path."},
    {CHECK_FIELD(host, host), .read = read_check_host, .max = 255, .value = "\"\"",
     .allowed = "a name of at most 255 visible characters, or empty for the address",
     .help = "http, https: the Host header, and the name in the certificate."},
    {CHECK_FIELD(port, port), .read = config_read_u32, .max = 65535, .value = "0",
     .allowed = "0 to 65535", .help = "Where to probe; 0 = the instance's port."},
    {CHECK_FIELD(interval, interval_ms), .read = config_read_duration, .min = 10,
     .max = 24 * 3600 * 1000, .value = "2s", .allowed = "10ms to 24h, such as 500ms, 2s or 10m",
     .help = "From the start of one probe to the next."},
    {CHECK_FIELD(timeout, timeout_ms), .read = config_read_duration, .min = 1,
     .max = 10 * 60 * 1000, .value = "500ms", .allowed = "1ms to 10m, such as 500ms, 2s or 10m",
     .help = "For one probe in all."},
    {CHECK_FIELD(rise, rise), .read = config_read_u32, .min = 1, .max = 1000, .value = "2",
     .allowed = "1 to 1000", .help = "Successes in a row that make an unhealthy instance healthy."},
    {CHECK_FIELD(fall, fall), .read = config_read_u32, .min = 1, .max = 1000, .value = "3",
     .allowed = "1 to 1000", .help = "Failures in a row that make a healthy instance unhealthy."},
    {CHECK_FIELD(expect, expect_min), .read = read_check_expect, .min = 100, .max = 599,
     .value = "200-299", .allowed = "such as 200 or 200-299, within 100 to 599",
     .help = "http, https: the statuses that are a success."},
};
const struct config_fields config_check_fields = {check_rows,
                                                  sizeof(check_rows) / sizeof(check_rows[0])};

// --- instances

static void read_address(struct config_loader *loader, const struct config_field *field,
                         const struct yaml *node, void *out)
{
    struct span text = config_scalar(loader, field, node);
    struct config_instance *instance = out;
    struct address address;
    if (text.ptr == NULL) {
        return;
    }
    if (address_parse_ip(text, 1, &address) != ERR_OK) {
        config_refuse(loader, field, node, "is no IP address");
        return;
    }
    instance->address = config_keep(loader, text);
}

static int compare_labels(const void *a, const void *b)
{
    return span_cmp(((const struct label *)a)->name, ((const struct label *)b)->name);
}

// False after telling what is wrong.
static bool read_label(struct config_loader *loader, const struct yaml *node,
                       struct label *ret_label)
{
    struct span name = yaml_key(node);
    if (key_name_check(name, RECORD_LABEL_NAME_MAX) != ERR_OK) {
        config_wrong(loader, yaml_key_at(node), name,
                     "is no name of a label; 1 to 63 bytes without control characters");
        return false;
    }
    struct span value = yaml_is_null(node) ? SPAN_LIT("") : yaml_scalar(node);
    bool scalar = yaml_kind(node) == YAML_SCALAR;
    if (!scalar || (value.len > 0 && key_name_check(value, RECORD_LABEL_VALUE_MAX) != ERR_OK)) {
        config_wrong(loader, yaml_at(node), name,
                     "is no value of a label; at most 255 bytes without control characters");
        return false;
    }
    *ret_label = (struct label){config_keep(loader, name), config_keep(loader, value)};
    return loader->err == ERR_OK;
}

// False after telling what is wrong.
static bool labels_fit(struct config_loader *loader, const struct config_field *field,
                       const struct yaml *node)
{
    if (yaml_kind(node) != YAML_MAP) {
        config_wrong(loader, yaml_at(node), span_str(field->name), "is no mapping; %s",
                     field->allowed);
        return false;
    }
    size_t len = 0;
    for (const struct yaml *label = yaml_first(node); label != NULL; label = yaml_next(label)) {
        len += yaml_key(label).len + yaml_scalar(label).len;
    }
    if (yaml_count(node) > RECORD_LABELS_MAX || len > RECORD_LABELS_LEN_MAX) {
        config_wrong(loader, yaml_at(node), span_str(field->name),
                     "%zu labels of %zu bytes are too many; %s", yaml_count(node), len,
                     field->allowed);
        return false;
    }
    return true;
}

static void read_labels(struct config_loader *loader, const struct config_field *field,
                        const struct yaml *node, void *out)
{
    struct config_instance *instance = out;
    if (!labels_fit(loader, field, node)) {
        return;
    }
    struct label *labels =
        config_pool_alloc(loader->config->pool, sizeof(*labels) * (yaml_count(node) + 1));
    if (labels == NULL) {
        loader->err = ERR_NOMEM;
        return;
    }
    size_t path = config_path_push(loader, "%s.", field->name);
    for (node = yaml_first(node); node != NULL && loader->err == ERR_OK; node = yaml_next(node)) {
        instance->label_count += read_label(loader, node, &labels[instance->label_count]);
    }
    config_path_pop(loader, path);
    qsort(labels, instance->label_count, sizeof(*labels), compare_labels);
    instance->labels = labels;
}

#define INSTANCE_FIELD(name_) .name = #name_, .offset = offsetof(struct config_instance, name_)

#define NAME_ALLOWED "1 to 255 bytes without control characters, no leading `!`"
#define ZONE_ALLOWED "at most 255 bytes without control characters"

static const struct config_field instance_rows[] = {
    {INSTANCE_FIELD(id), .read = config_read_name, .max = KEY_INSTANCE_MAX, .required = true,
     .allowed = NAME_ALLOWED, .help = "The instance's name, unique in its service."},
    {INSTANCE_FIELD(address), .read = read_address, .required = true,
     .allowed = "an IPv4 or IPv6 address", .help = "Where it listens."},
    {INSTANCE_FIELD(port), .read = config_read_u32, .min = 1, .max = 65535, .required = true,
     .allowed = "1 to 65535", .help = "Where it listens."},
    {INSTANCE_FIELD(region), .read = config_read_name, .max = 255, .value = "\"\"",
     .allowed = ZONE_ALLOWED, .help = "Where it stands."},
    {INSTANCE_FIELD(zone), .read = config_read_name, .max = 255, .value = "\"\"",
     .allowed = ZONE_ALLOWED, .help = "Where it stands."},
    {INSTANCE_FIELD(sub_zone), .read = config_read_name, .max = 255, .value = "\"\"",
     .allowed = ZONE_ALLOWED, .help = "Where it stands."},
    {INSTANCE_FIELD(weight), .read = config_read_u32, .min = 1, .max = 1000000, .value = "1",
     .allowed = "1 to 1000000", .help = "Its share of the load."},
    {INSTANCE_FIELD(priority), .read = config_read_u32, .max = 127, .value = "0",
     .allowed = "0 to 127", .help = "0 is used first."},
    {INSTANCE_FIELD(labels), .read = read_labels, .value = "{}",
     .allowed = "at most 32 labels, names of 1 to 63 and values of at most 255 bytes, 2 KiB in all",
     .help = "Whatever else is worth knowing."},
};
const struct config_fields config_instance_fields = {instance_rows, sizeof(instance_rows) /
                                                                        sizeof(instance_rows[0])};

// The number of elements, or 0 after telling that `node` is no list.
static uint32_t element_count(struct config_loader *loader, const struct yaml *node,
                              const char *name)
{
    if (yaml_kind(node) != YAML_SEQ) {
        if (!yaml_is_null(node)) {
            config_wrong(loader, yaml_at(node), span_str(name), "is no list; [{...}, ...]");
        }
        return 0;
    }
    return (uint32_t)yaml_count(node); // the file has at most 1 MiB
}

static void read_instances(struct config_loader *loader, const struct config_field *field,
                           const struct yaml *node, void *out)
{
    struct config_service *service = out;
    uint32_t count = element_count(loader, node, field->name);
    struct config_instance *instances =
        config_pool_alloc(loader->config->pool, sizeof(*instances) * (count + 1));
    if (instances == NULL) {
        loader->err = ERR_NOMEM;
        return;
    }
    const struct yaml *element = yaml_first(node);
    for (uint32_t i = 0; i < count && loader->err == ERR_OK; i++, element = yaml_next(element)) {
        size_t path = config_path_push(loader, "instances[%u].", i);
        instances[i] = (struct config_instance){
            .weight = 1, .line = yaml_at(element).line, .column = yaml_at(element).column};
        config_fields_read(loader, &config_instance_fields, element, &instances[i]);
        config_path_pop(loader, path);
    }
    service->instances = instances;
    service->instance_count = count;
}

// --- services

static void read_tenant(struct config_loader *loader, const struct config_field *field,
                        const struct yaml *node, void *out)
{
    struct span text = config_scalar(loader, field, node);
    if (text.ptr == NULL) {
        return;
    }
    if (text.len == 0) {
        config_refuse(loader, field, node, "is empty");
    } else if (text.ptr[0] == '!' || span_eq_str(text, KEY_TENANT_MESH)) {
        config_refuse(loader, field, node, "is reserved");
    } else {
        config_read_name(loader, field, node, out);
    }
}

static void read_scope(struct config_loader *loader, const struct config_field *field,
                       const struct yaml *node, void *out)
{
    struct span text = config_scalar(loader, field, node);
    struct config_service *service = out;
    if (text.ptr == NULL) {
        return;
    }
    if (!span_eq_str(text, "mesh") && !span_eq_str(text, "local")) {
        config_refuse(loader, field, node, "is no scope");
        return;
    }
    service->policy.scope = span_eq_str(text, "mesh") ? SCOPE_MESH : SCOPE_LOCAL;
}

static void read_observers(struct config_loader *loader, const struct config_field *field,
                           const struct yaml *node, void *out)
{
    struct span text = config_scalar(loader, field, node);
    struct config_service *service = out;
    uint64_t count;
    if (text.ptr == NULL) {
        return;
    }
    if (span_eq_str(text, "local")) {
        service->policy.observers = OBSERVERS_LOCAL;
    } else if (span_eq_str(text, "all")) {
        service->policy.observers = OBSERVERS_ALL;
    } else if (text_u64_in(text, field->min, field->max, &count) == ERR_OK) {
        service->policy.observers = (uint32_t)count;
    } else {
        config_refuse(loader, field, node, "says not who observes");
    }
}

static void read_damping(struct config_loader *loader, const struct config_field *field,
                         const struct yaml *node, void *out)
{
    struct config_service *service = out;
    config_read_bool(loader, field, node, out);
    if (!service->policy.damping && !config_step_available(CONFIG_STEP_REPLICATION)) {
        service->policy.damping = true;
        config_refuse(loader, field, node, "is not available in this version");
    }
}

static void read_check(struct config_loader *loader, const struct config_field *field,
                       const struct yaml *node, void *out)
{
    struct config_service *service = out;
    size_t path = config_path_push(loader, "%s.", field->name);
    config_fields_read(loader, &config_check_fields, node, &service->policy.check);
    config_path_pop(loader, path);
}

#define SERVICE_FIELD(name_, member_)                                                              \
    .name = #name_, .offset = offsetof(struct config_service, member_)

static const struct config_field service_rows[] = {
    {SERVICE_FIELD(name, name), .read = config_read_name, .max = KEY_SERVICE_MAX, .required = true,
     .allowed = NAME_ALLOWED, .help = "The service's name, unique in its tenant."},
    {SERVICE_FIELD(tenant, tenant), .read = read_tenant, .max = KEY_TENANT_MAX, .value = "default",
     .allowed = "1 to 63 bytes without control characters", .help = "Whose it is."},
    {SERVICE_FIELD(scope, policy.scope), .read = read_scope, .value = "mesh",
     .allowed = "mesh, local", .help = "local: known on this node only."},
    {SERVICE_FIELD(observers, policy.observers), .read = read_observers, .min = 1, .max = 1000,
     .value = "3", .allowed = "1 to 1000, local, all",
     .help = "How many nodes probe each instance; local: only those of the instance's host."},
    {SERVICE_FIELD(max_unhealthy_percent, policy.max_unhealthy_percent), .read = config_read_u32,
     .max = 100, .value = "50", .allowed = "0 to 100",
     .help = "When more instances are bad at once, they are served as DEGRADED."},
    {SERVICE_FIELD(damping, policy.damping), .read = read_damping, .value = "true",
     .allowed = "true", .help = "Hold an instance that flaps at DEGRADED."},
    {SERVICE_FIELD(check, policy.check), .read = read_check, .value = "{type: none}",
     .allowed = "a mapping", .help = "How an instance is probed."},
    {SERVICE_FIELD(instances, instances), .read = read_instances, .value = "[]",
     .allowed = "a list", .help = "The instances that are known from this file."},
};
const struct config_fields config_service_fields = {service_rows,
                                                    sizeof(service_rows) / sizeof(service_rows[0])};

static void service_defaults(const struct yaml *element, struct config_service *service)
{
    *service = (struct config_service){.tenant = SPAN_LIT(KEY_TENANT_DEFAULT),
                                       .line = yaml_at(element).line,
                                       .column = yaml_at(element).column};
    record_policy_default(&service->policy);
}

void config_read_services(struct config_loader *loader, const struct yaml *node)
{
    uint32_t count = element_count(loader, node, "services");
    struct config_service *services =
        config_pool_alloc(loader->config->pool, sizeof(*services) * (count + 1));
    if (services == NULL) {
        loader->err = ERR_NOMEM;
        return;
    }
    const struct yaml *element = yaml_first(node);
    for (uint32_t i = 0; i < count && loader->err == ERR_OK; i++, element = yaml_next(element)) {
        size_t path = config_path_push(loader, "services[%u].", i);
        service_defaults(element, &services[i]);
        config_fields_read(loader, &config_service_fields, element, &services[i]);
        config_path_pop(loader, path);
    }
    loader->services = services;
    loader->config->services = services;
    loader->config->service_count = count;
}

// --- tenants

static const struct config_field tenant_rows[] = {
    {.name = "name",
     .offset = offsetof(struct config_tenant, name),
     .read = read_tenant,
     .max = KEY_TENANT_MAX,
     .required = true,
     .allowed = "1 to 63 bytes without control characters, no leading `!`",
     .help = "The tenant's name."},
    {.name = "quota",
     .offset = offsetof(struct config_tenant, quota),
     .read = config_read_u32,
     .max = 100000000,
     .value = "0",
     .allowed = "0 to 100000000",
     .help = "Records that it may have; 0 = `map.quota`."},
};
const struct config_fields config_tenant_fields = {tenant_rows,
                                                   sizeof(tenant_rows) / sizeof(tenant_rows[0])};

void config_read_tenants(struct config_loader *loader, const struct yaml *node)
{
    uint32_t count = element_count(loader, node, "tenants");
    struct config_tenant *tenants =
        config_pool_alloc(loader->config->pool, sizeof(*tenants) * (count + 1));
    if (tenants == NULL) {
        loader->err = ERR_NOMEM;
        return;
    }
    const struct yaml *element = yaml_first(node);
    for (uint32_t i = 0; i < count && loader->err == ERR_OK; i++, element = yaml_next(element)) {
        size_t path = config_path_push(loader, "tenants[%u].", i);
        tenants[i] = (struct config_tenant){.line = yaml_at(element).line,
                                            .column = yaml_at(element).column};
        config_fields_read(loader, &config_tenant_fields, element, &tenants[i]);
        config_path_pop(loader, path);
    }
    loader->config->tenants = tenants;
    loader->config->tenant_count = count;
}

void config_registration(const struct config_instance *instance,
                         struct registration *ret_registration)
{
    *ret_registration = (struct registration){.address = instance->address,
                                              .port = instance->port,
                                              .region = instance->region,
                                              .zone = instance->zone,
                                              .sub_zone = instance->sub_zone,
                                              .weight = instance->weight,
                                              .priority = instance->priority,
                                              .label_count = instance->label_count,
                                              .owner = SPAN_LIT(""),
                                              .source = SOURCE_CONFIG};
    if (instance->label_count > 0) {
        memcpy(ret_registration->labels, instance->labels,
               sizeof(struct label) * instance->label_count);
    }
}
