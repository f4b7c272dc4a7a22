// SPDX-License-Identifier: Apache-2.0
#include "admin-api/ctl/completion.h"

#include "admin-api/ctl/arguments.h"
#include "admin-api/ctl/completion_value.h"
#include "base/assert.h"
#include "base/buf.h"

#include <string.h>

enum completion_kind completion_value_kind(const char *value)
{
    static const struct {
        const char *value;
        enum completion_kind kind;
    } rows[] = {
        {"F", COMPLETION_FILE},
        {"FILE", COMPLETION_FILE},
        {"STATUS", COMPLETION_STATUS},
        {"S,..", COMPLETION_STATUSES},
        {"SECTION.KEY=VALUE", COMPLETION_SETTING},
        {"URL|unix:PATH", COMPLETION_SERVER},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(rows[i].value, value) == 0) {
            return rows[i].kind;
        }
    }
    return arguments_is_closed(value) ? COMPLETION_WORDS : COMPLETION_FREE;
}

void completion_value_words(const char *value, struct buf *out)
{
    for (; *value != '\0'; value++) {
        buf_byte(out, *value == '|' ? ' ' : *value);
    }
}

bool completion_value_takes(const struct command *command, size_t option_id)
{
    return (command->options >> option_id & 1) != 0;
}

void completion_write(const char *shell, const struct completion_options *options, struct buf *out)
{
    static const struct {
        const char *shell;
        void (*write)(const struct completion_options *options, struct buf *out);
    } rows[] = {{"bash", completion_bash}, {"zsh", completion_zsh}, {"fish", completion_fish}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(rows[i].shell, shell) == 0) {
            rows[i].write(options, out);
            return;
        }
    }
    ASSERT(false); // the table of commands lists the shells
}
