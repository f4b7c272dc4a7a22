// SPDX-License-Identifier: Apache-2.0
#include "replicator/core/session.h"

#include "base/assert.h"
#include "localmap/model/merge.h"
#include "replicator/core/evict.h"
#include "replicator/core/hold.h"
#include "replicator/core/outbox.h"
#include "replicator/core/repair.h"
#include "replicator/core/session_check.h"
#include "replicator/core/shadow.h"
#include "replicator/core/writer.h"

#define FIRST_SCAN 2          // generation of it: 1 is that of a map that was never scanned into
#define REFUSED_AGAIN_MS 5000 // a misconfigured prefix is looked at again
#define RESYNC_GAP_MS 200     // between two resyncs that are not for a digest, doubling
#define RESYNC_GAP_DOUBLINGS 6
#define SCANS_MAX                                                                                  \
    2 // at once: what one partition touches fits into the cache, what all touch does not

static const char *const state_names[SESSION_STATE_COUNT] = {
    [SESSION_OFFLINE] = "offline", [SESSION_PROBE] = "probe", [SESSION_COLD] = "cold",
    [SESSION_SCAN] = "scan",       [SESSION_END] = "end",     [SESSION_TAIL] = "tail",
    [SESSION_LIVE] = "live"};

// allowed[from] is a set of states, one bit each.
#define TO(state) (1u << SESSION_##state)
static const unsigned allowed[SESSION_STATE_COUNT] = {
    [SESSION_OFFLINE] = TO(COLD) | TO(PROBE),
    [SESSION_PROBE] = TO(OFFLINE) | TO(COLD) | TO(TAIL) | TO(LIVE),
    [SESSION_COLD] = TO(OFFLINE) | TO(COLD) | TO(SCAN),
    [SESSION_SCAN] = TO(OFFLINE) | TO(COLD) | TO(END),
    [SESSION_END] = TO(OFFLINE) | TO(COLD) | TO(TAIL) | TO(LIVE),
    [SESSION_TAIL] = TO(OFFLINE) | TO(COLD) | TO(LIVE),
    [SESSION_LIVE] = TO(OFFLINE) | TO(COLD),
};

const char *session_state_name(enum session_state state)
{
    return state_names[state];
}

static void move(struct core *core, uint32_t partition, enum session_state to)
{
    struct session *session = &core->sessions[partition];
    ASSERT((allowed[session->state] & (1u << to)) != 0);
    session->state = to;
    session->checking = false;
    evict_interrupted(core, partition);
    core->scans_waiting -= session->scan_waits ? 1 : 0;
    session->scan_waits = false;
    session->behind_since = (struct mono){0};
    const struct core_log log = {
        .what = CORE_LOG_SESSION, .partition = partition, .text = span_str(state_names[to])};
    core_say(core, &log);
}

static bool many_behind(const struct core *core)
{
    uint32_t behind = 0;
    for (uint32_t p = 0; p < core->options.partitions; p++) {
        behind += core->sessions[p].state != SESSION_LIVE;
    }
    return behind > 1;
}

static void subscribe(struct core *core, uint32_t partition)
{
    const struct core_action action = {
        .type = CORE_ACT_READ,
        .partition = partition,
        .read = {.id = core->sessions[partition].cursor.id, .catching_up = many_behind(core)}};
    core_emit(core, &action);
}

static void remember(struct core *core, struct session *session)
{
    if (session->history == NULL) {
        session->history = arena_take(&core->arena, HISTORY_LEN * sizeof(struct place));
        if (session->history == NULL) {
            return;
        }
    }
    session->history[session->history_at] =
        (struct place){session->cursor.sequence, session->shadow};
    session->history_at = (session->history_at + 1) % HISTORY_LEN;
    session->history_count += session->history_count < HISTORY_LEN ? 1 : 0;
}

bool session_history(const struct session *session, uint64_t sequence,
                     struct stream_digest *ret_digest)
{
    for (uint32_t i = 0; i < session->history_count; i++) {
        if (session->history[i].sequence == sequence) {
            *ret_digest = session->history[i].digest;
            return true;
        }
    }
    return false;
}

static void go_live(struct core *core, uint32_t partition)
{
    struct session *session = &core->sessions[partition];
    move(core, partition, SESSION_LIVE);
    session->has_cursor = true;
    session->resyncs_in_row = 0;
    session_schedule_check(core, session);
    remember(core, session);
    if (session->generation > FIRST_SCAN) {
        repair_plan_all(core, partition,
                        "scan"); // of a first scan, all that is held came from the server
    }
    if (!core->ready) {
        core->next_tick = core->now.mono; // readiness hangs on this, it shall not wait for a timer
    }
    writer_reader_moved(core, partition);
}

static void start_cold(struct core *core, uint32_t partition)
{
    move(core, partition, SESSION_COLD);
    core->sessions[partition].start_at = (struct mono){0};
    session_ask_meta(core, partition);
}

void session_resync(struct core *core, uint32_t partition, const char *cause)
{
    struct session *session = &core->sessions[partition];
    session->resyncs++;
    const struct core_log log = {
        .what = CORE_LOG_RESYNC, .partition = partition, .text = span_str(cause)};
    core_say(core, &log);
    const struct core_action action = {.type = CORE_ACT_UNREAD, .partition = partition};
    core_emit(core, &action);
    writer_abandon(core, partition);
    session->has_cursor = false;
    session->barrier = mono_add_ms(core->now.mono, REPAIR_BARRIER_MS);
    move(core, partition, SESSION_COLD);
    // The first goes at once; a server that keeps us from settling is not asked in a hot loop.
    uint32_t doublings = session->resyncs_in_row++;
    if (doublings == 0) {
        session->start_at = (struct mono){0};
        session_ask_meta(core, partition);
        return;
    }
    doublings = doublings < RESYNC_GAP_DOUBLINGS ? doublings : RESYNC_GAP_DOUBLINGS;
    session->start_at = mono_add_ms(core->now.mono, (int64_t)RESYNC_GAP_MS << doublings);
}

// --- the meta fields

static bool fits(struct core *core, const struct stream_meta *meta)
{
    if (meta->wire != STREAM_WIRE) {
        core_misconfigured(core, "the stream's wire version is not one that this version can read");
    } else if (meta->partitions != core->options.partitions) {
        core_misconfigured(core,
                           "stream.partitions differs from the number this prefix was made with");
    } else {
        return true;
    }
    return false;
}

static void create(struct core *core, uint32_t partition)
{
    static const char digits[] = "0123456789abcdef";
    struct stream_epoch epoch;
    uint64_t halves[2] = {core_random(core), core_random(core)};
    for (size_t i = 0; i < STREAM_EPOCH_LEN; i++) {
        epoch.text[i] = digits[halves[i / 16] >> (i % 16 * 4) & 15];
    }
    epoch.text[STREAM_EPOCH_LEN] = '\0';
    const struct core_action action = {
        .type = CORE_ACT_CREATE, .partition = partition, .epoch = &epoch};
    core->sessions[partition].meta_open = true;
    core_emit(core, &action);
}

static void scan(struct core *core, uint32_t partition, uint64_t cursor)
{
    const struct core_action action = {
        .type = CORE_ACT_SCAN, .partition = partition, .cursor = cursor};
    core_emit(core, &action);
}

static void start_scans(struct core *core)
{
    uint32_t running = 0;
    for (uint32_t p = 0; p < core->options.partitions; p++) {
        running += core->sessions[p].state == SESSION_SCAN && !core->sessions[p].scan_waits;
    }
    for (uint32_t p = 0; p < core->options.partitions && running < SCANS_MAX; p++) {
        if (core->sessions[p].scan_waits && !core->sessions[p].fill_open) {
            core->sessions[p].scan_waits = false;
            core->scans_waiting--;
            running++;
            scan(core, p, 0);
        }
    }
}

static void meta_cold(struct core *core, uint32_t partition, const struct stream_meta *meta)
{
    struct session *session = &core->sessions[partition];
    if (!meta->exists) {
        create(core, partition);
        return;
    }
    if (!fits(core, meta)) {
        session->start_at = mono_add_ms(core->now.mono, REFUSED_AGAIN_MS);
        return;
    }
    writer_abandon(core, partition);
    shadow_forget(core, partition);
    session->cursor.epoch = meta->epoch;
    session->cursor.sequence = meta->sequence;
    session->cursor.id = meta->last_id;
    session->floor = meta->floor;
    session->acked = 0;
    session->born_ms = meta->born_ms;
    session->history_at = 0;
    session->history_count = 0;
    session->cursor_of_scan = true;
    move(core, partition, SESSION_SCAN);
    session->scan_waits = true; // the log is read from here on: nothing is missed by waiting
    core->scans_waiting++;
}

static void meta_end(struct core *core, uint32_t partition, const struct stream_meta *meta)
{
    struct session *session = &core->sessions[partition];
    if (!session_same_epoch(session, meta)) {
        session_resync(core, partition, "epoch");
        return;
    }
    session->end = meta->sequence;
    session->scan_end = meta->sequence;
    subscribe(core, partition);
    if (session->cursor.sequence >= session->end) {
        session_compare_digest(core, partition, &meta->digest);
        if (session->state == SESSION_END) {
            go_live(core, partition);
        }
        return;
    }
    move(core, partition, SESSION_TAIL);
    session->next_check = mono_add_ms(core->now.mono, SESSION_PATIENCE_MS);
}

// From the cursor to the end that the server told, and on.
static void read_on(struct core *core, uint32_t partition)
{
    struct session *session = &core->sessions[partition];
    subscribe(core, partition);
    if (session->cursor.sequence >= session->end) {
        go_live(core, partition);
    } else {
        move(core, partition, SESSION_TAIL);
        session->next_check = mono_add_ms(core->now.mono, SESSION_PATIENCE_MS);
    }
}

// Connected again: the meta fields first, then whether our place is still there.
static void meta_probe(struct core *core, uint32_t partition, const struct stream_meta *meta)
{
    struct session *session = &core->sessions[partition];
    if (!session_same_epoch(session, meta)) {
        session_resync(core, partition, "epoch");
        return;
    }
    if (meta->sequence < session->asked_at) {
        session_resync(core, partition, "rollback");
        return;
    }
    session->end = meta->sequence;
    if (session->cursor.id.ms == 0 && session->cursor.id.seq == 0) {
        // No entry was ever read, so there is none to ask for; the sequences tell what is missing.
        read_on(core, partition);
        return;
    }
    const struct core_action action = {
        .type = CORE_ACT_PROBE, .partition = partition, .read = {.id = session->cursor.id}};
    core_emit(core, &action);
}

static void on_meta(struct core *core, const struct stream_event *event)
{
    uint32_t p = event->partition;
    switch (core->sessions[p].state) {
    case SESSION_COLD:
        meta_cold(core, p, &event->meta);
        break;
    case SESSION_END:
        meta_end(core, p, &event->meta);
        break;
    case SESSION_PROBE:
        meta_probe(core, p, &event->meta);
        break;
    case SESSION_TAIL:
    case SESSION_LIVE:
        if (core->sessions[p].checking) {
            session_meta_check(core, p, &event->meta);
        }
        break;
    case SESSION_OFFLINE:
    case SESSION_SCAN:
    case SESSION_STATE_COUNT:
    default:
        break; // the answer to a question that does not matter any more
    }
}

// --- scan, probe, entries

static void on_scan(struct core *core, const struct stream_event *event)
{
    struct session *session = &core->sessions[event->partition];
    if (session->state != SESSION_SCAN) {
        return;
    }
    // What comes next is asked for first: the server works on it while this is taken in.
    uint32_t partition = event->partition;
    if (event->scan.cursor != 0) {
        scan(core, partition, event->scan.cursor);
    } else {
        move(core, partition, SESSION_END);
        session_ask_meta(core, partition);
    }
    const struct hold_place place = {.partition = partition, .scan = true};
    for (uint32_t i = 0; i < event->scan.count; i++) {
        (void)hold_pair(core, &place, &event->scan.pairs[i]);
    }
}

static void on_probe(struct core *core, const struct stream_event *event)
{
    uint32_t partition = event->partition;
    struct session *session = &core->sessions[partition];
    if (session->state != SESSION_PROBE) {
        return;
    }
    const struct stream_entry *entry = &event->probe.entry;
    bool ours = event->probe.found && entry->valid && entry->sequence == session->cursor.sequence &&
                strcmp(entry->epoch.text, session->cursor.epoch.text) == 0 &&
                (session->shadow_lost || (entry->digest.count == session->shadow.count &&
                                          entry->digest.sum == session->shadow.sum));
    if (!ours && session->cursor_of_scan && event->probe.found && entry->valid &&
        entry->sequence <= session->cursor.sequence) {
        ours = true;
    }
    if (!ours) {
        session_resync(core, partition, event->probe.found ? "rollback" : "trim");
        return;
    }
    read_on(core, partition);
}

// A new entry that is older than what we hold: its writer had not seen ours, because the server forked or
// went back.  The greater version wins; whoever wrote the other shall find it in the log.
static void superseded(struct core *core, struct span key, const struct codec_value *lost)
{
    struct map_copy *copy = &core->copy;
    if (!map_get(core->map, key, copy)) {
        return;
    }
    const struct slot *slot = outbox_get(core, key); // then the map shows more than the stream has
    core->counters[CORE_SUPERSEDED]++;
    const struct core_log log = {.what = CORE_LOG_SUPERSEDED,
                                 .key = key,
                                 .version = copy->facts.version,
                                 .value =
                                     slot != NULL ? bytes_span(&slot->base) : map_copy_body(copy),
                                 .other = lost->version,
                                 .other_value = lost->body};
    core_say(core, &log);
}

static void take_pair(struct core *core, const struct stream_entry *entry, uint32_t partition,
                      const struct stream_pair *pair)
{
    const struct hold_place place = {.partition = partition, .id = entry->id};
    struct codec_value value;
    bool ours = false;
    enum hold_result result = HOLD_REJECTED;
    bool parsed = codec_value_parse(pair->value, &value) == ERR_OK && !pair->oversized;
    if (parsed) {
        ours = value.version.writer >> 24 == core_writer(core) >> 24;
    }
    result = hold_pair(core, &place, pair);
    if (parsed) {
        writer_echo(core, partition, pair->key, &value);
    }
    if (!ours) {
        core->counters[CORE_CONSUMED]++;
        core->counters[CORE_DUPLICATE] += result == HOLD_SAME ? 1 : 0;
    }
    if (result == HOLD_OLDER && entry->sequence > core->sessions[partition].scan_end) {
        // Somebody built on less than we hold: the server went back.
        core->counters[CORE_STALE_ENTRIES]++;
        if (!ours && parsed) {
            superseded(core, pair->key, &value);
        }
        repair_plan(core, pair->key, "behind");
    }
}

static void on_entry(struct core *core, const struct stream_event *event)
{
    uint32_t partition = event->partition;
    struct session *session = &core->sessions[partition];
    const struct stream_entry *entry = &event->entry;
    if (session->state != SESSION_TAIL && session->state != SESSION_LIVE) {
        return;
    }
    if (!entry->valid) {
        const struct hold_place place = {.partition = partition, .id = entry->id};
        hold_reject(core, &place, "garbage", entry->count > 0 ? &entry->pairs[0] : NULL);
        return;
    }
    if (strcmp(entry->epoch.text, session->cursor.epoch.text) != 0) {
        session_resync(core, partition, "epoch");
        return;
    }
    if (session->cursor_of_scan && entry->sequence <= session->cursor.sequence) {
        session->cursor.id =
            entry->id; // the id was noted a moment before the meta fields; scanned since
        return;
    }
    if (entry->sequence != session->cursor.sequence + 1) {
        session_resync(core, partition, "gap");
        return;
    }
    session->cursor.id = entry->id;
    session->cursor.sequence = entry->sequence;
    session->cursor_of_scan = false;
    if (entry->floor > session->floor) {
        session->floor = entry->floor;
    }
    for (uint32_t i = 0; i < entry->count; i++) {
        take_pair(core, entry, partition, &entry->pairs[i]);
    }
    if (session->state == SESSION_LIVE) {
        session_compare_digest(core, partition, &entry->digest);
    }
    if (session->state == SESSION_TAIL || session->state == SESSION_LIVE) {
        remember(core, session);
        writer_reader_moved(core, partition);
    }
    if (session->state == SESSION_TAIL && session->cursor.sequence >= session->end) {
        go_live(core, partition);
        session_compare_digest(core, partition, &entry->digest);
    }
}

static void on_status(struct core *core, const struct stream_event *event)
{
    uint32_t partition = event->partition;
    struct session *session = &core->sessions[partition];
    const struct core_log log = {
        .what = CORE_LOG_STREAM, .partition = partition, .text = event->text};
    if (event->text.len > 0) {
        core_say(core, &log);
    }
    // Asked again later, by the tick.
    session->start_at = mono_add_ms(core->now.mono, 1000 + (int64_t)(core_random(core) % 1000));
    session->checking = false;
    session_schedule_check(core, session);
    if (session->state == SESSION_SCAN || session->state == SESSION_END) {
        move(core, partition, SESSION_COLD);
    }
}

void session_event(struct core *core, const struct stream_event *event)
{
    bool failed = event->status != STREAM_OK;
    switch (event->type) {
    case STREAM_EV_META:
        if (!session_meta_answered(core, event->partition)) {
            break;
        }
        if (failed) {
            on_status(core, event);
        } else {
            on_meta(core, event);
        }
        break;
    case STREAM_EV_SCAN:
        if (evict_scanned(core, event)) {
            break;
        }
        if (failed) {
            on_status(core, event);
        } else {
            on_scan(core, event);
        }
        break;
    case STREAM_EV_PROBE:
        if (failed) {
            on_status(core, event);
        } else {
            on_probe(core, event);
        }
        break;
    case STREAM_EV_ENTRY:
        on_entry(core, event);
        break;
    case STREAM_EV_PUT:
        writer_reply(core, event);
        if (event->status == STREAM_EPOCH &&
            core->sessions[event->partition].state == SESSION_LIVE) {
            session_resync(core, event->partition, "epoch");
        }
        break;
    case STREAM_EV_UP:
    case STREAM_EV_DOWN:
    case STREAM_EV_DRAINED:
    case STREAM_EV_BEAT:
    default:
        break;
    }
    if (core->scans_waiting > 0) {
        start_scans(core);
    }
}

void session_up(struct core *core)
{
    for (uint32_t p = 0; p < core->options.partitions; p++) {
        struct session *session = &core->sessions[p];
        if (session->state != SESSION_OFFLINE) {
            continue;
        }
        if (session->has_cursor) {
            move(core, p, SESSION_PROBE);
            session->start_at = (struct mono){0};
            session_ask_meta(core, p);
        } else {
            start_cold(core, p);
        }
    }
}

void session_down(struct core *core)
{
    for (uint32_t p = 0; p < core->options.partitions; p++) {
        if (core->sessions[p].state != SESSION_OFFLINE) {
            writer_connection_lost(core, p);
            core->sessions[p].meta_open = false;
            core->sessions[p].meta_wanted = false;
            evict_cut(core, p);
            move(core, p, SESSION_OFFLINE);
        }
    }
}

bool session_all_live(const struct core *core)
{
    for (uint32_t p = 0; p < core->options.partitions; p++) {
        if (core->sessions[p].state != SESSION_LIVE) {
            return false;
        }
    }
    return true;
}
