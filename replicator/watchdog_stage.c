// SPDX-License-Identifier: Apache-2.0
#include "replicator/watchdog_stage.h"

#include "admin-api/server.h"
#include "base/log.h"
#include "base/loop.h"
#include "replicator/daemon_state.h"
#include "replicator/notify.h"

static void look_again(struct daemon *daemon)
{
    loop_timer_set_ms(daemon->watchdog, daemon->watchdog_ms / 4 + 1);
}

static void on_look(void *arg)
{
    struct daemon *daemon = arg;
    if (admin_answered(daemon->admin)) {
        notify_send("WATCHDOG=1");
        admin_ask(daemon->admin);
    }
    look_again(daemon);
}

int watchdog_stage_start(struct daemon *daemon)
{
    daemon->watchdog_ms = notify_watchdog_ms();
    if (daemon->watchdog_ms == 0) {
        return 0;
    }
    enum err err = loop_timer_new(daemon->loop, on_look, daemon, &daemon->watchdog);
    if (err != ERR_OK) {
        return daemon_complain(DAEMON_EXIT_FAILED, "watchdog", err_text(err));
    }
    log_event(LOG_INFO, "watchdog", log_uint("within_ms", daemon->watchdog_ms));
    admin_ask(daemon->admin);
    look_again(daemon);
    return 0;
}

void watchdog_stage_stop(struct daemon *daemon)
{
    loop_timer_free(daemon->watchdog);
    daemon->watchdog = NULL;
}
