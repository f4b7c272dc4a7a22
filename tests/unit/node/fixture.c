// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/node/fixture.h"

#include "base/loop.h"

#include <string.h>

static struct fixture *of(const struct stream *stream)
{
    struct fixture *fixture = NULL;
    memcpy(&fixture, &stream->arg, sizeof(fixture));
    return fixture;
}

static void fake_start(struct stream *stream)
{
    (void)stream;
}

static void fake_meta(struct stream *stream, uint32_t partition)
{
    (void)partition;
    of(stream)->metas++;
}

static void fake_create(struct stream *stream, uint32_t partition, const struct stream_epoch *epoch)
{
    (void)stream;
    (void)partition;
    (void)epoch;
}

static void fake_scan(struct stream *stream, uint32_t partition, uint64_t cursor)
{
    (void)stream;
    (void)partition;
    (void)cursor;
}

static void fake_probe(struct stream *stream, uint32_t partition, struct stream_id id)
{
    (void)stream;
    (void)partition;
    (void)id;
}

static void fake_read(struct stream *stream, uint32_t partition, struct stream_id after,
                      bool catching_up)
{
    (void)stream;
    (void)partition;
    (void)after;
    (void)catching_up;
}

static void fake_unread(struct stream *stream, uint32_t partition)
{
    (void)stream;
    (void)partition;
}

static void fake_put(struct stream *stream, const struct stream_batch *batch)
{
    (void)batch;
    of(stream)->puts++;
}

static void fake_beat(struct stream *stream, struct span name, struct span payload,
                      int64_t lease_ms)
{
    (void)name;
    (void)payload;
    (void)lease_ms;
    of(stream)->beats++;
}

static void fake_forget(struct stream *stream, struct span name)
{
    (void)name;
    of(stream)->forgets++;
}

static void fake_info(const struct stream *stream, struct stream_info *ret_info)
{
    memset(ret_info, 0, sizeof(*ret_info));
    ret_info->backend = "fake";
    ret_info->connected = of(stream)->connected;
}

static const struct stream_ops fake_ops = {
    .start = fake_start,
    .meta = fake_meta,
    .create = fake_create,
    .scan = fake_scan,
    .probe = fake_probe,
    .read = fake_read,
    .unread = fake_unread,
    .put = fake_put,
    .beat = fake_beat,
    .forget = fake_forget,
    .info = fake_info,
};

static void on_target(void *arg, struct span key, const struct core_target *target)
{
    struct fixture *fixture = arg;
    (void)key;
    (void)target;
    fixture->targets++;
}

static void on_warm(void *arg)
{
    struct fixture *fixture = arg;
    fixture->warm++;
}

static void on_misconfigured(void *arg)
{
    struct fixture *fixture = arg;
    fixture->misconfigured++;
}

static void on_measure(void *arg)
{
    struct fixture *fixture = arg;
    fixture->measures++;
}

static void on_other(void *arg)
{
    (void)arg;
}

bool fixture_init(struct fixture *fixture)
{
    memset(fixture, 0, sizeof(*fixture));
    fixture->stream = (struct stream){.ops = &fake_ops, .arg = fixture};
    const struct map_options map = {
        .shards = 4, .partitions = FIXTURE_PARTITIONS, .changefeed = 1024, .instance = 1};
    const struct core_options core = {.node_id = SPAN_LIT("a"),
                                      .zone = SPAN_LIT("z1"),
                                      .release = SPAN_LIT("0"),
                                      .partitions = FIXTURE_PARTITIONS,
                                      .lease_ms = 15000,
                                      .resync_min_ms = 30000,
                                      .seed = 7};
    if (loop_new(&fixture->loop) == ERR_OK && map_new(&map, &fixture->map) == ERR_OK &&
        board_new("a", FIXTURE_PARTITIONS, &fixture->board) == ERR_OK) {
        const struct driver_options options = {.loop = fixture->loop,
                                               .map = fixture->map,
                                               .board = fixture->board,
                                               .core = &core,
                                               .on_target = on_target,
                                               .on_ready = on_other,
                                               .on_warm = on_warm,
                                               .on_misconfigured = on_misconfigured,
                                               .on_measure = on_measure,
                                               .arg = fixture};
        if (driver_new(&options, &fixture->driver) == ERR_OK) {
            return true;
        }
    }
    fixture_fini(fixture);
    return false;
}

void fixture_fini(struct fixture *fixture)
{
    driver_free(fixture->driver);
    board_free(fixture->board);
    map_free(fixture->map);
    loop_free(fixture->loop);
}

void fixture_start(struct fixture *fixture)
{
    driver_start(fixture->driver, &fixture->stream);
}

void fixture_up(struct fixture *fixture)
{
    const struct stream_event up = {.type = STREAM_EV_UP};
    fixture->connected = true;
    driver_on_stream(fixture->driver, &up);
}

struct key_bytes fixture_key(const char *id)
{
    struct key_bytes key;
    key_registration(SPAN_LIT("default"), SPAN_LIT("pay"), span_str(id), &key);
    return key;
}

struct patch fixture_patch(uint32_t port)
{
    return (struct patch){
        .op = PATCH_PUT,
        .record = {.kind = KEY_REGISTRATION,
                   .registration = {.address = SPAN_LIT("127.0.0.1"), .port = port, .weight = 1}}};
}
