// SPDX-License-Identifier: Apache-2.0
// Every word of the closed lists is read back as what it names; the policy of a service without one.
#include "localmap/model/record.h"
#include "tests/lib/suite.h"

TEST(every_word_is_read_back)
{
    for (int i = 0; i < STATUS_COUNT; i++) {
        enum status status = STATUS_COUNT;
        CHECK(status_parse(span_str(status_name((enum status)i)), &status));
        CHECK_EQ(status, i);
    }
    for (int i = 0; i < REASON_COUNT; i++) {
        enum reason reason = REASON_COUNT;
        CHECK(reason_parse(span_str(reason_word((enum reason)i)), &reason));
        CHECK_EQ(reason, i);
    }
    for (int i = 0; i < CHECK_TYPE_COUNT; i++) {
        enum check_type type = CHECK_TYPE_COUNT;
        CHECK(check_type_parse(span_str(check_type_name((enum check_type)i)), &type));
        CHECK_EQ(type, i);
    }
    CHECK_STR(vantage_name(VANTAGE_PROXY), "proxy");
    CHECK_STR(source_name(SOURCE_KUBERNETES), "kubernetes");
}

TEST(no_other_word_is_read)
{
    static const char *const words[] = {"healthy", "HEALTHY ", "", "HEALTH", "COUNT"};
    for (size_t i = 0; i < 5; i++) {
        enum status status = STATUS_DEGRADED;
        CHECK(!status_parse(span_str(words[i]), &status));
        CHECK_EQ(status, STATUS_DEGRADED);
    }
    enum reason reason;
    enum check_type type;
    CHECK(!reason_parse(SPAN_LIT("connectrefused"), &reason));
    CHECK(!check_type_parse(SPAN_LIT("HTTP"), &type));
}

TEST(a_service_without_a_policy_is_not_probed)
{
    struct policy policy;
    record_policy_default(&policy);
    CHECK_EQ(policy.check.type, CHECK_NONE);
    CHECK_EQ(policy.observers, 3);
    CHECK_EQ(policy.max_unhealthy_percent, 50);
    CHECK(policy.damping);
    CHECK_EQ(policy.scope, SCOPE_MESH);
    CHECK_EQ(policy.check.rise, 2);
    CHECK_EQ(policy.check.fall, 3);
    CHECK_EQ(policy.by.len, 0);
}

SUITE("localmap/model/record", T(every_word_is_read_back), T(no_other_word_is_read),
      T(a_service_without_a_policy_is_not_probed));
