// SPDX-License-Identifier: Apache-2.0
// rediss:// : whom the backend trusts, what it says when it does not, and files that change while it runs.
// The whole contract over TLS: rig_secure, in test_stream.c and test_strangers.c.  How: rig.h.
#include "base/metric.h"
#include "tests/contract/certificates.h"
#include "tests/contract/rig.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <unistd.h>

// A server that asks for client certificates (or, `clients` "no", does not) on two addresses.
struct tls_server {
    struct certificates certificates;
    struct rig rig;
    char port[16], url[64], cert[64], key[64];
    const char *args[20];
};

static void open_server(struct tls_server *server, const char *cert, const char *clients)
{
    snprintf(server->port, sizeof(server->port), "%u", rig_free_port());
    const char *const args[] = {"--tls-port",
                                server->port,
                                "--bind",
                                "127.0.0.1 127.0.0.2",
                                "--tls-cert-file",
                                cert,
                                "--tls-key-file",
                                cert,
                                "--tls-ca-cert-file",
                                server->certificates.ca,
                                "--tls-auth-clients",
                                clients};
    memcpy((void *)server->args, (const void *)args, sizeof(args));
    server->rig.redis_args = server->args;
    rig_open(&server->rig, &rig_redis);
    snprintf(server->url, sizeof(server->url), "rediss://127.0.0.1:%s", server->port);
    server->rig.url = server->url;
    server->rig.ca_file = server->certificates.ca;
}

static void close_server(struct tls_server *server)
{
    rig_close(&server->rig);
    unlink(server->cert);
    unlink(server->key);
    certificates_remove(&server->certificates);
}

// --- refusals

enum which { NONE, CA, SERVER, EXPIRED, CLIENT, STRANGER };

static const char *file_of(const struct certificates *certificates, enum which which)
{
    const char *const files[] = {[NONE] = NULL,
                                 [CA] = certificates->ca,
                                 [SERVER] = certificates->server,
                                 [EXPIRED] = certificates->expired,
                                 [CLIENT] = certificates->client,
                                 [STRANGER] = certificates->stranger};
    return files[which];
}

struct refusal {
    const char *clients; // --tls-auth-clients
    enum which server, ca, client;
    const char *host;
    const char *text;
};

static const struct refusal refusals[] = {
    {"no", SERVER, STRANGER, NONE, "127.0.0.1", "TLS: certificate: self-signed certificate in"},
    {"no", SERVER, NONE, NONE, "127.0.0.1", "TLS: certificate: "}, // the system's store
    {"no", STRANGER, CA, NONE, "127.0.0.1", "TLS: certificate: unable to get local issuer"},
    {"no", EXPIRED, CA, NONE, "127.0.0.1", "TLS: certificate: certificate has expired"},
    {"no", SERVER, CA, NONE, "localhost", "TLS: certificate: hostname mismatch"},
    {"no", SERVER, CA, NONE, "127.0.0.2", "TLS: certificate: IP address mismatch"},
    {"yes", SERVER, CA, NONE, "127.0.0.1", "TLS: "},     // "certificate required"
    {"yes", SERVER, CA, STRANGER, "127.0.0.1", "TLS: "}, // "unknown ca"
};

TEST(whom_it_must_not_trust_and_who_does_not_trust_it_is_named_and_tried_again)
{
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        const struct refusal *row = &refusals[i];
        struct tls_server server = {.rig = {.backoff_max_ms = 20}};
        const struct certificates *certificates = &server.certificates;
        certificates_make(&server.certificates);
        open_server(&server, file_of(certificates, row->server), row->clients);
        snprintf(server.url, sizeof(server.url), "rediss://%s:%s", row->host, server.port);
        server.rig.ca_file = file_of(certificates, row->ca);
        server.rig.cert_file = file_of(certificates, row->client);
        server.rig.key_file = file_of(certificates, row->client);
        struct rig_client *a = rig_client_unstarted(&server.rig);
        stream_start(a->stream);
        for (int tries = 0; tries < 3; tries++) {
            struct rig_seen *seen = rig_wait(a, STREAM_EV_DOWN);
            // The word of a server that refuses us may be lost with the connection.
            bool maybe_lost = strcmp(row->clients, "yes") == 0;
            ck_assert_msg((seen->event.status == STREAM_CONFIG || maybe_lost) &&
                              rig_contains(seen->event.text, row->text),
                          "row %zu: status %d: %.*s", i, (int)seen->event.status,
                          (int)seen->event.text.len, seen->event.text.ptr);
            rig_seen_free(seen);
        }
        CHECK(!rig_has(a, STREAM_EV_UP));
        close_server(&server);
    }
}
END_TEST

TEST(a_server_without_tls_or_with_an_old_one_is_named)
{
    static const struct {
        const char *const args[9];
        enum stream_status status;
        const char *text;
    } rows[] = {
        {{"--port", "", NULL}, STREAM_RETRY, "TLS handshake"},
        {{"--tls-port", "", "--tls-protocols", "TLSv1.1", "--tls-ciphers", "ALL:@SECLEVEL=0", NULL},
         STREAM_CONFIG,
         "TLS: "}};
    for (size_t i = 0; i < 2; i++) {
        struct certificates certificates;
        char port[16];
        char url[64];
        const char *args[20];
        size_t count = 0;
        certificates_make(&certificates);
        snprintf(port, sizeof(port), "%u", rig_free_port());
        snprintf(url, sizeof(url), "rediss://127.0.0.1:%s", port);
        for (; rows[i].args[count] != NULL; count++) {
            args[count] = rows[i].args[count][0] == '\0' ? port : rows[i].args[count];
        }
        const char *const common[] = {"--tls-cert-file",
                                      certificates.server,
                                      "--tls-key-file",
                                      certificates.server,
                                      "--tls-ca-cert-file",
                                      certificates.ca,
                                      "--tls-auth-clients",
                                      "no",
                                      NULL};
        memcpy((void *)(args + count), (const void *)common, sizeof(common));
        struct rig rig = {.redis_args = args};
        rig_open(&rig, &rig_redis);
        rig.url = url;
        rig.ca_file = certificates.ca;
        struct rig_client *a = rig_client_unstarted(&rig);
        stream_start(a->stream);
        rig_expect_down(a, rows[i].status, rows[i].text);
        CHECK(!rig_has(a, STREAM_EV_UP));
        rig_close(&rig);
        certificates_remove(&certificates);
    }
}
END_TEST

TEST(files_that_cannot_be_read_are_named)
{
    struct tls_server server = {.rig = {.backoff_max_ms = 20}};
    certificates_make(&server.certificates);
    open_server(&server, server.certificates.server, "no");
    server.rig.ca_file = "/nonexistent";
    struct rig_client *no_ca = rig_client_unstarted(&server.rig);
    stream_start(no_ca->stream);
    rig_expect_down(no_ca, STREAM_CONFIG, "/nonexistent");
    server.rig.ca_file = server.certificates.ca;
    server.rig.cert_file = server.certificates.client;
    server.rig.key_file = server.certificates.server; // another's
    struct rig_client *no_pair = rig_client_unstarted(&server.rig);
    stream_start(no_pair->stream);
    rig_expect_down(no_pair, STREAM_CONFIG, "key: ");
    close_server(&server);
}
END_TEST

// --- files that change

static void copy_file(const char *from, const char *to)
{
    char bytes[8192];
    FILE *in = fopen(from, "re");
    FILE *out = fopen(to, "we");
    CHECK(in != NULL && out != NULL);
    size_t len = fread(bytes, 1, sizeof(bytes), in);
    CHECK(len > 0 && fwrite(bytes, 1, len, out) == len);
    fclose(in);
    CHECK_EQ(fclose(out), 0);
}

static double reloads(const char *result)
{
    return metric_value(METRIC_CONFIG_RELOADS, span_str(result), SPAN_NONE);
}

static void wait_for_reload(struct rig *rig, const char *result, double more_than)
{
    for (int i = 0; reloads(result) <= more_than; i++) {
        ck_assert_msg(i < 1600, "no reload: %s", result);
        rig_redis.wait_ms(rig, 5);
    }
}

static void open_reloading(struct tls_server *server, const char *client)
{
    certificates_make(&server->certificates);
    snprintf(server->cert, sizeof(server->cert), "%s/own-cert.pem", server->certificates.dir);
    snprintf(server->key, sizeof(server->key), "%s/own-key.pem", server->certificates.dir);
    copy_file(client, server->cert);
    copy_file(client, server->key);
    open_server(server, server->certificates.server, "yes");
    server->rig.cert_file = server->cert;
    server->rig.key_file = server->key;
    server->rig.watch_ms = 50;
}

TEST(a_certificate_that_is_put_right_is_used_at_once)
{
    struct tls_server server = {.rig = {.backoff_max_ms = 3600000}};
    struct rig_record record;
    certificates_make(&server.certificates);
    struct certificates first = server.certificates;
    open_reloading(&server, first.stranger);
    struct rig_client *a = rig_client_unstarted(&server.rig);
    stream_start(a->stream);
    rig_skip(a, STREAM_EV_DOWN); // if the server's word was heard, the next attempt is an hour away
    copy_file(server.certificates.client, server.cert);
    copy_file(server.certificates.client, server.key);
    rig_skip(a, STREAM_EV_UP);
    rig_create(a, 0, RIG_EPOCH_A);
    rig_record(&record, "i", 0, 1);
    rig_put_ok(a, 0, &record);
    close_server(&server);
    certificates_remove(&first);
}
END_TEST

TEST(half_a_pair_keeps_the_one_before_and_the_connection)
{
    struct tls_server server = {.rig = {.backoff_max_ms = 20}};
    certificates_make(&server.certificates);
    struct certificates first = server.certificates;
    open_reloading(&server, first.client);
    copy_file(server.certificates.client, server.cert);
    copy_file(server.certificates.client, server.key);
    struct rig_client *a = rig_client(&server.rig);
    double kept = reloads("kept");
    double ok = reloads("ok");
    copy_file(first.client, server.cert); // without its key
    wait_for_reload(&server.rig, "kept", kept);
    CHECK(!rig_has(a, STREAM_EV_DOWN));
    rig_redis.cut(&server.rig, 0);
    rig_skip(a, STREAM_EV_UP); // with the old pair
    rig_write_file(server.cert, "half a cert");
    wait_for_reload(&server.rig, "kept", kept + 1);
    copy_file(server.certificates.client, server.cert);
    wait_for_reload(&server.rig, "ok", ok);
    stream_reload(a->stream); // SIGHUP: now, whether or not anything has changed
    CHECK(reloads("ok") > ok + 1);
    rig_redis.cut(&server.rig, 0);
    rig_skip(a, STREAM_EV_UP);
    rig_create(a, 0, RIG_EPOCH_A);
    close_server(&server);
    certificates_remove(&first);
}
END_TEST

TEST(a_password_that_is_put_right_is_used_at_once)
{
    struct rig rig = {.backoff_max_ms = 3600000};
    char path[128];
    rig_open(&rig, &rig_redis);
    rig_grant(&rig, "right");
    snprintf(path, sizeof(path), "%s/password", rig.redis.dir);
    rig_write_file(path, "of yesterday\n");
    rig.user = "meshpulse";
    rig.password_file = path;
    rig.watch_ms = 50;
    struct rig_client *a = rig_client_unstarted(&rig);
    stream_start(a->stream);
    rig_expect_down(a, STREAM_CONFIG, "WRONGPASS"); // the next attempt may be an hour away
    rig_write_file(path, "right\n");
    rig_skip(a, STREAM_EV_UP);
    rig_close(&rig);
}
END_TEST

SUITE("contract/redis_tls",
      T(whom_it_must_not_trust_and_who_does_not_trust_it_is_named_and_tried_again),
      T(a_server_without_tls_or_with_an_old_one_is_named), T(files_that_cannot_be_read_are_named),
      T(a_certificate_that_is_put_right_is_used_at_once),
      T(half_a_pair_keeps_the_one_before_and_the_connection),
      T(a_password_that_is_put_right_is_used_at_once));
