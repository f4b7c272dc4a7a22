// SPDX-License-Identifier: Apache-2.0
#include "replicator/share.h"

#include "admin-api/ctl/completion.h"
#include "admin-api/ctl/ctl.h"
#include "admin-api/ctl/manual.h"
#include "admin-api/ctl/session.h"
#include "replicator/config.h"
#include "replicator/config_table.h"

#include <stdio.h>
#include <string.h>

#define TEXT_MAX (1U << 20)

static int print(const struct buf *text)
{
    if (session_check(text) != CTL_OK) {
        return CTL_FAILED;
    }
    bool whole = fwrite(buf_cstr(text), 1, text->len, stdout) == text->len && fflush(stdout) == 0;
    if (!whole) {
        session_complain("the output could not be written");
    }
    return whole ? CTL_OK : CTL_FAILED;
}

int share_completion_run(const struct arguments *arguments)
{
    char names[CONFIG_KEY_COUNT][CONFIG_NAME_MAX];
    const char *settings[CONFIG_KEY_COUNT];
    for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
        config_row_name(&config_table[i], names[i]);
        settings[i] = names[i];
    }
    const struct completion_options options = {settings, CONFIG_KEY_COUNT};
    struct buf text;
    buf_init(&text, TEXT_MAX);
    completion_write(arguments->operands[0], &options, &text);
    int exit = print(&text);
    buf_fini(&text);
    return exit;
}

int share_man_run(const struct arguments *arguments)
{
    const char *page = arguments->operand_count > 0 ? arguments->operands[0] : "meshpulse";
    struct buf text;
    buf_init(&text, TEXT_MAX);
    if (strcmp(page, "meshpulse") == 0) {
        manual_write(&text);
    } else {
        config_write_manual(&text);
    }
    int exit = print(&text);
    buf_fini(&text);
    return exit;
}
