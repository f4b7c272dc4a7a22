// SPDX-License-Identifier: Apache-2.0
// Rules over several keys.
#include "tests/unit/config/loaded.h"

#define OPEN                                                                                       \
    " is reached from other hosts; a loopback address, or TLS (admin.tls_cert_file, "              \
    "admin.tls_key_file) with authentication (admin.tokens_file or admin.client_ca_file)\n"

static const struct row open_rows[] = {
    {"admin: {listen: \"0.0.0.0:1\"}\n", "f:1:17: admin.listen: \"0.0.0.0:1\"" OPEN},
    {"admin: {listen: \":1\"}\n", "f:1:17: admin.listen: \":1\"" OPEN},
    {"admin: {listen: \"[::]:1\"}\n", "f:1:17: admin.listen: \"[::]:1\"" OPEN},
    {"admin: {listen: \"10.0.0.1:1\", tokens_file: t}\n",
     "f:1:17: admin.listen: \"10.0.0.1:1\"" OPEN},
    {"admin: {listen: \"10.0.0.1:1\", tls_cert_file: c, tls_key_file: k}\n",
     "f:1:17: admin.listen: \"10.0.0.1:1\"" OPEN},
    {"admin: {listen: \"10.0.0.1:1\", tls_cert_file: c, tls_key_file: k, tokens_file: t}\n", ""},
    {"admin: {listen: \"10.0.0.1:1\", tls_cert_file: c, tls_key_file: k, client_ca_file: a}\n", ""},
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

TEST(strangers_reach_nothing_without_tls_and_authentication)
{
    check_rows(open_rows, COUNT(open_rows));
}

static const struct row name_rows[] = {
    {"services: [{name: a}, {name: b}, {name: a}]\n",
     "f:1:34: services[2].name: \"a\" stands at line 1 already; each name once\n"},
    {"services: [{name: a}, {name: a, tenant: t}]\n", ""},
    {"tenants: [{name: a, quota: 1}, {name: b}, {name: a}]\n",
     "f:1:43: tenants[2].name: \"a\" stands at line 1 already; each name once\n"},
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

TEST(names_and_clusters_must_differ)
{
    check_rows(name_rows, COUNT(name_rows));
}

static const struct row map_rows[] = {
    {"map: {reserve_at: 60, evict_at: 60}\n",
     "f:1:33: map.evict_at: 60 is not more than map.reserve_at (60)\n"},
    {"map: {evict_at: 30}\n", "f:1:17: map.evict_at: 30 is not more than map.reserve_at (60)\n"},
    {"map: {reserve_at: 1, evict_at: 2, reserve: 0, cgroup: /tmp/x}\n", ""},
};

TEST(records_are_reserved_before_they_are_evicted)
{
    check_rows(map_rows, COUNT(map_rows));
}

SUITE("config/config_check", T(strangers_reach_nothing_without_tls_and_authentication),
      T(names_and_clusters_must_differ), T(records_are_reserved_before_they_are_evicted));
