// SPDX-License-Identifier: Apache-2.0
// Variables of the environment, and --set.
#include "replicator/config_load.h"

#include "replicator/config_form.h"

#include <string.h>

#define WHERE_MAX 8192
#define ENV_PREFIX "MESHPULSE_"

// Variables that are no keys: those of the command line's client.
static bool is_other_variable(struct span name)
{
    return span_eq_str(name, ENV_PREFIX "SERVER");
}

static void tell_unknown_variable(struct config_loader *loader, struct span name)
{
    char names[CONFIG_KEY_COUNT][CONFIG_NAME_MAX];
    const char *words[CONFIG_KEY_COUNT];
    for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
        config_row_env(&config_table[i], names[i]);
        words[i] = names[i];
    }
    struct buf where;
    buf_init(&where, WHERE_MAX);
    buf_put(&where, name);
    const char *near = config_nearest(name, words, CONFIG_KEY_COUNT);
    config_report_warning(loader->report, buf_cstr(&where), "no such key%s%s%s",
                          near == NULL ? "" : "; did you mean ", near == NULL ? "" : near,
                          near == NULL ? "" : "?");
    buf_fini(&where);
}

static void read_variable(struct config_loader *loader, const char *variable)
{
    size_t prefix_len = sizeof(ENV_PREFIX) - 1;
    size_t name_len = strcspn(variable, "=");
    if (strncmp(variable, ENV_PREFIX, prefix_len) != 0 || variable[name_len] != '=') {
        return;
    }
    struct span name = span_of(variable, name_len);
    const struct config_row *row = config_find_env(name);
    if (row == NULL) {
        if (!is_other_variable(name)) {
            tell_unknown_variable(loader, name);
        }
        return;
    }
    config_set_origin(loader, row, CONFIG_ENV, (struct yaml_mark){0, 0});
    if (config_take(loader, row, span_str(variable + name_len + 1), NULL) == ERR_INVALID) {
        config_wrong_row(loader, config_row_id(row), "%s", buf_cstr(&loader->problem));
    }
}

static void tell_unknown_set(struct config_loader *loader, struct span name)
{
    char names[CONFIG_KEY_COUNT][CONFIG_NAME_MAX];
    const char *words[CONFIG_KEY_COUNT];
    for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
        config_row_name(&config_table[i], names[i]);
        words[i] = names[i];
    }
    struct buf where;
    buf_init(&where, WHERE_MAX);
    buf_str(&where, "--set ");
    config_quote(&where, name);
    const char *near = config_nearest(name, words, CONFIG_KEY_COUNT);
    config_report_error(loader->report, buf_cstr(&where), "no such key%s%s%s",
                        near == NULL ? "; SECTION.KEY=VALUE" : "; did you mean ",
                        near == NULL ? "" : near, near == NULL ? "" : "?");
    buf_fini(&where);
}

static void read_set(struct config_loader *loader, const char *set)
{
    size_t name_len = strcspn(set, "=");
    size_t section_len = strcspn(set, ".=");
    const struct config_row *row = NULL;
    if (set[name_len] == '=' && section_len < name_len) {
        row = config_find(span_of(set, section_len),
                          span_of(set + section_len + 1, name_len - section_len - 1));
    }
    if (row == NULL) {
        tell_unknown_set(loader, span_of(set, name_len));
        return;
    }
    config_set_origin(loader, row, CONFIG_SET, (struct yaml_mark){0, 0});
    if (config_take(loader, row, span_str(set + name_len + 1), NULL) == ERR_INVALID) {
        config_wrong_row(loader, config_row_id(row), "%s", buf_cstr(&loader->problem));
    }
}

void config_read_environment(struct config_loader *loader)
{
    const char *const *variable = loader->options->environment;
    for (; variable != NULL && *variable != NULL && loader->err == ERR_OK; variable++) {
        read_variable(loader, *variable);
    }
}

void config_read_sets(struct config_loader *loader)
{
    for (uint32_t i = 0; i < loader->options->set_count && loader->err == ERR_OK; i++) {
        read_set(loader, loader->options->sets[i]);
    }
}
