// SPDX-License-Identifier: Apache-2.0
// The configuration as YAML, and the page that documents it.
#include "replicator/config_load.h"

#include "base/json_write.h"
#include "base/text.h"
#include "replicator/config_value.h"

#include <inttypes.h>

// --- as YAML

static void print_origin(const struct config *config, const struct config_row *row,
                         const struct config_origin *origin, struct buf *out)
{
    char name[CONFIG_NAME_MAX];
    switch (origin->kind) {
    case CONFIG_DEFAULT:
        buf_str(out, " # default\n");
        break;
    case CONFIG_FILE:
        buf_printf(out, " # %s:%" PRIu32 "\n", config->file, origin->line);
        break;
    case CONFIG_ENV:
        config_row_env(row, name);
        buf_printf(out, " # env %s\n", name);
        break;
    case CONFIG_SET:
        buf_str(out, " # --set\n");
        break;
    }
}

static void print_duration(uint32_t ms, struct buf *out)
{
    char text[TEXT_DURATION_LEN];
    buf_put(out, span_of(text, text_duration_format(ms, text)));
}

static void print_check(const struct check_policy *check, struct buf *out)
{
    buf_printf(out, "    check: {type: %s, path: ", check_type_name(check->type));
    json_write_quoted(out, check->path);
    buf_str(out, ", host: ");
    json_write_quoted(out, check->host);
    buf_printf(out, ", port: %" PRIu32 ", interval: ", check->port);
    print_duration(check->interval_ms, out);
    buf_str(out, ", timeout: ");
    print_duration(check->timeout_ms, out);
    buf_printf(out, ", rise: %" PRIu32 ", fall: %" PRIu32, check->rise, check->fall);
    buf_printf(out, ", expect: \"%" PRIu32 "-%" PRIu32 "\"}\n", check->expect_min,
               check->expect_max);
}

static void print_member(struct buf *out, const char *key, struct span value)
{
    buf_printf(out, "%s: ", key);
    json_write_quoted(out, value);
    buf_str(out, ", ");
}

static void print_instance(const struct config *config, const struct config_instance *instance,
                           struct buf *out)
{
    buf_str(out, "      - {");
    print_member(out, "id", instance->id);
    print_member(out, "address", instance->address);
    buf_printf(out, "port: %" PRIu32 ", ", instance->port);
    print_member(out, "region", instance->region);
    print_member(out, "zone", instance->zone);
    print_member(out, "sub_zone", instance->sub_zone);
    buf_printf(out, "weight: %" PRIu32 ", priority: %" PRIu32 ", labels: {", instance->weight,
               instance->priority);
    for (uint32_t i = 0; i < instance->label_count; i++) {
        buf_str(out, i == 0 ? "" : ", ");
        json_write_quoted(out, instance->labels[i].name);
        buf_str(out, ": ");
        json_write_quoted(out, instance->labels[i].value);
    }
    buf_printf(out, "}} # %s:%" PRIu32 "\n", config->file, instance->line);
}

static void print_observers(uint32_t observers, struct buf *out)
{
    buf_str(out, "    observers: ");
    if (observers == OBSERVERS_LOCAL) {
        buf_str(out, "local\n");
    } else if (observers == OBSERVERS_ALL) {
        buf_str(out, "all\n");
    } else {
        buf_printf(out, "%" PRIu32 "\n", observers);
    }
}

static void print_service(const struct config *config, const struct config_service *service,
                          struct buf *out)
{
    const struct policy *policy = &service->policy;
    buf_str(out, "  - name: ");
    json_write_quoted(out, service->name);
    buf_printf(out, " # %s:%" PRIu32 "\n    tenant: ", config->file, service->line);
    json_write_quoted(out, service->tenant);
    buf_printf(out, "\n    scope: %s\n", policy->scope == SCOPE_MESH ? "mesh" : "local");
    print_observers(policy->observers, out);
    buf_printf(out, "    max_unhealthy_percent: %" PRIu32 "\n    damping: %s\n",
               policy->max_unhealthy_percent, policy->damping ? "true" : "false");
    print_check(&policy->check, out);
    buf_str(out, service->instance_count == 0 ? "    instances: []\n" : "    instances:\n");
    for (uint32_t i = 0; i < service->instance_count; i++) {
        print_instance(config, &service->instances[i], out);
    }
}

static void print_tenants(const struct config *config, struct buf *out)
{
    buf_str(out, config->tenant_count == 0 ? "tenants: [] # default\n" : "tenants:\n");
    for (uint32_t i = 0; i < config->tenant_count; i++) {
        buf_str(out, "  - {");
        print_member(out, "name", config->tenants[i].name);
        buf_printf(out, "quota: %" PRIu32 "} # %s:%" PRIu32 "\n", config->tenants[i].quota,
                   config->file, config->tenants[i].line);
    }
}

void config_print(const struct config *config, struct buf *out)
{
    const char *section = "";
    buf_str(out, "config_version: 1\n");
    for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
        const struct config_row *row = &config_table[i];
        if (strcmp(section, row->section) != 0) {
            section = row->section;
            buf_printf(out, "%s:\n", section);
        }
        buf_printf(out, "  %s: ", row->key);
        config_value_print(config, row, out);
        print_origin(config, row, &config->origins[i], out);
    }
    print_tenants(config, out);
    buf_str(out, config->service_count == 0 ? "services: [] # default\n" : "services:\n");
    for (uint32_t i = 0; i < config->service_count; i++) {
        print_service(config, &config->services[i], out);
    }
}

// --- as a page

// A cell of a table must not hold a bar.
static void write_cell(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '|') {
            buf_byte(out, '\\');
        }
        buf_byte(out, *text);
    }
}

static void write_row(const struct config_row *row, struct buf *out)
{
    struct buf allowed;
    char env[CONFIG_NAME_MAX];
    char name[CONFIG_NAME_MAX];
    buf_init(&allowed, 1024);
    config_value_allowed(row, &allowed);
    config_row_name(row, name);
    config_row_env(row, env);
    bool quoted = row->type == CONFIG_TYPE_STRING;
    const char *value = row->type == CONFIG_TYPE_LIST ? "[]" : row->value;
    buf_printf(out, "| `%s` | `%s%s%s` | ", name, quoted ? "\"" : "", value, quoted ? "\"" : "");
    write_cell(out, buf_cstr(&allowed));
    buf_str(out, " | ");
    write_cell(out, row->help);
    buf_str(out, config_step_available(row->step) ? "" : " *Not available in this version.*");
    buf_printf(out, " | `%s` |\n", env);
    if (allowed.err == ERR_NOMEM) {
        out->err = ERR_NOMEM;
    }
    buf_fini(&allowed);
}

static void write_sections(struct buf *out)
{
    for (size_t i = 0; i < config_section_count; i++) {
        buf_printf(out, "\n## %s\n\n%s\n\n", config_sections[i].name, config_sections[i].help);
        buf_str(out,
                "| key | default | allowed | what it is | variable |\n|---|---|---|---|---|\n");
        for (size_t j = 0; j < CONFIG_KEY_COUNT; j++) {
            if (strcmp(config_table[j].section, config_sections[i].name) == 0) {
                write_row(&config_table[j], out);
            }
        }
    }
}

static void write_fields(const char *title, const char *help, const struct config_fields *fields,
                         struct buf *out)
{
    buf_printf(out, "\n## %s\n\n%s\n\n", title, help);
    buf_str(out, "| key | default | allowed | what it is |\n|---|---|---|---|\n");
    for (size_t i = 0; i < fields->count; i++) {
        const struct config_field *field = &fields->fields[i];
        if (field->required) {
            buf_printf(out, "| `%s` | required | ", field->name);
        } else {
            buf_printf(out, "| `%s` | `%s` | ", field->name, field->value);
        }
        write_cell(out, field->allowed);
        buf_str(out, " | ");
        write_cell(out, field->help);
        buf_str(out, " |\n");
    }
}

void config_write_markdown(struct buf *out)
{
    buf_str(out, "<!-- SPDX-License-Identifier: Apache-2.0 -->\n"
                 "# Configuration\n\n"
                 "This page is made from `replicator/config.def`; change it there.\n\n"
                 "The file is YAML (`meshpulse serve -c FILE`), its first line `config_version: "
                 "1`. An unknown key "
                 "is an error; so are anchors, aliases, tags, a second document and more than 1 "
                 "MiB. A key without "
                 "a value counts as not set. Durations are written `500ms`, `2s`, `10m`, `24h`. "
                 "Secrets are named "
                 "as files only.\n\n"
                 "Precedence: `--set SECTION.KEY=VALUE`, then the variable "
                 "`MESHPULSE_SECTION_KEY`, then the file, "
                 "then the default; in the first two a list is written `a,b`. `meshpulse "
                 "check-config FILE` tells "
                 "everything that is wrong, `meshpulse serve --print-config` what is in force and "
                 "where each value "
                 "came from.\n\n"
                 "A listener that is not loopback needs TLS and authentication; "
                 "`admin.probe_listen`, which serves "
                 "probes only, is the exception.\n");
    write_sections(out);
    write_fields("tenants", "A list.", &config_tenant_fields, out);
    write_fields("services", "A list: what is known from this file.", &config_service_fields, out);
    write_fields("services[].check", "A mapping. `grpc` is not available in this version.",
                 &config_check_fields, out);
    write_fields("services[].instances", "A list.", &config_instance_fields, out);
}
