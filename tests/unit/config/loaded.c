// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/config/loaded.h"

#include <string.h>

struct loaded load(const struct config_options *options)
{
    struct loaded loaded = {.config = NULL};
    struct config_options with_host = *options;
    if (with_host.host_name == NULL) {
        with_host.host_name = "host";
    }
    config_report_init(&loaded.report);
    loaded.err = config_load(&with_host, &loaded.config, &loaded.report);
    return loaded;
}

struct loaded load_text(const char *text)
{
    return load(&(struct config_options){.file = "f", .text = span_str(text)});
}

void unload(struct loaded *loaded)
{
    config_free(loaded->config);
    config_report_fini(&loaded->report);
}

struct config *must_load(const char *text)
{
    struct loaded loaded = load_text(text);
    ck_assert_msg(loaded.err == ERR_OK, "%s", buf_cstr(&loaded.report.errors));
    config_report_fini(&loaded.report);
    return loaded.config;
}

void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct loaded loaded = load_text(rows[i].text);
        ck_assert_msg(strcmp(buf_cstr(&loaded.report.errors), rows[i].error) == 0,
                      "row %zu: %s\nsays: %swants: %s", i, rows[i].text,
                      buf_cstr(&loaded.report.errors), rows[i].error);
        CHECK_EQ(loaded.err, rows[i].error[0] == '\0' ? ERR_OK : ERR_INVALID);
        unload(&loaded);
    }
}
