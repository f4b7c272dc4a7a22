// SPDX-License-Identifier: Apache-2.0
#include "localmap/table/wait_ring.h"

#include "localmap/table/trace.h"

#include <pthread.h>
#include <stdlib.h>
#include <unwind.h>

struct wait_ring {
    struct trace *trace;
    // Rank 35, below none: its holder copies one entry and calls nobody.  Guards all below.
    pthread_mutex_t mutex;
    uint64_t next;
    struct wait_entry entries[WAIT_RING_PLACES];
};

enum err wait_ring_new(struct wait_ring **ret_ring)
{
    struct wait_ring *ring = calloc(1, sizeof(*ring));
    if (ring == NULL) {
        return ERR_NOMEM;
    }
    if (trace_new(&ring->trace) != ERR_OK) {
        free(ring);
        return ERR_NOMEM;
    }
    if (pthread_mutex_init(&ring->mutex, NULL) != 0) {
        trace_free(ring->trace);
        free(ring);
        return ERR_NOMEM;
    }
    *ret_ring = ring;
    return ERR_OK;
}

void wait_ring_free(struct wait_ring *ring)
{
    if (ring == NULL) {
        return;
    }
    pthread_mutex_destroy(&ring->mutex);
    trace_free(ring->trace);
    free(ring);
}

struct trace *wait_ring_trace(const struct wait_ring *ring)
{
    return ring->trace;
}

void wait_ring_add(struct wait_ring *ring, const struct wait_entry *entry)
{
    pthread_mutex_lock(&ring->mutex);
    ring->entries[ring->next++ % WAIT_RING_PLACES] = *entry;
    pthread_mutex_unlock(&ring->mutex);
}

uint64_t wait_ring_next(struct wait_ring *ring)
{
    pthread_mutex_lock(&ring->mutex);
    const uint64_t next = ring->next;
    pthread_mutex_unlock(&ring->mutex);
    return next;
}

bool wait_ring_get(struct wait_ring *ring, uint64_t number, struct wait_entry *ret_entry,
                   uint64_t *ret_number)
{
    pthread_mutex_lock(&ring->mutex);
    const uint64_t next = ring->next;
    if (number < next) {
        const uint64_t oldest = next > WAIT_RING_PLACES ? next - WAIT_RING_PLACES : 0;
        *ret_number = number > oldest ? number : oldest;
        *ret_entry = ring->entries[*ret_number % WAIT_RING_PLACES];
    }
    pthread_mutex_unlock(&ring->mutex);
    return number < next;
}

static _Unwind_Reason_Code add_frame(struct _Unwind_Context *context, void *arg)
{
    struct wait_entry *entry = arg;
    entry->stack[entry->stack_len++] = _Unwind_GetIP(context);
    return entry->stack_len < WAIT_STACK_MAX ? _URC_NO_REASON : _URC_END_OF_STACK;
}

// Not backtrace(3): its first call loads this same library, which takes memory and time.
void wait_stack(struct wait_entry *entry)
{
    entry->stack_len = 0;
    _Unwind_Backtrace(add_frame, entry);
}
