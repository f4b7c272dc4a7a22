// SPDX-License-Identifier: Apache-2.0
#include "replicator/meter.h"

#include "base/log.h"
#include "base/metric.h"

#include <string.h>

#define WRITER_SHIFT 24 // below it stands the attempt
#define PEERS_READ_EVERY_MS 1000
#define SLOW_REFRESH 8 // refreshes from one walk over all services to the next

// A counter that begins with its first event hides that event from rate() and increase(): what is known
// beforehand stands there as 0.
static void announce_transitions(void)
{
    for (int from = 0; from < STATUS_COUNT; from++) {
        for (int to = 0; to < STATUS_COUNT; to++) {
            if (from != to) {
                metric_count2(METRIC_HEALTH_TRANSITIONS, span_str(status_name((enum status)from)),
                              span_str(status_name((enum status)to)), 0);
            }
        }
    }
}

void meter_init(struct meter *meter, const struct core *core, const struct map *map,
                struct span node_id)
{
    memset(meter, 0, sizeof(*meter));
    meter->core = core;
    meter->map = map;
    meter->own_writer40 = version_writer(node_id, 0) >> WRITER_SHIFT;
    metric_gauge1(METRIC_BUILD_INFO, SPAN_LIT(MESHPULSE_VERSION), 1);
    announce_transitions();
}

// --- entries that pass

static struct metric_series *find_peer(const struct meter *meter, uint64_t writer40)
{
    for (uint32_t i = 0; i < meter->peer_count; i++) {
        if (meter->peers[i].writer40 == writer40) {
            return meter->peers[i].series;
        }
    }
    return NULL;
}

static void read_peers(struct meter *meter)
{
    size_t count = core_get_nodes(meter->core, meter->nodes, METER_NODES_MAX);
    for (size_t i = 0; i < count && meter->peer_count < METER_PEERS_MAX; i++) {
        struct span id = span_str(meter->nodes[i].id);
        uint64_t writer40 = version_writer(id, 0) >> WRITER_SHIFT;
        if (find_peer(meter, writer40) == NULL) {
            meter->peers[meter->peer_count++] =
                (struct meter_peer){writer40, metric_series(METRIC_EVENTS_CONSUMED, id, SPAN_NONE)};
        }
    }
}

static void count_pair(struct meter *meter, const struct stream_pair *pair, struct mono now)
{
    if (pair->value.len < VERSION_LEN) {
        return;
    }
    uint64_t writer40 = version_get(pair->value.ptr).writer >> WRITER_SHIFT;
    if (writer40 == meter->own_writer40) {
        return;
    }
    struct metric_series *series = find_peer(meter, writer40);
    if (series == NULL && (meter->peers_read.us == 0 ||
                           mono_ms_between(meter->peers_read, now) >= PEERS_READ_EVERY_MS)) {
        meter->peers_read = now;
        read_peers(meter);
        series = find_peer(meter, writer40);
    }
    if (series != NULL) {
        metric_add(series, 1);
    } else {
        metric_count1(METRIC_EVENTS_CONSUMED, SPAN_LIT("other"), 1);
    }
}

// Lag is told of entries that come while the partition is live: what is read to catch up was late for
// another reason.
static void observe_lag(const struct meter *meter, const struct stream_event *event,
                        struct mono now)
{
    struct core_partition_view view;
    core_get_partition(meter->core, event->partition, &view);
    bool live = view.state == CORE_PARTITION_LIVE || view.state == CORE_PARTITION_DIVERGED;
    if (!live || meter->server_ms == 0) {
        return;
    }
    int64_t server_now = meter->server_ms + mono_ms_between(meter->server_at, now);
    int64_t lag_ms = server_now - (int64_t)event->entry.id.ms;
    metric_time(METRIC_REPLICATION_LAG, lag_ms < 0 ? 0 : (uint64_t)lag_ms * 1000);
}

void meter_event(struct meter *meter, const struct stream_event *event, struct mono now)
{
    if (event->type == STREAM_EV_BEAT && event->status == STREAM_OK) {
        meter->server_ms = event->beat.server_ms;
        meter->server_at = now;
    }
    if (event->type != STREAM_EV_ENTRY || !event->entry.valid) {
        return;
    }
    observe_lag(meter, event, now);
    for (uint32_t i = 0; i < event->entry.count; i++) {
        count_pair(meter, &event->entry.pairs[i], now);
    }
}

// --- totals and gauges

static void count_totals(struct meter *meter)
{
    static const struct {
        enum core_counter counter;
        enum metric metric;
        const char *label; // NULL: none
    } rows[] = {
        {CORE_PUBLISHED, METRIC_EVENTS_PUBLISHED, NULL},
        {CORE_DUPLICATE, METRIC_EVENTS_DUPLICATE, NULL},
        {CORE_STALE_ENTRIES, METRIC_EVENTS_STALE, NULL},
        {CORE_CONFLICTS_API, METRIC_CAS_CONFLICTS, "api"},
        {CORE_CONFLICTS_STREAM, METRIC_CAS_CONFLICTS, "stream"},
        {CORE_EQUIVOCATIONS, METRIC_EVENTS_EQUIVOCATION, NULL},
        {CORE_SUPERSEDED, METRIC_EVENTS_SUPERSEDED, NULL},
        {CORE_EVICTIONS, METRIC_EVICTIONS, NULL},
        {CORE_RELOADS, METRIC_EVICTION_RELOADS, NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t total = core_get_counter(meter->core, rows[i].counter);
        uint64_t more = total - meter->totals[rows[i].counter];
        meter->totals[rows[i].counter] = total;
        if (rows[i].label == NULL) {
            metric_count(rows[i].metric, more);
        } else {
            metric_count1(rows[i].metric, span_str(rows[i].label), more);
        }
    }
}

static void show_partitions(const struct meter *meter, uint32_t partitions)
{
    uint32_t diverged = 0;
    for (uint32_t p = 0; p < partitions; p++) {
        struct core_partition_view view;
        core_get_partition(meter->core, p, &view);
        diverged += view.state == CORE_PARTITION_DIVERGED;
    }
    metric_gauge(METRIC_DIGEST_MISMATCH, diverged);
    metric_gauge(METRIC_OUTBOX_RECORDS, (double)core_get_pending(meter->core));
    metric_gauge(METRIC_READY, core_is_ready(meter->core) ? 1 : 0);
}

static void show_map(const struct meter *meter)
{
    struct map_counts counts;
    map_counts(meter->map, &counts);
    metric_gauge(METRIC_MAP_RECORDS, (double)counts.records);
    metric_gauge(METRIC_MAP_TOMBSTONES, (double)counts.tombstones);
    metric_gauge(METRIC_MAP_BYTES, (double)counts.bytes);
    metric_gauge(METRIC_EVICTED_SERVICES, (double)counts.evicted_services);
    metric_gauge(METRIC_EVICTED_RECORDS, (double)counts.evicted_records);
    for (int status = 0; status < STATUS_COUNT; status++) {
        metric_gauge1(METRIC_INSTANCES, span_str(status_name((enum status)status)),
                      (double)counts.by_status[status]);
    }
}

struct service_count {
    uint64_t all, guarded;
};

static bool count_service(void *arg, const struct map_service *service)
{
    struct service_count *count = arg;
    count->all++;
    count->guarded += service->guarded > 0;
    return true;
}

static void show_services(const struct meter *meter)
{
    struct service_count count = {0, 0};
    map_services(meter->map, SPAN_NONE, count_service, &count);
    metric_gauge(METRIC_SERVICES, (double)count.all);
    metric_gauge(METRIC_GUARDED_SERVICES, (double)count.guarded);
}

static void show_peers(struct meter *meter)
{
    uint32_t live = 0;
    uint32_t lapsed = 0;
    size_t count = core_get_nodes(meter->core, meter->nodes, METER_NODES_MAX);
    for (size_t i = 0; i < count; i++) {
        struct span id = span_str(meter->nodes[i].id);
        if (version_writer(id, 0) >> WRITER_SHIFT != meter->own_writer40) {
            live += meter->nodes[i].up;
            lapsed += !meter->nodes[i].up;
        }
    }
    metric_gauge1(METRIC_PEERS, SPAN_LIT("live"), live);
    metric_gauge1(METRIC_PEERS, SPAN_LIT("lapsed"), lapsed);
}

static void show_stream(struct meter *meter, const struct stream *stream)
{
    struct stream_info info;
    stream_info(stream, &info);
    metric_gauge(METRIC_REDIS_CONNECTED, info.connected ? 1 : 0);
    metric_gauge(METRIC_REDIS_PUBLISHING_REFUSED, info.publishing_refused ? 1 : 0);
    metric_count(METRIC_REDIS_RECONNECTS, info.reconnects - meter->reconnects);
    meter->reconnects = info.reconnects;
}

void meter_refresh(struct meter *meter, const struct stream *stream, uint32_t partitions)
{
    count_totals(meter);
    show_partitions(meter, partitions);
    show_map(meter);
    map_meter_refresh(&meter->inside, meter->map);
    if (stream != NULL) {
        show_stream(meter, stream);
    }
    if (meter->refreshes++ % SLOW_REFRESH == 0) {
        show_services(meter);
        show_peers(meter);
        tenant_meter_refresh(&meter->tenants, meter->map);
    }
    uint64_t dropped = log_dropped();
    metric_count(METRIC_LOG_DROPPED, dropped - meter->log_dropped);
    meter->log_dropped = dropped;
}
