// SPDX-License-Identifier: Apache-2.0
#include "replicator/admin_stage.h"

#include "admin-api/server.h"
#include "base/log.h"
#include "replicator/config.h"
#include "replicator/daemon_state.h"
#include "replicator/daemon_writes.h"
#include "replicator/driver.h"
#include "replicator/notify.h"

#include <stdlib.h>

// The lists of the configuration, as the options want them.
struct lists {
    const char **hosts;
    uint32_t *numbers;
    uid_t *uids;
    size_t uid_count;
};

static void free_lists(struct lists *lists)
{
    free(lists->hosts);
    free(lists->numbers);
    free(lists->uids);
}

static enum err make_lists(const struct config *config, struct lists *lists)
{
    size_t uid_max = config->admin_unix_uids.count;
    lists->hosts = calloc(config->admin_allowed_hosts.count + 1, sizeof(*lists->hosts));
    lists->numbers = calloc(uid_max + 1, sizeof(*lists->numbers));
    lists->uids = calloc(uid_max + 1, sizeof(*lists->uids));
    if (lists->hosts == NULL || lists->numbers == NULL || lists->uids == NULL) {
        free_lists(lists);
        return ERR_NOMEM;
    }
    lists->uid_count = config_uids(config, lists->numbers, uid_max);
    for (size_t i = 0; i < lists->uid_count; i++) {
        lists->uids[i] = (uid_t)lists->numbers[i];
    }
    for (uint32_t i = 0; i < config->admin_allowed_hosts.count; i++) {
        lists->hosts[i] = config->admin_allowed_hosts.items[i].ptr;
    }
    return ERR_OK;
}

static int exit_of(enum err err)
{
    switch (err) {
    case ERR_INVALID:
    case ERR_SYNTAX:
    case ERR_TLS:
    case ERR_NOT_FOUND:
    case ERR_DENIED:
        return DAEMON_EXIT_CONFIG;
    case ERR_OK:
    case ERR_NOMEM:
    case ERR_RANGE:
    case ERR_TOO_LARGE:
    case ERR_FULL:
    case ERR_EXISTS:
    case ERR_IO:
    case ERR_TIMEOUT:
    case ERR_CLOSED:
    case ERR_REFUSED:
    case ERR_RESOLVE:
    case ERR_UNSUPPORTED:
    case ERR_BUSY:
    case ERR_ENDED:
    case ERR_COUNT:
    default:
        return DAEMON_EXIT_FAILED;
    }
}

int admin_stage_bind(struct daemon *daemon)
{
    const struct config *config = daemon->config;
    char text[ADMIN_TEXT_LEN] = "";
    struct lists lists;
    if (make_lists(config, &lists) != ERR_OK) {
        return daemon_complain(DAEMON_EXIT_FAILED, "admin", err_text(ERR_NOMEM));
    }
    const struct admin_options options = {
        .listen = config->admin_listen,
        .probe_listen = config->admin_probe_listen,
        .unix_path = config->admin_unix,
        .unix_mode = (mode_t)config_mode(config->admin_unix_mode),
        .unix_uids = lists.uids,
        .unix_uid_count = lists.uid_count,
        .write = config->admin_write == CONFIG_WRITE_AUTHENTICATED ? AUTH_MODE_AUTHENTICATED
                                                                   : AUTH_MODE_LOOPBACK,
        .tls_cert_file = config->admin_tls_cert_file,
        .tls_key_file = config->admin_tls_key_file,
        .client_ca_file = config->admin_client_ca_file,
        .tokens_file = config->admin_tokens_file,
        .allowed_hosts = lists.hosts,
        .allowed_host_count = config->admin_allowed_hosts.count,
        .require_if_match = config->admin_require_if_match,
        .workers = config->threads_workers,
    };
    daemon_backend_init(daemon);
    enum err err = admin_new(&options, &daemon->backend, text, &daemon->admin);
    free_lists(&lists);
    if (err != ERR_OK) {
        return daemon_complain(exit_of(err), "admin", text[0] != '\0' ? text : err_text(err));
    }
    return 0;
}

void admin_stage_free(struct daemon *daemon)
{
    daemon_writes_abandon(daemon);
    struct admin *admin = daemon->admin;
    daemon->admin = NULL;
    admin_free(admin);
}

int admin_stage_serve(struct daemon *daemon)
{
    struct admin_addresses addresses;
    enum err err = admin_start(daemon->admin);
    if (err != ERR_OK) {
        return daemon_complain(DAEMON_EXIT_FAILED, "admin", err_text(err));
    }
    admin_addresses(daemon->admin, &addresses);
    log_event(LOG_INFO, "serve", log_text("node", daemon->config->node_id),
              log_text("listen", addresses.listen),
              log_text("probe_listen", addresses.probe_listen),
              log_text("unix", daemon->config->admin_unix), log_text("version", MESHPULSE_VERSION));
    notify_send(driver_is_ready(daemon->driver) ? "READY=1\nSTATUS=ready"
                                                : "READY=1\nSTATUS=answers, and waits for the map");
    return 0;
}

void admin_stage_stop(struct daemon *daemon)
{
    admin_stop(daemon->admin);
}

void admin_stage_reload(struct daemon *daemon)
{
    admin_reload(daemon->admin);
}

void admin_stage_wake(struct daemon *daemon)
{
    if (daemon->admin != NULL) {
        admin_wake(daemon->admin);
    }
}
