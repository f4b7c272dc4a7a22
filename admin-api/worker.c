// SPDX-License-Identifier: Apache-2.0
#include "admin-api/worker.h"

#include "admin-api/secrets.h"
#include "admin-api/watch.h"
#include "base/http1_server.h"
#include "localmap/map.h"

#include <stdio.h>
#include <stdlib.h>

#define STOP_GIVE_UP_MS 2000 // then writes that still wait are answered 503
#define STOP_MS 3000         // then connections are cut
#define STOP_STEP_MS 20

static void on_wake(void *arg)
{
    struct worker *worker = arg;
    watch_wake(worker->serve.watches);
}

// Relaxed, all three: it tells that the thread runs and orders nothing; that the mailbox hands the question
// over makes sure that the answer comes after it.
static void on_ask(void *arg)
{
    struct worker *worker = arg;
    atomic_store_explicit(&worker->answered, true, memory_order_relaxed);
}

void worker_ask(struct worker *worker)
{
    atomic_store_explicit(&worker->answered, false, memory_order_relaxed);
    (void)loop_post_task(worker->loop, &worker->ask);
}

bool worker_answered(const struct worker *worker)
{
    return atomic_load_explicit(&worker->answered, memory_order_relaxed);
}

// --- secrets

static void take_secrets(struct worker *worker)
{
    // acquire: pairs with the release in worker_give; the secrets must be seen whole.
    struct secrets *incoming =
        atomic_exchange_explicit(&worker->incoming, NULL, memory_order_acquire);
    if (incoming == NULL) {
        return;
    }
    struct secrets *old = worker->secrets;
    worker->secrets = incoming;
    worker->serve.api.auth.tokens = incoming->tokens;
    if (worker->main_listener != NULL && incoming->tls != NULL) {
        http1_listener_set_tls(worker->main_listener, incoming->tls);
    }
    secrets_drop(old);
}

static void on_renew(void *arg)
{
    take_secrets(arg);
}

void worker_give(struct worker *worker, struct secrets *secrets)
{
    // acq_rel: releases the secrets to take_secrets, and acquires those that it never took.
    struct secrets *late =
        atomic_exchange_explicit(&worker->incoming, secrets_keep(secrets), memory_order_acq_rel);
    secrets_drop(late);
    (void)loop_post_task(worker->loop, &worker->renew);
}

// --- the end

static void on_stop_step(void *arg)
{
    struct worker *worker = arg;
    int64_t waited_ms = mono_ms_between(worker->stop_began, loop_now(worker->loop));
    if (waited_ms >= STOP_GIVE_UP_MS) {
        serve_give_up(&worker->serve);
    }
    if (waited_ms < STOP_MS && http1_server_connections(worker->http) > 0) {
        loop_timer_set_ms(worker->stop_step, STOP_STEP_MS);
        return;
    }
    serve_give_up(&worker->serve);
    loop_stop(worker->loop);
}

static void on_stop(void *arg)
{
    struct worker *worker = arg;
    worker->stop_began = loop_now(worker->loop);
    http1_server_drain(worker->http);
    // Only now: what this one has handed to them stands in their mailboxes before the stop.
    for (size_t i = 0; i < worker->follower_count; i++) {
        worker_stop(&worker->followers[i]);
    }
    watch_end_all(worker->serve.watches);
    loop_timer_set_ms(worker->stop_step, STOP_STEP_MS);
}

void worker_stop(struct worker *worker)
{
    (void)loop_post_task(worker->loop, &worker->stop);
}

void worker_wake(struct worker *worker)
{
    // To wake a thread costs whoever writes more than all else of a change.
    if (watch_set_is_followed(worker->serve.watches)) {
        (void)loop_post_task(worker->loop, &worker->wake);
    }
}

// --- life

enum err worker_init(struct worker *worker, const struct api *rules)
{
    const struct http1_server_options http = {
        .handler = serve_request, .answered = serve_answered, .arg = &worker->serve};
    loop_task_init(&worker->wake, on_wake, worker);
    loop_task_init(&worker->renew, on_renew, worker);
    loop_task_init(&worker->stop, on_stop, worker);
    loop_task_init(&worker->ask, on_ask, worker);
    worker->scratch = calloc(1, sizeof(*worker->scratch));
    enum err err = worker->scratch == NULL ? ERR_NOMEM : loop_new(&worker->loop);
    if (err == ERR_OK) {
        err = http1_server_new(worker->loop, &http, &worker->http);
    }
    if (err == ERR_OK) {
        err = watch_set_new(worker->loop, &worker->serve.api, &worker->serve.watches);
    }
    if (err == ERR_OK) {
        err = loop_timer_new(worker->loop, on_stop_step, worker, &worker->stop_step);
    }
    worker->serve.loop = worker->loop;
    worker->serve.api = *rules;
    worker->serve.api.scratch = worker->scratch;
    worker->serve.api.job_done = serve_job_done;
    worker->serve.api.job_arg = &worker->serve;
    return err;
}

void worker_fini(struct worker *worker)
{
    ASSERT(!worker->started);
    http1_server_free(worker->http);
    worker->main_listener = NULL; // a renewal may still be queued
    if (worker->loop != NULL) {
        // The ends of writes that came after the loop had stopped, and the streams that were cut.
        loop_run_once(worker->loop, 0);
    }
    loop_timer_free(worker->stop_step);
    watch_set_free(worker->serve.watches);
    loop_free(worker->loop);
    free(worker->scratch);
    secrets_drop(atomic_exchange_explicit(&worker->incoming, NULL, memory_order_acquire));
    secrets_drop(worker->secrets);
}

static void *run(void *arg)
{
    struct worker *worker = arg;
    loop_run(worker->loop);
    return NULL;
}

enum err worker_start(struct worker *worker, unsigned number)
{
    char name[32];
    const struct map *map = worker->serve.api.backend->map;
    ASSERT(!worker->started);
    take_secrets(worker);
    (void)snprintf(name, sizeof(name), "admin worker %u", number);
    worker->map_user = MAP_USER_OPEN(map, name);
    if (pthread_create(&worker->thread, NULL, run, worker) != 0) {
        map_user_close(map, worker->map_user);
        return ERR_IO;
    }
    worker->started = true;
    return ERR_OK;
}

void worker_join(struct worker *worker)
{
    if (worker->started) {
        (void)pthread_join(worker->thread, NULL);
        map_user_close(worker->serve.api.backend->map, worker->map_user);
        worker->started = false;
    }
}
