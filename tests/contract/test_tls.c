// SPDX-License-Identifier: Apache-2.0
// Contexts alone; handshakes are tested with the streams (test_conn.c).
#include "base/tls.h"
#include "tests/contract/certificates.h"
#include "tests/lib/failalloc.h"
#include "tests/lib/suite.h"

TEST(a_context_says_what_is_wrong_with_its_files)
{
    struct certificates c;
    struct tls_context *context = NULL;
    char text[TLS_TEXT_LEN];
    certificates_make(&c);
    const struct tls_options rows[] = {
        {.server = true},
        {.server = true, .cert_file = "/nonexistent"},
        {.server = true, .cert_file = c.server, .key_file = c.client},
        {.server = true, .cert_file = c.server, .key_file = "/dev/null"},
        {.ca_file = "/dev/null"},
        {.ca_file = "/nonexistent"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CHECK(tls_context_new(&rows[i], text, &context) != ERR_OK);
        CHECK(text[0] != 0);
    }
    CHECK(context == NULL);
    certificates_remove(&c);
}

static bool walk_context(void *arg)
{
    const struct certificates *c = arg;
    const struct tls_options options = {
        .server = true, .cert_file = c->server, .ca_file = c->ca, .alpn = "h2"};
    struct tls_context *context = NULL;
    char text[TLS_TEXT_LEN];
    enum err err = tls_context_new(&options, text, &context);
    tls_context_free(context);
    return err == ERR_OK;
}

TEST(every_early_allocation_may_fail)
{
    struct certificates c;
    certificates_make(&c);
    // OpenSSL makes thousands of allocations for a context; the first hundreds hold all of ours.
    for (size_t nth = 1; nth <= 300; nth++) {
        failalloc_arm(nth);
        (void)walk_context(&c);
        CHECK(failalloc_disarm());
    }
    certificates_remove(&c);
}

SUITE("base/tls", T(a_context_says_what_is_wrong_with_its_files),
      T(every_early_allocation_may_fail));
