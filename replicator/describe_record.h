// SPDX-License-Identifier: Apache-2.0
// A record as one short text, for a line of the log that a person reads when a value was lost:
//
//     10.0.0.1:80 weight=7 zone=eu/eu-1/ owner=a labels=tier:gold,canary:%22yes%22
//     DRAINING reason=disk%20swap actor=anna until=2026-11-25T10:00:00.000Z
//
// Invariant: printable ASCII; what came from outside is percent-encoded, so that it can forge no field; at
// most `cap` - 1 bytes, cut texts end in "...".  Pure, any thread.  Read next: describe.h.
#pragma once

#include "base/span.h"
#include "localmap/model/key.h"

#define DESCRIBE_RECORD_LEN 512 // holds all but the longest labels

// `body` as it stands in the map or in an entry; one that does not decode is named by its wire version and
// length.  Returns the length without the NUL.
size_t describe_record(enum key_kind kind, struct span body, char *buf, size_t cap);
