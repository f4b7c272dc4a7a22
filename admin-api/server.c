// SPDX-License-Identifier: Apache-2.0
#include "admin-api/server.h"

#include "admin-api/renewal.h"
#include "admin-api/secrets.h"
#include "admin-api/serve.h"
#include "admin-api/server_options.h"
#include "admin-api/watch.h"
#include "admin-api/worker.h"
#include "base/http1_server.h"
#include "base/metric.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct admin {
    struct server_options options;
    char listen_ip[ADDRESS_TEXT_LEN];
    struct worker *workers; // the first one accepts
    size_t worker_count;
    struct http1_listener *main_listener; // NULL: none, likewise below
    struct http1_listener *probe_listener;
    struct http1_listener *unix_listener;
    struct renewal renewal;
};

static bool is_set(const char *option)
{
    return option[0] != '\0';
}

// The gauges are sums over the workers, made when somebody asks.  From any worker.
static void measure(void *arg)
{
    const struct admin *admin = arg;
    uint64_t connections = 0;
    uint64_t watchers = 0;
    for (size_t i = 0; i < admin->worker_count; i++) {
        connections += http1_server_connections(admin->workers[i].http);
        watchers += watch_set_count(admin->workers[i].serve.watches);
    }
    metric_gauge(METRIC_HTTP_CONNECTIONS, (double)connections);
    metric_gauge(METRIC_WATCHERS, (double)watchers);
}

static void give_all(void *arg, struct secrets *secrets)
{
    struct admin *admin = arg;
    for (size_t i = 0; i < admin->worker_count; i++) {
        worker_give(&admin->workers[i], secrets);
    }
}

// --- making

struct wanted_listener {
    const char *key; // of the configuration, for the message
    struct http1_listen_options options;
};

static enum err bind_one(struct admin *admin, const struct wanted_listener *wanted,
                         char ret_text[ADMIN_TEXT_LEN], struct http1_listener **ret_listener)
{
    enum err err = http1_server_listen(admin->workers[0].http, &wanted->options, ret_listener);
    if (err != ERR_OK) {
        char address[ADDRESS_TEXT_LEN];
        address_format(&wanted->options.address, address);
        const char *why = err == ERR_BUSY     ? "it is in use"
                          : err == ERR_EXISTS ? "the path exists and is no socket"
                                              : err_text(err);
        (void)snprintf(ret_text, ADMIN_TEXT_LEN, "%s: %s: %s", wanted->key, address, why);
    }
    return err;
}

static enum err bind_main(struct admin *admin, const struct secrets *secrets,
                          char ret_text[ADMIN_TEXT_LEN])
{
    struct wanted_listener wanted = {.key = "admin.listen", .options = {.tls = secrets->tls}};
    if (!is_set(admin->options.plain.listen)) {
        return ERR_OK;
    }
    enum err err = address_parse(span_str(admin->options.plain.listen), &wanted.options.address);
    return err == ERR_OK ? bind_one(admin, &wanted, ret_text, &admin->main_listener) : err;
}

static enum err bind_probe(struct admin *admin, char ret_text[ADMIN_TEXT_LEN])
{
    struct wanted_listener wanted = {.key = "admin.probe_listen",
                                     .options = {.connections_max = ADMIN_PROBE_CONNECTIONS_MAX,
                                                 .user = (void *)(uintptr_t)serve_probe_mark}};
    if (!is_set(admin->options.plain.probe_listen)) {
        return ERR_OK;
    }
    enum err err =
        address_parse(span_str(admin->options.plain.probe_listen), &wanted.options.address);
    return err == ERR_OK ? bind_one(admin, &wanted, ret_text, &admin->probe_listener) : err;
}

static enum err bind_unix(struct admin *admin, char ret_text[ADMIN_TEXT_LEN])
{
    struct wanted_listener wanted = {.key = "admin.unix",
                                     .options = {.unix_mode = admin->options.plain.unix_mode}};
    if (!is_set(admin->options.plain.unix_path)) {
        return ERR_OK;
    }
    enum err err = address_unix(span_str(admin->options.plain.unix_path), &wanted.options.address);
    return err == ERR_OK ? bind_one(admin, &wanted, ret_text, &admin->unix_listener) : err;
}

static enum err bind_all(struct admin *admin, const struct secrets *secrets,
                         char ret_text[ADMIN_TEXT_LEN])
{
    // The unix socket first: a path in use then leaves no port bound.
    enum err err = bind_unix(admin, ret_text);
    if (err == ERR_OK) {
        err = bind_main(admin, secrets, ret_text);
    }
    if (err == ERR_OK) {
        err = bind_probe(admin, ret_text);
    }
    return err;
}

static struct api rules_of(struct admin *admin, const struct backend *backend)
{
    const struct admin_options *options = &admin->options.plain;
    return (struct api){
        .backend = backend,
        .auth = {.mode = options->write,
                 .client_ca = is_set(options->client_ca_file),
                 .own_uid = geteuid(),
                 .uids = options->unix_uids,
                 .uid_count = options->unix_uid_count},
        .hosts = {.listen_ip = span_str(admin->listen_ip),
                  .allowed = admin->options.host_spans,
                  .allowed_count = options->allowed_host_count},
        .require_if_match = options->require_if_match,
        .measure = measure,
        .measure_arg = admin,
    };
}

static enum err make_workers(struct admin *admin, const struct backend *backend)
{
    struct address address;
    if (is_set(admin->options.plain.listen)) {
        enum err err = address_parse(span_str(admin->options.plain.listen), &address);
        if (err != ERR_OK) {
            return err;
        }
        address_format_ip(&address, admin->listen_ip);
    }
    const struct api rules = rules_of(admin, backend);
    size_t count = admin->options.plain.workers == 0 ? 1 : admin->options.plain.workers;
    admin->workers = calloc(count, sizeof(*admin->workers));
    if (admin->workers == NULL) {
        return ERR_NOMEM;
    }
    while (admin->worker_count < count) {
        enum err err = worker_init(&admin->workers[admin->worker_count++], &rules);
        if (err != ERR_OK) {
            return err;
        }
    }
    admin->workers[0].followers = admin->workers + 1;
    admin->workers[0].follower_count = count - 1;
    return ERR_OK;
}

// Every listener is bound by the first worker; the others get a branch of each.
static enum err share(struct admin *admin, struct http1_listener *front)
{
    for (size_t i = 1; front != NULL && i < admin->worker_count; i++) {
        struct http1_listener *branch = NULL;
        enum err err = http1_listener_share(front, admin->workers[i].http, &branch);
        if (err != ERR_OK) {
            return err;
        }
        if (front == admin->main_listener) {
            admin->workers[i].main_listener = branch;
        }
    }
    return ERR_OK;
}

static enum err share_all(struct admin *admin)
{
    admin->workers[0].main_listener = admin->main_listener;
    enum err err = share(admin, admin->main_listener);
    if (err == ERR_OK) {
        err = share(admin, admin->probe_listener);
    }
    return err == ERR_OK ? share(admin, admin->unix_listener) : err;
}

static enum err use_secrets(struct admin *admin, struct secrets *secrets)
{
    give_all(admin, secrets);
    admin->renewal.loop = admin->workers[0].loop;
    admin->renewal.options = &admin->options.plain;
    admin->renewal.backend = admin->workers[0].serve.api.backend;
    admin->renewal.give = give_all;
    admin->renewal.arg = admin;
    return renewal_init(&admin->renewal, secrets);
}

static enum err build_with(struct admin *admin, const struct backend *backend,
                           struct secrets *secrets, char ret_text[ADMIN_TEXT_LEN])
{
    enum err err = make_workers(admin, backend);
    if (err == ERR_OK) {
        err = bind_all(admin, secrets, ret_text);
    }
    if (err == ERR_OK) {
        err = share_all(admin);
    }
    if (err == ERR_OK) {
        err = use_secrets(admin, secrets);
    }
    if (err != ERR_OK && ret_text[0] == '\0') {
        (void)snprintf(ret_text, ADMIN_TEXT_LEN, "admin: %s", err_text(err));
    }
    return err;
}

static enum err build(struct admin *admin, const struct backend *backend,
                      char ret_text[ADMIN_TEXT_LEN])
{
    struct secrets *secrets = NULL;
    secrets_watch(&admin->options.plain, &admin->renewal.files);
    enum err err = secrets_load(&admin->options.plain, ret_text, &secrets);
    if (err == ERR_OK) {
        err = build_with(admin, backend, secrets, ret_text);
        secrets_drop(secrets);
    }
    return err;
}

enum err admin_new(const struct admin_options *options, const struct backend *backend,
                   char ret_text[ADMIN_TEXT_LEN], struct admin **ret_admin)
{
    struct admin *admin = NULL;
    struct server_options copy;
    ret_text[0] = '\0';
    enum err err = server_options_copy(options, &copy);
    if (err == ERR_OK) {
        admin = calloc(1, sizeof(*admin));
        err = admin == NULL ? ERR_NOMEM : ERR_OK;
        if (admin == NULL) {
            server_options_fini(&copy);
        }
    }
    if (err != ERR_OK) {
        (void)snprintf(ret_text, ADMIN_TEXT_LEN, "admin: %s", err_text(err));
        return err;
    }
    admin->options = copy;
    err = admin_options_check(&admin->options.plain, ret_text);
    if (err == ERR_OK) {
        err = build(admin, backend, ret_text);
    }
    if (err != ERR_OK) {
        admin_free(admin);
        return err;
    }
    *ret_admin = admin;
    return ERR_OK;
}

void admin_free(struct admin *admin)
{
    if (admin == NULL) {
        return;
    }
    renewal_fini(&admin->renewal);
    while (admin->worker_count > 0) {
        worker_fini(&admin->workers[--admin->worker_count]); // the first one, which accepts, last
    }
    free(admin->workers);
    server_options_fini(&admin->options);
    free(admin);
}

enum err admin_start(struct admin *admin)
{
    // The one that accepts starts last: all that it may hand to run then.
    for (size_t i = admin->worker_count; i > 0; i--) {
        enum err err = worker_start(&admin->workers[i - 1], (unsigned)i);
        if (err != ERR_OK) {
            admin_stop(admin);
            return err;
        }
    }
    return ERR_OK;
}

void admin_stop(struct admin *admin)
{
    struct worker *first = &admin->workers[0];
    for (size_t i = 0; i < admin->worker_count; i++) {
        // The first one tells the others; only when it never ran they are told from here.
        if (admin->workers[i].started && (i == 0 || !first->started)) {
            worker_stop(&admin->workers[i]);
        }
    }
    for (size_t i = admin->worker_count; i > 0; i--) {
        worker_join(&admin->workers[i - 1]);
    }
}

void admin_reload(struct admin *admin)
{
    renewal_ask(&admin->renewal);
}

void admin_wake(void *arg)
{
    struct admin *admin = arg;
    for (size_t i = 0; i < admin->worker_count; i++) {
        worker_wake(&admin->workers[i]);
    }
}

void admin_ask(struct admin *admin)
{
    for (size_t i = 0; i < admin->worker_count; i++) {
        worker_ask(&admin->workers[i]);
    }
}

bool admin_answered(const struct admin *admin)
{
    bool all = true;
    for (size_t i = 0; i < admin->worker_count; i++) {
        all = all && worker_answered(&admin->workers[i]);
    }
    return all;
}

static uint16_t describe(const struct http1_listener *listener, char ret_text[128])
{
    ret_text[0] = '\0';
    if (listener == NULL) {
        return 0;
    }
    address_format(http1_listener_address(listener), ret_text);
    return address_port(http1_listener_address(listener));
}

void admin_addresses(const struct admin *admin, struct admin_addresses *ret_addresses)
{
    ret_addresses->port = describe(admin->main_listener, ret_addresses->listen);
    ret_addresses->probe_port = describe(admin->probe_listener, ret_addresses->probe_listen);
}
