// SPDX-License-Identifier: Apache-2.0
// The HTTP server over real sockets, spoken to in raw bytes: one loop runs the server, the test's own
// non-blocking socket is the client.
#include "tests/contract/http_rig.h"
#include "tests/lib/failalloc.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct http1_server_options plain = {.header_ms = 0};

TEST(requests_are_answered)
{
    static const struct {
        const char *bytes, *until, *head; // NULL: until the end of the connection
    } rows[] = {
        {"GET /a HTTP/1.1\r\nHost: h\r\n\r\n", "<GET /a 0>", "Content-Length: 10\r\n"},
        {"GET /a HTTP/1.0\r\n\r\n", NULL, "Connection: close\r\n"},
        {"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "<GET", "keep-alive\r\n"},
        {"GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", NULL, "close\r\n"},
        {"PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi", "<PUT /a 2>", "200 OK"},
        {"FOO /a HTTP/1.1\r\nHost: h\r\n\r\n", "<FOO /a 0>", "200 OK"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct http_rig f;
        struct buf heard;
        http_rig_start(&f, &plain);
        buf_init(&heard, 65536);
        http_rig_converse(&f, span_str(rows[i].bytes), rows[i].until, &heard);
        ck_assert_msg(http_rig_contains(buf_span(&heard), rows[i].head), "%s", buf_cstr(&heard));
        CHECK_UEQ(f.answered, 1);
        buf_fini(&heard);
        http_rig_stop(&f);
    }
}

TEST(head_gets_the_header_alone)
{
    struct http_rig f;
    struct buf heard;
    http_rig_start(&f, &plain);
    buf_init(&heard, 65536);
    http_rig_converse(&f,
                      SPAN_LIT("HEAD /abc HTTP/1.1\r\nHost: h\r\n\r\n"
                               "HEAD /stream HTTP/1.1\r\nHost: h\r\n\r\n"),
                      "chunked\r\n\r\n", &heard);
    CHECK(http_rig_contains(buf_span(&heard), "Content-Length: 13\r\n"));
    CHECK(!http_rig_contains(buf_span(&heard), "<HEAD"));
    CHECK_OK(http1_stream_write(f.held, SPAN_LIT("nothing of this is sent")));
    http1_stream_end(f.held);
    buf_fini(&heard);
    http_rig_stop(&f);
}

TEST(pipelined_requests_are_answered_in_order)
{
    struct http_rig f;
    struct buf heard;
    struct buf said;
    http_rig_start(&f, &plain);
    buf_init(&heard, 1 << 20);
    buf_init(&said, 1 << 20);
    for (int i = 0; i < 200; i++) {
        buf_printf(&said, "GET /%d HTTP/1.1\r\nHost: h\r\n\r\n", i);
    }
    http_rig_converse(&f, buf_span(&said), "<GET /199 0>", &heard);
    CHECK_UEQ(f.handled, 200);
    const char *at = buf_cstr(&heard);
    for (int i = 0; i < 200; i++) {
        char wanted[32];
        (void)snprintf(wanted, sizeof(wanted), "<GET /%d 0>", i);
        at = strstr(at, wanted);
        CHECK(at != NULL);
    }
    buf_fini(&said);
    buf_fini(&heard);
    http_rig_stop(&f);
}

TEST(malformed_requests_get_a_problem_and_the_end)
{
    static const struct {
        const char *bytes, *code;
        unsigned status;
    } rows[] = {
        {"GET / HTTP/1.1\nHost: h\n\n", "\"code\":\"bad_request\"", 400},
        {"GET / HTTP/1.1\r\n\r\n", "\"type\":\"urn:meshpulse:problem:bad_request\"", 400},
        {"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1048577\r\n\r\n", "\"too_large\"", 413},
        {"PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nx", "\"bad_request\"",
         400},
        {"\x16\x03\x01", "\"bad_request\"", 400},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct http_rig f;
        struct buf heard;
        char line[32];
        http_rig_start(&f, &plain);
        buf_init(&heard, 65536);
        http_rig_converse(&f, span_str(rows[i].bytes), NULL, &heard);
        (void)snprintf(line, sizeof(line), "HTTP/1.1 %u ", rows[i].status);
        CHECK(strncmp(buf_cstr(&heard), line, strlen(line)) == 0);
        CHECK(http_rig_contains(buf_span(&heard), "Content-Type: application/problem+json\r\n"));
        CHECK(http_rig_contains(buf_span(&heard), "Connection: close\r\n"));
        CHECK(http_rig_contains(buf_span(&heard), rows[i].code));
        CHECK_UEQ(f.handled, 0);
        CHECK_UEQ(f.last_status, rows[i].status);
        buf_fini(&heard);
        http_rig_stop(&f);
    }
}

TEST(the_answer_to_a_refused_body_is_read_before_the_end)
{
    struct http_rig f;
    struct buf heard;
    struct buf said;
    http_rig_start(&f, &plain);
    buf_init(&heard, 65536);
    buf_init(&said, 65536);
    buf_str(&said, "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 2000000\r\n\r\n");
    while (said.len < 40000) { // still in flight when the answer is made
        buf_byte(&said, 'x');
    }
    http_rig_converse(&f, buf_span(&said), "too_large", &heard);
    buf_fini(&said);
    buf_fini(&heard);
    http_rig_stop(&f);
}

TEST(expect_is_answered_before_the_body)
{
    struct http_rig f;
    struct buf heard;
    http_rig_start(&f, &plain);
    buf_init(&heard, 65536);
    int fd = http_rig_dial(&f);
    http_rig_say(fd, SPAN_LIT("PUT /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
                              "Content-Length: 2\r\n\r\n"));
    LOOP_WAIT(f.loop, http_rig_hears(fd, &heard, "HTTP/1.1 100 Continue\r\n\r\n"));
    http_rig_say(fd, SPAN_LIT("hi"));
    LOOP_WAIT(f.loop, http_rig_hears(fd, &heard, "<PUT /a 2>"));
    close(fd);
    buf_fini(&heard);
    http_rig_stop(&f);
}

TEST(deadlines_are_totals)
{
    static const struct {
        const char *said;
        struct http1_server_options options;
    } rows[] = {
        {"", {.header_ms = 30}},
        {"GET / HT", {.header_ms = 30}},
        {"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhi", {.body_ms = 30}},
        {"GET / HTTP/1.1\r\nHost: h\r\n\r\n", {.idle_ms = 30}},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct http_rig f;
        struct buf heard;
        http_rig_start(&f, &rows[i].options);
        buf_init(&heard, 65536);
        http_rig_converse(&f, span_str(rows[i].said), NULL, &heard);
        buf_fini(&heard);
        http_rig_stop(&f);
    }
}

TEST(a_header_that_drips_is_cut_all_the_same)
{
    struct http_rig f;
    struct buf heard;
    http_rig_start(&f, &(struct http1_server_options){.header_ms = 60});
    buf_init(&heard, 65536);
    int fd = http_rig_dial(&f);
    bool ended = false;
    unsigned dripped = 0;
    http_rig_say(fd, SPAN_LIT("GET / HTTP/1.1\r\nX: "));
    const struct mono end = mono_add_ms(loop_now(f.loop), 10000);
    while (!ended && loop_now(f.loop).us < end.us) {
        dripped += send(fd, "y", 1, MSG_NOSIGNAL) == 1;
        loop_run_once(f.loop, 5);
        ended = http_rig_hear(fd, &heard);
    }
    CHECK(ended);
    CHECK(dripped > 3);
    close(fd);
    buf_fini(&heard);
    http_rig_stop(&f);
}

TEST(connections_over_the_ceiling_get_503)
{
    struct http_rig f;
    struct buf heard;
    http_rig_start(&f, &(struct http1_server_options){.connections_max = 2});
    buf_init(&heard, 65536);
    int a = http_rig_dial(&f);
    int b = http_rig_dial(&f);
    LOOP_WAIT(f.loop, http1_server_connections(f.server) == 2);
    int c = http_rig_dial(&f);
    LOOP_WAIT(f.loop, http_rig_hear(c, &heard));
    CHECK(http_rig_contains(buf_span(&heard), "HTTP/1.1 503 "));
    CHECK(http_rig_contains(buf_span(&heard), "Retry-After: "));
    CHECK(http_rig_contains(buf_span(&heard), "application/problem+json"));
    CHECK_UEQ(http1_server_connections(f.server), 2);
    close(c);
    close(a);
    LOOP_WAIT(f.loop, http1_server_connections(f.server) == 1);
    buf_reset(&heard);
    http_rig_converse(&f, SPAN_LIT("GET /a HTTP/1.1\r\nHost: h\r\n\r\n"), "<GET /a 0>", &heard);
    close(b);
    buf_fini(&heard);
    http_rig_stop(&f);
}

TEST(output_that_waits_holds_the_next_request_back)
{
    struct http_rig f;
    static char said[] = "GET /hold HTTP/1.1\r\nHost: h\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n";
    char *body = calloc(1, 12 << 20);
    struct buf heard;
    http_rig_start(&f, &plain);
    buf_init(&heard, 64 << 20);
    CHECK(body != NULL);
    int fd = http_rig_dial(&f);
    http_rig_say(fd, span_str(said));
    LOOP_WAIT(f.loop, f.held != NULL);
    const struct http1_response response = {.status = 200, .body = span_of(body, 12 << 20)};
    http1_respond(f.held, &response);
    for (int i = 0; i < 20; i++) {
        loop_run_once(f.loop, 1);
    }
    CHECK_UEQ(f.handled, 1);
    LOOP_WAIT(f.loop, !http_rig_hear(fd, &heard) && heard.len > 12 << 20);
    LOOP_WAIT(f.loop, http_rig_hears(fd, &heard, "<GET /b 0>"));
    CHECK_UEQ(f.handled, 2);
    free(body);
    close(fd);
    buf_fini(&heard);
    http_rig_stop(&f);
}

TEST(draining_lets_answers_end_and_closes_the_idle)
{
    struct http_rig f;
    struct buf idle_heard;
    struct buf busy_heard;
    http_rig_start(&f, &plain);
    buf_init(&idle_heard, 65536);
    buf_init(&busy_heard, 65536);
    int idle = http_rig_dial(&f);
    http_rig_say(idle, SPAN_LIT("GET /a HTTP/1.1\r\nHost: h\r\n\r\n"));
    LOOP_WAIT(f.loop, http_rig_hears(idle, &idle_heard, "<GET /a 0>"));
    int busy = http_rig_dial(&f);
    http_rig_say(busy, SPAN_LIT("GET /hold HTTP/1.1\r\nHost: h\r\n\r\n"));
    LOOP_WAIT(f.loop, f.held != NULL);
    http1_server_drain(f.server);
    LOOP_WAIT(f.loop, http_rig_hear(idle, &idle_heard));
    CHECK(!http_rig_hear(busy, &busy_heard));
    http_rig_reply(f.held, 200, "done");
    LOOP_WAIT(f.loop, http_rig_hear(busy, &busy_heard));
    CHECK(http_rig_contains(buf_span(&busy_heard), "Connection: close\r\n"));
    close(idle);
    close(busy);
    LOOP_WAIT(f.loop, http1_server_connections(f.server) == 0);
    buf_fini(&idle_heard);
    buf_fini(&busy_heard);
    http_rig_stop(&f);
}

TEST(a_unix_listener_knows_its_peer)
{
    struct http_rig f;
    struct http1_listener *listener = NULL;
    struct http1_listen_options options = {.unix_mode = 0600};
    char path[] = "/tmp/mp-http-XXXXXX";
    CHECK(mkdtemp(path) != NULL);
    char socket_path[64];
    (void)snprintf(socket_path, sizeof(socket_path), "%s/s", path);
    http_rig_start(&f, &plain);
    CHECK_OK(address_unix(span_str(socket_path), &options.address));
    CHECK_OK(http1_server_listen(f.server, &options, &listener));
    const void *bytes = &options.address.storage;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_EQ(connect(fd, bytes, options.address.len), 0);
    http_rig_say(fd, SPAN_LIT("GET /hold HTTP/1.1\r\nHost: h\r\n\r\n"));
    LOOP_WAIT(f.loop, f.held != NULL);
    CHECK(http1_exchange_listener(f.held)->is_unix);
    CHECK(http1_exchange_listener(f.held)->is_loopback);
    CHECK(http1_exchange_peer(f.held)->has_uid);
    CHECK_UEQ(http1_exchange_peer(f.held)->uid, getuid());
    http_rig_reply(f.held, 200, "");
    close(fd);
    http_rig_stop(&f);
    CHECK_EQ(access(socket_path, F_OK), -1);
    CHECK_EQ(rmdir(path), 0);
}

// A whole exchange; the client sees an answer or the end, never a hang.
static bool walk(void *arg)
{
    (void)arg;
    struct loop *loop = NULL;
    struct http1_server *server = NULL;
    struct http1_listener *listener = NULL;
    struct http_rig f = {.handled = 0};
    const struct http1_server_options options = {.handler = http_rig_handler, .arg = &f};
    struct http1_listen_options listen_options = {.user = NULL};
    bool good = address_parse(SPAN_LIT("127.0.0.1:0"), &listen_options.address) == ERR_OK &&
                loop_new(&loop) == ERR_OK && http1_server_new(loop, &options, &server) == ERR_OK &&
                http1_server_listen(server, &listen_options, &listener) == ERR_OK;
    if (good) {
        const struct address *address = http1_listener_address(listener);
        const void *bytes = &address->storage;
        char block[512];
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        ssize_t len = -1;
        good = fd >= 0 && connect(fd, bytes, address->len) == 0 &&
               send(fd, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", 28, MSG_NOSIGNAL) == 28;
        for (int i = 0; good && i < 100 && len < 0; i++) {
            loop_run_once(loop, 10);
            len = recv(fd, block, sizeof(block), MSG_DONTWAIT);
            len = len < 0 && errno != EAGAIN ? 0 : len; // a reset is an end, too
        }
        good = good && len > 0;
        close(fd);
    }
    http1_server_free(server);
    loop_free(loop);
    return good;
}

TEST(every_allocation_may_fail)
{
    CHECK(failalloc_each(walk, NULL) >= 10);
}

SUITE("base/http1_server", T(requests_are_answered), T(head_gets_the_header_alone),
      T(pipelined_requests_are_answered_in_order), T(malformed_requests_get_a_problem_and_the_end),
      T(the_answer_to_a_refused_body_is_read_before_the_end), T(expect_is_answered_before_the_body),
      T(deadlines_are_totals), T(a_header_that_drips_is_cut_all_the_same),
      T(connections_over_the_ceiling_get_503), T(output_that_waits_holds_the_next_request_back),
      T(draining_lets_answers_end_and_closes_the_idle), T(a_unix_listener_knows_its_peer),
      T(every_allocation_may_fail));
