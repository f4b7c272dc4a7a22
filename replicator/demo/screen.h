// SPDX-License-Identifier: Apache-2.0
// Shows the demo: on a terminal one table that is drawn again in place, elsewhere a line for each change,
// with -o json nothing but the result.
// [loop]; writes to stdout.  Read next: view.h.
#pragma once

#include "replicator/demo/view.h"

#include <stdbool.h>
#include <stddef.h>

enum screen_form {
    SCREEN_TABLE, // redrawn in place
    SCREEN_LINES, // appended
    SCREEN_QUIET  // the result only, as JSON
};

struct screen {
    enum screen_form form;
    bool colours;
    size_t line_count; // of the table that stands on the terminal
};

// Table or lines, by what stdout is and whether the table of so many nodes fits on it; `json` makes it
// quiet.
void screen_init(struct screen *screen, bool json, size_t node_count);

// SCREEN_TABLE: draws.  Else nothing.
void screen_draw(struct screen *screen, const struct view *view);
// A line of its own: above the table, or among the lines.  To stderr when quiet.
void screen_note(struct screen *screen, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
// SCREEN_LINES: one node shows another status.
void screen_change(struct screen *screen, const struct view *view, size_t backend, size_t node);
// The last lines.
void screen_result(struct screen *screen, const struct score *score, bool converged);
