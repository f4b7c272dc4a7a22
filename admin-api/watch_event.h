// SPDX-License-Identifier: Apache-2.0
// What a watcher is told: one event for each change of what is shown of an instance.
//
//     event: change               event: change                        event: resync
//     id: 3137...                 id: 3137...                          id: 3137...
//     data: {Instance}            data: {...,"deleted":true}           data: {"index":"3137..."}
//
// An event shows the instance as it is when the event is written, which may be newer than the change: then
// the next event shows the same again.  After a resync the reader lists anew; the events go on from there.
// An instance that was evicted before the watch began cannot be shown: then a resync stands for the change.
// Invariant: a cursor never passes a change that its reader was not told of without a resync.
// [worker].  Read next: watch.h, which feeds the streams.
#pragma once

#include "admin-api/api.h"
#include "base/buf.h"

struct request;

struct watch_cursor {
    uint64_t position;
    uint16_t tenant_len, service_len; // 0: any
    char tenant[KEY_TENANT_MAX];
    char service[KEY_SERVICE_MAX];
};

enum watch_step { WATCH_EVENT, WATCH_SKIPPED, WATCH_IDLE };

// Looks at the next change; appends its event when the cursor wants it.
enum watch_step watch_event_next(struct api *api, struct watch_cursor *cursor, struct buf *buf);

// Appends a resync and moves the cursor to the newest change.
void watch_event_resync(struct api *api, struct watch_cursor *cursor, struct buf *buf);
