// SPDX-License-Identifier: Apache-2.0
// Answers that come later, handles that outlive their client or server, and streams, over real sockets.
#include "tests/contract/http_rig.h"

#include <sys/socket.h>
#include <unistd.h>

static unsigned occurrences(const struct buf *text, const char *wanted)
{
    unsigned count = 0;
    for (const char *at = buf_cstr(text); (at = strstr(at, wanted)) != NULL; at++) {
        count++;
    }
    return count;
}

static const struct http1_server_options plain = {.header_ms = 0};

TEST(an_answer_may_come_later_and_the_next_request_waits_for_it)
{
    struct http_rig f;
    struct buf heard;
    http_rig_start(&f, &plain);
    buf_init(&heard, 65536);
    int fd = http_rig_dial(&f);
    http_rig_say(
        fd, SPAN_LIT("GET /hold HTTP/1.1\r\nHost: h\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n"));
    LOOP_WAIT(f.loop, f.held != NULL);
    for (int i = 0; i < 10; i++) {
        loop_run_once(f.loop, 1);
    }
    CHECK_UEQ(f.handled, 1);
    CHECK(!http_rig_hear(fd, &heard));
    CHECK_UEQ(heard.len, 0);
    CHECK(span_eq_str(http1_exchange_request(f.held)->path, "/hold"));
    CHECK(http1_exchange_peer(f.held)->is_loopback && !http1_exchange_peer(f.held)->has_uid);
    CHECK_STR(http1_exchange_peer(f.held)->address, "127.0.0.1");
    CHECK(http1_exchange_listener(f.held)->user == &f);
    CHECK(!http1_exchange_listener(f.held)->is_tls);
    http_rig_reply(f.held, 201, "late");
    CHECK_UEQ(f.handled, 1); // not from inside
    LOOP_WAIT(f.loop, http_rig_hears(fd, &heard, "<GET /b 0>"));
    CHECK(strstr(buf_cstr(&heard), "late") < strstr(buf_cstr(&heard), "<GET /b 0>"));
    close(fd);
    buf_fini(&heard);
    http_rig_stop(&f);
}

// A machine that is too busy to answer the other one in time shows nothing, and fails nothing.
TEST(a_connection_that_rests_is_not_read_and_the_others_are)
{
    struct http_rig f;
    struct buf heard;
    http_rig_start(&f, &plain);
    buf_init(&heard, 65536);
    int slow = http_rig_dial(&f);
    int other = http_rig_dial(&f);
    // Two more requests stand in the input already, a last one comes while the connection rests.
    http_rig_say(slow,
                 SPAN_LIT("GET /hold HTTP/1.1\r\nHost: h\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n"
                          "GET /c HTTP/1.1\r\nHost: h\r\n\r\n"));
    LOOP_WAIT(f.loop, f.held != NULL);
    http1_exchange_rest(f.held, 300);
    struct mono since = loop_now(f.loop);
    http_rig_reply(f.held, 200, "at once");
    LOOP_WAIT(f.loop, http_rig_hears(slow, &heard, "at once"));
    http_rig_say(slow, SPAN_LIT("GET /d HTTP/1.1\r\nHost: h\r\n\r\n"));
    http_rig_say(other, SPAN_LIT("GET /o HTTP/1.1\r\nHost: h\r\n\r\n"));
    LOOP_WAIT(f.loop, http_rig_hears(other, &heard, "<GET /o 0>"));
    bool in_time = mono_ms_between(since, loop_now(f.loop)) < 250;
    CHECK(!in_time || f.handled == 2); // /hold and /o
    LOOP_WAIT(f.loop, http_rig_hears(slow, &heard, "<GET /b 0>"));
    CHECK(mono_ms_between(since, loop_now(f.loop)) >= 299);
    CHECK(http_rig_contains(buf_span(&heard), "<GET /c 0>")); // it rests once: both in one turn
    LOOP_WAIT(f.loop, http_rig_hears(slow, &heard, "<GET /d 0>"));
    close(slow);
    close(other);
    buf_fini(&heard);
    http_rig_stop(&f);
}

// Answers a request, after which its connection rests for `ms`.
static int rest(struct http_rig *f, uint32_t ms)
{
    int fd = http_rig_dial(f);
    f->held = NULL;
    http_rig_say(fd, SPAN_LIT("GET /hold HTTP/1.1\r\nHost: h\r\n\r\n"));
    LOOP_WAIT(f->loop, f->held != NULL);
    http1_exchange_rest(f->held, ms);
    http_rig_reply(f->held, 200, "well");
    return fd;
}

TEST(a_connection_that_rests_ends_when_its_client_has_gone_or_the_server_is_drained)
{
    struct http_rig f;
    struct buf heard;
    http_rig_start(&f, &plain);
    buf_init(&heard, 65536);
    close(rest(&f, 40));
    LOOP_WAIT(f.loop, http1_server_connections(f.server) == 0);
    int fd = rest(&f, 60000);
    http1_server_drain(f.server);
    LOOP_WAIT(f.loop, http_rig_hear(fd, &heard));
    close(fd);
    buf_fini(&heard);
    http_rig_stop(&f);
}

TEST(a_connection_that_rests_can_idle_too_long)
{
    struct http_rig f;
    struct buf heard;
    http_rig_start(&f, &(struct http1_server_options){.idle_ms = 20});
    buf_init(&heard, 65536);
    int fd = rest(&f, 60000);
    LOOP_WAIT(f.loop, http_rig_hear(fd, &heard));
    close(fd);
    buf_fini(&heard);
    http_rig_stop(&f);
}

TEST(a_handle_outlives_its_client)
{
    struct http_rig f;
    http_rig_start(&f, &plain);
    int fd = http_rig_dial(&f);
    http_rig_say(fd, SPAN_LIT("GET /hold HTTP/1.1\r\nHost: h\r\nX: y\r\n\r\n"));
    LOOP_WAIT(f.loop, f.held != NULL);
    const struct linger reset = {1, 0};
    CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
    close(fd);
    LOOP_WAIT(f.loop, f.cancelled == 1);
    struct span value;
    CHECK(!http1_exchange_alive(f.held));
    CHECK(http1_request_header(http1_exchange_request(f.held), "x", &value));
    CHECK(span_eq_str(value, "y"));
    CHECK_UEQ(http1_server_connections(f.server), 0);
    http_rig_reply(f.held, 200, "nobody hears");
    http_rig_stop(&f);
}

TEST(a_handle_outlives_its_server)
{
    struct http_rig f;
    http_rig_start(&f, &plain);
    int fd = http_rig_dial(&f);
    http_rig_say(fd, SPAN_LIT("GET /hold HTTP/1.1\r\nHost: h\r\n\r\n"));
    LOOP_WAIT(f.loop, f.held != NULL);
    http1_server_free(f.server);
    f.server = NULL;
    CHECK_UEQ(f.cancelled, 1);
    http_rig_reply(f.held, 200, "nobody hears");
    close(fd);
    http_rig_stop(&f);
}

TEST(a_client_that_ends_its_side_still_gets_its_answer)
{
    struct http_rig f;
    struct buf heard;
    http_rig_start(&f, &plain);
    buf_init(&heard, 65536);
    int fd = http_rig_dial(&f);
    http_rig_say(fd, SPAN_LIT("GET /hold HTTP/1.1\r\nHost: h\r\n\r\n"));
    CHECK_EQ(shutdown(fd, SHUT_WR), 0);
    LOOP_WAIT(f.loop, f.held != NULL);
    loop_run_once(f.loop, 5);
    CHECK_UEQ(f.cancelled, 0);
    http_rig_reply(f.held, 200, "still here");
    LOOP_WAIT(f.loop, http_rig_hear(fd, &heard));
    CHECK(http_rig_contains(buf_span(&heard), "still here"));
    close(fd);
    buf_fini(&heard);
    http_rig_stop(&f);
}

TEST(a_stream_comes_in_chunks)
{
    struct http_rig f;
    struct buf heard;
    http_rig_start(&f, &plain);
    buf_init(&heard, 65536);
    int fd = http_rig_dial(&f);
    http_rig_say(fd, SPAN_LIT("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n"));
    LOOP_WAIT(f.loop, http_rig_hears(fd, &heard, "chunked\r\n\r\n"));
    CHECK_OK(http1_stream_write(f.held, SPAN_LIT("0123456789abcdef!")));
    CHECK_OK(http1_stream_write(f.held, SPAN_NONE));
    LOOP_WAIT(f.loop, http_rig_hears(fd, &heard, "11\r\n0123456789abcdef!\r\n"));
    LOOP_WAIT(f.loop, f.drained > 0);
    http1_stream_end(f.held);
    http_rig_say(fd, SPAN_LIT("GET /b HTTP/1.1\r\nHost: h\r\n\r\n"));
    LOOP_WAIT(f.loop, http_rig_hears(fd, &heard, "<GET /b 0>"));
    CHECK(http_rig_contains(buf_span(&heard), "!\r\n0\r\n\r\nHTTP/1.1 200 OK"));
    CHECK_UEQ(f.cancelled, 0);
    close(fd);
    buf_fini(&heard);
    http_rig_stop(&f);
}

TEST(a_stream_to_an_old_client_ends_with_the_connection)
{
    struct http_rig f;
    struct buf heard;
    http_rig_start(&f, &plain);
    buf_init(&heard, 65536);
    int fd = http_rig_dial(&f);
    http_rig_say(fd, SPAN_LIT("GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
    LOOP_WAIT(f.loop, f.held != NULL);
    CHECK_OK(http1_stream_write(f.held, SPAN_LIT("data")));
    http1_stream_end(f.held);
    LOOP_WAIT(f.loop, http_rig_hear(fd, &heard));
    CHECK(http_rig_contains(buf_span(&heard), "Connection: close\r\n\r\ndata"));
    CHECK(!http_rig_contains(buf_span(&heard), "chunked"));
    close(fd);
    buf_fini(&heard);
    http_rig_stop(&f);
}

TEST(a_stream_that_nobody_reads_fills_up_and_is_refused)
{
    struct http_rig f;
    static char block[60000];
    http_rig_start(&f, &(struct http1_server_options){.stream_out_max = 200000});
    int fd = http_rig_dial(&f);
    http_rig_say(fd, SPAN_LIT("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n"));
    LOOP_WAIT(f.loop, f.held != NULL);
    enum err err = ERR_OK;
    for (int i = 0; i < 10000 && err == ERR_OK; i++) {
        err = http1_stream_write(f.held, span_of(block, sizeof(block)));
        loop_run_once(f.loop, 0);
    }
    CHECK_EQ(err, ERR_FULL);
    CHECK(http1_stream_out_len(f.held) <= 200000);
    CHECK(http1_stream_out_len(f.held) > 200000 - sizeof(block) - 100);
    close(fd);
    LOOP_WAIT(f.loop, f.cancelled == 1);
    CHECK_EQ(http1_stream_write(f.held, SPAN_LIT("x")), ERR_CLOSED);
    http1_stream_end(f.held);
    http_rig_stop(&f);
}

TEST(a_stream_is_cancelled_when_its_client_goes)
{
    struct http_rig f;
    http_rig_start(&f, &plain);
    int fd = http_rig_dial(&f);
    http_rig_say(fd, SPAN_LIT("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n"));
    LOOP_WAIT(f.loop, f.held != NULL);
    close(fd);
    LOOP_WAIT(f.loop, f.cancelled == 1);
    http1_stream_end(f.held);
    http_rig_stop(&f);
}

TEST(a_header_value_cannot_end_its_line)
{
    struct http_rig f;
    struct buf heard;
    http_rig_start(&f, &plain);
    buf_init(&heard, 65536);
    int fd = http_rig_dial(&f);
    http_rig_say(fd, SPAN_LIT("GET /hold HTTP/1.1\r\nHost: h\r\n\r\n"));
    LOOP_WAIT(f.loop, f.held != NULL);
    const struct http1_header header = {SPAN_LIT("Location"), SPAN_LIT("/a\r\nEvil: 1")};
    const struct http1_response response = {.status = 204, .headers = &header, .header_count = 1};
    http1_respond(f.held, &response);
    LOOP_WAIT(f.loop, http_rig_hears(fd, &heard, "\r\n\r\n"));
    CHECK(http_rig_contains(buf_span(&heard), "Location: /a??Evil: 1\r\n"));
    CHECK_UEQ(occurrences(&heard, "Content-Length"), 0);
    close(fd);
    buf_fini(&heard);
    http_rig_stop(&f);
}

SUITE("base/http1_exchange", T(an_answer_may_come_later_and_the_next_request_waits_for_it),
      T(a_connection_that_rests_is_not_read_and_the_others_are),
      T(a_connection_that_rests_ends_when_its_client_has_gone_or_the_server_is_drained),
      T(a_connection_that_rests_can_idle_too_long), T(a_handle_outlives_its_client),
      T(a_handle_outlives_its_server), T(a_client_that_ends_its_side_still_gets_its_answer),
      T(a_stream_comes_in_chunks), T(a_stream_to_an_old_client_ends_with_the_connection),
      T(a_stream_that_nobody_reads_fills_up_and_is_refused),
      T(a_stream_is_cancelled_when_its_client_goes), T(a_header_value_cannot_end_its_line));
