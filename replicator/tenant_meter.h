// SPDX-License-Identifier: Apache-2.0
// Tenants as metrics: the largest by name, all others as `other`.
// Invariant: a tenant that once had a name keeps it, so that its series do not end in the middle; once the names
// are used up, newcomers count as `other`, and only who was among the largest has ever taken one.
// One thread at a time.  Read next: localmap/map.h (tenants), meter.h.
#pragma once

#include "localmap/model/key.h"

#include <stdint.h>

#define TENANT_METER_NAMES_MAX 62 // beside `other`, of the 64 series that a label may have
#define TENANT_METER_LARGEST 32   // of a look: those may take a name

struct map;

// Starts as zeros.
struct tenant_meter {
    char names[TENANT_METER_NAMES_MAX][KEY_TENANT_MAX + 1];
    uint32_t count;
};

void tenant_meter_refresh(struct tenant_meter *meter, const struct map *map);
