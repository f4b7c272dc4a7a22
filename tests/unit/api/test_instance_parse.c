// SPDX-License-Identifier: Apache-2.0
// Bodies as patches: the mask of a merge, and the ceilings of labels at their edges.  (What is refused, and
// with which words, stands in test_handlers_write.c.)
#include "admin-api/instance_parse.h"

#include "base/buf.h"
#include "base/json.h"
#include "tests/lib/suite.h"

#define BASE "\"address\":\"127.0.0.1\",\"port\":8081"

static struct json *tree(const char *text)
{
    struct json *root = NULL;
    struct json_error error = {.text = ""};
    ck_assert_msg(json_parse(span_str(text), &root, &error) == ERR_OK, "%s: %s", text, error.text);
    return root;
}

TEST(a_merge_names_what_it_changes)
{
    static const struct {
        const char *body;
        unsigned mask;
    } rows[] = {
        {"{}", 0},
        {"{\"address\":\"::1\"}", PATCH_ADDRESS},
        {"{\"port\":1}", PATCH_PORT},
        {"{\"weight\":2}", PATCH_WEIGHT},
        {"{\"weight\":null}", PATCH_WEIGHT},
        {"{\"priority\":null}", PATCH_PRIORITY},
        {"{\"lease\":\"5s\"}", PATCH_LEASE},
        {"{\"locality\":{}}", 0},
        {"{\"locality\":{\"zone\":\"z\"}}", PATCH_ZONE},
        {"{\"locality\":{\"zone\":null,\"region\":\"r\"}}", PATCH_ZONE | PATCH_REGION},
        {"{\"locality\":null}", PATCH_REGION | PATCH_ZONE | PATCH_SUB_ZONE},
        {"{\"labels\":{}}", PATCH_LABELS},
        {"{\"labels\":{\"a\":\"b\"}}", PATCH_LABELS},
        {"{\"labels\":null}", PATCH_LABELS_CLEAR},
        {"{\"status\":\"x\",\"version\":1}", 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct problem_fields fields = {.count = 0};
        struct patch patch;
        struct json *body = tree(rows[i].body);
        CHECK(instance_parse_merge(body, NULL, &patch, &fields));
        CHECK_EQ(patch.op, PATCH_MERGE);
        ck_assert_msg(patch.mask == rows[i].mask, "%s: %x", rows[i].body, patch.mask);
        json_free(body);
    }
}
END_TEST

TEST(a_null_takes_a_field_back_to_its_default)
{
    struct problem_fields fields = {.count = 0};
    struct patch patch;
    struct json *body = tree("{\"weight\":null,\"priority\":null,\"lease\":null}");
    CHECK(instance_parse_merge(body, NULL, &patch, &fields));
    CHECK_UEQ(patch.record.registration.weight, 1);
    CHECK_UEQ(patch.record.registration.priority, 0);
    CHECK_UEQ(patch.record.registration.lease_ms, 0);
    json_free(body);
}
END_TEST

TEST(labels_come_out_sorted)
{
    struct problem_fields fields = {.count = 0};
    struct patch patch;
    struct json *body =
        tree("{" BASE ",\"labels\":{\"c\":\"3\",\"a\":\"1\",\"b\":\"2\",\"aa\":\"4\"}}");
    CHECK(instance_parse_put(body, &patch, &fields));
    static const char *const names[] = {"a", "aa", "b", "c"};
    CHECK_UEQ(patch.record.registration.label_count, 4);
    for (size_t i = 0; i < 4; i++) {
        CHECK(span_eq_str(patch.record.registration.labels[i].name, names[i]));
    }
    json_free(body);
}
END_TEST

// `count` labels k00, k01, ... with values of `value_len` bytes, as the body of a PUT.
static void write_labels(struct buf *buf, unsigned first, unsigned count, unsigned value_len)
{
    buf_reset(buf);
    buf_str(buf, "{" BASE ",\"labels\":{");
    for (unsigned i = first; i < first + count; i++) {
        buf_printf(buf, "%s\"k%02u\":\"", i == first ? "" : ",", i);
        for (unsigned j = 0; j < value_len; j++) {
            buf_byte(buf, 'v');
        }
        buf_str(buf, "\"");
    }
    buf_str(buf, "}}");
}

TEST(labels_have_ceilings)
{
    static const struct {
        unsigned count, value_len;
        bool good;
    } rows[] = {
        {32, 10, true},  {33, 10, false}, {32, 61, true}, // 32 x 64 = 2048
        {32, 62, false}, {1, 255, true},  {1, 256, false}, {8, 253, true}, {8, 254, false},
    };
    struct buf buf;
    buf_init(&buf, 100000);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct problem_fields fields = {.count = 0};
        struct patch patch;
        write_labels(&buf, 0, rows[i].count, rows[i].value_len);
        struct json *body = tree(buf_cstr(&buf));
        ck_assert_msg(instance_parse_put(body, &patch, &fields) == rows[i].good, "%u x %u",
                      rows[i].count, rows[i].value_len);
        CHECK_EQ(fields.count == 0, rows[i].good);
        json_free(body);
    }
    buf_fini(&buf);
}
END_TEST

TEST(a_merge_counts_the_labels_that_are_there)
{
    struct problem_fields fields = {.count = 0};
    struct patch held, patch;
    struct buf buf;
    buf_init(&buf, 100000);
    write_labels(&buf, 0, 31, 1);
    struct json *first = tree(buf_cstr(&buf));
    CHECK(instance_parse_put(first, &held, &fields));
    static const struct {
        const char *body;
        bool good;
    } rows[] = {
        {"{\"labels\":{\"x\":\"1\"}}", true},
        {"{\"labels\":{\"x\":\"1\",\"y\":\"1\"}}", false},
        {"{\"labels\":{\"x\":\"1\",\"y\":\"1\",\"k00\":null}}", true},
        {"{\"labels\":{\"k00\":\"2\",\"x\":\"1\"}}", true},
        {"{\"labels\":{\"none\":null,\"x\":\"1\",\"y\":\"1\"}}", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct json *body = tree(rows[i].body);
        fields.count = 0;
        ck_assert_msg(instance_parse_merge(body, &held.record.registration, &patch, &fields) ==
                          rows[i].good,
                      "%s", rows[i].body);
        json_free(body);
    }
    json_free(first);
    buf_fini(&buf);
}
END_TEST

SUITE("api/instance_parse", T(a_merge_names_what_it_changes),
      T(a_null_takes_a_field_back_to_its_default), T(labels_come_out_sorted),
      T(labels_have_ceilings), T(a_merge_counts_the_labels_that_are_there));
