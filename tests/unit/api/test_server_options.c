// SPDX-License-Identifier: Apache-2.0
// Which listeners may be had with which protection.  No socket is opened and no file read.
#include "admin-api/server_options.h"

#include "admin-api/secrets.h"
#include "tests/lib/suite.h"

TEST(a_listener_that_is_not_loopback_needs_tls_and_authentication)
{
    static const struct {
        struct admin_options options;
        const char *text; // NULL: good
    } rows[] = {
        {{.listen = "127.0.0.1:9810"}, NULL},
        {{.listen = "[::1]:0"}, NULL},
        {{.listen = "localhost:9810"}, NULL},
        {{.listen = ""}, NULL},
        {{.listen = NULL, .unix_path = "/run/x"}, NULL},
        {{.listen = "127.0.0.1"}, "admin.listen: not an address"},
        {{.listen = "host:1"}, "admin.listen: not an address"},
        {{.listen = "0.0.0.0:9810"}, "admin.listen: an address that is not loopback"},
        {{.listen = "0.0.0.0:9810", .tokens_file = "t"}, "admin.listen: an address"},
        {{.listen = "10.0.0.1:1", .tls_cert_file = "c", .tls_key_file = "k"},
         "admin.listen: an address"},
        {{.listen = "10.0.0.1:1", .tls_cert_file = "c", .tls_key_file = "k", .tokens_file = "t"},
         NULL},
        {{.listen = "[::]:1", .tls_cert_file = "c", .tls_key_file = "k", .client_ca_file = "a"},
         NULL},
        {{.listen = "127.0.0.1:1", .tls_cert_file = "c"}, "admin.tls_key_file:"},
        {{.listen = "127.0.0.1:1", .tls_key_file = "k"}, "admin.tls_key_file:"},
        {{.listen = "127.0.0.1:1", .client_ca_file = "a"}, "admin.client_ca_file:"},
        {{.probe_listen = "0.0.0.0:9811"}, NULL},
        {{.probe_listen = "everywhere"}, "admin.probe_listen:"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[ADMIN_TEXT_LEN] = "";
        enum err err = admin_options_check(&rows[i].options, text);
        ck_assert_msg((err == ERR_OK) == (rows[i].text == NULL), "row %zu: %s", i, text);
        ck_assert_msg(rows[i].text == NULL ||
                          strncmp(text, rows[i].text, strlen(rows[i].text)) == 0,
                      "row %zu: %s", i, text);
    }
}
END_TEST

TEST(options_are_copied_whole)
{
    char listen[] = "127.0.0.1:9810", host[] = "mesh.example";
    const char *hosts[] = {host, "two"};
    uid_t uids[] = {7, 8};
    const struct admin_options options = {.listen = listen,
                                          .allowed_hosts = hosts,
                                          .allowed_host_count = 2,
                                          .unix_uids = uids,
                                          .unix_uid_count = 2,
                                          .require_if_match = true};
    struct server_options copy;
    CHECK_OK(server_options_copy(&options, &copy));
    memset(listen, 'x', sizeof(listen) - 1);
    memset(host, 'x', sizeof(host) - 1);
    uids[1] = 0;
    hosts[1] = NULL;
    CHECK_STR(copy.plain.listen, "127.0.0.1:9810");
    CHECK_STR(copy.plain.tokens_file, "");
    CHECK_STR(copy.plain.allowed_hosts[0], "mesh.example");
    CHECK(span_eq_str(copy.host_spans[1], "two"));
    CHECK_UEQ(copy.plain.unix_uids[1], 8);
    CHECK(copy.plain.require_if_match);
    server_options_fini(&copy);
}
END_TEST

TEST(a_tokens_file_that_is_not_there_is_told)
{
    const struct admin_options options = {.tokens_file = "/nonexistent/tokens",
                                          .tls_cert_file = "",
                                          .tls_key_file = "",
                                          .client_ca_file = ""};
    struct secrets *secrets = NULL;
    char text[ADMIN_TEXT_LEN];
    CHECK_EQ(secrets_load(&options, text, &secrets), ERR_NOT_FOUND);
    CHECK_STR(text, "admin.tokens_file: not found");
}
END_TEST

SUITE("api/server_options", T(a_listener_that_is_not_loopback_needs_tls_and_authentication),
      T(options_are_copied_whole), T(a_tokens_file_that_is_not_there_is_told));
