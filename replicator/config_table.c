// SPDX-License-Identifier: Apache-2.0
#include "replicator/config_table.h"

#include "base/assert.h"

#include <stddef.h>
#include <stdio.h>

#define FIELD(section, key) offsetof(struct config, section##_##key)

const struct config_row config_table[CONFIG_KEY_COUNT] = {
#define CONFIG_STRING(section_, key_, value_, form_, step_, help_)                                 \
    {.section = #section_,                                                                         \
     .key = #key_,                                                                                 \
     .type = CONFIG_TYPE_STRING,                                                                   \
     .value = value_,                                                                              \
     .form = CONFIG_FORM_##form_,                                                                  \
     .step = CONFIG_STEP_##step_,                                                                  \
     .help = help_,                                                                                \
     .offset = FIELD(section_, key_)},
#define CONFIG_NUMBER(section_, key_, value_, min_, max_, step_, help_)                            \
    {.section = #section_,                                                                         \
     .key = #key_,                                                                                 \
     .type = CONFIG_TYPE_NUMBER,                                                                   \
     .value = #value_,                                                                             \
     .min = #min_,                                                                                 \
     .max = #max_,                                                                                 \
     .step = CONFIG_STEP_##step_,                                                                  \
     .help = help_,                                                                                \
     .offset = FIELD(section_, key_)},
#define CONFIG_POWER(section_, key_, value_, min_, max_, step_, help_)                             \
    {.section = #section_,                                                                         \
     .key = #key_,                                                                                 \
     .type = CONFIG_TYPE_POWER,                                                                    \
     .value = #value_,                                                                             \
     .min = #min_,                                                                                 \
     .max = #max_,                                                                                 \
     .step = CONFIG_STEP_##step_,                                                                  \
     .help = help_,                                                                                \
     .offset = FIELD(section_, key_)},
#define CONFIG_DURATION(section_, key_, value_, min_, max_, step_, help_)                          \
    {.section = #section_,                                                                         \
     .key = #key_,                                                                                 \
     .type = CONFIG_TYPE_DURATION,                                                                 \
     .value = #value_,                                                                             \
     .min = #min_,                                                                                 \
     .max = #max_,                                                                                 \
     .step = CONFIG_STEP_##step_,                                                                  \
     .help = help_,                                                                                \
     .offset = offsetof(struct config, section_##_##key_##_ms)},
#define CONFIG_BOOL(section_, key_, value_, step_, help_)                                          \
    {.section = #section_,                                                                         \
     .key = #key_,                                                                                 \
     .type = CONFIG_TYPE_BOOL,                                                                     \
     .value = #value_,                                                                             \
     .step = CONFIG_STEP_##step_,                                                                  \
     .help = help_,                                                                                \
     .offset = FIELD(section_, key_)},
#define CONFIG_WORD(section_, key_, value_, words_, step_, help_)                                  \
    {.section = #section_,                                                                         \
     .key = #key_,                                                                                 \
     .type = CONFIG_TYPE_WORD,                                                                     \
     .value = #value_,                                                                             \
     .words = words_,                                                                              \
     .step = CONFIG_STEP_##step_,                                                                  \
     .help = help_,                                                                                \
     .offset = FIELD(section_, key_)},
#define CONFIG_LIST(section_, key_, form_, step_, help_)                                           \
    {.section = #section_,                                                                         \
     .key = #key_,                                                                                 \
     .type = CONFIG_TYPE_LIST,                                                                     \
     .value = "",                                                                                  \
     .form = CONFIG_FORM_##form_,                                                                  \
     .step = CONFIG_STEP_##step_,                                                                  \
     .help = help_,                                                                                \
     .offset = FIELD(section_, key_)},
#include "replicator/config.def"
};

const struct config_section config_sections[] = {
#define CONFIG_SECTION(section_, help_) {#section_, help_},
#include "replicator/config.def"
};
const size_t config_section_count = sizeof(config_sections) / sizeof(config_sections[0]);

bool config_step_available(enum config_step step)
{
    static const bool available[CONFIG_STEP_COUNT] = {
#define CONFIG_STEP(name, available_) available_,
#include "replicator/config.def"
    };
    return available[step];
}

void config_row_name(const struct config_row *row, char ret_name[CONFIG_NAME_MAX])
{
    int len = snprintf(ret_name, CONFIG_NAME_MAX, "%s.%s", row->section, row->key);
    ASSERT(len > 0 && len < CONFIG_NAME_MAX);
}

void config_row_env(const struct config_row *row, char ret_name[CONFIG_NAME_MAX])
{
    int len = snprintf(ret_name, CONFIG_NAME_MAX, "MESHPULSE_%s_%s", row->section, row->key);
    ASSERT(len > 0 && len < CONFIG_NAME_MAX);
    for (int i = 0; i < len; i++) {
        bool lower = ret_name[i] >= 'a' && ret_name[i] <= 'z';
        ret_name[i] = lower ? (char)(ret_name[i] - 'a' + 'A') : ret_name[i];
    }
}

const struct config_section *config_find_section(struct span name)
{
    for (size_t i = 0; i < config_section_count; i++) {
        if (span_eq_str(name, config_sections[i].name)) {
            return &config_sections[i];
        }
    }
    return NULL;
}

const struct config_row *config_find(struct span section, struct span key)
{
    for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
        if (span_eq_str(section, config_table[i].section) &&
            span_eq_str(key, config_table[i].key)) {
            return &config_table[i];
        }
    }
    return NULL;
}

const struct config_row *config_find_env(struct span name)
{
    for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
        char env[CONFIG_NAME_MAX];
        config_row_env(&config_table[i], env);
        if (span_eq_str(name, env)) {
            return &config_table[i];
        }
    }
    return NULL;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

// Optimal string alignment (Damerau 1964), by three rows of its table.
static size_t distance(struct span a, struct span b)
{
    size_t rows[3][CONFIG_NAME_MAX + 1];
    for (size_t j = 0; j <= b.len; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= a.len; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i + 2) % 3];
        const size_t *above2 = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t replaced = above[j - 1] + (a.ptr[i - 1] != b.ptr[j - 1]);
            row[j] = least(replaced, least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] && a.ptr[i - 2] == b.ptr[j - 1]) {
                row[j] = least(row[j], above2[j - 2] + 1);
            }
        }
    }
    return rows[a.len % 3][b.len];
}

const char *config_nearest(struct span word, const char *const *words, size_t count)
{
    const char *nearest = NULL;
    size_t best = (word.len < 3 ? 1 : word.len / 3) + 1;
    if (word.len == 0 || word.len > CONFIG_NAME_MAX) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        struct span other = span_str(words[i]);
        size_t far = other.len > CONFIG_NAME_MAX ? best : distance(word, other);
        if (far < best) {
            best = far;
            nearest = words[i];
        }
    }
    return nearest;
}
