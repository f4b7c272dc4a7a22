// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/api/rows.h"

#include "base/assert.h"
#include "tests/lib/suite.h"

#include <stdio.h>

struct fake *rows_fake(void)
{
    struct fake *fake = fake_new();
    fake_register(fake, "default", "pay", "pay-1");
    fake_register(fake, "default", "pay", "pay-2");
    fake_register(fake, "acme", "pay", "acme-1");
    fake_register(fake, "default", "outbound|80||pay.svc", "x/1");
    fake_observe(fake, "pay-1", "a", STATUS_UNHEALTHY);
    fake_node(fake, "a", true);
    fake_node(fake, "b", false);
    return fake;
}

static void run_row(const struct row *row, rows_setup_fn setup)
{
    struct fake *fake = rows_fake();
    if (setup != NULL) {
        setup(fake);
    }
    const struct fake_request ask = {
        .method = row->method, .target = row->target, .headers = row->headers, .body = row->body};
    struct fake_answer answer;
    fake_ask(fake, &ask, &answer);
    size_t len = strlen(answer.headers) + strlen(answer.body) + 2;
    char *all = malloc(len);
    ASSERT(all != NULL);
    (void)snprintf(all, len, "%s\n%s", answer.headers, answer.body);
    const char *body = row->body == NULL ? "" : row->body;
    ck_assert_msg(answer.status == row->status, "%s %s %s: %u instead of %u\n%s", row->method,
                  row->target, body, answer.status, row->status, all);
    ck_assert_msg(row->has == NULL || strstr(all, row->has) != NULL, "%s %s %s: no %s in\n%s",
                  row->method, row->target, body, row->has, all);
    ck_assert_msg(row->lacks == NULL || strstr(all, row->lacks) == NULL, "%s %s %s: %s in\n%s",
                  row->method, row->target, body, row->lacks, all);
    bool is_probe = answer.status == 503 && strstr(row->target, "z") != NULL;
    if (answer.status >= 400 && !is_probe) {
        CHECK_STR(answer.content_type, "application/problem+json");
    }
    free(all);
    fake_answer_free(&answer);
    fake_free(fake);
}

void rows_run(const struct row *rows, size_t count, rows_setup_fn setup)
{
    for (size_t i = 0; i < count; i++) {
        run_row(&rows[i], setup);
    }
}
