// SPDX-License-Identifier: Apache-2.0
#include "replicator/board.h"

#include "base/assert.h"
#include "base/text.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct board {
    char node_id[KEY_SERVICE_MAX + 1];
    uint32_t partition_count;
    struct core_node_view *scratch; // of the loop

    // Relaxed stores by the loop, relaxed loads by anybody: each is a fact of its own, nothing is
    // published through them.
    atomic_bool ready;
    _Atomic uint64_t pending;
    _Atomic int64_t ticked_us;

    pthread_mutex_t lock; // guards all below; a leaf
    struct board_view view;
    struct backend_node *nodes;
    size_t node_count;
    struct backend_partition *partitions;
    struct backend_reject rejects[BOARD_REJECTS_MAX];
    size_t reject_count; // ever
};

enum err board_new(const char *node_id, uint32_t partitions, struct board **ret_board)
{
    struct board *board = calloc(1, sizeof(*board));
    if (board == NULL) {
        return ERR_NOMEM;
    }
    (void)snprintf(board->node_id, sizeof(board->node_id), "%s", node_id);
    board->partition_count = partitions;
    board->scratch = calloc(BOARD_NODES_MAX, sizeof(*board->scratch));
    board->nodes = calloc(BOARD_NODES_MAX + 1, sizeof(*board->nodes)); // and the own row
    board->partitions = calloc(partitions, sizeof(*board->partitions));
    if (board->scratch == NULL || board->nodes == NULL || board->partitions == NULL ||
        pthread_mutex_init(&board->lock, NULL) != 0) {
        free(board->scratch);
        free(board->nodes);
        free(board->partitions);
        free(board);
        return ERR_NOMEM;
    }
    *ret_board = board;
    return ERR_OK;
}

void board_free(struct board *board)
{
    if (board == NULL) {
        return;
    }
    (void)pthread_mutex_destroy(&board->lock);
    free(board->scratch);
    free(board->nodes);
    free(board->partitions);
    free(board);
}

// --- publishing

static void lock(struct board *board)
{
    int failed = pthread_mutex_lock(&board->lock);
    ASSERT(failed == 0);
}

static void unlock(struct board *board)
{
    int failed = pthread_mutex_unlock(&board->lock);
    ASSERT(failed == 0);
}

static void copy_span(char *place, size_t cap, struct span text)
{
    size_t len = text.len < cap - 1 ? text.len : cap - 1;
    if (len > 0) {
        memcpy(place, text.ptr, len);
    }
    place[len] = '\0';
}

static const enum node_stream_state node_states[] = {
    [CORE_STATE_CONNECTING] = NODE_STREAM_CONNECTING,
    [CORE_STATE_SNAPSHOT] = NODE_STREAM_SNAPSHOT,
    [CORE_STATE_LIVE] = NODE_STREAM_LIVE,
    [CORE_STATE_STALE] = NODE_STREAM_STALE,
    [CORE_STATE_DIVERGED] = NODE_STREAM_DIVERGED,
    [CORE_STATE_FENCED] = NODE_STREAM_FENCED,
    [CORE_STATE_MISCONFIGURED] = NODE_STREAM_MISCONFIGURED,
};

static const enum partition_state partition_states[] = {
    [CORE_PARTITION_CONNECTING] = PARTITION_CONNECTING,
    [CORE_PARTITION_SNAPSHOT] = PARTITION_SNAPSHOT,
    [CORE_PARTITION_TAIL] = PARTITION_TAIL,
    [CORE_PARTITION_LIVE] = PARTITION_LIVE,
    [CORE_PARTITION_STALE] = PARTITION_STALE,
    [CORE_PARTITION_DIVERGED] = PARTITION_DIVERGED,
};

// The word that a peer's heartbeat gives for its state; one that this version does not know is no news.
static enum node_stream_state node_state(const char *word)
{
    static const struct {
        const char *word;
        enum node_stream_state state;
    } words[] = {{"live", NODE_STREAM_LIVE},
                 {"connecting", NODE_STREAM_CONNECTING},
                 {"snapshot", NODE_STREAM_SNAPSHOT},
                 {"stale", NODE_STREAM_STALE},
                 {"diverged", NODE_STREAM_DIVERGED},
                 {"fenced", NODE_STREAM_FENCED},
                 {"misconfigured", NODE_STREAM_MISCONFIGURED}};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(words[i].word, word) == 0) {
            return words[i].state;
        }
    }
    return NODE_STREAM_CONNECTING;
}

static void format_digest(uint64_t count, uint64_t sum, char ret_text[48])
{
    (void)snprintf(ret_text, 48, "%" PRIu64 "-%012" PRIx64, count, sum);
}

// A heartbeat says "<count>-<hex>" without leading zeros; the interface shows twelve digits.
static void widen_digest(const char *said, char ret_text[48])
{
    uint64_t count = 0;
    uint64_t sum = 0;
    const char *dash = strchr(said, '-');
    size_t digits = dash == NULL ? 0 : strlen(dash + 1);
    if (dash == NULL || digits == 0 || digits > 12 ||
        text_u64(span_of(said, (size_t)(dash - said)), &count) != ERR_OK ||
        text_hex_u64(span_of(dash + 1, digits), (unsigned)digits, &sum) != ERR_OK) {
        ret_text[0] = '\0';
        return;
    }
    format_digest(count, sum, ret_text);
}

static void fill_node(const struct core_node_view *from, struct backend_node *to)
{
    memset(to, 0, sizeof(*to));
    copy_span(to->id, sizeof(to->id), span_str(from->id));
    copy_span(to->zone, sizeof(to->zone), span_str(from->zone));
    copy_span(to->release, sizeof(to->release), span_str(from->release));
    to->incarnation = from->incarnation;
    to->live = from->up;
    to->stream = node_state(from->state);
    to->heartbeat_age_ms = from->beat_age_ms;
    to->lag_ms = from->lag_ms;
    widen_digest(from->digest, to->digest);
    to->agrees = from->agrees;
}

// About ourselves we know better than our last heartbeat.
static void fill_self(struct board *board, const struct board_source *source,
                      struct backend_node *row)
{
    struct map_digest all = {.count = 0};
    for (uint32_t p = 0; p < board->partition_count; p++) {
        struct map_digest digest = map_digest(source->map, p);
        all.count += digest.count;
        all.sum = (all.sum + digest.sum) & CODEC_HASH_MASK;
    }
    format_digest(all.count, all.sum, row->digest);
    enum core_state state = core_get_state(source->core);
    row->stream = node_states[state];
    row->agrees = state != CORE_STATE_DIVERGED;
    copy_span(row->zone, sizeof(row->zone), span_str(source->zone));
    copy_span(row->release, sizeof(row->release), SPAN_LIT(MESHPULSE_VERSION));
}

static int by_id(const void *a, const void *b)
{
    const struct backend_node *left = a;
    const struct backend_node *right = b;
    return strcmp(left->id, right->id);
}

static void publish_nodes(struct board *board, const struct board_source *source)
{
    size_t count = core_get_nodes(source->core, board->scratch, BOARD_NODES_MAX);
    struct backend_node *self = NULL;
    for (size_t i = 0; i < count; i++) {
        fill_node(&board->scratch[i], &board->nodes[i]);
        if (strcmp(board->nodes[i].id, board->node_id) == 0) {
            self = &board->nodes[i];
        }
    }
    if (self == NULL) {
        self = &board->nodes[count++];
        memset(self, 0, sizeof(*self));
        copy_span(self->id, sizeof(self->id), span_str(board->node_id));
        self->heartbeat_age_ms = -1;
        self->lag_ms = -1;
    }
    fill_self(board, source, self);
    qsort(board->nodes, count, sizeof(board->nodes[0]), by_id);
    board->node_count = count;
}

static void publish_partitions(struct board *board, const struct board_source *source)
{
    for (uint32_t p = 0; p < board->partition_count; p++) {
        struct core_partition_view view;
        core_get_partition(source->core, p, &view);
        struct backend_partition *row = &board->partitions[p];
        memset(row, 0, sizeof(*row));
        row->partition = p;
        row->state = partition_states[view.state];
        copy_span(row->epoch, sizeof(row->epoch), span_str(view.position.epoch.text));
        row->sequence = view.position.sequence;
        (void)snprintf(row->position, sizeof(row->position), "%" PRIu64 "-%" PRIu64,
                       view.position.id.ms, view.position.id.seq);
        row->pending = view.pending;
        row->digest = map_digest(source->map, p);
        row->records = row->digest.count;
        row->resyncs = view.resyncs;
        row->repairs = view.repairs;
    }
}

static void publish_view(struct board_view *view, const struct board_source *source)
{
    view->state = core_get_state(source->core);
    view->ready = core_is_ready(source->core);
    view->stale_start = core_was_stale_start(source->core);
    view->fenced_by = source->fenced_by;
    copy_span(view->misconfigured, sizeof(view->misconfigured), span_str(source->misconfigured));
    if (source->stream == NULL) {
        return;
    }
    struct stream_info info;
    stream_info(source->stream, &info);
    copy_span(view->backend, sizeof(view->backend), span_str(info.backend));
    copy_span(view->server, sizeof(view->server), info.server);
    copy_span(view->last_error, sizeof(view->last_error), info.last_error);
    view->connected = info.connected;
    view->publishing_refused = info.publishing_refused;
}

void board_publish(struct board *board, const struct board_source *source)
{
    lock(board);
    publish_nodes(board, source);
    publish_partitions(board, source);
    publish_view(&board->view, source);
    unlock(board);
    board_note(board, source->core);
}

void board_note(struct board *board, const struct core *core)
{
    atomic_store_explicit(&board->ready, core_is_ready(core), memory_order_relaxed);
    atomic_store_explicit(&board->pending, core_get_pending(core), memory_order_relaxed);
}

void board_ticked(struct board *board, struct mono now)
{
    atomic_store_explicit(&board->ticked_us, now.us, memory_order_relaxed);
}

void board_reject(struct board *board, const struct backend_reject *reject)
{
    lock(board);
    board->rejects[board->reject_count++ % BOARD_REJECTS_MAX] = *reject;
    unlock(board);
}

// --- reading

bool board_ready(const struct board *board)
{
    return atomic_load_explicit(&board->ready, memory_order_relaxed);
}

uint64_t board_pending(const struct board *board)
{
    return atomic_load_explicit(&board->pending, memory_order_relaxed);
}

struct mono board_last_tick(const struct board *board)
{
    return (struct mono){atomic_load_explicit(&board->ticked_us, memory_order_relaxed)};
}

void board_get_view(struct board *board, struct board_view *ret_view)
{
    lock(board);
    *ret_view = board->view;
    unlock(board);
}

size_t board_nodes(struct board *board, struct backend_node *ret_rows, size_t cap)
{
    lock(board);
    size_t count = board->node_count;
    size_t copied = count < cap ? count : cap;
    if (copied > 0) {
        memcpy(ret_rows, board->nodes, copied * sizeof(*ret_rows));
    }
    unlock(board);
    return count;
}

size_t board_partitions(struct board *board, struct backend_partition *ret_rows, size_t cap)
{
    lock(board);
    size_t copied = board->partition_count < cap ? board->partition_count : cap;
    if (copied > 0) {
        memcpy(ret_rows, board->partitions, copied * sizeof(*ret_rows));
    }
    unlock(board);
    return board->partition_count;
}

size_t board_rejects(struct board *board, struct backend_reject *ret_rows, size_t cap)
{
    lock(board);
    size_t count =
        board->reject_count < BOARD_REJECTS_MAX ? board->reject_count : BOARD_REJECTS_MAX;
    for (size_t i = 0; i < count && i < cap; i++) {
        ret_rows[i] = board->rejects[(board->reject_count - 1 - i) % BOARD_REJECTS_MAX];
    }
    unlock(board);
    return count;
}

bool board_is_node(struct board *board, struct span name)
{
    bool found = span_eq_str(name, board->node_id);
    lock(board);
    for (size_t i = 0; i < board->node_count && !found; i++) {
        found = span_eq_str(name, board->nodes[i].id);
    }
    unlock(board);
    return found;
}
