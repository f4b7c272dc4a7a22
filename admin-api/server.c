// SPDX-License-Identifier: Apache-2.0
#include "admin-api/server.h"

#include "admin-api/response.h"
#include "admin-api/serve.h"
#include "admin-api/server_options.h"
#include "admin-api/watch.h"
#include "base/http1_server.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/tls.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define STOP_GIVE_UP_MS 2000 // then writes that still wait are answered 503
#define STOP_MS 3000         // then connections are cut
#define STOP_STEP_MS 20

struct admin {
    struct server_options options;
    struct server_secrets secrets;
    char listen_ip[ADDRESS_TEXT_LEN];

    struct loop *loop;
    struct http1_server *http;
    struct http1_listener *main_listener; // NULL: none, likewise below
    struct http1_listener *probe_listener;
    struct api_scratch *scratch;
    struct serve serve;

    struct loop_task wake;
    struct loop_task reload;
    struct loop_task stop;
    _Atomic(struct server_secrets *) incoming; // of a reload, until the loop takes it
    struct loop_timer *stop_step;
    struct mono stop_began;

    pthread_t thread;
    bool started;
};

static bool is_set(const char *option)
{
    return option[0] != '\0';
}

static void use_secrets(struct admin *admin)
{
    admin->serve.api.auth.tokens = admin->secrets.tokens;
    if (admin->main_listener != NULL && admin->secrets.tls != NULL) {
        http1_listener_set_tls(admin->main_listener, admin->secrets.tls);
    }
}

static void on_wake(void *arg)
{
    struct admin *admin = arg;
    watch_wake(admin->serve.watches);
}

static void on_reload(void *arg)
{
    struct admin *admin = arg;
    struct server_secrets *incoming =
        atomic_exchange_explicit(&admin->incoming, NULL, memory_order_acquire);
    if (incoming == NULL) {
        return;
    }
    struct server_secrets old = admin->secrets;
    admin->secrets = *incoming;
    free(incoming);
    use_secrets(admin);
    server_secrets_fini(&old);
}

static void on_stop_step(void *arg)
{
    struct admin *admin = arg;
    int64_t waited_ms = mono_ms_between(admin->stop_began, loop_now(admin->loop));
    if (waited_ms >= STOP_GIVE_UP_MS) {
        serve_give_up(&admin->serve);
    }
    if (waited_ms < STOP_MS && http1_server_connections(admin->http) > 0) {
        loop_timer_set_ms(admin->stop_step, STOP_STEP_MS);
        return;
    }
    serve_give_up(&admin->serve);
    loop_stop(admin->loop);
}

static void on_stop(void *arg)
{
    struct admin *admin = arg;
    admin->stop_began = loop_now(admin->loop);
    http1_server_drain(admin->http);
    watch_end_all(admin->serve.watches);
    loop_timer_set_ms(admin->stop_step, STOP_STEP_MS);
}

static void *run(void *arg)
{
    struct admin *admin = arg;
    loop_run(admin->loop);
    return NULL;
}

// --- making

struct wanted_listener {
    const char *key; // of the configuration, for the message
    struct http1_listen_options options;
};

static enum err bind_one(struct admin *admin, const struct wanted_listener *wanted,
                         char ret_text[ADMIN_TEXT_LEN], struct http1_listener **ret_listener)
{
    enum err err = http1_server_listen(admin->http, &wanted->options, ret_listener);
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

static enum err bind_main(struct admin *admin, char ret_text[ADMIN_TEXT_LEN])
{
    struct wanted_listener wanted = {.key = "admin.listen", .options = {.tls = admin->secrets.tls}};
    if (!is_set(admin->options.plain.listen)) {
        return ERR_OK;
    }
    enum err err = address_parse(span_str(admin->options.plain.listen), &wanted.options.address);
    if (err != ERR_OK) {
        return err;
    }
    address_format_ip(&wanted.options.address, admin->listen_ip);
    return bind_one(admin, &wanted, ret_text, &admin->main_listener);
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
    struct http1_listener *listener = NULL;
    if (!is_set(admin->options.plain.unix_path)) {
        return ERR_OK;
    }
    enum err err = address_unix(span_str(admin->options.plain.unix_path), &wanted.options.address);
    return err == ERR_OK ? bind_one(admin, &wanted, ret_text, &listener) : err;
}

static enum err bind_all(struct admin *admin, char ret_text[ADMIN_TEXT_LEN])
{
    // The unix socket first: a path in use then leaves no port bound.
    enum err err = bind_unix(admin, ret_text);
    if (err == ERR_OK) {
        err = bind_main(admin, ret_text);
    }
    if (err == ERR_OK) {
        err = bind_probe(admin, ret_text);
    }
    return err;
}

static void set_rules(struct admin *admin, const struct backend *backend)
{
    const struct admin_options *options = &admin->options.plain;
    admin->serve.loop = admin->loop;
    admin->serve.http = admin->http;
    admin->serve.api = (struct api){
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
        .scratch = admin->scratch,
        .job_done = serve_job_done,
        .job_arg = &admin->serve,
    };
}

static enum err make_parts(struct admin *admin)
{
    const struct http1_server_options http = {
        .handler = serve_request, .answered = serve_answered, .arg = &admin->serve};
    admin->scratch = calloc(1, sizeof(*admin->scratch));
    enum err err = admin->scratch == NULL ? ERR_NOMEM : loop_new(&admin->loop);
    if (err == ERR_OK) {
        err = http1_server_new(admin->loop, &http, &admin->http);
    }
    if (err == ERR_OK) {
        err = watch_set_new(admin->loop, &admin->serve.api, &admin->serve.watches);
    }
    if (err == ERR_OK) {
        err = loop_timer_new(admin->loop, on_stop_step, admin, &admin->stop_step);
    }
    return err;
}

static enum err build(struct admin *admin, const struct backend *backend,
                      char ret_text[ADMIN_TEXT_LEN])
{
    enum err err = server_secrets_load(&admin->options.plain, ret_text, &admin->secrets);
    if (err != ERR_OK) {
        return err;
    }
    err = make_parts(admin);
    if (err != ERR_OK) {
        (void)snprintf(ret_text, ADMIN_TEXT_LEN, "admin: %s", err_text(err));
        return err;
    }
    err = bind_all(admin, ret_text);
    if (err == ERR_OK) {
        set_rules(admin, backend);
        use_secrets(admin);
    }
    return err;
}

enum err admin_new(const struct admin_options *options, const struct backend *backend,
                   char ret_text[ADMIN_TEXT_LEN], struct admin **ret_admin)
{
    struct admin *admin = NULL;
    struct server_options copy;
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
    loop_task_init(&admin->wake, on_wake, admin);
    loop_task_init(&admin->reload, on_reload, admin);
    loop_task_init(&admin->stop, on_stop, admin);
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
    ASSERT(!admin->started);
    http1_server_free(admin->http);
    if (admin->loop != NULL) {
        // The ends of writes that came after the loop had stopped, and the streams that were cut.
        loop_run_once(admin->loop, 0);
    }
    loop_timer_free(admin->stop_step);
    watch_set_free(admin->serve.watches);
    loop_free(admin->loop);
    free(admin->scratch);
    struct server_secrets *incoming =
        atomic_exchange_explicit(&admin->incoming, NULL, memory_order_acquire);
    if (incoming != NULL) {
        server_secrets_fini(incoming);
        free(incoming);
    }
    server_secrets_fini(&admin->secrets);
    server_options_fini(&admin->options);
    free(admin);
}

enum err admin_start(struct admin *admin)
{
    ASSERT(!admin->started);
    if (pthread_create(&admin->thread, NULL, run, admin) != 0) {
        return ERR_IO;
    }
    admin->started = true;
    return ERR_OK;
}

void admin_stop(struct admin *admin)
{
    if (!admin->started) {
        return;
    }
    (void)loop_post_task(admin->loop, &admin->stop);
    (void)pthread_join(admin->thread, NULL);
    admin->started = false;
}

enum err admin_reload(struct admin *admin, char ret_text[ADMIN_TEXT_LEN])
{
    struct server_secrets *fresh = calloc(1, sizeof(*fresh));
    if (fresh == NULL) {
        (void)snprintf(ret_text, ADMIN_TEXT_LEN, "admin: %s", err_text(ERR_NOMEM));
        return ERR_NOMEM;
    }
    // The files are read here, so that whoever asked hears what is wrong with them.
    enum err err = server_secrets_load(&admin->options.plain, ret_text, fresh);
    if (err != ERR_OK) {
        free(fresh);
        return err;
    }
    // Release: pairs with the acquire in on_reload, which must see the secrets whole.
    struct server_secrets *late =
        atomic_exchange_explicit(&admin->incoming, fresh, memory_order_acq_rel);
    if (late != NULL) {
        server_secrets_fini(late);
        free(late);
    }
    (void)loop_post_task(admin->loop, &admin->reload);
    return ERR_OK;
}

void admin_wake(void *arg)
{
    struct admin *admin = arg;
    (void)loop_post_task(admin->loop, &admin->wake);
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
