// SPDX-License-Identifier: Apache-2.0
// Secrets that are read again: real files and a loop that is turned by hand; the wall clock is the test's.
#include "admin-api/renewal.h"

#include "admin-api/backend.h"
#include "base/log.h"
#include "tests/contract/certificates.h"
#include "tests/lib/loop_wait.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define LOG_LEN 4096

struct stand {
    struct certificates certificates;
    char cert[64], key[64];
    struct admin_options options;
    struct backend backend;
    struct wall now;
    struct loop *loop;
    struct renewal renewal;
    struct secrets *given; // last
    unsigned gives;
    int log[2];
    char text[LOG_LEN];
    size_t len;
};

static void copy_file(const char *from, const char *to)
{
    char bytes[8192];
    FILE *in = fopen(from, "re");
    FILE *out = fopen(to, "we");
    CHECK(in != NULL && out != NULL);
    size_t len = fread(bytes, 1, sizeof(bytes), in);
    CHECK(fwrite(bytes, 1, len, out) == len);
    CHECK_OK(fclose(out));
    CHECK_OK(fclose(in));
}

static void give(void *arg, struct secrets *secrets)
{
    struct stand *stand = arg;
    secrets_drop(stand->given);
    stand->given = secrets_keep(secrets);
    stand->gives++;
}

static struct wall wall_now(void *arg)
{
    const struct stand *stand = arg;
    return stand->now;
}

static void stand_up(struct stand *stand)
{
    char text[ADMIN_TEXT_LEN];
    memset(stand, 0, sizeof(*stand));
    certificates_make(&stand->certificates);
    (void)snprintf(stand->cert, sizeof(stand->cert), "%s/c", stand->certificates.dir);
    (void)snprintf(stand->key, sizeof(stand->key), "%s/k", stand->certificates.dir);
    copy_file(stand->certificates.server, stand->cert);
    copy_file(stand->certificates.server, stand->key);
    stand->options = (struct admin_options){.tls_cert_file = stand->cert,
                                            .tls_key_file = stand->key,
                                            .client_ca_file = "",
                                            .tokens_file = ""};
    stand->backend = (struct backend){.daemon = stand, .wall_now = wall_now};
    CHECK_OK(pipe2(stand->log, O_NONBLOCK | O_CLOEXEC));
    log_set_fd(stand->log[1]);
    CHECK_OK(loop_new(&stand->loop));
    stand->renewal = (struct renewal){.loop = stand->loop,
                                      .options = &stand->options,
                                      .backend = &stand->backend,
                                      .give = give,
                                      .arg = stand};
    secrets_watch(&stand->options, &stand->renewal.files);
    CHECK_OK(secrets_load(&stand->options, text, &stand->given));
    CHECK_OK(renewal_init(&stand->renewal, stand->given));
}

static void tear_down(struct stand *stand)
{
    renewal_fini(&stand->renewal);
    loop_free(stand->loop);
    secrets_drop(stand->given);
    log_set_fd(2);
    (void)close(stand->log[0]);
    (void)close(stand->log[1]);
    (void)unlink(stand->cert);
    (void)unlink(stand->key);
    certificates_remove(&stand->certificates);
}

// How often `word` stands in the log so far.
static unsigned logged(struct stand *stand, const char *word)
{
    unsigned count = 0;
    ssize_t len = read(stand->log[0], stand->text + stand->len, LOG_LEN - 1 - stand->len);
    stand->len += len > 0 ? (size_t)len : 0;
    for (const char *at = stand->text; (at = strstr(at, word)) != NULL; at++) {
        count++;
    }
    return count;
}

TEST(a_pair_that_does_not_match_keeps_the_old)
{
    struct stand stand;
    stand_up(&stand);
    const struct secrets *old = stand.given;
    copy_file(stand.certificates.stranger, stand.cert); // its key is still to come
    renewal_ask(&stand.renewal);
    LOOP_WAIT(stand.loop, logged(&stand, "error reload kept=") == 1);
    CHECK(strstr(stand.text, "key values mismatch") != NULL);
    CHECK_UEQ(stand.gives, 0);
    CHECK(stand.given == old);
    copy_file(stand.certificates.stranger, stand.key);
    LOOP_WAIT(stand.loop, stand.gives == 1); // without being asked
    CHECK(stand.given != old && stand.given->tls != NULL);
    CHECK_UEQ(logged(&stand, "info reload what="), 1);
    CHECK_UEQ(logged(&stand, "kept="), 1);
    tear_down(&stand);
}

TEST(half_a_pair_is_waited_for)
{
    struct stand stand;
    stand_up(&stand);
    copy_file(stand.certificates.stranger, stand.cert);
    LOOP_WAIT(stand.loop, file_watch_is_changing(&stand.renewal.files));
    copy_file(stand.certificates.stranger, stand.key); // between two looks
    LOOP_WAIT(stand.loop, stand.gives == 1);
    CHECK_UEQ(logged(&stand, "kept="), 0);
    tear_down(&stand);
}

TEST(a_file_that_goes_away_keeps_the_old_and_is_told_once)
{
    struct stand stand;
    stand_up(&stand);
    CHECK_OK(unlink(stand.key));
    LOOP_WAIT(stand.loop, logged(&stand, "error reload kept=") == 1);
    const struct mono end = mono_add_ms(loop_now(stand.loop), 2 * RENEWAL_LOOK_MS + 100);
    LOOP_WAIT(stand.loop, loop_now(stand.loop).us > end.us);
    CHECK_UEQ(logged(&stand, "error reload kept="), 1);
    CHECK_UEQ(stand.gives, 0);
    tear_down(&stand);
}

TEST(a_certificate_that_ends_is_told_twice)
{
    struct stand stand;
    struct wall expiry;
    stand_up(&stand);
    CHECK(secrets_expiry(stand.given, &expiry));
    CHECK_UEQ(logged(&stand, "certificate"), 0);
    stand.now.ms = expiry.ms - 1;
    LOOP_WAIT(stand.loop, logged(&stand, "warn certificate file=") == 1);
    CHECK(strstr(stand.text, "why=\"it expires within 7 days\"") != NULL);
    stand.now.ms = expiry.ms;
    LOOP_WAIT(stand.loop, logged(&stand, "warn certificate file=") == 2);
    CHECK(strstr(stand.text, "why=\"it has expired\"") != NULL);
    tear_down(&stand);
}

TEST(age_is_told_by_the_clock)
{
    static const struct {
        int64_t left_ms;
        enum renewal_age age;
    } rows[] = {{RENEWAL_WARN_MS + 1, RENEWAL_GOOD},
                {RENEWAL_WARN_MS, RENEWAL_SOON},
                {1, RENEWAL_SOON},
                {0, RENEWAL_EXPIRED},
                {-1, RENEWAL_EXPIRED}};
    const struct wall expiry = {INT64_C(1795514400000)};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CHECK_EQ(renewal_age(expiry, (struct wall){expiry.ms - rows[i].left_ms}), rows[i].age);
    }
}

SUITE("integration/renewal", T(a_pair_that_does_not_match_keeps_the_old),
      T(half_a_pair_is_waited_for), T(a_file_that_goes_away_keeps_the_old_and_is_told_once),
      T(a_certificate_that_ends_is_told_twice), T(age_is_told_by_the_clock));
