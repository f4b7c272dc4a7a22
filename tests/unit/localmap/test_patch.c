// SPDX-License-Identifier: Apache-2.0
// What a patch makes of a record, as small stories; then the one law that the outbox stands on, for random
// patches: the composed patch does what the two do one after the other.
#include "localmap/model/codec.h"
#include "localmap/model/patch.h"
#include "tests/lib/suite.h"
#include "tests/unit/localmap/records.h"

#define KINDS 5

static struct record registration(const char *address, uint32_t weight)
{
    return (struct record){
        .kind = KEY_REGISTRATION,
        .registration = {.address = span_str(address), .port = 80, .weight = weight}};
}

static void label(struct record *record, const char *name, const char *value)
{
    record->registration.labels[record->registration.label_count++] =
        (struct label){span_str(name), span_str(value)};
}

TEST(nothing_is_merged_or_deleted_where_nothing_is)
{
    struct record out;
    struct record gone = {.kind = KEY_REGISTRATION, .tombstone = true};
    const struct patch merge = {
        .op = PATCH_MERGE, .mask = PATCH_WEIGHT, .record = registration("::1", 5)};
    const struct patch delete = {.op = PATCH_DELETE, .record = registration("::1", 1)};
    CHECK_EQ(patch_apply(&merge, NULL, &out), PATCH_SAME);
    CHECK_EQ(patch_apply(&merge, &gone, &out), PATCH_SAME);
    CHECK_EQ(patch_apply(&delete, NULL, &out), PATCH_SAME);
    CHECK_EQ(patch_apply(&delete, &gone, &out), PATCH_SAME);
}

TEST(a_put_replaces_and_keeps_what_it_does_not_know)
{
    struct record base = registration("::1", 1);
    struct record out;
    label(&base, "a", "1");
    base.unknown[base.unknown_count++] = SPAN_LIT("\50\1x");
    struct patch put = {.op = PATCH_PUT, .record = registration("::1", 7)};
    CHECK_EQ(patch_apply(&put, &base, &out), PATCH_CHANGED);
    CHECK_EQ(out.registration.weight, 7);
    CHECK_EQ(out.registration.label_count, 0);
    CHECK_EQ(out.unknown_count, 1);
    CHECK_EQ(patch_apply(&put, &out, &base), PATCH_SAME);
    put.mask = PATCH_FRESH;
    CHECK_EQ(patch_apply(&put, &out, &base), PATCH_CHANGED);
    CHECK_EQ(base.unknown_count, 0);
}

TEST(a_merge_changes_what_it_names)
{
    struct record base = registration("::1", 3);
    struct record out;
    base.registration.zone = SPAN_LIT("eu");
    struct patch merge = {
        .op = PATCH_MERGE, .mask = PATCH_WEIGHT | PATCH_PRIORITY, .record = registration("::2", 9)};
    CHECK_EQ(patch_apply(&merge, &base, &out), PATCH_CHANGED);
    CHECK_EQ(out.registration.weight, 9);
    CHECK(span_eq_str(out.registration.address, "::1"));
    CHECK(span_eq_str(out.registration.zone, "eu"));
    CHECK_EQ(patch_apply(&merge, &out, &base), PATCH_SAME);
}

TEST(labels_are_removed_then_set)
{
    struct record base = registration("::1", 1);
    struct record out;
    label(&base, "a", "1");
    label(&base, "c", "3");
    label(&base, "d", "4");
    struct patch merge = {.op = PATCH_MERGE,
                          .mask = PATCH_LABELS,
                          .record = registration("::1", 1),
                          .labels_removed_count = 2,
                          .labels_removed = {SPAN_LIT("a"), SPAN_LIT("x")}};
    label(&merge.record, "d", "5");
    label(&merge.record, "b", "2");
    CHECK_EQ(patch_apply(&merge, &base, &out), PATCH_CHANGED);
    CHECK_EQ(out.registration.label_count, 3);
    CHECK(span_eq_str(out.registration.labels[0].name, "b"));
    CHECK(span_eq_str(out.registration.labels[1].name, "c"));
    CHECK(span_eq_str(out.registration.labels[2].value, "5"));
    merge.mask |= PATCH_LABELS_CLEAR;
    CHECK_EQ(patch_apply(&merge, &base, &out), PATCH_CHANGED);
    CHECK_EQ(out.registration.label_count, 2);
    merge.mask = PATCH_LABELS_CLEAR;
    CHECK_EQ(patch_apply(&merge, &base, &out), PATCH_CHANGED);
    CHECK_EQ(out.registration.label_count, 0);
}

static const char *const names[40] = {"00", "01", "02", "03", "04", "05", "06", "07", "08", "09",
                                      "10", "11", "12", "13", "14", "15", "16", "17", "18", "19",
                                      "20", "21", "22", "23", "24", "25", "26", "27", "28", "29",
                                      "30", "31", "32", "33", "34", "35", "36", "37", "38", "39"};

TEST(labels_that_do_not_fit_change_nothing)
{
    struct record base = registration("::1", 1);
    struct record out;
    struct patch merge = {
        .op = PATCH_MERGE, .mask = PATCH_LABELS | PATCH_WEIGHT, .record = registration("::1", 2)};
    struct patch put = {.op = PATCH_PUT};
    struct patch composed = {.op = PATCH_DELETE};
    for (size_t i = 0; i < 20; i++) {
        label(&base, names[i], "");
        label(&merge.record, names[20 + i], "");
    }
    CHECK_EQ(patch_apply(&merge, &base, &out), PATCH_SAME);
    put.record = base;
    CHECK_EQ(patch_compose(&put, &merge, &composed), ERR_TOO_LARGE);
    put.op = PATCH_MERGE;
    put.mask = PATCH_LABELS;
    CHECK_EQ(patch_compose(&put, &merge, &composed), ERR_TOO_LARGE);
    CHECK_EQ(composed.op, PATCH_DELETE);
}

TEST(a_probe_that_confirms_publishes_nothing)
{
    const struct record held = {.kind = KEY_OBSERVATION,
                                .observation = {.status = STATUS_HEALTHY,
                                                .reason = REASON_CHECK_PASSED,
                                                .latency_us = 400,
                                                .since_ms = 1000,
                                                .via = SPAN_LIT("a")}};
    struct patch put = {.op = PATCH_PUT, .record = held};
    struct record out;
    put.record.observation.latency_us = 900;
    put.record.observation.since_ms = 5000;
    put.record.observation.text = SPAN_LIT("200 OK");
    CHECK_EQ(patch_apply(&put, &held, &out), PATCH_SAME);
    put.record.observation.reason = REASON_REPORTED;
    CHECK_EQ(patch_apply(&put, &held, &out), PATCH_CHANGED);
    CHECK_UEQ(out.observation.latency_us, 900);
    CHECK_EQ(patch_apply(&put, NULL, &out), PATCH_CHANGED);
}

TEST(who_published_a_policy_is_no_difference)
{
    struct record held = {.kind = KEY_POLICY};
    struct record out;
    record_policy_default(&held.policy);
    held.policy.by = SPAN_LIT("a");
    struct patch put = {.op = PATCH_PUT, .record = held};
    put.record.policy.by = SPAN_LIT("b");
    CHECK_EQ(patch_apply(&put, &held, &out), PATCH_SAME);
    put.record.policy.observers = 5;
    CHECK_EQ(patch_apply(&put, &held, &out), PATCH_CHANGED);
    CHECK(span_eq_str(out.policy.by, "b"));
}

TEST(a_put_or_delete_replaces_what_came_before)
{
    struct patch merge = {
        .op = PATCH_MERGE, .mask = PATCH_WEIGHT, .record = registration("::1", 5)};
    struct patch put = {.op = PATCH_PUT, .record = registration("::1", 7)};
    struct patch delete = {.op = PATCH_DELETE, .record = registration("::1", 1)};
    struct patch out;
    CHECK_OK(patch_compose(&merge, &put, &out));
    CHECK(out.op == PATCH_PUT && out.mask == 0 && out.record.registration.weight == 7);
    CHECK_OK(patch_compose(&put, &merge, &out));
    CHECK(out.op == PATCH_PUT && out.record.registration.weight == 5);
    CHECK_OK(patch_compose(&put, &delete, &out));
    CHECK_EQ(out.op, PATCH_DELETE);
    CHECK_OK(patch_compose(&delete, &merge, &out));
    CHECK_EQ(out.op, PATCH_DELETE);
    CHECK_OK(patch_compose(&delete, &put, &out));
    CHECK(out.op == PATCH_PUT && out.mask == PATCH_FRESH);
}

// What is shown of a record: NULL stands for absent and for a tombstone.
static const struct record *apply(const struct patch *patch, const struct record *base,
                                  struct record *scratch)
{
    if (patch_apply(patch, base, scratch) == PATCH_SAME) {
        return base;
    }
    return scratch->tombstone ? NULL : scratch;
}

// Equal, but for what is no change worth publishing.
static bool same(const struct record *a, const struct record *b)
{
    struct record left;
    struct record right;
    if (a == NULL || b == NULL) {
        return a == b;
    }
    left = *a;
    right = *b;
    if (a->kind == KEY_OBSERVATION) {
        left.observation.text = right.observation.text = SPAN_NONE;
        left.observation.latency_us = right.observation.latency_us = 0;
        left.observation.since_ms = right.observation.since_ms = 0;
    } else if (a->kind == KEY_POLICY) {
        left.policy.by = right.policy.by = SPAN_NONE;
    }
    return records_equal(&left, &right);
}

TEST(a_composed_patch_does_what_both_do_in_turn)
{
    static struct records records;
    records_init(&records, 7);
    for (size_t i = 0; i < 60000; i++) {
        enum key_kind kind = i % 3 == 0 ? (enum key_kind)(i / 3 % KINDS) : KEY_REGISTRATION;
        struct record base;
        struct record scratch[3];
        struct patch patches[2];
        struct patch both;
        records_reset(&records);
        records_make(&records, kind, true, &base);
        records_patch(&records, kind, &patches[0]);
        records_patch(&records, kind, &patches[1]);
        const struct record *start = records_below(&records, 5) == 0 ? NULL : &base;
        const struct record *middle = apply(&patches[0], start, &scratch[0]);
        const struct record *in_turn = apply(&patches[1], middle, &scratch[1]);
        CHECK_OK(patch_compose(&patches[0], &patches[1], &both));
        ck_assert_msg(same(apply(&both, start, &scratch[2]), in_turn), "round %zu", i);
    }
}

TEST(composing_is_associative)
{
    static struct records records;
    records_init(&records, 8);
    for (size_t i = 0; i < 20000; i++) {
        struct record base;
        struct record scratch[2];
        struct patch p[3];
        struct patch left;
        struct patch right;
        struct patch whole[2];
        records_reset(&records);
        records_make(&records, KEY_REGISTRATION, true, &base);
        for (size_t j = 0; j < 3; j++) {
            records_patch(&records, KEY_REGISTRATION, &p[j]);
        }
        CHECK_OK(patch_compose(&p[0], &p[1], &left));
        CHECK_OK(patch_compose(&left, &p[2], &whole[0]));
        CHECK_OK(patch_compose(&p[1], &p[2], &right));
        CHECK_OK(patch_compose(&p[0], &right, &whole[1]));
        CHECK(same(apply(&whole[0], &base, &scratch[0]), apply(&whole[1], &base, &scratch[1])));
    }
}

TEST(what_a_patch_makes_of_a_record_can_be_written)
{
    static struct records records;
    records_init(&records, 9);
    for (size_t i = 0; i < 20000; i++) {
        struct record base;
        struct record out;
        struct patch patch;
        char body[CODEC_BODY_MAX];
        records_reset(&records);
        records_make(&records, (enum key_kind)(i % KINDS), true, &base);
        records_patch(&records, (enum key_kind)(i % KINDS), &patch);
        if (patch_apply(&patch, &base, &out) == PATCH_CHANGED) {
            CHECK_INT(codec_body_write(&out, body, sizeof(body)), gt, 0);
        }
    }
}

TEST(a_patch_comes_back_from_its_bytes)
{
    static struct records records;
    records_init(&records, 10);
    for (size_t i = 0; i < 20000; i++) {
        struct patch patch;
        struct patch back;
        struct record base;
        struct record scratch[2];
        char bytes[PATCH_LEN_MAX];
        char again[PATCH_LEN_MAX];
        enum key_kind kind = (enum key_kind)(i % KINDS);
        records_reset(&records);
        records_make(&records, kind, true, &base);
        records_patch(&records, kind, &patch);
        size_t len = patch_write(&patch, bytes, sizeof(bytes));
        CHECK_INT(len, gt, 0);
        CHECK_OK(patch_read(span_of(bytes, len), &back));
        CHECK(same(apply(&patch, &base, &scratch[0]), apply(&back, &base, &scratch[1])));
        CHECK_UEQ(patch_write(&back, again, sizeof(again)), len);
        CHECK_MEM(again, bytes, len);
        CHECK_UEQ(patch_write(&patch, bytes, len - 1), 0);
    }
}

TEST(broken_bytes_of_a_patch_are_refused)
{
    static struct records records;
    records_init(&records, 11);
    for (size_t i = 0; i < 5000; i++) {
        struct patch patch;
        char bytes[PATCH_LEN_MAX];
        records_reset(&records);
        records_patch(&records, (enum key_kind)(i % KINDS), &patch);
        size_t len = patch_write(&patch, bytes, sizeof(bytes));
        char *exact = malloc(len);
        memcpy(exact, bytes, len);
        exact[records_below(&records, len)] = (char)records_below(&records, 256);
        enum err err = patch_read(span_of(exact, (size_t)records_below(&records, len + 1)), &patch);
        CHECK(err == ERR_OK || err == ERR_SYNTAX);
        free(exact);
    }
}

TEST(a_patch_out_of_range_is_not_written)
{
    char bytes[PATCH_LEN_MAX];
    struct patch patch = {.op = PATCH_PUT, .record = registration("::1", 0)};
    CHECK_UEQ(patch_write(&patch, bytes, sizeof(bytes)), 0);
    patch.op = PATCH_MERGE;
    patch.mask = PATCH_PORT;
    CHECK_INT(patch_write(&patch, bytes, sizeof(bytes)), gt, 0);
    patch.mask = PATCH_WEIGHT;
    CHECK_UEQ(patch_write(&patch, bytes, sizeof(bytes)), 0);
}

SUITE("localmap/model/patch", T(nothing_is_merged_or_deleted_where_nothing_is),
      T(a_put_replaces_and_keeps_what_it_does_not_know), T(a_merge_changes_what_it_names),
      T(labels_are_removed_then_set), T(labels_that_do_not_fit_change_nothing),
      T(a_probe_that_confirms_publishes_nothing), T(who_published_a_policy_is_no_difference),
      T(a_put_or_delete_replaces_what_came_before), T(a_composed_patch_does_what_both_do_in_turn),
      T(composing_is_associative), T(what_a_patch_makes_of_a_record_can_be_written),
      T(a_patch_comes_back_from_its_bytes), T(broken_bytes_of_a_patch_are_refused),
      T(a_patch_out_of_range_is_not_written));
