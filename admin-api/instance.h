// SPDX-License-Identifier: Apache-2.0
// An instance as people see it: its registration, override, observations and health as one JSON object.
//
//     map: registration (+ health)  --.
//          override                  --+--> {"tenant":...,"observations":[...],"version":"12-...","acked":true}
//          observations              --'
//
// Each record is a consistent copy; the object as a whole is what a reader of the map would have seen record
// by record.  At most INSTANCE_OBSERVATIONS_MAX observations are shown.
// Uses api->scratch, hence [worker].  Read next: response.h, localmap/map.h.
#pragma once

#include "admin-api/api.h"
#include "admin-api/etag.h"
#include "base/buf.h"

struct response;

#define INSTANCE_OBSERVATIONS_MAX 256

// What to show, and what was shown.
struct instance_view {
    const struct key_bytes *registration;
    const char *before; // appended before the object, if there is one; NULL: nothing
    bool without_observations;

    struct version version; // out: of the registration
    uint64_t pending;       // out: patches of all its records
    bool evicted;           // out: it is there, but not its body; it has been asked for
};

// Is there a registration to show?
bool instance_exists(struct api *api, const struct key_bytes *registration);

// Appends the object.  false: there is nothing to show, nothing was appended.
bool instance_write(struct api *api, struct instance_view *view, struct buf *buf);

// Appends {"tenant","service","id","deleted":true}.
void instance_write_deleted(const struct key_bytes *registration, struct buf *buf);

// Answers with the instance and its ETag, or with "deleted" when it has gone meanwhile.
void instance_answer(struct api *api, const struct key_bytes *registration, unsigned status,
                     struct response *response);

// 412 with the instance as `current`.
void instance_answer_stale(struct api *api, const struct key_bytes *registration,
                           struct response *response);
