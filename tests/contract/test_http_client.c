// SPDX-License-Identifier: Apache-2.0
// The HTTP client against a peer that says whatever the row tells it to, and against our own server over
// TLS and a unix socket.
#include "base/http1_server.h"
#include "base/http_client.h"
#include "base/listener.h"
#include "base/loop.h"
#include "base/tls.h"
#include "tests/contract/certificates.h"
#include "tests/contract/http_rig.h"
#include "tests/lib/failalloc.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

struct fixture {
    struct loop *loop;
    struct http_client *client;
    struct listener *listener;
    struct address address;
    struct span answer; // what the peer says to every connection
    bool hangs;         // it does not close behind that
    int held;           // the hanging connection; -1: none
    unsigned accepted, done;
    struct http_client_result result;
    char text[256], body[256];
};

static void on_accept(void *arg, int fd, const struct address *peer)
{
    struct fixture *f = arg;
    (void)peer;
    f->accepted++;
    if (f->answer.len > 0) {
        CHECK_EQ(send(fd, f->answer.ptr, f->answer.len, MSG_NOSIGNAL), (ssize_t)f->answer.len);
    }
    if (f->hangs) {
        f->held = fd;
        return;
    }
    (void)shutdown(fd, SHUT_WR); // not close: unread input would make that a reset
    f->held = fd;
}

static void on_done(void *arg, const struct http_client_result *result)
{
    struct fixture *f = arg;
    f->done++;
    f->result = *result;
    (void)snprintf(f->text, sizeof(f->text), "%s", result->text);
    (void)snprintf(f->body, sizeof(f->body), "%.*s", (int)(result->body.len % 256),
                   result->body.len == 0 ? "" : result->body.ptr);
}

static void start(struct fixture *f)
{
    memset(f, 0, sizeof(*f));
    f->held = -1;
    CHECK_OK(loop_new(&f->loop));
    CHECK_OK(http_client_new(f->loop, &f->client));
    struct listener_options options = {.on_accept = on_accept, .arg = f};
    CHECK_OK(address_parse(SPAN_LIT("127.0.0.1:0"), &options.address));
    CHECK_OK(listener_new(f->loop, &options, &f->listener));
    f->address = *listener_address(f->listener);
}

static void stop(struct fixture *f)
{
    http_client_free(f->client);
    listener_free(f->listener);
    loop_free(f->loop);
    if (f->held >= 0) {
        close(f->held);
    }
}

static struct http_client_request plain_request(struct fixture *f)
{
    return (struct http_client_request){
        .address = f->address, .path = "/healthz", .timeout_ms = 5000, .done = on_done, .arg = f};
}

static void get(struct fixture *f, const struct http_client_request *request)
{
    struct http_client_call *call = NULL;
    f->done = 0;
    CHECK_OK(http_client_get(f->client, request, &call));
    CHECK_UEQ(f->done, 0); // never from inside
    LOOP_WAIT(f->loop, f->done == 1);
}

TEST(each_answer_has_its_outcome)
{
    static const struct {
        const char *answer;
        enum http_client_outcome outcome;
        unsigned status;
        const char *body;
    } rows[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", HTTP_CLIENT_OK, 200, "ok"},
        {"HTTP/1.0 200 OK\r\n\r\nuntil the end", HTTP_CLIENT_OK, 200, "until the end"},
        {"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", HTTP_CLIENT_OK, 503, ""},
        {"HTTP/1.1 302 Go\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
         HTTP_CLIENT_OK, 302, ""},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
         HTTP_CLIENT_OK, 200, "ok"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", HTTP_CLIENT_CLOSED, 0, ""},
        {"", HTTP_CLIENT_CLOSED, 0, ""},
        {"SSH-2.0-OpenSSH_9.2\r\n", HTTP_CLIENT_INVALID, 0, ""},
        {"garbage\r\n\r\n", HTTP_CLIENT_INVALID, 0, ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fixture f;
        start(&f);
        f.answer = span_str(rows[i].answer);
        struct http_client_request request = plain_request(&f);
        get(&f, &request);
        ck_assert_msg(f.result.outcome == rows[i].outcome, "row %zu: outcome %d, %s", i,
                      (int)f.result.outcome, f.text);
        CHECK_UEQ(f.result.status, rows[i].status);
        CHECK_STR(f.body, rows[i].body);
        CHECK(rows[i].outcome == HTTP_CLIENT_OK || f.text[0] != 0);
        CHECK_UEQ(f.accepted, 1);
        CHECK(f.result.latency_us < 5000000);
        stop(&f);
    }
}

TEST(nobody_there_is_refused)
{
    struct fixture f;
    start(&f);
    listener_free(f.listener);
    f.listener = NULL;
    struct http_client_request request = plain_request(&f);
    get(&f, &request);
    CHECK_EQ(f.result.outcome, HTTP_CLIENT_REFUSED);
    stop(&f);
}

TEST(silence_ends_by_the_timeout)
{
    static const char *const answers[] = {"", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok"};
    for (size_t i = 0; i < 2; i++) {
        struct fixture f;
        start(&f);
        f.answer = span_str(answers[i]);
        f.hangs = true;
        struct http_client_request request = plain_request(&f);
        request.timeout_ms = 50;
        get(&f, &request);
        CHECK_EQ(f.result.outcome, HTTP_CLIENT_RESPONSE_TIMEOUT);
        CHECK(f.result.latency_us >= 50000);
        stop(&f);
    }
}

// A backlog that is full drops what comes: nothing answers the SYN.
TEST(a_connection_that_never_comes_ends_by_the_timeout)
{
    struct fixture f;
    start(&f);
    int listening = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_OK(address_parse(SPAN_LIT("127.0.0.1:0"), &f.address));
    void *bytes = &f.address.storage;
    CHECK_EQ(bind(listening, bytes, f.address.len), 0);
    CHECK_EQ(getsockname(listening, bytes, &f.address.len), 0);
    CHECK_EQ(listen(listening, 0), 0);
    int fillers[4];
    for (size_t i = 0; i < 4; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(fillers[i], bytes, f.address.len);
    }
    struct http_client_request request = plain_request(&f);
    request.timeout_ms = 100;
    get(&f, &request);
    CHECK_EQ(f.result.outcome, HTTP_CLIENT_CONNECT_TIMEOUT);
    for (size_t i = 0; i < 4; i++) {
        close(fillers[i]);
    }
    close(listening);
    stop(&f);
}

TEST(a_long_body_is_cut)
{
    struct fixture f;
    start(&f);
    f.answer = SPAN_LIT("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n0123456789abcdef");
    f.hangs = true;
    struct http_client_request request = plain_request(&f);
    request.body_max = 10;
    get(&f, &request);
    CHECK_EQ(f.result.outcome, HTTP_CLIENT_OK);
    CHECK_UEQ(f.result.status, 200);
    CHECK(f.result.truncated);
    CHECK_STR(f.body, "0123456789");
    stop(&f);
}

TEST(the_request_says_host_and_path_as_given)
{
    struct fixture f;
    char block[1024];
    start(&f);
    f.hangs = true;
    struct http_client_request request = plain_request(&f);
    request.host = "pay.example:8080";
    request.path = "/a/../b?c=%20";
    request.timeout_ms = 100;
    get(&f, &request);
    ssize_t len = recv(f.held, block, sizeof(block) - 1, MSG_DONTWAIT);
    CHECK_INT(len, gt, 0);
    block[len] = 0;
    CHECK(strncmp(block, "GET /a/../b?c=%20 HTTP/1.1\r\n", 28) == 0);
    CHECK(strstr(block, "Host: pay.example:8080\r\n") != NULL);
    CHECK(strstr(block, "User-Agent: meshpulse/") != NULL);
    stop(&f);
}

TEST(requests_that_could_be_read_as_two_are_refused)
{
    static const struct {
        const char *host, *path;
        int64_t timeout_ms;
    } rows[] = {
        {"", "healthz", 1}, {"", "/a b", 1},       {"", "/a\r\nX: y", 1},
        {"", "/a#b", 1},    {"h\r\nX: y", "/", 1}, {"h@evil", "/", 1},
        {"h/evil", "/", 1}, {"h evil", "/", 1},    {"", "/", 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fixture f;
        struct http_client_call *call = NULL;
        start(&f);
        struct http_client_request request = plain_request(&f);
        request.host = rows[i].host;
        request.path = rows[i].path;
        request.timeout_ms = rows[i].timeout_ms;
        CHECK_EQ(http_client_get(f.client, &request, &call), ERR_INVALID);
        stop(&f);
    }
}

TEST(a_cancelled_call_is_not_answered)
{
    struct fixture f;
    struct http_client_call *call = NULL;
    start(&f);
    f.hangs = true;
    struct http_client_request request = plain_request(&f);
    request.timeout_ms = 20;
    CHECK_OK(http_client_get(f.client, &request, &call));
    LOOP_WAIT(f.loop, f.accepted == 1);
    http_client_cancel(call);
    for (int i = 0; i < 5; i++) {
        loop_run_once(f.loop, 10);
    }
    CHECK_UEQ(f.done, 0);
    CHECK_OK(http_client_get(f.client, &request, &call));
    stop(&f); // an open call goes with its client
    CHECK_UEQ(f.done, 0);
}

TEST(many_calls_run_at_once)
{
    struct http_rig rig;
    struct fixture f;
    struct http_client_call *call = NULL;
    const struct http1_server_options options = {.header_ms = 0};
    http_rig_start(&rig, &options);
    memset(&f, 0, sizeof(f));
    f.held = -1;
    f.loop = rig.loop;
    f.address = *http1_listener_address(rig.listener);
    CHECK_OK(http_client_new(rig.loop, &f.client));
    struct http_client_request request = plain_request(&f);
    for (int i = 0; i < 200; i++) {
        CHECK_OK(http_client_get(f.client, &request, &call));
    }
    LOOP_WAIT(rig.loop, f.done == 200);
    CHECK_EQ(f.result.outcome, HTTP_CLIENT_OK);
    CHECK_STR(f.body, "<GET /healthz 0>");
    CHECK_UEQ(rig.handled, 200);
    http_client_free(f.client);
    http_rig_stop(&rig);
}

TEST(no_connection_is_kept)
{
    struct http_rig rig;
    struct fixture f;
    const struct http1_server_options options = {.header_ms = 0};
    http_rig_start(&rig, &options);
    memset(&f, 0, sizeof(f));
    f.held = -1;
    f.loop = rig.loop;
    f.address = *http1_listener_address(rig.listener);
    CHECK_OK(http_client_new(rig.loop, &f.client));
    struct http_client_request request = plain_request(&f);
    for (unsigned i = 1; i <= 3; i++) {
        get(&f, &request);
        CHECK_UEQ(rig.handled, i);
        LOOP_WAIT(rig.loop, http1_server_connections(rig.server) == 0); // long before it idles
    }
    http_client_free(f.client);
    http_rig_stop(&rig);
}

static enum http_client_outcome over_tls(const struct certificates *c, const char *host,
                                         const char *ca_file, bool insecure)
{
    struct http_rig rig;
    struct fixture f;
    struct tls_context *tls = NULL;
    char text[TLS_TEXT_LEN];
    const struct http1_server_options options = {.header_ms = 0};
    const struct tls_options tls_options = {.server = true, .cert_file = c->server};
    http_rig_start(&rig, &options);
    CHECK_OK(tls_context_new(&tls_options, text, &tls));
    http1_listener_set_tls(rig.listener, tls);
    tls_context_free(tls);
    memset(&f, 0, sizeof(f));
    f.loop = rig.loop;
    f.address = *http1_listener_address(rig.listener);
    CHECK_OK(http_client_new(rig.loop, &f.client));
    struct http_client_request request = plain_request(&f);
    request.tls = true;
    request.host = host;
    request.ca_file = ca_file;
    request.insecure = insecure;
    get(&f, &request);
    CHECK(f.result.outcome != HTTP_CLIENT_OK || strcmp(f.body, "<GET /healthz 0>") == 0);
    http_client_free(f.client);
    http_rig_stop(&rig);
    return f.result.outcome;
}

TEST(a_server_is_verified_unless_told_otherwise)
{
    struct certificates c;
    certificates_make(&c);
    CHECK_EQ(over_tls(&c, "server.test", c.ca, false), HTTP_CLIENT_OK);
    CHECK_EQ(over_tls(&c, "server.test:8443", c.ca, false), HTTP_CLIENT_OK);
    CHECK_EQ(over_tls(&c, NULL, c.ca, false), HTTP_CLIENT_OK); // by its address
    CHECK_EQ(over_tls(&c, "other.test", c.ca, false), HTTP_CLIENT_TLS_FAILED);
    CHECK_EQ(over_tls(&c, "server.test", NULL, false), HTTP_CLIENT_TLS_FAILED);
    CHECK_EQ(over_tls(&c, "other.test", NULL, true), HTTP_CLIENT_OK);
    certificates_remove(&c);
}

TEST(a_plain_peer_behind_https_fails_in_tls)
{
    struct fixture f;
    start(&f);
    f.answer = SPAN_LIT("HTTP/1.1 400 Bad Request\r\n\r\n");
    struct http_client_request request = plain_request(&f);
    request.tls = true;
    get(&f, &request);
    CHECK_EQ(f.result.outcome, HTTP_CLIENT_TLS_FAILED);
    stop(&f);
}

struct walked {
    struct loop *loop;
    struct address address;
};

static void ignore(void *arg, const struct http_client_result *result)
{
    (void)arg;
    (void)result;
}

static bool walk(void *arg)
{
    struct walked *walked = arg;
    struct http_client *client = NULL;
    struct http_client_call *call = NULL;
    const struct http_client_request request = {
        .address = walked->address, .path = "/", .host = "h", .timeout_ms = 1000, .done = ignore};
    enum err err = http_client_new(walked->loop, &client);
    if (err == ERR_OK) {
        err = http_client_get(client, &request, &call);
    }
    http_client_free(client);
    return err == ERR_OK;
}

TEST(every_allocation_may_fail)
{
    struct walked walked;
    CHECK_OK(loop_new(&walked.loop));
    CHECK_OK(address_parse(SPAN_LIT("127.0.0.1:9"), &walked.address));
    CHECK(walk(&walked)); // libcurl's own first use apart
    CHECK(failalloc_each(walk, &walked) >= 10);
    loop_free(walked.loop);
}

SUITE("base/http_client", T(each_answer_has_its_outcome), T(nobody_there_is_refused),
      T(silence_ends_by_the_timeout), T(a_connection_that_never_comes_ends_by_the_timeout),
      T(a_long_body_is_cut), T(the_request_says_host_and_path_as_given),
      T(requests_that_could_be_read_as_two_are_refused), T(a_cancelled_call_is_not_answered),
      T(many_calls_run_at_once), T(no_connection_is_kept),
      T(a_server_is_verified_unless_told_otherwise), T(a_plain_peer_behind_https_fails_in_tls),
      T(every_allocation_may_fail));
