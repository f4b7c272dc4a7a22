// SPDX-License-Identifier: Apache-2.0
// How a daemon ends: SIGTERM or SIGINT withdraw it from presence, what waits for the stream gets a few
// seconds, then the loop stops.  A second signal does not wait.
#include "base/log.h"
#include "base/loop.h"
#include "replicator/admin_stage.h"
#include "replicator/daemon_state.h"
#include "replicator/driver.h"
#include "replicator/files_stage.h"
#include "replicator/notify.h"
#include "stream/stream.h"

#include <signal.h>

#define LEAVE_MS 3000    // for what waits for the stream
#define LEAVE_MIN_MS 100 // so that the withdrawal itself gets out
#define LEAVE_LOOK_MS 20

static void on_leave_timer(void *arg)
{
    struct daemon *daemon = arg;
    int64_t left_ms = mono_ms_between(loop_now(daemon->loop), daemon->leave_until);
    bool drained = left_ms <= LEAVE_MS - LEAVE_MIN_MS && driver_is_drained(daemon->driver);
    if (drained || left_ms <= 0) {
        loop_stop(daemon->loop);
        return;
    }
    loop_timer_set_ms(daemon->leave_timer, LEAVE_LOOK_MS);
}

static void on_end(void *arg, int signal)
{
    struct daemon *daemon = arg;
    if (daemon->leaving) {
        loop_stop(daemon->loop);
        return;
    }
    daemon->leaving = true;
    log_event(LOG_INFO, "leave", log_text("signal", signal == SIGTERM ? "SIGTERM" : "SIGINT"));
    notify_send("STOPPING=1");
    // Envoy keeps the last file: once we are gone our observations have no voice, which is no news for it.
    files_stage_stop(daemon);
    driver_leave(daemon->driver);
    daemon->leave_until = mono_add_ms(loop_now(daemon->loop), LEAVE_MS);
    loop_timer_set_ms(daemon->leave_timer, LEAVE_LOOK_MS);
}

static void on_reload(void *arg, int signal)
{
    struct daemon *daemon = arg;
    (void)signal;
    notify_reloading(loop_now(daemon->loop));
    admin_stage_reload(daemon);
    if (daemon->stream != NULL) {
        stream_reload(daemon->stream);
    }
    notify_send("READY=1");
}

int daemon_signals_start(struct daemon *daemon)
{
    enum err err = loop_timer_new(daemon->loop, on_leave_timer, daemon, &daemon->leave_timer);
    if (err == ERR_OK) {
        err = loop_signal(daemon->loop, SIGTERM, on_end, daemon);
    }
    if (err == ERR_OK) {
        err = loop_signal(daemon->loop, SIGINT, on_end, daemon);
    }
    if (err == ERR_OK) {
        err = loop_signal(daemon->loop, SIGHUP, on_reload, daemon);
    }
    if (err != ERR_OK) {
        daemon_signals_stop(daemon);
        return daemon_complain(DAEMON_EXIT_FAILED, "signals", err_text(err));
    }
    return 0;
}

void daemon_signals_stop(struct daemon *daemon)
{
    loop_timer_free(daemon->leave_timer);
    daemon->leave_timer = NULL;
}
