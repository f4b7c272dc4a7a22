// SPDX-License-Identifier: Apache-2.0
// Services, their checks and instances: a row is a configuration and all of its errors.
#include "tests/unit/config/loaded.h"

#define TENANTS "1 to 63 bytes without control characters, no leading `!`\n"
#define INSTANCE(text) "services: [{name: a, instances: [{" text "}]}]\n"

static const struct row service_rows[] = {
    {"services:\n", ""},
    {"services: [{name: a}]\n", ""},
    {"services: [{name: \"outbound|80||pay.svc/x\", observers: all, scope: local}]\n", ""},
    {"services: [{name: a, observers: local, check: {type: http, expect: 204}}]\n", ""},
    {INSTANCE("id: b, address: 127.0.0.1, port: 1"), ""},
    {INSTANCE("id: b, address: \"::1\", port: 65535, labels: {v: 2, w: }, zone: "), ""},
    {"services: [{name: \"!a\"}]\n", "f:1:19: services[0].name: \"!a\" is reserved; " NAMES},
    {"services: [{name: \"\"}]\n", "f:1:19: services[0].name: \"\" is empty; " NAMES},
    {"services: [{name: }]\n", "f:1:12: services[0].name: is missing; " NAMES},
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
};

TEST(a_service_is_within_its_ranges)
{
    check_rows(service_rows, COUNT(service_rows));
}

static const struct row instance_rows[] = {
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

static const struct row tenant_rows[] = {
    {"tenants:\n", ""},
    {"tenants: []\n", ""},
    {"tenants: [{name: acme}, {name: default, quota: 100000000}]\n", ""},
    {"tenants: [{name: acme, quota: -1}]\n",
     "f:1:31: tenants[0].quota: \"-1\" is no number; 0 to 100000000\n"},
    {"tenants: [{name: acme, quota: 100000001}]\n",
     "f:1:31: tenants[0].quota: \"100000001\" is out of range; 0 to 100000000\n"},
    {"tenants: [{quota: 5}]\n", "f:1:11: tenants[0].name: is missing; " TENANTS},
    {"tenants: [{name: _mesh}]\n", "f:1:18: tenants[0].name: \"_mesh\" is reserved; " TENANTS},
    {"tenants: {name: acme}\n", "f:1:10: tenants: is no list; [{...}, ...]\n"},
};

TEST(a_tenant_is_within_its_ranges)
{
    check_rows(tenant_rows, COUNT(tenant_rows));
}

TEST(an_instance_is_within_its_ranges)
{
    check_rows(instance_rows, COUNT(instance_rows));
}

SUITE("config/config_services", T(a_service_is_within_its_ranges), T(a_tenant_is_within_its_ranges),
      T(an_instance_is_within_its_ranges));
