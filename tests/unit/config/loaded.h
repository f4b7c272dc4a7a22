// SPDX-License-Identifier: Apache-2.0
// What the tests of the configuration share: a load of a text, and rows of a text and all of its errors,
// word for word.
#pragma once

#include "replicator/config.h"
#include "tests/lib/suite.h"

#include <stddef.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

// What a test of one row can say of an instance's or a service's name.
#define NAMES "1 to 255 bytes without control characters, no leading `!`\n"

struct loaded {
    struct config *config;
    struct config_report report;
    enum err err;
};

// The host is called `host` unless the options say otherwise.
struct loaded load(const struct config_options *options);
// The file is called `f`.
struct loaded load_text(const char *text);
void unload(struct loaded *loaded);
// Red unless it loads.
struct config *must_load(const char *text);

struct row {
    const char *text;
    const char *error; // all lines; "" for none
};
void check_rows(const struct row *rows, size_t count);
