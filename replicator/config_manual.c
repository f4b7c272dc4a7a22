// SPDX-License-Identifier: Apache-2.0
// The manual page meshpulse.yaml(5), from the same rows as docs/configuration.md.
#include "base/mdoc.h"
#include "replicator/config_load.h"
#include "replicator/config_value.h"

#include <stdio.h>

static const char head[] =
    ".\\\" SPDX-License-Identifier: Apache-2.0\n"
    ".\\\" Made from the program's own tables: meshpulse man meshpulse.yaml\n"
    ".Dd " MESHPULSE_RELEASED "\n"
    ".Dt MESHPULSE.YAML 5\n"
    ".Os\n"
    ".Sh NAME\n"
    ".Nm meshpulse.yaml\n"
    ".Nd configuration of the meshpulse daemon\n"
    ".Sh DESCRIPTION\n"
    "The file is YAML, its first line\n"
    ".Ql config_version: 1 .\n"
    "An unknown key is an error; so are anchors, aliases, tags, a second\n"
    "document and more than 1 MiB.\n"
    "A key without a value counts as not set.\n"
    "Durations are written\n"
    ".Ql 500ms , 2s , 10m , 24h .\n"
    "Secrets are named as files only.\n"
    ".Pp\n"
    "A setting is taken from\n"
    ".Fl -set Ar SECTION.KEY Ns = Ns Ar VALUE ,\n"
    "else from the variable\n"
    ".Ev MESHPULSE_SECTION_KEY ,\n"
    "else from the file, else it has its default; in the first two a list is written\n"
    ".Ql a,b .\n"
    ".Dl meshpulse check-config FILE\n"
    "tells everything that is wrong,\n"
    ".Dl meshpulse serve --print-config\n"
    "what is in force and where each value came from.\n"
    ".Pp\n"
    "A listener that is not loopback needs TLS and authentication;\n"
    ".Cm admin.probe_listen ,\n"
    "which serves probes only, is the exception.\n"
    ".Sh SETTINGS\n";

static const char examples[] = ".Sh EXAMPLES\n"
                               ".Bd -literal -offset indent\n"
                               "config_version: 1\n"
                               "stream: {url: \"redis://redis.example:6379\"}\n"
                               "services:\n"
                               "  - name: pay\n"
                               "    check: {type: http, path: /healthz}\n"
                               "    instances:\n"
                               "      - {id: pay-1, address: 10.1.2.3, port: 8080}\n"
                               ".Ed\n"
                               ".Sh SEE ALSO\n"
                               ".Xr meshpulse 1\n";

// ".It Cm key : default"
static void write_item(const char *key, const char *value, struct buf *out)
{
    buf_printf(out, ".It Cm %s :", key);
    mdoc_argument(out, value[0] != '\0' ? value : "\"\"");
    buf_byte(out, '\n');
}

static void write_row(const struct config_row *row, struct buf *out)
{
    struct buf allowed;
    char env[CONFIG_NAME_MAX];
    buf_init(&allowed, 1024);
    buf_str(&allowed, "Allowed: ");
    config_value_allowed(row, &allowed);
    buf_byte(&allowed, '.');
    config_row_env(row, env);
    write_item(row->key, row->type == CONFIG_TYPE_LIST ? "[]" : row->value, out);
    mdoc_line(out, row->help);
    mdoc_line(out, buf_cstr(&allowed));
    buf_printf(out, "%s.Ev %s\n",
               config_step_available(row->step) ? "" : "Not available in this version.\n", env);
    if (allowed.err == ERR_NOMEM) {
        out->err = ERR_NOMEM;
    }
    buf_fini(&allowed);
}

static void write_sections(struct buf *out)
{
    for (size_t i = 0; i < config_section_count; i++) {
        buf_printf(out, ".Ss %s\n", config_sections[i].name);
        mdoc_line(out, config_sections[i].help);
        buf_str(out, ".Bl -tag -width Ds\n");
        for (size_t j = 0; j < CONFIG_KEY_COUNT; j++) {
            if (strcmp(config_table[j].section, config_sections[i].name) == 0) {
                write_row(&config_table[j], out);
            }
        }
        buf_str(out, ".El\n");
    }
}

static void write_fields(const char *title, const char *help, const struct config_fields *fields,
                         struct buf *out)
{
    buf_printf(out, ".Ss %s\n%s\n.Bl -tag -width Ds\n", title, help);
    for (size_t i = 0; i < fields->count; i++) {
        const struct config_field *field = &fields->fields[i];
        write_item(field->name, field->required ? "(required)" : field->value, out);
        mdoc_line(out, field->help);
        char allowed[256];
        (void)snprintf(allowed, sizeof(allowed), "Allowed: %s.", field->allowed);
        mdoc_line(out, allowed);
    }
    buf_str(out, ".El\n");
}

void config_write_manual(struct buf *out)
{
    buf_str(out, head);
    write_sections(out);
    write_fields("tenants", "A list.", &config_tenant_fields, out);
    write_fields("services", "A list: what is known from this file.", &config_service_fields, out);
    write_fields("services[].check", "A mapping.", &config_check_fields, out);
    write_fields("services[].instances", "A list.", &config_instance_fields, out);
    buf_str(out, examples);
}
