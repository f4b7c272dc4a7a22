// SPDX-License-Identifier: Apache-2.0
#include "replicator/files_stage.h"

#include "base/log.h"
#include "base/metric.h"
#include "replicator/config.h"
#include "replicator/daemon_state.h"
#include "replicator/envoy/files.h"

int files_stage_start(struct daemon *daemon)
{
    const struct config *config = daemon->config;
    if (config->xds_files_dir[0] == '\0') {
        return 0;
    }
    const struct files_options options = {.backend = {.map = daemon->map},
                                          .dir = config->xds_files_dir,
                                          .cluster_name = config->xds_cluster_name};
    enum err err = files_new(&options, &daemon->files);
    if (err == ERR_OK) {
        return 0;
    }
    int exit = err == ERR_NOMEM ? DAEMON_EXIT_FAILED : DAEMON_EXIT_CONFIG;
    return daemon_complain(exit, "xds.files_dir", err_text(err));
}

void files_stage_stop(struct daemon *daemon)
{
    struct envoy_files *files = daemon->files;
    daemon->files = NULL;
    files_free(files);
}

void files_stage_wake(struct daemon *daemon)
{
    if (daemon->files != NULL) {
        files_wake(daemon->files);
    }
}

void files_stage_ready(struct daemon *daemon)
{
    enum err err = daemon->files == NULL ? ERR_OK : files_start(daemon->files);
    if (err != ERR_OK) {
        log_event(LOG_ERROR, "files", log_text("why", "no thread to write them"), log_err(err));
    }
}

void files_stage_measure(struct daemon *daemon)
{
    struct files_counts counts;
    if (daemon->files == NULL) {
        return;
    }
    files_counts(daemon->files, &counts);
    metric_count(METRIC_EDS_FILES_WRITTEN, counts.written - daemon->files_written);
    daemon->files_written = counts.written;
}
