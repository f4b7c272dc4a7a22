// SPDX-License-Identifier: Apache-2.0
// Requests in, one line of text out.  Every row is fed whole, in two halves at every place, and byte by
// byte; the line must be the same each time, or the parser has more than one reading of the same bytes.
#include "base/buf.h"
#include "base/http1.h"
#include "tests/lib/failalloc.h"
#include "tests/lib/suite.h"

#include <stdio.h>

#define HOST "Host: a\r\n"
#define GET "GET / HTTP/1.1\r\n"
#define PUT "PUT / HTTP/1.1\r\n" HOST
#define CHUNKED PUT "Transfer-Encoding: chunked\r\n\r\n"
#define NEXT "GET /next HTTP/1.1\r\n" HOST "\r\n"

struct row {
    struct span bytes;
    const char *expect;
};
#define ROW(bytes, expect)                                                                         \
    {                                                                                              \
        {"" bytes, sizeof(bytes) - 1}, expect                                                      \
    }

// How the bytes come: pieces of `step`, the first one of `first`.
struct pace {
    size_t first, step;
};

static void put_request(struct buf *out, const struct http1_request *request)
{
    buf_put(out, request->method);
    buf_byte(out, ' ');
    buf_put(out, request->path);
    if (request->query.ptr != NULL) {
        buf_byte(out, '?');
        buf_put(out, request->query);
    }
    if (request->authority.len > 0) {
        buf_str(out, " @");
        buf_put(out, request->authority);
    }
    if (request->body.len > 0) {
        buf_str(out, " =");
        buf_put(out, request->body);
    }
    buf_str(out, request->keep_alive ? "; " : " close; ");
}

static void put_problem(struct buf *out, const struct http1_parser *parser)
{
    static const char *const words[] = {"none", "400", "431", "413"};
    const char *text = NULL;
    buf_str(out, words[http1_parser_problem(parser, &text)]);
}

// False: the transcript ends here.
static bool put_state(struct buf *out, struct http1_parser *parser, enum http1_state state)
{
    switch (state) {
    case HTTP1_NEED_MORE:
        return true;
    case HTTP1_CONTINUE:
        buf_str(out, "100 ");
        return true;
    case HTTP1_READY:
        put_request(out, http1_parser_request(parser));
        http1_parser_reset(parser);
        return true;
    case HTTP1_MALFORMED:
        put_problem(out, parser);
        return false;
    case HTTP1_NO_MEMORY:
        break;
    }
    buf_str(out, "no memory");
    return false;
}

static void transcript(struct span bytes, struct pace pace, struct buf *out)
{
    struct http1_parser *parser = NULL;
    CHECK_OK(http1_parser_new(&parser));
    size_t have = pace.first < bytes.len ? pace.first : bytes.len;
    size_t at = 0;
    bool going = true;
    while (going) {
        size_t used = 0;
        enum http1_state state =
            http1_parser_feed(parser, span_of(bytes.ptr + at, have - at), &used);
        CHECK(used <= have - at);
        at += used;
        going = put_state(out, parser, state);
        if (state == HTTP1_NEED_MORE || at == have) {
            going = going && have < bytes.len;
            have = have + pace.step < bytes.len ? have + pace.step : bytes.len;
        }
    }
    if (http1_parser_begun(parser) && at < bytes.len && out->len == 0) {
        buf_str(out, "more");
    }
    http1_parser_free(parser);
}

static void check_pace(const struct row *row, struct pace pace)
{
    struct buf out;
    buf_init(&out, 1 << 16);
    transcript(row->bytes, pace, &out);
    ck_assert_msg(strcmp(buf_cstr(&out), row->expect) == 0,
                  "fed %zu then %zu: got \"%s\", expected \"%s\" for\n%.300s", pace.first,
                  pace.step, buf_cstr(&out), row->expect, row->bytes.ptr);
    buf_fini(&out);
}

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        check_pace(&rows[i], (struct pace){rows[i].bytes.len, 1});
        check_pace(&rows[i], (struct pace){1, 1});
        for (size_t cut = 1; cut < rows[i].bytes.len; cut++) {
            check_pace(&rows[i], (struct pace){cut, rows[i].bytes.len});
        }
    }
}
#define CHECK_ROWS(rows) check_rows(rows, sizeof(rows) / sizeof((rows)[0]))

TEST(well_formed_requests_are_read)
{
    static const struct row rows[] = {
        ROW(GET HOST "\r\n", "GET /; "),
        ROW("GET /a/b?c=d&e HTTP/1.1\r\n" HOST "\r\n", "GET /a/b?c=d&e; "),
        ROW("GET /? HTTP/1.1\r\n" HOST "\r\n", "GET /?; "),
        ROW("GET /a%2Fb|c HTTP/1.1\r\n" HOST "\r\n", "GET /a%2Fb|c; "),
        ROW("\r\n" GET HOST "\r\n", "GET /; "),
        ROW(GET "hOsT:a\r\n\r\n", "GET /; "),
        ROW(GET "Host: \t a \t\r\n\r\n", "GET /; "),
        ROW(GET "Host: [::1]:9810\r\n\r\n", "GET /; "),
        ROW(GET "Host:\r\n\r\n", "GET /; "),
        ROW(GET HOST "X: \x80\xff\r\n\r\n", "GET /; "),
        ROW(GET HOST "Connection: close\r\n\r\n", "GET / close; "),
        ROW("GET / HTTP/1.0\r\n\r\n", "GET / close; "),
        ROW("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "GET /; "),
        ROW("OPTIONS * HTTP/1.1\r\n" HOST "\r\n", "OPTIONS *; "),
        ROW(PUT "Content-Length: 5\r\n\r\nhello", "PUT / =hello; "),
        ROW(PUT "Content-Length: 0\r\n\r\n", "PUT /; "),
        ROW(PUT "Content-Length: 0000000000000000005\r\n\r\nhello", "PUT / =hello; "),
        ROW(PUT "\r\n", "PUT /; "),
        ROW(GET HOST "Content-Length: 2\r\n\r\nhi", "GET / =hi; "),
        ROW("HEAD / HTTP/1.1\r\n" HOST "\r\n", "HEAD /; "),
    };
    CHECK_ROWS(rows);
}

TEST(absolute_form_gives_path_and_authority)
{
    static const struct row rows[] = {
        ROW("GET http://h:1/p?q HTTP/1.1\r\n" HOST "\r\n", "GET /p?q @h:1; "),
        ROW("GET HTTP://h HTTP/1.1\r\n" HOST "\r\n", "GET / @h; "),
        ROW("GET http://h?q HTTP/1.1\r\n" HOST "\r\n", "GET /?q @h; "),
        ROW("GET https://[::1]:1/ HTTP/1.1\r\n" HOST "\r\n", "GET / @[::1]:1; "),
        ROW("GET http:///p HTTP/1.1\r\n" HOST "\r\n", "400"),
        ROW("GET http://u@h/p HTTP/1.1\r\n" HOST "\r\n", "400"),
        ROW("GET ftp://h/p HTTP/1.1\r\n" HOST "\r\n", "400"),
    };
    CHECK_ROWS(rows);
}

TEST(a_method_that_the_parser_library_does_not_know_reaches_the_router)
{
    static const struct row rows[] = {
        ROW("FOO /x HTTP/1.1\r\n" HOST "\r\n" NEXT, "FOO /x; GET /next; "),
        ROW("get /x HTTP/1.1\r\n" HOST "\r\n" NEXT, "get /x; GET /next; "),
        ROW("TRACE / HTTP/1.1\r\n" HOST "\r\n" NEXT, "TRACE /; GET /next; "),
        ROW("FOO / HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nhi" NEXT, "FOO / =hi; GET /next; "),
        ROW("CONNECT /x HTTP/1.1\r\n" HOST "\r\n" NEXT, "CONNECT /x; GET /next; "),
        ROW("CONNECT h:443 HTTP/1.1\r\n" HOST "\r\n", "400"),
    };
    CHECK_ROWS(rows);
}

TEST(pipelined_requests_come_one_by_one)
{
    static const struct row rows[] = {
        ROW(GET HOST "\r\n" NEXT NEXT, "GET /; GET /next; GET /next; "),
        ROW(PUT "Content-Length: 5\r\n\r\nhello" NEXT, "PUT / =hello; GET /next; "),
        ROW(CHUNKED "5\r\nhello\r\n0\r\n\r\n" NEXT, "PUT / =hello; GET /next; "),
        ROW(GET HOST "\r\n\r\n" NEXT, "GET /; GET /next; "),
        ROW(PUT "Content-Length: 3\r\n\r\nhello" NEXT, "PUT / =hel; loGET /next; "),
    };
    CHECK_ROWS(rows);
}

TEST(an_upgrade_is_not_followed)
{
    static const struct row rows[] = {
        ROW(GET HOST "Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n" NEXT, "GET /; GET /next; "),
        ROW(PUT "Connection: Upgrade\r\nUpgrade: x\r\nContent-Length: 2\r\n\r\nhi" NEXT,
            "PUT / =hi; GET /next; "),
    };
    CHECK_ROWS(rows);
}

TEST(chunks_are_taken_apart)
{
    static const struct row rows[] = {
        ROW(CHUNKED "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "PUT / =hello world; "),
        ROW(CHUNKED "0\r\n\r\n", "PUT /; "),
        ROW(CHUNKED "00000005\r\nhello\r\n000\r\n\r\n", "PUT / =hello; "),
        ROW(CHUNKED "A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n",
            "PUT / =01234567890123456789; "),
        ROW(CHUNKED "5;name=value\r\nhello\r\n0;x\r\n\r\n", "PUT / =hello; "),
        ROW(CHUNKED "5\r\nhello\r\n0\r\nHost: evil\r\nContent-Length: 99\r\n\r\n" NEXT,
            "PUT / =hello; GET /next; "),
        ROW(PUT "Transfer-Encoding: CHUNKED\r\n\r\n2\r\nhi\r\n0\r\n\r\n", "PUT / =hi; "),
    };
    CHECK_ROWS(rows);
}

TEST(malformed_chunks_are_refused)
{
    static const struct row rows[] = {
        ROW(CHUNKED "0x5\r\nhello\r\n0\r\n\r\n", "400"),
        ROW(CHUNKED "+5\r\nhello\r\n0\r\n\r\n", "400"),
        ROW(CHUNKED "-0\r\n\r\n", "400"),
        ROW(CHUNKED " 5\r\nhello\r\n0\r\n\r\n", "400"),
        ROW(CHUNKED "5 \r\nhello\r\n0\r\n\r\n", "400"),
        ROW(CHUNKED "g\r\nhello\r\n0\r\n\r\n", "400"),
        ROW(CHUNKED "\r\nhello\r\n0\r\n\r\n", "400"),
        ROW(CHUNKED ";x\r\nhello\r\n0\r\n\r\n", "400"),
        ROW(CHUNKED "000000005\r\nhello\r\n0\r\n\r\n", "400"),
        ROW(CHUNKED "fffffffffffffffff\r\n", "400"),
        ROW(CHUNKED "ffffffff\r\n", "413"),
        ROW(CHUNKED "5\nhello\r\n0\r\n\r\n", "400"),
        ROW(CHUNKED "5\r\nhello\n0\r\n\r\n", "400"),
        ROW(CHUNKED "5\r\nhelloX0\r\n\r\n", "400"),
        ROW(CHUNKED "5\r\nhello\r\n0\r\n\n", "400"),
        ROW(CHUNKED "5\r\nhello\r\n0\n\n", "400"),
        ROW(CHUNKED "5;x\ny\r\nhello\r\n0\r\n\r\n", "400"),
        ROW(CHUNKED "5;\0\r\nhello\r\n0\r\n\r\n", "400"),
        ROW(CHUNKED "0\r\n folded: x\r\n\r\n", "400"),
        ROW(CHUNKED "0\r\nbad name: x\r\n\r\n", "400"),
        ROW(CHUNKED "0\r\nX: \0\r\n\r\n", "400"),
        ROW(CHUNKED "0\r\nX: y\n\r\n", "400"),
    };
    CHECK_ROWS(rows);
}

TEST(a_request_with_two_framings_is_refused)
{
    static const struct row rows[] = {
        ROW(PUT "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", "400"),
        ROW(PUT "Content-Length: 0\r\nContent-Length: 42\r\n\r\n", "400"),
        ROW(PUT "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "400"),
        ROW(PUT "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", "400"),
        ROW(PUT "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", "400"),
        ROW(PUT "Transfer-Encoding: gzip, chunked\r\n\r\n", "400"),
        ROW(PUT "Transfer-Encoding: chunked, chunked\r\n\r\n", "400"),
        ROW(PUT "Transfer-Encoding: identity\r\n\r\n", "400"),
        ROW(PUT "Transfer-Encoding: xchunked\r\n\r\n", "400"),
        ROW(PUT "Transfer-Encoding:\r\n\r\n", "400"),
        ROW(PUT "Transfer-Encoding: \vchunked\r\n\r\n", "400"),
        ROW(PUT "Transfer-Encoding : chunked\r\n\r\n", "400"),
        ROW("PUT / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"),
        ROW(PUT "Content-Length: +5\r\n\r\nhello", "400"),
        ROW(PUT "Content-Length: -5\r\n\r\nhello", "400"),
        ROW(PUT "Content-Length: 0x5\r\n\r\nhello", "400"),
        ROW(PUT "Content-Length: \v5\r\n\r\nhello", "400"),
        ROW(PUT "Content-Length: 5\0junk\r\n\r\nhello", "400"),
        ROW(PUT "Content-Length: 5, 5\r\n\r\nhello", "400"),
        ROW(PUT "Content-Length: 5 5\r\n\r\nhello", "400"),
        ROW(PUT "Content-Length:\r\n\r\n", "400"),
        ROW(PUT "Content-Length: 00000000000000000005\r\n\r\nhello", "400"),
        ROW(PUT "Content-Length: 99999999999999999999\r\n\r\n", "400"),
        ROW(PUT "Content-Length : 5\r\n\r\nhello", "400"),
    };
    CHECK_ROWS(rows);
}

TEST(exactly_one_host_is_asked_for)
{
    static const struct row rows[] = {
        ROW(GET "\r\n", "400"),
        ROW(GET HOST HOST "\r\n", "400"),
        ROW(GET "Host: a\r\nhost: b\r\n\r\n", "400"),
        ROW("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", "400"),
        ROW(GET "Host: 127.0.0.1\0.evil\r\n\r\n", "400"),
        ROW(GET "Host: a b@c/d\r\n\r\n", "400"),
        ROW(GET "Host: a/b\r\n\r\n", "400"),
        ROW(GET "Host: u@a\r\n\r\n", "400"),
        ROW(GET "Host: a:1:2\r\n\r\n", "400"),
        ROW(GET "Host: a:port\r\n\r\n", "400"),
        ROW(GET "Host: [::1\r\n\r\n", "400"),
        ROW(GET "Host: a, b\r\n\r\n", "400"),
    };
    CHECK_ROWS(rows);
}

TEST(a_malformed_header_section_is_refused)
{
    static const struct row rows[] = {
        ROW("GET / HTTP/1.1\n" HOST "\r\n", "400"),
        ROW(GET "Host: a\n\r\n", "400"),
        ROW(GET HOST "\n", "400"),
        ROW(GET "Host: a\rX: y\r\n\r\n", "400"),
        ROW(GET HOST "\rX", "400"),
        ROW(GET HOST " folded\r\n\r\n", "400"),
        ROW(GET HOST "\tfolded\r\n\r\n", "400"),
        ROW(GET " Host: a\r\n\r\n", "400"),
        ROW(GET HOST ": empty\r\n\r\n", "400"),
        ROW(GET HOST "a b: c\r\n\r\n", "400"),
        ROW(GET HOST "a : c\r\n\r\n", "400"),
        ROW(GET HOST "a\x01: c\r\n\r\n", "400"),
        ROW(GET HOST "a\x80: c\r\n\r\n", "400"),
        ROW(GET HOST "no colon\r\n\r\n", "400"),
        ROW(GET HOST "colonless\r\n\r\n", "400"),
        ROW(GET HOST "X: a\0b\r\n\r\n", "400"),
        ROW(GET HOST "X: \x1b[31m\r\n\r\n", "400"),
        ROW(GET HOST "X: \x7f\r\n\r\n", "400"),
        ROW(GET HOST "X: a\vb\r\n\r\n", "400"),
    };
    CHECK_ROWS(rows);
}

TEST(a_malformed_request_line_is_refused)
{
    static const struct row rows[] = {
        ROW("\r\n\r\n" GET HOST "\r\n", "400"),
        ROW("\n" GET HOST "\r\n", "400"),
        ROW(" GET / HTTP/1.1\r\n" HOST "\r\n", "400"),
        ROW("GET  / HTTP/1.1\r\n" HOST "\r\n", "400"),
        ROW("GET /  HTTP/1.1\r\n" HOST "\r\n", "400"),
        ROW("GET /\tHTTP/1.1\r\n" HOST "\r\n", "400"),
        ROW("GET / HTTP/1.1 \r\n" HOST "\r\n", "400"),
        ROW("GET /\r\n" HOST "\r\n", "400"),
        ROW("GET\r\n" HOST "\r\n", "400"),
        ROW("G(T / HTTP/1.1\r\n" HOST "\r\n", "400"),
        ROW("GET / HTTP/2.0\r\n" HOST "\r\n", "400"),
        ROW("GET / HTTP/0.9\r\n" HOST "\r\n", "400"),
        ROW("GET / HTTP/1.2\r\n" HOST "\r\n", "400"),
        ROW("GET / HTTP/1.10\r\n" HOST "\r\n", "400"),
        ROW("GET / HTTP/-1.1\r\n" HOST "\r\n", "400"),
        ROW("GET / HTTP/4294967297.1\r\n" HOST "\r\n", "400"),
        ROW("GET / http/1.1\r\n" HOST "\r\n", "400"),
        ROW("GET / HTTP/1,1\r\n" HOST "\r\n", "400"),
        ROW("GET a HTTP/1.1\r\n" HOST "\r\n", "400"),
        ROW("GET * HTTP/1.1\r\n" HOST "\r\n", "400"),
        ROW("GET /a b HTTP/1.1\r\n" HOST "\r\n", "400"),
        ROW("GET /\x01 HTTP/1.1\r\n" HOST "\r\n", "400"),
        ROW("GET /\0 HTTP/1.1\r\n" HOST "\r\n", "400"),
        ROW("GET /\x7f HTTP/1.1\r\n" HOST "\r\n", "400"),
        ROW("GET /\xc3\xa4 HTTP/1.1\r\n" HOST "\r\n", "400"),
        ROW("GET /a#b HTTP/1.1\r\n" HOST "\r\n", "400"),
        ROW("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400"),
        ROW("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "400"),
    };
    CHECK_ROWS(rows);
}

TEST(a_client_that_waits_for_it_is_told_to_continue)
{
    static const struct row rows[] = {
        ROW(PUT "Expect: 100-continue\r\nContent-Length: 2\r\n\r\nhi", "100 PUT / =hi; "),
        ROW(PUT "Expect: 100-Continue\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
            "100 PUT / =hi; "),
        ROW(PUT "Expect: 100-continue\r\n\r\n", "PUT /; "),
        ROW(PUT "Expect: something\r\nContent-Length: 2\r\n\r\nhi", "PUT / =hi; "),
        ROW("PUT / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi",
            "PUT / =hi close; "),
        ROW(PUT "Expect: 100-continue\r\nContent-Length: 1048577\r\n\r\n", "413"),
    };
    CHECK_ROWS(rows);
}

// `count` headers "Xnn: " beside Host, the last one padded so that the section has `len` bytes (0: as it
// comes).
static void build_head(struct buf *out, size_t count, size_t len)
{
    buf_str(out, GET HOST);
    for (size_t i = 0; i + 1 < count; i++) {
        buf_printf(out, "X%zu: y\r\n", i);
    }
    if (len > 0) {
        buf_str(out, "P: ");
        while (out->len < len - 4) {
            buf_byte(out, 'p');
        }
        buf_str(out, "\r\n");
    }
    buf_str(out, "\r\n");
}

TEST(header_sections_have_a_ceiling)
{
    static const struct {
        size_t count, len;
        const char *expect;
    } rows[] = {
        {100, 0, "GET /; "},
        {101, 0, "431"},
        {2, HTTP1_HEAD_MAX, "GET /; "},
        {2, HTTP1_HEAD_MAX + 1, "431"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf head;
        buf_init(&head, 1 << 20);
        build_head(&head, rows[i].count, rows[i].len);
        CHECK(rows[i].len == 0 || head.len == rows[i].len);
        const struct row row = {buf_span(&head), rows[i].expect};
        check_pace(&row, (struct pace){head.len, 1});
        check_pace(&row, (struct pace){1, 1});
        buf_fini(&head);
    }
}

TEST(a_header_section_without_end_is_refused_at_the_ceiling)
{
    struct buf head;
    buf_init(&head, 1 << 20);
    buf_str(&head, "GET /");
    while (head.len < HTTP1_HEAD_MAX + 1) {
        buf_byte(&head, 'a');
    }
    const struct row row = {buf_span(&head), "431"};
    check_pace(&row, (struct pace){head.len, 1});
    check_pace(&row, (struct pace){100, 100});
    buf_fini(&head);
}

// What comes of a body of `len` bytes in chunks of `chunk` (0: by Content-Length).
static enum http1_state body_state(size_t len, size_t chunk)
{
    struct buf bytes;
    buf_init(&bytes, 4 << 20);
    if (chunk == 0) {
        buf_printf(&bytes, PUT "Content-Length: %zu\r\n\r\n", len);
    } else {
        buf_str(&bytes, CHUNKED);
    }
    for (size_t sent = 0; sent < len;) {
        size_t step = chunk == 0 ? len : chunk < len - sent ? chunk : len - sent;
        if (chunk != 0) {
            buf_printf(&bytes, "%zx\r\n", step);
        }
        char *room = buf_reserve(&bytes, step);
        CHECK(room != NULL);
        memset(room, 'b', step);
        buf_advance(&bytes, step);
        buf_str(&bytes, chunk == 0 ? "" : "\r\n");
        sent += step;
    }
    buf_str(&bytes, chunk == 0 ? "" : "0\r\n\r\n");
    CHECK_OK(bytes.err);
    struct http1_parser *parser = NULL;
    CHECK_OK(http1_parser_new(&parser));
    size_t used = 0;
    enum http1_state state = http1_parser_feed(parser, buf_span(&bytes), &used);
    if (state == HTTP1_READY) {
        CHECK_UEQ(http1_parser_request(parser)->body.len, len);
        CHECK_UEQ(used, bytes.len);
    } else {
        const char *text = NULL;
        CHECK_EQ(http1_parser_problem(parser, &text), HTTP1_TOO_LARGE);
    }
    http1_parser_free(parser);
    buf_fini(&bytes);
    return state;
}

TEST(bodies_have_a_ceiling)
{
    CHECK_EQ(body_state(HTTP1_BODY_MAX, 0), HTTP1_READY);
    CHECK_EQ(body_state(HTTP1_BODY_MAX + 1, 0), HTTP1_MALFORMED);
    CHECK_EQ(body_state(HTTP1_BODY_MAX, 65536), HTTP1_READY);
    CHECK_EQ(body_state(HTTP1_BODY_MAX, 1000), HTTP1_READY);
    CHECK_EQ(body_state(HTTP1_BODY_MAX + 1, 65536), HTTP1_MALFORMED);
}

static void check_padded_chunk(const char *before, size_t len, const char *after,
                               const char *expect)
{
    struct buf bytes;
    buf_init(&bytes, 1 << 16);
    buf_str(&bytes, before);
    for (size_t i = 0; i < len; i++) {
        buf_byte(&bytes, 'x');
    }
    buf_str(&bytes, after);
    const struct row row = {buf_span(&bytes), expect};
    check_pace(&row, (struct pace){bytes.len, 1});
    check_pace(&row, (struct pace){1, 1});
    buf_fini(&bytes);
}

TEST(extensions_and_trailers_have_ceilings)
{
    const char *body = "\r\nhi\r\n0\r\n\r\n";
    check_padded_chunk(CHUNKED "2;", HTTP1_EXTENSION_MAX, body, "PUT / =hi; ");
    check_padded_chunk(CHUNKED "2;", HTTP1_EXTENSION_MAX + 1, body, "400");
    // "T: " + value + CRLF + CRLF
    check_padded_chunk(CHUNKED "0\r\nT: ", HTTP1_TRAILERS_MAX - 7, "\r\n\r\n", "PUT /; ");
    check_padded_chunk(CHUNKED "0\r\nT: ", HTTP1_TRAILERS_MAX - 6, "\r\n\r\n", "400");
}

TEST(headers_are_found_without_case)
{
    struct http1_parser *parser = NULL;
    struct span bytes = SPAN_LIT(GET HOST "If-Match: \"1-2\" \r\nif-match: b\r\nEmpty:\r\n\r\n");
    struct span value;
    size_t used = 0;
    CHECK_OK(http1_parser_new(&parser));
    CHECK_EQ(http1_parser_feed(parser, bytes, &used), HTTP1_READY);
    const struct http1_request *request = http1_parser_request(parser);
    CHECK(http1_request_header(request, "IF-MATCH", &value));
    CHECK(span_eq_str(value, "\"1-2\""));
    CHECK_UEQ(http1_request_header_count(request, "If-Match"), 2);
    CHECK(http1_request_header(request, "empty", &value));
    CHECK_UEQ(value.len, 0);
    CHECK(!http1_request_header(request, "If-None-Match", &value));
    CHECK(span_eq_str(request->host, "a"));
    CHECK(!request->version_0 && !request->head);
    http1_parser_free(parser);
}

static bool walk(void *arg)
{
    (void)arg;
    struct http1_parser *parser = NULL;
    if (http1_parser_new(&parser) != ERR_OK) {
        return false;
    }
    size_t used = 0;
    enum http1_state state =
        http1_parser_feed(parser, SPAN_LIT(CHUNKED "5\r\nhello\r\n0\r\n\r\n"), &used);
    bool good = state == HTTP1_READY && http1_parser_request(parser)->body.len == 5;
    http1_parser_free(parser);
    return good || state != HTTP1_NO_MEMORY ? good : false;
}

TEST(every_allocation_may_fail)
{
    CHECK(failalloc_each(walk, NULL) >= 3);
}

SUITE("base/http1", T(well_formed_requests_are_read), T(absolute_form_gives_path_and_authority),
      T(a_method_that_the_parser_library_does_not_know_reaches_the_router),
      T(pipelined_requests_come_one_by_one), T(an_upgrade_is_not_followed),
      T(chunks_are_taken_apart), T(malformed_chunks_are_refused),
      T(a_request_with_two_framings_is_refused), T(exactly_one_host_is_asked_for),
      T(a_malformed_header_section_is_refused), T(a_malformed_request_line_is_refused),
      T(a_client_that_waits_for_it_is_told_to_continue), T(header_sections_have_a_ceiling),
      T(a_header_section_without_end_is_refused_at_the_ceiling), T(bodies_have_a_ceiling),
      T(extensions_and_trailers_have_ceilings), T(headers_are_found_without_case),
      T(every_allocation_may_fail));
