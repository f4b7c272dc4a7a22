// SPDX-License-Identifier: Apache-2.0
#include "stream/redis/redis_secrets.h"

#include "base/log.h"
#include "base/loop.h"
#include "base/metric.h"
#include "stream/redis/redis.h"

#define LOOK_MS 1000

// Puts a new context in the place of the old one, which stays when the files are no good.
static enum err load(struct redis_secrets *secrets, char ret_text[TLS_TEXT_LEN])
{
    struct tls_context *context = NULL;
    const struct tls_options options = {.ca_file = secrets->options->ca_file,
                                        .cert_file = secrets->options->cert_file,
                                        .key_file = secrets->options->key_file};
    ret_text[0] = '\0';
    file_watch_mark(&secrets->files);
    enum err err = secrets->tls ? tls_context_new(&options, ret_text, &context) : ERR_OK;
    if (err == ERR_OK) {
        tls_context_free(secrets->context);
        secrets->context = context;
    }
    return err;
}

void redis_secrets_read(struct redis_secrets *secrets)
{
    char text[TLS_TEXT_LEN];
    if (!file_watch_has_files(&secrets->files) && !secrets->tls) {
        return;
    }
    enum err err = load(secrets, text);
    metric_count1(METRIC_CONFIG_RELOADS, err == ERR_OK ? SPAN_LIT("ok") : SPAN_LIT("kept"), 1);
    if (err != ERR_OK) {
        log_event(LOG_ERROR, "reload", log_text("kept", "the stream's certificates"),
                  log_text("why", text[0] != '\0' ? text : err_text(err)));
        return;
    }
    log_event(LOG_INFO, "reload",
              log_text("what", secrets->tls ? "the stream's certificates and password"
                                            : "the stream's password"));
    secrets->on_change(secrets->arg);
}

static void look_later(struct redis_secrets *secrets)
{
    int64_t given_ms = secrets->options->watch_ms;
    loop_timer_set_ms(secrets->timer, given_ms > 0 ? given_ms : LOOK_MS);
}

static void look(void *arg)
{
    struct redis_secrets *secrets = arg;
    if (file_watch_look(&secrets->files)) {
        redis_secrets_read(secrets);
    }
    look_later(secrets);
}

enum err redis_secrets_init(struct redis_secrets *secrets, struct loop *loop)
{
    const struct redis_options *options = secrets->options;
    const char *const paths[] = {options->ca_file, options->cert_file, options->key_file,
                                 options->password_file};
    file_watch_init(&secrets->files, paths, sizeof(paths) / sizeof(paths[0]));
    return loop_timer_new(loop, look, secrets, &secrets->timer);
}

void redis_secrets_fini(struct redis_secrets *secrets)
{
    loop_timer_free(secrets->timer);
    tls_context_free(secrets->context);
    secrets->timer = NULL;
    secrets->context = NULL;
}

void redis_secrets_start(struct redis_secrets *secrets)
{
    file_watch_mark(&secrets->files);
    if (file_watch_has_files(&secrets->files)) {
        look_later(secrets);
    }
}

enum err redis_secrets_context(struct redis_secrets *secrets, char ret_text[TLS_TEXT_LEN],
                               struct tls_context **ret_context)
{
    enum err err = ERR_OK;
    ret_text[0] = '\0';
    if (secrets->tls && secrets->context == NULL) {
        err = load(secrets, ret_text);
    }
    if (err == ERR_OK) {
        *ret_context = secrets->context;
    }
    return err;
}
