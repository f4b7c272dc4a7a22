// SPDX-License-Identifier: Apache-2.0
#include "stream/memory.h"
#include "stream/memory_state.h"
#include "tests/contract/rig.h"
#include "tests/lib/suite.h"

static void memory_open(struct rig *rig)
{
    const struct memory_options options = {.partitions = RIG_PARTITIONS,
                                           .retention = 100000,
                                           .seed = 1,
                                           .wall_offset_ms = INT64_C(1764000000000)};
    CHECK_OK(memory_server_new(&options, &rig->memory));
}

static void memory_close(struct rig *rig)
{
    memory_server_free(rig->memory);
}

static enum err memory_client(struct rig *rig, stream_event_fn on_event, void *arg,
                              struct stream **ret)
{
    return memory_client_new(rig->memory, on_event, arg, ret);
}

static void memory_pump(struct rig *rig)
{
    rig->now_us += 1000;
    memory_server_step(rig->memory, (struct mono){rig->now_us});
}

static void memory_flush(struct rig *rig)
{
    memory_server_flush(rig->memory);
}

static void memory_trim(struct rig *rig, uint32_t partition, size_t keep)
{
    memory_server_trim(rig->memory, partition, keep);
}

static void memory_lose_last(struct rig *rig, uint32_t partition)
{
    const struct memory_partition *at = memory_server_partition(rig->memory, partition);
    memory_server_lose(rig->memory, partition, at->log_end - at->log_start - 1);
}

static void memory_garbage_entry(struct rig *rig, uint32_t partition, struct span key,
                                 struct span value)
{
    CHECK_OK(memory_server_garbage(rig->memory, partition, key, value));
}

static struct memory_partition *inside(struct rig *rig, uint32_t partition)
{
    return (struct memory_partition *)(uintptr_t)memory_server_partition(rig->memory, partition);
}

static void memory_garbage_record(struct rig *rig, uint32_t partition, struct span key,
                                  struct span value)
{
    CHECK_OK(memory_partition_plant(inside(rig, partition), key, value));
}

static void memory_foreign_entry(struct rig *rig, uint32_t partition,
                                 const struct stream_entry *entry)
{
    CHECK_OK(memory_server_append(rig->memory, partition, entry));
}

static void memory_mistype(struct rig *rig, uint32_t partition, enum memory_key key)
{
    memory_server_mistype(rig->memory, partition, key);
}

static void memory_mend(struct rig *rig, uint32_t partition, enum memory_key key)
{
    memory_server_mend(rig->memory, partition, key);
}

static void memory_claim(struct rig *rig, uint32_t partition, uint32_t partitions, uint32_t wire)
{
    memory_server_claim(rig->memory, partition, partitions, wire);
}

static void memory_forget_scripts(struct rig *rig)
{
    memory_server_forget_scripts(rig->memory);
}

static void memory_floor(struct rig *rig, uint32_t partition, uint64_t floor)
{
    inside(rig, partition)->meta.floor = floor;
}

static void memory_cut(struct rig *rig, uint32_t client)
{
    memory_client_cut(rig->clients[client].stream);
    memory_client_mend(rig->clients[client].stream);
}

static void memory_wait_ms(struct rig *rig, int64_t ms)
{
    rig->now_us += ms * 1000;
    memory_server_step(rig->memory, (struct mono){rig->now_us});
}

const struct rig_backend rig_memory = {.name = "memory",
                                       .open = memory_open,
                                       .close = memory_close,
                                       .client = memory_client,
                                       .pump = memory_pump,
                                       .flush = memory_flush,
                                       .trim = memory_trim,
                                       .lose_last = memory_lose_last,
                                       .garbage_entry = memory_garbage_entry,
                                       .garbage_record = memory_garbage_record,
                                       .foreign_entry = memory_foreign_entry,
                                       .mistype = memory_mistype,
                                       .mend = memory_mend,
                                       .claim = memory_claim,
                                       .forget_scripts = memory_forget_scripts,
                                       .floor = memory_floor,
                                       .cut = memory_cut,
                                       .wait_ms = memory_wait_ms};
