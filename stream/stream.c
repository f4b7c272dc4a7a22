// SPDX-License-Identifier: Apache-2.0
#include "stream/stream.h"

#include "base/assert.h"

void stream_start(struct stream *stream)
{
    stream->ops->start(stream);
}

void stream_free(struct stream *stream)
{
    if (stream != NULL) {
        stream->ops->free(stream);
    }
}

void stream_reload(struct stream *stream)
{
    if (stream->ops->reload != NULL) {
        stream->ops->reload(stream);
    }
}

void stream_meta(struct stream *stream, uint32_t partition)
{
    stream->ops->meta(stream, partition);
}

void stream_create(struct stream *stream, uint32_t partition, const struct stream_epoch *epoch)
{
    ASSERT(strlen(epoch->text) == STREAM_EPOCH_LEN);
    stream->ops->create(stream, partition, epoch);
}

void stream_scan(struct stream *stream, uint32_t partition, uint64_t cursor)
{
    stream->ops->scan(stream, partition, cursor);
}

void stream_probe(struct stream *stream, uint32_t partition, struct stream_id id)
{
    stream->ops->probe(stream, partition, id);
}

void stream_read(struct stream *stream, uint32_t partition, struct stream_id after,
                 bool catching_up)
{
    stream->ops->read(stream, partition, after, catching_up);
}

void stream_unread(struct stream *stream, uint32_t partition)
{
    stream->ops->unread(stream, partition);
}

void stream_put(struct stream *stream, uint32_t partition, const struct stream_epoch *epoch,
                const struct stream_record *records, uint32_t count)
{
    ASSERT(count > 0 && count <= STREAM_PUT_RECORDS_MAX);
    const struct stream_batch batch = {partition, epoch, records, count};
    stream->ops->put(stream, &batch);
}

void stream_beat(struct stream *stream, struct span name, struct span payload, int64_t lease_ms)
{
    stream->ops->beat(stream, name, payload, lease_ms);
}

void stream_forget(struct stream *stream, struct span name)
{
    stream->ops->forget(stream, name);
}

void stream_info(const struct stream *stream, struct stream_info *ret_info)
{
    stream->ops->info(stream, ret_info);
}
