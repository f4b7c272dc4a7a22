// SPDX-License-Identifier: Apache-2.0
#include "admin-api/watch.h"

#include "admin-api/response.h"
#include "base/loop.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>

#define TICK_MS 1000
#define EVENTS_PER_TURN 128 // then the next watcher has its turn
#define EVENT_LEN_MAX (1024 * 1024)
#define CROWD_MIN 64 // fewer readers than that leave no memory behind that is worth a search

struct watcher {
    struct watch_set *set;
    struct watcher *next, **link; // of the set; link points at what points here
    struct http1_exchange *exchange;
    struct watch_cursor cursor;
    struct mono last_sent;
    struct mono full_since;
    bool full;
    bool more; // its turn ended before its events did
};

struct watch_set {
    struct loop *loop;
    struct api *api;
    struct watcher *first;
    _Atomic uint32_t count;
    uint32_t crowd; // the most readers that a tick has seen since memory was given back
    struct loop_timer *tick;
    struct loop_timer *linger; // armed: a turn is due, but not yet
    struct mono next_turn;     // not before
    struct loop_task turn;
    struct buf buf; // one event at a time
};

static void watcher_unlink(struct watcher *watcher)
{
    *watcher->link = watcher->next;
    if (watcher->next != NULL) {
        watcher->next->link = watcher->link;
    }
}

// What is watched is not evicted.
static struct map_filter filter_of(const struct watcher *watcher)
{
    const struct watch_cursor *cursor = &watcher->cursor;
    return (struct map_filter){span_of(cursor->tenant, cursor->tenant_len),
                               span_of(cursor->service, cursor->service_len)};
}

static void watcher_end(struct watcher *watcher)
{
    http1_exchange_on_cancel(watcher->exchange, NULL, NULL);
    http1_stream_on_drain(watcher->exchange, NULL, NULL);
    http1_stream_end(watcher->exchange);
    watcher_unlink(watcher);
    const struct map_filter filter = filter_of(watcher);
    map_unfollow(watcher->set->api->backend->map, &filter);
    (void)atomic_fetch_sub_explicit(&watcher->set->count, 1, memory_order_relaxed);
    free(watcher);
}

static bool send_buf(struct watcher *watcher)
{
    struct buf *buf = &watcher->set->buf;
    bool sent =
        buf->err == ERR_OK && http1_stream_write(watcher->exchange, buf_span(buf)) == ERR_OK;
    buf_reset(buf);
    watcher->last_sent = loop_now(watcher->set->loop);
    return sent;
}

static void watcher_cut(struct watcher *watcher)
{
    struct buf *buf = &watcher->set->buf;
    buf_reset(buf);
    watch_event_resync(watcher->set->api, &watcher->cursor, buf);
    (void)send_buf(watcher);
    watcher_end(watcher);
}

static void mark_full(struct watcher *watcher)
{
    if (!watcher->full) {
        watcher->full = true;
        watcher->full_since = loop_now(watcher->set->loop);
    }
}

// Writes what there is for this watcher.  false: its stream has failed.
static bool watcher_feed(struct watcher *watcher)
{
    struct buf *buf = &watcher->set->buf;
    watcher->more = false;
    for (unsigned i = 0; i < EVENTS_PER_TURN; i++) {
        if (http1_stream_out_len(watcher->exchange) >= WATCH_OUT_MAX) {
            mark_full(watcher);
            return true;
        }
        switch (watch_event_next(watcher->set->api, &watcher->cursor, buf)) {
        case WATCH_IDLE:
            return true;
        case WATCH_SKIPPED:
            break;
        case WATCH_EVENT:
            if (!send_buf(watcher)) {
                return false;
            }
            break;
        }
    }
    watcher->more = true;
    return true;
}

static void feed_or_end(struct watcher *watcher)
{
    if (!watcher_feed(watcher)) {
        watcher_end(watcher);
    } else if (watcher->more) {
        (void)loop_post_task(watcher->set->loop, &watcher->set->turn);
    }
}

int64_t watch_linger_ms(int64_t turn_us)
{
    int64_t ms = WATCH_LINGER_FACTOR * turn_us / 1000;
    return ms < WATCH_LINGER_MAX_MS ? ms : WATCH_LINGER_MAX_MS;
}

static void turn(void *arg)
{
    struct watch_set *set = arg;
    struct watcher *next = NULL;
    struct mono began = loop_now(set->loop);
    for (struct watcher *watcher = set->first; watcher != NULL; watcher = next) {
        next = watcher->next;
        if (!watcher->full) {
            feed_or_end(watcher);
        }
    }
    struct mono ended = loop_now(set->loop);
    set->next_turn = mono_add_ms(ended, watch_linger_ms(ended.us - began.us));
}

static void on_drain(void *arg)
{
    struct watcher *watcher = arg;
    if (watcher->full && http1_stream_out_len(watcher->exchange) == 0) {
        watcher->full = false;
        feed_or_end(watcher);
    }
}

static void on_cancel(void *arg)
{
    watcher_end(arg);
}

// Readers that lag hold tens of MiB, which the allocator keeps when they have gone: what is freed lies
// below what is still in use.  The search takes milliseconds, so it is made once for each crowd that leaves.
static void give_back(struct watch_set *set)
{
    uint32_t count = watch_set_count(set);
    if (count > set->crowd) {
        set->crowd = count;
    } else if (set->crowd >= CROWD_MIN && count <= set->crowd / 2) {
        set->crowd = count;
        (void)malloc_trim(0);
    }
}

static void tick(void *arg)
{
    struct watch_set *set = arg;
    struct mono now = loop_now(set->loop);
    struct watcher *next = NULL;
    for (struct watcher *watcher = set->first; watcher != NULL; watcher = next) {
        next = watcher->next;
        if (watcher->full && mono_ms_between(watcher->full_since, now) >= WATCH_FULL_MS) {
            watcher_cut(watcher);
        } else if (!watcher->full &&
                   mono_ms_between(watcher->last_sent, now) > WATCH_QUIET_MS - TICK_MS) {
            buf_reset(&set->buf);
            buf_put(&set->buf, SPAN_LIT(": quiet\n\n"));
            if (!send_buf(watcher)) {
                watcher_end(watcher);
            }
        }
    }
    give_back(set);
    if (set->first != NULL) {
        loop_timer_set_ms(set->tick, TICK_MS);
    }
}

enum err watch_set_new(struct loop *loop, struct api *api, struct watch_set **ret_set)
{
    struct watch_set *set = calloc(1, sizeof(*set));
    if (set == NULL) {
        return ERR_NOMEM;
    }
    set->loop = loop;
    set->api = api;
    enum err err = loop_timer_new(loop, tick, set, &set->tick);
    if (err == ERR_OK) {
        err = loop_timer_new(loop, turn, set, &set->linger);
    }
    if (err != ERR_OK) {
        loop_timer_free(set->tick);
        free(set);
        return err;
    }
    loop_task_init(&set->turn, turn, set);
    buf_init(&set->buf, EVENT_LEN_MAX);
    *ret_set = set;
    return ERR_OK;
}

void watch_set_free(struct watch_set *set)
{
    if (set == NULL) {
        return;
    }
    while (set->first != NULL) {
        watcher_end(set->first);
    }
    loop_unpost_task(set->loop, &set->turn);
    buf_fini(&set->buf);
    loop_timer_free(set->linger);
    loop_timer_free(set->tick);
    free(set);
}

static void begin(struct watcher *watcher, const struct response *response)
{
    const struct http1_response head = {.status = response->status,
                                        .content_type = response->content_type,
                                        .headers = response->headers,
                                        .header_count = response->header_count,
                                        // A reader that is cut must not be left with a connection.
                                        .close = true};
    http1_stream_begin(watcher->exchange, &head);
    http1_exchange_on_cancel(watcher->exchange, on_cancel, watcher);
    http1_stream_on_drain(watcher->exchange, on_drain, watcher);
}

bool watch_start(struct watch_set *set, struct http1_exchange *exchange,
                 const struct response *response)
{
    struct watcher *watcher = calloc(1, sizeof(*watcher));
    if (watcher == NULL) {
        return false;
    }
    watcher->set = set;
    watcher->exchange = exchange;
    watcher->cursor = response->watch;
    const struct map_filter filter = filter_of(watcher);
    if (map_follow(set->api->backend->map, &filter) != ERR_OK) {
        free(watcher);
        return false;
    }
    watcher->next = set->first;
    watcher->link = &set->first;
    if (set->first != NULL) {
        set->first->link = &watcher->next;
    }
    set->first = watcher;
    // acquire: pairs with the release in watch_set_is_followed.  Whoever finds nobody here has made its change
    // before, so that the first look at the changefeed, which comes next, finds it.
    (void)atomic_fetch_add_explicit(&set->count, 1, memory_order_acquire);
    begin(watcher, response);
    // The first bytes tell the reader that it is heard, before there is anything to tell.
    buf_reset(&set->buf);
    buf_put(&set->buf, SPAN_LIT(": watching\n\n"));
    if (!send_buf(watcher)) {
        watcher_end(watcher);
        return true;
    }
    if (!loop_timer_armed(set->tick)) {
        loop_timer_set_ms(set->tick, TICK_MS);
    }
    feed_or_end(watcher);
    return true;
}

uint32_t watch_set_count(const struct watch_set *set)
{
    return atomic_load_explicit(&set->count, memory_order_relaxed);
}

bool watch_set_is_followed(struct watch_set *set)
{
    // release: pairs with the acquire in watch_start.  A plain load could be made before the change is stored;
    // of two read-modify-writes one comes first, and the other one sees what was stored before it.
    return atomic_fetch_add_explicit(&set->count, 0, memory_order_release) > 0;
}

void watch_wake(struct watch_set *set)
{
    if (set->next_turn.us <= loop_now(set->loop).us) {
        (void)loop_post_task(set->loop, &set->turn);
    } else if (!loop_timer_armed(set->linger)) {
        loop_timer_set(set->linger, set->next_turn);
    }
}

void watch_end_all(struct watch_set *set)
{
    while (set->first != NULL) {
        watcher_cut(set->first);
    }
}
