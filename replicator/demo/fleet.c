// SPDX-License-Identifier: Apache-2.0
#include "replicator/demo/fleet.h"

#include "admin-api/ctl/answer.h"
#include "base/buf.h"
#include "base/http_client.h"
#include "base/json.h"
#include "replicator/demo/follow.h"
#include "replicator/demo/port.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RESTART_MS 200
#define DEATHS_MAX 5
#define DEATHS_WITHIN_MS 10000
#define POLL_TIMEOUT_MS 1000
#define CONFIG_MAX 8192
#define DIGEST_MAX 64

struct fleet_node {
    struct fleet *fleet;
    size_t index;
    struct process process;
    int64_t start_ms;           // when to start it; -1: it runs
    int64_t deaths[DEATHS_MAX]; // times of the last ends, a ring
    size_t death_count;
    struct address address;
    struct follow *follow;
    struct http_client_call *call;
    char digest[DIGEST_MAX]; // "" = not known
    bool pending;
};

struct fleet {
    struct fleet_options options;
    struct fleet_node nodes[SCORE_NODES_MAX];
};

static const char *const services[STORY_SERVICES] = {"order", "pay"};

static struct view_node *view_of(const struct fleet_node *node)
{
    return &node->fleet->options.view->nodes[node->index];
}

// --- what the node shows

static void copy_word(struct span word, char ret_word[VIEW_WORD_MAX + 1])
{
    size_t len = word.len < VIEW_WORD_MAX ? word.len : VIEW_WORD_MAX;
    memcpy(ret_word, len > 0 ? word.ptr : "", len);
    ret_word[len] = '\0';
}

static void on_instance(void *arg, const struct follow_instance *instance)
{
    const struct fleet_node *node = arg;
    const struct fleet_options *options = &node->fleet->options;
    for (size_t i = 0; i < STORY_BACKENDS; i++) {
        struct view_backend *backend = &options->view->backends[i];
        if (!span_eq_str(instance->service, backend->service) ||
            !span_eq_str(instance->id, backend->instance)) {
            continue;
        }
        struct view_seen *seen = &backend->seen[node->index];
        bool same = span_eq_str(instance->status, seen->status);
        copy_word(instance->status, seen->status);
        copy_word(instance->reason, seen->reason);
        if (!same) {
            options->on_shown(options->arg, node->index, i);
        }
    }
}

static void on_up(void *arg, bool up)
{
    const struct fleet_node *node = arg;
    const struct fleet_options *options = &node->fleet->options;
    view_of(node)->up = up;
    // What it showed before it went away says nothing about what it shows when it is back.
    for (size_t i = 0; !up && i < STORY_BACKENDS; i++) {
        memset(&options->view->backends[i].seen[node->index], 0, sizeof(struct view_seen));
    }
    options->on_node(options->arg, node->index, up);
}

// --- its process

static void write_instances(const struct view *view, size_t service, struct buf *out)
{
    for (size_t i = 0; i < STORY_BACKENDS; i++) {
        const struct view_backend *backend = &view->backends[i];
        if (story_service(i) == service) {
            buf_printf(out, "      - {id: %s, address: 127.0.0.1, port: %u}\n", backend->instance,
                       backend->port);
        }
    }
}

static void write_services(const struct view *view, struct buf *out)
{
    buf_str(out, "services:\n");
    for (size_t service = 0; service < STORY_SERVICES; service++) {
        buf_printf(out,
                   "  - name: %s\n    observers: 3\n"
                   "    check: {type: http, path: /healthz, interval: 500ms, timeout: 400ms, "
                   "rise: 1, fall: 1}\n    instances:\n",
                   services[service]);
        write_instances(view, service, out);
    }
}

// A short lease, so that a node that was killed is missed while one still looks.
static enum err write_config(const struct fleet_node *node, const char *name)
{
    const struct fleet_options *options = &node->fleet->options;
    struct buf out;
    buf_init(&out, CONFIG_MAX);
    buf_printf(&out,
               "config_version: 1\n"
               "node: {id: %s}\n"
               "stream: {url: \"unix://%s\", lease: 3s}\n"
               "admin: {listen: \"127.0.0.1:%u\"}\n",
               view_of(node)->id, options->redis_path, address_port(&node->address));
    write_services(options->view, &out);
    enum err err = out.err != ERR_OK ? out.err : place_write(options->place, name, buf_cstr(&out));
    buf_fini(&out);
    return err;
}

static enum err start(struct fleet_node *node)
{
    const struct place *place = node->fleet->options.place;
    char name[32], config[PLACE_PATH_MAX + 32], log[PLACE_PATH_MAX + 32];
    (void)snprintf(name, sizeof(name), "%s.yaml", view_of(node)->id);
    enum err err = write_config(node, name);
    if (err != ERR_OK) {
        return err;
    }
    place_name(place, name, config, sizeof(config));
    (void)snprintf(name, sizeof(name), "%s.log", view_of(node)->id);
    place_name(place, name, log, sizeof(log));
    char program[] = "meshpulse", command[] = "serve", option[] = "-c";
    char *arguments[] = {program, command, option, config, NULL};
    struct process_options options = {"/proc/self/exe", arguments, log};
    err = process_start(&node->process, &options);
    if (err == ERR_OK) {
        follow_start(node->follow, &node->address);
    }
    return err;
}

static void give_up(const struct fleet_node *node, const char *why)
{
    const struct fleet_options *options = &node->fleet->options;
    char text[160], log[32];
    (void)snprintf(text, sizeof(text), "node %s %s", view_of(node)->id, why);
    (void)snprintf(log, sizeof(log), "%s.log", view_of(node)->id);
    place_print_tail(options->place, log);
    options->on_fatal(options->arg, text);
}

// Did it end so often that starting it again is no help?
static bool is_hopeless(struct fleet_node *node, int64_t now_ms)
{
    int64_t *oldest = &node->deaths[node->death_count % DEATHS_MAX];
    bool hopeless = node->death_count >= DEATHS_MAX && now_ms - *oldest < DEATHS_WITHIN_MS;
    *oldest = now_ms;
    node->death_count++;
    return hopeless;
}

static void ended(struct fleet_node *node, int status, int64_t now_ms)
{
    const struct fleet_options *options = &node->fleet->options;
    char how[64], text[160];
    process_describe(status, how, sizeof(how));
    follow_stop(node->follow);
    node->digest[0] = '\0';
    if (is_hopeless(node, now_ms)) {
        give_up(node, how);
        return;
    }
    (void)snprintf(text, sizeof(text), "node %s %s; starting it again", view_of(node)->id, how);
    options->on_note(options->arg, text);
    view_of(node)->restarts++;
    node->start_ms = now_ms + RESTART_MS;
}

void fleet_tick(struct fleet *fleet, int64_t now_ms)
{
    for (size_t i = 0; i < fleet->options.view->node_count; i++) {
        struct fleet_node *node = &fleet->nodes[i];
        if (node->start_ms < 0 || now_ms < node->start_ms) {
            continue;
        }
        node->start_ms = -1;
        enum err err = start(node);
        if (err != ERR_OK) {
            give_up(node, err_text(err));
        }
    }
}

void fleet_reap(struct fleet *fleet, int64_t now_ms)
{
    for (size_t i = 0; i < fleet->options.view->node_count; i++) {
        int status;
        if (process_reap(&fleet->nodes[i].process, &status)) {
            ended(&fleet->nodes[i], status, now_ms);
        }
    }
}

struct process *fleet_process(struct fleet *fleet, size_t node)
{
    return &fleet->nodes[node].process;
}

// --- its stream, lag and digest

static void ask(struct fleet_node *node, const char *path, http_client_done_fn done)
{
    struct http_client_request request = {
        .address = node->address,
        .path = path,
        .timeout_ms = POLL_TIMEOUT_MS,
        .done = done,
        .arg = node,
    };
    if (http_client_get(node->fleet->options.http, &request, &node->call) != ERR_OK) {
        node->call = NULL; // the next poll asks again
    }
}

// The answer as a tree; NULL when there is none.
static struct json *parse(const struct http_client_result *result)
{
    struct json *root = NULL;
    struct json_error where;
    bool good = result->outcome == HTTP_CLIENT_OK && result->status == 200;
    return good && json_parse(result->body, &root, &where) == ERR_OK ? root : NULL;
}

static void on_digest(void *arg, const struct http_client_result *result)
{
    struct fleet_node *node = arg;
    struct json *root = parse(result);
    struct span digest = answer_text(root, "digest");
    node->call = NULL;
    node->digest[0] = '\0';
    if (digest.len > 0 && digest.len < DIGEST_MAX) {
        memcpy(node->digest, digest.ptr, digest.len);
        node->digest[digest.len] = '\0';
    }
    node->pending = !span_eq_str(answer_text(root, "pending"), "0");
    json_free(root);
}

static void on_nodes(void *arg, const struct http_client_result *result)
{
    struct fleet_node *node = arg;
    struct view_node *view = view_of(node);
    struct json *root = parse(result);
    node->call = NULL;
    const struct json *item = json_first(json_get(root, "items"));
    for (; item != NULL; item = json_next(item)) {
        if (span_eq_str(answer_text(item, "id"), view->id)) {
            copy_word(answer_text(item, "stream"), view->stream);
            view->lag_ms = answer_int(item, "lag_ms", -1);
        }
    }
    json_free(root);
    ask(node, "/v1/digest", on_digest);
}

void fleet_poll(struct fleet *fleet)
{
    for (size_t i = 0; i < fleet->options.view->node_count; i++) {
        struct fleet_node *node = &fleet->nodes[i];
        if (view_of(node)->up && node->call == NULL) {
            ask(node, "/v1/nodes", on_nodes);
        }
    }
}

void fleet_forget_digests(struct fleet *fleet)
{
    for (size_t i = 0; i < SCORE_NODES_MAX; i++) {
        fleet->nodes[i].digest[0] = '\0';
    }
}

bool fleet_digests_agree(const struct fleet *fleet)
{
    const char *first = NULL;
    for (size_t i = 0; i < fleet->options.view->node_count; i++) {
        const struct fleet_node *node = &fleet->nodes[i];
        if (!view_of(node)->up) {
            continue;
        }
        first = first != NULL ? first : node->digest;
        if (node->digest[0] == '\0' || node->pending || strcmp(node->digest, first) != 0) {
            return false;
        }
    }
    return first != NULL;
}

// --- making it

static enum err node_init(struct fleet_node *node, uint16_t *port)
{
    struct follow_options options = {
        .loop = node->fleet->options.loop,
        .http = node->fleet->options.http,
        .services = services,
        .service_count = STORY_SERVICES,
        .on_instance = on_instance,
        .on_up = on_up,
        .arg = node,
    };
    struct view_node *view = view_of(node);
    uint16_t from = *port;
    enum err err = port_find(from, port);
    if (err == ERR_OK) {
        err = address_parse_ip(SPAN_LIT("127.0.0.1"), *port, &node->address);
    }
    if (err != ERR_OK) {
        return err;
    }
    (void)snprintf(view->id, sizeof(view->id), "%c", (char)('a' + (int)node->index));
    (void)snprintf(view->url, sizeof(view->url), "http://127.0.0.1:%u", *port);
    view->lag_ms = -1;
    return follow_new(&options, &node->follow);
}

enum err fleet_new(const struct fleet_options *options, struct fleet **ret_fleet)
{
    struct fleet *fleet = calloc(1, sizeof(*fleet));
    if (fleet == NULL) {
        return ERR_NOMEM;
    }
    fleet->options = *options;
    uint16_t port = (uint16_t)(options->view->backends[STORY_BACKENDS - 1].port + 1);
    for (size_t i = 0; i < options->view->node_count; i++) {
        fleet->nodes[i].fleet = fleet;
        fleet->nodes[i].index = i;
        enum err err = node_init(&fleet->nodes[i], &port);
        if (err != ERR_OK) {
            fleet_free(fleet);
            return err;
        }
        port++;
    }
    for (size_t i = 0; i < STORY_BACKENDS; i++) {
        options->view->backends[i].service = services[story_service(i)];
    }
    *ret_fleet = fleet;
    return ERR_OK;
}

void fleet_free(struct fleet *fleet)
{
    if (fleet == NULL) {
        return;
    }
    for (size_t i = 0; i < SCORE_NODES_MAX; i++) {
        if (fleet->nodes[i].call != NULL) {
            http_client_cancel(fleet->nodes[i].call);
        }
        follow_free(fleet->nodes[i].follow);
    }
    free(fleet);
}
