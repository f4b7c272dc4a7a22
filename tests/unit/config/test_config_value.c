// SPDX-License-Identifier: Apache-2.0
// A row is a configuration and the one error that it must give, word for word.
#include "tests/unit/config/loaded.h"

static const struct row value_rows[] = {
    {"stream: {partitions: 0}\n", "f:1:22: stream.partitions: \"0\" is out of range; 1 to 256\n"},
    {"stream: {partitions: 257}\n",
     "f:1:22: stream.partitions: \"257\" is out of range; 1 to 256\n"},
    {"stream: {partitions: 0x10}\n",
     "f:1:22: stream.partitions: \"0x10\" is no number; 1 to 256\n"},
    {"stream: {partitions: -1}\n", "f:1:22: stream.partitions: \"-1\" is no number; 1 to 256\n"},
    {"stream: {partitions: 99999999999999999999}\n",
     "f:1:22: stream.partitions: \"99999999999999999999\" is out of range; 1 to 256\n"},
    {"stream: {partitions: [1]}\n", "f:1:22: stream.partitions: is no single value; 1 to 256\n"},
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
    {"check: {concurrency: 0}\n", "f:1:22: check.concurrency: \"0\" is out of range; 1 to 65536\n"},
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
    {"node: {zone: \"a\\tb\"}\n", "f:1:14: node.zone: \"a\\tb\" is no text in one line; at most "
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

TEST(a_wrong_value_is_told_with_its_place_and_what_is_allowed)
{
    check_rows(value_rows, COUNT(value_rows));
}

SUITE("config/config_value", T(a_wrong_value_is_told_with_its_place_and_what_is_allowed));
