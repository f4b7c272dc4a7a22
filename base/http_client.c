// SPDX-License-Identifier: Apache-2.0
#include "base/http_client.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/loop.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define BODY_MAX_DEFAULT 65536
#define URL_MAX 4096

struct http_client {
    struct loop *loop;
    CURLM *multi;
    struct loop_timer *timer; // when libcurl wants to be called
    struct http_client_call *calls;
};

struct http_client_call {
    struct http_client *client;
    struct http_client_call *prev, *next;
    CURL *easy;
    struct curl_slist *headers;
    struct curl_slist *connect_to;
    struct loop_timer *timer; // the total timeout, and the end of what ended at once
    struct mono began;
    struct mono ended;
    http_client_done_fn done;
    void *arg;
    struct buf body;
    size_t body_max;
    bool truncated;
    bool over; // libcurl is done with it: `code` says how
    CURLcode code;
    char error[CURL_ERROR_SIZE];
};

static void collect(struct http_client *client);

// --- libcurl's view of the loop

static void on_socket_ready(void *arg, int fd, unsigned ready)
{
    struct http_client *client = arg;
    int events = ((ready & LOOP_READ) != 0 ? CURL_CSELECT_IN : 0) |
                 ((ready & LOOP_WRITE) != 0 ? CURL_CSELECT_OUT : 0);
    int running = 0;
    (void)curl_multi_socket_action(client->multi, fd, events, &running);
    collect(client);
}

// Its five parameters are libcurl's.  Never answers an error: that would leave every transfer of the handle without an end.  What cannot be
// watched ends by its timeout.
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
    (void)easy;
    struct http_client *client = arg;
    struct loop_watch *watch = socket_arg;
    if (what == CURL_POLL_REMOVE) {
        loop_watch_free(watch);
        (void)curl_multi_assign(client->multi, fd, NULL);
        return 0;
    }
    if (watch == NULL) {
        const struct loop_watcher watcher = {on_socket_ready, client};
        if (loop_watch_new(client->loop, fd, &watcher, &watch) != ERR_OK) {
            return 0;
        }
        (void)curl_multi_assign(client->multi, fd, watch);
    }
    unsigned interest = ((what & CURL_POLL_IN) != 0 ? (unsigned)LOOP_READ : 0) |
                        ((what & CURL_POLL_OUT) != 0 ? (unsigned)LOOP_WRITE : 0);
    enum err err = loop_watch_set(watch, interest);
    (void)err;
    return 0;
}

static int on_timeout_wanted(CURLM *multi, long in_ms, void *arg)
{
    (void)multi;
    struct http_client *client = arg;
    if (in_ms < 0) {
        loop_timer_cancel(client->timer);
    } else {
        loop_timer_set_ms(client->timer, in_ms);
    }
    return 0;
}

static void on_multi_timer(void *arg)
{
    struct http_client *client = arg;
    int running = 0;
    (void)curl_multi_socket_action(client->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    collect(client);
}

// --- the end of a call

static void unlink_call(struct http_client_call *call)
{
    if (call->prev != NULL) {
        call->prev->next = call->next;
    } else {
        call->client->calls = call->next;
    }
    if (call->next != NULL) {
        call->next->prev = call->prev;
    }
}

static void free_call(struct http_client_call *call)
{
    if (call->easy != NULL) {
        (void)curl_multi_remove_handle(call->client->multi, call->easy);
        curl_easy_cleanup(call->easy);
    }
    curl_slist_free_all(call->headers);
    curl_slist_free_all(call->connect_to);
    loop_timer_free(call->timer);
    buf_fini(&call->body);
    free(call);
}

static bool connected(const struct http_client_call *call)
{
    curl_off_t at = 0;
    return curl_easy_getinfo(call->easy, CURLINFO_CONNECT_TIME_T, &at) == CURLE_OK && at > 0;
}

static enum http_client_outcome connect_outcome(const struct http_client_call *call)
{
    long errno_value = 0;
    (void)curl_easy_getinfo(call->easy, CURLINFO_OS_ERRNO, &errno_value);
    if (errno_value == ECONNREFUSED || errno_value == ENOENT) {
        return HTTP_CLIENT_REFUSED;
    }
    return errno_value == ETIMEDOUT ? HTTP_CLIENT_CONNECT_TIMEOUT : HTTP_CLIENT_UNREACHABLE;
}

static enum http_client_outcome outcome_of(const struct http_client_call *call)
{
    switch ((int)call->code) {
    case CURLE_OK:
        return HTTP_CLIENT_OK;
    case CURLE_WRITE_ERROR:
        return call->truncated ? HTTP_CLIENT_OK : HTTP_CLIENT_FAILED;
    case CURLE_COULDNT_CONNECT:
        return connect_outcome(call);
    case CURLE_OPERATION_TIMEDOUT:
        return connected(call) ? HTTP_CLIENT_RESPONSE_TIMEOUT : HTTP_CLIENT_CONNECT_TIMEOUT;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
        return HTTP_CLIENT_TLS_FAILED;
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
        return HTTP_CLIENT_CLOSED;
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL: // an answer in HTTP/0.9, or a version that is none
    case CURLE_HTTP2:
    case CURLE_BAD_CONTENT_ENCODING:
        return HTTP_CLIENT_INVALID;
    default:
        return HTTP_CLIENT_FAILED;
    }
}

static void finish(struct http_client_call *call)
{
    struct http_client_result result = {.outcome = outcome_of(call), .truncated = call->truncated};
    long status = 0;
    if (result.outcome == HTTP_CLIENT_OK) {
        (void)curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
        result.body = buf_span(&call->body);
    }
    result.status = (unsigned)status;
    result.text = result.outcome == HTTP_CLIENT_OK ? ""
                  : call->error[0] != 0            ? call->error
                                                   : curl_easy_strerror(call->code);
    result.latency_us = (uint64_t)(call->ended.us - call->began.us);
    unlink_call(call);
    call->done(call->arg, &result);
    free_call(call);
}

// Only marks what is over: `done` may do as it likes, free the client even, so it is called from the
// call's own timer, with libcurl off the stack.
static void collect(struct http_client *client)
{
    int left = 0;
    CURLMsg *message = NULL;
    while ((message = curl_multi_info_read(client->multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE) {
            continue;
        }
        struct http_client_call *call = NULL;
        CURLcode code = message->data.result;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call);
        call->over = true;
        call->code = code;
        call->ended = loop_now(client->loop);
        loop_timer_set(call->timer, call->began);
    }
}

static void on_call_timer(void *arg)
{
    struct http_client_call *call = arg;
    if (!call->over) {
        call->code = CURLE_OPERATION_TIMEDOUT;
        call->ended = loop_now(call->client->loop);
        (void)snprintf(call->error, sizeof(call->error), "%s",
                       connected(call) ? "no complete answer in time" : "not connected in time");
    }
    finish(call);
}

// --- the begin of a call

static size_t on_body(const char *data, size_t size, size_t count, void *arg)
{
    struct http_client_call *call = arg;
    size_t len = size * count;
    size_t room = call->body_max - call->body.len;
    buf_put(&call->body, span_of(data, len < room ? len : room));
    if (call->body.err != ERR_OK) {
        return 0;
    }
    if (len > room) {
        call->truncated = true;
        return 0; // ends the transfer: what is known suffices
    }
    return len;
}

static bool is_clean(const char *text, const char *refused)
{
    for (; *text != 0; text++) {
        unsigned char c = (unsigned char)*text;
        if (c <= ' ' || c >= 0x7f || strchr(refused, *text) != NULL) {
            return false;
        }
    }
    return true;
}

static bool is_valid(const struct http_client_request *request)
{
    bool host = request->host != NULL && request->host[0] != 0;
    return request->timeout_ms > 0 && request->done != NULL && request->path != NULL &&
           request->path[0] == '/' && is_clean(request->path, "#") &&
           (!host || is_clean(request->host, "/@?#\\%"));
}

static bool append(struct curl_slist **list, const struct buf *text)
{
    struct curl_slist *longer =
        text->err == ERR_OK ? curl_slist_append(*list, buf_cstr(text)) : NULL;
    *list = longer != NULL ? longer : *list;
    return longer != NULL;
}

static void put_ip(struct buf *out, const char *ip)
{
    bool six = strchr(ip, ':') != NULL;
    buf_str(out, six ? "[" : "");
    buf_str(out, ip);
    buf_str(out, six ? "]" : "");
}

// Without the port that may stand behind it.
static struct span host_name(const char *host)
{
    struct span name = span_str(host);
    const char *colon = strrchr(host, ':');
    if (colon != NULL && strchr(colon, ']') == NULL) {
        name.len = (size_t)(colon - host);
    }
    return name;
}

// The name in the URL is what SNI and verification go by, so with TLS it is the host's, and where to
// connect to is said apart.  Without TLS the address does.
static bool set_target(struct http_client_call *call, const struct http_client_request *request)
{
    char ip[ADDRESS_TEXT_LEN];
    char where[ADDRESS_TEXT_LEN];
    address_format_ip(&request->address, ip);
    address_format(&request->address, where);
    bool is_unix = address_is_unix(&request->address);
    bool named = request->host != NULL && request->host[0] != 0;
    unsigned port = is_unix ? (request->tls ? 443 : 80) : address_port(&request->address);
    struct buf text;
    buf_init(&text, URL_MAX);
    buf_str(&text, request->tls ? "https://" : "http://");
    if (request->tls && named) {
        buf_put(&text, host_name(request->host));
    } else {
        put_ip(&text, is_unix ? "localhost" : ip);
    }
    buf_printf(&text, ":%u%s", port, request->path);
    bool good = text.err == ERR_OK &&
                curl_easy_setopt(call->easy, CURLOPT_URL, buf_cstr(&text)) == CURLE_OK;
    if (good && is_unix) {
        good = curl_easy_setopt(call->easy, CURLOPT_UNIX_SOCKET_PATH, where + strlen("unix:")) ==
               CURLE_OK;
    } else if (good && request->tls && named) {
        buf_reset(&text);
        buf_str(&text, "::");
        put_ip(&text, ip);
        buf_printf(&text, ":%u", port);
        good = append(&call->connect_to, &text) &&
               curl_easy_setopt(call->easy, CURLOPT_CONNECT_TO, call->connect_to) == CURLE_OK;
    }
    if (good && named) {
        buf_reset(&text);
        buf_printf(&text, "Host: %s", request->host);
        good = append(&call->headers, &text) &&
               curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, call->headers) == CURLE_OK;
    }
    buf_fini(&text);
    return good;
}

static bool set_rules(struct http_client_call *call)
{
    CURL *easy = call->easy;
    bool good = curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
    good = good && curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
    good = good && curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK;
    good =
        good && curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK; // whatever http_proxy says
    good = good && curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1) == CURLE_OK;
    good = good && curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L) == CURLE_OK;
    good = good && curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L) == CURLE_OK;
    good = good && curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L) == CURLE_OK;
    good = good && curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L) == CURLE_OK;
    good = good && curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L) == CURLE_OK;
    good = good &&
           curl_easy_setopt(easy, CURLOPT_USERAGENT, "meshpulse/" MESHPULSE_VERSION) == CURLE_OK;
    good = good && curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK;
    good = good && curl_easy_setopt(easy, CURLOPT_WRITEDATA, call) == CURLE_OK;
    good = good && curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->error) == CURLE_OK;
    return good && curl_easy_setopt(easy, CURLOPT_PRIVATE, call) == CURLE_OK;
}

static bool set_tls(struct http_client_call *call, const struct http_client_request *request)
{
    if (!request->tls) {
        return true;
    }
    CURL *easy = call->easy;
    bool good =
        curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK;
    if (request->insecure) {
        good = good && curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L) == CURLE_OK;
        good = good && curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L) == CURLE_OK;
    } else if (request->ca_file != NULL && request->ca_file[0] != 0) {
        good = good && curl_easy_setopt(easy, CURLOPT_CAINFO, request->ca_file) == CURLE_OK;
    }
    return good;
}

static enum err start(struct http_client_call *call, const struct http_client_request *request)
{
    if (loop_timer_new(call->client->loop, on_call_timer, call, &call->timer) != ERR_OK) {
        return ERR_NOMEM;
    }
    call->easy = curl_easy_init();
    if (call->easy == NULL || !set_rules(call) || !set_target(call, request) ||
        !set_tls(call, request) ||
        curl_multi_add_handle(call->client->multi, call->easy) != CURLM_OK) {
        return ERR_NOMEM;
    }
    loop_timer_set(call->timer, mono_add_ms(call->began, request->timeout_ms));
    return ERR_OK;
}

enum err http_client_get(struct http_client *client, const struct http_client_request *request,
                         struct http_client_call **ret_call)
{
    ASSERT_ON_LOOP(client->loop);
    if (!is_valid(request)) {
        return ERR_INVALID;
    }
    struct http_client_call *call = calloc(1, sizeof(*call));
    if (call == NULL) {
        return ERR_NOMEM;
    }
    call->client = client;
    call->began = loop_now(client->loop);
    call->done = request->done;
    call->arg = request->arg;
    call->body_max = request->body_max == 0 ? BODY_MAX_DEFAULT : request->body_max;
    buf_init(&call->body, call->body_max);
    enum err err = start(call, request);
    if (err != ERR_OK) {
        free_call(call);
        return err;
    }
    call->next = client->calls;
    if (call->next != NULL) {
        call->next->prev = call;
    }
    client->calls = call;
    *ret_call = call;
    return ERR_OK;
}

void http_client_cancel(struct http_client_call *call)
{
    ASSERT_ON_LOOP(call->client->loop);
    unlink_call(call);
    free_call(call);
}

// --- the client

enum err http_client_new(struct loop *loop, struct http_client **ret_client)
{
    ASSERT_ON_LOOP(loop);
    struct http_client *client = calloc(1, sizeof(*client));
    if (client == NULL) {
        return ERR_NOMEM;
    }
    client->loop = loop;
    if (loop_timer_new(loop, on_multi_timer, client, &client->timer) != ERR_OK) {
        free(client);
        return ERR_NOMEM;
    }
    // Counts its callers; safe from several threads since 7.84.
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        loop_timer_free(client->timer);
        free(client);
        return ERR_NOMEM;
    }
    client->multi = curl_multi_init();
    if (client->multi == NULL ||
        curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, on_socket) != CURLM_OK ||
        curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client) != CURLM_OK ||
        curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, on_timeout_wanted) != CURLM_OK ||
        curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client) != CURLM_OK) {
        http_client_free(client);
        return ERR_NOMEM;
    }
    *ret_client = client;
    return ERR_OK;
}

void http_client_free(struct http_client *client)
{
    if (client == NULL) {
        return;
    }
    while (client->calls != NULL) {
        struct http_client_call *call = client->calls;
        client->calls = call->next;
        free_call(call);
    }
    if (client->multi != NULL) {
        (void)curl_multi_cleanup(client->multi); // gives back the watches that are left
    }
    curl_global_cleanup();
    loop_timer_free(client->timer);
    free(client);
}
