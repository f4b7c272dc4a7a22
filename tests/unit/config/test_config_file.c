// SPDX-License-Identifier: Apache-2.0
// What stands in a file: keys known and unknown, YAML that nobody needs, many mistakes at once.
#include "tests/unit/config/loaded.h"

#include <string.h>

static const struct row unknown_rows[] = {
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

TEST(an_unknown_key_is_an_error_and_the_nearest_is_named)
{
    check_rows(unknown_rows, COUNT(unknown_rows));
}

static const struct row later_rows[] = {
    {"map: {quota: 0, hot_keys: auto}\n", ""},
    {"xds: {listen: \"\", max_streams: 4096}\n", ""},
    {"map: {hot_keys: off}\n",
     "f:1:17: map.hot_keys: off is not available in this version; auto\n"},
    {"stream: {read_from: replica}\n",
     "f:1:21: stream.read_from: replica is not available in this version; master\n"},
    {"xds: {listen: \"127.0.0.1:1\"}\n",
     "f:1:15: xds.listen: \"127.0.0.1:1\" is not available in this version; \"\"\n"},
    {"hds: {enabled: true}\n", "f:1:16: hds.enabled: true is not available in this version; "
                               "false\n"},
    {"kubernetes: {namespaces: [a]}\n",
     "f:1:26: kubernetes.namespaces: [\"a\"] is not available in this version; []\n"},
    {"services: [{name: a, damping: false}]\n",
     "f:1:31: services[0].damping: \"false\" is not available in this version; true\n"},
    {"services: [{name: a, check: {type: grpc}}]\n",
     "f:1:36: services[0].check.type: \"grpc\" is not available in this version; http, https, "
     "tcp, none\n"},
};

TEST(a_key_of_a_later_release_takes_its_default_only)
{
    check_rows(later_rows, COUNT(later_rows));
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
    buf_init(&text, 1u << 20);
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

SUITE("config/config_file", T(an_unknown_key_is_an_error_and_the_nearest_is_named),
      T(a_key_of_a_later_release_takes_its_default_only), T(yaml_that_nobody_needs_is_refused),
      T(a_file_that_cannot_be_read_is_at_line_0), T(all_mistakes_are_told_at_once_in_their_order),
      T(a_file_full_of_mistakes_gives_a_bounded_list));
