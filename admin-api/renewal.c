// SPDX-License-Identifier: Apache-2.0
#include "admin-api/renewal.h"

#include "admin-api/backend.h"
#include "base/log.h"
#include "base/metric.h"
#include "base/text.h"

enum renewal_age renewal_age(struct wall expiry, struct wall now)
{
    if (now.ms >= expiry.ms) {
        return RENEWAL_EXPIRED;
    }
    return now.ms >= expiry.ms - RENEWAL_WARN_MS ? RENEWAL_SOON : RENEWAL_GOOD;
}

static void check_certificate(struct renewal *renewal)
{
    static const char *const words[] = {[RENEWAL_GOOD] = "",
                                        [RENEWAL_SOON] = "it expires within 7 days",
                                        [RENEWAL_EXPIRED] = "it has expired"};
    struct wall now = renewal->backend->wall_now(renewal->backend->daemon);
    enum renewal_age age = renewal->has_expiry ? renewal_age(renewal->expiry, now) : RENEWAL_GOOD;
    if (age != RENEWAL_GOOD && age != renewal->told) {
        char text[TEXT_TIME_LEN];
        size_t len = text_time_format(renewal->expiry, text);
        log_event(LOG_WARN, "certificate", log_text("file", renewal->options->tls_cert_file),
                  log_text("why", words[age]), log_str("expires", span_of(text, len)));
    }
    renewal->told = age;
}

static void note_expiry(struct renewal *renewal, const struct secrets *secrets)
{
    renewal->has_expiry = secrets_expiry(secrets, &renewal->expiry);
    renewal->told = RENEWAL_GOOD;
    int64_t expiry_s = renewal->has_expiry ? renewal->expiry.ms / 1000 : 0;
    metric_gauge(METRIC_CERTIFICATE_EXPIRY, (double)expiry_s);
    check_certificate(renewal);
}

static void read_again(struct renewal *renewal)
{
    char text[ADMIN_TEXT_LEN] = "";
    struct secrets *fresh = NULL;
    file_watch_mark(&renewal->files);
    enum err err = secrets_load(renewal->options, text, &fresh);
    metric_count1(METRIC_CONFIG_RELOADS, err == ERR_OK ? SPAN_LIT("ok") : SPAN_LIT("kept"), 1);
    if (err != ERR_OK) {
        log_event(LOG_ERROR, "reload", log_text("kept", "tokens and certificates"),
                  log_text("why", text[0] != '\0' ? text : err_text(err)));
        return;
    }
    renewal->give(renewal->arg, fresh);
    note_expiry(renewal, fresh);
    secrets_drop(fresh);
    log_event(LOG_INFO, "reload", log_text("what", "tokens and certificates"));
}

static void look(void *arg)
{
    struct renewal *renewal = arg;
    if (file_watch_look(&renewal->files)) {
        read_again(renewal);
    }
    check_certificate(renewal);
    loop_timer_set_ms(renewal->timer, RENEWAL_LOOK_MS);
}

static void on_ask(void *arg)
{
    read_again(arg);
}

enum err renewal_init(struct renewal *renewal, const struct secrets *secrets)
{
    loop_task_init(&renewal->ask, on_ask, renewal);
    note_expiry(renewal, secrets);
    enum err err = loop_timer_new(renewal->loop, look, renewal, &renewal->timer);
    if (err == ERR_OK && file_watch_has_files(&renewal->files)) {
        loop_timer_set_ms(renewal->timer, RENEWAL_LOOK_MS);
    }
    return err;
}

void renewal_fini(struct renewal *renewal)
{
    if (renewal->timer != NULL) {
        loop_unpost_task(renewal->loop, &renewal->ask);
        loop_timer_free(renewal->timer);
        renewal->timer = NULL;
    }
}

void renewal_ask(struct renewal *renewal)
{
    (void)loop_post_task(renewal->loop, &renewal->ask);
}
