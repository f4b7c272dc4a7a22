// SPDX-License-Identifier: Apache-2.0
// The file is given as text, the environment and the flags as lists; nothing outside of the test is read.
#include "tests/lib/failalloc.h"
#include "tests/unit/config/loaded.h"

#include "replicator/config_table.h"

#include <stdio.h>
#include <string.h>

TEST(an_empty_file_gives_the_defaults)
{
    struct config *config = must_load("");
    CHECK_STR(config->node_id, "host");
    CHECK_STR(config->stream_url, "memory:");
    CHECK_EQ(config->stream_partitions, 16);
    CHECK_EQ(config->stream_lease_ms, 15000);
    CHECK_EQ(config->stream_allow_eviction, false);
    CHECK_STR(config->admin_listen, "127.0.0.1:9810");
    CHECK_EQ(config->admin_write, CONFIG_WRITE_LOOPBACK);
    CHECK_EQ(config_mode(config->admin_unix_mode), 0660);
    CHECK_EQ(config->check_allow.count, 0);
    CHECK_STR(config->xds_cluster_name, "{service}");
    CHECK_EQ(config->log_level, 2);
    CHECK_EQ(config->service_count, 0);
    config_free(config);
}

TEST(every_kind_of_value_is_read)
{
    struct config *config = must_load("config_version: 1\n"
                                      "node: {id: a, zone: eu-1a}\n"
                                      "stream:\n"
                                      "  url: redis://r.example:6379\n"
                                      "  partitions: '32'\n"
                                      "  linger_max: 0\n"
                                      "  allow_eviction: true\n"
                                      "  lease:\n"
                                      "check: {allow: [10.0.0.0/8, \"fd00::/8\"]}\n"
                                      "admin: {unix_uids: [1000, 0], write: loopback}\n"
                                      "log: {level: debug, format: json}\n");
    CHECK_STR(config->node_id, "a");
    CHECK_STR(config->node_zone, "eu-1a");
    CHECK_STR(config->stream_url, "redis://r.example:6379");
    CHECK_EQ(config->stream_partitions, 32);
    CHECK_EQ(config->stream_linger_max_ms, 0);
    CHECK_EQ(config->stream_allow_eviction, true);
    CHECK_EQ(config->stream_lease_ms, 15000);
    CHECK_EQ(config->check_allow.count, 2);
    CHECK_STR(config->check_allow.items[1].ptr, "fd00::/8");
    CHECK_EQ(config->log_level, 3);
    CHECK_EQ(config->log_format, 1);
    uint32_t uids[2];
    CHECK_EQ(config_uids(config, uids, 2), 2);
    CHECK_EQ(uids[0], 1000);
    CHECK_EQ(config->origins[CONFIG_stream_partitions].line, 5);
    CHECK_EQ(config->origins[CONFIG_stream_lease].kind, CONFIG_DEFAULT);
    config_free(config);
}

TEST(a_flag_beats_the_environment_beats_the_file)
{
    const char *const environment[] = {"PATH=/bin", "MESHPULSE_STREAM_PARTITIONS=2",
                                       "MESHPULSE_CHECK_ALLOW=10.0.0.0/8,127.0.0.0/8",
                                       "MESHPULSE_WRITE_QUEUE_CAPACITY=64", NULL};
    const char *const sets[] = {"stream.partitions=3", "node.id=b", "node.id=c"};
    struct loaded loaded = load(&(struct config_options){
        .file = "f",
        .text = SPAN_LIT("stream: {partitions: 1, prefix: x}\nwrite_queue: {capacity: 16}\n"),
        .environment = environment,
        .sets = sets,
        .set_count = 3});
    CHECK_EQ(loaded.err, ERR_OK);
    CHECK_EQ(loaded.config->stream_partitions, 3);
    CHECK_EQ(loaded.config->write_queue_capacity, 64);
    CHECK_EQ(loaded.config->check_allow.count, 2);
    CHECK_STR(loaded.config->stream_prefix, "x");
    CHECK_STR(loaded.config->node_id, "c");
    CHECK_EQ(loaded.config->origins[CONFIG_stream_partitions].kind, CONFIG_SET);
    CHECK_EQ(loaded.config->origins[CONFIG_write_queue_capacity].kind, CONFIG_ENV);
    CHECK_EQ(loaded.report.warning_count, 0);
    unload(&loaded);
}

TEST(mistakes_of_environment_and_flags_name_their_source)
{
    const char *const environment[] = {"MESHPULSE_LOG_LEVEL=x", "MESHPULSE_LOG_LEVLE=info",
                                       "MESHPULSE_SERVER=http://x", "MESHPULSE_FOO", NULL};
    const char *const sets[] = {"log.format=xml", "log.fromat=json", "log", "=x",
                                "admin.listen=:1"};
    struct loaded loaded = load(&(struct config_options){
        .environment = environment, .sets = sets, .set_count = COUNT(sets)});
    CHECK_EQ(loaded.err, ERR_INVALID);
    CHECK_STR(buf_cstr(&loaded.report.errors),
              "MESHPULSE_LOG_LEVEL: \"x\" is none of the words; error, warn, info, debug\n"
              "--set log.format: \"xml\" is none of the words; logfmt, json\n"
              "--set \"log.fromat\": no such key; did you mean log.format?\n"
              "--set \"log\": no such key; SECTION.KEY=VALUE\n"
              "--set \"\": no such key; SECTION.KEY=VALUE\n"
              "--set admin.listen: \":1\" is reached from other hosts; a loopback address, or TLS "
              "(admin.tls_cert_file, admin.tls_key_file) with authentication (admin.tokens_file or "
              "admin.client_ca_file)\n");
    CHECK_STR(buf_cstr(&loaded.report.warnings),
              "MESHPULSE_LOG_LEVLE: no such key; did you mean MESHPULSE_LOG_LEVEL?\n");
    unload(&loaded);
}

TEST(a_host_name_that_is_no_node_id_must_be_replaced)
{
    struct loaded loaded = load(&(struct config_options){.host_name = ""});
    CHECK_STR(buf_cstr(&loaded.report.errors), "node.id: this host has no name; set node.id\n");
    unload(&loaded);
    loaded = load(&(struct config_options){.host_name = "anonymous"});
    CHECK_EQ(loaded.err, ERR_INVALID);
    unload(&loaded);
}

#define OUT_MAX (1u << 20)

static const char *const whole =
    "config_version: 1\n"
    "node: {id: a, zone: eu-1a}\n"
    "stream: {url: \"redis://127.0.0.1:6379\", lease: 2s}\n"
    "check: {allow: [127.0.0.0/8]}\n"
    "xds: {files_dir: /run/eds}\n"
    "services:\n"
    "- name: pay\n"
    "  observers: local\n"
    "  max_unhealthy_percent: 30\n"
    "  check: {type: http, path: \"/h\\\"z\", interval: 90s, timeout: 250ms, rise: 1, expect: "
    "200}\n"
    "  instances:\n"
    "  - {id: pay-1, address: 127.0.0.1, port: 8081, zone: eu-1a, labels: {w: \"x\", v: 2}}\n"
    "  - {id: \"a: b # c\", address: \"::1\", port: 8082, weight: 7, priority: 1}\n"
    "- {name: \"outbound|80||x\", scope: local, observers: all}\n"
    "map: {quota: 7}\n"
    "tenants: [{name: \"a: b\", quota: 5}, {name: acme}]\n";

TEST(what_is_printed_is_accepted_and_says_the_same)
{
    struct buf first;
    struct buf second;
    buf_init(&first, OUT_MAX);
    buf_init(&second, OUT_MAX);
    struct config *config = must_load(whole);
    config_print(config, &first);
    CHECK(strstr(buf_cstr(&first), "  zone: \"eu-1a\" # f:2\n") != NULL);
    CHECK(strstr(buf_cstr(&first), "  lease: 2s # f:3\n") != NULL);
    CHECK(strstr(buf_cstr(&first), "  partitions: 16 # default\n") != NULL);
    CHECK(strstr(buf_cstr(&first), "  - name: \"pay\" # f:7\n") != NULL);
    config_free(config);
    config = must_load(buf_cstr(&first));
    CHECK_EQ(config->service_count, 2);
    CHECK_EQ(config->services[0].instance_count, 2);
    CHECK_EQ(config->stream_lease_ms, 2000);
    CHECK_UEQ(config->map_quota, 7);
    CHECK_UEQ(config->tenant_count, 2);
    CHECK(span_eq_str(config->tenants[0].name, "a: b"));
    CHECK_UEQ(config->tenants[0].quota, 5);
    CHECK_UEQ(config->tenants[1].quota, 0);
    config_print(config, &second);
    // The second one differs in the origins only: everything comes from a file now.
    const char *a = buf_cstr(&first);
    const char *b = buf_cstr(&second);
    while (*a != '\0' && *b != '\0') {
        size_t a_len = strcspn(a, "\n");
        size_t b_len = strcspn(b, "\n");
        const char *a_end = memmem(a, a_len, " # f", 4);
        a_end = a_end == NULL ? memmem(a, a_len, " # default", 10) : a_end;
        size_t len = a_end == NULL ? a_len : (size_t)(a_end - a);
        ck_assert_msg(len <= b_len && memcmp(a, b, len) == 0, "%.*s\n%.*s", (int)a_len, a,
                      (int)b_len, b);
        a += a_len + 1;
        b += b_len + 1;
    }
    CHECK_EQ(*a, *b);
    config_free(config);
    buf_fini(&first);
    buf_fini(&second);
}

TEST(where_a_value_came_from_is_printed)
{
    const char *const environment[] = {"MESHPULSE_LOG_LEVEL=warn", NULL};
    const char *const sets[] = {"log.format=json"};
    struct loaded loaded =
        load(&(struct config_options){.environment = environment, .sets = sets, .set_count = 1});
    struct buf out;
    buf_init(&out, OUT_MAX);
    config_print(loaded.config, &out);
    CHECK(strstr(buf_cstr(&out), "  level: warn # env MESHPULSE_LOG_LEVEL\n") != NULL);
    CHECK(strstr(buf_cstr(&out), "  format: json # --set\n") != NULL);
    CHECK(strstr(buf_cstr(&out), "  id: \"host\" # default\n") != NULL);
    buf_fini(&out);
    unload(&loaded);
}

TEST(an_instance_becomes_a_registration_of_the_file_alone)
{
    struct config *config = must_load(whole);
    struct registration registration;
    config_registration(&config->services[0].instances[0], &registration);
    CHECK_STR(registration.address.ptr, "127.0.0.1");
    CHECK_EQ(registration.port, 8081);
    CHECK_EQ(registration.weight, 1);
    CHECK_EQ(registration.priority, 0);
    CHECK_EQ(registration.lease_ms, 0);
    CHECK_EQ(registration.owner.len, 0);
    CHECK_EQ(registration.source, SOURCE_CONFIG);
    CHECK_EQ(registration.label_count, 2);
    CHECK_STR(registration.labels[0].name.ptr, "v");
    CHECK_STR(registration.labels[1].name.ptr, "w");
    CHECK_STR(config->services[0].policy.by.ptr, "a");
    CHECK_EQ(config->services[0].policy.observers, OBSERVERS_LOCAL);
    CHECK_EQ(config->services[0].policy.check.expect_max, 200);
    CHECK_EQ(config->services[0].policy.check.fall, 3);
    CHECK_EQ(config->services[1].policy.scope, SCOPE_LOCAL);
    CHECK_EQ(config->services[1].policy.check.type, CHECK_NONE);
    config_free(config);
}

static bool walk(void *arg)
{
    (void)arg;
    static const char *const environment[] = {"MESHPULSE_LOG_LEVEL=warn", NULL};
    static const char *const sets[] = {"log.format=json"};
    const struct config_options options = {.file = "f",
                                           .text = span_str(whole),
                                           .environment = environment,
                                           .sets = sets,
                                           .set_count = 1,
                                           .host_name = "h"};
    struct config *config = NULL;
    struct config_report report;
    config_report_init(&report);
    enum err err = config_load(&options, &config, &report);
    config_free(config);
    config_report_fini(&report);
    return err == ERR_OK;
}

static bool walk_wrong(void *arg)
{
    bool *told = arg;
    const struct config_options options = {
        .file = "f", .text = SPAN_LIT("a: 1\nservices: [{name: \"\"}]\nlog: {level: x}\n")};
    struct config *config = NULL;
    struct config_report report;
    config_report_init(&report);
    enum err err = config_load(&options, &config, &report);
    *told = *told && (err == ERR_NOMEM || (err == ERR_INVALID && report.error_count == 3));
    config_report_fini(&report);
    return err == ERR_INVALID;
}

TEST(every_allocation_may_fail)
{
    bool told = true;
    CHECK(failalloc_each(walk, NULL) > 50);
    CHECK(failalloc_each(walk_wrong, &told) > 10);
    CHECK(told);
}

SUITE("config/config", T(an_empty_file_gives_the_defaults), T(every_kind_of_value_is_read),
      T(a_flag_beats_the_environment_beats_the_file),
      T(mistakes_of_environment_and_flags_name_their_source),
      T(a_host_name_that_is_no_node_id_must_be_replaced),
      T(what_is_printed_is_accepted_and_says_the_same), T(where_a_value_came_from_is_printed),
      T(an_instance_becomes_a_registration_of_the_file_alone), T(every_allocation_may_fail));
