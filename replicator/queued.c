// SPDX-License-Identifier: Apache-2.0
#include "replicator/queued.h"

#include "base/assert.h"

#include <string.h>

// Stands before the key and what follows it: the patch, or the text of a judgement.
struct head {
    enum queued_kind kind;
    uint32_t key_len;
    union {
        struct {
            enum core_precondition precondition;
            bool ack_stream;
            struct version version;
        } write;
        struct {
            enum status status;
            enum reason reason;
            uint64_t latency_us;
            uint64_t ticket;
            bool news;
        } judgement;
    };
};

_Static_assert(sizeof(struct head) + KEY_LEN_MAX + PATCH_LEN_MAX <= WRITE_QUEUE_DATA_MAX,
               "too large");
_Static_assert(RECORD_TEXT_MAX <= PATCH_LEN_MAX, "a text needs no more room than a patch");

static void append(struct queued_bytes *bytes, const void *part, size_t len)
{
    ASSERT(len <= sizeof(bytes->ptr) - bytes->len);
    if (len > 0) {
        memcpy(bytes->ptr + bytes->len, part, len);
        bytes->len += len;
    }
}

enum err queued_from_write(const struct core_write *write, struct queued_bytes *ret_bytes)
{
    struct head head;
    memset(&head, 0, sizeof(head));
    head.kind = QUEUED_WRITE;
    head.key_len = (uint32_t)write->key.len;
    head.write.precondition = write->precondition;
    head.write.ack_stream = write->ack_stream;
    head.write.version = write->version;
    ret_bytes->len = 0;
    append(ret_bytes, &head, sizeof(head));
    append(ret_bytes, write->key.ptr, write->key.len);
    size_t len = patch_write(write->patch, ret_bytes->ptr + ret_bytes->len, PATCH_LEN_MAX);
    ret_bytes->len += len;
    return len > 0 ? ERR_OK : ERR_TOO_LARGE;
}

void queued_from_judgement(const struct check_judgement *judgement, struct queued_bytes *ret_bytes)
{
    struct head head;
    memset(&head, 0, sizeof(head));
    head.kind = QUEUED_JUDGEMENT;
    head.key_len = (uint32_t)judgement->registration_key.len;
    head.judgement.status = judgement->status;
    head.judgement.reason = judgement->reason;
    head.judgement.latency_us = judgement->latency_us;
    head.judgement.ticket = judgement->ticket;
    head.judgement.news = judgement->news;
    ret_bytes->len = 0;
    append(ret_bytes, &head, sizeof(head));
    append(ret_bytes, judgement->registration_key.ptr, judgement->registration_key.len);
    append(ret_bytes, judgement->text.ptr, judgement->text.len);
}

void queued_read(struct span bytes, struct queued *ret_queued)
{
    struct head head;
    ASSERT(bytes.len >= sizeof(head));
    memcpy(&head, bytes.ptr, sizeof(head));
    ASSERT(head.key_len <= bytes.len - sizeof(head));
    struct span key = span_of(bytes.ptr + sizeof(head), head.key_len);
    struct span rest = span_of(key.ptr + key.len, bytes.len - sizeof(head) - key.len);
    ret_queued->kind = head.kind;
    if (head.kind == QUEUED_JUDGEMENT) {
        ret_queued->judgement = (struct check_judgement){.registration_key = key,
                                                         .status = head.judgement.status,
                                                         .reason = head.judgement.reason,
                                                         .text = rest,
                                                         .latency_us = head.judgement.latency_us,
                                                         .ticket = head.judgement.ticket,
                                                         .news = head.judgement.news};
        return;
    }
    enum err err = patch_read(rest, &ret_queued->patch);
    ASSERT(err == ERR_OK); // we wrote it ourselves
    ret_queued->write = (struct core_write){.key = key,
                                            .patch = &ret_queued->patch,
                                            .precondition = head.write.precondition,
                                            .version = head.write.version,
                                            .ack_stream = head.write.ack_stream};
}
