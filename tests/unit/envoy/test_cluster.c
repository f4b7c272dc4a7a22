// SPDX-License-Identifier: Apache-2.0
// A row is a service and the name of its cluster, or a cluster and the name of its file.
#include "tests/lib/suite.h"

#include "localmap/model/key.h"
#include "replicator/envoy/cluster.h"

#include <string.h>

static enum err name_of(const char *name_template, const char *tenant, const char *service,
                        struct buf *out)
{
    struct key_bytes key;
    key_policy(span_str(tenant), span_str(service), &key);
    return cluster_name(span_str(name_template), key_span(&key), out);
}

TEST(the_template_says_what_the_cluster_is_called)
{
    const struct {
        const char *name_template, *tenant, *service, *cluster;
    } rows[] = {{"{service}", "default", "pay", "pay"},
                {"{tenant}/{service}", "acme", "pay", "acme/pay"},
                {"outbound|{service}", "t", "80||{tenant}", "outbound|80||{tenant}"},
                {"{service}.{service}", "t", "a", "a.a"}};
    struct buf out;
    buf_init(&out, CLUSTER_NAME_MAX);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CHECK_OK(name_of(rows[i].name_template, rows[i].tenant, rows[i].service, &out));
        CHECK_STR(buf_cstr(&out), rows[i].cluster);
    }
    CHECK_EQ(name_of("{host}", "t", "a", &out), ERR_SYNTAX);
    CHECK_EQ(name_of("{service", "t", "a", &out), ERR_SYNTAX);
    CHECK_EQ(name_of("service}", "t", "a", &out), ERR_SYNTAX);
    CHECK_EQ(cluster_name(SPAN_LIT("{service}"), SPAN_LIT("t\0s\0i"), &out), ERR_SYNTAX);
    buf_fini(&out);
}

TEST(a_name_that_is_too_long_is_an_error)
{
    char service[KEY_SERVICE_MAX + 1];
    struct buf out;
    memset(service, 's', KEY_SERVICE_MAX);
    service[KEY_SERVICE_MAX] = '\0';
    buf_init(&out, CLUSTER_NAME_MAX);
    CHECK_OK(name_of("{service}{service}{service}{service}", "t", service, &out));
    CHECK_EQ(name_of("{service}{service}{service}{service}{service}", "t", service, &out),
             ERR_TOO_LARGE);
    buf_fini(&out);
}

TEST(a_file_name_is_one_harmless_part_of_a_path)
{
    const struct {
        const char *cluster, *file;
    } rows[] = {
        {"pay", "pay.json"},
        {"Pay-1_x", "Pay-1_x.json"},
        {"a.b", "a%2Eb.json"},
        {"..", "%2E%2E.json"},
        {"../../etc/passwd", "%2E%2E%2F%2E%2E%2Fetc%2Fpasswd.json"},
        {"/", "%2F.json"},
        {".hidden", "%2Ehidden.json"},
        {"outbound|80||pay.svc", "outbound%7C80%7C%7Cpay%2Esvc.json"},
        {"a b\nc", "a%20b%0Ac.json"},
        {"%41", "%2541.json"},
        {"caf\xc3\xa9", "caf%C3%A9.json"},
        {"a~b", "a%7Eb.json"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char file[CLUSTER_FILE_LEN];
        cluster_file_name(span_str(rows[i].cluster), file);
        CHECK_STR(file, rows[i].file);
    }
}

TEST(a_long_file_name_is_cut_and_completed_by_its_hash)
{
    char cluster[KEY_SERVICE_MAX + 1];
    char file[CLUSTER_FILE_LEN];
    char other[CLUSTER_FILE_LEN];
    memset(cluster, 'a', sizeof(cluster));
    cluster_file_name(span_of(cluster, 200), file);
    CHECK_EQ(strlen(file), 205);
    CHECK(strchr(file, '-') == NULL);
    cluster_file_name(span_of(cluster, 201), file);
    CHECK_EQ(strlen(file), 205);
    CHECK_EQ(file[183], '-');
    cluster_file_name(span_of(cluster, 202), other);
    CHECK(strcmp(file, other) != 0);
    CHECK(memcmp(file, other, 183) == 0);
    // never inside of a %XX
    memset(cluster, '/', sizeof(cluster));
    for (size_t plain = 0; plain < 3; plain++) {
        memset(cluster, 'a', plain);
        cluster_file_name(span_of(cluster, 255), file);
        const char *end = strrchr(file, '-');
        CHECK(end != NULL && strlen(file) <= 205);
        CHECK((size_t)(end - file - (ptrdiff_t)plain) % 3 == 0);
    }
}

SUITE("envoy/cluster", T(the_template_says_what_the_cluster_is_called),
      T(a_name_that_is_too_long_is_an_error), T(a_file_name_is_one_harmless_part_of_a_path),
      T(a_long_file_name_is_cut_and_completed_by_its_hash));
