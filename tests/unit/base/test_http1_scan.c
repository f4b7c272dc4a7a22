// SPDX-License-Identifier: Apache-2.0
// The raw scan alone: where it stops, what it counts, and that every single byte value is judged as the
// grammar of RFC 9110 and 9112 says.
#include "base/http1_scan.h"
#include "tests/lib/suite.h"

#include <stdio.h>

static enum http1_progress scan(const char *bytes, size_t len, struct http1_scan *ret_scan)
{
    http1_scan_init(ret_scan);
    return http1_scan_feed(ret_scan, span_of(bytes, len));
}

TEST(it_stops_behind_the_empty_line)
{
    static const char bytes[] = "GET /ab HTTP/1.0\r\nA: b\r\nC: d\r\n\r\nrest";
    struct http1_scan done;
    CHECK_EQ(scan(bytes, sizeof(bytes) - 1, &done), HTTP1_DONE);
    CHECK_UEQ(done.len, sizeof(bytes) - 1 - 4);
    CHECK_UEQ(done.header_count, 2);
    CHECK_UEQ(done.method_len, 3);
    CHECK_UEQ(done.target_start, 4);
    CHECK_UEQ(done.target_len, 3);
    CHECK(done.version_0);
    CHECK_EQ(done.problem, HTTP1_NO_PROBLEM);
}

TEST(a_leading_empty_line_moves_the_start)
{
    static const char bytes[] = "\r\nGET / HTTP/1.1\r\n\r\n";
    struct http1_scan done;
    CHECK_EQ(scan(bytes, sizeof(bytes) - 1, &done), HTTP1_DONE);
    CHECK_UEQ(done.start, 2);
    CHECK_UEQ(done.target_start, 6);
}

TEST(a_bad_byte_is_refused_when_it_comes)
{
    static const char bytes[] = "GET / HTTP/1.1\r\nA: b\nC: d";
    struct http1_scan refused;
    CHECK_EQ(scan(bytes, sizeof(bytes) - 1, &refused), HTTP1_REFUSED);
    CHECK_UEQ(refused.len, 21);
    CHECK_EQ(refused.problem, HTTP1_BAD_REQUEST);
    CHECK_STR(refused.text, "LF without CR");
}

// Puts each byte value at the place of '?' and counts how many are let pass.
static unsigned passing(const char *before, const char *after)
{
    unsigned count = 0;
    for (int value = 0; value < 256; value++) {
        char bytes[128];
        int len = snprintf(bytes, sizeof(bytes), "%s?%s", before, after);
        bytes[strlen(before)] = (char)value;
        struct http1_scan state;
        count += scan(bytes, (size_t)len, &state) == HTTP1_DONE;
    }
    return count;
}

TEST(every_byte_value_is_judged)
{
    // 77 token bytes: letters, digits, and !#$%&'*+-.^_`|~
    CHECK_UEQ(passing("GET / HTTP/1.1\r\nA", ": b\r\n\r\n"), 77 + 1); // ":" ends the name here
    CHECK_UEQ(passing("GE", " / HTTP/1.1\r\n\r\n"), 77);
    // visible ASCII but "#"
    CHECK_UEQ(passing("GET /", " HTTP/1.1\r\n\r\n"), 93);
    // tab, space, visible ASCII, 0x80-0xff
    CHECK_UEQ(passing("GET / HTTP/1.1\r\nA: ", "\r\n\r\n"), 1 + 95 + 128);
    CHECK_UEQ(passing("GET / HTTP/1.", "\r\n\r\n"), 2);
}

TEST(tokens_are_told_from_other_text)
{
    CHECK(http1_is_token(SPAN_LIT("If-None-Match")));
    CHECK(http1_is_token(SPAN_LIT("!#$%&'*+-.^_`|~09azAZ")));
    CHECK(!http1_is_token(SPAN_NONE));
    CHECK(!http1_is_token(SPAN_LIT("a b")));
    CHECK(!http1_is_token(SPAN_LIT("a:")));
    CHECK(!http1_is_token(SPAN_LIT("a\0b")));
    CHECK(!http1_is_token(SPAN_LIT("\xc3\xa4")));
}

TEST(chunks_stop_behind_the_body)
{
    struct http1_chunks chunks;
    size_t len = 0;
    http1_chunks_init(&chunks);
    CHECK_EQ(http1_chunks_feed(&chunks, SPAN_LIT("3;x\r\nabc\r\n"), &len), HTTP1_MORE);
    CHECK_UEQ(len, 10);
    CHECK_EQ(http1_chunks_feed(&chunks, SPAN_LIT("0\r\nT: u\r\n\r\nGET /"), &len), HTTP1_DONE);
    CHECK_UEQ(len, 11);
    CHECK_UEQ(chunks.body_len, 3);
}

TEST(the_sum_of_the_chunks_has_the_ceiling_not_the_single_one)
{
    struct http1_chunks chunks;
    size_t len = 0;
    http1_chunks_init(&chunks);
    CHECK_EQ(http1_chunks_feed(&chunks, SPAN_LIT("1\r\na\r\n"), &len), HTTP1_MORE);
    CHECK_EQ(http1_chunks_feed(&chunks, SPAN_LIT("100000\r\n"), &len), HTTP1_REFUSED);
    CHECK_EQ(chunks.problem, HTTP1_TOO_LARGE);
}

SUITE("base/http1_scan", T(it_stops_behind_the_empty_line), T(a_leading_empty_line_moves_the_start),
      T(a_bad_byte_is_refused_when_it_comes), T(every_byte_value_is_judged),
      T(tokens_are_told_from_other_text), T(chunks_stop_behind_the_body),
      T(the_sum_of_the_chunks_has_the_ceiling_not_the_single_one));
