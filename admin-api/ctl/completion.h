// SPDX-License-Identifier: Apache-2.0
// Completion for bash, zsh and fish: scripts made from commands.def and options.def, complete in themselves;
// they run no program while somebody types.
//
//     command_table, option_table, settings --completion_write--> the text of one script
//
// Invariant: what a script offers is what arguments_parse takes.
// Pure, any thread; errors stay in the buffer.  Read next: completion_value.h, arguments.h.
#pragma once

#include <stddef.h>

struct buf;

struct completion_options {
    const char *const *settings; // "section.key": what --set knows
    size_t setting_count;
};

// `shell`: "bash", "zsh" or "fish" (asserted).
void completion_write(const char *shell, const struct completion_options *options, struct buf *out);
