// SPDX-License-Identifier: Apache-2.0
// Two ends of a stream on one loop, over TCP, a unix socket and TLS: every test of behaviour runs over all
// three.  One end accepts, the other connects.
#include "base/buf.h"
#include "base/conn.h"
#include "base/listener.h"
#include "base/tls.h"
#include "tests/contract/certificates.h"
#include "tests/lib/failalloc.h"
#include "tests/lib/loop_wait.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum transport { OVER_TCP, OVER_UNIX, OVER_TLS, TRANSPORTS };

// What one end has seen.
struct end {
    struct conn *conn;
    struct buf seen;
    unsigned opened, drained, eofs, closed;
    enum err err;
    char text[128];
    bool greedy;        // consumes what comes
    bool close_on_data; // closes inside on_data
};

struct fixture {
    struct loop *loop;
    struct listener *listener;
    struct tls_context *server_tls, *client_tls;
    struct certificates certificates;
    struct conn_options client_options, server_options;
    struct end client, server;
    struct address address;
};

static void on_open(void *arg)
{
    struct end *end = arg;
    end->opened++;
}

static void on_data(void *arg)
{
    struct end *end = arg;
    if (end->close_on_data) {
        conn_close(end->conn);
        end->conn = NULL;
        return;
    }
    if (end->greedy) {
        struct span input = conn_input(end->conn);
        buf_put(&end->seen, input);
        conn_consume(end->conn, input.len);
    }
}

static void on_drain(void *arg)
{
    struct end *end = arg;
    end->drained++;
}

static void on_eof(void *arg)
{
    struct end *end = arg;
    end->eofs++;
}

static void on_close(void *arg, enum err err, const char *text)
{
    struct end *end = arg;
    end->closed++;
    end->err = err;
    (void)snprintf(end->text, sizeof(end->text), "%s", text);
    conn_close(end->conn);
    end->conn = NULL;
}

static const struct conn_handlers handlers = {on_open, on_data, on_drain, on_eof, on_close};
static const struct conn_handlers no_eof = {on_open, on_data, on_drain, NULL, on_close};

static void on_accept(void *arg, int fd, const struct address *peer)
{
    struct fixture *f = arg;
    (void)peer;
    CHECK(f->server.conn == NULL);
    CHECK_OK(conn_accept(f->loop, fd, &f->server_options, &f->server.conn));
}

static void init_end(struct end *end)
{
    memset(end, 0, sizeof(*end));
    buf_init(&end->seen, 1 << 24);
    end->greedy = true;
}

static struct tls_context *tls(const struct tls_options *options)
{
    struct tls_context *context = NULL;
    char text[TLS_TEXT_LEN];
    enum err err = tls_context_new(options, text, &context);
    ck_assert_msg(err == ERR_OK, "%s", text);
    return context;
}

static void start(struct fixture *f, enum transport transport)
{
    memset(f, 0, sizeof(*f));
    CHECK_OK(loop_new(&f->loop));
    init_end(&f->client);
    init_end(&f->server);
    f->client_options = (struct conn_options){.handlers = &handlers, .arg = &f->client};
    f->server_options = (struct conn_options){.handlers = &handlers, .arg = &f->server};
    certificates_make(&f->certificates);
    struct listener_options options = {.on_accept = on_accept, .arg = f};
    if (transport == OVER_UNIX) {
        char path[64];
        (void)snprintf(path, sizeof(path), "%s/s.sock", f->certificates.dir);
        CHECK_OK(address_unix(span_str(path), &options.address));
    } else {
        CHECK_OK(address_parse(SPAN_LIT("127.0.0.1:0"), &options.address));
    }
    if (transport == OVER_TLS) {
        f->server_tls = tls(&(struct tls_options){.server = true,
                                                  .cert_file = f->certificates.server,
                                                  .ca_file = f->certificates.ca,
                                                  .client_cert_optional = true,
                                                  .alpn = "h2"});
        f->client_tls = tls(&(struct tls_options){.ca_file = f->certificates.ca, .alpn = "h2"});
        f->client_options.tls = f->client_tls;
        f->client_options.tls_name = "server.test";
        f->server_options.tls = f->server_tls;
    }
    CHECK_OK(listener_new(f->loop, &options, &f->listener));
    f->address = *listener_address(f->listener);
}

static void stop(struct fixture *f)
{
    conn_close(f->client.conn);
    conn_close(f->server.conn);
    listener_free(f->listener);
    tls_context_free(f->client_tls);
    tls_context_free(f->server_tls);
    loop_free(f->loop);
    buf_fini(&f->client.seen);
    buf_fini(&f->server.seen);
    certificates_remove(&f->certificates);
}

static void open_both(struct fixture *f)
{
    CHECK_OK(conn_connect(f->loop, &f->address, &f->client_options, &f->client.conn));
    CHECK_UEQ(f->client.opened, 0); // never from inside
    LOOP_WAIT(f->loop, f->client.opened == 1 && f->server.opened == 1);
    CHECK(conn_is_open(f->client.conn) && conn_is_open(f->server.conn));
}

static void send_text(struct end *end, const char *text)
{
    CHECK_OK(conn_write(end->conn, span_str(text)));
}

static void bytes_arrive(enum transport transport)
{
    struct fixture f;
    start(&f, transport);
    open_both(&f);
    send_text(&f.client, "question");
    LOOP_WAIT(f.loop, span_eq_str(buf_span(&f.server.seen), "question"));
    send_text(&f.server, "ans");
    send_text(&f.server, "wer");
    LOOP_WAIT(f.loop, span_eq_str(buf_span(&f.client.seen), "answer"));
    CHECK_UEQ(conn_out_len(f.server.conn), 0);
    CHECK(address_is_loopback(conn_peer(f.server.conn)));
    uid_t uid = 12345;
    CHECK_EQ(conn_peer_uid(f.server.conn, &uid), transport == OVER_UNIX);
    CHECK(transport != OVER_UNIX || uid == getuid());
    stop(&f);
}

TEST(bytes_arrive_in_order_both_ways)
{
    for (int t = 0; t < TRANSPORTS; t++) {
        bytes_arrive((enum transport)t);
    }
}

TEST(what_a_turn_has_written_goes_out_before_the_loop_waits)
{
    for (int t = OVER_TCP; t <= OVER_UNIX; t++) {
        struct fixture f;
        start(&f, (enum transport)t);
        open_both(&f);
        send_text(&f.client, "one ");
        send_text(&f.client, "piece");
        CHECK_UEQ(conn_out_len(f.client.conn), 9);
        CHECK_UEQ(f.client.drained, 0);
        loop_run_late(f.loop);
        CHECK_UEQ(conn_out_len(f.client.conn), 0);
        CHECK_UEQ(f.client.drained, 1);
        LOOP_WAIT(f.loop, f.server.seen.len > 0);
        CHECK(span_eq_str(buf_span(&f.server.seen), "one piece"));
        stop(&f);
    }
}

static void large_arrives(enum transport transport)
{
    struct fixture f;
    start(&f, transport);
    f.client_options.out_max = 8 << 20;
    open_both(&f);
    char *block = malloc(1 << 20);
    CHECK(block != NULL);
    for (size_t i = 0; i < 1 << 20; i++) {
        block[i] = (char)(i * 7 + i / 251);
    }
    for (int i = 0; i < 4; i++) {
        CHECK_OK(conn_write(f.client.conn, span_of(block, 1 << 20)));
    }
    LOOP_WAIT(f.loop, f.server.seen.len == 4 << 20);
    for (size_t i = 0; i < 4; i++) {
        CHECK(memcmp(f.server.seen.ptr + i * (1 << 20), block, 1 << 20) == 0);
    }
    LOOP_WAIT(f.loop, f.client.drained > 0);
    free(block);
    stop(&f);
}

TEST(megabytes_arrive_unharmed)
{
    for (int t = 0; t < TRANSPORTS; t++) {
        large_arrives((enum transport)t);
    }
}

static void output_has_a_ceiling(enum transport transport)
{
    struct fixture f;
    start(&f, transport);
    f.client_options.out_max = 1000;
    open_both(&f);
    char block[1001] = {0};
    CHECK_EQ(conn_write(f.client.conn, span_of(block, 1001)), ERR_FULL);
    CHECK_OK(conn_write(f.client.conn, span_of(block, 1000)));
    CHECK_EQ(conn_write(f.client.conn, span_of(block, 1)), ERR_FULL);
    CHECK_UEQ(conn_out_len(f.client.conn), 1000);
    LOOP_WAIT(f.loop, f.client.drained > 0);
    CHECK_OK(conn_write(f.client.conn, span_of(block, 1000)));
    LOOP_WAIT(f.loop, f.server.seen.len == 2000);
    stop(&f);
}

TEST(output_over_the_ceiling_is_refused_whole)
{
    for (int t = 0; t < TRANSPORTS; t++) {
        output_has_a_ceiling((enum transport)t);
    }
}

static void input_has_a_ceiling(enum transport transport)
{
    struct fixture f;
    start(&f, transport);
    f.server_options.in_max = 4096;
    f.client_options.out_max = 64 << 20;
    open_both(&f);
    f.server.greedy = false;
    char block[65536] = {0};
    for (int i = 0; i < 512; i++) { // 32 MiB: more than sockets hold
        CHECK_OK(conn_write(f.client.conn, span_of(block, sizeof(block))));
    }
    LOOP_WAIT(f.loop, conn_in_len(f.server.conn) >= 4096);
    for (int i = 0; i < 50; i++) {
        loop_run_once(f.loop, 1);
    }
    CHECK(conn_in_len(f.server.conn) < 65536);
    CHECK(conn_out_len(f.client.conn) > 16 << 20);
    f.server.greedy = true;
    conn_resume(f.server.conn);
    LOOP_WAIT(f.loop, f.server.seen.len + conn_in_len(f.server.conn) > 1 << 20);
    stop(&f);
}

TEST(input_that_nobody_takes_stops_the_reading)
{
    for (int t = 0; t < TRANSPORTS; t++) {
        input_has_a_ceiling((enum transport)t);
    }
}

static void pause_holds(enum transport transport)
{
    struct fixture f;
    start(&f, transport);
    open_both(&f);
    conn_pause(f.server.conn);
    send_text(&f.client, "later");
    for (int i = 0; i < 20; i++) {
        loop_run_once(f.loop, 1);
    }
    CHECK_UEQ(f.server.seen.len, 0);
    conn_resume(f.server.conn);
    LOOP_WAIT(f.loop, span_eq_str(buf_span(&f.server.seen), "later"));
    struct mono until = mono_add_ms(loop_now(f.loop), 40);
    conn_pause_until(f.server.conn, until);
    send_text(&f.client, " and by itself");
    LOOP_WAIT(f.loop, f.server.seen.len > 5);
    CHECK(loop_now(f.loop).us >= until.us && !conn_is_paused(f.server.conn));
    stop(&f);
}

TEST(a_paused_stream_delivers_after_it_goes_on)
{
    for (int t = 0; t < TRANSPORTS; t++) {
        pause_holds((enum transport)t);
    }
}

static void finish_flushes(enum transport transport)
{
    struct fixture f;
    start(&f, transport);
    f.server_options.out_max = 8 << 20;
    open_both(&f);
    char *block = calloc(1, 4 << 20);
    CHECK(block != NULL);
    CHECK_OK(conn_write(f.server.conn, span_of(block, 4 << 20)));
    conn_finish(f.server.conn, 65536, 1000);
    CHECK_EQ(conn_write(f.server.conn, SPAN_LIT("x")), ERR_CLOSED);
    CHECK_UEQ(f.server.closed, 0);
    LOOP_WAIT(f.loop, f.client.eofs == 1);
    CHECK_UEQ(f.client.seen.len, 4 << 20);
    conn_finish(f.client.conn, 0, 0);
    LOOP_WAIT(f.loop, f.server.closed == 1 && f.client.closed == 1);
    CHECK_EQ(f.server.err, ERR_OK);
    CHECK_EQ(f.client.err, ERR_OK);
    free(block);
    stop(&f);
}

TEST(finishing_sends_what_waits_and_then_ends)
{
    for (int t = 0; t < TRANSPORTS; t++) {
        finish_flushes((enum transport)t);
    }
}

static void drain_is_bounded(enum transport transport)
{
    struct fixture f;
    start(&f, transport);
    f.client_options.out_max = 8 << 20;
    open_both(&f);
    char *block = calloc(1, 4 << 20);
    CHECK(block != NULL);
    CHECK_OK(conn_write(f.client.conn, span_of(block, 4 << 20)));
    conn_finish(f.server.conn, 65536, 3600000);
    LOOP_WAIT(f.loop, f.server.closed == 1); // by the length, not by the hour
    CHECK_EQ(f.server.err, ERR_OK);
    free(block);
    stop(&f);

    start(&f, transport);
    open_both(&f);
    conn_finish(f.server.conn, 65536, 20); // the client keeps its end open
    LOOP_WAIT(f.loop, f.server.closed == 1);
    CHECK_EQ(f.server.err, ERR_OK);
    stop(&f);
}

TEST(draining_ends_by_length_or_by_time)
{
    for (int t = 0; t < TRANSPORTS; t++) {
        drain_is_bounded((enum transport)t);
    }
}

static void close_in_callback(enum transport transport)
{
    struct fixture f;
    start(&f, transport);
    f.client_options.handlers = &no_eof;
    open_both(&f);
    f.server.close_on_data = true;
    send_text(&f.client, "x");
    LOOP_WAIT(f.loop, f.client.closed == 1);
    CHECK(f.server.conn == NULL);
    CHECK_UEQ(f.server.closed, 0); // who closes is not told
    CHECK_EQ(f.client.err, ERR_CLOSED);
    stop(&f);
}

TEST(a_stream_may_be_closed_inside_its_callback)
{
    for (int t = 0; t < TRANSPORTS; t++) {
        close_in_callback((enum transport)t);
    }
}

static void deadlines_end(enum transport transport)
{
    struct fixture f;
    start(&f, transport);
    open_both(&f);
    conn_set_deadline(f.client.conn, mono_add_ms(loop_now(f.loop), 3600000), "far");
    conn_set_deadline(f.client.conn, mono_add_ms(loop_now(f.loop), 20), "it took too long");
    LOOP_WAIT(f.loop, f.client.closed == 1);
    CHECK_EQ(f.client.err, ERR_TIMEOUT);
    CHECK_STR(f.client.text, "it took too long");
    stop(&f);

    start(&f, transport);
    f.server_options.idle_ms = 30;
    open_both(&f);
    LOOP_WAIT(f.loop, f.server.closed == 1);
    CHECK_EQ(f.server.err, ERR_TIMEOUT);
    stop(&f);

    start(&f, transport);
    f.client_options.out_max = 64 << 20;
    f.client_options.write_ms = 100;
    open_both(&f);
    f.server.greedy = false;
    char block[65536] = {0};
    for (int i = 0; i < 512; i++) {
        CHECK_OK(conn_write(f.client.conn, span_of(block, sizeof(block))));
    }
    LOOP_WAIT(f.loop, f.client.closed == 1);
    CHECK_STR(f.client.text, "the peer takes no output");
    stop(&f);
}

TEST(every_deadline_ends_the_stream)
{
    for (int t = 0; t < TRANSPORTS; t++) {
        deadlines_end((enum transport)t);
    }
}

TEST(a_refused_connection_is_told_later)
{
    for (int t = OVER_TCP; t <= OVER_UNIX; t++) {
        struct fixture f;
        start(&f, (enum transport)t);
        listener_free(f.listener);
        f.listener = NULL;
        CHECK_OK(conn_connect(f.loop, &f.address, &f.client_options, &f.client.conn));
        CHECK_UEQ(f.client.closed, 0);
        LOOP_WAIT(f.loop, f.client.closed == 1);
        CHECK_EQ(f.client.err, ERR_REFUSED);
        CHECK_UEQ(f.client.opened, 0);
        stop(&f);
    }
}

TEST(a_connecting_stream_may_be_closed)
{
    for (int t = 0; t < TRANSPORTS; t++) {
        struct fixture f;
        start(&f, (enum transport)t);
        CHECK_OK(conn_connect(f.loop, &f.address, &f.client_options, &f.client.conn));
        conn_close(f.client.conn);
        f.client.conn = NULL;
        loop_run_once(f.loop, 5);
        CHECK_UEQ(f.client.opened + f.client.closed, 0);
        stop(&f);
    }
}

TEST(a_handshake_that_never_comes_has_a_deadline)
{
    struct fixture f;
    start(&f, OVER_TLS);
    f.server_options.open_ms = 30;
    f.client_options.tls = NULL;
    CHECK_OK(conn_connect(f.loop, &f.address, &f.client_options, &f.client.conn));
    LOOP_WAIT(f.loop, f.server.closed == 1);
    CHECK_EQ(f.server.err, ERR_TIMEOUT);
    CHECK_STR(f.server.text, "TLS handshake not done in time");
    stop(&f);
}

// Connects with `client`, names the server `name`; what became of it.
static enum err handshake(const struct tls_options *server, const struct tls_options *client,
                          const char *name, char ret_peer[64])
{
    struct fixture f;
    start(&f, OVER_TLS);
    struct tls_context *server_tls = tls(server);
    struct tls_context *client_tls = tls(client);
    f.server_options.tls = server_tls;
    f.client_options.tls = client_tls;
    f.client_options.tls_name = name;
    f.client_options.handlers = &no_eof;
    CHECK_OK(conn_connect(f.loop, &f.address, &f.client_options, &f.client.conn));
    LOOP_WAIT(f.loop, f.client.closed + f.server.closed > 0 ||
                          (f.client.opened == 1 && f.server.opened == 1));
    enum err err = f.client.closed > 0 ? f.client.err : f.server.closed > 0 ? f.server.err : ERR_OK;
    ret_peer[0] = 0;
    if (err == ERR_OK && !conn_peer_name(f.server.conn, ret_peer, 64)) {
        (void)snprintf(ret_peer, 64, "none");
    }
    tls_context_free(server_tls);
    tls_context_free(client_tls);
    stop(&f);
    return err;
}

TEST(certificates_and_names_are_verified)
{
    struct certificates c;
    char peer[64];
    certificates_make(&c);
    const struct tls_options server = {.server = true, .cert_file = c.server};
    const struct tls_options strict = {.server = true, .cert_file = c.server, .ca_file = c.ca};
    const struct tls_options stranger = {.server = true, .cert_file = c.stranger};
    const struct tls_options client = {.ca_file = c.ca};
    const struct tls_options known = {.ca_file = c.ca, .cert_file = c.client};
    const struct tls_options unknown = {.ca_file = c.ca, .cert_file = c.stranger};
    const struct tls_options blind = {.insecure = true};
    CHECK_EQ(handshake(&server, &client, "server.test", peer), ERR_OK);
    CHECK_STR(peer, "none");
    CHECK_EQ(handshake(&server, &client, "127.0.0.1", peer), ERR_OK);
    CHECK_EQ(handshake(&server, &client, "other.test", peer), ERR_TLS);
    CHECK_EQ(handshake(&server, &client, "127.0.0.2", peer), ERR_TLS);
    CHECK_EQ(handshake(&stranger, &client, "server.test", peer), ERR_TLS);
    CHECK_EQ(handshake(&stranger, &blind, "other.test", peer), ERR_OK);
    CHECK_EQ(handshake(&strict, &known, "server.test", peer), ERR_OK);
    CHECK_STR(peer, "ops");
    CHECK_EQ(handshake(&strict, &unknown, "server.test", peer), ERR_TLS);
    certificates_remove(&c);
}

// Not with TLS: libevent 2.1 frees a half-made TLS bufferevent wrongly when it finds no memory itself.
static bool walk(void *arg)
{
    (void)arg;
    struct loop *loop = NULL;
    struct conn *conn = NULL;
    int fds[2] = {-1, -1};
    const struct conn_options options = {.handlers = &handlers};
    enum err err = loop_new(&loop);
    if (err == ERR_OK && socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0) {
        err = conn_accept(loop, fds[0], &options, &conn);
        if (err != ERR_OK && close(fds[0]) != 0) {
            abort(); // it is still ours
        }
        conn_close(conn);
        close(fds[1]);
    }
    loop_free(loop);
    return err == ERR_OK;
}

static bool walk_connect(void *arg)
{
    const struct address *address = arg;
    struct loop *loop = NULL;
    struct conn *conn = NULL;
    const struct conn_options options = {.handlers = &handlers};
    enum err err = loop_new(&loop);
    if (err == ERR_OK) {
        err = conn_connect(loop, address, &options, &conn);
    }
    conn_close(conn);
    loop_free(loop);
    return err == ERR_OK;
}

TEST(every_allocation_may_fail)
{
    struct address address;
    CHECK_OK(address_parse(SPAN_LIT("127.0.0.1:9"), &address));
    CHECK(failalloc_each(walk, NULL) >= 5);
    CHECK(failalloc_each(walk_connect, &address) >= 5);
}

SUITE("base/conn", T(bytes_arrive_in_order_both_ways),
      T(what_a_turn_has_written_goes_out_before_the_loop_waits), T(megabytes_arrive_unharmed),
      T(output_over_the_ceiling_is_refused_whole), T(input_that_nobody_takes_stops_the_reading),
      T(a_paused_stream_delivers_after_it_goes_on), T(finishing_sends_what_waits_and_then_ends),
      T(draining_ends_by_length_or_by_time), T(a_stream_may_be_closed_inside_its_callback),
      T(every_deadline_ends_the_stream), T(a_refused_connection_is_told_later),
      T(a_connecting_stream_may_be_closed), T(a_handshake_that_never_comes_has_a_deadline),
      T(certificates_and_names_are_verified), T(every_allocation_may_fail));
