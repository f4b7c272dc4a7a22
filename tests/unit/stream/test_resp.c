// SPDX-License-Identifier: Apache-2.0
// How: bytes in, the tree out as text; every row is fed whole, byte by byte and in random pieces.
#include "base/random.h"
#include "stream/redis/resp.h"
#include "tests/lib/failalloc.h"
#include "tests/lib/suite.h"

#include <stdio.h>

#define TEXT_MAX 512

struct row {
    const char *bytes;
    const char *tree; // NULL: ERR_SYNTAX or ERR_TOO_LARGE
};

static void render(const struct resp_reply *reply, struct buf *out)
{
    static const char marks[] = {
        [RESP_NIL] = '_',   [RESP_INTEGER] = ':', [RESP_STRING] = '$', [RESP_STATUS] = '+',
        [RESP_ERROR] = '-', [RESP_ARRAY] = '*',   [RESP_CUT] = '!'};
    enum resp_type type = resp_type(reply);
    buf_byte(out, marks[type]);
    if (type == RESP_INTEGER || type == RESP_CUT) {
        buf_i64(out, resp_integer(reply));
    }
    buf_put(out, type == RESP_CUT ? span_of(resp_text(reply).ptr, 4) : resp_text(reply));
    for (uint32_t i = 0; i < resp_count(reply); i++) {
        buf_byte(out, i == 0 ? '(' : ' ');
        render(resp_at(reply, i), out);
    }
    buf_str(out, resp_count(reply) > 0 ? ")" : "");
}

// Feeds `bytes` in pieces of 1..piece_max; the replies as text, one after another.
static enum err read_all(struct span bytes, size_t piece_max, struct random *random,
                         struct buf *out)
{
    struct resp *resp = NULL;
    enum err err = resp_new(&resp);
    while (err == ERR_OK && bytes.len > 0) {
        size_t len = piece_max == 1 ? 1 : 1 + (size_t)random_below(random, piece_max);
        len = len < bytes.len ? len : bytes.len;
        err = resp_feed(resp, span_of(bytes.ptr, len));
        bytes = span_of(bytes.ptr + len, bytes.len - len);
        struct resp_reply *reply = NULL;
        while (err == ERR_OK && (err = resp_next(resp, &reply)) == ERR_OK && reply != NULL) {
            render(reply, out);
            resp_reply_free(reply);
        }
    }
    resp_free(resp);
    return err;
}

static const struct row replies[] = {
    {"+OK\r\n", "+OK"},
    {"-ERR no\r\n:5\r\n", "-ERR no:5"},
    {"$3\r\nabc\r\n", "$abc"},
    {"$0\r\n\r\n$-1\r\n*0\r\n*-1\r\n", "$_*_"},
    {"$4\r\n\r\n\r\n\r\n", "$\r\n\r\n"},
    {"*2\r\n$1\r\na\r\n*2\r\n:-1\r\n+b\r\n", "*($a *(:-1 +b))"},
    {"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n", "*(*(*(*(*(*(:1))))))"},
    {"$5\r\n*3\r\n:\r\n", "$*3\r\n:"}, // what stands in a bulk is no protocol
    {"+half", ""},
    {"$5\r\nab", ""},
    {"*2\r\n:1\r\n", ""},
    {"%1\r\n", NULL}, // RESP3
    {"HTTP/1.1 200 OK\r\n", NULL},
    {"\r\n", NULL},
    {"$abc\r\n", NULL},
    {"$-2\r\n", NULL},
    {"$\r\n", NULL},
    {"$3\n", NULL},
    {"$18446744073709551616\r\n", NULL},
    {"$18446744073709551615\r\n", NULL},
    {"$00000000000000000000000000000000000000000003\r\n", NULL},
    {"*1048577\r\n", NULL},
    {"*2147483647\r\n", NULL},
};

static void check_row(const struct row *row, size_t piece_max, struct random *random)
{
    struct buf out;
    buf_init(&out, TEXT_MAX);
    enum err err = read_all(span_str(row->bytes), piece_max, random, &out);
    if (row->tree == NULL) {
        ck_assert_msg(err == ERR_SYNTAX || err == ERR_TOO_LARGE, "%s: %s", row->bytes,
                      err_text(err));
    } else {
        ck_assert_msg(err == ERR_OK, "%s: %s", row->bytes, err_text(err));
        CHECK_STR(buf_cstr(&out), row->tree);
    }
    buf_fini(&out);
}

TEST(a_reply_is_the_same_in_whatever_pieces_it_comes)
{
    struct random random;
    random_seed(&random, 1);
    for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
        check_row(&replies[i], 1, &random);
        for (int k = 0; k < 10; k++) {
            check_row(&replies[i], 3 + (size_t)k * 4, &random);
        }
    }
}
END_TEST

// "*3 :1 <a bulk of `len` bytes> +end"
static struct span make_bulk(struct buf *buf, size_t len)
{
    buf_init(buf, len + 100);
    buf_printf(buf, "*3\r\n:1\r\n$%zu\r\n", len);
    for (size_t i = 0; i < len; i++) {
        buf_byte(buf, (char)('a' + i % 26));
    }
    buf_str(buf, "\r\n+end\r\n");
    return buf_span(buf);
}

TEST(a_bulk_over_the_ceiling_is_cut_and_what_follows_is_kept)
{
    static const size_t lens[] = {RESP_BULK_MAX, RESP_BULK_MAX + 1, 1000000};
    struct random random;
    random_seed(&random, 2);
    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        for (size_t piece_max = 1; piece_max <= RESP_PIECE_MAX; piece_max *= 8) {
            struct buf bytes;
            struct buf out;
            char wanted[64];
            struct span span = make_bulk(&bytes, lens[i]);
            buf_init(&out, RESP_BULK_MAX + 100);
            CHECK_OK(read_all(span, piece_max, &random, &out));
            snprintf(wanted, sizeof(wanted), "*(:1 !%zuabcd +end)", lens[i]);
            if (lens[i] > RESP_BULK_MAX) {
                CHECK_STR(buf_cstr(&out), wanted);
            } else {
                CHECK_UEQ(out.len, lens[i] + sizeof("*(:1 $ +end)") - 1);
            }
            buf_fini(&out);
            buf_fini(&bytes);
        }
    }
}
END_TEST

TEST(a_line_without_end_is_an_error)
{
    struct resp *resp = NULL;
    char piece[1024];
    enum err err = ERR_OK;
    memset(piece, 'x', sizeof(piece));
    piece[0] = '+';
    CHECK_OK(resp_new(&resp));
    for (int i = 0; i < 100 && err == ERR_OK; i++) {
        err = resp_feed(resp, span_of(piece, sizeof(piece)));
        piece[0] = 'x';
    }
    CHECK_EQ(err, ERR_TOO_LARGE);
    resp_free(resp);
}
END_TEST

TEST(the_length_of_a_reply_on_the_wire_is_known)
{
    struct resp *resp = NULL;
    struct resp_reply *reply = NULL;
    CHECK_OK(resp_new(&resp));
    CHECK_OK(resp_feed(resp, SPAN_LIT("$5\r\nabcde\r\n+OK\r\n:1")));
    CHECK_OK(resp_next(resp, &reply));
    CHECK_UEQ(resp_wire_len(resp), 11);
    resp_reply_free(reply);
    CHECK_OK(resp_next(resp, &reply));
    CHECK_UEQ(resp_wire_len(resp), 5);
    resp_reply_free(reply);
    CHECK_OK(resp_next(resp, &reply));
    CHECK(reply == NULL);
    resp_free(resp);
}
END_TEST

TEST(a_command_is_an_array_of_bulks)
{
    struct buf buf;
    buf_init(&buf, 100);
    resp_command(&buf, 3);
    resp_arg_str(&buf, "GET");
    resp_arg(&buf, SPAN_LIT("a\0b"));
    resp_arg_u64(&buf, 18446744073709551615U);
    static const char wanted[] = "*3\r\n$3\r\nGET\r\n$3\r\na\0b\r\n$20\r\n18446744073709551615\r\n";
    CHECK_UEQ(buf.len, sizeof(wanted) - 1);
    CHECK_MEM(buf.ptr, wanted, buf.len);
    buf_fini(&buf);
}
END_TEST

static bool walk(void *arg)
{
    struct buf out;
    struct random random;
    (void)arg;
    random_seed(&random, 1);
    buf_init(&out, TEXT_MAX);
    enum err err = read_all(SPAN_LIT("*2\r\n$1\r\na\r\n*2\r\n:-1\r\n+b\r\n"), 7, &random, &out);
    bool done = err == ERR_OK && out.err == ERR_OK;
    buf_fini(&out);
    return done;
}

TEST(every_allocation_may_fail)
{
    CHECK(failalloc_each(walk, NULL) > 5);
}
END_TEST

TEST(random_bytes_end_in_an_error_or_wait_but_never_crash)
{
    static const char alphabet[] = "*$:+-0123456789\r\n\r\n\r\nab%";
    struct random random;
    random_seed(&random, 3);
    for (int i = 0; i < 20000; i++) {
        char bytes[64];
        struct buf out;
        size_t len = 1 + (size_t)random_below(&random, sizeof(bytes));
        for (size_t k = 0; k < len; k++) {
            bytes[k] = alphabet[random_below(&random, sizeof(alphabet) - 1)];
        }
        buf_init(&out, 100000);
        enum err err = read_all(span_of(bytes, len), 8, &random, &out);
        CHECK(err == ERR_OK || err == ERR_SYNTAX || err == ERR_TOO_LARGE);
        buf_fini(&out);
    }
}
END_TEST

SUITE("stream/resp", T(a_reply_is_the_same_in_whatever_pieces_it_comes),
      T(a_bulk_over_the_ceiling_is_cut_and_what_follows_is_kept), T(a_line_without_end_is_an_error),
      T(the_length_of_a_reply_on_the_wire_is_known), T(a_command_is_an_array_of_bulks),
      T(every_allocation_may_fail), T(random_bytes_end_in_an_error_or_wait_but_never_crash));
