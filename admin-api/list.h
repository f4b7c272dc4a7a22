// SPDX-License-Identifier: Apache-2.0
// Long lists, piece by piece: a cursor remembers after which key to go on, so that no answer is ever held
// whole in memory, and the worker is not kept by one reader.
//
//     {"items":[  item ,item ... | ,item ... | ...  ],"index":"..."}
//      list_begin                  list_more          list_more returns false
//
// Invariant: the index is read before the first item; who lists and then watches since it misses nothing.
// [worker].  Read next: instance.h, watch.h.
#pragma once

#include "admin-api/api.h"
#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

#define LIST_PIECE_LEN 49152 // a piece ends with the first item that passes it

enum list_kind { LIST_SERVICES, LIST_INSTANCES };

struct list_cursor {
    enum list_kind kind;
    struct key_bytes within; // LIST_SERVICES: `tenant 0`; LIST_INSTANCES: `tenant 0 service`
    struct key_bytes after;  // the last key looked at
    bool comma;              // an item was written before
    uint64_t index;
};

void list_begin(struct api *api, enum list_kind kind, const struct key_bytes *within,
                struct list_cursor *ret_cursor);

// Appends the next piece.  false: that was the last one, or the buffer is broken: ERR_BUSY when what is listed
// was evicted meanwhile.
bool list_more(struct api *api, struct list_cursor *cursor, struct buf *buf);

// One service as an item of the list.
void list_write_service(const struct map_service *service, struct buf *buf);
