// SPDX-License-Identifier: Apache-2.0
// `make bench`: a table, then one line for each bar.  With arguments only the bars that they name:
// apply, server, latency, watch, queue, cold.
#include "tests/bench/bars.h"
#include "tests/bench/report.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static const struct bench {
    const char *name;
    void (*run)(void);
} benches[] = {{"apply", bar_apply}, {"server", bar_server}, {"latency", bar_latency},
               {"watch", bar_watch}, {"queue", bar_queue},   {"cold", bar_cold}};

static bool is_wanted(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], name) == 0) {
            return true;
        }
    }
    return argc < 2;
}

int main(int argc, char **argv)
{
    for (size_t i = 0; i < sizeof(benches) / sizeof(benches[0]); i++) {
        if (is_wanted(benches[i].name, argc, argv)) {
            benches[i].run();
        }
    }
    report_finish();
    return 0;
}
