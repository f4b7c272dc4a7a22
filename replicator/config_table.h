// SPDX-License-Identifier: Apache-2.0
// The rows of config.def as data, and how a key is found by what people call it.
// Invariant: config_table[id] is the row of `id`; names, also those of the environment, are distinct.
// Pure, any thread.  Read next: config_value.h.
#pragma once

#include "base/span.h"
#include "replicator/config.h"

#include <stdbool.h>
#include <stddef.h>

enum config_step {
#define CONFIG_STEP(name, available) CONFIG_STEP_##name,
#include "replicator/config.def"
    CONFIG_STEP_COUNT
};

enum config_type {
    CONFIG_TYPE_STRING,
    CONFIG_TYPE_NUMBER,
    CONFIG_TYPE_POWER,
    CONFIG_TYPE_DURATION,
    CONFIG_TYPE_BOOL,
    CONFIG_TYPE_WORD,
    CONFIG_TYPE_LIST
};

// What a string, or an element of a list, must look like (config_form.c).
enum config_form {
    CONFIG_FORM_NODE_ID,
    CONFIG_FORM_NAME,
    CONFIG_FORM_PREFIX,
    CONFIG_FORM_PATH,
    CONFIG_FORM_UNIX,
    CONFIG_FORM_LISTEN,
    CONFIG_FORM_MODE,
    CONFIG_FORM_STREAM_URL,
    CONFIG_FORM_HTTP_URL,
    CONFIG_FORM_CLUSTER_NAME,
    CONFIG_FORM_RATE,
    CONFIG_FORM_CIDR,
    CONFIG_FORM_UID,
    CONFIG_FORM_HOST,
    CONFIG_FORM_COUNT
};

struct config_row {
    const char *section, *key;
    enum config_type type;
    enum config_form form;
    enum config_step step;
    size_t offset;         // of the field in struct config
    const char *value;     // the default, as it would stand in a file
    const char *min, *max; // NUMBER, POWER, DURATION
    const char *words;     // WORD: separated by blanks
    const char *help;
};

struct config_section {
    const char *name, *help;
};

#define CONFIG_NAME_MAX 64 // "section.key" and "MESHPULSE_SECTION_KEY" with their NULs

extern const struct config_row config_table[CONFIG_KEY_COUNT];
extern const struct config_section config_sections[];
extern const size_t config_section_count;

bool config_step_available(enum config_step step);
// "section.key"
void config_row_name(const struct config_row *row, char ret_name[CONFIG_NAME_MAX]);
// "MESHPULSE_SECTION_KEY"
void config_row_env(const struct config_row *row, char ret_name[CONFIG_NAME_MAX]);

// NULL: there is none.
const struct config_section *config_find_section(struct span name);
const struct config_row *config_find(struct span section, struct span key);
const struct config_row *config_find_env(struct span name);

// The nearest of `words`: at most a third of the letters differ (put in, left out, replaced, or swapped with
// their neighbour), of a short word one.  NULL: none is near.
const char *config_nearest(struct span word, const char *const *words, size_t count);
