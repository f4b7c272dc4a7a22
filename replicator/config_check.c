// SPDX-License-Identifier: Apache-2.0
// The rules over several keys: listeners, certificates, names that must differ.
#include "replicator/config_load.h"

#include "base/address.h"
#include "base/assert.h"
#include "base/template.h"
#include "replicator/config_form.h"
#include "replicator/config_pool.h"

#include <stdlib.h>

static bool is_set(const char *text)
{
    return text[0] != '\0';
}

// --- certificates and listeners

struct tls_keys {
    enum config_key_id cert_id, key_id, ca_id;
    const char *cert, *key, *ca;
};

static void check_tls(struct config_loader *loader, const struct tls_keys *tls)
{
    if (is_set(tls->cert) && !is_set(tls->key)) {
        config_wrong_row(loader, tls->cert_id, "has no key; set %s.%s too",
                         config_table[tls->key_id].section, config_table[tls->key_id].key);
    }
    if (is_set(tls->key) && !is_set(tls->cert)) {
        config_wrong_row(loader, tls->key_id, "has no certificate; set %s.%s too",
                         config_table[tls->cert_id].section, config_table[tls->cert_id].key);
    }
    if (is_set(tls->ca) && !is_set(tls->cert)) {
        config_wrong_row(loader, tls->ca_id, "needs TLS; set %s.%s and %s.%s too",
                         config_table[tls->cert_id].section, config_table[tls->cert_id].key,
                         config_table[tls->key_id].section, config_table[tls->key_id].key);
    }
}

// True for a listener that others than this host reach.
static bool is_open(const char *listen)
{
    struct address address;
    return is_set(listen) && address_parse(span_str(listen), &address) == ERR_OK &&
           !address_is_loopback(&address);
}

static void check_admin(struct config_loader *loader)
{
    const struct config *config = loader->config;
    const struct tls_keys tls = {CONFIG_admin_tls_cert_file,  CONFIG_admin_tls_key_file,
                                 CONFIG_admin_client_ca_file, config->admin_tls_cert_file,
                                 config->admin_tls_key_file,  config->admin_client_ca_file};
    check_tls(loader, &tls);
    bool encrypted = is_set(config->admin_tls_cert_file);
    bool authenticated = is_set(config->admin_tokens_file) || is_set(config->admin_client_ca_file);
    if (is_open(config->admin_listen) && !(encrypted && authenticated)) {
        config_wrong_row(loader, CONFIG_admin_listen,
                         "\"%s\" is reached from other hosts; a loopback address, or TLS "
                         "(admin.tls_cert_file, admin.tls_key_file) with authentication "
                         "(admin.tokens_file or admin.client_ca_file)",
                         config->admin_listen);
    }
    if (config->admin_write == CONFIG_WRITE_AUTHENTICATED && !authenticated &&
        !is_set(config->admin_unix)) {
        config_wrong_row(loader, CONFIG_admin_write,
                         "nobody could write; set admin.tokens_file, admin.client_ca_file or "
                         "admin.unix too");
    }
}

static void check_xds(struct config_loader *loader)
{
    const struct config *config = loader->config;
    const struct tls_keys tls = {CONFIG_xds_tls_cert_file,  CONFIG_xds_tls_key_file,
                                 CONFIG_xds_client_ca_file, config->xds_tls_cert_file,
                                 config->xds_tls_key_file,  config->xds_client_ca_file};
    check_tls(loader, &tls);
    if (is_open(config->xds_listen) && !is_set(config->xds_client_ca_file)) {
        config_wrong_row(loader, CONFIG_xds_listen,
                         "\"%s\" is reached from other hosts; a loopback address, or TLS "
                         "(xds.tls_cert_file, xds.tls_key_file) with xds.client_ca_file",
                         config->xds_listen);
    }
}

// Two listeners on one address and port cannot both be bound.
static void check_ports(struct config_loader *loader)
{
    const struct config *config = loader->config;
    struct address admin;
    struct address probe;
    if (address_parse(span_str(config->admin_listen), &admin) == ERR_OK &&
        address_parse(span_str(config->admin_probe_listen), &probe) == ERR_OK &&
        address_port(&admin) != 0 && address_port(&admin) == address_port(&probe) &&
        (address_eq(&admin, &probe) || address_is_any(&admin) || address_is_any(&probe))) {
        config_wrong_row(loader, CONFIG_admin_probe_listen,
                         "\"%s\" is taken by admin.listen; another port",
                         config->admin_probe_listen);
    }
}

static void check_map(struct config_loader *loader)
{
    const struct config *config = loader->config;
    if (config->map_reserve_at >= config->map_evict_at) {
        config_wrong_row(loader, CONFIG_map_evict_at, "%u is not more than map.reserve_at (%u)",
                         config->map_evict_at, config->map_reserve_at);
    }
}

static void check_stream(struct config_loader *loader)
{
    const struct config *config = loader->config;
    const struct tls_keys tls = {CONFIG_stream_cert_file,  CONFIG_stream_key_file,  0,
                                 config->stream_cert_file, config->stream_key_file, ""};
    check_tls(loader, &tls);
    bool encrypted = strncmp(config->stream_url, "rediss://", 9) == 0;
    if (!encrypted && is_set(config->stream_ca_file)) {
        config_wrong_row(loader, CONFIG_stream_ca_file, "needs TLS; a stream.url of rediss://");
    }
    if (!encrypted && is_set(config->stream_cert_file)) {
        config_wrong_row(loader, CONFIG_stream_cert_file, "needs TLS; a stream.url of rediss://");
    }
}

// --- names that must differ

// One service or instance in an order that brings equals together.
struct named {
    struct span first, second; // what must not be equal
    uint32_t number;           // its place in the file
    struct yaml_mark at;
};

static int compare_named(const void *a, const void *b)
{
    const struct named *left = a;
    const struct named *right = b;
    int order = span_cmp(left->first, right->first);
    if (order == 0) {
        order = span_cmp(left->second, right->second);
    }
    return order != 0 ? order : (left->number > right->number) - (left->number < right->number);
}

static bool named_eq(const struct named *a, const struct named *b)
{
    return span_eq(a->first, b->first) && span_eq(a->second, b->second);
}

static struct named *named_new(struct config_loader *loader, uint32_t count)
{
    struct named *names = calloc((size_t)count + 1, sizeof(*names));
    if (names == NULL) {
        loader->err = ERR_NOMEM;
    }
    return names;
}

// Elements of one list, and the key that tells them apart.
struct twins {
    struct named *names;
    uint32_t count;
    const char *list, *key;
};

// Tells each name (sorted here) that an earlier element has already.  Nameless ones were told.
static void tell_twins(struct config_loader *loader, const struct twins *twins)
{
    struct named *names = twins->names;
    uint32_t first = 0;
    qsort(names, twins->count, sizeof(*names), compare_named);
    for (uint32_t i = 1; i < twins->count; i++) {
        if (!named_eq(&names[i], &names[first])) {
            first = i;
        } else if (names[i].first.len > 0) {
            size_t path = config_path_push(loader, "%s[%u].", twins->list, names[i].number);
            buf_reset(&loader->problem);
            config_quote(&loader->problem, names[i].first);
            config_wrong(loader, names[i].at, span_str(twins->key),
                         "%s stands at line %u already; each name once", buf_cstr(&loader->problem),
                         names[first].at.line);
            config_path_pop(loader, path);
        }
    }
}

static struct yaml_mark service_at(const struct config_service *service)
{
    return (struct yaml_mark){service->line, service->column};
}

static void check_service_names(struct config_loader *loader)
{
    const struct config *config = loader->config;
    struct named *names = named_new(loader, config->service_count);
    for (uint32_t i = 0; names != NULL && i < config->service_count; i++) {
        const struct config_service *service = &config->services[i];
        names[i] = (struct named){service->name, service->tenant, i, service_at(service)};
    }
    if (names != NULL) {
        tell_twins(loader, &(struct twins){names, config->service_count, "services", "name"});
    }
    free(names);
}

static void check_tenant_names(struct config_loader *loader)
{
    const struct config *config = loader->config;
    struct named *names = named_new(loader, config->tenant_count);
    for (uint32_t i = 0; names != NULL && i < config->tenant_count; i++) {
        const struct config_tenant *tenant = &config->tenants[i];
        names[i] = (struct named){tenant->name, SPAN_NONE, i, {tenant->line, tenant->column}};
    }
    if (names != NULL) {
        tell_twins(loader, &(struct twins){names, config->tenant_count, "tenants", "name"});
    }
    free(names);
}

static void check_instance_names(struct config_loader *loader, uint32_t number)
{
    const struct config_service *service = &loader->config->services[number];
    struct named *names = named_new(loader, service->instance_count);
    for (uint32_t i = 0; names != NULL && i < service->instance_count; i++) {
        const struct config_instance *instance = &service->instances[i];
        names[i] = (struct named){instance->id, SPAN_NONE, i, {instance->line, instance->column}};
    }
    if (names != NULL) {
        size_t path = config_path_push(loader, "services[%u].", number);
        tell_twins(loader, &(struct twins){names, service->instance_count, "instances", "id"});
        config_path_pop(loader, path);
    }
    free(names);
}

// --- clusters

static struct span cluster_name(struct config_loader *loader, const struct config_service *service)
{
    const struct template_word words[] = {{"service", service->name}, {"tenant", service->tenant}};
    buf_reset(&loader->problem);
    enum err err =
        template_expand(span_str(loader->config->xds_cluster_name), words, 2, &loader->problem);
    ASSERT(err == ERR_OK);
    if (loader->problem.err != ERR_OK) {
        loader->err = ERR_NOMEM;
        return SPAN_NONE;
    }
    return config_keep(loader, buf_span(&loader->problem));
}

static void tell_same_cluster(struct config_loader *loader, const struct named *twin,
                              const struct named *first)
{
    size_t path = config_path_push(loader, "services[%u].", twin->number);
    buf_reset(&loader->problem);
    config_quote(&loader->problem, twin->first);
    config_wrong(loader, twin->at, SPAN_LIT("name"),
                 "maps to the Envoy cluster %s, as the service at line %u; other names, or an "
                 "xds.cluster_name with {tenant}",
                 buf_cstr(&loader->problem), first->at.line);
    config_path_pop(loader, path);
}

// Two services in one cluster: Envoy would be told now of the one, now of the other.
static void check_clusters(struct config_loader *loader)
{
    const struct config *config = loader->config;
    bool used =
        is_set(config->xds_files_dir) || is_set(config->xds_listen) || is_set(config->xds_unix);
    struct named *names = used ? named_new(loader, config->service_count) : NULL;
    for (uint32_t i = 0; names != NULL && i < config->service_count; i++) {
        const struct config_service *service = &config->services[i];
        names[i] = (struct named){cluster_name(loader, service), SPAN_NONE, i, service_at(service)};
    }
    if (names != NULL && loader->err == ERR_OK) {
        qsort(names, config->service_count, sizeof(*names), compare_named);
        for (uint32_t i = 1, first = 0; i < config->service_count; i++) {
            const struct config_service *a = &config->services[names[first].number];
            const struct config_service *b = &config->services[names[i].number];
            if (!span_eq(names[i].first, names[first].first)) {
                first = i;
            } else if (!(span_eq(a->name, b->name) && span_eq(a->tenant, b->tenant))) {
                tell_same_cluster(loader, &names[i], &names[first]);
            }
        }
    }
    free(names);
}

void config_check(struct config_loader *loader)
{
    check_stream(loader);
    check_map(loader);
    check_admin(loader);
    check_ports(loader);
    check_xds(loader);
    check_service_names(loader);
    check_tenant_names(loader);
    for (uint32_t i = 0; loader->err == ERR_OK && i < loader->config->service_count; i++) {
        check_instance_names(loader, i);
    }
    if (loader->err == ERR_OK) {
        check_clusters(loader);
    }
}
