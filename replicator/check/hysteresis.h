// SPDX-License-Identifier: Apache-2.0
// Rise and fall in one integer, as haproxy keeps them.
//
//     value    -fall .. -1     0 .. rise-1        rise .. rise+fall-1
//     status   UNKNOWN         UNHEALTHY          HEALTHY
//     passed   top             +1; rise -> top    top                     top = rise+fall-1
//     failed   +1              0                  -1; below rise -> 0
//
// So `rise` successes in a row make an unhealthy target healthy, `fall` failures in a row a healthy one
// unhealthy, and one result to the contrary starts the count anew.  A target that was never judged is
// healthy at its first success (as Envoy does with a new host: no start-up penalty of rise x interval),
// and unhealthy only after `fall` failures: one lost packet of one observer is no verdict.
// The status is *settled* at 0 and top, where the next result like the last changes nothing.
// Pure, any thread.
#pragma once

#include "localmap/model/record.h"

#include <stdbool.h>
#include <stdint.h>

struct hysteresis {
    int32_t value;
    uint32_t rise, fall; // >= 1
};

// 0 counts as 1.
void hysteresis_init(struct hysteresis *hysteresis, uint32_t rise, uint32_t fall);
// Other terms: the status stays, the count to the contrary starts anew.
void hysteresis_terms(struct hysteresis *hysteresis, uint32_t rise, uint32_t fall);
// One result.
void hysteresis_step(struct hysteresis *hysteresis, bool passed);
// UNKNOWN, UNHEALTHY or HEALTHY.
enum status hysteresis_status(const struct hysteresis *hysteresis);
bool hysteresis_settled(const struct hysteresis *hysteresis);
