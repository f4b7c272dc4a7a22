// SPDX-License-Identifier: Apache-2.0
#include "stream/redis/redis_secrets.h"

#include "base/log.h"
#include "base/loop.h"
#include "base/metric.h"
#include "stream/redis/redis.h"

#include <string.h>

#define LOOK_MS 1000

static void list_files(const struct redis_options *options,
                       const char *ret_files[REDIS_SECRETS_FILES])
{
    ret_files[0] = options->ca_file;
    ret_files[1] = options->cert_file;
    ret_files[2] = options->key_file;
    ret_files[3] = options->password_file;
}

static void take_stamps(const struct redis_options *options, struct redis_stamps *ret_stamps)
{
    const char *files[REDIS_SECRETS_FILES];
    list_files(options, files);
    memset(ret_stamps, 0, sizeof(*ret_stamps));
    for (size_t i = 0; i < REDIS_SECRETS_FILES; i++) {
        struct stat found;
        if (files[i][0] != '\0' && stat(files[i], &found) == 0) {
            ret_stamps->files[i] =
                (struct redis_stamp){found.st_dev, found.st_ino, found.st_size, found.st_mtim};
        }
    }
}

static bool stamps_eq(const struct redis_stamps *a, const struct redis_stamps *b)
{
    for (size_t i = 0; i < REDIS_SECRETS_FILES; i++) {
        const struct redis_stamp *left = &a->files[i];
        const struct redis_stamp *right = &b->files[i];
        if (left->device != right->device || left->inode != right->inode ||
            left->len != right->len || left->modified.tv_sec != right->modified.tv_sec ||
            left->modified.tv_nsec != right->modified.tv_nsec) {
            return false;
        }
    }
    return true;
}

static bool is_any_file(const struct redis_options *options)
{
    const char *files[REDIS_SECRETS_FILES];
    bool any = false;
    list_files(options, files);
    for (size_t i = 0; i < REDIS_SECRETS_FILES; i++) {
        any = any || files[i][0] != '\0';
    }
    return any;
}

// Puts a new context in the place of the old one, which stays when the files are no good.
static enum err load(struct redis_secrets *secrets, char ret_text[TLS_TEXT_LEN])
{
    struct tls_context *context = NULL;
    const struct tls_options options = {.ca_file = secrets->options->ca_file,
                                        .cert_file = secrets->options->cert_file,
                                        .key_file = secrets->options->key_file};
    ret_text[0] = '\0';
    // Before the files are read: what changes meanwhile is seen by a later look.
    take_stamps(secrets->options, &secrets->read);
    secrets->seen = secrets->read;
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
    if (!is_any_file(secrets->options) && !secrets->tls) {
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
    struct redis_stamps now;
    take_stamps(secrets->options, &now);
    // A change is read once it has stood still for a look: not a certificate without its key.
    bool still = stamps_eq(&now, &secrets->seen);
    secrets->seen = now;
    if (still && !stamps_eq(&now, &secrets->read)) {
        redis_secrets_read(secrets);
    }
    look_later(secrets);
}

enum err redis_secrets_init(struct redis_secrets *secrets, struct loop *loop)
{
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
    take_stamps(secrets->options, &secrets->read);
    secrets->seen = secrets->read;
    if (is_any_file(secrets->options)) {
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
