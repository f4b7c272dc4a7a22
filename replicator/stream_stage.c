// SPDX-License-Identifier: Apache-2.0
#include "replicator/stream_stage.h"

#include "replicator/config.h"
#include "replicator/daemon_state.h"
#include "replicator/driver.h"
#include "replicator/memory_pump.h"
#include "replicator/seed.h"
#include "stream/redis/redis.h"

#include <string.h>

bool stream_stage_is_private(const struct daemon *daemon)
{
    return strcmp(daemon->config->stream_url, "memory:") == 0;
}

static void on_event(void *arg, const struct stream_event *event)
{
    struct daemon *daemon = arg;
    if (!daemon->warm) {
        seed_watch(daemon->seed, event);
    }
    driver_on_stream(daemon->driver, event);
}

static int start_memory(struct daemon *daemon)
{
    const struct memory_pump_options options = {.loop = daemon->loop,
                                                .partitions = daemon->config->stream_partitions,
                                                .retention = daemon->config->stream_retention,
                                                .on_event = on_event,
                                                .arg = daemon};
    enum err err = memory_pump_new(&options, &daemon->memory, &daemon->stream);
    return err == ERR_OK ? 0 : daemon_complain(DAEMON_EXIT_FAILED, "stream", err_text(err));
}

static int start_redis(struct daemon *daemon)
{
    const struct config *config = daemon->config;
    const struct redis_options options = {.loop = daemon->loop,
                                          .url = config->stream_url,
                                          .prefix = config->stream_prefix,
                                          .node = config->node_id,
                                          .user = config->stream_user,
                                          .password_file = config->stream_password_file,
                                          .ca_file = config->stream_ca_file,
                                          .cert_file = config->stream_cert_file,
                                          .key_file = config->stream_key_file,
                                          .partitions = config->stream_partitions,
                                          .retention = config->stream_retention,
                                          .connect_timeout_ms = config->stream_connect_timeout_ms,
                                          .reply_timeout_ms = config->stream_reply_timeout_ms,
                                          .backoff_max_ms = config->stream_backoff_max_ms,
                                          .linger_max_ms = config->stream_linger_max_ms,
                                          .allow_eviction = config->stream_allow_eviction};
    enum err err = redis_new(&options, on_event, daemon, &daemon->stream);
    if (err == ERR_OK) {
        return 0;
    }
    int exit = err == ERR_SYNTAX ? DAEMON_EXIT_CONFIG : DAEMON_EXIT_FAILED;
    return daemon_complain(exit, "stream.url", err_text(err));
}

int stream_stage_start(struct daemon *daemon)
{
    return stream_stage_is_private(daemon) ? start_memory(daemon) : start_redis(daemon);
}

void stream_stage_stop(struct daemon *daemon)
{
    if (daemon->memory != NULL) {
        memory_pump_free(daemon->memory);
    } else {
        stream_free(daemon->stream);
    }
    daemon->memory = NULL;
    daemon->stream = NULL;
}
