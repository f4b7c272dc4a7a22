// SPDX-License-Identifier: Apache-2.0
// The words for health, as people type them: in either case, and as sets.
// Pure, any thread.  Read next: localmap/model/model.def.
#pragma once

#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>

#define STATUS_WORDS "UNKNOWN HEALTHY UNHEALTHY DRAINING TIMEOUT DEGRADED"

// The word as the API writes it; NULL: no such word.
const char *status_word(struct span text);

// "UNHEALTHY,timeout" as a set.  ERR_SYNTAX: a part is no word.
enum err status_set_parse(const char *list, unsigned *ret_set) MUST_USE;
bool status_set_has(unsigned set, struct span status);
