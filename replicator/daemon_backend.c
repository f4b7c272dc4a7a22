// SPDX-License-Identifier: Apache-2.0
// What the admin API is given: answers out of the board, writes into the queue.  All of it is called from
// other threads than the loop's; none of it waits for the loop.
#include "base/clock.h"
#include "replicator/board.h"
#include "replicator/config.h"
#include "replicator/daemon_state.h"
#include "replicator/daemon_writes.h"
#include "replicator/memory_stage.h"
#include "replicator/seed.h"

#include <inttypes.h>
#include <stdio.h>

#define LOOP_PATIENCE_MS 5000

static bool backend_live(void *arg)
{
    const struct daemon *daemon = arg;
    struct mono last = board_last_tick(daemon->board);
    return mono_ms_between(last, clock_mono()) < LOOP_PATIENCE_MS;
}

static bool backend_ready(void *arg)
{
    const struct daemon *daemon = arg;
    return board_ready(daemon->board);
}

// --- conditions, each a line of /readyz?verbose

typedef bool (*condition_fn)(const struct daemon *daemon, const struct board_view *view,
                             char *ret_detail, size_t cap);

static bool is_replayed(const struct daemon *daemon, const struct board_view *view,
                        char *ret_detail, size_t cap)
{
    (void)daemon;
    (void)snprintf(ret_detail, cap, "the map has not been read from the stream yet");
    return view->ready && !view->stale_start;
}

static bool is_not_stale_start(const struct daemon *daemon, const struct board_view *view,
                               char *ret_detail, size_t cap)
{
    (void)snprintf(ret_detail, cap,
                   "no server answered for stream.start_without (%" PRIu32
                   " ms): only what is known here is served",
                   daemon->config->stream_start_without_ms);
    return !view->stale_start;
}

static bool is_connected(const struct daemon *daemon, const struct board_view *view,
                         char *ret_detail, size_t cap)
{
    (void)daemon;
    (void)snprintf(ret_detail, cap, "%s: not connected%s%s", view->backend,
                   view->last_error[0] != '\0' ? ": " : "", view->last_error);
    return view->connected;
}

static bool is_safe_from_eviction(const struct daemon *daemon, const struct board_view *view,
                                  char *ret_detail, size_t cap)
{
    (void)daemon;
    (void)snprintf(ret_detail, cap,
                   "the server may evict keys, nothing is published: set its maxmemory-policy to "
                   "noeviction, or stream.allow_eviction");
    return !view->publishing_refused;
}

static bool is_not_fenced(const struct daemon *daemon, const struct board_view *view,
                          char *ret_detail, size_t cap)
{
    (void)snprintf(ret_detail, cap,
                   "another node joined as %.60s (incarnation %" PRIu64
                   "): set node.id to a name of its own on one of them",
                   daemon->config->node_id, view->fenced_by);
    return view->fenced_by == 0;
}

static bool is_configured(const struct daemon *daemon, const struct board_view *view,
                          char *ret_detail, size_t cap)
{
    (void)daemon;
    (void)snprintf(ret_detail, cap, "%s", view->misconfigured);
    return view->misconfigured[0] == '\0';
}

static bool is_digest_equal(const struct daemon *daemon, const struct board_view *view,
                            char *ret_detail, size_t cap)
{
    (void)daemon;
    (void)snprintf(ret_detail, cap, "a partition differs from the stream also after a resync");
    return view->state != CORE_STATE_DIVERGED;
}

static size_t backend_conditions(void *arg, struct backend_condition *ret, size_t cap)
{
    static const struct {
        const char *name;
        condition_fn holds;
    } rows[] = {
        {"map-replayed", is_replayed}, {"stale-start", is_not_stale_start},
        {"stream", is_connected},      {"eviction-policy", is_safe_from_eviction},
        {"fenced", is_not_fenced},     {"misconfigured", is_configured},
        {"digest", is_digest_equal},
    };
    const struct daemon *daemon = arg;
    const size_t count = sizeof(rows) / sizeof(rows[0]);
    struct board_view view;
    board_get_view(daemon->board, &view);
    for (size_t i = 0; i < count && i < cap; i++) {
        ret[i].name = rows[i].name;
        ret[i].ok = rows[i].holds(daemon, &view, ret[i].detail, sizeof(ret[i].detail));
    }
    return count;
}

// --- rows

static size_t backend_nodes(void *arg, struct backend_node *ret, size_t cap)
{
    const struct daemon *daemon = arg;
    return board_nodes(daemon->board, ret, cap);
}

static size_t backend_partitions(void *arg, struct backend_partition *ret, size_t cap)
{
    const struct daemon *daemon = arg;
    return board_partitions(daemon->board, ret, cap);
}

static size_t backend_rejects(void *arg, struct backend_reject *ret, size_t cap)
{
    const struct daemon *daemon = arg;
    return board_rejects(daemon->board, ret, cap);
}

static uint64_t backend_pending(void *arg)
{
    const struct daemon *daemon = arg;
    return board_pending(daemon->board);
}

static bool backend_is_node(void *arg, struct span name)
{
    const struct daemon *daemon = arg;
    return board_is_node(daemon->board, name);
}

static bool backend_has_service(void *arg, struct span service_key)
{
    const struct daemon *daemon = arg;
    return seed_has(daemon->seed, service_key);
}

static void backend_want(void *arg, struct span service_key)
{
    memory_stage_want(arg, service_key);
}

static struct wall backend_wall_now(void *arg)
{
    (void)arg;
    return clock_wall();
}

void daemon_backend_init(struct daemon *daemon)
{
    daemon->backend = (struct backend){
        .daemon = daemon,
        .map = daemon->map,
        .node_id = daemon->config->node_id,
        .version = MESHPULSE_VERSION,
        .submit = daemon_writes_submit,
        .slow_ms = daemon_writes_slow_ms,
        .live = backend_live,
        .ready = backend_ready,
        .conditions = backend_conditions,
        .nodes = backend_nodes,
        .partitions = backend_partitions,
        .rejects = backend_rejects,
        .pending = backend_pending,
        .is_node = backend_is_node,
        .has_service = backend_has_service,
        .want = backend_want,
        .wall_now = backend_wall_now,
    };
}
