// SPDX-License-Identifier: Apache-2.0
// A row is an operand and the path of the admin API that it becomes; NULL: it is refused.
#include "admin-api/ctl/target.h"
#include "base/buf.h"
#include "tests/lib/suite.h"

struct row {
    const char *operand;
    bool whole;
    const char *tenant;
    const char *path;
};

TEST(an_operand_becomes_a_path)
{
    static const struct row rows[] = {
        {"pay", false, NULL, "/v1/services/pay"},
        {"pay/pay-1", false, NULL, "/v1/services/pay/instances/pay-1"},
        {"pay/pay-1", false, "acme", "/v1/tenants/acme/services/pay/instances/pay-1"},
        {"a/b/c", false, NULL, "/v1/services/a%2Fb/instances/c"},
        {"a/b", true, NULL, "/v1/services/a%2Fb"},
        {"outbound|80||pay.svc/1", false, NULL,
         "/v1/services/outbound%7C80%7C%7Cpay.svc/instances/1"},
        {"a b?c#d%/..", false, NULL, "/v1/services/a%20b%3Fc%23d%25/instances/.."},
        {"\xc3\xa9/1", false, "a/b", "/v1/tenants/a%2Fb/services/%C3%A9/instances/1"},
        {"", false, NULL, NULL},
        {"pay/", false, NULL, NULL},
        {"/1", false, NULL, NULL},
        {"/", false, NULL, NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct target target;
        enum err err = target_parse(rows[i].operand, rows[i].whole, &target);
        ck_assert_msg((err == ERR_OK) == (rows[i].path != NULL), "%s", rows[i].operand);
        if (err == ERR_OK) {
            struct buf out;
            buf_init(&out, 4096);
            target_path(&target, rows[i].tenant, &out);
            CHECK_EQ(out.err, ERR_OK);
            CHECK_STR(buf_cstr(&out), rows[i].path);
            buf_fini(&out);
        }
    }
}

TEST(no_target_is_the_list_of_services)
{
    struct target target = {SPAN_NONE, SPAN_NONE};
    struct buf out;
    buf_init(&out, 4096);
    target_path(&target, NULL, &out);
    CHECK_STR(buf_cstr(&out), "/v1/services");
    buf_fini(&out);
}

SUITE("ctl/target", T(an_operand_becomes_a_path), T(no_target_is_the_list_of_services));
