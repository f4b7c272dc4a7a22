// SPDX-License-Identifier: Apache-2.0
// One load: defaults, file, environment, flags, then the rules over several keys.
#include "replicator/config.h"

#include "base/assert.h"
#include "base/text.h"
#include "replicator/config_load.h"
#include "replicator/config_pool.h"
#include "replicator/config_value.h"

#include <stdlib.h>
#include <unistd.h>

#define PROBLEM_MAX 8192
#define HOST_NAME_LEN 256

enum config_key_id config_row_id(const struct config_row *row)
{
    return (enum config_key_id)(row - config_table);
}

enum err config_take(struct config_loader *loader, const struct config_row *row, struct span text,
                     const struct config_list *items)
{
    struct config *config = loader->config;
    buf_reset(&loader->problem);
    enum err err = items == NULL ? config_value_set(config, row, text, &loader->problem)
                                 : config_value_set_items(config, row, items, &loader->problem);
    if (err == ERR_OK && !config_step_available(row->step) &&
        !config_value_eq(config, &loader->defaults, row)) {
        config_value_print(config, row, &loader->problem);
        buf_str(&loader->problem, " is not available in this version; ");
        config_value_print(&loader->defaults, row, &loader->problem);
        err = ERR_INVALID;
    }
    if (err == ERR_NOMEM) {
        loader->err = ERR_NOMEM;
    }
    return err;
}

void config_set_origin(struct config_loader *loader, const struct config_row *row,
                       enum config_origin_kind kind, struct yaml_mark at)
{
    loader->config->origins[config_row_id(row)] = (struct config_origin){kind, at.line, at.column};
}

static void read_defaults(struct config_loader *loader)
{
    for (size_t i = 0; i < CONFIG_KEY_COUNT && loader->err == ERR_OK; i++) {
        enum err err = config_value_set(loader->config, &config_table[i],
                                        span_str(config_table[i].value), &loader->problem);
        ASSERT(err != ERR_INVALID);
        loader->err = err;
    }
    loader->defaults = *loader->config;
}

// The default of node.id; policies say that this node published them.
static void name_node(struct config_loader *loader)
{
    struct config *config = loader->config;
    char name[HOST_NAME_LEN] = "";
    const char *host_name = loader->options->host_name;
    if (config->node_id[0] != '\0') {
        return;
    }
    if (host_name == NULL && gethostname(name, sizeof(name) - 1) == 0) {
        host_name = name;
    }
    struct span text = span_str(host_name == NULL ? "" : host_name);
    if (text.len == 0) {
        config_wrong_row(loader, CONFIG_node_id, "this host has no name; set node.id");
    } else if (config_take(loader, &config_table[CONFIG_node_id], text, NULL) == ERR_INVALID) {
        config_wrong_row(loader, CONFIG_node_id, "the host name %s", buf_cstr(&loader->problem));
    }
}

static void sign_policies(struct config_loader *loader)
{
    for (uint32_t i = 0; i < loader->config->service_count; i++) {
        loader->services[i].policy.by = span_str(loader->config->node_id);
    }
}

static void load(struct config_loader *loader)
{
    read_defaults(loader);
    if (loader->err == ERR_OK && loader->options->file != NULL) {
        config_read_file(loader);
    }
    if (loader->err == ERR_OK) {
        config_read_environment(loader);
        config_read_sets(loader);
    }
    if (loader->err == ERR_OK) {
        name_node(loader);
        sign_policies(loader);
    }
    if (loader->err == ERR_OK) {
        config_check(loader);
    }
    config_report_end(loader->report);
    bool lost = loader->report->errors.err == ERR_NOMEM ||
                loader->report->warnings.err == ERR_NOMEM || loader->problem.err == ERR_NOMEM ||
                loader->path.err == ERR_NOMEM;
    loader->err = lost ? ERR_NOMEM : loader->err;
}

enum err config_load(const struct config_options *options, struct config **ret_config,
                     struct config_report *report)
{
    struct config_loader loader = {.options = options, .report = report};
    struct config *config = calloc(1, sizeof(*config));
    if (config == NULL) {
        return ERR_NOMEM;
    }
    loader.config = config;
    config->pool = config_pool_new();
    if (config->pool == NULL) {
        free(config);
        return ERR_NOMEM;
    }
    buf_init(&loader.problem, PROBLEM_MAX);
    buf_init(&loader.path, PROBLEM_MAX);
    if (options->file != NULL) {
        config->file = config_keep(&loader, span_str(options->file)).ptr;
    }
    if (loader.err == ERR_OK) {
        load(&loader);
    }
    buf_fini(&loader.path);
    buf_fini(&loader.problem);
    enum err err = loader.err == ERR_OK && report->error_count > 0 ? ERR_INVALID : loader.err;
    if (err != ERR_OK) {
        config_free(config);
        return err;
    }
    *ret_config = config;
    return ERR_OK;
}

void config_free(struct config *config)
{
    if (config == NULL) {
        return;
    }
    config_pool_free(config->pool);
    free(config);
}

size_t config_uids(const struct config *config, uint32_t *ret_uids, size_t cap)
{
    for (size_t i = 0; i < config->admin_unix_uids.count && i < cap; i++) {
        uint64_t uid = 0;
        enum err err = text_u64(config->admin_unix_uids.items[i], &uid);
        ASSERT(err == ERR_OK && uid <= UINT32_MAX);
        ret_uids[i] = (uint32_t)uid;
    }
    return config->admin_unix_uids.count;
}

uint32_t config_mode(const char *mode)
{
    uint32_t value = 0;
    for (; *mode != '\0'; mode++) {
        ASSERT(*mode >= '0' && *mode <= '7');
        value = value * 8 + (uint32_t)(*mode - '0');
    }
    return value;
}
