// SPDX-License-Identifier: Apache-2.0
// What can be offered where a value or an operand stands, read from how the tables write it.
// Pure, any thread.  Internal to completion*.c.
#pragma once

#include "admin-api/ctl/completion.h"

#include <stdbool.h>

struct buf;
struct command;

enum completion_kind {
    COMPLETION_FREE,     // nothing
    COMPLETION_WORDS,    // one of a closed list
    COMPLETION_FILE,     // a path
    COMPLETION_STATUS,   // a word for health
    COMPLETION_STATUSES, // some of them, parted by commas
    COMPLETION_SETTING,  // SECTION.KEY=
    COMPLETION_SERVER    // how an URL of a daemon begins
};

#define COMPLETION_SERVERS "http:// https:// unix:"

enum completion_kind completion_value_kind(const char *value);

// "a|b|c" as "a b c".
void completion_value_words(const char *value, struct buf *out);

// Does the command take the option?
bool completion_value_takes(const struct command *command, size_t option_id);

void completion_bash(const struct completion_options *options, struct buf *out);
void completion_zsh(const struct completion_options *options, struct buf *out);
void completion_fish(const struct completion_options *options, struct buf *out);
