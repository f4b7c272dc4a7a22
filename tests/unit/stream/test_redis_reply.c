// SPDX-License-Identifier: Apache-2.0
// How: a reply is written as RESP2 text, read by resp.c and taken apart; one row each.
#include "stream/redis/redis_reply.h"
#include "tests/lib/suite.h"

#include <stdlib.h>

#define EPOCH "0123456789abcdef0123456789abcdef"

// Words to one reply: "(" and ")" make an array, "_" is nil, "i5" an integer, "~" an empty bulk; else bulks.
static size_t array_len(const char *words)
{
    size_t count = 0;
    int depth = 0;
    for (const char *at = words; *at != '\0' && depth >= 0;) {
        size_t len = strcspn(at, " ");
        depth -= *at == ')' ? 1 : 0;
        count += depth == 0 && *at != ')' ? 1 : 0;
        depth += *at == '(' ? 1 : 0;
        at += len + strspn(at + len, " ");
    }
    return count;
}

static struct resp_reply *reply_of(struct resp *resp, const char *words)
{
    struct buf buf;
    struct resp_reply *reply = NULL;
    buf_init(&buf, RESP_PIECE_MAX);
    for (const char *at = words; *at != '\0';) {
        size_t len = strcspn(at, " ");
        const char *next = at + len + strspn(at + len, " ");
        if (*at == '(') {
            buf_printf(&buf, "*%zu\r\n", array_len(next));
        } else if (*at == '_') {
            buf_str(&buf, "$-1\r\n");
        } else if (*at == '~') {
            resp_arg(&buf, SPAN_NONE);
        } else if (*at == 'i') {
            buf_printf(&buf, ":%.*s\r\n", (int)len - 1, at + 1);
        } else if (*at != ')') {
            resp_arg(&buf, span_of(at, len));
        }
        at = next;
    }
    CHECK_OK(resp_feed(resp, buf_span(&buf)));
    CHECK_OK(resp_next(resp, &reply));
    ck_assert_msg(reply != NULL, "%s", words);
    buf_fini(&buf);
    return reply;
}

static struct resp *resp_make(void)
{
    struct resp *resp = NULL;
    CHECK_OK(resp_new(&resp));
    return resp;
}

TEST(an_id_is_two_numbers)
{
    static const struct {
        const char *text;
        bool good;
    } rows[] = {{"0-0", true},
                {"1764000000000-15", true},
                {"18446744073709551615-18446744073709551615", true},
                {"1", false},
                {"-1", false},
                {"1-", false},
                {"1-2-3", false},
                {"1-x", false},
                {"01-1", false},
                {"18446744073709551616-0", false},
                {"", false}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct stream_id id;
        char text[STREAM_ID_LEN];
        enum err err = redis_reply_id(span_str(rows[i].text), &id);
        ck_assert_msg((err == ERR_OK) == rows[i].good, "%s", rows[i].text);
        if (rows[i].good) {
            redis_reply_id_format(id, text);
            CHECK_STR(text, rows[i].text);
        }
    }
}
END_TEST

enum meta_outcome { META_GOOD, META_MALFORMED, META_NONE, META_SYNTAX };

static const struct {
    const char *words;
    enum meta_outcome outcome;
} metas[] = {
    {"( " EPOCH ":16:1:1764000000000 7:2.500 3-0000000000ff 9 5-1 )", META_GOOD},
    {"( " EPOCH ":16:1:0 0:1.000 0-000000000000 0 0-0 )", META_GOOD},
    {"( _ _ _ _ 0-0 )", META_NONE},
    {"( _ 7:1.000 _ _ 5-1 )", META_NONE},
    {"( nonsense 7:2.500 3-0000000000ff 9 5-1 )", META_MALFORMED},
    {"( 0123456789ABCDEF0123456789ABCDEF:16:1:0 7:2.500 3-0000000000ff 9 5-1 )", META_MALFORMED},
    {"( " EPOCH ":0:1:0 7:2.500 3-0000000000ff 9 5-1 )", META_MALFORMED},
    {"( " EPOCH ":16:1 7:2.500 3-0000000000ff 9 5-1 )", META_MALFORMED},
    {"( " EPOCH ":16:1:0:0 7:2.500 3-0000000000ff 9 5-1 )", META_MALFORMED},
    {"( " EPOCH ":16:1:0 7 3-0000000000ff 9 5-1 )", META_MALFORMED},
    {"( " EPOCH ":16:1:0 7:2.5 3-0000000000ff 9 5-1 )", META_MALFORMED},
    {"( " EPOCH ":16:1:0 7:2.x00 3-0000000000ff 9 5-1 )", META_MALFORMED},
    {"( " EPOCH ":16:1:0 7:2.500 3:0000000000ff 9 5-1 )", META_MALFORMED},
    {"( " EPOCH ":16:1:0 7:2.500 3-ff 9 5-1 )", META_MALFORMED},
    {"( " EPOCH ":16:1:0 7:2.500 3-0000000000ff -9 5-1 )", META_MALFORMED},
    {"( " EPOCH ":16:1:0 _ _ _ 5-1 )", META_MALFORMED},
    {"( " EPOCH ":16:1:0 ( a b ) i5 9 5-1 )", META_MALFORMED},
    {"( " EPOCH ":16:1:0 7:2.500 3-0000000000ff 9 x )", META_SYNTAX},
    {"( " EPOCH ":16:1:0 7:2.500 3-0000000000ff 9 )", META_SYNTAX},
    {"i5", META_SYNTAX},
    {"_", META_SYNTAX},
};

TEST(meta_fields_are_read_or_found_malformed)
{
    struct resp *resp = resp_make();
    for (size_t i = 0; i < sizeof(metas) / sizeof(metas[0]); i++) {
        struct stream_meta meta = {0};
        bool malformed = false;
        struct resp_reply *reply = reply_of(resp, metas[i].words);
        enum err err = redis_reply_meta(reply, &meta, &malformed);
        enum meta_outcome got = err != ERR_OK ? META_SYNTAX
                                : malformed   ? META_MALFORMED
                                : meta.exists ? META_GOOD
                                              : META_NONE;
        ck_assert_msg(got == metas[i].outcome, "%s: %d", metas[i].words, (int)got);
        if (i == 0) {
            CHECK_STR(meta.epoch.text, EPOCH);
            CHECK_EQ(meta.partitions, 16);
            CHECK_EQ(meta.wire, 1);
            CHECK_EQ(meta.born_ms, 1764000000000);
            CHECK_UEQ(meta.sequence, 7);
            CHECK(meta.mean > 2.499 && meta.mean < 2.501);
            CHECK_UEQ(meta.digest.count, 3);
            CHECK_UEQ(meta.digest.sum, 255);
            CHECK_UEQ(meta.floor, 9);
            CHECK_UEQ(meta.last_id.ms, 5);
        }
        resp_reply_free(reply);
    }
    resp_free(resp);
}
END_TEST

enum entry_outcome { ENTRY_VALID, ENTRY_INVALID, ENTRY_SYNTAX };

static const struct {
    const char *words;
    enum entry_outcome outcome;
    uint32_t count;
} entries[] = {
    {"( 5-1 ( # " EPOCH ":7:3-0000000000ff:9 key value ) )", ENTRY_VALID, 1},
    {"( 5-1 ( # " EPOCH ":7:3-0000000000ff:9 a ~ b c ) )", ENTRY_VALID, 2}, // purged
    {"( 5-1 ( # " EPOCH ":7:3-0000000000ff:9 ) )", ENTRY_VALID, 0},
    {"( 5-1 ( key value ) )", ENTRY_INVALID, 0},
    {"( 5-1 ( key value # " EPOCH ":7:3-0000000000ff:9 ) )", ENTRY_INVALID, 0},
    {"( 5-1 ( # " EPOCH ":7:3-0000000000ff key value ) )", ENTRY_INVALID, 0},
    {"( 5-1 ( # " EPOCH ":-7:3-0000000000ff:9 key value ) )", ENTRY_INVALID, 0},
    {"( 5-1 ( # ~ key value ) )", ENTRY_INVALID, 0},
    {"( 5-1 ( ) )", ENTRY_INVALID, 0},
    {"( 5-1 _ )", ENTRY_INVALID, 0}, // deleted under our hands
    {"( 5-1 ( # " EPOCH ":7:3-0000000000ff:9 key i5 ) )", ENTRY_SYNTAX, 0},
    {"( x ( # " EPOCH ":7:3-0000000000ff:9 ) )", ENTRY_SYNTAX, 0},
    {"( 5-1 )", ENTRY_SYNTAX, 0},
    {"i5", ENTRY_SYNTAX, 0},
};

TEST(an_entry_is_read_or_marked_as_a_strangers)
{
    struct resp *resp = resp_make();
    struct stream_pair pairs[REDIS_REPLY_PAIRS_MAX];
    for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
        struct stream_entry entry = {0};
        struct resp_reply *reply = reply_of(resp, entries[i].words);
        enum err err = redis_reply_entry(reply, pairs, &entry);
        enum entry_outcome got = err != ERR_OK ? ENTRY_SYNTAX
                                 : entry.valid ? ENTRY_VALID
                                               : ENTRY_INVALID;
        ck_assert_msg(got == entries[i].outcome, "%s: %d", entries[i].words, (int)got);
        CHECK_EQ(entry.count, entries[i].count);
        if (got == ENTRY_VALID) {
            CHECK_UEQ(entry.sequence, 7);
            CHECK_UEQ(entry.digest.sum, 255);
            CHECK_UEQ(entry.floor, 9);
        }
        resp_reply_free(reply);
    }
    resp_free(resp);
}
END_TEST

TEST(an_entry_with_too_many_pairs_is_a_strangers)
{
    struct resp *resp = resp_make();
    struct stream_pair pairs[REDIS_REPLY_PAIRS_MAX];
    for (uint32_t count = REDIS_REPLY_PAIRS_MAX; count <= REDIS_REPLY_PAIRS_MAX + 1; count++) {
        struct stream_entry entry = {0};
        struct buf words;
        buf_init(&words, RESP_PIECE_MAX);
        buf_str(&words, "( 5-1 ( # " EPOCH ":7:3-0000000000ff:9 ");
        for (uint32_t i = 0; i < count; i++) {
            buf_str(&words, "k v ");
        }
        buf_str(&words, ") )");
        struct resp_reply *reply = reply_of(resp, buf_cstr(&words));
        CHECK_OK(redis_reply_entry(reply, pairs, &entry));
        CHECK_EQ(entry.valid, count == REDIS_REPLY_PAIRS_MAX);
        resp_reply_free(reply);
        buf_fini(&words);
    }
    resp_free(resp);
}
END_TEST

TEST(a_put_answer_must_have_as_many_rows_as_records)
{
    static const struct {
        const char *words;
        bool good;
    } rows[] = {{"( 5 9 ( i1 i0 current ) )", true},
                {"( 5 9 ( i1 i0 ~ ) )", true},
                {"( 5 9 ( i1 i0 ) )", false},
                {"( 5 9 ( i1 i0 i1 i1 ) )", false},
                {"( 5 9 ( i1 i0 _ ) )", false},
                {"( 5 9 ( i1 i0 ( a ) ) )", false},
                {"( x 9 ( i1 i0 i1 ) )", false},
                {"( 5 -9 ( i1 i0 i1 ) )", false},
                {"( 5 9 )", false},
                {"5", false}};
    struct resp *resp = resp_make();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct stream_put_row out[3];
        struct redis_reply_put put = {.rows = out, .count = 3};
        struct resp_reply *reply = reply_of(resp, rows[i].words);
        enum err err = redis_reply_put(reply, &put);
        ck_assert_msg((err == ERR_OK) == rows[i].good, "%s", rows[i].words);
        if (err == ERR_OK) {
            CHECK_UEQ(put.sequence, 5);
            CHECK_UEQ(put.floor, 9);
            CHECK_EQ(out[0].result, STREAM_PUT_ACCEPTED);
            CHECK_EQ(out[1].result, STREAM_PUT_DUPLICATE);
            CHECK_EQ(out[2].result, STREAM_PUT_CONFLICT);
            CHECK(span_eq_str(out[2].current, i == 0 ? "current" : ""));
        }
        resp_reply_free(reply);
    }
    resp_free(resp);
}
END_TEST

TEST(a_heartbeat_answer_places_its_payloads_around_the_end)
{
    static const struct {
        const char *words;
        bool good;
    } rows[] = {
        {"( 1000 1500 ( x ) ( a 900 b 950 c 1000 ) i2 ( pc pa ) )", true},
        {"( 1000 1500 ( x ) ( a 900 b 950 c 1000 ) i2 ( pc pa pb pd ) )", false},
        {"( 1000 1500 ( x ) ( a 900 b y c 1000 ) i2 ( pc pa ) )", false},
        {"( 1000 1500 ( x ) ( ) i2 ( pc ) )", false},
        {"( 1000 1500 ( x ) ( a 900 b 950 c 1000 ) i-1 ( pc pa ) )", false},
        {"( now 1500 ( x ) ( a 900 b 950 c 1000 ) i2 ( pc pa ) )", false},
        {"( 1000 1500 )", false},
    };
    struct resp *resp = resp_make();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct span lapsed[4];
        struct stream_peer peers[4];
        struct redis_reply_beat beat = {.lapsed = lapsed, .peers = peers};
        struct resp_reply *reply = reply_of(resp, rows[i].words);
        enum err err = redis_reply_beat(reply, &beat);
        ck_assert_msg((err == ERR_OK) == rows[i].good, "%s", rows[i].words);
        if (err == ERR_OK) {
            CHECK(beat.in_grace);
            CHECK_EQ(beat.server_ms, 1000);
            CHECK_EQ(beat.lapsed_count, 1);
            CHECK_EQ(beat.peer_count, 3);
            CHECK_EQ(peers[0].age_ms, 100);
            CHECK(span_eq_str(peers[0].payload, "pa"));
            CHECK(span_eq_str(peers[1].payload, ""));
            CHECK(span_eq_str(peers[2].payload, "pc"));
        }
        resp_reply_free(reply);
    }
    resp_free(resp);
}
END_TEST

SUITE("stream/redis_reply", T(an_id_is_two_numbers), T(meta_fields_are_read_or_found_malformed),
      T(an_entry_is_read_or_marked_as_a_strangers), T(an_entry_with_too_many_pairs_is_a_strangers),
      T(a_put_answer_must_have_as_many_rows_as_records),
      T(a_heartbeat_answer_places_its_payloads_around_the_end));
