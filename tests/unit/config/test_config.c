// SPDX-License-Identifier: Apache-2.0
// The file is given as text, the environment and the flags as lists; nothing outside of the test is read.
// A row is a configuration and the one error that it must give, word for word.
#include "tests/lib/failalloc.h"
#include "tests/lib/suite.h"

#include "replicator/config.h"
#include "replicator/config_table.h"

#include <stdio.h>
#include <string.h>

#define OUT_MAX (1u << 20)

struct loaded {
    struct config *config;
    struct config_report report;
    enum err err;
};

static struct loaded load(const struct config_options *options)
{
    struct loaded loaded = {.config = NULL};
    struct config_options with_host = *options;
    if (with_host.host_name == NULL) {
        with_host.host_name = "host";
    }
    config_report_init(&loaded.report);
    loaded.err = config_load(&with_host, &loaded.config, &loaded.report);
    return loaded;
}

static struct loaded load_text(const char *text)
{
    return load(&(struct config_options){.file = "f", .text = span_str(text)});
}

static void unload(struct loaded *loaded)
{
    config_free(loaded->config);
    config_report_fini(&loaded->report);
}

static struct config *must_load(const char *text)
{
    struct loaded loaded = load_text(text);
    ck_assert_msg(loaded.err == ERR_OK, "%s", buf_cstr(&loaded.report.errors));
    config_report_fini(&loaded.report);
    return loaded.config;
}

struct row {
    const char *text;
    const char *error; // with its newline; "" for none
};

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct loaded loaded = load_text(rows[i].text);
        ck_assert_msg(strcmp(buf_cstr(&loaded.report.errors), rows[i].error) == 0,
                      "row %zu: %s\nsays: %swants: %s", i, rows[i].text,
                      buf_cstr(&loaded.report.errors), rows[i].error);
        CHECK_EQ(loaded.err, rows[i].error[0] == '\0' ? ERR_OK : ERR_INVALID);
        unload(&loaded);
    }
}

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

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

TEST(a_wrong_value_is_told_with_its_place_and_what_is_allowed)
{
    const struct row rows[] = {
        {"stream: {partitions: 0}\n",
         "f:1:22: stream.partitions: \"0\" is out of range; 1 to 256\n"},
        {"stream: {partitions: 257}\n",
         "f:1:22: stream.partitions: \"257\" is out of range; 1 to 256\n"},
        {"stream: {partitions: 0x10}\n",
         "f:1:22: stream.partitions: \"0x10\" is no number; 1 to 256\n"},
        {"stream: {partitions: -1}\n",
         "f:1:22: stream.partitions: \"-1\" is no number; 1 to 256\n"},
        {"stream: {partitions: 99999999999999999999}\n",
         "f:1:22: stream.partitions: \"99999999999999999999\" is out of range; 1 to 256\n"},
        {"stream: {partitions: [1]}\n",
         "f:1:22: stream.partitions: is no single value; 1 to 256\n"},
        {"stream:\n  lease: 500ms\n", "f:2:10: stream.lease: \"500ms\" is out of range; 1s to 1h, "
                                      "such as 500ms, 2s or 10m\n"},
        {"stream:\n  lease: 15\n", "f:2:10: stream.lease: \"15\" is no duration; 1s to 1h, "
                                   "such as 500ms, 2s or 10m\n"},
        {"stream: {lease: soon}\n", "f:1:17: stream.lease: \"soon\" is no duration; 1s to 1h, "
                                    "such as 500ms, 2s or 10m\n"},
        {"stream: {allow_eviction: yes}\n",
         "f:1:26: stream.allow_eviction: \"yes\" is neither true nor false; true or false\n"},
        {"map: {shards: 48}\n",
         "f:1:15: map.shards: \"48\" is no power of two; a power of two, 1 to 4096\n"},
        {"map: {shards: 8192}\n",
         "f:1:15: map.shards: \"8192\" is out of range; a power of two, 1 to 4096\n"},
        {"log: {level: loud}\n",
         "f:1:14: log.level: \"loud\" is none of the words; error, warn, info, debug\n"},
        {"log: {level: INFO}\n",
         "f:1:14: log.level: \"INFO\" is none of the words; error, warn, info, debug\n"},
        {"admin: {unix_mode: \"0999\"}\n",
         "f:1:20: admin.unix_mode: \"0999\" is no mode; octal, such as \"0660\"\n"},
        {"admin: {unix_mode: \"1777\"}\n",
         "f:1:20: admin.unix_mode: \"1777\" is no mode; octal, such as \"0660\"\n"},
        {"admin: {unix_uids: [me]}\n", "f:1:20: admin.unix_uids: \"me\" is no user id; a number\n"},
        {"admin: {unix_uids: 7}\n", "f:1:20: admin.unix_uids: is no list; a list, each a number\n"},
        {"admin: {unix_uids: [[7]]}\n", "f:1:21: admin.unix_uids: is no single value; [a, b]\n"},
        {"admin: {listen: 9810}\n", "f:1:17: admin.listen: \"9810\" is no address with a port; "
                                    "such as 127.0.0.1:9810, [::1]:9810 or localhost:9810\n"},
        {"admin: {listen: \"127.0.0.1:70000\"}\n",
         "f:1:17: admin.listen: \"127.0.0.1:70000\" is no address with a port; such as "
         "127.0.0.1:9810, [::1]:9810 or localhost:9810\n"},
        {"admin: {allowed_hosts: [\"a b\"]}\n",
         "f:1:24: admin.allowed_hosts: \"a b\" is no name of a host; a name, or an address with or "
         "without a port\n"},
        {"check: {allow: [10.0.0.0/33]}\n",
         "f:1:16: check.allow: \"10.0.0.0/33\" is no network; such as 10.0.0.0/8 or fd00::/8\n"},
        {"check: {jitter: 51}\n", "f:1:17: check.jitter: \"51\" is out of range; 0 to 50\n"},
        {"check: {concurrency: 0}\n",
         "f:1:22: check.concurrency: \"0\" is out of range; 1 to 65536\n"},
        {"stream: {prefix: \"a{b}\"}\n",
         "f:1:18: stream.prefix: \"a{b}\" is no prefix; 1 to 63 letters, digits and . _ : -\n"},
        {"stream: {prefix: \"\"}\n",
         "f:1:18: stream.prefix: \"\" is no prefix; 1 to 63 letters, digits and . _ : -\n"},
        {"node: {id: \"!a\"}\n", "f:1:12: node.id: \"!a\" is reserved; at most 63 bytes without "
                                 "control characters, not `anonymous`, no leading `!`\n"},
        {"node: {id: anonymous}\n",
         "f:1:12: node.id: \"anonymous\" is reserved; at most 63 bytes without control characters, "
         "not `anonymous`, no leading `!`\n"},
        {"node: {id: 1234567890123456789012345678901234567890123456789012345678901234}\n",
         "f:1:12: node.id: \"1234567890123456789012345678901234567890123456789012345678901234\" is "
         "no name; at most 63 bytes without control characters, not `anonymous`, no leading `!`\n"},
        {"node: {zone: \"a\\tb\"}\n",
         "f:1:14: node.zone: \"a\\tb\" is no text in one line; at most "
         "255 bytes without control characters\n"},
        {"xds: {cluster_name: \"{svc}\"}\n",
         "f:1:21: xds.cluster_name: \"{svc}\" is no template; text with {service} in it, and "
         "{tenant} if wanted\n"},
        {"xds: {cluster_name: all}\n",
         "f:1:21: xds.cluster_name: \"all\" names no service; text with {service} in it, and "
         "{tenant} if wanted\n"},
        {"config_version: 2\n", "f:1:17: config_version: is not known to this version; 1\n"},
        {"write_queue: {drop_low_at: 101}\n",
         "f:1:28: write_queue.drop_low_at: \"101\" is out of range; 1 to 100\n"},
    };
    check_rows(rows, COUNT(rows));
}

#define URLS "; memory:, redis://HOST:PORT or unix:///PATH\n"

TEST(the_url_of_a_stream_is_judged_by_its_scheme)
{
    const struct row rows[] = {
        {"stream: {url: \"memory:\"}\n", ""},
        {"stream: {url: \"redis://r\"}\n", ""},
        {"stream: {url: \"redis://[::1]:6379\"}\n", ""},
        {"stream: {url: unix:///run/redis.sock}\n", ""},
        {"stream: {url: unix://redis.sock}\n",
         "f:1:15: stream.url: \"unix://redis.sock\" names no path" URLS},
        {"stream: {url: http://r}\n",
         "f:1:15: stream.url: \"http://r\" is no URL of a stream" URLS},
        {"stream: {url: \"redis://r:0\"}\n",
         "f:1:15: stream.url: \"redis://r:0\" has no valid port" URLS},
        {"stream: {url: \"redis://r:6379/2\"}\n",
         "f:1:15: stream.url: \"redis://r:6379/2\" has no valid port" URLS},
        {"stream: {url: \"redis://\"}\n", "f:1:15: stream.url: \"redis://\" names no host" URLS},
        {"stream: {url: \"rediss://r:6379\"}\n",
         "f:1:15: stream.url: \"rediss://r:6379\" is not available in this version" URLS},
        {"stream: {url: \"redis+sentinel://a:1,b:2/m\"}\n",
         "f:1:15: stream.url: \"redis+sentinel://a:1,b:2/m\" is not available in this "
         "version" URLS},
        {"stream: {url: \"redis+cluster://a:1\"}\n",
         "f:1:15: stream.url: \"redis+cluster://a:1\" is not available in this version" URLS},
        {"stream: {url: \"redis://user@r\"}\n", "f:1:15: stream.url: the URL holds a user, which "
                                                "belongs into stream.user" URLS},
    };
    check_rows(rows, COUNT(rows));
}

TEST(a_password_in_the_url_is_refused_and_never_shown)
{
    const char *const urls[] = {"redis://:hunter2@r", "redis://u:hunter2@r", "rediss://:hunter2@r"};
    for (size_t i = 0; i < COUNT(urls); i++) {
        char set[64];
        (void)snprintf(set, sizeof(set), "stream.url=%s", urls[i]);
        const char *const sets[] = {set};
        struct loaded loaded = load(&(struct config_options){.sets = sets, .set_count = 1});
        CHECK_EQ(loaded.err, ERR_INVALID);
        CHECK(strstr(buf_cstr(&loaded.report.errors), "--set stream.url: the URL") != NULL);
        CHECK(strstr(buf_cstr(&loaded.report.errors), "hunter2") == NULL);
        unload(&loaded);
    }
}

TEST(an_unknown_key_is_an_error_and_the_nearest_is_named)
{
    const struct row rows[] = {
        {"strem: {url: x}\n", "f:1:1: strem: no such section; did you mean stream?\n"},
        {"service: []\n", "f:1:1: service: no such section; did you mean services?\n"},
        {"stream: {ulr: x}\n", "f:1:10: stream.ulr: no such key; did you mean url?\n"},
        {"stream: {partition: 8}\n",
         "f:1:10: stream.partition: no such key; did you mean partitions?\n"},
        {"map: {retention: 8}\n",
         "f:1:7: map.retention: no such key; did you mean stream.retention?\n"},
        {"threads: {xyzzy: 8}\n", "f:1:11: threads.xyzzy: no such key; one of workers\n"},
        {"threads: {\"a\\nb\": 8}\n", "f:1:11: threads.\"a\\nb\": no such key; one of workers\n"},
        {"services: [{nam: a}]\n",
         "f:1:13: services[0].nam: no such key; did you mean name?\n"
         "f:1:12: services[0].name: is missing; 1 to 255 bytes without control characters, no "
         "leading `!`\n"},
        {"services: [{name: a, check: {typ: tcp}}]\n",
         "f:1:30: services[0].check.typ: no such key; did you mean type?\n"},
        {"services: [{name: a, instances: [{id: b, address: 127.0.0.1, prot: 1, port: 2}]}]\n",
         "f:1:62: services[0].instances[0].prot: no such key; did you mean port?\n"},
    };
    check_rows(rows, COUNT(rows));
}

TEST(a_key_of_a_later_release_takes_its_default_only)
{
    const struct row rows[] = {
        {"map: {quota: 0, hot_keys: auto}\n", ""},
        {"xds: {listen: \"\", max_streams: 4096}\n", ""},
        {"tenants: []\n", ""},
        {"map: {quota: 5}\n", "f:1:14: map.quota: 5 is not available in this version; 0\n"},
        {"stream: {read_from: replica}\n",
         "f:1:21: stream.read_from: replica is not available in this version; master\n"},
        {"xds: {listen: \"127.0.0.1:1\"}\n",
         "f:1:15: xds.listen: \"127.0.0.1:1\" is not available in this version; \"\"\n"},
        {"hds: {enabled: true}\n", "f:1:16: hds.enabled: true is not available in this version; "
                                   "false\n"},
        {"kubernetes: {namespaces: [a]}\n",
         "f:1:26: kubernetes.namespaces: [\"a\"] is not available in this version; []\n"},
        {"tenants: [{name: acme}]\n", "f:1:1: tenants: is not available in this version; []\n"},
        {"services: [{name: a, damping: false}]\n",
         "f:1:31: services[0].damping: \"false\" is not available in this version; true\n"},
        {"services: [{name: a, check: {type: grpc}}]\n",
         "f:1:36: services[0].check.type: \"grpc\" is not available in this version; http, https, "
         "tcp, none\n"},
    };
    check_rows(rows, COUNT(rows));
}

TEST(yaml_that_nobody_needs_is_refused)
{
    const char *const texts[] = {"node: &a {id: x}\n",
                                 "node: *a\n",
                                 "node: !t {id: x}\n",
                                 "--- {}\n--- {}\n",
                                 "node: {id: a\n",
                                 "node: {}\nnode: {}\n",
                                 "[1]\n",
                                 "node: [a]\n",
                                 "just words\n",
                                 "services: {a: 1}\n",
                                 "services: [a]\n"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct loaded loaded = load_text(texts[i]);
        ck_assert_msg(loaded.err == ERR_INVALID, "%s", texts[i]);
        CHECK_EQ(loaded.report.error_count, 1);
        CHECK(strncmp(buf_cstr(&loaded.report.errors), "f:", 2) == 0);
        unload(&loaded);
    }
}

TEST(a_file_that_cannot_be_read_is_at_line_0)
{
    struct loaded loaded = load(&(struct config_options){.file = "/nonexistent/x.yaml"});
    CHECK_EQ(loaded.err, ERR_INVALID);
    CHECK_STR(buf_cstr(&loaded.report.errors), "/nonexistent/x.yaml:0:0: cannot be read: No such "
                                               "file or directory; a file of at most 1 MiB\n");
    unload(&loaded);
    loaded = load(&(struct config_options){.file = "/"});
    CHECK_STR(buf_cstr(&loaded.report.errors),
              "/:0:0: cannot be read: Is a directory; a file of at most 1 MiB\n");
    unload(&loaded);
}

#define OPEN                                                                                       \
    " is reached from other hosts; a loopback address, or TLS (admin.tls_cert_file, "              \
    "admin.tls_key_file) with authentication (admin.tokens_file or admin.client_ca_file)\n"

TEST(strangers_reach_nothing_without_tls_and_authentication)
{
    const struct row rows[] = {
        {"admin: {listen: \"0.0.0.0:1\"}\n", "f:1:17: admin.listen: \"0.0.0.0:1\"" OPEN},
        {"admin: {listen: \":1\"}\n", "f:1:17: admin.listen: \":1\"" OPEN},
        {"admin: {listen: \"[::]:1\"}\n", "f:1:17: admin.listen: \"[::]:1\"" OPEN},
        {"admin: {listen: \"10.0.0.1:1\", tokens_file: t}\n",
         "f:1:17: admin.listen: \"10.0.0.1:1\"" OPEN},
        {"admin: {listen: \"10.0.0.1:1\", tls_cert_file: c, tls_key_file: k}\n",
         "f:1:17: admin.listen: \"10.0.0.1:1\"" OPEN},
        {"admin: {listen: \"10.0.0.1:1\", tls_cert_file: c, tls_key_file: k, tokens_file: t}\n",
         ""},
        {"admin: {listen: \"10.0.0.1:1\", tls_cert_file: c, tls_key_file: k, client_ca_file: a}\n",
         ""},
        {"admin: {listen: \"localhost:1\"}\n", ""},
        {"admin: {listen: \"[::1]:1\"}\n", ""},
        {"admin: {listen: \"127.9.9.9:1\"}\n", ""},
        {"admin: {listen: \"\", unix: /run/m.sock}\n", ""},
        {"admin: {probe_listen: \"0.0.0.0:9811\"}\n", ""},
        {"admin: {probe_listen: \"0.0.0.0:9810\"}\n",
         "f:1:23: admin.probe_listen: \"0.0.0.0:9810\" is taken by admin.listen; another port\n"},
        {"admin: {tls_cert_file: c}\n",
         "f:1:24: admin.tls_cert_file: has no key; set admin.tls_key_file too\n"},
        {"admin: {tls_key_file: k}\n",
         "f:1:23: admin.tls_key_file: has no certificate; set admin.tls_cert_file too\n"},
        {"admin: {client_ca_file: a}\n", "f:1:25: admin.client_ca_file: needs TLS; set "
                                         "admin.tls_cert_file and admin.tls_key_file too\n"},
        {"admin: {write: authenticated}\n",
         "f:1:16: admin.write: nobody could write; set admin.tokens_file, admin.client_ca_file or "
         "admin.unix too\n"},
        {"admin: {write: authenticated, unix: /run/m.sock}\n", ""},
    };
    check_rows(rows, COUNT(rows));
}

#define INSTANCE(text) "services: [{name: a, instances: [{" text "}]}]\n"
#define NAMES "1 to 255 bytes without control characters, no leading `!`\n"

TEST(services_and_instances_are_within_their_ranges)
{
    const struct row rows[] = {
        {"services:\n", ""},
        {"services: [{name: a}]\n", ""},
        {"services: [{name: \"outbound|80||pay.svc/x\", observers: all, scope: local}]\n", ""},
        {"services: [{name: a, observers: local, check: {type: http, expect: 204}}]\n", ""},
        {INSTANCE("id: b, address: 127.0.0.1, port: 1"), ""},
        {INSTANCE("id: b, address: \"::1\", port: 65535, labels: {v: 2, w: }, zone: "), ""},
        {"services: [{name: \"!a\"}]\n", "f:1:19: services[0].name: \"!a\" is reserved; " NAMES},
        {"services: [{name: \"\"}]\n", "f:1:19: services[0].name: \"\" is empty; " NAMES},
        {"services: [{name: }]\n", "f:1:12: services[0].name: is missing; " NAMES},
        {"services: [{name: \"a\\0b\"}]\n", NULL},
        {"services: [{name: \"a\\u2028b\"}]\n", "f:1:19: services[0].name: \"a\xe2\x80\xa8"
                                                "b\" holds a control character; " NAMES},
        {"services: [{name: a, tenant: _mesh}]\n",
         "f:1:30: services[0].tenant: \"_mesh\" is reserved; 1 to 63 bytes without control "
         "characters\n"},
        {"services: [{name: a, tenant: \"!t\"}]\n",
         "f:1:30: services[0].tenant: \"!t\" is reserved; 1 to 63 bytes without control "
         "characters\n"},
        {"services: [{name: a, scope: world}]\n",
         "f:1:29: services[0].scope: \"world\" is no scope; mesh, local\n"},
        {"services: [{name: a, observers: 0}]\n",
         "f:1:33: services[0].observers: \"0\" says not who observes; 1 to 1000, local, all\n"},
        {"services: [{name: a, observers: some}]\n",
         "f:1:33: services[0].observers: \"some\" says not who observes; 1 to 1000, local, all\n"},
        {"services: [{name: a, max_unhealthy_percent: 101}]\n",
         "f:1:45: services[0].max_unhealthy_percent: \"101\" is out of range; 0 to 100\n"},
        {"services: [{name: a, check: {type: icmp}}]\n",
         "f:1:36: services[0].check.type: \"icmp\" is none of the types; http, https, tcp, none\n"},
        {"services: [{name: a, check: {path: x}}]\n",
         "f:1:36: services[0].check.path: \"x\" is no path of a request; begins with /, at most "
         "1024 visible characters\n"},
        {"services: [{name: a, check: {path: \"/a b\"}}]\n",
         "f:1:36: services[0].check.path: \"/a b\" is no path of a request; begins with /, at most "
         "1024 visible characters\n"},
        {"services: [{name: a, check: {path: \"/a\\r\\nX: y\"}}]\n",
         "f:1:36: services[0].check.path: \"/a\\r\\nX: y\" is no path of a request; begins with /, "
         "at most 1024 visible characters\n"},
        {"services: [{name: a, check: {interval: 1ms}}]\n",
         "f:1:40: services[0].check.interval: \"1ms\" is out of range; 10ms to 24h, such as 500ms, "
         "2s or 10m\n"},
        {"services: [{name: a, check: {rise: 0}}]\n",
         "f:1:36: services[0].check.rise: \"0\" is out of range; 1 to 1000\n"},
        {"services: [{name: a, check: {expect: 299-200}}]\n",
         "f:1:38: services[0].check.expect: \"299-200\" is no range of statuses; such as 200 or "
         "200-299, within 100 to 599\n"},
        {"services: [{name: a, check: {expect: 600}}]\n",
         "f:1:38: services[0].check.expect: \"600\" is no range of statuses; such as 200 or "
         "200-299, within 100 to 599\n"},
        {"services: [{name: a, check: tcp}]\n",
         "f:1:29: services[0].check: is no mapping; {key: value, ...}\n"},
        {INSTANCE("address: 127.0.0.1, port: 1"),
         "f:1:34: services[0].instances[0].id: is missing; " NAMES},
        {INSTANCE("id: b, address: localhost, port: 1"),
         "f:1:51: services[0].instances[0].address: \"localhost\" is no IP address; an IPv4 or "
         "IPv6 address\n"},
        {INSTANCE("id: b, address: 127.0.0.1, port: 0"),
         "f:1:68: services[0].instances[0].port: \"0\" is out of range; 1 to 65535\n"},
        {INSTANCE("id: b, address: 127.0.0.1, port: 65536"),
         "f:1:68: services[0].instances[0].port: \"65536\" is out of range; 1 to 65535\n"},
        {INSTANCE("id: b, address: 127.0.0.1, port: 1, weight: 0"),
         "f:1:79: services[0].instances[0].weight: \"0\" is out of range; 1 to 1000000\n"},
        {INSTANCE("id: b, address: 127.0.0.1, port: 1, priority: 128"),
         "f:1:81: services[0].instances[0].priority: \"128\" is out of range; 0 to 127\n"},
        {INSTANCE("id: b, address: 127.0.0.1, port: 1, labels: [a]"),
         "f:1:79: services[0].instances[0].labels: is no mapping; at most 32 labels, names of 1 to "
         "63 and values of at most 255 bytes, 2 KiB in all\n"},
        {INSTANCE("id: b, address: 127.0.0.1, port: 1, labels: {\"\": x}"),
         "f:1:80: services[0].instances[0].labels: is no name of a label; 1 to 63 bytes without "
         "control characters\n"},
        {INSTANCE("id: b, address: 127.0.0.1, port: 1, labels: {a: \"x\\ny\"}"),
         "f:1:83: services[0].instances[0].labels.a: is no value of a label; at most 255 bytes "
         "without control characters\n"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (rows[i].error == NULL) { // the words are those of the YAML parser
            struct loaded loaded = load_text(rows[i].text);
            CHECK_EQ(loaded.err, ERR_INVALID);
            unload(&loaded);
            continue;
        }
        check_rows(&rows[i], 1);
    }
}

TEST(names_and_clusters_must_differ)
{
    const struct row rows[] = {
        {"services: [{name: a}, {name: b}, {name: a}]\n",
         "f:1:34: services[2].name: \"a\" stands at line 1 already; each name once\n"},
        {"services: [{name: a}, {name: a, tenant: t}]\n", ""},
        {"services:\n- name: a\n  instances:\n  - {id: x, address: 127.0.0.1, port: 1}\n"
         "  - {id: x, address: 127.0.0.1, port: 2}\n",
         "f:5:5: services[0].instances[1].id: \"x\" stands at line 4 already; each name once\n"},
        {"xds: {files_dir: d}\nservices: [{name: a}, {name: a, tenant: t}]\n",
         "f:2:23: services[1].name: maps to the Envoy cluster \"a\", as the service at line 2; "
         "other "
         "names, or an xds.cluster_name with {tenant}\n"},
        {"xds: {files_dir: d, cluster_name: \"{tenant}/{service}\"}\n"
         "services: [{name: a}, {name: a, tenant: t}]\n",
         ""},
        {"xds: {files_dir: d, cluster_name: \"{tenant}{service}\"}\n"
         "services: [{name: bc, tenant: a}, {name: c, tenant: ab}]\n",
         "f:2:35: services[1].name: maps to the Envoy cluster \"abc\", as the service at line 2; "
         "other "
         "names, or an xds.cluster_name with {tenant}\n"},
    };
    check_rows(rows, COUNT(rows));
}

TEST(all_mistakes_are_told_at_once_in_their_order)
{
    const struct row row = {
        "stream: {partitions: 0, lease: x}\n"
        "lgo: {}\n"
        "services: [{name: a, observers: 0}, {nam: b}]\n",
        "f:1:22: stream.partitions: \"0\" is out of range; 1 to 256\n"
        "f:1:32: stream.lease: \"x\" is no duration; 1s to 1h, such as 500ms, "
        "2s or 10m\n"
        "f:2:1: lgo: no such section; did you mean log?\n"
        "f:3:33: services[0].observers: \"0\" says not who observes; 1 to 1000, "
        "local, all\n"
        "f:3:38: services[1].nam: no such key; did you mean name?\n"
        "f:3:37: services[1].name: is missing; " NAMES};
    check_rows(&row, 1);
}

TEST(a_file_full_of_mistakes_gives_a_bounded_list)
{
    struct buf text;
    buf_init(&text, OUT_MAX);
    buf_str(&text, "services:\n");
    for (int i = 0; i < 3000; i++) {
        buf_str(&text, "- {name: \"\"}\n");
    }
    struct loaded loaded = load_text(buf_cstr(&text));
    CHECK_EQ(loaded.report.error_count, 3000);
    CHECK(strstr(buf_cstr(&loaded.report.errors), "\nand 2000 more\n") != NULL);
    unload(&loaded);
    buf_fini(&text);
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
              "--set admin.listen: \":1\"" OPEN);
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
    "- {name: \"outbound|80||x\", scope: local, observers: all}\n";

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
      T(a_wrong_value_is_told_with_its_place_and_what_is_allowed),
      T(the_url_of_a_stream_is_judged_by_its_scheme),
      T(a_password_in_the_url_is_refused_and_never_shown),
      T(an_unknown_key_is_an_error_and_the_nearest_is_named),
      T(a_key_of_a_later_release_takes_its_default_only), T(yaml_that_nobody_needs_is_refused),
      T(a_file_that_cannot_be_read_is_at_line_0),
      T(strangers_reach_nothing_without_tls_and_authentication),
      T(services_and_instances_are_within_their_ranges), T(names_and_clusters_must_differ),
      T(all_mistakes_are_told_at_once_in_their_order),
      T(a_file_full_of_mistakes_gives_a_bounded_list),
      T(a_flag_beats_the_environment_beats_the_file),
      T(mistakes_of_environment_and_flags_name_their_source),
      T(a_host_name_that_is_no_node_id_must_be_replaced),
      T(what_is_printed_is_accepted_and_says_the_same), T(where_a_value_came_from_is_printed),
      T(an_instance_becomes_a_registration_of_the_file_alone), T(every_allocation_may_fail));
