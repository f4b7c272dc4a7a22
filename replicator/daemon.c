// SPDX-License-Identifier: Apache-2.0
#include "replicator/daemon.h"

#include "base/log.h"
#include "base/loop.h"
#include "replicator/config.h"
#include "replicator/daemon_state.h"

#include <stdlib.h>

int daemon_start(struct daemon *daemon, size_t *ret_started)
{
    int exit = 0;
    size_t started = 0;
    while (started < daemon_stage_count && exit == 0) {
        exit = daemon_stages[started].start(daemon);
        started += exit == 0 ? 1 : 0;
    }
    *ret_started = started;
    return exit;
}

void daemon_stop(struct daemon *daemon, size_t started)
{
    while (started > 0) {
        started--;
        if (daemon_stages[started].stop != NULL) {
            daemon_stages[started].stop(daemon);
        }
    }
}

int daemon_run(const struct config *config)
{
    struct daemon *daemon = calloc(1, sizeof(*daemon));
    if (daemon == NULL) {
        return daemon_complain(DAEMON_EXIT_FAILED, "start", err_text(ERR_NOMEM));
    }
    daemon->config = config;
    size_t started = 0;
    int exit = daemon_start(daemon, &started);
    if (exit == 0) {
        loop_run(daemon->loop);
        exit = daemon->exit;
        log_event(LOG_INFO, "stop", log_text("node", config->node_id));
    }
    daemon_stop(daemon, started);
    free(daemon);
    return exit;
}
