// SPDX-License-Identifier: Apache-2.0
#include "admin-api/ctl/top_view.h"

#include "admin-api/ctl/answer.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/json_write.h"

#include <inttypes.h>
#include <stdlib.h>

#define LINE_MAX 1024
#define WORD_LEN 24
#define US_PER_SECOND 1000000.0

static uint64_t number(const struct json *object, const char *key)
{
    uint64_t value = 0;
    return json_u64(json_get(object, key), &value) == ERR_OK ? value : 0;
}

static double fraction(const struct json *object, const char *key)
{
    double value = 0;
    return json_double(json_get(object, key), &value) == ERR_OK ? value : 0;
}

// By how much a counter grew.
static uint64_t growth(const struct json *before, const struct json *now, const char *key)
{
    const uint64_t a = number(before, key);
    const uint64_t b = number(now, key);
    return b >= a ? b - a : b;
}

struct view {
    const struct top_look *before, *now;
    double seconds; // between them
    struct table table;
    struct buf text; // of the line that is being made
};

static double per_second(const struct view *view, uint64_t count)
{
    return view->seconds > 0 ? (double)count / view->seconds : 0;
}

// --- words

static const char *bytes_word(uint64_t bytes, char ret_word[WORD_LEN])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        value /= 1024;
        unit++;
    }
    (void)snprintf(ret_word, WORD_LEN, unit == 0 ? "%.0f%s" : "%.1f%s", value, units[unit]);
    return ret_word;
}

static const char *time_word(double ns, char ret_word[WORD_LEN])
{
    static const char *const units[] = {"ns", "us", "ms", "s"};
    size_t unit = 0;
    while (ns >= 1000 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        ns /= 1000;
        unit++;
    }
    (void)snprintf(ret_word, WORD_LEN, ns < 10 && unit > 0 ? "%.1f%s" : "%.0f%s", ns, units[unit]);
    return ret_word;
}

static const char *us_word(uint64_t us, char ret_word[WORD_LEN])
{
    return time_word((double)us * 1000, ret_word);
}

// --- the summary

static void line(struct view *view, const char *title, enum table_colour colour)
{
    table_cell(&view->table, span_str(title), TABLE_PLAIN);
    table_cell(&view->table, buf_span(&view->text), colour);
    view->table.failed = view->table.failed || view->text.err == ERR_NOMEM;
    buf_reset(&view->text);
}

static void add_node(struct view *view)
{
    const struct span self = answer_text(view->now->nodes, "self");
    struct span stream = SPAN_LIT("unknown");
    int64_t lag_ms = -1;
    const struct json *node = json_first(json_get(view->now->nodes, "items"));
    for (; node != NULL; node = json_next(node)) {
        if (span_eq(answer_text(node, "id"), self)) {
            stream = answer_text(node, "stream");
            lag_ms = answer_int(node, "lag_ms", -1);
        }
    }
    buf_printf(&view->text, "%.*s; stream %.*s", (int)self.len, self.ptr, (int)stream.len,
               stream.ptr);
    if (lag_ms >= 0) {
        buf_printf(&view->text, ", lag %" PRId64 "ms", lag_ms);
    }
    line(view, "node", span_eq_str(stream, "live") ? TABLE_GREEN : TABLE_YELLOW);
}

static void add_map(struct view *view)
{
    const struct json *map = view->now->map;
    const struct json *evicted = json_get(map, "evicted");
    const struct span state = answer_text(map, "state");
    char word[WORD_LEN];
    buf_printf(&view->text, "%" PRIu64 " records, %" PRIu64 " tombstones, %s; %.*s, load %.0f%%",
               number(map, "records"), number(map, "tombstones"),
               bytes_word(number(map, "bytes"), word), (int)state.len, state.ptr,
               fraction(map, "load") * 100);
    if (answer_int(map, "shards_growing", 0) > 0) {
        buf_printf(&view->text, " (%" PRId64 " of %" PRId64 " shards grow)",
                   answer_int(map, "shards_growing", 0), answer_int(map, "shard_count", 0));
    }
    line(view, "map", TABLE_PLAIN);
    if (number(evicted, "records") > 0) {
        buf_printf(&view->text, "%" PRIu64 " records of %" PRIu64 " services",
                   number(evicted, "records"), number(evicted, "services"));
        line(view, "evicted", TABLE_YELLOW);
    }
}

// Records by how many places are looked at to find them.
static void add_probes(struct view *view)
{
    uint64_t all = 0;
    unsigned place = 1;
    const struct json *probes = json_get(view->now->map, "probes");
    const size_t classes = json_count(probes);
    const struct json *class = json_first(probes);
    for (; class != NULL; class = json_next(class)) {
        uint64_t count = 0;
        all += json_u64(class, &count) == ERR_OK ? count : 0;
    }
    for (class = json_first(probes); class != NULL; class = json_next(class), place++) {
        uint64_t count = 0;
        if (json_u64(class, &count) == ERR_OK && count > 0) {
            buf_printf(&view->text, "%s%u%s: %.1f%%", view->text.len > 0 ? ", " : "", place,
                       place == classes ? "+" : "", (double)count * 100 / (double)all);
        }
    }
    line(view, "probes", TABLE_PLAIN);
}

static void add_locks(struct view *view)
{
    const struct json *a = view->before->map;
    const struct json *b = view->now->map;
    char word[WORD_LEN];
    const double waited = view->seconds > 0 ? (double)growth(a, b, "wait_total_us") /
                                                  (view->seconds * US_PER_SECOND) * 100
                                            : 0;
    buf_printf(&view->text, "%.0f/s; inside for %s on average, %s at most",
               per_second(view, growth(a, b, "writes")),
               time_word((double)number(b, "hold_mean_ns"), word),
               us_word(number(b, "hold_max_us"), (char[WORD_LEN]){0}));
    line(view, "writes", TABLE_PLAIN);
    const uint64_t long_waits = growth(a, b, "long_waits");
    buf_printf(&view->text, "%.0f/s, %.1f%% of one thread; %s at most; %" PRIu64 " of 1ms and more",
               per_second(view, growth(a, b, "waits")), waited,
               us_word(number(b, "wait_max_us"), word), number(b, "long_waits"));
    if (long_waits > 0) {
        buf_printf(&view->text, ", %" PRIu64 " of them now", long_waits);
    }
    line(view, "waits", long_waits > 0 ? TABLE_YELLOW : TABLE_PLAIN);
}

static uint64_t sum_growth(const struct json *before, const struct json *now, const char *key)
{
    uint64_t sum = 0;
    static const char *const priorities[] = {"operator", "api", "check", "latency"};
    for (size_t i = 0; i < sizeof(priorities) / sizeof(priorities[0]); i++) {
        sum += growth(json_get(before, key), json_get(now, key), priorities[i]);
    }
    return sum;
}

static void add_queue(struct view *view)
{
    const struct json *a = json_get(view->before->map, "queue");
    const struct json *b = json_get(view->now->map, "queue");
    const uint64_t dropped = sum_growth(a, b, "dropped");
    const uint64_t refused = sum_growth(a, b, "refused");
    const bool slow = answer_bool(b, "slow");
    buf_printf(&view->text, "%" PRIu64 " of %" PRIu64 "; %.0f/s dropped, %.0f/s refused%s",
               number(b, "length"), number(b, "capacity"), per_second(view, dropped),
               per_second(view, refused), slow ? "; writers are slowed down" : "");
    line(view, "queue", refused > 0 || slow ? TABLE_RED : dropped > 0 ? TABLE_YELLOW : TABLE_PLAIN);
}

static void add_memory(struct view *view)
{
    const struct json *memory = json_get(view->now->map, "memory");
    const struct span band = answer_text(memory, "band");
    char word[WORD_LEN];
    buf_printf(&view->text, "%.*s; %s", (int)band.len, band.ptr,
               bytes_word(number(memory, "usage_bytes"), word));
    if (number(memory, "limit_bytes") > 0) {
        buf_printf(&view->text, " of %s, pressure %.1f%%",
                   bytes_word(number(memory, "limit_bytes"), word),
                   fraction(memory, "pressure") * 100);
    } else {
        buf_str(&view->text, ", no limit is known");
    }
    line(view, "memory",
         span_eq_str(band, "evict")     ? TABLE_RED
         : span_eq_str(band, "reserve") ? TABLE_YELLOW
                                        : TABLE_PLAIN);
}

static void add_tenants(struct view *view)
{
    const struct json *a = json_get(view->before->map, "tenants");
    const struct json *b = json_get(view->now->map, "tenants");
    const uint64_t refused = growth(a, b, "refused");
    size_t shown = 0;
    buf_printf(&view->text, "%" PRIu64 ", %" PRIu64 " over quota; %.0f/s refused%s",
               number(b, "count"), number(b, "over"), per_second(view, refused),
               number(b, "count") > 0 ? ";" : "");
    const struct json *row = json_first(json_get(b, "largest"));
    for (; row != NULL && shown < TOP_TENANTS_MAX; row = json_next(row), shown++) {
        const struct span name = answer_text(row, "name");
        buf_printf(&view->text, "%s %.*s %" PRIu64, shown > 0 ? "," : "", (int)name.len, name.ptr,
                   number(row, "used"));
        if (number(row, "limit") > 0) {
            buf_printf(&view->text, "/%" PRIu64, number(row, "limit"));
        }
    }
    line(view, "tenants", refused > 0 || number(b, "over") > 0 ? TABLE_YELLOW : TABLE_PLAIN);
}

// --- the hottest shards

struct hot {
    const struct json *before, *now;
    uint64_t writes, waits;
};

static bool is_hotter(const struct hot *a, const struct hot *b)
{
    return a->waits != b->waits ? a->waits > b->waits : a->writes > b->writes;
}

// Those with the most waits, then the most writes, since the look before; at most TOP_SHARDS_MAX.
static size_t hottest(const struct view *view, struct hot ret_hot[TOP_SHARDS_MAX])
{
    size_t count = 0;
    const struct json *before = json_first(json_get(view->before->map, "shards"));
    const struct json *now = json_first(json_get(view->now->map, "shards"));
    for (; now != NULL; now = json_next(now)) {
        const struct hot hot = {before, now, growth(before, now, "writes"),
                                growth(before, now, "waits")};
        before = before == NULL ? NULL : json_next(before);
        if (hot.writes == 0 && hot.waits == 0) {
            continue;
        }
        size_t at = count;
        while (at > 0 && is_hotter(&hot, &ret_hot[at - 1])) {
            at--;
        }
        if (at == TOP_SHARDS_MAX) {
            continue;
        }
        count += count < TOP_SHARDS_MAX;
        for (size_t i = count - 1; i > at; i--) {
            ret_hot[i] = ret_hot[i - 1];
        }
        ret_hot[at] = hot;
    }
    return count;
}

static void add_shard(struct view *view, struct table *table, const struct hot *hot)
{
    char word[WORD_LEN];
    table_printf(table, "%" PRId64, answer_int(hot->now, "shard", -1));
    table_cell(table, answer_text(hot->now, "state"), TABLE_PLAIN);
    table_printf(table, "%" PRIu64, number(hot->now, "records"));
    table_printf(table, "%.0f%%", fraction(hot->now, "load") * 100);
    table_printf(table, "%.0f", per_second(view, hot->writes));
    table_printf(table, "%.0f", per_second(view, hot->waits));
    table_printf(table, "%s", us_word(number(hot->now, "wait_max_us"), word));
    table_printf(table, "%s", time_word((double)number(hot->now, "hold_mean_ns"), word));
    table_printf(table, "%s", us_word(number(hot->now, "hold_max_us"), word));
    table_cell(table, answer_text(hot->now, "inside"), TABLE_PLAIN);
}

static enum err show_shards(struct view *view, struct table_options options, FILE *out)
{
    static const char *const titles[] = {"SHARD",   "STATE",    "RECORDS", "LOAD",     "WRITES/S",
                                         "WAITS/S", "MAX WAIT", "HOLD",    "MAX HOLD", "INSIDE"};
    struct hot hot[TOP_SHARDS_MAX];
    struct table table;
    const size_t count = hottest(view, hot);
    table_init(&table, titles, sizeof(titles) / sizeof(titles[0]), options);
    for (size_t i = 0; i < count; i++) {
        add_shard(view, &table, &hot[i]);
    }
    fputc('\n', out);
    if (count == 0) {
        fputs("no shard was written to\n", out);
    }
    const enum err err = count == 0 ? ERR_OK : table_print(&table, out);
    table_fini(&table);
    return err;
}

static double seconds_between(const struct top_look *before, const struct top_look *now)
{
    return (double)(now->at.us - before->at.us) / US_PER_SECOND;
}

enum err top_view(const struct top_look *before, const struct top_look *now,
                  struct table_options options, FILE *out)
{
    static const char *const titles[] = {"", ""};
    struct view view = {.before = before, .now = now, .seconds = seconds_between(before, now)};
    table_init(&view.table, titles, 2, (struct table_options){false, options.colours});
    buf_init(&view.text, LINE_MAX);
    add_node(&view);
    add_map(&view);
    add_probes(&view);
    add_locks(&view);
    add_queue(&view);
    add_memory(&view);
    add_tenants(&view);
    enum err err = table_print(&view.table, out);
    buf_fini(&view.text);
    table_fini(&view.table);
    return err != ERR_OK ? err : show_shards(&view, options, out);
}

// --- JSON

void top_view_json(const struct top_look *before, const struct top_look *now, struct buf *out)
{
    struct json_writer json;
    struct hot hot[TOP_SHARDS_MAX];
    const struct view view = {
        .before = before, .now = now, .seconds = seconds_between(before, now)};
    const size_t count = hottest(&view, hot);
    json_writer_init(&json, out, JSON_COMPACT);
    json_write_object(&json, NULL);
    json_write_string(&json, "node", answer_text(now->nodes, "self"));
    json_write_double(&json, "seconds", view.seconds);
    json_write_double(&json, "writes_per_s",
                      per_second(&view, growth(before->map, now->map, "writes")));
    json_write_double(&json, "waits_per_s",
                      per_second(&view, growth(before->map, now->map, "waits")));
    json_write_array(&json, "hottest");
    for (size_t i = 0; i < count; i++) {
        json_write_object(&json, NULL);
        json_write_int(&json, "shard", answer_int(hot[i].now, "shard", -1));
        json_write_double(&json, "writes_per_s", per_second(&view, hot[i].writes));
        json_write_double(&json, "waits_per_s", per_second(&view, hot[i].waits));
        json_write_object_end(&json);
    }
    json_write_array_end(&json);
    json_write_key(&json, SPAN_LIT("map"));
    answer_write_node(&json, now->map);
    json_write_object_end(&json);
}
