// SPDX-License-Identifier: Apache-2.0
#include "base/deadlines.h"

#include <stddef.h>

static void earliest(struct deadlines_due *due, struct mono at, const char *text)
{
    if (at.us < due->at.us) {
        *due = (struct deadlines_due){at, text};
    }
}

struct deadlines_due deadlines_next(const struct deadlines *deadlines, enum deadlines_phase phase,
                                    bool output_waits)
{
    struct deadlines_due due = {{INT64_MAX}, ""};
    if (phase <= DEADLINES_HANDSHAKE) {
        earliest(&due, deadlines->open_by,
                 phase == DEADLINES_CONNECTING ? "not connected in time"
                                               : "TLS handshake not done in time");
    }
    if (deadlines->total_text != NULL) {
        earliest(&due, deadlines->total, deadlines->total_text);
    }
    if (deadlines->idle_ms > 0 && phase == DEADLINES_OPEN) {
        earliest(&due, mono_add_ms(deadlines->active_at, deadlines->idle_ms),
                 "no byte moved within the idle timeout");
    }
    if (deadlines->write_ms > 0 && output_waits) {
        earliest(&due, mono_add_ms(deadlines->progress_at, deadlines->write_ms),
                 "the peer takes no output");
    }
    return due;
}
