// SPDX-License-Identifier: Apache-2.0
#include "replicator/demo/demo.h"

#include "admin-api/ctl/ctl.h"
#include "base/http_client.h"
#include "base/loop.h"
#include "base/text.h"
#include "replicator/demo/backends.h"
#include "replicator/demo/fleet.h"
#include "replicator/demo/own_redis.h"
#include "replicator/demo/screen.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICK_MS 20
#define DRAW_MS 250
#define POLL_MS 500
#define POLL_SETTLING_MS 100
#define START_MAX_MS 30000
#define SETTLE_MAX_MS 10000
#define STOP_GRACE_MS 3000
// The last flip comes so long before the end that it can be seen within the duration.
#define LAST_FLIP_MS 3000
#define NODES_DEFAULT 3
#define SEED_DEFAULT 1

enum demo_state { DEMO_STARTING, DEMO_RUNNING, DEMO_SETTLING, DEMO_ENDED };

struct demo {
    enum demo_state state;
    int64_t duration_ms; // 0: until Ctrl-C
    struct loop *loop;
    struct mono begun;
    struct loop_timer *tick;
    struct http_client *http;
    struct place place;
    struct own_redis redis;
    char redis_path[PLACE_PATH_MAX + 32];
    struct backends *backends;
    struct fleet *fleet;
    struct view view;
    struct score score;
    struct story story;
    struct story_flip next;
    struct screen screen;
    int64_t origin_ms;   // when the schedule began
    int64_t deadline_ms; // of STARTING and SETTLING
    int64_t draw_ms, poll_ms;
    bool redis_seen;
    bool converged;
    bool failed;
};

static int64_t now_ms(const struct demo *demo)
{
    return mono_ms_between(demo->begun, loop_now(demo->loop));
}

static void end(struct demo *demo)
{
    demo->state = DEMO_ENDED;
    if (demo->loop != NULL) {
        loop_stop(demo->loop);
    }
}

static void fail(struct demo *demo, const char *text)
{
    if (demo->state != DEMO_ENDED) {
        screen_note(&demo->screen, "demo: %s", text);
    }
    demo->failed = true;
    end(demo);
}

// --- the story

static void settle(struct demo *demo)
{
    demo->state = DEMO_SETTLING;
    demo->deadline_ms = now_ms(demo) + SETTLE_MAX_MS;
    fleet_forget_digests(demo->fleet);
}

static void flip(struct demo *demo)
{
    struct story_flip flip = demo->next;
    struct view_backend *backend = &demo->view.backends[flip.backend];
    if (backends_set(demo->backends, flip.backend, flip.mode) != ERR_OK) {
        fail(demo, "a backend cannot listen on its port any more");
        return;
    }
    backend->mode = flip.mode;
    backend->flipped_ms = demo->view.now_ms;
    backend->first_ms = 0;
    score_flip(&demo->score, flip.backend, flip.mode == STORY_HEALTHY, now_ms(demo));
    demo->view.flips = demo->score.flips;
    demo->next = story_next(&demo->story);
}

static void start_running(struct demo *demo)
{
    demo->state = DEMO_RUNNING;
    demo->origin_ms = now_ms(demo);
    demo->next = story_next(&demo->story);
    screen_note(&demo->screen, "every node sees every backend; seed %" PRIu64, demo->view.seed);
}

static bool all_up(const struct demo *demo)
{
    for (size_t i = 0; i < demo->view.node_count; i++) {
        if (!demo->view.nodes[i].up) {
            return false;
        }
    }
    return true;
}

static void advance_starting(struct demo *demo)
{
    demo->redis_seen = demo->redis_seen || own_redis_answers(&demo->redis);
    if (demo->redis_seen) {
        fleet_tick(demo->fleet, now_ms(demo));
    }
    if (all_up(demo) && score_agrees(&demo->score)) {
        start_running(demo);
    } else if (now_ms(demo) > demo->deadline_ms) {
        fail(demo, "the nodes did not see all backends healthy within 30 s");
    }
}

static void advance_running(struct demo *demo)
{
    demo->view.now_ms = now_ms(demo) - demo->origin_ms;
    int64_t last_ms = demo->duration_ms - LAST_FLIP_MS;
    // A short demo still has its first flip.
    last_ms = last_ms < demo->duration_ms / 2 ? demo->duration_ms / 2 : last_ms;
    bool may_flip = demo->duration_ms == 0 || demo->next.at_ms <= last_ms;
    if (may_flip && demo->next.at_ms <= demo->view.now_ms) {
        flip(demo);
    }
    fleet_tick(demo->fleet, now_ms(demo));
    if (demo->duration_ms != 0 && demo->view.now_ms >= demo->duration_ms) {
        settle(demo);
    }
}

static void advance_settling(struct demo *demo)
{
    demo->view.now_ms = now_ms(demo) - demo->origin_ms;
    fleet_tick(demo->fleet, now_ms(demo));
    demo->converged =
        all_up(demo) && score_agrees(&demo->score) && fleet_digests_agree(demo->fleet);
    if (demo->converged || now_ms(demo) > demo->deadline_ms) {
        end(demo);
    }
}

static void advance(struct demo *demo)
{
    switch (demo->state) {
    case DEMO_STARTING:
        advance_starting(demo);
        break;
    case DEMO_RUNNING:
        advance_running(demo);
        break;
    case DEMO_SETTLING:
        advance_settling(demo);
        break;
    case DEMO_ENDED:
        break;
    }
}

static void on_tick(void *arg)
{
    struct demo *demo = arg;
    int64_t now = now_ms(demo);
    loop_timer_set_ms(demo->tick, TICK_MS);
    advance(demo);
    if (now >= demo->poll_ms) {
        fleet_poll(demo->fleet);
        demo->poll_ms = now + (demo->state == DEMO_SETTLING ? POLL_SETTLING_MS : POLL_MS);
    }
    if (now >= demo->draw_ms) {
        screen_draw(&demo->screen, &demo->view);
        demo->draw_ms = now + DRAW_MS;
    }
    if (ferror(stdout)) { // nobody reads any more
        demo->failed = true;
        end(demo);
    }
}

// --- what the nodes say

// HEALTHY, or what stands for bad; the words in between (a minority saw it) decide nothing yet.
static void on_shown(void *arg, size_t node, size_t backend)
{
    struct demo *demo = arg;
    struct view_backend *view = &demo->view.backends[backend];
    const char *status = view->seen[node].status;
    bool healthy = strcmp(status, "HEALTHY") == 0;
    bool decided = healthy || strcmp(status, "UNHEALTHY") == 0 || strcmp(status, "TIMEOUT") == 0;
    if (decided) {
        score_shown(&demo->score, (struct score_sight){node, backend, healthy, now_ms(demo)});
    }
    if (decided && healthy == (view->mode == STORY_HEALTHY)) {
        view->last_ms = now_ms(demo);
        view->first_ms = view->first_ms != 0 ? view->first_ms : view->last_ms;
    }
    if (demo->state != DEMO_STARTING && demo->view.nodes[node].up) {
        demo->view.now_ms = now_ms(demo) - demo->origin_ms;
        screen_change(&demo->screen, &demo->view, backend, node);
    }
}

static void on_node(void *arg, size_t node, bool up)
{
    struct demo *demo = arg;
    const struct view_node *view = &demo->view.nodes[node];
    score_node(&demo->score, node, up);
    if (up && demo->screen.form != SCREEN_TABLE) {
        screen_note(&demo->screen, "node %s answers at %s", view->id, view->url);
    }
    // What it has shown since it is back counts from here.
    for (size_t i = 0; up && i < STORY_BACKENDS; i++) {
        if (demo->view.backends[i].seen[node].status[0] != '\0') {
            on_shown(demo, node, i);
        }
    }
}

static void on_note(void *arg, const char *text)
{
    struct demo *demo = arg;
    screen_note(&demo->screen, "%s", text);
}

static void on_fatal(void *arg, const char *text)
{
    fail(arg, text);
}

// --- signals

static void on_child(void *arg, int signal)
{
    (void)signal;
    struct demo *demo = arg;
    int status;
    fleet_reap(demo->fleet, now_ms(demo));
    if (demo->state == DEMO_ENDED || !process_reap(&demo->redis.process, &status)) {
        return;
    }
    char how[64];
    process_describe(status, how, sizeof(how));
    if (!demo->redis_seen) {
        place_print_tail(&demo->place, "redis.log");
        fail(demo, "Redis did not start");
        return;
    }
    screen_note(&demo->screen, "Redis %s; starting it again, empty", how);
    if (own_redis_start(&demo->redis) != ERR_OK) {
        fail(demo, "Redis cannot be started again");
    }
}

static void on_interrupt(void *arg, int signal)
{
    (void)signal;
    struct demo *demo = arg;
    if (demo->state == DEMO_RUNNING) {
        screen_note(&demo->screen, "ending when the nodes agree; Ctrl-C again ends at once");
        settle(demo);
    } else {
        end(demo);
    }
}

static void on_hangup(void *arg, int signal)
{
    (void)signal;
    end(arg);
}

// --- making it, and taking it apart

static enum err start_loop(struct demo *demo)
{
    enum err err = loop_new(&demo->loop);
    if (err != ERR_OK) {
        return err;
    }
    demo->begun = loop_now(demo->loop);
    static const struct {
        int signal;
        loop_signal_fn fn;
    } rows[] = {
        {SIGCHLD, on_child}, {SIGINT, on_interrupt}, {SIGTERM, on_interrupt}, {SIGHUP, on_hangup}};
    for (size_t i = 0; err == ERR_OK && i < sizeof(rows) / sizeof(rows[0]); i++) {
        err = loop_signal(demo->loop, rows[i].signal, rows[i].fn, demo);
    }
    if (err == ERR_OK) {
        err = http_client_new(demo->loop, &demo->http);
    }
    return err != ERR_OK ? err : loop_timer_new(demo->loop, on_tick, demo, &demo->tick);
}

static enum err start_backends(struct demo *demo)
{
    static const char *const names[STORY_SERVICES] = {"order", "pay"};
    enum err err = backends_new(demo->loop, &demo->backends);
    for (size_t i = 0; err == ERR_OK && i < STORY_BACKENDS; i++) {
        struct view_backend *backend = &demo->view.backends[i];
        backend->service = names[story_service(i)];
        backend->port = backends_port(demo->backends, i);
        (void)snprintf(backend->instance, sizeof(backend->instance), "%s-%zu", backend->service,
                       i % STORY_PER_SERVICE + 1);
    }
    return err;
}

static enum err start_redis(struct demo *demo)
{
    enum err err = own_redis_find(&demo->redis, &demo->place);
    if (err != ERR_OK) {
        fail(demo,
             "there is no redis-server: neither build/redis-server nor in PATH; run tools/deps.sh");
        return err;
    }
    own_redis_socket(&demo->redis, demo->redis_path, sizeof(demo->redis_path));
    return own_redis_start(&demo->redis);
}

static enum err start_fleet(struct demo *demo)
{
    struct fleet_options options = {
        .loop = demo->loop,
        .http = demo->http,
        .place = &demo->place,
        .view = &demo->view,
        .redis_path = demo->redis_path,
        .on_shown = on_shown,
        .on_node = on_node,
        .on_note = on_note,
        .on_fatal = on_fatal,
        .arg = demo,
    };
    return fleet_new(&options, &demo->fleet);
}

// Everything but the place, which stands already.
static enum err start_all(struct demo *demo)
{
    enum err (*const steps[])(struct demo *) = {start_loop, start_backends, start_fleet,
                                                start_redis};
    enum err err = ERR_OK;
    for (size_t i = 0; err == ERR_OK && i < sizeof(steps) / sizeof(steps[0]); i++) {
        err = steps[i](demo);
    }
    if (err != ERR_OK && !demo->failed) {
        fail(demo, err_text(err));
    }
    return err;
}

static void stop_all(struct demo *demo)
{
    struct process *processes[SCORE_NODES_MAX + 1];
    size_t count = 0;
    processes[count++] = &demo->redis.process;
    for (size_t i = 0; demo->fleet != NULL && i < demo->view.node_count; i++) {
        processes[count++] = fleet_process(demo->fleet, i);
    }
    // The nodes first, so that their last words do not complain of a server that went away.
    process_stop_all(processes + 1, count - 1, STOP_GRACE_MS);
    process_stop_all(processes, 1, STOP_GRACE_MS);
    fleet_free(demo->fleet);
    backends_free(demo->backends);
    http_client_free(demo->http);
    loop_timer_free(demo->tick);
    loop_free(demo->loop);
}

static int run(struct demo *demo)
{
    if (start_all(demo) == ERR_OK) {
        demo->deadline_ms = now_ms(demo) + START_MAX_MS;
        loop_timer_set_ms(demo->tick, 0);
        loop_run(demo->loop);
        screen_draw(&demo->screen, &demo->view);
    }
    stop_all(demo);
    bool complete = score_complete(&demo->score);
    if (!complete) {
        screen_note(&demo->screen, "not every flip was seen by every node");
    }
    if (!demo->failed) {
        screen_result(&demo->screen, &demo->score, demo->converged);
    }
    return demo->converged && complete && !demo->failed ? CTL_OK : CTL_FAILED;
}

// --- the command line

static int read_number(const struct arguments *arguments, enum option_id id, uint64_t max,
                       uint64_t *ret_value)
{
    const char *text = arguments_value(arguments, id);
    if (text != NULL && text_u64_in(span_str(text), 1, max, ret_value) != ERR_OK) {
        return ctl_usage_error(arguments->command, "--%s: \"%s\"; allowed: 1 to %" PRIu64,
                               option_table[id].name, text, max);
    }
    return CTL_OK;
}

static int read_arguments(struct demo *demo, const struct arguments *arguments)
{
    uint64_t nodes = NODES_DEFAULT, seed = SEED_DEFAULT, duration = 0;
    const char *text = arguments_value(arguments, OPTION_DURATION);
    const char *form = arguments_value(arguments, OPTION_FORM);
    int exit = read_number(arguments, OPTION_NODES, SCORE_NODES_MAX, &nodes);
    if (exit == CTL_OK) {
        exit = read_number(arguments, OPTION_SEED, UINT64_MAX, &seed);
    }
    if (exit != CTL_OK) {
        return exit;
    }
    if (text != NULL && (text_duration(span_str(text), &duration) != ERR_OK || duration < 1000)) {
        return ctl_usage_error(arguments->command,
                               "--duration: \"%s\"; allowed: 1s or more, as 20s, 5m", text);
    }
    demo->duration_ms = (int64_t)duration;
    demo->view.seed = seed;
    demo->view.node_count = (size_t)nodes;
    score_init(&demo->score, (size_t)nodes);
    story_init(&demo->story, seed);
    screen_init(&demo->screen, form != NULL && strcmp(form, "json") == 0, (size_t)nodes);
    return CTL_OK;
}

int demo_run(const struct arguments *arguments)
{
    struct demo *demo = calloc(1, sizeof(*demo));
    if (demo == NULL) {
        fputs("meshpulse: demo: out of memory\n", stderr);
        return CTL_FAILED;
    }
    int exit = read_arguments(demo, arguments);
    if (exit == CTL_OK) {
        enum err err = place_new(&demo->place);
        if (err == ERR_OK) {
            exit = run(demo);
            place_remove(&demo->place);
        } else {
            fprintf(stderr, "meshpulse: demo: no folder below $TMPDIR: %s\n", err_text(err));
            exit = CTL_FAILED;
        }
    }
    free(demo);
    return exit;
}
